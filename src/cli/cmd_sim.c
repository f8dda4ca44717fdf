/* SPDX-License-Identifier: MIT */
/* `berth sim`: what would this recording cost on that machine, under these policies? */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/sim_counters.h"
#include "cli/sim_cpu.h"
#include "cli/sim_jobs.h"
#include "cli/sim_output.h"
#include "sim/cpu/workload.h"
#include "sim/recorded.h"
#include "sim/sim.h"
#include "trace/trace.h"

#define DEFAULT_FAST_BP 5000 /* half of the touched memory */

struct sim_options {
	const char *machine;
	struct option_list policies;
	const char *kernel;
	struct option_list fast;
	const char *cost;
	struct option_list cpu;
	const char *scheduler;
	struct option_list jobs;
	uint64_t dilate;
	uint64_t seed;
	enum output_format format;
	bool counters;
	bool list;
};

static const char *const default_policies[] = { "all-fast", "optimal",	  "static-best",
						"recency",  "linux-none", "all-slow" };

struct sim_job { /* what one run of the command holds */
	const struct sim_options *options;
	const char *path;
	struct trace_reader *reader;
	struct sim_jobs jobs; /* none: the recording alone */
	struct machine *machine;
	struct sim_set *set;
	uint64_t *fast;
	struct sim_extent extent;
	bool is_partly;
};

static void job_fini(struct sim_job *job)
{
	sim_set_free(job->set);
	machine_free(job->machine);
	trace_close(job->reader);
	sim_jobs_fini(&job->jobs);
	free(job->fast);
}

/* -M recording. */
static bool is_as_found(const struct sim_options *options)
{
	return options->machine && strcmp(options->machine, RECORDED_NAME) == 0;
}

static int open_recording(struct sim_job *job, struct printbuf *err)
{
	if (job->jobs.nr > 0)
		return sim_jobs_open(&job->jobs, err);
	struct trace_open_options options = {
		.kinds = 1 << TRACE_ACCESSES | 1 << TRACE_COUNTS | 1 << TRACE_SAMPLES |
			 1 << TRACE_MAPPINGS | 1 << TRACE_BLOCKED |
			 (is_as_found(job->options) ? 1 << TRACE_NODES : 0),
	};
	job->reader = trace_close(job->reader);
	return trace_open(job->path, &options, &job->reader, err);
}

static const struct trace_info *info_of(const struct sim_job *job)
{
	return job->jobs.nr > 0 ? &job->jobs.info : trace_info(job->reader);
}

static int parse_fast(struct sim_job *job)
{
	const struct option_list *list = &job->options->fast;
	job->fast = calloc(list->nr + 1, sizeof(*job->fast));
	if (!job->fast)
		return fail(NULL, -ENOMEM);
	for (size_t i = 0; i < list->nr; i++) {
		int error = parse_bytes(list->items[i], &job->fast[i]);
		if (error)
			return fail_usage("--fast %s: %s; write a size such as 64MiB",
					  list->items[i],
					  error == -ERANGE ? "too large" : "not understood");
	}
	return 0;
}

/* Without -M the machine is made to fit, which takes a pass of its own. */
static int find_machine(struct sim_job *job, struct printbuf *err)
{
	uint32_t page_bytes = info_of(job)->page_bytes;
	if (is_as_found(job->options))
		return recorded_machine(trace_info(job->reader), &job->machine, err);
	if (job->options->machine)
		return machine_open(job->options->machine, &job->machine, err);
	int error = job->jobs.nr > 0 ? sim_jobs_measure(&job->jobs, &job->extent)
				     : sim_measure(job->reader, &job->extent, NULL);
	if (error < 0)
		return error_set(err, error, "%s: cannot be read: %s", job->path,
				 error_text(error));
	error = sim_default_machine(job->extent.peak_pages, page_bytes, DEFAULT_FAST_BP,
				    &job->machine, err);
	return error ? error : open_recording(job, err);
}

static int prepare(struct sim_job *job, struct printbuf *err)
{
	const struct sim_options *options = job->options;
	bool named = options->policies.nr > 0;
	int error = open_recording(job, err);
	if (!error)
		error = sim_check_recording(info_of(job), err);
	if (!error)
		error = find_machine(job, err);
	if (error)
		return error;
	struct sim_config config = {
		.machine = job->machine,
		.is_as_found = is_as_found(options),
		.policies = named ? options->policies.items : default_policies,
		.nr_policies = named ? options->policies.nr : ARRAY_SIZE(default_policies),
		.kernel = options->kernel,
		.fast_bytes = job->fast,
		.nr_fast = options->fast.nr,
		.cost = options->cost,
		.dilate = options->dilate,
		.seed = options->seed,
		.jobs = job->jobs.configs,
		.nr_jobs = job->jobs.nr,
		.effort = 1, /* exact up to some 500,000 (page, tick) pairs */
	};
	return sim_set_new(&config, info_of(job), &job->set, err);
}

static int print_results(const struct sim_job *job)
{
	PRINTBUF(out);
	struct sim_output output = {
		.set = job->set,
		.info = info_of(job),
		.jobs = job->jobs.nr > 0 ? &job->jobs : NULL,
		.machine = job->machine,
		.path = job->path,
		.kernel = job->options->kernel ? job->options->kernel : SIM_KERNEL_DEFAULT,
		.dilate = MAX(job->options->dilate, 1),
		.seed = job->options->seed,
		.peak_pages = job->extent.peak_pages,
		.columns = terminal_columns(),
		.is_default_machine = !job->options->machine,
	};
	if (job->options->format == FORMAT_JSON)
		sim_output_to_json(&out, &output);
	else if (job->options->format == FORMAT_CSV && job->options->counters)
		sim_counters_to_csv(&out, job->set);
	else if (job->options->format == FORMAT_CSV && output.jobs)
		sim_jobs_to_csv(&out, &job->jobs, job->set);
	else if (job->options->format == FORMAT_CSV)
		sim_output_to_csv(&out, &output);
	else
		sim_output_to_text(&out, &output);
	if (job->options->format == FORMAT_TEXT && job->options->counters)
		sim_counters_to_text(&out, job->set, output.columns);
	return put_output(&out, NULL);
}

static int final_status(const struct sim_job *job, int status)
{
	for (size_t i = 0; !status && i < sim_set_nr_results(job->set); i++) {
		const struct sim_result *result = sim_set_result(job->set, i);
		if (!result->error)
			continue;
		complain("%s: %s", result->policy, result->error_text);
		status = EXIT_FAILED;
	}
	return !status && job->is_partly ? EXIT_PARTLY : status;
}

static int run_job(struct sim_job *job, struct printbuf *err)
{
	int error = prepare(job, err);
	if (error)
		return fail(err, error);
	error = job->jobs.nr > 0 ? sim_set_run_jobs(job->set, job->jobs.readers, err)
				 : sim_set_run(job->set, job->reader, err);
	if (error < 0)
		return fail(err, error);
	bool is_cut = info_of(job)->is_cut, is_void = sim_set_nr_misses(job->set) == 0;
	if (error > 0 && is_void)
		return fail(err, -EBADMSG);
	job->is_partly = error > 0 || is_cut;
	if (error > 0)
		complain("%s", printbuf_str(err));
	else if (is_void)
		complain("%s: no miss was recorded%s, so every placement costs the same", job->path,
			 is_cut ? " before it was cut" : "");
	else if (is_cut)
		complain("%s: was cut; simulated up to its last whole block", job->path);
	return final_status(job, print_results(job));
}

static void list_to_text(struct printbuf *out)
{
	sim_list_to_text(out);
	prt_newline(out);
	cpusim_list_to_text(out);
}

static int run_cpu(const struct sim_options *options, int nr_arguments)
{
	if (nr_arguments > 0)
		return fail_usage("--cpu simulates a scheduler and takes no recording");
	struct sim_cpu_options cpu = {
		.jobs = &options->cpu,
		.policies = &options->policies,
		.machine = options->machine,
		.scheduler = options->scheduler,
		.seed = options->seed,
		.format = options->format,
	};
	return sim_cpu_run(&cpu);
}

static int parse_jobs(struct sim_job *job, int nr_arguments, struct printbuf *err)
{
	const struct option_list *list = &job->options->jobs;
	if (nr_arguments > 0)
		return fail_usage("--job names the recordings; leave %s out, or make it a job",
				  "FILE");
	if (is_as_found(job->options))
		return fail_usage("-M recording: jobs were recorded on machines of their own; "
				  "describe the one that they share");
	int error = sim_jobs_parse(&job->jobs, list->items, list->nr, err);
	return error ? fail(err, error) : 0;
}

static int sim_run(const void *raw, int nr_arguments, char **arguments)
{
	const struct sim_options *options = raw;
	struct sim_job job = { .options = options, .jobs.title = PRINTBUF_HEAP };
	PRINTBUF(err);
	if (options->list) {
		PRINTBUF(out);
		list_to_text(&out);
		return put_output(&out, NULL);
	}
	if (options->cpu.nr)
		return run_cpu(options, nr_arguments);
	if (nr_arguments == 0 && !options->jobs.nr)
		return fail_usage("usage: berth sim %s", command_sim.usage);
	int status = options->jobs.nr ? parse_jobs(&job, nr_arguments, &err) : 0;
	job.path = options->jobs.nr ? printbuf_str(&job.jobs.title) : arguments[0];
	if (!status)
		status = parse_fast(&job);
	if (!status)
		status = run_job(&job, &err);
	job_fini(&job);
	return status;
}

static const struct option sim_options[] = {
	{ 'M', "machine", "MACHINE", OPTION_STRING, offsetof(struct sim_options, machine),
	  "Where it runs: host, a captured root, hwloc XML, or one line such as "
	  "'node:dram:4GiB@80ns/100GBps:cpus=0 node:cxl:16GiB@250ns/30GBps'; or `recording`: the "
	  "machine it was made on, with the memory that was in use there. Without it, DRAM for "
	  "half of what the program uses at once and CXL memory for all of it.",
	  NULL },
	{ 'P', "policy", "NAME[:KEY=VALUE,...]", OPTION_LIST,
	  offsetof(struct sim_options, policies),
	  "A kernel, an agent or a bound to compare; may repeat. `recording` is the "
	  "kernel it was made under, with its settings. Without it, a choice of them.",
	  NULL },
	{ 'K', "kernel", "NAME[:KEY=VALUE,...]", OPTION_STRING,
	  offsetof(struct sim_options, kernel),
	  "The kernel that agents run above; linux-none unless given; `recording` as with -P.",
	  NULL },
	{ 0, "fast", "SIZE", OPTION_LIST, offsetof(struct sim_options, fast),
	  "Resize the fast tier; may repeat, and all sizes run in the same pass.", NULL },
	{ 0, "job", "NAME=FILE[:floor=SIZE][:cap=SIZE]", OPTION_LIST,
	  offsetof(struct sim_options, jobs),
	  "Instead of FILE, a recording that shares the machine with others; may repeat. All begin "
	  "together. Agents keep a floor of fast memory for it and a cap on it.",
	  NULL },
	{ 0, "dilate", "N", OPTION_COUNT, offsetof(struct sim_options, dilate),
	  "Stretch the program's time N times against the kernel's and the agents': recordings are "
	  "short, their periods are seconds.",
	  NULL },
	{ 0, "cost", "KEY=VALUE,...", OPTION_STRING, offsetof(struct sim_options, cost),
	  "Constants of the cost model (docs/cost-model.md).", NULL },
	{ 0, "cpu", "WORKLOAD[:KEY=VALUE,...]", OPTION_LIST, offsetof(struct sim_options, cpu),
	  "Instead of a recording, a job on a simulated scheduler; may repeat. Each prefers the "
	  "CPUs of one node, and -P names CPU policies.",
	  NULL },
	{ 0, "scheduler", "KEY=VALUE,...", OPTION_STRING, offsetof(struct sim_options, scheduler),
	  "With --cpu: figures of the scheduler and of the CPUs.", NULL },
	{ 0, "seed", "N", OPTION_U64, offsetof(struct sim_options, seed),
	  "Of everything random. The same seed gives the same output, to the byte.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct sim_options, format),
	  "Of the output.", "text|json|csv" },
	{ 0, "counters", NULL, OPTION_FLAG, offsetof(struct sim_options, counters),
	  "Also print the counters of /proc/vmstat that the kernels kept; as CSV, only those. JSON "
	  "always has them.",
	  NULL },
	{ 0, "list", NULL, OPTION_FLAG, offsetof(struct sim_options, list),
	  "List what -P, -K, --cost, --cpu and --scheduler take, and stop.", NULL },
};

const struct command command_sim = {
	.name = "sim",
	.usage = "FILE [-M MACHINE] [-P NAME[:KEY=VALUE,...]]... [options]",
	.summary = "predict what a recording costs on a machine, under policies",
	.about =
		"Replays a recording on a modelled machine and predicts how long the program would "
		"take under each policy, and why. The recording is decoded once, and every policy "
		"at every size of fast memory runs on that one pass. The policies that are "
		"simulated are the ones that run: the same source files.",
	.examples = "  # what first touch costs, and the best that is possible\n"
		    "  berth sim app.berth\n"
		    "  # how much fast memory is enough?\n"
		    "  berth sim app.berth -P linux-none -P optimal --fast 64MiB --fast 256MiB\n"
		    "  # as it ran in the lab, and what more promotion would change\n"
		    "  berth sim lab.berth -M recording -P recording -P "
		    "recording:hot_threshold_ms=2000\n"
		    "  # an agent with its own keys and budget\n"
		    "  berth sim app.berth -P recency:idle=20,rate=200MBps --dilate 100\n"
		    "  # two programs share a machine; one has 64 MiB of fast memory for sure\n"
		    "  berth sim --job web=web.berth:floor=64MiB --job batch=batch.berth -P berth\n"
		    "  # two jobs, each at home on one of two sockets\n"
		    "  berth sim --cpu hackbench:nr=4 --cpu users -P none -P hard -P soft -M "
		    "'node:dram:64GiB:cpus=0-21 node:dram:64GiB:cpus=22-43'\n",
	.options = sim_options,
	.nr_options = ARRAY_SIZE(sim_options),
	.options_size = sizeof(struct sim_options),
	.min_arguments = 0,
	.max_arguments = 1,
	.run = sim_run,
	.more_help = list_to_text,
};
