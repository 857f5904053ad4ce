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

@test "a directory that is not there is not made: one that is named is an error, the others hold nothing yet" {
	run -9 --separate-stderr agent-hitl-list --dir typo
	[ "$stderr" = "agent-hitl-list: fatal: unable to open the directory 'typo': No such file or directory" ]
	run -9 --separate-stderr agent-hitl-answer --dir typo k yes
	run -9 --separate-stderr agent-hitl-cancel --dir typo k
	run -9 --separate-stderr agent-hitl-cancel --dir typo --gone
	run -0 --separate-stderr agent-hitl-list
	[ -z "$output" ]
	[ "$stderr" = "agent-hitl-list: there is no directory '$dir'" ]
	run -1 --separate-stderr agent-hitl-answer k yes
	[ "${stderr_lines[0]}" = 'agent-hitl-answer: fatal: question not found: k' ]
	[ "${stderr_lines[1]}" = "agent-hitl-answer: hint: there is no directory '$dir'" ]
	run -1 --separate-stderr agent-hitl-cancel k
	[ "$output" = '{"key":"k","removed":false}' ]
	run -0 --separate-stderr agent-hitl-cancel --gone
	CLARITY_HITL_DIR='' run -0 --separate-stderr agent-hitl-list
	[ "$stderr" = "agent-hitl-list: there is no directory '.clarity-hitl'" ]
	run -5 --separate-stderr agent-hitl-watch --timeout 100ms --dir typo
	[ "$stderr" = "agent-hitl-watch: there is no directory 'typo': waiting for it" ]
	run -0 --separate-stderr agent-hitl-connect --dir typo </dev/null
	[ "${stderr_lines[0]}" = "agent-hitl-connect: there is no directory 'typo': waiting for it" ]
	[ ! -e typo ] && [ ! -e "$dir" ] && [ ! -e .clarity-hitl ]
	# who asks makes it, and who answers ahead of the question
	run -5 agent-ask --dir asked --timeout 100ms q
	[ -d asked ]
	run -0 agent-hitl-answer --dir answered --ahead k yes
	[ -d answered ]
}

@test "wrong calls" {
	run -2 agent-hitl-list x
	run -9 agent-hitl-list --dir /dev/null/x
	run -3 agent-hitl-list --broker http://127.0.0.1:1
}
