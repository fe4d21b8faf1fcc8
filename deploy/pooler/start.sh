#!/bin/sh
# Starts PgBouncer in front of PostgreSQL. It asks the database who may log in (prepare.sh), as the
# role pooler with the password of POOLER_DB_PASSWORD, or of the file POOLER_DB_PASSWORD_FILE.
set -eu

if [ -n "${POOLER_DB_PASSWORD_FILE:-}" ]; then
    POOLER_DB_PASSWORD=$(cat "$POOLER_DB_PASSWORD_FILE")
fi
umask 077
printf '"pooler" "%s"\n' "${POOLER_DB_PASSWORD:?is not set}" >/tmp/users
unset POOLER_DB_PASSWORD
cat >/tmp/pgbouncer.ini <<SETTINGS
[databases]
postgres = host=postgres port=5432

[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir = /tmp
auth_type = scram-sha-256
auth_file = /tmp/users
auth_user = pooler
auth_query = select name, secret from pooler.login_of(\$1)
pool_mode = transaction
max_client_conn = ${POOLER_MAX_CLIENTS:-1000}
default_pool_size = ${POOLER_POOL_SIZE:-20}
ignore_startup_parameters = extra_float_digits
server_reset_query_always = 0
log_connections = 0
log_disconnections = 0
SETTINGS
exec pgbouncer /tmp/pgbouncer.ini
