/* SPDX-License-Identifier: MIT */
/* Measuring: the order of the chase, the threads, memory that is bound, and the kernel's calls. */
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "linux/measure.h"
#include "linux/measure_limits.h"
#include "linux/measure_memory.h"
#include "linux/measure_run.h"
#include "linux/numa.h"

static void test_chase_visits_every_line_once(void **state)
{
	for (unsigned bits = 2; bits <= 16; bits++) {
		uint64_t nr = (uint64_t)1 << bits, at = 0;
		char *seen = calloc(nr, 1);
		for (uint64_t step = 0; step < nr; step++) {
			assert_true(at < nr);
			assert_int_equal(seen[at], 0);
			seen[at] = 1;
			at = measure_next_line(at, bits);
		}
		assert_int_equal(at, 0);
		free(seen);
	}
}

/* A prefetcher looks for the same distance twice, or for neighbours. */
static void test_chase_has_no_pattern(void **state)
{
	const unsigned bits = 16;
	uint64_t nr = (uint64_t)1 << bits, at = 0, nr_same = 0, nr_near = 0;
	int64_t distance = 0;
	for (uint64_t step = 0; step < nr; step++) {
		uint64_t next = measure_next_line(at, bits);
		int64_t jump = (int64_t)next - (int64_t)at;
		nr_same += jump == distance;
		nr_near += jump >= -64 && jump <= 64;
		distance = jump;
		at = next;
	}
	assert_true(nr_same < nr / 1000);
	assert_true(nr_near < nr / 100); /* by chance 129 of 65,536, 2 in 1,000 */
}

static void test_links_are_the_cycle(void **state)
{
	size_t nr_bytes = 1024 * MEASURE_LINE;
	char *memory = calloc(1, nr_bytes), *at = memory;
	measure_link_cycle(memory, nr_bytes);
	for (int step = 0; step < 1024; step++) {
		uint64_t line = (uint64_t)(at - memory) / MEASURE_LINE;
		at = *(char **)at;
		assert_ptr_equal(at, memory + measure_next_line(line, 10) * MEASURE_LINE);
	}
	assert_ptr_equal(at, memory);
	free(memory);
}

static uint32_t any_cpu(void)
{
	struct set cpus = SET_EMPTY;
	assert_int_equal(measure_allowed_cpus(&cpus), 0);
	int64_t cpu = set_next(&cpus, 0);
	set_fini(&cpus);
	assert_true(cpu >= 0);
	return (uint32_t)cpu;
}

static void test_workers_run_together(void **state)
{
	size_t nr_bytes = 1 * MIB;
	char *memory = aligned_alloc(MEASURE_LINE, nr_bytes);
	char *stream = calloc(1, nr_bytes);
	double chunks[MEASURE_MAX_CHUNKS];
	measure_link_cycle(memory, nr_bytes);
	struct measure_worker workers[] = {
		{ .kind = MEASURE_CHASE,
		  .cpu = any_cpu(),
		  .memory = memory,
		  .chunks = chunks,
		  .chunk_ns = NS_PER_MS,
		  .warmup_ns = NS_PER_MS },
		{ .kind = MEASURE_STREAM,
		  .cpu = any_cpu(),
		  .memory = stream,
		  .nr_bytes = nr_bytes },
	};
	assert_int_equal(measure_run(workers, 2, 60 * NS_PER_MS), 0);
	assert_true(workers[0].nr_chunks > 0);
	for (uint32_t i = 0; i < workers[0].nr_chunks; i++)
		assert_true(chunks[i] > 0);
	assert_in_range(workers[0].memory - memory, 0, nr_bytes - 1);
	assert_true(workers[1].streamed_bytes > 0);
	assert_true(workers[1].ended_ns > workers[1].began_ns);
	free(memory);
	free(stream);
}

static void test_cpu_that_is_not_there(void **state)
{
	static char memory[256 * 1024];
	struct measure_worker worker = {
		.kind = MEASURE_STREAM, .cpu = 8000, .memory = memory, .nr_bytes = sizeof(memory)
	};
	assert_int_equal(measure_run(&worker, 1, NS_PER_MS), -EINVAL);
}

static void test_memory_is_a_power_of_two(void **state)
{
	PRINTBUF(err);
	struct measure_memory memory = { 0 };
	struct measure_memory_wish wish = {
		.is_only_node = true, .wanted_bytes = 16 * MIB, .least_bytes = 4 * MIB, .time_ns = 0
	};
	assert_int_equal(measure_memory_new(&wish, &memory, &err), 0);
	assert_int_equal(memory.nr_bytes, 4 * MIB); /* no time: the least */
	assert_int_equal((uintptr_t)memory.start % (2 * MIB), 0);
	memory.start[memory.nr_bytes - 1] = 1;
	measure_memory_fini(&memory);
	wish.time_ns = 60 * NS_PER_S;
	assert_int_equal(measure_memory_new(&wish, &memory, &err), 0);
	assert_int_equal(memory.nr_bytes, 16 * MIB);
	measure_memory_fini(&memory);
}

/* A kernel or a container without these calls has nothing to test here. */
static void skip_without_numa(void)
{
	struct set nodes = SET_EMPTY;
	int error = numa_allowed(&nodes);
	set_fini(&nodes);
	if (error == -ENOSYS || error == -EPERM)
		skip();
	assert_int_equal(error, 0);
}

static void test_bound_memory_is_where_it_should(void **state)
{
	PRINTBUF(err);
	struct measure_memory memory = { 0 };
	struct set nodes = SET_EMPTY;
	skip_without_numa();
	assert_int_equal(numa_allowed(&nodes), 0);
	struct measure_memory_wish wish = { .node_id = (uint32_t)set_next(&nodes, 0),
					    .wanted_bytes = 4 * MIB,
					    .least_bytes = 4 * MIB };
	int error = measure_memory_new(&wish, &memory, &err);
	if (error)
		fail_msg("%s", printbuf_str(&err));
	assert_int_equal(measure_memory_check(&memory, &err), 0);
	memory.node_id = 1000; /* as if it had been bound there */
	assert_int_equal(measure_memory_check(&memory, &err), -EAGAIN);
	assert_non_null(strstr(printbuf_str(&err), "512 of 512 pages bound to node 1000"));
	measure_memory_fini(&memory);
	set_fini(&nodes);
}

static void test_node_that_is_not_there(void **state)
{
	PRINTBUF(err);
	struct measure_memory memory = { 0 };
	skip_without_numa();
	struct measure_memory_wish wish = { .node_id = 1000,
					    .wanted_bytes = 4 * MIB,
					    .least_bytes = 4 * MIB };
	assert_int_equal(measure_memory_new(&wish, &memory, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "may not have memory on node 1000"));
	assert_null(memory.mapping);
}

static void test_policies_come_back(void **state)
{
	enum numa_policy policy = NUMA_BIND;
	struct set allowed = SET_EMPTY, nodes = SET_EMPTY;
	skip_without_numa();
	assert_int_equal(numa_allowed(&allowed), 0);
	assert_int_equal(numa_set_policy(NUMA_PREFERRED_MANY, &allowed), 0);
	assert_int_equal(numa_get_policy(&policy, &nodes), 0);
	assert_int_equal(policy, NUMA_PREFERRED_MANY);
	assert_true(set_is_equal(&nodes, &allowed));
	set_fini(&nodes);
	assert_int_equal(numa_set_policy(NUMA_DEFAULT, &SET_EMPTY), 0);
	assert_int_equal(numa_get_policy(&policy, &nodes), 0);
	assert_int_equal(policy, NUMA_DEFAULT);
	assert_true(set_is_empty(&nodes));
	set_fini(&allowed);
}

static void test_pages_are_asked_and_moved(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct set allowed = SET_EMPTY;
	skip_without_numa();
	assert_int_equal(numa_allowed(&allowed), 0);
	char *memory = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	memory[0] = memory[page] = 1;
	void *pages[] = { memory, memory + page, memory + 2 * page };
	int where[3] = { 0 }, to[3], result[3] = { 0 };
	uint32_t node = 0;
	assert_int_equal(numa_where(0, 3, pages, where), 0);
	assert_int_equal(numa_node_of(memory, &node), 0);
	assert_int_equal(where[0], node);
	assert_int_equal(where[2], -ENOENT);
	for (int i = 0; i < 3; i++)
		to[i] = (int)set_next(&allowed, 0);
	assert_true(numa_move(0, 2, pages, to, result) >= 0);
	assert_int_equal(result[0], to[0]);
	munmap(memory, 3 * page);
	set_fini(&allowed);
}

static void test_limits_are_sane(void **state)
{
	uint64_t largest = 0, total = 0;
	struct set cpus = SET_EMPTY;
	assert_int_equal(measure_allowed_cpus(&cpus), 0);
	measure_caches(&cpus, &largest, &total);
	assert_true(largest <= total || total == 0 || set_count(&cpus) > 0);
	assert_true(largest < 16 * GIB);
	assert_true(measure_cgroup_room() > 0);
	set_fini(&cpus);
}
