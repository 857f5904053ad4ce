#!/usr/bin/env bats
# agent-turn-local: a runtime of this machine, and a thread that others watch.
load lib/common

setup() {
	common_setup
	mock=$AU_BUILD/libexec/agentutils/agent-runtime-mock
	start_compass
	agent-thread-create --mode local >thread
	id=$(jq -r .threadId thread)
}
teardown() { common_teardown; }
# how many pieces a text comes in is a matter of time
methods() { jq -r .method "$1" | uniq | tr '\n' ' '; }

@test "the turn's record is written, and the thread has its events" {
	run -0 --separate-stderr agent-turn-local --runtime "$mock --host desktop_local" hello there <thread
	jq -e --arg t "$id" '.threadId == $t and .status == "completed" and .executionMode == "local" and .output.text == "Cloud(desktop_local) response: hello there"
		and .input.text == "hello there" and .error == null and .workspaceSlug == "acme" and (.turnId | test("^[0-9a-f]{8}-[0-9a-f]{4}-4"))' <<<"$output"
	turn=$(jq -r .turnId <<<"$output")
	agent-events --thread "$id" --turn "$turn" >events
	[ "$(methods events)" = "turn.started item.delta turn.completed " ]
	[ "$(jq -r 'select(.method=="turn.completed").payload | .status + " " + .output.text' events)" = "completed Cloud(desktop_local) response: hello there" ]
	[ "$(head -n 1 events | jq -c '.payload | [.text, .executionMode]')" = '["hello there","local"]' ]
}

@test "another shell sees it live, piece by piece, and its end is the end of watching" {
	start watch agent-watch --thread "$id" --until turn.completed
	await 10 has_line watch.out thread.started
	watch_pid=$pid
	# a runtime that says the rest when the beginning has been seen
	printf '%s\n' '{"on":"turn"}' '{"delta":"one two three four "}' '{"delta":"five"}' >script
	mkfifo seen
	cat >held <<-END
		#!/bin/sh
		$mock --script script | while IFS= read -r line; do
			case \$line in *five*) [ -e let ] || { read -r _ <seen && : >let; } ;; esac
			printf '%s\\n' "\$line"
		done
	END
	chmod +x held
	AGENT_RUNTIME_COMMAND=./held start streamed agent-turn-local --stream --thread "$id" tell me
	await 30 has_line watch.out item.delta
	echo >seen
	await 30 gone "$watch_pid"
	wait "$pid"
	[ "$(jq -j 'select(.method=="item.delta").payload.text' watch.out)" = "one two three four five" ]
	diff <(jq -c '[.method, .payload]' streamed.out) <(jq -c 'select(.turnId) | [.method, .payload]' watch.out)
	[ "$(agent-show --time none <watch.out | grep -c 'one two three four five')" = 1 ]
}

@test "what the runtime asks is answered by policy, and that is told" {
	cat >ask <<-'END'
		#!/bin/sh
		while IFS= read -r line; do
			case $line in
			*'"initialize"'*) echo '{"id":1,"result":{"userAgent":"t"}}' ;;
			*'"thread/start"'*) echo '{"id":2,"result":{"thread":{"id":"th"}}}' ;;
			*'"turn/start"'*)
				echo '{"id":3,"result":{"turn":{"id":"tu","status":"inProgress","items":[]}}}'
				echo '{"id":0,"method":"item/commandExecution/requestApproval","params":{"threadId":"th","turnId":"tu","itemId":"i","command":"make"}}'
				echo '{"id":1,"method":"item/tool/call","params":{"threadId":"th"}}' ;;
			*'"decision":'*)
				said=$(printf %s "$line" | sed 's/.*"decision":"\([a-z]*\)".*/\1/')
				echo '{"method":"item/started","params":{"threadId":"th","turnId":"tu","item":{"type":"commandExecution","id":"i","command":"make"}}}'
				echo '{"method":"item/completed","params":{"threadId":"th","turnId":"tu","item":{"type":"agentMessage","id":"m","text":"'"$said"'"}}}' ;;
			*-32601*) echo '{"method":"turn/completed","params":{"threadId":"th","turn":{"id":"tu","status":"completed","items":[]}}}' ;;
			esac
		done
	END
	chmod +x ask
	[ "$(agent-turn-local --thread "$id" --runtime ./ask --jq .output.text x)" = decline ]
	agent-turn-local --thread "$id" --runtime ./ask --approve accept --stream x >events
	[ "$(methods events)" = "turn.started local.approval item.started item.delta turn.completed " ]
	[ "$(jq -c 'select(.method=="local.approval").payload | [.decision, .params.command]' events)" = '["accept","make"]' ]
	[ "$(tail -n 1 events | jq -r .payload.output.text)" = accept ]
}

@test "failures are told to the thread, and have their status" {
	run -4 --separate-stderr agent-turn-local --thread "$id" --runtime "$mock --login-needed" x
	[[ $stderr == *"the turn failed: authentication required: log in first; log the runtime in, as with: codex login"* ]]
	jq -e '.error.code == "AGENT_RUNTIME_AUTH_REQUIRED"' <<<"$output"
	run -10 --separate-stderr agent-turn-local --thread "$id" --runtime 'exit 3' x
	jq -e '.status == "error" and .output == null and (.error.message | startswith("the runtime ended with status 3"))' <<<"$output"
	run -10 agent-turn-local --thread "$id" --runtime 'kill -9 $$' x
	run -10 agent-turn-local --thread "$id" --runtime 'echo garbage; cat >/dev/null' x
	run -0 agent-turn-local --outcome ignore --thread "$id" --runtime 'exit 3' x
	[ "$(agent-events --thread "$id" --kind turn.completed --jq .payload.status | sort | uniq -c | tr -s ' \n' ' ')" = " 5 error " ]
	run -9 --separate-stderr agent-turn-local --thread "$id" --runtime /nowhere/codex x
	jq -e '.error | .code == "AGENT_RUNTIME_MISSING" and (.hint | contains("--with-codex"))' <<<"$output"
	# one that is taken without being named must not be too old
	cat >old <<-'END'
		#!/bin/sh
		read -r line
		echo '{"id":1,"result":{"userAgent":"x/0.99.1 (y)"}}'
		cat >/dev/null
	END
	chmod +x old
	AGENT_RUNTIME_CODEX=$PWD/old run -9 agent-turn-local --thread "$id" x
	run -75 --separate-stderr agent-turn-local --thread "$id" --runtime "$mock --script $(script '{"fail":"at capacity","info":"serverOverloaded"}')" x
	[ "$(agent-events --thread "$id" --kind turn.completed --jq .payload.error.code | tail -n 1)" = AGENT_MODEL_UNAVAILABLE ]
}
script() { # STEP...: a file with them for every turn
	printf '%s\n' '{"on":"turn"}' "$@" >"$BATS_TEST_TMPDIR/steps"
	echo "$BATS_TEST_TMPDIR/steps"
}

@test "a limit: until when it lasts; --wait-for-limit waits for it and begins anew" {
	limit=$(script '{"fail":"rate limit: try again in 1s","info":"rateLimitExceeded"}')
	run -75 --separate-stderr agent-turn-local --thread "$id" --runtime "$mock --script $limit" x
	jq -e '.error | .code == "AGENT_RUNTIME_RATE_LIMITED" and (.retryAt | type == "string") and (.hint | contains("--wait-for-limit"))' <<<"$output"
	agent-turn-local --wait-for-limit --thread "$id" --runtime "[ ! -e met ] || exec $mock; : >met; exec $mock --script $limit" hello >turn 2>said
	grep -q 'a limit was met: waiting until 20' said
	jq -se 'length == 1 and .[0].status == "completed"' turn
	[ "$(agent-events --thread "$id" --kind turn.completed --jq .payload.status | tail -n 2 | tr '\n' ' ')" = "error completed " ]
	# what --timeout would not outlast is not waited for, and the turn is the result
	limit=$(script '{"fail":"usage limit: try again in 2 hours","info":"usageLimitExceeded"}')
	run -75 --separate-stderr agent-turn-local --wait-for-limit --timeout 60s --thread "$id" --runtime "$mock --script $limit" x
	[ "$(jq -r .error.code <<<"$output")" = AGENT_RUNTIME_RATE_LIMITED ]
	# a signal ends the waiting
	start waiting agent-turn-local --wait-for-limit --thread "$id" --runtime "$mock --script $limit" x
	await 20 has_line waiting.err 'a limit was met'
	kill "$pid"
	await 20 gone "$pid"
	jq -e '.status == "error"' waiting.out
}

@test "nothing runs for a thread that is not there; wrong calls" {
	run -1 agent-turn-local --thread nobody --runtime 'touch ran' x
	[ ! -e ran ]
	run -2 agent-turn-local <thread
	run -2 agent-turn-local --thread "$id" --approve maybe x
	run -6 agent-turn-local x <<<'{}'
	run -6 agent-turn-local --thread "$id" ' '
	run -3 agent-turn-local --url http://127.0.0.1:1 --thread "$id" --runtime 'touch ran' x
	[ ! -e ran ]
}

@test "an interrupt and a deadline end the turn and everything that it started" {
	printf '#!/bin/sh\nwhile IFS= read -r l; do case $l in *initialize\\"*) echo "{\\"id\\":1,\\"result\\":{}}";; *thread/start*) echo "{\\"id\\":2,\\"result\\":{\\"thread\\":{\\"id\\":\\"th\\"}}}";; *turn/start*) echo "{\\"id\\":3,\\"result\\":{\\"turn\\":{\\"id\\":\\"tu\\"}}}"; echo $$ >pid;; *turn/interrupt*) echo "{\\"method\\":\\"turn/completed\\",\\"params\\":{\\"turn\\":{\\"id\\":\\"tu\\",\\"status\\":\\"interrupted\\"}}}";; esac; done\n' >slow
	chmod +x slow
	start local env --default-signal=INT agent-turn-local --thread "$id" --runtime ./slow x
	local_pid=$pid
	await 10 test -s pid
	kill -INT "$local_pid"
	await 10 gone "$local_pid"
	run -11 wait "$local_pid"
	jq -e '.status == "interrupted"' local.out
	gone "$(cat pid)"
	rm pid
	run -5 agent-turn-local --thread "$id" --timeout 700ms --runtime ./slow x
	[ "$(agent-events --thread "$id" --kind turn.completed --jq .payload.status | tr '\n' ' ')" = "interrupted interrupted " ]
	gone "$(cat pid)"
}
