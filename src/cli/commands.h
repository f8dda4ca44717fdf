/* SPDX-License-Identifier: MIT */
/* One declaration per command; each is defined in cli/cmd_NAME.c. */
#ifndef BERTH_CLI_COMMANDS_H
#define BERTH_CLI_COMMANDS_H

#include "cli/options.h"

extern const struct command command_record;
extern const struct command command_report;
extern const struct command command_info;
extern const struct command command_convert;
extern const struct command command_machine;
extern const struct command command_sim;

#endif
