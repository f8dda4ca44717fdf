/* SPDX-License-Identifier: MIT */
/* The folio table; folio.h has the picture and the costs. */
#include "mem/folio.h"

#include <stdlib.h>

#define CHUNK_RECORDS (1u << FOLIO_CHUNK_SHIFT)
#define BUCKETS_MIN   256u
#define BUCKETS_MAX   (1u << 30)

#define NEAR_SHIFT 4 /* so many neighbours have buckets side by side: one line of the cache */

static uint32_t hash_folio(uint32_t space, uint64_t page, unsigned order)
{
	uint64_t number = page >> order;
	uint64_t key = (number >> NEAR_SHIFT) * 0x9e3779b97f4a7c15u + space * 0xc2b2ae3d27d4eb4fu +
		       order;
	key ^= key >> 32;
	key *= 0xd6e8feb86659fd93u;
	return (uint32_t)(key >> 32) ^ (uint32_t)(number & ((1u << NEAR_SHIFT) - 1));
}

static uint32_t *bucket_of(const struct folio_table *table, uint32_t space, uint64_t page,
			   unsigned order)
{
	return &table->buckets[hash_folio(space, page, order) & (table->nr_buckets - 1)];
}

static uint32_t *buckets_new(uint32_t nr)
{
	uint32_t *buckets = malloc(nr * sizeof(*buckets));
	for (uint32_t i = 0; buckets && i < nr; i++)
		buckets[i] = FOLIO_NONE;
	return buckets;
}

int folio_table_new(struct folio_table **ret)
{
	struct folio_table *table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->nr_buckets = BUCKETS_MIN;
	table->free_list = FOLIO_NONE;
	table->buckets = buckets_new(BUCKETS_MIN);
	if (!table->buckets) {
		free(table);
		return -ENOMEM;
	}
	*ret = table;
	return 0;
}

struct folio_table *folio_table_free(struct folio_table *table)
{
	if (!table)
		return NULL;
	for (uint32_t i = 0; i < table->nr_chunks; i++)
		free(table->chunks[i]);
	free(table->chunks);
	free(table->buckets);
	free(table);
	return NULL;
}

uint32_t folio_find(const struct folio_table *table, uint32_t space, uint64_t page, unsigned order)
{
	uint32_t id = *bucket_of(table, space, page, order);
	while (id != FOLIO_NONE) {
		const struct folio *folio = folio_get(table, id);
		if (folio->page == page && folio->space == space && folio->order == order)
			return id;
		id = folio->next;
	}
	return FOLIO_NONE;
}

static int add_chunk(struct folio_table *table)
{
	if (table->nr_chunks == table->max_chunks) {
		uint32_t max = table->max_chunks ? table->max_chunks * 2 : 16;
		struct folio **chunks = realloc(table->chunks, max * sizeof(*chunks));
		if (!chunks)
			return -ENOMEM;
		table->chunks = chunks;
		table->max_chunks = max;
	}
	struct folio *chunk = malloc(CHUNK_RECORDS * sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	table->chunks[table->nr_chunks++] = chunk;
	return 0;
}

/* Chains grow to two records on average before the buckets double; a failed allocation only makes
 * them longer. */
static void grow_buckets(struct folio_table *table)
{
	uint32_t nr = table->nr_buckets * 2;
	if (table->nr < nr || table->nr_buckets >= BUCKETS_MAX)
		return;
	uint32_t *buckets = buckets_new(nr);
	if (!buckets)
		return;
	free(table->buckets);
	table->buckets = buckets;
	table->nr_buckets = nr;
	for (uint32_t id = 0; id < table->id_end; id++) {
		struct folio *folio = folio_get(table, id);
		if (folio->order == FOLIO_FREE)
			continue;
		uint32_t *bucket = bucket_of(table, folio->space, folio->page, folio->order);
		folio->next = *bucket;
		*bucket = id;
	}
}

static int take_record(struct folio_table *table, uint32_t *ret_id)
{
	if (table->free_list != FOLIO_NONE) {
		*ret_id = table->free_list;
		table->free_list = folio_get(table, table->free_list)->next;
		return 0;
	}
	if (table->id_end == FOLIO_NONE)
		return -ENOMEM;
	if (table->id_end == table->nr_chunks << FOLIO_CHUNK_SHIFT) {
		int error = add_chunk(table);
		if (error)
			return error;
	}
	*ret_id = table->id_end++;
	return 0;
}

int folio_add(struct folio_table *table, uint32_t space, uint64_t page, unsigned order,
	      uint32_t *ret_id)
{
	if (order <= FOLIO_ORDER_MAX && folio_find(table, space, page, order) != FOLIO_NONE)
		return -EEXIST;
	return folio_add_new(table, space, page, order, ret_id);
}

int folio_add_new(struct folio_table *table, uint32_t space, uint64_t page, unsigned order,
		  uint32_t *ret_id)
{
	uint32_t id = FOLIO_NONE;
	if (order > FOLIO_ORDER_MAX || page > FOLIO_PAGE_MAX ||
	    (page & (((uint64_t)1 << order) - 1)))
		return -EINVAL;
	int error = take_record(table, &id);
	if (error)
		return error;
	uint32_t *bucket = bucket_of(table, space, page, order);
	*folio_get(table, id) = (struct folio){ .page = page,
						.order = order & 63u,
						.space = space,
						.next = *bucket,
						.node = FOLIO_NODE_NONE };
	*bucket = id;
	table->nr++;
	grow_buckets(table);
	*ret_id = id;
	return 0;
}

void folio_del(struct folio_table *table, uint32_t id)
{
	struct folio *folio = folio_get(table, id);
	uint32_t *link = bucket_of(table, folio->space, folio->page, folio->order);
	while (*link != id)
		link = &folio_get(table, *link)->next;
	*link = folio->next;
	folio->order = FOLIO_FREE;
	folio->next = table->free_list;
	table->free_list = id;
	table->nr--;
}

uint64_t folio_nr(const struct folio_table *table)
{
	return table->nr;
}

uint64_t folio_table_bytes(const struct folio_table *table)
{
	return sizeof(*table) + table->max_chunks * sizeof(*table->chunks) +
	       (uint64_t)table->nr_chunks * CHUNK_RECORDS * sizeof(struct folio) +
	       table->nr_buckets * sizeof(*table->buckets);
}

bool folio_table_is_valid(const struct folio_table *table)
{
	uint64_t nr_used = 0, nr_chained = 0, nr_free = 0;
	for (uint32_t id = 0; id < table->id_end; id++)
		nr_used += folio_get(table, id)->order != FOLIO_FREE;
	for (uint32_t i = 0; i < table->nr_buckets; i++) {
		for (uint32_t id = table->buckets[i]; id != FOLIO_NONE;
		     id = folio_get(table, id)->next) {
			const struct folio *folio = folio_get(table, id);
			if (folio->order == FOLIO_FREE || ++nr_chained > nr_used ||
			    bucket_of(table, folio->space, folio->page, folio->order) !=
				    &table->buckets[i])
				return false;
		}
	}
	for (uint32_t id = table->free_list; id != FOLIO_NONE; id = folio_get(table, id)->next)
		if (folio_get(table, id)->order != FOLIO_FREE || ++nr_free > table->id_end)
			return false;
	return nr_used == table->nr && nr_chained == nr_used && nr_free + nr_used == table->id_end;
}

uint16_t folio_heat_at(const struct folio *folio, uint32_t now, uint32_t half_life)
{
	uint32_t halvings = half_life ? (now - folio->seen) / half_life : 0;
	return halvings < 16 ? (uint16_t)(folio->heat >> halvings) : 0;
}

void folio_warm(struct folio *folio, uint32_t now, uint32_t half_life)
{
	uint32_t heat = (uint32_t)folio_heat_at(folio, now, half_life) + FOLIO_HEAT_HIT;
	folio->heat = (uint16_t)MIN(heat, FOLIO_HEAT_MAX);
	folio->seen = now;
}
