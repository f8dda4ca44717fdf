/* SPDX-License-Identifier: MIT */
/*
 * How much fast memory: the buyer's curve, from the same pass as the pictures.
 *
 *     batches --> stage --> problem builder --> placement_curve --> slowdown at 0, 5, 10, ... 100 %
 *
 * 100 % is the most memory that lives at one time. A slowdown is
 *
 *     (compute + blocked + cost of the placement) / (the same with everything in the fastest node)
 *
 * where cost is what bounds are exact against: latency of misses and migration. Bandwidth is left
 * out, so a program that streams faster than the slow memory can is slower than the curve says;
 * `berth sim` counts it.
 *
 * Decisions fall on ticks of 1 ms; a recording of more than MAX_TICKS of them gets longer ticks, so
 * that memory grows with the pages of the program and not with the length of the file. What cannot
 * be put into a figure (samples) leaves the curve without slowdown, with the reason.
 */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/report.h"
#include "sim/bound.h"
#include "sim/bound/curve.h"
#include "sim/sim.h"

#define MAX_TICKS     2048
#define DEFAULT_PAGES ((uint64_t)1 << 28) /* until the recording's need is known */

struct curve_maker {
	struct report_curve *curve;
	struct machine *machine;
	struct cost_model *cost;
	struct stage *stage;
	struct problem_builder *builder;
	uint32_t page_bytes;
	bool is_stopped; /* why_not says why */
	bool is_unfiltered;
};

void report_curve_fini(struct report_curve *curve)
{
	free(curve->why_not);
	free(curve->machine_line);
	free(curve->note);
	*curve = (struct report_curve){ 0 };
}

static void stop(struct curve_maker *maker, const char *reason)
{
	maker->is_stopped = true;
	if (!maker->curve->why_not)
		maker->curve->why_not = strdup(reason);
}

static int open_machine(struct curve_maker *maker, const char *argument, struct printbuf *err)
{
	if (argument)
		return machine_open(argument, &maker->machine, err);
	maker->curve->machine_is_default = true;
	return sim_default_machine(DEFAULT_PAGES, maker->page_bytes, 5000, &maker->machine, err);
}

static int open_model(struct curve_maker *maker, const struct trace_info *info,
		      struct printbuf *err)
{
	uint64_t values[COST_NR_TUNABLES];
	for (unsigned i = 0; i < COST_NR_TUNABLES; i++)
		values[i] = cost_tunables[i].initial;
	while (values[COST_TICK] < cost_tunables[COST_TICK].max / 2 &&
	       info->duration_ns / values[COST_TICK] >= MAX_TICKS)
		values[COST_TICK] *= 2;
	maker->curve->tick_ns = values[COST_TICK];
	return cost_model_new(maker->machine, info->page_bytes, info->cache.line_bytes, values,
			      &maker->cost, err);
}

static int open_stage(struct curve_maker *maker, const struct trace_info *info)
{
	bool counts = !(info->streams & (TRACE_STREAM_MISSES | TRACE_STREAM_ALL));
	maker->is_unfiltered = !(info->streams & TRACE_STREAM_MISSES) && !info->cache.size_bytes;
	struct stage_config config = { .tick_ns = maker->cost->tick_ns,
				       .is_unfiltered = maker->is_unfiltered,
				       .wants_counts = counts };
	int error = stage_new(&config, &maker->stage);
	if (error)
		return error;
	error = problem_builder_new(maker->cost, &maker->builder);
	if (error)
		return error;
	struct stage_consumer consumer = problem_builder_consumer(maker->builder);
	return stage_add_consumer(maker->stage, &consumer);
}

int curve_maker_new(const struct trace_info *info, const char *machine, struct report_curve *curve,
		    struct curve_maker **ret, struct printbuf *err)
{
	struct curve_maker *maker = calloc(1, sizeof(*maker));
	if (!maker)
		return error_set(err, -ENOMEM, "out of memory");
	maker->curve = curve;
	maker->page_bytes = info->page_bytes;
	PRINTBUF(reason);
	int error = open_machine(maker, machine, err);
	if (!error)
		error = open_model(maker, info, err);
	if (!error && stage_config_of(info, 0).wants_samples) {
		stop(maker, "No slowdown can be predicted: the recording holds samples only, which "
			    "say where a program is hot but not how often it misses; record with "
			    "`berth record`.");
	} else if (!error && sim_check_recording(info, &reason)) {
		PRINTBUF(sentence);
		prt_printf(&sentence, "No slowdown can be predicted: %s.", printbuf_str(&reason));
		stop(maker, printbuf_str(&sentence));
	} else if (!error && maker->cost->nr_order < 2) {
		stop(maker, "No slowdown to predict: all memory of this machine is on one node.");
	} else if (!error && open_stage(maker, info)) {
		error = error_set(err, -ENOMEM, "out of memory");
	}
	if (error) {
		curve_maker_free(maker);
		return error;
	}
	*ret = maker;
	return 0;
}

struct curve_maker *curve_maker_free(struct curve_maker *maker)
{
	if (!maker)
		return NULL;
	problem_builder_free(maker->builder);
	stage_free(maker->stage);
	cost_model_free(maker->cost);
	machine_free(maker->machine);
	free(maker);
	return NULL;
}

int curve_maker_feed(struct curve_maker *maker, const struct trace_batch *batch,
		     struct printbuf *err)
{
	return maker->is_stopped ? 0 : stage_feed(maker->stage, batch, err);
}

static double served_by(const struct profile *profile, uint64_t pages)
{
	double at = profile->touched_pages ? 100.0 * (double)pages / (double)profile->touched_pages
					   : 100.0;
	unsigned index = (unsigned)MIN(at, PROFILE_COVERAGE - 1.0);
	if (index + 1 >= PROFILE_COVERAGE)
		return profile->coverage[PROFILE_COVERAGE - 1];
	double part = at - index;
	return profile->coverage[index] * (1 - part) + profile->coverage[index + 1] * part;
}

/* In percent; closer together where the curves bend. */
static const uint8_t shares[REPORT_MAX_POINTS] = { 0, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100 };

static void place_points(struct curve_maker *maker, const struct profile *profile, uint64_t pages,
			 uint64_t *capacities)
{
	struct report_curve *curve = maker->curve;
	curve->total_bytes = pages * maker->page_bytes;
	curve->nr_points = REPORT_MAX_POINTS;
	for (uint32_t i = 0; i < curve->nr_points; i++) {
		double share = shares[i] / 100.0;
		capacities[i] = (pages * shares[i] + 99) / 100;
		curve->points[i] = (struct report_point){
			.share = share,
			.fast_bytes = capacities[i] * maker->page_bytes,
			.served = served_by(profile, capacities[i]),
		};
	}
}

/* The default machine's line with the sizes that this recording needs, or the machine's own. */
static int name_machine(struct curve_maker *maker, uint64_t pages, struct printbuf *err)
{
	PRINTBUF(line);
	if (maker->curve->machine_is_default) {
		struct machine *machine = NULL;
		int error = sim_default_machine(pages, maker->page_bytes, 10000, &machine, err);
		if (error)
			return error;
		machine_to_line(&line, machine);
		machine_free(machine);
	} else {
		machine_to_line(&line, maker->machine);
	}
	maker->curve->machine_line = printbuf_steal(&line, NULL);
	return maker->curve->machine_line ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static double ratio(double base_ps, uint64_t cost_ps, double all_fast_ps)
{
	return all_fast_ps > 0 ? (base_ps + (double)cost_ps) / all_fast_ps : 1;
}

static int solve(struct curve_maker *maker, const uint64_t *capacities, double base_ps,
		 struct printbuf *err)
{
	struct report_curve *curve = maker->curve;
	struct placement_point points[REPORT_MAX_POINTS];
	const struct placement_problem *problem = NULL;
	uint64_t *all = calloc(maker->machine->nr_nodes, sizeof(*all));
	if (!all)
		return error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < maker->machine->nr_nodes; i++)
		all[i] = cost_capacity_pages(maker->cost, i);
	all[maker->cost->order[maker->cost->nr_order - 1]] = UINT32_MAX;
	int error = problem_builder_problem(maker->builder, all, &problem, err);
	free(all);
	if (!error)
		error = placement_curve(problem, capacities, curve->nr_points, 0, points, err);
	if (error)
		return error;
	double fast = base_ps + (double)placement_cost_all_in(problem, 0);
	curve->all_fast_ns = (uint64_t)(fast / 1000);
	curve->all_slow = ratio(base_ps, placement_cost_all_in(problem, problem->nr_tiers - 1),
				fast);
	for (uint32_t i = 0; i < curve->nr_points; i++) {
		struct report_point *point = &curve->points[i];
		point->static_lower = ratio(base_ps, points[i].static_best.lower_ps, fast);
		point->static_upper = ratio(base_ps, points[i].static_best.upper_ps, fast);
		point->optimal_lower = ratio(base_ps, points[i].optimal.lower_ps, fast);
		point->optimal_upper = ratio(base_ps, points[i].optimal.upper_ps, fast);
	}
	curve->has_slowdown = true;
	return 0;
}

int curve_maker_finish(struct curve_maker *maker, const struct profile *profile,
		       struct printbuf *err)
{
	struct stage_stats stats = { .nr_peak = (uint32_t)MIN(profile->touched_pages, UINT32_MAX) };
	uint64_t capacities[REPORT_MAX_POINTS];
	if (!maker->is_stopped) {
		int error = stage_finish(maker->stage, profile->duration_ns, err);
		if (error)
			return error;
		stage_stats(maker->stage, &stats);
	}
	uint64_t pages = maker->is_stopped ? profile->touched_pages : stats.nr_peak;
	if (!pages)
		return 0;
	place_points(maker, profile, pages, capacities);
	int error = name_machine(maker, pages, err);
	if (error || maker->is_stopped)
		return error;
	if (maker->is_unfiltered)
		maker->curve->note = strdup(
			"The recording has no model of a cache: every access "
			"is charged as a miss, so slowdowns come out too high.");
	double base_ps = ((double)profile->duration_ns + (double)stats.blocked_ns) * 1000;
	return solve(maker, capacities, base_ps, err);
}

const struct report_point *report_curve_at(const struct report_curve *curve, double share)
{
	const struct report_point *best = NULL;
	for (uint32_t i = 0; curve->has_slowdown && i < curve->nr_points; i++) {
		double distance = curve->points[i].share - share;
		double nearest = best ? best->share - share : 2;
		if (distance * distance < nearest * nearest)
			best = &curve->points[i];
	}
	return best;
}
