#!/usr/bin/env bats
# agent-events: everything that was recorded, in order, untouched.
load lib/common
load lib/faults

setup() { common_setup; }
teardown() { common_teardown; }

# flood RUN N: N events of a run, posted by one curl
flood() {
	seq "$2" | while read -r i; do
		printf 'next\nurl = "%s/api/agents/events"\nsilent\noutput = /dev/null\ndata = "{\\"kind\\":\\"agent.note\\",\\"run_id\\":\\"%s\\",\\"data\\":{\\"n\\":%s}}"\n' "$url" "$1" "$i"
	done | sed 1d | curl -K -
}

@test "a gateway gives all pages of a run, whatever its length" {
	start_gateway
	flood long 2100
	agent-events long >out
	[ "$(wc -l <out)" = 2100 ]
	jq -e -s '[.[].data.n] == [range(1; 2101)] and ([.[].seq] | . == sort)' out
}

@test "a cursor goes on where it was, in an option and in a file" {
	start_gateway
	flood r 5
	[ "$(agent-events r --after 3 --jq .data.n | tr '\n' ' ')" = "4 5 " ]
	agent-events r --cursor-file c >/dev/null
	[ "$(cat c)" = 5 ]
	flood r 1
	[ "$(agent-events r --cursor-file c --jq .seq)" = 6 ]
	echo nonsense >c
	run -9 --separate-stderr agent-events r --cursor-file c
	[[ $stderr == *"holds no cursor"* ]]
}

@test "the cursor file stays when standard output could not take the lines" {
	[ -e /dev/full ] || skip "this system has no /dev/full"
	start_gateway
	flood r 3
	status=0
	agent-events r --cursor-file c >/dev/full 2>/dev/null || status=$?
	[ "$status" = 8 ]
	[ ! -e c ]
}

@test "a cursor ahead of the log is a gap" {
	start_gateway
	flood r 3
	run -15 --separate-stderr agent-events r --after 99
	[[ $stderr == *"ahead of the log"* ]]
}

@test "a Clarity runtime gives its window, and a cursor that it forgot is a gap" {
	start_clarity
	flood r 10
	[ "$(agent-events r --after 4 --jq .data.n | head -n 1)" = 5 ]
	curl -fsS -d '{"flood":2500}' "$url/__fake" >/dev/null
	flood r 3
	run -15 --separate-stderr agent-events r --after 4
	[ "${#lines[@]}" = 3 ]
	[[ $stderr == *"events after 4 are missing"* ]]
}

@test "kinds are patterns, and the last N are the last" {
	start_gateway
	agent-run-create --agent echo --run r | agent-send --wait hi >/dev/null
	[ "$(agent-events r --kind 'agent.chat.*' --jq .kind | tr '\n' ' ')" = "agent.chat.user_message agent.chat.assistant_message " ]
	[ "$(agent-events r -n 2 --jq .kind | tr '\n' ' ')" = "agent.step_completed agent.waiting " ]
	agent-events --all | tail -n 1 | jq -e '.kind == "agent.waiting"'
}

@test "a run without events is the answer no" {
	start_gateway
	run -1 --separate-stderr agent-events nothing
	[ -z "$output" ]
}

@test "a 5 MB event passes" {
	serve_fault events 200 application/json "$(python3 -c 'import json; print(json.dumps({"items":[{"seq":1,"kind":"agent.big","data":{"runId":"r","blob":"x"*5000000}}]}))')"
	[ "$(agent-events r | wc -c)" -gt 5000000 ]
}
