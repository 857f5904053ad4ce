# common.bash - what every bats file loads: paths, a private home, and things to wait for
#
# AU_SRC and AU_BUILD come from make check; by hand: AU_SRC=. AU_BUILD=build bats tests/agent-send.bats
bats_require_minimum_version 1.5.0

AU_SRC=${AU_SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
AU_BUILD=${AU_BUILD:-$AU_SRC/build}
# tests work in a directory of their own
AU_SRC=$(cd "$AU_SRC" && pwd) && AU_BUILD=$(cd "$AU_BUILD" && pwd) || exit
export AU_SRC AU_BUILD
for dir in /usr/lib/bats /usr/share/bats /usr/lib/node_modules; do
	if [ -e "$dir/bats-support/load.bash" ]; then
		load "$dir/bats-support/load.bash"
		load "$dir/bats-assert/load.bash"
		break
	fi
done

PATH=$AU_BUILD/bin:$PATH
export PATH
unset AGENT_RUNTIME_URL AGENT_RUNTIME_TOKEN CLARITY_RUNTIME_TOKEN CLARITYD_AUTH_TOKEN CLARITY_API_TOKEN AGENT_ERRORS
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy NO_PROXY no_proxy NO_COLOR
export AGENT_RUNTIME_CODEX= # a codex that happens to be here is for its own tests
export LC_ALL=C.UTF-8 TERM=${TERM:-dumb}

# Gives the test a home of its own; call from setup().
common_setup() {
	HOME=$BATS_TEST_TMPDIR/home
	TMPDIR=$BATS_TEST_TMPDIR
	XDG_STATE_HOME=$HOME/.local/state XDG_CONFIG_HOME=$HOME/.config XDG_CACHE_HOME=$HOME/.cache XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
	chmod 700 "$XDG_RUNTIME_DIR"
	export HOME TMPDIR XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR
	cd "$BATS_TEST_TMPDIR" || return
	started=()
}

# Ends what start() began and waits for it; call from teardown().
common_teardown() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || continue
		await 10 gone "$pid" || kill -9 "$pid" 2>/dev/null
	done
	sanitizers_are_quiet
}
# A program that runs on after a sanitizer has found something says so on its standard error only.
sanitizers_are_quiet() {
	! grep -hsE -A 30 'WARNING: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer' "$BATS_TEST_TMPDIR"/*.err >&2
}

# runtime_manifest ID ORIGIN: agents/ID.json, an agent on a runtime; ORIGIN: JSON, what its origin says beside the type
runtime_manifest() {
	mkdir -p agents
	jq -n --arg id "$1" --argjson origin "$2" '{apiVersion: "clarity.runtime/v1", kind: "MCPService",
		metadata: {sourceFile: $id, module: $id, serviceId: "svc_\($id)", serviceType: "agent",
			agent: {agentId: $id, name: $id, role: "assistant", objective: "test", triggers: ["api"]}},
		spec: {origin: ({type: "runtime"} + $origin), enabled: true, autostart: true,
			restartPolicy: {mode: "never", maxRestarts: 0, windowSeconds: 60}, policyRef: "default"}}' >"agents/$1.json"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# await SECONDS COMMAND...: until the command succeeds; fails loudly when it never does. This is the only waiting loop.
await() {
	local limit=$1 end
	shift
	end=$((${EPOCHREALTIME/./} + limit * 1000000))
	until "$@"; do
		if ((${EPOCHREALTIME/./} > end)); then
			echo "waited $limit s in vain for: $*" >&2
			return 1
		fi
		read -rt 0.02 <> <(:) || :
	done
}

# unprivileged COMMAND...: what start() or "${as[@]}" run in it is held to the modes of files, as root is not
unprivileged() {
	local as=()
	[ "$(id -u)" != 0 ] || as=(setpriv "--bounding-set=-dac_override,-dac_read_search" --inh-caps=-all)
	"$@"
}

# start NAME COMMAND...: in the background, outputs in NAME.out and NAME.err, pid in $pid
start() {
	local name=$1
	shift
	: >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" # what an earlier one said is gone before anybody looks
	"${as[@]}" "$@" >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- </dev/null &
	pid=$!
	started+=("$pid")
}

# has_line FILE PATTERN: for await
has_line() { grep -q -e "$2" "$1" 2>/dev/null; }
count_lines() { [ "$(grep -c -e "$2" "$1" 2>/dev/null)" -ge "$3" ]; }

# Where the validator is installed, what the gateways of a file say is written down, and held against the contract when its tests are over.
contract_tools=$AU_BUILD/contract-tools
contract_said=$BATS_FILE_TMPDIR/said
can_validate() { [ -d "$contract_tools/node_modules/ajv" ] && command -v node >/dev/null; }
teardown_file() { contract_holds; }
contract_holds() {
	compgen -G "$contract_said/*" >/dev/null || return 0
	can_validate || return 0
	node "$AU_SRC/contract/validate.mjs" "$contract_tools" "$AU_SRC/contract/openapi.json" "$contract_said"/* >&2
}

# AU_STORE=postgresql runs the gateways of these tests on the server that tests/postgresql.sh has started: each test has a database of its own. The
# options that name it are ${store[@]}, for a gateway that takes the place of an earlier one.
own_store() {
	local name=t_${BATS_SUITE_TEST_NUMBER:-0}_$BATS_ROOT_PID
	store=()
	if [ "${AU_STORE:-}" = postgresql ]; then
		if [ ! -e "$BATS_TEST_TMPDIR/database" ]; then
			psql -X -q -h "$AU_STORE_DIR" -U agent -d postgres -c "CREATE DATABASE $name" >"$BATS_TEST_TMPDIR/database"
		fi
		store=(--store "postgresql://agent@/$name?host=$AU_STORE_DIR")
	fi
}

# stored WHAT PREFIX: of the documents in the store whose keys begin so, whichever store it is; "doc" is one's text
stored() {
	own_store
	if [ "${AU_STORE:-}" = postgresql ]; then
		psql -X -q -At "${store[1]}" -c "SELECT ${1/doc/"convert_from(doc, 'UTF8')"} FROM docs WHERE encode(key, 'escape') LIKE '$2%'" | head -n 1
	else
		python3 -c 'import sqlite3, sys; print(sqlite3.connect("state/agentutils.db").execute("SELECT " + sys.argv[1] + " FROM docs WHERE key LIKE ?", (sys.argv[2] + "%",)).fetchone()[0])' \
			"${1/doc/CAST(doc AS TEXT)}" "$2"
	fi
}

# start_gateway [options]: a gateway of our own on a free port; sets $url and $gateway_pid
start_gateway() {
	local record=()
	own_store
	if can_validate; then
		mkdir -p "$contract_said"
		record=(--record "$contract_said/test-$BATS_TEST_NUMBER.${gateway_n:-0}")
	fi
	start "gateway${gateway_n:=0}" agent-gateway --listen 127.0.0.1:0 --state "$BATS_TEST_TMPDIR/state" "${store[@]}" "${record[@]}" "$@"
	gateway_pid=$pid
	gateway_log=$BATS_TEST_TMPDIR/gateway$gateway_n
	gateway_n=$((gateway_n + 1))
	await 20 gateway_listens || { cat "$gateway_log.err" >&2; return 1; }
	url=$(jq -r 'select(.event=="listening").url' "$gateway_log.out" | head -n 1)
	export AGENT_RUNTIME_URL=$url
}
gateway_listens() { has_line "$gateway_log.out" '"listening"' || gone_loudly; }
gone_loudly() {
	kill -0 "$gateway_pid" 2>/dev/null || { echo "the gateway ended before it listened" >&2; return 0; }
	return 1
}

# make_token [options]: a new token for a gateway on this test's state directory
make_token() { agent-gateway-token --state "$BATS_TEST_TMPDIR/state" create "$@" | jq -r .token; }
# code [options] URL: the status of curl's request; its body in `answer`
code() { curl -sS -o answer -w '%{http_code}' "$@"; }

# start_clarity [options]: the stand-in for the Clarity runtime (tests/fake/fake-clarity); sets $url and $clarity_pid
start_clarity() {
	start "clarity${clarity_n:=0}" python3 "$AU_SRC/tests/fake/fake-clarity" --port 0 "$@"
	clarity_pid=$pid
	clarity_log=$BATS_TEST_TMPDIR/clarity$clarity_n
	clarity_n=$((clarity_n + 1))
	await 20 has_line "$clarity_log.out" '^clarityd listening on' || { cat "$clarity_log.err" >&2; return 1; }
	url=$(sed -n 's/^clarityd listening on //p' "$clarity_log.out")
	export AGENT_RUNTIME_URL=$url
}

# start_compass [options]: the stand-in for a Compass API (tests/fake/fake-compass); sets $url and $compass_pid
start_compass() {
	start "compass${compass_n:=0}" python3 "$AU_SRC/tests/fake/fake-compass" --port 0 "$@"
	compass_pid=$pid
	compass_log=$BATS_TEST_TMPDIR/compass$compass_n
	compass_n=$((compass_n + 1))
	await 20 has_line "$compass_log.out" '^compass listening on' || { cat "$compass_log.err" >&2; return 1; }
	url=$(sed -n 's/^compass listening on //p' "$compass_log.out")
	export AGENT_RUNTIME_URL=$url AGENT_WORKSPACE=acme
}
# tell ORDER: what a stand-in does next; asks nothing of a real server
tell() { curl -sf -H 'content-type: application/json' -d "$1" "$url/__fake"; }
# told FILTER: what a stand-in says of itself is so; for await
told() { curl -sf "$url/__fake" | jq -e "$1" >/dev/null; }
