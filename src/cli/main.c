/* SPDX-License-Identifier: MIT */
/* Finds the command and runs it; `berth`, `berth help`, `berth --version`. */
#include "cli/main.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/config.h"
#include "cli/options.h"

static void list_commands(struct printbuf *out)
{
	prt_str(out, "usage: berth COMMAND [options] [arguments]\n\n"
		     "berth decides where things live on a machine whose CPUs and memory are "
		     "unequal.\n\n");
	for (size_t i = 0; commands[i]; i++)
		prt_printf(out, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
	prt_str(out,
		"\n`berth COMMAND --help` explains one; `berth --version` tells the version;\n"
		"`berth help --man [COMMAND]` prints a man page, `berth help --completion` "
		"bash's.\n\n"
		"Exit status: 0 done; 1 failed (a missing or bad file); 2 wrong command line or\n"
		"machine; 3 not supported here; 4 not permitted; 5 partly done (a cut file, read "
		"to\n"
		"its cut). `run`, `record` and `lab run` pass on the program's.\n");
}

/* `berth lab`: the commands whose name begins with that word. */
static void list_group(struct printbuf *out, const char *word)
{
	size_t len = strlen(word);
	prt_printf(out, "usage: berth %s COMMAND [options] [arguments]\n\n", word);
	for (size_t i = 0; commands[i]; i++)
		if (strncmp(commands[i]->name, word, len) == 0 && commands[i]->name[len] == ' ')
			prt_printf(out, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
	prt_printf(out, "\n`berth %s COMMAND --help` explains one.\n", word);
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

/* The command that argv begins with, and how many words its name has: some have two (`lab run`).
 * NULL: an error was said, and *ret_words is the exit status. */
static const struct command *command_of_words(int argc, char **argv, int *ret_words)
{
	bool ambiguous = false, is_group = false;
	size_t len = strlen(argv[0]);
	for (size_t i = 0; commands[i] && len; i++)
		is_group |= strncmp(commands[i]->name, argv[0], len) == 0 &&
			    commands[i]->name[len] == ' ';
	PRINTBUF(name);
	prt_str(&name, argv[0]);
	if (is_group) {
		if (argc < 2 || argv[1][0] == '-') {
			PRINTBUF(out);
			list_group(&out, argv[0]);
			bool is_asked = argc > 1 && (strcmp(argv[1], "--help") == 0 ||
						     strcmp(argv[1], "-h") == 0);
			*ret_words = is_asked ? put_output(&out, NULL) : EXIT_USAGE;
			if (!is_asked)
				fputs(printbuf_str(&out), stderr);
			return NULL;
		}
		prt_printf(&name, " %s", argv[1]);
	}
	const struct command *found = find_command(printbuf_str(&name), &ambiguous);
	*ret_words = found ? 1 + is_group : unknown_command(printbuf_str(&name), ambiguous);
	return found;
}

/* `help [--man] [COMMAND]`, `help --completion`. */
static int help_main(int argc, char **argv)
{
	PRINTBUF(out);
	bool as_man = argc > 0 && strcmp(argv[0], "--man") == 0;
	if (argc > 0 && strcmp(argv[0], "--completion") == 0) {
		bash_completion(&out);
		return put_output(&out, NULL);
	}
	if (as_man && argc == 2 && strcmp(argv[1], "berth.conf") == 0) {
		config_man(&out);
		return put_output(&out, NULL);
	}
	int at = as_man ? 1 : 0;
	const struct command *command = NULL;
	int nr_words = 0;
	if (argc > at && !(command = command_of_words(argc - at, argv + at, &nr_words)))
		return nr_words;
	if (argc > at + nr_words)
		return fail_usage("%s: one argument too many; usage: berth help [COMMAND]",
				  argv[at + nr_words]);
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
	int nr_words = 0;
	const struct command *command = command_of_words(argc - 1, argv + 1, &nr_words);
	if (!command)
		return nr_words;
	return command_run(command, argc - nr_words, argv + nr_words);
}
