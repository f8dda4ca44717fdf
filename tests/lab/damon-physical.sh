#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier --sampler damon-physical in a guest: what DAMON sees of the machine's frames is
# told of the program whose they are, and the kdamonds are gone at its end and, after kill -9, by
# restore. Three quarters of the program's memory are hot, nearly half of the machine's: of a small hot
# set chance decides whether a region has hits at all in so short a time. Whether pages move is not
# asked.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

lab_guest <<END
admin=/sys/kernel/mm/damon/admin/kdamonds
end() { echo "\$*; kdamonds: \$(cat \$admin/nr_kdamonds)"; cat \$admin/?/state; exit 1; }
tier() { $BERTH run --tier --sampler damon-physical -M '$M' --state /tmp/state \\
	--report $TMP/report -- $BUILD/lab/workloads/hotset \\
	--memory 130MiB --hot 100MiB --share-hot 1 --seconds "\$1" >/dev/null; }
is_on() { [ "\$(cat \$admin/0/state 2>/dev/null)" = on ]; }
mkdir -m 700 /tmp/state
# In use, and nobody's that is watched.
$BUILD/lab/workloads/hotset --memory 20MiB --hot 20MiB --share-hot 1 --seconds 100s >/dev/null &
other=\$!
tier 3s || end 'the run failed'
kill \$other && wait \$other
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left at the end'
tier 100s &
until_is is_on || end 'not turned on'
[ "\$(cat \$admin/0/contexts/0/operations)" = paddr ] || end 'not of physical addresses'
for pid in \$(pidof berth); do kill -9 \$pid; done
$BERTH restore --state /tmp/state || end 'restore failed'
[ "\$(cat \$admin/nr_kdamonds)" = 0 ] || end 'left by restore'
program=\$(pidof hotset) tries=0
until [ "\$(cut -d' ' -f2 /proc/\$program/statm)" -gt 25000 ] || [ \$tries = 200 ]; do
	sleep 0.1
	tries=\$((tries + 1))
done
# DAMON may have no region with hits yet when two seconds are over: then it gets them anew, twice.
for try in 1 2 3; do
	$BERTH record -p \$program --sampler damon-physical --for 2s --state /tmp/state \
		-o /tmp/seen.berth || end 'not recorded'
	$BERTH info /tmp/seen.berth >$TMP/info
	grep -q '^nodes of pages *[1-9]' $TMP/info && break
	rm -f /tmp/seen.berth
done
kill -9 \$program
wait
exit 0
END

lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "status $?"
grep -q 'sampler damon-physical' "$TMP/report" || fail "no such sampler in the report"
samples=$(sed -n 's/^\([0-9]*\) samples.*/\1/p' "$TMP/report")
[ "${samples:-0}" -gt 50 ] || fail "$samples samples"
grep -q '[1-9][0-9]* pages in use are nobody' "$TMP/report" || fail "nothing but the program is used"
# The program has 25,600 pages: most are of frames that were found used, and told of by their node.
pages=$(sed -n 's/^nodes of pages *//p' "$TMP/info" | tr -d ,)
[ "${pages:-0}" -gt 15000 ] || fail "${pages:-no} pages told of"
[ "$pages" -lt 30000 ] || fail "$pages pages told of are more than it has"
