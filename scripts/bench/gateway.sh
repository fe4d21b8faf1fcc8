#!/usr/bin/env bash
# Compares the gateway with nginx doing the same job, in one run: key check, rate limit, CORS and
# security headers, request id, access log, kept connections to the upstream.
#
# Prints, for each of direct / nginx / gateway: requests per second, p50 and p99, CPU microseconds
# per request of the proxy alone, and its memory; then the gateway's memory with idle connections.
#
#   scripts/bench/gateway.sh [seconds per measurement]
#
# Needs wrk, nginx and python3. Environment: GATEWAY_BIN (default: built in release mode), ROUNDS,
# CONNECTIONS, IDLE.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-5}
rounds=${ROUNDS:-3}
connections=${CONNECTIONS:-32}
idle=${IDLE:-10000}
upstream_port=18010
nginx_port=18011
gateway_port=18012
admin_port=18013
key=bench-anon-key-0123456789abcdef
token=eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYXV0aGVudGljYXRlZCIsInN1YiI6IjEifQ.c2lnbmF0dXJlLXRoYXQtaXMtbm90LWNoZWNrZWQ

for tool in wrk nginx python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 1; }
done
if [ -z "${GATEWAY_BIN:-}" ]; then
    cargo build --release --quiet -p gateway
    GATEWAY_BIN=${CARGO_TARGET_DIR:-target}/release/gateway
fi

work=$(mktemp -d)
pids=()
stop() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop EXIT
ulimit -n "$(ulimit -Hn)"
mkdir "$work"/{upstream,nginx}

cat >"$work/upstream.conf" <<EOF
worker_processes 1;
daemon off;
error_log $work/upstream/error.log;
pid $work/upstream/pid;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path $work/upstream; proxy_temp_path $work/upstream;
    fastcgi_temp_path $work/upstream; uwsgi_temp_path $work/upstream; scgi_temp_path $work/upstream;
    server {
        listen 127.0.0.1:$upstream_port;
        default_type application/json;
        return 200 '[{"id":1,"title":"a row of a table","body":"some text that is not very long"}]';
    }
}
EOF

cat >"$work/nginx.conf" <<EOF
worker_processes 2;
daemon off;
error_log $work/nginx/error.log;
pid $work/nginx/pid;
worker_rlimit_nofile 65536;
events { worker_connections 16384; }
http {
    client_body_temp_path $work/nginx; proxy_temp_path $work/nginx;
    fastcgi_temp_path $work/nginx; uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
    log_format json escape=json '{"time":"\$time_iso8601","request_id":"\$request_id",'
        '"method":"\$request_method","uri":"\$uri","status":\$status,"consumer":"\$consumer",'
        '"duration":\$request_time,"upstream":"\$upstream_response_time"}';
    access_log $work/nginx/access.log json;
    keepalive_requests 100000000;
    map \$http_apikey \$consumer { default ""; "$key" anon; "another-key-0123456789" service_role; }
    map \$http_origin \$allowed_origin { default ""; "https://app.example" \$http_origin; }
    limit_req_zone \$binary_remote_addr zone=clients:10m rate=1000000r/s;
    upstream service { server 127.0.0.1:$upstream_port; keepalive 256; keepalive_requests 100000000; }
    server {
        listen 127.0.0.1:$nginx_port backlog=4096;
        client_max_body_size 10m;
        location /rest/v1/ {
            if (\$consumer = "") { return 401; }
            limit_req zone=clients burst=1000000 nodelay;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host service;
            proxy_set_header X-Request-ID \$request_id;
            proxy_set_header X-Forwarded-For \$remote_addr;
            proxy_set_header X-Forwarded-Proto \$scheme;
            proxy_set_header X-Forwarded-Host \$http_host;
            proxy_set_header X-Forwarded-Port \$server_port;
            proxy_set_header X-Forwarded-Prefix /rest/v1;
            proxy_set_header X-Service-Token "";
            proxy_set_header X-Tenant-Id "";
            proxy_set_header X-User-Id "";
            proxy_set_header apikey "";
            add_header X-Request-ID \$request_id always;
            add_header X-Content-Type-Options nosniff always;
            add_header X-Frame-Options DENY always;
            add_header Referrer-Policy no-referrer always;
            add_header Access-Control-Allow-Origin \$allowed_origin always;
            add_header Access-Control-Allow-Credentials true always;
            add_header Access-Control-Expose-Headers "Content-Range, X-Total-Count, Link" always;
            add_header Vary Origin always;
            proxy_buffering off;
            proxy_pass http://service/;
        }
    }
}
EOF

cat >"$work/routes.toml" <<EOF
[[route]]
name = "sql-rest"
prefix = "/rest/v1"
upstream = "http://127.0.0.1:$upstream_port"
limit = { minute = 4000000000, hour = 4000000000 }
max_body = "10 MB"
EOF

nginx -p "$work/upstream" -c "$work/upstream.conf" 2>/dev/null & pids+=($!)
nginx -p "$work/nginx" -c "$work/nginx.conf" 2>/dev/null & nginx_pid=$!; pids+=("$nginx_pid")
env JWT_SECRET=bench-secret-0123456789-abcdefghijk ANON_KEY=$key \
    SERVICE_ROLE_KEY=bench-service-key-0123456789abcdef GATEWAY_PORT=$gateway_port \
    GATEWAY_ADMIN_LISTEN=127.0.0.1:$admin_port GATEWAY_ROUTES="$work/routes.toml" \
    GATEWAY_CORS_ORIGINS=https://app.example \
    "$GATEWAY_BIN" >"$work/gateway.log" & gateway_pid=$!; pids+=("$gateway_pid")

await() {
    for _ in $(seq 100); do
        curl -sf -o /dev/null -H "apikey: $key" "$1" && return
        sleep 0.05
    done
    echo "$1 does not answer" >&2
    exit 1
}

# A process and its children, in clock ticks and in KiB of resident memory.
cpu() { cat /proc/"$1"/stat $(pgrep -P "$1" | sed 's|.*|/proc/&/stat|') | awk '{ t += $14 + $15 } END { print t }'; }
memory() { cat /proc/"$1"/status $(pgrep -P "$1" | sed 's|.*|/proc/&/status|') | awk '/^VmRSS/ { k += $2 } END { print k }'; }

cat >"$work/report.lua" <<'EOF'
done = function(summary, latency)
    local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), bad))
end
EOF

measure() { # name, url, pid of the proxy
    local before=0 after=0
    [ -n "$3" ] && before=$(cpu "$3")
    local result
    result=$(wrk -t1 -c"$connections" -d"${seconds}s" -s "$work/report.lua" \
        -H "apikey: $key" -H "Authorization: Bearer $token" -H "Origin: https://app.example" \
        -H "Accept: application/json" -H "X-Client-Info: supabase-js/2" "$2" | grep RESULT)
    [ -n "$3" ] && after=$(cpu "$3")
    echo "$1 $result $((after - before)) $([ -n "$3" ] && memory "$3" || echo 0)" |
        awk -v hz="$(getconf CLK_TCK)" '{
            printf "%-8s %9.0f req/s   p50 %5d us   p99 %6d us   CPU %5.1f us/request   %6.1f MB   failed %d\n",
                $1, $3 / ($4 / 1e6), $5, $6, $8 / hz * 1e6 / $3, $9 / 1024, $7 }'
}

direct_url=http://127.0.0.1:$upstream_port/things?select=id
nginx_url=http://127.0.0.1:$nginx_port/rest/v1/things?select=id
gateway_url=http://127.0.0.1:$gateway_port/rest/v1/things?select=id
await "$direct_url"; await "$nginx_url"; await "$gateway_url"

echo "$connections connections, $seconds s each, $rounds rounds"
for _ in $(seq "$rounds"); do
    measure direct "$direct_url" ""
    measure nginx "$nginx_url" "$nginx_pid"
    measure gateway "$gateway_url" "$gateway_pid"
done

echo "one connection: the added latency"
connections=1
measure direct "$direct_url" ""
measure nginx "$nginx_url" "$nginx_pid"
measure gateway "$gateway_url" "$gateway_pid"

echo "idle connections"
python3 - "$gateway_port" "$idle" "$key" "$gateway_pid" <<'EOF'
import socket, sys
port, count, key, pid = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
request = f"GET /rest/v1/things HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n\r\n".encode()
held = []
try:
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        connection.recv(4096)
        held.append(connection)
except OSError as error:
    print("stopped:", error)
status = open(f"/proc/{pid}/status").read()
resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
print(f"gateway  {resident:.1f} MB resident with {len(held)} idle keep-alive connections")
EOF
