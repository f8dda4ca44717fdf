/* SPDX-License-Identifier: MIT */
/* The mappings of a space; areas.h has the picture. */
#include "sim/kernel/areas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first area that ends above the page; areas->nr when there is none. */
static size_t at_or_above(const struct areas *areas, uint64_t page)
{
	size_t low = 0, high = areas->nr;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (areas->items[middle].end > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool holds(const struct scan_area *area, uint64_t page)
{
	return page >= area->start && page < area->end;
}

struct scan_area *areas_find(struct areas *areas, uint64_t page)
{
	if (areas->last < areas->nr && holds(&areas->items[areas->last], page))
		return &areas->items[areas->last];
	size_t at = at_or_above(areas, page);
	if (at == areas->nr || !holds(&areas->items[at], page))
		return NULL;
	areas->last = at;
	return &areas->items[at];
}

bool areas_overlap(const struct areas *areas, uint64_t page, uint64_t nr_pages)
{
	size_t at = at_or_above(areas, page);
	return at < areas->nr &&
	       (areas->items[at].start < page || areas->items[at].start - page < nr_pages);
}

static void remove_at(struct areas *areas, size_t at)
{
	memmove(&areas->items[at], &areas->items[at + 1],
		(areas->nr - at - 1) * sizeof(*areas->items));
	areas->nr--;
}

static int make_room(struct areas *areas)
{
	if (areas->nr < areas->max)
		return 0;
	size_t max = areas->max ? areas->max * 2 : 16;
	struct scan_area *items = realloc(areas->items, max * sizeof(*items));
	if (!items)
		return -ENOMEM;
	areas->items = items;
	areas->max = max;
	return 0;
}

static int insert_at(struct areas *areas, size_t at, const struct scan_area *area)
{
	if (make_room(areas))
		return -ENOMEM;
	memmove(&areas->items[at + 1], &areas->items[at], (areas->nr - at) * sizeof(*areas->items));
	areas->items[at] = *area;
	areas->nr++;
	return 0;
}

/* A neighbour that was made from pages may take in another page; a real mapping may not. */
static struct scan_area *stretchable(struct areas *areas, size_t at)
{
	return at < areas->nr && areas->items[at].kind == AREA_UNKNOWN ? &areas->items[at] : NULL;
}

/* The two neighbours of a page that no area holds: is one near enough to take it? */
static bool join(struct areas *areas, size_t above, uint64_t page, uint64_t gap)
{
	struct scan_area *next = stretchable(areas, above);
	struct scan_area *previous = above > 0 ? stretchable(areas, above - 1) : NULL;
	bool near_next = next && next->start - page <= gap;
	bool near_previous = previous && page - previous->end < gap;
	if (near_previous && near_next) {
		previous->end = next->end;
		remove_at(areas, above);
	} else if (near_previous) {
		previous->end = page + 1;
	} else if (near_next) {
		next->start = page;
	}
	return near_previous || near_next;
}

int areas_touch(struct areas *areas, uint64_t page)
{
	if (areas_find(areas, page))
		return 0;
	size_t above = at_or_above(areas, page);
	if (join(areas, above, page, AREAS_GAP))
		return 0;
	if (areas->nr >= AREAS_MAX) {
		join(areas, above, page, UINT64_MAX);
		return 0;
	}
	struct scan_area area = { .start = page,
				  .end = page + 1,
				  .protection = AREA_READ | AREA_WRITE };
	return insert_at(areas, above, &area);
}

enum area_kind area_kind_of(const char *name)
{
	static const struct {
		const char *name;
		enum area_kind kind;
	} rows[] = {
		{ "[anon]", AREA_ANONYMOUS }, { "[heap]", AREA_ANONYMOUS },
		{ "[bss]", AREA_BSS },	      { "[stack", AREA_STACK },
		{ "[shm]", AREA_SHARED },     { "[vdso]", AREA_CODE },
		{ "[vvar", AREA_SPECIAL },    { "[vsyscall]", AREA_SPECIAL },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strncmp(name, rows[i].name, strlen(rows[i].name)) == 0)
			return rows[i].kind;
	return AREA_FILE;
}

static void judge(struct scan_area *area)
{
	bool is_read_only = area->protection & AREA_READ && !(area->protection & AREA_WRITE);
	area->is_unsuitable = area->kind == AREA_SPECIAL || area->protection == 0 ||
			      (area->kind == AREA_FILE && is_read_only);
}

static void forget_scans(struct scan_area *area)
{
	*area = (struct scan_area){ .start = area->start,
				    .end = area->end,
				    .is_unsuitable = area->is_unsuitable,
				    .kind = area->kind,
				    .protection = area->protection,
				    .advice = area->advice };
}

/* Makes `page` an edge between areas. The piece on the side away from the change is a new one. */
static int cut(struct areas *areas, uint64_t page, bool is_upper_new)
{
	size_t at = at_or_above(areas, page);
	if (at == areas->nr || areas->items[at].start >= page || areas->nr >= AREAS_MAX)
		return 0;
	struct scan_area upper = areas->items[at];
	upper.start = page;
	if (insert_at(areas, at + 1, &upper))
		return -ENOMEM;
	areas->items[at].end = page;
	forget_scans(&areas->items[is_upper_new ? at + 1 : at]);
	return 0;
}

struct range {
	uint64_t start, end;
};

static struct range range_of(uint64_t page, uint64_t nr_pages)
{
	return (struct range){ page, page + MIN(nr_pages, UINT64_MAX - page) };
}

/* Cuts at both ends; ret_from, ret_to: the areas that lie wholly inside. */
static int cut_out(struct areas *areas, struct range range, size_t *ret_from, size_t *ret_to)
{
	if (range.start >= range.end) {
		*ret_from = *ret_to = 0;
		return 0;
	}
	if (cut(areas, range.start, false) || cut(areas, range.end, true))
		return -ENOMEM;
	size_t from = at_or_above(areas, range.start), to = from;
	/* An area that could not be cut, because there are too many, stays as it is. */
	if (from < areas->nr && areas->items[from].start < range.start)
		from = to = from + 1;
	while (to < areas->nr && areas->items[to].end <= range.end)
		to++;
	*ret_from = from;
	*ret_to = to;
	return 0;
}

static bool are_alike(const struct scan_area *a, const struct scan_area *b)
{
	return a->kind == AREA_ANONYMOUS && b->kind == AREA_ANONYMOUS && a->end == b->start &&
	       a->protection == b->protection && a->advice == b->advice;
}

/* Joins alike neighbours among areas [from - 1, to]; the lower keeps what is noted in it. */
static void merge(struct areas *areas, size_t from, size_t to)
{
	size_t at = MIN(to, areas->nr ? areas->nr - 1 : 0);
	for (; at > 0 && at + 1 > from; at--) {
		if (!are_alike(&areas->items[at - 1], &areas->items[at]))
			continue;
		areas->items[at - 1].end = areas->items[at].end;
		remove_at(areas, at);
	}
}

int areas_unmap(struct areas *areas, uint64_t page, uint64_t nr_pages)
{
	size_t from = 0, to = 0;
	if (cut_out(areas, range_of(page, nr_pages), &from, &to))
		return -ENOMEM;
	if (from < to)
		memmove(&areas->items[from], &areas->items[to],
			(areas->nr - to) * sizeof(*areas->items));
	areas->nr -= to - from;
	return 0;
}

static int put(struct areas *areas, struct range range, const struct scan_area *like)
{
	struct scan_area area = { .start = range.start,
				  .end = range.end,
				  .kind = like->kind,
				  .protection = like->protection,
				  .advice = like->advice };
	size_t at = at_or_above(areas, range.start);
	if (range.start >= range.end || areas->nr >= AREAS_MAX ||
	    (at < areas->nr && areas->items[at].start < range.end))
		return 0;
	judge(&area);
	if (insert_at(areas, at, &area))
		return -ENOMEM;
	merge(areas, at, at + 1);
	return 0;
}

int areas_map(struct areas *areas, uint64_t page, uint64_t nr_pages, enum area_kind kind,
	      uint32_t protection)
{
	struct scan_area area = { .kind = (uint8_t)kind, .protection = (uint8_t)protection };
	int error = areas_unmap(areas, page, nr_pages);
	return error ? error : put(areas, range_of(page, nr_pages), &area);
}

int areas_protect(struct areas *areas, uint64_t page, uint64_t nr_pages, uint32_t protection)
{
	size_t from = 0, to = 0;
	if (cut_out(areas, range_of(page, nr_pages), &from, &to))
		return -ENOMEM;
	for (size_t i = from; i < to; i++) {
		areas->items[i].protection = (uint8_t)protection;
		judge(&areas->items[i]);
	}
	merge(areas, from, to);
	return 0;
}

int areas_advise(struct areas *areas, uint64_t page, uint64_t nr_pages, enum area_advice advice)
{
	size_t from = 0, to = 0;
	if (cut_out(areas, range_of(page, nr_pages), &from, &to))
		return -ENOMEM;
	for (size_t i = from; i < to; i++)
		areas->items[i].advice = (uint8_t)advice;
	merge(areas, from, to);
	return 0;
}

/* One mapping moves at a time: mremap refuses ranges of several. */
int areas_move(struct areas *areas, uint64_t from, uint64_t to, uint64_t nr_pages)
{
	const struct scan_area *source = areas_find(areas, from);
	struct scan_area like = source ? *source
				       : (struct scan_area){ .protection = AREA_READ | AREA_WRITE };
	int error = areas_unmap(areas, to, nr_pages);
	if (!error)
		error = areas_unmap(areas, from, nr_pages);
	return error ? error : put(areas, range_of(to, nr_pages), &like);
}

void areas_fini(struct areas *areas)
{
	free(areas->items);
	*areas = (struct areas){ 0 };
}

bool areas_is_valid(const struct areas *areas)
{
	for (size_t i = 0; i < areas->nr; i++) {
		if (areas->items[i].start >= areas->items[i].end)
			return false;
		if (i > 0 && areas->items[i - 1].end > areas->items[i].start)
			return false;
	}
	return areas->nr <= AREAS_MAX;
}
