# services.bash - remote agents and manifests for tests

# start_mcp [options]: a remote agent (tests/fake/fake-mcp); sets $mcp, its requests are in $mcp_log.out
start_mcp() {
	start "mcp${mcp_n:=0}" python3 "$AU_SRC/tests/fake/fake-mcp" --go "$BATS_TEST_TMPDIR/go" "$@"
	mcp_pid=$pid
	mcp_log=$BATS_TEST_TMPDIR/mcp$mcp_n
	mcp_n=$((mcp_n + 1))
	await 20 has_line "$mcp_log.out" '^http' || { cat "$mcp_log.err" >&2; return 1; }
	mcp=$(head -n 1 "$mcp_log.out")
}
asked() { tail -n +2 "$mcp_log.out"; }

# manifest ID ORIGIN-JSON [JQ-FILTER]: a manifest of an agent on standard output
manifest() {
	jq -c --arg id "$1" --argjson origin "$2" '.metadata.serviceId = "svc_" + $id | .metadata.module = $id | .metadata.agent.agentId = $id | .metadata.agent.name = $id
		| .metadata.agent.chat = {} | .spec.origin = $origin | .spec.autostart = false | '"${3:-.}" "$AU_SRC/bin/gateway/builtin/shell.json"
}
remote() { jq -nc --arg url "$mcp" '{type: "remote_mcp", endpoint: $url, transport: "streamable_http"} | '"${1:-.}"; }

# api METHOD PATH [CURL OPTIONS]: the body in $output, the HTTP status in $code
api() {
	local method=$1 path=$2
	shift 2
	output=$(curl -s -X "$method" -w '\n%{http_code}' "$@" "$url$path")
	code=${output##*$'\n'}
	output=${output%$'\n'*}
}
# apply: the manifest on standard input is applied, byte for byte
apply() { api POST /api/services/apply --data-binary "{\"manifest\":$(cat)}"; }
is() { [ "$1" = "$2" ] || { printf 'got  %s\nwant %s\n' "$1" "$2" >&2; return 1; }; }
field() { jq -r "$1" <<<"$output"; }
lifecycle() { curl -s "$url/api/services/$1" | jq -r .service.runtime.lifecycle; }
is_lifecycle() { [ "$(lifecycle "$1")" = "$2" ]; }
