/* SPDX-License-Identifier: MIT */
/*
 * A sampler beside those that tell what is used: every page once, when it is first met, and where
 * it is (pagemap.h). Checks of all pages may be many seconds apart; floors and caps of jobs cannot
 * wait for that: the policy must know which pages somebody who has just come has, and which are
 * above a cap.
 *
 *     saved up   SHARE_BP of a CPU, at most SAVED_MAX_NS of it, which is there at the beginning
 *     a poll     goes on with the census for as long as something is saved up
 *
 * Cost: SHARE_BP of a CPU; 144 bytes per 2 MiB.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/pagemap.h"
#include "linux/samplers.h"

#define SHARE_BP     50
#define SAVED_MAX_NS (500 * NS_PER_MS)
#define STEP_PAGES   4096

struct enumerator {
	struct live *live;
	struct census census;
	uint64_t polled_ns;
	int64_t saved_ns;
	bool is_within; /* a poll that goes on: its time is counted already */
};

static int probe(void *world, struct printbuf *err)
{
	return 0;
}

static int open_census(void *world, void **ret_sampler, struct printbuf *err)
{
	struct enumerator *enumerator = calloc(1, sizeof(*enumerator));
	if (!enumerator)
		return error_set(err, -ENOMEM, "out of memory");
	enumerator->live = world;
	enumerator->saved_ns = SAVED_MAX_NS;
	census_init(&enumerator->census, world);
	*ret_sampler = enumerator;
	return 0;
}

static void close_census(void *sampler)
{
	struct enumerator *enumerator = sampler;
	if (enumerator)
		census_fini(&enumerator->census);
	free(enumerator);
}

static void save_up(struct enumerator *enumerator, uint64_t now_ns)
{
	uint64_t passed_ns = enumerator->polled_ns ? now_ns - enumerator->polled_ns : 0;
	enumerator->polled_ns = now_ns;
	enumerator->saved_ns = MIN(enumerator->saved_ns + (int64_t)(passed_ns / 10000 * SHARE_BP),
				   (int64_t)SAVED_MAX_NS);
}

static bool has_room(const struct sample_batch *batch)
{
	return batch->max - batch->nr >= PAGEMAP_CHUNK; /* as the census wants it */
}

static int poll_census(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct enumerator *enumerator = sampler;
	bool is_over = false;
	if (!enumerator->is_within)
		save_up(enumerator, now_ns);
	while (!is_over && enumerator->saved_ns > 0 && has_room(batch)) {
		uint64_t begun_ns = clock_thread_cpu_ns();
		is_over = census_go_on(&enumerator->census, now_ns, STEP_PAGES, batch);
		uint64_t cost_ns = clock_thread_cpu_ns() - begun_ns;
		enumerator->saved_ns -= (int64_t)cost_ns;
		enumerator->live->sampling_ns += cost_ns;
	}
	enumerator->is_within = !is_over && enumerator->saved_ns > 0;
	return enumerator->is_within;
}

const struct sampler_ops live_sampler_census = {
	.name = "census",
	.summary = "every page once, when it is first met, and where it is",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, false },
	.probe = probe,
	.open = open_census,
	.poll = poll_census,
	.close = close_census,
};
