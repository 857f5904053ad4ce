#!/usr/bin/env bats
# Who may: workspaces that cannot see each other, scopes, rates, what is written down, and streams that end with the right to them.
load ../lib/common
load ../lib/compass

setup() {
	compass_setup
	wsread=$AU_SRC/tests/fake/ws-read
}
teardown() { common_teardown; }
# as TOKEN METHOD PATH [BODY]
as() {
	local token=$1
	shift
	ask "$@" -H "Authorization: Bearer $token"
}

@test "two workspaces that cannot see each other" {
	ann=$(make_token --user ann --workspace acme) bob=$(make_token --user bob --workspace other) eve=$(make_token --user eve)
	with_script <<-'END'
		{"on":"turn"}
		{"command":"ls","ask":true}
	END
	ask GET '/v1/agent/threads?workspaceSlug=acme'
	refused 401 UNAUTHORIZED 'Authentication required'
	as nonsense GET /v1/agent/threads/x
	refused 401 UNAUTHORIZED
	as "$bob" POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 403 WORKSPACE_FORBIDDEN 'You are not a member of this workspace'
	as "$bob" POST /v1/agent/threads '{"workspaceSlug":"nowhere"}'
	refused 403 WORKSPACE_FORBIDDEN
	as "$bob" GET '/v1/agent/threads?workspaceSlug=acme'
	refused 403 WORKSPACE_FORBIDDEN
	as "$ann" POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	[ "$code" = 201 ]
	path=/v1/agent/threads/$(jq -r .thread.threadId body)
	as "$ann" POST "$path/turns?wait=false" '{"text":"x"}'
	[ "$code" = 202 ]
	turn=$(jq -r .turn.turnId body)
	asked() {
		as "$ann" GET "$path/approvals"
		[ "$(jq '.approvals|length' body)" = 1 ]
	}
	await 20 asked
	approval=$(jq -r '.approvals[0].approvalId' body)
	# every operation on a thread that the contract knows, but the stream
	jq -r '.paths|to_entries[]|select(.key|startswith("/v1/agent/threads/{threadId}"))|(.key|ltrimstr("/v1/agent/threads/{threadId}")) as $rest|.value|to_entries[]
		|select(.value["x-stream"]|not)|"\(.key|ascii_upcase) \($rest)"' "$AU_SRC/contract/openapi.json" >routes
	[ "$(wc -l <routes)" -ge 12 ]
	# to a stranger nothing of it exists, and an unknown thread looks the same
	for p in "$path" /v1/agent/threads/00000000-0000-4000-8000-000000000000; do
		while read -r method rest; do
			rest=${rest//'{turnId}'/$turn}
			rest=${rest//'{approvalId}'/$approval}
			case $rest in
			*mode) data='{"executionMode":"local"}' ;;
			*turns) data='{"text":"x"}' ;;
			*batch) data='{"events":[]}' ;;
			*approvals/*) data='{"decision":"accept"}' ;;
			*) data='{"archived":true}' ;;
			esac
			[ "$method" != GET ] || data=
			as "$bob" "$method" "$p$rest" ${data:+"$data"}
			refused 404 AGENT_THREAD_NOT_FOUND 'Thread not found' || { echo "$method $p$rest" >&2; false; }
		done <routes
		run -1 python3 "$wsread" --header "Authorization: Bearer $bob" "$url$p/stream"
		[[ "$output" == "HTTP/1.1 403 Agent stream access denied"* ]]
	done
	run -1 python3 "$wsread" "$url$path/stream"
	[[ "$output" == "HTTP/1.1 401 Authentication required"* ]]
	# nor does anything of it show elsewhere: lists, the other surface, what people are asked
	as "$bob" POST /v1/agent/threads '{"workspaceSlug":"other"}'
	as "$bob" GET '/v1/agent/threads?workspaceSlug=other&state=all'
	is '[.threads[].workspaceSlug]' '["other"]'
	for p in /api/agents/events /api/agents/runs /api/events /api/audit /questions "/questions/$approval" /events; do
		as "$bob" GET "$p"
		[ "$code" = 403 ] || { echo "$p: $code $body" >&2; false; }
	done
	for p in /answer /cancel; do
		as "$bob" POST "$p" "{\"key\":\"$approval\",\"response\":\"yes\"}"
		[ "$code" = 403 ] || { echo "$p: $code $body" >&2; false; }
	done
	as "$ann" GET "$path"
	is '[.thread.status,.thread.archived]' '["inProgress",false]'
	as "$ann" GET "$path/approvals"
	is '[.approvals[].status]' '["pending"]'
	# who is in every workspace may answer for the other
	as "$eve" POST "$path/approvals/$approval" '{"decision":"accept"}'
	is .approval.resolvedBy '"eve"'
	as "$eve" POST "$path/events:batch" '{"events":[{"method":"x"}]}'
	as "$ann" GET "$path/events"
	is '[.events[].uploadedBy|select(.)]' '["eve"]'
}

@test "scopes: who reads changes nothing, and only admins touch the runtime's account" {
	reader=$(make_token --user ann --scope read) writer=$(make_token --user bob --scope read --scope write) admin=$(make_token --user eve --scope admin)
	AGENT_RUNTIME_PROVIDER=local_process start_gateway --runtime "$mock"
	as "$writer" POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	[ "$code" = 201 ]
	path=/v1/agent/threads/$(jq -r .thread.threadId body)
	as "$reader" GET "$path"
	[ "$code" = 200 ]
	as "$reader" POST "$path/turns" '{"text":"x"}'
	refused 403 FORBIDDEN
	for route in read login/start login/cancel logout rate-limits/read; do
		as "$writer" POST "/v1/agent/runtime/account/$route" '{}'
		refused 403 FORBIDDEN
	done
	run -1 python3 "$wsread" --header "Authorization: Bearer $writer" "$url/v1/agent/runtime/stream"
	[[ "$output" == "HTTP/1.1 403 Agent stream access denied"* ]]
	as "$admin" POST /v1/agent/runtime/account/read '{}'
	[ "$code" = 200 ]
	python3 "$wsread" --header "Authorization: Bearer $admin" --count 1 "$url/v1/agent/runtime/stream" >frame &
	as "$admin" POST /v1/agent/runtime/account/login/start '{"type":"apiKey","apiKey":"k"}'
	[ "$code" = 200 ]
	wait $!
	grep -q '"account/' frame
	# what was done, by whom, is on record
	jq -c 'select(.action=="POST" and .user=="eve")|.status' "$BATS_TEST_TMPDIR/state/audit.ndjson" | grep -q 200
	jq -c 'select(.user=="bob" and .status==403)' "$BATS_TEST_TMPDIR/state/audit.ndjson" | grep -q account
}

@test "a stream ends when the token is revoked" {
	ann=$(make_token --user ann)
	start_gateway
	as "$ann" POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	path=/v1/agent/threads/$(jq -r .thread.threadId body)
	start reader python3 "$wsread" --header "Authorization: Bearer $ann" "$url$path/stream"
	await 20 has_line reader.out thread.started
	agent-gateway-token --state "$BATS_TEST_TMPDIR/state" revoke "${ann:4:12}"
	await 20 has_line reader.err '^close 1008 Session ended'
}

@test "who asks too often gets 429 and is told when to come again" {
	ann=$(make_token --user ann)
	start_gateway --rate 2
	seq 20 | xargs -P 1 -I@ curl -sS -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $ann" "$url/v1/agent/threads/x" >codes
	grep -q 429 codes
	as "$ann" GET /v1/agent/threads/x
	if [ "$code" = 429 ]; then
		is .code '"RATE_LIMITED"'
		grep -qi '^retry-after: [1-9]' head
	fi
}

@test "without tokens only this machine, and no page of another one" {
	start_gateway
	ask GET /v1/agent/threads/x -H 'Host: evil.example'
	refused 403 FORBIDDEN
	ask POST /v1/agent/threads '{"workspaceSlug":"a"}' -H 'Origin: http://evil.example'
	[ "$code" = 403 ]
	ask POST /v1/agent/threads '{"workspaceSlug":"a"}' -H "Origin: $url"
	[ "$code" = 201 ]
}
