#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier --mover damos in a guest: pages that are used move by a scheme of berth's own
# kdamond, also while a sampler has a kdamond of its own, and none is left at the end. By frames on
# 6.12, by addresses on 7.3 (tests/lab-long/damos.sh), where DAMON_STAT is on and named first.
. "$TOP/tests/lab/common.sh"
KERNEL=${DAMON_KERNEL:-6.12}
lab_required "$KERNEL"

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/guest" <<END
admin=/sys/kernel/mm/damon/admin/kdamonds
end() { echo "\$*; kdamonds: \$(cat \$admin/nr_kdamonds)"; exit 1; }
tier() { $BERTH run --tier --sampler "\$1" --mover damos -M '$M' --state /tmp/state \\
	--report "\$3" -- $BUILD/lab/workloads/hotset --memory 130MiB --hot 6MiB \\
	--seconds "\$2" >/dev/null; }
mkdir -m 700 /tmp/state
stat=/sys/module/damon_stat/parameters/enabled
if [ -e \$stat ]; then
	tier accessed-bits 1s $TMP/report 2>$TMP/refused && end 'not refused beside DAMON_STAT'
	grep -q 'DAMON_STAT runs' $TMP/refused || end "not named: \$(cat $TMP/refused)"
	echo N >\$stat
fi
tier accessed-bits 5s $TMP/report || end 'the run failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end'
tier damon 2s $TMP/both || end 'the run beside a sampler failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end, beside a sampler'
END

lab_run -q --kernel "$KERNEL" --time icount -M "$M" -P none:thp=never --share "$TMP" -- \
	bash "$TMP/guest" >"$TMP/out" 2>&1 || fail "status $?"
grep -q 'mover damos' "$TMP/report" || fail "another mover"
grep -q 'mover damos' "$TMP/both" || fail "another mover beside a sampler"
promoted=$(sed -n 's/.*, \([0-9]*\) promoted.*/\1/p' "$TMP/report")
[ "${promoted:-0}" -gt 100 ] || fail "promoted $promoted pages"
[ "$KERNEL" = 6.12 ] || grep -q 'schemes tried .* and moved [1-9]' "$TMP/report" ||
	fail "no statistics of the scheme"
