/* SPDX-License-Identifier: MIT */
/* How `berth sim` shows its results: text, JSON, CSV. */
#ifndef BERTH_CLI_SIM_OUTPUT_H
#define BERTH_CLI_SIM_OUTPUT_H

#include "base/table.h"
#include "sim/sim.h"

struct sim_jobs; /* cli/sim_jobs.h */

struct sim_output {
	const struct sim_set *set;
	const struct trace_info *info;
	const struct machine *machine;
	const char *path;
	const char *kernel; /* -K as given */
	uint64_t dilate, seed;
	uint64_t peak_pages;	     /* 0: not measured */
	unsigned columns;	     /* of text */
	const struct sim_jobs *jobs; /* NULL: one recording */
	bool is_default_machine;     /* sized from the recording because none was named */
};

void sim_output_to_text(struct printbuf *out, const struct sim_output *output);
void sim_output_to_json(struct printbuf *out, const struct sim_output *output);
void sim_output_to_csv(struct printbuf *out, const struct sim_output *output);

#endif
