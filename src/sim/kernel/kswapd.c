/* SPDX-License-Identifier: MIT */
/* kswapd; kswapd.h has the picture and the sources. */
#include "sim/kernel/kswapd.h"

#define ROUNDS_MAX 256 /* of one run, whatever the budget: a round that wins nothing costs none */

bool kswapd_is_balanced(const struct kswapd_view *view, uint32_t order)
{
	uint64_t others = ((uint64_t)1 << order) - 1;
	return view->free_pages(view->context) > view->aim_pages + others;
}

static void begin(struct kswapd *kswapd)
{
	kswapd->order = MAX(kswapd->order, kswapd->next_order);
	kswapd->next_order = 0;
	kswapd->state = KSWAPD_WORKING;
	kswapd->priority = KSWAPD_DEF_PRIORITY;
	kswapd->nr_reclaimed = 0;
	kswapd->is_in_round = false;
	kswapd->nr_runs++;
}

void kswapd_wake(struct kswapd *kswapd, const struct kswapd_view *view, uint32_t order)
{
	kswapd->next_order = MAX(kswapd->next_order, order);
	if (kswapd->state == KSWAPD_WORKING || kswapd->nr_failures >= KSWAPD_MAX_FAILURES ||
	    kswapd_is_balanced(view, order))
		return;
	kswapd->nr_low_quickly += kswapd->state == KSWAPD_NAPPING;
	begin(kswapd);
}

static uint32_t bits(uint64_t value)
{
	return value ? 64 - (uint32_t)__builtin_clzll(value) : 0;
}

/* (total >> priority) x inactive / total = what is wanted. */
static void choose_priority(struct kswapd *kswapd, const struct kswapd_view *view, uint64_t wanted)
{
	if (kswapd->priority != KSWAPD_DEF_PRIORITY || wanted < 64 || !view->inactive_pages)
		return;
	int64_t priority = (int64_t)bits(view->inactive_pages(view->context)) - 1 -
			   (int64_t)bits(wanted - 1);
	kswapd->priority = (uint32_t)MIN(MAX(priority, KSWAPD_DEF_PRIORITY / 2),
					 KSWAPD_DEF_PRIORITY);
}

static bool has_time(const struct kswapd_view *view)
{
	return !view->has_time || view->has_time(view->context);
}

static bool was_cut(const struct kswapd_view *view)
{
	return view->was_cut ? view->was_cut(view->context) : !has_time(view);
}

/* One turn of balance_pgdat's loop, or as much of it as time allows. */
static void round_of(struct kswapd *kswapd, const struct kswapd_view *view)
{
	uint64_t wanted = MAX(view->marks.high - MIN(view->reserve_pages, view->marks.high),
			      KSWAPD_CLUSTER);
	uint64_t before = kswapd->is_in_round ? kswapd->round_reclaimed : 0;
	if (!kswapd->is_in_round) {
		choose_priority(kswapd, view, wanted);
		kswapd->round_scanned = kswapd->round_reclaimed = 0;
	}
	view->shrink(view->context, kswapd->priority, wanted - before, &kswapd->round_scanned,
		     &kswapd->round_reclaimed);
	kswapd->nr_reclaimed += kswapd->round_reclaimed - before;
	if (kswapd->round_reclaimed > before)
		kswapd->nr_failures = 0;
	if (kswapd->nr_reclaimed >= (uint64_t)2 << kswapd->order)
		kswapd->order = 0;
	kswapd->is_in_round = was_cut(view) && kswapd->round_reclaimed < wanted;
	if (!kswapd->is_in_round && (MAX(kswapd->round_scanned, kswapd->round_reclaimed) < wanted ||
				     kswapd->round_reclaimed == 0))
		kswapd->priority--;
}

static void nap(struct kswapd *kswapd, uint64_t now_ms)
{
	kswapd->state = KSWAPD_NAPPING;
	kswapd->nap_until_ms = now_ms + KSWAPD_NAP_MS;
}

/* Of this balance. The next follows when the node is not balanced even without a boost, which ends
 * with this one. */
static void give_up(struct kswapd *kswapd, uint64_t now_ms)
{
	bool is_hopeless = kswapd->nr_failures >= KSWAPD_MAX_FAILURES;
	kswapd->state = is_hopeless ? KSWAPD_ASLEEP : KSWAPD_NAPPING;
	kswapd->nap_until_ms = now_ms;
	kswapd->order = 0;
}

static void end_of_nap(struct kswapd *kswapd, const struct kswapd_view *view)
{
	if (kswapd_is_balanced(view, kswapd->order)) {
		kswapd->state = KSWAPD_ASLEEP;
		kswapd->order = 0;
		return;
	}
	kswapd->nr_high_quickly++;
	begin(kswapd);
}

uint64_t kswapd_run(struct kswapd *kswapd, const struct kswapd_view *view, uint64_t now_ms)
{
	uint64_t total = 0;
	if (kswapd->state == KSWAPD_NAPPING && now_ms >= kswapd->nap_until_ms)
		end_of_nap(kswapd, view);
	for (unsigned i = 0; i < ROUNDS_MAX && kswapd->state == KSWAPD_WORKING; i++) {
		if (!has_time(view))
			break;
		if (!kswapd->is_in_round && kswapd_is_balanced(view, kswapd->order)) {
			nap(kswapd, now_ms);
			break;
		}
		uint64_t before = kswapd->nr_reclaimed;
		round_of(kswapd, view);
		total += kswapd->nr_reclaimed - before;
		if (kswapd->priority >= 1)
			continue;
		kswapd->nr_failures += kswapd->nr_reclaimed == 0;
		give_up(kswapd, now_ms);
	}
	return total;
}
