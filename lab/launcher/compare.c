/* SPDX-License-Identifier: MIT */
/*
 * What several runs of a program come to (compare.h).
 *
 * Median rather than mean: one run that the host disturbed must not decide. The counters shown
 * beside it are those of one run, the one nearest to the median, so that they fit each other.
 *
 * Counters of the latency model are those of phase 2 (the steady run) when the program marks it,
 * else of all phases: what building the data cost is not what is compared.
 *
 * Cost: a sort of each case's values; 24 bytes an interval.
 */
#include "lab/launcher/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define PHASE_RUN      2   /* lab/workloads/README.md */
#define NS_PER_KINSTR  300 /* as recordings (design.md) */
#define VMSTATS_SUMMED 4

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

double compare_median(const double *values, size_t nr)
{
	double *sorted = nr ? malloc(nr * sizeof(*sorted)) : NULL;
	if (!sorted)
		return NAN;
	memcpy(sorted, values, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), compare_doubles);
	double median = nr % 2 ? sorted[nr / 2] : (sorted[nr / 2 - 1] + sorted[nr / 2]) / 2;
	free(sorted);
	return median;
}

double compare_ratio(const struct compare_metric *metric, double value, double yardstick)
{
	double over = metric->is_higher_better ? yardstick : value;
	double under = metric->is_higher_better ? value : yardstick;
	return over > 0 ? under / over : NAN;
}

/* The counters of one node, summed over CPUs, of the steady run when there is one. */
static struct lab_count node_count(const struct lab_shared *counters, uint32_t node, bool only_run)
{
	struct lab_count sum = { 0 };
	for (uint32_t cpu = 0; cpu < MIN(counters->model.nr_vcpus, LAB_MAX_VCPUS); cpu++) {
		for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++) {
			const struct lab_count *count = &counters->vcpus[cpu].counts[phase][node];
			if (only_run && phase != PHASE_RUN)
				continue;
			sum.nr_load_misses += count->nr_load_misses;
			sum.nr_store_misses += count->nr_store_misses;
			sum.wait_ns += count->wait_ns;
		}
	}
	return sum;
}

static uint64_t all_misses(const struct lab_shared *counters, uint32_t nr_nodes, bool only_run)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < nr_nodes; i++) {
		struct lab_count count = node_count(counters, i, only_run);
		sum += count.nr_load_misses + count.nr_store_misses;
	}
	return sum;
}

static void add_model(struct compare_run *run, const struct lab_shared *counters,
		      const struct machine *machine)
{
	uint32_t nr_nodes = MIN(machine->nr_nodes, LAB_MAX_NODES);
	bool only_run = all_misses(counters, nr_nodes, true) > 0;
	run->has_model = true;
	for (uint32_t i = 0; i < nr_nodes; i++) {
		struct lab_count count = node_count(counters, i, only_run);
		uint64_t misses = count.nr_load_misses + count.nr_store_misses;
		uint32_t tier = machine->nodes[i].tier;
		run->figures[COMPARE_MISSES] += misses;
		if (tier == 0)
			run->figures[COMPARE_FAST_MISSES] += misses;
		if (tier < COMPARE_MAX_TIERS)
			run->wait_ns[tier] += count.wait_ns;
	}
	for (uint32_t cpu = 0; cpu < MIN(counters->model.nr_vcpus, LAB_MAX_VCPUS); cpu++) {
		const struct lab_vcpu *vcpu = &counters->vcpus[cpu];
		uint64_t nr = only_run ? vcpu->nr_phase_instructions[PHASE_RUN]
				       : vcpu->nr_instructions;
		run->modelled_ns += nr * NS_PER_KINSTR / 1000;
	}
	for (uint32_t tier = 0; tier < COMPARE_MAX_TIERS; tier++)
		run->modelled_ns += run->wait_ns[tier];
}

/* Each figure is the growth of some counters of /proc/vmstat; a kernel may lack some. */
static void add_vmstat(struct compare_run *run, const struct lab_result *result)
{
	static const char *const names[COMPARE_NR_FIGURES][VMSTATS_SUMMED] = {
		[COMPARE_PROMOTED] = { "pgpromote_success" },
		[COMPARE_DEMOTED] = { "pgdemote_kswapd", "pgdemote_direct", "pgdemote_khugepaged",
				      "pgdemote_proactive" },
		[COMPARE_HINT_FAULTS] = { "numa_hint_faults" },
		[COMPARE_MOVED] = { "pgmigrate_success" },
		[COMPARE_FAILED] = { "pgmigrate_fail" },
	};
	for (size_t figure = 0; figure < COMPARE_NR_FIGURES; figure++)
		for (size_t i = 0; i < VMSTATS_SUMMED && names[figure][i]; i++)
			run->figures[figure] += lab_result_delta(result, names[figure][i]);
}

static void set_metric(struct compare_metric *metric, const char *name, const char *unit)
{
	*metric = (struct compare_metric){ 0 };
	memcpy(metric->name, name, MIN(strlen(name), sizeof(metric->name) - 1));
	memcpy(metric->unit, unit, MIN(strlen(unit), sizeof(metric->unit) - 1));
}

/* Modelled time under icount, else what the program says, else its time; or what was asked for. */
static bool find_value(struct compare_run *run, struct compare_metric *metric, enum lab_time time,
		       const char *wish, const struct compare_printed *printed)
{
	bool is_icount = time == LAB_TIME_ICOUNT;
	if (wish ? strcmp(wish, "modelled") == 0 : is_icount && run->has_model) {
		set_metric(metric, "modelled", "s");
		run->value = (double)run->modelled_ns / NS_PER_S;
		return run->has_model;
	}
	if (printed->has_value) {
		*metric = printed->metric;
		run->value = printed->value;
		return true;
	}
	if (wish && strcmp(wish, "time") != 0)
		return false;
	set_metric(metric, "time", "s");
	run->value = (double)run->guest_ns / NS_PER_S;
	return true;
}

static char *sentence(const struct lab_result *result, const struct compare_printed *printed)
{
	PRINTBUF(out);
	if (result->words.pos)
		prt_str(&out, printbuf_str(&result->words));
	else
		prt_str(&out, printed->last);
	if (result->console_path)
		prt_printf(&out, "%sconsole: %s", out.pos ? "; " : "", result->console_path);
	return out.pos ? printbuf_steal(&out, NULL) : NULL;
}

static void set_end(struct compare_run *run, const char *word, int status)
{
	struct printbuf end;
	printbuf_init_fixed(&end, run->end, sizeof(run->end), 0);
	prt_str(&end, word);
	if (status)
		prt_printf(&end, " %d", status);
}

/* Why a run has no value, in a word for its cell. */
static void judge(struct compare_run *run, struct compare *compare, const struct lab_result *result,
		  enum lab_time time, const char *wish, struct compare_printed *printed)
{
	struct compare_metric metric = { 0 };
	if (result->end != LAB_END_EXITED) {
		set_end(run, lab_end_names[result->end], 0);
	} else if (result->status != 0) {
		set_end(run, "status", result->status);
	} else if (!find_value(run, &metric, time, wish, printed)) {
		set_end(run, "no metric", 0);
	} else if (compare->metric.name[0] && strcmp(compare->metric.name, metric.name) != 0) {
		set_end(run, "other metric", 0);
	} else {
		run->is_ok = true;
		compare->metric = metric;
		return;
	}
	run->why = sentence(result, printed);
}

int compare_add_run(struct compare *compare, size_t index, const struct lab_result *result,
		    const struct machine *machine, enum lab_time time, const char *wish,
		    struct compare_printed *printed)
{
	struct compare_case *entry = &compare->cases[index];
	if (entry->nr_runs == entry->room) {
		uint32_t room = entry->room ? entry->room * 2 : 4;
		struct compare_run *runs = realloc(entry->runs, room * sizeof(*runs));
		if (!runs)
			return -ENOMEM;
		entry->runs = runs;
		entry->room = room;
	}
	struct compare_run *run = &entry->runs[entry->nr_runs++];
	*run = (struct compare_run){
		.wall_ns = result->wall_ns,
		.guest_ns = result->guest_ns,
		.boot_wall_ns = result->boot_wall_ns,
		.series = printed->series,
		.nr_series = printed->nr_series,
	};
	printed->series = NULL;
	printed->nr_series = 0;
	if (result->counters)
		add_model(run, result->counters, machine);
	add_vmstat(run, result);
	judge(run, compare, result, time, wish, printed);
	return 0;
}

static int64_t nearest_run(const struct compare_case *entry)
{
	int64_t nearest = -1;
	for (uint32_t i = 0; i < entry->nr_runs; i++) {
		const struct compare_run *run = &entry->runs[i];
		if (run->is_ok &&
		    (nearest < 0 || fabs(run->value - entry->median) <
					    fabs(entry->runs[nearest].value - entry->median)))
			nearest = i;
	}
	return nearest;
}

static void summarize_case(struct compare_case *entry)
{
	double *values = calloc(entry->nr_runs + 1, sizeof(*values));
	entry->nr_ok = 0;
	entry->min = entry->max = entry->median = entry->mad = NAN;
	for (uint32_t i = 0; values && i < entry->nr_runs; i++) {
		double value = entry->runs[i].value;
		if (!entry->runs[i].is_ok)
			continue;
		values[entry->nr_ok++] = value;
		entry->min = entry->nr_ok == 1 ? value : MIN(entry->min, value);
		entry->max = entry->nr_ok == 1 ? value : MAX(entry->max, value);
	}
	if (entry->nr_ok > 0) {
		entry->median = compare_median(values, entry->nr_ok);
		for (uint32_t i = 0; i < entry->nr_ok; i++)
			values[i] = fabs(values[i] - entry->median);
		entry->mad = compare_median(values, entry->nr_ok);
	}
	entry->typical = nearest_run(entry);
	free(values);
}

/* The median of the yardstick on the same kernel; NaN when it is not there. */
static double yardstick(const struct compare *compare, const char *name, const char *kernel)
{
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_case *entry = &compare->cases[i];
		if (strcmp(entry->policy, name) == 0 && strcmp(entry->kernel, kernel) == 0 &&
		    !entry->is_left_out)
			return entry->median;
	}
	return NAN;
}

void compare_summarize(struct compare *compare)
{
	for (size_t i = 0; i < compare->nr_cases; i++)
		summarize_case(&compare->cases[i]);
	for (size_t i = 0; i < compare->nr_cases; i++) {
		struct compare_case *entry = &compare->cases[i];
		double best = yardstick(compare, "static-best", entry->kernel);
		double fast = yardstick(compare, "all-fast", entry->kernel);
		entry->of_static_best = compare_ratio(&compare->metric, entry->median, best);
		entry->of_all_fast = compare_ratio(&compare->metric, entry->median, fast);
	}
}

void compare_fini(struct compare *compare)
{
	for (size_t i = 0; i < compare->nr_cases; i++) {
		struct compare_case *entry = &compare->cases[i];
		for (uint32_t r = 0; r < entry->nr_runs; r++) {
			free(entry->runs[r].why);
			free(entry->runs[r].series);
		}
		free(entry->runs);
	}
	free(compare->cases);
	*compare = (struct compare){ 0 };
}
