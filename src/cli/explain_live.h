/* SPDX-License-Identifier: MIT */
/* `berth explain JOB|ADDRESS`: what the daemon decided lately, in the words of the simulation. */
#ifndef BERTH_CLI_EXPLAIN_LIVE_H
#define BERTH_CLI_EXPLAIN_LIVE_H

#include "cli/options.h"

struct explain_live_options {
	const char *pid, *socket, *state;
	enum output_format format;
};

/* Does it name a job or an address, as there is no such file? */
bool explain_live_is_meant(int nr_arguments, char **arguments);
/* JOB, ADDRESS, or JOB ADDRESS. Returns the exit status. */
int explain_live(const struct explain_live_options *options, int nr_arguments, char **arguments);

#endif
