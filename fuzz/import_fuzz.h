/* SPDX-License-Identifier: MIT */
/* One importer over any bytes: it may refuse them, but what it gives must keep the contract. */
#ifndef BERTH_FUZZ_IMPORT_FUZZ_H
#define BERTH_FUZZ_IMPORT_FUZZ_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/import.h"
#include "trace/info.h"

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_samples(const struct trace_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		must(batch->nr_pages[i] > 0 && batch->nr_pages[i] <= (uint64_t)1 << 52);
		must(batch->page[i] + batch->nr_pages[i] <= (uint64_t)1 << 52);
		must(batch->checks[i] > 0 || !batch->hits[i]);
		must(batch->hits[i] <= batch->checks[i]);
	}
}

static void check_batches(const struct trace_import *import, void *importer,
			  const struct trace_info *info)
{
	const struct trace_batch *batch;
	uint64_t nr_events = 0, last_ns = 0;
	int status;
	while ((status = import->next(importer, &batch, NULL)) > 0) {
		must(batch->nr > 0 && batch->nr <= TRACE_BATCH_EVENTS);
		must(batch->space < info->nr_spaces);
		must(batch->kind == TRACE_ACCESSES || batch->kind == TRACE_SAMPLES);
		for (uint32_t i = 0; i < batch->nr; i++) {
			must(batch->time_ns[i] >= last_ns);
			last_ns = batch->time_ns[i];
		}
		if (batch->kind == TRACE_SAMPLES)
			check_samples(batch);
		nr_events += batch->nr;
	}
	must(status == 0);
	must(last_ns <= info->duration_ns);
	must(nr_events == info->nr_events[TRACE_ACCESSES] + info->nr_events[TRACE_SAMPLES]);
}

static int fuzz_import(const struct trace_import *import, const uint8_t *data, size_t size)
{
	struct trace_info info;
	void *importer = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	int certainty = import->recognise(data, size < 4096 ? size : 4096);
	must(certainty >= 0 && certainty <= 100);
	PRINTBUF(err);
	trace_info_init(&info);
	if (import->open(fd, "file", NULL, &importer, &info, &err)) {
		must(err.pos > 0);
	} else {
		check_batches(import, importer, &info);
		import->close(importer);
	}
	trace_info_fini(&info);
	return 0;
}

#endif
