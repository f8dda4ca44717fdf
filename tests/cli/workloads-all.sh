#!/bin/sh
# SPDX-License-Identifier: MIT
# Each workload runs natively for a moment, counts its operations, prints one result line; equal seeds
# do equal work; LAB_PLACE on a machine with nothing to part is said, a malformed one refused.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
ops() { awk '/^interval/ { sum += $4 } END { print sum + 0 }' out; }

# check NAME RESULT OPTIONS...: by operations and by time
check() {
	name=$1 result=$2
	shift 2
	program=$BUILD/lab/workloads/$name
	"$program" --operations 20001 "$@" >out 2>err || fail "$name: status $?: $(cat err)"
	[ "$(ops)" = 20001 ] || fail "$name: $(ops) operations, not 20001"
	[ "$(grep -c '^result:' out)" = 1 ] || fail "$name: not one result: $(cat out)"
	grep -Eqx "result: $result" out || fail "$name: no '$result': $(cat out)"
	! grep -Ev '^(interval [0-9]+ ops [0-9]+ mops [0-9.]+ ns [0-9]+|(also|result): [^ ]+ [0-9.]+ [^ ]+ (higher|lower))$' out ||
		fail "$name: lines of no known form"
	"$program" --seconds 0.2 "$@" >out 2>err || fail "$name --seconds: status $?: $(cat err)"
	[ "$(ops)" -gt 0 ] || fail "$name: did nothing in 0.2 s"
	LAB_PLACE=63 "$program" --operations 2000 "$@" >out || fail "$name: LAB_PLACE: status $?"
	grep -q '^placed: nothing, because LAB_PLACE=63 parts no nodes' out ||
		fail "$name: LAB_PLACE: $(cat out)"
	status=0
	LAB_PLACE=all "$program" --operations 2000 "$@" >out 2>err || status=$?
	[ "$status" = 2 ] && grep -q 'not a list of nodes' err || fail "$name: LAB_PLACE=all: $status"
	status=0
	"$program" --no-such-option 2>err || status=$?
	[ "$status" = 2 ] && grep -q "$name --help" err || fail "$name: a bad option: $status"
	"$program" --help | grep -q -- '--operations COUNT' || fail "$name: no help"
}

number='[0-9.]+'
check hotset "throughput $number Mop/s higher" --memory 16MiB --hot 3MiB
check zipf "throughput $number Mop/s higher" --memory 16MiB
check zipf "throughput $number Mop/s higher" --memory 16MiB --threads 3 --share-set 50%
check chase "latency $number ns lower" --memory 16MiB
check chase "latency $number ns lower" --memory 16MiB --threads 3 --stride 64
check stream "triad $number GB/s higher" --memory 1MiB
check stream "triad $number GB/s higher" --memory 2MiB --threads 2
check phases "throughput $number Mop/s higher" --memory 16MiB
check btree "throughput $number Mop/s higher" --memory 16MiB --share-insert 30%
check bfs "traversal $number MTEPS higher" --scale 10
check tenants "modest $number Mop/s higher" --greedy 8MiB --greedy-start 2MiB --modest 1MiB

# Equal seeds visit equal vertices, other seeds others: as many whole searches in as many steps.
bfs=$BUILD/lab/workloads/bfs
searches() { "$bfs" --scale 6 --edges 1 --operations 100000 --seed "$1" | grep '^also: searches'; }
[ "$(searches 1)" = "$(searches 1)" ] || fail "equal seeds differ"
[ "$(searches 1)" != "$(searches 2)" ] || fail "the seed changes nothing"
