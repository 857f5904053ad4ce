#!/usr/bin/env python3
"""wake.py N URL URL: N events posted to the first gateway, one after another, and when a reader at the second one has them: one NDJSON line"""
import http.client
import json
import socket
import sys
import time

n = int(sys.argv[1])
(ahost, aport), (bhost, bport) = [u.split("//")[1].split(":") for u in sys.argv[2:4]]
reader = socket.create_connection((bhost, int(bport)))
reader.sendall(b"GET /api/agents/runs/wake/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
stream = reader.makefile("rb")
while not stream.readline().startswith(b": live"):
    pass
writer = http.client.HTTPConnection(ahost, int(aport))
times = []
for i in range(n):
    body = json.dumps({"kind": "agent.note", "message": str(i), "data": {"runId": "wake"}})
    writer.connect() if writer.sock is None else None
    writer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    writer.request("POST", "/api/agents/events", body, {"content-type": "application/json"})
    answer = writer.getresponse()
    answer.read()
    acknowledged = time.monotonic()
    assert answer.status == 200, answer.status
    while not stream.readline().startswith(b"data: "):
        pass
    times.append(time.monotonic() - acknowledged)
times.sort()
print(json.dumps({"name": "from the acknowledgement at one gateway to a reader at another", "value": round(times[n // 2] * 1000, 2), "unit": "ms",
                  "p99_ms": round(times[n * 99 // 100] * 1000, 2)}))
