/* SPDX-License-Identifier: MIT */
/* Telling how often huge folios are used by one bit each: folios whose uses come at random, at
 * rates that are known, looked at by eyes of their own. */
#include "test.h"

#include "linux/glance.h"

#define NR_FOLIOS   64
#define MANY_FOLIOS (GLANCE_TURN + 200)
#define LEARNED	    16 /* batches */
#define CLEAR_NS    (4 * NS_PER_US)
#define WINDOW_NS   (100 * NS_PER_MS)
#define ONE	    65536
#define NOT_HUGE    7 /* number of the folio that is split when it is read */
#define REFUSED	    9 /* whose bit cannot be cleared */
#define NO_REFUSED  UINT64_MAX

struct world {
	uint64_t now_ns, random, nr_batches, max_batches, refused, split;
	uint64_t rate[MANY_FOLIOS], cleared_ns[MANY_FOLIOS]; /* uses a second */
	uint64_t nr_cleared[MANY_FOLIOS];
	uint64_t range_ns, clear_ns, clearing_ns, nr_clears, nr_refused;
	uint64_t session_ns, until_ns; /* of the clock; 0: as long as it takes */
	uint64_t first_of_next;	       /* folios from here on are of another space */
	uint64_t
		burst_ns; /* it works for so long, then pauses for seven times as long; 0: always */
	uint64_t stuck_at; /* this clearing is interrupted, for 50 ms; 0: none is */
	bool has_ended;
};

static uint32_t space_of(const struct world *world, uint64_t number)
{
	return number < world->first_of_next ? 3 : 4;
}

static uint64_t next_random(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	return world->random ^= world->random << 17;
}

static int clear(void *context, uint32_t space, const uint64_t *numbers, uint32_t nr)
{
	struct world *world = context;
	uint64_t begin_ns = world->now_ns;
	if (world->has_ended)
		return -ESRCH;
	world->nr_clears++;
	world->now_ns += world->nr_clears == world->stuck_at ? 50 * NS_PER_MS : 0;
	for (uint32_t i = 0; i < nr; i++) {
		assert_int_equal(space, space_of(world, numbers[i]));
		if (numbers[i] == world->refused) {
			world->nr_refused++;
			return (int)i;
		}
		bool is_range = i == 0 || numbers[i] != numbers[i - 1] + 1;
		world->now_ns += world->clear_ns + (is_range ? world->range_ns : 0);
		world->clearing_ns = world->now_ns - begin_ns;
		world->cleared_ns[numbers[i]] = world->now_ns;
		world->nr_cleared[numbers[i]]++;
	}
	return (int)nr;
}

static bool begin_reading(void *context, uint32_t space)
{
	const struct world *world = context;
	assert_in_range(space, 3, 4);
	return !world->has_ended;
}

/* Until then, in all. */
static uint64_t worked_ns(const struct world *world, uint64_t ns)
{
	uint64_t period_ns = 8 * world->burst_ns;
	if (period_ns == 0)
		return ns;
	return ns / period_ns * period_ns + MIN(ns % period_ns, world->burst_ns) * 8;
}

/* With the chance 1 - exp(-rate x time). */
static int is_used(void *context, uint64_t number)
{
	struct world *world = context;
	uint64_t watched_ns = worked_ns(world, world->now_ns) -
			      worked_ns(world, world->cleared_ns[number]);
	uint64_t uses = world->rate[number] * watched_ns / (NS_PER_S / ONE);
	if (number == world->split)
		return -ENOENT;
	return next_random(world) % ONE >= glance_exp_minus(uses);
}

static void wait_for(void *context, uint64_t ns)
{
	struct world *world = context;
	if (world->nr_clears > LEARNED && !world->range_ns) /* what clearing takes is known */
		assert_true(world->clearing_ns <= MAX(ns, 4 * NS_PER_MS) * 5 / 4);
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
	if (world->session_ns && world->now_ns + expected_ns >= world->until_ns)
		return false;
	return world->nr_batches++ < world->max_batches;
}

static struct world world_of(uint64_t rate)
{
	struct world world = { .random = 88172645463325252u,
			       .max_batches = UINT64_MAX,
			       .clear_ns = CLEAR_NS,
			       .first_of_next = UINT64_MAX,
			       .refused = NO_REFUSED,
			       .split = NO_REFUSED };
	for (unsigned i = 0; i < MANY_FOLIOS; i++)
		world.rate[i] = rate;
	return world;
}

static void check_of(struct glance *glance, struct world *world, uint64_t nr)
{
	const struct glance_eyes eyes = { world,    clear,  begin_reading, is_used,
					  wait_for, now_ns, has_time };
	glance_begin(glance);
	for (uint64_t i = 0; i < nr; i++)
		glance_see(glance, space_of(world, i), i * GLANCE_PAGES, true);
	glance_end(glance);
	world->until_ns = world->now_ns + world->session_ns;
	glance_session(glance, &eyes);
}

static void check(struct glance *glance, struct world *world)
{
	check_of(glance, world, NR_FOLIOS);
}

static uint64_t nr_looks(const struct world *world)
{
	uint64_t nr = 0;
	for (unsigned i = 0; i < MANY_FOLIOS; i++)
		nr += world->nr_cleared[i];
	return nr;
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
		{ 5, 0, 200 },		/*   5 / 512 x 0.1 s: 0.001 */
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

/* Sessions of 100 ms, of which clearing takes most, 200 us for each range: of 300 known folios a
 * few become hot, and nearly all of them are told to be after four sessions. */
static void test_glance_finds_what_becomes_hot(void **state)
{
	const uint64_t nr = 300, nr_hot = 25;
	struct glance glance = { 0 };
	struct world world = world_of(150);
	unsigned nr_told = 0, nr_wrong = 0;
	(void)state;
	world.range_ns = 200 * NS_PER_US;
	world.clear_ns = 20 * NS_PER_US;
	world.session_ns = 100 * NS_PER_MS;
	for (unsigned i = 0; i < 20; i++)
		check_of(&glance, &world, nr);
	for (uint64_t i = nr - nr_hot; i < nr; i++)
		world.rate[i] = 8192;
	for (unsigned i = 0; i < 4; i++)
		check_of(&glance, &world, nr);
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t share = glance_share(&glance, 3, i * GLANCE_PAGES, WINDOW_NS,
					      GLANCE_AT_LEAST);
		nr_told += i >= nr - nr_hot && share >= GLANCE_CHECKS / 8;
		nr_wrong += i < nr - nr_hot && share > GLANCE_CHECKS / 10;
	}
	assert_in_range(nr_told, nr_hot * 4 / 5, nr_hot);
	assert_int_equal(nr_wrong, 0);
	glance_fini(&glance);
}

/* What clearing costs is not what it once took. */
static void test_glance_gets_over_an_interruption(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(1000);
	(void)state;
	world.range_ns = 30 * NS_PER_US;
	world.stuck_at = world.max_batches = 8;
	check(&glance, &world);
	assert_in_range(glance.range_ns, 15 * NS_PER_US, 60 * NS_PER_US);
	glance_fini(&glance);
}

/* There is so little time that many which need long looks are not known yet: one of these that
 * becomes hot is found as soon as any. */
static void test_glance_finds_what_was_not_known(void **state)
{
	const uint64_t nr = 300, nr_hot = 25;
	struct glance glance = { 0 };
	struct world world = world_of(40);
	unsigned nr_told = 0;
	(void)state;
	for (uint64_t i = 0; i < nr; i += 2)
		world.rate[i] = 1500; /* these have most of the looks */
	world.range_ns = 100 * NS_PER_US;
	world.clear_ns = 20 * NS_PER_US;
	world.session_ns = 60 * NS_PER_MS;
	for (unsigned i = 0; i < 6; i++)
		check_of(&glance, &world, nr);
	for (uint64_t i = 0; i < nr_hot; i++)
		world.rate[2 * i + 101] = 8192;
	for (unsigned i = 0; i < 3; i++)
		check_of(&glance, &world, nr);
	for (uint64_t i = 0; i < nr_hot; i++)
		nr_told += glance_share(&glance, 3, (2 * i + 101) * GLANCE_PAGES, WINDOW_NS,
					GLANCE_AT_LEAST) >= GLANCE_CHECKS / 8;
	assert_in_range(nr_told, nr_hot * 4 / 5, nr_hot);
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

/* However few the looks, and of whatever length: what they rule out is seldom so. */
static void test_glance_bounds_few_looks(void **state)
{
	static const uint64_t rates[] = { 50, 150, 600, 2500, 8000 };
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		uint32_t is = (uint32_t)(rates[i] * GLANCE_CHECKS / GLANCE_PAGES / 1000);
		for (unsigned nr_batches = 1; nr_batches < 60; nr_batches += 3) {
			struct glance glance = { 0 };
			struct world world = world_of(rates[i]);
			unsigned nr_below = 0, nr_above = 0;
			world.random += nr_batches;
			world.max_batches = nr_batches;
			check(&glance, &world);
			for (uint64_t page = 0; page < NR_FOLIOS * GLANCE_PAGES;
			     page += GLANCE_PAGES) { /* in 1 ms a share is as good as a rate */
				nr_below += glance_share(&glance, 3, page, NS_PER_MS,
							 GLANCE_AT_MOST) < is / 8 * 5;
				nr_above += glance_share(&glance, 3, page, NS_PER_MS,
							 GLANCE_AT_LEAST) > is * 2 + 8;
			}
			assert_in_range(nr_below, 0, NR_FOLIOS / 10);
			assert_in_range(nr_above, 0, NR_FOLIOS / 10);
			glance_fini(&glance);
		}
	}
}

/* One that has not been seen unused may be used any amount. */
static void test_glance_rules_out_nothing_by_hits(void **state)
{
	struct glance_folio folio = { .level = 1 };
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct glance glance = { .folios = { &folio, 1, 1 } };
		glance_note(&folio, true, NS_PER_MS >> 2 * (1 - folio.level));
		assert_int_equal(glance_share(&glance, 0, 0, NS_PER_MS, GLANCE_AT_MOST),
				 GLANCE_CHECKS);
	}
	glance_note(&folio, false, NS_PER_MS / 4);
	struct glance glance = { .folios = { &folio, 1, 1 } };
	assert_true(glance_share(&glance, 0, 0, NS_PER_MS, GLANCE_AT_MOST) < GLANCE_CHECKS);
}

/* In one millisecond of eight the program uses everything, in the others nothing: as seldom as
 * looks see that, it rules out nothing, and where uses come at random it is no burst. */
static void test_glance_knows_bursts(void **state)
{
	const uint64_t page = 5 * GLANCE_PAGES;
	struct glance glance = { 0 };
	struct world world = world_of(2500);
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		check(&glance, &world);
	assert_true(glance_share(&glance, 3, page, NS_PER_MS, GLANCE_AT_MOST) < GLANCE_CHECKS / 8);
	world.burst_ns = NS_PER_MS;
	for (unsigned i = 0; i < 4; i++)
		check(&glance, &world);
	assert_int_equal(glance_share(&glance, 3, page, NS_PER_MS, GLANCE_AT_MOST), GLANCE_CHECKS);
	assert_true(glance_share(&glance, 3, page, NS_PER_MS, GLANCE_AT_LEAST) < GLANCE_CHECKS / 8);
	world.burst_ns = 0;
	for (unsigned i = 0; i < 20; i++)
		check(&glance, &world);
	assert_true(glance_share(&glance, 3, page, NS_PER_MS, GLANCE_AT_MOST) < GLANCE_CHECKS / 8);
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
	for (unsigned i = 0; i < 3; i++)
		check(&glance, &world);
	assert_int_equal(world.nr_refused, 1); /* and is not asked for again */
	glance_fini(&glance);
}

/* A session ends with its time or with the process. */
static void test_glance_is_bounded(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(8192);
	(void)state;
	world.max_batches = 2;
	check(&glance, &world);
	assert_int_equal(world.nr_clears, 2);
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

/* What was learned stays: known folios have two looks in a check, unless those say otherwise. */
static void test_glance_remembers(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(150);
	(void)state;
	check(&glance, &world);
	uint64_t nr_new = nr_looks(&world);
	assert_true(nr_new >= (uint64_t)8 * NR_FOLIOS);
	for (unsigned i = 0; i < 4; i++)
		check(&glance, &world);
	uint64_t nr_before = nr_looks(&world);
	check(&glance, &world);
	assert_in_range(nr_looks(&world) - nr_before, 2 * NR_FOLIOS, 6 * NR_FOLIOS);
	glance_fini(&glance);
}

/* More than a session's: those that had no turn have the next. */
static void test_glance_takes_turns(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(150);
	unsigned nr_without = 0;
	(void)state;
	check_of(&glance, &world, MANY_FOLIOS);
	for (unsigned i = 0; i < MANY_FOLIOS; i++)
		nr_without += world.nr_cleared[i] == 0;
	assert_int_equal(nr_without, MANY_FOLIOS - GLANCE_TURN);
	check_of(&glance, &world, MANY_FOLIOS);
	for (unsigned i = 0; i < MANY_FOLIOS; i++)
		assert_true(world.nr_cleared[i] > 0);
	glance_fini(&glance);
}

/* A batch is of one space, and where clearing is slow it is smaller: else those cleared first would
 * be watched for much longer than the others (asserted by the world). */
static void test_glance_batches_fit(void **state)
{
	struct glance glance = { 0 };
	struct world world = world_of(150);
	(void)state;
	world.first_of_next = NR_FOLIOS / 2 + 5;
	check(&glance, &world);
	assert_true(world.nr_cleared[0] > 0 && world.nr_cleared[NR_FOLIOS - 1] > 0);
	world.clear_ns = 100 * NS_PER_US;
	world.nr_clears = 0;
	for (unsigned i = 0; i < 4; i++)
		check(&glance, &world);
	assert_true(world.nr_clears > LEARNED);
	glance_fini(&glance);
}
