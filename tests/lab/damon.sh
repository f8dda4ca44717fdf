#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier --sampler damon in a guest: what DAMON sees of a hot set leads to promotions, the
# kdamond is gone at the program's end, after kill -9 and restore, and one that somebody else made
# is neither used nor touched. On 7.3 (tests/lab-long/damon.sh) DAMON_STAT is on and is named first.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
KERNEL=${DAMON_KERNEL:-6.12}
lab_required "$KERNEL"

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

lab_guest <<END
admin=/sys/kernel/mm/damon/admin/kdamonds
end() { echo "\$*; kdamonds: \$(cat \$admin/nr_kdamonds), state: \$(cat \$admin/0/state)"; exit 1; }
tier() { $BERTH run --tier --sampler damon -M '$M' --state /tmp/state --report $TMP/report -- \\
	$BUILD/lab/workloads/hotset --memory 130MiB --hot 10MiB --share-hot 1 --seconds "\$1" >/dev/null; }
is_on() { [ "\$(cat \$admin/0/state 2>/dev/null)" = on ]; }
mkdir -m 700 /tmp/state
stat=/sys/module/damon_stat/parameters/enabled
if [ -e \$stat ]; then
	tier 1s 2>$TMP/refused && end 'not refused beside DAMON_STAT'
	grep -q 'DAMON_STAT runs' $TMP/refused || end "not named: \$(cat $TMP/refused)"
	echo N >\$stat
fi
echo 1 >\$admin/nr_kdamonds
tier 1s 2>$TMP/refused && end 'not refused beside another kdamond'
grep -q 'somebody made 1 kdamond,' $TMP/refused || end "not named: \$(cat $TMP/refused)"
[ "\$(cat \$admin/nr_kdamonds)" = 1 ] || end 'the other kdamond is gone'
echo 0 >\$admin/nr_kdamonds
tier "\$1" || end 'the run failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end'
tier 100s &
until_is is_on || end 'not turned on'
for pid in \$(pidof berth); do kill -9 \$pid; done
[ "\$(cat \$admin/0/state)" = on ] || end 'off before anybody restored'
$BERTH restore --state /tmp/state || end 'restore failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left by restore'
for pid in \$(pidof hotset); do kill -9 \$pid; done
wait
exit 0
END

lab_run -q --kernel "$KERNEL" --time icount -M "$M" -P none:thp=never --share "$TMP" -- \
	bash "$TMP/guest" 8s >"$TMP/out" 2>&1 || fail "status $?"
promoted=$(sed -n 's/.*, \([0-9]*\) promoted.*/\1/p' "$TMP/report")
[ "${promoted:-0}" -gt 500 ] || fail "promoted $promoted pages"
