/* SPDX-License-Identifier: MIT */
/* Between the two files of the grid: parsing (sweep_grid.c) and its products (sweep_vary.c). */
#ifndef BERTH_CLI_SWEEP_GRID_H
#define BERTH_CLI_SWEEP_GRID_H

#include "cli/sweep.h"
#include "sim/spec.h"

/* Fills grid->variants: of each policy, every combination of its tunables' values. */
int sweep_grid_vary(struct sweep_grid *grid, struct printbuf *err);

#endif
