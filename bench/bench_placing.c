/* SPDX-License-Identifier: MIT */
/*
 * What the policy `berth` takes of a CPU and of memory for a program of 700 MiB whose 100 MiB hot
 * set lies in slow memory, as the live sampler tells of it: four checks at the beginning, then one
 * every few seconds, single pages or huge folios.
 *
 *     check 1      every page is met for the first time
 *     checks 2..   the hot set is seen, and of the other pages one in eight, each time another
 *
 * No limit is promised of these figures: berth's limits are of what it takes live (bench/tiering),
 * where samplers come on top. Same samples each run; for instructions instead of time run it under
 * `valgrind --tool=callgrind`. A word after the program's name runs one of the two only: single,
 * huge.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printbuf.h"
#include "base/random.h"
#include "bench.h"
#include "policy/policy.h"

#define FAST_PAGES 112640 /* of 512 MiB, what the kernel leaves */
#define SLOW_PAGES 262144
#define NR_PAGES   179200
#define HOT_PAGES  25600 /* the last ones: they start in slow memory */
#define NR_CHECKS  20
#define PAGE_BYTES 4096u
#define FIRST_PAGE ((uint64_t)0x7f0000000)
#define LARGE	   512
#define CHECKS	   4096 /* that a huge folio's hits are of */
#define WINDOW_NS  (20 * NS_PER_MS)

struct world {
	struct machine *machine;
	const struct policy_ops *ops;
	void *policy;
	struct plan plan;
	struct sample *samples;
	struct sample_batch batch;
	uint8_t node[NR_PAGES];
	uint64_t used[2], nr_moved;
	struct random random;
	double observe_s, first_s, decide_s, completed_s;
};

static void flush(struct world *world)
{
	double begin_s = bench_cpu_s();
	if (world->batch.nr > 0)
		world->ops->observe(world->policy, &world->batch);
	world->observe_s += bench_cpu_s() - begin_s;
	world->batch.nr = 0;
}

static void add(struct world *world, uint64_t page, uint64_t nr_pages, uint64_t now_ns, bool is_new,
		uint32_t hits, uint32_t checks, uint8_t order)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, now_ns, 0, FIRST_PAGE + page);
	sample.nr_pages = nr_pages;
	sample.hits = hits;
	sample.checks = checks;
	sample.order = order;
	sample.window_ns = is_new ? SAMPLE_UNKNOWN : WINDOW_NS;
	sample.node = world->node[page];
	if (world->batch.nr == SAMPLE_BATCH_MAX)
		flush(world);
	world->samples[world->batch.nr++] = sample;
}

static bool is_hot(uint64_t page)
{
	return page >= NR_PAGES - HOT_PAGES;
}

static void check_pages(struct world *world, uint64_t now_ns, bool is_first)
{
	uint64_t begin = 0, page;
	bool was_used = false;
	for (page = 0; page < NR_PAGES; page++) {
		bool is_used = is_first ||
			       random_below(&world->random, 64) < (is_hot(page) ? 63u : 8u);
		if (is_used && was_used && world->node[page] == world->node[begin])
			continue;
		if (was_used)
			add(world, begin, page - begin, now_ns, is_first, 1, 1, 0);
		begin = page;
		was_used = is_used;
	}
	if (was_used)
		add(world, begin, page - begin, now_ns, is_first, 1, 1, 0);
	flush(world);
}

static void check_folios(struct world *world, uint64_t now_ns)
{
	for (uint64_t page = 0; page < NR_PAGES; page += LARGE)
		add(world, page, LARGE, now_ns, false,
		    is_hot(page) ? 4096 : 512 - page / LARGE % 64, CHECKS, 9);
	flush(world);
}

/* Every move is done, where there is room for it. */
static void move(struct world *world)
{
	const uint64_t capacity[2] = { FAST_PAGES, SLOW_PAGES };
	for (uint32_t i = 0; i < world->plan.nr; i++) {
		const struct plan_move *move = &world->plan.moves[i];
		uint64_t first = move->page - FIRST_PAGE;
		uint64_t nr = MIN(move->nr_pages, NR_PAGES - first);
		bool fits = world->used[move->to] + nr <= capacity[move->to];
		struct move_result result = { .page = move->page,
					      .nr_pages = move->nr_pages,
					      .from = world->node[first],
					      .to = move->to,
					      .node = fits ? move->to : world->node[first],
					      .outcome = fits ? MOVE_DONE : MOVE_REFUSED_FULL };
		if (fits) {
			world->used[world->node[first]] -= nr;
			world->used[move->to] += nr;
			world->nr_moved += nr;
			memset(world->node + first, (int)move->to, nr);
		}
		double begin_s = bench_cpu_s();
		world->ops->completed(world->policy, &result, 1);
		world->completed_s += bench_cpu_s() - begin_s;
	}
}

static void decide(struct world *world, uint64_t now_ns)
{
	static const uint32_t job_of[1];
	struct policy_job job = { .cap_pages = UINT64_MAX,
				  .fast_pages = world->used[0],
				  .slow_pages = world->used[1] };
	struct policy_node nodes[2] = {
		{ FAST_PAGES, FAST_PAGES - world->used[0], world->used[0], POLICY_UNKNOWN,
		  POLICY_UNKNOWN, 512, 1024 },
		{ SLOW_PAGES, SLOW_PAGES - world->used[1], world->used[1], POLICY_UNKNOWN,
		  POLICY_UNKNOWN, 512, 1024 },
	};
	struct policy_view view = { .now_ns = now_ns,
				    .tick_ns = NS_PER_S,
				    .budget_pages = 16384,
				    .nodes = nodes,
				    .nr_nodes = 2,
				    .jobs = &job,
				    .nr_jobs = 1,
				    .job_of = job_of,
				    .nr_spaces = 1 };
	plan_cut(&world->plan, 0);
	double begin_s = bench_cpu_s();
	if (world->ops->decide(world->policy, &view, &world->plan))
		exit(1);
	world->decide_s += bench_cpu_s() - begin_s;
	move(world);
}

static void begin(struct world *world)
{
	PRINTBUF(err);
	*world = (struct world){ .ops = policy_find("berth") };
	if (machine_parse("node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/20GBps",
			  &world->machine, &err) ||
	    plan_init(&world->plan, PLAN_MOVES_MAX))
		exit(1);
	struct policy_config config = { .machine = world->machine,
					.seed = 1,
					.page_bytes = PAGE_BYTES };
	world->samples = calloc(SAMPLE_BATCH_MAX, sizeof(*world->samples));
	world->batch = (struct sample_batch){ world->samples, 0, SAMPLE_BATCH_MAX };
	if (!world->samples || world->ops->new (&config, &world->policy, &err))
		exit(1);
	for (uint64_t page = 0; page < NR_PAGES; page++)
		world->used[world->node[page] = page >= FAST_PAGES - 2048]++;
	random_init(&world->random, 1);
}

static void run(struct world *world, bool is_huge)
{
	const char *name = is_huge ? "huge folios" : "single pages";
	char label[64];
	begin(world);
	uint64_t now_ns = NS_PER_S;
	for (unsigned i = 0; i < NR_CHECKS; i++) {
		if (is_huge)
			check_folios(world, now_ns);
		else
			check_pages(world, now_ns, i == 0);
		world->first_s = i == 0 ? world->observe_s : world->first_s;
		decide(world, now_ns);
		now_ns += i < 4 ? 300 * NS_PER_MS : 3 * NS_PER_S;
	}
	snprintf(label, sizeof(label), "%s: first check", name);
	bench_tell(label, world->first_s * 1e3, "ms");
	snprintf(label, sizeof(label), "%s: each later check", name);
	bench_tell(label, (world->observe_s - world->first_s) * 1e3 / (NR_CHECKS - 1), "ms");
	snprintf(label, sizeof(label), "%s: each decision", name);
	bench_tell(label, world->decide_s * 1e3 / NR_CHECKS, "ms");
	snprintf(label, sizeof(label), "%s: results of all moves", name);
	bench_tell(label, world->completed_s * 1e3, "ms");
	snprintf(label, sizeof(label), "%s: pages moved", name);
	bench_tell(label, (double)world->nr_moved, "");
	snprintf(label, sizeof(label), "%s: bytes a page", name);
	bench_tell(label, (double)world->ops->memory_bytes(world->policy) / NR_PAGES, "");
	world->ops->free(world->policy);
	plan_fini(&world->plan);
	free(world->samples);
	machine_free(world->machine);
}

int main(int argc, char **argv)
{
	static struct world world;
	if (argc < 2 || strcmp(argv[1], "huge") != 0)
		run(&world, false);
	if (argc < 2 || strcmp(argv[1], "single") != 0)
		run(&world, true);
	return 0;
}
