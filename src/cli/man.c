/* SPDX-License-Identifier: MIT */
/*
 * Man pages and shell completion from the option tables, so that they cannot drift from --help:
 * `berth help --man COMMAND` prints roff (man(7) macros), `berth help --completion` a bash script.
 */
#include <string.h>

#include "cli/options.h"

/* Text in roff: backslashes, and lines that begin with a dot or quote, are special. */
static void prt_roff(struct printbuf *out, const char *text)
{
	bool line_start = true;
	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			prt_str(out, "\\&");
		if (*text == '\\')
			prt_str(out, "\\e");
		else if (*text == '-')
			prt_str(out, "\\-");
		else
			prt_char(out, *text);
		line_start = *text == '\n';
	}
}

static void prt_man_option(struct printbuf *out, const struct option *option)
{
	prt_str(out, ".TP\n\\fB");
	if (option->letter) {
		prt_str(out, "\\-");
		prt_char(out, option->letter);
		prt_str(out, "\\fR, \\fB");
	}
	prt_str(out, "\\-\\-");
	prt_roff(out, option->name);
	prt_str(out, "\\fR");
	if (option->argument || option->choices) {
		prt_str(out, " \\fI");
		prt_roff(out, option->choices ? option->choices : option->argument);
		prt_str(out, "\\fR");
	}
	prt_char(out, '\n');
	prt_roff(out, option->help);
	prt_char(out, '\n');
}

static const char exit_status_text[] =
	".SH EXIT STATUS\n0 done; 1 failed (a missing or bad file); 2 wrong command line, machine "
	"line or configuration; 3 not supported here; 4 not permitted; 5 partly done (a cut file "
	"read to its cut). Commands that run a program pass on its status: 126 it may not run, "
	"127 it is not there, 128+N signal N ended it.\n";

void command_man(struct printbuf *out, const struct command *command)
{
	prt_printf(out, ".TH BERTH-%s 1 \"\" \"berth %s\" \"berth\"\n.SH NAME\nberth\\-%s \\- ",
		   command->name, BERTH_VERSION, command->name);
	prt_roff(out, command->summary);
	prt_printf(out, "\n.SH SYNOPSIS\n\\fBberth %s\\fR ", command->name);
	prt_roff(out, command->usage);
	prt_str(out, "\n.SH DESCRIPTION\n");
	if (command->about)
		prt_roff(out, command->about);
	prt_str(out, "\n.SH OPTIONS\n");
	for (size_t i = 0; i < command->nr_options; i++)
		prt_man_option(out, &command->options[i]);
	if (command->more_help) {
		PRINTBUF(more);
		command->more_help(&more);
		prt_str(out, ".SH NAMES\n.nf\n");
		prt_roff(out, printbuf_str(&more));
		prt_str(out, ".fi\n");
	}
	prt_str(out, exit_status_text);
	if (command->examples) {
		prt_str(out, ".SH EXAMPLES\n.nf\n");
		prt_roff(out, command->examples);
		prt_str(out, ".fi\n");
	}
	prt_str(out, ".SH SEE ALSO\n\\fBberth\\fR(1)\n");
}

void berth_man(struct printbuf *out)
{
	prt_printf(out,
		   ".TH BERTH 1 \"\" \"berth %s\" \"berth\"\n.SH NAME\nberth \\- decides where "
		   "things live on a machine whose CPUs and memory are unequal\n.SH SYNOPSIS\n"
		   "\\fBberth\\fR \\fICOMMAND\\fR [options] [arguments]\n.SH COMMANDS\n",
		   BERTH_VERSION);
	for (size_t i = 0; commands[i]; i++) {
		prt_printf(out, ".TP\n\\fBberth\\-%s\\fR(1)\n", commands[i]->name);
		prt_roff(out, commands[i]->summary);
		prt_char(out, '\n');
	}
	prt_str(out, exit_status_text);
}

void bash_completion(struct printbuf *out)
{
	prt_str(out, "# bash completion for berth; made by `berth help --completion`\n"
		     "_berth()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} options=\n"
		     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		     "\t\tCOMPREPLY=($(compgen -W 'help");
	for (size_t i = 0; commands[i]; i++)
		prt_printf(out, " %s", commands[i]->name);
	prt_str(out, "' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; commands[i]; i++) {
		prt_printf(out, "\t%s) options='--help", commands[i]->name);
		for (size_t k = 0; k < commands[i]->nr_options; k++)
			prt_printf(out, " --%s", commands[i]->options[k].name);
		prt_str(out, "' ;;\n");
	}
	prt_str(out, "\tesac\n\tif [[ $word == -* ]]; then\n"
		     "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
		     "\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\tfi\n}\n"
		     "complete -F _berth berth\n");
}
