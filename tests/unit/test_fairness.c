/* SPDX-License-Identifier: MIT */
/*
 * Several jobs on one fast memory: the real engine with the policy `berth`, on a machine of paper.
 * Each job has a space of its own and uses its pages at random; samples tell every use. What each
 * has of fast memory is read after some seconds of its time.
 */
#include "test.h"

#include <string.h>

#include "base/random.h"
#include "engine/engine.h"

#define PAGE	  4096u
#define FAST	  1024
#define JOBS	  2
#define PAGES_MAX 2048
#define ROUND_NS  (100 * NS_PER_MS)

struct tenant {
	uint8_t node[PAGES_MAX];
	uint64_t nr_pages, nr_hot; /* born; those that are used, the first ones */
	uint64_t nr_uses;	   /* in a round */
	uint64_t nr_fast;
};

static struct world {
	struct machine *machine;
	struct engine *engine;
	struct random random;
	struct tenant tenants[JOBS];
	struct policy_job jobs[JOBS];
	uint64_t used[2], now_ns;
	bool was_used[JOBS][PAGES_MAX];
	uint32_t said_job, said_page;
	struct plan_move moves[PLAN_MOVES_MAX];
	uint32_t nr_moves, nr_told;
} world;

static int paper_probe(void *unused, struct printbuf *err)
{
	(void)unused;
	(void)err;
	return 0;
}

static int paper_open(void *unused, void **ret, struct printbuf *err)
{
	(void)unused;
	(void)err;
	*ret = &world;
	return 0;
}

static int paper_poll(void *unused, uint64_t now_ns, struct sample_batch *batch)
{
	(void)unused;
	for (; world.said_job < JOBS; world.said_job++, world.said_page = 0)
		for (; world.said_page < PAGES_MAX; world.said_page++) {
			if (!world.was_used[world.said_job][world.said_page])
				continue;
			if (batch->nr == batch->max)
				return 1;
			struct sample *sample = &batch->samples[batch->nr++];
			*sample = sample_of_page(SAMPLE_HITS, now_ns, world.said_job,
						 world.said_page);
			sample->hits = sample->checks = 1;
			sample->node = world.tenants[world.said_job].node[world.said_page];
		}
	return 0;
}

static void paper_close(void *unused)
{
	(void)unused;
}

static const struct sampler_ops paper_sampler = {
	.name = "paper",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, true },
	.probe = paper_probe,
	.open = paper_open,
	.poll = paper_poll,
	.close = paper_close,
};

static int paper_submit(void *unused, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	(void)unused;
	(void)now_ns;
	memcpy(world.moves, moves, nr * sizeof(*moves));
	world.nr_moves = nr;
	world.nr_told = 0;
	return (int)nr;
}

static void do_move(const struct plan_move *move, struct move_result *ret)
{
	struct tenant *tenant = &world.tenants[move->space];
	uint8_t from = tenant->node[move->page];
	*ret = (struct move_result){ .page = move->page,
				     .nr_pages = 1,
				     .space = move->space,
				     .from = from,
				     .to = move->to,
				     .node = from,
				     .outcome = MOVE_REFUSED_THERE };
	assert_int_equal(move->nr_pages, 1);
	if (from == move->to)
		return;
	ret->outcome = MOVE_REFUSED_FULL;
	if (move->to == 0 && world.used[0] == FAST)
		return;
	world.used[from]--;
	world.used[move->to]++;
	tenant->nr_fast += move->to == 0;
	tenant->nr_fast -= from == 0;
	tenant->node[move->page] = (uint8_t)move->to;
	ret->node = move->to;
	ret->outcome = MOVE_DONE;
}

static int paper_complete(void *unused, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	uint32_t nr = 0;
	(void)unused;
	(void)now_ns;
	for (; world.nr_told < world.nr_moves && nr < max; world.nr_told++)
		do_move(&world.moves[world.nr_told], &results[nr++]);
	return (int)nr;
}

static const struct mover_ops paper_mover = { .name = "paper",
					      .submit = paper_submit,
					      .complete = paper_complete };

static int paper_look(void *unused, struct policy_node *nodes, uint32_t nr_nodes)
{
	(void)unused;
	assert_int_equal(nr_nodes, 2);
	for (unsigned i = 0; i < 2; i++)
		nodes[i] = (struct policy_node){ .capacity_pages = i ? 8 * FAST : FAST,
						 .free_pages = (i ? 8 * FAST : FAST) -
							       world.used[i],
						 .job_pages = world.used[i],
						 .nr_misses = POLICY_UNKNOWN,
						 .loaded_ps = POLICY_UNKNOWN };
	return 0;
}

static int paper_look_jobs(void *unused, struct engine_jobs *ret)
{
	static const uint32_t job_of[JOBS] = { 0, 1 };
	(void)unused;
	for (unsigned i = 0; i < JOBS; i++) {
		world.jobs[i].fast_pages = world.tenants[i].nr_fast;
		world.jobs[i].slow_pages = world.tenants[i].nr_pages - world.tenants[i].nr_fast;
	}
	*ret = (struct engine_jobs){ world.jobs, JOBS, job_of, JOBS };
	return 0;
}

static void begin(void)
{
	PRINTBUF(err);
	memset(&world, 0, sizeof(world));
	random_init(&world.random, 1);
	for (unsigned i = 0; i < JOBS; i++)
		world.jobs[i].cap_pages = UINT64_MAX;
	assert_int_equal(machine_parse("node:dram:4MiB@80ns/100GBps:cpus=0 "
				       "node:cxl:32MiB@250ns/30GBps",
				       &world.machine, &err),
			 0);
	struct engine_config config = {
		.machine = world.machine,
		.page_bytes = PAGE,
		.policy = policy_find("berth"),
		.seed = 1,
		.samplers = { { &paper_sampler, &world } },
		.nr_samplers = 1,
		.mover = &paper_mover,
		.mover_state = &world,
		.look = paper_look,
		.look_jobs = paper_look_jobs,
		.look_world = &world,
		.budget = { .bytes_per_s = 64 * MIB },
	};
	assert_int_equal(engine_new(&config, &world.engine, &err), 0);
}

static void end(void)
{
	engine_free(world.engine);
	machine_free(world.machine);
}

/* As a kernel does: fast memory while there is some. */
static void give_birth(unsigned job, uint64_t nr_pages)
{
	struct tenant *tenant = &world.tenants[job];
	for (; tenant->nr_pages < nr_pages; tenant->nr_pages++) {
		bool is_fast = world.used[0] < FAST;
		tenant->node[tenant->nr_pages] = !is_fast;
		world.used[!is_fast]++;
		tenant->nr_fast += is_fast;
		world.was_used[job][tenant->nr_pages] = true;
	}
}

static void pass(uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds * NS_PER_S / ROUND_NS; i++) {
		for (unsigned job = 0; job < JOBS; job++)
			for (uint64_t j = 0; j < world.tenants[job].nr_uses; j++)
				world.was_used[job][random_below(&world.random,
								 world.tenants[job].nr_hot)] = true;
		world.said_job = world.said_page = 0;
		world.now_ns += ROUND_NS;
		assert_int_equal(engine_tick(world.engine, world.now_ns, NULL), 0);
		memset(world.was_used, 0, sizeof(world.was_used));
	}
}

static void use(unsigned job, uint64_t nr_hot, uint64_t nr_uses)
{
	world.tenants[job].nr_hot = nr_hot;
	world.tenants[job].nr_uses = nr_uses;
}

/* Both want all of it, with equal floors: whoever came first, each has half of it 30 s after the
 * other came. */
static void test_greedy_tenants_get_their_shares(void **state)
{
	(void)state;
	for (unsigned first = 0; first < JOBS; first++) {
		begin();
		world.jobs[0].floor_pages = world.jobs[1].floor_pages = FAST / 2;
		give_birth(first, PAGES_MAX);
		use(first, PAGES_MAX, 1024);
		pass(10);
		assert_in_range(world.tenants[first].nr_fast, FAST * 9 / 10, FAST);
		give_birth(1 - first, PAGES_MAX);
		use(1 - first, PAGES_MAX, 1024);
		pass(30);
		print_message("first %u: %llu and %llu of %u fast pages\n", first,
			      (unsigned long long)world.tenants[0].nr_fast,
			      (unsigned long long)world.tenants[1].nr_fast, FAST);
		for (unsigned i = 0; i < JOBS; i++)
			assert_in_range(world.tenants[i].nr_fast, FAST / 2 * 9 / 10,
					FAST / 2 * 11 / 10);
		end();
	}
}

/* The kernel allocates first, all of it: within 2 s the job is back under its cap. */
static void test_cap_is_reached_within_two_seconds(void **state)
{
	(void)state;
	begin();
	world.jobs[0].cap_pages = 256;
	give_birth(0, 1500);
	use(0, 1500, 1500);
	pass(2);
	assert_in_range(world.tenants[0].nr_fast, 1, 256);
	pass(10);
	assert_in_range(world.tenants[0].nr_fast, 192, 256); /* and has what it may have */
	world.jobs[0].cap_pages = 64;			     /* lowered in its life */
	pass(2);
	assert_in_range(world.tenants[0].nr_fast, 1, 64);
	end();
}

/* The longest idle of it goes, not what it works with. */
static void test_cap_takes_what_is_idle(void **state)
{
	uint64_t nr_hot_fast = 0;
	(void)state;
	begin();
	give_birth(0, 1000);
	use(0, 200, 2000);
	pass(5);
	world.jobs[0].cap_pages = 256;
	pass(2);
	assert_in_range(world.tenants[0].nr_fast, 200, 256);
	for (unsigned i = 0; i < 200; i++)
		nr_hot_fast += world.tenants[0].node[i] == 0;
	assert_int_equal(nr_hot_fast, 200);
	end();
}

/* A tenant that is used ten times as much takes all but the other's floor. */
static void test_floor_is_kept_against_all(void **state)
{
	(void)state;
	begin();
	world.jobs[0].floor_pages = 300;
	give_birth(0, 600);
	use(0, 600, 50);
	pass(5);
	assert_int_equal(world.tenants[0].nr_fast, 600);
	give_birth(1, PAGES_MAX);
	use(1, PAGES_MAX, 4000);
	for (int i = 0; i < 60; i++) {
		pass(1);
		assert_true(world.tenants[0].nr_fast >= 300);
	}
	assert_in_range(world.tenants[0].nr_fast, 300, 400);
	end();
}

/* What a job leaves of its floor is borrowed, and is returned when it wants it, however little it
 * uses it. */
static void test_borrowed_memory_is_returned(void **state)
{
	(void)state;
	begin();
	world.jobs[1].floor_pages = 512;
	give_birth(0, PAGES_MAX);
	use(0, PAGES_MAX, 2000);
	pass(10);
	assert_in_range(world.tenants[0].nr_fast, FAST * 9 / 10, FAST);
	give_birth(1, 800); /* the kernel gives it slow memory: there is no other */
	assert_in_range(world.tenants[1].nr_fast, 0, FAST / 10);
	use(1, 800, 20);
	pass(2);
	assert_in_range(world.tenants[1].nr_fast, 512, FAST);
	end();
}

/* No promotion of a job that is left alone; what is above its floor others still get. */
static void test_who_is_left_alone_is_not_promoted(void **state)
{
	(void)state;
	begin();
	give_birth(0, 1200);
	use(0, 1200, 100);
	pass(2);
	uint64_t nr_fast = world.tenants[0].nr_fast;
	world.jobs[0].is_left_alone = true;
	use(0, 1200, 3000);
	uint64_t nr_promoted = engine_stats(world.engine)->nr_promoted_pages;
	pass(10);
	assert_int_equal(engine_stats(world.engine)->nr_promoted_pages, nr_promoted);
	assert_true(world.tenants[0].nr_fast <= nr_fast);
	end();
}
