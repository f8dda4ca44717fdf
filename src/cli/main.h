/* SPDX-License-Identifier: MIT */
#ifndef BERTH_CLI_MAIN_H
#define BERTH_CLI_MAIN_H

/* `berth COMMAND ...`: finds the command (a unique beginning will do), runs it, returns the exit
 * status of design.md. */
int berth_main(int argc, char **argv);

#endif
