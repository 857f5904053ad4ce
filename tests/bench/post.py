#!/usr/bin/env python3
"""post.py NAME SECONDS CONNECTIONS [MEMBERS] URL ...: durable messages to the echo agent, over connections spread evenly: one NDJSON line

MEMBERS is a JSON object whose members are put into the line.
"""
import json
import select
import socket
import sys
import time

name, seconds, connections = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
rest = sys.argv[4:]
members = json.loads(rest.pop(0)) if rest[0].startswith("{") else {}
addresses = [u.split("//")[1].split(":") for u in rest]
body = b'{"message":"hello","service_id":"svc_echo","agent":"echo"}'
poll = select.epoll()
by_fd = {}
for k in range(connections):
    host, port = addresses[k % len(addresses)]
    s = socket.create_connection((host, int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b"POST /api/agents/runs/r%d/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (k, len(body))
    by_fd[s.fileno()] = [s, head + body, 0.0]
    poll.register(s.fileno(), select.EPOLLIN)
begin = time.monotonic()
for c in by_fd.values():
    c[2] = time.monotonic()
    c[0].sendall(c[1])
count, refused, times = 0, 0, []
while time.monotonic() - begin < seconds:
    for fd, _ in poll.poll(1):
        c = by_fd[fd]
        answer = c[0].recv(65536)
        now = time.monotonic()
        if answer.startswith(b"HTTP/1.1 200 "):
            times.append(now - c[2])
            count += 1
        else:
            refused += 1
        c[2] = now
        c[0].sendall(c[1])
times.sort()
line = {"name": name, "value": round(count / (time.monotonic() - begin)), "unit": "1/s",
        "p50_ms": round(times[len(times) // 2] * 1000, 2), "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2)}
if refused:
    line["refused"] = refused
print(json.dumps({**line, **members}))
