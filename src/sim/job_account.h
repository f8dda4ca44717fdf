/* SPDX-License-Identifier: MIT */
/*
 * Several jobs on one simulated machine: whose pages lie where, and what each had of it.
 *
 *     recording of job 0: spaces 0 1 2 ...        space s of job j is space s x jobs + j here,
 *     recording of job 1: spaces 0 1 ...      --> so that space % jobs is the job
 *
 *     chunk of one job --> simulation: misses per node before and after --> the job's misses
 *     kernel: born, moved, freed       --> the job's pages in fast and in slow memory
 *     engine: who shares the memory?   --> policy_job: floor, cap, pages
 *
 * Floors and caps are what agents and the engine keep (policy.h); the kernels know none, so below
 * an agent first touches may pass a cap until the agent demotes.
 *
 * Cost: per chunk two sums of some dozen counters; per birth, move and end of a page O(1).
 */
#ifndef BERTH_SIM_JOB_ACCOUNT_H
#define BERTH_SIM_JOB_ACCOUNT_H

#include "sim/simulation.h"

struct job_account {
	struct simulation_watch watch; /* what the simulation is made with */
	struct stage_consumer inner;
	struct simulation *simulation;
	const struct stage *stage;
	uint32_t nr_jobs;
	struct policy_job *jobs; /* as the engine is told */
	struct sim_job_figures *figures;
	uint32_t *job_of;   /* [space], of all there may be */
	uint32_t nr_spaces; /* seen so far */
};

int job_account_new(const struct sim_config *config, const struct stage *stage, uint32_t page_bytes,
		    struct job_account **ret);
struct job_account *job_account_free(struct job_account *account); /* NULL allowed */
/* As engine_config.look_jobs. */
int job_account_look(struct job_account *account, struct engine_jobs *ret);
/* WHEN: at the end: figures are complete then. */
void job_account_finish(struct job_account *account);

#endif
