#!/usr/bin/env bats
# A real agent of the Agent Client Protocol behind the gateway: Claude Code's adapter, whose model is a script on this machine.
load lib/common

setup() {
	common_setup
	acp=${CLAUDE_CODE_ACP:-$(command -v claude-code-acp || :)}
	[ -n "$acp" ] || skip 'LOUDLY: no claude-code-acp is on the PATH, and CLAUDE_CODE_ACP names none (tests/acp-install DIR brings it, by npm)'
	mkdir work
	runtime_manifest real "{\"command\":[\"agent-runtime-acp\",\"--\",\"$acp\"],\"cwd\":\"$PWD/work\"}"
	# as root it wants to be told that this is no system to be careful with
	export IS_SANDBOX=1 CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1
	unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN
	start model python3 "$AU_SRC/tests/fake/fake-anthropic" --log asked
	await 20 test -s "$BATS_TEST_TMPDIR/model.out"
	ANTHROPIC_BASE_URL=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/model.out")
	export ANTHROPIC_BASE_URL
}
teardown() { common_teardown; }

begin() {
	start_gateway --agents agents
	agent-run-create --agent real --run r1 >made
}
ended() { agent-watch --timeout 120s --until waiting --outcome=ignore <sent >events; }
said() { jq -r 'select(.kind == "agent.chat.assistant_message").data.message' events; }
asked_for() { agent-approvals r1 >approvals 2>/dev/null && [ -s approvals ]; }

@test "a real agent answers, and remembers what was said" {
	export ANTHROPIC_API_KEY=sk-nobody
	begin
	agent-send --run r1 'good morning' >sent
	ended
	[[ "$(said)" = 'You said: good morning'* ]]
	agent-send --run r1 'and now' >sent
	ended
	[[ "$(said)" = 'You said: and now'* ]]
	jq -se 'any(.[]; (.body.messages // []) | length >= 3)' asked
	run ! grep -rq sk-nobody state "$gateway_log.err" events
}

@test "what it asks permission for is answered from another shell: accepted, and declined" {
	export ANTHROPIC_API_KEY=sk-nobody
	begin
	agent-send --run r1 'RUN touch accepted' >sent
	await 120 asked_for
	jq -e '.kind == "command" and .params.command == "touch accepted"' approvals
	[ ! -e work/accepted ]
	agent-approve <approvals >answered
	ended
	[ -e work/accepted ]
	jq -se 'any(.[]; .kind == "agent.approval_resolved" and .data.decision == "accept")' events
	agent-send --run r1 'RUN touch declined' >sent
	rm approvals
	await 120 asked_for
	agent-approve decline <approvals >answered
	ended
	[ ! -e work/declined ]
}

@test "without a login the reason is the account, with its own code" {
	begin
	agent-send --run r1 'good morning' >sent
	ended
	jq -se 'any(.[]; .kind == "agent.waiting" and (.data.reason | contains("Authentication required") and endswith("(AGENT_RUNTIME_AUTH_REQUIRED)")))' events
}
