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

#include "base/clock.h"
#include "base/error.h"
#include "linux/job_note.h"
#include "linux/undo.h"

#define FIRST_LOOK_MS 20
#define IDLE_MS	      2000	      /* for hotplug alone */
#define TOGETHER_NS   NS_PER_S	      /* due within it: one wake-up for both */
#define LOOKS_NS      (10 * NS_PER_S) /* that there were more looks is told that late */

static const int passed_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

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

/* Where a job begins: at home, or where an engine in the kernel chooses. All preferred CPUs
 * offline: anywhere. */
static int set_first_mask(struct job *job)
{
	bool is_home = !job->engine->chooses_within_allowed && !set_is_empty(&job->rule.preferred);
	job->rule.memory = (struct soft_memory){ 0 };
	return set_copy(&job->mask, is_home ? &job->rule.preferred : &job->rule.allowed);
}

static void job_empty(struct job *job, const struct root *root, const struct job_wish *wish)
{
	*job = (struct job){ .root = root,
			     .wish = wish,
			     .state_fd = -1,
			     .psi_fd = -1,
			     .online_fd = -1,
			     .signal_fd = -1,
			     .engine_fd = -1,
			     .journal = { .fd = -1 },
			     .stat = { .fd = -1 },
			     .child = { .pidfd = -1 } };
	if (cgroup_find(root, &job->group) < 0)
		job->group = (struct cgroup){ 0 };
}

/* What the rule is asked with. */
static int set_rule(struct job *job)
{
	job->rule.soft = job->wish->soft;
	job->rule.distances = job->distances;
	int error = set_copy(&job->rule.preferred, &job->wish->prefer);
	return error ? error : set_copy(&job->rule.allowed, &job->allowed);
}

int job_init(struct job *job, const struct root *root, const struct job_wish *wish,
	     struct printbuf *err)
{
	job_empty(job, root, wish);
	int error = job_check(job, err);
	if (!error)
		error = process_self(root, &job->self, err);
	if (!error)
		error = undo_open_directory(root, wish->state, true, &job->state_fd, err);
	if (!error)
		error = cpustat_init(&job->stat, root, err);
	if (!error)
		error = block_signals(job);
	if (!error)
		error = set_rule(job);
	if (!error && set_is_empty(&wish->prefer))
		job->engine = &job_engine_none;
	else if (!error)
		error = job_engine_choose(wish->engine, root, &job->engine, err);
	if (!error)
		error = set_first_mask(job);
	return error;
}

/* The group, or -errno where none can be had: then it is the threads' affinity. */
static int make_group(struct job *job)
{
	if (job->wish->no_cgroup || job->group.version == 0 || job->engine == &job_engine_none)
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
	if (job->engine == &job_engine_none)
		return 0;
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
	if (printbuf_has_error(&object) || printbuf_has_error(&original))
		return error_set(err, -ENOMEM, "the program: %s", error_text(-ENOMEM));
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

/* The engine has ended by itself: the one that always works goes on, and that is told. */
static int fall_back(struct job *job, const char *why, struct printbuf *err)
{
	PRINTBUF(text);
	prt_printf(&text, "the %s engine: %s; the user engine goes on", job->engine->name,
		   *why ? why : "it has ended by itself");
	if (job->tell)
		job->tell(printbuf_str(&text));
	job->engine = &job_engine_user;
	int error = set_first_mask(job);
	if (!error && !set_is_empty(&job->mask))
		error = job_place(job, err);
	if (!error)
		error = job->engine->start(job, err);
	job->is_engine_started = !error;
	job_note_write(job);
	return error;
}

/* With an engine by name its failure is the job's; with auto the user engine always works. */
static int start_engine(struct job *job, struct printbuf *err)
{
	PRINTBUF(why);
	int error = job->engine->start(job, &why);
	job->is_engine_started = !error;
	bool may_choose = !job->wish->engine || strcmp(job->wish->engine, "auto") == 0;
	if (!error)
		return 0;
	if (may_choose && job->engine != &job_engine_user)
		return fall_back(job, printbuf_str(&why), err);
	if (err)
		prt_str(err, printbuf_str(&why));
	return error;
}

static void say_user(const struct job *job, const char *why)
{
	PRINTBUF(text);
	prt_printf(&text, "%s; the engine is user", why);
	if (job->tell)
		job->tell(printbuf_str(&text));
}

/* One that cannot work here is told, and the job is served by the one that always can. */
static void choose_adopted(struct job *job)
{
	PRINTBUF(why);
	if (job_engine_choose(job->wish->engine, job->root, &job->engine, &why) == 0)
		return;
	job->engine = &job_engine_user;
	say_user(job, printbuf_str(&why));
}

static int start_adopted(struct job *job, struct printbuf *err)
{
	PRINTBUF(why);
	bool is_user = job->engine == &job_engine_user;
	int error = job->engine->start(job, is_user ? err : &why);
	job->is_engine_started = !error;
	return error && !is_user ? fall_back(job, printbuf_str(&why), err) : error;
}

int job_adopt(struct job *job, const struct root *root, const struct job_wish *wish,
	      const struct job_holder *holder, void (*tell)(const char *text), struct printbuf *err)
{
	job_empty(job, root, wish);
	job->holder = holder;
	job->engine = &job_engine_user;
	job->is_released = true;
	job->nr_jobs = 1;
	job->tell = tell;
	int error = job_check(job, err);
	if (!error)
		error = process_self(root, &job->self, err);
	if (!error && wish->engine)
		choose_adopted(job);
	if (!error)
		error = cpustat_init(&job->stat, root, err);
	if (!error)
		error = set_rule(job);
	if (!error)
		error = set_first_mask(job);
	if (!error)
		error = job_place(job, err);
	if (!error)
		error = start_adopted(job, err);
	job->online_fd = rootfile_open(root, "sys/devices/system/cpu/online", O_RDONLY);
	return error;
}

void job_release(struct job *job)
{
	if (job->is_engine_started)
		job->engine->end(job);
	job->is_engine_started = false;
	job_fini(job);
}

int job_start(struct job *job, char *const arguments[], int *ret_exec_error, struct printbuf *err)
{
	job->program = arguments[0];
	job->since = time(NULL);
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
	error = start_engine(job, err);
	if (!error && job->companion)
		error = job->companion->start(job->companion->context, job, err);
	if (error) {
		spawn_abandon(&job->child);
		return error;
	}
	job->is_released = true;
	*ret_exec_error = spawn_release(&job->child);
	job->is_ended = *ret_exec_error != 0;
	job->online_fd = rootfile_open(job->root, "sys/devices/system/cpu/online", O_RDONLY);
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
	char text[sizeof(job->online_text)];
	ssize_t nr = job->online_fd < 0 ? -1 : pread(job->online_fd, text, sizeof(text) - 1, 0);
	if (nr <= 0)
		return 0;
	text[nr] = '\0';
	if (strcmp(text, job->online_text) == 0)
		return 0;
	strcpy(job->online_text, text);
	text[strcspn(text, "\n")] = '\0';
	if (set_parse(text, &online) < 0)
		return 0;
	if (set_is_equal(&online, &job->online)) { /* read for the first time */
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
	error = set_first_mask(job);
	if (!error && !set_is_empty(&job->mask))
		error = job_place(job, err);
	job_note_write(job);
	return !error && job->engine->change ? job->engine->change(job, err) : error;
}

/* A note is dear beside a look: that there was one more is no news. */
static bool has_moved(const struct job *job)
{
	struct job_counts noted = job->noted;
	noted.nr_looks = job->rule.counts.nr_looks;
	return memcmp(&noted, &job->rule.counts, sizeof(noted)) != 0;
}

static int look(struct job *job, struct job_pace *pace, struct printbuf *err)
{
	PRINTBUF(why);
	*pace = (struct job_pace){ IDLE_MS, false };
	int error = job->engine->look(job, pace, &why);
	if (error == -ENOTCONN) {
		job->engine->end(job);
		job->is_engine_started = false;
		error = fall_back(job, printbuf_str(&why), err);
		pace->wait_ms = FIRST_LOOK_MS;
	} else if (error && err) {
		prt_str(err, printbuf_str(&why));
	}
	uint64_t now = clock_now_ns();
	if (now - job->noted_ns >= (has_moved(job) ? NS_PER_S : LOOKS_NS))
		job_note_write(job);
	return error;
}

int job_look(struct job *job, struct job_pace *ret, struct printbuf *err)
{
	int error = follow_hotplug(job, err);
	return error ? error : look(job, ret, err);
}

static bool has_companion(const struct job *job)
{
	return job->companion && !job->is_companion_over;
}

static void turn_companion(struct job *job)
{
	struct job_turn turn = { IDLE_MS, false };
	if (!has_companion(job) || job->is_ended || clock_now_ns() < job->companion_due_ns)
		return;
	job->is_companion_over = job->companion->turn(job->companion->context, &turn) < 0;
	uint64_t now = clock_now_ns();
	job->companion_due_ns = now + (uint64_t)turn.wait_ms * NS_PER_MS;
	if (turn.has_news && now - job->noted_ns >= NS_PER_S)
		job_note_write(job);
}

/* A look that has time comes with the companion's next turn, if that is soon. */
static uint64_t together_ns(const struct job *job, const struct job_pace *pace, uint64_t due_ns)
{
	bool waits = has_companion(job) && pace->wait_ms >= IDLE_MS &&
		     job->companion_due_ns < due_ns + TOGETHER_NS &&
		     due_ns < job->companion_due_ns + TOGETHER_NS;
	return waits ? job->companion_due_ns : due_ns;
}

/* Until something happens; true when the engine is to look now. */
static bool sleep_until(struct job *job, const struct job_pace *pace, uint64_t due_ns)
{
	uint64_t now = clock_now_ns();
	bool has_memory = has_companion(job);
	due_ns = together_ns(job, pace, due_ns);
	uint64_t until_ns = has_memory ? MIN(due_ns, job->companion_due_ns) : due_ns;
	uint64_t left_ms = until_ns > now ? (until_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	int memory_fd = has_memory ? job->companion->fd(job->companion->context) : -1;
	struct pollfd fds[] = { { job->signal_fd, POLLIN, 0 },
				{ job->child.pidfd, POLLIN, 0 },
				{ job->has_failed ? -1 : job->engine_fd, POLLIN, 0 },
				{ pace->until_pressure ? job->psi_fd : -1, POLLPRI, 0 },
				{ memory_fd, POLLIN, 0 } };
	if (poll(fds, ARRAY_SIZE(fds), (int)left_ms) == 0)
		return clock_now_ns() >= due_ns;
	if (fds[4].revents)
		job->companion_due_ns = 0;
	pass_signals(job);
	reap(job);
	job->is_pressed = fds[3].revents & POLLPRI;
	if (fds[3].revents & (POLLERR | POLLNVAL)) { /* its group is gone */
		close(job->psi_fd);
		job->psi_fd = -1;
	}
	return !job->is_ended && (fds[2].revents || fds[3].revents || clock_now_ns() >= due_ns);
}

int job_wait(struct job *job, struct printbuf *err)
{
	struct job_pace pace = { FIRST_LOOK_MS, false };
	uint64_t due_ns = clock_now_ns() + FIRST_LOOK_MS * NS_PER_MS, hotplug_ns = due_ns;
	int error = 0;
	reap(job);
	while (!job->is_ended) {
		bool is_due = sleep_until(job, &pace, due_ns);
		turn_companion(job);
		if (!is_due)
			continue;
		uint64_t now = clock_now_ns();
		if (now - hotplug_ns >= NS_PER_S) {
			hotplug_ns = now;
			error = error ? error : follow_hotplug(job, err);
		}
		pace = (struct job_pace){ IDLE_MS, false };
		if (!error) /* after a failure the program goes on as it is */
			error = look(job, &pace, err);
		job->has_failed = error != 0;
		due_ns = clock_now_ns() + (uint64_t)pace.wait_ms * NS_PER_MS;
	}
	return error;
}

int job_end(struct job *job, struct printbuf *err)
{
	struct undo undo = { .root = job->root, .owner = job->self };
	if (job->is_engine_started)
		job->engine->end(job);
	job->is_engine_started = false;
	if (job->companion)
		job->companion->end(job->companion->context);
	job->companion = NULL;
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
	close_if_open(job->online_fd);
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
