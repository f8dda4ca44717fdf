#!/bin/sh
# SPDX-License-Identifier: MIT
# The scheduler in the kernel: it loads, a program runs under it and its counters move, a second
# berth joins the same one, and when the last has ended the kernel's own scheduler is back.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 7.3
scx_required
cd "$TMP"

cat >inside <<'END'
ops=/sys/kernel/sched_ext/root/ops
"$BERTH" run --engine scx --prefer 0 -- sh -c '
	echo first $(cat '$ops')
	"$BERTH" run --engine scx --prefer 1 -- sh -c "
		echo second \$(cat '$ops')
		for i in 1 2 3 4; do (sleep 0.05; sleep 0.05) & done; wait; sleep 1.3
		\"\$BERTH\" status --format csv
		exit 3"
	echo status $?
	echo still $(cat /sys/kernel/sched_ext/state)
	kill -9 $PPID' || true
sleep 0.3
echo after $(cat /sys/kernel/sched_ext/state)
"$BERTH" restore >/dev/null
END
BERTH="$BERTH" lab_run --kernel 7.3 --no-model -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1' \
	-q -- env BERTH="$BERTH" sh "$TMP/inside" >out 2>err || fail "status $?"
first=$(sed -n 's/^first //p' out)
case $first in berth_soft_*) ;; *) fail "the scheduler is '$first'" ;; esac
[ "$(sed -n 's/^second //p' out)" = "$first" ] || fail "the second berth did not join"
grep -q '^status 3$' out || fail "the program's status did not come through"
grep -q '^still enabled$' out || fail "the first berth lost its scheduler"
grep -q '^after disabled$' out || fail "a killed berth left its scheduler"
[ "$(grep -c ',scx,' out)" = 2 ] || fail "not two jobs of the scx engine"
