/* SPDX-License-Identifier: MIT */
/* Cutting a plan to the budgets: pure arithmetic, no state but the token bucket. */
#ifndef BERTH_ENGINE_BUDGET_H
#define BERTH_ENGINE_BUDGET_H

#include "engine/engine.h"

struct token_bucket {
	uint64_t bytes;	       /* saved up */
	uint64_t remainder_ns; /* time that did not make a whole byte yet, x rate */
	uint64_t last_ns;
	bool started;
};

/* Lets time pass: adds what the rate allows since the last call, at most one burst. */
void token_bucket_refill(struct token_bucket *bucket, const struct engine_budget *budget,
			 uint64_t now_ns);
/* How many pages may be moved now. */
uint64_t token_bucket_pages(const struct token_bucket *bucket, const struct engine_budget *budget,
			    uint32_t page_bytes);
void token_bucket_spend(struct token_bucket *bucket, const struct engine_budget *budget,
			uint64_t bytes);

/* Spent for pages that were not moved after all. */
void token_bucket_refund(struct token_bucket *bucket, const struct engine_budget *budget,
			 uint64_t bytes);

/* Cuts `plan` in place: moves are dropped or shortened, never reordered. What was dropped is told,
 * in the plan's order. Returns pages dropped. */
uint64_t budget_cut(struct plan *plan, const struct machine *machine,
		    const struct policy_view *view,
		    void (*tell_dropped)(void *context, const struct plan_move *dropped),
		    void *context);

#endif
