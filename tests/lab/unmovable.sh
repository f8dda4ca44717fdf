#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory that cannot be moved, in a guest of two tiers: each kind that its kernel offers stays where
# it is, is counted by its kind, and is not tried again and again; what can be moved moves.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/guest" <<END
echo 1 >/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages
mkdir -m 700 /tmp/state
$BERTH run --tier -M '$M' --state /tmp/state --report $TMP/report -- \\
	$BUILD/lab/workloads/unmovable --seconds 15s
END
lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
[ -s "$TMP/report" ] || fail "no report"

made() { grep -q "^made: $1 " "$TMP/out" || { echo "this kernel has no $1"; return 1; }; }
here() { sed -n "s/^at the end: $1 \([0-9]*\) here.*/\1/p" "$TMP/out"; }
counted() { sed -n "s/.*cannot be moved:.* \([0-9]*\) $1[ ,].*/\1/p" "$TMP/report"; }

for kind in plain locked; do
	made $kind || fail "$kind memory was not made"
	[ "$(here $kind)" -lt 64 ] || fail "$kind memory has not moved"
done
pinned=0
for kind in pipe io_uring; do
	made $kind || continue
	pinned=$((pinned + 256))
	[ "$(here $kind)" = 256 ] || fail "$kind memory has moved, though it is pinned"
done
[ $pinned = 0 ] || [ "$(counted pinned)" -ge $((pinned * 3 / 4)) ] || fail "pinned: $(counted pinned)"
made shared && { [ "$(counted shared)" -ge 192 ] || fail "shared: $(counted shared)"; }
made dma-buf && { [ "$(counted device)" -ge 192 ] || fail "device: $(counted device)"; }
# Tried at most at once and 1, 3, 7 and 15 s later; asked for more often than that.
busy=$(sed -n 's/.* \([0-9]*\) busy.*/\1/p' "$TMP/report")
left=$(sed -n 's/.*asked for \([0-9]*\) times without a try.*/\1/p' "$TMP/report")
nr=$(sed -n 's/.*cannot be moved: \(.*\) pages,.*/\1/p' "$TMP/report" | tr -dc '0-9 ' | tr ' ' '\n' |
	awk '{ sum += $1 } END { print sum + 0 }')
[ "$nr" -gt 0 ] && [ $((busy - ${left:-0})) -le $((nr * 5)) ] ||
	fail "$nr pages were tried $((busy - ${left:-0})) times: $busy asked for, ${left:-0} left alone"
exit 0
