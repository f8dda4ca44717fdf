#!/bin/sh
# SPDX-License-Identifier: MIT
# zstd over a text, slow and thorough: zstd.sh [BYTES [LEVEL]] (11,000,000 and 17).
. "$(dirname -- "$0")/common.inc"
need zstd zstd
bytes=${1:-11000000} level=${2:-17}
count "$bytes" bytes
count "$level" levels
python_text "$bytes" >"$tmp/text"
$UNDER zstd --single-thread -q -"$level" -c "$tmp/text" >"$tmp/text.zst"
zstd -dcq "$tmp/text.zst" | cmp - "$tmp/text"
