#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sim and bad input: one clear sentence, the documented exit code, nothing on stdout.
set -u
R=$TOP/tests/golden/sim/phases.berth
M='node:dram:160KiB@80ns/100GBps:cpus=0 node:cxl:16MiB@250ns/30GBps'
status=0

expect() { # STATUS PATTERN arguments...
	want=$1 pattern=$2
	shift 2
	timeout 60 "$BERTH" sim "$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	[ $got = "$want" ] || { echo "$*: exit $got, not $want: $(cat "$TMP/err")"; status=1; }
	grep -q -- "$pattern" "$TMP/err" || { echo "$*: said: $(cat "$TMP/err")"; status=1; }
	[ "$(wc -l <"$TMP/err")" = 1 ] || { echo "$*: not one sentence: $(cat "$TMP/err")"; status=1; }
}

expect 2 'did you mean optimal' "$R" -P optimul
expect 2 'there are linux-none, linux-numab, linux-tiering' "$R" -P xyzzy
expect 2 'there are touches, window' "$R" -P recency:idel=3
expect 2 'out of range' "$R" -P recency:touches=0
expect 2 'power of two' "$R" -P hemem:block=12KiB
expect 3 'no PMU' "$R" -P memtis:pmu=off
expect 2 "there is no key 'a'" "$R" -P linux-none:a=b
expect 2 'no such kernel' "$R" -K recency
expect 2 'write auto or accessed-bits or hint-faults' "$R" -P recency:sampler=guess
expect 2 'not understood' "$R" -P recency:sample_period=often
expect 2 'min_regions=10 is more than max_regions=5' "$R" -P damon:max_regions=5
expect 3 'takes hint faults itself' "$R" -K linux-tiering -P berth:sampler=hint-faults
expect 2 'must ascend' "$R" -P damon:wmark_low=900
expect 3 'needs hits out of checks' "$R" -P recency:sampler=hint-faults
expect 2 'not understood' "$R" --fast lots
expect 2 'there are mlp, store, move' "$R" --cost latency=3
expect 2 'too large' "$R" --dilate 99999999999
expect 2 'usage: berth sim'
expect 2 'one argument too many' "$R" "$R"
expect 2 'node' "$R" -M 'node:dram:0@80ns:cpus=0'
expect 1 'No such file' "$TMP/absent"
expect 1 '' "$TMP"
: >"$TMP/empty"
expect 1 '' "$TMP/empty"
head -c 3000 /dev/urandom >"$TMP/noise"
expect 1 '' "$TMP/noise"
expect 1 'the machine is full' "$R" -P linux-none \
	-M 'node:dram:40KiB@80ns/100GBps:cpus=0 node:cxl:40KiB@250ns/30GBps'
head -c 15000 "$TOP/tests/golden/sim/lives.berth" >"$TMP/cut.berth"
"$BERTH" sim "$TMP/cut.berth" -M "$M" -P linux-none >"$TMP/out" 2>"$TMP/err"
got=$?
[ $got = 5 ] || { echo "cut: exit $got, not 5: $(cat "$TMP/err")"; status=1; }
grep -q 'was cut off' "$TMP/out" || { echo "cut: does not say so: $(cat "$TMP/out")"; status=1; }
"$BERTH" sim "$R" -M "$M" >/dev/full 2>"$TMP/err"
[ $? = 1 ] && grep -q 'No space left' "$TMP/err" || { echo "full: $(cat "$TMP/err")"; status=1; }
exit $status
