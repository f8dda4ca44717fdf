/* SPDX-License-Identifier: MIT */
/*
 * INI by inih, fed line by line from memory, so that every error can say where it is.
 *
 *     text --> next_line() --> inih --> on_key() --> ini->key
 *                 |  knows line and bytes               place = line, column of name or value
 *                 +--> ini->section, at its heading
 *
 * inih keeps a line in 200 bytes and a section's name in 50, and cuts what is longer without a
 * word: both are refused here before inih sees them. Inline comments are those of inih (" ;").
 * Only what inih's upstream has is used, not the knobs that Debian adds.
 */
#include "base/ini.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct ini_state {
	const struct ini *ini;
	const char *next, *end; /* of the text */
	const char *line;	/* the line that inih works on */
	size_t len;
	unsigned number;
	bool had_key; /* since the heading: only then inih takes an indented line as going on */
	int error;
	struct printbuf *err;
};

void ini_place(struct printbuf *err, const char *path, const struct ini_value *at)
{
	if (!err)
		return;
	prt_safe(err, path, strlen(path));
	prt_printf(err, ":%u:%u: ", at->line, at->column);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static size_t skip_blanks(const char *text, size_t len)
{
	size_t at = 0;
	while (at < len && is_blank(text[at]))
		at++;
	return at;
}

static int bad_line(struct ini_state *state, size_t column, int error, const char *sentence)
{
	struct ini_value at = { .line = state->number, .column = (unsigned)column + 1 };
	ini_place(state->err, state->ini->path, &at);
	state->error = error_set(state->err, error, "%s", sentence);
	return error;
}

/* A heading "[name]", maybe with a comment behind it. */
static int tell_section(struct ini_state *state)
{
	char name[INI_HEADING_MAX + 1];
	const char *text = state->line + 1;
	const char *close = memchr(text, ']', state->len - 1);
	if (!close)
		return bad_line(state, 0, -EINVAL, "a heading ends in ']'");
	size_t len = (size_t)(close - text);
	if (len >= sizeof(name))
		return bad_line(state, 0, -E2BIG, "the heading is too long");
	memcpy(name, text, len);
	name[len] = '\0';
	struct ini_value value = { name, state->number, 1 };
	state->had_key = false;
	state->error = state->ini->section(state->ini->context, &value, state->err);
	return state->error;
}

static int look_at_line(struct ini_state *state, size_t room)
{
	size_t at = skip_blanks(state->line, state->len);
	/* Before anything that treats the line as a string. */
	if (memchr(state->line, '\0', state->len))
		return bad_line(state, 0, -EINVAL, "a NUL byte; this is not a text file");
	if (state->len + 3 > room || state->len > INI_LINE_MAX)
		return bad_line(state, INI_LINE_MAX, -E2BIG,
				"the line is longer than 190 bytes; go on in the next line, "
				"indented");
	if (at < state->len && state->line[at] == '[')
		return at == 0 ? tell_section(state)
			       : bad_line(state, at, -EINVAL,
					  "a heading begins where the line does");
	return 0;
}

/* fgets(3) for inih. */
static char *next_line(char *buffer, int room, void *context)
{
	struct ini_state *state = context;
	if (state->error || state->next == state->end)
		return NULL;
	const char *newline = memchr(state->next, '\n', (size_t)(state->end - state->next));
	state->line = state->next;
	state->len = (size_t)((newline ? newline : state->end) - state->line);
	state->next = newline ? newline + 1 : state->end;
	state->number++;
	if (look_at_line(state, (size_t)room))
		return NULL;
	memcpy(buffer, state->line, state->len);
	buffer[state->len] = '\n';
	buffer[state->len + 1] = '\0';
	return buffer;
}

/* Of an indented line inih does not take the comment off. */
static void cut_comment(char *text)
{
	for (size_t i = 1; text[i]; i++)
		if (text[i] == ';' && is_blank(text[i - 1]))
			text[i] = '\0';
	size_t len = strlen(text);
	while (len > 0 && is_blank(text[len - 1]))
		text[--len] = '\0';
}

/* Zero: inih notes an error, which ends the parse at the next line. */
static int on_key(void *context, const char *section, const char *name, const char *raw)
{
	struct ini_state *state = context;
	char key[INI_LINE_MAX + 1], value[INI_LINE_MAX + 1];
	(void)section;
	if (state->error || strlen(name) >= sizeof(key) || strlen(raw) >= sizeof(value))
		return 0;
	strcpy(key, name);
	strcpy(value, raw);
	cut_comment(value);
	size_t at = skip_blanks(state->line, state->len), value_at = at;
	size_t equals = at + strlen(key);
	bool goes_on = at > 0 && state->had_key;
	state->had_key = true;
	if (!goes_on) {
		while (equals < state->len && state->line[equals] != '=' &&
		       state->line[equals] != ':')
			equals++;
		value_at = MIN(equals + 1, state->len);
		value_at += skip_blanks(state->line + value_at, state->len - value_at);
	}
	struct ini_value key_value = { key, state->number, (unsigned)at + 1 };
	struct ini_value value_value = { value, state->number, (unsigned)value_at + 1 };
	state->error = state->ini->key(state->ini->context, &key_value, &value_value, goes_on,
				       state->err);
	return !state->error;
}

int ini_parse_text(const char *text, size_t nr_bytes, const struct ini *ini, struct printbuf *err)
{
	struct ini_state state = { .ini = ini, .next = text, .end = text + nr_bytes, .err = err };
	int line = ini_parse_stream(next_line, &state, on_key, &state);
	if (state.error || line == 0)
		return state.error;
	if (line < 0)
		return error_set(err, -ENOMEM, "out of memory");
	state.number = (unsigned)line;
	return bad_line(&state, 0, -EINVAL,
			"neither a [heading], nor key = value, nor a comment after ';'");
}
