#!/bin/sh
# gen.sh DIRECTORY COMMAND...: completions for bash, zsh and fish, made from what each command says to --options
#
# Writes DIRECTORY/bash/NAME, DIRECTORY/zsh/_NAME and DIRECTORY/fish/NAME.fish. Ids are asked for live, of the server that the line names,
# for one second at most, and nothing is said when there is no answer.
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
# where_of COMMAND: those of its options that say which server, and as whom
where_of() {
	"$programs/$1" --options | awk -F "$tab" '
		$2 ~ /^(url|token-file|cookie-file|origin|cacert|cert|key|workspace)$/ { print ($1 == "-" ? "" : "-" $1 " ") "--" $2 }' | paste -s -d ' ' -
}
programs=${1%/*}
where_runs=$(where_of agent-runs) where_threads=$(where_of agent-threads) where_registry=$(where_of agent-registry)
ask() { # KIND: the options that matter, as one word, and the words that ask a server for ids
	case $1 in
	run) echo "'$where_runs' agent-runs --null" ;;
	thread) echo "'$where_threads' agent-threads --null" ;;
	service) echo "'$where_registry' agent-registry --null" ;;
	agent) echo "'$where_registry' agent-registry --jq .agent.agentId" ;;
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
		_agentutils_ids() { # OPTIONS COMMAND...: ids, from the server that the line names; bash takes words apart at colons, the line has them
		    local word words option= options=" \$1 " server=()
		    shift
		    read -ra words <<<"\${COMP_LINE:0:COMP_POINT}"
		    for word in "\${words[@]}"; do
		        if [ -n "\$option" ]; then
		            server+=("\$option" "\$word") option=
		        elif [[ \$options == *" \$word "* ]]; then
		            option=\$word
		        elif [[ \$word == --*=* && \$options == *" \${word%%=*} "* ]]; then
		            server+=("\$word")
		        fi
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
	run | service | agent | thread) echo "{_agentutils_ids $(ask "$1" | tr "'" '"')}" ;;
	file) echo _files ;;
	dir) echo '_files -/' ;;
	'') echo ' ' ;;
	*) echo "($1)" ;;
	esac
}
zsh_file() {
	cat <<-END
		#compdef $1
		_agentutils_ids() { # OPTIONS COMMAND...: ids, from the server that the line names
		    local word option
		    local -a options=(\${=1}) server
		    shift
		    for word in \${(Q)words[2,CURRENT-1]}; do
		        if [[ -n \$option ]]; then
		            server+=("\$option" "\$word") option=
		        elif (( \$options[(Ie)\$word] )); then
		            option=\$word
		        elif (( \$options[(Ie)\${word%%=*}] )); then
		            server+=("\$word")
		        fi
		    done
		    compadd -- \${(0)"\$("\$@" \$server --quiet --timeout 1 2>/dev/null </dev/null)"} # a pipe here can hang in zsh 5.9
		}
	END
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
	run | service | agent | thread) echo "-x -a \"(__agentutils_ids $(ask "$1"))\"" ;;
	file) echo '-r -F' ;;
	dir) echo "-x -a '(__fish_complete_directories)'" ;;
	'') echo -x ;;
	*) echo "-x -a '$1'" ;;
	esac
}
fish_file() {
	cat <<-END
		# fish completion for $1
		function __agentutils_ids # OPTIONS COMMAND...: ids, from the server that the line names
		    set -l options (string split ' ' -- \$argv[1])
		    set -l server
		    set -l option
		    for word in (commandline -opc)
		        if test -n "\$option"
		            set -a server \$option \$word
		            set option
		        else if contains -- \$word \$options
		            set option \$word
		        else if contains -- (string replace -r '=.*' '' -- \$word) \$options
		            set -a server \$word
		        end
		    end
		    set -l ask \$argv[2..]
		    \$ask \$server --quiet --timeout 1 2>/dev/null </dev/null | tr '\\0' '\\n'
		end
	END
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
