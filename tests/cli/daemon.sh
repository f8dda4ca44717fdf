#!/bin/bash
# SPDX-License-Identifier: MIT
# berth daemon without tiers of memory: its CPUs, what it answers, what it refuses, what it undoes.
# Only processes of this test are matched.
set -u
[ "$(nproc)" -ge 2 ] || { echo "two CPUs are needed"; exit 77; }
mask=$(taskset -pc $$) && mask=${mask##*: }
first=${mask%%[,-]*}
last=${mask##*[,-]}
[ "$first" != "$last" ] || { echo "may use one CPU only"; exit 77; }
S=$TMP/state
daemon= ; program= ; other=
trap 'kill $daemon $program $other 2>/dev/null' EXIT
fail() {
	echo "$*"
	cat "$TMP/err" 2>/dev/null
	exit 1
}
cpus_of() { taskset -pc "$1" | sed 's/.*: //'; }
# until CONDITION...: for up to 20 s
until_is() {
	local i
	for i in $(seq 400); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}
has_cpus() { [ "$(cpus_of "$1")" = "$2" ]; }
field() { "$BERTH" status --state "$S" --format json | tr -d ' ,"' | sed -n "s/^$1://p" | head -1; }
is_field() { [ "$(field "$1")" = "$2" ]; }
start() {
	"$BERTH" daemon --config "$TMP/berth.conf" --state "$S" "$@" 2>"$TMP/err" &
	daemon=$!
	until_is test -S "$S/daemon.sock" || fail "no socket"
	until_is is_field pid "$daemon" || fail "it does not answer"
}
end() {
	kill "$daemon" && wait "$daemon" || fail "it ended with status $?"
	daemon=
}

sleep 1000 &
program=$!
sleep 1000 &
other=$!
before=$(cpus_of $program)
config() {
	cat >"$TMP/berth.conf" <<EOF
[Daemon]
DryRun=$1
Engine=user
[Job mine]
Match=pid:$program
PreferCPUs=$first
FastMin=10%
FastMax=50%
EOF
}
refuses() { # STATUS TEXT COMMAND...
	local wanted=$1 text=$2 status=0
	shift 2
	"$BERTH" "$@" >"$TMP/out" 2>&1 || status=$?
	[ $status = "$wanted" ] || fail "berth $*: status $status: $(cat "$TMP/out")"
	grep -q -e "$text" "$TMP/out" || fail "berth $*: not \"$text\" in: $(cat "$TMP/out")"
}

# Nobody there.
refuses 1 'no berth daemon runs' set mine goal=balanced --state "$TMP"
refuses 1 'no berth daemon runs' stop mine --state "$TMP"
refuses 1 'no berth daemon runs' explain mine --state "$TMP"
# Where it was looked for is said, when it was chosen.
refuses 1 "$TMP/none: no berth daemon runs.*does not exist" trial -j mine --metric 'echo 1' --state "$TMP/none"
refuses 1 "$TMP/none: no berth daemon listens there" stop mine --socket "$TMP/none"
printf '[Daemon]\nDryRun=no\nNonsense=1\n' >"$TMP/bad.conf"
refuses 2 'bad.conf:3' daemon --config "$TMP/bad.conf" --state "$S"

# Too few files may be open: said, instead of a daemon that answers nobody.
status=0
(ulimit -n 64 && exec "$BERTH" daemon --config "$TMP/berth.conf" --state "$S") >"$TMP/out" 2>&1 || status=$?
[ $status = 1 ] && grep -q 'LimitNOFILE' "$TMP/out" || fail "ulimit -n 64: status $status: $(cat "$TMP/out")"

# A dry run changes nothing.
config no
start --dry-run
until_is is_field processes 1 || fail "the program is not found"
is_field dry_run true || fail "no dry run"
has_cpus $program "$before" || fail "a dry run has set a mask"
[ "$(wc -l <"$S"/*.journal)" = 1 ] || fail "a dry run has written: $(cat "$S"/*.journal)"
end
config yes
start
until_is is_field processes 1 || fail "the program is not found"
has_cpus $program "$before" || fail "DryRun=yes has set a mask"
end

# In earnest.
config no
start
until_is has_cpus $program "$first" || fail "its mask is $(cpus_of $program)"
has_cpus $other "$before" || fail "a program that is nobody's has been touched"
refuses 1 'another berth daemon' daemon --config "$TMP/berth.conf" --state "$S"
"$BERTH" status --state "$S" | grep -q '^mine  *placed' || fail "status: $("$BERTH" status --state "$S")"

# A scheduler in the kernel, which most kernels do not have: the user engine, and it is said why.
if ! grep -q SCHED_CLASS_EXT=y "/boot/config-$(uname -r)" 2>/dev/null && [ ! -d /sys/kernel/sched_ext ]; then
	sed -i 's/^Engine=.*/Engine=scx/' "$TMP/berth.conf"
	kill -HUP $daemon
	until_is grep -q 'the engine is user' "$TMP/err" || fail "nothing is said of the engine"
	until_is has_cpus $program "$first" || fail "with Engine=scx its mask is $(cpus_of $program)"
	is_field engine user || fail "its engine is $(field engine)"
fi

# berth set: as berth.conf, or nothing changes.
refuses 2 'online are' set mine prefer=999 --state "$S"
refuses 2 'did you mean prefer' set mine prefre=1 --state "$S"
refuses 2 'not one of' set mine goal=fast --state "$S"
refuses 1 'no such job' set nobody goal=balanced --state "$S"
refuses 2 'FastMin' set mine fast-min=60% --state "$S"
refuses 1 'no such job' stop nobody --state "$S"
refuses 1 'no such job' trial -j nobody --metric 'echo 1' --state "$S"
refuses 2 'one of them' trial -j mine -p 1 --metric 'echo 1' --state "$S"
refuses 2 'those of the daemon' trial -j mine --policy berth --state "$S"
refuses 2 'longer than' set mine goal="$(printf '%5000s' x)" --state "$S"
refuses 2 'twice' set mine goal=background goal=balanced --state "$S"
# Of several, one of them wrong: none. What is wrong alone may be right together with another.
refuses 2 'online are' set mine goal=background prefer=999 --state "$S"
refuses 2 'FastMin' set mine goal=background fast-min=60% --state "$S"
is_field goal balanced || fail "a mistake has changed the goal"
has_cpus $program "$first" || fail "a mistake has changed the mask"
"$BERTH" set mine fast-min=60% fast-max=70% goal=background --state "$S" || fail "set: $?"
is_field goal background || fail "the goal is $(field goal)"
"$BERTH" set mine fast-min= fast-max= goal= --state "$S" || fail "set: $?"
is_field goal balanced || fail "taken back, the goal is $(field goal)"
"$BERTH" set mine prefer="$last" --state "$S" || fail "set: $?"
until_is has_cpus $program "$last" || fail "after set its mask is $(cpus_of $program)"
"$BERTH" set mine prefer= --state "$S" || fail "set: $?"
until_is has_cpus $program "$first" || fail "taken back, its mask is $(cpus_of $program)"

# Another user sees no job of others and changes nothing; garbage and many clients do no harm.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$S" "$TMP"
	cp "$BERTH" "$TMP/berth"
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$TMP/berth" "$@"; }
	if as_nobody --version >/dev/null 2>&1; then
		as_nobody status --socket "$S/daemon.sock" >"$TMP/out" 2>&1
		grep -q '^daemon' "$TMP/out" || fail "another user sees: $(cat "$TMP/out")"
		grep -q mine "$TMP/out" && fail "another user sees the job of root"
		for command in 'set mine goal=background' 'stop mine'; do
			status=0
			# shellcheck disable=SC2086
			as_nobody $command --socket "$S/daemon.sock" >"$TMP/out" 2>&1 || status=$?
			[ $status = 4 ] || fail "another user: $command: status $status: $(cat "$TMP/out")"
		done
		as_nobody explain mine --socket "$S/daemon.sock" 2>&1 | grep -q 'no such job' ||
			fail "another user is told of the job"
	fi
fi

# Garbage, clients that stall, and a thousand of them at once: root is answered all the time, nothing
# stays open, and the job is served.
cat >"$TMP/rude.py" <<'END'
import os, socket, sys
path, many = sys.argv[1], []
garbage = [b"\0" * 100 + b"\n", b"\xff\xfe{{{[[[\n", b"x" * 100000, b'{"ask":"status"\n', b"\n" * 5000,
           b'{"ask":' + b"[" * 4000 + b"\n", b'{"ask":"set","job":"mine","key":"Goal"}\n',
           b'{"ask":"set","job":"mine","settings":{"Goal":{"a":1}}}\n', b'{"ask":7}\n', b'[]\n',
           b'{"ask":"trial","job":"mine","value":"off","seconds":"-1"}\n',
           b'{"ask":"trial","job":"mine","value":"off","seconds":"99999999999999999999"}\n',
           b'{"ask":"explain","address":"zz"}\n', os.urandom(3000) + b"\n"]
for i in range(1000):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setblocking(False)
    try:
        client.connect(path)
        if i % 3 == 0:
            client.send(garbage[i // 3 % len(garbage)])
        elif i % 3 == 1:
            client.send(b'{"ask":"status"}\n' * 50)  # and never fetches the answers
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    many.append(client)
    if i >= 200:
        many[i - 200].close()
END
/usr/bin/python3 "$TMP/rude.py" "$S/daemon.sock" &
rude=$!
answered=0
while kill -0 $rude 2>/dev/null; do
	"$BERTH" status --state "$S" >/dev/null 2>&1 && answered=$((answered + 1))
done
wait $rude || fail "the rude clients failed: $?"
until_is is_field state placed || fail "after rude clients: $(field state); answered $answered meanwhile"
is_field goal balanced || fail "rude clients have changed the goal"
has_cpus $program "$first" || fail "rude clients have changed the mask"
has_few_files() { [ "$(ls "/proc/$daemon/fd" | wc -l)" -le 40 ]; }
until_is has_few_files || fail "the daemon keeps $(ls "/proc/$daemon/fd" | wc -l) files open"
[ "$(field hung_up)" -ge 100 ] || fail "$(field hung_up) clients were hung up on"

# Nothing to do: about one wake-up a second, and those of asking.
sleep 3
woken=$(field wakeups)
sleep 5
woken=$(($(field wakeups) - woken))
[ $woken -le 15 ] || fail "$woken wake-ups in 5 s with nothing to do"

# Reading anew: whole or not at all.
echo 'Nonsense=1' >>"$TMP/berth.conf"
kill -HUP $daemon
until_is grep -q 'stays as it was' "$TMP/err" || fail "nothing is said of the mistake"
has_cpus $program "$first" || fail "a mistake in the file has changed the mask"
config no
sed -i "s/^PreferCPUs=.*/PreferCPUs=$last/" "$TMP/berth.conf"
kill -HUP $daemon
until_is has_cpus $program "$last" || fail "read anew, its mask is $(cpus_of $program)"

# A child has the mask, and it is no more its own than its parent's.
"$BERTH" stop mine --state "$S" || fail "stop: $?"
has_cpus $program "$before" || fail "let go, its mask is $(cpus_of $program)"
kill -0 $program || fail "the program has ended"
is_field state stopped || fail "not stopped: $(field state)"
kill -HUP $daemon
until_is has_cpus $program "$last" || fail "taken up again, its mask is $(cpus_of $program)"
end
has_cpus $program "$before" || fail "at the end its mask is $(cpus_of $program)"
[ -z "$(ls "$S")" ] || fail "left behind: $(ls "$S")"

# Killed: the next start undoes it, and so does berth restore.
start
until_is has_cpus $program "$last" || fail "no mask"
kill -9 $daemon
wait $daemon 2>/dev/null
config yes
start
has_cpus $program "$before" || fail "started again, its mask is $(cpus_of $program)"
end
config no
start
until_is has_cpus $program "$first" || fail "no mask"
kill -9 $daemon
wait $daemon 2>/dev/null
daemon=
"$BERTH" restore --state "$S" >"$TMP/out" || fail "restore: $(cat "$TMP/out")"
has_cpus $program "$before" || fail "restored, its mask is $(cpus_of $program)"
exit 0
