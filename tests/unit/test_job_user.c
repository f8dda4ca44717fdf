/* SPDX-License-Identifier: MIT */
/* The engine in user space on a real process: when it looks again, and what it leaves as it is. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/job.h"
#include "linux/pressure.h"

static struct root root;
static struct job job;
static struct job_wish wish;
static pid_t child;
static int nr_placed;

static int tell_processes(void *context, size_t max, struct task_list *ret, bool *ret_has_more)
{
	*ret_has_more = false;
	return task_list_add(ret, child);
}

static int place(void *context, struct job *placed, struct printbuf *err)
{
	nr_placed++;
	return 0;
}

static const struct job_holder holder = { .processes = tell_processes, .place = place };

/* A job that wakes up now and then; its first CPU is preferred, all are allowed. */
static void begin(void)
{
	struct set all = SET_EMPTY;
	assert_int_equal(affinity_get(0, &all), 0);
	if (set_count(&all) < 2)
		skip();
	pid_t parent = getpid();
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent) /* a test that fails at once may be gone already */
			usleep(2000);
		_exit(0);
	}
	nr_placed = 0;
	wish = (struct job_wish){ .soft = { SOFT_SPILL_AT_BP, SOFT_NO_DISTANCE,
					    SOFT_PATIENCE_NS } };
	assert_int_equal(set_add(&wish.prefer, (uint32_t)set_next(&all, 0)), 0);
	set_fini(&all);
	assert_int_equal(root_open("/", &root, NULL), 0);
	assert_int_equal(job_adopt(&job, &root, &wish, &holder, NULL, NULL), 0);
	assert_int_equal(nr_placed, 1);
}

static void end(void)
{
	job_release(&job);
	set_fini(&wish.prefer);
	root_fini(&root);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The list of CPUs that are online is read for the first time: that brings nobody home. */
static void test_stays_away_while_all_cpus_stay(void **state)
{
	struct job_pace pace;
	begin();
	assert_int_equal(set_copy(&job.mask, &job.allowed), 0);
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	assert_true(set_is_equal(&job.mask, &job.allowed));
	assert_int_equal(nr_placed, 1);
	end();
}

/* A trigger that has told of the job tells nothing for a while: somebody looks meanwhile. */
static void test_looks_while_the_trigger_is_blind(void **state)
{
	struct job_pace pace = { 0 };
	begin();
	if (job.psi_fd < 0)
		job.psi_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 100 && !pace.until_pressure; i++) { /* busy machines make it wait */
		usleep(20000);
		assert_int_equal(job_look(&job, &pace, NULL), 0);
	}
	assert_true(pace.until_pressure);
	usleep(20000);
	uint64_t began_ns = clock_now_ns();
	job.is_pressed = true;
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	assert_false(pace.until_pressure);
	while (!pace.until_pressure && clock_now_ns() - began_ns < 60 * NS_PER_S) {
		assert_true(pace.wait_ms < 1000);
		usleep(20000);
		assert_int_equal(job_look(&job, &pace, NULL), 0);
	}
	assert_true(pace.until_pressure);
	assert_true(clock_now_ns() - began_ns >= PRESSURE_BLIND_NS);
	end();
}

/* A trigger of the job's own group told of it, though it could not run since: it is blind now. */
static void test_a_group_that_waited_is_looked_at_also_when_it_did_not_run(void **state)
{
	struct job_pace pace = { 0 };
	begin();
	if (job.psi_fd < 0)
		job.psi_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	kill(child, SIGSTOP);
	for (int i = 0; i < 100 && !pace.until_pressure; i++) {
		usleep(20000);
		assert_int_equal(job_look(&job, &pace, NULL), 0);
	}
	assert_true(pace.until_pressure);
	job.uses_cgroup = false;
	job.is_pressed = true;
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	assert_true(pace.until_pressure); /* others of the machine waited */
	job.uses_cgroup = true;
	job.group.version = 2;
	job.is_pressed = true;
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	assert_false(pace.until_pressure);
	job.uses_cgroup = false;
	end();
}

/* What was not taken of the last second may be: one dear look does not make the next one late. */
static void test_looks_are_paid_for_by_the_second_before(void **state)
{
	struct job_pace pace = { 0 };
	begin();
	usleep(20000);
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	uint64_t now_ns = clock_now_ns();
	assert_true(job.rested_ns > now_ns - 2 * NS_PER_S);
	assert_true(job.rested_ns < now_ns);
	assert_true(pace.wait_ms < 1000 || pace.until_pressure);
	job.is_quiet = false;
	job.rested_ns = now_ns + 1500 * NS_PER_MS;
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	assert_true(pace.wait_ms >= 1000);
	end();
}

static bool writes_note_after(uint64_t ns)
{
	struct job_pace pace;
	uint64_t before_ns = job.noted_ns = clock_now_ns() - ns;
	assert_int_equal(job_look(&job, &pace, NULL), 0);
	return job.noted_ns != before_ns;
}

/* A note is dear: who only looks writes it every ten seconds, who moved every second. */
static void test_looks_alone_are_noted_seldom(void **state)
{
	begin();
	job.holder = NULL;
	job.program = "program";
	job.is_backed_off = true; /* nothing to decide */
	job.noted = job.rule.counts;
	job.rule.counts.nr_looks++;
	assert_false(writes_note_after(5 * NS_PER_S));
	assert_true(writes_note_after(11 * NS_PER_S));
	job.rule.counts.nr_spilled++;
	assert_false(writes_note_after(NS_PER_S / 2));
	assert_true(writes_note_after(2 * NS_PER_S));
	assert_false(writes_note_after(2 * NS_PER_S));
	job.holder = &holder;
	end();
}
