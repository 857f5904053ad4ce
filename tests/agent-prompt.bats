#!/usr/bin/env bats
# agent-prompt: text appears above the line that is being typed, on a real screen.
load lib/common
load lib/terminal

setup() {
	common_setup
	export TERM=screen
	mkfifo text
}
teardown() {
	exec 9>&- || :
	terminal_end
	common_teardown
}

# prompt [OPTION...]: agent-prompt on a screen of 40 columns, its text from descriptor 9, its lines in the file "lines"
prompt() {
	terminal 40 12 "agent-prompt --prompt 'you> ' --lines $BATS_TEST_TMPDIR/lines $* <text"
	exec 9>text
	see_line '^you>'
}
text() { printf '%b' "$1" >&9; }
lines_are() { [ "$(cat lines 2>/dev/null)" = "$1" ]; }

@test "text goes above the prompt and what is typed stays" {
	prompt
	type_text 'hello wörld'
	see 'you> hello wörld'
	text 'one\ntwo\n'
	see 'one
two
you> hello wörld'
	type_keys Enter
	see 'one
two
you> hello wörld
you>'
	await 5 lines_are 'hello wörld'
	text 'three\n'
	see 'one
two
you> hello wörld
three
you>'
}

@test "a line of text may come in pieces" {
	prompt
	text 'part'
	see 'part
you>'
	type_text 'typed'
	text ' and'
	see 'part and
you> typed'
	text ' rest\nnext\n'
	see 'part and rest
next
you> typed'
}

@test "pieces longer than the screen is wide, to the last column, and with colours" {
	prompt
	text '0123456789012345678901234567890123456789'
	see '0123456789012345678901234567890123456789
you>'
	text 'abc'
	see '0123456789012345678901234567890123456789
abc
you>'
	text ' \033[31mred\033[0m'
	see '0123456789012345678901234567890123456789
abc red
you>'
	text '!\n0123456789012345678901234567890123456789'
	text '\n.\n'
	see '0123456789012345678901234567890123456789
abc red!
0123456789012345678901234567890123456789
.
you>'
}

@test "what is typed may take several rows, with the cursor anywhere in it" {
	prompt
	type_text 'a long line that takes more than one row of the screen, in fact three of them'
	see_line '^em$'
	text 'above\n'
	see 'above
you> a long line that takes more than on
e row of the screen, in fact three of th
em'
	type_keys Home
	text 'again\n'
	see 'above
again
you> a long line that takes more than on
e row of the screen, in fact three of th
em'
	type_text 'X'
	see 'above
again
you> Xa long line that takes more than o
ne row of the screen, in fact three of t
hem'
	type_keys Enter
	await 5 lines_are 'Xa long line that takes more than one row of the screen, in fact three of them'
}

@test "wide characters are counted as the screen counts them" {
	prompt
	type_text '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字'
	see 'you> 漢字漢字漢字漢字漢字漢字漢字漢字漢
字漢字'
	text '漢字\n'
	see '漢字
you> 漢字漢字漢字漢字漢字漢字漢字漢字漢
字漢字'
	text '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字'
	text '!\n'
	see '漢字
漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字
漢字!
you> 漢字漢字漢字漢字漢字漢字漢字漢字漢
字漢字'
}

@test "a paste of many lines is many lines, the last one stays to be finished, and nothing in it is a command" {
	prompt
	paste $'one\ntwo\033[A\001\004\nthree'
	see 'you> one
you> two[A
you> three'
	await 5 lines_are 'one
two[A'
	type_keys Enter
	await 5 lines_are 'one
two[A
three'
}

@test "a thousand pasted lines arrive in order" {
	prompt
	paste "$(seq 1 1000)"
	see_line '^you> 1000'
	type_keys Enter
	await 10 lines_are "$(seq 1 1000)"
}

@test "Ctrl-D on an empty line ends it, after the lines have been closed" {
	prompt
	type_text 'x'
	type_keys C-d
	type_keys Enter C-d
	see_line 'status 0'
	await 5 lines_are x
	await 5 terminal_restored
}

@test "with --drain the text goes on after the lines have ended" {
	terminal 40 12 "mkfifo lines; cat lines >copy & agent-prompt --prompt 'you> ' --drain --lines lines <text; wait; cat copy"
	exec 9>text
	see_line '^you>'
	type_text 'bye'
	type_keys Enter C-d
	await 5 test -s copy
	text 'late reply\n'
	see_line '^late reply'
	exec 9>&-
	see_line 'status 0'
}

@test "the end of the text ends it at once; what was half typed is not sent" {
	prompt
	type_text 'half'
	see 'you> half'
	text 'last words'
	see 'last words
you> half'
	exec 9>&-
	see 'last words
[status 0]'
	await 5 terminal_restored
	[ ! -s lines ]
}

@test "it dies of the signals that it gets, and the terminal is as it was" {
	for end in INT\ 130 TERM\ 143 HUP\ 129; do
		prompt
		type_text 'half'
		see_line '^you> half'
		if [ "${end% *}" = INT ]; then type_keys C-c; else pkill "-${end% *}" -f "^agent-prompt.*lines $BATS_TEST_TMPDIR/"; fi
		see_line "status ${end#* }"
		await 5 terminal_restored
		exec 9>&-
		terminal_end
		rm -f before after
	done
}

@test "Ctrl-Z gives the terminal back, and fg brings the line back" {
	terminal 40 12 "bash --norc -i"
	type_text "PS1='\$ '"
	type_keys Enter
	exec 9<>text
	type_text "agent-prompt --prompt 'you> ' --lines lines <text"
	type_keys Enter
	see_line '^you>'
	type_text 'half'
	see_line '^you> half'
	type_keys C-z
	see_line 'Stopped'
	type_text 'fg'
	type_keys Enter
	see_line '^agent-prompt'
	see_line '^you> half'
	type_text ' done'
	type_keys Enter
	await 5 lines_are 'half done'
	type_keys C-d
	type_text 'exit'
	type_keys Enter
	see_line 'status 0'
}

@test "a line is remembered, in a file for its owner only; one that begins with a blank is not" {
	prompt --history past
	type_text 'first'
	type_keys Enter
	type_text ' secret'
	type_keys Enter
	type_text 'second'
	type_keys Enter
	await 5 lines_are 'first
 secret
second'
	[ "$(cat past)" = 'first
second' ]
	[ "$(stat -c %a past)" = 600 ]
	type_keys Up Up
	see_line '^you> first'
	exec 9>&-
	see_line 'status 0'
	terminal_end
	prompt --history past
	type_keys Up
	see 'you> second'
}

@test "the history keeps its newest 1000 lines" {
	seq 1 1999 >past
	prompt --history past
	type_text 'newest'
	type_keys Enter
	await 5 lines_are newest
	[ "$(wc -l <past)" = 1000 ]
	[ "$(head -n 1 past)" = 1001 ]
	[ "$(tail -n 1 past)" = newest ]
}

@test "when nobody takes the lines any more it dies of SIGPIPE" {
	terminal 40 12 "mkfifo lines; head -n 1 lines >taken & agent-prompt --prompt 'you> ' --lines lines <text"
	exec 9>text
	see_line '^you>'
	type_text 'one'
	type_keys Enter
	see_line 'status 141'
	[ "$(cat taken)" = one ]
	await 5 terminal_restored
}

@test "a terminal that is gone is the end of it, also when the hang-up is ignored and text still comes" {
	terminal 40 12 "trap '' HUP; agent-prompt --prompt 'you> ' --drain --lines lines <text & echo \$! >pid; wait"
	exec 9>text
	see_line '^you>'
	terminal_tmux kill-server
	await 10 gone "$(cat pid)"
}

@test "a reader of the lines that is slow does not stop the text" {
	terminal 40 12 "mkfifo lines; exec 3<>lines; agent-prompt --prompt 'you> ' --lines fd:3 <text"
	exec 9>text
	see_line '^you>'
	head -c 3000 /dev/zero | tr '\0' x >long
	for _ in $(seq 1 30); do paste "$(cat long)"$'\n'; done
	see_line '^you>$'
	text 'still here\n'
	see_line '^still here'
}

@test "lines go to standard output, unless that is the terminal" {
	prompt_out() { terminal 40 12 "agent-prompt --prompt 'you> ' <text >out"; }
	prompt_out
	exec 9>text
	see_line '^you>'
	type_text 'x y'
	type_keys Enter C-d
	see_line 'status 0'
	[ "$(cat out)" = 'x y' ]
	terminal_end
	terminal 60 12 "agent-prompt </dev/null"
	see_line 'status 2'
}

@test "without a terminal it says so" {
	run -8 --separate-stderr setsid -w agent-prompt --lines lines </dev/null
	[[ $stderr == "agent-prompt: fatal: unable to open the terminal '/dev/tty': "* ]]
}

@test "a wrong descriptor, a directory: each is said" {
	run -2 --separate-stderr agent-prompt --lines fd:99 </dev/null
	[[ $stderr == *"unable to use --lines 'fd:99': no such open descriptor"* ]]
	run -8 --separate-stderr agent-prompt --lines . </dev/null
	[[ $stderr == *"unable to open '.': Is a directory"* ]]
}
