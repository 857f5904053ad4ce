#!/usr/bin/env bats
# What once broke a parser, or nearly, stays a test: each fuzz target takes its corpus, and every beginning of each file.
load lib/common

@test "every parser takes its corpus" {
	local target name n=0
	# a build without the gateway has fewer of them
	[ ! -x "$AU_BUILD/bin/agent-gateway" ] || n=$(ls "$AU_SRC"/tests/fuzz/fuzz_*.c | wc -l)
	for target in "$AU_BUILD"/tests/fuzz/corpus_*; do
		[ -x "$target" ] || continue
		case $target in *.o | *-fuzz_* | *-run_*) continue ;; esac
		name=${target##*/corpus_}
		run -0 "$target" "$AU_SRC/tests/fuzz/corpus/$name"/*
		[ "$(grep -c '^ok' <<<"$output")" = "$(ls "$AU_SRC/tests/fuzz/corpus/$name" | wc -l)" ]
		n=$((n - 1))
	done
	[ "$n" -le 0 ]
}
