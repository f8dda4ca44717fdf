#!/bin/sh
# SPDX-License-Identifier: MIT
# xz over a text, with xz's default settings: xz.sh [BYTES] (6,000,000).
. "$(dirname -- "$0")/common.inc"
need xz xz-utils
bytes=${1:-6000000}
count "$bytes" bytes
python_text "$bytes" >"$tmp/text"
$UNDER xz -6 -T 1 -c "$tmp/text" >"$tmp/text.xz"
xz -dc "$tmp/text.xz" | cmp - "$tmp/text"
