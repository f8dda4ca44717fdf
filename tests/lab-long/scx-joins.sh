#!/bin/sh
# SPDX-License-Identifier: MIT
# The berth that loaded the scheduler ends first: the one that joined keeps it, and a third finds it
# and joins. When the last has ended the kernel's own scheduler is back.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 7.3
scx_required
cd "$TMP"

cat >inside <<'END'
wait_for() { i=0; while [ ! -e "$1" ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done; }
"$BERTH" run --engine scx --prefer 0 -- sh -c 'touch /tmp/loaded
	while [ ! -e /tmp/joined ]; do sleep 0.1; done' &
loader=$!
wait_for /tmp/loaded
"$BERTH" run --engine scx --prefer 1 -- sh -c 'touch /tmp/joined
	while [ ! -e /tmp/stop ]; do sleep 0.1; done' &
joined=$!
wait $loader
echo "loader $? $(cat /sys/kernel/sched_ext/state)"
status=0
"$BERTH" run --engine scx --prefer 0 -- echo third || status=$?
echo "status $status loads $(cat /sys/kernel/sched_ext/enable_seq)"
touch /tmp/stop
wait $joined
sleep 0.3
echo "after $(cat /sys/kernel/sched_ext/state)"
END
lab_run --kernel 7.3 --no-model -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1' -q -- \
	env BERTH="$BERTH" sh "$TMP/inside" >out 2>err || fail "status $?"
grep -q '^loader 0 enabled$' out || fail "the scheduler went with the berth that loaded it"
grep -q '^third$' out || fail "a third berth could not join"
grep -q '^status 0 loads 1$' out || fail "the third did not join the first's scheduler"
grep -q '^after disabled$' out || fail "the scheduler stayed"
