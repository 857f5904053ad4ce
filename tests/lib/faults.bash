# faults.bash - a fake server that answers every request with one fault (tests/fake/fake-http)

# serve_fault PATH STATUS TYPE BODY [HEADER [tls]]: sets AGENT_RUNTIME_URL; STATUS may be hang, reset or cut
serve_fault() {
	printf '%s' "$4" >"$BATS_TEST_TMPDIR/fault.body"
	start "fault${fault_n:=0}" python3 "$AU_SRC/tests/fake/fake-http" --status "$2" --type "$3" --body "$BATS_TEST_TMPDIR/fault.body" \
		--header "${5:-}" ${6:+--cert "$BATS_TEST_TMPDIR/cert.pem" --key "$BATS_TEST_TMPDIR/key.pem"}
	await 20 has_line "$BATS_TEST_TMPDIR/fault$fault_n.out" '^http' || { cat "$BATS_TEST_TMPDIR/fault$fault_n.err" >&2; return 1; }
	AGENT_RUNTIME_URL=$(head -n 1 "$BATS_TEST_TMPDIR/fault$fault_n.out")
	export AGENT_RUNTIME_URL
	fault_n=$((fault_n + 1))
}
