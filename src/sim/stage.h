/* SPDX-License-Identifier: MIT */
/*
 * The decode stage: trace batches in; dense page numbers, frees and ticks out to every consumer.
 * Decode once, fan out to many simulations.
 *
 *     trace_batch --> (space, page) -> u32 --> chunk of (page number, flags) --> consumer 0
 *                       page map, once          cut at ticks, at most 4096   --> consumer 1 ...
 *
 * A page number is dense: 0, 1, 2, ...; it names one (space, page) for one life. It is given at the
 * first event, taken back when the page is unmapped or discarded (or its process ends), and then
 * used again for another page, so memory grows with the pages that live together, not with the
 * file. mremap keeps the number: the frame only gets another address.
 *
 * fork: the child's pages are new pages of a new space; copy-on-write sharing is not modelled.
 *
 * Ticks lie at whole multiples of tick_ns of the recording's clock. In a gap without events only
 * the first STAGE_GAP_TICKS ticks are delivered and then the clock jumps: nothing happens in
 * between, and a hostile time stamp cannot keep us busy.
 *
 * Cost: about one cache-resident hash probe per event; see pagemap.h for bytes per page.
 */
#ifndef BERTH_SIM_STAGE_H
#define BERTH_SIM_STAGE_H

#include "base/printbuf.h"
#include "trace/trace.h"

#define STAGE_GAP_TICKS 64

/* Events of one chunk, all within one tick. Either flags (accesses) or loads and stores (counts,
 * whose order means nothing) is set. The same page may come many times. */
struct stage_events {
	uint32_t nr;
	const uint32_t *page;
	const uint8_t *flags; /* enum trace_flag; TRACE_MISS on every one that memory serves */
	const uint32_t *loads, *stores;
	uint64_t nr_loads, nr_stores; /* misses of the chunk, for who need not tell pages apart */
};

struct stage_tick { /* the epoch [start, end) of the recording's clock is over */
	uint64_t start_ns, end_ns;
	bool is_last; /* the recording ends here; nothing moves any more */
};

/* Callbacks return 0 or negative errno, which stops everything. All but tick may be NULL. */
struct stage_consumer {
	void *context;
	/* From now on page numbers are below nr_pages. WHEN: before the first event with one. */
	int (*grow)(void *context, uint32_t nr_pages, struct printbuf *err);
	/* WHEN: in time order. The first event of a number, or the first after it was freed, is the
	 * page's birth. */
	int (*events)(void *context, const struct stage_events *events, struct printbuf *err);
	/* The lives of these pages end now. WHEN: in time order with events. */
	int (*freed)(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err);
	/* WHEN: at the end of each epoch, after all its events; epochs join without holes. */
	int (*tick)(void *context, const struct stage_tick *tick, struct printbuf *err);
	/* A mapping made or changed, before the stage acts on it (frees or renames pages). WHEN: in
	 * time order with events. */
	int (*mapping)(void *context, const struct trace_mapping *mapping, struct printbuf *err);
};

struct stage;
/* The address behind a page number. */
struct stage_page {
	uint64_t page;
	uint32_t space;
};

/* Consumers are copied; their contexts outlive the stage. is_unfiltered: the recording has no cache
 * model, so every access counts as a miss. */
struct stage_config {
	uint64_t tick_ns;
	bool is_unfiltered;
	bool wants_counts;  /* consumes TRACE_COUNTS rather than TRACE_ACCESSES */
	bool wants_samples; /* consumes TRACE_SAMPLES, made into accesses (sim/sampled.h) */
};
/* What a simulation of this recording consumes. */
struct stage_config stage_config_of(const struct trace_info *info, uint64_t tick_ns);
int stage_new(const struct stage_config *config, struct stage **ret);
int stage_add_consumer(struct stage *stage, const struct stage_consumer *consumer);
int stage_feed(struct stage *stage, const struct trace_batch *batch, struct printbuf *err);
/* Delivers the events of the open chunk, so that the next begin one of their own. */
int stage_flush(struct stage *stage, struct printbuf *err);
/* Closes the last epoch at end_ns (or at the last event, if that is later). Once. */
int stage_finish(struct stage *stage, uint64_t end_ns, struct printbuf *err);
struct stage *stage_free(struct stage *stage);

/* Of a live page number. */
struct stage_page stage_page(const struct stage *stage, uint32_t number);
/* The number of a page, or UINT32_MAX. */
uint32_t stage_find(const struct stage *stage, uint32_t space, uint64_t page);

/* Calls back for each block of 64 pages that holds live ones: its first and last live page and how
 * many live. In no useful order, but always the same. */
int stage_walk(const struct stage *stage,
	       int (*block)(void *context, uint32_t space, uint64_t first, uint64_t last,
			    uint32_t nr_live),
	       void *context);

struct stage_stats {
	uint64_t nr_events, nr_misses;
	uint64_t nr_lives;	   /* births of pages */
	uint32_t nr_live, nr_peak; /* pages alive now, and at most */
	uint64_t end_ns;	   /* of the last event */
	uint64_t blocked_ns;	   /* see docs/cost-model.md, "Blocked time" */
	uint64_t bytes;		   /* of memory held */
};
void stage_stats(const struct stage *stage, struct stage_stats *ret);

#endif
