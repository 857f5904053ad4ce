#!/usr/bin/env bats
# agent-registry: what servers offer, and every way in which a server can fail to say it.
load lib/common
load lib/faults

setup() { common_setup; }
teardown() { common_teardown; }

@test "it lists the agents of a gateway, one a line" {
	start_gateway
	run -0 --separate-stderr agent-registry
	[ "$(jq -rs 'map(.agent.agentId) | join(" ")' <<<"$output")" = "echo shell" ]
	[ "$(agent-registry --agent echo --jq .serviceId)" = svc_echo ]
	[ "$(agent-registry -0 | tr '\0' ' ')" = "svc_echo svc_shell " ]
}

@test "and those of a Clarity runtime, whose JSON is laid out over many lines" {
	start_clarity
	run -0 --separate-stderr agent-registry
	[ "${#lines[@]}" -ge 2 ]
	jq -e .serviceId <<<"${lines[0]}"
}

@test "no agent is the answer no, with nothing on standard output" {
	start_gateway --agents "$(mktemp -d)"
	run -1 --separate-stderr agent-registry
	[ -z "$output" ]
	[[ $stderr == *"no agents are registered"* ]]
}

@test "numbers and escapes pass through untouched" {
	serve_fault registry 200 application/json '{"items":[{"serviceId":"s","big":12345678901234567890,"e":1.0e5,"t":"\u00e9\/x"}]}'
	run -0 --separate-stderr agent-registry
	[ "$output" = '{"serviceId":"s","big":12345678901234567890,"e":1.0e5,"t":"\u00e9\/x"}' ]
}

@test "a server that is not there is status 3, with its address and the reason" {
	run -3 --separate-stderr agent-registry --url http://127.0.0.1:1
	[ "$stderr" = "agent-registry: fatal: unable to list the agents: unable to reach http://127.0.0.1:1: connection refused" ]
}

@test "an address that is none is a usage error, and shows no password" {
	for url in ftp://h http:// http://h:0 http://h:99999 'http://a b' unix:relative 'http://h/?x'; do
		AGENT_RUNTIME_URL='' run -2 --separate-stderr agent-registry --url "$url" || true
		[ "$status" = 2 ] || { echo "$url: $status $stderr"; return 1; }
	done
	for url in http://me:secret@h/ me:secret@h 'me:secret@h h' ftp://me:secret@h 'http://h?a=me:secret@h'; do
		run --separate-stderr agent-registry --url "$url"
		[ "$status" = 2 ]
		[[ $stderr != *secret* && $stderr == *...@h* ]]
	done
}

@test "each refusal has its status" {
	while read -r code want; do
		serve_fault registry "$code" application/json '{"error":"because"}'
		run --separate-stderr agent-registry
		[ "$status" = "$want" ] || { echo "$code: $status $stderr"; return 1; }
		[[ $stderr == *"because ($code)"* ]]
	done <<-'T'
	400 6
	401 4
	403 4
	404 1
	409 14
	410 15
	413 6
	429 75
	500 7
	503 75
	504 5
	T
}

@test "HTML instead of JSON is status 7, says what came, and shows it safely" {
	serve_fault registry 200 text/html $'<html>\033[31m</html>'
	run -7 --separate-stderr agent-registry
	[[ $stderr == *"answered 200 with text/html, '<html>\\x1b[31m</html>'"* ]]
	[[ $stderr == *"hint: "* ]]
}

@test "JSON that was cut off is status 7, after what came whole" {
	serve_fault registry 200 application/json '{"items":[{"serviceId":"a"},{"serviceId"'
	run -7 --separate-stderr agent-registry
	[ "$output" = '{"serviceId":"a"}' ]
	[[ $stderr == *"cut off"* ]]
}

@test "a server that never answers is status 5 when the time is over" {
	serve_fault registry hang text/plain ''
	run -5 --separate-stderr agent-registry --timeout 300ms
	[[ $stderr == *"deadline passed"* ]]
}

@test "Retry-After becomes retry_at" {
	serve_fault registry 429 application/json '{"error":"slow down"}' 'Retry-After: 7'
	run -75 --separate-stderr agent-registry --errors json
	jq -e '.error.retry_at | type == "string"' <<<"$stderr"
}

@test "TLS that is not trusted is refused, and --cacert trusts it" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
	serve_fault registry 200 application/json '{"items":[{"serviceId":"s"}]}' '' tls
	run -3 --separate-stderr agent-registry
	[[ $stderr == *certificate* ]]
	run -0 --separate-stderr agent-registry --cacert cert.pem
	[ "$output" = '{"serviceId":"s"}' ]
	run -9 --separate-stderr agent-registry --cacert /no/such/file
}

@test "a proxy from the environment is used" {
	serve_fault registry 200 application/json '{"items":[{"serviceId":"by-proxy"}]}'
	proxy=$AGENT_RUNTIME_URL
	AGENT_RUNTIME_URL=http://nowhere.invalid http_proxy=$proxy run -0 --separate-stderr agent-registry
	[ "$output" = '{"serviceId":"by-proxy"}' ]
}

@test "tokens come from a file or the environment, and a file that has none is refused" {
	start_clarity --auth-token s3cret
	run -4 --separate-stderr agent-registry
	[[ $stderr == *"unauthorized (401)"* ]]
	AGENT_RUNTIME_TOKEN=s3cret agent-registry >/dev/null
	CLARITY_RUNTIME_TOKEN=s3cret agent-registry >/dev/null
	printf 's3cret\n' >token
	agent-registry --token-file token >/dev/null
	: >empty
	run -9 agent-registry --token-file empty
	run -9 agent-registry --token-file /no/such
}

@test "a Unix socket is an address" {
	start_gateway --listen "unix:$BATS_TEST_TMPDIR/s"
	[ "$(agent-registry --url "unix:$BATS_TEST_TMPDIR/s" --agent echo --jq .serviceId)" = svc_echo ]
}

@test "a filter that does not compile is a usage error, whatever the server does, and nothing is printed or changed" {
	for command in agent-registry agent-runs 'agent-events --all' 'agent-events r' 'agent-threads --workspace w' 'agent-thread-show t' 'agent-approvals t' 'agent-send --service svc_echo --agent echo --run r hello'; do
		read -ra words <<<"$command"
		run -2 --separate-stderr "${words[0]}" --jq '.a |' --url http://127.0.0.1:1 "${words[@]:1}"
		[ -z "$output" ]
		[[ $stderr == *"unable to use --jq '.a |': "*"syntax error"* && $stderr != *refused* ]] || { echo "$command: $stderr"; return 1; }
	done
	start_gateway
	run -2 --separate-stderr agent-registry --jq '.a |'
	[ -z "$output" ]
	run -2 --separate-stderr agent-registry --agent none --jq 'nothing'
	[[ $stderr == *"nothing/0 is not defined"* ]]
	run -2 agent-send --service svc_echo --agent echo --run r --jq '.a |' hello
	run -1 agent-events r
	# one that compiles, and fails on what it gets
	run -6 --separate-stderr agent-registry --jq 'error("so")'
	[[ $stderr == *"unable to run the filter: so"* ]]
}
