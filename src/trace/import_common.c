/* SPDX-License-Identifier: MIT */
/*
 * What all importers share. Numbers are read by hand, not by strtoull: the texts are pieces of a
 * window without NUL, and a sign, a blank or a locale must not slip through.
 */
#include "trace/import_common.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int import_info_init(struct trace_info *info, const char *recorder, uint64_t ns_per_ktick,
		     const struct trace_open_options *options, const struct import_input *input)
{
	bool chosen = options && options->ns_per_ktick;
	info->page_bytes = IMPORT_PAGE_BYTES;
	info->ns_per_ktick = chosen ? options->ns_per_ktick : ns_per_ktick;
	info->exit_status = -1;
	info->native_ns = TRACE_UNKNOWN;
	info->nr_references = TRACE_UNKNOWN;
	info->file_bytes = import_input_file_bytes(input);
	info->recorder = strdup(recorder);
	info->program = strdup("");
	return info->recorder && info->program ? 0 : -ENOMEM;
}

/* Grows by powers of two: the capacity is the count rounded up. */
static void *grow(void *array, uint32_t nr, size_t item_bytes)
{
	if (nr & (nr - 1))
		return array;
	return reallocarray(array, nr ? (size_t)nr * 2 : 1, item_bytes);
}

int import_info_space(struct trace_info *info, enum trace_space_kind kind, int64_t pid,
		      const char *name)
{
	struct trace_space *spaces = grow(info->spaces, info->nr_spaces, sizeof(*spaces));
	if (!spaces)
		return -ENOMEM;
	info->spaces = spaces;
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	spaces[info->nr_spaces] = (struct trace_space){
		.id = info->nr_spaces, .kind = kind, .parent = TRACE_NONE, .pid = pid, .name = copy
	};
	info->nr_spaces++;
	return 0;
}

int import_info_note(struct trace_info *info, const char *format, ...)
{
	char **notes = grow(info->notes, info->nr_notes, sizeof(*notes));
	if (!notes)
		return -ENOMEM;
	info->notes = notes;
	PRINTBUF(text);
	va_list args;
	va_start(args, format);
	prt_vprintf(&text, format, args);
	va_end(args);
	char *note = printbuf_steal(&text, NULL);
	if (!note)
		return -ENOMEM;
	notes[info->nr_notes++] = note;
	return 0;
}

void import_info_end(struct trace_info *info, uint64_t nr_ticks)
{
	info->nr_ticks = nr_ticks;
	info->duration_ns = import_ticks_to_ns(nr_ticks, info->ns_per_ktick);
}

int import_info_cut(struct trace_info *info, const char *where)
{
	info->is_cut = true;
	return import_info_note(info, "the file ends too early (%s); what is before was read",
				where);
}

uint64_t import_ticks_to_ns(uint64_t ticks, uint64_t ns_per_ktick)
{
	uint64_t product;
	if (likely(!__builtin_mul_overflow(ticks, ns_per_ktick, &product)))
		return product / 1000;
	unsigned __int128 ns = (unsigned __int128)ticks * ns_per_ktick / 1000;
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

int import_parse_u64(const char *text, size_t nr, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0, nr_digits = 0;
	if (nr == 3 && !memcmp(text, "max", 3)) {
		*ret = UINT64_MAX;
		return 0;
	}
	for (; i < nr && text[i] != '.'; i++) {
		unsigned digit = (unsigned char)text[i] - '0';
		if (text[i] == ',' && nr_digits)
			continue;
		if (digit > 9)
			return text[0] == '-' && nr > 1 ? -ERANGE : -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
		nr_digits++;
	}
	for (size_t k = i + 1; k < nr; k++)
		if (text[k] < '0' || text[k] > '9')
			return -EINVAL;
	if (!nr_digits)
		return -EINVAL;
	*ret = value;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const struct {
	const char *name;
	uint64_t ns;
} time_units[] = {
	{ "ns", 1 },
	{ "us", NS_PER_US },
	{ "ms", NS_PER_MS },
	{ "s", NS_PER_S },
	{ "m", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
	{ "d", 86400 * NS_PER_S },
};

static uint64_t time_unit(const char *text, size_t nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(time_units); i++)
		if (strlen(time_units[i].name) == nr && !memcmp(time_units[i].name, text, nr))
			return time_units[i].ns;
	return 0;
}

/* The digits after the point, at most nine of them, as parts of `unit_ns`. */
static uint64_t fraction_ns(const char *text, size_t nr, uint64_t unit_ns)
{
	const char *point = memchr(text, '.', nr);
	uint64_t value = 0, scale = 1;
	for (const char *c = point ? point + 1 : text + nr; c < text + nr && scale < NS_PER_S;
	     c++) {
		value = value * 10 + (uint64_t)(*c - '0');
		scale *= 10;
	}
	return (uint64_t)((unsigned __int128)value * unit_ns / scale);
}

static size_t span(const char *text, size_t nr, bool (*is_in)(char))
{
	size_t i = 0;
	while (i < nr && is_in(text[i]))
		i++;
	return i;
}

static bool is_number(char c)
{
	return (c >= '0' && c <= '9') || c == ',' || c == '.' || c == '-';
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

int import_parse_time(const char *text, size_t nr, uint64_t unit_ns, uint64_t *ret_ns)
{
	unsigned __int128 sum = 0;
	bool any = false;
	while (nr) { /* every round takes at least one character */
		size_t nr_number = span(text, nr, is_number);
		const char *unit = text + nr_number +
				   span(text + nr_number, nr - nr_number, is_blank);
		size_t nr_unit = span(unit, nr - (size_t)(unit - text), is_letter);
		uint64_t number, ns = nr_unit ? time_unit(unit, nr_unit) : unit_ns;
		int error = import_parse_u64(text, nr_number, &number);
		if (error || !ns || (any && !nr_unit))
			return error ? error : -EINVAL;
		sum += (unsigned __int128)number * ns + fraction_ns(text, nr_number, ns);
		any = true;
		const char *rest = unit + nr_unit;
		rest += span(rest, nr - (size_t)(rest - text), is_blank);
		nr -= (size_t)(rest - text);
		text = rest;
	}
	if (!any || sum > UINT64_MAX)
		return any ? -ERANGE : -EINVAL;
	*ret_ns = (uint64_t)sum;
	return 0;
}

/* One more than the value of a hexadecimal digit; 0 for all other characters. */
static const uint8_t hex_values[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int import_parse_hex(const char **inout, const char *end, uint64_t *ret)
{
	const char *text = *inout;
	uint64_t value = 0;
	while (text < end) {
		uint8_t digit = hex_values[(uint8_t)*text];
		if (!digit)
			break;
		if (text - *inout == 16)
			return -ERANGE;
		value = value << 4 | (digit - 1u);
		text++;
	}
	if (text == *inout)
		return -EINVAL;
	*inout = text;
	*ret = value;
	return 0;
}
