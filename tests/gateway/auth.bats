#!/usr/bin/env bats
# Who may come in: the contract's section 3, and what it lacks.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "without a token this machine is served, whatever token it sends" {
	start_gateway
	[ "$(code "$url/api/agents/registry")" = 200 ]
	[ "$(code -H 'Authorization: Bearer x' "$url/api/agents/registry")" = 200 ]
}

@test "with a token: bearer first, then the header, then the query of streams" {
	CLARITYD_AUTH_TOKEN=" s3cret " start_gateway
	[ "$(code "$url/api/agents/registry")" = 401 ]
	[ "$(cat answer)" = $'{\n  "error": "unauthorized"\n}' ]
	curl -sSi "$url/api/status" | grep -qi '^www-authenticate: Bearer'
	[ "$(code -H 'authorization: bearer   s3cret' "$url/api/agents/registry")" = 200 ]
	[ "$(code -H 'x-clarity-token: s3cret' "$url/api/agents/registry")" = 200 ]
	[ "$(code -H 'Authorization: Bearer wrong' -H 'x-clarity-token: s3cret' "$url/api/agents/registry")" = 401 ]
	[ "$(code -H 'Authorization: Basic wrong' -H 'x-clarity-token: s3cret' "$url/api/agents/registry")" = 200 ]
	[ "$(code "$url/api/agents/registry?token=s3cret")" = 401 ]
	curl -sSNi -m 20 "$url/api/events?token=s3cret" 2>/dev/null | grep -qm 1 '^HTTP/1.1 200 '
	[ "$(code "$url/nope")" = 404 ]
	[ "$(code "$url/healthz")" = 200 ]
}

@test "an empty CLARITYD_AUTH_TOKEN ends the search, an unset one does not" {
	CLARITYD_AUTH_TOKEN='' CLARITY_API_TOKEN=x start_gateway
	[ "$(code "$url/api/status")" = 200 ]
	common_teardown
	CLARITY_API_TOKEN=x start_gateway --state other
	[ "$(code "$url/api/status")" = 401 ]
}

@test "a token file is read, refused when it holds none, and read again on SIGHUP" {
	echo one >token
	start_gateway --token-file token
	[ "$(code -H 'x-clarity-token: one' "$url/api/status")" = 200 ]
	echo two >token
	kill -HUP "$gateway_pid"
	second() { [ "$(code -H 'x-clarity-token: two' "$url/api/status")" = 200 ]; }
	await 10 second
	: >token
	kill -HUP "$gateway_pid"
	await 10 has_line "$gateway_log.err" 'the old token stays'
	second
	run -9 agent-gateway --token-file token --state s2
	run -9 agent-gateway --token-file /no/such --state s2
}

@test "a web page cannot use the operator's browser" {
	start_gateway
	[ "$(code -H 'Host: evil.example' "$url/api/agents/registry")" = 403 ]
	grep -q "host 'evil.example' is not allowed" answer
	[ "$(code -H 'Origin: http://evil.example' -H 'Content-Type: text/plain' -d '{"kind":"agent.x"}' "$url/api/agents/events")" = 403 ]
	[ "$(code -H 'Origin: null' -d '{"kind":"agent.x"}' "$url/api/agents/events")" = 403 ]
	[ "$(code -H "Origin: $url" -d '{"kind":"agent.x"}' "$url/api/agents/events")" = 200 ]
	for host in localhost 127.0.0.1 127.1.2.3:80 '[::1]:4'; do [ "$(code -H "Host: $host" "$url/api/agents/registry")" = 200 ]; done
	[ "$(code -H 'Host: 127.evil.example' "$url/api/agents/registry")" = 403 ]
	common_teardown
	start_gateway --allow-host agents.example
	[ "$(code -H 'Host: agents.example' "$url/api/agents/registry")" = 200 ]
}

@test "other machines need a token" {
	address=$(hostname -I 2>/dev/null | awk '{ print $1 }')
	[ -n "$address" ] || skip "this machine has no address but loopback"
	start_gateway --listen 0.0.0.0:0
	port=$(jq -r .url "$gateway_log.out" | tail -n 1 | sed 's/.*://')
	[ "$(code --noproxy '*' "http://$address:$port/api/agents/registry")" = 403 ]
	[ "$(cat answer)" = $'{\n  "error": "forbidden: configure CLARITYD_AUTH_TOKEN for non-loopback access"\n}' ]
}
