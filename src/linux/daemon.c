/* SPDX-License-Identifier: MIT */
/* The daemon from its start to its end (daemon.h). */
#include "linux/daemon.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/notify.h"
#include "linux/process.h"
#include "linux/undo.h"

#define PATH_SIZE   4096
#define FDS_MAX	    (SERVER_MAX_FDS + 2 + DAEMON_JOBS_MAX)
#define FILES_MIN   (FDS_MAX + 64)
#define LOCK_TRIES  10
#define TOGETHER_NS NS_PER_S /* due within it: done in one wake-up, by those who can wait */

static const int own_signals[] = { SIGHUP, SIGINT, SIGTERM };

void daemon_tell(struct daemon *daemon, const char *text)
{
	if (!*text || strncmp(daemon->told, text, sizeof(daemon->told) - 1) == 0)
		return;
	snprintf(daemon->told, sizeof(daemon->told), "%s", text);
	if (daemon->wish->tell)
		daemon->wish->tell(text);
}

static int block_signals(struct daemon *daemon)
{
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(own_signals); i++)
		sigaddset(&signals, own_signals[i]);
	sigaddset(&signals, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &signals, &daemon->old_signals) < 0)
		return -errno;
	daemon->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->signal_fd < 0 ? -errno : 0;
}

/* Held until this process ends, however it ends. */
static int try_lock(struct daemon *daemon)
{
	struct stat mine, named;
	daemon->lock_fd = openat(daemon->state_fd, DAEMON_LOCK,
				 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (daemon->lock_fd < 0)
		return -errno;
	if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* Its owner may have removed it in between: then this locks what nobody else sees. */
	bool is_named = fstat(daemon->lock_fd, &mine) == 0 &&
			fstatat(daemon->state_fd, DAEMON_LOCK, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
			mine.st_ino == named.st_ino;
	return is_named ? 0 : -EAGAIN;
}

static int lock_state(struct daemon *daemon, struct printbuf *err)
{
	int error = -EAGAIN;
	for (int i = 0; i < LOCK_TRIES && error == -EAGAIN; i++) {
		if (daemon->lock_fd >= 0)
			close(daemon->lock_fd);
		error = try_lock(daemon);
	}
	daemon->is_locked = !error;
	if (!error)
		return 0;
	return error_set(err, error,
			 error == -EBUSY ? "another berth daemon serves this machine; `berth "
					   "status` shows it"
					 : "the lock of the daemon: cannot be taken");
}

/* Left by a berth that was killed; what it cannot undo is for `berth restore` to tell. */
static void recover(struct daemon *daemon)
{
	PRINTBUF(text);
	struct undo undo = { .root = daemon->root };
	struct journal_counts counts = { 0 };
	journal_recover(daemon->state_fd, daemon->self.boot, &undo_ops, &undo, &counts, NULL);
	if (counts.nr_restored)
		prt_printf(&text, "restored %u changes of a berth that was killed",
			   counts.nr_restored);
	daemon_tell(daemon, printbuf_str(&text));
}

static int open_state(struct daemon *daemon, struct printbuf *err)
{
	int error = process_self(daemon->root, &daemon->self, err);
	if (!error)
		error = undo_open_directory(daemon->root, daemon->wish->state, true,
					    &daemon->state_fd, err);
	if (!error)
		error = lock_state(daemon, err);
	if (error)
		return error;
	recover(daemon);
	return journal_create(daemon->state_fd, &daemon->self, &daemon->journal, err);
}

static int find_group(struct daemon *daemon, struct printbuf *err)
{
	const char *name = daemon->config->daemon.socket_group;
	struct group *group = name ? getgrnam(name) : NULL;
	if (name && !group)
		return error_set(err, -EINVAL,
				 "SocketGroup=%s: no such group; make it with groupadd --system %s",
				 name, name);
	daemon->has_group = group != NULL;
	daemon->group = group ? group->gr_gid : 0;
	return 0;
}

static int open_socket(struct daemon *daemon, struct printbuf *err)
{
	char path[PATH_SIZE], link[64];
	const char *name = daemon->wish->socket;
	if (!name) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", daemon->state_fd);
		ssize_t nr = readlink(link, path, sizeof(path) - sizeof(DAEMON_SOCKET) - 1);
		if (nr < 0)
			return error_file(err, -errno, link, "read");
		snprintf(path + nr, sizeof(path) - (size_t)nr, "/%s", DAEMON_SOCKET);
		name = path;
	}
	return server_open(&daemon->server, name, &daemon_answers, daemon, err);
}

static void measure_fast(struct daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->machine->nr_nodes; i++)
		if (daemon->machine->nodes[i].tier == 0)
			daemon->fast_bytes += daemon->machine->nodes[i].size_bytes;
}

/* poll() refuses more entries than files may be open: the daemon would never sleep, nor answer. */
static int raise_files(struct printbuf *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_set(err, -errno, "RLIMIT_NOFILE: %s", error_text(-errno));
	if (limit.rlim_max < FILES_MIN)
		return error_set(err, -EMFILE,
				 "this program may open %llu files, the daemon needs %d; raise it "
				 "with LimitNOFILE= or `ulimit -n`",
				 (unsigned long long)limit.rlim_max, FILES_MIN);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* as it was it may be enough */
	return 0;
}

int daemon_init(struct daemon *daemon, const struct root *root, const struct daemon_wish *wish,
		struct printbuf *err)
{
	*daemon = (struct daemon){ .root = root,
				   .wish = wish,
				   .state_fd = -1,
				   .lock_fd = -1,
				   .signal_fd = -1,
				   .server = { .fd = -1, .spare_fd = -1 },
				   .journal = { .fd = -1 } };
	daemon->jobs = calloc(DAEMON_JOBS_MAX, sizeof(*daemon->jobs));
	if (!daemon->jobs)
		return error_set(err, -ENOMEM, "out of memory");
	int error = raise_files(err);
	if (!error)
		error = daemon_reload(daemon, err);
	if (!error)
		error = find_group(daemon, err);
	if (!error)
		error = machine_open(wish->machine ? wish->machine : "host", &daemon->machine, err);
	if (!error)
		error = block_signals(daemon);
	if (!error)
		error = open_state(daemon, err);
	if (!error)
		error = open_socket(daemon, err);
	if (error)
		return error;
	measure_fast(daemon);
	daemon->begun_ns = clock_now_ns();
	return 0;
}

static void reload(struct daemon *daemon)
{
	PRINTBUF(err);
	notify_manager("RELOADING=1");
	if (daemon_reload(daemon, &err)) {
		prt_str(&err, "; the configuration stays as it was");
		daemon_tell(daemon, printbuf_str(&err));
	} else {
		daemon_tell(daemon, "the configuration was read anew");
		daemon->scan_due_ns = 0;
		if (find_group(daemon, &err))
			daemon_tell(daemon, printbuf_str(&err));
	}
	daemon->told[0] = '\0';
	notify_manager("READY=1");
}

static void take_signals(struct daemon *daemon)
{
	struct signalfd_siginfo info;
	while (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(daemon);
		else if (info.ssi_signo != SIGPIPE)
			daemon->is_ending = true;
	}
}

static void scan(struct daemon *daemon, uint64_t now_ns)
{
	PRINTBUF(err);
	if (now_ns < daemon->scan_due_ns)
		return;
	if (daemon_scan(daemon, &err))
		daemon_tell(daemon, printbuf_str(&err));
}

static void tick(struct daemon *daemon, uint64_t now_ns)
{
	PRINTBUF(err);
	int wait_ms = 1000;
	if (!daemon->placer || now_ns < daemon->placer_due_ns)
		return;
	daemon_set_shares(daemon);
	int error = placer_tick(daemon->placer, &wait_ms, &err);
	daemon->placer_due_ns = clock_now_ns() + (uint64_t)wait_ms * NS_PER_MS;
	if (!error)
		return;
	prt_str(&err, "; memory is not placed for a minute");
	daemon_tell(daemon, printbuf_str(&err));
	daemon_stop_memory(daemon);
	daemon->retry_ns = now_ns + 60 * NS_PER_S;
}

static void look_at_cpus(struct daemon *daemon, uint64_t now_ns)
{
	for (uint32_t i = 0; i < daemon->nr_jobs; i++) {
		struct daemon_cpus *cpus = daemon->jobs[i].cpus;
		PRINTBUF(err);
		if (cpus && now_ns >= cpus->due_ns && daemon_cpus_look(cpus, now_ns, &err))
			daemon_tell(daemon, printbuf_str(&err));
	}
}

static bool is_asleep(const struct daemon *daemon)
{
	return daemon->placer && daemon->placer->live.is_asleep;
}

/* While none of the processes runs the look for others comes with the next turn. */
static uint64_t scan_wake_ns(const struct daemon *daemon)
{
	bool waits = is_asleep(daemon) &&
		     daemon->placer_due_ns < daemon->scan_due_ns + 2 * TOGETHER_NS;
	return waits ? MAX(daemon->scan_due_ns, daemon->placer_due_ns) : daemon->scan_due_ns;
}

/* Who can wait for a second does so for who comes next. */
static uint64_t next_due_ns(const struct daemon *daemon, uint64_t now_ns)
{
	uint64_t due_ns = MIN(scan_wake_ns(daemon), server_due_ns(&daemon->server, now_ns));
	if (daemon->placer)
		due_ns = MIN(due_ns, daemon->placer_due_ns);
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		if (daemon->jobs[i].cpus)
			due_ns = MIN(due_ns, daemon->jobs[i].cpus->due_ns);
	return due_ns;
}

/* Looks that are not urgent happen when the loop is awake for something else. */
static void do_what_is_due(struct daemon *daemon)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t ahead_ns = is_asleep(daemon) ? TOGETHER_NS : TOGETHER_NS / 4;
	if (daemon->scan_due_ns <= now_ns + ahead_ns)
		daemon->scan_due_ns = MIN(daemon->scan_due_ns, now_ns);
	for (uint32_t i = 0; i < daemon->nr_jobs; i++) {
		struct daemon_cpus *cpus = daemon->jobs[i].cpus;
		if (cpus && (cpus->until_pressure || cpus->nr_quiet > 4) &&
		    cpus->due_ns <= now_ns + ahead_ns)
			cpus->due_ns = now_ns;
	}
	scan(daemon, now_ns);
	tick(daemon, now_ns);
	look_at_cpus(daemon, now_ns);
}

/* Tasks of a job wait: its CPUs are looked at now. */
static void take_pressure(struct daemon *daemon, const struct pollfd *fds)
{
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		if (daemon->jobs[i].cpus && fds[i].fd >= 0 && fds[i].revents) {
			daemon->jobs[i].cpus->due_ns = 0;
			daemon->jobs[i].cpus->job.is_pressed = true;
		}
}

static void sleep_and_take(struct daemon *daemon)
{
	struct pollfd fds[FDS_MAX];
	uint64_t now_ns = clock_now_ns(), due_ns = next_due_ns(daemon, now_ns);
	uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	uint32_t nr_server = server_fds(&daemon->server, now_ns, fds), nr = nr_server;
	fds[nr++] = (struct pollfd){ daemon->signal_fd, POLLIN, 0 };
	fds[nr++] = (struct pollfd){ daemon->placer ? placer_fd(daemon->placer) : -1, POLLIN, 0 };
	for (uint32_t i = 0; i < daemon->nr_jobs; i++) {
		const struct daemon_cpus *cpus = daemon->jobs[i].cpus;
		bool waits = cpus && cpus->until_pressure;
		fds[nr++] = (struct pollfd){ waits ? cpus->job.psi_fd : -1, POLLPRI, 0 };
	}
	int ready = poll(fds, nr, (int)MIN(wait_ns / NS_PER_MS + 1, 60000));
	daemon->nr_turns++;
	if (ready > 0)
		take_pressure(daemon, fds + nr_server + 2);
	if (ready > 0 && fds[nr_server + 1].revents) /* moves have finished */
		daemon->placer_due_ns = 0;
	for (uint32_t i = 0; ready <= 0 && i < nr; i++)
		fds[i].revents = 0;
	server_turn(&daemon->server, fds, nr_server, clock_now_ns());
	take_signals(daemon);
}

int daemon_run(struct daemon *daemon, struct printbuf *err)
{
	int error = daemon_scan(daemon, err);
	if (error)
		return error;
	notify_manager("READY=1");
	while (!daemon->is_ending) {
		sleep_and_take(daemon);
		if (!daemon->is_ending)
			do_what_is_due(daemon);
	}
	notify_manager("STOPPING=1");
	return 0;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void daemon_fini(struct daemon *daemon)
{
	struct undo undo = { .root = daemon->root, .owner = daemon->self };
	server_close(&daemon->server);
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		daemon->jobs[i].cpus = daemon_cpus_free(daemon->jobs[i].cpus);
	daemon->placer = placer_free(daemon->placer);
	if (daemon->journal.fd >= 0) {
		journal_undo(&daemon->journal, &undo_ops, &undo, NULL);
		journal_fini(&daemon->journal);
	}
	if (daemon->signal_fd >= 0)
		sigprocmask(SIG_SETMASK, &daemon->old_signals, NULL);
	close_if_open(daemon->signal_fd);
	if (daemon->is_locked)
		unlinkat(daemon->state_fd, DAEMON_LOCK, 0);
	close_if_open(daemon->lock_fd);
	close_if_open(daemon->state_fd);
	machine_free(daemon->machine);
	for (size_t i = 0; i < daemon->nr_settings; i++)
		free(daemon->settings[i].value);
	free(daemon->settings);
	for (uint32_t i = 0; daemon->jobs && i < daemon->nr_jobs; i++)
		set_fini(&daemon->jobs[i].by_pages.cpus);
	free(daemon->jobs);
	config_free(daemon->files);
	config_free(daemon->config);
}
