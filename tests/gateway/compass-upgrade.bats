#!/usr/bin/env bats
# Handshakes of WebSockets, byte by byte: who is turned away, in which words, and that nothing a stranger sends ends the gateway.
load ../lib/common
load ../lib/compass

setup() {
	compass_setup
	wsread=$AU_SRC/tests/fake/ws-read
	key='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
	ws=('Upgrade: websocket' 'Connection: Upgrade')
}
teardown() { common_teardown; }

# knock REQUEST-LINE HEADER...: what comes back on a connection of its own until the gateway closes it, in $said
knock() {
	local line=$1 fd
	shift
	exec {fd}<>"/dev/tcp/127.0.0.1/${url##*:}"
	printf '%s\r\n' "$line HTTP/1.1" 'Host: 127.0.0.1' "$@" '' >&"$fd"
	said=$(timeout 20 cat <&"$fd") || { echo "nobody closed: $said" >&2; return 1; }
	exec {fd}>&-
}
# turned_away STATUS TEXT
turned_away() {
	local want
	printf -v want 'HTTP/1.1 %s %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"code":"WS_UPGRADE_REJECTED","message":"%s"}' "$1" "$2" "$2"
	[ "$said" = "$want" ] || { printf '%s\n' "$said" >&2; return 1; }
}
# no_handshake STATUS-LINE TEXT [HEADER]
no_handshake() {
	local want
	printf -v want 'HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%s\r\n%s' "$1" "${#2}" "${3:+$3$'\r\n'}" "$2"
	[ "$said" = "$want" ] || { printf '%s\n' "$said" >&2; return 1; }
}

@test "a handshake that is none: the words of the contract, and which of them comes first" {
	start_gateway
	stream=/v1/agent/runtime/stream
	knock "POST $stream" "${ws[@]}" "$key" 'Sec-WebSocket-Version: 13' 'Content-Length: 0'
	no_handshake '405 Method Not Allowed' 'Invalid HTTP method'
	knock "GET $stream" 'Upgrade: h2c' 'Connection: Upgrade' "$key" 'Sec-WebSocket-Version: 13'
	no_handshake '400 Bad Request' 'Invalid Upgrade header'
	knock "GET $stream" "${ws[@]}" 'Sec-WebSocket-Version: 12'
	no_handshake '400 Bad Request' 'Missing or invalid Sec-WebSocket-Key header'
	knock "GET $stream" "${ws[@]}" 'Sec-WebSocket-Version: 13' 'Sec-WebSocket-Key: c2hvcnQ='
	no_handshake '400 Bad Request' 'Missing or invalid Sec-WebSocket-Key header'
	for version in 'X-None: 1' 'Sec-WebSocket-Version: 12' 'Sec-WebSocket-Version: 013'; do
		knock "GET $stream" "${ws[@]}" "$key" "$version"
		no_handshake '400 Bad Request' 'Missing or invalid Sec-WebSocket-Version header' 'Sec-WebSocket-Version: 13, 8'
	done
	# who it is and what it asks for comes before the handshake's form
	knock "POST /v1/agent/threads/nothing/stream" "${ws[@]}" 'Content-Length: 0'
	turned_away 403 'Agent stream access denied'
}

@test "a handshake that is good: the first subprotocol, no extension, versions 13 and 8, any order of the headers" {
	start_gateway
	new_thread
	for version in 13 8; do
		exec {fd}<>"/dev/tcp/127.0.0.1/${url##*:}"
		printf '%s\r\n' "GET $path/stream?cursor=99 HTTP/1.1" 'sec-websocket-extensions: permessage-deflate' 'sec-websocket-protocol: a.b, c' \
			"sec-websocket-version: $version" 'connection: keep-alive, UPGRADE' "$key" 'upgrade: WebSocket' 'host: 127.0.0.1' '' >&"$fd"
		head=
		while IFS= read -r -t 20 line <&"$fd" && [ "$line" != $'\r' ]; do head+=${line%$'\r'}$'\n'; done
		exec {fd}>&-
		[[ $head == 'HTTP/1.1 101 Switching Protocols'$'\n'* ]]
		grep -qx 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=' <<<"$head"
		grep -qx 'Sec-WebSocket-Protocol: a.b' <<<"$head"
		run ! grep -qi extensions <<<"$head"
	done
}

@test "who may: no session 401, one that is no good 403, unknown threads and strangers 403, none of the gateway 503" {
	ann=$(make_token --user ann --workspace acme) bob=$(make_token --user bob --workspace other) eve=$(make_token --user eve --scope admin --scope write)
	start_gateway
	good=("${ws[@]}" "$key" 'Sec-WebSocket-Version: 13')
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}' -H "Authorization: Bearer $ann"
	path=/v1/agent/threads/$(jq -r .thread.threadId body)
	for stream in "$path/stream" /v1/agent/threads/nothing/stream /v1/agent/runtime/stream; do
		knock "GET $stream" "${good[@]}"
		turned_away 401 'Authentication required'
		knock "GET $stream" "${good[@]}" 'Cookie: other=1; __Host-compass_session='
		turned_away 401 'Authentication required'
		for cookie in nonsense %E0%25 %E0%; do
			knock "GET $stream" "${good[@]}" "Origin: $url" "Cookie: __Host-compass_session=$cookie"
			turned_away 403 'Agent stream access denied'
		done
	done
	for stream in "$path/stream" /v1/agent/threads/nothing/stream /v1/agent/threads/%20/stream /v1/agent/threads/%E0/stream /v1/agent/threads/a%2Fb/stream; do
		knock "GET $stream" "${good[@]}" "Authorization: Bearer $bob"
		turned_away 403 'Agent stream access denied'
	done
	# the runtime's stream is not the stream of a thread without a name
	knock "GET /v1/agent/threads/%20/stream" "${good[@]}" "Authorization: Bearer $eve"
	turned_away 403 'Agent stream access denied'
	# blanks around a thread's name are no part of it
	python3 "$wsread" --header "Authorization: Bearer $ann" --count 1 "$url${path%/*}/%20${path##*/}%20/stream" | jq -e '.method=="thread.started"'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_GATEWAY_ENABLED=false start_gateway
	knock "GET $path/stream" "${good[@]}"
	turned_away 503 'Agent websocket is not configured'
}

@test "a session's socket needs an allowed origin, and ends with the session: by logout, by its time, by its token" {
	ann=$(make_token --user ann)
	start_gateway
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}' -H "Authorization: Bearer $ann"
	path=/v1/agent/threads/$(jq -r .thread.threadId body)
	open_session() { curl -sS -X POST -H "Authorization: Bearer $ann" -o session -D - "$url/v1/auth/session" | sed -n 's/^set-cookie: \([^;]*\);.*/\1/p'; }
	cookie=$(open_session)
	for origin in 'X-None: 1' 'Origin: http://evil.example' 'Origin: null'; do
		knock "GET $path/stream" "${ws[@]}" "$key" 'Sec-WebSocket-Version: 13' "Cookie: $cookie" "$origin"
		turned_away 403 'Agent stream access denied'
	done
	watch_with() { # NAME: until it has seen the first event
		start "$1" python3 "$wsread" --header "Cookie: $2" --header "Origin: $url" "$url$path/stream"
		await 20 has_line "$1.out" thread.started
	}
	watch_with one "$cookie"
	other=$(open_session)
	watch_with two "$other"
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -X DELETE -b "$cookie" -H "Origin: $url" "$url/v1/auth/session")" = 204 ]
	await 20 has_line one.err '^close 1008 Session ended'
	kill -0 "$pid" # the other session goes on
	agent-gateway-token --state "$BATS_TEST_TMPDIR/state" revoke "${ann:4:12}"
	await 20 has_line two.err '^close 1008 Session ended'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	ann=$(make_token --user ann)
	AUTH_SESSION_TTL_SECONDS=2 start_gateway
	watch_with three "$(open_session)"
	await 20 has_line three.err '^close 1008 Session ended'
}

@test "what a stranger sends ends nothing but its own connection" {
	start_gateway
	new_thread
	start witness python3 "$wsread" "$url$path/stream"
	await 20 has_line witness.out thread.started
	witness=$pid
	for target in // //x '/v1/agent/threads/%/stream' '/v1/agent/threads/%zz/stream' '/v1/agent/threads/%00/stream' "$path/stream?cursor=%E0" \
		'/v1/agent/threads//stream' '/v1/agent/threads/stream' '/v1//stream' '*'; do
		knock "GET $target" "${ws[@]}" "$key" 'Sec-WebSocket-Version: 11' 'Cookie: __Host-compass_session=%E0%' 'Connection: close'
		[[ $said == 'HTTP/1.1 '[34]* ]] || { echo "$target: $said" >&2; false; }
	done
	# frames: reserved bits, no mask, unknown codes, a fragment of nothing, lengths that lie, half a goodbye, a goodbye of a code that none may send
	for raw in c1817b7b7b7b7b f181000000007b 8101 0100 83800000 8b8000000000 8080000000 80810000000078 89fe0100000000 81ffffffffffffffffff00000000 \
		81fe000000000000 8881000000007b 8882000000000000 888200000000ffff 888200000000 81820000 81810000 0000 ff ''; do
		start "bad$raw" python3 "$wsread" --raw "$raw" "$url$path/stream"
	done
	# broken text, text after a goodbye, a hundred pings and no reader of the answers
	start utf8 python3 "$wsread" --raw 818200000000c328 "$url$path/stream"
	await 20 has_line utf8.err '^close 1007'
	start huge python3 "$wsread" --raw 81ff00000000064000010000000000 "$url$path/stream" # 100 MiB and a byte
	await 20 has_line huge.err '^close 1009'
	start pings python3 "$wsread" --raw "$(printf '898000000000%.0s' $(seq 100))" "$url$path/stream"
	start late python3 "$wsread" --raw 88820000000003e8818100000000ff "$url$path/stream"
	await 20 has_line late.err '^close 1000'
	ask POST "$path/events:batch" '{"events":[{"method":"still.here"}]}'
	[ "$code" = 200 ]
	await 20 has_line witness.out still.here
	kill -0 "$witness" "$gateway_pid"
	# what a client says is thrown away as it comes, up to 100 MiB: it costs no memory, and the events go on meanwhile
	start long python3 "$wsread" --raw 81ff00000000064000000000000061 "$url$path/stream"
	long=$pid
	head -c 3000000 /dev/zero | tr '\0' x >said
	peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$gateway_pid/status")
	for n in 1 2 3; do
		start "said$n" python3 "$wsread" --send-file said "$url$path/stream"
		await 20 has_line "said$n.err" '^pong heard'
	done
	# a sanitizer keeps what was freed
	[ -n "${ASAN_OPTIONS:-}" ] || [ "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$gateway_pid/status")" -lt $((peak + 2000)) ]
	ask POST "$path/events:batch" '{"events":[{"method":"in.between"}]}'
	await 20 has_line long.out in.between
	kill -0 "$long"
	# binary messages are taken and thrown away like text
	start binary python3 "$wsread" --raw 82820000000000ff "$url$path/stream"
	await 20 has_line binary.out still.here
	ask POST "$path/events:batch" '{"events":[{"method":"and.now"}]}'
	await 20 has_line binary.out and.now
}
