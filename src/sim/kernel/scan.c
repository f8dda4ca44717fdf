/* SPDX-License-Identifier: MIT */
/* The hint-fault scanner; scan.h has the picture and the sources. */
#include "sim/kernel/scan.h"

#include "sim/cost.h"

#define MAX_WINDOW_MB	   2560 /* MAX_SCAN_WINDOW: megabytes a second */
#define VIRTUAL_FACTOR	   8	/* ranges without anything to arm cost an eighth */
#define AREA_RESET_DELAYS  4	/* VMA_PID_RESET_PERIOD, in scan delays */
#define WINNER_TICKS	   2	/* another thread shall win the next time */
#define OVERHEAD_FACTOR	   32
#define RETRY_MS	   1000
#define RETRY_PERIOD_SHARE 16
#define PERIOD_SLOTS	   10
#define PERIOD_THRESHOLD   7

static uint64_t window_pages(const struct scan_config *config)
{
	return cost_scale(config->size_mb, 1 << 20, config->page_bytes);
}

static uint64_t nr_windows(const struct scan_config *config, uint64_t resident_pages)
{
	uint64_t window = MAX(window_pages(config), 1);
	return resident_pages == 0 ? 1 : (resident_pages + window - 1) / window;
}

uint64_t scan_period_min_ms(const struct scan_config *config, uint64_t resident_pages)
{
	uint64_t windows = config->size_mb < MAX_WINDOW_MB ? MAX_WINDOW_MB / MAX(config->size_mb, 1)
							   : 1;
	uint64_t floor = 1000 / windows;
	return MAX(floor, config->period_min_ms / nr_windows(config, resident_pages));
}

uint64_t scan_period_max_ms(const struct scan_config *config, uint64_t resident_pages)
{
	uint64_t max = config->period_max_ms / nr_windows(config, resident_pages);
	return MAX(max, scan_period_min_ms(config, resident_pages));
}

void scan_task_init(struct scan_task *task, const struct scan_config *config)
{
	*task = (struct scan_task){ .period_ms = config->delay_ms };
}

bool scan_is_due(struct scan_task *task, const struct scan_config *config, uint64_t now_ms,
		 uint64_t runtime_ns, uint64_t resident_pages)
{
	uint64_t period_ns = task->period_ms * NS_PER_MS;
	if (runtime_ns <= task->node_stamp_ns + period_ns)
		return false;
	if (task->node_stamp_ns == 0)
		task->period_ms = scan_period_min_ms(config, resident_pages);
	task->node_stamp_ns += period_ns;
	return now_ms >= task->next_scan_ms;
}

static void meet_area(const struct scan_task *task, const struct scan_config *config,
		      struct scan_area *area, uint64_t now_ms)
{
	if (!area->is_known) {
		area->is_known = true;
		area->start_seq = task->seq;
		area->done_seq = task->seq - 1;
		area->next_ms = now_ms + config->delay_ms;
		area->reset_ms = area->next_ms + AREA_RESET_DELAYS * config->delay_ms;
	}
}

static bool is_accessed(const struct scan_task *task, const struct scan_area *area)
{
	if (task->seq - area->start_seq < 2 || area->faulted[0] || area->faulted[1])
		return true;
	if (task->offset > area->start)
		return true;
	return task->seq > area->done_seq + 1; /* one thread */
}

static enum scan_skip judge(struct scan_task *task, const struct scan_config *config,
			    struct scan_area *area, uint64_t now_ms, bool is_forced)
{
	if (area->is_unsuitable)
		return SCAN_SKIP_UNSUITABLE;
	meet_area(task, config, area, now_ms);
	if (task->seq && now_ms < area->next_ms)
		return SCAN_SKIP_DELAY;
	if (task->seq && now_ms > area->reset_ms) {
		area->reset_ms += AREA_RESET_DELAYS * config->delay_ms;
		area->faulted[0] = area->faulted[1];
		area->faulted[1] = false;
	}
	if (area->done_seq == task->seq) {
		task->offset = area->end;
		return SCAN_SKIP_SEQ_COMPLETED;
	}
	return is_forced || is_accessed(task, area) ? SCAN_TAKEN : SCAN_SKIP_PID_INACTIVE;
}

struct run {
	struct scan_task *task;
	const struct scan_config *config;
	const struct scan_ops *ops;
	void *context;
	uint64_t now_ms;
	int64_t pages, virtual_pages; /* budgets left */
	uint64_t start;
	uint64_t nr_armed;
};

/* Arms ranges of one area until its end or the end of a budget: false then. */
static bool run_area(struct run *run, struct scan_area *area)
{
	uint64_t huge = run->config->huge_pages;
	uint64_t end;
	do {
		run->start = MAX(run->start, area->start);
		end = (run->start + (uint64_t)run->pages + huge - 1) / huge * huge;
		end = MIN(end, area->end);
		uint64_t nr = run->ops->arm(run->context, run->start, end);
		run->nr_armed += nr;
		if (nr > 0)
			run->pages -= (int64_t)(end - run->start);
		run->virtual_pages -= (int64_t)(end - run->start);
		run->start = end;
		if (run->pages <= 0 || run->virtual_pages <= 0)
			return false;
	} while (end != area->end);
	area->done_seq = run->task->seq;
	return true;
}

static size_t first_area(const struct scan_area *areas, size_t nr_areas, uint64_t page)
{
	size_t low = 0, high = nr_areas;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (areas[middle].end > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void begin_sequence(struct scan_task *task)
{
	task->seq++;
	task->offset = 0;
}

/* From the offset to the last area. True: a budget ended within an area. `is_forced`: take one
 * area even though this task did not fault in it. */
static bool run_pass(struct run *run, struct scan_area *areas, size_t nr_areas, bool is_forced,
		     bool *ret_was_skipped, bool *ret_stopped_early)
{
	run->start = run->task->offset;
	size_t i = first_area(areas, nr_areas, run->start);
	if (i == nr_areas) {
		begin_sequence(run->task);
		run->start = 0;
		i = 0;
	}
	for (; i < nr_areas; i++) {
		enum scan_skip why = judge(run->task, run->config, &areas[i], run->now_ms,
					   is_forced);
		if (run->ops->skipped && why != SCAN_TAKEN)
			run->ops->skipped(run->context, &areas[i], why);
		*ret_was_skipped |= why == SCAN_SKIP_PID_INACTIVE;
		if (why != SCAN_TAKEN)
			continue;
		if (!run_area(run, &areas[i]))
			return true;
		if (is_forced) {
			*ret_stopped_early = true;
			return false;
		}
	}
	return false;
}

uint64_t scan_run(struct scan_task *task, const struct scan_config *config, uint64_t now_ms,
		  uint64_t resident_pages, struct scan_area *areas, size_t nr_areas,
		  const struct scan_ops *ops, void *context)
{
	if (task->next_scan_ms == 0)
		task->next_scan_ms = now_ms + config->delay_ms;
	if (now_ms < task->next_scan_ms)
		return 0;
	if (task->period_ms == 0) {
		task->period_max_ms = scan_period_max_ms(config, resident_pages);
		task->period_ms = scan_period_min_ms(config, resident_pages);
	}
	task->next_scan_ms = now_ms + task->period_ms;
	task->node_stamp_ns += WINNER_TICKS * SCAN_TICK_NS;
	struct run run = {
		.task = task, .config = config, .ops = ops, .context = context, .now_ms = now_ms
	};
	run.pages = (int64_t)MIN(window_pages(config), INT64_MAX / VIRTUAL_FACTOR);
	run.virtual_pages = run.pages * VIRTUAL_FACTOR;
	if (run.pages == 0 || nr_areas == 0)
		return 0;
	bool was_skipped = false, stopped_early = false;
	bool is_cut = run_pass(&run, areas, nr_areas, false, &was_skipped, &stopped_early);
	if (!is_cut && was_skipped)
		is_cut = run_pass(&run, areas, nr_areas, true, &was_skipped, &stopped_early);
	if (is_cut || stopped_early)
		task->offset = run.start;
	else
		begin_sequence(task);
	return run.nr_armed;
}

void scan_charge(struct scan_task *task, uint64_t spent_ns)
{
	task->node_stamp_ns += OVERHEAD_FACTOR * spent_ns;
}

static void adapt_period(struct scan_task *task, const struct scan_config *config, uint64_t now_ms,
			 uint64_t resident_pages)
{
	uint64_t min = scan_period_min_ms(config, resident_pages);
	uint64_t max = scan_period_max_ms(config, resident_pages);
	uint64_t local = task->nr_local, remote = task->nr_remote;
	if (local + task->nr_shared == 0 || task->nr_failed) {
		task->period_ms = MIN(task->period_max_ms, task->period_ms * 2);
		task->next_scan_ms = now_ms + task->period_ms;
		return;
	}
	int64_t slot = (int64_t)((task->period_ms + PERIOD_SLOTS - 1) / PERIOD_SLOTS);
	int64_t near = (int64_t)(local * PERIOD_SLOTS / (local + remote));
	int64_t own = (int64_t)(task->nr_private * PERIOD_SLOTS /
				MAX(task->nr_private + task->nr_shared, 1));
	int64_t slots = MAX(near, own) - PERIOD_THRESHOLD;
	if (own >= PERIOD_THRESHOLD)
		slots = MAX(own - PERIOD_THRESHOLD, 1);
	else if (near >= PERIOD_THRESHOLD)
		slots = MAX(near - PERIOD_THRESHOLD, 1);
	int64_t period = (int64_t)task->period_ms + slots * slot;
	task->period_ms = (uint64_t)MIN(MAX(period, (int64_t)min), (int64_t)max);
}

/* Retried every second or so; adapts the period at the first retry in each new sequence. */
static void place_task(struct scan_task *task, const struct scan_config *config, uint64_t now_ms,
		       uint64_t resident_pages)
{
	if (task->placed_seq != task->seq) {
		task->placed_seq = task->seq;
		task->period_max_ms = scan_period_max_ms(config, resident_pages);
		adapt_period(task, config, now_ms, resident_pages);
		task->nr_local = task->nr_remote = task->nr_failed = 0;
		task->nr_shared = task->nr_private = 0;
	}
	task->retry_ms = now_ms + MIN(RETRY_MS, task->period_ms / RETRY_PERIOD_SHARE);
}

void scan_fault(struct scan_task *task, const struct scan_config *config,
		const struct scan_fault *fault, uint64_t now_ms, uint64_t resident_pages)
{
	if (now_ms > task->retry_ms)
		place_task(task, config, now_ms, resident_pages);
	if (fault->is_local)
		task->nr_local += fault->nr_pages;
	else
		task->nr_remote += fault->nr_pages;
	if (fault->has_failed)
		task->nr_failed += fault->nr_pages;
	if (fault->is_private)
		task->nr_private += fault->nr_pages;
	else
		task->nr_shared += fault->nr_pages;
}

void scan_area_faulted(struct scan_area *area)
{
	area->faulted[1] = true;
}
