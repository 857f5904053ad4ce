#!/usr/bin/env bats
# Attacks: what a hostile page, client, agent or neighbour would try, on every door at once.
load lib/common
load lib/attacks
load lib/services

setup() { common_setup; }
teardown() { attacks_teardown; }

# routes [METHOD-PATTERN]: "METHOD PATH" of each operation of the contract that is not open to everybody, with an id for each parameter
routes() { contract_routes | sed 's/[^ ]* //; s/{[^}]*}/x1/g' | grep -E "^(${1-[A-Z]*}) "; }
events() { curl -sS "$url/api/agents/events?limit=2000" | jq '.items | length'; }
questions() { curl -sS "$url/questions" | jq length; }
# no control character; without --records no C1 in UTF-8 and no direction mark either (in records, JSON for programs, those are letters)
safe() { [ "$1" != --records ] || { shift; ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$@"; return; }; ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$@" && ! LC_ALL=C grep -qE $'\xc2[\x80-\x9f]|\xe2\x80\xae' "$@"; }
evil=$'\e]0;title\a\e[2J\e[31mred\x9b31m\r\x08\xc2\x9b1m\u202egnp.exe'

@test "a rebound name reaches no door" {
	start_gateway
	n=0
	while read -r method path; do
		for host in evil.example 127.0.0.1.evil.example; do
			got=$(code -X "$method" -H "Host: $host" -H 'Content-Type: application/json' -d '{}' "$url$path")
			# a stream that nobody asked to upgrade says so, and nothing else
			[[ $got == 403 || ($got == 426 && $path == *stream) ]] || { echo "$method $path: $got $(cat answer)"; return 1; }
		done
		n=$((n + 1))
	done < <(routes)
	[ "$n" -gt 50 ]
}

@test "a page of another site changes nothing, and reads nothing" {
	start_gateway
	before=$(events)
	while read -r method path; do
		for origin in http://evil.example null http://127.0.0.1:1 "$url.evil.example"; do
			got=$(code -X "$method" -H "Origin: $origin" -H 'Content-Type: text/plain' -d '{"kind":"agent.x","key":"k","question":"q","message":"m"}' "$url$path")
			[[ $got == 403 || $got == 415 ]] || { echo "$method $path from $origin: $got $(cat answer)"; return 1; }
		done
	done < <(routes 'POST|PUT|PATCH|DELETE')
	while read -r method path; do
		got=$(code -m 5 -H 'Origin: http://evil.example' "$url$path" || :)
		[[ $got == 403 || $got == 426 ]] || { echo "$method $path: $got"; return 1; }
	done < <(routes GET)
	[ "$(events)" = "$before" ]
	[ "$(questions)" = 0 ]
}

@test "tricks with upgrades are no way in" {
	start_gateway
	token=$(make_token --user ann --workspace '*' --scope read)
	port=${url##*:}
	cat >tricks.py <<-'PY'
	import socket, sys
	port = int(sys.argv[1])
	key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	base = "Host: 127.0.0.1:%d\r\n" % port
	def say(head, more=b""):
	    s = socket.create_connection(("127.0.0.1", port), 20)
	    s.sendall(head.replace("\n", "\r\n").encode() + base.encode() + b"\r\n" + more)
	    out = b""
	    s.settimeout(20)
	    while b"\r\n\r\n" not in out:
	        data = s.recv(4096)
	        if not data: break
	        out += data
	    s.close()
	    return out.split(b"\r\n")[0].decode()
	tricks = {
	    # cleartext HTTP/2 and TLS inside: nobody here speaks them
	    "h2c": "GET /api/agents/registry HTTP/1.1\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\n",
	    "tls": "GET /api/agents/registry HTTP/1.1\nConnection: Upgrade\nUpgrade: TLS/1.0\n",
	    # a WebSocket where there is none
	    "ws on a list": "GET /api/agents/registry HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n" + key.replace("\r", ""),
	    # one without a token
	    "ws": "GET /v1/agent/threads/t/stream HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n" + key.replace("\r", ""),
	    "ws posted": "POST /v1/agent/threads/t/stream HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nContent-Length: 0\n" + key.replace("\r", ""),
	    "ws hidden in a second request": "GET /healthz HTTP/1.1\nUpgrade: websocket\nConnection: keep-alive\n",
	    "connect": "CONNECT 127.0.0.1:22 HTTP/1.1\n",
	    "absolute": "GET http://evil.example/api/agents/registry HTTP/1.1\n",
	    "trace": "TRACE /api/agents/registry HTTP/1.1\n",
	}
	for name, head in tricks.items():
	    print(name, "|", say(head), flush=True)
	PY
	python3 tricks.py "$port" >said
	cat said
	[ "$(wc -l <said)" = 9 ]
	run ! grep -E '\| HTTP/1.1 101' said
	run ! grep -E '^(ws|h2c|tls|connect|absolute|trace).*\| HTTP/1.1 200' <(grep -v 'second request' said)
	# a handshake with a token, from a page that is not ours
	curl -sS -o /dev/null -D head -m 10 -H "Authorization: Bearer $token" -H 'Origin: http://evil.example' -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
		-H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$url/v1/agent/threads/t/stream" || :
	run ! grep -q '^HTTP/1.1 101' head
}

@test "requests inside requests are one request, or none" {
	start_gateway
	python3 - "${url##*:}" <<-'PY' >said
	import socket, sys
	port = int(sys.argv[1])
	inner = b"POST /api/agents/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"kind\":\"agent.smuggled\"}"
	def say(head, body):
	    s = socket.create_connection(("127.0.0.1", port), 20)
	    s.sendall(head + body)
	    s.shutdown(socket.SHUT_WR)
	    out = b""
	    while True:
	        data = s.recv(65536)
	        if not data: break
	        out += data
	    return out
	L = b"POST /api/agents/runs/r/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for extra in (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
	              b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 0\r\nContent-Length: 4\r\n",
	              b"Content-Length: 0, 4\r\n", b"Content-Length: 00x\r\n", b"Content-Length: -1\r\n", b"Content-Length: 18446744073709551620\r\n"):
	    out = say(L + extra + b"\r\n", b"0\r\n\r\n" + inner)
	    print(extra, out.split(b"\r\n")[0], b"smuggled" in out)
	    assert out.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501", b"HTTP/1.1 413")), (extra, out[:200])
	PY
	run ! grep smuggled <(curl -sS "$url/api/agents/events?limit=2000")
}

@test "everything too large is refused, and nothing of it stays" {
	start_gateway
	body() { head -c "$1" /dev/zero | tr '\0' "${2-a}"; }
	[ "$(code -H "X-A: $(body 33000)" "$url/healthz")" = 431 ]
	seq 200 | sed 's/.*/X-&: a/' >headers
	[ "$(code -H @headers "$url/healthz")" = 431 ]
	[ "$(code "$url/api/agents/runs/$(body 31000)/events")" -lt 500 ]
	{ printf '{"message":"'; body 1048576; printf '"}'; } >large
	[ "$(code -H 'Content-Type: application/json' --data-binary @large "$url/api/agents/runs/r/messages")" = 413 ]
	[ "$(code -H 'Transfer-Encoding: chunked' -H 'Content-Type: application/json' --data-binary @large "$url/api/agents/runs/r/messages")" = 413 ]
	for open in '[' '{"a":'; do
		for _ in $(seq 100000); do printf '%s' "$open"; done >deep
		for path in /api/agents/events /api/agents/runs/r/messages /v1/agent/threads /questions /api/services/apply /mcp /api/a2a/messages; do
			got=$(code -H 'Content-Type: application/json' --data-binary @deep "$url$path")
			[[ $got == 4?? || $got == 200 ]] || { echo "$path: $got"; return 1; }
		done
	done
	{ printf '{"a":1'; seq 100000 | sed 's/.*/,"a":&/' | tr -d '\n'; printf ',"message":"hi"}'; } >wide
	[ "$(code -H 'Content-Type: application/json' --data-binary @wide "$url/api/agents/runs/r/messages")" -lt 500 ]
	[ "$(code "$url/api/agents/events?limit=99999999999999999999999")" -lt 500 ]
	[ "$(awk '/VmHWM/ { print $2 }' "/proc/$gateway_pid/status")" -lt 200000 ]
}

@test "hundreds of clients that never finish hold nobody up" {
	start_gateway
	cat >slow.py <<-'PY'
	import socket, sys, time
	port, all = int(sys.argv[1]), []
	for i in range(300):
	    s = socket.create_connection(("127.0.0.1", port), 20)
	    s.sendall((b"GET / HTTP/1.1\r\nX: ", b"POST /api/agents/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{", b"")[i % 3])
	    all.append(s)
	print("there", flush=True)
	sys.stdin.read()
	PY
	mkfifo hold
	python3 slow.py "${url##*:}" <hold >slow.out &
	slow=$!
	exec 8>hold
	await 30 has_line slow.out there
	for _ in 1 2 3 4 5; do [ "$(code -m 5 "$url/healthz")" = 200 ]; done
	exec 8>&-
	wait "$slow"
}

@test "a byte now and then gains no time" {
	start_gateway
	python3 - "${url##*:}" <<-'PY'
	import select, socket, sys, time
	port, began, open_ = int(sys.argv[1]), time.monotonic(), []
	for i in range(60):
	    s = socket.create_connection(("127.0.0.1", port), 20)
	    s.sendall((b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", b"G")[i % 2])
	    open_.append(s)
	# a head has 10 seconds, however it trickles in
	while open_:
	    assert time.monotonic() - began < 30, len(open_)
	    ready, _, _ = select.select(open_, [], [], 0.5)
	    for s in ready:
	        try:
	            data = s.recv(4096)
	        except OSError:
	            data = b""
	        assert not data or b" 408 " in data
	        open_.remove(s)
	    for s in open_:
	        try:
	            s.sendall(b"a")
	        except OSError:
	            pass
	assert time.monotonic() - began > 5
	PY
}

@test "paths lead out of nothing" {
	echo secret-content >secret
	start_gateway
	for path in '/../secret' '/..%2fsecret' '/%2e%2e/secret' '/console.css/../../secret' '/%2e%2e%2f%2e%2e%2fsecret' '/console.js%00.png' '//etc/passwd' '/status/../../../etc/passwd' \
		'/questions/..%2f..%2fsecret' '/questions/%2e%2e' '/questions/secret%00' '/api/services/..%2f..%2fsecret' '/api/services/%2fetc%2fpasswd/details' \
		'/api/agents/runs/..%2f..%2fsecret/events' '/v1/agent/threads/..%2f..%2fsecret' '/api/services/%5c..%5csecret/logs'; do
		got=$(code --path-as-is "$url$path")
		[ "$got" -lt 500 ] || { echo "$path: $got"; return 1; }
		run ! grep -E 'secret-content|root:' answer
	done
	# what is written stays where it belongs
	for key in ../out ../../out /tmp/out-of-here '..' '.' 'a/b' $'a\nb' 'con:x' "$(printf '%0300d' 0)"; do
		jq -nc --arg key "$key" '{key: $key, question: "q"}' | code -H 'Content-Type: application/json' -d @- "$url/questions" >/dev/null
		jq -nc --arg key "$key" '{key: $key, answer: "a", response: "a"}' | code -H 'Content-Type: application/json' -d @- "$url/answer" >/dev/null
		AGENT_RUNTIME_URL='' agent-hitl-answer --dir "$BATS_TEST_TMPDIR/state/hitl" "$key" x >/dev/null 2>&1 || :
	done
	[ ! -e out ] && [ ! -e state/out ] && [ ! -e /tmp/out-of-here ] && [ ! -e ../out ]
	[ -z "$(find . -newer secret -name '*out*' ! -path './gateway0.out' ! -path './state/hitl/*' -print)" ]
	# a manifest that names a secret outside of where secrets are
	for ref in file:../../secret file:/etc/passwd "file:$BATS_TEST_TMPDIR/secret"; do
		mcp=http://127.0.0.1:1
		apply < <(manifest far "$(remote ".authRef = \"$ref\"")")
		api POST /api/services/svc_far/start
		run ! grep -E 'secret-content|root:' <(curl -sS "$url/api/services/svc_far/details"; curl -sS "$url/api/services/svc_far/logs")
	done
}

@test "quotes, shells and SQL are letters" {
	start_gateway
	touch canary
	for text in "'; DROP TABLE events; --" '$(rm canary)' '`rm canary`' '; rm canary' '| rm canary' '&& rm canary' '%s%s%n' '{{7*7}}' $'a\nb' '../canary' '*' '~' '-rf' '--help' '\0' "\"'\\"; do
		id=$(jq -rn --arg t "$text" '$t | @uri')
		agent-send --run "$text" --agent echo -- "$text" >/dev/null 2>&1 || :
		jq -nc --arg t "$text" '{kind: "agent.note", agent: $t, runId: $t, serviceId: $t, message: $t, data: {a: $t, ($t): 1}}' |
			code -H 'Content-Type: application/json' -d @- "$url/api/agents/events" >status
		[[ $(cat status) == 200 || $(cat status) == 400 ]]
		got=$(curl -sS "$url/api/agents/runs/$id/events?limit=2000")
		if [ "$(cat status)" = 200 ]; then
			jq -e --arg t "$text" 'any(.items[]; .data.a == $t)' <<<"$got" >/dev/null || { echo "$text: $got"; return 1; }
		fi
		[ "$(code "$url/api/services/$id")" = 404 ]
		agent-ask --key "k$((k = ${k-0} + 1))" --timeout 100ms "$text" >/dev/null 2>&1 || :
		agent-thread-create --workspace w --title "$text" >/dev/null
		agent-threads --workspace "$text" >/dev/null 2>&1 || :
	done
	[ -e canary ]
	[ "$(agent-threads --workspace w | jq -r .title | grep -c DROP)" = 1 ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	start_gateway
	[ "$(agent-threads --workspace w | wc -l)" -ge 10 ]
}

@test "quotes and SQL are letters in queries, headers and names too" {
	start_gateway
	agent-emit --run r --kind agent.note --data '{"a":"kept"}' >/dev/null
	thread=$(agent-thread-create --workspace w --title kept | jq -r .threadId)
	for text in "'; DROP TABLE events; --" '" OR 1=1 --' "1' OR '1'='1" '%' '_' '*' '1;DELETE FROM events' "x' UNION SELECT 1,2,3 --" '\\' '$(id)' '`id`'; do
		q=$(jq -rn --arg t "$text" '$t | @uri')
		for path in "/api/agents/events?kind=$q" "/api/agents/events?after=$q" "/api/agents/events?limit=$q" "/api/agents/runs?agent=$q&status=$q" "/api/agents/runs/$q/events" \
			"/v1/agent/threads?workspaceSlug=$q" "/v1/agent/threads?workspaceSlug=w&cursor=$q" "/v1/agent/threads/$q" "/v1/agent/threads/$thread/events?cursor=$q" \
			"/v1/agent/threads/$thread/turns/$q" "/v1/agent/threads/$thread/approvals/$q" "/api/services/$q/details" "/questions/$q" "/api/audit?limit=$q"; do
			got=$(code "$url$path")
			[ "$got" -lt 500 ] || { echo "$path: $got $(cat answer)"; return 1; }
			# a name that is nobody's finds nobody's
			case $path in *"/runs/$q"* | *Slug="$q" | *"threads/$q") run ! grep -q kept answer ;; esac
		done
		for header in Idempotency-Key Last-Event-ID X-Request-Id X-Correlation-Id traceparent Authorization Cookie If-None-Match Prefer; do
			got=$(code -m 20 -H "$header: $text" -H 'Content-Type: application/json' -d '{"kind":"agent.x"}' "$url/api/agents/events")
			[ "$got" -lt 500 ] || { echo "$header: $got $(cat answer)"; return 1; }
		done
	done
	[ "$(agent-events r --jq .data.a)" = kept ]
	[ "$(agent-thread-show "$thread" | jq -r .title)" = kept ]
}

@test "a shell command of an agent gets the message as a text, never as a command" {
	start_gateway
	touch canary
	agent-run-create --agent shell >/dev/null || skip "the built-in shell agent is not there"
	mkdir agents
	printf '#!/bin/sh\ncat >got; echo "{\\"reply\\":\\"ok\\"}"\n' >agents/reply.sh
	chmod +x agents/reply.sh
	manifest cmd '{"type":"command","command":["./reply.sh"]}' >agents/cmd.json
	common_teardown
	start_gateway --agents agents
	agent-send --run r --agent cmd --service svc_cmd --wait '$(rm canary); `rm canary`' >/dev/null
	[ -e canary ]
	[ "$(jq -r .message got)" = '$(rm canary); `rm canary`' ]
}

@test "nothing that an agent says drives a terminal" {
	start_gateway
	jq -nc --arg e "$evil" '{kind: ("agent.note"), agent: $e, runId: "r1", message: $e, data: {message: $e, reply: $e, failureReason: $e, error: $e, waitingReason: $e, stepId: "s1"}}' >event
	for kind in agent.run_created agent.chat.assistant_message agent.waiting agent.failed agent.run_failed agent.step_completed agent.handoff agent.x; do
		jq -c --arg k "$kind" '.kind = $k' event | code -H 'Content-Type: application/json' -d @- "$url/api/agents/events" >/dev/null
	done
	thread=$(agent-thread-create --workspace w --title "$evil" | jq -r .threadId)
	jq -nc --arg e "$evil" '{events: [("item.delta", "item.completed", "error", "turn.completed", "x.y") | {method: ., turnId: null, payload: {text: $e, delta: $e, message: $e, item: {type: "commandExecution", command: $e, aggregatedOutput: $e}}}]}' |
		code -H 'Content-Type: application/json' -d @- "$url/v1/agent/threads/$thread/events:batch" >/dev/null
	jq -nc --arg e "$evil" '{key: "k1", question: $e}' | code -H 'Content-Type: application/json' -d @- "$url/questions" >/dev/null
	agent-events r1 >raw 2>raw.err
	[ "$(wc -l <raw)" -ge 7 ] || { cat raw raw.err answer; return 1; }
	for command in 'agent-events r1' 'agent-runs' 'agent-registry' 'agent-threads --workspace w' "agent-thread-show $thread" "agent-events --thread $thread" \
		'agent-hitl-list' "agent-hitl-list --broker $url" 'runtime-agents' 'clarity-agent list'; do
		$command >shown 2>shown.err </dev/null || :
		safe shown.err || { echo "$command:"; cat -v shown.err; return 1; }
		case $command in runtime-agents | clarity-agent*) safe shown ;; *) safe --records shown ;; esac || { echo "$command:"; cat -v shown; return 1; }
	done
	for form in '' '--format plain' '--format chat'; do
		# shellcheck disable=SC2086 # words of an option
		{ cat raw; agent-events --thread "$thread"; agent-runs; agent-threads --workspace w; agent-hitl-list --dir state/hitl; } | agent-show $form >shown 2>shown.err || :
		safe shown shown.err || { echo "agent-show $form:"; cat -v shown shown.err; return 1; }
	done
	# what a server says of an error, and what is asked of it, are shown too
	agent-events "$evil" >shown 2>shown.err || :
	safe shown shown.err || { cat -v shown.err; return 1; }
	agent-doctor --url "$url/$evil" >shown 2>shown.err || :
	safe shown shown.err
	curl -sS -H 'Content-Type: application/json' -H "X-Request-Id: $evil" -d "{" "$url/api/agents/events" -o /dev/null || :
	safe "$gateway_log.err"
}

@test "what a hostile server answers drives no terminal, and costs no memory" {
	cat >server.py <<-'PY'
	import http.server, json
	evil = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e"
	class Evil(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        self.send_response(500 if "runs" in self.path else 200)
	        self.send_header("Content-Type", "application/json")
	        body = json.dumps({"error": evil, "code": evil, "message": evil, "items": [{"serviceId": evil, "agent": {"agentId": evil, "name": evil}, "runId": evil, "status": evil}]}, ensure_ascii=False).encode()
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    do_POST = do_GET
	    def log_message(self, *args): pass
	server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
	print("http://127.0.0.1:%d" % server.server_port, flush=True)
	server.serve_forever()
	PY
	start server python3 server.py
	await 20 has_line server.out '^http'
	AGENT_RUNTIME_URL=$(cat server.out)
	export AGENT_RUNTIME_URL
	for command in agent-registry agent-runs 'agent-events r' 'agent-send --run r hello' 'agent-run-create --agent echo' runtime-agents agent-doctor 'agent-threads --workspace w'; do
		timeout 30 $command >shown 2>shown.err </dev/null || :
		safe shown.err || { echo "$command:"; cat -v shown.err; return 1; }
		# records pass through untouched: JSON of the server's own; what is for people does not
		case $command in runtime-agents | agent-doctor) safe shown || { cat -v shown; return 1; } ;; esac
	done
}

@test "no token stands in an argument, a log, an event, an error or a core file" {
	secret=agt_abcdefabcdef_0123456789012345678901234567890123456789abc
	printf '%s\n' "$secret" >token
	chmod 600 token
	ulimit -c unlimited || :
	start_gateway --token-file token --access-log access
	export AGENT_RUNTIME_TOKEN=$secret
	start watch agent-watch --all
	watch=$pid
	start watch2 clarity-agent --token "$secret" watch
	run ! agent-events "none"
	agent-run-create --agent echo --run r1 | agent-send "my token is $secret" >/dev/null
	AGENT_RUNTIME_TOKEN=${secret}x run -4 agent-runs
	[[ $output != *"$secret"* ]]
	code "$url/api/agents/runs?token=$secret" >/dev/null
	code "$url/api/events?token=$secret" -m 2 >/dev/null || :
	code -H "Authorization: Bearer $secret" "$url/api/agents/runs/$secret/events" >/dev/null
	# the arguments of everybody but of who types them
	for p in /proc/[0-9]*; do
		[ "${p##*/}" = "$$" ] || [ "${p##*/}" = "$BASHPID" ] || tr '\0' ' ' <"$p/cmdline" 2>/dev/null || :
	done >cmdlines
	grep -F "$secret" cmdlines | grep -vE 'bats|bash .*clarity-agent' >found || :
	[ ! -s found ] || { cat found; return 1; }
	run ! grep -rF "$secret" state "$gateway_log.err" "$gateway_log.out" access watch.out watch.err watch2.out watch2.err
	# whoever holds secrets leaves no core: the gateway, a command with its token, runtimes and a session host with their keys, who takes a key to bring it
	mkfifo never
	exec 9<>never
	holder() { # NAME COMMAND...: with the secret in its environment, reading what never comes
		local name=$1
		shift
		OPENAI_API_KEY=$secret SESSION_RUNTIME_TOKEN=$secret "$@" <never >"$name.out" 2>"$name.err" 3>&- 9>&- &
		holders+=("$!")
	}
	programs=$AU_BUILD/libexec/agentutils holders=("$gateway_pid" "$watch")
	holder openai "$programs/agent-runtime-openai" --endpoint http://127.0.0.1:1/v1 --model m
	holder acp "$programs/agent-runtime-acp" --key-env OPENAI_API_KEY -- cat
	holder host "$programs/agent-session-host" --listen 127.0.0.1:0 "$programs/agent-runtime-openai" --model m
	holder login env -u AGENT_RUNTIME_TOKEN agent-account-login apiKey
	started+=("${holders[@]}")
	# nor gives it to a program that core_pattern names, which 0 would not keep from it
	leaves_none() { grep -qE '^Max core file size +(1 |0 +0 )' "/proc/$1/limits"; }
	for p in "${holders[@]}"; do await 20 leaves_none "$p" || { tr '\0' ' ' <"/proc/$p/cmdline" >&2; return 1; }; done
	mkdir cores
	(cd cores && sh -c 'kill -ABRT $$') 2>/dev/null || :
	[ -n "$(ls cores)" ] || echo "# this machine makes no core files: only the limits were looked at" >&3
	for p in "${holders[@]}"; do
		kill -ABRT "$p"
		await 20 gone "$p"
	done
	exec 9>&-
	[ -z "$(find . -name 'core*' -type f ! -path './cores/*' -print)" ]
	unset gateway_pid
}

@test "no password of an address, a proxy, a store or a provider stands in what is said, shown or handed on" {
	secret=hunter2-0123456789abcdef
	said() { run ! grep -F "$secret" said; }
	for command in "agent-runs --url http://u:$secret@127.0.0.1:1" "agent-doctor --url http://u:$secret@127.0.0.1:1" "agent-doctor --json --url http://u:$secret@127.0.0.1:1" \
		"agent-gateway --check --state s --store postgresql://u:$secret@127.0.0.1:1/x" "agent-gateway --state s --store postgresql://u:$secret@127.0.0.1:1/x?sslmode=nosuch" \
		"agent-gateway --check --state s --store postgresql://u:$secret@[::1/x" "agent-gateway --state s --listen 127.0.0.1:1:$secret"; do
		timeout 60 $command >said 2>&1 && : "$command went well"
		case $command in *--listen*) ;; *) said ;; esac
	done
	for command in agent-runs 'agent-doctor' 'agent-watch --all --timeout 2s' 'agent-send --run r hello' 'runtime-chat http://127.0.0.2:1 x'; do
		http_proxy=http://u:$secret@127.0.0.1:1 AGENT_RUNTIME_TOKEN=$secret AGENT_RUNTIME_URL=http://127.0.0.2:1 timeout 60 $command >said 2>&1 </dev/null || :
		said
	done
	# what the gateway was told is not for the agents that it starts
	mkdir agents
	printf '#!/bin/sh\ncat >/dev/null; env >%s/env.$$; echo "{\\"reply\\":\\"ok\\"}"\n' "$BATS_TEST_TMPDIR" >agents/env.sh
	chmod +x agents/env.sh
	manifest env '{"type":"command","command":["./env.sh"]}' >agents/env.json
	CLARITYD_AUTH_TOKEN=$secret CLARITY_RUNTIME_TOKEN=$secret AGENT_RUNTIME_TOKEN=$secret CLARITY_HITL_BROKER_TOKEN=$secret PGPASSWORD=$secret start_gateway --agents agents
	AGENT_RUNTIME_TOKEN=$secret agent-send --run r --service svc_env --agent env --wait hello >/dev/null
	run ! grep -F "$secret" env.*
	# who may ask the kernel for the gateway's memory or environment: its own user, no other
	[ "$(stat -c %a "/proc/$gateway_pid/environ")" = 400 ]
	grep -qE '^Max core file size +(1 |0 +0 )' "/proc/$gateway_pid/limits"
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	unset gateway_pid
}

@test "quotes, SQL, shells and patterns are letters in tokens' names, keys of retries, workspaces, paths and addresses of stores" {
	touch canary
	odd=("'; DROP TABLE events; --" '$(rm canary)' '`rm canary`' '"; rm canary; "' '%41%00?x#y' 'a&mode=memory' '[*]?' '-rf' 'x y' $'tab\there')
	for text in "${odd[@]}"; do
		# a token's name and workspace
		if agent-gateway-token --state state create --user "$text" --workspace "$text" --scope read --scope write >record 2>err; then
			jq -e --arg t "$text" '.user == $t and .workspaces == [$t]' record
		else
			grep -q 'unable to\|expected\|is no' err
		fi
		agent-gateway-token --state state revoke "$text" >/dev/null 2>&1 || :
	done
	all=$(make_token --user all --workspace '*' --scope read --scope write --scope admin)
	start_gateway
	export AGENT_RUNTIME_TOKEN=$all
	i=0
	for text in "${odd[@]}"; do
		i=$((i + 1))
		[[ $text != *$'\t'* ]] || continue
		body=$(jq -nc --arg i "$i" '{kind: "agent.x", runId: "keys", message: $i}')
		for again in false true; do
			got=$(code -D head -H "Authorization: Bearer $all" -H "Idempotency-Key: $text" -H 'Content-Type: application/json' -d "$body" "$url/api/agents/events")
			if [ "$got" = 400 ]; then # blanks are none of a key
				[[ $text == *' '* ]]
				break
			fi
			[ "$got" = 200 ]
			[ "$(grep -ci '^idempotency-replayed: true' head)" = "$([ "$again" = true ] && echo 1 || echo 0)" ]
		done
		# a pattern is no pattern: this key is another one
		[ "$(code -H "Authorization: Bearer $all" -H "Idempotency-Key: %" -H 'Content-Type: application/json' -d "{\"kind\":\"agent.y\",\"message\":\"$i\"}" "$url/api/agents/events")" = "$([ "$i" = 1 ] && echo 200 || echo 409)" ]
		agent-thread-create --workspace "$text" --title t >created 2>/dev/null || continue
		[ "$(agent-threads --workspace "$text" | wc -l)" = 1 ]
	done
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	# names of directories, files, manifests, sockets and stores
	for text in "${odd[@]}"; do
		mkdir -p "odd/$text"
		cp "$AU_SRC/bin/gateway/builtin/echo.json" "odd/$text/$text.json"
		start_gateway --agents "odd/$text" --access-log "odd/$text/access $text"
		[ "$(agent-registry | jq -r .serviceId)" = svc_echo ]
		[ -e "odd/$text/access $text" ]
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
		mkdir -m 700 "odd/$text/state $text"
		agent-gateway --check --agents "odd/$text" --state "odd/$text/state $text"
		start "odd$((k = ${k-0} + 1))" agent-gateway --listen "unix:$BATS_TEST_TMPDIR/s$k" --store "sqlite:$BATS_TEST_TMPDIR/odd/$text/state $text/log.db" --agents "odd/$text"
		await 20 has_line "odd$k.out" listening || { cat "odd$k.err"; return 1; }
		AGENT_RUNTIME_URL=unix:$BATS_TEST_TMPDIR/s$k AGENT_RUNTIME_TOKEN= agent-emit --run r --kind agent.x >/dev/null
		kill "$pid"
		await 20 gone "$pid"
		[ -s "odd/$text/state $text/log.db" ] || { ls -R odd; return 1; }
		CLARITY_HITL_DIR="odd/$text/hitl $text" agent-hitl-answer --ahead k yes >/dev/null
		[ "$(cat "odd/$text/hitl $text/k.answer")" = yes ]
		CLARITY_HITL_DIR="odd/$text/hitl $text" agent-hitl-list >/dev/null
	done
	[ -e canary ]
	unset gateway_pid
}
