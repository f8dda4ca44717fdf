#!/bin/sh
# SPDX-License-Identifier: MIT
# The files of other tools through the commands: reports, simulations, conversion, and bad ones.
set -u
imports=$TOP/tests/imports
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

# expect STATUS WORDS COMMAND...: its exit status, and words in what it prints.
expect() {
	status=$1 words=$2
	shift 2
	"$@" >"$TMP/out" 2>&1
	got=$?
	[ $got = "$status" ] || { fail "$*: exit $got, not $status"; cat "$TMP/out"; }
	tr '\n' ' ' <"$TMP/out" | grep -qF -- "$words" || { fail "$*: no '$words'"; cat "$TMP/out"; }
}

expect 0 "all accesses" "$BERTH" report "$imports/example.lackey"
expect 0 "valgrind lackey" "$BERTH" report "$imports/example.lackey.gz"
expect 0 "20 KiB" "$BERTH" report "$imports/example.lackey"
expect 0 "misses" "$BERTH" report "$imports/example.misses"
expect 0 "350 ms" "$BERTH" report "$imports/example.damo"
expect 0 "350 ms" "$BERTH" report "$imports/example.damo.json"
expect 0 "300 ms" "$BERTH" report "$imports/example.perf.txt"
expect 0 "5 ms is assumed" "$BERTH" report "$imports/example.perf.txt"
expect 0 "1.21 MiB" "$BERTH" report "$imports/example.old.damo.json"
expect 0 "linux-none" "$BERTH" sim "$imports/example.lackey"
expect 0 "linux-none" "$BERTH" sim "$imports/example.misses"
expect 0 "read once, one latency" "$BERTH" sim -P linux-none -P recency "$imports/example.damo"

# The same regions, compressed or not, make the same report.
"$BERTH" report "$imports/example.damo" | tail -n +2 >"$TMP/compressed"
"$BERTH" report "$imports/example.damo.json" | tail -n +2 >"$TMP/plain"
cmp "$TMP/compressed" "$TMP/plain" || fail "json and json_compressed differ"

# Bad files: one sentence, exit 1; a cut one is read to its cut.
printf 'hello world\n' >"$TMP/text"
expect 1 "not a recording" "$BERTH" report "$TMP/text"
printf '[{"snapshots": [{"regions": [{"start": 5, "end": 1, "nr_accesses": 1}]}]}]' >"$TMP/bad"
expect 1 "line 1: a region ends before it starts" "$BERTH" report "$TMP/bad"
{ cat "$imports/example.misses" && echo nonsense; } >"$TMP/list"
expect 1 "not a recording" "$BERTH" report "$TMP/list"
head -c 400 "$imports/example.damo" >"$TMP/cut"
expect 5 "ends too early" "$BERTH" report "$TMP/cut"
printf 'PERFILE2xxxxxxxxxxxxxxxxxx' >"$TMP/perf.data"
expect 1 "perf script -i" "$BERTH" report "$TMP/perf.data"

if "$BERTH" convert --help >/dev/null 2>&1; then
	for file in example.lackey example.lackey.gz example.misses example.damo example.damo.json \
		example.old.damo.json example.perf.txt; do
		"$BERTH" convert "$imports/$file" "$TMP/$file.berth" || fail "convert $file"
		"$BERTH" info "$TMP/$file.berth" >/dev/null || fail "info of the converted $file"
		"$BERTH" info "$imports/$file" >/dev/null || fail "info $file"
	done
	# Real time survives: a converted damo record makes the report of the original.
	"$BERTH" report "$TMP/example.damo.berth" | tail -n +2 >"$TMP/converted"
	cmp "$TMP/compressed" "$TMP/converted" || fail "a converted damo record differs"
fi

# The real thing, where it is installed.
if command -v valgrind >/dev/null 2>&1; then
	valgrind --tool=lackey --trace-mem=yes --log-file="$TMP/true.lackey" /bin/true
	expect 0 "/bin/true" "$BERTH" report "$TMP/true.lackey"
	expect 0 "linux-none" "$BERTH" sim "$TMP/true.lackey"
fi
exit $failed
