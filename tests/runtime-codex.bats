#!/usr/bin/env bats
# The real codex does what agent-runtime(7) says, and the gateway's side gets on with it. Offline: tests/fake/codex-offline is its model.
load lib/common

setup() {
	common_setup
	# one that is named is tried whatever it is; one that happens to be there, if it is known to pass
	if [ -z "${CODEX:-}" ]; then
		CODEX=$(command -v codex || :)
		[ -n "$CODEX" ] || skip "there is no codex"
		case $("$CODEX" --version 2>/dev/null) in
		*' 0.105.0' | *' 0.169.0') ;;
		*) skip "this codex is none of the versions that are known; CODEX=$CODEX tries it" ;;
		esac
	fi
	export CODEX CODEX_OFFLINE_HOME=$BATS_TEST_TMPDIR/codex
	export RUNTIME="$AU_SRC/tests/fake/codex-offline app-server" RUNTIME_SLOW=SLOW RUNTIME_ASK=ASK RUNTIME_FAIL=FAIL
}
teardown() { common_teardown; }

@test "codex is held to agent-runtime(7)" {
	env -u BATS_TEST_FILTER bats --formatter tap "$AU_SRC/tests/runtime.bats" >tap || { cat tap; return 1; }
	grep -q '^ok 21' tap
}

@test "the gateway's room drives codex" {
	[ -x "$AU_BUILD/tests/unit/test_runtime" ] || skip "the gateway is not built"
	"$AU_BUILD/tests/unit/test_runtime" >tap || { cat tap; return 1; }
}
