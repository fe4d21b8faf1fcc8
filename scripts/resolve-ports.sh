#!/usr/bin/env bash
# Finds the ports that Compose publishes and another program already uses, and writes free ones to
# `.env` (or the file that ENV_FILE names) in their place. Ports that this project's own containers
# hold stay. Prints what it changed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

ours=" $(docker ps --quiet --filter "label=com.docker.compose.project=$(project)" 2>/dev/null |
    xargs --no-run-if-empty docker inspect --format \
        '{{range .NetworkSettings.Ports}}{{range .}}{{.HostPort}} {{end}}{{end}}' | tr '\n' ' ' || true) "
taken=' '

is_free() {
    [[ $taken != *" $1 "* ]] || return 1
    [[ $ours == *" $1 "* ]] && return 0
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# write NAME VALUE: in the file, in place of the old value if there is one.
write() {
    if grep -qE "^$1=" "$ENV_FILE"; then
        sed -i "s#^$1=.*#$1=$2#" "$ENV_FILE"
    else
        printf '%s=%s\n' "$1" "$2" >>"$ENV_FILE"
    fi
}

# name:default, in the order in which they may choose.
for entry in GATEWAY_PORT:8000 GATEWAY_ADMIN_PORT:8001 POSTGRES_PORT:5432 MONGO_PORT:27017 \
    REDIS_PORT:6379 EMAIL_PORT:3030 POOLER_PORT:6432 PLAYGROUND_PORT:3002 PROMETHEUS_PORT:9090 GRAFANA_PORT:3001; do
    name=${entry%:*}
    wanted=$(setting "$name" "${entry#*:}")
    port=$wanted
    until is_free "$port"; do
        port=$((port + 1))
        if ((port > 65535)); then
            echo "resolve-ports: no free port for $name from $wanted on" >&2
            exit 1
        fi
    done
    taken+="$port "
    [[ $port == "$wanted" ]] && continue
    echo "port $wanted is in use: $name=$port"
    write "$name" "$port"
    if [[ $name == GATEWAY_PORT && $(setting API_EXTERNAL_URL '') == "http://localhost:$wanted/auth/v1" ]]; then
        write API_EXTERNAL_URL "http://localhost:$port/auth/v1"
    fi
done
