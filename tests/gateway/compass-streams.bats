#!/usr/bin/env bats
# WebSockets of threads and of the runtime: everything once and in order, who may, and how they end.
load ../lib/common
load ../lib/compass

setup() {
	compass_setup
	wsread=$AU_SRC/tests/fake/ws-read
}
teardown() { common_teardown; }

# upload FROM TO: events with these numbers
upload() {
	jq -nc --argjson a "$1" --argjson b "$2" '{events:[range($a;$b)|{method:"n",payload:{n:.}}]}' >batch
	ask POST "$path/events:batch" @batch
	[ "$code" = 200 ]
}
ends_with() { has_line "$1.err" "^close $2"; }

@test "the whole backlog, then what comes, as the contract's frames" {
	start_gateway
	new_thread
	upload 0 1000
	upload 1000 1700
	start reader python3 "$wsread" "$url$path/stream"
	await 20 count_lines reader.out '' 1701
	upload 1700 1710
	await 20 count_lines reader.out '' 1711
	[ "$(jq -r 'select(.method=="n").payload.n' reader.out | paste -sd' ')" = "$(seq 0 1709 | paste -sd' ')" ]
	[ "$(jq -c keys_unsorted reader.out | sort -u | paste -sd' ')" = '["type","method","cursor","payload","threadId","turnId","createdAt","uploadedBy"] ["type","method","cursor","payload","threadId","turnId","createdAt"]' ]
	[ "$(jq -c 'select(.type != .method)' reader.out)" = '' ]
	start later python3 "$wsread" --count 5 "$url$path/stream?cursor=1706"
	await 20 gone "$pid"
	[ "$(jq -r .cursor later.out | paste -sd' ')" = '1707 1708 1709 1710 1711' ]
	for cursor in -1 1.5 x ''; do
		python3 "$wsread" --count 1 "$url$path/stream?cursor=$cursor" | jq -e '.cursor == 1'
	done
	# far ahead: nothing of what is there, all that comes
	start ahead python3 "$wsread" --count 1 "$url$path/stream?cursor=0x10000"
	start live python3 "$wsread" --count 1712 "$url$path/stream"
	await 20 count_lines live.out '' 1711
	upload 1710 1711
	await 20 gone "$pid"
	[ ! -s ahead.out ]
}

@test "a reader that drops every 100 ms misses nothing of 10,000 events" {
	start_gateway
	new_thread
	start reader python3 "$wsread" --drop 100 --count 10001 "$url$path/stream"
	reader=$pid
	for i in $(seq 0 500 9500); do upload "$i" $((i + 500)); done
	await 60 gone "$reader"
	[ "$(jq -r 'select(.method=="n").payload.n' reader.out | paste -sd' ')" = "$(seq 0 9999 | paste -sd' ')" ]
}

@test "twenty readers and a turn that streams: the same frames for all" {
	with_script <<-'END'
		{"on":"turn"}
		{"repeat":300,"steps":[{"delta":"${i} "}]}
	END
	new_thread
	for i in $(seq 20); do start "r$i" python3 "$wsread" "$url$path/stream"; done
	for i in $(seq 20); do await 20 has_line "r$i.out" thread.started; done
	ask POST "$path/turns" '{"text":"x"}'
	jq -rj .outputText body >answer
	for i in $(seq 20); do await 20 has_line "r$i.out" turn.completed; done
	for i in $(seq 2 20); do cmp r1.out "r$i.out"; done
	jq -rj 'select(.method=="item.delta").payload.text' r1.out | cmp - answer
}

@test "a reader that is too slow is told so, comes back, and misses nothing; others do not wait for it" {
	start_gateway
	new_thread
	mkfifo go
	exec 7<>go
	start slow bash -c "python3 '$wsread' --slow '$url$path/stream' <&7"
	start quick python3 "$wsread" "$url$path/stream"
	await 20 has_line quick.out thread.started
	jq -nc '{events:[range(90)|{method:"n",payload:("x"*1000)}]}' >batch
	for _ in $(seq 150); do
		curl -sS -o /dev/null -H 'content-type: application/json' --data-binary @batch "$url$path/events:batch"
	done
	await 60 count_lines quick.out '' 13501
	echo >&7
	# it was in time after all, or it was cut off
	read_or_cut() { count_lines slow.out '' 13501 || ends_with slow ''; }
	await 60 read_or_cut
	exec 7>&-
	last=$(tail -n 1 slow.out | jq .cursor)
	if [ "$last" != 13501 ]; then
		ends_with slow '1013' || ends_with slow '1006'
		start again python3 "$wsread" "$url$path/stream?cursor=$last"
		await 60 has_line again.out '"cursor":13501'
		cat again.out >>slow.out
	fi
	cmp slow.out quick.out
}

@test "plain requests are 426, other upgrades are served as if they were none, bad ones refused" {
	start_gateway
	new_thread
	ask GET "$path/stream"
	refused 426 UPGRADE_REQUIRED 'Use websocket upgrade for this endpoint'
	ask GET /v1/agent/runtime/stream
	refused 426 UPGRADE_REQUIRED
	ask GET /v1/ping -H 'Upgrade: h2c' -H 'Connection: Upgrade'
	[ "$code" = 200 ]
	ask GET "$path" -H 'Upgrade: websocket' -H 'Connection: Upgrade'
	[ "$code" = 200 ]
	run -1 python3 "$wsread" "$url/v1/agent/threads/nothing/stream"
	[ "$output" = "$(printf 'HTTP/1.1 403 Agent stream access denied\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"code":"WS_UPGRADE_REJECTED","message":"Agent stream access denied"}')" ]
	run -1 python3 "$wsread" "$url/v1/agent/threads/%E0/stream"
	run -1 python3 "$wsread" "$url$path/stream/"
	[[ "$output" == "HTTP/1.1 426"* ]]
	run -1 python3 "$wsread" --header 'Origin: http://evil.example' "$url$path/stream"
	[[ "$output" == "HTTP/1.1 403 Agent stream access denied"* ]]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_GATEWAY_ENABLED=false start_gateway
	run -1 python3 "$wsread" "$url$path/stream"
	[[ "$output" == "HTTP/1.1 503 Agent websocket is not configured"* ]]
}

@test "what a client sends is read and thrown away; what breaks the protocol ends it and nothing else" {
	start_gateway
	new_thread
	start talker python3 "$wsread" --send '{"a":1}' --send x "$url$path/stream"
	await 20 has_line talker.out thread.started
	for raw in f181000000007b c18000000000 81ff7fffffffffffffff00000000 8180 010100; do
		start "bad$raw" python3 "$wsread" --raw "$raw" "$url$path/stream"
	done
	await 20 ends_with badf181000000007b 1002
	await 20 ends_with badc18000000000 1002
	upload 0 1
	await 20 has_line talker.out '"n":0'
}

@test "a deleted thread, a gateway that stops: the goodbye says why" {
	start_gateway
	new_thread
	start deleted python3 "$wsread" "$url$path/stream"
	await 20 has_line deleted.out thread.started
	ask DELETE "$path"
	await 20 ends_with deleted '1000 Thread deleted'
	new_thread
	start stopped python3 "$wsread" "$url$path/stream"
	await 20 has_line stopped.out thread.started
	kill "$gateway_pid"
	await 20 ends_with stopped '1001 '
	await 20 gone "$gateway_pid"
}

@test "the runtime's stream: notifications with payload and params, replayed from a cursor" {
	AGENT_RUNTIME_PROVIDER=local_process start_gateway --runtime "$mock"
	start reader python3 "$wsread" "$url/v1/agent/runtime/stream"
	ask POST /v1/agent/runtime/account/login/start '{"type":"apiKey","apiKey":"k"}'
	[ "$code" = 200 ]
	await 20 has_line reader.out '"account/updated"'
	[ "$(jq -c keys_unsorted reader.out | sort -u)" = '["type","method","cursor","payload","params","createdAt"]' ]
	[ "$(jq -c 'select(.payload!=.params or .type!=.method)' reader.out)" = '' ]
	last=$(tail -n 1 reader.out | jq .cursor)
	ask POST /v1/agent/runtime/account/logout
	[ "$code$body" = '200{}' ]
	python3 "$wsread" --count 1 "$url/v1/agent/runtime/stream?cursor=$last" | jq -e ".cursor == $last + 1"
	python3 "$wsread" --count 1 "$url/v1/agent/runtime/stream" | jq -e '.cursor == 1'
}
