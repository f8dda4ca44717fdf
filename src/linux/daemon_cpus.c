/* SPDX-License-Identifier: MIT */
/* Where the threads of a daemon's job run (daemon_cpus.h). */
#include "linux/daemon_cpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "linux/undo.h"

#define PLACE_ROUNDS 16
#define QUIET_LOOKS  8
#define QUIET_MAX_MS 1000

static int list_processes(void *context, size_t max, struct task_list *ret, bool *ret_has_more)
{
	const struct daemon_cpus *cpus = context;
	struct task_list list = { 0 };
	int error = 0;
	for (size_t i = 0; i < cpus->nr && i < max && !error; i++)
		error = task_list_add(&list, cpus->processes[i].pid);
	*ret = list;
	*ret_has_more = cpus->nr > max;
	return error;
}

/* A thread that has the original mask of its process, or one that berth wrote: 1, 0, or -ENOMEM. */
static int is_to_move(const struct daemon_cpus *cpus, const struct journal_change *change,
		      const struct set *original, pid_t tid)
{
	struct set mask;
	int error = affinity_get(tid, &mask);
	if (error)
		return error == -ENOMEM ? error : 0;
	int is = set_is_equal(&mask, original);
	if (!is)
		is = undo_mask_is_known(change, &mask, &cpus->job.online);
	if (is > 0)
		is = !set_is_equal(&mask, &cpus->job.mask);
	set_fini(&mask);
	return is;
}

static bool is_same(const struct daemon_cpus *cpus, const struct cpus_process *process)
{
	uint64_t start_ticks = 0;
	return process_start_ticks(cpus->root, process->pid, &start_ticks) == 0 &&
	       start_ticks == process->start_ticks;
}

/* How many threads were given the mask, or -ENOMEM. */
static int place_threads(struct daemon_cpus *cpus, const struct cpus_process *process,
			 const struct set *original)
{
	const struct journal_change *change = &cpus->journal->changes[process->change];
	struct task_list threads = { 0 };
	int nr = 0, error = process_threads(cpus->root, process->pid, &threads);
	if (error)
		return error == -ENOMEM ? error : 0;
	for (size_t i = 0; i < threads.nr && !error; i++) {
		int is = is_to_move(cpus, change, original, threads.items[i]);
		if (is > 0)
			nr += affinity_set(threads.items[i], &cpus->job.mask) == 0;
		error = MIN(is, 0);
	}
	task_list_fini(&threads);
	return error ? error : nr;
}

static int place_process(struct daemon_cpus *cpus, struct cpus_process *process,
			 struct printbuf *err)
{
	struct set original = SET_EMPTY;
	PRINTBUF(list);
	set_to_text(&list, &cpus->job.mask);
	process->has_failed = true;
	if (printbuf_has_error(&list))
		return -ENOMEM;
	int error = journal_add_value(cpus->journal, process->change, printbuf_str(&list), err);
	if (!error)
		error = set_parse(cpus->journal->changes[process->change].original, &original);
	/* Threads that are born meanwhile of one that is not placed yet: again. */
	int nr = 1;
	for (int round = 0; !error && nr && round < PLACE_ROUNDS && is_same(cpus, process);
	     round++) {
		nr = place_threads(cpus, process, &original);
		error = MIN(nr, 0);
	}
	set_fini(&original);
	process->has_failed = nr != 0; /* or it ended meanwhile: then it is not met again */
	return error;
}

static int place(void *context, struct job *job, struct printbuf *err)
{
	struct daemon_cpus *cpus = context;
	int first = 0;
	for (size_t i = 0; cpus->journal && i < cpus->nr; i++) {
		int error = place_process(cpus, &cpus->processes[i], first ? NULL : err);
		first = first ? first : error;
	}
	return first;
}

static int copy_wish(const struct config_job *config, const struct set *prefer,
		     struct job_wish *ret)
{
	ret->soft = (struct soft_job){ config->spill_at_bp, config->max_distance,
				       SOFT_PATIENCE_NS };
	int error = set_copy(&ret->prefer, prefer);
	return error ? error : set_copy(&ret->allow, &config->allow);
}

int daemon_cpus_new(const struct root *root, struct journal *journal,
		    const struct config_job *config, const struct daemon_cpus_wish *wish,
		    struct daemon_cpus **ret, struct printbuf *err)
{
	PRINTBUF(why);
	struct daemon_cpus *cpus = calloc(1, sizeof(*cpus));
	if (!cpus)
		return error_set(err, -ENOMEM, "out of memory");
	cpus->root = root;
	cpus->journal = journal;
	cpus->holder = (struct job_holder){ cpus, list_processes, place };
	int error = copy_wish(config, wish->prefer, &cpus->wish);
	cpus->wish.engine = journal ? wish->engine : NULL; /* a dry run loads nothing */
	if (!error)
		error = job_adopt(&cpus->job, root, &cpus->wish, &cpus->holder, wish->tell, &why);
	if (error) {
		error_set(err, error, "job %s: %s", config->name, printbuf_str(&why));
		daemon_cpus_free(cpus);
		return error;
	}
	*ret = cpus;
	return 0;
}

/* A mask that berth wrote for another process of the job: this is its child. */
static int find_inherited(const struct daemon_cpus *cpus, const struct set *mask,
			  struct printbuf *ret_original)
{
	int is_known = 0;
	for (size_t i = 0; i < cpus->nr && !is_known; i++) {
		const struct journal_change *change =
			&cpus->journal->changes[cpus->processes[i].change];
		is_known = undo_mask_is_known(change, mask, &cpus->job.online);
		if (is_known > 0)
			prt_str(ret_original, change->original);
	}
	return is_known;
}

/* Its mask is written down before anything is done to it. */
static int note_process(struct daemon_cpus *cpus, struct cpus_process *process,
			struct printbuf *err)
{
	PRINTBUF(object);
	PRINTBUF(original);
	struct set mask;
	int error = affinity_get(process->pid, &mask);
	if (error)
		return error;
	int inherited = find_inherited(cpus, &mask, &original);
	if (inherited == 0)
		set_to_text(&original, &mask);
	set_fini(&mask);
	prt_printf(&object, "%d:%llu", process->pid, (unsigned long long)process->start_ticks);
	if (inherited < 0 || printbuf_has_error(&original) || printbuf_has_error(&object))
		return -ENOMEM; /* what cannot be undone is not done */
	return journal_add_change(cpus->journal, UNDO_PROCESS, printbuf_str(&object),
				  printbuf_str(&original), &process->change, err);
}

static int hold_process(struct daemon_cpus *cpus, struct cpus_process *process,
			struct printbuf *err)
{
	process->has_failed = false;
	int error = cpus->journal ? place_process(cpus, process, err) : 0;
	if (!error && cpus->job.engine->take)
		error = cpus->job.engine->take(&cpus->job, process->pid, err);
	process->has_failed |= error != 0;
	return error;
}

static int add_process(struct daemon_cpus *cpus, const struct live_wanted *wanted,
		       struct printbuf *err)
{
	struct cpus_process process = { wanted->pid, wanted->start_ticks, 0, true, false };
	if (cpus->nr == cpus->max) {
		size_t max = MAX(cpus->max * 2, 16);
		struct cpus_process *processes = realloc(cpus->processes, max * sizeof(*processes));
		if (!processes)
			return -ENOMEM;
		cpus->processes = processes;
		cpus->max = max;
	}
	if (cpus->nr == DAEMON_CPUS_MAX)
		return -E2BIG;
	int error = cpus->journal ? note_process(cpus, &process, err) : 0;
	if (error)
		return error;
	cpus->processes[cpus->nr++] = process;
	return hold_process(cpus, &cpus->processes[cpus->nr - 1], err);
}

static void give_back(struct daemon_cpus *cpus, const struct cpus_process *process)
{
	struct undo undo = { .root = cpus->root };
	if (cpus->journal)
		journal_undo_change(cpus->journal, process->change, &undo_ops, &undo, NULL);
}

static void drop(struct daemon_cpus *cpus, const struct cpus_process *process)
{
	if (cpus->job.engine->leave && is_same(cpus, process))
		cpus->job.engine->leave(&cpus->job, process->pid);
	give_back(cpus, process);
}

static struct cpus_process *find_process(struct daemon_cpus *cpus, const struct live_wanted *wanted)
{
	for (size_t i = 0; i < cpus->nr; i++)
		if (cpus->processes[i].pid == wanted->pid &&
		    cpus->processes[i].start_ticks == wanted->start_ticks)
			return &cpus->processes[i];
	return NULL;
}

/* Children of one that leaves get its mask too: those of them that stay are placed again. */
static int drop_missing(struct daemon_cpus *cpus, struct printbuf *err)
{
	size_t kept = 0, nr = cpus->nr;
	for (size_t i = 0; i < cpus->nr; i++)
		if (cpus->processes[i].is_there)
			cpus->processes[kept++] = cpus->processes[i];
		else
			drop(cpus, &cpus->processes[i]);
	cpus->nr = kept;
	return kept < nr ? place(cpus, &cpus->job, err) : 0;
}

/* One that cannot be held (it has just ended, the journal is full) is not: the others are. */
int daemon_cpus_update(struct daemon_cpus *cpus, const struct live_wanted *wanted, size_t nr,
		       uint32_t job, struct printbuf *err)
{
	int first = 0;
	for (size_t i = 0; i < cpus->nr; i++)
		cpus->processes[i].is_there = false;
	cpus->nr_unheld = 0;
	for (size_t i = 0; i < nr; i++) {
		struct cpus_process *process = wanted[i].job == job ? find_process(cpus, &wanted[i])
								    : NULL;
		if (process)
			process->is_there = true;
		if ((process && !process->has_failed) || wanted[i].job != job)
			continue;
		int error = process ? hold_process(cpus, process, first ? NULL : err)
				    : add_process(cpus, &wanted[i], first ? NULL : err);
		bool has_ended = error == -ESRCH || error == -ENOENT;
		cpus->nr_unheld += error && !has_ended;
		first = first || has_ended ? first : error;
	}
	int error = drop_missing(cpus, first ? NULL : err);
	return first ? first : error;
}

int daemon_cpus_look(struct daemon_cpus *cpus, uint64_t now_ns, struct printbuf *err)
{
	struct job_pace pace = { 2000, false };
	int error = job_look(&cpus->job, &pace, err);
	bool is_quiet = cpus->job.is_quiet && !pace.until_pressure;
	cpus->nr_quiet = is_quiet ? MIN(cpus->nr_quiet + 1, QUIET_LOOKS) : 0;
	/* No trigger tells that its tasks wait: seldom, when it does nothing for long. */
	if (cpus->nr_quiet > 0)
		pace.wait_ms = MAX(pace.wait_ms, MIN(pace.wait_ms << cpus->nr_quiet, QUIET_MAX_MS));
	cpus->due_ns = now_ns + (uint64_t)MAX(pace.wait_ms, 1) * NS_PER_MS;
	cpus->until_pressure = pace.until_pressure;
	return error;
}

struct daemon_cpus *daemon_cpus_free(struct daemon_cpus *cpus)
{
	if (!cpus)
		return NULL;
	for (size_t i = 0; i < cpus->nr; i++)
		give_back(cpus, &cpus->processes[i]);
	if (cpus->job.root)
		job_release(&cpus->job);
	set_fini(&cpus->wish.prefer);
	set_fini(&cpus->wish.allow);
	free(cpus->processes);
	free(cpus);
	return NULL;
}
