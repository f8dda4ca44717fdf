#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier --sampler damon-physical in a guest: what DAMON sees of the machine's frames is
# told of the program whose they are, and the kdamonds are gone at its end and, after kill -9, by
# restore.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/guest" <<END
admin=/sys/kernel/mm/damon/admin/kdamonds
end() { echo "\$*; kdamonds: \$(cat \$admin/nr_kdamonds)"; cat \$admin/?/state; exit 1; }
tier() { $BERTH run --tier --sampler damon-physical -M '$M' --state /tmp/state \\
	--report $TMP/report -- $BUILD/lab/workloads/hotset \\
	--memory 130MiB --hot 10MiB --share-hot 1 --seconds "\$1" >/dev/null; }
mkdir -m 700 /tmp/state
tier 5s || end 'the run failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end'
tier 100s &
tries=0
until [ "\$(cat \$admin/0/state 2>/dev/null)" = on ] || [ \$tries = 200 ]; do
	sleep 0.1
	tries=\$((tries + 1))
done
[ "\$(cat \$admin/0/state)" = on ] || end 'not turned on'
[ "\$(cat \$admin/0/contexts/0/operations)" = paddr ] || end 'not of physical addresses'
for pid in \$(pidof berth); do kill -9 \$pid; done
$BERTH restore --state /tmp/state || end 'restore failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left by restore'
for pid in \$(pidof hotset); do kill -9 \$pid; done
wait
exit 0
END

lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "status $?"
grep -q 'sampler damon-physical' "$TMP/report" || fail "no such sampler in the report"
samples=$(sed -n 's/^\([0-9]*\) samples.*/\1/p' "$TMP/report")
[ "${samples:-0}" -gt 50 ] || fail "$samples samples"
