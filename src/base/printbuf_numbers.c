/* SPDX-License-Identifier: MIT */
/*
 * printbuf: numbers, and numbers with units, without the C library's formatting: several times
 * faster, independent of the locale, and safe where nothing may allocate.
 *
 * Every rounding is exact and to the nearest, done in integers of 128 bits: halves go up in units,
 * and to the even digit in prt_fixed(), which prints what "%.*f" prints.
 */
#include <math.h>
#include <stdio.h>

#include "base/printbuf_internal.h"
#include "base/units.h"

#define U64_DIGITS	   20
#define FIXED_MAX_DECIMALS 17

typedef unsigned __int128 u128;

static const char digit_pairs[201] = "00010203040506070809"
				     "10111213141516171819"
				     "20212223242526272829"
				     "30313233343536373839"
				     "40414243444546474849"
				     "50515253545556575859"
				     "60616263646566676869"
				     "70717273747576777879"
				     "80818283848586878889"
				     "90919293949596979899";

/* Writes backwards from `end`; returns where the digits begin. */
static inline char *digits_before(char *end, uint64_t value)
{
	while (value >= 100) {
		const char *pair = digit_pairs + value % 100 * 2;
		value /= 100;
		*--end = pair[1];
		*--end = pair[0];
	}
	if (value >= 10) {
		*--end = digit_pairs[value * 2 + 1];
		*--end = digit_pairs[value * 2];
	} else {
		*--end = (char)('0' + value);
	}
	return end;
}

static unsigned count_digits(uint64_t value)
{
	unsigned nr = 1;
	for (; value >= 10000; value /= 10000)
		nr += 4;
	return nr + (value >= 10) + (value >= 100) + (value >= 1000);
}

void prt_u64(struct printbuf *out, uint64_t value)
{
	char digits[U64_DIGITS];
	if (printbuf_has_room(out, U64_DIGITS)) { /* in place: no copy */
		unsigned nr = count_digits(value);
		digits_before(out->buf + out->pos + nr, value);
		printbuf_commit(out, nr);
		return;
	}
	char *end = digits + sizeof(digits);
	char *start = digits_before(end, value);
	prt_mem(out, start, (size_t)(end - start));
}

void prt_s64(struct printbuf *out, int64_t value)
{
	char digits[U64_DIGITS + 1];
	char *end = digits + sizeof(digits);
	char *start = digits_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	if (value < 0)
		*--start = '-';
	prt_mem(out, start, (size_t)(end - start));
}

void prt_hex(struct printbuf *out, uint64_t value)
{
	char digits[16];
	char *end = digits + sizeof(digits), *start = end;
	do {
		*--start = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	prt_mem(out, start, (size_t)(end - start));
}

void prt_u64_grouped(struct printbuf *out, uint64_t value)
{
	char digits[U64_DIGITS], text[U64_DIGITS + U64_DIGITS / 3];
	char *end = digits + sizeof(digits);
	char *start = digits_before(end, value);
	size_t len = 0;
	for (; start < end; start++) {
		text[len++] = *start;
		if (end - start > 1 && (end - start) % 3 == 1)
			text[len++] = ',';
	}
	prt_mem(out, text, len);
}

struct unit {
	uint64_t size;
	const char *name;
};

static const struct unit binary_units[] = {
	{ 1, "" },	     { KIB, "Ki" },	  { MIB, "Mi" },       { GIB, "Gi" },
	{ GIB * KIB, "Ti" }, { GIB * MIB, "Pi" }, { GIB * GIB, "Ei" },
};
static const struct unit decimal_units[] = {
	{ 1, "" },
	{ 1000, "k" },
	{ 1000000, "M" },
	{ 1000000000, "G" },
	{ 1000000000000, "T" },
	{ 1000000000000000, "P" },
	{ 1000000000000000000, "E" },
};
static const struct unit time_units[] = {
	{ 1, "ns" },
	{ NS_PER_US, "us" },
	{ NS_PER_MS, "ms" },
	{ NS_PER_S, "s" },
};

static uint64_t rounded_ratio(uint64_t value, uint64_t factor, uint64_t divisor)
{
	return (uint64_t)(((u128)value * factor + divisor / 2) / divisor);
}

/* Value / size with three significant digits (or all of a whole number): 1.50, 15.0, 150, 1023. */
static size_t scaled_text(char text[U64_DIGITS + 1], uint64_t value, uint64_t size)
{
	size_t decimals = size == 1 || value / size >= 100 ? 0 : value / size >= 10 ? 1 : 2;
	uint64_t number = rounded_ratio(value, decimals == 2 ? 100 : decimals == 1 ? 10 : 1, size);
	if (decimals > 0 && number >= 1000) { /* 9.999 -> 10.0, 99.99 -> 100 */
		decimals--;
		number /= 10;
	}
	char digits[U64_DIGITS];
	char *end = digits + sizeof(digits);
	char *start = digits_before(end, number);
	size_t whole = (size_t)(end - start) - decimals;
	memcpy(text, start, whole);
	if (decimals == 0)
		return whole;
	text[whole] = '.';
	memcpy(text + whole + 1, end - decimals, decimals);
	return whole + 1 + decimals;
}

/* keep_whole: an exact multiple of its unit is printed without decimals (4 KiB). */
static void prt_with_unit(struct printbuf *out, uint64_t value, const struct unit *units,
			  size_t nr_units, bool keep_whole, const char *suffix)
{
	char text[U64_DIGITS + 16];
	size_t at = 0, len;
	while (at + 1 < nr_units && value >= units[at + 1].size)
		at++;
	if (at + 1 < nr_units &&
	    rounded_ratio(value, 1, units[at].size) >= units[at + 1].size / units[at].size)
		at++;
	if (keep_whole && value % units[at].size == 0)
		len = scaled_text(text, value / units[at].size, 1);
	else
		len = scaled_text(text, value, units[at].size);
	size_t name = strlen(units[at].name), more = strlen(suffix);
	if (name + more > 0)
		text[len++] = ' ';
	memcpy(text + len, units[at].name, name);
	memcpy(text + len + name, suffix, more);
	prt_mem(out, text, len + name + more);
}

static void prt_scaled(struct printbuf *out, uint64_t value, bool keep_whole, const char *suffix)
{
	if (out->flags & PRINTBUF_SI)
		prt_with_unit(out, value, decimal_units, ARRAY_SIZE(decimal_units), keep_whole,
			      suffix);
	else
		prt_with_unit(out, value, binary_units, ARRAY_SIZE(binary_units), keep_whole,
			      suffix);
}

void prt_human(struct printbuf *out, uint64_t value)
{
	prt_scaled(out, value, false, "");
}

void prt_bytes(struct printbuf *out, uint64_t bytes)
{
	prt_scaled(out, bytes, true, "B");
}

void prt_ns(struct printbuf *out, uint64_t ns)
{
	prt_with_unit(out, ns, time_units, ARRAY_SIZE(time_units), false, "");
}

void prt_rate(struct printbuf *out, uint64_t bytes_per_s)
{
	prt_with_unit(out, bytes_per_s, decimal_units, ARRAY_SIZE(decimal_units), false, "B/s");
}

void prt_units_u64(struct printbuf *out, uint64_t value)
{
	if (out->flags & PRINTBUF_HUMAN)
		prt_human(out, value);
	else
		prt_u64(out, value);
}

void prt_units_s64(struct printbuf *out, int64_t value)
{
	struct printbuf_state item = printbuf_item_begin(out);
	if (value < 0)
		prt_char(out, '-');
	prt_units_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	printbuf_item_end(out, &item);
}

/* The fraction (0 <= fraction < 1) in units of 2^-128; exact from 2^-75 up, and what is lost below
 * cannot reach the 17th decimal. */
static u128 fraction_bits(double fraction)
{
	int exponent = 0;
	double mantissa = frexp(fraction, &exponent);
	if (fraction == 0 || exponent <= -128)
		return 0;
	return ((u128)(uint64_t)ldexp(mantissa, 64) << 64) >> -exponent;
}

static unsigned next_digit(u128 *fraction)
{
	u128 low = (u128)(uint64_t)*fraction * 10;
	u128 high = (*fraction >> 64) * 10 + (low >> 64);
	*fraction = high << 64 | (uint64_t)low;
	return (unsigned)(high >> 64);
}

/* Adds one to the last of the digits; true: the carry goes on to the whole part. */
static bool digits_increment(char *digits, unsigned nr)
{
	while (nr > 0) {
		if (digits[--nr] < '9') {
			digits[nr]++;
			return false;
		}
		digits[nr] = '0';
	}
	return true;
}

/* value >= 0 and below 2^64: whole part, '.', decimals. */
static size_t fixed_text(char *text, double value, unsigned decimals)
{
	uint64_t whole = (uint64_t)value;
	u128 fraction = fraction_bits(value - (double)whole), half = (u128)1 << 127;
	char digits[U64_DIGITS + FIXED_MAX_DECIMALS];
	for (unsigned i = 0; i < decimals; i++)
		digits[i] = (char)('0' + next_digit(&fraction));
	bool is_odd = (decimals ? (uint64_t)digits[decimals - 1] : whole) & 1;
	if ((fraction > half || (fraction == half && is_odd)) && digits_increment(digits, decimals))
		whole++;
	char *end = text + U64_DIGITS;
	char *start = digits_before(end, whole);
	size_t len = (size_t)(end - start);
	memmove(text, start, len);
	if (decimals == 0)
		return len;
	text[len] = '.';
	memcpy(text + len + 1, digits, decimals);
	return len + 1 + decimals;
}

void prt_fixed(struct printbuf *out, double value, unsigned decimals)
{
	char text[330 + FIXED_MAX_DECIMALS]; /* the largest double has 309 digits */
	double size = fabs(value);
	size_t len = 1;
	decimals = MIN(decimals, FIXED_MAX_DECIMALS);
	text[0] = '-';
	if (isnan(value)) {
		prt_str(out, "nan");
		return;
	}
	if (isinf(value)) {
		prt_str(out, value < 0 ? "-inf" : "inf");
		return;
	}
	if (size < 0x1p64) {
		len += fixed_text(text + 1, size, decimals);
	} else {
		len += (size_t)snprintf(text + 1, sizeof(text) - 1, "%.0f", size);
		if (decimals)
			text[len++] = '.';
		memset(text + len, '0', decimals);
		len += decimals;
	}
	bool is_negative = signbit(value) && strspn(text + 1, "0.") < len - 1;
	prt_mem(out, text + !is_negative, len - !is_negative);
}

void prt_percent(struct printbuf *out, double ratio, unsigned decimals)
{
	struct printbuf_state item = printbuf_item_begin(out);
	prt_fixed(out, ratio * 100, decimals);
	prt_str(out, " %");
	printbuf_item_end(out, &item);
}

static void prt_largest_unit(struct printbuf *out, uint64_t value, const struct unit *units,
			     size_t nr_units, const char *suffix)
{
	struct printbuf_state item = printbuf_item_begin(out);
	size_t at = 0;
	while (value && at + 1 < nr_units && value % units[at + 1].size == 0)
		at++;
	prt_u64(out, value / units[at].size);
	prt_str(out, units[at].name);
	prt_str(out, suffix);
	printbuf_item_end(out, &item);
}

void prt_bytes_exact(struct printbuf *out, uint64_t bytes)
{
	prt_largest_unit(out, bytes, binary_units, ARRAY_SIZE(binary_units), "B");
}

void prt_ns_exact(struct printbuf *out, uint64_t ns)
{
	prt_largest_unit(out, ns, time_units, ARRAY_SIZE(time_units), "");
}

void prt_rate_exact(struct printbuf *out, uint64_t bytes_per_s)
{
	prt_largest_unit(out, bytes_per_s, decimal_units, ARRAY_SIZE(decimal_units), "Bps");
}
