/* SPDX-License-Identifier: MIT */
/*
 * Loads a web server on loopback: a bounded number of GETs of PREFIX plus a number, by
 * Zipf-distributed popularity, one after the other over a connection that is kept as long as the
 * server keeps it. Every answer must be 200 and hold "number": NUMBER somewhere in its body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/wire.h"
#include "lab/workloads/common/work.h"
#include "lab/workloads/common/zipf.h"

#define MAX_HEADERS 100

struct load {
	struct pace pace;
	const char *prefix;
	uint64_t port, nr_items, seed;
	double theta;
	struct wire wire;
	struct scatter scatter;
	struct zipf zipf;
	uint64_t nr_connections;
};

static struct load load = {
	.prefix = "/item/", .port = 8080, .nr_items = 1000, .seed = 1, .theta = 0.99
};

static const struct work_option options[] = {
	{ "prefix", WORK_TEXT, &load.prefix, 0, 0, "of the paths asked for" },
	{ "port", WORK_COUNT, &load.port, 1, 65535, "of the server, at 127.0.0.1" },
	{ "items", WORK_COUNT, &load.nr_items, 1, 1 << 30, "numbers from 0 to below this" },
	{ "theta", WORK_NUMBER, &load.theta, 0, 10, "skew: 0 even, 0.99 customary" },
	PACE_OPTIONS(&load.pace),
	{ "seed", WORK_COUNT, &load.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

struct answer {
	long length; /* -1: till the server closes */
	bool is_kept;
};

static void read_headers(struct load *l, struct answer *ret)
{
	const char *line = wire_line(&l->wire);

	*ret = (struct answer){ .length = -1 };
	if (!line || strncmp(line, "HTTP/1.", 7) != 0 || strncmp(line + 8, " 200", 4) != 0)
		work_fail(1, "the server answered: %.80s", line ? line : "nothing");
	ret->is_kept = line[7] == '1';
	for (int i = 0; i < MAX_HEADERS; i++) {
		line = wire_line(&l->wire);
		if (!line)
			work_fail(1, "the server closed in the middle of an answer");
		if (!*line)
			return;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			ret->length = atol(line + 15);
		else if (strcasecmp(line, "Connection: close") == 0)
			ret->is_kept = false;
	}
	work_fail(1, "an answer with more than %d headers", MAX_HEADERS);
}

static void get(struct load *l, uint64_t number)
{
	char body[4096], wanted[64];
	struct answer answer;

	if (l->wire.fd < 0) {
		wire_open(&l->wire, (uint16_t)l->port, 30000000000);
		l->nr_connections++;
	}
	wire_print(&l->wire, "GET %.256s%llu HTTP/1.1\r\nHost: localhost\r\n\r\n", l->prefix,
		   (unsigned long long)number);
	wire_flush(&l->wire);
	read_headers(l, &answer);
	if (answer.length < 0 || answer.length >= (long)sizeof(body))
		work_fail(1, "an answer of %ld bytes; up to %zu are read", answer.length,
			  sizeof(body) - 1);
	memcpy(body, wire_bytes(&l->wire, (size_t)answer.length), (size_t)answer.length);
	body[answer.length] = '\0';
	snprintf(wanted, sizeof(wanted), "\"number\": %llu", (unsigned long long)number);
	work_check(strstr(body, wanted) != NULL, "the answer for %llu has no %s: %.80s",
		   (unsigned long long)number, wanted, body);
	if (!answer.is_kept)
		wire_close(&l->wire);
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct load *l = argument;
	uint64_t state = random_seed(l->seed, thread), nr;

	while ((nr = pace_next(pace, thread)))
		for (; nr; nr--)
			get(l, scatter_at(&l->scatter, zipf_draw(&l->zipf, random_next(&state))));
}

int main(int argc, char **argv)
{
	struct load *l = &load;

	work_begin("httpload", "Sends a bounded number of GETs to a web server on loopback.",
		   options, argc, argv);
	pace_default(&l->pace, 3000);
	l->pace.lot = 1;
	scatter_init(&l->scatter, l->nr_items);
	zipf_init(&l->zipf, l->nr_items, l->theta);
	wire_open(&l->wire, (uint16_t)l->port, 120000000000);
	l->nr_connections = 1;
	pace_run(&l->pace, work, l);
	wire_close(&l->wire);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("run", (double)l->pace.passed_ns / 1e9, "s", false);
	work_also("connections", (double)l->nr_connections, "connections", false);
	work_result("throughput", pace_mops(&l->pace) * 1e6, "req/s", true);
	return 0;
}
