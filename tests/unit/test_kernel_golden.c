/* SPDX-License-Identifier: MIT */
/*
 * Golden tables of the modelled Linux, piece by piece: scripted faults, allocations and promotions,
 * and what the pieces made of them, exact to the page and millisecond. tests/golden/kernel/ has one
 * table per piece; each begins with what was scripted, so that it can be checked by hand.
 *
 * tests/golden/update runs this with BERTH_GOLDEN=tables to print them anew.
 */
#include "test.h"

#include "kernel_fixture.h"

#define MIB_PAGES  256
#define TABLE_SIZE 262144

static void check_golden(const char *name, const struct printbuf *table)
{
	const char *top = getenv("TOP"), *wish = getenv("BERTH_GOLDEN");
	char path[512], *text = calloc(1, TABLE_SIZE);
	snprintf(path, sizeof(path), "%s/tests/golden/kernel/%s.table", top ? top : ".", name);
	FILE *file = fopen(path, wish ? "w" : "r");
	assert_non_null(file);
	assert_non_null(text);
	if (wish)
		fputs(printbuf_str(table), file);
	else
		assert_true(fread(text, 1, TABLE_SIZE - 1, file) > 0);
	fclose(file);
	if (!wish)
		assert_string_equal(printbuf_str(table), text);
	free(text);
}

static void prt_numbers(struct printbuf *out, const uint64_t *numbers, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		prt_char(out, ' ');
		prt_u64(out, numbers[i]);
	}
	prt_char(out, '\n');
}

#define PRT_ROW(out, ...)                                                                          \
	do {                                                                                       \
		const uint64_t numbers[] = { __VA_ARGS__ };                                        \
		prt_numbers(out, numbers, ARRAY_SIZE(numbers));                                    \
	} while (0)

/* Watermarks and the line of free memory above which everything is promoted. */
static void test_golden_marks(void **state)
{
	static const uint64_t mib[] = { 64, 256, 512, 1024, 4096, 16384, 65536, 131072, 524288 };
	PRINTBUF(out);
	prt_str(&out, "one node of so many MiB; pages of 4 KiB; defaults\n"
		      "zone MiB min_free_kbytes min low high promo bypass bypass_MiB\n");
	for (size_t i = 0; i < ARRAY_SIZE(mib) * 2; i++) {
		bool is_movable = i >= ARRAY_SIZE(mib);
		uint64_t pages = mib[i % ARRAY_SIZE(mib)] * MIB_PAGES;
		struct watermark_config config = { watermark_min_free_kbytes(pages * 4), pages,
						   WATERMARK_SCALE_DEFAULT, 4096 };
		struct watermarks marks;
		watermarks_compute(&config, pages, is_movable, &marks);
		uint64_t bypass = watermark_bypass_pages(&marks, pages, 4096);
		prt_str(&out, is_movable ? "movable" : "normal");
		PRT_ROW(&out, pages / MIB_PAGES, config.min_free_kbytes, marks.min, marks.low,
			marks.high, marks.promo, bypass, bypass / MIB_PAGES);
	}
	check_golden("marks", &out);
}

static const struct hot_config hot_defaults = {
	.threshold_ms = 1000,
	.adjust_period_ms = 60000,
	.limit_pages_per_s = 65536 * (uint64_t)MIB_PAGES,
	.bypass_pages = UINT64_MAX,
};

/* So many hot faults a second, all of one page, for some minutes; a line per adjustment. */
static void climb(struct printbuf *out, uint64_t limit_mbps, uint64_t pages_per_s, uint64_t minutes)
{
	struct hot_config config = hot_defaults;
	struct hot_node node = { 0 };
	uint64_t before = 0, promoted = 0;
	config.limit_pages_per_s = limit_mbps * MIB_PAGES;
	prt_printf(out, "limit %llu MB/s, %llu candidates a second\n",
		   (unsigned long long)limit_mbps, (unsigned long long)pages_per_s);
	for (uint64_t second = 1; second <= minutes * 61; second++) {
		for (uint64_t i = 0; i < pages_per_s; i++)
			promoted += hot_verdict_is_promotion(
				hot_decide(&node, &config, second * 1000 + i % 1000, 1, 0, 1));
		if (node.threshold_ms != before)
			PRT_ROW(out, second, node.threshold_ms, node.nr_candidates, promoted);
		before = node.threshold_ms;
	}
}

static void test_golden_threshold(void **state)
{
	PRINTBUF(out);
	prt_str(&out, "every fault is hot (1 ms); a line when the threshold changed:\n"
		      "second threshold_ms candidates promoted\n");
	climb(&out, 65536, 100, 10); /* stock: the limit is never near: up to twice */
	climb(&out, 1, 300, 17);     /* 256 pages/s allowed, 117 % asked for: down to a step */
	climb(&out, 1, 256, 3);	     /* between 90 and 110 %: after the first, left alone */
	climb(&out, 1, 200, 10);     /* 78 %: up */
	check_golden("threshold", &out);
}

static void test_golden_rate_limit(void **state)
{
	static const struct {
		uint64_t ms, pages;
	} script[] = {
		{ 5000, 1 },  { 5001, 50 }, { 5100, 48 },  { 5200, 1 },	 { 5300, 1 }, { 5999, 1 },
		{ 6000, 30 }, { 6001, 99 }, { 6002, 1 },   { 6500, 1 },	 { 7001, 1 }, { 7002, 512 },
		{ 7003, 1 },  { 7004, 1 },  { 9500, 512 }, { 9501, 98 }, { 9502, 1 }, { 9503, 1 },
	};
	static const char *const words[] = { "bypass", "promote", "cold", "limited" };
	struct hot_config config = hot_defaults;
	struct hot_node node = { 0 };
	PRINTBUF(out);
	config.limit_pages_per_s = 100;
	prt_str(&out,
		"100 pages a second; attempts count even when over the limit, and the one that\n"
		"opens a second is not in it\nverdict ms pages candidates window_start "
		"in_window\n");
	for (size_t i = 0; i < ARRAY_SIZE(script); i++) {
		prt_str(&out,
			words[hot_decide(&node, &config, script[i].ms, 1, 0, script[i].pages)]);
		PRT_ROW(&out, script[i].ms, script[i].pages, node.nr_candidates,
			node.limit_start_ms, node.nr_candidates - node.limit_nr_candidates);
	}
	check_golden("rate_limit", &out);
}

struct scan_log {
	struct printbuf *out;
	uint64_t now_ms;
	uint64_t first, end, nr;
};

static uint64_t log_armed(void *context, uint64_t start, uint64_t end)
{
	struct scan_log *log = context;
	log->first = MIN(log->first, start);
	log->end = end;
	log->nr += end - start;
	return end - start;
}

static const struct scan_ops log_ops = { .arm = log_armed };

/* 700 MiB in one mapping, the scheduler's tick every 4 ms; ten faults a second, private ones, and
 * from `shared_ms` on remote and shared ones. */
static void scan(struct printbuf *out, bool is_local, uint64_t shared_ms, uint64_t seconds)
{
	struct scan_config config = {
		SCAN_DELAY_MS, SCAN_PERIOD_MIN_MS, SCAN_PERIOD_MAX_MS, SCAN_SIZE_MB, 4096, 512
	};
	struct scan_area area = { .start = 100, .end = 100 + 700 * MIB_PAGES };
	struct scan_task task;
	prt_printf(out, "faults are %s and private; from %llu ms on remote and shared\n",
		   is_local ? "local" : "remote", (unsigned long long)shared_ms);
	scan_task_init(&task, &config);
	for (uint64_t ms = 4; ms <= seconds * 1000; ms += 4) {
		struct scan_log log = { .first = UINT64_MAX };
		bool is_private = ms < shared_ms;
		struct scan_fault fault = { 1, is_local && is_private, is_private, false };
		scan_area_faulted(&area);
		if (ms % 100 == 0)
			scan_fault(&task, &config, &fault, ms, 700 * MIB_PAGES);
		if (!scan_is_due(&task, &config, ms, ms * NS_PER_MS, 700 * MIB_PAGES))
			continue;
		scan_run(&task, &config, ms, 700 * MIB_PAGES, &area, 1, &log_ops, &log);
		if (log.nr > 0)
			PRT_ROW(out, ms, log.first, log.end, log.nr, task.seq, task.period_ms);
	}
}

static void test_golden_scan(void **state)
{
	PRINTBUF(out);
	prt_str(&out, "one mapping of 700 MiB from page 100 on, all of it resident\n"
		      "ms first_page end_page armed sequence period_ms\n");
	scan(&out, false, 120000, 120); /* as in mode 2: the period doubles up to 20 s */
	scan(&out, true, 12000, 30);	/* all is well: slower; then faster, to the minimum */
	check_golden("scan", &out);
}

#define THREE                                                                                      \
	"node:dram:16MiB@80ns/100GBps:cpus=0 node:cxl:16MiB@250ns/30GBps "                         \
	"node:pmem:16MiB@400ns/10GBps"

/* First touches until the machine is full; a line where the node changes. */
static void fill(struct printbuf *out, const char *spec)
{
	struct box box;
	uint32_t node = UINT32_MAX, page = 0;
	box_open(&box, THREE, spec, 3 * 4096 + 1);
	prt_printf(out, "%s\n", spec);
	for (; kernel_fault(box.kernel, page, UINT32_MAX) == 0; page++) {
		const struct kernel_node *nodes = box.kernel->nodes;
		if (box.kernel->pages[page].node == node)
			continue;
		node = box.kernel->pages[page].node;
		PRT_ROW(out, page, node, nodes[0].free_pages, nodes[1].free_pages,
			nodes[2].free_pages);
	}
	prt_printf(out, "full after %u pages\n", page);
	box_close(&box);
}

static void test_golden_fallback(void **state)
{
	PRINTBUF(out);
	prt_str(&out, "three nodes of 4,096 pages; a line when first touches go to another node:\n"
		      "page node free_0 free_1 free_2\n");
	fill(&out, "linux-none");
	fill(&out, "linux-none:watermark_scale_factor=1000");
	fill(&out, "6.12");
	fill(&out, "linux-tiering");
	check_golden("fallback", &out);
}

static void test_golden_demotion_targets(void **state)
{
	static const char *const lines[] = {
		"node:dram:1GiB@80ns/100GBps:cpus=0 node:cxl:1GiB@250ns/30GBps",
		"node:dram:1GiB@80ns/100GBps:cpus=0 node:dram:1GiB@80ns/100GBps:cpus=1 "
		"node:cxl:1GiB@250ns/30GBps",
		"node:hbm:1GiB@70ns/400GBps:cpus=0 node:dram:1GiB@80ns/100GBps "
		"node:cxl:1GiB@250ns/30GBps node:cxl:1GiB@300ns/30GBps node:pmem:1GiB@900ns/10GBps",
	};
	PRINTBUF(out);
	prt_str(&out, "node tier top: targets in the order they are tried\n");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct box box;
		box_open(&box, lines[i], "linux-tiering", 1);
		prt_printf(&out, "%s\n", lines[i]);
		for (uint32_t node = 0; node < box.machine->nr_nodes; node++) {
			const struct linux_node *from = &linux_of(box.kernel)->nodes[node];
			prt_printf(&out, "%u %u %s:", node, box.machine->nodes[node].tier,
				   from->is_top ? "yes" : "no");
			for (uint32_t j = 0; j < from->nr_targets; j++)
				prt_printf(&out, " %u", from->targets[j]);
			prt_char(&out, '\n');
		}
		box_close(&box);
	}
	check_golden("demotion_targets", &out);
}

#define TWO "node:dram:64MiB@80ns/100GBps:cpus=0 node:cxl:128MiB@250ns/30GBps"

/* Every 10 ms some pages of slow memory want to be promoted, as after hint faults. A line when
 * kswapd changed what it does. */
static void cycle(struct printbuf *out, const char *spec, uint32_t wants, uint64_t end_ms)
{
	struct box box;
	uint32_t next = 17000;
	enum kswapd_state before = KSWAPD_ASLEEP;
	box_open(&box, TWO, spec, 65536);
	struct linux_kernel *state = linux_of(box.kernel);
	for (uint32_t page = 0; page < 40000; page++)
		assert_int_equal(kernel_fault(box.kernel, page, UINT32_MAX), 0);
	prt_printf(out, "%s, %u promotions wanted every 10 ms\n", spec, wants);
	for (uint64_t ms = 10; ms <= end_ms; ms += 10) {
		uint64_t refused = 0;
		box.kernel->now_ns = ms * NS_PER_MS;
		linux_tick(box.kernel);
		for (uint32_t i = 0; i < wants; i++)
			if (box.kernel->nodes[0].free_pages > linux_marks_now(state, 0).high + 1) {
				kernel_migrate(box.kernel, next++, 0);
			} else {
				refused++;
				linux_boost(state, 0);
				linux_wake_kswapd(state, 0, 0);
			}
		const struct kswapd *kswapd = &state->nodes[0].kswapd;
		if (kswapd->state != before || ms == end_ms)
			PRT_ROW(out, ms, kswapd->state, box.kernel->nodes[0].free_pages,
				state->nodes[0].boost_pages, refused, next - 17000,
				state->counters[LINUX_PGDEMOTE_KSWAPD], kswapd->nr_runs,
				kswapd->nr_low_quickly);
		before = kswapd->state;
	}
	box_close(&box);
}

static void test_golden_kswapd(void **state)
{
	PRINTBUF(out);
	prt_str(&out,
		"64 MiB fast: LOW 320, HIGH 384, PROMO 448 pages; filled to LOW at the start\n"
		"state: 0 asleep, 1 naps, 2 works\n"
		"ms state free boost refused promoted demoted pageoutrun low_quickly\n");
	cycle(&out, "linux-tiering", 8, 1500);
	cycle(&out, "linux-tiering:wmark=fixed10mb", 8, 4000);
	cycle(&out, "linux-tiering:wmark=boost", 8, 2000);
	cycle(&out, "linux-tiering:lru_gen=0", 8, 700);
	cycle(&out, "linux-tiering", 100, 200);
	check_golden("kswapd", &out);
}

static void emit_counter(void *context, const char *name, uint64_t value)
{
	prt_printf(context, "%s %llu\n", name, (unsigned long long)value);
}

/* 4 MiB hot that was touched last, so that it starts in slow memory; a cold rest; 100 s. */
static struct tape hot_tape(void)
{
	struct tape tape = tape_new();
	struct random random;
	uint64_t time_ns = 0;
	random_init(&random, 11);
	for (uint32_t i = 0; i < 6144; i++)
		tape_access(&tape, time_ns += 1000, 0, 0x1000 + i, TRACE_MISS | TRACE_TOUCH);
	for (uint32_t i = 0; i < 150000; i++) {
		uint64_t page = random_below(&random, 16) ? 5120 + random_below(&random, 1024)
							  : random_below(&random, 6144);
		uint8_t flags = random_below(&random, 4) ? TRACE_MISS : TRACE_MISS | TRACE_WRITE;
		tape_access(&tape, time_ns += 600, 0, 0x1000 + page, flags);
	}
	return tape;
}

static void test_golden_presets(void **state)
{
	static const char *const specs[] = {
		"linux-none",
		"linux-numab",
		"linux-tiering",
		"linux-tiering:version=7.3",
		"6.12",
		"7.3",
		"linux-tiering:gate=active-lru",
		"linux-tiering:gate=active-lru,lru_gen=0",
		"linux-tiering:wmark=fixed10mb",
		"linux-tiering:wmark=boost",
		"linux-tiering:threshold=fixed,hot_threshold_ms=100",
		"linux-tiering:promote_rate_limit_MBps=1",
		"linux-tiering:lru_gen=0",
		"nomad",
	};
	struct machine *machine = machine_two_tiers(4096, 8192);
	struct tape tape = hot_tape();
	struct sim_config config = { .machine = machine,
				     .policies = specs,
				     .nr_policies = ARRAY_SIZE(specs),
				     .dilate = 1000 };
	struct sim_set *set = tape_simulate(&tape, &config);
	PRINTBUF(out);
	prt_str(&out,
		"24 MiB used, 16 MiB fast; 4 MiB are hot and were touched last; about 96 s\n");
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *result = sim_set_result(set, i);
		prt_printf(&out, "\n%s\nfast_misses %llu\n", result->policy,
			   (unsigned long long)result->fast_misses);
		sim_set_counters(set, i, emit_counter, &out);
	}
	check_golden("presets", &out);
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

/* The same with mappings: half of the cold rest is touched thinly, and parts of it go. */
static struct tape huge_tape(void)
{
	struct tape tape = tape_new();
	struct random random;
	uint64_t time_ns = 0;
	random_init(&random, 13);
	tape_map(&tape, 0, 0, 0x1000, 12 * 512);
	tape_mapping(&tape, 0, 0, TRACE_ADVICE, 0x1000 + 6 * 512, 6 * 512, 0);
	tape_last(&tape)->detail = 14; /* MADV_HUGEPAGE */
	for (uint32_t i = 0; i < 6144; i += i < 2560 ? 4 : 1)
		tape_access(&tape, time_ns += 1000, 0, 0x1000 + i, TRACE_MISS | TRACE_TOUCH);
	for (uint32_t i = 0; i < 120000; i++) {
		uint64_t page = random_below(&random, 16) ? 5120 + random_below(&random, 1024)
							  : random_below(&random, 6144);
		uint8_t flags = random_below(&random, 4) ? TRACE_MISS : TRACE_MISS | TRACE_WRITE;
		if (page < 2560)
			page &= ~(uint64_t)3;
		tape_access(&tape, time_ns += 600, 0, 0x1000 + page, flags);
		if (i % 20000 == 10000)
			tape_mapping(&tape, time_ns, 0, TRACE_DISCARD, 0x1000 + i / 20000 * 512,
				     300, 0);
	}
	return tape;
}

/* Huge pages: who gets them, what becomes of them, how long the lists are, what is written and
 * what is never touched. */
static void test_golden_huge(void **state)
{
	static const char *const specs[] = {
		"linux-tiering:thp=never",
		"linux-tiering:thp=madvise",
		"linux-tiering:thp=always",
		"linux-tiering:thp=always,lru_gen=0",
		"linux-tiering:thp=always,numa_balancing=3",
		"nomad:thp=always",
	};
	struct machine *machine = machine_two_tiers(4096, 8192);
	struct tape tape = huge_tape();
	struct sim_config config = { .machine = machine,
				     .policies = specs,
				     .nr_policies = ARRAY_SIZE(specs),
				     .dilate = 1000 };
	struct sim_set *set = tape_simulate(&tape, &config);
	PRINTBUF(out);
	prt_str(&out, "24 MiB mapped, the later half advised; 16 MiB fast; 4 MiB are hot and were\n"
		      "touched last; of 10 MiB every fourth page is touched, and parts are\n"
		      "discarded; about 78 s\n");
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *result = sim_set_result(set, i);
		prt_printf(&out, "\n%s\nfast_misses %llu\n", result->policy,
			   (unsigned long long)result->fast_misses);
		sim_set_counters(set, i, emit_counter, &out);
	}
	check_golden("huge", &out);
	sim_set_free(set);
	tape_free(&tape);
	machine_free(machine);
}

/* Faults while free memory falls over the line, and comes back: cold, hot, and many at once. */
static void test_golden_bypass(void **state)
{
	static const char *const words[] = { "bypass", "promote", "cold", "limited" };
	static const int64_t above[] = { 2, 1, 0, -1, -500, -1, 0, 1 };
	PRINTBUF(out);
	prt_str(&out,
		"one node of 64 MiB; a fault after 5 s and one after 1 ms each time, then one of\n"
		"512 pages; limit 100 pages a second\n"
		"version above_the_line cold hot many candidates candidates_nrl\n");
	for (int is_7_3 = 0; is_7_3 <= 1; is_7_3++) {
		struct box box;
		box_open(&box, "node:dram:64MiB@80ns/100GBps:cpus=0 node:cxl:64MiB@250ns/30GBps",
			 "linux-tiering", 1);
		struct hot_config config = hot_defaults;
		struct hot_node node = { 0 };
		config.bypass_pages = linux_of(box.kernel)->nodes[0].bypass_pages;
		config.limit_pages_per_s = 100;
		config.counts_bypass = is_7_3;
		for (size_t i = 0; i < ARRAY_SIZE(above); i++) {
			uint64_t free_pages = config.bypass_pages + (uint64_t)above[i];
			uint64_t now_ms = 5000 + 2000 * i;
			prt_printf(&out, "%s %lld", is_7_3 ? "7.3" : "6.12", (long long)above[i]);
			for (int kind = 0; kind < 3; kind++)
				prt_printf(&out, " %s",
					   words[hot_decide(&node, &config, now_ms, kind ? 1 : 5000,
							    free_pages, kind == 2 ? 512 : 1)]);
			PRT_ROW(&out, node.nr_candidates, node.nr_candidates_nrl);
		}
		box_close(&box);
	}
	check_golden("bypass", &out);
}

/* Reclaim of the first of three nodes by 256 pages at a time, until nothing below has room. */
static void test_golden_demotion(void **state)
{
	static const char *const specs[] = { "linux-tiering", "linux-tiering:lru_gen=0",
					     "linux-tiering:demotion=0" };
	PRINTBUF(out);
	prt_str(&out,
		"three nodes of 4,096 pages, the first full of cold pages; direct reclaim of 256\n"
		"pages of it, and first touches in their place\n"
		"reclaimed free_0 free_1 free_2 demoted scanned stolen failed\n");
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct box box;
		uint32_t page = 0;
		uint64_t won = 1;
		box_open(&box, THREE, specs[i], 3 * 4096);
		struct linux_kernel *linux_state = linux_of(box.kernel);
		const struct kernel_node *nodes = box.kernel->nodes;
		const uint64_t *counters = linux_state->counters;
		prt_printf(&out, "%s\n", specs[i]);
		for (int round = 0; round < 40 && won > 0; round++) {
			while (nodes[0].free_pages > 256)
				assert_int_equal(kernel_fault(box.kernel, page++, 0), 0);
			for (uint32_t j = 0; j < page; j++)
				box.kernel->pages[j].bits &= (uint8_t)~KERNEL_YOUNG;
			won = linux_reclaim(box.kernel, 0, 256);
			PRT_ROW(&out, won, nodes[0].free_pages, nodes[1].free_pages,
				nodes[2].free_pages, counters[LINUX_PGDEMOTE_DIRECT],
				counters[LINUX_PGSCAN_DIRECT], counters[LINUX_PGSTEAL_DIRECT],
				counters[LINUX_PGMIGRATE_FAIL]);
		}
		box_close(&box);
	}
	check_golden("demotion", &out);
}

#define LRU_PAGES 4096

struct ring {
	struct lru lru;
	struct lru_pages pages;
	bool is_young[LRU_PAGES];
	uint64_t nr_looks, nr_gone;
};

static bool ring_young(void *context, uint32_t entry)
{
	struct ring *ring = context;
	bool was_young = ring->is_young[entry];
	ring->is_young[entry] = false;
	ring->nr_looks++;
	return was_young;
}

static void ring_around(void *context, uint32_t node, uint32_t entry)
{
	(void)context;
	(void)node;
	(void)entry;
}

static void ring_walk(void *context, uint32_t node)
{
	struct ring *ring = context;
	(void)node;
	for (uint32_t i = 0; i < LRU_PAGES; i++)
		if (ring->is_young[i] && lru_is_listed(&ring->pages, i)) {
			ring->is_young[i] = false;
			lru_activate(&ring->lru, &ring->pages, i);
		}
}

static int64_t ring_evict(void *context, uint32_t node, uint32_t entry)
{
	struct ring *ring = context;
	(void)node;
	(void)entry;
	ring->nr_gone++;
	return 1;
}

static bool ring_is_enough(void *context, uint32_t node, uint64_t nr_reclaimed)
{
	(void)context;
	(void)node;
	return nr_reclaimed >= 256;
}

static const struct lru_ops ring_ops = { ring_young, ring_around, ring_walk, ring_evict };

/* A quarter of the pages is used between any two visits, others never again. */
static void visit(struct printbuf *out, const char *name, enum lru_kind kind)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	assert_non_null(ring);
	assert_int_equal(lru_pages_grow(&ring->pages, LRU_PAGES), 0);
	lru_init(&ring->lru, kind, 4096);
	for (uint32_t i = 0; i < LRU_PAGES; i++)
		lru_add(&ring->lru, &ring->pages, i, false);
	prt_printf(out, "%s\n", name);
	for (int round = 0; round < 16; round++) {
		for (uint32_t i = 0; i < LRU_PAGES; i += 4)
			ring->is_young[i] = true;
		struct lru_shrink shrink = { .priority = 3,
					     .budget_pages = 256,
					     .is_below_high = true,
					     .is_enough = ring_is_enough };
		lru_shrink(&ring->lru, &ring->pages, &shrink, &ring_ops, ring);
		const struct mglru *gen = &ring->lru.gen;
		PRT_ROW(out, shrink.nr_scanned, shrink.nr_reclaimed, ring->nr_looks,
			lru_nr_total(&ring->lru), lru_nr_inactive(&ring->lru),
			kind == LRU_TWO_LISTS ? 0 : gen->nr_walks,
			kind == LRU_TWO_LISTS ? 0 : gen->nr_sorted,
			kind == LRU_TWO_LISTS ? ring->lru.two.nr_activate : gen->max_seq);
		assert_true(lru_is_valid(&ring->lru, &ring->pages));
	}
	lru_pages_fini(&ring->pages);
	free(ring);
}

static void test_golden_lru(void **state)
{
	PRINTBUF(out);
	prt_str(&out,
		"4,096 pages; before each visit of reclaim, at priority 3 for 256 pages, every\n"
		"fourth page that was there is used again\n"
		"scanned reclaimed looks total inactive walks sorted newest_generation\n"
		"(of two lists: activated)\n");
	visit(&out, "generations, 6.12", LRU_GEN);
	visit(&out, "generations, 7.3", LRU_GEN_7_3);
	visit(&out, "two lists", LRU_TWO_LISTS);
	check_golden("lru", &out);
}
