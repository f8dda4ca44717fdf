/* SPDX-License-Identifier: MIT */
/*
 * What is asked of the kernel beside moving: which results lead to which advice, what a block that
 * may be collapsed is, and the two advisers, one on memory of our own, one against files.
 * tests/lab/advise.sh does it with kernels.
 */
#include "test.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "linux/advice.h"
#include "root_fixture.h"

#define PRESENT ((uint64_t)1 << 63)
#define NODE_0	"sys/devices/system/node/node0/"
#define NODE_1	"sys/devices/system/node/node1/"

static struct machine *two_tiers(void)
{
	struct machine *machine = NULL;
	assert_int_equal(
		machine_open("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns", &machine, NULL), 0);
	return machine;
}

static void test_names_of_advice(void **state)
{
	uint32_t kinds = 99;
	PRINTBUF(err);
	(void)state;
	assert_int_equal(advice_parse(NULL, &kinds, NULL), 0);
	assert_int_equal(kinds, 0);
	assert_int_equal(advice_parse("cold,reclaim", &kinds, NULL), 0);
	assert_int_equal(kinds, ADVICE_BIT(PLAN_COLD) | ADVICE_BIT(PLAN_RECLAIM));
	assert_int_equal(advice_parse("move", &kinds, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "there are cold, pageout"));
	assert_int_equal(advice_parse("collapse,", &kinds, NULL), 0);
	assert_int_equal(kinds, ADVICE_BIT(PLAN_COLLAPSE));
	assert_int_equal(advice_parse(",cold", &kinds, NULL), -EINVAL);
	assert_int_equal(advice_parse("cold cold", &kinds, NULL), -EINVAL);
}

static void test_what_may_be_collapsed(void **state)
{
	struct frame_range zones[] = { { 0, 10000, 0 }, { 10000, 10000, 1 } };
	struct frames frames = { .ranges = zones, .nr_ranges = 2 };
	struct machine *machine = two_tiers();
	uint64_t entries[ADVICE_BLOCK_PAGES];
	(void)state;
	for (uint32_t i = 0; i < ADVICE_BLOCK_PAGES; i++)
		entries[i] = PRESENT | (100 + i * 7);
	assert_true(advice_is_collapsible(machine, &frames, entries));
	for (uint32_t i = 0; i < ADVICE_BLOCK_PAGES - ADVICE_FAST; i++)
		entries[i * 4] = PRESENT | (12000 + i); /* on the slow tier */
	assert_true(advice_is_collapsible(machine, &frames, entries));
	entries[501] = PRESENT | 12500;
	assert_false(advice_is_collapsible(machine, &frames, entries));
	entries[500] = 0; /* not there */
	assert_false(advice_is_collapsible(machine, &frames, entries));
	for (uint32_t i = 0; i < ADVICE_BLOCK_PAGES; i++)
		entries[i] = PRESENT | (1024 + i); /* huge, or as good as that */
	assert_false(advice_is_collapsible(machine, &frames, entries));
	for (uint32_t i = 0; i < ADVICE_BLOCK_PAGES; i++)
		entries[i] = PRESENT | (1025 + i); /* contiguous, not aligned */
	assert_true(advice_is_collapsible(machine, &frames, entries));
	machine_free(machine);
}

static struct move_result result_of(enum move_outcome outcome, uint64_t page, uint64_t nr,
				    uint32_t from, uint32_t to)
{
	return (struct move_result){ .page = page,
				     .nr_pages = nr,
				     .from = from,
				     .to = to,
				     .node = outcome == MOVE_DONE ? to : from,
				     .outcome = (uint8_t)outcome };
}

/* The world of advice: this process, on a machine of two tiers. */
static void watch_ourselves(struct live *live, struct root *host, struct machine *machine)
{
	assert_int_equal(root_open("/", host, NULL), 0);
	assert_int_equal(live_init(live, host, machine, NULL), 0);
	assert_int_equal(live_watch(live, getpid(), NULL), 0);
}

static void test_demoted_pages_are_made_cold(void **state)
{
	struct machine *machine = two_tiers();
	struct root host;
	struct live live;
	struct advice *advice;
	size_t nr_bytes = 64 * 4096;
	uint8_t *memory = mmap(NULL, nr_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
	(void)state;
	assert_true(memory != MAP_FAILED);
	memset(memory, 1, nr_bytes);
	watch_ourselves(&live, &host, machine);
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_COLD), &advice, NULL), 0);
	uint64_t page = (uintptr_t)memory / 4096;
	const struct move_result results[] = {
		result_of(MOVE_DONE, page, 16, 0, 1),	      /* demoted */
		result_of(MOVE_DONE, page + 16, 16, 1, 0),    /* promoted */
		result_of(MOVE_REFUSED_BUSY, page, 8, 0, 1),  /* stayed */
		result_of(MOVE_DONE, 1, 4, 0, 1),	      /* is not mapped */
		result_of(MOVE_REFUSED_FULL, page, 64, 0, 1), /* nobody asked for that */
	};
	advice_note(advice, results, ARRAY_SIZE(results), 1);
	assert_int_equal(advice->nr, 2);
	advice_turn(advice, 2);
	assert_int_equal(advice->nr, 0);
	assert_int_equal(advice->figures.counts[PLAN_COLD].nr_asked, 20);
	assert_int_equal(advice->figures.counts[PLAN_COLD].nr_done, 16);
	assert_int_equal(memory[5000], 1);
	advice_free(advice);
	live_fini(&live);
	root_fini(&host);
	machine_free(machine);
	munmap(memory, nr_bytes);
}

static unsigned nr_resident(void *memory, size_t nr_bytes)
{
	unsigned char is_there[64];
	unsigned nr = 0;
	assert_true(nr_bytes / 4096 <= ARRAY_SIZE(is_there));
	assert_int_equal(mincore(memory, nr_bytes, is_there), 0);
	for (size_t i = 0; i < nr_bytes / 4096; i++)
		nr += is_there[i] & 1;
	return nr;
}

/* Clean pages of a file; NULL on a file system of memory, which has nowhere to put them. */
static uint8_t *map_file(size_t nr_bytes)
{
	struct statfs kind;
	FILE *file = tmpfile();
	uint8_t *memory = MAP_FAILED;
	assert_non_null(file);
	assert_int_equal(fstatfs(fileno(file), &kind), 0);
	assert_int_equal(ftruncate(fileno(file), (off_t)nr_bytes), 0);
	if (kind.f_type != TMPFS_MAGIC)
		memory = mmap(NULL, nr_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
	fclose(file);
	if (memory == MAP_FAILED)
		return NULL;
	memset(memory, 1, nr_bytes);
	assert_int_equal(msync(memory, nr_bytes, MS_SYNC), 0);
	return memory;
}

/* Only demotions that a full node refused are: pages that could not come up stay. */
static void test_pages_that_have_no_room_are_paged_out(void **state)
{
	struct machine *machine = two_tiers();
	struct root host;
	struct live live;
	struct advice *advice;
	size_t nr_bytes = 64 * 4096;
	(void)state;
	uint8_t *memory = map_file(nr_bytes);
	watch_ourselves(&live, &host, machine);
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_PAGEOUT), &advice, NULL), 0);
	uint64_t page = (uintptr_t)memory / 4096;
	const struct move_result results[] = {
		result_of(MOVE_REFUSED_FULL, page, 16, 0, 1),	   /* down */
		result_of(MOVE_REFUSED_FULL, page + 16, 16, 1, 0), /* up */
		result_of(MOVE_REFUSED_BUSY, page + 32, 16, 0, 1),
		result_of(MOVE_DONE, page + 48, 16, 0, 1),
	};
	advice_note(advice, results, ARRAY_SIZE(results), 1);
	assert_int_equal(advice->nr, 1);
	assert_int_equal(advice->queue[0].kind, PLAN_PAGEOUT);
	assert_int_equal(advice->queue[0].page, page);
	if (memory) {
		assert_int_equal(nr_resident(memory, nr_bytes), 64);
		advice_turn(advice, 2);
		assert_int_equal(advice->figures.counts[PLAN_PAGEOUT].nr_asked, 16);
		assert_in_range(nr_resident(memory, nr_bytes), 48, 63);
		munmap(memory, nr_bytes);
	}
	advice_free(advice);
	live_fini(&live);
	root_fini(&host);
	machine_free(machine);
}

/* More than there is room for is forgotten, and so counted. */
static void test_the_queue_is_bounded(void **state)
{
	struct machine *machine = two_tiers();
	struct root host;
	struct live live;
	struct advice *advice;
	(void)state;
	watch_ourselves(&live, &host, machine);
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_COLD), &advice, NULL), 0);
	for (uint32_t i = 0; i < ADVICE_QUEUE_MAX + 10; i++) {
		struct move_result result = result_of(MOVE_DONE, 1 + i, 3, 0, 1);
		advice_note(advice, &result, 1, i);
	}
	assert_int_equal(advice->figures.nr_dropped, 30);
	for (uint32_t i = 0; i < ADVICE_QUEUE_MAX / ADVICE_A_TURN; i++)
		advice_turn(advice, i);
	assert_int_equal(advice->nr, 0);
	assert_int_equal(advice->figures.counts[PLAN_COLD].nr_asked, 3 * ADVICE_QUEUE_MAX);
	advice_free(advice);
	live_fini(&live);
	root_fini(&host);
	machine_free(machine);
}

static void expect(const char *path, const char *text)
{
	char *now = NULL;
	assert_int_equal(root_read(&root, path, &now), 0);
	assert_string_equal(now, text);
	free(now);
}

static void test_a_full_node_is_reclaimed_now_and_then(void **state)
{
	struct machine *machine = two_tiers();
	struct live live = { .root = &root, .machine = machine };
	struct advice *advice;
	(void)state;
	root_begin();
	PRINTBUF(err);
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_RECLAIM), &advice, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "nodeN/reclaim"));
	put(NODE_0 "reclaim", "");
	put(NODE_1 "reclaim", "");
	put(NODE_1 "meminfo", "Node 1 MemFree:  4096 kB");
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_RECLAIM), &advice, NULL), 0);
	struct move_result full = result_of(MOVE_REFUSED_FULL, 100, 8, 0, 1);
	for (uint64_t ms = 0; ms < 1000; ms += 10)
		advice_note(advice, &full, 1, ms * NS_PER_MS);
	assert_int_equal(advice->nr, 4); /* a second: four times */
	full = result_of(MOVE_REFUSED_FULL, 100, 8, 1, 0);
	advice_note(advice, &full, 1, 990 * NS_PER_MS); /* the other node has its own clock */
	assert_int_equal(advice->nr, 5);
	advice->nr = 4;
	advice_turn(advice, NS_PER_S);
	expect(NODE_1 "reclaim", "4194304 swappiness=0");
	expect(NODE_0 "reclaim", "");
	assert_int_equal(advice->figures.counts[PLAN_RECLAIM].nr_asked, 4 * 1024);
	assert_int_equal(advice->figures.counts[PLAN_RECLAIM].nr_done, 4 * 1024);
	advice_free(advice);
	machine_free(machine);
	root_end();
}

static void test_without_a_nodes_file_the_cgroups(void **state)
{
	struct machine *machine = two_tiers();
	struct live live = { .root = &root,
			     .machine = machine,
			     .cgroup = (char *)"sys/fs/cgroup/job" };
	struct advice *advice;
	(void)state;
	root_begin();
	put("sys/fs/cgroup/job/memory.reclaim", "");
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_RECLAIM), &advice, NULL), 0);
	struct move_result full = result_of(MOVE_REFUSED_FULL, 100, 8, 1, 0);
	advice_note(advice, &full, 1, 1);
	advice_turn(advice, 2);
	expect("sys/fs/cgroup/job/memory.reclaim", "4194304 swappiness=0");
	advice_free(advice);
	machine_free(machine);
	root_end();
}

/* A block is worth it when half of it was promoted, and has rested; one that is not there is not
 * asked for. */
static void test_blocks_count_what_was_promoted(void **state)
{
	struct machine *machine = two_tiers();
	struct root host;
	struct live live;
	struct advice *advice;
	(void)state;
	watch_ourselves(&live, &host, machine);
	assert_int_equal(advice_new(&live, ADVICE_BIT(PLAN_COLLAPSE), &advice, NULL), 0);
	struct move_result results[] = {
		result_of(MOVE_DONE, 512 + 300, 600, 1, 0), /* 212 of block 1, 388 of block 2 */
		result_of(MOVE_DONE, 5 * 512, 512, 0, 1),   /* demoted */
	};
	advice_note(advice, results, 2, NS_PER_S);
	uint32_t nr_blocks = 0, nr_pages = 0;
	for (uint32_t i = 0; i < ADVICE_BLOCKS_MAX; i++) {
		nr_blocks += advice->blocks[i].is_used;
		nr_pages += advice->blocks[i].nr_promoted;
	}
	assert_int_equal(nr_blocks, 2);
	assert_int_equal(nr_pages, 600);
	advice_turn(advice, NS_PER_S + NS_PER_S / 2);
	nr_blocks = 0;
	for (uint32_t i = 0; i < ADVICE_BLOCKS_MAX; i++)
		nr_blocks += advice->blocks[i].is_used;
	assert_int_equal(nr_blocks, 2);
	for (uint32_t i = 0; i < ADVICE_BLOCKS_MAX; i++)
		assert_int_equal(advice->blocks[i].nr_tries, 0); /* it has not rested */
	advice_turn(advice, 2 * NS_PER_S);
	nr_blocks = 0;
	for (uint32_t i = 0; i < ADVICE_BLOCKS_MAX; i++)
		nr_blocks += advice->blocks[i].is_used;
	assert_int_equal(nr_blocks, 2); /* it may come to be there */
	for (uint64_t second = 3; second < 20; second++)
		advice_turn(advice, second * NS_PER_S);
	nr_blocks = 0;
	for (uint32_t i = 0; i < ADVICE_BLOCKS_MAX; i++)
		nr_blocks += advice->blocks[i].is_used;
	assert_int_equal(nr_blocks, 1);
	assert_int_equal(advice->figures.counts[PLAN_COLLAPSE].nr_asked, 0);
	advice_free(advice);
	live_fini(&live);
	root_fini(&host);
	machine_free(machine);
}
