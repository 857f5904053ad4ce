#!/usr/bin/env bats
# The service unit: how much it leaves open, and that the gateway can live in what it leaves.
load ../lib/common

exposure=12 # tenths, as systemd-analyze counts: 0 everything is closed, 100 nothing is

setup() {
	common_setup
	sed 's|@bindir@|/usr/bin|' "$AU_SRC/bin/gateway/systemd/agent-gateway.service.in" >agent-gateway.service
	command -v systemd-analyze >/dev/null || skip "systemd-analyze is not here (Debian: systemd)"
}
teardown() { common_teardown; }

@test "the unit leaves little open" {
	systemd-analyze security --help | grep -q -- --offline || skip "this systemd-analyze looks at no files"
	run systemd-analyze security --offline=true --no-pager --threshold="$exposure" "$BATS_TEST_TMPDIR/agent-gateway.service"
	[ "$status" = 0 ] || { echo "$output" | grep -E '✗|Overall'; return 1; }
	sed -i '/^SystemCallFilter=@/d; /^RestrictAddressFamilies/d; /^Protect/d' agent-gateway.service
	run ! systemd-analyze security --offline=true --no-pager --threshold="$exposure" "$BATS_TEST_TMPDIR/agent-gateway.service"
}

@test "agents of the service have a home, which is theirs to write to" {
	dir=$(sed -n 's/^StateDirectory=//p' agent-gateway.service)
	[ -n "$dir" ]
	[ "$(sed -n 's/^Environment=HOME=//p' agent-gateway.service)" = "%S/$dir" ]
	# a purge of the package takes it away
	grep -qF "/var/lib/$dir" "$AU_SRC/packaging/debian/agent-gateway.postrm"
}

@test "the unit is one that systemd takes" {
	sed -i "s|^ExecStart=.*|ExecStart=$(command -v true)|" agent-gateway.service
	cp "$AU_SRC/bin/gateway/systemd/agent-gateway.socket" .
	run systemd-analyze verify --man=no ./agent-gateway.service ./agent-gateway.socket
	[[ $output != *agent-gateway* ]] || { echo "$output"; return 1; }
}

@test "no system call of the gateway, a command and a runtime is one that the filter refuses" {
	command -v strace >/dev/null || skip "strace is not here"
	strace -f -qq -o /dev/null true 2>/dev/null || skip "strace may not trace here"
	# what the filter lets through, sets in sets taken apart
	expand() { # SET: its calls
		systemd-analyze syscall-filter "$1" | sed -n 's/^    \([@a-z_0-9-]*\).*/\1/p' | while read -r name; do
			case $name in @*) expand "$name" ;; *) echo "$name" ;; esac
		done
	}
	allowed() { # the words of a line of the unit, with sets taken apart
		local word
		for word in $1; do case $word in @*) expand "$word" ;; *) echo "$word" ;; esac; done
	}
	: >filter
	# each line adds to what those before it have let through, or takes from it
	sed -n 's/^SystemCallFilter=//p' agent-gateway.service >lines
	while read -r line; do
		allowed "${line#\~}" | sort -u >these
		if [ "${line#\~}" = "$line" ]; then sort -u these filter >now; else comm -23 filter these >now; fi
		mv now filter
	done <lines
	[ "$(wc -l <filter)" -gt 100 ]
	cat >agent-gateway-traced <<-S
	#!/bin/sh
	exec strace -f -qq -o '$BATS_TEST_TMPDIR/trace' agent-gateway "\$@"
	S
	chmod +x agent-gateway-traced
	AGENT_RUNTIME_PROVIDER=mock start traced ./agent-gateway-traced --listen 127.0.0.1:0 --state state --access-log access
	await 60 has_line traced.out '"listening"'
	traced=$(pgrep -P "$pid")
	started=("$traced" "$pid") # strace alone would leave it behind
	AGENT_RUNTIME_URL=$(jq -r .url traced.out)
	export AGENT_RUNTIME_URL
	agent-run-create --agent shell | agent-send 'echo hello' | agent-watch --until waiting --outcome=ignore >/dev/null
	agent-thread-create --workspace w | agent-turn-start --wait hello >/dev/null
	curl -sS "$AGENT_RUNTIME_URL/metrics" | grep -q process_open_fds
	kill "$traced" # strace ends with what it traces
	await 30 gone "$pid"
	# what ended by a signal, and what was cut in two, are no names
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' trace | sort -u >used
	[ "$(wc -l <used)" -gt 30 ]
	[ "$(id -u)" != 0 ] || sed -i '/^fchown$/d' used # only root gives its files away, and the unit's user is another
	run comm -23 used filter
	[ -z "$output" ] || { echo "refused: $output"; return 1; }
}
