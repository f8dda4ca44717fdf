/* SPDX-License-Identifier: MIT */
/* The engine in user space: looks on a timer, and a mask that is written (job_engine.h). PSI
 * triggers: Documentation/accounting/psi.rst (6.12). */
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/job_engine.h"
#include "linux/job_note.h"

#define WATCHING_MS 20
#define WORKING_MS  100
#define IDLE_MS	    1000
#define PSI_TRIGGER "some 50000 2000000" /* us in a window that any user may ask for */
#define BUSY_BP	    2000		 /* of one CPU: the job works */

/* Distances are known of the CPUs that were online at the start. */
static uint32_t nr_known_cpus(const struct job *job)
{
	return MIN(job->stat.nr_cpus, (uint32_t)set_last(&job->allowed) + 1);
}

static int see_and_decide(struct job *job, struct job_look *seen, struct printbuf *err)
{
	struct set before = SET_EMPTY;
	uint64_t ran_ns, waited_ns, now = job_now_ns();
	int error = cpustat_look(&job->stat);
	if (error)
		return error_file(err, error, "/proc/stat", "read");
	job_measure(job, &ran_ns, &waited_ns);
	*seen = (struct job_look){
		.cpus = job->stat.cpus,
		.nr_cpus = nr_known_cpus(job),
		.now_ns = now,
		.window_ns = now - job->looked_ns,
		.ran_ns = ran_ns > job->ran_ns ? ran_ns - job->ran_ns : 0,
		.waited_ns = waited_ns > job->waited_ns ? waited_ns - job->waited_ns : 0,
	};
	job->looked_ns = now;
	job->ran_ns = ran_ns;
	job->waited_ns = waited_ns;
	error = set_copy(&before, &job->mask);
	if (!error)
		error = job_rule_decide(&job->rule, seen, &job->mask);
	bool has_changed = !error && !set_is_equal(&before, &job->mask);
	if (has_changed)
		error = job_place(job, err);
	if (has_changed) {
		job->noted_ns = now;
		job_note_write(job);
	}
	set_fini(&before);
	return error;
}

static int next_look_ms(const struct job *job, const struct job_look *seen)
{
	bool is_away = !set_is_subset(&job->mask, &job->rule.preferred);
	if (job->is_backed_off || set_is_equal(&job->rule.preferred, &job->rule.allowed) ||
	    job->rule.soft.spill_at_bp == SOFT_HARD)
		return IDLE_MS; /* for hotplug only */
	if (is_away || seen->waited_ns >= seen->window_ns / 10)
		return WATCHING_MS;
	bool works = seen->ran_ns >= seen->window_ns * BUSY_BP / SOFT_ALL_BP;
	return works || job->psi_fd < 0 ? WORKING_MS : IDLE_MS;
}

static int probe(const struct root *root, struct printbuf *err)
{
	return 0; /* any kernel */
}

static int start(struct job *job, struct printbuf *err)
{
	job->psi_fd = rootfile_open(job->root, "proc/pressure/cpu", O_RDWR | O_NONBLOCK);
	if (job->psi_fd >= 0 && write(job->psi_fd, PSI_TRIGGER, sizeof(PSI_TRIGGER)) < 0) {
		close(job->psi_fd);
		job->psi_fd = -1;
	}
	job->looked_ns = job_now_ns();
	return cpustat_look(&job->stat) < 0 ? error_set(err, -EIO, "/proc/stat: cannot be read")
					    : 0;
}

static int look(struct job *job, struct job_pace *ret, struct printbuf *err)
{
	struct job_look seen = { 0 };
	int error = see_and_decide(job, &seen, err);
	if (error)
		return error;
	ret->wait_ms = next_look_ms(job, &seen);
	ret->until_pressure = ret->wait_ms == IDLE_MS;
	return 0;
}

static void end(struct job *job)
{
	if (job->psi_fd >= 0)
		close(job->psi_fd);
	job->psi_fd = -1;
}

const struct job_engine_ops job_engine_user = {
	.name = "user",
	.probe = probe,
	.start = start,
	.look = look,
	.end = end,
};
