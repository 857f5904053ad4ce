#!/usr/bin/env bats
# What is wrong with a runtime: each row of the table in agent-runtime(7) happens, with its code, its statuses and something to do.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/compass
load ../lib/pool

setup() {
	compass_setup
	unset AGENT_RUNTIME_PROVIDER CODEX_APP_SERVER_COMMAND CODEX_APP_SERVER_ARGS OPENAI_API_KEY AGENT_RUNTIME_REQUEST_TIMEOUT_MS DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS
	unset IDENTITY_ENDPOINT IDENTITY_HEADER MSI_ENDPOINT MSI_SECRET DYNAMIC_SESSIONS_BEARER_TOKEN DYNAMIC_SESSIONS_BEARER_TOKEN_FILE AGENT_CONTAINER_IMAGE
	export AGENT_WORKSPACE=acme
}
teardown() { common_teardown; }

local_codex() { AGENT_RUNTIME_PROVIDER=local_process AGENT_RUNTIME_CODEX=$1 start_gateway --state "state.$code"; }
script() { # LINE of the turn
	printf '%s\n' '{"on":"turn"}' "$1" >"script.$code"
	start_gateway --runtime "$mock --script $PWD/script.$code" --state "state.$code" "${@:2}"
}
behind_pool() { # options of the pool
	start_pool --base /p "$@"
	AGENT_RUNTIME_PROVIDER=dynamic_sessions DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=${pool_at:-$pool/p} start_gateway --state "state.$code"
}
engine() { # COMMAND THAT IT REFUSES, STATUS, WORDS
	printf '#!/bin/sh\n[ "$1" != %s ] || { echo "%s" >&2; exit %s; }\n' "$1" "$3" "$2" >engine
	chmod +x engine
	AGENT_RUNTIME_PROVIDER=local_docker AGENT_CONTAINER_ENGINE=$PWD/engine start_gateway --state "state.$code"
}
# the runtime or the gateway for a row
AGENT_RUNTIME_MISSING() { local_codex /nowhere; }
AGENT_RUNTIME_VERSION() {
	printf '#!/bin/sh\nread -r line\nline=${line#*\\"id\\":}\necho "{\\"id\\":${line%%%%,*},\\"result\\":{\\"userAgent\\":\\"x/0.99.1 (y)\\"}}"\ncat >/dev/null\n' >old
	chmod +x old
	local_codex "$PWD/old"
}
AGENT_RUNTIME_CONFIG() {
	printf '%s\n' '{"on":"thread/start"}' '{"refuse":"failed to load configuration: config.toml: no such key"}' >"script.$code"
	start_gateway --runtime "$mock --script $PWD/script.$code" --state "state.$code"
}
AGENT_RUNTIME_AUTH_REQUIRED() { script '{"fail":"unexpected status 401 Unauthorized","info":"unauthorized"}'; }
AGENT_RUNTIME_RATE_LIMITED() { script '{"fail":"You have hit your usage limit. Try again in 2 hours.","info":"usageLimitExceeded"}'; }
AGENT_MODEL_UNAVAILABLE() { script '{"fail":"too busy","info":"serverOverloaded"}'; }
AGENT_TURN_TIMEOUT() { script '{"hang":true}' --turn-timeout 1s; }
AGENT_RUNTIME_UNAVAILABLE() { script '{"exit":3}'; }
RUNTIME_EXECUTION_FAILED() { script '{"fail":"it went wrong","info":"other"}'; }
AGENT_RUNTIME_ENGINE_MISSING() { AGENT_RUNTIME_PROVIDER=local_docker AGENT_CONTAINER_ENGINE=/no/such/engine start_gateway --state "state.$code"; }
AGENT_RUNTIME_IMAGE_MISSING() { engine image 125 "No such image"; }
AGENT_RUNTIME_CONTAINER_FAILED() { engine run 126 "no room"; }
AGENT_RUNTIME_TOKEN_UNAVAILABLE() { behind_pool; }
AGENT_RUNTIME_TOKEN_REFUSED() { DYNAMIC_SESSIONS_BEARER_TOKEN=wrong behind_pool --token right; }
AGENT_RUNTIME_POOL_UNREACHABLE() { pool_at=http://127.0.0.1:1/p DYNAMIC_SESSIONS_BEARER_TOKEN=right behind_pool --token right; }
AGENT_RUNTIME_POOL_NOT_FOUND() {
	DYNAMIC_SESSIONS_BEARER_TOKEN=right behind_pool --token right
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	AGENT_RUNTIME_PROVIDER=dynamic_sessions DYNAMIC_SESSIONS_BEARER_TOKEN=right DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool/other start_gateway --state "state.$code"
}
AGENT_RUNTIME_POOL_BUSY() { DYNAMIC_SESSIONS_BEARER_TOKEN=right behind_pool --token right --sessions 0; }

# What comes of a thread and a turn: the exit status, and the code and the message of whichever failed.
try() {
	if agent-thread-create >thread 2>said; then
		status=0
		agent-turn-start hello <thread >turn 2>>said || status=$?
		jq -r .error.code turn >code
		jq -r '.error.hint // .error.message' turn >advice
		http=200
	else
		status=0
		agent-thread-create >/dev/null 2>said || status=$?
		ask POST /v1/agent/threads '{"workspaceSlug":"acme"}' || return 1
		http=$(sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p' head)
		jq -r .code body >code
		jq -r .message body >advice
	fi
}

@test "each row of the table happens as it says" {
	mandoc -Tutf8 -O width=500 "$AU_SRC/man/agent-runtime.7" | sed 's/.\x08//g' | sed -n 's/^ *\([A-Z_]\{8,\}\)  *\([0-9]*\)  *\([0-9]*\)  *\(.*\)$/\1 \2 \3 \4/p' >table
	[ "$(wc -l <table)" = 17 ]
	while read -r row want_http want_status what <&7; do
		code=$row
		"$row" || { echo "$row: it cannot be made to happen" >&2; return 1; }
		try
		[ "$(cat code) $http $status" = "$row $want_http $want_status" ] || { echo "$row $want_http $want_status: $(cat code) $http $status: $(cat said)" >&2; return 1; }
		[ -s advice ]
		case $row in
		RUNTIME_EXECUTION_FAILED) ;; # the reason is all there is
		*) grep -Eq 'install|look at|log in|make it|needs the role|later|mend|waits|ask again|ask for less|give' advice || { echo "$row: no advice: $(cat advice)" >&2; return 1; } ;;
		esac
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done 7<table
}
