#!/bin/sh
# embed.sh FILE...: the files as C, for the program to carry: a table of name, entity tag and bytes. Writes to standard output.
set -eu
echo '/* made by embed.sh */'
echo '#include "console/assets.h"'
table=
n=0
for file; do
	echo "static const unsigned char bytes_${n}[] = {"
	od -An -v -tu1 "$file" | awk '{ gsub(/[0-9]+/, "&,"); print }'
	echo '};'
	tag=$(cksum <"$file" | tr ' ' -)
	table="$table	{ \"${file##*/}\", \"\\\"$tag\\\"\", bytes_$n, sizeof bytes_$n },
"
	n=$((n + 1))
done
echo 'const struct asset assets[] = {'
printf '%s' "$table"
echo '};'
echo 'const size_t assets_n = sizeof assets / sizeof *assets;'
