/* SPDX-License-Identifier: MIT */
/*
 * Bandwidth by four kernels over three arrays, in turn: copy, scale, add, triad.
 *
 *     a | thread 0's blocks | thread 1's blocks | ...     one operation: one kernel over one block
 *     b | ...                                             of 32 KiB; a pass: all blocks of a thread
 *     c | ...                                             by copy, then by scale, add, triad
 *
 * The factor is chosen so that a pass multiplies all by 0.999: the arrays' contents tell how often
 * each block was gone over, and nothing overflows. A pass that the end cuts is finished untimed
 * before the check. GB/s are of all threads together, averaged over the run; bytes are counted as
 * STREAM does (McCalpin, 1995): what the program reads and writes, not what caches add.
 */
#include <math.h>

#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/work.h"

#define BLOCK	4096 /* doubles */
#define SHRINK	0.999
#define KERNELS 4

static const char *const kernel_names[KERNELS] = { "copy", "scale", "add", "triad" };
static const unsigned kernel_arrays[KERNELS] = { 2, 2, 3, 3 };

struct part {
	_Alignas(64) uint64_t next; /* operations done */
	uint64_t ns[KERNELS], blocks[KERNELS];
};

struct stream {
	struct pace pace;
	uint64_t memory_bytes;
	double *a, *b, *c;
	uint64_t nr_blocks; /* of a thread */
	double factor;
	struct part parts[WORK_MAX_THREADS];
};

static struct stream stream = { .memory_bytes = 720ULL << 20 };

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &stream.memory_bytes, 3 * BLOCK * sizeof(double), 0,
	  "the three arrays together" },
	PACE_OPTIONS(&stream.pace),
	PACE_THREADS(&stream.pace),
	{ 0 },
};

static void run_kernel(const struct stream *s, unsigned kernel, uint64_t first)
{
	double *restrict a = s->a + first, *restrict b = s->b + first, *restrict c = s->c + first;
	double factor = s->factor;

	switch (kernel) {
	case 0:
		for (unsigned i = 0; i < BLOCK; i++)
			c[i] = a[i];
		break;
	case 1:
		for (unsigned i = 0; i < BLOCK; i++)
			b[i] = factor * c[i];
		break;
	case 2:
		for (unsigned i = 0; i < BLOCK; i++)
			c[i] = a[i] + b[i];
		break;
	default:
		for (unsigned i = 0; i < BLOCK; i++)
			a[i] = b[i] + factor * c[i];
	}
}

static unsigned do_next(const struct stream *s, struct part *part, unsigned thread)
{
	unsigned kernel = (unsigned)(part->next / s->nr_blocks % KERNELS);
	uint64_t block = part->next % s->nr_blocks;

	run_kernel(s, kernel, (thread * s->nr_blocks + block) * BLOCK);
	part->next++;
	return kernel;
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct stream *s = argument;
	struct part *part = &s->parts[thread];
	uint64_t before_ns = work_now_ns();

	while (pace_next(pace, thread)) {
		unsigned kernel = do_next(s, part, thread);
		uint64_t now_ns = work_now_ns();

		part->ns[kernel] += now_ns - before_ns;
		part->blocks[kernel]++;
		before_ns = now_ns;
	}
}

static void build(struct stream *s)
{
	uint64_t nr;

	s->nr_blocks = s->memory_bytes / (3 * BLOCK * sizeof(double)) / s->pace.nr_threads;
	if (!s->nr_blocks)
		work_fail(2, "--memory holds no block of each array per thread: take more");
	nr = s->nr_blocks * s->pace.nr_threads * BLOCK;
	s->a = work_memory(nr * sizeof(double));
	s->b = work_memory_touched(nr * sizeof(double));
	s->c = work_memory_touched(nr * sizeof(double));
	for (uint64_t i = 0; i < nr; i++)
		s->a[i] = 1;
	/* A pass makes a new a of f*a + f*(a + f*a): ((1 + f)^2 - 1) * a. */
	s->factor = sqrt(1 + SHRINK) - 1;
}

static void check(struct stream *s, unsigned thread)
{
	struct part *part = &s->parts[thread];
	uint64_t first = thread * s->nr_blocks * BLOCK;
	double wanted, worst = 0;

	while (part->next % (s->nr_blocks * KERNELS))
		do_next(s, part, thread);
	wanted = pow(SHRINK, (double)(part->next / (s->nr_blocks * KERNELS)));
	for (uint64_t i = first; i < first + s->nr_blocks * BLOCK; i++) {
		double off = fabs(s->a[i] - wanted);

		worst = off > worst ? off : worst;
	}
	work_check(worst <= wanted * 1e-9, "an element of thread %u is off by %g from %g", thread,
		   worst, wanted);
}

static void report(const struct stream *s)
{
	for (unsigned kernel = 0; kernel < KERNELS; kernel++) {
		double rate = 0;

		for (unsigned i = 0; i < s->pace.nr_threads; i++) {
			const struct part *part = &s->parts[i];
			uint64_t bytes = part->blocks[kernel] * kernel_arrays[kernel] * BLOCK * 8;

			rate += part->ns[kernel] ? (double)bytes / (double)part->ns[kernel] : 0;
		}
		if (kernel + 1 < KERNELS)
			work_also(kernel_names[kernel], rate, "GB/s", true);
		else
			work_result(kernel_names[kernel], rate, "GB/s", true);
	}
}

/* The three arrays are equally hot: block by block, so that all of them get their share. */
static void place(const struct stream *s)
{
	uint64_t nr = s->nr_blocks * s->pace.nr_threads;
	struct place_list list = { 0 };

	work_phase(WORK_PHASE_PLACE);
	for (uint64_t i = 0; i < nr; i++) {
		place_add(&list, s->a + i * BLOCK, BLOCK * sizeof(double));
		place_add(&list, s->b + i * BLOCK, BLOCK * sizeof(double));
		place_add(&list, s->c + i * BLOCK, BLOCK * sizeof(double));
	}
	place_pages(&list, list.nr_pages);
	place_fini(&list);
}

int main(int argc, char **argv)
{
	struct stream *s = &stream;

	s->pace.nr_threads = 1;
	s->pace.lot = 1;
	work_begin("stream", "Bandwidth: copy, scale, add and triad over three arrays.", options,
		   argc, argv);
	pace_default(&s->pace, 150000);
	work_phase(WORK_PHASE_BUILD);
	build(s);
	if (place_is_wanted())
		place(s);
	pace_run(&s->pace, work, s);
	for (unsigned i = 0; i < s->pace.nr_threads; i++)
		check(s, i);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("run", (double)s->pace.passed_ns / 1e9, "s", false);
	report(s);
	return 0;
}
