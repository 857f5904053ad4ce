#!/usr/bin/env bats
# The fuzzers run: each target for a moment, with tries that are the same each time, where libFuzzer is. `make fuzz` and `make fuzz-long` run them for longer.
load lib/common

@test "every fuzz target finds nothing in a few thousand tries" {
	command -v clang >/dev/null || skip "clang is not here (Debian: clang libclang-rt-dev)"
	echo 'int LLVMFuzzerTestOneInput(const unsigned char *s, unsigned long n) { (void)s; (void)n; return 0; }' >probe.c
	clang -fsanitize=fuzzer,address probe.c -o probe 2>/dev/null || skip "clang has no libFuzzer here (Debian: libclang-rt-dev)"
	[ -n "${CI:-}" ] || [ -x "$AU_BUILD/fuzz/tests/fuzz/fuzz_jtext" ] || skip "make fuzz builds the fuzzers"
	# the same tries each time: what is new is found by those who run it for longer, not by whoever changed something else
	make -C "$AU_BUILD" fuzz FUZZ_SECONDS=5 FUZZ_FLAGS='-seed=1 -runs=3000' >log 2>&1 || { tail -n 60 log; return 1; }
	# each has run, and more than its corpus
	[ "$(grep -c '^stat::number_of_executed_units' log)" = "$(ls "$AU_SRC"/tests/fuzz/fuzz_*.c | wc -l)" ]
	[ "$(awk '/^stat::number_of_executed_units/ && $2 < 50' log)" = "" ] || { grep ^stat::number log; return 1; }
}
