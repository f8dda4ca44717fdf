/* SPDX-License-Identifier: MIT */
/*
 * What a second worker is worth: one sweep of six recordings of unequal length, by one worker and
 * by two, in turns. Wall time is what was promised (1.8 times), and means something on a quiet
 * machine only; the processor time of the workers says what two cost more than one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "bench.h"
#include "cli/sweep_pool.h"
#include "trace/writer.h"

#define NR_RECORDINGS 6
#define NR_PAGES      8192u
#define NR_EVENTS     900000u /* of the longest; each further one has a tenth of that less */
#define NR_ROUNDS     3

static const char grid_text[] = "[sweep]\ndilate = 10\nfast = 50%, 1:2, 1:8\n"
				"[recordings]\nall = *.berth\n"
				"[policy linux-none]\n[policy linux-tiering]\n[policy all-slow]\n"
				"[policy recency]\nidle = 4, 16, 64\n[policy static-best]\n";

static int give_up(const struct printbuf *err, int error)
{
	fprintf(stderr, "bench_sweep: %s (%d)\n", printbuf_str(err), error);
	return 1;
}

static int make_recording(const char *path, uint32_t nr_events, struct printbuf *err)
{
	struct trace_space space = { .parent = TRACE_NONE, .pid = 1, .name = (char *)"bench" };
	struct trace_info info = {
		.page_bytes = 4096,
		.ns_per_ktick = 300,
		.streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES,
		.interval_ns = NS_PER_MS,
		.cache = { .size_bytes = 2 * MIB, .ways = 16, .line_bytes = 64 },
		.recorder = (char *)"bench_sweep",
		.program = (char *)"bench_sweep",
		.native_ns = TRACE_UNKNOWN,
		.spaces = &space,
		.nr_spaces = 1,
	};
	struct trace_appender *appender = NULL;
	struct random random;
	int fd = -1;
	int error = trace_create(path, &info, &fd, err);
	if (!error)
		error = trace_appender_new(fd, 0, info.page_bytes, &appender);
	random_init(&random, 1);
	for (uint32_t i = 0; !error && i < nr_events; i++) {
		double unit = random_unit(&random);
		uint64_t page = i % 2 ? i / 16 % NR_PAGES : (uint64_t)(unit * unit * NR_PAGES);
		trace_append_access(appender, (uint64_t)i * 300, 0x10000 + page,
				    i % 50 ? TRACE_MISS : TRACE_MISS | TRACE_TOUCH, 0);
	}
	if (!error)
		error = trace_appender_flush(appender);
	trace_appender_free(appender);
	close(fd);
	return error ? error : trace_finish(path, &info, err);
}

static int keep_extent(void *context, uint32_t recording, const struct sim_extent *extent,
		       struct printbuf *err)
{
	struct sweep_plan *plan = context;
	(void)err;
	plan->recordings[recording].extent = *extent;
	plan->recordings[recording].is_measured = true;
	return 0;
}

static int ignore_rows(void *context, const struct sweep_result *results, size_t nr,
		       struct printbuf *err)
{
	(void)context;
	(void)results;
	(void)nr;
	(void)err;
	return 0;
}

static void say_lost(void *context, const struct sweep_job *job, const char *why)
{
	(void)context;
	(void)job;
	fprintf(stderr, "bench_sweep: %s\n", why);
}

static void ignore_remark(void *context, const char *text)
{
	(void)context;
	(void)text;
}

static void ignore_progress(void *context, const struct sweep_progress *progress)
{
	(void)context;
	(void)progress;
}

static const struct sweep_pool_ops bench_ops = { keep_extent, ignore_rows, say_lost, ignore_remark,
						 ignore_progress };

struct figures {
	double wall_s, cpu_s;
};

/* From the grid to the last row, measuring and all; only the database is left out. */
static int sweep(const struct sweep_grid *grid, unsigned nr_workers, struct figures *ret,
		 struct printbuf *err)
{
	static const volatile sig_atomic_t never = 0;
	struct sweep_pool_usage usage = { 0 };
	struct sweep_plan *plan = NULL;
	double start = bench_wall_s();
	int error = sweep_plan_new(grid, &plan, err);
	if (error)
		return error;
	error = sweep_plan_measure(plan);
	if (!error)
		error = sweep_pool_run(plan, nr_workers, &never, &bench_ops, plan, &usage, err);
	if (!error)
		error = sweep_plan_size(plan, err);
	if (!error)
		error = sweep_plan_cut(plan, nr_workers, GIB);
	if (!error)
		error = sweep_pool_run(plan, nr_workers, &never, &bench_ops, plan, &usage, err);
	ret->wall_s = bench_wall_s() - start;
	ret->cpu_s = (double)usage.cpu_ns / (double)NS_PER_S;
	sweep_plan_free(plan);
	return error;
}

static int compare(const struct sweep_grid *grid, struct printbuf *err)
{
	struct figures best[2] = { { 1e9, 1e9 }, { 1e9, 1e9 } };
	for (int round = 0; round < NR_ROUNDS; round++) {
		for (unsigned i = 0; i < 2; i++) {
			struct figures figures = { 0 };
			int error = sweep(grid, i + 1, &figures, err);
			if (error)
				return error;
			best[i].wall_s = MIN(best[i].wall_s, figures.wall_s);
			best[i].cpu_s = MIN(best[i].cpu_s, figures.cpu_s);
		}
	}
	bench_tell("sweep, 1 worker: wall time", best[0].wall_s, "s");
	bench_tell("sweep, 1 worker: processor time", best[0].cpu_s, "s");
	bench_tell("sweep, 2 workers: wall time", best[1].wall_s, "s");
	bench_tell("sweep, 2 workers: processor time", best[1].cpu_s, "s");
	bool met = bench_judge("sweep: 2 workers against 1", best[0].wall_s / best[1].wall_s, "x",
			       BENCH_AT_LEAST, 1.8);
	bench_remark_if_busy();
	return met ? 0 : 1;
}

int main(void)
{
	char folder[] = "/tmp/bench-sweep-XXXXXX";
	struct sweep_grid *grid = NULL;
	PRINTBUF(err);
	PRINTBUF(path);
	int error = mkdtemp(folder) ? 0 : -errno;
	for (uint32_t i = 0; !error && i < NR_RECORDINGS; i++) {
		printbuf_reset(&path);
		prt_printf(&path, "%s/%u.berth", folder, i);
		error = make_recording(printbuf_str(&path), NR_EVENTS / 10 * (10 - i), &err);
	}
	printbuf_reset(&path);
	prt_printf(&path, "%s/grid.ini", folder);
	if (!error)
		error = sweep_grid_parse(grid_text, strlen(grid_text), printbuf_str(&path), &grid,
					 &err);
	int status = error ? give_up(&err, error) : compare(grid, &err);
	if (status < 0)
		status = give_up(&err, status);
	sweep_grid_free(grid);
	for (uint32_t i = 0; i < NR_RECORDINGS; i++) {
		printbuf_reset(&path);
		prt_printf(&path, "%s/%u.berth", folder, i);
		unlink(printbuf_str(&path));
	}
	rmdir(folder);
	return status;
}
