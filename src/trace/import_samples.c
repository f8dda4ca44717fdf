/* SPDX-License-Identifier: MIT */
/*
 * From the order of the file to the order of time, in bounded memory.
 *
 * damo writes one record per target, each with all its snapshots: a reader that delivers by time
 * needs all records at once, and one that knows the duration has read the file to its end. So the
 * file is parsed once into a compact form (4 to 6 bytes a range, a hundredth of damo's JSON) that
 * is kept in memory while it is small and in an unlinked file beyond, and replayed from there:
 *
 *     spill   | head ranges | head ranges | ... | head ranges | head ranges | ...
 *              '------- run 0: times ascend -----''------ run 1: the next record ------
 *     heap    the run whose next snapshot is the earliest     -> batches of one space
 *
 * A run ends where time steps back. A range is three varints: zigzag distance of its first page
 * from the end of the range before, pages, hits.
 *
 * Cost: MEMORY_BYTES and WINDOW_BUDGET at most, 5 bytes of spill a range; about 20 ns a range.
 */
#include "trace/import_samples.h"

#include <stdlib.h>
#include <string.h>

#include "trace/import_common.h"
#include "trace/import_spill.h"

#define MEMORY_BYTES	   ((size_t)16 << 20)
#define WINDOW_BUDGET	   ((size_t)4 << 20) /* shared by the runs */
#define WINDOW_MIN	   ((size_t)512)
#define WINDOW_MAX	   ((size_t)64 << 10)
#define MAX_RUNS	   8192
#define SNAPSHOT_BYTES_MAX ((size_t)32 << 20)
#define RANGE_BYTES_MAX	   30 /* three varints */

struct head { /* before the ranges of a snapshot, in the byte order of this machine */
	uint64_t end_ns, window_ns;
	uint32_t series, checks, nr_ranges, reserved;
};

struct run {
	uint64_t offset, end; /* what of the spill is not in the window yet */
	struct head head;     /* of the snapshot that is next */
	uint32_t nr_left;     /* its ranges not given yet */
	uint64_t end_page;
	uint8_t *window;
	size_t at, nr;
};

struct import_samples {
	struct import_spill spill;
	struct import_series *series;
	uint32_t nr_series, nr_runs;
	struct run *runs;
	uint64_t last_end_ns; /* of the run that grows */
	uint64_t nr_ranges;
	uint64_t begin_ns, end_ns;
	/* Replay. */
	uint64_t ns_per_ktick;
	size_t window_bytes;
	uint8_t *windows;
	struct run **heap;
	uint32_t nr_heap;
	struct trace_batch batch;
	uint64_t time_ns[TRACE_BATCH_EVENTS];
	uint64_t page[TRACE_BATCH_EVENTS];
	uint64_t nr_pages[TRACE_BATCH_EVENTS];
	uint64_t window_ns[TRACE_BATCH_EVENTS];
	uint32_t hits[TRACE_BATCH_EVENTS];
	uint32_t checks[TRACE_BATCH_EVENTS];
};

int import_samples_new(struct import_samples **ret)
{
	struct import_samples *samples = calloc(1, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	import_spill_init(&samples->spill, MEMORY_BYTES);
	samples->begin_ns = UINT64_MAX;
	*ret = samples;
	return 0;
}

struct import_samples *import_samples_free(struct import_samples *samples)
{
	if (!samples)
		return NULL;
	import_spill_fini(&samples->spill);
	free(samples->series);
	free(samples->runs);
	free(samples->windows);
	free(samples->heap);
	free(samples);
	return NULL;
}

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
	while (value >= 0x80) {
		*out++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*out++ = (uint8_t)value;
	return out;
}

static int snapshot_reserve(struct import_snapshot *snapshot)
{
	if (likely(snapshot->size - snapshot->nr >= RANGE_BYTES_MAX))
		return 0;
	if (snapshot->size >= SNAPSHOT_BYTES_MAX)
		return -E2BIG;
	size_t size = snapshot->size ? snapshot->size * 2 : 4096;
	uint8_t *bytes = realloc(snapshot->bytes, size);
	if (!bytes)
		return -ENOMEM;
	snapshot->bytes = bytes;
	snapshot->size = size;
	return 0;
}

int import_snapshot_add(struct import_snapshot *snapshot, uint64_t page, uint64_t nr_pages,
			uint32_t hits)
{
	int error = snapshot_reserve(snapshot);
	if (error)
		return error;
	int64_t step = (int64_t)(page - snapshot->end_page);
	uint8_t *out = snapshot->bytes + snapshot->nr;
	out = put_varint(out, (uint64_t)step << 1 ^ -(uint64_t)(step < 0));
	out = put_varint(out, nr_pages);
	out = put_varint(out, hits);
	snapshot->nr = (size_t)(out - snapshot->bytes);
	snapshot->end_page = page + nr_pages;
	snapshot->max_page = MAX(snapshot->max_page, page + nr_pages);
	snapshot->max_hits = MAX(snapshot->max_hits, hits);
	snapshot->nr_ranges++;
	return 0;
}

void import_snapshot_clear(struct import_snapshot *snapshot)
{
	*snapshot = (struct import_snapshot){ .bytes = snapshot->bytes, .size = snapshot->size };
}

void import_snapshot_fini(struct import_snapshot *snapshot)
{
	free(snapshot->bytes);
	*snapshot = (struct import_snapshot){ 0 };
}

/* Room for one more item of an array whose capacity is its count rounded up to a power of two. */
static void *grow(void *array, uint32_t nr, size_t item_bytes)
{
	if (nr & (nr - 1))
		return array;
	return reallocarray(array, nr ? (size_t)nr * 2 : 1, item_bytes);
}

int import_samples_add_series(struct import_samples *samples, uint32_t *ret_number)
{
	if (samples->nr_series == IMPORT_MAX_SERIES)
		return -E2BIG;
	struct import_series *series = grow(samples->series, samples->nr_series, sizeof(*series));
	if (!series)
		return -ENOMEM;
	samples->series = series;
	series[samples->nr_series] = (struct import_series){ 0 };
	*ret_number = samples->nr_series++;
	return 0;
}

struct import_series *import_samples_series(struct import_samples *samples, uint32_t number)
{
	return &samples->series[number];
}

uint32_t import_samples_nr_series(const struct import_samples *samples)
{
	return samples->nr_series;
}

uint64_t import_samples_nr_ranges(const struct import_samples *samples)
{
	return samples->nr_ranges;
}

void import_samples_mark(struct import_samples *samples, uint32_t number, uint64_t end_ns)
{
	struct import_series *series = &samples->series[number];
	if (!series->nr_snapshots++)
		series->first_end_ns = end_ns;
	series->first_end_ns = MIN(series->first_end_ns, end_ns);
	series->last_end_ns = MAX(series->last_end_ns, end_ns);
}

/* The run that this snapshot continues, or a new one. */
static int samples_run(struct import_samples *samples, uint64_t end_ns)
{
	if (samples->nr_runs && end_ns >= samples->last_end_ns)
		return 0;
	if (samples->nr_runs == MAX_RUNS)
		return -E2BIG;
	struct run *runs = grow(samples->runs, samples->nr_runs, sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	samples->runs = runs;
	runs[samples->nr_runs++] = (struct run){ .offset = import_spill_bytes(&samples->spill) };
	return 0;
}

int import_samples_commit(struct import_samples *samples, uint32_t number,
			  struct import_snapshot *snapshot, uint64_t end_ns, uint64_t window_ns,
			  uint32_t checks)
{
	struct import_series *series = &samples->series[number];
	struct head head = { .end_ns = end_ns,
			     .window_ns = MIN(window_ns, end_ns),
			     .series = number,
			     .checks = checks,
			     .nr_ranges = snapshot->nr_ranges };
	int error = samples_run(samples, end_ns);
	if (!error)
		error = import_spill_append(&samples->spill, &head, sizeof(head));
	if (!error)
		error = import_spill_append(&samples->spill, snapshot->bytes, snapshot->nr);
	if (error)
		return error;
	samples->runs[samples->nr_runs - 1].end = import_spill_bytes(&samples->spill);
	samples->last_end_ns = end_ns;
	import_samples_mark(samples, number, end_ns);
	series->max_page = MAX(series->max_page, snapshot->max_page);
	series->max_hits = MAX(series->max_hits, snapshot->max_hits);
	series->lacks_window |= !window_ns;
	series->lacks_checks |= !checks;
	samples->nr_ranges += snapshot->nr_ranges;
	samples->begin_ns = MIN(samples->begin_ns, end_ns - head.window_ns);
	samples->end_ns = MAX(samples->end_ns, end_ns);
	import_snapshot_clear(snapshot);
	return 0;
}

/* Moves what is left of the window to its front and fills the rest. */
static int run_fill(const struct import_samples *samples, struct run *run)
{
	memmove(run->window, run->window + run->at, run->nr - run->at);
	run->nr -= run->at;
	run->at = 0;
	uint64_t left = run->end - run->offset;
	size_t want = samples->window_bytes - run->nr;
	ssize_t nr = import_spill_read(&samples->spill, run->offset, run->window + run->nr,
				       left < want ? (size_t)left : want);
	if (nr < 0)
		return (int)nr;
	run->offset += (uint64_t)nr;
	run->nr += (size_t)nr;
	return 0;
}

/* 1: run->head is the next snapshot with ranges; 0: the run is over. */
static int run_head(const struct import_samples *samples, struct run *run)
{
	for (;;) { /* passes over snapshots without ranges */
		if (run->nr - run->at < sizeof(run->head)) {
			int error = run_fill(samples, run);
			if (error || run->nr < sizeof(run->head))
				return error;
		}
		memcpy(&run->head, run->window + run->at, sizeof(run->head));
		run->at += sizeof(run->head);
		run->nr_left = run->head.nr_ranges;
		run->end_page = 0;
		if (run->nr_left)
			return 1;
	}
}

static bool run_is_before(const struct run *a, const struct run *b)
{
	return a->head.end_ns != b->head.end_ns ? a->head.end_ns < b->head.end_ns : a < b;
}

static void heap_sink(struct import_samples *samples, uint32_t at)
{
	struct run **heap = samples->heap;
	for (;;) { /* at most the height of the heap */
		uint32_t child = 2 * at + 1;
		if (child >= samples->nr_heap)
			return;
		if (child + 1 < samples->nr_heap && run_is_before(heap[child + 1], heap[child]))
			child++;
		if (!run_is_before(heap[child], heap[at]))
			return;
		struct run *moved = heap[at];
		heap[at] = heap[child];
		heap[child] = moved;
		at = child;
	}
}

static int samples_begin_replay(struct import_samples *samples)
{
	size_t share = WINDOW_BUDGET / MAX(samples->nr_runs, 1u);
	samples->window_bytes = MIN(MAX(share, WINDOW_MIN), WINDOW_MAX);
	samples->windows = calloc(MAX(samples->nr_runs, 1u), samples->window_bytes);
	samples->heap = calloc(MAX(samples->nr_runs, 1u), sizeof(struct run *));
	if (!samples->windows || !samples->heap)
		return -ENOMEM;
	for (uint32_t i = 0; i < samples->nr_runs; i++) {
		struct run *run = &samples->runs[i];
		run->window = samples->windows + i * samples->window_bytes;
		int status = run_head(samples, run);
		if (status < 0)
			return status;
		if (status)
			samples->heap[samples->nr_heap++] = run;
	}
	for (uint32_t i = samples->nr_heap; i-- > 0;)
		heap_sink(samples, i);
	return 0;
}

/* Windows that the file lacks are as long as the mean distance of the snapshots. */
static void resolve_series(struct import_samples *samples, struct import_series *series)
{
	if (series->nr_snapshots > 1)
		series->mean_window_ns = (series->last_end_ns - series->first_end_ns) /
					 (series->nr_snapshots - 1);
	else
		series->mean_window_ns = series->aggregation_ns;
	if (series->lacks_window && series->nr_snapshots) {
		uint64_t window_ns = MIN(series->mean_window_ns, series->first_end_ns);
		samples->begin_ns = MIN(samples->begin_ns, series->first_end_ns - window_ns);
	}
}

int import_samples_finish(struct import_samples *samples, uint64_t ns_per_ktick,
			  uint64_t *ret_duration_ns)
{
	int error = import_spill_finish(&samples->spill);
	if (error)
		return error;
	for (uint32_t i = 0; i < samples->nr_series; i++)
		resolve_series(samples, &samples->series[i]);
	samples->begin_ns = MIN(samples->begin_ns, samples->end_ns);
	samples->ns_per_ktick = ns_per_ktick;
	samples->batch = (struct trace_batch){ .kind = TRACE_SAMPLES,
					       .time_ns = samples->time_ns,
					       .page = samples->page,
					       .nr_pages = samples->nr_pages,
					       .hits = samples->hits,
					       .checks = samples->checks,
					       .window_ns = samples->window_ns };
	*ret_duration_ns = samples->end_ns - samples->begin_ns;
	return samples_begin_replay(samples);
}

static uint32_t divide_rounded(uint64_t value, uint64_t by)
{
	uint64_t ratio = value / by + (value % by >= by - by / 2);
	return (uint32_t)MIN(MAX(ratio, 1), UINT32_MAX);
}

/* How often each page of a range could have been seen in the window. */
static uint32_t checks_of(const struct import_series *series, const struct head *head,
			  uint64_t window_ns)
{
	if (head->checks)
		return head->checks;
	if (series->sample_ns)
		return divide_rounded(series->aggregation_ns ? series->aggregation_ns : window_ns,
				      series->sample_ns);
	return MAX(divide_rounded(window_ns, IMPORT_SAMPLE_NS_DEFAULT), series->max_hits);
}

static uint64_t get_varint(struct run *run)
{
	uint64_t value = 0;
	for (unsigned shift = 0; run->at < run->nr && shift < 64; shift += 7) {
		uint8_t byte = run->window[run->at++];
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return value;
}

/* As many ranges of the run's snapshot as the batch still takes. */
static int give_ranges(struct import_samples *samples, struct run *run)
{
	const struct import_series *series = &samples->series[run->head.series];
	uint64_t window_ns = run->head.window_ns ? run->head.window_ns : series->mean_window_ns;
	uint32_t checks = checks_of(series, &run->head, window_ns);
	uint64_t time_ns = import_ticks_to_ns(run->head.end_ns - samples->begin_ns,
					      samples->ns_per_ktick);
	window_ns = import_ticks_to_ns(window_ns, samples->ns_per_ktick);
	uint32_t i = samples->batch.nr;
	for (; i < TRACE_BATCH_EVENTS && run->nr_left; i++, run->nr_left--) {
		if (run->nr - run->at < RANGE_BYTES_MAX && run->offset < run->end) {
			int error = run_fill(samples, run);
			if (error)
				return error;
		}
		uint64_t step = get_varint(run);
		samples->page[i] = run->end_page + (step >> 1 ^ -(step & 1));
		samples->nr_pages[i] = get_varint(run);
		samples->hits[i] = (uint32_t)get_varint(run);
		samples->checks[i] = MAX(checks, samples->hits[i]);
		samples->time_ns[i] = time_ns;
		samples->window_ns[i] = window_ns;
		run->end_page = samples->page[i] + samples->nr_pages[i];
	}
	samples->batch.nr = i;
	return 0;
}

/* The top of the heap has given its snapshot: on to its next one. */
static int heap_advance(struct import_samples *samples)
{
	int status = run_head(samples, samples->heap[0]);
	if (status < 0)
		return status;
	if (!status)
		samples->heap[0] = samples->heap[--samples->nr_heap];
	heap_sink(samples, 0);
	return 0;
}

int import_samples_next(struct import_samples *samples, const struct trace_batch **ret_batch)
{
	struct trace_batch *batch = &samples->batch;
	batch->nr = 0;
	while (samples->nr_heap && batch->nr < TRACE_BATCH_EVENTS) {
		struct run *run = samples->heap[0];
		uint32_t space = samples->series[run->head.series].space;
		if (batch->nr && space != batch->space)
			break;
		batch->space = space;
		int error = give_ranges(samples, run);
		if (!error && !run->nr_left)
			error = heap_advance(samples);
		if (error)
			return error;
	}
	*ret_batch = batch;
	return batch->nr > 0;
}
