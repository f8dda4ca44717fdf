/* SPDX-License-Identifier: MIT */
/* Hot-page selection; hot.h has the picture and the sources. */
#include "sim/kernel/hot.h"

#include "sim/cost.h"

#define MS_PER_S 1000

static void adjust_threshold(struct hot_node *node, const struct hot_config *config,
			     uint64_t now_ms)
{
	if (config->is_fixed || now_ms - node->adjust_start_ms <= config->adjust_period_ms)
		return;
	uint64_t reference = cost_scale(config->limit_pages_per_s, config->adjust_period_ms,
					MS_PER_S);
	uint64_t seen = node->nr_candidates - node->adjust_nr_candidates;
	uint64_t unit = config->threshold_ms * 2 / HOT_ADJUST_STEPS;
	uint64_t threshold = node->threshold_ms ? node->threshold_ms : config->threshold_ms;
	if (seen > cost_scale(reference, 11, 10))
		threshold = threshold > 2 * unit ? threshold - unit : unit;
	else if (seen < cost_scale(reference, 9, 10))
		threshold = MIN(threshold + unit, config->threshold_ms * 2);
	node->adjust_start_ms = now_ms;
	node->adjust_nr_candidates = node->nr_candidates;
	node->threshold_ms = threshold;
}

/* What is over the limit counts as well: the limit is on attempts. */
static bool is_over_limit(struct hot_node *node, const struct hot_config *config, uint64_t now_ms,
			  uint64_t nr_pages)
{
	node->nr_candidates += nr_pages;
	if (now_ms - node->limit_start_ms > MS_PER_S) {
		node->limit_start_ms = now_ms;
		node->limit_nr_candidates = node->nr_candidates;
	}
	return node->nr_candidates - node->limit_nr_candidates >= config->limit_pages_per_s;
}

enum hot_verdict hot_decide(struct hot_node *node, const struct hot_config *config, uint64_t now_ms,
			    uint64_t latency_ms, uint64_t free_pages, uint64_t nr_pages)
{
	if (free_pages > config->bypass_pages) {
		node->threshold_ms = 0;
		node->nr_candidates_nrl += config->counts_bypass ? nr_pages : 0;
		return HOT_FREE_SPACE;
	}
	adjust_threshold(node, config, now_ms);
	uint64_t threshold = node->threshold_ms ? node->threshold_ms : config->threshold_ms;
	if (latency_ms >= threshold)
		return HOT_COLD;
	return is_over_limit(node, config, now_ms, nr_pages) ? HOT_LIMITED : HOT_PROMOTE;
}
