/* SPDX-License-Identifier: MIT */
/* The daemon's jobs, as `berth status` shows them. */
#ifndef BERTH_CLI_STATUS_DAEMON_H
#define BERTH_CLI_STATUS_DAEMON_H

#include "base/printbuf.h"

/* `answer` "": no daemon runs, and nothing is printed. */
void status_daemon_to_text(struct printbuf *out, const char *answer);

#endif
