/* SPDX-License-Identifier: MIT */
/* The pace of a kdamond (damon_pace.h). */
#include "linux/damon_pace.h"

#define SAMPLE_MAX_US 100000
#define REGIONS_LEAST 50
#define REGIONS_FIRST 200
#define REGIONS_MAX   1000
#define ADAPT_NS      (2 * NS_PER_S)
#define WHOLE_BP      10000
#define USED_MANY_BP  2500
#define USED_FEW_BP   156 /* 1/64 */

void damon_pace_init(struct damon_pace *pace)
{
	*pace = (struct damon_pace){ .sample_us = DAMON_SAMPLE_MIN_US,
				     .max_regions = REGIONS_FIRST };
}

void damon_pace_begin(struct damon_pace *pace, uint64_t now_ns, uint64_t cpu_ns)
{
	pace->from_ns = now_ns;
	pace->from_cpu_ns = cpu_ns;
}

/* Of the checks of all pages, per ten thousand, those that found a page used. */
static uint64_t used_bp(const struct damon_snapshot *snapshot)
{
	uint64_t pages = 0, hits = 0;
	for (uint32_t i = 0; i < snapshot->nr; i++) {
		const struct damon_region *region = &snapshot->items[i];
		pages += region->end - region->first;
		hits += (region->end - region->first) * MIN(region->hits, DAMON_CHECKS);
	}
	return pages ? hits * WHOLE_BP / (pages * DAMON_CHECKS) : 0;
}

/* As long as it takes for some of the memory to be used, but not for all of it. */
static uint64_t fitting_us(const struct damon_pace *pace, const struct damon_snapshot *snapshot)
{
	uint64_t bp = used_bp(snapshot);
	uint64_t us = bp > USED_MANY_BP	 ? pace->sample_us / 2
		      : bp < USED_FEW_BP ? pace->sample_us * 2
					 : pace->sample_us;
	return MIN(MAX(us, DAMON_SAMPLE_MIN_US), SAMPLE_MAX_US);
}

bool damon_pace_adapt(struct damon_pace *pace, const struct damon_snapshot *snapshot,
		      uint64_t now_ns, uint64_t cpu_ns, uint64_t share_bp)
{
	uint64_t passed_ns = now_ns - pace->from_ns;
	if (snapshot->nr == 0 || passed_ns < ADAPT_NS)
		return false;
	uint64_t nr_checks = passed_ns / (pace->sample_us * NS_PER_US) * snapshot->nr;
	uint64_t check_ns = MAX((cpu_ns - pace->from_cpu_ns) / MAX(nr_checks, 1), 1);
	uint64_t share_ns = NS_PER_S / WHOLE_BP * share_bp;
	uint64_t us = fitting_us(pace, snapshot), fitting = share_ns / check_ns * us / 1000000;
	if (fitting < REGIONS_LEAST) { /* too few to tell much: more rarely, then */
		us = MIN(us * REGIONS_LEAST / MAX(fitting, 1), SAMPLE_MAX_US);
		fitting = REGIONS_LEAST;
	}
	uint32_t max = (uint32_t)MIN(fitting, REGIONS_MAX);
	damon_pace_begin(pace, now_ns, cpu_ns);
	bool is_same = us * 2 <= pace->sample_us * 3 && us * 3 >= pace->sample_us * 2 &&
		       max <= pace->max_regions * 2 && max * 2 >= pace->max_regions;
	if (is_same)
		return false;
	pace->sample_us = us;
	pace->max_regions = max;
	return true;
}
