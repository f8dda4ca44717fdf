/* SPDX-License-Identifier: MIT */
/* A job from its start to its end (job.h). PSI triggers: Documentation/accounting/psi.rst (6.12).
 */
#include "linux/job.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/job_note.h"
#include "linux/undo.h"

#define WATCHING_MS 20
#define WORKING_MS  100
#define IDLE_MS	    1000
#define PSI_TRIGGER "some 50000 2000000" /* us in a window that any user may ask for */
#define BUSY_BP	    2000		 /* of one CPU: the job works */

static const int passed_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int block_signals(struct job *job)
{
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(passed_signals); i++)
		sigaddset(&signals, passed_signals[i]);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGPIPE); /* writing to a child that was killed while held */
	if (sigprocmask(SIG_BLOCK, &signals, &job->old_signals) < 0)
		return -errno;
	sigdelset(&signals, SIGPIPE);
	job->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return job->signal_fd < 0 ? -errno : 0;
}

int job_init(struct job *job, const struct root *root, const struct job_wish *wish,
	     struct printbuf *err)
{
	*job = (struct job){ .root = root,
			     .wish = wish,
			     .state_fd = -1,
			     .psi_fd = -1,
			     .signal_fd = -1,
			     .journal = { .fd = -1 },
			     .stat = { .fd = -1 },
			     .child = { .pidfd = -1 } };
	if (cgroup_find(root, &job->group) < 0)
		job->group = (struct cgroup){ 0 };
	int error = job_check(job, err);
	if (!error)
		error = process_self(root, &job->self, err);
	if (!error)
		error = undo_open_directory(root, wish->state, true, &job->state_fd, err);
	if (!error)
		error = cpustat_init(&job->stat, root, err);
	if (!error)
		error = block_signals(job);
	job->rule.soft = wish->soft;
	job->rule.distances = job->distances;
	if (!error)
		error = set_copy(&job->rule.preferred, &wish->prefer);
	if (!error)
		error = set_copy(&job->rule.allowed, &job->allowed);
	if (!error)
		error = set_copy(&job->mask, &wish->prefer);
	return error;
}

/* The group, or -errno where none can be had: then it is the threads' affinity. */
static int make_group(struct job *job)
{
	if (job->wish->no_cgroup || job->group.version == 0)
		return -EOPNOTSUPP;
	int error = cgroup_make(job->root, &job->group, &job->self, &job->journal, NULL);
	if (error)
		return error;
	job->change = job->journal.nr_changes - 1;
	job->uses_cgroup = true;
	return job_place(job, NULL);
}

static int place_child(struct job *job, struct printbuf *err)
{
	PRINTBUF(object);
	PRINTBUF(original);
	uint64_t start_ticks = 0;
	int error = 0;
	if (job->uses_cgroup && !job->child.is_in_cgroup)
		error = cgroup_attach(job->root, &job->group, job->child.pid);
	if (job->uses_cgroup && !error)
		return 0;
	job->uses_cgroup = false;
	error = process_start_ticks(job->root, job->child.pid, &start_ticks);
	if (error)
		return error_set(err, error, "the program: %s", error_text(error));
	prt_printf(&object, "%d:%llu", job->child.pid, (unsigned long long)start_ticks);
	set_to_text(&original, &job->original);
	job->has_written = false;
	error = journal_add_change(&job->journal, "affinity", printbuf_str(&object),
				   printbuf_str(&original), &job->change, err);
	return error ? error : job_place(job, err);
}

static int mark_environment(const struct job *job)
{
	char mark[48];
	snprintf(mark, sizeof(mark), "%llu-%llu", (unsigned long long)job->self.pid,
		 (unsigned long long)job->self.start_ticks);
	return setenv(UNDO_MARK, mark, 1) < 0 ? -errno : 0;
}

static int give_birth(struct job *job, char *const arguments[], struct printbuf *err)
{
	int group_fd = -1;
	if (job->uses_cgroup && job->group.version == 2)
		group_fd = rootfile_open(job->root, job->group.path, O_PATH | O_DIRECTORY);
	int error = spawn_held(arguments, group_fd, &job->old_signals, &job->child);
	if (group_fd >= 0)
		close(group_fd);
	if (error)
		return error_set(err, error, "%s: cannot be started: %s", arguments[0],
				 error_text(error));
	error = place_child(job, err);
	if (error)
		spawn_abandon(&job->child);
	return error;
}

int job_start(struct job *job, char *const arguments[], int *ret_exec_error, struct printbuf *err)
{
	job->program = arguments[0];
	int error = mark_environment(job);
	if (!error)
		error = journal_create(job->state_fd, &job->self, &job->journal, err);
	if (error)
		return error;
	if (make_group(job) < 0)
		job->uses_cgroup = false;
	error = give_birth(job, arguments, err);
	if (error)
		return error;
	*ret_exec_error = spawn_release(&job->child);
	job->is_ended = *ret_exec_error != 0;
	job->psi_fd = rootfile_open(job->root, "proc/pressure/cpu", O_RDWR | O_NONBLOCK);
	if (job->psi_fd >= 0 && write(job->psi_fd, PSI_TRIGGER, sizeof(PSI_TRIGGER)) < 0) {
		close(job->psi_fd);
		job->psi_fd = -1;
	}
	job->looked_ns = job->noted_ns = now_ns();
	if (!job->is_ended)
		job_note_write(job);
	return 0;
}

static void reap(struct job *job)
{
	int status;
	if (waitpid(job->child.pid, &status, WNOHANG) != job->child.pid)
		return;
	job->is_ended = true;
	job->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What the terminal sent went to the whole group: the program has it already. */
static void pass_signals(struct job *job)
{
	struct signalfd_siginfo info;
	while (read(job->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		if (info.ssi_code == SI_KERNEL || job->is_ended)
			continue;
		kill(job->child.pid, (int)info.ssi_signo); /* not reaped yet: still its pid */
	}
}

/* A cpuset of version 1 does not take back CPUs that were offline: it is written again. */
static int follow_hotplug(struct job *job, struct printbuf *err)
{
	struct set online = SET_EMPTY;
	if (root_read_set(job->root, "sys/devices/system/cpu/online", &online) < 0)
		return 0;
	if (set_is_equal(&online, &job->online)) {
		set_fini(&online);
		return 0;
	}
	set_fini(&job->online);
	job->online = online;
	int error = set_copy(&job->rule.preferred, &job->wish->prefer);
	if (!error)
		error = set_copy(&job->rule.allowed, &job->allowed);
	if (error)
		return error;
	set_and(&job->rule.preferred, &job->online);
	set_and(&job->rule.allowed, &job->online);
	bool has_home = !set_is_empty(&job->rule.preferred);
	error = set_copy(&job->mask, has_home ? &job->rule.preferred : &job->rule.allowed);
	if (error || set_is_empty(&job->mask))
		return error;
	return job_place(job, err);
}

/* Distances are known of the CPUs that were online at the start. */
static uint32_t nr_known_cpus(const struct job *job)
{
	return MIN(job->stat.nr_cpus, (uint32_t)set_last(&job->allowed) + 1);
}

static int look(struct job *job, struct job_look *seen, struct printbuf *err)
{
	struct set before = SET_EMPTY;
	uint64_t ran_ns, waited_ns, now = now_ns();
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
	if (has_changed || now - job->noted_ns >= NS_PER_S) {
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

int job_wait(struct job *job, struct printbuf *err)
{
	struct job_look seen = { 0 };
	uint64_t hotplug_ns = job->looked_ns;
	int error = 0, wait_ms = WATCHING_MS;
	reap(job);
	while (!job->is_ended) {
		struct pollfd fds[] = { { job->signal_fd, POLLIN },
					{ job->child.pidfd, POLLIN },
					{ wait_ms == IDLE_MS ? job->psi_fd : -1, POLLPRI } };
		poll(fds, ARRAY_SIZE(fds), wait_ms);
		pass_signals(job);
		reap(job);
		uint64_t now = now_ns();
		if (job->is_ended || now - job->looked_ns < WATCHING_MS * NS_PER_MS) {
			wait_ms = WATCHING_MS;
			continue;
		}
		if (now - hotplug_ns >= NS_PER_S) {
			hotplug_ns = now;
			error = error ? error : follow_hotplug(job, err);
		}
		if (!error) /* after a failure the program goes on as it is */
			error = look(job, &seen, err);
		wait_ms = error ? IDLE_MS : next_look_ms(job, &seen);
	}
	return error;
}

int job_end(struct job *job, struct printbuf *err)
{
	struct undo undo = { .root = job->root, .owner = job->self };
	job_note_remove(job);
	return job->journal.fd < 0 ? 0 : journal_undo(&job->journal, &undo_ops, &undo, err);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void job_fini(struct job *job)
{
	if (job->journal.fd >= 0)
		journal_fini(&job->journal);
	cpustat_fini(&job->stat);
	close_if_open(job->state_fd);
	close_if_open(job->psi_fd);
	close_if_open(job->signal_fd);
	close_if_open(job->child.pidfd);
	cgroup_fini(&job->group);
	set_fini(&job->rule.preferred);
	set_fini(&job->rule.allowed);
	set_fini(&job->original);
	set_fini(&job->online);
	set_fini(&job->allowed);
	set_fini(&job->mask);
	free(job->distances);
}
