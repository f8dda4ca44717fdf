/* SPDX-License-Identifier: MIT */
/* `berth COMMAND --help`, from the option table. */
#include <string.h>

#include "cli/options.h"

#define HELP_COLUMN 26 /* where the explanation of an option starts */
#define HELP_WIDTH  90

/* Wraps words between the column and HELP_WIDTH; the cursor already stands at `column`. */
static void prt_wrapped(struct printbuf *out, const char *text, size_t column)
{
	size_t at = column;
	while (*text) {
		size_t len = strcspn(text, " \n");
		if (at > column && at + 1 + len > HELP_WIDTH) {
			prt_char(out, '\n');
			prt_chars(out, ' ', column);
			at = column;
		} else if (at > column) {
			prt_char(out, ' ');
			at++;
		}
		prt_mem(out, text, len);
		at += len;
		text += len;
		if (*text == '\n') {
			prt_char(out, '\n');
			prt_chars(out, ' ', column);
			at = column;
		}
		text += *text != '\0';
	}
	prt_char(out, '\n');
}

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
	prt_wrapped(out, option->help, HELP_COLUMN);
}

void command_help(struct printbuf *out, const struct command *command)
{
	prt_printf(out, "usage: berth %s %s\n\n", command->name, command->usage);
	if (command->about) {
		prt_wrapped(out, command->about, 0);
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
