/* SPDX-License-Identifier: MIT */
/* A CPU's own free pages: how many it takes at once, when they go back, and that none is lost. */
#include "test.h"

#include "base/random.h"
#include "sim/kernel/pcp.h"

#define PAGES_PER_MIB (MIB / 4096)

/* As a guest's /proc/zoneinfo showed them: batch and high of nodes of one CPU. */
static void test_pcp_is_as_large_as_in_life(void **state)
{
	static const struct {
		uint64_t managed, low, batch, high_min, high_max;
	} cases[] = {
		{ 80906, 375, 15, 375, 10113 },
		{ 193536, 928, 63, 928, 24192 },
		{ 512, 8, 1, 8, 64 },
		{ 1 << 20, 20000, 63, 20000, 131072 },
		{ 16 * PAGES_PER_MIB, 10, 1, 10, 512 },
		{ 64, 2, 1, 4, 8 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcp pcp;
		pcp_init(&pcp, cases[i].managed, cases[i].low, 1, 4096);
		assert_int_equal(pcp.batch, cases[i].batch);
		assert_int_equal(pcp.high_min, cases[i].high_min);
		assert_int_equal(pcp.high_max, cases[i].high_max);
		assert_int_equal(pcp_count(&pcp), 0);
	}
}

/* Each refill takes twice what the last one took, up to 32 batches: watermarks do not stop it. */
static void test_pcp_doubles_its_refills(void **state)
{
	static const uint64_t taken[] = { 15, 30, 60, 120, 240, 480, 480 };
	struct pcp pcp;
	struct pcp_zone zone = { .free_pages = 50000, .high_pages = 500 };
	pcp_init(&pcp, 80906, 375, 1, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		assert_true(pcp_alloc(&pcp, &zone, PCP_MOVABLE));
		assert_int_equal(pcp_count(&pcp), taken[i] - 1);
		for (uint64_t page = 1; page < taken[i]; page++)
			assert_true(pcp_alloc(&pcp, &zone, PCP_MOVABLE));
		assert_int_equal(pcp_count(&pcp), 0);
	}
	zone = (struct pcp_zone){ .free_pages = 100, .high_pages = 500, .least_pages = 90 };
	assert_true(pcp_alloc(&pcp, &zone, PCP_UNMOVABLE));
	assert_int_equal(pcp.counts[PCP_UNMOVABLE], 9);
	zone.free_pages = 80;
	assert_false(pcp_alloc(&pcp, &zone, PCP_MOVABLE));
}

/* What is freed is on the list until it goes back in lots: of both kinds together never more than
 * was asked for. */
static void test_pcp_keeps_what_is_freed(void **state)
{
	struct pcp pcp;
	struct pcp_zone zone = { .free_pages = 300, .high_pages = 500 };
	pcp_init(&pcp, 80906, 375, 1, 4096);
	for (uint64_t i = 1; i <= 300; i++) {
		pcp_free(&pcp, &zone);
		assert_int_equal(pcp_count(&pcp), i);
	}
	pcp.high = pcp.high_min;
	pcp.counts[PCP_MOVABLE] = 300;
	pcp.counts[PCP_UNMOVABLE] = 200;
	pcp_decay(&pcp);
	assert_int_equal(pcp_count(&pcp), pcp.high);
}

/* What kswapd frees first flushes the list, to four batches at most. */
static void test_pcp_is_flushed_by_what_reclaim_frees(void **state)
{
	struct pcp pcp;
	struct pcp_zone zone = { .free_pages = 300, .high_pages = 500, .is_reclaimed = true };
	pcp_init(&pcp, 80906, 375, 1, 4096);
	pcp.counts[PCP_MOVABLE] = 400;
	pcp.counts[PCP_UNMOVABLE] = 300;
	pcp.high = 5000;
	for (unsigned i = 0; i < 64; i++)
		pcp_free(&pcp, &zone);
	assert_true(pcp_count(&pcp) < 60);
	assert_int_equal(pcp.alloc_factor, 0);
}

static void test_pcp_decays_by_an_eighth(void **state)
{
	struct pcp pcp;
	pcp_init(&pcp, 80906, 375, 1, 4096);
	pcp.high = 800;
	pcp.counts[PCP_MOVABLE] = 790;
	pcp_decay(&pcp);
	assert_int_equal(pcp.high, 700);
	assert_int_equal(pcp_count(&pcp), 700);
	for (int i = 0; i < 20; i++)
		pcp_decay(&pcp);
	assert_int_equal(pcp_count(&pcp), 375);
	pcp_drain(&pcp);
	assert_int_equal(pcp_count(&pcp), 0);
}

/* Pages in use, of the zone and on the lists add up, whatever comes. */
static void test_pcp_loses_no_page(void **state)
{
	struct random random;
	struct pcp pcp;
	uint64_t used = 0, total = 20000;
	random_init(&random, 3);
	pcp_init(&pcp, total, 100, 1, 4096);
	for (int step = 0; step < 200000; step++) {
		struct pcp_zone zone = { .free_pages = total - used - pcp_count(&pcp),
					 .high_pages = 150,
					 .is_reclaimed = step % 1000 < 300 };
		if (random_below(&random, 1000) == 0)
			pcp_decay(&pcp);
		if (random_below(&random, 100) < 52)
			used += pcp_alloc(&pcp, &zone, random_below(&random, 9) == 0);
		else if (used > 0)
			pcp_free(&pcp, &zone), used--;
		assert_true(used + pcp_count(&pcp) <= total);
		assert_true(pcp.high >= pcp.high_min && pcp.high <= pcp.high_max);
	}
	assert_true(used > 0);
}
