#!/bin/bash
# SPDX-License-Identifier: MIT
# Transparent huge pages: of a program whose fast memory is huge folios that are hardly used, and
# whose slow memory is single pages with a hot set among them, the hot pages go up and as many huge
# folios down, whole, and nothing goes to and fro. By instruction counts, so that a busy host does
# not change what is seen.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0-1 node:cxl:320MiB@250ns/20GBps'
hot=7680 # pages of 30 MiB

cat >"$TMP/guest" <<END
$BERTH run --tier -M '$M' --format json --report $TMP/report -- $BUILD/lab/workloads/hotset \\
	--memory 200MiB --hot 30MiB --share-hot 0.99 --seconds 5s || exit 3
grep -E '^(thp_fault_alloc|thp_migration_success) ' /proc/vmstat >$TMP/vmstat
END

lab_run -q --time icount -M "$M" -P none:thp=always --share "$TMP" -- bash "$TMP/guest" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
[ -s "$TMP/report" ] || fail "no report"
of() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$TMP/report" | head -1; }
count() { sed -n "s/^$1 //p" "$TMP/vmstat"; }
promoted=$(of promoted_pages) demoted=$(of demoted_pages) huge=$(count thp_migration_success)
[ "$(count thp_fault_alloc)" -gt 20 ] || { echo "the guest had no huge pages to give"; exit 77; }
[ "${promoted:-0}" -gt $((hot / 2)) ] || fail "promoted ${promoted:-no} pages of $hot hot ones"
[ "$promoted" -lt $((hot * 3 / 2)) ] || fail "promoted $promoted pages, of which $hot are hot"
# As many as came, and what the reclaim of the kernel wants free: up to 5,600 pages here.
[ "${demoted:-0}" -lt $((promoted + hot * 3 / 4)) ] || fail "demoted $demoted pages for $promoted"
[ "${huge:-0}" -gt 6 ] || fail "$huge huge folios moved whole"
