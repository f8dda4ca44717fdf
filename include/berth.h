/* SPDX-License-Identifier: MIT */
/*
 * libberth: what berth sees and predicts, for programs.
 *
 *     struct berth_error error = { .size = sizeof(error) };
 *     struct berth_recording *recording;
 *     if (berth_recording_open("sqlite3.berth", &recording, &error) < 0)
 *             errx(1, "%s", error.text);
 *
 * Handles are opaque and are not thread-safe: one handle, one thread at a time. Structs that cross
 * the border begin with their own size in bytes, which the caller sets: fields are only ever
 * added at the end, so a program built against an older berth.h goes on working. Fallible functions
 * return 0 or a negative errno; outputs go through ret_ parameters, untouched on failure; `error`
 * may be NULL. The library neither prints nor exits, and calls no callback.
 */
#ifndef BERTH_H
#define BERTH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_API __attribute__((visibility("default")))

/* "0.1.0"; static. */
BERTH_API const char *berth_version(void);

struct berth_error { /* one sentence: object, reason, remedy; filled on failure only */
	size_t size;
	char text[512];
};

/* Machines: "host", a captured root (directory or tar), hwloc XML, or a line such as
 * "node:dram:64GiB@80ns/100GBps:cpus=0-15 node:cxl:256GiB@250ns/30GBps". */
struct berth_machine;
BERTH_API int berth_machine_open(const char *argument, struct berth_machine **ret,
				 struct berth_error *error);
BERTH_API void berth_machine_close(struct berth_machine *machine); /* NULL allowed */
/* The line that opens to the same machine; malloc(3)ed, the caller frees. NULL: no memory. */
BERTH_API char *berth_machine_line(const struct berth_machine *machine);

/* Recordings: .berth files, and every file that `berth info` reads. */
struct berth_recording;
BERTH_API int berth_recording_open(const char *path, struct berth_recording **ret,
				   struct berth_error *error);
BERTH_API void berth_recording_close(struct berth_recording *recording); /* NULL allowed */

struct berth_recording_info {
	size_t size;
	uint32_t page_bytes;
	uint32_t is_cut;		/* 1: it ends early; what is there is good */
	uint64_t duration_ns;		/* of the recording's clock */
	uint64_t nr_accesses;		/* access events */
	uint64_t nr_misses, nr_touches; /* UINT64_MAX: not known */
	const char *program;		/* lives as long as the recording */
};
BERTH_API void berth_recording_info(const struct berth_recording *recording,
				    struct berth_recording_info *ret);

/* Predictions: one policy ("linux-none", "recency:idle=20", "optimal", ...) on one machine. */
struct berth_prediction {
	size_t size;
	uint64_t time_ns;     /* predicted for the program */
	uint64_t all_fast_ns; /* the same with everything on the fastest node */
	uint64_t misses, fast_misses;
	uint64_t promoted_pages, demoted_pages;
	uint64_t moved_bytes;
};
/* Reads the whole recording again at each call; fill several policies in one call, for they share
 * the pass. `ret` has one element per policy, each with its size set. 1: the recording is cut or
 * damaged (error says where) and the figures cover what came before. */
BERTH_API int berth_predict(struct berth_recording *recording, const struct berth_machine *machine,
			    const char *const policies[], size_t nr_policies,
			    struct berth_prediction ret[], struct berth_error *error);

#ifdef __cplusplus
}
#endif

#endif
