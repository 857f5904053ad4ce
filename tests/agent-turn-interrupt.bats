#!/usr/bin/env bats
# agent-turn-interrupt: by record, by option, and without knowing the turn.
load lib/common

setup() {
	common_setup
	start_compass
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
	tell '{"hold":true}' >/dev/null
}
teardown() { common_teardown; }

begin() { # CURSOR of its turn.started
	start turn agent-turn-start --thread "$id" long
	await 10 told ".cursor == $1"
}

@test "the turn in progress is found and ended; its starter learns of it" {
	begin 2
	run -0 agent-turn-interrupt <thread
	jq -e --arg t "$id" '.threadId == $t and .status == "interrupted" and .workspaceSlug == "acme"' <<<"$output"
	await 10 gone "$pid"
	run -11 wait "$pid"
	run -14 --separate-stderr agent-turn-interrupt <thread
	[[ $stderr == *"no turn is in progress"* ]]
}

@test "a turn that is named is not looked for" {
	begin 2
	turn=$(agent-events --thread "$id" --jq 'select(.turnId).turnId' | head -n 1)
	tell '{"counts":0}' >/dev/null
	[ "$(agent-turn-interrupt --thread "$id" --turn "$turn" --jq .status)" = interrupted ]
	run -14 --separate-stderr agent-turn-interrupt --thread "$id" --turn "$turn"
	[[ $stderr == *"Turn is not interruptible (409 AGENT_TURN_INTERRUPT_CONFLICT)"* ]]
	run -1 agent-turn-interrupt --thread nobody --turn "$turn"
	run -1 agent-turn-interrupt --thread nobody
	run -2 agent-turn-interrupt --turn "$turn"
	run -2 agent-turn-interrupt "$id"
	run -6 agent-turn-interrupt <<<'{}'
}
