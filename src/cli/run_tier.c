/* SPDX-License-Identifier: MIT */
/* `berth run --tier` (run_tier.h). */
#include "cli/run_tier.h"

#include <string.h>

#include "cli/commands.h"
#include "linux/advice.h"
#include "linux/movers.h"
#include "linux/samplers.h"
#include "linux/spawn.h"
#include "linux/tier.h"

#define RATE_BYTES GIB
#define BURST_NS   (250 * NS_PER_MS)

int run_tier_policy(const char *spec, const struct policy_ops **ret, uint64_t *values)
{
	char name[SPEC_NAME_MAX + 1];
	const char *rest;
	PRINTBUF(err);
	if (spec_split(spec, name, &rest) < 0)
		return fail_usage("--policy %s: not a policy; write NAME or NAME:key=value", spec);
	const struct policy_ops *policy = policy_find(name);
	if (!policy)
		return fail_usage("--policy %s: no such policy; `berth sim --list` shows them",
				  name);
	tunables_defaults(policy->tunables, policy->nr_tunables, values);
	if (tunables_parse(rest, policy->tunables, policy->nr_tunables, name, values, &err) < 0)
		return fail_usage("%s", printbuf_str(&err));
	*ret = policy;
	return 0;
}

int run_tier_check_sampler(const char *names, uint32_t max)
{
	const struct sampler_ops *samplers[LIVE_SAMPLERS_MAX];
	uint32_t nr;
	PRINTBUF(err);
	if (!names || live_samplers_parse(names, samplers, max, &nr, &err) == 0)
		return 0;
	return fail_usage("--sampler %s", printbuf_str(&err));
}

static int parse_advice(const char *names, uint32_t *ret_kinds)
{
	PRINTBUF(err);
	if (advice_parse(names, ret_kinds, &err) == 0)
		return 0;
	return fail_usage("--advise %s", printbuf_str(&err));
}

static int check_mover(const char *name)
{
	const struct live_mover *mover;
	PRINTBUF(err);
	if (live_mover_parse(name, &mover, &err) == 0)
		return 0;
	return fail_usage("--mover %s", printbuf_str(&err));
}

struct engine_budget run_tier_budget(const struct run_tier_options *options)
{
	return (struct engine_budget){
		.bytes_per_s = options->rate_bytes ? options->rate_bytes : RATE_BYTES,
		.burst_ns = BURST_NS,
		.floor_fast_bytes = options->floor_bytes,
		.cap_fast_bytes = options->cap_bytes ? options->cap_bytes : UINT64_MAX,
	};
}

static int put_report(const struct run_tier_options *options, const struct tier_report *report)
{
	PRINTBUF(text);
	struct json_writer json;
	if (!options->report)
		return 0;
	if (options->format == FORMAT_JSON) {
		json_writer_init(&json, &text, false);
		tier_report_to_json(&json, NULL, report);
		prt_newline(&text);
	} else {
		tier_report_to_text(&text, report);
	}
	return put_output(&text, options->report);
}

static void tell(const char *text)
{
	complain("%s", text);
}

int run_tier(const struct run_tier_options *options, const struct job_wish *cpus, char **arguments)
{
	PRINTBUF(err);
	uint64_t values[TUNABLES_MAX];
	struct tier_wish wish = { .cpus = cpus,
				  .tell = tell,
				  .sampler = options->sampler,
				  .mover = options->mover,
				  .machine = options->machine,
				  .budget = run_tier_budget(options) };
	struct tier_report report;
	struct root root;
	int exec_error = 0, status = 0;
	status = run_tier_policy(options->policy ? options->policy : "berth", &wish.policy, values);
	if (!status)
		status = run_tier_check_sampler(options->sampler, LIVE_SAMPLERS_MAX);
	if (!status)
		status = check_mover(options->mover);
	if (!status)
		status = parse_advice(options->advice, &wish.advice);
	if (status)
		return status;
	wish.values = values;
	int error = root_open("/", &root, &err);
	if (!error)
		error = tier_run(&root, &wish, arguments, &status, &exec_error, &report, &err);
	root_fini(&root);
	if (error)
		return fail(&err, error);
	if (exec_error) {
		complain("%s: cannot be run: %s", arguments[0], error_text(exec_error));
		return spawn_exit_status(exec_error);
	}
	if (report.has_failed)
		complain("%s; the program ran on where its memory was", printbuf_str(&err));
	put_report(options, &report);
	return status;
}
