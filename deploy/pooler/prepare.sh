#!/bin/sh
# Makes the role pooler, which may look up how ordinary roles log in and nothing else, and gives it
# the password of POOLER_DB_PASSWORD. Each of the two passwords can also be in a file, NAME_FILE.
set -eu

read_secret() { if [ -n "$2" ]; then cat "$2"; else printf '%s' "$1"; fi; }
PGPASSWORD=$(read_secret "${POSTGRES_PASSWORD:-}" "${POSTGRES_PASSWORD_FILE:-}")
password=$(read_secret "${POOLER_DB_PASSWORD:-}" "${POOLER_DB_PASSWORD_FILE:-}")
export PGPASSWORD password
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --host postgres --username postgres --dbname postgres <<'SQL'
\set password `printf '%s' "$password"`
set log_statement = 'none';
set client_min_messages = warning;
select 'create role pooler' where not exists (select from pg_roles where rolname = 'pooler') \gexec
alter role pooler login connection limit 10 password :'password';
create schema if not exists pooler;
grant usage on schema pooler to pooler;
-- Superusers are left out: they log in directly or not at all.
create or replace function pooler.login_of(wanted text) returns table (name text, secret text)
language sql stable security definer set search_path = ''
as $$
  select rolname::text, rolpassword from pg_catalog.pg_authid
   where rolname = wanted and rolcanlogin and not rolsuper and not rolreplication
$$;
revoke execute on function pooler.login_of(text) from public;
grant execute on function pooler.login_of(text) to pooler;
SQL
