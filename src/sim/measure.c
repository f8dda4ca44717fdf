/* SPDX-License-Identifier: MIT */
/* How much memory a recording uses at once, and the machine that is taken when none is named. */
#include <stdlib.h>

#include "base/error.h"
#include "base/units.h"
#include "sim/sim.h"
#include "sim/stage.h"

static int ignore_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	(void)context;
	(void)tick;
	(void)err;
	return 0;
}

static int feed_all(struct stage *stage, struct trace_reader *reader, struct printbuf *err)
{
	const struct trace_batch *batch = NULL;
	int more = 0, error = 0;
	while (!error && (more = trace_next(reader, &batch, err)) > 0)
		error = stage_feed(stage, batch, err);
	if (!error)
		error = stage_finish(stage, 0, err);
	return error ? error : more < 0;
}

int sim_measure(struct trace_reader *reader, struct sim_extent *ret, struct printbuf *err)
{
	const struct trace_info *info = trace_info(reader);
	struct stage_stats stats;
	struct stage *stage = NULL;
	struct stage_config config = stage_config_of(info, NS_PER_S);
	struct stage_consumer consumer = { .tick = ignore_tick };
	int error = stage_new(&config, &stage);
	if (error)
		return error_set(err, error, "out of memory");
	error = stage_add_consumer(stage, &consumer);
	if (!error)
		error = feed_all(stage, reader, err);
	stage_stats(stage, &stats);
	stage_free(stage);
	*ret = (struct sim_extent){ stats.nr_peak, stats.nr_events, stats.nr_misses, stats.bytes };
	return error;
}

int sim_default_machine(uint64_t peak_pages, uint32_t page_bytes, uint32_t fast_share_bp,
			struct machine **ret, struct printbuf *err)
{
	uint64_t pages = MAX(peak_pages, 1);
	uint64_t fast = cost_scale(pages, fast_share_bp, 10000);
	PRINTBUF(line);
	prt_str(&line, "node:dram:");
	prt_bytes_exact(&line, cost_multiply(MAX(fast, 1), page_bytes));
	prt_str(&line, "@80ns/100GBps:cpus=0 node:cxl:");
	prt_bytes_exact(&line, cost_multiply(pages, page_bytes));
	prt_str(&line, "@250ns/30GBps");
	return machine_parse(printbuf_str(&line), ret, err);
}
