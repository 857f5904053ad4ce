#!/bin/sh
# gen.sh DIRECTORY COMMAND...: completions for bash, zsh and fish, made from what each command says to --options
#
# Writes DIRECTORY/bash/NAME, DIRECTORY/zsh/_NAME and DIRECTORY/fish/NAME.fish. Ids are asked for live, for one second at most, and
# nothing is said when there is no answer.
# shellcheck disable=SC2016 # the words are for other shells
set -eu
tab=$(printf '\t')
out=$1
shift
mkdir -p "$out/bash" "$out/zsh" "$out/fish"

# kind_of COMMAND OPTION ARGUMENT: what completes the option's argument: run, service, agent, file, dir, a list of words, or nothing
kind_of() {
	case $2:$3 in
	run:* | run-id:*) [ "$1" = agent-run-create ] || echo run ;;
	service:*) echo service ;;
	thread:*) echo thread ;;
	mode:*) echo 'cloud local' ;;
	host:HOST) echo 'dynamic_sessions desktop_local' ;;
	sandbox-policy:*) echo 'read-only workspace-write danger-full-access' ;;
	approval-policy:*) echo 'untrusted on-request never' ;;
	approve:*) echo 'decline accept acceptForSession cancel' ;;
	effort:*) echo 'minimal low medium high' ;;
	state:WORD) echo 'regular archived all' ;;
	agent:ID) echo agent ;;
	*:FILE) echo file ;;
	*:DIR) echo dir ;;
	errors:*) echo 'text json' ;;
	scope:*) echo 'read write admin' ;;
	role:*) echo 'user assistant system' ;;
	status:*)
		case $1 in
		agent-threads) echo 'idle inProgress completed interrupted error' ;;
		agent-approvals) echo 'pending resolved all' ;;
		*) echo 'queued running waiting completed failed cancelled' ;;
		esac
		;;
	level:*) echo 'info warn error' ;;
	trigger:*) echo 'api event timer a2a' ;;
	color:*) echo 'auto always never' ;;
	time:*) echo 'utc local none' ;;
	format:*) echo 'text line plain table' ;;
	texts:*) echo 'native clarity ts' ;;
	bridge:*) echo 'clarity ts' ;;
	on-gap:*) echo 'stop continue' ;;
	outcome:*) echo 'exit ignore' ;;
	until:*) echo 'terminal waiting never agent.waiting agent.run_completed agent.run_failed agent.chat.assistant_message turn.completed approval.requested' ;;
	kind:*) echo 'agent.run_created agent.run_started agent.waiting agent.step_started agent.step_completed agent.handoff agent.tool_called agent.llm_called agent.run_completed agent.run_failed agent.run_cancelled agent.chat.user_message agent.chat.assistant_message agent.chat.system_message turn.started item.delta item.started item.completed approval.requested approval.resolved turn.completed' ;;
	esac
}
operand_of() {
	case $1 in
	agent-watch | agent-events | agent-runs | agent-run-cancel) echo run ;;
	agent-thread-show | agent-thread-update | agent-thread-archive | agent-thread-delete | agent-approvals) echo thread ;;
	agent-account-login) echo 'apiKey chatgpt chatgptDeviceCode chatgptAuthTokens' ;;
	agent-approve) echo 'accept acceptForSession decline cancel' ;;
	agent-thread-mode) echo 'cloud local' ;;
	agent-gateway-token) echo 'create list revoke' ;;
	clarity-agent) echo 'runtime-agents runtime-chat connect watch list answer cancel serve' ;;
	esac
}
ask() { # KIND: the words that ask a server for ids
	case $1 in
	run) echo 'agent-runs --null' ;;
	thread) echo 'agent-threads --null' ;;
	service) echo 'agent-registry --null' ;;
	agent) echo 'agent-registry --jq .agent.agentId' ;;
	esac
}

# ---- bash

bash_reply() { # KIND
	case $1 in
	run | service | agent | thread) echo "_agentutils_ids $(ask "$1")" ;;
	file) echo 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")' ;;
	dir) echo 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")' ;;
	'') echo : ;;
	*) echo "mapfile -t COMPREPLY < <(compgen -W '$1' -- \"\$cur\")" ;;
	esac
}
bash_file() { # NAME; the table on standard input
	function=_$(echo "$1" | tr - _)
	cat <<-END
		# bash completion for $1
		_agentutils_ids() { # COMMAND...: ids, from the server that the line names
		    local i server=()
		    for ((i = 1; i < COMP_CWORD; i++)); do
		        case \${COMP_WORDS[i]} in -u | --url | --token-file | --cookie-file | --workspace) server+=("\${COMP_WORDS[i]}" "\${COMP_WORDS[i + 1]}") ;; esac
		    done
		    mapfile -t COMPREPLY < <(compgen -W "\$("\$@" "\${server[@]}" --quiet --timeout 1 2>/dev/null </dev/null | tr '\\0' '\\n')" -- "\$cur")
		}
		$function() {
		    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
		    COMPREPLY=()
		    if [ "\$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
		    if [ "\$cur" = = ]; then prev=\${COMP_WORDS[COMP_CWORD - 1]} cur=; fi
		    case \$prev in
	END
	words=
	while IFS=$tab read -r key name arg _; do
		words="$words --$name"
		[ "$key" = - ] || words="$words -$key"
		[ "$arg" != - ] || continue
		if [ "$key" = - ]; then pattern="--$name"; else pattern="-$key | --$name"; fi
		echo "    $pattern)"
		echo "        $(bash_reply "$(kind_of "$1" "$name" "$arg")")"
		echo "        return ;;"
	done
	cat <<-END
		    esac
		    if [[ \$cur == -* ]]; then
		        mapfile -t COMPREPLY < <(compgen -W '${words# }' -- "\$cur")
		    else
		        $(bash_reply "$(operand_of "$1")")
		    fi
		}
		complete -F $function $1
	END
}

# ---- zsh

zsh_action() { # KIND
	case $1 in
	run | service | agent | thread) printf '%s\n' "{compadd -- \${(f)\"\$($(ask "$1") --quiet --timeout 1 2>/dev/null </dev/null | tr \"\\\\0\" \"\\\\n\")\"}}" ;;
	file) echo _files ;;
	dir) echo '_files -/' ;;
	'') echo ' ' ;;
	*) echo "($1)" ;;
	esac
}
zsh_file() {
	echo "#compdef $1"
	printf '_arguments -s'
	while IFS=$tab read -r key name arg help; do
		help=$(printf %s "$help" | sed "s/[]:\\\\[]/\\\\&/g; s/'/'\\\\''/g")
		value=
		equals=
		if [ "$arg" != - ]; then
			equals='='
			value=":$arg:$(zsh_action "$(kind_of "$1" "$name" "$arg")")"
		fi
		if [ "$key" = - ]; then
			printf " \\\\\n    '*--%s%s[%s]%s'" "$name" "$equals" "$help" "$value"
		else
			printf " \\\\\n    '*'{-%s%s,--%s%s}'[%s]%s'" "$key" "${equals:++}" "$name" "$equals" "$help" "$value"
		fi
	done
	printf " \\\\\n    '*:operand:%s'\n" "$(zsh_action "$(operand_of "$1")")"
}

# ---- fish

fish_words() { # KIND: options of complete
	case $1 in
	run | service | thread) echo "-x -a '($(ask "$1") --quiet --timeout 1 2>/dev/null </dev/null | string split0)'" ;;
	agent) echo "-x -a '($(ask agent) --quiet --timeout 1 2>/dev/null </dev/null)'" ;;
	file) echo '-r -F' ;;
	dir) echo "-x -a '(__fish_complete_directories)'" ;;
	'') echo -x ;;
	*) echo "-x -a '$1'" ;;
	esac
}
fish_file() {
	echo "# fish completion for $1"
	operand=$(operand_of "$1")
	[ -z "$operand" ] || echo "complete -c $1 -f $(fish_words "$operand" | sed 's/^-x //')"
	while IFS=$tab read -r key name arg help; do
		line="complete -c $1 -l $name"
		[ "$key" = - ] || line="$line -s $key"
		[ "$arg" = - ] || line="$line $(fish_words "$(kind_of "$1" "$name" "$arg")")"
		printf "%s -d '%s'\n" "$line" "$(printf %s "$help" | sed "s/[\\\\']/\\\\&/g")"
	done
}

for command; do
	name=${command##*/}
	table=$("$command" --options)
	printf '%s\n' "$table" | bash_file "$name" >"$out/bash/$name"
	printf '%s\n' "$table" | zsh_file "$name" >"$out/zsh/_$name"
	printf '%s\n' "$table" | fish_file "$name" >"$out/fish/$name.fish"
done
