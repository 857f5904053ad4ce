#!/bin/sh
# words.sh - what does not stand in this tree: bare allocation, line comments, wide ones, promises instead of work, waiting by time
set -eu
cd "${1:-.}"
bad=0
none() { # WHY PATTERN FILES...
	why=$1
	pattern=$2
	shift 2
	if grep -nE "$pattern" "$@" >&2; then
		echo "$why" >&2
		bad=1
	fi
}
sources=$(find bin common tests -name '*.[ch]' ! -name xalloc.c)
# shellcheck disable=SC2086,SC2046 # lists of files
{
	none 'allocate through xalloc.h' '(^|[^a-z_])(malloc|calloc|realloc|strdup|strndup)\(' $(find bin common -name '*.[ch]' ! -name 'xalloc.*' ! -name banned.h)
	none 'a comment is 140 columns wide' '^[[:space:]]*/?\*.{148,}' $sources
	none 'comments are blocks' '^[[:space:]]*//|;[[:space:]]*//' $sources
	none 'do it, or say it where it is known' 'TO[D]O|FIX[M]E|(^|[^X.uU])X[X]X([^X]|$)' $sources $(find bin tests man completions -type f ! -name '*.[ch]' ! -path '*/corpus/*')
	none 'wait for the event' '(^|[;&|[:space:]])sleep [0-9.]' $(find tests -name '*.bats' ! -path 'tests/gateway/chat.bats')
}
exit $bad
