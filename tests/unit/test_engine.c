/* SPDX-License-Identifier: MIT */
/*
 * The engine with a world of paper: a sampler that has so much to say, a policy that asks for what
 * the test wants, a mover that notes what it was given.
 */
#include "test.h"

#include "base/random.h"
#include "engine/budget.h"
#include "engine/engine.h"

#define PAGE 4096u

struct paper {
	struct machine *machine;
	uint32_t to_say, opened, closed;
	bool refuses_probe;
	uint64_t fast_pages; /* of the job */
	/* What the policy asks for, each tick. */
	struct plan_move wanted[64];
	uint32_t nr_wanted;
	uint64_t budget_seen;
	uint64_t observed, nr_observe_calls;
	uint64_t answered[MOVE_NR_OUTCOMES];
	/* What the mover got. */
	struct plan_move got[64];
	uint32_t nr_got, nr_told, takes;
	enum move_outcome outcome; /* what it says of each */
};

static struct paper paper; /* policies get no pointer of ours but this */

static int paper_probe(void *world, struct printbuf *err)
{
	struct paper *self = world;
	if (self->refuses_probe)
		prt_str(err, "paper: does not work on Sundays");
	return self->refuses_probe ? -EOPNOTSUPP : 0;
}

static int paper_open(void *world, void **ret_sampler, struct printbuf *err)
{
	(void)err;
	((struct paper *)world)->opened++;
	*ret_sampler = world;
	return 0;
}

static int paper_poll(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct paper *self = sampler;
	for (; self->to_say > 0; self->to_say--) {
		if (batch->nr == batch->max)
			return 1;
		batch->samples[batch->nr++] = sample_of_page(SAMPLE_HITS, now_ns, 0, self->to_say);
	}
	return 0;
}

static void paper_close(void *sampler)
{
	((struct paper *)sampler)->closed++;
}

static const struct sampler_ops paper_sampler = {
	.name = "paper",
	.provides = { SAMPLE_BIT(SAMPLE_HITS), 1, true },
	.probe = paper_probe,
	.open = paper_open,
	.poll = paper_poll,
	.close = paper_close,
};

static int policy_new(const struct policy_config *config, void **ret, struct printbuf *err)
{
	(void)config;
	(void)err;
	*ret = &paper;
	return 0;
}

static void policy_observe(void *policy, const struct sample_batch *batch)
{
	struct paper *self = policy;
	assert_true(batch->nr > 0 && batch->nr <= SAMPLE_BATCH_MAX);
	self->observed += batch->nr;
	self->nr_observe_calls++;
}

static void policy_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	struct paper *self = policy;
	for (uint32_t i = 0; i < nr; i++)
		self->answered[results[i].outcome] += results[i].nr_pages;
}

static int policy_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct paper *self = policy;
	self->budget_seen = view->budget_pages;
	for (uint32_t i = 0; i < self->nr_wanted; i++)
		assert_int_equal(plan_add(plan, &self->wanted[i]), 0);
	return 0;
}

static void policy_free(void *policy)
{
	(void)policy;
}

static struct policy_ops paper_policy = {
	.name = "paper",
	.new = policy_new,
	.observe = policy_observe,
	.completed = policy_completed,
	.decide = policy_decide,
	.free = policy_free,
};

static int mover_submit(void *mover, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct paper *self = mover;
	(void)now_ns;
	self->nr_got = MIN(nr, self->takes);
	self->nr_told = 0;
	memcpy(self->got, moves, self->nr_got * sizeof(*moves));
	return (int)self->nr_got;
}

static int mover_complete(void *mover, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct paper *self = mover;
	(void)now_ns;
	uint32_t nr = 0;
	for (; self->nr_told < self->nr_got && nr < max; self->nr_told++, nr++) {
		const struct plan_move *move = &self->got[self->nr_told];
		results[nr] = (struct move_result){ .page = move->page,
						    .nr_pages = move->nr_pages,
						    .from = move->from,
						    .to = move->to,
						    .node = move->to,
						    .outcome = (uint8_t)self->outcome };
	}
	return (int)nr;
}

static const struct mover_ops paper_mover = {
	.name = "paper",
	.submit = mover_submit,
	.complete = mover_complete,
};

static int paper_look(void *world, struct policy_node *nodes, uint32_t nr_nodes)
{
	struct paper *self = world;
	assert_int_equal(nr_nodes, 2);
	nodes[0] = (struct policy_node){ 1000, 1000 - self->fast_pages, self->fast_pages };
	nodes[1] = (struct policy_node){ 1000, 500, 500 };
	return 0;
}

static struct engine *paper_engine(struct engine_budget budget)
{
	struct engine *engine = NULL;
	PRINTBUF(err);
	paper = (struct paper){ .takes = 64, .fast_pages = 100 };
	assert_int_equal(machine_parse("node:dram:4MiB@80ns/100GBps:cpus=0 "
				       "node:cxl:4MiB@250ns/30GBps",
				       &paper.machine, &err),
			 0);
	struct engine_config config = {
		.machine = paper.machine,
		.page_bytes = PAGE,
		.policy = &paper_policy,
		.samplers = { { &paper_sampler, &paper } },
		.nr_samplers = 1,
		.mover = &paper_mover,
		.mover_state = &paper,
		.look = paper_look,
		.look_world = &paper,
		.budget = budget,
	};
	paper_policy.needs = SAMPLE_BIT(SAMPLE_HITS);
	assert_int_equal(engine_new(&config, &engine, &err), 0);
	return engine;
}

static void paper_done(struct engine *engine)
{
	engine_free(engine);
	assert_int_equal(paper.opened, paper.closed);
	machine_free(paper.machine);
}

static void want(uint64_t page, uint64_t nr_pages, uint32_t from, uint32_t to)
{
	paper.wanted[paper.nr_wanted++] = (struct plan_move){
		.page = page, .nr_pages = nr_pages, .from = from, .to = to, .why = "test"
	};
}

static void test_engine_turns_once(void **state)
{
	struct engine *engine = paper_engine(ENGINE_BUDGET_NONE);
	(void)state;
	paper.to_say = 3 * SAMPLE_BATCH_MAX + 5;
	want(10, 3, 1, 0);
	want(50, 2, 0, 1);
	assert_int_equal(engine_tick(engine, 1000, NULL), 0);
	assert_int_equal(paper.observed, 3 * SAMPLE_BATCH_MAX + 5);
	assert_int_equal(paper.nr_observe_calls, 4);
	assert_int_equal(paper.nr_got, 2);
	assert_int_equal(paper.answered[MOVE_DONE], 5);
	assert_int_equal(engine_stats(engine)->nr_promoted_pages, 3);
	assert_int_equal(engine_stats(engine)->nr_demoted_pages, 2);
	paper_done(engine);
}

static void test_engine_rate_is_a_token_bucket(void **state)
{
	struct engine_budget budget = ENGINE_BUDGET_NONE;
	budget.bytes_per_s = 10 * PAGE;
	struct engine *engine = paper_engine(budget);
	(void)state;
	want(0, 100, 1, 0);
	assert_int_equal(engine_tick(engine, NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 0);
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S - 1, NULL), 0);
	assert_int_equal(paper.budget_seen, 9);
	assert_int_equal(paper.got[0].nr_pages, 9);
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 1); /* what did not make a whole page was kept */
	assert_int_equal(engine_tick(engine, 1000 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 512); /* no more than one large folio is saved up */
	assert_int_equal(paper.answered[MOVE_DONE], 110);
	assert_int_equal(paper.answered[MOVE_REFUSED_BUDGET], 290);
	paper_done(engine);
	budget.bytes_per_s = 1000 * PAGE;
	engine = paper_engine(budget);
	assert_int_equal(engine_tick(engine, NS_PER_S, NULL), 0);
	assert_int_equal(engine_tick(engine, 1000 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 1000); /* nor more than one burst */
	paper_done(engine);
}

static void test_engine_keeps_floor_and_cap(void **state)
{
	struct engine_budget budget = ENGINE_BUDGET_NONE;
	budget.cap_fast_bytes = 103 * PAGE;
	budget.floor_fast_bytes = 99 * PAGE - 1;
	struct engine *engine = paper_engine(budget);
	(void)state;
	want(0, 10, 1, 0);   /* cap: 3 fit */
	want(100, 10, 0, 1); /* floor: 3 + 1 may go */
	want(200, 10, 1, 0); /* and make room for 4 */
	assert_int_equal(engine_tick(engine, 1, NULL), 0);
	assert_int_equal(paper.nr_got, 3);
	assert_int_equal(paper.got[0].nr_pages, 3);
	assert_int_equal(paper.got[1].nr_pages, 4);
	assert_int_equal(paper.got[2].nr_pages, 4);
	assert_int_equal(engine_stats(engine)->nr_cut_pages, 19);
	paper_done(engine);
}

static void test_engine_never_promotes_above_the_cap(void **state)
{
	struct engine_budget budget = ENGINE_BUDGET_NONE;
	budget.cap_fast_bytes = 90 * PAGE;
	struct engine *engine = paper_engine(budget);
	(void)state;
	want(100, 15, 0, 1); /* 100 fast pages are above the cap already: down to 85 */
	want(200, 20, 1, 0); /* 5 fit, not 15 */
	assert_int_equal(engine_tick(engine, 1, NULL), 0);
	assert_int_equal(paper.got[0].nr_pages, 15);
	assert_int_equal(paper.got[1].nr_pages, 5);
	paper_done(engine);
}

static void test_engine_answers_every_page(void **state)
{
	struct engine_budget budget = ENGINE_BUDGET_NONE;
	struct random random;
	uint64_t asked = 0;
	(void)state;
	budget.bytes_per_s = 40 * PAGE;
	budget.cap_fast_bytes = 120 * PAGE;
	struct engine *engine = paper_engine(budget);
	random_init(&random, 3);
	for (uint64_t tick = 1; tick < 500; tick++) {
		paper.nr_wanted = paper.nr_got = paper.nr_told = 0;
		paper.takes = (uint32_t)random_below(&random, 12);
		for (uint64_t i = random_below(&random, 20); i > 0; i--) {
			uint64_t nr = 1 + random_below(&random, 30);
			uint32_t from = (uint32_t)random_below(&random, 2);
			asked += nr;
			want(tick * 1000 + i, nr, from, 1 - from);
		}
		assert_int_equal(engine_tick(engine, tick * NS_PER_S, NULL), 0);
		/* What was done is a part of what was asked for, in its order. */
		for (uint32_t i = 0, j = 0; i < paper.nr_got; i++, j++) {
			while (j < paper.nr_wanted && paper.wanted[j].page != paper.got[i].page)
				j++;
			assert_true(j < paper.nr_wanted);
			assert_true(paper.got[i].nr_pages <= paper.wanted[j].nr_pages);
			assert_int_equal(paper.got[i].to, paper.wanted[j].to);
		}
	}
	uint64_t answered = 0;
	for (int i = 0; i < MOVE_NR_OUTCOMES; i++)
		answered += paper.answered[i];
	assert_int_equal(answered, asked);
	assert_true(paper.answered[MOVE_DONE] <= 500 * 40);
	paper_done(engine);
}

static void test_engine_refuses_what_it_cannot_do(void **state)
{
	struct engine *engine = paper_engine(ENGINE_BUDGET_NONE), *other = NULL;
	struct engine_config config = { .machine = paper.machine,
					.page_bytes = PAGE,
					.policy = &paper_policy,
					.samplers = { { &paper_sampler, &paper } },
					.nr_samplers = 1,
					.mover = &paper_mover };
	PRINTBUF(err);
	(void)state;
	paper_policy.needs = SAMPLE_BIT(SAMPLE_HARDWARE);
	assert_int_equal(engine_new(&config, &other, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "needs hardware samples"));
	printbuf_reset(&err);
	paper_policy.needs = 0;
	paper.refuses_probe = true;
	assert_int_equal(engine_new(&config, &other, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "Sundays"));
	paper_done(engine);
}

static void test_engine_cuts_between_folios(void **state)
{
	struct engine_budget budget = ENGINE_BUDGET_NONE;
	budget.bytes_per_s = 1000 * PAGE;
	budget.cap_fast_bytes = 1350 * PAGE; /* 100 fast pages now: 1,250 may come */
	struct engine *engine = paper_engine(budget);
	(void)state;
	assert_int_equal(engine_tick(engine, NS_PER_S, NULL), 0);
	want(0, 1536, 1, 0); /* three folios of 512: one fits 1,000 pages */
	want(5000, 300, 1, 0);
	want(9000, 512, 1, 0); /* 188 left */
	paper.wanted[0].order = paper.wanted[2].order = 9;
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.nr_got, 2);
	assert_int_equal(paper.got[0].nr_pages, 512);
	assert_int_equal(paper.got[1].nr_pages, 300);
	assert_int_equal(engine_stats(engine)->nr_cut_pages, 1024 + 512);
	paper.wanted[0].nr_pages = 700; /* its end is whole by itself */
	assert_int_equal(engine_tick(engine, 3 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.got[0].nr_pages, 700);
	paper_done(engine);
}

/* What the mover could not move has cost nothing. */
static void test_engine_gives_back_what_was_not_moved(void **state)
{
	struct engine_budget budget = ENGINE_BUDGET_NONE;
	budget.bytes_per_s = 1000 * PAGE;
	struct engine *engine = paper_engine(budget);
	(void)state;
	assert_int_equal(engine_tick(engine, NS_PER_S, NULL), 0);
	want(0, 1000, 1, 0);
	paper.outcome = MOVE_REFUSED_GONE;
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S, NULL), 0);
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 1000);
	paper.outcome = MOVE_DONE;
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 1000);
	assert_int_equal(engine_tick(engine, 2 * NS_PER_S, NULL), 0);
	assert_int_equal(paper.budget_seen, 0);
	paper_done(engine);
}
