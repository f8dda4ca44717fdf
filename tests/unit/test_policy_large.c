/* SPDX-License-Identifier: MIT */
/* berth and large folios: they move as one, a hot page in a cold one leaves it or stays. */
#include "test.h"

#include "policy_fixture.h"

#define ROUND (100 * NS_PER_MS)
#define LARGE 512u

struct seen {
	uint64_t nr_whole, nr_split, nr_pages, nr_other;
};

static void see(struct paper_world *world, struct sample *sample, uint64_t page, uint8_t order)
{
	sample->time_ns = world->now_ns;
	sample->node = world->node[page];
	sample->order = order;
	struct sample_batch batch = { sample, 1, 1 };
	world->ops->observe(world->policy, &batch);
}

/* One bit serves all of it. */
static void touch_large(struct paper_world *world, uint64_t head, uint32_t hits, uint32_t checks)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, head);
	sample.nr_pages = LARGE;
	sample.hits = hits;
	sample.checks = checks;
	see(world, &sample, head, 9);
}

static void touch_page(struct paper_world *world, uint64_t page)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, page);
	sample.hits = sample.checks = 1;
	see(world, &sample, page, 0);
}

/* Names the page, of a folio of that order. */
static void fault(struct paper_world *world, uint64_t page, uint8_t order)
{
	struct sample sample = sample_of_page(SAMPLE_HINT_FAULT, world->now_ns, 0, page);
	sample.latency_ns = NS_PER_MS;
	see(world, &sample, page, order);
}

static void births(struct paper_world *world, uint64_t first, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		paper_birth(world, first + i);
}

/* A turn; what it planned: large folios whole, split for a page, single pages. */
static void turn(struct paper_world *world, struct seen *seen)
{
	paper_turn(world, ROUND);
	for (uint32_t i = 0; i < world->plan.nr; i++) {
		const struct plan_move *move = &world->plan.moves[i];
		if (move->nr_pages == LARGE && move->order == 9 && move->page % LARGE == 0)
			seen->nr_whole++;
		else if (move->nr_pages == 1 && move->is_split)
			seen->nr_split++;
		else if (move->nr_pages == 1)
			seen->nr_pages++;
		else
			seen->nr_other++;
	}
}

static uint64_t nr_fast(const struct paper_world *world, uint64_t first, uint64_t nr)
{
	uint64_t nr_found = 0;
	for (uint64_t i = 0; i < nr; i++)
		nr_found += world->node[first + i] == 0;
	return nr_found;
}

/* Fast memory is four large folios that are used now and then, slow memory single pages, 600 of
 * them hot: two folios must go, each for hundreds of pages. */
static void play_cold_folios(bool answers_whole)
{
	struct paper_world world;
	struct seen seen = { 0 };
	struct random random;
	random_init(&random, 1);
	paper_open(&world, "berth", "", 4 * LARGE, 4096);
	world.answers_whole = answers_whole;
	births(&world, 0, 4 * LARGE + 2048);
	for (int round = 0; round < 300; round++) {
		for (uint64_t head = 0; head < 4 * LARGE; head += LARGE)
			if (world.node[head] == 0 || round % 8 == 0)
				touch_large(&world, head, 4, 1024);
		for (int i = 0; i < 300; i++)
			touch_page(&world, 4 * LARGE + random_below(&random, 600));
		touch_page(&world, 4 * LARGE + 600 + random_below(&random, 1448));
		turn(&world, &seen);
	}
	assert_int_equal(nr_fast(&world, 4 * LARGE, 600), 600);
	assert_int_equal(nr_fast(&world, 0, 4 * LARGE), 2 * LARGE);
	assert_int_equal(seen.nr_whole, 2);
	assert_int_equal(seen.nr_split + seen.nr_other, 0);
	paper_close(&world);
}

static void test_cold_folios_go_for_hot_pages(void **state)
{
	(void)state;
	play_cold_folios(true);
	play_cold_folios(false);
}

/* A large folio in slow memory whose pages are all hot, and single cold pages in fast memory: they
 * go for it, at once, or not at all. */
static void test_hot_folio_comes_whole(void **state)
{
	struct paper_world world;
	struct seen seen = { 0 };
	(void)state;
	paper_open(&world, "berth", "", 2 * LARGE, 4096);
	world.answers_whole = true;
	births(&world, 0, 4 * LARGE);
	for (int round = 0; round < 200; round++) {
		touch_large(&world, 2 * LARGE, 1, 1);
		for (uint64_t i = 0; i < 16; i++)
			touch_page(&world, ((uint64_t)round * 16 + i) % (2 * LARGE));
		turn(&world, &seen);
	}
	assert_int_equal(nr_fast(&world, 2 * LARGE, LARGE), LARGE);
	assert_int_equal(seen.nr_whole, 1);
	assert_int_equal(seen.nr_split + seen.nr_other, 0);
	assert_in_range(seen.nr_pages, LARGE, LARGE + 64);
	paper_close(&world);
}

/* The same where the kernel wants a folio's size free: twice as many single pages go for it. */
static void test_hot_folio_comes_and_frees_as_much(void **state)
{
	struct paper_world world;
	struct seen seen = { 0 };
	(void)state;
	paper_open(&world, "berth", "", 4 * LARGE, 4096);
	world.high_pages = LARGE;
	births(&world, 0, 6 * LARGE);
	for (int round = 0; round < 200; round++) {
		touch_large(&world, 4 * LARGE, 1, 1);
		for (uint64_t i = 0; i < 16; i++)
			touch_page(&world, ((uint64_t)round * 16 + i) % (4 * LARGE));
		turn(&world, &seen);
	}
	assert_int_equal(nr_fast(&world, 4 * LARGE, LARGE), LARGE);
	assert_int_equal(seen.nr_whole, 1);
	assert_int_equal(world.used[0], 3 * LARGE);
	paper_close(&world);
}

/* Of a large folio in slow memory one page is used, in one round of `every`, and no other;
 * fast memory is full of pages that are used somewhat. */
static struct seen play_one_hot_page(struct paper_world *world, uint32_t every)
{
	struct seen seen = { 0 };
	paper_open(world, "berth", "", LARGE, 4096);
	births(world, 0, 3 * LARGE);
	for (uint32_t round = 0; round < 400; round++) {
		if (round % every == 0)
			fault(world, 2 * LARGE + 77, 9);
		for (uint64_t i = 0; i < 32; i++)
			fault(world, ((uint64_t)round * 32 + i) % LARGE, 0);
		turn(world, &seen);
	}
	return seen;
}

static void test_hot_page_leaves_its_folio(void **state)
{
	struct paper_world world;
	(void)state;
	struct seen seen = play_one_hot_page(&world, 1);
	assert_int_equal(seen.nr_split, 1);
	assert_int_equal(seen.nr_whole + seen.nr_other, 0);
	assert_int_equal(world.node[2 * LARGE + 77], 0);
	assert_int_equal(nr_fast(&world, 2 * LARGE, LARGE), 1);
	paper_close(&world);
}

static void test_tepid_page_is_not_worth_a_split(void **state)
{
	struct paper_world world;
	(void)state;
	struct seen seen = play_one_hot_page(&world, 20);
	assert_int_equal(seen.nr_split + seen.nr_whole + seen.nr_other, 0);
	assert_int_equal(nr_fast(&world, 2 * LARGE, LARGE), 0);
	paper_close(&world);
}

/* What is told with order 0 is no large folio any more. */
static void test_split_folio_is_pages_again(void **state)
{
	struct paper_world world;
	struct seen seen = { 0 };
	(void)state;
	paper_open(&world, "berth", "", LARGE, 4096);
	births(&world, 0, 3 * LARGE);
	touch_large(&world, 2 * LARGE, 1, 1);
	for (uint32_t round = 0; round < 400; round++) {
		touch_page(&world, 2 * LARGE + 77);
		for (uint64_t i = 0; i < 32; i++)
			touch_page(&world, ((uint64_t)round * 32 + i) % LARGE);
		turn(&world, &seen);
	}
	assert_int_equal(seen.nr_split + seen.nr_whole + seen.nr_other, 0);
	assert_int_equal(world.node[2 * LARGE + 77], 0);
	paper_close(&world);
}

/* As long as nothing names a page of it a large folio has few records: a fault does, a hardware
 * sample, which knows no orders, and a page that is told to be no part of it any more. */
static void test_what_nothing_names_takes_little_memory(void **state)
{
	struct paper_world world;
	struct seen seen = { 0 };
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		paper_open(&world, "berth", "", 4096, 4096);
		births(&world, 0, PAPER_PAGES);
		for (int round = 0; round < 4; round++) {
			for (uint64_t head = 0; head < PAPER_PAGES; head += LARGE)
				touch_large(&world, head, 1, 1);
			turn(&world, &seen);
		}
		uint64_t bytes = world.ops->memory_bytes(world.policy);
		for (uint64_t head = 0; head < PAPER_PAGES; head += LARGE)
			if (how == 0)
				fault(&world, head + 77, 9);
			else if (how == 1)
				paper_see(&world, head + 77, false, 1);
			else
				touch_page(&world, head + 77);
		/* 28 and 28 bytes for each page; there was room for 4,096 records before */
		assert_true(world.ops->memory_bytes(world.policy) >
			    bytes + 48 * (PAPER_PAGES - 4096));
		turn(&world, &seen);
		paper_close(&world);
	}
}

/* Of folios of which a part is used it is told in each round how large that is: those of which
 * more is used come up, and do not come and go. */
static void test_more_of_it_is_used(void **state)
{
	struct paper_world world;
	struct seen seen = { 0 };
	(void)state;
	paper_open(&world, "berth", "", 4 * LARGE, 4096);
	world.answers_whole = true;
	births(&world, 0, 9 * LARGE);
	for (int round = 0; round < 300; round++) {
		for (uint64_t i = 0; i < 8; i++)
			touch_large(&world, i * LARGE, i < 4 ? 256 : 512, 4096);
		turn(&world, &seen);
	}
	assert_int_equal(nr_fast(&world, 4 * LARGE, 4 * LARGE), 4 * LARGE);
	assert_in_range(seen.nr_whole, 8, 12);
	paper_close(&world);
}

#define WINDOW_NS (300 * NS_PER_MS)

/* A check that watched for a while: single pages were used by chance, large folios in part. */
static void check(struct paper_world *world, struct random *random, const uint32_t shares[8])
{
	for (uint64_t page = 0; page < 8 * LARGE; page++) {
		struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0, page);
		sample.hits = sample.checks = 1;
		sample.window_ns = WINDOW_NS;
		if (random_below(random, 100) < 5)
			see(world, &sample, page, 0);
	}
	for (uint64_t i = 0; i < 8; i++) {
		struct sample sample = sample_of_page(SAMPLE_HITS, world->now_ns, 0,
						      (8 + i) * LARGE);
		sample.nr_pages = LARGE;
		sample.hits = shares[i];
		sample.checks = 4096;
		sample.window_ns = WINDOW_NS;
		see(world, &sample, (8 + i) * LARGE, 9);
	}
}

/* Eight large folios in slow memory of which hardly anything is used, for many checks. */
static void open_cold(struct paper_world *world, struct random *random, uint32_t shares[8])
{
	for (int i = 0; i < 8; i++)
		shares[i] = 30;
	random_init(random, 1);
	paper_open(world, "berth", "", 4 * LARGE, 8192);
	world->answers_whole = true;
	births(world, 0, PAPER_PAGES);
	for (int round = 0; round < 20; round++) {
		check(world, random, shares);
		paper_turn(world, 2 * NS_PER_S);
	}
	assert_int_equal(nr_fast(world, 8 * LARGE, 8 * LARGE), 0);
}

/* What single pages show by chance is no reason to doubt what is told of a large folio. */
static void test_large_folios_that_become_hot_come_soon(void **state)
{
	uint32_t shares[8];
	struct paper_world world;
	struct seen seen = { 0 };
	struct random random;
	(void)state;
	open_cold(&world, &random, shares);
	shares[2] = shares[5] = 1700;
	for (int round = 0; round < 2; round++) {
		check(&world, &random, shares);
		turn(&world, &seen);
		world.now_ns += 2 * NS_PER_S;
	}
	assert_int_equal(nr_fast(&world, 10 * LARGE, LARGE), LARGE);
	assert_int_equal(nr_fast(&world, 13 * LARGE, LARGE), LARGE);
	assert_int_equal(seen.nr_whole, 2);
	paper_close(&world);
}

/* The kernel wants two folios' size free, and eight wait: each pays a quarter more, not the first
 * ones twice as much. */
static void test_the_kernels_room_is_paid_together(void **state)
{
	uint32_t shares[8];
	struct paper_world world;
	struct random random;
	(void)state;
	open_cold(&world, &random, shares);
	world.high_pages = 2 * LARGE;
	for (int i = 0; i < 8; i++)
		shares[i] = 400;
	check(&world, &random, shares);
	paper_turn(&world, 2 * NS_PER_S);
	assert_int_equal(nr_fast(&world, 8 * LARGE, 8 * LARGE),
			 LARGE); /* more do not pay for room */
	paper_close(&world);
}
