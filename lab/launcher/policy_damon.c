/* SPDX-License-Identifier: MIT */
/*
 * The policy `damon`: one kdamond for each node, watching that node's physical addresses. What was
 * not accessed for a while moves to the next slower tier (migrate_cold), what is accessed on a
 * slower node moves to the next faster tier (migrate_hot). The kernel's own tiering is off.
 *
 *     tier 0  node 0   kdamond 0: cold -> 1               (the nearest node of the next tier)
 *     tier 1  node 1   kdamond 1: cold -> 2, hot -> 0
 *     tier 2  node 2   kdamond 2:            hot -> 1
 *
 * Each scheme has a quota of bytes per second, prefers what is coldest or hottest, and asks the
 * page itself before it moves it (filter `young`): regions are coarse, pages are not. goals=1
 * steers the quotas by how much of the faster node is free or used, as damo's mem_tier does; that
 * takes Linux 6.16. A kernel that starts DAMON_STAT by itself (7.3) keeps DAMON for it until that
 * is switched off: turning a kdamond on fails with EBUSY.
 *
 * Cost: some 30 settings for each scheme.
 *
 * Source: mm/damon/sysfs-schemes.c, samples/damon/mtier.c (6.12, 7.3); every file here was written
 * and read back in guests of both.
 */
#include "lab/launcher/layout.h"
#include "lab/launcher/policy_kind.h"

#define KDAMONDS "/sys/kernel/mm/damon/admin/kdamonds"
#define WEIGHT	 100 /* of hotness and of age alike; size does not count */

static const struct policy_key keys[] = {
	{ "sample_us", "us", "5000", 100, 10000000, NULL, NULL, "between two looks at a region" },
	{ "aggr_us", "us", "100000", 1000, 100000000, NULL, NULL, "over which looks are added up" },
	{ "min_nr_regions", "", "10", 3, 100000, NULL, NULL, "of each node" },
	{ "max_nr_regions", "", "1000", 3, 100000, NULL, NULL, "of each node" },
	{ "apply_interval_us", "us", "1000000", 1000, 100000000, NULL, NULL, "between two moves" },
	{ "min_age_ms", "ms", "5000", 0, 3600000, NULL, NULL,
	  "not accessed for this long: to be demoted" },
	{ "quota_MBps", "MiB/s", "200", 1, 1048576, NULL, NULL, "of each scheme" },
	{ "young", "", "1", 0, 1, NULL, NULL,
	  "promote only pages just accessed, demote only others" },
	{ "goals", "", "0", 0, 1, NULL, NULL, "let the two below steer the quotas (Linux 6.16)" },
	{ "free_bp", "per ten thousand", "50", 1, 10000, NULL, NULL,
	  "demote until this much of a node is free" },
	{ "used_bp", "per ten thousand", "9970", 1, 10000, NULL, NULL,
	  "promote until this much of a node is used" },
	{ "demotion", "", "0", 0, 1, NULL, NULL, "the kernel's reclaim demotes, too" },
};

struct damon { /* what is being added */
	struct policy_build *build;
	struct lab_layout layout;
	uint32_t next_kdamond;
};

static bool has_memory(const struct machine *machine, uint32_t index)
{
	return machine->nodes[index].size_bytes > 0;
}

static uint64_t hops(const struct machine *machine, uint32_t a, uint32_t b)
{
	const struct machine_link *there = machine_link(machine, a, b);
	const struct machine_link *back = machine_link(machine, b, a);
	if (there->distance)
		return there->distance;
	if (back->distance)
		return back->distance;
	return there->latency_ns ? there->latency_ns : back->latency_ns;
}

/* The nearest node of a tier; -1 when there is no such tier. */
static int64_t nearest_in_tier(const struct machine *machine, uint32_t index, int64_t tier)
{
	int64_t nearest = -1;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (!has_memory(machine, i) || (int64_t)machine->nodes[i].tier != tier)
			continue;
		if (nearest < 0 ||
		    hops(machine, index, i) < hops(machine, index, (uint32_t)nearest))
			nearest = i;
	}
	return nearest;
}

static int check(const struct policy_build *build, struct printbuf *err)
{
	if (policy_value(build, "sample_us") > policy_value(build, "aggr_us"))
		return error_set(err, -EINVAL, "damon: sample_us is above aggr_us; give both");
	if (policy_value(build, "min_nr_regions") > policy_value(build, "max_nr_regions"))
		return error_set(err, -EINVAL,
				 "damon: min_nr_regions is above max_nr_regions; give both");
	if (build->machine->nr_tiers < 2)
		return error_set(err, -EINVAL,
				 "damon: this machine has one tier, so there is nothing to move; "
				 "describe slower memory, or take none");
	if (policy_kernel_is_before(build, 6, 11))
		return error_set(err, -EINVAL,
				 "damon: DAMON moves pages between nodes from Linux 6.11 on; take "
				 "--kernel 6.12 or newer");
	if (policy_value(build, "goals") && policy_kernel_is_before(build, 6, 16))
		return error_set(err, -EINVAL,
				 "damon: goals on a node's free and used memory came with Linux "
				 "6.16; take --kernel 7.3, or leave goals=1 away");
	return 0;
}

static void set_word(struct damon *damon, const struct printbuf *folder, const char *file,
		     const char *word)
{
	PRINTBUF(path);
	prt_str(&path, printbuf_str(folder));
	prt_char(&path, '/');
	prt_str(&path, file);
	policy_set(damon->build, printbuf_str(&path), "%s", word);
}

static void set_number(struct damon *damon, const struct printbuf *folder, const char *file,
		       uint64_t value)
{
	PRINTBUF(number);
	prt_u64(&number, value);
	set_word(damon, folder, file, printbuf_str(&number));
}

static void add_quota(struct damon *damon, const struct printbuf *scheme)
{
	uint64_t bytes = policy_value(damon->build, "quota_MBps") * MIB;
	set_number(damon, scheme, "quotas/bytes", bytes);
	set_number(damon, scheme, "quotas/reset_interval_ms", 1000);
	set_number(damon, scheme, "quotas/weights/nr_accesses_permil", WEIGHT);
	set_number(damon, scheme, "quotas/weights/age_permil", WEIGHT);
}

/* The faster node of the two: free enough after demotion, used enough after promotion. */
static void add_goal(struct damon *damon, const struct printbuf *scheme, bool is_demotion,
		     uint32_t guest_node)
{
	if (!policy_value(damon->build, "goals"))
		return;
	set_number(damon, scheme, "quotas/goals/nr_goals", 1);
	set_word(damon, scheme, "quotas/goals/0/target_metric",
		 is_demotion ? "node_mem_free_bp" : "node_mem_used_bp");
	set_number(damon, scheme, "quotas/goals/0/nid", guest_node);
	set_number(damon, scheme, "quotas/goals/0/target_value",
		   policy_value(damon->build, is_demotion ? "free_bp" : "used_bp"));
}

/* A filter passes over what it matches: demotion over young pages, promotion over the others. */
static void add_filter(struct damon *damon, const struct printbuf *scheme, bool is_demotion)
{
	if (!policy_value(damon->build, "young"))
		return;
	set_number(damon, scheme, "filters/nr_filters", 1);
	set_word(damon, scheme, "filters/0/type", "young");
	set_word(damon, scheme, "filters/0/matching", is_demotion ? "Y" : "N");
}

static void add_pattern(struct damon *damon, const struct printbuf *scheme, bool is_demotion)
{
	uint64_t aggr_us = policy_value(damon->build, "aggr_us");
	uint64_t age_us = policy_value(damon->build, "min_age_ms") * 1000;
	uint64_t min_age = is_demotion ? (age_us + aggr_us - 1) / aggr_us : 0;
	set_number(damon, scheme, "access_pattern/sz/min", 0);
	set_number(damon, scheme, "access_pattern/sz/max", UINT64_MAX);
	set_number(damon, scheme, "access_pattern/nr_accesses/min", is_demotion ? 0 : 1);
	set_number(damon, scheme, "access_pattern/nr_accesses/max", is_demotion ? 0 : UINT32_MAX);
	set_number(damon, scheme, "access_pattern/age/min", min_age);
	set_number(damon, scheme, "access_pattern/age/max", UINT32_MAX);
}

static void add_scheme(struct damon *damon, const struct printbuf *context, uint32_t index,
		       bool is_demotion, uint32_t from, uint32_t to)
{
	PRINTBUF(scheme);
	const uint32_t *guest_node = damon->layout.guest_node;
	prt_printf(&scheme, "%s/schemes/%u", printbuf_str(context), index);
	set_word(damon, &scheme, "action", is_demotion ? "migrate_cold" : "migrate_hot");
	set_number(damon, &scheme, "target_nid", guest_node[to]);
	set_number(damon, &scheme, "apply_interval_us",
		   policy_value(damon->build, "apply_interval_us"));
	add_pattern(damon, &scheme, is_demotion);
	add_quota(damon, &scheme);
	add_goal(damon, &scheme, is_demotion, guest_node[is_demotion ? from : to]);
	add_filter(damon, &scheme, is_demotion);
}

static void add_attributes(struct damon *damon, const struct printbuf *context)
{
	static const struct {
		const char *file, *key;
	} attributes[] = {
		{ "monitoring_attrs/intervals/sample_us", "sample_us" },
		{ "monitoring_attrs/intervals/aggr_us", "aggr_us" },
		{ "monitoring_attrs/nr_regions/min", "min_nr_regions" },
		{ "monitoring_attrs/nr_regions/max", "max_nr_regions" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		set_number(damon, context, attributes[i].file,
			   policy_value(damon->build, attributes[i].key));
}

/* The node's guest-physical ranges: two where it stands astride the hole below 4 GiB. */
static void add_regions(struct damon *damon, const struct printbuf *context, uint32_t index)
{
	const struct lab_layout *layout = &damon->layout;
	uint32_t nr = 0;
	for (uint32_t i = 0; i < layout->nr_ranges; i++)
		nr += layout->ranges[i].node == index;
	set_number(damon, context, "targets/nr_targets", 1);
	set_number(damon, context, "targets/0/regions/nr_regions", nr);
	for (uint32_t i = 0, region = 0; i < layout->nr_ranges; i++) {
		const struct lab_range *range = &layout->ranges[i];
		PRINTBUF(folder);
		if (range->node != index)
			continue;
		prt_printf(&folder, "%s/targets/0/regions/%u", printbuf_str(context), region++);
		set_number(damon, &folder, "start", range->start);
		set_number(damon, &folder, "end", range->end);
	}
}

static void add_kdamond(struct damon *damon, uint32_t index)
{
	const struct machine *machine = damon->build->machine;
	int64_t tier = machine->nodes[index].tier;
	int64_t below = nearest_in_tier(machine, index, tier + 1);
	int64_t above = nearest_in_tier(machine, index, tier - 1);
	uint32_t nr_schemes = 0;
	PRINTBUF(kdamond);
	PRINTBUF(context);
	prt_printf(&kdamond, KDAMONDS "/%u", damon->next_kdamond++);
	prt_printf(&context, "%s/contexts/0", printbuf_str(&kdamond));
	set_number(damon, &kdamond, "contexts/nr_contexts", 1);
	set_word(damon, &context, "operations", "paddr");
	add_attributes(damon, &context);
	add_regions(damon, &context, index);
	set_number(damon, &context, "schemes/nr_schemes", (below >= 0) + (above >= 0));
	if (below >= 0)
		add_scheme(damon, &context, nr_schemes++, true, index, (uint32_t)below);
	if (above >= 0)
		add_scheme(damon, &context, nr_schemes, false, index, (uint32_t)above);
}

static void add_kernel_settings(struct policy_build *build)
{
	policy_set(build, "/sys/kernel/mm/numa/demotion_enabled", "%llu",
		   (unsigned long long)policy_value(build, "demotion"));
	policy_try(build, "/proc/sys/kernel/numa_balancing", "0");
	if (!policy_kernel_is_before(build, 6, 17))
		policy_try(build, "/sys/module/damon_stat/parameters/enabled", "N");
}

static int add_settings(struct policy_build *build, struct printbuf *err)
{
	const struct machine *machine = build->machine;
	struct damon damon = { .build = build };
	uint32_t nr_kdamonds = 0;
	int error = lab_layout_init(machine, build->time, &damon.layout, err);
	if (error)
		return error;
	add_kernel_settings(build);
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr_kdamonds += has_memory(machine, i);
	policy_set(build, KDAMONDS "/nr_kdamonds", "%u", nr_kdamonds);
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (has_memory(machine, i))
			add_kdamond(&damon, i);
	for (uint32_t i = 0; i < nr_kdamonds; i++) {
		PRINTBUF(state);
		prt_printf(&state, KDAMONDS "/%u/state", i);
		policy_set(build, printbuf_str(&state), "on");
	}
	return 0;
}

const struct policy_kind policy_damon = {
	.name = "damon",
	.summary = "DAMON watches physical memory and moves what is cold or hot",
	.keys = keys,
	.nr_keys = ARRAY_SIZE(keys),
	.check = check,
	.add_settings = add_settings,
};
