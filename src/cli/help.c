/* SPDX-License-Identifier: MIT */
/* `berth COMMAND --help`, from the option table. */
#include <string.h>

#include "cli/options.h"

#define HELP_COLUMN 26 /* where the explanation of an option starts */
#define HELP_WIDTH  90

static void prt_option(struct printbuf *out, const struct option *option)
{
	size_t start = out->pos;
	if (option->letter)
		prt_printf(out, "  -%c, --%s", option->letter, option->name);
	else
		prt_printf(out, "      --%s", option->name);
	if (option->choices)
		prt_printf(out, " %s", option->choices);
	else if (option->argument)
		prt_printf(out, " %s", option->argument);
	size_t used = out->pos - start;
	if (used + 2 > HELP_COLUMN) {
		prt_char(out, '\n');
		used = 0;
	}
	prt_chars(out, ' ', HELP_COLUMN - used);
	prt_words(out, option->help, HELP_COLUMN, HELP_WIDTH);
}

void command_help(struct printbuf *out, const struct command *command)
{
	prt_printf(out, "usage: berth %s %s\n\n", command->name, command->usage);
	if (command->about) {
		prt_words(out, command->about, 0, HELP_WIDTH);
		prt_char(out, '\n');
	}
	for (size_t i = 0; i < command->nr_options; i++)
		prt_option(out, &command->options[i]);
	prt_str(out, "  -h, --help");
	prt_chars(out, ' ', HELP_COLUMN - strlen("  -h, --help"));
	prt_str(out, "this text\n");
	if (command->more_help) {
		prt_char(out, '\n');
		command->more_help(out);
	}
	if (command->examples)
		prt_printf(out, "\nExamples:\n%s", command->examples);
}
