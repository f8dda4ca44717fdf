/* SPDX-License-Identifier: MIT */
/*
 * The figures of a simulation by name: what `berth sim` writes as JSON and CSV, and `berth sweep`
 * as columns of its database. A new figure is one line in sim_fields.c.
 */
#ifndef BERTH_CLI_SIM_FIELDS_H
#define BERTH_CLI_SIM_FIELDS_H

#include "base/table.h"
#include "sim/sim.h"

struct sim_field {
	const char *name;  /* in JSON, CSV and SQL; ends in its unit */
	const char *title; /* in a heading */
	enum column_kind kind;
	size_t offset; /* of a uint64_t in struct sim_result */
	bool of_bound; /* only a result with has_bound has it */
};

#define SIM_NR_FIELDS 24
extern const struct sim_field sim_fields[SIM_NR_FIELDS]; /* the first is time_ns */

uint64_t sim_field_value(const struct sim_result *result, const struct sim_field *field);
/* False: the result has no such figure (an error, or it is no bound). */
bool sim_field_is_known(const struct sim_result *result, const struct sim_field *field);
/* Predicted time over that with everything fast. */
double sim_slowdown(const struct sim_result *result);

#endif
