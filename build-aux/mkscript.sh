#!/bin/sh
# mkscript.sh SOURCE FRONT STATUS.H VERSION: a shell command from its source: the line @FRONT@ becomes the shared front, @STATUSES@ the
# exit statuses of status.h, @VERSION@ the version. Writes to standard output.
set -eu
awk -v front="$2" -v header="$3" -v version="$4" '
	function statuses(	line, part) {
		while ((getline line < header) > 0)
			if (match(line, /^\tX\([A-Z]+, [0-9]+, "[a-z]+"/)) {
				split(substr(line, RSTART + 3, RLENGTH - 3), part, /, /)
				print "STATUS_" part[1] "=" part[2]
				words = words "\t" part[2] ") echo " part[3] " ;;\n"
			}
		close(header)
	}
	function put(line) {
		gsub(/@VERSION@/, version, line)
		if (line == "@STATUSES@") { print "# shellcheck disable=SC2034 # each command uses some of them"; print "{"; statuses(); print "}"; printf "status_word() {\n\tcase $1 in\n%s\tesac\n}\n", words }
		else print line
	}
	$0 == "@FRONT@" { while ((getline line < front) > 0) put(line); next }
	{ put($0) }
' "$1"
