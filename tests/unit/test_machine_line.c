/* SPDX-License-Identifier: MIT */
/* The one-line description: what it means, that it round-trips, and every way to get it wrong. */
#include "test.h"

#include "base/random.h"
#include "machine/build.h"

static struct machine *parsed(const char *line)
{
	PRINTBUF(err);
	struct machine *machine = NULL;
	if (machine_parse(line, &machine, &err))
		fail_msg("%s: %s", line, printbuf_str(&err));
	assert_true(machine_is_valid(machine));
	return machine;
}

static void assert_line(const char *line, const char *expected)
{
	PRINTBUF(out);
	struct machine *machine = parsed(line);
	machine_to_line(&out, machine);
	assert_string_equal(printbuf_str(&out), expected);
	machine_free(machine);
}

static void assert_link(const struct machine *machine, uint32_t from, uint32_t to,
			uint64_t latency_ns, uint64_t bandwidth)
{
	const struct machine_link *link = machine_link(machine, from, to);
	assert_int_equal(link->latency_ns, latency_ns);
	assert_int_equal(link->bandwidth_bytes_per_s, bandwidth);
}

#define GB ((uint64_t)1000000000)

static void test_example_of_the_design(void **state)
{
	struct machine *machine = parsed("node:dram:64GiB@80ns/100GBps:cpus=0-15 "
					 "node:cxl:256GiB@250ns/30GBps");
	assert_int_equal(machine->nr_nodes, 2);
	assert_int_equal(machine->nodes[0].kind, NODE_DRAM);
	assert_int_equal(machine->nodes[0].size_bytes, 64 * GIB);
	assert_int_equal(set_count(&machine->nodes[0].cpus), 16);
	assert_int_equal(machine->nodes[1].id, 1);
	assert_int_equal(machine->nodes[1].kind, NODE_CXL);
	assert_link(machine, 0, 0, 80, 100 * GB);
	assert_link(machine, 0, 1, 250, 30 * GB);
	assert_int_equal(machine_link(machine, 0, 0)->latency_source, FIGURE_GIVEN);
	assert_int_equal(machine->nr_tiers, 2);
	assert_int_equal(machine->nodes[1].tier, 1);
	assert_int_equal(machine->demotion_enabled, -1);
	assert_true(set_has(&machine->demotion_targets[0], 1));
	assert_true(set_is_empty(&machine->demotion_targets[1]));
	machine_free(machine);
}

static void test_rules_fill_what_is_not_given(void **state)
{
	struct machine *machine = parsed("node:dram:8GiB@100ns/50GBps:cpus=0-1 "
					 "node:dram:8GiB:cpus=2-3 node:pmem:64GiB@400ns");
	assert_link(machine, 1, 0, 170, 30 * GB); /* 1.7 and 0.6 */
	assert_link(machine, 0, 1, 136, 60 * GB);
	assert_int_equal(machine_link(machine, 1, 0)->latency_source, FIGURE_DEFAULT);
	assert_link(machine, 0, 2, 400, 38 * GB); /* every socket the same */
	assert_link(machine, 1, 2, 400, 38 * GB);
	assert_link(machine, 2, 0, 0, 0); /* no CPUs there */
	machine_free(machine);
}

static void test_from_overrides(void **state)
{
	struct machine *machine = parsed("node:dram=2:8GiB:cpus=0:from=5@200ns/10GBps "
					 "node:dram=5:8GiB:cpus=1 node:cxl:1GiB:from=5@300ns");
	assert_int_equal(machine->nodes[2].id, 6);
	assert_link(machine, 1, 0, 200, 10 * GB);
	assert_link(machine, 0, 2, 250, 30 * GB);
	assert_link(machine, 1, 2, 300, 30 * GB);
	machine_free(machine);
}

static void test_parts_in_any_order(void **state)
{
	assert_line("  node:cxl=7:1GiB\tnode:dram=3:2GiB:cpus=0,2-3 node:hbm:1GiB\n",
		    "node:dram=3:2GiB:cpus=0,2-3 node:hbm:1GiB node:cxl=7:1GiB");
}

static void test_line_keeps_what_it_was_given(void **state)
{
	static const char *const lines[] = {
		"node:dram:64GiB@80ns/100GBps:cpus=0-15 node:cxl:256GiB@250ns/30GBps",
		"node:dram:64GiB:cpus=0-15",
		"node:dram:64GiB@90ns:cpus=0-15",
		"node:none:0:cpus=0-3 node:dram:64GiB",
		"node:dram=4:1B:cpus=1048576",
		"node:dram:1GiB:cpus=0 node:dram:1GiB:cpus=1:from=0@136ns",
		"node:dram:1GiB:cpus=0 node:dram:1GiB:cpus=1:from=0@136ns/1GBps",
	};
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_line(lines[i], lines[i]);
}

static void test_tiers_by_the_kernels_rule(void **state)
{
	/* facts/lab.md: 80 against 250 ns and 100 against 20 GB/s is memory_tier70. */
	struct machine *machine = parsed("node:dram:1GiB@80ns/100GBps:cpus=0 "
					 "node:cxl:1GiB@250ns/20GBps node:pmem:1GiB "
					 "node:hbm:1GiB");
	assert_int_equal(machine->nr_tiers, 4);
	assert_int_equal(machine->tiers[0].id, 1); /* 576 * 120/80 * 100/400 = 216 */
	assert_int_equal(machine->tiers[1].id, 4);
	assert_int_equal(machine->tiers[2].id, 22);
	assert_int_equal(machine->tiers[3].id, 70);
	assert_false(machine->tiers[0].is_kernels);
	assert_true(set_has(&machine->demotion_targets[0], 2));
	assert_true(set_has(&machine->demotion_targets[2], 1));
	assert_true(set_has(&machine->demotion_targets[3], 0));
	machine_free(machine);
}

static void test_unequal_dram_gives_the_rule_up(void **state)
{
	struct machine *machine = parsed("node:dram:1GiB@80ns:cpus=0 node:dram:1GiB@100ns:cpus=1 "
					 "node:cxl:1GiB@250ns/20GBps");
	assert_int_equal(machine->nr_tiers, 2);
	assert_int_equal(machine->tiers[0].id, 4);
	assert_int_equal(machine->tiers[1].id, 22);
	machine_free(machine);
}

static void assert_order(const struct machine *machine, uint32_t from, const uint32_t *expected,
			 uint32_t nr_expected)
{
	uint32_t *order = NULL, nr = 0;
	assert_int_equal(machine_fallback_order(machine, from, &order, &nr), 0);
	assert_int_equal(nr, nr_expected);
	assert_memory_equal(order, expected, nr * sizeof(*order));
	free(order);
}

static void test_fallback_order(void **state)
{
	struct machine *machine = parsed("node:none:0:cpus=4 node:dram:1GiB:cpus=0 "
					 "node:cxl:1GiB node:dram:1GiB:cpus=1");
	assert_order(machine, 0, (uint32_t[]){ 1, 3, 2 }, 3);
	assert_order(machine, 2, (uint32_t[]){ 2, 1, 3 }, 3);
	assert_order(machine, 3, (uint32_t[]){ 3, 1, 2 }, 3);
	machine_link_at(machine, 3, 1)->distance = 30;
	machine_link_at(machine, 3, 2)->distance = 20;
	assert_order(machine, 3, (uint32_t[]){ 3, 2, 1 }, 3);
	machine_free(machine);
}

static void test_errors_say_what_and_why(void **state)
{
	static const struct {
		const char *line, *sentence;
	} bad[] = {
		{ "", "no node; write one" },
		{ " \t ", "no node; write one" },
		{ "dram:1GiB", "dram:1GiB: a part starts with node:" },
		{ "node", "kind or size is missing" },
		{ "node:dram", "kind or size is missing" },
		{ "node:drm:1GiB", "there is no kind drm; did you mean dram?" },
		{ "node:flash:1GiB", "it is one of dram, hbm" },
		{ "node::1GiB", "there is no kind" },
		{ "node:dram=x:1GiB:cpus=0", "node id x is not a number" },
		{ "node:dram=:1GiB:cpus=0", "node id  is not a number" },
		{ "node:dram=4294967296:1GiB:cpus=0", "too large" },
		{ "node:dram=1048577:1GiB:cpus=0", "too large" },
		{ "node:dram=1048576:1GiB:cpus=0 node:cxl:1GiB", "1048577 is too large" },
		{ "node:dram:0:cpus=0", "size zero" },
		{ "node:dram:0GiB:cpus=0", "size zero" },
		{ "node:dram::cpus=0", "size  is not understood" },
		{ "node:dram:-1:cpus=0", "not understood" },
		{ "node:dram:1XiB:cpus=0", "size 1XiB is not understood" },
		{ "node:dram:9223372036854775808:cpus=0", "below 2^63" },
		{ "node:dram:99999999999999999999:cpus=0", "below 2^63" },
		{ "node:dram:9223372036854775807:cpus=0 node:cxl:1B", "together have 2^63" },
		{ "node:dram:1GiB@0ns:cpus=0", "latency 0ns is zero" },
		{ "node:dram:1GiB@0:cpus=0", "is zero" },
		{ "node:dram:1GiB@80:cpus=0", "latency 80 is not understood" },
		{ "node:dram:1GiB@:cpus=0", "is not understood" },
		{ "node:dram:1GiB@2s:cpus=0", "too long" },
		{ "node:dram:1GiB@80ns/0GBps:cpus=0", "bandwidth 0GBps is zero" },
		{ "node:dram:1GiB@80ns/fast:cpus=0", "bandwidth fast is not understood" },
		{ "node:dram:1GiB@80ns/:cpus=0", "is not understood" },
		{ "node:dram:1GiB@80ns/2000TBps:cpus=0", "too large" },
		{ "node:dram:1GiB:cpus=", "CPU list \"\"" },
		{ "node:dram:1GiB:cpus=3-1", "CPU list \"3-1\"" },
		{ "node:dram:1GiB:cpus=0-99999999", "goes beyond" },
		{ "node:dram:1GiB:cpus=0:cpus=1", "cpus= twice" },
		{ "node:dram:1GiB:cpu=0", "unknown word \"cpu\"; did you mean cpus=?" },
		{ "node:dram:1GiB:colour=blue", "unknown word \"colour\"" },
		{ "node:dram:1GiB:cpus=0:", "unknown word \"\"" },
		{ "node:dram:1GiB:cpus=0-4 node:dram:1GiB:cpus=4-7", "CPU 4 belongs to node 1" },
		{ "node:dram=1:1GiB:cpus=0 node:cxl=1:1GiB", "node id 1 is given twice" },
		{ "node:dram:1GiB", "no node has CPUs" },
		{ "node:none:0:cpus=0", "no node has memory" },
		{ "node:none:0", "kind none without CPUs" },
		{ "node:none:1GiB:cpus=0", "kind none has no memory" },
		{ "node:none:0@80ns:cpus=0", "drop @80ns" },
		{ "node:none:0:cpus=0:from=1@80ns node:dram:1GiB", "kind none has no memory" },
		{ "node:dram:1GiB:cpus=0:from=3@9ns", "from=3 names no node" },
		{ "node:dram:1GiB:cpus=0:from=0@9ns", "from=0 is the node itself" },
		{ "node:dram:1GiB:cpus=0:from=1@9ns node:cxl:1GiB", "node 1 has no CPUs" },
		{ "node:dram:1GiB:cpus=0 node:cxl:1GiB:from=0", "has no latency" },
		{ "node:dram:1GiB:cpus=0 node:cxl:1GiB:from=x@9ns", "node id x" },
		{ "node:dram:1GiB:cpus=0 node:cxl:1GiB:from=0@9ns:from=0@8ns", "from=0 twice" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		PRINTBUF(err);
		struct machine *machine = NULL;
		int error = machine_parse(bad[i].line, &machine, &err);
		if (error != -EINVAL || machine)
			fail_msg("\"%s\": error %d", bad[i].line, error);
		if (!strstr(printbuf_str(&err), bad[i].sentence))
			fail_msg("\"%s\": said \"%s\"", bad[i].line, printbuf_str(&err));
		assert_int_equal(machine_parse(bad[i].line, &machine, NULL), -EINVAL);
	}
}

/* A random line of the grammar. CPUs: node n of nr has every nr-th. */
static void random_line(struct random *random, struct printbuf *out)
{
	uint32_t nr = 1 + (uint32_t)random_below(random, 9);
	uint32_t id = (uint32_t)random_below(random, 3);
	uint32_t with_cpus[9], nr_with_cpus = 0;
	for (uint32_t i = 0; i < nr; i++, id += 1 + (uint32_t)random_below(random, 3)) {
		bool has_cpus = i == 0 || random_below(random, 2);
		uint32_t kind = (uint32_t)random_below(random, has_cpus && i > 0 ? 5 : 4);
		prt_printf(out, "node:%s=%u:", node_kind_names[kind], id);
		prt_u64(out, kind == NODE_NONE ? 0 : 1 + (random_u64(random) >> 8));
		if (kind != NODE_NONE && random_below(random, 2))
			prt_printf(out, "@%uns", 1 + (uint32_t)random_below(random, 5000));
		if (out->buf[out->pos - 1] == 's' && random_below(random, 2))
			prt_printf(out, "/%uMBps", 1 + (uint32_t)random_below(random, 1000000));
		if (has_cpus)
			prt_printf(out, ":cpus=%u,%u", i,
				   i + 9 * (1 + (uint32_t)random_below(random, 9)));
		for (uint32_t j = 0; kind != NODE_NONE && j < nr_with_cpus; j++)
			if (random_below(random, 3) == 0)
				prt_printf(out, ":from=%u@%uns%s", with_cpus[j],
					   1 + (uint32_t)random_below(random, 5000),
					   random_below(random, 2) ? "/7GBps" : "");
		if (has_cpus)
			with_cpus[nr_with_cpus++] = id;
		prt_char(out, ' ');
	}
}

static void test_random_machines_round_trip(void **state)
{
	struct random random;
	random_init(&random, 20261121);
	for (int i = 0; i < 2000; i++) {
		PRINTBUF(text);
		PRINTBUF(line);
		PRINTBUF(again);
		random_line(&random, &text);
		struct machine *first = parsed(printbuf_str(&text));
		machine_to_line(&line, first);
		struct machine *second = parsed(printbuf_str(&line));
		machine_to_line(&again, second);
		assert_string_equal(printbuf_str(&line), printbuf_str(&again));
		assert_true(machine_is_equal(first, second));
		assert_int_equal(first->nr_tiers, second->nr_tiers);
		for (uint32_t t = 0; t < first->nr_tiers; t++)
			assert_int_equal(first->tiers[t].id, second->tiers[t].id);
		machine_free(first);
		machine_free(second);
	}
}

static void test_many_nodes_and_cpus(void **state)
{
	PRINTBUF(text);
	for (uint32_t i = 0; i < 200; i++)
		prt_printf(&text, "node:dram:1GiB:cpus=%u-%u ", i * 64, i * 64 + 63);
	struct machine *machine = parsed(printbuf_str(&text));
	assert_int_equal(machine->nr_nodes, 200);
	assert_true(set_has(&machine->nodes[199].cpus, 12799));
	machine_free(machine);
	for (uint32_t i = 0; i < MACHINE_MAX_NODES; i++)
		prt_str(&text, "node:cxl:1B ");
	assert_int_equal(machine_parse(printbuf_str(&text), &machine, NULL), -EINVAL);
}
