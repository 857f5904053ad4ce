#!/usr/bin/env bats
# agent-runs: summaries, newest change first.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "runs are listed newest first, and chosen by state, agent, service and id" {
	start_gateway
	for r in r1 r2 r3; do agent-run-create --agent echo --run $r >/dev/null; done
	agent-emit --run r1 --kind agent.run_failed --data '{"error":"boom"}' >/dev/null
	[ "$(agent-runs --jq .runId | tr '\n' ' ')" = "r1 r3 r2 " ]
	[ "$(agent-runs --status failed --jq '[.runId, .failureReason] | join(" ")')" = "r1 boom" ]
	[ "$(agent-runs --limit 2 -0 | tr '\0' ' ')" = "r1 r3 " ]
	[ "$(agent-runs --service svc_echo r2 --jq .trigger)" = api ]
	run -1 --separate-stderr agent-runs --agent nobody
	[ -z "$output" ]
	run -1 agent-runs no-such-run
	run -2 agent-runs --limit 0
	run -2 agent-runs --limit 2001
	run -2 --separate-stderr agent-runs --status fail
	[[ $stderr == *"unable to use --status 'fail': expected queued, running, waiting, completed, failed or cancelled"* ]]
}

@test "it reads a Clarity runtime's" {
	start_clarity
	agent-registry | head -n 1 | agent-run-create >/dev/null
	[ "$(agent-runs --jq .status)" = running ]
}
