/* SPDX-License-Identifier: MIT */
/* Sets: against an array of bool, and the list format both ways. */
#include "test.h"

#include "base/printbuf.h"
#include "base/random.h"
#include "base/set.h"

#define NR 300

static void check_text(const char *list, const char *expected)
{
	struct set set;
	PRINTBUF(out);
	assert_int_equal(set_parse(list, &set), 0);
	assert_true(set_is_valid(&set));
	set_to_text(&out, &set);
	assert_string_equal(printbuf_str(&out), expected);
	set_fini(&set);
}

static void test_lists(void **state)
{
	check_text("", "");
	check_text("\n", "");
	check_text("0", "0");
	check_text("0-3,8,10-11", "0-3,8,10-11");
	check_text("0-3,8,10-11\n", "0-3,8,10-11");
	check_text("5,4,3-3,2", "2-5");
	check_text("63,64,65", "63-65");
	check_text("0-1048576", "0-1048576");
}

static void test_lists_refused(void **state)
{
	static const struct {
		const char *list;
		int error;
	} refused[] = {
		{ "a", -EINVAL },
		{ "1,", -EINVAL },
		{ ",1", -EINVAL },
		{ "1,,2", -EINVAL },
		{ "1-", -EINVAL },
		{ "-1", -EINVAL },
		{ "3-1", -EINVAL },
		{ "1-2-3", -EINVAL },
		{ " 1", -EINVAL },
		{ "1 ", -EINVAL },
		{ "1;2", -EINVAL },
		{ "1\n2", -EINVAL },
		{ "1,\n", -EINVAL },
		{ "1048577", -ERANGE },
		{ "0-1048577", -ERANGE },
		{ "0-4294967296", -ERANGE },
		{ "99999999999999999999", -ERANGE },
		{ "0x1", -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct set set = { .nr_words = 77 };
		if (set_parse(refused[i].list, &set) != refused[i].error)
			fail_msg("\"%s\"", refused[i].list);
		assert_int_equal(set.nr_words, 77); /* untouched */
	}
}

static void check_against(const struct set *set, const bool *members)
{
	unsigned count = 0;
	int64_t last = -1, next = set_next(set, 0);
	assert_true(set_is_valid(set));
	for (uint32_t i = 0; i < NR; i++) {
		assert_int_equal(set_has(set, i), members[i]);
		if (!members[i])
			continue;
		assert_true(next == i);
		next = set_next(set, i + 1);
		last = i;
		count++;
	}
	assert_true(next == -1);
	assert_int_equal(set_count(set), count);
	assert_true(set_last(set) == last);
	assert_int_equal(set_is_empty(set), count == 0);
}

static void change(struct random *random, struct set *set, bool *members)
{
	uint32_t first = (uint32_t)random_below(random, NR), last = first;
	switch (random_below(random, 4)) {
	case 0:
		last = first + (uint32_t)random_below(random, NR - first);
		assert_int_equal(set_add_range(set, first, last), 0);
		break;
	case 1:
		assert_int_equal(set_add(set, first), 0);
		break;
	default:
		set_del(set, first);
		members[first] = false;
		return;
	}
	for (uint32_t i = first; i <= last; i++)
		members[i] = true;
}

static void check_pair(const struct set *a, const bool *in_a, const struct set *b, const bool *in_b)
{
	bool is_subset = true, meets = false, is_equal = true;
	bool either[NR], both[NR], only_a[NR];
	for (int i = 0; i < NR; i++) {
		is_subset &= !in_a[i] || in_b[i];
		meets |= in_a[i] && in_b[i];
		is_equal &= in_a[i] == in_b[i];
		either[i] = in_a[i] || in_b[i];
		both[i] = in_a[i] && in_b[i];
		only_a[i] = in_a[i] && !in_b[i];
	}
	assert_int_equal(set_is_subset(a, b), is_subset);
	assert_int_equal(set_intersects(a, b), meets);
	assert_int_equal(set_is_equal(a, b), is_equal);
	struct set result = SET_EMPTY;
	assert_int_equal(set_copy(&result, a), 0);
	check_against(&result, in_a);
	assert_int_equal(set_or(&result, b), 0);
	check_against(&result, either);
	assert_int_equal(set_copy(&result, a), 0); /* a longer set is overwritten whole */
	set_and(&result, b);
	check_against(&result, both);
	assert_int_equal(set_copy(&result, a), 0);
	set_andnot(&result, b);
	check_against(&result, only_a);
	set_fini(&result);
}

static void test_as_an_array_of_bool(void **state)
{
	struct random random;
	random_init(&random, 1);
	for (int round = 0; round < 400; round++) {
		bool in_a[NR] = { false }, in_b[NR] = { false };
		struct set a = SET_EMPTY, b = SET_EMPTY, back;
		for (uint64_t i = random_below(&random, 12); i > 0; i--)
			change(&random, &a, in_a);
		for (uint64_t i = random_below(&random, 12); i > 0; i--)
			change(&random, &b, in_b);
		check_against(&a, in_a);
		check_pair(&a, in_a, &b, in_b);
		PRINTBUF(out);
		set_to_text(&out, &a);
		assert_int_equal(set_parse(printbuf_str(&out), &back), 0);
		assert_true(set_is_equal(&a, &back));
		set_fini(&a);
		set_fini(&b);
		set_fini(&back);
	}
}

static void test_bounds(void **state)
{
	struct set set = SET_EMPTY;
	assert_int_equal(set_add(&set, SET_MAX), 0);
	assert_int_equal(set_add(&set, SET_MAX + 1), -ERANGE);
	assert_int_equal(set_add(&set, UINT32_MAX), -ERANGE);
	assert_int_equal(set_add_range(&set, 2, 1), -EINVAL);
	assert_false(set_has(&set, UINT32_MAX));
	set_del(&set, UINT32_MAX);
	assert_true(set_next(&set, UINT32_MAX) == -1);
	assert_true(set_last(&set) == SET_MAX);
	set_fini(&set);
	set_fini(&set);
	assert_true(set_is_empty(&set));
}
