#!/bin/bash
# Starts MongoDB as a member of a replica set that demands logins. The members of a set prove
# themselves with a key, which is derived from the administrator's password: MONGO_ROOT_PASSWORD, or
# the file that MONGO_ROOT_PASSWORD_FILE names. Arguments go to the server.
set -eu

if [[ -n ${MONGO_ROOT_PASSWORD_FILE:-} ]]; then
    MONGO_ROOT_PASSWORD=$(<"$MONGO_ROOT_PASSWORD_FILE")
fi
umask 077
printf 'ferrobase replica set %s' "${MONGO_ROOT_PASSWORD:?is not set}" | sha256sum | cut -c1-64 >/tmp/keyfile
unset MONGO_ROOT_PASSWORD
exec mongod --dbpath=/data/db --bind_ip_all --replSet=rs0 --keyFile=/tmp/keyfile "$@"
