#!/usr/bin/env bash
# store.sh - what grows with the log: memory, start, replay, posting and reading at 10,000, 100,000 and 1,000,000 events, a long run, many runs
# shellcheck disable=SC2154,SC1091
. "$(dirname "$0")/lib.bash"
limit 2
one='{"message":"hello","service_id":"svc_echo","agent":"echo"}'

# restart: the same log again; sets started_ms
restart() {
	local begin
	gateway_stop
	begin=${EPOCHREALTIME/./}
	gateway
	started_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
}
# look NAME FIRST: posts and pages now, beside the first time
look() {
	local post page
	post=$(bench-http -m POST -b "$one" -n "$(size 2000 40)" 8 '/api/agents/runs/look%c/messages' "$url")
	page=$(bench-http "${limit[@]}" 8 '/api/agents/runs/page/events?limit=200' "$url")
	first_post=${first_post:-$(of .p50_ms "$post")}
	first_page=${first_page:-$(of .p50_ms "$page")}
	measure "$1: a message, 8 connections" ms "$(of .p50_ms "$post")" "$first_post" "the same with $small events" "" "$(jq -c '{p99_ms}' <<<"$post")"
	measure "$1: a page of 200 events, 8 connections" ms "$(of .p50_ms "$page")" "$first_page" "the same with $small events" "" "$(jq -c '{p99_ms}' <<<"$page")"
}

# rested: until the gateway has given back what it needs no more, or long enough; sets busy_kib, full_kib
rested() {
	local deadline=$((SECONDS + 15))
	busy_kib=$(resident "$gateway")
	full_kib=$busy_kib
	until [ -n "$quick" ] || [ $((full_kib - empty_kib)) -le 10240 ] || [ $SECONDS -gt $deadline ]; do sleep 0.1 && full_kib=$(resident "$gateway"); done
}

# a log that grows, then started again, then read from its beginning
grow() {
	local empty_ms empty_kib full_kib busy_kib small stored events begin n pages_ms stream_ms reader first_post='' first_page=''
	gateway
	restart
	empty_ms=$started_ms
	empty_kib=$(resident "$gateway")
	measure "a gateway at rest" MiB "$(jq -n "$empty_kib / 1024")" null "" "ours <= 10"
	small=$(size 10000 600)
	messages 50 page 1 # the run whose newest events are read
	stored=250
	for events in "$small" "$(size 100000 900)" "$(size 1000000 1200)"; do
		messages $(((events - stored) / 5)) 'grow%c'
		look "a log of $events events"
		stored=$(curl -sS "$url/metrics" | awk '$1 == "agent_gateway_log_last_seq" { print $2 }') # with those of the look
	done
	rested
	measure "$events events taken: memory more than without, at rest" MiB "$(jq -n "($full_kib - $empty_kib) / 1024")" null "" "ours <= 10" \
		"{\"before_the_rest\":$(jq -n "($busy_kib - $empty_kib) / 1024")}"
	restart
	full_kib=$(resident "$gateway")
	measure "start with $events events" ms "$started_ms" "$empty_ms" "start without any" ""
	measure "$events events stored: memory more than without" MiB "$(jq -n "($full_kib - $empty_kib) / 1024")" null "" "ours <= 10"
	# all of it again: as lines of a command, and as the stream that a reader comes back to
	begin=${EPOCHREALTIME/./}
	n=$(agent-events --all --after 0 | wc -l)
	pages_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	begin=${EPOCHREALTIME/./}
	mkfifo "$state/stream"
	curl -sN "$url/api/events?after=0" >"$state/stream" &
	reader=$!
	sed '/^: live/q' <"$state/stream" | grep -c '^data: ' >"$state/streamed"
	stream_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	end "$reader"
	measure "replay as lines of agent-events --all" 1/s "$(jq -n "$n / $pages_ms * 1000")" null "" "" "{\"events\":$n}"
	measure "replay as server-sent events to curl" 1/s "$(jq -n "$(cat "$state/streamed") / $stream_ms * 1000")" null "" "" "{\"events\":$(cat "$state/streamed")}"
	measure "after that: memory" MiB "$(jq -n "$(resident "$gateway") / 1024")" "$(jq -n "$full_kib / 1024")" "before" ""
	gateway_end
}
# one run of 100,000 events
one_run() {
	local long post page fresh
	long=$(size 100000 600)
	gateway
	messages $((long / 5)) long 1
	post=$(bench-http -m POST -b "$one" "${limit[@]}" 1 '/api/agents/runs/long/messages' "$url")
	fresh=$(bench-http -m POST -b "$one" "${limit[@]}" 1 '/api/agents/runs/fresh/messages' "$url")
	measure "a run of $long events: a message, 1 connection" ms "$(of .p50_ms "$post")" "$(of .p50_ms "$fresh")" "a new run" ""
	page=$(bench-http "${limit[@]}" 8 "/api/agents/runs/long/events?limit=200" "$url")
	fresh=$(bench-http "${limit[@]}" 8 "/api/agents/runs/fresh/events?limit=200" "$url")
	measure "a run of $long events: its newest 200" ms "$(of .p50_ms "$page")" "$(of .p50_ms "$fresh")" "a new run" ""
	page=$(bench-http "${limit[@]}" 8 "/api/agents/runs/long/events?limit=200&after=$((long / 2))" "$url")
	measure "a run of $long events: 200 from its middle" ms "$(of .p50_ms "$page")" "$(of .p50_ms "$fresh")" "a new run's newest" ""
	gateway_end
}
# 10,000 runs
many_runs() {
	local many few page
	many=$(size 10000 100)
	gateway
	messages 100 'r%n' 64
	few=$(bench-http "${limit[@]}" 8 '/api/agents/runs?limit=100' "$url")
	messages "$many" 'more%n'
	page=$(bench-http "${limit[@]}" 8 '/api/agents/runs?limit=100' "$url")
	measure "$((many + 100)) runs: the newest 100" ms "$(of .p50_ms "$page")" "$(of .p50_ms "$few")" "100 runs" ""
	gateway_end
}
attempt grow
attempt one_run
attempt many_runs
conclude
