/* SPDX-License-Identifier: MIT */
/*
 * damon: DAMOS schemes for tiers. Cold ranges leave fast memory while little of it is free, hot
 * ones of slow memory enter it while not all of it is used, both under a quota that a goal steers.
 *
 *     snapshot of regions (hits, age, node)
 *         +--> migrate_cold: in fast memory, rate <= cold_max, score from coldness --> slow
 *         +--> migrate_hot:  in slow memory, rate >= hot_min,  score from hotness  --> fast
 *     each: regions whose pattern fits, the best by score until the quota of this window is used
 *
 *     quota of a window = what the goal asks for, at most `quota`:
 *         next = last x (1 + (target - now) / target)          ("consist": proportional)
 *         cold: free fast memory, 0.5 %     hot: used fast memory, 99.7 %
 *     The two overlap by 0.2 %, which keeps pages moving in both directions.
 *
 * Two regions' scores compare by frequency and age, half and half: a rate of 0..100 and an age of
 * 50 + or - 50/32 per doubling of seconds (minus when it was never used). An action resets the
 * region's age, so that it is not acted on again at once (cold_min_age, hot_min_age).
 *
 * Follows mm/damon/core.c (damos_adjust_quota, damon_feed_loop_next_input, damos_apply_scheme) and
 * ops-common.c (damon_hot_score) of 6.12; goals and constants of samples/damon/mtier.c (6.16) and
 * damo's mem_tier.sh: 200 MiB per second and scheme, free 0.5 %, used 99.7 %, hot from 5 % of the
 * checks, cold at none, applied each second, weights 100 and 100. Watermarks, off by default as
 * there, are of free memory with DAMON_RECLAIM's 50, 40 and 20 %. Where this differs:
 *   - The kernel's sample monitors each node's physical memory. Here regions are virtual; those
 * that lie wholly on the target node are passed over, and pages that turn out to be there already,
 * or not to be there at all, are not charged.
 *   - The `young` filter looks at each page as it is moved; a plan cannot. Left out, like the quota
 *     in milliseconds, the weight of sizes (6.12 does not use it) and the temporal tuner.
 *   - The kernel's first charge window has no limit; here the quota holds from the start. The loops
 *     begin where a machine that was idle for long leaves them: promotion's fully grown, as nothing
 *     was used; demotion's at one byte, as all was free.
 *
 * Time: O(regions) per application, O(log regions) per region and snapshot. Bytes: 40 per region,
 * twice; at most REGIONS_MAX.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "policy/memory/room.h"
#include "policy/policy.h"

#define REGIONS_MAX  262144
#define SCORE_MAX    99
#define SUBSCORE_MAX 100
#define AGE_BITS_MAX 32
#define GOAL	     10000	       /* score of a goal that is reached */
#define INPUT_MIN    10000	       /* of the feedback loop: one byte */
#define WINDOW_NS    (100 * NS_PER_MS) /* of a snapshot, until two were seen */
#define WMARK_PER    1000

enum {
	APPLY_INTERVAL,
	COLD_MAX,
	COLD_MIN_AGE,
	HOT_MIN,
	HOT_MIN_AGE,
	QUOTA,
	QUOTA_INTERVAL,
	WEIGHT_ACCESSES,
	WEIGHT_AGE,
	GOAL_FREE,
	GOAL_USED,
	WMARKS,
	WMARK_HIGH,
	WMARK_MID,
	WMARK_LOW,
	NR_TUNABLES
};

static const struct tunable damon_tunables[NR_TUNABLES] = {
	[APPLY_INTERVAL] = { "apply_interval", TUNABLE_NS, NS_PER_S, 0, 3600 * NS_PER_S,
			     "of both schemes; 0: at every snapshot" },
	[COLD_MAX] = { "cold_max", TUNABLE_BP, 0, 0, 10000,
		       "share of checks with a hit, at most, to be demoted" },
	[COLD_MIN_AGE] = { "cold_min_age", TUNABLE_COUNT, 0, 0, 1000000,
			   "snapshots since when that is so" },
	[HOT_MIN] = { "hot_min", TUNABLE_BP, 500, 0, 10000,
		      "share of checks with a hit, at least, to be promoted" },
	[HOT_MIN_AGE] = { "hot_min_age", TUNABLE_COUNT, 0, 0, 1000000,
			  "snapshots since when that is so" },
	[QUOTA] = { "quota", TUNABLE_BYTES, 200 << 20, 0, TUNABLE_NO_MAX,
		    "of each scheme per quota_interval, at most; 0: none but the goal's" },
	[QUOTA_INTERVAL] = { "quota_interval", TUNABLE_NS, NS_PER_S, 1, 3600 * NS_PER_S,
			     "reset_interval of the quotas" },
	[WEIGHT_ACCESSES] = { "weight_nr_accesses", TUNABLE_COUNT, 100, 0, 1000,
			      "of the rate in a region's score" },
	[WEIGHT_AGE] = { "weight_age", TUNABLE_COUNT, 100, 0, 1000, "of the age" },
	[GOAL_FREE] = { "node_mem_free_bp", TUNABLE_BP, 50, 0, 10000,
			"of fast memory, what demotion aims at; 0: no goal" },
	[GOAL_USED] = { "node_mem_used_bp", TUNABLE_BP, 9970, 0, 10000,
			"of fast memory, what promotion aims at; 0: no goal" },
	[WMARKS] = { "wmarks", TUNABLE_FLAG, 0, 0, 1,
		     "schemes rest unless free memory is between low and high" },
	[WMARK_HIGH] = { "wmark_high", TUNABLE_COUNT, 500, 0, WMARK_PER,
			 "of a thousand of all memory free: above it they rest" },
	[WMARK_MID] = { "wmark_mid", TUNABLE_COUNT, 400, 0, WMARK_PER,
			"below it they begin again" },
	[WMARK_LOW] = { "wmark_low", TUNABLE_COUNT, 200, 0, WMARK_PER, "below it they rest" },
};

struct region {
	uint64_t page, nr_pages;
	uint64_t acted; /* number of the snapshot when it was acted on last; 0: never */
	uint32_t space, node;
	uint32_t hits, checks, age;
};

struct regions { /* of one snapshot, as they come: sorted */
	struct region *items;
	size_t nr, max;
	uint64_t time_ns;
};

struct scheme {
	bool is_hot;
	uint64_t goal_bp;
	const char *why;
	/* The quota, in bytes. */
	uint64_t limit, limit_bp; /* of this window; the loop's own, x 10000 */
	uint64_t charged, charged_from_ns;
	bool has_window;
	uint64_t min_score;
	/* Where the quota of the last window ended. */
	bool has_place;
	uint32_t place_space;
	uint64_t place_page;
	uint64_t histogram[SCORE_MAX + 1]; /* bytes */
};

struct damon_agent {
	const struct machine *machine;
	uint64_t values[NR_TUNABLES];
	uint32_t page_bytes;
	struct regions now, before;
	uint64_t nr_snapshots, window_ns, next_apply_ns;
	bool is_fresh;	/* a snapshot came since the last application */
	bool is_active; /* by the watermarks */
	struct scheme cold, hot;
};

static int damon_agent_new(const struct policy_config *config, void **ret_policy,
			   struct printbuf *err)
{
	const uint64_t *values = config->values;
	if (values[WMARK_LOW] > values[WMARK_MID] || values[WMARK_MID] > values[WMARK_HIGH])
		return error_set(err, -EINVAL,
				 "damon: wmark_low, wmark_mid and wmark_high must ascend");
	struct damon_agent *agent = calloc(1, sizeof(*agent));
	if (!agent)
		return error_set(err, -ENOMEM, "damon: out of memory");
	*agent = (struct damon_agent){
		.machine = config->machine,
		.page_bytes = config->page_bytes,
		.window_ns = WINDOW_NS,
		.cold = { .goal_bp = values[GOAL_FREE], .limit_bp = INPUT_MIN, .why = "cold" },
		.hot = { .is_hot = true,
			 .goal_bp = values[GOAL_USED],
			 .limit_bp = UINT64_MAX,
			 .why = "hot" },
	};
	memcpy(agent->values, values, sizeof(agent->values));
	*ret_policy = agent;
	return 0;
}

static void damon_agent_free(void *policy)
{
	struct damon_agent *agent = policy;
	if (!agent)
		return;
	free(agent->now.items);
	free(agent->before.items);
	free(agent);
}

/* The region of the snapshot before that holds this page, or NULL. */
static const struct region *find_before(const struct damon_agent *agent, uint32_t space,
					uint64_t page)
{
	const struct regions *regions = &agent->before;
	size_t low = 0, high = regions->nr;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct region *region = &regions->items[middle];
		bool is_before = region->space < space || (region->space == space &&
							   region->page + region->nr_pages <= page);
		if (is_before)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == regions->nr || regions->items[low].space != space ||
	    regions->items[low].page > page)
		return NULL;
	return &regions->items[low];
}

static void begin_snapshot(struct damon_agent *agent, uint64_t time_ns)
{
	struct regions recycled = agent->before;
	if (agent->nr_snapshots > 0 && time_ns > agent->now.time_ns)
		agent->window_ns = time_ns - agent->now.time_ns;
	agent->before = agent->now;
	agent->now = recycled;
	agent->now.nr = 0;
	agent->now.time_ns = time_ns;
	agent->nr_snapshots++;
	agent->is_fresh = true;
}

static bool has_room(struct regions *regions)
{
	if (regions->nr < regions->max)
		return true;
	size_t max = regions->max ? regions->max * 2 : 1024;
	if (max > REGIONS_MAX)
		return false;
	struct region *items = realloc(regions->items, max * sizeof(*items));
	if (!items)
		return false; /* the rest of this snapshot stays unknown */
	regions->items = items;
	regions->max = max;
	return true;
}

static void damon_agent_observe(void *policy, const struct sample_batch *batch)
{
	struct damon_agent *agent = policy;
	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct sample *sample = &batch->samples[i];
		if (sample->kind != SAMPLE_HITS || sample->nr_pages == 0 || sample->checks == 0)
			continue;
		if (agent->nr_snapshots == 0 || sample->time_ns != agent->now.time_ns)
			begin_snapshot(agent, sample->time_ns);
		if (!has_room(&agent->now))
			continue;
		const struct region *before = find_before(agent, sample->space,
							  sample->page + sample->nr_pages / 2);
		agent->now.items[agent->now.nr++] =
			(struct region){ .page = sample->page,
					 .nr_pages = sample->nr_pages,
					 .acted = before ? before->acted : 0,
					 .space = sample->space,
					 .node = sample->node,
					 .hits = sample->hits,
					 .checks = sample->checks,
					 .age = sample->age == SAMPLE_NONE ? 0 : sample->age };
	}
}

/* An action made it young again. */
static uint64_t age_of(const struct damon_agent *agent, const struct region *region)
{
	uint64_t since = agent->nr_snapshots - region->acted;
	return region->acted ? MIN(region->age, since) : region->age;
}

/* 0, nothing colder, to SCORE_MAX. */
static uint64_t hotness(const struct damon_agent *agent, const struct region *region)
{
	uint64_t weights = agent->values[WEIGHT_ACCESSES] + agent->values[WEIGHT_AGE];
	uint64_t rate = (uint64_t)region->hits * SUBSCORE_MAX / region->checks;
	unsigned __int128 age_ns = (unsigned __int128)age_of(agent, region) * agent->window_ns;
	uint64_t bits = 0;
	for (uint64_t s = (uint64_t)(age_ns / NS_PER_S); s > 0 && bits < AGE_BITS_MAX; s >>= 1)
		bits++;
	bits = rate ? AGE_BITS_MAX + bits : AGE_BITS_MAX - bits;
	uint64_t age = bits * SUBSCORE_MAX / AGE_BITS_MAX / 2;
	uint64_t sum = agent->values[WEIGHT_ACCESSES] * rate + agent->values[WEIGHT_AGE] * age;
	return MIN(sum / MAX(weights, 1) * SCORE_MAX / SUBSCORE_MAX, SCORE_MAX);
}

static uint64_t score_of(const struct damon_agent *agent, const struct scheme *scheme,
			 const struct region *region)
{
	uint64_t hot = hotness(agent, region);
	return scheme->is_hot ? hot : SCORE_MAX - hot;
}

/* The pattern of the scheme, and not known to be where it would go. */
static bool fits(const struct damon_agent *agent, const struct scheme *scheme,
		 const struct region *region)
{
	const uint64_t *values = agent->values;
	uint64_t rate_bp = (uint64_t)region->hits * 10000 / region->checks;
	uint64_t age = age_of(agent, region);
	bool is_known = region->node != SAMPLE_NONE;
	if (is_known && room_is_fast(agent->machine, region->node) == scheme->is_hot)
		return false;
	return scheme->is_hot ? rate_bp >= values[HOT_MIN] && age >= values[HOT_MIN_AGE]
			      : rate_bp <= values[COLD_MAX] && age >= values[COLD_MIN_AGE];
}

/* The next input of a loop whose output grows with it; see the head. */
static uint64_t feed_back(uint64_t last, uint64_t score)
{
	if (score >= 2 * GOAL)
		return INPUT_MIN;
	uint64_t distance = score > GOAL ? score - GOAL : GOAL - score;
	unsigned __int128 change = (unsigned __int128)last * distance / GOAL;
	if (score > GOAL)
		return MAX(last - (uint64_t)change, INPUT_MIN);
	return change < UINT64_MAX - last ? last + (uint64_t)change : UINT64_MAX;
}

static uint64_t goal_score(const struct scheme *scheme, const struct policy_node *fast)
{
	uint64_t part = scheme->is_hot ? fast->capacity_pages - fast->free_pages : fast->free_pages;
	uint64_t bp = (uint64_t)((unsigned __int128)part * 10000 / MAX(fast->capacity_pages, 1));
	return bp * GOAL / scheme->goal_bp;
}

static void open_window(const struct damon_agent *agent, struct scheme *scheme, uint64_t now_ns,
			const struct policy_node *fast)
{
	uint64_t quota = agent->values[QUOTA];
	if (scheme->has_window && now_ns - scheme->charged_from_ns < agent->values[QUOTA_INTERVAL])
		return;
	scheme->has_window = true;
	scheme->charged_from_ns = now_ns;
	scheme->charged = 0;
	scheme->limit = quota ? quota : UINT64_MAX;
	if (scheme->goal_bp == 0)
		return;
	scheme->limit_bp = feed_back(scheme->limit_bp, goal_score(scheme, fast));
	scheme->limit = MIN(scheme->limit, scheme->limit_bp / 10000);
}

/* The lowest score with which the quota is used up by what scores as high or higher. */
static void set_min_score(const struct damon_agent *agent, struct scheme *scheme)
{
	uint64_t sum = 0, score = SCORE_MAX;
	memset(scheme->histogram, 0, sizeof(scheme->histogram));
	for (size_t i = 0; i < agent->now.nr; i++) {
		const struct region *region = &agent->now.items[i];
		if (fits(agent, scheme, region))
			scheme->histogram[score_of(agent, scheme, region)] +=
				MIN(region->nr_pages, UINT32_MAX) * agent->page_bytes;
	}
	for (; score > 0; score--) {
		sum += scheme->histogram[score];
		if (sum >= scheme->limit)
			break;
	}
	scheme->min_score = score;
}

/* Pages at the start of the region that the last window has done already. */
static uint64_t done_pages(const struct scheme *scheme, const struct region *region)
{
	if (!scheme->has_place || region->space > scheme->place_space)
		return 0;
	if (region->space < scheme->place_space)
		return region->nr_pages;
	if (region->page >= scheme->place_page)
		return 0;
	return MIN(region->nr_pages, scheme->place_page - region->page);
}

/* On all of the region but the pages that are done already. 0; -ENOSPC when the plan is full. */
static int act_on(struct damon_agent *agent, struct scheme *scheme, struct region *region,
		  uint64_t done, const struct room *room, struct plan *plan)
{
	uint64_t left = (scheme->limit - scheme->charged) / agent->page_bytes;
	struct plan_move move = {
		.page = region->page + done,
		.nr_pages = MIN(region->nr_pages - done, left),
		.space = region->space,
		.from = region->node == SAMPLE_NONE ? PLAN_NODE_ANY : region->node,
		.to = scheme->is_hot ? room->fast : room->slow,
		.why = scheme->why,
	};
	if (move.nr_pages == 0)
		return 0;
	int error = plan_add(plan, &move);
	if (error)
		return error;
	region->acted = agent->nr_snapshots;
	scheme->charged += move.nr_pages * agent->page_bytes;
	if (scheme->limit - scheme->charged < agent->page_bytes) {
		scheme->has_place = true;
		scheme->place_space = region->space;
		scheme->place_page = move.page + move.nr_pages;
	}
	return 0;
}

static void apply(struct damon_agent *agent, struct scheme *scheme, const struct policy_view *view,
		  const struct room *room, struct plan *plan)
{
	open_window(agent, scheme, view->now_ns, &view->nodes[room->fast]);
	set_min_score(agent, scheme);
	for (size_t i = 0; i < agent->now.nr; i++) {
		struct region *region = &agent->now.items[i];
		uint64_t done = done_pages(scheme, region);
		if (scheme->limit - scheme->charged < agent->page_bytes)
			return;
		if (i + 1 == agent->now.nr) /* the next window begins with the first */
			scheme->has_place = false;
		if (done == region->nr_pages || !fits(agent, scheme, region) ||
		    score_of(agent, scheme, region) < scheme->min_score)
			continue;
		if (act_on(agent, scheme, region, done, room, plan) == -ENOSPC)
			return;
	}
}

static void look_at_watermarks(struct damon_agent *agent, const struct policy_view *view)
{
	const uint64_t *values = agent->values;
	uint64_t free_pages = 0, pages = 0;
	for (uint32_t i = 0; i < view->nr_nodes; i++) {
		free_pages += view->nodes[i].free_pages;
		pages += view->nodes[i].capacity_pages;
	}
	uint64_t rate = free_pages / MAX(pages / WMARK_PER, 1);
	if (rate > values[WMARK_HIGH] || rate < values[WMARK_LOW])
		agent->is_active = false;
	else if (rate < values[WMARK_MID])
		agent->is_active = true;
}

static int damon_agent_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct damon_agent *agent = policy;
	struct room room;
	if (!agent->is_fresh || view->now_ns < agent->next_apply_ns ||
	    !room_look(agent->machine, view, &room))
		return 0;
	agent->is_fresh = false;
	agent->next_apply_ns = view->now_ns + agent->values[APPLY_INTERVAL];
	look_at_watermarks(agent, view);
	if (agent->values[WMARKS] && !agent->is_active)
		return 0;
	apply(agent, &agent->cold, view, &room, plan);
	apply(agent, &agent->hot, view, &room, plan);
	return 0;
}

/* What did not move costs no quota. */
static void damon_agent_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	struct damon_agent *agent = policy;
	for (uint32_t i = 0; i < nr; i++) {
		struct scheme *scheme = room_is_fast(agent->machine, results[i].to) ? &agent->hot
										    : &agent->cold;
		uint64_t bytes = results[i].nr_pages * agent->page_bytes;
		if (results[i].outcome != MOVE_DONE)
			scheme->charged -= MIN(scheme->charged, bytes);
	}
}

static uint64_t damon_agent_bytes(const void *policy)
{
	const struct damon_agent *agent = policy;
	return sizeof(*agent) + (agent->now.max + agent->before.max) * sizeof(struct region);
}

extern const struct policy_ops policy_damos;
const struct policy_ops policy_damos = {
	/* the lab has a policy_damon */
	.name = "damon",
	.summary = "DAMOS: demote cold ranges, promote hot ones, quotas steered by goals",
	.needs = SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_AGE | SAMPLE_HAS_NODE,
	.needs_order = true,
	.tunables = damon_tunables,
	.nr_tunables = NR_TUNABLES,
	.new = damon_agent_new,
	.observe = damon_agent_observe,
	.completed = damon_agent_completed,
	.decide = damon_agent_decide,
	.memory_bytes = damon_agent_bytes,
	.free = damon_agent_free,
};
