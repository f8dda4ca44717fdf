/* SPDX-License-Identifier: MIT */
/* What the daemon tells of itself, of its jobs and of pages, as JSON (docs/daemon.md has the
 * fields). */
#ifndef BERTH_LINUX_DAEMON_STATUS_H
#define BERTH_LINUX_DAEMON_STATUS_H

#include "base/json.h"
#include "linux/daemon.h"

#define EXPLAIN_EVENTS_MAX  200
#define EXPLAIN_REFUSED_MAX 100 /* of these: many at once hide nothing of what was moved */

struct daemon_page { /* what is asked for */
	uint64_t address;
	pid_t pid;     /* 0: of any process */
	bool is_given; /* else: what was decided last in these jobs */
};

void daemon_to_json(struct json_writer *json, const char *key, const struct daemon *daemon);
void daemon_job_to_json(struct json_writer *json, const struct daemon *daemon, uint32_t number);
/* Of jobs that may be seen. -ENOENT: nothing is known of the page. */
int daemon_explain_to_json(struct json_writer *json, const struct daemon *daemon,
			   const struct daemon_page *page, const bool *seen, struct printbuf *err);

#endif
