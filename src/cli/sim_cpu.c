/* SPDX-License-Identifier: MIT */
/*
 * `berth sim --cpu`: every policy runs the same jobs on the same machine from the same seed; one
 * row for each policy and job. What a job gains is against the first policy: less time for a job
 * that ends, more done for one that does not.
 */
#include "cli/sim_cpu.h"

#include <errno.h>

#include "cli/commands.h"
#include "sim/cpu/workload.h"

#define MACHINE_DEFAULT "host"

static const char *const default_policies[] = { "none", "hard", "soft" };

static const struct column columns[] = {
	{ "policy", "policy", COLUMN_TEXT, 0 },	   { "job", "job", COLUMN_TEXT, 0 },
	{ "done", "done", COLUMN_U64, 0 },	   { "time_ns", "time", COLUMN_NS, 0 },
	{ "gain", "gain", COLUMN_PERCENT, 2 },	   { "preferred", "preferred", COLUMN_U64, 0 },
	{ "home", "home", COLUMN_PERCENT, 1 },	   { "spilled", "spilled", COLUMN_U64, 0 },
	{ "held", "held", COLUMN_U64, 0 },	   { "called_home", "called", COLUMN_U64, 0 },
	{ "evicted", "evicted", COLUMN_U64, 0 },   { "moves_node", "to node", COLUMN_U64, 0 },
	{ "wait_ns", "waited", COLUMN_NS, 0 },	   { "latency_p50_ns", "p50", COLUMN_NS, 0 },
	{ "latency_p99_ns", "p99", COLUMN_NS, 0 },
};

struct cpu_run {
	const struct sim_cpu_options *options;
	struct machine *machine;
	struct cpusim_params params;
	struct cpusim_load loads[CPUSIM_LOADS_MAX];
	uint32_t nr_loads;
	struct cpusim_result first[CPUSIM_LOADS_MAX];
	struct table *table;
};

static void run_fini(struct cpu_run *run)
{
	for (uint32_t i = 0; i < run->nr_loads; i++) {
		set_fini(&run->loads[i].preferred);
		set_fini(&run->loads[i].allowed);
	}
	table_free(run->table);
	machine_free(run->machine);
}

static int prepare(struct cpu_run *run, struct printbuf *err)
{
	const struct sim_cpu_options *options = run->options;
	run->params.seed = options->seed;
	int error = cpusim_params_parse(options->scheduler, &run->params, err);
	if (!error)
		error = machine_open(options->machine ? options->machine : MACHINE_DEFAULT,
				     &run->machine, err);
	if (!error && options->jobs->nr > CPUSIM_LOADS_MAX)
		return error_set(err, -EINVAL, "--cpu: at most %u jobs", CPUSIM_LOADS_MAX);
	while (!error && run->nr_loads < options->jobs->nr) {
		error = cpusim_load_parse(options->jobs->items[run->nr_loads], run->machine,
					  run->nr_loads, &run->loads[run->nr_loads], err);
		run->nr_loads += !error;
	}
	return error;
}

static int parse_policy(const char *spec, const struct cpu_policy_ops **ret,
			uint64_t values[TUNABLES_MAX], struct printbuf *err)
{
	char name[SPEC_NAME_MAX + 1];
	const char *rest;
	const struct cpu_policy_ops *policy = spec_split(spec, name, &rest) ? NULL
									    : cpu_policy_find(name);
	if (!policy) {
		prt_printf(err, "%s: no such CPU policy; with --cpu there are", spec);
		for (size_t i = 0; cpu_policies[i]; i++)
			prt_printf(err, "%s %s", i ? "," : "", cpu_policies[i]->name);
		return -EINVAL;
	}
	tunables_defaults(policy->tunables, policy->nr_tunables, values);
	*ret = policy;
	return tunables_parse(rest, policy->tunables, policy->nr_tunables, name, values, err);
}

static uint64_t time_of(const struct cpusim_result *result)
{
	return result->finished_ns ? result->finished_ns - result->started_ns : 0;
}

static void put_gain(struct table *table, const struct cpusim_result *first,
		     const struct cpusim_result *result)
{
	double before = (double)time_of(first), after = (double)time_of(result);
	if (time_of(first) && time_of(result))
		table_double(table, (before - after) / before);
	else if (first->nr_done && !time_of(first) && !time_of(result))
		table_double(table, (double)result->nr_done / (double)first->nr_done - 1);
	else
		table_none(table);
}

static void put_row(struct cpu_run *run, const char *policy, uint32_t job,
		    const struct cpusim_result *result)
{
	struct table *table = run->table;
	table_row(table);
	table_text(table, policy);
	table_text(table, run->options->jobs->items[job]);
	table_u64(table, result->nr_done);
	if (time_of(result))
		table_u64(table, time_of(result));
	else
		table_none(table);
	put_gain(table, &run->first[job], result);
	table_u64(table, result->nr_wakeups - result->nr_spilled);
	if (result->run_ns)
		table_double(table, (double)result->home_run_ns / (double)result->run_ns);
	else
		table_none(table);
	table_u64(table, result->nr_spilled);
	table_u64(table, result->nr_held);
	table_u64(table, result->nr_called_home);
	table_u64(table, result->nr_yielded);
	table_u64(table, result->nr_moves_node);
	table_u64(table, result->wait_ns);
	table_u64(table, result->latency_p50_ns);
	table_u64(table, result->latency_p99_ns);
}

static int run_policy(struct cpu_run *run, const char *spec, bool is_first, struct printbuf *err)
{
	struct cpusim_result results[CPUSIM_LOADS_MAX];
	struct cpusim_total total;
	const struct cpu_policy_ops *policy = NULL;
	uint64_t values[TUNABLES_MAX];
	int error = parse_policy(spec, &policy, values, err);
	if (!error)
		error = cpusim_run(run->machine, &run->params, policy, values, run->loads,
				   run->nr_loads, results, &total, err);
	for (uint32_t job = 0; job < run->nr_loads && !error; job++) {
		run->first[job] = is_first ? results[job] : run->first[job];
		put_row(run, spec, job, &results[job]);
	}
	return error;
}

static int put_table(const struct cpu_run *run)
{
	PRINTBUF(out);
	struct json_writer json;
	switch (run->options->format) {
	case FORMAT_JSON:
		json_writer_init(&json, &out, false);
		json_object_begin(&json, NULL);
		json_u64(&json, "seed", run->params.seed);
		table_to_json(&json, "results", run->table);
		json_object_end(&json);
		prt_newline(&out);
		break;
	case FORMAT_CSV:
		table_to_csv(&out, run->table);
		break;
	default:
		table_to_text(&out, run->table);
	}
	return put_output(&out, NULL);
}

int sim_cpu_run(const struct sim_cpu_options *options)
{
	PRINTBUF(err);
	struct cpu_run run = { .options = options };
	bool named = options->policies->nr > 0;
	size_t nr = named ? options->policies->nr : ARRAY_SIZE(default_policies);
	int error = prepare(&run, &err);
	run.table = table_new(columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < nr && !error; i++)
		error = run_policy(&run, named ? options->policies->items[i] : default_policies[i],
				   i == 0, &err);
	int status = error ? fail(&err, error) : put_table(&run);
	run_fini(&run);
	return status;
}
