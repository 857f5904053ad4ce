#!/usr/bin/env bats
# The witness of these tests sees what must not be: each fault of a log, of a stream, of a turn and of a process that it is asked about is found.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/compass
load ../lib/faulty

setup() {
	faulty_setup
	: >record
}
teardown() {
	common_teardown
	nobody_is_left
}

# say RUN NUMBER...: messages as those of witness post; the number of the last one in the log is $seq
say() {
	local run=$1 i
	shift
	for i in "$@"; do
		seq=$(curl -sS -f -H 'Content-Type: application/json' -d "{\"message\":\"m$i\",\"role\":\"system\"}" "$url/api/agents/runs/$run/messages" | jq .seq)
	done
}
# finds WHAT: the check fails, and says so
finds() {
	run ! holds
	[[ $output == *"witness: $1"* ]] || { echo "not found: $1: $output" >&2; return 1; }
}

@test "what was acknowledged and is not there, what is there twice, and what is out of order" {
	faulty_gateway
	say run0 0 1
	echo "run0 1 $seq 0" >record
	holds
	echo "run0 1 $((seq + 1)) 0" >record # another number
	finds "acknowledged and lost: run0 1 $((seq + 1)) 0"
	echo "run0 2 $seq 0" >record # another message
	finds "acknowledged and lost: run0 2"
	echo "run9 1 $seq 0" >record # another run
	finds "acknowledged and lost: run9 1"
	echo "run0 7 $seq 500" >record # what was acknowledged after the moment that counts
	holds --at 499
	: >record
	say run1 0 0
	finds "run1: twice: [0, 0]"
	say run2 1 0
	finds "run2: out of order: [1, 0]"
	stopped
}

@test "a log whose numbers do not go up, and a stream that says something else than the list" {
	cat >liar.py <<-'PY'
	import http.server, sys
	page, stream = sys.argv[1:3]
	class Liar(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        if self.path.startswith("/api/agents/events"):
	            items = ",".join('{"seq":%s,"kind":"agent.n","data":{}}' % n for n in page.split())
	            body, kind = '{"items":[%s],"more":false,"after":9}' % items, "application/json"
	        else:
	            body, kind = "".join("id: %s\ndata: {}\n\n" % n for n in stream.split()), "text/event-stream"
	        self.send_response(200)
	        self.send_header("Content-Type", kind)
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body.encode())
	    def log_message(self, *args): pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Liar)
	print("http://127.0.0.1:%d" % server.server_port, flush=True)
	server.serve_forever()
	PY
	lies() { # PAGE STREAM
		start liar python3 liar.py "$1" "$2"
		await 20 has_line liar.out http
		cp liar.out address
	}
	lies '1 2 3' '1 2 3'
	holds
	lies '1 3 2' '1 3 2'
	finds 'the numbers do not go up'
	lies '1 2 2' '1 2 2'
	finds 'the numbers do not go up'
	lies '1 2 3' '1 3'
	finds 'the stream says something else'
	lies '1 2 3' '1 2 2'
	finds 'the stream says something else'
}

@test "a turn without an end, and one that nobody has heard of" {
	printf '%s\n' '{"on":"turn","contains":"hang"}' '{"hang":true}' '{"on":"turn"}' '{"say":"done"}' >script
	faulty_gateway --runtime "$mock --script $PWD/script"
	new_thread
	ask POST "$path/turns" '{"text":"well"}'
	turn=$(jq -r .turn.turnId body)
	echo "$thread $turn turn 0" >record
	holds
	turn hang
	echo "$thread $turn turn 0" >>record
	see '.method=="turn.started" and .turnId=="'"$turn"'"'
	finds "$thread: turn $turn is ['turn.started'"
	[[ $output == *"turn $turn is still in progress"* ]]
	echo "$thread 00000000-0000-4000-8000-000000000000 turn 0" >record
	run ! holds
	stopped
}

@test "a process that is left, and descriptors, threads, children and memory that are not given back" {
	run -0 "$faults/witness" orphans "$mark"
	mkfifo never
	exec 9<>never
	AU_WITNESS=$mark cat <never >/dev/null 3>&- 9>&- &
	left=$!
	started+=("$left")
	found() { ! "$faults/witness" orphans "$mark" >found; }
	await 10 found
	[ "$(cut -d ' ' -f 1 found)" = "$left" ]
	kill "$left"
	exec 9>&-
	await 10 gone "$left"
	faulty_gateway
	measure before
	given_back before
	start reader curl -sSN "$url/api/events"
	more_than_before() { ! given_back before >said 2>&1; }
	await 10 more_than_before
	grep -q '^witness: fds: ' said
	kill "$pid"
	await 20 given_back before
	for what in fds threads children; do
		jq -c ".$what -= 1" before >less
		run ! given_back less
		[[ $output == *"witness: $what: "* ]]
	done
	unset ASAN_OPTIONS # what a sanitizer keeps is not looked at
	jq -c '.rss = 0' before >less
	run ! given_back less --rss 100
	[[ $output == *"witness: memory: "* ]]
	given_back less --rss 10000000
	stopped
}
