#!/usr/bin/env bats
# runtime-chat.bats - a chat through a pipe and on a terminal, against the stand-in for Clarity and against our gateway
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

# chat ARGUMENTS...: standard input is the chat; a deadline, so that nothing hangs
chat() { timeout 60 runtime-chat "$@"; }
fault() { curl -s -d "$1" "$url/__fake" >/dev/null; }
run_id() { sed -n 's/^\(Started\|Attached to\|Resumed\) run: //p' "$1" | tr -d '\r'; }
# texts FILE: what the two said, without stamps and ids
said() { sed -n 's/^\[[0-9:]*\] \([^ ]*: \)/\1/p' "$1"; }
nobody() { ! pgrep -f "$BATS_TEST_TMPDIR/.*runtime-chat\\." >/dev/null && ! pgrep -f -- "--run $1" >/dev/null; }

# ---- through a pipe

@test "through a pipe: the texts of the contract in their order, and every message answered at the end" {
	start_clarity
	printf 'hello\n\ntwo words  \n  /status\n' | chat "$url" svc_00echo >out
	id=$(run_id out)
	run cat out
	assert_line -n 0 "Started run: $id"
	assert_line -n 1 "Runtime: $url"
	assert_line -n 2 "Service: svc_00echo"
	assert_line -n 3 "Agent: echo-agent"
	assert_line -n 4 "Commands: /status, /refresh, /exit"
	assert_line -e "^\[[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\] echo-agent \(agent.run_created\): agent.run_created \($id\)$"
	assert_line -e '^Run status: (queued|running|waiting)$'
	run said out
	assert_output "you: hello
echo-agent: Echo: hello
you: two words
echo-agent: Echo: two words"
}

@test "the URL and the number are asked for, wrong ones again" {
	start_clarity
	unset AGENT_RUNTIME_URL
	printf '%s\n' '' "$url" x '' 99 1 hello | chat >out
	run cat out
	assert_line -n 0 'runtime url> '
	assert_line -n 1 'Runtime URL is required.'
	assert_line "Connected to runtime: $url"
	assert_line 'Select an agent:'
	assert_line '   1. EchoAgent (echo-agent) service=svc_00echo triggers=api lifecycle=REGISTERED health=UNKNOWN'
	assert_line "Invalid selection 'x'. Enter 1-10."
	assert_line "Invalid selection '(empty)'. Enter 1-10."
	assert_line "Invalid selection '99'. Enter 1-10."
	assert_line -p 'echo-agent: Echo: hello'
}

@test "SERVICE is a row, an id, or an error that names the known ones" {
	start_clarity
	chat "$url" 2 </dev/null >out
	assert grep -qx 'Service: svc_01disabled' out
	run -1 chat "$url" svc_nope </dev/null
	assert_output -p 'service not found in runtime registry: svc_nope. Known: svc_00echo, svc_01disabled'
	fault '{"registry":"empty"}'
	run -1 chat "$url" </dev/null
	assert_output -p "no agent services are registered on runtime: $url"
}

@test "EOF alone ends with status 0" {
	start_clarity
	run -0 chat "$url" svc_00echo </dev/null
	refute_output -p 'you:'
}

@test "a slow agent's replies are waited for at the end" {
	start_clarity --slow-ms 1000
	printf 'one\ntwo' | chat "$url" svc_02slow >out
	run said out
	assert_line 'slow-agent: slow: one'
	assert_line 'slow-agent: slow: two'
}

@test "--wait bounds that wait, and says so with status 5" {
	start_clarity --slow-ms 20000
	SECONDS=0
	run -5 chat "$url" svc_02slow --wait 1 <<<'one'
	assert [ "$SECONDS" -lt 10 ]
	assert_output -p 'deadline'
}

@test "/exit leaves after a poll's grace, whatever follows it" {
	start_clarity --slow-ms 20000
	SECONDS=0
	{ printf 'one\n/exit\n'; yes never | head -n 50000; } | chat "$url" svc_02slow --poll-ms 300 >out
	assert [ "$SECONDS" -lt 8 ]
	run tail -n 1 out
	assert_output 'Closing runtime chat.'
	run grep -c never out
	assert_output 0
	nothing_left() { ! pgrep -f "runtime-chat $url" >/dev/null; }
	await 5 nothing_left
}

@test "a terminal event ends the chat at once while standard input stays open" {
	start_clarity
	mkfifo in
	exec 7<>in
	timeout 60 runtime-chat "$url" svc_00echo <in >out 2>err 3>&- 7>&- &
	pid=$!
	started+=("$pid")
	await 10 has_line out 'agent.run_started'
	id=$(run_id out)
	fault "{\"terminal\":\"$id\",\"kind\":\"agent.run_cancelled\"}"
	SECONDS=0
	wait "$pid"
	assert [ "$SECONDS" -lt 5 ]
	exec 7>&-
	run tail -n 1 out
	assert_output "Run $id finished (agent.run_cancelled). Exiting chat."
	assert nobody "$id"
}

@test "a run that its agent ends: the reply, the end, status 0; what comes later is refused, not lost in silence" {
	start_clarity
	printf 'one\n' | chat "$url" svc_06ending >out
	run tail -n 1 out
	assert_output "Run $(run_id out) finished (agent.run_completed). Exiting chat."
	assert grep -q 'ending-agent: bye: one' out
	printf 'one\n' | chat "$url" svc_07crashing >out
	run tail -n 2 out
	assert_output -p 'it broke'
	assert_line "Run $(run_id out) finished (agent.run_failed). Exiting chat."
	# a run that was over before is shown; nothing is read or sent
	id=$(run_id out)
	before=$(agent-events "$id" --jq .seq | tail -n 1)
	for options in '' '--bridge ts' '--bridge clarity'; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr chat "$url" svc_06ending $options --run-id "$id" <<<'again'
		assert_line -n -1 "Run $id finished (agent.run_failed). Exiting chat."
		assert [ -z "$stderr" ]
	done
	run -0 --separate-stderr clarity-agent runtime-chat "$url" svc_06ending --run-id "$id" <<<'again'
	assert_line -n -1 'Run is terminal. Exiting chat.'
	assert [ -z "$stderr" ]
	run -0 --separate-stderr clarity-agent runtime-chat "$url" svc_06ending --bridge ts --run-id "$id" <<<'again'
	assert_line -n -1 "Run $id finished (agent.run_failed). Exiting chat."
	assert [ -z "$stderr" ]
	assert_equal "$(agent-events "$id" --jq .seq | tail -n 1)" "$before"
}

@test "the shell that it is written in says nothing of its own" {
	start_clarity
	export AU_URL=$url
	# shellcheck disable=SC2016 # the inner shell's
	seq 12 | xargs -P 4 -I N sh -c 'printf "one\n" | runtime-chat "$AU_URL" svc_00echo >/dev/null 2>err.N'
	run cat err.*
	assert_output ''
}

@test "a disabled and a failing agent say why" {
	start_clarity
	printf 'one\n' | chat "$url" svc_01disabled >out
	assert grep -q 'runtime chat disabled by agent configuration' out
	printf 'one\n' | chat "$url" svc_05failing >out
	assert grep -q 'remote 500: broken' out
}

@test "a reply of a megabyte comes whole, control characters come harmless" {
	start_clarity
	printf 'one\n' | chat "$url" svc_04huge >out
	run awk 'length > 999000 && / end$/ { n++ } END { print n }' out
	assert_output 1
	printf 'one\n' | chat "$url" svc_08control >out
	run ! grep -q "$(printf '[\033\007]')" out
	assert grep -qF '\x1b[31m' out
}

@test "--run-id goes on, --resume-latest finds the run, --events-limit bounds what is shown" {
	start_clarity
	printf 'one\n' | chat "$url" svc_00echo >out
	id=$(run_id out)
	for bridge in clarity ts; do
		printf 'more\n' | chat "$url" svc_00echo --run-id "$id" --bridge "$bridge" >out
		assert grep -qx "Attached to run: $id" out
		assert grep -q 'Echo: one' out
		assert [ "$(grep -c 'you: one' out)" = 1 ]
	done
	printf 'last\n' | chat "$url" svc_00echo --resume-latest --events-limit 2 >out
	assert grep -qx "Resumed run: $id" out
	run ! grep -q 'Echo: one' out
	assert grep -q 'Echo: last' out
	run -2 chat "$url" svc_00echo --bridge perl
	assert_output -p "invalid --bridge value: perl. Use 'clarity' or 'ts'."
}

@test "--bridge clarity and --no-stream never ask for a stream; without a stream polling does" {
	start_clarity
	printf 'one\n' | chat "$url" svc_00echo --bridge clarity --poll-ms 300 >out
	assert grep -q 'Echo: one' out
	printf 'one\n' | chat "$url" svc_00echo --no-stream >out
	run jq -r '.requests.stream // 0' <(curl -s "$url/__fake")
	assert_output 0
	fault '{"stream":"404"}'
	printf 'one\n' | chat "$url" svc_00echo >out
	assert grep -q 'Echo: one' out
	fault '{"stream":"cut-mid-record"}'
	printf 'one\ntwo\n' | chat "$url" svc_00echo >out
	run said out
	assert_output "you: one
echo-agent: Echo: one
you: two
echo-agent: Echo: two"
}

@test "the token never stands in another process's arguments" {
	start_clarity --auth-token sesame-4711
	run -4 chat "$url" svc_00echo </dev/null
	mkfifo in
	exec 7<>in
	timeout 60 runtime-chat "$url" svc_00echo --token sesame-4711 <in >out 2>err 3>&- 7>&- &
	pid=$!
	started+=("$pid")
	echo hi >&7
	await 10 has_line out 'Echo: hi'
	ps -eo args | grep sesame-4711 | grep -v -e grep -e clarity -e 'runtime-chat http' >others || :
	run cat others
	assert_output ''
	echo /exit >&7
	wait "$pid"
	exec 7>&-
}

@test "the daemon is killed and comes back in the middle of a chat" {
	start_clarity --state events
	port=${url##*:}
	mkfifo in
	exec 7<>in
	timeout 90 runtime-chat "$url" svc_00echo --poll-ms 300 <in >out 2>err 3>&- 7>&- &
	chat_pid=$!
	started+=("$chat_pid")
	echo one >&7
	await 10 has_line out 'Echo: one'
	kill -9 "$clarity_pid"
	await 10 gone "$clarity_pid"
	echo lost >&7
	await 20 has_line err 'agent-send: '
	start_clarity --state events --port "$port"
	echo two >&7
	await 40 has_line out 'Echo: two'
	echo /exit >&7
	wait "$chat_pid"
	exec 7>&-
	run said out
	assert_output "you: one
echo-agent: Echo: one
you: two
echo-agent: Echo: two"
}

@test "SIGTERM and SIGINT end it by that signal and leave nothing behind" {
	start_clarity
	for signal in TERM INT; do
		mkfifo in.$signal
		exec 7<>in.$signal
		( trap - INT; exec env --default-signal=INT runtime-chat "$url" svc_00echo ) <in.$signal >out 2>err 3>&- 7>&- &
		pid=$!
		started+=("$pid")
		await 10 has_line out 'agent.run_started'
		id=$(run_id out)
		kill -$signal "$pid"
		local status=0
		wait "$pid" || status=$?
		assert [ "$status" = $((128 + $(kill -l $signal))) ]
		assert nobody "$id"
		exec 7>&-
	done
	run ls "$TMPDIR"
	refute_output -p 'runtime-chat.'
}

@test "without a reader it ends as a pipe ends everybody" {
	start_clarity
	mkfifo in
	exec 7<>in
	set +o pipefail
	{ timeout 30 runtime-chat "$url" svc_00echo <in 3>&- 7>&- || echo "$?" >status; } | head -n 1 >out &
	await 10 has_line out 'Started run'
	for n in 1 2 3 4; do echo "hello $n" >&7; done
	await 10 test -s status
	exec 7>&-
	run cat status
	assert_output 141
	assert nobody "$(run_id out)"
}

# ---- embedded, and our gateway

@test "embedded: a private gateway, gone at the end; two at once do not meet" {
	printf 'hello\n' | chat --embedded echo >one &
	first=$!
	printf 'hello\n' | chat --embedded echo >two
	wait "$first"
	assert grep -q 'echo: Echo: hello' one
	assert grep -q 'echo: Echo: hello' two
	run pgrep -f "unix:$BATS_TEST_TMPDIR"
	assert_failure
	printf '1\n' | chat --embedded >three
	assert grep -q '^Select an agent:' three
}

@test "the same chat against our gateway" {
	start_gateway
	printf 'hello\nagain\n' | chat "$url" echo >out
	run said out
	assert_output "you: hello
echo: Echo: hello
you: again
echo: Echo: again"
}

# ---- on a terminal

terminal() { # SCRIPT: an expect script; `spawn`, the texts and the end are its own
	command -v expect >/dev/null || skip "expect is not installed"
	cat >script - <<-END
		set timeout 20
		log_file -noappend terminal.log
		proc need {text} { expect -ex \$text {} timeout { puts "never came: \$text"; exit 97 } eof { puts "ended before: \$text"; exit 98 } }
		proc ended {} { expect eof {} timeout { puts "did not end"; exit 99 }; exit [lindex [wait] 3] }
		$1
	END
	TERM=xterm timeout 60 expect -f script
}

@test "on a terminal: list, number, chat, a paste of three lines, /exit at once" {
	start_clarity
	unset AGENT_RUNTIME_URL
	run -0 terminal "
		spawn runtime-chat
		need {runtime url> }
		send \"$url\r\"
		need {agent number [1-10]> }
		send \"1\r\"
		need {agent.run_started}
		need {you> }
		send \"hello\r\"
		need {Echo: hello}
		send \"one\rtwo\rthree\r\"
		need {Echo: one}
		need {Echo: two}
		need {Echo: three}
		send \"/status\r\"
		need {Run status: }
		send \"/help\r\"
		need {/quit, /help}
		send \"/exit\r\"
		need {Closing runtime chat.}
		ended
	"
}

@test "on a terminal: a terminal event ends the chat while the prompt waits" {
	start_clarity
	run -0 terminal "
		spawn runtime-chat $url svc_00echo
		expect -re {Started run: (\S+)}
		set id \$expect_out(1,string)
		need {agent.run_started}
		exec curl -s -d \"{\\\"terminal\\\":\\\"\$id\\\"}\" $url/__fake
		need {finished (agent.run_completed). Exiting chat.}
		ended
	"
}

@test "on a terminal: a long reply comes whole, and control characters drive nothing" {
	start_clarity
	run -0 terminal "
		spawn runtime-chat $url svc_03big
		need {you> }
		send \"go\r\"
		need { end}
		send \"/exit\r\"
		ended
	"
	run -0 terminal "
		spawn runtime-chat $url svc_08control
		need {you> }
		send \"go\r\"
		need {\\x1b[31mtext\\x07}
		send \"/exit\r\"
		ended
	"
	run ! grep -q "$(printf '\033\[31mtext')" terminal.log
}

# vanish SERVICE SAID: a chat whose terminal goes away after something was said; the run's id is kept in the file id
vanish() {
	terminal "
		spawn runtime-chat $url $1
		expect -re {Started run: (\S+)}
		set id \$expect_out(1,string)
		need {you> }
		$2
		set f [open id w]
		puts \$f \$id
		close \$f
		close
		wait
		exit 0
	"
}

@test "on a terminal: the terminal goes away and nothing stays" {
	start_clarity
	vanish svc_00echo
	await 10 nobody "$(cat id)"
}

@test "on a terminal: the terminal goes away while a reply is awaited and nothing stays" {
	start_clarity --slow-ms 60000
	vanish svc_02slow 'send "are you there?\r"; need {agent.step_started}'
	await 10 nobody "$(cat id)"
}

@test "on a terminal: Ctrl-D ends it, Ctrl-C leaves nothing and a sane terminal" {
	start_clarity --slow-ms 1000
	run -0 terminal "
		spawn runtime-chat $url svc_02slow
		need {agent.run_started}
		need {you> }
		send \"wait for me\r\004\"
		need {slow-agent}
		need {slow: wait for me}
		need {Closing runtime chat.}
		ended
	"
	run -0 terminal "
		spawn sh -c {trap : INT; runtime-chat $url svc_00echo; stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo | tr '\\n' ' '; echo back}
		expect -re {Started run: (\S+)}
		need {agent.run_started}
		need {you> }
		send \"\003\"
		need {icanon echo back}
		ended
	"
	assert nobody "$(run_id terminal.log | tail -n 1)"
}

@test "on a terminal: a reply that is still coming when the watch begins anew is shown once" {
	printf '%s\n' '{"on":"turn"}' '{"delta":"one "}' '{"wait":"1s"}' '{"delta":"two "}' '{"wait":"1s"}' '{"delta":"three"}' >turns
	runtime_manifest mock "{\"command\":[\"agent-runtime-mock\",\"--script\",\"$PWD/turns\"]}"
	start_gateway --agents agents
	run -0 terminal "
		spawn runtime-chat $url svc_mock
		need {agent.run_started}
		need {you> }
		send \"go\r\"
		need {one }
		send \"/refresh\r\"
		need {two }
		send \"\004\"
		need {three}
		need {Closing runtime chat.}
		ended
	"
	[ "$(grep -o "one " terminal.log | wc -l)" = 1 ]
	[ "$(grep -o three terminal.log | wc -l)" = 1 ]
}

@test "help and version" {
	run -0 runtime-chat --help
	assert_line -n 0 'usage: runtime-chat [options] [URL] [SERVICE]'
	run -0 runtime-chat --version
	assert_output -e '^runtime-chat \(agentutils\) [0-9.]+'
	run -2 runtime-chat --nope
	assert_line -n 0 "runtime-chat: unknown option '--nope'"
	assert_line -n 1 "runtime-chat: Try 'runtime-chat --help'."
}
