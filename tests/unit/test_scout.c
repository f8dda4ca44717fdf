/* SPDX-License-Identifier: MIT */
/* Which pages are scouted, and when their use is an alarm. */
#include "test.h"

#include "linux/scout.h"

#define LONG_NS (60 * NS_PER_S) /* a check of that says nothing of a second */

#define CHUNK 512

/* Chunks [first, first + nr): all pages used, or none; on slow memory. */
static void see_chunks(struct scout *scout, uint64_t first, uint64_t nr, bool is_used)
{
	for (uint64_t page = first * CHUNK; page < (first + nr) * CHUNK; page++)
		scout_see(scout, 0, page, is_used, true);
}

static void test_scout_takes_used_and_unused_chunks(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, LONG_NS);
	see_chunks(&scout, 100, 20, false);
	see_chunks(&scout, 120, 20, true);
	scout_end(&scout);
	assert_int_equal(scout.kinds[SCOUT_HOT].nr_seen, 20);
	assert_int_equal(scout.kinds[SCOUT_COLD].nr_seen, 20);
	for (unsigned i = 0; i < SCOUT_CHUNKS; i++) {
		const struct scout_chunk *hot = &scout.kinds[SCOUT_HOT].chunks[i];
		const struct scout_chunk *cold = &scout.kinds[SCOUT_COLD].chunks[i];
		assert_int_equal(hot->nr, SCOUT_PAGES);
		assert_in_range(hot->number, 120, 139);
		assert_in_range(cold->number, 100, 119);
		for (unsigned j = 1; j < SCOUT_PAGES; j++)
			assert_in_range(hot->pages[j], hot->pages[j - 1] + 1, CHUNK - 1);
		for (unsigned j = 1; j < SCOUT_PAGES; j++) /* one range: one flush */
			assert_int_equal(hot->pages[j], hot->pages[j - 1] + 1);
	}
}

/* Unused pages of fast memory are of no interest: nothing would be gained. */
static void test_scout_leaves_out_unused_fast_pages(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, LONG_NS);
	for (uint64_t page = 0; page < 20 * CHUNK; page++)
		scout_see(&scout, 0, page, false, false);
	scout_end(&scout);
	assert_int_equal(scout.kinds[SCOUT_COLD].nr_seen, 0);
	assert_int_equal(scout.kinds[SCOUT_HOT].nr_seen, 0);
}

/* Over many checks every chunk gets its turn. */
static void test_scout_takes_any_chunk(void **state)
{
	struct scout scout = { .random = 1 };
	unsigned taken[64] = { 0 };
	(void)state;
	for (int check = 0; check < 400; check++) {
		scout_begin(&scout, LONG_NS);
		see_chunks(&scout, 0, ARRAY_SIZE(taken), true);
		scout_end(&scout);
		for (unsigned i = 0; i < SCOUT_CHUNKS; i++)
			taken[scout.kinds[SCOUT_HOT].chunks[i].number]++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		assert_in_range(taken[i], 20, 90); /* 50 on average */
}

static enum scout_tells count_of(struct scout *scout, unsigned nr, unsigned hot, unsigned cold)
{
	scout_begin_count(scout);
	for (unsigned i = 0; i < nr; i++) {
		scout_count(scout, SCOUT_HOT, i < hot);
		scout_count(scout, SCOUT_COLD, i < cold);
	}
	return scout_end_count(scout);
}

static enum scout_tells count(struct scout *scout, unsigned hot, unsigned cold)
{
	return count_of(scout, 64, hot, cold);
}

static void test_scout_alarms_at_a_change_and_not_at_chance(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, LONG_NS);
	assert_int_equal(count(&scout, 60, 4), SCOUT_NOTHING); /* tells what is usual */
	assert_int_equal(count(&scout, 50, 10), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 64, 0), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 5, 4), SCOUT_SUSPICION); /* the hot are not used any more */
	assert_int_equal(count(&scout, 5, 4), SCOUT_ALARM);
	scout_begin(&scout, LONG_NS);
	assert_int_equal(count(&scout, 60, 4), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 60, 30), SCOUT_SUSPICION); /* the cold are used */
	assert_int_equal(count(&scout, 60, 30), SCOUT_ALARM);
	scout_begin(&scout, LONG_NS);
	assert_int_equal(count(&scout, 8, 0), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 6, 3), SCOUT_NOTHING); /* too few to say */
	scout_begin(&scout, LONG_NS);
	assert_int_equal(count(&scout, 30, 30), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 64, 0), SCOUT_NOTHING); /* better than usual */
}

/* A program that rests for a moment has not changed what it uses. */
static void test_scout_looks_again_before_it_alarms(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, LONG_NS);
	assert_int_equal(count(&scout, 60, 4), SCOUT_NOTHING);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(count(&scout, 0, 0), SCOUT_SUSPICION);
		assert_int_equal(count(&scout, 60, 4), SCOUT_NOTHING);
	}
	assert_int_equal(count(&scout, 0, 0), SCOUT_SUSPICION); /* and is none the less heard */
	assert_int_equal(count(&scout, 0, 0), SCOUT_ALARM);
}

/* Few pages need more than two counts. */
static void test_scout_adds_up_what_few_pages_tell(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, LONG_NS);
	assert_int_equal(count_of(&scout, 10, 10, 0), SCOUT_NOTHING);
	assert_int_equal(count_of(&scout, 10, 2, 0), SCOUT_SUSPICION);
	assert_int_equal(count_of(&scout, 10, 2, 0), SCOUT_SUSPICION);
	assert_int_equal(count_of(&scout, 10, 2, 0), SCOUT_SUSPICION);
	assert_int_equal(count_of(&scout, 10, 2, 0), SCOUT_ALARM);
}

/* Twice as long as the check: long enough for what is hot, and not for what is cold. */
static void test_scout_watches_twice_as_long_as_the_check(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, 150 * NS_PER_MS);
	assert_int_equal(scout.window_ns, 300 * NS_PER_MS);
	scout_begin(&scout, 2 * NS_PER_S);
	assert_int_equal(scout.window_ns, NS_PER_S);
}

/* What a check saw used is used, or it has changed since. */
static void test_scout_alarms_at_a_change_since_the_check(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	for (uint64_t watched_ns = 10 * NS_PER_MS; watched_ns < NS_PER_S / 2; watched_ns *= 2) {
		scout_begin(&scout, watched_ns); /* three quarters of them, at least */
		assert_int_equal(count(&scout, 4, 10), SCOUT_SUSPICION);
		assert_int_equal(count(&scout, 4, 10), SCOUT_ALARM);
		scout_begin(&scout, watched_ns);
		assert_int_equal(count(&scout, 30, 10), SCOUT_NOTHING);
		assert_int_equal(count(&scout, 3, 10), SCOUT_SUSPICION);
	}
	scout_begin(&scout, 2 * NS_PER_S); /* three tenths */
	assert_int_equal(count(&scout, 10, 10), SCOUT_NOTHING);
}

static void test_scout_counts_nothing_where_nothing_is_scouted(void **state)
{
	struct scout scout = { .random = 1 };
	(void)state;
	scout_begin(&scout, LONG_NS);
	scout_end(&scout);
	scout_begin_count(&scout);
	assert_int_equal(scout_end_count(&scout), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 0, 0), SCOUT_NOTHING);
	assert_int_equal(count(&scout, 0, 0), SCOUT_NOTHING);
}
