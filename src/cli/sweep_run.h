/* SPDX-License-Identifier: MIT */
/* Running a sweep: workers, progress, and what is kept. */
#ifndef BERTH_CLI_SWEEP_RUN_H
#define BERTH_CLI_SWEEP_RUN_H

#include "cli/sweep_db.h"

struct sweep_settings {
	const char *grid_path, *results_path;
	unsigned nr_workers;
	uint64_t memory_bytes; /* of all workers together */
};

/* Returns an exit status; everything it says goes to stderr. */
int sweep_run(const struct sweep_grid *grid, const struct sweep_settings *settings);

#endif
