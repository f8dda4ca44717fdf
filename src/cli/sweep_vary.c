/* SPDX-License-Identifier: MIT */
/* Every combination of a policy's tunables, the last key turning fastest; and freeing a grid. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/sweep_grid.h"

/* What a simulation costs beside one of linux-none, whose time is mostly that of the pass itself
 * (SWEEP_DECODE_COST). Measured on recordings of sqlite3 and redis, 2 to 10 M events: linux-tiering
 * added 0.02 to 0.14 s and recency 0.3 to 0.4 s to the 0.3 to 0.5 s of the pass with linux-none;
 * static-best took 1 to 5 s, optimal 10 to 16 s. Wrong weights only make for a worse order of jobs.
 */
#define WEIGHT_PLAIN  1
#define WEIGHT_SCANS  2
#define WEIGHT_AGENT  3
#define WEIGHT_STATIC 20
#define WEIGHT_SOLVE  100

static unsigned weigh(const struct sim_spec *spec)
{
	if (spec->kind == SIM_AGENT)
		return WEIGHT_AGENT;
	if (!spec->kernel)
		return strcmp(spec->bound->name, "static-best") == 0 ? WEIGHT_STATIC : WEIGHT_SOLVE;
	return spec->kernel->hint_fault ? WEIGHT_SCANS : WEIGHT_PLAIN;
}

/* The keys that the base itself has: "NAME:key=value,key=value". */
static void base_tunables(struct json_writer *json, const char *rest)
{
	while (*rest) {
		size_t len = strcspn(rest, ","), key = strcspn(rest, "=");
		char *name = strndup(rest, MIN(key, len));
		char *value = key < len ? strndup(rest + key + 1, len - key - 1) : NULL;
		if (name && value)
			json_str(json, name, value);
		free(name);
		free(value);
		rest += len + (rest[len] == ',');
	}
}

/* `choice`: the index of each tunable's value. */
static int make_variant(const struct sweep_policy *policy, const size_t *choice,
			struct sweep_variant *ret, struct printbuf *err)
{
	char base[SPEC_NAME_MAX + 1];
	const char *rest = NULL;
	PRINTBUF(text);
	PRINTBUF(tunables);
	struct json_writer json;
	struct sim_spec spec = { 0 };
	if (spec_split(policy->spec.text, base, &rest))
		return -EINVAL;
	json_writer_init(&json, &tunables, true);
	json_object_begin(&json, NULL);
	base_tunables(&json, rest);
	prt_str(&text, policy->spec.text);
	for (size_t i = 0; i < policy->nr_tunables; i++) {
		const struct sweep_tunable *tunable = &policy->tunables[i];
		const char *value = tunable->values.items[choice[i]].text;
		bool is_first = !*rest && i == 0;
		prt_printf(&text, "%s%s=%s",
			   is_first && !strchr(policy->spec.text, ':') ? ":"
			   : is_first				       ? ""
								       : ",",
			   tunable->key.text, value);
		json_str(&json, tunable->key.text, value);
	}
	json_object_end(&json);
	int error = sim_spec_parse(printbuf_str(&text), &spec, err);
	if (error)
		return error;
	ret->kind = spec.kind;
	ret->needs_order = sim_spec_needs_order(&spec);
	ret->weight = weigh(&spec);
	ret->tick_ns = sim_spec_tick_ns(&spec);
	ret->is_solved = spec.kind == SIM_BOUND && !spec.kernel;
	sim_spec_fini(&spec);
	ret->base = strdup(base);
	ret->spec = printbuf_steal(&text, NULL);
	ret->tunables = printbuf_steal(&tunables, NULL);
	return ret->base && ret->spec && ret->tunables ? 0
						       : error_set(err, -ENOMEM, "out of memory");
}

/* Counts like an odometer; false: all combinations were there. */
static bool next_choice(const struct sweep_policy *policy, size_t *choice)
{
	for (size_t i = policy->nr_tunables; i-- > 0;) {
		if (++choice[i] < policy->tunables[i].values.nr)
			return true;
		choice[i] = 0;
	}
	return false;
}

static int vary_policy(struct sweep_grid *grid, uint32_t index, struct printbuf *err)
{
	struct sweep_policy *policy = &grid->policies[index];
	size_t choice[TUNABLES_MAX] = { 0 };
	if (policy->nr_tunables > TUNABLES_MAX)
		return sweep_grid_error(grid, &policy->name, -E2BIG, err, "too many keys");
	do {
		if (grid->nr_variants == SWEEP_VARIANTS_MAX)
			return sweep_grid_error(grid, &policy->name, -E2BIG, err,
						"more than %d combinations of tunables; leave some "
						"values out",
						SWEEP_VARIANTS_MAX);
		void *items = sweep_append(grid->variants, &grid->nr_variants,
					   sizeof(*grid->variants));
		if (!items)
			return error_set(err, -ENOMEM, "out of memory");
		grid->variants = items;
		grid->variants[grid->nr_variants - 1].policy = index;
		PRINTBUF(why);
		int error = make_variant(policy, choice, &grid->variants[grid->nr_variants - 1],
					 &why);
		if (error)
			return sweep_grid_error(grid, &policy->name, error, err, "%s",
						printbuf_str(&why));
	} while (next_choice(policy, choice));
	return 0;
}

int sweep_grid_vary(struct sweep_grid *grid, struct printbuf *err)
{
	for (uint32_t i = 0; i < grid->nr_policies; i++) {
		int error = vary_policy(grid, i, err);
		if (error)
			return error;
	}
	return 0;
}

static void free_values(struct sweep_values *values)
{
	for (size_t i = 0; i < values->nr; i++)
		free(values->items[i].text);
	free(values->items);
}

static void free_policy(struct sweep_policy *policy)
{
	for (size_t i = 0; i < policy->nr_tunables; i++) {
		free(policy->tunables[i].key.text);
		free_values(&policy->tunables[i].values);
	}
	free(policy->tunables);
	free_values(&policy->kernels);
	free(policy->name.text);
	free(policy->spec.text);
}

struct sweep_grid *sweep_grid_free(struct sweep_grid *grid)
{
	if (!grid)
		return NULL;
	for (size_t i = 0; i < grid->nr_policies; i++)
		free_policy(&grid->policies[i]);
	for (size_t i = 0; i < grid->nr_sources; i++) {
		free(grid->sources[i].name.text);
		free(grid->sources[i].pattern.text);
		free(grid->sources[i].group);
	}
	for (size_t i = 0; i < grid->nr_variants; i++) {
		free(grid->variants[i].spec);
		free(grid->variants[i].base);
		free(grid->variants[i].tunables);
	}
	for (size_t i = 0; grid->sizes && i < grid->nr_sizes; i++)
		free(grid->sizes[i].label);
	free_values(&grid->kernels);
	free_values(&grid->fast_texts);
	free_values(&grid->seed_texts);
	struct ini_value *words[] = { &grid->machine, &grid->dilate_text, &grid->span_text,
				      &grid->tick_text, &grid->cost };
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		free(words[i]->text);
	free(grid->path);
	free(grid->policies);
	free(grid->sources);
	free(grid->variants);
	free(grid->sizes);
	free(grid->seeds);
	free(grid);
	return NULL;
}
