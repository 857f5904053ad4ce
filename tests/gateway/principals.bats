#!/usr/bin/env bats
# Who asks: tokens with users, workspaces and scopes; how often; and what is written down of it.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }
bearer() { # TOKEN PATH [curl's options]
	local token=$1 path=$2
	shift 2
	code -H "Authorization: Bearer $token" "$@" "$url$path"
}
audit() { cat "$BATS_TEST_TMPDIR/state/audit.ndjson"; }
emit=(-H 'Content-Type: application/json' -d '{"kind":"agent.x"}')

@test "a token opens the door at once, and ends at once" {
	start_gateway
	[ "$(code "$url/api/agents/registry")" = 200 ]
	token=$(make_token --user ann)
	[ "$(code "$url/api/agents/registry")" = 401 ]
	[ "$(cat answer)" = $'{\n  "error": "unauthorized"\n}' ]
	[ "$(bearer "$token" /api/agents/registry)" = 200 ]
	[ "$(code -H "x-clarity-token: $token" "$url/api/agents/registry")" = 200 ]
	other=A
	[ "${token: -1}" != A ] || other=B
	[ "$(bearer "${token%?}$other" /api/agents/registry)$(bearer "${token}A" /api/agents/registry)" = 401401 ]
	[ "$(bearer "agt_000000000000_${token#agt_*_}" /api/agents/registry)" = 401 ]
	agent-gateway-token --state "$BATS_TEST_TMPDIR/state" revoke "${token:4:12}"
	[ "$(bearer "$token" /api/agents/registry)" = 401 ]
	[ "$(code "$url/api/agents/registry")" = 401 ] # the last one is gone: that opens nothing
	rm "$BATS_TEST_TMPDIR/state/tokens"
	[ "$(code "$url/api/agents/registry")" = 401 ]
}

@test "an open stream ends with its token" {
	start_gateway
	token=$(make_token --user ann)
	for path in /events /api/events /api/agents/runs/r1/events/stream; do
		start "stream${path//\//-}" curl -sSN -H "Authorization: Bearer $token" "$url$path"
		streams+=("$pid")
		await 10 has_line "stream${path//\//-}.out" '^: live'
	done
	agent-gateway-token --state "$BATS_TEST_TMPDIR/state" revoke "${token:4:12}"
	for pid in "${streams[@]}"; do await 10 gone "$pid"; done
}

@test "a token of several, and the one of --token-file beside it" {
	ann=$(make_token --user ann) bob=$(make_token --user bob)
	echo s3cret >one
	start_gateway --token-file one
	for t in "$ann" "$bob" s3cret; do [ "$(bearer "$t" /api/agents/registry)" = 200 ]; done
	[ "$(bearer other /api/agents/registry)" = 401 ]
	[ "$(code "$url/api/agents/registry?token=$ann")" = 401 ]
}

@test "an expired token is none" {
	token=$(make_token --user ann --expires 1s)
	start_gateway
	expired() { [ "$(bearer "$token" /api/status)" = 401 ]; }
	await 10 expired
}

@test "scopes: who only reads changes nothing; workspaces: who is confined to some sees nothing here" {
	reader=$(make_token --user ann --scope read) writer=$(make_token --user bob --scope write) confined=$(make_token --user carl --workspace acme)
	start_gateway
	[ "$(bearer "$reader" /api/agents/registry)" = 200 ]
	[ "$(bearer "$reader" /api/agents/events "${emit[@]}")" = 403 ]
	[ "$(jq -r .error answer)" = "forbidden: the token has not the scope 'write'" ]
	[ "$(bearer "$writer" /api/agents/events "${emit[@]}")" = 200 ]
	[ "$(bearer "$writer" /api/agents/registry)" = 403 ]
	[ "$(bearer "$confined" /api/agents/registry)" = 403 ]
	[ "$(jq -r .error answer)" = "forbidden: the token is good for its workspaces only, and there are none here" ]
}

@test "a caller that asks too often gets 429 and is told when to come back; others do not suffer" {
	ann=$(make_token --user ann) bob=$(make_token --user bob)
	start_gateway --rate 1
	# all at once and by one program: where the machine is busy a second is soon over
	codes=$(curl -sS -D head -o answer -w '%{http_code}' -H "Authorization: Bearer $ann" "$url/api/status#[1-4]")
	[ "$codes" = 200200429429 ]
	[ "$(jq -r .error answer)" = 'too many requests' ]
	grep -qi '^retry-after: 1' head
	[ "$(bearer "$bob" /api/status)" = 200 ]
	again() { [ "$(bearer "$ann" /api/status)" = 200 ]; }
	await 10 again
	run -2 agent-gateway --rate -1
	run -2 agent-gateway --rate 500001
}

@test "without a token a caller on this machine is not counted" {
	start_gateway --rate 1
	for i in 1 2 3 4 5; do [ "$(code "$url/api/status")" = 200 ]; done
}

@test "a file of tokens that is wrong: no start, and no change for a gateway that runs" {
	token=$(make_token --user ann)
	start_gateway
	[ "$(bearer "$token" /api/status)" = 200 ]
	echo garbage >>"$BATS_TEST_TMPDIR/state/tokens"
	[ "$(bearer "$token" /api/status)" = 200 ]
	[ "$(bearer "$token" /api/status)" = 200 ]
	await 10 has_line "$gateway_log.err" 'line 2: .*the tokens that were read before stay'
	[ "$(grep -c 'stay' "$gateway_log.err")" = 1 ]
	common_teardown
	run -9 agent-gateway --state "$BATS_TEST_TMPDIR/state" --listen 127.0.0.1:0
	[[ $output == *"unable to use the tokens '$BATS_TEST_TMPDIR/state/tokens': line 2: "* ]]
}

@test "the audit log: who changed what, and who was refused; no secret, no query" {
	start_gateway
	[ "$(code "$url/api/agents/registry")" = 200 ]
	[ "$(code "${emit[@]}" "$url/api/agents/events?x=1")" = 200 ]
	audit | jq -e '.user == "local" and .token == null and .action == "POST" and .subject == "/api/agents/events" and .status == 200 and (.peer | startswith("127.0.0.1:"))'
	token=$(make_token --user ann --scope read)
	[ "$(bearer "$token" /api/agents/events "${emit[@]}")" = 403 ]
	audit | tail -n 1 | jq -e --arg id "${token:4:12}" '.user == "ann" and .token == $id and .status == 403'
	[ "$(bearer wrong /api/agents/registry)" = 401 ]
	audit | tail -n 1 | jq -e '.user == null and .action == "GET" and .status == 401'
	[ "$(audit | grep -vc '"token\.')" = 3 ]
	run -1 grep -Fe "${token:17}" "$BATS_TEST_TMPDIR/state/audit.ndjson"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/state/audit.ndjson")" = 600 ]
}

@test "the audit log can be moved away; refused callers cannot fill the disk" {
	token=$(make_token --user ann)
	start_gateway
	mv state/audit.ndjson old
	kill -HUP "$gateway_pid"
	await 10 test -e state/audit.ndjson
	seq 400 | sed "s|.*|url=$url/api/status\noutput=/dev/null|" | curl -sS -K - >/dev/null
	[ "$(bearer "$token" /api/agents/events "${emit[@]}")" = 200 ]
	lines=$(audit | wc -l)
	[ "$lines" -ge 101 ] && [ "$lines" -le 300 ]
	[ "$((lines - 1 + $(audit | jq -s 'map(.skipped // 0) | add')))" = 400 ]
}

@test "an audit log on a full disk: requests go on, and it is said once" {
	[ -e /dev/full ] || skip "this system has no /dev/full"
	mkdir -p state
	ln /dev/full state/audit.ndjson 2>/dev/null || mknod state/audit.ndjson c 1 7 2>/dev/null || skip "no full disk can be made here"
	start_gateway
	for i in 1 2 3; do [ "$(code "${emit[@]}" "$url/api/agents/events")" = 200 ]; done
	[ "$(grep -c 'unable to write to the audit log' "$gateway_log.err")" = 1 ]
}

@test "a browser exchanges its token for a cookie, uses it, and closes it" {
	token=$(make_token --user ann --workspace acme)
	start_gateway
	session=$url/v1/auth/session
	[ "$(code -X POST "$session")" = 401 ]
	[ "$(cat answer)" = '{"code":"UNAUTHORIZED","message":"Authentication required"}' ]
	[ "$(bearer "$token" /v1/auth/session -X POST -H 'x-request-id: r1' -D head)" = 201 ]
	jq -e '.user.id == "ann" and .workspaces == [{"slug":"acme"}] and .activeWorkspaceSlug == "acme" and .everywhere == false and .scopes == ["read","write"]' answer
	grep -qi '^x-request-id: r1' head
	grep -qi '^cache-control: no-store' head
	cookie=$(sed -n 's/^set-cookie: \(__Host-compass_session=[A-Za-z0-9_-]*\); Path=\/; HttpOnly; Secure; SameSite=Lax; Max-Age=28800\r$/\1/p' head)
	[ ${#cookie} = 66 ]
	run -1 grep -rFe "${cookie#*=}" "$BATS_TEST_TMPDIR/state"
	[ "$(code -b "$cookie" "$url/v1/auth/me")" = 200 ]
	jq -e '.user.id == "ann"' answer
	[ "$(code -b "$cookie" "$url/v1/agent/threads/t")" = 404 ]
	[ "$(jq -r .code answer)" = AGENT_THREAD_NOT_FOUND ]
	[ "$(code -b "$cookie" -H 'content-type: application/json' -d '{}' "$url/v1/agent/threads")" = 403 ]
	[ "$(jq -r .code answer)" = CSRF_ORIGIN_REQUIRED ]
	[ "$(code -b "$cookie" -H 'Origin: http://evil.example' -X DELETE "$session")" = 403 ]
	[ "$(jq -r .code answer)" = CSRF_ORIGIN_DENIED ]
	# another gateway on the same state
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	start_gateway
	session=$url/v1/auth/session
	[ "$(code -b "$cookie" "$url/v1/auth/me")" = 200 ]
	[ "$(code -b "$cookie" -H "Origin: $url" -X DELETE -D head "$session")" = 204 ]
	grep -qi '^set-cookie: __Host-compass_session=; .*Max-Age=0' head
	[ "$(code -b "$cookie" "$url/v1/auth/me")" = 401 ]
	audit | jq -es 'map(select(.subject == "/v1/auth/session" and .user == "ann") | .action + " " + (.status | tostring)) == ["POST 201", "DELETE 204"]'
	[ "$(code -X PUT "$session")" = 404 ]
}

@test "a session ends by its time, by its sleep, and with its token" {
	token=$(make_token --user ann)
	AUTH_SESSION_TTL_SECONDS=1 start_gateway
	open_session() { bearer "$token" /v1/auth/session -X POST -c jar >/dev/null && awk '/__Host/ { print $6 "=" $7 }' jar; }
	cookie=$(open_session)
	over() { [ "$(code -b "$cookie" "$url/v1/auth/me")" = 401 ] && [ "$(jq -r .code answer)" = "$1" ]; }
	await 10 over UNAUTHORIZED
	common_teardown
	AUTH_SESSION_IDLE_TTL_SECONDS=0 start_gateway
	cookie=$(open_session)
	[ "$(code -b "$cookie" "$url/v1/auth/me")" = 200 ]
	common_teardown
	start_gateway
	cookie=$(open_session)
	[ "$(code -b "$cookie" "$url/v1/auth/me")" = 200 ]
	agent-gateway-token --state "$BATS_TEST_TMPDIR/state" revoke "${token:4:12}"
	over UNAUTHORIZED
}
