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
	node=$!
	pids+=("$node")
	until [ -s "$state/node" ]; do kill -0 "$node"; done
	theirs=$(cat "$state/node")
else
	loud "there is no node: messages are measured alone"
fi
gateway
# processor PID: microseconds that it has used
processor() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d\n", ($12 + $13) * 1000000 / hz }' "/proc/$1/stat"; }
# each BEFORE PID RECORD: microseconds of the processor for each message of the record
each() { jq -n --argjson before "$1" --argjson now "$(processor "$2")" --argjson n "$(of .n "$3")" '($now - $before) / $n'; }
at() { # CONNECTIONS
	local connections=$1 goal='' deadline='' ours other our_before our_each other_before other_each
	[ "$connections" != 32 ] || { goal='ours >= 23400'; deadline='ours <= 10'; }
	our_before=$(processor "$gateway")
	ours=$(bench-http -m POST -b "$body" "${limit[@]}" "$connections" '/api/agents/runs/r%c/messages' "$url")
	our_each=$(each "$our_before" "$gateway" "$ours")
	other='{"rate":null,"p50_ms":null,"p99_ms":null}' other_each=null
	if [ -n "$theirs" ]; then
		other_before=$(processor "$node")
		other=$(bench-http -m POST -b "$body" "${limit[@]}" "$connections" '/api/agents/runs/r%c/messages' "$theirs")
		other_each=$(each "$other_before" "$node" "$other")
	fi
	measure "messages, durable, $connections connections" 1/s "$(of .rate "$ours")" "$(of .rate "$other")" "a Node server, nothing stored" "$goal"
	measure "messages, $connections connections: middle" ms "$(of .p50_ms "$ours")" "$(of .p50_ms "$other")" "a Node server, nothing stored" ""
	measure "messages, $connections connections: 99 of 100 within" ms "$(of .p99_ms "$ours")" "$(of .p99_ms "$other")" "a Node server, nothing stored" "$deadline"
	measure "messages, $connections connections: processor for each" us "$our_each" "$other_each" "a Node server, nothing stored" ""
	[ "$(of .refused "$ours")" = 0 ] || loud "$(of .refused "$ours") of $(of .n "$ours") messages were refused"
}
for connections in 1 8 32 256; do attempt at "$connections"; done
conclude
