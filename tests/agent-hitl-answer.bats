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

@test "wrong calls" {
	run -2 agent-hitl-answer
}
