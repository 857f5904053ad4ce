#!/usr/bin/env bats
# The network fails: connections that are half open, reset, stuck, cut, slow and out of order; ten thousand of them, and storms of events.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/compass
load ../lib/faulty

setup() { faulty_setup; }
teardown() {
	common_teardown
	if [ -n "${space:-}" ]; then ip netns del "$space"; ip link del "$veth" 2>/dev/null || :; fi
	nobody_is_left
}
# watched NAME: every event of the log is in NAME.out, once and in order; for await
watched() { "$AU_BUILD/bin/agent-events" --all --jq .seq >all 2>/dev/null && jq .seq "$1.out" 2>/dev/null | cmp -s - all; }

@test "resets at every moment of a request and of a stream leave nothing behind" {
	faulty_gateway
	posting --runs 2
	more 5
	measure before
	python3 - "${url##*:}" "$(times 400 20000)" <<-'PY'
	import random, socket, struct, sys
	port, n, chance = int(sys.argv[1]), int(sys.argv[2]), random.Random(1)
	body = b'{"message":"x","role":"system"}'
	asked = [
	    b"GET /api/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    b"POST /api/agents/runs/z/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
	    b"GET /api/agents/events?limit=2000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
	    b"GET /v1/agent/runtime/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	]
	for i in range(n):
	    s = socket.create_connection(("127.0.0.1", port), 30)
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	    text = asked[i % len(asked)]
	    s.sendall(text[: chance.randint(0, len(text))] if i % 3 else text)
	    if i % 5 == 0:
	        s.settimeout(0.05)
	        try:
	            s.recv(chance.randint(1, 5000))
	        except OSError:
	            pass
	    s.close()  # a reset
	PY
	more 20
	posted
	calm() { given_back before --rss 16384; }
	await 40 calm
	holds
	stopped
}

@test "readers that are stuck are cut off, hold nobody up, and bound what the gateway keeps for them" {
	faulty_gateway --ping 500ms
	measure before
	cat >stuck.py <<-'PY'
	import socket, sys
	port, held = int(sys.argv[1]), []
	for i in range(200):
	    s = socket.socket()
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
	    s.connect(("127.0.0.1", port))
	    s.sendall(b"GET /api/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	    held.append(s)
	print("there", flush=True)
	sys.stdin.read()
	PY
	mkfifo hold
	python3 stuck.py "${url##*:}" <hold >stuck.out &
	stuck=$!
	exec 8>hold
	await 30 has_line stuck.out there
	posting --runs 8 --size 20000
	more "$(times 400 8000)" 120
	posted
	# 200 readers, none of which has taken more than the sockets hold; what waits for each is bounded, 1 MiB at most, and the log is larger
	[ "$(awk '/VmHWM/ { print $2 }' "/proc/$gateway_pid/status")" -lt 400000 ]
	holds
	cut() { [ "$(ls "/proc/$gateway_pid/fd" | wc -l)" -le "$(($(jq .fds before) + 3))" ]; }
	await 60 cut # no progress for 30 seconds
	exec 8>&-
	wait "$stuck"
	calm() { given_back before --rss 65536; }
	await 20 calm
	stopped
}

@test "a proxy that cuts and delays: everything once and in order, at both sides" {
	faulty_gateway
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" --cut 9000 --delay 5
	await 20 has_line proxy.out http
	direct=$url
	cp proxy.out address # the posts go through it too: what was lost on the way is asked for again, with its key
	start watch env AGENT_RUNTIME_URL="$(cat proxy.out)" agent-watch --all
	watcher=$pid
	posting --runs 4
	more "$(times 150 3000)" 120
	posted
	echo "$direct" >address
	await "$(times 60 300)" watched watch || { diff <(jq .seq watch.out) all | head; cat watch.err; return 1; }
	holds
	kill "$watcher"
	stopped
}

# A TCP connection keeps its order whatever the network does, so what may come in another order is what goes over different ones: a request that was asked
# again comes before the first, what was asked later before what was asked earlier, an answer after a later one's.
@test "connections that overtake each other: what is asked again with its key is done once, whichever comes first" {
	faulty_gateway
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "$url" --overtake 60 --delay 60
	await 20 has_line proxy.out http
	new_thread_id() { curl -sS -H 'Content-Type: application/json' -d '{"workspaceSlug":"faults"}' "$url/v1/agent/threads" | jq -r .thread.threadId; }
	cat >impatient.py <<-'PY'
	import http.client, json, sys, threading
	host, record, n, threads = sys.argv[1].split("//")[1].strip("/"), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
	lock, wrong, again = threading.Lock(), [], [0]
	def late(connection, answers):
	    try:
	        answer = connection.getresponse()
	        answers.append((answer.status, json.loads(answer.read())))
	    except Exception as e:
	        answers.append((0, str(e)))
	def ask(path, body, key):
	    """Asked again, on another connection, when it is not answered at once; nothing is given up. The answers that come, in their time."""
	    answers, asked = [], []
	    while not answers and len(asked) < 100:
	        connection = http.client.HTTPConnection(host, timeout=60)
	        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})})
	        asked.append(threading.Thread(target=late, args=(connection, answers)))
	        asked[-1].start()
	        asked[-1].join(0.03)
	    with lock:
	        again[0] += len(asked) - 1
	    return answers, asked
	def wrote(line):
	    with lock, open(record, "a") as out:
	        out.write(line + "\n")
	def messages(k):
	    every = []
	    for i in range(n):
	        every.append(ask("/api/agents/runs/run%d/messages" % k, {"message": "m%d" % i, "role": "system"}, "k%d-%d" % (k, i)))
	        status, answer = every[-1][0][0]
	        if status != 200:
	            wrong.append((status, answer))
	            return
	        wrote("run%d %d %d 0" % (k, i, answer["seq"]))
	    for answers, asked in every:
	        [t.join() for t in asked]
	        if len({(status, answer["seq"] if status == 200 else answer) for status, answer in answers}) != 1:
	            wrong.append(answers)
	def turns(thread):
	    every, i = [], 0
	    while i < n:
	        answers, asked = ask("/v1/agent/threads/%s/turns?wait=false" % thread, {"text": "t%d" % i, "clientRequestId": "r%d" % i}, None)
	        [t.join() for t in asked] if answers[0][0] == 409 else None
	        good = [a["turn"]["turnId"] for s, a in list(answers) if s in (200, 202)]
	        if not good and any(s != 409 for s, a in answers):
	            wrong.append(answers)
	            return
	        every.append((i, answers, asked))
	        if good:
	            wrote("%s %s turn 0" % (thread, good[0]))
	            i += 1
	    ids = {}
	    for i, answers, asked in every:
	        [t.join() for t in asked]
	        ids.setdefault(i, set()).update(a["turn"]["turnId"] for s, a in answers if s in (200, 202))
	    wrong.extend(x for x in ids.items() if len(x[1]) != 1)
	all = [threading.Thread(target=messages, args=(k,)) for k in range(4)] + [threading.Thread(target=turns, args=(t,)) for t in threads]
	[t.start() for t in all]
	[t.join() for t in all]
	print(again[0], "asked again", wrong)
	sys.exit(1 if wrong or not again[0] else 0)
	PY
	touch record
	python3 impatient.py "$(cat proxy.out)" record "$(times 15 300)" "$(new_thread_id)" "$(new_thread_id)"
	calm() { "$faults/witness" check address record >said 2>&1; }
	await 60 calm || { cat said >&2; return 1; }
	stopped
}

# A network of its own for the client: sets $space and $there, the gateway's address as seen from inside
with_network() {
	[ "$(id -u)" = 0 ] || skip "a network of its own needs root"
	command -v tc >/dev/null || skip "tc is not here (Debian: iproute2)"
	veth=auv$((BATS_ROOT_PID % 10000))$BATS_TEST_NUMBER
	ip netns add "$veth" 2>/dev/null || skip "this machine makes no network namespaces"
	space=$veth
	ip netns exec "$space" true 2>/dev/null || skip "nothing can be run in a network namespace here (a chroot, whose root is no mount?)"
	net=10.$((BATS_ROOT_PID % 200 + 20)).$BATS_TEST_NUMBER
	ip link add "$veth" type veth peer name inside netns "$space" 2>/dev/null || skip "this machine has no veth"
	ip addr add "$net.1/24" dev "$veth"
	ip link set "$veth" up
	ip -n "$space" addr add "$net.2/24" dev inside
	ip -n "$space" link set inside up
	ip -n "$space" link set lo up
	printf 'agt_faults_%032d\n' 7 >token
	chmod 600 token
	AGENT_RUNTIME_TOKEN=$(cat token)
	export AGENT_RUNTIME_TOKEN
	faulty_gateway --listen "$net.1:0" --token-file token --ping 500ms --allow-host "$net.1"
	there=$(jq -r .url "$gateway_log.out" | grep "$net.1")
}
inside() { ip netns exec "$space" "$@"; }

@test "a network that delays, loses, repeats and reorders, and goes away: everything once and in order" {
	with_network
	bad=(netem delay 15ms 10ms loss 3% duplicate 2% reorder 25% 50%)
	if tc qdisc add dev "$veth" root "${bad[@]}" 2>/dev/null; then
		inside tc qdisc add dev inside root "${bad[@]}"
	else
		echo "# this machine has no netem: the network only goes away" >&3
	fi
	start watch ip netns exec "$space" env AGENT_RUNTIME_URL="$there" agent-watch --all
	watcher=$pid
	for i in $(seq "$(times 8 60)"); do
		inside env AGENT_RUNTIME_URL="$there" agent-emit --run r --kind agent.n --data "{\"i\":$i}" >/dev/null
		if ((i % 4 == 2)); then
			ip link set "$veth" down
			agent-emit --run r --kind agent.n --data "{\"while\":\"away\"}" >/dev/null
			ip link set "$veth" up
		fi
	done
	await 90 watched watch || { diff <(jq .seq watch.out) all | head; cat watch.err; return 1; }
	[ "$(wc -l <all)" -ge 10 ]
	kill "$watcher"
	stopped
}

@test "connections whose other side is gone without a word are given back" {
	with_network
	measure before
	cat >subscribe.py <<-'PY'
	import os, socket, sys
	host, port = sys.argv[1].split("//")[1].split(":")
	upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	kinds, held = [("/api/events?after=0", "", b" 200 "), ("/api/agents/runs/r/events/stream?after=0", "", b" 200 "), ("/v1/agent/runtime/stream", upgrade, b" 101 ")], []
	for i in range(100):
	    path, more, status = kinds[i % 3]
	    s = socket.create_connection((host, int(port)))
	    s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n" % (path, host, os.environ["AGENT_RUNTIME_TOKEN"], more)).encode())
	    assert status in s.recv(4096).split(b"\r\n")[0] + b" ", (path, s)
	    held.append(s)
	print("there", flush=True)
	sys.stdin.read()
	PY
	mkfifo hold
	inside python3 subscribe.py "$there" <hold >subscribe.out &
	subscriber=$!
	exec 8>hold
	await 30 has_line subscribe.out there
	ip link set "$veth" down # no FIN, no RST: nothing comes any more
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/healthz")" = 200 ]
	calm() { given_back before --rss 8192; }
	await 90 calm
	exec 8>&-
	wait "$subscriber"
	stopped
}

@test "thousands of streams: each gets the event, they cost little, and all of it is given back" {
	files=$(times 3300 10300)
	ulimit -n "$files" 2>/dev/null || skip "this account may not open $files files"
	n=$((files - 300))
	faulty_gateway --max-connections 20000 --ping 60s
	measure before
	cat >many.py <<-'PY'
	import json, os, resource, select, socket, sys, time
	port, n = int(sys.argv[1]), int(sys.argv[2])
	run, poll, streams, end = sys.argv[3].encode(), select.epoll(), {}, time.monotonic() + 200
	for i in range(n):
	    s = socket.socket()
	    s.bind(("127.0.%d.1" % (i // 10000 + 1), 0))
	    s.connect(("127.0.0.1", port))
	    s.sendall(b"GET /api/agents/runs/%s/events/stream?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n" % run)
	    streams[s.fileno()] = [s, b""]
	    poll.register(s, select.EPOLLIN)
	def until(word):
	    waiting = {fd for fd, (s, text) in streams.items() if word not in text}
	    while waiting:
	        assert time.monotonic() < end, len(waiting)
	        for fd, _ in poll.poll(1):
	            data = streams[fd][0].recv(65536)
	            assert data
	            streams[fd][1] += data
	            if word in streams[fd][1]:
	                waiting.discard(fd)
	until(b": live")
	print("live", flush=True)
	until(b'"the one"')
	for s, text in streams.values():
	    assert text.count(b'"the one"') == 1
	print("all", flush=True)
	sys.stdin.readline()
	for s, _ in streams.values():
	    s.close()
	print("gone", flush=True)
	PY
	crowd first
	# what libevent keeps for each descriptor there has been, and little more
	calm() { given_back before --rss 4096; }
	await 60 calm
	# and a second crowd adds nothing to it
	crowd second
	"$faults/witness" given-back during.first during.second --rss 4096
	await 60 calm
	stopped
}
crowd() {
	mkfifo "hold.$1"
	python3 many.py "${url##*:}" "$n" "$1" <"hold.$1" >"many.$1" 2>many.err &
	many=$!
	exec 8>"hold.$1"
	await 200 has_line "many.$1" live || { cat many.err; return 1; }
	measure "during.$1"
	each=$(jq -s "(.[1].rss - .[0].rss) * 1024 / $n | floor" before "during.$1")
	echo "# $n streams, $each bytes each" >&3
	[ "$(jq .fds "during.$1")" -ge "$n" ]
	nm "$AU_BUILD/bin/agent-gateway" 2>/dev/null | grep -qE '__(asan|tsan)' || [ "$each" -lt 6144 ]
	curl -sS -o /dev/null -H 'Content-Type: application/json' -d "{\"kind\":\"agent.n\",\"run_id\":\"$1\",\"message\":\"the one\"}" "$url/api/agents/events"
	await 200 has_line "many.$1" all || { cat many.err; return 1; }
	echo >&8
	exec 8>&-
	wait "$many"
	[ "$(awk '/^all/ { n++ } /^gone/ { n++ } END { print n }' "many.$1")" = 2 ]
}

@test "a storm of events with readers that come and go: all is there, in bounded memory" {
	faulty_gateway --rate 0
	measure before
	posting --runs 32 --size 1000
	for i in $(seq 20); do
		start "watch$i" curl -sSN "$url/api/events?after=0"
		watch=$pid
		if ((i % 2)); then kill -9 "$watch"; else watches+=("$watch"); fi
	done
	cat >storm.py <<-'PY'
	import http.client, json, sys, threading
	host, n = sys.argv[1].split("//")[1], int(sys.argv[2])
	def run(k):
	    c = http.client.HTTPConnection(host)
	    for i in range(n):
	        c.request("POST", "/api/agents/events", json.dumps({"kind": "agent.storm", "run_id": "s%d" % k, "data": {"i": i}}))
	        a = c.getresponse()
	        a.read()
	        assert a.status == 200, a.status
	threads = [threading.Thread(target=run, args=(k,)) for k in range(16)]
	[t.start() for t in threads]
	[t.join() for t in threads]
	PY
	python3 storm.py "$url" "$(times 300 20000)"
	posted
	holds
	kill "${watches[@]}"
	calm() { given_back before --rss 32768; }
	await 40 calm
	for k in 0 15; do [ "$(agent-events "s$k" --jq .data.i | cksum)" = "$(seq 0 $(($(times 300 20000) - 1)) | cksum)" ]; done
	nm "$AU_BUILD/bin/agent-gateway" 2>/dev/null | grep -qE '__(asan|tsan)' || [ "$(awk '/VmHWM/ { print $2 }' "/proc/$gateway_pid/status")" -lt 150000 ]
	stopped
}

@test "a storm of pieces from a runtime: the whole of each text is there, once and in order, in bounded memory" {
	n=$(times 20000 100000)
	printf '%s\n' '{"on":"turn","contains":"storm"}' "{\"repeat\":$n,\"steps\":[{\"delta\":\"\${i} and some more words \"}]}" '{"on":"turn"}' '{"say":"calm"}' >script
	faulty_gateway --runtime "$mock --script $PWD/script"
	new_thread
	ask POST "$path/turns" '{"text":"calm"}'
	measure before
	for k in 1 2 3 4; do
		new_thread
		threads[k]=$path
		turn storm
		turns[k]=$turn
	done
	ended() { curl -sS "$url$path/turns/$turn" | jq -e '.turn.status == "completed"' >/dev/null; }
	for k in 1 2 3 4; do
		path=${threads[k]} turn=${turns[k]}
		await "$(times 60 600)" ended
		ask GET "$path/turns/$turn"
		jq -rj .outputText body >text
		events | jq -rj 'select(.method == "item.delta").payload.text' | cmp - text
		[ "$(grep -o '[0-9]* and' text | cksum)" = "$(seq 0 $((n - 1)) | sed 's/$/ and/' | cksum)" ]
	done
	nm "$AU_BUILD/bin/agent-gateway" 2>/dev/null | grep -qE '__(asan|tsan)' || [ "$(awk '/VmHWM/ { print $2 }' "/proc/$gateway_pid/status")" -lt 150000 ]
	await 20 given_back before --rss 32768
	stopped
}
