#!/usr/bin/env bash
# messages.sh - durable messages to the echo agent, with their replies, over 32 connections: one NDJSON line
set -eu
state=$(mktemp -d)
trap 'kill "$gateway"; wait "$gateway" || :; rm -rf "$state"' EXIT
agent-gateway --listen 127.0.0.1:0 --state "$state" >"$state/out" 2>"$state/err" &
gateway=$!
until [ -s "$state/out" ]; do kill -0 "$gateway"; done
python3 - "$(jq -r .url "$state/out")" <<'PY'
import json, select, socket, sys, time
host, port = sys.argv[1].split("//")[1].split(":")
body = b'{"message":"hello","service_id":"svc_echo","agent":"echo"}'
conns = []
for k in range(32):
    s = socket.create_connection((host, int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conns.append([s, b"POST /api/agents/runs/r%d/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (k, len(body)) + body, 0.0])
poll = select.epoll()
by_fd = {}
for c in conns:
    poll.register(c[0].fileno(), select.EPOLLIN)
    by_fd[c[0].fileno()] = c
begin = time.monotonic()
for c in conns:
    c[2] = time.monotonic()
    c[0].sendall(c[1])
count, times = 0, []
while time.monotonic() - begin < 5:
    for fd, _ in poll.poll(1):
        c = by_fd[fd]
        c[0].recv(65536)
        now = time.monotonic()
        times.append(now - c[2])
        count += 1
        c[2] = now
        c[0].sendall(c[1])
times.sort()
print(json.dumps({"name": "durable messages with their replies, 32 connections", "value": round(count / (time.monotonic() - begin)), "unit": "1/s",
  "p50_ms": round(times[len(times) // 2] * 1000, 2), "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2), "goal": ">= 23400/s, p99 < 10 ms"}))
PY
