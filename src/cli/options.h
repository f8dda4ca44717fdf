/* SPDX-License-Identifier: MIT */
/*
 * The option table: one record per command from which parsing, --help, the man page and shell
 * completion all come, so that they cannot drift apart.
 *
 * Long options may be cut to a unique beginning. "--" ends them. Options may stand among the
 * arguments unless the command takes a program to run: then they end at its name. Of an option
 * given twice the last counts, unless it is a list. No value may be empty.
 */
#ifndef BERTH_CLI_OPTIONS_H
#define BERTH_CLI_OPTIONS_H

#include "base/error.h"
#include "base/table.h"

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_STRING, /* const char * */
	OPTION_LIST,   /* struct option_list: may repeat */
	OPTION_U64,    /* uint64_t */
	OPTION_COUNT,  /* uint64_t, not zero */
	OPTION_BYTES,  /* uint64_t, not zero */
	OPTION_NS,     /* uint64_t, not zero */
	OPTION_FORMAT, /* enum output_format */
};

struct option_list {
	const char **items;
	size_t nr;
};

struct option {
	char letter;	      /* 0: none */
	const char *name;     /* long name without dashes */
	const char *argument; /* "FILE"; NULL for flags */
	enum option_kind kind;
	size_t offset;	     /* offsetof() in the command's own options struct */
	const char *help;    /* one or more sentences */
	const char *choices; /* "text|json|csv" for FORMAT and STRING, or NULL */
};

struct command {
	const char *name;
	const char *usage;    /* what follows the name: "FILE [-M MACHINE] [options]" */
	const char *summary;  /* one line, for the list of commands */
	const char *about;    /* paragraphs for --help and the man page: teaches */
	const char *examples; /* lines "berth ..." each under a "# comment" line; or NULL */
	const struct option *options;
	size_t nr_options;
	size_t options_size; /* of the struct that offsets point into; zeroed before parsing */
	int min_arguments, max_arguments; /* -1: any number */
	bool takes_program;		  /* options end at the first argument */
	/* Data on stdout, messages on stderr. Returns the exit status. */
	int (*run)(const void *options, int nr_arguments, char **arguments);
	/* A message that completes --help with what only run time knows (policies); may be NULL. */
	void (*more_help)(struct printbuf *out);
};

extern const struct command *const commands[]; /* NULL-terminated; cli/commands.c */

/* Parses, answers --help, runs. argv[0] is the command's name. */
int command_run(const struct command *command, int argc, char **argv);
void command_help(struct printbuf *out, const struct command *command);
/* The man page of one command and of berth, in roff; a bash completion script. */
void command_man(struct printbuf *out, const struct command *command);
void berth_man(struct printbuf *out);
void bash_completion(struct printbuf *out);
void prt_roff(struct printbuf *out, const char *text); /* as text of a man page */

/* "berth COMMAND: sentence" on stderr. */
void complain(const char *format, ...) berth_printf(1, 2);
/* The sentence collected in err, and the exit status that fits `error`. */
int fail(const struct printbuf *err, int error);
int fail_usage(const char *format, ...) berth_printf(1, 2); /* returns EXIT_USAGE */
/* Writes all of `out` to stdout, or to `path` when not NULL (via path.part and rename);
 * a full disk or closed pipe is an error. Returns an exit status. */
int put_output(const struct printbuf *out, const char *path);
/* Before long work: could put_output write there? NULL is standard output: 0. Else -ENOENT,
 * -EACCES, ... with a sentence. */
int can_put_output(const char *path, struct printbuf *err);
/* Writing `out` would spoil `in`, which is still to be read: the same file, or out.part is. */
bool output_is_input(const char *in, const char *out);
bool output_part_is_input(const char *in, const char *out);

bool stderr_is_terminal(void);
unsigned terminal_columns(void); /* of stdout; COLUMNS, else 80 */
bool terminal_has_colour(void);	 /* stdout is one, NO_COLOR unset, TERM not dumb */
bool terminal_is_utf8(void);	 /* by locale variables */

#endif
