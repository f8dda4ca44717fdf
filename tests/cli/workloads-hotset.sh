#!/bin/sh
# SPDX-License-Identifier: MIT
# hotset runs natively, counts its operations exactly, moves its hot set, refuses bad options.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
hotset=$BUILD/lab/workloads/hotset
small='--memory 16MiB --hot 3MiB'
ops() { awk '/^interval/ { sum += $4 } END { print sum + 0 }' out; }

"$hotset" $small --operations 100000 >out || fail "status $?"
[ "$(ops)" = 100000 ] || fail "$(ops) operations, not 100000"
grep -Eqx 'result: throughput [0-9.]+ Mop/s higher' out || fail "no result: $(cat out)"
[ "$(grep -c '^result:' out)" = 1 ] || fail "not one result"

"$hotset" $small --seconds 0.3 --threads 2 >out || fail "status $?"
[ "$(ops)" -gt 10000 ] || fail "only $(ops) operations in 0.3 s"

"$hotset" $small --operations 100000 --move-every 20000 >out || fail "status $?"
[ "$(ops)" = 100000 ] || fail "$(ops) operations while moving"
[ "$(grep -c ^moved: out)" = 5 ] || fail "moved $(grep -c ^moved: out) times, not 5"
grep -qx 'moved: hot set to MiB 10' out || fail "moved elsewhere: $(cat out)"
"$hotset" $small --operations 4M --threads 3 --move-every 500k >out || fail "status $?"
[ "$(ops)" = 4000000 ] || fail "$(ops) operations while moving with threads"
"$hotset" $small --seconds 0.3 --move-every 100ms >out || fail "status $?"
grep -q '^moved:' out || fail "never moved in time"

expect() {
	want=$1 words=$2
	shift 2
	status=0
	"$hotset" "$@" >out 2>err || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want: $(cat err)"
	grep -q -- "$words" err || fail "$*: said $(cat err), not $words"
}
expect 2 'no such option' --nonsense 1
expect 2 'not an option' nonsense
expect 2 'needs a size' --memory
expect 2 'not a size' --memory 5x
expect 2 'not a size' --memory -5
expect 2 'too little' --memory 1
expect 2 'not a share' --share-hot 1.5
expect 2 'the most' --threads 65
expect 2 'part of the whole' --memory 1MiB --hot 2MiB
expect 1 'no room' --memory 4000TiB --hot 1MiB
