# Measuring, for the benchmark scripts. To be sourced.

BENCH_SECONDS=${BENCH_SECONDS:-8}
BENCH_CLIENTS=${BENCH_CLIENTS:-16}
BENCH_PROGRAMS=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/pgbench' | sort -V | tail -1)")

# http_load URL [WRK ARGUMENTS…]: prints "requests/s p50_ms p99_ms"; any answer but 2xx is an error.
http_load() {
    local url=$1 report
    shift
    report=$(wrk -t1 -c"$BENCH_CLIENTS" -d"${BENCH_SECONDS}s" --latency "$@" "$url")
    if grep -q -e 'Non-2xx' -e 'Socket errors' <<<"$report"; then
        echo "bench: requests failed: $url" >&2
        echo "$report" >&2
        exit 1
    fi
    awk '
        function ms(text) {
            if (text ~ /us$/) return text / 1000
            if (text ~ /ms$/) return text + 0
            return text * 1000
        }
        $1 == "50%" { p50 = ms($2) }
        $1 == "99%" { p99 = ms($2) }
        $1 == "Requests/sec:" { rate = $2 }
        END { printf "%.0f %.2f %.2f\n", rate, p50, p99 }
    ' <<<"$report"
}

# sql_load FILE: the same for a pgbench script, pipelined and prepared.
sql_load() {
    local logs rate
    logs=$(mktemp -d)
    rate=$("$BENCH_PROGRAMS/pgbench" -n -M prepared -c "$BENCH_CLIENTS" -j 1 -T "$BENCH_SECONDS" \
        --log --log-prefix="$logs/log" -f "$1" 2>/dev/null | awk '/^tps/ { printf "%.0f", $3 }')
    printf '%s ' "$rate"
    cut -d' ' -f3 "$logs"/log* | sort -n | awk '
        { latency[NR] = $1 }
        END { printf "%.2f %.2f\n", latency[int(NR * 0.50) + 1] / 1000, latency[int(NR * 0.99)] / 1000 }'
    rm -rf "$logs"
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
