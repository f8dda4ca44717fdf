#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the scheduler in the kernel cannot be had: another one is loaded (a copy of berth's by another
# name), or this kernel does not take it (one that asks for a function it does not have). --engine scx
# says so and starts nothing, auto goes on with the user engine.
. "$TOP/tests/lab/common.sh"
lab_required 7.3
scx_required

cat >"$TMP/guest" <<'END'
berth=$1 objects=$2 state=/tmp/state
fail() {
	echo "$*"
	cat /tmp/text /sys/kernel/sched_ext/state
	exit 1
}
copy() { # FOLDER PATTERN REPLACEMENT: of the same length
	mkdir -p $1/bpf
	LC_ALL=C sed "s/$2/$3/g" "$berth" >$1/berth
	LC_ALL=C sed "s/$2/$3/g" $objects/soft_affinity.bpf.o >$1/bpf/soft_affinity.bpf.o
	chmod 755 $1/berth
}
refused() { # BERTH WORDS STATUS
	local status=0
	rm -f /tmp/started
	"$1" run --engine scx --prefer 0 --state $state -- touch /tmp/started >/tmp/text 2>&1 || status=$?
	[ $status = $3 ] || fail "status $status"
	[ ! -e /tmp/started ] || fail "the program was started"
	grep -q -- "$2" /tmp/text || fail "not said: $2"
	grep -q -- '--engine user' /tmp/text || fail "no remedy"
}
goes_on() { # BERTH
	"$1" run --prefer 0 --state $state -- sh -c "\"$1\" status --state $state --format json" >/tmp/text 2>&1 ||
		fail "auto: status $?"
	grep -q '"engine": "user"' /tmp/text || fail "auto: not the user engine"
}

copy /tmp/unknown scx_bpf_task_cpu scx_bpf_task_cpx
refused /tmp/unknown/berth 'Linux does not take the scheduler' 3
goes_on /tmp/unknown/berth
grep -q 'the user engine goes on' /tmp/text || fail "auto: not said"
[ "$(cat /sys/kernel/sched_ext/state)" = disabled ] || fail "something is loaded"

copy /tmp/other berth_soft other_soft
/tmp/other/berth run --engine scx --prefer 1 --state /tmp/others -- sh -c '
	touch /tmp/on; while [ ! -e /tmp/off ]; do sleep 0.1; done' &
for i in $(seq 200); do [ -e /tmp/on ] && break; sleep 0.1; done
name=$(cat /sys/kernel/sched_ext/root/ops)
case $name in other_soft_*) ;; *) fail "the other scheduler is '$name'" ;; esac
refused "$berth" "$name is loaded" 1
goes_on "$berth"
[ "$(cat /sys/kernel/sched_ext/root/ops)" = "$name" ] || fail "the other scheduler has gone"
touch /tmp/off
wait
[ -z "$(ls $state)" ] || fail "left: $(ls $state)"
exit 0
END
lab_run --kernel 7.3 -q --no-model -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1' -- \
	bash "$TMP/guest" "$BERTH" "$BUILD/bpf" >"$TMP/out" 2>&1 || fail "the guest: status $?"
