#!/bin/sh
# SPDX-License-Identifier: MIT
# gzip over a text, again and again: gzip.sh [BYTES [TIMES]] (11,000,000 and 4). A program of a few
# hundred pages.
. "$(dirname -- "$0")/common.inc"
need gzip gzip
bytes=${1:-11000000} times=${2:-4}
count "$bytes" bytes
count "$times" times
python_text "$bytes" >"$tmp/text"
set --
while [ $# -lt "$times" ]; do set -- "$@" "$tmp/text"; done
$UNDER gzip -c "$@" >"$tmp/text.gz"
cat "$@" >"$tmp/all"
gzip -dc "$tmp/text.gz" | cmp - "$tmp/all"
