#!/usr/bin/env bash
# Stops and removes the containers and networks of this project; with --all also its volumes and the
# images that were made from it, except those that a container of another fleet still uses. Touches
# nothing else. Without a Docker engine there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

if ! docker info >/dev/null 2>&1; then
    echo 'no Docker engine answers, so no container runs'
    exit 0
fi
# Every profile, whatever runs now: Compose passes over services of profiles that are not named.
COMPOSE_PROFILES=core,extras,observability,playground
export COMPOSE_PROFILES
if [[ ${1:-} != --all ]]; then
    compose down --remove-orphans
    exit 0
fi
compose down --remove-orphans --volumes
in_use=$(docker ps --all --quiet | xargs --no-run-if-empty docker inspect --format '{{.Image}}')
mapfile -t images < <(docker images --quiet --no-trunc \
    --filter label=org.opencontainers.image.source=https://github.com/ferrobase/ferrobase | sort -u |
    grep -vxF "${in_use:-none}")
if ((${#images[@]})); then
    docker image rm --force "${images[@]}" >/dev/null
fi
