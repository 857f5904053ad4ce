#!/usr/bin/env bats
# SIGKILL of the gateway, its runtime, the session host and the database, at every step of a turn, with a log of the gateway's own and with one on a
# database: nothing acknowledged is lost or there twice, every turn ends, nobody is left.
# (What the thread says then, and the steps before the turn has reached its runtime: gateway/compass-crash.bats.)
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/compass
load ../lib/faulty
load ../lib/postgresql

setup() {
	faulty_setup
	limits=()
	# those of gateway/compass-crash.bats
	steps=('{"answer":true}' '{"think":"hmm"}' '{"command":"ls","output":"a b"}' '{"delta":"one "}' '{"command":"rm x","ask":true}' '{"delta":"two "}'
		'{"question":"Which?","options":["red","blue"]}' '{"patch":[{"path":"a","kind":{"type":"add"},"diff":"x"}],"ask":true}' '{"retry":"busy"}'
		'{"say":"three"}')
}
teardown() {
	common_teardown
	[ -z "${server:-}" ] || kill -CONT "$server" $(pgrep -P "$server") 2>/dev/null || :
	[ -z "${pg_dir:-}" ] || postgresql_end
	nobody_is_left
}

# script_until N: before step N of the first turn the runtime stops; once the file "here" is there it plays the whole
script_until() {
	printf '%s\n' "{\"on\":\"turn\",\"manual\":true,\"unless\":\"$PWD/here\"}" "${steps[@]:0:$1}" "{\"touch\":\"$PWD/here\"}" '{"hang":true}' \
		'{"on":"turn","manual":true}' "${steps[@]}" >script
}
first_turn() {
	rm -f here
	new_thread '"approvals":{"rules":[{"decision":"accept"}]}' # who would be asked is not: the turn goes on by itself
	turn first
	echo "$thread $turn turn 0" >>record
	await 30 test -e here || { ask GET "$path/turns/$turn"; echo "not begun: $body" >&2; return 1; }
}
again() { ask POST "$path/turns" '{"text":"second"}' && [ "$(jq -r .turn.status body)" = completed ]; }
ended() { curl -sS "$url$path/turns/$turn" | jq -e '.turn.status!="inProgress"' >/dev/null; }

host_up() {
	start host env AU_WITNESS="$mark" "$AU_BUILD/libexec/agentutils/agent-session-host" --listen "unix:$BATS_TEST_TMPDIR/host.socket" "$mock" --script "$PWD/script"
	host=$pid
	await 20 has_line host.out listening || { cat host.err >&2; return 1; }
}
host_dies() {
	local runtime
	runtime=$(pgrep -P "$host")
	kill -9 "$host"
	await 20 gone "$host"
	for pid in $runtime; do await 20 gone "$pid"; done # it leaves no runtime behind
}

# host_at_steps [gateway options]: before the steps $at
host_at_steps() {
	unset AGENT_RUNTIME_PROVIDER
	export AGENT_RUNTIME_ENDPOINT=unix:$BATS_TEST_TMPDIR/host.socket
	faulty_gateway "$@"
	measure before
	for n in $at; do
		echo "before step $n" >&2
		script_until "$n"
		host_up
		first_turn
		host_dies
		await 30 ended
		ask GET "$path/turns/$turn"
		is .turn.status '"error"'
		[ "$(jq -r '.turn.error.code' body)" = AGENT_RUNTIME_UNAVAILABLE ] || { echo "$body" >&2; return 1; }
		host_up
		await 30 again
		host_dies
	done
	posting --runs 1
	more 1
	posted
	holds
	await 20 given_back before
	stopped
}

@test "the session host is killed at every step of a turn" {
	at=$(times "0 4 ${#steps[@]}" "${!steps[*]} ${#steps[@]}")
	host_at_steps
}

@test "and with the gateway on a database that others share" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database hosts
	at=$(times "4" "${!steps[*]} ${#steps[@]}")
	host_at_steps --store "$pg_url"
}

runtime_dies() {
	runtime=$(pgrep -P "$gateway_pid" -f "$mock" || :)
	for pid in $runtime; do
		kill -9 "$pid"
		await 20 gone "$pid"
	done
}
# killed_at_steps [gateway options]: the gateway and then its runtime, before the steps $at, while messages come
killed_at_steps() {
	export AGENT_RUNTIME_COMMAND="$mock --script $PWD/script"
	script_until 0
	faulty_gateway "$@"
	posting --runs 2
	for n in $at; do
		for who in gateway runtime; do
			echo "$who before step $n" >&2
			script_until "$n"
			runtime_dies # the next one reads the new script
			first_turn
			more 3
			if [ $who = gateway ]; then
				killed
				faulty_gateway "$@"
			else
				runtime_dies
			fi
			await 30 ended
			ask GET "$path/turns/$turn"
			is .turn.status '"error"'
			await 60 again
		done
	done
	posted
	holds
	stopped
}

@test "the gateway and its runtime are killed at every step of a turn, while messages come" {
	at=$(times "4" "${!steps[*]} ${#steps[@]}")
	killed_at_steps
}

@test "and on a database that others share" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database gateways
	at=$(times "4" "${!steps[*]} ${#steps[@]}")
	killed_at_steps --store "$pg_url"
}

@test "the database is killed at every step of a turn" {
	postgresql_available || skip "$why"
	pg_fsync=on postgresql_start
	postgresql_database faults
	export AGENT_RUNTIME_COMMAND="$mock --script $PWD/script"
	script_until 0
	faulty_gateway --store "$pg_url"
	posting --runs 3
	for n in $(times "0 4" "${!steps[*]} ${#steps[@]}"); do
		echo "before step $n" >&2
		script_until "$n"
		runtime_dies # the next one reads the new script
		first_turn
		more 5
		kill -9 $(head -n 1 "$pg_dir/data/postmaster.pid") # and with it, soon, its processes
		await 30 no_server
		await 30 up_again
		more 5
		ask POST "$path/turns/$turn/interrupt"
		await 60 ended
		await 60 again
	done
	posted
	kill -0 "$gateway_pid"
	holds
	killed
	faulty_gateway --store "$pg_url"
	holds
	stopped
}

@test "the database stands still while its kernel answers for it: who asks waits, then gets 503; the gateway ends when it is asked to, or goes on" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database still
	faulty_gateway --store "$pg_url"
	first=$gateway_pid
	state=$BATS_TEST_TMPDIR/state2
	mkdir -m 700 "$state"
	faulty_gateway --store "$pg_url"
	posting --runs 2
	more 5
	server=$(head -n 1 "$pg_dir/data/postmaster.pid")
	kill -STOP "$server" $(pgrep -P "$server")
	post() { curl -sS -m "$1" -o answer -w '%{http_code}' -H 'content-type: application/json' -d '{"message":"x","role":"system"}' "$url/api/agents/runs/still/messages" || :; }
	[ "$(post 1)" = 000 ] # it waits
	[ "$(curl -sS -m 5 -o answer -w '%{http_code}' "$url/healthz")" = 200 ]
	if [ "$(times short long)" = long ]; then
		[ "$(post 90)" = 503 ]
		kill "$first"
		await 60 gone "$first"
		kill -0 "$gateway_pid"
	fi
	kill -CONT "$server" $(pgrep -P "$server")
	kill "$first" 2>/dev/null || :
	await 30 gone "$first"
	more 5
	posted
	holds
	stopped
}
no_server() { ! psql -X -h "$pg_dir" -U agent -d postgres -c 'select 1' >/dev/null 2>&1; }
# it does not start before the last of its processes has seen that it is gone
up_again() {
	rm -f "$pg_dir/data/postmaster.pid" "$pg_dir"/.s.PGSQL.*
	postgresql_up 2>/dev/null
}
