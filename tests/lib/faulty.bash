# faulty.bash - gateways that things go wrong for, and the witness that looks at them afterwards (tests/faults/)
# shellcheck disable=SC2154,SC2034

faults=$AU_SRC/tests/faults
# make faults runs the long forms
times() { if [ "${AU_FAULTS_LONG:-}" ]; then echo "$2"; else echo "$1"; fi; } # SHORT LONG

faulty_setup() {
	common_setup
	export AGENT_RUNTIME_PROVIDER=mock
	mock=$AU_BUILD/libexec/agentutils/agent-runtime-mock
	mark=$BATS_ROOT_PID.$BATS_TEST_NUMBER.$RANDOM
	state=$BATS_TEST_TMPDIR/state
	mkdir -m 700 "$state"
	"$faults/inject" "$BATS_TEST_TMPDIR/control"
	with=()
}
faulty_teardown() {
	common_teardown
	nobody_is_left
}
nobody_is_left() { await 20 "$faults/witness" orphans "$mark" || { "$faults/witness" orphans "$mark" >&2; return 1; }; }

inject() { "$faults/inject" "$BATS_TEST_TMPDIR/control" "$@"; }

# faulty_gateway [options]: one below which the system fails (with=(shim) sets it under the shim); its address in the file address
faulty_gateway() {
	local preload=()
	if [ "${with[*]}" ]; then
		preload=(LD_PRELOAD="$AU_BUILD/tests/faults/shim.so" AU_FAULTS="$BATS_TEST_TMPDIR/control" AU_FAULT_DIR="$state" "${journal[@]}"
			ASAN_OPTIONS="verify_asan_link_order=0:$ASAN_OPTIONS")
	fi
	start "gateway${gateway_n:=0}" env AU_WITNESS="$mark" "${preload[@]}" "${limits[@]}" agent-gateway --listen 127.0.0.1:0 --state "$state" "$@"
	gateway_pid=$pid
	gateway_log=$BATS_TEST_TMPDIR/gateway$gateway_n
	gateway_n=$((gateway_n + 1))
	await 30 gateway_listens || { cat "$gateway_log.err" >&2; return 1; }
	kill -0 "$gateway_pid" || { cat "$gateway_log.err" >&2; return 1; }
	url=$(jq -r 'select(.event=="listening").url' "$gateway_log.out" | head -n 1)
	export AGENT_RUNTIME_URL=$url
	echo "$url" >"$BATS_TEST_TMPDIR/address"
}
# killed: by SIGKILL, and all that it had started with it
killed() {
	kill -9 "$gateway_pid"
	await 20 gone "$gateway_pid"
	nobody_is_left
}
stopped() {
	kill "$gateway_pid"
	await 30 gone "$gateway_pid"
	nobody_is_left
}
# posting [options of witness post]: in the background, until posted says that it is enough
posting() {
	rm -f stop
	touch record
	start "poster${poster_n:=0}" "$faults/witness" post address record --stop "$BATS_TEST_TMPDIR/stop" --deadline "$(times 300 3600)" "$@"
	poster=$pid
	poster_n=$((poster_n + 1))
}
posted() {
	touch stop
	await 60 gone "$poster"
	wait "$poster"
}
acknowledged() { [ "$(wc -l <record)" -ge "$1" ]; }
# more N: so many more are acknowledged than now
more() { await "${2:-60}" acknowledged $(($(wc -l <record) + $1)); }
holds() { "$faults/witness" check address record "$@"; } # the invariants
measure() { "$faults/witness" measure "$gateway_pid" >"$1"; }
given_back() { "$faults/witness" measure "$gateway_pid" >now && "$faults/witness" given-back "$1" now "${@:2}"; }
