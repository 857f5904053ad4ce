#!/usr/bin/env bats
# agent-runtime-mock says what it is told to.
load lib/common
load lib/runtime

setup() {
	common_setup
	PATH=$AU_BUILD/libexec/agentutils:$PATH
	first=00000000-0000-4000-8000-000000000001
	runtime_listen
}
teardown() { runtime_teardown; }

# talk TEXT...: a conversation with a turn for each text, on one thread
talk() {
	echo '{"id":1,"method":"initialize","params":{"clientInfo":{"name":"t","version":"1"}}}'
	echo '{"method":"initialized"}'
	echo '{"id":2,"method":"thread/start","params":{"cwd":"/tmp"}}'
	local n=3
	for text; do
		jq -nc --arg text "$text" --arg thread "$first" --argjson id "$n" '{id: $id, method: "turn/start", params: {threadId: $thread, input: [{type: "text", text: $text}]}}'
		n=$((n + 1))
	done
}
deltas() { jq -rj 'select(.method == "item/agentMessage/delta").params.delta'; }
some() { jq -es "any(.[]; $1)" "$2"; } # CONDITION FILE: true of one of its lines
# play SCRIPT [OPTION...]: its answer to "x"
play() {
	printf '%s\n' "$1" >script
	shift
	talk x | agent-runtime-mock --counted-ids --drain --script script "$@"
}
# with SCRIPT: opens it for say and hear
with() {
	printf '%s\n' "$1" >script
	RUNTIME="agent-runtime-mock --script script"
	greet
}

@test "help, version, options and what is wrong" {
	run -0 --separate-stderr agent-runtime-mock --help
	[[ ${lines[0]} == "usage: agent-runtime-mock [options] [app-server]" ]]
	run -0 agent-runtime-mock --version
	[[ $output == "agent-runtime-mock (agentutils) "* ]]
	page=$(mandoc -Tutf8 -O width=500 "$AU_SRC/man/agent-runtime-mock.8" "$AU_SRC/man/agent.7" | sed "s/.$(printf '\b')//g")
	while IFS=$'\t' read -r _ name _; do grep -q -e "--$name" <<<"$page"; done < <(agent-runtime-mock --options)
	run -2 --separate-stderr agent-runtime-mock --no-such
	[ "${#stderr_lines[@]}" = 2 ]
	run -2 agent-runtime-mock serve
	run -0 agent-runtime-mock app-server </dev/null
	[ -z "$output" ]
	status=0
	agent-runtime-mock --help >/dev/full 2>err || status=$?
	[ "$status" = 8 ]
}

@test "without a script: the text of the mock provider, in one piece" {
	talk "hello ö" | agent-runtime-mock --counted-ids >out
	[ "$(deltas <out)" = "Cloud(dynamic_sessions) response: hello ö" ]
	[ "$(jq -r '.method // "answer"' out | tr '\n' ' ')" = "answer answer thread/started answer thread/status/changed turn/started item/started item/completed item/started item/agentMessage/delta item/completed thread/tokenUsage/updated thread/status/changed turn/completed " ]
	talk "hello ö" | agent-runtime-mock --counted-ids >again
	cmp out again
}

@test "equal input, equal output" {
	talk a b c | agent-runtime-mock --counted-ids --drain >one
	talk a b c | agent-runtime-mock --counted-ids --drain >two
	cmp one two
	talk a | agent-runtime-mock >three
	[ "$(jq -r 'select(.id == 2).result.thread.id' three)" != "$first" ]
}

@test "--host, and a host of the thread or of the turn" {
	talk x | agent-runtime-mock --counted-ids --host h1 >out
	[ "$(deltas <out)" = "Cloud(h1) response: x" ]
	talk x | sed 's|"cwd":"/tmp"|"config":{"executionHost":"h2"}|' | agent-runtime-mock --counted-ids >out
	[ "$(deltas <out)" = "Cloud(h2) response: x" ]
	talk x | sed "s|\"threadId\"|\"executionHost\":\"desktop_local\",&|" | agent-runtime-mock --counted-ids >out
	[ "$(deltas <out)" = "Cloud(desktop_local) response: x" ]
}

@test "--chunk streams, and splits no character" {
	talk "ööööö" | agent-runtime-mock --counted-ids --drain --chunk 3 >out
	[ "$(deltas <out)" = "Cloud(dynamic_sessions) response: ööööö" ]
	[ "$(grep -c agentMessage/delta out)" -gt 10 ]
	jq -es . out
	began=${EPOCHREALTIME/./}
	talk "x" | agent-runtime-mock --counted-ids --drain --chunk 20 --pause 100ms >out
	((${EPOCHREALTIME/./} - began > 90000))
}

@test "the end of the input ends it, unless it drains" {
	printf '%s\n' '{"delta":"a"}' '{"wait":"200ms"}' '{"delta":"b"}' >script
	[ "$(talk x | agent-runtime-mock --counted-ids --script script | deltas)" = a ]
	[ "$(talk x | agent-runtime-mock --counted-ids --script script --drain | deltas)" = ab ]
	printf '%s\n' '{"hang":true}' >script
	talk x | timeout 10 agent-runtime-mock --counted-ids --script script --drain
}

@test "blocks: the first that fits, by text, part, number and file" {
	cat >script <<-'END'
		# which one?
		{"on":"turn","text":"exact"}
		{"say":"1"}

		{"on":"turn","contains":"part"}
		{"say":"2"}
		{"on":"turn","nth":3}
		{"say":"3"}
		{"on":"turn","unless":"flag"}
		{"touch":"flag"}
		{"say":"4"}
		{"on":"turn"}
		{"say":"5 ${nth}"}
	END
	rm -f flag
	for text in exact "a part of" third other last; do echo "$text"; done >texts
	mapfile -t texts <texts
	talk "${texts[0]}" >in
	for i in 1 2 3 4; do talk "" "${texts[@]:1}" | jq -c --argjson i $((i + 3)) 'select(.id == $i)' >>in; done
	: >out
	coproc mock { agent-runtime-mock --counted-ids --script script; }
	exec 7>&"${mock[1]}" 8<&"${mock[0]}"
	while IFS= read -r request; do
		printf '%s\n' "$request" >&7
		case $request in *turn/start*)
			while IFS= read -r -t 10 -u 8 line; do
				printf '%s\n' "$line" >>out
				[[ $line != *turn/completed* ]] || break
			done ;;
		esac
	done <in
	exec 7>&- 8<&-
	[ "$(jq -r 'select(.method == "item/completed" and .params.item.type == "agentMessage").params.item.text' out | tr '\n' ,)" = "1,2,3,4,5 5," ]
}

@test "a script that is wrong is said at the start, a step that is wrong when it is played" {
	printf '{"say":"a"}\nnonsense\n' >script
	run -6 --separate-stderr agent-runtime-mock --script script </dev/null
	[[ $stderr == *"unable to use the script 'script': line 2: "* ]]
	run -8 --separate-stderr agent-runtime-mock --script none </dev/null
	play '{"sing":"a"}' 2>err >out
	grep -q 'unable to play the step {"sing":"a"}' err
	[ "$(jq -r 'select(.method == "turn/completed").params.turn.status' out)" = completed ]
}

@test "steps: deltas, repeats, thoughts, plans, what they may say" {
	play '{"repeat":2,"steps":[{"delta":"${i}"},{"repeat":2,"steps":[{"delta":"."}]}]}
{"think":"hm"}
{"plan":"first"}
{"delta":" ${cwd} ${approval} ${unknown} ${text}"}' >out
	[ "$(deltas <out)" = '0..1.. /tmp on-request ${unknown} x' ]
	some '(.method == "item/reasoning/textDelta") and (.params.delta == "hm")' out
	some '(.method == "item/plan/delta") and (.params.delta == "first")' out
}

@test "steps: failures, retries, ends" {
	play '{"retry":"again"}
{"fail":"no","info":{"httpConnectionFailed":{"httpStatusCode":503}}}' >out
	some '(.method == "error" and .params.willRetry) and (.params.error.message == "again")' out
	some '(.method == "turn/completed") and (.params.turn | .status == "failed" and .error.message == "no" and .error.codexErrorInfo.httpConnectionFailed.httpStatusCode == 503)' out
	[ "$(play '{"interrupted":true}' | jq -r 'select(.method == "turn/completed").params.turn.status')" = interrupted ]
	play '{"complete":true}
{"delta":"never"}' >out
	[ -z "$(deltas <out)" ]
}

@test "steps: garbage, long lines, other notifications" {
	play '{"raw":"garbage"}
{"raw":"no newline","end":false}
{"hex":"ff0a"}
{"fill":100000}
{"big":100000}
{"notify":{"method":"warning","params":{"message":"${thread}"}}}' >out
	grep -qx garbage out
	grep -qa "^no newline" out
	[ "$(awk '/^x+$/ { print length }' out)" = 100000 ]
	grep -q "\"warning\",\"params\":{\"message\":\"$first\"}" out
	[ "$(jq -R 'fromjson? | select(.method == "item/agentMessage/delta").params.delta | length' out)" = 100000 ]
}

@test "steps: the end of the process" {
	run -3 play '{"exit":3}'
	run -137 play '{"signal":9}'
	run -0 --separate-stderr play '{"stderr":"to a person"}'
	[[ $stderr == "to a person" ]]
	run -5 play '{"on":"thread/start"}
{"exit":5}'
	run -7 play '{"on":"start"}
{"exit":7}'
	[ -z "$output" ]
}

@test "requests can be answered otherwise, late, or not at all" {
	play '{"on":"thread/start","nth":1}
{"refuse":"no room","code":-1}' >out
	some '(.id == 2) and (.error | .code == -1 and .message == "no room")' out
	play '{"on":"initialize"}
{"answer":{"userAgent":"${host}me"}}' >out
	some '(.id == 1) and (.result.userAgent == "me")' out
	some '(.id == 2) and (.error.message == "Not initialized")' out
	play '{"on":"turn","manual":true}
{"delta":"first"}
{"answer":true}' >out
	[ "$(jq -r 'select(.id == 3 or .method == "item/agentMessage/delta") | .id // "delta"' out | tr '\n' ' ')" = "delta 3 " ]
	play '{"on":"thread/start"}
{"hang":true}' >out
	[ -z "$(jq 'select(.id == 2)' out)" ]
}

@test "an approval: each answer has its outcome" {
	with '{"command":"rm x","ask":true,"output":"gone","exit":2,"reason":"because"}
{"say":"${answer}"}'
	new_thread
	for decision in accept:failed decline:declined cancel:declined nonsense:failed; do
		begin x
		hear '.method == "item/commandExecution/requestApproval"'
		jq -e '.params.command == "rm x" and .params.reason == "because"' <<<"$line"
		say "{\"id\":$(jq .id <<<"$line"),\"result\":{\"decision\":\"${decision%:*}\"}}"
		hear '.method == "serverRequest/resolved"'
		hear '.method == "item/completed" and .params.item.type == "commandExecution"'
		[ "$(jq -r .params.item.status <<<"$line")" = "${decision#*:}" ]
		ended
		[ "${decision%:*}" != cancel ] || [ "$(jq -r .params.turn.status <<<"$line")" = interrupted ]
	done
	begin x
	hear '.method == "item/commandExecution/requestApproval"'
	say "{\"id\":$(jq .id <<<"$line"),\"result\":{\"decision\":\"acceptForSession\"}}"
	ended
	begin x
	ended
	[ -z "$(tail -n "+$((read_so_far + 1))" "$heard" | jq 'select(.method == "item/commandExecution/requestApproval")')" ]
	new_thread
	begin x ',"approvalPolicy":"never"'
	ended
}

@test "a question, and any other request" {
	with '{"question":"which?","options":["a","b"]}
{"say":"${answer}."}
{"request":{"method":"item/tool/call","params":{"tool":"t","arguments":{"n":12345678901234567890}}}}
{"say":"${answer}"}'
	new_thread
	begin x
	hear '.method == "item/tool/requestUserInput"'
	jq -e '.params.questions[0] | .question == "which?" and [.options[].label] == ["a","b"]' <<<"$line"
	say "{\"id\":$(jq .id <<<"$line"),\"result\":{\"answers\":{\"q1\":{\"answers\":[\"b\"]}}}}"
	hear '.method == "item/tool/call"'
	grep -q '12345678901234567890' "$heard"
	say "{\"id\":$(jq .id <<<"$line"),\"error\":{\"code\":-1,\"message\":\"no\"}}"
	ended
	[ "$(deltas <"$heard")" = "b.error" ]
}

@test "the account: logins, their end, limits" {
	RUNTIME="agent-runtime-mock --login-needed --login-after 50ms"
	greet
	new_thread
	begin x
	ended
	jq -e '.params.turn.error.codexErrorInfo == "unauthorized"' <<<"$line"
	call account/login/start '{"type":"chatgpt"}'
	login=$(jq -r .result.loginId <<<"$line")
	jq -e '.result.authUrl | startswith("http://127.0.0.1")' <<<"$line"
	hear ".method == \"account/login/completed\" and .params.loginId == \"$login\" and .params.success"
	hear '.method == "account/updated" and .params.authMode == "chatgpt"'
	call account/rateLimits/read
	jq -e '.result.rateLimits.primary.usedPercent == 25 and (.result.rateLimitsByLimitId | length == 1)' <<<"$line"
	call account/read
	jq -e '.result.account.type == "chatgpt" and .result.requiresOpenaiAuth' <<<"$line"
	begin x
	ended
	jq -e '.params.turn.status == "completed"' <<<"$line"
	call account/login/start '{"type":"chatgptAuthTokens","accessToken":"t","chatgptAccountId":"i"}'
	hear '.method == "account/updated" and .params.authMode == "chatgptAuthTokens"'
	call account/login/start '{"type":"chatgptDeviceCode"}'
	jq -e '.result.userCode' <<<"$line"
	call account/login/start '{"type":"apiKey"}'
	jq -e .error <<<"$line"
}

@test "notifications the client does not want are not sent" {
	talk x | sed 's|"clientInfo"|"capabilities":{"optOutNotificationMethods":["item/agentMessage/delta","thread/status/changed"]},&|' |
		agent-runtime-mock --counted-ids >out
	run -1 grep -e agentMessage/delta -e status/changed out
	grep -q turn/completed out
}

@test "a line that is too long, or no message, is said on standard error and passed over" {
	{ talk; head -c 70000000 /dev/zero | tr '\0' x; echo; echo '{"id":9,"method":"account/read"}'; } | agent-runtime-mock --counted-ids >out 2>err
	grep -q 'more than 67108864 bytes' err
	some '(.id == 9) and (.result)' out
}

@test "a reader that has gone ends it" {
	printf '%s\n' '{"repeat":1000000,"steps":[{"delta":"x"}]}' >script
	status=0
	{ talk x | agent-runtime-mock --counted-ids --drain --script script; echo "$?" >code; } | head -n 3 >/dev/null || :
	[ "$(cat code)" = 141 ]
}
