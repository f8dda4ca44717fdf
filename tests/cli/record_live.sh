#!/bin/sh
# SPDX-License-Identifier: MIT
# berth record -p and --cgroup: what cannot be meant or done, and a program of ours where a sampler
# works (elsewhere the lab records one: tests/lab/record-live.sh).
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }

expect() {
	want=$1 words=$2
	shift 2
	status=0
	"$BERTH" record -o none.berth --state state "$@" >out 2>err || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want: $(cat err)"
	grep -q -- "$words" err || fail "$*: said $(cat err), not $words"
	[ ! -e none.berth ] && [ ! -e none.berth.part ] || fail "$*: something was left"
}

mkdir -m 700 state
expect 2 'name no program' -p $$ -- /bin/true
expect 2 'name no program' --cgroup x /bin/true
expect 2 'only one' -p $$ --cgroup x
expect 2 'write --for' -p $$ --time-limit 1s
expect 2 'take --sampler' -p $$ --stream all
expect 2 'take --sampler' -p $$ --baseline
expect 2 '-p or --cgroup' --for 1s -- /bin/true
expect 2 '-p or --cgroup' --sampler accessed-bits -- /bin/true
expect 2 '-p' -p 0
expect 2 'did you mean damon?' -p $$ --sampler damn
expect 2 '1 at a time' -p $$ --sampler accessed-bits,damon
expect 1 '999999: there is none' -p 999999
expect 2 '-p' -p x
expect 2 'not the number' -p 99999999999
expect 2 'no such sampler' -p $$ --sampler nonsense
expect 2 'kind or size' -p $$ -M 'node:nonsense'
expect 1 'process 2147483647' -p 2147483647
expect 1 'no such cgroup' --cgroup no/such/group
status=0
"$BERTH" record -p $$ -o /no/such/folder/file --state state >out 2>err || status=$?
[ "$status" = 1 ] || fail "no folder: status $status: $(cat err)"
status=0
"$BERTH" record -p $$ -o - >out 2>err || status=$?
[ "$status" = 2 ] || fail "a pipe: status $status: $(cat err)"

sleep 60 &
pid=$!
status=0
"$BERTH" record -p $pid --for 2s -o live.berth --state state >out 2>err || status=$?
if [ "$status" = 3 ] || [ "$status" = 4 ]; then
	kill $pid
	grep -q 'no sampler works here' err || fail "said $(cat err)"
	[ ! -e live.berth ] && [ ! -e live.berth.part ] || fail "something was left"
	sed 's/^berth record: //' err
	exit 77
fi
kill $pid
[ "$status" = 0 ] || fail "status $status: $(cat err)"
"$BERTH" info live.berth >out || fail "info"
grep -q 'seen by the sampler' out || fail "info: $(cat out)"
