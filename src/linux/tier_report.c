/* SPDX-License-Identifier: MIT */
/* What a tiered job came to, for programs (tier.h). */
#include "linux/tier.h"

uint64_t tier_report_deciding_ns(const struct tier_report *report)
{
	return report->ticking_ns > report->sampling_ns ? report->ticking_ns - report->sampling_ns
							: 0;
}

static void costs_to_json(struct json_writer *json, const struct tier_report *report)
{
	json_array_begin(json, "samplers");
	for (uint32_t i = 0; i < report->nr_costs; i++) {
		json_object_begin(json, NULL);
		json_str(json, "name", report->costs[i].sampler);
		json_u64(json, "own_ns", report->costs[i].own_ns);
		json_u64(json, "kernel_ns", report->costs[i].kernel_ns);
		json_u64(json, "faults", report->costs[i].nr_faults);
		json_object_end(json);
	}
	json_array_end(json);
}

void tier_report_to_json(struct json_writer *json, const char *key,
			 const struct tier_report *report)
{
	const struct engine_stats *stats = &report->stats;
	PRINTBUF(names);
	json_object_begin(json, key);
	json_str(json, "policy", report->policy);
	live_costs_names(&names, report->costs, report->nr_costs);
	json_str(json, "sampler", printbuf_str(&names));
	costs_to_json(json, report);
	json_str(json, "mover", report->mover);
	json_bool(json, "has_failed", report->has_failed);
	json_u64(json, "passed_ns", report->passed_ns);
	json_u64(json, "sampling_ns", report->sampling_ns);
	json_u64(json, "moving_ns", report->moving_ns);
	json_u64(json, "deciding_ns", tier_report_deciding_ns(report));
	json_u64(json, "all_ns", report->all_ns);
	json_u64(json, "sleeps", report->nr_sleeps);
	json_u64(json, "max_rss_bytes", report->max_rss_bytes);
	json_u64(json, "policy_bytes", report->policy_bytes);
	json_u64(json, "processes", report->nr_processes);
	json_u64(json, "samples", stats->nr_samples);
	json_u64(json, "planned_pages", stats->nr_planned_pages);
	json_u64(json, "cut_pages", stats->nr_cut_pages);
	json_u64(json, "promoted_pages", stats->nr_promoted_pages);
	json_u64(json, "demoted_pages", stats->nr_demoted_pages);
	json_object_begin(json, "outcome_pages");
	for (unsigned i = 0; i < MOVE_NR_OUTCOMES; i++)
		json_u64(json, move_outcome_names[i], stats->nr_outcome_pages[i]);
	json_object_end(json);
	mover_figures_to_json(json, "mover_figures", &report->moving);
	json_u64(json, "foreign_pages", report->nr_foreign_pages);
	advice_to_json(json, "advice", &report->advice);
	series_to_json(json, "series", &report->series);
	json_object_end(json);
}
