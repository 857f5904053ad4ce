#!/usr/bin/env bats
# agent-emit: a script can itself be an agent.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "an event made of options names its run inside its data too" {
	start_gateway
	run -0 --separate-stderr agent-emit --run r1 --kind agent.waiting --level warn -m 'hold on' --data '{"reason":"lunch","n":12345678901234567890}'
	[ "$output" = '{"ok":true,"kind":"agent.waiting","runId":"r1"}' ]
	[ "$(agent-events r1 | sed 's/.*"kind"/"kind"/')" = '"kind":"agent.waiting","level":"warn","message":"hold on","data":{"reason":"lunch","n":12345678901234567890,"runId":"r1"}}' ]
	[ "$(agent-runs r1 --jq .waitingReason)" = lunch ]
}

@test "lines that are events are posted with their bytes, and what they lack is filled in" {
	start_gateway
	printf '%s\n' '{"kind":"agent.a","data":{"x": 1.50}}' '{"kind":"agent.b","run_id":"other"}' | agent-emit --run r1 >out
	[ "$(jq -r .kind out | tr '\n' ' ')" = "agent.a agent.b " ]
	[[ $(agent-events r1) == *'"data":{"x":1.50,"runId":"r1"}'* ]]
	[ "$(agent-events other --jq .kind)" = agent.b ]
}

@test "run records with a kind: the pipeline can end a run" {
	start_gateway
	agent-run-create --agent echo --run r1 | agent-emit --kind agent.run_completed >/dev/null
	[ "$(agent-runs r1 --jq .status)" = completed ]
}

@test "what the server refuses is status 6 with its words, and the rest goes on" {
	start_gateway
	run -6 --separate-stderr agent-emit < <(printf '%s\n' '{"kind":"other.x"}' '{"kind":"agent.step_started","run_id":"r"}' '{"kind":"agent.ok","run_id":"r"}' '{"no":1}')
	[ "${#lines[@]}" = 1 ]
	[[ $stderr == *"expected kind to start with 'agent.'"* && $stderr == *"stepId is required for agent.step_started"* && $stderr == *"line 4"* ]]
}

@test "wrong options are told before anything is sent" {
	for words in '--kind agent.x --data 1' '--kind agent.x --data {' '--level loud --kind agent.x' '--message m'; do
		# shellcheck disable=SC2086
		run -2 agent-emit --run r $words
	done
}

@test "a key that no header can carry is a usage error, before anything is sent" {
	long=$(printf '%0225d' 0)
	for key in '' 'a b' $'a\r\nx-other: 1' 'é' "$long"; do
		for command in 'agent-send --run r' 'agent-emit --run r --kind agent.x' 'agent-run-create --service s --agent a'; do
			# shellcheck disable=SC2086
			run -2 --separate-stderr $command --url http://127.0.0.1:1 --idempotency-key "$key"
			[[ $stderr == *"visible ASCII"* ]]
		done
	done
	run -3 agent-emit --run r --kind agent.x --url http://127.0.0.1:1 --idempotency-key "${long%0}"
}
