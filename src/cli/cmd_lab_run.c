/* SPDX-License-Identifier: MIT */
/* `berth lab run`: run a program on a real kernel with that machine's memory. */
#include "cli/commands.h"

static int run(const void *values, int nr_arguments, char **arguments)
{
	return fail_usage("not built yet");
}

const struct command command_lab_run = {
	.name = "lab run",
	.usage = "-M MACHINE [options] [--] PROGRAM [ARGUMENTS]",
	.summary = "run a program on a real kernel with that machine's memory",
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
};
