/* SPDX-License-Identifier: MIT */
/* `berth lab run`: run a program on a real kernel with that machine's memory. */
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "lab/launcher/lab.h"

struct lab_run_options {
	const char *machine, *kernel, *time, *policy, *record, *share, *console, *output, *pin;
	uint64_t time_limit_ns, sample_ns, silence_ns;
	bool no_model, quiet, verbose;
	enum output_format format;
};

/* Exit statuses that are berth's own business; a program's are passed on. */
static int status_of(int error)
{
	return error == -EINVAL ? EXIT_USAGE : error_exit_status(error);
}

static int fail_run(const struct printbuf *err, int error)
{
	complain("%s", printbuf_str(err));
	return status_of(error);
}

static void write_report(struct printbuf *out, const struct lab_result *result,
			 const struct machine *machine, enum output_format format)
{
	struct json_writer json;
	switch (format) {
	case FORMAT_JSON:
		json_writer_init(&json, out, false);
		lab_result_to_json(&json, NULL, result, machine);
		prt_newline(out);
		break;
	case FORMAT_CSV:
		lab_result_to_csv(out, result, machine);
		break;
	default:
		lab_result_to_text(out, result, machine);
	}
}

/* The program's stdout is its own; the report goes to stderr, or to a file. */
static int put_report(const struct lab_run_options *options, const struct lab_result *result,
		      const struct machine *machine)
{
	PRINTBUF(out);
	if (options->quiet && !options->output)
		return EXIT_DONE;
	write_report(&out, result, machine, options->format);
	if (options->output)
		return put_output(&out, options->output);
	for (size_t at = 0; at < out.pos;) {
		ssize_t nr = write(STDERR_FILENO, out.buf + at, out.pos - at);
		if (nr < 0 && errno != EINTR)
			return EXIT_DONE;
		at += nr > 0 ? (size_t)nr : 0;
	}
	return EXIT_DONE;
}

static void say_end(const struct lab_run_options *options, const struct lab_result *result)
{
	if (options->quiet && result->again.pos) /* else the report says so */
		complain("%s", printbuf_str(&result->again));
	if (result->end != LAB_END_EXITED && result->words.pos)
		complain("%s", printbuf_str(&result->words));
	if (result->output_error)
		complain("the program's output: cannot write: %s; what came after is lost",
			 error_text(result->output_error));
	if (result->end != LAB_END_EXITED && result->console_path)
		complain("the guest's console was kept in %s", result->console_path);
}

static int run_and_report(const struct lab_run_options *values, const struct lab_options *options)
{
	struct lab_result result;
	PRINTBUF(err);
	int error = can_put_output(values->output, &err);
	if (!error)
		error = lab_run(options, &result, &err);
	if (error)
		return fail_run(&err, error);
	say_end(values, &result);
	int status = put_report(values, &result, options->machine);
	if (result.output_error && !status)
		status = EXIT_FAILED;
	if (result.status)
		status = result.status;
	lab_result_fini(&result);
	return status;
}

/* `machine` becomes the one that the policy runs on. */
static int take_policy(const struct lab_run_options *given, struct lab_options *options,
		       struct machine **machine, struct lab_policy *policy)
{
	PRINTBUF(err);
	struct machine *fast = NULL;
	const char *kernel = given->kernel ? given->kernel : LAB_KERNEL_DEFAULT;
	if (!given->policy)
		return 0;
	int error = lab_policy_parse_for(given->policy, *machine,
					 strchr(kernel, '/') ? NULL : kernel, options->time, policy,
					 &err);
	if (!error && policy->is_all_fast)
		error = lab_all_fast(*machine, &fast, &err);
	if (error)
		return fail_run(&err, error);
	if (fast) {
		machine_free(*machine);
		*machine = fast;
	}
	options->policy = policy;
	return 0;
}

static int run_on(const struct lab_run_options *given, struct lab_options *options,
		  struct machine **machine)
{
	struct lab_policy policy = { 0 };
	int status = take_policy(given, options, machine, &policy);
	options->machine = *machine;
	if (!status)
		status = run_and_report(given, options);
	lab_policy_fini(&policy);
	return status;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct lab_run_options *given = values;
	const char *time = given->time ? given->time : given->record ? "icount" : "delay";
	struct lab_options options = {
		.kernel = given->kernel,
		.time = strcmp(time, "icount") == 0 ? LAB_TIME_ICOUNT : LAB_TIME_DELAY,
		.has_no_model = given->no_model,
		.record_path = given->record,
		.time_limit_ns = given->time_limit_ns,
		.sample_ns = given->sample_ns,
		.silence_ns = given->silence_ns,
		.share_dir = given->share,
		.console_path = given->console,
		.argv = arguments,
		.stdin_fd = STDIN_FILENO,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
		.is_verbose = given->verbose,
	};
	struct machine *machine = NULL;
	struct set pin = SET_EMPTY;
	PRINTBUF(err);
	if (!given->machine)
		return fail_usage("no machine; describe one with -M, such as "
				  "-M 'node:dram:512MiB:cpus=0-1 node:cxl:1GiB'");
	if (given->pin && set_parse(given->pin, &pin) < 0)
		return fail_usage("--pin %s: not a list of CPUs; write it as 0-1", given->pin);
	options.pin = given->pin ? &pin : NULL;
	int error = machine_open(given->machine, &machine, &err);
	int status = error ? fail(&err, error) : run_on(given, &options, &machine);
	machine_free(machine);
	set_fini(&pin);
	return status;
}

#define FIELD(name) offsetof(struct lab_run_options, name)

static const struct option lab_run_options[] = {
	{ 'M', "machine", "MACHINE", OPTION_STRING, FIELD(machine),
	  "The machine to build: a line, host, a captured root or hwloc XML (see berth machine).",
	  NULL },
	{ 0, "kernel", "KERNEL", OPTION_STRING, FIELD(kernel),
	  "6.12 (the default), 7.3, or the path of a vmlinuz of your own.", NULL },
	{ 0, "time", "MODE", OPTION_STRING, FIELD(time),
	  "delay (the default): slow memory is felt, guest time is wall time. icount: one CPU, "
	  "guest time is the instruction count, runs repeat.",
	  "delay|icount" },
	{ 0, "record", "FILE", OPTION_STRING, FIELD(record),
	  "Write this very run as a recording: the program's touches and misses, its mappings, "
	  "the node of each page, the memory at the start. Under icount, which it implies.",
	  NULL },
	{ 'P', "policy", "POLICY", OPTION_STRING, FIELD(policy),
	  "What places memory; none when not given: as the kernel comes. See the list below.",
	  NULL },
	{ 0, "time-limit", "TIME", OPTION_NS, FIELD(time_limit_ns),
	  "Of the program, in wall time: SIGTERM, then SIGKILL, then the end of all. 10min.",
	  NULL },
	{ 0, "pin", "CPUS", OPTION_STRING, FIELD(pin),
	  "CPUs of this machine, as 0-1: each CPU of the guest runs on one of them alone. Delay "
	  "mode "
	  "only.",
	  NULL },
	{ 0, "share", "DIR", OPTION_STRING, FIELD(share),
	  "Let the program write below this directory of yours, under the same path.", NULL },
	{ 0, "sample", "TIME", OPTION_NS, FIELD(sample_ns),
	  "Guest time between two looks at its counters. 1s.", NULL },
	{ 0, "silence", "TIME", OPTION_NS, FIELD(silence_ns),
	  "A guest that says nothing for so long, in wall time, hangs. 90s.", NULL },
	{ 0, "console", "FILE", OPTION_STRING, FIELD(console),
	  "Keep the guest's console there. Without it, it is kept when something went wrong.",
	  NULL },
	{ 0, "no-model", NULL, OPTION_FLAG, FIELD(no_model),
	  "Without the latency model: slow memory is described, not felt or counted.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, FIELD(format),
	  "Of the report. text: a summary; json: everything; csv: the series.", "text|json|csv" },
	{ 'o', "output", "FILE", OPTION_STRING, FIELD(output),
	  "Write the report there rather than to standard error.", NULL },
	{ 'q', "quiet", NULL, OPTION_FLAG, FIELD(quiet), "No report, unless -o asks for one.",
	  NULL },
	{ 'v', "verbose", NULL, OPTION_FLAG, FIELD(verbose),
	  "The guest's console on standard error, as it comes.", NULL },
};

const struct command command_lab_run = {
	.name = "lab run",
	.usage = "-M MACHINE [options] [--] PROGRAM [ARGUMENTS]",
	.summary = "run a program on a real kernel with that machine's memory",
	.about = "Builds the machine in QEMU, boots a stock kernel on it, and runs PROGRAM there: "
		 "a workload of the lab by its name, or any program of this system, whose files "
		 "the guest sees and cannot change (what it writes stays in the guest, but for "
		 "--share).\n\n"
		 "Standard input, output and error are the program's, and so is the exit status "
		 "(126, 127 and 128+N as env(1)). A report follows on standard error, or in the "
		 "file of -o. A kernel that dies or hangs, a guest without memory, and a program "
		 "over its time limit are named; the status is 1 then, and the guest's console "
		 "is kept. Ctrl-C goes to the program; the second one ends everything.",
	.examples = "  # what has the guest?\n"
		    "  berth lab run -M 'node:dram:512MiB:cpus=0-1 node:cxl:1GiB' -- numactl -H\n"
		    "  # the same program, the same time, twice\n"
		    "  berth lab run -M 'node:dram:512MiB:cpus=0 node:cxl:1GiB' --time icount "
		    "--format json -o run.json -- hotset\n"
		    "  # record what the program's pages did there\n"
		    "  berth lab run -M 'node:dram:512MiB:cpus=0 node:cxl:1GiB' --record "
		    "hotset.berth -- hotset\n",
	.options = lab_run_options,
	.nr_options = ARRAY_SIZE(lab_run_options),
	.options_size = sizeof(struct lab_run_options),
	.min_arguments = 1,
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
	.more_help = lab_policy_help,
};
