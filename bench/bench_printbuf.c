/* SPDX-License-Identifier: MIT */
/*
 * What a line costs: "nodeN: X kB\n", 50 lines a string, by typed appends into a printbuf and by
 * snprintf() into a fixed buffer. The rounds of both alternate and the fastest of each counts, so
 * that a busy machine disturbs the ratio little; CPU time is what is measured.
 */
#include <stdio.h>
#include <string.h>

#include "base/printbuf.h"
#include "bench.h"

#define LINES	50
#define STRINGS 2000
#define ROUNDS	30
#define LIMIT	3.0 /* typed appends take at most a third of snprintf's time */

static uint64_t checksum; /* of what was printed: it cannot be left out */

static uint64_t value_of(unsigned string, unsigned line)
{
	return (uint64_t)string * 7919 + line * 104729;
}

static void print_typed(struct printbuf *out)
{
	for (unsigned i = 0; i < STRINGS; i++) {
		printbuf_reset(out);
		for (unsigned line = 0; line < LINES; line++) {
			prt_str(out, "node");
			prt_u64(out, line);
			prt_str(out, ": ");
			prt_u64(out, value_of(i, line));
			prt_str(out, " kB\n");
		}
		checksum += out->pos;
	}
}

static void print_formatted(struct printbuf *out)
{
	for (unsigned i = 0; i < STRINGS; i++) {
		printbuf_reset(out);
		for (unsigned line = 0; line < LINES; line++)
			prt_printf(out, "node%u: %lu kB\n", line, (unsigned long)value_of(i, line));
		checksum += out->pos;
	}
}

static void print_snprintf(struct printbuf *out)
{
	for (unsigned i = 0; i < STRINGS; i++) {
		size_t len = 0;
		for (unsigned line = 0; line < LINES; line++)
			len += (size_t)snprintf(out->buf + len, out->size - len, "node%u: %lu kB\n",
						line, (unsigned long)value_of(i, line));
		checksum += len;
	}
}

static double ns_per_line(void (*print)(struct printbuf *), struct printbuf *out)
{
	double start = bench_cpu_s();
	print(out);
	return (bench_cpu_s() - start) * 1e9 / (STRINGS * LINES);
}

int main(void)
{
	static char storage[LINES * 64];
	double typed = 1e9, formatted = 1e9, library = 1e9;
	PRINTBUF(out);
	for (int i = 0; i < ROUNDS; i++) {
		struct printbuf fixed;
		printbuf_init_fixed(&fixed, storage, sizeof(storage), 0);
		typed = MIN(typed, ns_per_line(print_typed, &out));
		formatted = MIN(formatted, ns_per_line(print_formatted, &out));
		library = MIN(library, ns_per_line(print_snprintf, &fixed));
	}
	bool good = bench_judge("printbuf: time of snprintf / of typed appends", library / typed,
				"x", BENCH_AT_LEAST, LIMIT);
	bench_remark(
		"ns per line \"nodeN: X kB\": typed appends %.1f, prt_printf %.1f, snprintf %.1f",
		typed, formatted, library);
	return !good || checksum == 0;
}
