/* SPDX-License-Identifier: MIT */
/*
 * How fast the streaming reader goes through a document of the kind that damo writes: objects of
 * numbers in strings. The yardstick is jansson, which builds a tree.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "bench.h"

#define NR_ITEMS 200000
#define ROUNDS	 5

/* Of jansson only this: its header and ours both have a JSON_STRING. */
struct json_t;
struct json_t *json_loadb(const char *buffer, size_t nr_bytes, size_t flags, void *error);
void json_delete(struct json_t *json);

struct source {
	const char *text;
	size_t len, at;
};

static ssize_t read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t nr = MIN(size, source->len - source->at);
	memcpy(buffer, source->text + source->at, nr);
	source->at += nr;
	return (ssize_t)nr;
}

static void make_document(struct printbuf *out)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_array_begin(&json, NULL);
	for (uint64_t i = 0; i < NR_ITEMS; i++) {
		char start[24], end[24];
		snprintf(start, sizeof(start), "%llu", 94000000000000ull + i * 40960);
		snprintf(end, sizeof(end), "%llu", 94000000000000ull + i * 40960 + 8192);
		json_object_begin(&json, NULL);
		json_str(&json, "start", start);
		json_str(&json, "end", end);
		json_u64(&json, "nr_accesses", i % 20);
		json_u64(&json, "age", i % 977);
		json_object_end(&json);
	}
	json_array_end(&json);
}

static double read_all(const struct printbuf *document, size_t *ret_nr_tokens)
{
	struct source source = { .text = printbuf_str(document), .len = document->pos };
	struct json_reader *reader = NULL;
	double start = bench_cpu_s();
	*ret_nr_tokens = 0;
	if (json_reader_new(read_source, &source, &reader) < 0)
		return 1e9;
	while (json_next(reader) > JSON_END)
		(*ret_nr_tokens)++;
	bool is_good = json_reader_errno(reader) == 0;
	json_reader_free(reader);
	return is_good ? bench_cpu_s() - start : 1e9;
}

static double read_tree(const struct printbuf *document)
{
	double start = bench_cpu_s();
	struct json_t *tree = json_loadb(printbuf_str(document), document->pos, 0, NULL);
	double seconds = bench_cpu_s() - start;
	if (tree)
		json_delete(tree);
	return tree ? seconds : 1e9;
}

int main(void)
{
	double ours = 1e9, theirs = 1e9;
	size_t nr_tokens = 0;
	PRINTBUF(document);
	make_document(&document);
	for (int i = 0; i < ROUNDS; i++) {
		ours = MIN(ours, read_all(&document, &nr_tokens));
		theirs = MIN(theirs, read_tree(&document));
	}
	double megabytes = (double)document.pos / 1e6;
	bench_tell("json reader", megabytes / ours, " MB/s");
	bench_remark("%.1f ns a token; jansson, which builds a tree: %.0f MB/s",
		     ours * 1e9 / (double)nr_tokens, megabytes / theirs);
	return ours >= 1e9;
}
