#!/usr/bin/env bats
# The gateway with a pool of Dynamic Sessions for its runtime: tests/fake/fake-pool wants the token, knows sessions by their identifier, and refuses as a
# pool does.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
load ../lib/common
load ../lib/compass
load ../lib/pool
load ../lib/asking

setup() {
	compass_setup
	unset AGENT_RUNTIME_PROVIDER AGENT_RUNTIME_REQUEST_TIMEOUT_MS DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS DYNAMIC_SESSIONS_BEARER_TOKEN
	unset DYNAMIC_SESSIONS_BEARER_TOKEN_FILE DYNAMIC_SESSIONS_TOKEN_RESOURCE DYNAMIC_SESSIONS_EXECUTOR_CLIENT_ID
	unset IDENTITY_ENDPOINT IDENTITY_HEADER MSI_ENDPOINT MSI_SECRET
}
teardown() { common_teardown; }

say() { ask POST "$path/turns" "$(jq -nc --arg text "$1" '{$text}')"; } # TEXT
base=/subscriptions/s/sessionPools/p1
# with_pool [options of the pool]: and a gateway before it, with the token that the environment says
with_pool() {
	start_pool --base "$base" "$@"
	DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool$base/ start_gateway
}
identity() { # A or B
	if [ "$1" = A ]; then
		export IDENTITY_ENDPOINT="$pool/msi/token?x=1&api-version=old" IDENTITY_HEADER=hdr-secret
	else
		export MSI_ENDPOINT="$pool/msi/old" MSI_SECRET=sec-secret
	fi
	DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool$base start_gateway
}
# Nothing of it in what clients were given, in events, or in what the gateway wrote.
nowhere() { # TEXT...
	local text
	events >all.events
	for text; do
		if grep -F -e "$text" all.events body "$gateway_log.out" "$gateway_log.err" | grep -v cloudSessionIdentifier; then
			echo "it was told: $text" >&2
			return 1
		fi
	done
}

@test "with a token that is given: base path, identifier and bearer on each request, and no account" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=' given-token ' with_pool --token given-token
	new_thread
	say hello
	is .turn.status '"completed"'
	is .outputText '"Host response: hello"'
	jq -c '[.path, .query, .headers.authorization]' asked >got
	{
		for to in session/bootstrap session/bootstrap turns/start; do
			echo "[\"$base/agent/$to\",\"identifier=thr-$thread\",\"Bearer given-token\"]"
		done
	} | diff - got
	ask POST /v1/agent/runtime/account/read '{}'
	is '[.provider, .capabilities.interactiveAuth, .account.label]' '["dynamic_sessions",false,"Managed runtime identity"]'
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgpt"}'
	refused 400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED "Interactive runtime authentication is unavailable for this runtime provider"
	ask POST /v1/agent/runtime/account/rate-limits/read
	is . '{"rateLimits":null,"rateLimitsByLimitId":null}'
	count_asked '.path | contains("account") or contains("stream")' 0
}

@test "two threads are two sessions, and each thread's turns go to one" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=given-token with_pool --token given-token --cold 0.2
	new_thread
	say one
	say two
	[ "$(events | jq -s '[.[] | select(.method == "runtime.metadata") | .payload.bootId] | unique | length')" = 1 ]
	first=$(events | jq -r 'select(.method == "runtime.metadata") | .payload.bootId' | head -n 1)
	new_thread
	say one
	[ "$(events | jq -r 'select(.method == "runtime.metadata") | .payload.bootId')" != "$first" ]
}

@test "a session that has ended is another the next time" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=given-token with_pool --token given-token
	new_thread
	say one
	order "{\"expire\":\"thr-$thread\"}"
	say two
	is .turn.status '"completed"'
	[ "$(events | jq -s '[.[] | select(.method == "runtime.metadata") | .payload.bootId] | unique | length')" = 2 ]
}

@test "a token from a file, read anew when it was refused" {
	echo old-token >file
	export DYNAMIC_SESSIONS_BEARER_TOKEN_FILE=$PWD/file
	with_pool --token new-token
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_TOKEN_REFUSED
	count_asked true 2
	[[ $body != *old-token* && $body == *"Session Executor"* ]]
	echo new-token >file
	new_thread
	say hello
	is .turn.status '"completed"'
	: >file
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_TOKEN_UNAVAILABLE
}

@test "a managed identity, the first family: its request, and one token for all" {
	start_pool --base "$base"
	export DYNAMIC_SESSIONS_EXECUTOR_CLIENT_ID=cid
	identity A
	for i in 1 2 3 4 5; do
		curl -sS -H 'content-type: application/json' -d '{"workspaceSlug":"acme"}' "$url/v1/agent/threads" >"t$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(jq -s '[.[].thread.threadId] | unique | length' t?)" = 5 ]
	count_asked '.path == "/msi/token"' 1
	[ "$(asked '.path == "/msi/token"' | jq -r .query)" = 'x=1&api-version=2019-08-01&resource=https%3A%2F%2Fdynamicsessions.io&client_id=cid' ]
	thread=$(jq -r .thread.threadId t1)
	path=/v1/agent/threads/$thread
	say TELL
	is .turn.status '"completed"'
	nowhere secret-token hdr-secret "thr-$thread"
	see '.method == "runtime.metadata" and (.payload.note | contains("[REDACTED]")) and (.payload | has("identifier") | not)'
}

@test "a managed identity, the second family" {
	start_pool --base "$base"
	export DYNAMIC_SESSIONS_TOKEN_RESOURCE=https://res DYNAMIC_SESSIONS_EXECUTOR_CLIENT_ID=cid IDENTITY_ENDPOINT=http://127.0.0.1:1 IDENTITY_HEADER=' '
	identity B
	new_thread
	say hello
	is .turn.status '"completed"'
	[ "$(asked '.path == "/msi/old"' | jq -r .query)" = 'api-version=2017-09-01&resource=https%3A%2F%2Fres&clientid=cid' ]
	count_asked '.path == "/msi/old"' 1
}

@test "a token that is refused is renewed once, and the request goes again" {
	start_pool --base "$base"
	identity A
	new_thread
	order '{"revoke":true}'
	say hello
	is .turn.status '"completed"'
	count_asked '.path == "/msi/token"' 2
	order "{\"next\":[{\"path\":\"/bootstrap\",\"status\":401},{\"path\":\"/bootstrap\",\"status\":401}]}"
	say hello
	is .turn.error.code '"AGENT_RUNTIME_TOKEN_REFUSED"'
	count_asked '.path == "/msi/token"' 3
}

@test "a token that soon ends is not used, one whose end is not told is for five minutes" {
	start_pool --base "$base"
	order "{\"msi\":{\"body\":{\"expires_on\":$(($(date +%s) + 30))}}}"
	identity A
	new_thread
	new_thread
	count_asked '.path == "/msi/token"' 2
	order '{"msi":{"body":{"expires_on":null}}}'
	new_thread
	new_thread
	count_asked '.path == "/msi/token"' 3
}

@test "no identity, one that refuses, and one that says nothing" {
	start_pool --base "$base"
	DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool$base start_gateway
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_TOKEN_UNAVAILABLE
	says "Managed identity endpoint is not configured; give a token in DYNAMIC_SESSIONS_BEARER_TOKEN_FILE"
	count_asked true 0
	rm -rf state
	order '{"msi":{"status":400}}'
	identity A
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_TOKEN_UNAVAILABLE
	says 'Managed identity token request failed (400): {"error": "no identity for [REDACTED]"}; '
	order '{"msi":{"status":200,"body":{"access_token":""}}}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_TOKEN_UNAVAILABLE
	says "Managed identity token response did not include access_token; "
}

@test "a pool without room is asked again, then it is told" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=given-token with_pool --token given-token --sessions 1
	new_thread
	order '{"next":[{"path":"/bootstrap","status":429,"headers":{"retry-after":"0"}},{"path":"/turns/start","status":429}]}'
	: >asked
	say hello
	is .turn.status '"completed"'
	count_asked '.path | endswith("/turns/start")' 2
	first=$thread
	: >asked
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_POOL_BUSY
	[[ $body != *thr-* && $body == *SessionLimitReached* ]]
	count_asked true 3
	: >asked
	order '{"next":[{"path":"/bootstrap","status":429,"headers":{"retry-after":"3600"}}]}'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_POOL_BUSY
	count_asked '.path != "/__fake"' 1
}

@test "what may have run is not asked for again" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=given-token with_pool --token given-token
	new_thread
	for status in 500 502 503 '"reset"'; do
		order "{\"next\":[{\"path\":\"/turns/start\",\"status\":$status,\"body\":{\"error\":{\"code\":\"Oops\"}}}]}"
		: >asked
		say hello
		is .turn.status '"error"'
		count_asked '.path | endswith("/turns/start")' 1
	done
	say "FAIL it went wrong"
	is .turn.error.code '"RUNTIME_EXECUTION_FAILED"'
	[[ $(jq -r .turn.error.message body) == "Dynamic Sessions runtime request failed (502): "*"it went wrong"* ]]
}

@test "no token and no identifier in what is told, whatever the pool says" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=given-token with_pool --token given-token
	new_thread
	say LEAK
	is .turn.status '"error"'
	[[ $body == *"request failed (500)"*"[REDACTED]"* ]]
	say TELL
	say GARBAGE
	nowhere given-token "thr-$thread"
}

@test "a pool that is not there, no such pool, and deadlines" {
	start_pool --base "$base" --token given-token
	export DYNAMIC_SESSIONS_BEARER_TOKEN=given-token DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS=700
	DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool/other start_gateway
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_POOL_NOT_FOUND
	DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool$base start_gateway --state state2
	new_thread
	say DEAF
	failed_with AGENT_RUNTIME_UNAVAILABLE "Dynamic Sessions runtime request timed out after 700ms"
	order '{"next":[{"path":"/bootstrap","status":"half"}]}'
	say hello
	is .turn.error.message '"Dynamic Sessions runtime request timed out after 700ms"'
	kill "$pool_pid"
	await 10 gone "$pool_pid"
	say hello
	is .turn.error.code '"AGENT_RUNTIME_POOL_UNREACHABLE"'
	[[ $body == *"look at DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT"* ]]
}

# with_host: a real session host is the pool's, behind a token
with_host() {
	printf '%s\n' "$asking_script" >host-script
	unset HOST PORT SESSION_RUNTIME_ENGINE MAX_BODY_BYTES
	SESSION_RUNTIME_TOKEN=pool-token start host "$AU_BUILD/libexec/agentutils/agent-session-host" --listen 127.0.0.1:0 "$mock" --chunk 3 --script "$PWD/host-script"
	await 20 has_line host.out listening || { cat host.err >&2; return 1; }
	DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' host.out) DYNAMIC_SESSIONS_BEARER_TOKEN=pool-token start_gateway
}

@test "approvals: accepted, declined, taken back and decided by rule, in a session of a pool" {
	with_host
	approvals_go_through
	nowhere pool-token "thr-$thread"
}

@test "what a turn is asked for with goes along into the session" {
	with_host
	wishes_go_through
}

@test "what a turn has cost comes from the session, and stands with a run" {
	with_host
	new_thread
	say hello
	is .turn.status '"completed"'
	events | jq -es 'map(select(.method == "turn.completed"))[0].payload.usage.totalTokens > 0'
	agent-send --wait --run "$thread" "and this" >said
	agent-runs "$thread" | jq -e '.usage.totalTokens > 0'
}

@test "a limit in a session: until when, and --wait-for-limit waits for it" {
	with_host
	limits_go_through
}

@test "an approval is answered with the token and the identifier, and shows neither" {
	DYNAMIC_SESSIONS_BEARER_TOKEN=given-token with_pool --token given-token
	new_thread
	turn ASK
	see '.method == "approval.requested"'
	approval=$(events | jq -r 'select(.method == "approval.requested").payload.approvalId')
	ask POST "$path/approvals/$approval" '{"decision":"accept"}'
	see '.method == "turn.completed" and .payload.output.text == "accept"'
	was_asked ".path == \"$base/agent/turns/$turn/approvals/7\" and .query == \"identifier=thr-$thread\" and .headers.authorization == \"Bearer given-token\" and .body == \"{\\\"result\\\":{\\\"decision\\\":\\\"accept\\\"}}\""
	ask GET "$path/approvals?status=all"
	nowhere given-token "thr-$thread"
	# a pool that has no room for the answer is asked again
	turn ASK
	see ".method == \"approval.requested\" and .turnId == \"$turn\""
	approval=$(events | jq -r "select(.method == \"approval.requested\" and .turnId == \"$turn\").payload.approvalId")
	order '{"next":[{"path":"/approvals/7","status":429,"headers":{"retry-after":"0"}}]}'
	ask POST "$path/approvals/$approval" '{"decision":"decline"}'
	see ".method == \"turn.completed\" and .turnId == \"$turn\" and .payload.output.text == \"decline\""
}
