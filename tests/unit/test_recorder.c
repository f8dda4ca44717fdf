/* SPDX-License-Identifier: MIT */
/* The recorder's core outside QEMU, beside naive oracles: cache, touches, intervals, maps. */
#include "test.h"

#include <sys/mman.h>

#include "../../recorder/cache.c"
#include "../../recorder/core.c"
#include "../../recorder/decode.c"
#include "../../recorder/pages.c"
#include "../../recorder/regions.c"
#include "base/random.h"
#include "trace/ring_words.h"

#define INTERVAL 1000

static struct recording *start(uint32_t streams, uint64_t cache_bytes, uint32_t ways)
{
	struct recording *recording = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(recording != MAP_FAILED);
	recording->version = RING_VERSION;
	recording->streams = streams;
	recording->interval_ticks = INTERVAL;
	recording->cache_bytes = cache_bytes;
	recording->cache_ways = ways;
	recording->writer_pid = getpid();
	assert_int_equal(core_init(recording), 0);
	core_thread_start(&core_threads[0], NULL);
	return recording;
}

static void stop(struct recording *recording)
{
	core_fini();
	munmap(recording, RING_FILE_BYTES);
}

struct event {
	unsigned kind, detail;
	uint64_t page, ticks, nr_pages;
};

/* The next record of a lane, mappings without their names; false at the end. */
static bool next_event(struct lane *lane, struct event *ret)
{
	const uint64_t *words = words_of(lane);
	while (lane->tail != lane->head) {
		uint64_t first = words[lane->tail & INDEX_MASK];
		*ret = (struct event){ .kind = (unsigned)(first >> KIND_SHIFT),
				       .detail = (first >> DETAIL_SHIFT) & 0xff,
				       .page = first & PAGE_MASK,
				       .ticks = words[(lane->tail + 1) & INDEX_MASK] };
		switch (ret->kind) {
		case KIND_THREAD:
			lane->tail++;
			continue;
		case KIND_ACCESS:
			lane->tail += 2;
			return true;
		case KIND_MAPPING:
			ret->page = words[(lane->tail + 2) & INDEX_MASK];
			ret->nr_pages = words[(lane->tail + 3) & INDEX_MASK];
			lane->tail += 7 + ((first & 0xffffff) + 7) / 8;
			return true;
		default:
			lane->tail += 3;
			return true;
		}
	}
	return false;
}

static bool next_access(struct lane *lane, struct event *ret)
{
	while (next_event(lane, ret))
		if (ret->kind == KIND_ACCESS)
			return true;
	return false;
}

/* As the plugin's callbacks do. */
static void access_as_plugin(uint64_t address, unsigned nr_bytes, bool is_store)
{
	struct thread *thread = &core_threads[0];
	bool misses = is_store ? filter_misses_store(thread, address, nr_bytes - 1)
			       : filter_misses_load(thread, address, nr_bytes - 1);
	if (misses || thread->left >= 0)
		core_access(thread, address, nr_bytes, is_store ? TRACE_WRITE : 0);
}

/* The oracle: everything in plain arrays, looked through from end to end. */
#define ORACLE_PAGES 512
#define ORACLE_LINES (ORACLE_PAGES * LINES_PER_PAGE)

struct oracle {
	uint32_t nr_sets, ways;
	uint64_t now;		     /* of the last use, for age */
	uint64_t used[ORACLE_LINES]; /* 0: not in the shared cache */
	uint32_t set_of[ORACLE_LINES];
	int64_t private[FILTER_LINES]; /* line, -1 */
	bool loaded[ORACLE_PAGES], stored[ORACLE_PAGES];
	int frame[ORACLE_PAGES], nr_frames;
	uint64_t base; /* page of the first */
};

static bool oracle_shared(struct oracle *oracle, uint32_t line)
{
	uint32_t oldest = UINT32_MAX, nr = 0;
	bool found = oracle->used[line] != 0;
	oracle->used[line] = ++oracle->now;
	oracle->set_of[line] = ((uint32_t)oracle->frame[line / LINES_PER_PAGE] * LINES_PER_PAGE +
				line % LINES_PER_PAGE) %
			       oracle->nr_sets;
	for (uint32_t i = 0; i < ORACLE_LINES; i++) {
		if (!oracle->used[i] || oracle->set_of[i] != oracle->set_of[line])
			continue;
		nr++;
		if (oldest == UINT32_MAX || oracle->used[i] < oracle->used[oldest])
			oldest = i;
	}
	if (nr > oracle->ways)
		oracle->used[oldest] = 0;
	return found;
}

static uint8_t oracle_line(struct oracle *oracle, uint32_t line, bool is_store)
{
	uint32_t page = line / LINES_PER_PAGE;
	uint8_t flags = 0;
	if (!oracle->frame[page]) {
		oracle->frame[page] = ++oracle->nr_frames;
		for (uint32_t i = 0; i < LINES_PER_PAGE; i++) /* the kernel clears it */
			oracle_shared(oracle, page * LINES_PER_PAGE + i);
	}
	if (is_store ? !oracle->stored[page] : !oracle->loaded[page])
		flags |= TRACE_TOUCH;
	oracle->loaded[page] = true;
	oracle->stored[page] |= is_store;
	uint64_t slot = (oracle->base * LINES_PER_PAGE + line) % FILTER_LINES;
	if (oracle->private[slot] != (int64_t)line && !oracle_shared(oracle, line))
		flags |= TRACE_MISS;
	oracle->private[slot] = (int64_t)line;
	return flags ? flags | (is_store ? TRACE_WRITE : 0) : 0;
}

static void oracle_interval(struct oracle *oracle)
{
	for (uint32_t i = 0; i < FILTER_LINES; i++) {
		if (oracle->private[i] >= 0)
			oracle_shared(oracle, (uint32_t)oracle->private[i]);
		oracle->private[i] = -1;
	}
	memset(oracle->loaded, 0, sizeof(oracle->loaded));
	memset(oracle->stored, 0, sizeof(oracle->stored));
}

/* A walk with locality: mostly near the last address. */
static uint64_t next_offset(struct random *random, uint64_t last)
{
	uint64_t bytes = (uint64_t)ORACLE_PAGES << PAGE_SHIFT;
	uint64_t kind = random_below(random, 16);
	if (kind == 0)
		return random_below(random, bytes - 8);
	if (kind < 4)
		return random_below(random, 64 << PAGE_SHIFT);
	return (last + random_below(random, 96)) % (bytes - 8);
}

static void compare_with_oracle(uint64_t seed, uint32_t nr_sets, uint32_t ways)
{
	struct oracle *oracle = test_calloc(1, sizeof(*oracle));
	struct recording *recording = start(TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES,
					    (uint64_t)nr_sets * ways * 64, ways);
	struct lane *lane = ring_lane(recording, 0);
	struct random random;
	struct event event;
	uint64_t offset = 0, ticks = 0;
	random_init(&random, seed);
	oracle->nr_sets = nr_sets;
	oracle->ways = ways;
	oracle->base = 0x4000812345;
	oracle->base &= ((uint64_t)1 << PAGES_BITS) - 1;
	memset(oracle->private, 0xff, sizeof(oracle->private));
	for (int i = 0; i < 20000; i++) {
		unsigned nr_bytes = 1u << random_below(&random, 4);
		bool is_store = random_below(&random, 3) == 0;
		offset = next_offset(&random, offset);
		core_threads[0].left += 7;
		uint64_t before = ticks / INTERVAL;
		ticks += 7;
		if (ticks / INTERVAL != before)
			oracle_interval(oracle);
		access_as_plugin((oracle->base << PAGE_SHIFT) + offset, nr_bytes, is_store);
		for (uint64_t line = offset / 64; line <= (offset + nr_bytes - 1) / 64; line++) {
			uint8_t flags = oracle_line(oracle, (uint32_t)line, is_store);
			if (!flags)
				continue;
			assert_true(next_access(lane, &event));
			assert_int_equal(event.detail, flags);
			assert_int_equal(event.page, oracle->base + line / LINES_PER_PAGE);
			assert_int_equal(event.ticks, ticks);
		}
		assert_false(next_access(lane, &event));
	}
	stop(recording);
	test_free(oracle);
}

static void test_events_are_those_of_the_oracle(void **state)
{
	compare_with_oracle(1, 64, 16);
	compare_with_oracle(2, 16, 4);
	compare_with_oracle(3, 24, 5);
	compare_with_oracle(4, 1, 16);
}

static void test_every_access_stands_in_all(void **state)
{
	struct recording *recording = start(TRACE_STREAM_ALL | TRACE_STREAM_COUNTS, MIB, 16);
	struct lane *lane = ring_lane(recording, 0);
	struct thread *thread = &core_threads[0];
	struct event event;
	for (int i = 0; i < 10; i++)
		core_access(thread, 0x10000, 4, 0);
	core_access(thread, 0x10ffe, 4, TRACE_WRITE); /* across two pages */
	int nr = 0;
	while (next_access(lane, &event))
		nr++;
	assert_int_equal(nr, 12);
	core_end(thread);
	int nr_counts = 0;
	while (next_event(lane, &event))
		nr_counts += event.kind == KIND_COUNT;
	assert_int_equal(nr_counts, 1);
	assert_int_equal(recording->nr_references, 11);
	stop(recording);
}

static void test_forgotten_pages_are_new(void **state)
{
	struct recording *recording = start(TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES, MIB, 16);
	struct lane *lane = ring_lane(recording, 0);
	struct event event;
	access_as_plugin(0x7000, 8, true);
	assert_true(next_access(lane, &event));
	access_as_plugin(0x7000, 8, true);
	assert_false(next_access(lane, &event));
	core_forget(0x7000, 1);
	core_tick(&core_threads[0]); /* in QEMU: the system call's own accesses */
	access_as_plugin(0x7000, 8, true);
	assert_true(next_access(lane, &event));
	assert_int_equal(event.detail, TRACE_TOUCH | TRACE_WRITE); /* just cleared: no miss */
	/* A moved page is neither new to the cache nor untouched. */
	core_move(0x7000, 0x9000, 4096);
	core_tick(&core_threads[0]);
	access_as_plugin(0x9000, 8, true);
	assert_false(next_access(lane, &event));
	access_as_plugin(0x7000, 8, false);
	assert_true(next_access(lane, &event));
	stop(recording);
}

static void test_code_is_seen_in_each_interval(void **state)
{
	struct recording *recording = start(TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES, MIB, 16);
	struct lane *lane = ring_lane(recording, 0);
	struct thread *thread = &core_threads[0];
	struct event event;
	block_run run = core_block(thread, 0x401ff0, 32, 9); /* two pages */
	uint64_t *counter = core_block_counter(core_block(thread, 0x500000, 4, 2));
	for (int i = 0; i < 3; i++)
		assert_true(next_access(lane, &event));
	assert_false(next_access(lane, &event));
	for (int interval = 0; interval < 3; interval++) {
		while (!count_block(thread, run))
			;
		*counter += 1;
		core_tick(thread);
		unsigned nr = 0;
		for (; next_access(lane, &event); nr++) {
			assert_int_equal(event.detail & ~TRACE_MISS, TRACE_TOUCH | TRACE_FETCH);
			assert_true(event.ticks < (uint64_t)(interval + 1) * INTERVAL);
		}
		/* In the first interval translation has said it already. */
		assert_int_equal(nr, interval == 0 ? 0 : 3);
	}
	core_flush_blocks();
	assert_int_equal(core.nr_blocks, 0);
	stop(recording);
}

static void test_a_child_begins_with_its_map(void **state)
{
	struct recording *recording = start(TRACE_STREAM_TOUCHES, MIB, 16);
	struct event event;
	core_mapping(NULL, TRACE_MAP, 0x10000, 0x4000, "[heap]", 0, 3);
	core_mapping(NULL, TRACE_UNMAP, 0x11000, 0x1000, NULL, 0, 0);
	access_as_plugin(0x10000, 1, false);
	core_forked(0);
	struct lane *lane = ring_lane(recording, 1);
	assert_int_equal(lane->parent, 0);
	assert_true(next_event(lane, &event));
	assert_int_equal(event.detail, TRACE_PROCESS);
	assert_true(next_event(lane, &event));
	assert_int_equal(event.page, 0x10);
	assert_int_equal(event.nr_pages, 1);
	assert_true(next_event(lane, &event));
	assert_int_equal(event.page, 0x12);
	assert_int_equal(event.nr_pages, 2);
	core_tick(&core_threads[0]);
	access_as_plugin(0x10000, 1, false); /* new to this space */
	assert_true(next_access(lane, &event));
	stop(recording);
}

static void test_threads_share_a_clock(void **state)
{
	struct recording *recording = start(TRACE_STREAM_TOUCHES, MIB, 16);
	struct thread *one = &core_threads[0], *two = &core_threads[1];
	one->left += 300;
	core_thread_start(two, one);
	assert_int_equal(thread_ticks(two), 300);
	two->left += 900; /* over the interval's end */
	core_tick(two);
	assert_int_equal(core.clock, 1200);
	assert_int_equal(thread_ticks(one), 300);
	core_tick(one); /* joins the new interval, keeps its own time */
	assert_int_equal(thread_ticks(one), 300);
	assert_int_equal(one->generation, core.generation);
	core_raise(one, core.clock);
	assert_int_equal(thread_ticks(one), 1200);
	stop(recording);
}

/* Regions beside one byte per page. */
static void test_regions_beside_an_array(void **state)
{
	static const char *const names[] = { "", "a", "b", "c" };
	struct regions regions = { 0 };
	uint8_t naive[200] = { 0 };
	struct random random;
	random_init(&random, 7);
	for (int i = 0; i < 20000; i++) {
		uint64_t first = random_below(&random, 180), nr = 1 + random_below(&random, 20);
		uint8_t name = (uint8_t)(1 + random_below(&random, 3));
		if (random_below(&random, 2)) {
			regions_map(&regions, first, nr, 1, names[name]);
			memset(naive + first, name, nr);
		} else if (random_below(&random, 4) == 0) {
			regions_protect(&regions, first, nr, 5);
		} else {
			regions_unmap(&regions, first, nr);
			memset(naive + first, 0, nr);
		}
		assert_true(regions_is_valid(&regions));
		uint8_t seen[200] = { 0 };
		for (uint32_t j = 0; j < regions.nr; j++)
			for (uint64_t k = 0; k < regions.items[j].nr; k++)
				seen[regions.items[j].first + k] =
					(uint8_t)(regions.items[j].name[0] - 'a' + 1);
		assert_memory_equal(seen, naive, sizeof(seen));
	}
	regions_fini(&regions);
}

static void test_pages_far_apart(void **state)
{
	struct pages *pages = test_calloc(1, sizeof(*pages));
	uint64_t leaf_end = PAGES_LEAF * 3;
	for (uint64_t i = 0; i < 100000; i++)
		pages_get(pages, leaf_end - 50000 + i)->frame = (uint32_t)i + 1;
	pages_forget(pages, leaf_end - 49999, 99998);
	assert_int_equal(pages_get(pages, leaf_end - 50000)->frame, 1);
	assert_int_equal(pages_get(pages, leaf_end - 49999)->frame, 0);
	assert_int_equal(pages_get(pages, leaf_end)->frame, 0);
	assert_int_equal(pages_get(pages, leaf_end + 49998)->frame, 0);
	assert_int_equal(pages_get(pages, leaf_end + 49999)->frame, 100000);
	pages_forget(pages, 0, UINT64_MAX >> 12); /* everything, nothing mapped for it */
	assert_int_equal(pages_get(pages, leaf_end + 49999)->frame, 0);
	pages_fini(pages);
	test_free(pages);
}

static void test_decoding(void **state)
{
	static const struct {
		uint8_t bytes[8], nr, may, sure, max_bytes;
	} known[] = {
		{ { 0x48, 0x8b, 0x45, 0xf8 },
		  4,
		  ACCESS_LOAD,
		  ACCESS_LOAD,
		  8 },							    /* mov -8(%rbp),%rax */
		{ { 0x8b, 0x45, 0xf8 }, 3, ACCESS_LOAD, ACCESS_LOAD, 4 },   /* mov -8(%rbp),%eax */
		{ { 0x89, 0x45, 0xf8 }, 3, ACCESS_STORE, ACCESS_STORE, 4 }, /* mov %eax,-8(%rbp) */
		{ { 0x89, 0xc3 }, 2, ACCESS_NONE, ACCESS_NONE, 8 },	    /* mov %eax,%ebx */
		{ { 0x0f, 0xb6, 0x00 }, 3, ACCESS_LOAD, ACCESS_LOAD, 1 },   /* movzbl (%rax),%eax */
		{ { 0x83, 0x00, 0x01 }, 3, ACCESS_BOTH, ACCESS_LOAD, 4 },   /* addl $1,(%rax) */
		{ { 0x83, 0x38, 0x01 }, 3, ACCESS_LOAD, ACCESS_LOAD, 4 },   /* cmpl $1,(%rax) */
		{ { 0xf0, 0x83, 0x00, 0x01 }, 4, ACCESS_BOTH, ACCESS_NONE, 8 }, /* lock addl */
		{ { 0x53 }, 1, ACCESS_STORE, ACCESS_STORE, 8 },			/* push %rbx */
		{ { 0xc3 }, 1, ACCESS_LOAD, ACCESS_LOAD, 8 },			/* ret */
		{ { 0xff, 0xd0 }, 2, ACCESS_STORE, ACCESS_STORE, 8 },		/* call *%rax */
		{ { 0xff, 0x10 }, 2, ACCESS_BOTH, ACCESS_LOAD, 8 },		/* call *(%rax) */
		{ { 0xff, 0xe0 }, 2, ACCESS_NONE, ACCESS_NONE, 8 },		/* jmp *%rax */
		{ { 0xf3, 0xa4 }, 2, ACCESS_BOTH, ACCESS_NONE, 8 },		/* rep movsb */
		{ { 0x0f, 0x28, 0x00 }, 3, ACCESS_BOTH, ACCESS_NONE, 8 },	/* movaps (%rax) */
		{ { 0x8d, 0x45, 0xf8 }, 3, ACCESS_NONE, ACCESS_NONE, 8 },	/* lea */
		{ { 0x74, 0x10 }, 2, ACCESS_NONE, ACCESS_NONE, 8 },		/* je */
		{ { 0x0f }, 1, ACCESS_BOTH, ACCESS_NONE, 8 },			/* cut short */
		{ { 0x48 }, 1, ACCESS_BOTH, ACCESS_NONE, 8 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct decoded decoded = decode(known[i].bytes, known[i].nr);
		assert_int_equal(decoded.may, known[i].may);
		assert_int_equal(decoded.sure, known[i].sure);
		assert_int_equal(decoded.max_bytes, known[i].max_bytes);
	}
}

static void test_decoding_never_reads_past_the_end(void **state)
{
	struct random random;
	random_init(&random, 11);
	for (int i = 0; i < 200000; i++) {
		size_t nr = random_below(&random, 16);
		uint8_t *bytes = malloc(nr ? nr : 1);
		for (size_t j = 0; j < nr; j++)
			bytes[j] = (uint8_t)random_below(&random, 256);
		struct decoded decoded = decode(bytes, nr);
		assert_true(!decoded.sure || (decoded.may & decoded.sure));
		free(bytes);
	}
}
