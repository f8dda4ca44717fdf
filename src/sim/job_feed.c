/* SPDX-License-Identifier: MIT */
/* Recordings side by side; job_feed.h has the picture. */
#include "sim/job_feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/sim.h"

struct source {
	struct trace_reader *reader;
	const struct trace_batch *batch; /* NULL: ended */
	uint32_t at;			 /* next event of it */
};

struct job_feed {
	struct stage *stage;
	struct source *sources;
	uint32_t nr;
	struct trace_mapping *mappings; /* of one batch, with spaces of the set */
	uint32_t max_mappings;
	bool has_failed; /* a reader */
	struct printbuf *err;
};

static int space_of(struct job_feed *feed, uint32_t job, uint32_t space, uint32_t *ret)
{
	if (space >= SIM_JOB_SPACES_MAX)
		return error_set(feed->err, -EBADMSG,
				 "a recording of a job has more than %d processes; simulate it "
				 "alone",
				 SIM_JOB_SPACES_MAX);
	*ret = space * feed->nr + job;
	return 0;
}

static int map_space(struct job_feed *feed, uint32_t job, struct trace_mapping *mapping)
{
	uint32_t parent = 0;
	int error = space_of(feed, job, mapping->space, &mapping->space);
	if (error || mapping->op != TRACE_PROCESS || mapping->detail >= TRACE_NONE)
		return error;
	error = space_of(feed, job, (uint32_t)mapping->detail, &parent);
	mapping->detail = parent;
	return error;
}

/* Events [at, end) of a source's batch. */
static int feed_part(struct job_feed *feed, uint32_t job, uint32_t end)
{
	const struct source *source = &feed->sources[job];
	const struct trace_batch *batch = source->batch;
	struct trace_batch part = *batch;
	uint32_t at = source->at;
	int error = 0;
	part.nr = end - at;
	if (batch->kind == TRACE_MAPPINGS) {
		memcpy(feed->mappings, batch->mappings + at, part.nr * sizeof(*feed->mappings));
		for (uint32_t i = 0; i < part.nr && !error; i++)
			error = map_space(feed, job, &feed->mappings[i]);
		part.mappings = feed->mappings;
	} else {
		part.time_ns += at;
		part.page += batch->page ? at : 0;
		part.flags += batch->flags ? at : 0;
		part.thread += batch->thread ? at : 0;
		part.blocked_ns += batch->blocked_ns ? at : 0;
		error = space_of(feed, job, batch->space, &part.space);
	}
	return error ? error : stage_feed(feed->stage, &part, feed->err);
}

static uint64_t time_at(const struct trace_batch *batch, uint32_t at)
{
	return batch->kind == TRACE_MAPPINGS ? batch->mappings[at].time_ns : batch->time_ns[at];
}

static int keep_mappings(struct job_feed *feed, const struct trace_batch *batch)
{
	if (batch->nr <= feed->max_mappings)
		return 0;
	struct trace_mapping *mappings = realloc(feed->mappings, batch->nr * sizeof(*mappings));
	if (!mappings)
		return error_set(feed->err, -ENOMEM, "out of memory for mappings of jobs");
	feed->mappings = mappings;
	feed->max_mappings = batch->nr;
	return 0;
}

/* The next batch that has its place in time; what was blocked is summed and has none. */
static int refill(struct job_feed *feed, uint32_t job)
{
	struct source *source = &feed->sources[job];
	int error = 0, more = 0;
	while (!error && source->batch && source->at == source->batch->nr) {
		more = trace_next(source->reader, &source->batch, feed->err);
		source->at = 0;
		feed->has_failed |= more < 0;
		if (more <= 0) {
			source->batch = NULL;
			break;
		}
		bool is_mapping = source->batch->kind == TRACE_MAPPINGS;
		if (is_mapping)
			error = keep_mappings(feed, source->batch);
		if (is_mapping || source->batch->kind == TRACE_ACCESSES)
			continue;
		if (source->batch->kind == TRACE_BLOCKED && source->batch->nr > 0)
			error = feed_part(feed, job, source->batch->nr);
		source->at = source->batch->nr;
	}
	return error;
}

/* Whose next event comes first; the first job of those at the same time. */
static uint32_t first_of(const struct job_feed *feed)
{
	uint32_t first = feed->nr;
	uint64_t first_ns = UINT64_MAX;
	for (uint32_t i = 0; i < feed->nr; i++) {
		const struct source *source = &feed->sources[i];
		if (!source->batch ||
		    (first < feed->nr && time_at(source->batch, source->at) >= first_ns))
			continue;
		first = i;
		first_ns = time_at(source->batch, source->at);
	}
	return first;
}

/* What one job does until the end of the slice that its next event is in. */
static int run_slice(struct job_feed *feed, uint32_t job)
{
	struct source *source = &feed->sources[job];
	uint64_t slice = time_at(source->batch, source->at) / JOB_FEED_SLICE_NS;
	int error = 0;
	while (!error && source->batch &&
	       time_at(source->batch, source->at) / JOB_FEED_SLICE_NS <= slice) {
		uint32_t end = source->at + 1;
		while (end < source->batch->nr &&
		       time_at(source->batch, end) / JOB_FEED_SLICE_NS <= slice)
			end++;
		error = feed_part(feed, job, end);
		source->at = end;
		if (!error)
			error = refill(feed, job);
	}
	return error ? error : stage_flush(feed->stage, feed->err);
}

int job_feed_run(struct stage *stage, struct trace_reader *const *readers, uint32_t nr,
		 struct printbuf *err)
{
	static const struct trace_batch nothing = { 0 };
	struct job_feed feed = { .stage = stage, .nr = nr, .err = err };
	int error = 0;
	feed.sources = calloc(nr, sizeof(*feed.sources));
	if (!feed.sources)
		return error_set(err, -ENOMEM, "out of memory for jobs");
	for (uint32_t i = 0; i < nr && !error; i++) {
		feed.sources[i] = (struct source){ .reader = readers[i], .batch = &nothing };
		error = refill(&feed, i);
	}
	for (uint32_t job = first_of(&feed); !error && job < nr; job = first_of(&feed))
		error = run_slice(&feed, job);
	free(feed.mappings);
	free(feed.sources);
	return error ? error : feed.has_failed;
}

static bool is_ordered(const struct trace_info *info)
{
	return info->streams & (TRACE_STREAM_MISSES | TRACE_STREAM_ALL);
}

int sim_check_jobs(const struct trace_info *const *infos, const struct sim_job_config *jobs,
		   uint32_t nr, struct printbuf *err)
{
	for (uint32_t i = 0; i < nr; i++) {
		const struct trace_info *info = infos[i], *first = infos[0];
		if (!is_ordered(info))
			return error_set(err, -EOPNOTSUPP,
					 "job %s: its recording has no misses in order, which "
					 "several jobs need; record with --stream misses,touches",
					 jobs[i].name);
		if (info->page_bytes != first->page_bytes ||
		    info->cache.line_bytes != first->cache.line_bytes ||
		    (info->cache.size_bytes == 0) != (first->cache.size_bytes == 0))
			return error_set(
				err, -EINVAL,
				"jobs %s and %s: recorded with different sizes of pages or "
				"cache lines, or only one with a cache; record both alike",
				jobs[0].name, jobs[i].name);
	}
	return 0;
}
