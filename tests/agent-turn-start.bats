#!/usr/bin/env bats
# agent-turn-start against a Compass API, which answers when the turn is over.
load lib/common

setup() {
	common_setup
	start_compass
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
}
teardown() { common_teardown; }

happened() { agent-events --thread "$id" | grep -q -e "$1"; }
# what the server was asked to do last
asked() { curl -sf "$url/__fake" | jq -c .body; }

@test "a turn is started and its record, with what its thread's said, is written" {
	run -0 --separate-stderr agent-turn-start hello there <thread
	[ "${#lines[@]}" = 1 ]
	jq -e --arg t "$id" '.threadId == $t and .status == "completed" and .output.text == "Cloud(dynamic_sessions) response: hello there" and .workspaceSlug == "acme"' <<<"$output"
	[ -z "$stderr" ]
}

@test "the text comes from operands, a file, both, or standard input" {
	printf 'from a file\n' >text
	agent-turn-start --thread "$id" --file text --jq .input.text >got
	printf 'in' | agent-turn-start --thread "$id" --jq .input.text >>got
	printf 'in\n\n' | agent-turn-start --thread "$id" --file - --jq .input.text >>got
	printf 'from a file\nin\nin\n\n' | diff - got
	agent-turn-start --file text 'explain this' <thread >both
	[ "$(jq -r .input.text both)" = $'explain this\n\nfrom a file' ]
	agent-turn-start --thread "$id" --jq .input.text -- --not-an-option >got
	[ "$(cat got)" = --not-an-option ]
	run -2 agent-turn-start <thread
	run -2 agent-turn-start --file - <thread
	run -6 agent-turn-start --thread "$id" ' '
	run -6 agent-turn-start --thread "$id" <<<''
	printf 'a\377' | run -6 agent-turn-start --thread "$id"
	run -8 agent-turn-start --thread "$id" --file nowhere
}

@test "the options of a turn reach the server" {
	agent-turn-start --thread "$id" --model m1 --approval-policy on-request --sandbox-policy '{"type":"readOnly","n":12345678901234567890}' --effort high \
		--personality friendly --mode cloud --host dynamic_sessions --parent-turn p --source-turn s --request-id k1 x >/dev/null
	[ "$(asked | jq -c '[.text, .clientRequestId, .model, .approvalPolicy, .effort, .personality, .executionMode, .executionHost, .parentTurnId, .sourceTurnId]')" = \
		'["x","k1","m1","on-request","high","friendly","cloud","dynamic_sessions","p","s"]' ]
	[ "$(asked | jq -r .sandboxPolicy.type)" = readOnly ]
	agent-turn-start --thread "$id" --sandbox-policy read-only y >/dev/null
	[ "$(asked | jq -c '[.sandboxPolicy, has("model")]')" = '["read-only",false]' ]
	run -2 agent-turn-start --thread "$id" --sandbox-policy '{"type"' x
	run -2 agent-turn-start --thread "$id" --outcome maybe x
	run -2 agent-turn-start --thread "$id" --request-id 'a b' x
}

@test "a failed turn is an answer, and its status 10" {
	tell '{"fail":"no luck today"}' >/dev/null
	run -10 --separate-stderr agent-turn-start --thread "$id" x
	jq -e '.status == "error" and .error.message == "no luck today"' <<<"$output"
	[ "$stderr" = "agent-turn-start: the turn failed: no luck today" ]
	run -0 agent-turn-start --outcome ignore --thread "$id" x
	run -10 agent-turn-start --stream --thread "$id" x
}

@test "the same request is not started twice" {
	a=$(agent-turn-start --thread "$id" --request-id once --jq .turnId x)
	b=$(agent-turn-start --thread "$id" --request-id once --jq .turnId x)
	[ "$a" = "$b" ]
	# several threads: one request each
	agent-thread-create >>thread
	[ "$(agent-turn-start --request-id many --jq .clientRequestId x <thread | tr '\n' ' ')" = "many many-1 " ]
}

@test "streaming gives the events of this turn, and no others" {
	agent-turn-start --thread "$id" before >/dev/null
	for way in --stream '--stream --no-socket'; do
		agent-turn-start $way hello <thread >events
		[ "$(jq -r .method events | uniq | tr '\n' ' ')" = "turn.started item.delta runtime.metadata turn.completed " ]
		[ "$(jq -r .turnId events | sort -u | wc -l)" = 1 ]
		[ "$(head -n 1 events | jq -r .payload.text)" = hello ]
	done
	# a long thread: its end is searched for, not read
	tell "{\"flood\":20000,\"threadId\":\"$id\"}" >/dev/null
	before=$(curl -sf "$url/__fake" | jq '.counts["GET /v1/agent/threads/:id/events"]')
	[ "$(agent-turn-start --stream --thread "$id" --jq .method again | tail -n 1)" = turn.completed ]
	after=$(curl -sf "$url/__fake" | jq '.counts["GET /v1/agent/threads/:id/events"]')
	[ $((after - before)) -lt 40 ]
}

@test "busy, unknown and refused" {
	tell '{"hold":true}' >/dev/null
	start first agent-turn-start --thread "$id" first
	await 10 told '.cursor == 2'
	run -14 --separate-stderr agent-turn-start --thread "$id" second
	[[ $stderr == *"A turn is already in progress (409 AGENT_THREAD_BUSY)"* ]]
	run -14 agent-turn-start --stream --thread "$id" second
	run -14 agent-turn-start --no-wait --thread "$id" second
	tell '{"hold":false}' >/dev/null
	await 10 gone "$pid"
	run -1 agent-turn-start --thread nobody x
	run -1 agent-turn-start --stream --thread nobody x
	run -6 agent-turn-start x <<<'{"runId":"r"}'
	# one bad record does not stop the others
	{ echo '{"threadId":"nobody"}'; cat thread; } | run -1 --separate-stderr agent-turn-start x
	[ "${#lines[@]}" = 1 ]
}

@test "the deadline leaves the turn alone" {
	tell '{"hold":true}' >/dev/null
	run -5 --separate-stderr agent-turn-start --thread "$id" --timeout 300ms long
	[[ $stderr == *"unable to"*"deadline"* ]]
	run -14 agent-turn-start --thread "$id" other
	tell '{"hold":false}' >/dev/null
	await 10 happened turn.completed
}

@test "the first interrupt ends the turn, whether it is waited for or streamed" {
	tell '{"hold":true}' >/dev/null
	start one env --default-signal=INT agent-turn-start --thread "$id" --wait long
	await 10 told '.cursor == 2'
	kill -INT "$pid"
	await 10 gone "$pid"
	run -11 wait "$pid"
	jq -e '.status == "interrupted" and .error.message == "Interrupted by user"' one.out
	start two env --default-signal=INT agent-turn-start --thread "$id" --stream longer
	await 10 told '.cursor == 4'
	kill -INT "$pid"
	await 10 gone "$pid"
	run -11 wait "$pid"
	[ "$(tail -n 1 two.out | jq -r .payload.status)" = interrupted ]
	tell '{"hold":false}' >/dev/null
}

@test "a second interrupt leaves, and the turn goes on" {
	tell '{"hold":true}' >/dev/null
	start one env --default-signal=INT agent-turn-start --thread "$id" long
	await 10 told '.cursor == 2'
	tell '{"status":[500,{"code":"INTERNAL_SERVER_ERROR","message":"Unexpected server error"}]}' >/dev/null
	kill -INT "$pid"
	await 10 has_line one.err 'interrupt again to leave'
	kill -INT "$pid"
	await 10 gone "$pid"
	run -130 wait "$pid"
	tell '{"status":null,"hold":false}' >/dev/null
	await 10 happened '"status":"completed"'
}

@test "an answer that was lost: the stream goes on by the turn's own events, waiting says what may be" {
	tell '{"lose":1}' >/dev/null
	agent-turn-start --stream --thread "$id" hello >events
	[ "$(jq -r .method events | uniq | tr '\n' ' ')" = "turn.started item.delta runtime.metadata turn.completed " ]
	tell '{"lose":1}' >/dev/null
	run -3 --separate-stderr agent-turn-start --thread "$id" hello
	[[ $stderr == *"the turn may have begun all the same"*"--request-id"* ]]
}

@test "the pipeline of the manual" {
	printf -- '-old\n+new\n' >change.diff
	agent-thread-create --workspace acme | agent-turn-start --stream --file change.diff "explain this diff" | agent-show --time none >shown
	grep -q 'response: explain this diff' shown
}
