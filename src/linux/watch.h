/* SPDX-License-Identifier: MIT */
/*
 * Recording programs that run: what a sampler sees of their memory, as a .berth file.
 *
 *     tick: refresh (once a second): processes, their mappings -> what changed
 *           sampler -> samples, nodes of pages                     (watch_write.h writes both)
 *           sleeps until the sampler has something to do, at most a second
 *
 * A look is all that a sampler tells in one tick. A sample's window is the time since the look
 * before: what a look tells stands for that long, however short a time it looked. Of a sampler that
 * tells all that was used, what is known and not told of is written as looked at and not used.
 *
 * The clock is CLOCK_MONOTONIC, a tick is 1 ns, 0 is the beginning of the recording.
 *
 * Nothing is moved. What a sampler changes on the machine it holds through the journal (live.h).
 *
 * Cost: what the sampler takes (measured, in the recording's notes), a look at the mappings of each
 * process once a second, known.h. A block is written every second, so that a recorder that is
 * killed leaves what it saw until then.
 */
#ifndef BERTH_LINUX_WATCH_H
#define BERTH_LINUX_WATCH_H

#include "linux/live.h"
#include "trace/trace.h"

struct watch_progress {
	uint64_t passed_ns;
	uint64_t sampling_ns; /* CPU time */
	uint64_t nr_samples;
	uint64_t file_bytes;
	uint32_t nr_processes; /* alive */
};

struct watch_wish {
	pid_t pid; /* 0: a cgroup */
	const char *cgroup;
	const char *sampler; /* name; NULL: the best that works here */
	const char *machine; /* as -M; NULL: what this one tells of itself */
	const char *output;
	const char *recorder; /* name and version */
	const char *state;    /* directory of the journal, or NULL */
	uint64_t limit_ns;    /* 0: none */
	/* Once a second; NULL: not wanted. */
	void (*show)(const struct watch_progress *progress);
};

struct watch_result {
	struct watch_progress progress;
	/* Negative: it ended early, `err` says why; the file holds what was recorded until then. */
	int failed;
};

/* Records until the processes end, the limit passes or a signal asks for it (SIGINT, SIGTERM,
 * SIGHUP, SIGQUIT). Negative: nothing was recorded, there is no file. */
int watch_record(const struct root *root, const struct watch_wish *wish, struct watch_result *ret,
		 struct printbuf *err);

#endif
