#!/bin/sh
# headers.sh SRCDIR BUILDDIR: each header compiles alone
set -eu
src=${1:-.} build=${2:-.}
bad=0
postgresql=$(pkg-config --cflags libpq 2>/dev/null) || postgresql=none
for header in $(cd "$src" && find common bin/gateway tests/unit -name '*.h'); do
	case $header in
	*/libpq.h) [ "$postgresql" != none ] || continue ;;
	esac
	# shellcheck disable=SC2086 # words
	if ! printf '#include "compat.h"\n#include "%s"\n' "$src/$header" |
		${CC:-cc} -fsyntax-only -Wall -Wextra -Werror -Wno-unused-function -x c -I"$build" -I"$src/common" -I"$src/bin/gateway" ${postgresql#none} - 2>&1; then
		echo "$header does not compile alone" >&2
		bad=1
	fi
done
exit $bad
