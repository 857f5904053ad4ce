#!/usr/bin/env bats
# claritycli: a room with several agents in it.
load lib/common
load lib/faults
load lib/terminal

setup() { common_setup; }
teardown() {
	terminal_end
	common_teardown
}

# room LINE...: a room whose person says these lines
room() { run -0 --separate-stderr claritycli "$url" < <(printf '%s\n' "$@"); }
# talk: what is said in the room, without the prompts and without what comes before it
talk() { sed -n '/^- \/exit$/,$p' <<<"$output" | sed -e 1d -e '/^you> $/d'; }

@test "agents are chosen by number, get aliases, and answer in turn" {
	start_clarity
	room '1, 3,1,x,99' 'Ann B!' '' 'good morning' '/agents' '/exit' 'never said'
	[ "${lines[0]}" = '  1. EchoAgent (echo-agent) [svc_00echo]' ]
	[[ $output == *$'\nSelect bot numbers (comma-separated, default 1): \n'* ]]
	[[ $output == *$'\nAlias for EchoAgent [echoagent]: \nAlias for SlowAgent [slowagent]: \n'* ]]
	[[ $output == *$'\nInvited bots:\n- ann-b-: EchoAgent (svc_00echo)\n- slowagent: SlowAgent (svc_02slow)\nCommands:\n'* ]]
	[ "$(talk | head -n 1)" = 'ann-b-> Echo: good morning' ]
	[[ $(talk | sed -n 2p) == 'slowagent> '* ]]
	[ "$(talk | tail -n 3)" = $'Invited bots:\n- ann-b-: EchoAgent (svc_00echo)\n- slowagent: SlowAgent (svc_02slow)' ]
	[[ $output != *'never said'* ]]
	# each run was started as the contract says, by this caller
	run=$(agent-runs --jq 'select(.serviceId == "svc_00echo").runId')
	[[ $run =~ ^run_cli_[0-9]{13}_[0-9]{4,6}$ ]]
	agent-runs --jq 'select(.serviceId == "svc_00echo") | [.trigger, .triggerContext.caller, .triggerContext.route, .triggerContext.requestId] | join(" ")' |
		grep -qx "api claritycli /cli/runtime-chat $run"
}

@test "nothing chosen is the default; nothing valid is said to be so; aliases are unique" {
	start_clarity
	room '' '' /exit
	[[ $output == *$'- echoagent: EchoAgent (svc_00echo)\nCommands'* ]]
	room '0,99,abc' '' /exit
	[[ $output == *$'\nNo valid selections. Defaulting to 1.\n'* ]]
	room '1,2,3' same SAME 'same  ' /exit
	[[ $output == *$'- same: EchoAgent (svc_00echo)\n- same-2: DisabledAgent (svc_01disabled)\n- same-3: SlowAgent (svc_02slow)\n'* ]]
	room 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa /exit
	[[ $output == *$'\n- aaaaaaaaaaaaaaaaaaaaaaaa: EchoAgent'* ]]
}

@test "to one, to all, rename, status, help, and what is wrong" {
	start_clarity
	room 1,2 a b '@a one' '/to a two' '/to b' '/to' '@b' '@who x' '/to who x' '/rename a z' '/rename z b' '/rename z !' '/rename z c d' '/rename q r' '/rename q !' '/rename q' '@Z three' /status \
		/nope '' '/broadcast' '/broadcast four' /help /quit
	[ -z "$stderr" ]
	[ "$(talk | sed -E 's/run=[^ ]*/run=R/')" = "a> Echo: one
a> Echo: two
Usage: /to <alias> <message>
Usage: /to <alias> <message>
Usage: @<alias> <message>
system> unknown alias 'who'. Use /agents.
system> unknown alias 'who'. Use /agents.
system> renamed a -> z
system> Alias already exists.
system> Invalid alias. Use 1-24 chars [a-zA-Z0-9_-].
system> Invalid alias. Use 1-24 chars [a-zA-Z0-9_-].
system> Unknown alias.
system> Invalid alias. Use 1-24 chars [a-zA-Z0-9_-].
Usage: /rename <old> <new>
z> Echo: three
run> z service=svc_00echo run=R terminal=false
run> b service=svc_01disabled run=R terminal=false
system> unknown command. Use /help.
Usage: /broadcast <message>
z> Echo: four
b> [runtime chat disabled by agent configuration]
Commands:
- <text> (default broadcast to all invited bots)
- @alias <text>
- /to <alias> <text>
- /broadcast <text>
- discuss [turns]
- /rename <old> <new>
- /agents
- /status
- /help
- /exit" ]
}

@test "they discuss" {
	start_clarity
	room 1 a 'discuss' '/discuss 4' 'discuss the weather' /exit
	[ "$(talk)" = $'system> discuss needs at least 2 invited bots.\nsystem> discuss needs at least 2 invited bots.\na> Echo: discuss the weather' ]
	room 1,2 a b 'which way?' 'discuss 3' '/discuss 1' /exit
	[ "$(talk | grep '^system>')" = 'system> discuss starting (3 turns)
system> discuss turn for a
system> discuss turn for b
system> discuss turn for a
system> discuss completed.
system> discuss starting (2 turns)
system> discuss turn for a
system> discuss turn for b
system> discuss completed.' ]
	[[ $output == *"Your name here is a; the others are b."*"Task: which way?"*"at most 4 sentences"*"you: which way?"* ]]
}

@test "an agent that fails says so at once; one that ends its run is not asked again" {
	start_clarity
	SECONDS=0
	room 2,6,7 '' '' '' hello again /status /exit
	[ "$SECONDS" -lt 15 ]
	[[ $(talk) == *'disabledagent> [runtime chat disabled by agent configuration]'* ]]
	[[ $(talk) == *'failingagent> ['* ]]
	[[ $(talk) == *'endingagent> [run already terminal]'* ]]
	[[ $(talk) == *'run> endingagent '*' terminal=true'* ]]
}

@test "replies of several lines and of 5 kB come whole; what would drive the terminal does not" {
	start_clarity
	room 4,9 big control hello /exit
	[ "$(talk | wc -c)" -gt 5000 ]
	[[ $output != *$'\033'* ]]
}

@test "the end of the input: nothing is chosen by it, and the room closes" {
	start_clarity
	run -1 --separate-stderr claritycli "$url" </dev/null
	[ "$stderr" = 'Selection cancelled.' ]
	run -1 --separate-stderr claritycli "$url" < <(echo 1)
	[ "$stderr" = 'Selection cancelled.' ]
	[ "$(agent-runs | wc -l)" = 0 ]
	run -0 --separate-stderr claritycli "$url" < <(printf '1\n\nhello')
	[[ $output == *$'\nechoagent> Echo: hello\nyou> \nstdin closed or unavailable; exiting chat.' ]]
}

@test "agents that cannot be talked to are left out" {
	start_clarity
	room 1,10 '' /exit
	[[ $output == *$'\nSkipping TimerAgent (svc_09timer): agent does not declare trigger \'api\' (declared: ["timer"])\n'* ]]
	[[ $output != *'- timeragent'* ]]
	run -1 --separate-stderr claritycli "$url" < <(echo 10)
	[ "$stderr" = "No selected agents support runtime chat bootstrap (missing trigger 'api')." ]
}

@test "no runtime, no agents, no access: status 1 and a reason" {
	run -1 --separate-stderr claritycli http://127.0.0.1:1
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *'127.0.0.1:1'* && -z $output ]]
	serve_fault / 200 application/json '{"count":0,"items":[]}'
	run -1 --separate-stderr claritycli "$AGENT_RUNTIME_URL"
	[ "$stderr" = "No agents found at $AGENT_RUNTIME_URL" ]
	CLARITYD_AUTH_TOKEN=s3cret start_gateway
	run -1 claritycli "$url"
	run -0 claritycli "$url" --token s3cret < <(printf '1\n\nhello\n/exit\n')
	[[ $output == *'> Echo: hello'* ]]
	CLARITY_RUNTIME_TOKEN=s3cret run -0 claritycli "${url#http://}/" < <(printf '1\n\n/exit\n')
}

@test "a server that goes away is a send error, and the room stays" {
	start_gateway
	mkfifo said
	claritycli "$url" <said >room.out 2>room.err 3>&- &
	started+=("$!")
	exec 8>said
	printf '1\na\nhello\n' >&8
	await 20 has_line room.out '^a> Echo: hello'
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	echo again >&8
	await 30 has_line room.err '^send error: '
	echo /status >&8
	await 10 has_line room.out '^run> a '
	echo /exit >&8
	exec 8>&-
	wait "${started[-1]}"
}

@test "a terminal that does not say its size is taken to be of the usual one" {
	start_clarity
	export AU_URL=$url
	terminal 80 24 "stty rows 0 cols 0; claritycli $url"
	see_line '^> \[ \] EchoAgent (echo-agent) \[svc_00echo\]$'
	type_keys Enter
	see_line '^Alias for EchoAgent'
}

@test "on a terminal: arrows, space and Enter choose; the terminal is as before" {
	start_clarity
	export AU_URL=$url
	terminal 80 24 "claritycli $url"
	see_line '^> \[ \] EchoAgent (echo-agent) \[svc_00echo\]$'
	screen_has "^Connected to $url$"
	screen_has '^Invite bots (up/down move, space toggle, enter confirm, a toggle all):$'
	type_keys Space
	see_line '^> \[x\] EchoAgent'
	type_keys Down Down Space
	see_line '^> \[x\] SlowAgent'
	type_keys Up Up Up
	see_line '^> \[ \] TimerAgent'
	type_keys a
	see_line '^  \[x\] BigAgent'
	type_keys a
	see_line '^  \[ \] EchoAgent'
	type_keys Down Enter
	see_line '^Alias for EchoAgent \[echoagent\]:'
	type_keys Enter
	see_line '^you>'
	type_text 'hello there'
	type_keys Enter
	see_line '^echoagent> Echo: hello there'
	type_keys C-d
	see_line '^stdin closed or unavailable; exiting chat.'
	see_line '\[status 0\]'
	await 10 terminal_restored
}

@test "on a terminal: Escape, Ctrl-C and Ctrl-D choose nothing" {
	start_clarity
	for key in Escape C-c C-d; do
		terminal 80 24 "claritycli $url"
		see_line '^> \[ \] EchoAgent'
		type_keys "$key"
		see_line '^Selection cancelled.$'
		see_line '\[status 1\]'
		await 10 terminal_restored
		terminal_end
		rm before after
	done
	[ "$(agent-runs | wc -l)" = 0 ]
}

@test "on a terminal that is too small, and when asked for, numbers choose" {
	start_clarity
	terminal 80 10 "claritycli $url"
	see_line 'Select bot numbers'
	terminal_end
	terminal 80 24 "claritycli --no-tty-select $url"
	see_line 'Select bot numbers'
	type_keys C-d
	see_line 'Selection cancelled.'
	await 10 terminal_restored
}
