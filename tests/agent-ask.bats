#!/usr/bin/env bats
# agent-ask asks a person, and waits for the answer.
load lib/common
load lib/hitl

setup() { hitl_setup; }
teardown() { common_teardown; }

@test "an answer reaches its asker, and nothing is left" {
	start ask agent-ask --key deploy-1 "which tag?"
	await 10 pending 1
	run -0 agent-hitl-list
	jq -e '.key == "deploy-1" and .question == "which tag?" and .ageSeconds >= 0 and (.pid | type == "number")' <<<"$output"
	run -0 agent-hitl-answer deploy-1 v1.2
	[ "$output" = "{\"key\":\"deploy-1\",\"answered\":true,\"path\":\"$dir/deploy-1.answer\"}" ]
	wait "$pid"
	[ "$(cat ask.out)" = v1.2 ]
	[ "$(leftovers)" = 0 ]
}

@test "the same with looks instead of inotify" {
	export CLARITY_HITL_POLL=1
	start ask agent-ask --key deploy-1 "which tag?"
	await 10 pending 1
	agent-hitl-answer deploy-1 v1.2
	wait "$pid"
	[ "$(cat ask.out)" = v1.2 ]
}

@test "--confirm: yes is 0, anything else is 1, and nothing is written" {
	for answer in yes y Yes Y true; do
		start ask agent-ask --key k --confirm "deploy?"
		await 10 pending 1
		agent-hitl-list | jq -e '.question == "deploy? (yes/no)"'
		agent-hitl-answer k "$answer"
		wait "$pid"
		[ ! -s ask.out ]
	done
	for answer in no YES "yes please" 1; do
		start ask agent-ask --key k --confirm "deploy?"
		await 10 pending 1
		agent-hitl-answer k "$answer"
		status=0
		wait "$pid" || status=$?
		[ "$status" = 1 ]
	done
	start ask agent-ask --key k --confirm "deploy?"
	await 10 pending 1
	agent-hitl-answer k --approve
	status=0
	wait "$pid" || status=$?
	[ "$status" = 1 ]
}

@test "--choices: another answer is asked again, with a note; the case does not matter" {
	start ask agent-ask --key k --choices red,green "colour?"
	await 10 pending 1
	agent-hitl-answer k blue
	again() { agent-hitl-list | grep -q "'blue' is none of the choices"; }
	await 10 again
	agent-hitl-answer k GREEN
	wait "$pid"
	[ "$(cat ask.out)" = green ]
}

@test "nobody answers: status 5, or the default; the question goes" {
	run -5 --separate-stderr agent-ask --timeout 100ms "anyone?"
	[[ $stderr == *"nobody answered"* && -z $output ]]
	run -0 --separate-stderr agent-ask --timeout 100ms --default blue "anyone?"
	[ "$output" = blue ]
	CLARITY_HITL_TIMEOUT_SECS=0.1 run -5 agent-ask "anyone?"
	run -1 agent-ask --timeout 100ms --default no --confirm "deploy?"
	[ "$(leftovers)" = 0 ]
}

@test "--json writes a record" {
	start ask agent-ask --json --key k "what?"
	await 10 pending 1
	agent-hitl-answer k that
	wait "$pid"
	jq -e '.key == "k" and .response == "that" and .default == false and .waitedMs >= 0' ask.out
}

@test "a signal ends the asker and takes its question away" {
	for signal in INT TERM HUP; do
		python3 - "$signal" <<'PY'
import os, signal, subprocess, sys, time
number = getattr(signal, "SIG" + sys.argv[1])
p = subprocess.Popen(["agent-ask", "--key", "k", "what?"], stdout=subprocess.PIPE)
path = os.environ["CLARITY_HITL_DIR"] + "/k.question"
end = time.time() + 10
while not os.path.exists(path):
    assert time.time() < end
p.send_signal(number)
assert p.wait(10) == -number
assert not os.path.exists(path)
PY
	done
}

@test "an old answer answers nothing" {
	mkdir "$dir"
	printf yes >"$dir/k.answer"
	run -5 agent-ask --key k --timeout 300ms --confirm "deploy?"
	[ "$(leftovers)" = 0 ]
}

@test "keys that share a stem: the second is refused, and an answer goes to neither by mistake" {
	start ask agent-ask --key "a b" "q"
	await 10 pending 1
	run -14 --separate-stderr agent-ask --key a/b "r"
	[[ $stderr == *"'a/b'"*"'a b'"* ]]
	run -1 --separate-stderr agent-hitl-answer a/b yes
	[[ $stderr == *"question not found: a/b"* ]]
	agent-hitl-answer "a b" yes
	wait "$pid"
	printf '{"key":"k","question":"q"}' >"$dir/one.question"
	printf '{"key":"k","question":"q"}' >"$dir/two.question"
	run -14 --separate-stderr agent-hitl-answer k yes
	[[ $stderr == *one.question* && $stderr == *two.question* ]]
	[ ! -e "$dir/one.answer" ] && [ ! -e "$dir/two.answer" ]
	agent-hitl-answer one yes
	[ -e "$dir/one.answer" ]
}

@test "the same key is not asked twice at once" {
	start ask agent-ask --key k "q"
	await 10 pending 1
	run -14 --separate-stderr agent-ask --key k "r"
	[[ $stderr == *"process $pid is asking it"* ]]
	agent-hitl-list | jq -e '.question == "q"'
}

@test "an answer that is still being written is not taken" {
	start ask agent-ask --key k "q"
	await 10 pending 1
	write_slowly "$CLARITY_HITL_DIR/k.answer" "do not deploy" "$pid"
	wait "$pid"
	[ "$(cat ask.out)" = "do not deploy" ]
}

@test "twenty askers at once get each its own answer" {
	pids=()
	for i in {1..20}; do
		start "ask$i" agent-ask --key "k$i" "q $i"
		pids+=("$pid")
	done
	await 30 pending 20
	agent-hitl-list --jq .key | while read -r key; do agent-hitl-answer "$key" "answer of $key" >/dev/null; done
	for i in {1..20}; do
		wait "${pids[i - 1]}"
		[ "$(cat "ask$i.out")" = "answer of k$i" ]
	done
	[ "$(leftovers)" = 0 ]
}

@test "wrong calls" {
	run -2 agent-ask
	run -2 agent-ask ""
	run -2 agent-ask --key " " q
	run -2 agent-ask --choices a,,b q
	run -2 agent-ask --choices a,b --default c q
	run -2 agent-ask --choices a --confirm q
	run -2 agent-ask --dir x --broker http://127.0.0.1:1 q
	key=$(printf 'k%.0s' {1..241})
	run -6 agent-ask --key "$key" q
	run -5 agent-ask --key "${key%k}" --timeout 50ms q
}
