#!/usr/bin/env bats
# Packages and releases. What takes minutes is done where it is asked for: AU_PACKAGES=1 (CI of the packages, and before a release).
load lib/common
load lib/bare

setup() { common_setup; }
teardown() { common_teardown; }

asked_for() { [ -n "${AU_PACKAGES:-}" ] || skip "takes minutes: set AU_PACKAGES=1 for it"; }

@test "the Debian packaging is of this version, and names what is installed" {
	version=$("$AU_BUILD/bin/agent-runs" --version | sed 's/.* //')
	[ "$(sed -n '1s/^agentutils (\(.*\)-[^-]*) .*/\1/p' "$AU_SRC/packaging/debian/changelog")" = "$version" ]
	while read -r file; do
		case $file in
		usr/bin/*) [ -x "$AU_BUILD/bin/${file##*/}" ] ;;
		usr/share/man/man?/*) [ -e "$AU_SRC/man/${file##*/}" ] ;;
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

# The release, made twice for the tests of this file.
setup_file() {
	[ -n "${AU_PACKAGES:-}" ] || return 0
	cd "$AU_BUILD" && make -s reproducible >"$BATS_FILE_TMPDIR/reproducible" 2>&1 || echo "status $?" >>"$BATS_FILE_TMPDIR/reproducible"
}
# unpack DIRECTORY: what is in it then is bin, lib, libexec and share
unpack() {
	mkdir -p "$1"
	tar -C "$1" --strip-components=1 -xf "$(ls -t "$AU_BUILD"/agentutils-*-linux-*.tar.gz | head -n 1)"
}

@test "make release is the same twice, and needs nothing of the system but its libc" {
	asked_for
	run ! grep -q '^status' "$BATS_FILE_TMPDIR/reproducible" || { tail -n 20 "$BATS_FILE_TMPDIR/reproducible"; return 1; }
	unpack unpacked
	n=0
	for program in unpacked/bin/* unpacked/libexec/agentutils/*; do
		[ "$(head -c 4 "$program" | tr -d '\0')" = $'\x7fELF' ] || continue
		n=$((n + 1))
		ldd "$program" >needed
		run ! grep -vE "\($|unpacked/[^ ]*/lib/agentutils/|^[[:blank:]]*(linux-vdso|/lib64/ld-linux|lib(c|m|resolv)\.so)" needed
		run ! grep 'not found' needed
		run ! grep -E 'libevent|libsqlite|libedit' needed
	done
	[ "$n" -gt 40 ]
	# every library has a licence, and looks nowhere on its own
	for library in unpacked/lib/agentutils/*; do
		run ! grep -E 'R(UN)?PATH' <(objdump -p "$library")
	done
	[ "$(ls unpacked/share/doc/agentutils/libraries | wc -l)" -gt 20 ]
	# without them it takes those of the system
	rm -r unpacked/lib/agentutils
	PATH=$BATS_TEST_TMPDIR/unpacked/bin:/usr/bin:/bin
	start_gateway
	agent-registry | jq -e -s 'any(.[]; .agent.agentId == "echo")'
}

@test "the release runs on a bare machine: a gateway, its agents, a message, its events, a chat" {
	asked_for
	can_be_bare || skip "needs root, mount namespaces and a Debian"
	bare_root root
	unpack root/opt/agentutils
	for file in usr/bin/{curl,jq,xz} usr/lib/*/{libcurl,libjq,libwslay,libevent,libsqlite3,libpq}*; do [ ! -e "root/$file" ] || { echo "not bare: $file"; return 1; }; done
	cp "$AU_SRC/tests/lib/bare-try" root/root/
	run bare_run root bash /root/bare-try /opt/agentutils
	[ "$status" = 0 ] || { echo "$output"; return 1; }
}

@test "make deb: packages that lintian has nothing to say about" {
	asked_for
	for tool in dh dpkg-buildpackage fakeroot lintian; do command -v "$tool" >/dev/null || skip "$tool is not here (Debian: debhelper dpkg-dev fakeroot lintian)"; done
	cd "$AU_BUILD"
	run make -s deb
	[ "$status" = 0 ] || { tail -n 20 <<<"$output"; return 1; }
	run ! grep -E '^[EW]: ' <<<"$output"
	dpkg-deb -c deb/agent-gateway_*.deb | grep -q '/usr/lib/systemd/system/agent-gateway.service'
	dpkg-deb -c deb/agentutils_*.deb | grep -q '/usr/bin/agent-watch'
}
