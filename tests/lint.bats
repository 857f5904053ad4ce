#!/usr/bin/env bats
# The house rules that need no build: rooms, words.
load lib/common

@test "arrows point one way and each room has one door" { "$AU_SRC/tests/lint/rooms.sh" "$AU_SRC"; }
@test "no bare allocation, no line comments, no promises, no waiting by time" { "$AU_SRC/tests/lint/words.sh" "$AU_SRC"; }
@test "every command has its page and its test, every header compiles alone" {
	for file in "$AU_SRC"/bin/*.c "$AU_SRC"/bin/*.in; do
		name=$(basename "${file%.*}")
		[ "$name" = TEMPLATE ] || ls "$AU_SRC/man/$name".[18] >/dev/null
		# commands of one noun may share a file: agent-account-login has agent-account.bats
		[ -e "$AU_SRC/tests/$name.bats" ] || grep -qw -e "$name" "$AU_SRC/tests/${name%-*}"*.bats || { echo "no test: $name" >&2; false; }
	done
	"$AU_SRC/tests/lint/headers.sh" "$AU_SRC" "$AU_BUILD"
}
