#!/usr/bin/env bats
# agent-runtime-openai makes a runtime of an OpenAI-compatible endpoint.
load lib/common
load lib/runtime

setup() {
	common_setup
	PATH=$AU_BUILD/libexec/agentutils:$PATH
	runtime_listen
	unset OPENAI_API_KEY OPENAI_BASE_URL OPENAI_MODEL
}
teardown() { runtime_teardown; }

# endpoint [OPTION...]: sets $endpoint; what was asked is in asked
endpoint() {
	start endpoint python3 "$AU_SRC/tests/fake/fake-openai" --log asked "$@"
	await 20 test -s "$BATS_TEST_TMPDIR/endpoint.out"
	endpoint=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/endpoint.out")/v1
}
# with [OPTION...]: a runtime on it, greeted, with a thread
with() {
	RUNTIME="agent-runtime-openai --endpoint $endpoint --model m $*"
	greet
	new_thread
}
turn_of() { # TEXT: plays it; $line is its end
	begin "$1"
	ended 30
}
answer() { jq -rj "select(.method == \"item/agentMessage/delta\" and .params.turnId == \"$turn\").params.delta" "$heard"; }
info() { jq -c '.params.turn.error.codexErrorInfo' <<<"$line"; }

@test "an answer is streamed, both ways that endpoints have" {
	endpoint
	for api in chat responses; do
		with --api $api
		turn_of 'hello'
		[ "$(jq -r .params.turn.status <<<"$line")" = completed ]
		[ "$(answer)" = 'You said: hello' ]
		[ "$(jq -r "select(.method == \"item/agentMessage/delta\" and .params.turnId == \"$turn\").method" "$heard" | wc -l)" -gt 3 ]
		jq -se "map(select(.method == \"item/completed\" and .params.item.type == \"agentMessage\" and .params.turnId == \"$turn\")) | .[0].params.item.text == \"You said: hello\"" "$heard"
		jq -se "map(select(.method == \"thread/tokenUsage/updated\" and .params.turnId == \"$turn\"))[0].params.tokenUsage.last
			| .inputTokens == 11 and .outputTokens == 5 and .cachedInputTokens == 3 and .reasoningOutputTokens == 2 and .totalTokens == 16" "$heard"
		runtime_close
		[ "$status" = 0 ]
	done
	[ "$(jq -r .path asked | tr '\n' ' ')" = '/v1/chat/completions /v1/responses ' ]
}

@test "what was said goes along, with the system prompt before it; the oldest is left out when it is too much" {
	endpoint
	echo 'You are terse.' >system
	with --system-file system --context 34
	turn_of one
	turn_of two
	turn_of three
	jq -sc '.[1].body.messages' asked >got
	echo '[{"role":"system","content":"You are terse.\n"},{"role":"user","content":"one"},{"role":"assistant","content":"You said: one"},{"role":"user","content":"two"}]' >want
	diff want got
	jq -sc '[.[2].body.messages[].content]' asked >got
	echo '["You are terse.\n","You said: one","two","You said: two","three"]' >want
	diff want got
}

@test "instructions, model and effort of a thread are sent" {
	endpoint
	with --api responses
	new_thread '{"model":"bigger","baseInstructions":"Be kind.","developerInstructions":"Be brief."}'
	begin hello ',"effort":"high"'
	ended
	jq -e '.body | .model == "bigger" and .instructions == "Be kind.\n\nBe brief." and .reasoning.effort == "high" and .stream == true and .store == false' asked
}

@test "a thread is resumed by another process, with what was said" {
	endpoint
	with --state kept
	turn_of 'remember me'
	runtime_close
	kept=$thread
	[ "$(stat -c %a "kept/$kept.ndjson")" = 600 ]
	printf '{"role":"user","te' >>"kept/$kept.ndjson" # a process that was killed
	runtime_open
	call initialize '{"clientInfo":{"name":"t","version":"1"}}'
	call turn/start "{\"threadId\":\"$kept\",\"input\":[]}"
	jq -e '.error.message | startswith("thread not found")' <<<"$line"
	call thread/resume "{\"threadId\":\"$kept\"}"
	jq -e --arg id "$kept" '.result.thread.id == $id and .result.thread.preview == "remember me"' <<<"$line"
	thread=$kept
	turn_of again
	[ "$(tail -n 1 asked | jq -c '[.body.messages[].content]')" = '["remember me","You said: remember me","again"]' ]
	runtime_close
	greet
	call thread/resume "{\"threadId\":\"$kept\"}"
	turn_of 'and again'
	[ "$(tail -n 1 asked | jq -c '[.body.messages[].content][2:]')" = '["again","You said: again","and again"]' ]
	for id in 00000000-0000-4000-8000-000000000000 ../../etc/passwd; do
		call thread/resume "{\"threadId\":\"$id\"}"
		jq -e .error <<<"$line"
	done
}

@test "an answer that is not streamed, and streams of an odd kind" {
	endpoint
	for api in chat responses; do
		with --api $api
		turn_of 'WHOLE sentence'
		[ "$(answer)" = 'You said: WHOLE sentence' ]
		turn_of 'ODD one'
		[ "$(answer)" = 'You said: ODD one' ]
		turn_of 'REASON well'
		[ "$(answer)" = 'You said: REASON well' ]
		[ "$(jq -rj "select(.method == \"item/reasoning/textDelta\" and .params.turnId == \"$turn\").params.delta" "$heard")" = 'let me think' ]
		turn_of 'BIG 2000000'
		[ "$(answer | wc -c)" = 2000000 ]
		runtime_close
	done
}

@test "each failure has its word and its reason, and the thread stays usable" {
	endpoint
	for api in chat responses; do
		with --api $api --silence 1s
		while read -r text want; do
			turn_of "${text//_/ }"
			[ "$(jq -r .params.turn.status <<<"$line")" = failed ]
			[ "$(info)" = "$want" ]
			jq -e '.params.turn.error.message | length > 5' <<<"$line"
		done <<-'T'
			STATUS_429 "rateLimitExceeded"
			STATUS_401 "unauthorized"
			STATUS_500 "internalServerError"
			STATUS_503 "serverOverloaded"
			STATUS_400 "badRequest"
			STATUS_404 "modelNotFound"
			QUOTA "usageLimitExceeded"
			WINDOW "contextWindowExceeded"
			BROKEN "serverOverloaded"
			CUT {"responseStreamDisconnected":{"httpStatusCode":null}}
			SILENT {"responseStreamDisconnected":{"httpStatusCode":null}}
			DEAF {"responseStreamDisconnected":{"httpStatusCode":null}}
			HTML {"responseStreamDisconnected":{"httpStatusCode":null}}
		T
		turn_of 'STATUS 429'
		jq -e '.params.turn.error | .additionalDetails == "Retry-After: 7" and ((.retryAt[0:19] + "Z" | fromdate) - now | . > -20 and . < 8)' <<<"$line"
		turn_of 'and now?'
		[ "$(answer)" = 'You said: and now?' ]
		runtime_close
	done
	kill "$pid"
	await 10 gone "$pid"
	with
	turn_of hello
	[ "$(info)" = '{"httpConnectionFailed":{"httpStatusCode":null}}' ]
}

@test "an answer has a limit, streamed or not: 64 MiB and 16 MiB" {
	endpoint
	with
	turn_of "HUGE $((16 << 20))"
	[ "$(answer)" = "You said: HUGE $((16 << 20))" ]
	turn_of "HUGE $(((16 << 20) + 1))"
	[ "$(jq -r .params.turn.error.message <<<"$line")" = "the endpoint's answer has more than $((16 << 20)) bytes" ]
	rest=$(((64 << 20) - $(curl -sS -d '{"messages":[{"role":"user","content":"NOISE 0"}]}' "$endpoint/chat/completions" | wc -c)))
	turn_of "NOISE $rest"
	[ "$(answer)" = done ]
	turn_of "NOISE $((64 << 20))"
	[ "$(jq -r .params.turn.error.message <<<"$line")" = "the endpoint's answer has more than $((64 << 20)) bytes" ]
	turn_of HTML
	[ "$(jq -r .params.turn.error.message <<<"$line")" = "the endpoint's answer is text/html, not a stream or JSON" ]
}

@test "nothing is asked twice" {
	endpoint
	with
	turn_of 'STATUS 500'
	turn_of 'CUT'
	[ "$(wc -l <asked)" = 2 ]
}

@test "an interrupt ends the turn at once, and the request with it; turns of two threads go side by side" {
	endpoint
	with
	begin SLOW
	hear '.method == "item/agentMessage/delta"'
	slow=$turn first=$thread
	new_thread
	turn_of 'quick'
	[ "$(answer)" = 'You said: quick' ]
	call turn/interrupt "{\"threadId\":\"$first\",\"turnId\":\"$slow\"}"
	hear ".method == \"turn/completed\" and .params.turn.id == \"$slow\""
	[ "$(jq -r .params.turn.status <<<"$line")" = interrupted ]
	thread=$first
	turn_of 'and now?'
	[ "$(answer)" = 'You said: and now?' ]
}

@test "the key: from a file, the environment or a login, never shown, and gone from the environment" {
	endpoint --key sk-right
	with
	turn_of hello
	[ "$(info)" = '"unauthorized"' ]
	call account/read
	jq -e '.result.account == null' <<<"$line"
	call account/login/start '{"type":"apiKey","apiKey":"sk-right"}'
	hear '.method == "account/updated" and .params.authMode == "apikey"'
	turn_of hello
	[ "$(answer)" = 'You said: hello' ]
	for bad in '"sk-right\r\nx-injected: 1"' '"two words"' '"sk-\u0000"' '"schlüssel"' '"  "' '""'; do # what stays is the key before
		call account/login/start "{\"type\":\"apiKey\",\"apiKey\":$bad}"
		jq -e '.error.message | startswith("unable to use the key: it ")' <<<"$line"
	done
	turn_of hello
	[ "$(answer)" = 'You said: hello' ]
	call account/login/start '{"type":"apiKey","apiKey":" sk-right\n"}'
	turn_of hello
	[ "$(answer)" = 'You said: hello' ]
	call account/logout
	turn_of hello
	[ "$(info)" = '"unauthorized"' ]
	runtime_close
	printf ' sk-right\n' >key
	with --key-file key
	call account/read
	jq -e '.result.account.type == "apiKey"' <<<"$line"
	turn_of hello
	[ "$(answer)" = 'You said: hello' ]
	runtime_close
	export OPENAI_API_KEY=sk-right
	with
	turn_of hello
	[ "$(answer)" = 'You said: hello' ]
	run ! grep -q sk-right "$heard" runtime.err
	: >none
	for file in none nowhere; do
		run -9 agent-runtime-openai --key-file $file </dev/null
	done
	echo 'two words' >key
	run -9 agent-runtime-openai --key-file key </dev/null
	refute_output -p words
}

@test "bad options say what is wrong" {
	run -2 agent-runtime-openai --endpoint ftp://x </dev/null
	assert_output -p 'expected http, https or unix'
	run -2 agent-runtime-openai --api soap </dev/null
	assert_output -p "unable to use --api 'soap': expected chat or responses"
	run -2 agent-runtime-openai what </dev/null
	: >file
	run -9 agent-runtime-openai --state file/x </dev/null
	endpoint
	RUNTIME="agent-runtime-openai --endpoint $endpoint"
	greet
	new_thread
	turn_of hello
	[ "$(info)" = '"modelNotFound"' ]
	jq -e '.params.turn.error.message | contains("--model")' <<<"$line"
}

@test "it is what agent-runtime(7) asks for" {
	endpoint
	RUNTIME="$AU_BUILD/libexec/agentutils/agent-runtime-openai --endpoint $endpoint --model m --state $BATS_TEST_TMPDIR/kept" \
		RUNTIME_SLOW=SLOW RUNTIME_FAIL='STATUS 500' bats --formatter tap "$AU_SRC/tests/runtime.bats" >tap || { cat tap; false; }
	grep -c '^ok' tap
}

@test "its page names every option" {
	page=$(mandoc -Tutf8 -O width=500 "$AU_SRC/man/agent-runtime-openai.8" "$AU_SRC/man/agent.7" | sed "s/.$(printf '\b')//g")
	while IFS=$'\t' read -r _ name _; do grep -q -e "--$name" <<<"$page"; done < <(agent-runtime-openai --options)
	run -0 --separate-stderr agent-runtime-openai --help
	[ "${lines[0]}" = 'usage: agent-runtime-openai [options] [app-server]' ]
}
