/* SPDX-License-Identifier: MIT */
/*
 * Chasing and streaming.
 *
 * The chase. Each line of the buffer holds the address of another; following them is one load after
 * the other, each waiting for the one before: time per step is the latency. The lines form one
 * cycle in random order, so that no prefetcher guesses the next, and no line comes back before all
 * others were visited, so that a cache smaller than the buffer keeps none of them.
 *
 *     order:   p(0) -> p(1) -> p(2) -> ... -> p(2^bits - 1) -> p(0)
 *
 * p is a mixing function that can be undone (odd multiplications, and a shift that is its own
 * inverse), so the successor of line x is p(p'(x) + 1). No table and no shuffling are needed, and
 * the lines are written in ascending order, which slow memory takes at its bandwidth rather than
 * at its latency.
 *
 * The stream. One load per line, two ascending streams of which no load waits for another: what
 * moves is whole lines, so touching one word of each measures the same as wide loads would, also
 * where an emulator makes each load expensive.
 *
 * Each figure is time over steps of some milliseconds; clocks are read between figures only.
 *
 * Source: Drepper, What Every Programmer Should Know About Memory, 3.3.2; lmbench lat_mem_rd.
 */
#include "linux/measure_run.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"

#define NR_ROUNDS     3		 /* fewer leave patterns */
#define STREAM_BLOCK  (16 * KIB) /* of each stream, between looks at the clock */
#define NR_STREAMS    2
#define CHASE_UNROLL  8
#define START_NS      (2 * NS_PER_MS)  /* for threads to come up before all begin */
#define START_MORE_NS (50 * NS_PER_US) /* for each of them */

/* Odd, so that multiplying can be undone: the golden ratio's, and those of splitmix64. */
static const uint64_t multipliers[NR_ROUNDS] = {
	0x9e3779b97f4a7c15,
	0xbf58476d1ce4e5b9,
	0x94d049bb133111eb,
};

struct shared {
	uint64_t start_ns, end_ns;
};

struct thread {
	struct measure_worker *worker;
	const struct shared *shared;
	pthread_t id;
	bool is_started;
};

/* The inverse of an odd number modulo 2^64: Newton's iteration doubles the bits that are right. */
static uint64_t inverse_of(uint64_t odd)
{
	uint64_t inverse = odd;
	for (int i = 0; i < 5; i++)
		inverse *= 2 - odd * inverse;
	return inverse;
}

/* Undoes itself: the upper half of the bits is mixed into the lower, and stays as it is. */
static uint64_t fold(uint64_t x, unsigned bits)
{
	return x ^ x >> (bits + 1) / 2;
}

struct mix {
	uint64_t mask, inverses[NR_ROUNDS];
	unsigned bits;
};

static struct mix mix_of(unsigned bits)
{
	struct mix mix = { .mask = ((uint64_t)1 << bits) - 1, .bits = bits };
	for (int i = 0; i < NR_ROUNDS; i++)
		mix.inverses[i] = inverse_of(multipliers[i]);
	return mix;
}

static uint64_t successor(const struct mix *mix, uint64_t line)
{
	uint64_t turn = line;
	for (int i = NR_ROUNDS - 1; i >= 0; i--)
		turn = fold(turn, mix->bits) * mix->inverses[i] & mix->mask;
	turn = (turn + 1) & mix->mask;
	for (int i = 0; i < NR_ROUNDS; i++)
		turn = fold(turn * multipliers[i] & mix->mask, mix->bits);
	return turn;
}

uint64_t measure_next_line(uint64_t index, unsigned bits)
{
	struct mix mix = mix_of(bits);
	return successor(&mix, index);
}

void measure_link_cycle(char *memory, size_t nr_bytes)
{
	size_t nr_lines = nr_bytes / MEASURE_LINE;
	struct mix mix = mix_of((unsigned)__builtin_ctzll(nr_lines));
	for (size_t line = 0; line < nr_lines; line++)
		*(void **)(memory + line * MEASURE_LINE) = memory +
							   successor(&mix, line) * MEASURE_LINE;
}

static char *chase(char *at, uint64_t nr_steps)
{
	for (uint64_t i = 0; i < nr_steps; i += CHASE_UNROLL) {
		for (int step = 0; step < CHASE_UNROLL; step++)
			at = *(char *volatile *)at;
	}
	return at;
}

/* Steps per figure grow until one takes long enough; what was walked meanwhile is warm-up. Who was
 * kept away until the end still takes one figure. */
static void run_chase(struct measure_worker *worker, uint64_t end_ns)
{
	uint64_t nr_steps = 64 * CHASE_UNROLL, before = clock_now_ns();
	uint64_t warm_ns = before + worker->warmup_ns;
	worker->began_ns = before;
	while ((before < end_ns || worker->nr_chunks == 0) &&
	       worker->nr_chunks < MEASURE_MAX_CHUNKS) {
		worker->memory = chase(worker->memory, nr_steps);
		uint64_t after = clock_now_ns();
		uint64_t took_ns = after - before;
		if (took_ns < worker->chunk_ns / 2)
			nr_steps *= 2;
		else if (after >= warm_ns)
			worker->chunks[worker->nr_chunks++] = (double)took_ns / (double)nr_steps;
		before = after;
	}
	worker->ended_ns = before;
}

static uint64_t sum_block(const char *const streams[NR_STREAMS], size_t nr_bytes)
{
	uint64_t sums[NR_STREAMS] = { 0 };
	for (size_t at = 0; at < nr_bytes; at += 4 * MEASURE_LINE) {
		for (int stream = 0; stream < NR_STREAMS; stream++) {
			const char *lines = streams[stream] + at;
			for (int line = 0; line < 4; line++)
				sums[stream] += *(const volatile uint64_t *)(lines +
									     line * MEASURE_LINE);
		}
	}
	return sums[0] + sums[1];
}

static void add_chunk(struct measure_worker *worker, uint64_t took_ns, uint64_t nr_bytes)
{
	if (worker->chunks && worker->nr_chunks < MEASURE_MAX_CHUNKS)
		worker->chunks[worker->nr_chunks++] = (double)took_ns * MEASURE_LINE /
						      (double)nr_bytes;
}

static void run_stream(struct measure_worker *worker, uint64_t end_ns)
{
	size_t stream_bytes = worker->nr_bytes / NR_STREAMS / STREAM_BLOCK * STREAM_BLOCK, at = 0;
	uint64_t now = clock_now_ns(), chunk_at_ns = now, chunk_bytes = 0;
	uint64_t sink = 0;
	worker->began_ns = now;
	while (now < end_ns || (worker->chunks && worker->nr_chunks == 0)) {
		const char *streams[NR_STREAMS];
		for (int i = 0; i < NR_STREAMS; i++)
			streams[i] = worker->memory + (size_t)i * stream_bytes + at;
		sink += sum_block(streams, STREAM_BLOCK);
		__asm__ volatile("" ::"r"(sink)); /* of no interest, but not to be left out */
		at = at + STREAM_BLOCK < stream_bytes ? at + STREAM_BLOCK : 0;
		chunk_bytes += NR_STREAMS * STREAM_BLOCK;
		now = clock_now_ns();
		if (now - chunk_at_ns < worker->chunk_ns)
			continue;
		if (now >= worker->began_ns + worker->warmup_ns)
			add_chunk(worker, now - chunk_at_ns, chunk_bytes);
		worker->streamed_bytes += chunk_bytes;
		chunk_bytes = 0;
		chunk_at_ns = now;
	}
	worker->streamed_bytes += chunk_bytes;
	worker->ended_ns = now;
}

static int pin(uint32_t cpu)
{
	int nr_cpus = (int)cpu + 1;
	cpu_set_t *set = CPU_ALLOC(nr_cpus);
	size_t size = CPU_ALLOC_SIZE(nr_cpus);
	if (!set)
		return -ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	int error = sched_setaffinity(0, size, set) < 0 ? -errno : 0;
	CPU_FREE(set);
	return error;
}

static void *run_worker(void *data)
{
	struct thread *thread = data;
	struct measure_worker *worker = thread->worker;
	worker->error = pin(worker->cpu);
	if (worker->error)
		return NULL;
	while (clock_now_ns() < thread->shared->start_ns)
		sched_yield();
	if (worker->kind == MEASURE_CHASE)
		run_chase(worker, thread->shared->end_ns);
	else
		run_stream(worker, thread->shared->end_ns);
	return NULL;
}

int measure_run(struct measure_worker *workers, uint32_t nr_workers, uint64_t time_ns)
{
	struct thread *threads = calloc(nr_workers, sizeof(*threads));
	int error = 0;
	if (!threads)
		return -ENOMEM;
	struct shared shared = { clock_now_ns() + START_NS + nr_workers * START_MORE_NS, 0 };
	shared.end_ns = shared.start_ns + time_ns;
	for (uint32_t i = 0; i < nr_workers; i++) {
		struct measure_worker *worker = &workers[i];
		worker->nr_chunks = 0;
		worker->streamed_bytes = worker->began_ns = worker->ended_ns = 0;
		threads[i].worker = worker;
		threads[i].shared = &shared;
		int not_started = pthread_create(&threads[i].id, NULL, run_worker, &threads[i]);
		if (not_started) /* once it runs, the error is its own to write */
			worker->error = -not_started;
		threads[i].is_started = not_started == 0;
	}
	for (uint32_t i = 0; i < nr_workers; i++) {
		if (threads[i].is_started)
			pthread_join(threads[i].id, NULL);
		if (!error)
			error = workers[i].error;
	}
	free(threads);
	return error;
}
