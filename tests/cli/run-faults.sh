#!/bin/bash
# SPDX-License-Identifier: MIT
# `berth run` among people who do the unexpected: no permission, a cpuset that leaves less, a group
# that vanishes, masks that somebody else writes, pids that are used again. Only programs and groups
# that this test made.
set -u
state=$TMP/state
cpus=$(taskset -cp $$ | sed 's/.*: //')
first=${cpus%%[-,]*}
last=${cpus##*[-,]}
failures=0

check() { # NAME EXPECTED GOT
	[ "$2" = "$3" ] && return
	echo "$1: expected \"$2\", got \"$3\""
	failures=$((failures + 1))
}
has() { # NAME WORDS TEXT
	case $3 in *"$2"*) ;; *) check "$1" "...$2..." "$3" ;; esac
}
wait_for() { for _ in $(seq 200); do [ -s "$1" ] && break; sleep 0.05; done; }
mask_of() { taskset -cp "$1" | sed 's/.*: //'; }

# As somebody else: nothing may be written where root's journals are; there is a remedy each time.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$BERTH" "$TMP/berth"
	chmod 755 "$TMP/berth"
	chmod 711 "$TMP"
	mkdir -m 755 "$TMP/root"
	other() { setpriv --reuid 65534 --regid 65534 --clear-groups env -u XDG_RUNTIME_DIR "$@"; }
	if other "$TMP/berth" --version >/dev/null 2>&1; then
		text=$(other "$TMP/berth" run --prefer "$first" true 2>&1); check "no directory" 1 $?
		has "no directory" "--state" "$text"
		text=$(other "$TMP/berth" run --state "$TMP/root" --prefer "$first" true 2>&1)
		check "root's directory" 4 $?
		has "root's directory" "belongs to somebody else" "$text"
		text=$(other "$TMP/berth" run --state "$TMP/root/new" --prefer "$first" true 2>&1)
		check "not writable" 4 $?
		# It works with a directory of one's own, by the affinity of threads.
		install -d -o 65534 -g 65534 "$TMP/own"
		check "own directory" "$first" "$(other "$TMP/berth" run --state "$TMP/own" --prefer "$first" \
			--spill-at hard -- sh -c 'sed -n "s/^Cpus_allowed_list:.//p" /proc/self/status')"
		# A program that became another user's: its mask cannot be put back without CAP_SYS_NICE.
		cp "$(command -v sleep)" "$TMP/sleep"
		chmod 4755 "$TMP/sleep"
		other "$TMP/berth" run --no-cgroup --state "$TMP/own" --prefer "$first" -- sh -c \
			'echo $$; exec "$0" 100' "$TMP/sleep" >"$TMP/pid" &
		pid=$!
		wait_for "$TMP/pid"
		program=$(cat "$TMP/pid")
		for _ in $(seq 100); do
			[ "$(cat "/proc/$program/comm")" = sleep ] && break
			sleep 0.05
		done
		if [ "$(stat -c %u "/proc/$program")" = 0 ] && [ "$first" != "$cpus" ]; then
			kill -9 "$(sed -n 's/^PPid:.//p' "/proc/$program/status")"
			wait $pid 2>/dev/null
			text=$(other "$TMP/berth" restore --state "$TMP/own" 2>&1)
			check "without CAP_SYS_NICE" 4 $?
			has "without CAP_SYS_NICE" "CAP_SYS_NICE" "$text"
			check "still there" "$first" "$(mask_of "$program")"
			chown -R 0:0 "$TMP/own"
			"$BERTH" restore --state "$TMP/own" >/dev/null
			check "with it" "$cpus" "$(mask_of "$program")"
			check "nothing left" "" "$(ls "$TMP/own")"
		fi
		kill "$program"
		wait $pid 2>/dev/null
	fi
fi

# Groups of cpusets, version 1, where this test may make one.
group=/sys/fs/cgroup/cpuset
own=$(sed -n 's/^[0-9]*:cpuset://p' /proc/self/cgroup)
if [ "$first" != "$last" ] && [ "$own" = / ] && [ -w $group/cgroup.procs ]; then
	# What berth's own cpuset leaves is the limit, and is named.
	mine=$group/test-of-berth-$$
	mkdir "$mine"
	cat $group/cpuset.mems >"$mine/cpuset.mems"
	echo "$first" >"$mine/cpuset.cpus"
	text=$(echo $BASHPID >"$mine/cgroup.procs"
		"$BERTH" run --state "$state" --prefer "$last" true 2>&1
		echo "status $?")
	has "cpuset's limit" "what the cpuset $mine leaves to berth: $first" "$text"
	has "cpuset's limit" "status 2" "$text"
	for _ in $(seq 100); do rmdir "$mine" 2>/dev/null && break; sleep 0.05; done
	[ ! -d "$mine" ] || check "our group" "removed" "still there"

	# A group that vanishes under a job: the program goes on, its status comes back, nothing is left.
	"$BERTH" run --state "$state" --prefer "$first" -- sh -c 'echo $$; sleep 1; exit 5' >"$TMP/pid" &
	pid=$!
	wait_for "$TMP/pid"
	for job in "$group"/berth-$pid-*; do
		for _ in $(seq 50); do
			while read -r member; do echo "$member" >$group/cgroup.procs; done <"$job/cgroup.procs"
			rmdir "$job" 2>/dev/null && break
		done
		[ ! -d "$job" ] || check "the job's group" removed "still there"
	done
	wait $pid
	check "vanished group" 5 $?
	check "vanished group" "" "$(ls "$state")"
fi

# Somebody else's mask stays, while the job runs and after it.
if [ "$first" != "$last" ]; then
	"$BERTH" run --no-cgroup --state "$state" --prefer "$first" -- sh -c \
		'echo $$; trap exit TERM; sleep 100 & wait' >"$TMP/pid2" &
	pid=$!
	wait_for "$TMP/pid2"
	program=$(cat "$TMP/pid2")
	taskset -cp "$last" "$program" >/dev/null
	sleep 0.3
	check "somebody's mask" "$last" "$(mask_of "$program")"
	kill -9 $pid
	wait $pid 2>/dev/null
	text=$("$BERTH" restore --state "$state")
	check "somebody's mask is left alone" "$last" "$(mask_of "$program")"
	pkill -P "$program" sleep
	kill "$program" 2>/dev/null
fi

# A program of ten thousand threads, or of as many as may be started here: all are at home, its status
# comes back, and nothing is left.
cat >"$TMP/threads.py" <<'EOF'
import os, sys, threading
threading.stack_size(65536)
over, started = threading.Event(), 0
try:
    for started in range(1, 10001):
        threading.Thread(target=over.wait, daemon=True).start()
except RuntimeError:
    pass
allowed = {frozenset(os.sched_getaffinity(int(tid))) for tid in os.listdir("/proc/self/task")}
print(len(os.listdir("/proc/self/task")) > 100 and allowed == {frozenset([int(sys.argv[1])])})
sys.stdout.flush()
os._exit(6)
EOF
text=$("$BERTH" run --state "$state" --prefer "$first" --spill-at hard -- \
	/usr/bin/python3 "$TMP/threads.py" "$first" 2>"$TMP/err")
check "ten thousand threads end" 6 $?
check "ten thousand threads" True "$text"
check "ten thousand threads leave" "" "$(ls "$state")"

# Pids that are used again, of berth and of its program: in a pid namespace of its own where the next
# pid can be chosen. The new owners of the numbers are neither berth nor its program.
cat >"$TMP/inside.sh" <<'EOF'
berth=$1 state=$2 first=$3 cpus=$4
next() { echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; }
"$berth" run --no-cgroup --state "$state" --prefer "$first" -- sleep 100 &
pid=$!
for _ in $(seq 200); do ls "$state"/*.job >/dev/null 2>&1 && break; sleep 0.05; done
program=$(sed -n 's/^pid //p' "$state"/*.job)
kill -9 "$pid" "$program"
wait "$pid" 2>/dev/null
while [ -d "/proc/$program" ]; do sleep 0.05; done
sleep 0.05 # start times are counted in hundredths of a second
next "$pid" || exit 77
taskset -c "$first" sleep 100 &
again=$!
next "$program"
taskset -c "$first" sleep 100 &
program_again=$!
[ "$again" = "$pid" ] && [ "$program_again" = "$program" ] || exit 77
text=$("$berth" restore --state "$state") || exit 1
echo "$text"
for number in $again $program_again; do
	[ "$(taskset -cp "$number" | sed 's/.*: //')" = "$first" ] || { echo "$number was touched"; exit 1; }
done
case $text in *"still running"*) exit 1 ;; esac
[ -z "$(ls "$state")" ]
EOF
text=$(unshare -p -f --mount-proc bash "$TMP/inside.sh" "$BERTH" "$state" "$first" "$cpus" 2>&1)
status=$?
case $text in *unshare:*) status=77 ;; esac
[ $status = 77 ] || check "pids used again: $text" 0 $status
[ $status = 77 ] && echo "pids cannot be chosen here" && rm -rf "$state"

[ $failures = 0 ]
