#!/bin/sh
# SPDX-License-Identifier: MIT
# `berth machine --measure` on whatever machine the tests run on: figures that make sense, a line
# that parses back to them and that `berth sim` takes, and bad command lines. That the figures are
# right is for tests/lab/measure.sh, where it is known what they must be.
set -u
failed=0
wrong() {
	echo "$*"
	failed=1
}

"$BERTH" machine --measure --measure-time 40ms --format json >"$TMP/json" 2>"$TMP/err"
status=$?
case $status in
0) [ ! -s "$TMP/err" ] || wrong "said: $(cat "$TMP/err")" ;;
5) [ -s "$TMP/err" ] || wrong "status 5 without a word" ;;
3 | 4) # a container may forbid it
	tail -n 1 "$TMP/err"
	exit 77
	;;
*) wrong "status $status: $(cat "$TMP/err")" ;;
esac
/usr/bin/python3 - "$TMP/json" <<'EOP' || failed=1
import json, sys
machine = json.load(open(sys.argv[1]))
pairs = machine["measurement"]["pairs"]
assert pairs, "no pairs"
links = {(link["from"], link["to"]): link for link in machine["links"]}
for pair in pairs:
    if not pair["measured"]:
        assert pair["reason"], pair
        continue
    link = links[pair["from"], pair["to"]]
    assert link["latency_source"] == link["bandwidth_source"] == "measured", link
    assert abs(link["latency_ns"] - pair["idle_latency_ns"]) <= 1, (link, pair)
    assert 1 <= pair["idle_latency_ns"] <= pair["median_latency_ns"] < 1e6, pair
    assert 1e6 < pair["one_cpu_bytes_per_s"] < 1e13, pair
    assert pair["all_cpus_bytes_per_s"] > 1e6, pair
    assert (pair["loaded_latency_ns"] is None) == (pair["nr_cpus"] == 1), pair
    assert pair["buffer_bytes"] >= 16 << 20, pair
EOP

line=$("$BERTH" machine --measure --measure-time 40ms --format line 2>/dev/null)
[ "$("$BERTH" machine "$line" --format line)" = "$line" ] || wrong "the line differs: $line"
"$BERTH" machine --measure --measure-time 40ms 2>/dev/null >"$TMP/text"
grep -q 'Measured: latency in ns, then bandwidth in GB/s' "$TMP/text" || wrong "no table"

# bad PATTERN ARGUMENTS...: status 2, nothing on stdout.
bad() {
	pattern=$1
	shift
	"$BERTH" machine "$@" >"$TMP/out" 2>"$TMP/err"
	status=$?
	[ $status = 2 ] && [ ! -s "$TMP/out" ] && grep -q -e "$pattern" "$TMP/err" ||
		wrong "machine $*: status $status: $(cat "$TMP/err")"
}
bad 'drop node:dram:1GiB:cpus=0' --measure node:dram:1GiB:cpus=0
bad 'drop --root' --measure --root /
bad 'needs --measure' --measure-time 1s
bad 'from 20ms to 10min' --measure --measure-time 1ms
bad 'from 20ms to 10min' --measure --measure-time 11min
bad 'a capture holds what the kernel tells' --measure --capture "$TMP/x.tar"

# Memory that cannot be had is a reason, not a crash. A sanitizer wants all address space itself.
if ! ldd "$BERTH" | grep -q libasan &&
	(ulimit -c 0; ulimit -v 60000 && exec "$BERTH" machine) >/dev/null 2>&1; then
	(ulimit -v 60000 && exec "$BERTH" machine --measure) >"$TMP/out" 2>"$TMP/err"
	status=$?
	[ $status = 1 ] && [ ! -s "$TMP/out" ] && grep -q 'no address space' "$TMP/err" ||
		wrong "too little memory: status $status: $(cat "$TMP/err")"
fi
exit $failed
