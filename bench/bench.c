/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double clock_s(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

double bench_wall_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

double bench_cpu_s(void)
{
	return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

/* Three digits where it matters. */
static void print_value(const char *name, double value, const char *unit)
{
	int digits = value < 1 ? 3 : value < 100 ? 2 : 0;
	printf("%-64s %8.*f%s", name, digits, value, unit);
}

bool bench_judge(const char *name, double value, const char *unit, enum bench_limit kind,
		 double limit)
{
	bool is_met = kind == BENCH_AT_MOST ? value <= limit : value >= limit;
	print_value(name, value, unit);
	printf("  (%s %g%s)  %s\n", kind == BENCH_AT_MOST ? "at most" : "at least", limit, unit,
	       is_met ? "PASS" : "FAIL");
	fflush(stdout);
	return is_met;
}

void bench_tell(const char *name, double value, const char *unit)
{
	print_value(name, value, unit);
	printf("\n");
	fflush(stdout);
}

void bench_remark(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	printf("    ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	fflush(stdout);
}

void bench_remark_if_busy(void)
{
	double load;
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	/* One for the bench itself. */
	if (getloadavg(&load, 1) == 1 && load > 1.5)
		bench_remark("the machine is busy (load %.1f on %ld CPUs): on a quiet one the wall "
			     "shows less",
			     load, nr_cpus);
}
