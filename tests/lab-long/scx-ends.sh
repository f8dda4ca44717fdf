#!/bin/sh
# SPDX-License-Identifier: MIT
# How the scheduler in the kernel ends: CPUs that go and come load it anew with the job's tasks
# still marked; SysRq-S gives the job to the user engine, and that is said.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 7.3
scx_required
cd "$TMP"

cat >inside <<'END'
seen() { "$BERTH" status --format csv | tail -n 1 | cut -d, -f5,10,13; }
"$BERTH" run --prefer 0 -- sh -c '
	work() { # who never sleeps is placed once, and a second time perhaps never
		while [ ! -e /tmp/stop ]; do
			n=0
			while [ $n -lt 20000 ]; do n=$((n + 1)); done
			sleep 0.02
		done
	}
	work & work & work &
	echo 0 >/sys/devices/system/cpu/cpu1/online
	touch /tmp/offline
	wait' &
while [ ! -e /tmp/offline ]; do sleep 0.1; done
i=0 # loaded twice, and once more when the CPU is back
while [ "$(cat /sys/kernel/sched_ext/enable_seq)" -lt 2 ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
sleep 2.5 # counters are shown once a second: all that was spilled before
before=$(seen | cut -d, -f3)
echo 1 >/sys/devices/system/cpu/cpu1/online
i=0
while [ "$(cat /sys/kernel/sched_ext/enable_seq)" -lt 3 ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
i=0 # a task of before the reload spills: it is still known
while [ "$(seen | cut -d, -f3)" -le "$before" ] && [ $i -lt 30 ]; do sleep 1; i=$((i + 1)); done
echo "spilled again $([ $i -lt 30 ] && echo yes || echo no)"
echo "anew $(cat /sys/kernel/sched_ext/enable_seq) $(seen | cut -d, -f1,2)"
echo S >/proc/sysrq-trigger
i=0
while [ "$(seen | cut -d, -f1)" = scx ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
echo "then $(cat /sys/kernel/sched_ext/state) $(seen | cut -d, -f1)"
touch /tmp/stop
wait
END
LAB_LIMIT=240s lab_run --kernel 7.3 --no-model -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1' -q -- \
	env BERTH="$BERTH" sh "$TMP/inside" >out 2>err || fail "status $?"
grep -q '^anew 3 scx,0-1$' out || fail "not loaded anew"
grep -q '^spilled again yes$' out || fail "tasks were forgotten"
grep -q '^then disabled user$' out || fail "the user engine did not take over"
grep -q 'the scx engine: Linux has ended the scheduler (disabled by sysrq-S.*the user engine goes on' err ||
	fail "not said"
