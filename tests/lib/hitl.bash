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

# write_slowly FILE TEXT PID: byte by byte, the next one when that process has looked again; meanwhile the file does not get older
write_slowly() {
	python3 - "$@" <<-'PY'
		import os, re, sys, time

		path, text, pid = sys.argv[1], sys.argv[2].encode(), sys.argv[3]
		end = time.monotonic() + 30

		def looks():
		    try:
		        with open("/proc/" + pid + "/status") as f:
		            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])
		    except OSError:
		        return -1  # it has ended: it took what was there

		with open(path, "wb", 0) as f:
		    for c in text:
		        before = looks()
		        f.write(bytes([c]))
		        while looks() == before >= 0 and time.monotonic() < end:
		            os.utime(f.fileno())
	PY
}
