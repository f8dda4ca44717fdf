/* SPDX-License-Identifier: MIT */
/*
 * What `valgrind --tool=lackey --trace-mem=yes PROGRAM` prints, and the same lines as public sets
 * of traces hold them (gzip, without the leading blank):
 *
 *     ==6889== Command: /bin/true           the program and its pid
 *     I  0401ab70,3                         an instruction of 3 bytes is fetched
 *      S 1fff000708,8                       a store of 8 bytes
 *      L 1fff000708,8                       a load
 *      M 0421c7cc,4                         a modify: load and store of the same bytes
 *
 * Every line is an access event, one per page that it touches: the recording has the stream of all
 * accesses and no modelled cache. A modify is one event, a store. The clock is instructions: an I
 * line is a tick, and the data accesses that follow it share its tick; a file without I lines has
 * nothing better than one tick a line. Threads are not in the format.
 *
 * lackey writes where the program writes, so a program's own output may stand between: lines of
 * another form are passed over, counted and noted, unless they are more than the accesses.
 *
 * Read twice: the first pass counts, so that the totals, the clock and the notes are known before
 * the first event, and finds what is wrong before anything is done with the file. Cost: 1 MiB;
 * time is that of finding newlines and digits.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "trace/import_common.h"
#include "trace/import_lines.h"

#define ACCESS_BYTES_MAX 65536 /* XSAVE of all there is takes about 11 KiB */
#define SPLIT_MAX	 (ACCESS_BYTES_MAX / IMPORT_PAGE_BYTES + 1) /* pages of one access */
#define NAME_MAX_BYTES	 1024

struct reference {
	uint64_t address;
	uint32_t nr_bytes;
	char operation; /* I, L, S, M */
};

/* What the first pass finds. */
struct lackey_totals {
	uint64_t nr_instructions, nr_data, nr_events, nr_foreign, first_foreign_line;
	uint32_t nr_commands;
	int64_t pid;
	char command[NAME_MAX_BYTES];
};

struct lackey {
	struct import_input *input;
	struct import_lines lines;
	uint64_t ns_per_ktick;
	bool tick_is_instruction;
	uint64_t nr_ticks;   /* begun so far */
	bool is_cut_in_line; /* the file ends inside a line */
	struct trace_batch batch;
	uint64_t time_ns[TRACE_BATCH_EVENTS];
	uint64_t page[TRACE_BATCH_EVENTS];
	uint8_t flags[TRACE_BATCH_EVENTS];
};

static const char *skip_blanks(const char *text, const char *end)
{
	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	return text;
}

/* True when the line is an access. */
static bool parse_reference(const char *text, size_t nr, struct reference *ret)
{
	const char *end = text + nr;
	text = skip_blanks(text, end);
	if (end - text < 5 || (text[1] != ' ' && text[1] != '\t'))
		return false;
	char operation = *text;
	if (operation != 'I' && operation != 'L' && operation != 'S' && operation != 'M')
		return false;
	text = skip_blanks(text + 1, end);
	if (end - text > 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
		text += 2;
	uint64_t address;
	if (import_parse_hex(&text, end, &address) || text == end || *text++ != ',')
		return false;
	uint32_t size = 0;
	const char *digits = text;
	for (; text < end && *text >= '0' && *text <= '9' && size <= ACCESS_BYTES_MAX; text++)
		size = size * 10 + (uint32_t)(*text - '0');
	if (text == digits || skip_blanks(text, end) != end || !size || size > ACCESS_BYTES_MAX)
		return false;
	*ret = (struct reference){ address, size, operation };
	return true;
}

/* "==6889== text": a line of Valgrind itself. */
static bool parse_valgrind(const char *text, size_t nr, int64_t *ret_pid, const char **ret_rest)
{
	const char *end = text + nr;
	int64_t pid = 0;
	if (nr < 5 || memcmp(text, "==", 2))
		return false;
	const char *digit = text + 2;
	for (; digit < end && *digit >= '0' && *digit <= '9' && pid < INT32_MAX; digit++)
		pid = pid * 10 + (*digit - '0');
	if (digit == text + 2 || end - digit < 2 || memcmp(digit, "==", 2))
		return false;
	*ret_pid = pid;
	*ret_rest = skip_blanks(digit + 2, end);
	return true;
}

static bool starts_with(const char *text, const char *end, const char *word)
{
	size_t nr = strlen(word);
	return (size_t)(end - text) >= nr && !memcmp(text, word, nr);
}

static int lackey_recognise(const uint8_t *bytes, size_t nr_bytes)
{
	char head[IMPORT_PEEK_BYTES];
	size_t nr = import_input_peek(bytes, nr_bytes, (uint8_t *)head, sizeof(head));
	size_t at = 0, nr_line, nr_references = 0, nr_foreign = 0;
	const char *line, *rest;
	bool whole = nr < sizeof(head) && nr_bytes < IMPORT_PEEK_BYTES, is_lackey = false;
	while (import_line_of(head, nr, whole, &at, &line, &nr_line)) {
		struct reference reference;
		int64_t pid;
		if (parse_reference(line, nr_line, &reference))
			nr_references++;
		else if (parse_valgrind(line, nr_line, &pid, &rest))
			is_lackey |= starts_with(rest, line + nr_line, "Lackey");
		else if (nr_line && at <= nr) /* not the line that a cut file ends in */
			nr_foreign++;
	}
	if (is_lackey)
		return 95;
	return nr_references > 4 * nr_foreign ? 90 : 0;
}

static void note_command(struct lackey_totals *totals, int64_t pid, const char *text,
			 const char *end)
{
	if (!starts_with(text, end, "Command: "))
		return;
	text += strlen("Command: ");
	if (!totals->nr_commands++) {
		PRINTBUF(safe);
		prt_safe(&safe, text, MIN((size_t)(end - text), (size_t)NAME_MAX_BYTES / 4 - 1));
		strncpy(totals->command, printbuf_str(&safe), NAME_MAX_BYTES - 1);
		totals->pid = pid;
	}
}

static uint32_t pages_of(const struct reference *reference, uint64_t *ret_first)
{
	uint64_t last;
	if (__builtin_add_overflow(reference->address, reference->nr_bytes - 1, &last))
		last = UINT64_MAX;
	*ret_first = reference->address >> IMPORT_PAGE_SHIFT;
	return (uint32_t)((last >> IMPORT_PAGE_SHIFT) - *ret_first) + 1;
}

static void count_line(struct lackey *lackey, struct lackey_totals *totals, const char *line,
		       size_t nr)
{
	struct reference reference;
	uint64_t page;
	int64_t pid;
	const char *rest;
	if (likely(parse_reference(line, nr, &reference))) {
		totals->nr_instructions += reference.operation == 'I';
		totals->nr_data += reference.operation != 'I';
		totals->nr_events += pages_of(&reference, &page);
	} else if (parse_valgrind(line, nr, &pid, &rest)) {
		note_command(totals, pid, rest, line + nr);
	} else if (lackey->lines.unfinished) {
		lackey->is_cut_in_line = true;
	} else if (nr && !totals->nr_foreign++) {
		totals->first_foreign_line = lackey->lines.nr_lines;
	}
}

static int lackey_count(struct lackey *lackey, struct lackey_totals *totals, struct printbuf *err)
{
	const char *line;
	size_t nr;
	int status;
	while ((status = import_lines_next(&lackey->lines, &line, &nr)) > 0)
		count_line(lackey, totals, line, nr);
	if (status < 0)
		return import_input_explain(lackey->input, status, err);
	const char *path = import_input_path(lackey->input);
	uint64_t nr_references = totals->nr_instructions + totals->nr_data;
	if (!nr_references)
		return error_set(err, -EBADMSG,
				 "%s: lackey output without accesses; run valgrind --tool=lackey "
				 "--trace-mem=yes",
				 path);
	if (totals->nr_foreign > nr_references)
		return error_set(err, -EBADMSG,
				 "%s: more lines are not lackey's (%" PRIu64 ") than are (%" PRIu64
				 "); keep the program's output apart (valgrind --log-file=FILE)",
				 path, totals->nr_foreign, nr_references);
	return 0;
}

static int lackey_notes(const struct lackey *lackey, const struct lackey_totals *totals,
			struct trace_info *info)
{
	int error = 0;
	if (totals->nr_foreign)
		error = import_info_note(info,
					 "lines that are not lackey's were passed over: %" PRIu64
					 ", the first of them line %" PRIu64,
					 totals->nr_foreign, totals->first_foreign_line);
	if (!error && totals->nr_commands > 1)
		error = import_info_note(info,
					 "accesses of %" PRIu32 " programs are mixed: lackey does "
					 "not say which is whose",
					 totals->nr_commands);
	if (!error && !lackey->tick_is_instruction)
		error = import_info_note(info, "there are no I lines: each line is one tick");
	if (!error && (import_input_is_cut(lackey->input) || lackey->is_cut_in_line))
		error = import_info_cut(info, import_input_is_cut(lackey->input)
						      ? "inside its compressed data"
						      : "inside a line");
	return error;
}

static int lackey_info(struct lackey *lackey, const struct lackey_totals *totals,
		       const struct trace_open_options *options, struct trace_info *info)
{
	int error = import_info_init(info, "valgrind lackey", TRACE_NS_PER_KTICK_DEFAULT, options,
				     lackey->input);
	if (error)
		return error;
	lackey->ns_per_ktick = info->ns_per_ktick;
	lackey->tick_is_instruction = totals->nr_instructions > 0;
	info->streams = TRACE_STREAM_ALL;
	info->nr_events[TRACE_ACCESSES] = totals->nr_events;
	info->nr_references = totals->nr_instructions + totals->nr_data;
	import_info_end(info, totals->nr_instructions ? totals->nr_instructions : totals->nr_data);
	free(info->program);
	info->program = strdup(totals->command);
	if (!info->program)
		return -ENOMEM;
	error = import_info_space(info, TRACE_SPACE_MM, totals->nr_commands ? totals->pid : -1,
				  totals->command);
	return error ? error : lackey_notes(lackey, totals, info);
}

static void lackey_close(void *state)
{
	struct lackey *lackey = state;
	import_lines_fini(&lackey->lines);
	import_input_free(lackey->input);
	free(lackey);
}

static int lackey_prepare(struct lackey *lackey, const struct trace_open_options *options,
			  struct trace_info *info, struct printbuf *err)
{
	struct lackey_totals totals = { .pid = -1 };
	int error = import_lines_init(&lackey->lines, lackey->input);
	if (error)
		return error_file(err, error, import_input_path(lackey->input), "read");
	error = lackey_count(lackey, &totals, err);
	if (error)
		return error;
	error = lackey_info(lackey, &totals, options, info);
	if (!error)
		error = import_lines_rewind(&lackey->lines);
	if (error)
		error_file(err, error, import_input_path(lackey->input), "read");
	lackey->batch = (struct trace_batch){ .kind = TRACE_ACCESSES,
					      .time_ns = lackey->time_ns,
					      .page = lackey->page,
					      .flags = lackey->flags };
	return error;
}

static int lackey_open(int fd, const char *path, const struct trace_open_options *options,
		       void **ret_state, struct trace_info *info, struct printbuf *err)
{
	struct import_input *input;
	int error = import_input_new(fd, path, &input, err);
	if (error)
		return error;
	struct lackey *lackey = calloc(1, sizeof(*lackey));
	if (!lackey) {
		import_input_free(input);
		return error_file(err, -ENOMEM, path, "read");
	}
	lackey->input = input;
	error = lackey_prepare(lackey, options, info, err);
	if (error)
		lackey_close(lackey);
	else
		*ret_state = lackey;
	return error;
}

static uint8_t flags_of(char operation)
{
	return operation == 'I' ? TRACE_FETCH : operation == 'L' ? 0 : TRACE_WRITE;
}

static void emit(struct lackey *lackey, const struct reference *reference)
{
	uint32_t nr = lackey->batch.nr;
	uint64_t page;
	uint32_t nr_pages = pages_of(reference, &page);
	if (!lackey->tick_is_instruction || reference->operation == 'I')
		lackey->nr_ticks++;
	uint64_t tick = lackey->nr_ticks ? lackey->nr_ticks - 1 : 0; /* data before the first I */
	uint64_t time_ns = import_ticks_to_ns(tick, lackey->ns_per_ktick);
	uint8_t flags = flags_of(reference->operation);
	for (uint32_t i = 0; i < nr_pages; i++, nr++) {
		lackey->time_ns[nr] = time_ns;
		lackey->page[nr] = page + i;
		lackey->flags[nr] = flags;
	}
	lackey->batch.nr = nr;
}

static int lackey_next(void *state, const struct trace_batch **ret_batch, struct printbuf *err)
{
	struct lackey *lackey = state;
	lackey->batch.nr = 0;
	while (lackey->batch.nr <= TRACE_BATCH_EVENTS - SPLIT_MAX) {
		const char *line;
		size_t nr;
		struct reference reference;
		int status = import_lines_next(&lackey->lines, &line, &nr);
		if (status < 0)
			return import_input_explain(lackey->input, status, err);
		if (!status)
			break;
		if (parse_reference(line, nr, &reference))
			emit(lackey, &reference);
	}
	*ret_batch = &lackey->batch;
	return lackey->batch.nr > 0;
}

const struct trace_import trace_import_lackey = {
	.name = "lackey",
	.summary = "Valgrind lackey --trace-mem=yes text",
	.recognise = lackey_recognise,
	.open = lackey_open,
	.next = lackey_next,
	.close = lackey_close,
};
