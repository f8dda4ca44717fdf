/* SPDX-License-Identifier: MIT */
/* How fast pages may be moved, by figures worked out by hand. */
#include "test.h"

#include "linux/pace.h"
#include "linux/unmovable.h"

static void test_most_is_a_quarter_of_the_slowest_node(void **state)
{
	struct machine *machine;
	(void)state;
	assert_int_equal(machine_parse("node:dram:1GiB@80ns/100GBps:cpus=0 "
				       "node:cxl:1GiB@250ns/20GBps node:none:0:cpus=1",
				       &machine, NULL),
			 0);
	assert_int_equal(pace_most(machine), 5000000000u);
	machine_free(machine);
}

static void test_batches_are_spread_over_time(void **state)
{
	struct pace pace;
	(void)state;
	pace_init(&pace, 1000 * MIB, NS_PER_S);
	/* 8 MiB take 8 ms; 20 ms may be saved up. */
	assert_int_equal(pace_spend(&pace, 8 * MIB, 1, NS_PER_S), 0);
	assert_int_equal(pace_spend(&pace, 8 * MIB, 1, NS_PER_S), 0);
	assert_int_equal(pace_spend(&pace, 8 * MIB, 1, NS_PER_S), 4 * NS_PER_MS);
	assert_int_equal(pace_spend(&pace, 8 * MIB, 1, NS_PER_S), 12 * NS_PER_MS);
	assert_int_equal(pace_spend(&pace, 0, 1, NS_PER_S + 12 * NS_PER_MS), 0);
	assert_int_equal(pace_spend(&pace, 8 * MIB, 1, 5 * NS_PER_S), 0);
}

static void test_pressure_halves_and_time_heals(void **state)
{
	struct pace pace;
	(void)state;
	pace_init(&pace, 3200 * MIB, 0);
	pace_press(&pace, NS_PER_S);
	assert_int_equal(pace.now, 1600 * MIB);
	pace_press(&pace, NS_PER_S + PACE_PRESS_NS - 1); /* of the same pressure */
	assert_int_equal(pace.nr_halved, 1);
	pace_spend(&pace, 0, 0, 2 * NS_PER_S);
	assert_int_equal(pace.now, 1700 * MIB);
	pace_spend(&pace, 0, 0, 7 * NS_PER_S);
	assert_int_equal(pace.now, 2200 * MIB);
	pace_spend(&pace, 0, 0, 100 * NS_PER_S);
	assert_int_equal(pace.now, 3200 * MIB);
	/* 100 MiB in half a second was all that was reached. */
	pace_spend(&pace, 100 * MIB, NS_PER_S / 2, 101 * NS_PER_S);
	pace_press(&pace, 101 * NS_PER_S);
	assert_int_equal(pace.now, 100 * MIB);
	for (uint64_t i = 0; i < 20; i++)
		pace_press(&pace, (102 + i) * NS_PER_S);
	assert_int_equal(pace.now, PACE_LEAST_BYTES);
	assert_int_equal(pace.least_seen, PACE_LEAST_BYTES);
	assert_int_equal(pace.nr_halved, 22);
}

static void test_no_limit_where_no_bandwidth_is_known(void **state)
{
	struct pace pace;
	(void)state;
	pace_init(&pace, UINT64_MAX, 0);
	assert_int_equal(pace_spend(&pace, GIB, NS_PER_S, NS_PER_S), 0);
	pace_press(&pace, 2 * NS_PER_S);
	assert_int_equal(pace.now, GIB / 2);
	assert_in_range(pace_spend(&pace, GIB, NS_PER_S, 2 * NS_PER_S), NS_PER_S, 2 * NS_PER_S);
}

#define BIT(nr) ((uint64_t)1 << (nr))

static void test_kinds_of_unmovable_pages(void **state)
{
	static const struct {
		uint64_t flags, nr_mapped;
		enum unmovable_kind kind;
	} cases[] = {
		{ BIT(12) | BIT(11), 1, UNMOVABLE_PINNED },
		{ BIT(12) | BIT(11) | BIT(4), 1, UNMOVABLE_PINNED }, /* dirty means nothing here */
		{ BIT(12) | BIT(11), 2, UNMOVABLE_SHARED },
		{ BIT(12) | BIT(33), 1, UNMOVABLE_LOCKED },
		{ BIT(17) | BIT(12), 2, UNMOVABLE_HUGETLB },
		{ BIT(20), 0, UNMOVABLE_DEVICE },
		{ BIT(32), 0, UNMOVABLE_DEVICE },
		{ BIT(4), 1, UNMOVABLE_WRITING },
		{ BIT(14) | BIT(4), 1, UNMOVABLE_PINNED }, /* of a tmpfs */
		{ BIT(8), 1, UNMOVABLE_WRITING },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(unmovable_kind_of(cases[i].flags, cases[i].nr_mapped),
				 cases[i].kind);
	for (unsigned i = 0; i < UNMOVABLE_NR_KINDS; i++)
		assert_non_null(unmovable_kind_names[i]);
	assert_null(unmovable_kind_names[UNMOVABLE_NR_KINDS]);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Against an array: what is held, and how many of each kind. */
static void test_unmovable_pages_are_counted(void **state)
{
	enum { NR = 4096 };
	static uint8_t kinds[NR];
	struct unmovable unmovable;
	uint64_t seed = 42, counts[UNMOVABLE_NR_KINDS] = { 0 };
	(void)state;
	memset(kinds, 0, sizeof(kinds));
	assert_int_equal(unmovable_init(&unmovable), 0);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t page = next_random(&seed) % NR;
		enum unmovable_kind kind = next_random(&seed) % UNMOVABLE_NR_KINDS;
		if (kind == UNMOVABLE_NONE)
			unmovable_forget(&unmovable, 3, page);
		else
			unmovable_note(&unmovable, 3, page, kind, 0);
		kinds[page] = (uint8_t)kind;
	}
	for (uint64_t page = 0; page < NR; page++) {
		counts[kinds[page]] += kinds[page] != UNMOVABLE_NONE;
		assert_int_equal(unmovable_is_held(&unmovable, 3, page, NS_PER_S / 2),
				 kinds[page] != UNMOVABLE_NONE);
	}
	assert_memory_equal(counts, unmovable.nr_pages, sizeof(counts));
	assert_true(unmovable_is_valid(&unmovable));
	unmovable_fini(&unmovable);
}

/* 512 pages of a buffer that fail at once failed once. */
static void test_a_block_waits_together(void **state)
{
	struct unmovable unmovable;
	(void)state;
	assert_int_equal(unmovable_init(&unmovable), 0);
	for (uint64_t page = 0; page < UNMOVABLE_PAGES; page++)
		unmovable_note(&unmovable, 0, page, UNMOVABLE_PINNED, 0);
	assert_true(unmovable_is_held(&unmovable, 0, 0, UNMOVABLE_FIRST_NS - 1));
	assert_false(unmovable_is_held(&unmovable, 0, 0, UNMOVABLE_FIRST_NS));
	uint64_t now_ns = UNMOVABLE_FIRST_NS;
	for (uint64_t page = 0; page < UNMOVABLE_PAGES; page++)
		unmovable_note(&unmovable, 0, page, UNMOVABLE_PINNED, now_ns);
	assert_true(unmovable_is_held(&unmovable, 0, 9, now_ns + 2 * UNMOVABLE_FIRST_NS - 1));
	assert_false(unmovable_is_held(&unmovable, 0, 9, now_ns + 2 * UNMOVABLE_FIRST_NS));
	assert_int_equal(unmovable.nr_pages[UNMOVABLE_PINNED], UNMOVABLE_PAGES);
	unmovable_fini(&unmovable);
}
