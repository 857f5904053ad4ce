#!/usr/bin/env bats
# agent-hitl-list lists the questions that wait.
load lib/common
load lib/hitl

setup() { hitl_setup; }
teardown() { common_teardown; }

@test "links, pipes and giants are no questions and no answers" {
	mkdir "$dir"
	echo secret >secret
	ln -s ../secret "$dir/link.question"
	mkfifo "$dir/pipe.question"
	mkdir "$dir/dir.question"
	head -c 1048577 /dev/zero >"$dir/big.question"
	: >"$dir/empty.question"
	run -0 agent-hitl-list
	[ -z "$output" ]
	start ask agent-ask --key k "q"
	await 10 pending 1
	ln -s ../secret "$dir/k.answer"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 6 ]
	grep -q 'not a regular file' ask.err
	[ ! -s ask.out ]
	# a link in the question's place is replaced, not followed
	start ask agent-ask --key link "q"
	await 10 pending 1
	[ "$(cat secret)" = secret ]
	agent-hitl-answer ../../secret x && false
	agent-hitl-answer link yes
	wait "$pid"
}

@test "wrong calls" {
	run -2 agent-hitl-list x
	run -9 agent-hitl-list --dir /dev/null/x
	run -3 agent-hitl-list --broker http://127.0.0.1:1
}
