/* SPDX-License-Identifier: MIT */
/* The decode stage; stage.h has the picture and the rules. */
#include "sim/stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/blocked.h"
#include "sim/pagemap.h"
#include "sim/sampled.h"

#define CHUNK_EVENTS  TRACE_BATCH_EVENTS
#define CONSUMERS_MAX 4200 /* SIM_SET_MAX and a few */
#define PAGES_MIN     1024u

struct stage {
	struct stage_config config;
	struct pagemap map;
	struct stage_consumer *consumers;
	uint32_t nr_consumers;
	/* Per page number; of free numbers, `pages` links the list of them. */
	uint64_t *pages;
	uint32_t *spaces;
	uint32_t nr_numbers, max_numbers, free_numbers;
	uint32_t nr_grown; /* what consumers were told */
	/* The open chunk. */
	uint32_t nr;
	uint32_t chunk[CHUNK_EVENTS];
	uint8_t flags[CHUNK_EVENTS];
	uint32_t loads[CHUNK_EVENTS], stores[CHUNK_EVENTS];
	uint64_t nr_loads, nr_stores; /* misses in it */
	/* Pages whose lives end, not yet delivered. */
	uint32_t nr_freed;
	uint32_t freed[CHUNK_EVENTS];
	uint64_t tick_start, tick_end;
	struct blocked_time blocked;
	struct sampled *sampled; /* NULL: samples are not wanted */
	struct stage_stats stats;
	struct printbuf *err; /* of the call under way */
};

static int feed_made(void *context, const struct trace_batch *accesses);

struct stage_config stage_config_of(const struct trace_info *info, uint64_t tick_ns)
{
	bool has_order = info->streams & (TRACE_STREAM_MISSES | TRACE_STREAM_ALL);
	bool has_counts = info->streams & TRACE_STREAM_COUNTS;
	return (struct stage_config){
		.tick_ns = tick_ns,
		.wants_counts = !has_order && has_counts,
		.wants_samples = !has_order && !has_counts && info->streams & TRACE_STREAM_SAMPLES,
	};
}

int stage_new(const struct stage_config *config, struct stage **ret)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	if (!stage)
		return -ENOMEM;
	if (config->wants_samples)
		stage->sampled = sampled_new(feed_made, stage);
	if (pagemap_init(&stage->map) || (config->wants_samples && !stage->sampled)) {
		stage_free(stage);
		return -ENOMEM;
	}
	stage->config = *config;
	stage->config.tick_ns = MAX(config->tick_ns, 1);
	stage->tick_end = stage->config.tick_ns;
	stage->free_numbers = PAGEMAP_NONE;
	*ret = stage;
	return 0;
}

struct stage *stage_free(struct stage *stage)
{
	if (!stage)
		return NULL;
	pagemap_fini(&stage->map);
	blocked_time_fini(&stage->blocked);
	sampled_free(stage->sampled);
	free(stage->consumers);
	free(stage->pages);
	free(stage->spaces);
	free(stage);
	return NULL;
}

int stage_add_consumer(struct stage *stage, const struct stage_consumer *consumer)
{
	if (stage->nr_consumers == CONSUMERS_MAX)
		return -E2BIG;
	size_t bytes = (stage->nr_consumers + 1) * sizeof(*stage->consumers);
	struct stage_consumer *consumers = realloc(stage->consumers, bytes);
	if (!consumers)
		return -ENOMEM;
	stage->consumers = consumers;
	stage->consumers[stage->nr_consumers++] = *consumer;
	return 0;
}

static int deliver_events(struct stage *stage)
{
	int error = 0;
	bool counts = stage->config.wants_counts;
	struct stage_events events = {
		.nr = stage->nr,
		.page = stage->chunk,
		.flags = counts ? NULL : stage->flags,
		.loads = counts ? stage->loads : NULL,
		.stores = counts ? stage->stores : NULL,
		.nr_loads = stage->nr_loads,
		.nr_stores = stage->nr_stores,
	};
	for (uint32_t i = 0; i < stage->nr_consumers && !error && events.nr > 0; i++) {
		const struct stage_consumer *consumer = &stage->consumers[i];
		if (consumer->grow && stage->nr_numbers > stage->nr_grown)
			error = consumer->grow(consumer->context, stage->max_numbers, stage->err);
		if (consumer->events && !error)
			error = consumer->events(consumer->context, &events, stage->err);
	}
	if (events.nr > 0)
		stage->nr_grown = stage->max_numbers;
	stage->stats.nr_misses += stage->nr_loads + stage->nr_stores;
	stage->nr_loads = stage->nr_stores = 0;
	stage->nr = 0;
	return error;
}

static int deliver_freed(struct stage *stage)
{
	int error = 0;
	for (uint32_t i = 0; i < stage->nr_consumers && !error && stage->nr_freed > 0; i++) {
		const struct stage_consumer *consumer = &stage->consumers[i];
		if (consumer->freed)
			error = consumer->freed(consumer->context, stage->freed, stage->nr_freed,
						stage->err);
	}
	for (uint32_t i = 0; i < stage->nr_freed; i++) {
		stage->pages[stage->freed[i]] = stage->free_numbers;
		stage->free_numbers = stage->freed[i];
	}
	stage->nr_freed = 0;
	return error;
}

static int deliver_tick(struct stage *stage, uint64_t end_ns, bool is_last)
{
	struct stage_tick tick = { stage->tick_start, end_ns, is_last };
	int error = deliver_events(stage);
	for (uint32_t i = 0; i < stage->nr_consumers && !error; i++)
		error = stage->consumers[i].tick(stage->consumers[i].context, &tick, stage->err);
	stage->tick_start = end_ns;
	stage->tick_end = end_ns > UINT64_MAX - stage->config.tick_ns
				  ? UINT64_MAX
				  : end_ns + stage->config.tick_ns;
	return error;
}

/* Delivers the ticks up to `time_ns`; in a long gap only the first few, then jumps. */
static int advance(struct stage *stage, uint64_t time_ns)
{
	int error = 0;
	for (unsigned i = 0; time_ns >= stage->tick_end && stage->tick_end != UINT64_MAX; i++) {
		uint64_t end = stage->tick_end;
		if (i == STAGE_GAP_TICKS)
			end = time_ns - time_ns % stage->config.tick_ns;
		error = deliver_tick(stage, end, false);
		if (error)
			return error;
	}
	return error;
}

/* Grows by a quarter: doubling would waste more than a page's other bytes take. */
static int grow_numbers(struct stage *stage)
{
	uint64_t max = MAX(PAGES_MIN, (uint64_t)stage->max_numbers + stage->max_numbers / 4);
	if (max >= PAGEMAP_NONE)
		return error_set(stage->err, -ENOMEM,
				 "more than four billion pages live at once: cannot simulate");
	uint64_t *pages = realloc(stage->pages, max * sizeof(*pages));
	if (!pages)
		return error_set(stage->err, -ENOMEM, "out of memory for %u pages",
				 stage->max_numbers);
	stage->pages = pages;
	uint32_t *spaces = realloc(stage->spaces, max * sizeof(*spaces));
	if (!spaces)
		return error_set(stage->err, -ENOMEM, "out of memory for %u pages",
				 stage->max_numbers);
	stage->spaces = spaces;
	stage->max_numbers = (uint32_t)max;
	return 0;
}

static int add_page(struct stage *stage, uint32_t space, uint64_t page, uint32_t *ret)
{
	uint32_t number = stage->free_numbers;
	if (number == PAGEMAP_NONE && stage->nr_numbers == stage->max_numbers) {
		int error = grow_numbers(stage);
		if (error)
			return error;
	}
	if (number == PAGEMAP_NONE)
		number = stage->nr_numbers;
	if (pagemap_set(&stage->map, space, page, number))
		return error_set(stage->err, -ENOMEM, "out of memory for the page map");
	if (number == stage->nr_numbers)
		stage->nr_numbers++;
	else
		stage->free_numbers = (uint32_t)stage->pages[number];
	stage->pages[number] = page;
	stage->spaces[number] = space;
	stage->stats.nr_lives++;
	stage->stats.nr_live++;
	stage->stats.nr_peak = MAX(stage->stats.nr_peak, stage->stats.nr_live);
	*ret = number;
	return 0;
}

/* The number of a page, new when it has none; and room in the chunk for one more. */
static int stage_event(struct stage *stage, uint32_t space, uint64_t page, uint64_t time_ns,
		       uint32_t *ret)
{
	int error = 0;
	if (unlikely(time_ns >= stage->tick_end))
		error = advance(stage, time_ns);
	if (unlikely(stage->nr == CHUNK_EVENTS) && !error)
		error = deliver_events(stage);
	*ret = pagemap_find(&stage->map, space, page);
	if (unlikely(*ret == PAGEMAP_NONE) && !error)
		error = add_page(stage, space, page, ret);
	return error;
}

/* Misses among these events, eight at a time: a bit in each byte of a word, summed by a multiply.
 */
static void count_misses(struct stage *stage, const uint8_t *flags, uint32_t nr)
{
	const uint64_t ones = UINT64_MAX / UINT8_MAX;
	uint64_t nr_misses = 0, nr_stores = 0;
	while (nr > 0) {
		uint64_t word = 0;
		uint32_t length = MIN(nr, (uint32_t)sizeof(word));
		memcpy(&word, flags, length);
		uint64_t misses = word / TRACE_MISS & ones;
		uint64_t stores = word / TRACE_WRITE & misses;
		nr_misses += misses * ones >> 56;
		nr_stores += stores * ones >> 56;
		flags += length;
		nr -= length;
	}
	stage->nr_loads += nr_misses - nr_stores;
	stage->nr_stores += nr_stores;
}

/*
 * The inner loop: as many events as lie in this tick, fit the chunk and have numbers already. All
 * that it needs is in locals, because a store of flags (bytes may alias anything) would otherwise
 * make the compiler load the stage again for every event.
 */
static uint32_t stage_run(struct stage *stage, const struct trace_batch *batch, uint32_t from)
{
	const struct pagemap map = stage->map;
	const uint64_t *time_ns = batch->time_ns, *page = batch->page;
	const uint8_t *flags = batch->flags;
	const uint8_t extra = stage->config.is_unfiltered ? TRACE_MISS : 0;
	const uint64_t tick_end = stage->tick_end;
	const uint32_t end = MIN(batch->nr, from + (CHUNK_EVENTS - stage->nr));
	uint32_t *numbers = stage->chunk + stage->nr;
	uint8_t *kept = stage->flags + stage->nr;
	uint32_t at = from;
	for (; at < end && time_ns[at] < tick_end; at++) {
		uint32_t number = pagemap_find(&map, batch->space, page[at]);
		if (unlikely(number == PAGEMAP_NONE))
			break;
		uint8_t kind = flags[at] | extra;
		*numbers++ = number;
		*kept++ = kind;
	}
	count_misses(stage, stage->flags + stage->nr, at - from);
	stage->nr += at - from;
	return at;
}

static int feed_accesses(struct stage *stage, const struct trace_batch *batch)
{
	for (uint32_t at = 0; at < batch->nr;) {
		uint32_t number = 0;
		at = stage_run(stage, batch, at);
		if (at == batch->nr)
			break;
		/* A tick, a full chunk or a new page; then the same event again. */
		int error = stage_event(stage, batch->space, batch->page[at], batch->time_ns[at],
					&number);
		if (error)
			return error;
	}
	return blocked_time_add(&stage->blocked, batch->space, batch->thread ? batch->thread[0] : 0,
				0);
}

static int feed_counts(struct stage *stage, const struct trace_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		uint32_t number = 0;
		int error = stage_event(stage, batch->space, batch->page[i], batch->time_ns[i],
					&number);
		if (error)
			return error;
		stage->chunk[stage->nr] = number;
		stage->loads[stage->nr] = batch->loads[i];
		stage->stores[stage->nr++] = batch->stores[i];
		stage->nr_loads += batch->loads[i];
		stage->nr_stores += batch->stores[i];
	}
	return 0;
}

static int page_gone(void *context, uint64_t page, uint32_t number)
{
	struct stage *stage = context;
	(void)page;
	stage->stats.nr_live--;
	stage->freed[stage->nr_freed++] = number;
	return stage->nr_freed == CHUNK_EVENTS ? deliver_freed(stage) : 0;
}

static int free_range(struct stage *stage, uint32_t space, uint64_t page, uint64_t nr_pages)
{
	int error = deliver_events(stage);
	if (!error)
		error = pagemap_take_range(&stage->map, space, page, nr_pages, page_gone, stage);
	return error ? error : deliver_freed(stage);
}

struct moved_page {
	uint64_t page;
	uint32_t number;
};

struct moved_pages {
	struct moved_page *pages;
	size_t nr, max;
};

static int page_moved(void *context, uint64_t page, uint32_t number)
{
	struct moved_pages *moved = context;
	if (moved->nr == moved->max) {
		size_t max = moved->max ? moved->max * 2 : 256;
		struct moved_page *pages = realloc(moved->pages, max * sizeof(*pages));
		if (!pages)
			return -ENOMEM;
		moved->pages = pages;
		moved->max = max;
	}
	moved->pages[moved->nr++] = (struct moved_page){ page, number };
	return 0;
}

/* mremap: numbers stay, addresses change; what was at the new place is gone. */
static int remap(struct stage *stage, const struct trace_mapping *mapping)
{
	struct moved_pages moved = { 0 };
	int error = deliver_events(stage);
	if (!error)
		error = pagemap_take_range(&stage->map, mapping->space, mapping->from_page,
					   mapping->nr_pages, page_moved, &moved);
	if (!error)
		error = free_range(stage, mapping->space, mapping->page, mapping->nr_pages);
	for (size_t i = 0; i < moved.nr && !error; i++) {
		uint64_t page = mapping->page + (moved.pages[i].page - mapping->from_page);
		error = pagemap_set(&stage->map, mapping->space, page, moved.pages[i].number);
		stage->pages[moved.pages[i].number] = page;
	}
	free(moved.pages);
	return error;
}

static int deliver_mapping(struct stage *stage, const struct trace_mapping *mapping)
{
	int error = deliver_events(stage);
	for (uint32_t i = 0; i < stage->nr_consumers && !error; i++) {
		const struct stage_consumer *consumer = &stage->consumers[i];
		if (consumer->mapping)
			error = consumer->mapping(consumer->context, mapping, stage->err);
	}
	return error;
}

static int feed_mapping(struct stage *stage, const struct trace_mapping *mapping)
{
	int error = mapping->time_ns >= stage->tick_end ? advance(stage, mapping->time_ns) : 0;
	if (!error)
		error = deliver_mapping(stage, mapping);
	if (error)
		return error;
	switch (mapping->op) {
	case TRACE_UNMAP:
	case TRACE_DISCARD:
		return free_range(stage, mapping->space, mapping->page, mapping->nr_pages);
	case TRACE_REMAP:
		return remap(stage, mapping);
	case TRACE_PROCESS_END:
		return free_range(stage, mapping->space, 0, UINT64_MAX);
	case TRACE_THREAD:
		return blocked_time_add(&stage->blocked, mapping->space, (uint32_t)mapping->detail,
					0);
	default:
		return 0;
	}
}

static int feed_mappings(struct stage *stage, const struct trace_batch *batch)
{
	int error = 0;
	for (uint32_t i = 0; i < batch->nr && !error; i++)
		error = feed_mapping(stage, &batch->mappings[i]);
	return error;
}

static int feed_blocked(struct stage *stage, const struct trace_batch *batch)
{
	int error = 0;
	for (uint32_t i = 0; i < batch->nr && !error; i++)
		error = blocked_time_add(&stage->blocked, batch->space,
					 batch->thread ? batch->thread[i] : 0,
					 batch->blocked_ns[i]);
	return error;
}

static int feed_ordered(struct stage *stage, const struct trace_batch *batch)
{
	stage->stats.nr_events += batch->nr;
	stage->stats.end_ns = MAX(stage->stats.end_ns, batch->time_ns[batch->nr - 1]);
	return batch->kind == TRACE_COUNTS ? feed_counts(stage, batch)
					   : feed_accesses(stage, batch);
}

static int feed_made(void *context, const struct trace_batch *accesses)
{
	return feed_ordered(context, accesses);
}

int stage_feed(struct stage *stage, const struct trace_batch *batch, struct printbuf *err)
{
	bool counts = batch->kind == TRACE_COUNTS;
	stage->err = err;
	if (batch->nr == 0)
		return 0;
	if (batch->kind == TRACE_SAMPLES)
		return stage->sampled ? sampled_feed(stage->sampled, batch) : 0;
	int error = stage->sampled ? sampled_flush(stage->sampled) : 0;
	if (error)
		return error;
	if (batch->kind == TRACE_MAPPINGS)
		return feed_mappings(stage, batch);
	if (batch->kind == TRACE_BLOCKED)
		return feed_blocked(stage, batch);
	if ((batch->kind != TRACE_ACCESSES && !counts) || counts != stage->config.wants_counts)
		return 0;
	return feed_ordered(stage, batch);
}

int stage_flush(struct stage *stage, struct printbuf *err)
{
	stage->err = err;
	return deliver_events(stage);
}

int stage_finish(struct stage *stage, uint64_t end_ns, struct printbuf *err)
{
	stage->err = err;
	int error = stage->sampled ? sampled_flush(stage->sampled) : 0;
	end_ns = MAX(end_ns, stage->stats.end_ns);
	if (!error)
		error = advance(stage, end_ns);
	return error ? error : deliver_tick(stage, MAX(end_ns, stage->tick_start), true);
}

struct stage_page stage_page(const struct stage *stage, uint32_t number)
{
	return (struct stage_page){ stage->pages[number], stage->spaces[number] };
}

uint32_t stage_find(const struct stage *stage, uint32_t space, uint64_t page)
{
	return pagemap_find(&stage->map, space, page);
}

int stage_walk(const struct stage *stage,
	       int (*block)(void *context, uint32_t space, uint64_t first, uint64_t last,
			    uint32_t nr_live),
	       void *context)
{
	return pagemap_walk(&stage->map, block, context);
}

void stage_stats(const struct stage *stage, struct stage_stats *ret)
{
	*ret = stage->stats;
	ret->blocked_ns = blocked_time_ns(&stage->blocked);
	ret->bytes = sizeof(*stage) + pagemap_bytes(&stage->map) +
		     stage->max_numbers * (sizeof(*stage->pages) + sizeof(*stage->spaces)) +
		     stage->nr_consumers * sizeof(*stage->consumers);
}
