#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier of a program with so much memory that a look at all of it takes more than half a
# second in the guest: begins with accessed-bits, changes to damon, and leaves no kdamond behind.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:512MiB@80ns/100GBps:cpus=0 node:cxl:1GiB@250ns/20GBps'
fail() {
	printf '%s\n' "$*"
	exit 1
}

cat >"$TMP/guest" <<END
nr=/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds
mkdir -m 700 /tmp/state
$BERTH run --tier -M '$M' --state /tmp/state --report $TMP/report -- $BUILD/lab/workloads/hotset \\
	--memory 1200MiB --hot 50MiB --seconds 8s >/dev/null || exit 3
[ "\$(cat \$nr)" = 0 ] || { echo "\$(cat \$nr) kdamonds are left"; exit 4; }
END

LAB_LIMIT=180s lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- \
	bash "$TMP/guest" >"$TMP/out" 2>&1 || fail "the guest: status $?: $(cat "$TMP/out")"
grep -q 'sampler accessed-bits: .*, sampler damon: .* and in the kernel' "$TMP/report" ||
	fail "not both: $(cat "$TMP/report")"
