#!/usr/bin/env bats
# Secrets: none is stored or sent on, whichever way it came in.
load ../lib/common
load ../lib/services

setup() { common_setup; }
teardown() { common_teardown; }

post() { curl -sS -o answer -w '%{http_code}' -H 'content-type: application/json' -d "$2" "$url/api/agents/$1"; }
# nowhere TEXT: neither in the state directory nor on standard error
nowhere() { ! grep -rqaF -e "$1" "$BATS_TEST_TMPDIR/state" "$gateway_log.err"; }

@test "a message: the contract's texts where it catches them, and what it misses" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	while IFS='|' read -r given want; do
		agent-send --run r -- "$given" >sent
		[ "$(agent-events r --kind agent.chat.user_message --jq .data.message | tail -n 1)" = "$want" ] || { agent-events r --jq .data.message | tail -n 3; return 1; }
		jq -e .message_redacted sent
	done <<-'T'
	Bearer abc.def-1|Bearer [REDACTED]
	API_KEY = foo,bar|API_KEY=[REDACTED],bar
	use sk-abcdefgh12|use sk-[REDACTED]
	my_token=abc|my_token=[REDACTED]
	{"password":"a b"}|{"password":"[REDACTED]"}
	sk-proj-abc_def-ghi1|sk-[REDACTED]
	Bearer token=abc|Bearer [REDACTED]
	AKIAIOSFODNN7EXAMPLE|AKIA[REDACTED]
	AIzaSyA-1234567890abcdefghijklmnopqrstu|AIza[REDACTED]
	ghp_16C7e42F292c6912E7710c838347Ae178B4a|ghp_[REDACTED]
	github_pat_11ABCDEFG0abcdefghijkl_mnop|github_pat_[REDACTED]
	xoxb-123456789012-abcdef|xoxb-[REDACTED]
	T
	agent-send --run r plain words >sent
	jq -e '.message_redacted == false' sent
}

@test "an event's message and data, at any depth; what is no secret keeps its bytes" {
	start_gateway
	[ "$(post events '{"kind":"agent.note","run_id":"r","message":"got token=hunter2x","data":{"env":{"DB_PASSWORD":"hunter2x","n":12345678901234567890,"f":1.50},"list":["Bearer hunter2x"],"doc":"{\"secret\":\"hunter2x\"}"}}')" = 200 ]
	[ "$(agent-events r --jq .message)" = 'got token=[REDACTED]' ]
	[[ $(agent-events r) == *'"data":{"env":{"DB_PASSWORD":"[REDACTED]","n":12345678901234567890,"f":1.50},"list":["Bearer [REDACTED]"],"doc":"{\"secret\":\"[REDACTED]\"}","runId":"r"}'* ]]
	nowhere hunter2x
}

@test "a handler's reply and its failure, a run's summary, its stream" {
	mkdir agents
	jq '.spec.origin.command = ["sh", "-c", "read -r x; case $x in *fail*) echo \"token=hunter2x\" >&2; exit 1;; esac; echo \"{\\\"reply\\\":\\\"it is password: hunter2x\\\"}\""]' "$AU_SRC/bin/gateway/builtin/shell.json" >agents/a.json
	start_gateway --agents agents
	agent-run-create --agent shell --run r | agent-send --wait hello >/dev/null
	[ "$(agent-events r --kind agent.chat.assistant_message --jq .data.message)" = 'it is password=[REDACTED]' ]
	run -10 agent-send --run r --wait fail
	[ "$(agent-runs r --jq .waitingReason)" = 'the command ended with status 1: token=[REDACTED]' ]
	agent-emit --run r --kind agent.run_failed --data '{"error":"AKIAIOSFODNN7EXAMPLE was refused"}' >/dev/null
	[ "$(agent-runs r --jq .failureReason)" = 'AKIA[REDACTED] was refused' ]
	run -10 timeout 20 agent-watch r
	[[ $output != *hunter2x* ]]
	nowhere hunter2x
	nowhere AKIAIOSFODNN7EXAMPLE
}

@test "what an event belongs to stays what it is" {
	start_gateway
	agent-emit --run sk-abcdefgh1 --agent token=x --kind agent.run_started >/dev/null
	[ "$(agent-events sk-abcdefgh1 --jq '[.data.runId, .data.agent] | tojson')" = '["sk-abcdefgh1","token=x"]' ]
	[ "$(agent-runs sk-abcdefgh1 --jq .status)" = running ]
}

@test "--secrets adds names and patterns; a file that is wrong is said with its line, status 9" {
	printf '%s\n' '# ours' 'name customer_ssn' 'pattern corp-[a-z0-9]{8,}' >rules
	start_gateway --secrets rules
	agent-run-create --agent echo --run r | agent-send --wait 'customerSSN: 123 and corp-abcdefgh9' >/dev/null
	[ "$(agent-events r --kind agent.chat.assistant_message --jq .data.message)" = 'Echo: customerSSN=[REDACTED] and [REDACTED]' ]
	[ "$(post events '{"kind":"agent.note","run_id":"r","data":{"customer_ssn":123}}')" = 200 ]
	[ "$(agent-events r --kind agent.note --jq .data.customer_ssn)" = '[REDACTED]' ]
	echo 'pattern (a|b)cde' >>rules
	run -9 --separate-stderr agent-gateway --check --state state2 --secrets rules
	[ "$stderr" = "agent-gateway: fatal: unable to use 'rules': line 4: '(' is not known in a pattern: write '\\(' for the sign itself" ]
	run -9 --separate-stderr agent-gateway --check --state state2 --secrets none
	[[ $stderr == *"'none'"* ]]
}

@test "a cut never splits a character, nor brings a secret back" {
	start_gateway
	agent-run-create --agent echo --run r >/dev/null
	python3 -c 'print("x"*1990 + " token=" + "y"*30)' | agent-send --run r >sent
	jq -e '.message_redacted and .message_truncated' sent
	[ "$(agent-events r --kind agent.chat.user_message --jq '.data | [.messageStoredLength, (.message | length)] | tojson')" = '[2000,2000]' ]
	[ "$(agent-events r --kind agent.chat.user_message --jq '.data.message[1990:]')" = ' token=[RE' ]
	python3 -c 'print("\U0001F600"*1001)' | agent-send --run r >/dev/null
	[ "$(agent-events r --kind agent.chat.user_message --jq '.data | [.messageOriginalLength, .messageStoredLength, .messageTruncated] | tojson' | tail -n 1)" = '[2002,2000,true]' ]
}

@test "what a remote service says when it fails, in its state too" {
	echo 'no entry for token=hunter2x' >page
	start web python3 "$AU_SRC/tests/fake/fake-http" --status 500 --type text/plain --body page
	await 20 has_line web.out '^http'
	mcp=$(head -n 1 web.out)
	start_gateway
	apply < <(manifest far "$(remote)")
	api POST /api/services/svc_far/start
	is "$(curl -s "$url/api/services/svc_far" | jq -r .service.runtime.lastError)" 'remote 500: no entry for token=[REDACTED]'
	nowhere hunter2x
}

@test "what is written down about requests and answers" {
	start_gateway --record record
	curl -sS -d '{"key":"k","question":"is password: hunter2x right?"}' "$url/questions" >/dev/null
	curl -sS "$url/questions" >answer
	grep -q hunter2x answer # a person must see what is asked
	curl -sS -X POST "$url/api/agents/runs/token=hunter2x/cancel" >/dev/null
	grep -q '"path":"/questions"' record
	run ! grep -q hunter2x record
	[ "$(jq -r 'select(.path == "/questions" and .method == "GET") | .body | fromjson | .[0].question' record)" = 'is password=[REDACTED] right?' ]
	grep -qF "/api/agents/runs/token=[REDACTED]" state/audit.ndjson
	run ! grep -q hunter2x state/audit.ndjson
	run ! grep -q hunter2x "$gateway_log.err"
}

@test "events are texts of their own: a secret is found in one, and the end of one hides nothing in the next" {
	start_gateway
	post() { curl -sS -o /dev/null -w '%{http_code}' -d "{\"kind\":\"agent.chat.assistant_message\",\"run_id\":\"r\",\"data\":{\"message\":\"$1\"}}" "$url/api/agents/events"; }
	[ "$(post 'the header is Bearer')" = 200 ]
	[ "$(post 'good morning')" = 200 ]
	[ "$(post 'password:')" = 200 ]
	[ "$(post 'was forgotten; Bearer aaaabbbbcccc')" = 200 ]
	[ "$(curl -s "$url/api/agents/runs/r/events" | jq -c '[.items[].data.message]')" = '["the header is Bearer","good morning","password:","was forgotten; Bearer [REDACTED]"]' ]
}
