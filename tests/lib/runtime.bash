# runtime.bash - a runtime at the other end of two pipes
#
# RUNTIME is the command (words are split), agent-runtime-mock unless it is set. What it writes is kept in $heard, one line each; what it
# says on standard error is in runtime.err.
# shellcheck disable=SC2154,SC2034

runtime_setup() {
	common_setup
	runtime_is_ours=
	if [ -z "${RUNTIME:-}" ]; then
		runtime_is_ours=yes
		cat >"$BATS_TEST_TMPDIR/script" <<-'END'
			{"on":"turn","contains":"SLOW"}
			{"repeat":100000,"steps":[{"delta":"${i} "},{"wait":"10ms"}]}
			{"on":"turn","contains":"ASK"}
			{"command":"touch asked","ask":true,"output":"done"}
			{"say":"${answer}"}
			{"on":"turn","contains":"FAIL"}
			{"fail":"it went wrong","info":"serverOverloaded"}
		END
		RUNTIME="$AU_BUILD/libexec/agentutils/agent-runtime-mock --chunk 7 --script $BATS_TEST_TMPDIR/script"
		RUNTIME_SLOW=SLOW RUNTIME_ASK=ASK RUNTIME_FAIL=FAIL
	fi
	runtime_listen
}
# Nothing has been heard yet.
runtime_listen() {
	heard=$BATS_TEST_TMPDIR/heard
	: >"$heard"
	read_so_far=0
	last_id=0
}

runtime_open() {
	rm -f "$BATS_TEST_TMPDIR/to_runtime"
	mkfifo "$BATS_TEST_TMPDIR/to_runtime"
	$RUNTIME <"$BATS_TEST_TMPDIR/to_runtime" >>"$heard" 2>>"$BATS_TEST_TMPDIR/runtime.err" 3>&- &
	runtime_pid=$!
	exec {to_runtime}>"$BATS_TEST_TMPDIR/to_runtime"
}

# Ends its input and waits; sets $status.
runtime_close() {
	[ -z "${to_runtime:-}" ] || exec {to_runtime}>&-
	to_runtime=
	await 10 gone "$runtime_pid"
	status=0
	wait "$runtime_pid" || status=$?
}

runtime_teardown() {
	if [ -n "${to_runtime:-}" ]; then exec {to_runtime}>&-; fi
	if [ -n "${runtime_pid:-}" ] && kill "$runtime_pid" 2>/dev/null; then
		await 5 gone "$runtime_pid" || kill -9 "$runtime_pid"
	fi
	common_teardown
}

say() { printf '%s\n' "$*" >&"$to_runtime"; }

# hear FILTER [SECONDS]: waits for a line for which the jq filter is true; it is $line. All that was heard since forget() counts, so it does
# not matter in which order a runtime says things.
hear() {
	await "${2:-15}" heard_it "$1" || { tail -n 20 "$heard" | cut -c 1-1000 >&2; return 1; }
}
heard_it() {
	line=$(tail -n "+$((read_so_far + 1))" "$heard" | jq -Rc "fromjson? | select($1)" | head -n 1)
	[ -n "$line" ]
}

# Nothing heard so far is found again.
forget() { read_so_far=$(wc -l <"$heard"); }

# call METHOD [PARAMS]: sends a request and waits for its answer in $line
call() {
	last_id=$((last_id + 1))
	say "{\"id\":$last_id,\"method\":\"$1\",\"params\":${2:-{\}}}"
	hear "has(\"method\") == false and .id == $last_id"
}

greet() {
	runtime_open
	call initialize '{"clientInfo":{"name":"conformance","title":"agentutils","version":"1"},"capabilities":{"experimentalApi":true}}'
	say '{"method":"initialized"}'
}

new_thread() { # [PARAMS]
	call thread/start "${1:-{\}}"
	thread=$(jq -r .result.thread.id <<<"$line")
	[ "$thread" != null ]
}

# begin TEXT [MORE MEMBERS]: starts a turn and waits until it has begun
begin() {
	forget
	last_id=$((last_id + 1))
	say "{\"id\":$last_id,\"method\":\"turn/start\",\"params\":{\"threadId\":\"$thread\",\"input\":[{\"type\":\"text\",\"text\":$(jq -Rs . < <(printf %s "$1")),\"text_elements\":[]}]${2:-}}}"
	hear "has(\"method\") == false and .id == $last_id"
	turn=$(jq -r .result.turn.id <<<"$line")
	[ "$turn" != null ] || return 1
	hear ".method == \"turn/started\" and .params.turn.id == \"$turn\""
}

ended() { hear ".method == \"turn/completed\" and .params.turn.id == \"$turn\"" "${1:-15}"; }
