#!/bin/sh
# Makes the role monitor, which may read PostgreSQL's statistics, and gives it the password of
# MONITOR_DB_PASSWORD. Each of the two passwords can also be in a file, NAME_FILE.
set -eu

read_secret() { if [ -n "$2" ]; then cat "$2"; else printf '%s' "$1"; fi; }
PGPASSWORD=$(read_secret "${POSTGRES_PASSWORD:-}" "${POSTGRES_PASSWORD_FILE:-}")
password=$(read_secret "${MONITOR_DB_PASSWORD:-}" "${MONITOR_DB_PASSWORD_FILE:-}")
export PGPASSWORD password
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --host postgres --username postgres --dbname postgres <<'SQL'
\set password `printf '%s' "$password"`
set log_statement = 'none';
select 'create role monitor' where not exists (select from pg_roles where rolname = 'monitor') \gexec
alter role monitor login connection limit 5 password :'password';
grant pg_monitor to monitor;
SQL
