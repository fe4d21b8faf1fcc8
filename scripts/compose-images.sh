#!/usr/bin/env bash
# Makes the images of all services from binaries that are compiled already, without compiling
# anything inside Docker. Usage: compose-images.sh [debug|release] [SERVICE…]
#
# The base is ferrobase/base (scripts/compose-bases.sh) unless BASE_IMAGE names another;
# DOCKER_BUILD_FLAGS are passed on.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
binaries=${CARGO_TARGET_DIR:-target}/$profile
version=${FERROBASE_VERSION:-0.1.0}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

context=$(mktemp -d)
trap 'rm -rf "$context" "$context.log"' EXIT
services=("${@:2}")
if ((${#services[@]} == 0)); then
    for main in services/*/src/main.rs; do
        service=$(basename "${main%/src/main.rs}")
        [[ $service == fleet ]] || services+=("$service")
    done
fi
for service in "${services[@]}"; do
    if [[ ! -x $binaries/$service ]]; then
        echo "compose-images: $binaries/$service is missing; build it first" >&2
        exit 1
    fi
    strip --strip-debug -o "$context/$service" "$binaries/$service"
    chmod 755 "$context/$service"
    # The same binary gives the same layer, whenever it was compiled.
    touch --date=@0 "$context/$service"
    # The builder of old, which every engine and client has, does all that this needs.
    # shellcheck disable=SC2086
    DOCKER_BUILDKIT=0 docker build ${DOCKER_BUILD_FLAGS:-} --quiet --file deploy/Dockerfile --target prebuilt \
        --build-arg BASE_IMAGE="${BASE_IMAGE:-ferrobase/base}" --build-arg SERVICE="$service" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        --tag "ferrobase/$service:$version" "$context" >"$context.log" 2>&1 ||
        { cat "$context.log" >&2; exit 1; }
    rm "$context/$service"
    echo "made ferrobase/$service:$version"
done
