#!/usr/bin/env bats
# Threads are put away and brought back.
load lib/common

setup() {
	common_setup
	export AGENT_WORKSPACE=acme AGENT_RUNTIME_PROVIDER=mock
}
teardown() { common_teardown; }

archive_and_restore() {
	a=$(agent-thread-create --jq .threadId) b=$(agent-thread-create --jq .threadId) c=$(agent-thread-create --jq .threadId)
	[ "$(agent-thread-archive --jq .archived "$a")" = true ]
	[ "$(agent-thread-archive --jq .archived --thread "$b")" = true ]
	[ "$(agent-threads --jq .threadId)" = "$c" ]
	[ "$(agent-threads --state archived | wc -l)" = 2 ]
	agent-threads --state archived | agent-thread-archive --restore | jq -e '.archived == false and .status == "idle"'
	[ "$(agent-threads | wc -l)" = 3 ]
	run -1 agent-threads --state archived
	run -1 --separate-stderr agent-thread-archive nobody "$a"
	[ "${#lines[@]}" = 1 ]
	[[ $stderr == *"unable to archive thread 'nobody': Thread not found (404 AGENT_THREAD_NOT_FOUND)"* ]]
	run -1 --separate-stderr agent-thread-archive --restore nobody
	[[ $stderr == *"unable to restore thread 'nobody'"* ]]
	run -2 agent-thread-archive --thread "$a" "$b"
	run -6 agent-thread-archive <<<'{}'
}

@test "put away and brought back, at a Compass API" {
	start_compass
	archive_and_restore
}

@test "put away and brought back, at agent-gateway" {
	start_gateway
	archive_and_restore
	# its turns go on
	agent-thread-archive "$a" | agent-turn-start hello | jq -e '.status == "completed"'
	agent-thread-show "$a" | jq -e '.archived and .status == "completed"'
}
