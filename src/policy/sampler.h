/* SPDX-License-Identifier: MIT */
/*
 * The contract of a sampler: something that tells which pages were used.
 *
 *     probe (any time) -> open -> poll, poll, poll, ... -> close
 *
 * A sampler lives in a world (src/linux or src/sim); the engine drives it through these callbacks
 * and never looks inside. All callbacks run on the engine's thread. Errors are negative errno.
 */
#ifndef BERTH_POLICY_SAMPLER_H
#define BERTH_POLICY_SAMPLER_H

#include "base/printbuf.h"
#include "policy/sample.h"

struct sampler_provides {
	uint32_t bits;	      /* SAMPLE_BIT(kind) and SAMPLE_HAS_* */
	uint64_t grain_pages; /* smallest range one sample tells about */
	bool is_complete;     /* HITS: what a poll does not mention had no hit in any check */
};

struct sampler_ops {
	const char *name;    /* "accessed-bit" */
	const char *summary; /* one line */
	struct sampler_provides provides;

	/* Can it work here? 0, or -EOPNOTSUPP / -EPERM with one sentence why and the remedy in err.
	 * WHEN: at any time, also before or without open; must change nothing. */
	int (*probe)(void *world, struct printbuf *err);

	/* WHEN: once, before the first poll. `world` outlives the sampler. What it changes on the
	 * machine is journalled first. On failure nothing is left behind. */
	int (*open)(void *world, void **ret_sampler, struct printbuf *err);

	/* Appends what was seen since the last poll, at most batch->max - batch->nr samples, in
	 * an order that depends on nothing but what was seen.
	 * WHEN: every tick, again and again while it returns 1.
	 * Returns 1: the batch is full and more is waiting; 0: that was all; negative: failed, the
	 * samples appended before are good. */
	int (*poll)(void *sampler, uint64_t now_ns, struct sample_batch *batch);

	/* WHEN: once, after the last poll; NULL is allowed. Undoes what open changed. */
	void (*close)(void *sampler);
};

#endif
