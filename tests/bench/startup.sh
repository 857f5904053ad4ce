#!/usr/bin/env bash
# startup.sh - start-up of a command with one GET on loopback, beside curl -s of the same URL: one NDJSON line for each
set -eu
state=$(mktemp -d)
trap 'kill "$gateway"; wait "$gateway" || :; rm -rf "$state"' EXIT
agent-gateway --listen 127.0.0.1:0 --state "$state" >"$state/out" 2>"$state/err" &
gateway=$!
until [ -s "$state/out" ]; do kill -0 "$gateway"; done
AGENT_RUNTIME_URL=$(jq -r .url "$state/out")
export AGENT_RUNTIME_URL
# median NAME COMMAND...: milliseconds, of 51 runs
median() {
	for _ in $(seq 51); do
		local begin=${EPOCHREALTIME/./}
		"$@" >/dev/null 2>&1
		echo $((${EPOCHREALTIME/./} - begin))
	done | sort -n | sed -n 26p
}
ours=$(median agent-registry)
curl=$(median curl -s "$AGENT_RUNTIME_URL/api/agents/registry")
help=$(median agent-send --help)
jq -cn --argjson o "$ours" --argjson c "$curl" '{name: "start-up and one GET", value: ($o / 1000), unit: "ms", beside: "curl -s", beside_value: ($c / 1000), ratio: ($o / $c), goal: "ratio <= 1.3"}'
jq -cn --argjson h "$help" '{name: "agent-send --help", value: ($h / 1000), unit: "ms"}'
