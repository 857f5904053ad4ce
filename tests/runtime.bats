#!/usr/bin/env bats
# What agent-runtime(7) asks of a runtime, of any: RUNTIME="some command" bats tests/runtime.bats
#
# Some of it needs a runtime that does what its user says: RUNTIME_SLOW is a text whose turn goes on until it is interrupted, RUNTIME_ASK
# one that makes it ask for the approval of a command (under approvalPolicy "untrusted"), RUNTIME_FAIL one whose turn fails.
load lib/common
load lib/runtime

setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "it is greeted once, and before that it does nothing" {
	runtime_open
	call thread/start
	jq -e '.error.code < 0 and (.error.message | length > 0)' <<<"$line"
	call initialize '{"clientInfo":{"name":"conformance","version":"1"}}'
	jq -e '.result.userAgent | type == "string"' <<<"$line"
	call initialize '{"clientInfo":{"name":"conformance","version":"1"}}'
	jq -e .error <<<"$line"
	say '{"method":"initialized"}'
	call thread/start
	jq -e '.result.thread.id | length > 0' <<<"$line"
}

@test "a thread is started, and that is told" {
	greet
	new_thread
	jq -e '(.result.cwd | type == "string") and (.result.sandbox | type == "object") and (.result.approvalPolicy | . != null)' <<<"$line"
	hear ".method == \"thread/started\" and .params.thread.id == \"$thread\""
}

@test "a turn: its beginning, its items, its deltas that make the message, its end" {
	greet
	new_thread
	begin "hello, w\"ö\\rld"
	ended
	jq -e '.params.turn.status == "completed" and .params.turn.error == null' <<<"$line"
	jq -sc --arg turn "$turn" 'map(select(.params.turnId? == $turn or .params.turn.id? == $turn))' "$heard" >turn.json
	# every item that is completed was started, or completes in one go; deltas stand between
	jq -e 'map(select(.method == "item/started" or .method == "item/completed")) | length >= 3' turn.json
	jq -e '[.[] | select(.method == "item/completed" and .params.item.type == "userMessage") | .params.item.content[].text] | any(contains("w\"ö\\rld"))' turn.json
	jq -e '
		[.[] | select(.method == "item/completed" and .params.item.type == "agentMessage") | .params.item] as $said
		| ($said | length) > 0
		and ([.[] | select(.method == "item/agentMessage/delta")] as $deltas
			| all($said[]; .id as $id | ([$deltas[] | select(.params.itemId == $id) | .params.delta] | add // "") | . == "" or . == ($said[] | select(.id == $id).text)))' turn.json
	jq -e '
		. as $turn
		| [.[] | select(.method == "item/agentMessage/delta").params.itemId] | unique
		| all(.[]; . as $id | [$turn[] | select(.params.item.id? == $id or .params.itemId? == $id) | .method]
			| .[0] == "item/started" and .[-1] == "item/completed")' turn.json
	jq -e 'map(.method) | index("turn/completed") == length - 1 or (.[index("turn/completed") + 1:] | all(startswith("item/") | not))' turn.json
}

@test "the options of a turn are taken" {
	greet
	new_thread "{\"cwd\":\"$BATS_TEST_TMPDIR\",\"approvalPolicy\":\"never\",\"sandbox\":\"read-only\"}"
	jq -e --arg cwd "$BATS_TEST_TMPDIR" '.result.cwd == $cwd and .result.approvalPolicy == "never" and .result.sandbox.type == "readOnly"' <<<"$line"
	begin hello ',"approvalPolicy":"on-request","sandboxPolicy":{"type":"dangerFullAccess"},"effort":"low","cwd":"/"'
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
}

@test "turns of two threads do not mix" {
	greet
	new_thread
	local first=$thread first_turn
	begin one
	first_turn=$turn
	new_thread
	[ "$thread" != "$first" ]
	last_id=$((last_id + 1))
	say "{\"id\":$last_id,\"method\":\"turn/start\",\"params\":{\"threadId\":\"$thread\",\"input\":[{\"type\":\"text\",\"text\":\"two\"}]}}"
	hear "has(\"method\") == false and .id == $last_id"
	turn=$(jq -r .result.turn.id <<<"$line")
	hear ".method == \"turn/completed\" and .params.turn.id == \"$first_turn\" and .params.threadId == \"$first\""
	hear ".method == \"turn/completed\" and .params.turn.id == \"$turn\" and .params.threadId == \"$thread\""
	jq -se --arg a "$first" --arg b "$first_turn" 'all(.[]; (.params.turnId? != $b) or (.params.threadId == $a))' "$heard"
}

@test "ids come back as they were: strings and long numbers" {
	greet
	forget
	say '{"id":"a \"b\" ö","method":"account/read","params":{}}'
	hear '.id == "a \"b\" ö"'
	say '{"id":9007199254740993,"method":"account/read","params":{}}'
	await 10 grep -qE '"id":9007199254740993[,}]' "$heard"
	say '{"id":-5,"method":"account/read","params":{}}'
	hear '.id == -5'
}

@test "what is no message is no trouble" {
	greet
	say 'garbage'
	say ''
	say '[]'
	say '{"id":null,"method":"account/read","params":{}}'
	say '{"method":"no/such/notification","params":{}}'
	say '{"id":4711,"result":{}}'
	call no/such/method
	jq -e .error.message <<<"$line"
	call turn/start '{"input":[]}'
	jq -e .error.message <<<"$line"
	printf '  {"id":"crlf","method":"account/read","params":{}}\r\n' >&"$to_runtime"
	hear '.id == "crlf"'
	printf '{"id":"pie' >&"$to_runtime"
	read -rt 0.1 <> <(:) || :
	printf 'ces","method":"account/read","params":{}}\n' >&"$to_runtime"
	hear '.id == "pieces"'
}

@test "a long text is taken" {
	greet
	new_thread
	begin "$(head -c 60000 /dev/zero | tr '\0' y)"
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
}

@test "a thread that is not known is refused" {
	greet
	call turn/start '{"threadId":"00000000-0000-4000-8000-00000000dead","input":[{"type":"text","text":"x"}]}'
	jq -e .error.message <<<"$line"
	call thread/resume '{"threadId":"no-such-thread"}'
	jq -e '.error.message' <<<"$line"
}

@test "a thread is resumed by another process" {
	greet
	new_thread
	begin hello
	ended
	runtime_close
	read_so_far=0
	: >"$heard"
	greet
	call turn/start "{\"threadId\":\"$thread\",\"input\":[{\"type\":\"text\",\"text\":\"x\"}]}"
	jq -e .error <<<"$line"
	call thread/resume "{\"threadId\":\"$thread\",\"excludeTurns\":true}"
	jq -e --arg thread "$thread" '.result.thread.id == $thread' <<<"$line"
	begin again
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
}

@test "an interrupt ends the turn, at once" {
	[ -n "${RUNTIME_SLOW:-}" ] || skip "RUNTIME_SLOW is not set"
	greet
	new_thread
	begin "$RUNTIME_SLOW"
	hear ".method == \"item/agentMessage/delta\" and .params.turnId == \"$turn\""
	call turn/interrupt "{\"threadId\":\"$thread\",\"turnId\":\"$turn\"}"
	jq -e .result <<<"$line"
	ended
	jq -e '.params.turn.status == "interrupted"' <<<"$line"
	begin hello
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
}

@test "more text for a turn in progress is taken, for one that is not it is refused" {
	[ -n "${RUNTIME_SLOW:-}" ] || skip "RUNTIME_SLOW is not set"
	greet
	new_thread
	begin "$RUNTIME_SLOW"
	hear ".method == \"item/agentMessage/delta\" and .params.turnId == \"$turn\""
	more="{\"threadId\":\"$thread\",\"expectedTurnId\":\"$turn\",\"input\":[{\"type\":\"text\",\"text\":\"and more\",\"text_elements\":[]}]}"
	call turn/steer "${more/$turn/another}"
	jq -e .error.message <<<"$line"
	call turn/steer "$more"
	jq -e --arg turn "$turn" '.result.turnId == $turn' <<<"$line"
	call turn/interrupt "{\"threadId\":\"$thread\",\"turnId\":\"$turn\"}"
	ended
	call turn/steer "$more"
	jq -e .error.message <<<"$line"
}

@test "an interrupt of a turn that has ended is refused, or at least does nothing" {
	greet
	new_thread
	begin hello
	ended
	last_id=$((last_id + 1))
	say "{\"id\":$last_id,\"method\":\"turn/interrupt\",\"params\":{\"threadId\":\"$thread\",\"turnId\":\"$turn\"}}"
	if hear "has(\"method\") == false and .id == $last_id" 2; then
		jq -e .error.message <<<"$line"
	else
		[ -z "$runtime_is_ours" ]
	fi
	begin hello
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
}

@test "a turn that fails says why, and the thread stays usable" {
	[ -n "${RUNTIME_FAIL:-}" ] || skip "RUNTIME_FAIL is not set"
	greet
	new_thread
	begin "$RUNTIME_FAIL"
	ended 60
	jq -e '.params.turn.status == "failed" and (.params.turn.error.message | length > 0) and .params.turn.error.codexErrorInfo != null' <<<"$line"
	hear ".method == \"error\" and .params.turnId == \"$turn\" and .params.willRetry == false"
	begin hello
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
}

# A new thread in which the runtime asks for leave: sets $request and $item.
asks() {
	[ -n "${RUNTIME_ASK:-}" ] || skip "RUNTIME_ASK is not set"
	greet
	new_thread
	begin "$RUNTIME_ASK" ',"approvalPolicy":"untrusted"'
	hear '.method == "item/commandExecution/requestApproval"'
	jq -e --arg thread "$thread" --arg turn "$turn" '.params.threadId == $thread and .params.turnId == $turn and (.params.itemId | length > 0) and has("id")' <<<"$line"
	request=$(jq -c .id <<<"$line")
	item=$(jq -r .params.itemId <<<"$line")
}

decide() { # DECISION
	say "{\"id\":$request,\"result\":{\"decision\":\"$1\"}}"
}

over() { # STATUS of the turn
	ended
	jq -e --arg status "$1" '.params.turn.status == $status' <<<"$line"
}

@test "an approval: accepted, the command runs" {
	asks
	decide accept
	hear ".method == \"item/completed\" and .params.item.id == \"$item\""
	jq -e '.params.item.type == "commandExecution" and (.params.item.status == "completed" or .params.item.status == "failed")' <<<"$line"
	over completed
}

@test "an approval: declined, the turn goes on without it" {
	asks
	decide decline
	hear ".method == \"item/completed\" and .params.item.id == \"$item\""
	jq -e '.params.item.status == "declined"' <<<"$line"
	over completed
}

@test "an approval: cancelled, the turn is interrupted" {
	asks
	decide cancel
	over interrupted
}

@test "an interrupt while an approval is open, and an answer that comes too late" {
	asks
	call turn/interrupt "{\"threadId\":\"$thread\",\"turnId\":\"$turn\"}"
	over interrupted
	decide accept
	begin hello
	over completed
}

@test "the account: read, login with a key, logout" {
	greet
	call account/read '{"refreshToken":false}'
	jq -e '(.result.account == null or (.result.account | type == "object")) and (.result.requiresOpenaiAuth | type == "boolean")' <<<"$line"
	forget
	call account/login/start '{"type":"apiKey","apiKey":"sk-conformance"}'
	jq -e '.result.type == "apiKey"' <<<"$line"
	hear '.method == "account/login/completed" and .params.success == true'
	hear '.method == "account/updated" and .params.authMode == "apikey"'
	forget
	call account/logout
	jq -e '.result == {}' <<<"$line"
	hear '.method == "account/updated" and .params.authMode == null'
	call account/rateLimits/read
	jq -e '.error.message or .result.rateLimits' <<<"$line"
	call account/login/cancel '{"loginId":"00000000-0000-4000-8000-00000000dead"}'
	jq -e '.result.status == "notFound"' <<<"$line"
	call account/login/cancel '{"loginId":"none"}'
	jq -e .error.message <<<"$line"
}

@test "the end of its input is its end, also in the middle of a turn" {
	greet
	runtime_close
	[ "$status" = 0 ]
	[ -n "${RUNTIME_SLOW:-}" ] || return 0
	greet
	new_thread
	begin "$RUNTIME_SLOW"
	runtime_close
	[ "$status" = 0 ]
}

@test "an end by a signal is quick" {
	greet
	kill -TERM "$runtime_pid"
	await 5 gone "$runtime_pid"
}
