/* SPDX-License-Identifier: MIT */
/* See record.h. */
#include "lab/launcher/record.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/record_info.h"
#include "trace/ring.h"

#define ROUND_NS  ((uint64_t)20 * NS_PER_MS) /* at most between looks at the lanes */
#define MEMORY_FD 710 /* out of the way of what QEMU opens early; any other will do */

struct lab_recorder {
	char *path;
	int fd;	       /* of FILE.part */
	int memory_fd; /* of the lanes */
	bool is_finished;
	struct recording *recording;
	struct trace_info info;
	uint32_t pid; /* of the program */
	/* The thread's, and ours once it is joined. */
	pthread_t thread;
	bool has_thread;
	uint32_t is_stopping;
	int error; /* what ended the recording */
	uint32_t nr_seen;
	bool is_over[RING_MAX_LANES];
	struct trace_appender *appenders[RING_MAX_LANES];
};

/* ---- lanes ---- */

static void stop_recording(struct lab_recorder *recorder, int error)
{
	if (recorder->error)
		return;
	recorder->error = error;
	__atomic_store_n(&recorder->recording->is_stopped, 1, __ATOMIC_RELEASE);
}

static void drain_lane(struct lab_recorder *recorder, uint32_t number)
{
	struct lane *lane = ring_lane(recorder->recording, number);
	struct trace_appender **appender = &recorder->appenders[number];
	int error = 0;
	if (!ring_has_words(lane))
		return;
	if (!*appender && !recorder->error)
		error = trace_appender_new(recorder->fd, number, 4096, appender);
	if (!error)
		error = ring_drain(recorder->recording, lane, recorder->error ? NULL : *appender);
	if (error)
		stop_recording(recorder, error);
}

/* Its space has ended: what it left is written, its memory given back. */
static void close_lane(struct lab_recorder *recorder, uint32_t number)
{
	struct lane *lane = ring_lane(recorder->recording, number);
	struct trace_appender **appender = &recorder->appenders[number];
	drain_lane(recorder, number);
	int error = *appender ? trace_appender_flush(*appender) : 0;
	if (error)
		stop_recording(recorder, error);
	*appender = trace_appender_free(*appender);
	recorder->is_over[number] = true;
	fallocate(recorder->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)((char *)lane - (char *)recorder->recording) + 4096,
		  (off_t)(RING_WORDS * 8));
}

static void look_at_lanes(struct lab_recorder *recorder, bool is_last)
{
	uint32_t nr = __atomic_load_n(&recorder->recording->nr_lanes, __ATOMIC_ACQUIRE);
	nr = MIN(nr, RING_MAX_LANES);
	while (recorder->nr_seen < nr &&
	       __atomic_load_n(&ring_lane(recorder->recording, recorder->nr_seen)->state,
			       __ATOMIC_ACQUIRE) != LANE_FREE)
		recorder->nr_seen++;
	for (uint32_t i = 0; i < recorder->nr_seen; i++) {
		struct lane *lane = ring_lane(recorder->recording, i);
		bool has_ended = __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) == LANE_ENDED;
		if (recorder->is_over[i])
			continue;
		if (has_ended || is_last)
			close_lane(recorder, i);
		else
			drain_lane(recorder, i);
	}
}

static void *empty_lanes(void *data)
{
	struct lab_recorder *recorder = data;
	while (!__atomic_load_n(&recorder->is_stopping, __ATOMIC_ACQUIRE)) {
		uint32_t wake = __atomic_load_n(&recorder->recording->wake, __ATOMIC_ACQUIRE);
		look_at_lanes(recorder, false);
		if (!__atomic_load_n(&recorder->is_stopping, __ATOMIC_ACQUIRE))
			ring_wait(recorder->recording, wake, ROUND_NS);
	}
	return NULL;
}

static void join(struct lab_recorder *recorder)
{
	if (!recorder->has_thread)
		return;
	__atomic_store_n(&recorder->is_stopping, 1, __ATOMIC_RELEASE);
	ring_wake_writer(recorder->recording);
	pthread_join(recorder->thread, NULL);
	recorder->has_thread = false;
}

int lab_recorder_start(struct lab_recorder *recorder, struct printbuf *err)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the launcher's */
	int error = -pthread_create(&recorder->thread, NULL, empty_lanes, recorder);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	recorder->has_thread = error == 0;
	return error ? error_set(err, error, "the recording: %s", error_text(error)) : 0;
}

/* ---- life ---- */

static int map_lanes(struct lab_recorder *recorder, struct printbuf *err)
{
	int fd = memfd_create("berth-lab-recording", MFD_CLOEXEC);
	int error = fd < 0 || ftruncate(fd, (off_t)RING_FILE_BYTES) < 0 ? -errno : 0;
	if (!error) {
		recorder->memory_fd = fcntl(fd, F_DUPFD_CLOEXEC, MEMORY_FD);
		void *memory = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_NORESERVE, fd, 0);
		error = memory == MAP_FAILED || recorder->memory_fd < 0 ? -errno : 0;
		recorder->recording = memory == MAP_FAILED ? NULL : memory;
	}
	if (fd >= 0)
		close(fd);
	return error ? error_set(err, error, "shared memory for the recording: %s",
				 error_text(error))
		     : 0;
}

static void fill_recording(struct lab_recorder *recorder)
{
	struct recording *recording = recorder->recording;
	const struct trace_info *info = &recorder->info;
	recording->version = RING_VERSION;
	recording->writer_pid = getpid();
	recording->streams = info->streams;
	recording->interval_ticks = info->interval_ns * 1000 / info->ns_per_ktick;
	recording->cache_bytes = info->cache.size_bytes;
	recording->cache_ways = info->cache.ways;
}

int lab_recorder_check(const struct lab_options *options, struct printbuf *err)
{
	if (!options->record_path)
		return 0;
	if (options->time != LAB_TIME_ICOUNT)
		return error_set(err, -EINVAL,
				 "%s: only a run under icount has the clock of a recording; say "
				 "--time icount",
				 options->record_path);
	if (options->has_no_model)
		return error_set(err, -EINVAL,
				 "%s: it is the latency model that records; leave it in",
				 options->record_path);
	if (options->policy && options->policy->nr_launcher)
		return error_set(err, -EINVAL,
				 "%s: berth itself would be recorded as a part of the program; "
				 "record under another policy",
				 options->record_path);
	return 0;
}

int lab_recorder_new(const struct lab_options *options, const struct lab_model *model,
		     struct lab_recorder **ret, struct printbuf *err)
{
	struct lab_recorder *recorder = calloc(1, sizeof(*recorder));
	if (!recorder)
		return error_set(err, -ENOMEM, "out of memory");
	recorder->fd = recorder->memory_fd = -1;
	recorder->path = strdup(options->record_path);
	int error = recorder->path ? lab_record_info_init(&recorder->info, options, model)
				   : -ENOMEM;
	if (error)
		error_set(err, error, "out of memory");
	error = error ? error : map_lanes(recorder, err);
	error = error ? error : trace_create(recorder->path, &recorder->info, &recorder->fd, err);
	if (error) {
		lab_recorder_free(recorder);
		return error;
	}
	fill_recording(recorder);
	*ret = recorder;
	return 0;
}

int lab_recorder_fd(const struct lab_recorder *recorder)
{
	return recorder->memory_fd;
}

void lab_recorder_sample(struct lab_recorder *recorder, const struct lab_reading *reading,
			 const struct lab_layout *layout)
{
	if (reading->head.when == 0 && recorder->info.nr_memory == 0)
		lab_record_info_sample(&recorder->info, reading, layout);
}

void lab_recorder_started(struct lab_recorder *recorder, uint32_t pid)
{
	recorder->pid = pid;
}

/* Names and numbers are the plugin's and so in the end the guest's: nothing in them is believed. */
static int add_spaces(struct lab_recorder *recorder)
{
	struct trace_info *info = &recorder->info;
	uint32_t nr = recorder->nr_seen;
	info->spaces = calloc((size_t)nr + 1, sizeof(*info->spaces));
	for (uint32_t i = 0; info->spaces && i < nr; i++) {
		const struct lane *lane = ring_lane(recorder->recording, i);
		PRINTBUF(name);
		prt_safe(&name, lane->exec_path, strnlen(lane->exec_path, sizeof(lane->exec_path)));
		bool is_first = i == 0 && recorder->pid;
		info->spaces[i] = (struct trace_space){
			.id = i,
			.kind = TRACE_SPACE_MM,
			.parent = lane->parent < i ? lane->parent : TRACE_NONE,
			.pid = is_first	       ? (int64_t)recorder->pid
			       : lane->pid > 0 ? lane->pid
					       : -1,
			.name = printbuf_steal(&name, NULL),
		};
		info->nr_spaces = i + 1;
		if (!info->spaces[i].name)
			return -ENOMEM;
	}
	return info->spaces ? 0 : -ENOMEM;
}

static void add_notes(struct lab_recorder *recorder, const struct lab_result *result)
{
	const struct recording *recording = recorder->recording;
	struct trace_info *info = &recorder->info;
	PRINTBUF(note);
	if (recording->nr_lanes > RING_MAX_LANES) {
		prt_printf(&note, "%u processes beyond %u were not recorded",
			   recording->nr_lanes - RING_MAX_LANES, RING_MAX_LANES);
		lab_record_info_note(info, &note);
	}
	if (recorder->error) {
		prt_printf(&note, "the recording stopped early: %s", error_text(recorder->error));
		lab_record_info_note(info, &note);
	}
	if (result->end != LAB_END_EXITED) {
		prt_printf(&note, "the run ended before the program did: %s",
			   result->words.pos ? printbuf_str(&result->words)
					     : lab_end_names[result->end]);
		lab_record_info_note(info, &note);
	}
}

int lab_recorder_finish(struct lab_recorder *recorder, const struct lab_result *result,
			struct printbuf *err)
{
	join(recorder);
	look_at_lanes(recorder, true);
	struct trace_info *info = &recorder->info;
	info->nr_ticks = recorder->recording->clock;
	info->exit_status = result->end == LAB_END_EXITED ? result->status : -1;
	int error = lab_record_info_result(info, result);
	error = error ? error : add_spaces(recorder);
	if (error)
		return error_set(err, error, "%s: out of memory", recorder->path);
	lab_record_info_work(info, recorder->recording);
	add_notes(recorder, result);
	if (recorder->nr_seen == 0)
		return error_set(err, -ENODATA,
				 "%s: nothing was recorded, because the program did not start",
				 recorder->path);
	recorder->is_finished = true; /* what there is stays, even if its end cannot be written */
	error = trace_finish(recorder->path, info, err);
	if (!error && recorder->error)
		error = error_set(err, recorder->error, "%s: the recording stopped early: %s",
				  recorder->path, error_text(recorder->error));
	return error;
}

struct lab_recorder *lab_recorder_free(struct lab_recorder *recorder)
{
	if (!recorder)
		return NULL;
	join(recorder);
	for (uint32_t i = 0; i < RING_MAX_LANES; i++)
		trace_appender_free(recorder->appenders[i]);
	char *part = recorder->fd >= 0 && !recorder->is_finished ? trace_part_path(recorder->path)
								 : NULL;
	if (part)
		unlink(part);
	free(part);
	if (recorder->recording)
		munmap(recorder->recording, RING_FILE_BYTES);
	if (recorder->memory_fd >= 0)
		close(recorder->memory_fd);
	if (recorder->fd >= 0)
		close(recorder->fd);
	lab_record_info_fini(&recorder->info);
	free(recorder->path);
	free(recorder);
	return NULL;
}
