/* SPDX-License-Identifier: MIT */
/*
 * How fast files of other tools are read: a damo record of 1,000,000 regions (damo_record.c), as
 * damo writes it and on one line, and lackey text. The files are made up on the spot. Nothing is
 * promised of these: what is promised is the time of a report (bench_report.c), and the import's
 * share of it is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "base/printbuf.h"
#include "base/random.h"
#include "bench.h"
#include "damo_record.h"
#include "trace/trace.h"

#define NR_LINES       3000000
#define NR_ROUNDS      5
#define REPORT_LIMIT_S 0.5

enum framing { PLAIN = 0, GZIP = 15 + 16 }; /* as zlib numbers them */

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

/* One whole reading; the count keeps the compiler and the importer honest. */
static uint64_t read_once(const char *path)
{
	struct trace_reader *reader;
	const struct trace_batch *batch;
	uint64_t nr = 0;
	PRINTBUF(err);
	if (trace_open(path, NULL, &reader, &err)) {
		fprintf(stderr, "%s\n", printbuf_str(&err));
		exit(1);
	}
	while (trace_next(reader, &batch, &err) > 0)
		nr += batch->nr;
	trace_close(reader);
	return nr;
}

struct times {
	double wall_s, cpu_s;
};

static struct times read_best(const char *path, uint64_t *ret_nr)
{
	struct times best = { 1e9, 1e9 };
	for (unsigned i = 0; i < NR_ROUNDS; i++) {
		double wall_s = bench_wall_s(), cpu_s = bench_cpu_s();
		*ret_nr = read_once(path);
		cpu_s = bench_cpu_s() - cpu_s;
		wall_s = bench_wall_s() - wall_s;
		best = (struct times){ MIN(best.wall_s, wall_s), MIN(best.cpu_s, cpu_s) };
	}
	return best;
}

static void bench_damo(const char *path, bool is_indented)
{
	uint64_t nr_bytes = damo_record_write(path, is_indented);
	uint64_t nr;
	struct times best = read_best(path, &nr);
	if (nr != DAMO_RECORD_SNAPSHOTS * DAMO_RECORD_REGIONS) {
		fprintf(stderr, "bench_import: %llu regions are missing\n",
			DAMO_RECORD_SNAPSHOTS * DAMO_RECORD_REGIONS - (unsigned long long)nr);
		exit(1);
	}
	bench_tell(is_indented ? "import, damo record of 1,000,000 regions, as damo writes it"
			       : "import, damo record of 1,000,000 regions, on one line",
		   best.wall_s, " s");
	bench_remark("%.0f %% of the %.1f s that a report may take; CPU time %.3f s, %.0f MB of "
		     "JSON",
		     best.wall_s / REPORT_LIMIT_S * 100, REPORT_LIMIT_S, best.cpu_s,
		     (double)nr_bytes / 1e6);
}

static void bench_lackey(const char *path, bool compressed)
{
	make_lackey(path, compressed);
	uint64_t nr;
	struct times best = read_best(path, &nr);
	bench_tell(compressed ? "import, lackey text, gzip, two passes"
			      : "import, lackey text, two passes",
		   (double)nr / best.wall_s * 1e-6, " M events/s");
}

static double peak_mb(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024 / 1e6;
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
	bench_damo(path, true);
	bench_damo(path, false);
	bench_lackey(path, false);
	bench_lackey(path, true);
	unlink(path);
	bench_tell("import: peak memory of all these", peak_mb(), " MB");
	bench_remark_if_busy();
	return 0;
}
