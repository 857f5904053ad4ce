#!/usr/bin/env bats
# fake-clarity.bats - the stand-in for the Clarity runtime says what the daemon says
load lib/common

setup() {
	common_setup
	start_clarity --slow-ms 300
}
teardown() { common_teardown; }

post() { curl -s -X POST -d "$2" "$url$1"; }
events() { curl -s "$url/api/agents/runs/$1/events"; }
settled() { [ "$(events "$1" | jq -r '.items[-1].kind')" = agent.waiting ]; }
fault() { post /__fake "$1" >/dev/null; }

@test "the three lines of the start" {
	run cat "$clarity_log.out"
	assert_line -n 0 "clarityd listening on $url"
	assert_line -n 1 "status page: $url/status"
	assert_line -n 2 "auth: loopback-only (set CLARITYD_AUTH_TOKEN to allow secured non-loopback access)"
}

@test "JSON is pretty-printed with two spaces and a final newline" {
	curl -si "$url/api/agents/runs" >answer
	run cat answer
	assert_line -p "content-type: application/json; charset=utf-8"
	assert_line -p "Content-Length: 18"
	printf '{\n  "items": []\n}\n' >want
	tail -c 18 answer | cmp - want
}

@test "an unknown path, method or trailing slash is a plain 404" {
	for path in /nope /api/agents/registry/ /api/agents/runs/a/messages; do
		run curl -s -w '%{http_code} %{content_type}' "$url$path"
		assert_output "Not found
404 text/plain; charset=utf-8"
	done
	run curl -s -o /dev/null -w '%{http_code}' -I "$url/api/agents/registry"
	assert_output 404
}

@test "an echo chat has the executor's events, in order" {
	run post /api/agents/runs/r1/messages '{"message":" my token: abc ","service_id":"svc_00echo","agent":"echo-agent"}'
	assert_output '{
  "ok": true,
  "runId": "r1",
  "role": "user",
  "kind": "agent.chat.user_message",
  "runtime_chat_execution_queued": true,
  "message_truncated": false,
  "message_redacted": true,
  "serviceId": "svc_00echo",
  "agent": "echo-agent"
}'
	await 5 settled r1
	run jq -r '.items[] | "\(.seq) \(.kind) \(.level) \(.message)"' <(events r1)
	assert_output "1 agent.chat.user_message info user chat message received (r1)
2 agent.step_started info Runtime chat processing started (r1)
3 agent.chat.assistant_message info Assistant message emitted (r1)
4 agent.step_completed info Runtime chat response ready (r1)
5 agent.waiting info Awaiting next operator input (r1)"
	run jq -r '.items[2].data.message' <(events r1)
	assert_output 'Echo: my token=[REDACTED]'
}

@test "a run that nobody named an agent for is one of an unknown agent" {
	post /api/agents/runs/n/messages '{"message":"x","service_id":"svc_00echo"}' >/dev/null
	await 5 settled n
	run jq -r '[.items[] | .data.agent // "-"] | join(" ")' <(events n)
	assert_output '- unknown unknown unknown unknown'
	run post /api/agents/runs/n/messages '{"message":"y"}'
	assert_output -p '"agent": "unknown"'
}

@test "a disabled agent only waits, a failing one says so, and a tool call takes a seq" {
	post /api/agents/runs/d/messages '{"message":"x","service_id":"svc_01disabled"}' >/dev/null
	await 5 settled d
	run jq -r '.items[-1] | .level, .message, .data.reason' <(events d)
	assert_output "warn
Runtime chat disabled for agent (d)
runtime chat disabled by agent configuration"
	post /api/agents/runs/f/messages '{"message":"x","service_id":"svc_05failing"}' >/dev/null
	await 5 settled f
	run jq -r '.items[] | "\(.level) \(.kind)"' <(events f)
	assert_output "info agent.chat.user_message
info agent.step_started
info agent.tool_called
error agent.step_completed
warn agent.waiting"
	run jq -r '.items[3].seq - .items[2].seq' <(events f)
	assert_output 2
}

@test "the refusals of messages" {
	run jq -r .error <(post /api/agents/runs/r/messages '{}')
	assert_output 'expected non-empty message (or text/input)'
	run jq -r .error <(post /api/agents/runs/r/messages '{"text":"x","role":"boss"}')
	assert_output 'expected role to be one of: user, assistant, system'
	run jq -r .error <(post /api/agents/runs/%20/messages '{}')
	assert_output 'runId is required'
	run jq -r .error <(post /api/agents/runs/%zz/messages '{}')
	assert_output 'URI malformed'
	run jq -r .error <(post /api/agents/runs/r/messages '{')
	assert_output 'invalid JSON body'
	fault '{"terminal":"r"}'
	run jq -c . <(post /api/agents/runs/r/messages '{"message":"x"}')
	assert_output '{"error":"run is terminal and no longer accepts chat messages: r","runId":"r","status":"completed"}'
	run curl -s -o /dev/null -w '%{http_code}' -d '{"message":"x"}' "$url/api/agents/runs/r/messages"
	assert_output 409
}

@test "the refusals of events, in their order" {
	local kind=agent.run_created
	while IFS='|' read -r body want; do
		run jq -r .error <(post /api/agents/events "$body")
		assert_output "$want"
	done <<-'END'
		{"kind":"x"}|expected kind to start with 'agent.'
		{"kind":"agent.run_created","data":{"trigger":"boss"}}|invalid trigger: expected one of timer|event|api|a2a
		{"kind":"agent.run_created","data":{"trigger":"api","route":"r"}}|missing trigger context for api: method, requestId, caller
		{"kind":"agent.waiting"}|runId is required for agent.waiting
		{"kind":"agent.step_started","runId":"r"}|stepId is required for agent.step_started
		{"kind":"agent.run_created","service_id":"svc_x"}|service not found: svc_x
		{"kind":"agent.run_created","service_id":"svc_00echo"}|trigger is required for agent.run_created when service_id is set (svc_00echo)
		{"kind":"agent.run_created","service_id":"svc_09timer","data":{"trigger":"api","route":"r","method":"m","requestId":"q","caller":"c"}}|trigger 'api' is not declared by agent svc_09timer; declared: timer
	END
	run post /api/agents/events '{"kind":"agent.odd"}'
	assert_output '{
  "ok": true
}'
}

@test "a stream has no ids, and its head comes with the first event" {
	curl -sN -D head "$url/api/agents/runs/s/events/stream" >body 2>/dev/null 3>&- &
	started+=($!)
	await 5 eval '[ "$(curl -s $url/__fake | jq .streams)" = 1 ]'
	[ ! -s head ]
	post /api/agents/runs/s/messages '{"message":"hi","service_id":"svc_00echo"}' >/dev/null
	await 5 has_line body '"kind":"agent.waiting"'
	run grep -vc -e '^data: {' -e '^$' body
	assert_output 0
	run cat head
	assert_line -p 'content-type: text/event-stream; charset=utf-8'
}

@test "the ring forgets after 2000 events, limit is clamped to 2000" {
	fault '{"flood":2100}'
	run curl -s "$url/api/agents/runs/run_flood/events?limit=5000"
	run jq -r '"\(.items | length) \(.items[0].seq) \(.items[-1].seq)"' <<<"$output"
	assert_output '2000 101 2100'
	run jq '.items | length' <(curl -s "$url/api/agents/runs/run_flood/events?limit=0")
	assert_output 1
	run jq '.items | length' <(curl -s "$url/api/agents/runs/run_flood/events?limit=x")
	assert_output 200
}

@test "a message sent twice is two messages: keys mean nothing" {
	for n in 1 2; do
		curl -s -o /dev/null -H 'Idempotency-Key: k' -d '{"message":"hi"}' "$url/api/agents/runs/k/messages"
	done
	run jq '[.items[] | select(.kind == "agent.chat.user_message")] | length' <(events k)
	assert_output 2
}

@test "chunked bodies are read, large ones refused" {
	run jq .ok <(printf '{"message":"x"}' | curl -s -H 'Transfer-Encoding: chunked' -d @- "$url/api/agents/runs/c/messages")
	assert_output true
	head -c 1048577 /dev/zero | tr '\0' x >large
	run jq -r .error <(curl -s -H 'Expect:' --data-binary @large "$url/api/agents/runs/c/messages")
	assert_output 'request body too large (>1048576 bytes)'
}

@test "auth: a wrong bearer hides a right x-clarity-token" {
	start_clarity --auth-token sesame
	run curl -s -w '%{http_code}' "$url/api/agents/runs"
	assert_output '{
  "error": "unauthorized"
}
401'
	run curl -s -o /dev/null -w '%{http_code}' -H 'authorization: bearer  sesame ' "$url/api/agents/runs"
	assert_output 200
	run curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer x' -H 'x-clarity-token: sesame' "$url/api/agents/runs"
	assert_output 401
	run curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Basic x' -H 'x-clarity-token: sesame' "$url/api/agents/runs"
	assert_output 200
}

@test "with --state a kill and a restart keep the events" {
	start_clarity --state log
	post /api/agents/runs/r1/messages '{"message":"hi","service_id":"svc_00echo"}' >/dev/null
	await 5 settled r1
	kill -9 "$clarity_pid"
	await 5 gone "$clarity_pid"
	start_clarity --state log
	run jq -r '.items[-1] | "\(.seq) \(.kind)"' <(events r1)
	assert_output '5 agent.waiting'
}

@test "faults: stream, lists, and messages" {
	fault '{"stream":"404","events":"html","messages":"lose"}'
	run curl -s -o /dev/null -w '%{http_code}' "$url/api/agents/runs/a/events/stream"
	assert_output 404
	run events a
	assert_output -p '<html>'
	run curl -s -d '{"message":"x"}' "$url/api/agents/runs/a/messages"
	assert_failure
	fault '{"events":"truncate"}'
	run curl -s "$url/api/agents/runs/a/events"
	assert_failure 18
	fault '{"events":null,"stream":"cut-mid-record"}'
	[ "$(events a | jq '.items | length')" -ge 1 ]
}
