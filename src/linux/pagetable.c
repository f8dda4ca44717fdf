/* SPDX-License-Identifier: MIT */
/* Walking page tables (pagetable.h). */
#include "linux/pagetable.h"

#define BIT_PRESENT  (1u << 0)
#define BIT_ACCESSED (1u << 5)
#define BIT_DIRTY    (1u << 6)
#define BIT_LARGE    (1u << 7)
#define BIT_NONE     (1u << 8) /* with !PRESENT: armed for a hint fault */
#define FRAME_MASK   0x000ffffffffff000u
#define LEVEL_BITS   9
#define PAGE_SHIFT   12

void pagetable_begin(struct pagetable *table, const struct pagetable_reader *reader, uint64_t root,
		     unsigned levels)
{
	table->reader = *reader;
	table->root = root;
	table->levels = levels;
	for (unsigned i = 0; i < PAGETABLE_LEVELS; i++)
		table->held[i] = PAGETABLE_NONE;
}

/* Level 0 is the last one. */
static bool hold(struct pagetable *table, unsigned level, uint64_t physical)
{
	if (table->held[level] == physical)
		return true;
	table->held[level] = PAGETABLE_NONE;
	if (table->reader.read(table->reader.context, physical, table->entries[level],
			       sizeof(table->entries[level])))
		return false;
	table->held[level] = physical;
	return true;
}

/* An entry armed for a hint fault has its frame inverted, against speculation (L1TF). */
static uint64_t frame_of(uint64_t entry)
{
	uint64_t address = entry & BIT_PRESENT ? entry : ~entry;
	return (address & FRAME_MASK) >> PAGE_SHIFT;
}

static bool is_mapped(uint64_t entry)
{
	return entry & BIT_PRESENT || entry & BIT_NONE;
}

struct found {
	uint64_t entry;
	unsigned level;	   /* where the walk ended */
	uint64_t nr_pages; /* that the entry stands for */
};

/* The entry for a page, down to where it is a leaf or nothing. False: nothing is mapped. */
static bool find(struct pagetable *table, uint64_t page, struct found *ret)
{
	uint64_t physical = table->root;
	for (unsigned level = table->levels; level-- > 0;) {
		unsigned shift = level * LEVEL_BITS;
		ret->level = level;
		ret->nr_pages = (uint64_t)1 << shift;
		if (!hold(table, level, physical)) {
			ret->nr_pages <<= LEVEL_BITS; /* all of that table */
			return false;
		}
		ret->entry = table->entries[level][page >> shift & (PAGETABLE_ENTRIES - 1)];
		if (!is_mapped(ret->entry))
			return false;
		if (level == 0 || (ret->entry & BIT_LARGE && level <= 2))
			return true;
		if (!(ret->entry & BIT_PRESENT))
			return false;
		physical = ret->entry & FRAME_MASK;
	}
	return false;
}

/* The entries of the last level after one that was found: the table is at hand. Returns the page
 * where it goes on; *ret_stopped when visit has refused that. */
static uint64_t walk_last(const struct pagetable *table, uint64_t page, uint64_t end,
			  bool (*visit)(void *context, const struct pagetable_page *page),
			  void *context, bool *ret_stopped)
{
	uint64_t last = MIN(end, (page | (PAGETABLE_ENTRIES - 1)) + 1);
	struct pagetable_page mapped = { .order = 0 };
	for (; page < last; page++) {
		uint64_t entry = table->entries[0][page & (PAGETABLE_ENTRIES - 1)];
		if (!is_mapped(entry))
			continue;
		mapped.page = page;
		mapped.frame = frame_of(entry);
		mapped.is_accessed = entry & BIT_ACCESSED;
		mapped.is_written = entry & BIT_DIRTY;
		if (!visit(context, &mapped)) {
			*ret_stopped = true;
			return page;
		}
	}
	return last;
}

uint64_t pagetable_walk(struct pagetable *table, uint64_t first, uint64_t end,
			bool (*visit)(void *context, const struct pagetable_page *page),
			void *context)
{
	uint64_t page = first;
	bool is_stopped = false;
	while (page < end) {
		struct found found = { .nr_pages = 1 };
		bool is_there = find(table, page, &found);
		uint64_t begin = page & ~(found.nr_pages - 1);
		if (is_there && found.level == 0) {
			page = walk_last(table, page, end, visit, context, &is_stopped);
			if (is_stopped)
				return page;
			continue;
		}
		if (is_there) {
			struct pagetable_page mapped = {
				.page = begin,
				.frame = frame_of(found.entry) & ~(found.nr_pages - 1),
				.order = found.level * LEVEL_BITS,
				.is_accessed = found.entry & BIT_ACCESSED,
				.is_written = found.entry & BIT_DIRTY,
			};
			if (!visit(context, &mapped))
				return page;
		}
		page = begin + found.nr_pages;
	}
	return end;
}
