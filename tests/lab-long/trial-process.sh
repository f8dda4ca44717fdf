#!/bin/bash
# SPDX-License-Identifier: MIT
# berth trial -p in a guest of two tiers: a process with a hot set in slow memory, in windows with
# berth, long enough for it to move pages, and without; the pages are taken back, and the kernel's
# setting is what it was. tests/lab/trial.sh has what needs no moves.
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
cat >guest <<END
trial() { $BERTH trial -M '$M' --state /tmp/state "\$@"; }
balancing=/proc/sys/kernel/numa_balancing
echo 1 >\$balancing
mkdir -m 700 /tmp/state
$BUILD/lab/workloads/hotset --memory 130MiB --hot 6MiB --seconds 1000s >/tmp/out &
pid=\$!
until grep -q interval /tmp/out; do sleep 0.2; done
trial -p \$pid --window 5s --for 11s --format json --metric \\
	"tail -1 /tmp/out | cut -d' ' -f6" || exit 3
echo "balancing \$(cat \$balancing)"
kill -9 \$pid
END
LAB_LIMIT=400s lab_run -q --time icount -M "$M" -P none:thp=never -- bash "$TMP/guest" >out 2>err ||
	fail "the guest: status $?"
number() { sed -n "s/^ *\"$1\": \([0-9.]*\),*$/\1/p" out | head -1; }
grep -q '"metric": "metric"' out || fail 'no trial'
[ "$(grep -c '"first": "with' out)" -ge 1 ] || fail "no pair"
moved=$(number moved_pages)
back=$(number taken_back_pages)
[ "${moved:-0}" -gt 100 ] || fail "moved $moved pages"
[ "$((back * 10))" -ge "$((moved * 9))" ] && [ "$back" -le "$moved" ] || fail "$back of $moved pages were taken back"
grep -q '^balancing 1$' out || fail 'numa_balancing is not what it was'
