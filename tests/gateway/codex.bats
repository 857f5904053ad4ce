#!/usr/bin/env bats
# The gateway with the real codex app-server behind it. Offline: tests/fake/fake-model is the model.
#
# CODEX names the program; without it, the one that ./bootstrap --with-codex installed, or one on the PATH whose version is known.
load ../lib/common

setup() {
	common_setup
	CODEX=${CODEX:-$AU_BUILD/libexec/agentutils/codex}
	[ -x "$CODEX" ] || CODEX=$(command -v codex || :)
	[ -n "$CODEX" ] || skip "no codex: ./bootstrap --with-codex installs it, where npm can"
	version=$("$CODEX" --version 2>/dev/null | sed 's/.* //')
	case $version in
	0.105.0 | 0.169.0) ;;
	*) skip "codex ${version:-that says no version} is none of the versions that are known" ;;
	esac
	export AGENT_WORKSPACE=acme AGENT_RUNTIME_CODEX=$CODEX AGENT_RUNTIME_PROVIDER=local_process CODEX_HOME=$PWD/codex RUST_LOG=off
	unset OPENAI_API_KEY CODEX_APP_SERVER_COMMAND CODEX_APP_SERVER_ARGS
	mkdir work
	cd work
}
teardown() { common_teardown; }

begin() { # OPTIONS...: of the model; then the gateway and a thread
	start_model "$@"
	start_gateway
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
}
start_model() {
	start "model${model_n:=0}" "$AU_SRC/tests/fake/fake-model" --codex-home "$CODEX_HOME" --log "$BATS_TEST_TMPDIR/model.log" --gate "$BATS_TEST_TMPDIR/gate" "$@"
	await 20 has_line "$BATS_TEST_TMPDIR/model$model_n.out" http
	model_n=$((model_n + 1))
}
events() { agent-events --thread "$id"; }
said() { events | jq -c "select($1)" | grep -q .; }
child() { pgrep -P "$gateway_pid" -f app-server; }
again() {
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	start_gateway
}
asked_for() { agent-approvals --thread "$id" >asked 2>/dev/null; }

@test "a turn: the answer in pieces, what it did, what it cost; one child, started when it is needed and kept" {
	begin
	[ -z "$(child)" ]
	agent-turn-start hello <thread >turn
	[ "$(jq -r .output.text turn)" = "you said hello" ]
	pid=$(child)
	agent-turn-start "RUN echo one; echo two" <thread >turn
	agent-turn-start REASON <thread >turn
	[ "$(child)" = "$pid" ]
	[ "$(events | jq -r 'select(.method=="item.completed" and .payload.type=="commandExecution").payload.item.aggregatedOutput')" = $'one\ntwo' ]
	[ "$(events | jq -rj 'select(.method=="item.reasoning").payload.text')" = "let me think" ]
	# each request of the model costs the same; the second turn made two of them
	[ "$(events | jq -c 'select(.method=="turn.completed").payload.usage|[.inputTokens,.cachedInputTokens,.outputTokens,.reasoningOutputTokens,.totalTokens]' | paste -sd' ')" = \
		"[11,3,5,2,16] [22,6,10,4,32] [11,3,5,2,16]" ]
}

@test "a plan, a diff and the output of a command are events as they come" {
	begin
	# 0.169.0 gives a model that it does not know no plan to write
	if [ "$version" = 0.105.0 ]; then
		agent-turn-start PLAN <thread
		[ "$(events | jq -c 'select(.method=="turn.plan").payload.plan|map(.status)')" = '["completed","inProgress"]' ]
	fi
	agent-turn-start --sandbox-policy danger-full-access --approval-policy never "PATCH new.txt" <thread
	[ "$(cat new.txt)" = new ]
	said '.method=="turn.diff" and (.payload.diff|contains("+new"))'
	said '.method=="item.completed" and .payload.type=="fileChange" and .payload.item.status=="completed"'
	mkfifo pipe
	start turn agent-turn-start --sandbox-policy danger-full-access --approval-policy never --thread "$id" "RUN cat pipe"
	exec 7>pipe
	await 30 poured
	! said '.method=="item.completed" and .payload.type=="commandExecution"'
	exec 7>&-
	await 30 gone "$pid"
	said '.method=="item.completed" and .payload.type=="commandExecution" and (.payload.item.aggregatedOutput|contains("more"))'
}
poured() {
	echo more >&7
	said '.method=="item.output" and (.payload.text|contains("more"))'
}

@test "a long turn is interrupted, at once or after a while, and the thread goes on" {
	begin
	for _ in 1 2 3; do
		agent-turn-start --no-wait SLOW <thread >turn
		# the runtime may not have said that it has begun
		[ "$(agent-turn-interrupt --jq .status <turn)" = interrupted ]
	done
	agent-turn-start --no-wait SLOW <thread >turn
	await 30 said '.method=="item.delta"'
	[ "$(agent-turn-interrupt --jq .status <turn)" = interrupted ]
	run -11 agent-watch --timeout 30 <turn
	pid=$(child)
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	[ "$(child)" = "$pid" ]
}

@test "a command does not outlive the interrupt of its turn" {
	begin
	agent-turn-start --no-wait --sandbox-policy danger-full-access --approval-policy never "RUN echo \$\$ >pid; exec tail -f /dev/null" <thread >turn
	await 30 test -s pid
	kill -0 "$(cat pid)"
	[ "$(agent-turn-interrupt --jq .status <turn)" = interrupted ]
	await 30 gone "$(cat pid)"
}

@test "an approval is accepted and declined from another shell" {
	begin
	start turn agent-turn-start --stream --thread "$id" --approval-policy untrusted --sandbox-policy danger-full-access "RUN touch made"
	await 30 asked_for
	[ ! -e made ]
	agent-approve accept <asked | jq -e '.decision=="accept"'
	await 30 gone "$pid"
	run -0 wait "$pid"
	[ -e made ]
	start turn agent-turn-start --stream --thread "$id" "RUN touch again"
	await 30 asked_for
	agent-approve decline <asked
	await 30 gone "$pid"
	[ ! -e again ]
	[ "$(events | jq -c 'select(.method=="approval.resolved").payload|[.decision,.resolution]' | paste -sd' ')" = '["accept","answered"] ["decline","answered"]' ]
	# nobody asks any more, and an interrupt while it is open takes the question back
	agent-turn-start --no-wait "RUN touch third" <thread >turn
	await 30 asked_for
	agent-turn-interrupt <turn
	run -1 agent-approvals <thread
}

@test "the model answers 429, 500, 401, or is cut off: a code, what to do, and the thread goes on" {
	begin --reset 3600
	for case in "LIMIT 75 AGENT_RUNTIME_RATE_LIMITED" "LATER 75 AGENT_RUNTIME_RATE_LIMITED" "QUOTA 75 AGENT_RUNTIME_RATE_LIMITED" \
		"FAIL 75 AGENT_MODEL_UNAVAILABLE" "STATUS+503 75 AGENT_MODEL_UNAVAILABLE" "STATUS+401 4 AGENT_RUNTIME_AUTH_REQUIRED" \
		"CUT 75 AGENT_MODEL_UNAVAILABLE"; do
		read -r word status code <<<"$case"
		run -"$status" agent-turn-start --thread "$id" "${word/+/ }"
		agent-thread-show --jq .status <thread | grep -qx error
		[ "$(events | jq -r 'select(.method=="turn.completed").payload.error.code' | tail -n 1)" = "$code" ]
	done
	# when it may be asked again: the minute that codex says
	events | jq -e -s '[.[]|select(.method=="turn.completed").payload.error.retryAt][0]|(.[0:19]+"Z"|fromdate) - now | . > 3000 and . < 3800'
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
}

@test "--wait-for-limit waits until the limit is over, and starts again" {
	begin --once 1
	agent-turn-start --wait-for-limit LATER <thread >turn 2>said
	[ "$(jq -r .output.text turn)" = "you said LATER" ]
	grep -q 'a limit was met: waiting until 20' said
	[ "$(events | grep -c '"turn.started"')" = 2 ]
}

@test "a turn of one's own that meets a limit: --wait-for-limit waits, and starts again" {
	begin --once 2
	run -75 --separate-stderr agent-turn-local --thread "$id" LIMIT
	jq -e '.error.code == "AGENT_RUNTIME_RATE_LIMITED"' <<<"$output"
	agent-turn-local --wait-for-limit --thread "$id" LATER >turn 2>said
	grep -q 'a limit was met: waiting until 20' said
	[ "$(jq -r .output.text turn)" = "you said LATER" ]
}

@test "a limit that a run's message meets: its end is known, and waited for" {
	start_model --once 2
	runtime_manifest coder "{\"command\":[\"$CODEX\",\"app-server\"]}"
	start_gateway --agents agents
	agent-run-create --service svc_coder --agent coder --run r1 >made
	run -75 --separate-stderr agent-send --wait --errors json --run r1 LATER
	jq -e '.error | .retryable and (.retry_at | type == "string") and (.message | contains("RATE_LIMITED"))' <<<"$stderr"
	agent-send --wait --wait-for-limit --run r1 LATER >events 2>said
	grep -q 'a limit was met: waiting until 20' said
	jq -es 'any(.[]; .kind == "agent.step_completed" and .data.code == "AGENT_RUNTIME_RATE_LIMITED" and (.data.retryAt | type == "string"))' events
	jq -es '.[-1] | .kind == "agent.waiting" and .level == "info"' events
}

@test "a model that sends no head, or a head and nothing: the turn's time ends it" {
	start_model
	start_gateway --turn-timeout 3s
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
	for word in DEAF SILENT; do
		run -10 agent-turn-start --thread "$id" $word
		[ "$(events | jq -r 'select(.method=="turn.completed").payload.error.code' | tail -n 1)" = AGENT_TURN_TIMEOUT ]
	done
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
}

@test "the child is killed in the middle of a turn: that turn fails at once, the next one goes on in the same conversation" {
	begin
	agent-turn-start "remember me" <thread
	agent-turn-start --no-wait SLOW <thread >turn
	await 30 said '.method=="item.delta" and (.payload.text|contains("."))'
	pid=$(child)
	kill -9 "$pid"
	run -10 agent-watch --timeout 30 <turn
	[ "$(events | jq -r 'select(.method=="turn.completed").payload.error.code' | tail -n 1)" = AGENT_RUNTIME_UNAVAILABLE ]
	agent-turn-start --jq .output.text RECALL <thread | grep -q 'remember me.*RECALL'
	[ "$(child)" != "$pid" ]
}

@test "a conversation goes on after the gateway was started again; usage is that of its turn" {
	begin
	agent-turn-start "remember me" <thread
	again
	agent-turn-start --jq .output.text RECALL <thread | grep -q 'remember me.*RECALL'
	agent-turn-start hello <thread
	[ "$(events | jq -c 'select(.method=="turn.completed").payload.usage.totalTokens' | paste -sd' ')" = "16 16 16" ]
}

@test "two threads at once on one child" {
	begin
	agent-thread-create >other
	start one agent-turn-start --stream --thread "$id" "HOLD first"
	start two agent-turn-start --stream --thread "$(jq -r .threadId other)" "HOLD second"
	await 30 has_line "$BATS_TEST_TMPDIR/one.out" item.delta
	await 30 has_line "$BATS_TEST_TMPDIR/two.out" item.delta
	[ "$(child | wc -l)" = 1 ]
	touch "$BATS_TEST_TMPDIR/gate"
	await 30 has_line "$BATS_TEST_TMPDIR/one.out" 'turn.completed'
	await 30 has_line "$BATS_TEST_TMPDIR/two.out" 'turn.completed'
	[ "$(jq -rj 'select(.method=="item.delta").payload.text' "$BATS_TEST_TMPDIR/one.out")" = "you said HOLD first" ]
	[ "$(jq -rj 'select(.method=="item.delta").payload.text' "$BATS_TEST_TMPDIR/two.out")" = "you said HOLD second" ]
}

@test "an agent's manifest: its messages are turns of codex, with pieces, an approval and an interrupt" {
	start_model
	runtime_manifest coder "{\"command\":[\"$CODEX\",\"app-server\"],\"workspace\":\"acme\",\"approvalPolicy\":\"untrusted\",\"systemPrompt\":\"be brief\"}"
	start_gateway --agents agents
	printf '%s\n' hello | runtime-chat "$url" svc_coder --agent coder >chat
	grep -q 'coder: you said hello' chat
	run=$(sed -n 's/^Started run: //p' chat)
	agent-send --run "$run" "RUN touch made" >sent
	await 30 eval 'agent-approvals "$run" >asked 2>/dev/null && [ -s asked ]'
	agent-approve accept <asked >/dev/null
	agent-watch --until waiting --outcome=ignore --timeout 60s <sent >events
	jq -es 'any(.[]; .kind == "agent.tool_called" and (.message | contains("touch made"))) and any(.[]; .kind == "agent.chat.delta")' events
	# the same conversation, from the other side
	start turn agent-turn-start --thread "$run" SLOW
	await 30 eval 'agent-events --thread "$run" --kind item.delta | jq -es --arg t "$(agent-events --thread "$run" --kind turn.started | jq -rs ".[-1].turnId")" "any(.[]; .turnId == \$t)"'
	agent-turn-interrupt --thread "$run" --turn "$(agent-events --thread "$run" --kind turn.started | jq -rs '.[-1].turnId')" >/dev/null
	await 30 has_line "$BATS_TEST_TMPDIR/turn.out" '"interrupted"'
	agent-send --wait --run "$run" again >events
	jq -es 'any(.[]; .kind == "agent.chat.assistant_message" and .data.message == "you said again")' events
	agent-runs "$run" | jq -e '.usage.inputTokens >= 33'
}

@test "a broken configuration is found when a thread is needed, and mended without starting anything again" {
	begin
	cp "$CODEX_HOME/config.toml" good
	sed -i 's/wire_api = "responses"/wire_api = "chat"/' "$CODEX_HOME/config.toml"
	run -9 agent-turn-start --thread "$id" hello
	[ "$(events | jq -r 'select(.method=="turn.completed").payload.error|[.code,(.message|contains("config.toml"))]|tostring' | tail -n 1)" = '["AGENT_RUNTIME_CONFIG",true]' ]
	cp good "$CODEX_HOME/config.toml"
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
}

@test "it logs in with a key from a file or the environment; an account is read, left, and its limits are asked for" {
	start_model --key sk-test --provider 'requires_openai_auth = true'
	start_gateway
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
	run -4 agent-turn-start --thread "$id" hello
	[ "$(events | jq -r 'select(.method=="turn.completed").payload.error|.code,.hint' | paste -sd' ')" = \
		"AGENT_RUNTIME_AUTH_REQUIRED log in with agent-account-login, or give the runtime a key: AGENT_RUNTIME_API_KEY_FILE, behind a session host OPENAI_API_KEY there" ]
	run -4 agent-account-limits # the contract's 503, and in a header that nobody is logged in; what to do is in the message
	[[ $output == *"log in with agent-account-login"* ]]
	echo sk-test >key
	AGENT_RUNTIME_API_KEY_FILE=$PWD/key again
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	[ "$(agent-account-read --jq .authMode)" = apikey ]
	run -4 agent-account-limits # a key has none, an account has
	[[ $output == *"limits are known of a ChatGPT account only, not of a key"* && $output != *"give the runtime a key"* ]]
	start watch agent-watch --runtime --timeout 30
	agent-account-logout
	await 30 has_line "$BATS_TEST_TMPDIR/watch.out" account/updated
	OPENAI_API_KEY=sk-test again
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	! grep -rq sk-test "$BATS_TEST_TMPDIR/state" "$BATS_TEST_TMPDIR"/gateway*
	agent-account-logout
	AGENT_RUNTIME_API_KEY_FILE=/nowhere again
	run -4 agent-turn-start --thread "$id" hello
}

@test "no codex, one that is too old, one that knows no app-server: said at once, with what to do" {
	start_model
	cat >old <<-'END'
		#!/bin/sh
		read -r line
		line=${line#*'"id":'}
		echo "{\"id\":${line%%,*},\"result\":{\"userAgent\":\"x/0.99.1 (y)\"}}"
		cat >/dev/null
	END
	printf '#!/bin/sh\necho "unrecognized subcommand" >&2; exit 2\n' >older
	chmod +x old older
	for case in "$PWD/old AGENT_RUNTIME_VERSION" "$PWD/older AGENT_RUNTIME_VERSION" "/nowhere AGENT_RUNTIME_MISSING"; do
		read -r AGENT_RUNTIME_CODEX code <<<"$case"
		PATH=$AU_BUILD/bin:/usr/bin:/bin start_gateway
		agent-thread-create >thread
		for _ in 1 2; do
			run -9 --separate-stderr agent-turn-start --thread "$(jq -r .threadId thread)" hello
			[ "$(jq -r .error.code <<<"$output")" = "$code" ]
			[[ $stderr = *--with-codex* ]]
		done
		run -9 agent-account-read
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done
}

# as_npm_lays_it_out: bin/codex is npm's link to a script (one that fails), with the program in a package beside it
as_npm_lays_it_out() {
	mkdir -p pkg/codex/bin pkg/codex-linux-x64/vendor/triple/bin bin
	printf '#!/bin/sh\nexit 1\n' >pkg/codex/bin/codex.js
	chmod +x pkg/codex/bin/codex.js
	ln -s "$(realpath "$CODEX")" pkg/codex-linux-x64/vendor/triple/bin/codex
	ln -s ../pkg/codex/bin/codex.js bin/codex
}

@test "behind the script that npm puts on the PATH the program itself is started" {
	as_npm_lays_it_out
	start_model
	unset AGENT_RUNTIME_CODEX
	[ ! -e "$AU_BUILD/libexec/agentutils/codex" ] || export AGENT_RUNTIME_CODEX=$PWD/bin/codex
	PATH=$PWD/bin:$PATH start_gateway
	agent-thread-create | agent-turn-start --jq .output.text hello | grep -qx 'you said hello'
	ps -o args= -p "$(child)" | grep -q 'codex-linux-x64/vendor/triple/bin/codex app-server'
}

# with_host: codex stands behind a session host that finds it by itself, and the gateway before that
with_host() {
	unset HOST PORT SESSION_RUNTIME_ENGINE SESSION_RUNTIME_TOKEN
	start host "$AU_BUILD/libexec/agentutils/agent-session-host" --listen 127.0.0.1:0 --root "$BATS_TEST_TMPDIR"
	host_pid=$pid
	await 20 has_line "$BATS_TEST_TMPDIR/host.out" listening
	AGENT_RUNTIME_ENDPOINT=$(sed -n 's/.* listening on \([^ ]*\) .*/\1/p' "$BATS_TEST_TMPDIR/host.out")
	export AGENT_RUNTIME_ENDPOINT
	start_gateway
	agent-thread-create >thread
	id=$(jq -r .threadId thread)
}

@test "behind a session host: approvals from another shell, an interrupt while one waits, the options, a command's output, what it costs" {
	start_model --once 3
	with_host
	start turn agent-turn-start --stream --thread "$id" --model other --approval-policy untrusted --sandbox-policy danger-full-access "RUN echo this; touch made"
	await 30 asked_for
	jq -e --arg id "$id" '.kind == "command" and .params.threadId == $id' asked
	[ ! -e made ]
	agent-approve accept <asked | jq -e '.decision == "accept"'
	await 30 gone "$pid"
	run -0 wait "$pid"
	[ -e made ]
	jq -se 'map(select(.model == "other")) | length > 0' "$BATS_TEST_TMPDIR/model.log"
	start turn agent-turn-start --stream --thread "$id" "RUN touch again"
	await 30 asked_for
	agent-approve decline <asked
	await 30 gone "$pid"
	[ ! -e again ]
	agent-turn-start --no-wait "RUN touch third" <thread >turn
	await 30 asked_for
	[ "$(agent-turn-interrupt --jq .status <turn)" = interrupted ]
	run -1 agent-approvals <thread
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	[ ! -e third ]
	[ "$(events | jq -c 'select(.method=="approval.resolved").payload|[.decision,.resolution]' | paste -sd' ')" = '["accept","answered"] ["decline","answered"] [null,"withdrawn"]' ]
	[ "$(events | jq -r 'select(.method=="item.completed" and .payload.type=="commandExecution" and .payload.item.exitCode==0).payload.item.aggregatedOutput')" = this ]
	[ "$(events | jq -c 'select(.method=="turn.completed").payload.usage.totalTokens' | tail -n 1)" = 16 ]
	# what the model did wrong is told as that of a child of the gateway is
	run -75 agent-turn-start --thread "$id" FAIL
	[ "$(events | jq -r 'select(.method=="turn.completed").payload.error.code' | tail -n 1)" = AGENT_MODEL_UNAVAILABLE ]
	run -75 agent-turn-start --thread "$id" LIMIT
	[ "$(events | jq -r 'select(.method=="turn.completed").payload.error.code' | tail -n 1)" = AGENT_RUNTIME_RATE_LIMITED ]
	agent-turn-start --wait-for-limit LATER <thread >turn 2>said
	grep -q 'a limit was met: waiting until 20' said
	[ "$(jq -r .output.text turn)" = "you said LATER" ]
}

@test "behind a session host: it logs in with the key of its environment, once, and without one says what to do" {
	start_model --key sk-test --provider 'requires_openai_auth = true'
	OPENAI_API_KEY=sk-test with_host
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	[ "$(agent-account-read --jq .authMode)" = apikey ]
	jq -se 'all(.[]; .authorization == "Bearer sk-test")' "$BATS_TEST_TMPDIR/model.log"
	! grep -rq sk-test "$BATS_TEST_TMPDIR/state" "$BATS_TEST_TMPDIR"/gateway* "$BATS_TEST_TMPDIR"/host.*
	# a login that is there already is kept: no key is needed any more
	kill "$host_pid" "$gateway_pid"
	await 20 gone "$gateway_pid"
	with_host
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	agent-account-logout
	run -4 --separate-stderr agent-turn-start --thread "$id" hello
	[ "$(events | jq -r 'select(.method=="turn.completed").payload.error.code' | tail -n 1)" = AGENT_RUNTIME_AUTH_REQUIRED ]
	# a key that cannot be used
	kill "$host_pid" "$gateway_pid"
	await 20 gone "$gateway_pid"
	OPENAI_API_KEY=sk-wrong with_host
	run -4 agent-turn-start --thread "$id" hello
}

@test "a turn of one's own and a session host find the program that the gateway finds" {
	as_npm_lays_it_out
	start_model
	export AGENT_RUNTIME_CODEX=$PWD/bin/codex
	start_gateway
	agent-thread-create | agent-turn-local --jq .output.text hello | grep -qx 'you said hello'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	with_host
	[ "$(agent-turn-start --jq .output.text hello <thread)" = "you said hello" ]
	curl -sS "$AGENT_RUNTIME_ENDPOINT/health" | jq -e '.codex.command | endswith("codex-linux-x64/vendor/triple/bin/codex")'
}

@test "threads in directories of their own" {
	mkdir one two
	start_model
	start_gateway --root .
	for dir in one two; do
		agent-thread-create --cwd "$dir" >thread
		id=$(jq -r .threadId thread)
		agent-turn-start --approval-policy never "RUN pwd" <thread
		[ "$(events | jq -r 'select(.method=="item.completed" and .payload.type=="commandExecution").payload.item.aggregatedOutput')" = "$PWD/$dir" ]
	done
}
