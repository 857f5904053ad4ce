#!/usr/bin/env bats
# Trace context: what a request belongs to goes on to whoever is asked because of it, as it came.
load ../lib/common
load ../lib/services

setup() {
	common_setup
	parent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	state='rojo=00f067aa0ba902b7, congo=t61rcWkgMzE'
}
teardown() { common_teardown; }

# say RUN AGENT TEXT [CURL OPTIONS]
say() {
	local run=$1 agent=$2 text=$3
	shift 3
	curl -sS -f -o /dev/null -H 'content-type: application/json' -d "{\"message\":\"$text\",\"serviceId\":\"svc_$agent\",\"agent\":\"$agent\"}" "$@" "$url/api/agents/runs/$run/messages"
}
answered() { [ "$(agent-events --kind agent.chat.assistant_message "$1" 2>/dev/null | wc -l)" -ge 1 ]; }
replies() { agent-events "$1" | jq -r 'select(.kind == "agent.chat.assistant_message") | .data.message'; }

@test "a command that answers one message gets it in its environment, nobody else's" {
	mkdir agents
	cat >agents/env.sh <<-'S'
	#!/bin/sh
	cat >/dev/null
	printf '{"reply":"%s|%s"}\n' "${TRACEPARENT-none}" "${TRACESTATE-none}"
	S
	chmod +x agents/env.sh
	manifest env '{"type":"command","command":["./env.sh"]}' >agents/env.json
	TRACEPARENT=00-11111111111111111111111111111111-2222222222222222-00 start_gateway --agents agents
	say r1 env hello -H "traceparent: $parent" -H "tracestate: $state"
	say r2 env hello
	say r3 env hello -H "traceparent: 00-$(printf '%032d' 0)-b7ad6b7169203331-01" -H "tracestate: $state"
	for run in r1 r2 r3; do await 20 answered "$run"; done
	is "$(replies r1)" "$parent|$state"
	is "$(replies r2)" 'none|none'
	is "$(replies r3)" 'none|none'
}

@test "a remote agent gets it in its headers, with the call and not with the session" {
	start_mcp --session
	start_gateway
	apply < <(manifest far "$(remote)")
	api POST /api/services/svc_far/start
	say r1 far hello -H "traceparent: $parent" -H "tracestate: $state"
	await 20 answered r1
	say r2 far hello
	await 20 answered r2
	is "$(asked | jq -c 'select(.method == "tools/call") | [.headers.traceparent, .headers.tracestate]' | paste -sd ' ')" "[\"$parent\",\"$state\"] [null,null]"
	is "$(asked | jq -c 'select(.method == "initialize") | .headers.traceparent')" null
}

@test "a tool of POST /mcp is called with the caller's" {
	start_mcp
	start_gateway
	apply < <(manifest far "$(remote)" '.spec.toolNamespace = "far"')
	api POST /api/services/svc_far/start
	api POST /api/services/svc_far/introspect
	tool=$(curl -sS -H 'content-type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' "$url/mcp" | jq -r '.result.tools[0].name')
	curl -sS -o /dev/null -H "traceparent: $parent" -H 'content-type: application/json' \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$tool\",\"arguments\":{}}}" "$url/mcp"
	is "$(asked | jq -r 'select(.method == "tools/call") | .headers.traceparent')" "$parent"
}

@test "a runtime gets it beside the params of turn/start" {
	start_gateway --runtime "tee '$BATS_TEST_TMPDIR/said' | '$AU_BUILD/libexec/agentutils/agent-runtime-mock'"
	thread=$(agent-thread-create --workspace w | jq -r .threadId)
	for headers in "-H=traceparent: $parent" '-H=x-none: x'; do
		curl -sS -f -o /dev/null -H 'content-type: application/json' "${headers/=/}" -d '{"text":"hello"}' "$url/v1/agent/threads/$thread/turns"
	done
	is "$(jq -c 'select(.method == "turn/start") | .trace' said | paste -sd ' ')" "{\"traceparent\":\"$parent\"} null"
	is "$(jq -c 'select(.trace) | .method' said)" '"turn/start"'
}

@test "a model is asked, and an agent of the Agent Client Protocol, with the one of the turn" {
	start endpoint python3 "$AU_SRC/tests/fake/fake-openai" --log asked
	await 20 test -s endpoint.out
	for runtime in "'$AU_BUILD/libexec/agentutils/agent-runtime-openai' --endpoint http://127.0.0.1:$(cat endpoint.out)/v1 --model m" \
		"'$AU_BUILD/libexec/agentutils/agent-runtime-acp' -- python3 '$AU_SRC/tests/fake/fake-acp' --log '$BATS_TEST_TMPDIR/said'"; do
		start_gateway --runtime "$runtime"
		thread=$(agent-thread-create --workspace w | jq -r .threadId)
		curl -sS -f -o /dev/null -H 'content-type: application/json' -H "traceparent: $parent" -H "tracestate: $state" -d '{"text":"hello"}' "$url/v1/agent/threads/$thread/turns"
		curl -sS -f -o /dev/null -H 'content-type: application/json' -d '{"text":"hello"}' "$url/v1/agent/threads/$thread/turns"
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done
	is "$(jq -c .trace asked | paste -sd ' ')" "[\"$parent\",\"$state\"] [null,null]"
	is "$(jq -c 'select(.method == "session/prompt").params._meta' said | paste -sd ' ')" "{\"traceparent\":\"$parent\",\"tracestate\":\"$state\"} null"
}

@test "a session host passes it on too" {
	start serve "$AU_BUILD/libexec/agentutils/agent-session-host" --listen 127.0.0.1:0 sh -c \
		"tee '$BATS_TEST_TMPDIR/said' | '$AU_BUILD/libexec/agentutils/agent-runtime-mock'"
	await 20 has_line serve.out listening
	host=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' serve.out)
	curl -sS -f -o answer -H 'content-type: application/json' -H "traceparent: $parent" -H "tracestate: $state" -d '{"text":"hello","turnId":"t1"}' "$host/agent/turns/start?identifier=a"
	is "$(jq -c 'select(.method == "turn/start") | .trace' said)" "{\"traceparent\":\"$parent\",\"tracestate\":\"$state\"}"
}

@test "the commands pass on what they were started with" {
	start_gateway --access-log access
	TRACEPARENT=$parent TRACESTATE=$state agent-runs >/dev/null || [ $? = 1 ] # there are none
	TRACEPARENT=$parent timeout 20 agent-watch --all --until agent.run_created >/dev/null &
	watching=$!
	streams() { curl -sS "$url/metrics" | grep -qF 'agent_gateway_http_streams{kind="sse"} 1'; }
	await 20 streams # else it may find the run in what there was before
	TRACEPARENT="$parent"$'\r\nx-evil: 1' agent-registry >/dev/null
	agent-run-create --agent echo >/dev/null
	wait "$watching"
	is_traced() { jq -e -s --arg p "$parent" --arg path "$1" 'any(.[]; .path == $path and .traceparent == $p)' access >/dev/null; }
	await 20 is_traced /api/agents/runs
	await 20 is_traced /api/events
	run ! is_traced /api/agents/registry
}
