/* SPDX-License-Identifier: MIT */
/*
 * A world of paper for memory policies: two nodes and a few thousand pages of one space. Tests give
 * samples and turns; the world checks every plan, does what fits, and answers for every page.
 */
#ifndef BERTH_TEST_POLICY_FIXTURE_H
#define BERTH_TEST_POLICY_FIXTURE_H

#include "base/random.h"
#include "policy/policy.h"

#ifndef PAPER_PAGES
#define PAPER_PAGES 8192
#endif
#define PAPER_NOWHERE	 2
#define PAPER_PAGE_BYTES 4096u

struct paper_world {
	struct machine *machine;
	const struct policy_ops *ops;
	void *policy;
	uint64_t values[TUNABLES_MAX];
	uint8_t node[PAPER_PAGES]; /* PAPER_NOWHERE: no such page */
	uint64_t used[2], capacity[2];
	uint64_t misses[2], loaded_ps[2];
	uint64_t high_pages; /* of the fast node */
	uint64_t now_ns, budget_pages;
	bool answers_whole; /* what moved as one is one answer; else one for each page */
	struct plan plan;
	uint64_t nr_promoted, nr_demoted, nr_gone, nr_full;
};

static inline void paper_open(struct paper_world *world, const char *name, const char *keys,
			      uint64_t fast_pages, uint64_t slow_pages)
{
	char line[128];
	PRINTBUF(err);
	*world = (struct paper_world){ .capacity = { fast_pages, slow_pages },
				       .misses = { POLICY_UNKNOWN, POLICY_UNKNOWN },
				       .loaded_ps = { POLICY_UNKNOWN, POLICY_UNKNOWN },
				       .budget_pages = PLAN_MOVES_MAX };
	memset(world->node, PAPER_NOWHERE, sizeof(world->node));
	snprintf(line, sizeof(line),
		 "node:dram:%lluB@80ns/100GBps:cpus=0 node:cxl:%lluB@250ns/30GBps",
		 (unsigned long long)fast_pages * PAPER_PAGE_BYTES,
		 (unsigned long long)slow_pages * PAPER_PAGE_BYTES);
	assert_int_equal(machine_parse(line, &world->machine, &err), 0);
	world->ops = policy_find(name);
	assert_non_null(world->ops);
	tunables_defaults(world->ops->tunables, world->ops->nr_tunables, world->values);
	if (tunables_parse(keys, world->ops->tunables, world->ops->nr_tunables, name, world->values,
			   &err))
		fail_msg("%s", printbuf_str(&err));
	struct policy_config config = { .machine = world->machine,
					.values = world->values,
					.seed = 1,
					.page_bytes = PAPER_PAGE_BYTES };
	assert_int_equal(plan_init(&world->plan, PLAN_MOVES_MAX), 0);
	if (world->ops->new (&config, &world->policy, &err))
		fail_msg("%s", printbuf_str(&err));
}

static inline void paper_close(struct paper_world *world)
{
	world->ops->free(world->policy);
	plan_fini(&world->plan);
	machine_free(world->machine);
}

/* First touch: fast memory while there is room, as a kernel does. */
static inline void paper_birth(struct paper_world *world, uint64_t page)
{
	struct place_request request = { .now_ns = world->now_ns, .page = page, .nr_pages = 1 };
	uint32_t wish = 0;
	if (world->node[page] != PAPER_NOWHERE)
		return;
	uint8_t node = world->used[0] < world->capacity[0] ? 0 : 1;
	if (world->ops->place)
		assert_int_equal(world->ops->place(world->policy, &request, &wish), -ENOENT);
	assert_true(world->used[node] < world->capacity[node]);
	world->used[node]++;
	world->node[page] = node;
}

static inline void paper_death(struct paper_world *world, uint64_t page)
{
	if (world->node[page] != PAPER_NOWHERE)
		world->used[world->node[page]]--;
	world->node[page] = PAPER_NOWHERE;
}

static inline struct sample paper_sample(const struct paper_world *world, uint64_t page, bool write)
{
	struct sample sample = sample_of_page(SAMPLE_HARDWARE, world->now_ns, 0, page);
	sample.node = world->node[page];
	sample.access = write ? SAMPLE_WRITE : SAMPLE_READ;
	return sample;
}

static inline void paper_see(struct paper_world *world, uint64_t page, bool write, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		struct sample sample = paper_sample(world, page, write);
		struct sample_batch batch = { &sample, 1, 1 };
		world->ops->observe(world->policy, &batch);
	}
}

static inline void paper_answer(struct paper_world *world, const struct plan_move *move,
				uint64_t page)
{
	struct move_result result = { .page = page,
				      .nr_pages = 1,
				      .space = move->space,
				      .from = PLAN_NODE_ANY,
				      .to = move->to,
				      .node = PLAN_NODE_ANY,
				      .outcome = MOVE_REFUSED_GONE };
	uint8_t from = page < PAPER_PAGES ? world->node[page] : PAPER_NOWHERE;
	if (from == PAPER_NOWHERE) {
		world->nr_gone++;
	} else if (from == move->to) {
		result.outcome = MOVE_REFUSED_THERE;
	} else if (world->used[move->to] == world->capacity[move->to]) {
		result.outcome = MOVE_REFUSED_FULL;
		world->nr_full++;
	} else {
		world->used[from]--;
		world->used[move->to]++;
		world->node[page] = (uint8_t)move->to;
		*(move->to == 0 ? &world->nr_promoted : &world->nr_demoted) += 1;
		result.outcome = MOVE_DONE;
	}
	if (from != PAPER_NOWHERE) {
		result.from = from;
		result.node = world->node[page];
	}
	if (world->ops->completed)
		world->ops->completed(world->policy, &result, 1);
}

/* All of it is where its first page is, and there is room. */
static inline void paper_answer_whole(struct paper_world *world, const struct plan_move *move)
{
	uint8_t from = world->node[move->page];
	struct move_result result = { .page = move->page,
				      .nr_pages = move->nr_pages,
				      .space = move->space,
				      .from = from,
				      .to = move->to,
				      .node = move->to,
				      .outcome = MOVE_DONE };
	for (uint64_t i = 0; i < move->nr_pages; i++) {
		assert_int_equal(world->node[move->page + i], from);
		world->node[move->page + i] = (uint8_t)move->to;
	}
	world->used[from] -= move->nr_pages;
	world->used[move->to] += move->nr_pages;
	assert_true(world->used[move->to] <= world->capacity[move->to]);
	*(move->to == 0 ? &world->nr_promoted : &world->nr_demoted) += move->nr_pages;
	world->ops->completed(world->policy, &result, 1);
}

static inline void paper_look(const struct paper_world *world, struct policy_node nodes[2])
{
	for (unsigned i = 0; i < 2; i++)
		nodes[i] = (struct policy_node){ .capacity_pages = world->capacity[i],
						 .free_pages = world->capacity[i] - world->used[i],
						 .job_pages = world->used[i],
						 .nr_misses = world->misses[i],
						 .loaded_ps = world->loaded_ps[i],
						 .high_pages = i == 0 ? world->high_pages : 0 };
}

/* One turn after `passed_ns`; the plan stays in world->plan. */
static inline void paper_turn(struct paper_world *world, uint64_t passed_ns)
{
	struct policy_node nodes[2];
	struct policy_job job = { 0, UINT64_MAX, world->used[0], world->used[1] };
	world->now_ns += passed_ns;
	paper_look(world, nodes);
	struct policy_view view = { .now_ns = world->now_ns,
				    .tick_ns = passed_ns,
				    .budget_pages = world->budget_pages,
				    .nodes = nodes,
				    .nr_nodes = 2,
				    .jobs = &job,
				    .nr_jobs = 1 };
	plan_cut(&world->plan, 0);
	assert_int_equal(world->ops->decide(world->policy, &view, &world->plan), 0);
	assert_true(plan_is_valid(&world->plan));
	for (uint32_t i = 0; i < world->plan.nr; i++) {
		const struct plan_move *move = &world->plan.moves[i];
		assert_true(move->to < 2 && move->from != move->to && move->why);
		if (world->answers_whole && move->nr_pages > 1) {
			paper_answer_whole(world, move);
			continue;
		}
		for (uint64_t j = 0; j < move->nr_pages; j++)
			paper_answer(world, move, move->page + j);
	}
}

#endif
