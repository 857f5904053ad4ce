#!/usr/bin/env bats
# One conversation, spoken to from both surfaces: turns on a run's thread, messages to a thread.
load ../lib/common

setup() {
	common_setup
	cat >script <<-'END'
		{"on":"turn","contains":"DELTAS"}
		{"delta":"one "}
		{"delta":"two"}
		{"on":"turn","contains":"SLOW"}
		{"delta":"begun "}
		{"hang":true}
		{"on":"turn","contains":"ASK"}
		{"command":"touch asked","ask":true,"output":"done"}
		{"say":"${answer}"}
		{"on":"turn","contains":"FAIL"}
		{"fail":"it went wrong","info":"serverOverloaded"}
	END
	runtime_manifest mock "{\"command\":[\"agent-runtime-mock\",\"--script\",\"$PWD/script\"],\"workspace\":\"acme\"}"
}
teardown() { common_teardown; }

gateway() { start_gateway --agents agents --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock --script $PWD/script" "$@"; }
# A run that has been spoken to once, so that it is a thread.
begin() {
	agent-run-create --service svc_mock --agent mock --run "$1" >made
	agent-send --run "$1" hello | agent-watch --timeout 60s --until waiting --outcome=ignore >first
}
has() { jq -e -s "any(.[]; $2)" "$1"; } # FILE FILTER
seen() { agent-events "$1" --kind "$2" >found 2>/dev/null && [ -s found ]; }
await_kind() { await 30 seen "$1" "$2"; }   # RUN KIND
thread_seen() { agent-events --thread "$1" --kind "$2" >found 2>/dev/null && [ -s found ]; }
await_method() { await 30 thread_seen "$1" "$2"; } # THREAD METHOD
answers() { agent-events "$1" --kind agent.chat.assistant_message --jq .data.message; }

# ---- a run, spoken to as a thread

@test "a turn on a run's thread is a message of the run, and both surfaces tell it" {
	gateway
	begin r1
	last=$(agent-events r1 | jq -s '.[-1].seq')
	agent-turn-start --thread r1 --model m7 DELTAS >turn
	jq -e '.status == "completed" and .output.text == "one two" and .threadId == "r1"' turn
	id=$(jq -r .turnId turn)
	agent-events r1 --after "$last" >events
	jq -e -s 'map(.kind) | map(select(. != "agent.chat.delta")) ==
		["agent.chat.user_message", "agent.step_started", "agent.chat.assistant_message", "agent.step_completed", "agent.waiting"]' events
	jq -e -s --arg id "$id" '.[0].data | .message == "DELTAS" and .source == "runtime_chat" and .turn.turnId == $id and .turn.model == "m7"' events
	agent-events --thread r1 --after "$last" >thread
	jq -e -s --arg id "$id" 'map(select(.method == "turn.started" or .method == "turn.completed")) | length == 2 and all(.turnId == $id)' thread
	# one log: no number twice, and the run's end is beside the thread's
	{ jq .seq events; jq .cursor thread; } | sort -n | uniq -d | { run ! grep .; }
	[ "$(($(jq 'select(.method == "turn.completed").cursor' thread) + 1))" = "$(jq 'select(.kind == "agent.chat.assistant_message").seq' events)" ]
	# what it has cost is the run's
	agent-runs r1 | jq -e --argjson u "$(jq -s 'map(select(.method == "turn.completed"))[0].payload.usage' thread)" '.usage.totalTokens > $u.totalTokens'
	# and on it goes as a run
	agent-send --run r1 again | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("again"))'
}

@test "turns and messages of one conversation go one after another" {
	gateway
	begin r1
	agent-send --run r1 SLOW >sent
	await 30 eval 'agent-events --thread r1 --kind item.delta | tee found | grep -q begun'
	run -14 --separate-stderr agent-turn-start --thread r1 hello
	[[ $stderr == *AGENT_THREAD_BUSY* ]]
	agent-turn-interrupt --thread r1 --turn "$(jq -rs '.[-1].turnId' found)" >/dev/null
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	# a message that comes while a turn is in progress waits for it
	start turn agent-turn-start --thread r1 SLOW
	await 30 eval '[ "$(agent-events --thread r1 --kind item.delta | grep -c begun)" = 2 ]'
	agent-send --run r1 later >sent
	open=$(agent-events --thread r1 --kind turn.started | jq -rs '.[-1].turnId')
	agent-turn-interrupt --thread r1 --turn "$open" >/dev/null
	await 30 has_line turn.out '"interrupted"'
	await 30 eval 'answers r1 | grep -q "later$"'
}

@test "a turn on a run's thread is answered at once for those who want that" {
	gateway
	begin r1
	curl -s -o answer -w '%{http_code}' -H 'content-type: application/json' -H 'prefer: respond-async' \
		-d '{"text":"SLOW","clientRequestId":"c1"}' "$url/v1/agent/threads/r1/turns" >status
	[ "$(cat status)" = 202 ]
	jq -e '.turn.status == "inProgress" and .turn.clientRequestId == "c1"' answer
	id=$(jq -r .turn.turnId answer)
	# asked again it is the same turn
	curl -sf -H 'content-type: application/json' -d '{"text":"SLOW","clientRequestId":"c1"}' "$url/v1/agent/threads/r1/turns" |
		jq -e --arg id "$id" '.turn.turnId == $id'
	agent-run-cancel r1 >/dev/null
	run -11 agent-watch r1 --timeout 60s
	agent-events --thread r1 --kind turn.completed | jq -e -s --arg id "$id" '.[-1] | .turnId == $id and .payload.status == "interrupted"'
	# a run that is over takes no turns
	run -14 --separate-stderr agent-turn-start --thread r1 hello
	[[ $stderr == *AGENT_THREAD_ENDED* ]]
}

@test "an approval that a turn on a run's thread asks for is answered from either side" {
	gateway
	begin r1
	start turn agent-turn-start --thread r1 ASK
	await_kind r1 agent.approval_requested
	agent-approvals r1 | agent-approve accept >approved
	await 30 has_line turn.out '"text":"accept"'
	start turn agent-turn-start --thread r1 ASK
	await 30 eval '[ "$(agent-events r1 --kind agent.approval_requested | wc -l)" = 2 ]'
	agent-hitl-answer --dir state/hitl "$(agent-hitl-list --dir state/hitl --jq .key)" decline >/dev/null
	await 30 has_line turn.out '"text":"decline"'
	[ "$(answers r1 | tail -n 2 | tr '\n' ' ')" = "accept decline " ]
}

@test "a turn on a run's thread that fails says why on both sides" {
	gateway
	begin r1
	run -75 --separate-stderr agent-turn-start --thread r1 FAIL
	await_kind r1 agent.step_completed
	jq -e -s '.[-1] | .level == "error" and (.data.error | startswith("it went wrong"))' found
	# the service is stopped: there is no turn at all
	curl -sf -X POST "$url/api/services/svc_mock/stop" >/dev/null
	run ! --separate-stderr agent-turn-start --thread r1 hello
	[[ $stderr == *"service is not running"* ]]
}

@test "what is refused on a run's thread" {
	gateway
	begin r1
	for body in '{"text":"x","executionMode":"local"}:AGENT_THREAD_IS_RUN' '{"text":"x","parentTurnId":"none"}:AGENT_PARENT_TURN_NOT_FOUND' '{}:INVALID_REQUEST'; do
		curl -s -H 'content-type: application/json' -d "${body%:*}" "$url/v1/agent/threads/r1/turns" | jq -e --arg c "${body##*:}" '.code == $c'
	done
	# nothing of it was stored
	[ "$(agent-events r1 --kind agent.chat.user_message | wc -l)" = 1 ]
}

@test "a restart closes a turn of a run, and the conversation goes on" {
	gateway
	begin r1
	before=$(agent-events r1 | jq -s '.[-1].seq')
	start turn agent-turn-start --thread r1 SLOW
	await 30 eval 'agent-events --thread r1 --kind item.delta | grep -q begun'
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	gateway
	await 30 eval 'agent-events r1 --after "$before" --kind agent.waiting >found && [ -s found ]'
	jq -e '.data.reason | contains("restarted")' found
	agent-events --thread r1 --kind turn.completed | jq -e -s '.[-1].payload.error.code == "AGENT_GATEWAY_RESTARTED"'
	agent-turn-start --thread r1 hello >turn
	jq -e '.output.text | endswith("hello")' turn
}

# ---- a thread, spoken to as a run

@test "a thread takes a message, and is a run from then on" {
	gateway
	id=$(agent-thread-create --workspace acme --title plan --jq .threadId)
	agent-turn-start --thread "$id" first >turn
	agent-events "$id" >before
	start follower agent-watch "$id" --until waiting --count 2 --timeout 60s --outcome=ignore
	middle=$(jq -s '.[-1].seq' before)
	agent-send --run "$id" DELTAS >sent
	jq -e '.runtime_chat_execution_queued and .serviceId == "runtime:threads" and .agent == "runtime"' sent
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message == "one two")'
	# the thread has it as a turn
	agent-events --thread "$id" --kind turn.completed | jq -e -s 'length == 2 and .[-1].payload.output.text == "one two"'
	agent-events --thread "$id" --jq .method >methods
	run ! grep -q '^agent\.' methods
	# what was told before is told as it was
	agent-events "$id" >after
	cmp before <(head -n "$(wc -l <before)" after)
	jq -e -s 'map(.seq) | . == sort and . == unique' after
	curl -sf "$url/api/agents/runs/$id/events?after=$middle" | jq -e '.items[0].kind == "agent.run_created" and .items[-1].kind == "agent.waiting"'
	# it is among the runs
	agent-runs "$id" | jq -e '.status == "waiting" and .agent == "runtime" and .trigger == "api" and .usage.totalTokens > 0'
	# and takes turns as before
	agent-turn-start --thread "$id" again | jq -e '.output.text | endswith("again")'
	answers "$id" | tail -n 1 | grep 'again$'
}

@test "who follows a thread as a run goes on when it becomes one" {
	gateway
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-turn-start --thread "$id" first >turn
	start stream curl -sN "$url/api/agents/runs/$id/events/stream"
	start deltas curl -sN -H 'Prefer: deltas' "$url/api/agents/runs/$id/events/stream"
	await 30 has_line stream.out 'agent.waiting'
	await 30 has_line deltas.out 'agent.waiting'
	agent-send --run "$id" DELTAS >sent
	await 30 eval '[ "$(grep -c "\"agent.waiting\"" stream.out)" = 2 ]'
	await 30 eval '[ "$(grep -c "\"agent.waiting\"" deltas.out)" = 2 ]'
	[ "$(grep -c '"agent.chat.assistant_message"' stream.out)" = 2 ]
	run ! grep chat.delta <(tail -n +20 stream.out)
	grep -q '"agent.chat.delta"' deltas.out
	# each once, in order
	sed -n 's/^id: //p' stream.out | { sort -nc && true; }
	[ -z "$(sed -n 's/^id: //p' stream.out | uniq -d)" ]
}

@test "a message that comes while a thread's turn is in progress waits for it" {
	gateway
	id=$(agent-thread-create --workspace acme --jq .threadId)
	start turn agent-turn-start --thread "$id" SLOW
	await_method "$id" item.delta
	turn=$(jq -rs '.[0].turnId' found)
	start follower curl -sN "$url/api/agents/runs/$id/events/stream"
	agent-send --run "$id" hello >sent
	agent-turn-interrupt --thread "$id" --turn "$turn" >/dev/null
	await 30 has_line turn.out '"interrupted"'
	await 30 eval 'answers "$id" | grep -q "hello$"'
	# the end of the first is told on both sides
	agent-events "$id" | jq -e -s --arg t "$turn" 'any(.[]; .kind == "agent.step_completed" and .data.turnId == $t)'
	await 30 has_line follower.out 'assistant_message.*hello'
	agent-events --thread "$id" --kind turn.completed --jq .payload.status >ends
	[ "$(tr '\n' ' ' <ends)" = "interrupted completed " ]
}

@test "a thread that is spoken to as a run can be interrupted, approved and cancelled" {
	gateway
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-send --run "$id" ASK >sent
	await_kind "$id" agent.approval_requested
	agent-approvals "$id" | agent-approve accept >approved
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message == "accept")'
	agent-send --run "$id" SLOW >sent
	await 30 eval 'agent-events --thread "$id" --kind item.delta | grep -q begun'
	agent-turn-interrupt --thread "$id" --turn "$(agent-events --thread "$id" --kind turn.started | jq -rs '.[-1].turnId')" >/dev/null
	agent-watch --timeout 60s --until waiting --outcome=ignore <sent >events
	has events '.kind == "agent.waiting" and (.level == "warn" and .data.reason == "the turn was interrupted")'
	agent-send --run "$id" SLOW >sent
	await 30 eval '[ "$(agent-events --thread "$id" --kind item.delta | grep -c begun)" = 2 ]'
	agent-run-cancel "$id" >/dev/null
	run -11 agent-watch "$id" --timeout 60s
	run -14 agent-send --run "$id" more
	run -14 --separate-stderr agent-turn-start --thread "$id" more
	[[ $stderr == *AGENT_THREAD_ENDED* ]]
}

@test "a thread that nobody has spoken to as a run is ended as one" {
	gateway
	# with nothing in progress
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-turn-start --thread "$id" first >turn
	agent-run-cancel "$id" | jq -e --arg id "$id" '.status == "cancelled" and .runId == $id'
	agent-events "$id" | jq -es '.[-1].kind == "agent.run_cancelled" and any(.[]; .kind == "agent.chat.assistant_message")'
	agent-runs "$id" | jq -e '.status == "cancelled"'
	run -14 agent-turn-start --thread "$id" more
	run -14 agent-run-cancel "$id"
	# with a turn in progress, which ends first, for whoever follows either side
	id=$(agent-thread-create --workspace acme --jq .threadId)
	start turn agent-turn-start --thread "$id" SLOW
	await_method "$id" item.delta
	start follower curl -sN "$url/api/agents/runs/$id/events/stream"
	await 30 has_line follower.out ': live'
	agent-run-cancel --idempotency-key k1 "$id" >cancelled
	jq -e '.status == "cancelled"' cancelled
	await 30 has_line turn.out '"interrupted"'
	agent-events --thread "$id" --kind turn.completed | jq -es 'length == 1 and .[0].payload.status == "interrupted"'
	await 30 has_line follower.out run_cancelled
	agent-events "$id" | jq -es '.[-1].kind == "agent.run_cancelled"'
	# the same request again
	agent-run-cancel --idempotency-key k1 "$id" | diff - cancelled
	# one that a desktop works on is no run, and what is neither is not found
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_LOCAL_MODE_ENABLED_DESKTOP=true gateway
	id=$(agent-thread-create --workspace acme --mode local --jq .threadId)
	run -14 agent-run-cancel "$id"
	run -1 agent-run-cancel 7d2b4a8e-0000-4000-8000-000000000000
}

@test "a turn that was in progress when a message made its thread a run ends with it" {
	gateway
	id=$(agent-thread-create --workspace acme --jq .threadId)
	start turn agent-turn-start --thread "$id" SLOW
	await_method "$id" item.delta
	agent-send --run "$id" hello >sent
	agent-run-cancel "$id" >/dev/null
	await 30 has_line turn.out '"interrupted"'
	run -11 agent-watch "$id" --timeout 60s
	agent-events --thread "$id" --kind turn.completed --jq .payload.status | grep -qx interrupted
}

@test "runtime-chat goes on with a thread" {
	gateway
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-turn-start --thread "$id" first >turn
	printf '%s\n' DELTAS | runtime-chat "$url" svc_mock --run-id "$id" >chat
	grep -q "Attached to run: $id" chat
	grep -q 'one two' chat
	agent-thread-show "$id" | jq -e '.workspaceSlug == "acme" and .status == "completed"'
	[ "$(agent-events --thread "$id" --kind turn.completed | wc -l)" = 2 ]
	# it was the thread's own runtime that answered, not the agent that was named
	agent-runs "$id" | jq -e '.serviceId == "runtime:threads"'
}

@test "an event that is posted for a thread makes it a run as well" {
	gateway
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-turn-start --thread "$id" first >turn
	agent-emit --run "$id" --kind agent.note --message hm >/dev/null
	agent-events "$id" | jq -e -s 'map(.kind) | index("agent.chat.assistant_message") and .[-1] == "agent.note"'
	agent-send --run "$id" hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.chat.assistant_message" and (.data.message | endswith("hello"))'
}

@test "a message to a thread that a desktop works on, or that is gone" {
	AGENT_LOCAL_MODE_ENABLED_DESKTOP=true AGENT_MODE_SWITCH_ENABLED=true gateway
	id=$(agent-thread-create --workspace acme --mode local --jq .threadId)
	run -14 --separate-stderr agent-send --run "$id" hello
	[[ $stderr == *"worked on by a desktop"* ]]
	run -1 agent-runs "$id"
	id=$(agent-thread-create --workspace acme --jq .threadId)
	agent-send --run "$id" hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	# one that is a run has no local mode
	curl -s -X PATCH -H 'content-type: application/json' -d '{"executionMode":"local"}' "$url/v1/agent/threads/$id/mode" | jq -e '.code == "AGENT_THREAD_IS_RUN"'
	curl -s -H 'content-type: application/json' -d '{"text":"x","executionMode":"local"}' "$url/v1/agent/threads/$id/turns" | jq -e '.code == "AGENT_THREAD_IS_RUN"'
	agent-thread-delete "$id" >/dev/null
	agent-send --run "$id" hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	has events '.kind == "agent.waiting" and (.data.reason | startswith("the thread is not there any more"))'
}
