/* SPDX-License-Identifier: MIT */
/* The folio table against a flat array, its size, and heat. */
#include "test.h"

#include "base/random.h"
#include "mem/folio.h"

#define SPACES 3
#define PAGES  512

static void test_folio_equals_array(void **state)
{
	static uint32_t ids[SPACES][PAGES];
	struct folio_table *table = NULL;
	struct random random;
	uint64_t nr = 0;
	(void)state;
	assert_int_equal(folio_table_new(&table), 0);
	random_init(&random, 7);
	for (uint32_t i = 0; i < SPACES * PAGES; i++)
		ids[i / PAGES][i % PAGES] = FOLIO_NONE;
	for (int step = 0; step < 50000; step++) {
		uint32_t space = (uint32_t)random_below(&random, SPACES);
		uint64_t page = random_below(&random, PAGES);
		uint32_t *id = &ids[space][page];
		assert_int_equal(folio_find(table, space, page, 0), *id);
		if (*id == FOLIO_NONE) {
			assert_int_equal(folio_add(table, space, page, 0, id), 0);
			nr++;
		} else if (random_below(&random, 3)) {
			uint32_t other = 0;
			assert_int_equal(folio_add(table, space, page, 0, &other), -EEXIST);
			assert_int_equal(folio_get(table, *id)->page, page);
		} else {
			folio_del(table, *id);
			*id = FOLIO_NONE;
			nr--;
		}
		assert_int_equal(folio_nr(table), nr);
		if (step % 5000 == 0)
			assert_true(folio_table_is_valid(table));
	}
	assert_true(folio_table_is_valid(table));
	assert_true(folio_id_end(table) <= SPACES * PAGES);
	folio_table_free(table);
}

static void test_folio_orders_are_kept_apart(void **state)
{
	struct folio_table *table = NULL;
	uint32_t small = 0, large = 0, none = 0;
	(void)state;
	assert_int_equal(folio_table_new(&table), 0);
	assert_int_equal(folio_add(table, 1, 512, 0, &small), 0);
	assert_int_equal(folio_add(table, 1, 512, 9, &large), 0);
	assert_int_not_equal(small, large);
	assert_int_equal(folio_find(table, 1, 512, 9), large);
	assert_int_equal(folio_get(table, large)->order, 9);
	assert_int_equal(folio_add(table, 1, 513, 9, &none), -EINVAL);
	assert_int_equal(folio_add(table, 1, FOLIO_PAGE_MAX + 1, 0, &none), -EINVAL);
	assert_int_equal(folio_add(table, 1, 0, FOLIO_ORDER_MAX + 1, &none), -EINVAL);
	assert_int_equal(folio_find(table, 2, 512, 0), FOLIO_NONE);
	folio_table_free(table);
}

static void test_folio_takes_at_most_32_bytes(void **state)
{
	struct folio_table *table = NULL;
	uint32_t id = 0;
	(void)state;
	assert_int_equal(folio_table_new(&table), 0);
	for (uint64_t i = 1; i <= 300000; i++) {
		assert_int_equal(folio_add(table, 0, i * 3, 0, &id), 0);
		if (i % 10000 == 0 && i >= 100000)
			assert_true(folio_table_bytes(table) <= 32 * i);
	}
	folio_table_free(table);
}

static void test_folio_heat_halves(void **state)
{
	struct folio folio = { 0 };
	(void)state;
	folio_warm(&folio, 10, 4);
	assert_int_equal(folio.heat, FOLIO_HEAT_HIT);
	assert_int_equal(folio_heat_at(&folio, 13, 4), FOLIO_HEAT_HIT);
	assert_int_equal(folio_heat_at(&folio, 14, 4), FOLIO_HEAT_HIT / 2);
	assert_int_equal(folio_heat_at(&folio, 10 + 4 * 16, 4), 0);
	for (int i = 0; i < 10000; i++)
		folio_warm(&folio, 10, 0);
	assert_int_equal(folio.heat, FOLIO_HEAT_MAX);
	assert_null(folio_table_free(NULL));
}
