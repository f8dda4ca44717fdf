/* SPDX-License-Identifier: MIT */
/* `berth run`: a program with preferred and allowed CPUs (linux/job.h). */
#include <string.h>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/run_tier.h"
#include "linux/job.h"
#include "linux/spawn.h"
#include "linux/undo.h"

struct run_options {
	const char *prefer, *allow, *spill_at, *engine, *state;
	uint64_t max_distance;
	bool no_cgroup;
	struct run_tier_options tier;
};

static int parse_cpus(const char *option, const char *text, struct set *ret)
{
	if (set_parse(text, ret) < 0)
		return fail_usage("%s %s: not a list of CPUs; write it as 0-3,8", option, text);
	if (set_is_empty(ret))
		return fail_usage("%s: no CPU in it; write a list as 0-3,8", option);
	return 0;
}

static int parse_spill_at(const char *text, uint32_t *ret_bp)
{
	uint32_t bp;
	if (!text)
		return 0;
	if (strcmp(text, "hard") == 0) {
		*ret_bp = SOFT_HARD;
		return 0;
	}
	PRINTBUF(percent);
	prt_str(&percent, text);
	if (!strchr(text, '%'))
		prt_char(&percent, '%');
	if (parse_ratio_bp(printbuf_str(&percent), &bp) < 0 || bp > SOFT_ALL_BP)
		return fail_usage("--spill-at %s: not a utilisation; write 0 to 100, or hard",
				  text);
	*ret_bp = bp;
	return 0;
}

/* What would be accepted and do nothing. */
static int check_tier(const struct run_tier_options *tier)
{
	const struct {
		const char *name;
		bool is_given;
	} all[] = {
		{ "--policy", tier->policy },
		{ "--sampler", tier->sampler },
		{ "--mover", tier->mover },
		{ "--advise", tier->advice },
		{ "--machine", tier->machine },
		{ "--rate", tier->rate_bytes },
		{ "--fast-floor", tier->floor_bytes },
		{ "--fast-cap", tier->cap_bytes },
		{ "--report", tier->report },
		{ "--format", tier->format },
	};
	for (size_t i = 0; i < ARRAY_SIZE(all) && !tier->is_wanted; i++)
		if (all[i].is_given)
			return fail_usage("%s goes with --tier", all[i].name);
	if (tier->format && !tier->report)
		return fail_usage("--format is of the report: name a file for it with --report");
	return 0;
}

static int parse_wish(const struct run_options *options, struct job_wish *wish)
{
	wish->soft = (struct soft_job){ SOFT_SPILL_AT_BP, SOFT_NO_DISTANCE, SOFT_PATIENCE_NS };
	wish->no_cgroup = options->no_cgroup;
	wish->state = options->state;
	bool has_cpus = options->prefer || options->allow || options->spill_at ||
			options->max_distance || options->no_cgroup || options->engine;
	if (options->tier.is_wanted && !has_cpus)
		return 0;
	if (!options->prefer)
		return fail_usage("no preferred CPUs; name some with --prefer 0-3");
	if (options->max_distance > UINT32_MAX)
		return fail_usage("--max-distance: at most 255 make sense");
	if (options->max_distance)
		wish->soft.max_distance = (uint32_t)options->max_distance;
	wish->engine = options->engine;
	int status = parse_spill_at(options->spill_at, &wish->soft.spill_at_bp);
	if (!status)
		status = parse_cpus("--prefer", options->prefer, &wish->prefer);
	if (!status && options->allow)
		status = parse_cpus("--allow", options->allow, &wish->allow);
	return status;
}

/* Left by a berth that was killed: undone at the next start. Failures are those of `berth restore`
 * to tell. */
static void recover(const struct root *root, const struct job *job)
{
	struct undo undo = { .root = root };
	struct journal_counts counts = { 0 };
	journal_recover(job->state_fd, job->self.boot, &undo_ops, &undo, &counts, NULL);
	if (counts.nr_restored)
		complain("restored %u changes of a berth that was killed", counts.nr_restored);
}

static int say_exec(const char *program, int error)
{
	complain("%s: cannot be run: %s", program, error_text(error));
	return spawn_exit_status(error);
}

static int run_job(struct job *job, char **arguments)
{
	PRINTBUF(err);
	int exec_error = 0;
	int error = job_start(job, arguments, &exec_error, &err);
	int status = error	  ? fail(&err, error)
		     : exec_error ? say_exec(arguments[0], exec_error)
				  : 0;
	if (!error && !exec_error) {
		error = job_wait(job, &err);
		status = job->status;
		if (error)
			complain("%s; the program ran on where it was", printbuf_str(&err));
		else if (job->is_backed_off)
			complain("somebody else wrote /%s: left alone", job->group.path);
	}
	printbuf_reset(&err);
	if (job_end(job, &err))
		complain("%s", printbuf_str(&err));
	return status;
}

static void tell(const char *text)
{
	complain("%s", text);
}

static int run_with(const struct job_wish *wish, char **arguments)
{
	struct root root;
	struct job job;
	PRINTBUF(err);
	int error = root_open("/", &root, &err);
	if (error)
		return fail(&err, error);
	error = job_init(&job, &root, wish, &err);
	int status;
	if (error) {
		status = fail(&err, error);
	} else {
		job.tell = tell;
		recover(&root, &job);
		status = run_job(&job, arguments);
	}
	job_fini(&job);
	root_fini(&root);
	return status;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct run_options *options = values;
	struct job_wish wish = { .no_cgroup = false };
	int status = check_tier(&options->tier);
	if (!status)
		status = parse_wish(values, &wish);
	if (!status && options->tier.is_wanted)
		status = run_tier(&options->tier, &wish, arguments);
	else if (!status)
		status = run_with(&wish, arguments);
	set_fini(&wish.prefer);
	set_fini(&wish.allow);
	return status;
}

static const struct option run_options[] = {
	{ 'p', "prefer", "CPUS", OPTION_STRING, offsetof(struct run_options, prefer),
	  "The CPUs where the program is at home, as 0-3,8.", NULL },
	{ 'a', "allow", "CPUS", OPTION_STRING, offsetof(struct run_options, allow),
	  "The CPUs where it may run at all; otherwise all that berth itself may use.", NULL },
	{ 0, "spill-at", "PERCENT", OPTION_STRING, offsetof(struct run_options, spill_at),
	  "Utilisation of the preferred CPUs from which on others are borrowed at once; below it "
	  "waiting tasks are held for 4 ms first. 0: as soon as all are busy; hard: never; "
	  "otherwise 85.",
	  NULL },
	{ 0, "max-distance", "N", OPTION_COUNT, offsetof(struct run_options, max_distance),
	  "Borrow no CPU of a node further away than this from the nearest preferred one, in the "
	  "kernel's distances (10: the same node).",
	  NULL },
	{ 0, "engine", "ENGINE", OPTION_STRING, offsetof(struct run_options, engine),
	  "user: a timer that widens and narrows where the program may run; scx: a scheduler in "
	  "the kernel; auto: the best that is there.",
	  "auto|user|scx" },
	{ 0, "no-cgroup", NULL, OPTION_FLAG, offsetof(struct run_options, no_cgroup),
	  "Use the affinity of threads, even where a cpuset can be made.", NULL },
	{ 0, "tier", NULL, OPTION_FLAG, offsetof(struct run_options, tier.is_wanted),
	  "Place the program's memory: pages that earn it in the fast tier, others in the slow "
	  "one.",
	  NULL },
	{ 0, "policy", "POLICY", OPTION_STRING, offsetof(struct run_options, tier.policy),
	  "With --tier: who decides, NAME or NAME:key=value,... as `berth sim --list` shows them; "
	  "otherwise berth.",
	  NULL },
	{ 0, "sampler", "NAME", OPTION_STRING, offsetof(struct run_options, tier.sampler),
	  "With --tier: how to see which pages are used, a name or several, NAME,NAME; otherwise "
	  "auto: what works here, by what it costs for the memory that there is.",
	  NULL },
	{ 0, "mover", "NAME", OPTION_STRING, offsetof(struct run_options, tier.mover),
	  "With --tier: how pages are moved, move_pages or damos; otherwise move_pages.",
	  "auto|move_pages|damos" },
	{ 0, "advise", "KIND[,KIND]", OPTION_STRING, offsetof(struct run_options, tier.advice),
	  "With --tier: beside moving, ask the kernel to make demoted pages cold (cold), to join 2 "
	  "MiB that was promoted into a huge page (collapse), to page out what a full slow node "
	  "refused (pageout), to reclaim file pages of a full node (reclaim). Otherwise nothing.",
	  NULL },
	{ 'M', "machine", "MACHINE", OPTION_STRING, offsetof(struct run_options, tier.machine),
	  "With --tier: this machine as you know it, where its firmware does not tell latencies; "
	  "otherwise host. Nodes are the kernel's.",
	  NULL },
	{ 0, "rate", "SIZE", OPTION_BYTES, offsetof(struct run_options, tier.rate_bytes),
	  "With --tier: move at most as much in a second; otherwise 1GiB.", NULL },
	{ 0, "fast-floor", "SIZE", OPTION_BYTES, offsetof(struct run_options, tier.floor_bytes),
	  "With --tier: never move memory out of the fast tier below this.", NULL },
	{ 0, "fast-cap", "SIZE", OPTION_BYTES, offsetof(struct run_options, tier.cap_bytes),
	  "With --tier: never move more than this into the fast tier.", NULL },
	{ 0, "report", "FILE", OPTION_STRING, offsetof(struct run_options, tier.report),
	  "With --tier: write there what was seen and moved, and what that cost.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct run_options, tier.format),
	  "Of that report.", "text|json" },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct run_options, state),
	  "Directory of the restore journal; otherwise /run/berth for root, "
	  "$XDG_RUNTIME_DIR/berth for users.",
	  NULL },
};

const struct command command_run_program = {
	.name = "run",
	.usage = "[--prefer CPUS [--allow CPUS]] [--tier] [options] [--] PROGRAM [ARGUMENTS]",
	.summary = "run a program on preferred CPUs, or its pages in the memory they earn",
	.about = "With --prefer, a program has preferred and allowed CPUs. It runs on the "
		 "preferred ones; "
		 "when its tasks wait there and other allowed CPUs are idle it borrows these, "
		 "nearest first, and comes home when its work fits there again, or when somebody "
		 "else needs a borrowed CPU.\n\n"
		 "It is held by a cpuset cgroup of its own where one can be made, by the affinity "
		 "of its threads otherwise. A thread that chose a mask for itself keeps it, and a "
		 "cpuset that somebody else rewrote is left alone. No root is needed.\n\n"
		 "With --tier, on a machine with two tiers of memory (`berth machine` shows them), "
		 "samplers watch which pages of the program and its children are used, a policy "
		 "decides, the same that `berth sim` simulates, and pages move between the tiers "
		 "while it runs (root). `berth doctor place-memory` tells what works here, `berth "
		 "trial` what it gains, `berth daemon` does it for programs that run already.\n\n"
		 "With both, threads and memory are one job: it runs on its preferred CPUs and its "
		 "pages are placed, and `berth status` shows both.\n\n"
		 "Everything is undone when the program ends. After kill -9 of berth the next "
		 "`berth run` or `berth restore` does it; pages stay where they are.\n\n"
		 "Terminal, signals and exit status pass through; 126: cannot be run, 127: not "
		 "found, 128+N: ended by signal N.",
	.examples = "  # at home on the first four CPUs, allowed everywhere\n"
		    "  berth run --prefer 0-3 -- make -j8\n"
		    "  # never outside\n"
		    "  berth run --prefer 0-3 --spill-at hard -- ./server\n"
		    "  # its pages in fast memory as they earn it, and what that came to\n"
		    "  berth run --tier --report report.txt -- ./server\n"
		    "  # both: its threads at home, its pages where they earn it\n"
		    "  berth run --prefer 0-7 --tier -- ./server\n"
		    "  # 8 GiB of fast memory at most\n"
		    "  berth run --tier --fast-cap 8GiB -- ./server\n",
	.options = run_options,
	.nr_options = ARRAY_SIZE(run_options),
	.options_size = sizeof(struct run_options),
	.min_arguments = 1,
	.max_arguments = -1,
	.takes_program = true,
	.run = run,
};
