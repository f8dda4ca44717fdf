/* SPDX-License-Identifier: MIT */
/*
 * A tally per page: in how many intervals it was touched, and how often it was counted (missed).
 *
 * A dense array of units and an open-addressed index of it. A unit is one page until there are
 * more than TALLY_MAX_UNITS of them; then neighbouring units merge in pairs and a unit is two
 * pages, four, ... so that memory does not grow with the file, and hardly with the program:
 *
 *     index[hash(key)] --> units[]: | key | last, first interval | touched | count | region |
 *
 * Cost: 32 bytes a unit and 8 to 16 of index, so at most about 100 MB; an event on the unit of the
 * event before costs a compare, another a cache miss.
 */
#ifndef BERTH_MEM_TALLY_H
#define BERTH_MEM_TALLY_H

#include "base/types.h"

#define TALLY_MAX_UNITS (UINT32_C(1) << 21)

struct tally_unit {
	uint64_t key;		/* its first page */
	uint32_t last_interval; /* when it was touched last */
	uint32_t first_interval;
	uint32_t nr_touched; /* intervals in which it was touched; after merging, of the busier half
			      */
	uint32_t count;	     /* misses (or accesses), saturating */
	uint32_t region;
	uint32_t unused;
};

struct tally {
	struct tally_unit *units;
	uint32_t nr, size, max;
	uint32_t *index; /* position + 1; 0: empty */
	unsigned index_bits;
	unsigned shift; /* a unit is 1 << shift pages */
};

int tally_init(struct tally *tally, uint32_t max_units);
void tally_fini(struct tally *tally);
/* The unit of `key`, made if it is new (then its last_interval is UINT32_MAX); NULL: no memory.
 * Valid until the next call. */
struct tally_unit *tally_get(struct tally *tally, uint64_t key);
bool tally_is_valid(const struct tally *tally);

#endif
