# hitl.bash - a directory of questions of the test's own, and things to wait for

hitl_setup() {
	common_setup
	unset CLARITY_HITL_DIR CLARITY_HITL_TIMEOUT_SECS CLARITY_HITL_BROKER_URL CLARITY_HITL_BROKER_TOKEN CLARITY_HITL_POLL
	dir=$BATS_TEST_TMPDIR/hitl
	export CLARITY_HITL_DIR=$dir
}

pending() { [ "$(agent-hitl-list 2>/dev/null | wc -l)" -eq "$1" ]; }
ended() { gone "$1"; }
leftovers() { find "$dir" -type f | wc -l; }
