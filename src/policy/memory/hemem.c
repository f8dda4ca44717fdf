/* SPDX-License-Identifier: MIT */
/*
 * hemem: HeMem's placement (Raybuck et al., SOSP'21), on hardware samples.
 *
 *     sampled loads and stores --> counts per 2 MiB block --> hot and cold lists per tier
 * (blocks.h) every 10 ms:  hot in slow memory --> promoted, while there is room or a cold block to
 * demote
 *
 * Constants, of a public fork of its artifact (cuhk-mass/hemem, src/pebs.h): a block is hot at 4
 * sampled reads or 4 sampled writes; counts are halved when one reaches 10; one sample per 19997
 * loads or stores; a turn every 10 ms; blocks of 2 MiB. The paper keeps small allocations (below
 * 1 GiB of its 192 GB of DRAM) in fast memory.
 *
 * My reading:
 * - A policy does not see allocations, so a run of adjacent blocks that are in use stands for one;
 *   it is small below 1/192 of the fast tier, unless `small` says a size. Such blocks are not
 *   demoted; blocks found in slow memory are promoted only when hot.
 * - HeMem owns its memory in blocks of 2 MiB. Above a kernel that allocates 4 KiB pages a block is
 *   a range of 512 pages, some of which may be absent or on the other tier.
 * - The sampler counts misses, HeMem's counts loads that miss and all stores.
 *
 * In short recordings 19997 misses per sample are few samples: a block needs 80,000 misses to
 * become hot before counts are halved. load_period and store_period scale that.
 *
 * Cost: O(1) per sample, O(blocks moved) per turn and at most 4,096 blocks looked at; bytes: see
 * blocks.h.
 */
#include <stdlib.h>

#include "base/error.h"
#include "policy/memory/blocks.h"

#define SMALL_SHARE   192  /* 1 GiB of 192 GB */
#define COOL_PER_TURN 1024 /* hot blocks looked at for having cooled */
#define PERIOD	      19997

enum { HOT_READS, HOT_WRITES, COOL, TICK, BLOCK, SMALL, NR_TUNABLES };

static const struct tunable hemem_tunables[NR_TUNABLES] = {
	[HOT_READS] = { "hot_reads", TUNABLE_COUNT, 4, 1, 65535, "sampled reads of a hot block" },
	[HOT_WRITES] = { "hot_writes", TUNABLE_COUNT, 4, 1, 65535,
			 "sampled writes of a hot block" },
	[COOL] = { "cool", TUNABLE_COUNT, 10, 1, 65535,
		   "all counts are halved when one reaches this" },
	[TICK] = { "tick", TUNABLE_NS, 10 * NS_PER_MS, 0, NS_PER_S, "time between two turns" },
	[BLOCK] = { "block", TUNABLE_BYTES, 2 * MIB, 4096, GIB, "bytes moved as one" },
	[SMALL] = { "small", TUNABLE_BYTES, 0, 0, TUNABLE_NO_MAX,
		    "extents below this stay in fast memory; 0: 1/192 of it" },
};

struct hemem {
	struct blocks blocks;
	uint64_t values[NR_TUNABLES];
	uint64_t next_ns;
	uint32_t page_bytes;
};

static int hemem_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	struct blocks_config blocks = { .machine = config->machine,
					.hot_reads = config->values[HOT_READS],
					.hot_writes = config->values[HOT_WRITES],
					.cool = config->values[COOL] };
	int error = blocks_order("hemem", config->values[BLOCK], config->page_bytes, &blocks.order,
				 err);
	if (error)
		return error;
	struct hemem *hemem = calloc(1, sizeof(*hemem));
	if (!hemem || blocks_init(&hemem->blocks, &blocks)) {
		free(hemem);
		return error_set(err, -ENOMEM, "hemem: out of memory");
	}
	for (size_t i = 0; i < NR_TUNABLES; i++)
		hemem->values[i] = config->values[i];
	hemem->page_bytes = config->page_bytes;
	*ret_policy = hemem;
	return 0;
}

static void hemem_free(void *policy)
{
	struct hemem *hemem = policy;
	if (!hemem)
		return;
	blocks_fini(&hemem->blocks);
	free(hemem);
}

/* HeMem intercepts mmap and so knows all memory; where it goes is as the kernel would. */
static int hemem_place(void *policy, const struct place_request *request, uint32_t *ret_node)
{
	struct hemem *hemem = policy;
	(void)ret_node;
	blocks_born(&hemem->blocks, request->space, request->page, request->nr_pages);
	return -ENOENT;
}

static void hemem_observe(void *policy, const struct sample_batch *batch)
{
	blocks_observe(&((struct hemem *)policy)->blocks, batch);
}

static void hemem_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	blocks_completed(&((struct hemem *)policy)->blocks, results, nr);
}

/* The first of the list is taken until one does not fit; every turn of the loop takes one out. */
static void promote_hot(struct blocks *blocks, struct blocks_turn *turn, struct plan *plan)
{
	struct idlist *hot = &blocks->lists[BLOCKS_SLOW_HOT];
	for (; turn->tries > 0 && hot->first != IDLIST_END; turn->tries--) {
		uint32_t id = hot->first;
		blocks_refresh(blocks, id);
		if (blocks->blocks[id].list == BLOCKS_SLOW_HOT &&
		    !blocks_promote_one(blocks, turn, id, plan))
			return;
	}
}

static int hemem_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct hemem *hemem = policy;
	struct blocks *blocks = &hemem->blocks;
	struct blocks_turn turn;
	struct room room;
	if (!room_look(blocks->config.machine, view, &room))
		return 0;
	blocks_see_room(blocks, &room);
	if (view->now_ns < hemem->next_ns)
		return 0;
	hemem->next_ns = view->now_ns + hemem->values[TICK];
	uint64_t small_pages = hemem->values[SMALL] / hemem->page_bytes;
	if (hemem->values[SMALL] == 0)
		small_pages = room.fast_pages / SMALL_SHARE;
	blocks_turn_init(&turn, &room, view, small_pages);
	blocks_cool_some(blocks, COOL_PER_TURN);
	promote_hot(blocks, &turn, plan);
	return 0;
}

static uint64_t hemem_bytes(const void *policy)
{
	const struct hemem *hemem = policy;
	return sizeof(*hemem) + blocks_bytes(&hemem->blocks);
}

extern const struct policy_ops policy_hemem;
const struct policy_ops policy_hemem = {
	.name = "hemem",
	.summary = "HeMem: hot 2 MiB blocks by sampled reads and writes",
	.needs = SAMPLE_BIT(SAMPLE_HARDWARE) | SAMPLE_HAS_WRITES | SAMPLE_HAS_NODE,
	.needs_order = true,
	.hardware = { .load_period = PERIOD, .store_period = PERIOD },
	.tunables = hemem_tunables,
	.nr_tunables = NR_TUNABLES,
	.new = hemem_new,
	.place = hemem_place,
	.observe = hemem_observe,
	.completed = hemem_completed,
	.decide = hemem_decide,
	.memory_bytes = hemem_bytes,
	.free = hemem_free,
};
