#!/usr/bin/env bats
# Attacks on who looks: text from agents, servers, runtimes and neighbours that drives terminals, in every member of every record there is.
load lib/common

setup() {
	common_setup
	evil=$'\e]0;evil\a\e]8;;http://evil\e\\\e]52;c;ZXZpbA==\a\e[2J\e[31m\x7f\r\x08\u0085\u0090\u009b31m\u009d0;evil\u009c\u00ad\u061c\u200b\u202e\u2066\u2028\ufeff\U000e0041marked'
	export evil
}
teardown() { common_teardown; }

shown() { "$AU_SRC/tests/lib/check-shown" "$@"; }
# The words in which agent-show looks for members, and those of the contract: a new one cannot be forgotten.
members() { { grep -ohE '"[A-Za-z_]+"' "$AU_SRC"/common/show*.c "$AU_SRC/common/event.c"; jq '[.. | .properties? // empty | keys[]] | .[]' "$AU_SRC/contract/openapi.json"; } | sort -u | jq -s .; }
kinds() { { grep -rhoE '"agent\.[a-z_.]+[a-z]"' "$AU_SRC/bin/gateway" "$AU_SRC/common"; echo '"agent.made_up"'; } | sort -u | jq -s .; }

@test "no member of any record drives a terminal through agent-show, in no form" {
	jq -c --argjson members "$(members)" --argjson kinds "$(kinds)" '
		# a record of a schema: all members, of the evil text where it is text; with $words what is one of a few words is the first of them
		def example($all; $words): . as $s |
			if has("$ref") then $all[.["$ref"] | split("/") | last] | example($all; $words)
			elif has("enum") and $words then .enum[0]
			elif (.anyOf // .oneOf) then [(.anyOf // .oneOf)[] | select(.type != "null")][0] | example($all; $words)
			elif ([.type] | flatten | index("object")) or has("properties") then .properties // {} | map_values(example($all; $words))
			elif [.type] | flatten | index("array") then [.items // {} | example($all; $words)]
			elif [.type] | flatten | index("integer") or index("number") then 1
			elif [.type] | flatten | index("boolean") then true
			else env.evil end;
		.components.schemas as $all | ($all.ThreadMethod.enum + ["made.up"]) as $methods
		| ($members | map({(.): env.evil}) | add) as $fat
		| ($fat + {item: ($fat + {type: "commandExecution", exitCode: 1, status: "failed", changes: [$fat]}), plan: [$fat], params: $fat, error: $fat, output: $fat, input: $fat}) as $deep
		# whole records; the same with evil words; each member alone; members of members alone
		| ($all[] | example($all; true, false)),
		($kinds[] as $kind | {kind: $kind, level: "info", seq: 1, at: "2026-01-01T00:00:00Z", runId: "r", message: env.evil}
			| (., . + {at: env.evil, level: env.evil, kind: ($kind + env.evil)} | ., . + {data: $deep}), . + {data: ($members[] | {(.): env.evil})}),
		($methods[] as $method | {method: $method, cursor: 1, threadId: "t", turnId: "u", createdAt: "2026-01-01T00:00:00Z"}
			| ((., . + {createdAt: env.evil, turnId: env.evil, method: ($method + env.evil)} | . + {payload: $deep}, . + {payload: ($deep | .item.type = "fileChange")}),
			. + {payload: ($members[] | {(.): env.evil})},
			. + {payload: (("item", "error", "params", "output", "input") as $in | $members[] | {($in): {(.): env.evil, type: "commandExecution"}, status: "completed"})})),
		($members[] | {runId: "r", (.): env.evil}, {threadId: "t", executionMode: "cloud", (.): env.evil}, {approvalId: "a", (.): env.evil}, {serviceId: "s", agent: {(.): env.evil}},
			{turnId: "u", input: {text: "x"}, (.): env.evil})' "$AU_SRC/contract/openapi.json" >records
	[ "$(wc -l <records)" -gt 5000 ]
	for form in '' '--format line' '--format plain' '--format table' '--time local' '--color never --agent x'; do
		# shellcheck disable=SC2086 # words of an option
		agent-show $form <records >text 2>text.err || [ $? = 6 ]
		[ "$(grep -c marked text)" -gt 50 ] || { echo "agent-show $form shows little: $(head -c 300 text)"; return 1; }
		shown text text.err || { echo "agent-show $form"; return 1; }
	done
	agent-show --color always <records | sed $'s/\e\\[[0-9;]*m//g' >text
	shown text
	# what is no record, too
	printf '%s\n' "$evil" "{\"kind\":\"$evil" "[\"$evil\"]" $'\xff\x9b31m' | agent-show >text 2>text.err || :
	shown text text.err
	# the checker finds what it is for
	for text in $'\e' $'\x9b' $'\u009b' $'\u202e' $'\x7f' $'\u200b'; do
		printf 'a%sb\n' "$text" >text
		run ! shown text
	done
}

# A gateway with something of everything, and the evil one before it: $evil_url
evil_server() {
	start_gateway --agents "$BATS_TEST_TMPDIR/agents"
	direct=$url
	agent-send --run r1 --service svc_echo --agent echo "hello" >/dev/null
	agent-emit --run r2 --kind agent.waiting --data '{"reason":"so","agent":"echo","serviceId":"svc_echo"}' >/dev/null
	jq -nc '{key: "k1", question: "why?"}' | curl -sS -o /dev/null -H 'Content-Type: application/json' -d @- "$url/questions"
	thread=$(agent-thread-create --workspace w --title hello | jq -r .threadId)
	agent-turn-start --wait --thread "$thread" "hello" >/dev/null
	agent-turn-start --no-wait --thread "$thread" "RUN it" >turn
	has_approval() { agent-approvals --thread "$thread" >approval 2>/dev/null; }
	await 30 has_approval
	start "evil$*" "$AU_SRC/tests/fake/fake-evil" --to "$url" "$@"
	await 20 has_line "evil$*.out" '^http'
	evil_url=$(cat "evil$*.out")
	export AGENT_RUNTIME_URL=$evil_url
}
evil_agents() {
	mkdir agents
	cp "$AU_SRC/bin/gateway/builtin/echo.json" agents
	printf '%s\n' '{"on":"turn","contains":"RUN"}' '{"command":"ls","ask":true,"reason":"to see","output":"done"}' >script
	export AGENT_RUNTIME_PROVIDER=local_process AGENT_RUNTIME_COMMAND="'$AU_BUILD/libexec/agentutils/agent-runtime-mock' --script '$BATS_TEST_TMPDIR/script'"
}
# looks NAME STATUS-PATTERN COMMAND...: what is said for eyes, on both outputs; it shows the text, made harmless
looks() {
	local name=$1
	shift
	timeout 60 "$@" >"$name.said" 2>"$name.err" </dev/null || :
	shown "$name.said" "$name.err" || { echo "$*"; return 1; }
	grep -q marked "$name.said" "$name.err" || { echo "$* shows nothing:"; cat "$name.said" "$name.err"; return 1; }
}
# records COMMAND...: records are as they came, but no control character that JSON knows stands in them; what is said beside them is for eyes
records() {
	timeout 60 "$@" >records.said 2>records.err </dev/null || :
	run ! env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f]' records.said
	shown records.err || { echo "$*"; return 1; }
	grep -q marked records.said records.err || { echo "$* shows nothing:"; cat records.said records.err; return 1; }
}

@test "a hostile server drives no terminal through any command that asks it" {
	evil_agents
	evil_server
	looks agents runtime-agents
	looks doctor agent-doctor
	looks chat runtime-chat --agent echo --run-id r1 --wait 1 "$evil_url" svc_echo
	looks resume runtime-chat --resume-latest --wait 1 "$evil_url" svc_echo
	looks chat-new sh -c "echo hello | runtime-chat --wait 5 '$evil_url' svc_echo"
	looks chat-ask sh -c "printf '1\nhello\n/status\n/exit\n' | runtime-chat --wait 5 '$evil_url'"
	for texts in native clarity ts; do
		looks "chat-$texts" sh -c "printf '1\nhello\n/status\n/exit\n' | runtime-chat --texts $texts --poll-ms 300 '$evil_url'"
	done
	looks claritycli sh -c "printf '1\nx\nhello\n/agents\n/status\n/exit\n' | claritycli '$evil_url'"
	looks clarity-agents clarity-agent runtime-agents "$evil_url"
	looks connect sh -c "printf 'yes\n' | agent-hitl-connect --broker '$evil_url' --poll 200ms"
	jq -nc '{key: "k2", question: "why?"}' | curl -sS -o /dev/null -H 'Content-Type: application/json' -d @- "$direct/questions"
	looks clarity-connect sh -c "printf 'yes\n' | clarity-agent connect '$evil_url' --timeout 5"
	agent-registry >registry
	looks pick bash -c "agent-pick --answers 9 --list-to 2 <registry 9<<<\$'\e[31m\u009b\u202emarked\n1' >chosen"
	cmp chosen registry
	looks pick-index bash -c 'agent-pick --index "$evil" <registry'
	for command in agent-registry agent-runs 'agent-events r1' "agent-events --thread $thread" 'agent-watch --all --after 0 --until agent.waiting --timeout 10s' 'agent-threads --workspace w' "agent-thread-show $thread" \
		"agent-approvals --status all --thread $thread" "agent-hitl-list --broker $evil_url" 'agent-send --timeout 2s --run r3 --service svc_echo --agent echo --wait hello' \
		"agent-thread-update --title x $thread" "agent-thread-create --workspace w" 'agent-thread-show none' 'agent-run-cancel r9' \
		'agent-account-read' "agent-turn-start --thread $thread busy" 'agent-turn-interrupt --thread none --turn none'; do
		# shellcheck disable=SC2086 # words
		records $command || return 1
	done
}

@test "the same where not even the words that programs look for are left" {
	evil_agents
	evil_server --all
	for command in agent-registry agent-runs 'agent-events r1' "agent-events --thread $thread" 'agent-threads --workspace w' "agent-thread-show $thread" \
		"agent-hitl-list --broker $evil_url" 'agent-send --run r3 --service svc_echo --agent echo hello' 'agent-watch --all --after 0 --timeout 2s' "agent-turn-start --thread $thread busy"; do
		# shellcheck disable=SC2086 # words
		records $command || return 1
	done
	looks agents runtime-agents
	looks chat sh -c "echo hello | runtime-chat --wait 2 '$evil_url' svc_echo"
	looks doctor agent-doctor
}

@test "neighbours: questions in a directory, runtimes, manifests, states and programs drive no terminal" {
	export CLARITY_HITL_DIR=$BATS_TEST_TMPDIR/hitl
	mkdir -m 700 hitl
	start ask agent-ask --dir hitl --key "k$evil" "why? $evil"
	pending() { [ "$(agent-hitl-list --dir hitl | wc -l)" = 1 ]; }
	await 20 pending
	looks connect sh -c 'printf "yes\n" | agent-hitl-connect --dir hitl'
	start ask agent-ask --dir hitl --key "k$evil" "why? $evil"
	await 20 pending
	looks list clarity-agent list hitl
	looks watch clarity-agent watch hitl --timeout 3
	looks cancel clarity-agent cancel "k$evil" hitl
	# a runtime that fails with its last words, and a program that says its version
	mkdir tools
	printf '#!/bin/sh\nprintf "%%s\\n" "$evil" >&2\necho "$evil"\nexit 3\n' >tools/bad
	sed 's/exit 3//' tools/bad >tools/codex
	chmod +x tools/*
	looks doctor env PATH="$BATS_TEST_TMPDIR/tools:$PATH" CODEX_APP_SERVER_COMMAND="$BATS_TEST_TMPDIR/tools/codex" agent-doctor --local --state "$BATS_TEST_TMPDIR/state$evil"
	AGENT_RUNTIME_PROVIDER=local_process AGENT_RUNTIME_COMMAND="'$BATS_TEST_TMPDIR/tools/bad'" start_gateway
	thread=$(agent-thread-create --workspace w | jq -r .threadId)
	for command in "agent-turn-start --thread $thread hello" agent-account-read; do
		run $command 2>&1
		printf '%s\n' "$output" >text
		shown text "$gateway_log.err"
	done
	# manifests and names of files
	mkdir "agents${evil//\//_}"
	echo "{\"metadata\":{\"serviceId\":\"$evil\"}" >"agents${evil//\//_}/${evil//\//_}.json"
	looks gateway agent-gateway --check --agents "agents${evil//\//_}" --state state
	looks gateway-state agent-gateway --check --store "sqlite:/nowhere/$evil"
	for command in agent-runs agent-show agent-pick runtime-chat clarity-agent claritycli runtime-agents agent-doctor agent-gateway agent-gateway-token agent-ask agent-image-build agent-turn-local; do
		looks usage "$command" "--$evil"
		[ "$command" != agent-ask ] || continue # it asks whatever it is given
		timeout 60 "$command" "$evil" "$evil" "$evil" >text 2>text.err </dev/null || :
		shown text text.err || { echo "$command"; return 1; }
	done
}

@test "on a terminal records show what would drive it as JSON's escapes, which mean the same; in a pipe they are as they came" {
	start_gateway
	agent-emit --run r1 --kind agent.note --data "$(jq -nc '{a: env.evil}')" >/dev/null
	cat >terminal.py <<-'PY'
	import os, pty, sys
	out = open(sys.argv[1], "wb")
	def read(fd):
	    data = os.read(fd, 65536)
	    out.write(data)
	    return data
	sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))
	PY
	python3 terminal.py screen agent-events r1 </dev/null >/dev/null
	tr -d '\r' <screen >records
	shown records
	jq -e '.data.a == env.evil' records
	agent-events r1 >piped
	jq -e '.data.a == env.evil' piped
	grep -q $'\u202e' piped
	python3 terminal.py screen agent-events --jq .data.a r1 </dev/null >/dev/null
	tr -d '\r' <screen >records
	shown records
	grep -qF '\u001b]52;c;ZXZpbA==\u0007' records
	grep -qF '\udb40\udc41marked' records
	# the chat, with its line that is typed; its own sequences are those of the line editor
	python3 terminal.py screen timeout -s INT 10 runtime-chat --run-id r1 --agent echo "$url" svc_echo </dev/null >/dev/null || :
	run ! grep -qE $'\e\\]|\xc2[\x80-\x9f]|\xe2\x80\xae|\e\\[2J' screen
}
