#!/usr/bin/env bats
# agent-image-build: what goes into the image, and what the engine is told
# shellcheck disable=SC2154
load lib/common

setup() {
	common_setup
	unset AGENT_CONTAINER_ENGINE AGENT_CONTAINER_IMAGE
	cat >engine <<-'END'
		#!/bin/sh
		here=$(dirname "$0")
		printf '[%s]' "$@" >"$here/asked"
		cat >"$here/tar"
		[ ! -e "$here/refuses" ] || { echo 'no space' >&2; exit 1; }
		echo sha256:0123
	END
	chmod +x engine
}
teardown() { common_teardown; }

@test "the session host, the runtimes and their libraries, nothing else, owned by root" {
	agent-image-build --engine "$PWD/engine --with option" --image local/x >record
	jq -e '. == {"image":"local/x","id":"sha256:0123","command":["/usr/libexec/agentutils/agent-session-host","/usr/libexec/agentutils/agent-runtime-mock"]}' record
	[ "$(cat asked)" = '[--with][option][import][--change][CMD ["/usr/libexec/agentutils/agent-session-host","/usr/libexec/agentutils/agent-runtime-mock"]][-][local/x]' ]
	tar -tvf tar >list
	for name in agent-session-host agent-runtime-mock agent-runtime-openai agent-runtime-acp; do
		grep -q "rwx.* 0/0 .*/usr/libexec/agentutils/$name\$" list
	done
	grep -q 'libevent_core' list
	run ! grep -E 'agent-gateway|/home|/root/' list
	grep -q '^drwxrwxrwt.* ./tmp/$' list
}

@test "what was copied runs in a root of its own" {
	[ "$(id -u)" = 0 ] || skip "chroot needs root"
	agent-image-build --engine "$PWD/engine" >record
	mkdir tree
	tar -C tree -xf tar
	if [ -z "${ASAN_OPTIONS:-}" ]; then
		chroot tree /usr/libexec/agentutils/agent-session-host --version
	else
		# a sanitizer looks at /proc, and takes it amiss when there is none
		mkdir -p tree/proc
		unshare --mount --pid --fork sh -c 'mount -t proc proc tree/proc && exec chroot tree /usr/libexec/agentutils/agent-session-host --version'
	fi
}

@test "the command, with its options and what has to be quoted" {
	agent-image-build --engine "$PWD/engine" -- codex app-server -c 'a="b c"' >record
	jq -e '.command[1:] == ["codex","app-server","-c","a=\"b c\""] and .image == "local/agent-session-host"' record
	AGENT_CONTAINER_ENGINE=$PWD/engine AGENT_CONTAINER_IMAGE=local/y agent-image-build codex | jq -e '.image == "local/y"'
}

@test "a root file system and further files" {
	mkdir -p root/etc root/proc/1
	echo mine >root/etc/passwd
	echo more >further
	agent-image-build --engine "$PWD/engine" --root root --add "$PWD/further" --ad=/bin/true >record
	tar -tf tar >list
	grep -qx "./${PWD#/}/further" list
	grep -q '/bin/true$' list
	run ! grep -x ./proc/1/ list
	[ "$(tar -xOf tar ./etc/passwd)" = mine ]
}

@test "a list of the files, and no image" {
	agent-image-build -n --engine /no/such >list
	grep -qx /usr/libexec/agentutils/agent-session-host list
	sort -C list
}

@test "no engine, no such directory, no such file, an engine that refuses: status 9, and why" {
	run -9 agent-image-build --engine /no/such/engine
	assert_output "agent-image-build: fatal: unable to run '/no/such/engine': install podman or docker, or name the command with --engine"
	run -9 agent-image-build --engine "$PWD/engine" --root nowhere
	assert_output "agent-image-build: fatal: unable to use 'nowhere': not a directory"
	run -9 agent-image-build --engine "$PWD/engine" --add nothing
	assert_output "agent-image-build: fatal: unable to read 'nothing'"
	touch refuses
	run -9 agent-image-build --engine "$PWD/engine" --image local/x
	assert_output "agent-image-build: fatal: unable to make the image 'local/x': no space"
}
