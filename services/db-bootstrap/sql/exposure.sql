-- An exposed schema is one whose tables the API serves. Being served is not being readable: every
-- table in it starts with row-level security and no policy (row_security.sql).

-- Opens a schema to the roles of the API, once. Tells whether it did anything.
create or replace function ferrobase.expose(exposed text) returns boolean
language plpgsql set search_path = ''
as $$
declare
  creator text;
begin
  if exists (select from ferrobase.schemas where name = exposed and is_exposed) then
    return false;
  end if;

  execute format('create schema if not exists %I', exposed);
  execute format('revoke create on schema %I from public', exposed);
  execute format('grant usage on schema %I to anon, authenticated, service_role', exposed);

  -- Tables that the superuser creates from now on can be used through the API, as far as their
  -- policies allow. Not granted: truncate, references and trigger, which policies do not govern.
  for creator in
    select rolname from pg_catalog.pg_roles where rolname in (current_user, 'postgres')
  loop
    execute format(
      'alter default privileges for role %I in schema %I
         grant select, insert, update, delete on tables to anon, authenticated', creator, exposed);
    execute format(
      'alter default privileges for role %I in schema %I
         grant all on tables to service_role', creator, exposed);
    execute format(
      'alter default privileges for role %I in schema %I
         grant usage, select on sequences to anon, authenticated, service_role', creator, exposed);
    execute format(
      'alter default privileges for role %I in schema %I
         grant execute on functions to anon, authenticated, service_role', creator, exposed);
  end loop;

  insert into ferrobase.schemas (name, is_exposed) values (exposed, true)
  on conflict (name) do update set is_exposed = true;
  return true;
end
$$;
comment on function ferrobase.expose(text) is 'Opens a schema to the roles of the API.';

revoke execute on function ferrobase.expose(text) from public;
