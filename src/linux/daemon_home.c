/* SPDX-License-Identifier: MIT */
/*
 * Threads by their pages: jobs of the daemon that prefer no CPUs, and whose pages cannot be moved
 * to where it would be better, prefer the CPUs of the node that is nearest to their pages.
 *
 *     pages cannot be moved      memory is not placed here (one tier), or the job is at its cap,
 *                                or there is no fast memory left, or it is left alone
 *     nearest                    home_by_pages(): a tenth sooner than from all CPUs
 *     twice in a row             then its threads are at home there, softly: they borrow other CPUs
 *                                as those of any job do, and come home
 *
 * Only on machines with CPUs on two nodes at least. What is decided lasts until two looks say
 * otherwise.
 *
 * Cost: a look reads numa_maps of the jobs' processes, which walks their page tables; it rests
 * HOME_REST times as long as it took, HOME_EVERY_NS at least; the look that is to confirm one comes
 * after HOME_EVERY_NS.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/daemon.h"
#include "policy/home.h"

#define HOME_EVERY_NS (5 * NS_PER_S)
#define HOME_REST     200
#define HOME_LOOKS    2 /* in a row that agree */

const struct set *daemon_home(const struct daemon_job *job)
{
	if (!job->config)
		return NULL;
	if (!set_is_empty(&job->config->prefer))
		return &job->config->prefer;
	return set_is_empty(&job->by_pages.cpus) ? NULL : &job->by_pages.cpus;
}

static bool has_sides(const struct machine *machine)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr += !set_is_empty(&machine->nodes[i].cpus);
	return nr > 1;
}

static bool can_move(const struct daemon *daemon, uint32_t number)
{
	const struct placer *placer = daemon->placer;
	if (!placer || number >= placer->nr_jobs)
		return false;
	const struct policy_job *job = &placer->jobs[number];
	bool is_at_cap = job->cap_pages != UINT64_MAX &&
			 job->fast_pages >= job->cap_pages - job->cap_pages / 8;
	return !is_at_cap && !job->is_left_alone && placer->fast_free_pages > 0;
}

static bool is_asked(const struct daemon *daemon, uint32_t number)
{
	const struct daemon_job *job = &daemon->jobs[number];
	return job->config && set_is_empty(&job->config->prefer) && job->nr_processes > 0 &&
	       !daemon_job_is_let_go(job) && !can_move(daemon, number);
}

static uint32_t look_at(struct daemon *daemon, uint32_t number, const struct live_wanted *wanted,
			size_t nr, uint64_t *pages)
{
	memset(pages, 0, daemon->machine->nr_nodes * sizeof(*pages));
	if (!is_asked(daemon, number))
		return HOME_NONE;
	for (size_t i = 0; i < nr; i++)
		if (wanted[i].job == number)
			live_count_process(daemon->root, daemon->machine, wanted[i].pid, pages);
	return home_by_pages(daemon->machine, pages);
}

/* Its masks are given back, and written anew by the caller for the new home. */
static int settle(struct daemon *daemon, struct daemon_job *job, uint32_t node)
{
	struct daemon_by_pages *by_pages = &job->by_pages;
	struct set cpus = SET_EMPTY;
	int error = node == HOME_NONE ? 0 : set_copy(&cpus, &daemon->machine->nodes[node].cpus);
	if (error)
		return error;
	if (!set_is_empty(&job->config->allow))
		set_and(&cpus, &job->config->allow);
	job->cpus = daemon_cpus_free(job->cpus);
	set_fini(&by_pages->cpus);
	by_pages->cpus = cpus;
	by_pages->node = node;
	job->has_refused_cpus = false;
	return 0;
}

static uint32_t node_now(const struct daemon_by_pages *by_pages)
{
	return set_is_empty(&by_pages->cpus) ? HOME_NONE : by_pages->node;
}

/* Some job would be at home elsewhere, if the next look agrees. */
static bool is_in_doubt(const struct daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->nr_jobs; i++) {
		const struct daemon_by_pages *by_pages = &daemon->jobs[i].by_pages;
		if (by_pages->nr_looks == 1 && by_pages->wanted != node_now(by_pages))
			return true;
	}
	return false;
}

static int note_look(struct daemon *daemon, struct daemon_job *job, uint32_t node)
{
	struct daemon_by_pages *by_pages = &job->by_pages;
	bool is_new = by_pages->nr_looks == 0;
	uint32_t now = node_now(by_pages);
	by_pages->nr_looks = !is_new && by_pages->wanted == node ? by_pages->nr_looks + 1 : 1;
	by_pages->wanted = node;
	if (!job->config || now == node || by_pages->nr_looks < HOME_LOOKS)
		return 0;
	return settle(daemon, job, node);
}

int daemon_look_home(struct daemon *daemon, const struct live_wanted *wanted, size_t nr)
{
	uint64_t begun_ns = clock_thread_cpu_ns();
	int error = 0;
	if (clock_now_ns() < daemon->home_due_ns || !has_sides(daemon->machine))
		return 0;
	uint64_t *pages = calloc(daemon->machine->nr_nodes, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = 0; i < daemon->nr_jobs && !error; i++)
		error = note_look(daemon, &daemon->jobs[i], look_at(daemon, i, wanted, nr, pages));
	free(pages);
	uint64_t cost_ns = clock_thread_cpu_ns() - begun_ns;
	daemon->is_confirming = !daemon->is_confirming && is_in_doubt(daemon);
	uint64_t rest_ns = daemon->is_confirming ? 0 : cost_ns * HOME_REST;
	daemon->home_due_ns = clock_now_ns() + MAX(HOME_EVERY_NS, rest_ns);
	return error;
}
