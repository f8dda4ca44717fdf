/* SPDX-License-Identifier: MIT */
/*
 * What the lab's workloads are made of: options, Zipf and Kronecker distributions against their
 * definitions, the B+ tree against a sorted array, node lists, the pace.
 */
#include "test.h"

#include <math.h>

#include "lab/workloads/common/btree.c"
#include "lab/workloads/common/kronecker.c"
#include "lab/workloads/common/pace.c"
#include "lab/workloads/common/place.c"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.c"
#include "lab/workloads/common/zipf.c"

static void test_options_are_read(void **state)
{
	struct work_period period;
	uint64_t number;
	double share = 0;

	assert_int_equal(work_parse(WORK_SIZE, "16MiB", &number), 0);
	assert_int_equal(number, 16 << 20);
	assert_int_equal(work_parse(WORK_SIZE, "4096", &number), 0);
	assert_int_equal(number, 4096);
	assert_int_equal(work_parse(WORK_TIME, "0.3", &number), 0);
	assert_int_equal(number, 300000000);
	assert_int_equal(work_parse(WORK_TIME, "300ms", &number), 0);
	assert_int_equal(number, 300000000);
	assert_int_equal(work_parse(WORK_COUNT, "60M", &number), 0);
	assert_int_equal(number, 60000000);
	assert_int_equal(work_parse(WORK_SHARE, "90%", &share), 0);
	assert_true(fabs(share - 0.9) < 1e-12);
	assert_int_equal(work_parse(WORK_TIME_OR_COUNT, "10s", &period), 0);
	assert_true(period.time_ns == 10000000000 && period.count == 0);
	assert_int_equal(work_parse(WORK_TIME_OR_COUNT, "20M", &period), 0);
	assert_true(period.time_ns == 0 && period.count == 20000000);
}

static void test_bad_options_are_refused(void **state)
{
	static const char *const bad[] = { "",
					   "-1",
					   "x",
					   "1x",
					   "0x10",
					   "1e5",
					   "1..2s",
					   " 1",
					   "1 MiB",
					   "nan",
					   "inf",
					   "1MiBs",
					   "99999999999999999999T" };
	char room[32] = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		for (int kind = WORK_SIZE; kind <= WORK_TIME_OR_COUNT; kind++)
			assert_int_equal(work_parse((enum work_kind)kind, bad[i], room), -EINVAL);
	assert_int_equal(work_parse(WORK_SHARE, "101%", room), -EINVAL);
}

/* Sums of squares over expectation, for groups of ranks with about equal probability. */
static void check_zipf(uint64_t nr, double theta)
{
	enum { GROUPS = 32, DRAWS = 400000 };
	static struct zipf zipf;
	double *weights = calloc(nr, sizeof(*weights)), wanted[GROUPS + 1] = { 0 }, sum = 0;
	uint32_t *group_of = calloc(nr, sizeof(*group_of)), seen[GROUPS + 1] = { 0 };
	uint64_t random = random_seed(7, 0);
	double squares = 0;
	int nr_groups = 0;

	zipf_init(&zipf, nr, theta);
	for (uint64_t i = 0; i < nr; i++)
		sum += weights[i] = pow((double)i + 1, -theta);
	for (uint64_t i = 0; i < nr; i++) {
		group_of[i] = (uint32_t)nr_groups;
		wanted[nr_groups] += weights[i] / sum * DRAWS;
		if (wanted[nr_groups] >= (double)DRAWS / GROUPS && nr_groups < GROUPS)
			nr_groups++;
	}
	for (int i = 0; i < DRAWS; i++) {
		uint64_t rank = zipf_draw(&zipf, random_next(&random));

		assert_true(rank < nr);
		seen[group_of[rank]]++;
	}
	for (int i = 0; i <= nr_groups; i++) {
		double off = seen[i] - wanted[i];

		if (wanted[i] >= 20)
			squares += off * off / wanted[i];
	}
	/* Chi-square with up to 32 degrees: above 80 once in a million. */
	if (squares > 80)
		fail_msg("%llu ranks, theta %g: %g", (unsigned long long)nr, theta, squares);
	assert_true(fabs(zipf_weight(&zipf, nr - 1) * sum / weights[nr - 1] - 1) < 1e-6);
	free(weights);
	free(group_of);
}

static void test_zipf_is_zipf(void **state)
{
	static const uint64_t sizes_of[] = { 1, 2, 10, 4095, 4097, 100000, 3000000 };
	static const double thetas[] = { 0, 0.5, 0.99, 1, 1.5 };

	for (size_t i = 0; i < sizeof(sizes_of) / sizeof(*sizes_of); i++)
		for (size_t k = 0; k < sizeof(thetas) / sizeof(*thetas); k++)
			check_zipf(sizes_of[i], thetas[k]);
}

static void test_zipf_borders_hold(void **state)
{
	static struct zipf zipf;

	for (double theta = 0; theta <= 10; theta += 0.5) {
		zipf_init(&zipf, 1ULL << 31, theta);
		assert_int_equal(zipf_draw(&zipf, 0), 0);
		assert_true(zipf_draw(&zipf, UINT64_MAX) < zipf.nr);
		for (uint32_t i = 0; i < ZIPF_PIECES; i++)
			assert_true(zipf.borders[i] <= zipf.borders[i + 1]);
	}
}

static void test_scatter_is_a_bijection(void **state)
{
	for (uint64_t nr = 1; nr < 300; nr++) {
		unsigned char seen[300] = { 0 };
		struct scatter scatter;

		scatter_init(&scatter, nr);
		for (uint64_t i = 0; i < nr; i++)
			seen[scatter_at(&scatter, i)]++;
		for (uint64_t i = 0; i < nr; i++)
			assert_int_equal(seen[i], 1);
	}
}

static void test_vertices_are_renamed_one_to_one(void **state)
{
	for (unsigned scale = 1; scale <= 14; scale++) {
		unsigned char *seen = calloc(1, 1 << scale);

		for (uint64_t v = 0; v < 1ULL << scale; v++)
			seen[rename_vertex(v, scale)]++;
		for (uint64_t v = 0; v < 1ULL << scale; v++)
			assert_int_equal(seen[v], 1);
		free(seen);
	}
}

/* The quarters have their shares at the top level and at the bottom, as drawn (before renaming);
 * after it, degrees are as skewed as the parameters make them. */
static void test_kronecker_quarters_and_skew(void **state)
{
	enum { SCALE = 12, EDGES = 16 << SCALE };
	static struct kronecker k;
	static uint32_t degrees[1 << SCALE];
	double parts[4] = { 0 };
	uint32_t most = 0, nr_empty = 0;

	kronecker_init(&k, SCALE, 3);
	for (unsigned i = 0; i < 1 << 16; i++) {
		unsigned pair = k.two_levels[i];

		parts[(pair >> 3) << 1 | (pair >> 1 & 1)] += 1.0 / (1 << 16);
	}
	for (int i = 0; i < 4; i++)
		assert_true(fabs(parts[i] - quarters[i]) < 0.0001);
	for (int i = 0; i < EDGES; i++) {
		struct kronecker_edge edge = kronecker_next(&k);

		assert_true(edge.source < 1 << SCALE && edge.target < 1 << SCALE);
		degrees[edge.source]++;
		degrees[edge.target]++;
	}
	for (int i = 0; i < 1 << SCALE; i++) {
		most = degrees[i] > most ? degrees[i] : most;
		nr_empty += !degrees[i];
	}
	/* The top vertex is expected in 2 * EDGES * .76^12 = 4,871 ends. */
	assert_in_range(most, 4500, 5250);
	/* An even graph would leave none of 4,096 vertices with 32 ends each empty. */
	assert_true(nr_empty > 500);
}

struct pair_of {
	uint64_t key, value;
};

static struct pair_of naive[4000];
static size_t nr_naive;

static size_t naive_at(uint64_t key)
{
	size_t at = 0;

	while (at < nr_naive && naive[at].key < key)
		at++;
	return at;
}

static int naive_insert(uint64_t key, uint64_t value)
{
	size_t at = naive_at(key);
	int is_new = at == nr_naive || naive[at].key != key;

	if (is_new) {
		memmove(naive + at + 1, naive + at, (nr_naive - at) * sizeof(*naive));
		nr_naive++;
	}
	naive[at] = (struct pair_of){ key, value };
	return is_new;
}

static uint64_t tripled(uint64_t number)
{
	return number * 3;
}

static uint64_t hashed(uint64_t key)
{
	return random_hash(key);
}

struct seen_keys {
	struct pair_of pairs[100];
	size_t nr;
};

static bool note(uint64_t key, uint64_t value, void *data)
{
	struct seen_keys *seen = data;

	seen->pairs[seen->nr++] = (struct pair_of){ key, value };
	return true;
}

static void compare_with_naive(const struct btree *tree, uint64_t key)
{
	size_t at = naive_at(key);
	bool is_there = at < nr_naive && naive[at].key == key;
	struct seen_keys seen = { .nr = 0 };
	uint64_t value = 0, nr;

	assert_int_equal(btree_find(tree, key, &value), is_there);
	if (is_there)
		assert_int_equal(value, naive[at].value);
	nr = btree_scan(tree, key, 100, note, &seen);
	assert_int_equal(nr, nr_naive - at < 100 ? nr_naive - at : 100);
	assert_int_equal(nr, seen.nr);
	assert_memory_equal(seen.pairs, naive + at, nr * sizeof(*naive));
}

/* Loaded with so many keys, then grown by random ones, it always says what the array says. */
static void check_btree(uint64_t nr_loaded)
{
	enum { NODES = 400 };
	void *arena = calloc(NODES, BTREE_NODE_BYTES);
	uint64_t random = random_seed(nr_loaded, 1);
	struct btree tree;

	btree_init(&tree, arena, NODES);
	nr_naive = 0;
	if (nr_loaded)
		assert_int_equal(btree_load(&tree, nr_loaded, tripled, hashed), 0);
	for (uint64_t i = 0; i < nr_loaded; i++)
		naive[nr_naive++] = (struct pair_of){ tripled(i), hashed(tripled(i)) };
	assert_true(btree_is_valid(&tree, hashed));
	for (int i = 0; i < 1500; i++) {
		uint64_t key = random_below(random_next(&random), 8000);

		assert_int_equal(btree_insert(&tree, key, hashed(key)),
				 naive_insert(key, hashed(key)));
		compare_with_naive(&tree, random_below(random_next(&random), 8100));
	}
	assert_int_equal(tree.nr_keys, nr_naive);
	assert_true(btree_is_valid(&tree, hashed));
	/* A damaged tree is seen. */
	tree.nodes[0].values[0]++;
	assert_false(btree_is_valid(&tree, hashed));
	free(arena);
}

static void test_btree_equals_a_sorted_array(void **state)
{
	static const uint64_t loads[] = { 0, 1, 53, 54, 55, 108, 109, 2000, 2500 };

	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
		check_btree(loads[i]);
}

static void test_btree_levels_and_full_arena(void **state)
{
	enum { NODES = 5000, KEYS = 200000 };
	void *arena = calloc(NODES, BTREE_NODE_BYTES);
	struct btree tree;
	int error = 0;
	uint64_t key = 0, value;

	btree_init(&tree, arena, NODES);
	assert_int_equal(btree_load(&tree, KEYS, tripled, hashed), 0);
	assert_int_equal(tree.height, 4);
	for (uint64_t i = 0; i < KEYS; i++)
		assert_true(btree_find(&tree, tripled(i), &value) && value == hashed(tripled(i)));
	for (; !error && key < 3 * KEYS; key += 3)
		error = btree_insert(&tree, key + 1, hashed(key + 1)) < 0;
	assert_true(error);
	assert_true(btree_is_valid(&tree, hashed));
	btree_init(&tree, arena, 100);
	assert_int_equal(btree_load(&tree, KEYS, tripled, hashed), -ENOSPC);
	free(arena);
}

static void test_node_lists(void **state)
{
	static const char *const bad[] = { "",	 "x",  "0-", "-1",  "1-0",
					   "64", "0,", ",0", "0 1", "0--1" };
	uint64_t nodes;
	char text[64];

	assert_int_equal(place_parse_nodes("0", &nodes), 0);
	assert_int_equal(nodes, 1);
	assert_int_equal(place_parse_nodes("0-1,63", &nodes), 0);
	assert_int_equal(nodes, 3 | 1ULL << 63);
	place_nodes_to_text(text, sizeof(text), nodes);
	assert_string_equal(text, "0,1,63");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(place_parse_nodes(bad[i], &nodes), -EINVAL);
}

struct paced {
	_Atomic uint64_t nr;
	uint64_t nr_held;
	bool is_holding;
};

static void do_paced(struct pace *pace, unsigned thread, void *argument)
{
	struct paced *paced = argument;
	uint64_t nr;

	while ((nr = pace_next(pace, thread))) {
		assert_false(paced->is_holding);
		atomic_fetch_add(&paced->nr, nr);
	}
}

static void be_still(void *argument)
{
	struct paced *paced = argument;
	struct timespec pause = { .tv_nsec = 2000000 };
	uint64_t before = atomic_load(&paced->nr);

	nanosleep(&pause, NULL);
	assert_int_equal(atomic_load(&paced->nr), before);
	paced->nr_held++;
}

static void hold_often(struct pace *pace, void *argument, uint64_t nr_done, uint64_t passed_ns)
{
	struct paced *paced = argument;

	if (nr_done / 10000 > paced->nr_held)
		pace_hold(pace, be_still, paced, true);
}

/* All operations are done once, whatever the threads; nobody works while held; the clock stands. */
static void test_pace_counts_and_holds(void **state)
{
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct paced paced = { 0 };
		static struct pace pace;

		memset(&pace, 0, sizeof(pace));
		pace.nr_threads = threads;
		pace.operations = 100001;
		pace.lot = 100;
		pace.after_lot = hold_often;
		pace_run(&pace, do_paced, &paced);
		assert_int_equal(pace.nr_done, 100001);
		assert_int_equal(atomic_load(&paced.nr), 100001);
		assert_true(paced.nr_held > 0);
		assert_true(pace.stood_ns >= paced.nr_held * 2000000);
		assert_true(pace.passed_ns > 0 && pace.passed_ns < 10000000000);
	}
}
