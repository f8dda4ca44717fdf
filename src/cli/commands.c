/* SPDX-License-Identifier: MIT */
/* The commands, in the order help shows them. A new command is one file cmd_NAME.c and its line
 * here. */
#include "cli/commands.h"

/* clang-format off */
const struct command *const commands[] = {
	&command_record,
	&command_report,
	&command_sim,
	&command_sweep,
	&command_explain,
	&command_run_program,
	&command_trial,
	&command_daemon,
	&command_status,
	&command_set,
	&command_stop,
	&command_restore,
	&command_info,
	&command_convert,
	&command_machine,
	&command_doctor,
	&command_config_check,
	&command_config_show,
	&command_config_match,
	&command_lab_setup,
	&command_lab_run,
	&command_lab_compare,
	&command_lab_decisions,
	NULL,
};
/* clang-format on */
