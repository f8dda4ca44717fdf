/* SPDX-License-Identifier: MIT */
/* The figures of a simulation, one line each. */
#include "cli/sim_fields.h"

#define AT(member) offsetof(struct sim_result, member)

/* clang-format off */
const struct sim_field sim_fields[SIM_NR_FIELDS] = {
	{ "time_ns",        "time",        COLUMN_NS,    AT(time_ns),       false },
	{ "all_fast_ns",    "all fast",    COLUMN_NS,    AT(all_fast_ns),   false },
	{ "misses",         "misses",      COLUMN_U64,   AT(misses),        false },
	{ "fast_misses",    "fast misses", COLUMN_U64,   AT(fast_misses),   false },
	{ "promoted_pages", "promoted",    COLUMN_U64,   AT(nr_promoted),   false },
	{ "demoted_pages",  "demoted",     COLUMN_U64,   AT(nr_demoted),    false },
	{ "sideways_pages", "sideways",    COLUMN_U64,   AT(nr_sideways),   false },
	{ "refused_pages",  "refused",     COLUMN_U64,   AT(nr_refused),    false },
	{ "round_trip_pages", "moved back", COLUMN_U64,  AT(nr_round_trips), false },
	{ "cut_pages",      "cut",         COLUMN_U64,   AT(nr_cut),        false },
	{ "moved_bytes",    "moved",       COLUMN_BYTES, AT(moved_bytes),   false },
	{ "compute_ns",     "compute",     COLUMN_NS,    AT(compute_ns),    false },
	{ "latency_ns",     "latency",     COLUMN_NS,    AT(latency_ns),    false },
	{ "bandwidth_ns",   "bandwidth",   COLUMN_NS,    AT(bandwidth_ns),  false },
	{ "migration_ns",   "migration",   COLUMN_NS,    AT(migration_ns),  false },
	{ "faults_ns",      "faults",      COLUMN_NS,    AT(faults_ns),     false },
	{ "blocked_ns",     "blocked",     COLUMN_NS,    AT(blocked_ns),    false },
	{ "linear_ps",      "linear",      COLUMN_U64,   AT(linear_ps),     false },
	{ "hint_faults",    "hint faults", COLUMN_U64,   AT(nr_faults),     false },
	{ "sampler_checks", "checks",      COLUMN_U64,   AT(nr_checks),     false },
	{ "sampler_ns",     "sampler",     COLUMN_NS,    AT(sampler_ns),    false },
	{ "lower_ps",       "lower",       COLUMN_U64,   AT(lower_ps),      true },
	{ "upper_ps",       "upper",       COLUMN_U64,   AT(upper_ps),      true },
	{ "lower_time_ns",  "bound",       COLUMN_NS,    AT(lower_time_ns), true },
};
/* clang-format on */

uint64_t sim_field_value(const struct sim_result *result, const struct sim_field *field)
{
	return *(const uint64_t *)((const char *)result + field->offset);
}

bool sim_field_is_known(const struct sim_result *result, const struct sim_field *field)
{
	return !result->error && (!field->of_bound || result->has_bound);
}

double sim_slowdown(const struct sim_result *result)
{
	return result->all_fast_ns ? (double)result->time_ns / (double)result->all_fast_ns : 1;
}
