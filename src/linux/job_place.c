/* SPDX-License-Identifier: MIT */
/* Writing where a job may run: into its cpuset, or into its threads' affinity (job.h). */
#include "base/error.h"
#include "linux/job.h"
#include "linux/undo.h"

/* A cpuset that is not what was written last was written by somebody else; fewer CPUs, because some
 * went offline or a group above lost them, is the kernel's doing. */
static bool was_rewritten(const struct job *job)
{
	struct set now = SET_EMPTY;
	const struct journal_change *change = &job->journal.changes[job->change];
	if (!job->has_written || cgroup_get_cpus(job->root, &job->group, &now) < 0)
		return false;
	bool is_foreign = !set_is_subset(&now, &job->allowed) ||
			  (!undo_mask_is_known(change, &now, &job->online) &&
			   set_is_subset(&now, &job->online));
	set_fini(&now);
	return is_foreign;
}

static int place_cgroup(struct job *job, const char *list, struct printbuf *err)
{
	int error = cgroup_set_cpus(job->root, &job->group, list);
	if (error)
		return error_set(err, error, "cpuset of /%s: %s", job->group.path,
				 error_text(error));
	job->has_written = true;
	return 0;
}

/* Threads with a mask that is neither the one at the start nor one of berth's chose it. */
static bool is_ours(const struct job *job, pid_t tid)
{
	struct set mask;
	if (affinity_get(tid, &mask) < 0)
		return false;
	bool is = undo_mask_is_known(&job->journal.changes[job->change], &mask, &job->online) ||
		  (!job->has_written && set_is_equal(&mask, &job->original));
	set_fini(&mask);
	return is;
}

static int place_threads(struct job *job, struct printbuf *err)
{
	struct task_list processes = { 0 };
	int error = process_tree(job->root, job->child.pid, &processes), refused = 0;
	for (size_t i = 0; !error && i < processes.nr; i++) {
		struct task_list threads = { 0 };
		if (process_threads(job->root, processes.items[i], &threads) < 0)
			continue;
		for (size_t j = 0; j < threads.nr; j++) {
			int status = is_ours(job, threads.items[j])
					     ? affinity_set(threads.items[j], &job->mask)
					     : 0;
			if (status == -EPERM || status == -EINVAL)
				refused = status;
		}
		task_list_fini(&threads);
	}
	task_list_fini(&processes);
	job->has_written = true;
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
	if (job->is_backed_off)
		return 0;
	if (job->uses_cgroup && was_rewritten(job)) {
		job->is_backed_off = true;
		return 0;
	}
	set_to_text(&list, &job->mask);
	int error = journal_add_value(&job->journal, job->change, printbuf_str(&list), err);
	if (error)
		return error;
	return job->uses_cgroup ? place_cgroup(job, printbuf_str(&list), err)
				: place_threads(job, err);
}
