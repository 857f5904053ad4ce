#!/usr/bin/env bats
# limits.bats - what has a limit, at it and one past it: the last that is taken, and the message for the first that is not
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

# agent ID COMMAND: a manifest in agents/
agent() {
	mkdir -p agents
	jq --arg id "$1" --argjson command "$2" '.metadata.serviceId = "svc_" + $id | .metadata.agent.agentId = $id | .spec.origin.command = $command
		| .spec.origin.timeoutMs = 60000' "$AU_SRC/bin/gateway/builtin/shell.json" >"agents/$1.json"
}
# repeat N TEXT
repeat() { head -c "$1" /dev/zero | tr '\0' "$2"; }
times() { # N WORD...: the words, N times
	local n=$1 all=()
	shift
	while [ "$n" -gt 0 ]; do all+=("$@"); n=$((n - 1)); done
	printf '%s\0' "${all[@]}"
}

@test "--idempotency-key: 224 characters, and 255 in the header" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	agent-send --run r --idempotency-key "$(repeat 224 k)" hello
	run -2 agent-send --run r --idempotency-key "$(repeat 225 k)" hello
	assert_line -n 0 -p 'unable to use --idempotency-key: expected 1 to 224 visible ASCII characters'
	for n in 255 256; do
		curl -s -o "answer$n" -w '%{http_code}' -H "Idempotency-Key: $(repeat "$n" h)" -d '{"message":"x"}' "$url/api/agents/runs/r/messages" >"code$n"
	done
	[ "$(cat code255 code256)" = 200400 ]
	grep -i 'idempotency-key' answer256
}

@test "a run has 1000 unanswered messages; the next one is 429 with Retry-After, and is taken later" {
	printf '#!/bin/sh\n[ -e go ] || read -r _ <gate\necho "{\\"reply\\":\\"ok\\"}"\n' >wait
	chmod +x wait
	mkfifo gate
	exec 7<>gate
	agent wait '["../wait"]'
	start_gateway --agents agents
	agent-run-create --agent wait --run r >/dev/null
	for n in $(seq 1000); do printf 'next\nurl = "%s/api/agents/runs/r/messages"\ndata = "{\\"message\\":\\"m\\"}"\nsilent\noutput = "/dev/null"\nwrite-out = "%%{http_code}\\n"\n' "$url"; done | tail -n +2 >posts
	curl -K posts >codes
	[ "$(sort codes | uniq -c | tr -s ' ')" = ' 1000 200' ]
	curl -s -D head -o body -d '{"message":"one more"}' "$url/api/agents/runs/r/messages"
	grep -q '^HTTP/1.1 429' head
	grep -qi '^retry-after: 1' head
	grep -q "run 'r' has 1000 unanswered messages already" body
	run -75 agent-send --run r --timeout 3s 'one more'
	# a handler that ends makes room
	: >go
	echo >&7
	await 60 agent-send --run r --timeout 3s 'one more'
	exec 7>&-
}

@test "agent-watch: 1000 runs at once" {
	start_gateway
	seq 1001 | sed 's/.*/{"runId":"r&","kind":"agent.run_completed"}/' | agent-emit >/dev/null
	seq 1001 | sed 's/.*/{"runId":"r&"}/' >runs
	run -6 --separate-stderr timeout 120 agent-watch <runs
	[[ $stderr == *"unable to watch run 'r1001': more than 1000"* ]]
	[ "${#lines[@]}" = 1000 ]
}

@test "options that may be given several times: 64 --kind, 16 --listen, 64 --allow-host" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	times 64 --kind 'agent.*' | xargs -0 agent-events r >out
	[ -s out ]
	times 65 --kind 'agent.*' | xargs -0 agent-events r 2>err || :
	grep -q 'more than 64 --kind options' err
	times 16 --listen 127.0.0.1:0 | xargs -0 agent-gateway -n --state s
	times 17 --listen 127.0.0.1:0 | xargs -0 agent-gateway -n --state s 2>err || :
	grep -q 'more than 16 --listen options' err
	times 64 --allow-host a.example | xargs -0 agent-gateway -n --state s
	times 65 --allow-host a.example | xargs -0 agent-gateway -n --state s 2>err || :
	grep -q 'more than 64 --allow-host options' err
}

@test "a token file has 65536 bytes" {
	start_gateway
	{ repeat 65535 ' '; echo; } >token
	run -9 agent-registry --token-file token # all blank: no token, but read whole
	refute_output -p 'too'
	{ echo t; repeat 65534 ' '; } >token
	agent-registry --token-file token >/dev/null
	{ echo t; repeat 65535 ' '; } >token
	run -9 agent-registry --token-file token
	assert_output -p '65536 bytes'
	chmod 600 token
	run -9 agent-gateway -n --state s --token-file token
	assert_output -p '65536 bytes'
}

@test "a manifest has a mebibyte, and its command 64 words" {
	for n in 64 65; do
		agent w "$(seq "$n" | jq -sc 'map("/bin/true")')"
		run agent-gateway -n --state s --agents agents
		echo "$status" >>codes
	done
	[ "$(echo $(cat codes))" = '0 9' ]
	assert_output -p 'spec.origin.command must have 1 to 64 words'
	agent w '["/bin/true"]'
	repeat $((1048576 - $(wc -c <agents/w.json))) ' ' >>agents/w.json
	agent-gateway -n --state s --agents agents
	printf ' ' >>agents/w.json
	run -9 agent-gateway -n --state s --agents agents
	assert_output -p '1048576 bytes'
}

@test "a message makes a request of a mebibyte" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	body() { printf '{"message":"%s"}' "$(repeat "$1" m)"; }
	for n in 1048576 1048577; do
		body $((n - 14)) >body
		[ "$(wc -c <body)" = "$n" ]
		curl -s -o /dev/null -w '%{http_code} ' --data-binary @body "$url/api/agents/runs/r/messages" >>codes
	done
	[ "$(cat codes)" = '200 413 ' ]
	repeat 1048577 m >text
	run -6 agent-send --run r --file text
	assert_output -p '1048576'
}

@test "a record on standard input has 16 MiB" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	record() { printf '{"pad":"%s","runId":"r"}\n' "$(repeat "$1" p)"; }
	record $((16777216 - 22)) >at
	[ "$(wc -c <at)" = 16777217 ] # with the line's end
	agent-events <at >out
	[ -s out ]
	record $((16777216 - 21)) >past
	run -6 --separate-stderr agent-events <past
	[[ $stderr == *'it has 16777217 bytes, more than 16777216'* ]]
}

@test "what a handler writes has 16 MiB" {
	cat >big <<-'S'
	#!/bin/sh
	n=$(jq -r .message)
	printf '{"reply":"'
	head -c $((n - 13)) /dev/zero | tr '\0' r
	echo '"}'
	S
	chmod +x big
	agent big '["../big"]'
	start_gateway --agents agents
	agent-run-create --agent big --run r >/dev/null
	agent-send --run r --wait 16777216 >/dev/null
	run agent-send --run r --wait 16777217
	agent-events r --kind agent.chat.assistant_message --jq '.data.message | length' >lengths
	[ "$(cat lengths)" = 16777203 ]
	agent-events r --kind agent.step_completed >steps
	grep -q '16777216' steps
}

@test "lists: limit is 2000 at most, and pages go on past it" {
	start_gateway
	for _ in $(seq 2005); do echo '{"kind":"agent.note","runId":"r"}'; done | agent-emit >/dev/null
	[ "$(curl -s "$url/api/agents/runs/r/events?limit=2001" | jq '.items | length')" = 2000 ]
	[ "$(curl -s "$url/api/agents/runs/r/events?after=0&limit=2001" | jq -c '[(.items | length), .more]')" = '[2000,true]' ]
	[ "$(agent-events r --after 0 | wc -l)" = 2005 ]
}
