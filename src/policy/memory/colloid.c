/* SPDX-License-Identifier: MIT */
/*
 * colloid: balance the loaded latencies of tiers (Vuppalapati and Agarwal, SOSP'24), above hemem's
 * hotness (blocks.h).
 *
 *     misses and latency per node --> per tier: occupancy and rate, each an EWMA --> L = O / R
 *
 *     L fast + 5 % < L slow    promote hot blocks     their shares of all samples
 *     L fast > L slow + 5 %    push hot blocks out     add up to at most dp
 *     else                     nothing moves
 *
 *     p:   0 ---- p_low ======== p_high ---- 1      share of misses that fast memory serves
 *                   \_ last p at which fast was faster; p_high: at which it was slower
 *
 * The fast tier's idle latency is lower, but not its latency when most misses go there and its
 * bandwidth is used up; then hot pages are better off in slow memory. The balance point in p is
 * found by bisection: dp is the way from p to the middle of (p_low, p_high). When these meet, the
 * side that is wrong now opens again.
 *
 * Constants: EWMA weight 1/32 (artifact, host-architecture/colloid); those of hemem. Not checked
 * against the paper's text, which was not at hand: 5 % of latency within which nothing moves, 1 %
 * of p at which the bounds have met.
 *
 * My reading: a spinning core reads the counters each 100 us (an assumption), so that the EWMA
 * looks back 3 ms and has arrived when a turn comes; a longer tick of the engine is as many equal
 * readings. Shares are of sampled accesses. How fast pages may move is the engine's budget alone.
 * Without counters of latency the tiers' idle latencies stand, and it is hemem.
 *
 * Cost: O(nodes) per tick and what hemem costs.
 */
#include <stdlib.h>

#include "base/error.h"
#include "policy/memory/blocks.h"

#define SMALL_SHARE   192
#define COOL_PER_TURN 1024
#define PERIOD	      19997
#define PPM	      1000000u
#define SCALE	      1024 /* of rates: EWMAs of small numbers in whole numbers */
#define PS_MAX	      (UINT64_C(1) << 50)
#define READINGS_MAX  1000 /* within one tick: an EWMA has long arrived */

enum { HOT_READS, HOT_WRITES, COOL, TICK, BLOCK, EWMA, MEASURE, DELTA, EPSILON, NR_TUNABLES };

static const struct tunable colloid_tunables[NR_TUNABLES] = {
	[HOT_READS] = { "hot_reads", TUNABLE_COUNT, 4, 1, 65535, "sampled reads of a hot block" },
	[HOT_WRITES] = { "hot_writes", TUNABLE_COUNT, 4, 1, 65535,
			 "sampled writes of a hot block" },
	[COOL] = { "cool", TUNABLE_COUNT, 10, 1, 65535,
		   "all counts are halved when one reaches this" },
	[TICK] = { "tick", TUNABLE_NS, 10 * NS_PER_MS, 0, NS_PER_S, "time between two turns" },
	[BLOCK] = { "block", TUNABLE_BYTES, 2 * MIB, 4096, GIB, "bytes moved as one" },
	[EWMA] = { "ewma", TUNABLE_COUNT, 32, 1, 1000000,
		   "measurements that the average latency looks back" },
	[MEASURE] = { "measure", TUNABLE_NS, 100000, 0, NS_PER_S, "time between two measurements" },
	[DELTA] = { "delta", TUNABLE_BP, 500, 0, 10000,
		    "difference of latencies that is left alone" },
	[EPSILON] = { "epsilon", TUNABLE_BP, 100, 0, 10000,
		      "share of misses at which the search begins anew" },
};

enum { FAST, SLOW, NR_TIERS };

struct colloid {
	struct blocks blocks;
	uint64_t values[NR_TUNABLES];
	uint64_t next_ns;
	int64_t occupancy[NR_TIERS]; /* EWMA of misses per ms x latency in ps */
	int64_t rate[NR_TIERS];	     /* EWMA of misses per ms, x SCALE */
	uint64_t latency_ps[NR_TIERS];
	uint32_t p_low, p_high; /* in ppm */
};

/* What the CPUs see of each tier when nothing is loaded. */
static void set_idle_latency(struct colloid *colloid, const struct machine *machine)
{
	uint64_t best_ns[NR_TIERS] = { UINT64_MAX, UINT64_MAX };
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		if (set_is_empty(&machine->nodes[from].cpus))
			continue;
		for (uint32_t to = 0; to < machine->nr_nodes; to++) {
			uint64_t *best = &best_ns[room_is_fast(machine, to) ? FAST : SLOW];
			uint64_t ns =
				machine->links[(size_t)from * machine->nr_nodes + to].latency_ns;
			if (machine->nodes[to].size_bytes > 0)
				*best = MIN(*best, ns);
		}
	}
	for (unsigned tier = 0; tier < NR_TIERS; tier++)
		colloid->latency_ps[tier] = MIN(best_ns[tier], PS_MAX / 1000) * 1000;
}

static int colloid_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	struct blocks_config blocks = { .machine = config->machine,
					.hot_reads = config->values[HOT_READS],
					.hot_writes = config->values[HOT_WRITES],
					.cool = config->values[COOL] };
	int error = blocks_order("colloid", config->values[BLOCK], config->page_bytes,
				 &blocks.order, err);
	if (error)
		return error;
	struct colloid *colloid = calloc(1, sizeof(*colloid));
	if (!colloid || blocks_init(&colloid->blocks, &blocks)) {
		free(colloid);
		return error_set(err, -ENOMEM, "colloid: out of memory");
	}
	for (size_t i = 0; i < NR_TUNABLES; i++)
		colloid->values[i] = config->values[i];
	colloid->p_high = PPM;
	set_idle_latency(colloid, config->machine);
	*ret_policy = colloid;
	return 0;
}

static void colloid_free(void *policy)
{
	struct colloid *colloid = policy;
	if (!colloid)
		return;
	blocks_fini(&colloid->blocks);
	free(colloid);
}

static int colloid_place(void *policy, const struct place_request *request, uint32_t *ret_node)
{
	struct colloid *colloid = policy;
	(void)ret_node;
	blocks_born(&colloid->blocks, request->space, request->page, request->nr_pages);
	return -ENOENT;
}

static void colloid_observe(void *policy, const struct sample_batch *batch)
{
	blocks_observe(&((struct colloid *)policy)->blocks, batch);
}

static void colloid_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	blocks_completed(&((struct colloid *)policy)->blocks, results, nr);
}

/* Per tier, misses and misses x latency of a tick; not an average of averages. */
static bool read_counters(const struct machine *machine, const struct policy_view *view,
			  int64_t occupancy[NR_TIERS], int64_t rate[NR_TIERS])
{
	for (uint32_t i = 0; i < view->nr_nodes; i++) {
		const struct policy_node *node = &view->nodes[i];
		unsigned tier = room_is_fast(machine, i) ? FAST : SLOW;
		if (node->nr_misses == POLICY_UNKNOWN)
			return false;
		if (node->nr_misses == 0 || node->loaded_ps == POLICY_UNKNOWN)
			continue;
		uint64_t nr = MIN(node->nr_misses, PS_MAX / SCALE);
		unsigned __int128 sum = (unsigned __int128)nr * node->loaded_ps * NS_PER_MS;
		occupancy[tier] += (int64_t)MIN(sum / view->tick_ns, PS_MAX);
		sum = (unsigned __int128)nr * SCALE * NS_PER_MS;
		rate[tier] += (int64_t)MIN(sum / view->tick_ns, PS_MAX);
	}
	return true;
}

static void average(int64_t *mean, int64_t value, uint64_t nr_times, int64_t weight)
{
	for (uint64_t i = 0; i < nr_times && *mean != value; i++)
		*mean += (value - *mean) / weight;
}

/* Averages of both, then their ratio: where nothing was served both fade and the latency stays. */
static void measure(struct colloid *colloid, const struct policy_view *view)
{
	int64_t occupancy[NR_TIERS] = { 0 }, rate[NR_TIERS] = { 0 };
	int64_t weight = (int64_t)colloid->values[EWMA];
	if (view->tick_ns == 0 ||
	    !read_counters(colloid->blocks.config.machine, view, occupancy, rate))
		return;
	uint64_t nr_readings = MAX(view->tick_ns / MAX(colloid->values[MEASURE], 1), 1);
	nr_readings = MIN(nr_readings, READINGS_MAX);
	for (unsigned tier = 0; tier < NR_TIERS; tier++) {
		average(&colloid->occupancy[tier], occupancy[tier], nr_readings, weight);
		average(&colloid->rate[tier], rate[tier], nr_readings, weight);
		if (rate[tier] > 0 && colloid->rate[tier] > 0)
			colloid->latency_ps[tier] =
				(uint64_t)((unsigned __int128)colloid->occupancy[tier] * SCALE /
					   (uint64_t)colloid->rate[tier]);
	}
}

/* How much of all accesses shall change sides, in ppm. */
static uint32_t shift_of(struct colloid *colloid, bool fast_is_faster)
{
	uint64_t rate = (uint64_t)colloid->rate[FAST], all = rate + (uint64_t)colloid->rate[SLOW];
	uint32_t epsilon = (uint32_t)colloid->values[EPSILON] * (PPM / 10000);
	if (all == 0)
		return PPM;
	uint32_t p = (uint32_t)((unsigned __int128)rate * PPM / all);
	if (fast_is_faster)
		colloid->p_low = p;
	else
		colloid->p_high = p;
	if (colloid->p_high < colloid->p_low + epsilon) /* the balance has moved: look further */
		*(fast_is_faster ? &colloid->p_high : &colloid->p_low) = fast_is_faster ? PPM : 0;
	uint32_t middle = (colloid->p_low + colloid->p_high) / 2;
	return middle > p ? middle - p : p - middle;
}

static uint32_t share_of(const struct colloid *colloid, uint32_t id)
{
	const struct block *block = &colloid->blocks.blocks[id];
	uint64_t total = MAX(colloid->blocks.total, 1);
	return (uint32_t)MIN(((uint64_t)block->reads + block->writes) * PPM / total, PPM);
}

/* One pass over hot blocks of one tier; those whose share is too large for what is left of `shift`
 * are passed over. */
static void move_hot(struct colloid *colloid, struct blocks_turn *turn, uint32_t shift, bool is_out,
		     struct plan *plan)
{
	struct blocks *blocks = &colloid->blocks;
	uint8_t list = is_out ? BLOCKS_FAST_HOT : BLOCKS_SLOW_HOT;
	uint32_t last = blocks->lists[list].last, next = blocks->lists[list].first;
	for (uint32_t id = next; id != IDLIST_END && turn->tries > 0; turn->tries--) {
		next = id == last ? IDLIST_END : blocks->links[id].next;
		blocks_refresh(blocks, id);
		uint32_t share = share_of(colloid, id);
		if (blocks->blocks[id].list == list && share <= shift) {
			if (is_out ? !blocks_push_out(blocks, turn, id, plan)
				   : !blocks_promote_one(blocks, turn, id, plan))
				return;
			shift -= share;
		}
		id = next;
	}
}

static int colloid_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct colloid *colloid = policy;
	struct blocks_turn turn;
	struct room room;
	measure(colloid, view);
	if (!room_look(colloid->blocks.config.machine, view, &room))
		return 0;
	blocks_see_room(&colloid->blocks, &room);
	if (view->now_ns < colloid->next_ns)
		return 0;
	colloid->next_ns = view->now_ns + colloid->values[TICK];
	uint64_t fast_ps = colloid->latency_ps[FAST], slow_ps = colloid->latency_ps[SLOW];
	uint64_t apart_ps = fast_ps > slow_ps ? fast_ps - slow_ps : slow_ps - fast_ps;
	if (apart_ps <= fast_ps / 10000 * colloid->values[DELTA])
		return 0;
	uint32_t shift = shift_of(colloid, fast_ps < slow_ps);
	blocks_turn_init(&turn, &room, view, room.fast_pages / SMALL_SHARE);
	blocks_cool_some(&colloid->blocks, COOL_PER_TURN);
	move_hot(colloid, &turn, shift, fast_ps > slow_ps, plan);
	return 0;
}

static uint64_t colloid_bytes(const void *policy)
{
	const struct colloid *colloid = policy;
	return sizeof(*colloid) + blocks_bytes(&colloid->blocks);
}

extern const struct policy_ops policy_colloid;
const struct policy_ops policy_colloid = {
	.name = "colloid",
	.summary = "Colloid: hemem's hot blocks, where the latency under load is lower",
	.needs = SAMPLE_BIT(SAMPLE_HARDWARE) | SAMPLE_HAS_WRITES | SAMPLE_HAS_NODE,
	.needs_order = true,
	.hardware = { .load_period = PERIOD, .store_period = PERIOD },
	.tunables = colloid_tunables,
	.nr_tunables = NR_TUNABLES,
	.new = colloid_new,
	.place = colloid_place,
	.observe = colloid_observe,
	.completed = colloid_completed,
	.decide = colloid_decide,
	.memory_bytes = colloid_bytes,
	.free = colloid_free,
};
