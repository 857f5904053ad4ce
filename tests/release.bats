#!/usr/bin/env bats
# The release tarball: the same twice, and all that a bare machine needs. It takes minutes: in CI, and where it is asked for (AU_PACKAGES=1).
load lib/common
load lib/bare

unset MAKEFLAGS MFLAGS MAKELEVEL # those of a make that runs these tests speak of descriptors that are not here

setup() { common_setup; }
teardown() { common_teardown; }

asked() { [ -n "${AU_PACKAGES:-}${CI:-}" ]; }
asked_for() { asked || skip "takes minutes: set AU_PACKAGES=1 for it"; }

# The release, made twice for the tests of this file.
setup_file() {
	asked || return 0
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
