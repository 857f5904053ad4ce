#!/usr/bin/env bats
# The title and the rules of threads, changed.
load lib/common

setup() {
	common_setup
	export AGENT_WORKSPACE=acme AGENT_RUNTIME_PROVIDER=mock
}
teardown() { common_teardown; }

@test "the title of threads: by operand, by option, by records whose other members stay" {
	start_compass
	a=$(agent-thread-create --jq .threadId) b=$(agent-thread-create --jq .threadId)
	[ "$(agent-thread-update --title one --jq .title "$a" "$b" | paste -sd' ')" = 'one one' ]
	[ "$(agent-thread-update --title two --thread "$a" --jq .title)" = two ]
	printf '{"threadId":"%s","mine":12345678901234567890}\n\n{"thread_id":"%s"}\n' "$a" "$b" | agent-thread-update --title three >changed
	[ "$(jq -r .title changed | paste -sd' ')" = 'three three' ]
	grep -q '"mine":12345678901234567890' changed
	[ "$(agent-thread-show --jq .title "$a")" = three ]
}

@test "what is wrong is said, and the rest is done" {
	start_compass
	a=$(agent-thread-create --jq .threadId)
	run -1 --separate-stderr agent-thread-update --title x nobody "$a"
	[ "${#lines[@]}" = 1 ]
	[[ $stderr == *"unable to change thread 'nobody': Thread not found (404 AGENT_THREAD_NOT_FOUND)"* ]]
	run -6 --separate-stderr agent-thread-update --title x <<<'{"runId":"r"}'
	[[ $stderr == *"it names no thread"* ]]
	run -2 --separate-stderr agent-thread-update "$a"
	[[ $stderr == *"nothing to change"* ]]
	run -2 agent-thread-update --title x --thread "$a" "$a"
	run -2 agent-thread-update --approvals x --no-approvals "$a"
	run -2 agent-thread-update --approvals -
	run -8 agent-thread-update --approvals /nowhere "$a"
	echo '{' >rules
	run -6 --separate-stderr agent-thread-update --approvals rules "$a"
	[[ $stderr == *"unable to use the rules in 'rules'"* ]]
	run -3 agent-thread-update --title x --url http://127.0.0.1:1 "$a"
}

@test "the rules answer the approvals of the turns that follow" {
	printf '%s\n' '{"on":"turn"}' '{"command":"git status","ask":true}' '{"say":"${answer}"}' >script
	start_gateway --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock --script $PWD/script" --approval-timeout 1s
	agent-thread-create >thread
	echo '{"rules":[{"command":"git *","decision":"accept"}],"default":"cancel"}' >rules
	agent-thread-update --approvals rules --title 'with rules' <thread | jq -e '.approvals.default == "cancel" and .title == "with rules"'
	agent-turn-start --stream x <thread | jq -j 'select(.method=="item.delta").payload.text' | grep -qx accept
	agent-thread-update --no-approvals <thread | jq -e 'has("approvals") | not'
	agent-turn-start --stream x <thread | jq -j 'select(.method=="item.delta").payload.text' | grep -qx decline
	agent-thread-update --approvals - "$(jq -r .threadId thread)" <rules | jq -e '.approvals.default == "cancel"'
	run -6 --separate-stderr agent-thread-update --title "$(printf '%0201d' 0)" <thread
	[[ $stderr == *'String must contain at most 200 character(s) (400 INVALID_REQUEST)'* ]]
	echo '{"rules":1}' >rules
	run -6 --separate-stderr agent-thread-update --approvals rules <thread
	[[ $stderr == *'Expected array, received number (400 INVALID_REQUEST)'* ]]
	# as much as a file of rules may hold, and one byte more
	{ printf '{"rules":[]'; head -c 102388 /dev/zero | tr '\0' ' '; printf '}'; } >rules
	[ "$(wc -c <rules)" = 102400 ]
	agent-thread-update --approvals rules <thread
	printf ' ' >>rules
	run -6 agent-thread-update --approvals rules <thread
}
