#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon without memory at any place, in a guest of two tiers, where it places memory too:
# tests/unit/test_daemon_memory.c there, and the kernel's setting is what it was at the end.
. "$TOP/tests/lab/common.sh"
lab_required
[ -x "$BUILD/tests/test_daemon_memory" ] || { echo "tests are not built"; exit 77; }

M='node:dram:160MiB@80ns/100GBps:cpus=0-1 node:cxl:160MiB@250ns/20GBps'
cat >"$TMP/guest" <<END
balancing=/proc/sys/kernel/numa_balancing
echo 1 >\$balancing
BERTH_TEST_MACHINE='$M' $BUILD/tests/test_daemon_memory || exit 1
[ "\$(cat \$balancing)" = 1 ] || { echo "numa_balancing is \$(cat \$balancing)"; exit 1; }
END
LAB_LIMIT=220s lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
grep -q 'allocations' "$TMP/out" || fail "it was skipped"
