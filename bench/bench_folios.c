/* SPDX-License-Identifier: MIT */
/*
 * What 2 MiB take to move between nodes 0 (fast) and 1 (slow), as 512 single pages and as one huge
 * folio, and what it takes to make the one of the other where they are: why berth does not collapse
 * a hot run before it goes up (docs/live.md). Medians of NR_BLOCKS.
 *
 *     node 1: |singles|singles|...   -> node 0                     move_pages, one call each
 *             |singles|singles|...   -> huge, still on node 1      MADV_COLLAPSE
 *             | huge  | huge  |...   -> node 0 -> node 1           move_pages, one entry each
 *
 * Needs two nodes, which the lab has:
 *
 *     berth lab run -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/20GBps' \
 *         --pin 0,1 -P none:thp=madvise -- build/bench/bench_folios
 *
 * and with `cpus=0` and `--time icount` instead of `--pin 0,1` by instruction counts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define NR_BLOCKS   16
#define BLOCK_PAGES 512
#define BLOCK_BYTES ((size_t)BLOCK_PAGES * 4096)
#define STRIDE	    7919 /* frames are not neighbours: pages are touched in another order */
#define BIND	    2	 /* MPOL_BIND */
#define MOVE	    2	 /* MPOL_MF_MOVE */

static char *area; /* 2 x NR_BLOCKS: to move as single pages, and to collapse */
static uint32_t nr_failed;

static void fill(void)
{
	size_t bytes = 2 * NR_BLOCKS * BLOCK_BYTES, nr = bytes / 4096;
	unsigned long slow = 2;
	char *start = mmap(NULL, bytes + BLOCK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED) {
		perror("bench_folios: mmap");
		exit(1);
	}
	area = start + (BLOCK_BYTES - (uintptr_t)start % BLOCK_BYTES) % BLOCK_BYTES;
	madvise(area, bytes, MADV_NOHUGEPAGE);
	if (syscall(SYS_mbind, area, bytes, BIND, &slow, 64, 0)) {
		printf("bench_folios: needs two memory nodes: mbind: %s; berth lab run has them\n",
		       strerror(errno));
		exit(0);
	}
	for (size_t i = 0; i < nr; i++)
		area[i * STRIDE % nr * 4096] = 1;
	/* The policy is no more in the way. */
	syscall(SYS_mbind, area, bytes, 0, NULL, 0, 0);
}

static bool move(char *block, uint32_t nr_pages, int node)
{
	void *pages[BLOCK_PAGES];
	int nodes[BLOCK_PAGES], status[BLOCK_PAGES];
	for (uint32_t i = 0; i < nr_pages; i++) {
		pages[i] = block + (size_t)i * 4096;
		nodes[i] = node;
		status[i] = -1;
	}
	bool is_done = syscall(SYS_move_pages, 0, nr_pages, pages, nodes, status, MOVE) == 0;
	for (uint32_t i = 0; i < nr_pages; i++)
		is_done &= status[i] == node;
	return is_done;
}

static bool singles_up(char *block)
{
	return move(block, BLOCK_PAGES, 0);
}
static bool huge_up(char *block)
{
	return move(block, 1, 0);
}
static bool huge_down(char *block)
{
	return move(block, 1, 1);
}

static bool collapse(char *block)
{
	madvise(block, BLOCK_BYTES, MADV_HUGEPAGE);
	return madvise(block, BLOCK_BYTES, MADV_COLLAPSE) == 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

static void measure(const char *name, char *blocks, bool (*act)(char *block))
{
	uint64_t took_ns[NR_BLOCKS];
	uint32_t nr_before = nr_failed;
	for (size_t i = 0; i < NR_BLOCKS; i++) {
		uint64_t begin_ns = clock_now_ns();
		nr_failed += !act(blocks + i * BLOCK_BYTES);
		took_ns[i] = clock_now_ns() - begin_ns;
	}
	qsort(took_ns, NR_BLOCKS, sizeof(*took_ns), compare);
	bench_tell(name, (double)took_ns[NR_BLOCKS / 2] / 1e6, " ms");
	if (nr_failed > nr_before)
		bench_remark("failed %u of %u times", nr_failed - nr_before, NR_BLOCKS);
}

int main(void)
{
	fill();
	char *others = area + NR_BLOCKS * BLOCK_BYTES;
	measure("512 single pages go up", area, singles_up);
	measure("512 single pages become a huge page (MADV_COLLAPSE)", others, collapse);
	measure("a huge folio goes up", others, huge_up);
	measure("a huge folio goes down", others, huge_down);
	return nr_failed > 0;
}
