#!/usr/bin/env bats
# Descriptors and memory run out: refused or ended with a word, nothing acknowledged is lost, and all of it is given back.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/faulty
load ../lib/postgresql

setup() { faulty_setup; }
teardown() {
	common_teardown
	[ -z "${pg_dir:-}" ] || postgresql_end
	nobody_is_left
}

@test "no descriptor is left: those who are there go on, the others come in later, turns fail with a code" {
	limits=(prlimit --nofile=80:80)
	faulty_gateway --max-connections 1000
	measure before
	posting --runs 3
	cat >crowd.py <<-'PY'
	import socket, sys
	port = int(sys.argv[1])
	held = []
	for i in range(300):
	    s = socket.socket()
	    s.setblocking(False)
	    s.connect_ex(("127.0.0.1", port))
	    held.append(s)
	print("there", flush=True)
	sys.stdin.read()
	PY
	mkfifo hold
	python3 crowd.py "${url##*:}" <hold >crowd.out &
	crowd=$!
	exec 8>hold
	await 30 has_line crowd.out there
	more 50 # on the connections that are open
	kill -0 "$gateway_pid"
	exec 8>&-
	wait "$crowd"
	more 50
	posted
	[ "$(curl -sS -m 20 -o /dev/null -w '%{http_code}' "$url/healthz")" = 200 ]
	holds
	calm() { given_back before; }
	await 40 calm # idle connections are closed in time
	stopped
}

@test "a handler or a runtime that cannot be started for want of descriptors is an answer, not an end" {
	faulty_gateway
	prlimit --pid "$gateway_pid" --nofile="$(($(ls "/proc/$gateway_pid/fd" | wc -l) + 2)):4096"
	thread=$(curl -sS -H 'Content-Type: application/json' -d '{"workspaceSlug":"w"}' "$url/v1/agent/threads" | jq -r .thread.threadId)
	code=$(curl -sS -m 60 -o answer -w '%{http_code}' -H 'Content-Type: application/json' -d '{"text":"hello"}' "$url/v1/agent/threads/$thread/turns")
	[ "$(jq -r '.code // .turn.error.code' answer)" != null ] || { cat answer; return 1; }
	curl -sS -m 60 -o answer2 -H 'Content-Type: application/json' -d '{"message":"echo hi","agent":"shell","service_id":"svc_shell"}' "$url/api/agents/runs/r/messages"
	kill -0 "$gateway_pid"
	prlimit --pid "$gateway_pid" --nofile=4096:4096
	again() { [ "$(curl -sS -m 60 -H 'Content-Type: application/json' -d '{"text":"hello"}' "$url/v1/agent/threads/$thread/turns" | jq -r .turn.status)" = completed ]; }
	await 60 again
	stopped
}

# memory_ends TIMES [gateway options]
memory_ends() {
	local times=$1
	shift
	[ -e "$AU_BUILD/tests/faults/shim.so" ] || skip "the shim is for Linux with the GNU C library"
	! nm "$AU_BUILD/bin/agent-gateway" 2>/dev/null | grep -q __asan || skip "a sanitizer has its own memory"
	with=(shim)
	faulty_gateway "$@"
	posting --runs 4
	ends=0
	for n in $(shuf -i 1-4000 -n "$times" --random-source=<(yes)); do
		more 20
		hits=$(inject)
		inject "malloc=$n"
		hit() { [ "$(inject)" -gt "$hits" ]; }
		await 60 hit
		# it may be that it was a child that had none
		if await 1 gone "$gateway_pid" 2>/dev/null; then
			ends=$((ends + 1))
			wait "$gateway_pid" || ended=$?
			grep -q 'out of memory' "$gateway_log.err" || { echo "allocation $n: ended with ${ended:-0}:" >&2; cat "$gateway_log.err" >&2; return 1; }
			[ "$ended" = 70 ] || { echo "allocation $n: ended with $ended" >&2; return 1; }
			nobody_is_left
			faulty_gateway "$@"
		fi
	done
	more 20
	posted
	holds
	[ "$ends" -gt 0 ]
	stopped
}

@test "memory ends at any allocation: it goes on or says why it ends, and nothing that was acknowledged is lost" {
	memory_ends "$(times 12 200)"
}

@test "and with a database that others share, whose library has allocations of its own" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database memory
	memory_ends "$(times 40 200)" --store "$pg_url"
}

@test "a gateway with little address space takes what it can, and lives through what it cannot" {
	! nm "$AU_BUILD/bin/agent-gateway" 2>/dev/null | grep -qE '__(asan|tsan)' || skip "a sanitizer reserves all of it"
	faulty_gateway
	posting --runs 3
	more 20
	now=$(awk '/VmSize/ { print $2 * 1024 }' "/proc/$gateway_pid/status")
	prlimit --pid "$gateway_pid" --as=$((now + 40000000))
	{ printf '{"message":"'; head -c 900000 /dev/zero | tr '\0' a; printf '"}'; } >large
	for _ in $(seq "$(times 40 400)"); do
		curl -sS -m 30 -o /dev/null -H 'Content-Type: application/json' --data-binary @large "$url/api/agents/runs/big/messages" || :
	done
	kill -0 "$gateway_pid"
	more 20
	posted
	holds
	stopped
}

@test "a gateway that rests gives back what it kept to be faster, and answers as before" {
	faulty_gateway
	measure before
	"$AU_BUILD/tests/bench/bench-http" -m POST -b '{"message":"what is kept","service_id":"svc_echo","agent":"echo"}' -n 40000 -t 60 256 \
		'/api/agents/runs/r%c/messages' "$url" >load
	[ "$(jq '.refused' load)" = 0 ]
	calm() { given_back before --rss 8192; }
	await 40 calm
	# a run that is talked to again has all that was said
	n=$(curl -sS "$url/api/agents/runs/r1/events?limit=2000" | jq '.items | length')
	agent-send --run r1 --service svc_echo --wait again >/dev/null
	[ "$(curl -sS "$url/api/agents/runs/r1/events?limit=2000" | jq '.items | length')" -eq $((n + 5)) ]
	curl -sS "$url/api/agents/runs/r1/events?limit=2000" | jq -e '[.items[] | select(.kind == "agent.chat.user_message")] | length >= 100' >/dev/null
	stopped
}
