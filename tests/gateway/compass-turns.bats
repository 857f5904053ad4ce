#!/usr/bin/env bats
# Turns: streamed, interrupted, failed, one at a time, and what a crash leaves.
load ../lib/common
load ../lib/compass

setup() { compass_setup; }
teardown() { common_teardown; }

@test "deltas are events as they come, and their texts are the answer" {
	with_script <<-'END'
		{"on":"turn"}
		{"delta":"Hello "}
		{"wait":"1s"}
		{"delta":"wörld"}
		{"touch":"said"}
		{"hang":true}
	END
	new_thread
	turn hi
	is '[.turn.status,.outputText,.turn.completedAt]' '["inProgress",null,null]'
	grep -qi '^preference-applied: respond-async' head
	status_is inProgress
	see '.method=="item.delta" and .payload.text=="wörld"'
	[ "$(events | jq -rj 'select(.method=="item.delta").payload.text')" = 'Hello wörld' ]
	[ "$(events | jq -c 'select(.method=="turn.completed")')" = '' ]
	ask POST "$path/turns/$turn/interrupt"
	[ "$code" = 200 ]
	is '.turn|[.status,.output,.error]' '["interrupted",null,{"message":"Interrupted by user"}]'
	status_is interrupted
	events | jq -c 'select(.method=="turn.completed").payload' | grep -qxF "{\"status\":\"interrupted\",\"turnId\":\"$turn\",\"parentTurnId\":null,\"sourceTurnId\":null,\"clientRequestId\":null}"
	ask POST "$path/turns/$turn/interrupt"
	refused 409 AGENT_TURN_INTERRUPT_CONFLICT 'Turn is not interruptible'
	ask POST "$path/turns/nothing/interrupt"
	refused 409 AGENT_TURN_INTERRUPT_CONFLICT
}

@test "Prefer: respond-async answers at once; who waits for a turn hears of its interrupt" {
	with_script <<-'END'
		{"on":"turn"}
		{"hang":true}
	END
	new_thread
	curl -sS -H 'content-type: application/json' -d '{"text":"x"}' "$url$path/turns" >waiting &
	waiting=$!
	see '.method=="turn.started"'
	turn=$(events | jq -r 'select(.method=="turn.started").turnId')
	ask POST "$path/turns/$turn/interrupt"
	[ "$code" = 200 ]
	wait "$waiting"
	[ "$(jq -c '[.turn.status,.outputText,.turn.error.message]' waiting)" = '["interrupted",null,"Interrupted by user"]' ]
	ask POST "$path/turns" '{"text":"x"}' -H 'Prefer: respond-async'
	[ "$code" = 202 ]
}

@test "an interrupt reaches the runtime, and the next turn goes to the same thread of it" {
	with_script <<-'END'
		{"on":"turn","text":"slow"}
		{"delta":"a"}
		{"hang":true}
		{"on":"turn"}
		{"say":"thread ${thread}"}
	END
	new_thread
	ask POST "$path/turns" '{"text":"one"}'
	first=$(jq -r .outputText body)
	[[ "$first" == "thread "* ]]
	turn slow
	see '.payload.text=="a"'
	ask POST "$path/turns/$turn/interrupt"
	ask POST "$path/turns" '{"text":"two"}'
	is .outputText "\"$first\""
	# a new gateway resumes it
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	start_gateway --runtime "$mock --script $BATS_TEST_TMPDIR/script"
	ask POST "$path/turns" '{"text":"three"}'
	[ "$code" = 200 ]
	is .turn.status '"completed"'
}

@test "a turn that is out of time, or interrupted, is stopped in the runtime; one whose caller has gone goes on" {
	with_script --turn-timeout 8s <<-END
		{"on":"turn/interrupt","nth":1}
		{"touch":"$PWD/first"}
		{"on":"turn/interrupt","nth":2}
		{"touch":"$PWD/second"}
		{"on":"turn","text":"late"}
		{"delta":"a"}
		{"wait":"4s"}
		{"delta":"b"}
		{"on":"turn"}
		{"delta":"a"}
		{"hang":true}
	END
	new_thread
	ask POST "$path/turns" '{"text":"x"}'
	is '[.turn.status,.turn.error.code]' '["error","AGENT_TURN_TIMEOUT"]'
	await 20 test -e first
	[ ! -e second ]
	new_thread
	turn x
	see '.method=="item.delta"'
	ask POST "$path/turns/$turn/interrupt"
	[ "$code" = 200 ]
	await 20 test -e second
	new_thread
	start caller curl -sS -H 'content-type: application/json' -d '{"text":"late"}' "$url$path/turns"
	see '.method=="turn.started"'
	kill "$pid"
	see '.method=="turn.completed" and .payload.output.text=="ab"'
	status_is completed
}

@test "fifty starts at once on one thread: one is admitted, the others are busy" {
	with_script <<-'END'
		{"on":"turn"}
		{"hang":true}
	END
	for _ in 1 2 3; do
		new_thread
		seq 50 | xargs -P 50 -I@ curl -sS -o /dev/null -w '%{http_code}\n' -H 'content-type: application/json' -d '{"text":"x"}' "$url$path/turns?wait=false" >codes
		[ "$(sort codes | uniq -c | awk '{ print $1 "x" $2 }' | paste -sd' ')" = '1x202 49x409' ]
		[ "$(events | grep -c '"turn.started"')" = 1 ]
	done
	ask POST "$path/turns" '{"text":"x"}'
	refused 409 AGENT_THREAD_BUSY 'A turn is already in progress'
	ask PATCH "$path/mode" '{"executionMode":"local"}'
	refused 409 AGENT_THREAD_BUSY 'Cannot switch mode while a turn is in progress'
	ask DELETE "$path"
	refused 409 AGENT_THREAD_BUSY
}

@test "twenty requests with one clientRequestId make one turn" {
	with_script <<-'END'
		{"on":"turn"}
		{"wait":"200ms"}
		{"say":"done"}
	END
	new_thread
	seq 20 | xargs -P 20 -I@ curl -sS -H 'content-type: application/json' -d '{"text":"x @","clientRequestId":"r"}' "$url$path/turns?wait=false" | jq -r .turn.turnId >ids
	[ "$(wc -l <ids)" = 20 ]
	[ "$(sort -u ids | wc -l)" = 1 ]
	[ "$(events | grep -c '"turn.started"')" = 1 ]
}

@test "an interrupt that meets the end of the turn is never undone: a thousand times" {
	with_script <<-'END'
		{"on":"turn"}
		{"delta":"a"}
		{"delta":"b"}
	END
	cat >race.py <<-'PY'
	import http.client, json, sys, threading, random
	host, base = sys.argv[1].split("//")[1], sys.argv[2]
	def call(c, method, path, body=None):
	    c.request(method, base + path, None if body is None else json.dumps(body), {"content-type": "application/json"} if body is not None else {})
	    r = c.getresponse(); return r.status, json.loads(r.read())
	c = http.client.HTTPConnection(host)
	seen = {"completed": 0, "interrupted": 0}
	for i in range(1000):
	    status, answer = call(c, "POST", "/turns?wait=false", {"text": "x"})
	    assert status == 202, (status, answer)
	    turn = answer["turn"]["turnId"]
	    n = random.randrange(4)
	    for _ in range(n):
	        call(c, "GET", "/turns/" + turn)
	    status, answer = call(c, "POST", "/turns/" + turn + "/interrupt")
	    assert status in (200, 409), (status, answer)
	    want = "interrupted" if status == 200 else "completed"
	    for _ in range(3):
	        got = call(c, "GET", "/turns/" + turn)[1]["turn"]["status"]
	        assert got == want, (i, got, want)
	    seen[want] += 1
	print(seen)
	PY
	new_thread
	python3 race.py "$url" "$path"
	events >all
	# each turn ends once, and nothing of it comes after its end
	[ "$(jq -r 'select(.method=="turn.completed").turnId' all | sort | uniq -d)" = '' ]
	[ "$(grep -c '"method":"turn.completed"' all)" = 1000 ]
	jq -sr '[.[]|select(.turnId)]|group_by(.turnId)[]|last.method' all | sort | uniq -c | grep -qx ' *1000 turn.completed'
}

@test "turn options go on to the runtime" {
	with_script <<-'END'
		{"on":"turn"}
		{"say":"${params}"}
	END
	new_thread
	ask POST "$path/turns" '{"text":"x","model":"m1","approvalPolicy":"on-request","sandboxPolicy":"read-only","effort":"high","personality":"dry"}'
	jq -r .outputText body | jq -c '[.model,.approvalPolicy,.sandboxPolicy.type,.effort,.personality,.input[0].text]' | grep -qxF '["m1","on-request","readOnly","high","dry","x"]'
	ask POST "$path/turns" '{"text":"x"}'
	jq -r .outputText body | jq -c '[.model,.effort]' | grep -qxF '[null,null]'
}

@test "a failure is an answer with a code, and the next turn is a new one" {
	AGENT_RUNTIME_PROVIDER=local_process with_script --turn-timeout 2s <<-'END'
		{"on":"turn","text":"fail"}
		{"fail":"it went wrong","info":"serverOverloaded"}
		{"on":"turn","text":"login"}
		{"fail":"log in first","info":"unauthorized"}
		{"on":"turn","text":"half"}
		{"delta":"half"}
		{"fail":"it went wrong"}
		{"on":"turn","text":"exit"}
		{"delta":"half"}
		{"exit":3}
		{"on":"turn","text":"kill"}
		{"signal":9}
		{"on":"turn","text":"hang"}
		{"hang":true}
		{"on":"turn","text":"stop"}
		{"interrupted":true}
		{"on":"turn","text":"retry"}
		{"retry":"busy"}
		{"say":"after all"}
		{"on":"turn"}
		{"say":"fine"}
	END
	while read -r text error; do
		new_thread
		ask POST "$path/turns" "{\"text\":\"$text\"}"
		[ "$code" = 200 ]
		is '[.turn.status,.turn.output,.outputText,.turn.error.code]' "[\"error\",null,null,\"$error\"]" || { echo "$text" >&2; false; }
		[ "$(jq -r '.turn.error.message|length>3' body)" = true ]
		[ "$(events 1 | jq -c 'select(.method=="turn.completed").payload|[.status,.output,.error.code,.assistantMessageId]')" = "[\"error\",null,\"$error\",null]" ]
		[ "$(events | grep -c runtime.metadata)" = 0 ]
		status_is error
		await 20 goes_well
	done <<-'EOT'
		fail AGENT_MODEL_UNAVAILABLE
		login AGENT_RUNTIME_AUTH_REQUIRED
		half RUNTIME_EXECUTION_FAILED
		exit AGENT_RUNTIME_UNAVAILABLE
		kill AGENT_RUNTIME_UNAVAILABLE
		hang AGENT_TURN_TIMEOUT
	EOT
	new_thread
	ask POST "$path/turns" '{"text":"stop"}'
	is '[.turn.status,.turn.error.code]' '["interrupted","AGENT_TURN_INTERRUPTED"]'
	ask POST "$path/turns" '{"text":"retry"}'
	is .outputText '"after all"'
	events | jq -c 'select(.method=="error").payload' | grep -qxF '{"message":"busy","willRetry":true}'
	events | jq -c 'select(.method=="runtime.metadata").payload|[.driver,(.tokenUsage.total.totalTokens|type)]' | tail -n 1 | grep -qxF '["local_process","number"]'
}
goes_well() {
	ask POST "$path/turns" '{"text":"x"}'
	[ "$(jq -r .outputText body)" = fine ]
}

@test "a runtime that cannot be had: a coded error, at once, and the gateway stays" {
	start_gateway --runtime /nowhere/at/all
	new_thread
	ask POST "$path/turns" '{"text":"x"}'
	is '[.turn.status,.turn.error.code]' '["error","AGENT_RUNTIME_MISSING"]'
	jq -e '.turn.error.hint | contains("--with-codex")' body
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_RUNTIME_PROVIDER=' Dynamic_Sessions ' start_gateway
	ask POST "$path/turns" '{"text":"x"}'
	failed_with AGENT_RUNTIME_UNAVAILABLE "Runtime provider dynamic_sessions is unavailable: DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT is missing"
	ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
	refused 503 AGENT_RUNTIME_UNAVAILABLE 'Runtime provider dynamic_sessions is unavailable: DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT is missing'
	ask POST /v1/agent/threads '{"workspaceSlug":"acme","executionMode":"local"}'
	[ "$code" = 201 ]
	for request in 'read {}' 'login/start {"type":"chatgpt"}' 'login/cancel {"loginId":"x"}' 'logout {}' 'rate-limits/read {}'; do
		ask POST "/v1/agent/runtime/account/${request% *}" "${request#* }"
		refused 503 AGENT_RUNTIME_UNAVAILABLE 'Runtime provider dynamic_sessions is unavailable: DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT is missing'
	done
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_RUNTIME_PROVIDER=local_docker AGENT_CONTAINER_ENGINE=/no/engine start_gateway
	ask POST "$path/turns" '{"text":"x"}'
	is .turn.error.code '"AGENT_RUNTIME_ENGINE_MISSING"'
}

@test "items of a turn: commands, changes of files, thoughts; messages only as deltas" {
	with_script <<-'END'
		{"on":"turn"}
		{"think":"hmm"}
		{"command":"ls","output":"a b"}
		{"say":"done"}
	END
	new_thread
	ask POST "$path/turns" '{"text":"x"}'
	[ "$(events 2 | jq -c '[.method,.payload.type]' | paste -sd' ')" = \
		'["item.started","reasoning"] ["item.reasoning",null] ["item.completed","reasoning"] ["item.started","commandExecution"] ["item.output",null] ["item.completed","commandExecution"] ["item.delta","assistant_message"] ["runtime.metadata",null] ["turn.completed",null]' ]
	events | jq -c 'select(.method=="item.completed" and .payload.type=="commandExecution").payload|[(.itemId|length>0),.item.command,.item.aggregatedOutput]' | grep -qxF '[true,"ls","a b"]'
}

@test "what a gateway left in progress when it was killed is closed as error by the next one, at every step of a turn" {
	local script='
		{"on":"start","unless":"never"}
		{"on":"turn"}
		{"delta":"one "}
		{"command":"ls","ask":true}
		{"delta":"two"}
		{"hang":true}'
	local steps=('.method=="turn.started"' '.method=="item.delta"' '.method=="approval.requested"')
	local step
	for step in "${steps[@]}"; do
		with_script <<<"$script"
		new_thread
		turn x
		see "$step"
		kill -9 "$gateway_pid"
		await 20 gone "$gateway_pid"
		with_script <<<"$script"
		status_is error
		ask GET "$path/turns/$turn"
		is '[.turn.status,.turn.error.code]' '["error","AGENT_GATEWAY_RESTARTED"]'
		[ "$(events | jq -c 'select(.method=="turn.completed").payload|[.status,.error.code]')" = '["error","AGENT_GATEWAY_RESTARTED"]' ]
		ask GET "$path/approvals"
		[ "$body" = '{"approvals":[]}' ]
		[ "$(events | grep -c '"approval.requested"')" = "$(events | grep -c '"approval.resolved"')" ]
		turn again
		see ".method==\"item.delta\" and .turnId==\"$turn\""
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done
	# asked to stop, it closes its turns itself
	with_script <<<"$script"
	ask GET "$path/turns/$turn"
	is '.turn.status' '"error"'
	is '.turn.error.code' '"AGENT_RUNTIME_UNAVAILABLE"'
}

@test "a runtime that is killed at any step fails its turn at once and leaves no process behind" {
	with_script <<-'END'
		{"on":"turn","text":"ask"}
		{"command":"ls","ask":true}
		{"on":"turn"}
		{"delta":"a"}
		{"hang":true}
	END
	new_thread
	for text in x ask; do
		turn "$text"
		see ".turnId==\"$turn\" and (.method==\"item.delta\" or .method==\"approval.requested\")"
		pkill -9 -P "$gateway_pid"
		see ".turnId==\"$turn\" and .method==\"turn.completed\" and .payload.error.code==\"AGENT_RUNTIME_UNAVAILABLE\""
	done
	ask GET "$path/approvals?status=resolved"
	is '[.approvals[]|[.decision,.resolution]]' '[[null,"withdrawn"]]'
}

@test "a great deal of text, faster than the store takes it" {
	with_script <<-'END'
		{"on":"turn"}
		{"repeat":20000,"steps":[{"delta":"0123456789abcdef0123456789abcdef"}]}
	END
	new_thread
	ask POST "$path/turns" '{"text":"x"}'
	is '.outputText|length' 640000
	jq -rj .outputText body >answer
	events | jq -rj 'select(.method=="item.delta").payload.text' | cmp - answer
}

@test "a secret that comes in pieces gets through in none" {
	with_script <<-'END'
		{"on":"turn"}
		{"say":"the key is sk-abcdefghijklmnopqrstuvwxyz0123456789 and the header Bearer aaaabbbbccccddddeeeeffff11112222 as it was, password=hunter2hunter2 too, end of it","chunk":3,"pause":"5ms"}
	END
	new_thread
	ask POST "$path/turns" '{"text":"x"}'
	is .outputText '"the key is sk-[REDACTED] and the header Bearer [REDACTED] as it was, password=[REDACTED] too, end of it"'
	jq -rj .outputText body >answer
	events | jq -rj 'select(.method=="item.delta").payload.text' | cmp - answer
	run ! grep -rqE 'qrstuvw|hunter2|ccccdddd' "$BATS_TEST_TMPDIR/state"
}

@test "a thread in a directory of its own: below a root, kept, and where its turns are" {
	mkdir -p work/one work/two other
	ln -s ../other work/out
	export AGENT_WORKSPACE=acme
	with_script --root work <<<'{"on":"turn"}
{"say":"${cwd}"}'
	cd work
	agent-thread-create --cwd one >../one
	cd ..
	jq -e --arg dir "$PWD/work/one" '.cwd == $dir' one
	agent-thread-create --cwd "$PWD/work/two/../two" >two
	[ "$(agent-turn-start --jq .output.text hello <one)" = "$PWD/work/one" ]
	[ "$(agent-turn-start --jq .output.text hello <two)" = "$PWD/work/two" ]
	# one that names none has none
	agent-thread-create | jq -e 'has("cwd") | not'
	for dir in "$PWD/other" "$PWD/work/out" "$PWD/work/../other" / "$PWD/work/none"; do
		run -6 --separate-stderr agent-thread-create --cwd "$dir"
		[[ $stderr == *"cwd is no directory below a root of this gateway"* ]]
	done
	run -6 agent-thread-create --cwd nowhere
	ask POST /v1/agent/threads '{"workspaceSlug":"acme","cwd":"work/one"}'
	refused 400 INVALID_REQUEST "cwd must be an absolute path"
	ask POST /v1/agent/threads '{"workspaceSlug":"acme","cwd":7}'
	refused 400 INVALID_REQUEST "Expected string, received number"
	ask POST /v1/agent/threads "{\"workspaceSlug\":\"acme\",\"cwd\":\"/$(head -c 4096 /dev/zero | tr '\0' x)\"}"
	refused 400 INVALID_REQUEST
	# it stays with the thread, also for a gateway that has no roots; that one gives none
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	start_gateway --runtime "$mock --script $BATS_TEST_TMPDIR/script"
	[ "$(agent-turn-start --jq .output.text hello <one)" = "$PWD/work/one" ]
	agent-thread-show <one | jq -e --arg dir "$PWD/work/one" '.cwd == $dir'
	run -6 agent-thread-create --cwd "$PWD/work/one"
	run -9 agent-gateway --root /nowhere --check
	[[ $output == *"unable to take '/nowhere' for a root"* ]]
}
