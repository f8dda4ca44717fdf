/* SPDX-License-Identifier: MIT */
/* Round trips: a table of moves by hand, and random moves against a list of all of them. */
#include "test.h"

#include "base/random.h"
#include "sim/kernel.h"
#include "sim_fixture.h"

#define NR_PAGES 50
#define NR_NODES 4
#define FAR	 (TRIPS_WINDOW_NS + NS_PER_MS)

/* Two fast nodes, two slow ones. */
#define FOUR                                                                                       \
	"node:dram:4MiB@80ns/100GBps:cpus=0 node:dram:4MiB@80ns/100GBps:cpus=1 "                   \
	"node:cxl:4MiB@250ns/30GBps node:cxl:4MiB@250ns/30GBps"

struct world {
	struct machine *machine;
	struct cost_model *cost;
	struct cost_account account;
	struct kernel *kernel;
};

static void world_init(struct world *world)
{
	uint64_t capacity[NR_NODES];
	world->machine = machine_of(FOUR);
	assert_int_equal(cost_model_new(world->machine, 4096, 64, NULL, &world->cost, NULL), 0);
	assert_int_equal(cost_account_init(&world->account, world->cost), 0);
	for (uint32_t i = 0; i < NR_NODES; i++)
		capacity[i] = cost_capacity_pages(world->cost, i);
	assert_int_equal(kernel_new(kernel_find("interleave"), world->cost, &world->account,
				    capacity, NULL, 0, &world->kernel, NULL),
			 0);
	assert_int_equal(kernel_grow(world->kernel, NR_PAGES), 0);
}

static void world_free(struct world *world)
{
	kernel_free(world->kernel);
	cost_account_fini(&world->account);
	cost_model_free(world->cost);
	machine_free(world->machine);
}

static void test_trips_count_the_way_back_within_the_window(void **state)
{
	static const struct {
		uint64_t after_ns; /* since the last line */
		uint32_t to;
		uint64_t nr; /* round trips until then */
	} moves[] = {
		{ NS_PER_S, 2, 0 },	   /* from 0: the first move is never one */
		{ NS_PER_S, 0, 1 },	   /* back */
		{ TRIPS_WINDOW_NS, 2, 1 }, /* too late */
		{ NS_PER_S, 1, 2 },	   /* another node, but the tier it came from */
		{ NS_PER_S, 0, 2 },	   /* within the tier, to where it has not been */
		{ NS_PER_S, 1, 3 },	   /* within the tier, back */
		{ NS_PER_S, 3, 3 },	   /* down: it came from its own tier */
		{ NS_PER_S, 2, 3 },	   { TRIPS_WINDOW_NS - NS_PER_MS, 3, 4 }, /* just in time */
	};
	struct world world;
	struct kernel *kernel;
	(void)state;
	world_init(&world);
	kernel = world.kernel;
	assert_int_equal(kernel_fault(kernel, 0, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		kernel->now_ns += moves[i].after_ns;
		assert_int_equal(kernel_migrate(kernel, 0, moves[i].to), 0);
		assert_int_equal(kernel->stats.nr_round_trips, moves[i].nr);
	}
	/* Another life knows nothing of it. */
	kernel_release(kernel, 0);
	assert_int_equal(kernel_fault(kernel, 0, 3), 0);
	assert_int_equal(kernel_migrate(kernel, 0, 2), 0);
	assert_int_equal(kernel->stats.nr_round_trips, 4);
	world_free(&world);
}

struct past { /* every move of a page's life */
	uint64_t when_ns[2000];
	uint32_t from[2000], nr;
};

static bool is_trip(const struct past *past, uint64_t now_ns, uint32_t from, uint32_t to)
{
	if (past->nr == 0)
		return false;
	uint32_t last = past->from[past->nr - 1];
	bool is_back = last == to || (last / 2 == to / 2 && from / 2 != to / 2);
	return is_back && now_ns / NS_PER_MS - past->when_ns[past->nr - 1] / NS_PER_MS <
				  TRIPS_WINDOW_NS / NS_PER_MS;
}

static void test_trips_agree_with_a_list_of_all_moves(void **state)
{
	static struct past past[NR_PAGES];
	struct world world;
	struct kernel *kernel;
	struct random random;
	uint64_t expected = 0, nr_late = 0;
	(void)state;
	world_init(&world);
	kernel = world.kernel;
	memset(past, 0, sizeof(past));
	random_init(&random, 4);
	for (uint32_t step = 0; step < 20000; step++) {
		uint32_t page = (uint32_t)random_below(&random, NR_PAGES);
		uint32_t from = kernel->pages[page].node, to = (uint32_t)random_below(&random, 4);
		kernel->now_ns += random_below(&random, FAR / 20);
		if (from == KERNEL_NOWHERE) {
			assert_int_equal(kernel_fault(kernel, page, to), 0);
		} else if (random_below(&random, 40) == 0) {
			kernel_release(kernel, page);
			past[page].nr = 0;
		} else if (kernel_migrate(kernel, page, to) == 0) {
			struct past *list = &past[page];
			expected += is_trip(list, kernel->now_ns, from, to);
			nr_late += list->nr > 0 &&
				   kernel->now_ns - list->when_ns[list->nr - 1] > TRIPS_WINDOW_NS;
			list->when_ns[list->nr] = kernel->now_ns;
			list->from[list->nr++] = from;
		}
		assert_int_equal(kernel->stats.nr_round_trips, expected);
	}
	assert_true(expected > 1000 && nr_late > 1000);
	world_free(&world);
}
