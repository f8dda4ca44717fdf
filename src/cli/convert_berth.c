/* SPDX-License-Identifier: MIT */
/*
 * Writes what is read as a recording. The clock of the input is kept: events are read in ticks, so
 * that a recording converted twice is the same.
 *
 * One appender per space, 5 MB each; at most MAX_APPENDERS at a time, the one unused for longest
 * gives way.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/convert.h"
#include "trace/writer.h"

#define MAX_APPENDERS 32

struct slot {
	struct trace_appender *appender;
	uint32_t space;
	uint64_t used; /* at which batch */
};

struct output {
	int fd;
	uint32_t page_bytes;
	struct slot slots[MAX_APPENDERS];
	uint64_t nr_batches;
};

static int close_slot(struct slot *slot)
{
	int error = slot->appender ? trace_appender_flush(slot->appender) : 0;
	slot->appender = trace_appender_free(slot->appender);
	return error;
}

static int find_appender(struct output *output, uint32_t space, struct trace_appender **ret)
{
	struct slot *oldest = &output->slots[0];
	output->nr_batches++;
	for (unsigned i = 0; i < MAX_APPENDERS; i++) {
		struct slot *slot = &output->slots[i];
		if (slot->appender && slot->space == space) {
			slot->used = output->nr_batches;
			*ret = slot->appender;
			return 0;
		}
		if (slot->used < oldest->used)
			oldest = slot;
	}
	int error = close_slot(oldest);
	error = error ? error
		      : trace_appender_new(output->fd, space, output->page_bytes,
					   &oldest->appender);
	oldest->space = space;
	oldest->used = output->nr_batches;
	*ret = oldest->appender;
	return error;
}

static int append_accesses(struct trace_appender *appender, const struct trace_batch *batch)
{
	int error = 0;
	for (uint32_t i = 0; i < batch->nr && !error; i++)
		error = trace_append_access(appender, batch->time_ns[i], batch->page[i],
					    batch->flags[i], batch->thread ? batch->thread[i] : 0);
	return error;
}

static int append_event(struct trace_appender *appender, const struct trace_batch *batch,
			uint32_t i)
{
	switch (batch->kind) {
	case TRACE_SAMPLES:
		return trace_append_sample(appender, batch->time_ns[i], batch->window_ns[i],
					   batch->page[i], batch->nr_pages[i], batch->hits[i],
					   batch->checks[i]);
	case TRACE_COUNTS:
		return trace_append_count(appender, batch->time_ns[i], batch->page[i],
					  batch->loads[i], batch->stores[i]);
	case TRACE_BLOCKED:
		return trace_append_blocked(appender, batch->time_ns[i], batch->thread[i],
					    batch->blocked_ns[i]);
	case TRACE_NODES:
		return trace_append_node(appender, batch->time_ns[i], batch->page[i],
					 batch->node[i]);
	default:
		return trace_append_mapping(appender, &batch->mappings[i]);
	}
}

/* Only mappings may be of several spaces in one batch. */
static int append_batch(struct output *output, const struct trace_batch *batch)
{
	struct trace_appender *appender;
	int error = 0;
	if (batch->kind == TRACE_ACCESSES) {
		error = find_appender(output, batch->space, &appender);
		return error ? error : append_accesses(appender, batch);
	}
	for (uint32_t i = 0; i < batch->nr && !error; i++) {
		uint32_t space = batch->kind == TRACE_MAPPINGS ? batch->mappings[i].space
							       : batch->space;
		error = find_appender(output, space, &appender);
		error = error ? error : append_event(appender, batch, i);
	}
	return error;
}

static int copy_events(struct trace_reader *reader, struct output *output, const char *out,
		       struct printbuf *err)
{
	const struct trace_batch *batch;
	int error = 0, more;
	while (!error && (more = trace_next(reader, &batch, err)) != 0) {
		if (more < 0)
			return more;
		error = append_batch(output, batch);
	}
	for (unsigned i = 0; i < MAX_APPENDERS && !error; i++)
		error = close_slot(&output->slots[i]);
	return error ? error_file(err, error, out, "write") : 0;
}

static int write_recording(struct trace_reader *reader, uint64_t ns_per_ktick, bool is_measured,
			   const char *out, struct printbuf *err)
{
	struct output output = { .fd = -1 };
	struct trace_info info = *trace_info(reader);
	info.ns_per_ktick = ns_per_ktick;
	info.clock_measured = is_measured;
	output.page_bytes = info.page_bytes;
	int error = trace_create(out, &info, &output.fd, err);
	if (error)
		return error;
	error = copy_events(reader, &output, out, err);
	for (unsigned i = 0; i < MAX_APPENDERS; i++)
		trace_appender_free(output.slots[i].appender);
	close(output.fd);
	info = *trace_info(reader); /* importers may have learnt of spaces on the way */
	info.ns_per_ktick = ns_per_ktick;
	info.clock_measured = is_measured;
	error = error ? error : trace_finish(out, &info, err);
	char *part = error ? trace_part_path(out) : NULL;
	if (part)
		unlink(part);
	free(part);
	return error;
}

int convert_to_berth(const char *in, const char *out, bool *ret_is_cut, struct printbuf *err)
{
	struct trace_open_options options = { .verify_only_headers = true };
	struct trace_reader *reader = NULL;
	int error = trace_open(in, &options, &reader, err);
	if (error)
		return error;
	uint64_t ns_per_ktick = trace_info(reader)->ns_per_ktick;
	bool is_measured = trace_info(reader)->clock_measured;
	trace_close(reader);
	options = (struct trace_open_options){ .ns_per_ktick = 1000 };
	reader = NULL;
	error = trace_open(in, &options, &reader, err);
	if (error)
		return error;
	error = write_recording(reader, ns_per_ktick, is_measured, out, err);
	*ret_is_cut = trace_info(reader)->is_cut;
	trace_close(reader);
	return error;
}
