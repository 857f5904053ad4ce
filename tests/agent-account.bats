#!/usr/bin/env bats
# The runtime's account: read, logged in and out, its limits.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "who is logged in; a runtime that wants a login and has none is a no" {
	start_compass
	run -0 agent-account-read
	jq -e '.provider == "mock" and .account.type == "mock"' <<<"$output"
	start_compass --provider local
	run -1 agent-account-read --refresh
	jq -e '.requiresOpenaiAuth and .account == null' <<<"$output"
	run -2 agent-account-read x
}

@test "a key comes from standard input or a file, and stands in no argument, message or output" {
	start_compass --provider local
	printf ' sk-verysecretkey1\n' >key
	run -0 --separate-stderr agent-account-login apiKey <key
	jq -e '. == {type: "apiKey", loginId: null, authUrl: null}' <<<"$output"
	[ -z "$stderr" ]
	[ "$(agent-account-read --jq .authMode)" = apikey ]
	[ "$(agent-account-logout)" = '{}' ]
	run -1 agent-account-read
	agent-account-login --file key apiKey >/dev/null
	echo bad >key
	run -6 --separate-stderr agent-account-login --file key apiKey
	[[ $stderr == *"the key was refused (400 RUNTIME_AUTH_LOGIN_FAILED)"* ]]
	run -2 --separate-stderr agent-account-login apiKey sk-verysecretkey1
	[[ $stderr != *verysecret* ]]
	run -6 agent-account-login apiKey <<<' '
	run -8 agent-account-login --file nowhere apiKey
}

@test "tokens of an account" {
	start_compass --provider local
	run -0 agent-account-login --account acc-1 --plan plus chatgptAuthTokens <<<token
	[ "$(agent-account-read --jq .authMode)" = chatgptAuthTokens ]
	run -2 agent-account-login chatgptAuthTokens <<<token
	run -2 agent-account-login --account x apiKey <<<token
	run -2 agent-account-login
	run -2 agent-account-login github
}

@test "a login in the browser: its address on standard error, and it waits until that is done" {
	start_compass --provider local
	start login agent-account-login chatgpt
	await 10 has_line login.err 'open https://auth.example/authorize'
	[ ! -s login.out ]
	id=$(sed -n 's/.*state=//p' login.err)
	tell '{"notify":{"method":"account/login/completed","payload":{"loginId":"other","success":true}}}' >/dev/null
	tell '{"notify":{"method":"account/login/completed","payload":{"loginId":null,"success":true}}}' >/dev/null
	tell "{\"login\":\"$id\"}" >/dev/null
	await 10 gone "$pid"
	wait "$pid"
	jq -e --arg id "$id" '.loginId == $id' login.out
	[ "$(agent-account-read --jq .account.email)" = a@b.c ]
}

@test "a login that fails in the browser, and one that is given up" {
	start_compass --provider local
	start login agent-account-login chatgpt
	await 10 has_line login.err 'open https:'
	tell "{\"login\":\"$(sed -n 's/.*state=//p' login.err)\",\"ok\":false}" >/dev/null
	await 10 gone "$pid"
	run -4 wait "$pid"
	grep -q 'unable to log in: denied in the browser' login.err
	start login env --default-signal=INT agent-account-login chatgpt
	await 10 has_line login.err 'open https:'
	kill -INT "$pid"
	await 10 gone "$pid"
	run -130 wait "$pid"
	told '.counts["POST /v1/agent/runtime/account/login/cancel"] == 1'
	run -5 agent-account-login --timeout 300ms chatgpt
	told '.counts["POST /v1/agent/runtime/account/login/cancel"] == 2'
}

@test "where notifications cannot be had, the account itself tells" {
	start_compass --provider local
	tell '{"stream":"404"}' >/dev/null
	start login agent-account-login chatgpt
	await 10 has_line login.err 'open https:'
	tell "{\"login\":\"$(sed -n 's/.*state=//p' login.err)\"}" >/dev/null
	await 15 gone "$pid"
	wait "$pid"
}

@test "a login that nobody waits for is cancelled by its record or its id" {
	start_compass --provider local
	run -0 --separate-stderr agent-account-login --no-wait chatgpt
	[[ $stderr == *"open https:"* ]]
	id=$(jq -r .loginId <<<"$output")
	run -0 agent-account-cancel <<<"$output"
	[ "$output" = "{\"status\":\"canceled\",\"loginId\":\"$id\"}" ]
	run -1 agent-account-cancel "$id"
	[ "$output" = "{\"status\":\"notFound\",\"loginId\":\"$id\"}" ]
	run -6 agent-account-cancel <<<'{}'
	run -2 --separate-stderr agent-account-cancel ''
	[ "$stderr" = "agent-account-cancel: error: unable to use LOGIN '': it is empty" ]
}

@test "limits; and what a provider without accounts says" {
	start_compass --provider local
	[ "$(agent-account-limits --jq .rateLimits.primary.usedPercent)" = 42 ]
	start_compass
	[ "$(agent-account-limits)" = '{"rateLimits":null,"rateLimitsByLimitId":null}' ]
	for c in 'agent-account-logout' 'agent-account-login --no-wait chatgpt' 'agent-account-cancel x'; do
		run -6 --separate-stderr $c
		[[ $stderr == *"(400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED)"* ]]
	done
}
