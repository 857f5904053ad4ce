#!/usr/bin/env bats
# agent-runtime-acp makes a runtime of an agent that speaks the Agent Client Protocol.
load lib/common
load lib/runtime

setup() {
	common_setup
	PATH=$AU_BUILD/libexec/agentutils:$PATH
	runtime_listen
	mkdir work
	work=$PWD/work
	fake="python3 $AU_SRC/tests/fake/fake-acp --log $PWD/asked"
	options=
}
teardown() { runtime_teardown; }

# with [OPTION OF THE AGENT...]: a runtime on it, greeted, with a thread
with() {
	RUNTIME="agent-runtime-acp $options -- $fake $*"
	greet
	new_thread "{\"cwd\":\"$work\",\"sandbox\":\"workspace-write\"}"
}
turn_of() { # TEXT [MORE MEMBERS]: plays it; $line is its end
	begin "$@"
	ended 30
}
answer() { jq -rj "select(.method == \"item/agentMessage/delta\" and .params.turnId == \"$turn\").params.delta" "$heard"; }
is() { [ "$(jq -r .params.turn.status <<<"$line")" = "$1" ]; }
info() { jq -r '.params.turn.error.codexErrorInfo' <<<"$line"; }
sent() { jq -r 'select(.method).method' asked | tr '\n' ' '; }

@test "a turn: the session, the answer, thoughts, a plan and the usage" {
	with
	turn_of hello
	is completed
	[ "$(answer)" = 'You said: hello' ]
	[ "$(sent)" = 'initialize session/new session/prompt ' ]
	jq -se "any(.method == \"session/new\" and .params == {cwd:\"$work\",mcpServers:[]})" asked
	jq -se "map(select(.method == \"thread/tokenUsage/updated\"))[0].params.tokenUsage.last | .inputTokens == 3 and .outputTokens == 2" "$heard"
	turn_of 'THINK well'
	[ "$(jq -rj 'select(.method == "item/reasoning/textDelta").params.delta' "$heard")" = 'let me think' ]
	turn_of PLAN
	jq -se 'any(.method == "item/plan/delta" and .params.delta == "[x] one\n[ ] two\n")' "$heard"
	[ "$(grep -c session/new asked)" = 1 ]
}

@test "what is approved is told the agent by its own options" {
	with
	while read -r decision option status; do
		begin ASK
		hear '.method == "item/commandExecution/requestApproval"'
		jq -e '.params.command == "touch asked"' <<<"$line"
		say "{\"id\":$(jq -c .id <<<"$line"),\"result\":{\"decision\":\"$decision\"}}"
		ended
		[ "$(answer | jq -r .optionId)" = "$option" ]
		jq -se "any(.method == \"item/completed\" and .params.turnId == \"$turn\" and .params.item.type == \"commandExecution\" and .params.item.status == \"$status\")" "$heard"
	done <<-'T'
		accept o-allow_once completed
		acceptForSession o-allow_always completed
		decline o-reject_once declined
	T
	begin EDIT
	hear '.method == "item/fileChange/requestApproval"'
	say "{\"id\":$(jq -c .id <<<"$line"),\"result\":{\"decision\":\"accept\"}}"
	ended
	jq -se 'any(.method == "item/completed" and .params.item.type == "fileChange" and .params.item.changes[0].path == "/w/a")' "$heard"
	turn_of ASK ',"approvalPolicy":"never"'
	[ "$(answer | jq -r .optionId)" = o-reject_once ]
	turn_of ASK ',"sandboxPolicy":{"type":"dangerFullAccess"}'
	[ "$(answer | jq -r .optionId)" = o-allow_once ]
}

@test "files: those of the thread's directory, by no way around, written only when the sandbox lets" {
	printf 'one\ntwo\nthree\n' >work/file
	echo secret >outside
	ln -s ../outside work/link
	ln -s .. work/up
	mkdir work/dir workout
	mkfifo work/pipe
	with
	turn_of "READ $work/file {\"line\":2,\"limit\":1}"
	[ "$(answer | jq -r .result.content)" = two ]
	turn_of "WRITE $work/dir/new some text"
	[ "$(answer | jq -c .result)" = null ]
	[ "$(cat work/dir/new)" = 'some text' ]
	turn_of "WRITE $work/file x"
	[ "$(cat work/file)" = x ]
	for path in "$PWD/outside" "$work/../outside" "$work/link" "$work/up/outside" "$work/dir" "$work/pipe" "$work/./file" "$work" "${work}out/x" file /etc/passwd "$work/none/x"; do
		turn_of "READ $path"
		answer | jq -e '.error.message | length > 5'
		turn_of "WRITE $path y"
		answer | jq -e '.error.message | length > 5'
	done
	[ "$(cat outside)" = secret ]
	turn_of "WRITE $work/file y" ',"sandboxPolicy":{"type":"readOnly"}'
	answer | jq -e '.error.message | contains("read-only")'
	[ "$(cat work/file)" = x ]
}

@test "each failure has its word; another agent is started after a death" {
	with
	turn_of FAIL
	is failed
	[ "$(info)" = internalServerError ]
	jq -e '.params.turn.error | (.message | contains("it went wrong (a wheel came off)")) and (.additionalDetails | fromjson.why == 1)' <<<"$line"
	turn_of 'STOP refusal'
	jq -e '.params.turn.error.message | contains("refusal")' <<<"$line"
	for text in DIE LONG; do
		turn_of $text
		is failed
		[ "$(info)" = internalServerError ]
		turn_of 'and now?'
		is completed
		[ "$(answer)" = 'You said: and now?' ]
	done
	[ "$(grep -c '"session/load"' asked)" = 2 ]
	runtime_close
	with --version 2
	turn_of hello
	jq -e '.params.turn.error.message | contains("version 2")' <<<"$line"
	runtime_close
	with --auth
	turn_of hello
	[ "$(info)" = unauthorized ]
	runtime_close
	options='--auth method'
	with --auth
	turn_of hello
	is completed
	runtime_close
	RUNTIME="agent-runtime-acp --command $PWD/nowhere"
	greet
	new_thread
	turn_of hello
	is failed
	jq -e '.params.turn.error.message | contains("unable to start")' <<<"$line"
}

@test "an agent that does not stop is ended; nothing of it is left behind" {
	with
	begin DEAF
	hear '.method == "item/agentMessage/delta"'
	call turn/interrupt "{\"threadId\":\"$thread\",\"turnId\":\"$turn\"}"
	ended 20
	is interrupted
	turn_of hello
	is completed
	runtime_close
	[ "$status" = 0 ]
	run ! pgrep -f "$PWD/asked"
}

@test "an agent that forgets sessions is told what was said; a key of a login reaches it" {
	options='--key-env FAKE_KEY'
	with --no-load --key FAKE_KEY=sk
	turn_of one
	[ "$(info)" = unauthorized ]
	call account/login/start '{"type":"apiKey","apiKey":"sk"}'
	turn_of two
	is completed
	turn_of DIE
	turn_of three
	is completed
	tail -n 1 asked | jq -e '.params.prompt[0].text | contains("assistant: You said: two")'
}

@test "bad options say what is wrong" {
	run -2 agent-runtime-acp </dev/null
	assert_output -p "no agent's command"
	run -2 agent-runtime-acp --command x y </dev/null
	run -2 agent-runtime-acp --key-env A=B x </dev/null
	: >file
	run -9 agent-runtime-acp --state file/x -- true </dev/null
}

@test "it is what agent-runtime(7) asks for" {
	RUNTIME="$AU_BUILD/libexec/agentutils/agent-runtime-acp --key-env FAKE_KEY --state $BATS_TEST_TMPDIR/kept -- $fake" \
		RUNTIME_SLOW=SLOW RUNTIME_ASK=ASK RUNTIME_FAIL=FAIL bats --formatter tap "$AU_SRC/tests/runtime.bats" >tap || { cat tap; false; }
	grep -c '^ok' tap
}

@test "its page names every option" {
	page=$(mandoc -Tutf8 -O width=500 "$AU_SRC/man/agent-runtime-acp.8" "$AU_SRC/man/agent.7" | sed "s/.$(printf '\b')//g")
	while IFS=$'\t' read -r _ name _; do grep -q -e "--$name" <<<"$page"; done < <(agent-runtime-acp --options)
	run -0 --separate-stderr agent-runtime-acp --help
	[ "${lines[0]}" = 'usage: agent-runtime-acp [options] -- COMMAND [ARGUMENT ...]' ]
}
