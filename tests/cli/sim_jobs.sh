#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sim --job: recordings that share a machine, with floors and caps; what each had, against a
# table; one job alone is as the recording without a job; and bad input.
set -u
G=$TOP/tests/golden/sim
M='node:dram:1MiB@80ns/100GBps:cpus=0 node:cxl:16MiB@250ns/30GBps'
status=0

say() {
	echo "$*"
	status=1
}

cd "$G" || exit 1
"$BERTH" sim --job a=phases.berth:floor=256KiB --job b=scan.berth:cap=512KiB --job c=lives.berth \
	-M "$M" -P linux-none -P linux-tiering -P nomad -P berth -P recency -P all-slow \
	--dilate 1000 --format csv >"$TMP/table" || say "jobs: exit $?"
if [ -n "${BERTH_GOLDEN:-}" ]; then
	cp "$TMP/table" jobs.csv
else
	cmp jobs.csv "$TMP/table" || say "jobs.csv is not what it was: $(diff jobs.csv "$TMP/table")"
fi

# Whoever places them: the same misses; and no agent leaves a job more than its cap.
awk -F, 'NR > 1 && $6 + 0 == 0 { exit 1 } NR > 1 { misses[$3] = misses[$3] == "" ? $6 : misses[$3] }
	 NR > 1 && misses[$3] != $6 { exit 1 }
	 $3 == "b" && ($1 == "berth" || $1 == "recency") && $11 > 524288 { exit 1 }' "$TMP/table" ||
	say "misses or a cap are wrong: $(cat "$TMP/table")"

# Alone it is the recording: the same figures and counters.
figures() { # [--job] FILE: the results of JSON, without those of jobs
	"$BERTH" sim "$@" -M "$M" -P linux-tiering -P berth --dilate 1000 --seed 3 --format json |
		sed -e '1,/"results"/d' -e '/"jobs": \[/,/\]/d' | tr -d ', \n'
}
for R in phases lives scan; do
	figures $R.berth >"$TMP/recording"
	figures --job x=$R.berth >"$TMP/job"
	grep -q time_ns "$TMP/job" || say "$R: no figures"
	cmp "$TMP/recording" "$TMP/job" || say "$R alone is not as the recording"
done

expect() { # STATUS PATTERN arguments...
	want=$1 pattern=$2
	shift 2
	timeout 60 "$BERTH" sim "$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	[ $got = "$want" ] || say "$*: exit $got, not $want: $(cat "$TMP/err")"
	grep -q -- "$pattern" "$TMP/err" || say "$*: said: $(cat "$TMP/err")"
	[ "$(wc -l <"$TMP/err")" = 1 ] || say "$*: not one sentence: $(cat "$TMP/err")"
}

expect 2 'write NAME=FILE' --job phases.berth
expect 2 'write NAME=FILE' --job =phases.berth
expect 2 'no such key' --job a=phases.berth:flor=1MiB
expect 2 'not a size' --job a=phases.berth:cap=much
expect 2 'above the cap' --job a=phases.berth:floor=2MiB:cap=1MiB
expect 2 'two jobs are named a' --job a=phases.berth --job a=scan.berth
expect 2 'leave FILE out' phases.berth --job a=phases.berth
expect 2 'describe the one that they share' --job a=phases.berth -M recording
expect 1 'No such file' --job a=phases.berth --job b="$TMP/absent:x"

exit $status
