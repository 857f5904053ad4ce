#!/usr/bin/env bats
# agent-hitl-connect lets a person answer questions, one after the other.
load lib/common
load lib/hitl
load lib/terminal

setup() {
	hitl_setup
	mkdir "$dir"
}
teardown() {
	terminal_end
	common_teardown
}

question() { # KEY TEXT TIME
	printf '{"key":"%s","question":"%s","timestamp":%d}' "$1" "$2" "$3" >"$dir/new.tmp"
	mv "$dir/new.tmp" "$dir/$1.question"
}
# connect [options]: reads what say() writes
connect() {
	mkfifo typed
	exec 7<>typed
	agent-hitl-connect "$@" <typed >connect.out 2>connect.err 3>&- 7>&- &
	pid=$!
	started+=("$pid")
	exec 8>typed 7>&-
}
say() { printf '%s\n' "$*" >&8; }
hang_up() { exec 8>&-; }
seen() { await 10 has_line connect.out "$1" || { cat connect.out connect.err >&2; return 1; }; }
answer_is() { [ -e "$dir/$1.answer" ] && [ "$(cat "$dir/$1.answer")" = "$2" ]; }
ended_with() {
	local status=0
	wait "$pid" || status=$?
	[ "$status" = "$1" ] || { echo "status $status, not $1" >&2; return 1; }
}

@test "questions are shown one at a time, oldest first, and lines are their answers" {
	question b "second?" 2000
	question a "first?" 1000
	connect
	seen 'HITL request: a'
	grep -qx "Watching handshake directory: $dir" connect.out
	grep -qx 'first?' connect.out
	grep -q '^Age: [0-9]*s$' connect.out
	grep -qx 'Answer (Enter to confirm): ' connect.out
	! grep -q 'request: b' connect.out
	say '  one  '
	seen 'HITL request: b'
	grep -q '^\[20.*Z\] answered a$' connect.out
	answer_is a one
	say ''
	seen 'answered b'
	answer_is b ''
	question c "third?" 3000
	seen 'HITL request: c'
	hang_up
	ended_with 1
	[ ! -e "$dir/c.answer" ]
	grep -q 'the question is not answered' connect.err
}

@test "the end of the input answers nothing, whenever it comes" {
	question a "q" 1000
	run -1 --separate-stderr agent-hitl-connect </dev/null
	run -1 --separate-stderr agent-hitl-connect < <(printf yes)
	[[ $stderr == *"no newline"* ]]
	[ "$(leftovers)" = 1 ]
	rm "$dir/a.question"
	run -0 --separate-stderr agent-hitl-connect </dev/null
	[[ $stderr == *"nobody is here to answer"* ]]
}

@test "piped lines answer in order" {
	question a "q" 1000
	question b "q" 2000
	question c "q" 3000
	run -1 --separate-stderr agent-hitl-connect < <(printf 'one\r\ntwo\n')
	answer_is a one
	answer_is b two
	[ ! -e "$dir/c.answer" ]
}

@test "a question that goes away takes no answer, and neither does the one after it" {
	question a "q" 1000
	connect
	seen 'HITL request: a'
	agent-hitl-cancel a
	seen 'gone a'
	question b "q" 2000
	seen 'HITL request: b'
	agent-hitl-answer b elsewhere
	seen 'gone b'
	question c "q" 3000
	seen 'HITL request: c'
	question c "another" 4000
	seen 'gone c'
	seen '^another$'
	say yes
	seen 'answered c'
}

@test "--auto-approve approves without reading; --log keeps a record a line" {
	question a "q" 1000
	start connect agent-hitl-connect --auto-approve --log log
	await 10 has_line connect.out 'answered a'
	grep -qx 'Auto-approve enabled: submitting empty response.' connect.out
	answer_is a ''
	question b.c "q" 2000
	await 10 has_line connect.out 'answered b.c'
	[ "$(wc -l <log)" = 2 ]
	jq -e '.type == "answered" and .key == "a" and .details.safeKey == "a" and .details.responseLength == 0 and .details.ageSeconds > 0' <(head -n 1 log)
}

@test "--max-age passes over old questions" {
	question old "q" 1000
	question new "q" "$(date +%s)000"
	connect --max-age 1h
	seen 'skipped old (age [0-9]*s > 3600s)$'
	seen 'HITL request: new'
	say yes
	seen 'answered new'
	[ ! -e "$dir/old.answer" ]
}

@test "text that would drive a terminal is shown, not obeyed" {
	printf '{"key":"k\\u001b[2J","question":"line one\\nline \\u001b]0;x\\u0007two","timestamp":1}' >"$dir/k.question"
	connect
	seen 'HITL request: k\\x1b\[2J$'
	seen '^line one$'
	seen '^line \\x1b\]0;x\\x07two$'
}

@test "a broker: questions and answers, dotted keys too" {
	start_gateway --hitl "$dir"
	printf '{"key":"a.b","question":"q","timestamp":1}' >"$dir/a_b.question"
	connect "$url"
	seen 'Remote HITL request: a.b'
	grep -qx "Connecting to broker: $url" connect.out
	grep -qx 'Remote answer (Enter to confirm): ' connect.out
	say yes
	seen 'answered a.b'
	answer_is a_b yes
	start ask agent-ask --broker "$url" --key k "deploy?"
	ask=$pid
	seen 'Remote HITL request: k'
	say 'not yet'
	wait "$ask"
	[ "$(cat ask.out)" = 'not yet' ]
}

@test "a broker that goes away gets the answer when it is back" {
	start_gateway --hitl "$dir"
	port=${url##*:}
	question a "q" 1000
	connect "$url"
	seen 'Remote HITL request: a'
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	say yes
	await 10 has_line connect.err 'error'
	start again agent-gateway --listen "127.0.0.1:$port" --state "$BATS_TEST_TMPDIR/state" "${store[@]}" --hitl "$dir"
	await 20 has_line again.out listening
	seen 'answered a'
	answer_is a yes
}

@test "a broker that was asked anew meanwhile does not give the new question the old answer" {
	start_gateway --hitl "$dir"
	question a "q" 1000
	connect --poll 1h "$url"
	seen 'Remote HITL request: a'
	kill -STOP "$pid"
	question a "other" 2000
	say yes
	kill -CONT "$pid"
	seen '^other$'
	[ ! -e "$dir/a.answer" ]
}

@test "a token that is wrong ends it" {
	CLARITYD_AUTH_TOKEN=right start_gateway --hitl "$dir"
	run -4 --separate-stderr agent-hitl-connect "$url" </dev/null
	[[ $stderr == *"connect error"* ]]
	run -2 agent-hitl-connect --broker "$url" "$url"
	run -2 agent-hitl-connect a b
	run -9 agent-hitl-connect --log /no/such/file
}

@test "on a terminal: what is typed before a question is no answer" {
	terminal 80 20 'agent-hitl-connect'
	see_line 'Watching'
	type_text 'yes'
	type_keys Enter
	type_text 'half'
	question a "sure?" 1000
	see_line 'Answer (Enter'
	[ ! -e "$dir/a.answer" ]
	type_text 'no'
	type_keys Enter
	see_line 'answered a'
	answer_is a no
	type_keys C-d
	see_line '\[status 0\]'
	terminal_restored
}

@test "on a terminal: after a question is gone, Enter is no answer to the next" {
	question a "sure?" 1000
	question b "really?" 2000
	terminal 80 20 'agent-hitl-connect'
	see_line 'HITL request: a'
	type_text 'y'
	agent-hitl-cancel a
	see_line 'Press Enter to go on'
	! screen_has 'request: b'
	type_keys Enter
	see_line 'HITL request: b'
	[ ! -e "$dir/b.answer" ]
	type_keys C-d
	see_line '\[status 1\]'
	[ ! -e "$dir/b.answer" ]
}
