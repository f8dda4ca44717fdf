#!/bin/bash
# SPDX-License-Identifier: MIT
# Beside a program that sleeps berth wakes once a second at most: `berth run --tier` from its
# beginning on, and the daemon, with that job and with none.
# By instruction counts, so that a busy host does not change what is seen.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

lab_jobs <<END
[Job dozer]
Match=command:dozer
Goal=balanced
END

cat >"$TMP/guest" <<END
# Voluntary switches of all threads of a process.
switches() { cat /proc/\$1/task/*/status | sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' |
	{ sum=0; while read -r nr; do sum=\$((sum + nr)); done; echo \$sum; }; }
# WORD: prints by how many they grow in 20 s.
watch() { before=\$(switches \$pid); sleep 20; echo "\$1 \$((\$(switches \$pid) - before))"; }

$BERTH run --tier -M '$M' --report $TMP/report --format json -- sleep 40 >/dev/null &
sleep 10
pid=\$(pidof berth)
watch run
wait

$BERTH daemon -M '$M' --config $TMP/berth.conf 2>$TMP/err &
pid=\$!
sleep 10
watch alone
cp /bin/sleep /tmp/dozer
/tmp/dozer 100 &
sleep 10
watch job
kill \$pid
wait \$pid
END

lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
for word in run alone job; do
	nr=$(sed -n "s/^$word //p" "$TMP/out")
	[ "${nr:-99}" -gt 2 ] && [ "${nr:-99}" -le 20 ] || fail "$word: $nr wake-ups in 20 s"
done
sleeps=$(sed -n 's/.*"sleeps": *\([0-9]*\).*/\1/p' "$TMP/report")
[ "${sleeps:-99}" -le 40 ] || fail "$sleeps wake-ups in the 40 s of the report"
