/* SPDX-License-Identifier: MIT */
/* Asking the daemon (server.h, daemon_answer.c). */
#ifndef BERTH_LINUX_ASK_H
#define BERTH_LINUX_ASK_H

#include "base/printbuf.h"
#include "machine/root.h"

#define ASK_PATIENCE_MS 15000
#define ASK_MAX_ANSWER	((size_t)16 << 20)

/* Sends the line and takes the answer, without its newline. `socket` NULL: in the state directory
 * `state` (NULL: that of `berth run`, and for users root's, where there is no daemon of theirs).
 * -ENOENT: no daemon runs. What comes is not checked. */
int ask_daemon(const struct root *root, const char *socket, const char *state, const char *line,
	       struct printbuf *ret_answer, struct printbuf *err);

#endif
