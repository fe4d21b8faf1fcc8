#!/bin/sh
# Starts Redis as a cache that demands a password: REDIS_PASSWORD, or the file that
# REDIS_PASSWORD_FILE names. What is in it may be lost, so nothing is written to disk. Arguments go
# to the server.
set -eu

if [ -n "${REDIS_PASSWORD_FILE:-}" ]; then
    REDIS_PASSWORD=$(cat "$REDIS_PASSWORD_FILE")
fi
umask 077
printf 'requirepass %s\nsave ""\nappendonly no\nmaxmemory-policy allkeys-lru\n' \
    "${REDIS_PASSWORD:?is not set}" >/tmp/redis.conf
unset REDIS_PASSWORD
exec redis-server /tmp/redis.conf "$@"
