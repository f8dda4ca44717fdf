/* SPDX-License-Identifier: MIT */
/*
 * Programs that the lab's setup runs for it (apt-get, dpkg-deb, tar, xz): found in PATH, without a
 * shell, in the C locale, with bounds on what they say, and never outliving us.
 */
#ifndef BERTH_LAB_PROCESS_H
#define BERTH_LAB_PROCESS_H

#include <sys/types.h>

#include "base/printbuf.h"

struct process {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *set;	 /* NAME=VALUE pairs for its environment; NULL: none */
	const char *directory;	 /* its working directory; NULL: ours */
	const char *const *feed; /* argv of the program whose stdout is its stdin; NULL: none */
	/* Lines of its file descriptor 3 (apt's status); NULL: it gets none. */
	void (*status_line)(void *data, const char *line);
	void *data;
	uint64_t limit_ns; /* of silence on every descriptor; 0: none */
};

#define PROCESS_OUTPUT_MAX ((size_t)64 << 20) /* bytes kept of stdout */
#define PROCESS_ERROR_MAX  ((size_t)64 << 10) /* of stderr */

/* Runs to the end. Returns the exit status (128 + signal), or negative errno: -ENOENT not found,
 * -EINTR SIGINT or SIGTERM came, -ETIMEDOUT silent for too long, -E2BIG it said too much.
 * `out`, `said`: its stdout and stderr (of both programs), NULL: thrown away. A feed that failed
 * counts as the program's own failure. */
int process_run(const struct process *process, struct printbuf *out, struct printbuf *said);

#endif
