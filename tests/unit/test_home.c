/* SPDX-License-Identifier: MIT */
/* Which memory is near which CPUs, on machines of one, two and four sockets. */
#include "test.h"

#include "base/random.h"
#include "policy/home.h"

#define TWO                                                                                        \
	"node:dram:4GiB@80ns:cpus=0-3 node:dram:4GiB@80ns:cpus=4-7 "                               \
	"node:cxl:8GiB@250ns:from=0@250ns:from=1@400ns "                                           \
	"node:cxl:8GiB@250ns:from=0@400ns:from=1@250ns"

struct bench {
	struct machine *machine;
	struct policy_node nodes[8];
	struct policy_job jobs[2];
	uint32_t job_of[2];
	struct policy_view view;
	struct plan plan;
	struct set cpus;
	uint64_t scratch[16];
};

static void open_bench(struct bench *bench, const char *line, const char *cpus)
{
	*bench = (struct bench){ .job_of = { 0, 1 } };
	assert_int_equal(machine_parse(line, &bench->machine, NULL), 0);
	assert_int_equal(set_parse(cpus, &bench->cpus), 0);
	for (uint32_t i = 0; i < bench->machine->nr_nodes; i++)
		bench->nodes[i] = (struct policy_node){ .capacity_pages = 1000,
							.free_pages = 110,
							.min_pages = 10 };
	bench->jobs[0].home_cpus = &bench->cpus;
	bench->view = (struct policy_view){ .nodes = bench->nodes,
					    .nr_nodes = bench->machine->nr_nodes,
					    .jobs = bench->jobs,
					    .nr_jobs = 2,
					    .job_of = bench->job_of,
					    .nr_spaces = 2 };
	assert_int_equal(plan_init(&bench->plan, 16), 0);
}

static void close_bench(struct bench *bench)
{
	plan_fini(&bench->plan);
	set_fini(&bench->cpus);
	machine_free(bench->machine);
}

static void add(struct bench *bench, uint32_t space, uint32_t from, uint32_t to, uint64_t nr)
{
	struct plan_move move = { .page = 100 * bench->plan.nr + 1,
				  .nr_pages = nr,
				  .space = space,
				  .from = from,
				  .to = to,
				  .why = "test" };
	assert_int_equal(plan_add(&bench->plan, &move), 0);
}

static void steer(struct bench *bench)
{
	home_steer(bench->machine, &bench->view, &bench->plan, bench->scratch);
}

static void test_moves_go_to_the_nearest_of_their_tier(void **state)
{
	struct bench bench;
	open_bench(&bench, TWO, "5,6");
	add(&bench, 0, 2, 0, 10); /* up */
	add(&bench, 0, 1, 2, 10); /* down */
	add(&bench, 1, 2, 0, 10); /* somebody else's, who is at home nowhere */
	steer(&bench);
	assert_int_equal(bench.plan.moves[0].to, 1);
	assert_int_equal(bench.plan.moves[1].to, 3);
	assert_int_equal(bench.plan.moves[2].to, 0);
	close_bench(&bench);
	open_bench(&bench, TWO, "0-3,4"); /* most of its CPUs are on the first */
	add(&bench, 0, 3, 1, 10);
	steer(&bench);
	assert_int_equal(bench.plan.moves[0].to, 0);
	close_bench(&bench);
	open_bench(&bench, TWO, "0-7"); /* as near to both: as the policy said */
	add(&bench, 0, 3, 1, 10);
	add(&bench, 0, 3, 0, 10);
	steer(&bench);
	assert_int_equal(bench.plan.moves[0].to, 1);
	assert_int_equal(bench.plan.moves[1].to, 0);
	close_bench(&bench);
}

static void test_room_is_counted(void **state)
{
	struct bench bench;
	open_bench(&bench, TWO, "4-7");
	add(&bench, 0, 2, 0, 60);
	add(&bench, 0, 2, 0, 60); /* no room for both */
	add(&bench, 0, 2, 0, 40);
	add(&bench, 1, 1, 2, 50); /* makes room */
	add(&bench, 0, 2, 0, 50);
	add(&bench, 0, 2, 0, 90); /* nowhere: as the policy said */
	steer(&bench);
	static const uint32_t expected[] = { 1, 0, 1, 2, 1, 0 };
	for (uint32_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(bench.plan.moves[i].to, expected[i]);
	close_bench(&bench);
}

static void test_no_home_no_change(void **state)
{
	struct bench bench;
	open_bench(&bench, TWO, "4-7");
	bench.jobs[0].home_cpus = NULL;
	add(&bench, 0, 2, 0, 10);
	steer(&bench);
	assert_int_equal(bench.plan.moves[0].to, 0);
	close_bench(&bench);
	open_bench(&bench, TWO, "64"); /* no CPU of this machine */
	add(&bench, 0, 2, 1, 10);
	steer(&bench);
	assert_int_equal(bench.plan.moves[0].to, 1);
	close_bench(&bench);
}

static void test_latency_is_the_mean_of_its_cpus(void **state)
{
	struct bench bench;
	open_bench(&bench, TWO, "0,4");
	assert_int_equal(home_latency_ps(bench.machine, &bench.cpus, 0), (80 + 136) * 500);
	assert_int_equal(home_latency_ps(bench.machine, &bench.cpus, 2), (250 + 400) * 500);
	close_bench(&bench);
	open_bench(&bench, "node:dram:1GiB@80ns:cpus=0-1 node:none:0:cpus=2-3", "2");
	assert_true(home_latency_ps(bench.machine, &bench.cpus, 1) == UINT64_MAX);
	close_bench(&bench);
}

static void test_threads_stay_by_their_pages(void **state)
{
	struct bench bench;
	uint64_t pages[8] = { 0 };
	open_bench(&bench, TWO, "0");
	assert_int_equal(home_by_pages(bench.machine, pages), HOME_NONE);
	pages[1] = 4095; /* a page less than HOME_MIN_BYTES */
	assert_int_equal(home_by_pages(bench.machine, pages), HOME_NONE);
	pages[1] = 4096;
	assert_int_equal(home_by_pages(bench.machine, pages), 1);
	pages[0] = 4096; /* half and half: as near from both */
	assert_int_equal(home_by_pages(bench.machine, pages), HOME_NONE);
	/* 90 of 100 here: 80*.9+136*.1 = 85.6 against (85.6+130.4)/2 = 108 */
	pages[0] = 90000;
	pages[1] = 10000;
	assert_int_equal(home_by_pages(bench.machine, pages), 0);
	/* 70 of 100: 96.8 against 108: more than a tenth less; 69 of 100: 97.36 */
	pages[0] = 70000;
	pages[1] = 30000;
	assert_int_equal(home_by_pages(bench.machine, pages), 0);
	pages[0] = 69000;
	pages[1] = 31000;
	assert_int_equal(home_by_pages(bench.machine, pages), HOME_NONE);
	pages[0] = pages[1] = 0;
	pages[3] = 100000; /* slow memory has a side, too */
	assert_int_equal(home_by_pages(bench.machine, pages), 1);
	close_bench(&bench);
	/* All CPUs are the average, not all nodes: seven of eight are on the first, from which the
	 * pages are 80 away; from all 80 * 7/8 + 136 * 1/8 = 87, and a tenth of that is not 7. */
	open_bench(&bench, "node:dram:4GiB@80ns:cpus=0-6 node:dram:4GiB@80ns:cpus=7", "0");
	pages[3] = 0;
	pages[0] = 100000;
	assert_int_equal(home_by_pages(bench.machine, pages), HOME_NONE);
	close_bench(&bench);
	open_bench(&bench, "node:dram:4GiB@80ns:cpus=0-3 node:cxl:8GiB@250ns", "0");
	assert_int_equal(home_by_pages(bench.machine, pages), HOME_NONE); /* one socket */
	close_bench(&bench);
}

/* What was chosen is no worse than any other node of the tier that had room. */
static void test_nothing_nearer_had_room(void **state)
{
	struct random random;
	random_init(&random, 7);
	for (int round = 0; round < 2000; round++) {
		struct bench bench;
		open_bench(&bench, TWO, "0");
		set_del(&bench.cpus, 0);
		for (uint32_t cpu = 0; cpu < 8; cpu++)
			if (random_below(&random, 2))
				assert_int_equal(set_add(&bench.cpus, cpu), 0);
		uint64_t free_pages[4];
		for (uint32_t i = 0; i < 4; i++)
			free_pages[i] = bench.nodes[i].free_pages = random_below(&random, 100);
		uint32_t to = (uint32_t)random_below(&random, 4), other = to ^ 1;
		uint64_t nr = 1 + random_below(&random, 60);
		add(&bench, 0, PLAN_NODE_ANY, to, nr);
		steer(&bench);
		uint32_t chosen = bench.plan.moves[0].to;
		assert_true(chosen == to || chosen == other);
		uint64_t chosen_ps = home_latency_ps(bench.machine, &bench.cpus, chosen);
		uint32_t rest = chosen ^ 1;
		if (free_pages[rest] >= nr + 10)
			assert_true(home_latency_ps(bench.machine, &bench.cpus, rest) >=
					    chosen_ps ||
				    free_pages[chosen] < nr + 10);
		if (chosen != to)
			assert_true(free_pages[chosen] >= nr + 10);
		close_bench(&bench);
	}
}
