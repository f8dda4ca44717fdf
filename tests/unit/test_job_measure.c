/* SPDX-License-Identifier: MIT */
/* Measuring jobs of the host's own kernel: what they ran, that they did nothing, and that 10,000
 * threads cost no more than a sample of them. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/job.h"

#define NR_THREADS  10000
#define STACK_BYTES 4096
#define ALL_THREADS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* Threads of the kernel's alone, so that there can be many: no library, no locals. */
__attribute__((no_sanitize("address", "undefined"))) static int wait_forever(void *argument)
{
	for (;;)
		syscall(SYS_pause);
	return 0;
}

static _Noreturn void be_many(int ready_fd)
{
	char *stacks = mmap(NULL, (size_t)NR_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int nr = 0;
	while (stacks != MAP_FAILED && nr < NR_THREADS &&
	       clone(wait_forever, stacks + (size_t)(nr + 1) * STACK_BYTES, ALL_THREADS, NULL) > 0)
		nr++;
	if (write(ready_fd, &nr, sizeof(nr)) != sizeof(nr))
		_exit(1);
	for (volatile uint64_t spin = 0;; spin = spin + 1)
		continue;
}

static struct root root;
static struct job job;

static void begin(pid_t pid)
{
	assert_int_equal(root_open("/", &root, NULL), 0);
	job = (struct job){ .root = &root, .child = { .pid = pid } };
	assert_int_equal(job_meter_init(&job), 0);
}

static void end(void)
{
	int status;
	kill(job.child.pid, SIGKILL);
	assert_int_equal(waitpid(job.child.pid, &status, 0), job.child.pid);
	job_meter_fini(&job.meter);
	root_fini(&root);
}

static void test_a_look_at_10000_threads_is_bounded(void **state)
{
	int ready[2], nr = 0;
	uint64_t ran_ns, waited_ns;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
		be_many(ready[1]);
	}
	assert_int_equal(read(ready[0], &nr, sizeof(nr)), sizeof(nr));
	begin(pid);
	job_measure(&job, NS_PER_S, &ran_ns, &waited_ns);
	uint64_t cost_ns = UINT64_MAX;
	/* Where the machine is busy it does not run between two looks, and then nobody is asked. */
	for (int i = 0; i < 5 || (job.meter.nr_waiters == 0 && i < 1000); i++) {
		usleep(20000);
		uint64_t began_ns = clock_thread_cpu_ns();
		job_measure(&job, 20 * NS_PER_MS, &ran_ns, &waited_ns);
		cost_ns = MIN(cost_ns, clock_thread_cpu_ns() - began_ns);
	}
	assert_int_equal(job.meter.nr_waiters, JOB_MAX_WAITERS);
	assert_int_equal(job.meter.nr_processes, 1);
	assert_true(waited_ns <= JOB_MAX_WAITERS * 20 * NS_PER_MS);
	/* 64 threads of 10,000: a hundredth of what all would cost (80 ms). */
	if (cost_ns > 20 * NS_PER_MS)
		fail_msg("%llu us for a look", (unsigned long long)(cost_ns / NS_PER_US));
	end();
	close(ready[0]);
	close(ready[1]);
	if (nr < NR_THREADS)
		skip(); /* this machine's limit of threads is lower */
}

static void test_who_sleeps_is_quiet(void **state)
{
	uint64_t ran_ns, waited_ns;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	begin(pid);
	usleep(100000);
	job_measure(&job, NS_PER_S, &ran_ns, &waited_ns);
	usleep(50000);
	assert_false(job_has_run(&job));
	job_measure(&job, 50 * NS_PER_MS, &ran_ns, &waited_ns);
	assert_int_equal(ran_ns, 0);
	assert_int_equal(waited_ns, 0);
	assert_int_equal(job.meter.nr_waiters,
			 0); /* who did not run is not asked whether it waited */
	end();
}

/* What ran is counted, that of children too, and not less because one of them has ended. */
static void test_children_count(void **state)
{
	uint64_t ran_ns, waited_ns, all_ns = 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			while (clock() < CLOCKS_PER_SEC * 3 / 10)
				continue;
		for (;;)
			pause();
	}
	begin(pid);
	for (int i = 0; i < 500 && all_ns < 50 * NS_PER_MS; i++) {
		usleep(10000);
		job_measure(&job, 10 * NS_PER_MS, &ran_ns, &waited_ns);
		all_ns += ran_ns;
		assert_true(job.meter.nr_processes <= 2);
	}
	assert_true(all_ns >= 50 * NS_PER_MS);
	struct task_list tree = { 0 };
	bool has_more = false;
	assert_int_equal(job_processes(&job, 1, &tree, &has_more), 0);
	assert_int_equal(tree.nr, 1);
	if (all_ns < 100 * NS_PER_MS)
		assert_true(has_more);
	kill(job.child.pid, SIGSTOP);
	task_list_fini(&tree);
	assert_int_equal(process_tree(&root, pid, &tree), 0);
	for (size_t i = 1; i < tree.nr; i++)
		kill(tree.items[i], SIGKILL);
	task_list_fini(&tree);
	end();
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/g/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void tell_pressure(const char *directory, unsigned usec)
{
	char text[160];
	snprintf(text, sizeof(text),
		 "some avg10=1.00 avg60=0.20 avg300=0.00 total=%u\nfull avg10=0.00 total=7\n",
		 usec);
	write_file(directory, "cpu.pressure", text);
}

/* The group's own files say who waited, less what berth itself was in the way for. */
static void test_pressure_says_that_nobody_waited(void **state)
{
	char directory[] = "/tmp/berth-measure-XXXXXX", path[PATH_MAX];
	uint64_t ran_ns = 0, waited_ns = 0;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/g", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file(directory, "cpu.stat", "usage_usec 1000\n");
	tell_pressure(directory, 0);
	assert_int_equal(root_open("/", &root, NULL), 0);
	job = (struct job){ .root = &root, .uses_cgroup = true };
	job.group = (struct cgroup){ .version = 2, .path = strdup(path + 1) };
	assert_int_equal(set_parse("0-1", &job.mask), 0);
	assert_int_equal(job_meter_init(&job), 0);
	assert_true(job_peek_ran(&job, &ran_ns));
	assert_int_equal(ran_ns, NS_PER_MS);
	/* Of 100 ms and two CPUs, 5 ms on average are one task that waited for 10. */
	tell_pressure(directory, 4900);
	assert_true(job_take_unpressed(&job, ran_ns, 100 * NS_PER_MS, &waited_ns));
	assert_int_equal(waited_ns, 4900 * NS_PER_US);
	assert_true(job_peek_ran(&job, &ran_ns));
	assert_int_equal(ran_ns, 0);
	tell_pressure(directory, 4900 + 8000);
	job.meter.own_ns = 4 * NS_PER_MS;
	assert_true(job_take_unpressed(&job, 0, 100 * NS_PER_MS, &waited_ns));
	assert_int_equal(waited_ns, 4 * NS_PER_MS);
	tell_pressure(directory, 12900 + 8000);
	assert_false(job_take_unpressed(&job, 0, 100 * NS_PER_MS, &waited_ns));
	job_meter_fini(&job.meter);
	cgroup_fini(&job.group);
	set_fini(&job.mask);
	root_fini(&root);
	snprintf(path, sizeof(path), "rm -r '%s'", directory);
	assert_int_equal(system(path), 0);
}

/* Two tasks on one CPU wait for each other; for whom berth was in the way does not count. */
static void test_waiting_for_berth_is_no_waiting(void **state)
{
	uint64_t ran_ns, waited_ns = 0, left_ns = 0;
	struct set all = SET_EMPTY, one = SET_EMPTY;
	assert_int_equal(affinity_get(0, &all), 0);
	assert_int_equal(set_add(&one, (uint32_t)set_next(&all, 0)), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (affinity_set(0, &one) < 0 || fork() < 0)
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile uint64_t spin = 0;; spin = spin + 1)
			continue;
	}
	begin(pid);
	job_measure(&job, NS_PER_S, &ran_ns, &waited_ns);
	usleep(200000);
	job_measure(&job, 200 * NS_PER_MS, &ran_ns, &waited_ns);
	usleep(200000);
	job.meter.own_ns = NS_PER_S;
	job_measure(&job, 200 * NS_PER_MS, &ran_ns, &left_ns);
	end();
	set_fini(&all);
	set_fini(&one);
	assert_true(waited_ns > 20 * NS_PER_MS);
	assert_int_equal(left_ns, 0);
	assert_int_equal(job.meter.own_ns, 0);
}
