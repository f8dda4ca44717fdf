/* SPDX-License-Identifier: MIT */
/* The latency model outside QEMU: cache beside a naive oracle, runs, markers, waits, counts. */
#include "test.h"

#include "../../lab/latency/cache.c"
#include "../../lab/latency/marks.c"
#include "../../lab/latency/model.c"
#include "base/random.h"

/* ---- cache ---- */

struct naive_line {
	uint64_t line, when; /* when: 0 empty */
};

/* Oldest of the set goes; the obvious way, by time stamps. */
static bool naive_touch(struct naive_line *set, uint32_t nr_ways, uint64_t line, uint64_t when)
{
	struct naive_line *oldest = set;
	for (uint32_t way = 0; way < nr_ways; way++) {
		if (set[way].when && set[way].line == line) {
			set[way].when = when;
			return true;
		}
		if (set[way].when < oldest->when)
			oldest = &set[way];
	}
	*oldest = (struct naive_line){ line, when };
	return false;
}

static void compare_with_oracle(uint32_t nr_sets, uint32_t nr_ways, uint64_t nr_lines)
{
	struct cache cache;
	assert_int_equal(cache_init(&cache, (uint64_t)nr_sets * nr_ways * 64, nr_ways, 64), 0);
	assert_int_equal(cache_bytes(&cache, 64), (uint64_t)nr_sets * nr_ways * 64);
	struct naive_line *lines = calloc((size_t)nr_sets * nr_ways, sizeof(*lines));
	assert_non_null(lines);
	struct random random;
	random_init(&random, nr_sets * 100 + nr_ways);
	uint64_t nr_hits = 0;
	for (uint64_t when = 1; when <= 100000; when++) {
		/* Some lines far away: their tags must differ from those nearby. */
		uint64_t line = random_below(&random, nr_lines);
		line += random_below(&random, 4) == 0 ? (uint64_t)1 << 30 : 0;
		bool expected = naive_touch(&lines[line % nr_sets * nr_ways], nr_ways, line, when);
		assert_int_equal(cache_touch(&cache, line), expected);
		nr_hits += expected;
	}
	assert_true(nr_hits > 1000 && nr_hits < 99000);
	free(lines);
	cache_fini(&cache);
}

static void test_cache_is_lru(void **state)
{
	compare_with_oracle(1, 1, 4);
	compare_with_oracle(1, 16, 30);
	compare_with_oracle(64, 8, 1000);
	compare_with_oracle(256, 3, 1500);
	compare_with_oracle(1024, 4, 9000);
}

static void test_cache_refuses(void **state)
{
	struct cache cache;
	assert_int_equal(cache_init(&cache, 1 << 20, 0, 64), -EINVAL);
	assert_int_equal(cache_init(&cache, 1 << 20, 17, 64), -EINVAL);
	assert_int_equal(cache_init(&cache, 256, 8, 64), -EINVAL);
	assert_int_equal(cache_init(&cache, 1 << 20, 8, 0), -EINVAL);
	/* 3 MiB: as many sets as a power of two allows. */
	assert_int_equal(cache_init(&cache, 3 << 20, 8, 64), 0);
	assert_int_equal(cache_bytes(&cache, 64), 2 << 20);
	cache_fini(&cache);
}

/* ---- streams ---- */

static void test_streams_follow_runs(void **state)
{
	struct streams streams = { 0 };
	assert_false(streams_follow(&streams, 1000));
	for (uint64_t line = 1001; line < 1200; line++)
		assert_true(streams_follow(&streams, line));
	assert_true(streams_follow(&streams, 1201));  /* one of them was in the cache */
	assert_false(streams_follow(&streams, 1204)); /* too far */
	assert_false(streams_follow(&streams, 5000));
	for (uint64_t line = 4999; line > 4900; line--) /* down */
		assert_true(streams_follow(&streams, line));
	assert_true(streams_follow(&streams, 1202)); /* the first is remembered */
}

static void test_streams_stand_random_misses(void **state)
{
	struct streams streams = { 0 };
	struct random random;
	random_init(&random, 7);
	uint32_t nr_random = 0;
	for (uint64_t line = 1 << 20; line < (1 << 20) + 1000; line++) {
		bool follows = streams_follow(&streams, line);
		assert_int_equal(follows, line != 1 << 20);
		/* The run starts anew when nothing may come between its first two misses. */
		for (int i = 0; line > 1 << 20 && i < 20; i++)
			nr_random += streams_follow(
				&streams, ((uint64_t)1 << 30) + random_below(&random, 1 << 29));
	}
	assert_true(nr_random < 10);
}

static void test_streams_run_side_by_side(void **state)
{
	struct streams streams = { 0 };
	uint32_t nr_first = 0;
	for (uint64_t step = 0; step < 100; step++)
		for (uint64_t run = 1; run <= STREAMS_NR; run++)
			nr_first += !streams_follow(&streams, run * 100000 + step);
	assert_int_equal(nr_first, STREAMS_NR);
}

/* ---- marks ---- */

/* What the header compiles to; never run here, only read. */
__attribute__((noinline, used)) static void say_start(void)
{
	lab_mark(LAB_MARK_START);
}

static void test_marks_are_what_the_header_says(void **state)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)say_start;
	int found = -1;
	for (int at = 0; at < 64 && found < 0; at++)
		found = mark_decode(code + at, MARK_BYTES);
	assert_int_equal(found, LAB_MARK_START);
}

static void test_marks_decode(void **state)
{
	uint8_t bytes[MARK_BYTES] = { 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x72, 0x65, 0x62 };
	assert_int_equal(mark_decode(bytes, 8), LAB_MARK_ZERO);
	assert_int_equal(mark_decode(bytes, 7), -1);
	bytes[4] = LAB_MARK_ADOPT;
	assert_int_equal(mark_decode(bytes, 8), LAB_MARK_ADOPT);
	bytes[4] = LAB_NR_MARKS;
	assert_int_equal(mark_decode(bytes, 8), -1);
	memset(bytes + 4, 0, 4); /* the compiler's own long nop */
	assert_int_equal(mark_decode(bytes, 8), -1);
}

static bool say_number(struct speech *speech, uint64_t number, int nr_bits, uint32_t *ret)
{
	bool means = speech_hear(speech, LAB_MARK_BEGIN, ret);
	for (int bit = 0; bit < nr_bits; bit++)
		means |= speech_hear(speech, number >> bit & 1 ? LAB_MARK_ONE : LAB_MARK_ZERO, ret);
	assert_false(means);
	return speech_hear(speech, LAB_MARK_PHASE, ret);
}

static void test_speech(void **state)
{
	struct speech speech = { 0 };
	uint32_t number = 99;
	assert_true(say_number(&speech, 0xa5c3, LAB_MARK_BITS, &number));
	assert_int_equal(number, 0xa5c3);
	assert_true(say_number(&speech, 0, LAB_MARK_BITS, &number));
	assert_int_equal(number, 0);
	assert_false(speech_hear(&speech, LAB_MARK_PHASE, &number)); /* no number before it */
	assert_false(say_number(&speech, 5, LAB_MARK_BITS - 1, &number));
	assert_false(say_number(&speech, 5, LAB_MARK_BITS + 1, &number));
	assert_false(say_number(&speech, 5, 3 * LAB_MARK_BITS, &number));
	assert_true(say_number(&speech, 5, LAB_MARK_BITS, &number));
	assert_true(speech_hear(&speech, LAB_MARK_START, &number));
	assert_true(speech_hear(&speech, LAB_MARK_STOP, &number));
	assert_true(speech_hear(&speech, LAB_MARK_ADOPT, &number));
}

#define CHANGES(...)                                                                               \
	mark_changes_mappings((const uint8_t[]){ __VA_ARGS__ },                                    \
			      sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_instructions_that_change_mappings(void **state)
{
	assert_true(CHANGES(0x0f, 0x22, 0xd8));			  /* mov %rax,%cr3 */
	assert_true(CHANGES(0x41, 0x0f, 0x22, 0xdc));		  /* mov %r12,%cr3 */
	assert_true(CHANGES(0x0f, 0x22, 0xe0));			  /* mov %rax,%cr4 */
	assert_true(CHANGES(0x0f, 0x01, 0x3f));			  /* invlpg (%rdi) */
	assert_true(CHANGES(0x41, 0x0f, 0x01, 0x3c, 0x24));	  /* invlpg (%r12) */
	assert_true(CHANGES(0x66, 0x0f, 0x38, 0x82, 0x04, 0x24)); /* invpcid */
	assert_false(CHANGES(0x0f, 0x20, 0xd8));		  /* mov %cr3,%rax */
	assert_false(CHANGES(0x0f, 0x22, 0xc0));		  /* mov %rax,%cr0 */
	assert_false(CHANGES(0x0f, 0x01, 0xf8));		  /* swapgs */
	assert_false(CHANGES(0x0f, 0x01, 0x5f, 0x10));		  /* lidt 16(%rdi) */
	assert_false(CHANGES(0x66, 0x0f, 0x38, 0x00, 0xc1));	  /* pshufb */
	assert_false(CHANGES(0x48, 0x89, 0xd8));
	assert_false(CHANGES(0x0f));
	assert_false(CHANGES(0x66, 0x66, 0x66));
}

/* ---- waits ---- */

static void test_a_chase_takes_the_latency(void **state)
{
	/* Its own cost of up to the slack is part of it. */
	for (uint64_t own = 0; own <= 640; own += 80) {
		uint64_t answered = 0, now = 1000000;
		wait_for_latency(&answered, now, 640, 2000);
		uint64_t start = now = answered;
		for (int step = 0; step < 100; step++)
			now = wait_for_latency(&answered, now + own, 640, 2000);
		assert_int_equal(now - start, 100 * 2000);
	}
}

static void test_work_between_misses_is_not_swallowed(void **state)
{
	uint64_t answered = 0, now = 1000000;
	now = wait_for_latency(&answered, now, 640, 2000);
	uint64_t start = now;
	for (int step = 0; step < 100; step++)
		now = wait_for_latency(&answered, now + 5000, 640, 2000);
	assert_int_equal(now - start, 100 * (5000 - 640 + 2000));
}

static void test_readers_share_a_node(void **state)
{
	uint64_t sent = 0, now = 1000000;
	uint64_t start = wait_for_line(&sent, now, 0, 128);
	/* Three readers, each asking when its last line came: one line each 128 ticks in all. */
	uint64_t next[3] = { start, start, start };
	for (int line = 0; line < 300; line++)
		next[line % 3] = wait_for_line(&sent, next[line % 3], 4 * 128, 128);
	assert_int_equal(next[299 % 3] - start, 300 * 128);
}

static void test_a_slow_reader_waits_for_nothing(void **state)
{
	uint64_t sent = 0, now = 1000000;
	for (int line = 0; line < 100; line++) {
		assert_true(wait_for_line(&sent, now, 4 * 128, 128) <= now);
		now += 150;
	}
	/* After a rest a few lines pass at once, no more. */
	now += 1000000;
	int nr_free = 0;
	while (wait_for_line(&sent, now, 4 * 128, 128) <= now)
		nr_free++;
	assert_int_equal(nr_free, 4);
}

/* ---- the model ---- */

static struct lab_shared *start_model(enum lab_time time)
{
	struct lab_shared *shared = calloc(1, sizeof(*shared));
	assert_non_null(shared);
	shared->model = (struct lab_model){
		.version = LAB_MODEL_VERSION,
		.time = time,
		.nr_nodes = 2,
		.nr_vcpus = 2,
		.nr_ranges = 3,
		.cache_bytes = 4096,
		.cache_ways = 4,
		.line_bytes = 64,
		.ranges = { { 0, 1 << 20, 0 },
			    { 1 << 20, 2 << 20, 1 },
			    { (uint64_t)4 << 30, (uint64_t)5 << 30, 1 } },
		.scale_bp = 80000,
		.line_scale_bp = 2000000,
		.slack_ns = 640,
	};
	shared->model.latency_ns[0][0] = 80;
	shared->model.latency_ns[0][1] = 250;
	shared->model.bandwidth_bytes_per_s[0][0] = 100000000000;
	shared->model.bandwidth_bytes_per_s[0][1] = 20000000000;
	assert_int_equal(model_init(shared), 0);
	return shared;
}

static void stop_model(struct lab_shared *shared)
{
	model_fini();
	free(shared);
}

static void test_misses_are_counted_where_memory_is(void **state)
{
	struct lab_shared *shared = start_model(LAB_TIME_ICOUNT);
	struct cpu *cpu = &model.cpus[0];
	uint32_t node;
	assert_int_equal(model_access(cpu, 0x7000000, 0x1000, false, &node), MODEL_MISS);
	assert_int_equal(node, 0);
	assert_int_equal(model_access(cpu, 0x7000008, 0x1008, true, &node), MODEL_HIT);
	assert_int_equal(model_access(cpu, 0x7000040, 0x1040, true, &node), MODEL_MISS_SEQUENTIAL);
	assert_int_equal(model_access(cpu, 0x8000000, 0x100000, true, &node), MODEL_MISS);
	assert_int_equal(node, 1);
	model_phase(3);
	assert_int_equal(model_access(cpu, 0x9000000, 0x13fffffc0, false, &node), MODEL_MISS);
	assert_int_equal(node, 1);
	assert_int_equal(model_access(cpu, 0xa000000, 0x140000000, false, &node),
			 MODEL_MISS_UNKNOWN);
	assert_int_equal(model_access(cpu, 0xb000000, 0x200000, false, &node), MODEL_MISS_UNKNOWN);
	model_settle();
	const struct lab_vcpu *counted = &shared->vcpus[0];
	assert_int_equal(counted->counts[0][0].nr_load_misses, 1);
	assert_int_equal(counted->counts[0][0].nr_store_misses, 0);
	assert_int_equal(counted->counts[0][0].nr_sequential, 1);
	assert_int_equal(counted->counts[0][0].wait_ns, 80); /* and 0.64 for the line */
	assert_int_equal(counted->counts[0][1].nr_store_misses, 1);
	assert_int_equal(counted->counts[3][1].nr_load_misses, 1);
	assert_int_equal(counted->counts[3][1].wait_ns, 250);
	assert_int_equal(counted->phase, 3);
	assert_int_equal(shared->model.nr_unknown, 2);
	stop_model(shared);
}

static void test_a_snapshot_sums(void **state)
{
	struct lab_shared *shared = start_model(LAB_TIME_ICOUNT);
	uint32_t node;
	model_access(&model.cpus[0], 0x7000000, 0x1000, false, &node);
	model_phase(2);
	model_access(&model.cpus[1], 0x7000000, 0x1000, false, &node); /* its own cache */
	model_phase(LAB_MAX_PHASES);				       /* there is none such */
	shared->vcpus[0].nr_instructions = 10;
	shared->vcpus[1].nr_instructions = 5;
	model_snapshot(77);
	assert_int_equal(shared->model.nr_snapshots, 1);
	const struct lab_snapshot *snapshot = &shared->snapshots[0];
	assert_int_equal(snapshot->name, 77);
	assert_int_equal(snapshot->phase, 2);
	assert_int_equal(snapshot->nr_instructions, 15);
	assert_int_equal(snapshot->counts[0].nr_load_misses, 2);
	for (uint32_t i = 0; i < LAB_MAX_SNAPSHOTS; i++)
		model_snapshot(i);
	assert_int_equal(shared->model.nr_snapshots, LAB_MAX_SNAPSHOTS + 1);
	assert_int_equal(shared->snapshots[0].name, LAB_MAX_SNAPSHOTS - 1);
	stop_model(shared);
}

static void test_the_filter_forgets(void **state)
{
	struct lab_shared *shared = start_model(LAB_TIME_ICOUNT);
	struct cpu *cpu = &model.cpus[0];
	uint64_t user = 0x7ffff7fe1234, kernel = 0xffff888000001234;
	assert_int_equal(filter_slot(user), (user >> 6) % FILTER_LINES);
	assert_int_equal(filter_key(cpu, user), filter_key(cpu, user ^ 0x3f));
	assert_int_not_equal(filter_key(cpu, user), filter_key(cpu, user ^ 0x40));
	assert_int_not_equal(filter_key(cpu, kernel), filter_key(cpu, kernel & 0x7fffffffffff));
	uint64_t before = filter_key(cpu, kernel);
	model_forget(cpu);
	assert_int_not_equal(filter_key(cpu, kernel), before);
	/* A generation comes back only with an empty filter. */
	cpu->filter[5] = before;
	uint64_t nr = 0;
	while (filter_key(cpu, kernel) != before && nr++ < ((uint64_t)1 << 23))
		model_forget(cpu);
	assert_int_equal(filter_key(cpu, kernel), before);
	assert_int_equal(cpu->filter[5], 0);
	stop_model(shared);
}

static void test_waits_are_scaled(void **state)
{
	struct lab_shared *shared = start_model(LAB_TIME_DELAY);
	model_start(2048); /* two ticks a nanosecond */
	struct cpu *cpu = &model.cpus[0];
	uint64_t now = 1000000000;
	/* The first comes after a rest: the slack is already spent. */
	assert_int_equal(model_answered_at(cpu, 0, false, now), now);
	assert_int_equal(model_answered_at(cpu, 0, false, now), now + 2 * 640);
	now += 2 * 640;
	assert_int_equal(model_answered_at(cpu, 1, false, now), now + 2 * 2000);
	/* A line: 3.2 ns at 20 GB/s, times 200; four may pass at once. */
	now += 1000000;
	uint64_t last = 0;
	for (int i = 0; i < 5; i++)
		last = model_answered_at(cpu, 1, true, now);
	assert_int_equal(last, now + 2 * 640);
	assert_int_equal(model_answered_at(cpu, 1, true, last), last + 2 * 640);
	/* However far the clocks ran ahead, a wait ends. */
	cpu->answered = now + 1000000000;
	assert_int_equal(model_answered_at(cpu, 1, false, now), now + 2 * MODEL_MAX_WAIT_NS);
	stop_model(shared);
}

static void test_nonsense_is_refused(void **state)
{
	struct lab_shared *shared = start_model(LAB_TIME_DELAY);
	struct lab_model good = shared->model;
	model_fini();
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		shared->model = good;                                                              \
		shared->model.change;                                                              \
		assert_int_equal(model_init(shared), -EINVAL);                                     \
	} while (0)
	REFUSED(version = LAB_MODEL_VERSION + 1);
	REFUSED(time = 2);
	REFUSED(nr_nodes = 0);
	REFUSED(nr_nodes = LAB_MAX_NODES + 1);
	REFUSED(nr_vcpus = 0);
	REFUSED(nr_vcpus = LAB_MAX_VCPUS + 1);
	REFUSED(nr_ranges = LAB_MAX_RANGES + 1);
	REFUSED(line_bytes = 32);
	REFUSED(cache_ways = 17);
	REFUSED(cache_bytes = 64);
	REFUSED(ranges[1].node = 2);
	REFUSED(ranges[1].end = 1 << 20);
	REFUSED(node_of_vcpu[1] = 2);
	free(shared);
}
