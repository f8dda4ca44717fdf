/* SPDX-License-Identifier: MIT */
/* Stories against an oracle that hands every access over alone; surveys against the account. */
#include "test.h"

#include "sim/story.h"
#include "sim/survey.h"
#include "sim_fixture.h"

#define NR_PAGES  700
#define NR_NODES  2
#define NR_SPACES 2
#define DILATE	  2000

struct served {
	uint64_t loads[NR_NODES], stores[NR_NODES], touches[NR_NODES];
	uint64_t nr_lives;
};

/* Looks at the page table before and after each single access. */
struct oracle {
	struct simulation_watch watch;
	struct simulation *simulation;
	struct stage_consumer inner;
	struct served served[NR_SPACES][2 * NR_PAGES];
};

static uint32_t node_of(const struct oracle *oracle, uint32_t number)
{
	const struct kernel *kernel = oracle->simulation->kernel;
	return number < kernel->nr_pages ? kernel->pages[number].node : KERNEL_NOWHERE;
}

static int oracle_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct oracle *oracle = context;
	for (uint32_t i = 0; i < events->nr; i++) {
		uint8_t flags = events->flags[i];
		struct stage_events one = { .nr = 1,
					    .page = &events->page[i],
					    .flags = &events->flags[i] };
		struct stage_page address = stage_page(oracle->simulation->stage, *one.page);
		struct served *served = &oracle->served[address.space][address.page];
		uint32_t node = node_of(oracle, *one.page);
		bool is_born = node == KERNEL_NOWHERE;
		assert_int_equal(oracle->inner.events(oracle->inner.context, &one, err), 0);
		if (is_born)
			node = node_of(oracle, *one.page);
		assert_true(node < NR_NODES);
		served->nr_lives += is_born;
		served->touches[node] += !(flags & TRACE_MISS);
		served->stores[node] += flags & TRACE_MISS && flags & TRACE_WRITE;
		served->loads[node] += flags & TRACE_MISS && !(flags & TRACE_WRITE);
	}
	return 0;
}

static int oracle_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct oracle *oracle = context;
	return oracle->inner.tick(oracle->inner.context, tick, err);
}

static int oracle_grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct oracle *oracle = context;
	return oracle->inner.grow(oracle->inner.context, nr_pages, err);
}

static int oracle_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct oracle *oracle = context;
	return oracle->inner.freed(oracle->inner.context, pages, nr, err);
}

static int oracle_mapping(void *context, const struct trace_mapping *mapping, struct printbuf *err)
{
	struct oracle *oracle = context;
	return oracle->inner.mapping(oracle->inner.context, mapping, err);
}

static void see_nothing(void *context, const struct kernel_event *event)
{
	(void)context;
	assert_non_null(event->why);
}

static struct stage_consumer oracle_wrap(void *context, struct simulation *simulation,
					 const struct stage_consumer *inner)
{
	struct oracle *oracle = context;
	oracle->simulation = simulation;
	oracle->inner = *inner;
	return (struct stage_consumer){ .context = oracle,
					.grow = oracle_grow,
					.events = oracle_events,
					.freed = oracle_freed,
					.mapping = oracle_mapping,
					.tick = oracle_tick };
}

static struct sim_set *simulate(const struct tape *tape, const struct machine *machine,
				const char *policy, struct simulation_watch *watch)
{
	struct sim_config config = { .machine = machine,
				     .policies = &policy,
				     .nr_policies = 1,
				     .dilate = DILATE,
				     .watch = watch };
	return tape_simulate(tape, &config);
}

static void check_story(const struct tape *tape, const struct machine *machine, const char *policy,
			const struct oracle *oracle, uint32_t space, uint64_t page)
{
	const struct served *expected = &oracle->served[space][page];
	struct story_config config = { .page = page, .space = space, .nr_spaces = NR_SPACES };
	struct served told = { 0 };
	struct story *story = NULL;
	assert_int_equal(story_new(&config, &story), 0);
	struct sim_set *set = simulate(tape, machine, policy, &story->watch);
	assert_true(story_is_valid(story));
	assert_int_equal(story->nr_left_out, 0);
	uint64_t nr_moves = 0;
	for (uint32_t i = 0; i < story->nr; i++) {
		const struct story_event *event = &story->events[i];
		bool is_stay = event->kind == STORY_BORN || event->kind == STORY_MOVED;
		assert_true(is_stay || event->nr_loads + event->nr_stores + event->nr_touches == 0);
		if (!is_stay)
			continue;
		nr_moves += event->kind == STORY_MOVED;
		assert_true(event->end_ns >= event->first_ns);
		told.loads[event->to] += event->nr_loads;
		told.stores[event->to] += event->nr_stores;
		told.touches[event->to] += event->nr_touches;
	}
	assert_memory_equal(told.loads, expected->loads, sizeof(told.loads));
	assert_memory_equal(told.stores, expected->stores, sizeof(told.stores));
	assert_memory_equal(told.touches, expected->touches, sizeof(told.touches));
	assert_int_equal(story->nr_moves, nr_moves);
	assert_true(story->nr_lives >= expected->nr_lives); /* mremap brings lives along */
	sim_set_free(set);
	story_free(story);
}

/* The watch must not change what it looks at. */
static void check_unchanged(const struct tape *tape, const struct machine *machine,
			    const char *policy, const struct sim_set *watched)
{
	struct sim_set *set = simulate(tape, machine, policy, NULL);
	const struct sim_result *one = sim_set_result(set, 0), *other = sim_set_result(watched, 0);
	assert_int_equal(one->time_ns, other->time_ns);
	assert_int_equal(one->nr_promoted, other->nr_promoted);
	assert_int_equal(one->nr_demoted, other->nr_demoted);
	assert_int_equal(one->nr_round_trips, other->nr_round_trips);
	sim_set_free(set);
}

static void test_story_agrees_with_single_accesses(void **state)
{
	static const char *const names[] = { "linux-none", "linux-tiering", "recency:idle=3",
					     "linux-tiering:gate=active-lru" };
	static struct oracle oracle;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct machine *machine = machine_two_tiers(200, 3000);
		struct tape tape = tape_new();
		uint64_t nr_moved;
		tape_random(&tape, 7 + i, 60000, NR_PAGES);
		memset(&oracle, 0, sizeof(oracle));
		oracle.watch.kernel = (struct kernel_watch){ .page = KERNEL_WATCH_ALL,
							     .see = see_nothing };
		oracle.watch.wrap = oracle_wrap;
		oracle.watch.context = &oracle;
		struct sim_set *set = simulate(&tape, machine, names[i], &oracle.watch);
		nr_moved = sim_set_result(set, 0)->nr_promoted;
		assert_true(i == 0 ? nr_moved == 0 : nr_moved > 50);
		check_unchanged(&tape, machine, names[i], set);
		for (uint64_t page = 3; page < NR_PAGES; page += 97)
			check_story(&tape, machine, names[i], &oracle, page % NR_SPACES, page);
		check_story(&tape, machine, names[i], &oracle, 0, NR_PAGES + 40);
		sim_set_free(set);
		tape_free(&tape);
		machine_free(machine);
	}
}

/* What all pages lost is what the account has above all-fast. */
static void test_survey_loses_what_the_account_says(void **state)
{
	struct machine *machine = machine_two_tiers(200, 3000);
	struct tape tape = tape_new();
	struct survey *survey = NULL;
	(void)state;
	tape_random(&tape, 5, 60000, NR_PAGES);
	assert_int_equal(survey_new(20, &survey), 0);
	struct sim_set *set = simulate(&tape, machine, "recency:idle=3", &survey->watch);
	const struct sim_result *result = sim_set_result(set, 0);
	const struct cost_model *cost = sim_set_cost(set);
	uint64_t fast_ps = 0;
	for (uint32_t i = 0; i < cost->nr_nodes; i++)
		fast_ps += result->nodes[i].loads * cost->load_ps[0] +
			   result->nodes[i].stores * cost->store_ps[0];
	assert_true(result->nr_promoted > 100);
	assert_int_equal(survey->lost_ps, result->linear_ps - fast_ps);
	assert_int_equal(survey->by_moves.nr, 20);
	assert_int_equal(survey->by_loss.nr, 20);
	for (uint32_t i = 1; i < 20; i++) {
		assert_true(survey->by_moves.lives[i - 1].nr_moves >=
			    survey->by_moves.lives[i].nr_moves);
		assert_true(survey->by_loss.lives[i - 1].lost_ps >=
			    survey->by_loss.lives[i].lost_ps);
	}
	check_unchanged(&tape, machine, "recency:idle=3", set);
	sim_set_free(set);
	survey_free(survey);
	tape_free(&tape);
	machine_free(machine);
}

/* A story with room for three events says how many it left out. */
static void test_story_is_bounded(void **state)
{
	struct machine *machine = machine_two_tiers(200, 3000);
	struct story_config config = {
		.page = 3, .space = STORY_ANY_SPACE, .nr_spaces = NR_SPACES, .max_events = 3
	};
	struct tape tape = tape_new();
	struct story *story = NULL;
	(void)state;
	tape_random(&tape, 5, 60000, NR_PAGES);
	assert_int_equal(story_new(&config, &story), 0);
	struct sim_set *set = simulate(&tape, machine, "recency:idle=3", &story->watch);
	assert_int_equal(story->nr, 3);
	assert_true(story->nr_left_out > 0);
	assert_true(story_is_valid(story));
	sim_set_free(set);
	story_free(story);
	tape_free(&tape);
	machine_free(machine);
}
