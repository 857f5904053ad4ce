#!/usr/bin/env bats
# agent-hitl-serve: the broker alone. What it has in common with the gateway's is proven in tests/gateway/hitl.bats.
load lib/common
load lib/hitl

setup() {
	hitl_setup
	unset CLARITY_HITL_DIR
}
teardown() { common_teardown; }
# What it says of questions is held against the contract that it shares with the gateway; its /, its /health and what is nowhere are its own.
teardown_file() {
	local file
	for file in "$contract_said"/serve-*; do
		[ -e "$file" ] || return 0
		jq -c 'select(.path|test("^/(questions|answer|cancel|events)"))' "$file" >"$file.shared"
		rm "$file"
	done
	contract_holds
}

# serve [options]: sets $broker
serve() {
	mkdir -p "$contract_said"
	start serve agent-hitl-serve --dir "$dir" --listen 127.0.0.1:0 --record "$contract_said/serve-$BATS_TEST_NUMBER" "$@"
	await 20 has_line serve.out listening || { cat serve.err >&2; return 1; }
	broker=$(jq -r .url serve.out)
}

@test "it says where it listens, which directory it serves, and whether a token is needed" {
	serve
	jq -e --arg dir "$dir" '.event == "listening" and .dir == $dir and .auth == false and (.url | startswith("http://127.0.0.1:"))' serve.out
	[ "$(code "$broker/")" = 200 ]
	[ "$(cat answer)" = clarity-hitl-broker ]
	[ "$(code "$broker/health")" = 200 ]
	jq -e .ok answer
	[ "$(code "$broker/nope")" = 404 ]
	[ "$(cat answer)" = '{"error":"not_found"}' ]
	kill "$pid"
	wait "$pid"
}

@test "a question from one program to another, on one line each and without a newline" {
	serve
	[ "$(code -d '{"key":"k","question":"q","timestamp":1}' "$broker/questions")" = 200 ]
	[ "$(cat answer)" = "{\"key\":\"k\",\"safeKey\":\"k\",\"path\":\"$dir/k.question\",\"fresh\":true}" ]
	[ "$(tail -c 1 answer)" = '}' ]
	start ask agent-ask --broker "$broker" --key a.b "deploy?"
	asked() { [ "$(code "$broker/questions")" = 200 ] && jq -e 'length == 2' answer; }
	await 10 asked
	agent-hitl-answer --broker "$broker" a.b yes
	wait "$pid"
	[ "$(cat ask.out)" = yes ]
}

@test "what it says is written down, without secrets, with mode 600" {
	serve --record said
	[ "$(code -d '{"key":"k","question":"the token is sk-abcdefghijklmnopqrstuvwxyz0123456789"}' "$broker/questions")" = 200 ]
	[ "$(code "$broker/questions/k")" = 200 ]
	[ "$(jq -c '[.method,.path,.status]' said | paste -sd' ')" = '["POST","/questions",200] ["GET","/questions/k",200]' ]
	[ "$(stat -c %a said)" = 600 ]
	run ! grep -q abcdefghijklmnopqrstuvwxyz said
	run -9 agent-hitl-serve --listen 127.0.0.1:0 --record /nowhere/said
	[[ $output == *"unable to open '/nowhere/said'"* ]]
}

@test "a token, from the environment or a file" {
	CLARITY_HITL_BROKER_TOKEN=s3cret serve
	jq -e .auth serve.out
	for path in / /questions /events /nope; do [ "$(code "$broker$path")" = 401 ]; done
	[ "$(code "$broker/health")" = 200 ]
	[ "$(code -H 'Authorization: Bearer s3cret' "$broker/questions")" = 200 ]
	[ "$(code -H 'x-clarity-token: s3cret' "$broker/questions")" = 200 ]
	[ "$(code "$broker/questions?token=s3cret")" = 401 ]
	CLARITY_HITL_BROKER_TOKEN=s3cret run -0 agent-hitl-list --broker "$broker"
	run -4 agent-hitl-list --broker "$broker"
	common_teardown
	echo other >token
	CLARITYD_AUTH_TOKEN=x serve --token-file token --allow-query-token
	[ "$(code "$broker/questions?token=other")" = 200 ]
	[ "$(code "$broker/questions?token=x")" = 401 ]
}

@test "the gateway's tokens are not the broker's" {
	CLARITYD_AUTH_TOKEN=x CLARITY_API_TOKEN=y serve
	[ "$(code "$broker/questions")" = 200 ]
}

@test "a port that is taken is status 9, and nothing is written" {
	serve
	run -9 --separate-stderr agent-hitl-serve --dir "$dir" --listen "${broker#http://}"
	[[ $stderr == *"unable to listen on"* && -z $output ]]
}

@test "a signal ends it, with streams open" {
	serve
	server=$pid
	start events curl -sSN "$broker/events"
	await 10 has_line events.out '^: live'
	kill "$server"
	wait "$server"
}
