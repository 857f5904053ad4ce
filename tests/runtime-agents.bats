#!/usr/bin/env bats
# runtime-agents.bats - the table of agents
load lib/common

setup() {
	common_setup
	start_clarity
}
teardown() { common_teardown; }

@test "the table of the contract: address as typed, columns padded, rows by service" {
	run -0 runtime-agents "$url/"
	assert_line -n 0 "Runtime: $url/"
	assert_line -n 1 'service_id      agent_id        name           triggers  lifecycle   health '
	assert_line -n 2 '--------------  --------------  -------------  --------  ----------  -------'
	assert_line -n 3 'svc_00echo      echo-agent      EchoAgent      api       REGISTERED  UNKNOWN'
	assert_line -n 12 'svc_09timer     timer-agent     TimerAgent     timer     REGISTERED  UNKNOWN'
}

@test "--json gives the registry's items, one a line" {
	runtime-agents --json "$url" >out
	run jq -s -c 'length, .[0].agent.agentId' out
	assert_output '10
"echo-agent"'
	run wc -l <out
	assert_output 10
}

@test "an empty registry is no failure; an unreachable server, HTML and cut JSON are" {
	curl -s -d '{"registry":"empty"}' "$url/__fake" >/dev/null
	run -0 runtime-agents "$url"
	assert_output "Runtime: $url
No registered agent services found."
	run -3 runtime-agents http://127.0.0.1:1
	assert_line -n 0 'Runtime: http://127.0.0.1:1'
	for fault in html truncate; do
		curl -s -d "{\"registry\":\"$fault\"}" "$url/__fake" >/dev/null
		run -7 runtime-agents "$url"
		refute_output -p service_id
	done
}

@test "--token and --token-file reach the server, a wrong one is status 4" {
	start_clarity --auth-token sesame
	run -4 runtime-agents "$url" --token wrong
	assert_output -p 401
	run -0 runtime-agents "$url" --token=sesame
	assert_output -p svc_00echo
	echo sesame >token
	run -0 runtime-agents --token-file token "$url"
	assert_output -p svc_00echo
}

@test "the front of the shell commands: help, version, options, wrong options, beginnings" {
	local name
	for name in runtime-agents runtime-chat clarity-agent agent-pick; do
		run -0 "$name" --help
		assert_line -p "usage: $name "
		assert_line "more: man $name"
		run -0 "$name" -V
		assert_output "$name (agentutils) ${AU_VERSION:-$(agent-show --version | sed 's/.* //')}"
		run -0 "$name" --options
		assert_line "h	help	-	show this help and exit"
		run -2 "$name" --nope
		assert_line -n 0 "$name: unknown option '--nope'"
		assert_line -n 1 "$name: Try '$name --help'."
		run -2 "$name" -x
		assert_line -n 0 "$name: unknown option '-x'"
	done
	run -2 runtime-agents --token
	assert_line -n 0 "runtime-agents: option '--token' needs an argument"
	run -2 runtime-agents --js=1 "$url"
	assert_line -n 0 "runtime-agents: unknown option '--js=1'"
	run -0 runtime-agents "$url" --js -q
	assert_line -n 0 -p '{"serviceId"'
	run -2 runtime-agents --to x
	assert_line -n 0 "runtime-agents: unknown option '--to'"
	run -2 runtime-agents --errors json one two
	assert_output -e '^\{"error":\{"code":"usage","status":2,"message":"unexpected operand .two.",.*"program":"runtime-agents"\}\}$'
	run -8 bash -c 'runtime-agents --help >/dev/full'
}

@test "a command works through a link from elsewhere, without its folder on PATH" {
	ln -s "$(command -v runtime-agents)" there
	run -0 env PATH=/usr/bin:/bin ./there "$url"
	assert_output -p svc_00echo
}
