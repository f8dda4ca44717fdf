#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier in a guest of two tiers: pages that are used move to the fast one, and the
# kernel's setting that was held meanwhile is back, at the program's end and after kill -9.
# By instruction counts, so that a busy host does not change what is seen.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/guest" <<END
tier() { $BERTH run --tier -M '$M' --state "\$2" --report $TMP/report -- $BUILD/lab/workloads/hotset \\
	--memory 130MiB --hot 6MiB --seconds "\$1" >/dev/null; }
balancing=/proc/sys/kernel/numa_balancing
echo 1 >\$balancing
mkdir -m 700 /tmp/state /tmp/killed
tier 6s /tmp/state || exit 3
[ "\$(cat \$balancing)" = 1 ] || { echo "numa_balancing is \$(cat \$balancing) at the end"; exit 4; }
tier 100s /tmp/killed &
tries=0
until [ "\$(cat \$balancing)" = 0 ] || [ \$tries = 200 ]; do sleep 0.1; tries=\$((tries + 1)); done
[ "\$(cat \$balancing)" = 0 ] || { echo 'the kernel is not held back'; exit 5; }
for pid in \$(pidof berth); do kill -9 \$pid; done
for pid in \$(pidof hotset); do kill -9 \$pid; done
wait
$BERTH restore --state /tmp/killed || exit 6
[ "\$(cat \$balancing)" = 1 ] || { echo "numa_balancing is \$(cat \$balancing) after restore"; exit 7; }
END

lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
[ -s "$TMP/report" ] || fail "no report"
promoted=$(sed -n 's/.*, \([0-9]*\) promoted.*/\1/p' "$TMP/report")
[ "${promoted:-0}" -gt 200 ] || fail "promoted $promoted pages"
