#!/usr/bin/env bats
# agent-hitl-cancel takes questions away.
load lib/common
load lib/hitl

setup() { hitl_setup; }
teardown() { common_teardown; }

@test "a killed asker's question is seen as gone, is cleaned, and its key can be asked again" {
	start ask agent-ask --key k "what?"
	await 10 pending 1
	kill -9 "$pid"
	await 10 gone "$pid"
	agent-hitl-list | jq -e .gone
	start ask2 agent-ask --key k "what now?"
	now() { agent-hitl-list | grep -q "what now?"; }
	await 10 now
	kill -9 "$pid"
	await 10 gone "$pid"
	run -0 agent-hitl-cancel --gone
	[ "$output" = '{"key":"k","removed":true}' ]
	[ "$(leftovers)" = 0 ]
}

@test "a cancelled question ends its asker with status 11, and takes an old answer along" {
	start ask agent-ask --key k "what?"
	await 10 pending 1
	run -0 agent-hitl-cancel k
	[ "$output" = '{"key":"k","removed":true}' ]
	status=0
	wait "$pid" || status=$?
	[ "$status" = 11 ]
	run -1 agent-hitl-cancel k
	[ "$output" = '{"key":"k","removed":false}' ]
	printf '{"key":"z","question":"q","timestamp":1}' >"$dir/z.question"
	printf old >"$dir/z.answer"
	agent-hitl-cancel z
	[ "$(leftovers)" = 0 ]
}

@test "wrong calls" {
	run -2 agent-hitl-cancel
}
