# shellcheck shell=bash disable=SC2034
# A gateway and an nginx that does the same job, in front of one upstream, for the benchmark scripts.
# To be sourced; everything ends with the script.
#
# start_proxies sets gateway_pid and nginx_pid; direct_url, nginx_url and gateway_url give the same
# small answer. GATEWAY_BIN names the program; unless it is set, it is built in release mode.

upstream_port=18010
nginx_port=18011
gateway_port=18012
sink_port=18013
key=bench-anon-key-0123456789abcdef
token=eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYXV0aGVudGljYXRlZCIsInN1YiI6IjEifQ.c2lnbmF0dXJlLXRoYXQtaXMtbm90LWNoZWNrZWQ
direct_url="http://127.0.0.1:$upstream_port/things?select=id"
nginx_url="http://127.0.0.1:$nginx_port/rest/v1/things?select=id"
gateway_url="http://127.0.0.1:$gateway_port/rest/v1/things?select=id"

for tool in wrk nginx python3; do
    command -v "$tool" >/dev/null || {
        echo "bench: $tool is missing; scripts/install-deps.sh bench installs it" >&2
        exit 1
    }
done
if [[ -z ${GATEWAY_BIN:-} ]]; then
    cargo build --release --quiet --locked -p gateway
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
# nginx drops root's rights and must still pass through.
chmod 711 "$work"
mkdir "$work"/{upstream,nginx,files}

write_upstream_conf() {
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
        location / {
            return 200 '[{"id":1,"title":"a row of a table","body":"some text that is not very long"}]';
        }
        location /files/ { root $work; }
    }
}
EOF
}

write_nginx_conf() {
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
    access_log $work/nginx/access.log json buffer=64k flush=1s;
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
}

write_routes() {
    cat >"$work/routes.toml" <<EOF
[[route]]
name = "sql-rest"
prefix = "/rest/v1"
upstream = "http://127.0.0.1:$upstream_port"
limit = { minute = 4000000000, hour = 4000000000 }
max_body = "10 MB"

[[route]]
name = "sink"
prefix = "/sink/v1"
upstream = "http://127.0.0.1:$sink_port"
EOF
}

# await URL: until it answers.
await() {
    local _
    for _ in $(seq 100); do
        curl -sf -o /dev/null -H "apikey: $key" "$1" && return
        sleep 0.05
    done
    echo "bench: $1 does not answer" >&2
    exit 1
}

start_proxies() {
    write_upstream_conf
    write_nginx_conf
    write_routes
    nginx -p "$work/upstream" -c "$work/upstream.conf" 2>/dev/null &
    pids+=($!)
    nginx -p "$work/nginx" -c "$work/nginx.conf" 2>/dev/null &
    nginx_pid=$!
    env JWT_SECRET=bench-secret-0123456789-abcdefghijk ANON_KEY=$key \
        SERVICE_ROLE_KEY=bench-service-key-0123456789abcdef GATEWAY_PORT=$gateway_port \
        GATEWAY_ADMIN_LISTEN=off GATEWAY_ROUTES="$work/routes.toml" \
        GATEWAY_CORS_ORIGINS=https://app.example \
        "$GATEWAY_BIN" >"$work/gateway.log" &
    gateway_pid=$!
    pids+=("$nginx_pid" "$gateway_pid")
    await "$direct_url"
    await "$nginx_url"
    await "$gateway_url"
}

# Of a process and its children: the files of each in /proc.
files_of() {
    echo "/proc/$1/$2"
    { pgrep -P "$1" || true; } | sed "s|.*|/proc/&/$2|"
}
# CPU time in clock ticks, and that of it spent in the kernel.
cpu() { files_of "$1" stat | xargs cat | awk '{ u += $14; k += $15 } END { print u + k, k }'; }
# Resident memory in KiB.
memory() { files_of "$1" status | xargs cat | awk '/^VmRSS/ { k += $2 } END { print k }'; }

cat >"$work/report.lua" <<'LUA'
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.status + e.connect + e.read + e.timeout))
end
LUA

# load URL CONNECTIONS SECONDS: prints "requests microseconds p50_us p99_us failed".
load() {
    wrk -t1 -c"$2" -d"${3}s" -s "$work/report.lua" \
        -H "apikey: $key" -H "Authorization: Bearer $token" -H "Origin: https://app.example" \
        -H "Accept: application/json" -H "X-Client-Info: supabase-js/2" "$1" |
        awk '$1 == "RESULT" { print $2, $3, $4, $5, $6 }'
}
