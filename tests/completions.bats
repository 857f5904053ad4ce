#!/usr/bin/env bats
# completions.bats - what Tab offers
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

# complete_line WORDS...: what bash offers for the last word; it hands words over in parts, as it does
complete_line() {
	bash --norc -c '
		. "$AU_BUILD/completions/bash/$1"
		COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_WORDS=()
		for word; do
			[ -n "$word" ] || COMP_WORDS+=("")
			while [ -n "$word" ]; do
				part=${word%%[:=]*}
				[ -z "$part" ] || COMP_WORDS+=("$part")
				word=${word#"$part"}
				[ -z "$word" ] || COMP_WORDS+=("${word:0:1}")
				word=${word:1}
			done
		done
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		compopt() { :; }
		"_${1//-/_}"
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$@"
}

@test "bash: every command completes every option of its table" {
	for file in "$AU_BUILD"/completions/bash/*; do
		name=${file##*/}
		run complete_line "$name" --
		assert_output "$("$name" --options | cut -f 2 | sed 's/^/--/')"
	done
}

@test "zsh and fish: files for the same commands, with every option" {
	for file in "$AU_BUILD"/completions/bash/*; do
		name=${file##*/}
		"$name" --options | cut -f 2 | while IFS= read -r option; do
			grep -q -e "--$option[]=}[]" "$AU_BUILD/completions/zsh/_$name"
			grep -q -e " -l $option " "$AU_BUILD/completions/fish/$name.fish"
		done
	done
}

@test "zsh: files that it reads; on a terminal a run id, live, of the server that the line names" {
	command -v zsh >/dev/null || skip "there is no zsh"
	for file in "$AU_BUILD"/completions/zsh/*; do zsh -n "$file"; done
	start_clarity
	agent-run-create --agent echo-agent --run run_tab_1 >/dev/null
	unset AGENT_RUNTIME_URL
	for line in "agent-watch --workspace acme --url $url run_t" "agent-send --url=$url --run run_t" "agent-send --url '$url' --run=run_t"; do
		timeout 30 zsh -f -c '
			zmodload zsh/zpty
			zpty z zsh -f -i
			# the prompt is what it says here only when it is asked for, and not while this line is typed
			zpty -w z "fpath=($AU_BUILD/completions/zsh \$fpath); autoload -Uz compinit; compinit -u -D; PS1=rea\dy"
			zpty -r z said "*ready*"
			zpty -w -n z "$1"$'"'\\t'"'
			zpty -r z said "*run_tab_1*"
		' zsh "$line"
	done
}

@test "fish: files that it reads; a run id, live, of the server that the line names" {
	command -v fish >/dev/null || skip "there is no fish"
	for file in "$AU_BUILD"/completions/fish/*; do fish -n "$file"; done
	start_clarity
	agent-run-create --agent echo-agent --run run_tab_1 >/dev/null
	unset AGENT_RUNTIME_URL
	offered() { fish --no-config -c "source '$AU_BUILD/completions/fish/${1%% *}.fish'; complete -C '$1'" | cut -f 1; }
	run offered "agent-watch --workspace acme --url $url run_t"
	assert_output run_tab_1
	run offered "agent-send --url=$url --run run_t"
	assert_output run_tab_1
	run offered "agent-send -u $url --agent slow"
	assert_output slow-agent
	run offered "agent-watch run_t"
	assert_output ''
}

@test "bash: a run id, a service and an agent, live; words of an option; after = too" {
	start_clarity
	agent-run-create --agent echo-agent --run run_tab_1 >/dev/null
	run complete_line agent-watch run_t
	assert_output run_tab_1
	run complete_line agent-run-cancel run_t
	assert_output run_tab_1
	run complete_line agent-send --run run_t
	assert_output run_tab_1
	run complete_line agent-send --run=run_t
	assert_output run_tab_1
	run complete_line agent-run-create --service svc_00
	assert_output svc_00echo
	run complete_line agent-run-create --agent slow
	assert_output slow-agent
	run complete_line runtime-chat --bridge t
	assert_output ts
	run complete_line clarity-agent runtime-c
	assert_output runtime-chat
	unset AGENT_RUNTIME_URL
	run complete_line agent-watch --url "$url" run_t
	assert_output run_tab_1
	run complete_line agent-watch --workspace acme "--url=$url" run_t
	assert_output run_tab_1
}

@test "bash: without a server it is silent and quick" {
	export AGENT_RUNTIME_URL=http://127.0.0.1:1
	SECONDS=0
	run -0 complete_line agent-watch run_
	assert_output ''
	assert [ "$SECONDS" -le 3 ]
}

@test "bash: the words of agent-gateway-token" {
	run complete_line agent-gateway-token re
	assert_output revoke
	run complete_line agent-gateway-token create --scope ''
	assert_output $'read\nwrite\nadmin'
}

@test "bash: a thread id, live; words of a turn's options" {
	start_compass
	id=$(agent-thread-create --jq .threadId)
	run complete_line agent-turn-start --thread "${id:0:6}"
	assert_output "$id"
	run complete_line agent-thread-show "${id:0:6}"
	assert_output "$id"
	unset AGENT_WORKSPACE
	run complete_line agent-watch --workspace acme --thread "${id:0:6}"
	assert_output "$id"
	run complete_line agent-turn-start --sandbox-policy re
	assert_output read-only
	run complete_line agent-threads --status inP
	assert_output inProgress
	run complete_line agent-thread-mode l
	assert_output local
}
