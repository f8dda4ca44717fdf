/* SPDX-License-Identifier: MIT */
/*
 * The engine in the kernel (job_engine.h): a scheduler that asks the rule at every wake-up. What
 * is left to user space is to load it or join it, to mark the program before its exec, to read its
 * counters, and to load it again when CPUs came or went.
 *
 * Loaded again, the kernel has forgotten which tasks are the job's: they are found in its cgroup,
 * or among the program's descendants, and marked once more until a pass finds none that is new.
 */
#include <stdlib.h>

#include "base/error.h"
#include "linux/job.h"
#include "linux/scx.h"
#include "linux/scx_layout.h"

#define LOOK_MS	   1000 /* how soon an end of the scheduler is noticed */
#define MAX_PASSES 8

struct scx_job {
	struct scx *scx;
	struct scx_request request;
	struct scx_counts before; /* of schedulers that were replaced */
};

static int probe(const struct root *root, struct printbuf *err)
{
	return scx_probe(root, err);
}

static int fill(struct job *job, struct scx_job *own, struct printbuf *err)
{
	struct scx_job_wish wish = {
		.preferred = &job->rule.preferred,
		.allowed = &job->rule.allowed,
		.distances = job->distances,
		.nr_distances = (uint32_t)set_last(&job->allowed) + 1,
		.soft = job->wish->soft,
	};
	return scx_request_fill(&wish, &own->request, err);
}

static int open_and_add(struct job *job, struct scx_job *own, struct printbuf *err)
{
	int error = fill(job, own, err);
	if (!error)
		error = scx_open(job->root, &job->self, &own->scx, err);
	if (!error)
		error = scx_job_add(own->scx, &own->request, err);
	if (error) {
		scx_close(own->scx);
		own->scx = NULL;
	}
	return error;
}

/* Loading takes seconds and looks take a little: from where the job is at home. Refused (another
 * cpuset): from where berth may run. */
static void look_from(const struct job *job, const struct set *cpus)
{
	if (!job->holder)
		(void)affinity_set(0, cpus);
}

static int start(struct job *job, struct printbuf *err)
{
	struct scx_job *own = calloc(1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	look_from(job, &job->rule.preferred);
	int error = open_and_add(job, own, err);
	if (!error && !job->holder) {
		error = scx_task_add(own->scx, job->child.pid, &own->request);
		if (error)
			error_set(err, error, "the program cannot be marked for the scheduler: %s",
				  error_text(error));
	}
	if (error) {
		if (own->scx)
			scx_job_del(own->scx, own->request.slot);
		scx_close(own->scx);
		free(own);
		look_from(job, &job->original);
		return error;
	}
	job->engine_state = own;
	return 0;
}

static int add_of_group(const struct job *job, struct task_list *ret)
{
	PRINTBUF(path);
	char *text;
	prt_printf(&path, "%s/%s", job->group.path,
		   job->group.version == 2 ? "cgroup.threads" : "tasks");
	int error = root_read(job->root, printbuf_str(&path), &text);
	if (error)
		return error;
	for (char *at = text, *end; *at && !error; at = *end ? end + 1 : end) {
		pid_t tid = (pid_t)strtol(at, &end, 10);
		if (end == at)
			break;
		error = task_list_add(ret, tid);
	}
	free(text);
	return error;
}

static int threads_of(const struct job *job, const struct task_list *processes,
		      struct task_list *ret)
{
	int error = 0;
	for (size_t i = 0; i < processes->nr && !error; i++) {
		struct task_list threads = { NULL, 0 };
		error = process_threads(job->root, processes->items[i], &threads);
		error = error == -ENOENT || error == -ESRCH ? 0 : error;
		for (size_t j = 0; j < threads.nr && !error; j++)
			error = task_list_add(ret, threads.items[j]);
		task_list_fini(&threads);
	}
	return error;
}

/* In its cgroup, and below the program, which may have made groups of its own. */
static int find_tasks(struct job *job, struct task_list *ret)
{
	struct task_list processes = { NULL, 0 };
	bool has_more;
	if (job->uses_cgroup)
		add_of_group(job, ret);
	int error = job->holder ? job_processes(job, PROCESS_MAX_TASKS, &processes, &has_more)
				: process_tree(job->root, job->child.pid, &processes);
	if (!error)
		error = threads_of(job, &processes, ret);
	task_list_fini(&processes);
	return error;
}

static int mark(const struct scx_job *own, const struct task_list *tasks)
{
	int error = 0;
	for (size_t i = 0; i < tasks->nr && !error; i++) {
		error = scx_task_add(own->scx, tasks->items[i], &own->request);
		error = error == -ESRCH ? 0 : error;
	}
	return error;
}

/* A pass may miss what is forked meanwhile by a task that it has not reached. pid 0: all. */
static int mark_all(struct job *job, struct scx_job *own, pid_t pid)
{
	size_t nr_before = 0;
	int error = 0;
	for (int pass = 0; pass < MAX_PASSES && !error; pass++) {
		struct task_list tasks = { NULL, 0 };
		error = pid ? process_threads(job->root, pid, &tasks) : find_tasks(job, &tasks);
		if (!error)
			error = mark(own, &tasks);
		size_t nr = tasks.nr;
		task_list_fini(&tasks);
		if (nr <= nr_before)
			break;
		nr_before = nr;
	}
	return error;
}

static int take(struct job *job, pid_t pid, struct printbuf *err)
{
	struct scx_job *own = job->engine_state;
	int error = own->scx ? mark_all(job, own, pid) : 0;
	if (error == -ENOENT || error == -ESRCH)
		return -ESRCH;
	return error ? error_set(err, error, "pid %d cannot be marked for the scheduler: %s",
				 (int)pid, error_text(error))
		     : 0;
}

static void leave(struct job *job, pid_t pid)
{
	struct scx_job *own = job->engine_state;
	struct task_list tasks = { NULL, 0 };
	if (own->scx && process_threads(job->root, pid, &tasks) == 0)
		for (size_t i = 0; i < tasks.nr; i++)
			scx_task_del(own->scx, tasks.items[i]);
	task_list_fini(&tasks);
}

static void counts_add(struct scx_counts *to, const struct scx_counts *more)
{
	to->nr_preferred += more->nr_preferred;
	to->nr_spilled += more->nr_spilled;
	to->nr_held += more->nr_held;
	to->nr_called_home += more->nr_called_home;
	to->nr_evicted += more->nr_evicted;
}

static int reload(struct job *job, struct scx_job *own, struct printbuf *err)
{
	struct scx_counts last;
	if (own->scx && scx_counts_read(own->scx, own->request.slot, &last) == 0)
		counts_add(&own->before, &last);
	scx_close(own->scx);
	own->scx = NULL;
	int error = open_and_add(job, own, err);
	return error ? error : mark_all(job, own, 0);
}

static int look(struct job *job, struct job_pace *ret, struct printbuf *err)
{
	struct scx_job *own = job->engine_state;
	struct scx_counts seen;
	*ret = (struct job_pace){ LOOK_MS, false };
	job->is_quiet = true; /* the rule is asked without us */
	int error = scx_check(own->scx, err);
	if (error == -EAGAIN)
		error = reload(job, own, err);
	if (error)
		return -ENOTCONN;
	error = scx_counts_read(own->scx, own->request.slot, &seen);
	if (error)
		return 0;
	counts_add(&seen, &own->before);
	job->rule.counts.nr_looks = seen.nr_preferred + seen.nr_spilled + seen.nr_held;
	job->rule.counts.nr_held = seen.nr_held;
	job->rule.counts.nr_spilled = seen.nr_spilled;
	job->rule.counts.nr_called_home = seen.nr_called_home;
	job->rule.counts.nr_evicted = seen.nr_evicted;
	return 0;
}

static int change(struct job *job, struct printbuf *err)
{
	struct scx_job *own = job->engine_state;
	struct scx_request before = own->request;
	int error = fill(job, own, err);
	if (!error && scx_check(own->scx, NULL) == 0)
		error = scx_job_change(own->scx, &own->request, err);
	if (error)
		own->request = before;
	return error;
}

static void end(struct job *job)
{
	struct scx_job *own = job->engine_state;
	if (own->scx)
		scx_job_del(own->scx, own->request.slot);
	scx_close(own->scx);
	free(own);
	look_from(job, &job->original);
	job->engine_state = NULL;
}

const struct job_engine_ops job_engine_scx = {
	.name = "scx",
	.chooses_within_allowed = true,
	.probe = probe,
	.start = start,
	.look = look,
	.change = change,
	.take = take,
	.leave = leave,
	.end = end,
};
