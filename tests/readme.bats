#!/usr/bin/env bats
# The examples of README.md for runtimes, run as they stand there: a model, Codex, a session host, a container, a pool. What is not on every machine has a
# stand-in (the model, the pool), and what others may use meanwhile has another name here (ports, the state, the image).
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
load lib/common
load lib/pool

setup() {
	common_setup
	unset AGENT_RUNTIME_PROVIDER AGENT_RUNTIME_COMMAND AGENT_RUNTIME_ENDPOINT AGENT_CONTAINER_ENGINE AGENT_CONTAINER_ENV_FILE OPENAI_API_KEY OPENAI_MODEL
	unset DYNAMIC_SESSIONS_BEARER_TOKEN IDENTITY_ENDPOINT IDENTITY_HEADER HOST PORT SESSION_RUNTIME_TOKEN SESSION_RUNTIME_ENGINE
	ln -s "$AU_BUILD" build
	mkdir shim
	printf '#!/bin/sh\nexec %q --listen unix:%q --state %q "$@"\n' "$AU_BUILD/bin/agent-gateway" "$PWD/socket" "$PWD/state" >shim/agent-gateway
	chmod +x shim/agent-gateway
	PATH=$PWD/shim:$PATH
	export AGENT_RUNTIME_URL=unix:$PWD/socket
}
teardown() {
	common_teardown
	[ -z "${image:-}" ] || $engine rmi --force "$image" >/dev/null 2>&1 || :
}

# block HEADING N: the Nth block of commands below it
block() {
	awk -v heading="## $1" -v n="$2" '/^## / { in_it = $0 == heading } in_it && /^```sh$/ { on = ++i == n; next } /^```/ { on = 0 } on' "$AU_SRC/README.md"
}
# serve HEADING N [SED]: a block that does not end, in the background; all that it started ends with it
serve() {
	block "$1" "$2" | sed "${3:-}" >serve.sh
	[ -s serve.sh ]
	start serve setsid sh -c 'trap "trap : TERM; kill 0; wait" TERM; . ./serve.sh & wait'
	await 60 test -S socket || { cat serve.err >&2; return 1; }
}
# follow HEADING N: a block of another shell, to its end
follow() {
	block "$1" "$2" >"follow$2.sh"
	[ -s "follow$2.sh" ]
	sh -e "./follow$2.sh"
}

@test "a pipeline" {
	start gateway agent-gateway
	await 20 test -S socket
	follow "A pipeline" 1 >shown
	grep -q 'echo: Echo: review HEAD$' shown
	grep -q 'awaiting operator input$' shown
}

@test "a runtime for threads, on an endpoint" {
	start model "$AU_SRC/tests/fake/fake-openai"
	await 20 test -s model.out
	export OPENAI_BASE_URL
	OPENAI_BASE_URL=http://127.0.0.1:$(cat model.out)/v1
	echo +new >change.diff
	serve "A runtime for threads" 1
	follow "A runtime for threads" 2 >shown
	grep -q 'You said: explain this diff' shown
	grep -q '^+new$' shown
}

needs_codex() {
	CODEX=${CODEX:-$AU_BUILD/libexec/agentutils/codex}
	[ -x "$CODEX" ] || CODEX=$(command -v codex || :)
	case $("$CODEX" --version 2>/dev/null) in
	*' 0.105.0' | *' 0.169.0') ;;
	*) skip "no codex of a version that is known: ./bootstrap --with-codex installs it, where npm can" ;;
	esac
	export AGENT_RUNTIME_CODEX=$CODEX CODEX_HOME=$PWD/codex RUST_LOG=off
	start model "$AU_SRC/tests/fake/fake-model" --codex-home "$CODEX_HOME" --key sk-test --provider 'requires_openai_auth = true'
	await 20 has_line model.out http
	echo sk-test >"$HOME/.openai-key"
}

@test "Codex: a turn that asks, its answer in another shell, and what it cost" {
	needs_codex
	mkdir work
	cd work
	ln -s ../socket socket
	# the stand-in for the model makes of these words what a model would make of those
	serve Codex 1
	block Codex 2 | sed 's/"make an empty report.txt"/"RUN touch report.txt"/' >turn.sh
	grep -q 'RUN touch' turn.sh
	start turn sh -e ./turn.sh
	await 60 has_line "$BATS_TEST_TMPDIR/turn.out" "approval .*touch report.txt"
	follow Codex 3 >/dev/null
	await 30 gone "$pid"
	[ -e report.txt ]
	[ "$(tail -n 1 events | jq -c .payload.usage)" = "$(grep -m 1 '^{"inputTokens"' "$AU_SRC/README.md")" ]
}

@test "a session host" {
	needs_codex
	# the one that the words name, and a port that nobody has
	printf '#!/bin/sh\nexec %q "$@"\n' "$CODEX" >shim/codex
	chmod +x shim/codex
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	OPENAI_API_KEY=sk-test serve "A runtime somewhere else" 1 "s/8080/$port/g"
	# it has a port, and no readiness of its own that the gateway would wait for
	await 20 curl -sf -o health "http://127.0.0.1:$port/health"
	[ "$(follow "A runtime somewhere else" 4)" = "you said hello" ]
}

@test "a container" {
	local form
	export AGENT_CONTAINER_IMAGE=local/agentutils-readme-$$
	for form in "${AGENT_CONTAINER_ENGINE:-}" docker podman "podman --runtime runc"; do
		if [ -z "$form" ] || ! command -v "${form%% *}" >/dev/null; then continue; fi
		if ! $form info >/dev/null 2>>why; then continue; fi
		engine=$form
		break
	done
	[ -n "${engine:-}" ] || skip "no container engine can run here: $(tail -n 1 why 2>/dev/null || echo 'neither docker nor podman is installed')"
	[ "$engine" = docker ] || export AGENT_CONTAINER_ENGINE=$engine
	image=$AGENT_CONTAINER_IMAGE
	serve "A runtime somewhere else" 2
	[ "$(follow "A runtime somewhere else" 4)" = "Cloud(dynamic_sessions) response: hello" ]
	kill "$pid"
	await 30 gone "$pid"
}

@test "a pool" {
	start_pool --base /p --token given
	echo given >token
	export DYNAMIC_SESSIONS_BEARER_TOKEN_FILE=$PWD/token
	serve "A runtime somewhere else" 3 "s|=https://REGION.*|=$pool/p|"
	[ "$(follow "A runtime somewhere else" 4)" = "Host response: hello" ]
}

@test "one test, as it is run by hand" {
	local command path
	path=$(tr : '\n' <<<"$PATH" | grep -v -e bats-core -e "^$AU_BUILD" -e "^$PWD" | paste -sd :) # what bats and we have put there
	command=$(grep -o 'AU_SRC=[^ ]* AU_BUILD=[^ ]* bats [^`]*' "$AU_SRC/README.md")
	ln -s "$AU_SRC/tests" "$AU_SRC/contract" .
	mkdir bin && ln -s "$AU_SRC/bin/gateway" bin/gateway
	env -i PATH="$path" HOME="$HOME" TMPDIR="$PWD" sh -c "$command --formatter tap --filter 'words that look like options'" >tap 3>&- || { cat tap; false; }
	grep -q '^ok 1 ' tap
}
