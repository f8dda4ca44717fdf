/* SPDX-License-Identifier: MIT */
/* The loop of a recording of running programs (watch.h). */
#include "linux/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/process.h"
#include "linux/samplers.h"
#include "linux/undo.h"
#include "linux/watch_write.h"

#define TICK_MAX_NS NS_PER_S
#define REFRESH_NS  NS_PER_S
#define SHOW_NS	    NS_PER_S
#define FLUSH_NS    NS_PER_S
#define BATCHES_MAX 65536 /* of one look; the rest waits for the next tick */

static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

struct watch {
	const struct root *root;
	const struct watch_wish *wish;
	struct machine *machine;
	struct live live;
	const struct sampler_ops *sampler;
	void *sampler_state;
	struct journal_owner self;
	struct journal journal;
	struct watch_writer writer;
	struct sample *samples;
	int state_fd, signal_fd;
	sigset_t old_signals;
	bool is_stopped, has_signals;
	uint64_t refreshed_ns, shown_ns, flushed_ns;
};

static int block_signals(struct watch *watch)
{
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		sigaddset(&signals, ending_signals[i]);
	watch->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signal_fd < 0 || sigprocmask(SIG_BLOCK, &signals, &watch->old_signals) < 0)
		return -errno;
	watch->has_signals = true;
	return 0;
}

static int choose(struct watch *watch, struct printbuf *err)
{
	const char *name = watch->wish->sampler;
	if (!name || strcmp(name, live_sampler_auto.name) == 0) {
		watch->sampler = live_sampler_choose(&watch->live, err);
		return watch->sampler ? 0 : -EOPNOTSUPP;
	}
	uint32_t nr = 0;
	int error = live_samplers_parse(name, &watch->sampler, 1, &nr, err);
	return error ? error : watch->sampler->probe(&watch->live, err);
}

/* Before the sampler changes anything; what a berth left that was killed comes back. */
static int open_journal(struct watch *watch, struct printbuf *err)
{
	struct undo undo = { .root = watch->root };
	struct journal_counts counts = { 0 };
	int error = process_self(watch->root, &watch->self, err);
	if (!error)
		error = undo_open_directory(watch->root, watch->wish->state, true, &watch->state_fd,
					    err);
	if (error)
		return error;
	journal_recover(watch->state_fd, watch->self.boot, &undo_ops, &undo, &counts, NULL);
	error = journal_create(watch->state_fd, &watch->self, &watch->journal, err);
	if (!error)
		watch->live.journal = &watch->journal;
	return error;
}

static int find_processes(struct watch *watch, struct printbuf *err)
{
	const struct watch_wish *wish = watch->wish;
	int error = wish->cgroup ? live_watch_cgroup(&watch->live, wish->cgroup, err)
				 : live_watch(&watch->live, wish->pid, err);
	if (error || watch->live.nr_alive)
		return error;
	return error_set(err, -ESRCH, "%s: there is no process in it",
			 wish->cgroup ? wish->cgroup : "the process");
}

/* Its command line, or the cgroup. malloc'ed. */
static char *program_of(const struct watch *watch)
{
	PRINTBUF(text);
	char path[64], words[4096];
	if (watch->wish->cgroup)
		return strdup(watch->wish->cgroup);
	snprintf(path, sizeof(path), "proc/%d/cmdline", watch->wish->pid);
	int fd = rootfile_open(watch->root, path, O_RDONLY);
	ssize_t nr = fd < 0 ? 0 : read(fd, words, sizeof(words));
	if (fd >= 0)
		close(fd);
	while (nr > 0 && words[nr - 1] == '\0')
		nr--;
	for (ssize_t i = 0; i < nr; i++)
		words[i] = words[i] ? words[i] : ' ';
	prt_safe(&text, words, (size_t)MAX(nr, 0));
	return printbuf_steal(&text, NULL);
}

static int open_file(struct watch *watch, struct printbuf *err)
{
	struct watch_writer *writer = &watch->writer;
	writer->info.recorder = (char *)(uintptr_t)watch->wish->recorder;
	writer->info.program = program_of(watch);
	int error = watch_writer_init(writer, watch->wish->output, watch->sampler, watch->machine,
				      err);
	if (error)
		return error;
	writer->begun_ns = writer->look_ns = clock_now_ns();
	watch->flushed_ns = watch->shown_ns = writer->begun_ns;
	error = watch_write_note(writer, "seen by the sampler %s: %s", watch->sampler->name,
				 watch->sampler->summary);
	return error ? error_set(err, error, "out of memory") : 0;
}

static int watch_init(struct watch *watch, struct printbuf *err)
{
	const char *machine = watch->wish->machine;
	int error = machine_open(machine ? machine : "host", &watch->machine, err);
	if (!error)
		error = live_init(&watch->live, watch->root, watch->machine, err);
	if (!error)
		error = find_processes(watch, err);
	if (!error)
		error = choose(watch, err);
	if (!error)
		error = open_journal(watch, err);
	if (!error)
		error = open_file(watch, err);
	watch->samples = error ? NULL : calloc(SAMPLE_BATCH_MAX, sizeof(*watch->samples));
	if (!error && !watch->samples)
		error = error_set(err, -ENOMEM, "out of memory");
	if (!error && block_signals(watch) < 0)
		error = error_set(err, -errno, "signals: %s", error_text(errno));
	if (!error)
		error = watch->sampler->open(&watch->live, &watch->sampler_state, err);
	return error;
}

static int take_look(struct watch *watch, uint64_t now_ns)
{
	struct watch_writer *writer = &watch->writer;
	uint64_t nr_before = writer->nr_samples;
	int more = 1, error = 0;
	for (unsigned i = 0; more == 1 && !error && i < BATCHES_MAX; i++) {
		struct sample_batch batch = { watch->samples, 0, SAMPLE_BATCH_MAX };
		more = watch->sampler->poll(watch->sampler_state, now_ns, &batch);
		error = watch_write_samples(writer, &batch, clock_now_ns());
	}
	if (!error && more == 0 && writer->nr_samples > nr_before)
		error = watch_end_look(writer, clock_now_ns());
	return error ? error : MIN(more, 0);
}

static uint64_t file_bytes(const struct watch *watch)
{
	struct stat status;
	return fstat(watch->writer.fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static struct watch_progress progress_of(const struct watch *watch)
{
	return (struct watch_progress){
		.passed_ns = clock_now_ns() - watch->writer.begun_ns,
		.sampling_ns = watch->live.sampling_ns + watch->live.kernel_ns,
		.nr_samples = watch->writer.nr_samples,
		.file_bytes = file_bytes(watch),
		.nr_processes = watch->live.nr_alive,
	};
}

static void show(struct watch *watch, uint64_t now_ns)
{
	if (!watch->wish->show || now_ns - watch->shown_ns < SHOW_NS)
		return;
	struct watch_progress progress = progress_of(watch);
	watch->shown_ns = now_ns;
	watch->wish->show(&progress);
}

static int flush(struct watch *watch, uint64_t now_ns)
{
	if (now_ns - watch->flushed_ns < FLUSH_NS)
		return 0;
	watch->flushed_ns = now_ns;
	return watch_write_flush(&watch->writer);
}

static int refresh(struct watch *watch, uint64_t now_ns)
{
	int error = live_refresh(&watch->live);
	watch->refreshed_ns = now_ns;
	return error ? error : watch_write_spaces(&watch->writer, &watch->live, now_ns);
}

static int tick(struct watch *watch)
{
	uint64_t now_ns = clock_now_ns();
	int error = 0;
	watch->live.wake_ns = now_ns + TICK_MAX_NS;
	if (!watch->refreshed_ns || now_ns - watch->refreshed_ns >= REFRESH_NS)
		error = refresh(watch, now_ns);
	if (!error)
		error = take_look(watch, now_ns);
	if (!error)
		error = flush(watch, now_ns);
	show(watch, now_ns);
	return error;
}

/* Until the sampler has something to do, the watched process ends, or a signal comes. */
static void sleep_until_due(struct watch *watch)
{
	struct live_space *top = watch->wish->cgroup ? NULL : live_space(&watch->live, 0);
	uint64_t now_ns = clock_now_ns(), wake_ns = watch->live.wake_ns;
	uint64_t limit_ns = watch->wish->limit_ns;
	if (limit_ns)
		wake_ns = MIN(wake_ns, watch->writer.begun_ns + limit_ns);
	uint64_t left_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
	struct timespec left = { (time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S) };
	struct pollfd fds[] = { { watch->signal_fd, POLLIN, 0 },
				{ top ? top->pidfd : -1, POLLIN, 0 } };
	struct signalfd_siginfo info;
	ppoll(fds, ARRAY_SIZE(fds), &left, NULL);
	if (fds[1].revents) /* its memory is gone; its children are found */
		watch->refreshed_ns = 0;
	if (read(watch->signal_fd, &info, sizeof(info)) == sizeof(info))
		watch->is_stopped = true;
}

static bool goes_on(const struct watch *watch)
{
	uint64_t passed_ns = clock_now_ns() - watch->writer.begun_ns;
	bool is_due = watch->wish->limit_ns && passed_ns >= watch->wish->limit_ns;
	return !is_due && !watch->is_stopped && watch->live.nr_alive > 0;
}

static int rounds(struct watch *watch)
{
	int error = tick(watch);
	while (!error && goes_on(watch)) {
		sleep_until_due(watch);
		error = tick(watch);
	}
	return error;
}

/* What was seen of a process that ended stays; the file says how dear the looking was. */
static int finish(struct watch *watch, struct watch_result *result, struct printbuf *err)
{
	struct watch_writer *writer = &watch->writer;
	struct watch_progress progress = progress_of(watch);
	PRINTBUF(cost);
	int error = watch_write_flush(writer);
	result->failed = result->failed ? result->failed : error;
	prt_percent(&cost, (double)progress.sampling_ns / (double)MAX(progress.passed_ns, 1), 2);
	watch_write_note(writer, "looking took %s of a CPU", printbuf_str(&cost));
	if (watch->live.nr_lost)
		watch_write_note(writer, "%llu of what the sampler saw was lost for want of room",
				 (unsigned long long)watch->live.nr_lost);
	if (result->failed)
		watch_write_note(writer, "the recording stopped early: %s",
				 error_text(result->failed));
	writer->info.nr_ticks = progress.passed_ns;
	result->progress = progress;
	return result->failed == -ENOSPC
		       ? trace_finish_full_disk(watch->wish->output, writer->fd, &writer->info, err)
		       : trace_finish(watch->wish->output, &writer->info, err);
}

static void remove_part(const struct watch *watch)
{
	char *part = watch->writer.fd >= 0 ? trace_part_path(watch->wish->output) : NULL;
	if (part)
		unlink(part);
	free(part);
}

static void watch_fini(struct watch *watch)
{
	struct undo undo = { .root = watch->root, .owner = watch->self };
	if (watch->sampler_state)
		watch->sampler->close(watch->sampler_state);
	if (watch->journal.fd >= 0) {
		journal_undo(&watch->journal, &undo_ops, &undo, NULL);
		journal_fini(&watch->journal);
	}
	if (watch->state_fd >= 0)
		close(watch->state_fd);
	if (watch->signal_fd >= 0)
		close(watch->signal_fd);
	if (watch->has_signals)
		sigprocmask(SIG_SETMASK, &watch->old_signals, NULL);
	watch_writer_fini(&watch->writer);
	free(watch->samples);
	if (watch->live.root)
		live_fini(&watch->live);
	machine_free(watch->machine);
}

int watch_record(const struct root *root, const struct watch_wish *wish, struct watch_result *ret,
		 struct printbuf *err)
{
	struct watch watch = { .root = root,
			       .wish = wish,
			       .writer = { .fd = -1 },
			       .state_fd = -1,
			       .signal_fd = -1,
			       .journal = { .fd = -1 } };
	struct watch_result result = { 0 };
	int error = watch_init(&watch, err);
	if (error) {
		remove_part(&watch);
	} else {
		result.failed = rounds(&watch);
		error = finish(&watch, &result, err);
	}
	watch_fini(&watch);
	if (!error)
		*ret = result;
	return error;
}
