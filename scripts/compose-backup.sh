#!/usr/bin/env bash
# Writes what the running fleet knows into a directory: PostgreSQL with the roles, and MongoDB.
# Usage: compose-backup.sh [DIRECTORY]; backups/TIME unless given. scripts/compose-restore.sh reads it.
#
# Everything goes on meanwhile, except that MongoDB is stopped for the time of a copy where its image
# has no mongodump (the public one has). `.env` and the secrets are not in it: keep them elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

require_engine
directory=${1:-backups/$(date -u +%Y-%m-%dT%H%M%SZ)}
umask 077
mkdir -p "$directory"
[[ -z $(ls -A "$directory") ]] || { echo "compose-backup: $directory is not empty" >&2; exit 1; }
mongo=$(container mongo)

dump_mongo() {
    docker exec "$mongo" bash -c 'exec mongodump --quiet --archive --oplog -u root \
        -p "${MONGO_ROOT_PASSWORD:-$(<"$MONGO_ROOT_PASSWORD_FILE")}"' >"$directory/mongo.archive"
}

copy_mongo() {
    trap 'docker start "$mongo" >/dev/null' EXIT
    docker stop "$mongo" >/dev/null
    docker run --rm --network none --cap-drop ALL --user 999:999 --volumes-from "$mongo:ro" --entrypoint tar \
        "$(docker inspect --format '{{.Config.Image}}' "$mongo")" -C /data/db -czf - . >"$directory/mongo.tar.gz"
    docker start "$mongo" >/dev/null
    trap - EXIT
}

postgres=$(container postgres)
docker exec "$postgres" pg_dumpall -h /tmp -U postgres --roles-only >"$directory/roles.sql"
docker exec "$postgres" pg_dump -h /tmp -U postgres --format custom postgres >"$directory/postgres.dump"
if docker exec "$mongo" bash -c 'command -v mongodump' >/dev/null 2>&1; then
    dump_mongo
else
    copy_mongo
fi
(cd "$directory" && sha256sum -- * >SHA256SUMS)
echo "$directory: $(du -sh "$directory" | cut -f1)"
