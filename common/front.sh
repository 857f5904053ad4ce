# front.sh - the front of the shell commands: options from one table, messages, exit statuses
#
# A command sets cmd_name, cmd_synopsis, cmd_about, cmd_example and cmd_options (a line for each option: key TAB name TAB argument TAB
# help, "-" for no short form or no argument), and calls front_parse "$@". Then opt_<name> (with _ for -) holds each option's argument,
# or 1, and the array operands holds the rest. A command whose options may be given several times has a function front_took, which is told
# name and argument of each. A help text that users already know goes in cmd_preamble, and leads.
# Grammar, help, messages and statuses are those of the C commands (common/opt.h, die.h).
@STATUSES@
front_std='q	quiet	-	say nothing but errors
v	verbose	-	say more on standard error
-	errors	FORM	errors as text or json (default text, or AGENT_ERRORS)
h	help	-	show this help and exit
V	version	-	show the version and exit
-	options	-	list the options for programs and exit'

# The commands that this one is made of stand beside it, installed or not, also when it was called through a link; a jq that came with them is for
# systems without one.
front_self=$(readlink -f -- "${BASH_SOURCE[0]}" 2>/dev/null) || front_self=${BASH_SOURCE[0]}
front_dir=$(CDPATH='' cd -- "$(dirname -- "$front_self")" && pwd)
PATH=$front_dir:$PATH
[ ! -x "${front_dir%/*}/libexec/agentutils/jq" ] || PATH=$PATH:${front_dir%/*}/libexec/agentutils
export PATH

# front_json TEXT: as a JSON string; what has no short form there becomes a blank
front_json() {
	local text=$1
	text=${text//\\/\\\\}
	text=${text//\"/\\\"}
	text=${text//$'\n'/\\n}
	text=${text//$'\t'/\\t}
	printf '"%s"' "${text//[[:cntrl:]]/ }"
}
# front_fail LEVEL STATUS WORD TEXT: one message, as text or as a JSON record
front_fail() {
	if [ "${AGENT_ERRORS:-}" = json ]; then
		printf '{"error":{"code":"%s","status":%d,"message":%s,"retryable":false,"program":"%s"}}\n' "$3" "$2" "$(front_json "$4")" "$cmd_name" >&2
	else
		printf '%s: %s%s\n' "$cmd_name" "$1" "$(front_safe "$4")" >&2
	fi
}
die() { # STATUS TEXT...
	local status=$1
	shift
	front_fail 'fatal: ' "$status" "$(status_word "$status")" "$*"
	exit "$status"
}
die_usage() {
	front_fail '' "$STATUS_USAGE" usage "$*"
	[ "${AGENT_ERRORS:-}" = json ] || printf "%s: Try '%s --help'.\n" "$cmd_name" "$cmd_name" >&2
	exit "$STATUS_USAGE"
}
info() { [ -n "${opt_quiet:-}" ] || printf '%s: %s\n' "$cmd_name" "$(front_safe "$*")" >&2; }

# For jq: text from elsewhere, with what would drive a terminal, or deceive who looks, made visible; newlines and tabs stay. The same
# characters as in common/utf8.c.
front_shown='def shown: tostring | explode | map(if (. < 32 and . != 9 and . != 10) or (. > 126 and . < 160) or . == 173 or . == 1564 or . == 6158
	or (. >= 8203 and . <= 8207 and . != 8205) or (. >= 8232 and . <= 8238) or (. >= 8288 and . <= 8303) or . == 65279
	or (. >= 65529 and . <= 65531) or (. >= 917504 and . <= 917631) then 65533 else . end) | implode; def shown_line: shown | gsub("[\n\t]"; " ");'

# front_safe TEXT: the text on one line, for a terminal
front_safe() {
	local LC_ALL=C
	case $1 in
	*[!\ -~]*) LC_ALL=C.UTF-8 jq -nr --arg text "$1" "$front_shown"'$text | shown_line' 2>/dev/null || printf '%s\n' "${1//[!\ -~]/ }" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# front_complaint METHOD ADDRESS ROUTE FILE: what an agent-* command with --errors json said when a request of its failed, in the words of Clarity's
# clients. Those of the older one (no ADDRESS) name the route only.
front_complaint() {
	jq -rs --arg method "$1" --arg address "$2" --arg route "$3" "$front_shown"'
		(map(.error? // empty | objects) | last) as $error | ($error.http // 0) as $http |
		($error.message // "failed" | sub("^unable to [^:]*: "; "") | sub("^unable to reach .*: "; "") | sub(" \\([0-9]+\\)$"; "")) as $why |
		if $http == 0 and ($error.code | . != "unreachable" and . != "timeout") then $error.message // "failed"
		elif $http == 0 and $address == "" then "fetch failed"
		else "\($method) \($address)\($route) failed (\($http)): \($why)" end | shown_line' <"$4" 2>/dev/null || echo failed
}

# What is printed must arrive: a full disk is an error here too.
front_print() { printf '%s' "$1" || die "$STATUS_IO" "unable to write to standard output"; }

front_help() {
	local key name arg help left text
	text=${cmd_preamble:+$cmd_preamble$'\n\n'}"usage: $cmd_name $cmd_synopsis"$'\n\nexample:\n'"$cmd_example"$'\n\n'"$cmd_about"$'\n\noptions:\n'
	while IFS=$'\t' read -r key name arg help; do
		if [ "$key" = - ]; then left="      --$name"; else left="  -$key, --$name"; fi
		[ "$arg" = - ] || left="$left $arg"
		if [ ${#left} -gt 26 ]; then
			text+=$left$'\n'
			left=
		fi
		text+=$(printf '%-28s%s' "$left" "$help")$'\n'
	done <<<"$cmd_options"
	front_print "$text"$'\n'"more: man $cmd_name"$'\n'
}

# front_find KIND WORD: sets found_name and found_arg from the table; KIND is 1 for a short option, 2 for a long one
front_find() {
	local key name arg help count=0
	found_name='' found_arg=''
	while IFS=$'\t' read -r key name arg help; do
		if { [ "$1" = 1 ] && [ "$key" = "$2" ] && [ "$key" != - ]; } || { [ "$1" = 2 ] && [ "$name" = "$2" ]; }; then
			found_name=$name found_arg=$arg
			return 0
		fi
		# the beginning of a long name will do, when no other begins so
		if [ "$1" = 2 ] && [ "${name#"$2"}" != "$name" ]; then
			count=$((count + 1))
			found_name=$name found_arg=$arg
		fi
	done <<<"$cmd_options"
	[ -n "$2" ] && [ "$count" = 1 ]
}

front_take() { # VALUE: of the option just found
	case $found_name in
	help)
		front_help
		exit 0
		;;
	version)
		front_print "$cmd_name (agentutils) @VERSION@"$'\n'
		exit 0
		;;
	options)
		front_print "$cmd_options"$'\n'
		exit 0
		;;
	errors)
		case $1 in
		json | text) export AGENT_ERRORS=$1 ;;
		*) die_usage "unable to use --errors '$1': expected text or json" ;;
		esac
		;;
	*)
		printf -v "opt_${found_name//-/_}" %s "$1"
		! declare -F front_took >/dev/null || front_took "$found_name" "$1"
		;;
	esac
}

# shellcheck disable=SC2034 # operands is for the command
front_parse() {
	local word rest
	cmd_options=${cmd_options:+$cmd_options$'\n'}$front_std
	operands=()
	while [ $# -gt 0 ]; do
		word=$1
		shift
		case $word in
		--)
			operands+=("$@")
			return
			;;
		--*=*)
			rest=${word%%=*}
			front_find 2 "${rest#--}" || die_usage "unknown option '$word'"
			[ "$found_arg" != - ] || die_usage "unknown option '$word'"
			front_take "${word#*=}"
			;;
		--*)
			front_find 2 "${word#--}" || die_usage "unknown option '$word'"
			if [ "$found_arg" = - ]; then
				front_take 1
			else
				[ $# -gt 0 ] || die_usage "option '$word' needs an argument"
				front_take "$1"
				shift
			fi
			;;
		-?*)
			rest=${word#-}
			while [ -n "$rest" ]; do
				front_find 1 "${rest:0:1}" || die_usage "unknown option '-${rest:0:1}'"
				rest=${rest:1}
				if [ "$found_arg" = - ]; then
					front_take 1
				elif [ -n "$rest" ]; then
					front_take "$rest"
					rest=
				else
					[ $# -gt 0 ] || die_usage "option '$word' needs an argument"
					front_take "$1"
					shift
				fi
			done
			;;
		*) operands+=("$word") ;;
		esac
	done
}
