#!/usr/bin/env bats
# pipeline.bats - the commands chain: registry, run, message, events, text; against the stand-in for Clarity and our gateway
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

pipeline() { # AGENT
	agent-registry | jq -c --arg id "$1" 'select(.agent.agentId==$id)' | agent-run-create | agent-send "review HEAD" |
		timeout 30 agent-watch --until waiting | agent-show
}

@test "against Clarity: one line chains from the registry to the reply" {
	start_clarity
	run pipeline echo-agent
	assert_line -p 'echo-agent: Echo: review HEAD'
}

@test "against our gateway: the same line" {
	start_gateway
	run pipeline echo
	assert_line -p 'echo: Echo: review HEAD'
}

@test "the status of the watch tells what became of the run" {
	start_clarity
	set -o pipefail
	run -12 eval 'agent-run-create --agent echo-agent | agent-send hi | timeout 30 agent-watch --until waiting'
	run -0 eval 'agent-run-create --agent ending-agent | agent-send hi | timeout 30 agent-watch'
	run -10 eval 'agent-run-create --agent crashing-agent | agent-send hi | timeout 30 agent-watch'
}

@test "a filter that fails on a record is status 6, also where what the record tells of was done" {
	start_gateway
	run -6 --separate-stderr agent-run-create --agent echo --run r --jq 'error("so")'
	[[ $stderr == *so* ]]
	run -6 agent-send --run r --jq 'error("so")' hi
	run -6 agent-send --wait --run r --jq 'select(.kind) | error("so")' hi
	run -6 agent-emit --run r --kind agent.step_started --data '{"stepId":"1"}' --jq 'error("so")'
	run -6 agent-events r --jq 'error("so")'
	run -6 agent-runs --jq 'error("so")'
	run -6 agent-run-cancel --jq 'error("so")' r
	[ "$(agent-runs r --jq .status)" = cancelled ]
	agent-thread-create --workspace acme >thread
	run -6 agent-turn-start --stream --jq 'error("so")' hello <thread
	run -6 agent-emit --kind local.note --jq 'error("so")' <thread
}

@test "two records, two runs, every reply" {
	start_clarity
	agent-registry --jq 'select(.agent.agentId | test("^(echo|control)-"))' | agent-run-create | agent-send hi | timeout 30 agent-watch --until waiting >events || :
	run jq -rs 'map(select(.kind == "agent.chat.assistant_message").data.agent) | sort | join(" ")' events
	assert_output 'control-agent echo-agent'
}

@test "what stops in the middle stops the line with its status, and without a reader nobody complains" {
	start_clarity
	set -o pipefail
	run -1 eval 'agent-registry --agent nobody | agent-run-create | agent-send hi'
	agent-run-create --agent huge-agent | agent-send hi | timeout 30 agent-watch --until waiting 2>err | head -c 10 >/dev/null || :
	run cat err
	assert_output ''
}
