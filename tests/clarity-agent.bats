#!/usr/bin/env bats
# clarity-agent: the commands that Clarity users know, with the texts and statuses that their scripts know.
load lib/common
load lib/hitl
load lib/faults

setup() {
	hitl_setup
	unset CLARITY_HITL_DIR
	mkdir hitl
}
teardown() { common_teardown; }

question() { # STEM KEY TEXT TIME
	printf '{"key":"%s","question":"%s","timestamp":%d}' "$2" "$3" "$4" >hitl/new.tmp
	mv hitl/new.tmp "hitl/$1.question"
}

# ---- which command

@test "no command shows how it is used, an unknown one too, with status 1" {
	run -0 --separate-stderr clarity-agent
	[ "${lines[0]}" = 'Clarity Agent CLI (native Clarity)' ]
	[ "${lines[1]}" = 'Usage:' ]
	[ "${#lines[@]}" = 10 ]
	[ "$(sed -E 's/^  clarity-agent ([a-z-]+).*/\1/' <<<"$output" | tail -n 8 | paste -sd ' ')" = 'runtime-chat runtime-agents connect watch list answer cancel serve' ]
	[ "${lines[3]}" = '  clarity-agent runtime-agents [runtime-url] [--token <secret>]' ]
	run -1 --separate-stderr clarity-agent dance
	[ -z "$output" ]
	[ "${stderr_lines[0]}" = 'Unknown command: dance' ]
	[[ $stderr == *'clarity-agent serve'* ]]
}

@test "--help anywhere begins with the text that is printed without a command, and is good" {
	run -0 --separate-stderr clarity-agent
	known=$output
	for words in --help 'list --help' '--help list'; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr clarity-agent $words
		[ -z "$stderr" ]
		[[ $output == "$known"$'\n\n'* ]]
	done
}

@test "each command has its help, and a wrong option is status 1" {
	for c in runtime-agents connect watch list answer cancel serve; do
		run -0 --separate-stderr clarity-agent "$c" --help
		[ "${lines[0]}" = 'Clarity Agent CLI (native Clarity)' ]
		[[ $output == *$'\n\n'"usage: clarity-agent $c "* ]]
	done
	for c in runtime-agents connect watch list cancel serve; do
		run -1 --separate-stderr clarity-agent "$c" --nonsense
		[ -z "$output" ]
		[[ $stderr == *"unknown option '--nonsense'"* ]]
	done
	[ "$(leftovers)" = 0 ]
}

# ---- runtimes

@test "runtime-agents: the list, in the registry's order" {
	start_clarity
	run -0 --separate-stderr clarity-agent runtime-agents "$url/"
	[ "${lines[0]}" = "Runtime: $url" ]
	[[ ${lines[1]} =~ ^'  1. '.*' ('.*') service='.*' triggers=["'.*'"] lifecycle='[A-Z]+' health='[A-Z]+$ ]]
	[ "$(printf '%s\n' "${lines[@]:1}" | sed 's/.* service=\([^ ]*\) .*/\1/')" = "$(agent-registry --jq .serviceId)" ]
	run -0 clarity-agent runtime-agents "${url#http://}"
	[ "${lines[0]}" = "Runtime: $url" ]
}

@test "runtime-agents: asks for the address, refuses its absence, says what went wrong" {
	start_gateway
	run -0 --separate-stderr clarity-agent runtime-agents < <(printf '\n  %s  \n' "$url")
	[ "${lines[0]}" = 'runtime url> ' ]
	[ "${lines[1]}" = 'Value is required.' ]
	[ "${lines[3]}" = "Runtime: $url" ]
	run -1 --separate-stderr clarity-agent runtime-agents </dev/null
	run -1 --separate-stderr clarity-agent runtime-agents http://127.0.0.1:1
	[ "$output" = 'Runtime: http://127.0.0.1:1' ]
	[[ $stderr == 'Failed to load runtime registry: '* ]]
	serve_fault / 200 application/json '{"count":0,"items":[]}'
	run -0 --separate-stderr clarity-agent runtime-agents "$AGENT_RUNTIME_URL"
	[ "${lines[1]}" = 'No registered agent services found.' ]
}

@test "runtime-agents: a token as an option, or from the environment" {
	CLARITYD_AUTH_TOKEN=s3cret start_gateway
	run -1 clarity-agent runtime-agents "$url"
	run -0 clarity-agent runtime-agents "$url" --token s3cret
	run -0 clarity-agent runtime-agents --token s3cret "$url"
	CLARITY_RUNTIME_TOKEN=s3cret run -0 clarity-agent runtime-agents "$url"
}

# chat ARGUMENTS...: standard input is the chat
chat() { timeout 60 clarity-agent runtime-chat "$@"; }
# as RUN ended in out, without its id
said() { sed -E -e 's/run_cli_[0-9a-z_]+/RUN/g' out; }

@test "runtime-chat: the native texts" {
	start_clarity
	printf 'x\n99\n1\nhello\n/status\n/exit\nnever\n' | chat "$url/" >out
	[ "$(sed -n 1,3p out)" = "Connected to runtime: $url"$'\nSelect an agent:\n  1. EchoAgent (echo-agent) service=svc_00echo' ]
	said | grep -qx 'Run: RUN service=svc_00echo agent=echo-agent' # at once, whatever is on its way
	[ "$(said | sed -n '/^agent number/,$p' | grep -v '^Run: ')" = "agent number> 
Invalid selection. Enter 1-10.
agent number> 
Invalid selection. Enter 1-10.
agent number> 
Started run: RUN
Runtime: $url
Service: svc_00echo
Agent: echo-agent
Commands: /status, /refresh, /exit
echo-agent (agent.run_created): agent.run_created (RUN)
echo-agent (agent.run_started): agent.run_started (RUN)
you: hello
echo-agent (agent.step_started): Runtime chat processing started (RUN)
echo-agent: Echo: hello
echo-agent (agent.step_completed): Runtime chat response ready (RUN)
echo-agent (agent.waiting): Awaiting next operator input (RUN)
Closing runtime chat." ] || { cat out; false; }
}

@test "runtime-chat: a service by row or id, attached, resumed, and the end of the input" {
	start_clarity
	printf 'one\n' | chat "$url" svc_00echo >out
	grep -qx '  1. EchoAgent (echo-agent) service=svc_00echo' out
	grep -qx 'Service: svc_00echo' out
	[ "$(tail -n 1 out)" = 'stdin closed. Exiting chat.' ]
	id=$(sed -n 's/^Started run: //p' out)
	chat "$url" 1 --run-id "$id" </dev/null >out
	grep -qx "Attached to run: $id" out
	grep -qx 'echo-agent: Echo: one' out
	chat "$url" 1 --resume-latest --poll-ms x --events-limit y </dev/null >out
	grep -qx "Resumed run: $id" out
	run -1 --separate-stderr chat "$url" svc_nope </dev/null
	[ "$stderr" = 'service not found in runtime registry: svc_nope' ]
	run -1 --separate-stderr chat "$url" </dev/null
	[ "$stderr" = 'stdin closed. Exiting chat.' ]
}

@test "runtime-chat: a run that ends, and what goes wrong, with status 1" {
	start_clarity
	printf 'hello\nmore\n' | chat "$url" svc_06ending >out
	[ "$(tail -n 1 out)" = 'Run is terminal. Exiting chat.' ]
	run -1 --separate-stderr chat 127.0.0.1:1
	[ "$stderr" = 'Failed to load runtime registry: GET http://127.0.0.1:1/api/agents/registry failed (0): connection refused' ]
	run -1 --separate-stderr chat http://127.0.0.1:1 svc_00echo --bridge ts </dev/null
	[ "$stderr" = 'fetch failed' ]
	start_gateway --token-file <(echo s3cret)
	unset AGENT_RUNTIME_TOKEN CLARITY_RUNTIME_TOKEN
	run -1 --separate-stderr chat "$url" 1 </dev/null
	[ "$stderr" = "Failed to load runtime registry: GET $url/api/agents/registry failed (401): unauthorized" ]
	run -1 --separate-stderr chat "$url" 1 --bridge ts </dev/null
	[ "$stderr" = 'GET /api/agents/registry failed (401): unauthorized' ]
	run -1 --separate-stderr clarity-agent runtime-agents "$url" </dev/null
	[ "$stderr" = "Failed to load runtime registry: GET $url/api/agents/registry failed (401): unauthorized" ]
	run -1 --separate-stderr claritycli "$url" </dev/null
	[ "$stderr" = "GET $url/api/agents/registry failed (401): unauthorized" ]
	run -1 chat "$url" --nonsense
	run -1 --separate-stderr chat "$url" --bridge perl
	[ "$stderr" = "invalid --bridge value: perl. Use 'clarity' or 'ts'." ]
	run -1 --separate-stderr chat < <(echo)
	[ "$output" = $'runtime url> \nValue is required.\nruntime url> ' ]
}

@test "runtime-chat --bridge ts: times, reasons, sorted rows" {
	start_clarity
	printf '1\nhello\n' | chat "$url" --bridge ts >out
	grep -q '^   1. EchoAgent (echo-agent) service=svc_00echo triggers=api lifecycle=REGISTERED health=UNKNOWN$' out
	grep -q '^\[..:..:..\] echo-agent: Echo: hello$' out
	grep -q '^\[..:..:..\] echo-agent (agent.waiting): awaiting operator input$' out
	# the prompt has no newline, so that what happens next stands behind it
	[ "$(grep -o 'you> ' out | wc -l)" = 2 ]
	grep -q '^you> \[..:..:..\] you: hello$' out
	run grep -m 1 -n 'you> ' out
	[ "${output%%:*}" -gt "$(grep -n 'agent.run_started' out | head -n 1 | cut -d : -f 1)" ]
	printf '1\n/exit\n' | chat "$url" --bridge ts >out
	[ "$(tail -n 1 out)" = 'you> Closing runtime chat.' ]
	printf '1\n' | chat "$url" --bridge ts >out
	[ "$(tail -c 6 out | od -An -c | tr -d ' ')" = 'you>\n' ]
	run -1 --separate-stderr chat "$url" svc_nope --bridge=ts </dev/null
	[[ $stderr == 'service not found in runtime registry: svc_nope. Known: svc_00echo, '* ]]
	mkdir none
	start_gateway --agents none
	run -1 --separate-stderr chat "$url" --bridge=ts </dev/null
	[ "$stderr" = "no agent services are registered on runtime: $url" ]
}

@test "runtime-chat: even /exit as the first line comes after a look at the run" {
	start_clarity
	for n in 1 2 3 4 5; do
		run -0 --separate-stderr chat "$url" 1 < <(echo /exit)
		[ -z "$stderr" ]
		[[ $output == *$'\necho-agent (agent.run_started): agent.run_started (run_cli_'*$'\nClosing runtime chat.' ]]
		run jq -r .requests.stream <(curl -s "$url/__fake")
		[ "$output" = "$n" ]
	done
}

@test "runtime-chat --no-stream: whose turn it is, and that nobody answers" {
	start_clarity
	printf 'hello\n/exit\n' | chat "$url" 1 --no-stream --poll-ms 100 >out
	[ "$(grep -cx 'you>' out)" = 2 ]
	grep -qx 'echo-agent: Echo: hello' out
	run ! grep 'No agent response' out
	event='{"seq":1,"at":"2026-11-21T01:46:30.977Z","kind":"agent.chat.user_message","level":"info","message":"m","data":{"runId":"r1","role":"user","message":"hello"}}'
	jq -n --arg registry '{"count":1,"items":[{"serviceId":"s","agent":{"agentId":"a","name":"A","triggers":["api"]}}]}' --arg events "{\"runId\":\"r1\",\"items\":[$event]}" \
		'{"GET /api/agents/registry": [{body: $registry}], "GET /api/agents/runs/r1/events": [{body: $events}], "POST /api/agents/runs/r1/messages": [{body: "{\"ok\":true,\"runId\":\"r1\",\"seq\":1}"}]}' >script
	start silent python3 "$AU_SRC/tests/fake/fake-script" script
	await 10 has_line silent.out '^http'
	printf 'hello\n/exit\n' | chat "$(head -n 1 silent.out)" s --run-id r1 --no-stream --poll-ms 100 >out
	grep -qx 'No agent response events yet. Ensure an active runtime agent loop is consuming run messages.' out
	grep -qx 'you: hello' out
}

@test "runtime-chat --bridge clarity: says what it ignores, and asks" {
	start_clarity
	printf '\n0\n1\nhello\n/exit\n' | chat "$url" svc_02slow --agent x --run-id y --no-stream --bridge clarity >out
	[ "$(sed -n 1,8p out)" = "Clarity runtime-chat uses runtime discovery + numbered selection. Ignoring positional service-id.
Clarity runtime-chat resolves agent from selected service. Ignoring --agent.
Clarity runtime-chat currently creates a fresh run per session. Ignoring --run-id.
Clarity runtime-chat currently uses a fixed event page size. Ignoring --events-limit.
token (optional)> 
--no-stream provided; clarity runtime-chat currently runs in poll mode by default.
Clarity Runtime Chat CLI
Connected to runtime: $url" ]
	grep -qx 'Invalid selection. Enter a number from 1 to 10.' out
	[ "$(said | sed -n '/^Connected to service/,/^Commands/p')" = $'Connected to service svc_00echo (agent echo-agent)\nRun: RUN\nCommands: /refresh, /exit' ]
	grep -qx 'echo-agent: Echo: hello' out
	[ "$(tail -n 1 out)" = 'Closing runtime chat.' ]
	run jq -r '.requests.stream // 0' <(curl -s "$url/__fake")
	[ "$output" = 0 ]
}

# ---- list, answer, cancel

@test "list: the directory as given, a row each in the order of names, and how many" {
	run -0 --separate-stderr clarity-agent list hitl
	[ "$output" = $'Handshake directory: hitl\nNo pending questions.' ]
	now=$(date +%s)
	question b b.key second $((now - 5))000
	question a a.key 'first\nline' $((now - 9))000
	question c c.key 'esc \u001b[2J' $((now + 9))000
	for call in 'list hitl' 'list --dir hitl' 'list --dir=hitl' 'list other --dir hitl'; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr clarity-agent $call
		[ "$(sed -E 's/  [0-9]+s  /  Ns  /' <<<"$output")" = $'Handshake directory: hitl\nkey  age  question\na.key  Ns  first\nline\nb.key  Ns  second\nc.key  Ns  esc \xef\xbf\xbd[2J\nPending: 3' ]
	done
	CLARITY_HITL_DIR=hitl run -0 --separate-stderr clarity-agent list
	[ "${lines[0]}" = 'Handshake directory: hitl' ]
	run -0 --separate-stderr clarity-agent list
	[ "${lines[0]}" = 'Handshake directory: .clarity-hitl' ]
	run -0 --separate-stderr clarity-agent list typo
	[ "$output$stderr" = $'Handshake directory: typo\nNo pending questions.' ]
	run -0 --separate-stderr clarity-agent cancel k typo
	[ "$output" = 'No question found: k' ]
	[ ! -e typo ]
}

@test "answer: writes beside the question that the key names; a missing response answers nothing" {
	question a_b a.b q 1
	for call in 'answer' 'answer a.b' 'answer a.b yes please' 'answer a.b --dir hitl' 'answer --nonsense a.b yes'; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr clarity-agent $call
		[ "$stderr" = 'Usage: clarity-agent answer <key> <response> [--dir <path>]' ]
		[ -z "$output" ]
	done
	[ ! -e hitl/a_b.answer ]
	run -0 --separate-stderr clarity-agent answer a.b 'yes please' --dir hitl
	[ "$output" = 'Wrote answer: hitl/a_b.answer' ]
	[ "$(cat hitl/a_b.answer)" = 'yes please' ]
	question n n q 1
	run -0 clarity-agent answer n -1 --dir hitl
	[ "$(cat hitl/n.answer)" = -1 ]
	question d d q 1
	run -0 clarity-agent answer --dir hitl -- d --yes
	[ "$(cat hitl/d.answer)" = --yes ]
	question e e q 1
	run -0 clarity-agent answer e '' --dir hitl # given, and empty: approves
	[ -e hitl/e.answer ] && [ ! -s hitl/e.answer ]
	# before anybody asks, a later one in its stead
	run -0 --separate-stderr clarity-agent answer nobody.yet 'yes' --dir hitl
	[ "$output" = 'Wrote answer: hitl/nobody.yet.answer' ]
	[ -z "$stderr" ]
	run -0 clarity-agent answer nobody.yet no --dir hitl
	[ "$(cat hitl/nobody.yet.answer)" = no ]
	run -0 clarity-agent answer one two --dir made
	[ "$(cat made/one.answer)" = two ]
}

@test "cancel: says whether there was one, with status 0 both times" {
	question k k q 1
	run -0 --separate-stderr clarity-agent cancel k hitl
	[ "$output" = 'Cancelled: k' ]
	run -0 --separate-stderr clarity-agent cancel k --dir hitl
	[ "$output" = 'No question found: k' ]
	run -1 --separate-stderr clarity-agent cancel
	[ "$stderr" = 'Usage: clarity-agent cancel <key> [dir] [--dir <path>]' ]
	[ "$(leftovers)" = 0 ]
}

# ---- watch, connect

@test "watch: shows and answers, as scripts know it" {
	question k k 'deploy?' 1
	run -0 --separate-stderr clarity-agent watch new/place </dev/null
	[ "$output" = 'Watching handshake directory: new/place' ]
	[ "$(stat -c %a new/place)" = 700 ]
	run -0 --separate-stderr clarity-agent watch hitl < <(printf '  yes \n')
	[ "${lines[0]}" = 'Watching handshake directory: hitl' ]
	[ "${lines[1]}" = 'HITL request: k' ]
	[ "${lines[2]}" = 'deploy?' ]
	[[ ${lines[3]} =~ ^Age:\ [0-9]+s$ ]]
	[ "${lines[4]}" = 'Answer (Enter to confirm): ' ]
	[[ ${lines[5]} =~ ^\[20..-..-..T..:..:..\....Z\]\ answered\ k$ ]]
	[ "$(cat hitl/k.answer)" = yes ]
}

@test "watch and connect: the end of the input approves nothing" {
	question k k 'deploy?' 1
	run -1 clarity-agent watch hitl </dev/null
	start_gateway --hitl hitl
	run -1 clarity-agent connect "$url" </dev/null
	run -1 clarity-agent connect </dev/null
	run -1 clarity-agent connect < <(printf '%s\nyes' "$url")
	[ "$(leftovers)" = 1 ]
}

@test "watch: --auto-approve, --log, --timeout" {
	question old old q 1
	question new new q "$(date +%s)000"
	start watch clarity-agent watch --auto-approve --timeout 60 --log log hitl
	await 10 has_line watch.out 'answered new'
	grep -q '^\[.*Z\] skipped old (age [0-9]*s > 60s)$' watch.out
	[ ! -e hitl/old.answer ]
	jq -e '.type == "answered" and .key == "new"' log
	kill "$pid"
	start watch clarity-agent watch hitl --auto-approve --timeout -1
	await 10 has_line watch.out 'answered old'
}

@test "connect: a broker's questions; the address is asked for; tokens" {
	CLARITYD_AUTH_TOKEN=s3cret start_gateway --hitl hitl
	question a_b a.b q 1
	run -0 --separate-stderr clarity-agent connect --token s3cret < <(printf '%s/\nyes\n' "$url")
	[ "${lines[0]}" = 'broker url> ' ]
	[ "${lines[1]}" = "Connecting to broker: $url" ]
	[ "${lines[2]}" = 'Remote HITL request: a.b' ]
	[ "${lines[5]}" = 'Remote answer (Enter to confirm): ' ]
	[[ ${lines[6]} == *'] answered a.b' ]]
	[ "$(cat hitl/a_b.answer)" = yes ]
	run ! clarity-agent connect "$url" </dev/null
	question n n q 1
	CLARITY_HITL_BROKER_TOKEN=s3cret run -0 clarity-agent connect "${url#http://}" --poll-ms x --timeout x < <(echo no)
	[ "$(cat hitl/n.answer)" = no ]
}

# ---- serve

serve() {
	start serve clarity-agent serve "$@"
	await 20 has_line serve.out '^Auth' || { cat serve.err >&2; return 1; }
	broker=$(sed -n 's/^Serving HITL broker on //p' serve.out)
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

@test "serve: what it says, and that it serves the directory on loopback only" {
	port=$(free_port)
	serve hitl --port "$port"
	[ "$(cat serve.out)" = "Serving HITL broker on http://127.0.0.1:$port"$'\nHandshake directory: hitl\nAuth: disabled' ]
	[ "$(curl -sS "$broker/")" = clarity-hitl-broker ]
	start ask agent-ask --broker "$broker" --key k "deploy?"
	ask=$pid
	await 10 test -e hitl/k.question
	run -0 clarity-agent connect "$broker" < <(echo yes)
	wait "$ask"
	[ "$(cat ask.out)" = yes ]
	run -1 --separate-stderr clarity-agent serve hitl --port "$port"
	[ "$stderr" = "Failed to start serve on port $port: Address already in use" ]
	[ -z "$output" ]
	! ss -ltn 2>/dev/null | grep -q "\(0\.0\.0\.0\|\*\|::\]\):$port"
}

@test "serve: a token; a signal ends it and its broker" {
	port=$(free_port)
	serve --dir hitl --port "$port" --token s3cret --allow-query-token
	server=$pid
	[ "$(sed -n 3,4p serve.out)" = $'Auth: bearer token required\nAuth compatibility mode: query token enabled' ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$broker/questions")" = 401 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$broker/questions?token=s3cret")" = 200 ]
	# the token is nobody's argument but the one it was given in
	! pgrep -f 'agent-hitl-serve.*s3cret'
	kill "$server"
	wait "$server"
	run -7 curl -sS "$broker/"
}
