#!/usr/bin/env bats
# The end of a run that somebody asks for: the handler is stopped, what waits is dropped, agent.run_cancelled is the last event.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }

# agent NAME COMMAND-JSON: an agent with a command, in ./agents
agent() {
	mkdir -p agents
	jq --arg id "$1" --argjson command "$2" '.metadata.serviceId = "svc_" + $id | .metadata.agent.agentId = $id | .spec.origin.command = $command
		| .spec.origin.timeoutMs = 60000' "$AU_SRC/bin/gateway/builtin/shell.json" >"agents/$1.json"
}

# A handler that hangs with a child of its own; both write their process id.
hanging() {
	cat >hang <<-'S'
	#!/bin/sh
	sh -c 'echo $$ >child; read -r _ <never' &
	echo $$ >leader; wait
	S
	chmod +x hang
	mkfifo never
	exec 7<>never
	agent hang '["../hang"]'
}

# One that ignores SIGTERM.
stubborn() {
	cat >stubborn <<-'S'
	#!/bin/sh
	trap '' TERM
	echo $$ >leader
	while :; do read -r _ <never; done
	S
	chmod +x stubborn
	mkfifo never
	exec 7<>never
	agent stubborn '["../stubborn"]'
}

cancel() { curl -sS -o answer -w '%{http_code}' -X POST "$url/api/agents/runs/$1/cancel" -H 'content-type: application/json' "${@:2}"; }
kinds() { agent-events "$1" --jq .kind | tr '\n' ' '; }
# a zombie that nobody has collected yet is dead
dead() { ! ps -o stat= -p "$1" | grep -q '^[^Z]'; }
cancelled() { [ "$(agent-runs "$1" --jq .status)" = cancelled ]; }

@test "the handler's whole process group is stopped, what waits is dropped, and run_cancelled is the last event" {
	hanging
	start_gateway --agents agents
	agent-run-create --agent hang --run r | agent-send first >/dev/null
	await 20 test -s leader -a -s child # a message is answered before its handler begins: another one could be stored ahead of that
	agent-send --run r second >/dev/null
	agent-send --run r third >/dev/null
	[ "$(cancel r -d '{"reason":"enough, my password: hunter2"}')" = 202 ]
	jq -e '.ok and .runId == "r" and .status == "cancelling" and .dropped == 2 and .serviceId == "svc_hang" and .agent == "hang" and .seq > 0' answer
	await 20 cancelled r
	await 20 dead "$(cat leader)"
	await 20 dead "$(cat child)"
	[ "$(kinds r)" = "agent.run_created agent.run_started agent.chat.user_message agent.step_started agent.tool_called agent.chat.user_message agent.chat.user_message agent.messages_dropped agent.cancel_requested agent.step_completed agent.run_cancelled " ]
	agent-events r --jq 'select(.kind=="agent.messages_dropped") | .message + " " + (.data.messages | tojson)' | grep -qxE '2 waiting messages dropped \(r\) \[[0-9]+,[0-9]+\]'
	agent-events r --jq 'select(.kind=="agent.run_cancelled") | .data.reason' | grep -qx 'enough, my password=\[REDACTED\]'
	[ "$(agent-events r --jq 'select(.kind=="agent.step_completed") | .data.error')" = 'the run was cancelled' ]
	# nothing of it comes later, and nobody is answered any more
	[ "$(curl -sS -o answer -w '%{http_code}' -d '{"message":"x"}' "$url/api/agents/runs/r/messages")" = 409 ]
	[ "$(agent-events r --jq .kind | tail -n 1)" = agent.run_cancelled ]
	exec 7>&-
}

@test "a handler that ignores SIGTERM is killed" {
	stubborn
	start_gateway --agents agents
	agent-run-create --agent stubborn --run r | agent-send x >/dev/null
	await 20 test -s leader
	# asked again meanwhile, which is two seconds: the same end, not another one; and no message gets in
	ask=(-sS -w '%{http_code} ' -H 'content-type: application/json')
	[ "$(curl "${ask[@]}" -o first -X POST "$url/api/agents/runs/r/cancel" --next "${ask[@]}" -o second -X POST "$url/api/agents/runs/r/cancel" \
		--next "${ask[@]}" -o third -d '{"message":"x"}' "$url/api/agents/runs/r/messages")" = '202 202 409 ' ]
	jq -e '.status == "cancelling"' second
	jq -e '.status == "cancelled" and .runId == "r"' third
	await 20 cancelled r
	await 20 dead "$(cat leader)"
	[ "$(agent-events r --kind agent.cancel_requested | wc -l)" = 1 ]
	exec 7>&-
}

# Programs that leave their handler: a session of their own, as a daemon, with an environment of their own. Each writes its process id.
leaving() { # what the handler does at last
	cat >leave <<-S
	#!/bin/sh
	sh -c 'echo \$\$ >left1; exec setsid tail -f /dev/null' &
	setsid -f sh -c 'echo \$\$ >left2; exec tail -f /dev/null' </dev/null >/dev/null 2>&1
	setsid -f sh -c 'echo \$\$ >left3; env -i "$(command -v sh)" -c "echo \\\$\\\$ >left4; exec tail -f /dev/null" & wait' </dev/null >/dev/null 2>&1
	echo \$\$ >leader
	$1
	S
	chmod +x leave
	mkfifo never
	exec 7<>never
	agent leave "${2:-[\"../leave\"]}"
}
left() { [ -s leader ] && [ -s left1 ] && [ -s left2 ] && [ -s left3 ] && [ -s left4 ]; }

@test "who has left the handler's group is stopped too, a daemon as well" {
	leaving 'read -r _ <never'
	start_gateway --agents agents
	agent-run-create --agent leave --run r | agent-send x >/dev/null
	await 20 left
	[ "$(cancel r)" = 202 ]
	await 20 cancelled r
	for who in leader left1 left2 left3 left4; do await 20 dead "$(cat $who)"; done
	exec 7>&-
}

@test "a handler that only left its group and is waited for: the same" {
	leaving 'read -r _ <never' "[\"setsid\", \"-f\", \"$PWD/leave\"]"
	start_gateway --agents agents
	agent-run-create --agent leave --run r | agent-send x >/dev/null
	await 20 left
	[ "$(cancel r)" = 202 ]
	await 20 cancelled r
	for who in leader left1 left2 left3 left4; do await 20 dead "$(cat $who)"; done
	exec 7>&-
}

@test "the end of the gateway, even by kill -9, is theirs too" {
	leaving 'read -r _ <never'
	start_gateway --agents agents
	agent-run-create --agent leave --run r | agent-send x >/dev/null
	await 20 left
	kill -9 "$gateway_pid"
	for who in leader left1 left2 left3 left4; do await 20 dead "$(cat $who)"; done
	exec 7>&-
}

@test "a handler that stays: the same, cancelled or with the gateway" {
	leaving 'while read -r _; do read -r _ <never; done'
	jq '.spec.origin.mode = "long-lived"' agents/leave.json >new && mv new agents/leave.json
	start_gateway --agents agents
	agent-run-create --agent leave --run r | agent-send x >/dev/null
	await 20 left
	[ "$(cancel r)" = 202 ]
	await 20 cancelled r
	for who in leader left1 left2 left3 left4; do await 20 dead "$(cat $who)"; done
	rm leader left?
	agent-run-create --agent leave --run s | agent-send x >/dev/null
	await 20 left
	kill -9 "$gateway_pid"
	for who in leader left1 left2 left3 left4; do await 20 dead "$(cat $who)"; done
	exec 7>&-
}

@test "a handler that has answered may leave a daemon, and another's end does not touch it" {
	leaving 'echo "{\"reply\":\"done\"}"'
	mkfifo there # who has not left the handler's group yet when it ends would end with it
	sed -i -e '/left1/c echo >left1; exec 8<>there' -e 's/>left[234]/&; echo >there/g' leave # an answer ends with its last writer
	sed -i 's/^echo "{/for daemon in 2 3 4; do read -r _ <\&8; done; &/' leave
	jq '.metadata.serviceId = "svc_hang" | .metadata.agent.agentId = "hang" | .spec.origin.command = ["tail", "-f", "/dev/null"]' agents/leave.json >agents/hang.json
	start_gateway --agents agents
	agent-run-create --agent leave --run r | agent-send --wait x >/dev/null
	await 20 left
	agent-run-create --agent hang --run s | agent-send x >/dev/null
	await 20 eval '[ "$(agent-runs s --jq .status)" = running ]'
	[ "$(cancel s)" = 202 ]
	await 20 cancelled s
	for who in left2 left3 left4; do kill -0 "$(cat $who)"; kill -9 "$(cat $who)"; done
	exec 7>&-
}

@test "without a handler at work it is over at once; a run that is over is 409, an unknown one 404, a blank one 400" {
	start_gateway
	agent-run-create --agent echo --run r | agent-send --wait hi >/dev/null
	[ "$(cancel r)" = 202 ]
	jq -e '.status == "cancelled" and .dropped == 0' answer
	[ "$(agent-events r --jq .kind | tail -n 1)" = agent.run_cancelled ]
	[ "$(agent-runs r --jq .status)" = cancelled ]
	[ "$(cancel r)" = 409 ]
	jq -e '. == {error: "run is terminal and can no longer be cancelled: r", runId: "r", status: "cancelled"}' answer
	[ "$(cancel nobody)" = 404 ]
	jq -e '. == {error: "run not found: nobody"}' answer
	[ "$(cancel %20)" = 400 ]
	[ "$(cancel r -d null)" = 400 ]
	[ "$(curl -sS -o answer -w '%{http_code}' "$url/api/agents/runs/r/cancel")" = 405 ]
}

@test "the same request again with its key gets the first answer" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	[ "$(cancel r -H 'idempotency-key: k')" = 202 ]
	cp answer first
	[ "$(cancel r -H 'idempotency-key: k' -D head)" = 202 ]
	cmp answer first
	grep -qi '^idempotency-replayed: true' head
	[ "$(cancel r -H 'idempotency-key: k' -d '{"reason":"x"}')" = 409 ]
}

@test "what a handler says while it is being stopped is no answer any more" {
	cat >last <<-'S'
	#!/bin/sh
	trap 'echo "{\"reply\":\"famous last words\"}"; exit 0' TERM
	: >ready
	while :; do read -r _ <never; done
	S
	chmod +x last
	mkfifo never
	exec 7<>never
	agent last '["../last"]'
	start_gateway --agents agents
	agent-run-create --agent last --run r | agent-send x >/dev/null
	await 20 test -e ready
	[ "$(cancel r)" = 202 ]
	await 20 cancelled r
	[ "$(agent-events r --jq .kind | tail -n 1)" = agent.run_cancelled ]
	[ "$(agent-events r --kind agent.chat.assistant_message | wc -l)" = 0 ]
	exec 7>&-
}

@test "a restart while the handler is being stopped ends the run all the same" {
	stubborn
	start_gateway --agents agents
	agent-run-create --agent stubborn --run r | agent-send x >/dev/null
	agent-send --run r y >/dev/null
	await 20 test -s leader
	[ "$(cancel r -d '{"reason":"now"}')" = 202 ]
	kill -9 "$gateway_pid"
	kill -9 "$(cat leader)" || :
	await 20 gone "$gateway_pid"
	start_gateway --agents agents
	await 20 cancelled r
	[ "$(agent-events r --jq .kind | tail -n 2 | tr '\n' ' ')" = 'agent.step_completed agent.run_cancelled ' ]
	[ "$(agent-events r --jq 'select(.kind=="agent.run_cancelled").data.reason')" = now ]
	exec 7>&-
}
