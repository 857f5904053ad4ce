#!/usr/bin/env bats
# agent-approvals and agent-approve: what runtimes ask people, and the answers.
load lib/common

setup() {
	common_setup
	start_compass
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
}
teardown() { common_teardown; }

ask() { # ID KIND [PARAMS]
	tell "$(jq -nc --arg t "$id" --arg a "$1" --arg k "$2" --argjson p "${3:-null}" '{approval: {approvalId: $a, threadId: $t, turnId: "u1", kind: $k, params: $p}}')" >/dev/null
}
asked() { curl -sf "$url/__fake" | jq -c .body; }

@test "approvals are listed by thread, and chosen by status" {
	run -1 agent-approvals "$id"
	ask a1 command '{"command":"make test"}'
	ask a2 file
	[ "$(agent-approvals "$id" --jq .kind | tr '\n' ' ')" = "command file " ]
	[ "$(agent-approvals <thread | wc -l)" = 2 ]
	run -2 --separate-stderr agent-approvals '' "$id"
	[ "$stderr" = "agent-approvals: error: unable to use THREAD '': it is empty" ]
	[ "${#lines[@]}" = 2 ]
	[ "$(agent-approvals --thread "$id" -0 | tr '\0' ' ')" = "a1 a2 " ]
	run -6 --separate-stderr agent-approvals "$id" --jq 'error("so")'
	[[ $stderr == *so* ]]
	run -1 agent-approvals --status resolved "$id"
	run -1 --separate-stderr agent-approvals nobody
	[[ $stderr == *"AGENT_THREAD_NOT_FOUND"* ]]
	run -2 agent-approvals --status open "$id"
	run -6 agent-approvals <<<'{}'
}

@test "an approval is answered once, from whatever named it" {
	ask a1 command '{"command":"make test"}'
	ask a2 command '{"command":"rm -r /"}'
	ask a3 file
	run -0 agent-approve --thread "$id" --approval a1 --reason 'looks good'
	jq -e '.approvalId == "a1" and .status == "resolved" and .decision == "accept" and .reason == "looks good"' <<<"$output"
	agent-approvals "$id" | jq -c 'select(.params.command)' | agent-approve decline >/dev/null
	agent-events --thread "$id" --kind approval.requested | tail -n 1 | agent-approve acceptForSession >/dev/null
	[ "$(agent-approvals --status all "$id" --jq '.approvalId + " " + .decision' | tr '\n' ',')" = "a1 accept,a2 decline,a3 acceptForSession," ]
	run -14 --separate-stderr agent-approve --thread "$id" --approval a1 decline
	[[ $stderr == *"Approval is already resolved (409"* ]]
	run -1 agent-approve --thread "$id" --approval nothing
}

@test "questions get their answers" {
	ask q1 question
	agent-approve --thread "$id" --approval q1 --answer 'branch=main=1' --answer 'why="so"' >/dev/null
	[ "$(asked)" = '{"decision":"accept","answers":{"branch":["main=1"],"why":["\"so\""]}}' ]
}

@test "wrong calls" {
	run -2 agent-approve --thread "$id"
	run -2 agent-approve --approval a1
	run -2 agent-approve --thread "$id" --approval a1 maybe
	run -2 agent-approve --thread "$id" --approval a1 --answer x
	run -2 agent-approve --thread "$id" --approval a1 --answer x=y decline
	run -2 agent-approve --thread "$id" --approval a1 accept again
	run -6 agent-approve <thread
}
