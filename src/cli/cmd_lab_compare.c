/* SPDX-License-Identifier: MIT */
/* `berth lab compare`: run a program under several policies, side by side. */
#include "cli/commands.h"

static int run(const void *values, int nr_arguments, char **arguments)
{
	return fail_usage("not built yet");
}

const struct command command_lab_compare = {
	.name = "lab compare",
	.usage = "-M MACHINE -P POLICY... [options] [--] PROGRAM [ARGUMENTS]",
	.summary = "run a program under several policies, side by side",
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
};
