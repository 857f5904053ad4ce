#!/usr/bin/env bats
# The commands of the thread side with agent-gateway and a runtime for tests.
load lib/common

setup() {
	common_setup
	export AGENT_WORKSPACE=acme
	mock=$AU_BUILD/libexec/agentutils/agent-runtime-mock
}
teardown() { common_teardown; }

start_proxy() { # OPTIONS...: in front of the gateway
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" "$@"
	await 10 has_line proxy.out http
	AGENT_RUNTIME_URL=$(head -n 1 proxy.out)
}

@test "the pipeline of the manual: pieces of the answer as they come, shown once" {
	start_gateway --runtime "$mock --chunk 4 --pause 5ms"
	printf -- '-old\n+new\n' >change.diff
	agent-thread-create --workspace acme | agent-turn-start --stream --file change.diff "explain this diff" >events
	[ "$(jq -j 'select(.method=="item.delta").payload.text' events)" = $'Cloud(dynamic_sessions) response: explain this diff\n\n-old\n+new' ]
	[ "$(agent-show --time none <events | grep -c 'response: explain this diff')" = 1 ]
	# each in turn; a record names what the next command wants
	agent-thread-create | agent-turn-start --no-wait one | agent-watch >watched
	[ "$(tail -n 1 watched | jq -r .method)" = turn.completed ]
	[ "$(agent-threads --status completed | wc -l)" = 2 ]
	agent-threads | agent-thread-mode local | jq -e '.executionMode == "local"'
	agent-threads | agent-events | tail -n 1 | jq -e '.method == "thread.modeSwitched"'
}

@test "an approval is seen from another shell, and answered there" {
	printf '%s\n' '{"on":"turn"}' '{"command":"make deploy","ask":true,"output":"deployed\n"}' '{"say":"The answer was ${answer}."}' >script
	start_gateway --runtime "$mock --script $PWD/script"
	agent-thread-create >thread
	for decision in accept decline; do
		start turn agent-turn-start --stream --thread "$(jq -r .threadId thread)" deploy
		run -12 agent-watch --timeout 20 --until waiting --after "$(agent-events -n 1 --jq .cursor <thread)" <thread
		await 10 approvals_wait
		[ "$(agent-approvals <thread | agent-show --time none)" = "approval $(agent-approvals --jq .approvalId <thread) (command): make deploy" ]
		agent-approvals <thread | agent-approve $decision --reason "because" | jq -e ".decision == \"$decision\" and .reason == \"because\""
		await 10 gone "$pid"
		[ "$(jq -j 'select(.method=="item.delta").payload.text' turn.out)" = "The answer was $decision." ]
	done
	run -1 agent-approvals <thread
	[ "$(agent-approvals --status all <thread | wc -l)" = 2 ]
}
approvals_wait() { agent-approvals <thread >/dev/null 2>&1; }

@test "an interrupt reaches the runtime and is final" {
	printf '%s\n' '{"on":"turn"}' '{"hang":true}' >script
	start_gateway --runtime "$mock --script $PWD/script"
	agent-thread-create >thread
	start turn env --default-signal=INT agent-turn-start --thread "$(jq -r .threadId thread)" long
	await 10 in_progress
	kill -INT "$pid"
	await 15 gone "$pid"
	run -11 wait "$pid"
	[ "$(agent-thread-show --jq .status <thread)" = interrupted ]
	agent-turn-start --no-wait again <thread >turn
	[ "$(agent-turn-interrupt --jq .status <turn)" = interrupted ]
	run -11 agent-watch --timeout 20 <turn
}
in_progress() { [ "$(agent-thread-show --jq .status <thread)" = inProgress ]; }

@test "an answer that was lost starts no second turn" {
	start_gateway --runtime "$mock --chunk 4 --pause 20ms"
	for way in --wait --stream --no-wait; do
		agent-thread-create >thread
		start_proxy --lose-first-answer
		agent-turn-start $way hello <thread >out
		AGENT_RUNTIME_URL=$url
		[ -s out ]
		[ "$(agent-events --kind turn.started <thread | wc -l)" = 1 ]
	done
}

@test "a socket that is cut every 100 ms: 10,000 events, every one once and in order" {
	start_gateway
	agent-thread-create >thread
	start_proxy --cut-sockets 100
	start watch agent-watch --quiet --thread "$(jq -r .threadId thread)" --until test.end
	await 10 has_line watch.out thread.started
	AGENT_RUNTIME_URL=$url
	seq 9998 | jq -c '{method: "test.tick", payload: .}' | agent-emit --thread "$(jq -r .threadId thread)" >/dev/null
	agent-emit --kind test.end <thread >/dev/null
	await 60 gone "$pid"
	[ "$(wc -l <watch.out)" = 10000 ]
	agent-events <thread | diff - watch.out
}

@test "a gateway that is killed in the middle of a turn: the turn has failed, and who streams it learns that" {
	printf '%s\n' '{"on":"turn"}' '{"delta":"begun"}' '{"hang":true}' >script
	start_gateway --listen "unix:$PWD/s" --runtime "$mock --script $PWD/script"
	export AGENT_RUNTIME_URL=unix:$PWD/s
	agent-thread-create >thread
	start turn agent-turn-start --stream --thread "$(jq -r .threadId thread)" long
	turn_pid=$pid
	await 10 has_line turn.out begun
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway --listen "unix:$PWD/s" --runtime "$mock"
	await 30 gone "$turn_pid"
	run -10 wait "$turn_pid"
	[ "$(jq -r .method turn.out | uniq | tr '\n' ' ')" = "turn.started item.delta turn.completed " ]
}

@test "a turn of this machine is seen live by those who watch the thread" {
	start_gateway
	agent-thread-create --mode local >thread
	start watch agent-watch --thread "$(jq -r .threadId thread)" --until turn.completed
	await 10 has_line watch.out thread.started
	agent-turn-local --runtime "$mock --chunk 4 --pause 10ms" hello <thread >turn
	await 10 gone "$pid"
	[ "$(jq -j 'select(.method=="item.delta").payload.text' watch.out)" = "$(jq -r .output.text turn)" ]
	[ "$(tail -n 1 watch.out | jq -r .turnId)" = "$(jq -r .turnId turn)" ]
}

@test "a runtime that wants a login says so, and its notifications are followed" {
	start_gateway --runtime "$mock --login-needed"
	agent-thread-create >thread
	run -4 agent-turn-start hello <thread
	run -5 agent-watch --runtime --timeout 300ms
}
