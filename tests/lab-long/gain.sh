#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier finds a hot set of 12 MiB in slow memory within seconds of its beginning, and
# moves hardly anything else: by the rows of its report. By instruction counts, so that a busy host
# does not change what is seen; the workload computes between operations, or all pages would be used
# in the time that looking takes in an emulated guest.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
LAB_LIMIT=300s
lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- \
	"$BERTH" run --tier --sampler accessed-bits -M "$M" --state /dev/state --format json \
	--report "$TMP/report" -- "$BUILD/lab/workloads/hotset" --memory 180MiB --hot 12MiB \
	--seconds 12s --think 300 >"$TMP/out" 2>&1 || { cat "$TMP/out"; exit 1; }

# Of 3,072 hot pages: promoted within 8 s of the first look, and in all.
read -r soon all < <(tr -d ' ,' <"$TMP/report" | awk -F: '
	$1 == "\"end_ns\"" { at = $2 / 1e9 }
	$1 == "\"seen_pages\"" && $2 > 0 && !first { first = at }
	$1 == "\"promoted_pages\"" && at { all += $2; if (first && at <= first + 8) soon += $2 }
	END { print soon + 0, all + 0 }')
echo "promoted $soon pages within 8 s, $all in all"
[ "$soon" -ge 2700 ] && [ "$all" -le 6000 ] || { cat "$TMP/out" "$TMP/report"; exit 1; }
