/* SPDX-License-Identifier: MIT */
/* `berth lab setup`: fetch QEMU and kernels for the lab. */
#include "cli/commands.h"

static int run(const void *values, int nr_arguments, char **arguments)
{
	return fail_usage("not built yet");
}

const struct command command_lab_setup = {
	.name = "lab setup",
	.usage = "[--kernel SERIES]...",
	.summary = "fetch QEMU and kernels for the lab",
	.max_arguments = -1,
	.takes_program = false,
	.run = run,
};
