/* SPDX-License-Identifier: MIT */
/*
 * damo's layout byte for byte: json.dumps(..., indent=4) through zlib at its default level
 * (write_json_compressed in its _damo_records.py). Addresses, times and ages are text, samples are
 * numbers. A program of two areas: every eleventh region is always hot, and a wave of heat passes
 * through the others, so that the heatmap and the curve have something to show.
 */
#include "damo_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/printbuf.h"
#include "base/random.h"

struct output {
	FILE *file;
	z_stream zlib;
	struct printbuf text;
	uint64_t nr_bytes; /* of text, so far */
	bool is_indented;
	bool is_after_comma;
};

static void flush(struct output *output, bool is_last)
{
	static unsigned char chunk[1 << 16];
	z_stream *zlib = &output->zlib;
	output->nr_bytes += output->text.pos;
	zlib->next_in = (unsigned char *)output->text.buf;
	zlib->avail_in = (unsigned)output->text.pos;
	do {
		zlib->next_out = chunk;
		zlib->avail_out = sizeof(chunk);
		deflate(zlib, is_last ? Z_FINISH : Z_NO_FLUSH);
		fwrite(chunk, 1, sizeof(chunk) - zlib->avail_out, output->file);
	} while (zlib->avail_out == 0);
	printbuf_reset(&output->text);
}

/* One line at its depth. On one line, a blank stands for the newline after a comma. */
static void __attribute__((format(printf, 3, 4)))
line(struct output *output, unsigned depth, const char *format, ...)
{
	struct printbuf *text = &output->text;
	va_list arguments;
	if (output->is_indented) {
		prt_char(text, '\n');
		for (unsigned i = 0; i < 4 * depth; i++)
			prt_char(text, ' ');
	} else if (output->is_after_comma) {
		prt_char(text, ' ');
	}
	va_start(arguments, format);
	prt_vprintf(text, format, arguments);
	va_end(arguments);
	output->is_after_comma = text->buf[text->pos - 1] == ',';
}

static void put_region(struct output *output, uint64_t start, uint64_t end, unsigned samples,
		       unsigned age, bool is_last)
{
	line(output, 5, "{");
	line(output, 6, "\"start\": \"%llu\",", (unsigned long long)start);
	line(output, 6, "\"end\": \"%llu\",", (unsigned long long)end);
	line(output, 6, "\"nr_accesses\": {");
	line(output, 7, "\"samples\": %u,", samples);
	line(output, 7, "\"percent\": null");
	line(output, 6, "},");
	line(output, 6, "\"age\": {");
	line(output, 7, "\"usec\": null,");
	line(output, 7, "\"aggr_intervals\": \"%u\"", age);
	line(output, 6, "},");
	line(output, 6, "\"sz_filter_passed\": \"0\"");
	line(output, 5, is_last ? "}" : "},");
}

static void put_snapshot(struct output *output, struct random *random, unsigned number)
{
	uint64_t start = 94827419009024 + number * UINT64_C(100000000), address = 0x55d000000000;
	line(output, 3, "{");
	line(output, 4, "\"start_time\": \"%llu\",", (unsigned long long)start);
	line(output, 4, "\"end_time\": \"%llu\",", (unsigned long long)start + 100000000);
	line(output, 4, "\"regions\": [");
	for (unsigned i = 0; i < DAMO_RECORD_REGIONS; i++) {
		if (i == DAMO_RECORD_REGIONS / 2)
			address = 0x7f0000000000;
		uint64_t end = address + 4096 * (1 + random_below(random, 4000));
		bool is_hot = i % 37 == number / 60 || i % 11 == 0;
		put_region(output, address, end, is_hot ? (unsigned)random_below(random, 21) : 0,
			   (unsigned)random_below(random, 300), i + 1 == DAMO_RECORD_REGIONS);
		address = end;
	}
	line(output, 4, "],");
	line(output, 4, "\"total_bytes\": null");
	line(output, 3, number + 1 < DAMO_RECORD_SNAPSHOTS ? "}," : "}");
	flush(output, false);
}

static void put_head(struct output *output)
{
	prt_char(&output->text, '[');
	line(output, 1, "{");
	line(output, 2, "\"kdamond_idx\": 0,");
	line(output, 2, "\"context_idx\": 0,");
	line(output, 2, "\"intervals\": {");
	line(output, 3, "\"sample_us\": \"5000\",");
	line(output, 3, "\"aggr_us\": \"100000\",");
	line(output, 3, "\"ops_update_us\": \"1000000\"");
	line(output, 2, "},");
	line(output, 2, "\"scheme_idx\": null,");
	line(output, 2, "\"target_id\": 0,");
	line(output, 2, "\"snapshots\": [");
}

uint64_t damo_record_write(const char *path, bool is_indented)
{
	struct output output = { .file = fopen(path, "w"),
				 .is_indented = is_indented,
				 .text = PRINTBUF_HEAP };
	struct random random;
	if (!output.file || deflateInit(&output.zlib, Z_DEFAULT_COMPRESSION) != Z_OK) {
		perror(path);
		exit(1);
	}
	random_init(&random, 1);
	put_head(&output);
	for (unsigned i = 0; i < DAMO_RECORD_SNAPSHOTS; i++)
		put_snapshot(&output, &random, i);
	line(&output, 2, "]");
	line(&output, 1, "}");
	line(&output, 0, "]");
	flush(&output, true);
	deflateEnd(&output.zlib);
	printbuf_fini(&output.text);
	if (ferror(output.file) || fclose(output.file)) {
		perror(path);
		exit(1);
	}
	return output.nr_bytes;
}
