/* SPDX-License-Identifier: MIT */
/* `berth run --tier`: a program whose memory is placed (linux/tier.h). */
#ifndef BERTH_CLI_RUN_TIER_H
#define BERTH_CLI_RUN_TIER_H

#include "cli/options.h"
#include "engine/engine.h"
#include "linux/job.h"

struct run_tier_options { /* a part of `berth run`'s */
	bool is_wanted;
	const char *policy, *sampler, *mover, *advice, *machine, *report;
	uint64_t rate_bytes, floor_bytes, cap_bytes;
	enum output_format format; /* of the report */
};

/* --policy: NAME or NAME:key=value,... into TUNABLES_MAX values. Returns an exit status. */
int run_tier_policy(const char *spec, const struct policy_ops **ret, uint64_t *values);
/* --sampler: names that there are, at most `max`; NULL: the best. Returns an exit status. */
int run_tier_check_sampler(const char *names, uint32_t max);
struct engine_budget run_tier_budget(const struct run_tier_options *options);
/* Returns the exit status. */
int run_tier(const struct run_tier_options *options, const struct job_wish *cpus, char **arguments);

#endif
