/* SPDX-License-Identifier: MIT */
/* `berth record`: what does this program do with its memory? */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/record.h"

#define INTERVAL_NS_DEFAULT NS_PER_MS
#define CACHE_BYTES_DEFAULT (2 * MIB)
#define CACHE_WAYS_DEFAULT  16
#define CACHE_WAYS_MAX	    64
#define CACHE_BYTES_MAX	    GIB
#define FILTER_LINES	    2048 /* of the recorder (recorder/core.h) */

#ifndef BERTH_PLUGIN_DIR
#define BERTH_PLUGIN_DIR "/usr/local/lib/berth"
#endif

struct record_options {
	const char *output, *stream, *cache;
	uint64_t interval_ns, time_limit_ns;
	bool baseline;
	struct record_live_options live;
};

/* One recording under way. */
struct record {
	struct record_program program;
	struct trace_info info;
	struct record_run run;
	char *output;
};

static int parse_streams(const char *text, uint32_t *ret)
{
	static const char *const names[] = { "misses", "touches", "all", "counts" };
	uint32_t streams = 0;
	for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t len = strcspn(at, ",");
		uint32_t bit = 0;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (strlen(names[i]) == len && strncmp(names[i], at, len) == 0)
				bit = 1u << i;
		if (!bit)
			return fail_usage(
				"--stream %s: unknown; write misses, touches, all, counts, "
				"or several with commas",
				text);
		streams |= bit;
	}
	if (streams & TRACE_STREAM_ALL)
		streams |= TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES;
	*ret = streams;
	return 0;
}

static int parse_cache(const char *text, struct trace_cache *ret)
{
	char size[32];
	uint64_t bytes = 0, ways = CACHE_WAYS_DEFAULT;
	size_t len = strcspn(text, ",");
	if (len >= sizeof(size))
		len = 0;
	memcpy(size, text, len);
	size[len] = '\0';
	if (parse_bytes(size, &bytes) < 0 || (text[len] && parse_u64(text + len + 1, &ways) < 0))
		return fail_usage("--cache %s: not understood; write SIZE[,WAYS] such as 2MiB,16",
				  text);
	if (ways == 0 || ways > CACHE_WAYS_MAX)
		return fail_usage("--cache %s: ways must be from 1 to %d", text, CACHE_WAYS_MAX);
	if (bytes == 0 || bytes > CACHE_BYTES_MAX || bytes % (ways * 64))
		return fail_usage("--cache %s: the size must be a multiple of ways x 64 bytes, at "
				  "most 1GiB",
				  text);
	*ret = (struct trace_cache){ .size_bytes = bytes,
				     .ways = (uint32_t)ways,
				     .line_bytes = 64,
				     .filter_lines = FILTER_LINES };
	return 0;
}

static int parse_options(const struct record_options *options, struct trace_info *info)
{
	int status = parse_streams(options->stream ? options->stream : "misses,touches",
				   &info->streams);
	info->cache = (struct trace_cache){ .size_bytes = CACHE_BYTES_DEFAULT,
					    .ways = CACHE_WAYS_DEFAULT,
					    .line_bytes = 64,
					    .filter_lines = FILTER_LINES };
	if (!status && options->cache)
		status = parse_cache(options->cache, &info->cache);
	info->interval_ns = options->interval_ns ? options->interval_ns : INTERVAL_NS_DEFAULT;
	if (!status && (info->interval_ns < 10 * NS_PER_US || info->interval_ns > 1000 * NS_PER_S))
		status = fail_usage("--interval: from 10us to 1000s");
	return status;
}

char *record_find_plugin(void)
{
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[MAX(len, 0)] = '\0';
	PRINTBUF(path);
	prt_str(&path, dirname(exe));
	prt_str(&path, "/recorder/libberth-recorder.so");
	if (access(printbuf_str(&path), R_OK) == 0)
		return printbuf_steal(&path, NULL);
	return access(BERTH_PLUGIN_DIR "/libberth-recorder.so", R_OK) == 0
		       ? strdup(BERTH_PLUGIN_DIR "/libberth-recorder.so")
		       : NULL;
}

static int find_tools(struct record *record)
{
	int error = 0;
	record->run.qemu = record_search_path("qemu-x86_64", &error);
	if (!record->run.qemu) {
		complain("qemu-x86_64: not found in PATH; install it: apt-get install qemu-user");
		return EXIT_NOT_SUPPORTED;
	}
	record->run.plugin = record_find_plugin();
	if (!record->run.plugin) {
		complain("libberth-recorder.so: neither beside berth nor in " BERTH_PLUGIN_DIR
			 "; run make install");
		return EXIT_NOT_SUPPORTED;
	}
	return 0;
}

static char *join_words(char **words, int nr)
{
	PRINTBUF(text);
	for (int i = 0; i < nr; i++) {
		prt_str(&text, i ? " " : "");
		prt_safe(&text, words[i], MIN(strlen(words[i]), 1024));
	}
	return printbuf_steal(&text, NULL);
}

/* "NAME.berth" of the program's last path component. */
static char *default_output(const char *program)
{
	const char *slash = strrchr(program, '/');
	PRINTBUF(text);
	prt_printf(&text, "%s.berth", slash ? slash + 1 : program);
	return printbuf_steal(&text, NULL);
}

static void set_clock(struct trace_info *info, const struct record *record)
{
	struct recording *recording = record->run.recording;
	recording->streams = info->streams;
	recording->interval_ticks = MAX(info->interval_ns * 1000 / info->ns_per_ktick, 1);
	recording->cache_bytes = info->cache.size_bytes;
	recording->cache_ways = info->cache.ways;
	recording->exact_clock = getenv("BERTH_RECORD_EXACT_CLOCK") != NULL;
}

/* The clock by the native run: the CPU's time, or less when threads shared the work. The length of
 * an interval was set in instructions before; it follows. */
static void measure_clock(struct trace_info *info, const struct recording *recording,
			  uint64_t cpu_ns)
{
	uint64_t busy_ns = MIN(cpu_ns, info->native_ns);
	if (recording->clock == 0 || busy_ns == 0)
		return;
	info->ns_per_ktick = MAX((uint64_t)((double)busy_ns * 1000 / (double)recording->clock), 1);
	info->interval_ns = recording->interval_ticks * info->ns_per_ktick / 1000;
	info->clock_measured = true;
}

static int make_spaces(struct record *record)
{
	uint32_t nr = record->run.nr_lanes;
	struct trace_space *spaces = calloc((size_t)nr + 1, sizeof(*spaces));
	if (!spaces)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		struct lane *lane = ring_lane(record->run.recording, i);
		spaces[i] = (struct trace_space){ .id = i,
						  .kind = TRACE_SPACE_MM,
						  .parent = lane->parent < i ? lane->parent
									     : TRACE_NONE,
						  .pid = lane->pid,
						  .name = record->program.real };
	}
	record->info.spaces = spaces;
	record->info.nr_spaces = nr;
	return 0;
}

static void make_notes(struct record *record, int error)
{
	struct record_run *run = &record->run;
	uint32_t nr_threads = 0;
	for (uint32_t i = 0; i < run->nr_lanes; i++)
		nr_threads += ring_lane(run->recording, i)->nr_lost_threads;
	if (nr_threads)
		record_add_note(run, "%u threads beyond 1024 at a time were not recorded",
				nr_threads);
	if (run->recording->nr_lanes > RING_MAX_LANES)
		record_add_note(run, "%u processes beyond %u were not recorded",
				run->recording->nr_lanes - RING_MAX_LANES, RING_MAX_LANES);
	if (run->left_some)
		record_add_note(run, "the recording ended before the last of its processes");
	if (run->hit_limit)
		record_add_note(run, "ended by --time-limit");
	if (record->program.is_set_id)
		record_add_note(run, "%s is set-user-id or set-group-id, and ran without that",
				record->program.real);
	if (error)
		record_add_note(run, "the recording stopped early: %s", error_text(error));
	record->info.notes = run->notes;
	record->info.nr_notes = run->nr_notes;
}

/* The exit status: the program's, or 5 when only the recording failed. */
static int finish(struct record *record, uint64_t cpu_ns)
{
	PRINTBUF(err);
	struct record_run *run = &record->run;
	struct trace_info *info = &record->info;
	int failed = run->error;
	info->exit_status = run->status;
	info->nr_references = run->recording->nr_references ? run->recording->nr_references
							    : TRACE_UNKNOWN;
	if (!(info->streams & (TRACE_STREAM_ALL | TRACE_STREAM_COUNTS)))
		info->nr_references = TRACE_UNKNOWN; /* hits in the filter are not counted */
	if (cpu_ns)
		measure_clock(info, run->recording, cpu_ns);
	make_notes(record, failed);
	for (uint32_t i = 0; i < run->nr_notes; i++)
		complain("%s", run->notes[i]);
	int error = make_spaces(record);
	if (!error)
		error = failed == -ENOSPC
				? trace_finish_full_disk(record->output, run->fd, info, &err)
				: trace_finish(record->output, info, &err);
	if (error) {
		complain("%s", err.pos ? printbuf_str(&err) : error_text(error));
		return EXIT_PARTLY;
	}
	return failed ? EXIT_PARTLY : run->status;
}

static int run_recorded(struct record *record, uint64_t cpu_ns)
{
	PRINTBUF(err);
	int error = trace_create(record->output, &record->info, &record->run.fd, &err);
	if (error)
		return fail(&err, error);
	record->run.program = &record->program;
	error = record_run_init(&record->run, &err);
	if (!error) {
		set_clock(&record->info, record);
		error = record_run(&record->run, &err);
	}
	int status;
	if (error || record->run.nr_lanes == 0) {
		char *part = trace_part_path(record->output);
		if (part)
			unlink(part);
		free(part);
		status = error ? fail(&err, error) : EXIT_FAILED;
		if (!error)
			complain("the recorder did not start in %s; its QEMU is not one that this "
				 "berth was built for (7.2)",
				 record->run.qemu);
	} else {
		status = finish(record, cpu_ns);
	}
	close(record->run.fd);
	record_run_fini(&record->run);
	return status;
}

static int record_program(struct record *record, const struct record_options *options)
{
	PRINTBUF(err);
	uint64_t cpu_ns = 0;
	int status = find_tools(record);
	if (status)
		return status;
	if (options->baseline) {
		int error = record_baseline(&record->program, &record->info.native_ns, &cpu_ns,
					    &err);
		if (error)
			return fail(&err, error);
	}
	return run_recorded(record, cpu_ns);
}

/* The program's own file, or one that it is told to use. */
static const char *used_by_program(const struct record *record)
{
	char **arguments = record->program.arguments;
	const char *name = record->program.real;
	for (size_t i = 0; name; name = arguments[i++])
		if (output_is_input(name, record->output) ||
		    output_part_is_input(name, record->output))
			return name;
	return NULL;
}

static int check_output(const struct record *record)
{
	if (strcmp(record->output, "-") == 0)
		return fail_usage("-: a recording cannot be written to a pipe; name a file");
	const char *used = used_by_program(record);
	if (used)
		return fail_usage("%s: writing %s would destroy it; name another file with -o",
				  used, record->output);
	return 0;
}

/* What concerns a program that is started says nothing about one that runs, and the other way. */
static int run_live(const struct record_options *options, int nr_arguments)
{
	if (nr_arguments)
		return fail_usage("-p and --cgroup record what runs already; name no program");
	if (options->stream || options->cache || options->interval_ns || options->baseline)
		return fail_usage("--stream, --cache, --interval and --baseline are for a program "
				  "that berth starts; -p and --cgroup take --sampler");
	if (options->time_limit_ns)
		return fail_usage("--time-limit ends a program that berth starts; to end the "
				  "recording write --for");
	return record_live(&options->live, options->output);
}

static int check_program(const struct record_options *options, int nr_arguments)
{
	const struct record_live_options *live = &options->live;
	if (live->sampler || live->limit_ns || live->machine || live->state)
		return fail_usage("--sampler, --for, --machine and --state are for what runs "
				  "already; name it with -p or --cgroup");
	if (nr_arguments == 0)
		return fail_usage("what shall be recorded? usage: berth record [-o FILE] [--] "
				  "PROGRAM [ARGUMENTS], or -p PID, or --cgroup PATH");
	return 0;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct record_options *options = values;
	PRINTBUF(err);
	if (options->live.pid || options->live.cgroup)
		return run_live(options, nr_arguments);
	if (check_program(options, nr_arguments))
		return EXIT_USAGE;
	struct record record = { .info = { .version = 1,
					   .page_bytes = 4096,
					   .ns_per_ktick = TRACE_NS_PER_KTICK_DEFAULT,
					   .recorder = (char *)"berth qemu-user " BERTH_VERSION,
					   .exit_status = -1,
					   .native_ns = TRACE_UNKNOWN,
					   .started_unix_s = (uint64_t)time(NULL) } };
	int status = parse_options(options, &record.info);
	if (status)
		return status;
	status = record_find_program(arguments, nr_arguments, &record.program, &err);
	if (status) {
		complain("%s", printbuf_str(&err));
		return status;
	}
	record.run.time_limit_ns = options->time_limit_ns;
	record.output = options->output ? strdup(options->output) : default_output(arguments[0]);
	record.info.program = join_words(arguments, nr_arguments);
	if (!record.output || !record.info.program)
		status = fail(NULL, -ENOMEM);
	else
		status = check_output(&record);
	if (!status)
		status = record_program(&record, options);
	free((char *)record.run.qemu);
	free((char *)record.run.plugin);
	free(record.info.spaces);
	free(record.info.program);
	free(record.output);
	record_program_fini(&record.program);
	return status;
}

static const struct option record_options[] = {
	{ 'o', "output", "FILE", OPTION_STRING, offsetof(struct record_options, output),
	  "Write the recording here; otherwise PROGRAM.berth in the current directory.", NULL },
	{ 0, "stream", "LIST", OPTION_STRING, offsetof(struct record_options, stream),
	  "What to record: misses of the modelled cache (what memory sees), touches (each page's "
	  "first access in an interval: what accessed bits and hint faults see), all accesses, "
	  "counts (loads and stores per page and interval). Several with commas; otherwise "
	  "misses,touches.",
	  NULL },
	{ 0, "cache", "SIZE[,WAYS]", OPTION_STRING, offsetof(struct record_options, cache),
	  "The modelled shared cache, 64-byte lines, LRU; otherwise 2MiB,16.", NULL },
	{ 0, "interval", "TIME", OPTION_NS, offsetof(struct record_options, interval_ns),
	  "Length of an interval in the recording's time; otherwise 1ms.", NULL },
	{ 0, "time-limit", "TIME", OPTION_NS, offsetof(struct record_options, time_limit_ns),
	  "End the program after this much real time; the recording is whole.", NULL },
	{ 0, "baseline", NULL, OPTION_FLAG, offsetof(struct record_options, baseline),
	  "Run the program once natively first, its output thrown away, and set the recording's "
	  "clock by the time it took. The program runs twice.",
	  NULL },
	{ 'p', "pid", "PID", OPTION_COUNT, offsetof(struct record_options, live.pid),
	  "Record a process that runs, with its children, by a sampler (root).", NULL },
	{ 0, "cgroup", "PATH", OPTION_STRING, offsetof(struct record_options, live.cgroup),
	  "The same of all processes in a cgroup and below it; PATH as below /sys/fs/cgroup.",
	  NULL },
	{ 0, "sampler", "NAME", OPTION_STRING, offsetof(struct record_options, live.sampler),
	  "With -p, --cgroup: how to see which pages are used; otherwise the best that works "
	  "here (`berth doctor see` lists them).",
	  NULL },
	{ 0, "for", "TIME", OPTION_NS, offsetof(struct record_options, live.limit_ns),
	  "With -p, --cgroup: end the recording after this time; otherwise it goes on until the "
	  "processes end or Ctrl-C.",
	  NULL },
	{ 'M', "machine", "MACHINE", OPTION_STRING, offsetof(struct record_options, live.machine),
	  "With -p, --cgroup: this machine as you know it, where its firmware does not tell "
	  "latencies; otherwise host. Nodes are the kernel's.",
	  NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct record_options, live.state),
	  "With -p, --cgroup: directory of the restore journal; otherwise /run/berth for root, "
	  "$XDG_RUNTIME_DIR/berth for users.",
	  NULL },
};

const struct command command_record = {
	.name = "record",
	.usage = "[-o FILE] [options] [--] PROGRAM [ARGUMENTS] | -p PID | --cgroup PATH",
	.summary = "what does this program do with its memory?",
	.about = "Runs a program under qemu-user with berth's recorder and writes what it does "
		 "with its memory. No special kernel, no root. The program runs several times "
		 "slower than usual; its threads and forked children are recorded, what it "
		 "executes (exec) runs natively and is reported.\n\n"
		 "Time in a recording is instructions: a thousand stand for 300 ns unless "
		 "--baseline measured it. Time spent blocked stands beside it.\n\n"
		 "The program's output and exit status pass through; 126: cannot be run, 127: not "
		 "found, 128+N: ended by signal N, 5: only the recording failed (a full disk; what "
		 "was recorded until then is in FILE).\n\n"
		 "With -p or --cgroup it samples programs that run already: natively and in real "
		 "time, but only which pages were used in which window (docs/live.md). Such a "
		 "recording is for report, info and convert, and for sim and explain as far as "
		 "they charge little for a page that was used.",
	.examples = "  # then: berth report sqlite3.berth; berth sim sqlite3.berth\n"
		    "  berth record sqlite3 my.db '.read queries.sql'\n"
		    "  # with its true time, and a larger cache\n"
		    "  berth record --baseline --cache 32MiB -o work.berth -- ./work --size 10\n"
		    "  # a minute of a server that runs\n"
		    "  berth record -p 4711 --for 60s -o server.berth\n",
	.options = record_options,
	.nr_options = ARRAY_SIZE(record_options),
	.options_size = sizeof(struct record_options),
	.min_arguments = 0,
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
};
