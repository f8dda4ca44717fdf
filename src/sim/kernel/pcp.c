/* SPDX-License-Identifier: MIT */
/* A CPU's own free pages; pcp.h has the picture and the sources. */
#include "sim/kernel/pcp.h"

/* 2^n - 1 pages. */
static uint64_t batch_of(uint64_t managed_pages, uint32_t page_bytes)
{
	uint64_t batch = MIN(managed_pages >> PCP_BATCH_SHARE, PCP_BATCH_BYTES / page_bytes);
	if (batch <= 1)
		return 1;
	batch += batch / 2;
	return ((uint64_t)1 << (63 - __builtin_clzll(batch))) - 1;
}

void pcp_init(struct pcp *pcp, uint64_t managed_pages, uint64_t low_pages, uint32_t nr_cpus,
	      uint32_t page_bytes)
{
	uint64_t batch = batch_of(managed_pages, page_bytes), cpus = MAX(nr_cpus, 1);
	uint64_t high_min = MAX(low_pages / cpus, 4 * batch);
	uint64_t high_max = MAX(managed_pages / PCP_HIGH_FRACTION / cpus, 4 * batch);
	*pcp = (struct pcp){ .batch = batch,
			     .high_min = high_min,
			     .high_max = MAX(high_max, high_min),
			     .high = high_min };
}

static uint64_t nr_to_refill(struct pcp *pcp)
{
	uint64_t batch = pcp->batch << pcp->alloc_factor, kept = pcp_count(pcp) + pcp->batch;
	if (!pcp->is_below_high)
		pcp->high = MIN(pcp->high + batch, pcp->high_max);
	uint64_t most = MAX(pcp->high > kept ? pcp->high - kept : 0, pcp->batch);
	if (batch <= most && pcp->alloc_factor < PCP_BATCH_SCALE_MAX)
		pcp->alloc_factor++;
	return MIN(batch, most);
}

bool pcp_alloc(struct pcp *pcp, const struct pcp_zone *zone, enum pcp_kind kind)
{
	pcp->is_below_high |= zone->free_pages <= zone->high_pages;
	pcp->nr_freed >>= 1;
	if (pcp->counts[kind] == 0) {
		uint64_t room = zone->free_pages - MIN(zone->least_pages, zone->free_pages);
		uint64_t nr = nr_to_refill(pcp);
		pcp->counts[kind] = MIN(nr, room);
	}
	if (pcp->counts[kind] == 0)
		return false;
	pcp->counts[kind]--;
	return true;
}

static void flush(struct pcp *pcp, uint64_t nr_pages)
{
	for (unsigned kind = 0; kind < PCP_NR_KINDS; kind++) {
		uint64_t nr = MIN(nr_pages, pcp->counts[kind]);
		pcp->counts[kind] -= nr;
		nr_pages -= nr;
	}
}

/* How many may stay. */
static uint64_t nr_to_keep(struct pcp *pcp, const struct pcp_zone *zone)
{
	uint64_t high = pcp->high, count = pcp_count(pcp), freed = MAX(pcp->nr_freed, pcp->batch);
	uint64_t lower = MAX(high - MIN(freed, high), pcp->high_min);
	if (zone->is_reclaimed) {
		pcp->high = lower;
		return MIN(pcp->batch << 2, pcp->high);
	}
	if (pcp->is_below_high) {
		pcp->high = lower;
		return MAX(count, pcp->high_min);
	}
	uint64_t wanted = pcp->nr_freed + pcp->batch;
	if (count >= high && high < wanted)
		pcp->high = MIN(MAX(wanted, pcp->high_min), pcp->high_max);
	return high;
}

void pcp_free(struct pcp *pcp, const struct pcp_zone *zone)
{
	pcp->alloc_factor >>= 1;
	pcp->counts[PCP_MOVABLE]++;
	pcp->nr_freed += pcp->nr_freed < pcp->batch << PCP_BATCH_SCALE_MAX;
	uint64_t high = nr_to_keep(pcp, zone), count = pcp_count(pcp);
	if (count < high)
		return;
	uint64_t most = MAX(high - MIN(pcp->batch, high), pcp->batch);
	flush(pcp, MIN(MAX(pcp->nr_freed, pcp->batch), most));
	uint64_t flushed = count - pcp_count(pcp);
	if (zone->free_pages + flushed > zone->high_pages)
		pcp->is_below_high = false;
}

void pcp_drain(struct pcp *pcp)
{
	flush(pcp, pcp_count(pcp));
}

void pcp_decay(struct pcp *pcp)
{
	uint64_t count = pcp_count(pcp), most = pcp->batch << PCP_BATCH_SCALE_MAX;
	if (pcp->high > pcp->high_min) {
		uint64_t lower = MAX(pcp->high - (pcp->high >> 3), pcp->high_min);
		pcp->high = MAX(count - MIN(most, count), lower);
	}
	if (count > pcp->high)
		flush(pcp, count - pcp->high);
}
