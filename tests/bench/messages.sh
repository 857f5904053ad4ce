#!/usr/bin/env bash
# messages.sh - durable messages to the echo agent with their replies (five events each), at several numbers of connections
#
# Beside it a server for Node that stores nothing: what the machine gives that language. The goal is 20 times a figure that was taken of the Clarity
# runtime, 1170 messages per second, elsewhere; that one cannot be had here, so it is a constant.
# shellcheck disable=SC2154,SC1091
. "$(dirname "$0")/lib.bash"
limit 4
body='{"message":"hello","service_id":"svc_echo","agent":"echo"}'
theirs=''
if have node; then
	node "$bench_src/node-echo.mjs" >"$state/node" 2>&1 &
	pids+=("$!")
	until [ -s "$state/node" ]; do kill -0 "$!"; done
	theirs=$(cat "$state/node")
else
	loud "there is no node: messages are measured alone"
fi
gateway
at() { # CONNECTIONS
	local connections=$1 goal='' deadline='' ours other
	[ "$connections" != 32 ] || { goal='ours >= 23400'; deadline='ours <= 10'; }
	ours=$(bench-http -m POST -b "$body" "${limit[@]}" "$connections" '/api/agents/runs/r%c/messages' "$url")
	other='{"rate":null,"p50_ms":null,"p99_ms":null}'
	[ -z "$theirs" ] || other=$(bench-http -m POST -b "$body" "${limit[@]}" "$connections" '/api/agents/runs/r%c/messages' "$theirs")
	measure "messages, durable, $connections connections" 1/s "$(of .rate "$ours")" "$(of .rate "$other")" "a Node server, nothing stored" "$goal"
	measure "messages, $connections connections: middle" ms "$(of .p50_ms "$ours")" "$(of .p50_ms "$other")" "a Node server, nothing stored" ""
	measure "messages, $connections connections: 99 of 100 within" ms "$(of .p99_ms "$ours")" "$(of .p99_ms "$other")" "a Node server, nothing stored" "$deadline"
	[ "$(of .refused "$ours")" = 0 ] || loud "$(of .refused "$ours") of $(of .n "$ours") messages were refused"
}
for connections in 1 8 32 256; do attempt at "$connections"; done
conclude
