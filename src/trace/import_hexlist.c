/* SPDX-License-Identifier: MIT */
/*
 * One hexadecimal address a line: what Pin tools and cache simulators write down as the misses of
 * the last-level cache.
 *
 *     # misses of the last-level cache      a comment; also after an address
 *     0x7f3a10024b40 R                      with or without 0x; with or without a column that
 *     7f3a10024b80,W                        says read or write (R, W, L, S; 0, 1), after a
 *     W 7f3a10024bc0                        blank or a comma, before or after the address
 *
 * Every line is a miss; the cache they missed is not in the file. There is no clock either: a line
 * is a tick. Comments and empty lines are none.
 *
 * A line of any other form is an error with its number, found by the first of two passes, which
 * also counts. Cost: 1 MiB; time is that of finding newlines and digits.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "trace/import_common.h"
#include "trace/import_lines.h"

#define ADDRESS_LIKELY_MIN                                                                         \
	0x1000	     /* programs do not use page 0: smaller numbers are other lists                \
		      */
#define SHOWN_MAX 40 /* bytes of a bad line in its error */

struct miss {
	uint64_t address;
	bool is_write;
};

struct hexlist {
	struct import_input *input;
	struct import_lines lines;
	uint64_t ns_per_ktick;
	uint64_t nr_ticks;
	struct trace_batch batch;
	uint64_t time_ns[TRACE_BATCH_EVENTS];
	uint64_t page[TRACE_BATCH_EVENTS];
	uint8_t flags[TRACE_BATCH_EVENTS];
};

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static const char *skip_separators(const char *text, const char *end)
{
	while (text < end && is_separator(*text))
		text++;
	return text;
}

/* A column of one letter, or of the digits that some tools write for it. */
static bool parse_access(const char **inout, const char *end, bool *ret_is_write)
{
	const char *text = *inout;
	if (text == end || (end - text > 1 && !is_separator(text[1]) && text[1] != '#'))
		return false;
	char c = *text;
	bool is_write = c == 'W' || c == 'w' || c == 'S' || c == 's' || c == '1';
	if (!is_write && c != 'R' && c != 'r' && c != 'L' && c != 'l' && c != '0')
		return false;
	*inout = text + 1;
	*ret_is_write = is_write;
	return true;
}

static int parse_address(const char **inout, const char *end, uint64_t *ret)
{
	if (end - *inout > 2 && (*inout)[0] == '0' && ((*inout)[1] | 0x20) == 'x')
		*inout += 2;
	return import_parse_hex(inout, end, ret);
}

static bool is_rest_empty(const char *text, const char *end)
{
	text = skip_separators(text, end);
	return text == end || *text == '#';
}

/* 1: a miss; 0: nothing on this line; -EBADMSG: of another form. */
static int parse_miss(const char *text, size_t nr, struct miss *ret)
{
	const char *end = text + nr;
	struct miss miss = { 0 };
	text = skip_separators(text, end);
	if (text == end || *text == '#')
		return 0;
	const char *first = text;
	bool before = (*text & 0x40) && parse_access(&text, end, &miss.is_write);
	text = skip_separators(text, end);
	if (before && is_rest_empty(text, end)) { /* a letter alone is no address either */
		before = false;
		text = first;
	}
	if (parse_address(&text, end, &miss.address))
		return -EBADMSG;
	if (text < end && !is_separator(*text) && *text != '#')
		return -EBADMSG;
	text = skip_separators(text, end);
	if (!before)
		parse_access(&text, end, &miss.is_write);
	if (!is_rest_empty(text, end))
		return -EBADMSG;
	*ret = miss;
	return 1;
}

static int hexlist_recognise(const uint8_t *bytes, size_t nr_bytes)
{
	char head[IMPORT_PEEK_BYTES];
	size_t nr = import_input_peek(bytes, nr_bytes, (uint8_t *)head, sizeof(head));
	bool whole = nr < sizeof(head) && nr_bytes < IMPORT_PEEK_BYTES;
	size_t at = 0, nr_line, nr_likely = 0, nr_misses = 0;
	const char *line;
	while (import_line_of(head, nr, whole, &at, &line, &nr_line)) {
		struct miss miss;
		int status = parse_miss(line, nr_line, &miss);
		if (status < 0)
			return nr_likely > 8 ? 30 : 0; /* a list with one bad line is a bad list */
		nr_misses += status > 0;
		nr_likely += status > 0 && miss.address >= ADDRESS_LIKELY_MIN;
	}
	return nr_likely * 2 > nr_misses ? 60 : 0;
}

static int bad_line(const struct hexlist *hexlist, const char *line, size_t nr,
		    struct printbuf *err)
{
	PRINTBUF(shown);
	prt_safe(&shown, line, MIN(nr, (size_t)SHOWN_MAX));
	return error_set(err, -EBADMSG,
			 "%s: line %" PRIu64
			 " is not a hexadecimal address with an optional R or W: '%s'%s",
			 import_input_path(hexlist->input), hexlist->lines.nr_lines,
			 printbuf_str(&shown), nr > SHOWN_MAX ? "..." : "");
}

/* The next miss: 1, 0 at the end, negative with its sentence. The line that a compressed file was
 * cut in may lack digits: it is not read. */
static int hexlist_read(struct hexlist *hexlist, struct miss *ret, struct printbuf *err)
{
	const char *line;
	size_t nr;
	int status;
	while ((status = import_lines_next(&hexlist->lines, &line, &nr)) > 0) {
		if (hexlist->lines.unfinished && import_input_is_cut(hexlist->input))
			return 0;
		status = parse_miss(line, nr, ret);
		if (status < 0)
			return bad_line(hexlist, line, nr, err);
		if (status)
			return 1;
	}
	return status ? import_input_explain(hexlist->input, status, err) : 0;
}

static int hexlist_info(struct hexlist *hexlist, uint64_t nr_misses,
			const struct trace_open_options *options, struct trace_info *info)
{
	int error = import_info_init(info, "list of addresses", TRACE_NS_PER_KTICK_DEFAULT, options,
				     hexlist->input);
	if (error)
		return error;
	hexlist->ns_per_ktick = info->ns_per_ktick;
	info->streams = TRACE_STREAM_MISSES;
	info->nr_events[TRACE_ACCESSES] = info->nr_misses = nr_misses;
	import_info_end(info, nr_misses);
	error = import_info_space(info, TRACE_SPACE_MM, -1, "");
	if (!error)
		error = import_info_note(info, "each line is a miss of a cache that the file does "
					       "not name, and one tick of the clock");
	if (!error && import_input_is_cut(hexlist->input))
		error = import_info_cut(info, "inside its compressed data");
	return error;
}

static void hexlist_close(void *state)
{
	struct hexlist *hexlist = state;
	import_lines_fini(&hexlist->lines);
	import_input_free(hexlist->input);
	free(hexlist);
}

static int hexlist_prepare(struct hexlist *hexlist, const struct trace_open_options *options,
			   struct trace_info *info, struct printbuf *err)
{
	const char *path = import_input_path(hexlist->input);
	struct miss miss;
	uint64_t nr_misses = 0;
	int status, error = import_lines_init(&hexlist->lines, hexlist->input);
	if (error)
		return error_file(err, error, path, "read");
	while ((status = hexlist_read(hexlist, &miss, err)) > 0)
		nr_misses++;
	if (status < 0)
		return status;
	if (!nr_misses)
		return error_set(err, -EBADMSG, "%s: no address in it; nothing to read", path);
	error = hexlist_info(hexlist, nr_misses, options, info);
	if (!error)
		error = import_lines_rewind(&hexlist->lines);
	if (error)
		error_file(err, error, path, "read");
	hexlist->batch = (struct trace_batch){ .kind = TRACE_ACCESSES,
					       .time_ns = hexlist->time_ns,
					       .page = hexlist->page,
					       .flags = hexlist->flags };
	return error;
}

static int hexlist_open(int fd, const char *path, const struct trace_open_options *options,
			void **ret_state, struct trace_info *info, struct printbuf *err)
{
	struct import_input *input;
	int error = import_input_new(fd, path, &input, err);
	if (error)
		return error;
	struct hexlist *hexlist = calloc(1, sizeof(*hexlist));
	if (!hexlist) {
		import_input_free(input);
		return error_file(err, -ENOMEM, path, "read");
	}
	hexlist->input = input;
	error = hexlist_prepare(hexlist, options, info, err);
	if (error)
		hexlist_close(hexlist);
	else
		*ret_state = hexlist;
	return error;
}

static int hexlist_next(void *state, const struct trace_batch **ret_batch, struct printbuf *err)
{
	struct hexlist *hexlist = state;
	uint32_t nr = 0;
	while (nr < TRACE_BATCH_EVENTS) {
		struct miss miss;
		int status = hexlist_read(hexlist, &miss, err);
		if (status < 0)
			return status;
		if (!status)
			break;
		hexlist->time_ns[nr] = import_ticks_to_ns(hexlist->nr_ticks++,
							  hexlist->ns_per_ktick);
		hexlist->page[nr] = miss.address >> IMPORT_PAGE_SHIFT;
		hexlist->flags[nr] = TRACE_MISS | (miss.is_write ? TRACE_WRITE : 0);
		nr++;
	}
	hexlist->batch.nr = nr;
	*ret_batch = &hexlist->batch;
	return nr > 0;
}

const struct trace_import trace_import_hexlist = {
	.name = "hexlist",
	.summary = "one hexadecimal address a line, each a cache miss",
	.recognise = hexlist_recognise,
	.open = hexlist_open,
	.next = hexlist_next,
	.close = hexlist_close,
};
