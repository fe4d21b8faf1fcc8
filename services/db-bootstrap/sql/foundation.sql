-- What the project keeps about itself. Nothing of it is reachable through the API.

create schema ferrobase;
comment on schema ferrobase is 'Rules the project enforces on this database. Not exposed.';

-- The event triggers run as whoever changes the schema, and look things up here.
grant usage on schema ferrobase to public;

create table ferrobase.schemas (
  name       text    constraint schemas_pkey primary key,
  is_exposed boolean not null
);
comment on table ferrobase.schemas is
  'Schemas the project knows: exposed ones hold the user''s tables, the others are its own.';
grant select on ferrobase.schemas to public;

create table ferrobase.scripts (
  name       text        constraint scripts_pkey primary key,
  checksum   text        not null,
  applied_at timestamptz not null default now()
);
comment on table ferrobase.scripts is 'SQL files of db-bootstrap that were applied, and which text.';

insert into ferrobase.schemas (name, is_exposed)
values ('ferrobase', false), ('extensions', false);

-- Extensions live apart from the user's tables.
create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;

do $$
declare
  extension text;
begin
  -- Not every installation of PostgreSQL has them.
  for extension in
    select name from pg_available_extensions where name in ('pgcrypto', 'uuid-ossp')
  loop
    execute format('create extension if not exists %I with schema extensions', extension);
  end loop;
end
$$;
