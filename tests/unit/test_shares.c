/* SPDX-License-Identifier: MIT */
/* Floors and caps of jobs, who is left alone and for how long, and what is remembered of pages. */
#include "test.h"

#include <string.h>

#include "base/random.h"
#include "linux/ledger.h"
#include "linux/patience.h"
#include "linux/shares.h"

#define FAST (100 * MIB)

static struct config_amount bytes(uint64_t nr)
{
	return (struct config_amount){ .is_set = true, .bytes = nr };
}

static struct share share_of(const struct config_job *config, uint64_t used_bytes)
{
	return (struct share){ config, true, used_bytes, 0, 0 };
}

static void test_shares_by_goal(void **state)
{
	struct config_job jobs[4] = { { .fast_min = bytes(40 * MIB) },
				      { .goal = CONFIG_GOAL_PERFORMANCE },
				      { .goal = CONFIG_GOAL_BALANCED },
				      { .goal = CONFIG_GOAL_BACKGROUND } };
	struct share shares[4];
	(void)state;
	for (int i = 0; i < 4; i++)
		shares[i] = share_of(&jobs[i], 1000 * MIB);
	shares_compute(shares, 4, FAST, FAST);
	assert_int_equal(shares[0].floor_bytes, 40 * MIB);
	assert_int_equal(shares[1].floor_bytes, 40 * MIB);
	assert_int_equal(shares[2].floor_bytes, 20 * MIB);
	assert_int_equal(shares[3].floor_bytes, 0);
	assert_int_equal(shares[0].cap_bytes, UINT64_MAX);
	shares[1].is_there = false; /* the others have it, then */
	shares_compute(shares, 4, FAST, FAST);
	assert_int_equal(shares[1].floor_bytes, 0);
	assert_int_equal(shares[2].floor_bytes, 60 * MIB);
	shares[0].is_there = false;
	shares_compute(shares, 4, FAST, FAST);
	assert_int_equal(shares[0].floor_bytes, 0);
	assert_int_equal(shares[2].floor_bytes, FAST);
}

static void test_shares_go_to_who_can_use_them(void **state)
{
	struct config_job jobs[3] = { { .fast_max = {
						.is_set = true, .is_share = true, .bp = 1000 } } };
	struct share shares[3];
	(void)state;
	for (int i = 0; i < 3; i++)
		shares[i] = share_of(&jobs[i], 1000 * MIB);
	shares[1].used_bytes = 6 * MIB;
	shares_compute(shares, 3, FAST, FAST);
	assert_int_equal(shares[0].cap_bytes, 10 * MIB);
	assert_int_equal(shares[0].floor_bytes, 10 * MIB);
	assert_int_equal(shares[1].floor_bytes, 6 * MIB);
	assert_int_equal(shares[2].floor_bytes, 84 * MIB);
}

/* Where floors are more than there is, each has the same part of its own, whoever is named first.
 */
static void test_shares_fall_short_alike(void **state)
{
	struct config_job jobs[3] = { { .fast_min = bytes(90 * MIB) },
				      { .fast_min = bytes(90 * MIB) },
				      { .fast_min = bytes(20 * MIB) } };
	struct share shares[3];
	(void)state;
	for (int i = 0; i < 3; i++)
		shares[i] = share_of(&jobs[i], 1000 * MIB);
	shares_compute(shares, 3, FAST, FAST);
	assert_int_equal(shares[0].floor_bytes, 45 * MIB);
	assert_int_equal(shares[1].floor_bytes, 45 * MIB);
	assert_int_equal(shares[2].floor_bytes, 10 * MIB);
}

/* Whatever is asked for: no more than there is, no floor above a cap or above what one has. */
static void test_shares_never_promise_too_much(void **state)
{
	struct config_job jobs[16];
	struct share shares[16];
	struct random random;
	(void)state;
	random_init(&random, 1);
	for (int round = 0; round < 20000; round++) {
		uint64_t fast = random_below(&random, 1000000), sum = 0;
		size_t nr = random_below(&random, 17);
		for (size_t i = 0; i < nr; i++) {
			jobs[i] = (struct config_job){ .goal = (uint32_t)random_below(&random, 3) };
			if (random_below(&random, 3) == 0)
				jobs[i].fast_min = bytes(random_below(&random, 500000));
			if (random_below(&random, 3) == 0)
				jobs[i].fast_max = bytes(random_below(&random, 500000));
			shares[i] = share_of(&jobs[i], random_below(&random, 1000000));
			shares[i].is_there = random_below(&random, 4) > 0;
		}
		uint64_t left = random_below(&random, 1000000);
		shares_compute(shares, nr, fast, left);
		for (size_t i = 0; i < nr; i++) {
			sum += shares[i].floor_bytes;
			assert_true(shares[i].floor_bytes <= shares[i].cap_bytes);
			if (!jobs[i].fast_min.is_set)
				assert_true(shares[i].floor_bytes <= shares[i].used_bytes);
			if (!shares[i].is_there)
				assert_int_equal(shares[i].floor_bytes, 0);
		}
		assert_true(sum <= fast && sum <= left);
	}
}

static uint64_t now_ns;

/* Ten seconds with so many moves, round trips, and a share of fast uses. */
static bool window(struct patience *patience, uint64_t moved, uint64_t trips, uint64_t fast_bp)
{
	bool is = false;
	for (int i = 0; i < 10; i++) {
		patience_note_moves(patience, moved / 10, trips / 10);
		patience_note_uses(patience, fast_bp, 10000 - fast_bp);
		now_ns += NS_PER_S;
		is = patience_turn(patience, 10000, now_ns);
	}
	return is;
}

static uint64_t pause_of(struct patience *patience)
{
	uint64_t begun_ns = now_ns;
	while (patience_turn(patience, 10000, now_ns))
		now_ns += NS_PER_S;
	return now_ns - begun_ns;
}

static void test_patience_ends_where_nothing_is_gained(void **state)
{
	struct patience patience = PATIENCE_NEW;
	uint64_t expected_ns = 10 * NS_PER_S;
	(void)state;
	now_ns = NS_PER_S;
	patience_turn(&patience, 10000, now_ns);
	for (int round = 0; round < 10; round++) {
		int nr = 0;
		while (!window(&patience, 5000, 0, 3000))
			assert_true(++nr < 10);
		assert_non_null(patience.why);
		assert_in_range(pause_of(&patience), expected_ns, expected_ns + NS_PER_S);
		expected_ns = MIN(expected_ns * 2, 600 * NS_PER_S);
	}
	assert_int_equal(expected_ns, 600 * NS_PER_S);
	/* It gains now: the next pause is a short one. */
	window(&patience, 5000, 0, 3000);
	assert_false(window(&patience, 5000, 0, 6000));
	while (!window(&patience, 5000, 0, 6000))
		;
	assert_in_range(pause_of(&patience), 10 * NS_PER_S, 11 * NS_PER_S);
}

static void test_patience_lasts_where_something_is_gained(void **state)
{
	struct patience patience = PATIENCE_NEW;
	(void)state;
	now_ns = NS_PER_S;
	patience_turn(&patience, 10000, now_ns);
	for (int round = 0; round < 90; round++) /* ever better */
		assert_false(window(&patience, 5000, 0, 1000 + (uint64_t)round * 100));
	for (int round = 0; round < 50; round++) /* lost when its hot pages change, and regained */
		assert_false(window(&patience, 5000, 0, round % 2 ? 9000 : 4000));
	for (int round = 0; round < 50; round++) /* hardly anything moves */
		assert_false(window(&patience, 100, 0, 5000));
}

static void test_patience_sees_round_trips(void **state)
{
	struct patience patience = PATIENCE_NEW;
	int nr = 0;
	(void)state;
	now_ns = NS_PER_S;
	patience_turn(&patience, 10000, now_ns);
	while (!window(&patience, 5000, 3000, 1000 + (uint64_t)nr * 100))
		assert_true(++nr < 5);
	assert_non_null(strstr(patience.why, "went back"));
}

static struct machine *two_tiers(void)
{
	struct machine *machine = NULL;
	PRINTBUF(err);
	assert_int_equal(machine_parse("node:dram:4MiB@80ns/100GBps:cpus=0 "
				       "node:cxl:4MiB@250ns/30GBps",
				       &machine, &err),
			 0);
	return machine;
}

static struct move_result result_of(uint64_t page, uint64_t nr, uint32_t to)
{
	return (struct move_result){
		.page = page, .nr_pages = nr, .from = 1 - to, .to = to, .node = to
	};
}

static void test_ledger_counts_round_trips(void **state)
{
	struct machine *machine = two_tiers();
	struct ledger ledger;
	struct move_result up = result_of(100, 10, 0), down = result_of(100, 10, 1);
	(void)state;
	assert_int_equal(ledger_init(&ledger, machine), 0);
	assert_int_equal(ledger_result(&ledger, &up, 0, NS_PER_S), 0);
	assert_int_equal(ledger_result(&ledger, &down, 0, 2 * NS_PER_S), 10);
	assert_int_equal(ledger_result(&ledger, &up, 0, 3 * NS_PER_S), 10);
	assert_int_equal(ledger_result(&ledger, &down, 0, 300 * NS_PER_S), 0); /* long after */
	up.space = 1;							       /* another process */
	assert_int_equal(ledger_result(&ledger, &up, 0, 301 * NS_PER_S), 0);
	assert_int_equal(ledger_find(&ledger, 0, 105)->nr_moves, 4);
	assert_int_equal(ledger_find(&ledger, 0, 105)->nr_trips, 2);
	assert_null(ledger_find(&ledger, 0, 110));
	ledger_fini(&ledger);
	machine_free(machine);
}

static void test_ledger_tells_why(void **state)
{
	struct machine *machine = two_tiers();
	struct ledger ledger;
	struct plan_move move = { .page = 7, .nr_pages = 2, .from = 1, .to = 0, .why = "hot" };
	struct move_result done = result_of(7, 1, 0), next = result_of(8, 1, 0);
	struct move_result busy = result_of(9, 1, 0);
	(void)state;
	assert_int_equal(ledger_init(&ledger, machine), 0);
	assert_null(ledger_event(&ledger, 0));
	assert_int_equal(ledger_plan(&ledger, &move, NS_PER_S), 2);
	assert_int_equal(ledger_plan(&ledger, &move, 2 * NS_PER_S), 0); /* the same wish */
	assert_int_equal(ledger_plan(&ledger, &move, 100 * NS_PER_S), 2);
	ledger_result(&ledger, &done, 3, 101 * NS_PER_S);
	ledger_result(&ledger, &next, 3, 101 * NS_PER_S);
	const struct ledger_event *event = ledger_event(&ledger, 0);
	assert_int_equal(event->nr_pages, 2); /* one event: neighbours with one fate */
	assert_string_equal(event->why, "hot");
	assert_int_equal(event->job, 3);
	busy.outcome = MOVE_REFUSED_BUSY;
	for (uint64_t i = 0; i < 90; i++) /* told once a minute */
		ledger_result(&ledger, &busy, 3, (102 + i) * NS_PER_S);
	assert_int_equal(ledger.nr_events, 3);
	assert_int_equal(ledger_event(&ledger, 0)->outcome, MOVE_REFUSED_BUSY);
	ledger_fini(&ledger);
	machine_free(machine);
}

/* Millions of pages: what is remembered stays bounded, and is right. */
static void test_ledger_forgets_the_oldest(void **state)
{
	struct machine *machine = two_tiers();
	struct ledger ledger;
	struct random random;
	(void)state;
	random_init(&random, 1);
	assert_int_equal(ledger_init(&ledger, machine), 0);
	for (uint64_t i = 0; i < 400000; i++) {
		struct move_result result = result_of(random_below(&random, 1 << 20), 1,
						      (uint32_t)random_below(&random, 2));
		ledger_result(&ledger, &result, 0, (i + 1) * NS_PER_MS);
		const struct ledger_page *page = ledger_find(&ledger, 0, result.page);
		assert_non_null(page);
		assert_int_equal(page->to, result.to);
		assert_int_equal(page->moved_ns, (i + 1) * NS_PER_MS);
	}
	assert_int_equal(ledger.nr_events, 400000);
	assert_non_null(ledger_event(&ledger, LEDGER_EVENTS - 1));
	assert_null(ledger_event(&ledger, LEDGER_EVENTS));
	ledger_fini(&ledger);
	machine_free(machine);
}
