# asking.bash - what a runtime behind a session host wants approved, and what a turn there is asked for with, seen from the gateway's side
# shellcheck disable=SC2154,SC2034,SC2016

# For agent-runtime-mock.
asking_script='{"on":"turn","contains":"RUN"}
{"command":"${text}","ask":true,"reason":"to see","output":"done"}
{"say":"${answer}"}
{"on":"turn","contains":"WISHES"}
{"say":"${params}"}
{"on":"turn","contains":"SLOW"}
{"repeat":100000,"steps":[{"delta":"${i} "},{"wait":"200ms"}]}
{"on":"turn","contains":"LIMIT"}
{"fail":"rate limit: try again in 1h0m0s","info":"rateLimitExceeded"}
{"on":"turn","contains":"LATER","nth":2}
{"fail":"rate limit: try again in 1s","info":"rateLimitExceeded"}'

asked_for() { agent-approvals --thread "$thread" >approval 2>/dev/null; }

# Each is asked in one shell and answered in another.
approvals_go_through() {
	export AGENT_WORKSPACE=acme
	agent-thread-create >created
	thread=$(jq -r .threadId created)
	path=/v1/agent/threads/$thread
	start turn agent-turn-start --stream --thread "$thread" "RUN one"
	await 30 asked_for
	jq -e --arg t "$thread" '.kind == "command" and .params.threadId == $t and .params.turnId == .turnId and (.params.command | endswith("RUN one")) and .params.reason == "to see"' approval
	agent-approve accept <approval | jq -e '.decision == "accept"'
	await 30 gone "$pid"
	run -0 wait "$pid"
	[ "$(jq -rj 'select(.method == "item.delta").payload.text' turn.out)" = accept ]
	# the item was told as it went
	[ "$(jq -r 'select(.method | startswith("item.") or startswith("approval.")) | .method' turn.out | uniq | paste -sd' ')" = \
		'item.started approval.requested approval.resolved item.output item.completed item.delta' ]
	start turn agent-turn-start --stream --thread "$thread" "RUN two"
	await 30 asked_for
	agent-approve decline <approval | jq -e '.decision == "decline"'
	await 30 gone "$pid"
	[ "$(jq -rj 'select(.method == "item.delta").payload.text' turn.out)" = decline ]
	# an interrupt takes the question back, here and there, and the thread goes on
	agent-turn-start --no-wait --thread "$thread" "RUN three" >started
	await 30 asked_for
	agent-turn-interrupt <started | jq -e '.status == "interrupted"'
	run -1 agent-approvals --thread "$thread"
	run -14 agent-approve accept <approval
	agent-turn-start --jq .output.text --thread "$thread" hello | grep -q 'hello$'
	# a rule answers without a person
	ask PATCH "$path" '{"approvals":{"rules":[{"kind":"command","decision":"accept"}]}}'
	[ "$code" = 200 ]
	[ "$(agent-turn-start --jq .output.text --thread "$thread" "RUN four")" = accept ]
}

# To be called first: which of the runtime's turns it is counts. The time is the host's business: a message names it by a clock that may not be the gateway's.
limits_go_through() {
	export AGENT_WORKSPACE=acme
	agent-thread-create >created
	run -75 --separate-stderr agent-turn-start --errors json LIMIT <created
	jq -e '.error.code == "AGENT_RUNTIME_RATE_LIMITED" and (.error.hint | contains("--wait-for-limit")) and
		((.error.retryAt[0:19] + "Z" | fromdate) - now | . > 3000 and . < 3700)' <<<"$output"
	agent-turn-start --wait-for-limit LATER <created >turned 2>said
	grep -q 'a limit was met: waiting until 20' said
	jq -e '.status == "completed"' turned
}

wishes_go_through() {
	export AGENT_WORKSPACE=acme
	agent-thread-create >created
	agent-turn-start --model big --effort high --personality friendly --approval-policy untrusted --sandbox-policy read-only WISHES <created >turned
	jq -r .output.text turned | jq -e '[.model, .effort, .personality, .approvalPolicy, .sandboxPolicy.type] == ["big", "high", "friendly", "untrusted", "readOnly"]'
}
