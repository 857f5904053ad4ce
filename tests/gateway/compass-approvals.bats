#!/usr/bin/env bats
# What a runtime asks people: recorded, streamed, answered once, by a person, by rule, or by the clock; and the runtime's account.
load ../lib/common
load ../lib/compass

setup() { compass_setup; }
teardown() { common_teardown; }

asking='{"on":"turn","text":"file"}
{"patch":[{"path":"a","kind":{"type":"add"},"diff":"x"}],"ask":true}
{"say":"${answer}"}
{"on":"turn","text":"question"}
{"question":"Which?","options":["red","blue"]}
{"say":"${answer}"}
{"on":"turn"}
{"command":"${text}","ask":true,"reason":"to see"}
{"say":"${answer}"}'

pending() { # its id in $approval
	see '.method=="approval.requested"' || return 1
	ask GET "$path/approvals"
	is '.approvals|length' 1
	approval=$(jq -r '.approvals[0].approvalId' body)
}
answer_is() { # what the turn said at its end
	see ".method==\"turn.completed\" and .turnId==\"$turn\""
	ask GET "$path/turns/$turn"
	is .outputText "\"$1\""
}

@test "an approval is an event, is listed, answered once, and the turn goes on" {
	with_script <<<"$asking"
	new_thread
	turn 'ls -l'
	pending
	is '.approvals[0]|keys_unsorted|join(" ")' '"approvalId threadId turnId itemId kind status params decision resolution reason resolvedBy requestedAt expiresAt resolvedAt"'
	is '.approvals[0]|[.turnId,.kind,.status,.params.command,.params.reason,.decision,.resolution,.resolvedAt]' "[\"$turn\",\"command\",\"pending\",\"ls -l\",\"to see\",null,null,null]"
	jq -S '.approvals[0]' body >listed
	events | jq -S 'select(.method=="approval.requested").payload' | diff listed -
	ask GET "$path/approvals/$approval"
	jq -S .approval body | diff listed -
	status_is inProgress
	ask POST "$path/approvals/$approval" '{"decision":"accept","reason":"why not"}'
	[ "$code" = 200 ]
	is '.approval|[.status,.decision,.resolution,.reason,.resolvedBy]' '["resolved","accept","answered","why not","local"]'
	jq -S .approval body >resolved
	answer_is accept
	events | jq -S 'select(.method=="approval.resolved").payload' | diff resolved -
	[ "$(events | jq -r .method | grep -n 'approval\|item.completed\|item.started' | cut -d: -f2 | paste -sd' ')" = 'item.started approval.requested approval.resolved item.completed' ]
	ask POST "$path/approvals/$approval" '{"decision":"decline"}'
	refused 409 AGENT_APPROVAL_RESOLVED 'Approval is already resolved'
	ask POST "$path/approvals/nothing" '{"decision":"decline"}'
	refused 404 AGENT_APPROVAL_NOT_FOUND 'Approval not found'
	ask GET "$path/approvals"
	[ "$body" = '{"approvals":[]}' ]
	ask GET "$path/approvals?status=all"
	is '[.approvals[].status]' '["resolved"]'
	# of another thread it is none
	new_thread
	ask GET "$path/approvals/$approval"
	refused 404 AGENT_APPROVAL_NOT_FOUND
	while IFS='|' read -r data message; do
		ask POST "$path/approvals/x" "$data"
		refused 400 INVALID_REQUEST "${message//;/|}"
	done <<-'EOT'
		{}|Required
		{"decision":"yes"}|Invalid enum value. Expected 'accept' ; 'acceptForSession' ; 'decline' ; 'cancel', received 'yes'
		{"decision":"accept","answers":[]}|Expected object, received array
		{"decision":"accept","answers":{"q":1}}|Expected array, received number
	EOT
}

@test "every decision reaches the runtime; files and questions too" {
	with_script <<<"$asking"
	for decision in accept decline; do
		new_thread
		turn ls
		pending
		ask POST "$path/approvals/$approval" "{\"decision\":\"$decision\"}"
		answer_is "$decision"
	done
	new_thread
	turn ls
	pending
	ask POST "$path/approvals/$approval" '{"decision":"cancel"}'
	see '.method=="turn.completed"'
	status_is interrupted
	new_thread
	turn ls
	pending
	ask POST "$path/approvals/$approval" '{"decision":"acceptForSession"}'
	answer_is acceptForSession
	ask POST "$path/turns" '{"text":"ls"}' # not asked again
	is .turn.status '"completed"'
	new_thread
	turn file
	pending
	is '.approvals[0].kind' '"file"'
	ask POST "$path/approvals/$approval" '{"decision":"accept"}'
	answer_is accept
	for answers in '{"q1":"blue"}' '{"q1":["blue","red"]}' '{"q1":{"answers":["blue"]}}'; do
		new_thread
		turn question
		pending
		is '.approvals[0]|[.kind,.params.questions[0].question]' '["question","Which?"]'
		ask POST "$path/approvals/$approval" "{\"decision\":\"accept\",\"answers\":$answers}"
		answer_is blue
	done
}

@test "twenty who answer at once: one is first, and the runtime hears that one" {
	with_script <<<"$asking"
	new_thread
	turn ls
	pending
	for i in $(seq 20); do
		if ((i % 2)); then echo accept; else echo decline; fi
	done | xargs -P 20 -I@ curl -sS -w '%{http_code} @\n' -o /dev/null -H 'content-type: application/json' -d '{"decision":"@"}' "$url$path/approvals/$approval" >codes
	[ "$(grep -c ^200 codes)" = 1 ]
	[ "$(grep -c ^409 codes)" = 19 ]
	answer_is "$(sed -n 's/^200 //p' codes)"
	[ "$(events | grep -c '"method":"approval.resolved"')" = 1 ]
}

@test "nobody answers: after its time the default decides" {
	with_script --approval-timeout 1s <<<"$asking"
	new_thread
	ask POST "$path/turns" '{"text":"ls"}'
	is .outputText '"decline"'
	ask GET "$path/approvals?status=resolved"
	is '.approvals[0]|[.decision,.resolution,.resolvedBy]' '["decline","timeout",null]'
	new_thread '"approvals":{"timeoutSeconds":1,"default":"accept"}'
	is .thread.approvals '{"timeoutSeconds":1,"default":"accept"}'
	ask POST "$path/turns" '{"text":"ls"}'
	is .outputText '"accept"'
}

@test "rules of the thread: the first that fits decides, a person is asked for the rest" {
	with_script --approval-timeout 1s <<<"$asking"
	new_thread '"approvals":{"rules":[{"kind":"file","decision":"accept"},{"command":"git push*","decision":"decline"},{"kind":"command","command":"git *","decision":"accept"},{"command":"l?","decision":"acceptForSession"}]}'
	while IFS='|' read -r text answer resolution; do
		ask POST "$path/turns" "{\"text\":\"$text\"}"
		is .outputText "\"$answer\"" || { echo "$text" >&2; false; }
		[ "$(events | jq -r 'select(.method=="approval.resolved").payload|.decision+" "+.resolution' | tail -n 1)" = "$answer $resolution" ]
	done <<-'EOT'
		git status|accept|policy
		git push origin|decline|policy
		rm -rf /|decline|timeout
		gitx|decline|timeout
		file|accept|policy
		ls|acceptForSession|policy
	EOT
	[ "$(events | jq -r 'select(.method=="approval.resolved")|.payload.resolvedBy // "nobody"' | sort | uniq -c | awk '{ print $2 $1 }' | paste -sd' ')" = 'nobody2 policy4' ]
	ask PATCH "$path" '{"approvals":null}'
	is '.thread|has("approvals")' false
	while IFS='|' read -r data message; do
		ask PATCH "$path" "{\"approvals\":$data}"
		refused 400 INVALID_REQUEST "${message//;/|}"
	done <<-'EOT'
		[]|Expected object, received array
		{"rules":{}}|Expected array, received object
		{"rules":[{}]}|Required
		{"rules":[{"kind":"x","decision":"accept"}]}|Invalid enum value. Expected 'command' ; 'file' ; 'permissions' ; 'question' ; 'other', received 'x'
		{"timeoutSeconds":0}|Number must be an integer from 1 to 604800
		{"default":"x"}|Invalid enum value. Expected 'accept' ; 'acceptForSession' ; 'decline' ; 'cancel', received 'x'
	EOT
}

@test "approvalPolicy never: the runtime is told, and nobody is asked" {
	with_script <<-'END'
		{"on":"turn"}
		{"request":{"method":"item/commandExecution/requestApproval","params":{"command":"ls"}}}
		{"say":"${answer} ${approval}"}
	END
	new_thread
	ask POST "$path/turns" '{"text":"x","approvalPolicy":"never"}'
	is .outputText '"decline never"'
	ask GET "$path/approvals?status=all"
	is '[.approvals[]|[.decision,.resolution]]' '[["decline","policy"]]'
}

@test "an interrupted turn asks no more" {
	with_script <<<"$asking"
	new_thread
	turn ls
	pending
	ask POST "$path/turns/$turn/interrupt"
	[ "$code" = 200 ]
	ask POST "$path/approvals/$approval" '{"decision":"accept"}'
	refused 409 AGENT_APPROVAL_RESOLVED
	[ "$(events | jq -r '.method' | tail -n 2 | paste -sd' ')" = 'approval.resolved turn.completed' ]
	events | jq -c 'select(.method=="approval.resolved").payload|[.decision,.resolution]' | grep -qxF '[null,"withdrawn"]'
}

@test "the account of the mock and of managed sessions is a fixed one without controls" {
	start_gateway
	ask POST /v1/agent/runtime/account/read '{}'
	is . '{"provider":"mock","capabilities":{"interactiveAuth":false,"supportsChatgptManaged":false,"supportsApiKey":false,"supportsChatgptAuthTokens":false,"supportsRateLimits":false,"supportsRuntimeStream":false},"authMode":null,"requiresOpenaiAuth":false,"account":{"type":"mock","label":"Mock runtime"}}'
	ask POST /v1/agent/runtime/account/read
	refused 400 INVALID_REQUEST Required
	ask POST /v1/agent/runtime/account/read '{"refreshToken":1}'
	refused 400 INVALID_REQUEST 'Expected boolean, received number'
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgpt"}'
	refused 400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED 'Interactive runtime authentication is unavailable for this runtime provider'
	ask POST /v1/agent/runtime/account/login/start '{"type":"x"}'
	refused 400 INVALID_REQUEST "Invalid discriminator value. Expected 'chatgpt' | 'apiKey' | 'chatgptAuthTokens'"
	ask POST /v1/agent/runtime/account/login/start '{"type":"apiKey"}'
	refused 400 INVALID_REQUEST Required
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgptAuthTokens","accessToken":"x","chatgptAccountId":""}'
	refused 400 INVALID_REQUEST 'String must contain at least 1 character(s)'
	ask POST /v1/agent/runtime/account/login/cancel '{}'
	refused 400 INVALID_REQUEST Required
	ask POST /v1/agent/runtime/account/login/cancel '{"loginId":"x"}'
	refused 400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED
	ask POST /v1/agent/runtime/account/logout
	refused 400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED
	ask POST /v1/agent/runtime/account/rate-limits/read
	[ "$code$body" = '200{"rateLimits":null,"rateLimitsByLimitId":null}' ]
}

@test "the account of a local runtime: read, log in, cancel, log out, limits" {
	AGENT_RUNTIME_PROVIDER=local_process start_gateway --runtime "$mock --login-needed"
	ask POST /v1/agent/runtime/account/read '{}'
	is '[.provider,.capabilities.interactiveAuth,.authMode,.requiresOpenaiAuth,.account]' '["local_process",true,null,true,null]'
	new_thread
	ask POST "$path/turns" '{"text":"x"}'
	is .turn.error.code '"AGENT_RUNTIME_AUTH_REQUIRED"'
	ask POST /v1/agent/runtime/account/rate-limits/read
	refused 503 RUNTIME_RATE_LIMITS_READ_FAILED
	grep -qi $'^x-agent-fault: AGENT_RUNTIME_AUTH_REQUIRED\r$' head
	# which a script can tell from what is better later
	run -4 agent-account-limits
	assert_line -n 0 -p '(503 RUNTIME_RATE_LIMITS_READ_FAILED)'
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgpt"}'
	is '[.type,(.loginId|type),(.authUrl|startswith("http"))]' '["chatgpt","string",true]'
	login=$(jq -r .loginId body)
	ask POST /v1/agent/runtime/account/login/cancel "{\"loginId\":\"$login\"}"
	is .status '"canceled"'
	# with a code that is typed in elsewhere: its address and the code are said, and it is waited for
	start device env --default-signal=INT agent-account-login chatgptDeviceCode
	await 20 has_line device.err 'http://127.0.0.1:1455/device'
	grep -q MOCK-CODE device.err
	kill -0 "$pid"
	kill -INT "$pid"
	await 20 gone "$pid"
	ask POST /v1/agent/runtime/account/login/cancel "{\"loginId\":\"$login\"}"
	is .status '"notFound"'
	ask POST /v1/agent/runtime/account/login/cancel '{"loginId":"no uuid"}'
	refused 400 RUNTIME_AUTH_LOGIN_CANCEL_FAILED
	ask POST /v1/agent/runtime/account/login/start '{"type":"apiKey","apiKey":"sk-verysecretverysecretverysecret"}'
	[ "$body" = '{"type":"apiKey","loginId":null,"authUrl":null}' ]
	ask POST /v1/agent/runtime/account/read '{"refreshToken":true}'
	is '[.authMode,.account]' '["apikey",{"type":"apiKey","label":null}]'
	ask POST "$path/turns" '{"text":"x"}'
	is .turn.status '"completed"'
	ask POST /v1/agent/runtime/account/logout
	[ "$code$body" = '200{}' ]
	ask POST /v1/agent/runtime/account/login/start '{"type":"chatgptAuthTokens","accessToken":"t","chatgptAccountId":"a","chatgptPlanType":null}'
	is .type '"chatgptAuthTokens"'
	mode_is() { ask POST /v1/agent/runtime/account/read '{}' && is .authMode "$1"; }
	await 20 mode_is '"chatgptAuthTokens"' # as notified: the account itself is of the type chatgpt
	ask POST /v1/agent/runtime/account/rate-limits/read
	is '.rateLimits.primary|type' '"object"'
	run ! grep -rq verysecret "$BATS_TEST_TMPDIR/state" "$gateway_log.out" "$gateway_log.err"
}

@test "the runtime's own refusals of account calls have the contract's codes" {
	AGENT_RUNTIME_PROVIDER=local_process with_script <<-'END'
		{"on":"account/read"}
		{"refuse":"nothing to read"}
		{"on":"account/login/start"}
		{"refuse":"no way in"}
		{"on":"account/logout"}
		{"refuse":"no way out"}
		{"on":"account/rateLimits/read"}
		{"answer":{"rateLimits":{"primary":{"resetsAt":7},"planType":" "},"rateLimitsByLimitId":{}}}
	END
	ask POST /v1/agent/runtime/account/read '{}'
	refused 503 RUNTIME_ACCOUNT_READ_FAILED
	[[ $body == *'nothing to read'* ]]
	ask POST /v1/agent/runtime/account/login/start '{"type":"apiKey","apiKey":"k"}'
	refused 400 RUNTIME_AUTH_LOGIN_FAILED
	ask POST /v1/agent/runtime/account/logout
	refused 503 RUNTIME_AUTH_LOGOUT_FAILED
	# what the runtime leaves out of its limits is there all the same
	ask POST /v1/agent/runtime/account/rate-limits/read
	[ "$body" = '{"rateLimits":{"limitId":null,"limitName":null,"primary":{"usedPercent":0,"windowDurationMins":null,"resetsAt":7},"secondary":null,"credits":null,"planType":null},"rateLimitsByLimitId":null}' ]
}

@test "approvals lie among the questions for people, and can be answered there" {
	with_script <<<"$asking"
	export CLARITY_HITL_DIR=$BATS_TEST_TMPDIR/state/hitl
	waiting() { [ "$(agent-hitl-list | wc -l)" = "$1" ]; }
	new_thread
	turn 'ls -l'
	pending
	await 20 waiting 1
	agent-hitl-list | jq -e ".key==\"$approval\" and (.question|contains(\"ls -l\"))"
	agent-hitl-answer "$approval" yes
	answer_is accept
	events | jq -c 'select(.method=="approval.resolved").payload|[.decision,.resolution,.resolvedBy]' | grep -qxF '["accept","answered","hitl"]'
	await 20 waiting 0
	[ -z "$(find "$CLARITY_HITL_DIR" -name '*.question' -o -name '*.answer')" ]
	new_thread
	turn question
	pending
	await 20 waiting 1
	agent-hitl-list | jq -e '.question=="Which?"'
	agent-hitl-answer "$approval" 'blue'
	answer_is blue
	new_thread
	turn ls
	pending
	await 20 waiting 1
	agent-hitl-answer "$approval" 'not today'
	answer_is decline
	# answered elsewhere, it is asked here no more; nor when the turn or the gateway has ended
	new_thread
	turn ls
	pending
	await 20 waiting 1
	ask POST "$path/approvals/$approval" '{"decision":"accept"}'
	await 20 waiting 0
	turn ls
	see "$(printf '.method=="approval.requested" and .turnId=="%s"' "$turn")"
	await 20 waiting 1
	ask POST "$path/turns/$turn/interrupt"
	await 20 waiting 0
	turn ls
	await 20 waiting 1
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	waiting 0
}
