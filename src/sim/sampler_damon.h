/* SPDX-License-Identifier: MIT */
/* The DAMON sampler as the simulation sees it; sampler_damon.c has the picture. */
#ifndef BERTH_SIM_SAMPLER_DAMON_H
#define BERTH_SIM_SAMPLER_DAMON_H

#include "policy/sampler.h"

/* 6.12's own (damon_sysfs, mm/damon/modules-common.h): 5 ms, 100 ms, 1 s, 10 to 1000 regions. */
#define DAMON_SAMPLE_NS	  (5 * NS_PER_MS)
#define DAMON_AGGR_NS	  (100 * NS_PER_MS)
#define DAMON_UPDATE_NS	  NS_PER_S
#define DAMON_MIN_REGIONS 10
#define DAMON_MAX_REGIONS 1000

struct damon_sampler;

extern const struct sampler_ops sampler_damon;
uint64_t damon_sampler_bytes(const struct damon_sampler *sampler);

#endif
