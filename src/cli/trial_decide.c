/* SPDX-License-Identifier: MIT */
/* When a trial stops, and what came of it (trial_decide.h). */
#include "cli/trial_decide.h"

const char *const trial_verdict_names[] = { "unknown", "gains", "loses", "nothing", NULL };

static void look(struct trial_state *state)
{
	double wrong = TRIAL_WRONG;
	for (uint32_t i = 0; i <= state->nr_looks; i++)
		wrong /= 2;
	state->has_gain = paired_gain(&state->pairs, 1 - wrong, &state->gain) == 0;
	state->nr_looks++;
	state->next_look = state->pairs.nr * 2;
}

/* Narrow enough, or no gain to be hoped for. */
static bool is_known(const struct trial_state *state)
{
	const struct paired_gain *gain = &state->gain;
	double width = gain->high - gain->low;
	if (!state->has_gain)
		return false;
	if (width <= 2 * TRIAL_WITHIN || gain->high < TRIAL_WORTH)
		return true;
	return gain->low > 0 && width <= 2 * TRIAL_WITHIN_GAIN * gain->gain;
}

bool trial_add(struct trial_state *state, double with, double without, int *ret_error)
{
	int error = paired_add(&state->pairs, with, without);
	if (!state->next_look)
		state->next_look = TRIAL_FIRST_LOOK;
	*ret_error = error;
	if (error || state->pairs.nr < state->next_look)
		return false;
	look(state);
	return is_known(state);
}

void trial_finish(struct trial_state *state)
{
	bool was_looked_at = state->nr_looks && state->next_look == state->pairs.nr * 2;
	if (!was_looked_at && state->pairs.nr >= 2)
		look(state);
}

enum trial_verdict trial_verdict(const struct trial_state *state)
{
	if (!state->has_gain)
		return TRIAL_UNKNOWN;
	if (state->gain.high < TRIAL_WORTH && state->gain.low > -TRIAL_WORTH)
		return TRIAL_NOTHING;
	if (state->gain.low > 0)
		return TRIAL_GAINS;
	if (state->gain.high < 0)
		return TRIAL_LOSES;
	bool is_narrow = state->gain.high - state->gain.low <= 2 * TRIAL_WITHIN;
	return is_narrow || state->gain.high < TRIAL_WORTH ? TRIAL_NOTHING : TRIAL_UNKNOWN;
}
