#!/bin/bash
# SPDX-License-Identifier: MIT
# `berth run` spills and comes home, seen by its counters: two busy tasks at home on one CPU, another
# CPU idle; then an owner wakes there; then the tasks end. The limits are generous, as other programs
# may use the CPUs meanwhile; figures are bench_run's.
# Runs alone: beside other tests no CPU would be idle.
set -u
state=$TMP/state
cpus=$(taskset -cp $$ | sed 's/.*: //')
home=${cpus%%[-,]*}
other=${cpus##*[-,]}
[ "$home" != "$other" ] || { echo "needs two CPUs"; exit 77; }
started=()
stop() {
	for pid in "${started[@]}" $(cat "$TMP"/go.? 2>/dev/null); do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
}
trap stop EXIT

value() { sed -n "s/^$1 //p" "$state"/*.job 2>/dev/null; }
idle_ticks() { sed -n "s/^cpu$other [0-9]* [0-9]* [0-9]* \([0-9]*\) .*/\1/p" /proc/stat; }
fail() { echo "FAILED: $*"; "$BERTH" status --state "$state"; exit 1; }
until_more() { # NAME THAN SECONDS
	local end=$(($(date +%s) + $3)) now
	while now=$(value "$1"); [ "${now:-0}" -le "$2" ]; do
		[ "$(date +%s)" -lt $end ] || return
		sleep 0.2
	done
}

mkfifo "$TMP/go"
"$BERTH" run --engine user --state "$state" --prefer "$home" --allow "$home,$other" -- bash -c '
	read -r _ <"$0"
	(while :; do :; done) & echo $! >"$0.1"
	(while :; do :; done) & echo $! >"$0.2"
	wait
	exec sleep 100' "$TMP/go" &
berth=$!
started+=($berth)
for _ in $(seq 200); do [ "$(value now)" = "$home" ] && break; sleep 0.05; done
[ "$(value now)" = "$home" ] || fail "it is not at home"

# Two tasks begin, and one of them is let out: unless somebody else keeps the other CPU busy.
before=$(idle_ticks)
began=$(date +%s)
echo go >"$TMP/go"
if ! until_more spilled 0 25; then
	ticks=$(($(idle_ticks) - before))
	[ $ticks -lt $((($(date +%s) - began) * 85)) ] || fail "CPU $other was idle, and nothing was spilled"
	echo "CPU $other was busy all the time: nothing to borrow"
	exit 77
fi

# The owner of the other CPU wakes: home.
taskset -c "$other" bash -c 'while :; do :; done' &
owner=$!
started+=($owner)
until_more evicted 0 25 || [ "$(value called_home)" -gt 0 ] || fail "nobody was evicted"
kill $owner

# The tasks end: what is left fits at home.
kill "$(cat "$TMP/go.1")" "$(cat "$TMP/go.2")"
rm "$TMP"/go.?
for _ in $(seq 100); do [ "$(value now)" = "$home" ] && break; sleep 0.1; done
[ "$(value now)" = "$home" ] || fail "it did not come home"
kill $berth
wait $berth
[ -z "$(ls "$state")" ] || fail "left: $(ls "$state")"
