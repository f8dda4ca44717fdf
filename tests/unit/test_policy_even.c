/* SPDX-License-Identifier: MIT */
/* berth where fast memory is huge folios, of which glances tell, and slow memory single pages, of
 * which their bits do: what it is told is made by glance.c, as for the live sampler. */
#include "test.h"

#define PAPER_PAGES (64 * 1024)
#include <stdlib.h>

#include "linux/glance.h"
#include "policy_fixture.h"

#define ONE	    65536
#define NR_HUGE	    64u
#define NR_HOT_HUGE 8u
#define HUGE_END    (NR_HUGE * GLANCE_PAGES)
#define NR_SINGLE   16384u
#define NR_HOT	    8192u
#define NR_UNUSED   8192u
#define ALL_PAGES   (HUGE_END + NR_SINGLE + NR_UNUSED)

struct play {
	struct paper_world world;
	struct random random;
	struct glance glance;
	uint64_t now_ns;	    /* of the glances */
	uint64_t clear_ns, left_ns; /* what clearing a folio takes; what is left of a session */
	uint64_t window_ns;
	uint64_t huge_rate[NR_HUGE], single_rate[NR_SINGLE]; /* uses of a page in 1000 s */
	uint64_t cleared_ns[NR_HUGE];
	bool is_met;
};

static bool is_used_within(struct play *play, uint64_t uses_per_1000s, uint64_t ns)
{
	uint64_t uses = uses_per_1000s * ONE / 1000 * (ns / NS_PER_US) / 1000000;
	return random_below(&play->random, ONE) >= glance_exp_minus(uses);
}

static int clear(void *context, uint32_t space, const uint64_t *numbers, uint32_t nr)
{
	struct play *play = context;
	(void)space;
	for (uint32_t i = 0; i < nr; i++) {
		play->now_ns += play->clear_ns;
		play->left_ns -= MIN(play->left_ns, play->clear_ns);
		play->cleared_ns[numbers[i]] = play->now_ns;
	}
	return (int)nr;
}

static bool begin_reading(void *context, uint32_t space)
{
	(void)context;
	return space == 0;
}

static int is_used(void *context, uint64_t number)
{
	struct play *play = context;
	return is_used_within(play, play->huge_rate[number] * GLANCE_PAGES,
			      play->now_ns - play->cleared_ns[number]);
}

static void wait_for(void *context, uint64_t ns)
{
	struct play *play = context;
	play->now_ns += ns;
}

static uint64_t now_ns(void *context)
{
	return ((struct play *)context)->now_ns;
}

static bool has_time(void *context, uint64_t expected_ns)
{
	return ((struct play *)context)->left_ns > expected_ns;
}

static void see(struct play *play, struct sample *sample)
{
	struct sample_batch batch = { sample, 1, 1 };
	play->world.ops->observe(play->world.policy, &batch);
}

static struct sample sample_at(const struct play *play, uint64_t page, bool is_in_window)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, play->world.now_ns, 0, page);
	sample.node = play->world.node[page];
	sample.hits = sample.checks = 1;
	sample.order = 0;
	sample.window_ns = is_in_window ? play->window_ns : SAMPLE_UNKNOWN;
	return sample;
}

static void see_huge(struct play *play, uint64_t number)
{
	uint64_t page = number * GLANCE_PAGES;
	enum glance_bound bound = play->world.node[page] ? GLANCE_AT_LEAST : GLANCE_AT_MOST;
	uint32_t share = 0;
	if (is_used_within(play, play->huge_rate[number] * GLANCE_PAGES, play->window_ns))
		share = glance_share(&play->glance, 0, page, play->window_ns, bound);
	struct sample sample = sample_at(play, page, share > 0);
	sample.nr_pages = GLANCE_PAGES;
	sample.order = GLANCE_ORDER;
	if (share > 0 && share < GLANCE_CHECKS) {
		sample.hits = share;
		sample.checks = GLANCE_CHECKS;
	}
	if (share > 0 || !play->is_met)
		see(play, &sample);
	glance_see(&play->glance, 0, page, true);
}

static void check(struct play *play)
{
	const struct glance_eyes eyes = { play,	    clear,  begin_reading, is_used,
					  wait_for, now_ns, has_time };
	play->left_ns = 20 * NS_PER_MS;
	glance_session(&play->glance, &eyes);
	glance_begin(&play->glance);
	for (uint64_t i = 0; i < NR_HUGE; i++)
		see_huge(play, i);
	for (uint64_t i = 0; i < NR_SINGLE + NR_UNUSED; i++) {
		bool is_in_window = i < NR_SINGLE &&
				    is_used_within(play, play->single_rate[i], play->window_ns);
		struct sample sample = sample_at(play, HUGE_END + i, is_in_window);
		if (is_in_window || !play->is_met)
			see(play, &sample);
	}
	glance_end(&play->glance);
	play->is_met = true;
}

/* All are used alike, at that rate; fast memory has room for so many huge folios. */
static struct play *play_open(uint64_t nr_fast, uint64_t rate, uint64_t window_ns)
{
	struct play *play = calloc(1, sizeof(*play));
	assert_non_null(play);
	random_init(&play->random, 1);
	play->window_ns = window_ns;
	play->clear_ns = 30 * NS_PER_US;
	for (unsigned i = 0; i < NR_HUGE; i++)
		play->huge_rate[i] = rate;
	for (unsigned i = 0; i < NR_SINGLE; i++)
		play->single_rate[i] = rate;
	paper_open(&play->world, "berth", "", nr_fast * GLANCE_PAGES, PAPER_PAGES);
	for (uint64_t i = 0; i < ALL_PAGES; i++)
		paper_birth(&play->world, i);
	return play;
}

static void play_close(struct play *play)
{
	paper_close(&play->world);
	glance_fini(&play->glance);
	free(play);
}

static void turns(struct play *play, unsigned nr, uint64_t every_ns)
{
	for (unsigned i = 0; i < nr; i++) {
		check(play);
		paper_turn(&play->world, every_ns);
	}
}

/* As the live sampler comes by: four times in a row, then when its share of a CPU allows. */
static void play_for(struct play *play, unsigned nr)
{
	turns(play, 4, 800 * NS_PER_MS);
	turns(play, nr, 2500 * NS_PER_MS);
}

static uint64_t nr_moved(const struct play *play)
{
	return play->world.nr_promoted + play->world.nr_demoted;
}

static uint64_t nr_fast(const struct play *play, uint64_t first, uint64_t nr)
{
	uint64_t nr_found = 0;
	for (uint64_t i = 0; i < nr; i++)
		nr_found += play->world.node[first + i] == 0;
	return nr_found;
}

static const uint64_t windows_ns[] = { 40 * NS_PER_MS, 80 * NS_PER_MS, 170 * NS_PER_MS };

/* Neither by chance, nor since folios have had no looks yet or few, nor since all was met at once.
 */
static void test_even_load_is_left_alone(void **state)
{
	static const uint64_t clear_us[] = { 10, 100, 400 };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows_ns); i++)
		for (size_t j = 0; j < ARRAY_SIZE(clear_us); j++) {
			struct play *play = play_open(NR_HUGE, 4500, windows_ns[i]);
			play->clear_ns = clear_us[j] * NS_PER_US;
			play_for(play, 12);
			assert_in_range(nr_moved(play), 0, ALL_PAGES / 256);
			play_close(play);
		}
}

/* A seventh of the memory has nine tenths of the uses. */
static void test_hot_pages_come_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows_ns); i++) {
		struct play *play = play_open(NR_HUGE, 650, windows_ns[i]);
		for (unsigned j = 0; j < NR_HOT; j++)
			play->single_rate[j] = 35000;
		play_for(play, 10);
		assert_in_range(nr_fast(play, HUGE_END, NR_HOT), NR_HOT / 20 * 19, NR_HOT);
		assert_in_range(nr_moved(play), 0, NR_HOT * 9 / 4);
		play_close(play);
	}
}

/* The second check shows who was seen again, and that some of fast memory is worth less, of which
 * the first that it comes to is not. In short windows it takes one more. */
static void test_hot_pages_come_up_soon(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(windows_ns); i++) {
		struct play *play = play_open(NR_HUGE, 650, windows_ns[i]);
		for (unsigned j = 0; j < NR_HOT; j++)
			play->single_rate[j] = 35000;
		for (unsigned j = 0; j < NR_HUGE / 2; j++)
			play->huge_rate[j] = 35000;
		turns(play, 2, 800 * NS_PER_MS);
		assert_in_range(nr_fast(play, HUGE_END, NR_HOT), NR_HOT / 4 * 3, NR_HOT);
		play_close(play);
	}
}

/* When other pages are used instead, looks at them tell within three checks: not only after as many
 * as it takes to be sure of each of them alone, and to doubt what was learned of the others. */
static void test_hot_pages_are_followed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows_ns); i++) {
		struct play *play = play_open(NR_HUGE, 650, windows_ns[i]);
		for (unsigned j = 0; j < NR_HOT; j++)
			play->single_rate[j] = 35000;
		play_for(play, 6);
		for (unsigned j = 0; j < NR_HOT; j++) {
			play->single_rate[NR_HOT + j] = 35000;
			play->single_rate[j] = 650;
		}
		turns(play, 3, 800 * NS_PER_MS);
		assert_in_range(nr_fast(play, HUGE_END + NR_HOT, NR_HOT), NR_HOT / 10 * 7, NR_HOT);
		turns(play, 3, 2500 * NS_PER_MS);
		assert_in_range(nr_fast(play, HUGE_END + NR_HOT, NR_HOT), NR_HOT / 20 * 19, NR_HOT);
		assert_in_range(nr_moved(play), 0, NR_HOT * 17 / 4);
		play_close(play);
	}
}

static void heat(struct play *play, unsigned first, uint64_t rate)
{
	for (unsigned i = 0; i < NR_HOT_HUGE; i++)
		play->huge_rate[first + i] = rate;
}

/* Of huge folios in slow memory those come up that are hot, and few with them; the same when
 * others become hot. */
static void test_hot_folios_come_up_alone(void **state)
{
	const uint64_t nr_pages = NR_HOT_HUGE * GLANCE_PAGES;
	const unsigned first = NR_HUGE - NR_HOT_HUGE, then = first - 2 * NR_HOT_HUGE;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows_ns); i++) {
		struct play *play = play_open(NR_HUGE / 2, 650, windows_ns[i]);
		heat(play, first, 35000);
		play_for(play, 6);
		assert_int_equal(nr_fast(play, first * GLANCE_PAGES, nr_pages), nr_pages);
		assert_in_range(play->world.nr_promoted, nr_pages, nr_pages / 8 * 9);
		heat(play, first, 650);
		heat(play, then, 35000);
		play_for(play, 8);
		assert_in_range(nr_fast(play, then * GLANCE_PAGES, nr_pages), nr_pages / 8 * 7,
				nr_pages);
		assert_in_range(play->world.nr_promoted, 0, nr_pages / 4 * 9);
		play_close(play);
	}
}
