#!/bin/bash
# SPDX-License-Identifier: MIT
# berth trial in a guest of two tiers: pairs of runs with berth and without, by the program's own
# result and by a command's number; windows of a process that runs; what is told of programs that
# fail, and that the kernel's setting is what it was.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
cat >guest <<END
trial() { TMPDIR=/tmp $BERTH trial -M '$M' --state /tmp/state "\$@"; }
mkdir -m 700 /tmp/state
trial --seed 5 --for 1min --format json -- $BUILD/lab/workloads/hotset --memory 20MiB --hot 6MiB \\
	--seconds 0.2s || exit 3
echo "metric by a command"
trial --for 1min --lower --metric 'wc -c <"\$BERTH_TRIAL_OUTPUT"' -- echo 12345 || exit 4
echo "a program that fails: \$(trial -- sh -c 'exit 9' 2>&1; echo \$?)"
echo "one that is not there: \$(trial -- /nonexistent 2>&1; echo \$?)"
echo "a metric without a number: \$(trial --metric 'echo none' -- true 2>&1; echo \$?)"
echo "a command that fails: \$(trial --metric 'exit 7' -- true 2>&1; echo \$?)"
echo 1 >/proc/sys/kernel/numa_balancing
sleep 1000 &
pid=\$!
trial -p \$pid --window 300ms --for 1s --counter --metric 'cut -d. -f1 /proc/uptime; date +%s%N' ||
	exit 5
(sleep 1; kill -9 \$pid) &
echo "a process that ends: \$(trial -p \$pid --window 600ms --metric 'echo 1' 2>&1; echo \$?)"
echo "balancing \$(cat /proc/sys/kernel/numa_balancing)"
echo "left: \$(ls -d /tmp/berth-trial-* 2>/dev/null | wc -l)"
END
lab_run -q --time icount -M "$M" -P none:thp=never -- bash "$TMP/guest" >out 2>err ||
	fail "the guest: status $?"
has() { grep -q -- "$1" out || fail "no: $1"; }
has '"metric": "throughput"'
has '"unit": "Mop/s"'
has '"better": "higher"'
has '"seed": 5'
[ "$(grep -c '"first": "with' out)" -ge 3 ] || fail 'fewer than three pairs'
has '"berth_cpu_share": 0\.'
has '^metric, lower is better; seed '
has '^   2  with.*  6.00000  6.00000  +0.0 %$'
has '^no gain here: +0.0 % (95 % sure: +0.0 % to +0.0 %), 3 pairs in '
has '^a program that fails: 9$'
has '^one that is not there: .*No such file'
has 'a metric without a number: .*--metric echo none: it printed no number'
has '--metric exit 7: it ended with status 7'
has '^metric in 1/s, higher is better'
has 'pages in a window'
has '^a process that ends: .*pid [0-9]* ended'
has '^balancing 1$'
has '^left: 0$'
