#!/usr/bin/env bats
# agent-hitl-watch follows the questions that wait for a person.
load lib/common
load lib/hitl

setup() {
	hitl_setup
	mkdir "$dir"
}
teardown() { common_teardown; }

question() { # KEY TEXT TIME
	printf '{"key":"%s","question":"%s","timestamp":%d}' "$1" "$2" "$3" >"$dir/new.tmp"
	mv "$dir/new.tmp" "$dir/$1.question"
}
lines_are() { [ "$(jq -r '"\(.type) \(.key)"' watch.out | tr '\n' ',')" = "$1" ]; }

@test "what is there, oldest first, then what comes, each once" {
	question b second 2000
	question a third 3000
	question c first 1000
	question done answered 1
	: >"$dir/done.answer"
	start watch agent-hitl-watch
	await 10 lines_are 'new_question c,new_question b,new_question a,'
	question d new 4000
	await 10 lines_are 'new_question c,new_question b,new_question a,new_question d,'
	head -n 1 watch.out | jq -e '.question == "first" and .timestamp == 1000 and .ageSeconds > 1000'
	agent-hitl-answer d yes
	rm "$dir/a.question"
	question b again 5000
	await 10 lines_are 'new_question c,new_question b,new_question a,new_question d,new_question b,'
}

@test "--gone tells of the end of a question" {
	question a q 1000
	start watch agent-hitl-watch --gone
	await 10 lines_are 'new_question a,'
	agent-hitl-answer a yes
	await 10 lines_are 'new_question a,gone a,'
	question a q 2000
	rm "$dir/a.answer"
	await 10 lines_are 'new_question a,gone a,new_question a,'
	agent-hitl-cancel a
	await 10 lines_are 'new_question a,gone a,new_question a,gone a,'
	tail -n 1 watch.out | jq -e '. == {"type":"gone","key":"a","timestamp":2000}'
}

@test "the same with looks instead of inotify" {
	export CLARITY_HITL_POLL=1
	start watch agent-hitl-watch --gone
	question a q 1000
	await 10 lines_are 'new_question a,'
	rm "$dir/a.question"
	await 10 lines_are 'new_question a,gone a,'
}

@test "--count ends it, --timeout ends it with status 5" {
	question a q 1000
	question b q 2000
	question c q 3000
	run -0 --separate-stderr agent-hitl-watch --count 2 --jq .key
	[ "$output" = $'a\nb' ]
	run -5 --separate-stderr agent-hitl-watch --timeout 100ms --jq .key
	[ "$output" = $'a\nb\nc' ]
}

@test "a directory that comes, is removed and comes back is waited for, not made, and watched on" {
	rmdir "$dir"
	start watch agent-hitl-watch
	await 20 has_line watch.err "there is no directory '.*': waiting for it"
	mkdir "$dir"
	question a q 1000
	await 20 lines_are 'new_question a,'
	rm -r "$dir"
	await 20 count_lines watch.err 'waiting for it' 2
	[ ! -e "$dir" ]
	mkdir "$dir"
	question b q 2000
	await 20 lines_are 'new_question a,new_question b,'
	[ "$(wc -l <watch.err)" = 2 ]
}

@test "a broker: what is there and what comes; away and back" {
	question a q 1000
	start_gateway --hitl "$dir"
	port=${url##*:}
	start watch agent-hitl-watch --broker "$url" --gone
	await 10 lines_are 'new_question a,'
	question b q 2000
	await 10 lines_are 'new_question a,new_question b,'
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	await 10 has_line watch.err 'trying again'
	rm "$dir/a.question"
	question c q 3000
	start again agent-gateway --listen "127.0.0.1:$port" --state "$BATS_TEST_TMPDIR/state" "${store[@]}" --hitl "$dir"
	await 20 has_line again.out listening
	await 20 lines_are 'new_question a,new_question b,gone a,new_question c,'
}

@test "a broker that tells of nothing is looked at" {
	start fake python3 "$AU_SRC/tests/fake/fake-broker" --dir "$dir"
	await 20 has_line fake.out '^http'
	start watch agent-hitl-watch --broker "$(cat fake.out)" --poll 100ms
	question a q 1000
	await 10 lines_are 'new_question a,'
	question b q 2000
	await 10 lines_are 'new_question a,new_question b,'
}

@test "a broker that refuses ends it" {
	CLARITYD_AUTH_TOKEN=x start_gateway --hitl "$dir"
	run -4 agent-hitl-watch --broker "$url"
	run -7 agent-hitl-watch --broker "$url/nope" --token-file <(echo x)
}

@test "wrong calls" {
	run -2 agent-hitl-watch --count 0
	run -2 agent-hitl-watch --poll 1ms
	run -2 agent-hitl-watch x
	run -2 agent-hitl-watch --dir x --broker http://127.0.0.1:1
}
