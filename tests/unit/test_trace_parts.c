/* SPDX-License-Identifier: MIT */
/* The parts of the format: checksums against published values, columns of every width, blocks with
 * pages anywhere. */
#include "test.h"

#include "base/random.h"
#include "trace/block.h"

static void test_checksum_is_xxh64(void **state)
{
	struct checksum checksum;
	uint8_t bytes[1000];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	assert_int_equal(checksum_of("", 0), 0x51d8e999);
	assert_int_equal(checksum_of("abc", 3), 0xad770999);
	for (size_t cut = 0; cut < sizeof(bytes); cut += 32) {
		checksum_init(&checksum);
		checksum_add(&checksum, bytes, cut);
		assert_int_equal(checksum_end(&checksum, bytes + cut, sizeof(bytes) - cut),
				 checksum_of(bytes, sizeof(bytes)));
	}
}

struct buffers {
	struct column_sink sink;
	uint64_t *values, *read;
};

static struct buffers buffers_new(void)
{
	return (struct buffers){
		.sink = { .head = malloc(BLOCK_HEAD_MAX), .planes = malloc(BLOCK_PLANES_MAX) },
		.values = calloc(TRACE_BLOCK_EVENTS, sizeof(uint64_t)),
		.read = calloc(TRACE_BLOCK_EVENTS, sizeof(uint64_t)),
	};
}

static void buffers_free(struct buffers *buffers)
{
	free(buffers->sink.head);
	free(buffers->sink.planes);
	free(buffers->values);
	free(buffers->read);
}

static void check_column(struct buffers *buffers, uint32_t n, uint32_t step)
{
	struct column_sink *sink = &buffers->sink;
	struct trace_column column;
	sink->nr_head_bytes = sink->nr_plane_bytes = 0;
	sink->nr_planes = 0;
	column_encode(sink, buffers->values, n);
	assert_true(sink->nr_head_bytes <= COLUMN_MAX_HEAD_BYTES(n));
	struct column_source source = { sink->head, sink->head + sink->nr_head_bytes, sink->planes,
					sink->planes + sink->nr_plane_bytes };
	assert_int_equal(column_open(&column, &source, n), 0);
	assert_ptr_equal(source.head, source.head_end);
	assert_ptr_equal(source.planes, source.planes_end);
	for (uint32_t i = 0; i < n; i += step)
		column_next(&column, buffers->read + i, MIN(step, n - i));
	assert_memory_equal(buffers->read, buffers->values, n * sizeof(uint64_t));
	source = (struct column_source){ sink->head, sink->head + sink->nr_head_bytes - 1,
					 sink->planes, sink->planes + sink->nr_plane_bytes };
	assert_int_equal(column_open(&column, &source, n), -EBADMSG);
}

static void test_columns_of_every_width_come_back(void **state)
{
	struct buffers buffers = buffers_new();
	struct random random;
	random_init(&random, 9);
	for (unsigned round = 0; round < 600; round++) {
		uint32_t n = (uint32_t)random_below(&random, round % 50 ? 600 : 65536) + 1;
		unsigned bits = (unsigned)random_below(&random, 65);
		uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
		uint64_t rare = random_below(&random, 200) + 1;
		for (uint32_t i = 0; i < n; i++)
			buffers.values[i] = random_u64(&random) &
					    (random_below(&random, rare) ? mask : UINT64_MAX);
		check_column(&buffers, n, (uint32_t)random_below(&random, n) + 1);
	}
	buffers_free(&buffers);
}

/* Exceptions out of order would be written before the chunk; behind the end, after it. */
static void test_positions_of_exceptions_must_rise(void **state)
{
	struct buffers buffers = buffers_new();
	struct column_sink *sink = &buffers.sink;
	static const uint16_t forged[][2] = { { 9, 8 }, { 8, 8 }, { 8, 200 }, { 7, 9 } };
	for (unsigned i = 0; i < ARRAY_SIZE(forged); i++) {
		struct trace_column column;
		memset(buffers.values, 0, 200 * sizeof(uint64_t));
		buffers.values[8] = buffers.values[9] = 77;
		sink->nr_head_bytes = sink->nr_plane_bytes = 0;
		sink->nr_planes = 0;
		column_encode(sink, buffers.values, 200);
		assert_int_equal(sink->nr_head_bytes, COLUMN_HEAD_BYTES + 2 * 10);
		memcpy(sink->head + COLUMN_HEAD_BYTES, forged[i], sizeof(forged[i]));
		struct column_source source = { sink->head, sink->head + sink->nr_head_bytes,
						sink->planes, sink->planes };
		assert_int_equal(column_open(&column, &source, 200), i == 3 ? 0 : -EBADMSG);
	}
	buffers_free(&buffers);
}

static void test_pages_anywhere_come_back(void **state)
{
	enum { NR = 3000 };
	struct buffers buffers = buffers_new();
	static uint64_t ticks[NR], page[NR];
	static uint8_t flags[NR], tags[NR], raw[1 << 20];
	static uint32_t thread[NR];
	static uint64_t read_ticks[NR], read_page[NR];
	static uint8_t read_flags[NR];
	static uint32_t read_thread[NR];
	struct random random;
	random_init(&random, 11);
	for (unsigned round = 0; round < 64; round++) {
		struct block_accesses accesses = { NR, ticks, page, flags, thread };
		struct frame frame;
		struct block_decoder decoder;
		struct block_chunk chunk = { .time_ns = read_ticks,
					     .page = read_page,
					     .flags = read_flags,
					     .thread = read_thread };
		for (unsigned i = 0; i < NR; i++) {
			ticks[i] = i * round;
			page[i] = random_u64(&random) >> (random_below(&random, 20) ? round : 0);
			flags[i] = (uint8_t)random_below(&random, 32);
			thread[i] = i % 7 < round % 7;
		}
		block_encode_accesses(&buffers.sink, &frame, &accesses, buffers.values, tags);
		memcpy(raw, buffers.sink.head, buffers.sink.nr_head_bytes);
		memcpy(raw + buffers.sink.nr_head_bytes, buffers.sink.planes,
		       buffers.sink.nr_plane_bytes);
		assert_int_equal(block_decoder_open(&decoder, &frame, raw), 0);
		assert_int_equal(block_decode_accesses(&decoder, &chunk, 1000), NR);
		assert_int_equal(block_decode_accesses(&decoder, &chunk, 1000), 0);
		assert_memory_equal(read_page, page, sizeof(page));
		assert_memory_equal(read_ticks, ticks, sizeof(ticks));
		assert_memory_equal(read_flags, flags, sizeof(flags));
		if (round % 7)
			assert_memory_equal(read_thread, thread, sizeof(thread));
	}
	buffers_free(&buffers);
}
