/* SPDX-License-Identifier: MIT */
/*
 * Numbers with units, read in integers: "1.5GiB" is exactly 1610612736. A fraction that does not
 * come out whole (1.1GiB) is rounded to the nearest, halves up; a fraction of the smallest unit
 * (1.5B, 0.5ns) is refused. At most 18 decimals are read.
 */
#include "base/units.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DECIMALS 18

typedef unsigned __int128 u128;

/* whole + fraction / 10^decimals */
struct decimal {
	uint64_t whole, fraction, scale;
};

struct unit {
	const char *name;
	uint64_t size;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* value = value * base + digit, or false when it would pass 64 bits. */
static bool add_digit(uint64_t *value, unsigned base, unsigned digit)
{
	return !__builtin_mul_overflow(*value, base, value) &&
	       !__builtin_add_overflow(*value, digit, value);
}

/* Reads digits [. digits]; *text moves behind them. */
static int take_decimal(const char **text, struct decimal *ret)
{
	struct decimal number = { .scale = 1 };
	const char *at = *text;
	if (!is_digit(*at))
		return -EINVAL;
	for (; is_digit(*at); at++)
		if (!add_digit(&number.whole, 10, (unsigned)(*at - '0')))
			return -ERANGE;
	if (*at == '.') {
		const char *point = at++;
		for (; is_digit(*at); at++, number.scale *= 10) {
			if (at - point > MAX_DECIMALS)
				return -ERANGE;
			number.fraction = number.fraction * 10 + (unsigned)(*at - '0');
		}
		if (at == point + 1)
			return -EINVAL;
	}
	*text = at;
	*ret = number;
	return 0;
}

/* number * size, rounded to the nearest. */
static int scale_decimal(const struct decimal *number, uint64_t size, uint64_t *ret)
{
	if (size == 1 && number->fraction)
		return -EINVAL;
	u128 value = (u128)number->whole * size +
		     ((u128)number->fraction * size + number->scale / 2) / number->scale;
	if (value > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)value;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t nr_units,
			   uint64_t *ret)
{
	struct decimal number;
	const char *at = text;
	int error = take_decimal(&at, &number);
	if (error == -EINVAL)
		return error;
	if (error) /* too large; only a known unit makes it a number at all */
		at += strspn(at, "0123456789.");
	for (size_t i = 0; i < nr_units; i++)
		if (strcmp(at, units[i].name) == 0)
			return error ? error : scale_decimal(&number, units[i].size, ret);
	return -EINVAL;
}

static int parse_hexadecimal(const char *digits, uint64_t *ret)
{
	uint64_t value = 0;
	size_t len = strspn(digits, "0123456789abcdefABCDEF");
	if (len == 0 || digits[len])
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = is_digit(digits[i]) ? (unsigned)(digits[i] - '0')
						     : (unsigned)((digits[i] | 0x20) - 'a' + 10);
		if (!add_digit(&value, 16, digit))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
	static const struct unit none[] = { { "", 1 } };
	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		return parse_hexadecimal(text + 2, ret);
	if (strchr(text, '.'))
		return -EINVAL;
	return parse_with_unit(text, none, ARRAY_SIZE(none), ret);
}

int parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "KiB", KIB },
		{ "MiB", MIB },
		{ "GiB", GIB },
		{ "TiB", GIB * KIB },
		{ "PiB", GIB * MIB },
		{ "EiB", GIB * GIB },
		{ "K", KIB },
		{ "M", MIB },
		{ "G", GIB },
		{ "T", GIB * KIB },
		{ "kB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
		{ "PB", 1000000000000000 },
		{ "EB", 1000000000000000000 },
	};
	return parse_with_unit(text, units, ARRAY_SIZE(units), ret_bytes);
}

int parse_ns(const char *text, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "ns", 1 },	   { "us", NS_PER_US },	     { "ms", NS_PER_MS },
		{ "s", NS_PER_S }, { "min", 60 * NS_PER_S },
	};
	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	return parse_with_unit(text, units, ARRAY_SIZE(units), ret_ns);
}

int parse_rate(const char *text, uint64_t *ret_bytes_per_s)
{
	static const char *const endings[] = { "ps", "/s" };
	char amount[64];
	size_t len = strlen(text);
	if (len <= 2 || len >= sizeof(amount))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		if (strcmp(text + len - 2, endings[i]) != 0 || text[len - 3] != 'B')
			continue;
		memcpy(amount, text, len - 2);
		amount[len - 2] = '\0';
		return parse_bytes(amount, ret_bytes_per_s);
	}
	return -EINVAL;
}

int parse_ratio_bp(const char *text, uint32_t *ret_bp)
{
	static const struct unit units[] = { { "%", 100 }, { "", 10000 } };
	uint64_t value = 0;
	int error = parse_with_unit(text, units, ARRAY_SIZE(units), &value);
	if (error)
		return error;
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret_bp = (uint32_t)value;
	return 0;
}

/* Digits [. digits] [e [+-] digits] and nothing else: not what strtod() takes besides. */
static bool is_plain_number(const char *text)
{
	const char *digits = "0123456789";
	size_t whole = strspn(text, digits), fraction = 0;
	text += whole;
	if (*text == '.') {
		fraction = strspn(++text, digits);
		text += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text += 1 + (text[1] == '+' || text[1] == '-');
		if (!is_digit(*text))
			return false;
		text += strspn(text, digits);
	}
	return *text == '\0';
}

int parse_double(const char *text, double *ret)
{
	if (!is_plain_number(text))
		return -EINVAL;
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc: takes no memory */
	if (!plain)
		return -ENOMEM;
	double value = strtod_l(text, NULL, plain);
	freelocale(plain);
	if (!isfinite(value))
		return -ERANGE;
	*ret = value;
	return 0;
}
