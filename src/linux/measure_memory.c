/* SPDX-License-Identifier: MIT */
/*
 * Memory on one node: mapped, bound by mbind(2), touched page by page, and then asked for where it
 * really is, because the status of a kernel call is not the truth.
 *
 *     mapping  |....|########################|......|
 *                   start, on a huge page    nr_bytes: what was touched in time, a power of two
 *
 * Huge pages are asked for, so that a random walk measures memory and not page tables; how much
 * came of that is read from smaps. What is too much for the node would be the out-of-memory
 * killer's affair (that is what binding means), so the caller asks for a part of what is free.
 *
 * Cost: a page fault per page, or per huge page; a slow node or an emulator is given a time, not a
 * size.
 */
#include "linux/measure_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/measure_run.h"
#include "linux/numa.h"

#define HUGE_BYTES ((size_t)2 * MIB)
#define NR_SAMPLED 512
#define ELSEWHERE  50 /* one of so many sampled pages may be elsewhere */

static int bind_error(int error, uint32_t node, struct printbuf *err)
{
	switch (error) {
	case -EINVAL:
		return error_set(err, error,
				 "this process may not have memory on node %u (a cpuset or no such "
				 "node); run it outside of that cpuset",
				 node);
	case -EPERM:
	case -EACCES:
		return error_set(err, error,
				 "binding memory is forbidden here (a container's filter?); "
				 "run it outside of the container or allow mbind");
	case -ENOSYS:
		return error_set(err, error, "this kernel has no NUMA calls");
	default:
		return error_set(err, error, "binding memory to node %u: %s", node,
				 error_text(error));
	}
}

static int bind_to(const struct measure_memory *memory, struct printbuf *err)
{
	struct set nodes = SET_EMPTY;
	int error = set_add(&nodes, memory->node_id);
	if (!error)
		error = numa_bind(memory->mapping, memory->mapping_bytes, NUMA_BIND, &nodes);
	set_fini(&nodes);
	return error ? bind_error(error, memory->node_id, err) : 0;
}

static size_t power_below(size_t value)
{
	return value == 0 ? 0 : (size_t)1 << (63 - __builtin_clzll(value));
}

/* Touches until the time is over, and gives back what is above the power of two reached. */
static void touch(struct measure_memory *memory, const struct measure_memory_wish *wish)
{
	uint64_t end_ns = clock_now_ns() + wish->time_ns;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), touched = 0;
	while (touched < wish->wanted_bytes) {
		for (size_t at = 0; at < HUGE_BYTES; at += page)
			*(volatile char *)(memory->start + touched + at) = 1;
		touched += HUGE_BYTES;
		if (touched >= wish->least_bytes && clock_now_ns() >= end_ns)
			break;
	}
	memory->nr_bytes = power_below(touched);
	madvise(memory->start + memory->nr_bytes, touched - memory->nr_bytes, MADV_DONTNEED);
}

static int sampled_elsewhere(const struct measure_memory *memory, int *ret_nr)
{
	void *pages[NR_SAMPLED];
	int nodes[NR_SAMPLED], nr = 0;
	for (size_t i = 0; i < NR_SAMPLED; i++)
		pages[i] = memory->start + memory->nr_bytes / NR_SAMPLED * i;
	int error = numa_where(0, NR_SAMPLED, pages, nodes);
	for (size_t i = 0; i < NR_SAMPLED && error; i++) { /* move_pages may be forbidden alone */
		uint32_t node = 0;
		int one_error = numa_node_of(pages[i], &node);
		if (one_error)
			return one_error;
		nodes[i] = (int)node;
	}
	for (size_t i = 0; i < NR_SAMPLED; i++)
		nr += nodes[i] != (int)memory->node_id;
	*ret_nr = nr;
	return 0;
}

int measure_memory_check(const struct measure_memory *memory, struct printbuf *err)
{
	int nr_elsewhere = 0;
	int error = sampled_elsewhere(memory, &nr_elsewhere);
	if (error)
		return error_set(err, error, "cannot ask where its pages are: %s",
				 error_text(error));
	if (nr_elsewhere > NR_SAMPLED / ELSEWHERE)
		return error_set(err, -EAGAIN,
				 "%d of %d pages bound to node %u are elsewhere; free memory there",
				 nr_elsewhere, NR_SAMPLED, memory->node_id);
	return 0;
}

/* "AnonHugePages: 123 kB" of the mapping whose first address is ours. */
static uint64_t read_huge_bytes(const char *start)
{
	char line[512];
	unsigned long long first = 0, last = 0, kib = 0, address = (uintptr_t)start;
	bool is_ours = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%llx-%llx ", &first, &last) == 2)
			is_ours = first <= address && address < last;
		else if (is_ours && sscanf(line, "AnonHugePages: %llu kB", &kib) == 1)
			break;
	}
	if (smaps)
		fclose(smaps);
	return (uint64_t)kib * KIB;
}

int measure_memory_new(const struct measure_memory_wish *wish, struct measure_memory *ret,
		       struct printbuf *err)
{
	struct measure_memory memory = { .node_id = wish->node_id };
	memory.mapping_bytes = wish->wanted_bytes + HUGE_BYTES;
	memory.mapping = mmap(NULL, memory.mapping_bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory.mapping == MAP_FAILED)
		return error_set(err, -errno, "no address space for %zu MiB (ulimit -v?): %s",
				 wish->wanted_bytes >> 20, error_text(-errno));
	uintptr_t aligned = ((uintptr_t)memory.mapping + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	memory.start = memory.mapping + (aligned - (uintptr_t)memory.mapping);
	int error = wish->is_only_node ? 0 : bind_to(&memory, err);
	if (!error) {
		madvise(memory.mapping, memory.mapping_bytes, MADV_HUGEPAGE);
		touch(&memory, wish);
		memory.huge_bytes = read_huge_bytes(memory.start);
		error = wish->is_only_node ? 0 : measure_memory_check(&memory, err);
	}
	if (error)
		measure_memory_fini(&memory);
	else
		*ret = memory;
	return error;
}

void measure_memory_fini(struct measure_memory *memory)
{
	if (memory->mapping)
		munmap(memory->mapping, memory->mapping_bytes);
	*memory = (struct measure_memory){ 0 };
}
