# pool.bash - a stand-in for a session pool or a session host (tests/fake/fake-pool), and what it was asked
# shellcheck disable=SC2154,SC2034

# start_pool [options]: sets $pool, its address without a path; requests are in the file asked
start_pool() {
	: >asked
	start pool python3 "$AU_SRC/tests/fake/fake-pool" --log "$BATS_TEST_TMPDIR/asked" "$@"
	pool_pid=$pid
	await 20 has_line pool.out listening || { cat pool.err >&2; return 1; }
	pool=$(sed -n 's/^pool listening on //p' pool.out)
}
order() { curl -sSf -H 'content-type: application/json' -d "$1" "$pool/__fake"; }

# asked FILTER: the requests for which the jq filter is true
asked() { jq -c "select($1)" asked; }
count_asked() { [ "$(asked "$1" | wc -l)" = "$2" ] || { cat asked >&2; return 1; }; }
was_asked() { [ -n "$(asked "$1")" ]; }
