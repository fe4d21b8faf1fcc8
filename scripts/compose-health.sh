#!/usr/bin/env bash
# Shows each container and how it is; fails when one is not well or none runs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

require_engine
result=1
while read -r service number state; do
    if [[ -z ${seen:-} ]]; then seen=yes result=0; fi
    printf '%-20s %s\n' "$service $number" "$state"
    [[ $state == healthy || $state == running || $state == 'done' ]] || result=1
done < <(containers)
[[ -n ${seen:-} ]] || echo 'nothing runs; start it with make up' >&2
exit "$result"
