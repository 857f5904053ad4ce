#!/bin/sh
# headers.sh SRCDIR BUILDDIR: each header compiles alone
set -eu
src=${1:-.} build=${2:-.}
bad=0
for header in $(cd "$src" && find common bin/gateway tests/unit -name '*.h'); do
	if ! printf '#include "compat.h"\n#include "%s"\n' "$src/$header" |
		${CC:-cc} -fsyntax-only -Wall -Wextra -Werror -Wno-unused-function -x c -I"$build" -I"$src/common" -I"$src/bin/gateway" - 2>&1; then
		echo "$header does not compile alone" >&2
		bad=1
	fi
done
exit $bad
