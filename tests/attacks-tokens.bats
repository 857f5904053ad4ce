#!/usr/bin/env bats
# Tokens on every route: with the ids of other workspaces, with less than the route asks for, wrong ones, none.
load lib/common
load lib/attacks

setup() { common_setup; }
teardown() { attacks_teardown; }

# named_routes: contract_routes with what is there for each parameter: $thread, $turn, $approval, $run, svc_echo, k1. A kind of id that nobody has thought of here stays.
named_routes() {
	contract_routes | sed "s|{threadId}|$thread|; s|{turnId}|$turn|; s|{approvalId}|$approval|; s|/runs/{id}|/runs/$run|; s|/services/{id}|/services/svc_echo|; s|{key}|k1|"
}
# something of ann's, in acme: a thread with a turn that waits for an approval; a run and a question of whoever may everything
ours() {
	printf '%s\n' '{"on":"turn","contains":"RUN"}' '{"command":"ls","ask":true,"reason":"ours","output":"done"}' >script
	ann=$(make_token --user ann --workspace acme --scope read --scope write)
	bob=$(make_token --user bob --workspace other --scope read --scope write --scope admin)
	all=$(make_token --user all --workspace '*' --scope read --scope write --scope admin)
	AGENT_RUNTIME_PROVIDER=local_process AGENT_RUNTIME_COMMAND="'$AU_BUILD/libexec/agentutils/agent-runtime-mock' --script '$BATS_TEST_TMPDIR/script'" start_gateway
	export AGENT_RUNTIME_TOKEN=$ann
	thread=$(agent-thread-create --workspace acme --title ours | jq -r .threadId)
	turn=$(agent-turn-start --thread "$thread" --no-wait "RUN ours" | jq -r .turnId)
	has_approval() { agent-approvals --thread "$thread" >approval 2>/dev/null; }
	await 30 has_approval
	approval=$(jq -r .approvalId approval)
	export AGENT_RUNTIME_TOKEN=$all
	run=ours
	agent-send --run ours --service svc_echo --agent echo "ours" >/dev/null
	code -H "Authorization: Bearer $all" -H 'Content-Type: application/json' -d '{"key":"k1","question":"ours?"}' "$url/questions" >/dev/null
	agent-thread-show "$thread" >thread-before
	agent-events --thread "$thread" >events-before
	body=$(jq -nc --arg thread "$thread" --arg turn "$turn" --arg run "$run" --arg approval "$approval" '{text: "t", title: "theirs", message: "m", executionMode: "cloud", executionHost: "desktop_local",
		events: [{method: "x.y", payload: {}}], decision: "accept", archived: true, workspaceSlug: "acme", threadId: $thread, turnId: $turn, runId: $run, run_id: $run, approvalId: $approval, key: "k1", answer: "a", response: "r",
		kind: "agent.x", serviceId: "svc_echo", service_id: "svc_echo", agent: "echo", data: {runId: $run, threadId: $thread}, input: "i", refreshToken: false,
		jsonrpc: "2.0", id: 1, method: "tools/list"}')
}
unharmed() {
	AGENT_RUNTIME_TOKEN=$all agent-thread-show "$thread" | cmp - thread-before
	AGENT_RUNTIME_TOKEN=$all agent-events --thread "$thread" | cmp - events-before
	AGENT_RUNTIME_TOKEN=$ann agent-approvals --thread "$thread" | jq -e '.status == "pending"'
	curl -sS -H "Authorization: Bearer $all" "$url/questions" | jq -e 'any(.[]; .key == "k1")'
}

@test "a token of one workspace finds nothing of another on any route, whatever ids it names" {
	ours
	run ! grep '{' <(named_routes) # an id that this test does not know
	n=0
	while read -r scope method path; do
		for query in '' "?workspaceSlug=acme&threadId=$thread&runId=$run&limit=100"; do
			for path in "$path" "${path/"/runs/$run"/"/runs/$thread"}"; do
				got=$(code -m 10 -X "$method" -H "Authorization: Bearer $bob" -H 'Content-Type: application/json' -d "$body" "$url$path$query")
				case $path in
				# those of the runtime, which has no workspaces, are for the scope admin
				/v1/agent/runtime/*) [ "$scope" = admin ] ;;
				*) [[ $got == 4?? ]] || { echo "$method $path$query: $got $(cat answer)"; return 1; } ;;
				esac
				run ! grep -E 'ours|acme' answer
				n=$((n + 1))
			done
		done
	done < <(named_routes)
	[ "$n" -gt 200 ]
	# a list without a name is of its own workspaces, a thread of its own knows no turn and no approval of another
	run ! grep ours <(curl -sS -H "Authorization: Bearer $bob" "$url/v1/agent/threads?workspaceSlug=other"; curl -sS -H "Authorization: Bearer $bob" "$url/v1/agent/threads")
	own=$(AGENT_RUNTIME_TOKEN=$bob agent-thread-create --workspace other | jq -r .threadId)
	while read -r _ method path; do
		case $path in */turns/* | */approvals/*) ;; *) continue ;; esac
		got=$(code -X "$method" -H "Authorization: Bearer $bob" -H 'Content-Type: application/json' -d "$body" "$url${path/"$thread"/"$own"}")
		mv answer theirs
		# as one that nobody has: 404, and the interrupt of the contract has a conflict
		made_up=${path/"$thread"/"$own"}
		made_up=${made_up/"$turn"/00000000-0000-4000-8000-000000000000}
		[[ $got == 404 || $got == 409 ]] && [ "$got" = "$(code -X "$method" -H "Authorization: Bearer $bob" -H 'Content-Type: application/json' -d "$body" "$url${made_up/"$approval"/none}")" ] &&
			cmp answer theirs || { echo "$method $path: $got $(cat theirs)"; return 1; }
	done < <(named_routes)
	# what a turn goes on from, too
	got=$(code -H "Authorization: Bearer $bob" -H 'Content-Type: application/json' -d "{\"text\":\"t\",\"parentTurnId\":\"$turn\"}" "$url/v1/agent/threads/$own/turns?wait=false")
	[[ $got == 4?? ]] || run ! grep ours <(AGENT_RUNTIME_TOKEN=$bob agent-events --thread "$own")
	# a stream is not opened, nor is one that follows all of them
	for path in "/v1/agent/threads/$thread/stream" "/api/events" "/events" "/api/agents/runs/$thread/events/stream" "/api/agents/runs/$run/events/stream"; do
		got=$(code -m 10 -H "Authorization: Bearer $bob" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$url$path")
		[[ $got == 4?? ]] || { echo "$path: $got"; return 1; }
	done
	unharmed
	# and the same ids are ids: whose they are finds them
	for path in "" /events /approvals "/turns/$turn" "/approvals/$approval"; do
		[ "$(code -H "Authorization: Bearer $ann" "$url/v1/agent/threads/$thread$path")" = 200 ]
	done
}

@test "a scope opens the routes of its own, and no other, whatever the route" {
	ours
	reads=$(make_token --user r --workspace '*' --scope read)
	writes=$(make_token --user w --workspace '*' --scope read --scope write)
	n=0
	while read -r scope method path; do
		for token in "$reads" "$writes" '' wrong "$all$all"; do
			if [ "$token" = "$reads" ]; then [ "$scope" != read ] || continue; elif [ "$token" = "$writes" ]; then [ "$scope" = admin ] || continue; fi
			got=$(code -m 10 -X "$method" ${token:+-H "Authorization: Bearer $token"} -H 'Content-Type: application/json' -d "$body" "$url$path")
			[[ $got == 401 || $got == 403 || ($got == 426 && $path == *stream) ]] || { echo "$method $path with ${token:-nothing}: $got $(cat answer)"; return 1; }
			[[ $token != "$reads" && $token != "$writes" ]] || [ "$got" != 401 ]
			run ! grep -E 'ours|acme' answer
			n=$((n + 1))
		done
	done < <(named_routes)
	[ "$n" -gt 150 ]
	unharmed
}
