#!/usr/bin/env bash
# scale.sh - one, two and four gateways on one PostgreSQL, side by side with one on SQLite: NDJSON lines
#
# Messages with their replies over 32 and 256 connections that are spread over the gateways; and how long what one gateway stores takes to a reader
# at another one. The server is a scratch one on this machine, with fsync on. Without a server: nothing but a word on standard error.
# shellcheck disable=SC1091,SC2034,SC2154 # the library sets and uses what seems unset and unused here
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/postgresql.bash"
seconds=${BENCH_SECONDS:-5}
why='' pids=()
state=$(mktemp -d)
finish() {
	for pid in "${pids[@]}"; do { kill "$pid" && wait "$pid"; } 2>/dev/null || :; done
	[ -z "${pg_dir:-}" ] || postgresql_end
	rm -rf "$state"
}
trap finish EXIT
if ! postgresql_available; then
	echo "scale.sh: skipped: $why" >&2
	exit 0
fi

# gateways N [options]: their addresses in ${urls[@]}
gateways() {
	local n=$1 i
	shift
	urls=()
	for ((i = 0; i < n; i++)); do
		rm -f "$state/out"
		agent-gateway --listen 127.0.0.1:0 --state "$state/$RANDOM$RANDOM" "$@" >"$state/out" 2>"$state/err" &
		pids+=("$!")
		until [ -s "$state/out" ]; do kill -0 "${pids[-1]}"; done
		urls+=("$(jq -r .url "$state/out")")
	done
}
stop_all() {
	for pid in "${pids[@]}"; do kill "$pid"; wait "$pid" || :; done
	pids=()
}
measure() { # WHAT
	for connections in 32 256; do
		python3 "$here/post.py" "durable messages with their replies, $connections connections, $1" "$seconds" "$connections" "${urls[@]}"
	done
}

gateways 1
measure "one gateway on SQLite"
stop_all
pg_fsync=on
postgresql_start
for n in 1 2 4; do
	postgresql_database "scale$n"
	gateways "$n" --store "$pg_url"
	measure "$n gateway(s) on one PostgreSQL"
	if [ "$n" = 2 ]; then
		python3 "$here/wake.py" 500 "${urls[@]}"
	fi
	stop_all
done
