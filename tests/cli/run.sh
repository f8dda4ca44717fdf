#!/bin/bash
# SPDX-License-Identifier: MIT
# `berth run` and `berth restore`: what passes through, what is refused and how it is said, what is
# undone. Only programs and groups that berth made for this test.
set -u
. "$TOP/tests/cli/common.sh"
run() { "$BERTH" run --state "$state" --prefer "$first" "$@"; }
says() { # NAME STATUS WORDS -- arguments of berth
	local name=$1 status=$2 words=$3 text got
	shift 4
	text=$("$BERTH" "$@" 2>&1)
	got=$?
	check "$name" "$status" "$got"
	case $text in *"$words"*) ;; *) check "$name" "...$words..." "$text" ;; esac
}

# What passes through.
run -- sh -c 'exit 7'; check status 7 $?
run -- sh -c 'kill -9 $$' 2>/dev/null; check signal 137 $?
run -- /nonexistent 2>/dev/null; check missing 127 $?
run -- /etc/passwd 2>/dev/null; check "not a program" 126 $?
check stdin hello "$(echo hello | run -- cat)"
check arguments "a b|--prefer" "$(run -- sh -c 'echo "$1|$2"' sh 'a b' --prefer)"

# Where it runs, by both ways of holding it.
for how in --no-cgroup --engine=user; do
	check "mask with $how" "$first" "$(run --spill-at hard $how -- sh -c \
		'grep Cpus_allowed_list /proc/self/status' | cut -f 2)"
done
# berth's own looks cost time at home only.
check "berth's own mask" "$first" "$(run -- sh -c 'grep Cpus_allowed_list /proc/$PPID/status' | cut -f 2)"
# A mask that the program chose is left alone (it narrowed itself to all of its CPUs: the same).
last=${cpus##*[-,]}
check "own choice" "$last" "$(run --no-cgroup -- sh -c "taskset -cp $last \$\$ >/dev/null; sleep 0.3
	taskset -cp \$\$" | sed 's/.*: //')"

# A cpuset that somebody else rewrote (here: the program) is left alone; only where we have groups.
group=/sys/fs/cgroup/cpuset
if [ "$first" != "$last" ] && [ -w $group/cgroup.procs ]; then
	text=$(run -- sh -c '
		own=$(sed -n "s/^[0-9]*:cpuset://p" /proc/self/cgroup)
		case $own in */berth-*) ;; *) exit 77 ;; esac
		echo '"$last"' >'$group'$own/cpuset.cpus && sleep 0.2 && cat '$group'$own/cpuset.cpus')
	[ $? = 77 ] || check "rewritten cpuset" "$last" "$text"
fi

# A signal that was sent to berth reaches the program.
"$BERTH" run --state "$state" --prefer "$first" -- sh -c 'trap "exit 33" TERM; echo ready; while :; do sleep 0.05; done' >"$TMP/ready" &
pid=$!
for _ in $(seq 200); do [ -s "$TMP/ready" ] && break; sleep 0.05; done
kill -TERM $pid; wait $pid; check "passed on SIGTERM" 33 $?

# Ctrl-C of a terminal reaches the program, and once: berth does not send it again.
cat >"$TMP/terminal.py" <<'EOF'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
text, is_sent = b"", False
while True:
    try:
        more = os.read(terminal, 1000)
    except OSError:  # the last one has closed it
        break
    if not more:
        break
    text += more
    if b"ready" in text and not is_sent:
        is_sent = True
        os.write(terminal, b"\x03")
print(text.count(b"caught"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
cat >"$TMP/counts.py" <<'EOF'
import os, signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda number, frame: seen.append(os.write(1, b"caught ")))
os.sched_setaffinity(0, [int(sys.argv[1])])  # not where berth is, and awake: caught before berth knows
os.write(1, b"ready ")
while not seen:
    pass
time.sleep(0.5)
sys.exit(9)
EOF
check "Ctrl-C" "1 9" "$(timeout 60 /usr/bin/python3 "$TMP/terminal.py" "$BERTH" run --no-cgroup --state "$state" \
	--prefer "$first" -- /usr/bin/python3 "$TMP/counts.py" "${cpus##*[-,]}")"

# What is refused.
says "no prefer" 2 "--prefer 0-3" -- run true
says "bad list" 2 "not a list of CPUs" -- run --prefer x true
says "unknown CPU" 2 "CPU 4095 is offline or does not exist; online are" -- run --prefer 4095 true
if [ "$first" != "${cpus##*[-,]}" ]; then
	says "not within" 2 "is not within --allow" -- \
		run --prefer "$first" --allow "${cpus##*[-,]}" true
fi
says "unknown CPU allowed" 2 "--allow: CPU 4094" -- run --prefer "$first" --allow "$first,4094" true
says "spill-at" 2 "0 to 100, or hard" -- run --prefer "$first" --spill-at 101 true
says "engine" 3 "--engine user" -- run --prefer "$first" --engine scx true
says "no program" 2 "" -- run --prefer "$first"
if [ "$first" != "$last" ]; then
	text=$(taskset -c "$first" "$BERTH" run --state "$state" --prefer "$last" true 2>&1)
	check "limit" 2 $?
	case $text in *"(taskset): $first"*) ;; *) check limit "names taskset" "$text" ;; esac
fi
mkdir -p "$TMP/open"; chmod 777 "$TMP/open"
says "open directory" 4 "others may write there" -- run --state "$TMP/open" --prefer "$first" true

# Many threads or processes of the program end well.
check forks 0 "$(run -- sh -c 'for i in $(seq 200); do sleep 0.2 & done; wait'; echo $?)"

# Nothing is left; a killed berth's program is let go by restore.
check "nothing left" "" "$(ls "$state")"
for how in --no-cgroup --engine=user; do
	"$BERTH" run --state "$state" --prefer "$first" $how -- sh -c 'echo $$; exec sleep 100' >"$TMP/pid" &
	pid=$!
	for _ in $(seq 200); do [ -s "$TMP/pid" ] && break; sleep 0.05; done
	program=$(cat "$TMP/pid"); : >"$TMP/pid"
	# The program may speak before berth has told of it.
	for _ in $(seq 200); do [ "$("$BERTH" status --state "$state")" != "no jobs" ] && break; sleep 0.05; done
	# On a busy machine it may have waited, and be on its way home yet.
	for _ in $(seq 200); do "$BERTH" status --state "$state" --format json | grep -q '"now": "'"$first"'",' && break; sleep 0.05; done
	says "status" 0 '"now": "'"$first"'",' -- status --state "$state" --format json
	says "status in text" 0 "sh" -- status --state "$state"
	says "running" 0 "1 still running" -- restore --state "$state"
	kill -9 $pid; wait $pid 2>/dev/null
	says "restore $how" 0 "1 restored" -- restore --state "$state"
	check "mask after $how" "$cpus" "$(taskset -cp "$program" | sed 's/.*: //')"
	check "groups after $how" "$(cat /proc/self/cgroup)" "$(cat "/proc/$program/cgroup")"
	kill "$program"
	check "nothing left" "" "$(ls "$state")"
done
says "no jobs" 0 "no jobs" -- status --state "$state"
says "again" 0 "nothing to restore" -- restore --state "$state"
says "never" 0 '"journals": 0' -- restore --state "$TMP/none" --format json
[ $failures = 0 ]
