#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest that stalls while it boots is given up after half a minute and booted anew, once, and the
# report says so. The first "QEMU" is a script that says what a stalled kernel says.
. "$TOP/tests/lab/common.sh"
lab_required
lab_false_qemu <<'END'
eval "echo '[   21.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:' >&$fd"
exec sleep 600
END
status=0
"$BERTH" lab run -M 'node:dram:512MiB:cpus=0' --no-model -- echo here >"$TMP/out" 2>"$TMP/err" || status=$?
cat "$TMP/out" "$TMP/err"
[ "$status" = 0 ] || { echo "FAILED: status $status"; exit 1; }
grep -qx here "$TMP/out" || { echo "FAILED: the program did not run"; exit 1; }
grep -q 'booted again' "$TMP/err" || { echo "FAILED: the report does not say so"; exit 1; }
[ "$(wc -l <"$TMP/boots")" = 2 ] || { echo "FAILED: not two boots"; exit 1; }
