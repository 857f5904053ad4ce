#!/usr/bin/env bash
# websocket.sh - events of one thread to 1000 WebSocket readers: one NDJSON line
set -eu
state=$(mktemp -d)
trap 'kill "$gateway"; wait "$gateway" || :; rm -rf "$state"' EXIT
agent-gateway --listen 127.0.0.1:0 --state "$state" >"$state/out" 2>"$state/err" &
gateway=$!
until [ -s "$state/out" ]; do kill -0 "$gateway"; done
python3 - "$(jq -r .url "$state/out")" <<'PY'
import json, select, socket, sys, time, urllib.request
READERS, BATCHES, BATCH = 1000, 20, 200
url = sys.argv[1]
host, port = url.split("//")[1].split(":")


def post(path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))


thread = post("/v1/agent/threads", {"workspaceSlug": "bench"})["thread"]["threadId"]
head = ("GET /v1/agent/threads/%s/stream?cursor=%d HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" % (thread, 0)).encode()
poll, readers, ready = select.epoll(), {}, 0
for _ in range(READERS):
    s = socket.create_connection((host, int(port)))
    s.sendall(head)
    readers[s.fileno()] = [s, 0, b""]
    poll.register(s.fileno(), select.EPOLLIN)


def read(until):
    """Until every reader has so many frames."""
    waiting = sum(r[1] < until for r in readers.values())
    while waiting:
        events = poll.poll(20)
        assert events, "nothing comes"
        for fd, _ in events:
            r = readers[fd]
            data = r[2] + r[0].recv(262144)
            # a frame's first member is its type; what may be the beginning of one waits for its rest
            before = r[1]
            r[1] += data.count(b'{"type":"')
            r[2] = data[-8:] if not data.endswith(b"}") else b""
            waiting -= before < until <= r[1]


read(1)  # thread.started
begin = time.monotonic()
for b in range(BATCHES):
    post("/v1/agent/threads/%s/events:batch" % thread, {"events": [{"method": "bench.event", "payload": {"n": b * BATCH + i, "pad": "x" * 60}} for i in range(BATCH)]})
read(1 + BATCHES * BATCH)
took = time.monotonic() - begin
print(json.dumps({"name": "events of a thread to %d WebSocket readers" % READERS, "value": round(READERS * BATCHES * BATCH / took), "unit": "1/s", "events": BATCHES * BATCH, "seconds": round(took, 2)}))
PY
