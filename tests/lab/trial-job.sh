#!/bin/bash
# SPDX-License-Identifier: MIT
# berth trial of a job of the daemon, in a guest of two tiers: the daemon lets go of it and takes it
# up by turns, its threads and its pages; pages that the daemon moved in a window are back at its end;
# a trial that is killed leaves a job that is served again by itself.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0-1 node:cxl:160MiB@250ns/20GBps'
cp "$BUILD/lab/workloads/hotset" "$TMP/tenant"
lab_jobs <<END
[Job tenant]
Match=command:tenant
PreferCPUs=1
SpillAt=hard
FastMax=4MiB
END
lab_guest <<'END'
berth=$1 folder=$2 machine=$3 state=/tmp/state
balancing=/proc/sys/kernel/numa_balancing
mkdir -m 700 $state
echo 1 >$balancing
fail() {
	echo "$*"
	"$berth" status --state $state
	cat $folder/trial $folder/err
	exit 1
}
mask() { taskset -pc $tenant | sed 's/.*: //'; }
has_mask() { [ "$(mask)" = "$1" ]; }
trial() { "$berth" trial -M "$machine" --state $state -j "$@"; }

"$folder/tenant" --memory 16MiB --hot 1MiB --seconds 10min >/dev/null &
tenant=$!
until_is [ "$(cat /proc/$tenant/comm)" = tenant ]
"$berth" daemon -M "$machine" --config "$folder/berth.conf" --state $state 2>"$folder/err" &
daemon=$!
until_is is_field state placed || fail "not served"
until_is has_mask 1 || fail "its mask is $(mask)"

# What the metric sees: where the tenant may run, and whether it is served.
cat >/tmp/metric <<'METRIC'
taskset -pc $BERTH_TRIAL_PID | grep -q ': 1$' && echo 2 || echo 1
METRIC
trial tenant --window 1500ms --for 1min --seed 4 --metric "sh /tmp/metric" >$folder/trial 2>&1 || fail "trial: status $?"
[ "$(grep -c ' 1\.00000  2\.00000  *+100.0 %' $folder/trial)" -ge 3 ] || fail "the mask does not follow the windows"
grep -q 'berth pays here: +100' $folder/trial || fail "no verdict"
grep -q '100.0 % of them were taken back\|9[0-9]\.[0-9] % of them' $folder/trial || fail "pages are not brought back"
until_is is_field state placed || fail "not served after the trial"
until_is has_mask 1 || fail "after the trial its mask is $(mask)"

trial nobody --metric 'echo 1' >$folder/trial 2>&1 && fail "a job that is not there"
grep -q 'no such job' $folder/trial || fail "nothing is said of nobody"

# Killed: it is let go, until the time is over; the next trial, or its end, takes it up before.
trial tenant --window 1s --for 1min --metric 'echo 1' >$folder/trial 2>&1 &
killed=$!
until_is is_field state letgobyatrial || fail "not let go"
until_is has_mask 0,1 || fail "let go, its mask is $(mask)"
kill -9 $killed
wait $killed
trial tenant --window 300ms --for 1s --metric 'echo 1' >$folder/trial 2>&1
until_is has_mask 1 || fail "not taken up again, its mask is $(mask)"

"$berth" stop tenant --state $state || fail "stop: status $?"
trial tenant --metric 'echo 1' >$folder/trial 2>&1 && fail "a stopped job"
grep -q 'it is stopped' $folder/trial || fail "nothing is said of a stopped job"
kill $tenant $daemon
wait $daemon || fail "the daemon ended with status $?"
[ "$(cat $balancing)" = 1 ] || fail "numa_balancing is $(cat $balancing)"
exit 0
END
lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" "$TMP" \
	"$M" >"$TMP/out" 2>&1 || fail "the guest: status $?"
