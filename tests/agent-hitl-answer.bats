#!/usr/bin/env bats
# agent-hitl-answer answers a question.
load lib/common
load lib/hitl

setup() { hitl_setup; }
teardown() { common_teardown; }

@test "a dotted key reaches its asker by either rule" {
	mkdir "$dir"
	# the other asking side writes a_b.question for the key a.b
	printf '{"key":"a.b","question":"q","timestamp":1}' >"$dir/a_b.question"
	agent-hitl-answer a.b yes
	[ "$(cat "$dir/a_b.answer")" = yes ]
	rm "$dir"/*
	# not even JSON: the stem is all there is
	printf 'plain text?' >"$dir/a_b.question"
	agent-hitl-list | jq -e '.key == "a_b" and .question == "plain text?"'
	agent-hitl-answer a.b yes
	[ "$(cat "$dir/a_b.answer")" = yes ]
	rm "$dir"/*
	start ask agent-ask --key a.b "q"
	await 10 pending 1
	[ -e "$dir/a.b.question" ]
	agent-hitl-answer a.b fine
	wait "$pid"
	[ "$(cat ask.out)" = fine ]
}

@test "the first answer counts; the same again is good, another is refused" {
	mkdir "$dir"
	printf '{"key":"k","question":"q"}' >"$dir/k.question"
	agent-hitl-answer k no
	agent-hitl-answer k no
	run -14 agent-hitl-answer k yes
	[ "$(cat "$dir/k.answer")" = no ]
}

@test "nothing is no answer: end of input, empty files and a missing word answer nothing" {
	mkdir "$dir"
	printf '{"key":"k","question":"q"}' >"$dir/k.question"
	run -2 agent-hitl-answer k </dev/null
	run -2 agent-hitl-answer k "" </dev/null
	run -6 agent-hitl-answer k - </dev/null
	run -6 agent-hitl-answer k --file /dev/null
	run -2 agent-hitl-answer k --approve yes
	[ ! -e "$dir/k.answer" ]
	echo "from a pipe" | agent-hitl-answer k -
	[ "$(cat "$dir/k.answer")" = "from a pipe" ]
	rm "$dir/k.answer"
	agent-hitl-answer k --approve
	[ -e "$dir/k.answer" ] && [ ! -s "$dir/k.answer" ]
}

@test "--ahead answers who asks later, if that is not agent-ask; to a question that is there it changes nothing" {
	run -1 agent-hitl-answer early.key yes
	[ ! -e "$dir" ]
	run -0 agent-hitl-answer --ahead early.key yes
	[ "$(jq -r .path <<<"$output")" = "$(realpath "$dir")/early.key.answer" ]
	agent-hitl-answer --ahead early.key no
	[ "$(cat "$dir/early.key.answer")" = no ]
	timeout 20 agent-ask --key early.key 'and now?' >ask.out 3>&- &
	started+=("$!")
	await 10 test -e "$dir/early.key.question"
	[ ! -e "$dir/early.key.answer" ]
	agent-hitl-answer --ahead early.key later
	wait "${started[-1]}"
	[ "$(cat ask.out)" = later ]
	printf '{"key":"k","question":"q"}' >"$dir/k.question"
	agent-hitl-answer --ahead k one
	run -14 agent-hitl-answer --ahead k two
	# the longest key, and a longer one
	agent-hitl-answer --ahead "$(printf %240s | tr ' ' k)" yes
	run -6 agent-hitl-answer --ahead "$(printf %241s | tr ' ' k)" yes
	run -6 agent-hitl-answer --ahead ' ' yes
	run -2 agent-hitl-answer --ahead --broker http://127.0.0.1:1 k yes
}

@test "wrong calls" {
	run -2 agent-hitl-answer
}
