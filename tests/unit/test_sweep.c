/* SPDX-License-Identifier: MIT */
/*
 * Sweeps: what a grid means, what is refused before anything runs, how work is cut into jobs, and
 * what becomes of the rows of a worker that dies.
 */
#include "test.h"

#include "cli/sweep_pool.h"
#include "trace_fixture.h"

static struct sweep_grid *grid_of(const char *text)
{
	struct sweep_grid *grid = NULL;
	PRINTBUF(err);
	if (sweep_grid_parse(text, strlen(text), scratch_path("grid.ini"), &grid, &err))
		fail_msg("%s", printbuf_str(&err));
	return grid;
}

/* Misses of `nr` pages, or counts of them. */
static void record(const char *name, uint32_t nr, bool counts)
{
	struct trace_info info = fixture_info();
	info.streams = counts ? TRACE_STREAM_COUNTS : TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES;
	info.interval_ns = NS_PER_MS;
	info.nr_spaces = 1;
	struct trace_appender *appender = NULL;
	int fd = -1;
	assert_int_equal(trace_create(scratch_path(name), &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, info.page_bytes, &appender), 0);
	for (uint32_t i = 0; i < nr; i++) {
		if (counts)
			trace_append_count(appender, i * 1000, i, 1, 1);
		else
			trace_append_access(appender, i * 1000, i, TRACE_MISS | TRACE_TOUCH, 0);
	}
	assert_int_equal(trace_appender_flush(appender), 0);
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(trace_finish(scratch_path(name), &info, NULL), 0);
}

static struct sweep_plan *plan_of(const struct sweep_grid *grid)
{
	struct sweep_plan *plan = NULL;
	PRINTBUF(err);
	if (sweep_plan_new(grid, &plan, &err))
		fail_msg("%s", printbuf_str(&err));
	for (size_t i = 0; i < plan->nr_recordings; i++) {
		plan->recordings[i].extent.peak_pages = plan->recordings[i].nr_events;
		plan->recordings[i].is_measured = true;
	}
	if (sweep_plan_size(plan, &err))
		fail_msg("%s", printbuf_str(&err));
	return plan;
}

/* Every combination once, the last key turning fastest; the base's keys are kept. */
static void test_variants(void **state)
{
	static const char *const want[] = { "linux-none",
					    "recency:touches=2,idle=4,scan=1",
					    "recency:touches=2,idle=4,scan=2",
					    "recency:touches=2,idle=8,scan=1",
					    "recency:touches=2,idle=8,scan=2",
					    "optimal" };
	struct sweep_grid *grid = grid_of("[recordings]\na = b\n[policy linux-none]\n[policy x]\n"
					  "spec = recency:touches=2\nidle = 4, 8\nscan = 1\n  2\n"
					  "[policy optimal]\n");
	(void)state;
	assert_int_equal(grid->nr_variants, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(grid->variants[i].spec, want[i]);
	assert_string_equal(grid->variants[2].tunables,
			    "{\"touches\":\"2\",\"idle\":\"4\",\"scan\":\"2\"}");
	assert_string_equal(grid->variants[2].base, "recency");
	assert_true(grid->variants[5].is_solved && !grid->variants[0].is_solved);
	sweep_grid_free(grid);
}

/* Shares are of the peak, ratios of fast to slow memory too; the dilation makes up a span. */
static void test_sizes(void **state)
{
	(void)state;
	scratch_make();
	record("a.berth", 900, false);
	struct sweep_grid *grid = grid_of("[sweep]\nfast = 50%, 1:2, 1:8, 64KiB, 100%\nspan = 1ms\n"
					  "[recordings]\na = a.berth\n[policy linux-none]\n");
	struct sweep_plan *plan = plan_of(grid);
	const uint64_t want[] = { 450 * 4096, 300 * 4096, 100 * 4096, 65536, 900 * 4096 };
	assert_memory_equal(plan->recordings[0].fast_bytes, want, sizeof(want));
	uint64_t duration = plan->recordings[0].duration_ns, dilate = plan->recordings[0].dilate;
	assert_true(duration * dilate >= NS_PER_MS && duration * (dilate - 1) < NS_PER_MS);
	sweep_plan_free(plan);
	sweep_grid_free(grid);
	scratch_remove();
}

/* Counts where order is needed: both are named. Counts and bounds go together. */
static void test_counts_are_refused(void **state)
{
	struct sweep_plan *plan = NULL;
	PRINTBUF(err);
	(void)state;
	scratch_make();
	record("a.berth", 100, false);
	record("c.berth", 100, true);
	struct sweep_grid *grid = grid_of(
		"[recordings]\na = a.berth\ncounted = c.berth\n[policy all-slow]\n"
		"[policy mine]\nspec = recency\n");
	assert_int_equal(sweep_plan_new(grid, &plan, &err), -EOPNOTSUPP);
	assert_non_null(strstr(printbuf_str(&err), "policy 'mine' needs the order"));
	assert_non_null(strstr(printbuf_str(&err), "recording 'counted' only counts"));
	sweep_grid_free(grid);
	grid = grid_of("[recordings]\ncounted = c.berth\n[policy all-slow]\n[policy optimal]\n");
	sweep_plan_free(plan_of(grid));
	sweep_grid_free(grid);
	scratch_remove();
}

#define MANY_GRID                                                                                  \
	"[sweep]\nfast = 50%, 25%, 10%\nseed = 1, 2\n[recordings]\nlarge = l.berth\n"              \
	"small = s.berth\ntiny = t.berth\n[policy linux-none]\n[policy linux-tiering]\n"           \
	"[policy recency]\nidle = 1, 2, 3, 4\n[policy optimal]\n[policy static-best]\n"

/* Every wanted row is in one job; no recording has more jobs than there are workers; the jobs come
 * by cost; and they share out well. */
static void check_jobs(const struct sweep_plan *plan, unsigned nr_workers)
{
	size_t *seen = calloc(plan->nr_rows, sizeof(*seen));
	size_t nr_of[3] = { 0 };
	uint64_t last = UINT64_MAX, loads[8] = { 0 }, all = 0;
	for (size_t i = 0; i < plan->nr_jobs; i++) {
		const struct sweep_job *job = &plan->jobs[i];
		uint64_t cost = job->feed_cost + job->solve_cost, lightest = 0;
		assert_true(cost <= last && job->nr_rows > 0);
		last = cost;
		nr_of[job->recording]++;
		for (size_t j = 0; j < job->nr_rows; j++) {
			assert_int_equal(plan->rows[job->rows[j]].recording, job->recording);
			seen[job->rows[j]]++;
		}
		for (unsigned j = 1; j < nr_workers; j++)
			lightest = loads[j] < loads[lightest] ? j : lightest;
		loads[lightest] += cost;
		all += cost;
	}
	for (size_t i = 0; i < plan->nr_rows; i++)
		assert_int_equal(seen[i], plan->rows[i].state == SWEEP_WANTED);
	for (size_t i = 0; i < ARRAY_SIZE(nr_of); i++)
		assert_true(nr_of[i] <= nr_workers);
	for (unsigned i = 0; i < nr_workers; i++)
		assert_true(loads[i] * nr_workers <= all + all / 6);
	free(seen);
}

static void test_jobs(void **state)
{
	(void)state;
	scratch_make();
	record("l.berth", 9000, false);
	record("s.berth", 600, false);
	record("t.berth", 20, false);
	struct sweep_grid *grid = grid_of(MANY_GRID);
	struct sweep_plan *plan = plan_of(grid);
	assert_int_equal(plan->nr_rows, 3 * 8 * 3 * 2);
	for (unsigned nr_workers = 1; nr_workers <= 4; nr_workers++) {
		for (size_t i = 0; i < plan->nr_rows; i++)
			plan->rows[i].state = i % 7 == nr_workers ? SWEEP_PRESENT : SWEEP_WANTED;
		assert_int_equal(sweep_plan_cut(plan, nr_workers, GIB), 0);
		check_jobs(plan, nr_workers);
	}
	/* Little memory: more jobs than workers. */
	assert_int_equal(sweep_plan_cut(plan, 1, 8 * MIB), 0);
	assert_true(plan->nr_jobs > 3);
	sweep_plan_free(plan);
	sweep_grid_free(grid);
	scratch_remove();
}

struct kept { /* what a pool told */
	size_t nr_rows, nr_lost, nr_calls;
	uint32_t lost_variant;
	const struct sweep_plan *plan;
};

static int keep_extent(void *context, uint32_t recording, const struct sim_extent *extent,
		       struct printbuf *err)
{
	struct kept *kept = context;
	(void)recording;
	(void)err;
	assert_int_equal(extent->peak_pages, 300);
	kept->nr_calls++;
	return 0;
}

static int keep_rows(void *context, const struct sweep_result *results, size_t nr,
		     struct printbuf *err)
{
	struct kept *kept = context;
	(void)err;
	kept->nr_rows += nr;
	kept->nr_calls++;
	for (size_t i = 0; i < nr; i++)
		assert_true(results[i].outcome.figures[0] > 0 && !results[i].outcome.error);
	return 0;
}

static void keep_lost(void *context, const struct sweep_job *job, const char *why)
{
	struct kept *kept = context;
	assert_non_null(why);
	kept->nr_lost += job->nr_rows;
	kept->lost_variant = kept->plan->rows[job->rows[0]].variant;
}

static void ignore_remark(void *context, const char *text)
{
	(void)context;
	(void)text;
}

static void see_progress(void *context, const struct sweep_progress *progress)
{
	(void)context;
	assert_true(progress->share >= 0 && progress->share <= 1);
}

static const struct sweep_pool_ops kept_ops = { keep_extent, keep_rows, keep_lost, ignore_remark,
						see_progress };

/* One variant of eight brings its worker down: only its rows are lost. */
static void test_a_worker_dies(void **state)
{
	static const volatile sig_atomic_t never = 0;
	struct sweep_pool_usage usage = { 0 };
	PRINTBUF(err);
	(void)state;
	scratch_make();
	record("a.berth", 300, false);
	struct sweep_grid *grid = grid_of("[recordings]\na = a.berth\n[policy linux-none]\n"
					  "[policy recency]\nidle = 1, 2, 3, 4, 5, 6, 7\n");
	struct sweep_plan *plan = plan_of(grid);
	struct kept kept = { .plan = plan };
	char *spec = grid->variants[5].spec;
	grid->variants[5].spec = NULL; /* the simulator's parser falls over it */
	assert_int_equal(sweep_plan_cut(plan, 1, GIB), 0);
	assert_int_equal(plan->nr_jobs, 1);
	void (*before)(int) = signal(SIGSEGV, SIG_DFL); /* cmocka's would go on testing there */
	int error = sweep_pool_run(plan, 2, &never, &kept_ops, &kept, &usage, &err);
	signal(SIGSEGV, before);
	assert_int_equal(error, 0);
	assert_int_equal(kept.nr_rows, 7);
	assert_int_equal(kept.nr_lost, 1);
	assert_int_equal(kept.lost_variant, 5);
	assert_true(usage.cpu_ns > 0);
	grid->variants[5].spec = spec;
	/* Measuring goes through the same pool; a stop ends it at once. */
	plan->recordings[0].is_measured = false;
	assert_int_equal(sweep_plan_measure(plan), 0);
	kept = (struct kept){ .plan = plan };
	assert_int_equal(sweep_pool_run(plan, 1, &never, &kept_ops, &kept, &usage, &err), 0);
	assert_int_equal(kept.nr_calls, 1);
	static const volatile sig_atomic_t now = SIGINT;
	assert_int_equal(sweep_plan_measure(plan), 0);
	assert_int_equal(sweep_pool_run(plan, 1, &now, &kept_ops, &kept, &usage, &err), -EINTR);
	assert_int_equal(kept.nr_calls, 1);
	sweep_plan_free(plan);
	sweep_grid_free(grid);
	scratch_remove();
}

/* What a worker wrote in its last breath is refused, wherever it ends. */
static void test_torn_results(void **state)
{
	char payload[sizeof(struct sweep_outcome) + sizeof(struct sweep_counter) + 8] = { 0 };
	struct sweep_outcome outcome = { .nr_counters = 1 };
	struct sweep_result result;
	(void)state;
	memcpy(payload, &outcome, sizeof(outcome));
	memcpy(payload + sizeof(outcome) + sizeof(struct sweep_counter), "a\0b", 4);
	for (size_t i = 0; i < sizeof(payload) - 3; i++)
		assert_int_equal(sweep_result_read(payload, i, &result), -EBADMSG);
	assert_int_equal(sweep_result_read(payload, sizeof(payload) - 3, &result), 0);
	assert_string_equal(result.error_text, "a");
	assert_string_equal(result.method, "b");
	assert_string_equal(result.note, "");
	outcome.nr_counters = UINT32_MAX;
	memcpy(payload, &outcome, sizeof(outcome));
	assert_int_equal(sweep_result_read(payload, sizeof(payload), &result), -EBADMSG);
}
