/* SPDX-License-Identifier: MIT */
/*
 * What a tiering library knows of memory in HeMem's manner: blocks of one size with counts of
 * sampled reads and writes, in one of four lists. hemem and colloid share it.
 *
 *              hot                cold
 *     fast  [head ..... tail]  [head ..... tail]    a block in a plan is in none
 *     slow  [head ..... tail]  [head ..... tail]    until the mover has answered
 *
 * - A block is hot at `hot_reads` sampled reads or `hot_writes` sampled writes. Hot blocks that are
 *   written go to the head of their list, others to the tail: slow memory writes worst.
 * - When any block's count reaches `cool`, the clock turns and every count is halved; lazily, when
 *   the block is next looked at.
 * - A block whose place nobody told counts as fast while fast memory had room at its birth.
 *
 * Cost: O(1) per sample, 24 bytes per block beside the folio table's 28: for blocks of 2 MiB 26 KiB
 * per GiB.
 */
#ifndef BERTH_POLICY_MEMORY_BLOCKS_H
#define BERTH_POLICY_MEMORY_BLOCKS_H

#include "mem/folio.h"
#include "mem/idlist.h"
#include "policy/memory/room.h"

enum blocks_list { BLOCKS_FAST_HOT, BLOCKS_FAST_COLD, BLOCKS_SLOW_HOT, BLOCKS_SLOW_COLD };
#define BLOCKS_NR_LISTS 4
#define BLOCKS_NO_LIST	UINT8_MAX

struct block {
	uint32_t clock;	   /* the counts are as of this turn */
	uint32_t nr_pages; /* seen to be there, at most 2^order */
	uint16_t reads, writes;
	uint8_t list;
	bool is_born_slow; /* a guess, until a sample or a move tells */
};

struct blocks_config {
	const struct machine *machine;
	unsigned order; /* pages of a block, log2 */
	uint64_t hot_reads, hot_writes, cool;
};

struct blocks {
	struct blocks_config config;
	struct folio_table *table;
	struct block *blocks; /* [folio id] */
	struct idlist_link *links;
	uint32_t max;
	struct idlist lists[BLOCKS_NR_LISTS];
	uint32_t clock;
	uint64_t total;	 /* of all counts, halved as they are */
	uint64_t births; /* pages that fast memory will still take */
	bool has_seen_room;
};

/* log2 of the pages of a block of so many bytes; -EINVAL with a sentence when that is no power of
 * two of pages. */
int blocks_order(const char *policy, uint64_t block_bytes, uint32_t page_bytes, unsigned *ret,
		 struct printbuf *err);
int blocks_init(struct blocks *blocks, const struct blocks_config *config);
void blocks_fini(struct blocks *blocks);
/* At each decide: how much fast memory there is for what will be born. */
void blocks_see_room(struct blocks *blocks, const struct room *room);
/* Pages come to be: known from now on, wherever the kernel puts them. */
void blocks_born(struct blocks *blocks, uint32_t space, uint64_t page, uint64_t nr_pages);
/* Hardware samples; others are passed over. */
void blocks_observe(struct blocks *blocks, const struct sample_batch *batch);
void blocks_completed(struct blocks *blocks, const struct move_result *results, uint32_t nr);

/* Halves what is due and puts the block into the list where it belongs now. */
void blocks_refresh(struct blocks *blocks, uint32_t id);
/* Looks at up to `nr` hot blocks of fast memory: those that cooled become cold. */
void blocks_cool_some(struct blocks *blocks, uint32_t nr);
/* Plans to move the block, which leaves its list. 0, or -ENOSPC when the plan is full. */
int blocks_plan(struct blocks *blocks, uint32_t id, uint32_t to, const char *why,
		struct plan *plan);
/* Pages of the adjacent known blocks around this one, itself included; counts to `most` only. */
uint64_t blocks_extent_pages(const struct blocks *blocks, uint32_t id, uint64_t most);
static inline uint64_t blocks_pages(const struct blocks *blocks)
{
	return UINT64_C(1) << blocks->config.order;
}
uint64_t blocks_bytes(const struct blocks *blocks);
bool blocks_are_valid(const struct blocks *blocks); /* walks everything */

/* HeMem's turn, bounded by budget and room: hot blocks of slow memory to fast, and for room cold
 * ones back, first come first. */
struct blocks_turn {
	const struct room *room;
	uint64_t left;	     /* pages that may still be moved */
	uint64_t free_pages; /* of room->fast, as planned so far */
	uint64_t slow_free_pages;
	uint64_t small_pages; /* extents below this are not demoted */
	uint32_t tries;	      /* blocks that may still be looked at */
};
void blocks_turn_init(struct blocks_turn *turn, const struct room *room,
		      const struct policy_view *view, uint64_t small_pages);
/* Plans one hot block to fast memory, with the demotions that it needs. False: no more now. */
bool blocks_promote_one(struct blocks *blocks, struct blocks_turn *turn, uint32_t id,
			struct plan *plan);
/* Plans one hot block to slow memory, where there is room for it. */
bool blocks_push_out(struct blocks *blocks, struct blocks_turn *turn, uint32_t id,
		     struct plan *plan);

#endif
