/* SPDX-License-Identifier: MIT */
/* Finds the command and runs it; `berth`, `berth help`, `berth --version`. */
#include "cli/main.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"

static void list_commands(struct printbuf *out)
{
	prt_str(out, "usage: berth COMMAND [options] [arguments]\n\n"
		     "berth decides where things live on a machine whose CPUs and memory are "
		     "unequal.\n\n");
	for (size_t i = 0; commands[i]; i++)
		prt_printf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	prt_str(out,
		"\n`berth COMMAND --help` explains one; `berth --version` tells the version;\n"
		"`berth help --man [COMMAND]` prints a man page, `berth help --completion` "
		"bash's.\n\n"
		"Exit status: 0 done; 1 failed (a missing or bad file); 2 wrong command line or\n"
		"machine; 3 not supported here; 4 not permitted; 5 partly done (a cut file, read "
		"to\n"
		"its cut). `record` passes on the program's.\n");
}

/* An exact name, or the only one that begins so. */
static const struct command *find_command(const char *name, bool *ret_ambiguous)
{
	const struct command *found = NULL;
	*ret_ambiguous = false;
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			*ret_ambiguous = false;
			return commands[i];
		}
		if (*name && strncmp(commands[i]->name, name, strlen(name)) == 0) {
			*ret_ambiguous = found != NULL;
			found = commands[i];
		}
	}
	return *ret_ambiguous ? NULL : found;
}

static int unknown_command(const char *name, bool ambiguous)
{
	const char *names[64];
	size_t nr = 0;
	while (nr < ARRAY_SIZE(names) && commands[nr]) {
		names[nr] = commands[nr]->name;
		nr++;
	}
	const char *nearest = nearest_name(name, names, nr);
	const char *why = ambiguous ? "several commands begin so" : "there is no such command";
	if (nearest)
		return fail_usage("%s: %s; did you mean %s?", name, why, nearest);
	return fail_usage("%s: %s; `berth help` lists them", *name ? name : "\"\"", why);
}

/* `help [--man] [COMMAND]`, `help --completion`. */
static int help_main(int argc, char **argv)
{
	PRINTBUF(out);
	bool ambiguous = false;
	bool as_man = argc > 0 && strcmp(argv[0], "--man") == 0;
	if (argc > 0 && strcmp(argv[0], "--completion") == 0) {
		bash_completion(&out);
		return put_output(&out, NULL);
	}
	int at = as_man ? 1 : 0;
	if (argc > at + 1)
		return fail_usage("%s: one argument too many; usage: berth help [COMMAND]",
				  argv[at + 1]);
	const char *name = argc > at ? argv[at] : NULL;
	const struct command *command = name ? find_command(name, &ambiguous) : NULL;
	if (name && !command)
		return unknown_command(name, ambiguous);
	if (as_man)
		command ? command_man(&out, command) : berth_man(&out);
	else
		command ? command_help(&out, command) : list_commands(&out);
	return put_output(&out, NULL);
}

/* A file that is opened must not become standard output or error of a caller who closed them.
 * What holds their place can be neither read nor written, and a program that is run lacks it. */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) != fd)
			return;
}

int berth_main(int argc, char **argv)
{
	hold_standard_descriptors();
	if (argc < 2) {
		PRINTBUF(out);
		list_commands(&out);
		fputs(printbuf_str(&out), stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help_main(argc - 2, argv + 2);
	if (strcmp(name, "--version") == 0) {
		PRINTBUF(out);
		prt_str(&out, "berth " BERTH_VERSION "\n");
		return put_output(&out, NULL);
	}
	bool ambiguous = false;
	const struct command *command = find_command(name, &ambiguous);
	if (!command)
		return unknown_command(name, ambiguous);
	return command_run(command, argc - 1, argv + 1);
}
