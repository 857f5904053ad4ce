#!/usr/bin/env bats
# A model as an agent: the gateway, agent-runtime-openai, and an endpoint that plays a script.
load ../lib/common

setup() {
	common_setup
	unset OPENAI_API_KEY OPENAI_API_KEY_FILE OPENAI_BASE_URL OPENAI_MODEL AGENT_RUNTIME_STATE
}
teardown() { common_teardown; }

endpoint() { # [OPTION...]
	start endpoint python3 "$AU_SRC/tests/fake/fake-openai" --log asked "$@"
	await 20 test -s "$BATS_TEST_TMPDIR/endpoint.out"
	endpoint=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/endpoint.out")/v1
}
agent() { # [ORIGIN-MEMBERS [WORD...]]
	local members=${1:-{\}}
	shift || true
	mkdir -p agents
	jq -n --slurpfile m "$AU_SRC/bin/gateway/builtin/model.json" --argjson members "$members" '$m[0]
		| .spec.origin += {model: "m"} + $members | .spec.origin.command += $ARGS.positional' --args -- --endpoint "$endpoint" "$@" >agents/model.json
}
ask() { # TEXT: what comes of it in events
	agent-send --run r1 "$1" | agent-watch --timeout 60s --until waiting --outcome=ignore >events
}
begin() { agent-run-create --agent model --run r1 >made; }
said() { jq -r 'select(.kind == "agent.chat.assistant_message").data.message' events; }
failed() { jq -r 'select(.kind == "agent.waiting" and .level == "warn").data.reason' events; }

@test "the three lines of the README work" {
	endpoint
	sed -n '/^## Chat with a model/,/^## [^C]/p' "$AU_SRC/README.md" | sed -n '/^```sh/,/^```$/p' | grep -v '^```' >lines
	[ "$(wc -l <lines)" = 3 ]
	# the endpoint of the test, and what bootstrap runs once all is built
	sed -i "s|http://127.0.0.1:11434/v1|$endpoint|; s|^\./bootstrap chat|runtime-chat --embedded|" lines
	grep -q "^chat) exec \"\$build/bin/runtime-chat\" --embedded" "$AU_SRC/bootstrap"
	printf 'good morning\n' | sh -e lines >shown
	grep -q 'model: You said: good morning' shown
	[ "$(grep -c 'You said' shown)" = 1 ]
	jq -e '.body.model == "llama3.2" and .body.stream' asked
}

@test "the agent is there for those who have a model, and for no others" {
	start_gateway
	[ "$(agent-registry --jq .agent.agentId | tr '\n' ' ')" = "echo shell " ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	OPENAI_MODEL=m start_gateway
	[ "$(agent-registry --jq .agent.agentId | tr '\n' ' ')" = "echo shell model " ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	mkdir none
	OPENAI_MODEL=m start_gateway --agents none
	run -1 agent-registry
}

@test "chat and responses: streamed, with the manifest's system prompt and model" {
	endpoint
	for api in chat responses; do
		rm -rf state asked
		agent '{"systemPrompt":"Be brief.","model":"manifest-model"}' --api $api
		start_gateway --agents agents
		begin
		ask 'hello there'
		[ "$(said)" = 'You said: hello there' ]
		grep -q agent.chat.delta events
		[ "$(jq -rj 'select(.kind == "agent.chat.delta").data.message' events)" = 'You said: hello there' ]
		jq -e '.body | .model == "manifest-model" and (tostring | contains("Be brief."))' asked
		agent-events --thread r1 --kind runtime.metadata | jq -e '.payload.tokenUsage.last.totalTokens == 16'
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done
	[ "$(jq -r .path asked)" = /v1/responses ]
}

@test "what was said before goes along, also after the gateway was started anew" {
	endpoint
	agent
	start_gateway --agents agents
	begin
	ask one
	ask two
	jq -se '[.[1].body.messages[].content] == ["one", "You said: one", "two"]' asked
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway --agents agents
	ask three
	jq -se '[.[2].body.messages[].content] == ["one", "You said: one", "two", "You said: two", "three"]' asked
	[ "$(stat -c %a state/runtime)" = 700 ]
}

@test "the key comes from a file, and is told to nobody" {
	endpoint --key sk-right
	echo sk-right >key
	chmod 600 key
	agent
	OPENAI_API_KEY_FILE=$PWD/key start_gateway --agents agents
	begin
	ask hello
	[ "$(said)" = 'You said: hello' ]
	run ! grep -rq sk-right state events "$gateway_log.err"
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	agent '{}' --key-file "$PWD/key"
	start_gateway --agents agents
	ask again
	[ "$(said)" = 'You said: again' ]
}

@test "each failure of the endpoint is told with a code, and the conversation goes on" {
	endpoint
	agent '{}' --silence 1s
	start_gateway --agents agents
	begin
	while IFS='|' read -r text want; do
		ask "$text"
		failed >reason
		grep -qE "$want" reason || { echo "$text: $(cat reason)" >&2; false; }
		[ -z "$(said)" ]
	done <<-'T'
		STATUS 401|^refused as asked \(AGENT_RUNTIME_AUTH_REQUIRED\)$
		STATUS 429|^refused as asked.* \([A-Z_]+\)$
		QUOTA|^You exceeded your current quota.* \([A-Z_]+\)$
		STATUS 500|^refused as asked.* \([A-Z_]+\)$
		WINDOW|^too long.* \([A-Z_]+\)$
		BROKEN|\([A-Z_]+\)$
		CUT|\([A-Z_]+\)$
		SILENT|\([A-Z_]+\)$
		DEAF|\([A-Z_]+\)$
	T
	ask 'and now?'
	[ "$(said)" = 'You said: and now?' ]
}

@test "no endpoint, no model: the reason says what to do" {
	endpoint=http://127.0.0.1:1/v1
	agent
	start_gateway --agents agents
	begin
	ask hello
	failed >reason
	cat reason
	grep -q "127.0.0.1" reason
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	agent
	jq 'del(.spec.origin.model)' agents/model.json >agents/new && mv agents/new agents/model.json
	start_gateway --agents agents
	agent-run-create --agent model --run r2 >made
	agent-send --run r2 hello | agent-watch --timeout 60s --until waiting --outcome=ignore >events
	failed | grep -q 'no model is chosen: give --model, OPENAI_MODEL'
}

@test "a run that is cancelled ends its request" {
	endpoint
	agent
	start_gateway --agents agents
	begin
	agent-send --run r1 SLOW >/dev/null
	await 30 eval 'agent-events --thread r1 --kind item.delta >found && [ -s found ]'
	agent-run-cancel r1 >/dev/null
	run -11 agent-watch r1 --timeout 60s
}
