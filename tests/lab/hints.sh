#!/bin/bash
# SPDX-License-Identifier: MIT
# The sampler hint-faults in a guest of two tiers: it tells of pages in slow memory and how long
# they were armed, pages that are used move to the fast one, the kernel promotes nothing meanwhile,
# and its settings are back at the end and after kill -9.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
cat >guest <<END
mode=/proc/sys/kernel/numa_balancing
limit=/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps
echo 1 >\$mode; echo 777 >\$limit
mkdir -m 700 /tmp/state
settings() { echo "\$(cat \$mode) \$(cat \$limit)"; }
held() {
	for try in \$(seq 300); do [ "\$(settings)" = '2 0' ] && return; sleep 0.1; done
	echo "not held: \$(settings)"; exit 9
}
back() { [ "\$(settings)" = '1 777' ] || { echo "after \$1: \$(settings)"; exit 8; }; }
hotset() { exec $BUILD/lab/workloads/hotset --memory 150MiB --hot 6MiB --seconds "\$1"; }

(hotset 100s >/dev/null) & long=\$!
sleep 0.5
$BERTH record -p \$long --sampler hint-faults --for 8s -o /tmp/hints.berth --state /tmp/state &
recorder=\$!
held
wait \$recorder || exit 3
back 'the recording'
cp /tmp/hints.berth $TMP
$BERTH record -p \$long --sampler hint-faults -o /tmp/killed.berth --state /tmp/state &
recorder=\$!
held
kill -9 \$recorder; wait \$recorder
$BERTH restore --state /tmp/state >/dev/null || exit 5
back restore
kill -9 \$long; wait \$long
$BERTH run --tier -M '$M' --sampler hint-faults --state /tmp/state --report $TMP/report -- \\
	$BUILD/lab/workloads/hotset --before 40MiB --memory 110MiB --hot 6MiB --seconds 8s >/dev/null || exit 6
back 'the run'
grep pgpromote_success /proc/vmstat >$TMP/promoted
END

lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>out 2>&1 || fail "the guest: status $?"
[ "$(cat promoted)" = 'pgpromote_success 0' ] || fail "the kernel promoted: $(cat promoted)"
promoted=$(sed -n 's/.*, \([0-9]*\) promoted.*/\1/p' report)
[ "${promoted:-0}" -gt 200 ] || fail "promoted $promoted pages"

# Pages of the slow node only, with the time from arming to use: never longer than since the begin.
"$BERTH" convert hints.berth hints.csv || fail "convert"
awk -F, '$2 == "sample" { n++; if ($10 < 1000000) fast++; if ($10 > 5e9) long++ }
	$2 == "node" { nodes++; if ($15 != 1) others++ }
	END { print n + 0, fast + 0, long + 0, nodes + 0, others + 0 }' hints.csv >counts
read -r n fast long nodes others <counts
[ "$n" -gt 2000 ] && [ "$nodes" -gt 1000 ] || fail "samples, nodes: $(cat counts)"
[ "$others" -eq 0 ] || fail "nodes that are not slow: $(cat counts)"
[ "$((fast * 10))" -lt "$n" ] && [ "$long" -eq 0 ] || fail "latencies: $(cat counts)"
