# Starts a stack on private data and a free port, for scripts. To be sourced; ends with the script.
#
# start_stack FERROBASE NAME sets and exports STACK_PID, FERROBASE_URL, FERROBASE_INBOX_URL (the mails
# that were caught, as JSON), FERROBASE_ANON_KEY, FERROBASE_SERVICE_ROLE_KEY, FERROBASE_JWT_SECRET,
# AUTHENTICATOR_PASSWORD, SQL_REST_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE.

stop_stack() {
    if [[ -n ${STACK_PID:-} ]]; then
        kill "$STACK_PID" 2>/dev/null || true
        wait "$STACK_PID" 2>/dev/null || true
    fi
    rm -rf "${STACK_HOME:?}"
}

start_stack() {
    local ferrobase=$1 name=$2
    STACK_HOME=$(mktemp -d "/tmp/ferrobase-$name.XXXXXX")
    # PostgreSQL may have to run as another user, who must be able to pass through.
    chmod 711 "$STACK_HOME"
    trap stop_stack EXIT

    GATEWAY_PORT=0 GATEWAY_ADMIN_LISTEN=off GATEWAY_RATE_LIMIT_SCALE=1000000 \
        "$ferrobase" --env-file "$STACK_HOME/.env" --data "$STACK_HOME/data" up \
        >"$STACK_HOME/up.log" 2>&1 &
    STACK_PID=$!
    local _
    for _ in $(seq 600); do
        grep -q '^ready in' "$STACK_HOME/up.log" && break
        kill -0 "$STACK_PID" 2>/dev/null || break
        sleep 0.1
    done
    if ! grep '^ready in' "$STACK_HOME/up.log"; then
        echo "$name: the stack did not become ready:" >&2
        cat "$STACK_HOME/up.log" >&2
        exit 1
    fi

    secret() { sed -n "s/^$1=//p" "$STACK_HOME/.env"; }
    address() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$STACK_HOME/data/stack.json"; }
    FERROBASE_URL=$(address gateway)
    SQL_REST_URL=$(address sql-rest)
    FERROBASE_INBOX_URL=$(address email)/inbox.json
    FERROBASE_ANON_KEY=$(secret ANON_KEY)
    FERROBASE_SERVICE_ROLE_KEY=$(secret SERVICE_ROLE_KEY)
    FERROBASE_JWT_SECRET=$(secret JWT_SECRET)
    AUTHENTICATOR_PASSWORD=$(secret AUTHENTICATOR_PASSWORD)
    PGHOST=127.0.0.1 PGPORT=$(address postgres_port) PGUSER=postgres PGDATABASE=postgres
    PGPASSWORD=$(secret POSTGRES_PASSWORD)
    export STACK_PID FERROBASE_URL FERROBASE_INBOX_URL SQL_REST_URL FERROBASE_ANON_KEY FERROBASE_SERVICE_ROLE_KEY
    export FERROBASE_JWT_SECRET AUTHENTICATOR_PASSWORD PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
}
