#!/usr/bin/env bats
# agent-events, agent-watch and agent-emit on threads: listed, followed over WebSockets, polled where there are none, uploaded.
load lib/common

setup() {
	common_setup
	start_compass
	thread=$(agent-thread-create --jq .threadId)
}
teardown() { common_teardown; }

turn() { curl -sf -H 'content-type: application/json' -d "{\"text\":\"$1\"}" "$url/v1/agent/threads/$thread/turns"; }
cursors() { jq -r .cursor "$1" | tr '\n' ' '; }

@test "a thread's events are listed, page after page, chosen by method, turn, cursor and number" {
	turn one >/dev/null
	second=$(turn two | jq -r .turn.turnId)
	[ "$(agent-events --thread "$thread" --jq .method | uniq | tr '\n' ' ')" = "thread.started turn.started item.delta runtime.metadata turn.completed turn.started item.delta runtime.metadata turn.completed " ]
	agent-events --thread "$thread" >both # how many pieces a text comes in is a matter of time
	diff <(agent-events --thread "$thread" --kind 'turn.*') <(jq -c 'select(.method | startswith("turn."))' both)
	diff <(agent-events --thread "$thread" --turn "$second") <(jq -c --arg t "$second" 'select(.turnId == $t)' both)
	[ "$(jq -r 'select(.method | startswith("turn.")).method' both | wc -l)" = 4 ]
	[ "$(agent-events --thread "$thread" --after 7 --jq .cursor | tr '\n' ' ')" = "8 9 " ]
	[ "$(printf '{"threadId":"%s","turnId":"%s"}' "$thread" "$second" | agent-events -n 1 --jq .payload.status)" = completed ]
	tell "{\"flood\":1200,\"threadId\":\"$thread\"}" >/dev/null
	agent-events --thread "$thread" >all
	[ "$(wc -l <all)" = 1209 ]
	diff <(jq .cursor all) <(seq 1209)
	run -1 agent-events --thread nobody
	run -2 agent-events --thread "$thread" --run r
	run -2 agent-events --turn "$second"
	run -6 agent-events <<<'{}'
}

@test "a socket that is cut again and again: every event once and in order" {
	tell '{"stream":"cut","every":40}' >/dev/null
	start watch agent-watch --thread "$thread" --until test.end
	await 10 told '.sockets == 1'
	for ((i = 0; i < 20; i++)); do tell "{\"flood\":50,\"threadId\":\"$thread\"}" >/dev/null; done
	tell "{\"event\":{\"threadId\":\"$thread\",\"method\":\"test.end\"}}" >/dev/null
	await 40 gone "$pid"
	diff <(jq .cursor watch.out) <(seq 1002)
	diff <(agent-events --thread "$thread") watch.out
}

@test "without sockets it polls, and says so once" {
	for knob in 404 html; do
		tell "{\"stream\":\"$knob\"}" >/dev/null
		start watch agent-watch --thread "$thread" --poll 100ms --until test.$knob
		await 10 has_line watch.err 'Falling back to polling'
		tell "{\"flood\":3,\"threadId\":\"$thread\"}" >/dev/null
		tell "{\"event\":{\"threadId\":\"$thread\",\"method\":\"test.$knob\"}}" >/dev/null
		await 10 gone "$pid"
		diff <(agent-events --thread "$thread") watch.out
		[ "$(grep -c 'Falling back' watch.err)" = 1 ]
	done
	start watch agent-watch --thread "$thread" --no-stream --poll 100ms --after 1000 --until never
	await 10 told '.counts["GET /v1/agent/threads/:id/events"] > 12'
	told '.counts["WS /v1/agent/threads/:id/stream"] == 2'
}

@test "a turn is watched to its end, and its outcome is the status" {
	good=$(turn fine | jq -c .turn)
	agent-watch --until terminal <<<"$good" >events
	[ "$(jq -r .method events | uniq | tr '\n' ' ')" = "turn.started item.delta runtime.metadata turn.completed " ]
	tell '{"fail":"no luck"}' >/dev/null
	bad=$(turn bad | jq -c .turn)
	run -10 agent-watch <<<"$bad"
	run -0 agent-watch --outcome ignore <<<"$bad"
	# one that ended before the cursor
	run -10 agent-watch --thread "$thread" --turn "$(jq -r .turnId <<<"$bad")" --after 7
	[ -z "$output" ]
	# the thread as a whole: none in progress
	run -10 agent-watch --thread "$thread" --until terminal --after 2
	[ "${#lines[@]}" = 5 ]
	run -1 agent-watch --thread nobody
	run -2 agent-watch --turn x
	run -2 agent-watch --thread "$thread" --all
	run -2 agent-watch --thread "$thread" r
}

@test "the first interrupt ends the turn, and its last event is shown" {
	tell '{"hold":true}' >/dev/null
	turn long >turned 3>&- &
	await 10 told '.cursor == 2'
	start watch env --default-signal=INT agent-watch --thread "$thread" --until never
	await 10 has_line watch.out turn.started
	kill -INT "$pid"
	await 10 gone "$pid"
	run -11 wait "$pid"
	[ "$(tail -n 1 watch.out | jq -r .payload.status)" = interrupted ]
	grep -q 'asked for the end of 1 turn' watch.err
	tell '{"hold":false}' >/dev/null
}

@test "an approval that nobody answered is what a thread waits for" {
	t=$(jq -nc --arg t "$thread" '{event: {threadId: $t, turnId: "u1", method: "turn.started", payload: {turnId: "u1", text: "x"}}}')
	tell "$t" >/dev/null
	start watch agent-watch --thread "$thread" --until waiting
	await 10 has_line watch.out turn.started
	tell "$(jq -nc --arg t "$thread" '{event: {threadId: $t, turnId: "u1", method: "approval.requested", payload: {approvalId: "a1"}}}')" >/dev/null
	await 10 gone "$pid"
	run -12 wait "$pid"
	run -12 agent-watch --thread "$thread" --turn u1 --until waiting
	tell "$(jq -nc --arg t "$thread" '{event: {threadId: $t, turnId: "u1", method: "approval.resolved", payload: {approvalId: "a1"}}}')" >/dev/null
	run -5 agent-watch --thread "$thread" --until waiting --timeout 500ms
}

@test "the cursor file goes on where it stopped" {
	agent-watch --thread "$thread" --cursor-file c --count 1 >/dev/null
	turn one >/dev/null
	agent-watch --thread "$thread" --cursor-file c --count 2 >two
	[ "$(cursors two)" = "2 3 " ]
	[ "$(cat c)" = 3 ]
	agent-events --thread "$thread" --cursor-file c >rest
	[ "$(cursors rest)" = "4 5 " ]
}

@test "several threads at once, from records that arrive while others are watched" {
	other=$(agent-thread-create --jq .threadId)
	mkfifo in
	start_reader() { agent-watch --until test.end <in >both 2>both.err; }
	start_reader 3>&- &
	reader=$!
	exec 9>in
	echo "{\"threadId\":\"$thread\"}" >&9
	await 10 told '.sockets == 1'
	echo "{\"threadId\":\"$other\"}" >&9
	exec 9>&-
	await 10 told '.sockets == 2'
	for t in "$thread" "$other"; do tell "{\"event\":{\"threadId\":\"$t\",\"method\":\"test.end\"}}" >/dev/null; done
	wait $reader
	[ "$(jq -r .method both | sort | uniq -c | tr -s ' \n' ' ')" = " 2 test.end 2 thread.started " ]
}

@test "events are posted: by options, and those of a pipe in one request" {
	run -0 agent-emit --thread "$thread" --turn u1 --kind item.delta --data '{"text":"a","n":12345678901234567890}'
	jq -e --arg t "$thread" '. == {ok: true, method: "item.delta", threadId: $t, turnId: "u1"}' <<<"$output"
	agent-emit --thread "$thread" --kind note --data '"just text"' >/dev/null
	seq 450 | jq -c '{method: "test.tick", turnId: "u1", payload: {n: .}}' >lines
	agent-emit --thread "$thread" <lines >results
	[ "$(wc -l <results)" = 450 ]
	told '.counts["POST /v1/agent/threads/:id/events:batch"] < 30'
	agent-events --thread "$thread" --kind 'test.*' --jq .payload.n | diff - <(seq 450)
	agent-events --thread "$thread" --kind item.delta | grep -q '"payload":{"text":"a","n":12345678901234567890}' ||
		agent-events --thread "$thread" --kind item.delta | grep -q 12345678901234567890
	[ "$(agent-events --thread "$thread" --kind note --jq .payload)" = "just text" ]
	# each record may name its thread
	other=$(agent-thread-create)
	jq -c '. + {method: "test.other"}' <<<"$other" | agent-emit >/dev/null
	[ "$(agent-events --kind 'test.*' --jq .method <<<"$other")" = test.other ]
	run -6 agent-emit --thread "$thread" <<<'{"payload":1}'
	run -1 agent-emit --thread nobody --kind x
	run -2 agent-emit --thread "$thread" --run r --kind x
	run -2 agent-emit --run r --kind x --data 1
}

@test "an upload whose answer was lost is not sent twice to a server that knows no keys" {
	tell '{"lose":1}' >/dev/null
	run -3 --separate-stderr agent-emit --thread "$thread" --kind once
	[[ $stderr == *"it may have been taken all the same"* ]]
	[ "$(agent-events --thread "$thread" --kind once | wc -l)" = 1 ]
}

@test "the notifications of the runtime, over a connection that is lost" {
	start watch agent-watch --runtime --until account/login/completed
	await 10 told '.sockets == 1'
	tell '{"notify":{"method":"account/updated","payload":{"authMode":"apikey"}}}' >/dev/null
	await 10 has_line watch.out apikey
	tell '{"drop":true}' >/dev/null
	await 10 has_line watch.err 'stream lost'
	await 10 told '.sockets == 1'
	tell '{"notify":{"method":"account/login/completed","payload":{"success":true}}}' >/dev/null
	await 10 gone "$pid"
	[ "$(jq -r .method watch.out | tr '\n' ' ')" = "account/updated account/login/completed " ]
	jq -e 'has("type") | not' watch.out >/dev/null
	tell '{"stream":"404"}' >/dev/null
	run -1 agent-watch --runtime
	run -2 agent-watch --runtime --no-stream
	run -2 agent-watch --runtime --until terminal
}
