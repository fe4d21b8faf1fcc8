#!/usr/bin/env bash
# sql-rest, a process of its own called directly, against pgbench on the same database: the same
# statements with the result built as JSON, as the same user, role and claims under the same policies,
# one transaction for each request, prepared and pipelined into one round trip.
#
# Prints, for each of both: requests per second, p50 and p99, and the CPU time each request takes
# from the service and from PostgreSQL; then the service's peak of memory. Each round measures both in
# turn; what is shown are medians.
#
#   scripts/bench/sql-rest.sh [CASE…]      cases: one hundred embed insert return bulk
#
# scripts/bench.sh runs it. Environment: SQL_REST_BIN, BENCH_SECONDS, BENCH_ROUNDS, BENCH_CLIENTS.
set -euo pipefail
cd "$(dirname "$0")/../.."
BENCH_SECONDS=${BENCH_SECONDS:-3}
. scripts/bench/lib.sh
rounds=${BENCH_ROUNDS:-3}
cases=("$@")
((${#cases[@]})) || cases=(one hundred embed insert return bulk)
user=11111111-1111-1111-1111-111111111111

work=$(mktemp -d)
trap 'stop_sql_rest; rm -rf "$work"' EXIT
psql -qX -v ON_ERROR_STOP=1 -v user="$user" -f scripts/bench/sql-rest.sql
token=$(user_token "$user")
claims=$(node -p 'Buffer.from(process.argv[1].split(".")[1], "base64url").toString()' "$token")
auth=(-H "Authorization: Bearer $token")
start_sql_rest "$work/log" bench_items "${auth[@]}"

# statement CURL-ARGUMENTS…: what sql-rest has PostgreSQL run for a request, its parameters as
# variables of pgbench.
statement() {
    curl -sf -o /dev/null "${auth[@]}" "$@"
    psql -qAtX -c "select query from pg_stat_activity where application_name = 'measured'
        order by query_start desc limit 1" | sed 's/\$\([0-9]\+\)/:p\1/g'
}

# transaction STATEMENT: a pgbench script that does around it what sql-rest does.
transaction() {
    cat <<SQL
\\startpipeline
begin;
select set_config('role', 'authenticated', true), set_config('request.jwt.claims', '$claims', true),
  set_config('request.jwt.claim.sub', '$user', true);
$1;
commit;
\\endpipeline
SQL
}

# cpu: clock ticks used so far by the service, and by PostgreSQL for it and for whoever has left.
postmaster=$(psql -qAtX -c "select split_part(pg_read_file('postmaster.pid'), E'\n', 1)")
cpu() {
    local backends="from pg_stat_activity where application_name"
    until [[ $(psql -qAtX -c "select count(*) $backends = 'pgbench'") == 0 ]]; do sleep 0.05; done
    awk '{ print $14 + $15 }' "/proc/$server/stat"
    {
        cat "/proc/$postmaster/stat"
        psql -qAtX -c "select pid $backends = 'measured'" | sed 's|.*|/proc/&/stat|' | xargs cat
    } | awk 'NR == 1 { ticks = $16 + $17; next } { ticks += $14 + $15 } END { print ticks }'
}

# costs LOAD…: what the load prints, and the CPU microseconds of each request, of both.
costs() {
    local before after load
    before=$(cpu | paste -sd" ")
    load=$("$@")
    after=$(cpu | paste -sd" ")
    echo "$load $before $after" | awk -v seconds="$BENCH_SECONDS" -v hz="$(getconf CLK_TCK)" '{
        each = 1e6 / hz / ($1 * seconds)
        print $1, $2, $3, ($6 - $4) * each, ($7 - $5) * each }'
}

# both NAME: measures pgbench and sql-rest in turn; prints the medians of the rounds.
both() {
    local round own peer
    : >"$work/rounds"
    for ((round = 0; round < rounds; round++)); do
        psql -qX -c 'truncate public.bench_written'
        peer=$(costs sql_load "$work/$1.sql" "${variables[@]}")
        psql -qX -c 'truncate public.bench_written'
        own=$(costs http_load "${auth[@]}" "${request[@]}")
        echo "$(awk '{ print $1 / $6 }' <<<"$own $peer") $own $peer" >>"$work/rounds"
    done
    median() { cut -d' ' -f"$1" "$work/rounds" | sort -n | sed -n "$((rounds / 2 + 1))p"; }
    printf 'pgbench  %-9s %9.0f/s %8.2f %8.2f %9s %11.0f\n' "$1" "$(median 7)" "$(median 8)" "$(median 9)" '' "$(median 11)"
    printf 'sql-rest %-9s %9.0f/s %8.2f %8.2f %9.0f %11.0f   ratio %.2f\n' \
        "$1" "$(median 2)" "$(median 3)" "$(median 4)" "$(median 5)" "$(median 6)" "$(median 1)"
}

printf '%s connections, %s rounds of %s s\n' "$BENCH_CLIENTS" "$rounds" "$BENCH_SECONDS"
printf '%-18s %11s %8s %8s %9s %11s\n' '' '' 'p50 ms' 'p99 ms' 'CPU µs' 'of database'
json=(-H 'Content-Type: application/json')
# keys PATH: a thousand URLs that end with the key of a row.
keys() { seq 1000 | awk -v url="$url$1" '{ print url int(rand() * 10000) + 1 }'; }
for case in "${cases[@]}"; do
    variables=()
    case $case in
    one | embed)
        path='/bench_items?id=eq.'
        [[ $case == one ]] || path='/bench_items?select=id,title,bench_notes(id,text)&id=eq.'
        { echo '\set p1 random(1, 10000)'; transaction "$(statement "$url${path}1")"; } >"$work/$case.sql"
        keys "$path" >"$work/urls"
        request=(-i "$work/urls")
        ;;
    hundred)
        request=("$url/bench_items?order=id&limit=100")
        transaction "$(statement "${request[0]}")" >"$work/$case.sql"
        variables=(-D p1=100)
        ;;
    insert | return | bulk)
        body='{"title":"A new title","score":1}' headers=("${json[@]}")
        [[ $case != return ]] || headers+=(-H 'Prefer: return=representation')
        [[ $case != bulk ]] || body=$(seq 1000 | sed 's/.*/{"title":"Title number &","score":&}/' | paste -sd, | sed 's/.*/[&]/')
        printf '%s' "$body" >"$work/body"
        transaction "$(statement "$url/bench_written" "${headers[@]}" -d "@$work/body")" >"$work/$case.sql"
        variables=(-D p1="$body")
        request=("$url/bench_written" "${headers[@]}" -d "$work/body")
        ;;
    esac
    both "$case"
done
awk '/^VmHWM/ { printf "peak of resident memory: %.1f MiB\n", $2 / 1024 }' "/proc/$server/status"
