#!/bin/sh
# SPDX-License-Identifier: MIT
# An interpreter's work, in Debian's Python: python.sh [SCALE] (1 by default; 0.05 for a moment).
. "$(dirname -- "$0")/common.inc"
need /usr/bin/python3 python3
$UNDER /usr/bin/python3 "$here/python_suite.py" "$@"
