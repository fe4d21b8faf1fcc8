#!/usr/bin/env bash
# The fleet of containers, for real: makes images from compiled binaries, starts everything, drives
# it, kills one container of each kind, scales, watches, saves and restores, changes passwords, starts
# it again as in production, and looks that nothing is left. Touches neither `.env` nor a fleet that
# runs already. Usage: compose-test.sh [debug|release]
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

# Data in memory, where there is enough of it for that: two databases twice.
memory=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
work=$(mktemp -d "$( ((${memory:-0} > 2000000)) && echo /dev/shm || echo /var/tmp)/ferrobase-compose.XXXXXX")
# Of a container, a volume and an image that belong to somebody else.
other=ferrobase-other-$$
remove_other() {
    docker rm --force "$other"
    docker volume rm --force "$other"
    docker image rm "$other"
} >/dev/null 2>&1
clean_up() {
    local result=$?
    set +e
    remove_other
    if [[ -n ${started:-} ]]; then COMPOSE_PROFILES=core,observability,extras,playground compose down --volumes --remove-orphans >/dev/null 2>&1; fi
    stop_engine
    rm -rf "$work"
    exit "$result"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
require_test_engine

export ENV_FILE=$work/none
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

make_images() {
    step 'images'
    scripts/compose-bases.sh
    scripts/compose-images.sh "$profile"
    docker images 'ferrobase/*' --format 'table {{.Repository}}\t{{.Size}}'

    local image=ferrobase/gateway:${FERROBASE_VERSION:-0.1.0} layers='{{.RootFS.Layers}}' before labels label
    before=$(docker image inspect --format "$layers" "$image")
    DOCKER_BUILD_FLAGS=--no-cache scripts/compose-images.sh "$profile" gateway >/dev/null
    [[ $(docker image inspect --format "$layers" "$image") == "$before" ]] || fail 'an image is not reproducible'
    labels=$(docker image inspect --format '{{json .Config.Labels}}' "$image")
    for label in title version revision source licenses; do
        grep -q "org.opencontainers.image.$label" <<<"$labels" || fail "no label $label: $labels"
    done
    echo 'the same binary gives the same layers, and the labels are there'
}

# new_fleet NAME FILES [LINE…]: settings and empty data of a fleet that is not started yet.
new_fleet() {
    ENV_FILE=$work/$1.env
    unset COMPOSE_PROJECT_NAME COMPOSE_PROFILES COMPOSE_FILE
    scripts/generate-env.sh "$ENV_FILE"
    sed -i '/^COMPOSE_/d' "$ENV_FILE"
    printf '%s\n' "COMPOSE_PROJECT_NAME=ferrobase-$1-$$" "COMPOSE_FILE=$2" COMPOSE_PROFILES=core \
        "CI_DATA=$work/$1" POSTGRES_IMAGE=ferrobase/postgres MONGO_IMAGE=ferrobase/mongo \
        REDIS_IMAGE=ferrobase/redis "DOCKER_DATA=$(docker info --format '{{.DockerRootDir}}')" "${@:3}" >>"$ENV_FILE"
    scripts/resolve-ports.sh
    # 1.29 reads these only from its own environment or from `.env`.
    COMPOSE_PROJECT_NAME=$(project) COMPOSE_PROFILES=core
    COMPOSE_FILE=$(setting COMPOSE_FILE '')
    export COMPOSE_PROJECT_NAME COMPOSE_PROFILES COMPOSE_FILE
    install -d -m 711 "$work/$1"
    install -d -o 999 -g 999 -m 700 "$work/$1/postgres" "$work/$1/mongo"
    chmod 711 "$work"
    FERROBASE_URL=http://127.0.0.1:$(setting GATEWAY_PORT 8000)
    export FERROBASE_URL
}

# promtool ARGUMENT…, in the directory of our rules.
promtool() {
    docker run --rm --volume "$PWD/deploy/prometheus:/p:ro" --workdir /p --entrypoint promtool \
        ferrobase/prometheus "$@"
}

# What the merged files must say, whichever version of Compose reads them.
check_files() {
    step 'files'
    local merged name value
    merged=$(COMPOSE_PROFILES=core,extras,observability compose -f docker-compose.yml -f docker-compose.prod.yml config 2>/dev/null)
    ! grep -qE '(:|published: "?|target: )(5432|6432|27017|6379)(/tcp|"?$)' <<<"$(sed -n '/ports:/,/^    [a-z]/p' <<<"$merged")" ||
        fail 'production publishes the port of a database'
    ! grep -q 'EMAIL_DEV_INBOX: .*true' <<<"$merged" || fail 'production catches mail'
    while IFS='=' read -r name value; do
        ! grep -qF -- "$value" <<<"$merged" || fail "production holds $name, which is no file"
    done < <(grep -E '_(PASSWORD|SECRET|TOKEN|KEY)=.{20}' "$ENV_FILE")
    echo 'production: no database port, no secret in the environment, no mail catcher'
    promtool check config prometheus.yml
    promtool test rules rules_test.yml
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
}

# apply [ARGUMENT…]: what the settings or the arguments say now comes into force, and all is healthy.
apply() {
    quietly compose up --detach "$@"
    await "$START_LIMIT" >/dev/null
}

containers_of_project() { docker ps --quiet --filter "label=com.docker.compose.project=$(project)" "$@"; }

# Services with a published port, and where.
published() {
    containers_of_project | xargs docker inspect --format \
        '{{index .Config.Labels "com.docker.compose.service"}} {{json .HostConfig.PortBindings}}' | grep HostPort
}

# Every container is locked down, and only the gateway can be reached.
check_containers() {
    step 'hardening'
    local id found
    for id in $(containers_of_project --all); do
        found=$(docker inspect --format '{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}} {{index .HostConfig.LogConfig.Config "max-size"}} {{json .HostConfig.Memory}} {{json .HostConfig.NanoCpus}} {{json .HostConfig.PidsLimit}}' "$id")
        grep -qE '^/\S+ true \[ALL\] \[no-new-privileges:true\] [1-9][0-9:]* 10m( [1-9][0-9]*){3}$' <<<"$found" ||
            fail "not locked down: $found"
    done
    found=$(published)
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
    for service in gateway auth email sql-rest mongo-api redis mongo postgres; do
        crash "$service"
    done
    [[ $(query 'select id from public.survivor') == 42 ]] || fail 'committed data is lost'
    query 'drop table public.survivor'
    scripts/smoke-test.sh | tail -1
}

# read_posts COUNT: that many requests, one after the other; how many got which status.
read_posts() {
    local key
    key=$(setting ANON_KEY '')
    for _ in $(seq "$1"); do printf 'url = "%s/rest/v1/posts?limit=1"\noutput = /dev/null\n' "$FERROBASE_URL"; done |
        curl --silent --max-time 60 --header "apikey: $key" --write-out '%{http_code}\n' --config - | sort | uniq -c
}

check_scaling() {
    step 'two copies of sql-rest'
    apply --no-recreate --scale sql-rest=2
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
    # The one that the process died on may be lost; whether it was carried out nobody knows.
    [[ $(awk '$2 != 200 { lost += $1 } END { print lost + 0 }' <<<"$served") -le 1 ]] ||
        fail "requests failed while a copy was down: $served"
    echo 'while a copy is down, the other answers'
    await "$RECOVERY_LIMIT" >/dev/null
    scripts/smoke-test.sh | tail -1
}

check_observability() {
    step 'observability'
    # The images of Grafana, Loki and the collector cannot be made from packages.
    export COMPOSE_PROFILES=core,observability
    apply --no-recreate prometheus postgres-exporter redis-exporter log-collector
    scripts/smoke-test.sh | tail -1
    scripts/compose-queries.py "http://127.0.0.1:$(setting PROMETHEUS_PORT 9090)"
    check_logs
}

# What the log collector is given: every service's lines, with the labels that tell whose they are.
check_logs() {
    local collector service lines
    collector=$(container log-collector)
    lines=$(docker exec "$collector" busybox sh -c 'cat /var/lib/docker/containers/*/*-json.log' |
        grep -F "\"com.docker.compose.project\":\"$(project)\"")
    for service in gateway auth email sql-rest mongo-api postgres mongo redis; do
        grep -qF "\"com.docker.compose.service\":\"$service\"" <<<"$lines" || fail "the log collector finds no line of $service"
    done
    ! docker exec "$collector" busybox sh -c 'echo >>/var/lib/docker/containers/made-up' 2>/dev/null ||
        fail 'the log collector may write where the logs are'
    ! docker inspect --format '{{json .Mounts}}' "$collector" | grep -q docker.sock || fail 'the log collector has the socket'
    echo 'the log collector finds the lines of every service, and can change none'
}

# through_pooler ROLE PASSWORD: who PostgreSQL says that is.
through_pooler() {
    docker run --rm --network "$(project)_data" --env PGPASSWORD="$2" --entrypoint psql ferrobase/postgres \
        -h pooler -p 6432 -U "$1" -d postgres -Atqc 'select current_user' 2>/dev/null
}

check_extras() {
    step 'extras and playground'
    export COMPOSE_PROFILES=core,observability,extras,playground
    apply --no-recreate pooler playground
    local password
    password=$(setting AUTHENTICATOR_PASSWORD '')
    [[ $(through_pooler authenticator "$password") == authenticator ]] || fail 'the pooler does not let a role in'
    ! through_pooler authenticator wrong || fail 'the pooler lets everybody in'
    ! through_pooler postgres "$(setting POSTGRES_PASSWORD '')" || fail 'the pooler lets the superuser in'
    curl --silent --fail --output "$work/playground" "http://127.0.0.1:$(setting PLAYGROUND_PORT 3002)/playground.js" ||
        fail 'the playground does not answer'
    cmp --quiet "$work/playground" deploy/playground/playground.js || fail 'the playground answers something else'
    echo 'the pooler lets in who may log in, and the playground is there'
}

# One more would be a crash that nobody asked for, out of memory for instance.
check_restarts() {
    step 'restarts'
    local restarts
    restarts=$(containers_of_project --all | xargs docker inspect --format '{{.RestartCount}} {{.Name}}' | grep -v '^0')
    [[ $(awk '{ sum += $1 } END { print sum }' <<<"$restarts") == "$crashes" ]] ||
        fail "$crashes processes were killed, but these restarted: $restarts"
    echo "no process but the $crashes that were killed has started again"
}

# as_service ARGUMENT…: curl with the service key.
as_service() {
    curl --silent --show-error --fail --max-time 15 --header "apikey: $(setting SERVICE_ROLE_KEY '')" "$@"
}

check_backup() {
    step 'backup and restore'
    local kept=$FERROBASE_URL/mongo/v1/collections/kept found
    query "create role app_of_mine login password 'app-of-mine-password'; create table public.kept as select 7 as id"
    as_service --output /dev/null --json '{"title":"kept"}' "$kept/documents" || fail 'a document is not stored'
    scripts/compose-backup.sh "$work/backup"
    query 'drop table public.kept; drop role app_of_mine; create table public.later (id int)'
    as_service --output /dev/null --request DELETE "${kept/collections/admin/collections}" || fail 'the collection is not dropped'
    scripts/compose-restore.sh "$work/backup"
    found=$(query "select count(*) from public.kept, pg_roles where id = 7 and rolname = 'app_of_mine'")
    [[ $found == 1 ]] || fail 'a table or a role is missing'
    [[ $(query "select to_regclass('public.later') is null") == t ]] || fail 'what came after the backup is still there'
    found=$(as_service "$kept/documents")
    [[ $found == *'"title":"kept"'* ]] || fail "a document is missing: $found"
    scripts/smoke-test.sh | tail -1
}

check_rotation() {
    step 'other passwords'
    export COMPOSE_PROFILES=core
    local name
    for name in AUTHENTICATOR_PASSWORD AUTH_DB_PASSWORD EMAIL_DB_PASSWORD EMAIL_SERVICE_TOKEN MONGO_PASSWORD REDIS_PASSWORD; do
        sed -i "s/^$name=.*/$name=$(openssl rand -hex 24)/" "$ENV_FILE"
    done
    sed -i "s/^ANON_KEY=\(.*\)/ANON_KEY_PREVIOUS=\1\nANON_KEY=$(openssl rand -hex 24)/" "$ENV_FILE"
    apply
    scripts/smoke-test.sh | tail -1
    FERROBASE_ANON_KEY=$(setting ANON_KEY_PREVIOUS '') scripts/smoke-test.sh | tail -1
}

# make_certificate DIRECTORY: for localhost, signed by itself.
make_certificate() {
    install -d -o 65532 -m 500 "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$1/privkey.pem" -out "$1/fullchain.pem" 2>/dev/null
    chown 65532 "$1"/*
}

check_production() {
    step 'production'
    local port=8443
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    new_fleet production docker-compose.yml:docker-compose.prod.yml:docker-compose.tls.yml:docker-compose.ci.yml \
        EMAIL_DEV_INBOX=false EMAIL_SMTP_URL=smtp://127.0.0.1:587 EMAIL_FROM=noreply@example.com \
        "SECRETS_DIR=$work/secrets" "TLS_DIR=$work/tls" GATEWAY_TLS_HOST=127.0.0.1 "GATEWAY_TLS_PORT=$port"
    sed -i "s#^API_EXTERNAL_URL=.*#API_EXTERNAL_URL=https://localhost:$port/auth/v1#" "$ENV_FILE"
    scripts/compose-secrets.sh "$work/secrets"
    make_certificate "$work/tls"
    start
    local environments secret found
    environments=$(containers_of_project --all | xargs docker inspect --format '{{json .Config.Env}} {{json .Config.Cmd}}')
    for secret in "$work"/secrets/*; do
        ! grep -qF -- "$(<"$secret")" <<<"$environments" || fail "the environment of a container holds ${secret##*/}"
    done
    found=$(published)
    [[ $found == gateway* && $(wc -l <<<"$found") == 1 ]] || fail "published: $found"
    echo 'every secret is a file, and only the gateway is published'
    found=$(curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' "$FERROBASE_URL/rest/v1/posts")
    [[ $found == "308 https://127.0.0.1:$port/rest/v1/posts" ]] || fail "the plain port answers $found"
    echo 'the plain port sends clients to TLS'
    FERROBASE_URL=https://localhost:$port CURL_CA_BUNDLE=$work/tls/fullchain.pem scripts/smoke-test.sh | tail -1
}

nothing_is_left() {
    local left
    left=$(containers_of_project --all
        docker volume ls --quiet --filter "label=com.docker.compose.project=$(project)"
        docker network ls --quiet --filter "label=com.docker.compose.project=$(project)")
    [[ -z $left ]] || fail "left behind: $left"
    started=''
}

stop() {
    step 'end'
    COMPOSE_PROFILES=core,observability,extras,playground quietly compose down --volumes --remove-orphans
    nothing_is_left
    echo 'nothing is left'
}

# As `make down` and `make fclean` do. What belongs to others stays, an image of ours that they use included.
remove_everything() {
    step 'end, with data and images'
    local version=${FERROBASE_VERSION:-0.1.0}
    local image=ferrobase/db-bootstrap:$version gateway=ferrobase/gateway:$version
    docker create --name "$other" --label "com.docker.compose.project=$other" --volume "$other:/kept" "$image" >/dev/null
    docker tag ferrobase/playground "$other"
    quietly scripts/compose-down.sh
    [[ -z $(containers_of_project --all) ]] || fail 'containers are left'
    docker volume inspect "$(project)_postgres-data" >/dev/null || fail 'the data is gone with the containers'
    quietly scripts/compose-down.sh --all
    nothing_is_left
    if [[ -n $(docker images --quiet "$gateway") && -z $(docker ps --all --quiet --filter "ancestor=$gateway") ]]; then
        fail 'images of services are left'
    fi
    if ! { docker container inspect "$other" && docker volume inspect "$other" && docker image inspect "$other" "$image"; } >/dev/null; then
        fail 'what belongs to others is gone'
    fi
    echo 'nothing is left, and what belongs to others is there'
}

make_images
new_fleet test docker-compose.yml:docker-compose.ci.yml
check_files
start
scripts/smoke-test.sh
check_containers
check_recovery
check_scaling
check_observability
check_extras
check_restarts
check_backup
check_rotation
stop
check_production
remove_everything
printf '\nthe fleet of containers passed in %d s\n' "$SECONDS"
