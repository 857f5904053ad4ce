#!/usr/bin/env bash
# postgresql.sh [FILE.bats ...]: runs these tests, or all that start a gateway, with their gateways on a PostgreSQL server of our own, which is gone
# afterwards
#
# Status 77: this machine has no server, or the build no libpq.
# shellcheck disable=SC1091,SC2034,SC2154 # the library sets and uses what seems unset and unused here
set -u
here=$(cd "$(dirname "$0")" && pwd)
AU_BUILD=${AU_BUILD:-$here/../build}
PATH=$AU_BUILD/bin:$PATH
export AU_BUILD
. "$here/lib/postgresql.bash"
why=
if ! postgresql_available; then
	echo "SKIP: $why" >&2
	exit 77
fi
postgresql_start || exit 8
trap postgresql_end EXIT
if [ $# = 0 ]; then
	# of the gateway's own suites those of its units and of its installation have no store
	mapfile -t files < <(grep -lE 'start_gateway|with_gateway' "$here"/*.bats "$here"/gateway/*.bats | grep -v -e /TEMPLATE -e /packages)
	set -- "${files[@]}"
fi
AU_STORE=postgresql AU_STORE_DIR=$pg_dir bats --print-output-on-failure "$@"
