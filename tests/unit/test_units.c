/* SPDX-License-Identifier: MIT */
/* Units: goldens, refusals, and that what is printed exactly reads back to the same number. */
#include "test.h"

#include <locale.h>
#include <math.h>

#include "base/printbuf.h"
#include "base/random.h"
#include "base/units.h"

typedef int (*parse_fn)(const char *text, uint64_t *ret);

struct golden {
	const char *text;
	int error;
	uint64_t value;
};

static void check(parse_fn parse, const struct golden *golden, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t value = 77;
		int error = parse(golden[i].text, &value);
		if (error != golden[i].error || value != (error ? 77 : golden[i].value))
			fail_msg("\"%s\": %d, %llu", golden[i].text, error,
				 (unsigned long long)value);
	}
}

static void test_parse_u64(void **state)
{
	static const struct golden golden[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "0x10", 0, 16 },
		{ "0XfF", 0, 255 },
		{ "0xffffffffffffffff", 0, UINT64_MAX },
		{ "0x10000000000000000", -ERANGE, 0 },
		{ "0x", -EINVAL, 0 },
		{ "0xg", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "18446744073709551616x", -EINVAL, 0 },
	};
	check(parse_u64, golden, ARRAY_SIZE(golden));
}

static void test_parse_bytes(void **state)
{
	static const struct golden golden[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "1B", 0, 1 },
		{ "64GiB", 0, 64 * GIB },
		{ "64G", 0, 64 * GIB },
		{ "1.5GiB", 0, 3 * GIB / 2 },
		{ "0.5K", 0, 512 },
		{ "2MB", 0, 2000000 },
		{ "1.5kB", 0, 1500 },
		{ "1.1KiB", 0, 1126 },	      /* 1126.4 */
		{ "0.00048828125KiB", 0, 1 }, /* exactly a half: up */
		{ "16777215TiB", 0, 16777215 * GIB * KIB },
		{ "16777216TiB", -ERANGE, 0 },
		{ "15EiB", 0, 15 * GIB * GIB },
		{ "16EiB", -ERANGE, 0 },
		{ "15.999999999999999999EiB", 0, UINT64_MAX },
		{ "99999999999999999999GiB", -ERANGE, 0 },
		{ "1.0000000000000000001GiB", -ERANGE, 0 }, /* 19 decimals */
		{ "1.5", -EINVAL, 0 },
		{ "1.5B", -EINVAL, 0 },
		{ "1.0B", 0, 1 },
		{ "GiB", -EINVAL, 0 },
		{ ".5GiB", -EINVAL, 0 },
		{ "1.GiB", -EINVAL, 0 },
		{ "1.2.3GiB", -EINVAL, 0 },
		{ "1 GiB", -EINVAL, 0 },
		{ "1GiB ", -EINVAL, 0 },
		{ "-1GiB", -EINVAL, 0 },
		{ "1Gib", -EINVAL, 0 },
		{ "1gib", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 }, /* 1000 or 1024? */
		{ "1,5GiB", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};
	check(parse_bytes, golden, ARRAY_SIZE(golden));
}

static void test_parse_ns(void **state)
{
	static const struct golden golden[] = {
		{ "0", 0, 0 },
		{ "80ns", 0, 80 },
		{ "1.5us", 0, 1500 },
		{ "10ms", 0, 10000000 },
		{ "0.1s", 0, 100000000 },
		{ "2min", 0, 120 * NS_PER_S },
		{ "18446744073s", 0, 18446744073 * NS_PER_S },
		{ "18446744074s", -ERANGE, 0 },
		{ "10", -EINVAL, 0 },
		{ "0.5ns", -EINVAL, 0 },
		{ "10 ms", -EINVAL, 0 },
		{ "10m", -EINVAL, 0 },
		{ "ms", -EINVAL, 0 },
	};
	check(parse_ns, golden, ARRAY_SIZE(golden));
}

static void test_parse_rate(void **state)
{
	static const struct golden golden[] = {
		{ "100GBps", 0, 100000000000 },
		{ "30GB/s", 0, 30000000000 },
		{ "5MiBps", 0, 5 * MIB },
		{ "1.5GB/s", 0, 1500000000 },
		{ "7Bps", 0, 7 },
		{ "100G", -EINVAL, 0 },
		{ "100Gps", -EINVAL, 0 },
		{ "100ps", -EINVAL, 0 },
		{ "/s", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "100GBpss", -EINVAL, 0 },
		{ "99999999999999999999GB/s", -ERANGE, 0 },
		{ "00000000000000000000000000000000000000000000000000000000000000001GB/s", -EINVAL,
		  0 },
	};
	check(parse_rate, golden, ARRAY_SIZE(golden));
}

static int parse_ratio(const char *text, uint64_t *ret)
{
	uint32_t ratio = 0;
	int error = parse_ratio_bp(text, &ratio);
	if (!error)
		*ret = ratio;
	return error;
}

static void test_parse_ratio(void **state)
{
	static const struct golden golden[] = {
		{ "12.5%", 0, 1250 },
		{ "0.125", 0, 1250 },
		{ "1", 0, 10000 },
		{ "150%", 0, 15000 },
		{ "0", 0, 0 },
		{ "0.01%", 0, 1 },
		{ "0.12345", 0, 1235 },
		{ "-1%", -EINVAL, 0 },
		{ "%", -EINVAL, 0 },
		{ "1%%", -EINVAL, 0 },
		{ "429497", -ERANGE, 0 },
		{ "1/2", -EINVAL, 0 },
	};
	check(parse_ratio, golden, ARRAY_SIZE(golden));
}

static void test_parse_double(void **state)
{
	static const char *const refused[] = {
		"",   "-1",  "+1", " 1", "1 ", "nan", "inf", "0x1",
		"1e", "1e+", ".",  "e5", "1f", "1,5", "--1", "1.2.3"
	};
	double value = 77;
	assert_int_equal(parse_double("1.25", &value), 0);
	assert_true(value == 1.25);
	assert_int_equal(parse_double(".5e-3", &value), 0);
	assert_true(value == 0.0005);
	assert_int_equal(parse_double("1.e2", &value), 0);
	assert_true(value == 100);
	value = 77;
	assert_int_equal(parse_double("1e999", &value), -ERANGE);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (parse_double(refused[i], &value) != -EINVAL)
			fail_msg("\"%s\" was taken", refused[i]);
	assert_true(value == 77);
}

/* In a locale with a decimal comma nothing changes. Skipped in effect where none is installed. */
static void test_locale_is_ignored(void **state)
{
	double value = 0;
	PRINTBUF(out);
	setlocale(LC_ALL, "de_DE.UTF-8");
	assert_int_equal(parse_double("1.5", &value), 0);
	prt_fixed(&out, value, 2);
	setlocale(LC_ALL, "C");
	assert_string_equal(printbuf_str(&out), "1.50");
}

static void test_exact_units_read_back(void **state)
{
	static const struct {
		void (*print)(struct printbuf *out, uint64_t value);
		parse_fn parse;
	} pairs[] = {
		{ prt_bytes_exact, parse_bytes },
		{ prt_ns_exact, parse_ns },
		{ prt_rate_exact, parse_rate },
		{ prt_u64, parse_u64 },
	};
	struct random random;
	random_init(&random, 1);
	for (unsigned i = 0; i < 40000; i++) {
		uint64_t value = random_u64(&random) >> random_below(&random, 64), back = 0;
		value <<= random_below(&random, (uint64_t)__builtin_clzll(value | 1) + 1);
		if (i % 3 == 0)
			value = random_below(&random, 1000) * (i % 2 ? NS_PER_MS : NS_PER_S);
		PRINTBUF(out);
		pairs[i % ARRAY_SIZE(pairs)].print(&out, value);
		assert_int_equal(pairs[i % ARRAY_SIZE(pairs)].parse(printbuf_str(&out), &back), 0);
		assert_true(back == value);
	}
}

/* Decimal fractions against 128-bit arithmetic done another way: digit by digit. */
static void test_fractions_are_exact(void **state)
{
	struct random random;
	random_init(&random, 2);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t whole = random_below(&random, 1000), digits = 0, value = 0;
		unsigned nr = 1 + (unsigned)random_below(&random, 9);
		uint64_t scale = 1;
		for (unsigned j = 0; j < nr; j++) {
			digits = digits * 10 + random_below(&random, 10);
			scale *= 10;
		}
		PRINTBUF(text);
		prt_printf(&text, "%llu.%0*lluGiB", (unsigned long long)whole, (int)nr,
			   (unsigned long long)digits);
		assert_int_equal(parse_bytes(printbuf_str(&text), &value), 0);
		/* |value - exact| <= 1/2, in units of 1/scale */
		__int128 difference = (__int128)value * scale -
				      ((__int128)whole * scale + digits) * (__int128)GIB;
		assert_true(2 * difference <= (__int128)scale && 2 * difference > -(__int128)scale);
	}
}
