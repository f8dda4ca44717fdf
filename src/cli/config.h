/* SPDX-License-Identifier: MIT */
/* What `berth config check`, `berth config show` and berth.conf(5) share. */
#ifndef BERTH_CLI_CONFIG_H
#define BERTH_CLI_CONFIG_H

#include "cli/options.h"
#include "linux/config.h"

/* `path`: a file or directory, or NULL: what is below `root`, or NULL: of this machine. 0, or the
 * exit status after the sentence was said. */
int config_open(const char *root, const char *path, struct config **ret);
/* berth.conf(5), in roff. */
void config_man(struct printbuf *out);

#endif
