#!/usr/bin/env bats
# Threads are deleted.
load lib/common

setup() {
	common_setup
	export AGENT_WORKSPACE=acme AGENT_RUNTIME_PROVIDER=mock
}
teardown() { common_teardown; }

delete_some() {
	a=$(agent-thread-create --jq .threadId) b=$(agent-thread-create --jq .threadId) c=$(agent-thread-create --jq .threadId)
	[ "$(agent-thread-delete "$a")" = "{\"deleted\":true,\"threadId\":\"$a\"}" ]
	printf '{"threadId":"%s","mine":1}\n' "$b" | agent-thread-delete >gone
	[ "$(cat gone)" = "{\"deleted\":true,\"threadId\":\"$b\",\"mine\":1}" ]
	[ "$(agent-threads --jq .threadId)" = "$c" ]
	run -1 --separate-stderr agent-thread-delete "$a" "$c"
	[ "$output" = "{\"deleted\":true,\"threadId\":\"$c\"}" ]
	[[ $stderr == *"unable to delete thread '$a': Thread not found (404 AGENT_THREAD_NOT_FOUND)"* ]]
	run -1 agent-threads
	run -6 agent-thread-delete <<<'{}'
	run -2 agent-thread-delete --thread "$a" "$b"
}

@test "deleted, at a Compass API" {
	start_compass
	delete_some
}

@test "deleted, at agent-gateway: nothing of it is left, but not while a turn is in progress" {
	printf '%s\n' '{"on":"turn"}' '{"hang":true}' >script
	start_gateway --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock --script $PWD/script"
	delete_some
	agent-thread-create >thread
	agent-turn-start --no-wait needle-in-the-store <thread
	run -14 --separate-stderr agent-thread-delete <thread
	[[ $stderr == *AGENT_THREAD_BUSY* ]]
	agent-turn-interrupt <thread
	agent-thread-delete <thread
	run -1 agent-events <thread
}
