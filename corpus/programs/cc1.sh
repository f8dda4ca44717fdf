#!/bin/sh
# SPDX-License-Identifier: MIT
# The C compiler proper over one file: cc1.sh [FILES] (12): so many of this tree's sources, joined
# and preprocessed, are compiled with -O2 -g.
. "$(dirname -- "$0")/common.inc"
need gcc gcc
files=${1:-12}
count "$files" files
top=$here/../..
compiler=$(gcc -print-prog-name=cc1)
set -- import_damo_json import_lackey import_damo_perf import_hexlist import_input import_lines \
	import_shape format encode writer reader scan
for name; do
	[ "$files" -gt 0 ] || break
	echo "#include \"src/trace/$name.c\""
	files=$((files - 1))
done >"$tmp/one.c"
gcc -std=gnu11 -E -w -I "$top" -I "$top/src" -I "$top/include" -o "$tmp/one.i" "$tmp/one.c" || exit 1
$UNDER "$compiler" -fpreprocessed -quiet -std=gnu11 -O2 -g -w -o "$tmp/one.s" "$tmp/one.i"
grep -q '\.ident' "$tmp/one.s"
