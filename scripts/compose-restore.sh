#!/usr/bin/env bash
# Replaces what the fleet knows by a backup of scripts/compose-backup.sh, and waits until it is
# healthy. Usage: compose-restore.sh DIRECTORY
#
# The fleet must have been started once (`make up`), on this machine or a new one, with the `.env` and
# the secrets of the time. The services are stopped meanwhile; their jobs give the roles the
# passwords of `.env`.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

require_engine
directory=${1:?usage: compose-restore.sh DIRECTORY}
(cd "$directory" && sha256sum --quiet --check SHA256SUMS)
postgres=$(container postgres)
mongo=$(container mongo)
[[ -n $postgres && -n $mongo ]] || { echo 'compose-restore: nothing runs; start it with make up' >&2; exit 1; }

# in_postgres PROGRAM [ARGUMENT…]
in_postgres() { docker exec --interactive "$postgres" "$1" -h /tmp -U postgres "${@:2}"; }

restore_postgres() {
    # Roles that are there stay; the superuser keeps the password of today.
    grep -vE '^(CREATE|ALTER) ROLE postgres\b' "$directory/roles.sql" |
        in_postgres psql --no-psqlrc --quiet --dbname template1 >/dev/null 2>&1
    in_postgres dropdb --maintenance-db template1 --force postgres
    in_postgres createdb --maintenance-db template1 postgres
    in_postgres pg_restore --dbname postgres --exit-on-error <"$directory/postgres.dump"
}

restore_mongo() {
    if [[ -s $directory/mongo.archive ]]; then
        docker exec --interactive "$mongo" bash -c 'exec mongorestore --quiet --archive --oplogReplay --drop \
            -u root -p "${MONGO_ROOT_PASSWORD:-$(<"$MONGO_ROOT_PASSWORD_FILE")}"' <"$directory/mongo.archive"
        return
    fi
    docker stop "$mongo" >/dev/null
    docker run --rm --interactive --network none --cap-drop ALL --user 999:999 --volumes-from "$mongo" --entrypoint bash \
        "$(docker inspect --format '{{.Config.Image}}' "$mongo")" \
        -c 'find /data/db -mindepth 1 -delete && exec tar -C /data/db -xzf -' <"$directory/mongo.tar.gz"
    docker start "$mongo" >/dev/null
}

# What there is now is what will be there again, jobs included.
mapfile -t all < <(containers | cut -d' ' -f1 | sort -u)
mapfile -t ours < <(for main in services/*/src/main.rs; do basename "${main%/src/main.rs}"; done |
    grep -Fxf <(printf '%s\n' "${all[@]}"))
quietly compose stop "${ours[@]}"
restore_postgres
restore_mongo
quietly compose up --detach "${all[@]}"
await "${HEALTHY_WITHIN:-300}" >/dev/null
echo "restored from $directory"
