/* SPDX-License-Identifier: MIT */
/*
 * The samplers that look at real programs, best first: what `auto` tries in turn and `berth doctor`
 * lists. Their world (the `world` of probe and open) is a struct live; one without processes is
 * enough for probe, which changes nothing.
 */
#ifndef BERTH_LINUX_SAMPLERS_H
#define BERTH_LINUX_SAMPLERS_H

#include "linux/live.h"
#include "policy/sampler.h"

extern const struct sampler_ops *const live_samplers[]; /* NULL-terminated */

extern const struct sampler_ops live_sampler_accessed;
extern const struct sampler_ops live_sampler_damon;
extern const struct sampler_ops live_sampler_hint_faults;

const struct sampler_ops *live_sampler_find(const char *name); /* NULL when there is none */
/* The first that works here. NULL: none, and `err` says of each why not. */
const struct sampler_ops *live_sampler_choose(struct live *live, struct printbuf *err);

#endif
