/* SPDX-License-Identifier: MIT */
/*
 * DAMON's results as text, one line a region: what `perf script` prints of a recorded
 * damon:damon_aggregated, what damo writes as perf_script, and what trace-cmd and ftrace print.
 *
 *     kdamond.0  4452 [000] 82877.315633: damon:damon_aggregated: target_id=1844... nr_regions=17
 *                                         140731667070976-140731668037632: 0 3
 *     (on one line; the last number, the age, is missing in kernels before 5.17)
 *     ... damon:damos_before_apply: ctx_idx=0 scheme_idx=0 target_idx=0 nr_regions=11 ...
 *     ... damon:damon_monitor_intervals_tune: sample_us=5000
 *
 * A snapshot is nr_regions lines of one target; when lines are lost, the first line whose region
 * does not lie behind the one before begins the next. Its time is that of its first line, the end
 * of the window: a window begins where the one before ended, and the first is as long as the mean.
 * How often DAMON looked is in the file only when the intervals are tuned; else 5 ms are assumed,
 * with a note. Other events and comments are passed over.
 *
 * Cost: about 25 MiB at most, whatever the file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "trace/import_damo.h"
#include "trace/import_lines.h"

#define MAX_TARGETS	  1024
#define PENDING_BYTES_MAX ((size_t)32 << 20) /* of the unfinished snapshots together */
#define PERF_DATA_MAGIC	  "PERFILE2"

struct region_line {
	uint64_t time_ns, start, end;
	uint64_t context, scheme; /* UINT64_MAX: the event has none */
	uint64_t target, nr_regions, hits;
	bool is_made_up; /* damo's successor of a lone snapshot: -1 accesses */
};

struct target {
	uint64_t context, scheme, target;
	uint32_t series;
	struct import_snapshot snapshot;
	uint64_t time_ns; /* of the snapshot's first line */
	uint64_t last_start;
	uint64_t nr_expected, nr_seen;
	uint64_t before_ns; /* end of the snapshot before */
	bool has_before;
};

struct perf {
	char *path;
	struct import_samples *samples;
	struct trace_info *info; /* while opening, as all below */
	struct printbuf *err;
	struct import_input *input;
	struct import_lines lines;
	struct target *targets;
	uint32_t nr_targets;
	uint32_t last_target;
	uint64_t sample_ns; /* the last that was tuned; 0: never */
	uint64_t nr_incomplete, nr_unreadable;
};

static const char *find(const char *text, const char *end, const char *word)
{
	return memmem(text, (size_t)(end - text), word, strlen(word));
}

/* Decimal digits at *inout; moves past them. */
static bool take_u64(const char **inout, const char *end, uint64_t *ret)
{
	const char *digit = *inout;
	while (digit < end && *digit >= '0' && *digit <= '9')
		digit++;
	bool ok = !import_parse_u64(*inout, (size_t)(digit - *inout), ret);
	*inout = digit;
	return ok;
}

/* "name=123" anywhere in the text; the place behind it, or NULL. */
static const char *take_field(const char *text, const char *end, const char *name, uint64_t *ret)
{
	const char *at = find(text, end, name);
	if (!at)
		return NULL;
	at += strlen(name);
	return take_u64(&at, end, ret) ? at : NULL;
}

/* The time before the event's name: "... 82877.315633: ". */
static bool take_time(const char *text, const char *name, uint64_t *ret_ns)
{
	const char *end = name;
	while (end > text && (end[-1] == ' ' || end[-1] == ':'))
		end--;
	const char *begin = end;
	while (begin > text && ((begin[-1] >= '0' && begin[-1] <= '9') || begin[-1] == '.'))
		begin--;
	return end > begin && !import_parse_time(begin, (size_t)(end - begin), NS_PER_S, ret_ns);
}

/* "140731667070976-140731668037632: 0 3" */
static bool take_region(const char *at, const char *end, struct region_line *line)
{
	while (at < end && *at == ' ')
		at++;
	if (!take_u64(&at, end, &line->start) || at == end || *at++ != '-' ||
	    !take_u64(&at, end, &line->end) || end - at < 3 || at[0] != ':' || at[1] != ' ')
		return false;
	at += 2;
	line->is_made_up = *at == '-';
	at += line->is_made_up;
	return take_u64(&at, end, &line->hits) && (at == end || *at == ' ');
}

/* The event's name, with the prefix perf puts before it or without; NULL when it is another. */
static const char *find_event(const char *text, const char *end, const char *event)
{
	const char *at = find(text, end, event);
	if (!at || at == text)
		return NULL;
	size_t prefix = strlen("damon:");
	if ((size_t)(at - text) > prefix && !memcmp(at - prefix, "damon:", prefix))
		at -= prefix;
	return at[-1] == ' ' ? at : NULL;
}

/* 1: a region; 0: another line; -EBADMSG: a line of these events that is not readable. */
static int parse_line(struct perf *perf, const char *text, size_t nr, struct region_line *line)
{
	const char *end = text + nr;
	const char *tuned = find_event(text, end, "damon_monitor_intervals_tune: ");
	const char *event = find_event(text, end, "damon_aggregated: ");
	bool is_scheme = false;
	uint64_t sample_us;
	if (tuned) {
		if (!take_field(tuned, end, "sample_us=", &sample_us) || sample_us > NS_PER_S)
			return -EBADMSG;
		perf->sample_ns = sample_us * NS_PER_US;
		return 0;
	}
	if (!event) {
		event = find_event(text, end, "damos_before_apply: ");
		is_scheme = true;
	}
	if (!event)
		return 0;
	*line = (struct region_line){ .context = UINT64_MAX, .scheme = UINT64_MAX };
	if (is_scheme && (!take_field(event, end, "ctx_idx=", &line->context) ||
			  !take_field(event, end, "scheme_idx=", &line->scheme)))
		return -EBADMSG;
	const char *at = NULL;
	if (take_time(text, event, &line->time_ns) &&
	    take_field(event, end, is_scheme ? "target_idx=" : "target_id=", &line->target))
		at = take_field(event, end, "nr_regions=", &line->nr_regions);
	return at && take_region(at, end, line) && line->start <= line->end ? 1 : -EBADMSG;
}

static int add_target(struct perf *perf, const struct region_line *line, struct target **ret)
{
	if (perf->nr_targets == MAX_TARGETS)
		return -E2BIG;
	if (!perf->targets)
		perf->targets = calloc(MAX_TARGETS, sizeof(*perf->targets));
	if (!perf->targets)
		return -ENOMEM;
	struct target *target = &perf->targets[perf->nr_targets];
	*target = (struct target){ .context = line->context,
				   .scheme = line->scheme,
				   .target = line->target };
	int error = import_samples_add_series(perf->samples, &target->series);
	if (error)
		return error;
	PRINTBUF(name);
	if (line->scheme != UINT64_MAX)
		prt_printf(&name, "context %" PRIu64 " scheme %" PRIu64 " ", line->context,
			   line->scheme);
	prt_printf(&name, "target %" PRIu64, line->target);
	perf->last_target = perf->nr_targets++;
	*ret = target;
	return import_damo_space(perf->info, printbuf_str(&name),
				 &import_samples_series(perf->samples, target->series)->space);
}

static bool is_of(const struct target *target, const struct region_line *line)
{
	return target->target == line->target && target->context == line->context &&
	       target->scheme == line->scheme;
}

/* Lines of one target follow each other: the last one is looked at first. */
static int find_target(struct perf *perf, const struct region_line *line, struct target **ret)
{
	if (perf->nr_targets && is_of(&perf->targets[perf->last_target], line)) {
		*ret = &perf->targets[perf->last_target];
		return 0;
	}
	for (uint32_t i = 0; i < perf->nr_targets; i++) {
		if (is_of(&perf->targets[i], line)) {
			perf->last_target = i;
			*ret = &perf->targets[i];
			return 0;
		}
	}
	return add_target(perf, line, ret);
}

static uint32_t checks_of(const struct perf *perf, uint64_t window_ns)
{
	if (!perf->sample_ns || !window_ns)
		return 0;
	uint64_t checks = (window_ns + perf->sample_ns / 2) / perf->sample_ns;
	return (uint32_t)MIN(MAX(checks, 1), UINT32_MAX);
}

static int commit(struct perf *perf, struct target *target)
{
	if (!target->nr_seen)
		return 0;
	uint64_t window_ns = target->has_before && target->time_ns > target->before_ns
				     ? target->time_ns - target->before_ns
				     : 0;
	perf->nr_incomplete += target->nr_seen != target->nr_expected;
	target->has_before = true;
	target->before_ns = target->time_ns;
	target->nr_seen = 0;
	target->last_start = 0;
	if (!target->snapshot.nr_ranges) {
		import_samples_mark(perf->samples, target->series, target->time_ns);
		return 0;
	}
	return import_samples_commit(perf->samples, target->series, &target->snapshot,
				     target->time_ns, window_ns, checks_of(perf, window_ns));
}

static int add_line(struct perf *perf, const struct region_line *line)
{
	struct target *target;
	int error = find_target(perf, line, &target);
	if (error)
		return error;
	bool is_new = target->nr_seen && (line->start <= target->last_start ||
					  line->nr_regions != target->nr_expected);
	error = is_new ? commit(perf, target) : 0;
	if (error)
		return error;
	if (!target->nr_seen++) {
		target->time_ns = line->time_ns;
		target->nr_expected = line->nr_regions;
	}
	target->last_start = line->start;
	if (!line->is_made_up && line->end > line->start) {
		uint64_t page = line->start >> IMPORT_PAGE_SHIFT;
		uint64_t last = (line->end - 1) >> IMPORT_PAGE_SHIFT;
		error = import_snapshot_add(&target->snapshot, page, last - page + 1,
					    (uint32_t)MIN(line->hits, UINT32_MAX));
	}
	if (target->snapshot.size > PENDING_BYTES_MAX / MAX_TARGETS &&
	    target->snapshot.size > PENDING_BYTES_MAX / perf->nr_targets)
		return -E2BIG;
	return error || target->nr_seen < target->nr_expected ? error : commit(perf, target);
}

static int perf_notes(struct perf *perf)
{
	int error = 0;
	if (perf->nr_incomplete)
		error = import_info_note(
			perf->info,
			"snapshots that lack regions, because events were lost: %" PRIu64,
			perf->nr_incomplete);
	if (!error && perf->nr_unreadable)
		error = import_info_note(perf->info,
					 "lines of DAMON's events that could not be read were "
					 "passed over: %" PRIu64,
					 perf->nr_unreadable);
	if (!error && import_input_is_cut(perf->input))
		error = import_info_cut(perf->info, "inside its compressed data");
	return error;
}

static int perf_read(struct perf *perf)
{
	const char *text;
	size_t nr;
	int status, error = 0;
	while (!error && (status = import_lines_next(&perf->lines, &text, &nr)) > 0) {
		struct region_line line;
		status = parse_line(perf, text, nr, &line);
		perf->nr_unreadable += status < 0;
		if (status > 0)
			error = add_line(perf, &line);
	}
	if (error)
		return import_damo_explain(perf->path, error, perf->err);
	if (status < 0)
		return import_input_explain(perf->input, status, perf->err);
	for (uint32_t i = 0; i < perf->nr_targets && !error; i++)
		error = commit(perf, &perf->targets[i]);
	return error ? import_damo_explain(perf->path, error, perf->err) : 0;
}

static int perf_collect(struct perf *perf, const struct trace_open_options *options)
{
	int error = import_info_init(perf->info, "perf script", IMPORT_DAMO_NS_PER_KTICK, options,
				     perf->input);
	if (!error)
		error = import_samples_new(&perf->samples);
	if (!error)
		error = import_lines_init(&perf->lines, perf->input);
	if (error)
		return import_damo_explain(perf->path, error, perf->err);
	error = perf_read(perf);
	if (error)
		return error;
	if (!import_samples_nr_ranges(perf->samples))
		return error_set(perf->err, -EBADMSG,
				 "%s: no readable line of damon:damon_aggregated; nothing to read",
				 perf->path);
	error = import_damo_finish(perf->samples, perf->info);
	if (!error)
		error = perf_notes(perf);
	return error ? import_damo_explain(perf->path, error, perf->err) : 0;
}

static void perf_close_input(struct perf *perf)
{
	for (uint32_t i = 0; i < perf->nr_targets; i++)
		import_snapshot_fini(&perf->targets[i].snapshot);
	perf->nr_targets = 0;
	free(perf->targets);
	perf->targets = NULL;
	import_lines_fini(&perf->lines);
	perf->input = import_input_free(perf->input);
}

static void perf_close(void *state)
{
	struct perf *perf = state;
	perf_close_input(perf);
	import_samples_free(perf->samples);
	free(perf->path);
	free(perf);
}

static int refuse_perf_data(struct import_input *input, struct printbuf *err)
{
	char magic[sizeof(PERF_DATA_MAGIC)] = "";
	ssize_t nr = import_input_read(input, magic, sizeof(magic) - 1);
	if (nr == sizeof(magic) - 1 && !strcmp(magic, PERF_DATA_MAGIC))
		return error_set(err, -EBADMSG,
				 "%s: perf's own format; print it first: perf script -i %s > TEXT",
				 import_input_path(input), import_input_path(input));
	return import_input_rewind(input);
}

static int perf_open(int fd, const char *path, const struct trace_open_options *options,
		     void **ret_state, struct trace_info *info, struct printbuf *err)
{
	struct import_input *input;
	int error = import_input_new(fd, path, &input, err);
	if (error)
		return error;
	error = refuse_perf_data(input, err);
	struct perf *perf = calloc(1, sizeof(*perf));
	char *copy = strdup(path);
	if (error || !perf || !copy) {
		import_input_free(input);
		free(perf);
		free(copy);
		return error ? error : error_file(err, -ENOMEM, path, "read");
	}
	*perf = (struct perf){ .path = copy, .info = info, .err = err, .input = input };
	error = perf_collect(perf, options);
	if (error) {
		perf_close(perf);
		return error;
	}
	perf_close_input(perf);
	*ret_state = perf;
	return 0;
}

static int perf_next(void *state, const struct trace_batch **ret_batch, struct printbuf *err)
{
	struct perf *perf = state;
	int status = import_samples_next(perf->samples, ret_batch);
	return status < 0 ? import_damo_explain(perf->path, status, err) : status;
}

static int perf_recognise(const uint8_t *bytes, size_t nr_bytes)
{
	char head[IMPORT_PEEK_BYTES];
	size_t nr = import_input_peek(bytes, nr_bytes, (uint8_t *)head, sizeof(head));
	if (nr >= strlen(PERF_DATA_MAGIC) && !memcmp(head, PERF_DATA_MAGIC, 8))
		return 90;
	bool is_perf = find_event(head, head + nr, "damon_aggregated: ") ||
		       find_event(head, head + nr, "damos_before_apply: ") ||
		       find_event(head, head + nr, "damon_monitor_intervals_tune: ");
	return is_perf ? 95 : 0;
}

const struct trace_import trace_import_damo_perf = {
	.name = "damo-perf",
	.summary = "DAMON's events as perf script prints them",
	.recognise = perf_recognise,
	.open = perf_open,
	.next = perf_next,
	.close = perf_close,
};
