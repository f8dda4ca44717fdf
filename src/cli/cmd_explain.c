/* SPDX-License-Identifier: MIT */
/* `berth explain`: what happened to one page in a simulation, and why. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/explain_live.h"
#include "cli/explain_output.h"
#include "sim/recorded.h"
#include "sim/spec.h"

#define DEFAULT_POLICY	"berth"
#define DEFAULT_FAST_BP 5000 /* half of the touched memory, as `berth sim` */
#define DEFAULT_TOP	10

struct explain_options {
	const char *machine, *policy, *kernel, *fast, *cost, *space;
	uint64_t dilate, seed, top;
	enum output_format format;
	const char *pid, *socket, *state; /* of what runs */
};

struct explain_job {
	const struct explain_options *options;
	const char *path;
	uint64_t fast_bytes;
	struct trace_reader *reader;
	struct machine *machine;
	struct sim_set *set;
	struct story *story;
	struct survey *survey;
	struct regions regions;
	bool is_partly;
};

static void job_fini(struct explain_job *job)
{
	sim_set_free(job->set);
	story_free(job->story);
	survey_free(job->survey);
	machine_free(job->machine);
	trace_close(job->reader);
	regions_fini(&job->regions);
}

static const char *policy_of(const struct explain_options *options)
{
	return options->policy ? options->policy : DEFAULT_POLICY;
}

static int open_recording(struct explain_job *job, struct printbuf *err)
{
	struct trace_open_options options = {
		.kinds = 1 << TRACE_ACCESSES | 1 << TRACE_COUNTS | 1 << TRACE_SAMPLES |
			 1 << TRACE_MAPPINGS | 1 << TRACE_BLOCKED,
	};
	job->reader = trace_close(job->reader);
	return trace_open(job->path, &options, &job->reader, err);
}

static int find_machine(struct explain_job *job, struct printbuf *err)
{
	const char *name = job->options->machine;
	const struct trace_info *info = trace_info(job->reader);
	struct sim_extent extent;
	if (name && strcmp(name, RECORDED_NAME) == 0)
		return recorded_machine(info, &job->machine, err);
	if (name)
		return machine_open(name, &job->machine, err);
	int error = sim_measure(job->reader, &extent, NULL);
	if (error < 0)
		return error_set(err, error, "%s: cannot be read: %s", job->path,
				 error_text(error));
	error = sim_default_machine(extent.peak_pages, info->page_bytes, DEFAULT_FAST_BP,
				    &job->machine, err);
	return error ? error : open_recording(job, err);
}

/* Bounds decide with the future and have no reasons to tell. */
static int check_policy(const char *text, struct printbuf *err)
{
	struct sim_spec spec;
	if (recorded_is_named(text))
		return 0;
	int error = sim_spec_parse(text, &spec, err);
	if (error)
		return error;
	bool is_bound = spec.kind == SIM_BOUND;
	sim_spec_fini(&spec);
	return is_bound ? error_set(err, -EINVAL,
				    "%s: a bound knows the future and decides nothing that could "
				    "be explained; name a kernel or an agent with -P",
				    text)
			: 0;
}

static int new_set(struct explain_job *job, struct printbuf *err)
{
	const struct explain_options *options = job->options;
	const char *policy = policy_of(options);
	struct sim_config config = {
		.machine = job->machine,
		.is_as_found = options->machine && strcmp(options->machine, RECORDED_NAME) == 0,
		.policies = &policy,
		.nr_policies = 1,
		.kernel = options->kernel,
		.fast_bytes = &job->fast_bytes,
		.nr_fast = job->fast_bytes ? 1 : 0,
		.cost = options->cost,
		.dilate = options->dilate,
		.seed = options->seed,
		.watch = job->story ? &job->story->watch : &job->survey->watch,
	};
	return sim_set_new(&config, trace_info(job->reader), &job->set, err);
}

static int prepare(struct explain_job *job, struct printbuf *err)
{
	int error = check_policy(policy_of(job->options), err);
	if (!error)
		error = open_recording(job, err);
	if (!error)
		error = sim_check_recording(trace_info(job->reader), err);
	if (!error)
		error = find_machine(job, err);
	return error ? error : new_set(job, err);
}

static int feed(struct explain_job *job, const struct trace_batch *batch, struct printbuf *err)
{
	int error = 0;
	for (uint32_t i = 0; batch->kind == TRACE_MAPPINGS && i < batch->nr && !error; i++)
		error = regions_add(&job->regions, &batch->mappings[i]);
	if (error)
		return error_set(err, error, "out of memory for the names of mappings");
	return sim_set_feed(job->set, batch, err);
}

/* 0; 1: the recording broke off, and err says where; negative: nothing to show. */
static int replay(struct explain_job *job, struct printbuf *err)
{
	const struct trace_batch *batch = NULL;
	int more = 0, error = 0;
	while (!error && (more = trace_next(job->reader, &batch, err)) > 0)
		error = feed(job, batch, err);
	if (error)
		return error;
	error = sim_set_finish(job->set, trace_info(job->reader)->duration_ns, err);
	return error ? error : more < 0;
}

static int print_results(const struct explain_job *job)
{
	const struct sim_result *result = sim_set_result(job->set, 0);
	struct regions regions = job->regions;
	struct explain_output output = {
		.info = trace_info(job->reader),
		.machine = job->machine,
		.result = result,
		.path = job->path,
		.policy = result->policy,
		.kernel = result->kernel,
		.dilate = MAX(job->options->dilate, 1),
		.seed = job->options->seed,
		.regions = &regions,
		.story = job->story,
		.survey = job->survey,
		.columns = terminal_columns(),
	};
	PRINTBUF(out);
	if (job->options->format == FORMAT_JSON)
		explain_to_json(&out, &output);
	else if (job->options->format == FORMAT_CSV)
		explain_to_csv(&out, &output);
	else
		explain_to_text(&out, &output);
	return put_output(&out, NULL);
}

static int say_untouched(const struct explain_job *job, const char *address)
{
	complain("%s: %s is never used%s; `berth explain %s` lists pages that are", job->path,
		 address, job->options->space ? " in that space" : "", job->path);
	return EXIT_FAILED;
}

static int run_job(struct explain_job *job, const char *address, struct printbuf *err)
{
	int error = prepare(job, err);
	if (error)
		return fail(err, error);
	error = replay(job, err);
	if (error < 0)
		return fail(err, error);
	const struct sim_result *result = sim_set_result(job->set, 0);
	if (error > 0)
		complain("%s", printbuf_str(err));
	else if (trace_info(job->reader)->is_cut)
		complain("%s: was cut; replayed up to its last whole block", job->path);
	job->is_partly = error > 0 || trace_info(job->reader)->is_cut;
	if (result->error) {
		complain("%s: %s", result->policy, result->error_text);
		return EXIT_FAILED;
	}
	if (job->story && job->story->nr == 0)
		return say_untouched(job, address);
	int status = print_results(job);
	return !status && job->is_partly ? EXIT_PARTLY : status;
}

/* Hexadecimal, with or without 0x, as reports print it. */
static int parse_address(const char *text, uint64_t *ret)
{
	char *end = NULL;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 16);
	if (errno || *end || end == text || strchr(text, '-') || strchr(text, '+') ||
	    strchr(text, ' '))
		return fail_usage("%s: not an address; write it in hexadecimal, such as "
				  "0x7f12a4c5e000",
				  text);
	*ret = value;
	return 0;
}

static int parse_space(const char *text, uint32_t *ret)
{
	char *end = NULL;
	*ret = STORY_ANY_SPACE;
	if (!text)
		return 0;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || *end || value >= STORY_ANY_SPACE || strchr(text, '-'))
		return fail_usage("--space %s: not a number; `berth info FILE` lists spaces", text);
	*ret = (uint32_t)value;
	return 0;
}

static int new_watch(struct explain_job *job, const char *address)
{
	const struct explain_options *options = job->options;
	struct story_config config = { 0 };
	PRINTBUF(err);
	uint64_t bytes = 0;
	if (options->top > SURVEY_TOP_MAX)
		return fail_usage("--top %llu: too many; write 1 to %d",
				  (unsigned long long)options->top, SURVEY_TOP_MAX);
	int status = parse_space(options->space, &config.space);
	if (!status && address)
		status = parse_address(address, &bytes);
	if (status)
		return status;
	int error = open_recording(job, &err);
	if (error)
		return fail(&err, error);
	const struct trace_info *info = trace_info(job->reader);
	config.page = bytes / info->page_bytes;
	config.nr_spaces = info->nr_spaces;
	if (options->space && config.space >= info->nr_spaces)
		return fail_usage("--space %s: the recording has %u of them, counted from 0",
				  options->space, info->nr_spaces);
	error = address ? story_new(&config, &job->story)
			: survey_new(options->top ? (uint32_t)options->top : DEFAULT_TOP,
				     &job->survey);
	return error ? fail(&err, error) : 0;
}

static int explain_run(const void *raw, int nr_arguments, char **arguments)
{
	const struct explain_options *options = raw;
	struct explain_job job = { .options = options, .path = arguments[0] };
	const char *address = nr_arguments > 1 ? arguments[1] : NULL;
	PRINTBUF(err);
	int status = 0;
	if (explain_live_is_meant(nr_arguments, arguments)) {
		struct explain_live_options live = { options->pid, options->socket, options->state,
						     options->format };
		return explain_live(&live, nr_arguments, arguments);
	}
	if (options->fast && parse_bytes(options->fast, &job.fast_bytes))
		return fail_usage("--fast %s: not understood; write a size such as 64MiB",
				  options->fast);
	status = new_watch(&job, address);
	if (!status)
		status = run_job(&job, address, &err);
	job_fini(&job);
	return status;
}

static const struct option explain_options[] = {
	{ 'M', "machine", "MACHINE", OPTION_STRING, offsetof(struct explain_options, machine),
	  "Where it runs, as `berth sim -M` takes it.", NULL },
	{ 'P', "policy", "NAME[:KEY=VALUE,...]", OPTION_STRING,
	  offsetof(struct explain_options, policy), "The kernel or agent; berth unless given.",
	  NULL },
	{ 'K', "kernel", "NAME[:KEY=VALUE,...]", OPTION_STRING,
	  offsetof(struct explain_options, kernel),
	  "The kernel that an agent runs above; linux-none unless given.", NULL },
	{ 0, "fast", "SIZE", OPTION_STRING, offsetof(struct explain_options, fast),
	  "Resize the fast tier.", NULL },
	{ 0, "dilate", "N", OPTION_COUNT, offsetof(struct explain_options, dilate),
	  "Stretch the program's time N times against the kernel's, as `berth sim` does.", NULL },
	{ 0, "space", "N", OPTION_STRING, offsetof(struct explain_options, space),
	  "The address space; without it the first in which the address is used.", NULL },
	{ 0, "top", "N", OPTION_COUNT, offsetof(struct explain_options, top),
	  "Without an address: list so many pages; 10 unless given.", NULL },
	{ 0, "cost", "KEY=VALUE,...", OPTION_STRING, offsetof(struct explain_options, cost),
	  "Constants of the cost model (docs/cost-model.md).", NULL },
	{ 0, "seed", "N", OPTION_U64, offsetof(struct explain_options, seed),
	  "Of everything random.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct explain_options, format),
	  "Of the output.", "text|json|csv" },
	{ 'p', "pid", "PID", OPTION_STRING, offsetof(struct explain_options, pid),
	  "Of what runs: the process whose address it is.", NULL },
	{ 0, "socket", "PATH", OPTION_STRING, offsetof(struct explain_options, socket),
	  "Where the daemon is asked; otherwise daemon.sock in the state directory.", NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct explain_options, state),
	  "The daemon's state directory; otherwise /run/berth for root, $XDG_RUNTIME_DIR/berth "
	  "for users.",
	  NULL },
};

const struct command command_explain = {
	.name = "explain",
	.usage = "FILE [ADDRESS] [-P NAME[:KEY=VALUE,...]] [options] | JOB [ADDRESS] | ADDRESS",
	.summary = "tell what a policy did with one page, and why",
	.about =
		"Replays a recording under a policy, as `berth sim` does, and tells the story of "
		"one page: where it was born and why there, what the policy saw of it, what was "
		"decided at each hint fault, every move with its reason, what was refused and why, "
		"and how many misses each place served.\n\n"
		"Without an address it lists the pages that moved most and those that lost most "
		"time to slow memory and to moves, so that one knows what to ask about.\n\n"
		"Times are the modelled kernel's clock (the recording's times --dilate), exact to "
		"a tick. What repeats itself is told once, with a count.\n\n"
		"With the name of a job of `berth daemon`, or an address, and no file of that "
		"name: "
		"what the daemon decided lately, of that job or of that page, from where to where "
		"and why, or why it did not move. Only the last decisions are remembered.",
	.examples = "  # which pages are worth a question?\n"
		    "  berth explain app.berth -P linux-tiering --dilate 100\n"
		    "  # the story of one\n"
		    "  berth explain app.berth 0x7f12a4c5e000 -P linux-tiering --dilate 100\n"
		    "  # what the daemon does with a job, and with a page\n"
		    "  berth explain web\n"
		    "  berth explain web 0x7f12a4c5e000\n",
	.options = explain_options,
	.nr_options = ARRAY_SIZE(explain_options),
	.options_size = sizeof(struct explain_options),
	.min_arguments = 1,
	.max_arguments = 2,
	.run = explain_run,
};
