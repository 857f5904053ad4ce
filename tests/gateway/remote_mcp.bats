#!/usr/bin/env bats
# Remote agents: sessions, answers of every shape, secrets, limits, turns, outages.
load ../lib/common
load ../lib/services

setup() {
	common_setup
	unset "${!CLARITY_@}"
}
teardown() { common_teardown; }

# far [JQ-FILTER-OF-ORIGIN [JQ-FILTER]]: the agent "far" at $mcp, applied and started
far() {
	apply < <(manifest far "$(remote "${1:-.}")" "${2:-.}")
	[ "$code" = 200 ] || { echo "$output" >&2; return 1; }
	api POST /api/services/svc_far/start
}
# say RUN TEXT: the record of the reply, or the reason of the failure, in $reply
say() {
	timeout 60 agent-send --run "$1" --service svc_far --agent far --wait "$2" >said 2>said.err || :
	reply=$(jq -r 'select(.kind == "agent.chat.assistant_message") | .data.message' said)
	[ -n "$reply" ] || reply=$(jq -r 'select(.kind == "agent.step_completed") | .data.error' said)
}
audit() { curl -s "$url/api/audit?limit=2000" | jq -c "$@"; }
health() { curl -s "$url/api/services/svc_far" | jq -c '.service.runtime | [.lifecycle, .health, .lastError]'; }

@test "a session is opened, the tool gets context.v1, and the reply is the run's" {
	start_mcp --session
	start_gateway
	far
	is "$(jq -c '.service.runtime | [.lifecycle, .health]' <<<"$output")" '["RUNNING","HEALTHY"]'
	say r 'hello there'
	is "$reply" 'MCP: hello there'
	is "$(asked | jq -r .method | tr '\n' ' ')" 'initialize notifications/initialized tools/call '
	is "$(asked | jq -c 'select(.method == "initialize") | .params | [.protocolVersion, .capabilities, (.clientInfo | keys_unsorted)]')" '["2024-11-05",{},["name","version"]]'
	asked | jq -c 'select(.method == "tools/call")' >call
	is "$(jq -r .id call)" svc_far-2
	is "$(jq -c '.headers | [.["content-type"], .accept, .["mcp-session-id"], .["mcp-protocol-version"], .["x-clarity-session-id"], .["x-clarity-run-id"]]' call)" \
		'["application/json","application/json, text/event-stream","session-1","2024-11-05","r","r"]'
	is "$(jq -c '.params | [.name, (.arguments | keys_unsorted)]' call)" '["receive_chat",["message","sessionId","runId","messages","history","contextVersion","context"]]'
	is "$(jq -c '.params.arguments.context | keys_unsorted' call)" \
		'["version","task","instructions","userContext","retrieval","conversation","runtimeState","policy","budget","provenance"]'
	is "$(audit -r '.items[] | .kind' | tail -n 7 | tr '\n' ' ')" \
		'agent.chat.user_message agent.step_started agent.tool_called service.tool_called agent.chat.assistant_message agent.step_completed agent.waiting '
	is "$(audit '.items[] | select(.kind == "service.tool_called") | del(.seq, .at)')" '{"kind":"service.tool_called","serviceId":"svc_far","level":"info","message":"Remote tool called: receive_chat"}'
	# the next one finds the session open, and knows what was said
	say r again
	is "$(asked | jq -c 'select(.method == "tools/call") | .params.arguments.messages' | tail -n 1)" \
		'[{"role":"user","content":"hello there"},{"role":"assistant","content":"MCP: hello there"},{"role":"user","content":"again"}]'
	is "$(asked | jq -r .method | grep -c initialize$)" 1
	# the end of the service is the end of the session
	api POST /api/services/svc_far/stop
	await 10 eval 'asked | jq -r ".method + \" \" + (.headers[\"mcp-session-id\"] // \"\")" | grep -qx "DELETE session-1"'
}

@test "answers in event streams are read, and the stream need not end" {
	start_mcp --sse
	start_gateway
	far
	is "$(field .service.runtime.lifecycle)" RUNNING
	say r hi
	is "$reply" 'MCP: hi'
	api POST /api/services/svc_far/introspect
	is "$code $(field '.interface.tools | length')" '200 1'
}

sse_http() { far '.transport = "sse_http"'"${1:+ | $1}" "${2:-.}"; }

@test "transport sse_http: requests are posted where the stream says, answers come on it" {
	start_mcp --classic '/messages?session=%' --token t0ken
	export FAR_TOKEN=t0ken
	start_gateway
	sse_http '.authRef = "env:FAR_TOKEN"'
	is "$(jq -c '.service.runtime | [.lifecycle, .health]' <<<"$output")" '["RUNNING","HEALTHY"]'
	say r 'hello there'
	is "$reply" 'MCP: hello there'
	# asked as a server of today first, then for its stream, once
	is "$(asked | jq -r .method | tr '\n' ' ')" 'initialize GET initialize notifications/initialized tools/call '
	is "$(asked | jq -r 'select(.method == "GET").headers | [.accept, .authorization] | @csv')" '"application/json, text/event-stream","Bearer t0ken"'
	say r 'error nothing doing'
	is "$reply" 'nothing doing'
	say r 'size 900000'
	is "${#reply}" 900000
	say r again
	is "$reply" 'MCP: again'
	is "$(asked | jq -r .method | grep -c GET)" 1
	# twelve at once: each run gets its own answer
	for i in {1..12}; do timeout 60 agent-send --run "c$i" --service svc_far --agent far --wait "call $i" >"c$i" 2>&1 & jobs[i]=$!; done
	for i in {1..12}; do wait "${jobs[i]}"; grep -q "\"MCP: call $i\"" "c$i"; done
	api POST /api/services/svc_far/introspect
	is "$(field .interface.tools[0].name)" receive_chat
}

@test "transport sse_http: a server that answers what is posted is spoken to so" {
	start_mcp --session
	start_gateway
	sse_http
	say r hello
	is "$reply" 'MCP: hello'
	is "$(asked | jq -r .method | tr '\n' ' ')" 'initialize notifications/initialized tools/call '
}

@test "transport sse_http: a stream that ends fails what waits for it, and nothing is sent twice; the next message opens another" {
	start_mcp --classic 'http://HOST/messages?session=%'
	start_gateway
	sse_http '.timeoutMs = 60000'
	say r 'unstream please'
	[[ $reply == 'fetch failed: '* ]]
	say r hello
	is "$reply" 'MCP: hello'
	is "$(asked | jq -r .method | grep -c tools/call)" 2
	is "$(asked | jq -r .method | grep -c GET)" 2
}

@test "transport sse_http: what does not come on the stream is late, and the stream is not trusted any more; a cancelled run is over at once" {
	start_mcp --classic 'messages?session=%'
	start_gateway
	sse_http '.timeoutMs = 1000'
	say r 'drop it'
	[[ $reply == 'fetch failed: '* ]]
	say r 'other id'
	is "$reply" 'This operation was aborted: no answer within 1000 ms'
	say r hello
	is "$reply" 'MCP: hello'
	is "$(asked | jq -r .method | grep -c GET)" 2
	agent-send --run s --service svc_far --agent far 'hang on' >/dev/null
	await 10 eval 'asked | grep -q "hang on"'
	api POST /api/agents/runs/s/cancel
	is "$code" 202
	await 10 eval '[ "$(agent-runs s --jq .status)" = cancelled ]'
}

@test "transport sse_http: an endpoint elsewhere is not posted to; a server of neither kind says why" {
	start_mcp --classic 'http://127.0.0.1:1/messages'
	start_gateway
	sse_http
	is "$(jq -r .service.runtime.lastError <<<"$output")" 'fetch failed: the event stream names an endpoint that is not the server'"'"'s own'
	is "$(asked | jq -r .method | tr '\n' ' ')" 'initialize GET '
	start "nothing" python3 -u -m http.server --bind 127.0.0.1 --directory "$BATS_TEST_TMPDIR" 0
	await 20 has_line "$BATS_TEST_TMPDIR/nothing.out" 'http://'
	mcp=$(grep -o 'http://[0-9.:]*' "$BATS_TEST_TMPDIR/nothing.out" | head -n 1)/none
	sse_http
	[[ $(jq -r .service.runtime.lastError <<<"$output") == 'fetch failed: '* || $(jq -r .service.runtime.lastError <<<"$output") == 'remote '* ]]
}

@test "replies of 5 kB and 1 MB arrive whole, plain and from a stream" {
	start_mcp
	start_gateway
	far '.maxPayloadBytes = 2000000'
	for message in 'size 5000' 'sse 5000' 'size 1000000' 'sse 1000000'; do
		say "r${message// /}" "$message"
		is "${message#* } $(wc -m <<<"$reply")" "${message#* } $((${message#* } + 1))"
		[[ $reply == 'lorem ipsum é '*. ]]
	done
	# and through the live stream of a run too
	start watch timeout 60 agent-watch live --until waiting
	timeout 60 agent-send --run live --service svc_far --agent far 'sse 1000000' >/dev/null
	await 30 gone "$pid"
	is "$(jq -r 'select(.kind == "agent.chat.assistant_message") | .data.message' watch.out | wc -m)" 1000001
}

@test "twelve chats at once on one agent are all answered, eight at a time" {
	start_mcp
	start_gateway
	far
	for i in $(seq 12); do start "chat$i" timeout 60 agent-send --run "r$i" --service svc_far --agent far --wait "wait $i"; done
	await 20 eval '[ "$(asked | jq -s "map(.most) | max")" = 8 ]'
	# the other four wait for their turn; nothing failed
	is "$(asked | jq -r .method | grep -c tools/call)" 8
	is "$(audit '[.items[] | select(.level == "error")] | length')" 0
	: >go
	for i in $(seq 12); do
		await 30 has_line "chat$i.out" '"kind":"agent.chat.assistant_message"'
		grep -q "MCP: wait $i\"" "chat$i.out"
	done
	is "$(asked | jq -s 'map(.most) | max')" 8
	is "$(health)" '["RUNNING","HEALTHY",null]'
}

@test "the manifest's own limit of calls at once counts, and turns come in order" {
	start_mcp
	start_gateway
	far '.maxConcurrency = 1'
	for i in 1 2 3 4 5; do
		timeout 20 agent-send --run "r$i" --service svc_far --agent far "wait $i" >/dev/null
		await 10 eval "[ \"\$(agent-events r$i --jq .kind | grep -c tool_called)\" = 1 ]"
	done
	: >go
	for i in 1 2 3 4 5; do await 20 eval "agent-events r$i --jq .kind | grep -q assistant_message"; done
	is "$(asked | jq -r 'select(.method == "tools/call") | .params.arguments.message' | tr '\n' ' ')" 'wait 1 wait 2 wait 3 wait 4 wait 5 '
	is "$(asked | jq -s 'map(.most) | max')" 1
}

@test "the reply's text is where the contract looks for it" {
	start_mcp
	start_gateway
	far
	say a 'member message'
	is "$reply" 'from content'
	say b stringified
	is "$reply" unpacked
	say c empty
	is "$reply" 'agent chat tool returned no reply text: receive_chat'
	say d 'iserror the tool says no'
	is "$reply" 'the tool says no'
	say e 'error not today'
	is "$reply" 'not today'
	# none of these is an outage
	is "$(health)" '["RUNNING","HEALTHY",null]'
	is "$(audit '[.items[] | select(.kind == "service.remote_error")] | length')" 0
}

@test "every outage is an answer that failed, with the reason; the next good answer makes the service healthy again" {
	export CLARITY_TOOL_CIRCUIT_MIN_CALLS=100
	start_mcp
	start_gateway
	far '.timeoutMs = 300'
	while IFS='|' read -r message want; do
		say "${message// /-}" "$message"
		[[ $reply == $want ]] || { echo "$message: $reply" >&2; return 1; }
		is "$(health | jq -c '.[0:2]')" '["RUNNING","DEGRADED"]'
	done <<-'T'
	status 500|remote 500: <h1>no</h1>xxxx*
	status 503|remote 503: *
	garbage|remote answer cannot be used: the answer is not JSON*
	cut|fetch failed: *
	hang|This operation was aborted: no answer within 300 ms
	other|remote answer cannot be used: the answer is for another request
	T
	say status 'status 404'
	[[ $reply == 'remote 404: '* ]]
	is "$(agent-events status-500 --jq 'select(.kind == "agent.waiting") | [.level, .message] | tojson')" '["warn","Awaiting operator input after response error (status-500)"]'
	is "$(audit '[.items[] | select(.kind == "service.remote_error")] | length')" 6
	is "$(audit '[.items[] | select(.kind == "service.remote_error")][4] | [.level, .message, .data]')" \
		'["error","Remote request failed: tools/call",{"error":"This operation was aborted: no answer within 300 ms","retries":0}]'
	say fine hello
	is "$reply" 'MCP: hello'
	is "$(health)" '["RUNNING","HEALTHY",null]'
	kill "$mcp_pid"
	await 10 gone "$mcp_pid"
	say gone hello
	[[ $reply == 'fetch failed: '* ]]
}

@test "the breaker counts outages only, opens, and is closed by name" {
	export CLARITY_TOOL_CIRCUIT_MIN_CALLS=3 CLARITY_TOOL_CIRCUIT_ERROR_RATE=0.5
	start_mcp
	start_gateway
	far
	for i in 1 2 3 4 5 6; do say "no$i" 'error no'; done
	is "$(health)" '["RUNNING","HEALTHY",null]'
	# (a refusal says nothing of the service: only outages and good answers are counted)
	for i in 1 2 3; do say "down$i" 'status 502'; done
	await 10 is_lifecycle svc_far QUARANTINED
	say after hello
	is "$reply" 'service is not running: svc_far'
	is "$(audit '[.items[] | select(.kind == "service.quarantined")] | length')" 1
	api POST /api/services/svc_far/start
	is "$code $(field .error)" '409 service is quarantined: svc_far (use unquarantine first)'
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway
	is "$(lifecycle svc_far)" QUARANTINED
	api POST /api/services/svc_far/unquarantine
	is "$(field .service.runtime.lifecycle)" STOPPED
	api POST /api/services/svc_far/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	say fine hello
	is "$reply" 'MCP: hello'
}

@test "a start that finds nobody says why, and the service stays stopped" {
	start_mcp --no-initialize
	start_gateway
	far
	is "$code $(jq -c '.service.runtime | [.lifecycle, .health, .lastError]' <<<"$output")" '200 ["STOPPED","DEGRADED","Method not found"]'
	say r hello
	is "$reply" 'service is not running: svc_far'
	kill "$mcp_pid"
	await 10 gone "$mcp_pid"
	api POST /api/services/svc_far/start
	is "$(field .service.runtime.lifecycle)" STOPPED
	[[ $(field .service.runtime.lastError) == 'fetch failed: '* ]]
	api POST /api/services/svc_far/introspect
	is "$code" 502
}

@test "a session that the server has forgotten is opened again, and the message is answered once" {
	start_mcp --session --forget 1
	start_gateway
	far
	say r one
	say r two
	is "$reply" 'MCP: two'
	say r three
	is "$reply" 'MCP: three'
	is "$(asked | jq -r .method | grep -c initialize$)" 2
	is "$(asked | jq -r 'select(.method == "tools/call") | .headers["mcp-session-id"] + " " + .params.arguments.message' | tr '\n' ';')" 'session-1 one;session-1 two;session-2 two;session-2 three;'
}

@test "secrets come from a variable or a file, and are never told" {
	mkdir -p secrets
	printf 's3cret-one\n' >secrets/far
	export CLARITY_REMOTE_AUTH_FILE_ROOT=$PWD/secrets FAR_KEY=s3cret-one
	start_mcp --token s3cret-one
	start_gateway
	for ref in env:FAR_KEY file:far; do
		far ".authRef = \"$ref\""
		is "$ref $(field .service.runtime.lifecycle)" "$ref RUNNING"
	done
	# it changes, and is taken without a restart
	printf 'wrong' >secrets/far
	say r hello
	is "$reply" 'remote 401: {"error":"unauthorized"}'
	rm secrets/far
	say r2 hello
	[[ $reply == "unable to read the remote auth file 'far': "* ]]
	far '.authRef = "env:NOT_THERE"'
	is "$(field .service.runtime.lastError)" "missing remote auth secret in env 'NOT_THERE'"
	far '.authRef = "env:CLARITYD_AUTH_TOKEN"'
	[[ $(field .service.runtime.lastError) == *"is the gateway's own"* ]]
	! grep -r s3cret "$gateway_log.err" "$gateway_log.out" || return 1
	! curl -s "$url/api/audit?limit=2000" | grep s3cret || return 1
}

@test "allowed hosts, allowed tools and payload limits" {
	export CLARITY_REMOTE_ALLOWED_HOSTS='example.org, LOCALHOST'
	start_mcp
	start_gateway
	far
	is "$(field .service.runtime.lastError)" "remote endpoint host '127.0.0.1' is not in CLARITY_REMOTE_ALLOWED_HOSTS"
	far '.endpoint |= sub("127.0.0.1"; "localhost") | .allowedTools = ["other"]'
	is "$(field .service.runtime.lifecycle)" RUNNING
	say r hello
	is "$reply" "tool 'receive_chat' is not allowed by remote policy"
	far '.endpoint |= sub("127.0.0.1"; "localhost") | .allowedTools = ["receive_chat"] | .maxPayloadBytes = 3000'
	say r2 'size 10'
	is "$(wc -m <<<"$reply")" 11
	say r3 'size 5000'
	[[ $reply =~ ^remote\ response\ payload\ too\ large\ \([0-9]+\ \>\ 3000\ bytes\)$ ]]
	say r4 "$(printf '%01990d' 7)"
	[[ $reply =~ ^remote\ request\ payload\ too\ large\ \([0-9]+\ \>\ 3000\ bytes\)$ ]]
	is "$(health | jq -r '.[1]')" HEALTHY
}

@test "a connection that fails may be tried again; what may have arrived is not" {
	export CLARITY_REMOTE_RETRY_MAX=20 CLARITY_REMOTE_RETRY_BACKOFF_MS=20 CLARITY_TOOL_CIRCUIT_MIN_CALLS=100
	start_mcp
	start_gateway
	far
	say r 'status 500'
	say r cut
	is "$(asked | jq -r .method | grep -c tools/call)" 2
	# also not by libcurl, over a connection that was kept
	api POST /api/services/svc_far/introspect
	say r drop
	[[ $reply == 'fetch failed: '* ]]
	is "$(asked | jq -r .method | grep -c tools/call)" 3
	port=${mcp##*:} port=${port%/mcp}
	kill "$mcp_pid"
	await 10 gone "$mcp_pid"
	start late timeout 60 agent-send --run r3 --service svc_far --agent far --wait 'are you back?'
	await 10 eval "agent-events r3 --jq .kind | grep -q tool_called"
	start_mcp --port "$port"
	await 30 has_line late.out 'MCP: are you back?'
}

@test "over TLS, with a certificate that is trusted and not without" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null
	start_mcp --cert cert.pem --key key.pem
	start_gateway
	far
	[[ $(field .service.runtime.lastError) == 'fetch failed: '*certificate* ]]
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	export SSL_CERT_FILE=$PWD/cert.pem
	start_gateway
	far
	is "$(field .service.runtime.lifecycle)" RUNNING
	say r hello
	is "$reply" 'MCP: hello'
}

@test "the chat's own deadline goes before the origin's" {
	start_mcp
	start_gateway
	far '.timeoutMs = 60000' '.metadata.agent.chat.timeoutMs = 1000'
	say r hang
	is "$reply" 'This operation was aborted: no answer within 1000 ms'
}

@test "cancelling a run ends its call at once" {
	start_mcp
	start_gateway
	far
	timeout 20 agent-send --run r --service svc_far --agent far hang >/dev/null
	await 10 eval 'asked | grep -q tools/call'
	run -0 timeout 20 agent-run-cancel r
	await 5 eval '[ "$(agent-runs r --jq .status)" = cancelled ]'
	is "$(agent-events r --jq .kind | tail -n 1)" agent.run_cancelled
}

@test "a stopped service ends its calls; one that is removed or replaced too" {
	start_mcp
	start_gateway
	far
	for act in 'POST /stop' 'DELETE '; do
		run=r$RANDOM
		start chat timeout 20 agent-send --run $run --service svc_far --agent far --wait hang
		await 10 eval "agent-events $run --jq .kind | grep -q tool_called"
		n=$(asked | jq -r .method | grep -c tools/call) || :
		await 10 eval 'asked | grep -c tools/call >/dev/null'
		api "${act% *}" "/api/services/svc_far${act#* }"
		is "$code" 200
		await 10 eval "[[ \"\$(agent-runs $run --jq .waitingReason)\" == service\ * ]]"
		far
	done
	run=replaced
	timeout 20 agent-send --run $run --service svc_far --agent far hang >/dev/null
	await 10 eval "agent-events $run --jq .kind | grep -q tool_called"
	apply < <(manifest far "$(remote '.timeoutMs = 5000')")
	await 10 eval "[ \"\$(agent-runs $run --jq .waitingReason)\" = \"the service's manifest was replaced\" ]"
}

@test "introspection reads all pages, and the same interface keeps its revision" {
	start_mcp --pages 3
	start_gateway
	far
	api POST /api/services/svc_far/introspect
	is "$code $(jq -c '[.interface.tools[].name]' <<<"$output")" '200 ["receive_chat","tool1","tool2"]'
	is "$(field '.interface.interfaceRevision' | grep -cE '^iface_[0-9a-f]{12}$')" 1
	revision=$(field .interface.interfaceRevision)
	api POST /api/services/svc_far/introspect
	is "$(field .interface.interfaceRevision)" "$revision"
	is "$(agent-registry --jq 'select(.serviceId=="svc_far") | .interface.tools')" 3
}

@test "limits of what a server may say: pages, bytes of an interface, the head of an answer" {
	start_mcp --pages 100
	start_gateway
	far
	api POST /api/services/svc_far/introspect
	is "$code $(field '.interface.tools | length')" '200 100'
	say r 'head 60000'
	is "$reply" small
	say r 'head 70000'
	is "$reply" 'fetch failed: the head of the answer is too long'
	start_mcp --pages 101
	far
	api POST /api/services/svc_far/introspect
	is "$code $(field .error)" '502 the interface is too large'
	# what was known stays known
	api GET /api/services/svc_far/interface
	is "$(field '.tools | length')" 100
	start_mcp --fat 600000 --pages 2
	far '.maxPayloadBytes = 2000000'
	api POST /api/services/svc_far/introspect
	is "$code $(field .error)" '502 the interface is too large'
}

@test "a gateway that was killed opens a session again by itself, with the first message" {
	start_mcp --session
	start_gateway
	far
	say r one
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway
	is "$(lifecycle svc_far)" RUNNING
	say r two
	is "$reply" 'MCP: two'
	is "$(asked | jq -r .method | grep -c initialize$)" 2
}

@test "an agent of the directory with autostart is started with the gateway" {
	start_mcp
	mkdir agents
	manifest far "$(remote)" '.spec.autostart = true' >agents/far.json
	start_gateway --agents agents
	await 10 is_lifecycle svc_far RUNNING
	say r hello
	is "$reply" 'MCP: hello'
}

@test "a gateway that is asked to stop does not wait for a remote agent for ever" {
	start_mcp
	start_gateway
	far
	timeout 20 agent-send --run r --service svc_far --agent far hang >/dev/null
	await 10 eval 'asked | grep -q tools/call'
	kill "$gateway_pid"
	await 9 gone "$gateway_pid"
	start_gateway
	is "$(agent-runs r --jq .waitingReason)" 'the gateway is stopping'
}
