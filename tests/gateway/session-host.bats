#!/usr/bin/env bats
# The gateway with a session host for its runtime (AGENT_RUNTIME_ENDPOINT): agent-session-host, and one like the contract's, that does not stream.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
load ../lib/common
load ../lib/compass
load ../lib/pool
load ../lib/asking

setup() {
	compass_setup
	unset AGENT_RUNTIME_PROVIDER AGENT_RUNTIME_REQUEST_TIMEOUT_MS DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS AGENT_RUNTIME_ENDPOINT_TOKEN AGENT_RUNTIME_ENDPOINT_TOKEN_FILE
	unset HOST PORT SESSION_RUNTIME_ENGINE SESSION_RUNTIME_TOKEN MAX_BODY_BYTES
	libexec=$AU_BUILD/libexec/agentutils
	cat >"$BATS_TEST_TMPDIR/host-script" <<-'END'
		{"on":"turn","contains":"SLOW"}
		{"repeat":100000,"steps":[{"delta":"${i} "},{"wait":"200ms"}]}
		{"on":"turn","contains":"FAIL"}
		{"fail":"it went wrong","info":"serverOverloaded"}
	END
}
teardown() { common_teardown; }

start_host() { # [options]: sets AGENT_RUNTIME_ENDPOINT
	start host "$libexec/agent-session-host" --listen 127.0.0.1:0 "$@" "$libexec/agent-runtime-mock" --chunk 3 --script "$BATS_TEST_TMPDIR/host-script"
	await 20 has_line host.out listening || { cat host.err >&2; return 1; }
	AGENT_RUNTIME_ENDPOINT=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' host.out)
	export AGENT_RUNTIME_ENDPOINT
}
# with_fake [options]: the stand-in as the session host of a new gateway
with_fake() {
	start_pool --open "$@"
	AGENT_RUNTIME_ENDPOINT=$pool start_gateway
}
say() { ask POST "$path/turns" "$(jq -nc --arg text "$1" '{$text}')"; } # TEXT

@test "a turn goes to the session of its thread, and comes back in pieces" {
	start_host
	start_gateway
	new_thread
	say "hello there"
	is .turn.status '"completed"'
	is .outputText '"Cloud(dynamic_sessions) response: hello there"'
	say again
	[ "$(curl -sS "$AGENT_RUNTIME_ENDPOINT/health" | jq .codex.running)" = true ]
	see '.method == "runtime.metadata" and .payload.engine == "codex" and .payload.protocol == "jsonrpc-v2"'
	[ "$(events | jq -rs '[.[] | select(.method == "item.delta") | .payload.text] | join("")')" = "Cloud(dynamic_sessions) response: hello thereCloud(dynamic_sessions) response: again" ]
}

@test "pieces come while the turn goes on, and an interrupt ends it here and there" {
	start_host
	start_gateway
	new_thread
	turn SLOW
	see '.method == "item.delta" and (.payload.text | contains("5 "))'
	ask POST "$path/turns/$turn/interrupt"
	[ "$code" = 200 ] || { echo "$body" >&2; return 1; }
	is .turn.status '"interrupted"'
	say "and then"
	is .turn.status '"completed"'
	[ "$(events | jq -s "[.[] | select(.turnId == \"$turn\" and .method == \"turn.completed\")] | length")" = 1 ]
}

@test "what a turn costs, and what it belongs to, goes along" {
	start_host
	start_gateway
	new_thread
	say hello
	see '.method == "turn.completed" and (.payload.usage != null)'
	start_pool --open
	AGENT_RUNTIME_ENDPOINT=$pool start_gateway --state state2
	new_thread
	parent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	ask POST "$path/turns" '{"text":"hello"}' -H "traceparent: $parent" -H 'tracestate: a=b'
	was_asked ".path == \"/agent/turns/start\" and (.headers.traceparent | startswith(\"00-0af7651916cd43dd8448eb211c80319c-\")) and .headers.tracestate == \"a=b\""
}

@test "what a turn fails with is told, with its code" {
	start_host
	start_gateway
	new_thread
	say FAIL
	[ "$code" = 200 ]
	is .turn.status '"error"'
	# a host of ours tells what kind of trouble it was, one of the contract does not
	is .turn.error '{"message":"it went wrong","code":"AGENT_MODEL_UNAVAILABLE","hint":"try again later"}'
	start_pool --open
	AGENT_RUNTIME_ENDPOINT=$pool start_gateway --state state2
	new_thread
	say "STREAMFAIL now"
	is .turn.error '{"message":"it went wrong","code":"RUNTIME_EXECUTION_FAILED"}'
}

@test "a host whose runtime is not there, is too old, or is not let in: the code that it has next to the gateway, and what to do" {
	printf '#!/bin/sh\nread -r line\nline=${line#*\\"id\\":}\necho "{\\"id\\":${line%%%%,*},\\"result\\":{\\"userAgent\\":\\"x/0.99.1 (y)\\"}}"\ncat >/dev/null\n' >old
	chmod +x old
	printf '%s\n' '{"on":"thread/start"}' '{"refuse":"codex account authentication required"}' >host-script
	for row in "503 AGENT_RUNTIME_MISSING --with-codex /nowhere/codex" "503 AGENT_RUNTIME_VERSION --with-codex" \
		"401 AGENT_RUNTIME_AUTH_REQUIRED agent-account-login $mock --script $PWD/host-script"; do
		read -r want fault advice command <<<"$row"
		# shellcheck disable=SC2086 # words
		AGENT_RUNTIME_CODEX=$PWD/old start host "$libexec/agent-session-host" --listen 127.0.0.1:0 $command
		host_pid=$pid
		await 20 has_line host.out listening
		AGENT_RUNTIME_ENDPOINT=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' host.out) start_gateway --state "state.$fault"
		for _ in 1 2; do
			ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
			refused "$want" "$fault"
			says "$advice"
		done
		run --separate-stderr agent-thread-create --workspace acme
		[[ $stderr == *"$advice"* && $stderr != *token* ]]
		kill "$host_pid" "$gateway_pid"
		await 20 gone "$gateway_pid"
		await 20 gone "$host_pid"
	done
}

@test "approvals: accepted, declined, taken back and decided by rule, with the runtime behind a host" {
	printf '%s\n' "$asking_script" >host-script
	start_host
	start_gateway
	approvals_go_through
}

@test "a limit: until when, by the host's clock, and --wait-for-limit waits for it" {
	printf '%s\n' "$asking_script" >host-script
	start_host
	start_gateway
	limits_go_through
	kill "$pid" "$gateway_pid"
	# a runtime that names a time of the day means the one where it stands
	until_then=$(TZ=Asia/Tokyo date -d '+30 min' '+%-I:%M %p')
	printf '%s\n' '{"on":"turn"}' "{\"fail\":\"usage limit: try again at $until_then\",\"info\":\"usageLimitExceeded\"}" >host-script
	TZ=Asia/Tokyo start_host
	TZ=UTC start_gateway --state state2
	new_thread
	say hello
	is .turn.error.code '"AGENT_RUNTIME_RATE_LIMITED"'
	is '(.turn.error.retryAt[0:19] + "Z" | fromdate) - now | . > 1500 and . < 2000' true
}

@test "what a turn is asked for with goes along" {
	printf '%s\n' "$asking_script" >host-script
	start_host
	start_gateway
	wishes_go_through
}

@test "commands, plans and their output are events, as those of a runtime next to the gateway are" {
	cat >host-script <<-'END'
		{"on":"turn"}
		{"reason":"let me think"}
		{"notify":{"method":"turn/plan/updated","params":{"threadId":"${thread}","turnId":"${turn}","plan":[{"step":"one","status":"inProgress"}]}}}
		{"command":"ls","output":"a\nb\n"}
		{"say":"done"}
	END
	start_gateway --runtime "$mock --script $PWD/host-script" --state near
	new_thread
	say hello
	events | jq -c 'select((.method | startswith("item.") or . == "turn.plan") and .method != "item.delta") | [.method, .payload.type, .payload.item.aggregatedOutput, .payload.text, .payload.plan]' >near.events
	start_host
	start_gateway --state far
	new_thread
	say hello
	events | jq -c 'select((.method | startswith("item.") or . == "turn.plan") and .method != "item.delta") | [.method, .payload.type, .payload.item.aggregatedOutput, .payload.text, .payload.plan]' | diff near.events -
	grep -q turn.plan near.events
	grep -q item.completed.*commandExecution near.events
}

@test "an approval that the host does not hear of ends its turn, and is told so" {
	with_fake
	new_thread
	turn ASK
	see '.method == "approval.requested"'
	approval=$(events | jq -r 'select(.method == "approval.requested").payload.approvalId')
	order '{"next":[{"path":"/approvals/7","status":500,"body":{"code":"BROKEN","message":"what"}}]}'
	ask POST "$path/approvals/$approval" '{"decision":"accept"}'
	[ "$code" = 200 ]
	see '.method == "turn.completed" and .payload.status == "error"'
	# one that broke off is sent again: a host that heard it twice lets the second go
	turn ASK
	see ".method == \"approval.requested\" and .turnId == \"$turn\""
	approval=$(events | jq -r "select(.method == \"approval.requested\" and .turnId == \"$turn\").payload.approvalId")
	order '{"next":[{"path":"/approvals/7","status":"reset"}]}'
	ask POST "$path/approvals/$approval" '{"decision":"decline"}'
	see ".method == \"turn.completed\" and .turnId == \"$turn\" and .payload.status == \"completed\" and .payload.output.text == \"decline\""
	# one that the host takes back is asked no more
	turn TAKEBACK
	see ".method == \"approval.resolved\" and .turnId == \"$turn\" and .payload.resolution == \"withdrawn\""
	see ".method == \"turn.completed\" and .turnId == \"$turn\""
}

@test "a host that wants a token is given it, from a file too" {
	echo opensesame >token
	start_host --token-file token
	start_gateway
	# it is the gateway that is turned away: whoever asks it is told so, and not that his own token is wrong
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_TOKEN_REFUSED
	[[ $body = *AGENT_RUNTIME_ENDPOINT_TOKEN_FILE* && $body != *opensesame* ]]
	AGENT_RUNTIME_ENDPOINT_TOKEN_FILE=$PWD/token start_gateway --state state2
	new_thread
	say hello
	is .turn.status '"completed"'
}

@test "a host on a socket of the file system" {
	start host "$libexec/agent-session-host" --listen "unix:$PWD/s" "$libexec/agent-runtime-mock"
	await 20 has_line host.out listening
	AGENT_RUNTIME_ENDPOINT=unix:$PWD/s start_gateway
	new_thread
	say hello
	is .turn.status '"completed"'
}

@test "requests are the contract's" {
	start_pool --open --base /sub/host
	AGENT_RUNTIME_ENDPOINT=$pool/sub/host// start_gateway
	new_thread
	turn hello
	see '.method == "turn.completed"'
	jq -c 'select(.path | endswith("stream") | not) | {method, path, query, body: (.body | fromjson), type: .headers["content-type"], auth: .headers.authorization}' asked >got
	boot="{\"method\":\"POST\",\"path\":\"/sub/host/agent/session/bootstrap\",\"query\":\"identifier=thr-$thread\",\"body\":{\"threadId\":\"$thread\"},\"type\":\"application/json\",\"auth\":null}"
	{
		echo "$boot"
		echo "$boot"
		echo "{\"method\":\"POST\",\"path\":\"/sub/host/agent/turns/start\",\"query\":\"identifier=thr-$thread\",\"body\":{\"threadId\":\"$thread\",\"turnId\":\"$turn\",\"text\":\"hello\"},\"type\":\"application/json\",\"auth\":null}"
	} | diff - got
}

@test "a host that does not stream gives its answer whole" {
	with_fake --no-stream
	new_thread
	say hello
	is .outputText '"Host response: hello"'
	[ "$(events | jq -rs '[.[] | select(.method == "item.delta") | .payload.text] | join("")')" = "Host response: hello" ]
	see '.method == "runtime.metadata" and .payload.engine == "codex"'
	turn SLOW
	await 20 was_asked '.body | contains("SLOW")'
	ask POST "$path/turns/$turn/interrupt"
	is .turn.status '"interrupted"'
	await 20 was_asked ".path == \"/agent/turns/$turn/interrupt\" and .query == \"identifier=thr-$thread\" and .body == \"{}\""
	say "and then"
	is .turn.status '"completed"'
}

@test "pieces that are missing are made up for in the end" {
	with_fake
	new_thread
	say "SKIP a long text that comes in pieces"
	is .outputText '"Host response: SKIP a long text that comes in pieces"'
	[ "$(events | jq -rs '[.[] | select(.method == "item.delta") | .payload.text] | join("")')" = "Host response: SKIP a long text that comes in pieces" ]
	say "BIG 3000000"
	[ "$(jq '.outputText | length' body)" = 3000000 ]
}

@test "a turn that was interrupted there is not called completed" {
	with_fake
	new_thread
	say STOPPED
	is .turn.status '"interrupted"'
}

@test "an answer that is no JSON, or that ends in the middle, is no answer" {
	with_fake
	new_thread
	say GARBAGE
	failed_with AGENT_RUNTIME_UNAVAILABLE "Local runtime gave an answer that is no JSON object"
	say CUT
	is .turn.error.code '"AGENT_RUNTIME_UNAVAILABLE"'
	say "and then"
	is .turn.status '"completed"'
}

@test "what a host says is mapped as the contract says" {
	with_fake
	new_thread
	say "FAIL please log in: no API key"
	failed_with AGENT_RUNTIME_AUTH_REQUIRED "please log in: no API key"
	say "STREAMFAIL now"
	is .turn.error '{"message":"it went wrong","code":"RUNTIME_EXECUTION_FAILED"}'
	order '{"next":[{"path":"/bootstrap","status":502,"body":{"code":"RUNTIME_BOOTSTRAP_FAILED","message":"no thread"}}]}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 RUNTIME_BOOTSTRAP_FAILED "no thread"
	order '{"next":[{"path":"/bootstrap","status":500,"body":"what"}]}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE "Local runtime request failed (500)"
	order '{"next":[{"path":"/login/start","status":409,"body":{"code":"RUNTIME_AUTH_UNSUPPORTED","message":"Runtime auth controls are only available in codex mode"}}]}'
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgpt"}'
	refused 400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED "Runtime auth controls are only available in codex mode"
	order '{"next":[{"path":"/login/start","status":400,"body":{"code":"RUNTIME_AUTH_LOGIN_FAILED","message":"no"}}]}'
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgpt"}'
	refused 400 RUNTIME_AUTH_LOGIN_FAILED no
	order '{"next":[{"path":"/account/logout","status":502,"body":{"code":"RUNTIME_AUTH_LOGOUT_FAILED","message":"no"}}]}'
	ask POST /v1/agent/runtime/account/logout
	refused 503 RUNTIME_AUTH_LOGOUT_FAILED no
	# nothing was left behind by the threads that were not made
	ask GET '/v1/agent/threads?workspaceSlug=acme'
	is '.threads | length' 1
}

@test "the account is the host's" {
	with_fake
	ask POST /v1/agent/runtime/account/read '{"refreshToken":true}'
	is '[.provider, .capabilities.interactiveAuth, .capabilities.supportsRuntimeStream, .authMode, .requiresOpenaiAuth, .account]' '["local_process",true,true,"apikey",true,{"type":"apiKey","label":null}]'
	was_asked '.path == "/agent/account/read" and .body == "{\"refreshToken\":true}" and .query == ""'
	ask POST /v1/agent/runtime/account/login/start '{"type":"apiKey","apiKey":"sk-1234567890"}'
	is . '{"type":"apiKey","loginId":"7","authUrl":"https://example.test/login"}'
	was_asked '.path == "/agent/account/login/start" and .body == "{\"type\":\"apiKey\",\"apiKey\":\"sk-1234567890\"}"'
	ask POST /v1/agent/runtime/account/login/cancel '{"loginId":"7"}'
	is . '{"status":"canceled"}'
	was_asked '.path == "/agent/account/login/cancel" and .body == "{\"loginId\":\"7\"}"'
	ask POST /v1/agent/runtime/account/logout
	is . '{}'
	ask POST /v1/agent/runtime/account/rate-limits/read
	is '[.rateLimits.limitId, .rateLimitsByLimitId]' '["codex",null]'
}

@test "what happens to the account is read from the host's stream and told to those who watch" {
	with_fake
	await 20 was_asked '.path == "/agent/stream" and .query == "cursor=0" and .headers.accept == "text/event-stream"'
	order '{"notice":{"method":"account/updated","params":{"authMode":"apikey"}}}'
	order '{"notice":{"method":"made/up","params":{}}}'
	order '{"notice":{"method":"account/login/completed","params":{"success":true}}}'
	start watcher "$AU_SRC/tests/fake/ws-read" "$url/v1/agent/runtime/stream?cursor=0"
	await 20 has_line watcher.out account/login/completed
	[ "$(grep -c account/updated watcher.out)" = 1 ]
	run ! grep made/up watcher.out
}

@test "no head, no body, no host: each ends at its deadline and says so" {
	start_pool --open --no-stream
	AGENT_RUNTIME_REQUEST_TIMEOUT_MS=500 DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS=7 AGENT_RUNTIME_ENDPOINT=$pool start_gateway
	new_thread
	say DEAF
	failed_with AGENT_RUNTIME_UNAVAILABLE "Local runtime request timed out after 500ms"
	order '{"next":[{"path":"/bootstrap","status":"hang"}]}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE "Local runtime request timed out after 500ms"
	order '{"next":[{"path":"/bootstrap","status":"half"}]}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE "Local runtime request timed out after 500ms"
	order '{"next":[{"path":"/bootstrap","status":"reset"}]}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE
	kill "$pool_pid"
	await 10 gone "$pool_pid"
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE
	[[ $body == *"onnection refused; look at AGENT_RUNTIME_ENDPOINT"* ]]
	ask POST /v1/agent/runtime/account/read '{}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE
}

@test "which provider it is: the names, the endpoint, and what cannot be one" {
	AGENT_RUNTIME_PROVIDER=' Local_Docker ' AGENT_RUNTIME_ENDPOINT=http://127.0.0.1:1 start_gateway
	ask POST /v1/agent/runtime/account/read '{}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE
	AGENT_RUNTIME_ENDPOINT='ftp://x' start_gateway --state state2
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE "Runtime provider local_process is unavailable: AGENT_RUNTIME_ENDPOINT cannot be used: it does not begin with http://, https:// or unix:/"
	AGENT_RUNTIME_PROVIDER=dynamic_sessions start_gateway --state state3
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE "Runtime provider dynamic_sessions is unavailable: DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT is missing"
}

@test "a thread in a directory of its own: the host's roots count" {
	mkdir -p far/deep
	printf '%s\n' '{"on":"turn"}' '{"say":"${cwd}"}' >host-script
	start_host --root far
	start_gateway
	new_thread "\"cwd\":\"$PWD/far/deep\""
	say hello
	is .outputText "\"$PWD/far/deep\""
	new_thread '"cwd":"/"'
	say hello
	is .turn.status '"error"'
	is .turn.error.message '"Body field '"'cwd'"' is no directory below a root of this host"'
}
