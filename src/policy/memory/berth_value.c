/* SPDX-License-Identifier: MIT */
/*
 * berth: what a folio is worth in fast memory, and what moving it costs.
 *
 *     history --> class --> touches that such folios got (or a prior, or the benefit of the doubt)
 *                           x misses per touch (its own samples, its class's) x latency saved
 *
 * Cost: two cells of 24 bytes per horizon and folio.
 */
#include "policy/memory/berth_state.h"

#define RATE_UNIT 65536 /* once a round */
#define CHANGED	  64	/* one page in so many changes in a round */

const uint16_t berth_decays[STEPS] = { 65535, 64132, 62757, 61413, 60097, 58809, 57549, 56316,
				       55109, 53928, 52773, 51642, 50535, 49452, 48393, 47356,
				       46341, 45348, 44376, 43425, 42495, 41584, 40693, 39821,
				       38968, 38133, 37316, 36516, 35734, 34968, 34219, 33486 };

/* Samples that the folio's lasting count of touches would bring if they were average ones. */
uint64_t berth_samples_expected(const struct berth *berth, const struct folio *folio)
{
	return berth->all_halves ? folio->heat * berth->all_halves / berth->all_touches / RATE_ONE
				 : 0;
}

/* How many misses stand behind a touch here, against an average one: five levels, each twice the
 * one before. By the folio's own samples as far as there are some, by its region's else. */
static unsigned density_of(struct berth *berth, const struct folio *folio, const struct past *past)
{
	const struct region *region = berth_region_of(berth, folio->space, folio->page);
	if (berth->all_touches == 0 || berth->all_samples == 0)
		return 2;
	uint64_t around = region->touches * berth->all_samples / berth->all_touches;
	uint64_t weight = (region->samples + 8) * PREDICT_WEIGHT / (around + 8);
	uint64_t got = (uint64_t)berth_samples_of(berth, past) * PREDICT_WEIGHT / SAMPLE_ONE;
	weight = (got + weight * OWN_TRUST) / (berth_samples_expected(berth, folio) + OWN_TRUST);
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
	return MIN(parts ? 1 + berth_log2_of(parts) : 0, NR_IDLE - 1);
}

/* Of what is told of a large folio other things follow than of what was seen of a page. */
static unsigned age_level(const struct berth *berth, const struct folio *folio,
			  const struct past *past)
{
	uint32_t age = berth->now - past->born;
	if (folio->order == WIDE_ORDER)
		return AGE_WIDE;
	return age < berth->unit ? 0 : age < berth->unit * 8 ? 1 : 2;
}

uint32_t berth_class_of(struct berth *berth, const struct folio *folio, struct past *past)
{
	uint32_t at = past->short_at;
	uint16_t brief = berth_count_at(past->short_count, &at, berth->now, berth->half[SHORT]);
	at = past->long_at;
	uint16_t lasting = berth_count_at(folio->heat, &at, berth->now, berth->half[LONG]);
	unsigned idle = idle_level(berth, berth->now - folio->seen);
	unsigned level = MIN(berth_half_octave((uint64_t)lasting * 2 / RATE_ONE), NR_LONG - 1);
	unsigned brief_level = brief < RATE_ONE / 2	  ? 0
			       : brief < RATE_ONE * 3 / 2 ? 1
			       : brief < RATE_ONE * 5	  ? 2
							  : 3;
	unsigned age = age_level(berth, folio, past);
	return (((idle * NR_LONG + level) * NR_SHORT + brief_level) * NR_AGE + age) * NR_DENSITY +
	       density_of(berth, folio, past);
}

/* Checks of an instant now and then: each stands for a long time, but a page is seen in few. */
static bool is_sparse(const struct berth *berth)
{
	return berth->unwatched >= SPARSE;
}

/* Has a page that was used at this rate (of RATE_UNIT per round) and then not for some rounds
 * changed? One in CHANGED does, in a round; the others are missed by chance. RATE_UNIT: it has not.
 */
static uint64_t unchanged_of(uint64_t rate, uint64_t idle)
{
	uint64_t missed = RATE_UNIT, miss = RATE_UNIT - MIN(rate, RATE_UNIT / 16 * 15);
	for (uint64_t i = 0; i < idle && missed > 0; i++)
		missed = missed * miss / RATE_UNIT;
	return missed * RATE_UNIT / (missed + MIN(idle, CHANGED) * RATE_UNIT / CHANGED + 1);
}

/* As it was, unless it has changed since; or as it was lately, as far as that is told or to be seen
 * again tells those that are used from the rest. The fewer rounds the page has been through the
 * less sure. */
static uint64_t sparse_prior_of(const struct berth *berth, const struct folio *folio,
				const struct past *past, uint32_t horizon, uint32_t told)
{
	uint32_t at = past->long_at, age = berth->now - past->born + 1;
	uint64_t lasting = berth_count_at(folio->heat, &at, berth->now, berth->half[LONG]);
	uint64_t window = MIN(age, (uint64_t)berth->half[LONG] * 3 / 2);
	uint64_t rate = lasting * (RATE_UNIT / RATE_ONE) / (window + berth->unit);
	rate = rate * unchanged_of(rate, berth->now - folio->seen) / RATE_UNIT;
	at = past->short_at;
	uint64_t brief = berth_count_at(past->short_count, &at, berth->now, berth->half[SHORT]);
	uint64_t lately = brief * (RATE_UNIT / RATE_ONE) * 2 / (3 * berth->half[SHORT] + 1);
	if (told == TOLD_NOTHING)
		lately = lately * (DOUBT_ONE - berth->doubt) / DOUBT_ONE;
	else
		lately = MAX(lately, (uint64_t)told * (RATE_UNIT / TOLD_ONE));
	return MAX(rate, lately) * horizon * PREDICT_ONE / RATE_UNIT;
}

/* touches to expect when nothing was learned: as it was, for as long as it was */
uint64_t berth_prior_of(const struct berth *berth, const struct folio *folio,
			const struct past *past, uint32_t horizon, uint32_t told)
{
	if (is_sparse(berth))
		return sparse_prior_of(berth, folio, past, horizon, told);
	uint32_t at = past->long_at, age = berth->now - past->born + 1;
	uint64_t lasting = berth_count_at(folio->heat, &at, berth->now, berth->half[LONG]);
	uint64_t window = MIN(age, (uint64_t)berth->half[LONG] * 3 / 2);
	return lasting * PREDICT_ONE / RATE_ONE * MIN(horizon, age) / window;
}

/* Touches of a page of which nothing is known but how long nobody has used it. */
static uint64_t unknown_of(const struct berth *berth, const struct folio *folio, uint64_t horizon)
{
	uint64_t idle = berth->now - folio->seen;
	return horizon * PREDICT_ONE / (berth->unit + (is_sparse(berth) ? idle : idle / 4));
}

struct predict_mean berth_mean_of_class(const struct berth *berth, uint32_t class, unsigned horizon,
					uint64_t prior)
{
	uint64_t samples_bp = berth->all_samples && berth->all_touches
				      ? berth->all_halves * 10000 / berth->all_touches
				      : 0;
	return predict_mean(&berth->predict[horizon], class, class / NR_DETAIL, prior, samples_bp);
}

uint64_t berth_worth_of_mean(const struct berth *berth, const struct predict_mean *mean)
{
	return mean->touches * mean->weight / PREDICT_WEIGHT * berth->touch_ps / PREDICT_ONE / 16;
}

/* What its class got over a horizon, corrected by what its own samples say of its misses. */
static uint64_t worth_over(const struct berth *berth, const struct folio *folio,
			   const struct past *past, uint32_t class, unsigned horizon, uint32_t told)
{
	uint64_t prior = berth_prior_of(berth, folio, past, berth->horizon[horizon], told);
	if (told == TOLD_NOTHING && room_is_fast(berth->machine, folio->node))
		prior = MAX(prior, unknown_of(berth, folio, berth->horizon[horizon]));
	struct predict_mean mean = berth_mean_of_class(berth, class, horizon, prior);
	if (berth->all_samples) {
		uint64_t got = berth_samples_of(berth, past) / SAMPLE_ONE;
		mean.weight = (got * PREDICT_WEIGHT + mean.weight * OWN_TRUST) /
			      (berth_samples_expected(berth, folio) + OWN_TRUST);
	}
	return berth_worth_of_mean(berth, &mean);
}

void berth_worth_of(struct berth *berth, uint32_t id, uint32_t told, uint64_t worth[NR_HORIZONS])
{
	const struct folio *folio = folio_get(berth->table, id);
	struct past *past = &berth->pasts[id];
	uint32_t class = berth_class_of(berth, folio, past);
	for (unsigned i = 0; i < NR_HORIZONS; i++)
		worth[i] = worth_over(berth, folio, past, class, i, told);
}

uint64_t berth_lasting_worth_of(struct berth *berth, uint32_t id, uint32_t told)
{
	const struct folio *folio = folio_get(berth->table, id);
	struct past *past = &berth->pasts[id];
	return worth_over(berth, folio, past, berth_class_of(berth, folio, past), LONG, told);
}

/* What moving it costs more for having gone back and forth. */
uint64_t berth_surcharge(const struct berth *berth, uint32_t id)
{
	return berth->promote_ps * ((1u << berth_bar_of(berth, id)) - 1);
}

uint64_t berth_cost_of(const struct berth *berth, uint32_t id, uint64_t cost)
{
	return cost << (berth_bar_of(berth, id) + berth_would_be_trip(berth, id));
}

/* Where checks are sparse a round moves thousands, and those that come back soon are told before
 * those that stay: that is no reason to despair. */
static uint64_t account_trust(const struct berth *berth)
{
	/* One bit stands for 512 pages: what is told of a folio by chance is told 512 times. */
	if (folio_nr(berth->larges) > 0)
		return ACCOUNT_TRUST * LARGE_PAGES;
	return is_sparse(berth) ? MAX(ACCOUNT_TRUST, berth->nr_pages / 32 * PREDICT_ONE)
				: ACCOUNT_TRUST;
}

bool berth_pays(const struct berth *berth, const uint64_t gain[NR_HORIZONS],
		const uint64_t loss[NR_HORIZONS], uint64_t cost)
{
	int64_t trust = (int64_t)account_trust(berth);
	uint64_t had = (uint64_t)MAX(berth->paid + trust, 0);
	uint64_t hoped = (uint64_t)MAX(berth->expected + trust, 1);
	for (unsigned i = 0; i < NR_HORIZONS; i++) {
		uint64_t more = gain[i] > loss[i] ? gain[i] - loss[i] : 0;
		if (MIN(more, more / hoped * had + more % hoped * had / hoped) > cost)
			return true;
	}
	return false;
}
