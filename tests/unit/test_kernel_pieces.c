/* SPDX-License-Identifier: MIT */
/*
 * Linux piece by piece, against scripts: watermarks, hot-page selection and the hint-fault scanner.
 * The figures are worked out by hand from the kernel's formulas (shared facts: tiering.md 1).
 */
#include "test.h"

#include "sim/kernel/hot.h"
#include "sim/kernel/scan.h"
#include "sim/kernel/watermark.h"

#define GIB_PAGES ((uint64_t)1 << 18)
#define MIB_PAGES 256

static const struct {
	uint64_t gib, min_free_kbytes, high_mib, promo_mib, bypass_mib;
} mark_table[] = {
	/* min_free = sqrt(16 x kB); at 256 MiB it stops. */
	{ 1, 4096, 6, 7, 1031 },	 { 16, 16384, 48, 65, 1089 },
	{ 64, 32768, 163, 228, 4324 },	 { 128, 46340, 307, 438, 8630 },
	{ 256, 65536, 588, 850, 17234 }, { 512, 92681, 1139, 1663, 34431 },
};

static void test_watermarks_of_one_zone_nodes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mark_table); i++) {
		uint64_t pages = mark_table[i].gib * GIB_PAGES;
		struct watermark_config config = {
			.min_free_kbytes = watermark_min_free_kbytes(pages * 4),
			.lowmem_pages = pages,
			.scale = WATERMARK_SCALE_DEFAULT,
			.page_bytes = 4096,
		};
		struct watermarks marks;
		watermarks_compute(&config, pages, false, &marks);
		assert_int_equal(config.min_free_kbytes, mark_table[i].min_free_kbytes);
		assert_int_equal(marks.high / MIB_PAGES, mark_table[i].high_mib);
		assert_int_equal(marks.promo / MIB_PAGES, mark_table[i].promo_mib);
		assert_int_equal(watermark_bypass_pages(&marks, pages, 4096) / MIB_PAGES,
				 mark_table[i].bypass_mib);
		assert_int_equal(marks.promo - marks.high, marks.high - marks.low);
		assert_int_equal(marks.low - marks.min, marks.high - marks.low);
	}
}

static void test_watermarks_of_movable_memory_have_a_small_minimum(void **state)
{
	struct watermark_config config = { 46340, 128 * GIB_PAGES, 10, 4096 };
	struct watermarks marks;
	watermarks_compute(&config, 64 * GIB_PAGES, true, &marks);
	assert_int_equal(marks.min, 128);
	watermarks_compute(&config, 1000, true, &marks);
	assert_int_equal(marks.min, 32);
	watermarks_compute(&config, 64 * 1024, true, &marks);
	assert_int_equal(marks.min, 64);
}

static void test_watermarks_rise_for_huge_pages(void **state)
{
	/* Three zones of one node: 3 x (2 + 9) blocks of 2 MiB; small machines: 5 % at most. */
	assert_int_equal(watermark_min_free_kbytes_huge(16 << 20, 3, 512, 4096), 33 * 2048);
	assert_int_equal(watermark_min_free_kbytes_huge(1 << 20, 3, 512, 4096), 52428);
	assert_int_equal(watermark_min_free_kbytes_huge(512 << 20, 3, 512, 4096), 92681);
	assert_int_equal(watermark_min_free_kbytes(0), 128);
	assert_int_equal(watermark_min_free_kbytes(UINT64_MAX), 262144);
}

static const struct hot_config hot_defaults = {
	.threshold_ms = 1000,
	.adjust_period_ms = 60000,
	.limit_pages_per_s = 65536 * (uint64_t)MIB_PAGES,
	.bypass_pages = 300000,
};

/* With the default limit nobody ever reaches 90 % of it: up by 125 ms a minute, to twice. */
static void test_hot_threshold_climbs_its_staircase(void **state)
{
	static const uint64_t stairs[] = { 1125, 1250, 1375, 1500, 1625, 1750, 1875, 2000, 2000 };
	struct hot_node node = { 0 };
	for (size_t minute = 0; minute < ARRAY_SIZE(stairs); minute++) {
		uint64_t now_ms = 60001 * (minute + 1);
		assert_int_equal(hot_decide(&node, &hot_defaults, now_ms, 1, 1000, 1), HOT_PROMOTE);
		assert_int_equal(node.threshold_ms, stairs[minute]);
		hot_decide(&node, &hot_defaults, now_ms + 59999, 1, 1000, 1);
		assert_int_equal(node.threshold_ms, stairs[minute]);
	}
	assert_int_equal(hot_decide(&node, &hot_defaults, 600000, 1999, 1000, 1), HOT_PROMOTE);
	assert_int_equal(hot_decide(&node, &hot_defaults, 600000, 2000, 1000, 1), HOT_COLD);
}

static void test_hot_threshold_falls_to_its_last_step(void **state)
{
	struct hot_config config = hot_defaults;
	struct hot_node node = { 0 };
	config.limit_pages_per_s = 10;
	for (uint64_t minute = 1; minute <= 20; minute++) {
		node.nr_candidates += 10 * 60 * 2;
		hot_decide(&node, &config, 60001 * minute, 124, 0, 1);
		uint64_t steps = MIN(minute, 7);
		assert_int_equal(node.threshold_ms, 1000 - 125 * steps);
	}
	config.is_fixed = true;
	hot_decide(&node, &config, 60001 * 30, 124, 0, 1);
	assert_int_equal(node.threshold_ms, 125);
}

static void test_hot_bypass_forgets_the_threshold(void **state)
{
	struct hot_config config = hot_defaults;
	struct hot_node node = { .threshold_ms = 1500 };
	assert_int_equal(hot_decide(&node, &config, 10, 4000, 300000, 1), HOT_COLD);
	assert_int_equal(hot_decide(&node, &config, 10, 4000, 300001, 512), HOT_FREE_SPACE);
	assert_int_equal(node.threshold_ms, 0);
	assert_int_equal(node.nr_candidates + node.nr_candidates_nrl, 0);
	config.counts_bypass = true;
	hot_decide(&node, &config, 10, 4000, 300001, 512);
	assert_int_equal(node.nr_candidates_nrl, 512);
}

/* The limit is on attempts within a second, which begins with the first one after the last. */
static void test_hot_rate_limit_counts_attempts(void **state)
{
	struct hot_config config = hot_defaults;
	struct hot_node node = { 0 };
	config.limit_pages_per_s = 100;
	uint64_t promoted = 0;
	for (int i = 0; i < 300; i++)
		promoted += hot_decide(&node, &config, 5000 + i, 1, 0, 1) == HOT_PROMOTE;
	/* The first opens the window and is not in it: base is the count with it. */
	assert_int_equal(promoted, 100);
	assert_int_equal(node.nr_candidates, 300);
	assert_int_equal(hot_decide(&node, &config, 6000, 1, 0, 1), HOT_LIMITED);
	assert_int_equal(hot_decide(&node, &config, 6001, 1, 0, 1), HOT_PROMOTE);
	assert_int_equal(hot_decide(&node, &config, 6002, 1, 0, 512), HOT_LIMITED);
}

static void test_hot_latency_wraps_with_its_field(void **state)
{
	assert_int_equal(hot_latency_ms(1000, 1500), 500);
	assert_int_equal(hot_latency_ms(1000, 1000 + 4096), 4096);
	assert_int_equal(hot_latency_ms(1000, 1000 + (1 << HOT_TIME_BITS) - 1), 2097151);
	assert_int_equal(hot_latency_ms(1000, 1000 + (1 << HOT_TIME_BITS)), 0);
}

static const struct scan_config scan_defaults = {
	SCAN_DELAY_MS, SCAN_PERIOD_MIN_MS, SCAN_PERIOD_MAX_MS, SCAN_SIZE_MB, 4096, 512
};

static void test_scan_period_bounds_follow_the_resident_size(void **state)
{
	static const struct {
		uint64_t mib, min_ms, max_ms;
	} table[] = {
		{ 0, 1000, 60000 },    { 256, 1000, 60000 }, { 257, 500, 30000 },
		{ 1024, 250, 15000 },  { 2560, 100, 6000 },  { 16 << 10, 100, 937 },
		{ 1 << 20, 100, 100 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t pages = table[i].mib * MIB_PAGES;
		assert_int_equal(scan_period_min_ms(&scan_defaults, pages), table[i].min_ms);
		assert_int_equal(scan_period_max_ms(&scan_defaults, pages), table[i].max_ms);
	}
}

struct armed { /* what the scanner asked for */
	struct {
		uint64_t start, end;
	} ranges[64];
	size_t nr;
	bool is_empty; /* there is nothing to arm anywhere */
	unsigned skips[SCAN_NR_SKIPS];
};

static uint64_t note_armed(void *context, uint64_t start, uint64_t end)
{
	struct armed *armed = context;
	assert_true(armed->nr < ARRAY_SIZE(armed->ranges));
	armed->ranges[armed->nr].start = start;
	armed->ranges[armed->nr++].end = end;
	return armed->is_empty ? 0 : end - start;
}

static void note_skipped(void *context, const struct scan_area *area, enum scan_skip why)
{
	((struct armed *)context)->skips[why]++;
}

static const struct scan_ops note_ops = { note_armed, note_skipped };

static uint64_t run_at(struct scan_task *task, uint64_t now_ms, struct scan_area *areas, size_t nr,
		       struct armed *armed)
{
	armed->nr = 0;
	task->next_scan_ms = MIN(task->next_scan_ms, now_ms) ? MIN(task->next_scan_ms, now_ms) : 1;
	return scan_run(task, &scan_defaults, now_ms, 700 * MIB_PAGES, areas, nr, &note_ops, armed);
}

/* 700 MiB in one mapping: 256 + 256 + 188, then a new sequence. */
static void test_scan_takes_a_window_a_run(void **state)
{
	struct scan_area area = { .start = 100, .end = 100 + 700 * MIB_PAGES };
	struct armed armed = { 0 };
	struct scan_task task;
	scan_task_init(&task, &scan_defaults);
	assert_int_equal(scan_run(&task, &scan_defaults, 10, 1, &area, 1, &note_ops, &armed), 0);
	assert_int_equal(task.next_scan_ms, 1010);
	assert_int_equal(run_at(&task, 1010, &area, 1, &armed), 65536 + 412); /* up to 2 MiB */
	assert_int_equal(armed.ranges[0].end % 512, 0);
	assert_int_equal(task.offset, armed.ranges[0].end);
	assert_int_equal(task.next_scan_ms, 1010 + 1000);
	assert_int_equal(run_at(&task, 2010, &area, 1, &armed), 65536);
	assert_int_equal(run_at(&task, 3010, &area, 1, &armed), 700 * MIB_PAGES - 2 * 65536 - 412);
	assert_int_equal(task.seq, 1);
	assert_int_equal(task.offset, 0);
	/* Within the first delay after an area was met nothing is armed from sequence 1 on. */
	assert_int_equal(run_at(&task, 2005, &area, 1, &armed), 0);
}

/* Nothing to arm: eight windows of address space are passed in one run. */
static void test_scan_passes_empty_ranges_faster(void **state)
{
	struct scan_area area = { .start = 0, .end = (uint64_t)64 * GIB_PAGES };
	struct armed armed = { .is_empty = true };
	struct scan_task task;
	scan_task_init(&task, &scan_defaults);
	assert_int_equal(run_at(&task, 5000, &area, 1, &armed), 0);
	assert_int_equal(armed.nr, 8);
	assert_int_equal(task.offset, 8 * 65536);
}

static void test_scan_skips_what_the_task_does_not_use(void **state)
{
	struct scan_area areas[] = {
		{ .start = 0, .end = 1000 },
		{ .start = 2000, .end = 3000, .is_unsuitable = true },
		{ .start = 4000, .end = 5000 },
	};
	struct armed armed = { 0 };
	struct scan_task task;
	scan_task_init(&task, &scan_defaults);
	uint64_t now_ms = 5000;
	/* Sequences 0 and 1 take both; later only the one that faulted. */
	for (int i = 0; i < 2; i++, now_ms += 2000)
		assert_int_equal(run_at(&task, now_ms, areas, 3, &armed), 2000);
	scan_area_faulted(&areas[2]);
	/* The other is left out, then taken by force when the end is reached; the sequence goes on
	 * from there and finds the rest done. */
	assert_int_equal(run_at(&task, now_ms, areas, 3, &armed), 2000);
	assert_int_equal(armed.ranges[0].start, 4000);
	assert_int_equal(armed.ranges[1].start, 0);
	assert_int_equal(armed.skips[SCAN_SKIP_PID_INACTIVE], 1);
	assert_int_equal(task.seq, 2);
	assert_int_equal(task.offset, 1000);
	assert_int_equal(run_at(&task, now_ms + 2000, areas, 3, &armed), 0);
	assert_int_equal(armed.skips[SCAN_SKIP_SEQ_COMPLETED], 1);
	assert_int_equal(task.seq, 3);
}

static void test_scan_forces_one_area_when_none_is_used(void **state)
{
	struct scan_area areas[] = { { .start = 0, .end = 100 }, { .start = 200, .end = 300 } };
	struct armed armed = { 0 };
	struct scan_task task;
	scan_task_init(&task, &scan_defaults);
	run_at(&task, 5000, areas, 2, &armed);
	run_at(&task, 7000, areas, 2, &armed);
	assert_int_equal(run_at(&task, 9000, areas, 2, &armed), 100);
	assert_int_equal(armed.ranges[0].start, 0);
	assert_int_equal(task.seq, 2);
	assert_int_equal(task.offset, 100);
}

/* Mode 2 alone: every fault that counts is a promotion, remote and private: the period doubles. */
static void test_scan_period_doubles_when_all_is_promotion(void **state)
{
	static const uint64_t periods[] = { 666, 1332, 2664, 5328, 10656, 20000, 20000 };
	struct scan_task task = { .period_ms = 333 };
	struct scan_fault fault = { .nr_pages = 1, .is_private = true };
	for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
		task.seq++;
		scan_fault(&task, &scan_defaults, &fault, 5000 * (i + 1), 700 * MIB_PAGES);
		assert_int_equal(task.period_ms, periods[i]);
	}
	scan_fault(&task, &scan_defaults, &fault, 100000, 700 * MIB_PAGES);
	assert_int_equal(task.period_ms, 20000);
}

static void test_scan_period_follows_locality(void **state)
{
	static const struct {
		uint64_t local, remote, private, shared, failed, before, after;
	} table[] = {
		{ 90, 10, 100, 0, 0, 2000, 2600 }, /* private: 3 slots slower */
		{ 10, 90, 70, 30, 0, 2000, 2200 }, /* just private: one slot */
		{ 80, 20, 0, 100, 0, 2000, 2200 }, /* local: one slot */
		{ 20, 80, 10, 90, 0, 2000, 1000 }, /* remote and shared: 5 slots faster */
		{ 0, 100, 0, 100, 0, 2000, 600 },  /* 7 */
		{ 50, 50, 50, 50, 3, 2000, 4000 }, /* a failed migration */
		{ 20, 80, 10, 90, 0, 400, 333 },   /* not below the minimum */
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct scan_task task = {
			.period_ms = table[i].before,
			.seq = 1,
			.nr_local = table[i].local,
			.nr_remote = table[i].remote,
			.nr_private = table[i].private,
			.nr_shared = table[i].shared,
			.nr_failed = table[i].failed,
		};
		struct scan_fault fault = { .nr_pages = 1 };
		scan_fault(&task, &scan_defaults, &fault, 5000, 700 * MIB_PAGES);
		assert_int_equal(task.period_ms, table[i].after);
		assert_int_equal(task.nr_remote, 1);
	}
}

/* Due by runtime, not by the wall clock; what scanning took is paid 32 times over. */
static void test_scan_is_due_by_runtime(void **state)
{
	struct scan_task task;
	scan_task_init(&task, &scan_defaults);
	assert_false(scan_is_due(&task, &scan_defaults, 5000, 1000 * NS_PER_MS, 700 * MIB_PAGES));
	assert_true(scan_is_due(&task, &scan_defaults, 5000, 1001 * NS_PER_MS, 700 * MIB_PAGES));
	assert_int_equal(task.period_ms, 333);
	assert_false(scan_is_due(&task, &scan_defaults, 5000, 1333 * NS_PER_MS, 700 * MIB_PAGES));
	scan_charge(&task, 10 * NS_PER_MS);
	assert_false(scan_is_due(&task, &scan_defaults, 5000, 1653 * NS_PER_MS, 700 * MIB_PAGES));
	assert_true(scan_is_due(&task, &scan_defaults, 5000, 1654 * NS_PER_MS, 700 * MIB_PAGES));
}
