/* SPDX-License-Identifier: MIT */
/*
 * The samplers that look at real programs, best first: what `auto` tries in turn and `berth doctor`
 * lists. Their world (the `world` of probe and open) is a struct live; one without processes is
 * enough for probe, which changes nothing.
 */
#ifndef BERTH_LINUX_SAMPLERS_H
#define BERTH_LINUX_SAMPLERS_H

#include "engine/engine.h"
#include "linux/live.h"
#include "policy/sampler.h"

extern const struct sampler_ops *const live_samplers[]; /* NULL-terminated */

extern const struct sampler_ops live_sampler_accessed;
extern const struct sampler_ops live_sampler_damon;
extern const struct sampler_ops live_sampler_damon_physical;
extern const struct sampler_ops live_sampler_hardware;
extern const struct sampler_ops live_sampler_hint_faults;

/* Beside others, for the daemon: not in the list above, since it tells nothing of use. */
extern const struct sampler_ops live_sampler_census;

const struct sampler_ops *live_sampler_find(const char *name); /* NULL when there is none */
/* What is open where nothing was named: not in the list above, it chooses from it as it goes. */
extern const struct sampler_ops live_sampler_auto;
/* Which of two that are exchanged fits so many pages, at the price of a look at one: `open`, or the
 * other. */
const struct sampler_ops *live_sampler_fitting(const struct sampler_ops *open, uint64_t nr_pages,
					       uint64_t price_ps);
#define LIVE_SAMPLERS_MAX (ENGINE_SAMPLERS_MAX - 1) /* the census has a place of its own */
/* The samplers of a list of names, "accessed-bits,damon", or `auto`. -EINVAL: no such sampler, too
 * many, or one twice. */
int live_samplers_parse(const char *names, const struct sampler_ops **ret, uint32_t max,
			uint32_t *ret_nr, struct printbuf *err);
/* The first that works here. NULL: none, and `err` says of each why not. */
const struct sampler_ops *live_sampler_choose(struct live *live, struct printbuf *err);

#endif
