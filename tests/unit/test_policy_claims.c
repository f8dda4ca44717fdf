/* SPDX-License-Identifier: MIT */
/* berth's floors where one job has come later than another: how many moves are asked for, when, and
 * what is done where somebody takes the room that was made. */
#include "test.h"

#define PAPER_PAGES 65536
#include <stdlib.h>

#include "policy_fixture.h"

#define NR_FAST	    16384u /* all of the first job at first */
#define NR_LATE	    16384u /* pages of the second job, slow */
#define CLAIM_PAGES 4096u
#define SOON_NS	    (10 * NS_PER_MS)

struct scene {
	struct paper_world world;
	struct policy_job jobs[2];
	uint32_t nr_down, nr_up; /* of the last plan */
	uint64_t free_pages;
};

static void see(struct scene *scene, uint32_t space, uint64_t page, uint32_t node)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, scene->world.now_ns, space, page);
	sample.hits = sample.checks = 1;
	sample.node = node;
	struct sample_batch batch = { &sample, 1, 1 };
	scene->world.ops->observe(scene->world.policy, &batch);
}

/* The plan is read, not done. */
static void turn(struct scene *scene, uint64_t passed_ns)
{
	static const uint32_t job_of[2] = { 0, 1 };
	struct paper_world *world = &scene->world;
	struct policy_node nodes[2] = {
		{ .capacity_pages = NR_FAST, .free_pages = scene->free_pages },
		{ .capacity_pages = 65536, .free_pages = 65536 - NR_LATE },
	};
	world->now_ns += passed_ns;
	struct policy_view view = { world->now_ns, passed_ns, 1u << 20, nodes, 2,
				    scene->jobs,   2,	      job_of,	2 };
	plan_cut(&world->plan, 0);
	assert_int_equal(world->ops->decide(world->policy, &view, &world->plan), 0);
	scene->nr_down = scene->nr_up = 0;
	for (uint32_t i = 0; i < world->plan.nr; i++) {
		const struct plan_move *move = &world->plan.moves[i];
		assert_true(move->is_due);
		assert_false(move->is_claimed);
		*(move->to == 0 ? &scene->nr_up : &scene->nr_down) += move->nr_pages;
	}
}

static void begin(struct scene *scene, uint64_t late_fast, uint64_t late_floor)
{
	*scene = (struct scene){ .jobs = { { .cap_pages = UINT64_MAX,
					     .fast_pages = NR_FAST - late_fast },
					   { .floor_pages = late_floor,
					     .cap_pages = UINT64_MAX,
					     .fast_pages = late_fast,
					     .slow_pages = NR_LATE } } };
	paper_open(&scene->world, "berth", "", NR_FAST, 65536);
	for (uint64_t page = 0; page < NR_FAST; page++)
		see(scene, 0, page, 0);
	for (uint64_t page = 0; page < NR_LATE; page++)
		see(scene, 1, page, 1);
}

/* Answers for `nr` moves of the last plan. */
static void answer(struct scene *scene, uint32_t nr, enum move_outcome outcome)
{
	for (uint32_t i = 0; i < MIN(nr, scene->world.plan.nr); i++) {
		const struct plan_move *move = &scene->world.plan.moves[i];
		bool is_done = outcome == MOVE_DONE;
		struct move_result result = { .page = move->page,
					      .nr_pages = move->nr_pages,
					      .space = move->space,
					      .from = move->from,
					      .to = move->to,
					      .node = is_done ? move->to : move->from,
					      .outcome = (uint8_t)outcome };
		scene->world.ops->completed(scene->world.policy, &result, 1);
	}
}

static void test_floors_are_claimed_as_moves_get_done(void **state)
{
	static struct scene scene;
	(void)state;
	begin(&scene, 0, NR_FAST / 2);
	turn(&scene, NS_PER_S);
	assert_int_equal(scene.nr_down, CLAIM_PAGES);
	assert_int_equal(scene.nr_up, CLAIM_PAGES);
	turn(&scene, 300 * NS_PER_MS); /* nothing is done yet */
	assert_int_equal(scene.world.plan.nr, 0);
	turn(&scene, NS_PER_S); /* looked at again, and all is on its way */
	assert_int_equal(scene.nr_up, 0);
	paper_close(&scene.world);
	begin(&scene, 0, NR_FAST / 2);
	turn(&scene, NS_PER_S);
	answer(&scene, CLAIM_PAGES + 1000, MOVE_DONE); /* more than half */
	scene.jobs[0].fast_pages -= CLAIM_PAGES;
	scene.jobs[1].fast_pages += 1000;
	turn(&scene, SOON_NS);
	assert_int_equal(scene.world.plan.nr, 0);
	turn(&scene, 300 * NS_PER_MS);
	assert_int_equal(scene.nr_up, 1000);
	paper_close(&scene.world);
	begin(&scene, 0, NR_FAST / 2);
	turn(&scene, NS_PER_S);
	answer(&scene, UINT32_MAX, MOVE_DONE);
	scene.jobs[0].fast_pages -= CLAIM_PAGES;
	scene.jobs[1].fast_pages += CLAIM_PAGES;
	turn(&scene, 300 * NS_PER_MS);
	assert_int_equal(scene.nr_down, CLAIM_PAGES);
	assert_int_equal(scene.nr_up, CLAIM_PAGES);
	paper_close(&scene.world);
}

static void test_room_comes_first_where_it_is_taken(void **state)
{
	static struct scene scene;
	(void)state;
	begin(&scene, 0, NR_FAST / 2);
	turn(&scene, NS_PER_S);
	answer(&scene, UINT32_MAX, MOVE_REFUSED_FULL);
	turn(&scene, 300 * NS_PER_MS);
	assert_int_equal(scene.nr_down, CLAIM_PAGES);
	assert_int_equal(scene.nr_up, 0);
	/* While they are on their way, no others go for the same. */
	struct paper_world *world = &scene.world;
	uint32_t nr = world->plan.nr;
	struct plan_move *first = malloc(nr * sizeof(*first));
	assert_non_null(first);
	memcpy(first, world->plan.moves, nr * sizeof(*first));
	turn(&scene, 400 * NS_PER_MS);
	see(&scene, 0, 0, 0); /* news */
	turn(&scene, 400 * NS_PER_MS);
	assert_int_equal(world->plan.nr, 0);
	memcpy(world->plan.moves, first, nr * sizeof(*first));
	world->plan.nr = nr;
	free(first);
	answer(&scene, UINT32_MAX, MOVE_DONE);
	scene.jobs[0].fast_pages -= CLAIM_PAGES;
	scene.free_pages = 1000; /* what nobody has taken */
	turn(&scene, 500 * NS_PER_MS);
	assert_int_equal(scene.nr_up, 1000);
	paper_close(&scene.world);
}

/* A 64th of the floor: 128 pages. */
static void test_the_last_pages_of_a_floor_are_not_exchanged(void **state)
{
	static struct scene scene;
	(void)state;
	begin(&scene, NR_FAST / 2 - 128, NR_FAST / 2);
	turn(&scene, NS_PER_S);
	assert_int_equal(scene.world.plan.nr, 0);
	scene.free_pages = 100;
	turn(&scene, 2 * NS_PER_S);
	assert_int_equal(scene.nr_down, 0);
	assert_int_equal(scene.nr_up, 100);
	paper_close(&scene.world);
	begin(&scene, NR_FAST / 2 - 129, NR_FAST / 2);
	turn(&scene, NS_PER_S);
	assert_int_equal(scene.nr_down, 129);
	assert_int_equal(scene.nr_up, 129);
	paper_close(&scene.world);
}
