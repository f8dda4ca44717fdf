#!/bin/bash
# SPDX-License-Identifier: MIT
# Processes that are killed, and that become another program, while their pages are moved out of
# fast memory: berth goes on for those that remain, and passes on how the program ended.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cat >"$TMP/program" <<END
hotset=$BUILD/lab/workloads/hotset
nr=0
while [ \$nr -lt 4 ]; do
	\$hotset --memory 40MiB --hot 4MiB --seconds 60s >/dev/null &
	sleep 0.5
	kill -9 \$!
	wait \$!
	nr=\$((nr + 1))
done
(
	\$hotset --memory 40MiB --hot 4MiB --seconds 1s >/dev/null
	exec \$hotset --memory 20MiB --hot 4MiB --seconds 1s >/dev/null
)
exit 7
END
cat >"$TMP/guest" <<END
mkdir -m 700 /tmp/state
$BERTH run --tier -M '$M' --fast-cap 12MiB --rate 64MiB --state /tmp/state --report $TMP/report -- \\
	bash $TMP/program
[ \$? = 7 ] || exit 3
[ -z "\$(ls -A /tmp/state)" ] || { ls -la /tmp/state; exit 4; }
END
lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
[ -s "$TMP/report" ] || fail "no report"
grep -q '^berth:' "$TMP/out" && fail "berth complains"
demoted=$(sed -n 's/.* promoted, \([0-9]*\) demoted pages.*/\1/p' "$TMP/report")
[ "${demoted:-0}" -gt 1000 ] || fail "demoted only $demoted pages"
exit 0
