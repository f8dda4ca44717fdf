/* SPDX-License-Identifier: MIT */
/*
 * Blocks with sampled counts; blocks.h has the picture.
 *
 * Follows HeMem (SOSP'21): its lists per tier, its counts and its lazy cooling, as far as the
 * constants in a public fork (cuhk-mass/hemem, src/pebs.h) and the abstract tell. My reading, since
 * the paper's text was not at hand: first come first among cold blocks, writes to the head of the
 * hot list, and one clock for all blocks that turns when any count is full.
 */
#include "policy/memory/blocks.h"

#include <stdlib.h>

#include "base/error.h"

#define TRIES_MAX 4096 /* blocks looked at in one turn */

int blocks_order(const char *policy, uint64_t block_bytes, uint32_t page_bytes, unsigned *ret,
		 struct printbuf *err)
{
	uint64_t pages = block_bytes / page_bytes;
	if (pages == 0 || pages & (pages - 1) || block_bytes % page_bytes)
		return error_set(err, -EINVAL,
				 "%s: block=%llu is not a power of two of pages of %u bytes; "
				 "write a size such as 2MiB",
				 policy, (unsigned long long)block_bytes, page_bytes);
	*ret = (unsigned)__builtin_ctzll(pages);
	return 0;
}

int blocks_init(struct blocks *blocks, const struct blocks_config *config)
{
	*blocks = (struct blocks){ .config = *config };
	for (unsigned i = 0; i < BLOCKS_NR_LISTS; i++)
		blocks->lists[i] = IDLIST_EMPTY;
	return folio_table_new(&blocks->table);
}

void blocks_fini(struct blocks *blocks)
{
	folio_table_free(blocks->table);
	free(blocks->blocks);
	free(blocks->links);
}

static int grow(struct blocks *blocks, uint32_t nr)
{
	uint32_t max = MAX(blocks->max, 256);
	while (max < nr && max <= UINT32_MAX / 2)
		max *= 2;
	if (nr <= blocks->max)
		return 0;
	if (max < nr)
		return -ENOMEM;
	struct block *grown = realloc(blocks->blocks, max * sizeof(*grown));
	blocks->blocks = grown ? grown : blocks->blocks;
	struct idlist_link *links = realloc(blocks->links, max * sizeof(*links));
	blocks->links = links ? links : blocks->links;
	if (!grown || !links)
		return -ENOMEM;
	blocks->max = max;
	return 0;
}

static void unlist(struct blocks *blocks, uint32_t id)
{
	struct block *block = &blocks->blocks[id];
	if (block->list != BLOCKS_NO_LIST)
		idlist_del(&blocks->lists[block->list], blocks->links, id);
	block->list = BLOCKS_NO_LIST;
}

/* FOLIO_NONE when it cannot be known: out of memory or out of range. */
static uint32_t find_or_add(struct blocks *blocks, uint32_t space, uint64_t page)
{
	uint64_t first = page & ~(blocks_pages(blocks) - 1);
	uint32_t id = folio_find(blocks->table, space, first, blocks->config.order);
	if (id != FOLIO_NONE)
		return id;
	if (folio_add(blocks->table, space, first, blocks->config.order, &id))
		return FOLIO_NONE;
	if (grow(blocks, id + 1)) {
		folio_del(blocks->table, id);
		return FOLIO_NONE;
	}
	folio_get(blocks->table, id)->node = FOLIO_NODE_NONE;
	blocks->blocks[id] = (struct block){ .clock = blocks->clock, .list = BLOCKS_NO_LIST };
	return id;
}

static void forget(struct blocks *blocks, uint32_t id)
{
	unlist(blocks, id);
	folio_del(blocks->table, id);
}

static void halve(struct blocks *blocks, struct block *block)
{
	uint32_t turns = MIN(blocks->clock - block->clock, 15);
	block->reads >>= turns;
	block->writes >>= turns;
	block->clock = blocks->clock;
}

static bool is_hot(const struct blocks *blocks, const struct block *block)
{
	return block->reads >= blocks->config.hot_reads ||
	       block->writes >= blocks->config.hot_writes;
}

static uint8_t list_of(const struct blocks *blocks, uint32_t id)
{
	uint32_t node = folio_get(blocks->table, id)->node;
	bool is_slow = node == FOLIO_NODE_NONE ? blocks->blocks[id].is_born_slow
					       : !room_is_fast(blocks->config.machine, node);
	bool hot = is_hot(blocks, &blocks->blocks[id]);
	if (is_slow)
		return hot ? BLOCKS_SLOW_HOT : BLOCKS_SLOW_COLD;
	return hot ? BLOCKS_FAST_HOT : BLOCKS_FAST_COLD;
}

void blocks_refresh(struct blocks *blocks, uint32_t id)
{
	struct block *block = &blocks->blocks[id];
	halve(blocks, block);
	if (folio_get(blocks->table, id)->bits & FOLIO_MOVING)
		return;
	uint8_t list = list_of(blocks, id);
	if (list == block->list)
		return;
	unlist(blocks, id);
	if (block->writes >= blocks->config.hot_writes)
		idlist_add_head(&blocks->lists[list], blocks->links, id);
	else
		idlist_add_tail(&blocks->lists[list], blocks->links, id);
	block->list = list;
}

void blocks_see_room(struct blocks *blocks, const struct room *room)
{
	blocks->has_seen_room = true;
	blocks->births = room->births;
}

void blocks_born(struct blocks *blocks, uint32_t space, uint64_t page, uint64_t nr_pages)
{
	uint64_t size = blocks_pages(blocks);
	for (uint64_t done = 0; done < nr_pages;) {
		uint64_t nr = MIN(nr_pages - done, size - ((page + done) & (size - 1)));
		uint32_t id = find_or_add(blocks, space, page + done);
		if (id == FOLIO_NONE)
			return;
		struct block *block = &blocks->blocks[id];
		if (block->nr_pages == 0)
			block->is_born_slow = blocks->has_seen_room && blocks->births < nr;
		blocks->births -= MIN(blocks->births, nr);
		block->nr_pages = (uint32_t)MIN(block->nr_pages + nr, size);
		blocks_refresh(blocks, id);
		done += nr;
	}
}

static void count(struct blocks *blocks, const struct sample *sample)
{
	uint32_t id = find_or_add(blocks, sample->space, sample->page);
	if (id == FOLIO_NONE)
		return;
	struct block *block = &blocks->blocks[id];
	halve(blocks, block);
	uint16_t *counter = sample->access == SAMPLE_WRITE ? &block->writes : &block->reads;
	*counter += *counter < UINT16_MAX;
	block->nr_pages = MAX(block->nr_pages, 1);
	blocks->total++;
	if (sample->node != SAMPLE_NONE)
		folio_get(blocks->table, id)->node = (uint16_t)sample->node;
	blocks_refresh(blocks, id);
	if (*counter >= blocks->config.cool) {
		blocks->clock++;
		blocks->total /= 2;
	}
}

void blocks_observe(struct blocks *blocks, const struct sample_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++)
		if (batch->samples[i].kind == SAMPLE_HARDWARE)
			count(blocks, &batch->samples[i]);
}

/* A part of a block, or all of it. Its pages may fare differently; the last part tells where the
 * block is taken to be, and slow memory gets the next chance. */
static void learn(struct blocks *blocks, const struct move_result *result, uint64_t first,
		  uint64_t nr)
{
	uint64_t start = first & ~(blocks_pages(blocks) - 1);
	uint32_t id = folio_find(blocks->table, result->space, start, blocks->config.order);
	if (id == FOLIO_NONE)
		return;
	struct folio *folio = folio_get(blocks->table, id);
	if (result->outcome == MOVE_REFUSED_GONE && nr == blocks_pages(blocks)) {
		forget(blocks, id);
		return;
	}
	folio->bits &= ~(unsigned)FOLIO_MOVING & 63u;
	if (result->outcome != MOVE_REFUSED_GONE && result->node != PLAN_NODE_ANY)
		folio->node = (uint16_t)result->node;
	blocks_refresh(blocks, id);
}

void blocks_completed(struct blocks *blocks, const struct move_result *results, uint32_t nr)
{
	uint64_t size = blocks_pages(blocks);
	for (uint32_t i = 0; i < nr; i++) {
		for (uint64_t done = 0; done < results[i].nr_pages;) {
			uint64_t page = results[i].page + done;
			uint64_t part = MIN(results[i].nr_pages - done, size - (page & (size - 1)));
			learn(blocks, &results[i], page, part);
			done += part;
		}
	}
}

void blocks_cool_some(struct blocks *blocks, uint32_t nr)
{
	struct idlist *hot = &blocks->lists[BLOCKS_FAST_HOT];
	for (uint32_t id = hot->first; nr > 0 && id != IDLIST_END; nr--, id = hot->first) {
		uint32_t last = hot->last;
		blocks_refresh(blocks, id);
		if (blocks->blocks[id].list == BLOCKS_FAST_HOT) { /* next time the others */
			idlist_del(hot, blocks->links, id);
			idlist_add_tail(hot, blocks->links, id);
		}
		if (id == last)
			return;
	}
}

int blocks_plan(struct blocks *blocks, uint32_t id, uint32_t to, const char *why, struct plan *plan)
{
	struct folio *folio = folio_get(blocks->table, id);
	struct plan_move move = {
		.page = folio->page,
		.nr_pages = blocks_pages(blocks),
		.space = folio->space,
		.from = folio->node == FOLIO_NODE_NONE ? PLAN_NODE_ANY : folio->node,
		.to = to,
		.why = why,
		.order = (uint8_t)blocks->config.order,
	};
	int error = plan_add(plan, &move);
	if (error)
		return error;
	unlist(blocks, id);
	folio->bits |= FOLIO_MOVING;
	return 0;
}

uint64_t blocks_extent_pages(const struct blocks *blocks, uint32_t id, uint64_t most)
{
	uint64_t size = blocks_pages(blocks), extent = size;
	const struct folio *folio = folio_get(blocks->table, id);
	uint64_t page = folio->page;
	while (extent < most && page >= size &&
	       folio_find(blocks->table, folio->space, page - size, blocks->config.order) !=
		       FOLIO_NONE) {
		extent += size;
		page -= size;
	}
	page = folio->page;
	while (extent < most && folio_find(blocks->table, folio->space, page + size,
					   blocks->config.order) != FOLIO_NONE) {
		extent += size;
		page += size;
	}
	return extent;
}

uint64_t blocks_bytes(const struct blocks *blocks)
{
	return folio_table_bytes(blocks->table) +
	       blocks->max * (sizeof(*blocks->blocks) + sizeof(*blocks->links));
}

void blocks_turn_init(struct blocks_turn *turn, const struct room *room,
		      const struct policy_view *view, uint64_t small_pages)
{
	*turn = (struct blocks_turn){ .room = room,
				      .left = view->budget_pages,
				      .free_pages = room->fast_free,
				      .slow_free_pages = room->slow_free,
				      .small_pages = small_pages,
				      .tries = TRIES_MAX };
}

/* Room that the block takes, as far as it is known what is there; the budget counts all of it. */
static uint64_t present_pages(const struct blocks *blocks, uint32_t id)
{
	return MAX(blocks->blocks[id].nr_pages, 1);
}

/* The cold block that came first, is on the node that wants room, and not in a small extent. */
static bool demote_one(struct blocks *blocks, struct blocks_turn *turn, struct plan *plan)
{
	struct idlist *cold = &blocks->lists[BLOCKS_FAST_COLD];
	while (turn->tries > 0 && cold->first != IDLIST_END) {
		uint32_t id = cold->first;
		turn->tries--;
		blocks_refresh(blocks, id);
		if (blocks->blocks[id].list != BLOCKS_FAST_COLD)
			continue;
		uint64_t nr_pages = present_pages(blocks, id);
		uint32_t node = folio_get(blocks->table, id)->node;
		if ((node != FOLIO_NODE_NONE && node != turn->room->fast) ||
		    blocks_extent_pages(blocks, id, turn->small_pages) < turn->small_pages) {
			idlist_del(cold, blocks->links, id);
			idlist_add_tail(cold, blocks->links, id);
			continue;
		}
		if (blocks_pages(blocks) > turn->left ||
		    blocks_plan(blocks, id, turn->room->slow, "cold: makes room", plan))
			return false;
		turn->left -= blocks_pages(blocks);
		turn->free_pages += nr_pages;
		return true;
	}
	return false;
}

bool blocks_promote_one(struct blocks *blocks, struct blocks_turn *turn, uint32_t id,
			struct plan *plan)
{
	uint64_t nr_pages = present_pages(blocks, id);
	while (turn->free_pages < nr_pages)
		if (turn->left < blocks_pages(blocks) || !demote_one(blocks, turn, plan))
			return false;
	if (turn->left < blocks_pages(blocks) ||
	    blocks_plan(blocks, id, turn->room->fast, "hot in slow memory", plan))
		return false;
	turn->left -= blocks_pages(blocks);
	turn->free_pages -= nr_pages;
	return true;
}

bool blocks_push_out(struct blocks *blocks, struct blocks_turn *turn, uint32_t id,
		     struct plan *plan)
{
	uint64_t nr_pages = present_pages(blocks, id);
	if (turn->left < blocks_pages(blocks) || turn->slow_free_pages < nr_pages ||
	    blocks_plan(blocks, id, turn->room->slow, "hot, but fast memory is slower under load",
			plan))
		return false;
	turn->left -= blocks_pages(blocks);
	turn->slow_free_pages -= nr_pages;
	return true;
}

static bool list_is_valid(const struct blocks *blocks, unsigned list, uint64_t *nr)
{
	uint32_t last = IDLIST_END, id = blocks->lists[list].first;
	for (; id != IDLIST_END && *nr <= blocks->max; id = blocks->links[id].next, ++*nr) {
		if (!folio_is_used(blocks->table, id) || blocks->links[id].prev != last ||
		    blocks->blocks[id].list != list ||
		    folio_get(blocks->table, id)->bits & FOLIO_MOVING)
			return false;
		last = id;
	}
	return blocks->lists[list].last == last;
}

bool blocks_are_valid(const struct blocks *blocks)
{
	uint64_t listed = 0, moving = 0;
	for (unsigned i = 0; i < BLOCKS_NR_LISTS; i++)
		if (!list_is_valid(blocks, i, &listed))
			return false;
	for (uint32_t id = 0; id < folio_id_end(blocks->table); id++) {
		if (!folio_is_used(blocks->table, id))
			continue;
		moving += (folio_get(blocks->table, id)->bits & FOLIO_MOVING) != 0;
		if (blocks->blocks[id].nr_pages > blocks_pages(blocks))
			return false;
	}
	return listed + moving == folio_nr(blocks->table) && folio_table_is_valid(blocks->table);
}
