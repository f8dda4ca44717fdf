/* SPDX-License-Identifier: MIT */
/* Accesses made of samples (sampled.h). */
#include "sim/sampled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sampled *sampled_new(sampled_take_fn *take, void *context)
{
	struct sampled *sampled = calloc(1, sizeof(*sampled));
	if (!sampled)
		return NULL;
	sampled->take = take;
	sampled->context = context;
	memset(sampled->flags, TRACE_MISS | TRACE_TOUCH, sizeof(sampled->flags));
	return sampled;
}

struct sampled *sampled_free(struct sampled *sampled)
{
	if (sampled)
		free(sampled->ranges);
	free(sampled);
	return NULL;
}

static int give(struct sampled *sampled)
{
	struct trace_batch accesses = { .kind = TRACE_ACCESSES,
					.space = sampled->space,
					.nr = sampled->nr_out,
					.time_ns = sampled->times_ns,
					.page = sampled->pages,
					.flags = sampled->flags };
	if (sampled->nr_out == 0)
		return 0;
	sampled->nr_out = 0;
	return sampled->take(sampled->context, &accesses);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* Prime to nr, and about 0.618 of it, so that neighbours come far apart. */
static uint64_t stride_of(uint64_t nr)
{
	uint64_t stride = nr / 1000 * 618 + nr % 1000 * 618 / 1000;
	stride = MAX(stride, 1);
	while (gcd(nr, stride) != 1)
		stride++;
	return stride;
}

static uint64_t page_at(const struct sampled *sampled, uint64_t index)
{
	uint32_t low = 0, high = sampled->nr - 1;
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;
		if (sampled->ranges[middle].first <= index)
			low = middle;
		else
			high = middle - 1;
	}
	const struct sampled_range *range = &sampled->ranges[low];
	return range->page + (range->begin + (index - range->first)) % range->span;
}

/* The look is over. */
static int end_look(struct sampled *sampled)
{
	uint64_t nr = sampled->nr_pages, index = 0;
	uint64_t stride = nr ? stride_of(nr) : 0, step_ns = nr ? sampled->window_ns / nr : 0;
	int error = 0;
	for (uint64_t i = 0; i < nr && !error; i++) {
		if (sampled->nr_out == TRACE_BATCH_EVENTS)
			error = give(sampled);
		index = (index + stride) % nr;
		sampled->times_ns[sampled->nr_out] = sampled->time_ns - (nr - 1 - i) * step_ns;
		sampled->pages[sampled->nr_out++] = page_at(sampled, index);
	}
	sampled->turn += sampled->nr != 0;
	sampled->nr = 0;
	sampled->nr_pages = 0;
	return error;
}

/* As many of the pages as the share of checks that found some. */
static uint64_t share_of(uint64_t nr_pages, uint32_t hits, uint32_t checks)
{
	if (hits >= checks)
		return nr_pages;
	uint64_t part = nr_pages / checks * hits + nr_pages % checks * hits / checks;
	return MAX(part, 1);
}

static int add_range(struct sampled *sampled, const struct trace_batch *samples, uint32_t i)
{
	uint64_t span = MIN(samples->nr_pages[i], SAMPLED_SPAN_MAX);
	uint64_t nr = share_of(span, samples->hits[i], samples->checks[i]);
	if (sampled->nr == sampled->max) {
		uint32_t max = MAX(sampled->max * 2, 256);
		struct sampled_range *ranges = realloc(sampled->ranges, max * sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
		sampled->ranges = ranges;
		sampled->max = max;
	}
	sampled->ranges[sampled->nr++] = (struct sampled_range){ .page = samples->page[i],
								 .span = span,
								 .begin = sampled->turn * nr % span,
								 .nr_pages = nr,
								 .first = sampled->nr_pages };
	sampled->nr_pages += nr;
	return 0;
}

static int begin_look(struct sampled *sampled, const struct trace_batch *samples, uint32_t i)
{
	uint64_t window_ns = samples->window_ns[i] == TRACE_UNKNOWN ? 0 : samples->window_ns[i];
	int error = end_look(sampled);
	uint64_t before_ns = sampled->time_ns, time_ns = samples->time_ns[i];
	if (!error && sampled->space != samples->space) {
		error = give(sampled);
		before_ns = 0;
	}
	sampled->space = samples->space;
	sampled->time_ns = time_ns;
	/* Windows that overlap would turn time back. */
	sampled->window_ns = time_ns > before_ns ? MIN(window_ns, time_ns - before_ns) : 0;
	return error;
}

int sampled_feed(struct sampled *sampled, const struct trace_batch *samples)
{
	int error = 0;
	for (uint32_t i = 0; i < samples->nr && !error; i++) {
		if (samples->hits[i] == 0 || samples->nr_pages[i] == 0)
			continue;
		if (sampled->nr == 0 || sampled->nr == SAMPLED_RANGES_MAX ||
		    sampled->space != samples->space || sampled->time_ns != samples->time_ns[i])
			error = begin_look(sampled, samples, i);
		if (!error)
			error = add_range(sampled, samples, i);
	}
	return error;
}

int sampled_flush(struct sampled *sampled)
{
	int error = end_look(sampled);
	return error ? error : give(sampled);
}
