#!/usr/bin/env bats
# agent-run-create: a run is opened as every client of the wire opens one.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "a registry item becomes a run record, on a gateway and on a Clarity runtime" {
	for server in start_gateway start_clarity; do
		$server
		run -0 --separate-stderr agent-run-create < <(agent-registry | head -n 1)
		jq -e '.runId | test("^run_cli_[0-9]+_[0-9a-f]{8}$")' <<<"$output"
		[ "$(jq -r '.agent | type' <<<"$output")" = string ]
		runid=$(jq -r .runId <<<"$output")
		[ "$(agent-runs "$runid" --jq .status)" = running ]
	done
}

@test "the two events are those of the contract, member for member" {
	start_gateway
	agent-run-create --agent echo --run r1 >/dev/null
	[ "$(agent-events r1 --jq 'del(.seq, .at) | tojson')" = '{"kind":"agent.run_created","serviceId":"svc_echo","level":"info","message":"agent.run_created (r1)","data":{"runId":"r1","serviceId":"svc_echo","agent":"echo","trigger":"api","triggerContext":{"route":"/cli/runtime-chat","method":"CLI","requestId":"r1","caller":"clarity-agent-cli"},"route":"/cli/runtime-chat","method":"CLI","requestId":"r1","caller":"clarity-agent-cli"}}
{"kind":"agent.run_started","serviceId":"svc_echo","level":"info","message":"agent.run_started (r1)","data":{"runId":"r1","serviceId":"svc_echo","agent":"echo","trigger":"api","triggerContext":{"route":"/cli/runtime-chat","method":"CLI","requestId":"r1","caller":"clarity-agent-cli"}}}' ]
}

@test "a trigger that there is none of is refused before anything is asked" {
	export AGENT_RUNTIME_URL=http://127.0.0.1:1
	run -2 --separate-stderr agent-run-create --agent echo --trigger cron --context '{}'
	[ "${stderr_lines[0]}" = "agent-run-create: unable to use --trigger 'cron': expected api, event, timer or a2a" ]
	run -2 --separate-stderr agent-run-create --agent echo --trigger event
	[ "${stderr_lines[0]}" = "agent-run-create: --trigger 'event' needs its --context" ]
}

@test "a service or an agent alone is looked up; none is no, several are a conflict" {
	start_gateway
	[ "$(agent-run-create --service svc_echo --jq .agent)" = echo ]
	[ "$(agent-run-create --agent shell --jq .serviceId)" = svc_shell ]
	run -1 --separate-stderr agent-run-create --agent nobody
	[[ $stderr == *"no agent 'nobody' at $url"* ]]
	mkdir two
	jq '.metadata.serviceId = "svc_a"' "$AU_SRC/bin/gateway/builtin/echo.json" >two/a.json
	jq '.metadata.serviceId = "svc_b"' "$AU_SRC/bin/gateway/builtin/echo.json" >two/b.json
	common_teardown
	start_gateway --agents two
	run -14 --separate-stderr agent-run-create --agent echo
	[[ $stderr == *"svc_a, svc_b"* ]]
}

@test "asking again with the same key makes no second run" {
	start_gateway
	agent-run-create --agent echo --run same --idempotency-key k1 >/dev/null
	agent-run-create --agent echo --run same --idempotency-key k1 >/dev/null
	[ "$(agent-events same | wc -l)" = 2 ]
}

@test "ids with slashes, dots and percent signs stay what they are" {
	start_gateway
	for id in 'a/b' '..' 'a%2Fb' 'ü x'; do
		agent-run-create --agent echo --run "$id" | agent-send hi >/dev/null
		[ "$(agent-events "$id" --jq .data.runId | sort -u)" = "$id" ]
	done
}

@test "one bad record does not stop the others, and the status remembers" {
	start_gateway
	run -6 --separate-stderr agent-run-create < <(agent-registry --agent echo; echo nonsense; echo '{}'; agent-registry --agent shell)
	[ "${#lines[@]}" = 2 ]
	[[ $stderr == *"line 2"* ]]
}

@test "-0 prints ids for xargs" {
	start_gateway
	[ "$(agent-registry | agent-run-create -0 | xargs -0 agent-runs --jq .runId | wc -l)" = 2 ]
}
