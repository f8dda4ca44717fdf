#!/bin/sh
# SPDX-License-Identifier: MIT
# The periodic job: every release is counted, as text and as JSON; work that does not fit into the
# period makes it later and later and is counted as overruns; bad options are refused.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
periodic=$BUILD/lab/workloads/periodic

"$periodic" --period 5ms --rounds 1000 --seconds 0.2 --warm-up 50ms --threads 3 --format json >out ||
	fail "status $?"
[ "$(wc -l <out)" = 1 ] || fail "not one line: $(cat out)"
/usr/bin/python3 -c '
import json
r = json.load(open("out"))
assert (r["program"], r["threads"], r["period_ns"], r["rounds"]) == ("periodic", 3, 5000000, 1000), r
assert r["releases"] == 3 * (40 - 10), r
for what in "wakeup_ns", "response_ns":
    assert 0 <= r[what]["p50"] <= r[what]["p99"] <= r[what]["max"], r
assert r["wakeup_ns"]["p50"] <= r["response_ns"]["p50"], r
assert r["run_ns"] >= 195000000 and r["cpu_ns"] > 0, r' || fail "JSON: $(cat out)"

# Five milliseconds of work every millisecond: each release but the first starts 4 ms later yet.
"$periodic" --period 1ms --work 5ms --seconds 30ms --jitter 0 >out || fail "status $?"
grep -qx 'also: overruns 30.0000 releases lower' out || fail "overruns: $(cat out)"
awk '$2 == "wakeup-max" { exit !($3 > 29 * 2000) }' out || fail "not late: $(cat out)"
grep -Eqx 'result: wakeup-p99 [0-9.]+ us lower' out || fail "no result: $(cat out)"
! grep -Ev '^(also|result): [^ ]+ [0-9.]+ [^ ]+ (higher|lower)$' out || fail "lines of no known form"

# Told to end, it reports what was done.
"$periodic" --period 10ms --work 0 --seconds 60 --threads 2 >out &
pid=$!
sleep 0.5
kill "$pid"
wait "$pid" || fail "ended by a signal: status $?"
awk '$2 == "releases" { exit !($3 > 2 && $3 < 1000) }' out || fail "cut: $(cat out)"

# Told that what matters begins now, it counts from there.
"$periodic" --period 10ms --work 0 --seconds 60 --format json >out &
pid=$!
sleep 0.5
kill -USR1 "$pid"
sleep 0.3
kill "$pid"
wait "$pid" || fail "ended by a signal: status $?"
/usr/bin/python3 -c 'import json
r = json.load(open("out"))
assert 0 < r["counted_ns"] <= r["run_ns"] - 400000000, r
assert 0 < r["releases"] <= r["counted_ns"] / r["period_ns"] + 2, r' || fail "counted: $(cat out)"

# refused SENTENCE OPTIONS...
refused() {
	sentence=$1 status=0
	shift
	"$periodic" "$@" >out 2>err || status=$?
	[ "$status" = 2 ] && grep -q "$sentence" err && [ ! -s out ] || fail "$*: $status: $(cat out err)"
}
refused 'not a format' --format xml
refused 'no release is left' --period 1s --seconds 0.5
refused 'no release is left' --warm-up 5s --seconds 5s
refused 'more than 10000000' --period 1us --seconds 20
refused 'too little' --period 10ns
refused 'periodic --help' --no-such-option
