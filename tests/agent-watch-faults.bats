#!/usr/bin/env bats
# agent-watch under faults: servers that forget, records that cannot be read, lists that hang, logs that begin anew.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }
emit() { agent-emit --run "$1" --kind "$2" "${@:3}" >/dev/null; }
once_in_order() { jq -s -e '[.[].seq] as $s | $s == ($s | sort | unique)' "$1" >/dev/null; }
kinds() { jq -r .kind "$1" | tr '\n' ' '; }
fake() { curl -fsS -d "$1" "$url/__fake" >/dev/null; }
requests() { curl -fsS "$url/__fake" | jq ".requests.$1 // 0"; }
status_of() { # PID: how it ended
	await 60 gone "$1"
	status=0
	wait "$1" || status=$?
}

# Clarity with its state in a file, so that it can be killed and come back at its place
start_at() { # PORT
	start_clarity --state state.ndjson --port "$1"
	port=${url##*:}
}
stop_clarity() {
	kill -9 "$clarity_pid"
	await 10 gone "$clarity_pid"
}

# A server of our own making: script NAME JSON
start_script() {
	printf '%s' "$1" >script.json
	start script python3 "$AU_SRC/tests/fake/fake-script" script.json
	await 10 has_line script.out '^http'
	url=$(head -n 1 script.out)
	export AGENT_RUNTIME_URL=$url
}
event() { printf '{"seq":%d,"at":"2026-11-21T00:00:%02d.000Z","kind":"%s","level":"info","message":"m","data":{"runId":"r","n":%d}}' "$1" "$1" "$2" "$1"; }
list() { # EVENT...: as the answer of a list
	local IFS=,
	printf '{"runId":"r","items":[%s]}' "$*" | jq -c '{body: tojson}'
}
record() { printf 'data: %s\n\n' "$1" | jq -Rsc .; }
events_path='GET /api/agents/runs/r/events'
stream_path='GET /api/agents/runs/r/events/stream'
sse='"type":"text/event-stream"'

@test "a window that moved on while the connection was lost: status 15, and nothing after the gap is printed" {
	start_at 0
	emit r agent.a
	start w agent-watch r --cursor-file cursor
	watch=$pid
	await 10 has_line w.out agent.a
	stop_clarity
	start_clarity --state state.ndjson
	fake '{"flood":2100}'
	emit r agent.b
	stop_clarity
	start_at "$port"
	status_of "$watch"
	[ "$status" = 15 ]
	[ "$(kinds w.out)" = "agent.a " ]
	[ "$(cat cursor)" = 1 ]
	[[ $(cat w.err) == *"without a gap"*"no longer holds event 1"* ]]
}

@test "the same with --on-gap continue: it is said once, and what there is is printed" {
	start_at 0
	emit r agent.a
	start w agent-watch r --on-gap continue
	watch=$pid
	await 10 has_line w.out agent.a
	stop_clarity
	start_clarity --state state.ndjson
	fake '{"flood":2100}'
	emit r agent.b
	stop_clarity
	start_at "$port"
	await 30 has_line w.out agent.b
	emit r agent.run_completed
	status_of "$watch"
	[ "$status" = 0 ]
	once_in_order w.out
	[ "$(kinds w.out)" = "agent.a agent.b agent.run_completed " ]
	[ "$(grep -c 'without a gap' w.err)" = 1 ]
}

@test "a window that moves on while we are in touch is no gap, streaming or polling" {
	start_at 0
	emit r agent.a
	start stream agent-watch r
	streamer=$pid
	start poll agent-watch r --no-stream --poll 100ms
	poller=$pid
	await 10 has_line stream.out agent.a
	await 10 has_line poll.out agent.a
	fake '{"flood":2100}'
	emit r agent.b
	await 10 has_line stream.out agent.b
	await 10 has_line poll.out agent.b
	emit r agent.run_completed
	status_of "$streamer"
	[ "$status" = 0 ]
	status_of "$poller"
	[ "$status" = 0 ]
}

@test "a log that began anew between two polls is a gap, even when it is longer than the old one" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)" "$(event 2 agent.b)"), $(list "$(event 1 agent.c)" "$(event 2 agent.d)" "$(event 3 agent.e)")]
	}"
	run -15 --separate-stderr timeout 20 agent-watch r --no-stream --poll 100ms
	[ "$(kinds <(echo "$output"))" = "agent.a agent.b " ]
	[[ $stderr == *"began anew"* ]]
}

@test "a log that began anew and is shorter: with --on-gap continue all of the new one is printed" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)" "$(event 2 agent.b)"), $(list "$(event 1 agent.c)"), $(list "$(event 1 agent.c)"),
			$(list "$(event 1 agent.c)" "$(event 2 agent.run_completed)")]
	}"
	run -0 --separate-stderr timeout 20 agent-watch r --no-stream --poll 100ms --on-gap continue
	[ "$(kinds <(echo "$output"))" = "agent.a agent.b agent.c agent.run_completed " ]
}

@test "a gateway that lost its state is a gap too, whether its log is shorter or longer now" {
	AU_STORE= # each directory is a log
	for events in 1 5; do
		start_gateway --state "$BATS_TEST_TMPDIR/old$events"
		port=${url##*:}
		for _ in 1 2 3; do emit r agent.old; done
		start "w$events" agent-watch r
		watch=$pid
		await 10 count_lines "w$events.out" agent.old 3
		kill -9 "$gateway_pid"
		await 10 gone "$gateway_pid"
		# the new one is filled before it takes the old one's place
		start_gateway --state "$BATS_TEST_TMPDIR/new$events"
		for _ in $(seq "$events"); do emit r agent.new; done
		kill "$gateway_pid"
		await 10 gone "$gateway_pid"
		start "back$events" agent-gateway --listen "127.0.0.1:$port" --state "$BATS_TEST_TMPDIR/new$events"
		status_of "$watch"
		[ "$status" = 15 ]
		! grep -q agent.new "w$events.out"
	done
}

@test "a cursor that the server cannot have given" {
	start_gateway
	emit r agent.a
	run -15 --separate-stderr timeout 20 agent-watch r --after 99
	[[ $stderr == *"without a gap"* ]]
	# a Clarity runtime shows more than its cursor, or not enough
	start_clarity
	emit r agent.run_created
	emit other agent.b
	emit r agent.run_completed
	run -0 --separate-stderr timeout 20 agent-watch r --after 2
	[ "$(kinds <(echo "$output"))" = "agent.run_completed " ]
	start_script "{\"$events_path\": [$(list "$(event 30 agent.b)" "$(event 31 agent.run_completed)")]}"
	run -15 --separate-stderr timeout 20 agent-watch r --after 9
	[ -z "$output" ]
}

@test "a record of the stream that is not JSON is fetched; order is kept" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)"), $(list "$(event 1 agent.a)" "$(event 2 agent.b)" "$(event 3 agent.c)")],
		\"$stream_path\": [{$sse, \"end\": \"hold\", \"pieces\": [$(record "$(event 1 agent.a)"), \"data: {\\\"seq\\\":2,\\\"ki\\n\\n\", $(record "$(event 3 agent.c)"),
			{\"wait\":\"go\"}, $(record "$(event 4 agent.run_completed)")]}]
	}"
	start w agent-watch r
	await 10 has_line w.out agent.c
	touch go
	status_of "$pid"
	[ "$status" = 0 ]
	[ "$(jq -c .seq w.out | tr '\n' ' ')" = "1 2 3 4 " ]
	grep -q 'not JSON' w.err
}

@test "a record that can neither be read nor fetched: the rest is printed, status 7" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)")],
		\"$stream_path\": [{$sse, \"end\": \"hold\", \"pieces\": [$(record "$(event 1 agent.a)"), \"data: {\\\"seq\\\":2,\\\"ki\\n\\n\",
			{\"wait\":\"go\"}, $(record "$(event 3 agent.run_completed)")]}]
	}"
	start w agent-watch r
	await 10 has_line w.err 'could not be read'
	touch go
	status_of "$pid"
	[ "$status" = 7 ]
	[ "$(jq -c .seq w.out | tr '\n' ' ')" = "1 3 " ]
}

@test "the global stream begins later than the list ended: the hole is fetched" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)"), $(list "$(event 1 agent.a)" "$(event 2 agent.b)" "$(event 5 agent.c)")],
		\"GET /api/events\": [{$sse, \"end\": \"hold\", \"pieces\": [$(record "$(event 5 agent.c)"), {\"wait\":\"go\"}, $(record "$(event 6 agent.run_completed)")]}]
	}"
	start w agent-watch r --poll 1h
	await 10 has_line w.out agent.c
	touch go
	status_of "$pid"
	[ "$status" = 0 ]
	[ "$(jq -c .seq w.out | tr '\n' ' ')" = "1 2 5 6 " ]
}

@test "one run whose list hangs does not hold up another, nor a signal" {
	start_script "{
		\"GET /api/agents/runs/hangs/events\": [{\"hang\": true}],
		\"$events_path\": [$(list "$(event 1 agent.a)")],
		\"$stream_path\": [{$sse, \"end\": \"hold\", \"pieces\": [$(record "$(event 1 agent.a)"), $(record "$(event 2 agent.b)")]}]
	}"
	printf '{"runId":"%s"}\n' hangs r >runs
	agent-watch <runs >w.out 2>w.err 3>&- &
	started+=($!)
	watch=$!
	await 5 has_line w.out agent.b
	kill -TERM "$watch"
	await 2 gone "$watch"
	status_of "$watch"
	[ "$status" = 143 ]
}

@test "a page of HTML where the stream should be, for ever or not, is no stream" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)"), $(list "$(event 1 agent.a)" "$(event 2 agent.run_completed)")],
		\"$stream_path\": [{\"type\":\"text/html\", \"pieces\": [\"<html>\"], \"end\": \"hold\"}],
		\"GET /api/events\": [{\"type\":\"text/html\", \"body\": \"<html>\"}]
	}"
	run -0 --separate-stderr timeout 20 agent-watch r --poll 200ms
	[[ $stderr == *"run stream unavailable: 200 with text/html"* ]]
}

@test "a stream that is refused for a while (503) is polled around, and asked again when the server said" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)"), $(list "$(event 1 agent.a)" "$(event 2 agent.b)")],
		\"$stream_path\": [{\"status\":503, \"headers\":{\"retry-after\":\"1\"}, \"body\":\"{\\\"error\\\":\\\"full\\\"}\"},
			{$sse, \"end\": \"hold\", \"pieces\": [$(record "$(event 1 agent.a)"), $(record "$(event 2 agent.b)"), $(record "$(event 3 agent.run_completed)")]}]
	}"
	start w agent-watch r --poll 100ms
	await 10 has_line w.out agent.b
	status_of "$pid"
	[ "$status" = 0 ]
	[ "$(jq -c .seq w.out | tr '\n' ' ')" = "1 2 3 " ]
	grep -q 'full (503)' w.err
}

@test "access that is taken away ends it with status 4" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)"), {\"status\":401, \"body\":\"{\\\"error\\\":\\\"unauthorized\\\"}\"}],
		\"$stream_path\": [{$sse, \"pieces\": [$(record "$(event 1 agent.a)")]}]
	}"
	run -4 --separate-stderr timeout 20 agent-watch r
	[ "$(kinds <(echo "$output"))" = "agent.a " ]
}

@test "a server without any of this is a wrong address at once: 404 is 1, HTML is 7" {
	start_script '{}'
	run -1 --separate-stderr timeout 20 agent-watch r
	start_script "{\"$events_path\": [{\"type\":\"text/html\",\"body\":\"<html>hello</html>\"}]}"
	run -7 --separate-stderr timeout 20 agent-watch r
	[[ $stderr == *"text/html"* ]]
}

@test "beside a healthy stream nothing is polled" {
	start_clarity
	emit r agent.a
	start w agent-watch r --poll 100ms
	await 10 has_line w.out agent.a
	emit r agent.b
	await 10 has_line w.out agent.b
	before=$(requests events)
	for i in 1 2 3 4 5 6; do
		emit r "agent.n$i"
		await 10 has_line w.out "agent.n$i"
	done
	[ "$(requests events)" -le $((before + 2)) ]
}

@test "a Clarity runtime that is killed in the middle and comes back: everything once, in order" {
	start_at 0
	start w agent-watch r --until agent.last
	watch=$pid
	for round in 1 2 3; do
		for i in 1 2 3 4 5; do emit r agent.n --data "{\"n\":$((round * 10 + i))}"; done
		await 20 count_lines w.out agent.n $((round * 5))
		stop_clarity
		start_at "$port"
	done
	emit r agent.last
	status_of "$watch"
	[ "$status" = 0 ]
	once_in_order w.out
	[ "$(jq -c 'select(.kind == "agent.n").data.n' w.out | tr '\n' ' ')" = "11 12 13 14 15 21 22 23 24 25 31 32 33 34 35 " ]
}

@test "Clarity's streams that end, or end inside a record, all the time" {
	for fault in cut cut-mid-record; do
		start_clarity --fault "{\"stream\":\"$fault\"}"
		start w agent-watch r --until agent.last
		watch=$pid
		for i in $(seq 30); do emit r agent.n --data "{\"n\":$i}"; done
		emit r agent.last
		status_of "$watch"
		[ "$status" = 0 ]
		[ "$(jq -s '[.[] | select(.kind=="agent.n").data.n] == [range(1; 31)]' w.out)" = true ]
	done
}

@test "an event of 5 MB passes, streamed and polled, byte for byte" {
	start_script "{
		\"$events_path\": [$(list "$(event 1 agent.a)")],
		\"$stream_path\": [{$sse, \"end\": \"hold\", \"pieces\": [$(record "$(event 1 agent.a)"),
			\"data: {\\\"seq\\\":2,\\\"kind\\\":\\\"agent.run_completed\\\",\\\"data\\\":{\\\"runId\\\":\\\"r\\\",\\\"big\\\":12345678901234567890,\\\"x\\\":\\\"\", {\"repeat\":\"0123456789\",\"times\":500000}, \"\\\"}}\\n\\n\"]}]
	}"
	timeout 30 agent-watch r >out
	[ "$(wc -l <out)" = 2 ]
	[ "$(tail -n 1 out | wc -c)" = 5000094 ]
	[[ $(tail -n 1 out | head -c 100) == '{"seq":2,"kind":"agent.run_completed","data":{"runId":"r","big":12345678901234567890,"x":"012345'* ]]
	start_clarity
	emit r agent.a
	head -c 900000 /dev/zero | tr '\0' x | jq -Rsc '{kind: "agent.run_completed", runId: "r", data: {text: .}}' >event
	curl -fsS -d @event "$url/api/agents/events" >/dev/null
	timeout 30 agent-watch r --no-stream >polled
	[ "$(tail -n 1 polled | jq '.data.text | length')" = 900000 ]
}

@test "a full disk ends it with status 8, and the cursor does not move past what is out" {
	start_gateway
	emit r agent.a
	echo 0 >cursor
	run -8 --separate-stderr bash -c 'agent-watch r --cursor-file cursor >/dev/full'
	[ "$(cat cursor)" = 0 ]
}

@test "a reader that goes away ends it, and the cursor stays" {
	start_gateway
	for i in $(seq 5); do emit r agent.a; done
	run -0 bash -c 'agent-watch r --count 3 --cursor-file cursor | head -n 3 | wc -l'
	[ "$output" = 3 ]
	[ "$(cat cursor)" = 3 ]
}

@test "one cursor file serves one run" {
	start_gateway
	for r in a b; do emit $r agent.run_completed; done
	printf '{"runId":"%s"}\n' a b >runs
	run -2 --separate-stderr agent-watch --cursor-file c <runs
	[ "$(jq -r .data.runId <<<"$output")" = a ]
	[[ $stderr == *"one --cursor-file cannot serve two"* ]]
}

@test "a command of --exec that fails is said, and remembered" {
	start_gateway
	emit r agent.a
	emit r agent.run_completed
	run -1 --separate-stderr agent-watch r --exec 'cat >/dev/null; [ "$AGENT_EVENT_SEQ" != 1 ]'
	[ "$(kinds <(echo "$output"))" = "agent.a agent.run_completed " ]
	[[ $stderr == *"the command for event 1 ended with status 1"* ]]
}

@test "wrong combinations are refused" {
	run -2 --separate-stderr agent-watch --all --until waiting
	run -2 --separate-stderr agent-watch --all --run r
	run -2 --separate-stderr agent-watch r s
	run -2 --separate-stderr agent-watch r --poll 1ms
	run -2 --separate-stderr agent-watch r --on-gap maybe
	run -2 --separate-stderr agent-watch r --count 0
}

@test "an answer that is cut each time brings us on each time, without a pause that grows" {
	start_gateway
	emit r agent.first
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" --cut 9000
	await 20 has_line proxy.out '^http'
	start watch agent-watch --url "$(cat proxy.out)" --all
	await 20 has_line watch.out agent.first
	for i in $(seq 600); do
		printf 'url="%s/api/agents/events"\nheader="content-type: application/json"\ndata="{\\"kind\\":\\"agent.n\\",\\"run_id\\":\\"r\\",\\"message\\":\\"%0200d\\"}"\noutput=/dev/null\nnext\n' "$url" "$i"
	done | sed '$d' | curl -sS -K -
	# some twenty answers are cut; when each was a failure, the pauses were a minute altogether
	await 30 count_lines watch.out agent.n 600
	once_in_order watch.out
	[ "$(grep -c 'trying again' watch.err)" -lt 5 ]
}
