#!/bin/bash
# SPDX-License-Identifier: MIT
# Every way to write `berth lab compare` wrong: one sentence with the remedy, nothing on standard
# output, the right exit status, and no lab is needed to find out.
set -u
M='node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/20GBps'
ONE='node:dram:512MiB@80ns/100GBps:cpus=0'
export BERTH_LAB_CACHE="$TMP/no-lab" XDG_CACHE_HOME="$TMP/no-cache"

fail() {
	echo "FAILED: $*"
	exit 1
}

# refused STATUS WORDS ARGUMENTS...
refused() {
	wanted=$1 words=$2
	shift 2
	"$BERTH" lab compare "$@" >"$TMP/out" 2>"$TMP/err"
	status=$?
	[ $status = "$wanted" ] || fail "status $status, not $wanted: $* : $(cat "$TMP/err")"
	grep -qF -- "$words" "$TMP/err" || fail "'$words' is missing: $* : $(cat "$TMP/err")"
	[ -s "$TMP/out" ] && fail "wrote to standard output: $*"
	[ "$(wc -l <"$TMP/err")" = 1 ] || fail "not one line: $(cat "$TMP/err")"
}

refused 2 "no machine" -- hotset
refused 2 "no program" -M "$M"
refused 2 "did you mean kernel?" -M "$M" -P kernal -- hotset
refused 2 "none, kernel, damon, berth, static-best, all-fast" -M "$M" -P zzz -- hotset
refused 2 "did you mean scan_size_mb?" -M "$M" -P kernel:scan_size=1 -- hotset
refused 2 "0 to 3" -M "$M" -P kernel:mode=7 -- hotset
refused 2 "1 to 65536 (MiB, without the unit)" -M "$M" -P kernel:scan_size_mb=0 -- hotset
refused 2 "always|madvise|never" -M "$M" -P none:thp=no -- hotset
refused 2 "one node with memory" -M "$ONE" -P kernel -- hotset
refused 2 "one tier" -M "$ONE" -P damon -- hotset
refused 2 "--kernel 7.3" -M "$M" -P damon:goals=1 -- hotset
refused 2 "repeat" -M "$M" -P none --repeat 0 -- hotset
refused 2 "repeat" -M "$M" -P none --repeat 100000 -- hotset
refused 2 "delay|icount" -M "$M" -P none --time soon -- hotset
refused 2 "text|json|csv" -M "$M" -P none --format xml -- hotset
refused 2 "time-limit" -M "$M" -P none --time-limit soon -- hotset
refused 2 "node" -M "node:what:1GiB" -P none -- hotset
refused 1 "berth lab setup" -M "$M" -P none --quiet -- hotset
: >"$TMP/file"
refused 1 "file/keep" -M "$M" -P none --keep "$TMP/file/keep" -- hotset

# What needs no lab: the list, and what would be run.
"$BERTH" lab compare --list >"$TMP/out" || fail "--list"
for word in none kernel damon static-best all-fast scan_period_max_ms quota_MBps swappiness; do
	grep -q "^ *${word}[:=]" "$TMP/out" || fail "--list lacks $word"
done
"$BERTH" lab compare -M "$M" -P none -P damon --kernel 6.12 --kernel 7.3 --repeat 3 --dry-run \
	-- hotset >"$TMP/out" || fail "--dry-run"
[ "$(grep -c '^policy ' "$TMP/out")" = 8 ] || fail "not 8 cases: $(grep '^policy ' "$TMP/out")"
grep -q '^24 runs in all$' "$TMP/out" || fail "$(tail -1 "$TMP/out")"
[ "$(grep -c '^machine node:dram:1536MiB@80ns' "$TMP/out")" = 2 ] || fail "all-fast's machine"
[ "$(grep -c '^try /sys/module/damon_stat/parameters/enabled N$' "$TMP/out")" = 1 ] ||
	fail "DAMON_STAT is not switched off on 7.3 alone"
# A program that is none of ours cannot place its memory: no static-best.
"$BERTH" lab compare -M "$M" -P none --dry-run -- /bin/true >"$TMP/out" || fail "--dry-run true"
grep -q '^policy static-best' "$TMP/out" && fail "static-best for a program that cannot place"
"$BERTH" lab compare -M "$M" -P none --no-yardsticks --dry-run -- hotset >"$TMP/out"
[ "$(grep -c '^policy ' "$TMP/out")" = 1 ] || fail "--no-yardsticks"
exit 0
