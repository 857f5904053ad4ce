#!/usr/bin/env bash
# events.sh - 100,000 events as lines, from a stored answer, beside curl | jq: one NDJSON line
set -eu
state=$(mktemp -d)
trap 'kill "$server"; wait "$server" 2>/dev/null || :; rm -rf "$state"' EXIT
python3 - "$state" <<'PY'
import json, sys
items = [{"seq": i, "at": "2026-11-21T01:46:30.977Z", "kind": "agent.chat.assistant_message", "serviceId": "svc_echo", "level": "info",
  "message": "Assistant message emitted (run_1)", "data": {"runId": "run_1", "serviceId": "svc_echo", "agent": "echo", "role": "assistant",
  "message": "Echo: hello number %d" % i, "provider": "echo", "source": "runtime_hitl_executor"}} for i in range(1, 100001)]
open(sys.argv[1] + "/events", "w").write(json.dumps({"runId": "run_1", "items": items}, indent=2) + "\n")
PY
python3 "$(dirname "$0")/../fake/fake-http" --status 200 --type application/json --body "$state/events" >"$state/out" 2>&1 &
server=$!
until [ -s "$state/out" ]; do kill -0 "$server"; done
url=$(head -n 1 "$state/out")
clock() {
	local begin=${EPOCHREALTIME/./}
	"$@"
	echo $((${EPOCHREALTIME/./} - begin))
}
ours() { agent-events --url "$url" run_1 >"$state/a"; }
theirs() { curl -s "$url/api/agents/runs/run_1/events" | jq -c '.items[]' >"$state/b"; }
ours
o=$(clock ours)
t=$(clock theirs)
cmp -s "$state/a" "$state/b" || { echo "the lines differ" >&2; exit 1; }
jq -cn --argjson o "$o" --argjson t "$t" '{name: "100,000 events to lines", value: ($o / 1000), unit: "ms", beside: "curl | jq -c", beside_value: ($t / 1000), ratio: ($t / $o), goal: "ratio >= 5"}'
