#!/usr/bin/env bash
# Benchmarks: starts the stack on private data and runs the scripts of scripts/bench that need it.
# Prints ratios against a peer in the same run. Usage: bench.sh path/to/ferrobase [NAME…]
set -euo pipefail
ferrobase=$(realpath "${1:?usage: bench.sh path/to/ferrobase [NAME…]}")
shift
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

command -v h2load >/dev/null || { echo "bench: h2load (nghttp2-client) is missing; install it and run this again" >&2; exit 1; }
# Everything shares two cores, wherever it runs: the load, the services and the database.
(($(nproc) <= 2)) || taskset -pc 0,1 $$ >/dev/null
export SQL_REST_BIN=${SQL_REST_BIN:-$(dirname "$ferrobase")/sql-rest}
start_stack "$ferrobase" bench
names=("$@")
((${#names[@]})) || names=(sql-rest gateway-overhead schema-cache)
for name in "${names[@]}"; do
    printf '\n== %s ==\n' "$name"
    "scripts/bench/$name.sh"
done
printf '\nresident memory of the whole fleet in one process: %s MiB\n' \
    "$(awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$STACK_PID/status")"
