#!/usr/bin/env bats
# Starting, being ready, being asked to stop; configuration that is wrong.
load ../lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "once ready it writes one record for each address, and then nothing" {
	start_gateway --listen "unix:$BATS_TEST_TMPDIR/s"
	[ "$(wc -l <"$gateway_log.out")" = 2 ]
	jq -e '.event == "listening" and (.url | test("^(http|unix)"))' "$gateway_log.out"
	agent-registry >/dev/null
	[ "$(wc -l <"$gateway_log.out")" = 2 ]
	[ "$(stat -c %a s)" = 600 ]
	kill "$gateway_pid"
	wait "$gateway_pid"
	[ ! -e s ]
}

@test "readiness is told on a descriptor and to NOTIFY_SOCKET" {
	python3 - <<-'PY'
	import os, socket, subprocess, sys
	n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	n.bind("notify")
	n.settimeout(20)
	r, w = os.pipe()
	os.set_inheritable(w, True)
	p = subprocess.Popen(["agent-gateway", "--listen", "127.0.0.1:0", "--state", "st", "--ready-fd", str(w)], close_fds=False,
	    env=dict(os.environ, NOTIFY_SOCKET=os.path.abspath("notify")), stdout=subprocess.DEVNULL)
	os.close(w)
	assert os.read(r, 10) == b"\n"
	assert n.recv(100) == b"READY=1"
	p.terminate()
	assert n.recv(100) == b"STOPPING=1"
	assert p.wait(20) == 0
	PY
}

@test "a socket that was handed over is used" {
	python3 - <<-'PY'
	import os, socket, subprocess, urllib.request
	s = socket.create_server(("127.0.0.1", 0))
	port = s.getsockname()[1]
	def hand_over():
	    os.dup2(s.fileno(), 3)
	    os.set_inheritable(3, True)
	p = subprocess.Popen(["sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec agent-gateway --state st"], preexec_fn=hand_over, close_fds=False, stdout=subprocess.PIPE)
	assert str(port) in p.stdout.readline().decode()
	assert urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=10).status == 200
	p.terminate()
	assert p.wait(20) == 0
	PY
}

@test "a request in progress is finished when it is asked to stop" {
	mkdir agents
	jq '.spec.origin.command = ["sh", "-c", "read -r _; read -r _ <'"$PWD"'/gate; echo {\\\"reply\\\":\\\"done\\\"}"]' "$AU_SRC/bin/gateway/builtin/shell.json" >agents/a.json
	mkfifo gate
	exec 7<>gate
	start_gateway --agents agents
	agent-run-create --agent shell --run r | agent-send x >/dev/null
	begun() { agent-events r | grep -q tool_called; }
	await 10 begun
	kill "$gateway_pid"
	echo >&7
	await 20 gone "$gateway_pid"
	exec 7>&-
	start_gateway
	agent-events r | grep -q '"message":"done"'
}

@test "a port in use, a bad address, a state that cannot be used: status 9, what, where and why" {
	start_gateway
	run -9 --separate-stderr agent-gateway --listen "127.0.0.1:${url##*:}" --state s2
	[[ $stderr == *"unable to listen on '127.0.0.1:${url##*:}': Address already in use"* ]]
	run -9 --separate-stderr agent-gateway --listen nonsense --state s2
	[[ $stderr == *"expected HOST:PORT, unix:/path or fd:N"* ]]
	run -9 --separate-stderr agent-gateway --listen 127.0.0.1:0 --state "$BATS_TEST_TMPDIR/state" "${store[@]}"
	[[ $stderr == *"another gateway uses it (process $gateway_pid)"* ]]
	: >file
	run -9 --separate-stderr agent-gateway --listen 127.0.0.1:0 --state "$PWD/file"
	[[ $stderr == *"/file"*"ot a directory"* || $stderr == *"it is no directory"* ]]
	run -9 --separate-stderr agent-gateway --listen 127.0.0.1:0 --state /proc/nope
	[[ $stderr == *"/proc/nope"* ]]
	run -9 --separate-stderr agent-gateway --agents /no/such --state s2
	[[ $stderr == *"unable to read the agents in '/no/such'"* ]]
}

@test "a state of a newer version is refused and left alone" {
	AU_STORE='' # of files; gateway/postgresql.bats has the other one
	start_gateway
	agent-emit --run r --kind agent.x >/dev/null
	kill "$gateway_pid"
	wait "$gateway_pid"
	python3 -c 'import sqlite3; c = sqlite3.connect("state/agentutils.db"); c.execute("PRAGMA user_version=99"); c.commit()'
	run -9 --separate-stderr agent-gateway --listen 127.0.0.1:0 --state state
	[[ $stderr == *"a newer version wrote it (schema 99, this one knows "[0-9]")"* ]]
	run -9 agent-gateway --check --state state
	echo garbage >bad.db
	run --separate-stderr agent-gateway --listen 127.0.0.1:0 --store "sqlite:$PWD/bad.db"
	[ "$status" = 9 ] || [ "$status" = 8 ]
	[[ $stderr == *"bad.db"* ]]
}

@test "wrong manifests are named and left out; --check refuses them" {
	mkdir agents
	cp "$AU_SRC/bin/gateway/builtin/echo.json" agents/a.json
	cp agents/a.json agents/b.json
	echo '{' >agents/c.json
	run -9 --separate-stderr agent-gateway --check --agents agents --state s
	[[ $stderr == *"'agents/b.json': 'agents/a.json' has the serviceId 'svc_echo' already"* && $stderr == *"'agents/c.json': invalid manifest: not JSON"* ]]
	[ ! -e s ]
	start_gateway --agents agents
	[ "$(agent-registry --jq .serviceId)" = svc_echo ]
	grep -q "agents/c.json" "$gateway_log.err"
	run -0 agent-gateway --check --state s
}
