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
