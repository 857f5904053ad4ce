#!/usr/bin/env bats
# Packages, and what is installed. What takes minutes is done in CI, and where it is asked for: AU_PACKAGES=1.
load lib/common

unset MAKEFLAGS MFLAGS MAKELEVEL # those of a make that runs these tests speak of descriptors that are not here

setup() { common_setup; }
teardown() { common_teardown; }

asked_for() { [ -n "${AU_PACKAGES:-}${CI:-}" ] || skip "takes minutes: set AU_PACKAGES=1 for it"; }

@test "the Debian packaging is of this version, and names what is installed" {
	version=$("$AU_BUILD/bin/agent-runs" --version | sed 's/.* //')
	[ "$(sed -n '1s/^agentutils (\(.*\)-[^-]*) .*/\1/p' "$AU_SRC/packaging/debian/changelog")" = "$version" ]
	while read -r file; do
		case $file in
		usr/bin/*) [ -x "$AU_BUILD/bin/${file##*/}" ] ;;
		usr/share/man/man?/*) compgen -G "$AU_SRC/man/${file##*/}" >/dev/null ;;
		esac || { echo "$file is installed by nobody"; return 1; }
	done <"$AU_SRC/packaging/debian/agent-gateway.install"
}

@test "an installed tree finds its parts wherever it stands" {
	make -s -C "$AU_BUILD" install DESTDIR="$BATS_TEST_TMPDIR/root" prefix=/somewhere >/dev/null 2>install.err || { cat install.err; return 1; }
	mv root/somewhere moved
	PATH=$BATS_TEST_TMPDIR/moved/bin:/usr/bin:/bin
	[ "$(command -v agent-gateway)" = "$BATS_TEST_TMPDIR/moved/bin/agent-gateway" ]
	AGENT_RUNTIME_PROVIDER=mock start_gateway
	agent-registry | jq -e -s 'any(.[]; .agent.agentId == "echo")'
	agent-thread-create --workspace w | agent-turn-start --wait hello | jq -e '.turn.status == "completed" or .status == "completed"'
	agent-doctor --json | jq -e -s 'any(.[]; .check == "runtimes" and .result == "ok")'
	# a jq that came along is for scripts and agents where the system has none
	own=$(command -v jq)
	jq() { "$own" "$@"; }
	mkdir tools
	ln -s /usr/bin/* tools/
	rm tools/jq
	ln -s "$own" moved/libexec/agentutils/jq
	PATH=$BATS_TEST_TMPDIR/moved/bin:$BATS_TEST_TMPDIR/tools
	start_gateway --listen "unix:$BATS_TEST_TMPDIR/socket" --state "$BATS_TEST_TMPDIR/other"
	agent-send --run r --service svc_shell --agent shell --wait "what date?" | grep "\"message\":\"$(date +%a) "
	echo hello | runtime-chat --agent echo "$url" svc_echo | grep 'Echo: hello'
}

@test "make deb: packages that lintian has nothing to say about" {
	asked_for
	for tool in dh dpkg-buildpackage fakeroot lintian; do command -v "$tool" >/dev/null || skip "$tool is not here (Debian: debhelper dpkg-dev fakeroot lintian)"; done
	cd "$AU_BUILD"
	run make -s deb
	[ "$status" = 0 ] || { tail -n 20 <<<"$output"; return 1; }
	run ! grep -E '^[EW]: ' <<<"$output"
	# built once more, as differently as this machine can: the same bytes
	mkdir "$BATS_TEST_TMPDIR/another-and-longer"
	(
		umask 077
		export HOME=/ TMPDIR="$BATS_TEST_TMPDIR/another-and-longer" LANG=C.UTF-8 LC_ALL=C.UTF-8 TZ=Pacific/Kiritimati
		sh "$AU_SRC/packaging/deb" agentutils-*.tar.xz "$BATS_TEST_TMPDIR/again"
	) >"$BATS_TEST_TMPDIR/again.log" 2>&1 || { tail -n 20 "$BATS_TEST_TMPDIR/again.log"; return 1; }
	built=("$BATS_TEST_TMPDIR"/again/*.deb)
	[ "${#built[@]}" -ge 2 ]
	for file in "${built[@]}"; do cmp "$file" "deb/${file##*/}"; done
	dpkg-deb -c deb/agent-gateway_*.deb | grep -q '/usr/lib/systemd/system/agent-gateway.service'
	dpkg-deb -c deb/agentutils_*.deb | grep -q '/usr/bin/agent-watch'
	cd "$BATS_TEST_TMPDIR"
	# all that is installed is in one of the two, with its page, and nothing in both
	for name in agentutils agent-gateway; do
		dpkg-deb -x "$(ls -t "$AU_BUILD"/deb/${name}_*.deb | head -n 1)" "$name"
		(cd "$name" && find . ! -type d ! -path './usr/share/doc/*') >>files
		cp -R "$name/." both
	done
	[ -z "$(sort files | uniq -d)" ]
	make -s -C "$AU_BUILD" install DESTDIR="$BATS_TEST_TMPDIR/root" prefix=/usr libexecdir=/usr/libexec >/dev/null 2>install.err || { cat install.err; return 1; }
	parts() { (cd "$1" && find usr/bin usr/libexec usr/share/agentutils usr/share/man usr/share/bash-completion ! -type d) | sed 's/\.gz$//' | sort; }
	parts root >want
	[ "$(wc -l <want)" -gt 100 ]
	parts both | diff want -
	# each speaks of the same program, and they run
	sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' both/usr/lib/systemd/system/agent-gateway.service >starts
	[ "$(cat starts)" = /usr/bin/agent-gateway ]
	PATH=$BATS_TEST_TMPDIR/both/usr/bin:/usr/bin:/bin
	AGENT_RUNTIME_PROVIDER=mock start_gateway
	agent-send --run r --service svc_shell --agent shell --wait "what date?" | grep "\"message\":\"$(date +%a) "
	agent-thread-create --workspace w | agent-turn-start --wait hello | jq -e '.turn.status == "completed" or .status == "completed"'
}
