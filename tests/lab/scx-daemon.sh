#!/bin/bash
# SPDX-License-Identifier: MIT
# Engine=scx of the daemon: two jobs share the scheduler in the kernel, their threads stay on their
# preferred CPUs though their masks hold all, one that is let go is nobody's, and the kernel's own
# scheduler is back when the daemon has ended, also after kill -9.
. "$TOP/tests/lab/common.sh"
lab_required 7.3
scx_required

lab_jobs <<END
Engine=scx
[Job left]
Match=command:left
PreferCPUs=0
SpillAt=hard
[Job right]
Match=command:right
PreferCPUs=1
SpillAt=hard
END
lab_guest <<'END'
berth=$1 folder=$2 state=/tmp/state
mkdir -m 700 $state
cp "$(command -v bash)" /tmp/left
cp "$(command -v bash)" /tmp/right
fail() {
	echo "$*"
	cat /sys/kernel/sched_ext/state
	"$berth" status --state $state
	cat $folder/err
	exit 1
}
is_scx() { [ "$(cat /sys/kernel/sched_ext/state)" = "$1" ]; }
nr_of_scx() { "$berth" status --state $state --format json | grep -c '"engine": "scx"'; }
has_two() { [ "$(nr_of_scx)" = 2 ]; }
has_one() { [ "$(nr_of_scx)" = 1 ]; }
cpu_of() { sed 's/.*) //' /proc/$1/stat | cut -d' ' -f37; }
stays() { # PID CPU: at eight looks in a row
	local i
	for i in $(seq 8); do
		[ "$(cpu_of $1)" = "$2" ] || return 1
		sleep 0.05
	done
}
start() {
	"$berth" daemon --config "$folder/berth.conf" --state $state 2>$folder/err &
	daemon=$!
	until_is has_two || fail "not two jobs of the scheduler"
	until_is is_scx enabled || fail "no scheduler"
}
/tmp/left -c 'while :; do :; done' & left=$!
/tmp/left -c 'while :; do sleep 0.01; done' & other=$! # the kernel would give it the other CPU
/tmp/right -c 'while :; do sleep 0.02; done' & right=$!

start
until_is stays $left 0 || fail "left is on CPU $(cpu_of $left)"
until_is stays $other 0 || fail "the other left is on CPU $(cpu_of $other)"
until_is stays $right 1 || fail "right is on CPU $(cpu_of $right)"
taskset -pc $left | grep -q ': 0,1$' || fail "$(taskset -pc $left)"
"$berth" stop left --state $state || fail "stop: status $?"
has_one || fail "not one job after stop"
is_scx enabled || fail "the other job has lost its scheduler"
kill -HUP $daemon
until_is has_two || fail "not taken up again"
kill $daemon
wait $daemon || fail "status $? at the end"
until_is is_scx disabled || fail "the scheduler is left behind"

kill $left
start
kill -9 $daemon
wait $daemon
until_is is_scx disabled || fail "a killed daemon has left its scheduler"
"$berth" restore --state $state >/dev/null || fail "restore: status $?"
kill $other $right
exit 0
END
lab_run --kernel 7.3 -q --no-model -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1' --share "$TMP" -- \
	bash "$TMP/guest" "$BERTH" "$TMP" >"$TMP/out" 2>&1 || fail "the guest: status $?"
