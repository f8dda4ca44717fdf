#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier --advise in a guest: demoted pages are made cold, a hot set that was promoted
# page by page becomes huge pages; reclaiming a node is refused where the kernel has no file for it
# (6.12) and done where it has one (7.3, tests/lab-long/advise.sh).
. "$TOP/tests/lab/common.sh"
KERNEL=${ADVISE_KERNEL:-6.12}
lab_required "$KERNEL"

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/guest" <<END
tier() { $BERTH run --tier --advise "\$1" -M '$M' --state /tmp/state --report $TMP/report -- \\
	$BUILD/lab/workloads/hotset --memory 130MiB --hot 12MiB --share-hot 0.99 --seconds "\$2" >/dev/null; }
mkdir -m 700 /tmp/state
if [ -e /sys/devices/system/node/node0/reclaim ]; then
	tier reclaim 1s || { echo 'reclaim failed'; exit 1; }
	grep -q 'advised: reclaim' $TMP/report || { echo 'reclaim is not told of'; exit 1; }
else
	tier reclaim 1s 2>$TMP/refused && { echo 'reclaim was not refused'; exit 1; }
	grep -q 'nodeN/reclaim' $TMP/refused || { cat $TMP/refused; exit 1; }
fi
tier cold,collapse 11s || { echo 'the run failed'; exit 1; }
grep '^thp_collapse_alloc ' /proc/vmstat >$TMP/vmstat
END

lab_run -q --kernel "$KERNEL" --time icount -M "$M" -P none:thp=madvise --share "$TMP" -- \
	bash "$TMP/guest" >"$TMP/out" 2>&1 || fail "status $?"
grep -q 'advised: cold [1-9]' "$TMP/report" || fail "no page was made cold"
grep -q 'collapse [1-9]' "$TMP/report" || fail "nothing was collapsed"
# khugepaged collapses nothing of a program that does not ask for it: that was berth.
grep -q ' [1-9]' "$TMP/vmstat" || fail "the kernel has collapsed nothing: $(cat "$TMP/vmstat")"
