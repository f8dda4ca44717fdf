/* SPDX-License-Identifier: MIT */
/*
 * Golden tables: exact integers over small recordings that are shipped in tests/golden/sim.
 *
 * tests/golden/update runs this with BERTH_GOLDEN=tables to print the tables anew (after a change
 * of the model that was meant), or BERTH_GOLDEN=recordings to write the recordings too.
 */
#include "test.h"

#include <unistd.h>

#include "sim_golden.h"
#include "trace/writer.h"

/* The hot set moves twice; a third of the memory is cold. */
static void play_phases(struct tape *tape, struct random *random)
{
	uint64_t time_ns = 0;
	for (uint32_t i = 0; i < 24000; i++) {
		uint64_t hot = 40 * (i / 8000);
		uint64_t page = random_below(random, 64) ? hot + random_below(random, 24)
							 : random_below(random, 128);
		tape_access(tape, time_ns += 1500, 0, 0x1000 + page,
			    (uint8_t)(TRACE_MISS | TRACE_TOUCH |
				      (random_below(random, 4) ? 0 : TRACE_WRITE)));
	}
}

/* A table that is scanned over and over beside a few hot pages: what recency must not fall for. */
static void play_scan(struct tape *tape, struct random *random)
{
	uint64_t time_ns = 0;
	for (uint32_t i = 0; i < 24000; i++) {
		uint64_t page = i % 3 ? 0x2000 + (i / 3) % 400 : 0x1000 + random_below(random, 10);
		tape_access(tape, time_ns += 1000, 0, page, TRACE_MISS | TRACE_TOUCH);
	}
}

/* Buffers come and go, a child lives for a while, a mapping moves. */
static void play_lives(struct tape *tape, struct random *random)
{
	uint64_t time_ns = 0;
	for (uint32_t round = 0; round < 60; round++) {
		uint64_t base = 0x5000 + 64 * random_below(random, 4);
		uint32_t space = round % 10 == 3;
		for (uint32_t i = 0; i < 300; i++)
			tape_access(tape, time_ns += 2000, space,
				    i % 4 ? base + random_below(random, 48)
					  : 0x1000 + random_below(random, 16),
				    (uint8_t)(TRACE_MISS | (i % 2 ? TRACE_WRITE : 0)));
		if (round % 3 == 0)
			tape_mapping(tape, time_ns, space, TRACE_UNMAP, base, 64, 0);
		if (round % 3 == 1)
			tape_mapping(tape, time_ns, space, TRACE_DISCARD, base, 20, 0);
		if (round % 7 == 2)
			tape_mapping(tape, time_ns, space, TRACE_REMAP, 0x9000, 64, base);
		if (space)
			tape_mapping(tape, time_ns, space, TRACE_PROCESS_END, 0, 0, 0);
	}
}

static int append(struct trace_appender *appenders[2], const struct tape_event *event)
{
	struct trace_appender *appender = appenders[event->space];
	if (!event->is_mapping)
		return trace_append_access(appender, event->time_ns, event->page, event->flags, 0);
	struct trace_mapping mapping = {
		.time_ns = event->time_ns,
		.space = event->space,
		.op = event->op,
		.page = event->page,
		.nr_pages = event->nr_pages,
		.from_page = event->from_page,
		.name = "",
	};
	return trace_append_mapping(appender, &mapping);
}

static void write_recording(const char *name, const struct tape *tape)
{
	static struct trace_space spaces[2] = { { .id = 0, .parent = TRACE_NONE, .pid = 1 },
						{ .id = 1, .parent = 0, .pid = 2 } };
	struct trace_appender *appenders[2];
	struct trace_info info = tape_info();
	char path[512], program[64];
	int fd = -1;
	PRINTBUF(err);
	spaces[0].name = spaces[1].name = (char *)"golden";
	snprintf(program, sizeof(program), "made by test_sim_golden: %s", name);
	info.recorder = (char *)"tests";
	info.program = program;
	info.spaces = spaces;
	info.nr_spaces = 2;
	golden_path(path, name, "berth");
	if (trace_create(path, &info, &fd, &err))
		fail_msg("%s", printbuf_str(&err));
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(trace_appender_new(fd, i, 4096, &appenders[i]), 0);
	for (size_t i = 0; i < tape->nr; i++)
		assert_int_equal(append(appenders, &tape->events[i]), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(trace_appender_flush(appenders[i]), 0);
		trace_appender_free(appenders[i]);
	}
	close(fd);
	if (trace_finish(path, &info, &err))
		fail_msg("%s", printbuf_str(&err));
}

static void write_recordings(void)
{
	void (*const play[])(struct tape *, struct random *) = { play_phases, play_scan,
								 play_lives };
	for (size_t i = 0; i < ARRAY_SIZE(golden_programs); i++) {
		struct tape tape = tape_new();
		struct random random;
		random_init(&random, i + 1);
		play[i](&tape, &random);
		write_recording(golden_programs[i], &tape);
		tape_free(&tape);
	}
}

static void table_of(struct printbuf *out, const struct sim_set *set)
{
	prt_str(out,
		"policy fast_bytes time_ns latency_ns bandwidth_ns migration_ns linear_ps misses "
		"fast_misses promoted demoted refused lower_ps upper_ps\n");
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *r = sim_set_result(set, i);
		const uint64_t figures[] = {
			r->fast_bytes == UINT64_MAX ? 0 : r->fast_bytes,
			r->time_ns,
			r->latency_ns,
			r->bandwidth_ns,
			r->migration_ns,
			r->linear_ps,
			r->misses,
			r->fast_misses,
			r->nr_promoted,
			r->nr_demoted,
			r->nr_refused,
			r->lower_ps,
			r->upper_ps,
		};
		prt_str(out, r->policy);
		for (size_t j = 0; j < ARRAY_SIZE(figures); j++) {
			prt_char(out, ' ');
			prt_u64(out, figures[j]);
		}
		prt_char(out, '\n');
	}
}

static void test_sim_golden_tables(void **state)
{
	static const char *const specs[] = {
		"all-fast",
		"all-slow",
		"linux-none",
		"interleave",
		"interleave:weighted=1",
		"recency:idle=4",
		"recency:touches=3,idle=10,rate=20MBps,floor=16KiB",
		"static-best",
		"optimal",
	};
	(void)state;
	if (strcmp(golden_wish(), "recordings") == 0)
		write_recordings();
	golden_tables("table", specs, ARRAY_SIZE(specs), 10, table_of);
}
