#!/usr/bin/env bats
# agent-watch: every event once and in order, whatever happens on the way.
load lib/common
load lib/faults

setup() { common_setup; }
teardown() { common_teardown; }
emit() { agent-emit --run "$1" --kind "$2" "${@:3}" >/dev/null; }
seqs() { jq .seq "$1" | tr '\n' ' '; }
once_in_order() { jq -s -e '[.[].seq] as $s | $s == ($s | sort | unique)' "$1" >/dev/null; }

@test "the outcome of the run is the status, on both servers" {
	for server in start_gateway start_clarity; do
		$server
		for pair in completed:0 failed:10 cancelled:11; do
			emit "r-${pair%:*}" "agent.run_${pair%:*}"
			run "-${pair#*:}" timeout 20 agent-watch "r-${pair%:*}"
			run -0 timeout 20 agent-watch --outcome ignore "r-${pair%:*}"
		done
	done
}

@test "what happens is printed at once, and the end of the run ends it" {
	for server in start_gateway start_clarity; do
		$server
		emit r agent.one
		start "w$server" agent-watch r
		await 10 has_line "w$server.out" agent.one
		emit r agent.two
		await 10 has_line "w$server.out" agent.two
		emit other agent.three
		emit r agent.run_completed
		await 10 gone "$pid"
		[ "$(jq -r .kind "w$server.out" | tr '\n' ' ')" = "agent.one agent.two agent.run_completed " ]
	done
}

@test "--until waiting: an old waiting does not stop it, an unanswered message keeps it" {
	start_gateway
	agent-run-create --agent echo --run r | agent-send --wait one >/dev/null
	run -12 timeout 20 agent-watch r --until waiting
	emit r agent.chat.user_message --data '{"message":"open"}'
	run -5 timeout 20 agent-watch r --until waiting --timeout 700ms
	emit r agent.waiting
	run -12 timeout 20 agent-watch r --until waiting
	agent-send --run r two >sent
	run -12 timeout 20 agent-watch --until waiting <sent
	[ "$(jq -r .kind <<<"$output" | tr '\n' ' ')" = "agent.step_started agent.chat.assistant_message agent.step_completed agent.waiting " ]
}

@test "several runs from standard input are followed at once" {
	start_gateway
	for r in a b c; do emit $r agent.x; done
	mkfifo runs
	start_with_runs() { agent-watch <runs >out & started+=($!); watch=$!; }
	start_with_runs
	exec 7>runs
	for r in a b c; do echo "{\"runId\":\"$r\"}" >&7; done
	exec 7>&-
	count3() { [ "$(wc -l <out)" = 3 ]; }
	await 10 count3
	for r in b c a; do emit $r agent.run_completed; done
	await 10 gone "$watch"
	[ "$(wc -l <out)" = 6 ]
}

@test "a gateway that is killed and comes back loses nothing and repeats nothing" {
	start_gateway
	port=${url##*:}
	emit r agent.first
	start w agent-watch r
	await 10 has_line w.out agent.first
	watch=$pid
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start again agent-gateway --listen "127.0.0.1:$port" --state "$BATS_TEST_TMPDIR/state" "${store[@]}"
	await 20 has_line again.out listening
	for i in 1 2 3; do emit r "agent.n$i"; done
	emit r agent.run_completed
	await 40 gone "$watch"
	once_in_order w.out
	[ "$(jq -r .kind w.out | tr '\n' ' ')" = "agent.first agent.n1 agent.n2 agent.n3 agent.run_completed " ]
}

@test "a Clarity runtime that lost its state is a gap: status 15, or going on when told so" {
	start_clarity
	port=${url##*:}
	for i in 1 2 3 4 5; do emit r agent.old; done
	start stop agent-watch r
	stopper=$pid
	start go agent-watch r --on-gap continue
	goer=$pid
	await 10 count_lines stop.out agent.old 5
	await 10 count_lines go.out agent.old 5
	kill -9 "$clarity_pid"
	await 10 gone "$clarity_pid"
	start again python3 "$AU_SRC/tests/fake/fake-clarity" --port "$port"
	await 20 has_line again.out '^clarityd listening'
	emit r agent.new
	await 40 gone "$stopper"
	status=0
	wait "$stopper" || status=$?
	[ "$status" = 15 ]
	grep -q 'without a gap' stop.err
	await 40 has_line go.out agent.new
	emit r agent.run_completed
	await 40 gone "$goer"
}

@test "streams that are missing: the global one, then polling; and back again" {
	start_clarity
	curl -fsS -d '{"stream":"404"}' "$url/__fake" >/dev/null
	emit r agent.a
	start w agent-watch r --poll 300ms
	await 10 has_line w.out agent.a
	emit r agent.b
	await 10 has_line w.out agent.b
	grep -q 'Falling back to global stream' w.err
	curl -fsS -d '{"stream":"404","global":true}' "$url/__fake" >/dev/null
	start v agent-watch r --poll 300ms
	await 10 has_line v.err 'Falling back to polling'
	emit r agent.c
	await 10 has_line v.out agent.c
	emit r agent.run_completed
	await 10 gone "$pid"
	once_in_order w.out
	once_in_order v.out
}

@test "a proxy that holds streams back is overtaken by polling" {
	start_gateway
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" --buffer
	await 10 has_line proxy.out '^http'
	emit r agent.a
	start w agent-watch --url "$(head -n 1 proxy.out)" r --poll 300ms
	await 10 has_line w.out agent.a
	emit r agent.b
	await 10 has_line w.out agent.b
	emit r agent.run_completed
	await 10 gone "$pid"
	once_in_order w.out
}

@test "a stream that is cut in the middle of a record, again and again, loses nothing" {
	start_gateway
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" --cut 3000
	await 10 has_line proxy.out '^http'
	start w agent-watch --url "$(head -n 1 proxy.out)" r --poll 200ms
	for i in $(seq 40); do emit r agent.n --data "{\"n\":$i,\"pad\":\"$(printf '%0100d' "$i")\"}"; done
	emit r agent.run_completed
	await 60 gone "$pid"
	[ "$(jq -s '[.[] | select(.kind=="agent.n").data.n] == [range(1; 41)]' w.out)" = true ]
}

@test "the cursor file goes on where it was" {
	start_gateway
	for i in 1 2 3; do emit r agent.n; done
	agent-watch r --cursor-file c --count 2 >/dev/null
	[ "$(cat c)" = 2 ]
	[ "$(timeout 10 agent-watch r --cursor-file c --count 1 | jq .seq)" = 3 ]
}

@test "--exec runs for each event, with the event and its names" {
	start_gateway
	emit r agent.x --data '{"n":7}'
	emit r agent.run_completed
	run -0 timeout 20 agent-watch r --exec 'jq -c .data.n >>"got-$AGENT_EVENT_KIND-$AGENT_EVENT_SEQ-$AGENT_RUN_ID"'
	[ "$(cat got-agent.x-1-r)" = 7 ]
	[ -e got-agent.run_completed-2-r ]
}

@test "times that are over, refusals and servers that are not there" {
	start_gateway
	run -5 --separate-stderr agent-watch r --timeout 300ms
	run -5 --separate-stderr agent-watch r --idle-timeout 300ms
	[[ $stderr == *"no event came for 300 ms"* ]]
	run -3 agent-watch r --url http://127.0.0.1:1
	start_clarity --auth-token x
	run -4 agent-watch r
	run -2 agent-watch --until sometime r
	run -6 agent-watch </dev/null <<<'{"no":"run"}'
}

@test "a signal leaves at once and is the death of it" {
	start_gateway
	emit r agent.x
	start w agent-watch r
	await 10 has_line w.out agent.x
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 143 ]
	[ "$(agent-runs r --jq .status)" = queued ]
}

# watching RUN...: agent-watch as a terminal starts it; started by a script in the background it would ignore the interrupt
watching() { start watch env --default-signal=INT agent-watch "$@"; }

@test "the first interrupt ends the runs at the server and prints their last events" {
	start_gateway
	for r in a b; do agent-run-create --agent echo --run $r; done >runs
	start watch env --default-signal=INT sh -c 'exec agent-watch <runs'
	await 10 count_lines watch.out agent.run_started 2
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 11 ]
	[ "$(grep -c '"kind":"agent.run_cancelled"' watch.out)" = 2 ]
	[ "$(agent-runs a b --jq .status | sort -u)" = cancelled ]
	[ "$(cat watch.err)" = 'agent-watch: asked for the end of 2 runs; interrupt again to leave without waiting for it' ]
	[ "$(agent-events a --kind agent.run_cancelled --jq .data.reason)" = 'interrupted by the operator' ]
}

@test "a second interrupt leaves, while a handler still holds out" {
	mkdir agents
	mkfifo never
	exec 7<>never
	jq '.spec.origin.command = ["sh", "-c", "trap \"\" TERM; : >../began; while :; do read -r x <../never; done"] | .spec.origin.workingDirectory = "."' \
		"$AU_SRC/bin/gateway/builtin/shell.json" >agents/a.json
	start_gateway --agents agents
	agent-run-create --agent shell --run r | agent-send x >/dev/null
	await 10 test -e began
	watching r --until never
	await 10 has_line watch.out agent.step_started
	kill -INT "$pid"
	await 10 has_line watch.out agent.cancel_requested
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 130 ]
	exec 7>&-
}

@test "a server that cannot end runs, and --all, are left at the first interrupt; SIGTERM ends nothing" {
	start_clarity
	emit r agent.run_started
	watching r
	await 10 has_line watch.out agent.run_started
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 130 ]
	[ "$(cat watch.err)" = "agent-watch: warning: unable to cancel run 'r': $url has no way to cancel a run; it goes on" ]
	start_gateway
	emit r agent.run_started
	for how in 'INT --all --until never' 'TERM r'; do
		# shellcheck disable=SC2086 # words
		watching ${how#* }
		await 10 has_line watch.out agent.run_started
		kill "-${how%% *}" "$pid"
		status=0
		wait "$pid" || status=$?
		[ "$status" -gt 128 ]
		[ "$(agent-runs r --jq .status)" = running ]
	done
}
