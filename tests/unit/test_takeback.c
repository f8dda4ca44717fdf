/* SPDX-License-Identifier: MIT */
/* Moves undone: by a mover that takes a few at a time, reports late, and has a fast node that is
 * full. */
#include "test.h"

#include "base/random.h"
#include "linux/takeback.h"

#define NR_PAGES  2000
#define NR_SPACES 2
#define NR_FAST	  700
#define QUEUE	  64

struct fake {
	uint32_t node[NR_SPACES][NR_PAGES];
	uint64_t nr_fast, nr_submitted;
	struct move_result queue[QUEUE];
	uint32_t nr_queue;
	uint64_t clock_ns;
	bool is_stuck; /* takes moves and reports nothing */
	uint32_t refused_page;
};

static struct fake fake;

static uint64_t fake_now_ns(void)
{
	fake.clock_ns += NS_PER_MS;
	return fake.clock_ns;
}

static enum move_outcome move_page(uint32_t space, uint64_t page, uint32_t to)
{
	uint32_t *node = &fake.node[space][page];
	if (*node == to)
		return MOVE_REFUSED_THERE;
	if (page == fake.refused_page)
		return MOVE_REFUSED_BUSY;
	if (to == 0 && fake.nr_fast == NR_FAST)
		return MOVE_REFUSED_FULL;
	fake.nr_fast += to == 0 ? 1 : 0;
	fake.nr_fast -= *node == 0 ? 1 : 0;
	*node = to;
	return MOVE_DONE;
}

/* One result for each page, at most 8 moves of those that fit into the queue. */
static int fake_submit(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	uint32_t taken = 0;
	for (; taken < nr && taken < 8; taken++) {
		const struct plan_move *move = &moves[taken];
		if (move->nr_pages > QUEUE - fake.nr_queue)
			break;
		for (uint64_t i = 0; i < move->nr_pages; i++) {
			uint64_t page = move->page + i;
			uint32_t from = fake.node[move->space][page];
			fake.queue[fake.nr_queue++] = (struct move_result){
				.page = page,
				.nr_pages = 1,
				.space = move->space,
				.from = from,
				.to = move->to,
				.outcome = (uint8_t)move_page(move->space, page, move->to),
			};
			fake.nr_submitted++;
		}
	}
	return (int)taken;
}

/* Three at a time, every other time it is asked. */
static int fake_complete(void *mover, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	static unsigned turn;
	uint32_t nr = turn++ % 2 ? MIN(fake.nr_queue, 3u) : 0;
	if (fake.is_stuck)
		return 0;
	memcpy(results, fake.queue, nr * sizeof(*results));
	memmove(fake.queue, fake.queue + nr, (fake.nr_queue - nr) * sizeof(*results));
	fake.nr_queue -= nr;
	return (int)nr;
}

static const struct mover_ops fake_mover = { .name = "fake",
					     .submit = fake_submit,
					     .complete = fake_complete };

static struct takeback_mover with_limit(uint64_t limit_ns)
{
	return (struct takeback_mover){ .ops = &fake_mover,
					.now_ns = fake_now_ns,
					.limit_ns = limit_ns };
}

static struct machine *two_tiers(void)
{
	struct machine *machine = NULL;
	assert_int_equal(machine_parse("node:dram:64MiB@80ns/100GBps:cpus=0 "
				       "node:cxl:64MiB@250ns/20GBps",
				       &machine, NULL),
			 0);
	return machine;
}

static void fake_init(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.refused_page = UINT32_MAX;
	for (uint32_t space = 0; space < NR_SPACES; space++)
		for (uint32_t page = 0; page < NR_PAGES; page++) {
			fake.node[space][page] = fake.nr_fast == NR_FAST || page % 2;
			fake.nr_fast += fake.node[space][page] == 0;
		}
	assert_int_equal(fake.nr_fast, NR_FAST);
}

/* Random moves, as a policy's, seen as the engine sees them: also those that failed. */
static void move_about(struct takeback *takeback, uint64_t seed, int nr_moves)
{
	struct random random;
	random_init(&random, seed);
	for (int i = 0; i < nr_moves; i++) {
		uint32_t space = (uint32_t)random_below(&random, NR_SPACES);
		uint64_t page = random_below(&random, NR_PAGES);
		uint32_t from = fake.node[space][page], to = (uint32_t)random_below(&random, 2);
		struct move_result result = { .page = page,
					      .nr_pages = 1,
					      .space = space,
					      .from = from,
					      .to = to,
					      .outcome = (uint8_t)move_page(space, page, to) };
		takeback_note(takeback, &result, 1);
	}
}

static void test_all_pages_go_back(void **state)
{
	const struct takeback_mover mover = with_limit(600 * NS_PER_S);
	static uint32_t before[NR_SPACES][NR_PAGES];
	struct machine *machine = two_tiers();
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct takeback takeback = { 0 };
		struct takeback_counts counts;
		fake_init();
		memcpy(before, fake.node, sizeof(before));
		move_about(&takeback, seed, 300 * (int)seed);
		uint64_t nr_moved = 0;
		for (uint32_t space = 0; space < NR_SPACES; space++)
			for (uint32_t page = 0; page < NR_PAGES; page++)
				nr_moved += before[space][page] != fake.node[space][page];
		assert_true(nr_moved > 10);
		assert_int_equal(takeback_undo(&takeback, machine, &mover, &counts), 0);
		assert_memory_equal(before, fake.node, sizeof(before));
		assert_int_equal(counts.nr_back, counts.nr_pages);
		assert_true(counts.nr_pages >= nr_moved);
		assert_int_equal(fake.nr_submitted, counts.nr_pages);
		takeback_fini(&takeback);
	}
	machine_free(machine);
}

/* However often pages move, what is remembered of each is one place. */
static void test_memory_is_bounded_by_pages(void **state)
{
	struct takeback takeback = { 0 };
	fake_init();
	move_about(&takeback, 3, 300000);
	assert_int_equal(takeback.error, 0);
	assert_true(takeback.room <= 4 * NR_SPACES * NR_PAGES);
	takeback_fini(&takeback);
}

static void test_what_stays_is_counted(void **state)
{
	const struct takeback_mover mover = with_limit(600 * NS_PER_S);
	struct takeback takeback = { 0 };
	struct takeback_counts counts;
	struct machine *machine = two_tiers();
	fake_init();
	const struct move_result results[] = {
		{ .page = 7, .nr_pages = 3, .from = 0, .to = 1, .node = 1, .outcome = MOVE_DONE },
		{ .page = 90, .nr_pages = 1, .from = PLAN_NODE_ANY, .outcome = MOVE_DONE },
		{ .page = 91, .nr_pages = 1, .from = 0, .outcome = MOVE_REFUSED_BUSY },
	};
	for (uint32_t page = 7; page < 10; page++)
		fake.node[0][page] = 1;
	fake.nr_fast = 0;
	fake.refused_page = 8;
	takeback_note(&takeback, results, 3);
	assert_int_equal(takeback_undo(&takeback, machine, &mover, &counts), 0);
	assert_int_equal(counts.nr_pages, 3);
	assert_int_equal(counts.nr_back, 2);
	takeback_fini(&takeback);
	machine_free(machine);
}

static void test_a_mover_that_hangs_is_given_up(void **state)
{
	const struct takeback_mover mover = with_limit(NS_PER_S);
	struct takeback takeback = { 0 };
	struct takeback_counts counts;
	struct machine *machine = two_tiers();
	fake_init();
	move_about(&takeback, 5, 100);
	fake.is_stuck = true;
	assert_int_equal(takeback_undo(&takeback, machine, &mover, &counts), -ETIMEDOUT);
	assert_int_equal(counts.nr_back, 0);
	takeback_fini(&takeback);
	machine_free(machine);
}

/* Moves that the engine submitted and never heard of end after it stopped: they go back, too, and
 * are not taken for pages that went back. */
static void test_moves_on_their_way_are_taken_back(void **state)
{
	const struct plan_move moves[] = { { .page = 0, .nr_pages = 1, .to = 1 },
					   { .page = 2, .nr_pages = 1, .to = 1 },
					   { .page = 1, .nr_pages = 1, .to = 0 } };
	struct takeback_mover mover = with_limit(600 * NS_PER_S);
	struct takeback takeback = { 0 };
	struct takeback_counts counts;
	struct machine *machine = two_tiers();
	fake_init();
	assert_int_equal(fake_submit(NULL, moves, 3, 0), 3);
	assert_int_equal(fake.node[0][0] + fake.node[0][2], 2);
	mover.nr_on_way = 3;
	assert_int_equal(takeback_undo(&takeback, machine, &mover, &counts), 0);
	assert_int_equal(counts.nr_pages, 3);
	assert_int_equal(counts.nr_back, 3);
	assert_int_equal(fake.node[0][0] + fake.node[0][2], 0);
	assert_int_equal(fake.node[0][1], 1);
	takeback_fini(&takeback);
	machine_free(machine);
}
