#!/usr/bin/env bats
# agent-doctor: each thing that can be wrong is found, with a status and an advice.
load lib/common

setup() {
	common_setup
	unset AGENT_RUNTIME_PROVIDER CODEX_APP_SERVER_COMMAND
	mkdir -p tools
	PATH=$BATS_TEST_TMPDIR/tools:$PATH
}
teardown() { common_teardown; }

doctor() { "${as[@]}" agent-doctor --json "$@" >found; }
# found CHECK: result of a check
result() { jq -r --arg check "$1" 'select(.check == $check) | .result' found | head -n 1; }
message() { jq -r --arg check "$1" 'select(.check == $check) | .message' found | head -n 1; }
tool() { # NAME: the script on standard input, first on the PATH
	{ echo '#!/bin/sh'; cat; } >"tools/$1"
	chmod +x "tools/$1"
}
# a codex of the known version, so that what is on the machine does not count
known_codex() { echo "echo '$(jq -r .codexCliVersion "$AU_SRC/contract/codex-version.json")'" | tool codex; }
# answers STATUS HEADERS...: a server of one answer at $url
answers() {
	cat >server.py <<-'PY'
	import http.server, sys
	class Answer(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        self.send_response_only(int(sys.argv[1]))
	        for header in sys.argv[2:]:
	            self.send_header(*header.split(": ", 1))
	        self.send_header("Content-Type", "application/json")
	        body = b'{"items":[]}'
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    def log_message(self, *args): pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
	print("http://127.0.0.1:%d" % server.server_port, flush=True)
	server.serve_forever()
	PY
	rm -f server.out
	start server python3 server.py "$@"
	await 20 has_line server.out '^http'
	url=$(cat server.out)
	export AGENT_RUNTIME_URL=$url
}

@test "a setup that is in order" {
	known_codex
	start_gateway
	doctor --state state || [ $? = 1 ] # a full disk or few files are the machine's
	for check in address connection version clock token agents state runtimes codex; do
		[ "$(result "$check")" = ok ] || { cat found; return 1; }
	done
	jq -e -s 'all(.[]; (.check | type) == "string" and (.result | IN("ok", "warn", "fail", "skip")) and (.message | type) == "string")' found
	[[ $(message address) == "$url (AGENT_RUNTIME_URL)" ]]
	[[ $(message token) == 'the caller is local, scopes ["read","write","admin"]' ]]
}

@test "text for people: what to do stands under what is wrong, and nothing else is said" {
	run -3 --separate-stderr agent-doctor --url http://127.0.0.1:1
	[ -z "$stderr" ]
	[[ $output == *$'\nfail  connection    unable to ask the server: unable to reach http://127.0.0.1:1: connection refused\n                    start it (agent-gateway), or correct the address\n'* ]]
	[[ $output == *$'\nok    runtimes      '* ]]
}

@test "an address that is none, and one where nobody is" {
	run -2 doctor --url 'http://user:secret@h'
	[ "$(result address)" = fail ]
	run ! grep secret found
	run -3 doctor --url unix:/nowhere/socket
	[ "$(result connection)" = fail ]
	[ -z "$(result clock)" ] # nothing was asked after that
}

@test "a server that wants a token, one that is not taken, one that is" {
	good=$(make_token --user ann --workspace '*' --scope read --expires 30d)
	short=$(make_token --user bob --workspace '*' --scope read --expires 1d)
	start_gateway
	run -4 doctor
	[ "$(result token)" = fail ]
	AGENT_RUNTIME_TOKEN=wrong run -4 doctor
	AGENT_RUNTIME_TOKEN=$good doctor || [ $? = 1 ]
	[ "$(result token)" = ok ]
	[[ $(message token) == 'the caller is ann, scopes ["read"], for '*' more days' ]]
	AGENT_RUNTIME_TOKEN=$short doctor || [ $? = 1 ]
	[ "$(result token)" = warn ]
	run ! grep -F "${good:17}" found
}

@test "a token's file that others can read" {
	make_token --user ann --workspace '*' --scope read >token
	chmod 644 token
	start_gateway
	run -1 doctor --token-file token
	[ "$(result token-file)" = warn ]
	chmod 600 token
	doctor --token-file token || [ $? = 1 ]
	[ -z "$(result token-file)" ]
}

@test "a token for a far server without TLS" {
	AGENT_RUNTIME_TOKEN=t doctor --url http://192.0.2.1 --connect-timeout 100ms || :
	[ "$(result address)" = warn ]
	AGENT_RUNTIME_TOKEN=t doctor --url http://localhost:1 || :
	[ "$(result address)" = ok ]
}

@test "clocks that disagree" {
	answers 200 "Date: $(LC_ALL=C date -u -d '+2 minutes' '+%a, %d %b %Y %T GMT')"
	doctor || [ $? = 1 ]
	[ "$(result clock)" = warn ]
	[[ $(message clock) == "the server's clock is "*" s ahead of this one" ]]
	kill "$pid"
	answers 200 "Date: $(LC_ALL=C date -u -d '-1 hour' '+%a, %d %b %Y %T GMT')"
	run -9 doctor
	[ "$(result clock)" = fail ]
	[[ $(message clock) == "the server's clock is "*" s behind this one" ]]
}

@test "another version, and no agents" {
	answers 200 'x-agentutils: 9.9.9'
	doctor || [ $? = 1 ]
	[ "$(result version)" = warn ]
	[ "$(result clock)" = skip ]
	[ "$(result agents)" = warn ]
}

@test "something that is no agent runtime" {
	start server python3 -c 'import http.server
class A(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/html"); self.end_headers(); self.wfile.write(b"<html>")
    def log_message(self, *args): pass
s = http.server.HTTPServer(("127.0.0.1", 0), A); print("http://127.0.0.1:%d" % s.server_port, flush=True); s.serve_forever()'
	await 20 has_line server.out '^http'
	run -7 doctor --url "$(cat server.out)"
	[ "$(result connection)" = fail ]
}

@test "a certificate that is not trusted, and one that ends soon" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 3 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
	cat >tls.py <<-'PY'
	import http.server, ssl
	class A(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        self.send_response(200); self.send_header("Content-Type", "application/json"); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
	    do_HEAD = do_GET
	    def log_message(self, *args): pass
	s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), A)
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("cert.pem", "key.pem")
	s.socket = context.wrap_socket(s.socket, server_side=True)
	print("https://127.0.0.1:%d" % s.server_port, flush=True); s.serve_forever()
	PY
	start tls python3 tls.py
	await 20 has_line tls.out '^https'
	run -3 doctor --url "$(cat tls.out)"
	[ "$(result connection)" = fail ]
	doctor --url "$(cat tls.out)" --cacert cert.pem || [ $? = 1 ]
	[ "$(result certificate)" = warn ]
	# whole days: three of them within the second in which it was made
	[[ $(message certificate) == 'it is trusted, and good for '[23]' more days' ]]
}

@test "a proxy of the environment that requests to this machine would go through" {
	start_gateway
	http_proxy=http://127.0.0.1:1 no_proxy=localhost,127.0.0.1 doctor || [ $? = 1 ]
	[ "$(result proxy)" = ok ]
	http_proxy=http://127.0.0.1:1 doctor || :
	[ "$(result proxy)" = warn ]
}

@test "a state directory that is open, that is a file, that cannot be written" {
	mkdir -m 755 state
	doctor --local --state state || [ $? = 1 ]
	[ "$(result state)" = warn ]
	touch file
	run -9 doctor --local --state file
	[ "$(result state)" = fail ]
	doctor --local --state new/one || [ $? = 1 ]
	[ "$(result state)" = ok ]
	[ ! -e new ]
	mkdir -m 500 closed
	unprivileged run -9 doctor --local --state closed
	[ "$(result state)" = fail ]
}

@test "codex of another version, one that hangs, one that fails, none" {
	echo 'echo codex-cli 0.1.0' | tool codex
	doctor --local || [ $? = 1 ]
	[ "$(result codex)" = warn ]
	[[ $(message codex) == 'codex-cli 0.1.0, and '*' is known to work' ]]
	echo 'exec tail -f /dev/null' | tool codex
	run -5 doctor --local
	[ "$(result codex)" = fail ]
	printf 'echo "bad \033[31mwords"' | tool codex
	doctor --local || [ $? = 1 ]
	[[ $(message codex) == 'bad \x1b[31mwords, and '* ]]
	echo 'exit 3' | tool codex
	doctor --local || :
	[ "$(result codex)" = skip ]
	CODEX_APP_SERVER_COMMAND=/nowhere/codex run -9 doctor --local
}

@test "no container engine matters to who needs one" {
	for engine in docker podman; do echo 'exit 1' | tool "$engine"; done
	doctor --local || [ $? = 1 ]
	[ "$(result containers)" = skip ]
	AGENT_RUNTIME_PROVIDER=local_docker run -9 doctor --local
	[ "$(result containers)" = fail ]
	echo 'echo 20.10' | tool docker
	AGENT_RUNTIME_PROVIDER=local_docker doctor --local || [ $? = 1 ]
	[ "$(message containers)" = 'docker 20.10' ]
}

@test "a disk that is nearly full, that is full, that takes no more files" {
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "a disk of its own needs root"
	# on SIZE OPTIONS: a doctor whose state is on a disk of that size
	on() {
		local status=0
		unshare -m sh -c "mkdir -p disk && mount -t tmpfs -o size=$1,nr_inodes=$2 none disk && exec agent-doctor --json --local --state disk/state" >found || status=$?
		return "$status"
	}
	on 4g 100000 || [ $? = 1 ]
	[ "$(result disk)" = ok ]
	jq -es 'all(.[]; .result != "ok" or (has("advice") | not))' found # there is nothing to do about what is in order
	on 500m 100000 || [ $? = 1 ]
	[ "$(result disk)" = warn ]
	run -8 on 50m 100000
	[ "$(result disk)" = fail ]
	[[ $(message disk) == '50 MiB are free, '*' files more' ]]
	jq -es 'any(.[]; .check == "disk" and .advice == "make room, or put the state somewhere else (--state)")' found
	on 4g 500 || [ $? = 1 ]
	[ "$(result disk)" = warn ]
}

@test "a file system on a network" {
	cat >network.c <<-'C'
	#include <sys/vfs.h>
	int statfs(const char *path, struct statfs *to) { *to = (struct statfs){ .f_type = *path == '/' ? 0x6969 : 0 }; return 0; }
	int statfs64(const char *path, struct statfs64 *to) { *to = (struct statfs64){ .f_type = *path == '/' ? 0x6969 : 0 }; return 0; }
	C
	sed -i '1i #define _GNU_SOURCE' network.c
	cc -shared -fPIC -o network.so network.c 2>cc.err || skip "this compiler makes no such library: $(head -n 1 cc.err)"
	run ! grep -q __asan <(nm "$AU_BUILD/bin/agent-doctor" 2>/dev/null) || skip "a sanitizer wants to be first"
	mkdir -m 700 state
	LD_PRELOAD=$BATS_TEST_TMPDIR/network.so doctor --local --state "$BATS_TEST_TMPDIR/state" || [ $? = 1 ]
	[ "$(result filesystem)" = warn ]
	[[ $(message filesystem) == *"is on a network file system" ]]
	doctor --local --state state || [ $? = 1 ]
	[ -z "$(result filesystem)" ]
}

@test "an installation that lacks its runtimes, one of them, and what the scripts need" {
	mkdir -p moved/bin moved/libexec/agentutils bare
	cp "$AU_BUILD/bin/agent-doctor" moved/bin/
	run -9 moved/bin/agent-doctor --json --local
	moved/bin/agent-doctor --json --local >found || :
	[ "$(result runtimes)" = fail ]
	[[ $(jq -r 'select(.check == "runtimes").advice' found) == 'install the whole of agentutils' ]]
	cp "$AU_BUILD/libexec/agentutils/agent-runtime-mock" moved/libexec/agentutils/
	moved/bin/agent-doctor --json --local >found || :
	[ "$(result runtimes)" = warn ]
	[[ $(message runtimes) == 'agent-runtime-mock; missing: '* ]]
	PATH=$BATS_TEST_TMPDIR/bare "$AU_BUILD/bin/agent-doctor" --json --local >found || :
	[ "$(result tools)" = warn ]
	[[ $(jq -r 'select(.check == "tools").advice' found) == 'install jq: '* ]]
}

@test "a token that has expired, and one that was revoked" {
	token=$(make_token --user ann --workspace '*' --scope read --expires 1s)
	other=$(make_token --user bob --workspace '*' --scope read)
	agent-gateway-token --state state revoke "$(cut -c5-16 <<<"$other")" >/dev/null
	start_gateway
	AGENT_RUNTIME_TOKEN=$other run -4 doctor
	[ "$(result token)" = fail ]
	is_refused() { AGENT_RUNTIME_TOKEN=$token agent-doctor --json >found; [ $? = 4 ]; }
	await 20 is_refused
	[ "$(result token)" = fail ]
	run ! grep -F "$token" found
}

@test "few files" {
	(ulimit -n 1024; run -1 doctor --local; [ "$(result files)" = warn ])
}

@test "an operand, and an output that is full" {
	run -2 agent-doctor something
	run -8 bash -c 'agent-doctor --local >/dev/full'
}
