/* SPDX-License-Identifier: MIT */
/*
 * Advice: what is asked of the kernel beside moving, for what moving has just done or could not do.
 * An option (`--advise`); nothing of it happens otherwise.
 *
 *     what a move came to                              asked for                       of
 *     a page was demoted                               cold                            madvise
 *     half of 2 MiB was promoted; all of it is there,  collapse, a second after        madvise
 *       in single pages, 3/4 on the fast tier
 *     a node refused a demotion as full                pageout of these pages          madvise
 *     a node refused pages as full                     reclaim of 4 MiB there, four    reclaim
 *                                                      times a second at most
 *
 *     completed moves --note--> queue of 4,096 --turn--> the advisers (movers.h), so many a turn
 *     blocks of 2 MiB: (space, block) -> pages promoted, when half of it was
 *
 * Advice that the queue has no room for is forgotten and counted: it would have been a gain, nobody
 * waits for it.
 *
 * Cost: 290 KiB, untouched until something is asked for; a turn asks for at most 256 ranges and 8
 * collapses, of which each copies 2 MiB.
 */
#ifndef BERTH_LINUX_ADVICE_H
#define BERTH_LINUX_ADVICE_H

#include "base/json.h"
#include "linux/live.h"
#include "linux/movers.h"

#define ADVICE_BIT(kind)     (1u << (kind)) /* enum plan_kind */
#define ADVICE_QUEUE_MAX     4096
#define ADVICE_BLOCKS_MAX    4096
#define ADVICE_BLOCK_PAGES   512 /* of 4 KiB: a huge page */
#define ADVICE_WORTH	     (ADVICE_BLOCK_PAGES / 2)
#define ADVICE_FAST	     (ADVICE_BLOCK_PAGES * 3 / 4)
#define ADVICE_A_TURN	     256
#define ADVICE_COLLAPSES     8 /* a turn */
#define ADVICE_RECLAIM_BYTES (4 * MIB)

struct advice_block {
	uint64_t number; /* page / 512 */
	uint64_t changed_ns;
	uint32_t space;
	uint16_t nr_promoted, nr_tries;
	bool is_used;
};

struct advice_counts { /* pages */
	uint64_t nr_asked, nr_done;
};

struct advice_figures {	     /* for the report */
	uint32_t kinds;	     /* ADVICE_BIT; 0: none was wanted */
	uint64_t nr_dropped; /* pages */
	uint64_t took_ns;    /* CPU time */
	struct advice_counts counts[PLAN_NR_KINDS];
};

struct advice {
	struct live *live;
	void *madvise, *reclaim;
	struct plan_move *queue; /* ring */
	uint32_t first, nr;
	struct advice_block *blocks; /* open addressing by number; a new one pushes the old out */
	uint64_t found_ns;	     /* when to look for blocks again */
	uint64_t *full_ns;	     /* [node]: reclaim may be asked for again from then on */
	struct advice_figures figures;
};

extern const char *const advice_names[]; /* [kind]: "cold", ...; PLAN_MOVE's is "move" */

/* "cold,collapse" into bits; NULL: none. -EINVAL: no such advice; err says which there is. */
int advice_parse(const char *names, uint32_t *ret_kinds, struct printbuf *err);
/* NULL without kinds. Probes what it needs. */
int advice_new(struct live *live, uint32_t kinds, struct advice **ret, struct printbuf *err);
void advice_free(struct advice *advice); /* NULL allowed */
/* WHEN: moves were completed. */
void advice_note(struct advice *advice, const struct move_result *results, uint32_t nr,
		 uint64_t now_ns);
/* WHEN: once a tick, after the engine's. */
void advice_turn(struct advice *advice, uint64_t now_ns);
/* May this block be collapsed, by its 512 entries of pagemap? All there, most on nodes of the fast
 * tier, and not one huge page already. */
bool advice_is_collapsible(const struct machine *machine, struct frames *frames,
			   const uint64_t *entries);
/* Nothing where none was wanted. */
void advice_to_text(struct printbuf *out, const struct advice_figures *figures);
void advice_to_json(struct json_writer *json, const char *key,
		    const struct advice_figures *figures);

#endif
