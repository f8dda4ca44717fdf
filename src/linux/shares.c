/* SPDX-License-Identifier: MIT */
/* Floors and caps of jobs (shares.h). */
#include "linux/shares.h"

#define ALL_BP 10000

uint64_t shares_amount(const struct config_amount *amount, uint64_t fast_bytes)
{
	if (!amount->is_share)
		return amount->bytes;
	return (uint64_t)((unsigned __int128)fast_bytes * amount->bp / ALL_BP);
}

static uint64_t weight_of(const struct share *share)
{
	if (!share->is_there || share->config->fast_min.is_set)
		return 0;
	return share->config->goal == CONFIG_GOAL_PERFORMANCE ? 2
	       : share->config->goal == CONFIG_GOAL_BALANCED  ? 1
							      : 0;
}

/* Most that a share of what is left can be of use. */
static uint64_t wish_of(const struct share *share)
{
	return MIN(share->used_bytes, share->cap_bytes);
}

/* Those that want less than their part get that, until the rest is divided among those who want
 * more. Each round serves one at least, or is the last. */
static void divide(struct share *shares, size_t nr, uint64_t left)
{
	bool is_served[CONFIG_MAX_JOBS] = { false };
	bool goes_on = true;
	nr = MIN(nr, CONFIG_MAX_JOBS);
	while (goes_on) {
		uint64_t weights = 0, before = left;
		goes_on = false;
		for (size_t i = 0; i < nr; i++)
			weights += is_served[i] ? 0 : weight_of(&shares[i]);
		for (size_t i = 0; i < nr; i++) {
			uint64_t weight = is_served[i] ? 0 : weight_of(&shares[i]);
			if (weight == 0)
				continue;
			uint64_t part = before / weights * weight;
			shares[i].floor_bytes = MIN(part, wish_of(&shares[i]));
			if (wish_of(&shares[i]) > part)
				continue;
			is_served[i] = goes_on = true;
			left -= shares[i].floor_bytes;
		}
	}
}

static uint64_t asked_floor(const struct share *share, uint64_t fast_bytes)
{
	if (!share->is_there || !share->config->fast_min.is_set)
		return 0;
	return MIN(shares_amount(&share->config->fast_min, fast_bytes), share->cap_bytes);
}

void shares_compute(struct share *shares, size_t nr, uint64_t fast_bytes, uint64_t left_bytes)
{
	uint64_t left = MIN(fast_bytes, left_bytes), kept = 0;
	unsigned __int128 asked = 0;
	for (size_t i = 0; i < nr; i++) {
		const struct config_job *config = shares[i].config;
		shares[i].cap_bytes = config->fast_max.is_set
					      ? shares_amount(&config->fast_max, fast_bytes)
					      : UINT64_MAX;
		asked += asked_floor(&shares[i], fast_bytes);
	}
	for (size_t i = 0; i < nr; i++) {
		uint64_t floor = asked_floor(&shares[i], fast_bytes);
		if (asked > left)
			floor = (uint64_t)((unsigned __int128)floor * left / asked);
		shares[i].floor_bytes = floor;
		kept += floor;
	}
	divide(shares, nr, left - kept);
}
