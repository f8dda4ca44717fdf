/* SPDX-License-Identifier: MIT */
/*
 * What the benches share: clocks, and one form for every figure.
 *
 *     report, damo record of 1,000,000 regions: wall time             0.41 s   (at most 0.5 s) PASS
 *     '---------------------- name ----------------------'           value     '--- limit --'
 *
 * A figure without a limit ends after its value. A remark stands below its figure, indented.
 */
#ifndef BERTH_BENCH_H
#define BERTH_BENCH_H

#include "base/types.h"

/* Seconds: of the clock on the wall, and of the processor in all threads of this process. */
double bench_wall_s(void);
double bench_cpu_s(void);

enum bench_limit { BENCH_AT_MOST, BENCH_AT_LEAST };

/* Prints a figure beside its limit; whether it is met. `unit` follows the number as it is. */
bool bench_judge(const char *name, double value, const char *unit, enum bench_limit kind,
		 double limit);
/* A figure that nothing was promised of. */
void bench_tell(const char *name, double value, const char *unit);
/* For figures on the wall's clock: says so when other programs have the processors. */
void bench_remark_if_busy(void);
void bench_remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
