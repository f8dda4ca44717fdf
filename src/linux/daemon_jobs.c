/* SPDX-License-Identifier: MIT */
/*
 * The daemon's jobs: which there are, who is in them, what each may have (daemon.h).
 *
 *     match_all (by pid) --> wanted[]: pid, start time, job --> live_watch_these    memory
 *                                                           \-> daemon_cpus_update  CPUs
 *     pages that each has --> shares --> placer_set_job
 *
 * Cost: match_all, some files of /proc per process of the machine; it rests SCAN_REST times as long
 * as it took, SCAN_MAX_NS at most. The rest grows with the jobs only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/daemon.h"
#include "linux/match.h"
#include "linux/process.h"
#include "linux/undo.h"

#define SCAN_NS	      (2 * NS_PER_S)
#define SCAN_MAX_NS   (10 * NS_PER_S)
#define SCAN_REST     100 /* times what a look for processes costs */
#define BURST_NS      (250 * NS_PER_MS)
#define JOURNAL_BYTES (64 * KIB) /* from which on it is written anew where that halves it */
#define SPACES_SPENT  (LIVE_MAX_SPACES / 4 * 3)

struct daemon_job *daemon_find_job(struct daemon *daemon, const char *name)
{
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		if (strcmp(daemon->jobs[i].name, name) == 0 && *name)
			return &daemon->jobs[i];
	return NULL;
}

static struct daemon_job *free_place(struct daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		if (!daemon->jobs[i].name[0])
			return &daemon->jobs[i];
	return daemon->nr_jobs < DAEMON_JOBS_MAX ? &daemon->jobs[daemon->nr_jobs++] : NULL;
}

void daemon_let_go(struct daemon *daemon, struct daemon_job *job)
{
	job->cpus = daemon_cpus_free(job->cpus);
	job->nr_processes = 0;
	daemon->scan_due_ns = 0; /* its processes are nobody's from the next one on */
}

/* CPUs that are other ones now are asked for anew. */
static bool has_same_cpus(const struct daemon_job *job, const struct config_job *config)
{
	const struct job_wish *wish = &job->cpus->wish;
	return set_is_equal(&wish->prefer, daemon_home(job)) &&
	       set_is_equal(&wish->allow, &config->allow) &&
	       wish->soft.spill_at_bp == config->spill_at_bp &&
	       wish->soft.max_distance == config->max_distance;
}

/* Jobs that the configuration does not name any more make room for those that are new. */
static void let_go_of_unnamed(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		daemon->jobs[i].config = NULL;
	for (size_t i = 0; i < config->nr_jobs; i++) {
		struct daemon_job *job = daemon_find_job(daemon, config->jobs[i].name);
		if (job)
			job->config = &config->jobs[i];
	}
	for (uint32_t i = 0; i < daemon->nr_jobs; i++) {
		struct daemon_job *job = &daemon->jobs[i];
		if (job->config || !job->name[0])
			continue;
		daemon_let_go(daemon, job);
		set_fini(&job->by_pages.cpus);
		*job = (struct daemon_job){ .config = NULL };
	}
}

int daemon_take_config(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	let_go_of_unnamed(daemon);
	for (size_t i = 0; i < config->nr_jobs; i++) {
		struct daemon_job *job = daemon_find_job(daemon, config->jobs[i].name);
		if (!job)
			job = free_place(daemon);
		if (!job)
			return -E2BIG;
		snprintf(job->name, sizeof(job->name), "%s", config->jobs[i].name);
		job->config = &config->jobs[i];
		job->has_refused_cpus = false;
		if (job->cpus && (!daemon_home(job) || !has_same_cpus(job, job->config)))
			job->cpus = daemon_cpus_free(job->cpus);
	}
	return 0;
}

/* Whose it is: he may see the job. */
static void note_owner(const struct daemon *daemon, struct daemon_job *job, pid_t pid)
{
	char path[32];
	struct stat status;
	snprintf(path, sizeof(path), "proc/%d", pid);
	if (fstatat(daemon->root->fd, path, &status, 0) < 0)
		return;
	for (uint32_t i = 0; i < job->nr_uids; i++)
		if (job->uids[i] == status.st_uid)
			return;
	if (job->nr_uids < DAEMON_UIDS_MAX)
		job->uids[job->nr_uids++] = status.st_uid;
}

/* Those of jobs that were not stopped, in the order of pids. */
static size_t take_matches(struct daemon *daemon, const struct match_list *list,
			   struct live_wanted *wanted)
{
	size_t nr = 0;
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		daemon->jobs[i].nr_processes = daemon->jobs[i].nr_uids = 0;
	for (size_t i = 0; i < list->nr; i++) {
		const struct match_found *found = &list->items[i];
		const char *name = daemon->config->jobs[found->job].name;
		struct daemon_job *job = daemon_find_job(daemon, name);
		if (!job)
			continue;
		job->nr_processes++;
		note_owner(daemon, job, found->process.pid);
		if (!daemon_job_is_let_go(job))
			wanted[nr++] = (struct live_wanted){ found->process.pid,
							     found->process.start_ticks,
							     (uint32_t)(job - daemon->jobs) };
	}
	return nr;
}

static struct placer_wish placer_wish_of(struct daemon *daemon)
{
	const struct config_daemon *config = &daemon->config->daemon;
	return (struct placer_wish){
		.policy = policy_find(config->policy),
		.sampler = config->sampler,
		.budget = { .bytes_per_s = config->move_rate_bytes_per_s,
			    .burst_ns = BURST_NS,
			    .cap_fast_bytes = UINT64_MAX },
		.sampling_share_bp = config->cpu_limit_bp,
		.is_share_fixed = true,
		.keeps_ledger = true,
		.is_dry = daemon->is_dry,
	};
}

/* Memory that cannot be placed here (one tier, no sampler): CPUs still can. */
static int start_memory(struct daemon *daemon)
{
	PRINTBUF(why);
	struct placer_wish wish = placer_wish_of(daemon);
	placer_forgo_huge_pages();
	int error = placer_new(daemon->root, daemon->machine, &wish, &daemon->placer, &why);
	/* One job more than there are: the placer then counts the pages of each. */
	if (!error)
		error = placer_set_job(daemon->placer, MAX(daemon->nr_jobs, 1), 0, UINT64_MAX);
	if (!error)
		error = placer_start(daemon->placer, daemon->is_dry ? NULL : &daemon->journal,
				     &why);
	if (error) {
		snprintf(daemon->why_no_memory, sizeof(daemon->why_no_memory), "%s",
			 *printbuf_str(&why) ? printbuf_str(&why) : error_text(error));
		daemon_stop_memory(daemon);
		daemon->retry_ns = clock_now_ns() + 60 * NS_PER_S;
		return error;
	}
	daemon->why_no_memory[0] = '\0';
	daemon->placer_due_ns = 0;
	return 0;
}

/* Changes that hold masks stay: only those of samplers, movers and the kernel's own are undone. */
void daemon_stop_memory(struct daemon *daemon)
{
	struct undo undo = { .root = daemon->root, .owner = daemon->self };
	daemon->placer = placer_free(daemon->placer);
	for (uint32_t i = daemon->journal.nr_changes; i-- > 0;)
		if (strcmp(daemon->journal.changes[i].kind, UNDO_PROCESS) != 0)
			journal_undo_change(&daemon->journal, i, &undo_ops, &undo, NULL);
}

/* Fast memory that is not somebody else's; all of it before that was looked at. */
static uint64_t left_bytes(const struct daemon *daemon)
{
	const struct placer *placer = daemon->placer;
	uint64_t pages = placer ? placer->fast_free_pages : 0;
	for (uint32_t i = 0; placer && i < placer->nr_jobs; i++)
		pages += placer->jobs[i].fast_pages;
	return pages ? pages * daemon->machine->page_bytes : daemon->fast_bytes;
}

void daemon_set_shares(struct daemon *daemon)
{
	struct share shares[DAEMON_JOBS_MAX];
	const struct placer *placer = daemon->placer;
	uint32_t page_bytes = daemon->machine->page_bytes, at[DAEMON_JOBS_MAX];
	size_t nr = 0;
	for (uint32_t i = 0; i < daemon->nr_jobs; i++) {
		static const struct policy_job nothing;
		const struct policy_job *job = placer ? &placer->jobs[i] : &nothing;
		if (daemon->placer)
			placer_set_home(daemon->placer, i, daemon_home(&daemon->jobs[i]));
		if (!daemon->jobs[i].config)
			continue;
		at[nr] = i;
		shares[nr++] = (struct share){
			.config = daemon->jobs[i].config,
			.is_there = daemon->jobs[i].nr_processes &&
				    !daemon_job_is_let_go(&daemon->jobs[i]),
			.used_bytes = (job->fast_pages + job->slow_pages) * page_bytes,
		};
	}
	shares_compute(shares, nr, daemon->fast_bytes, left_bytes(daemon));
	for (size_t i = 0; i < nr; i++) {
		struct daemon_job *job = &daemon->jobs[at[i]];
		job->floor_bytes = shares[i].floor_bytes;
		job->cap_bytes = shares[i].cap_bytes;
		if (daemon->placer)
			placer_set_job(daemon->placer, at[i], job->floor_bytes, job->cap_bytes);
	}
}

static int place_memory(struct daemon *daemon, const struct live_wanted *wanted, size_t nr)
{
	bool is_spent = daemon->placer && daemon->placer->live.nr_spaces >= SPACES_SPENT;
	if (nr == 0 || is_spent) /* with its numbers used up it begins anew */
		daemon_stop_memory(daemon);
	if (!daemon->placer)
		daemon_set_shares(daemon);
	if (nr == 0)
		return 0;
	if (!daemon->placer && (clock_now_ns() < daemon->retry_ns || start_memory(daemon)))
		return 0;
	int error = live_watch_these(&daemon->placer->live, wanted, nr);
	if (!error)
		daemon_set_shares(daemon);
	return error;
}

static void place_cpus(struct daemon *daemon, uint32_t number, const struct live_wanted *wanted,
		       size_t nr)
{
	struct daemon_job *job = &daemon->jobs[number];
	struct journal *journal = daemon->is_dry ? NULL : &daemon->journal;
	bool wants = daemon_home(job) && !daemon_job_is_let_go(job) && job->nr_processes > 0 &&
		     !job->has_refused_cpus;
	if (!wants) {
		job->cpus = daemon_cpus_free(job->cpus);
		return;
	}
	PRINTBUF(why);
	bool is_scx = daemon->config->daemon.engine == CONFIG_ENGINE_SCX;
	const struct daemon_cpus_wish wish = { is_scx ? "scx" : NULL, daemon->wish->tell,
					       daemon_home(job) };
	if (!job->cpus)
		job->has_refused_cpus = daemon_cpus_new(daemon->root, journal, job->config, &wish,
							&job->cpus, &why) < 0;
	if (job->cpus)
		daemon_cpus_update(job->cpus, wanted, nr, number, &why);
	daemon_tell(daemon, printbuf_str(&why));
}

int daemon_scan(struct daemon *daemon, struct printbuf *err)
{
	struct match_list list = { 0 };
	uint64_t cpu_ns = clock_thread_cpu_ns();
	daemon_end_trials(daemon, clock_now_ns());
	int error = match_all(daemon->root, daemon->config, &list);
	struct live_wanted *wanted = error ? NULL : calloc(list.nr + 1, sizeof(*wanted));
	if (!error && !wanted)
		error = -ENOMEM;
	size_t nr = error ? 0 : take_matches(daemon, &list, wanted);
	if (!error)
		error = place_memory(daemon, wanted, nr);
	if (!error)
		error = daemon_look_home(daemon, wanted, nr);
	for (uint32_t i = 0; i < daemon->nr_jobs && !error; i++)
		place_cpus(daemon, i, wanted, nr);
	daemon->nr_processes = (uint32_t)nr;
	free(wanted);
	match_list_fini(&list);
	if (!daemon->is_dry && journal_compact(&daemon->journal, JOURNAL_BYTES, err))
		daemon_tell(daemon, printbuf_str(err));
	uint64_t cost_ns = clock_thread_cpu_ns() - cpu_ns;
	daemon->scanning_ns += cost_ns;
	daemon->nr_scans++;
	daemon->scan_due_ns = clock_now_ns() + MIN(MAX(SCAN_NS, cost_ns * SCAN_REST), SCAN_MAX_NS);
	return error ? error_set(err, error, "looking for processes: %s", error_text(error)) : 0;
}
