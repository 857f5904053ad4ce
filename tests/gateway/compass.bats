#!/usr/bin/env bats
# Threads and turns on /v1/agent: the order of the gates, validation, shapes, codes, modes, flags.
load ../lib/common
load ../lib/compass

setup() { compass_setup; }
teardown() { common_teardown; }

@test "a thread is made, shown, listed, changed and deleted" {
	start_gateway
	ask POST /v1/agent/threads '{"workspaceSlug":"acme","title":"  hi  ","surplus":1}'
	[ "$code" = 201 ]
	is '.thread|keys_unsorted|join(" ")' '"threadId workspaceId workspaceSlug executionMode executionHost status cloudSessionIdentifier title archived createdAt updatedAt modeSwitchedAt"'
	is '.thread|[.workspaceSlug,.executionMode,.executionHost,.status,.title,.archived,.modeSwitchedAt]' '["acme","cloud","dynamic_sessions","idle","hi",false,null]'
	is '.thread.cloudSessionIdentifier == "thr-" + .thread.threadId' true
	is '.thread.threadId|test("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")' true
	is '.thread.createdAt|test("^20[0-9-]{8}T[0-9:]{8}[.][0-9]{3}Z$")' true
	jq -S .thread body >made
	thread=$(jq -r .threadId made)
	path=/v1/agent/threads/$thread
	ask GET "/v1/agent/threads/$thread"
	[ "$code" = 200 ]
	diff made <(jq -S .thread body)
	events | jq -S .payload.thread | diff made -
	id=$(jq -r .workspaceId made)
	new_thread '"executionMode":"local"'
	is '.thread|[.executionHost,.cloudSessionIdentifier]' '["desktop_local",null]'
	is '.thread.workspaceId' "\"$id\""
	ask GET '/v1/agent/threads?workspaceSlug=acme'
	is '.threads|length' 2
	is '.threads[0].threadId' "\"$thread\""
	ask PATCH "/v1/agent/threads/$thread" '{"archived":true,"title":"x"}'
	is '.thread|[.archived,.title]' '[true,"x"]'
	ask GET '/v1/agent/threads?workspaceSlug=acme&state=archived'
	is '[.threads[].threadId]' "[\"$thread\"]"
	ask GET '/v1/agent/threads?workspaceSlug=acme&limit=1&state=all'
	is '.threads|length' 1
	ask DELETE "/v1/agent/threads/$thread"
	[ "$code$body" = '200{"deleted":true}' ]
	ask GET "/v1/agent/threads/$thread"
	refused 404 AGENT_THREAD_NOT_FOUND 'Thread not found'
}

@test "what is wrong is said in the contract's words, the first thing first" {
	start_gateway
	while IFS='|' read -r data message; do
		ask POST /v1/agent/threads "$data"
		refused 400 INVALID_REQUEST "${message//;/|}" || { echo "for $data" >&2; false; }
	done <<-'EOT'
		{}|Required
		[]|Expected object, received array
		{"workspaceSlug":1}|Expected string, received number
		{"workspaceSlug":null}|Expected string, received null
		{"workspaceSlug":[]}|Expected string, received array
		{"workspaceSlug":{}}|Expected string, received object
		{"workspaceSlug":true}|Expected string, received boolean
		{"workspaceSlug":""}|String must contain at least 1 character(s)
		{"workspaceSlug":"a","executionMode":"x"}|Invalid enum value. Expected 'cloud' ; 'local', received 'x'
		{"workspaceSlug":"a","executionMode":null}|Expected 'cloud' ; 'local', received null
		{"workspaceSlug":"a","executionHost":"x"}|Invalid enum value. Expected 'dynamic_sessions' ; 'desktop_local', received 'x'
		{"workspaceSlug":"a","title":"  "}|String must contain at least 1 character(s)
		{"title":"","executionMode":"x"}|Required
	EOT
	ask POST /v1/agent/threads "{\"workspaceSlug\":\"a\",\"title\":\"$(printf '%0200d' 0)\"}"
	[ "$code" = 201 ]
	ask POST /v1/agent/threads "{\"workspaceSlug\":\"a\",\"title\":\"$(printf '%0201d' 0)\"}"
	refused 400 INVALID_REQUEST 'String must contain at most 200 character(s)'
	new_thread
	ask PATCH "/v1/agent/threads/$thread" '{}'
	refused 400 INVALID_REQUEST 'At least one thread field must be provided'
	ask PATCH "/v1/agent/threads/$thread/mode" '{}'
	refused 400 INVALID_REQUEST Required
	ask GET '/v1/agent/threads'
	refused 400 INVALID_REQUEST Required
	ask GET '/v1/agent/threads?workspaceSlug=a&state=x'
	refused 400 INVALID_REQUEST "Invalid enum value. Expected 'regular' | 'archived' | 'all', received 'x'"
	while IFS='|' read -r query message; do
		ask GET "/v1/agent/threads/$thread/events?$query"
		refused 400 INVALID_REQUEST "$message" || { echo "for $query" >&2; false; }
	done <<-'EOT'
		cursor=-1|Number must be greater than or equal to 0
		limit=0|Number must be greater than or equal to 1
		limit=|Number must be greater than or equal to 1
		limit=501|Number must be less than or equal to 500
		limit=1.5|Expected integer, received float
		cursor=x|Expected number, received nan
		cursor=1&cursor=2|Expected number, received nan
	EOT
	for query in cursor= cursor=%201%20 cursor=%C2%A01%E3%80%80 cursor=0b1 cursor=0o1 cursor=%2B1 cursor=-0 cursor=0x1 limit=5e2 cursor=1e30 surplus=1; do
		ask GET "/v1/agent/threads/$thread/events?$query"
		[ "$code" = 200 ] || { echo "$query: $body" >&2; false; }
	done
	while IFS='|' read -r data message; do
		ask POST "/v1/agent/threads/$thread/turns" "$data"
		refused 400 INVALID_REQUEST "$message" || { echo "for $data" >&2; false; }
	done <<-'EOT'
		{}|Required
		{"text":""}|String must contain at least 1 character(s)
		{"text":"x","model":""}|String must contain at least 1 character(s)
		{"text":"x","effort":null}|Expected string, received null
		{"text":"x","clientRequestId":""}|String must contain at least 1 character(s)
	EOT
}

@test "bodies: only JSON of an object or array, at most 102400 bytes, and none is said to be required" {
	start_gateway
	for data in '{' 'null' '1' '"x"' ' ' 'true'; do
		ask POST /v1/agent/threads "$data"
		refused 400 INVALID_JSON 'Malformed JSON request body'
	done
	ask POST /nowhere '{' && [ "$code" = 404 ]
	ask POST /v1/nowhere '{'
	refused 400 INVALID_JSON
	ask POST /v1/agent/threads ''
	refused 400 INVALID_REQUEST Required
	type=text/plain ask POST /v1/agent/threads '{"workspaceSlug":"a"}'
	refused 400 INVALID_REQUEST Required
	type='application/json; charset=UTF-8' ask POST /v1/agent/threads '{"workspaceSlug":"a"}'
	[ "$code" = 201 ]
	# a mark of UTF-8 before it is no part of it
	ask POST /v1/agent/threads $'\xef\xbb\xbf{"workspaceSlug":"a"}'
	[ "$code" = 201 ]
	ask POST /v1/agent/threads $'\xef\xbb\xbf'
	refused 400 INVALID_REQUEST Required
	ask POST /v1/agent/threads $'{"workspaceSlug":"a"}\xef\xbb\xbf'
	refused 400 INVALID_JSON
	type='application/json; charset=latin1' ask POST /v1/agent/threads '{"workspaceSlug":"a"}'
	refused 415 UNSUPPORTED_MEDIA_TYPE
	ask POST /v1/agent/threads '{"workspaceSlug":"a"}' -H 'content-encoding: zstd'
	refused 415 UNSUPPORTED_MEDIA_TYPE
	printf '{"workspaceSlug":"a","x":"%s"}' "$(head -c 102372 /dev/zero | tr '\0' x)" >exact
	[ "$(wc -c <exact)" = 102400 ]
	ask POST /v1/agent/threads @exact
	[ "$code" = 201 ]
	printf ' ' >>exact
	ask POST /v1/agent/threads @exact
	refused 413 PAYLOAD_TOO_LARGE
	ask GET /v1/agent/threads/%E0
	refused 400 INVALID_REQUEST
}

@test "compressed bodies: gzip, deflate and br, 102400 bytes when they are inflated, and a bomb is no more than that" {
	start_gateway
	pack() { # CODING: standard input, compressed
		python3 -c 'import sys, zlib; z = zlib.compressobj(9, zlib.DEFLATED, 31 if sys.argv[1] == "gzip" else 15)
for piece in iter(lambda: sys.stdin.buffer.read(65536), b""): sys.stdout.buffer.write(z.compress(piece))
sys.stdout.buffer.write(z.flush())' "$1"
	}
	sized() { printf '{"workspaceSlug":"a","x":"%s"}' "$(head -c $(($1 - 28)) /dev/zero | tr '\0' x)"; }
	for coding in gzip deflate; do
		for n in 102400 102401; do
			sized "$n" | pack "$coding" >packed
			[ "$(wc -c <packed)" -lt 1000 ]
			ask POST /v1/agent/threads @packed -H "content-encoding: $coding"
			if [ "$n" = 102400 ]; then [ "$code" = 201 ]; else refused 413 PAYLOAD_TOO_LARGE 'Request body is too large'; fi
		done
		# 200 MB; the gateway keeps no more of it than the limit
		{ printf '{"workspaceSlug":"'; head -c 200000000 /dev/zero; } | pack "$coding" >bomb
		peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$gateway_pid/status")
		ask POST /v1/agent/threads @bomb -H "content-encoding: $coding"
		refused 413 PAYLOAD_TOO_LARGE
		[ "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$gateway_pid/status")" -lt $((peak + 8000)) ]
	done
	printf '{"workspaceSlug":"a"}' | pack gzip >packed
	ask POST /v1/agent/threads @packed -H 'Content-Encoding: GZIP' -H 'transfer-encoding: chunked'
	[ "$code" = 201 ]
	# {"refreshToken":false}
	base64 -d <<<iwqAeyJyZWZyZXNoVG9rZW4iOmZhbHNlfQM= >packed
	ask POST /v1/agent/runtime/account/read @packed -H 'content-encoding: br'
	[ "$code" = 200 ]
	printf '{"workspaceSlug":"a"}' | pack gzip | head -c 20 >packed
	for body in @packed '{"workspaceSlug":"a"}' ''; do
		ask POST /v1/agent/threads "$body" -H 'content-encoding: gzip'
		refused 400 INVALID_JSON
	done
	for coding in zstd 'gzip, gzip' compress; do
		ask POST /v1/agent/threads @packed -H "content-encoding: $coding"
		refused 415 UNSUPPORTED_MEDIA_TYPE
	done
	printf '{"workspaceSlug":"a"' | pack gzip >packed
	ask POST /v1/agent/threads @packed -H 'content-encoding: gzip'
	refused 400 INVALID_JSON
}

@test "paths: any letter case, one slash at the end, HEAD for GET, 404 for the rest, OPTIONS for all" {
	start_gateway
	new_thread
	for path in "/V1/Agent/Threads/$thread" "/v1/agent/threads/$thread/"; do
		ask GET "$path"
		[ "$code" = 200 ]
	done
	[ "$(curl -sSI -o head -w '%{http_code}' "$url/v1/agent/threads/$thread")" = 200 ]
	for request in 'PUT /v1/agent/threads' 'GET /v1/agent' 'GET /v1/' 'GET /v1/agent/threads//turns' "POST /v1/agent/threads/$thread/eventsFOO" "DELETE /v1/agent/threads"; do
		ask ${request% *} "${request#* }"
		refused 404 NOT_FOUND 'Route not found' || { echo "$request" >&2; false; }
	done
	ask POST "/v1/agent/threads/$thread/events%3Abatch" '{"events":[]}'
	[ "$code$body" = '200{"accepted":0}' ]
	ask OPTIONS /v1/whatever
	[ "$code" = 204 ]
	grep -qi '^access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE' head
	ask GET /v1/ping
	[ "$body" = '{"ok":true,"service":"api"}' ]
	ask GET /health
	is .status '"ok"'
}

@test "every answer has a request id, and the caller's own when it is a good one" {
	start_gateway
	id() { sed -n 's/^x-request-id: \(.*\)\r$/\1/p' head; }
	ask GET /v1/agent/threads/x
	[[ "$(id)" =~ ^[0-9a-f-]{36}$ ]]
	ask GET /v1/agent/threads/x -H 'X-Request-Id: a.b:c-1'
	[ "$(id)" = a.b:c-1 ]
	ask GET /v1/agent/threads/x -H 'X-Request-Id: a b' -H 'X-Correlation-Id: c'
	[ "$(id)" = c ]
	ask GET /v1/agent/threads/x -H "X-Request-Id: $(printf '%0129d' 0)"
	[[ "$(id)" =~ ^[0-9a-f-]{36}$ ]]
	ask POST /v1/agent/threads '{' -H 'X-Request-Id: r1'
	[ "$(id)" = r1 ]
	for p in /v1/ping /v1/nowhere /v1/auth/me /v1/agent/runtime/stream; do
		ask GET "$p" -H 'X-Request-Id: ' -H 'X-Correlation-Id:  c2 '
		[ "$(id)" = c2 ]
		grep -qi '^access-control-allow-origin: \*' head
	done
}

@test "an answer that is known already is 304" {
	start_gateway
	new_thread
	ask GET "/v1/agent/threads/$thread"
	tag=$(sed -n 's/^etag: \(.*\)\r$/\1/p' head)
	ask GET "/v1/agent/threads/$thread" -H "if-none-match: $tag"
	[ "$code$body" = 304 ]
	ask GET "/v1/agent/threads/$thread" -H 'if-none-match: W/"x"'
	[ "$code" = 200 ]
}

@test "the gates: a broken body, the origin of a session, the route, the switch, the caller, the body, the flags of modes" {
	AGENT_GATEWAY_ENABLED=false AGENT_MODE_SWITCH_ENABLED=false AGENT_CLOUD_MODE_ENABLED=false start_gateway
	token=$(agent-gateway-token --state "$BATS_TEST_TMPDIR/state" create --user ann --workspace acme | jq -r .token)
	cookie=$(curl -sS -X POST -H "Authorization: Bearer $token" -o session -D - "$url/v1/auth/session" | sed -n 's/^set-cookie: \([^;]*\);.*/\1/p')
	for p in /v1/agent/threads /v1/agent/nowhere; do
		ask POST "$p" '{' -b "$cookie"
		refused 400 INVALID_JSON
		ask POST "$p" '{}' -b "$cookie"
		refused 403 CSRF_ORIGIN_REQUIRED 'Origin header is required for state-changing requests'
		ask POST "$p" '{}' -b "$cookie" -H 'Referer: no address'
		refused 403 CSRF_ORIGIN_REQUIRED
		ask POST "$p" '{}' -b "$cookie" -H 'Referer: http://evil.example/page'
		refused 403 CSRF_ORIGIN_DENIED 'Cross-origin state-changing requests are not allowed'
	done
	ask POST /v1/agent/nowhere '{}' -b "$cookie" -H "Referer: $url/page"
	refused 404 NOT_FOUND
	ask POST /v1/agent/threads '{}'
	refused 503 AGENT_GATEWAY_DISABLED
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_MODE_SWITCH_ENABLED=false AGENT_CLOUD_MODE_ENABLED=false start_gateway
	ask POST /v1/agent/threads '{}'
	refused 401 UNAUTHORIZED 'Authentication required'
	ask POST /v1/agent/threads '{}' -b '__Host-compass_session=%E0%'
	refused 403 CSRF_ORIGIN_REQUIRED
	ask POST /v1/agent/threads '{}' -b '__Host-compass_session=%E0%' -H "Origin: $url"
	refused 401 UNAUTHORIZED
	ask POST /v1/agent/threads '{}' -b "$cookie" -H "Origin: $url"
	refused 400 INVALID_REQUEST Required
	ask POST /v1/agent/threads '{"workspaceSlug":"other"}' -b "$cookie" -H "Origin: $url"
	refused 503 AGENT_CLOUD_MODE_DISABLED
	ask POST /v1/agent/threads '{"workspaceSlug":"other","executionMode":"local"}' -b "$cookie" -H "Origin: $url"
	refused 403 WORKSPACE_FORBIDDEN
	ask PATCH /v1/agent/threads/nothing/mode '{}' -b "$cookie" -H "Origin: $url"
	refused 400 INVALID_REQUEST Required
	ask PATCH /v1/agent/threads/nothing/mode '{"executionMode":"cloud"}' -b "$cookie" -H "Origin: $url"
	refused 503 AGENT_MODE_SWITCH_DISABLED
}

@test "feature flags: the gateway, cloud and local mode, the switch" {
	AGENT_GATEWAY_ENABLED=no start_gateway
	ask POST /v1/agent/threads '{}'
	refused 503 AGENT_GATEWAY_DISABLED 'Agent gateway is disabled'
	ask GET /v1/agent/nothing
	refused 404 NOT_FOUND
	ask GET /v1/agent/threads/x/stream
	refused 426 UPGRADE_REQUIRED 'Use websocket upgrade for this endpoint'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_CLOUD_MODE_ENABLED=false AGENT_MODE_SWITCH_ENABLED=' TRUE ' start_gateway
	ask POST /v1/agent/threads '{"workspaceSlug":"a"}'
	refused 503 AGENT_CLOUD_MODE_DISABLED 'Cloud mode is disabled'
	ask POST /v1/agent/threads '{"workspaceSlug":"a","executionMode":"x"}'
	refused 400 INVALID_REQUEST
	new_thread '"executionMode":"local"'
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"x","executionMode":"cloud"}'
	refused 503 AGENT_CLOUD_MODE_DISABLED
	ask PATCH "/v1/agent/threads/$thread/mode" '{"executionMode":"cloud"}'
	refused 503 AGENT_CLOUD_MODE_DISABLED
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_LOCAL_MODE_ENABLED_DESKTOP=false AGENT_MODE_SWITCH_ENABLED=false start_gateway
	# a mode that was allowed when the thread was made is looked at again
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"x"}'
	refused 503 AGENT_LOCAL_MODE_DISABLED 'Local mode is disabled'
	ask PATCH "/v1/agent/threads/$thread/mode" '{"executionMode":"local"}'
	refused 503 AGENT_MODE_SWITCH_DISABLED 'Mode switching is disabled'
	ask POST /v1/agent/threads '{"workspaceSlug":"a","executionMode":"local"}'
	refused 503 AGENT_LOCAL_MODE_DISABLED
}

@test "a switch of the mode: host, identifier, time and event" {
	start_gateway
	new_thread '"executionMode":"local"'
	ask PATCH "/v1/agent/threads/$thread/mode" '{"executionMode":"cloud"}'
	[ "$code" = 200 ]
	is '.thread|[.executionMode,.executionHost,.status]' '["cloud","dynamic_sessions","idle"]'
	is '.thread|.modeSwitchedAt == .updatedAt' true
	is '.thread.cloudSessionIdentifier' "\"thr-$thread\""
	ask PATCH "/v1/agent/threads/$thread/mode" '{"executionMode":"local","executionHost":"dynamic_sessions"}'
	is '.thread|[.executionMode,.executionHost,.cloudSessionIdentifier]' "[\"local\",\"dynamic_sessions\",\"thr-$thread\"]"
	[ "$(events | jq -c 'select(.method=="thread.modeSwitched")|[.turnId,.payload]' | paste -sd' ')" = \
		'[null,{"executionHost":"dynamic_sessions","executionMode":"cloud"}] [null,{"executionHost":"dynamic_sessions","executionMode":"local"}]' ]
	ask PATCH /v1/agent/threads/nothing/mode '{"executionMode":"local"}'
	refused 404 AGENT_THREAD_NOT_FOUND
}

@test "a turn: four events, the answer, the status of the thread" {
	start_gateway
	new_thread
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"hello"}'
	[ "$code" = 200 ]
	is '.turn|keys_unsorted|join(" ")' '"turnId threadId parentTurnId sourceTurnId clientRequestId status executionMode executionHost input output error startedAt completedAt"'
	is '.turn|[.status,.executionMode,.executionHost,.input,.output,.error]' '["completed","cloud","dynamic_sessions",{"text":"hello"},{"text":"Cloud(dynamic_sessions) response: hello"},null]'
	is .outputText '"Cloud(dynamic_sessions) response: hello"'
	turn=$(jq -r .turn.turnId body)
	# how many pieces the text comes in is a matter of time
	[ "$(events 1 | jq -r .method | uniq | paste -sd' ')" = 'turn.started item.delta runtime.metadata turn.completed' ]
	[ "$(events 1 | jq -r .turnId | sort -u)" = "$turn" ]
	events 1 | jq -c 'select(.method=="turn.started").payload|[.text,.turnId,.executionHost,.executionMode,.parentTurnId,.clientRequestId]' | grep -qxF "[\"hello\",\"$turn\",\"dynamic_sessions\",\"cloud\",null,null]"
	[ "$(events 1 | jq -r 'select(.method=="item.delta").payload.type' | sort -u)" = assistant_message ]
	[ "$(events 1 | jq -rj 'select(.method=="item.delta").payload.text')" = 'Cloud(dynamic_sessions) response: hello' ]
	events 1 | jq -c 'select(.method=="runtime.metadata").payload' | grep -qxF "{\"driver\":\"mock\",\"turnId\":\"$turn\"}"
	events 1 | jq -c 'select(.method=="turn.completed").payload|[.turnId,.status,.output,.error]' | grep -qxF "[\"$turn\",\"completed\",{\"text\":\"Cloud(dynamic_sessions) response: hello\"},null]"
	[ "$(events 1 | jq -r 'select(.payload|has("userMessageId")).payload.userMessageId' | sort -u | wc -l)" = 1 ]
	[ "$(events 2 | jq -r 'select(.method!="runtime.metadata").payload.assistantMessageId' | sort -u | wc -l)" = 1 ]
	ask GET "/v1/agent/threads/$thread"
	is .thread.status '"completed"'
	ask GET "/v1/agent/threads/$thread/turns/$turn"
	is .outputText '"Cloud(dynamic_sessions) response: hello"'
	ask GET "/v1/agent/threads/$thread/turns/nothing"
	refused 404 AGENT_TURN_NOT_FOUND
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"x","executionHost":"desktop_local"}'
	is .outputText '"Cloud(desktop_local) response: x"'
	ask POST /v1/agent/threads/nothing/turns '{"text":"x"}'
	refused 404 AGENT_THREAD_NOT_FOUND
}

@test "a local turn has the contract's placeholder and reaches no runtime" {
	start_gateway
	new_thread
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"hello","executionMode":"local"}'
	is '[.outputText,.turn.executionMode,.turn.executionHost]' '["Local turn accepted. Awaiting desktop local runtime events.","local","desktop_local"]'
	[ "$(events 1 | jq -r .method | uniq | paste -sd' ')" = 'turn.started item.delta runtime.metadata turn.completed' ]
	events 1 | jq -c 'select(.method=="runtime.metadata").payload' | grep -qxF '{"driver":"desktop_local"}'
	ask GET "/v1/agent/threads/$thread"
	is .thread.executionMode '"cloud"'
}

@test "lineage and the same request again" {
	start_gateway
	new_thread
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"one","clientRequestId":" k "}'
	is .turn.clientRequestId '"k"'
	first=$(jq -r .turn.turnId body)
	last=$(events | tail -n 1 | jq .cursor)
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"other","clientRequestId":"k"}'
	[ "$code" = 200 ]
	is '[.turn.turnId,.outputText]' "[\"$first\",\"Cloud(dynamic_sessions) response: one\"]"
	[ -z "$(events "$last")" ]
	ask POST "/v1/agent/threads/$thread/turns" "{\"text\":\"two\",\"parentTurnId\":\"$first\",\"sourceTurnId\":\"$first\",\"clientRequestId\":\"  \"}"
	is '.turn|[.parentTurnId,.sourceTurnId,.clientRequestId]' "[\"$first\",\"$first\",null]"
	[ "$(events "$last" | jq -c 'select(.method!="runtime.metadata").payload|[.parentTurnId,.sourceTurnId]' | sort -u)" = "[\"$first\",\"$first\"]" ]
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"x","parentTurnId":"nothing"}'
	refused 404 AGENT_PARENT_TURN_NOT_FOUND 'Parent turn not found'
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"x","sourceTurnId":"nothing"}'
	refused 404 AGENT_SOURCE_TURN_NOT_FOUND 'Source turn not found'
	new_thread
	ask POST "/v1/agent/threads/$thread/turns" "{\"text\":\"x\",\"parentTurnId\":\"$first\"}"
	refused 404 AGENT_PARENT_TURN_NOT_FOUND
}

@test "events: uploaded as they are, listed from a cursor, never forged" {
	start_gateway
	new_thread
	ask POST "/v1/agent/threads/$thread/events:batch" '{"events":[{"method":"x","payload":{"b":9007199254740993,"a":1e2}},{"turnId":"t","method":"turn.started"},{"method":"y","payload":null},{"method":"z","payload":[1]}]}'
	[ "$code$body" = '200{"accepted":4}' ]
	curl -sS "$url/v1/agent/threads/$thread/events?cursor=1" >list
	grep -qF '"payload":{"b":9007199254740993,"a":1e2}' list
	[ "$(jq -c '[.events[]|[.cursor,.turnId,.method,.uploadedBy]]' list)" = '[[2,null,"x","local"],[3,"t","turn.started","local"],[4,null,"y","local"],[5,null,"z","local"]]' ]
	[ "$(jq -c '[.events[]|.payload]|.[1:]' list)" = '[{},{},[1]]' ]
	[ "$(jq -r '.events[].createdAt' list | sort -u | wc -l)" = 1 ]
	ask GET "/v1/agent/threads/$thread/events?cursor=2&limit=2"
	is '[.events[].cursor]' '[3,4]'
	ask GET "/v1/agent/threads/$thread/events?cursor=99999"
	[ "$body" = '{"events":[]}' ]
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"x"}'
	turn=$(jq -r .turn.turnId body)
	last=$(events | tail -n 1 | jq .cursor)
	for event in '{"method":"thread.modeSwitched"}' '{"method":"approval.resolved"}' "{\"method\":\"turn.completed\",\"turnId\":\"$turn\"}" "{\"method\":\"item.delta\",\"turnId\":\"$turn\"}"; do
		ask POST "/v1/agent/threads/$thread/events:batch" "{\"events\":[{\"method\":\"fine\"},$event]}"
		refused 403 AGENT_EVENT_RESERVED
	done
	[ -z "$(events "$last")" ]
	while IFS='|' read -r data message; do
		ask POST "/v1/agent/threads/$thread/events:batch" "$data"
		refused 400 INVALID_REQUEST "$message" || { echo "for $data" >&2; false; }
	done <<-'EOT'
		{}|Required
		{"events":{}}|Expected array, received object
		{"events":[1]}|Expected object, received number
		{"events":[{}]}|Required
		{"events":[{"method":""}]}|String must contain at least 1 character(s)
		{"events":[{"method":"x","turnId":""}]}|String must contain at least 1 character(s)
	EOT
	jq -nc '{events:[range(1000)|{method:"n"}]}' >many
	ask POST "/v1/agent/threads/$thread/events:batch" @many
	is .accepted 1000
	jq -nc '{events:[range(1001)|{method:"n"}]}' >many
	ask POST "/v1/agent/threads/$thread/events:batch" @many
	refused 400 INVALID_REQUEST
	# the same batch once
	for _ in 1 2; do
		ask POST "/v1/agent/threads/$thread/events:batch" '{"events":[{"method":"once"}]}' -H 'idempotency-key: k1'
		[ "$code$body" = '200{"accepted":1}' ]
	done
	ask POST "/v1/agent/threads/$thread/events:batch" '{"events":[{"method":"other"}]}' -H 'idempotency-key: k1'
	refused 409 IDEMPOTENCY_KEY_REUSED
	[ "$(events 1006 | grep -c '"once"')" = 1 ]
}

@test "threads stay out of the Clarity surface, and secrets out of threads" {
	start_gateway
	new_thread
	ask POST "/v1/agent/threads/$thread/events:batch" '{"events":[{"method":"agent.run_created","payload":{"runId":"r"}}]}'
	ask POST "/v1/agent/threads/$thread/turns" '{"text":"my key is sk-abcdefghijklmnopqrstuvwxyz0123456789"}'
	[ "$code" = 200 ]
	[ "$(curl -sS "$url/api/agents/runs" | jq -c .items)" = '[]' ]
	[ "$(curl -sS "$url/api/agents/events" | jq -c .items)" = '[]' ]
	ask GET "/v1/agent/threads/$thread/events"
	grep -q REDACTED body
	run ! grep -rq abcdefghijklmnopqrstuvwxyz0123456789 "$BATS_TEST_TMPDIR/state"
}
