/* SPDX-License-Identifier: MIT */
/* A grid of a sweep: what parses has recordings, policies, sizes, seeds and variants that the
 * simulator's own parser takes; what does not parse says where and why. */
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"
#include "sim/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_variant(const struct sweep_grid *grid, const struct sweep_variant *variant)
{
	struct sim_spec spec = { 0 };
	demand(variant->policy < grid->nr_policies && variant->weight > 0);
	demand(variant->tunables[0] == '{');
	demand(sim_spec_parse(variant->spec, &spec, NULL) == 0);
	demand(spec.kind == variant->kind);
	sim_spec_fini(&spec);
}

static void check_grid(const struct sweep_grid *grid)
{
	demand(grid->nr_sources > 0 && grid->nr_policies > 0 && grid->nr_sizes > 0);
	demand(grid->nr_seeds > 0 && grid->nr_variants >= grid->nr_policies);
	demand(grid->span_ns > 0 || (grid->dilate > 0 && grid->dilate <= SIM_DILATE_MAX));
	for (size_t i = 0; i < grid->nr_sizes; i++)
		demand(grid->sizes[i].label && grid->sizes[i].part <= grid->sizes[i].whole);
	for (size_t i = 0; i < grid->nr_variants && i < 256; i++)
		check_variant(grid, &grid->variants[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sweep_grid *grid = NULL;
	PRINTBUF(err);
	int error = sweep_grid_parse((const char *)data, size, "grid.ini", &grid, &err);
	demand(!error == !err.pos && !error == !!grid);
	if (!error)
		check_grid(grid);
	sweep_grid_free(grid);
	return 0;
}
