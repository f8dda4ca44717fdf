#!/bin/sh
# SPDX-License-Identifier: MIT
# The doctor on a real kernel with two tiers: it names the tiers and why, what DAMON_STAT of 7.3 and
# the kernel's own promotion are to berth, what a killed berth left, and leaves all as it was.
# DOCTOR_KERNELS says on which (tests/lab-long/doctor.sh: on 6.12, too).
# Runs beside others.
set -eu
. "$TOP/tests/lab/common.sh"
kernels=${DOCTOR_KERNELS:-7.3}
# shellcheck disable=SC2086
lab_required $kernels
cd "$TMP"
has() { grep -q -- "$2" "$1" || fail "$1 lacks \"$2\": $(cat "$1")"; }

cat >guest <<'END'
state() {
	cd /sys/kernel
	cat /proc/sys/kernel/numa_balancing mm/numa/demotion_enabled mm/damon/admin/kdamonds/* \
		/sys/module/damon_*/parameters/enabled sched_ext/state 2>/dev/null
	echo /sys/fs/cgroup/*/ /run/berth/*
	while read -r key value; do
		case $key in Cpus_allowed_list:) echo "$value" ;; esac
	done </proc/self/status
	cd - >/dev/null
}
echo 2 >/proc/sys/kernel/numa_balancing
echo 1 >/sys/kernel/mm/numa/demotion_enabled
"$BERTH" run --prefer 0 --no-cgroup -- sleep 60 &
until ls /run/berth/*.journal >/dev/null 2>&1; do sleep 0.1; done
sleep 0.2
kill -9 $!
wait $! 2>/dev/null || true
state >before
"$BERTH" doctor see predict place-cpus place-memory >doctor || echo "status $?"
state >after
cmp before after || diff before after
END
for kernel in $kernels; do
	mkdir $kernel
	lab_run -q --no-model --kernel $kernel -M "$LAB_TWO" --share "$TMP/$kernel" \
		-- sh -c "cd $TMP/$kernel && BERTH=$BERTH . ../guest" </dev/null >$kernel.out 2>&1 ||
		fail "$kernel: $(cat $kernel.out)"
	[ ! -s $kernel.out ] || fail "$kernel: $(cat $kernel.out)"
	got=$kernel/doctor
	has $got "^  ok  *kernel  *Linux $kernel\."
	has $got '^  ok  *tiers  *memory_tier4: 0; memory_tier70: 1'
	has $got 'node 1 in memory_tier70: firmware (HMAT) tells 250 ns and 21.0 GB/s'
	has $got '^  ok  *machine  *2 CPUs, 2 nodes with memory, 2 tiers'
	has $got '^  ok  *demotion  *on'
	has $got '^  limited  *NUMA balancing  *kernel.numa_balancing is 2'
	has $got '^  ok  *rights  *pages of every process'
	has $got '^  ok  *pagemap scan  *works'
	has $got '^  ok  *groups  *version 2, cpusets below '
	has $got '^  limited  *journals  *0 of running berths, 1 left behind'
	has $got '^  ok  *accessed-bits  '
	has $got '^  ok  *sampler  *accessed-bits'
	has $got '^  ok  *move_pages  '
	has $got '^all there that is needed'
	case $kernel in
	6.12)
		has $got '^  ok  *rivals  *none'
		has $got '^  missing  *engine scx  *cannot work here'
		;;
	7.3)
		has $got '^  limited  *rivals  *DAMON_STAT'
		has $got '^  ok  *sched_ext  *disabled'
		;;
	esac
done
echo passed
