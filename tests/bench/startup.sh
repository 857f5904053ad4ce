#!/usr/bin/env bash
# startup.sh - each command beside curl -s, curl | jq, jq and a script for Node that ask the same: time and memory of one call
# shellcheck disable=SC2154,SC1091,SC2164 # set by the library
. "$(dirname "$0")/lib.bash"
rounds=$(size 31 1)
gateway
messages 1 r1 1
thread=$(agent-thread-create --workspace bench | jq -r .threadId)
node=$(command -v node) || loud "there is no node: nothing is measured beside a script for it"
cd "$state"
agent-events r1 >events
echo '{"message":"hello","service_id":"svc_echo","agent":"echo"}' >message
echo '{"kind":"agent.note","message":"hello","data":{"runId":"r2"}}' >event
echo '{"executionMode":"cloud"}' >mode
echo '{"title":"bench"}' >title
echo '{"archived":true}' >archived
echo '{"workspaceSlug":"bench"}' >workspace
echo '{}' >empty

# request METHOD PATH BODY-FILE COMMAND...: BODY-FILE -: none
request() {
	local method=$1 path=$2 file=$3 curl="curl -s $url$2" script="$node $bench_src/fetch.mjs $url$2 $1"
	shift 3
	! enough || return 0
	if [ "$file" != - ]; then
		curl="curl -s -X $method -H content-type:application/json -d @$file $url$path"
		script+=" $file"
	fi
	$curl >answer
	attempt contest "start-up: $1" "$*" "$curl" "curl -s" "ratio <= 1.3" "${curl/"$url$path"/"'$url$path'"} | jq -c ." "curl | jq" "jq -c . answer" jq ${node:+"$script" "a Node script"}
}
# in a quick run two of each kind will do
enough() { [ -n "$quick" ] && [ $((asked += 1)) -gt 2 ]; }
# contest NAME OURS THEIRS WHAT GOAL [OTHER WHAT]...: in the same rounds
contest() {
	local name=$1 ours=$2 theirs=$3 what=$4 goal=$5 commands=() names=() records more i
	shift 5
	while [ $# -gt 1 ]; do
		commands+=("$1")
		names+=("$2")
		shift 2
	done
	mapfile -t records < <(bench-commands "$rounds" "$ours" "$theirs" "${commands[@]}")
	if [ "${#records[@]}" != $((${#commands[@]} + 2)) ] || [[ "$(of .status "${records[0]}")" != "$accepted" ]]; then
		echo "$ours: ${records[0]:-}" >&2
		return 1
	fi
	more=$(jq -cn --argjson a "${records[0]}" --argjson b "${records[1]}" '{processor_ratio: ($a.cpu_ms / ([$b.cpu_ms, 0.001] | max) * 1000 | round / 1000)}')
	for i in "${!commands[@]}"; do
		more=$(jq -c --arg name "${names[i]}" --argjson r "${records[i + 2]}" '. + {("\($name): ms"): $r.ms, ("\($name): KiB"): $r.kib}' <<<"$more")
	done
	measure "$name" ms "$(of .ms "${records[0]}")" "$(of .ms "${records[1]}")" "$what" "$goal" "$more"
	measure "memory: ${name#*: }" KiB "$(of .kib "${records[0]}")" "$(of .kib "${records[1]}")" "$what" ""
	if [ "${names[*]: -1:1}" = "a Node script" ] && [ "$name" = "start-up: agent-registry" ]; then
		measure "$name" ms "$(of .ms "${records[0]}")" "$(of .ms "${records[-1]}")" "a Node script" "ratio <= 0.05"
	fi
}

asked=0 accepted=0
# as the commands ask, so that the answers are the same to the byte
events="/api/agents/runs/r1/events?limit=2000&after=0"
request GET /api/agents/registry - agent-registry
request GET '/api/agents/runs?limit=100' - agent-runs
request GET /api/agents/registry - agent-run-create --agent echo
request POST /api/agents/runs/r1/messages message agent-send --service svc_echo --agent echo --run r1 hello
request GET "$events" - agent-events r1
request GET "$events" - agent-watch --until agent.chat.user_message r1
request POST /api/agents/events event agent-emit --run r2 --kind agent.note --message hello
request POST /v1/agent/threads workspace agent-thread-create --workspace bench
request GET "/v1/agent/threads/$thread" - agent-thread-show "$thread"
request GET "/v1/agent/threads?workspaceSlug=bench&state=regular&limit=40" - agent-threads --workspace bench
request PATCH "/v1/agent/threads/$thread/mode" mode agent-thread-mode --thread "$thread" cloud
request PATCH "/v1/agent/threads/$thread" title agent-thread-update --title bench "$thread"
request PATCH "/v1/agent/threads/$thread" archived agent-thread-archive "$thread"
accepted=1 # there are none
request GET "/v1/agent/threads/$thread/approvals?status=pending" - agent-approvals "$thread"
accepted=0
request POST /v1/agent/runtime/account/read empty agent-account-read
request POST /v1/agent/runtime/account/rate-limits/read empty agent-account-limits

asked=0
# those that have no single request, or one that cannot be asked twice: the start alone
for name in agent-account-cancel agent-account-login agent-account-logout agent-approve agent-ask agent-doctor agent-gateway agent-gateway-token agent-hitl-answer agent-hitl-cancel \
	agent-hitl-connect agent-hitl-list agent-hitl-serve agent-hitl-watch agent-image-build agent-pick agent-prompt agent-run-cancel agent-thread-delete \
	agent-turn-interrupt agent-turn-local agent-turn-start clarity-agent claritycli runtime-agents runtime-chat; do
	! enough || break
	attempt contest "start: $name --help" "$name --help" "curl --version" "curl --version" "" "jq -n ." "jq" ${node:+"$node -e 0" "a Node script"}
done
attempt contest "six events for people: agent-show" "agent-show --time none <events" "jq -r .message <events" "jq -r" "ratio <= 1.3"
attempt contest "events through a filter: agent-events --jq" "agent-events --jq .message r1" "curl -s '$url$events' | jq .items[].message" "curl | jq" "ratio <= 1.3"
conclude
