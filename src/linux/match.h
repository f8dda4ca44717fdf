/* SPDX-License-Identifier: MIT */
/*
 * Which process is which job's: the Match= lines of berth.conf against what /proc tells.
 *
 *     /proc/PID/stat      name, start time, is it the kernel's own?
 *     /proc/PID/cgroup    cgroup: and unit:      read only when some job asks for it
 *     /proc/PID/cmdline   command:               (the same)
 *
 * A process belongs to the first job that one of its matches takes, in the order of the
 * configuration. cgroup:/a takes /a and all below it, in any hierarchy; unit:x.service takes who
 * has a group of that name above it; command:x takes the name that the kernel shows (15
 * characters), or the last part of the program's own name. Threads of the kernel and processes
 * that ended are nobody's.
 *
 * The start time goes with the pid, and is read before and after: a pid that is used again is
 * another process.
 *
 * Cost: two to four small files per process, 10 us each; a pattern takes time in proportion to its
 * length times that of the name (one place to go back to, never more).
 */
#ifndef BERTH_LINUX_MATCH_H
#define BERTH_LINUX_MATCH_H

#include <sys/types.h>

#include "linux/config.h"
#include "machine/root.h"

#define MATCH_MAX_PROCESSES 262144
#define MATCH_COMM_SIZE	    64 /* the kernel's are shorter, those of its threads up to 63 */

struct match_process {
	pid_t pid;
	uint64_t start_ticks;
	char comm[MATCH_COMM_SIZE];
	char *command; /* last part of argv[0]; NULL: not read, or none */
	char *cgroups; /* lines as in /proc/PID/cgroup; NULL: not read */
	bool is_kernels, has_ended;
};

struct match_needs { /* of a configuration */
	bool cgroup, command;
};

struct match_needs match_needs(const struct config *config);
/* -ESRCH: it ended, or its pid is another's by now. */
int match_process_read(const struct root *root, pid_t pid, struct match_needs needs,
		       struct match_process *ret);
void match_process_fini(struct match_process *process);
bool match_takes(const struct config_match *match, const struct match_process *process);
/* Index of the first job that takes it, and which of its matches did (NULL allowed); -1: none. */
int64_t match_job(const struct config *config, const struct match_process *process,
		  size_t *ret_match);

struct match_found {
	struct match_process process;
	size_t job, match;
};

struct match_list {
	struct match_found *items; /* by pid */
	size_t nr;
};

/* All processes of a job below the root's /proc. Those that end meanwhile are left out. */
int match_all(const struct root *root, const struct config *config, struct match_list *ret);
void match_list_fini(struct match_list *list);

/* '*' is any characters but '/', '?' one, [a-z] and [!a-z] one of a set; all else is itself. */
bool match_pattern(const char *pattern, const char *text, size_t nr_bytes);

#endif
