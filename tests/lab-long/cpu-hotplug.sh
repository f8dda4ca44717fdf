#!/bin/sh
# SPDX-License-Identifier: MIT
# `berth run` on a real kernel with two idle CPUs, held by a cpuset of cgroup v2 and woken by a PSI
# trigger: spills, comes home for the owner, borrows again; then its CPUs go offline and online in a
# loop, and it is where it may be each time.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 6.12

cat >"$TMP/guest.sh" <<'EOF'
berth=$1
cpu=/sys/devices/system/cpu/cpu1/online
spin() { taskset -c "$1" sh -c 'while :; do :; done' & }
# From the note, without a program: whoever looks must leave CPU 1 idle.
value() {
	v=
	for note in /tmp/state/*.job; do
		while read -r key rest; do [ "$key" = "$1" ] && v=$rest; done 2>/dev/null <"$note"
	done
}
fail() { echo "FAILED: $*"; "$berth" status --state /tmp/state --format json; exit 1; }
until_is() { # NAME EXPRESSION OF v: up to about 20 s
	for _ in $(seq 50); do
		value "$1"
		[ -n "$v" ] && eval "[ $2 ]" && return
		sleep 0.4
	done
	fail "$1 is \"$v\", not [ $2 ]"
}

# At home on 0. Two tasks begin while its berth sleeps for a second: the trigger wakes it.
mkfifo /tmp/go
"$berth" run --state /tmp/state --engine user --prefer 0 --allow 0-1 -- sh -c '
	read _ </tmp/go
	sh -c "while :; do :; done" & sh -c "while :; do :; done" & wait' &
berth_pid=$!
until_is now '"$v" = 0'
until_is engine '"$v" = user'
until_is held_by '"$v" = "cpuset v2"'
ls -l /proc/$berth_pid/fd | grep -q 'berth-.*/cpu.pressure' || fail "no trigger of its group"
sleep 12.5 # that there were looks is noted every ten seconds, at the next one
value looks
looks=$v
sleep 12.5
value looks
[ $((v - looks)) -le 10 ] || fail "$v looks at a quiet job, $looks before"
echo go >/tmp/go
until_is spilled '"$v" -ge 1'
until_is now '"$v" = 0-1'

# Its owner wakes on 1, and keeps it.
spin 1
owner=$!
until_is evicted '"$v" -ge 1'
kill $owner
value spilled
spilled=$v
until_is spilled "\"\$v\" -gt $spilled"

# The borrowed CPU goes and comes.
for _ in 1 2 3 4 5; do
	echo 0 >$cpu || fail "cpu1 cannot go offline"
	sleep 0.1
	echo 1 >$cpu
done
echo 0 >$cpu
until_is now '"$v" = 0'
echo 1 >$cpu
value spilled
spilled=$v
until_is spilled "\"\$v\" -gt $spilled"
kill -TERM $berth_pid
wait $berth_pid
[ $? = 143 ] || fail "ended by something else"

# The preferred CPU goes: it runs where it may; it comes: home again.
"$berth" run --state /tmp/state --engine user --prefer 1 --allow 0-1 -- sleep 100 &
berth_pid=$!
until_is now '"$v" = 1'
echo 0 >$cpu
until_is now '"$v" = 0'
echo 1 >$cpu
until_is now '"$v" = 1'
kill -TERM $berth_pid
wait $berth_pid
"$berth" run --state /tmp/state --prefer 0 --spill-at hard -- true || fail "not again"
echo 0 >$cpu
"$berth" run --state /tmp/state --prefer 1 true 2>/tmp/err && fail "an offline CPU was taken"
grep -q 'CPU 1 is offline or does not exist; online are 0$' /tmp/err || fail "$(cat /tmp/err)"
[ -z "$(ls /tmp/state)" ] || fail "left: $(ls /tmp/state)"
ls -d /sys/fs/cgroup/berth-* 2>/dev/null && fail "a group is left"
echo fine
EOF
lab_run -q --no-model -M 'node:dram:512MiB:cpus=0-1' -- sh "$TMP/guest.sh" "$BERTH" >"$TMP/out" 2>&1 ||
	{ cat "$TMP/out"; exit 1; }
tail -n 1 "$TMP/out" | grep -qx fine || { cat "$TMP/out"; exit 1; }
