/* SPDX-License-Identifier: MIT */
/* `berth lab compare`: run a program under several policies, side by side. */
#include <string.h>

#include "cli/commands.h"
#include "cli/lab_compare.h"

#define REPEAT_MAX 1000

struct lab_compare_options {
	const char *machine, *time, *metric, *output, *keep, *share;
	struct option_list policies, kernels;
	uint64_t repeat, time_limit_ns, sample_ns;
	enum output_format format;
	bool no_yardsticks, verbose, quiet, dry_run, list;
};

static const char *default_policies[] = { "none", "kernel", "damon" };

static void prt_program(struct printbuf *out, char *const *program)
{
	for (size_t i = 0; program[i]; i++)
		prt_printf(out, "%s%s", i ? " " : "", program[i]);
}

static int print_table(const struct compare_plan *plan, const struct lab_compare_options *options)
{
	PRINTBUF(out);
	PRINTBUF(program);
	prt_program(&program, plan->program);
	struct compare_show show = {
		.compare = &plan->compare,
		.machine = plan->machine,
		.program = printbuf_str(&program),
		.kernels = printbuf_str(&plan->kernels),
		.qemu_version = plan->qemu_version,
		.time = plan->time,
		.repeat = plan->repeat,
		.notes = printbuf_str(&plan->notes),
		.columns = terminal_columns(),
		.is_utf8 = terminal_is_utf8(),
	};
	if (options->format == FORMAT_JSON)
		compare_to_json(&out, &show);
	else if (options->format == FORMAT_CSV)
		compare_to_csv(&out, &show);
	else
		compare_to_text(&out, &show);
	return put_output(&out, options->output);
}

/* 0 all runs were good; 5 some were; 1 none was. */
static int status_of_runs(const struct compare_plan *plan)
{
	const struct compare *compare = &plan->compare;
	uint64_t nr_ok = 0, nr_short = 0;
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_case *entry = &compare->cases[i];
		if (entry->is_left_out)
			continue;
		nr_ok += entry->nr_ok;
		nr_short += entry->nr_ok < plan->repeat;
	}
	if (nr_ok == 0)
		return EXIT_FAILED;
	return nr_short ? EXIT_PARTLY : EXIT_DONE;
}

static int run_plan(struct compare_plan *plan, const struct lab_compare_options *options)
{
	PRINTBUF(err);
	uint64_t nr_runs = 0;
	int error = compare_plan_run(plan, &err);
	for (size_t i = 0; i < plan->compare.nr_cases; i++)
		nr_runs += plan->compare.cases[i].nr_runs;
	if (error && nr_runs == 0)
		return fail(&err, error);
	if (error)
		complain("%s; what follows is of the runs before", printbuf_str(&err));
	if (plan->is_interrupted)
		complain("interrupted%s", nr_runs ? "; what follows is of the runs before" : "");
	if (nr_runs == 0)
		return EXIT_FAILED;
	int status = print_table(plan, options);
	return status ? status : status_of_runs(plan);
}

static int plan_and_run(const struct lab_compare_options *options, const struct machine *machine,
			char **program)
{
	PRINTBUF(err);
	PRINTBUF(out);
	struct option_list standard = { default_policies, ARRAY_SIZE(default_policies) };
	struct compare_plan plan = {
		.machine = machine,
		.time = options->time && strcmp(options->time, "icount") == 0 ? LAB_TIME_ICOUNT
									      : LAB_TIME_DELAY,
		.repeat = options->repeat ? options->repeat : 1,
		.time_limit_ns = options->time_limit_ns,
		.sample_ns = options->sample_ns,
		.wish = options->metric,
		.keep_dir = options->keep,
		.share_dir = options->share,
		.is_verbose = options->verbose,
		.is_quiet = options->quiet,
		.program = program,
	};
	int status = 0;
	int error = can_put_output(options->output, &err);
	if (error)
		return fail(&err, error);
	error = compare_plan_init(&plan, options->policies.nr ? &options->policies : &standard,
				  &options->kernels, !options->no_yardsticks, &err);
	if (error) {
		status = fail(&err, error);
	} else if (options->dry_run) {
		compare_plan_to_text(&out, &plan);
		status = put_output(&out, options->output);
	} else {
		status = run_plan(&plan, options);
	}
	compare_plan_fini(&plan);
	return status;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct lab_compare_options *options = values;
	PRINTBUF(err);
	struct machine *machine = NULL;
	if (options->list) {
		PRINTBUF(out);
		lab_policy_help(&out);
		return put_output(&out, NULL);
	}
	if (!options->machine)
		return fail_usage("no machine; write -M "
				  "'node:dram:512MiB@80ns/100GBps:cpus=0-1 "
				  "node:cxl:1GiB@250ns/20GBps' or -M host");
	if (nr_arguments == 0)
		return fail_usage("no program; name one to run, such as hotset");
	if (options->repeat > REPEAT_MAX)
		return fail_usage("--repeat is above %d", REPEAT_MAX);
	int error = machine_open(options->machine, &machine, &err);
	if (error)
		return fail(&err, error);
	int status = plan_and_run(options, machine, arguments);
	machine_free(machine);
	return status;
}

#define AT(field) offsetof(struct lab_compare_options, field)

static const struct option compare_options[] = {
	{ 'M', "machine", "MACHINE", OPTION_STRING, AT(machine),
	  "The machine to build: one line such as 'node:dram:512MiB@80ns/100GBps:cpus=0-1 "
	  "node:cxl:1GiB@250ns/20GBps', or host, a captured root, hwloc XML.",
	  NULL },
	{ 'P', "policy", "NAME[:KEY=VALUE,...]", OPTION_LIST, AT(policies),
	  "A policy to compare; may repeat. Without it none, kernel and damon.", NULL },
	{ 0, "kernel", "KERNEL", OPTION_LIST, AT(kernels),
	  "A kernel that berth lab setup fetched (6.12 unless given), or the path of a vmlinuz; "
	  "may "
	  "repeat.",
	  NULL },
	{ 0, "repeat", "N", OPTION_COUNT, AT(repeat),
	  "Runs of each policy (1), interleaved; the table shows their median and spread.", NULL },
	{ 0, "time", "delay|icount", OPTION_STRING, AT(time),
	  "How slow memory is slow. delay: misses wait, so what the guest feels is what it "
	  "measures; noisy as the host. icount: instructions are the clock, and modelled time is "
	  "compared; repeats closely.",
	  "delay|icount" },
	{ 0, "metric", "NAME", OPTION_STRING, AT(metric),
	  "What to compare: what the program's result or also line calls so, time (of the program "
	  "in the guest) or modelled. Without it the result line, else time; under icount "
	  "modelled.",
	  NULL },
	{ 0, "no-yardsticks", NULL, OPTION_FLAG, AT(no_yardsticks),
	  "Do not add static-best and all-fast.", NULL },
	{ 0, "time-limit", "T", OPTION_NS, AT(time_limit_ns), "Of one run (10min).", NULL },
	{ 0, "sample", "T", OPTION_NS, AT(sample_ns), "Between two looks at the guest (1s).",
	  NULL },
	{ 0, "share", "DIR", OPTION_STRING, AT(share), "A folder that the guest may write to.",
	  NULL },
	{ 0, "keep", "DIR", OPTION_STRING, AT(keep),
	  "Keep of each run its result as JSON, its output and its console there.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, AT(format), "Of the table.", "text|json|csv" },
	{ 'o', "output", "FILE", OPTION_STRING, AT(output), "Write the table there.", NULL },
	{ 'v', "verbose", NULL, OPTION_FLAG, AT(verbose),
	  "Show what the program prints, after each run.", NULL },
	{ 'q', "quiet", NULL, OPTION_FLAG, AT(quiet), "Show no progress.", NULL },
	{ 0, "dry-run", NULL, OPTION_FLAG, AT(dry_run),
	  "Print what each policy would run on and write in the guest, and stop.", NULL },
	{ 0, "list", NULL, OPTION_FLAG, AT(list), "List the policies and their keys, and stop.",
	  NULL },
};

const struct command command_lab_compare = {
	.name = "lab compare",
	.usage = "-M MACHINE [-P NAME[:KEY=VALUE,...]]... [options] [--] PROGRAM [ARGUMENTS]",
	.summary = "run a program under several policies, side by side",
	.about =
		"Boots the machine once for each policy and run, runs the program on it and prints "
		"one table: what each policy reached, how much of what is possible that is, and "
		"the counters that explain it. Two yardsticks are added: static-best, in which a "
		"workload puts by hand what is hot into fast memory, and all-fast, a machine with "
		"all memory in its fastest tier.\n"
		"\n"
		"What is compared is the last line of the program's output of the form 'result: "
		"METRIC VALUE UNIT higher|lower', as berth's workloads print it; of any other "
		"program its time. Runs are interleaved. A run that fails has its cell say how, "
		"and the others go on (exit status 5).",
	.examples =
		"  # how long until the kernel has found a hot set?\n"
		"  berth lab compare -M 'node:dram:512MiB@80ns/100GBps:cpus=0-1 "
		"node:cxl:1GiB@250ns/20GBps' -P none -P kernel -P damon -- hotset --seconds 60\n"
		"  # does scanning faster help?\n"
		"  berth lab compare -M machine.tar -P kernel -P kernel:scan_period_max_ms=1000 "
		"--repeat 3 -- hotset\n",
	.options = compare_options,
	.nr_options = ARRAY_SIZE(compare_options),
	.options_size = sizeof(struct lab_compare_options),
	.min_arguments = 0,
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
	.more_help = lab_policy_help,
};
