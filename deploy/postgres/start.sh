#!/bin/sh
# Starts PostgreSQL, making an empty cluster on the first start. The password of the superuser comes
# from POSTGRES_PASSWORD, or from the file that POSTGRES_PASSWORD_FILE names; later changes of it do
# not change an existing cluster. Arguments go to the server.
set -eu

data=${PGDATA:-/var/lib/postgresql/data}/cluster
if [ ! -s "$data/PG_VERSION" ]; then
    # A first start that was cut short leaves half a cluster without this file.
    rm -rf "$data.new"
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    printf '%s\n' "${POSTGRES_PASSWORD:?is not set}" >/tmp/password
    initdb --pgdata="$data.new" --username=postgres --pwfile=/tmp/password --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --data-checksums
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$data.new/pg_hba.conf"
    mv "$data.new" "$data"
fi
unset POSTGRES_PASSWORD
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
