#!/usr/bin/env bats
# Messages and their answers: the executor's events, one message after another, restarts.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }

# agent NAME COMMAND-JSON [CHAT-JSON]: an agent with a command, in ./agents
agent() {
	mkdir -p agents
	jq --arg id "$1" --argjson command "$2" --argjson ms "${timeout:-20000}" --argjson chat "${3:-{\}}" '.metadata.serviceId = "svc_" + $id | .metadata.agent.agentId = $id | .metadata.agent.chat = $chat
		| .spec.origin.command = $command | .spec.origin.timeoutMs = $ms' "$AU_SRC/bin/gateway/builtin/shell.json" >"agents/$1.json"
}

@test "an echo's events are the contract's, member for member and in order" {
	start_gateway
	agent-run-create --agent echo --run r | agent-send --wait ' hi ' >/dev/null
	agent-events r --after 2 --jq 'del(.seq, .at, .data.stepId, .data.submittedAt) | tojson' >got
	cat >want <<-'T'
	{"kind":"agent.chat.user_message","serviceId":"svc_echo","level":"info","message":"user chat message received (r)","data":{"runId":"r","serviceId":"svc_echo","agent":"echo","role":"user","message":"hi","messageOriginalLength":2,"messageStoredLength":2,"messageTruncated":false,"messageRedacted":false,"source":"runtime_chat","channel":"run_messages"}}
	{"kind":"agent.step_started","serviceId":"svc_echo","level":"info","message":"Runtime chat processing started (r)","data":{"runId":"r","serviceId":"svc_echo","agent":"echo","mode":"echo","strategy":"echo","handlerTool":"fn__receive_chat","source":"runtime_hitl_executor","inputLength":2,"historyEnabled":true,"historyMessages":1,"historyTruncated":false}}
	{"kind":"agent.chat.assistant_message","serviceId":"svc_echo","level":"info","message":"Assistant message emitted (r)","data":{"runId":"r","serviceId":"svc_echo","agent":"echo","role":"assistant","message":"Echo: hi","provider":"echo","source":"runtime_hitl_executor"}}
	{"kind":"agent.step_completed","serviceId":"svc_echo","level":"info","message":"Runtime chat response ready (r)","data":{"runId":"r","serviceId":"svc_echo","agent":"echo","provider":"echo","message":"Echo: hi"}}
	{"kind":"agent.waiting","serviceId":"svc_echo","level":"info","message":"Awaiting next operator input (r)","data":{"runId":"r","serviceId":"svc_echo","agent":"echo","reason":"awaiting operator input","waitingReason":"awaiting operator input","source":"runtime_hitl_executor"}}
	T
	diff want got
	agent-events r --jq 'select(.kind=="agent.step_started").data.stepId | test("^runtime_chat_[0-9]+_[0-9a-z]{6}$")' | grep -qx true
}

@test "an echo is stored with its message: what was accepted is answered, whatever happens next" {
	start_gateway
	say() { curl -sf -d "{\"message\":\"$1\",\"service_id\":\"svc_echo\"}" "$url/api/agents/runs/r/messages" | jq .seq; }
	[ "$(say one) $(say two) $(say three)" = "1 6 11" ]
	kill -9 "$gateway_pid"
	start_gateway
	[ "$(agent-events r --jq 'select(.kind | test("assistant")) | "\(.seq) \(.data.message)"' | tr '\n' ' ')" = "3 Echo: one 8 Echo: two 13 Echo: three " ]
	# the history is what was said before, whether it was at hand or had to be read
	say four
	run -12 timeout 20 agent-watch r --until waiting
	say five
	run -12 timeout 20 agent-watch r --until waiting
	[ "$(agent-events r --jq 'select(.kind == "agent.step_started").data.historyMessages' | tr '\n' ' ')" = "1 3 5 7 9 " ]
}

@test "messages of one run from many at once are each answered once, in order, with what was before in their history" {
	start_gateway
	for k in $(seq 8); do
		for i in $(seq 10); do
			printf 'url = %s/api/agents/runs/r/messages\ndata = {"message":"%s.%s","service_id":"svc_echo"}\noutput = /dev/null\nnext\n' "$url" "$k" "$i"
		done >"config$k"
		start "poster$k" curl -sf -K "config$k"
		posters+=("$pid")
	done
	for pid in "${posters[@]}"; do await 30 gone "$pid"; done
	all_answered() { [ "$(agent-runs --jq 'select(.runId == "r").eventCount')" = 400 ]; }
	await 30 all_answered
	agent-events r --jq 'select(.kind | test("_message$")) | "\(.data.role) \(.data.message)"' >said
	[ "$(sed -n 's/^user //p' said)" = "$(sed -n 's/^assistant Echo: //p' said)" ]
	[ "$(agent-events r --jq 'select(.kind == "agent.step_started").data.historyMessages' | head -12 | tr '\n' ' ')" = "1 3 5 7 9 11 13 15 17 19 21 23 " ]
}

@test "a run that nobody named an agent for is one of an unknown agent, unless its service says who it is" {
	start_gateway
	post_message() { curl -sf -d "$2" "$url/api/agents/runs/$1/messages" | jq -r '.agent // "-"'; }
	[ "$(post_message a '{"message":"hi"}')" = - ]
	run -12 timeout 20 agent-watch a --until waiting
	[ "$(agent-events a --jq 'select(.kind == "agent.step_started").data | "\(.agent) \(.serviceId)"')" = 'unknown null' ]
	[ "$(post_message a '{"message":"again"}')" = unknown ]
	[ "$(post_message b '{"message":"hi","service_id":"svc_echo"}')" = - ]
	run -12 timeout 20 agent-watch b --until waiting
	[ "$(post_message b '{"message":"again"}')" = echo ]
}

@test "a command gets the contract's arguments and its answer is the reply" {
	cat >save <<-'S'
	#!/bin/sh
	tee args >/dev/null; echo "{\"reply\":\"for $AGENT_RUN_ID of $AGENT_ID\"}"
	S
	chmod +x save
	agent saver '["../save"]'
	start_gateway --agents agents
	run -0 timeout 20 agent-send --wait "what?" < <(agent-run-create --agent saver --run r)
	[[ $output == *'"message":"for r of saver"'* ]]
	[ "$(jq -c keys_unsorted args)" = '["message","sessionId","runId","messages","history","contextVersion","context"]' ]
	jq -e '.message == "what?" and .messages == [{"role":"user","content":"what?"}] and .history.maxTurns == 24 and .context.version == "context.v1" and .context.policy.strategy == "agent_tool"' args
	[ "$(agent-events r --jq .kind | tr '\n' ' ')" = "agent.run_created agent.run_started agent.chat.user_message agent.step_started agent.tool_called agent.chat.assistant_message agent.step_completed agent.waiting " ]
}

@test "every way for a command to fail is an answer that failed, and the run goes on" {
	agent status '["sh", "-c", "echo first >&2; echo why >&2; exit 3"]'
	agent silent '["true"]'
	agent garbage '["echo", "not json"]'
	agent missing '["./no-such-program"]'
	timeout=2000 agent slow '["sh", "-c", "tail -f /dev/null slow-one & wait"]'
	agent empty '["echo", "{}"]'
	agent refuses '["echo", "{\"error\":\"no thanks\"}"]'
	start_gateway --agents agents
	while IFS='|' read -r name want; do
		run -10 timeout 30 agent-send --wait x < <(agent-run-create --agent "$name" --run "$name")
		got=$(agent-runs "$name" --jq .waitingReason)
		[[ $got == *"$want"* ]] || { echo "$name: $got"; return 1; }
		[ "$(agent-events "$name" --jq 'select(.kind=="agent.step_completed") | [.level, .message] | tojson')" = "[\"error\",\"Runtime chat response failed ($name)\"]" ]
	done <<-'T'
	status|the command ended with status 3: why
	silent|agent chat tool returned no reply text: receive_chat
	garbage|the agent's answer is not JSON
	missing|no-such-program': No such file or directory
	slow|the command gave no answer within 2000 ms
	empty|agent chat tool returned no reply text: receive_chat
	refuses|no thanks
	T
	! pgrep -f 'tail -f /dev/null slow-one' >/dev/null
}

@test "a disabled agent says so; an operator's input is answered all the same" {
	agent off '["echo", "{\"reply\":\"yes\"}"]' '{"mode":"disabled"}'
	start_gateway --agents agents
	run -10 timeout 20 agent-send --wait x < <(agent-run-create --agent off --run r)
	[ "$(agent-events r --jq .kind | tail -n 2 | tr '\n' ' ')" = "agent.chat.user_message agent.waiting " ]
	[ "$(agent-runs r --jq .waitingReason)" = "runtime chat disabled by agent configuration" ]
	curl -sS -d '{"message":"x"}' "$url/api/agents/runs/r/hitl" >/dev/null
	replied() { agent-events r | grep -q '"message":"yes"'; }
	await 10 replied
}

@test "messages of one run are answered in order, those of different runs side by side" {
	cat >turn <<-'S'
	#!/bin/sh
	n=$(jq -r .message); : >"began-$AGENT_RUN_ID-$n"
	while [ ! -e "go-$AGENT_RUN_ID" ]; do read -r _ <gate; done
	echo "{\"reply\":\"$n\"}"
	S
	chmod +x turn
	mkfifo gate
	exec 7<>gate
	agent turn '["../turn"]'
	start_gateway --agents agents
	for r in a b; do agent-run-create --agent turn --run $r >/dev/null; done
	for n in 1 2 3; do for r in a b; do agent-send --run $r "$n" >/dev/null; done; done
	await 10 test -e began-a-1 -a -e began-b-1
	[ ! -e began-a-2 ]
	: >go-a
	: >go-b
	more() { echo >&7; [ "$(agent-events a b 2>/dev/null | wc -l)" -ge 0 ] && agent-runs --status waiting -0 | tr '\0' '\n' | grep -c . | grep -qx 2 && [ "$(agent-events a --kind agent.waiting | wc -l)" = 3 ] && [ "$(agent-events b --kind agent.waiting | wc -l)" = 3 ]; }
	await 60 more
	for r in a b; do [ "$(agent-events $r --jq 'select(.kind=="agent.chat.assistant_message").data.message' | tr '\n' ' ')" = "1 2 3 " ]; done
	exec 7>&-
}

@test "a restart answers what was accepted and not begun, and closes what was begun as an error" {
	cat >hang <<-'S'
	#!/bin/sh
	m=$(jq -r .message); echo "$m" >>begun
	[ "$m" = first ] && [ ! -e second-life ] && read -r _ <never
	echo "{\"reply\":\"late $m\"}"
	S
	chmod +x hang
	mkfifo never
	agent hang '["../hang"]'
	start_gateway --agents agents
	agent-run-create --agent hang --run r | agent-send first >/dev/null
	agent-send --run r second >/dev/null
	await 10 has_line begun first
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	: >second-life
	start_gateway --agents agents
	settled() { [ "$(agent-events r --kind agent.waiting | wc -l)" = 2 ]; }
	await 20 settled
	agent-events r --jq 'select(.kind=="agent.step_completed" and .level=="error").data.error' | grep -qx 'the gateway was restarted while this message was being answered'
	[ "$(agent-events r --jq 'select(.kind=="agent.chat.assistant_message").data.message')" = "late second" ]
	[ "$(sort begun | uniq -c | tr -s ' ' | tr '\n' ';')" = " 1 first; 1 second;" ]
}

@test "long messages are cut between characters, and secrets are taken out" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	python3 -c 'print("x"*1999 + "\U0001F600")' | agent-send --run r >/dev/null
	agent-send --run r 'my password: hunter2, Bearer abc.def' >/dev/null
	[ "$(agent-events r --kind agent.chat.user_message --jq '.data | [.messageOriginalLength, .messageStoredLength, .messageTruncated] | tojson' | head -n 1)" = '[2001,1999,true]' ]
	[ "$(agent-events r --kind agent.chat.user_message --jq .data.message | tail -n 1)" = 'my password=[REDACTED], Bearer [REDACTED]' ]
}

@test "a run is not forgotten for what others do, whatever their number" {
	start_gateway
	agent-run-create --agent echo --run old | agent-send --wait hello >/dev/null
	agent-run-create --agent echo --run over >/dev/null
	agent-emit --run over --kind agent.run_completed >/dev/null
	for run in old over; do
		agent-runs "$run" >"$run.before"
		agent-events "$run" >"$run.events"
	done
	# more than a list gives, or a ring of the contract's runtime holds
	for n in $(seq 2100); do echo "{\"kind\":\"agent.note\",\"data\":{\"runId\":\"noise\",\"n\":$n}}"; done | agent-emit >/dev/null
	for run in old over; do
		agent-runs "$run" | diff "$run.before" -
		agent-events "$run" | diff "$run.events" -
	done
	[ "$(curl -sS -o answer -w '%{http_code}' -d '{"message":"x"}' "$url/api/agents/runs/over/messages")" = 409 ]
	jq -e '.status == "completed" and (.error | endswith("no longer accepts chat messages: over"))' answer
	agent-send --run old --wait again >/dev/null
	agent-events old --kind agent.step_started | tail -n 1 | jq -e '.data.historyMessages == 3'
}

@test "messages that wait behind one push nothing out of its history" {
	cat >count <<-'S'
	#!/bin/sh
	jq -c '[.message, .messages[-1].content, (.messages | length)]' >>seen
	[ -e go ] || read -r _ <gate
	echo '{"reply":"ok"}'
	S
	chmod +x count
	mkfifo gate
	exec 7<>gate
	agent count '["../count"]' '{"historyMaxTurns":3}'
	start_gateway --agents agents
	agent-run-create --agent count --run r >/dev/null
	for n in $(seq 1 150); do printf 'next\nurl = "%s/api/agents/runs/r/messages"\ndata = "{\\"message\\":\\"m%s\\"}"\nsilent\noutput = "/dev/null"\n' "$url" "$n"; done | tail -n +2 >posts
	curl -K posts
	: >go
	echo >&7
	all() { [ "$(wc -l <seen)" = 150 ]; }
	await 180 all
	for n in $(seq 1 150); do echo "[\"m$n\",\"m$n\",$((n < 2 ? 1 : 3))]"; done >want
	diff want seen
	exec 7>&-
}

@test "a history from memory is the one that is read after a restart, also when a run has said more than memory keeps" {
	cat >tell <<-'S'
	#!/bin/sh
	jq -c '[.messages[].content]' >>seen
	echo '{"reply":"ok"}'
	S
	chmod +x tell
	agent tell '["../tell"]' '{"historyMaxTurns":4}'
	start_gateway --agents agents
	agent-run-create --agent tell --run r >/dev/null
	for n in $(seq 1 70); do agent-emit --run r --kind agent.chat.system_message --data "{\"message\":\"s$n\"}" >/dev/null; done
	for n in 1 2 3; do agent-send --run r --wait "m$n" >/dev/null; done
	kill "$gateway_pid"
	wait "$gateway_pid" || :
	start_gateway --agents agents
	for n in 4 5 6; do agent-send --run r --wait "m$n" >/dev/null; done
	printf '%s\n' '["s68","s69","s70","m1"]' '["s70","m1","ok","m2"]' '["ok","m2","ok","m3"]' \
		'["ok","m3","ok","m4"]' '["ok","m4","ok","m5"]' '["ok","m5","ok","m6"]' >want
	diff want seen
}
