/* SPDX-License-Identifier: MIT */
/* `berth sweep`: many simulations into a database, and tables of what came out. */
#include <sched.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/sweep_run.h"
#include "cli/sweep_show.h"

#define DEFAULT_RESULTS "results.db"

struct sweep_options {
	uint64_t nr_workers;
	const char *results;
	uint64_t memory_bytes;
	const char *show;
	const char *recording, *policy, *fast;
	enum output_format format;
};

/* The processors that this process may use. */
static unsigned count_processors(void)
{
	cpu_set_t set;
	int nr = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return (unsigned)MIN(MAX(nr, 1), SWEEP_WORKERS_MAX);
}

static uint64_t half_of_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
	return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes / 2 : GIB;
}

static int sweep_grid_file(const struct sweep_options *options, const char *path)
{
	struct sweep_settings settings = {
		.grid_path = path,
		.results_path = options->results ? options->results : DEFAULT_RESULTS,
		.nr_workers = options->nr_workers ? (unsigned)options->nr_workers
						  : count_processors(),
		.memory_bytes = options->memory_bytes ? options->memory_bytes : half_of_memory(),
	};
	struct sweep_grid *grid = NULL;
	PRINTBUF(err);
	if (options->nr_workers > SWEEP_WORKERS_MAX)
		return fail_usage("-j %llu: too many; write 1 to %d",
				  (unsigned long long)options->nr_workers, SWEEP_WORKERS_MAX);
	int error = sweep_grid_open(path, &grid, &err);
	if (error)
		return fail(&err, error);
	int status = sweep_run(grid, &settings);
	sweep_grid_free(grid);
	return status;
}

static int write_show(const struct sweep_options *options, const struct show *show,
		      struct sweep_db *db, const struct sweep_filter *filter)
{
	PRINTBUF(out);
	PRINTBUF(err);
	int error = 0;
	if (options->format == FORMAT_JSON)
		error = show_to_json(&out, show, db, filter, &err);
	else if (options->format == FORMAT_CSV)
		error = show_to_csv(&out, show, db, filter, &err);
	else
		show_to_text(&out, show, terminal_columns(), terminal_is_utf8());
	return error ? fail(&err, error) : put_output(&out, options->results);
}

static int sweep_show_file(const struct sweep_options *options)
{
	struct sweep_filter filter = { options->recording, options->policy, options->fast };
	struct sweep_db *db = NULL;
	struct show *show = NULL;
	PRINTBUF(err);
	int error = sweep_db_look(options->show, &db, &err);
	if (!error)
		error = show_load(db, options->show, &filter, &show, &err);
	if (!error && show->nr_cases == 0)
		error = error_set(&err, -ENOENT, "%s: no simulation %s", options->show,
				  options->recording || options->fast
					  ? "fits --recording and --fast"
					  : "is in it yet");
	int status = error ? fail(&err, error) : write_show(options, show, db, &filter);
	show_free(show);
	sweep_db_close(db);
	return status;
}

static int sweep_run_command(const void *raw, int nr_arguments, char **arguments)
{
	const struct sweep_options *options = raw;
	if (options->show && nr_arguments)
		return fail_usage("a grid or --show, not both");
	if (options->show)
		return sweep_show_file(options);
	if (options->recording || options->policy || options->fast || options->format)
		return fail_usage("--recording, --policy, --fast and --format choose what --show "
				  "FILE shows; what is swept stands in the grid");
	if (nr_arguments == 0)
		return fail_usage("usage: berth sweep %s", command_sweep.usage);
	return sweep_grid_file(options, arguments[0]);
}

static const struct option sweep_options[] = {
	{ 'j', "jobs", "N", OPTION_COUNT, offsetof(struct sweep_options, nr_workers),
	  "Simulate in N processes at once; all processors unless given.", NULL },
	{ 'o', "output", "FILE", OPTION_STRING, offsetof(struct sweep_options, results),
	  "The file of results; results.db unless given. Rows that are there already, of the same "
	  "recording and berth, are not made again.",
	  NULL },
	{ 0, "memory", "SIZE", OPTION_BYTES, offsetof(struct sweep_options, memory_bytes),
	  "What the simulations may take together, roughly; half of the machine's memory unless "
	  "given.",
	  NULL },
	{ 0, "show", "FILE", OPTION_STRING, offsetof(struct sweep_options, show),
	  "Show the results in FILE: tables of slowdown and of the gap recovered, the best "
	  "settings "
	  "and which tunables matter. A sweep may be writing to it. With -o to a file.",
	  NULL },
	{ 0, "recording", "PATTERN", OPTION_STRING, offsetof(struct sweep_options, recording),
	  "Show only recordings whose name fits the shell pattern.", NULL },
	{ 0, "policy", "PATTERN", OPTION_STRING, offsetof(struct sweep_options, policy),
	  "Show only policies whose section, spec or own name fits.", NULL },
	{ 0, "fast", "PATTERN", OPTION_STRING, offsetof(struct sweep_options, fast),
	  "Show only sizes of fast memory that were written so in the grid.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct sweep_options, format),
	  "Of --show. JSON and CSV have every row.", "text|json|csv" },
};

const struct command command_sweep = {
	.name = "sweep",
	.usage = "GRID.ini [-j N] [-o FILE] | --show FILE [options]",
	.summary = "simulate policies x tunables x sizes x recordings into a database",
	.about = "Simulates every combination that a grid names, on all processors, and keeps each "
		 "result in an SQLite file with the command that repeats it. A recording is "
		 "decoded once for all of its simulations. What was done stays: after a kill, or "
		 "with more in the grid, the same command does what is missing.",
	.examples = "  berth sweep grid.ini -o results.db\n"
		    "  berth sweep --show results.db --fast 1:2\n"
		    "  berth sweep --show results.db --format csv > rows.csv\n",
	.options = sweep_options,
	.nr_options = ARRAY_SIZE(sweep_options),
	.options_size = sizeof(struct sweep_options),
	.min_arguments = 0,
	.max_arguments = 1,
	.run = sweep_run_command,
};
