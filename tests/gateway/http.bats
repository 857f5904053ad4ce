#!/usr/bin/env bats
# The listener: hostile, broken and slow requests are answered or closed, and nobody else notices.
load ../lib/common

setup() {
	common_setup
	start_gateway
	port=${url##*:}
}
teardown() {
	kill -0 "$gateway_pid" && [ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/healthz")" = 200 ]
	common_teardown
}

# raw BYTES: sends them (printf escapes) and prints what comes back until the server closes or falls silent for a moment
raw() {
	python3 - "$port" "$1" <<-'PY'
	import socket, sys
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	s.sendall(sys.argv[2].encode("latin-1").decode("unicode_escape").encode("latin-1"))
	s.settimeout(1.0)
	out = b""
	try:
	    while True:
	        data = s.recv(65536)
	        if not data:
	            break
	        out += data
	except (TimeoutError, ConnectionResetError):
	    pass
	sys.stdout.buffer.write(out)
	PY
}
first() { raw "$1" | head -n 1 | tr -d '\r'; }

@test "odd paths are answered" {
	[ "$(first 'GET // HTTP/1.1\r\nHost: localhost\r\n\r\n')" = 'HTTP/1.1 404 Not Found' ]
	[ "$(first 'GET /% HTTP/1.1\r\nHost: localhost\r\n\r\n')" = 'HTTP/1.1 404 Not Found' ]
	[ "$(first 'GET /api/agents/runs/%zz/events HTTP/1.1\r\nHost: localhost\r\n\r\n')" = 'HTTP/1.1 400 Bad Request' ]
	[ "$(first 'GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n')" = 'HTTP/1.1 404 Not Found' ]
	[ "$(first 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n')" = 'HTTP/1.1 404 Not Found' ]
}

@test "what two readers could take differently is refused" {
	for head in 'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n' 'POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx' \
		'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' 'GET /a b HTTP/1.1\r\n\r\n' 'GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n' \
		'GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n' '\x16\x03\x01\x02\x00\x01' 'hello\r\n\r\n'; do
		run raw "$head"
		[[ $output == 'HTTP/1.1 400 Bad Request'* && $output == *'"error": "bad request: '* ]] || { echo "$head: $output"; return 1; }
	done
	[ "$(first 'PRI * HTTP/2.0\r\n\r\n')" = 'HTTP/1.1 505 HTTP Version Not Supported' ]
}

@test "pipelined requests are answered in order" {
	run raw 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nope HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/agents/runs HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
	[ "$(grep -o '^HTTP/1.1 [0-9]*' <<<"$output" | tr '\n' ' ')" = 'HTTP/1.1 200 HTTP/1.1 404 HTTP/1.1 200 HTTP/1.1 200 ' ]
}

@test "a client that finishes sending still gets its answer" {
	[[ $(printf 'GET /api/agents/runs HTTP/1.1\r\nHost: localhost\r\n\r\n' | timeout 5 python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.stdin.buffer.read()); s.shutdown(socket.SHUT_WR)
out = b""
while True:
    d = s.recv(65536)
    if not d: break
    out += d
print(out.decode())' "$port") == *'"items": []'* ]]
}

@test "heads, headers and bodies beyond their limits are refused" {
	[[ $(curl -sS -w '%{http_code}' -H "X: $(head -c 40000 /dev/zero | tr '\0' x)" "$url/") == *431 ]]
	args=()
	for i in $(seq 101); do args+=(-H "X$i: y"); done
	[[ $(curl -sS -w '%{http_code}' "${args[@]}" "$url/") == *431 ]]
	[[ $(raw 'POST /api/agents/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n') == *'413 Payload Too Large'* ]]
	[[ $(raw 'POST /api/agents/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n') == *'400 Bad Request'* ]]
	[[ $(raw 'POST /api/agents/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n') == *'413 Payload Too Large'* ]]
}

@test "slow, silent and half requests starve nobody, and are closed in time" {
	cat >slow.py <<-'PY'
	import socket, sys, time
	port = int(sys.argv[1])
	slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
	for i, s in enumerate(slow):
	    s.sendall([b"", b"GET / HT", b"POST /api/agents/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"][i % 3])
	print("there", flush=True)
	closed, end = 0, time.monotonic() + 30
	for s in slow[0::3] + slow[1::3]:
	    s.settimeout(max(0.1, end - time.monotonic()))
	    while True:
	        try:
	            d = s.recv(4096)
	        except OSError:
	            d = b""
	        if not d:
	            break
	    closed += 1
	    if time.monotonic() > end:
	        break
	print("closed", closed, flush=True)
	PY
	start slow python3 slow.py "$port"
	await 20 has_line slow.out there
	for _ in 1 2 3 4 5; do [ "$(curl -sS -m 2 -o /dev/null -w '%{http_code}' "$url/api/agents/registry")" = 200 ]; done
	await 40 has_line slow.out 'closed 200'
}

@test "HTTP/1.0 is answered and closed, keep-alive is kept" {
	run raw 'GET /healthz HTTP/1.0\r\n\r\n'
	[[ $output == *'connection: close'* ]]
	[ "$(curl -sS -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/healthz" "$url/healthz")" = '1 0 ' ]
	# how long it is kept is said, as the references do
	curl -sSI "$url/healthz" | grep -qi $'^keep-alive: timeout=5\r$'
	run ! grep -i '^keep-alive' <(curl -sSI -H 'connection: close' "$url/healthz")
}

@test "connections beyond the limit get 503 and those that are there go on" {
	common_teardown
	start_gateway --max-connections 20
	python3 - "${url##*:}" <<-'PY'
	import socket, sys
	port = int(sys.argv[1])
	kept = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
	for s in kept:
	    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	    assert b"200 OK" in s.recv(4096)
	extra = socket.create_connection(("127.0.0.1", port))
	extra.settimeout(5)
	assert b"503" in extra.recv(4096)
	kept[3].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	assert b"200 OK" in kept[3].recv(4096)
	PY
}
