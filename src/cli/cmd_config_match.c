/* SPDX-License-Identifier: MIT */
/* `berth config match`: which running process is which job's, and by which line (linux/match.h). */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/config.h"
#include "linux/match.h"

struct match_options {
	const char *root;
	enum output_format format;
};

static const struct column columns[] = {
	{ "job", "job", COLUMN_TEXT },
	{ "pid", "pid", COLUMN_FIXED, 0 },
	{ "command", "command", COLUMN_TEXT },
	{ "match", "by", COLUMN_TEXT },
};

/* In the order of jobs, then of pids. Names come from outside: made safe for a terminal. */
static void fill_table(struct table *table, const struct config *config,
		       const struct match_list *list)
{
	for (size_t job = 0; job < config->nr_jobs; job++)
		for (size_t i = 0; i < list->nr; i++) {
			const struct match_found *found = &list->items[i];
			PRINTBUF(name);
			PRINTBUF(match);
			if (found->job != job)
				continue;
			prt_safe(&name, found->process.comm, strlen(found->process.comm));
			config_match_to_text(&match,
					     &config->jobs[job].matches.items[found->match]);
			table_row(table);
			table_text(table, config->jobs[job].name);
			table_double(table, found->process.pid); /* a name, not a count */
			table_text(table, printbuf_str(&name));
			table_text(table, printbuf_str(&match));
		}
}

static void print(struct printbuf *out, const struct table *table, enum output_format format)
{
	struct json_writer json;
	if (format == FORMAT_CSV) {
		table_to_csv(out, table);
	} else if (format == FORMAT_JSON) {
		json_writer_init(&json, out, false);
		table_to_json(&json, NULL, table);
		prt_char(out, '\n');
	} else if (table_nr_rows(table) == 0) {
		prt_str(out, "no process is a job's\n");
	} else {
		table_to_text(out, table);
	}
}

static int show(const struct config *config, const struct root *root, enum output_format format)
{
	struct match_list list = { 0 };
	PRINTBUF(out);
	PRINTBUF(err);
	int error = match_all(root, config, &list);
	if (error) {
		error_file(&err, error, "/proc", "read");
		return fail(&err, error);
	}
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	if (table)
		fill_table(table, config, &list);
	match_list_fini(&list);
	if (!table || table_has_error(table)) {
		table_free(table);
		return fail(NULL, -ENOMEM);
	}
	print(&out, table, format);
	table_free(table);
	return put_output(&out, NULL);
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct match_options *options = values;
	const char *path = nr_arguments > 0 ? arguments[0] : NULL;
	struct config *config = NULL;
	int status = config_open(path ? NULL : options->root, path, &config);
	if (status)
		return status;
	const char *top = options->root ? options->root : "/";
	struct root root = { .fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC),
			     .is_host = !options->root };
	if (root.fd < 0) {
		PRINTBUF(err);
		int error = error_file(&err, -errno, top, "open");
		status = fail(&err, error);
	} else {
		status = show(config, &root, options->format);
		close(root.fd);
	}
	config_free(config);
	return status;
}

static const struct option match_options[] = {
	{ 0, "root", "DIR", OPTION_STRING, offsetof(struct match_options, root),
	  "Look at the processes of proc below this directory, and without an argument at its "
	  "configuration.",
	  NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct match_options, format),
	  "Output as text, json or csv.", "text|json|csv" },
};

const struct command command_config_match = {
	.name = "config match",
	.usage = "[FILE|DIR] [--root DIR] [--format text|json|csv]",
	.summary = "which running process is which job's, and by which Match=",
	.about = "Reads berth.conf and its drop-ins as `berth config check` does, and lists the "
		 "processes that run now and belong to one of its jobs: the first job whose Match= "
		 "takes a process has it. Nothing is changed.",
	.examples = "  berth config match\n"
		    "  # before it is installed\n"
		    "  berth config match new.conf\n",
	.options = match_options,
	.nr_options = ARRAY_SIZE(match_options),
	.options_size = sizeof(struct match_options),
	.max_arguments = 1,
	.run = run,
};
