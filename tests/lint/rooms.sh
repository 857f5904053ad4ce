#!/bin/sh
# rooms.sh - who may include whom: nouns of common/ never the front, rooms of the gateway only those below
# shellcheck disable=SC2013 # names of files here have no blanks
set -eu
cd "${1:-.}"
bad=0
say() {
	echo "$*" >&2
	bad=1
}

# ---- common/: the front prints and ends programs; a noun does neither (filter.c and threadwork.c print for commands). opt.h's numbers of options are data.
for file in common/*.c common/*.h; do
	case ${file#common/} in
	die.* | opt.* | out.* | client.* | filter.c | threadwork.c) continue ;;
	esac
	for front in die.h out.h; do
		if grep -n "#include \"$front\"" "$file" >&2; then say "$file: a noun includes the front ($front)"; fi
	done
done

# ---- bin/gateway: from the roof down
level() {
	case $1 in
	main | notify) echo 10 ;;
	clarity | compass | hitl | console | timers) echo 9 ;;
	chat) echo 8 ;;
	services) echo 7 ;;
	runtime | agents) echo 6 ;;
	log) echo 5 ;;
	store) echo 4 ;;
	auth) echo 3 ;;
	http | mcp) echo 2 ;;
	fetch) echo 1 ;;
	*) echo 0 ;;
	esac
}
for file in bin/gateway/*/*.[ch]; do
	room=${file#bin/gateway/}
	room=${room%%/*}
	for include in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
		[ "$include" = "$room" ] && continue
		if [ "$(level "$include")" -ge "$(level "$room")" ]; then say "$file: $room may not include $include"; fi
	done
	# one door: what is private to a room is included by nobody else
	for header in $(sed -n 's/^#include "\([a-z]*\/[a-z_]*\.h\)".*/\1/p' "$file"); do
		[ "${header%%/*}" = "$room" ] && continue
		case ${header#*/} in
		"${header%%/*}.h" | server.h | ws.h | run.h | thread.h) ;;
		*) say "$file: $header is private to its room" ;;
		esac
	done
done
exit $bad
