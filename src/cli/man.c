/* SPDX-License-Identifier: MIT */
/*
 * Man pages and shell completion from the option tables, so that they cannot drift from --help:
 * `berth help --man COMMAND` prints roff (man(7) macros), `berth help --completion` a bash script.
 */
#include <string.h>

#include "cli/options.h"

/* Backslashes, and lines that begin with a dot or quote, are special. */
void prt_roff(struct printbuf *out, const char *text)
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

/* "lab run" in the name of a page: "lab-run". */
static void prt_dashed(struct printbuf *out, const char *name)
{
	for (; *name; name++)
		prt_str(out, *name == ' ' ? "\\-" : (const char[]){ *name, '\0' });
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
	prt_str(out, ".TH BERTH-");
	prt_dashed(out, command->name);
	prt_printf(out, " 1 \"\" \"berth %s\" \"berth\"\n.SH NAME\nberth\\-", BERTH_VERSION);
	prt_dashed(out, command->name);
	prt_str(out, " \\- ");
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
		prt_str(out, ".TP\n\\fBberth\\-");
		prt_dashed(out, commands[i]->name);
		prt_str(out, "\\fR(1)\n");
		prt_roff(out, commands[i]->summary);
		prt_char(out, '\n');
	}
	prt_str(out, exit_status_text);
}

/* The first words of all names, once each. */
static void prt_first_words(struct printbuf *out)
{
	for (size_t i = 0; commands[i]; i++) {
		size_t len = strcspn(commands[i]->name, " ");
		if (i && strncmp(commands[i - 1]->name, commands[i]->name, len) == 0 &&
		    strchr(" ", commands[i - 1]->name[len]))
			continue;
		prt_char(out, ' ');
		prt_mem(out, commands[i]->name, len);
	}
}

static void prt_cases(struct printbuf *out)
{
	for (size_t i = 0; commands[i]; i++) {
		const struct command *command = commands[i];
		prt_printf(out, strchr(command->name, ' ') ? "\t'%s') " : "\t%s' '*) ",
			   command->name);
		prt_str(out, "options='--help");
		for (size_t k = 0; k < command->nr_options; k++)
			prt_printf(out, " --%s", command->options[k].name);
		prt_str(out, "' ;;\n");
	}
}

static void prt_groups(struct printbuf *out)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *blank = strchr(commands[i]->name, ' ');
		if (blank)
			prt_printf(out,
				   "\t\t%.*s) COMPREPLY+=($(compgen -W '%s' -- \"$word\")) ;;&\n",
				   (int)(blank - commands[i]->name), commands[i]->name, blank + 1);
	}
}

/* A case of bash ends at its first match, so the words of a group are one case each with ;;&. */
void bash_completion(struct printbuf *out)
{
	prt_str(out, "# bash completion for berth; made by `berth help --completion`\n"
		     "_berth()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} options=\n"
		     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		     "\t\tCOMPREPLY=($(compgen -W 'help");
	prt_first_words(out);
	prt_str(out, "' -- \"$word\"))\n\t\treturn\n\tfi\n"
		     "\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\tCOMPREPLY=()\n"
		     "\t\tcase ${COMP_WORDS[1]} in\n");
	prt_groups(out);
	prt_str(out, "\t\tesac\n\t\t[ ${#COMPREPLY[@]} -gt 0 ] && return\n\tfi\n"
		     "\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
	prt_cases(out);
	prt_str(out, "\tesac\n\tif [[ $word == -* ]]; then\n"
		     "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
		     "\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\tfi\n}\n"
		     "complete -F _berth berth\n");
}
