/* SPDX-License-Identifier: MIT */
/* What the tests of the modelled Linux share: one kernel on one machine, without a recording. */
#ifndef BERTH_TEST_KERNEL_FIXTURE_H
#define BERTH_TEST_KERNEL_FIXTURE_H

#include "sim/kernel/linux.h"
#include "sim_fixture.h"

struct box {
	struct machine *machine;
	struct cost_model *cost;
	struct cost_account account;
	struct kernel *kernel;
};

/* spec: as -K takes it. */
static inline void box_open(struct box *box, const char *line, const char *spec, uint32_t nr_pages)
{
	char name[SPEC_NAME_MAX + 1];
	const char *keys = NULL;
	uint64_t values[TUNABLES_MAX], capacity[16];
	*box = (struct box){ .machine = machine_of(line) };
	assert_int_equal(spec_split(spec, name, &keys), 0);
	const struct kernel_ops *ops = kernel_find(name);
	assert_non_null(ops);
	tunables_defaults(ops->tunables, ops->nr_tunables, values);
	assert_int_equal(tunables_parse(keys, ops->tunables, ops->nr_tunables, name, values, NULL),
			 0);
	assert_int_equal(cost_model_new(box->machine, 4096, 64, NULL, &box->cost, NULL), 0);
	assert_int_equal(cost_account_init(&box->account, box->cost), 0);
	for (uint32_t i = 0; i < box->machine->nr_nodes; i++)
		capacity[i] = cost_capacity_pages(box->cost, i);
	assert_int_equal(
		kernel_new(ops, box->cost, &box->account, capacity, values, 0, &box->kernel, NULL),
		0);
	assert_int_equal(kernel_grow(box->kernel, nr_pages), 0);
}

static inline void box_close(struct box *box)
{
	assert_true(kernel_is_valid(box->kernel));
	kernel_free(box->kernel);
	cost_account_fini(&box->account);
	cost_model_free(box->cost);
	machine_free(box->machine);
}

#endif
