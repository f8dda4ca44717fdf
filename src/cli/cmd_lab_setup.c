/* SPDX-License-Identifier: MIT */
/*
 * `berth lab setup`: fetch QEMU and kernels for the lab.
 *
 * The work is done in lab/launcher/fetch.c; here is what is said meanwhile (on stderr: a line that
 * changes on a terminal, a line per step elsewhere) and what is there at the end (on stdout).
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "cli/commands.h"
#include "lab/launcher/cache.h"

struct setup_options {
	struct option_list kernels;
	bool refresh;
	enum output_format format;
};

struct progress {
	char last[128]; /* what was told last */
	int percent;
	bool is_terminal, has_line;
};

static void clear_line(struct progress *progress)
{
	if (progress->has_line)
		fputs("\r\033[K", stderr);
	progress->has_line = false;
}

static void show(void *data, const char *what, int percent, uint64_t bytes)
{
	struct progress *progress = data;
	PRINTBUF(line);
	bool is_new = strcmp(progress->last, what) != 0;
	if (!is_new && (!progress->is_terminal || percent == progress->percent))
		return;
	snprintf(progress->last, sizeof(progress->last), "%s", what);
	progress->percent = percent;
	prt_printf(&line, "%sberth lab setup: %s", progress->is_terminal ? "\r\033[K" : "", what);
	if (progress->is_terminal && percent >= 0)
		prt_printf(&line, ": %d %%", percent);
	if (progress->is_terminal && percent >= 0 && bytes) {
		prt_str(&line, ", ");
		prt_bytes(&line, bytes / 100 * (uint64_t)percent);
		prt_str(&line, " of ");
		prt_bytes(&line, bytes);
	} else if (bytes) {
		prt_str(&line, ": ");
		prt_bytes(&line, bytes);
	}
	if (!progress->is_terminal)
		prt_char(&line, '\n');
	progress->has_line = progress->is_terminal;
	fputs(printbuf_str(&line), stderr);
}

static uint64_t walked_bytes;

static int add_size(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	if (type == FTW_F)
		walked_bytes += (uint64_t)status->st_blocks * 512;
	return 0;
}

static uint64_t folder_bytes(const char *folder)
{
	walked_bytes = 0;
	nftw(folder, add_size, 16, FTW_PHYS);
	return walked_bytes;
}

static const struct column columns[] = {
	{ "name", "lab", COLUMN_TEXT },
	{ "version", "version", COLUMN_TEXT },
	{ "size_bytes", "size", COLUMN_BYTES },
	{ "path", "where", COLUMN_TEXT },
};

/* A row with the size of `folder` below the cache, when the file is from there; NULL: it is not. */
static void add_row(struct table *table, const char *name, const char *version, const char *path,
		    const char *cache, const char *folder)
{
	PRINTBUF(place);
	prt_printf(&place, "%s/%s", cache, folder ? folder : "");
	table_row(table);
	table_text(table, name);
	table_text(table, version);
	if (folder && strncmp(path, printbuf_str(&place), place.pos) == 0)
		table_u64(table, folder_bytes(printbuf_str(&place)));
	else
		table_none(table);
	table_text(table, path);
}

static void list_what_is_there(struct table *table, const char *cache,
			       const struct option_list *kernels)
{
	struct lab_qemu qemu = {};
	if (lab_cache_qemu(&qemu, NULL) == 0)
		add_row(table, "QEMU", qemu.version, qemu.binary, cache, "qemu");
	lab_qemu_fini(&qemu);
	for (size_t i = 0; lab_kernel_series[i]; i++) {
		struct lab_kernel kernel = {};
		PRINTBUF(name);
		PRINTBUF(folder);
		prt_printf(&name, "kernel %s", lab_kernel_series[i]);
		prt_printf(&folder, "kernels/%s", lab_kernel_series[i]);
		if (lab_cache_kernel(lab_kernel_series[i], &kernel, NULL) == 0)
			add_row(table, printbuf_str(&name), kernel.version, kernel.vmlinuz, cache,
				printbuf_str(&folder));
		lab_kernel_fini(&kernel);
	}
	for (size_t i = 0; i < kernels->nr; i++) {
		struct lab_kernel kernel = {};
		if (strchr(kernels->items[i], '/') &&
		    lab_cache_kernel(kernels->items[i], &kernel, NULL) == 0)
			add_row(table, "own kernel", kernel.version, kernel.vmlinuz, cache, NULL);
		lab_kernel_fini(&kernel);
	}
}

static int report(const struct setup_options *options)
{
	char *cache = NULL;
	PRINTBUF(out);
	PRINTBUF(err);
	int error = lab_cache_dir(&cache, &err);
	if (error)
		return fail(&err, error);
	struct table *table = table_new(columns, ARRAY_SIZE(columns));
	if (table)
		list_what_is_there(table, cache, &options->kernels);
	free(cache);
	if (!table || table_has_error(table)) {
		table_free(table);
		return fail(&err, -ENOMEM);
	}
	if (options->format == FORMAT_JSON) {
		struct json_writer json;
		json_writer_init(&json, &out, false);
		table_to_json(&json, NULL, table);
		prt_char(&out, '\n');
	} else if (options->format == FORMAT_CSV) {
		table_to_csv(&out, table);
	} else {
		table_to_text(&out, table);
	}
	table_free(table);
	return put_output(&out, NULL);
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	PRINTBUF(err);
	const struct setup_options *options = values;
	struct progress progress = { .is_terminal = stderr_is_terminal() };
	const struct lab_setup_options setup = { .kernels = options->kernels.items,
						 .nr_kernels = options->kernels.nr,
						 .refresh = options->refresh,
						 .progress = show,
						 .data = &progress };
	int error = lab_setup(&setup, &err);
	clear_line(&progress);
	return error ? fail(&err, error) : report(options);
}

static const struct option option_table[] = {
	{ .name = "kernel",
	  .argument = "SERIES|PATH",
	  .kind = OPTION_LIST,
	  .offset = offsetof(struct setup_options, kernels),
	  .help = "A kernel to fetch, in its newest version: 6.12 (the default) or 7.3. May be "
		  "given several times. The path of a vmlinuz of your own is only checked." },
	{ .name = "refresh",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct setup_options, refresh),
	  .help = "Look for newer versions of what is there already. Without it nothing that is "
		  "there needs the network." },
	{ .name = "format",
	  .argument = "FORMAT",
	  .kind = OPTION_FORMAT,
	  .offset = offsetof(struct setup_options, format),
	  .help = "How to print what is there. text is for people; json and csv have plain "
		  "numbers.",
	  .choices = "text|json|csv" },
};

const struct command command_lab_setup = {
	.name = "lab setup",
	.usage = "[--kernel SERIES|PATH]... [--refresh] [--format text|json|csv]",
	.summary = "fetch QEMU and kernels for the lab",
	.about = "Fetches what the lab runs: QEMU 10 (unless the system has it) and kernels. They "
		 "come from the machine's own Debian mirror: the suites are derived from its apt "
		 "entries, which stay as they are, and apt verifies the signatures. Nothing is "
		 "installed, and no root is needed: everything lies below ~/.cache/berth/lab "
		 "($XDG_CACHE_HOME/berth/lab, or $BERTH_LAB_CACHE), which may be copied to a "
		 "machine of the same release without network, or removed.\n"
		 "What is there is not fetched again. An interrupted setup is continued by the "
		 "next. $BERTH_LAB_QEMU names a QEMU of your own; lab run --kernel PATH takes a "
		 "vmlinuz of your own.",
	.examples = "  # what lab run needs\n"
		    "  berth lab setup\n"
		    "  # both kernels, the newest of each\n"
		    "  berth lab setup --kernel 6.12 --kernel 7.3 --refresh\n",
	.options = option_table,
	.nr_options = ARRAY_SIZE(option_table),
	.options_size = sizeof(struct setup_options),
	.max_arguments = 0,
	.takes_program = false,
	.run = run,
};
