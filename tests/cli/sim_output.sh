#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sim on shipped recordings: the three formats, repeated sizes, same bytes out, and that a
# different machine or dilation shows in the output.
set -u
fail() { echo "$*"; exit 1; }
R=$TOP/tests/golden/sim
M='node:dram:160KiB@80ns/100GBps:cpus=0 node:cxl:16MiB@250ns/30GBps'

COLUMNS=200 "$BERTH" sim "$R/phases.berth" >"$TMP/default" || fail "default: exit $?"
for word in all-fast optimal static-best recency linux-none all-slow 'sized from the recording' \
	'time dilation 1' 'times as long as with everything fast' 'exact'; do
	grep -q "$word" "$TMP/default" || { cat "$TMP/default"; fail "text lacks: $word"; }
done

# On a narrow terminal the table is folded, the sentences wrapped, and nothing lost.
"$BERTH" sim "$R/phases.berth" -M "$M" -P linux-none -P recency:idle=4,rate=100MBps -P optimal \
	>"$TMP/narrow" || fail "narrow: exit $?"
awk 'length > 80' "$TMP/narrow" | grep . && fail "lines above are wider than 80 columns"
[ "$(grep -c '^policy ' "$TMP/narrow")" = 3 ] || fail "not folded: $(cat "$TMP/narrow")"
for word in slowdown promoted migration 'optimal at'; do
	grep -q "$word" "$TMP/narrow" || fail "narrow text lacks: $word"
done

for format in text json csv; do
	for run in 1 2; do
		"$BERTH" sim "$R/phases.berth" -M "$M" -P linux-none -P recency:idle=4 -P optimal \
			--fast 64KiB --fast 160KiB --dilate 10 --seed 3 --format $format \
			>"$TMP/$format.$run" || fail "$format: exit $?"
	done
	cmp "$TMP/$format.1" "$TMP/$format.2" || fail "$format: two runs differ"
done
grep -q 'time dilation 10, seed 3' "$TMP/text.1" || fail "text does not say the dilation"
[ "$(wc -l <"$TMP/csv.1")" = 7 ] || fail "csv: not a heading and six rows"
head -n 1 "$TMP/csv.1" | grep -q '^policy,kernel,dilate,fast_bytes,time_ns,' || fail "csv heading"

/usr/bin/python3 - "$TMP/json.1" "$TMP/csv.1" <<'P' || fail "json or csv is wrong"
import csv, json, sys
document = json.load(open(sys.argv[1]))
rows = list(csv.DictReader(open(sys.argv[2])))
assert document["schema"] == 1 and document["dilate"] == 10 and document["seed"] == 3
results = document["results"]
assert [r["policy"] for r in results] == ["linux-none"] * 2 + ["recency:idle=4"] * 2 + ["optimal"] * 2
assert [r["fast_bytes"] for r in results] == [65536, 163840] * 3
for result, row in zip(results, rows):
    assert str(result["time_ns"]) == row["time_ns"] and row["dilate"] == "10"
    assert sum(n["loads"] + n["stores"] for n in result["nodes"]) == result["misses"]
    parts = sum(result[k] for k in ("compute_ns", "latency_ns", "bandwidth_ns", "migration_ns",
                                    "faults_ns", "blocked_ns"))
    assert 0 <= result["time_ns"] - parts <= 4
assert results[2]["kernel"] == "linux-none" and results[0]["kernel"] is None
assert results[4]["bound"]["exact"] and results[4]["bound"]["lower_ps"] <= results[2]["linear_ps"]
assert results[2]["promoted_pages"] > 0
P

"$BERTH" sim --list >"$TMP/list" || fail "--list: exit $?"
for word in linux-none interleave weighted= recency touches= rate= static-best mlp=; do
	grep -q "$word" "$TMP/list" || fail "--list lacks $word"
done
# Hint faults are a part of their own where there are any, and no column where there are none.
"$BERTH" sim "$R/phases.berth" -M "$M" -P linux-tiering --dilate 1000 >"$TMP/faults" || fail "faults"
grep -q 'migration  *faults' "$TMP/faults" && grep -q '^faults  *hint faults x' "$TMP/faults" ||
	fail "faults are not shown: $(cat "$TMP/faults")"
grep -q faults "$TMP/narrow" && fail "a column of faults where none were taken"

"$BERTH" sim --help | grep -q 'Bounds (-P)' || fail "--help does not list policies"

# --counters: under Linux's names, per policy; 7.3 has some that 6.12 lacks; CSV has only them.
COLUMNS=200 "$BERTH" sim "$R/phases.berth" -M "$M" -P 6.12 -P 7.3:numa_balancing=2 -P optimal \
	--dilate 10000 --counters >"$TMP/counters" || fail "counters: exit $?"
grep -q '^counter  *6.12  *7.3:numa_balancing=2$' "$TMP/counters" || fail "$(cat "$TMP/counters")"
grep -q '^numa_pte_updates  *[0-9,]*  *[0-9,]*$' "$TMP/counters" || fail "no numa_pte_updates"
grep -q '^pgpromote_candidate_nrl  *-  *[0-9,]*$' "$TMP/counters" || fail "6.12 counts as 7.3"
"$BERTH" sim "$R/phases.berth" -M "$M" -P 7.3 --counters --format csv >"$TMP/counters.csv" ||
	fail "counters as CSV: exit $?"
head -n 1 "$TMP/counters.csv" | grep -q '^policy,fast_bytes,counter,value$' || fail "CSV heading"
grep -q '^7.3,163840,pgfree,[0-9]*$' "$TMP/counters.csv" || fail "$(cat "$TMP/counters.csv")"
"$BERTH" sim "$R/phases.berth" -M "$M" -P optimal --counters | grep -q 'keeps counters' ||
	fail "nothing said of no counters"
exit 0
