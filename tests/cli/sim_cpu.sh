#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sim --cpu: every invariant while each policy runs each workload, the same bytes from the
# same seed, one clear sentence for bad input.
set -u
M='node:dram:1GiB@80ns/10GBps:cpus=0-3,8-11 node:dram:1GiB@80ns/10GBps:cpus=4-7,12-15'
status=0

sim() {
	timeout 60 "$BERTH" sim -M "$M" "$@"
}

expect() { # PATTERN arguments...
	pattern=$1
	shift
	sim "$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	[ $got = 2 ] || { echo "$*: exit $got, not 2: $(cat "$TMP/err")"; status=1; }
	grep -q -- "$pattern" "$TMP/err" || { echo "$*: said: $(cat "$TMP/err")"; status=1; }
	[ "$(wc -l <"$TMP/err")" = 1 ] || { echo "$*: not one sentence: $(cat "$TMP/err")"; status=1; }
	[ ! -s "$TMP/out" ] || { echo "$*: printed data"; status=1; }
}

expect 'there are hackbench, users, batch, periodic' --cpu spin
expect 'not KIND' --cpu :nr=1
expect "there is no key 'x'" --cpu batch:x=1
expect 'no such node' --cpu batch:home=2
expect 'no such node' --cpu users:memory_node=7
expect 'there are soft, soft-at, hard, none' --cpu batch -P optimal
expect 'out of range' --cpu batch -P soft-at:spill_at=101%
expect 'out of range' --cpu batch --scheduler threads=3
expect 'whole cores' --cpu batch --scheduler caches=5,threads=2
expect 'a period of 0' --cpu periodic:sleep=0ns
expect 'takes no recording' --cpu batch file.berth

run() {
	sim --cpu hackbench:nr=1,loops=5 --cpu users:nr=6 --cpu periodic --cpu batch:nr=9 \
		-P none -P hard -P soft -P soft-at -P rfc2019 -P dynamic-affinity --seed "$1" --format csv \
		--scheduler threads=2,end=30ms,check=on
}

run 4 >"$TMP/a" || status=1
run 4 >"$TMP/b" || status=1
run 5 >"$TMP/c" || status=1
cmp "$TMP/a" "$TMP/b" || status=1
golden=$TOP/tests/golden/cpu/sim_cpu.csv
[ "${BERTH_GOLDEN:-}" = tables ] && cp "$TMP/a" "$golden"
cmp "$TMP/a" "$golden" || { echo "look at the difference, then tests/golden/update"; status=1; }
if cmp -s "$TMP/a" "$TMP/c"; then echo "the seed changes nothing"; status=1; fi
[ "$(wc -l <"$TMP/a")" = 25 ] || { echo "rows: $(wc -l <"$TMP/a")"; status=1; }
# hard never leaves home: nothing spilled, all of the time there
grep '^hard,' "$TMP/a" | grep -v ',1\.000,0,0,0,0,0,' && status=1
exit $status
