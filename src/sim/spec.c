/* SPDX-License-Identifier: MIT */
/* Names and keys of -P and -K. */
#include "sim/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define NAMES_MAX 64

const struct tunable sim_budget_tunables[SIM_NR_BUDGETS] = {
	[SIM_RATE] = { "rate", TUNABLE_RATE, 1000000000, 0, TUNABLE_NO_MAX,
		       "pages moved at most, in bytes per second of the kernel's clock" },
	[SIM_FLOOR] = { "floor", TUNABLE_BYTES, 0, 0, TUNABLE_NO_MAX,
			"fast memory that is never taken away from the program" },
	[SIM_CAP] = { "cap", TUNABLE_BYTES, TUNABLE_NO_MAX, 0, TUNABLE_NO_MAX,
		      "fast memory that the program may have at most" },
};

static size_t list_names(bool kernels_only, const char *names[NAMES_MAX])
{
	size_t nr = 0;
	for (size_t i = 0; kernels[i] && nr < NAMES_MAX; i++)
		names[nr++] = kernels[i]->name;
	for (size_t i = 0; policies[i] && nr < NAMES_MAX && !kernels_only; i++)
		names[nr++] = policies[i]->name;
	for (size_t i = 0; bounds[i] && nr < NAMES_MAX && !kernels_only; i++)
		names[nr++] = bounds[i]->name;
	return nr;
}

static int unknown_name(const char *name, bool kernels_only, struct printbuf *err)
{
	const char *names[NAMES_MAX];
	size_t nr = list_names(kernels_only, names);
	const char *nearest = nearest_name(name, names, nr);
	if (!err)
		return -EINVAL;
	prt_safe(err, name, strlen(name));
	prt_printf(err, ": there is no such %s; ", kernels_only ? "kernel" : "policy");
	if (nearest)
		prt_printf(err, "did you mean %s? ", nearest);
	prt_str(err, "there are ");
	for (size_t i = 0; i < nr; i++)
		prt_printf(err, "%s%s", i ? ", " : "", names[i]);
	return -EINVAL;
}

/* An agent's keys are its own, those of its budget and those of its sampler. */
#define NR_SHARED_KEYS (SIM_NR_BUDGETS + SIM_NR_SAMPLER_KEYS)

static int parse_agent_keys(const char *keys, struct sim_spec *spec, struct printbuf *err)
{
	struct tunable all[TUNABLES_MAX];
	uint64_t values[TUNABLES_MAX];
	size_t nr = spec->agent->nr_tunables;
	if (nr + NR_SHARED_KEYS > TUNABLES_MAX)
		return error_set(err, -E2BIG, "%s: has too many keys", spec->agent->name);
	if (nr > 0)
		memcpy(all, spec->agent->tunables, nr * sizeof(*all));
	memcpy(all + nr, sim_budget_tunables, sizeof(sim_budget_tunables));
	memcpy(all + nr + SIM_NR_BUDGETS, sim_sampler_tunables, sizeof(sim_sampler_tunables));
	tunables_defaults(all, nr + NR_SHARED_KEYS, values);
	int error = tunables_parse(keys, all, nr + NR_SHARED_KEYS, spec->agent->name, values, err);
	if (error)
		return error;
	memcpy(spec->values, values, nr * sizeof(*values));
	memcpy(spec->budget, values + nr, SIM_NR_BUDGETS * sizeof(*values));
	memcpy(spec->sampler, values + nr + SIM_NR_BUDGETS, SIM_NR_SAMPLER_KEYS * sizeof(*values));
	return 0;
}

static int parse_keys(const char *keys, struct sim_spec *spec, struct printbuf *err)
{
	if (spec->agent)
		return parse_agent_keys(keys, spec, err);
	if (spec->bound)
		return tunables_parse(keys, NULL, 0, spec->bound->name, spec->values, err);
	tunables_defaults(spec->kernel->tunables, spec->kernel->nr_tunables, spec->values);
	return tunables_parse(keys, spec->kernel->tunables, spec->kernel->nr_tunables,
			      spec->kernel->name, spec->values, err);
}

static int parse(const char *text, bool kernels_only, struct sim_spec *ret, struct printbuf *err)
{
	char name[SPEC_NAME_MAX + 1];
	const char *keys = "";
	struct sim_spec spec = { 0 };
	if (spec_split(text, name, &keys))
		return error_set(err, -EINVAL, "'%.80s' names no %s; write NAME or NAME:key=value",
				 text, kernels_only ? "kernel" : "policy");
	spec.kernel = kernel_find(name);
	spec.agent = kernels_only ? NULL : policy_find(name);
	spec.bound = kernels_only ? NULL : bound_find(name);
	if (!spec.kernel && !spec.agent && !spec.bound)
		return unknown_name(name, kernels_only, err);
	spec.kind = spec.kernel ? SIM_KERNEL : spec.agent ? SIM_AGENT : SIM_BOUND;
	int error = parse_keys(keys, &spec, err);
	if (error)
		return error;
	if (spec.bound)
		spec.kernel = spec.bound->kernel;
	spec.text = strdup(text);
	if (!spec.text)
		return error_set(err, -ENOMEM, "out of memory");
	*ret = spec;
	return 0;
}

int sim_spec_parse(const char *text, struct sim_spec *ret, struct printbuf *err)
{
	return parse(text, false, ret, err);
}

int sim_spec_parse_kernel(const char *text, struct sim_spec *ret, struct printbuf *err)
{
	return parse(text, true, ret, err);
}

void sim_spec_fini(struct sim_spec *spec)
{
	free(spec->text);
	spec->text = NULL;
}

bool sim_spec_needs_order(const struct sim_spec *spec)
{
	if (spec->kind == SIM_BOUND)
		return false;
	return spec->kind == SIM_AGENT || spec->kernel->needs_order;
}

static void list_one(struct printbuf *out, const char *name, const char *summary,
		     const struct tunable *tunables, size_t nr)
{
	prt_printf(out, "  %-14s %s\n", name, summary);
	tunables_to_text(out, tunables, nr, 17);
}

static bool has_same_keys(const struct kernel_ops *a, const struct kernel_ops *b)
{
	bool is_same = a->nr_tunables == b->nr_tunables;
	for (size_t i = 0; is_same && i < a->nr_tunables; i++)
		is_same = strcmp(a->tunables[i].name, b->tunables[i].name) == 0;
	return is_same;
}

/* The first kernel with the same keys, whatever their defaults. */
static const struct kernel_ops *first_of_kind(const struct kernel_ops *kernel)
{
	size_t i = 0;
	while (kernels[i] != kernel && !has_same_keys(kernels[i], kernel))
		i++;
	return kernels[i];
}

/* Kernels that are settings of one another list their keys once. */
static void list_kernel(struct printbuf *out, const struct kernel_ops *kernel)
{
	const struct kernel_ops *first = first_of_kind(kernel);
	uint64_t values[TUNABLES_MAX];
	PRINTBUF(changed);
	if (first == kernel) {
		list_one(out, kernel->name, kernel->summary, kernel->tunables, kernel->nr_tunables);
		return;
	}
	tunables_defaults(kernel->tunables, kernel->nr_tunables, values);
	tunables_changed_to_text(&changed, first->tunables, first->nr_tunables, values);
	list_one(out, kernel->name, kernel->summary, NULL, 0);
	prt_printf(out, "%17skeys as %s, with %s\n", "", first->name,
		   changed.pos ? printbuf_str(&changed) : "the same defaults");
}

void sim_list_to_text(struct printbuf *out)
{
	prt_str(out, "Kernels (-P to compare one, -K to run agents above it):\n");
	for (size_t i = 0; kernels[i]; i++)
		list_kernel(out, kernels[i]);
	prt_str(out, "\nAgents (-P), each with its own keys and its budget's:\n");
	for (size_t i = 0; policies[i]; i++)
		list_one(out, policies[i]->name, policies[i]->summary, policies[i]->tunables,
			 policies[i]->nr_tunables);
	prt_str(out, "\n  every agent    its budget:\n");
	tunables_to_text(out, sim_budget_tunables, SIM_NR_BUDGETS, 17);
	prt_str(out, "\n  every agent    its sampler:\n");
	tunables_to_text(out, sim_sampler_tunables, SIM_NR_SAMPLER_KEYS, 17);
	prt_str(out, "\nBounds (-P), for comparison only: they know the future:\n");
	for (size_t i = 0; bounds[i]; i++)
		list_one(out, bounds[i]->name, bounds[i]->summary, NULL, 0);
	prt_str(out, "\nCosts (--cost):\n");
	tunables_to_text(out, cost_tunables, COST_NR_TUNABLES, 17);
}
