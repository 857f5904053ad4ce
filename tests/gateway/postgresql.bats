#!/usr/bin/env bats
# Several gateways on one PostgreSQL: one log, one order; work that stays where it is begun, and is taken over when its gateway is gone.
load ../lib/common
load ../lib/compass
load ../lib/postgresql

setup_file() {
	export why=
	if postgresql_available; then
		pg_database=postgres
		postgresql_start
		export pg_dir
	else
		export why
	fi
}
teardown_file() {
	[ -z "${pg_dir:-}" ] || postgresql_end
	contract_holds
}
setup() {
	[ -z "$why" ] || skip "$why"
	compass_setup
	unset AU_STORE
	postgresql_database "t$BATS_TEST_NUMBER"
}
teardown() {
	[ -n "$why" ] || common_teardown
	[ -z "${mounted-}" ] || umount -l "$mounted"
}

# gateway NAME [options]: one more on the same database, with a state directory of its own; its address in ${url_of[NAME]}
declare -gA url_of pid_of log_of
gateway() {
	local name=$1
	shift
	start_gateway --state "$BATS_TEST_TMPDIR/$name" --store "$pg_url" "$@"
	url_of[$name]=$url pid_of[$name]=$gateway_pid log_of[$name]=$gateway_log
}
at() { url=${url_of[$1]} AGENT_RUNTIME_URL=${url_of[$1]}; } # who is asked from now on
# agent NAME COMMAND-JSON: in ./agents
agent() {
	mkdir -p agents
	jq --arg id "$1" --argjson command "$2" '.metadata.serviceId = "svc_" + $id | .metadata.agent.agentId = $id | .spec.origin.command = $command
		| .spec.origin.timeoutMs = 60000' "$AU_SRC/bin/gateway/builtin/shell.json" >"agents/$1.json"
}
# One that notes what it is given, and answers "first" when it may.
agent_hang() {
	cat >hang <<-'S'
	#!/bin/sh
	m=$(jq -r .message); echo "$m $AGENT_RUNTIME_URL" >>begun
	[ "$m" != first ] || { read -r _ <gate; }
	echo "{\"reply\":\"done $m\"}"
	S
	chmod +x hang
	mkfifo gate
	agent hang '["../hang"]'
}
# A run whose first message is being answered at gateway a, and whose second one was sent to b, where we are.
sent_to_both() {
	agent_hang
	gateway a --agents agents
	gateway b --agents agents
	at a
	agent-run-create --agent hang --run r | agent-send first >/dev/null
	await 20 has_line begun first
	at b
	agent-send --run r second >/dev/null
}
replies() { agent-events "$1" --jq 'select(.kind=="agent.chat.assistant_message").data.message' | tr '\n' ';'; }
replied() { [ "$(replies "$1")" = "$2" ]; }
killed() { kill -9 "${pid_of[$1]}" && await 10 gone "${pid_of[$1]}"; }

@test "what one gateway stores, the others show and stream, each event once and in order" {
	gateway a
	gateway b
	at b
	start watch agent-watch --until terminal r
	at a
	agent-run-create --agent echo --run r | agent-send --wait one >/dev/null
	at b
	agent-send --run r --wait two >/dev/null
	await 20 count_lines watch.out agent.waiting 2
	agent-run-cancel --run r >/dev/null
	await 20 has_line watch.out agent.run_cancelled
	for name in a b; do
		at $name
		agent-events r --jq .seq >"seq.$name"
		replied r 'Echo: one;Echo: two;'
	done
	diff seq.a seq.b
	jq .seq watch.out | diff seq.a -
	sort -n seq.a | uniq | diff seq.a -
}

@test "under writers in every gateway a cursor never passes an event that is yet to come" {
	gateway a
	gateway b
	gateway c
	for name in a b c; do
		at $name
		start "stream$name" curl -sN "$url/api/events?after=0"
	done
	seq 100 | sed 's/.*/{"kind":"agent.note","message":"n&","data":{"runId":"x"}}/' >events
	for name in a b c; do
		start "many$name" sh -c "while read -r e; do curl -sf -H 'content-type: application/json' -d \"\$e\" ${url_of[$name]}/api/agents/events >/dev/null || exit 1; done <events"
		writers+=("$pid")
	done
	for pid in "${writers[@]}"; do await 60 gone "$pid"; done
	last=$(pg_sql 'SELECT max(seq) FROM events WHERE thread IS NULL')
	[ "$last" -ge 300 ]
	pg_sql 'SELECT seq FROM events WHERE thread IS NULL ORDER BY seq' >seqs # the others are what gateways say to each other
	for name in a b c; do
		await 30 has_line "stream$name.out" "^id: $last\$"
		sed -n 's/^id: //p' "stream$name.out" | diff - seqs
	done
}

@test "what one gateway writes wakes the others: none waits for its next look" {
	gateway a
	gateway b
	at b
	start watch agent-watch --all
	at a
	began=$SECONDS
	for i in $(seq 15); do
		agent-emit --run r --kind agent.n --data "{\"i\":$i}" >/dev/null
		await 20 has_line watch.out "\"i\":$i[,}]"
	done
	# by itself a gateway looks every 3 seconds
	[ $((SECONDS - began)) -lt 20 ] || { echo "15 events took $((SECONDS - began)) s" >&2; return 1; }
}

@test "a message for a run that another gateway is at is answered there, after the first one" {
	sent_to_both
	agent-send --run other --agent hang third >/dev/null
	await 20 has_line begun "third ${url_of[b]}"
	! has_line begun second
	echo >gate
	await 20 replied r 'done first;done second;'
	has_line begun "second ${url_of[a]}"
	[ "$(wc -l <begun)" = 3 ]
}

@test "a run is cancelled where it is not answered: its handler is gone" {
	sent_to_both
	agent-run-cancel --run r >/dev/null
	run -11 timeout 30 agent-watch --until terminal r
	! has_line begun second
	agent-events r --kind agent.run_cancelled | count_lines /dev/stdin run_cancelled 1
}

@test "an interrupt and the answer to an approval reach the turn in the other gateway" {
	script=$'{"on":"turn","text":"long"}\n{"delta":"a"}\n{"hang":true}\n{"on":"turn"}\n{"question":"Which?","options":["red","blue"]}\n{"say":"${answer}"}'
	with_gateway() { gateway "$1" --runtime "$mock --script $BATS_TEST_TMPDIR/script"; }
	printf '%s\n' "$script" >script
	with_gateway a
	with_gateway b
	at a
	new_thread
	turn long
	at b
	await 20 status_is inProgress
	ask POST "$path/turns/$turn/interrupt" '{}'
	[ "$code" = 200 ]
	at a
	await 20 status_is interrupted
	turn which
	see '.method=="approval.requested"'
	at b
	ask GET "$path/approvals"
	question=$(jq -r '.approvals[0].params.questions[0].id' body)
	ask POST "$path/approvals/$(jq -r '.approvals[0].approvalId' body)" "{\"decision\":\"accept\",\"answers\":{\"$question\":\"blue\"}}"
	[ "$code" = 200 ]
	await 20 status_is completed
	ask GET "$path/turns/$turn"
	[[ $(jq -r .outputText body) == *blue* ]]
	[ "$(pg_sql "SELECT count(*) FROM docs WHERE encode(key, 'escape') LIKE 'approval/%'")" = 0 ]
}

# In flight at gateway a: a turn, a message that is being answered, and one that waits.
in_flight() {
	agent_hang
	printf '{"on":"turn"}\n{"delta":"a"}\n{"hang":true}\n' >script
	gateway a --agents agents --runtime "$mock --script $BATS_TEST_TMPDIR/script"
	new_thread
	turn long
	agent-run-create --agent hang --run r | agent-send first >/dev/null
	await 20 has_line begun first
	agent-send --run r second >/dev/null
}
settled() { # at $1: closed and answered, each once
	await 60 status_is error
	await 30 replied r 'done second;'
	[ "$(agent-events r --jq 'select(.kind=="agent.step_completed" and .level=="error").kind')" = agent.step_completed ]
	[ "$(events | jq -c 'select(.method=="turn.completed").payload.error.code')" = '"AGENT_GATEWAY_RESTARTED"' ]
	[ "$(grep -c first begun)$(grep -c second begun)" = 11 ]
}

@test "a gateway that comes and goes leaves the work of the others alone" {
	in_flight
	gateway b --agents agents
	kill "${pid_of[b]}"
	await 20 gone "${pid_of[b]}"
	gateway b --agents agents
	at b
	status_is inProgress
	echo >gate
	await 20 replied r 'done first;done second;'
	[ "$(grep -c "${url_of[a]}" begun)" = 2 ] || { echo "${url_of[a]}"; cat begun; false; }
}

@test "what a killed gateway left behind is ended at once by its successor on the same state directory" {
	in_flight
	gateway b --agents agents
	killed a
	gateway a --agents agents
	settled
}

@test "and without a successor by another gateway, when the lease has run out" {
	in_flight
	gateway b --agents agents
	killed a
	at b
	settled
	has_line "${log_of[b]}.err" 'taken over'
}

@test "a state directory that comes from another database takes nobody's work there" {
	gateway a
	killed a
	postgresql_database "other$BATS_TEST_NUMBER"
	gateway b # has the number there that the other one had
	gateway a
	at b
	agent-run-create --agent echo --run r | agent-send --wait one >/dev/null
	replied r 'Echo: one;'
	kill -0 "${pid_of[a]}" "${pid_of[b]}"
	[ "$(pg_sql 'SELECT count(*) FROM gateways')" = 2 ]
}

@test "a gateway that was stopped for longer than its lease ends when it wakes up, and nothing of it counts" {
	in_flight
	gateway b --agents agents
	kill -STOP "${pid_of[a]}"
	at b
	settled
	kill -CONT "${pid_of[a]}"
	await 30 gone "${pid_of[a]}"
	has_line "${log_of[a]}.err" 'another gateway has taken over'
	replied r 'done second;'
}

@test "a schedule fires once, however many gateways look at it" {
	mkdir -p agents
	jq '.metadata.serviceId = "svc_t" | .metadata.agent.agentId = "t" | .metadata.agent.triggers = ["api", "timer"]
		| .metadata.agent.timer = {"schedules":[{"scheduleId":"tick","scheduleExpr":"every 1 s"}]} | .spec.origin.command = ["sh", "-c", "cat >/dev/null; echo x >>fired"]' \
		"$AU_SRC/bin/gateway/builtin/shell.json" >agents/t.json
	gateway a --agents agents
	gateway b --agents agents
	gateway c --agents agents
	enough() { [ "$(pg_sql "SELECT count(*) FROM events WHERE kind = 'agent.run_created'")" -ge 5 ]; }
	await 60 enough
	# one firing a period: no two closer than most of one
	pg_sql "SELECT at - lag(at) OVER (ORDER BY seq) FROM events WHERE kind = 'agent.run_created'" | awk 'NF && $1 < 700 { exit 1 }'
}

@test "the database goes away and comes back: what was acknowledged is there, once, and nothing else twice" {
	gateway a
	gateway b
	for name in a b; do
		at $name
		start "stream$name" curl -sN "$url/api/events?after=0"
	done
	cat >writer <<-'S'
	#!/bin/sh
	# NAME URL: messages with keys, each until it is acknowledged
	for i in $(seq 60); do
		until code=$(curl -s -m 60 -o /dev/null -w '%{http_code}' -H "idempotency-key: $1-$i" -H 'content-type: application/json' \
			-d "{\"message\":\"$1 $i\",\"service_id\":\"svc_echo\",\"agent\":\"echo\"}" "$2/api/agents/runs/$1/messages"); [ "$code" = 200 ]; do :; done
		echo "$i"
	done
	S
	chmod +x writer
	for n in 1 2 3; do
		start "wa$n" ./writer "a$n" "${url_of[a]}"
		start "wb$n" ./writer "b$n" "${url_of[b]}"
	done
	for mode in immediate fast immediate; do
		n=$(cat w??.out | wc -l)
		more() { [ "$(cat w??.out | wc -l)" -gt $((n + 20)) ]; }
		await 60 more
		postgresql_down $mode
		postgresql_up
	done
	for f in w??.out; do await 120 count_lines "$f" . 60; done
	for name in a b; do
		at $name
		for run in a1 a2 a3 b1 b2 b3; do
			seq 60 | sed "s/^/$run /" >want
			agent-events "$run" --kind agent.chat.user_message --jq .data.message | diff want -
			answered() { agent-events "$run" --kind agent.chat.assistant_message --jq .data.message | sort -u | wc -l | grep -qx 60; }
			await 30 answered || { agent-events "$run" --jq '"\(.seq) \(.kind) \(.data.error // .data.message // "")"' | tail -n 30; pg_sql "SELECT encode(stream, 'escape'), open, owner FROM streams"; cat gateway*.err; false; }
			[ "$(agent-events "$run" --kind agent.chat.assistant_message --jq .seq | wc -l)" = 60 ]
		done
	done
	pg_sql 'SELECT seq FROM events ORDER BY seq' | diff - <(seq "$(pg_sql 'SELECT count(*) FROM events')")
	# who was reading all the time has seen it all, once and in order
	pg_sql 'SELECT seq FROM events WHERE thread IS NULL ORDER BY seq' >seqs
	for name in a b; do
		await 30 has_line "stream$name.out" "^id: $(tail -n 1 seqs)\$"
		sed -n 's/^id: //p' "stream$name.out" | diff - seqs
	done
}

@test "a connection to the database that is slow and is cut at any byte: nothing is lost, nothing twice, and what the others write is heard of" {
	load ../lib/faulty
	mkdir socket
	start proxy python3 "$AU_SRC/tests/fake/fake-proxy" --to "unix:$pg_dir/.s.PGSQL.5432" --at "$PWD/socket/.s.PGSQL.5432" --chance --cut 100000 --delay 2 --once cut
	await 20 has_line proxy.out unix
	gateway a
	pg_url="postgresql://agent@/t$BATS_TEST_NUMBER?host=$PWD/socket"
	gateway b
	start watch agent-watch --all
	echo "${url_of[b]}" >address
	posting --runs 3
	more 5
	touch cut
	pg_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agent-gateway'" >/dev/null # what there was before is calm
	start emits sh -c "until [ -e stop ]; do agent-emit --url ${url_of[a]} --run other --kind agent.n --data {} >/dev/null || exit; done"
	emits=$pid
	more 150 120
	posted
	await 60 gone "$emits"
	holds
	echo "${url_of[a]}" >address
	holds
	watched() { agent-events --all --jq .seq >all && jq .seq watch.out | cmp -s - all; }
	at a
	await 60 watched
}

@test "a database that stays away: 503 and no end of the gateway, which goes on when it is back" {
	gateway a
	agent-run-create --agent echo --run r | agent-send --wait one >/dev/null
	postgresql_down
	run -0 curl -s -m 60 -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '{"message":"lost"}' "$url/api/agents/runs/r/messages"
	[ "$output" = 503 ]
	postgresql_up
	await 30 sh -c "curl -sf -H 'content-type: application/json' -d '{\"message\":\"two\"}' $url/api/agents/runs/r/messages"
	await 20 replied r 'Echo: one;Echo: two;'
}

@test "a full disk of the database: 503, all of what was acknowledged, and more once there is room" {
	[ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
	mkdir "$pg_dir/small"
	mount -t tmpfs -o size=12m tmpfs "$pg_dir/small" 2>/dev/null || skip "this machine cannot mount a tmpfs"
	mounted=$pg_dir/small
	chown postgres "$mounted"
	pg_database=postgres pg_sql "CREATE TABLESPACE small LOCATION '$mounted'"
	pg_database=postgres pg_sql "ALTER DATABASE t$BATS_TEST_NUMBER SET TABLESPACE small"
	gateway a
	jq -nc --arg b "$(head -c 22000 /dev/urandom | base64 -w 0)" '{kind: "agent.n", run_id: "r", data: {$b}}' >large
	good=0
	for _ in $(seq 400); do
		[ "$(code -H 'content-type: application/json' --data-binary @large "$url/api/agents/events")" = 200 ] || break
		good=$((good + 1))
	done
	[ "$good" -gt 5 ]
	grep -q 'unable to store' answer || { cat answer; return 1; }
	[ "$(code -H 'content-type: application/json' --data-binary @large "$url/api/agents/events")" = 503 ]
	[ "$(agent-events r --jq .seq | wc -l)" = "$good" ]
	mount -o remount,size=64m "$mounted"
	roomy() { [ "$(code -H 'content-type: application/json' --data-binary @large "$url/api/agents/events")" = 200 ]; }
	await 20 roomy
	[ "$(agent-events r --jq .seq | wc -l)" = $((good + 1)) ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	pg_database=postgres pg_sql "DROP DATABASE t$BATS_TEST_NUMBER"
	pg_database=postgres pg_sql 'DROP TABLESPACE small'
}

@test "data that the database does not take fails alone" {
	gateway a
	long=$(head -c 4500 /dev/urandom | od -An -vtx1 | tr -d ' \n') # an index takes some 2,700 bytes that cannot be compressed
	start ok agent-send --run r --agent echo --wait fine
	ask POST "/api/agents/runs/$long/messages" '{"message":"x"}'
	[ "$code" = 503 ] || [ "$code" = 400 ] || { echo "$code $body"; false; }
	await 20 has_line ok.out fine
	agent-send --run r --wait again >/dev/null
	replied r 'Echo: fine;Echo: again;'
}

@test "zero bytes and whatever is no text are kept as they are" {
	gateway a
	ask POST /api/agents/events '{"kind":"agent.note","message":"a\u0000b\ud800","data":{"runId":"z","x":"\u0000"}}'
	[[ $code == 2* ]] || [ "$code" = 400 ]
	agent-run-create --agent echo --run z | agent-send --wait 'ä€😀' >/dev/null
	replied z 'Echo: ä€😀;'
}

@test "a service that is applied, stopped or removed at one gateway is so at the others" {
	load ../lib/services
	gateway a
	gateway b
	at a
	apply < <(manifest one '{"type":"local_wasm","wasmPath":"/x/any.wasm","entry":"main"}' '.metadata.agent.chat = {mode: "echo"}')
	is "$code" 200
	apply < <(manifest on '{"type":"local_wasm","wasmPath":"/x/any.wasm","entry":"main"}')
	at b
	listed() { agent-registry --jq .serviceId | grep -qx "$1"; }
	await 10 listed svc_one
	await 10 listed svc_on
	run -0 timeout 20 agent-send --wait hi < <(agent-run-create --agent one --run r)
	[[ $output == *'"message":"Echo: hi"'* ]]
	printf '\0asm\1\0\0\0' >module.wasm
	apply < <(manifest one '{"type":"local_wasm","entry":"main"}' ".spec.origin.wasmPath = \"$PWD/module.wasm\" | .metadata.agent.chat = {mode: \"echo\"}")
	api POST /api/services/svc_one/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	at a
	await 10 is_lifecycle svc_one RUNNING
	api POST /api/services/svc_one/stop
	at b
	await 10 is_lifecycle svc_one STOPPED
	api DELETE /api/services/svc_one
	is "$code" 200
	at a
	removed() { ! listed svc_one; }
	await 10 removed
	listed svc_on
}

@test "a token that is made or revoked at one gateway is so at the others" {
	gateway a
	gateway b
	says() { [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $2" "${url_of[$1]}/api/agents/registry")" = "$3" ]; }
	agent-gateway-token --state a create --user ann >made
	token=$(jq -r .token made)
	says a "$token" 200
	# one that knows no token yet takes whoever comes from this machine
	await 10 says b none 401
	says b "$token" 200
	says a none 401
	agent-gateway-token --state b list >listed
	jq -e '.user == "ann" and (has("token") | not)' listed
	# at the other one, and one that comes later knows it all
	agent-gateway-token --state b revoke "$(jq -r .id made)" >/dev/null
	says b "$token" 401
	await 10 says a "$token" 401
	gateway c
	says c "$token" 401
	says c none 401
	# nothing but the hash is in the store
	[ "$(pg_sql "SELECT count(*) FROM docs WHERE position('${token#agt_*_}' IN encode(doc, 'escape')) > 0")" = 0 ]
}

@test "a browser's session is good at all gateways, and over at all of them" {
	gateway a
	gateway b
	token=$(agent-gateway-token --state a create --user ann --workspace acme | jq -r .token)
	knows() { [ "$(code -H "Authorization: Bearer $token" "${url_of[$1]}/v1/auth/me")" = 200 ] && jq -e '.user.id == "ann"' answer; }
	await 10 knows a
	await 10 knows b
	open_session() { code -X POST -H "Authorization: Bearer $token" -D head "${url_of[$1]}/v1/auth/session" && sed -n 's/^set-cookie: \([^;]*\);.*/\1/p' head >cookie; }
	# asked at the other one at once, each time a new session
	for _ in $(seq 20); do
		[ "$(open_session a)" = 201 ]
		[ "$(code -b "$(cat cookie)" "${url_of[b]}/v1/auth/me")" = 200 ] || { cat answer; false; }
		jq -e '.user.id == "ann"' answer
	done
	cookie=$(cat cookie)
	[ "$(code -b "$cookie" -H "Origin: ${url_of[b]}" -H 'content-type: application/json' -d '{"workspaceSlug":"acme"}' "${url_of[b]}/v1/agent/threads")" = 201 ]
	[ "$(code -b "$cookie" "${url_of[b]}/api/agents/registry")" = 403 ] # a workspace's token, and known
	# one that comes later, and one whose cookie nobody has made
	gateway c
	[ "$(code -b "$cookie" "${url_of[c]}/v1/auth/me")" = 200 ]
	[ "$(code -b "__Host-compass_session=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')" "${url_of[c]}/v1/auth/me")" = 401 ]
	# closed at one that has not opened it, in the middle of a stream at another one
	start stream curl -sSN -b "$cookie" -H "Origin: ${url_of[a]}" "${url_of[a]}/v1/agent/runtime/stream" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
	stream=$pid
	[ "$(code -X DELETE -b "$cookie" -H "Origin: ${url_of[c]}" "${url_of[c]}/v1/auth/session")" = 204 ]
	over() { [ "$(code -b "$cookie" "${url_of[$1]}/v1/auth/me")" = 401 ]; }
	over c
	await 5 over a
	await 5 over b
	await 20 gone "$stream"
	[ "$(pg_sql "SELECT count(*) FROM docs WHERE encode(key, 'escape') LIKE 'session/%'")" = 19 ]
	# nothing of the cookies is in the store, nor in the state
	[ "$(pg_sql "SELECT count(*) FROM docs WHERE position('$(sed 's/.*=//' cookie)' IN encode(doc, 'escape')) > 0")" = 0 ]
	run -1 grep -rFe "${cookie#*=}" a b c
	# and with its token
	open_session b
	cookie=$(cat cookie)
	[ "$(code -b "$cookie" "${url_of[a]}/v1/auth/me")" = 200 ]
	agent-gateway-token --state a revoke "${token:4:12}" >/dev/null
	await 10 over c
	await 10 over b
}

@test "a session that sleeps at one gateway and is awake at another does not sleep; one that does is told so by all" {
	export AUTH_SESSION_IDLE_TTL_SECONDS=3
	gateway a
	gateway b
	agent-gateway-token --state a create --user ann >made
	token=$(jq -r .token made)
	me() { [ "$(code -b "$cookie" "${url_of[$1]}/v1/auth/me")" = 200 ]; }
	knows() { [ "$(code -H "Authorization: Bearer $token" "${url_of[$1]}/v1/auth/me")" = 200 ] && jq -e '.user.id == "ann"' answer; }
	await 10 knows b
	cookie=$(curl -sS -X POST -H "Authorization: Bearer $token" -o answer -D - "${url_of[a]}/v1/auth/session" | sed -n 's/^set-cookie: \([^;]*\);.*/\1/p')
	until=$((${EPOCHREALTIME/./} + 5000000))
	while ((${EPOCHREALTIME/./} < until)); do me b; done
	me a
	asleep() { ! me "$1" && [ "$(jq -r .code answer)" = SESSION_IDLE_TIMEOUT ]; }
	slept() { ((${EPOCHREALTIME/./} > until)); }
	until=$((${EPOCHREALTIME/./} + 4000000))
	await 20 slept
	asleep a
	asleep b
}

@test "a question that is asked at one gateway is answered at another, when they share the directory" {
	gateway a --hitl questions
	gateway b --hitl questions
	start ask agent-ask --broker "${url_of[a]}" --key k "Which?"
	at b
	asked() { agent-hitl-list --broker "$url" | jq -e '.question == "Which?"'; }
	await 10 asked
	agent-hitl-answer --broker "$url" k blue >/dev/null
	await 20 has_line ask.out blue
}

@test "a run on a runtime goes on at another gateway, and is stopped there" {
	printf '{"on":"turn","contains":"SLOW"}\n{"delta":"begun "}\n{"hang":true}\n' >script
	mkdir -p agents
	jq --arg script "$PWD/script" '.metadata.serviceId = "svc_m" | .metadata.agent.agentId = "m" | .spec.autostart = true
		| .spec.origin = {type: "runtime", command: ["agent-runtime-mock", "--script", $script], workspace: "acme"}' "$AU_SRC/bin/gateway/builtin/shell.json" >agents/m.json
	gateway a --agents agents
	gateway b --agents agents
	answered() { [ "$(agent-events r --kind agent.chat.assistant_message --jq .seq | wc -l)" = "$1" ]; }
	at a
	agent-run-create --agent m --run r | agent-send one >/dev/null
	await 30 answered 1
	at b
	agent-send --run r two >/dev/null
	await 30 answered 2
	at a
	agent-send --run r SLOW >/dev/null
	begun() { agent-events --thread r | grep -q begun; }
	await 30 begun
	at b
	agent-run-cancel --run r >/dev/null
	run -11 timeout 30 agent-watch --until terminal r
}

@test "a schema of a newer version is refused, by the check too" {
	gateway a
	pg_sql 'UPDATE agentutils_schema SET version = 99'
	run -9 agent-gateway --check --state other --store "$pg_url"
	[[ $output == *'a newer version wrote it (schema 99, this one knows'* ]]
	run -9 agent-gateway --listen 127.0.0.1:0 --state other --store "$pg_url"
	[[ $output == *'a newer version wrote it'* ]]
}

@test "a password in the URL is refused and not repeated; a server that cannot be had is status 3" {
	for u in 'postgresql://agent:hunter2@localhost/x' 'postgresql:///x?password=hunter2' 'postgresql://agent:hunter2@[broken/x'; do
		run -9 agent-gateway --check --state s --store "$u"
		[[ $output != *hunter2* ]]
	done
	run -3 agent-gateway --check --state s --store "postgresql:///x?host=$BATS_TEST_TMPDIR/nobody"
	[[ $output == *"unable to use the store 'postgresql:///x?host=$BATS_TEST_TMPDIR/nobody'"* ]]
	run -3 agent-gateway --listen 127.0.0.1:0 --state s --store "postgresql:///x?host=$BATS_TEST_TMPDIR/nobody"
}

@test "suites that were written for a file pass on the server: chats, runs that are cancelled" {
	# make check-postgresql runs all of them
	mkdir inner
	path=$(tr : '\n' <<<"$PATH" | grep -v bats-core | paste -sd :) # bats puts its own inside there
	run env -i PATH="$path" HOME="$HOME" TMPDIR="$PWD/inner" LC_ALL="$LC_ALL" AU_SRC="$AU_SRC" AU_BUILD="$AU_BUILD" AU_STORE=postgresql AU_STORE_DIR="$pg_dir" \
		bats "$AU_SRC"/tests/gateway/{chat,cancel}.bats 3>&-
	[ "$status" = 0 ] || { echo "$output" | grep -v '^ok'; false; }
	[ "$(grep -c '^ok' <<<"$output")" -ge 20 ]
	[ "$(pg_sql "SELECT count(*) FROM pg_database WHERE datname LIKE 't\_%'")" -ge 15 ]
}

@test "one gateway for each state directory" {
	gateway a
	run -9 agent-gateway --listen 127.0.0.1:0 --state a --store "$pg_url"
	[[ $output == *'another gateway uses it (process '* ]]
}
