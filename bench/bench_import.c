/* SPDX-License-Identifier: MIT */
/*
 * How fast files of other tools are read: a damo record of 1,000,000 regions (2,000 snapshots of
 * 500), as damo writes it and on one line, and lackey text. The files are made up on the spot.
 * Yardstick for damo's records: damo 3.3 itself, which takes 11 s and 1.33 GB for its heatmap of
 * such a file; the import shall take 0.3 s of the half second that a report may.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/printbuf.h"
#include "base/random.h"
#include "trace/trace.h"

#define NR_SNAPSHOTS   2000
#define NR_REGIONS     500
#define NR_LINES       3000000
#define DAMO_LIMIT_S   0.3
#define MEMORY_LIMIT_K (64 * 1024)
#define NR_ROUNDS      3

static double now_s(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

enum framing { PLAIN = 0, ZLIB = 15, GZIP = 15 + 16 }; /* as zlib numbers them */

struct output {
	FILE *file;
	z_stream zlib;
	enum framing framing;
};

static void output_begin(struct output *output, const char *path, enum framing framing)
{
	*output = (struct output){ .file = fopen(path, "wb"), .framing = framing };
	if (!output->file || (framing && deflateInit2(&output->zlib, 6, Z_DEFLATED, (int)framing, 8,
						      Z_DEFAULT_STRATEGY) != Z_OK))
		exit(1);
}

/* Writes the text and empties it. */
static void output_text(struct output *output, struct printbuf *text, bool is_last)
{
	static uint8_t block[65536];
	if (!output->framing)
		fwrite(text->buf, 1, text->pos, output->file);
	output->zlib.next_in = (Bytef *)text->buf;
	output->zlib.avail_in = (uInt)text->pos;
	do {
		output->zlib.next_out = block;
		output->zlib.avail_out = sizeof(block);
		if (output->framing)
			deflate(&output->zlib, is_last ? Z_FINISH : Z_NO_FLUSH);
		fwrite(block, 1, sizeof(block) - output->zlib.avail_out, output->file);
	} while (!output->zlib.avail_out);
	printbuf_reset(text);
	if (!is_last)
		return;
	deflateEnd(&output->zlib);
	if (ferror(output->file) || fclose(output->file))
		exit(1);
}

static void put_region(struct printbuf *out, struct random *random, uint64_t *address,
		       const char *newline, bool is_last)
{
	uint64_t nr_bytes = (1 + random_below(random, 4000)) * 4096;
	uint64_t samples = random_below(random, 3) ? 0 : random_below(random, 21);
	prt_printf(out,
		   "{%s\"start\": \"%llu\",%s\"end\": \"%llu\",%s\"nr_accesses\": {%s    "
		   "\"samples\": %llu,%s    \"percent\": null%s},%s\"age\": {%s    \"usec\": null,"
		   "%s    \"aggr_intervals\": \"%llu\"%s},%s\"sz_filter_passed\": \"0\"%s}%s%s",
		   newline, (unsigned long long)*address, newline,
		   (unsigned long long)(*address + nr_bytes), newline, newline,
		   (unsigned long long)samples, newline, newline, newline, newline, newline,
		   (unsigned long long)random_below(random, 300), newline, newline, newline,
		   is_last ? "" : ",", newline);
	*address += nr_bytes;
}

static void make_damo(const char *path, bool indented)
{
	const char *newline = indented ? "\n                        " : " ";
	struct random random;
	random_init(&random, 1);
	PRINTBUF(text);
	struct output output;
	output_begin(&output, path, ZLIB);
	prt_str(&text, "[{\"kdamond_idx\": 0, \"context_idx\": 0, \"intervals\": {\"sample_us\": "
		       "\"5000\", \"aggr_us\": \"100000\", \"ops_update_us\": \"1000000\"}, "
		       "\"scheme_idx\": null, \"target_id\": 0, \"snapshots\": [");
	for (uint64_t i = 0; i < NR_SNAPSHOTS; i++) {
		uint64_t start = 1000000000000 + i * 100000000, address = 94827419009024;
		prt_printf(&text,
			   "%s{\"start_time\": \"%llu\", \"end_time\": \"%llu\", \"regions\": [",
			   i ? ", " : "", (unsigned long long)start,
			   (unsigned long long)(start + 100000000));
		for (unsigned k = 0; k < NR_REGIONS; k++)
			put_region(&text, &random, &address, newline, k + 1 == NR_REGIONS);
		prt_str(&text, "], \"total_bytes\": null}");
		output_text(&output, &text, false);
	}
	prt_str(&text, "]}]");
	output_text(&output, &text, true);
}

static void make_lackey(const char *path, bool compressed)
{
	struct random random;
	random_init(&random, 1);
	PRINTBUF(text);
	struct output output;
	output_begin(&output, path, compressed ? GZIP : PLAIN);
	for (unsigned i = 0; i < NR_LINES; i++) {
		unsigned kind = (unsigned)random_below(&random, 4);
		prt_str(&text, kind < 2 ? "I  0" : kind == 2 ? " L 1f" : " S 1f");
		prt_hex(&text, 0x4000000 + random_below(&random, 1 << 24));
		prt_str(&text, kind < 2 ? ",3\n" : ",8\n");
		if (text.pos > 60000)
			output_text(&output, &text, false);
	}
	output_text(&output, &text, true);
}

static double cpu_s(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Seconds for one whole reading; the sums keep the compiler and the importer honest. */
static double read_once(const char *path, uint64_t *ret_nr, double *ret_open_s)
{
	double start = now_s();
	struct trace_reader *reader;
	const struct trace_batch *batch;
	PRINTBUF(err);
	if (trace_open(path, NULL, &reader, &err)) {
		fprintf(stderr, "%s\n", printbuf_str(&err));
		exit(1);
	}
	*ret_open_s = now_s() - start;
	*ret_nr = 0;
	while (trace_next(reader, &batch, &err) > 0)
		*ret_nr += batch->nr;
	trace_close(reader);
	return now_s() - start;
}

static double read_best(const char *path, uint64_t *ret_nr, double *ret_open_s)
{
	double best = 1e9, open_s;
	for (unsigned i = 0; i < NR_ROUNDS; i++) {
		double seconds = read_once(path, ret_nr, &open_s);
		*ret_open_s = seconds < best ? open_s : *ret_open_s;
		best = seconds < best ? seconds : best;
	}
	return best;
}

static long peak_kib(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static int bench_damo(const char *path, bool indented)
{
	uint64_t nr;
	double open_s;
	make_damo(path, indented);
	double before_s = cpu_s();
	double seconds = read_best(path, &nr, &open_s);
	double mean_cpu_s = (cpu_s() - before_s) / NR_ROUNDS;
	bool ok = seconds < DAMO_LIMIT_S && peak_kib() < MEMORY_LIMIT_K && nr == 1000000;
	printf("import of a damo record, %llu regions, %s: %.3f s (%.3f s of CPU), peak %.1f MiB; "
	       "limit 0.3 s, 64 MiB; damo 3.3: 11 s, 1.33 GB  %s\n",
	       (unsigned long long)nr, indented ? "indented" : "on one line", seconds, mean_cpu_s,
	       (double)peak_kib() / 1024, ok ? "PASS" : "FAIL");
	return !ok;
}

static void bench_lackey(const char *path, bool compressed)
{
	uint64_t nr;
	double open_s;
	make_lackey(path, compressed);
	double seconds = read_best(path, &nr, &open_s);
	printf("import of lackey text, %s: %.1f M events/s in two passes, peak %.1f MiB\n",
	       compressed ? "gzip" : "plain", (double)nr / seconds * 1e-6,
	       (double)peak_kib() / 1024);
}

int main(void)
{
	char path[] = "/tmp/berth-bench-import-XXXXXX";
	int fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	int failed = bench_damo(path, true);
	failed |= bench_damo(path, false);
	bench_lackey(path, false);
	bench_lackey(path, true);
	unlink(path);
	return failed;
}
