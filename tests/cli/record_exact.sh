#!/bin/sh
# SPDX-License-Identifier: MIT
# The clock and the number of accesses equal QEMU's own counts; the pages of a known program are
# those that it touched; equal runs make equal recordings.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
yardstick=$BUILD/recorder/libberth-yardstick.so
field() { "$BERTH" info --format json "$1" | sed -n "s/^ *\"$2\": \([0-9]*\),*$/\1/p"; }

cat >known.c <<'C'
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
/* Writes every page of one area twice, reads every second page of another, and says where. */
int main(void)
{
	uint64_t sum = 0;
	volatile char *a = mmap(0, 64 << 12, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *b = mmap(0, 64 << 12, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 64; i++)
			a[i << 12] = (char)i;
	for (int i = 0; i < 64; i += 2)
		sum += (uint64_t)b[i << 12];
	*(volatile uint64_t *)(b + (11 << 12) - 4) = 1; /* across two pages, 10 and 11 */
	printf("%lx %lx %lu\n", (unsigned long)a, (unsigned long)b, (unsigned long)sum);
	return 0;
}
C
gcc -O1 -static -o known known.c

# 1. Counts, in both ways of counting.
for program in ./known '/usr/bin/sqlite3 :memory: .help' '/bin/ls -l /usr/lib'; do
	qemu-x86_64 -0 "${program%% *}" -plugin "$yardstick,count=$TMP/count" $program >/dev/null
	read -r instructions references <count
	"$BERTH" record -o all.berth --stream all -- $program >/dev/null
	"$BERTH" record -o usual.berth -- $program >/dev/null
	for file in all usual; do
		ticks=$(field $file.berth nr_ticks)
		off=$((ticks > instructions ? ticks - instructions : instructions - ticks))
		# What a program does with its pid, its time and its loader's addresses differs a little.
		[ $((off * 100)) -le "$instructions" ] ||
			fail "$program: $file counts $ticks instructions, QEMU $instructions"
	done
	seen=$(field all.berth nr_references)
	off=$((seen > references ? seen - references : references - seen))
	[ $((off * 50)) -le "$references" ] ||
		fail "$program: looked at $seen accesses, QEMU at $references"
done
qemu-x86_64 -0 ./known -plugin "$yardstick,count=$TMP/count" ./known >where
read -r instructions references <count
"$BERTH" record -o usual.berth -- ./known >where
off=$(($(field usual.berth nr_ticks) - instructions))
[ "${off#-}" -le 20 ] || fail "a static program: $(field usual.berth nr_ticks), QEMU counts $instructions"

# Accesses that others of their block stand for lose nothing. (The other name keeps the guest's
# environment, and so its stack, equally long.)
BERTH_RECORD_EXACT_CLOCK=1 "$BERTH" record -o plain.berth -- ./known >where
BERTH_RECORD_EXACT_CLOCX=1 "$BERTH" record -o usual.berth -- ./known >where
for what in nr_misses nr_touches; do
	off=$(($(field usual.berth $what) - $(field plain.berth $what)))
	[ "${off#-}" -le 3 ] || fail "$what: $off more than when every access is looked at"
done

# 2. Pages.
read -r a b sum <where
"$BERTH" convert usual.berth usual.csv
/usr/bin/python3 - "$a" "$b" <<'P'
import csv, sys
a, b = int(sys.argv[1], 16), int(sys.argv[2], 16)
stores, loads, stack = {}, {}, False
for row in csv.DictReader(open("usual.csv")):
    if row["event"] == "map":
        stack |= row["name"] == "[stack]"
    if row["event"] != "access" or "touch" not in row["flags"]:
        continue
    page = int(row["address"], 16)
    kind = stores if "write" in row["flags"] else loads
    kind[page] = kind.get(page, 0) + 1
def inside(kind, start):
    return {(p - start) >> 12: n for p, n in kind.items() if start <= p < start + (64 << 12)}
assert stack, "no stack in the map"
assert inside(stores, a) == {i: 1 for i in range(64)}, inside(stores, a)
assert inside(loads, a) == {}, inside(loads, a)
assert inside(loads, b) == {i: 1 for i in range(0, 64, 2)}, inside(loads, b)
assert inside(stores, b) == {10: 1, 11: 1}, inside(stores, b)
P

# 3. Again, the same pages in the same order (times differ by what random numbers make libc do).
BERTH_RECORD_EXACT_CLOCX=1 "$BERTH" record -o again.berth -- ./known >where
"$BERTH" convert again.berth again.csv
for file in usual again; do grep -v blocked $file.csv | cut -d, -f2- >$file.rows; done
cmp usual.rows again.rows || fail "two runs differ: $(diff usual.rows again.rows | head)"
