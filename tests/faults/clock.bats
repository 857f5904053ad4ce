#!/usr/bin/env bats
# The wall clock jumps an hour, back and forth, while messages, turns, timers, approvals and leases run: what counts time does not look at it.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/compass
load ../lib/faulty
load ../lib/postgresql

setup() {
	faulty_setup
	[ -e "$AU_BUILD/tests/faults/shim.so" ] || skip "the shim is for Linux with the GNU C library"
	with=(shim)
}
teardown() {
	common_teardown
	[ -z "${pg_dir:-}" ] || postgresql_end
	nobody_is_left
}
fires() { agent-events --all --kind agent.run_created --jq .seq | wc -l; }
more_fires() { [ "$(fires)" -gt "$1" ]; }
is_off() { # SECONDS: does the gateway believe in this clock?
	local date
	date=$(curl -sS -D - -o /dev/null "$url/healthz" | sed -n 's/^date: \(.*\)\r$/\1/p')
	local off=$(($(date -d "$date" +%s) - $(date +%s) - $1))
	[ "${off#-}" -lt 60 ]
}

@test "messages and turns go on, streams stay, timers fire, handlers are not cut, sessions hold" {
	mkdir agents
	jq '.metadata.serviceId = "svc_t" | .metadata.agent.agentId = "t" | .metadata.agent.triggers = ["api", "timer"]
		| .metadata.agent.timer = {"schedules":[{"scheduleId":"tick","scheduleExpr":"every 1 s"}]} | .spec.origin.command = ["sh", "-c", "cat >/dev/null; echo {}"]' \
		"$AU_SRC/bin/gateway/builtin/shell.json" >agents/t.json
	printf '%s\n' '{"on":"turn"}' '{"repeat":20,"steps":[{"delta":"${i} "},{"wait":"20ms"}]}' >script
	faulty_gateway --agents agents --ping 500ms --runtime "$mock --script $PWD/script"
	posting --runs 2
	messages=$poster
	cp address turns-address
	touch turns-record
	start turner "$faults/witness" post turns-address turns-record --turns --runs 2 --stop "$PWD/stop"
	turner=$pid
	start watcher curl -sSN "$url/api/events?after=0"
	watcher=$pid
	for jump in 3600 -3600 86400 -86400 0; do
		inject clock="$jump"
		await 10 is_off "$jump"
		more 20
		n=$(fires)
		await 20 more_fires "$n" # an hour back is no hour's wait
		n=$(wc -l <turns-record)
		enough() { [ "$(wc -l <turns-record)" -gt "$n" ]; }
		await 30 enough
		kill -0 "$watcher"
	done
	posted
	await 60 gone "$turner"
	cat turns-record >>record
	calm() { "$faults/witness" check address record >said 2>&1; }
	await 60 calm || { cat said >&2; return 1; }
	# a jump is no reason to fire for all the time in between
	[ "$(fires)" -lt 120 ]
	stopped
}

@test "an approval waits for its own time, not for the clock's" {
	printf '%s\n' '{"on":"turn"}' '{"command":"rm x","ask":true}' '{"say":"done"}' >script
	faulty_gateway --approval-timeout 4s --runtime "$mock --script $PWD/script"
	new_thread
	began=${EPOCHREALTIME/./}
	turn one
	see '.method=="approval.requested"'
	inject clock=3600
	await 10 is_off 3600
	# not over yet, or its time has come where the machine is busy
	curl -sS "$url$path/approvals" | jq -e '.approvals|length==1' || ((${EPOCHREALTIME/./} - began > 4000000))
	inject clock=-3600
	see '.method=="approval.resolved"' # and not an hour later
	see '.method=="turn.completed"'
	stopped
}

@test "failures of services are counted by their own time: none is forgotten by a jump, and none is kept by one" {
	load ../lib/services
	export CLARITY_TOOL_CIRCUIT_MIN_CALLS=2 CLARITY_TOOL_CIRCUIT_ERROR_RATE=1
	start_mcp
	faulty_gateway
	fails() { apply < <(manifest "$1" '{"type":"local_wasm","wasmPath":"/x/any.wasm","entry":"main"}' ".spec.restartPolicy = {mode: \"on-failure\", maxRestarts: 1, windowSeconds: $2}") && api POST "/api/services/svc_$1/start"; }
	fails soon 3600
	fails late 1
	is "$(lifecycle svc_soon) $(lifecycle svc_late)" 'STOPPED STOPPED'
	apply < <(manifest far "$(remote)")
	api POST /api/services/svc_far/start
	down() { code -H 'Content-Type: application/json' -d '{"message":"status 502","serviceId":"svc_far","agent":"far"}' "$url/api/agents/runs/$1/messages" >/dev/null && await 20 failed "$1"; }
	failed() { agent-events "$1" --jq 'select(.kind == "agent.step_completed" and .level == "error").kind' | grep -q .; }
	down one
	is "$(lifecycle svc_far)" RUNNING
	# a day ahead the first ones are still the first ones
	inject clock=86400
	await 10 is_off 86400
	api POST /api/services/svc_soon/start
	is "$(lifecycle svc_soon)" QUARANTINED
	down two
	await 10 is_lifecycle svc_far QUARANTINED
	# a day back, more than a second later: the window is over
	inject clock=-86400
	await 10 is_off -86400
	until=$((${EPOCHREALTIME/./} + 1100000))
	later() { ((${EPOCHREALTIME/./} > until)); }
	await 10 later
	api POST /api/services/svc_late/start
	is "$(lifecycle svc_late)" STOPPED
	stopped
}

@test "a lease on a shared store lasts by its own time: the clock of one gateway takes nothing from it, nor from the other" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database clocks
	faulty_gateway --store "$pg_url"
	first=$gateway_pid
	state=$BATS_TEST_TMPDIR/state2
	mkdir -m 700 "$state"
	with=()
	faulty_gateway --store "$pg_url"
	posting --runs 3
	for jump in 3600 -3600 86400 0; do
		inject clock="$jump"
		more 30
	done
	# longer than a lease
	inject clock=3600
	until=$((SECONDS + $(times 12 60)))
	later() { ((SECONDS >= until)); }
	await 120 later
	inject clock=-3600
	more 30
	posted
	kill -0 "$first"
	kill -0 "$gateway_pid"
	holds

	kill "$first" "$gateway_pid"
	await 30 gone "$first"
	await 30 gone "$gateway_pid"
}
