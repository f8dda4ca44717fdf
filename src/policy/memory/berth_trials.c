/* SPDX-License-Identifier: MIT */
/*
 * berth: what became of folios.
 *
 * Every folio is on trial all the time: a class at its beginning, touches until the horizon is
 * over. A folio that was exchanged is on another trial, for the account: what the move was expected
 * to gain against what it gained. One trial per folio, 8 bytes.
 */
#include "policy/memory/berth_state.h"

void berth_close_trial(struct berth *berth, uint32_t id, struct past *past)
{
	if (past->trial_class == CLASS_PAID || past->trial_class == CLASS_LEFT) {
		int64_t nr = berth_pages_of(berth, id);
		int64_t sign = past->trial_class == CLASS_PAID ? nr : -nr;
		berth->paid += sign * past->trial_touches * PREDICT_ONE;
		berth->expected += sign * past->trial_expected;
		if (berth->expected > ACCOUNT_MAX || berth->paid < -ACCOUNT_MAX) {
			berth->paid /= 2;
			berth->expected /= 2;
		}
	} else {
		predict_learn(&berth->predict[berth_horizon_of(id)], past->trial_class,
			      past->trial_class / NR_DETAIL, berth_pages_of(berth, id),
			      past->trial_touches, past->trial_samples);
	}
	past->trial_class = CLASS_NONE;
}

void berth_close_if_over(struct berth *berth, uint32_t id, struct past *past)
{
	if (past->trial_class != CLASS_NONE &&
	    berth->now - past->trial_at >
		    berth->horizon[past->trial_class >= CLASS_LEFT ? LONG : berth_horizon_of(id)])
		berth_close_trial(berth, id, past);
}

void berth_open_trial(struct berth *berth, struct past *past, uint32_t class)
{
	past->trial_class = (uint16_t) class;
	past->trial_at = berth->now;
	past->trial_touches = past->trial_samples = 0;
}

static void expect_page(struct berth *berth, uint32_t id, uint16_t class, uint32_t told)
{
	struct past *past = &berth->pasts[id];
	struct folio *folio = folio_get(berth->table, id);
	uint64_t prior = berth_prior_of(berth, folio, past, berth->horizon[LONG], told);
	struct predict_mean mean = berth_mean_of_class(berth, berth_class_of(berth, folio, past),
						       LONG, prior);
	if (past->trial_class != CLASS_NONE && past->trial_class >= CLASS_LEFT)
		berth_close_trial(berth, id, past);
	berth_open_trial(berth, past, class);
	uint64_t touches = mean.touches * mean.weight / PREDICT_WEIGHT;
	past->trial_expected = (uint16_t)MIN(touches, UINT16_MAX);
}

void berth_expect(struct berth *berth, const struct unit *unit, uint16_t class)
{
	uint32_t told = berth_told_of(berth, unit);
	for (uint32_t i = 0; i < unit->nr_pages; i += unit->step) {
		uint32_t id = berth_member(berth, unit, i);
		if (id != FOLIO_NONE)
			expect_page(berth, id, class, told);
	}
}
