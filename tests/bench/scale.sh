#!/usr/bin/env bash
# scale.sh - one, two and four gateways on one PostgreSQL, side by side with one on SQLite: NDJSON lines
#
# Messages with their replies over 32 and 256 connections that are spread over the gateways; and how long what one gateway stores takes to a reader
# at another one. The server is a scratch one on this machine, with fsync on. Without a server: nothing but a word on standard error.
# shellcheck disable=SC1091,SC2154,SC2034 # the libraries set what seems unset here
. "$(dirname "$0")/lib.bash"
. "$bench_src/../lib/postgresql.bash"
limit 4
pg_dir=''
leave() {
	finish
	[ -z "$pg_dir" ] || postgresql_end
}
trap leave EXIT
if ! postgresql_available; then
	loud "nothing is measured: $why"
	exit 0
fi

# gateways N [options]: their addresses in ${urls[@]}
gateways() {
	local n=$1 i
	shift
	urls=() running=()
	for ((i = 0; i < n; i++)); do
		gateway_state=''
		gateway "$@"
		running+=("$gateway")
		urls+=("$url")
	done
}
stop_all() {
	local pid
	for pid in "${running[@]}"; do end "$pid"; done
}
# post CONNECTIONS: the record of one run over all of ${urls[@]}
post() {
	bench-http -m POST -b '{"message":"hello","service_id":"svc_echo","agent":"echo"}' "${limit[@]}" "$1" '/api/agents/runs/r%c/messages' "${urls[@]}"
}
# compare WHAT KEEP-AS BESIDE KEPT-AS: the rates are kept for those that come after
compare() {
	local connections record other
	for connections in 32 256; do
		record=$(post "$connections")
		of .rate "$record" >"$state/$2.$connections"
		other=$(cat "$state/$4.$connections" 2>/dev/null || echo null)
		measure "messages, $connections connections, $1" 1/s "$(of .rate "$record")" "$other" "$3" "" "$(jq -c '{p50_ms, p99_ms}' <<<"$record")"
	done
}
sqlite() {
	gateways 1
	compare "one gateway, SQLite" sqlite "" none
	stop_all
}
postgresql() { # N
	postgresql_database "scale$1"
	gateways "$1" --store "$pg_url"
	if [ "$1" = 1 ]; then
		compare "one gateway, PostgreSQL" one "one gateway, SQLite" sqlite
	else
		compare "$1 gateways, PostgreSQL" "$1" "one gateway, PostgreSQL" one
	fi
	if [ "$1" = 2 ]; then
		record=$(wake "$(size 500 20)" "${urls[0]}" wake curl -sN "${urls[1]}/api/agents/runs/wake/events/stream")
		measure "from a post at one gateway to a reader at another" ms "$(of .p50_ms "$record")" "$(of .fsync_p50_ms "$record")" "an fsync" "" "$(jq -c '{p99_ms}' <<<"$record")"
	fi
	stop_all
}
attempt sqlite
pg_fsync=on
postgresql_start
for n in 1 2 4; do attempt postgresql "$n"; done
conclude
