/* SPDX-License-Identifier: MIT */
/* The hint-fault sampler as the simulation drives it; sampler_hints.c has the picture. */
#ifndef BERTH_SIM_SAMPLER_HINTS_H
#define BERTH_SIM_SAMPLER_HINTS_H

#include "policy/sampler.h"

#define HINTS_PERIOD_NS NS_PER_S /* a whole pass, unless told otherwise */
#define HINTS_MAX	65536	 /* faults kept between two polls */

struct simulation;
struct hint_sampler;

extern const struct sampler_ops sampler_hint_faults, sampler_hint_faults_no_latency;

/* Room for the arming times of so many pages. 0 or -ENOMEM. */
int hint_sampler_grow(struct hint_sampler *hints, uint32_t nr_pages);
/* The page was armed and is used: disarms it and writes down the fault. */
void hint_sampler_fault(struct hint_sampler *hints, uint32_t page);
uint64_t hint_sampler_bytes(const struct hint_sampler *hints);

#endif
