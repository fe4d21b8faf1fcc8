# Measuring, for the benchmark scripts. To be sourced.

BENCH_SECONDS=${BENCH_SECONDS:-8}
BENCH_CLIENTS=${BENCH_CLIENTS:-32}
BENCH_PROGRAMS=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/pgbench' | sort -V | tail -1)")

# http_load H2LOAD-ARGUMENTS…: prints "requests/s p50_ms p99_ms"; any answer but 2xx is an error. The
# latencies are those there were, as they are of pgbench; wrk would add some of its own reckoning.
http_load() {
    local log
    log=$(mktemp)
    h2load --h1 -t1 -c"$BENCH_CLIENTS" -D"$BENCH_SECONDS" --log-file="$log" "$@" >/dev/null
    if ! awk '$2 < 200 || $2 > 299 { exit 1 }' "$log"; then
        echo "bench: requests failed: $*" >&2
        exit 1
    fi
    awk -v seconds="$BENCH_SECONDS" 'END { printf "%.0f ", NR / seconds }' "$log"
    cut -f3 "$log" | latencies
    rm "$log"
}

# sql_load FILE [PGBENCH-ARGUMENTS…]: the same for a pgbench script, pipelined and prepared. The time in
# which it connects does not count.
sql_load() {
    local logs script=$1
    shift
    logs=$(mktemp -d)
    "$BENCH_PROGRAMS/pgbench" -n -M prepared -c "$BENCH_CLIENTS" -j 1 -T "$BENCH_SECONDS" \
        --log --log-prefix="$logs/log" -f "$script" "$@" 2>/dev/null | awk '/^tps/ { printf "%.0f ", $3 }'
    cut -d' ' -f3 "$logs"/log* | latencies
    rm -rf "$logs"
}

# latencies: "p50_ms p99_ms" of a list of microseconds.
latencies() {
    sort -n | awk '
        { latency[NR] = $1 }
        END { printf "%.2f %.2f\n", latency[int(NR * 0.50) + 1] / 1000, latency[int(NR * 0.99)] / 1000 }'
}

# row NAME "RATE P50 P99" ["RATE P50 P99" of the peer]: one line of the table.
row() {
    awk -v name="$1" -v own="$2" -v peer="${3:-}" 'BEGIN {
        split(own, o, " "); split(peer, p, " ")
        printf "%-34s %8d/s  p50 %7.2f ms  p99 %7.2f ms", name, o[1], o[2], o[3]
        if (peer != "") printf "  ratio %.2f", o[1] / p[1]
        printf "\n"
    }'
}

# user_token: an access token for a user that need not exist.
user_token() {
    node -e '
        const { createHmac } = require("node:crypto");
        const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
        const claims = { sub: process.argv[1], role: "authenticated", aud: "authenticated",
                         exp: Math.floor(Date.now() / 1000) + 3600 };
        const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
        const key = process.env.FERROBASE_JWT_SECRET;
        console.log(`${text}.${createHmac("sha256", key).update(text).digest("base64url")}`);
    ' "$1"
}

# start_sql_rest LOG RELATION CURL-ARGUMENTS…: a service of its own over the stack's database, as pid
# $server at $url, that has come to know the relation. Its connections are called "measured".
start_sql_rest() {
    local port=18020
    url=http://127.0.0.1:$port
    env PGRST_DB_URI="postgres://authenticator:$AUTHENTICATOR_PASSWORD@$PGHOST:$PGPORT/$PGDATABASE?application_name=measured" \
        PGRST_JWT_SECRET="$FERROBASE_JWT_SECRET" SQL_REST_PORT=$port LISTEN_HOST=127.0.0.1 \
        "$SQL_REST_BIN" >"$1" 2>&1 &
    server=$!
    until curl -sf -o /dev/null "$url/$2?limit=1" "${@:3}"; do
        kill -0 "$server" || { cat "$1" >&2; exit 1; }
        sleep 0.1
    done
}

stop_sql_rest() {
    [[ -z ${server:-} ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
}
