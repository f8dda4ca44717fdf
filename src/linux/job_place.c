/* SPDX-License-Identifier: MIT */
/* Writing where a job may run: into its cpuset, or into its threads' affinity (job.h). */
#include "base/error.h"
#include "linux/job.h"
#include "linux/undo.h"

#define PLACE_ROUNDS 16

/* A value of berth's of which nothing is online: the kernel then takes the group above's. */
static bool has_offline_value(const struct journal_change *change, const struct set *online)
{
	bool is_offline = false;
	for (uint32_t i = 0; i < change->nr_values && !is_offline; i++) {
		struct set value = SET_EMPTY;
		if (set_parse(change->values[i], &value) < 0)
			continue;
		is_offline = !set_intersects(&value, online);
		set_fini(&value);
	}
	return is_offline;
}

/* A cpuset that is not what was written last was written by somebody else; fewer CPUs, because some
 * went offline or a group above lost them, is the kernel's doing. */
static bool was_rewritten(const struct job *job)
{
	struct set now = SET_EMPTY;
	const struct journal_change *change = &job->journal.changes[job->change];
	if (!job->has_written || cgroup_get_cpus(job->root, &job->group, &now) < 0)
		return false;
	bool is_foreign = !set_is_subset(&now, &job->allowed) ||
			  (undo_mask_is_known(change, &now, &job->online) == 0 &&
			   set_is_subset(&now, &job->online) &&
			   !has_offline_value(change, &job->online));
	set_fini(&now);
	return is_foreign;
}

static int place_cgroup(struct job *job, const char *list, struct printbuf *err)
{
	int error = cgroup_set_cpus(job->root, &job->group, list);
	if (error == -ENOENT || error == -ENODEV) {
		job->is_backed_off = true; /* somebody moved the program and removed the group */
		return 0;
	}
	if (error)
		return error_set(err, error, "cpuset of /%s: %s", job->group.path,
				 error_text(error));
	job->has_written = true;
	return 0;
}

/* Threads with a mask that is neither the one at the start nor one of berth's chose it; one that
 * was born while the first masks were written may have the one at the start. */
static bool is_to_move(const struct job *job, pid_t tid)
{
	struct set mask;
	if (affinity_get(tid, &mask) < 0)
		return false;
	const struct journal_change *change = &job->journal.changes[job->change];
	bool is = undo_mask_is_known(change, &mask, &job->online) > 0 ||
		  (!job->has_written && set_is_equal(&mask, &job->original));
	is = is && !set_is_equal(&mask, &job->mask);
	set_fini(&mask);
	return is;
}

int job_processes(struct job *job, size_t max, struct task_list *ret, bool *ret_has_more)
{
	struct task_list list = { 0 };
	if (job->holder)
		return job->holder->processes(job->holder->context, max, ret, ret_has_more);
	size_t max_threads = max < PROCESS_MAX_TASKS ? JOB_MAX_WAITERS : max;
	int status = job->uses_cgroup ? cgroup_processes(job->root, &job->group, max, &list)
				      : process_some_tree(job->root, job->child.pid, max,
							  max_threads, &list);
	*ret = list;
	*ret_has_more = status > 0;
	return MIN(status, 0);
}

/* How many threads were given the mask. */
static uint32_t place_process(struct job *job, pid_t pid, int *refused)
{
	struct task_list threads = { 0 };
	uint32_t nr_placed = 0;
	if (process_threads(job->root, pid, &threads) < 0)
		return 0;
	for (size_t i = 0; i < threads.nr; i++) {
		if (!is_to_move(job, threads.items[i]))
			continue;
		int status = affinity_set(threads.items[i], &job->mask);
		nr_placed += status == 0;
		if (status == -EPERM || status == -EINVAL)
			*refused = status;
	}
	task_list_fini(&threads);
	return nr_placed;
}

/* Threads that are born meanwhile of one that is not placed yet: again, until none is left. */
static int place_threads(struct job *job, struct printbuf *err)
{
	uint32_t nr_placed = 1;
	bool has_more;
	int error = 0, refused = 0;
	for (int round = 0; !error && nr_placed > 0 && round < PLACE_ROUNDS; round++) {
		struct task_list processes = { 0 };
		error = job_processes(job, PROCESS_MAX_TASKS, &processes, &has_more);
		nr_placed = 0;
		for (size_t i = 0; i < processes.nr; i++)
			nr_placed += place_process(job, processes.items[i], &refused);
		task_list_fini(&processes);
		job->has_written = true;
	}
	if (refused == -EINVAL && !job->is_released)
		return error_set(err, refused,
				 "none of the preferred CPUs is left to the program: the cpuset "
				 "that berth is in has been changed");
	if (refused == -EPERM)
		return error_set(err, refused,
				 "affinity of the program's threads: %s; berth needs CAP_SYS_NICE "
				 "for programs of other users",
				 error_text(refused));
	return error;
}

int job_place(struct job *job, struct printbuf *err)
{
	PRINTBUF(list);
	if (job->is_backed_off || job->engine == &job_engine_none)
		return 0;
	if (job->holder)
		return job->holder->place(job->holder->context, job, err);
	if (job->uses_cgroup && was_rewritten(job)) {
		job->is_backed_off = true;
		return 0;
	}
	set_to_text(&list, &job->mask);
	if (printbuf_has_error(&list))
		return -ENOMEM;
	int error = journal_add_value(&job->journal, job->change, printbuf_str(&list), err);
	if (error)
		return error;
	return job->uses_cgroup ? place_cgroup(job, printbuf_str(&list), err)
				: place_threads(job, err);
}
