#!/usr/bin/env bats
# agent-ask with a broker instead of a directory: CLARITY_HITL_BROKER_URL.
load lib/common
load lib/hitl
load lib/faults

setup() {
	hitl_setup
	unset CLARITY_HITL_DIR
	mkdir "$dir"
}
teardown() { common_teardown; }

broker() {
	start_gateway --hitl "$dir" "$@"
	export CLARITY_HITL_BROKER_URL=$url
}
# start_fake [options]: a broker as the others are (tests/fake/fake-broker)
start_fake() {
	start "fake${fake_n:=0}" python3 "$AU_SRC/tests/fake/fake-broker" --dir "$dir" "$@"
	fake_log=fake$fake_n
	fake_n=$((fake_n + 1))
	await 20 has_line "$fake_log.out" '^http'
	CLARITY_HITL_BROKER_URL=$(head -n 1 "$fake_log.out")
	export CLARITY_HITL_BROKER_URL
}
waiting() { [ "$(agent-hitl-list --broker "$CLARITY_HITL_BROKER_URL" 2>/dev/null | wc -l)" -eq "$1" ]; }
answer() { agent-hitl-answer --broker "$CLARITY_HITL_BROKER_URL" "$@"; }
# ended_with STATUS: the last one started
ended_with() {
	local status=0
	wait "$pid" || status=$?
	[ "$status" = "$1" ] || { echo "status $status, not $1" >&2; return 1; }
}

@test "an answer reaches its asker at once, and nothing is left" {
	broker
	start ask agent-ask --key deploy-1 "which tag?"
	await 10 waiting 1
	answer deploy-1 v1.2
	ended_with 0
	[ "$(cat ask.out)" = v1.2 ]
	[ "$(leftovers)" = 0 ]
}

@test "an answer as a file beside the broker, by any program" {
	broker
	start ask agent-ask --key k "q"
	await 10 waiting 1
	printf ' from a file\n' >"$dir/k.answer"
	ended_with 0
	[ "$(cat ask.out)" = 'from a file' ]
	[ "$(leftovers)" = 0 ]
}

@test "a dotted key" {
	broker
	start ask agent-ask --key a.b "q"
	await 10 waiting 1
	answer a.b yes
	ended_with 0
	[ "$(cat ask.out)" = yes ]
}

@test "keys with blanks, slashes, percents and letters of the world" {
	broker
	n=0
	for key in 'a b' 'x/y' '50%2F' '../up' 'Größe 😀' '?q=1#f' 'a+b&c' '..'; do
		n=$((n + 1))
		start "ask$n" agent-ask --key "$key" "q"
		await 10 waiting 1
		answer "$key" "answer $n"
		ended_with 0
		[ "$(cat "ask$n.out")" = "answer $n" ]
	done
	[ "$(leftovers)" = 0 ]
}

@test "a key that is asked again never takes an old answer" {
	broker
	printf '{"key":"k","question":"old","timestamp":1}' >"$dir/k.question"
	printf old >"$dir/k.answer"
	run -5 agent-ask --key k --timeout 500ms "q"
	printf orphan >"$dir/k.answer"
	run -5 agent-ask --key k --timeout 500ms "q"
	[ "$(leftovers)" = 0 ]
}

@test "a key that is asked while it is asked takes the earlier one's place" {
	broker
	start first agent-ask --key k "first"
	first=$pid
	await 10 waiting 1
	start second agent-ask --key k "second"
	status=0
	wait "$first" || status=$?
	[ "$status" = 11 ]
	await 10 waiting 1
	agent-hitl-list --broker "$url" | jq -e '.question == "second"'
	answer k yes
	ended_with 0
	[ "$(cat second.out)" = yes ]
	[ ! -s first.out ]
}

@test "keys that share a file: the second is refused, and the first is not disturbed" {
	broker
	start ask agent-ask --key "a b" "q"
	await 10 waiting 1
	run -14 --separate-stderr agent-ask --key a/b "r"
	[[ $stderr == *"'a/b'"* ]]
	agent-hitl-list --broker "$url" | jq -e '.key == "a b"'
	run -1 answer a/b yes
	answer "a b" yes
	ended_with 0
	[ "$(cat ask.out)" = yes ]
}

@test "nobody answers: status 5, or the default, and the question is withdrawn" {
	broker
	run -5 --separate-stderr agent-ask --timeout 300ms "anyone?"
	[[ $stderr == *"nobody answered"* ]]
	run -0 --separate-stderr agent-ask --timeout 300ms --default blue "anyone?"
	[ "$output" = blue ]
	run -1 agent-ask --timeout 300ms --default no --confirm "deploy?"
	[ "$(leftovers)" = 0 ]
}

@test "the end of an input answers nothing" {
	broker
	start ask agent-ask --key k --timeout 1s --confirm "deploy?"
	await 10 waiting 1
	run -2 answer k </dev/null
	run -6 answer k - </dev/null
	run -6 answer k --file /dev/null
	[ "$(leftovers)" = 1 ]
	ended_with 5
}

@test "--confirm and --choices" {
	broker
	start ask agent-ask --key k --confirm "deploy?"
	await 10 waiting 1
	agent-hitl-list --broker "$url" | jq -e '.question == "deploy? (yes/no)"'
	answer k yes
	ended_with 0
	start ask agent-ask --key k --confirm "deploy?"
	await 10 waiting 1
	answer k --approve
	ended_with 1
	start ask agent-ask --key k --choices red,green "colour?"
	await 10 waiting 1
	answer k blue
	again() { agent-hitl-list --broker "$url" | grep -q "'blue' is none of the choices"; }
	await 10 again
	answer k GREEN
	ended_with 0
	[ "$(cat ask.out)" = green ]
}

@test "cancelled: status 11" {
	broker
	start ask agent-ask --key k "q"
	await 10 waiting 1
	agent-hitl-cancel --broker "$url" k
	ended_with 11
}

@test "a signal withdraws the question" {
	broker
	python3 - <<'PY'
import os, signal, subprocess, time
p = subprocess.Popen(["agent-ask", "--key", "k", "what?"], stdout=subprocess.PIPE)
path = os.environ["BATS_TEST_TMPDIR"] + "/hitl/k.question"
end = time.time() + 10
while not os.path.exists(path):
    assert time.time() < end
p.send_signal(signal.SIGTERM)
assert p.wait(10) == -signal.SIGTERM
assert not os.path.exists(path)
PY
}

@test "the broker goes and comes back: the question waits on" {
	broker
	port=${url##*:}
	start ask agent-ask --key k "q"
	ask=$pid
	await 10 waiting 1
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	await 10 has_line ask.err 'trying again'
	start again agent-gateway --listen "127.0.0.1:$port" --state "$BATS_TEST_TMPDIR/state" "${store[@]}" --hitl "$dir"
	await 20 has_line again.out listening
	answer k yes
	status=0
	wait "$ask" || status=$?
	[ "$status" = 0 ]
	[ "$(cat ask.out)" = yes ]
}

@test "a token, from the environment and from a file" {
	CLARITYD_AUTH_TOKEN=s3cret broker
	run -4 agent-ask --key k --timeout 2s "q"
	echo s3cret >token
	start ask agent-ask --key k --token-file token "q"
	export CLARITY_HITL_BROKER_TOKEN=s3cret
	await 10 waiting 1
	answer k yes
	ended_with 0
	start ask agent-ask --key k "q"
	await 10 waiting 1
	answer k yes
	ended_with 0
}

@test "a broker on a Unix socket" {
	start gateway agent-gateway --listen "unix:$BATS_TEST_TMPDIR/sock" --state "$BATS_TEST_TMPDIR/state" "${store[@]}" --hitl "$dir"
	await 20 has_line gateway.out listening
	export CLARITY_HITL_BROKER_URL=unix:$BATS_TEST_TMPDIR/sock
	start ask agent-ask --key k "q"
	await 10 waiting 1
	answer k yes
	ended_with 0
}

@test "an option beats the environment" {
	export CLARITY_HITL_BROKER_URL=http://127.0.0.1:1
	run -3 agent-ask --timeout 1s "q"
	run -5 agent-ask --dir "$dir" --timeout 100ms "q"
}

@test "what is no broker is said to be none" {
	export AGENT_RUNTIME_URL
	serve_fault / 404 text/plain 'Not found'
	run -7 --separate-stderr agent-ask --broker "$AGENT_RUNTIME_URL" --timeout 1s "q"
	[[ $stderr == *"is no broker"* ]]
	serve_fault / hang text/plain ''
	run -5 agent-ask --broker "$AGENT_RUNTIME_URL" --timeout 500ms "q"
}

@test "another broker, which tells late and knows no times: answers arrive" {
	start_fake
	start ask agent-ask --verbose --key k "q"
	await 10 has_line ask.err "asked 'k'" # until then an answer there is taken for an old one
	answer k yes
	ended_with 0
	[ "$(cat ask.out)" = yes ]
}

@test "another broker, which keeps old answers: one is refused and never taken" {
	start_fake
	printf old >"$dir/k.answer"
	run -14 --separate-stderr agent-ask --key k --timeout 2s "q"
	[[ $stderr == *"keeps an old answer"* && -z $output ]]
	rm "$dir/k.answer"
	printf '{"key":"a b","question":"other"}' >"$dir/a_b.question"
	run -14 --separate-stderr agent-ask --key a/b --timeout 2s "q"
	[[ $stderr == *"has another question there"* ]]
	grep -q other "$dir/a_b.question"
}

@test "twelve askers at once get each its own answer" {
	broker
	pids=()
	for i in {1..12}; do
		start "ask$i" agent-ask --key "k$i" "q $i"
		pids+=("$pid")
	done
	await 30 waiting 12
	agent-hitl-list --broker "$url" --jq .key | while read -r key; do answer "$key" "answer of $key" >/dev/null; done
	for i in {1..12}; do
		wait "${pids[i - 1]}"
		[ "$(cat "ask$i.out")" = "answer of k$i" ]
	done
	[ "$(leftovers)" = 0 ]
}
