/* SPDX-License-Identifier: MIT */
/*
 * berth: fast memory for what earns most there, if moving it pays.
 *
 *     samples --> counts per folio --> class of its history --> what such folios got afterwards
 *                 (brief, lasting,                               (mem/predict.h, learned online)
 *                  last touch, age)                                        |
 *                                                  touches x misses per touch x latency saved
 *                                                                          |
 *     slow: worth most -----+                                              v
 *                           +--> exchanged when the difference exceeds the cost of both moves
 *     fast: worth least ----+
 *
 * There are goals instead of thresholds. What a folio is worth is the stall that it will save in
 * fast memory: what folios of the same recent history turned out to get, over two horizons, times
 * the latency difference. A move has a price in the same unit. So the policy promotes what earns
 * its move back, and nothing moves where nothing helps.
 *
 * - A class is what can be seen of a folio: time since its last touch, a lasting and a brief
 *   decaying count, age, and how many misses a touch stands for (if the hardware samples misses),
 *   by its own samples and those of its region. Every folio is on trial all the time: its class at
 * the beginning and its touches until the horizon ends teach the table. A scan that never returns
 * is learned to be worth nothing, whatever its recent touches say.
 * - Time is counted in rounds of samples; half-lives and horizons are multiples of the time in
 *   which an average page is touched once, so that they fit slow samplers and fast ones. The long
 *   horizon is the time in which an average page earns two exchanges.
 * - New pages are a class of their own: when they are learned to earn more than the least that
 *   fast memory holds, room is made ahead of them.
 * - The account: what exchanges were expected to gain (touches of what went up less those of what
 *   went down), against what they gained; expectations are cut by that ratio. So chasing noise ends
 *   by itself. What the account says fades, or a policy that stopped would never learn that the
 *   program has changed.
 * - Doubt: until enough pages of its class were watched over the horizon, a page of fast memory is
 *   taken to get what any page gets, the less the longer it has lain idle. Otherwise the first pass
 *   over memory pushes out what it is about to come to.
 * - A moved folio stays for 10 s of the kernel's clock; one that goes back within 40 s pays twice
 *   as much the next time, and so on; it stands behind others by that much, never in their way.
 * - Jobs lend what lies above their floor. Latency is what it is under load, where a PMU tells:
 *   when the fast node is not faster any more, nothing is worth promoting.
 *
 * Follows LHD (Beckmann, Chen, Cidon: NSDI'18) for learning what a history is worth, and Colloid
 * (Vuppalapati, Agarwal: SOSP'24) for latency under load as what counts. Constants: 1 us for the
 * fixed part of a move (Cori; docs/cost-model.md) and 1.5 misses under way at once.
 *
 * Cost: O(samples + folios / 8) per round, at most 16,384 folios looked at; 28 bytes per folio in
 * the table and 36 beside it, 1 MiB for the classes, 4 MiB for victims where rounds are long.
 */
#include <stdlib.h>

#include "base/error.h"
#include "mem/folio.h"
#include "mem/predict.h"
#include "policy/memory/room.h"
#include "policy/policy.h"

#define NR_IDLE	   10
#define NR_LONG	   14
#define NR_SHORT   4
#define NR_AGE	   3
#define NR_DENSITY 5
#define NR_DETAIL  (NR_SHORT * NR_AGE * NR_DENSITY)
#define NR_PARENTS (NR_IDLE * NR_LONG + 1)
#define NR_CLASSES (NR_PARENTS * NR_DETAIL)
#define CLASS_BORN (NR_IDLE * NR_LONG * NR_DETAIL)
#define CLASS_NONE UINT16_MAX
#define CLASS_PAID (UINT16_MAX - 1)
#define CLASS_LEFT (UINT16_MAX - 2)

#define RATE_ONE	256 /* one touch in a decaying count */
#define RATE_MAX	UINT16_MAX
#define STEPS		32   /* of decay per half-life */
#define SAMPLE_ONE	32   /* half a miss in a decaying count of samples */
#define OWN_TRUST	16   /* samples that a folio needs to be believed as much as its class */
#define SAMPLE_HZ	4000 /* of the PMU: perf's own default */
#define REGION_SHIFT	6
#define NR_REGIONS	4096
#define NR_BINS		128
#define BIN_ROOM	8192
#define BIN_ROOM_QUICK	128 /* where rounds are short: there is a next one soon */
#define QUICK_ROUND_MS	200
#define CANDIDATES_MAX	32768
#define RANGE_PAGES_MAX 65536
#define SETTLE_MS	10000 /* ten of the shortest periods in which Linux looks at a page */
#define NOBODY		UINT32_MAX
#define VICTIMS_PASSED	32 /* protected folios passed over in search of one that is not */
#define FAILURES_MAX	16 /* candidates in a row order that do not pay, before the rest is left */
#define ACCOUNT_MAX	(1 << 24)
#define ACCOUNT_TRUST	(256 * PREDICT_ONE) /* touches that the account begins with */
#define ACCOUNT_FADE	1024		    /* rounds in which what it says has mostly passed */
#define BAR_MAX		6
#define MISSES_GUESS	8 /* that one touch stands for, where nothing counts misses */

enum { SHORT, LONG, NR_HORIZONS };

struct past {			    /* of a folio, beside its record */
	uint32_t short_at, long_at; /* until when the counts have decayed */
	uint32_t born, moved_ms;    /* round; time of the last move, 0: never */
	uint32_t trial_at;
	uint16_t short_count;
	uint16_t trial_class, trial_touches, trial_samples;
	uint16_t trial_expected;
	uint16_t samples; /* of the hardware, decaying as the lasting count; in SAMPLE_ONE */
	uint8_t bar;
};

struct region {
	uint32_t touches, samples;
};

struct bin {
	uint32_t ids[BIN_ROOM];
	uint32_t nr, at;
};

struct candidate {
	uint64_t worth;
	uint32_t id;
};

struct berth {
	const struct machine *machine;
	struct folio_table *table;
	struct past *pasts;
	uint32_t max_pasts;
	struct predict predict[NR_HORIZONS];
	struct region *regions;
	struct bin *bins;
	struct candidate *candidates;
	uint32_t *touched;
	uint32_t nr_candidates, nr_touched;
	uint32_t now, hand, now_ms, round_ms;
	uint32_t bin_room; /* as many victims per bin as the time until the next round asks */
	uint64_t last_ns;
	uint32_t page_bytes;
	bool has_new, has_bits;
	bool has_scan; /* hits of checks: who is seen first was born since the last round */
	/* paces */
	uint64_t nr_pages;
	uint64_t touches_now, touches_avg;
	uint64_t unit;
	uint32_t half[NR_HORIZONS], horizon[NR_HORIZONS];
	/* misses */
	uint64_t all_touches, all_samples, all_halves, all_misses, misses_touches;
	uint64_t births_now, births_peak;
	uint64_t gain_ps; /* per miss */
	uint64_t promote_ps, demote_ps;
	uint64_t touch_ps;	/* what one touch of average weight is worth, x 16 */
	int64_t paid, expected; /* touches of what was promoted less those of what it replaced */
	uint64_t reserve, free_seen, spilled;
	bool is_birth;
	uint32_t fast, slow;
	uint64_t *fast_of; /* [job]: fast pages, planned moves included */
	uint32_t max_jobs;
	uint64_t queue_ps[2]; /* fast, slow: decaying mean of the latency beyond the idle one */
};

/* 2^(-i/32) in 1/65536 */
static const uint16_t decays[STEPS] = { 65535, 64132, 62757, 61413, 60097, 58809, 57549, 56316,
					55109, 53928, 52773, 51642, 50535, 49452, 48393, 47356,
					46341, 45348, 44376, 43425, 42495, 41584, 40693, 39821,
					38968, 38133, 37316, 36516, 35734, 34968, 34219, 33486 };

static uint16_t decay(uint16_t count, uint64_t steps)
{
	if (steps == 0)
		return count;
	if (steps >= 16 * STEPS)
		return 0;
	return (uint16_t)((uint64_t)count * decays[steps % STEPS] >> 16 >> (steps / STEPS));
}

/* Value at `now` of a count whose decay reached *at; moves *at by whole steps. */
static uint16_t count_at(uint16_t count, uint32_t *at, uint32_t now, uint32_t half)
{
	uint64_t steps = (uint64_t)(now - *at) * STEPS / half;
	if (steps > 0)
		*at += (uint32_t)(steps * half / STEPS);
	return decay(count, steps);
}

static unsigned log2_of(uint64_t value)
{
	return value ? 63u - (unsigned)__builtin_clzll(value) : 0;
}

static unsigned half_octave(uint64_t value)
{
	if (value < 2)
		return (unsigned)value;
	unsigned log = log2_of(value);
	return log * 2 + (unsigned)(value >> (log - 1) & 1);
}

static struct region *region_of(struct berth *berth, uint32_t space, uint64_t page)
{
	uint64_t key = (page >> REGION_SHIFT) * 0x9e3779b97f4a7c15u + space * 0xc2b2ae3d27d4eb4fu;
	return &berth->regions[key >> 32 & (NR_REGIONS - 1)];
}

/* Samples that the folio's lasting count of touches would bring if they were average ones. */
static uint64_t samples_expected(const struct berth *berth, const struct folio *folio)
{
	return berth->all_touches ? folio->heat * berth->all_halves / berth->all_touches / RATE_ONE
				  : 0;
}

/* How many misses stand behind a touch here, against an average one: five levels, each twice the
 * one before. By the folio's own samples as far as there are some, by its region's else. */
static unsigned density_of(struct berth *berth, const struct folio *folio, const struct past *past)
{
	const struct region *region = region_of(berth, folio->space, folio->page);
	if (berth->all_touches == 0 || berth->all_samples == 0)
		return 2;
	uint64_t around = region->touches * berth->all_samples / berth->all_touches;
	uint64_t weight = (region->samples + 8) * PREDICT_WEIGHT / (around + 8);
	uint64_t got = (uint64_t)past->samples * PREDICT_WEIGHT / SAMPLE_ONE;
	weight = (got + weight * OWN_TRUST) / (samples_expected(berth, folio) + OWN_TRUST);
	if (weight >= 4 * PREDICT_WEIGHT)
		return 4;
	if (weight >= 2 * PREDICT_WEIGHT)
		return 3;
	if (2 * weight >= PREDICT_WEIGHT)
		return 2;
	return 4 * weight >= PREDICT_WEIGHT ? 1 : 0;
}

static unsigned idle_level(const struct berth *berth, uint32_t idle)
{
	uint64_t parts = (uint64_t)idle * 16 / berth->unit;
	return MIN(parts ? 1 + log2_of(parts) : 0, NR_IDLE - 1);
}

static unsigned age_level(const struct berth *berth, uint32_t age)
{
	return age < berth->unit ? 0 : age < berth->unit * 8 ? 1 : 2;
}

static uint32_t class_of(struct berth *berth, const struct folio *folio, struct past *past)
{
	uint32_t at = past->short_at;
	uint16_t brief = count_at(past->short_count, &at, berth->now, berth->half[SHORT]);
	at = past->long_at;
	uint16_t lasting = count_at(folio->heat, &at, berth->now, berth->half[LONG]);
	unsigned idle = idle_level(berth, berth->now - folio->seen);
	unsigned level = MIN(half_octave((uint64_t)lasting * 2 / RATE_ONE), NR_LONG - 1);
	unsigned brief_level = brief < RATE_ONE / 2	  ? 0
			       : brief < RATE_ONE * 3 / 2 ? 1
			       : brief < RATE_ONE * 5	  ? 2
							  : 3;
	unsigned age = age_level(berth, berth->now - past->born);
	return (((idle * NR_LONG + level) * NR_SHORT + brief_level) * NR_AGE + age) * NR_DENSITY +
	       density_of(berth, folio, past);
}

static unsigned horizon_of(uint32_t id)
{
	return (id * 0x9e3779b1u >> 16 & 3) ? SHORT : LONG;
}

static void close_trial(struct berth *berth, uint32_t id, struct past *past)
{
	if (past->trial_class == CLASS_PAID || past->trial_class == CLASS_LEFT) {
		int64_t sign = past->trial_class == CLASS_PAID ? 1 : -1;
		berth->paid += sign * past->trial_touches * PREDICT_ONE;
		berth->expected += sign * past->trial_expected;
		if (berth->expected > ACCOUNT_MAX || berth->paid < -ACCOUNT_MAX) {
			berth->paid /= 2;
			berth->expected /= 2;
		}
	} else {
		predict_learn(&berth->predict[horizon_of(id)], past->trial_class,
			      past->trial_class / NR_DETAIL, past->trial_touches,
			      past->trial_samples);
	}
	past->trial_class = CLASS_NONE;
}

static void close_if_over(struct berth *berth, uint32_t id, struct past *past)
{
	if (past->trial_class != CLASS_NONE &&
	    berth->now - past->trial_at >
		    berth->horizon[past->trial_class >= CLASS_LEFT ? LONG : horizon_of(id)])
		close_trial(berth, id, past);
}

static void open_trial(struct berth *berth, struct past *past, uint32_t class)
{
	past->trial_class = (uint16_t) class;
	past->trial_at = berth->now;
	past->trial_touches = past->trial_samples = 0;
}

static bool room_for_pasts(struct berth *berth, uint32_t id)
{
	if (id < berth->max_pasts)
		return true;
	uint32_t max = MAX(berth->max_pasts * 2, MAX(id + 1, 4096));
	struct past *pasts = realloc(berth->pasts, max * sizeof(*pasts));
	if (!pasts)
		return false;
	berth->pasts = pasts;
	berth->max_pasts = max;
	return true;
}

static uint32_t get_folio(struct berth *berth, uint32_t space, uint64_t page)
{
	uint32_t id = folio_find(berth->table, space, page, 0);
	if (id != FOLIO_NONE)
		return id;
	if (folio_add(berth->table, space, page, 0, &id))
		return FOLIO_NONE;
	if (!room_for_pasts(berth, id)) {
		folio_del(berth->table, id);
		return FOLIO_NONE;
	}
	berth->pasts[id] = (struct past){ .short_at = berth->now,
					  .long_at = berth->now,
					  .born = berth->now,
					  .trial_class = CLASS_NONE };
	folio_get(berth->table, id)->seen = berth->now - 1;
	berth->births_now += berth->has_scan;
	berth->is_birth = berth->has_scan;
	open_trial(berth, &berth->pasts[id], CLASS_BORN);
	return id;
}

static void age_lasting(struct berth *berth, struct folio *folio, struct past *past)
{
	uint32_t at = past->long_at;
	past->samples = count_at(past->samples, &at, berth->now, berth->half[LONG]);
	folio->heat = count_at(folio->heat, &past->long_at, berth->now, berth->half[LONG]);
}

static void touch(struct berth *berth, uint32_t id, struct folio *folio, unsigned nr)
{
	struct past *past = &berth->pasts[id];
	close_if_over(berth, id, past);
	past->short_count = count_at(past->short_count, &past->short_at, berth->now,
				     berth->half[SHORT]);
	age_lasting(berth, folio, past);
	if (past->born != berth->now ||
	    !berth->has_scan) { /* the first touch says nothing of a second one */
		past->short_count = (uint16_t)MIN(past->short_count + nr * RATE_ONE, RATE_MAX);
		folio->heat = (uint16_t)MIN(folio->heat + nr * RATE_ONE, RATE_MAX);
	}
	if (past->trial_class != CLASS_NONE)
		past->trial_touches = (uint16_t)MIN(past->trial_touches + nr, UINT16_MAX);
	folio->seen = berth->now;
	struct region *region = region_of(berth, folio->space, folio->page);
	if (++region->touches > 65536) {
		region->touches /= 2;
		region->samples /= 2;
	}
	berth->touches_now += nr;
	berth->all_touches += nr;
	if (past->trial_class == CLASS_NONE && ((id + berth->now) * 0x9e3779b1u >> 28) == 0)
		open_trial(berth, past, class_of(berth, folio, past));
}

/* A page faults once per arming: one that does so within 1/16 s stands for more uses. */
static unsigned nr_touches(const struct sample *sample)
{
	if (sample->kind != SAMPLE_HINT_FAULT || sample->latency_ns == SAMPLE_UNKNOWN)
		return 1;
	return (unsigned)MIN(1 + NS_PER_S / 16 / MAX(sample->latency_ns, NS_PER_MS), 8);
}

static void observe_page(struct berth *berth, const struct sample *sample, uint64_t page)
{
	uint32_t id = get_folio(berth, sample->space, page);
	if (id == FOLIO_NONE)
		return;
	struct folio *folio = folio_get(berth->table, id);
	if (sample->node != SAMPLE_NONE)
		folio->node = (uint16_t)sample->node;
	if (berth->is_birth && sample->node != SAMPLE_NONE &&
	    !room_is_fast(berth->machine, sample->node))
		berth->spilled++;
	berth->is_birth = false;
	if (sample->kind == SAMPLE_HARDWARE) {
		struct past *past = &berth->pasts[id];
		unsigned weight = sample->access == SAMPLE_WRITE ? 1 : 2;
		berth->all_samples++;
		berth->all_halves += weight;
		past->trial_samples += weight;
		age_lasting(berth, folio, past);
		past->samples = (uint16_t)MIN(past->samples + weight * SAMPLE_ONE, RATE_MAX);
		region_of(berth, folio->space, folio->page)->samples++;
		if (berth->has_bits)
			return;
	}
	if (folio->seen == berth->now)
		return;
	touch(berth, id, folio, nr_touches(sample));
	if (!room_is_fast(berth->machine, folio->node) && berth->nr_touched < CANDIDATES_MAX)
		berth->touched[berth->nr_touched++] = id;
}

static void berth_observe(void *policy, const struct sample_batch *batch)
{
	struct berth *berth = policy;
	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct sample *sample = &batch->samples[i];
		if (sample->kind == SAMPLE_HITS && sample->hits == 0)
			continue;
		if (sample->kind != SAMPLE_HARDWARE)
			berth->has_bits = true;
		if (sample->kind == SAMPLE_HITS)
			berth->has_scan = true;
		uint64_t nr = MIN(sample->nr_pages, RANGE_PAGES_MAX);
		for (uint64_t j = 0; j < nr; j++)
			observe_page(berth, sample, sample->page + j);
		berth->has_new |= sample->kind != SAMPLE_HARDWARE || !berth->has_bits;
	}
}

/* touches to expect when nothing was learned: as it was, for as long as it was */
static uint64_t prior_of(const struct berth *berth, const struct folio *folio,
			 const struct past *past, uint32_t horizon)
{
	uint32_t at = past->long_at, age = berth->now - past->born + 1;
	uint64_t lasting = count_at(folio->heat, &at, berth->now, berth->half[LONG]);
	uint64_t window = MIN(age, (uint64_t)berth->half[LONG] * 3 / 2);
	return lasting * PREDICT_ONE / RATE_ONE * MIN(horizon, age) / window;
}

/* Touches of a page of which nothing is known but how long nobody has used it. */
static uint64_t unknown_of(const struct berth *berth, const struct folio *folio, uint64_t horizon)
{
	return horizon * PREDICT_ONE / (berth->unit + (berth->now - folio->seen) / 4);
}

static struct predict_mean mean_of_class(const struct berth *berth, uint32_t class,
					 unsigned horizon, uint64_t prior)
{
	uint64_t samples_bp = berth->all_samples && berth->all_touches
				      ? berth->all_halves * 10000 / berth->all_touches
				      : 0;
	return predict_mean(&berth->predict[horizon], class, class / NR_DETAIL, prior, samples_bp);
}

static uint64_t worth_of_mean(const struct berth *berth, const struct predict_mean *mean)
{
	return mean->touches * mean->weight / PREDICT_WEIGHT * berth->touch_ps / PREDICT_ONE / 16;
}

/* What its class got, corrected by what the folio's own samples say of its misses. */
static void worth_of(struct berth *berth, uint32_t id, uint64_t worth[NR_HORIZONS])
{
	struct folio *folio = folio_get(berth->table, id);
	struct past *past = &berth->pasts[id];
	uint32_t class = class_of(berth, folio, past);
	uint64_t got = past->samples / SAMPLE_ONE, expected = samples_expected(berth, folio);
	for (unsigned i = 0; i < NR_HORIZONS; i++) {
		uint64_t prior = prior_of(berth, folio, past, berth->horizon[i]);
		if (room_is_fast(berth->machine, folio->node))
			prior = MAX(prior, unknown_of(berth, folio, berth->horizon[i]));
		struct predict_mean mean = mean_of_class(berth, class, i, prior);
		mean.weight = (got * PREDICT_WEIGHT + mean.weight * OWN_TRUST) /
			      (expected + OWN_TRUST);
		worth[i] = worth_of_mean(berth, &mean);
	}
}

/* What moving it costs more for having gone back and forth. */
static uint64_t surcharge(const struct berth *berth, uint32_t id)
{
	return berth->promote_ps * ((1u << berth->pasts[id].bar) - 1);
}

static unsigned bin_of(const struct berth *berth, uint32_t id, uint64_t worth)
{
	return MIN(half_octave(worth + surcharge(berth, id)), NR_BINS - 1);
}

static void push_victim(struct berth *berth, uint32_t id, uint64_t worth)
{
	struct bin *bin = &berth->bins[bin_of(berth, id, worth)];
	struct folio *folio = folio_get(berth->table, id);
	if (folio->bits & FOLIO_MARK)
		return;
	if (bin->nr >= berth->bin_room)
		return;
	folio->bits |= FOLIO_MARK;
	bin->ids[bin->nr++] = id;
}

/* Just moved: going back at once would make both moves vain. */
static bool is_settling(const struct berth *berth, uint32_t id)
{
	const struct past *past = &berth->pasts[id];
	return past->moved_ms && berth->now_ms - past->moved_ms < SETTLE_MS;
}

/* lowest valued fast folio, FOLIO_NONE when none is known */
static uint32_t pop_victim(struct berth *berth, uint64_t worth[NR_HORIZONS])
{
	for (unsigned i = 0; i < NR_BINS; i++) {
		struct bin *bin = &berth->bins[i];
		while (bin->nr > 0) {
			uint32_t id = bin->ids[--bin->nr];
			if (!folio_is_used(berth->table, id))
				continue;
			struct folio *folio = folio_get(berth->table, id);
			folio->bits &= ~(unsigned)FOLIO_MARK & 63u;
			if (!room_is_fast(berth->machine, folio->node) ||
			    folio->bits & FOLIO_MOVING)
				continue;
			if (is_settling(berth, id))
				continue;
			worth_of(berth, id, worth);
			if (bin_of(berth, id, worth[LONG]) <= i + 1)
				return id;
			push_victim(berth, id, worth[LONG]);
		}
	}
	return FOLIO_NONE;
}

static void forget(struct berth *berth, uint32_t id)
{
	if (berth->pasts[id].trial_class != CLASS_NONE)
		close_trial(berth, id, &berth->pasts[id]);
	folio_del(berth->table, id);
}

static void add_candidate(struct berth *berth, uint32_t id, uint64_t worth)
{
	uint64_t extra = surcharge(berth, id);
	if (berth->nr_candidates < CANDIDATES_MAX && worth > extra + berth->promote_ps)
		berth->candidates[berth->nr_candidates++] = (struct candidate){ worth - extra, id };
}

static void sweep(struct berth *berth)
{
	uint32_t end = folio_id_end(berth->table);
	uint32_t budget = MIN(end, MIN(MAX(end / 8, 512), 16384));
	for (; budget > 0; budget--, berth->hand++) {
		if (berth->hand >= end)
			berth->hand = 0;
		uint32_t id = berth->hand;
		if (!folio_is_used(berth->table, id))
			continue;
		struct folio *folio = folio_get(berth->table, id);
		struct past *past = &berth->pasts[id];
		close_if_over(berth, id, past);
		if (past->trial_class == CLASS_NONE)
			open_trial(berth, past, class_of(berth, folio, past));
		if (past->bar && berth->now_ms - past->moved_ms > 16 * SETTLE_MS)
			past->bar = 0;
		uint64_t worth[NR_HORIZONS];
		worth_of(berth, id, worth);
		if (room_is_fast(berth->machine, folio->node))
			push_victim(berth, id, worth[LONG]);
		else if (folio->seen != berth->now)
			add_candidate(berth, id, worth[LONG]);
	}
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;
	if (left->worth != right->worth)
		return left->worth < right->worth ? 1 : -1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static bool plan_folio(struct berth *berth, struct plan *plan, uint32_t id, uint32_t to,
		       const char *why)
{
	struct folio *folio = folio_get(berth->table, id);
	struct plan_move move = {
		.page = folio->page,
		.nr_pages = 1,
		.space = folio->space,
		.from = folio->node == FOLIO_NODE_NONE ? PLAN_NODE_ANY : folio->node,
		.to = to,
		.why = why,
	};
	if (plan_add(plan, &move))
		return false;
	folio->bits |= FOLIO_MOVING;
	return true;
}

static uint64_t cost_of(const struct berth *berth, uint32_t id, uint64_t cost)
{
	return cost << berth->pasts[id].bar;
}

static bool pays(const struct berth *berth, const uint64_t gain[NR_HORIZONS],
		 const uint64_t loss[NR_HORIZONS], uint64_t cost)
{
	uint64_t had = (uint64_t)MAX(berth->paid + ACCOUNT_TRUST, 0);
	uint64_t hoped = (uint64_t)MAX(berth->expected + ACCOUNT_TRUST, 1);
	for (unsigned i = 0; i < NR_HORIZONS; i++) {
		uint64_t more = gain[i] > loss[i] ? gain[i] - loss[i] : 0;
		if (MIN(more, more / hoped * had + more % hoped * had / hoped) > cost)
			return true;
	}
	return false;
}

static void expect(struct berth *berth, uint32_t id, uint16_t class)
{
	struct past *past = &berth->pasts[id];
	struct folio *folio = folio_get(berth->table, id);
	uint64_t prior = prior_of(berth, folio, past, berth->horizon[LONG]);
	struct predict_mean mean = mean_of_class(berth, class_of(berth, folio, past), LONG, prior);
	if (past->trial_class != CLASS_NONE && past->trial_class >= CLASS_LEFT)
		close_trial(berth, id, past);
	open_trial(berth, past, class);
	uint64_t touches = mean.touches * mean.weight / PREDICT_WEIGHT;
	past->trial_expected = (uint16_t)MIN(touches, UINT16_MAX);
}

/* Jobs: what each has of fast memory while the plan grows. */
static bool note_jobs(struct berth *berth, const struct policy_view *view)
{
	if (view->nr_jobs > berth->max_jobs) {
		uint64_t *fast_of = realloc(berth->fast_of, view->nr_jobs * sizeof(*fast_of));
		if (!fast_of)
			return false;
		berth->fast_of = fast_of;
		berth->max_jobs = view->nr_jobs;
	}
	for (uint32_t i = 0; i < view->nr_jobs; i++)
		berth->fast_of[i] = view->jobs[i].fast_pages;
	return view->nr_jobs > 0;
}

static uint32_t job_of(const struct policy_view *view, const struct folio *folio)
{
	uint32_t job = folio->space < view->nr_spaces ? view->job_of[folio->space] : 0;
	return job < view->nr_jobs ? job : 0;
}

static bool has_reached_cap(const struct berth *berth, const struct policy_view *view, uint32_t job)
{
	return berth->fast_of[job] >= view->jobs[job].cap_pages;
}

/* May `taker` have a page of `giver`? What lies within a giver's floor is for itself only, and a
 * taker at its cap changes pages with itself. */
static bool may_take(const struct berth *berth, const struct policy_view *view, uint32_t taker,
		     uint32_t giver)
{
	if (taker == giver)
		return true;
	return berth->fast_of[giver] > view->jobs[giver].floor_pages &&
	       !has_reached_cap(berth, view, taker);
}

/* The least valued fast folio that `taker` may displace, NOBODY: that may make room. */
static uint32_t pop_victim_for(struct berth *berth, const struct policy_view *view, uint32_t taker,
			       uint64_t worth[NR_HORIZONS])
{
	struct candidate passed[VICTIMS_PASSED];
	uint32_t nr = 0, found = FOLIO_NONE;
	while (found == FOLIO_NONE && nr < VICTIMS_PASSED) {
		uint32_t id = pop_victim(berth, worth);
		if (id == FOLIO_NONE)
			break;
		uint32_t giver = job_of(view, folio_get(berth->table, id));
		bool fits = taker == NOBODY ? berth->fast_of[giver] > view->jobs[giver].floor_pages
					    : may_take(berth, view, taker, giver);
		if (fits)
			found = id;
		else
			passed[nr++] = (struct candidate){ worth[LONG], id };
	}
	while (nr > 0) {
		nr--;
		push_victim(berth, passed[nr].id, passed[nr].worth);
	}
	return found;
}

/* One candidate. 0: planned; 1: does not pay; negative: no more room in plan or memory. */
static int promote_into_room(struct berth *berth, struct plan *plan, uint32_t id,
			     const uint64_t gain[NR_HORIZONS])
{
	static const uint64_t nothing[NR_HORIZONS];
	if (!pays(berth, gain, nothing, cost_of(berth, id, berth->promote_ps)))
		return 1;
	return plan_folio(berth, plan, id, berth->fast, "earns more than its move") ? 0 : -ENOSPC;
}

static int exchange(struct berth *berth, const struct policy_view *view, struct plan *plan,
		    uint32_t id, const uint64_t gain[NR_HORIZONS])
{
	static const uint64_t nothing[NR_HORIZONS];
	uint64_t loss[NR_HORIZONS];
	uint32_t taker = job_of(view, folio_get(berth->table, id));
	uint32_t victim = pop_victim_for(berth, view, taker, loss);
	if (victim == FOLIO_NONE)
		return view->nr_jobs > 1 ? 1 : -ENOSPC;
	uint32_t giver = job_of(view, folio_get(berth->table, victim));
	bool returns = taker != giver && berth->fast_of[taker] < view->jobs[taker].floor_pages;
	uint64_t cost = cost_of(berth, id, berth->promote_ps) +
			cost_of(berth, victim, berth->demote_ps);
	if (!pays(berth, gain, returns ? nothing : loss, cost)) {
		push_victim(berth, victim, loss[LONG]);
		return 1;
	}
	if (!plan_folio(berth, plan, victim, berth->slow,
			returns ? "borrowed memory returned" : "makes room"))
		return -ENOSPC;
	berth->fast_of[giver]--;
	expect(berth, victim, CLASS_LEFT);
	return plan_folio(berth, plan, id, berth->fast, "earns more than what it replaces")
		       ? 0
		       : -ENOSPC;
}

/* Most valued first, into free memory or in the place of what is worth least. */
static void trade(struct berth *berth, const struct policy_view *view, struct plan *plan,
		  uint64_t keep)
{
	uint64_t free_pages = view->nodes[berth->fast].free_pages, budget = view->budget_pages;
	unsigned nr_failed = 0;
	for (uint32_t i = 0; i < berth->nr_candidates && nr_failed < FAILURES_MAX; i++) {
		uint32_t id = berth->candidates[i].id;
		struct folio *folio = folio_get(berth->table, id);
		uint64_t gain[NR_HORIZONS];
		if (room_is_fast(berth->machine, folio->node) || folio->bits & FOLIO_MOVING ||
		    is_settling(berth, id))
			continue;
		uint32_t job = job_of(view, folio);
		bool has_room = free_pages > keep && !has_reached_cap(berth, view, job);
		if (budget < (has_room ? 1u : 2u))
			return;
		worth_of(berth, id, gain);
		int error = has_room ? promote_into_room(berth, plan, id, gain)
				     : exchange(berth, view, plan, id, gain);
		if (error < 0)
			return;
		if (error > 0) {
			nr_failed++;
			continue;
		}
		expect(berth, id, CLASS_PAID);
		berth->fast_of[job]++;
		free_pages -= has_room;
		budget -= (has_room ? 1u : 2u);
	}
}

/* Room for new pages, ahead of them, where they are learned to earn more than the least that fast
 * memory holds. Returns the free pages that promotions shall leave. */
static uint64_t make_headroom(struct berth *berth, const struct policy_view *view,
			      struct plan *plan)
{
	const struct policy_node *node = &view->nodes[berth->fast];
	uint64_t gain[NR_HORIZONS], loss[NR_HORIZONS], nr_planned = 0;
	if (berth->spilled && node->free_pages < node->capacity_pages / 8)
		berth->reserve = MAX(berth->reserve, node->free_pages);
	berth->spilled = 0;
	uint64_t births = MIN(berth->births_peak, node->capacity_pages / 8);
	uint64_t wanted = births ? births + MAX(berth->reserve, node->low_pages) : 0;
	for (unsigned i = 0; i < NR_HORIZONS; i++) {
		struct predict_mean mean = mean_of_class(berth, CLASS_BORN, i, 0);
		gain[i] = worth_of_mean(berth, &mean);
	}
	while (node->free_pages + nr_planned < wanted && nr_planned < view->budget_pages / 2) {
		uint32_t victim = pop_victim_for(berth, view, NOBODY, loss);
		if (victim == FOLIO_NONE)
			break;
		if (!pays(berth, gain, loss, cost_of(berth, victim, berth->demote_ps))) {
			push_victim(berth, victim, loss[LONG]);
			break;
		}
		if (!plan_folio(berth, plan, victim, berth->slow, "new pages earn more"))
			break;
		berth->fast_of[job_of(view, folio_get(berth->table, victim))]--;
		nr_planned++;
	}
	return MAX(MIN(wanted, node->free_pages + nr_planned), node->low_pages);
}

static void learn(struct berth *berth, const struct move_result *result, uint64_t page)
{
	uint32_t id = folio_find(berth->table, result->space, page, 0);
	if (id == FOLIO_NONE)
		return;
	struct folio *folio = folio_get(berth->table, id);
	struct past *past = &berth->pasts[id];
	if (result->outcome == MOVE_REFUSED_GONE) {
		forget(berth, id);
		return;
	}
	folio->bits &= ~(unsigned)FOLIO_MOVING & 63u;
	if (result->node != PLAN_NODE_ANY)
		folio->node = (uint16_t)result->node;
	if (result->outcome != MOVE_DONE)
		return;
	if (past->moved_ms && berth->now_ms - past->moved_ms < 4 * SETTLE_MS)
		past->bar = (uint8_t)MIN(past->bar + 1, BAR_MAX);
	past->moved_ms = MAX(berth->now_ms, 1);
}

static void berth_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		for (uint64_t j = 0; j < results[i].nr_pages; j++)
			learn(policy, &results[i], results[i].page + j);
}

static uint32_t home_of(const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (!set_is_empty(&machine->nodes[i].cpus))
			return i;
	return 0;
}

/* Latency as it is under load: a decaying mean (Colloid's 1/32) of what the queue adds. */
static uint64_t loaded(uint64_t *queue_ps, const struct policy_node *node,
		       const struct machine_link *link)
{
	uint64_t idle_ps = link->latency_ns * 1000;
	if (node->loaded_ps != POLICY_UNKNOWN && node->nr_misses != POLICY_UNKNOWN) {
		uint64_t queued_ps = node->loaded_ps > idle_ps ? node->loaded_ps - idle_ps : 0;
		*queue_ps = *queue_ps - *queue_ps / 32 + MIN(queued_ps, idle_ps * 64) / 32;
	}
	return idle_ps + *queue_ps;
}

static void price(struct berth *berth, const struct policy_view *view)
{
	const struct machine *machine = berth->machine;
	uint32_t home = home_of(machine);
	const struct machine_link *fast = machine_link(machine, home, berth->fast);
	const struct machine_link *slow = machine_link(machine, home, berth->slow);
	uint64_t fast_ps = loaded(&berth->queue_ps[0], &view->nodes[berth->fast], fast);
	uint64_t slow_ps = loaded(&berth->queue_ps[1], &view->nodes[berth->slow], slow);
	berth->gain_ps = slow_ps > fast_ps ? (slow_ps - fast_ps) * 2 / 3 : 0;
	uint64_t narrow = MAX(MIN(fast->bandwidth_bytes_per_s, slow->bandwidth_bytes_per_s), 1);
	uint64_t copy_ps = (uint64_t)berth->page_bytes * 1000000 / MAX(narrow / 1000000, 1);
	berth->promote_ps = berth->demote_ps = 1000000 + copy_ps;
}

/* The most births in a round, forgotten by a sixteenth per 100 ms, at least per round. */
static void age_births(struct berth *berth)
{
	uint32_t steps = (berth->now_ms - berth->round_ms) / (QUICK_ROUND_MS / 2);
	for (uint32_t i = 0; i < MIN(MAX(steps, 1), 256); i++)
		berth->births_peak -= (berth->births_peak + 15) / 16;
	berth->births_peak = MAX(berth->births_now, berth->births_peak);
}

static void pace(struct berth *berth, const struct policy_view *view)
{
	uint64_t misses = 0, pages = 0;
	for (uint32_t i = 0; i < view->nr_nodes; i++) {
		pages += view->nodes[i].job_pages;
		if (view->nodes[i].nr_misses != POLICY_UNKNOWN)
			misses += view->nodes[i].nr_misses;
	}
	berth->all_misses += misses;
	berth->nr_pages = MAX(MIN(pages, folio_nr(berth->table)), 1);
	if (!berth->has_new)
		return;
	berth->touches_avg += berth->touches_now * 16 * 16;
	berth->touches_avg -= berth->touches_avg / 16;
	age_births(berth);
	berth->touches_now = berth->births_now = 0;
	berth->paid -= berth->paid / ACCOUNT_FADE;
	berth->expected -= berth->expected / ACCOUNT_FADE;
	uint64_t per_round = MAX(berth->touches_avg / 4096, 1);
	berth->unit = MIN(MAX(berth->nr_pages / per_round, 1), 1u << 16);
	berth->half[SHORT] = (uint32_t)MAX(berth->unit / 2, 2);
	berth->half[LONG] = (uint32_t)MAX(berth->unit * 4, 32);
	/* x 16 */
	uint64_t per_touch = berth->all_misses ? berth->all_misses * 16 / MAX(berth->all_touches, 1)
					       : 16 * MISSES_GUESS;
	if (berth->all_samples)
		per_touch = per_touch * berth->all_halves / (2 * berth->all_samples);
	berth->touch_ps = berth->gain_ps * MAX(per_touch, 1);
	uint64_t units = MIN(
		MAX((berth->promote_ps + berth->demote_ps) * 2 * 16 / MAX(berth->touch_ps, 1), 1),
		64);
	berth->horizon[LONG] = (uint32_t)MAX(units * berth->unit, 16);
	berth->horizon[SHORT] = MAX(berth->horizon[LONG] / 8, 2);
	if (berth->all_touches > 1u << 24) {
		berth->all_touches /= 2;
		berth->all_misses /= 2;
		berth->all_samples /= 2;
		berth->all_halves /= 2;
	}
}

static int berth_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct berth *berth = policy;
	berth->fast = room_roomiest(berth->machine, view, true);
	berth->slow = room_roomiest(berth->machine, view, false);
	if (berth->fast >= view->nr_nodes || berth->slow >= view->nr_nodes)
		return 0;
	berth->now_ms = (uint32_t)(view->now_ns / NS_PER_MS);
	if (!note_jobs(berth, view))
		return -ENOMEM;
	price(berth, view);
	pace(berth, view);
	if (berth->has_new) {
		bool is_quick = berth->now_ms - berth->round_ms < QUICK_ROUND_MS;
		berth->bin_room = is_quick ? BIN_ROOM_QUICK : BIN_ROOM;
		berth->round_ms = berth->now_ms;
		sweep(berth);
	}
	uint64_t headroom = make_headroom(berth, view, plan);
	for (uint32_t i = 0; i < berth->nr_touched; i++) {
		uint32_t id = berth->touched[i];
		uint64_t worth[NR_HORIZONS];
		if (!folio_is_used(berth->table, id))
			continue;
		worth_of(berth, id, worth);
		add_candidate(berth, id, worth[LONG]);
	}
	qsort(berth->candidates, berth->nr_candidates, sizeof(*berth->candidates),
	      compare_candidates);
	trade(berth, view, plan, headroom);
	berth->nr_candidates = berth->nr_touched = 0;
	if (berth->has_new)
		berth->now++;
	berth->has_new = false;
	return 0;
}

static void berth_free(void *policy)
{
	struct berth *berth = policy;
	if (!berth)
		return;
	folio_table_free(berth->table);
	for (unsigned i = 0; i < NR_HORIZONS; i++)
		predict_fini(&berth->predict[i]);
	free(berth->pasts);
	free(berth->regions);
	free(berth->bins);
	free(berth->candidates);
	free(berth->touched);
	free(berth->fast_of);
	free(berth);
}

static int berth_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	struct berth *berth = calloc(1, sizeof(*berth));
	if (!berth)
		return error_set(err, -ENOMEM, "berth: out of memory");
	int error = folio_table_new(&berth->table);
	for (unsigned i = 0; !error && i < NR_HORIZONS; i++)
		error = predict_init(&berth->predict[i], NR_CLASSES, NR_PARENTS);
	berth->regions = calloc(NR_REGIONS, sizeof(*berth->regions));
	berth->bins = calloc(NR_BINS, sizeof(*berth->bins));
	berth->candidates = calloc(CANDIDATES_MAX, sizeof(*berth->candidates));
	berth->touched = calloc(CANDIDATES_MAX, sizeof(*berth->touched));
	if (error || !berth->regions || !berth->bins || !berth->candidates || !berth->touched) {
		berth_free(berth);
		return error_set(err, -ENOMEM, "berth: out of memory");
	}
	berth->machine = config->machine;
	berth->page_bytes = config->page_bytes;
	berth->now = 2;
	berth->unit = 1;
	berth->bin_room = BIN_ROOM_QUICK;
	berth->half[SHORT] = 2;
	berth->half[LONG] = 32;
	berth->horizon[SHORT] = 2;
	berth->horizon[LONG] = 16;
	*ret_policy = berth;
	return 0;
}

static uint64_t berth_bytes(const void *policy)
{
	const struct berth *berth = policy;
	uint64_t bytes = sizeof(*berth) + folio_table_bytes(berth->table);
	bytes += berth->max_pasts * sizeof(*berth->pasts);
	for (unsigned i = 0; i < NR_HORIZONS; i++)
		bytes += predict_bytes(&berth->predict[i]);
	return bytes;
}

extern const struct policy_ops policy_berth;
const struct policy_ops policy_berth = {
	.name = "berth",
	.summary = "fast memory for what is learned to earn most there, if the move pays",
	.needs = SAMPLE_ANY,
	.hardware = { .hz = SAMPLE_HZ },
	.needs_order = true,
	.new = berth_new,
	.observe = berth_observe,
	.completed = berth_completed,
	.decide = berth_decide,
	.memory_bytes = berth_bytes,
	.free = berth_free,
};
