#!/bin/sh
# SPDX-License-Identifier: MIT
# However a recording ends, what was recorded is whole: Ctrl-C, kill -9, a time limit, a full disk,
# a daemon left behind, a file size limit.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
field() { "$BERTH" info --format json "$1" | sed -n "s/^ *\"$2\": \([0-9]*\),*$/\1/p"; }

cat >busy.c <<'C'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Goes over 4 MiB in odd steps, saying every round that it lives. */
int main(int argc, char **argv)
{
	size_t size = 4 << 20, at = 0;
	volatile char *area = malloc(size);
	for (long i = 0; i < atol(argv[1]); i++) {
		area[at = (at * 5 + 4097 * 13 + (size_t)i) % size]++;
		if (i % 1000000 == 0 && write(1, ".", 1) < 0)
			return 1;
	}
	return 0;
}
C
gcc -O1 -static -o busy busy.c

whole() {
	[ ! -e "$1.part" ] || fail "$1: a part was left"
	[ "$(field "$1" nr_accesses)" -ge 50000 ] || fail "$1: $(field "$1" nr_accesses) accesses"
	"$BERTH" info "$1" | grep -q '^complete *yes' || fail "$1: not whole"
}
# wait_for_output FILE: the guest has begun
wait_for_output() {
	for i in $(seq 200); do
		[ ! -s "$1" ] || return 0
		sleep 0.1
	done
	fail "the guest does not begin"
}

# Ctrl-C goes to the whole process group, as from a terminal.
/usr/bin/python3 - "$BERTH" <<'P'
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has it ignored
out = open("out", "wb")
child = subprocess.Popen([sys.argv[1], "record", "-o", "c.berth", "--", "./busy", "1000000000"],
                         stdout=out, start_new_session=True)
end = time.monotonic() + 30
while os.path.getsize("out") < 2 and time.monotonic() < end:
    time.sleep(0.05)
os.killpg(child.pid, signal.SIGINT)
status = child.wait(60)
assert status == 130, status
P
whole c.berth

# The guest is killed.
: >out
"$BERTH" record -o k.berth -- ./busy 1000000000 >out &
berth=$!
wait_for_output out
sleep 0.5
guest=$(cat /proc/$berth/task/$berth/children)
kill -9 $guest
status=0
wait $berth || status=$?
[ "$status" = 137 ] || fail "kill -9: status $status"
whole k.berth

# Too much time.
status=0
"$BERTH" record -o t.berth --time-limit 2s -- ./busy 1000000000 >out 2>err || status=$?
[ "$status" = 143 ] || fail "time limit: status $status"
grep -q 'time-limit' err || fail "time limit: said $(cat err)"
whole t.berth

# What goes on after the program ended is recorded to its end.
"$BERTH" record -o d.berth -- /bin/sh -c '(./busy 2000000 >/dev/null) & exit 3' >out 2>err &&
	fail "a daemon: status 0" || [ $? = 3 ] || fail "a daemon: $(cat err)"
[ ! -e d.berth.part ] || fail "a daemon: a part was left"

# Native time first; the input is wound back, a pipe is refused.
echo 'select 1+1;' >input
out=$("$BERTH" record -o b.berth --baseline -- sqlite3 :memory: <input 2>err) || fail "$(cat err)"
[ "$out" = 2 ] || fail "baseline: the program said '$out'"
"$BERTH" info b.berth | grep -q '^clock.*measured' || fail "baseline: $("$BERTH" info b.berth)"
status=0
echo 'select 1;' | "$BERTH" record -o b2.berth --baseline -- sqlite3 :memory: 2>err || status=$?
[ "$status" = 2 ] || fail "baseline of a pipe: status $status"

# A full disk.
mkdir -p full
mount -t tmpfs -o size=256k tmpfs full 2>/dev/null || { echo "no tmpfs may be mounted here"; exit 77; }
trap 'umount full' EXIT
status=0
"$BERTH" record -o full/f.berth --stream all -- ./busy 3000000 >out 2>err || status=$?
[ "$status" = 5 ] || fail "full disk: status $status: $(cat err)"
grep -q 'space' err || fail "full disk: said $(cat err)"
[ "$(tr -d -c . <out)" = ... ] || fail "full disk: the program did not go on: $(cat out)"
[ -s full/f.berth ] || fail "full disk: no recording: $(ls -l full)"
"$BERTH" info full/f.berth | grep -q '^complete *yes' || fail "full disk: not whole"
dd if=/dev/zero of=full/rest bs=1k 2>/dev/null || true
status=0
"$BERTH" record -o full/g.berth -- /bin/true 2>err || status=$?
[ "$status" != 0 ] && [ ! -e full/g.berth ] || fail "a disk that is full at the start: $status"
