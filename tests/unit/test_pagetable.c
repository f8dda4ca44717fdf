/* SPDX-License-Identifier: MIT */
/*
 * Walking page tables of four and five levels made at random, with pages of 4 KiB, 2 MiB and 1 GiB,
 * entries armed for hint faults, and tables that are not memory, against translating each page by
 * itself.
 */
#include "test.h"

#include "linux/pagetable.h"

#define TABLES	  64
#define ENTRIES	  PAGETABLE_ENTRIES
#define PRESENT	  0x1u
#define ACCESSED  0x20u
#define DIRTY	  0x40u
#define LARGE	  0x80u
#define PROT_NONE 0x100u
#define NX	  ((uint64_t)1 << 63)
#define ADDRESS	  0x000ffffffffff000u
#define USED	  6 /* entries of each table that are filled */

static uint64_t tables[TABLES][ENTRIES];
static uint32_t nr_tables;

static int read_table(void *context, uint64_t physical, void *ret, size_t nr_bytes)
{
	(void)context;
	if (physical % 4096 || physical / 4096 >= nr_tables)
		return -EFAULT;
	memcpy(ret, tables[physical / 4096], nr_bytes);
	return 0;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* One of the entries that are used: the first ones and the last. */
static uint32_t entry_at(uint32_t i)
{
	return i < USED - 1 ? i : ENTRIES - 1;
}

static uint64_t leaf(uint64_t *seed, unsigned level)
{
	uint64_t random = next_random(seed);
	uint64_t address = (random << 12 & ADDRESS) & ~(((uint64_t)4096 << 9 * level) - 1);
	uint64_t bits = (random >> 40 & 1 ? ACCESSED : 0) | (random >> 41 & 1 ? DIRTY : 0) |
			(random >> 42 & 1 ? NX : 0) | (level ? LARGE : 0);
	if (random >> 43 & 1)
		return (~address & ADDRESS) | bits | PROT_NONE;
	return address | bits | PRESENT;
}

/* Fills a table of a level; those below it as far as there is room. */
static uint32_t make_table(uint64_t *seed, unsigned level)
{
	uint32_t table = nr_tables++;
	memset(tables[table], 0, sizeof(tables[table]));
	for (uint32_t i = 0; i < USED; i++) {
		uint64_t *entry = &tables[table][entry_at(i)];
		uint64_t choice = next_random(seed) % 8;
		if (choice == 0)
			*entry = next_random(seed) & ~(uint64_t)(PRESENT | PROT_NONE);
		else if (choice == 1 && level > 0)
			*entry = (uint64_t)TABLES << 20 | PRESENT; /* not memory */
		else if (level == 0 || (choice == 2 && level <= 2))
			*entry = leaf(seed, level);
		else if (nr_tables + level < TABLES)
			*entry = (uint64_t)make_table(seed, level - 1) << 12 | PRESENT | ACCESSED;
	}
	return table;
}

/* By the book: one page, from the first table down. */
static bool translate(uint64_t page, unsigned levels, struct pagetable_page *ret)
{
	uint64_t table = 0;
	for (unsigned level = levels; level-- > 0;) {
		uint64_t entry = tables[table][page >> 9 * level & (ENTRIES - 1)];
		bool is_leaf = level == 0 || (entry & LARGE && level <= 2);
		if (!(entry & (PRESENT | PROT_NONE)))
			return false;
		if (is_leaf) {
			uint64_t address = entry & PRESENT ? entry : ~entry;
			uint64_t size = (uint64_t)1 << 9 * level;
			ret->page = page & ~(size - 1);
			ret->frame = ((address & ADDRESS) >> 12) & ~(size - 1);
			ret->order = 9 * level;
			ret->is_accessed = entry & ACCESSED;
			ret->is_written = entry & DIRTY;
			return true;
		}
		table = (entry & ADDRESS) >> 12;
		if (!(entry & PRESENT) || table >= nr_tables)
			return false;
	}
	return false;
}

struct seen {
	struct pagetable_page pages[4096];
	uint32_t nr, max;
};

static bool see(void *context, const struct pagetable_page *page)
{
	struct seen *seen = context;
	if (seen->nr == seen->max)
		return false;
	seen->pages[seen->nr++] = *page;
	return true;
}

static void check_page(const struct seen *seen, uint64_t page, unsigned levels)
{
	struct pagetable_page wanted = { 0 };
	const struct pagetable_page *found = NULL;
	for (uint32_t i = 0; i < seen->nr && !found; i++)
		if (page >= seen->pages[i].page &&
		    page - seen->pages[i].page < (uint64_t)1 << seen->pages[i].order)
			found = &seen->pages[i];
	bool is_mapped = translate(page, levels, &wanted);
	assert_int_equal(is_mapped, found != NULL);
	if (!found)
		return;
	assert_int_equal(found->page, wanted.page);
	assert_int_equal(found->frame, wanted.frame);
	assert_int_equal(found->order, wanted.order);
	assert_int_equal(found->is_accessed, wanted.is_accessed);
	assert_int_equal(found->is_written, wanted.is_written);
}

/* All pages that the used entries lead to, and their neighbours. */
static void check_all(const struct seen *seen, unsigned levels, uint64_t page, unsigned level)
{
	for (uint32_t i = 0; i < USED; i++) {
		uint64_t at = page | (uint64_t)entry_at(i) << 9 * level;
		if (level > 0 && i % 2 == 0)
			check_all(seen, levels, at, level - 1);
		check_page(seen, at, levels);
		check_page(seen, at + ((uint64_t)1 << 9 * level) - 1, levels);
	}
}

static void test_walks_of_random_tables(void **state)
{
	static struct pagetable table;
	static struct seen whole, part;
	struct pagetable_reader reader = { read_table, NULL };
	uint64_t seed = 4711, nr_seen = 0;
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		unsigned levels = 4 + round % 2;
		uint64_t end = (uint64_t)1 << 9 * levels, page = 0;
		nr_tables = 0;
		make_table(&seed, levels - 1);
		whole = (struct seen){ .max = ARRAY_SIZE(whole.pages) };
		pagetable_begin(&table, &reader, 0, levels);
		assert_int_equal(pagetable_walk(&table, 0, end, see, &whole), end);
		for (uint32_t i = 1; i < whole.nr; i++)
			assert_true(whole.pages[i - 1].page < whole.pages[i].page);
		check_all(&whole, levels, 0, levels - 1);
		/* In pieces: the same pages, each once. */
		uint32_t nr = 0;
		pagetable_begin(&table, &reader, 0, levels);
		while (page < end) {
			part = (struct seen){ .max = next_random(&seed) % 5 + 1 };
			page = pagetable_walk(&table, page, end, see, &part);
			for (uint32_t i = 0; i < part.nr; i++)
				assert_int_equal(part.pages[i].page, whole.pages[nr++].page);
		}
		assert_int_equal(nr, whole.nr);
		nr_seen += nr;
	}
	assert_in_range(nr_seen, 2000, 1000000);
}

static void test_five_levels_reach_further(void **state)
{
	static struct pagetable table;
	static struct seen seen;
	struct pagetable_reader reader = { read_table, NULL };
	uint64_t page = (uint64_t)255 << 36 | (uint64_t)511 << 27 | 3 << 18;
	(void)state;
	memset(tables, 0, sizeof(tables));
	nr_tables = 3;
	tables[0][255] = 1 << 12 | PRESENT;
	tables[1][511] = 2 << 12 | PRESENT;
	tables[2][3] = (uint64_t)7 << 30 | PRESENT | LARGE | ACCESSED;
	seen = (struct seen){ .max = 9 };
	pagetable_begin(&table, &reader, 0, 5);
	assert_int_equal(pagetable_walk(&table, page + 5, page + 6, see, &seen), page + 6);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(seen.pages[0].page, page);
	assert_int_equal(seen.pages[0].order, 18);
	assert_int_equal(seen.pages[0].frame, (uint64_t)7 << 18);
	assert_true(seen.pages[0].is_accessed);
}
