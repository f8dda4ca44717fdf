#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --prefer --tier in a guest of two tiers and two CPUs: one job whose thread stays on its
# preferred CPU and whose pages move under its cap, one line of berth status with both; everything is as before
# at its end and after kill -9.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0-1 node:cxl:160MiB@250ns/20GBps'
lab_guest <<'END'
berth=$1 hotset=$2 machine=$3 state=/tmp/state
balancing=/proc/sys/kernel/numa_balancing
mkdir -m 700 $state
echo 1 >$balancing
field() { "$berth" status --state $state --format json | tr -d ' ,"' | sed -n "s/^$1://p" | head -1; }
fail() {
	echo "$*"
	"$berth" status --state $state
	exit 1
}
is_field() { [ "$(field "$1")" = "$2" ]; }
is_balancing() { [ "$(cat $balancing)" = "$1" ]; }
has_moved() { [ "$(field demoted_pages)" -gt 0 ] && [ "$(field slow_bytes)" -gt 0 ] 2>/dev/null; }
# Pages that came since they were counted last may have gone out already.
has_counted() { [ "$(field fast_bytes)" -gt 0 ] 2>/dev/null; }
start() {
	"$berth" run --engine user --prefer 1 --spill-at hard --tier --fast-cap 8MiB -M "$machine" --state $state -- \
		"$hotset" --memory "$1" --hot 2MiB --seconds 10min >/dev/null &
	job=$!
}
start 30MiB
until_is has_moved || fail "nothing has moved"
program=$(field pid)
[ "$(cat /proc/$program/comm)" = hotset ] || fail "$program is no hotset"
is_field now 1 || fail "it may run on $(field now)"
is_field engine user || fail "its engine is $(field engine)"
taskset -pc $program | grep -q ': 1$' || fail "$(taskset -pc $program)"
is_field policy berth || fail "its policy is $(field policy)"
until_is has_counted || fail "nothing is counted"
[ "$(cat $balancing)" = 0 ] || fail "the kernel is not held back"
kill $program
wait $job
[ $? = 143 ] || fail "the program's status does not come through"
[ "$(cat $balancing)" = 1 ] || fail "numa_balancing is $(cat $balancing) at the end"
[ -z "$(ls $state)" ] || fail "left: $(ls $state)"

start 4MiB
until_is is_balancing 0 && until_is is_field policy berth || fail "not begun again"
program=$(field pid)
kill -9 $job
wait $job
"$berth" restore --state $state >/dev/null || fail "restore: status $?"
[ "$(cat $balancing)" = 1 ] || fail "numa_balancing is $(cat $balancing) after restore"
taskset -pc $program | grep -q ': 0,1$' || fail "after restore: $(taskset -pc $program)"
kill $program

# Its memory alone: a job, too, whose CPUs are the kernel's.
"$berth" run --tier -M "$machine" --state $state -- sleep 1000 &
job=$!
until_is is_field engine none || fail "no job of --tier alone"
program=$(field pid)
taskset -pc $program | grep -q ': 0,1$' || fail "$(taskset -pc $program)"
kill $job
wait $job
[ $? = 143 ] || fail "the signal does not come through"
exit 0
END
lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" \
	"$BUILD/lab/workloads/hotset" "$M" >"$TMP/out" 2>&1 || fail "the guest: status $?"
