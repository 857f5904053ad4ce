# terminal.bash - programs on a real screen: tmux holds it, the tests type and look
#
# A test file that loads it calls terminal_end from its teardown().

# terminal COLUMNS ROWS COMMAND: the command (for bash) on a new screen; how it ended is shown there as "[status N]"
terminal() {
	command -v tmux >/dev/null || skip "tmux is not installed"
	# a name of its own for each screen: the server of the one before may still be going away
	terminal_name=agentutils.$$.$BATS_TEST_NUMBER.$((terminal_count = ${terminal_count:-0} + 1))
	printf '%s\n' "$3" >"$BATS_TEST_TMPDIR/on-screen"
	# the shell around it survives Ctrl-C, to say how the command ended
	tmux -L "$terminal_name" -f /dev/null new-session -d -x "$1" -y "$2" \
		"exec bash -c 'trap : INT; stty -g >before; . ./on-screen; echo \"[status \$?]\"; stty -g >after; cat >/dev/null'" 3>&-
}
terminal_tmux() { tmux -L "$terminal_name" "$@"; }
terminal_end() { [ -z "${terminal_name:-}" ] || terminal_tmux kill-server 2>/dev/null || :; }

type_text() { terminal_tmux send-keys -l -- "$1"; }
type_keys() { terminal_tmux send-keys "$@"; } # names as tmux has them: Enter, C-d, Up
# paste TEXT: as a terminal does it, all at once and in brackets if the program asked for them
paste() {
	terminal_tmux set-buffer -- "$1"
	terminal_tmux paste-buffer -p
}

# The screen without the blanks at the ends of its rows and without empty rows below.
screen() { terminal_tmux capture-pane -p | sed -e 's/ *$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
screen_has() { screen | grep -q -e "$1"; }
screen_is() { [ "$(screen)" = "$1" ]; }
# see TEXT: waits until the screen shows exactly this
see() { await 10 screen_is "$1" || { screen >&2; return 1; }; }
see_line() { await 10 screen_has "$1" || { screen >&2; return 1; }; }
# Ctrl-C and the like leave the terminal as it was before.
terminal_restored() { [ -s after ] && cmp -s before after; }
