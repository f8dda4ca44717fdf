/* SPDX-License-Identifier: MIT */
/* Reads and prints "NAME:key=value,key=value". */
#include "policy/tunable.h"

#include <string.h>

#include "base/error.h"
#include "base/units.h"

#define WORD_MAX 64 /* bytes of one key or value */

void tunables_defaults(const struct tunable *tunables, size_t nr, uint64_t *values)
{
	for (size_t i = 0; i < nr; i++)
		values[i] = tunables[i].initial;
}

int spec_split(const char *spec, char name[SPEC_NAME_MAX + 1], const char **ret_rest)
{
	size_t len = strcspn(spec, ":");
	if (len == 0 || len > SPEC_NAME_MAX)
		return -EINVAL;
	memcpy(name, spec, len);
	name[len] = '\0';
	*ret_rest = spec[len] ? spec + len + 1 : spec + len;
	return 0;
}

static int parse_flag(const char *text, uint64_t *ret)
{
	static const char *const words[] = { "0", "1", "off", "on", "no", "yes" };
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = i & 1;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_choice(const struct tunable *tunable, const char *text, uint64_t *ret)
{
	for (uint64_t i = 0; i <= tunable->max; i++) {
		if (strcmp(text, tunable->choices[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_value(const struct tunable *tunable, const char *text, uint64_t *ret)
{
	uint32_t bp = 0;
	int error = 0;
	switch (tunable->unit) {
	case TUNABLE_COUNT:
		return parse_u64(text, ret);
	case TUNABLE_BYTES:
		return parse_bytes(text, ret);
	case TUNABLE_NS:
		return parse_ns(text, ret);
	case TUNABLE_RATE:
		return parse_rate(text, ret);
	case TUNABLE_FLAG:
		return parse_flag(text, ret);
	case TUNABLE_CHOICE:
		return parse_choice(tunable, text, ret);
	case TUNABLE_BP:
		error = parse_ratio_bp(text, &bp);
		if (!error)
			*ret = bp;
		return error;
	}
	return -EINVAL;
}

static void example_to_text(struct printbuf *out, const struct tunable *tunable)
{
	static const char *const examples[] = {
		[TUNABLE_COUNT] = "a whole number",
		[TUNABLE_BYTES] = "a size such as 64MiB",
		[TUNABLE_NS] = "a time such as 10ms",
		[TUNABLE_RATE] = "a rate such as 1GBps",
		[TUNABLE_BP] = "a share such as 12.5% or 0.125",
		[TUNABLE_FLAG] = "0 or 1",
	};
	if (tunable->unit != TUNABLE_CHOICE) {
		prt_str(out, examples[tunable->unit]);
		return;
	}
	for (uint64_t i = 0; i <= tunable->max; i++)
		prt_printf(out, "%s%s", i ? " or " : "", tunable->choices[i]);
}

void tunable_value_to_text(struct printbuf *out, const struct tunable *tunable, uint64_t value)
{
	if (value == TUNABLE_NO_MAX) {
		prt_str(out, "unlimited");
		return;
	}
	switch (tunable->unit) {
	case TUNABLE_BYTES:
		prt_bytes_exact(out, value);
		break;
	case TUNABLE_NS:
		prt_ns_exact(out, value);
		break;
	case TUNABLE_RATE:
		prt_rate_exact(out, value);
		break;
	case TUNABLE_BP:
		prt_printf(out, "%llu.%02llu%%", (unsigned long long)(value / 100),
			   (unsigned long long)(value % 100));
		break;
	case TUNABLE_CHOICE:
		prt_str(out, tunable->choices[MIN(value, tunable->max)]);
		break;
	default:
		prt_u64(out, value);
	}
}

static int unknown_key(const char *key, const struct tunable *tunables, size_t nr,
		       const char *owner, struct printbuf *err)
{
	if (!err)
		return -EINVAL;
	if (nr == 0)
		return error_set(err, -EINVAL, "%s: takes no keys, so not '%s'; write just %s",
				 owner, key, owner);
	const char *names[TUNABLES_MAX];
	for (size_t i = 0; i < nr; i++)
		names[i] = tunables[i].name;
	const char *nearest = nearest_name(key, names, nr);
	prt_printf(err, "%s: there is no key '%s'; ", owner, key);
	if (nearest)
		prt_printf(err, "did you mean %s? ", nearest);
	prt_str(err, "there are ");
	for (size_t i = 0; i < nr; i++)
		prt_printf(err, "%s%s", i ? ", " : "", names[i]);
	return -EINVAL;
}

static int set_value(const struct tunable *tunable, const char *text, const char *owner,
		     uint64_t *ret, struct printbuf *err)
{
	uint64_t value = 0;
	int error = parse_value(tunable, text, &value);
	if (error) {
		error_set(err, -EINVAL, "%s: %s=%s is not understood; write ", owner, tunable->name,
			  text);
		if (err)
			example_to_text(err, tunable);
		return -EINVAL;
	}
	if (value >= tunable->min && value <= tunable->max) {
		*ret = value;
		return 0;
	}
	if (err) {
		prt_printf(err, "%s: %s=%s is out of range; write ", owner, tunable->name, text);
		tunable_value_to_text(err, tunable, tunable->min);
		prt_str(err, " to ");
		tunable_value_to_text(err, tunable, tunable->max);
	}
	return -EINVAL;
}

/* One "key=value" of `len` bytes. */
static int parse_pair(const char *text, size_t len, const struct tunable *tunables, size_t nr,
		      const char *owner, uint64_t *values, struct printbuf *err)
{
	char key[WORD_MAX + 1], value[WORD_MAX + 1];
	const char *equals = memchr(text, '=', len);
	size_t key_len = equals ? (size_t)(equals - text) : len;
	size_t value_len = equals ? len - key_len - 1 : 0;
	if (!equals || key_len == 0 || value_len == 0 || key_len > WORD_MAX || value_len > WORD_MAX)
		return error_set(err, -EINVAL, "%s: '%.*s' is not key=value", owner,
				 (int)MIN(len, (size_t)WORD_MAX), text);
	memcpy(key, text, key_len);
	key[key_len] = '\0';
	memcpy(value, equals + 1, value_len);
	value[value_len] = '\0';
	for (size_t i = 0; i < nr; i++)
		if (strcmp(tunables[i].name, key) == 0)
			return set_value(&tunables[i], value, owner, &values[i], err);
	return unknown_key(key, tunables, nr, owner, err);
}

int tunables_parse(const char *text, const struct tunable *tunables, size_t nr, const char *owner,
		   uint64_t *values, struct printbuf *err)
{
	uint64_t parsed[TUNABLES_MAX];
	if (!text || !*text)
		return 0;
	if (nr > TUNABLES_MAX)
		return -E2BIG;
	memcpy(parsed, values, nr * sizeof(*values));
	while (*text) {
		size_t len = strcspn(text, ",");
		int error = parse_pair(text, len, tunables, nr, owner, parsed, err);
		if (error)
			return error;
		text += len;
		if (*text == ',' && !*++text)
			return error_set(err, -EINVAL, "%s: nothing follows the last comma", owner);
	}
	memcpy(values, parsed, nr * sizeof(*values));
	return 0;
}

static void choices_to_text(struct printbuf *out, const struct tunable *tunable)
{
	if (tunable->unit != TUNABLE_CHOICE)
		return;
	for (uint64_t i = 0; i <= tunable->max; i++)
		prt_printf(out, "%s%s", i ? "|" : " (", tunable->choices[i]);
	prt_char(out, ')');
}

void tunables_to_text(struct printbuf *out, const struct tunable *tunables, size_t nr,
		      unsigned indent)
{
	for (size_t i = 0; i < nr; i++) {
		prt_chars(out, ' ', indent);
		prt_printf(out, "%s=", tunables[i].name);
		tunable_value_to_text(out, &tunables[i], tunables[i].initial);
		prt_printf(out, "  %s", tunables[i].help);
		choices_to_text(out, &tunables[i]);
		prt_char(out, '\n');
	}
}

void tunables_changed_to_text(struct printbuf *out, const struct tunable *tunables, size_t nr,
			      const uint64_t *values)
{
	bool first = true;
	for (size_t i = 0; i < nr; i++) {
		if (values[i] == tunables[i].initial)
			continue;
		prt_printf(out, "%s%s=", first ? "" : ",", tunables[i].name);
		tunable_value_to_text(out, &tunables[i], values[i]);
		first = false;
	}
}
