#!/bin/sh
# SPDX-License-Identifier: MIT
# sort of random lines in memory: sort.sh [LINES] (800,000).
. "$(dirname -- "$0")/common.inc"
lines=${1:-800000}
count "$lines" lines
awk -v lines="$lines" 'BEGIN {
	x = 1
	for (line = 0; line < lines; line++) {
		x = (x * 69069 + 1) % 4294967296
		printf "%010d some words beside the key, number %d\n", x, line
	}
}' >"$tmp/lines"
LC_ALL=C $UNDER sort --parallel=1 -S 1G -T "$tmp" -o "$tmp/sorted" "$tmp/lines"
LC_ALL=C sort -c "$tmp/sorted" && [ "$(wc -l <"$tmp/sorted")" -eq "$lines" ]
