#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sweep and bad input: one clear sentence with its place, the documented exit code, nothing
# run; a file that is not ours stays as it is; a kill, a second sweep and a full disk lose nothing.
set -u
R=$TOP/tests/golden/sim
status=0
bad() { echo "$*"; status=1; }
cp "$R/phases.berth" "$R/lives.berth" "$TMP" || exit 1
db=$TMP/results.db

expect() { # STATUS PATTERN arguments...
	want=$1 pattern=$2
	shift 2
	timeout 120 "$BERTH" sweep "$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	[ $got = "$want" ] || bad "$*: exit $got, not $want: $(cat "$TMP/err")"
	grep -q -- "$pattern" "$TMP/err" || bad "$*: no '$pattern' in: $(cat "$TMP/err")"
	[ -s "$TMP/out" ] && bad "$*: said on stdout: $(cat "$TMP/out")"
}

# grid STATUS PATTERN LINES: what is wrong is refused before a results file is made.
grid() {
	printf '%b' "$3" >"$TMP/bad.ini"
	expect "$1" "$2" "$TMP/bad.ini" -o "$TMP/never.db"
	[ "$(wc -l <"$TMP/err")" = 1 ] || bad "not one sentence: $(cat "$TMP/err")"
	[ -e "$TMP/never.db" ] && bad "a results file was made for: $3" && rm "$TMP/never.db"
}

tail='[recordings]\na = phases.berth\n[policy linux-none]\n'
grid 2 'bad.ini:1:1: .*no section .swepp.; did you mean sweep' '[swepp]\n'
grid 2 'bad.ini:2:1: .*no key .dilat.; did you mean dilate. there are machine' '[sweep]\ndilat = 3\n'
grid 2 'bad.ini:2:14: .x. is no seed' '[sweep]\nseed =  1, 2,x\n'"$tail"
grid 2 'bad.ini:2:11: .*twice' '[sweep]\nseed = 1, 1\n'"$tail"
grid 2 'bad.ini:2:13: .120%. is no size' '[sweep]\nfast = 50%, 120%\n'"$tail"
grid 2 'bad.ini:3:3: .*1:0:3' '[sweep]\nfast = 1:2\n  1:0:3\n'"$tail"
grid 2 'bad.ini:2:10: a value is missing' '[sweep]\nfast = 1,\n'"$tail"
grid 2 'bad.ini:3:1: .dilate. is given twice' '[sweep]\ndilate = 1\ndilate = 2\n'"$tail"
grid 2 'dilate and span are two ways' '[sweep]\ndilate = 1\nspan = 2s\n'"$tail"
grid 2 'dilate = 0 is not understood' '[sweep]\ndilate = 0\n'"$tail"
grid 2 'bad.ini:2:8: span = 12 ' '[sweep]\nspan = 12\n'"$tail"
grid 2 'bad.ini:2:8: tick = soon ' '[sweep]\ntick = soon\n'"$tail"
grid 2 'too short' '[sweep]\nspan = 1000000s\n'"$tail"
grid 2 'bad.ini:2:11: .*no such kernel' '[sweep]\nkernel =  optimal\n'"$tail"
grid 2 'bad.ini:2:8: cost: .*did you mean store' '[sweep]\ncost = stor=3\n'"$tail"
grid 2 'bad.ini:2:11: ' '[sweep]\nmachine = node:dram:0@80ns:cpus=0\n'"$tail"
grid 1 'bad.ini:2:11: ' '[sweep]\nmachine = absent.xml\n'"$tail"
grid 2 'bad.ini:1:1: .a. stands before any heading' 'a = b\n'
grid 2 'names no recording' '[sweep]\n'
grid 2 'names no policy' '[recordings]\na = phases.berth\n'
grid 2 'bad.ini:4:1: .*did you mean linux-none' '[recordings]\na = phases.berth\n\n[policy linux-nnoe]\n'
grid 2 'bad.ini:4:8: .*no such policy' '[recordings]\na = phases.berth\n[policy p]\nspec = xyzzy\n'
grid 2 'bad.ini:4:1: .*no key .idl.; did you mean idle. there are touches' \
	'[recordings]\na = phases.berth\n[policy recency]\nidl = 3\n'
grid 2 'bad.ini:4:11: .*idle=x' '[recordings]\na = phases.berth\n[policy recency]\nidle = 1, x\n'
grid 2 'spec says .idle. already' \
	'[recordings]\na = phases.berth\n[policy p]\nspec = recency:idle=3\nidle = 4\n'
grid 2 'only an agent runs above a kernel' \
	'[recordings]\na = phases.berth\n[policy linux-none]\nkernel = interleave\n'
grid 2 'already' '[recordings]\na = phases.berth\n[policy recency]\n[policy recency]\n'
grid 2 'two recordings are named .a' '[recordings]\na = phases.berth\na = lives.berth\n[policy optimal]\n'
grid 1 'bad.ini:2:5: .*no such file' '[recordings]\na = absent.berth\n[policy optimal]\n'
grid 1 'bad.ini:2:5: .*no such file' '[recordings]\na = absent-*.berth\n[policy optimal]\n'
grid 1 'bad.ini:2:5: a: ' '[recordings]\na = bad.ini\n[policy optimal]\n'
grid 2 'bad.ini:2:1: neither' '[sweep]\nnonsense\n'
grid 2 'bad.ini:1:1: a heading ends' '[sweep\n'
grid 2 'bad.ini:1:3: a heading begins' '  [sweep]\n'
grid 2 'NUL' '[sweep]\n\0\n'
grid 1 'longer than 190' "[sweep]\nmachine = $(printf '%0200d' 0)\n"
head -c 2000000 /dev/zero | tr '\0' ';' >"$TMP/huge.ini"
expect 1 'at most 1 MiB' "$TMP/huge.ini"
grid 1 'longer than 190' "$(head -c 5000 /dev/zero | tr '\0' 'x')"
{
	printf '[recordings]\na = phases.berth\n[policy recency]\n'
	for key in touches window idle share; do
		printf '%s = 1' "$key"
		for n in $(seq 2 40); do printf ',\n %d' "$n"; done
		echo
	done
} >"$TMP/many.ini"
expect 2 '' "$TMP/many.ini"
expect 2 'usage: berth sweep'
expect 2 'not both' "$TMP/bad.ini" --show "$db"
expect 2 'choose what --show' "$TMP/bad.ini" --fast 1:2
expect 2 'too many; write 1 to' "$TMP/bad.ini" -j 1000
expect 1 'No such file' "$TMP/absent.ini"
expect 1 'No such file' --show "$TMP/absent.db"

# The grid of what follows.
cat >"$TMP/grid.ini" <<'G'
[sweep]
dilate = 10
fast = 50%, 1:2, 1:8
seed = 1, 2, 3
[recordings]
phases = phases.berth
lives = lives.berth
[policy linux-none]
[policy recency]
idle = 4, 8, 16, 32, 64, 128
[policy optimal]
G
rows() { sqlite3 "$1" 'SELECT recording, spec, kernel, fast, seed, time_ns, command FROM runs
	ORDER BY 1, 2, 3, 4, 5'; }
total=144
"$BERTH" sweep "$TMP/grid.ini" -o "$TMP/whole.db" 2>"$TMP/err" || bad "whole: $(cat "$TMP/err")"
rows "$TMP/whole.db" >"$TMP/whole.rows"
[ "$(wc -l <"$TMP/whole.rows")" = $total ] || bad "whole: not $total rows"

# Files that are not ours: refused and left alone, by sweep and by --show.
echo 'not a database' >"$TMP/text.db"
sqlite3 "$TMP/other.db" 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
sqlite3 "$TMP/newer.db" 'PRAGMA application_id=1114788968; PRAGMA user_version=99'
mkdir "$TMP/folder.db"
for name in text other newer; do
	cp "$TMP/$name.db" "$TMP/$name.before"
	want=1 words='not a file of sweep results'
	[ $name = newer ] && want=3 words='newer berth'
	expect $want "$words" "$TMP/grid.ini" -o "$TMP/$name.db"
	expect $want "$words" --show "$TMP/$name.db"
	cmp "$TMP/$name.db" "$TMP/$name.before" || bad "$name.db was written to"
done
expect 1 'directory' "$TMP/grid.ini" -o "$TMP/folder.db"
expect 1 'No such file' "$TMP/grid.ini" -o "$TMP/no/results.db"
expect 1 'not a file of sweep results' --show "$TMP/folder.db"
: >"$TMP/empty.db"
expect 1 'not a file of sweep results' --show "$TMP/empty.db"
"$BERTH" sweep --show "$TMP/whole.db" >/dev/full 2>"$TMP/err"
[ $? = 1 ] && grep -q 'No space left' "$TMP/err" || bad "full stdout: $(cat "$TMP/err")"
expect 1 'no simulation fits' --show "$TMP/whole.db" --recording 'x*'
head -c 9000 "$TMP/whole.db" >"$TMP/half.db"
timeout 60 "$BERTH" sweep --show "$TMP/half.db" >"$TMP/out" 2>"$TMP/err"
[ $? = 1 ] && grep -q 'damaged' "$TMP/err" || bad "half a file: $(cat "$TMP/err")"

# Killed at any moment: what was committed stays, the same command makes the rest, the end is the
# same; no worker is left behind.
for delay in 0.05 0.15 0.3; do
	"$BERTH" sweep "$TMP/grid.ini" -j 2 -o "$db" 2>"$TMP/err" &
	sweep=$!
	sleep $delay
	workers=$(cat /proc/$sweep/task/$sweep/children 2>/dev/null || true)
	kill -9 $sweep 2>/dev/null
	wait $sweep 2>/dev/null
	sleep 0.1
	for worker in $workers; do
		grep -qs '^State:.*[RSD] ' /proc/$worker/status && grep -qs sweep /proc/$worker/cmdline &&
			bad "worker $worker outlives its sweep"
	done
done
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || bad "after kills: $(cat "$TMP/err")"
rows "$db" | cmp - "$TMP/whole.rows" || bad "after kills the rows differ"

# Ctrl-C: exit 5, says how to go on; and going on ends with the same rows.
rm -f "$db"
"$BERTH" sweep "$TMP/grid.ini" -j 1 -o "$db" 2>"$TMP/err" &
sweep=$!
for try in $(seq 100); do
	[ "$(sqlite3 "$db" 'SELECT count(*) > 0 FROM recordings' 2>/dev/null)" = 1 ] && break
	sleep 0.05
done
kill -TERM $sweep
wait $sweep
got=$?
if [ $got = 5 ]; then
	grep -q "to go on: berth sweep $TMP/grid.ini -o $db" "$TMP/err" || bad "stopped: $(cat "$TMP/err")"
elif [ $got != 0 ]; then # 0: it was faster than the signal
	bad "stopped: exit $got: $(cat "$TMP/err")"
fi
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || bad "after a stop: $(cat "$TMP/err")"
rows "$db" | cmp - "$TMP/whole.rows" || bad "after a stop the rows differ"

# Another sweep on the same file: refused, and the first is not disturbed; looking is fine.
exec 8<>"$db"
flock -n 8 || bad "cannot lock"
expect 1 'another sweep is writing' "$TMP/grid.ini" -o "$db"
"$BERTH" sweep --show "$db" >"$TMP/out" || bad "--show while a sweep writes: exit $?"
exec 8<&-

# A full disk, by a limit on files (in blocks of 512 bytes): clear, and what was written is safe.
rm -f "$db"
(ulimit -f 200; exec "$BERTH" sweep "$TMP/grid.ini" -j 1 -o "$db") >"$TMP/out" 2>"$TMP/err"
got=$?
[ $got = 1 ] && grep -q 'The rows written before are safe' "$TMP/err" ||
	bad "full disk: exit $got: $(cat "$TMP/err")"
[ "$(sqlite3 "$db" 'PRAGMA integrity_check')" = ok ] || bad "full disk: the file is damaged"
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || bad "after a full disk: $(cat "$TMP/err")"
rows "$db" | cmp - "$TMP/whole.rows" || bad "after a full disk the rows differ"

# And a file system that is full, where one may be mounted that nobody else sees.
cat >"$TMP/full.sh" <<'S'
mount -t tmpfs -o size=96k none "$2" 2>/dev/null || exit 77
"$1" sweep "$3" -j 1 -o "$2/results.db" 2>"$2.err"
echo $? >"$2.status"
sqlite3 "$2/results.db" 'PRAGMA integrity_check' >"$2.check"
S
mkdir "$TMP/full"
if unshare -m sh "$TMP/full.sh" "$BERTH" "$TMP/full" "$TMP/grid.ini" 2>/dev/null; then
	[ "$(cat "$TMP/full.status")" = 1 ] && grep -q 'the disk is full' "$TMP/full.err" ||
		bad "full file system: $(cat "$TMP/full.status" "$TMP/full.err")"
	[ "$(cat "$TMP/full.check")" = ok ] || bad "full file system: the file is damaged"
fi

# A machine that is too small: the row says why, the others have figures, exit 5.
cat >"$TMP/small.ini" <<'G'
[sweep]
machine = node:dram:40KiB@80ns/100GBps:cpus=0 node:cxl:40KiB@250ns/30GBps
[recordings]
phases = phases.berth
[policy linux-none]
[policy all-slow]
G
expect 5 '1 rows have no figures but a reason' "$TMP/small.ini" -o "$TMP/small.db"
[ "$(sqlite3 "$TMP/small.db" "SELECT group_concat(spec || (error IS NULL)) FROM
	(SELECT * FROM runs ORDER BY spec)")" = 'all-slow1,linux-none0' ] || bad "small machine"
expect 5 'has 2 of them already' "$TMP/small.ini" -o "$TMP/small.db"

# A cut recording: figures of what is there, a note, exit 5.
head -c 15000 "$R/lives.berth" >"$TMP/lives.berth"
expect 5 'lives: .*cut off' "$TMP/grid.ini" -o "$db"
[ "$(sqlite3 "$db" "SELECT count(*) FROM runs WHERE recording = 'lives' AND note LIKE '%cut%'")" = 72 ] ||
	bad "cut recording: no note"
exit $status
