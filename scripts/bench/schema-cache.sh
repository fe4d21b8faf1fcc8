#!/usr/bin/env bash
# How long sql-rest takes to take note of a change in a schema of many tables, and what requests
# notice of it: latencies with nothing else going on, and while the schema is read again and again.
#
#   scripts/bench/schema-cache.sh [tables]
#
# scripts/bench.sh runs it. Environment: SQL_REST_BIN, BENCH_CLIENTS.
set -euo pipefail
cd "$(dirname "$0")/../.."
BENCH_SECONDS=${BENCH_SECONDS:-6}
. scripts/bench/lib.sh
tables=${1:-10000}
user=11111111-1111-1111-1111-111111111111

work=$(mktemp -d)
trap 'stop_sql_rest; rm -rf "$work"' EXIT
psql -qX -v ON_ERROR_STOP=1 -v user="$user" -f scripts/bench/sql-rest.sql
# Some hundred tables in a transaction, since each needs locks; without the event triggers, which
# would have the schema read after every one of them.
psql -qX -v ON_ERROR_STOP=1 <<SQL
set session_replication_role = replica;
do \$\$ begin
  for n in 1..$tables loop
    execute format('create table public.bench_many_%s (id bigint primary key, name text not null,
      score int default 0, made timestamptz default now(), next bigint)', n);
    if n % 10 = 0 then
      execute format('alter table public.bench_many_%s add foreign key (next) references public.bench_items', n);
    end if;
    if n % 500 = 0 then commit; end if;
  end loop;
end \$\$;
notify pgrst, 'reload schema';
SQL
auth=(-H "Authorization: Bearer $(user_token "$user")")
start_sql_rest "$work/log" "bench_many_$tables" "${auth[@]}"

# change NAME: makes a table and waits until it is served; prints the seconds.
change() {
    local began
    psql -qX -c "create table public.$1 (id int); notify pgrst, 'reload schema'"
    began=$(date +%s.%N)
    until curl -sf -o /dev/null "${auth[@]}" "$url/$1"; do sleep 0.02; done
    echo "$(date +%s.%N) $began" | awk '{ printf "%.2f\n", $1 - $2 }'
}
printf 'a change of a schema of %s tables is served after %s s\n' "$tables" "$(change bench_change)"
request=("$url/bench_items?id=eq.1" "${auth[@]}")
row 'sql-rest, one row by key' "$(http_load "${request[@]}")"
while true; do psql -qX -c "notify pgrst, 'reload schema'"; sleep 0.5; done & reloading=$!
row '… while the schema is being read' "$(http_load "${request[@]}")"
kill "$reloading"
awk '/^VmHWM/ { printf "peak of resident memory: %.1f MiB\n", $2 / 1024 }' "/proc/$server/status"
printf 'the schema was read %s times\n' "$(grep -c 'schema cache loaded' "$work/log")"
