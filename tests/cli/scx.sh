#!/bin/sh
# SPDX-License-Identifier: MIT
# Where the kernel has no sched_ext, or berth none for it, --engine scx says so and starts nothing.
set -eu
[ ! -e /sys/kernel/sched_ext ] || { echo "this kernel has sched_ext"; exit 77; }
cd "$TMP"
status=0
"$BERTH" run --engine scx --prefer 0 --state "$TMP/state" -- touch "$TMP/started" >out 2>err || status=$?
[ "$status" = 3 ] || { echo "status $status"; cat err; exit 1; }
grep -q '^berth run: --engine scx: .*--engine user' err || { cat err; exit 1; }
[ ! -e started ] || { echo "it was started"; exit 1; }
