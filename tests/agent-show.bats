#!/usr/bin/env bats
# agent-show: text for people, and nothing that drives their terminal.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }
event() { jq -cn --arg kind "$1" --argjson data "$2" '{seq: 1, at: "2026-11-21T01:58:24.123Z", kind: $kind, level: "info", message: "the message", data: $data}'; }

@test "events are shown as the contract's chat shows them" {
	{
		event agent.chat.user_message '{"message":" hello  you "}'
		event agent.hitl_input '{"text":"typed"}'
		event agent.chat.assistant_message '{"agent":"bot","message":"hi"}'
		event agent.step_completed '{"agent":"bot","message":"hi"}'
		event agent.step_completed '{"agent":"bot","message":"something else"}'
		event agent.chat.system_message '{"input":"be kind"}'
		event agent.waiting '{"agentId":"bot","reason":"lunch"}'
		event agent.note '{}'
	} >in
	run -0 --separate-stderr agent-show --agent me <in
	[ "$output" = '[01:58:24] you: hello  you
[01:58:24] you: typed
[01:58:24] bot: hi
[01:58:24] bot (agent.step_completed): the message
[01:58:24] bot (agent.step_completed): something else
[01:58:24] system: be kind
[01:58:24] bot (agent.waiting): lunch
[01:58:24] me (agent.note): the message' ]
}

@test "the executor's last step never says the reply again, also when the reply was shown by another agent-show" {
	event agent.step_completed '{"agent":"bot","stepId":"s","provider":"agent","message":"a long reply"}' >in
	[ "$(agent-show --time none <in)" = 'bot (agent.step_completed): the message' ]
}

@test "line breaks are kept, or folded when asked for" {
	event agent.chat.assistant_message '{"agent":"b","message":"one\n  two\r\nthree"}' >in
	[ "$(agent-show --time none <in)" = $'b: one\n      two\n    three' ]
	[ "$(agent-show --time none --format line <in)" = 'b: one two three' ]
}

@test "--format plain: no times, no reasons, line breaks as they are" {
	{
		event agent.chat.assistant_message '{"agent":"b","message":"one\n  two"}'
		event agent.waiting '{"agent":"b","reason":"tired"}'
		event agent.hitl_input '{"agent":"b","message":"x"}'
		event agent.chat.user_message '{"agent":"b","text":"y"}'
	} >in
	[ "$(agent-show --format plain <in)" = $'b: one\n  two\nb (agent.waiting): the message\nb (agent.hitl_input): x\nyou: y' ]
}

@test "control characters, escapes and direction marks are shown, never sent; --raw sends them" {
	event agent.chat.assistant_message '{"agent":"b\u001b[2J","message":"\u001b]52;c;x\u0007\u202eabc\u009b31m\u0000"}' >in
	[ "$(agent-show --time none <in)" = 'b\x1b[2J: \x1b]52;c;x\x07\u202eabc\x9b31m\x00' ]
	agent-show --raw --time none <in | grep -q $'\033]52'
}

@test "colour is for terminals, and can be asked for" {
	event agent.chat.user_message '{"message":"x"}' >in
	! agent-show <in | grep -q $'\033'
	agent-show --color always <in | grep -q $'\033'
	NO_COLOR=1 script -qec 'agent-show' /dev/null <in | grep -q 'you: x'
}

@test "deltas stream onto one line, and what follows begins a new one" {
	{
		printf '{"cursor":1,"threadId":"t","turnId":"u","method":"turn.started","payload":{"text":"go"},"createdAt":"2026-11-21T01:58:24Z"}\n'
		for t in He llo '\u001b!'; do printf '{"cursor":2,"threadId":"t","turnId":"u","method":"item.delta","payload":{"text":"%s"},"createdAt":"2026-11-21T01:58:24Z"}\n' "$t"; done
		printf '{"cursor":5,"threadId":"t","turnId":"u","method":"turn.completed","payload":{"status":"completed"},"createdAt":"2026-11-21T01:58:24Z"}\n'
	} >in
	[ "$(agent-show --time none <in)" = $'you: go\nagent: Hello\\x1b!' ]
}

thread_event() { # METHOD PAYLOAD
	printf '{"cursor":1,"threadId":"t","turnId":"u","method":"%s","payload":%s,"createdAt":"2026-11-21T01:58:24Z"}\n' "$1" "$2"
}

@test "a turn without pieces shows its answer at its end; failures and interrupts are said; metadata is not" {
	{
		thread_event thread.started '{"thread":{"threadId":"t"}}'
		thread_event turn.started '{"text":"go"}'
		thread_event runtime.metadata '{"driver":"mock"}'
		thread_event turn.completed '{"status":"completed","output":{"text":"done\nall"},"error":null}'
		thread_event turn.completed '{"status":"error","output":null,"error":{"message":"no luck","code":"AGENT_RUNTIME_UNAVAILABLE"}}'
		thread_event turn.completed '{"turnId":"u","status":"interrupted"}'
		thread_event thread.modeSwitched '{"executionMode":"local"}'
		thread_event error '{"message":"try \u001b[31m again"}'
	} >in
	run agent-show --time none <in
	[ "$output" = $'you: go\nagent: done\n    all\nturn failed: no luck (AGENT_RUNTIME_UNAVAILABLE)\nturn interrupted\nthread.modeSwitched: local\nerror: try \\x1b[31m again' ]
}

@test "commands, files and approvals of a turn" {
	{
		thread_event item.started '{"item":{"type":"commandExecution","id":"i","command":"make test"}}'
		thread_event item.completed '{"item":{"type":"commandExecution","id":"i","command":"make test","status":"completed","exitCode":0}}'
		thread_event item.completed '{"item":{"type":"commandExecution","id":"i","command":"make","status":"failed","exitCode":2}}'
		thread_event item.started '{"item":{"type":"fileChange","id":"f","changes":[]}}'
		thread_event item.completed '{"item":{"type":"fileChange","id":"f","changes":[{"path":"a.c"},{"path":"b\u001b.c"}]}}'
		thread_event approval.requested '{"approvalId":"a1","kind":"command","status":"pending","params":{"command":"rm -r /"}}'
		thread_event approval.resolved '{"approvalId":"a1","kind":"command","status":"resolved","decision":"decline"}'
	} >in
	run agent-show --time none <in
	[ "$output" = $'agent (command): make test\nagent (command failed, exit 2): make\nagent (files): a.c, b\\x1b.c\napproval a1 (command): rm -r /\napproval a1 (command): decline' ]
}

@test "threads, turns and approvals as records" {
	start_compass
	thread=$(agent-thread-create --title 'A title')
	[[ $(agent-show <<<"$thread") == "$(jq -r .threadId <<<"$thread") status=idle mode=cloud workspace=acme title=A title updated="* ]]
	[ "$(agent-turn-start hi <<<"$thread" | agent-show --time none)" = $'you: hi\nagent: Cloud(dynamic_sessions) response: hi' ]
	tell '{"fail":"no luck"}' >/dev/null
	[ "$(agent-turn-start --outcome ignore hi <<<"$thread" | agent-show --time none)" = $'you: hi\nturn failed: no luck' ]
	[ "$(agent-show --time none <<<'{"approvalId":"a","threadId":"t","turnId":"u","kind":"file","status":"pending","params":{"reason":"why not"}}')" = 'approval a (file): why not' ]
}

@test "each event is shown when it comes" {
	mkfifo in
	agent-show --time none <in >out &
	started+=($!)
	exec 7>in
	event agent.note '{"text":"first"}' >&7
	await 10 has_line out first
	exec 7>&-
}

@test "registry items become rows and a table, runs a line, other lines are marked and status 6" {
	start_gateway
	[ "$(agent-registry --agent echo | agent-show)" = 'Echo (echo) service=svc_echo triggers=api lifecycle=RUNNING health=HEALTHY' ]
	[ "$(agent-registry | agent-show --format table)" = 'service_id  agent_id  name   triggers  lifecycle  health 
----------  --------  -----  --------  ---------  -------
svc_echo    echo      Echo   api       RUNNING    HEALTHY
svc_shell   shell     Shell  api       RUNNING    HEALTHY' ]
	agent-run-create --agent echo --run r >/dev/null
	[[ $(agent-runs | agent-show) == 'r status=running agent=echo service=svc_echo updated='* ]]
	run -6 agent-show <<<$'not json \033'
	[ "$output" = '?? not json \x1b' ]
}
