/* SPDX-License-Identifier: MIT */
/*
 * The live world without a machine: page tables in an array, zoneinfo as text, what each answer of
 * move_pages means, and what is remembered of pages.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "linux/frames.h"
#include "linux/mover_move_pages.h"
#include "linux/pagetable.h"
#include "linux/seen.h"
#include "linux/unmovable.h"

#define TABLES	  8
#define PRESENT	  0x1u
#define ACCESSED  0x20u
#define DIRTY	  0x40u
#define LARGE	  0x80u
#define PROT_NONE 0x100u

struct memory { /* tables at physical 0, 4096, ... */
	uint64_t tables[TABLES][PAGETABLE_ENTRIES];
	unsigned nr_reads;
};

static int read_memory(void *context, uint64_t physical, void *ret, size_t nr_bytes)
{
	struct memory *memory = context;
	memory->nr_reads++;
	if (physical % 4096 || physical / 4096 >= TABLES)
		return -EFAULT;
	memcpy(ret, memory->tables[physical / 4096], nr_bytes);
	return 0;
}

struct visits {
	struct pagetable_page pages[16];
	unsigned nr, max;
};

static bool visit(void *context, const struct pagetable_page *page)
{
	struct visits *visits = context;
	if (visits->nr == visits->max)
		return false;
	visits->pages[visits->nr++] = *page;
	return true;
}

/* 4 levels: page 0, 1 and 3 small, [512, 1024) large, and a table that is not memory. */
static void fill(struct memory *memory)
{
	memset(memory, 0, sizeof(*memory));
	memory->tables[0][0] = 0x1000 | PRESENT;
	memory->tables[1][0] = 0x2000 | PRESENT;
	memory->tables[1][1] = 0xdead000 | PRESENT;
	memory->tables[2][0] = 0x3000 | PRESENT;
	memory->tables[2][1] = 0x40000000 | PRESENT | LARGE | ACCESSED;
	memory->tables[3][0] = 0x11000 | PRESENT | ACCESSED | DIRTY;
	memory->tables[3][1] = 0x12000 | PRESENT;
	memory->tables[3][3] = (~(uint64_t)0x13000 & 0x000ffffffffff000u) | PROT_NONE | ACCESSED;
}

static void test_page_tables_are_walked(void **state)
{
	struct memory *memory = malloc(sizeof(*memory));
	struct pagetable *table = malloc(sizeof(*table));
	struct visits visits = { .max = 16 };
	struct pagetable_reader reader = { read_memory, memory };
	(void)state;
	fill(memory);
	pagetable_begin(table, &reader, 0, 4);
	assert_int_equal(pagetable_walk(table, 0, (uint64_t)1 << 36, visit, &visits),
			 (uint64_t)1 << 36);
	assert_int_equal(visits.nr, 4);
	assert_int_equal(visits.pages[0].frame, 0x11);
	assert_true(visits.pages[0].is_accessed && visits.pages[0].is_written);
	assert_int_equal(visits.pages[1].page, 1);
	assert_false(visits.pages[1].is_accessed);
	assert_int_equal(visits.pages[2].page, 3);
	assert_int_equal(visits.pages[2].frame, 0x13);
	assert_int_equal(visits.pages[3].page, 512);
	assert_int_equal(visits.pages[3].order, 9);
	assert_int_equal(visits.pages[3].frame, 0x40000);
	assert_in_range(memory->nr_reads, 1,
			9); /* what cannot be read is not tried for each page */
	free(table);
	free(memory);
}

static void test_walk_goes_on_where_it_was_refused(void **state)
{
	struct memory *memory = malloc(sizeof(*memory));
	struct pagetable *table = malloc(sizeof(*table));
	struct visits visits = { .max = 2 };
	struct pagetable_reader reader = { read_memory, memory };
	(void)state;
	fill(memory);
	pagetable_begin(table, &reader, 0, 4);
	assert_int_equal(pagetable_walk(table, 0, 1024, visit, &visits), 3);
	visits.max = 3;
	assert_int_equal(pagetable_walk(table, 3, 1024, visit, &visits), 512);
	visits.max = 4;
	assert_int_equal(pagetable_walk(table, 600, 1024, visit, &visits), 1024);
	assert_int_equal(visits.nr, 4);
	free(table);
	free(memory);
}

static void test_frames_know_their_node(void **state)
{
	char text[] = "Node 0, zone   Normal\n  pages free     10\n        min      5\n"
		      "        low      7\n        spanned  100\n  start_pfn:           0\n"
		      "Node 1, zone   Normal\n  pages free     10\n        min      1\n"
		      "        low      2\n        spanned  50\n"
		      "        high     3\n        protection: (0, 449, 460, 460)\n"
		      "    cpu: 0\n              high:     1530\n"
		      "    cpu: 1\n              high:     1200\n              high_min: 8\n"
		      "  start_pfn:           100\n"
		      "Node 1, zone  Movable\n  pages free     0\n        spanned  0\n"
		      "Node 7, zone   Normal\n        spanned  50\n  start_pfn:           500\n";
	struct machine *machine;
	struct frames frames;
	(void)state;
	assert_int_equal(
		machine_parse("node:dram:64MiB@80ns:cpus=0 node:cxl:64MiB@250ns", &machine, NULL),
		0);
	assert_int_equal(frames_parse(text, machine, &frames), 0);
	assert_int_equal(frames_node(&frames, 0), 0);
	assert_int_equal(frames_node(&frames, 99), 0);
	assert_int_equal(frames_node(&frames, 100), 1);
	assert_int_equal(frames_node(&frames, 149), 1);
	assert_int_equal(frames_node(&frames, 150), FRAMES_NO_NODE);
	assert_int_equal(frames_node(&frames, 500), FRAMES_NO_NODE);
	assert_int_equal(frames.min_pages[0], 5);
	assert_int_equal(frames.min_pages[1], 461);
	assert_int_equal(frames.low_pages[1], 462);
	assert_int_equal(frames.cached_pages[1], 1530);
	frames_fini(&frames);
	char nothing[] = "no zones here\n";
	assert_int_equal(frames_parse(nothing, machine, &frames), -ENODATA);
	machine_free(machine);
}

static void test_each_answer_of_move_pages(void **state)
{
	static const struct {
		struct move_attempt attempt; /* before, status, call, after, to */
		enum move_outcome outcome;
	} cases[] = {
		{ { 1, 0, 0, 0, 0 }, MOVE_DONE },
		{ { 1, -EBUSY, 0, 0, 0 }, MOVE_DONE }, /* with another page of its folio */
		{ { 0, 0, 0, 0, 0 }, MOVE_REFUSED_THERE },
		{ { -ENOENT, MOVE_STATUS_UNTOUCHED, 0, -ENOENT, 0 }, MOVE_REFUSED_GONE },
		{ { -EFAULT, MOVE_STATUS_UNTOUCHED, 0, -EFAULT, 0 }, MOVE_REFUSED_GONE },
		{ { -ESRCH, MOVE_STATUS_UNTOUCHED, 0, -ESRCH, 0 }, MOVE_REFUSED_GONE },
		{ { 1, 0, 0, -ENOENT, 0 }, MOVE_REFUSED_GONE },
		{ { 1, 0, 0, -EIO, 0 }, MOVE_UNKNOWN },
		{ { -EIO, MOVE_STATUS_UNTOUCHED, 0, -EIO, 0 }, MOVE_UNKNOWN },
		{ { 1, 0, 0, 1, 0 }, MOVE_REFUSED_BUSY }, /* the status lied */
		{ { 1, -EBUSY, 0, 1, 0 }, MOVE_REFUSED_BUSY },
		{ { 1, -EACCES, 0, 1, 0 }, MOVE_REFUSED_BUSY }, /* shared */
		{ { 1, -ENOMEM, 0, 1, 0 }, MOVE_REFUSED_FULL },
		{ { 1, MOVE_STATUS_UNTOUCHED, 3, 1, 0 }, MOVE_REFUSED_BUSY },
		{ { 1, MOVE_STATUS_UNTOUCHED, -ENOMEM, 1, 0 }, MOVE_REFUSED_FULL },
		{ { 1, MOVE_STATUS_UNTOUCHED, -EACCES, 1, 0 }, MOVE_REFUSED_DENIED },
		{ { 1, MOVE_STATUS_UNTOUCHED, -EPERM, 1, 0 }, MOVE_REFUSED_DENIED },
		{ { 1, MOVE_STATUS_UNTOUCHED, -ENODEV, 1, 0 }, MOVE_REFUSED_DENIED },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(move_outcome_of(&cases[i].attempt), cases[i].outcome);
}

static void test_unmovable_pages_are_left_alone_longer_and_longer(void **state)
{
	struct unmovable unmovable;
	(void)state;
	assert_int_equal(unmovable_init(&unmovable), 0);
	assert_false(unmovable_is_held(&unmovable, 0, 5, 0));
	unmovable_note(&unmovable, 0, 5, UNMOVABLE_PINNED, 0);
	assert_true(unmovable_is_held(&unmovable, 0, 5, NS_PER_S - 1));
	assert_false(unmovable_is_held(&unmovable, 0, 5, NS_PER_S));
	assert_false(unmovable_is_held(&unmovable, 1, 5, 0));
	unmovable_note(&unmovable, 0, 5, UNMOVABLE_PINNED, NS_PER_S);
	assert_true(unmovable_is_held(&unmovable, 0, 5, 3 * NS_PER_S - 1));
	unmovable_forget(&unmovable, 0, 5);
	assert_false(unmovable_is_held(&unmovable, 0, 5, NS_PER_S));
	for (uint64_t page = 0; page < 3 * UNMOVABLE_MAX; page++)
		unmovable_note(&unmovable, 2, page, UNMOVABLE_PINNED, 0);
	assert_true(unmovable.nr <= UNMOVABLE_MAX / 2);
	unmovable_fini(&unmovable);
}

static void test_pages_are_new_once(void **state)
{
	struct seen seen = { 0 };
	(void)state;
	assert_false(seen_take_new(&seen, 0, 1));
	for (uint64_t page = 0; page < 2000000; page += 97)
		seen_mark(&seen, (uint32_t)(page & 1), page);
	seen_mark(&seen, 0, 0);
	for (uint64_t page = 0; page < 2000000; page += 97) {
		assert_false(seen_take_new(&seen, (uint32_t)(~page & 1), page));
		assert_true(seen_take_new(&seen, (uint32_t)(page & 1), page));
		assert_false(seen_take_new(&seen, (uint32_t)(page & 1), page));
	}
	assert_int_equal(seen.nr_new, 0);
	seen_fini(&seen);
}
