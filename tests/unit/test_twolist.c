/* SPDX-License-Identifier: MIT */
/*
 * The LRU of two lists against the kernel's rules: scripted sequences with the lists that they must
 * leave behind, entries of unequal weight, and lists that stay whole under a random script.
 */
#include "test.h"

#include "base/random.h"
#include "sim/kernel/lru.h"

#define NR 64

struct ring { /* pages 0..63 and large folios of 4 pages */
	struct twolist lru;
	struct lru_pages pages;
	bool young[NR], refuses;
	char gone[256];
	size_t nr_gone;
};

static bool ring_young(void *context, uint32_t entry)
{
	struct ring *ring = context;
	bool *young = &ring->young[(entry & ~LRU_LARGE) + (entry & LRU_LARGE ? NR / 2 : 0)];
	bool was = *young;
	*young = false;
	return was;
}

static int64_t ring_evict(void *context, uint32_t node, uint32_t entry)
{
	struct ring *ring = context;
	if (ring->refuses)
		return -1;
	ring->nr_gone += (size_t)snprintf(ring->gone + ring->nr_gone,
					  sizeof(ring->gone) - ring->nr_gone, "%s%u ",
					  entry & LRU_LARGE ? "L" : "", entry & ~LRU_LARGE);
	return (int64_t)lru_weight(&ring->pages, entry);
}

static const struct lru_ops ring_ops = { .clear_young = ring_young, .evict = ring_evict };

static void ring_init(struct ring *ring)
{
	*ring = (struct ring){ .pages.large_pages = 4 };
	twolist_init(&ring->lru, 4096);
	assert_int_equal(lru_pages_grow(&ring->pages, NR), 0);
	assert_int_equal(lru_pages_grow_large(&ring->pages, NR / 2), 0);
}

static void ring_fini(struct ring *ring)
{
	assert_true(twolist_is_valid(&ring->lru, &ring->pages));
	lru_pages_fini(&ring->pages);
}

static void list_to_text(const struct lru_list *list, const struct lru_pages *pages, char *text)
{
	size_t at = 0;
	for (uint32_t entry = list->newest; entry != LRU_NONE;
	     entry = lru_link_of(pages, entry)->older)
		at += (size_t)sprintf(text + at, "%s%u%s ", entry & LRU_LARGE ? "L" : "",
				      entry & ~LRU_LARGE,
				      twolist_is_marked(pages, entry) ? "'" : "");
	text[at] = '\0';
}

/* Both lists from young to old; an apostrophe is the mark. */
static void expect(const struct ring *ring, const char *active, const char *inactive)
{
	char text[1024];
	list_to_text(&ring->lru.active, &ring->pages, text);
	assert_string_equal(text, active);
	list_to_text(&ring->lru.inactive, &ring->pages, text);
	assert_string_equal(text, inactive);
	assert_true(twolist_is_valid(&ring->lru, &ring->pages));
}

static uint64_t visit(struct ring *ring, uint32_t priority, uint64_t budget, bool is_direct)
{
	struct lru_shrink shrink = { .priority = priority,
				     .budget_pages = budget,
				     .is_direct = is_direct,
				     .is_below_high = true };
	twolist_shrink(&ring->lru, &ring->pages, &shrink, &ring_ops, ring);
	return shrink.nr_reclaimed;
}

/* Used once: marked, and round again. Used twice: active. Not used: out. */
static void test_twolist_activates_at_the_second_use(void **state)
{
	struct ring ring;
	ring_init(&ring);
	for (uint32_t i = 0; i < 8; i++)
		twolist_add(&ring.lru, &ring.pages, i, false);
	expect(&ring, "", "7 6 5 4 3 2 1 0 ");
	ring.young[0] = ring.young[2] = true;
	assert_int_equal(visit(&ring, 1, 100, true), 2); /* looks at 8 >> 1 */
	expect(&ring, "", "2' 0' 7 6 5 4 ");
	assert_string_equal(ring.gone, "1 3 ");
	ring.young[0] = true;
	assert_int_equal(visit(&ring, 0, 100, true), 5);
	/* Activated; but then inactive was low, and it came down. */
	expect(&ring, "", "0' ");
	assert_string_equal(ring.gone, "1 3 4 5 6 7 2 ");
	assert_int_equal(ring.lru.nr_activate, 1);
	assert_int_equal(ring.lru.nr_deactivate, 1);
	assert_int_equal(ring.lru.nr_scanned, 10);
	ring_fini(&ring);
}

/* What falls off the active list does so young or not; the mark brings it back at its next use. */
static void test_twolist_deactivates_whatever_is_young(void **state)
{
	struct ring ring;
	ring_init(&ring);
	for (uint32_t i = 0; i < 6; i++)
		twolist_add(&ring.lru, &ring.pages, i, true);
	twolist_mark(&ring.pages, 1);
	ring.young[0] = ring.young[1] = true;
	assert_true(twolist_inactive_is_low(&ring.lru));
	/* kswapd ages a cluster before anything else; then nothing is low, and 6 >> 2 is looked at.
	 */
	assert_int_equal(visit(&ring, 2, 100, false), 1);
	expect(&ring, "", "5 4 3 2 1' ");
	assert_string_equal(ring.gone, "0 ");
	ring.young[1] = true;
	visit(&ring, 2, 100, false);
	expect(&ring, "1' ", "5 4 3 2 ");
	ring_fini(&ring);
}

/* What is refused (no room below) is activated, and the list is not looked at for ever. */
static void test_twolist_activates_what_cannot_go(void **state)
{
	struct ring ring;
	ring_init(&ring);
	for (uint32_t i = 0; i < 4; i++)
		twolist_add(&ring.lru, &ring.pages, i, false);
	ring.refuses = true;
	assert_int_equal(visit(&ring, 0, 100, true), 0);
	/* All four were activated; inactive was low then, so they came back. */
	expect(&ring, "", "3 2 1 0 ");
	assert_int_equal(ring.lru.nr_activate, 4);
	assert_int_equal(ring.lru.nr_deactivate, 4);
	ring_fini(&ring);
}

/* With plenty free, swappiness lets 60 in 200 of what is looked at be anonymous. */
static void test_twolist_keeps_to_swappiness(void **state)
{
	struct ring ring;
	struct lru_shrink shrink = { .priority = 1, .budget_pages = 100, .is_direct = true };
	ring_init(&ring);
	for (uint32_t i = 0; i < 40; i++)
		twolist_add(&ring.lru, &ring.pages, i, false);
	twolist_shrink(&ring.lru, &ring.pages, &shrink, &ring_ops, &ring);
	assert_int_equal(shrink.nr_scanned, 6); /* 40 >> 1, x 60 / 200 */
	assert_int_equal(shrink.nr_reclaimed, 6);
	ring_fini(&ring);
}

/* A batch is 32 pages; after one, a visit that has what it wants stops, but not direct reclaim at
 * the default priority. */
static void test_twolist_stops_when_it_has_enough(void **state)
{
	struct ring ring;
	ring_init(&ring);
	for (uint32_t i = 0; i < NR; i++)
		twolist_add(&ring.lru, &ring.pages, i, false);
	assert_int_equal(visit(&ring, 0, 10, false), 32);
	assert_int_equal(ring.lru.inactive.nr_pages, 32);
	ring_fini(&ring);
}

/* A large folio is one entry that weighs all its pages. */
static void test_twolist_weighs_large_folios(void **state)
{
	struct ring ring;
	ring_init(&ring);
	twolist_add(&ring.lru, &ring.pages, LRU_LARGE | 3, false);
	twolist_add(&ring.lru, &ring.pages, 3, false);
	twolist_add(&ring.lru, &ring.pages, LRU_LARGE | 0, true);
	assert_int_equal(ring.lru.inactive.nr_pages, 5);
	assert_int_equal(ring.lru.active.nr_pages, 4);
	assert_int_equal(ring.pages.nr_entries, 3);
	assert_int_equal(visit(&ring, 1, 100, true), 4); /* 5 >> 1: the oldest covers them */
	assert_string_equal(ring.gone, "L3 ");
	/* Inactive was low at the end: the active one came down. */
	expect(&ring, "", "L0 3 ");
	assert_int_equal(ring.pages.nr_entries, 2);
	assert_int_equal(ring.pages.peak_entries, 3);
	ring_fini(&ring);
}

/* inactive_is_low: the ratio is sqrt(10 x GiB), 1 below a GiB. */
static void test_twolist_ratio_grows_with_memory(void **state)
{
	static const struct {
		uint64_t gib, ratio;
	} rows[] = { { 0, 1 }, { 1, 3 }, { 10, 10 }, { 100, 31 }, { 1024, 101 } };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct twolist lru;
		uint64_t total = rows[i].gib ? rows[i].gib << 18 : 1 << 17;
		twolist_init(&lru, 4096);
		lru.inactive.nr_pages = total / (rows[i].ratio + 1) + 1;
		lru.active.nr_pages = total - lru.inactive.nr_pages;
		assert_false(twolist_inactive_is_low(&lru));
		lru.inactive.nr_pages -= 2;
		lru.active.nr_pages += 2;
		assert_true(twolist_inactive_is_low(&lru));
	}
}

/* Through the dispatcher: a move keeps what an entry was; both kinds hold all that was added. */
static void test_lru_keeps_its_entries(void **state)
{
	for (int is_gen = 0; is_gen <= 1; is_gen++) {
		struct lru nodes[2];
		struct lru_pages pages = { .large_pages = 512 };
		struct random random;
		int node[NR];
		random_init(&random, 5);
		lru_init(&nodes[0], is_gen, 4096);
		lru_init(&nodes[1], is_gen, 4096);
		assert_int_equal(lru_pages_grow(&pages, NR), 0);
		for (int i = 0; i < NR; i++)
			node[i] = -1;
		for (int step = 0; step < 20000; step++) {
			uint32_t page = (uint32_t)random_below(&random, NR);
			if (node[page] < 0) {
				node[page] = (int)random_below(&random, 2);
				lru_add(&nodes[node[page]], &pages, page, page % 2);
			} else if (random_below(&random, 3) == 0) {
				lru_del(&nodes[node[page]], &pages, page);
				node[page] = -1;
			} else {
				bool was = lru_is_active(&nodes[node[page]], &pages, page);
				lru_move(&nodes[node[page]], &nodes[!node[page]], &pages, page);
				node[page] = !node[page];
				assert_true(!was ||
					    lru_is_active(&nodes[node[page]], &pages, page));
			}
		}
		uint64_t present = 0;
		for (int i = 0; i < NR; i++) {
			assert_int_equal(lru_is_listed(&pages, (uint32_t)i), node[i] >= 0);
			present += node[i] >= 0;
		}
		assert_int_equal(lru_nr_total(&nodes[0]) + lru_nr_total(&nodes[1]), present);
		assert_int_equal(pages.nr_entries, present);
		assert_true(lru_is_valid(&nodes[0], &pages) && lru_is_valid(&nodes[1], &pages));
		lru_pages_fini(&pages);
	}
}
