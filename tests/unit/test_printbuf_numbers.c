/* SPDX-License-Identifier: MIT */
/* Numbers: the C library as oracle where it has the format, exact arithmetic by hand where not. */
#include "test.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "base/printbuf.h"
#include "base/random.h"
#include "base/units.h"

struct golden {
	uint64_t value;
	const char *text;
};

static void check_golden(void (*print)(struct printbuf *, uint64_t), const struct golden *golden,
			 size_t nr, unsigned flags)
{
	for (size_t i = 0; i < nr; i++) {
		PRINTBUF(out);
		out.flags = flags;
		print(&out, golden[i].value);
		assert_string_equal(printbuf_str(&out), golden[i].text);
	}
}

static void test_human_binary(void **state)
{
	static const struct golden golden[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 999, "999" },
		{ 1000, "1000" },
		{ 1023, "1023" },
		{ 1024, "1.00 Ki" },
		{ 1025, "1.00 Ki" },
		{ 1536, "1.50 Ki" },
		{ 10234, "9.99 Ki" },
		{ 10235, "10.0 Ki" }, /* 9.9951 */
		{ 10240, "10.0 Ki" },
		{ 102348, "99.9 Ki" },
		{ 102349, "100 Ki" }, /* 99.9502 */
		{ 1023 * KIB, "1023 Ki" },
		{ 1023 * KIB + 511, "1023 Ki" },
		{ 1023 * KIB + 512, "1.00 Mi" }, /* 1023.5: carried */
		{ MIB - 1, "1.00 Mi" },
		{ MIB, "1.00 Mi" },
		{ 3 * GIB / 2, "1.50 Gi" },
		{ GIB * KIB, "1.00 Ti" },
		{ GIB * MIB, "1.00 Pi" },
		{ GIB * GIB, "1.00 Ei" },
		{ UINT64_MAX, "16.0 Ei" },
	};
	check_golden(prt_human, golden, ARRAY_SIZE(golden), 0);
}

static void test_human_decimal(void **state)
{
	static const struct golden golden[] = {
		{ 999, "999" },	       { 1000, "1.00 k" },	   { 1004, "1.00 k" },
		{ 1005, "1.01 k" }, /* halves go up */
		{ 9994, "9.99 k" },    { 9995, "10.0 k" },	   { 99949, "99.9 k" },
		{ 99950, "100 k" },    { 999499, "999 k" },	   { 999500, "1.00 M" },
		{ 1500000, "1.50 M" }, { 999500000000, "1.00 T" }, { UINT64_MAX, "18.4 E" },
	};
	check_golden(prt_human, golden, ARRAY_SIZE(golden), PRINTBUF_SI);
}

static void test_bytes(void **state)
{
	static const struct golden golden[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 1023, "1023 B" },
		{ 4 * KIB, "4 KiB" },
		{ 1023 * KIB, "1023 KiB" },
		{ 3 * MIB / 2, "1.50 MiB" },
		{ 64 * GIB, "64 GiB" },
		{ 1000 * GIB, "1000 GiB" },
		{ 64 * GIB + 1, "64.0 GiB" },
		{ GIB - 1, "1.00 GiB" },
	};
	static const struct golden decimal[] = {
		{ 999, "999 B" },
		{ 64000, "64 kB" },
		{ 1500000, "1.50 MB" },
	};
	check_golden(prt_bytes, golden, ARRAY_SIZE(golden), 0);
	check_golden(prt_bytes, decimal, ARRAY_SIZE(decimal), PRINTBUF_SI);
}

static void test_time_and_rate(void **state)
{
	static const struct golden times[] = {
		{ 0, "0 ns" },
		{ 80, "80 ns" },
		{ 999, "999 ns" },
		{ 1000, "1.00 us" },
		{ 1500, "1.50 us" },
		{ 12345678, "12.3 ms" },
		{ 999499999, "999 ms" },
		{ 999500000, "1.00 s" },
		{ 1200000000, "1.20 s" },
		{ 3600 * NS_PER_S, "3600 s" },
		{ UINT64_MAX, "18446744074 s" },
	};
	static const struct golden rates[] = {
		{ 0, "0 B/s" },
		{ 999, "999 B/s" },
		{ 1000, "1.00 kB/s" },
		{ 30000000000, "30.0 GB/s" },
		{ 999999999, "1.00 GB/s" },
	};
	check_golden(prt_ns, times, ARRAY_SIZE(times), 0);
	check_golden(prt_rate, rates, ARRAY_SIZE(rates), 0);
}

static void test_exact_units(void **state)
{
	static const struct golden bytes[] = {
		{ 0, "0B" },
		{ 1, "1B" },
		{ 1023, "1023B" },
		{ 1024, "1KiB" },
		{ 1536, "1536B" },
		{ 64 * GIB, "64GiB" },
		{ 3 * GIB / 2, "1536MiB" },
		{ GIB * GIB, "1EiB" },
	};
	static const struct golden times[] = {
		{ 0, "0ns" },
		{ 80, "80ns" },
		{ 1500, "1500ns" },
		{ 2000000, "2ms" },
		{ 120 * NS_PER_S, "120s" },
	};
	static const struct golden rates[] = {
		{ 0, "0Bps" },
		{ 30000000000, "30GBps" },
		{ 1500, "1500Bps" },
		{ 5 * MIB, "5242880Bps" },
	};
	check_golden(prt_bytes_exact, bytes, ARRAY_SIZE(bytes), 0);
	check_golden(prt_ns_exact, times, ARRAY_SIZE(times), 0);
	check_golden(prt_rate_exact, rates, ARRAY_SIZE(rates), 0);
}

static void test_units_follow_the_flag(void **state)
{
	static const struct golden raw[] = { { 1572864, "1572864" } };
	static const struct golden human[] = { { 1572864, "1.50 Mi" } };
	check_golden(prt_units_u64, raw, 1, 0);
	check_golden(prt_units_u64, human, 1, PRINTBUF_HUMAN);
	PRINTBUF(out);
	out.flags = PRINTBUF_HUMAN;
	prt_units_s64(&out, -1572864);
	prt_char(&out, ' ');
	prt_units_s64(&out, INT64_MIN);
	assert_string_equal(printbuf_str(&out), "-1.50 Mi -8.00 Ei");
}

/* The whole numbers around every power of two and ten, and random ones. */
static uint64_t sample(struct random *random, unsigned i)
{
	uint64_t power = 1;
	if (i < 64 * 3)
		return ((uint64_t)1 << i / 3) + i % 3 - 1;
	for (unsigned j = 64 * 3; j + 3 <= i && j < 64 * 3 + 20 * 3; j += 3)
		power *= 10;
	if (i < 64 * 3 + 20 * 3)
		return power + i % 3 - 1;
	return random_u64(random) >> random_below(random, 64);
}

static void test_integers_as_the_c_library(void **state)
{
	struct random random;
	random_init(&random, 1);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t value = sample(&random, i);
		char expected[128];
		PRINTBUF(out);
		prt_u64(&out, value);
		prt_char(&out, ' ');
		prt_s64(&out, (int64_t)value);
		prt_char(&out, ' ');
		prt_s64(&out, -(int64_t)(value >> 1));
		prt_char(&out, ' ');
		prt_hex(&out, value);
		snprintf(expected, sizeof(expected), "%" PRIu64 " %" PRId64 " %" PRId64 " %" PRIx64,
			 value, (int64_t)value, -(int64_t)(value >> 1), value);
		assert_string_equal(printbuf_str(&out), expected);
	}
}

static void test_grouped(void **state)
{
	struct random random;
	random_init(&random, 2);
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t value = sample(&random, i);
		char digits[32], expected[48];
		PRINTBUF(out);
		prt_u64_grouped(&out, value);
		size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value), to = 0;
		for (size_t j = 0; j < len; j++) {
			if (j > 0 && (len - j) % 3 == 0)
				expected[to++] = ',';
			expected[to++] = digits[j];
		}
		expected[to] = '\0';
		assert_string_equal(printbuf_str(&out), expected);
	}
}

static void check_fixed(double value, unsigned decimals)
{
	char expected[512];
	PRINTBUF(out);
	prt_fixed(&out, value, decimals);
	snprintf(expected, sizeof(expected), "%.*f", (int)decimals, value);
	if (expected[0] == '-' && strspn(expected + 1, "0.") == strlen(expected + 1))
		memmove(expected, expected + 1, strlen(expected)); /* minus zero is zero */
	assert_string_equal(printbuf_str(&out), expected);
}

static void test_fixed_as_the_c_library(void **state)
{
	static const double values[] = {
		0.0,
		-0.0,
		0.5,
		1.5,
		2.5,
		0.05,
		0.25,
		0.125,
		0.375,
		2.675,
		1e-5,
		9.995,
		9.9949999,
		0.999999999,
		99.5,
		1e15,
		1e16,
		0x1p53,
		0x1p63,
		0x1p64,
		1.8446744073709550e19,
		1e22,
		1e300,
		DBL_MAX,
		DBL_MIN,
		0x1p-1074,
		0x1p-75,
		0x1p-64,
		-1.005,
		-0.001,
		4503599627370496.5,
		4503599627370495.5,
		0.1,
		0.2,
		0.3,
	};
	struct random random;
	random_init(&random, 3);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		for (unsigned decimals = 0; decimals <= 17; decimals++)
			check_fixed(values[i], decimals);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t bits = random_u64(&random);
		double value = (random_unit(&random) - 0.5) * pow(10, (double)(i % 20));
		if (i % 4 == 0)
			memcpy(&value, &bits, sizeof(value));
		if (i % 4 == 1) /* ties, and near them */
			value = (double)(bits % 100000) / (double)(1 << i % 12);
		if (isfinite(value))
			check_fixed(value, i % 18);
	}
}

static void test_not_numbers(void **state)
{
	PRINTBUF(out);
	prt_fixed(&out, NAN, 2);
	prt_char(&out, ' ');
	prt_fixed(&out, INFINITY, 2);
	prt_char(&out, ' ');
	prt_fixed(&out, -INFINITY, 0);
	prt_char(&out, ' ');
	prt_percent(&out, 0.1234, 1);
	prt_char(&out, ' ');
	prt_percent(&out, -1, 0);
	assert_string_equal(printbuf_str(&out), "nan inf -inf 12.3 % -100 %");
}

/* The printed figure is never further from the value than half of its last digit. */
static void test_human_is_near(void **state)
{
	struct random random;
	random_init(&random, 4);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t value = sample(&random, i);
		char unit = ' ', *end;
		PRINTBUF(out);
		prt_human(&out, value);
		double shown = strtod(printbuf_str(&out), &end);
		const char *point = strchr(printbuf_str(&out), '.');
		double half = 0.5 * pow(10, point ? -(double)(end - point - 1) : 0);
		if (*end)
			unit = end[1];
		double size = pow(1024, (double)(strchr(" KMGTPE", unit) - " KMGTPE"));
		assert_true(fabs(shown * size - (double)value) <= half * size * 1.000001);
		assert_true(out.pos <= strlen("1023 Ki"));
	}
}
