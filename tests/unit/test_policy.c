/* SPDX-License-Identifier: MIT */
/* Keys and values, plans, and the list of policies. */
#include "test.h"

#include "policy/policy.h"

static const struct tunable tunables[] = {
	{ "count", TUNABLE_COUNT, 3, 1, 10, "a count" },
	{ "size", TUNABLE_BYTES, MIB, 0, TUNABLE_NO_MAX, "a size" },
	{ "time", TUNABLE_NS, 10, 0, NS_PER_S, "a time" },
	{ "share", TUNABLE_BP, 200, 0, 10000, "a share" },
	{ "on", TUNABLE_FLAG, 0, 0, 1, "a flag" },
};
#define NR ARRAY_SIZE(tunables)

static void test_policy_tunables_parse(void **state)
{
	uint64_t values[NR];
	PRINTBUF(out);
	(void)state;
	tunables_defaults(tunables, NR, values);
	assert_int_equal(tunables_parse("", tunables, NR, "x", values, NULL), 0);
	assert_int_equal(tunables_parse(NULL, tunables, NR, "x", values, NULL), 0);
	assert_int_equal(values[0], 3);
	assert_int_equal(tunables_parse("count=7,size=64KiB,time=2us,share=12.5%,on=yes", tunables,
					NR, "x", values, NULL),
			 0);
	assert_int_equal(values[0], 7);
	assert_int_equal(values[1], 65536);
	assert_int_equal(values[2], 2000);
	assert_int_equal(values[3], 1250);
	assert_int_equal(values[4], 1);
	tunables_changed_to_text(&out, tunables, NR, values);
	assert_string_equal(printbuf_str(&out), "count=7,size=64KiB,time=2us,share=12.50%,on=1");
}

static void refuse(const char *text, const char *wanted)
{
	uint64_t values[NR], before[NR];
	PRINTBUF(err);
	tunables_defaults(tunables, NR, values);
	memcpy(before, values, sizeof(values));
	assert_int_equal(tunables_parse(text, tunables, NR, "owner", values, &err), -EINVAL);
	if (!strstr(printbuf_str(&err), wanted) || !strstr(printbuf_str(&err), "owner"))
		fail_msg("'%s' gave: %s", text, printbuf_str(&err));
	assert_memory_equal(values, before, sizeof(values));
}

static void test_policy_tunables_refuse(void **state)
{
	char longest[400];
	(void)state;
	refuse("counts=7", "there are count, size, time, share, on");
	refuse("count", "not key=value");
	refuse("count=", "not key=value");
	refuse("=3", "not key=value");
	refuse("count=7,", "last comma");
	refuse("count=11", "out of range; write 1 to 10");
	refuse("count=0", "out of range");
	refuse("count=-1", "not understood");
	refuse("size=12parsecs", "a size such as");
	refuse("on=2", "0 or 1");
	refuse("count=5,size=x", "size=x");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	refuse(longest, "not key=value");
	longest[200] = '=';
	refuse(longest, "not key=value");
}

static void test_policy_spec_split(void **state)
{
	char name[SPEC_NAME_MAX + 1];
	const char *rest = NULL;
	char longest[SPEC_NAME_MAX + 3];
	(void)state;
	assert_int_equal(spec_split("recency:idle=3", name, &rest), 0);
	assert_string_equal(name, "recency");
	assert_string_equal(rest, "idle=3");
	assert_int_equal(spec_split("recency", name, &rest), 0);
	assert_string_equal(rest, "");
	assert_int_equal(spec_split("", name, &rest), -EINVAL);
	assert_int_equal(spec_split(":a=b", name, &rest), -EINVAL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(spec_split(longest, name, &rest), -EINVAL);
}

static void test_policy_plan_is_bounded(void **state)
{
	struct plan plan;
	struct plan_move move = { .page = 1, .nr_pages = 2, .to = 0, .why = "test" };
	(void)state;
	assert_int_equal(plan_init(&plan, 3), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(plan_add(&plan, &move), 0);
	assert_int_equal(plan_add(&plan, &move), -ENOSPC);
	assert_int_equal(plan_nr_pages(&plan), 6);
	plan_cut(&plan, 5);
	assert_int_equal(plan.nr, 3);
	plan_cut(&plan, 1);
	assert_int_equal(plan_nr_pages(&plan), 2);
	move.nr_pages = 0;
	assert_int_equal(plan_add(&plan, &move), -EINVAL);
	move = (struct plan_move){ .page = UINT64_MAX, .nr_pages = 2, .why = "test" };
	assert_int_equal(plan_add(&plan, &move), -EINVAL);
	assert_true(plan_is_valid(&plan));
	plan_fini(&plan);
}

static void test_policy_list_is_complete(void **state)
{
	(void)state;
	assert_non_null(policies[0]);
	for (size_t i = 0; policies[i]; i++) {
		const struct policy_ops *ops = policies[i];
		assert_ptr_equal(policy_find(ops->name), ops);
		assert_non_null(ops->summary);
		assert_non_null(ops->new);
		assert_non_null(ops->decide);
		assert_non_null(ops->free);
		assert_true(ops->nr_tunables < TUNABLES_MAX);
		ops->free(NULL);
	}
	assert_null(policy_find("no-such-policy"));
}
