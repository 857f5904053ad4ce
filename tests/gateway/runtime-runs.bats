#!/usr/bin/env bats
# Agents whose origin is a runtime: a run is a thread, on both surfaces.
load ../lib/common

setup() {
	common_setup
	cat >script <<-'END'
		{"on":"turn","contains":"DELTAS"}
		{"think":"hm"}
		{"delta":"one "},{"wait":"300ms"}
		{"delta":"two "},{"wait":"300ms"}
		{"delta":"three"}
		{"on":"turn","contains":"SLOW"}
		{"delta":"begun "}
		{"hang":true}
		{"on":"turn","contains":"ASK"}
		{"command":"touch asked","ask":true,"output":"done"}
		{"say":"${answer}"}
		{"on":"turn","contains":"FAIL"}
		{"fail":"it went wrong","info":"serverOverloaded"}
		{"on":"turn","contains":"DIE"}
		{"exit":3}
	END
	sed -i 's/},{/}\n{/' script
	runtime_manifest mock '{"command":["agent-runtime-mock","--script","'"$PWD/script"'"],"workspace":"acme"}'
}
teardown() { common_teardown; }

gateway() { start_gateway --agents agents "$@"; }
begin() { agent-run-create --service svc_mock --agent mock --run "$1" >made; }
has() { jq -e -s "any(.[]; $2)" "$1"; } # FILE FILTER
await_kind() { await 30 seen "$1" "$2"; } # RUN KIND
seen() { agent-events "$1" --kind "$2" >found 2>/dev/null && [ -s found ]; }

@test "a message is a turn of the run's thread, and both surfaces tell it" {
	gateway
	agent-registry --jq '[.serviceId, .originType, .lifecycle] | join(" ")' >list
	[ "$(cat list)" = "svc_mock runtime RUNNING" ]
	begin r1
	agent-send --run r1 hello | agent-watch --until waiting --timeout 30s --outcome=ignore >events
	jq -e -s 'map(.kind) == ["agent.step_started", "agent.chat.assistant_message", "agent.step_completed", "agent.waiting"]' <(grep -v delta events)
	has events '.kind == "agent.step_started" and (.data.strategy == "runtime")'
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("response: hello"))'
	agent-thread-show r1 | jq -e '.threadId == "r1" and .status == "completed" and .workspaceSlug == "acme" and .title == "mock"'
	agent-events --thread r1 >thread
	jq -e -s 'map(.method) | map(select(. != "turn.usage")) | reduce .[] as $m ([]; if .[-1] == $m then . else . + [$m] end) == ["thread.started", "turn.started", "item.delta", "runtime.metadata", "turn.completed"]' thread
	jq -e -s '.[1].payload.text == "hello" and (.[-1].payload.output.text | endswith("hello"))' thread
	# both sides' ends are stored in one change: of one time, side by side
	[ "$(jq -r 'select(.method == "turn.completed").createdAt' thread)" = "$(jq -r 'select(.kind == "agent.chat.assistant_message").at' events)" ]
	[ "$(($(jq 'select(.method == "turn.completed").cursor' thread) + 1))" = "$(jq 'select(.kind == "agent.chat.assistant_message").seq' events)" ]
	# the next message is the next turn of the same thread of the runtime
	agent-send --run r1 again | agent-watch --until waiting --timeout 30s --outcome=ignore >events
	[ "$(agent-events --thread r1 --kind turn.completed | wc -l)" = 2 ]
	[ "$(agent-threads --workspace acme --jq .threadId)" = r1 ]
	# what the turns have cost is the run's, and stays
	want=$(agent-events --thread r1 --kind turn.completed | jq -cs 'map(.payload.usage | to_entries) | add | group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries')
	jq -ne --argjson u "$want" '$u.totalTokens > 0'
	agent-runs r1 | jq -e --argjson u "$want" '.usage == $u'
	begin r0
	agent-runs r0 | jq -e 'has("usage") | not'
}

@test "one cursor for both surfaces: what one has not told yet the other does" {
	gateway
	begin r1
	agent-send --run r1 DELTAS >sent
	await_kind r1 agent.waiting
	agent-events r1 >run_events
	agent-events --thread r1 >thread_events
	# no event has the number of another one, and what both tell has one number
	{ jq -r '.seq' run_events; jq -r .cursor thread_events; } | sort -n | uniq -d >twice
	[ ! -s twice ]
	curl -sf "$url/api/agents/runs/r1/events?deltas=true&after=0" >whole
	jq -r '.items[] | select(.kind == "agent.chat.delta") | .seq' whole >of_run
	jq -r 'select(.method == "item.delta").cursor' thread_events >of_thread
	[ -s of_run ]
	cmp of_run of_thread
	# from the middle of the run, on as a thread: nothing is lost, nothing is told again
	middle=$(jq -r 'select(.kind == "agent.step_started").seq' run_events)
	agent-events --thread r1 --after "$middle" --jq .method >rest
	grep -qx turn.completed rest
	jq -e -s 'map(.seq) == (map(.seq) | sort)' run_events
}

@test "deltas are for those who ask: a plain client gets what the contract has" {
	gateway
	begin r1
	agent-send --run r1 DELTAS >sent
	await_kind r1 agent.waiting
	curl -sf "$url/api/agents/runs/r1/events" | jq -e '[.items[].kind] | index("agent.chat.delta") == null and index("agent.chat.assistant_message") > 0'
	curl -sf -H 'Prefer: deltas' "$url/api/agents/runs/r1/events" |
		jq -e '[.items[] | select(.kind == "agent.chat.delta").data.message] | join("") == "one two three"'
	curl -sf -H 'Prefer: respond-async, deltas; x=1' "$url/api/agents/runs/r1/events" | jq -e 'any(.items[]; .kind == "agent.chat.delta")'
	curl -sf -H 'Prefer: deltasome' "$url/api/agents/runs/r1/events" | jq -e 'any(.items[]; .kind == "agent.chat.delta") | not'
	curl -sf "$url/api/agents/events?limit=2000" | jq -e 'any(.items[]; .kind == "agent.chat.delta") | not'
	# thoughts are the thread's alone
	agent-events --thread r1 --kind 'item.*' | jq -e -s 'any(.[]; .payload.type == "reasoning")'
	curl -sf "$url/api/agents/runs/r1/events?deltas=true" | jq -e 'any(.items[]; .data.type? == "reasoning") | not'
}

@test "deltas stream while the turn goes on" {
	gateway
	begin r1
	start stream curl -sN -H 'Prefer: deltas' "$url/api/agents/runs/r1/events/stream"
	start plain curl -sN "$url/api/agents/runs/r1/events/stream"
	agent-send --run r1 SLOW >/dev/null
	await 30 has_line stream.out '"agent.chat.delta".*begun'
	agent-run-cancel r1 >/dev/null
	await 30 has_line plain.out '"agent.run_cancelled"'
	run ! grep delta plain.out
}

@test "agent-watch follows the same conversation as a run and as a thread" {
	gateway
	begin r1
	start run agent-watch r1 --until waiting --timeout 60s
	agent-send --run r1 DELTAS >/dev/null
	await 30 eval 'agent-thread-show r1 >found 2>/dev/null'
	start thread agent-watch --thread r1 --until turn.completed --timeout 60s
	await 60 has_line run.out '"agent.waiting"'
	jq -e -s 'map(select(.kind == "agent.chat.delta").data.message) | join("") == "one two three"' run.out
	await 60 has_line thread.out '"turn.completed"'
	jq -e -s 'map(select(.method == "item.delta").payload.text) | join("") == "one two three"' thread.out
}

@test "agent-watch --no-deltas gives the contract's events" {
	gateway
	begin r1
	agent-send --run r1 DELTAS | agent-watch --no-deltas --until waiting --outcome=ignore --timeout 60s >events
	run ! grep -q chat.delta events
	grep -q assistant_message events
}

@test "agent-show streams deltas into one line and does not say the answer again" {
	gateway
	begin r1
	agent-send --run r1 DELTAS | agent-watch --until waiting --outcome=ignore --timeout 60s | agent-show --time none --color never >shown
	[ "$(grep -c 'one two three' shown)" = 1 ]
	grep -qx 'mock: one two three\|agent: one two three' shown
}

@test "an approval reaches both surfaces, and its answer the runtime" {
	gateway
	begin r1
	agent-send --run r1 ASK >sent
	await_kind r1 agent.approval_requested
	jq -e '.level == "warn" and .data.kind == "command" and .data.status == "pending" and (.message | contains("touch asked"))' found
	agent-approvals r1 | agent-approve accept >approved
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	jq -e -s 'any(.[]; .kind == "agent.approval_resolved" and .data.decision == "accept")' events
	jq -e -s 'any(.[]; .kind == "agent.tool_called" and .data.tool == "commandExecution")' <(agent-events r1)
	has events '.kind == "agent.chat.assistant_message" and (.data.message == "accept")'
}

@test "an approval is among the questions for people" {
	gateway
	begin r1
	agent-send --run r1 ASK >sent
	await 30 eval 'agent-hitl-list --dir state/hitl >questions 2>/dev/null && [ -s questions ]'
	agent-hitl-answer --dir state/hitl "$(jq -r .key questions)" decline >/dev/null
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message == "decline")'
}

@test "the manifest answers approvals" {
	runtime_manifest mock '{"command":["agent-runtime-mock","--script","'"$PWD/script"'"],"approvals":{"rules":[{"kind":"command","command":"touch *","decision":"accept"}]}}'
	gateway
	begin r1
	agent-send --run r1 ASK | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	jq -e -s 'any(.[]; .kind == "agent.approval_resolved" and .data.resolution == "policy")' events
}

@test "a cancelled run ends its turn" {
	gateway
	begin r1
	agent-send --run r1 SLOW >/dev/null
	await_kind r1 agent.step_started
	await 30 eval 'agent-events --thread r1 --kind item.delta >found && [ -s found ]'
	agent-run-cancel r1 --reason enough >/dev/null
	run -11 agent-watch r1 --timeout 60s
	jq -e -s '.[-1].kind == "agent.run_cancelled" and .[-1].data.reason == "enough"' <<<"$output"
	agent-events --thread r1 --kind turn.completed | jq -e '.payload.status == "interrupted"'
	# no message is taken any more
	run -14 agent-send --run r1 more
}

@test "a turn that is interrupted as a thread's gives the run back to its person" {
	gateway
	begin r1
	agent-send --run r1 SLOW >sent
	await 30 eval 'agent-events --thread r1 --kind turn.started >found && [ -s found ]'
	agent-turn-interrupt --thread r1 --turn "$(jq -r .turnId found)" >/dev/null
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	has events '.kind == "agent.waiting" and (.level == "warn" and .data.reason == "the turn was interrupted")'
	agent-send --run r1 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("hello"))'
}

@test "messages wait for each other" {
	gateway
	begin r1
	for n in 1 2 3; do agent-send --run r1 "number $n" >/dev/null; done
	await 30 eval '[ "$(agent-events r1 --kind agent.waiting | wc -l)" = 3 ]'
	agent-events r1 --kind agent.chat.assistant_message --jq '.data.message | split(" ") | .[-1]' >order
	[ "$(tr '\n' ' ' <order)" = "1 2 3 " ]
}

@test "what fails is told with its code" {
	gateway
	begin r1
	agent-send --run r1 FAIL | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.step_completed" and (.level == "error" and (.data.error | test("^it went wrong [(][A-Z_]+[)]$")))'
	# it has cost something all the same, of which the step and the run tell
	has events '.kind == "agent.step_completed" and .data.usage.inputTokens > 0'
	agent-runs r1 | jq -e '.usage.inputTokens > 0'
	[ "$(agent-emit --run r1 --kind agent.step_completed --data '{"stepId":"x","usage":{"inputTokens":1000000}}' | wc -l)" = 1 ]
	agent-runs r1 | jq -e '.lastEventKind == "agent.step_completed" and .usage.inputTokens < 1000000'
	agent-send --run r1 DIE | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.step_completed" and (.data.error | endswith("(AGENT_RUNTIME_UNAVAILABLE)"))'
	agent-send --run r1 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("hello"))'
}

@test "a runtime that is not there: the service does not start, and says why" {
	runtime_manifest mock '{"command":["./nothing-of-that-name"]}'
	gateway
	agent-registry --jq '.lifecycle + " " + .health' >list
	grep -qx 'STOPPED DEGRADED' list
	begin r1 || true
	agent-send --run r1 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.step_completed" and (.data.error == "service is not running: svc_mock")'
}

@test "a restart closes what was in progress, and the conversation goes on" {
	gateway
	begin r1
	agent-send --run r1 SLOW >sent
	await 30 eval 'agent-events --thread r1 --kind item.delta >found && [ -s found ]'
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	gateway
	await_kind r1 agent.waiting
	jq -e '.data.reason | contains("restarted")' found
	agent-events --thread r1 --kind turn.completed | jq -e '.payload.error.code == "AGENT_GATEWAY_RESTARTED"'
	agent-send --run r1 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("hello"))'
}

@test "without a command the agent is on the gateway's own runtime" {
	runtime_manifest mock '{}'
	gateway --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock --script $PWD/script"
	begin r1
	agent-send --run r1 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("hello"))'
}

@test "what the manifest says reaches the runtime" {
	cat >runtime <<-'END'
		#!/bin/sh
		exec tee -a "$(dirname "$0")/asked" | "$AU_BUILD/libexec/agentutils/agent-runtime-mock"
	END
	chmod +x runtime
	mv runtime agents/
	runtime_manifest mock '{"command":["./runtime"],"workingDirectory":".","model":"m1","systemPrompt":"be \"brief\"","cwd":"/tmp","sandbox":"read-only","approvalPolicy":"never","effort":"low"}'
	gateway
	begin r1
	agent-send --run r1 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has agents/asked '.method == "thread/start" and (.params.developerInstructions == "be \"brief\"")'
	has agents/asked '.method == "turn/start" and (.params | .model == "m1" and .cwd == "/tmp" and .sandboxPolicy.type == "readOnly"
		and .approvalPolicy == "never" and .effort == "low")'
}

@test "a thread that was made as one is followed as a run" {
	gateway --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock --script $PWD/script"
	id=$(agent-thread-create --workspace acme --jq .threadId)
	start run agent-watch "$id" --until waiting --outcome=ignore --timeout 60s
	agent-turn-start --thread "$id" DELTAS >turn
	await 60 has_line run.out '"agent.waiting"'
	jq -e -s 'map(.kind) | .[0] == "agent.run_created" and index("agent.chat.user_message") and index("agent.chat.delta") and
		index("agent.chat.assistant_message") and .[-1] == "agent.waiting"' run.out
	has run.out '.kind == "agent.chat.user_message" and (.data.message == "DELTAS")'
	has run.out '.kind == "agent.chat.assistant_message" and (.data.message == "one two three")'
	# as a thread it is as it was, and a cursor means the same on both
	agent-events --thread "$id" --jq .method >methods
	run ! grep -q '^agent\.' methods
	middle=$(agent-events --thread "$id" --kind turn.started --jq .cursor)
	curl -sf "$url/api/agents/runs/$id/events?after=$middle" | jq -e '.items[0].seq > '"$middle"' and .items[-1].kind == "agent.waiting"'
	# it is no run in the list of runs, and its events are in no list of all
	run -1 agent-runs "$id"
	curl -sf "$url/api/agents/events?limit=2000" | jq -e --arg id "$id" 'any(.items[]; .data.runId? == $id) | not'
	agent-turn-start --thread "$id" FAIL >turn || true
	curl -sf "$url/api/agents/runs/$id/events" | jq -e '.items | map(select(.kind == "agent.step_completed")) | .[0] | .level == "error" and .data.error == "it went wrong"'
}

@test "workspaces hold on both surfaces" {
	for user in ann:acme bob:other; do
		agent-gateway-token create --state state --user "${user%:*}" --workspace "${user#*:}" --output "${user%:*}.token" >/dev/null
	done
	agent-gateway-token create --state state --user root --output root.token >/dev/null
	gateway --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock"
	id=$(agent-thread-create --token-file ann.token --workspace acme --jq .threadId)
	agent-turn-start --token-file ann.token --thread "$id" hello >turn
	# runs have no workspaces, so who has some sees no runs, and no threads as runs
	curl -sf -H "Authorization: Bearer $(cat root.token)" "$url/api/agents/runs/$id/events" | jq -e '.items | length > 3'
	for user in ann bob; do run -4 agent-watch --token-file $user.token --until waiting "$id"; done
	# a run's thread is for the members of the workspace that its manifest names
	agent-run-create --token-file root.token --service svc_mock --agent mock --run r1 >made
	agent-send --token-file root.token --run r1 hello >sent
	agent-watch --token-file root.token --timeout 60s --until waiting --outcome=ignore <sent >events
	agent-thread-show --token-file ann.token r1 | jq -e '.workspaceSlug == "acme"'
	agent-events --token-file ann.token --thread r1 --kind turn.completed | jq -e '.payload.status == "completed"'
	run -1 agent-thread-show --token-file bob.token r1
	run -1 agent-events --token-file bob.token --thread r1
}

@test "a run with a thread's id that is no such thread's run says so" {
	gateway --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock"
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-run-create --service svc_mock --agent mock --run "$id" >made
	agent-send --run "$id" hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.waiting" and (.data.reason | startswith("a thread has this run"))'
}

@test "a timer of a runtime's agent starts a turn in a thread of its own" {
	gateway_of_timers() { # the schedule's members
		jq --argjson s "$1" '.metadata.agent |= (.triggers = ["timer"] | .timer = {schedules: [{scheduleId: "tick", scheduleExpr: "every 1 s"} + $s]})' agents/mock.json >timed
		mv timed agents/mock.json
	}
	gateway_of_timers '{"message":"what is new?"}'
	gateway
	await 30 eval 'agent-runs --jq "select(.status == \"completed\" and .trigger == \"timer\").runId" >runs && [ -s runs ]'
	run=$(tail -n 1 runs)
	agent-events "$run" >events
	has events '.kind == "agent.step_completed" and (.data.message | endswith("response: what is new?")) and .data.usage.totalTokens > 0'
	agent-events --thread "$run" --kind turn.started | jq -e '.payload.text == "what is new?"'
	agent-thread-show "$run" | jq -e '.workspaceSlug == "acme" and .status == "completed"'
	agent-runs "$run" | jq -e '.usage.totalTokens > 0'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	# without a message it is told which one has fired; what fails is the run's failure
	gateway_of_timers '{"scheduleId":"FAIL"}'
	gateway
	await 30 eval 'agent-runs --jq "select(.status == \"failed\" and (.runId | contains(\"FAIL\"))).failureReason" >reasons && grep "it went wrong" reasons'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	gateway_of_timers '{"message":7}'
	run -9 --separate-stderr agent-gateway --check --agents agents --state state
	[[ $stderr == *message* ]]
}

@test "a runtime's manifest is checked, and is not taken from callers" {
	runtime_manifest bad1 '{"command":[]}'
	runtime_manifest bad2 '{"sandbox":"none"}'
	runtime_manifest bad3 '{"approvals":{"rules":[{"decision":"perhaps"}]}}'
	runtime_manifest bad4 '{"model":""}'
	runtime_manifest bad5 '{"timeoutMs":1}'
	run -9 --separate-stderr agent-gateway --check --agents agents --state state
	for n in 1 2 3 4 5; do [[ $stderr == *"bad$n.json"* ]]; done
	rm agents/bad*
	gateway
	runtime_manifest other '{}'
	mv agents/other.json .
	run -0 curl -s -o answer -w '%{http_code}' -H 'content-type: application/json' -d "$(jq -c '{manifest: .}' other.json)" "$url/api/services/apply"
	[ "$output" = 403 ]
	grep -q 'runtime origins come from the directory' answer
}

@test "runtime-chat talks to a runtime" {
	gateway
	printf '%s\n' DELTAS | runtime-chat "$url" svc_mock >chat
	grep -q 'mock: one two three' chat
	[ "$(grep -c 'one two three' chat)" = 1 ]
}
