#!/usr/bin/env bash
# The fleet of containers, for real: makes images from compiled binaries, starts everything, drives
# it, kills one container of each kind, scales, and looks that nothing is left. Touches neither `.env`
# nor a fleet that runs already. Usage: compose-test.sh [debug|release]
#
# Needs root: on the machine of the engine, for killing processes inside containers as a crash would.
# Says what it measured; the limits are generous, because machines of CI are slow.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-engine.sh
. scripts/compose-engine.sh

profile=${1:-debug}
# Seconds to a healthy fleet, and to a healed one.
START_LIMIT=120
RECOVERY_LIMIT=90

fail() { echo "compose-test: $*" >&2; exit 1; }
step() { printf '\n== %s ==\n' "$*"; }

work=$(mktemp -d /dev/shm/ferrobase-compose.XXXXXX)
clean_up() {
    local result=$?
    set +e
    if [[ -n ${started:-} ]]; then compose down --volumes --remove-orphans >/dev/null 2>&1; fi
    stop_engine
    rm -rf "$work"
    exit "$result"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
require_test_engine

ENV_FILE=$work/env
export ENV_FILE
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

prepare() {
    step 'images'
    scripts/compose-bases.sh
    scripts/compose-images.sh "$profile"
    docker images 'ferrobase/*' --format 'table {{.Repository}}\t{{.Size}}'

    scripts/generate-env.sh "$ENV_FILE"
    sed -i '/^COMPOSE_/d' "$ENV_FILE"
    cat >>"$ENV_FILE" <<EOF
COMPOSE_PROJECT_NAME=ferrobase-test-$$
COMPOSE_FILE=docker-compose.yml:docker-compose.ci.yml
COMPOSE_PROFILES=core
CI_DATA=$work
POSTGRES_IMAGE=ferrobase/postgres
MONGO_IMAGE=ferrobase/mongo
REDIS_IMAGE=ferrobase/redis
EOF
    scripts/resolve-ports.sh
    # 1.29 reads these only from its own environment or from `.env`.
    COMPOSE_PROJECT_NAME=$(project) COMPOSE_PROFILES=core
    COMPOSE_FILE=$(setting COMPOSE_FILE '')
    export COMPOSE_PROJECT_NAME COMPOSE_PROFILES COMPOSE_FILE
    install -d -o 999 -g 999 -m 700 "$work/postgres" "$work/mongo"
    chmod 711 "$work"
    FERROBASE_URL=http://127.0.0.1:$(setting GATEWAY_PORT 8000)
    export FERROBASE_URL
}

# What the merged files must say, whichever version of Compose reads them.
check_files() {
    step 'files'
    local merged
    merged=$(COMPOSE_PROFILES=core,observability compose -f docker-compose.yml -f docker-compose.prod.yml config 2>/dev/null)
    ! grep -qE '(:|published: "?|target: )(5432|27017|6379)(/tcp|"?$)' <<<"$(sed -n '/ports:/,/^    [a-z]/p' <<<"$merged")" ||
        fail 'production publishes the port of a database'
    ! grep -qE 'POSTGRES_PASSWORD: .{20}' <<<"$merged" || fail 'production holds a secret that is no file'
    echo 'production: no database port, no secret in the environment'
    docker run --rm --volume "$PWD/deploy/prometheus:/p:ro" --entrypoint promtool ferrobase/prometheus \
        check config /p/prometheus.yml
}

start() {
    step 'start'
    local began=$EPOCHREALTIME
    started=yes
    compose up --detach >"$work/up.log" 2>&1 &
    if ! await "$START_LIMIT" $!; then
        tail -20 "$work/up.log" >&2
        exit 1
    fi
    awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "healthy after %.1f s (goal: 30 s)\n", b - a }'
    local moved
    moved=$(scripts/resolve-ports.sh)
    [[ -z $moved ]] || fail "a port that is our own counts as in use: $moved"
    scripts/smoke-test.sh
}

# Every container is locked down, and only the gateway can be reached.
check_containers() {
    step 'hardening'
    local id found
    for id in $(docker ps --all --quiet --filter "label=com.docker.compose.project=$(project)"); do
        found=$(docker inspect --format '{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}} {{index .HostConfig.LogConfig.Config "max-size"}} {{json .HostConfig.Memory}} {{json .HostConfig.NanoCpus}} {{json .HostConfig.PidsLimit}}' "$id")
        grep -qE '^/\S+ true \[ALL\] \[no-new-privileges:true\] [1-9][0-9:]* 10m( [1-9][0-9]*){3}$' <<<"$found" ||
            fail "not locked down: $found"
    done
    found=$(docker ps --filter "label=com.docker.compose.project=$(project)" --format '{{.Label "com.docker.compose.service"}} {{.Ports}}' | grep -- '->' || true)
    [[ $(wc -l <<<"$found") == 1 && $found == gateway* && $found != *0.0.0.0* ]] || fail "published: $found"
    found=$(docker inspect --format '{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{end}}' "$(container gateway)")
    [[ $found != *_data* ]] || fail "the gateway is on the network of the databases: $found"
    echo 'read-only, no capabilities, no new privileges, limits, and one published container'
    docker stats --no-stream --format 'table {{.Name}}\t{{.MemUsage}}\t{{.CPUPerc}}'
}

query() { docker exec "$(container postgres)" psql -h /tmp -U postgres -Atqc "$1"; }

# kill_process CONTAINER: its process ends as in a crash; the engine has no hand in it, so it starts
# the container again.
crashes=0
kill_process() {
    kill -KILL "$(docker inspect --format '{{.State.Pid}}' "$1")"
    crashes=$((crashes + 1))
}

# crash SERVICE: kills its process and waits until everything is healthy again.
crash() {
    local id began=$EPOCHREALTIME before _
    id=$(container "$1")
    before=$(docker inspect --format '{{.RestartCount}}' "$id")
    kill_process "$id"
    for _ in $(seq 100); do
        [[ $(docker inspect --format '{{.RestartCount}}' "$id") != "$before" ]] && break
        sleep 0.1
    done
    [[ $(docker inspect --format '{{.RestartCount}}' "$id") != "$before" ]] || fail "$1 was not restarted"
    await "$RECOVERY_LIMIT" >/dev/null
    awk -v name="$1" -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%-12s all healthy again after %.1f s\n", name, b - a }'
}

check_recovery() {
    step 'recovery'
    query 'create table public.survivor (id int); insert into public.survivor values (42)'
    local service
    for service in gateway auth sql-rest mongo-api redis mongo postgres; do
        crash "$service"
    done
    [[ $(query 'select id from public.survivor') == 42 ]] || fail 'committed data is lost'
    query 'drop table public.survivor'
    scripts/smoke-test.sh | tail -1
}

# read_posts COUNT: that many requests, all of which must succeed.
read_posts() {
    local key
    key=$(setting ANON_KEY '')
    for _ in $(seq "$1"); do printf 'url = "%s/rest/v1/posts?limit=1"\noutput = /dev/null\n' "$FERROBASE_URL"; done |
        curl --silent --fail --max-time 60 --header "apikey: $key" --write-out '%{http_code}\n' --config - | sort | uniq -c
}

check_scaling() {
    step 'two copies of sql-rest'
    compose up --detach --no-recreate --scale sql-rest=2 >"$work/scale.log" 2>&1 || { cat "$work/scale.log" >&2; exit 1; }
    await "$START_LIMIT" >/dev/null
    local served _
    for _ in $(seq 60); do
        read_posts 20 >/dev/null || true
        served=$(docker logs "$(container sql-rest 2)" 2>&1 | grep -c '"message":"request"' || true)
        ((served > 0)) && break
        sleep 1
    done
    ((served > 0)) || fail 'the second copy gets no request'
    echo "the second copy answered $served requests"
    kill_process "$(container sql-rest 2)"
    served=$(read_posts 200 || true)
    [[ $(awk '{ print $2 }' <<<"$served") == 200 ]] || fail "requests failed while a copy was down: $served"
    echo 'no request fails while a copy is down'
    await "$RECOVERY_LIMIT" >/dev/null
    scripts/smoke-test.sh | tail -1
}

check_observability() {
    step 'observability'
    # The images of Grafana, Loki and the collector cannot be made from packages.
    export COMPOSE_PROFILES=core,observability
    compose up --detach --no-recreate prometheus postgres-exporter redis-exporter >"$work/observe.log" 2>&1 || { cat "$work/observe.log" >&2; exit 1; }
    scripts/smoke-test.sh | tail -1
    scripts/compose-queries.py "http://127.0.0.1:$(setting PROMETHEUS_PORT 9090)"
}

check_end() {
    step 'end'
    # One more would be a crash that nobody asked for, out of memory for instance.
    local restarts
    restarts=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$(project)" |
        xargs docker inspect --format '{{.RestartCount}} {{.Name}}' | grep -v '^0')
    [[ $(awk '{ sum += $1 } END { print sum }' <<<"$restarts") == "$crashes" ]] ||
        fail "$crashes processes were killed, but these restarted: $restarts"
    compose down --volumes --remove-orphans >"$work/down.log" 2>&1 || { cat "$work/down.log" >&2; exit 1; }
    local left
    left=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$(project)"
        docker volume ls --quiet --filter "label=com.docker.compose.project=$(project)"
        docker network ls --quiet --filter "label=com.docker.compose.project=$(project)")
    [[ -z $left ]] || fail "left behind: $left"
    started=''
    echo 'nothing is left'
}

prepare
check_files
start
check_containers
check_recovery
check_scaling
check_observability
check_end
