#!/usr/bin/env bats
# --wait-for-limit: what meets a limit waits until it is over; without it the error says when that is.
load lib/common
load lib/faults

setup() {
	common_setup
	agent-gateway-token create --state state --user ann --output token >/dev/null
	export AGENT_WORKSPACE=acme
}
teardown() { common_teardown; }

# Two requests at once, and one a second after that.
gateway() { start_gateway --rate 1 --runtime "$AU_BUILD/libexec/agentutils/agent-runtime-mock"; }
use_up() { # until the next request would be one too many
	for _ in 1 2 3; do curl -s -o used -w '%{http_code}\n' -H "Authorization: Bearer $(cat token)" "$url/api/status"; done | grep -q 429
}

# A slow machine may find that the second is over: then once more.
refused() {
	use_up
	"${words[0]}" --token-file token --errors json "${words[@]:1}" >answer 2>said || [ $? = 75 ]
	[ -s said ]
}
waited() { # OPTIONS...
	use_up
	"${words[0]}" --token-file token "$@" "${words[@]:1}" >answer 2>said || return 1
	grep -q 'a limit was met: waiting until 20' said
}

@test "every command that asks a server has it" {
	for command in "$AU_BUILD"/bin/agent-*; do
		[ -x "$command" ] && [ ! -d "$command" ] || continue
		name=${command##*/}
		"$command" --options >options 2>/dev/null || continue
		grep -q -- --cacert options || continue
		grep -q -- --wait-for-limit options || { echo "$name has it not"; false; }
		grep -q -- '-wait-for-limit' "$AU_SRC/man/$name.1" || { echo "$name.1 says nothing of it"; false; }
	done
}

@test "at the limit of the server: status 75 and retry_at without it, and the answer with it" {
	gateway
	thread=$(agent-thread-create --token-file token --wait-for-limit --jq .threadId)
	for command in 'agent-send --run r1 hello' 'agent-registry' 'agent-runs' 'agent-events r1' 'agent-thread-create' \
		"agent-turn-start --thread $thread hello" 'agent-threads'; do
		read -ra words <<<"$command"
		await 60 refused
		jq -e '.error | .http == 429 and .retryable and (.retry_at | type == "string")' said
		await 60 waited --wait-for-limit
	done
	# the same for all commands of a script
	export AGENT_WAIT_FOR_LIMIT=1
	await 60 waited
	AGENT_RUNTIME_TOKEN=$(cat token) runtime-agents "$url" >list
	[ -s list ]
}

@test "what --timeout would not outlast is not waited for; a signal ends the waiting" {
	serve_fault registry 429 application/json '{"error":"slow down"}' 'Retry-After: 3600'
	run -75 --separate-stderr agent-registry --wait-for-limit --timeout 20s
	[[ $stderr == *"slow down"* ]]
	serve_fault registry 429 application/json '{"error":"slow down"}' 'Retry-After: 3600'
	start waiting agent-registry --wait-for-limit
	await 20 has_line waiting.err 'a limit was met'
	kill "$pid"
	await 20 gone "$pid"
	# further away than a month: no
	serve_fault registry 429 application/json '{"error":"slow down"}' 'Retry-After: 3000000'
	run -75 agent-registry --wait-for-limit
}
