#!/usr/bin/env bash
# Compares the gateway with nginx doing the same job, in one run: key check, rate limit, CORS and
# security headers, request id, access log, kept connections to the upstream.
#
# Prints, for each of direct / nginx / gateway: requests per second, p50 and p99, CPU microseconds
# per request of the proxy alone, and its memory; then the medians of all rounds as ratios.
#
#   scripts/bench/gateway.sh [SECONDS PER MEASUREMENT]
#
# Environment: GATEWAY_BIN, ROUNDS (3), CONNECTIONS (32).
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/bench/gateway-lib.sh
. scripts/bench/gateway-lib.sh

seconds=${1:-4}
rounds=${ROUNDS:-3}
connections=${CONNECTIONS:-32}
hz=$(getconf CLK_TCK)

# measure NAME URL PID CONNECTIONS: one line, and its figures in a file.
measure() {
    local before='0 0' after='0 0' resident=0 result
    [[ -z $3 ]] || before=$(cpu "$3")
    result=$(load "$2" "$4" "$seconds")
    [[ -z $3 ]] || { after=$(cpu "$3"); resident=$(memory "$3"); }
    echo "$1 $4 $result $resident $before $after" | awk -v hz="$hz" -v file="$work/figures" '{
        tick = 1e6 / hz / $3
        rate = $3 / ($4 / 1e6); cpu = ($11 - $9) * tick
        printf "%-8s %7.0f req/s  p50 %5d us  p99 %6d us  CPU %4.1f us/request, %4.1f in the kernel  %5.1f MB  failed %d\n",
            $1, rate, $5, $6, cpu, ($12 - $10) * tick, $8 / 1024, $7
        print $1, $2, rate, $5, $6, cpu >> file }'
}

# median NAME CONNECTIONS COLUMN
median() {
    awk -v name="$1" -v connections="$2" -v column="$3" \
        '$1 == name && $2 == connections { print $column }' "$work/figures" | sort -n |
        awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

# ratio WHAT COLUMN: the gateway's median against nginx's.
ratio() {
    echo "$(median gateway "$connections" "$2") $(median nginx "$connections" "$2")" |
        awk -v what="$1" '{ printf "%-26s gateway %9.1f   nginx %9.1f   ratio %.2f\n", what, $1, $2, $1 / $2 }'
}

start_proxies
echo "$connections connections, $seconds s each, $rounds rounds"
for _ in $(seq "$rounds"); do
    measure direct "$direct_url" "" "$connections"
    measure nginx "$nginx_url" "$nginx_pid" "$connections"
    measure gateway "$gateway_url" "$gateway_pid" "$connections"
done
echo 'medians'
ratio 'requests/s' 3
ratio 'p99, microseconds' 5
ratio 'CPU, microseconds/request' 6

echo 'one connection: what is added to the direct call'
for _ in $(seq "$rounds"); do
    measure direct "$direct_url" "" 1
    measure nginx "$nginx_url" "$nginx_pid" 1
    measure gateway "$gateway_url" "$gateway_pid" 1
done
for name in nginx gateway; do
    echo "$name $(median "$name" 1 4) $(median direct 1 4)" |
        awk '{ printf "%-8s adds %d us to a median of %d us\n", $1, $2 - $3, $3 }'
done
