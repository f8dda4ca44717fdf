/* SPDX-License-Identifier: MIT */
/* `berth sim --counters`: what /proc/vmstat would show under each policy. */
#ifndef BERTH_CLI_SIM_COUNTERS_H
#define BERTH_CLI_SIM_COUNTERS_H

#include "base/table.h"
#include "sim/sim.h"

void sim_counters_to_text(struct printbuf *out, const struct sim_set *set, unsigned columns);
void sim_counters_to_csv(struct printbuf *out, const struct sim_set *set);

#endif
