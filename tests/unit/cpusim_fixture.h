/* SPDX-License-Identifier: MIT */
/* A machine, jobs and a scheduler to simulate, for the tests of the simulated scheduler. */
#ifndef BERTH_TESTS_CPUSIM_FIXTURE_H
#define BERTH_TESTS_CPUSIM_FIXTURE_H

#include "test.h"

#include "sim/cpu/cpusim.h"

#define MS	1000000ull
#define NO_NODE UINT32_MAX

#define TWO_NODES "node:dram:1GiB@100ns/10GBps:cpus=0-3 node:dram:1GiB@100ns/10GBps:cpus=4-7"

struct bench {
	struct machine *machine;
	struct cpusim_params params;
	struct cpusim_load loads[2];
	uint32_t nr_loads;
	struct cpusim_result results[2];
	struct cpusim_total total;
	struct printbuf err;
};

/* Nothing costs anything but what a test sets. */
static void bench_init(struct bench *bench, const char *line)
{
	memset(bench, 0, sizeof(*bench));
	bench->err = PRINTBUF_HEAP;
	assert_int_equal(machine_parse(line, &bench->machine, &bench->err), 0);
	cpusim_params_default(&bench->params);
	bench->params.switch_ns = bench->params.idle_exit_ns = bench->params.fork_ns = 0;
	bench->params.is_checked = true;
	bench->params.end_ns = 100 * MS;
}

static struct cpusim_load *add(struct bench *bench, enum cpusim_kind kind, uint32_t nr,
			       uint64_t work_ns, const char *preferred, const char *allowed)
{
	struct cpusim_load *load = &bench->loads[bench->nr_loads++];
	*load = (struct cpusim_load){ .kind = kind,
				      .nr = nr,
				      .work_ns = work_ns,
				      .sleep_ns = 10 * MS,
				      .nr_loops = 3,
				      .nr_deep = 640,
				      .memory_node = NO_NODE };
	assert_int_equal(set_parse(preferred, &load->preferred), 0);
	assert_int_equal(set_parse(allowed, &load->allowed), 0);
	return load;
}

static int try_run(struct bench *bench, const char *name)
{
	const struct cpu_policy_ops *policy = cpu_policy_find(name);
	uint64_t values[TUNABLES_MAX];
	tunables_defaults(policy->tunables, policy->nr_tunables, values);
	return cpusim_run(bench->machine, &bench->params, policy, values, bench->loads,
			  bench->nr_loads, bench->results, &bench->total, &bench->err);
}

static void run(struct bench *bench, const char *name)
{
	int r = try_run(bench, name);
	if (r)
		print_error("%s: %s\n", name, printbuf_str(&bench->err));
	assert_int_equal(r, 0);
}

static void bench_fini(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->nr_loads; i++) {
		set_fini(&bench->loads[i].preferred);
		set_fini(&bench->loads[i].allowed);
	}
	machine_free(bench->machine);
	printbuf_fini(&bench->err);
}

#endif
