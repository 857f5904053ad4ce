#!/usr/bin/env bats
# The gateway as a Model Context Protocol server: the tools of its remote services.
load ../lib/common
load ../lib/services

setup() { common_setup; }
teardown() { common_teardown; }

# rpc METHOD [PARAMS]: the answer in $output, the status in $code
rpc() {
	local params=${2:-}
	api POST /mcp --data-binary "{\"jsonrpc\":\"2.0\",\"id\":\"q-1\",\"method\":\"$1\"${params:+,\"params\":$params}}"
}
start_far() {
	start_mcp --pages 2
	start_gateway
	apply < <(manifest far "$(remote "${1:-.}")" '.spec.toolNamespace = "Far-Away"')
	api POST /api/services/svc_far/start
	api POST /api/services/svc_far/introspect
	[ "$code" = 200 ]
}

@test "it initializes, answers a ping and has lists" {
	start_gateway
	rpc initialize '{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"t","version":"1"}}'
	is "$code $(jq -c '[.jsonrpc, .id, .result.protocolVersion, .result.capabilities, .result.serverInfo.name]' <<<"$output")" '200 ["2.0","q-1","2025-03-26",{"tools":{}},"agent-gateway"]'
	rpc initialize '{"protocolVersion":"1999"}'
	is "$(field .result.protocolVersion)" 2024-11-05
	rpc ping
	is "$(jq -c .result <<<"$output")" '{}'
	for list in tools resources prompts; do
		rpc $list/list
		is "$(jq -c .result <<<"$output")" "{\"$list\":[]}"
	done
	rpc tools/destroy
	is "$code $(jq -c .error <<<"$output")" '200 {"code":-32601,"message":"Method not found: tools/destroy"}'
	api POST /mcp --data-binary '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	is "$code $output" '202 '
	api GET /mcp
	is "$code" 405
}

@test "what is no JSON-RPC request is 400 with -32600" {
	start_gateway
	for body in '' 'x' '[]' '{}' 'null' '{"jsonrpc":"1.0","method":"ping","id":1}' '{"jsonrpc":"2.0","id":1}' '{"jsonrpc":"2.0","method":7,"id":1}' '{"jsonrpc":"2.0","method":"ping","id":{}}'; do
		api POST /mcp --data-binary "$body"
		is "$body $code $(jq -c . <<<"$output")" "$body 400 {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"}}"
	done
	api POST /mcp --data-binary '{"jsonrpc":"2.0","method":"ping","id":9007199254740993}'
	[[ $output == *'"id": 9007199254740993'* ]]
}

@test "tools of services that run are listed with their namespace, and called" {
	start_far
	rpc tools/list
	is "$(jq -c '.result.tools' <<<"$output")" '[{"name":"far_away__receive_chat","description":"answers","inputSchema":{"type":"object"}},{"name":"far_away__tool1","description":"answers","inputSchema":{"type":"object"}}]'
	rpc tools/call '{"name":"far_away__receive_chat","arguments":{"message":"hello"},"runId":"r7"}'
	is "$code $(jq -c . <<<"$output")" '200 {"jsonrpc":"2.0","id":"q-1","result":{"reply":"MCP: hello"}}'
	is "$(asked | jq -c 'select(.method == "tools/call") | [.params.name, .headers["x-clarity-run-id"]]')" '["receive_chat","r7"]'
	await 10 eval 'curl -s "$url/api/audit?limit=2000" | jq -c "[.items[] | select(.kind | test(\"tool_called\")) | [.kind, .message]]" | grep -qxF "[[\"service.tool_called\",\"Remote tool called: receive_chat\"],[\"mcp.tool_called\",\"MCP tool called: far_away__receive_chat\"]]"'
	rpc tools/call '{"name":"far_away__receive_chat","arguments":{"message":"error not now"}}'
	is "$(jq -c .error <<<"$output")" '{"code":-32000,"message":"not now"}'
	rpc tools/call '{"name":"nobody__receive_chat"}'
	is "$(jq -c .error <<<"$output")" '{"code":-32602,"message":"unknown tool: nobody__receive_chat"}'
	rpc tools/call '{}'
	is "$(jq -c .error <<<"$output")" '{"code":-32602,"message":"expected the name of a tool"}'
	api POST /api/services/svc_far/stop
	rpc tools/list
	is "$(jq -c '.result.tools' <<<"$output")" '[]'
	rpc tools/call '{"name":"far_away__receive_chat"}'
	is "$(field .error.code)" -32602
}

@test "the policy of a service holds here too, and a caller needs a token where one is set" {
	start_far '.allowedTools = ["tool1"]'
	rpc tools/call '{"name":"far_away__receive_chat"}'
	is "$(field .error.message)" "tool 'receive_chat' is not allowed by remote policy"
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	export CLARITYD_AUTH_TOKEN=t0ken
	start_gateway
	rpc ping
	is "$code" 401
	api POST /mcp -H 'x-clarity-token: t0ken' --data-binary '{"jsonrpc":"2.0","id":1,"method":"ping"}'
	is "$code" 200
}

@test "one gateway's tools are another's remote agent" {
	start_far
	mcp=$url/mcp
	far_url=$url far_pid=$gateway_pid
	mkdir second
	start_gateway --state second
	apply < <(manifest near "$(remote)" '.metadata.agent.chat.handlerTool = "far_away__receive_chat"')
	api POST /api/services/svc_near/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	api POST /api/services/svc_near/introspect
	is "$(field '[.interface.tools[].name] | join(" ")')" 'far_away__receive_chat far_away__tool1'
	run -0 timeout 20 agent-send --wait 'through two' < <(agent-run-create --agent near --run r)
	[[ $output == *'"message":"MCP: through two"'* ]]
}
