#!/usr/bin/env bats
# The benches work: each in its smallest form. What they measure is for people to judge; nothing here does.
load lib/common

setup() {
	common_setup
	export AU_BENCH=$AU_BUILD/tests/bench BENCH_QUICK=1
	# the programs that measure end with all that they hold
	[ -z "${ASAN_OPTIONS:-}" ] || export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
}
teardown() { common_teardown; }

# bench NAME: its lines in $BATS_TEST_TMPDIR/lines, what it says in $stderr
bench() {
	run -0 --separate-stderr timeout 120 "$AU_SRC/tests/bench/bench" "$1"
	printf '%s\n' "$output" >lines
	# each line is a measure, and has a number
	jq -e '(.name | type == "string") and (.unit | type == "string") and (.ours | type == "number") and has("theirs") and has("beside")
		and has("ratio") and has("goal") and has("met") and ((.goal == null) or (.met != null) or (.theirs == null) or (.theirs == 0))' lines >verdicts
	! grep -vx true verdicts
	# and a row of the table
	[ "$(grep -cE ' (yes|NO|-)$' <<<"$stderr")" = "$(wc -l <lines)" ]
}
named() { jq -ecs --arg name "$1" 'map(select(.name == $name)) | .[0]' lines; }

@test "bench startup: a command beside curl, curl | jq and a script for Node" {
	bench startup
	named "start-up: agent-registry" | jq -e '.goal == "ratio <= 1.3" and .beside == "curl -s" and .["curl | jq: ms"] > 0'
	named "memory: agent-runs"
}

@test "bench events: the same lines as curl | jq" {
	bench events
	[ "$(wc -l <lines)" = 4 ]
}

@test "bench messages: at four numbers of connections, none refused" {
	bench messages
	named "messages, durable, 32 connections" | jq -e '.ours > 0 and .goal == "ours >= 23400"'
	[[ $stderr != *refused* ]]
}

@test "bench latency: what is posted arrives" {
	bench latency
	named "from a post to agent-watch's line, over the fsync" | jq -e '.fsync_ms > 0'
}

@test "bench fan-out: every reader gets every event, with and without a server beside it" {
	bench fan-out
	named "server-sent events to 20 readers" | jq -e '.ours > 0'
	named "WebSockets to 20 readers"
	if ! jq -es 'all(.theirs != null)' lines; then
		[[ $stderr == *"nothing is measured beside nchan"* ]]
	fi
}

@test "bench fan-out: without nginx it says so loudly, and goes on" {
	BENCH_READERS=1 BENCH_NGINX=none bench fan-out
	[[ $stderr == *"*** fan-out: nothing is measured beside nchan"* ]]
	jq -es 'all(.theirs == null and .ratio == null and .met == null)' lines
}

@test "bench store: memory, start, replay and growth" {
	bench store
	named "a gateway at rest" | jq -e '.goal == "ours <= 10"'
	named "replay as lines of agent-events --all" | jq -e '.events >= 1200'
	[ "$(named "replay as server-sent events to curl" | jq .events)" = "$(named "replay as lines of agent-events --all" | jq .events)" ]
}

@test "bench scale: one, two and four gateways on one database beside one on a file, and from one to another" {
	load lib/postgresql
	if ! postgresql_available; then
		run -0 --separate-stderr timeout 60 "$AU_SRC/tests/bench/bench" scale
		[[ $stderr == *"*** scale: nothing is measured"* ]]
		skip "$why"
	fi
	bench scale
	named "messages, 32 connections, one gateway, PostgreSQL" | jq -e '.ours > 0 and .beside == "one gateway, SQLite" and .ratio > 0'
	for n in 2 4; do named "messages, 256 connections, $n gateways, PostgreSQL" | jq -e '.ours > 0 and .beside == "one gateway, PostgreSQL" and .ratio > 0'; done
	named "from a post at one gateway to a reader at another" | jq -e '.ours > 0'
}

@test "a bench that does not exist is refused, with those that do" {
	run -2 --separate-stderr "$AU_SRC/tests/bench/bench" nothing
	[[ $stderr == *"there is no 'nothing'"*fan-out* ]]
	[ -z "$output" ]
}

@test "more readers than open files: said, not measured" {
	BENCH_READERS=2000000 run -0 --separate-stderr timeout 60 "$AU_SRC/tests/bench/bench" fan-out
	[[ $stderr == *"2000000 readers are not measured"* ]]
	[ -z "$output" ]
}
