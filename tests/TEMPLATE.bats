#!/usr/bin/env bats
# The command to copy does what its neighbours must do.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "each operand is a record" {
	run -0 --separate-stderr "$AU_BUILD/bin/TEMPLATE" one 'two "2"'
	[ "$output" = '{"word":"one"}
{"word":"two \"2\""}' ]
	[ -z "$stderr" ]
}

@test "without operands each line of standard input is one" {
	run -0 --separate-stderr "$AU_BUILD/bin/TEMPLATE" --upper < <(printf 'a\nb')
	[ "$output" = '{"word":"A"}
{"word":"B"}' ]
}

@test "a line that is too long is refused and the next one is taken, and the status remembers" {
	run -6 --separate-stderr "$AU_BUILD/bin/TEMPLATE" < <(head -c 70000 /dev/zero | tr '\0' x; printf '\nb\n')
	[ "$output" = '{"word":"b"}' ]
	[[ $stderr == *"line 1"*70000* ]]
}
