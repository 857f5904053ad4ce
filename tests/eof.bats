#!/usr/bin/env bats
# The end of standard input: every command ends by itself, with a status of its page, and answers, sends, begins and changes nothing.
load lib/common

setup() {
	common_setup
	export CLARITY_HITL_DIR=$BATS_TEST_TMPDIR/hitl
	mkdir "$CLARITY_HITL_DIR"
	start_gateway
	export AGENT_RUNTIME_URL=$url
	agent-run-create --agent echo --run old >/dev/null
	thread=$(agent-thread-create --workspace w --jq .threadId)
	printf '{"key":"deploy.now","question":"deploy?","timestamp":%s000}' "$(date +%s)" >"$CLARITY_HITL_DIR/deploy_now.question"
	state >before
}
teardown() { common_teardown; }

# what there is: the log, the runs, the threads, the questions
state() {
	curl -s "$url/api/audit?limit=2000" | jq -c '[.items[].seq]'
	agent-runs --quiet --jq '[.runId, .status, .eventCount] | tojson'
	agent-threads --quiet --workspace w --jq '[.threadId, .status] | tojson'
	curl -s "$url/questions" | jq -c '[.[] | .key]'
	ls "$CLARITY_HITL_DIR"
}
# ends STATUS COMMAND...: with an input that has ended, at once or after blanks only
ends() {
	local want=$1 got=0
	shift
	for input in /dev/null blank; do
		timeout 30 "$@" <$input >out 2>err || got=$?
		[ "$got" = "$want" ] || {
			echo "$* <$input: status $got, not $want" >&2
			cat out err >&2
			return 1
		}
		got=0
	done
	state | diff before - || { echo "$* changed something" >&2; return 1; }
}

@test "every command without arguments" {
	for file in "$AU_BUILD"/bin/*; do
		c=${file##*/}
		case $c in
		TEMPLATE | *.o | *.tmp | *.log | *.trs | agent-gateway) continue ;;
		agent-hitl-serve | agent-hitl-watch) continue ;; # they read no input, and stay
		esac
		[ -f "$file" ] && [ -x "$file" ] || continue
		status=0
		timeout 30 "$c" </dev/null >out 2>err || status=$?
		case $status in
		[0-9] | 1[0-6] | 70 | 75) ;;
		*) echo "$c: status $status" >&2; cat out err >&2; return 1 ;;
		esac
		state | diff before - || { echo "$c changed something" >&2; return 1; }
	done
}

@test "commands that read records or messages" {
	: >blank # records: blanks are none
	for c in agent-run-create agent-run-cancel agent-watch agent-emit agent-show agent-thread-show agent-turn-interrupt; do ends 0 $c; done
	ends 1 agent-pick
	ends 2 agent-send
	ends 2 agent-turn-start
	printf ' \n\n' >blank
	for c in agent-show agent-emit; do ends 0 $c; done
	ends 6 agent-send --run old
	ends 6 agent-turn-start --thread "$thread"
	printf '{"runId":"old"}' | { run -6 --separate-stderr agent-send ' '; }
	state | diff before -
}

@test "commands that ask people" {
	printf ' \n' >blank
	: >empty
	# an empty line is an approval: so only the end of the input itself is tried where lines are answers
	cp empty blank
	ends 1 agent-hitl-connect
	ends 1 agent-hitl-connect "$url"
	ends 1 clarity-agent watch "$CLARITY_HITL_DIR"
	ends 1 clarity-agent connect "$url"
	ends 2 agent-hitl-answer deploy.now
	ends 6 agent-hitl-answer deploy.now --file -
	ends 1 clarity-agent answer deploy.now --dir "$CLARITY_HITL_DIR"
	ends 5 agent-ask --timeout 100ms --dir "$BATS_TEST_TMPDIR/other" --confirm 'deploy?'
	ends 5 agent-ask --timeout 100ms --dir "$BATS_TEST_TMPDIR/other" --choices a,b 'which?'
	printf '%s' '{"approvalId":"x"' >half
	run -6 --separate-stderr agent-approve <half
	state | diff before -
}

@test "chats: nothing is chosen, no run is begun" {
	printf '\n \n' >blank
	ends 1 clarity-agent runtime-agents
	ends 1 clarity-agent connect
	ends 1 env -u AGENT_RUNTIME_URL clarity-agent runtime-chat
	ends 1 clarity-agent runtime-chat "$url"
	ends 1 clarity-agent runtime-chat "$url" --bridge ts
	ends 1 clarity-agent runtime-chat "$url" --bridge clarity
	ends 1 runtime-chat "$url"
}

@test "a chat that has begun ends, and nothing is said in it" {
	for texts in native ts clarity ''; do
		input=1
		[ "$texts" != clarity ] || input=$'\n1' # it asks for a token first
		timeout 60 runtime-chat ${texts:+--texts $texts} "$url" <<<"$input" >out
		run=$(sed -n 's/^\(Started run\|Run\): //p' out)
		[ -n "$run" ]
		[ "$(agent-events "$run" --jq .kind | tr '\n' ' ')" = 'agent.run_created agent.run_started ' ]
	done
	timeout 60 claritycli "$url" --no-tty-select <<<$'1\n' >out
	[ "$(agent-runs --jq 'select(.runId | startswith("run_cli_")) | .eventCount' | sort -u)" = 2 ]
}
