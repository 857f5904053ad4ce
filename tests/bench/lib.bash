# lib.bash - what every bench loads: a place, gateways, and the line of a measure
#
# AU_BENCH is the folder with bench-http and the others. BENCH_QUICK=1 makes everything tiny: it shows that the benches work, and measures nothing.
# shellcheck shell=bash disable=SC2034,SC2030,SC2031 # the benches use what is set here
set -eu
bench_src=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=${AU_BENCH:?is the folder of the bench programs}:$PATH
quick=${BENCH_QUICK:-}
state=$(mktemp -d)
unset AGENT_RUNTIME_URL AGENT_RUNTIME_TOKEN CLARITY_RUNTIME_TOKEN CLARITYD_AUTH_TOKEN CLARITY_API_TOKEN
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
export AGENT_RUNTIME_CODEX='' LC_ALL=C.UTF-8
pids=()

# end PID: a program that was started here
end() {
	kill "$1" 2>/dev/null || return 0
	wait "$1" 2>/dev/null || :
}
finish() {
	local pid
	for pid in "${pids[@]}"; do end "$pid"; done
	rm -rf "$state"
}
trap finish EXIT
trap 'exit 130' INT TERM

# attempt COMMAND...: a part of a bench, in a shell of its own: when it fails that is said, the rest goes on, and the bench has failed at its end
failed=''
attempt() {
	local status
	set +e
	(
		set -e
		pids=() # its own
		trap 'for pid in "${pids[@]}"; do end "$pid"; done' EXIT
		"$@"
	)
	status=$?
	set -e
	[ "$status" != 130 ] || exit 130
	[ "$status" = 0 ] || {
		loud "not measured: ${*:1:4}"
		failed=1
	}
}
# The last word of a bench.
conclude() { [ -z "$failed" ]; }

# size FULL TINY: how much of something
size() { if [ -n "$quick" ]; then echo "$2"; else echo "$1"; fi; }
# limit SECONDS: of bench-http, in $limit
limit() { if [ -n "$quick" ]; then limit=(-n 40); else limit=(-t "$1"); fi; }
# loud TEXT: what a reader of the numbers must know
loud() { printf '\n*** %s: %s\n\n' "$(basename "$0" .sh)" "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# measure NAME UNIT OURS THEIRS WHAT GOAL [MEMBERS]: one line. THEIRS: a number, or null when there is none (WHAT it is, or would be). The ratio is
# ours to theirs. GOAL: "ratio <= 1.3", "ours >= 10", or nothing. MEMBERS: a JSON object with more.
measure() {
	jq -cn --arg name "$1" --arg unit "$2" --argjson ours "$3" --argjson theirs "$4" --arg what "$5" --arg goal "$6" --argjson more "${7:-"{}"}" '
		def short: if . == null then . else . * 1000 | round / 1000 end;
		(if $theirs == null or $theirs == 0 or $ours == null then null else $ours / $theirs end) as $ratio
		| ($goal | if . == "" then null else capture("^(?<what>ours|ratio) (?<than><=|>=) (?<n>[0-9.]+)$") end) as $g
		| (if $g.what == "ours" then $ours else $ratio end) as $is
		| {name: $name, unit: $unit, ours: ($ours | short), theirs: ($theirs | short), beside: (if $what == "" then null else $what end), ratio: ($ratio | short),
		   goal: (if $g then $goal else null end),
		   met: (if $g == null or $is == null then null elif $g.than == "<=" then $is <= ($g.n | tonumber) else $is >= ($g.n | tonumber) end)} + $more'
}
# of FILTER RECORD: one number
of() { jq -r "$1" <<<"$2"; }

# gateway [options]: one of our own; sets url, gateway (its process) and gateway_state, which may be set before
gateway() {
	gateway_state=${gateway_state:-$(mktemp -d "$state/gateway.XXXXXX")}
	: >"$state/gateway.out"
	agent-gateway --listen 127.0.0.1:0 --state "$gateway_state" --max-connections 12000 "$@" >"$state/gateway.out" 2>"$state/gateway.err" </dev/null &
	gateway=$!
	pids+=("$gateway")
	until [ -s "$state/gateway.out" ]; do kill -0 "$gateway" || { cat "$state/gateway.err" >&2; return 1; }; done
	url=$(head -n 1 "$state/gateway.out" | jq -r .url)
	export AGENT_RUNTIME_URL=$url
}
# gateway_stop keeps its state, for one that comes after it
gateway_stop() { end "$gateway"; }
gateway_end() {
	gateway_stop
	rm -rf "${gateway_state:?}"
	gateway_state=''
}
# resident PID: KiB
resident() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }

# messages COUNT RUN [CONNECTIONS]: stored with their replies, five events each; RUN may have %c and %n. A run refuses what comes faster than its
# agent answers: one connection for each.
messages() {
	local record
	record=$(bench-http -m POST -b '{"message":"hello","service_id":"svc_echo","agent":"echo"}' -n "$1" -t 600 "${3:-256}" "/api/agents/runs/$2/messages" "$url") || return
	[ "$(of '"\(.n) \(.refused)"' "$record")" = "$1 0" ] || {
		echo "of $1 messages to $2: $record" >&2
		return 1
	}
}

# wake N URL RUN COMMAND...: the record of bench-wake, with a command that follows the run in front of it
wake() {
	local n=$1 url=$2 run=$3 follower
	shift 3
	[ -p "$state/follow" ] || mkfifo "$state/follow"
	"$@" >"$state/follow" 2>/dev/null &
	follower=$!
	bench-wake "$n" "$url" "$run" "$state/disk" <"$state/follow" || loud "nothing came through $1"
	end "$follower"
}
