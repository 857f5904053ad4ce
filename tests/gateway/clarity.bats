#!/usr/bin/env bats
# The Clarity surface: routes, validation texts and shapes, byte for byte where the contract is.
load ../lib/common

setup() {
	common_setup
	start_gateway
}
teardown() { common_teardown; }

post() { curl -sS -w '\n%{http_code}' -d "$2" "$url$1"; }
event() { post /api/agents/events "$1"; }
error() { printf '{\n  "error": "%s"\n}\n\n%s' "$1" "$2"; }

@test "the registry is laid out and shaped as the contract says" {
	run -0 curl -sSi "$url/api/agents/registry"
	[[ $output == *"content-type: application/json; charset=utf-8"* ]]
	[[ $output == *$'{\n  "count": 2,\n  "items": [\n    {\n      "serviceId": "svc_echo",\n      "displayName": "Echo",\n'* ]]
	curl -sS "$url/api/agents/registry" | jq -e '.items[0] | .policy.restart.mode == "never" and .interface == null and .agent.a2a == {"enabled":false,"compliant":false} and (.agent.inputs == [])'
	[ "$(curl -sS "$url/api/agents/registry" | jq -c '.items[0] | keys_unsorted')" = '["serviceId","displayName","sourceFile","module","serviceType","originType","lifecycle","health","enabled","autostart","uptimeSeconds","restartCount","createdAt","updatedAt","policy","interface","agent"]' ]
}

@test "posted events are checked in the contract's order, with its texts" {
	[ "$(event '{"kind":"x"}')" = "$(error "expected kind to start with 'agent.'" 400)" ]
	[ "$(event '{}')" = "$(error "expected kind to start with 'agent.'" 400)" ]
	[ "$(event '{"kind":"agent.run_created","run_id":"r","data":{"trigger":"cron"}}')" = "$(error 'invalid trigger: expected one of timer|event|api|a2a' 400)" ]
	[ "$(event '{"kind":"agent.run_created","run_id":"r","data":{"trigger":"api","route":"/x"}}')" = "$(error 'missing trigger context for api: method, requestId, caller' 400)" ]
	[ "$(event '{"kind":"agent.run_created","run_id":"r","data":{"trigger":"TIMER","triggerContext":{"schedule_id":"a"}}}')" = "$(error 'missing trigger context for timer: scheduleExpr, firedAt' 400)" ]
	for kind in run_started run_completed run_failed run_cancelled waiting handoff tool_called llm_called hitl_input chat.user_message chat.assistant_message \
		chat.system_message step_started step_completed run_created; do
		[ "$(event "{\"kind\":\"agent.$kind\"}")" = "$(error "runId is required for agent.$kind" 400)" ]
	done
	[ "$(event '{"kind":"agent.step_started","run_id":"r"}')" = "$(error 'stepId is required for agent.step_started' 400)" ]
	ctx='"triggerContext":{"route":"a","method":"b","requestId":"c","caller":"d"}'
	[ "$(event "{\"kind\":\"agent.run_created\",\"run_id\":\"r\",\"service_id\":\"nope\",\"data\":{\"trigger\":\"api\",$ctx}}")" = "$(error 'service not found: nope' 400)" ]
	[ "$(event '{"kind":"agent.run_created","run_id":"r","service_id":"svc_echo"}')" = "$(error 'trigger is required for agent.run_created when service_id is set (svc_echo)' 400)" ]
	[ "$(event '{"kind":"agent.run_created","run_id":"r","service_id":"svc_echo","data":{"trigger":"event","triggerContext":{"eventType":"a","eventId":"b","correlationId":"c","producer":"d"}}}')" = "$(error "trigger 'event' is not declared by agent svc_echo; declared: api" 400)" ]
	[ "$(event '{"kind":"agent.xyz"}')" = $'{\n  "ok": true\n}\n\n200' ]
}

@test "what is stored: the overlay, the default message, the level, the service" {
	event '{"kind":" agent.waiting ","level":"loud","run_id":"r","agent":"a","data":{"agent":"old","runId":"x","k":1e2}}' >/dev/null
	event '{"kind":"agent.note","message":"  hi ","data":{"run_id":"r","serviceId":"s"}}' >/dev/null
	[ "$(agent-events r --jq 'del(.seq, .at) | tojson' | head -n 1)" = '{"kind":"agent.waiting","level":"info","message":"agent.waiting (r)","data":{"agent":"a","runId":"r","k":100}}' ]
	[[ $(agent-events r | head -n 1) == *'"k":1e2'* ]]
	[ "$(agent-events r --jq '[.message, .serviceId] | tojson' | tail -n 1)" = '["  hi ","s"]' ]
}

@test "bodies: empty is an object, and so is what has no members; null and what is no JSON are not; too large is 413" {
	[ "$(event '')" = "$(error "expected kind to start with 'agent.'" 400)" ]
	for body in '[]' '"x"' 7 true '[{"kind":"agent.x"}]'; do
		[ "$(event "$body")" = "$(error "expected kind to start with 'agent.'" 400)" ]
		[ "$(curl -sS -w '\n%{http_code}' -d "$body" "$url/api/agents/runs/r/messages")" = "$(error 'expected non-empty message (or text/input)' 400)" ]
		[ "$(curl -sS -w '\n%{http_code}' -d "$body" "$url/api/services/apply")" = "$(error 'expected { manifest }' 400)" ]
	done
	for body in null '{' '{"kind":"agent.x"} x' $'{"kind":"agent.\xff"}'; do
		[ "$(event "$body")" = "$(error 'invalid JSON body' 400)" ] || { echo "$body"; return 1; }
	done
	head -c 1048577 /dev/zero | tr '\0' ' ' >big
	[ "$(curl -sS -w '\n%{http_code}' --data-binary @big "$url/api/agents/events")" = "$(error 'request body too large (>1048576 bytes)' 413)" ]
	truncate -s 1048576 big
	[ "$(curl -sS -w '\n%{http_code}' --data-binary @big "$url/api/agents/events" | tail -n 1)" = 400 ]
	[ "$(curl -sS -w '\n%{http_code}' -H 'Transfer-Encoding: chunked' -d '{"kind":"agent.chunked"}' "$url/api/agents/events" | tail -n 1)" = 200 ]
	printf x >>big
	[ "$(curl -sS -w '\n%{http_code}' -H 'Transfer-Encoding: chunked' --data-binary @big "$url/api/agents/events" | tail -n 1)" = 413 ]
}

@test "limits are read as the contract reads them" {
	for i in 1 2 3; do event '{"kind":"agent.n","run_id":"r"}' >/dev/null; done
	for pair in 0:1 -5:1 :1 2.9:2 1e0:1 0x2:2 abc:3 99999:3; do
		[ "$(curl -sS "$url/api/agents/runs/r/events?limit=${pair%:*}" | jq '.items | length')" = "${pair#*:}" ] || { echo "$pair"; return 1; }
	done
	[ "$(curl -sS "$url/api/agents/runs/r/events?limit=2" | jq -c '[.items[].seq]')" = '[2,3]' ]
	[ "$(curl -sS "$url/api/agents/runs/none/events")" = $'{\n  "runId": "none",\n  "items": []\n}' ]
}

@test "unknown paths are 404 as text, wrong methods 405 with Allow, HEAD has no body" {
	[ "$(curl -sS -w '%{http_code} %{content_type}' "$url/nope")" = $'Not found\n404 text/plain; charset=utf-8' ]
	[ "$(curl -sS -w '%{http_code}' "$url/api/agents/registry/")" = $'Not found\n404' ]
	run -0 curl -sSi -X DELETE "$url/api/agents/events"
	[[ $output == *"405 Method Not Allowed"* && $output == *"allow: POST, GET, HEAD"* ]]
	run -0 curl -sSI "$url/api/agents/registry"
	[[ $output == *"200 OK"* && $output == *"content-length: "* ]]
	[ "$(curl -sS -w '%{http_code}' "$url/api/agents/runs/%/events")" = $'{\n  "error": "URI malformed"\n}\n400' ]
}

@test "a message answers with the contract's members, and seq" {
	agent-run-create --agent echo --run r1 >/dev/null
	[ "$(post /api/agents/runs/r1/messages '{"message":" hello password=x "}' | jq -c . 2>/dev/null | head -n 1)" = '{"ok":true,"runId":"r1","role":"user","kind":"agent.chat.user_message","runtime_chat_execution_queued":true,"message_truncated":false,"message_redacted":true,"serviceId":"svc_echo","agent":"echo","seq":3}' ]
	[ "$(post /api/agents/runs/r1/messages '{"text":"  "}')" = "$(error 'expected non-empty message (or text/input)' 400)" ]
	[ "$(post /api/agents/runs/r1/messages '{"input":"x","role":"king"}')" = "$(error 'expected role to be one of: user, assistant, system' 400)" ]
	[ "$(post /api/agents/runs/%20/messages '{"message":"x"}')" = "$(error 'runId is required' 400)" ]
	[ "$(post /api/agents/runs/r1/hitl '{"message":"x","kind":"other"}')" = "$(error "expected kind to start with 'agent.'" 400)" ]
	[ "$(post /api/agents/runs/r1/hitl '{"message":"x"}' | sed '$d' | jq -c 'del(.seq)')" = '{"ok":true,"runId":"r1","kind":"agent.hitl_input","runtime_chat_execution_queued":true,"message_truncated":false,"message_redacted":false,"serviceId":"svc_echo","agent":"echo"}' ]
	agent-emit --run r1 --kind agent.run_cancelled >/dev/null
	[ "$(post /api/agents/runs/r1/messages '{"message":"x"}')" = $'{\n  "error": "run is terminal and no longer accepts chat messages: r1",\n  "runId": "r1",\n  "status": "cancelled"\n}\n\n409' ]
}

@test "lists take ?after= and say whether there is more" {
	for i in 1 2 3; do event '{"kind":"agent.n","run_id":"r"}' >/dev/null; done
	[ "$(curl -sS "$url/api/agents/runs/r/events?after=0&limit=2" | jq -c '[[.items[].seq], .after, .more]')" = '[[1,2],2,true]' ]
	[ "$(curl -sS "$url/api/agents/events?after=2" | jq -c '[[.items[].seq], .after, .more]')" = '[[3],3,false]' ]
	[ "$(curl -sS "$url/api/agents/events?after=3" | jq -c '[.items, .after, .more]')" = '[[],3,false]' ]
	[ "$(curl -sS -w '\n%{http_code}' "$url/api/agents/events?after=4")" = "$(error 'cursor 4 is ahead of the log (last 3)' 410)" ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/api/agents/events?after=x")" = 400 ]
}

@test "idempotency keys: replayed, refused for another body, refused when they are none" {
	run -0 curl -sSi -H 'Idempotency-Key: k' -d '{"kind":"agent.n"}' "$url/api/agents/events"
	run -0 curl -sSi -H 'Idempotency-Key: k' -d '{"kind":"agent.n"}' "$url/api/agents/events"
	[[ $output == *"idempotency-replayed: true"* ]]
	[ "$(curl -sS "$url/api/agents/events" | jq '.items | length')" = 1 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Idempotency-Key: k' -d '{"kind":"agent.m"}' "$url/api/agents/events")" = 409 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Idempotency-Key: a b' -d '{"kind":"agent.m"}' "$url/api/agents/events")" = 400 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -H "Idempotency-Key: $(printf 'k%.0s' {1..256})" -d '{"kind":"agent.m"}' "$url/api/agents/events")" = 400 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -H "Idempotency-Key: $(printf 'k%.0s' {1..255})" -d '{"kind":"agent.m"}' "$url/api/agents/events")" = 200 ]
}

@test "a stream sends its head at once, ids, what was missed, and says when it is live" {
	start sse curl -sSNi "$url/api/agents/runs/r/events/stream"
	await 10 has_line sse.out '^: live'
	grep -q 'content-type: text/event-stream; charset=utf-8' sse.out
	event '{"kind":"agent.n","run_id":"r"}' >/dev/null
	await 10 has_line sse.out '^id: 1'
	event '{"kind":"agent.n","run_id":"other"}' >/dev/null
	event '{"kind":"agent.m","run_id":"r"}' >/dev/null
	await 10 has_line sse.out '^id: 3'
	! grep -q '^id: 2' sse.out
	start again curl -sSN -H 'Last-Event-ID: 1' "$url/api/agents/runs/r/events/stream"
	await 10 has_line again.out '^: live'
	[ "$(grep -c '^data: ' again.out)" = 1 ]
	start all curl -sSN "$url/api/events"
	await 10 has_line all.out '^: live'
	[ "$(grep -c '^data: ' all.out)" = 3 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/api/events?after=77")" = 410 ]
}

@test "streams show that they are alive" {
	common_teardown
	start_gateway --ping 500ms
	start sse curl -sSN "$url/api/events"
	await 10 count_lines sse.out '^: ping' 2
}

@test "the status has the contract's members" {
	agent-run-create --agent echo >/dev/null
	curl -sS "$url/api/status" | jq -e '.gateway.healthy and .summary.agentServices == 2 and .agents.totalRuns == 1 and .agents.running == 1 and .runtime.version'
	[ "$(curl -sS "$url/healthz" | jq -r .status)" = ok ]
}
