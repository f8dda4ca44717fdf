/* SPDX-License-Identifier: MIT */
/* What is asked of the kernel beside moving (advice.h). */
#include "linux/advice.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/engine.h"
#include "linux/pagemap.h"

#define REST_NS	     NS_PER_S	       /* of a block, before it is collapsed */
#define FIND_NS	     (250 * NS_PER_MS) /* between two looks at the table */
#define TRIES_MAX    16		       /* looks at a block */
#define RECLAIM_NS   (250 * NS_PER_MS)
#define RESULTS	     256
#define PROBES	     8 /* neighbours in the table that are tried */
#define NEEDS_BLOCKS ADVICE_BIT(PLAN_COLLAPSE)

const char *const advice_names[] = { "move", "cold", "pageout", "collapse", "reclaim", NULL };

int advice_parse(const char *names, uint32_t *ret_kinds, struct printbuf *err)
{
	uint32_t kinds = 0;
	for (const char *at = names; at && *at;) {
		size_t length = strcspn(at, ",");
		uint32_t kind = PLAN_COLD;
		while (kind < PLAN_NR_KINDS && (strlen(advice_names[kind]) != length ||
						strncmp(advice_names[kind], at, length) != 0))
			kind++;
		if (kind == PLAN_NR_KINDS)
			return error_set(err, -EINVAL,
					 "%.*s: no such advice; there are cold, pageout, collapse, "
					 "reclaim",
					 (int)MIN(length, 64), at);
		kinds |= ADVICE_BIT(kind);
		at += length + (at[length] == ',');
	}
	*ret_kinds = kinds;
	return 0;
}

static int open_advisers(struct advice *advice, struct printbuf *err)
{
	bool wants_reclaim = advice->figures.kinds & ADVICE_BIT(PLAN_RECLAIM);
	bool wants_madvise = advice->figures.kinds & ~ADVICE_BIT(PLAN_RECLAIM);
	int error = 0;
	if (wants_madvise)
		error = live_mover_madvise.ops->probe(advice->live, err);
	if (!error && wants_madvise)
		error = live_mover_madvise.new(advice->live, &advice->madvise, err);
	if (!error && wants_reclaim)
		error = live_mover_reclaim.ops->probe(advice->live, err);
	if (!error && wants_reclaim)
		error = live_mover_reclaim.new(advice->live, &advice->reclaim, err);
	return error;
}

int advice_new(struct live *live, uint32_t kinds, struct advice **ret, struct printbuf *err)
{
	*ret = NULL;
	if (!kinds)
		return 0;
	struct advice *advice = calloc(1, sizeof(*advice));
	if (!advice)
		return error_set(err, -ENOMEM, "advice: out of memory");
	advice->live = live;
	advice->figures.kinds = kinds;
	advice->queue = calloc(ADVICE_QUEUE_MAX, sizeof(*advice->queue));
	advice->full_ns = calloc(MAX(live->machine->nr_nodes, 1), sizeof(*advice->full_ns));
	if (kinds & NEEDS_BLOCKS)
		advice->blocks = calloc(ADVICE_BLOCKS_MAX, sizeof(*advice->blocks));
	int error = advice->queue && advice->full_ns && (advice->blocks || !(kinds & NEEDS_BLOCKS))
			    ? open_advisers(advice, err)
			    : error_set(err, -ENOMEM, "advice: out of memory");
	if (error) {
		advice_free(advice);
		return error;
	}
	*ret = advice;
	return 0;
}

void advice_free(struct advice *advice)
{
	if (!advice)
		return;
	live_mover_madvise.free(advice->madvise);
	live_mover_reclaim.free(advice->reclaim);
	free(advice->queue);
	free(advice->blocks);
	free(advice->full_ns);
	free(advice);
}

static void push(struct advice *advice, const struct plan_move *move)
{
	if (advice->nr == ADVICE_QUEUE_MAX) {
		advice->figures.nr_dropped += move->nr_pages;
		return;
	}
	advice->queue[(advice->first + advice->nr++) % ADVICE_QUEUE_MAX] = *move;
}

static void ask_for(struct advice *advice, enum plan_kind kind, const struct move_result *result,
		    uint32_t node)
{
	if (!(advice->figures.kinds & ADVICE_BIT(kind)))
		return;
	push(advice, &(struct plan_move){ .page = result->page,
					  .nr_pages = result->nr_pages,
					  .space = result->space,
					  .from = node,
					  .to = node,
					  .why = advice_names[kind],
					  .kind = (uint8_t)kind });
}

/* Its own place, an unused one near it, or that of the one that rested longest there. */
static struct advice_block *block_for(struct advice *advice, uint32_t space, uint64_t number)
{
	uint64_t hash = (number * 0x9e3779b97f4a7c15u) ^ (space * UINT64_C(0xff51afd7ed558ccd));
	struct advice_block *oldest = NULL;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct advice_block *block =
			&advice->blocks[((hash >> 40) + i) % ADVICE_BLOCKS_MAX];
		if (block->is_used && block->space == space && block->number == number)
			return block;
		if (!oldest || (oldest->is_used &&
				(!block->is_used || block->changed_ns < oldest->changed_ns)))
			oldest = block;
	}
	*oldest = (struct advice_block){ .number = number, .space = space, .is_used = true };
	return oldest;
}

static void count_promoted(struct advice *advice, const struct move_result *result, uint64_t now_ns)
{
	uint64_t page = result->page, end = result->page + result->nr_pages;
	while (page < end) {
		uint64_t number = page / ADVICE_BLOCK_PAGES;
		uint64_t nr = MIN(end, (number + 1) * ADVICE_BLOCK_PAGES) - page;
		struct advice_block *block = block_for(advice, result->space, number);
		if (block->nr_promoted < ADVICE_WORTH)
			block->changed_ns = now_ns;
		block->nr_promoted = (uint16_t)MIN(block->nr_promoted + nr, ADVICE_BLOCK_PAGES);
		page += nr;
	}
}

static void note_full(struct advice *advice, const struct move_result *result, uint64_t now_ns)
{
	if (result->to >= advice->live->machine->nr_nodes)
		return;
	if (advice->figures.kinds & ADVICE_BIT(PLAN_RECLAIM) &&
	    now_ns >= advice->full_ns[result->to]) {
		struct move_result room = *result;
		room.nr_pages = ADVICE_RECLAIM_BYTES / advice->live->machine->page_bytes;
		advice->full_ns[result->to] = now_ns + RECLAIM_NS;
		ask_for(advice, PLAN_RECLAIM, &room, result->to);
	}
	if (engine_is_promotion(advice->live->machine, result->to, result->from))
		ask_for(advice, PLAN_PAGEOUT, result, result->from);
}

void advice_note(struct advice *advice, const struct move_result *results, uint32_t nr,
		 uint64_t now_ns)
{
	const struct machine *machine = advice->live->machine;
	for (uint32_t i = 0; i < nr; i++) {
		const struct move_result *result = &results[i];
		if (result->outcome == MOVE_REFUSED_FULL)
			note_full(advice, result, now_ns);
		if (result->outcome != MOVE_DONE)
			continue;
		if (engine_is_promotion(machine, result->to, result->from))
			ask_for(advice, PLAN_COLD, result, result->to);
		else if (advice->blocks && engine_is_promotion(machine, result->from, result->to))
			count_promoted(advice, result, now_ns);
	}
}

bool advice_is_collapsible(const struct machine *machine, struct frames *frames,
			   const uint64_t *entries)
{
	uint64_t first = pagemap_frame(entries[0]);
	bool is_huge = first % ADVICE_BLOCK_PAGES == 0;
	uint32_t nr_fast = 0;
	for (uint32_t i = 0; i < ADVICE_BLOCK_PAGES; i++) {
		uint64_t frame = pagemap_frame(entries[i]);
		uint32_t node = frame ? frames_node(frames, frame) : FRAMES_NO_NODE;
		if (node == FRAMES_NO_NODE)
			return false; /* it would become larger */
		nr_fast += machine->nodes[node].tier == 0;
		is_huge &= frame == first + i;
	}
	return !is_huge && nr_fast >= ADVICE_FAST;
}

static bool is_worth_collapsing(struct advice *advice, const struct advice_block *block)
{
	struct pagemap pagemap = PAGEMAP_NONE;
	bool is_worth = pagemap_open(&pagemap, advice->live, block->space) &&
			pagemap_read(&pagemap, block->number * ADVICE_BLOCK_PAGES,
				     ADVICE_BLOCK_PAGES) == ADVICE_BLOCK_PAGES &&
			advice_is_collapsible(advice->live->machine, &advice->live->frames,
					      pagemap.entries);
	pagemap_close(&pagemap);
	return is_worth;
}

/* Blocks whose half was promoted a second ago; of these the first few. What is not yet on the fast
 * tier is looked at again after another second. */
static void find_collapses(struct advice *advice, uint64_t now_ns)
{
	uint32_t nr = 0;
	if (now_ns < advice->found_ns)
		return;
	advice->found_ns = now_ns + FIND_NS;
	for (uint32_t i = 0; i < ADVICE_BLOCKS_MAX && nr < ADVICE_COLLAPSES; i++) {
		struct advice_block *block = &advice->blocks[i];
		struct move_result whole = { .page = block->number * ADVICE_BLOCK_PAGES,
					     .nr_pages = ADVICE_BLOCK_PAGES,
					     .space = block->space };
		if (!block->is_used || block->nr_promoted < ADVICE_WORTH ||
		    now_ns - block->changed_ns < REST_NS)
			continue;
		bool is_worth = is_worth_collapsing(advice, block);
		nr++;
		block->changed_ns = now_ns;
		block->is_used = !is_worth && ++block->nr_tries < TRIES_MAX;
		if (is_worth)
			ask_for(advice, PLAN_COLLAPSE, &whole, PLAN_NODE_ANY);
	}
}

/* One at a time: what became of it is known at once. */
static void ask_now(struct advice *advice, const struct plan_move *move, uint64_t now_ns)
{
	bool is_reclaim = move->kind == PLAN_RECLAIM;
	const struct mover_ops *ops = is_reclaim ? live_mover_reclaim.ops : live_mover_madvise.ops;
	void *mover = is_reclaim ? advice->reclaim : advice->madvise;
	struct advice_counts *counts = &advice->figures.counts[move->kind];
	struct move_result result;
	if (ops->submit(mover, move, 1, now_ns) < 1)
		return;
	counts->nr_asked += move->nr_pages;
	while (ops->complete(mover, &result, 1, now_ns) == 1)
		counts->nr_done += result.outcome == MOVE_DONE ? result.nr_pages : 0;
}

void advice_turn(struct advice *advice, uint64_t now_ns)
{
	uint64_t begin_ns = clock_thread_cpu_ns();
	if (advice->blocks)
		find_collapses(advice, now_ns);
	for (uint32_t i = 0; i < ADVICE_A_TURN && advice->nr > 0; i++) {
		struct plan_move move = advice->queue[advice->first];
		advice->first = (advice->first + 1) % ADVICE_QUEUE_MAX;
		advice->nr--;
		ask_now(advice, &move, now_ns);
	}
	advice->figures.took_ns += clock_thread_cpu_ns() - begin_ns;
}

void advice_to_text(struct printbuf *out, const struct advice_figures *figures)
{
	const char *between = "advised: ";
	if (!figures->kinds)
		return;
	for (uint32_t kind = PLAN_COLD; kind < PLAN_NR_KINDS; kind++) {
		if (!(figures->kinds & ADVICE_BIT(kind)))
			continue;
		prt_printf(out, "%s%s %llu of %llu pages", between, advice_names[kind],
			   (unsigned long long)figures->counts[kind].nr_done,
			   (unsigned long long)figures->counts[kind].nr_asked);
		between = ", ";
	}
	prt_str(out, "; it took ");
	prt_ns(out, figures->took_ns);
	prt_char(out, '\n');
}

void advice_to_json(struct json_writer *json, const char *key, const struct advice_figures *figures)
{
	if (!figures->kinds)
		return;
	json_object_begin(json, key);
	for (uint32_t kind = PLAN_COLD; kind < PLAN_NR_KINDS; kind++) {
		if (!(figures->kinds & ADVICE_BIT(kind)))
			continue;
		json_object_begin(json, advice_names[kind]);
		json_u64(json, "asked_pages", figures->counts[kind].nr_asked);
		json_u64(json, "done_pages", figures->counts[kind].nr_done);
		json_object_end(json);
	}
	json_u64(json, "took_ns", figures->took_ns);
	json_u64(json, "dropped_pages", figures->nr_dropped);
	json_object_end(json);
}
