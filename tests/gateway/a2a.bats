#!/usr/bin/env bats
# Messages between agents: the contract's checks in its order, its events, and the limits that agents declare.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }

# handing NAME A2A-JSON: an agent that takes part, in ./agents
handing() {
	mkdir -p agents
	jq --arg id "$1" --argjson a2a "$2" '.metadata.serviceId = "svc_" + $id | .metadata.agent.agentId = $id | .metadata.agent.name = "N " + $id
		| .metadata.agent.triggers = ["a2a"] | .metadata.agent.a2a = $a2a' "$AU_SRC/bin/gateway/builtin/echo.json" >"agents/$1.json"
}
two_agents() {
	handing alpha '{"protocol":"clarity.a2a.v1"}'
	handing beta '{"protocol":"clarity.a2a.v1","acceptedMessageKinds":["handoff.request"],"emitsMessageKinds":["handoff.accepted","handoff.completed"],"maxPayloadBytes":2000}'
	cp "$AU_SRC/bin/gateway/builtin/echo.json" agents/
	start_gateway --agents agents
}
envelope='{"protocol":"clarity.a2a.v1","kind":"handoff.request","messageId":"m1","sentAt":"2026-11-21T00:00:00Z","from":{"agentId":"alpha"},"to":{"agentId":"beta"},"context":{"runId":"r1","parentRunId":"p1","handoffReason":"too hard"},"payload":{"n":12345678901234567890}}'
send() { curl -sS -o answer -w '%{http_code}' -H 'content-type: application/json' -d "$1" "$url/api/a2a/messages"; }
with() { jq -c "$1" <<<"$envelope"; }
refused() { # STATUS TEXT CHANGE
	[ "$(send "$(with "$3")")" = "$1" ] || { cat answer; return 1; }
	[ "$(jq -r .error answer)" = "$2" ] || { cat answer; return 1; }
}

@test "a request: 202, and the contract's three events with the whole envelope" {
	two_agents
	[ "$(send "$envelope")" = 202 ]
	[ "$(jq -c . answer)" = '{"ok":true,"accepted":true,"protocol":"clarity.a2a.v1","messageId":"m1","kind":"handoff.request","runId":"r1","serviceId":"svc_beta","agentId":"beta","recordedKinds":["agent.run_created","agent.handoff","agent.run_started"]}' ]
	[ "$(agent-events r1 --jq .message | tr '\n' ';')" = 'A2A run created (r1);A2A handoff alpha -> beta;A2A run started (r1);' ]
	agent-events r1 | while read -r line; do [[ $line == *"\"a2a\":$envelope"* ]]; done
	agent-events r1 --jq 'select(.kind=="agent.run_created") | .data.triggerContext | tojson' | grep -qxF '{"parentRunId":"p1","fromAgentId":"alpha","handoffReason":"too hard","protocol":"clarity.a2a.v1","messageId":"m1","kind":"handoff.request","sentAt":"2026-11-21T00:00:00Z"}'
	agent-events r1 --jq 'select(.kind=="agent.handoff") | .data | [.handoffReason, .from, .to, .messageKind] | tojson' | grep -qxF '["too hard","alpha","beta","handoff.request"]'
	[ "$(agent-runs r1 --jq '[.agent, .serviceId, .trigger, .parentRunId, .fromAgentId, .status, .handoffCount] | tojson')" = '["beta","svc_beta","a2a","p1","alpha","running",1]' ]
	# the run is there: only the handoff is recorded
	[ "$(send "$(with '.messageId = "m2" | .context.correlationId = "c"')")" = 202 ]
	jq -e '.recordedKinds == ["agent.handoff"]' answer
	[ "$(agent-runs r1 --jq .correlationId)" = c ]
}

@test "the checks, in order, with the contract's texts; snake_case is read too" {
	two_agents
	refused 400 "invalid a2a.protocol: expected 'clarity.a2a.v1'" '.protocol = "x" | .kind = 1'
	refused 400 'invalid a2a.kind: expected handoff.request|handoff.accepted|handoff.rejected|handoff.completed' '.kind = "x" | .messageId = ""'
	refused 400 'invalid a2a.messageId: expected non-empty string' '.messageId = " " | .sentAt = 1'
	refused 400 'invalid a2a.sentAt: expected RFC3339 timestamp' '.sentAt = "yesterday" | .from = {}'
	refused 400 'invalid a2a.from: expected non-empty from.agentId' '.from = {} | .to = {}'
	refused 400 'invalid a2a.to: expected non-empty to.agentId' '.to = "beta" | .context = {}'
	refused 400 'invalid a2a.context: expected non-empty runId, parentRunId, and handoffReason' 'del(.context.parentRunId)'
	refused 404 'target service not found: svc_x' '.to.serviceId = "svc_x"'
	refused 400 "target service does not declare trigger 'a2a': svc_echo" '.to.serviceId = "svc_echo"'
	refused 400 "target agent mismatch: envelope to.agentId='beta' does not match service agentId='alpha'" '.to.serviceId = "svc_alpha"'
	refused 404 'target agent not found (or not a2a-enabled): gamma' '.to.agentId = "gamma"'
	refused 400 'source service not found: svc_x' '.from.serviceId = "svc_x"'
	refused 400 "source agent mismatch: envelope from.agentId='alpha' does not match service agentId='beta'" '.from.serviceId = "svc_beta"'
	[ "$(send '{}')" = 400 ]
	[ "$(send '[]')" = 400 ]
	[ "$(agent-runs --quiet | wc -l)" = 0 ]
	[ "$(send '{"protocol":"clarity.a2a.v1","kind":"handoff.request","message_id":"m","timestamp":"2026-11-21T00:00:00+01:00","from":{"agent_id":"alpha"},"to":{"agent_id":"beta","service_id":"svc_beta"},"context":{"run_id":"r","parent_run_id":"p","handoff_reason":"h"}}')" = 202 ]
}

@test "two services of one agent id: only the service tells them apart" {
	handing alpha '{"protocol":"clarity.a2a.v1"}'
	handing beta '{"protocol":"clarity.a2a.v1"}'
	jq '.metadata.serviceId = "svc_beta2"' agents/beta.json >agents/beta2.json
	start_gateway --agents agents
	refused 409 'ambiguous target agent id: beta (multiple services registered)' .
	[ "$(send "$(with '.to.serviceId = "svc_beta2"')")" = 202 ]
	jq -e '.serviceId == "svc_beta2"' answer
}

@test "a messageId is taken once, also after a restart and thousands of events" {
	two_agents
	[ "$(send "$envelope")" = 202 ]
	refused 409 'duplicate a2a.messageId: m1' .
	refused 409 'duplicate a2a.messageId: m1' '.context.runId = "other"'
	# before anything is said of the target
	refused 409 'duplicate a2a.messageId: m1' '.to.serviceId = "svc_x"'
	refused 400 "invalid a2a.kind: expected handoff.request|handoff.accepted|handoff.rejected|handoff.completed" '.kind = "x"'
	for n in $(seq 2100); do echo "{\"kind\":\"agent.note\",\"data\":{\"runId\":\"noise\",\"n\":$n}}"; done | agent-emit >/dev/null
	kill "$gateway_pid"
	await 15 gone "$gateway_pid"
	start_gateway --agents agents
	refused 409 'duplicate a2a.messageId: m1' .
	[ "$(agent-events r1 --kind agent.handoff | wc -l)" = 1 ]
	# a refused one is not taken
	refused 404 'target agent not found (or not a2a-enabled): gamma' '.messageId = "m3" | .to.agentId = "gamma"'
	[ "$(send "$(with '.messageId = "m3"')")" = 202 ]
}

@test "what agents declare holds: accepted and emitted kinds, the largest payload" {
	two_agents
	refused 400 "target agent beta does not accept a2a.kind 'handoff.rejected'; accepted: handoff.request" '.kind = "handoff.rejected"'
	refused 400 "source agent beta does not emit a2a.kind 'handoff.request'; emitted: handoff.accepted, handoff.completed" '.from = {agentId: "beta", serviceId: "svc_beta"} | .to.agentId = "alpha"'
	exactly() { with ".payload = \"\"" | python3 -c "import sys,json; e=json.load(sys.stdin); e['payload']='x'*($1-len(json.dumps(e,separators=(',',':')))); print(json.dumps(e,separators=(',',':')))"; }
	[ "$(send "$(exactly 2001)")" = 413 ]
	[ "$(jq -r .error answer)" = 'a2a payload too large (2001 > 2000 bytes)' ]
	# blanks between the members do not count
	[ "$(send "$(exactly 2000 | jq .)")" = 202 ]
}

@test "65536 bytes at most, or as CLARITY_A2A_MAX_MESSAGE_BYTES says" {
	handing alpha '{"protocol":"clarity.a2a.v1"}'
	exactly() { with '.to.agentId = "alpha" | .payload = ""' | python3 -c "import sys,json; e=json.load(sys.stdin); e['payload']='x'*($1-len(json.dumps(e,separators=(',',':')))); print(json.dumps(e,separators=(',',':')))" >body; }
	start_gateway --agents agents
	exactly 65537
	[ "$(send @body)" = 413 ]
	[ "$(jq -r .error answer)" = 'a2a payload too large (65537 > 65536 bytes)' ]
	exactly 65536
	[ "$(send @body)" = 202 ]
	kill "$gateway_pid"
	await 15 gone "$gateway_pid"
	CLARITY_A2A_MAX_MESSAGE_BYTES=1000 start_gateway --agents agents
	exactly 1001
	[ "$(send @body)" = 413 ]
}

@test "a run that is over takes none" {
	two_agents
	[ "$(send "$envelope")" = 202 ]
	agent-emit --run r1 --kind agent.run_completed >/dev/null
	[ "$(send "$(with '.messageId = "m2"')")" = 409 ]
	[ "$(jq -c . answer)" = '{"error":"run is terminal and no longer accepts A2A messages: r1","runId":"r1","status":"completed"}' ]
}

@test "secrets in an envelope are not stored" {
	two_agents
	[ "$(send "$(with '.payload = {apiKey: "hunter2x", note: "Bearer hunter2x"}')")" = 202 ]
	agent-events r1 --jq '.data.a2a.payload | tojson' | sort -u | grep -qxF '{"apiKey":"[REDACTED]","note":"Bearer [REDACTED]"}'
	! grep -rqa hunter2x state
}

@test "capabilities: who takes part, with what" {
	two_agents
	curl -sS "$url/api/a2a/capabilities" >answer
	jq -e '.protocol == "clarity.a2a.v1" and .ingestPath == "/api/a2a/messages" and .count == 2 and (.lastUpdated | test("Z$"))' answer
	[ "$(jq -c '.items[1]' answer)" = '{"serviceId":"svc_beta","displayName":"Echo","lifecycle":"RUNNING","health":"HEALTHY","agentId":"beta","name":"N beta","role":"assistant","protocol":"clarity.a2a.v1","compliant":true,"ingestPath":"/api/a2a/messages","acceptedMessageKinds":["handoff.request"],"emitsMessageKinds":["handoff.accepted","handoff.completed"],"maxPayloadBytes":2000}' ]
	jq -e '.items[0].acceptedMessageKinds | length == 4' answer
}
