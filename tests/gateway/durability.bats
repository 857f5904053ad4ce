#!/usr/bin/env bats
# What was acknowledged is there: after kill -9, with a full disk, for two hundred readers.
load ../lib/common

setup() { common_setup; }
teardown() {
	common_teardown
	if [ -n "${mounted:-}" ]; then umount "$mounted"; fi
}

@test "a thousand acknowledged posts survive kill -9, in order, from eight connections" {
	start_gateway
	cat >post.py <<-'PY'
	import http.client, json, sys, threading
	host = sys.argv[1].split("//")[1]
	done = threading.Semaphore(0)
	lock = threading.Lock()
	def run(k):
	    c = http.client.HTTPConnection(host)
	    for i in range(250):
	        try:
	            c.request("POST", "/api/agents/runs/r%d/messages" % k, json.dumps({"message": "m%d" % i, "role": "system"}))
	            a = json.loads(c.getresponse().read())
	        except Exception:
	            return
	        with lock:
	            print(k, i, a["seq"], flush=True)
	threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
	[t.start() for t in threads]
	[t.join() for t in threads]
	PY
	start poster python3 post.py "$url"
	poster=$pid
	await 60 count_lines poster.out '' 1000
	kill -9 "$gateway_pid"
	await 20 gone "$poster"
	acknowledged=$(wc -l <poster.out)
	[ "$acknowledged" -ge 1000 ]
	start_gateway
	agent-events --all --jq '[.data.runId[1:], .data.message[1:], .seq] | map(tostring) | join(" ")' >stored
	sort poster.out >a
	sort stored >b
	[ -z "$(comm -23 a b)" ]
	[ "$(awk '{ print $3 }' stored | sort -n | tr '\n' ' ')" = "$(seq "$(wc -l <stored)" | tr '\n' ' ')" ]
}

@test "a full disk refuses with 503, keeps what it had, and takes more once there is room" {
	[ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
	mkdir small
	mount -t tmpfs -o size=600k tmpfs small 2>/dev/null || skip "this machine cannot mount a tmpfs"
	mounted=$BATS_TEST_TMPDIR/small
	start "gateway0" agent-gateway --listen 127.0.0.1:0 --state small
	gateway_pid=$pid gateway_log=$BATS_TEST_TMPDIR/gateway0
	await 20 gateway_listens
	url=$(jq -r .url gateway0.out)
	export AGENT_RUNTIME_URL=$url
	head -c 30000 /dev/zero | tr '\0' x >blob
	printf '{"kind":"agent.n","run_id":"r","data":{"b":"%s"}}' "$(cat blob)" >body
	good=0
	for _ in $(seq 60); do
		code=$(curl -sS -o answer -w '%{http_code}' --data-binary @body "$url/api/agents/events")
		[ "$code" = 200 ] || break
		good=$((good + 1))
	done
	[ "$code" = 503 ]
	grep -q 'unable to store: ' answer
	[ "$(agent-events r --jq .seq | wc -l)" = "$good" ]
	run -75 agent-emit --run r --kind agent.m --data @x || [ "$status" = 2 ]
	run -75 agent-emit --run r --kind agent.m --data "$(jq -c .data body)"
	mount -o remount,size=10m "$mounted"
	[ "$(curl -sS -o /dev/null -w '%{http_code}' --data-binary @body "$url/api/agents/events")" = 200 ]
	[ "$(agent-events r --jq .seq | wc -l)" = $((good + 1)) ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
}

@test "threads on a full disk: 503 with a time to come again, nothing half done, and on with room" {
	[ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
	mkdir small
	mount -t tmpfs -o size=700k tmpfs small 2>/dev/null || skip "this machine cannot mount a tmpfs"
	mounted=$BATS_TEST_TMPDIR/small
	AU_STORE= # the disk of a file
	AGENT_RUNTIME_PROVIDER=mock start_gateway --state small
	thread=$url/v1/agent/threads/$(curl -sS -H 'content-type: application/json' -d '{"workspaceSlug":"acme"}' "$url/v1/agent/threads" | jq -r .thread.threadId)
	jq -nc '{events:[{method:"n",payload:("x" * 30000)}]}' >batch
	good=0
	for _ in $(seq 60); do
		code=$(curl -sS -o answer -D head -w '%{http_code}' -H 'content-type: application/json' --data-binary @batch "$thread/events:batch")
		[ "$code" = 200 ] || break
		good=$((good + 1))
	done
	[ "$code" = 503 ]
	[ "$(jq -r .code answer)" = AGENT_STORE_UNAVAILABLE ]
	grep -qi '^retry-after: [1-9]' head
	[ "$(curl -sS "$thread/events?limit=500" | jq '[.events[]|select(.method=="n")]|length')" = "$good" ]
	jq -nc '{text:("y" * 60000)}' >turn
	[ "$(curl -sS -o answer -w '%{http_code}' -H 'content-type: application/json' --data-binary @turn "$thread/turns")" = 503 ]
	[ "$(curl -sS "$thread" | jq -r .thread.status)" = idle ]
	mount -o remount,size=10m "$mounted"
	[ "$(curl -sS -o answer -w '%{http_code}' -H 'content-type: application/json' --data-binary @turn "$thread/turns")" = 200 ]
	[ "$(jq -r .turn.status answer)" = completed ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
}

@test "two hundred readers, a third of them slow, get every event once and in order" {
	start_gateway
	cat >read.py <<-'PY'
	import json, select, socket, sys, time
	host, port = sys.argv[1].split("//")[1].split(":")
	readers = []
	for i in range(200):
	    s = socket.create_connection((host, int(port)))
	    if i % 3 == 0:
	        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
	    s.sendall(b"GET /api/agents/runs/r/events/stream?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	    s.setblocking(False)
	    readers.append({"s": s, "slow": i % 3 == 0, "raw": b"", "seqs": [], "rounds": 0})
	print("open", flush=True)
	want, deadline = 600, time.monotonic() + 60
	while any(len(r["seqs"]) < want for r in readers):
	    assert time.monotonic() < deadline, sorted(len(r["seqs"]) for r in readers)
	    ready, _, _ = select.select([r["s"] for r in readers if len(r["seqs"]) < want], [], [], 1)
	    for r in readers:
	        if r["s"] not in ready:
	            continue
	        r["rounds"] += 1
	        data = r["s"].recv(512 if r["slow"] else 65536)
	        assert data, "closed after %d" % len(r["seqs"])
	        r["raw"] += data
	        while b"\nid: " in r["raw"]:
	            head, rest = r["raw"].split(b"\nid: ", 1)
	            line, sep, rest = rest.partition(b"\n")
	            if not sep:
	                break
	            r["seqs"].append(int(line))
	            r["raw"] = rest
	for r in readers:
	    assert r["seqs"] == sorted(set(r["seqs"])) and len(r["seqs"]) == want
	print("all", flush=True)
	PY
	start readers python3 read.py "$url"
	await 20 has_line readers.out open
	for i in $(seq 600); do
		printf 'next\nurl = "%s/api/agents/events"\nsilent\noutput = /dev/null\ndata = "{\\"kind\\":\\"agent.n\\",\\"run_id\\":\\"r\\",\\"data\\":{\\"pad\\":\\"%0200d\\"}}"\n' "$url" "$i"
	done | sed 1d | curl -K -
	await 70 has_line readers.out all || { cat readers.err; return 1; }
}

@test "kill -9 of the gateway ends its handlers, and what they have started" {
	cat >stay <<-'S'
	#!/bin/sh
	trap '' TERM
	tail -f /dev/null &
	echo "$$ $!" >started
	wait
	S
	chmod +x stay
	mkdir agents
	jq '.metadata.serviceId = "svc_stay" | .metadata.agent.agentId = "stay" | .spec.origin.command = ["../stay"]' "$AU_SRC/bin/gateway/builtin/shell.json" >agents/stay.json
	start_gateway --agents agents
	agent-run-create --agent stay --run r | agent-send hello >/dev/null
	await 10 test -s started
	read -r handler child <started
	kill -0 "$handler" "$child"
	kill -9 "$gateway_pid"
	await 10 gone "$handler"
	await 10 gone "$child"
}
