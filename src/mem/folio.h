/* SPDX-License-Identifier: MIT */
/*
 * The folio table: what a policy remembers about memory, one small record per folio.
 *
 *     buckets (u32)           chunks of 4096 records, 24 bytes each
 *     +----+                  +-------------------------------------------+
 *     |  ------------------>  | page+order+bits | space | next | seen | .. |
 *     |  0 |                  |                         |                  |
 *     |  --------+            +------------------------ v -----------------+
 *     +----+     +--------->  | ...                   next in the bucket   |
 *
 * Why chained buckets and not open addressing: records never move, so a number (folio id) names one
 * for its whole life, and the table needs no empty records: 24 bytes + 2 to 4 of buckets per folio
 * and no doubling of the records. The design promises at most 32 bytes per tracked page
 * (bench/bench_sim prints it).
 *
 * A folio of order n is 2^n pages, aligned to 2^n, named by its first page. Folios of one space
 * never overlap: that is the caller's duty (folio_add refuses the same first page twice).
 *
 * Cost: find, add and del are O(1) on average; ids of deleted folios are used again.
 */
#ifndef BERTH_MEM_FOLIO_H
#define BERTH_MEM_FOLIO_H

#include "base/types.h"

#define FOLIO_NONE	UINT32_MAX
#define FOLIO_ORDER_MAX 40 /* 63 marks a free record */
#define FOLIO_PAGE_MAX	(((uint64_t)1 << 52) - 1)
#define FOLIO_NODE_NONE UINT16_MAX
#define FOLIO_HEAT_MAX	UINT16_MAX

enum folio_bits { FOLIO_MOVING = 1 << 0, FOLIO_WRITTEN = 1 << 1, FOLIO_MARK = 1 << 2 };

struct folio {
	uint64_t page : 52; /* first page */
	uint64_t order : 6;
	uint64_t bits : 6; /* enum folio_bits; the policy's own beyond those */
	uint32_t space;
	uint32_t next; /* in its bucket or in the list of free records; the table's own */
	uint32_t seen; /* the policy's own clock (ticks) at its last hit */
	uint16_t heat; /* see folio_warm and folio_heat_at */
	uint16_t node; /* node index, FOLIO_NODE_NONE when not known */
};

#define FOLIO_CHUNK_SHIFT 12
#define FOLIO_FREE	  63 /* an order no folio can have: marks records on the free list */

struct folio_table { /* its own; here so that a record is found without a call */
	struct folio **chunks;
	uint32_t *buckets;
	uint32_t nr_chunks, max_chunks;
	uint32_t nr_buckets; /* a power of two */
	uint32_t id_end;
	uint32_t free_list;
	uint32_t nr;
};

int folio_table_new(struct folio_table **ret);
struct folio_table *folio_table_free(struct folio_table *table); /* NULL allowed; returns NULL */
uint32_t folio_find(const struct folio_table *table, uint32_t space, uint64_t page, unsigned order);
/* 0; -EEXIST when it is there; -EINVAL for a page or order out of range or not aligned; -ENOMEM. */
int folio_add(struct folio_table *table, uint32_t space, uint64_t page, unsigned order,
	      uint32_t *ret_id);
/* The same of one that folio_find() has just not found. */
int folio_add_new(struct folio_table *table, uint32_t space, uint64_t page, unsigned order,
		  uint32_t *ret_id);
void folio_del(struct folio_table *table, uint32_t id);
static inline struct folio *folio_get(const struct folio_table *table, uint32_t id)
{
	return &table->chunks[id >> FOLIO_CHUNK_SHIFT][id & ((1u << FOLIO_CHUNK_SHIFT) - 1)];
}
/* Ids in use are below this; some below it may be free (folio_is_used). */
static inline uint32_t folio_id_end(const struct folio_table *table)
{
	return table->id_end;
}
static inline bool folio_is_used(const struct folio_table *table, uint32_t id)
{
	return id < table->id_end && folio_get(table, id)->order != FOLIO_FREE;
}
uint64_t folio_nr(const struct folio_table *table);
uint64_t folio_table_bytes(const struct folio_table *table);
bool folio_table_is_valid(const struct folio_table *table); /* walks everything */

/*
 * Heat: hits with exponential decay, halved once per `half_life` ticks, in 1/16 of a hit. It decays
 * when read, so idle folios cost nothing.
 */
#define FOLIO_HEAT_HIT 16
uint16_t folio_heat_at(const struct folio *folio, uint32_t now, uint32_t half_life);
/* One more hit at `now`: decays, adds, sets `seen`. Saturates. */
void folio_warm(struct folio *folio, uint32_t now, uint32_t half_life);

#endif
