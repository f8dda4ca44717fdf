/* SPDX-License-Identifier: MIT */
/* Random numbers: the published generators written out once more, and fairness. */
#include "test.h"

#include "base/random.h"

/* splitmix64 with its state as a counter: the n-th output needs no loop. */
static uint64_t splitmix_nth(uint64_t seed, uint64_t n)
{
	unsigned __int128 z = (uint64_t)(seed + n * 0x9e3779b97f4a7c15u);
	z = (uint64_t)((z ^ z / ((uint64_t)1 << 30)) * 0xbf58476d1ce4e5b9u);
	z = (uint64_t)((z ^ z / ((uint64_t)1 << 27)) * 0x94d049bb133111ebu);
	return (uint64_t)(z ^ z / ((uint64_t)1 << 31));
}

static uint64_t rotate(uint64_t x, int k)
{
	unsigned __int128 wide = (unsigned __int128)x << k;
	return (uint64_t)wide | (uint64_t)(wide >> 64);
}

static void test_known_generators(void **state)
{
	/* The first outputs of splitmix64 from 1234567, as its author's code prints them. */
	static const uint64_t published[] = { 6457827717110365317u, 3203168211198807973u,
					      9817491932198370423u, 4593380528125082431u,
					      16408922859458223821u };
	for (size_t i = 0; i < ARRAY_SIZE(published); i++)
		assert_true(splitmix_nth(1234567, i + 1) == published[i]);
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct random random;
		uint64_t s[4];
		random_init(&random, seed * seed * 0x12345);
		for (size_t i = 0; i < 4; i++)
			s[i] = splitmix_nth(seed * seed * 0x12345, i + 1);
		for (int i = 0; i < 100; i++) {
			uint64_t a = s[0], b = s[1], c = s[2], d = s[3];
			assert_true(random_u64(&random) == rotate(b * 5, 7) * 9);
			s[0] = a ^ b ^ d;
			s[1] = a ^ b ^ c;
			s[2] = a ^ c ^ b << 17;
			s[3] = rotate(b ^ d, 45);
		}
	}
}

/* xoshiro256** from the state 1, 2, 3, 4: the reference outputs that other implementations use. */
static void test_known_outputs(void **state)
{
	static const uint64_t expected[] = { 11520, 0, 1509978240, 1215971899390074240 };
	struct random random = { .state = { 1, 2, 3, 4 } };
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_true(random_u64(&random) == expected[i]);
}

static void test_below_is_fair(void **state)
{
	unsigned counts[7] = { 0 };
	struct random random;
	random_init(&random, 1);
	for (int i = 0; i < 70000; i++) {
		uint64_t value = random_below(&random, 7);
		assert_true(value < 7);
		counts[value]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(counts[i], 9500, 10500);
	assert_true(random_below(&random, 1) == 0);
	assert_true(random_below(&random, 0) == 0);
	for (int i = 0; i < 1000; i++) /* a bound that throws half of the draws away */
		assert_true(random_below(&random, ((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
}

static void test_unit(void **state)
{
	struct random random;
	double sum = 0;
	random_init(&random, 2);
	for (int i = 0; i < 100000; i++) {
		double value = random_unit(&random);
		assert_true(value >= 0 && value < 1);
		sum += value;
	}
	assert_true(sum > 49500 && sum < 50500);
}
