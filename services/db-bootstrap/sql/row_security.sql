-- Closed by default: a table that is created in an exposed schema gets row-level security at once.
-- Until it has a policy, anon and authenticated see none of its rows and can add none.

-- Runs as whoever created the table, who owns it and so may alter it.
create or replace function ferrobase.enable_row_security() returns event_trigger
language plpgsql set search_path = ''
as $$
declare
  created regclass;
begin
  for created in
    select class.oid::regclass
      from pg_catalog.pg_event_trigger_ddl_commands() as command
      join pg_catalog.pg_class as class on class.oid = command.objid
      join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace
      join ferrobase.schemas as known on known.name = namespace.nspname and known.is_exposed
     where command.classid = 'pg_catalog.pg_class'::regclass
       and class.relkind in ('r', 'p')
       and not class.relrowsecurity
       -- An extension knows what its tables are for.
       and not command.in_extension
  loop
    -- A regclass is printed quoted and, with no search_path, with its schema.
    execute format('alter table %s enable row level security', created);
  end loop;
end
$$;
comment on function ferrobase.enable_row_security() is
  'Turns row-level security on for tables created in exposed schemas.';

drop event trigger if exists ferrobase_row_security;
create event trigger ferrobase_row_security on ddl_command_end
  when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA')
  execute function ferrobase.enable_row_security();
