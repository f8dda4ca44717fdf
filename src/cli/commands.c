/* SPDX-License-Identifier: MIT */
/* The commands, in the order help shows them. A new command is one file cmd_NAME.c and its line
 * here. */
#include "cli/commands.h"

const struct command *const commands[] = {
	&command_record,  &command_report, &command_info, &command_convert,
	&command_machine, &command_sim,	   NULL,
};
