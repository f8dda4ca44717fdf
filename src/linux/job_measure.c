/* SPDX-License-Identifier: MIT */
/* Measuring a job (job_measure.h). */
#include "linux/job_measure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "linux/job.h"

#define MAX_QUIET 16 /* processes whose clocks tell that nothing has run */

int job_meter_init(struct job *job)
{
	struct job_meter *meter = &job->meter;
	char path[PATH_MAX];
	meter->usage_fd = meter->pressure_fd = -1;
	meter->processes = calloc(JOB_MAX_PROCESSES, sizeof(*meter->processes));
	meter->waiters = calloc(JOB_MAX_WAITERS, sizeof(*meter->waiters));
	if (!meter->processes || !meter->waiters)
		return -ENOMEM;
	if (!job->uses_cgroup || job->group.version != 2)
		return 0;
	if (snprintf(path, sizeof(path), "%s/cpu.stat", job->group.path) < PATH_MAX)
		meter->usage_fd = rootfile_open(job->root, path, O_RDONLY);
	if (snprintf(path, sizeof(path), "%s/cpu.pressure", job->group.path) < PATH_MAX)
		meter->pressure_fd = rootfile_open(job->root, path, O_RDONLY);
	return 0;
}

void job_meter_fini(struct job_meter *meter)
{
	if (meter->usage_fd >= 0)
		close(meter->usage_fd);
	if (meter->pressure_fd >= 0)
		close(meter->pressure_fd);
	free(meter->processes);
	free(meter->waiters);
	*meter = (struct job_meter){ .usage_fd = -1, .pressure_fd = -1 };
}

/* The CPU clock of any process, without the check of clock_getcpuclockid(3). */
static uint64_t ran_ns_of(pid_t pid)
{
	clockid_t clock = (clockid_t)(~(unsigned int)pid << 3 | 2); /* all threads, precisely */
	struct timespec ran;
	if (clock_gettime(clock, &ran) < 0)
		return 0;
	return (uint64_t)ran.tv_sec * NS_PER_S + (uint64_t)ran.tv_nsec;
}

/* "usage_usec 4711" is the first line. */
static bool read_usage(const struct job_meter *meter, uint64_t *ret_ns)
{
	char text[64];
	unsigned long long usec;
	ssize_t nr = meter->usage_fd < 0 ? -1 : pread(meter->usage_fd, text, sizeof(text) - 1, 0);
	if (nr <= 0)
		return false;
	text[nr] = '\0';
	if (sscanf(text, "usage_usec %llu", &usec) != 1)
		return false;
	*ret_ns = usec * NS_PER_US;
	return true;
}

static uint64_t waited_ns_of(const struct root *root, pid_t pid, pid_t tid)
{
	char path[96], text[96], *end;
	snprintf(path, sizeof(path), "proc/%d/task/%d/schedstat", pid, tid);
	int fd = rootfile_open(root, path, O_RDONLY);
	ssize_t nr = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (nr <= 0)
		return 0;
	text[nr] = '\0';
	strtoull(text, &end, 10);
	return strtoull(end, NULL, 10);
}

static int compare_tasks(const void *a, const void *b)
{
	const struct job_task *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* What it has more than last time; all of it when it was not there, but at most `limit`. */
static uint64_t gain(const struct job_task *now, const struct job_task *before, size_t nr_before,
		     uint64_t limit)
{
	const struct job_task *old = bsearch(now, before, nr_before, sizeof(*before),
					     compare_tasks);
	uint64_t since = old && now->ns >= old->ns ? now->ns - old->ns : now->ns;
	return MIN(since, limit);
}

struct measuring {
	struct job *job;
	uint64_t window_ns, ran_ns, waited_ns;
	struct job_task processes[JOB_MAX_PROCESSES], waiters[JOB_MAX_WAITERS];
	size_t nr_processes, nr_waiters;
};

static void measure_waiters(struct measuring *at, pid_t pid)
{
	const struct job_meter *meter = &at->job->meter;
	pid_t threads[JOB_MAX_WAITERS];
	size_t nr = process_some_threads(at->job->root, pid, threads,
					 JOB_MAX_WAITERS - at->nr_waiters);
	for (size_t i = 0; i < nr; i++) {
		struct job_task task = { threads[i], waited_ns_of(at->job->root, pid, threads[i]) };
		at->waited_ns += gain(&task, meter->waiters, meter->nr_waiters, at->window_ns);
		at->waiters[at->nr_waiters++] = task;
	}
}

static void measure_process(struct measuring *at, pid_t pid)
{
	const struct job_meter *meter = &at->job->meter;
	struct job_task task = { pid, ran_ns_of(pid) };
	uint64_t ran_ns = gain(&task, meter->processes, meter->nr_processes, UINT64_MAX);
	at->processes[at->nr_processes++] = task;
	at->ran_ns += ran_ns;
	if (ran_ns > 0 && at->nr_waiters < JOB_MAX_WAITERS)
		measure_waiters(at, pid);
}

static void remember(struct job_meter *meter, struct measuring *at)
{
	qsort(at->processes, at->nr_processes, sizeof(*at->processes), compare_tasks);
	qsort(at->waiters, at->nr_waiters, sizeof(*at->waiters), compare_tasks);
	memcpy(meter->processes, at->processes, at->nr_processes * sizeof(*at->processes));
	memcpy(meter->waiters, at->waiters, at->nr_waiters * sizeof(*at->waiters));
	meter->nr_processes = at->nr_processes;
	meter->nr_waiters = at->nr_waiters;
}

/* Measured over more than this window where the last ones were not: as much of it as is due. */
static uint64_t take_waits(struct job_meter *meter, uint64_t waited_ns, uint64_t window_ns)
{
	uint64_t all_ns = window_ns + meter->unwaited_ns;
	meter->waited_bp = all_ns ? (uint32_t)(waited_ns * SOFT_ALL_BP / all_ns) : 0;
	bool is_one_window = meter->unwaited_ns == 0;
	meter->unwaited_ns = 0;
	meter->nr_unwaited = 0;
	return is_one_window ? waited_ns : window_ns / SOFT_ALL_BP * meter->waited_bp;
}

void job_measure(struct job *job, uint64_t window_ns, uint64_t *ret_ran_ns, uint64_t *ret_waited_ns)
{
	struct job_meter *meter = &job->meter;
	struct measuring at = { .job = job, .window_ns = window_ns + meter->unwaited_ns };
	struct task_list processes = { 0 };
	uint64_t usage_ns;
	job_processes(job, JOB_MAX_PROCESSES, &processes, &meter->has_more);
	for (size_t i = 0; i < processes.nr; i++)
		measure_process(&at, processes.items[i]);
	task_list_fini(&processes);
	if (read_usage(meter, &usage_ns)) {
		at.ran_ns = usage_ns > meter->usage_ns ? usage_ns - meter->usage_ns : 0;
		meter->usage_ns = usage_ns;
	}
	at.waited_ns -= MIN(at.waited_ns, meter->own_ns + meter->told_ns);
	meter->own_ns = meter->told_ns = 0;
	remember(meter, &at);
	*ret_ran_ns = at.ran_ns;
	*ret_waited_ns = take_waits(meter, at.waited_ns, window_ns);
}

bool job_peek_ran(const struct job *job, uint64_t *ret_ran_ns)
{
	const struct job_meter *meter = &job->meter;
	uint64_t usage_ns;
	if (!read_usage(meter, &usage_ns))
		return false;
	*ret_ran_ns = usage_ns > meter->usage_ns ? usage_ns - meter->usage_ns : 0;
	return true;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=4711" is the first line, in microseconds. */
static bool read_pressure(struct job_meter *meter, uint64_t *ret_since_ns)
{
	char text[160];
	ssize_t nr = meter->pressure_fd < 0 ? -1
					    : pread(meter->pressure_fd, text, sizeof(text) - 1, 0);
	if (nr <= 0)
		return false;
	text[nr] = '\0';
	const char *total = strstr(text, "total=");
	if (!total)
		return false;
	uint64_t now_ns = strtoull(total + strlen("total="), NULL, 10) * NS_PER_US;
	*ret_since_ns = now_ns > meter->pressure_ns ? now_ns - meter->pressure_ns : 0;
	meter->pressure_ns = now_ns;
	return true;
}

void job_take_peeked(struct job *job, uint64_t ran_ns, uint64_t window_ns, uint64_t *ret_waited_ns)
{
	struct job_meter *meter = &job->meter;
	meter->usage_ns += ran_ns;
	meter->unwaited_ns += window_ns;
	meter->nr_unwaited++;
	*ret_waited_ns = window_ns / SOFT_ALL_BP * meter->waited_bp;
}

/* So it was in all windows since waiting was measured: what was waited in them is done with. */
bool job_take_unpressed(struct job *job, uint64_t ran_ns, uint64_t window_ns,
			uint64_t *ret_waited_ns)
{
	struct job_meter *meter = &job->meter;
	uint64_t all_ns = window_ns + meter->unwaited_ns, some_ns;
	uint32_t nr_cpus = set_count(&job->mask);
	if (nr_cpus == 0 || !read_pressure(meter, &some_ns))
		return false;
	uint64_t waited_ns = some_ns - MIN(some_ns, meter->own_ns);
	if (waited_ns >= all_ns / SOFT_ALL_BP * JOB_WAITING_BP / nr_cpus)
		return false;
	meter->usage_ns += ran_ns;
	meter->told_ns += some_ns;
	meter->own_ns = meter->unwaited_ns = 0;
	meter->nr_unwaited = 0;
	meter->waited_bp = all_ns ? (uint32_t)(waited_ns * SOFT_ALL_BP / all_ns) : 0;
	*ret_waited_ns = window_ns / SOFT_ALL_BP * meter->waited_bp;
	return true;
}

bool job_has_run(struct job *job)
{
	const struct job_meter *meter = &job->meter;
	uint64_t usage_ns;
	if (read_usage(meter, &usage_ns))
		return usage_ns != meter->usage_ns;
	if (meter->has_more || meter->nr_processes == 0 || meter->nr_processes > MAX_QUIET)
		return true;
	for (size_t i = 0; i < meter->nr_processes; i++)
		if (ran_ns_of(meter->processes[i].id) != meter->processes[i].ns)
			return true;
	return false;
}
