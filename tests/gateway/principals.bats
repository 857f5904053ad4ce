#!/usr/bin/env bats
# Who asks: tokens with users, workspaces and scopes; how often; and what is written down of it.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }
code() { curl -sS -o answer -w '%{http_code}' "$@"; }
bearer() { # TOKEN PATH [curl's options]
	local token=$1 path=$2
	shift 2
	code -H "Authorization: Bearer $token" "$@" "$url$path"
}
make_token() { agent-gateway-token --state "$BATS_TEST_TMPDIR/state" create "$@" | jq -r .token; }
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
	[ "$(bearer "${token%?}A" /api/agents/registry)$(bearer "${token}A" /api/agents/registry)" = 401401 ]
	[ "$(bearer "agt_000000000000_${token#agt_*_}" /api/agents/registry)" = 401 ]
	agent-gateway-token --state "$BATS_TEST_TMPDIR/state" revoke "${token:4:12}"
	[ "$(bearer "$token" /api/agents/registry)" = 401 ]
	[ "$(code "$url/api/agents/registry")" = 401 ] # the last one is gone: that opens nothing
	rm "$BATS_TEST_TMPDIR/state/tokens"
	[ "$(code "$url/api/agents/registry")" = 401 ]
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
	codes=$(for i in 1 2 3 4; do bearer "$ann" /api/status; done)
	[ "$codes" = 200200429429 ]
	[ "$(jq -r .error answer)" = 'too many requests' ]
	curl -sSi -H "Authorization: Bearer $ann" "$url/api/status" | grep -qi '^retry-after: 1'
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
	run -1 grep -F "${token:17}" "$BATS_TEST_TMPDIR/state/audit.ndjson"
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
