#!/bin/sh
# SPDX-License-Identifier: MIT
# However a run ends, or does not begin, it comes back as what it was, and no QEMU stays behind.
# Runs beside others.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP"
machine='node:dram:256MiB:cpus=0-1 node:cxl:256MiB'
export TMPDIR="$TMP"
lab() { "$BERTH" lab run -M "$machine" --no-model -q "$@"; }

# What we started, by berth's pid: QEMU is its child.
qemu_of() {
	for _ in $(seq 100); do
		for at in /proc/[0-9]*/stat; do
			set -- $(sed 's/(.*)/()/' "$at" 2>/dev/null) "" "" "" ""
			if [ "$4" = "$parent" ]; then
				echo "$1"
				return
			fi
		done
		sleep 0.1
	done
}
wait_for() {
	for _ in $(seq 300); do
		if grep -q "$1" out; then
			return
		fi
		sleep 0.3
	done
	kill "$parent"
	fail "not $1"
}
wait_gone() {
	for _ in $(seq 100); do
		[ -e "/proc/$1" ] && grep -q qemu "/proc/$1/cmdline" 2>/dev/null || return 0
		sleep 0.1
	done
	fail "QEMU $1 is still there"
}
expect() {
	want=$1 words=$2
	shift 2
	status=0
	lab "$@" >out 2>err </dev/null || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want"
	[ -z "$words" ] || grep -q -- "$words" err || fail "$*: said $(cat err), not $words"
}

expect 1 "Kernel panic - not syncing: sysrq triggered crash" -- sh -c 'echo c >/proc/sysrq-trigger'
log=$(sed -n 's/.*console was kept in //p' err)
grep -q 'sysrq triggered crash' "$log" || fail "no console log"
rm "$log"
expect 127 'no-such-program.*No such file' -- no-such-program
: >plain
expect 126 'Permission denied' -- "$TMP/plain"
expect 143 '' -- sh -c 'kill -TERM $$'
expect 137 'Killed process' -- python3 -c 'x = []
while True: x.append(bytearray(1 << 20))'
grep -q 'ran out of memory' err || fail "not said: $(cat err)"
rm -f berth-lab-console-*
expect 1 'time limit' --time-limit 2s -- sh -c 'trap "" TERM; while :; do :; done'
rm -f berth-lab-console-*
expect 1 'switched off or restarted' -- sh -c 'echo o >/proc/sysrq-trigger; sleep 60'
rm -f berth-lab-console-*

# Nothing comes from the guest any more: its emulator is stopped.
"$BERTH" lab run -M "$machine" --no-model -q --silence 5s -- sh -c 'echo up; sleep 600' >out 2>err </dev/null &
parent=$!
qemu=$(qemu_of)
wait_for up
kill -STOP "$qemu"
status=0
wait "$parent" || status=$?
[ "$status" = 1 ] || fail "hang: status $status"
grep -q 'hangs: nothing came from it' err || fail "hang: not said"
wait_gone "$qemu"
rm -f berth-lab-console-*

# A signal is the program's; what it makes of it is its own. The second one ends everything.
started() { # SCRIPT: in the guest; it says "up" when it is
	env --default-signal=INT "$BERTH" lab run -M "$machine" --no-model -q -- sh -c "$1" >out 2>err </dev/null &
	parent=$!
	qemu=$(qemu_of)
	wait_for up
}
ends_with() { # STATUS
	status=0
	wait "$parent" || status=$?
	[ "$status" = "$1" ] || fail "status $status, not $1"
	wait_gone "$qemu"
}
started 'trap "echo caught; exit 9" TERM; echo up; while :; do sleep 0.1; done'
kill -TERM "$parent"
ends_with 9
grep -q caught out || fail "TERM: not caught"
started 'trap "echo interrupted" INT; echo up; while :; do sleep 0.1; done'
kill -INT "$parent"
wait_for interrupted
kill -INT "$parent"
ends_with 130
grep -q 'ended by signal 2' err || fail "INT: not said"
rm -f berth-lab-console-*

# berth is killed, two labs at once: the one's QEMU goes, the other is not disturbed.
"$BERTH" lab run -M "$machine" --no-model -q -- sh -c 'echo up; sleep 600' >out 2>err </dev/null &
parent=$!
qemu=$(qemu_of)
"$BERTH" lab run -M "$machine" --no-model -q -- sh -c 'sleep 1; exit 5' >out2 2>err2 </dev/null &
other=$!
wait_for up
kill -KILL "$parent"
wait "$parent" || true
wait_gone "$qemu"
status=0
wait "$other" || status=$?
[ "$status" = 5 ] || fail "the other lab: status $status: $(cat err2)"
left=$(find . -name 'berth-lab-console-*' | wc -l)
[ "$left" -le 1 ] || fail "$left console logs were left" # that of the killed one
echo passed
