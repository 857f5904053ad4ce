#!/usr/bin/env bats
# The house rules that need no build: rooms, words.
load lib/common

@test "arrows point one way and each room has one door" { "$AU_SRC/tests/lint/rooms.sh" "$AU_SRC"; }
@test "no bare allocation, no line comments, no promises, no waiting by time" { "$AU_SRC/tests/lint/words.sh" "$AU_SRC"; }
@test "every command has its page and its test, every header compiles alone" {
	for file in "$AU_SRC"/bin/*.c "$AU_SRC"/bin/*.in; do
		name=$(basename "${file%.*}")
		[ "$name" = TEMPLATE ] || ls "$AU_SRC/man/$name".[18] >/dev/null
		[ -e "$AU_SRC/tests/$name.bats" ]
	done
	"$AU_SRC/tests/lint/headers.sh" "$AU_SRC" "$AU_BUILD"
}
