#!/usr/bin/env bats
# clarity-agent: the two commands under the name that Clarity users know.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "it hands over to runtime-agents and runtime-chat with their arguments" {
	start_gateway
	run -0 clarity-agent runtime-agents "$url"
	[ "${lines[0]}" = "Runtime: $url" ]
	[[ $output == *"svc_echo    echo"* ]]
	run -0 clarity-agent runtime-chat "$url" svc_echo < <(echo hello)
	[[ $output == *"Echo: hello"* ]]
}

@test "no command and an unknown one are usage errors" {
	run -2 --separate-stderr clarity-agent
	[ -z "$output" ]
	run -2 --separate-stderr clarity-agent nonsense
	[[ $stderr == *"unknown command 'nonsense'"* ]]
}
