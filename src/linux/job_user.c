/* SPDX-License-Identifier: MIT */
/*
 * The engine in user space: looks on a timer, and a mask that is written (job_engine.h).
 *
 *     the job           looks again after                   what a look reads
 *     away, or waiting  WATCHING_MS                         the CPUs, its run time and waiting
 *     fills its home    WATCHING_MS                         the same
 *     has nothing to    HELD_MS                             the CPUs, its run time
 *     borrow
 *     works             IDLE_MS, or when its tasks wait     its run time; no more if it is zero
 *                       (a PSI trigger)
 *     the same without  WORKING_MS                          the CPUs, its run time and waiting
 *     such a trigger
 *     and does nothing  QUIET_MS, more when many jobs run   its run time; no more if it is zero
 *                       here: NR_JOBS_MS each
 *
 * For half a second after the trigger has told of something it tells nothing: meanwhile the job is
 * looked at as if there were none, or who waits again a moment later waits for all of that.
 *
 * Who waited is asked only where that can change something (job_rule_asks_waiting): that is most of
 * what a look costs.
 *
 * WATCHING_MS is more than one and a half ticks of /proc/stat (10 ms): a CPU that was busy shows
 * at least one. Looks that cost much (thousands of processes) are followed by a rest, so that berth
 * takes less than 1/REST of a CPU, whatever the job does. What it did not take of the last SAVED_NS
 * it may: the first looks cost ten times what later ones do, and are those that a job waits for.
 */
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/job.h"
#include "linux/job_note.h"
#include "linux/pressure.h"

#define WATCHING_MS 15
#define WORKING_MS  50
#define HELD_MS	    100 /* no CPU is lent before it was left alone for that long */
#define QUIET_MS    70
#define NR_JOBS_MS  15
#define IDLE_MS	    2000
#define NR_UNWAITED 3 /* looks, away, at which nobody asks who waited */
/* A look after so long cannot tell what began just now: the next one does. */
#define LONG_NS	 (200 * NS_PER_MS)
#define BUSY_BP	 1000 /* of one CPU: the job works */
#define FULL_BP	 7000 /* of its preferred CPUs: it fills its home */
#define REST	 50
#define SAVED_NS NS_PER_S
#define COUNT_NS (10 * NS_PER_S) /* between countings of the jobs on this machine */

/* Distances are known of the CPUs that were online at the start. */
static uint32_t nr_known_cpus(const struct job *job)
{
	return MIN(job->stat.nr_cpus, (uint32_t)set_last(&job->allowed) + 1);
}

static int decide(struct job *job, const struct job_look *seen, struct printbuf *err)
{
	struct set before = SET_EMPTY;
	int error = set_copy(&before, &job->mask);
	if (!error)
		error = job_rule_decide(&job->rule, seen, &job->mask);
	if (!error && !set_is_equal(&before, &job->mask)) {
		error = job_place(job, err);
		job_note_write(job);
	}
	set_fini(&before);
	return error;
}

static bool is_away(const struct job *job)
{
	return !set_is_subset(&job->mask, &job->rule.preferred);
}

/* Away it may need one CPU more, or fit at home again: seen at every fourth look. */
static bool asks_waiting(const struct job *job, const struct job_look *seen)
{
	return (is_away(job) && job->meter.nr_unwaited >= NR_UNWAITED &&
		job_rule_may_move(&job->rule, seen, &job->mask)) ||
	       job_rule_asks_waiting(&job->rule, seen, &job->mask);
}

/* Of the job's CPUs, since the last look: a daemon looks from elsewhere. */
static uint64_t take_own(struct job *job)
{
	uint64_t now_ns = clock_thread_cpu_ns(), before_ns = job->own_ns;
	job->own_ns = now_ns;
	return job->holder ? 0 : now_ns - before_ns;
}

static int see(struct job *job, struct job_look *ret, struct printbuf *err)
{
	uint64_t now = clock_now_ns();
	struct job_look seen = { .now_ns = now, .window_ns = now - job->looked_ns };
	int error = cpustat_look(&job->stat);
	if (error)
		return error_file(err, error, "/proc/stat", "read");
	seen.cpus = job->stat.cpus;
	seen.nr_cpus = nr_known_cpus(job);
	seen.own_ns = take_own(job);
	job->meter.own_ns += seen.own_ns;
	bool is_peeked = job_peek_ran(job, &seen.ran_ns);
	seen.is_waited_old = is_peeked && !asks_waiting(job, &seen);
	if (seen.is_waited_old)
		job_take_peeked(job, seen.ran_ns, seen.window_ns, &seen.waited_ns);
	else if (!is_peeked ||
		 !job_take_unpressed(job, seen.ran_ns, seen.window_ns, &seen.waited_ns))
		job_measure(job, seen.window_ns, &seen.ran_ns, &seen.waited_ns);
	job->looked_ns = now;
	*ret = seen;
	return 0;
}

/* Nothing to decide: it never leaves home, or somebody else says where it runs. */
static bool is_settled(const struct job *job)
{
	return job->is_backed_off || set_is_equal(&job->rule.preferred, &job->rule.allowed) ||
	       job->rule.soft.spill_at_bp == SOFT_HARD;
}

/* One that would tell now that the job's tasks wait. */
static bool has_trigger(const struct job *job)
{
	bool is_blind = job->pressed_ns && clock_now_ns() - job->pressed_ns < PRESSURE_BLIND_NS;
	return job->psi_fd >= 0 && !is_blind;
}

/* That of the whole machine may have told of others than this job. That of its own group told of
 * it, also when it has not run since: where berth runs, it cannot. */
static void note_trigger(struct job *job)
{
	bool is_own = job->uses_cgroup && job->group.version == 2;
	if (job->is_pressed && (is_own || job_has_run(job)))
		job->pressed_ns = clock_now_ns();
	job->is_pressed = false;
}

static struct job_pace quiet_pace(const struct job *job)
{
	uint64_t shared_ms = (uint64_t)job->nr_jobs * NR_JOBS_MS;
	if (has_trigger(job))
		return (struct job_pace){ IDLE_MS, true };
	return (struct job_pace){ (int)MIN(MAX(QUIET_MS, shared_ms), IDLE_MS), false };
}

static struct job_pace pace_after(const struct job *job, const struct job_look *seen)
{
	uint64_t home_ns = seen->window_ns * set_count(&job->rule.preferred);
	bool waits = job_look_is_waiting(seen), is_held = !is_away(job) && seen->is_waited_old;
	bool is_full = seen->ran_ns >= home_ns / SOFT_ALL_BP * FULL_BP;
	if (is_away(job) || ((waits || is_full) && !is_held))
		return (struct job_pace){ WATCHING_MS, false };
	if (seen->window_ns > LONG_NS)
		return (struct job_pace){ WATCHING_MS, false };
	bool works = seen->ran_ns >= seen->window_ns / SOFT_ALL_BP * BUSY_BP;
	if (works && (is_held || !has_trigger(job)))
		return (struct job_pace){ is_held ? HELD_MS : WORKING_MS, false };
	return quiet_pace(job);
}

static void count_jobs(struct job *job, uint64_t now)
{
	if (job->nr_jobs > 0 && now - job->counted_ns < COUNT_NS)
		return;
	job->counted_ns = now;
	job->nr_jobs = MAX(job_note_count(job->state_fd), 1);
}

/* What a look has cost is paid for by rest, before or after it. */
static uint64_t rest_after(struct job *job, uint64_t cost_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t since_ns = now_ns > SAVED_NS ? now_ns - SAVED_NS : 0;
	job->rested_ns = MAX(job->rested_ns, since_ns) + cost_ns * REST;
	return job->rested_ns > now_ns ? job->rested_ns - now_ns : 0;
}

static int look(struct job *job, struct job_pace *ret, struct printbuf *err)
{
	struct job_look seen = { 0 };
	if (is_settled(job)) {
		*ret = (struct job_pace){ IDLE_MS, false };
		return 0;
	}
	note_trigger(job);
	if (!has_trigger(job))
		count_jobs(job, clock_now_ns());
	if (!is_away(job) && job->is_quiet && !job_has_run(job)) {
		*ret = quiet_pace(job);
		return 0;
	}
	uint64_t began_ns = clock_thread_cpu_ns();
	int error = see(job, &seen, err);
	if (!error)
		error = decide(job, &seen, err);
	if (error)
		return error;
	struct job_pace pace = pace_after(job, &seen);
	job->is_quiet = pace.wait_ms >= QUIET_MS;
	uint64_t cost_ns = clock_thread_cpu_ns() - began_ns, rest_ns = rest_after(job, cost_ns);
	if (seen.is_waited_old) /* it goes on as before: nothing to hurry for */
		rest_ns = MAX(rest_ns, cost_ns * REST);
	uint64_t rest_ms = rest_ns / NS_PER_MS;
	pace.wait_ms = (int)MIN(MAX((uint64_t)pace.wait_ms, rest_ms), IDLE_MS);
	*ret = pace;
	return 0;
}

/* Looks cost time: they take it where the job is at home, not from who is at home beside it.
 * Refused (another cpuset): they run where they may. */
static void look_from_home(const struct job *job)
{
	(void)affinity_set(0, &job->rule.preferred);
}

static int probe(const struct root *root, struct printbuf *err)
{
	return 0; /* any kernel */
}

static void end(struct job *job)
{
	if (job->psi_fd >= 0)
		close(job->psi_fd);
	job->psi_fd = -1;
	if (!job->holder)
		(void)affinity_set(0, &job->original);
	job_meter_fini(&job->meter);
}

static int start(struct job *job, struct printbuf *err)
{
	bool has_group = job->uses_cgroup && job->group.version == 2;
	int error = job_meter_init(job);
	if (error) {
		job_meter_fini(&job->meter);
		return error;
	}
	if (!job->holder)
		look_from_home(job);
	if (!is_settled(job))
		job->psi_fd = pressure_open(job->root, has_group ? job->group.path : NULL);
	job->looked_ns = clock_now_ns();
	(void)take_own(job);
	error = cpustat_look(&job->stat);
	if (!error)
		return 0;
	end(job);
	return error_file(err, error, "/proc/stat", "read");
}

const struct job_engine_ops job_engine_user = {
	.name = "user",
	.probe = probe,
	.start = start,
	.look = look,
	.end = end,
};
