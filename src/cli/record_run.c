/* SPDX-License-Identifier: MIT */
/*
 * Runs a program under the recorder and writes what comes.
 *
 *     berth record ---- posix_spawn ----> qemu-x86_64 + libberth-recorder.so + the program
 *          |                                   | fork
 *          | drains lanes (trace/ring.h)       v
 *          +--- one trace_appender per lane -> FILE.part          its children
 *
 * This process is outside of everything that may happen to the program: it ignores Ctrl-C (the
 * program gets it from the terminal), learns by pidfd when each recorded process is gone, empties
 * its lane and goes on until all are gone.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/record.h"

#define ROUND_NS    ((uint64_t)20 * NS_PER_MS) /* at most between looks at the lanes */
#define KILL_NS	    ((uint64_t)2 * NS_PER_S)   /* from SIGTERM to SIGKILL */
#define PROGRESS_NS NS_PER_S
#define MEMORY_FD   700 /* out of the way of what programs expect; any other will do */

extern char **environ;

struct lane_state_here {
	int pidfd; /* -1: not open */
	bool is_seen, is_over;
	struct trace_appender *appender;
};

struct loop {
	struct record_run *run;
	struct lane_state_here *lanes; /* RING_MAX_LANES */
	uint32_t nr_seen, nr_over;
	pid_t pid;
	bool is_reaped, said_waiting;
	uint64_t start_ns, ended_ns, term_ns, progress_ns;
	bool has_progress;
};

static volatile sig_atomic_t nr_interrupts, is_terminated;

static void on_interrupt(int number)
{
	nr_interrupts = nr_interrupts + 1;
}

static void on_terminate(int number)
{
	is_terminated = 1;
}

void record_add_note(struct record_run *run, const char *format, ...)
{
	PRINTBUF(text);
	va_list args;
	va_start(args, format);
	prt_vprintf(&text, format, args);
	va_end(args);
	char **notes = realloc(run->notes, (run->nr_notes + 1) * sizeof(*notes));
	if (!notes)
		return;
	run->notes = notes;
	run->notes[run->nr_notes] = printbuf_steal(&text, NULL);
	if (run->notes[run->nr_notes])
		run->nr_notes++;
}

int record_run_init(struct record_run *run, struct printbuf *err)
{
	int fd = memfd_create("berth-recording", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)RING_FILE_BYTES) < 0)
		return error_set(err, -errno, "shared memory for the recording: %s",
				 error_text(errno));
	run->memory_fd = fcntl(fd, F_DUPFD, MEMORY_FD);
	if (run->memory_fd < 0)
		run->memory_fd = fcntl(fd, F_DUPFD, 3);
	close(fd);
	run->recording = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_NORESERVE, run->memory_fd, 0);
	if (run->memory_fd < 0 || run->recording == MAP_FAILED)
		return error_set(err, -errno, "shared memory for the recording: %s",
				 error_text(errno));
	run->recording->version = RING_VERSION;
	run->recording->writer_pid = getpid();
	snprintf(run->recording->program, sizeof(run->recording->program), "%s",
		 run->program->real);
	snprintf(run->recording->interpreter, sizeof(run->recording->interpreter), "%s",
		 run->program->interpreter);
	return 0;
}

void record_run_fini(struct record_run *run)
{
	if (run->recording && run->recording != MAP_FAILED)
		munmap(run->recording, RING_FILE_BYTES);
	if (run->memory_fd > 0)
		close(run->memory_fd);
	for (uint32_t i = 0; i < run->nr_notes; i++)
		free(run->notes[i]);
	free(run->notes);
}

/* qemu-x86_64 -0 NAME -plugin FILE,memory=FD PROGRAM ARGUMENTS...; commas are doubled for it. */
static char **qemu_arguments(const struct record_run *run, struct printbuf *plugin)
{
	size_t nr = 0;
	char **arguments = run->program->arguments;
	while (arguments[nr])
		nr++;
	for (const char *at = run->plugin; *at; at++)
		prt_str(plugin, *at == ',' ? ",," : (const char[]){ *at, '\0' });
	prt_printf(plugin, ",memory=%d", run->memory_fd);
	char **all = calloc(nr + 7, sizeof(*all));
	if (!all)
		return NULL;
	char *fixed[] = { (char *)run->qemu, (char *)"-0", arguments[0],
			  (char *)"-plugin", plugin->buf,  run->program->path };
	memcpy(all, fixed, sizeof(fixed));
	memcpy(all + ARRAY_SIZE(fixed), arguments + 1, nr * sizeof(*all));
	return all;
}

static int spawn(struct record_run *run, pid_t *ret_pid, const sigset_t *defaults)
{
	PRINTBUF(plugin);
	char **arguments = qemu_arguments(run, &plugin);
	if (!arguments)
		return -ENOMEM;
	posix_spawnattr_t attributes;
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawn(ret_pid, run->qemu, NULL, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	free(arguments);
	return -error;
}

static void catch_signal(int number, void (*handler)(int), sigset_t *defaults)
{
	struct sigaction old, action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	sigaction(number, NULL, &old);
	if (old.sa_handler == SIG_IGN)
		return; /* nohup: the program keeps ignoring it too */
	sigaction(number, &action, NULL);
	sigaddset(defaults, number);
}

static void stop_recording(struct loop *loop, int error)
{
	if (loop->run->error)
		return;
	loop->run->error = error;
	__atomic_store_n(&loop->run->recording->is_stopped, 1, __ATOMIC_RELEASE);
}

static void drain_lane(struct loop *loop, uint32_t number)
{
	struct lane *lane = ring_lane(loop->run->recording, number);
	struct lane_state_here *here = &loop->lanes[number];
	int error = 0;
	if (!ring_has_words(lane))
		return;
	if (!here->appender && !loop->run->error)
		error = trace_appender_new(loop->run->fd, number, 4096, &here->appender);
	if (!error)
		error = ring_drain(loop->run->recording, lane,
				   loop->run->error ? NULL : here->appender);
	if (error)
		stop_recording(loop, error);
}

/* Its process is gone: whatever it left is written, its memory given back. */
static void close_lane(struct loop *loop, uint32_t number)
{
	struct lane *lane = ring_lane(loop->run->recording, number);
	struct lane_state_here *here = &loop->lanes[number];
	drain_lane(loop, number);
	if (lane->is_executing) {
		lane->exec_path[sizeof(lane->exec_path) - 1] = '\0';
		struct trace_mapping mapping = { .time_ns = lane->ticks,
						 .thread = lane->exec_thread,
						 .op = TRACE_EXEC,
						 .name = lane->exec_path };
		if (here->appender && !loop->run->error)
			trace_append_mapping(here->appender, &mapping);
		record_add_note(loop->run, "exec of %s was not recorded: it ran natively",
				lane->exec_path);
	}
	int error = here->appender ? trace_appender_flush(here->appender) : 0;
	if (error)
		stop_recording(loop, error);
	here->appender = trace_appender_free(here->appender);
	if (here->pidfd >= 0)
		close(here->pidfd);
	here->pidfd = -1;
	here->is_over = true;
	loop->nr_over++;
	fallocate(loop->run->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)((char *)lane - (char *)loop->run->recording) + 4096,
		  (off_t)(RING_WORDS * 8));
}

static bool process_is_gone(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
	return poll(&poll_fd, 1, 0) > 0;
}

static void see_new_lanes(struct loop *loop)
{
	uint32_t nr = __atomic_load_n(&loop->run->recording->nr_lanes, __ATOMIC_ACQUIRE);
	nr = MIN(nr, RING_MAX_LANES);
	while (loop->nr_seen < nr) {
		struct lane *lane = ring_lane(loop->run->recording, loop->nr_seen);
		if (__atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) == LANE_FREE)
			break;
		loop->lanes[loop->nr_seen].pidfd = (int)syscall(SYS_pidfd_open, lane->pid, 0);
		loop->lanes[loop->nr_seen].is_seen = true;
		loop->nr_seen++;
	}
}

static void look_at_lanes(struct loop *loop)
{
	see_new_lanes(loop);
	for (uint32_t i = 0; i < loop->nr_seen; i++) {
		struct lane_state_here *here = &loop->lanes[i];
		if (here->is_over)
			continue;
		bool is_gone = here->pidfd < 0 || process_is_gone(here->pidfd);
		if (is_gone)
			close_lane(loop, i);
		else
			drain_lane(loop, i);
	}
}

static void reap(struct loop *loop)
{
	int status;
	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			return;
		if (pid != loop->pid)
			continue;
		loop->is_reaped = true;
		loop->ended_ns = clock_now_ns();
		loop->run->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							: WEXITSTATUS(status);
	}
}

static void signal_all(struct loop *loop, int number)
{
	for (uint32_t i = 0; i < loop->nr_seen; i++)
		if (!loop->lanes[i].is_over && loop->lanes[i].pidfd >= 0)
			syscall(SYS_pidfd_send_signal, loop->lanes[i].pidfd, number, NULL, 0);
	if (loop->nr_seen == 0 && !loop->is_reaped)
		kill(loop->pid, number);
}

static void keep_limits(struct loop *loop, uint64_t now)
{
	uint64_t limit = loop->run->time_limit_ns;
	bool is_due = limit && now - loop->start_ns >= limit;
	if (!loop->term_ns && (is_due || is_terminated)) {
		loop->run->hit_limit = is_due;
		loop->term_ns = now;
		signal_all(loop, SIGTERM);
	} else if (loop->term_ns && now - loop->term_ns >= KILL_NS) {
		signal_all(loop, SIGKILL);
	}
}

static void show_progress(struct loop *loop, uint64_t now)
{
	struct stat file;
	uint64_t nr_records = 0;
	if (!stderr_is_terminal() || now - loop->progress_ns < PROGRESS_NS)
		return;
	loop->progress_ns = now;
	loop->has_progress = true;
	for (uint32_t i = 0; i < loop->nr_seen; i++)
		nr_records += ring_lane(loop->run->recording, i)->nr_records;
	PRINTBUF(line);
	prt_str(&line, "\r\033[Kberth record: ");
	prt_ns(&line, now - loop->start_ns);
	prt_str(&line, ", ");
	prt_u64_grouped(&line, loop->run->recording->clock / 1000000);
	prt_str(&line, " M instructions, ");
	prt_u64_grouped(&line, nr_records);
	prt_str(&line, " events, ");
	prt_bytes(&line, fstat(loop->run->fd, &file) == 0 ? (uint64_t)file.st_size : 0);
	fputs(printbuf_str(&line), stderr);
}

static void clear_progress(struct loop *loop)
{
	if (loop->has_progress)
		fputs("\r\033[K", stderr);
	loop->has_progress = false;
}

/* True: go on. After the program itself ended, its children are waited for, as long as nobody
 * presses Ctrl-C. */
static bool goes_on(struct loop *loop, uint64_t now)
{
	static sig_atomic_t interrupts_then;
	if (!loop->is_reaped) {
		interrupts_then = nr_interrupts;
		return true;
	}
	if (loop->nr_over == loop->nr_seen)
		return false;
	if (!loop->said_waiting && now - loop->ended_ns > NS_PER_S) {
		loop->said_waiting = true;
		clear_progress(loop);
		complain("the program ended, %u of its processes go on; recording them until they "
			 "end or Ctrl-C",
			 loop->nr_seen - loop->nr_over);
	}
	return nr_interrupts == interrupts_then;
}

static void rounds(struct loop *loop)
{
	struct recording *recording = loop->run->recording;
	uint64_t now;
	do {
		uint32_t wake = __atomic_load_n(&recording->wake, __ATOMIC_ACQUIRE);
		reap(loop); /* before the lanes: what a dead process left is seen below */
		look_at_lanes(loop);
		now = clock_now_ns();
		keep_limits(loop, now);
		show_progress(loop, now);
		if (!loop->is_reaped || loop->nr_over < loop->nr_seen)
			ring_wait(recording, wake, ROUND_NS);
	} while (goes_on(loop, now));
	clear_progress(loop);
}

/* Those who go on are told to stop recording and left alone. */
static void leave_rest(struct loop *loop)
{
	__atomic_store_n(&loop->run->recording->is_stopped, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < loop->nr_seen; i++) {
		if (loop->lanes[i].is_over)
			continue;
		loop->run->left_some = true;
		close_lane(loop, i);
	}
}

int record_run(struct record_run *run, struct printbuf *err)
{
	struct loop loop = { .run = run, .start_ns = clock_now_ns() };
	sigset_t defaults;
	sigemptyset(&defaults);
	loop.progress_ns = loop.start_ns;
	loop.lanes = calloc(RING_MAX_LANES, sizeof(*loop.lanes));
	if (!loop.lanes)
		return error_set(err, -ENOMEM, "out of memory");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	catch_signal(SIGINT, on_interrupt, &defaults);
	catch_signal(SIGQUIT, on_interrupt, &defaults);
	catch_signal(SIGTERM, on_terminate, &defaults);
	catch_signal(SIGHUP, on_terminate, &defaults);
	int error = spawn(run, &loop.pid, &defaults);
	if (error) {
		error_set(err, error, "%s: cannot be started: %s", run->qemu, error_text(error));
	} else {
		rounds(&loop);
		leave_rest(&loop);
	}
	run->nr_lanes = loop.nr_seen;
	free(loop.lanes);
	return error;
}
