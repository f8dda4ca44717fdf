/* SPDX-License-Identifier: MIT */
/* A perf event in all threads of a process (task_counter.h). */
#include "linux/task_counter.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"
#include "linux/ring.h"

struct reading {
	uint64_t value, enabled_ns, running_ns;
};

static int open_thread(pid_t tid, uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
		.type = type,
		.config = config,
		.inherit = 1,
		.exclude_kernel = type == PERF_TYPE_HARDWARE,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	return ring_open_event(&attr, tid, -1, -1, 0);
}

static int refuse(int error, struct printbuf *err)
{
	if (error == -ENOENT || error == -ENODEV || error == -EOPNOTSUPP || error == -ENOSYS)
		return error_set(err, -EOPNOTSUPP,
				 "no such hardware counter here; in most virtual machines there is "
				 "none");
	if (error == -EACCES || error == -EPERM)
		return error_set(err, error,
				 "perf_event_open: not permitted; run as root, or see "
				 "kernel.perf_event_paranoid");
	return error_set(err, error, "perf_event_open: %s", error_text(error));
}

/* A thread that has ended meanwhile is none. */
static int add_threads(const struct root *root, pid_t pid, uint32_t type, uint64_t config,
		       struct task_counter *counter)
{
	struct task_list threads = { 0 };
	int error = process_threads(root, pid, &threads);
	for (size_t i = 0; i < threads.nr && !error; i++) {
		int *fds = realloc(counter->fds, (counter->nr + 1) * sizeof(*fds));
		if (!fds) {
			error = -ENOMEM;
			break;
		}
		counter->fds = fds;
		int fd = open_thread(threads.items[i], type, config);
		if (fd >= 0)
			fds[counter->nr++] = fd;
		else if (fd != -ESRCH)
			error = fd;
	}
	task_list_fini(&threads);
	return error == -ENOENT && counter->nr ? 0 : error;
}

int task_counter_open_these(const struct root *root, const pid_t *pids, size_t nr, uint32_t type,
			    uint64_t config, struct task_counter *ret, struct printbuf *err)
{
	struct task_counter counter = { 0 };
	int error = 0;
	for (size_t i = 0; i < nr && !error; i++) {
		error = add_threads(root, pids[i], type, config, &counter);
		error = error == -ENOENT ? 0 : error; /* it has ended */
	}
	if (!error && counter.nr == 0)
		error = -ESRCH;
	if (error) {
		task_counter_fini(&counter);
		return refuse(error, err);
	}
	*ret = counter;
	return 0;
}

int task_counter_open(const struct root *root, pid_t pid, uint32_t type, uint64_t config,
		      struct task_counter *ret, struct printbuf *err)
{
	struct task_list processes = { 0 };
	int error = process_tree(root, pid, &processes);
	if (error)
		return refuse(error, err);
	error = task_counter_open_these(root, processes.items, processes.nr, type, config, ret,
					err);
	task_list_fini(&processes);
	return error;
}

int task_counter_instructions(const struct root *root, pid_t pid, struct task_counter *ret,
			      struct printbuf *err)
{
	return task_counter_open(root, pid, PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, ret,
				 err);
}

int task_counter_read(const struct task_counter *counter, double *ret)
{
	double sum = 0;
	for (size_t i = 0; i < counter->nr; i++) {
		struct reading reading;
		ssize_t nr = read(counter->fds[i], &reading, sizeof(reading));
		if (nr != sizeof(reading))
			return nr < 0 ? -errno : -EIO;
		if (reading.running_ns)
			sum += (double)reading.value * (double)reading.enabled_ns /
			       (double)reading.running_ns;
	}
	*ret = sum;
	return 0;
}

void task_counter_fini(struct task_counter *counter)
{
	for (size_t i = 0; i < counter->nr; i++)
		close(counter->fds[i]);
	free(counter->fds);
	*counter = (struct task_counter){ 0 };
}
