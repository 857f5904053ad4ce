#!/usr/bin/env bats
# What can be seen of a gateway: figures for Prometheus, the access log, names of requests.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }

code() { curl -sS -o /dev/null -w '%{http_code}' "$@"; }
# metric LINE: the value of a sample
metric() { curl -sS "${auth[@]}" "$url/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
is_metric() { [ "$(metric "$1")" = "$2" ]; }
# logged FILTER: a line of the access log fits; for await
logged() { jq -e -s "any(.[]; $1)" access >/dev/null 2>&1; }

@test "the figures are the text format of Prometheus, with names by convention" {
	start_gateway
	agent-run-create --agent echo | agent-send hello | agent-watch --until waiting --outcome=ignore >/dev/null
	code "$url/nothing" "$url/api/agents/runs/%zz/events" >/dev/null
	curl -sS -D head "$url/metrics" >figures
	grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' head
	"$AU_SRC/tests/lib/check-exposition" <figures
	# Debian: prometheus
	if command -v promtool >/dev/null; then
		promtool check metrics <figures >said 2>&1
		[ ! -s said ] || { cat said; return 1; }
	fi
}

@test "the checker of the format finds faults" {
	check="$AU_SRC/tests/lib/check-exposition"
	run ! "$check" </dev/null
	run ! "$check" <<<$'# HELP agent_gateway_x A.\n# TYPE agent_gateway_x counter\nagent_gateway_x 1'
	run ! "$check" <<<$'# HELP agent_gateway_x A.\n# TYPE agent_gateway_x gauge\nagent_gateway_x 1\nagent_gateway_x 2'
	run ! "$check" <<<$'# HELP agent_gateway_x A.\n# TYPE agent_gateway_x gauge\nagent_gateway_x{a="b} 1'
	run ! "$check" <<<$'# HELP agent_gateway_x_ms A.\n# TYPE agent_gateway_x_ms gauge\nagent_gateway_x_ms 1'
	"$check" <<<$'# HELP agent_gateway_x A.\n# TYPE agent_gateway_x gauge\nagent_gateway_x{a="b\\\\\\"\\n"} 1'
}

@test "requests are counted by method, route and code, never by what a client made up" {
	start_gateway
	for _ in 1 2 3; do code "$url/api/agents/registry" >/dev/null; done
	for i in 1 2 3 4 5; do code "$url/made-up-$i" -X "MADE$i" >/dev/null; done
	code "$url/api/agents/runs/run-1/events" >/dev/null
	code "$url/api/agents/runs/run-2/events" >/dev/null
	[ "$(metric 'agent_gateway_http_requests_total{method="GET",route="/api/agents/registry",code="200"}')" = 3 ]
	[ "$(metric 'agent_gateway_http_requests_total{method="other",route="other",code="404"}')" = 5 ]
	curl -sS "$url/metrics" >figures
	grep -q 'route="/api/agents/runs/:id/events"' figures
	run ! grep -E 'made-up|MADE|run-1' figures
	grep -q '^agent_gateway_http_request_duration_seconds_count{method="GET",route="/api/agents/registry"} 3' figures
}

@test "events, messages and turns show" {
	AGENT_RUNTIME_PROVIDER=mock start_gateway
	agent-run-create --agent echo | agent-send hello | agent-watch --until waiting --outcome=ignore >/dev/null
	[ "$(metric agent_gateway_log_events_total)" -ge 6 ]
	[ "$(metric agent_gateway_log_last_seq)" -ge 6 ]
	[ "$(metric 'agent_gateway_log_changes_total{result="done"}')" -ge 3 ]
	agent-thread-create --workspace w | agent-turn-start --wait hello >/dev/null
	await 20 is_metric 'agent_gateway_turns_total{outcome="completed"}' 1
	[ "$(metric agent_gateway_runtime_starts_total)" = 1 ]
	[ "$(metric agent_gateway_turns)" = 0 ]
}

@test "streams are counted while they are open" {
	start_gateway
	start watch agent-watch --all
	await 20 is_metric 'agent_gateway_http_streams{kind="sse"}' 1
	kill "$pid"
	await 20 is_metric 'agent_gateway_http_streams{kind="sse"}' 0
}

@test "the figures need the scope read and every workspace" {
	all=$(make_token --user monitor --workspace '*' --scope read)
	one=$(make_token --user ann --workspace acme --scope read)
	start_gateway
	[ "$(code "$url/metrics")" = 401 ]
	[ "$(code -H "authorization: Bearer $one" "$url/metrics")" = 403 ]
	[ "$(code -H "authorization: Bearer $all" "$url/metrics")" = 200 ]
	[ "$(code -H "authorization: Bearer $all" -X POST "$url/metrics")" = 403 ]
}

@test "the figures do not open to a page of somebody else's name" {
	start_gateway
	[ "$(code -H 'host: evil.example' "$url/metrics")" = 403 ]
	[ "$(code -H 'origin: http://evil.example' "$url/metrics")" = 403 ]
	[ "$(code -X POST "$url/metrics")" = 405 ]
	[ "$(code -I "$url/metrics")" = 200 ]
}

@test "every answer is a line of the access log, when it has ended" {
	start_gateway --access-log access
	curl -sS -A tester "$url/api/agents/registry" >registry
	code "$url/nothing?token=hunter2" >/dev/null
	await 20 logged '.path == "/nothing"'
	jq -e -s --argjson n "$(wc -c <registry)" '.[0] | .method == "GET" and .path == "/api/agents/registry" and .route == .path and .status == 200 and
		.bytes == $n and .user == "local" and .token == null and .agent == "tester" and (.ms | type) == "number" and (.peer | startswith("127.0.0.1:")) and
		(.id | test("^[0-9a-f-]{36}$")) and (.at | test("^2[0-9T:.-]+Z$"))' access
	jq -e -s '.[1] | .status == 404 and .route == null' access
	run ! grep hunter2 access
	[ "$(stat -c %a access)" = 600 ]
}

@test "a stream is a line when it closes, a WebSocket too" {
	start_gateway --access-log access
	run ! curl -sS -m 1 "$url/api/events" -o stream
	await 20 logged '.stream and .path == "/api/events" and .status == 200 and .bytes > 0 and .ms > 500'
	thread=$(agent-thread-create --workspace w | jq -r .threadId)
	start watch agent-watch --thread "$thread"
	await 20 is_metric 'agent_gateway_http_streams{kind="websocket"}' 1
	run ! logged '.status == 101'
	kill "$pid"
	await 20 logged '.stream and .status == 101 and .route == "/v1/agent/threads/:threadId/stream"'
}

@test "requests have names: the caller's, or one of our own; with the access log every answer says it" {
	start_gateway --access-log access
	curl -sS -D head -o /dev/null -H 'x-request-id: abc.1' "$url/api/agents/runs"
	grep -qi '^x-request-id: abc.1' head
	curl -sS -D head -o /dev/null "$url/api/agents/runs"
	id=$(sed -n 's/^x-request-id: \([0-9a-f-]*\)\r$/\1/p' head)
	[ -n "$id" ]
	await 20 logged ".id == \"$id\""
	logged '.id == "abc.1"'
	for evil in 'a b' 'x"y' "$(printf '%0129d' 0)"; do
		curl -sS -D head -o /dev/null -H "x-request-id: $evil" "$url/api/agents/runs"
		[[ $(sed -n 's/^x-request-id: \(.*\)\r$/\1/p' head) =~ ^[0-9a-f-]{36}$ ]]
	done
	curl -sS -D head -o /dev/null -H "x-request-id: $(printf '%0128d' 0)" "$url/api/agents/runs"
	grep -qi "^x-request-id: $(printf '%0128d' 0)" head
}

@test "without the access log only who names a request is told its name" {
	start_gateway
	curl -sS -D head -o /dev/null "$url/api/agents/runs"
	run ! grep -i '^x-request-id' head
	curl -sS -D head -o /dev/null -H 'x-correlation-id: abc' "$url/api/agents/runs"
	grep -qi '^x-request-id: abc' head
}

@test "a good traceparent is in the access log, another one is not" {
	start_gateway --access-log access
	good=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	code -H "traceparent: $good" -H 'x-request-id: good' "$url/healthz" >/dev/null
	code -H "traceparent: ${good^^}" -H 'x-request-id: bad' "$url/healthz" >/dev/null
	await 20 logged '.id == "bad"'
	jq -e -s --arg good "$good" 'any(.[]; .id == "good" and .traceparent == $good) and any(.[]; .id == "bad" and (has("traceparent") | not))' access
}

@test "what never became a request is a line too" {
	start_gateway --access-log access
	printf 'hello\r\n\r\n' | timeout 20 python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.sendall(sys.stdin.buffer.read()); s.recv(100)' "${url##*:}"
	await 20 logged '.method == null and .path == null and .status == 400'
	[ "$(metric 'agent_gateway_http_requests_total{method="other",route="other",code="400"}')" = 1 ]
}

@test "long and odd paths are cut and stay JSON; secrets in them are taken out" {
	start_gateway --access-log access
	code "$url/$(printf '%02000d' 0)" "$url/api/services/sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789" >/dev/null
	code -A $'\xff"\\' "$url/odd" >/dev/null
	await 20 logged '.path == "/odd"'
	jq -e -s '(.[0].path | length) == 1027 and (.[0].path | endswith("..."))' access
	run ! grep -E 'sk-ant|'$'\x1b' access
}

@test "the access log begins anew after it was moved away; nothing is lost" {
	start_gateway --access-log access
	code "$url/before" >/dev/null
	await 20 logged '.path == "/before"'
	mv access access.1
	code "$url/between" >/dev/null
	kill -HUP "$gateway_pid"
	await 20 test -e access
	code "$url/after" >/dev/null
	await 20 logged '.path == "/after"'
	[ "$(jq -r .path access.1 access | tr '\n' ' ')" = '/before /between /after ' ]
}

@test "standard output takes the access log; what is written at the end comes too" {
	start_gateway --access-log -
	code "$url/last" >/dev/null
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	head -n 1 "$gateway_log.out" | jq -e '.event == "listening"'
	tail -n 1 "$gateway_log.out" | jq -e '.path == "/last"'
}

@test "a reader of the access log that stands still holds nobody up" {
	mkfifo pipe
	exec 8<>pipe # it is open, and never read
	start_gateway --access-log pipe
	for _ in 1 2 3; do
		# 64 KiB fill the pipe; what waits after that has its limit
		seq 2000 | sed "s|.*|url = \"$url/$(printf '%0900d' 0)\"\noutput = /dev/null|" | curl -sS -K - || return 1
	done
	await 20 code -m 5 "$url/healthz"
	[ "$(metric agent_gateway_access_log_skipped_total)" -gt 0 ]
	timeout 60 head -c 6000000 <&8 >read & reader=$!
	is_written() { code "$url/healthz" >/dev/null && grep -q '"skipped":[1-9]' read; }
	await 40 is_written
	kill "$reader" 2>/dev/null || :
	exec 8<&-
}

@test "an access log that cannot be opened is an error at the start" {
	run -9 agent-gateway --listen 127.0.0.1:0 --state state --access-log /nowhere/access
	[[ $output == *"unable to open the access log '/nowhere/access': No such file or directory"* ]]
	mkfifo unread
	run -9 agent-gateway --listen 127.0.0.1:0 --state state --access-log unread
}

@test "a full disk ends the access log, not the gateway, and is said once" {
	[ -w /dev/full ] || skip "there is no /dev/full"
	start_gateway --access-log /dev/full
	for _ in 1 2 3 4 5 6 7 8; do code "$url/healthz" >/dev/null; done
	await 20 has_line "$gateway_log.err" 'unable to write to the access log'
	[ "$(code "$url/healthz")" = 200 ]
	[ "$(grep -c 'unable to write to the access log' "$gateway_log.err")" = 1 ]
}
