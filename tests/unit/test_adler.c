/* SPDX-License-Identifier: MIT */
/* Adler-32 beside zlib's, at every length and alignment near the steps, and over long runs. */
#include "test.h"

#include <string.h>
#include <zlib.h>

#include "base/random.h"
#include "trace/adler.h"

#define NR_BYTES 70000

static uint8_t bytes[NR_BYTES];

static void fill(uint64_t seed)
{
	struct random random;
	random_init(&random, seed);
	for (size_t i = 0; i < NR_BYTES; i++)
		bytes[i] = (uint8_t)random_below(&random, 256);
}

static void test_every_short_length(void **state)
{
	fill(1);
	for (size_t nr = 0; nr < 200; nr++)
		for (size_t at = 0; at < 33; at++)
			assert_int_equal(adler_add(ADLER_INIT, bytes + at, nr),
					 adler32(ADLER_INIT, bytes + at, (uInt)nr));
}

/* The largest values: where lanes would overflow, were a run too long. */
static void test_all_ones(void **state)
{
	uint32_t worst = 65520u << 16 | 65520u;
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t nr = 5500; nr < 5700; nr++)
		assert_int_equal(adler_add(worst, bytes, nr), adler32(worst, bytes, (uInt)nr));
	assert_int_equal(adler_add(worst, bytes, NR_BYTES), adler32(worst, bytes, NR_BYTES));
}

static void test_pieces_add_up(void **state)
{
	struct random random;
	fill(2);
	random_init(&random, 3);
	for (unsigned round = 0; round < 200; round++) {
		uint32_t adler = ADLER_INIT;
		for (size_t at = 0, nr; at < NR_BYTES; at += nr) {
			nr = random_below(&random, MIN(NR_BYTES - at, (size_t)20000) + 1);
			adler = adler_add(adler, bytes + at, nr);
		}
		assert_int_equal(adler, adler32(ADLER_INIT, bytes, NR_BYTES));
	}
}
