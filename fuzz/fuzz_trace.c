/* SPDX-License-Identifier: MIT */
/*
 * The reader of recordings, on any bytes.
 *
 * Random changes never get past a checksum, so the sums are put right first: in the head, in each
 * frame that can be reached by its length, and in the trailer. One byte behind the input chooses
 * what is asked: all kinds or some, a seek.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_sum(uint8_t *at, uint32_t sum)
{
	memcpy(at, &sum, sizeof(sum));
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static void mend(uint8_t *bytes, size_t size)
{
	size_t at = HEAD_BYTES;
	if (size < HEAD_BYTES)
		return;
	put_sum(bytes + 12, checksum_of(bytes, 12));
	while (size - at >= FRAME_HEADER_BYTES) {
		uint64_t stored = get_u64(bytes + at + 24);
		if (stored > size - at - FRAME_HEADER_BYTES)
			break;
		put_sum(bytes + at + 72, checksum_of(bytes + at + FRAME_HEADER_BYTES, stored));
		put_sum(bytes + at + 76, checksum_of(bytes + at, 76));
		at += FRAME_HEADER_BYTES + stored;
	}
	if (size - at == TRAILER_BYTES)
		put_sum(bytes + size - 4, checksum_of(bytes + size - TRAILER_BYTES, 36));
}

static uint64_t sum_of(const struct trace_batch *batch)
{
	uint64_t sum = batch->space;
	for (uint32_t i = 0; i < batch->nr; i++) {
		if (batch->kind == TRACE_MAPPINGS)
			sum += strlen(batch->mappings[i].name) + batch->mappings[i].nr_pages;
		else
			sum += batch->time_ns[i] ^ batch->page[i];
		sum += batch->flags ? batch->flags[i] : 0;
		sum += batch->thread ? batch->thread[i] : 0;
		sum += batch->hits ? batch->hits[i] ^ batch->checks[i] ^ batch->window_ns[i] : 0;
		sum += batch->loads ? batch->loads[i] ^ batch->stores[i] : 0;
		sum += batch->blocked_ns ? batch->blocked_ns[i] : 0;
		sum += batch->node ? batch->node[i] : 0;
	}
	return sum;
}

static volatile uint64_t all_read;

static void read_all(struct trace_reader *reader, struct printbuf *err)
{
	const struct trace_batch *batch;
	uint64_t last_ns = 0;
	while (trace_next(reader, &batch, err) == 1) {
		uint64_t first_ns = batch->kind == TRACE_MAPPINGS ? batch->mappings[0].time_ns
								  : batch->time_ns[0];
		if (batch->nr == 0 || batch->nr > TRACE_BATCH_EVENTS || first_ns < last_ns ||
		    batch->space >= trace_info(reader)->nr_spaces)
			abort();
		last_ns = first_ns;
		all_read += sum_of(batch);
	}
}

static void read_file(const char *path, uint8_t choice)
{
	struct trace_open_options options = { .kinds = choice & 31,
					      .ns_per_ktick = choice & 32 ? 1000 : 0 };
	struct trace_reader *reader = NULL;
	PRINTBUF(err);
	if (trace_open(path, &options, &reader, &err))
		return;
	read_all(reader, &err);
	if (choice & 64 && trace_seek(reader, trace_info(reader)->duration_ns / 2, &err) == 0)
		read_all(reader, &err);
	trace_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	uint8_t choice = size ? data[size - 1] : 0;
	uint8_t *copy = malloc(size + 1);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (copy && fd >= 0) {
		size_t nr = size ? size - 1 : 0;
		memcpy(copy, data, nr);
		mend(copy, nr);
		if (write(fd, copy, nr) == (ssize_t)nr) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			read_file(path, choice);
		}
	}
	if (fd >= 0)
		close(fd);
	free(copy);
	return 0;
}
