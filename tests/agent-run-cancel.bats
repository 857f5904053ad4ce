#!/usr/bin/env bats
# agent-run-cancel: the end of runs, on request.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "a run named by option, operand or record ends; the answer and the subject's members are printed" {
	start_gateway
	for r in a b c d; do agent-run-create --agent echo --run $r >"$r"; done
	run -0 --separate-stderr agent-run-cancel --run a --reason 'wrong branch'
	jq -e '.ok and .runId == "a" and .status == "cancelled" and .dropped == 0 and .serviceId == "svc_echo"' <<<"$output"
	[ "$(agent-events a --kind agent.run_cancelled --jq .data.reason)" = 'wrong branch' ]
	run -0 --separate-stderr agent-run-cancel b c
	[ "${#lines[@]}" = 2 ]
	jq -c '. + {extra: 12345678901234567890}' d | sed 's/1234567890123456[0-9]*/12345678901234567890/' >record
	run -0 --separate-stderr agent-run-cancel <record
	[[ $output == *'"extra":12345678901234567890'* ]]
	[ "$(agent-runs --status cancelled --jq .runId | sort | tr '\n' ' ')" = "a b c d " ]
	run -11 timeout 20 agent-watch a
}

@test "the pipeline: every running run of an agent" {
	start_gateway
	for r in a b; do agent-run-create --agent echo --run $r >/dev/null; done
	agent-runs --status running | agent-run-cancel >out
	[ "$(wc -l <out)" = 2 ]
}

@test "one that is over is status 14, an unknown one 1, a record without run 6; the others end all the same" {
	start_gateway
	for r in a b; do agent-run-create --agent echo --run $r >/dev/null; done
	agent-run-cancel a >/dev/null
	run -14 --separate-stderr agent-run-cancel a b
	[ "$stderr" = "agent-run-cancel: error: unable to cancel run 'a': run is terminal and can no longer be cancelled: a (409)" ]
	[ "$(jq -r .runId <<<"$output")" = b ]
	run -1 --separate-stderr agent-run-cancel --run nobody
	[ "$stderr" = "agent-run-cancel: error: unable to cancel run 'nobody': run not found: nobody (404)" ]
	run -6 --separate-stderr agent-run-cancel <<<'{"serviceId":"s"}'
	[ "$stderr" = "agent-run-cancel: error: unable to read line 1 of standard input: it names no run" ]
	run -2 agent-run-cancel --run a b
	agent-run-create --agent echo --run c >/dev/null
	run -2 --separate-stderr agent-run-cancel '' c
	[ "$stderr" = "agent-run-cancel: error: unable to use RUN '': it is empty" ]
	[ "$(jq -r .runId <<<"$output")" = c ]
}

@test "a Clarity runtime cannot do it, and that is said" {
	start_clarity
	agent-emit --run r --kind agent.run_started >/dev/null
	run -7 --separate-stderr agent-run-cancel r
	[ "$stderr" = "agent-run-cancel: error: unable to cancel run 'r': $url has no way to cancel a run" ]
}

@test "the same key gets the first answer again" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	agent-run-cancel --idempotency-key k r >one
	agent-run-cancel --idempotency-key k r >two
	cmp one two
}
