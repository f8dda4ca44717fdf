/* SPDX-License-Identifier: MIT */
/* Parses by the option table (options.h) and prints its help. */
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

static const char *current_command = "";

struct parse {
	const struct command *command;
	char *values; /* the command's options struct */
	int argc, at;
	char **argv;
	int nr_arguments;
	char **arguments;
	bool wants_help;
};

/* One line. Names in it may come from outside: no control character reaches the terminal. */
static void vcomplain(const char *format, va_list args)
{
	PRINTBUF(text);
	PRINTBUF(safe);
	prt_vprintf(&text, format, args);
	prt_printf(&safe, "berth%s%s: ", *current_command ? " " : "", current_command);
	const char *line = printbuf_str(&text);
	prt_safe(&safe, line, text.pos && line[text.pos - 1] == '\n' ? text.pos - 1 : text.pos);
	prt_char(&safe, '\n');
	fflush(stdout);
	fputs(printbuf_str(&safe), stderr);
}

void complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vcomplain(format, args);
	va_end(args);
}

int fail_usage(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vcomplain(format, args);
	va_end(args);
	return EXIT_USAGE;
}

int fail(const struct printbuf *err, int error)
{
	complain("%s", err && err->pos ? printbuf_str(err) : error_text(error));
	return error_exit_status(error);
}

static bool is_one_of(const char *value, const char *choices)
{
	size_t len = strcspn(value, "|");
	if (value[len] == '|') /* more than one at a time */
		return false;
	for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		if (strncmp(at, value, len) == 0 && (at[len] == '|' || at[len] == '\0'))
			return true;
	return false;
}

static enum output_format format_of(const char *value)
{
	static const char *const names[] = { "text", "json", "csv", "svg", "line" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], value) == 0)
			return (enum output_format)i;
	return FORMAT_TEXT;
}

static int list_add(struct option_list *list, const char *value)
{
	const char **items = realloc(list->items, (list->nr + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->nr++] = value;
	return 0;
}

static int store_number(const struct option *option, void *slot, const char *value)
{
	uint64_t number = 0;
	int error = option->kind == OPTION_BYTES ? parse_bytes(value, &number)
		    : option->kind == OPTION_NS	 ? parse_ns(value, &number)
						 : parse_u64(value, &number);
	bool is_zero = !error && number == 0 && option->kind != OPTION_U64;
	if (error || is_zero)
		return fail_usage("--%s %s: %s; write %s", option->name, value,
				  is_zero	     ? "must not be zero"
				  : error == -ERANGE ? "too large"
						     : "not understood",
				  option->kind == OPTION_BYTES ? "a size such as 64MiB"
				  : option->kind == OPTION_NS  ? "a time such as 10ms"
							       : "a whole number");
	*(uint64_t *)slot = number;
	return 0;
}

/* 0, or the exit status. */
static int store_value(struct parse *parse, const struct option *option, const char *value)
{
	void *slot = parse->values + option->offset;
	if (option->choices && value && !is_one_of(value, option->choices))
		return fail_usage("--%s %s: not one of %s", option->name, value, option->choices);
	switch (option->kind) {
	case OPTION_FLAG:
		*(bool *)slot = true;
		return 0;
	case OPTION_STRING:
		*(const char **)slot = value;
		return 0;
	case OPTION_LIST:
		return list_add(slot, value) ? fail_usage("out of memory") : 0;
	case OPTION_FORMAT:
		*(enum output_format *)slot = format_of(value);
		return 0;
	default:
		return store_number(option, slot, value);
	}
}

static const struct option *find_long(const struct command *command, const char *name, size_t len,
				      bool *ret_ambiguous)
{
	const struct option *found = NULL;
	*ret_ambiguous = false;
	for (size_t i = 0; i < command->nr_options; i++) {
		const struct option *option = &command->options[i];
		if (strncmp(option->name, name, len) != 0)
			continue;
		if (option->name[len] == '\0') {
			*ret_ambiguous = false;
			return option;
		}
		*ret_ambiguous = found != NULL;
		found = option;
	}
	return *ret_ambiguous ? NULL : found;
}

static int unknown_option(const struct parse *parse, const char *word, bool ambiguous)
{
	const char *names[64];
	size_t nr = 0;
	for (; nr < parse->command->nr_options && nr < ARRAY_SIZE(names); nr++)
		names[nr] = parse->command->options[nr].name;
	if (ambiguous)
		return fail_usage("%s: several options begin so; write it out", word);
	PRINTBUF(name);
	prt_mem(&name, word + 2, word[1] == '-' ? strcspn(word + 2, "=") : 0);
	const char *nearest = nearest_name(printbuf_str(&name), names, nr);
	if (nearest)
		return fail_usage("%s: there is no such option; did you mean --%s?", word, nearest);
	return fail_usage("%s: there is no such option; `berth %s --help` lists them", word,
			  parse->command->name);
}

/* The value of an option: what stands after '=' or in the same word, else the next word. */
static int take_value(struct parse *parse, const struct option *option, const char *attached,
		      const char *word)
{
	if (option->kind == OPTION_FLAG) {
		if (attached)
			return fail_usage("--%s takes no value", option->name);
		return store_value(parse, option, NULL);
	}
	if (!attached) {
		if (parse->at >= parse->argc)
			return fail_usage("%s needs a value: %s", word, option->argument);
		attached = parse->argv[parse->at++];
	}
	if (*attached == '\0')
		return fail_usage("--%s: its value is empty; write %s", option->name,
				  option->choices ? option->choices : option->argument);
	return store_value(parse, option, attached);
}

static int parse_long(struct parse *parse, const char *word)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	bool ambiguous = false;
	const struct option *option = find_long(parse->command, name, len, &ambiguous);
	if (len == 0)
		return unknown_option(parse, word, false);
	if (!option && len <= 4 && strncmp(name, "help", len) == 0 && !ambiguous) {
		parse->wants_help = true;
		return 0;
	}
	if (!option)
		return unknown_option(parse, word, ambiguous);
	return take_value(parse, option, equals ? equals + 1 : NULL, word);
}

static int parse_letters(struct parse *parse, const char *word)
{
	for (const char *at = word + 1; *at; at++) {
		const struct option *option = NULL;
		for (size_t i = 0; i < parse->command->nr_options && !option; i++)
			if (parse->command->options[i].letter == *at)
				option = &parse->command->options[i];
		if (!option && *at == 'h') {
			parse->wants_help = true;
			return 0;
		}
		if (!option)
			return unknown_option(parse, word, false);
		if (option->kind != OPTION_FLAG)
			return take_value(parse, option, at[1] ? at + 1 : NULL, word);
		int status = take_value(parse, option, NULL, word);
		if (status)
			return status;
	}
	return 0;
}

static int parse_words(struct parse *parse)
{
	while (parse->at < parse->argc) {
		char *word = parse->argv[parse->at++];
		int status = 0;
		if (strcmp(word, "--") == 0)
			break;
		if (word[0] == '-' && word[1] == '-') {
			status = parse_long(parse, word);
		} else if (word[0] == '-' && word[1]) {
			status = parse_letters(parse, word);
		} else {
			parse->arguments[parse->nr_arguments++] = word;
			if (parse->command->takes_program)
				break;
		}
		if (status)
			return status;
	}
	while (parse->at < parse->argc)
		parse->arguments[parse->nr_arguments++] = parse->argv[parse->at++];
	return 0;
}

static int check_arguments(const struct parse *parse)
{
	const struct command *command = parse->command;
	if (parse->nr_arguments < command->min_arguments)
		return fail_usage("%s; usage: berth %s %s",
				  parse->nr_arguments ? "too few arguments" : "no argument",
				  command->name, command->usage);
	if (command->max_arguments >= 0 && parse->nr_arguments > command->max_arguments)
		return fail_usage("%s: one argument too many; usage: berth %s %s",
				  parse->arguments[command->max_arguments], command->name,
				  command->usage);
	for (int i = 0; i < parse->nr_arguments && !command->takes_program; i++)
		if (parse->arguments[i][0] == '\0')
			return fail_usage("an empty argument; usage: berth %s %s", command->name,
					  command->usage);
	return 0;
}

static void free_lists(const struct command *command, char *values)
{
	for (size_t i = 0; i < command->nr_options; i++)
		if (command->options[i].kind == OPTION_LIST)
			free(((struct option_list *)(values + command->options[i].offset))->items);
}

int command_run(const struct command *command, int argc, char **argv)
{
	current_command = command->name;
	struct parse parse = { .command = command, .argc = argc, .at = 1, .argv = argv };
	parse.values = calloc(1, command->options_size + 1);
	parse.arguments = calloc((size_t)argc + 1, sizeof(char *));
	int status = EXIT_FAILED;
	if (!parse.values || !parse.arguments) {
		complain("out of memory");
	} else {
		status = parse_words(&parse);
		if (!status && parse.wants_help) {
			PRINTBUF(out);
			command_help(&out, command);
			status = put_output(&out, NULL);
		} else if (!status) {
			status = check_arguments(&parse);
			if (!status)
				status = command->run(parse.values, parse.nr_arguments,
						      parse.arguments);
		}
		free_lists(command, parse.values);
	}
	free(parse.values);
	free(parse.arguments);
	return status;
}
