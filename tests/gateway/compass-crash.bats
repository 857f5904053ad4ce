#!/usr/bin/env bats
# SIGKILL of the runtime and of the gateway at every step of a turn: nothing stays in progress, the turn ends as error, events once and in order.
load ../lib/common
load ../lib/compass

setup() {
	compass_setup
	# what a turn does, one step after the other; the mock stops at each of them in its turn
	steps=('{"answer":true}' '{"think":"hmm"}' '{"command":"ls","output":"a b"}' '{"delta":"one "}' '{"command":"rm x","ask":true}' '{"delta":"two "}'
		'{"question":"Which?","options":["red","blue"]}' '{"patch":[{"path":"a","kind":{"type":"add"},"diff":"x"}],"ask":true}' '{"retry":"busy"}'
		'{"say":"three"}')
	whole=$'one \n\ntwo \n\nthree'
}
teardown() { common_teardown; }

# script_until N: a script that stops before step N of the first turn, says so in the file "here", and plays the whole turn once that is there
script_until() {
	printf '%s\n' "{\"on\":\"turn\",\"manual\":true,\"unless\":\"$PWD/here\"}" "${steps[@]:0:$1}" "{\"touch\":\"$PWD/here\"}" '{"hang":true}' \
		'{"on":"turn","manual":true}' "${steps[@]}"
}
# script_at METHOD: one that stops before it answers the first request of this method
script_at() {
	printf '%s\n' "{\"on\":\"$1\",\"unless\":\"$PWD/here\"}" "{\"touch\":\"$PWD/here\"}" '{"hang":true}' '{"on":"turn","manual":true}' "${steps[@]}"
}

begin() { # a turn in a new thread, which goes on by itself, until the runtime stops
	rm -f here
	start_gateway --runtime "$mock --script $PWD/script"
	new_thread '"approvals":{"rules":[{"decision":"accept"}]}'
	turn first
	first=$turn
	await 30 test -e here
	before=$(events | jq -c .)
}

# Everything that is true of a thread whose first turn was killed: CODE is why
is_closed() {
	ask GET "$path/turns/$first"
	is '[.turn.status,.turn.output,.turn.error.code,(.turn.completedAt|type),.outputText]' "[\"error\",null,\"$1\",\"string\",null]"
	status_is error
	events >all
	# what was there is there, in its place; the turn began once, ended once, and nothing of it comes later
	[ "$(head -n "$(wc -l <<<"$before")" all)" = "$before" ]
	[ "$(jq -r .cursor all)" = "$(jq -r .cursor all | sort -nu)" ]
	[ "$(jq -rs --arg t "$first" '[.[]|select(.turnId==$t)|.method]|[first,last]|join(" ")' all)" = 'turn.started turn.completed' ]
	[ "$(jq -r --arg t "$first" 'select(.turnId==$t)|.method' all | grep -c '^turn\.')" = 2 ]
	jq -c 'select(.method=="turn.completed").payload|[.status,.output,.error.code]' all | grep -qxF "[\"error\",null,\"$1\"]"
	[[ $whole == "$(jq -rj 'select(.method=="item.delta").payload.text' all)"* ]]
	# who was asked is asked no more
	[ "$(jq -r 'select(.method=="approval.requested").payload.approvalId' all | sort)" = "$(jq -r 'select(.method=="approval.resolved").payload.approvalId' all | sort)" ]
	ask GET "$path/approvals"
	[ "$body" = '{"approvals":[]}' ]
	ask POST "$path/turns/$first/interrupt"
	refused 409 AGENT_TURN_INTERRUPT_CONFLICT
}

# The thread goes on, with a turn of its own
goes_on() {
	again() { ask POST "$path/turns" '{"text":"second"}' && [ "$(jq -r .turn.status body)" = completed ]; }
	await 30 again
	[ "$(jq -r .outputText body)" = "$whole" ]
	status_is completed
}

runtime_dies() {
	local child
	child=$(pgrep -P "$gateway_pid")
	kill -9 $child
	await 30 ended
}
ended() { curl -sS "$url$path/turns/$first" | jq -e '.turn.status!="inProgress"' >/dev/null; }

gateway_dies() {
	local child
	child=$(pgrep -P "$gateway_pid")
	kill -9 "$gateway_pid"
	await 20 gone "$gateway_pid"
	for pid in $child; do await 20 gone "$pid"; done # it leaves no runtime behind
	start_gateway --runtime "$mock --script $PWD/script"
}

stop_here() { # is over; the next one begins anew
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
}

@test "the runtime is killed at every step of a turn" {
	for n in "${!steps[@]}" "${#steps[@]}"; do
		echo "before step $n" >&2
		script_until "$n" >script
		begin
		runtime_dies
		is_closed AGENT_RUNTIME_UNAVAILABLE
		goes_on
		stop_here
	done
}

@test "the gateway is killed at every step of a turn" {
	for n in "${!steps[@]}" "${#steps[@]}"; do
		echo "before step $n" >&2
		script_until "$n" >script
		begin
		gateway_dies
		is_closed AGENT_GATEWAY_RESTARTED
		goes_on
		stop_here
	done
}

@test "both, before the turn has reached the runtime" {
	for method in initialize thread/start; do
		echo "$method" >&2
		script_at "$method" >script
		begin
		runtime_dies
		is_closed AGENT_RUNTIME_UNAVAILABLE
		goes_on
		stop_here
		script_at "$method" >script
		begin
		gateway_dies
		is_closed AGENT_GATEWAY_RESTARTED
		goes_on
		stop_here
	done
}

@test "both, while a person is asked" {
	script_until 5 >script
	for who in runtime gateway; do
		rm -f here
		start_gateway --runtime "$mock --script $PWD/script"
		new_thread
		turn first
		first=$turn
		see '.method=="approval.requested"'
		before=$(events | jq -c .)
		if [ "$who" = runtime ]; then
			runtime_dies
			is_closed AGENT_RUNTIME_UNAVAILABLE
		else
			gateway_dies
			is_closed AGENT_GATEWAY_RESTARTED
		fi
		[ "$(jq -c 'select(.method=="approval.resolved").payload|[.status,.decision,.resolution]' all)" = '["resolved",null,"withdrawn"]' ]
		stop_here
	done
}

@test "a turn that has ended stays as it ended, whoever is killed then" {
	printf '%s\n' '{"on":"turn"}' '{"say":"done"}' >script
	start_gateway --runtime "$mock --script $PWD/script"
	new_thread
	for _ in $(seq 5); do
		ask POST "$path/turns" '{"text":"x"}'
		is '[.turn.status,.outputText]' '["completed","done"]'
		turn=$(jq -r .turn.turnId body)
		kill -9 "$gateway_pid"
		await 20 gone "$gateway_pid"
		start_gateway --runtime "$mock --script $PWD/script"
		ask GET "$path/turns/$turn"
		is '[.turn.status,.outputText]' '["completed","done"]'
		status_is completed
	done
	[ "$(events | grep -c '"turn.completed"')" = 5 ]
}

@test "the gateway is killed in the middle of a stream, again and again: what was seen is there, once and in order" {
	printf '%s\n' '{"on":"turn"}' '{"repeat":100000,"steps":[{"delta":"${i} "}]}' '{"hang":true}' >script
	whole=$(printf '%s ' $(seq 0 99999))
	start_gateway --runtime "$mock --script $PWD/script"
	new_thread
	for round in $(seq 8); do
		start "reader$round" python3 "$AU_SRC/tests/fake/ws-read" "$url$path/stream?cursor=${last:-0}"
		reader=$pid
		turn x
		first=$turn
		await 30 count_lines "reader$round.out" item.delta "$round"
		kill -9 "$gateway_pid"
		await 20 gone "$gateway_pid"
		await 20 gone "$reader"
		start_gateway --runtime "$mock --script $PWD/script"
		ask GET "$path/turns/$first"
		is '[.turn.status,.turn.error.code]' '["error","AGENT_GATEWAY_RESTARTED"]'
		events "${last:-0}" >all
		# what the reader had is what is stored; a line that was cut off with the connection was never had
		grep '}$' "reader$round.out" | jq -c '[.cursor,.method,.payload]' >seen
		jq -c '[.cursor,.method,.payload]' all | head -n "$(wc -l <seen)" | cmp seen -
		last=$(tail -n 1 all | jq .cursor)
		[[ $whole == "$(jq -rj 'select(.method=="item.delta").payload.text' all)"* ]]
		[ "$(tail -n 1 all | jq -r .method)" = turn.completed ]
	done
	[ "$(events | grep -c '"turn.started"')" = 8 ]
	[ "$(events | grep -c '"turn.completed"')" = 8 ]
}
