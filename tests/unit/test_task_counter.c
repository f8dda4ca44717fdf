/* SPDX-License-Identifier: MIT */
/* An event of all threads of a process, by one that every machine counts: time on a CPU. */
#include "test.h"

#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/printbuf.h"
#include "linux/task_counter.h"

#define SPIN_NS (60 * NS_PER_MS)

static void *spin(void *unused)
{
	struct timespec now = { 0 };
	while ((uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec < SPIN_NS)
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return NULL;
}

/* Waits for a byte, then spins in this thread and in one that is born after the counter. */
static void child(int fd)
{
	char byte;
	pthread_t thread;
	if (read(fd, &byte, 1) != 1 || pthread_create(&thread, NULL, spin, NULL) != 0)
		_exit(1);
	spin(NULL);
	pthread_join(thread, NULL);
	_exit(0);
}

static void test_threads_that_come_later_count(void **state)
{
	struct task_counter counter;
	struct root root;
	PRINTBUF(err);
	int fds[2], status;
	double before, after;
	assert_int_equal(root_open("/", &root, &err), 0);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		child(fds[0]);
	int error = task_counter_open(&root, pid, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK,
				      &counter, &err);
	if (error) { /* not permitted here: then it says so */
		assert_true(error == -EACCES || error == -EPERM || error == -EOPNOTSUPP);
		assert_true(err.pos > 10);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		root_fini(&root);
		skip();
	}
	assert_int_equal(counter.nr, 1);
	assert_int_equal(task_counter_read(&counter, &before), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(task_counter_read(&counter, &after), 0);
	assert_true(after - before >= 1.5 * SPIN_NS); /* both: less what it took before */
	assert_true(after - before < 20.0 * SPIN_NS);
	task_counter_fini(&counter);
	root_fini(&root);
	close(fds[0]);
	close(fds[1]);
}

static void test_no_such_process(void **state)
{
	struct task_counter counter = { .nr = 77 };
	struct root root;
	PRINTBUF(err);
	assert_int_equal(root_open("/", &root, &err), 0);
	int error = task_counter_open(&root, 0x3fffff, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK,
				      &counter, &err);
	assert_true(error < 0);
	assert_true(err.pos > 10);
	assert_int_equal(counter.nr, 77);
	root_fini(&root);
}
