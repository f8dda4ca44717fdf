/* SPDX-License-Identifier: MIT */
/* One declaration per command; each is defined in cli/cmd_NAME.c (`lab run` in
 * cli/cmd_lab_run.c). */
#ifndef BERTH_CLI_COMMANDS_H
#define BERTH_CLI_COMMANDS_H

#include "cli/options.h"

extern const struct command command_record;
extern const struct command command_report;
extern const struct command command_info;
extern const struct command command_convert;
extern const struct command command_machine;
extern const struct command command_doctor;
extern const struct command command_config_check;
extern const struct command command_config_show;
extern const struct command command_config_match;
extern const struct command command_sim;
extern const struct command command_sweep;
extern const struct command command_explain;
extern const struct command command_run_program; /* command_run() is options.h's */
extern const struct command command_trial;
extern const struct command command_daemon;
extern const struct command command_status;
extern const struct command command_set;
extern const struct command command_stop;
extern const struct command command_restore;
extern const struct command command_lab_setup;
extern const struct command command_lab_run;
extern const struct command command_lab_compare;
extern const struct command command_lab_decisions;

#endif
