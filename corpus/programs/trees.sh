#!/bin/sh
# SPDX-License-Identifier: MIT
# Python reads a part of its own library into syntax trees, keeps them, and works on some of them
# more than on others: trees.sh [BYTES [ROUNDS]] (1,500,000 and 60).
. "$(dirname -- "$0")/common.inc"
need /usr/bin/python3 python3
bytes=${1:-1500000} rounds=${2:-60}
count "$bytes" bytes
count "$rounds" rounds
$UNDER /usr/bin/python3 "$here/trees.py" "$bytes" "$rounds"
