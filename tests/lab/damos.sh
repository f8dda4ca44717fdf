#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier --mover damos in guests: pages that are used move by a scheme of berth's own
# kdamond, by frames on 6.12 and by addresses on 7.3, also while a sampler has a kdamond of its own;
# none is left at the end. Beside DAMON_STAT (on in 7.3) it is refused.
. "$TOP/tests/lab/common.sh"
lab_required 6.12 7.3

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/guest" <<END
admin=/sys/kernel/mm/damon/admin/kdamonds
end() { echo "\$*; kdamonds: \$(cat \$admin/nr_kdamonds)"; exit 1; }
tier() { $BERTH run --tier --sampler "\$1" --mover damos -M '$M' --state /tmp/state \\
	--report "\$2" -- $BUILD/lab/workloads/hotset \\
	--memory 130MiB --hot 6MiB --seconds 4s >/dev/null; }
mkdir -m 700 /tmp/state
stat=/sys/module/damon_stat/parameters/enabled
if [ -e \$stat ]; then
	tier accessed-bits $TMP/report 2>$TMP/refused && end 'not refused beside DAMON_STAT'
	grep -q 'DAMON_STAT runs' $TMP/refused || end "not named: \$(cat $TMP/refused)"
	echo N >\$stat
fi
tier accessed-bits $TMP/report || end 'the run failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end'
tier damon $TMP/both || end 'the run beside a sampler failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end, beside a sampler'
END

for kernel in 6.12 7.3; do
	rm -f "$TMP/report" "$TMP/both"
	lab_run -q --kernel "$kernel" --time icount -M "$M" -P none:thp=never --share "$TMP" -- \
		bash "$TMP/guest" >"$TMP/out" 2>&1 || fail "$kernel: status $?"
	grep -q 'mover damos' "$TMP/report" || fail "$kernel: another mover"
	grep -q 'mover damos' "$TMP/both" || fail "$kernel: another mover beside a sampler"
	promoted=$(sed -n 's/.*, \([0-9]*\) promoted.*/\1/p' "$TMP/report")
	[ "${promoted:-0}" -gt 200 ] || fail "$kernel: promoted $promoted pages"
	[ "$kernel" = 6.12 ] || grep -q 'schemes tried .* and moved' "$TMP/report" ||
		fail "$kernel: no statistics of the scheme"
done
