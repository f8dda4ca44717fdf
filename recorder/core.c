/* SPDX-License-Identifier: MIT */
/* See core.h. */
#include "core.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counts.h"

#define FILTER_EMPTY UINT64_MAX

struct core core;
struct thread core_threads[CORE_THREADS] __attribute__((aligned(4096)));

void core_lock(void)
{
	if (core.is_parallel)
		pthread_mutex_lock(&core.lock);
}

void core_unlock(void)
{
	if (core.is_parallel)
		pthread_mutex_unlock(&core.lock);
}

static void *map_zeroes(size_t nr_bytes)
{
	void *at = mmap(NULL, nr_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}

static void choose_events(uint32_t streams)
{
	core.wants_all = streams & TRACE_STREAM_ALL;
	core.wants_counts = streams & TRACE_STREAM_COUNTS;
	if (streams & (TRACE_STREAM_MISSES | TRACE_STREAM_ALL))
		core.wanted |= TRACE_MISS;
	if (streams & (TRACE_STREAM_TOUCHES | TRACE_STREAM_ALL))
		core.wanted |= TRACE_TOUCH;
	core.shown = core.wanted | TRACE_WRITE | TRACE_FETCH | TRACE_SYSCALL;
}

int core_init(struct recording *recording)
{
	memset(&core, 0, sizeof(core));
	core.recording = recording;
	choose_events(recording->streams);
	int error = cache_init(&core.cache, recording->cache_bytes, recording->cache_ways);
	if (error)
		return error;
	core.has_run = map_zeroes(CORE_BLOCKS);
	core.run_counts = map_zeroes(CORE_BLOCKS * sizeof(*core.run_counts));
	core.counted_blocks = map_zeroes(CORE_BLOCKS * sizeof(*core.counted_blocks));
	core.blocks = map_zeroes(CORE_BLOCKS * sizeof(*core.blocks));
	core.counts = core.wants_counts ? map_zeroes(sizeof(*core.counts)) : NULL;
	if (!core.has_run || !core.run_counts || !core.counted_blocks || !core.blocks ||
	    (core.wants_counts && !core.counts))
		return -ENOMEM;
	pthread_mutex_init(&core.lock, NULL);
	core.epoch = 1;
	core.interval_end = recording->interval_ticks;
	struct lane *lane = ring_claim(recording, TRACE_NONE, getpid(), &core.lane);
	ring_producer_init(&core.ring, recording, lane);
	core_mapping(NULL, TRACE_PROCESS, 0, 0, recording->program, TRACE_NONE, 0);
	return 0;
}

void core_fini(void)
{
	cache_fini(&core.cache);
	pages_fini(&core.pages);
	regions_fini(&core.regions);
	munmap(core.has_run, CORE_BLOCKS);
	munmap(core.run_counts, CORE_BLOCKS * sizeof(*core.run_counts));
	munmap(core.counted_blocks, CORE_BLOCKS * sizeof(*core.counted_blocks));
	munmap(core.blocks, CORE_BLOCKS * sizeof(*core.blocks));
	if (core.counts)
		munmap(core.counts, sizeof(*core.counts));
	for (uint32_t i = 0; i < CORE_THREADS; i++)
		core_threads[i].is_alive = false;
}

/* The process clock, and through it that of the whole recording. */
uint64_t core_now(struct thread *thread)
{
	uint64_t ticks = thread ? thread_ticks(thread) : core.clock;
	if (ticks > core.clock)
		core.clock = ticks;
	return core.clock;
}

static void share_clock(void)
{
	uint64_t *shared = &core.recording->clock;
	uint64_t seen = __atomic_load_n(shared, __ATOMIC_RELAXED);
	while (core.clock > seen &&
	       !__atomic_compare_exchange_n(shared, &seen, core.clock, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
	if (core.ring.lane)
		__atomic_store_n(&core.ring.lane->ticks, core.clock, __ATOMIC_RELAXED);
}

void core_raise(struct thread *thread, uint64_t ticks)
{
	uint64_t own = thread_ticks(thread);
	if (ticks > own)
		thread->left += (int64_t)(ticks - own);
}

static void emit(uint64_t ticks, uint64_t page, uint8_t flags, const struct thread *thread)
{
	if (core.is_ended)
		return;
	core.last_event = MAX(core.last_event, ticks);
	ring_put_access(&core.ring, core.last_event, page, flags & core.shown,
			thread ? thread->number : 0);
}

/* What a program touches first the kernel has just cleared: its lines are in the cache. Not so
 * code, which comes from a file. */
static void hand_out_frame(struct page *page, bool is_cleared)
{
	page->frame = ++core.pages.nr_frames;
	for (uint32_t i = 0; is_cleared && i < LINES_PER_PAGE; i++)
		cache_access(&core.cache, page->frame * LINES_PER_PAGE + i);
}

static struct page *page_of_line(uint64_t line, bool is_cleared)
{
	struct page *page = pages_get(&core.pages, line / LINES_PER_PAGE);
	if (page && unlikely(!page->frame))
		hand_out_frame(page, is_cleared);
	return page;
}

/* TOUCH when this access is the page's first, or its first store, in the interval. */
static uint8_t touch(struct page *page, uint8_t flags)
{
	uint32_t *last = flags & TRACE_WRITE ? &page->store_epoch : &page->load_epoch;
	uint8_t touched = *last != core.epoch ? TRACE_TOUCH : 0;
	*last = core.epoch;
	page->load_epoch = core.epoch;
	return touched;
}

static bool is_cached(const struct page *page, uint64_t line)
{
	return cache_access(&core.cache,
			    page->frame * LINES_PER_PAGE + (uint32_t)(line % LINES_PER_PAGE));
}

/* True: the private cache has the line. It does afterwards. */
static bool fill_filter(struct thread *thread, uint64_t line, bool is_store)
{
	uint64_t slot = line & (FILTER_LINES - 1);
	bool was_there = thread->loads[slot] == line;
	thread->loads[slot] = line;
	if (is_store)
		thread->stores[slot] = line;
	else if (!was_there)
		thread->stores[slot] = FILTER_EMPTY;
	return was_there;
}

/* is_first: in `all`, the line that stands for the access (others only when they miss). */
static inline void look_at_line(struct thread *thread, uint64_t line, uint8_t flags, bool is_first)
{
	struct page *page = page_of_line(line, !(flags & TRACE_FETCH));
	if (!page)
		return;
	flags |= touch(page, flags);
	bool is_private = !(flags & TRACE_FETCH) && thread &&
			  fill_filter(thread, line, flags & TRACE_WRITE);
	if (!is_private && !is_cached(page, line))
		flags |= TRACE_MISS;
	if ((flags & core.wanted) || (core.wants_all && is_first))
		emit(core_now(thread), line / LINES_PER_PAGE, flags, thread);
}

static void look_at_lines(struct thread *thread, uint64_t first, uint64_t nr, uint8_t flags)
{
	for (uint64_t line = first; line < first + nr; line++)
		look_at_line(thread, line, flags, line == first || line % LINES_PER_PAGE == 0);
}

/* The lines of a private cache were used a moment ago: the shared one must not call them old. */
static void empty_filter(struct thread *thread)
{
	for (uint32_t i = 0; i < FILTER_LINES; i++) {
		uint64_t line = thread->loads[i];
		thread->loads[i] = thread->stores[i] = FILTER_EMPTY;
		if (line == FILTER_EMPTY)
			continue;
		struct page *page = pages_get(&core.pages, line / LINES_PER_PAGE);
		if (page && page->frame)
			is_cached(page, line);
	}
}

/* Into the interval that the process is in. */
static void join_interval(struct thread *thread)
{
	uint64_t ticks = thread_ticks(thread);
	empty_filter(thread);
	thread->generation = core.generation;
	thread->deadline = core.interval_end;
	thread->left = (int64_t)(ticks - thread->deadline);
}

static void look_at_block(uint32_t number)
{
	const struct block *block = &core.blocks[number];
	for (uint32_t i = 0; i < block->nr_lines; i++)
		look_at_line(NULL, block->first_line + i, TRACE_FETCH, true);
}

/* Code that ran in this interval; it carries the interval's last moment. */
static void look_at_blocks(void)
{
	uint64_t last = MIN(core.clock, core.interval_end - 1);
	uint64_t clock = core.clock;
	core.clock = MAX(last, core.last_event);
	for (uint32_t i = 0; i < core.nr_counted; i++) {
		core.has_run[core.counted_blocks[i]] |= core.run_counts[i] != 0;
		core.run_counts[i] = 0;
	}
	for (uint32_t i = 0; i < core.nr_blocks; i += sizeof(uint64_t)) {
		uint64_t eight;
		memcpy(&eight, &core.has_run[i], sizeof(eight));
		for (uint32_t j = i; eight; j++, eight >>= 8)
			if (eight & 0xff)
				look_at_block(j);
		memset(&core.has_run[i], 0, sizeof(eight));
	}
	core.clock = MAX(core.clock, clock);
}

static void empty_counts(void)
{
	struct counts *counts = core.counts;
	for (uint32_t i = 0; counts && i < counts->nr_used; i++) {
		struct count *count = &counts->slots[counts->used[i]];
		if (!core.is_ended)
			ring_put_count(&core.ring, core.interval_start, count->page - 1,
				       count->loads, count->stores);
		*count = (struct count){ 0 };
	}
	if (counts)
		counts->nr_used = 0;
}

static void share_references(void)
{
	__atomic_fetch_add(&core.recording->nr_references, core.nr_references, __ATOMIC_RELAXED);
	core.nr_references = 0;
}

static void next_interval(void)
{
	uint64_t length = core.recording->interval_ticks;
	look_at_blocks();
	empty_counts();
	core.epoch++;
	core.generation++;
	core.interval_start = MAX(core.interval_end, core.clock / length * length);
	core.interval_end = core.interval_start + length;
	share_clock();
	share_references();
	if (__atomic_load_n(&core.recording->is_stopped, __ATOMIC_RELAXED))
		core.ring.is_dead = true;
}

void core_end_interval(struct thread *thread)
{
	if (core_now(thread) >= core.interval_end)
		next_interval();
	join_interval(thread);
}

static void keep_up(struct thread *thread)
{
	if (unlikely(thread->generation != core.generation))
		join_interval(thread);
	if (unlikely(thread->left >= 0))
		core_end_interval(thread);
}

void core_tick(struct thread *thread)
{
	core_lock();
	keep_up(thread);
	core_unlock();
}

static void count(uint64_t first_line, bool is_store)
{
	if (counts_add(core.counts, first_line / LINES_PER_PAGE, is_store))
		empty_counts();
}

static void account(uint64_t line, uint8_t flags)
{
	core.nr_references++;
	if (core.wants_counts)
		count(line, flags & TRACE_WRITE);
}

void core_access(struct thread *thread, uint64_t address, uint64_t nr_bytes, uint8_t flags)
{
	uint64_t end = address + nr_bytes; /* one past */
	if (nr_bytes == 0 || end < address || end >> (PAGES_BITS + PAGE_SHIFT))
		return;
	uint64_t first = address >> CACHE_LINE_SHIFT;
	uint64_t nr = ((end - 1) >> CACHE_LINE_SHIFT) - first + 1;
	core_lock();
	keep_up(thread);
	account(first, flags);
	look_at_lines(thread, first, nr, flags);
	core_unlock();
}

void core_access_line(struct thread *thread, uint64_t line, uint8_t flags)
{
	if (unlikely(line >> (PAGES_BITS + PAGE_SHIFT - CACHE_LINE_SHIFT)))
		return;
	core_lock();
	keep_up(thread);
	account(line, flags);
	look_at_line(thread, line, flags, true);
	core_unlock();
}

void core_forget(uint64_t address, uint64_t nr_bytes)
{
	uint64_t first = address >> PAGE_SHIFT;
	pages_forget(&core.pages, first, ((address + nr_bytes + 4095) >> PAGE_SHIFT) - first);
	core.generation++; /* filters hold lines of these pages; each thread empties its own */
}

void core_move(uint64_t from, uint64_t to, uint64_t nr_bytes)
{
	pages_move(&core.pages, from >> PAGE_SHIFT, to >> PAGE_SHIFT,
		   (nr_bytes + 4095) >> PAGE_SHIFT);
	core.generation++;
}

static void put_mapping(const struct trace_mapping *mapping)
{
	if (!core.is_ended)
		ring_put_mapping(&core.ring, mapping);
}

static void keep_region(const struct trace_mapping *mapping)
{
	uint64_t page = mapping->page, nr = mapping->nr_pages;
	switch (mapping->op) {
	case TRACE_MAP:
		regions_map(&core.regions, page, nr, mapping->protection, mapping->name);
		break;
	case TRACE_UNMAP:
		regions_unmap(&core.regions, page, nr);
		break;
	case TRACE_REMAP:
		regions_move(&core.regions, mapping->from_page, page, nr);
		break;
	case TRACE_PROTECT:
		regions_protect(&core.regions, page, nr, mapping->protection);
		break;
	default:
		break;
	}
}

void core_mapping(struct thread *thread, enum trace_mapping_op op, uint64_t address,
		  uint64_t nr_bytes, const char *name, uint64_t detail, uint32_t protection)
{
	uint64_t first = address >> PAGE_SHIFT;
	struct trace_mapping mapping = {
		.time_ns = core_now(thread),
		.thread = thread ? thread->number : 0,
		.op = op,
		.protection = protection,
		.page = first,
		.nr_pages = ((address + nr_bytes + 4095) >> PAGE_SHIFT) - first,
		.detail = detail,
		.name = name ? name : "",
	};
	if (op == TRACE_REMAP)
		mapping.from_page = detail >> PAGE_SHIFT;
	keep_region(&mapping);
	put_mapping(&mapping);
}

/* A child begins with all that its parent has mapped. */
static void put_regions(void)
{
	for (uint32_t i = 0; i < core.regions.nr; i++) {
		const struct region *region = &core.regions.items[i];
		put_mapping(&(struct trace_mapping){ .time_ns = core.clock,
						     .op = TRACE_MAP,
						     .protection = region->protection,
						     .page = region->first,
						     .nr_pages = region->nr,
						     .name = region->name });
	}
}

void core_thread_start(struct thread *thread, const struct thread *creator)
{
	uint64_t ticks = creator ? thread_ticks(creator) : core.clock;
	thread->number = core.nr_threads++;
	thread->is_alive = true;
	thread->call = -1;
	core.is_parallel = core.nr_threads > 1;
	core.nr_alive++;
	memset(thread->loads, 0xff, sizeof(thread->loads));
	memset(thread->stores, 0xff, sizeof(thread->stores));
	thread->deadline = core.interval_end;
	thread->left = (int64_t)(ticks - thread->deadline);
	join_interval(thread);
	core_mapping(thread, TRACE_THREAD, 0, 0, NULL, thread->number, 0);
}

void core_thread_end(struct thread *thread)
{
	if (!thread->is_alive)
		return;
	core_mapping(thread, TRACE_THREAD_END, 0, 0, NULL, thread->number, 0);
	thread->is_alive = false;
	core.nr_alive--;
}

void core_pause(struct thread *thread)
{
	core_now(thread);
	look_at_blocks();
	empty_counts();
	share_clock();
	share_references();
}

void core_blocked(struct thread *thread, uint64_t blocked_ns)
{
	if (!core.is_ended)
		ring_put_blocked(&core.ring, core_now(thread), thread->number, blocked_ns);
}

void core_end(struct thread *thread)
{
	if (core.is_ended)
		return;
	core_pause(thread);
	core_mapping(thread, TRACE_PROCESS_END, 0, 0, NULL, 0, 0);
	core.is_ended = true;
	if (core.ring.lane)
		__atomic_store_n(&core.ring.lane->state, LANE_ENDED, __ATOMIC_RELEASE);
	ring_wake_writer(core.recording);
}

void core_forked(uint32_t parent_lane)
{
	struct lane *lane = ring_claim(core.recording, parent_lane, getpid(), &core.lane);
	pthread_mutex_init(&core.lock, NULL);
	ring_producer_init(&core.ring, core.recording, lane);
	core.nr_references = 0;
	if (core.counts)
		memset(core.counts, 0, sizeof(*core.counts));
	memset(core.has_run, 0, core.nr_blocks);
	memset(core.run_counts, 0, core.nr_counted * sizeof(*core.run_counts));
	core.epoch++; /* a new space: all its first touches are to come */
	core.generation++;
	core_mapping(NULL, TRACE_PROCESS, 0, 0, core.recording->program, parent_lane, 0);
	put_regions();
	share_clock();
}

block_run core_block(struct thread *thread, uint64_t address, uint64_t nr_bytes,
		     uint32_t nr_instructions)
{
	block_run run = 0;
	uint64_t first = address >> CACHE_LINE_SHIFT;
	uint64_t nr_lines = ((address + nr_bytes - 1) >> CACHE_LINE_SHIFT) - first + 1;
	if (nr_bytes == 0 || (address + nr_bytes) >> (PAGES_BITS + PAGE_SHIFT))
		return 0;
	core_lock();
	for (uint64_t i = 0; i < nr_lines; i++)
		look_at_line(thread, first + i, TRACE_FETCH, true);
	if (core.nr_blocks < CORE_BLOCKS) {
		core.blocks[core.nr_blocks].first_line = first;
		core.blocks[core.nr_blocks].nr_lines = (uint32_t)nr_lines;
		uint64_t nr = MIN(nr_instructions, BLOCK_MAX_INSTRUCTIONS);
		run = nr << BLOCK_COUNT_SHIFT | (uintptr_t)&core.has_run[core.nr_blocks++];
	}
	core_unlock();
	return run;
}

uint64_t *core_block_counter(block_run run)
{
	core_lock();
	uint64_t at = (run & (((uint64_t)1 << BLOCK_COUNT_SHIFT) - 1)) - (uintptr_t)core.has_run;
	uint64_t *counter = &core.run_counts[core.nr_counted];
	core.counted_blocks[core.nr_counted++] = (uint32_t)at;
	core_unlock();
	return counter;
}

void core_flush_blocks(void)
{
	core_lock();
	look_at_blocks();
	core.nr_blocks = 0;
	core.nr_counted = 0;
	core_unlock();
}
