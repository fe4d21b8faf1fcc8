# shellcheck shell=bash
# Finds a Docker engine for the tests, or starts one. To be sourced; with one of its own, the engine
# ends with the script. require_test_engine ends the script with 1 when there is none, or with 0 when
# FERROBASE_CI_WITHOUT_DOCKER=1 says that this is known.

stop_engine() {
    [[ -n ${ENGINE_PID:-} ]] || return 0
    kill "$ENGINE_PID" 2>/dev/null || true
    wait "$ENGINE_PID" 2>/dev/null || true
    rm -rf "$ENGINE_RUN"
}

# The engine's data stays between runs, so that the base images need not be made again.
start_engine() {
    local cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ferrobase/docker _
    ENGINE_RUN=$(mktemp -d /tmp/ferrobase-docker.XXXXXX)
    mkdir -p "$cache"
    dockerd --data-root "$cache" --exec-root "$ENGINE_RUN/exec" --pidfile "$ENGINE_RUN/pid" \
        --host "unix://$ENGINE_RUN/docker.sock" >"$ENGINE_RUN/log" 2>&1 &
    ENGINE_PID=$!
    export DOCKER_HOST=unix://$ENGINE_RUN/docker.sock
    for _ in $(seq 150); do
        docker info >/dev/null 2>&1 && return 0
        kill -0 "$ENGINE_PID" 2>/dev/null || break
        sleep 0.2
    done
    tail -20 "$ENGINE_RUN/log" >&2
    stop_engine
    return 1
}

install_engine() {
    local packages=() log
    command -v dockerd >/dev/null || packages+=(docker.io iptables)
    docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || packages+=(docker-compose)
    command -v debootstrap >/dev/null || packages+=(debootstrap)
    ((${#packages[@]})) || return 0
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || return 1
    echo "installing: ${packages[*]}"
    log=$(mktemp)
    # Debian would start an engine of its own; this one is started below.
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        tail -20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

require_test_engine() {
    if install_engine && { docker info >/dev/null 2>&1 || { [[ $EUID -eq 0 ]] && start_engine; }; }; then
        return 0
    fi
    echo '****************************************************************************' >&2
    echo '** No Docker engine can be started here: the fleet of containers is NOT   **' >&2
    echo '** tested. FERROBASE_CI_WITHOUT_DOCKER=1 lets the run pass nevertheless.  **' >&2
    echo '****************************************************************************' >&2
    [[ ${FERROBASE_CI_WITHOUT_DOCKER:-} == 1 ]] && exit 0
    exit 1
}
