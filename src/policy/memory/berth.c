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
 *   over memory pushes out what it is about to come to. No doubt where a sampler tells how often a
 *   large folio is used: of its pages not to be seen says nothing more.
 * - A moved folio stays for 10 s of the kernel's clock, but for one move in 22 (programs change
 *   faster than that), which must earn twice its price. One that goes back within 40 s pays twice
 *   as much the next time, and so on; it stands behind others by that much, never in their way.
 * - A large folio moves as one, for what its pages earn together; a hot page in a cold one leaves
 *   it if that pays for the split (berth_large.c).
 * - Jobs lend what lies above their floor. Latency is what it is under load, where a PMU tells:
 *   when the fast node is the slower one, what is hottest there goes (berth_load.c).
 *
 * Follows LHD (Beckmann, Chen, Cidon: NSDI'18) for learning what a history is worth, and Colloid
 * (Vuppalapati, Agarwal: SOSP'24) for latency under load as what counts. Constants: 1 us for the
 * fixed part of a move (Cori; docs/cost-model.md) and 1.5 misses under way at once.
 *
 * berth_value.c: what a history is worth; berth_chance.c: and whether that was chance;
 * berth_trials.c: what became of it; berth_victims.c: the least valued in order; berth_trade.c:
 * which moves pay; berth_large.c: large folios; berth_load.c: fast memory that is slower;
 * berth_claims.c: floors and caps; here the samples, paces and prices.
 *
 * Cost: O(samples + folios / 8) per round, at most 16,384 folios looked at; where rounds are long
 * as many as bring moves, and all of them every 10 s, or every second while that brings moves, at
 * most. 28 bytes per folio in the table and 28 beside it (30 with hardware samples), 4 for each
 * victim, 0.5 MiB for the classes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "policy/memory/berth_state.h"

static bool room_for_pasts(struct berth *berth, uint32_t id)
{
	if (id < berth->max_pasts)
		return true;
	uint32_t max = MAX(berth->max_pasts * 2, MAX(id + 1, 4096));
	struct past *pasts = realloc(berth->pasts, max * sizeof(*pasts));
	if (!pasts)
		return false;
	berth->pasts = pasts;
	if (berth->samples) {
		uint16_t *samples = realloc(berth->samples, max * sizeof(*samples));
		if (!samples)
			return false;
		memset(samples + berth->max_pasts, 0, (max - berth->max_pasts) * sizeof(*samples));
		berth->samples = samples;
	}
	berth->max_pasts = max;
	return true;
}

/* Without memory for it, it counts only with those of its neighbourhood. */
static void add_sample(struct berth *berth, uint32_t id, unsigned weight)
{
	if (!berth->samples)
		berth->samples = calloc(berth->max_pasts, sizeof(*berth->samples));
	if (berth->samples)
		berth->samples[id] = (uint16_t)MIN(berth->samples[id] + weight * SAMPLE_ONE,
						   RATE_MAX);
}

uint32_t berth_add_record(struct berth *berth, uint32_t space, uint64_t page, unsigned order)
{
	uint32_t id;
	if (folio_add_new(berth->table, space, page, order, &id))
		return FOLIO_NONE;
	if (!room_for_pasts(berth, id)) {
		folio_del(berth->table, id);
		return FOLIO_NONE;
	}
	if (berth->samples)
		berth->samples[id] = 0;
	berth->nr_wide += order == WIDE_ORDER;
	return id;
}

void berth_del_record(struct berth *berth, uint32_t id)
{
	const struct folio *folio = folio_get(berth->table, id);
	berth->nr_wide -= folio->order == WIDE_ORDER;
	if (folio->bits & FOLIO_MOVING)
		berth->nr_moving -= berth_pages_of(berth, id);
	folio_del(berth->table, id);
}

/* Scans go up, and so did the scan that met the pages first: it is likely the record behind the one
 * found last, and a bucket far away need not be read. */
static uint32_t find_folio(struct berth *berth, uint32_t space, uint64_t page, unsigned order)
{
	uint32_t id = berth->found + 1;
	if (id < folio_id_end(berth->table) && folio_is_used(berth->table, id)) {
		const struct folio *folio = folio_get(berth->table, id);
		if (folio->page == page && folio->space == space && folio->order == order)
			return berth->found = id;
	}
	id = folio_find(berth->table, space, page, order);
	if (id != FOLIO_NONE)
		berth->found = id;
	return id;
}

/* A page that find_folio() has not found. */
static uint32_t meet_folio(struct berth *berth, uint32_t space, uint64_t page, unsigned order)
{
	uint32_t id = berth_add_record(berth, space, page, order);
	if (id == FOLIO_NONE)
		return FOLIO_NONE;
	berth->found = id; /* the next one is born behind it */
	berth->pasts[id] = (struct past){ .short_at = berth->now,
					  .long_at = berth->now,
					  .born = berth->now,
					  .trial_class = CLASS_NONE };
	folio_get(berth->table, id)->seen = berth->now - 1;
	berth->births_now += berth->has_scan ? berth_pages_of(berth, id) : 0;
	berth->is_birth = berth->has_scan;
	berth_open_trial(berth, &berth->pasts[id], CLASS_BORN);
	return id;
}

static void age_lasting(struct berth *berth, struct folio *folio, struct past *past)
{
	uint32_t at = past->long_at;
	uint16_t *samples = berth->samples ? &berth->samples[past - berth->pasts] : NULL;
	if (samples && *samples)
		*samples = berth_count_at(*samples, &at, berth->now, berth->half[LONG]);
	folio->heat = berth_count_at(folio->heat, &past->long_at, berth->now, berth->half[LONG]);
}

static void touch_region(struct berth *berth, const struct folio *folio)
{
	struct region *region = berth_region_of(berth, folio->space, folio->page);
	if (++region->touches > 65536) {
		region->touches /= 2;
		region->samples /= 2;
	}
}

static void count_touches(struct berth *berth, bool is_again, uint64_t nr)
{
	berth->touches_now += is_again || !berth->has_windows ? nr : 0;
	berth->all_touches += nr;
}

/* As touch(), of a page that was met just now: nothing has decayed, its trial has just begun. */
static void touch_first(struct berth *berth, uint32_t id, struct folio *folio, unsigned nr)
{
	struct past *past = &berth->pasts[id];
	bool is_again = !berth->has_scan || berth->is_in_window;
	if (is_again)
		past->short_count = folio->heat = (uint16_t)MIN(nr * RATE_ONE, RATE_MAX);
	past->trial_touches = (uint16_t)nr;
	folio->seen = berth->now;
	touch_region(berth, folio);
	count_touches(berth, is_again, (uint64_t)nr << folio->order);
}

static void touch(struct berth *berth, uint32_t id, struct folio *folio, unsigned nr)
{
	struct past *past = &berth->pasts[id];
	berth_close_if_over(berth, id, past);
	past->short_count = berth_count_at(past->short_count, &past->short_at, berth->now,
					   berth->half[SHORT]);
	age_lasting(berth, folio, past);
	/* The first touch says nothing of a second one, unless it was seen in a window: then the
	 * page was there before. */
	bool is_again = past->born != berth->now || !berth->has_scan || berth->is_in_window;
	if (is_again) {
		past->short_count = (uint16_t)MIN(past->short_count + nr * RATE_ONE, RATE_MAX);
		folio->heat = (uint16_t)MIN(folio->heat + nr * RATE_ONE, RATE_MAX);
	}
	if (past->trial_class != CLASS_NONE)
		past->trial_touches = (uint16_t)MIN(past->trial_touches + nr, UINT16_MAX);
	folio->seen = berth->now;
	touch_region(berth, folio);
	count_touches(berth, is_again, (uint64_t)nr << folio->order);
	if (past->trial_class == CLASS_NONE && ((id + berth->now) * 0x9e3779b1u >> 28) == 0)
		berth_open_trial(berth, past, berth_class_of(berth, folio, past));
}

/* A page faults once per arming: one that does so within 1/16 s stands for more uses. */
static unsigned nr_touches(const struct sample *sample)
{
	if (sample->kind != SAMPLE_HINT_FAULT || sample->latency_ns == SAMPLE_UNKNOWN)
		return 1;
	return (unsigned)MIN(1 + NS_PER_S / 16 / MAX(sample->latency_ns, NS_PER_MS), 8);
}

/* When there are too many to look at, any of them: not always those of the lowest addresses. */
static void note_touched(struct berth *berth, uint32_t id)
{
	uint64_t at = berth->nr_slow_touched++;
	if (at >= CANDIDATES_MAX)
		at = (uint64_t)((id ^ berth->now << 16) * 0x9e3779b1u) * (at + 1) >> 32;
	if (at < CANDIDATES_MAX)
		berth->touched[at] = id;
	berth->nr_touched = (uint32_t)MIN(berth->nr_slow_touched, CANDIDATES_MAX);
}

/* Of a range where h of c checks of one page or another had a hit, h of c pages were used, others
 * each time. Of many checks the step is near the golden section: a page's turns
 * are not one after the other. */
static bool is_its_turn(const struct berth *berth, const struct sample *sample, uint64_t page,
			unsigned order)
{
	if (sample->kind != SAMPLE_HITS || sample->hits >= sample->checks)
		return true;
	uint64_t mixed = (order ? page / LARGE_PAGES : page) * 0x9e3779b97f4a7c15u >> 40;
	uint64_t step = sample->checks > TURNS_FEW ? sample->checks / 8 * 5 - 1 : TURN_STEP;
	if (order) { /* 16 of them: apart, and 5/8 would leave out every other one */
		mixed += page % LARGE_PAGES * sample->checks / LARGE_PAGES;
		step = sample->checks > TURNS_FEW ? sample->checks * 633 / 1024 : TURN_STEP;
	}
	uint64_t turn = mixed + berth->now * step;
	bool is_power = (sample->checks & (sample->checks - 1)) == 0;
	turn = is_power ? turn & (sample->checks - 1) : turn % sample->checks;
	return turn < sample->hits;
}

/* All 16 records of a large folio are met at once, whichever of them are used. */
static void observe_page(struct berth *berth, const struct sample *sample, uint64_t page,
			 unsigned order)
{
	bool is_used = is_its_turn(berth, sample, page, order);
	if (!is_used && !order)
		return;
	uint32_t id = find_folio(berth, sample->space, page, order);
	bool is_met = id == FOLIO_NONE;
	if (is_met)
		id = meet_folio(berth, sample->space, page, order);
	if (id == FOLIO_NONE)
		return;
	struct folio *folio = folio_get(berth->table, id);
	if (sample->node != SAMPLE_NONE)
		folio->node = (uint16_t)sample->node;
	if (berth->is_birth && sample->node != SAMPLE_NONE &&
	    !room_is_fast(berth->machine, sample->node))
		berth->spilled += berth_pages_of(berth, id);
	berth->is_birth = false;
	if (sample->kind == SAMPLE_HARDWARE) {
		struct past *past = &berth->pasts[id];
		unsigned weight = sample->access == SAMPLE_WRITE ? 1 : 2;
		berth->all_samples++;
		berth->all_halves += weight;
		if (past->trial_class < CLASS_LEFT)
			past->trial_samples += weight;
		age_lasting(berth, folio, past);
		add_sample(berth, id, weight);
		berth_region_of(berth, folio->space, folio->page)->samples++;
		if (berth->has_bits)
			return;
	}
	if (folio->seen == berth->now || !is_used)
		return;
	bool is_slow = !room_is_fast(berth->machine, folio->node);
	if (is_slow)
		berth_note_seen(berth, id);
	(is_met ? touch_first : touch)(berth, id, folio, nr_touches(sample));
	if (is_slow)
		note_touched(berth, id);
	else if (berth->is_crowded)
		berth_note_crowd(berth, id);
}

static void observe_pages(struct berth *berth, const struct sample *sample)
{
	uint64_t end = sample->page + MIN(sample->nr_pages, RANGE_PAGES_MAX);
	bool may_be_wide = sample->order >= LARGE_ORDER;
	for (uint64_t page = sample->page; page < end;) {
		unsigned order = may_be_wide ? berth_order_at(berth, sample->space, page) : 0;
		if (order && sample->kind != SAMPLE_HITS) { /* it names the page */
			berth_narrow(berth, sample->space, page);
			order = 0;
		}
		page &= ~(((uint64_t)1 << order) - 1);
		observe_page(berth, sample, page, order);
		page += (uint64_t)1 << order;
	}
}

static void berth_observe(void *policy, const struct sample_batch *batch)
{
	struct berth *berth = policy;
	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct sample *sample = &batch->samples[i];
		berth_note_order(berth, sample);
		if (sample->kind == SAMPLE_HITS && sample->hits == 0)
			continue;
		if (sample->kind != SAMPLE_HARDWARE)
			berth->has_bits = true;
		berth->has_scan |= sample->kind == SAMPLE_HITS;
		berth->is_in_window = sample->kind == SAMPLE_HITS &&
				      sample->window_ns != SAMPLE_UNKNOWN;
		berth->has_windows |= berth->is_in_window;
		if (berth->is_in_window)
			berth->window_ns = sample->window_ns;
		observe_pages(berth, sample);
		berth->has_new |= sample->kind != SAMPLE_HARDWARE || !berth->has_bits;
	}
}

/* One folio of the sweep. */
static void look_at(struct berth *berth, const struct policy_view *view, uint32_t id)
{
	struct folio *folio = folio_get(berth->table, id);
	struct past *past = &berth->pasts[id];
	if (berth_has_ended(view, folio)) {
		berth_forget(berth, id);
		return;
	}
	berth_close_if_over(berth, id, past);
	if (past->trial_class == CLASS_NONE)
		berth_open_trial(berth, past, berth_class_of(berth, folio, past));
	if (berth_bar_of(berth, id) && berth->now_ms - past->moved_ms > 16 * SETTLE_MS)
		berth_set_bar(folio, 0);
	bool is_fast = room_is_fast(berth->machine, folio->node);
	struct unit unit = berth_unit_of(berth, id);
	if ((!is_fast && folio->seen == berth->now) || !berth_is_first_look(berth, &unit))
		return;
	if (is_fast) {
		berth_value_lasting(berth, &unit);
		berth_push_victim(berth, &unit);
	} else if (berth_is_above_chance(berth, &unit)) {
		berth_choose_part(berth, &unit);
		berth_add_candidate(berth, &unit);
	}
}

void berth_sweep(struct berth *berth, const struct policy_view *view, uint32_t nr)
{
	uint32_t end = folio_id_end(berth->table);
	nr = MIN(nr, end - MIN(end, berth->swept));
	berth->swept += nr;
	for (; nr > 0; nr--, berth->hand++) {
		if (berth->hand >= end)
			berth->hand = 0;
		if (folio_is_used(berth->table, berth->hand))
			look_at(berth, view, berth->hand);
	}
}

static void count_move(struct berth *berth, uint32_t id)
{
	uint32_t nr = berth_pages_of(berth, id);
	berth->nr_trips += berth_would_be_trip(berth, id) ? nr : 0;
	berth->nr_moves += nr;
	if (berth->nr_moves >= MOVES_MAX) {
		berth->nr_moves /= 2;
		berth->nr_trips = (berth->nr_trips + 1) / 2;
	}
}

/* Where rounds are long it is done as trading asks for victims. */
static void begin_sweep(struct berth *berth, const struct policy_view *view)
{
	uint32_t end = folio_id_end(berth->table);
	bool is_quick = berth->now_ms - berth->round_ms < QUICK_ROUND_MS;
	berth->bin_room = is_quick ? BIN_ROOM_QUICK : BIN_ROOM;
	berth->round_ms = berth->now_ms;
	berth->swept = 0;
	berth_sweep(berth, view, is_quick ? MIN(MAX(end / 8, 512), SWEEP_MAX) : SWEEP_CHUNK);
}

/* Is what moved, or was refused, all of the page's large folio? */
static bool covers_large(const struct move_result *result, uint64_t page)
{
	uint64_t head = page & ~(uint64_t)(LARGE_PAGES - 1);
	return result->page <= head && result->page + result->nr_pages >= head + LARGE_PAGES;
}

static void learn(struct berth *berth, const struct move_result *result, uint32_t id)
{
	struct folio *folio = folio_get(berth->table, id);
	struct past *past = &berth->pasts[id];
	if (result->outcome == MOVE_REFUSED_GONE) {
		berth_forget(berth, id);
		return;
	}
	if (folio->bits & FOLIO_MOVING)
		berth->nr_moving -= berth_pages_of(berth, id);
	folio->bits &= ~(unsigned)FOLIO_MOVING & 63u;
	bool was_fast = room_is_fast(berth->machine, folio->node);
	if (result->node != PLAN_NODE_ANY)
		folio->node = (uint16_t)result->node;
	if (was_fast != room_is_fast(berth->machine, folio->node))
		berth_note_gone(berth, id, !was_fast);
	if (result->outcome == MOVE_REFUSED_FULL && room_is_fast(berth->machine, result->to))
		berth->full_ms = MAX(berth->now_ms, 1);
	if (result->outcome != MOVE_DONE)
		return;
	if (past->moved_ms && berth->now_ms - past->moved_ms < 4 * SETTLE_MS)
		berth_set_bar(folio, MIN(berth_bar_of(berth, id) + 1, BAR_MAX));
	count_move(berth, id);
	past->moved_ms = MAX(berth->now_ms, 1);
}

/* Returns the pages that the record there stands for, of those that were moved. */
static uint64_t learn_at(struct berth *berth, const struct move_result *result, uint64_t page)
{
	unsigned order = berth->nr_wide ? berth_order_at(berth, result->space, page) : 0;
	if (order && !covers_large(result, page)) {
		berth_narrow(berth, result->space, page);
		order = 0;
	}
	uint32_t id = folio_find(berth->table, result->space, page, order);
	if (id != FOLIO_NONE)
		learn(berth, result, id);
	return (uint64_t)1 << order;
}

static void berth_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		for (uint64_t j = 0; j < results[i].nr_pages;)
			j += learn_at(policy, &results[i], results[i].page + j);
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
		*queue_ps -= *queue_ps / QUEUE_TICKS;
		*queue_ps += MIN(queued_ps, idle_ps * 64) / QUEUE_TICKS;
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
	berth->is_crowded = fast_ps > slow_ps;
	berth->gain_ps = (berth->is_crowded ? fast_ps - slow_ps : slow_ps - fast_ps) * 2 / 3;
	berth->nr_ticks++;
	uint64_t narrow = MAX(MIN(fast->bandwidth_bytes_per_s, slow->bandwidth_bytes_per_s), 1);
	uint64_t copy_ps = (uint64_t)berth->page_bytes * 1000000 / MAX(narrow / 1000000, 1);
	berth->promote_ps = berth->demote_ps = MOVE_PS + copy_ps;
}

/* The most births in a round, or in 100 ms of one that was long: room is not made for seconds
 * ahead. Forgotten by a sixteenth per 100 ms, at least per round. What a live sampler meets when it
 * looks for the first time has been there before, and is no birth. */
static void age_births(struct berth *berth)
{
	uint32_t steps = (berth->now_ms - berth->round_ms) / (QUICK_ROUND_MS / 2);
	if (berth->has_windows && !berth->has_met)
		berth->births_now = berth->spilled = 0;
	berth->has_met = true;
	if (steps >= 2)
		berth->births_now /= steps;
	for (uint32_t i = 0; i < MIN(MAX(steps, 1), 256); i++)
		berth->births_peak -= (berth->births_peak + 15) / 16;
	berth->births_peak = MAX(berth->births_now, berth->births_peak);
}

/* Checks that watch for an instant now and then see one use of many: how many? */
static void note_unwatched(struct berth *berth, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - berth->round_ns, ratio = 16;
	if (berth->window_ns > 0 && berth->round_ns > 0)
		ratio = MIN(MAX(passed_ns * 16 / berth->window_ns, 16), UNWATCHED_MAX);
	bool is_first = berth->unwatched == WATCHED; /* or it has been so all the time */
	berth->unwatched = is_first ? ratio : (berth->unwatched * 3 + ratio) / 4;
	berth->round_ns = now_ns;
	berth->window_ns = 0;
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
	uint64_t nr_known = folio_nr(berth->table) + berth->nr_wide * (WIDE_PAGES - 1);
	berth->nr_pages = MAX(MIN(pages, nr_known), 1);
	if (!berth->has_new)
		return;
	if (berth->has_windows) { /* rounds are few */
		uint64_t before = berth->touches_avg ? berth->touches_avg
						     : berth->touches_now * 4096;
		berth->touches_avg = (before * 3 + berth->touches_now * 4096) / 4;
	} else {
		berth->touches_avg += berth->touches_now * 16 * 16;
		berth->touches_avg -= berth->touches_avg / 16;
	}
	age_births(berth);
	berth->touches_now = berth->births_now = 0;
	berth->paid -= berth->paid / ACCOUNT_FADE;
	berth->expected -= berth->expected / ACCOUNT_FADE;
	uint64_t per_round = MAX(berth->touches_avg / 4096, 1);
	berth->unit = MIN(MAX(berth->nr_pages / per_round, 1), 1u << 16);
	berth->half[SHORT] = (uint32_t)MAX(berth->unit / 2, 2);
	if (berth->has_windows) /* decay goes by 32nds of it: whole rounds are whole steps then */
		berth->half[SHORT] = 1u << berth_log2_of(berth->half[SHORT]);
	berth->half[LONG] = (uint32_t)MAX(berth->unit * 4, 32);
	/* x 16 */
	uint64_t per_touch = berth->all_misses ? berth->all_misses * 16 / MAX(berth->all_touches, 1)
					       : 16 * MISSES_GUESS;
	if (berth->all_samples)
		per_touch = per_touch * berth->all_halves / (2 * berth->all_samples);
	note_unwatched(berth, view->now_ns);
	berth->touch_ps = berth->gain_ps * MAX(per_touch, 1) * berth->unwatched / 16;
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
	if (!berth_note_jobs(berth, view))
		return -ENOMEM;
	price(berth, view);
	berth->nr_trips_planned = 0;
	/* All that a live sampler meets when it looks for the first time, it has seen once. */
	bool is_first = berth->has_windows && !berth->has_met;
	pace(berth, view);
	berth_note_chance(berth, view);
	if (berth->has_new && !is_first)
		begin_sweep(berth, view);
	berth_keep_caps(berth, view, plan);
	if (view->nr_jobs > 1)
		berth_keep_floors(berth, view, plan);
	if (berth->is_crowded)
		berth_push_out(berth, view, plan);
	else if ((berth->has_new && !is_first) ||
		 !berth->has_windows) /* rounds are few, ticks many: once in each */
		berth_trade(berth, view, plan, berth_make_headroom(berth, view, plan));
	berth->nr_candidates = berth->nr_touched = 0;
	berth->nr_waiting = 0;
	berth->nr_slow_touched = berth->nr_crowd = 0;
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
	folio_table_free(berth->larges);
	free(berth->large_pasts);
	for (unsigned i = 0; i < NR_HORIZONS; i++)
		predict_fini(&berth->predict[i]);
	free(berth->pasts);
	free(berth->samples);
	free(berth->regions);
	free(berth->bins);
	free(berth->bin_blocks);
	free(berth->candidates);
	free(berth->touched);
	free(berth->fast_of);
	free(berth->crowd);
	free(berth->leaving);
	free(berth->ahead);
	free(berth);
}

static int berth_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	struct berth *berth = calloc(1, sizeof(*berth));
	if (!berth)
		return error_set(err, -ENOMEM, "berth: out of memory");
	int error = folio_table_new(&berth->table);
	if (!error)
		error = folio_table_new(&berth->larges);
	for (unsigned i = 0; !error && i < NR_HORIZONS; i++)
		error = predict_init(&berth->predict[i], NR_CLASSES, NR_PARENTS);
	berth->regions = calloc(NR_REGIONS, sizeof(*berth->regions));
	berth->bins = calloc(NR_BINS, sizeof(*berth->bins));
	berth->candidates = calloc(CANDIDATES_MAX, sizeof(*berth->candidates));
	berth->touched = calloc(CANDIDATES_MAX, sizeof(*berth->touched));
	berth->leaving = calloc(LEAVING_MAX, sizeof(*berth->leaving));
	berth->ahead = calloc(AHEAD_MAX, sizeof(*berth->ahead));
	berth->crowd = calloc(CROWD_MAX, sizeof(*berth->crowd));
	if (error || !berth->regions || !berth->bins || !berth->candidates || !berth->touched ||
	    !berth->leaving || !berth->ahead || !berth->crowd) {
		berth_free(berth);
		return error_set(err, -ENOMEM, "berth: out of memory");
	}
	berth->machine = config->machine;
	berth->page_bytes = config->page_bytes;
	berth->now = 2;
	berth->unit = 1;
	berth->unwatched = 16;
	berth->doubt = DOUBT_ONE;
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
	bytes += folio_table_bytes(berth->larges);
	bytes += berth->max_large_pasts * sizeof(*berth->large_pasts);
	bytes += berth->max_pasts * sizeof(*berth->pasts);
	bytes += berth->samples ? berth->max_pasts * sizeof(*berth->samples) : 0;
	bytes += berth->max_bin_blocks * sizeof(*berth->bin_blocks);
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
