/* SPDX-License-Identifier: MIT */
/* `berth sim --job`: recordings that share a machine, and what each had of it. */
#ifndef BERTH_CLI_SIM_JOBS_H
#define BERTH_CLI_SIM_JOBS_H

#include "base/json.h"
#include "sim/sim.h"

struct sim_jobs {
	struct sim_job_config configs[SIM_JOBS_MAX];
	char *names[SIM_JOBS_MAX]; /* of the configs */
	char *paths[SIM_JOBS_MAX];
	struct trace_reader *readers[SIM_JOBS_MAX];
	uint32_t nr;
	struct trace_info info; /* of the first, as far as it holds for all */
	struct printbuf title;	/* as they were given */
};

/* NAME=FILE[:floor=SIZE][:cap=SIZE]; -EINVAL with a sentence. */
int sim_jobs_parse(struct sim_jobs *jobs, const char *const *texts, size_t nr,
		   struct printbuf *err);
void sim_jobs_fini(struct sim_jobs *jobs);
/* All recordings from their beginning. */
int sim_jobs_open(struct sim_jobs *jobs, struct printbuf *err);
/* What they need together. Returns as sim_measure. */
int sim_jobs_measure(struct sim_jobs *jobs, struct sim_extent *ret);

void sim_jobs_to_text(struct printbuf *out, const struct sim_jobs *jobs, const struct sim_set *set);
void sim_jobs_to_csv(struct printbuf *out, const struct sim_jobs *jobs, const struct sim_set *set);
/* "jobs" of one result. */
void sim_jobs_to_json(struct json_writer *json, const struct sim_jobs *jobs,
		      const struct sim_set *set, size_t index);

#endif
