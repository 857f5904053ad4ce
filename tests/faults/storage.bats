#!/usr/bin/env bats
# The disk fails: no power, errors of reading and writing, no room. What was acknowledged is there, once and in order, and the gateway goes on.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/faulty

setup() {
	faulty_setup
	[ -e "$AU_BUILD/tests/faults/shim.so" ] || skip "the shim is for Linux with the GNU C library"
	with=(shim)
	journal=()
}
teardown() { faulty_teardown; }

@test "the power goes at any point: every event that was acknowledged then is there" {
	journal=(AU_FAULT_JOURNAL="$BATS_TEST_TMPDIR/journal")
	faulty_gateway
	posting --runs 4 --size 300 --journal journal
	more "$(times 240 2400)"
	agent-ask --broker "$url" --key asked --no-wait "really?" >/dev/null 2>&1 || :
	posted
	stopped
	journal=() with=()
	# a disk that lies about what it has synced is found out: the witness sees
	rm -rf "$state"
	mkdir -m 700 "$state"
	"$faults/powerloss" journal -1 1 "$state"
	faulty_gateway
	run ! holds
	[[ $output == *"acknowledged and lost"* ]]
	killed
	"$faults/powerloss" journal --ends >ends
	[ "$(wc -l <ends)" -gt 200 ]
	# the end, and places all over the journal; the first ones are where the database is made
	{ sed -n "3p;20p" ends; tail -n 1 ends; shuf -n "$(times 5 150)" --random-source=<(yes) ends; } >cuts
	seed=0
	while read -r cut; do
		seed=$((seed + 1))
		rm -rf "$state"
		mkdir -m 700 "$state"
		lost=$("$faults/powerloss" journal "$cut" "$seed" "$state")
		faulty_gateway
		said=$(holds --at "$cut") || { echo "power lost at $cut, seed $seed, $lost bytes with it: $said" >&2; return 1; }
		echo "at $cut, $lost bytes lost: $said"
		# and it goes on from there
		[ "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -d '{"message":"on","role":"system"}' "$url/api/agents/runs/after/messages")" = 200 ]
		killed
	done <cuts
}

@test "reading, writing and syncing fail for a while: 503 then, nothing lost, nothing twice, and no end of the gateway" {
	faulty_gateway
	posting --runs 4
	for fault in write=EIO sync=EIO write=ENOSPC sync=ENOSPC write=EROFS read=EIO open=EIO write=EDQUOT; do
		more 20
		before=$(inject)
		inject "$fault"
		# the log is open and cached: it may be that nothing is opened or read just now
		[[ $fault == open=* || $fault == read=* ]] || await 20 hit
		[ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/healthz")" = 200 ]
		inject "${fault%=*}=0"
	done
	more 20
	posted
	kill -0 "$gateway_pid"
	holds
	[ "$(inject)" -gt 5 ]
	killed
	faulty_gateway
	holds
	stopped
}

@test "a turn on a disk that fails ends, and the thread goes on" {
	printf '%s\n' '{"on":"turn"}' '{"repeat":40,"steps":[{"delta":"${i} "}]}' >script
	faulty_gateway --runtime "$mock --script $PWD/script"
	posting --turns --runs 3
	for fault in write=EIO sync=EIO write=ENOSPC sync=EIO; do
		more 2
		before=$(inject)
		inject "$fault"
		await 20 hit
		inject "${fault%=*}=0"
	done
	more 2
	posted
	kill -0 "$gateway_pid"
	await 60 ended
	holds
	stopped
}
hit() { [ "$(inject)" -gt "$before" ]; }
ended() { "$faults/witness" check address record >check.out 2>&1 || ! grep -q 'in progress' check.out; }
