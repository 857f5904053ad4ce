#!/usr/bin/env bats
# agent-send: messages of every form and size, taken once.
load lib/common
load lib/faults

setup() { common_setup; }
teardown() { common_teardown; }
new_run() { agent-registry | jq -c 'select(.agent.chat.mode=="echo")' | head -n 1 | agent-run-create --jq .runId; }

@test "operands, standard input and a file are the same message" {
	start_gateway
	r=$(new_run)
	agent-send --run "$r" one two >/dev/null
	echo 'one two' | agent-send --run "$r" >/dev/null
	echo 'one two' >m
	agent-send --run "$r" --file m >/dev/null
	agent-send --run "$r" --file - <m >/dev/null
	[ "$(agent-events "$r" --kind agent.chat.user_message --jq .data.message | sort | uniq -c | tr -s ' ')" = " 4 one two" ]
}

@test "words that look like options are words" {
	start_gateway
	r=$(new_run)
	agent-send --run "$r" is -v --help an option >/dev/null
	[ "$(agent-events "$r" --kind agent.chat.user_message --jq .data.message)" = 'is -v --help an option' ]
}

@test "the record has the server's answer, the seq and the subject, on both servers" {
	for server in start_gateway start_clarity; do
		$server
		r=$(new_run)
		run -0 --separate-stderr agent-send hello < <(printf '{"runId":"%s","mine":12345678901234567890}\n' "$r")
		jq -e --arg r "$r" '.ok and .runId == $r and .kind == "agent.chat.user_message" and (.seq | type) == "number"' <<<"$output"
		[[ $output == *'"mine":12345678901234567890'* ]]
		[ "$(agent-events "$r" --jq 'select(.kind=="agent.chat.user_message").seq')" = "$(jq .seq <<<"$output")" ]
	done
}

@test "--wait prints the reply to this very message and nothing after it, on both servers" {
	for server in start_gateway start_clarity; do
		$server
		r=$(new_run)
		for i in 1 2 3; do agent-send --run "$r" "before $i" >/dev/null; done
		run -0 --separate-stderr timeout 30 agent-send --wait --run "$r" mine
		[ "$(jq -r 'select(.kind=="agent.chat.assistant_message").data.message' <<<"$output" | tail -n 1)" = "Echo: mine" ]
		[ "$(tail -n 1 <<<"$output" | jq -r .kind)" = agent.waiting ]
	done
}

@test "a reply that failed is status 10" {
	mkdir agents
	jq '.spec.origin.command = ["false"] | .metadata.serviceId = "svc_bad" | .metadata.agent.agentId = "bad"' "$AU_SRC/bin/gateway/builtin/shell.json" >agents/bad.json
	start_gateway --agents agents
	run -10 timeout 30 agent-send --wait hi < <(agent-run-create --agent bad)
}

@test "a message that cannot be sent is status 6 and says where" {
	start_gateway
	printf 'ab\0c' >nul
	run -6 --separate-stderr agent-send --run r --file nul
	[[ $stderr == *"NUL at byte 3"* ]]
	printf 'ab\xff' >bad
	run -6 --separate-stderr agent-send --run r --file bad
	[[ $stderr == *"not UTF-8 at byte 3"* ]]
	run -6 --separate-stderr agent-send --run r "  "
	[[ $stderr == *"it is empty"* ]]
	run -8 agent-send --run r --file /no/such/file
	run -2 agent-send --file - </dev/null
	run -2 agent-send </dev/null
	run -2 agent-send --role king --run r x
}

@test "the longest message is taken and one byte more is refused before it is sent" {
	start_gateway
	r=$(new_run)
	envelope='{"message":"","role":"user"}'
	head -c $((1048576 - ${#envelope})) /dev/zero | tr '\0' x >long
	agent-send --run "$r" --file long --jq .message_truncated >truncated
	[ "$(cat truncated)" = true ]
	printf x >>long
	run -6 --separate-stderr agent-send --run "$r" --file long
	[[ $stderr == *1048577* && $stderr == *1048576* ]]
}

@test "a run that is over is status 14, with the server's words" {
	for server in start_gateway start_clarity; do
		$server
		r=$(new_run)
		agent-emit --run "$r" --kind agent.run_completed >/dev/null
		run -14 --separate-stderr agent-send --run "$r" hello
		[[ $stderr == *"run is terminal and no longer accepts chat messages: $r (409)"* ]]
	done
}

@test "the same key sends once; the same key for another text is a conflict" {
	start_gateway
	r=$(new_run)
	agent-send --run "$r" --idempotency-key k hello >a
	agent-send --run "$r" --idempotency-key k hello >b
	cmp a b
	[ "$(agent-events "$r" --kind agent.chat.user_message | wc -l)" = 1 ]
	run -14 --separate-stderr agent-send --run "$r" --idempotency-key k other
	[[ $stderr == *"idempotency key"* ]]
}

@test "a lost answer is asked for again on a gateway, and the message is there once" {
	start_gateway
	r=$(new_run)
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" --lose-first-answer
	await 10 has_line proxy.out '^http'
	run -0 --separate-stderr timeout 30 agent-send --url "$(head -n 1 proxy.out)" --run "$r" once
	[ "$(agent-events "$r" --kind agent.chat.user_message --jq .data.message)" = once ]
}

@test "a lost answer is not asked for again on a Clarity runtime, and the error says so" {
	start_clarity
	r=$(new_run)
	curl -fsS -d '{"messages":"lose"}' "$url/__fake" >/dev/null
	run --separate-stderr timeout 30 agent-send --run "$r" twice
	[ "$status" = 3 ] || [ "$status" = 7 ] || { echo "$status"; return 1; }
	[[ $stderr == *"it may have been taken all the same"* ]]
	[ "$(agent-events "$r" --kind agent.chat.user_message | wc -l)" = 1 ]
}

@test "an idle standard input does not block a command that has its message" {
	start_gateway
	r=$(new_run)
	mkfifo idle
	exec 7<>idle
	timeout 10 agent-send --run "$r" hello <&7 >/dev/null
	exec 7>&-
}
