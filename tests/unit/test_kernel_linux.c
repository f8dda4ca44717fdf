/* SPDX-License-Identifier: MIT */
/*
 * The modelled Linux as a whole and its larger pieces: the multi-generational LRU, kswapd's cycle
 * between its marks, where allocations fall, areas, and a hot set that starts in slow memory.
 */
#include "test.h"

#include "base/random.h"
#include "sim/kernel/linux.h"
#include "sim_fixture.h"

struct lru_world { /* pages 0..nr-1 of one node */
	struct mglru lru;
	struct lru_pages pages;
	bool young[512], gone[512];
	uint64_t nr_evicted, nr_files;
	uint32_t last_evicted;
	bool refuses;
	uint64_t enough;
};

static bool world_clear_young(void *context, uint32_t page)
{
	struct lru_world *world = context;
	bool was = world->young[page];
	world->young[page] = false;
	return was;
}

static void world_look_around(void *context, uint32_t node, uint32_t page)
{
}

static void world_walk(void *context, uint32_t node)
{
	struct lru_world *world = context;
	for (uint32_t i = 0; i < ARRAY_SIZE(world->young); i++)
		if (!world->gone[i] && world_clear_young(world, i))
			mglru_activate(&world->lru, &world->pages, i);
}

static int64_t world_evict(void *context, uint32_t node, uint32_t page)
{
	struct lru_world *world = context;
	if (world->refuses)
		return -1;
	if (page == LRU_FILE) {
		world->nr_files++;
		return 1;
	}
	world->gone[page] = true;
	world->nr_evicted++;
	world->last_evicted = page;
	return 1;
}

static bool world_is_enough(void *context, uint32_t node, uint64_t nr_reclaimed)
{
	return nr_reclaimed >= ((struct lru_world *)context)->enough;
}

static const struct lru_ops world_ops = { world_clear_young, world_look_around, world_walk,
					  world_evict };

static void world_init(struct lru_world *world, uint32_t nr)
{
	*world = (struct lru_world){ .enough = UINT64_MAX };
	mglru_init(&world->lru);
	assert_int_equal(lru_pages_grow(&world->pages, 512), 0);
	for (uint32_t i = 0; i < 512; i++)
		world->gone[i] = i >= nr;
	for (uint32_t i = 0; i < nr; i++)
		mglru_add(&world->lru, &world->pages, i, false);
}

static uint64_t world_shrink(struct lru_world *world, uint32_t priority, uint64_t budget)
{
	struct lru_shrink shrink = { .priority = priority,
				     .budget_pages = budget,
				     .is_enough = world_is_enough };
	mglru_shrink(&world->lru, &world->pages, &shrink, &world_ops, world);
	assert_true(mglru_is_valid(&world->lru, &world->pages));
	return shrink.nr_reclaimed;
}

/* New pages are second youngest: no eviction before ageing, and none at the default priority. */
static void test_mglru_needs_ageing_before_it_evicts_what_is_new(void **state)
{
	struct lru_world world;
	world_init(&world, 512);
	assert_int_equal(world_shrink(&world, LRU_DEF_PRIORITY, 64), 0);
	assert_int_equal(world.lru.nr_walks, 0);
	uint64_t reclaimed = 0;
	for (int i = 0; i < 4; i++)
		reclaimed += world_shrink(&world, 2, 64);
	assert_true(world.lru.nr_walks > 0);
	assert_true(reclaimed >= 64);
	lru_pages_fini(&world.pages);
}

/* 7.3: with the priority raised, a walk, one batch, and the visit is over; pages of which the walk
 * found that they are young are met on their old list, count, and are sorted. */
static void test_mglru_of_7_3_meets_sixty_four_pages_after_a_walk(void **state)
{
	struct lru_world world;
	world_init(&world, 512);
	world.lru.is_7_3 = true;
	for (uint32_t i = 0; i < 512; i++)
		mglru_fault(&world.lru, &world.pages, i);
	world_shrink(&world, 2, 64);
	world_shrink(&world, 2, 64);
	uint64_t evicted = world.nr_evicted, walks = world.lru.nr_walks;
	for (uint32_t i = 0; i < 512; i++)
		world.young[i] = i % 2;
	world_shrink(&world, 2, 64);
	assert_int_equal(world.lru.nr_walks, walks + 1);
	assert_int_equal(world.nr_evicted - evicted, 32);
	assert_int_equal(world.lru.nr_sorted, 32);
	lru_pages_fini(&world.pages);
}

/* 7.3: a page that no fault brought in is noted by the first walk and moved by the second only. */
static void test_mglru_of_7_3_moves_at_the_second_look(void **state)
{
	struct lru_world world;
	world_init(&world, 2);
	world.lru.is_7_3 = true;
	mglru_fault(&world.lru, &world.pages, 1);
	for (uint32_t i = 0; i < 2; i++)
		mglru_activate(&world.lru, &world.pages, i);
	assert_int_equal(world.lru.nr_pages[world.lru.max_seq % MGLRU_MAX_GENS], 1);
	mglru_activate(&world.lru, &world.pages, 0);
	assert_int_equal(world.lru.nr_pages[world.lru.max_seq % MGLRU_MAX_GENS], 2);
	/* The working set: a fault makes it the youngest; a new page is not. */
	mglru_age(&world.lru, &world.pages, 0, &world_ops, &world);
	mglru_fault(&world.lru, &world.pages, 0);
	assert_int_equal(world.lru.nr_pages[world.lru.max_seq % MGLRU_MAX_GENS], 1);
	mglru_del(&world.lru, &world.pages, 1);
	mglru_forget(&world.pages, 1);
	mglru_add(&world.lru, &world.pages, 1, true);
	assert_int_equal(world.lru.nr_pages[world.lru.max_seq % MGLRU_MAX_GENS], 1);
	lru_pages_fini(&world.pages);
}

/* Pages of files go first once they are two generations old; 7.3 finds them young before. */
static void test_mglru_evicts_files_first(void **state)
{
	for (int is_7_3 = 0; is_7_3 <= 1; is_7_3++) {
		struct lru_world world;
		world_init(&world, 512);
		world.lru.is_7_3 = is_7_3;
		mglru_add_files(&world.lru, 100);
		uint64_t scanned = world.lru.nr_scanned;
		for (int i = 0; i < 40 && world.lru.nr_files > 0; i++)
			world_shrink(&world, 2, 64);
		assert_int_equal(world.lru.nr_files, 0);
		assert_true(world.lru.nr_scanned - scanned >= (is_7_3 ? 164 : 100));
		assert_int_equal(world.nr_files, 100);
		assert_true(world.lru.nr_walks >= 2);
		lru_pages_fini(&world.pages);
	}
}

/* A fifth generation is due: the oldest joins the next, and its youngest is now the first to go. */
static void test_mglru_turns_around_what_it_merges(void **state)
{
	struct lru_world world;
	world_init(&world, 200);
	for (int i = 0; i < 3; i++)
		mglru_age(&world.lru, &world.pages, 0, &world_ops, &world);
	assert_int_equal(world.lru.gens[world.lru.min_seq % MGLRU_MAX_GENS].oldest, 199);
	lru_pages_fini(&world.pages);
}

static void test_mglru_spares_what_is_young(void **state)
{
	struct lru_world world;
	world_init(&world, 512);
	for (int round = 0; round < 40; round++) {
		for (uint32_t i = 0; i < 100; i++)
			world.young[i] = true;
		world_shrink(&world, 4, 16);
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_false(world.gone[i]);
	assert_true(world.nr_evicted >= 300);
	lru_pages_fini(&world.pages);
}

static void test_mglru_keeps_its_lists_whole(void **state)
{
	struct lru_world world;
	struct random random;
	random_init(&random, 7);
	world_init(&world, 512);
	for (int step = 0; step < 20000; step++) {
		uint32_t page = (uint32_t)random_below(&random, 512);
		if (world.gone[page]) {
			world.gone[page] = world.young[page] = false;
			mglru_add(&world.lru, &world.pages, page, page % 3 == 0);
		} else if (random_below(&random, 4) == 0) {
			mglru_del(&world.lru, &world.pages, page);
			world.gone[page] = true;
		} else {
			world.young[page] = true;
		}
		world.refuses = step % 7 == 0;
		if (step % 16 == 0)
			world_shrink(&world, 1 + (uint32_t)random_below(&random, 12), 40);
	}
	uint64_t present = 0;
	for (uint32_t i = 0; i < 512; i++)
		present += !world.gone[i];
	assert_int_equal(mglru_nr_total(&world.lru), present);
	lru_pages_fini(&world.pages);
}

struct pond {		/* a node for kswapd: so many cold pages can be had */
	bool has_clock; /* 30 pages a visit, and so many visits left */
	int visits_left;
	uint64_t free, cold;
};

static uint64_t pond_free(void *context)
{
	return ((struct pond *)context)->free;
}

static uint64_t pond_cold(void *context)
{
	return ((struct pond *)context)->cold;
}

static void pond_shrink(void *context, uint32_t priority, uint64_t nr_to_reclaim,
			uint64_t *ret_scanned, uint64_t *ret_reclaimed)
{
	struct pond *pond = context;
	uint64_t nr = MIN(MIN(pond->cold >> priority, nr_to_reclaim), pond->cold);
	if (pond->has_clock)
		nr = MIN(nr, 30);
	pond->visits_left -= pond->has_clock;
	pond->cold -= nr;
	pond->free += nr;
	*ret_scanned += nr;
	*ret_reclaimed += nr;
}

static struct kswapd_view pond_view(struct pond *pond, uint64_t aim_pages)
{
	return (struct kswapd_view){ .marks = { 100, 200, 300, 400 },
				     .aim_pages = aim_pages,
				     .free_pages = pond_free,
				     .inactive_pages = pond_cold,
				     .shrink = pond_shrink,
				     .context = pond };
}

static void test_kswapd_works_up_to_its_mark_and_sleeps(void **state)
{
	for (int promo = 0; promo <= 1; promo++) {
		struct pond pond = { .free = 150, .cold = 1 << 20 };
		struct kswapd_view view = pond_view(&pond, promo ? 400 : 300);
		struct kswapd kswapd = { 0 };
		assert_int_equal(kswapd_run(&kswapd, &view, 0), 0);
		kswapd_wake(&kswapd, &view, 0);
		kswapd_run(&kswapd, &view, 10);
		assert_true(pond.free > (promo ? 400 : 300));
		assert_true(pond.free <= (promo ? 700 : 600)); /* a round of HIGH at most */
		assert_int_equal(kswapd.state, KSWAPD_NAPPING);
		kswapd_run(&kswapd, &view, 109);
		assert_int_equal(kswapd.state, KSWAPD_NAPPING);
		kswapd_run(&kswapd, &view, 110);
		assert_int_equal(kswapd.state, KSWAPD_ASLEEP);
		assert_int_equal(kswapd.nr_runs, 1);
		/* Between LOW and its mark nobody wakes it: it sleeps. */
		kswapd_wake(&kswapd, &view, 0);
		assert_int_equal(kswapd.state, KSWAPD_ASLEEP);
	}
}

static void test_kswapd_goes_on_after_a_nap_that_was_too_early(void **state)
{
	struct pond pond = { .free = 150, .cold = 1 << 20 };
	struct kswapd_view view = pond_view(&pond, 300);
	struct kswapd kswapd = { 0 };
	kswapd_wake(&kswapd, &view, 0);
	kswapd_run(&kswapd, &view, 10);
	pond.free = 50;
	kswapd_wake(&kswapd, &view, 0);
	assert_int_equal(kswapd.state, KSWAPD_WORKING);
	assert_int_equal(kswapd.nr_low_quickly, 1);
	kswapd_run(&kswapd, &view, 20);
	pond.free = 250;
	kswapd_run(&kswapd, &view, 120);
	assert_int_equal(kswapd.nr_high_quickly, 1);
	assert_true(pond.free > 300);
}

static void test_kswapd_gives_up_after_sixteen_vain_rounds(void **state)
{
	struct pond pond = { .free = 50, .cold = 0 };
	struct kswapd_view view = pond_view(&pond, 300);
	struct kswapd kswapd = { 0 };
	kswapd_wake(&kswapd, &view, 0);
	for (int i = 0; i < 100; i++)
		kswapd_run(&kswapd, &view, (uint64_t)i);
	assert_int_equal(kswapd.nr_failures, KSWAPD_MAX_FAILURES);
	assert_int_equal(kswapd.nr_runs, KSWAPD_MAX_FAILURES);
	pond.cold = 1 << 20;
	kswapd_wake(&kswapd, &view, 0);
	assert_int_equal(kswapd.state, KSWAPD_ASLEEP);
}

static bool pond_has_time(void *context)
{
	return ((struct pond *)context)->visits_left > 0;
}

/* A boost ends with the balance that it began: what is enough without it lets kswapd sleep. */
static void test_kswapd_does_not_go_on_for_a_boost(void **state)
{
	struct pond pond = { .free = 350, .cold = 100 };
	struct kswapd_view view = pond_view(&pond, 5000);
	struct kswapd kswapd = { 0 };
	kswapd_wake(&kswapd, &view, 0);
	kswapd_run(&kswapd, &view, 1);
	assert_int_equal(kswapd.state, KSWAPD_NAPPING);
	view.aim_pages = 300;
	kswapd_run(&kswapd, &view, 2);
	assert_int_equal(kswapd.state, KSWAPD_ASLEEP);
	assert_int_equal(kswapd.nr_runs, 1);
	assert_int_equal(kswapd.nr_high_quickly, 0);
}

/* What is balanced by then is not looked at within a round. */
static void test_kswapd_ends_the_round_that_it_began(void **state)
{
	struct pond pond = { .free = 299, .cold = 1 << 20, .has_clock = true, .visits_left = 1 };
	struct kswapd_view view = pond_view(&pond, 300);
	struct kswapd kswapd = { 0 };
	view.has_time = pond_has_time;
	kswapd_wake(&kswapd, &view, 0);
	for (int i = 1; i < 40 && kswapd.state == KSWAPD_WORKING; i++) {
		pond.visits_left = 1;
		kswapd_run(&kswapd, &view, (uint64_t)i);
	}
	assert_int_equal(kswapd.state, KSWAPD_NAPPING);
	assert_int_equal(pond.free, 299 + 300);
}

/* A round that time interrupts goes on where it was, at the same priority. */
static void test_kswapd_keeps_to_its_time(void **state)
{
	struct pond pond = { .free = 0, .cold = 1 << 20, .has_clock = true, .visits_left = 1 };
	struct kswapd_view view = pond_view(&pond, 400);
	struct kswapd kswapd = { 0 };
	(void)state;
	view.has_time = pond_has_time;
	kswapd_wake(&kswapd, &view, 0);
	assert_int_equal(kswapd_run(&kswapd, &view, 1), 30);
	uint32_t priority = kswapd.priority;
	assert_int_equal(kswapd_run(&kswapd, &view, 2), 0);
	assert_int_equal(kswapd.state, KSWAPD_WORKING);
	for (uint64_t ms = 3; ms < 12; ms++) {
		pond.visits_left = 1;
		assert_int_equal(kswapd_run(&kswapd, &view, ms), 30);
		assert_int_equal(pond.free, 30 * (ms - 1));
		assert_int_equal(kswapd.priority, priority);
	}
	assert_int_equal(kswapd.nr_reclaimed, 300);
	assert_false(kswapd.is_in_round);
}

static void test_areas_hold_what_was_touched(void **state)
{
	struct areas areas = { 0 };
	struct random random;
	random_init(&random, 3);
	for (int i = 0; i < 9000; i++) {
		uint64_t page = random_below(&random, 64) * 100000 + random_below(&random, 3000);
		assert_int_equal(areas_touch(&areas, page), 0);
		assert_non_null(areas_find(&areas, page));
	}
	assert_true(areas_is_valid(&areas));
	assert_int_equal(areas.nr, 64);
	assert_null(areas_find(&areas, 50000));
	areas_fini(&areas);
}

static void test_areas_join_over_small_gaps(void **state)
{
	struct areas areas = { 0 };
	areas_touch(&areas, 1000);
	areas_touch(&areas, 2000);
	assert_int_equal(areas.nr, 2);
	areas_touch(&areas, 1500);
	assert_int_equal(areas.nr, 1);
	assert_int_equal(areas.items[0].start, 1000);
	assert_int_equal(areas.items[0].end, 2001);
	areas_touch(&areas, 0);
	areas_touch(&areas, UINT64_MAX - 1);
	assert_int_equal(areas.nr, 3);
	assert_true(areas_is_valid(&areas));
	areas_fini(&areas);
}

#define TWO "node:dram:64MiB@80ns/100GBps:cpus=0 node:cxl:128MiB@250ns/30GBps"

struct box {
	struct machine *machine;
	struct cost_model *cost;
	struct cost_account account;
	struct kernel *kernel;
	struct stage *stage; /* of some tests: page number n is page BOX_BASE + n of space 0 */
};

#define BOX_BASE 0x10000

static int feed_stage(void *context, const struct trace_batch *batch, struct printbuf *err)
{
	return stage_feed(context, batch, err);
}

static void box_name_pages(struct box *box, uint32_t nr)
{
	struct stage_config config = { .tick_ns = NS_PER_MS };
	struct tape tape = tape_new();
	assert_int_equal(stage_new(&config, &box->stage), 0);
	for (uint32_t i = 0; i < nr; i++)
		tape_access(&tape, i, 0, BOX_BASE + i, TRACE_MISS);
	assert_int_equal(tape_play(&tape, feed_stage, box->stage, NULL), 0);
	tape_free(&tape);
	assert_int_equal(stage_find(box->stage, 0, BOX_BASE + nr - 1), nr - 1);
	box->kernel->stage = box->stage;
}

static void box_open(struct box *box, const char *spec)
{
	char name[SPEC_NAME_MAX + 1];
	const char *keys = NULL;
	uint64_t values[TUNABLES_MAX];
	assert_int_equal(spec_split(spec, name, &keys), 0);
	const struct kernel_ops *ops = kernel_find(name);
	assert_non_null(ops);
	tunables_defaults(ops->tunables, ops->nr_tunables, values);
	assert_int_equal(tunables_parse(keys, ops->tunables, ops->nr_tunables, name, values, NULL),
			 0);
	*box = (struct box){ .machine = machine_of(TWO) };
	assert_int_equal(cost_model_new(box->machine, 4096, 64, NULL, &box->cost, NULL), 0);
	assert_int_equal(cost_account_init(&box->account, box->cost), 0);
	uint64_t capacity[2] = { 16384, 32768 };
	assert_int_equal(
		kernel_new(ops, box->cost, &box->account, capacity, values, 0, &box->kernel, NULL),
		0);
	assert_int_equal(kernel_grow(box->kernel, 65536), 0);
}

static void box_close(struct box *box)
{
	struct linux_kernel *linux_state = linux_of(box->kernel);
	assert_true(kernel_is_valid(box->kernel));
	for (uint32_t i = 0; i < 2; i++)
		assert_true(lru_is_valid(&linux_state->nodes[i].lru, &linux_state->lru));
	kernel_free(box->kernel);
	stage_free(box->stage);
	cost_account_fini(&box->account);
	cost_model_free(box->cost);
	machine_free(box->machine);
}

/* Fast memory is filled down to LOW; then slow memory is used and kswapd sleeps on. */
static void test_linux_spills_at_low_without_waking_kswapd(void **state)
{
	struct box box;
	box_open(&box, "linux-tiering");
	struct linux_kernel *linux_state = linux_of(box.kernel);
	const struct watermarks *marks = &linux_state->nodes[0].marks;
	for (uint32_t page = 0; page < 20000; page++)
		assert_int_equal(kernel_fault(box.kernel, page, UINT32_MAX), 0);
	/* A refill, not a page, is what took it there. */
	assert_true(linux_zone_free(linux_state, 0) <= marks->low);
	assert_in_range(box.kernel->nodes[0].free_pages, marks->low, marks->low + 3 * 32);
	assert_int_equal(linux_state->nodes[0].kswapd.state, KSWAPD_ASLEEP);
	assert_int_equal(linux_state->counters[LINUX_PGDEMOTE_KSWAPD], 0);
	box_close(&box);
}

/* Room that kswapd is making is left alone by 7.3 while another node is idle; 6.12 takes it. */
static void test_linux_of_7_3_looks_for_an_idle_node_first(void **state)
{
	for (int is_7_3 = 0; is_7_3 <= 1; is_7_3++) {
		struct box box;
		box_open(&box, is_7_3 ? "linux-tiering:version=7.3" : "linux-tiering");
		struct linux_kernel *linux_state = linux_of(box.kernel);
		for (uint32_t page = 0; page < 20000; page++)
			assert_int_equal(kernel_fault(box.kernel, page, UINT32_MAX), 0);
		linux_wake_kswapd(linux_state, 0, 0);
		assert_int_equal(linux_state->nodes[0].kswapd.state, KSWAPD_WORKING);
		for (uint32_t page = 0; page < 2000; page++)
			kernel_release(box.kernel, page);
		assert_true(linux_has_room(linux_state, 0, LINUX_MARK_LOW, 100));
		assert_int_equal(kernel_fault(box.kernel, 20000, UINT32_MAX), 0);
		assert_int_equal(box.kernel->pages[20000].node, is_7_3);
		linux_state->nodes[0].kswapd.state = KSWAPD_NAPPING;
		assert_int_equal(kernel_fault(box.kernel, 20001, UINT32_MAX), 0);
		assert_int_equal(box.kernel->pages[20001].node, 0);
		/* Nobody is idle: the first with room. */
		linux_state->nodes[0].kswapd.state = KSWAPD_WORKING;
		linux_state->nodes[1].kswapd.state = KSWAPD_WORKING;
		assert_int_equal(kernel_fault(box.kernel, 20002, UINT32_MAX), 0);
		assert_int_equal(box.kernel->pages[20002].node, 0);
		box_close(&box);
	}
}

/* With both nodes at LOW everybody is woken; demotion then has no room below. */
static void test_linux_uses_the_last_page_and_says_when_it_is_full(void **state)
{
	struct box box;
	box_open(&box, "linux-tiering");
	uint32_t page = 0;
	while (kernel_fault(box.kernel, page, UINT32_MAX) == 0)
		page++;
	assert_int_equal(page, 16384 + 32768);
	assert_true(linux_of(box.kernel)->counters[LINUX_ALLOCSTALL_MOVABLE] > 0);
	for (uint32_t i = 0; i < page; i += 2)
		kernel_release(box.kernel, i);
	assert_int_equal(kernel_fault(box.kernel, page, UINT32_MAX), 0);
	box_close(&box);
}

/* A failed promotion wakes kswapd, which demotes cold pages up to PROMO. */
static void test_linux_kswapd_demotes_up_to_promo(void **state)
{
	struct box box;
	box_open(&box, "linux-tiering");
	struct linux_kernel *linux_state = linux_of(box.kernel);
	const struct watermarks *marks = &linux_state->nodes[0].marks;
	for (uint32_t page = 0; page < 20000; page++)
		kernel_fault(box.kernel, page, UINT32_MAX);
	uint64_t before = box.kernel->nodes[0].free_pages;
	linux_wake_kswapd(linux_state, 0, 0);
	for (int tick = 1; tick < 200; tick++) {
		box.kernel->now_ns = (uint64_t)tick * 10 * NS_PER_MS;
		box.kernel->ops->tick(box.kernel);
	}
	assert_true(linux_zone_free(linux_state, 0) > marks->promo);
	assert_true(linux_zone_free(linux_state, 0) <= marks->promo + 2 * MGLRU_BATCH);
	assert_int_equal(linux_state->counters[LINUX_PGDEMOTE_KSWAPD],
			 box.kernel->nodes[0].free_pages - before);
	assert_int_equal(linux_state->nodes[0].kswapd.state, KSWAPD_ASLEEP);
	box_close(&box);
}

/* A program that fills memory goes on in the page in which a scan came in between. */
static void test_linux_faults_on_the_page_that_is_being_filled(void **state)
{
	for (int is_filling = 0; is_filling <= 1; is_filling++) {
		struct box box;
		box_open(&box, "linux-tiering:scan_delay_ms=100");
		box_name_pages(&box, 20000);
		for (uint32_t page = 0; page < 20000; page++)
			assert_int_equal(kernel_fault(box.kernel, page, UINT32_MAX), 0);
		for (uint64_t tick = 1; tick < 1500; tick++) {
			box.kernel->now_ns = tick * 4 * NS_PER_MS;
			if (is_filling) {
				kernel_release(box.kernel, 19999);
				kernel_fault(box.kernel, 19999, 1);
			}
			box.kernel->ops->tick(box.kernel);
		}
		const uint64_t *counters = linux_of(box.kernel)->counters;
		assert_true(counters[LINUX_NUMA_PTE_UPDATES] > 0);
		assert_int_equal(counters[LINUX_NUMA_HINT_FAULTS] > 0, is_filling);
		box_close(&box);
	}
}

/* Where the clock runs on for the scan, each page is armed when the scan has come to it. */
static void test_linux_stamps_pages_as_the_scan_comes_to_them(void **state)
{
	for (uint64_t clock = COST_CLOCK_RECORDING; clock <= COST_CLOCK_SHARED; clock++) {
		struct box box;
		uint64_t tick = 0, nr_armed = 0;
		box_open(&box, "linux-tiering:scan_delay_ms=100");
		box.cost->values[COST_CLOCK] = clock;
		box.cost->values[COST_WALK] = 1000;
		box.cost->values[COST_SCAN] = 2000;
		box.cost->values[COST_ARM] = 9000;
		box_name_pages(&box, 20000);
		for (uint32_t page = 0; page < 20000; page++)
			assert_int_equal(kernel_fault(box.kernel, page, UINT32_MAX), 0);
		const struct linux_kernel *linux_state = linux_of(box.kernel);
		while (linux_state->counters[LINUX_NUMA_PTE_UPDATES] == 0 && tick < 1500) {
			box.kernel->now_ns = ++tick * 4 * NS_PER_MS;
			box.kernel->ops->tick(box.kernel);
		}
		for (uint32_t page = 0; page < 20000; page++) {
			uint64_t taken_ns = 3000 * (page + 1) + 9000 * nr_armed;
			uint64_t at_ns = tick * 4 * NS_PER_MS;
			at_ns += clock == COST_CLOCK_SHARED ? taken_ns : 0;
			if (box.kernel->pages[page].node == 0)
				continue;
			assert_int_equal(linux_state->armed_ms[page],
					 hot_latency_ms(0, at_ns / NS_PER_MS));
			nr_armed++;
		}
		assert_int_equal(nr_armed, linux_state->counters[LINUX_NUMA_PTE_UPDATES]);
		assert_true(nr_armed > 3000);
		box_close(&box);
	}
}

/* 64 MiB of fast memory: min_free_kbytes 1024, gaps of 64 pages. */
static void test_linux_keeps_free_for_promotion_what_wmark_says(void **state)
{
	static const struct {
		const char *spec;
		uint64_t aim, boosted;
	} table[] = {
		{ "linux-tiering", 448, 448 },
		{ "linux-tiering:wmark=promo", 448, 448 },
		{ "linux-tiering:wmark=fixed10mb", 384 + 2560, 384 + 2560 },
		{ "linux-tiering:wmark=boost", 384, 384 + 512 },
		{ "linux-numab", 384, 384 },
		{ "7.3:numa_balancing=2", 448, 448 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct box box;
		box_open(&box, table[i].spec);
		struct linux_kernel *linux_state = linux_of(box.kernel);
		assert_int_equal(linux_kswapd_aim(linux_state, 0), table[i].aim);
		linux_boost(linux_state, 0);
		assert_int_equal(linux_kswapd_aim(linux_state, 0), table[i].boosted);
		/* 1.5 x HIGH would be 576: more than one block, less than two. */
		linux_boost(linux_state, 0);
		assert_true(linux_state->nodes[0].boost_pages <= 576);
		linux_kswapd_tick(box.kernel);
		assert_int_equal(linux_kswapd_aim(linux_state, 0), table[i].aim);
		box_close(&box);
	}
}

/* Without mode 2 the first fault on slow memory only notes who it was. */
static void test_linux_in_mode_one_promotes_at_the_second_fault(void **state)
{
	struct box box;
	box_open(&box, "6.12");
	box_name_pages(&box, 8);
	struct linux_kernel *linux_state = linux_of(box.kernel);
	assert_int_equal(kernel_fault(box.kernel, 7, 1), 0);
	assert_int_equal(box.kernel->pages[7].node, 1);
	linux_hint_fault(box.kernel, 7, 0);
	assert_int_equal(box.kernel->pages[7].node, 1);
	linux_hint_fault(box.kernel, 7, 0);
	assert_int_equal(box.kernel->pages[7].node, 0);
	assert_int_equal(linux_state->counters[LINUX_PGPROMOTE_SUCCESS], 1);
	assert_int_equal(linux_state->counters[LINUX_NUMA_HINT_FAULTS], 2);
	box_close(&box);
}

static void idle_walk(void *context, uint32_t node)
{
}

static const struct lru_ops idle_ops = { .walk = idle_walk };

/* The gate asks the lists, not the clock; without it the page would go at once. */
static void test_linux_gate_promotes_only_what_is_active(void **state)
{
	for (int gate = 0; gate <= 1; gate++) {
		struct box box;
		box_open(&box, gate ? "linux-tiering:gate=active-lru,free_space_bypass=0"
				    : "linux-tiering:free_space_bypass=0");
		struct linux_kernel *linux_state = linux_of(box.kernel);
		struct mglru *lru = &linux_state->nodes[1].lru.gen;
		box_name_pages(&box, 8);
		kernel_fault(box.kernel, 7, 1);
		for (int i = 0; i < 2; i++) /* two generations pass it by */
			mglru_age(lru, &linux_state->lru, 1, &idle_ops, NULL);
		assert_false(mglru_is_active(lru, &linux_state->lru, 7));
		linux_state->armed_ms[7] = 0;
		linux_hint_fault(box.kernel, 7, 0);
		assert_int_equal(box.kernel->pages[7].node, gate);
		if (gate) {
			linux_state->armed_ms[7] = 0;
			box.kernel->now_ns = 3 * NS_PER_S; /* too late for the clock */
			linux_hint_fault(box.kernel, 7, 0);
			assert_int_equal(box.kernel->pages[7].node, 0);
		}
		box_close(&box);
	}
}

/* Only 7.3 counts what the free space lets through. */
static void test_linux_versions_count_the_bypass_differently(void **state)
{
	for (int is_new = 0; is_new <= 1; is_new++) {
		struct box box;
		box_open(&box, is_new ? "7.3:numa_balancing=2" : "6.12:numa_balancing=2");
		struct linux_kernel *linux_state = linux_of(box.kernel);
		box_name_pages(&box, 8);
		linux_state->nodes[0].bypass_pages = 1000;
		kernel_fault(box.kernel, 7, 1);
		linux_hint_fault(box.kernel, 7, 0);
		assert_int_equal(box.kernel->pages[7].node, 0);
		assert_int_equal(linux_state->nodes[0].hot.nr_candidates_nrl, is_new);
		assert_int_equal(linux_state->nodes[0].hot.nr_candidates, 0);
		box_close(&box);
	}
}

/* Somebody takes what was won, so that time is up after each round. */
static bool pond_drains(void *context)
{
	struct pond *pond = context;
	bool has_time = pond->free == 310;
	pond->free = 310;
	return has_time;
}

/* Woken for a large folio it works until that would fit besides, or twice as much is reclaimed. */
static void test_kswapd_makes_room_for_a_large_folio(void **state)
{
	struct pond pond = { .free = 350, .cold = 1 << 20 };
	struct kswapd_view view = pond_view(&pond, 300);
	struct kswapd kswapd = { 0 };
	kswapd_wake(&kswapd, &view, 0); /* above HIGH: enough for a page */
	assert_int_equal(kswapd.state, KSWAPD_ASLEEP);
	kswapd_wake(&kswapd, &view, 9);
	assert_int_equal(kswapd.state, KSWAPD_WORKING);
	kswapd_run(&kswapd, &view, 10);
	assert_int_equal(kswapd.state, KSWAPD_NAPPING);
	assert_true(pond.free > 300 + 511 && pond.free <= 300 + 511 + 300);
	/* What it wins goes elsewhere: after 1024 pages it is content with room for a page. */
	kswapd = (struct kswapd){ 0 };
	pond.free = 310;
	kswapd_wake(&kswapd, &view, 9);
	view.has_time = pond_drains;
	kswapd_run(&kswapd, &view, 20);
	assert_int_equal(kswapd.state, KSWAPD_NAPPING);
	assert_true(kswapd.nr_reclaimed >= 1024 && kswapd.nr_reclaimed < 1024 + 300);
}
