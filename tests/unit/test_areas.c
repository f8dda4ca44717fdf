/* SPDX-License-Identifier: MIT */
/*
 * Areas against a naive oracle: an array with what each page is mapped as. And what the scanner's
 * notes go through when areas are cut and joined.
 */
#include "test.h"

#include "base/random.h"
#include "sim/kernel/areas.h"

#define PAGES 256

struct cell { /* of the oracle; kind 0: not mapped */
	uint8_t kind, protection, advice;
};

static void check(struct areas *areas, const struct cell *cells)
{
	assert_true(areas_is_valid(areas));
	for (uint64_t page = 0; page < PAGES; page++) {
		const struct scan_area *area = areas_find(areas, page);
		assert_int_equal(area != NULL, cells[page].kind != 0);
		if (!area)
			continue;
		assert_int_equal(area->kind, cells[page].kind);
		assert_int_equal(area->protection, cells[page].protection);
		assert_int_equal(area->advice, cells[page].advice);
	}
	for (size_t i = 1; i < areas->nr; i++) { /* what is alike is one */
		const struct scan_area *a = &areas->items[i - 1], *b = &areas->items[i];
		assert_false(a->end == b->start && a->kind == AREA_ANONYMOUS &&
			     b->kind == AREA_ANONYMOUS && a->protection == b->protection &&
			     a->advice == b->advice);
	}
}

static void change(struct areas *areas, struct cell *cells, struct random *random)
{
	uint64_t page = random_below(random, PAGES);
	uint64_t nr = 1 + random_below(random, PAGES - page);
	uint8_t value = (uint8_t)random_below(random, 3);
	switch (random_below(random, 4)) {
	case 0:
		areas_map(areas, page, nr, AREA_ANONYMOUS + value, value + 1);
		for (uint64_t i = page; i < page + nr; i++)
			cells[i] = (struct cell){ AREA_ANONYMOUS + value, value + 1, 0 };
		break;
	case 1:
		nr = MIN(nr, 20);
		areas_unmap(areas, page, nr);
		memset(&cells[page], 0, nr * sizeof(*cells));
		break;
	case 2:
		areas_protect(areas, page, nr, value);
		for (uint64_t i = page; i < page + nr; i++)
			cells[i].protection = cells[i].kind ? value : 0;
		break;
	default:
		areas_advise(areas, page, nr, value);
		for (uint64_t i = page; i < page + nr; i++)
			cells[i].advice = cells[i].kind ? value : 0;
	}
}

static void test_areas_agree_with_an_array(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct areas areas = { 0 };
		struct cell cells[PAGES] = { 0 };
		struct random random;
		random_init(&random, seed);
		for (int step = 0; step < 300; step++) {
			change(&areas, cells, &random);
			check(&areas, cells);
		}
		areas_fini(&areas);
	}
}

/* What stays of a cut area is new to the scanner; what is joined keeps what the lower had. */
static void test_areas_forget_what_was_noted_in_a_cut_one(void **state)
{
	struct areas areas = { 0 };
	areas_map(&areas, 100, 100, AREA_ANONYMOUS, 3);
	areas.items[0].is_known = true;
	areas_unmap(&areas, 150, 10);
	assert_int_equal(areas.nr, 2);
	assert_false(areas.items[0].is_known || areas.items[1].is_known);
	areas.items[0].is_known = true;
	areas_map(&areas, 150, 10, AREA_ANONYMOUS, 3);
	assert_int_equal(areas.nr, 1);
	assert_true(areas.items[0].is_known);
	assert_int_equal(areas.items[0].end, 200);
	/* mprotect: the middle keeps it. */
	areas_protect(&areas, 120, 10, 1);
	assert_int_equal(areas.nr, 3);
	assert_true(areas.items[1].is_known);
	assert_false(areas.items[0].is_known || areas.items[2].is_known);
	areas_fini(&areas);
}

/* The heap begins where the image's own memory ends, and is a mapping by itself. */
static void test_areas_keep_bss_and_heap_apart(void **state)
{
	struct areas areas = { 0 };
	areas_map(&areas, 100, 6, area_kind_of("[bss]"), 3);
	areas_map(&areas, 106, 1, area_kind_of("[heap]"), 3);
	areas_map(&areas, 107, 33, area_kind_of("[heap]"), 3);
	assert_int_equal(areas.nr, 2);
	assert_int_equal(areas.items[0].end, 106);
	assert_int_equal(areas.items[1].end, 140);
	areas_fini(&areas);
}

static void test_areas_know_what_the_scanner_passes_over(void **state)
{
	static const struct {
		const char *name;
		uint32_t protection;
		enum area_kind kind;
		bool is_unsuitable;
	} rows[] = {
		{ "[anon]", 3, AREA_ANONYMOUS, false },
		{ "[anon]", 1, AREA_ANONYMOUS, false },
		{ "[anon]", 0, AREA_ANONYMOUS, true }, /* a guard */
		{ "[heap]", 3, AREA_ANONYMOUS, false },
		{ "[bss]", 3, AREA_BSS, false },
		{ "[stack]", 3, AREA_STACK, false },
		{ "[shm]", 3, AREA_SHARED, false },
		{ "[vdso]", 5, AREA_CODE, false }, /* no file is behind it */
		{ "[vvar]", 1, AREA_SPECIAL, true },
		{ "/usr/lib/libc.so.6", 5, AREA_FILE, true },
		{ "/usr/lib/libc.so.6", 3, AREA_FILE, false },
		{ "", 1, AREA_FILE, true },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct areas areas = { 0 };
		areas_map(&areas, 10, 10, area_kind_of(rows[i].name), rows[i].protection);
		assert_int_equal(areas.items[0].kind, rows[i].kind);
		assert_int_equal(areas.items[0].is_unsuitable, rows[i].is_unsuitable);
		areas_fini(&areas);
	}
}

static void test_areas_move_with_what_they_are(void **state)
{
	struct areas areas = { 0 };
	areas_map(&areas, 0, 100, AREA_ANONYMOUS, 3);
	areas_advise(&areas, 0, 100, AREA_HUGE);
	areas_map(&areas, 1000, 50, AREA_FILE, 1);
	areas_move(&areas, 20, 1010, 30);
	assert_null(areas_find(&areas, 20));
	assert_null(areas_find(&areas, 49));
	assert_int_equal(areas_find(&areas, 1010)->advice, AREA_HUGE);
	assert_int_equal(areas_find(&areas, 1039)->kind, AREA_ANONYMOUS);
	assert_int_equal(areas_find(&areas, 1040)->kind, AREA_FILE);
	assert_int_equal(areas.nr, 5);
	areas_fini(&areas);
}

/* Touched pages never stretch a real mapping; ranges past the last page end there. */
static void test_areas_hold_real_mappings_and_touched_pages(void **state)
{
	struct areas areas = { 0 };
	areas_map(&areas, 1000, 10, AREA_ANONYMOUS, 3);
	areas_touch(&areas, 1010);
	areas_touch(&areas, 1020);
	areas_touch(&areas, 995);
	assert_int_equal(areas.nr, 3);
	assert_int_equal(areas_find(&areas, 1009)->kind, AREA_ANONYMOUS);
	assert_int_equal(areas_find(&areas, 1015)->kind, AREA_UNKNOWN);
	areas_map(&areas, 1012, 3, AREA_FILE, 3); /* what nobody knew turns out to be this */
	assert_int_equal(areas_find(&areas, 1014)->kind, AREA_FILE);
	assert_int_equal(areas_find(&areas, 1011)->kind, AREA_UNKNOWN);
	areas_map(&areas, UINT64_MAX - 5, UINT64_MAX, AREA_ANONYMOUS, 3);
	areas_unmap(&areas, 0, UINT64_MAX);
	assert_int_equal(areas.nr, 0);
	areas_map(&areas, 7, 0, AREA_ANONYMOUS, 3);
	assert_int_equal(areas.nr, 0);
	areas_fini(&areas);
}

/* Beyond the limit nothing is cut, and nothing breaks. */
static void test_areas_stop_at_their_limit(void **state)
{
	struct areas areas = { 0 };
	for (uint64_t i = 0; i < AREAS_MAX + 10; i++)
		areas_map(&areas, i * 10, 5, AREA_FILE, 3);
	assert_int_equal(areas.nr, AREAS_MAX);
	areas_unmap(&areas, 2, 1);
	assert_int_equal(areas.nr, AREAS_MAX);
	areas_protect(&areas, 12, 20, 1);
	areas_touch(&areas, (AREAS_MAX + 5) * 10);
	assert_true(areas_is_valid(&areas));
	areas_unmap(&areas, 2, 100);
	assert_true(areas.nr < AREAS_MAX);
	areas_fini(&areas);
}
