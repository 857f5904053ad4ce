#!/usr/bin/env bats
# The WebSocket client of the commands: TLS, proxies, tokens, refusals.
load lib/common

setup() {
	common_setup
	PATH=$AU_BUILD/tests/fake:$PATH
	start echo ws-echo
	await 10 has_line echo.out '^http'
	url=$(head -n 1 echo.out)
}
teardown() { common_teardown; }
relay() { # NAME [options]: sets $relay
	local name=$1
	shift
	start "$name" python3 "$AU_SRC/tests/fake/fake-relay" "$@"
	await 20 has_line "$name.out" '^http'
	relay=$(head -n 1 "$name.out")
}
certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
}

@test "texts go and come, and a goodbye ends it" {
	run -0 ws-cat --url "$url" one 'zwei ü' '' bye
	[ "$output" = $'one\nzwei ü\n' ] || [ "$output" = $'one\nzwei ü' ]
	run -3 --separate-stderr ws-cat --url "$url" one boom
	[ "$output" = one ]
	[ "$stderr" = "ws-cat: fatal: the server said goodbye: 1011 boom" ]
}

@test "through TLS, large and small; not to one that is not trusted" {
	certificate
	relay tls --to "${url#http://}" --cert cert.pem --key key.pem
	big=$(head -c 60000 /dev/zero | tr '\0' x)
	run -0 ws-cat --cacert cert.pem --url "$relay" small "$big" "$big" bye
	[ "$output" = "small"$'\n'"$big"$'\n'"$big" ]
	run -3 --separate-stderr ws-cat --url "$relay" bye
	[[ $stderr == *"unable to echo: unable to reach $relay: SSL certificate problem: self-signed certificate"* ]]
}

@test "through a proxy's tunnel, plain and with TLS inside; a proxy that refuses is named" {
	certificate
	relay proxy --proxy
	proxy=$relay
	http_proxy=$proxy run -0 ws-cat --url "$url" hi bye
	[ "$output" = hi ]
	has_line proxy.out "^CONNECT ${url#http://}\$"
	relay tls --to "${url#http://}" --cert cert.pem --key key.pem
	https_proxy=$proxy run -0 ws-cat --cacert cert.pem --url "$relay" hi bye
	[ "$output" = hi ]
	has_line proxy.out "^CONNECT ${relay#https://}\$"
	http_proxy=$proxy no_proxy=127.0.0.1 run -0 ws-cat --url "$url" hi bye
	[ "$(grep -c CONNECT proxy.out)" = 2 ]
	relay strict --proxy --refuse
	http_proxy=$relay run -3 --separate-stderr ws-cat --url "$url" hi
	[[ $stderr == *"403"* ]]
}

@test "a token is brought, and a refusal is status 4 with the server's words" {
	AGENT_RUNTIME_TOKEN=right run -0 ws-cat --url "$url" hi bye
	AGENT_RUNTIME_TOKEN=wrong run -4 --separate-stderr ws-cat --url "$url" hi
	[ "${stderr_lines[0]}" = "ws-cat: fatal: unable to echo: Authentication required (401 WS_UPGRADE_REJECTED)" ]
}

@test "a server that is gone, one that speaks something else, one that never answers" {
	run -3 --separate-stderr ws-cat --url http://127.0.0.1:1 hi
	[[ $stderr == *"unable to echo: unable to reach http://127.0.0.1:1: connection refused"* ]]
	start hang python3 "$AU_SRC/tests/fake/fake-http" --status hang
	await 20 has_line hang.out '^http'
	run -5 --separate-stderr ws-cat --timeout 300ms --url "$(head -n 1 hang.out)" hi
	printf '{"status":"ok"}' >body
	start plain python3 "$AU_SRC/tests/fake/fake-http" --body body
	await 20 has_line plain.out '^http'
	run -7 --separate-stderr ws-cat --url "$(head -n 1 plain.out)" hi
	[[ $stderr == *"answered 200 with application/json, '{\"status\":\"ok\"}'"* ]]
}

@test "odd handshakes, broken frames and resets by the hundred: the server answers, and stays" {
	for seed in 1 2 3; do start "storm$seed" python3 "$AU_SRC/tests/fake/ws-storm" "$url" 150 "$seed"; done
	for seed in 1 2 3; do await 120 has_line "storm$seed.out" good || { cat "storm$seed.err"; return 1; }; done
	run -0 ws-cat --timeout 60s --url "$url" hi bye
	[ "$output" = hi ]
	[ ! -s echo.err ]
}
