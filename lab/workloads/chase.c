/* SPDX-License-Identifier: MIT */
/*
 * Pointer chase: each step needs the result of the one before, so it takes one memory latency.
 *
 *     | next | .... stride .... | next | ....       one random cycle through all lines of a
 * thread's
 *         \________>____________^                   part (Sattolo's shuffle, in place)
 *
 * Two lines per page are used by default, so that most steps go to another page. A walk that ends
 * short of the cycle's end is walked to the end, untimed: the number of steps must then be a
 * multiple of the lines. Best static placement: all lines are equally hot; fast memory is filled.
 */
#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"

struct part {
	_Alignas(64) char *start;
	char *at;
	uint64_t nr_steps;
};

struct chase {
	struct pace pace;
	uint64_t memory_bytes, stride_bytes, seed;
	char *memory;
	uint64_t nr_lines; /* per part */
	struct part parts[WORK_MAX_THREADS];
};

static struct chase chase = { .memory_bytes = 700ULL << 20, .stride_bytes = 2048, .seed = 1 };

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &chase.memory_bytes, 65536, 0, "gone through" },
	{ "stride", WORK_SIZE, &chase.stride_bytes, 8, 1 << 30, "from one line to the next" },
	PACE_OPTIONS(&chase.pace),
	PACE_THREADS(&chase.pace),
	{ "seed", WORK_COUNT, &chase.seed, 0, 0, "of the cycle" },
	{ 0 },
};

static char **line_at(const struct chase *c, unsigned thread, uint64_t line)
{
	return (char **)(c->parts[thread].start + line * c->stride_bytes);
}

static void make_cycle(struct chase *c, unsigned thread)
{
	uint64_t state = random_seed(c->seed, thread);

	for (uint64_t i = 0; i < c->nr_lines; i++)
		*line_at(c, thread, i) = (char *)line_at(c, thread, i);
	for (uint64_t i = c->nr_lines - 1; i > 0; i--) {
		uint64_t other = random_below(random_next(&state), i);
		char *swapped = *line_at(c, thread, i);

		*line_at(c, thread, i) = *line_at(c, thread, other);
		*line_at(c, thread, other) = swapped;
	}
}

static void build(struct chase *c)
{
	uint64_t part_bytes;

	c->stride_bytes &= ~7ULL;
	part_bytes = c->memory_bytes / c->pace.nr_threads / c->stride_bytes * c->stride_bytes;
	c->nr_lines = part_bytes / c->stride_bytes;
	if (c->nr_lines < 2)
		work_fail(
			2,
			"--memory holds no two lines per thread: take more, or a smaller --stride");
	c->memory = work_memory_touched(part_bytes * c->pace.nr_threads);
	for (unsigned i = 0; i < c->pace.nr_threads; i++) {
		c->parts[i].at = c->parts[i].start = c->memory + i * part_bytes;
		make_cycle(c, i);
	}
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct part *part = &((struct chase *)argument)->parts[thread];
	char *at = part->at;
	uint64_t nr;

	while ((nr = pace_next(pace, thread))) {
		part->nr_steps += nr;
		for (; nr; nr--)
			at = *(char *volatile *)at;
	}
	part->at = at;
}

/* Walks on to the start, at most once around. */
static bool cycle_is_right(const struct chase *c, const struct part *part)
{
	char *at = part->at;
	uint64_t nr = 0;

	for (; at != part->start && nr <= c->nr_lines; nr++)
		at = *(char **)at;
	return (part->nr_steps + nr) % c->nr_lines == 0;
}

int main(int argc, char **argv)
{
	struct chase *c = &chase;

	c->pace.nr_threads = 1;
	work_begin("chase", "Pointer chase through one random cycle: memory latency.", options,
		   argc, argv);
	pace_default(&c->pace, 30000000);
	work_phase(WORK_PHASE_BUILD);
	build(c);
	if (place_is_wanted()) {
		struct place_list list = { 0 };

		work_phase(WORK_PHASE_PLACE);
		place_add(&list, c->memory, c->nr_lines * c->stride_bytes * c->pace.nr_threads);
		place_pages(&list, list.nr_pages);
		place_fini(&list);
	}
	pace_run(&c->pace, work, c);
	for (unsigned i = 0; i < c->pace.nr_threads; i++)
		work_check(cycle_is_right(c, &c->parts[i]),
			   "the cycle of thread %u has not %llu lines", i,
			   (unsigned long long)c->nr_lines);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("run", (double)c->pace.passed_ns / 1e9, "s", false);
	work_result("latency",
		    (double)c->pace.passed_ns * (double)c->pace.nr_threads /
			    (double)(c->pace.nr_done ? c->pace.nr_done : 1),
		    "ns", false);
	return 0;
}
