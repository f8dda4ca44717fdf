/* SPDX-License-Identifier: MIT */
/*
 * damo's records of DAMON's results as JSON, plain or as a zlib stream (json_compressed, what
 * `damo record` writes unless told otherwise):
 *
 *     [ {"kdamond_idx": 0, "context_idx": 0, "scheme_idx": null, "target_id": 0,
 *        "intervals": {"sample_us": "5000", "aggr_us": "100000", ...},
 *        "snapshots": [ {"start_time": "1000000", "end_time": "101000000",
 *                        "regions": [ {"start": "4096", "end": "8192",
 *                                      "nr_accesses": {"samples": 3, "percent": null},
 *                                      "age": {...}}, ... ]}, ... ]}, ... ]
 *
 * Each region becomes one range with hits (nr_accesses) out of checks (aggregation interval /
 * sampling interval); it is never blown up to pages. Each (kdamond, context, target, scheme) is a
 * space of its own: the regions of a scheme are a selection, not further memory.
 *
 * What files of different ages do, and what is done here: numbers are strings, older ones with
 * thousands commas, or numbers; keys come in any order, unknown ones are passed over; percent may
 * be null, samples may be null with a percent (hits out of 100); intervals may be missing (5 ms are
 * assumed, with a note); snapshots may carry their own sample_interval_us; a lone snapshot has a
 * made-up successor (a region 0-0 with -1 accesses), which only tells the time.
 *
 * Speed: regions are a thousand times all the rest. The first of a kind goes through the JSON
 * reader token by token, and the others are matched against its shape (import_shape.h).
 *
 * Cost: about 25 MiB at most, whatever the file; 0.1 us a region.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "trace/import_damo.h"
#include "trace/import_shape.h"

#define ID_BYTES 32 /* of a target or index, as text */

enum { RECORD_KDAMOND, RECORD_CONTEXT, RECORD_SCHEME, RECORD_TARGET, RECORD_NR_IDS };

enum region_field { REGION_START, REGION_END, REGION_SAMPLES, REGION_PERCENT, REGION_NR_FIELDS };

struct region {
	uint64_t values[REGION_NR_FIELDS];
	uint32_t have; /* bits of enum region_field */
	bool is_negative;
};

struct times { /* of the snapshot being read */
	uint64_t start_ns, end_ns, sample_ns;
	bool has_start, has_end, is_percent, has_samples;
};

struct damo {
	char *path;
	struct import_input *input; /* while opening, as all that follows but the samples */
	struct json_reader *json;
	struct import_samples *samples;
	struct trace_info *info;
	struct printbuf *err;
	bool is_told;	 /* err has its sentence */
	uint32_t series; /* of the record being read */
	char ids[RECORD_NR_IDS][ID_BYTES];
	struct times times;
	struct import_snapshot snapshot;
	uint64_t nr_unmeasured; /* regions without accesses */
	uint64_t item_offset;	/* of the region whose shape is being learned */
	bool is_learning;
	struct import_shape shape;
};

/* Errors below are -EBADMSG with a sentence, -ECANCELED where the JSON reader has one. */
static int bad(struct damo *damo, const char *what)
{
	damo->is_told = true;
	return error_set(damo->err, -EBADMSG, "%s: line %" PRIu64 ": %s; damo does not write this",
			 import_input_path(damo->input), json_reader_line(damo->json), what);
}

static enum json_token next(struct damo *damo)
{
	return json_next(damo->json);
}

static int unexpected(struct damo *damo, enum json_token token, const char *what)
{
	return token == JSON_ERROR ? -ECANCELED : bad(damo, what);
}

static bool is_text(enum json_token token)
{
	return token == JSON_STRING || token == JSON_NUMBER;
}

/* Notes where a value lies in the region, so that the next one can be read by its shape. */
static void learn_value(struct damo *damo, enum json_token token, uint32_t field)
{
	if (!damo->is_learning || !is_text(token))
		return;
	size_t nr;
	const char *text = json_text(damo->json, &nr);
	uint64_t end = json_offset(damo->json) - damo->item_offset - (token == JSON_STRING);
	if (end >= nr)
		import_shape_slot(&damo->shape, end - nr, end, text, field);
}

/* A value that is not of interest, scalars of a region noted for its shape. */
static int pass_value(struct damo *damo)
{
	unsigned depth = json_depth(damo->json);
	do {
		enum json_token token = next(damo);
		if (token == JSON_ERROR)
			return -ECANCELED;
		learn_value(damo, token, IMPORT_SLOT_IGNORED);
	} while (json_depth(damo->json) > depth);
	return 0;
}

/* The key's number among `names`, or nr_names; -1 at the end of the object. */
static int next_key(struct damo *damo, const char *const names[], int nr_names, int *ret_key)
{
	enum json_token token = next(damo);
	*ret_key = -1;
	if (token == JSON_OBJECT_END)
		return 0;
	if (token != JSON_KEY)
		return unexpected(damo, token, "a key is missing");
	const char *text = json_text(damo->json, NULL);
	for (*ret_key = 0; *ret_key < nr_names; ++*ret_key)
		if (!strcmp(text, names[*ret_key]))
			break;
	return 0;
}

/* A float with an exponent, as other writers of JSON put large numbers. */
static int parse_exponent(const char *text, uint64_t *ret)
{
	double value;
	if (parse_double(text, &value) || !(value >= 0) || value >= 18446744073709551616.0)
		return -ERANGE;
	*ret = (uint64_t)value;
	return 0;
}

/* A time, in unit_ns when it is a bare number. *ret_is_known: it was not null. */
static int read_time(struct damo *damo, uint64_t unit_ns, uint64_t *ret_ns, bool *ret_is_known)
{
	enum json_token token = next(damo);
	*ret_is_known = is_text(token);
	if (token == JSON_NULL)
		return 0;
	if (!is_text(token))
		return unexpected(damo, token, "a time is neither a number nor text");
	size_t nr;
	const char *text = json_text(damo->json, &nr);
	int error = import_parse_time(text, nr, unit_ns, ret_ns);
	if (error == -EINVAL && token == JSON_NUMBER) {
		error = parse_exponent(text, ret_ns);
		if (!error && __builtin_mul_overflow(*ret_ns, unit_ns, ret_ns))
			error = -ERANGE;
	}
	return error ? bad(damo, "a time is not readable") : 0;
}

/* The value of a key that is not interesting, in a file that may have any. */
static int read_id(struct damo *damo, char id[ID_BYTES])
{
	enum json_token token = next(damo);
	id[0] = '\0';
	if (token == JSON_NULL)
		return 0;
	if (!is_text(token))
		return unexpected(damo, token, "an index is neither a number nor text");
	size_t nr;
	const char *text = json_text(damo->json, &nr);
	if (nr >= ID_BYTES)
		return bad(damo, "an index is longer than 31 characters");
	PRINTBUF(safe);
	prt_safe(&safe, text, nr);
	strncpy(id, printbuf_str(&safe), ID_BYTES - 1);
	id[ID_BYTES - 1] = '\0';
	return 0;
}

static int read_intervals(struct damo *damo)
{
	static const char *const names[] = { "sample_us", "aggr_us" };
	struct import_series *series = import_samples_series(damo->samples, damo->series);
	enum json_token token = next(damo);
	if (token == JSON_NULL)
		return 0;
	if (token != JSON_OBJECT_BEGIN)
		return unexpected(damo, token, "intervals are not an object");
	for (;;) { /* ends with the object or the input */
		int key, error = next_key(damo, names, 2, &key);
		bool is_known;
		if (error || key < 0)
			return error;
		if (key == 2)
			error = pass_value(damo);
		else
			error = read_time(damo, NS_PER_US,
					  key ? &series->aggregation_ns : &series->sample_ns,
					  &is_known);
		if (error)
			return error;
	}
}

/* A number of a region. Percent may have a sign "%" and a fraction, which is dropped. */
static int take_number(struct damo *damo, enum json_token token, enum region_field field,
		       struct region *region)
{
	size_t nr;
	if (token == JSON_NULL)
		return 0;
	if (!is_text(token))
		return unexpected(damo, token, "a number of a region is something else");
	learn_value(damo, token, field);
	const char *text = json_text(damo->json, &nr);
	while (field == REGION_PERCENT && nr && (text[nr - 1] == '%' || text[nr - 1] == ' '))
		nr--;
	int error = import_parse_u64(text, nr, &region->values[field]);
	if (error == -EINVAL && token == JSON_NUMBER)
		error = parse_exponent(text, &region->values[field]);
	if (error == -ERANGE && text[0] == '-' && field >= REGION_SAMPLES) {
		region->is_negative = true;
		return 0;
	}
	region->have |= 1u << field;
	return error ? bad(damo, "a number of a region is not readable") : 0;
}

static int read_accesses(struct damo *damo, struct region *region)
{
	static const char *const names[] = { "samples", "percent" };
	enum json_token token = next(damo);
	if (token != JSON_OBJECT_BEGIN) /* older files: the number itself */
		return take_number(damo, token, REGION_SAMPLES, region);
	for (;;) { /* ends with the object or the input */
		int key, error = next_key(damo, names, 2, &key);
		if (error || key < 0)
			return error;
		error = key == 2 ? pass_value(damo)
				 : take_number(damo, next(damo),
					       key ? REGION_PERCENT : REGION_SAMPLES, region);
		if (error)
			return error;
	}
}

/* After its '{'. */
static int read_region(struct damo *damo, struct region *region)
{
	static const char *const names[] = { "start", "end", "nr_accesses" };
	*region = (struct region){ 0 };
	for (;;) { /* ends with the object or the input */
		int key, error = next_key(damo, names, 3, &key);
		if (error || key < 0)
			return error;
		if (key == 3)
			error = pass_value(damo);
		else if (key == 2)
			error = read_accesses(damo, region);
		else
			error = take_number(damo, next(damo), (enum region_field)key, region);
		if (error)
			return error;
	}
}

static int add_range(struct damo *damo, uint64_t start, uint64_t end, uint64_t hits)
{
	if (unlikely(end < start))
		return bad(damo, "a region ends before it starts");
	if (unlikely(hits > UINT32_MAX))
		return bad(damo, "a region has more accesses than there can be samples");
	if (start == end)
		return 0;
	uint64_t page = start >> IMPORT_PAGE_SHIFT;
	uint64_t last = (end - 1) >> IMPORT_PAGE_SHIFT;
	int error = import_snapshot_add(&damo->snapshot, page, last - page + 1, (uint32_t)hits);
	return error;
}

static int add_region(struct damo *damo, const struct region *region)
{
	const uint32_t place = 1u << REGION_START | 1u << REGION_END;
	struct times *times = &damo->times;
	if ((region->have & place) != place)
		return bad(damo, "a region lacks its start or end");
	if (region->is_negative) {
		if (region->values[REGION_END])
			return bad(damo, "a region has a negative number of accesses");
		return 0; /* of the made-up snapshot */
	}
	bool is_samples = region->have & 1u << REGION_SAMPLES;
	if (!is_samples && !(region->have & 1u << REGION_PERCENT)) {
		damo->nr_unmeasured++;
		return 0;
	}
	times->has_samples |= is_samples;
	times->is_percent |= !is_samples;
	if (times->has_samples && times->is_percent)
		return bad(damo, "a snapshot mixes samples and percent");
	return add_range(damo, region->values[REGION_START], region->values[REGION_END],
			 region->values[is_samples ? REGION_SAMPLES : REGION_PERCENT]);
}

/* What comes next, if it is a further item and not the end of the array, gives the shape. */
static bool begin_learning(struct damo *damo)
{
	size_t nr;
	const char *text = json_peek(damo->json, IMPORT_SHAPE_MAX, &nr);
	if (!nr || text[0] != ',')
		return false;
	import_shape_begin(&damo->shape, text, nr);
	damo->item_offset = json_offset(damo->json);
	return true;
}

/* One region through the JSON reader. 1: there was one; 0: the array ends. */
static int read_one_region(struct damo *damo, bool is_first)
{
	struct region region;
	damo->is_learning = !is_first && begin_learning(damo);
	enum json_token token = next(damo);
	if (token == JSON_ARRAY_END)
		return 0;
	if (token != JSON_OBJECT_BEGIN)
		return unexpected(damo, token, "a region is not an object");
	int error = read_region(damo, &region);
	const uint32_t needed = 1u << REGION_START | 1u << REGION_END | 1u << REGION_SAMPLES;
	if (damo->is_learning && !error && (region.have & needed) == needed && !region.is_negative)
		import_shape_end(&damo->shape, json_offset(damo->json) - damo->item_offset);
	if (!error)
		error = add_region(damo, &region);
	return error ? error : 1;
}

/* As many regions as have the shape known. */
static int read_shaped_regions(struct damo *damo, bool *inout_is_first)
{
	uint64_t values[REGION_NR_FIELDS];
	size_t nr, used;
	do {
		const char *text = json_peek(damo->json, 4 * IMPORT_SHAPE_MAX, &nr);
		uint64_t nr_lines = 0;
		used = 0;
		for (;;) { /* as often as the text holds items */
			size_t item = import_shape_match(&damo->shape, text + used, nr - used,
							 *inout_is_first, values);
			if (!item)
				break;
			*inout_is_first = false;
			damo->times.has_samples = true;
			used += item;
			nr_lines += damo->shape.nr_lines;
			int error = add_range(damo, values[REGION_START], values[REGION_END],
					      values[REGION_SAMPLES]);
			if (error)
				return error;
		}
		json_pass(damo->json, used, nr_lines);
	} while (used);
	return 0;
}

static int read_regions(struct damo *damo)
{
	enum json_token token = next(damo);
	if (token != JSON_ARRAY_BEGIN)
		return unexpected(damo, token, "regions are not an array");
	for (bool is_first = true;; is_first = false) { /* ends with the array or the input */
		if (damo->shape.nr && !damo->times.is_percent) {
			int error = read_shaped_regions(damo, &is_first);
			if (error)
				return error;
		}
		int status = read_one_region(damo, is_first);
		if (status <= 0)
			return status;
	}
}

static uint32_t checks_of_snapshot(const struct times *times, uint64_t window_ns)
{
	if (times->is_percent)
		return IMPORT_CHECKS_PERCENT;
	if (!times->sample_ns || !window_ns)
		return 0;
	uint64_t checks = (window_ns + times->sample_ns / 2) / times->sample_ns;
	return (uint32_t)MIN(MAX(checks, 1), UINT32_MAX);
}

static int commit_snapshot(struct damo *damo)
{
	const struct times *times = &damo->times;
	if (!times->has_end)
		return bad(damo, "a snapshot lacks its end_time");
	if (!damo->snapshot.nr_ranges) { /* nothing was monitored, or damo made it up */
		import_samples_mark(damo->samples, damo->series, times->end_ns);
		return 0;
	}
	uint64_t window_ns = times->has_start && times->start_ns < times->end_ns
				     ? times->end_ns - times->start_ns
				     : 0;
	return import_samples_commit(damo->samples, damo->series, &damo->snapshot, times->end_ns,
				     window_ns, checks_of_snapshot(times, window_ns));
}

/* After its '{'. */
static int read_snapshot(struct damo *damo)
{
	static const char *const names[] = { "start_time", "end_time", "sample_interval_us",
					     "regions" };
	struct times *times = &damo->times;
	*times = (struct times){ 0 };
	import_snapshot_clear(&damo->snapshot);
	for (;;) { /* ends with the object or the input */
		int key, error = next_key(damo, names, 4, &key);
		bool is_known;
		if (error)
			return error;
		if (key < 0)
			return commit_snapshot(damo);
		if (key == 0)
			error = read_time(damo, 1, &times->start_ns, &times->has_start);
		else if (key == 1)
			error = read_time(damo, 1, &times->end_ns, &times->has_end);
		else if (key == 2)
			error = read_time(damo, NS_PER_US, &times->sample_ns, &is_known);
		else
			error = key == 3 ? read_regions(damo) : pass_value(damo);
		if (error)
			return error;
	}
}

static int read_snapshots(struct damo *damo)
{
	enum json_token token = next(damo);
	if (token != JSON_ARRAY_BEGIN)
		return unexpected(damo, token, "snapshots are not an array");
	for (;;) { /* ends with the array or the input */
		token = next(damo);
		if (token == JSON_ARRAY_END)
			return 0;
		if (token != JSON_OBJECT_BEGIN)
			return unexpected(damo, token, "a snapshot is not an object");
		int error = read_snapshot(damo);
		if (error)
			return error;
	}
}

/* "kdamond 0 context 0 target 1", what is null left out. */
static int name_series(struct damo *damo)
{
	static const char *const words[] = { "kdamond", "context", "scheme", "target" };
	static const int order[] = { RECORD_KDAMOND, RECORD_CONTEXT, RECORD_TARGET, RECORD_SCHEME };
	PRINTBUF(name);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (damo->ids[order[i]][0])
			prt_printf(&name, "%s%s %s", name.pos ? " " : "", words[order[i]],
				   damo->ids[order[i]]);
	struct import_series *series = import_samples_series(damo->samples, damo->series);
	return import_damo_space(damo->info, printbuf_str(&name), &series->space);
}

/* After its '{'. The name is settled at the end, or where a cut file ends. */
static int read_record(struct damo *damo)
{
	static const char *const names[] = { "kdamond_idx", "context_idx", "scheme_idx",
					     "target_id",   "intervals",   "snapshots" };
	memset(damo->ids, 0, sizeof(damo->ids));
	int key, error = import_samples_add_series(damo->samples, &damo->series);
	while (!error) { /* ends with the object or the input */
		error = next_key(damo, names, 6, &key);
		if (error || key < 0)
			break;
		if (key < RECORD_NR_IDS)
			error = read_id(damo, damo->ids[key]);
		else if (key == 4)
			error = read_intervals(damo);
		else
			error = key == 5 ? read_snapshots(damo) : pass_value(damo);
	}
	if (error && error != -ECANCELED)
		return error;
	int name_error = name_series(damo);
	return error ? error : name_error;
}

static int read_records(struct damo *damo)
{
	enum json_token token = next(damo);
	if (token != JSON_ARRAY_BEGIN)
		return unexpected(damo, token, "the file is not a list of records");
	for (;;) { /* ends with the array or the input */
		token = next(damo);
		if (token == JSON_ARRAY_END)
			break;
		if (token != JSON_OBJECT_BEGIN)
			return unexpected(damo, token, "a record is not an object");
		int error = read_record(damo);
		if (error)
			return error;
	}
	token = next(damo);
	return token == JSON_END ? 0 : unexpected(damo, token, "there is text after the records");
}

/* What the JSON reader ran into: the end of a cut file (0), damage, or text that is not JSON. */
static int explain_json(struct damo *damo)
{
	int error = json_reader_errno(damo->json);
	const char *path = import_input_path(damo->input);
	if (json_reader_is_cut(damo->json))
		return import_info_cut(damo->info, import_input_is_cut(damo->input)
							   ? "inside its compressed data"
							   : "inside its JSON");
	damo->is_told = true;
	if (error != -EINVAL && error != -E2BIG)
		return import_input_explain(damo->input, error, damo->err);
	return error_set(damo->err, -EBADMSG, "%s: not the JSON of a damo record: %s", path,
			 json_reader_error(damo->json));
}

static int damo_notes(struct damo *damo)
{
	if (!damo->nr_unmeasured)
		return 0;
	return import_info_note(damo->info,
				"regions that say nothing about accesses were left out: %" PRIu64,
				damo->nr_unmeasured);
}

static int damo_collect(struct damo *damo, const struct trace_open_options *options)
{
	int error = import_info_init(damo->info, "damo", IMPORT_DAMO_NS_PER_KTICK, options,
				     damo->input);
	if (!error)
		error = import_samples_new(&damo->samples);
	if (!error)
		error = json_reader_new(import_input_read, damo->input, &damo->json);
	if (!error)
		error = read_records(damo);
	if (error == -ECANCELED)
		error = explain_json(damo);
	if (!error && !import_samples_nr_ranges(damo->samples)) {
		damo->is_told = true;
		error = error_set(damo->err, -EBADMSG,
				  "%s: a damo record without regions; nothing to read",
				  import_input_path(damo->input));
	}
	if (!error)
		error = import_damo_finish(damo->samples, damo->info);
	return error ? error : damo_notes(damo);
}

static void damo_close(void *state)
{
	struct damo *damo = state;
	json_reader_free(damo->json);
	import_samples_free(damo->samples);
	import_snapshot_fini(&damo->snapshot);
	import_input_free(damo->input);
	free(damo->path);
	free(damo);
}

static int damo_open(int fd, const char *path, const struct trace_open_options *options,
		     void **ret_state, struct trace_info *info, struct printbuf *err)
{
	struct import_input *input;
	int error = import_input_new(fd, path, &input, err);
	if (error)
		return error;
	struct damo *damo = calloc(1, sizeof(*damo));
	if (!damo) {
		import_input_free(input);
		return error_file(err, -ENOMEM, path, "read");
	}
	damo->input = input;
	damo->info = info;
	damo->err = err;
	damo->path = strdup(path);
	error = damo->path ? damo_collect(damo, options) : -ENOMEM;
	if (error && !damo->is_told)
		import_damo_explain(path, error, err);
	if (error) {
		damo_close(damo);
		return error;
	}
	damo->json = json_reader_free(damo->json);
	damo->input = import_input_free(damo->input);
	import_snapshot_fini(&damo->snapshot);
	*ret_state = damo;
	return 0;
}

static int damo_next(void *state, const struct trace_batch **ret_batch, struct printbuf *err)
{
	struct damo *damo = state;
	int status = import_samples_next(damo->samples, ret_batch);
	return status < 0 ? import_damo_explain(damo->path, status, err) : status;
}

static bool has_word(const char *text, size_t nr, const char *word)
{
	return memmem(text, nr, word, strlen(word)) != NULL;
}

static int damo_recognise(const uint8_t *bytes, size_t nr_bytes)
{
	char head[IMPORT_PEEK_BYTES];
	size_t nr = import_input_peek(bytes, nr_bytes, (uint8_t *)head, sizeof(head));
	size_t at = 0;
	while (at < nr &&
	       (head[at] == ' ' || head[at] == '\n' || head[at] == '\r' || head[at] == '\t'))
		at++;
	if (at == nr || head[at] != '[')
		return 0;
	bool is_damo = has_word(head, nr, "\"kdamond_idx\"") ||
		       has_word(head, nr, "\"snapshots\"") || has_word(head, nr, "\"target_id\"");
	return is_damo ? 95 : 0;
}

const struct trace_import trace_import_damo_json = {
	.name = "damo",
	.summary = "damo records (json, json_compressed)",
	.recognise = damo_recognise,
	.open = damo_open,
	.next = damo_next,
	.close = damo_close,
};
