#!/usr/bin/env bats
# The gateway with its session host in a container (local_docker): with a real engine where one can run, and with a stand-in for what an engine says when
# something is wrong.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2086
load ../lib/common
load ../lib/compass
load ../lib/asking
load ../lib/pool

setup_file() {
	local engine
	image=local/agentutils-test-$$
	for engine in "${AGENT_CONTAINER_ENGINE:-}" docker podman "podman --runtime runc"; do
		if [ -z "$engine" ] || ! command -v "${engine%% *}" >/dev/null; then continue; fi
		if ! "$AU_BUILD/bin/agent-image-build" --engine "$engine" --image "$image" >"$BATS_FILE_TMPDIR/built" 2>>"$BATS_FILE_TMPDIR/why"; then continue; fi
		if $engine run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 "$image" /usr/libexec/agentutils/agent-session-host --version \
			>/dev/null 2>>"$BATS_FILE_TMPDIR/why"; then
			real_engine=$engine
			break
		fi
	done
	export real_engine=${real_engine:-} image
}
teardown_file() {
	[ -z "$real_engine" ] || $real_engine rmi --force "$image" >/dev/null 2>&1 || :
	contract_holds
}
setup() {
	compass_setup
	unset AGENT_RUNTIME_REQUEST_TIMEOUT_MS AGENT_CONTAINER_MEMORY AGENT_CONTAINER_CPUS AGENT_CONTAINER_PIDS AGENT_CONTAINER_ENV_FILE
	export AGENT_RUNTIME_PROVIDER=local_docker AGENT_CONTAINER_IMAGE=$image
}
teardown() {
	common_teardown
	[ -z "${container:-}" ] || $real_engine rm --force "$container" >/dev/null 2>&1 || :
}
needs_engine() {
	[ -n "$real_engine" ] || skip "no container engine can run here: $(tail -n 1 "$BATS_FILE_TMPDIR/why" 2>/dev/null || echo 'neither docker nor podman is installed')"
	export AGENT_CONTAINER_ENGINE=$real_engine
}
say() { ask POST "$path/turns" "$(jq -nc --arg text "$1" '{$text}')"; } # TEXT
ours() { $real_engine ps --all --filter label=agentutils=session-host --format '{{.ID}} {{.Names}}' | grep -F -- "$(name_of)" | cut -d ' ' -f 1; }
# The container's name, which the gateway made from the path of its state; known by the token's file in it
name_of() { $real_engine ps --all --filter label=agentutils=session-host --format '{{.Names}}' | while read -r name; do
	if $real_engine inspect "$name" | grep -qF "$(sed 's/.*=//' "$BATS_TEST_TMPDIR/state/container.env")"; then echo "$name"; fi
done; }
inside() { $real_engine inspect "$container" | jq -r ".[0] | $1"; }

# an engine that says what the file of its first word says: first line the status
stand_in() {
	cat >engine <<-'END'
		#!/bin/sh
		here=$(dirname "$0")
		printf '%s\n' "$*" >>"$here/engine.asked"
		[ -e "$here/said.$1" ] || exit 0
		[ "$(head -n 1 "$here/said.$1")" != hang ] || exec tail -f /dev/null
		sed 1d "$here/said.$1" >&2
		exit "$(head -n 1 "$here/said.$1")"
	END
	chmod +x engine
	export AGENT_CONTAINER_ENGINE=$PWD/engine
}
create() { ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'; }

@test "a container is started for the first thread, used by the next, and removed at the end" {
	needs_engine
	start_gateway
	[ ! -e state/container.env ]
	new_thread
	container=$(name_of)
	[ -n "$container" ]
	[ "$(stat -c %a state/container.env)" = 600 ]
	say hello
	is .turn.status '"completed"'
	is .outputText '"Cloud(dynamic_sessions) response: hello"'
	new_thread
	say again
	is .turn.status '"completed"'
	[ "$(ours | wc -l)" = 1 ]
	ask POST /v1/agent/runtime/account/read '{}'
	is '[.provider, .capabilities.interactiveAuth]' '["local_docker",true]'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	run ! $real_engine inspect "$container"
}

@test "it may do little, and is reached from here alone, with its token" {
	needs_engine
	AGENT_CONTAINER_MEMORY=300m AGENT_CONTAINER_PIDS=99 start_gateway
	new_thread
	container=$(name_of)
	[ "$(inside .HostConfig.ReadonlyRootfs)" = true ]
	[ "$(inside '.HostConfig.Memory, .HostConfig.PidsLimit' | paste -sd ' ')" = '314572800 99' ]
	inside '.HostConfig.SecurityOpt[]' | grep -q no-new-privileges
	[ "$(inside '.HostConfig.PortBindings["8080/tcp"][0].HostIp')" = 127.0.0.1 ]
	pid=$(inside .State.Pid)
	grep -q '^CapEff:[[:blank:]]*0000000000000000$' "/proc/$pid/status"
	grep -q '^CapBnd:[[:blank:]]*0000000000000000$' "/proc/$pid/status"
	grep -q '^NoNewPrivs:[[:blank:]]*1$' "/proc/$pid/status"
	grep -q '^Uid:[[:blank:]]*65534' "/proc/$pid/status"
	port=$(inside '.HostConfig.PortBindings["8080/tcp"][0].HostPort // .NetworkSettings.Ports["8080/tcp"][0].HostPort')
	[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/agent/session/bootstrap?identifier=x")" = 401 ]
	token=$(sed 's/.*=//' state/container.env)
	run ! grep -F "$token" "$gateway_log.out" "$gateway_log.err"
	run ! grep -rF "$token" /proc/"$gateway_pid"/cmdline
}

@test "after a crash the container is found again, and one that has ended is followed by another" {
	needs_engine
	start_gateway
	new_thread
	container=$(name_of)
	first=$(inside .Id)
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	[ "$(inside .State.Running)" = true ]
	start_gateway
	ask POST "$path/turns" '{"text":"hello"}'
	is .turn.status '"completed"'
	[ "$(inside .Id)" = "$first" ]
	$real_engine kill "$container" >/dev/null
	say again
	is .turn.status '"completed"'
	[ "$(inside .Id)" != "$first" ]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	run ! $real_engine inspect "$container"
}

# docker_forms: commands that are called docker, with the engine behind them; one that is not there is none
docker_forms() {
	local i
	mkdir shim
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>%q\nexec %s "$@"\n' "$PWD/docker.asked" "$real_engine" >shim/docker
	chmod +x shim/docker
	forms=(docker)
	PATH=$PWD/shim:$PATH
	command -v podman >/dev/null || return 0
	for i in $(type -ap docker); do
		[ "$i" != "$PWD/shim/docker" ] || continue
		start engine podman --runtime runc system service --time 0 "unix://$PWD/engine.sock"
		await 20 test -S engine.sock
		forms+=("$i -H unix://$PWD/engine.sock")
		break
	done
}

@test "the docker command line: the image is built, the container is started, found, used and removed" {
	needs_engine
	docker_forms
	for form in "${forms[@]}"; do
		rm -rf state
		export AGENT_CONTAINER_ENGINE=$form AGENT_CONTAINER_IMAGE=$image-docker
		[ "$form" != docker ] || unset AGENT_CONTAINER_ENGINE # it is what is taken where nothing is said
		agent-image-build | jq -e --arg image "$image-docker" '.image == $image and (.id | test("^sha256:[0-9a-f]+$"))'
		start_gateway
		new_thread
		container=$(name_of)
		[ -n "$container" ]
		say hello
		is .outputText '"Cloud(dynamic_sessions) response: hello"'
		kill -9 "$gateway_pid"
		await 10 gone "$gateway_pid"
		start_gateway
		ask POST "$path/turns" '{"text":"again"}'
		is .turn.status '"completed"'
		[ "$(ours | wc -l)" = 1 ]
		kill "$gateway_pid"
		await 30 gone "$gateway_pid"
		run ! $real_engine inspect "$container"
		$form image inspect "$image-docker" >/dev/null
		$form rmi --force "$image-docker" >/dev/null
	done
	grep -q '^import --change CMD ' docker.asked
	grep -q "^run --detach --name agentutils-.* --read-only .* --cap-drop=ALL --security-opt=no-new-privileges .* --publish 127.0.0.1::8080 " docker.asked
	grep -q '^rm --force agentutils-' docker.asked
	AGENT_CONTAINER_IMAGE=local/not-there start_gateway --state state2
	create
	refused 503 AGENT_RUNTIME_IMAGE_MISSING
}

@test "approvals and what a turn is asked for with go into the container and back" {
	needs_engine
	printf '%s\n' "$asking_script" >asking
	chmod 644 asking
	"$AU_BUILD/bin/agent-image-build" --engine "$real_engine" --image "$image-asking" --add "$PWD/asking" -- /usr/libexec/agentutils/agent-runtime-mock --chunk 3 --script "$PWD/asking" >built
	AGENT_CONTAINER_IMAGE=$image-asking start_gateway
	limits_go_through
	approvals_go_through
	container=$(name_of)
	wishes_go_through
	# what it costs stands with its turn, and with a run
	agent-events --thread "$(jq -r .threadId created)" --kind turn.completed --jq .payload.usage.totalTokens | grep -q '[1-9]'
	agent-send --wait --run "$thread" "and this" >said
	agent-runs "$thread" | jq -e '.usage.totalTokens > 0'
	kill "$gateway_pid"
	await 30 gone "$gateway_pid"
	$real_engine rmi --force "$image-asking" >/dev/null
}

@test "an image that is not there" {
	needs_engine
	AGENT_CONTAINER_IMAGE=local/not-there start_gateway
	create
	refused 503 AGENT_RUNTIME_IMAGE_MISSING "There is no image 'local/not-there': make it with agent-image-build, or set AGENT_CONTAINER_IMAGE"
}

@test "no engine" {
	AGENT_CONTAINER_ENGINE=/no/such/engine start_gateway
	create
	refused 503 AGENT_RUNTIME_ENGINE_MISSING
	[[ $body == *"/no/such/engine"*"install podman or docker, or name the command in AGENT_CONTAINER_ENGINE"* ]]
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
}

@test "an engine that does not work, and one that cannot start the container, say why" {
	stand_in
	printf '125\nCannot connect to the daemon. Is it running?\n' >said.image
	start_gateway
	create
	refused 503 AGENT_RUNTIME_ENGINE_MISSING
	says "The container engine '$PWD/engine' does not work: Cannot connect to the daemon. Is it running?; see that it runs ('$PWD/engine info'), or name another in AGENT_CONTAINER_ENGINE"
	rm said.image
	printf '126\nfirst line\nno room for \033[31mit\n' >said.run
	create
	refused 503 AGENT_RUNTIME_CONTAINER_FAILED
	[[ $(jq -r .message body) == "The container 'agentutils-"*"' could not be started: no room for \\x1b[31mit; mend that, or see AGENT_CONTAINER_"* ]]
	rm said.run
	create
	refused 503 AGENT_RUNTIME_CONTAINER_FAILED
	[[ $body == *"ended at once; look at its logs: "* ]]
	# every container that may be there is removed
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	[[ $(tail -n 1 engine.asked) == "rm --force agentutils-"* ]]
}

# an engine whose container is the stand-in for a host at $pool
stand_in_host() { # [options of the host]
	start_pool --open "$@"
	printf '#!/bin/sh\nhere=%q\n[ ! -e "$here/said.$1" ] || { cat "$here/said.$1" >&2; exit 125; }\n[ "$1" != port ] || cat "$here/address"\n' "$PWD" >engine
	chmod +x engine
	echo "${pool#http://}" >address
	export AGENT_CONTAINER_ENGINE=$PWD/engine
}

@test "the notices of a container that follows another are read once" {
	stand_in_host
	start_gateway
	new_thread
	await 20 was_asked '.path == "/agent/stream"'
	kill "$pool_pid"
	await 10 gone "$pool_pid"
	stand_in_host
	ask POST "$path/turns" '{"text":"hello"}'
	is .turn.status '"completed"'
	# longer than the pause after which the stream of the first one would have been asked for again
	turn SLOW
	see '.method == "item.delta" and (.payload.text | contains("20 "))'
	ask POST "$path/turns/$turn/interrupt"
	count_asked '.path == "/agent/stream"' 1
	order '{"notice":{"method":"account/updated","params":{"authMode":"apikey"}}}'
	start watcher "$AU_SRC/tests/fake/ws-read" "$url/v1/agent/runtime/stream?cursor=0"
	await 20 has_line watcher.out account/updated
}

@test "a container that is gone while an approval is answered, and none that follows it" {
	stand_in_host --close
	start_gateway
	new_thread
	turn ASK
	see '.method == "approval.requested"'
	approval=$(events | jq -r 'select(.method == "approval.requested").payload.approvalId')
	order '{"deaf":true}'
	echo "No such image" >said.image
	rm address
	ask POST "$path/approvals/$approval" '{"decision":"accept"}'
	see ".method == \"turn.completed\" and .turnId == \"$turn\" and .payload.error.code == \"AGENT_RUNTIME_IMAGE_MISSING\""
	create
	refused 503 AGENT_RUNTIME_IMAGE_MISSING
}

@test "an engine that hangs keeps nobody from leaving" {
	stand_in
	echo hang >said.image
	start_gateway
	start asker curl -sS -H 'content-type: application/json' -d '{"workspaceSlug":"acme"}' "$url/v1/agent/threads"
	await 20 has_line engine.asked '^image inspect'
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
}
