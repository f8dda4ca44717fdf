/* SPDX-License-Identifier: MIT */
/*
 * How fast recordings are written and read, and how large they are.
 *
 * 50 million events of a modelled program behind a 2 MiB cache: it scans arrays (a miss per line,
 * 64 to a page, at a steady pace), chases pointers in a heap of 256 MiB with the usual skew, walks
 * small structures, and now and then misses on its stack and on code of its libraries. Each miss
 * comes some hundred instructions after the last. `bench_decode random` makes every page random
 * instead: the worst that a file can hold. Times are the processor's: others may share the machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "bench.h"
#include "trace/trace.h"
#include "trace/writer.h"

#define NR_EVENTS	 50000000u
#define NR_PREPARED	 (1u << 20) /* made before the clock runs, then repeated, shifted */
#define NR_ROUNDS	 15
#define NEEDED_DECODE_MS 100.0 /* million events per second */
#define NEEDED_BYTES	 2.5

struct prepared {
	uint32_t ticks;
	uint8_t flags;
	uint64_t page;
};

/* Small numbers far more often than large ones, as heaps are used: the minimum of three. */
static uint64_t skewed(struct random *random, uint64_t bound)
{
	uint64_t a = random_below(random, bound), b = random_below(random, bound);
	uint64_t c = random_below(random, bound);
	return MIN(a, MIN(b, c));
}

static const uint64_t heap = 0x555555560, arrays = 0x7fff00000, stack = 0x7ffffffd0;
static const uint64_t code = 0x7ffff7d00;

struct program {
	struct random random;
	uint64_t scan_line;
	uint64_t phase;	   /* 0 scan, 1 chase, 2 both by turns */
	uint32_t gaps[12]; /* instructions between misses: the paths through its loops */
};

static void make_event(struct program *program, struct prepared *event)
{
	struct random *random = &program->random;
	uint64_t what = random_below(random, 100);
	event->ticks = random_below(random, 8) ? program->gaps[random_below(random, 12)]
					       : (uint32_t)random_below(random, 5000);
	event->flags = TRACE_MISS | (random_below(random, 4) ? 0 : TRACE_WRITE);
	if (what < 2) {
		event->page = stack - random_below(random, 3);
	} else if (what < 5) {
		event->page = code + skewed(random, 400);
		event->flags = TRACE_MISS | TRACE_FETCH;
	} else if (program->phase == 0 || (program->phase == 2 && what < 55)) {
		event->page = arrays + (program->scan_line++ >> 6);
		event->flags = TRACE_MISS;
		event->ticks = 88 + (uint32_t)random_below(random, 3);
	} else {
		event->page = heap + skewed(random, 65536);
	}
	if (random_below(random, 30) == 0)
		event->flags |= TRACE_TOUCH;
}

static void new_phase(struct program *program)
{
	program->phase = random_below(&program->random, 3);
	for (unsigned i = 0; i < ARRAY_SIZE(program->gaps); i++)
		program->gaps[i] = 20 + (uint32_t)random_below(&program->random, 400);
}

static struct prepared *prepare(bool all_random)
{
	struct program program = { 0 };
	struct prepared *events = malloc(NR_PREPARED * sizeof(*events));
	random_init(&program.random, 42);
	for (uint32_t i = 0; events && i < NR_PREPARED; i++) {
		if (i % 20000 == 0)
			new_phase(&program);
		make_event(&program, &events[i]);
		if (all_random)
			events[i].page = random_below(&program.random, 1 << 18);
	}
	return events;
}

static int write_file(const char *path, const struct prepared *events, double *ret_ns)
{
	struct trace_space space = { .parent = TRACE_NONE, .pid = -1, .name = (char *)"bench" };
	struct trace_info info = { .page_bytes = 4096,
				   .ns_per_ktick = TRACE_NS_PER_KTICK_DEFAULT,
				   .streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES,
				   .nr_references = TRACE_UNKNOWN,
				   .native_ns = TRACE_UNKNOWN,
				   .spaces = &space,
				   .nr_spaces = 1 };
	struct trace_appender *appender = NULL;
	int fd = -1;
	uint64_t ticks = 0;
	int error = trace_create(path, &info, &fd, NULL);
	error = error ? error : trace_appender_new(fd, 0, 4096, &appender);
	double start = bench_cpu_s();
	for (uint32_t i = 0; i < NR_EVENTS && !error; i++) {
		const struct prepared *event = &events[i % NR_PREPARED];
		ticks += event->ticks;
		error = trace_append_access(appender, ticks, event->page, event->flags, 0);
	}
	error = error ? error : trace_appender_flush(appender);
	*ret_ns = (bench_cpu_s() - start) * 1e9 / NR_EVENTS;
	trace_appender_free(appender);
	if (fd >= 0)
		close(fd);
	return error ? error : trace_finish(path, &info, NULL);
}

/* A sum of everything, so that nothing is left out. */
static int read_file(const char *path, uint64_t *ret_nr, double *ret_s)
{
	struct trace_reader *reader = NULL;
	const struct trace_batch *batch;
	uint64_t nr = 0, sum = 0;
	double start = bench_cpu_s();
	const struct trace_open_options options = { .kinds = 1 << TRACE_ACCESSES };
	int more = trace_open(path, &options, &reader, NULL);
	while (!more && (more = trace_next(reader, &batch, NULL)) == 1) {
		for (uint32_t i = 0; i < batch->nr; i++)
			sum += batch->time_ns[i] ^ batch->page[i] ^ batch->flags[i];
		nr += batch->nr;
		more = 0;
	}
	*ret_s = bench_cpu_s() - start;
	trace_close(reader);
	*ret_nr = nr + (sum == 1); /* sum is used */
	return more;
}

/* The best of many: the machine may be busy. */
static int read_best(const char *path, uint64_t *ret_nr, double *ret_s)
{
	double seconds;
	*ret_s = 1e9;
	for (int i = 0; i < NR_ROUNDS; i++) {
		if (read_file(path, ret_nr, &seconds)) {
			fprintf(stderr, "bench_decode: cannot read %s\n", path);
			return 1;
		}
		*ret_s = MIN(*ret_s, seconds);
	}
	return 0;
}

static double file_size(const char *path)
{
	struct stat status = { 0 };
	return stat(path, &status) == 0 ? (double)status.st_size : 0;
}

static int measure_file(const char *path)
{
	double seconds;
	uint64_t nr;
	if (read_best(path, &nr, &seconds))
		return 1;
	printf("decode, %s: %.0f M events/s; %.3f bytes/event, %.1f MB\n", path,
	       (double)nr / seconds / 1e6, file_size(path) / (double)nr, file_size(path) / 1e6);
	return 0;
}

static int measure(const char *path, const struct prepared *events, bool all_random)
{
	double append_ns = 0, seconds;
	uint64_t nr = 0;
	if (write_file(path, events, &append_ns)) {
		fprintf(stderr, "bench_decode: cannot write %s\n", path);
		return 1;
	}
	if (read_best(path, &nr, &seconds) || nr != NR_EVENTS)
		return 1;
	double decode = NR_EVENTS / seconds / 1e6, per_event = file_size(path) / NR_EVENTS;
	bench_tell("write, zstd included", append_ns, " ns/event");
	if (all_random) {
		bench_tell("decode, all pages random", decode, " M events/s");
		bench_tell("file, all pages random", per_event, " bytes/event");
		return 0;
	}
	bool good = bench_judge("decode, one core", decode, " M events/s", BENCH_AT_LEAST,
				NEEDED_DECODE_MS);
	good &= bench_judge("file, modelled program", per_event, " bytes/event", BENCH_AT_MOST,
			    NEEDED_BYTES);
	return !good;
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/berth-bench-XXXXXX";
	bool all_random = argc > 1 && strcmp(argv[1], "random") == 0;
	if (argc > 1 && !all_random)
		return measure_file(argv[1]);
	struct prepared *events = prepare(all_random);
	int fd = mkstemp(path);
	if (fd < 0 || !events)
		return 1;
	close(fd);
	int status = measure(path, events, all_random);
	unlink(path);
	free(events);
	return status;
}
