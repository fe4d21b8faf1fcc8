# shellcheck shell=bash
# What the Compose scripts share. To be sourced, from the root of the project. The variables of the
# fleet are those of `.env`, or of the file that ENV_FILE names.
ENV_FILE=${ENV_FILE:-.env}

# The Dockerfile caches what it compiles, which the builder of old cannot; 1.29 must be told of both.
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-1} COMPOSE_DOCKER_CLI_BUILD=${COMPOSE_DOCKER_CLI_BUILD:-1}

# setting NAME DEFAULT: a variable of this shell, or of ENV_FILE (where NAME_FILE names a file that
# holds it), or the default.
setting() {
    local value=${!1:-} file
    if [[ -z $value && -r $ENV_FILE ]]; then
        value=$(sed -n "s/^$1=//p" "$ENV_FILE" | tail -1)
        file=$(sed -n "s/^$1_FILE=//p" "$ENV_FILE" | tail -1)
        if [[ -z $value && -r $file ]]; then value=$(<"$file"); fi
    fi
    printf '%s' "${value:-$2}"
}

# compose ARGUMENT…: Compose as a plugin of the client (v2), or the program of its own (1.29).
compose() {
    local command=(docker-compose)
    if docker compose version >/dev/null 2>&1; then command=(docker compose); fi
    if [[ $ENV_FILE != .env ]]; then command+=(--env-file "$ENV_FILE"); fi
    "${command[@]}" "$@"
}

# quietly COMMAND…: shows what the command says only when it fails.
quietly() {
    local said
    said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; return 1; }
}

project() { setting COMPOSE_PROJECT_NAME "$(basename "$PWD")"; }

# require_engine: ends the script when no Docker engine answers.
require_engine() {
    if ! docker info >/dev/null 2>&1; then
        echo "no Docker engine answers; start it, or run everything without Docker: make dev" >&2
        exit 1
    fi
    if ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
        echo "Docker Compose is missing; install its plugin or docker-compose 1.29" >&2
        exit 1
    fi
}

# containers: one line for each container of the project, with its service, number and state:
# created, restarting, running (no check), starting, healthy, unhealthy, done (ended with success)
# or failed.
containers() {
    docker ps --all --filter "label=com.docker.compose.project=$(project)" \
        --filter label=com.docker.compose.oneoff=False --format \
        '{{.Label "com.docker.compose.service"}}|{{.Label "com.docker.compose.container-number"}}|{{.State}}|{{.Status}}' |
        sort | while IFS='|' read -r service number state status; do
        case $state:$status in
            running:*'(health: starting)') state=starting ;;
            running:*'(healthy)') state=healthy ;;
            running:*'(unhealthy)') state=unhealthy ;;
            exited:'Exited (0)'*) state='done' ;;
            exited:* | dead:*) state=failed ;;
        esac
        printf '%s %s %s\n' "$service" "$number" "$state"
    done
}

# await SECONDS [PID]: waits until every container is healthy (running, where it has no check) or
# done, printing a line for each that becomes so, with the seconds since the call. PID is a process
# that still makes containers; its failure ends the wait.
await() {
    local patience=$1 maker=${2:-} began=$EPOCHREALTIME elapsed pending settled='' line service number state
    while :; do
        local making=false
        if [[ -n $maker ]] && kill -0 "$maker" 2>/dev/null; then making=true; fi
        elapsed=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
        pending=()
        while read -r service number state; do
            line="$service $number $state"
            case $state in
                running) ;;
                healthy | 'done')
                    if [[ $settled != *"|$line|"* ]]; then
                        settled+="|$line|"
                        printf '  %-18s %-9s %6s s\n' "$service $number" "$state" "$elapsed"
                    fi
                    ;;
                failed)
                    pending+=("$line")
                    # While containers are made, it may be the one of last time that is about to be replaced.
                    if [[ $making == false ]]; then making=failed; fi
                    ;;
                *) pending+=("$line") ;;
            esac
        done < <(containers)
        if [[ $making == failed ]]; then break; fi
        if [[ $making == false && -n $maker ]] && ! wait "$maker"; then break; fi
        if [[ $making == false ]] && ((${#pending[@]} == 0)) && [[ -n $settled ]]; then return 0; fi
        if ((${elapsed%.*} >= patience)); then break; fi
        sleep 0.3
    done
    echo "not healthy after $elapsed s: ${pending[*]:-nothing was started}" >&2
    for line in "${pending[@]}"; do
        read -r service number state <<<"$line"
        echo "--- last lines of $service $number ($state)" >&2
        docker logs --tail 15 "$(container "$service" "$number")" >&2 || true
    done
    return 1
}

# container SERVICE [NUMBER]: the container's id.
container() {
    docker ps --all --quiet --filter "label=com.docker.compose.project=$(project)" \
        --filter "label=com.docker.compose.service=$1" \
        --filter "label=com.docker.compose.container-number=${2:-1}"
}
