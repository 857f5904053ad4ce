#!/usr/bin/env bats
# What every command promises: help, version, wrong options, full disks, readers that go away.
load lib/common

setup() {
	common_setup
	commands=()
	for file in "$AU_BUILD"/bin/*; do
		case ${file##*/} in
		TEMPLATE | *.o | *.tmp | *.log | *.trs) continue ;;
		esac
		if [ -f "$file" ] && [ -x "$file" ]; then commands+=("${file##*/}"); fi
	done
	[ ${#commands[@]} -ge 12 ]
}
teardown() { common_teardown; }

@test "--help goes to standard output, leads with the synopsis and an example, and is good" {
	for c in "${commands[@]}"; do
		run -0 --separate-stderr "$c" --help
		[ -z "$stderr" ]
		case $c in
		clarity-agent) [ "${lines[0]}" = "Clarity Agent CLI (native Clarity)" ] && [[ $output == *$'\n\n'"usage: $c "* ]] ;; # as its users know it
		*) [[ ${lines[0]} == "usage: $c "* ]] ;;
		esac
		[[ $output == *$'\nexample:\n'* && $output == *"--version"* && $output == *"more: man $c" ]]
		short=$("$c" -h)
		[ "$short" = "$output" ]
	done
}

@test "--version says the name and the version" {
	for c in "${commands[@]}"; do
		run -0 --separate-stderr "$c" --version
		[ "$output" = "$c (agentutils) ${AU_VERSION:-$("$AU_BUILD/bin/agent-send" --version | sed 's/.* //')}" ]
	done
}

@test "an unknown option is a usage error of two lines on standard error" {
	for c in "${commands[@]}"; do
		run -2 --separate-stderr "$c" --no-such-option
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" = 2 ]
		[ "${stderr_lines[0]}" = "$c: unknown option '--no-such-option'" ]
		[ "${stderr_lines[1]}" = "$c: Try '$c --help'." ]
	done
}

@test "--options lists every option that --help shows, in four columns" {
	for c in "${commands[@]}"; do
		"$c" --options >options
		awk -F '\t' 'NF != 4 { bad = 1 } END { exit bad }' options
		while IFS=$'\t' read -r key name arg help; do
			"$c" --help | grep -q -e "--$name"
		done <options
	done
}

@test "a full disk is status 8, not silence" {
	[ -e /dev/full ] || skip "this system has no /dev/full"
	for c in "${commands[@]}"; do
		status=0
		"$c" --help >/dev/full 2>err || status=$?
		[ "$status" = 8 ] || { echo "$c: $status"; return 1; }
		grep -q 'unable to write to standard output' err
	done
}

@test "a closed standard output is status 8" {
	for c in "${commands[@]}"; do
		status=0
		"$c" --help >&- 2>/dev/null || status=$?
		[ "$status" = 8 ] || { echo "$c: $status"; return 1; }
	done
}

@test "a reader that has gone ends a C command by SIGPIPE, also when SIGPIPE was ignored" {
	for c in "${commands[@]}"; do
		head -c 2 "$AU_BUILD/bin/$c" | grep -q '#!' && continue
		python3 - "$c" <<'PY'
import os, signal, subprocess, sys
for ignore in (False, True):
    r, w = os.pipe()
    os.close(r)
    p = subprocess.Popen([sys.argv[1], "--help"], stdout=w, restore_signals=not ignore)
    os.close(w)
    assert p.wait(20) == -signal.SIGPIPE, (sys.argv[1], ignore, p.returncode)
PY
	done
}

@test "the same bytes in every locale" {
	for c in "${commands[@]}"; do
		[ "$(LC_ALL=C "$c" --help)" = "$(LC_ALL=C.UTF-8 "$c" --help)" ]
	done
}

# without the overstriking that a printer would make bold of
plain() { sed "s/.$(printf '\b')//g"; }
@test "each command has its page, and the page (or agent(7), for common ones) every option" {
	common=$(mandoc -Tutf8 -O width=500 "$AU_SRC/man/agent.7" | plain)
	for c in "${commands[@]}"; do
		page=$(ls "$AU_SRC/man/$c".[18])
		text=$(mandoc -Tutf8 -O width=500 "$page" | plain)
		synopsis=$("$c" --help | sed -n "s/^usage: //p")
		[[ $text == *"     $synopsis"* ]] || { echo "$c: synopsis"; return 1; }
		while IFS=$'\t' read -r key name arg help; do
			grep -q -e "--$name" <<<"$text$common" || { echo "$c: --$name is not in $page"; return 1; }
		done < <("$c" --options)
	done
}

@test "pages are clean, and agent-exit-status(7) has the table of the header" {
	run mandoc -Tlint -W warning "$AU_SRC"/man/*.[1578]
	[ -z "$output" ]
	awk -F '"' '/^\tX\([A-Z]+, [0-9]+,/ { match($0, /, [0-9]+,/); print substr($0, RSTART + 2, RLENGTH - 3), $2, $4 }' "$AU_SRC/common/status.h" >table
	[ "$(wc -l <table)" -ge 19 ]
	while read -r number word meaning; do
		grep -qx ".It $number Pq $word" "$AU_SRC/man/agent-exit-status.7"
		grep -qix -F "$meaning." "$AU_SRC/man/agent-exit-status.7"
	done <table
}

@test "agent-manifest(5) shows the manifest of the built-in agent as it is" {
	sed -n '/^{$/,/^}$/p' "$AU_SRC/man/agent-manifest.5" | jq -S . >shown
	jq -S . "$AU_SRC/bin/gateway/builtin/echo.json" | diff - shown
}

@test "errors are JSON objects when asked for" {
	run -3 --separate-stderr agent-registry --errors json --url http://127.0.0.1:1
	jq -e '.error | .code == "unreachable" and .status == 3 and .retryable and .program == "agent-registry"' <<<"$stderr"
	AGENT_ERRORS=json run -2 --separate-stderr agent-send --role king x
	jq -e '.error.code == "usage"' <<<"$stderr"
}
