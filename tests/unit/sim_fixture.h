/* SPDX-License-Identifier: MIT */
/* What the tests of the simulator share: recordings in memory, fed as trace batches. */
#ifndef BERTH_TEST_SIM_FIXTURE_H
#define BERTH_TEST_SIM_FIXTURE_H

#include "base/random.h"
#include "machine/machine.h"
#include "sim/sim.h"
#include "trace/trace.h"

#define TAPE_MAX 262144

struct tape_event { /* one access, or one mapping */
	uint64_t time_ns, page, nr_pages, from_page;
	uint32_t space;
	uint8_t flags;
	bool is_mapping;
	enum trace_mapping_op op;
	/* Of mappings: NULL for "". */
	const char *name;
	uint32_t protection;
	uint64_t detail;
};

struct tape {
	struct tape_event *events;
	size_t nr;
	uint64_t end_ns;
};

static inline struct tape tape_new(void)
{
	struct tape tape = { calloc(TAPE_MAX, sizeof(struct tape_event)), 0, 0 };
	assert_non_null(tape.events);
	return tape;
}

static inline void tape_free(struct tape *tape)
{
	free(tape->events);
}

static inline void tape_access(struct tape *tape, uint64_t time_ns, uint32_t space, uint64_t page,
			       uint8_t flags)
{
	assert_true(tape->nr < TAPE_MAX);
	tape->events[tape->nr++] = (struct tape_event){
		.time_ns = time_ns, .page = page, .space = space, .flags = flags
	};
	tape->end_ns = time_ns + 1;
}

static inline void tape_mapping(struct tape *tape, uint64_t time_ns, uint32_t space,
				enum trace_mapping_op op, uint64_t page, uint64_t nr_pages,
				uint64_t from_page)
{
	assert_true(tape->nr < TAPE_MAX);
	tape->events[tape->nr++] = (struct tape_event){ .time_ns = time_ns,
							.page = page,
							.nr_pages = nr_pages,
							.from_page = from_page,
							.space = space,
							.is_mapping = true,
							.op = op };
	tape->end_ns = time_ns + 1;
}

/* The mapping appended last. */
static inline struct tape_event *tape_last(struct tape *tape)
{
	return &tape->events[tape->nr - 1];
}

static inline void tape_map(struct tape *tape, uint64_t time_ns, uint32_t space, uint64_t page,
			    uint64_t nr_pages)
{
	tape_mapping(tape, time_ns, space, TRACE_MAP, page, nr_pages, 0);
	tape_last(tape)->name = "[anon]";
	tape_last(tape)->protection = 3;
}

static inline struct trace_info tape_info(void)
{
	return (struct trace_info){
		.page_bytes = 4096,
		.ns_per_ktick = 1000,
		.streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES,
		.interval_ns = NS_PER_MS,
		.cache = { .size_bytes = 2 * MIB, .ways = 16, .line_bytes = 64 },
		.native_ns = TRACE_UNKNOWN,
	};
}

typedef int (*tape_feed_fn)(void *context, const struct trace_batch *batch, struct printbuf *err);

static inline int tape_feed_mapping(const struct tape_event *event, tape_feed_fn feed,
				    void *context, struct printbuf *err)
{
	struct trace_mapping mapping = {
		.time_ns = event->time_ns,
		.space = event->space,
		.op = event->op,
		.page = event->page,
		.nr_pages = event->nr_pages,
		.from_page = event->from_page,
		.name = event->name ? event->name : "",
		.protection = event->protection,
		.detail = event->detail,
	};
	struct trace_batch batch = {
		.kind = TRACE_MAPPINGS, .space = event->space, .nr = 1, .mappings = &mapping
	};
	return feed(context, &batch, err);
}

/* In batches as a reader makes them: one kind, one space, at most TRACE_BATCH_EVENTS. */
static inline int tape_play(const struct tape *tape, tape_feed_fn feed, void *context,
			    struct printbuf *err)
{
	static uint64_t times[TRACE_BATCH_EVENTS], pages[TRACE_BATCH_EVENTS];
	static uint8_t flags[TRACE_BATCH_EVENTS];
	int error = 0;
	for (size_t i = 0; i < tape->nr && !error;) {
		const struct tape_event *first = &tape->events[i];
		uint32_t nr = 0;
		if (first->is_mapping) {
			error = tape_feed_mapping(first, feed, context, err);
			i++;
			continue;
		}
		while (i < tape->nr && nr < TRACE_BATCH_EVENTS && !tape->events[i].is_mapping &&
		       tape->events[i].space == first->space) {
			times[nr] = tape->events[i].time_ns;
			pages[nr] = tape->events[i].page;
			flags[nr++] = tape->events[i++].flags;
		}
		struct trace_batch batch = { .kind = TRACE_ACCESSES,
					     .space = first->space,
					     .nr = nr,
					     .time_ns = times,
					     .page = pages,
					     .flags = flags };
		error = feed(context, &batch, err);
	}
	return error;
}

/* A program with a hot set that moves, a cold rest, births, deaths, a child now and then. */
static inline void tape_random(struct tape *tape, uint64_t seed, uint32_t nr_events,
			       uint32_t nr_pages)
{
	struct random random;
	uint64_t time_ns = 0, hot = 0;
	random_init(&random, seed);
	for (uint32_t i = 0; i < nr_events; i++) {
		uint64_t page = random_below(&random, 4) ? hot + random_below(&random, 8)
							 : random_below(&random, nr_pages);
		uint8_t flags = random_below(&random, 4) ? TRACE_MISS : TRACE_TOUCH;
		uint32_t space = random_below(&random, 16) == 0;
		flags |= random_below(&random, 3) ? 0 : TRACE_WRITE;
		time_ns += random_below(&random, 2000);
		tape_access(tape, time_ns, space, page % nr_pages, flags);
		if (random_below(&random, 200) == 0)
			hot = random_below(&random, nr_pages);
		if (random_below(&random, 300) == 0)
			tape_mapping(tape, time_ns, space,
				     random_below(&random, 2) ? TRACE_UNMAP : TRACE_DISCARD,
				     random_below(&random, nr_pages), 1 + random_below(&random, 9),
				     0);
		if (random_below(&random, 500) == 0)
			tape_mapping(tape, time_ns, space, TRACE_REMAP,
				     random_below(&random, nr_pages), 1 + random_below(&random, 4),
				     nr_pages + random_below(&random, nr_pages));
	}
}

static inline struct machine *machine_of(const char *line)
{
	struct machine *machine = NULL;
	PRINTBUF(err);
	if (machine_parse(line, &machine, &err))
		fail_msg("%s", printbuf_str(&err));
	return machine;
}

/* DRAM of `fast` pages at 80 ns, CXL of `slow` pages at 250 ns. */
static inline struct machine *machine_two_tiers(uint64_t fast, uint64_t slow)
{
	char line[128];
	snprintf(line, sizeof(line),
		 "node:dram:%lluB@80ns/100GBps:cpus=0 node:cxl:%lluB@250ns/30GBps",
		 (unsigned long long)fast * 4096, (unsigned long long)slow * 4096);
	return machine_of(line);
}

static inline int tape_feed_set(void *context, const struct trace_batch *batch,
				struct printbuf *err)
{
	return sim_set_feed(context, batch, err);
}

static inline struct sim_set *tape_simulate(const struct tape *tape,
					    const struct sim_config *config)
{
	struct sim_set *set = NULL;
	struct trace_info info = tape_info();
	PRINTBUF(err);
	if (sim_set_new(config, &info, &set, &err) || tape_play(tape, tape_feed_set, set, &err) ||
	    sim_set_finish(set, tape->end_ns, &err))
		fail_msg("%s", printbuf_str(&err));
	return set;
}

#endif
