#!/usr/bin/env bash
# latency.sh - from a post to the line that agent-watch prints, beside curl on the same stream
# shellcheck disable=SC2154,SC1091
. "$(dirname "$0")/lib.bash"
n=$(size 1000 20)
gateway
ours=$(wake "$n" "$url" r1 agent-watch --until never r1)
theirs=$(wake "$n" "$url" r2 curl -sN "$url/api/agents/runs/r2/events/stream")
measure "from a post to agent-watch's line: middle" ms "$(of .p50_ms "$ours")" "$(of .p50_ms "$theirs")" "curl -N" ""
measure "from a post to agent-watch's line: 99 of 100 within" ms "$(of .p99_ms "$ours")" "$(of .p99_ms "$theirs")" "curl -N" ""
measure "from a post to agent-watch's line, over the fsync" ms "$(of '[.over_ms, 0] | max' "$ours")" "$(of '[.over_ms, 0] | max' "$theirs")" "curl -N" "ours <= 1" \
	"$(jq -c '{fsync_ms: .fsync_p50_ms}' <<<"$ours")"
