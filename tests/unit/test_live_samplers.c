/* SPDX-License-Identifier: MIT */
/* Samplers by name, the choice between them by cost, and what they took. */
#include "test.h"

#include <string.h>

#include "linux/samplers.h"

#define MAX_NR 2

static void test_names(void **state)
{
	const struct sampler_ops *ops[MAX_NR];
	uint32_t nr = 0;
	assert_int_equal(live_samplers_parse("auto", ops, MAX_NR, &nr, NULL), 0);
	assert_int_equal(nr, 1);
	assert_ptr_equal(ops[0], &live_sampler_auto);
	assert_int_equal(live_samplers_parse("damon", ops, MAX_NR, &nr, NULL), 0);
	assert_int_equal(nr, 1);
	assert_ptr_equal(ops[0], &live_sampler_damon);
	assert_int_equal(live_samplers_parse("damon,accessed-bits", ops, MAX_NR, &nr, NULL), 0);
	assert_int_equal(nr, 2);
	assert_ptr_equal(ops[0], &live_sampler_damon);
	assert_ptr_equal(ops[1], &live_sampler_accessed);
}

static void test_names_that_are_none(void **state)
{
	static const struct {
		const char *names, *says;
	} cases[] = {
		{ "", ": no such sampler; there are auto, accessed-bits" },
		{ "damo", "damo: no such sampler; did you mean damon?" },
		{ "damon,", ": no such sampler" },
		{ ",damon", ": no such sampler" },
		{ "damon,auto", "auto: chooses by itself" },
		{ "damon,damon", "damon: named twice" },
		{ "damon damon", "damon damon: no such sampler" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sampler_ops *ops[MAX_NR];
		uint32_t nr = 99;
		PRINTBUF(err);
		assert_int_equal(live_samplers_parse(cases[i].names, ops, MAX_NR, &nr, &err),
				 -EINVAL);
		assert_non_null(strstr(printbuf_str(&err), cases[i].says));
		assert_int_equal(nr, 99);
	}
}

static void test_more_than_fit(void **state)
{
	const struct sampler_ops *ops[1];
	uint32_t nr = 99;
	PRINTBUF(err);
	assert_int_equal(live_samplers_parse("damon,accessed-bits", ops, 1, &nr, &err), -EINVAL);
	assert_string_equal(printbuf_str(&err), "accessed-bits: 1 at a time at most");
}

/* At 150 ns a page: 2 s are 13,333,333 pages, and 1 s half as many. */
static void test_what_fits(void **state)
{
	const struct sampler_ops *pages = &live_sampler_accessed, *ranges = &live_sampler_damon;
	assert_ptr_equal(live_sampler_fitting(pages, 0, 150000), pages);
	assert_ptr_equal(live_sampler_fitting(pages, 13333333, 150000), pages);
	assert_ptr_equal(live_sampler_fitting(pages, 13333334, 150000), ranges);
	assert_ptr_equal(live_sampler_fitting(ranges, 13333334, 150000), ranges);
	assert_ptr_equal(live_sampler_fitting(ranges, 6666667, 150000), ranges);
	assert_ptr_equal(live_sampler_fitting(ranges, 6666666, 150000), pages);
	assert_ptr_equal(live_sampler_fitting(pages, 2000001, 1000000), ranges);
	assert_ptr_equal(live_sampler_fitting(&live_sampler_auto, 1u << 30, 150000),
			 &live_sampler_auto);
}

static void test_costs_are_kept_apart(void **state)
{
	struct live live = { .nr_costs = 0 };
	live_charge(&live, "a", &(struct live_cost){ .own_ns = 3, .kernel_ns = 5 });
	live_charge(&live, "b", &(struct live_cost){ .own_ns = 7, .nr_faults = 11 });
	live_charge(&live, "a", &(struct live_cost){ .own_ns = 13 });
	PRINTBUF(names);
	live_costs_names(&names, live.costs, live.nr_costs);
	assert_string_equal(printbuf_str(&names), "a,b");
	assert_int_equal(live.nr_costs, 2);
	assert_string_equal(live.costs[0].sampler, "a");
	assert_int_equal(live.costs[0].own_ns, 16);
	assert_int_equal(live.costs[0].kernel_ns, 5);
	assert_int_equal(live.costs[1].own_ns, 7);
	assert_int_equal(live.costs[1].nr_faults, 11);
	assert_int_equal(live.sampling_ns, 23);
	assert_int_equal(live.kernel_ns, 5);
}

static void test_more_samplers_than_costs(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };
	struct live live = { .nr_costs = 0 };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		live_charge(&live, names[i], &(struct live_cost){ .own_ns = 1 });
	assert_int_equal(live.nr_costs, LIVE_COSTS_MAX);
	assert_int_equal(live.sampling_ns, ARRAY_SIZE(names));
}
