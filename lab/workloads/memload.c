/* SPDX-License-Identifier: MIT */
/*
 * Loads a memcached or redis server on loopback: fills it, then gets and sets by Zipf-distributed
 * popularity, in batches of --depth requests, so that the server's memory is what is felt and not
 * only the way to it. Each key's value follows from the key, and every answer is compared with it.
 *
 * The popular keys are scattered over the order of their filling. Misses (a cache may drop keys)
 * are counted and must stay below one in a hundred.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/wire.h"
#include "lab/workloads/common/work.h"
#include "lab/workloads/common/zipf.h"

#define MAX_DEPTH 64
#define MAX_VALUE 1024

struct request {
	uint64_t key;
	bool is_set;
};

struct load {
	struct pace pace;
	const char *protocol;
	bool is_redis;
	uint64_t port, nr_keys, value_bytes, depth, seed;
	double theta, share_set;
	struct wire wire;
	struct scatter scatter;
	struct zipf zipf;
	uint64_t nr_gets, nr_misses;
};

static struct load load = { .protocol = "memcached",
			    .port = 11211,
			    .nr_keys = 400000,
			    .value_bytes = 512,
			    .depth = 32,
			    .seed = 1,
			    .theta = 0.99,
			    .share_set = 0.1 };

static const struct work_option options[] = {
	{ "protocol", WORK_TEXT, &load.protocol, 0, 0, "memcached or redis" },
	{ "port", WORK_COUNT, &load.port, 1, 65535, "of the server, at 127.0.0.1" },
	{ "keys", WORK_COUNT, &load.nr_keys, 1, 1 << 30, "keys to fill it with" },
	{ "value", WORK_SIZE, &load.value_bytes, 16, MAX_VALUE, "bytes of a value" },
	{ "depth", WORK_COUNT, &load.depth, 1, MAX_DEPTH, "requests sent before answers are read" },
	{ "theta", WORK_NUMBER, &load.theta, 0, 10, "skew: 0 even, 0.99 customary" },
	{ "share-set", WORK_SHARE, &load.share_set, 0, 1, "share of sets; the rest gets" },
	PACE_OPTIONS(&load.pace),
	{ "seed", WORK_COUNT, &load.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

/* The key's hash in hexadecimal, over and over. */
static void make_value(const struct load *l, uint64_t key, char *value)
{
	char word[17];

	snprintf(word, sizeof(word), "%016llx", (unsigned long long)random_hash(key));
	for (uint64_t at = 0; at < l->value_bytes; at++)
		value[at] = word[at % 16];
}

static void send_request(struct load *l, const struct request *request)
{
	struct wire *wire = &l->wire;
	unsigned long long key = request->key, bytes = l->value_bytes;
	char value[MAX_VALUE];

	if (request->is_set)
		make_value(l, request->key, value);
	if (l->is_redis && request->is_set)
		wire_print(wire, "*3\r\n$3\r\nSET\r\n$14\r\nkey:%010llu\r\n$%llu\r\n", key, bytes);
	else if (l->is_redis)
		wire_print(wire, "*2\r\n$3\r\nGET\r\n$14\r\nkey:%010llu\r\n", key);
	else if (request->is_set)
		wire_print(wire, "set key:%010llu 0 0 %llu\r\n", key, bytes);
	else
		wire_print(wire, "get key:%010llu\r\n", key);
	if (request->is_set) {
		wire_put(wire, value, bytes);
		wire_put(wire, "\r\n", 2);
	}
}

static const char *next_line(struct load *l)
{
	const char *line = wire_line(&l->wire);

	if (!line)
		work_fail(1, "the server has closed the connection");
	return line;
}

/* The length of the value that follows; -1: a miss. */
static long value_length(struct load *l)
{
	const char *line = next_line(l);
	const char *last = strrchr(line, ' ');

	if (l->is_redis && line[0] == '$')
		return atol(line + 1);
	if (!l->is_redis && strcmp(line, "END") == 0)
		return -1;
	if (!l->is_redis && strncmp(line, "VALUE ", 6) == 0 && last)
		return atol(last + 1);
	work_fail(1, "the server answered a get with: %.80s", line);
}

static void read_answer(struct load *l, const struct request *request)
{
	char value[MAX_VALUE];
	long length;

	if (request->is_set) {
		const char *line = next_line(l);

		work_check(strcmp(line, l->is_redis ? "+OK" : "STORED") == 0,
			   "the server answered a set with: %.80s", line);
		return;
	}
	l->nr_gets++;
	length = value_length(l);
	if (length < 0) {
		l->nr_misses++;
		return;
	}
	make_value(l, request->key, value);
	work_check((uint64_t)length == l->value_bytes &&
			   memcmp(wire_bytes(&l->wire, l->value_bytes + 2), value,
				  l->value_bytes) == 0,
		   "key %llu has another's value", (unsigned long long)request->key);
	if (!l->is_redis)
		work_check(strcmp(next_line(l), "END") == 0, "a get's answer has no end");
}

static void do_batch(struct load *l, const struct request *requests, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		send_request(l, &requests[i]);
	wire_flush(&l->wire);
	for (uint64_t i = 0; i < nr; i++)
		read_answer(l, &requests[i]);
}

static void fill(struct load *l)
{
	struct request requests[MAX_DEPTH];
	uint64_t nr;

	for (uint64_t key = 0; key < l->nr_keys; key += nr) {
		nr = l->nr_keys - key < MAX_DEPTH ? l->nr_keys - key : MAX_DEPTH;
		for (uint64_t i = 0; i < nr; i++)
			requests[i] = (struct request){ key + i, true };
		do_batch(l, requests, nr);
	}
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct load *l = argument;
	uint64_t state = random_seed(l->seed, thread), nr;
	uint32_t share = (uint32_t)(l->share_set * 65536);
	struct request requests[MAX_DEPTH];

	while ((nr = pace_next(pace, thread))) {
		for (uint64_t i = 0; i < nr; i++) {
			uint64_t bits = random_next(&state);

			requests[i].key = scatter_at(&l->scatter, zipf_draw(&l->zipf, bits));
			requests[i].is_set = (uint32_t)(random_hash(bits) & 0xffff) < share;
		}
		do_batch(l, requests, nr);
	}
}

int main(int argc, char **argv)
{
	struct load *l = &load;

	work_begin("memload", "Fills a memcached or redis server on loopback, then gets and sets.",
		   options, argc, argv);
	l->is_redis = strcmp(l->protocol, "redis") == 0;
	if (!l->is_redis && strcmp(l->protocol, "memcached") != 0)
		work_fail(2, "--protocol %s: memcached and redis are known", l->protocol);
	pace_default(&l->pace, 300000);
	l->pace.lot = (uint32_t)l->depth;
	scatter_init(&l->scatter, l->nr_keys);
	zipf_init(&l->zipf, l->nr_keys, l->theta);
	wire_open(&l->wire, (uint16_t)l->port, 30000000000);
	work_phase(WORK_PHASE_BUILD);
	fill(l);
	pace_run(&l->pace, work, l);
	wire_close(&l->wire);
	work_phase(WORK_PHASE_OUTSIDE);
	work_check(l->nr_misses * 100 <= l->nr_gets,
		   "%llu of %llu gets missed: the server drops keys",
		   (unsigned long long)l->nr_misses, (unsigned long long)l->nr_gets);
	work_also("run", (double)l->pace.passed_ns / 1e9, "s", false);
	work_also("misses", (double)l->nr_misses, "gets", false);
	work_result("throughput", pace_mops(&l->pace) * 1e6, "op/s", true);
	return 0;
}
