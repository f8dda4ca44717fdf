/* SPDX-License-Identifier: MIT */
/* What `berth sim --cpu` and --scheduler name: a kind of job with its keys, and the scheduler's. */
#ifndef BERTH_SIM_CPU_WORKLOAD_H
#define BERTH_SIM_CPU_WORKLOAD_H

#include "sim/cpu/cpusim.h"

/* "KIND[:key=value,...]" as the job of that number. Without home= it prefers the CPUs of the node
 * of its number, going round; allowed are all CPUs. set_fini() preferred and allowed after. */
int cpusim_load_parse(const char *spec, const struct machine *machine, uint32_t number,
		      struct cpusim_load *ret, struct printbuf *err);
/* "key=value,..."; NULL is fine. */
int cpusim_params_parse(const char *text, struct cpusim_params *ret, struct printbuf *err);
/* All that --cpu, --scheduler and, with --cpu, -P take. */
void cpusim_list_to_text(struct printbuf *out);

#endif
