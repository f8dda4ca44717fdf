/* SPDX-License-Identifier: MIT */
/* Telling how often huge folios are used by one bit each: folios whose uses come at random, at
 * rates that are known, looked at by eyes of their own. */
#include "test.h"

#include "linux/glance.h"

#define NR_FOLIOS  64
#define CLEAR_NS   (4 * NS_PER_US)
#define WINDOW_NS  (100 * NS_PER_MS)
#define ONE	   65536
#define NOT_HUGE   7 /* number of the folio that is split when it is read */
#define REFUSED	   9 /* whose bit cannot be cleared */
#define NO_REFUSED UINT64_MAX

struct world {
	uint64_t now_ns, random, nr_batches, max_batches, refused, split;
	uint64_t rate[NR_FOLIOS], cleared_ns[NR_FOLIOS]; /* uses a second */
	uint64_t nr_cleared[NR_FOLIOS];
	bool has_ended;
};

static uint64_t next_random(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	return world->random ^= world->random << 17;
}

static int clear(void *context, uint32_t space, const uint64_t *numbers, uint32_t nr)
{
	struct world *world = context;
	assert_int_equal(space, 3);
	if (world->has_ended)
		return -ESRCH;
	for (uint32_t i = 0; i < nr; i++) {
		if (numbers[i] == world->refused)
			return (int)i;
		world->now_ns += CLEAR_NS;
		world->cleared_ns[numbers[i]] = world->now_ns;
		world->nr_cleared[numbers[i]]++;
	}
	return (int)nr;
}

static bool begin_reading(void *context, uint32_t space)
{
	const struct world *world = context;
	assert_int_equal(space, 3);
	return !world->has_ended;
}

/* With the chance 1 - exp(-rate x time). */
static int is_used(void *context, uint64_t number)
{
	struct world *world = context;
	uint64_t watched_ns = world->now_ns - world->cleared_ns[number];
	uint64_t uses = world->rate[number] * watched_ns / (NS_PER_S / ONE);
	if (number == world->split)
		return -ENOENT;
	return next_random(world) % ONE >= glance_exp_minus(uses);
}

static void wait_for(void *context, uint64_t ns)
{
	struct world *world = context;
	world->now_ns += ns;
}

static uint64_t now_ns(void *context)
{
	return ((struct world *)context)->now_ns;
}

static bool has_time(void *context, uint64_t expected_ns)
{
	assert_true(expected_ns > 0);
	struct world *world = context;
	return world->nr_batches++ < world->max_batches;
}

static struct world world_of(uint64_t rate)
{
	struct world world = { .random = 88172645463325252u,
			       .max_batches = UINT64_MAX,
			       .refused = NO_REFUSED,
			       .split = NO_REFUSED };
	for (unsigned i = 0; i < NR_FOLIOS; i++)
		world.rate[i] = rate;
	return world;
}

static void check(struct glance *glance, struct world *world)
{
	const struct glance_eyes eyes = { world,    clear,  begin_reading, is_used,
					  wait_for, now_ns, has_time };
	glance_begin(glance);
	for (uint64_t i = 0; i < NR_FOLIOS; i++)
		glance_see(glance, 3, i * GLANCE_PAGES, true);
	glance_end(glance);
	glance_session(glance, &eyes);
}

/* Of all folios, in 65536ths. */
static uint64_t mean_share(struct glance *glance)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < NR_FOLIOS; i++)
		sum += glance_share(glance, 3, i * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED);
	return sum * (ONE / GLANCE_CHECKS) / NR_FOLIOS;
}

static void test_glance_logarithm(void **state)
{
	(void)state;
	assert_int_equal(glance_minus_ln(1, 1), 0);
	assert_in_range(glance_minus_ln(1, 2), 45420, 45432);	    /* 0.6931 */
	assert_in_range(glance_minus_ln(1, 3), 71990, 72008);	    /* 1.0986 */
	assert_in_range(glance_minus_ln(9, 10), 6895, 6911);	    /* 0.1054 */
	assert_in_range(glance_minus_ln(1, 65535), 726800, 726830); /* 11.0904 */
	for (uint32_t i = 1; i < 1000; i++)
		assert_true(glance_minus_ln(i, 1000) >= glance_minus_ln(i + 1, 1000));
}

static void test_glance_exponential(void **state)
{
	(void)state;
	assert_int_equal(glance_exp_minus(0), ONE);
	assert_in_range(glance_exp_minus(ONE), 24095, 24123);	    /* 0.36788 */
	assert_in_range(glance_exp_minus(ONE / 100), 64876, 64902); /* 0.99005 */
	assert_in_range(glance_exp_minus(5 * ONE), 430, 450);	    /* 0.00674 */
	assert_int_equal(glance_exp_minus(100 * ONE), 0);
	assert_int_equal(glance_exp_minus(UINT64_MAX / ONE / 2), 0);
	for (uint64_t x = 0; x < 4 * ONE; x += 97) /* each undoes the other */
		assert_true(glance_exp_minus(x) >= glance_exp_minus(x + 97));
}

/* What looks tell is what bits of the pages' own would show, from idle to hot. */
static void test_glance_tells_rates_apart(void **state)
{
	static const struct {
		uint64_t rate, least, most; /* uses a second; share in 65536ths */
	} cases[] = {
		{ 5, 0, 150 },		/*   5 / 512 x 0.1 s: 0.001 */
		{ 150, 1300, 2600 },	/* 150 / 512 x 0.1 s: 0.029 */
		{ 1000, 9000, 16000 },	/* 0.18 */
		{ 4000, 28000, 46000 }, /* 0.54 */
		{ 1000000, ONE, ONE },	/* beyond measure: used wholly, as its bit says */
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct glance glance = { 0 };
		struct world world = world_of(cases[i].rate);
		for (unsigned j = 0; j < 4; j++)
			check(&glance, &world);
		assert_in_range(mean_share(&glance), cases[i].least, cases[i].most);
		glance_fini(&glance);
	}
}

/* One look is enough to tell what is hot, and what has become cold is known soon. */
static void test_glance_follows_change(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(150);
	(void)state;
	world.rate[5] = 8192;
	check(&glance, &world);
	uint32_t hot = glance_share(&glance, 3, 5 * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED);
	assert_true(hot > GLANCE_CHECKS / 3);
	assert_true(glance_share(&glance, 3, 6 * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED) <
		    GLANCE_CHECKS / 5);
	world.rate[5] = 150;
	world.rate[6] = 8192;
	for (unsigned i = 0; i < 3; i++)
		check(&glance, &world);
	assert_true(glance_share(&glance, 3, 5 * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED) <
		    hot / 2);
	assert_true(glance_share(&glance, 3, 6 * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED) >
		    GLANCE_CHECKS / 3);
	glance_fini(&glance);
}

/* Of folios that are used alike none looks colder than they are, nor hotter, but by rare chance. */
static void test_glance_bounds_chance(void **state)
{
	const uint32_t is = GLANCE_CHECKS * 29 / 1000; /* 150 / 512 x 0.1 s */
	unsigned nr_below = 0, nr_above = 0, nr_guessed_below = 0;
	struct glance glance = { 0 };
	struct world world = world_of(150);
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		check(&glance, &world);
	for (uint64_t i = 0; i < NR_FOLIOS; i++) {
		uint64_t page = i * GLANCE_PAGES;
		uint32_t least = glance_share(&glance, 3, page, WINDOW_NS, GLANCE_AT_LEAST);
		uint32_t guess = glance_share(&glance, 3, page, WINDOW_NS, GLANCE_GUESSED);
		uint32_t most = glance_share(&glance, 3, page, WINDOW_NS, GLANCE_AT_MOST);
		assert_true(least <= guess && guess <= most && least > 0);
		nr_below += most < is * 3 / 4;
		nr_above += least > is * 3 / 2;
		nr_guessed_below += guess < is * 3 / 4;
	}
	assert_true(nr_guessed_below > NR_FOLIOS / 10);
	assert_in_range(nr_below, 0, NR_FOLIOS / 30);
	assert_in_range(nr_above, 0, NR_FOLIOS / 30);
	glance_fini(&glance);
}

/* Refused or split: as its one bit says; never met: nothing. */
static void test_glance_knows_what_it_does_not_know(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(150);
	(void)state;
	world.refused = REFUSED;
	world.split = NOT_HUGE;
	check(&glance, &world);
	assert_int_equal(
		glance_share(&glance, 3, REFUSED * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED),
		GLANCE_CHECKS);
	assert_int_equal(
		glance_share(&glance, 3, NOT_HUGE * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED),
		GLANCE_CHECKS);
	assert_int_equal(
		glance_share(&glance, 3, NR_FOLIOS * GLANCE_PAGES, WINDOW_NS, GLANCE_GUESSED), 0);
	assert_int_equal(glance_share(&glance, 2, 0, WINDOW_NS, GLANCE_GUESSED), 0);
	for (uint64_t i = 0; i < NR_FOLIOS; i++)
		if (i != REFUSED && i != NOT_HUGE)
			assert_true(glance_share(&glance, 3, i * GLANCE_PAGES, WINDOW_NS,
						 GLANCE_GUESSED) < GLANCE_CHECKS / 5);
	assert_int_equal(world.nr_cleared[NOT_HUGE], 1);
	glance_fini(&glance);
}

/* A session ends with its time or with the process, and who has no time now has it next. */
static void test_glance_is_bounded(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(8192);
	uint32_t nr_seen = 0;
	(void)state;
	world.max_batches = 2;
	check(&glance, &world);
	for (unsigned i = 0; i < NR_FOLIOS; i++)
		nr_seen += world.nr_cleared[i] > 0;
	assert_in_range(nr_seen, 1, NR_FOLIOS);
	world.max_batches = UINT64_MAX;
	world.has_ended = true;
	check(&glance, &world);
	world.has_ended = false;
	check(&glance, &world);
	for (unsigned i = 0; i < NR_FOLIOS; i++)
		assert_in_range(world.nr_cleared[i], 1, 100);
	glance_fini(&glance);
}

/* What was unused since the last check is told by its bit alone. */
static void test_glance_leaves_unused_alone(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(150);
	const struct glance_eyes eyes = { &world,   clear,  begin_reading, is_used,
					  wait_for, now_ns, has_time };
	(void)state;
	glance_begin(&glance);
	for (uint64_t i = 0; i < NR_FOLIOS; i++)
		glance_see(&glance, 3, i * GLANCE_PAGES, i % 2);
	glance_end(&glance);
	glance_session(&glance, &eyes);
	for (unsigned i = 0; i < NR_FOLIOS; i++)
		assert_int_equal(world.nr_cleared[i] > 0, i % 2);
	glance_fini(&glance);
}
