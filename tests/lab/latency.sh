#!/bin/sh
# SPDX-License-Identifier: MIT
# The latency model in a real guest, under icount: what it counts repeats within 2 %; phases part
# it; misses belong to the node where a page is, also after the page has moved; a run of lines is
# told from random ones; and boot is not modelled. (What delay lets the guest feel: measure.sh.)
# Runs beside others.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required

# 16 MiB on node 1. Phase 1 reads it at random, phase 2 in order, phase 3 writes it at random; then
# it is moved to node 0, and phase 4 reads it at random again.
cat >"$TMP/walk.c" <<'END'
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lab/marker.h"
enum { BYTES = 16 << 20, LINES = BYTES / 64, PAGES = BYTES / 4096, READS = 200000 };
static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % LINES * 8;
}
int main(void)
{
	static void *pages[PAGES];
	static int to[PAGES], status[PAGES];
	unsigned long mask = 1 << 1;
	uint64_t state = 1, sum = 0, moved = 0;
	volatile uint64_t *words = mmap(0, BYTES, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise((void *)words, BYTES, MADV_NOHUGEPAGE);
	if (syscall(SYS_mbind, words, BYTES, 2, &mask, 64, 0) != 0)
		return 1;
	for (int i = 0; i < BYTES / 8; i++)
		words[i] = 1;
	lab_phase(1);
	for (int i = 0; i < READS; i++)
		sum += words[next(&state)];
	lab_phase(2);
	for (int i = 0; i < BYTES / 8; i++)
		sum += words[i];
	lab_phase(3);
	for (int i = 0; i < READS; i++)
		words[next(&state)] = 2;
	lab_phase(0);
	for (int i = 0; i < PAGES; i++)
		pages[i] = (char *)words + i * 4096;
	if (syscall(SYS_move_pages, 0, (long)PAGES, pages, to, status, 2) != 0)
		return 2;
	for (int i = 0; i < PAGES; i++)
		moved += status[i] == 0;
	lab_phase(4);
	for (int i = 0; i < READS; i++)
		sum += words[next(&state)];
	lab_phase(0);
	return moved == PAGES && sum > 0 ? 0 : 3;
}
END
cc -O2 -static -I"$TOP" -o "$TMP/walk" "$TMP/walk.c" || fail "the guest's program did not compile"

for run in 1 2; do
	lab_run --time icount --format json -o "$TMP/$run.json" \
		-M 'node:dram:512MiB@80ns/100GBps:cpus=0 node:cxl:512MiB@250ns/20GBps' \
		-- "$TMP/walk" || fail "run $run: status $?"
done

/usr/bin/python3 - "$TMP/1.json" "$TMP/2.json" <<'END' || fail "see above"
import json, sys
READS, LINES = 200000, 16 * 1024 * 1024 // 64
KINDS = "load_misses", "store_misses", "sequential_misses"

def counted(path):
    model = json.load(open(path))["model"]
    assert model, "no model"
    cpu, = model["vcpus"]
    found = {("cpu", "instructions"): cpu["instructions"], ("cpu", "accesses"): cpu["accesses"]}
    for phase in cpu["phases"]:
        for node in phase["nodes"]:
            for kind in KINDS:
                found[phase["phase"], node["node"], kind] = node[kind]
    return found

def within(name, value, low, high):
    print("%s: %d, wanted %d to %d" % (name, value, low, high))
    return low <= value <= high

one, two = counted(sys.argv[1]), counted(sys.argv[2])
good = True
for key in sorted(set(one) | set(two), key=str):
    a, b = one.get(key, 0), two.get(key, 0)
    if max(a, b) > 20000:  # below are only the kernel's own now and then
        good &= within("again %s" % (key,), b, a * 0.98, a * 1.02)
# 2 MiB of cache hold an eighth of 16; what is random misses seven times of eight.
at = lambda phase, node, kind: one.get((phase, node, kind), 0)
good &= within("random loads of node 1", at(1, 1, "load_misses"), READS * 0.80, READS * 0.92)
good &= within("in order, node 1", at(2, 1, "sequential_misses"), LINES * 0.95, LINES * 1.02)
good &= within("in order, as random", at(2, 1, "load_misses"), 0, LINES * 0.02)
good &= within("random stores of node 1", at(3, 1, "store_misses"), READS * 0.80, READS * 0.92)
good &= within("moved: loads of node 0", at(4, 0, "load_misses"), READS * 0.80, READS * 0.92)
good &= within("moved: loads of node 1", at(4, 1, "load_misses"), 0, READS * 0.01)
# The move reads every line of node 1 and writes it on node 0.
good &= within("copied from node 1", at(0, 1, "sequential_misses"), LINES * 0.9, LINES * 3.3)
# The program and what the kernel does for it: some 80 million. A boot would be hundreds more.
good &= within("instructions", one["cpu", "instructions"], 40e6, 160e6)
sys.exit(not good)
END
