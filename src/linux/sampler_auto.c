/* SPDX-License-Identifier: MIT */
/*
 * auto: the sampler that fits the memory that is watched, changed when that changes.
 *
 *     accessed-bits   every page told apart; a look costs in proportion to the pages
 *     damon           ranges only; costs the same however much there is
 *
 *     a look at all pages   < 1 s of CPU ............... 2 s <
 *     sampler               accessed-bits  (as before)  damon
 *
 * A look is what the pages that are resident cost each; 150 ns, a guess, where nothing was measured
 * yet, then what looks took here. The limit is not so much the share of a CPU, which both keep to
 * by looking more rarely: clearing the bits of a process holds its mmap_lock, so that its page
 * faults wait for as long, and looks that are minutes apart tell nothing. Two seconds are 50 GiB of
 * small pages at 150 ns; scouts (scout.h) watch between two looks.
 *
 * Nothing is made before it is wanted: where memory is small no kdamond exists. One that cannot be
 * made (somebody has one) or kept is tried again after a minute, and accessed-bits goes on
 * meanwhile.
 *
 * Cost: one small file per process every two seconds.
 */
#include <stdlib.h>

#include "base/error.h"
#include "linux/samplers.h"

#define PRICE_FIRST_PS 150000 /* per page and look */
#define MANY_NS	       (2 * NS_PER_S)
#define FEW_NS	       NS_PER_S
#define DECIDE_NS      (2 * NS_PER_S)
#define RETRY_NS       (60 * NS_PER_S)

struct automatic {
	struct live *live;
	const struct sampler_ops *ops; /* open now */
	void *sampler;
	uint64_t decided_ns, retry_ns;
	uint64_t price_ps; /* of a page in a look of accessed-bits */
	uint64_t cost_ns;  /* of the look that goes on */
	bool is_amid;	   /* more is waiting: not the time to change */
};

static int probe_auto(void *world, struct printbuf *err)
{
	return live_sampler_choose(world, err) ? 0 : -EOPNOTSUPP;
}

static void close_auto(void *sampler)
{
	struct automatic *automatic = sampler;
	if (!automatic)
		return;
	if (automatic->ops)
		automatic->ops->close(automatic->sampler);
	free(automatic);
}

static int open_auto(void *world, void **ret_sampler, struct printbuf *err)
{
	const struct sampler_ops *ops = live_sampler_choose(world, err);
	struct automatic *automatic = ops ? calloc(1, sizeof(*automatic)) : NULL;
	if (!ops)
		return -EOPNOTSUPP;
	if (!automatic)
		return error_set(err, -ENOMEM, "out of memory");
	automatic->live = world;
	automatic->price_ps = PRICE_FIRST_PS;
	int error = ops->open(world, &automatic->sampler, err);
	if (error) {
		close_auto(automatic);
		return error;
	}
	automatic->ops = ops;
	*ret_sampler = automatic;
	return 0;
}

/* True: the other one is open. What was open is closed only then. */
static bool change_to(struct automatic *automatic, const struct sampler_ops *ops)
{
	void *sampler;
	if (ops->probe(automatic->live, NULL) < 0 || ops->open(automatic->live, &sampler, NULL) < 0)
		return false;
	automatic->ops->close(automatic->sampler);
	automatic->ops = ops;
	automatic->sampler = sampler;
	automatic->cost_ns = 0;
	return true;
}

static uint64_t resident_pages(struct live *live)
{
	uint64_t nr_pages = 0;
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		nr_pages += live_space(live, i) ? live_resident_pages(live, i) : 0;
	return nr_pages;
}

const struct sampler_ops *live_sampler_fitting(const struct sampler_ops *open, uint64_t nr_pages,
					       uint64_t price_ps)
{
	uint64_t look_ns = nr_pages * price_ps / 1000;
	if (open == &live_sampler_accessed && look_ns > MANY_NS)
		return &live_sampler_damon;
	if (open == &live_sampler_damon && look_ns < FEW_NS)
		return &live_sampler_accessed;
	return open;
}

static void decide(struct automatic *automatic, uint64_t now_ns)
{
	const struct sampler_ops *ops = automatic->ops;
	const struct sampler_ops *wanted = live_sampler_fitting(
		ops, resident_pages(automatic->live), automatic->price_ps);
	automatic->decided_ns = now_ns;
	if (wanted != ops && now_ns >= automatic->retry_ns && !change_to(automatic, wanted))
		automatic->retry_ns = now_ns + RETRY_NS;
}

/* A look is over when its last pages were told. */
static void learn_price(struct automatic *automatic, uint64_t cost_ns, bool is_over)
{
	automatic->cost_ns += cost_ns;
	if (automatic->ops != &live_sampler_accessed || !is_over)
		return;
	uint64_t nr_pages = resident_pages(automatic->live);
	if (nr_pages > 0)
		automatic->price_ps =
			(automatic->price_ps * 3 + automatic->cost_ns * 1000 / nr_pages) / 4;
	automatic->cost_ns = 0;
}

static int poll_auto(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct automatic *automatic = sampler;
	if (!automatic->is_amid && now_ns - automatic->decided_ns >= DECIDE_NS)
		decide(automatic, now_ns);
	uint64_t before_ns = automatic->live->sampling_ns;
	uint32_t nr_before = batch->nr;
	int more = automatic->ops->poll(automatic->sampler, now_ns, batch);
	if (more < 0 && automatic->ops == &live_sampler_damon &&
	    change_to(automatic, &live_sampler_accessed)) {
		automatic->retry_ns = now_ns + RETRY_NS;
		more = 0;
	}
	bool is_over = more == 0 && (batch->nr > nr_before || automatic->is_amid);
	automatic->is_amid = more == 1;
	learn_price(automatic, automatic->live->sampling_ns - before_ns, is_over);
	return more;
}

const struct sampler_ops live_sampler_auto = {
	.name = "auto",
	.summary = "accessed-bits, or damon where there is too much memory for it",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, false },
	.probe = probe_auto,
	.open = open_auto,
	.poll = poll_auto,
	.close = close_auto,
};
