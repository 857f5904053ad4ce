#!/usr/bin/env bats
# Commands that stay: one process answers many messages.
load ../lib/common
load ../lib/services

setup() { common_setup; }
teardown() { common_teardown; }

# stays NAME [JQ-FILTER-OF-ORIGIN] <SCRIPT: an agent whose command is the script on standard input
stays() {
	mkdir -p agents
	cat >"agents/$1.sh"
	chmod +x "agents/$1.sh"
	manifest "$1" "$(jq -nc --arg c "./$1.sh" '{type: "command", command: [$c], mode: "long-lived", timeoutMs: 2000} | '"${2:-.}")" >"agents/$1.json"
}
say() { # AGENT RUN TEXT: the reply or the reason in $reply
	timeout 30 agent-send --run "$2" --service "svc_$1" --agent "$1" --wait "$3" >said 2>said.err || :
	reply=$(jq -r 'select(.kind == "agent.chat.assistant_message") | .data.message' said)
	[ -n "$reply" ] || reply=$(jq -r 'select(.kind == "agent.step_completed") | .data.error' said)
}
counter() {
	stays "$1" "${2:-.}" <<-'S'
	#!/bin/bash
	echo $$ >>started
	n=0
	while IFS= read -r line; do
		run=${line#*\"runId\":\"} run=${run%%\"*}
		case $line in
		*'"message":"die"'*) echo last words >&2; exit 3 ;;
		*'"message":"hang"'*) while :; do read -rt 1 <> <(:); done ;;
		*'"message":"twice"'*) echo '"one"'; echo '"two"' ;;
		*'"message":"close"'*) exec >&-; while :; do read -rt 1 <> <(:); done ;;
		*'"message":"wait'*) until [ -e go ]; do read -rt 0.02 <> <(:); done; echo "{\"reply\":\"waited $run\"}" ;;
		*) echo "{\"reply\":\"$((++n)) of $run for $AGENT_ID ${AGENT_RUN_ID-none}\"}" ;;
		esac
	done
	echo end >>started
	S
}
processes() { grep -cE '^[0-9]+$' agents/started; }

@test "one process answers the messages of many runs" {
	counter one '.workingDirectory = "."'
	start_gateway --agents agents
	for i in 1 2 3; do
		say one "r$i" hello
		is "$reply" "$i of r$i for one none"
	done
	say one r1 again
	is "$reply" '4 of r1 for one none'
	is "$(processes)" 1
}

@test "a process that ends fails its message with the reason, and the next one starts another" {
	counter one '.workingDirectory = "."'
	start_gateway --agents agents
	say one r hello
	say one r die
	is "$reply" 'the command ended with status 3 and no answer: last words'
	say one r hello
	is "$reply" '1 of r for one none'
	is "$(processes)" 2
}

@test "a deadline, an answer too many, an output that is closed: the process is replaced" {
	counter one '.workingDirectory = "." | .timeoutMs = 500'
	start_gateway --agents agents
	say one r hang
	is "$reply" 'the command gave no answer within 500 ms'
	await 10 eval '! kill -0 "$(tail -n 1 agents/started)" 2>/dev/null'
	say one r twice
	is "$reply" one
	await 10 eval '! kill -0 "$(tail -n 1 agents/started)" 2>/dev/null'
	say one r hello
	is "$reply" '1 of r for one none'
	say one r close
	is "$reply" 'the command closed its output'
	say one r hello
	is "$reply" '1 of r for one none'
	is "$(processes)" 4
}

@test "messages wait for the one process, in order; with maxConcurrency there are more" {
	counter one '.workingDirectory = "." | .timeoutMs = 20000'
	counter two '.workingDirectory = "." | .timeoutMs = 20000 | .maxConcurrency = 2'
	start_gateway --agents agents
	for agent in one two; do
		for i in 1 2 3; do
			timeout 20 agent-send --run "$agent$i" --service "svc_$agent" --agent "$agent" wait >/dev/null
			await 10 eval "agent-events $agent$i --jq .kind | grep -q tool_called"
		done
	done
	await 10 eval '[ "$(processes)" = 3 ]'
	: >agents/go
	for agent in one two; do for i in 1 2 3; do await 10 eval "agent-events $agent$i --jq .data.message | grep -qx 'waited $agent$i'"; done; done
	is "$(processes)" 3
	is "$(curl -s "$url/api/audit?limit=2000" | jq -r '.items[] | select(.kind == "agent.chat.assistant_message" and .serviceId == "svc_one").data.message' | tr '\n' ';')" \
		'waited one1;waited one2;waited one3;'
}

@test "cancelling a run ends the process that works for it; one that waits just goes" {
	counter one '.workingDirectory = "." | .timeoutMs = 20000'
	start_gateway --agents agents
	timeout 20 agent-send --run a --service svc_one --agent one hang >/dev/null
	await 10 eval '[ -s agents/started ]'
	timeout 20 agent-send --run b --service svc_one --agent one hello >/dev/null
	timeout 20 agent-send --run c --service svc_one --agent one hello >/dev/null
	await 10 eval "agent-events c --jq .kind | grep -q tool_called"
	run -0 timeout 20 agent-run-cancel c
	await 10 eval '[ "$(agent-runs c --jq .status)" = cancelled ]'
	is "$(agent-events b --jq .kind | tail -n 1)" agent.tool_called
	run -0 timeout 20 agent-run-cancel a
	await 10 eval "agent-events b --jq .data.message | grep -qx '1 of b for one none'"
	is "$(agent-runs a --jq .status)" cancelled
	is "$(processes)" 2
}

@test "a service that is stopped ends its processes, a start begins with new ones" {
	counter one '.workingDirectory = "." | .timeoutMs = 20000'
	start_gateway --agents agents
	say one r hello
	api POST /api/services/svc_one/stop
	await 10 eval '! kill -0 "$(head -n 1 agents/started)" 2>/dev/null'
	api POST /api/services/svc_one/start
	say one r hello
	is "$reply" '1 of r for one none'
	timeout 20 agent-send --run w --service svc_one --agent one wait >/dev/null
	await 10 eval "agent-events w --jq .kind | grep -q tool_called"
	api POST /api/services/svc_one/stop
	await 10 eval '[ "$(agent-runs w --jq .waitingReason)" = "service is not running: svc_one" ]'
}

@test "the end of the gateway is the end of its processes" {
	counter one '.workingDirectory = "."'
	start_gateway --agents agents
	say one r hello
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	! kill -0 "$(head -n 1 agents/started)" 2>/dev/null
}
