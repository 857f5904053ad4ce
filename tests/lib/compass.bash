# compass.bash - requests to /v1/agent, scripts for its runtime, and what comes back
# shellcheck disable=SC2154,SC2034

compass_setup() {
	common_setup
	unset AGENT_RUNTIME_COMMAND AGENT_RUNTIME_ENDPOINT AGENT_CLOUD_DRIVER_MOCK DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT
	export AGENT_RUNTIME_PROVIDER=mock
	mock=$AU_BUILD/libexec/agentutils/agent-runtime-mock
}

# ask METHOD PATH [BODY] [curl options]: status in $code, answer in $body and the file body, head in the file head
ask() {
	local method=$1 path=$2 data=()
	shift 2
	if [[ "${1:-}" != -* && $# -gt 0 ]]; then
		data=(-H "content-type: ${type:-application/json}" --data-binary "$1")
		shift
	fi
	: >body
	code=$(curl -sS -X "$method" -o body -D head -w '%{http_code}' "${data[@]}" "$@" "$url$path")
	body=$(cat body)
}

is() { # FILTER VALUE: of the answer
	local got
	got=$(jq -c "$1" body)
	[ "$got" = "$2" ] || { echo "$1 is $got, not $2, in: $body" >&2; return 1; }
}

# refused STATUS CODE [MESSAGE]
refused() {
	[ "$code" = "$1" ] || { echo "$code: $body" >&2; return 1; }
	is .code "\"$2\""
	[ "$(jq -c keys body)" = '["code","message"]' ]
	if [ $# -gt 2 ]; then [ "$(jq -r .message body)" = "$3" ] || { echo "$body" >&2; return 1; }; fi
}

# says TEXT: the refusal's message contains it
says() { [[ $(jq -r .message body) == *"$1"* ]] || { echo "$body" >&2; return 1; }; }

# failed_with CODE MESSAGE: the turn, and what to do is said
failed_with() {
	is '[.turn.error.code, .turn.error.message, (.turn.error.hint | length > 0)]' "[\"$1\",\"$2\",true]"
}

new_thread() { # [members]
	ask POST /v1/agent/threads "{\"workspaceSlug\":\"${workspace:-acme}\"${1:+,$1}}"
	[ "$code" = 201 ] || { echo "$body" >&2; return 1; }
	thread=$(jq -r .thread.threadId body)
	path=/v1/agent/threads/$thread
}

# turn TEXT [members]: started, not waited for; its id in $turn
turn() {
	ask POST "$path/turns?wait=false" "$(jq -nc --arg text "$1" '{$text}' | sed "s/}$/${2:+,$2}}/")"
	[ "$code" = 202 ] || { echo "$code $body" >&2; return 1; }
	turn=$(jq -r .turn.turnId body)
}

# events [CURSOR]: all after it, whatever their number
events() {
	local cursor=${1:-0} page
	while page=$(curl -sS "$url$path/events?cursor=$cursor&limit=500" | jq -c '.events[]') && [ -n "$page" ]; do
		printf '%s\n' "$page"
		cursor=$(tail -n 1 <<<"$page" | jq .cursor)
	done
}
has_event() { events | jq -es "any(.[]; $1)" >/dev/null; }
see() { await "${2:-20}" has_event "$1" || { events >&2; return 1; }; } # CONDITION: waits for such an event
status_is() { [ "$(curl -sS "$url$path" | jq -r .thread.status)" = "$1" ]; }

# with_script [gateway options] <SCRIPT: a gateway whose runtime plays it
with_script() {
	cat >"$BATS_TEST_TMPDIR/script"
	start_gateway --runtime "$mock --script $BATS_TEST_TMPDIR/script" "$@"
}
