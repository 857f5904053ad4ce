#!/usr/bin/env bash
# events.sh - many stored events as lines, beside curl | jq: both get the same answer from the same server
# shellcheck disable=SC2154,SC1091
. "$(dirname "$0")/lib.bash"

# answer N: an answer with so many events, laid out as the server's
answer() {
	awk -v n="$1" 'BEGIN {
		printf "{\n  \"runId\": \"run_1\",\n  \"items\": [\n"
		for (i = 1; i <= n; i++) {
			printf "    {\n      \"seq\": %d,\n      \"at\": \"2026-01-02T03:04:05.678Z\",\n      \"kind\": \"agent.chat.assistant_message\",\n", i
			printf "      \"serviceId\": \"svc_echo\",\n      \"level\": \"info\",\n      \"message\": \"Assistant message emitted (run_1)\",\n"
			printf "      \"data\": {\n        \"runId\": \"run_1\",\n        \"serviceId\": \"svc_echo\",\n        \"agent\": \"echo\",\n        \"role\": \"assistant\",\n"
			printf "        \"message\": \"Echo: hello number %d\",\n        \"provider\": \"echo\",\n        \"source\": \"runtime_hitl_executor\"\n      }\n    }%s\n", i, i < n ? "," : ""
		}
		printf "  ]\n}\n"
	}' >"$state/answer"
}

# contest N ROUNDS
contest() {
	local server out records
	answer "$1"
	out=$state/server
	: >"$out"
	python3 "$bench_src/../fake/fake-http" --status 200 --body "$state/answer" >"$out" 2>&1 &
	server=$!
	pids+=("$server")
	until [ -s "$out" ]; do kill -0 "$server"; done
	url=$(head -n 1 "$out")
	if [ "$2" != 1 ] && ! cmp -s <(agent-events --url "$url" run_1) <(curl -s "$url/api/agents/runs/run_1/events" | jq -c '.items[]'); then
		loud "the lines differ"
		return 1
	fi
	mapfile -t records < <(bench-commands "$2" "agent-events --url $url run_1" "curl -s $url/api/agents/runs/run_1/events | jq -c .items[]")
	measure "$1 events to lines" ms "$(of .ms "${records[0]}")" "$(of .ms "${records[1]}")" "curl | jq -c" "ratio <= 0.2" \
		"$(jq -cs '{processor_ratio: (.[0].cpu_ms / .[1].cpu_ms * 1000 | round / 1000)}' <<<"${records[0]}${records[1]}")"
	measure "$1 events to lines: memory" KiB "$(of .kib "${records[0]}")" "$(of .kib "${records[1]}")" "curl | jq -c" "ours <= 16384"
	end "$server"
}
attempt contest "$(size 100000 200)" "$(size 3 2)"
# the other program keeps the whole of it: some 2 GB
if [ "$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)" -lt 4000000 ]; then
	loud "there are less than 4 GB of memory: a million events are not measured"
else
	attempt contest "$(size 1000000 300)" 1
fi
conclude
