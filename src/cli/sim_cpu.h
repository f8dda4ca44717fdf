/* SPDX-License-Identifier: MIT */
/* `berth sim --cpu`: jobs on a simulated scheduler, under CPU placement policies. */
#ifndef BERTH_CLI_SIM_CPU_H
#define BERTH_CLI_SIM_CPU_H

#include "cli/options.h"

struct sim_cpu_options {
	const struct option_list *jobs, *policies;
	const char *machine, *scheduler;
	uint64_t seed;
	enum output_format format;
};

/* Returns the exit status. */
int sim_cpu_run(const struct sim_cpu_options *options);

#endif
