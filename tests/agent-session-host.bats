#!/usr/bin/env bats
# agent-session-host: the routes of the session host around agent-runtime-mock.
load lib/common

setup() {
	common_setup
	unset HOST PORT SESSION_RUNTIME_ENGINE SESSION_RUNTIME_TOKEN MAX_BODY_BYTES CODEX_APP_SERVER_COMMAND CODEX_APP_SERVER_ARGS CODEX_RUNTIME_MAX_RESTARTS MOCK_ENGINE_MAX_SLEEP_MS
	libexec=$AU_BUILD/libexec/agentutils
	cat >script <<-'END'
		{"on":"turn","contains":"SLOW"}
		{"repeat":100000,"steps":[{"delta":"${i} "},{"wait":"10ms"}]}
		{"on":"turn","contains":"ASK"}
		{"command":"touch asked","ask":true,"output":"done"}
		{"say":"answer: ${answer}"}
		{"on":"turn","contains":"FAIL"}
		{"fail":"it went wrong","info":"serverOverloaded"}
		{"on":"turn","contains":"DIE"}
		{"exit":3}
		{"on":"turn","contains":"PAUSE"}
		{"wait":"300ms"}
		{"say":"after a while"}
	END
}
teardown() { common_teardown; }

# sets $host
serve() {
	start serve "$libexec/agent-session-host" --listen 127.0.0.1:0 "$libexec/agent-runtime-mock" --chunk 3 --script "$BATS_TEST_TMPDIR/script"
	await 20 has_line serve.out listening || { cat serve.err >&2; return 1; }
	host=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' serve.out)
}
post() { # PATH [BODY] [options]
	local path=$1 body=${2-}
	shift; [ $# = 0 ] || shift
	code -X POST -H 'content-type: application/json' -d "$body" "$@" "$host/agent/$path"
}
get_health() { code "$host/health" >/dev/null && jq -e "$1" answer; }

@test "it says where it listens, and starts the runtime when it is needed" {
	serve
	[[ $(cat serve.out) == "codex-session-runtime listening on http://127.0.0.1:"*" (engine=codex)" ]]
	[ "$(code -D head "$host/health")" = 200 ]
	grep -qix $'content-type: application/json\r' head
	grep -qix $'cache-control: no-store\r' head
	jq -e '.status == "ok" and .engine == "codex" and .requestCount == 1 and .codex.running == false and .codex.readyAt == null
		and .codex.restartCount == 0 and .codex.stderrTail == [] and .codex.lastError == "" and .codex.args[0] == "--chunk"' answer
	[ "$(post 'session/bootstrap?identifier=A')" = 200 ]
	get_health '.codex.running and .codex.initialized and .codex.pid > 0 and .codex.readyAt != null'
	[ "$(code "$host/nope")" = 404 ]
	[ "$(cat answer)" = '{"code":"NOT_FOUND","message":"Not Found"}' ]
	kill "$pid"
	wait "$pid"
}

@test "a session is sticky, and its first turn goes to the thread it was given" {
	serve
	[ "$(post 'session/bootstrap?identifier=A' 'not read')" = 200 ]
	jq -e '.ok and (.session | .identifier == "A" and .turnCount == 0 and .codexThreadId != null and .codexBootstrappedAt != null) and .runtime.engine == "codex"' answer
	thread=$(jq -r .session.codexThreadId answer)
	id=$(jq -r .session.sessionId answer)
	[ "$(post 'turns/start?identifier=A' '{"text":" hello ","turnId":"mine"}')" = 200 ]
	jq -e --arg thread "$thread" --arg id "$id" '.turnId == "mine" and .status == "completed" and (.outputText | endswith("response: hello"))
		and (.runtimeMetadata | .protocol == "jsonrpc-v2" and .status == "completed" and .codexThreadId == $thread and .sessionId == $id and .codexTurnId != null and .codexPid > 0)' answer
	[ "$(post 'session/bootstrap?identifier=A')" = 200 ]
	jq -e --arg thread "$thread" '.session.codexThreadId == $thread and .session.turnCount == 1' answer
	[ "$(post 'session/bootstrap?identifier=B')" = 200 ]
	jq -e --arg thread "$thread" '.session.codexThreadId != $thread' answer
}

@test "a turn that is silent for long shows that it goes on" {
	serve
	echo '{"on":"turn","contains":"LONG"}
		{"wait":"20s"}
		{"say":"at last"}' >>script
	start reader curl -sSN -X POST -H 'content-type: application/json' -H 'accept: text/event-stream' -d '{"text":"LONG"}' "$host/agent/turns/start?identifier=A"
	await 60 has_line reader.out '^: ping'
	await 60 has_line reader.out '^event: result'
	grep -q 'at last' reader.out
}

@test "pieces for a slow reader are the beginning of the whole, which comes in the end" {
	serve
	head -c 3000000 /dev/zero | tr '\0' x >long
	printf '{"text":"%s"}' "ECHO $(head -c 900000 long)" >body
	curl -sSN --limit-rate 400K -X POST -H 'content-type: application/json' -H 'accept: text/event-stream' --data-binary @body "$host/agent/turns/start?identifier=A" >got
	sed -n 's/^data: //p' got | jq -rj 'select(.delta) | .delta' >pieces
	sed -n 's/^data: //p' got | jq -rj 'select(.outputText) | .outputText' >whole
	[ "$(wc -c <whole)" -gt 900000 ]
	[ "$(wc -c <pieces)" -gt 0 ]
	cmp -n "$(wc -c <pieces)" pieces whole
}

@test "first bootstraps at once make one thread" {
	serve
	for i in 1 2 3 4 5; do curl -sS -X POST "$host/agent/session/bootstrap?identifier=A" >"b$i" & pids+=($!); done
	wait "${pids[@]}"
	[ "$(jq -r .session.codexThreadId b? | sort -u | wc -l)" = 1 ]
}

@test "what is missing or wrong" {
	serve
	[ "$(post session/bootstrap)" = 400 ]
	[ "$(cat answer)" = "{\"code\":\"IDENTIFIER_REQUIRED\",\"message\":\"Query param 'identifier' is required\"}" ]
	[ "$(post 'turns/start?identifier=A' '{"text":"  "}')" = 400 ]
	[ "$(cat answer)" = "{\"code\":\"TEXT_REQUIRED\",\"message\":\"Body field 'text' is required\"}" ]
	[ "$(post 'turns/start?identifier=A' '{')" = 400 ]
	[ "$(cat answer)" = '{"code":"INVALID_JSON","message":"Request body must be valid JSON"}' ]
	[ "$(post turns/none/interrupt)" = 404 ]
	[ "$(cat answer)" = '{"code":"TURN_NOT_FOUND","message":"Turn not found"}' ]
	head -c 1100000 /dev/zero | tr '\0' ' ' >large
	[ "$(code -X POST -H 'content-type: application/json' -H 'expect:' --data-binary @large "$host/agent/turns/start?identifier=A")" = 413 ]
	[ "$(cat answer)" = '{"code":"BODY_TOO_LARGE","message":"Request body exceeds configured limit"}' ]
	[ "$(post 'turns/start?identifier=A' '{"text":"FAIL","turnId":"f"}')" = 502 ]
	jq -e '.code == "RUNTIME_EXECUTION_FAILED" and (.message | contains("it went wrong")) and .turnId == "f"' answer
}

@test "turns of one session go one after another, those of two side by side" {
	serve
	start slow curl -sS -X POST -H 'content-type: application/json' -d '{"text":"SLOW","turnId":"slow"}' "$host/agent/turns/start?identifier=A"
	slow=$pid
	await 10 get_health '.codex.initialized'
	start next curl -sS -X POST -H 'content-type: application/json' -d '{"text":"next"}' "$host/agent/turns/start?identifier=A"
	[ "$(post 'turns/start?identifier=B' '{"text":"other"}')" = 200 ]
	[ ! -s next.out ]
	[ "$(post 'turns/start?identifier=B' '{"text":"x","turnId":"slow"}')" = 409 ]
	[ "$(post turns/slow/interrupt)" = 200 ]
	jq -e '.turnId == "slow" and .status == "interrupted" and .interrupt.interrupted' answer
	wait "$slow" "$pid"
	jq -e '.status == "completed" and .runtimeMetadata.status == "interrupted"' slow.out
	jq -e '.outputText | endswith("next")' next.out
	[ "$(post turns/slow/interrupt)" = 200 ]
	jq -e '.status == "completed" and .interrupt == {"interrupted":false,"reason":"NOT_REQUIRED"}' answer
}

@test "a turn that waits can be interrupted, and a session has room for so many" {
	serve
	for i in $(seq 16); do start "t$i" curl -sS -X POST -H 'content-type: application/json' -d "{\"text\":\"SLOW\",\"turnId\":\"t$i\"}" "$host/agent/turns/start?identifier=A"; pids+=("$pid"); done
	asked=0
	all_there() { asked=$((asked + 1)); get_health ".requestCount == 16 + $asked"; }
	await 10 all_there
	[ "$(post 'session/bootstrap?identifier=A' '' -m 5)" = 429 ]
	jq -e '.code == "RUNTIME_BUSY"' answer
	for i in $(seq 16); do [ "$(post "turns/t$i/interrupt")" = 200 ]; done
	wait "${pids[@]}"
	for i in $(seq 16); do jq -e '.runtimeMetadata.status == "interrupted"' "t$i.out"; done
}

@test "a caller that asks for it is given the pieces as they come" {
	serve
	[ "$(post 'turns/start?identifier=A' '{"text":"hello there","turnId":"t"}' -H 'accept: text/event-stream' -D head)" = 200 ]
	grep -qi '^content-type: text/event-stream' head
	sed -n '/^event: delta/{n;s/^data: //p;}' answer | jq -sr 'length > 3, (map(.delta) | add)' >pieces
	sed -n '/^event: result/{n;s/^data: //p;}' answer | jq -r .outputText >whole
	[ "$(sed -n 1p pieces)" = true ]
	[ "$(sed 1d pieces)" = "$(cat whole)" ]
	[[ $(cat whole) == *"hello there" ]]
	[ "$(grep -c '^id: ' answer)" = "$(grep -c '^event: ' answer)" ]
	[ "$(post 'turns/start?identifier=A' '{"text":"FAIL","turnId":"f"}' -H 'accept: text/event-stream')" = 200 ]
	sed -n '/^event: error/{n;s/^data: //p;}' answer | jq -e '.code == "RUNTIME_EXECUTION_FAILED" and .turnId == "f"'
}

@test "who cannot be asked is not: an approval is declined" {
	serve
	[ "$(post 'turns/start?identifier=A' '{"text":"ASK"}' -m 20)" = 200 ]
	jq -e '.outputText == "answer: decline"' answer
	[ "$(post 'turns/start?identifier=A' '{"text":"ASK"}' -m 20 -H 'accept: text/event-stream')" = 200 ]
	grep -q 'answer: decline' answer
	run ! grep '^event: approval' answer
	# without a stream there is no way to be told
	[ "$(post 'turns/start?identifier=A' '{"text":"ASK"}' -m 20 -H 'prefer: approvals')" = 200 ]
	jq -e '.outputText == "answer: decline"' answer
	[ ! -e asked ]
}

# ask_turn NAME: a turn that asks, with a reader who answers; what it is asked is $approval
ask_turn() {
	start "$1" curl -sSN -X POST -H 'content-type: application/json' -H 'accept: text/event-stream' -H 'prefer: approvals' -d "{\"text\":\"ASK\",\"turnId\":\"$1\"}" "$host/agent/turns/start?identifier=A"
	await 20 has_line "$1.out" '^event: approval$'
	approval=$(sed -n '/^event: approval$/{n;s/^data: //p;}' "$1.out" | jq -r .approvalId)
}
text_of() { sed -n '/^event: result/{n;s/^data: //p;}' "$1.out" | jq -r .outputText; }

@test "a reader that can be asked answers, once; whoever else does, of whatever turn, is told that nothing is asked" {
	serve
	ask_turn one
	sed -n '/^event: approval$/{n;s/^data: //p;}' one.out | jq -e '.turnId == "one" and .method == "item/commandExecution/requestApproval" and .params.command == "touch asked" and (.params.itemId | length > 0)'
	grep -q '"method":"item/started"' one.out
	for body in '{}' '{"decision":"yes"}' '{"result":7}' '[]'; do
		[ "$(post "turns/one/approvals/$approval" "$body")" = 400 ]
		[ "$(cat answer)" = '{"code":"DECISION_REQUIRED","message":"Body field '"'decision' or 'result'"' is required","turnId":"one"}' ]
	done
	[ "$(post "turns/one/approvals/$approval" '{')" = 400 ]
	for other in 0 -1 x 99999 18446744073709551616; do
		[ "$(post "turns/one/approvals/$other" '{"decision":"accept"}')" = 404 ]
		jq -e '.code == "APPROVAL_NOT_FOUND"' answer
	done
	[ "$(post "turns/two/approvals/$approval" '{"decision":"accept"}')" = 404 ]
	jq -e '.code == "TURN_NOT_FOUND"' answer
	[ "$(post "turns/one/approvals/$approval" '{"decision":"accept"}')" = 200 ]
	[ "$(cat answer)" = "{\"turnId\":\"one\",\"approvalId\":\"$approval\",\"status\":\"resolved\"}" ]
	await 20 has_line one.out '^event: result'
	[ "$(text_of one)" = "answer: accept" ]
	grep -q '^event: approval-resolved' one.out
	[ "$(post "turns/one/approvals/$approval" '{"decision":"accept"}')" = 404 ]
	ask_turn two
	[ "$(post "turns/two/approvals/$approval" '{"result":{"decision":"acceptForSession"}}')" = 200 ]
	await 20 has_line two.out '^event: result'
	[ "$(text_of two)" = "answer: acceptForSession" ]
}

@test "a reader that goes has said no, and an interrupt takes the question back" {
	serve
	ask_turn one
	kill "$pid"
	# the next turn waits for the end of that one
	[ "$(post 'turns/start?identifier=A' '{"text":"hello"}' -m 20)" = 200 ]
	[ ! -e asked ]
	ask_turn two
	[ "$(post turns/two/interrupt)" = 200 ]
	await 20 has_line two.out '^event: result'
	grep -q '^event: approval-resolved' two.out
	[ "$(post "turns/two/approvals/$approval" '{"decision":"accept"}')" = 404 ]
}

@test "what a turn is asked for with: options, and a directory below a root" {
	mkdir -p roots/in/deep other
	ln -s ../../other roots/in/out
	echo '{"on":"turn","contains":"WISHES"}
		{"say":"${params}"}
		{"on":"turn","contains":"WHERE"}
		{"say":"${cwd}"}' >>script
	start serve "$libexec/agent-session-host" --listen 127.0.0.1:0 --root "$PWD/roots" --root roots "$libexec/agent-runtime-mock" --script "$PWD/script"
	await 20 has_line serve.out listening || { cat serve.err >&2; return 1; }
	host=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' serve.out)
	[ "$(post 'turns/start?identifier=A' '{"text":"WISHES","model":"m","effort":"low","personality":"p","approvalPolicy":{"reject":{}},"sandboxPolicy":"danger-full-access"}')" = 200 ]
	jq -r .outputText answer | jq -e '[.model, .effort, .personality, .approvalPolicy, .sandboxPolicy.type] == ["m", "low", "p", {"reject":{}}, "dangerFullAccess"]'
	[ "$(post 'turns/start?identifier=A' '{"text":"WISHES","model":null,"sandboxPolicy":null}')" = 200 ]
	while read -r member; do
		[ "$(post 'turns/start?identifier=B' "{\"text\":\"x\",$member}")" = 400 ]
		jq -e '.code == "OPTION_INVALID" and (.message | contains("cannot be used"))' answer
	done <<-'END'
		"model":""
		"model":7
		"effort":{}
		"personality":[]
		"approvalPolicy":false
		"sandboxPolicy":[]
		"developerInstructions":{}
		"cwd":"a\u0000b"
	END
	printf '{"text":"x","model":"%s"}' "$(head -c 4097 /dev/zero | tr '\0' x)" >long
	[ "$(post 'turns/start?identifier=B' @long)" = 400 ]
	for dir in / "$PWD" "$PWD/other" "$PWD/roots/in/out" "$PWD/roots/.." "$PWD/roots2" "$PWD/script" roots /nowhere; do
		[ "$(post 'turns/start?identifier=B' "{\"text\":\"WHERE\",\"cwd\":\"$dir\"}")" = 400 ]
		[ "$(cat answer)" = '{"code":"CWD_NOT_ALLOWED","message":"Body field '"'cwd'"' is no directory below a root of this host"}' ]
	done
	for dir in "$PWD/roots" "$PWD/roots/in/deep" "$PWD/roots/in/../in/"; do
		[ "$(post 'turns/start?identifier=C' "{\"text\":\"WHERE\",\"cwd\":\"$dir\"}")" = 200 ]
		jq -e --arg dir "$(realpath "$dir")" '.outputText == $dir' answer
	done
	run -9 "$libexec/agent-session-host" --root /nowhere true
	[[ $output == *"unable to take '/nowhere' for a root"* ]]
	run -9 "$libexec/agent-session-host" --root "$PWD/script" true
	[[ $output == *"it is no directory"* ]]
}

@test "the account: read, login, cancel, logout, limits; and the stream of its notices" {
	serve
	start stream curl -sSN -D stream.head "$host/agent/stream"
	await 5 has_line stream.head text/event-stream
	[ "$(post account/read '{"refreshToken":true}')" = 200 ]
	jq -e 'keys == ["account","authMode","requiresOpenaiAuth"]' answer
	[ "$(post account/login/start '{"type":"other"}')" = 400 ]
	[ "$(cat answer)" = '{"code":"RUNTIME_AUTH_LOGIN_FAILED","message":"API key is required for apiKey login mode"}' ]
	[ "$(post account/login/start '{"apiKey":" sk-test "}')" = 200 ]
	jq -e '. == {"type":"apiKey","loginId":null,"authUrl":null}' answer
	await 5 has_line stream.out '"method":"account/updated"'
	grep -q '^event: runtime$' stream.out
	grep -q '^id: 1$' stream.out
	[ "$(post account/login/start '{"type":"chatgpt"}')" = 200 ]
	login=$(jq -er .loginId answer)
	[ "$(post account/login/cancel '{}')" = 400 ]
	[ "$(cat answer)" = '{"code":"RUNTIME_AUTH_LOGIN_CANCEL_FAILED","message":"loginId is required"}' ]
	[ "$(post account/login/cancel "{\"loginId\":\"$login\"}")" = 200 ]
	[ "$(post account/rate-limits/read)" = 502 ]
	jq -e '.code == "RUNTIME_RATE_LIMITS_READ_FAILED" and (.message | contains("chatgpt authentication"))' answer
	[ "$(post account/login/start '{"type":"chatgptAuthTokens","accessToken":"t"}')" = 400 ]
	[ "$(post account/login/start '{"type":"chatgptAuthTokens","accessToken":"t","chatgptAccountId":"a"}')" = 200 ]
	jq -e '.type == "chatgptAuthTokens"' answer
	[ "$(post account/rate-limits/read)" = 200 ]
	jq -e '.rateLimits.limitId == "mock" and .rateLimitsByLimitId.mock.primary.usedPercent == 25' answer
	[ "$(post account/logout)" = 200 ]
	[ "$(cat answer)" = '{}' ]
	run curl -sN -m 1 "$host/agent/stream?cursor=1"
	[[ $output == *'id: 2'* && $output != *'"cursor":1,'* ]]
	run curl -sN -m 1 -H 'last-event-id: 1' "$host/agent/stream"
	[[ $output == *'id: 2'* && $output != *'"cursor":1,'* ]]
	! grep -q sk-test serve.out serve.err stream.out
}

@test "a runtime that dies fails its turn at once, and the next turn has a new one" {
	serve
	[ "$(post 'turns/start?identifier=A' '{"text":"DIE","turnId":"d"}' -m 10)" = 502 ]
	jq -e '.code == "RUNTIME_EXECUTION_FAILED" and .turnId == "d"' answer
	[ "$(post 'turns/start?identifier=A' '{"text":"again"}' -m 10)" = 200 ]
	get_health '.codex.restartCount == 1 and .codex.lastError != ""'
}

# the runtime for a test: until it has died as often as the file `lives` says, it ends when it is given a turn, before it has begun
mortal() {
	cat >mortal <<-'END'
		#!/bin/bash
		lives=$(cat lives)
		[ "$lives" -gt 0 ] || exec "$@"
		while read -r line; do
			case $line in *turn/start*) echo $((lives - 1)) >lives; exit ;; esac
			printf '%s\n' "$line"
		done | "$@"
	END
	chmod +x mortal
	start serve "$libexec/agent-session-host" --listen 127.0.0.1:0 ./mortal "$libexec/agent-runtime-mock"
	await 20 has_line serve.out listening || { cat serve.err >&2; return 1; }
	host=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' serve.out)
}

@test "a runtime that ends before it has begun on a turn is followed by another, as often as it may" {
	echo 2 >lives
	mortal
	[ "$(post 'turns/start?identifier=A' '{"text":"hello"}')" = 200 ]
	jq -e '.status == "completed" and (.outputText | endswith("response: hello"))' answer
	get_health '.codex.restartCount == 2'
	[ "$(post 'session/bootstrap?identifier=A')" = 200 ]
	jq -e '.session.turnCount == 1' answer
	kill "$pid"
	wait "$pid"
	echo 1 >lives
	CODEX_RUNTIME_MAX_RESTARTS=0 mortal
	[ "$(post 'turns/start?identifier=A' '{"text":"hello"}')" = 502 ]
	jq -e '.code == "RUNTIME_EXECUTION_FAILED"' answer
	[ "$(post 'turns/start?identifier=A' '{"text":"hello"}')" = 200 ]
}

@test "an engine of another name than codex answers by itself" {
	SESSION_RUNTIME_ENGINE=Mock MOCK_ENGINE_MAX_SLEEP_MS=60000 start serve "$libexec/agent-session-host" --listen 127.0.0.1:0
	await 20 has_line serve.out listening
	[[ $(cat serve.out) == *" (engine=mock)" ]]
	host=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' serve.out)
	get_health '.engine == "mock" and .codex == null'
	[ "$(post 'session/bootstrap?identifier=A')" = 200 ]
	jq -e '.ok and (.session | .codexThreadId == null and .codexBootstrappedAt == null) and .runtime.engine == "mock"' answer
	id=$(jq -r .session.sessionId answer)
	[ "$(post 'turns/start?identifier=A' '{"text":" hi ","turnId":"t1","sleepMs":"20"}')" = 200 ]
	jq -e --arg id "$id" '.turnId == "t1" and .status == "completed" and .outputText == "Mock response: hi" and
		(.runtimeMetadata | del(.bootId)) == {identifier: "A", sessionId: $id, engine: "mock", sleepMs: 20}' answer
	for sleep in -5 0 '"x"' '"1x"' null; do
		[ "$(post 'turns/start?identifier=A' '{"text":"hi","sleepMs":'"$sleep"'}')" = 200 ]
		jq -e '.runtimeMetadata.sleepMs <= 1' answer
	done
	# a long one ends when it is told to
	curl -sS -X POST -H 'content-type: application/json' -d '{"text":"long","turnId":"t2","sleepMs":99999999999999999999}' "$host/agent/turns/start?identifier=A" >long & long=$!
	interrupted() { [ "$(post turns/t2/interrupt)" = 200 ]; }
	await 20 interrupted
	jq -e '.turnId == "t2" and .interrupt == {interrupted: false, reason: "NOT_REQUIRED"}' answer
	wait "$long"
	jq -e '.runtimeMetadata.sleepMs == 60000' long
	[ "$(post account/read)" = 200 ]
	[ "$(cat answer)" = '{"authMode":null,"requiresOpenaiAuth":false,"account":null}' ]
	for what in login/start login/cancel; do
		[ "$(post "account/$what" 'no JSON')" = 409 ]
		[ "$(cat answer)" = '{"code":"RUNTIME_AUTH_UNSUPPORTED","message":"Runtime auth controls are only available in codex mode"}' ]
	done
	[ "$(post account/logout)" = 200 ]
	[ "$(cat answer)" = '{}' ]
	[ "$(post account/rate-limits/read)" = 200 ]
	[ "$(cat answer)" = '{"rateLimits":null,"rateLimitsByLimitId":null}' ]
	[ "$(post account/nothing)" = 404 ]
	# it ends with a turn under way
	curl -sSN -X POST -H 'content-type: application/json' -H 'accept: text/event-stream' -d '{"text":"long","sleepMs":60000}' "$host/agent/turns/start?identifier=B" >long 2>&1 &
	await 20 has_line long live
	kill "$pid"
	wait "$pid"
}

@test "a runtime that is not there" {
	start serve "$libexec/agent-session-host" --listen 127.0.0.1:0 /nonexistent/runtime
	await 10 has_line serve.out listening
	host=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' serve.out)
	[ "$(post 'session/bootstrap?identifier=A')" = 502 ]
	jq -e '.code == "RUNTIME_BOOTSTRAP_FAILED" and (.message | length > 0)' answer
	[ "$(post 'turns/start?identifier=A' '{"text":"x"}')" = 502 ]
}

@test "other hosts, other origins and other content types are refused" {
	serve
	[ "$(code -H 'Host: evil.example' "$host/health")" = 403 ]
	[ "$(post account/logout '' -H 'Origin: http://evil.example')" = 403 ]
	jq -e .code answer
	[ "$(code -d '{"text":"x"}' "$host/agent/turns/start?identifier=A")" = 415 ]
	jq -e '.code == "UNSUPPORTED_MEDIA_TYPE"' answer
	get_health '.codex.running == false'
}

@test "a token: without it there is nothing but a sign of life; beyond this machine it must be there" {
	SESSION_RUNTIME_TOKEN=s3cret serve
	[ "$(code "$host/health")" = 200 ]
	[ "$(cat answer)" = '{"status":"ok"}' ]
	[ "$(post 'session/bootstrap?identifier=A')" = 401 ]
	[ "$(code "$host/agent/stream")" = 401 ]
	[ "$(post 'session/bootstrap?identifier=A' '' -H 'Authorization: Bearer s3cret')" = 200 ]
	child=$(code -H 'Authorization: Bearer s3cret' "$host/health" >/dev/null && jq -r .codex.pid answer)
	! tr '\0' '\n' <"/proc/$child/environ" | grep -q s3cret
	run -9 "$libexec/agent-session-host" --listen '*:0' true
	[[ $output == *"without a token"* ]]
}

@test "a socket file, and numbers in the environment that are none" {
	start serve "$libexec/agent-session-host" --listen "unix:$BATS_TEST_TMPDIR/s" "$libexec/agent-runtime-mock"
	await 10 has_line serve.out listening
	[ "$(code --unix-socket s -X POST 'http://localhost/agent/session/bootstrap?identifier=A')" = 200 ]
	PORT=0 run -9 "$libexec/agent-session-host" true
	[[ $output == *"PORT must be a valid TCP port number"* ]]
	MAX_BODY_BYTES=x run -9 "$libexec/agent-session-host" true
	[[ $output == *"MAX_BODY_BYTES must be a positive integer"* ]]
	CODEX_RUNTIME_TURN_TIMEOUT_MS=9 run -9 "$libexec/agent-session-host" true
	[[ $output == *"CODEX_RUNTIME_TURN_TIMEOUT_MS must be an integer >= 1000"* ]]
}

@test "a signal ends it with streams open and turns under way, and the runtime with it" {
	serve
	server=$pid
	start stream curl -sSN "$host/agent/stream"
	start slow curl -sS -X POST -H 'content-type: application/json' -d '{"text":"SLOW"}' "$host/agent/turns/start?identifier=A"
	await 10 get_health '.codex.initialized'
	child=$(jq -r .codex.pid answer)
	kill "$server"
	await 10 gone "$server"
	wait "$server"
	await 5 gone "$child"
}
