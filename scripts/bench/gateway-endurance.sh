#!/usr/bin/env bash
# What large bodies and idle connections cost the gateway: its peak memory while 1 GB passes in each
# direction, its memory with 10,000 idle connections, and the latency of other clients while 5,000
# sockets send nothing or a head without an end.
#
# Environment: GATEWAY_BIN, BODY_GB (1), IDLE (10000), LORIS (5000).
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/bench/gateway-lib.sh
. scripts/bench/gateway-lib.sh

body_gb=${BODY_GB:-1}
idle=${IDLE:-10000}
loris=${LORIS:-5000}

# resident NAME: what the gateway has now (VmRSS) or had at most (VmHWM), in MB.
resident() { awk -v name="$1:" '$1 == name { printf "%.1f", $2 / 1024 }' "/proc/$gateway_pid/status"; }

cat >"$work/sink.py" <<'PYTHON'
# Reads bodies and answers with their length.
import http.server, sys

class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        left = length = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        answer = str(length).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
PYTHON

cat >"$work/hold.py" <<'PYTHON'
# Opens connections, says so, and keeps them until its input ends: each after an answered request
# (kept), or half of them silent and half in the middle of a head (loris).
import socket, sys

port, kind, count, key = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
request = f"GET /rest/v1/things HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n\r\n".encode()
held = []
for number in range(count):
    connection = socket.create_connection(("127.0.0.1", port))
    if kind == "kept":
        connection.sendall(request)
        connection.recv(4096)
    elif number % 2:
        connection.sendall(request[:20])
    held.append(connection)
print("held", flush=True)
sys.stdin.read()
PYTHON

# while_held KIND COUNT COMMAND…
while_held() {
    local kind=$1 count=$2 word pid input
    shift 2
    coproc HOLD { python3 "$work/hold.py" "$gateway_port" "$kind" "$count" "$key"; }
    pid=$HOLD_PID input=${HOLD[1]}
    read -r word <&"${HOLD[0]}"
    [[ $word == held ]]
    "$@"
    exec {input}>&-
    wait "$pid"
}

show_idle() {
    # They give their memory back after a moment.
    sleep 2
    echo "memory with $idle idle keep-alive connections: $(resident VmRSS) MB"
}

# p99 FILE: of well-behaved clients, in microseconds, added to the file.
p99() {
    load "$gateway_url" 8 3 |
        awk '{ if ($5) print "failed:", $5 > "/dev/stderr"; print $4 }' >>"$work/$1"
}
median() { sort -n "$work/$1" | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

start_proxies
python3 "$work/sink.py" "$sink_port" &
pids+=($!)
until curl -s -o /dev/null "http://127.0.0.1:$sink_port/"; do sleep 0.05; done
truncate -s "${body_gb}G" "$work/files/large"
load "$gateway_url" 32 2 >/dev/null

echo "memory after some load: $(resident VmRSS) MB"
bytes=$(curl -sf -o /dev/null -w '%{size_download}' -H "apikey: $key" \
    "http://127.0.0.1:$gateway_port/rest/v1/files/large")
echo "peak memory after a download of $bytes bytes: $(resident VmHWM) MB"
bytes=$(curl -sf -T "$work/files/large" -H 'Expect:' -H "apikey: $key" \
    "http://127.0.0.1:$gateway_port/sink/v1/large")
echo "peak memory after an upload of $bytes bytes: $(resident VmHWM) MB"

# In turn, as on two busy cores a p99 jumps between one slice of time and the next.
for _ in 1 2 3 4 5; do
    p99 calm
    while_held loris "$loris" p99 beside
done
echo "$(median calm) $(median beside)" | awk -v count="$loris" '{
    printf "p99 of others: %d us; beside %d silent or half-open sockets: %d us; ratio %.2f\n",
        $1, count, $2, $2 / $1 }'
while_held kept "$idle" show_idle
