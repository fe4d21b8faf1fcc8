-- sql-rest keeps a picture of the user's tables. It listens on the channel pgrst and looks again
-- when it is told to, which these triggers do after each change of the schema.

-- Whether a change in this schema can matter to the API.
create or replace function ferrobase.is_watched(changed text) returns boolean
language sql stable set search_path = ''
as $$
  select changed is null -- a schema itself is in no schema
      or changed not like 'pg\_%'
         and changed <> 'information_schema'
         and not exists (select from ferrobase.schemas where name = changed and not is_exposed)
$$;

create or replace function ferrobase.pgrst_ddl_watch() returns event_trigger
language plpgsql set search_path = ''
as $$
begin
  if exists (
    select from pg_catalog.pg_event_trigger_ddl_commands() as command
     where ferrobase.is_watched(command.schema_name)
  ) then
    notify pgrst, 'reload schema';
  end if;
end
$$;

create or replace function ferrobase.pgrst_drop_watch() returns event_trigger
language plpgsql set search_path = ''
as $$
begin
  if exists (
    select from pg_catalog.pg_event_trigger_dropped_objects() as dropped
     where not dropped.is_temporary
       and dropped.object_type in (
         'schema', 'table', 'foreign table', 'view', 'materialized view', 'table column',
         'table constraint', 'function', 'procedure', 'trigger', 'type', 'rule')
       and ferrobase.is_watched(dropped.schema_name)
  ) then
    notify pgrst, 'reload schema';
  end if;
end
$$;

drop event trigger if exists pgrst_ddl_watch;
create event trigger pgrst_ddl_watch on ddl_command_end
  when tag in (
    'CREATE SCHEMA', 'ALTER SCHEMA',
    'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE',
    'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA',
    'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW',
    'CREATE FUNCTION', 'ALTER FUNCTION', 'CREATE PROCEDURE', 'ALTER PROCEDURE',
    'CREATE TRIGGER', 'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN',
    'CREATE CAST', 'CREATE RULE', 'COMMENT')
  execute function ferrobase.pgrst_ddl_watch();

drop event trigger if exists pgrst_drop_watch;
create event trigger pgrst_drop_watch on sql_drop
  execute function ferrobase.pgrst_drop_watch();
