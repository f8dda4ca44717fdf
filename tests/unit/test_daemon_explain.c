/* SPDX-License-Identifier: MIT */
/* What `berth explain` is told of the ledger's events. */
#include "test.h"

#include <string.h>

#include "linux/daemon_status.h"
#include "linux/placer.h"

static unsigned count(const char *text, const char *word)
{
	unsigned nr = 0;
	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		nr++;
	return nr;
}

static void note(struct ledger *ledger, uint64_t page, enum move_outcome outcome)
{
	struct move_result result = { .page = page, .nr_pages = 1, .from = 0, .to = 1 };
	result.outcome = outcome;
	ledger_result(ledger, &result, 0, (page + 1) * NS_PER_MS);
}

/* The newest first; a flood of refusals leaves half of the answer to what was moved before it. */
static void test_explain_tells_of_moves_behind_refusals(void **state)
{
	static struct daemon daemon;
	static struct daemon_job jobs[DAEMON_JOBS_MAX];
	static struct placer placer;
	static struct live_space space;
	struct machine *machine = NULL;
	struct daemon_page page = { 0 };
	bool seen[DAEMON_JOBS_MAX] = { true };
	struct json_writer json;
	PRINTBUF(out);
	PRINTBUF(err);
	(void)state;
	assert_int_equal(machine_parse("node:dram:4MiB@80ns/100GBps:cpus=0 "
				       "node:cxl:4MiB@250ns/30GBps",
				       &machine, &err),
			 0);
	daemon.machine = machine;
	daemon.placer = &placer;
	daemon.jobs = jobs;
	placer.live.spaces = &space;
	placer.live.nr_spaces = 1;
	assert_int_equal(ledger_init(&placer.ledger, machine), 0);
	for (uint64_t i = 0; i < 300; i++) /* no neighbours: one event each */
		note(&placer.ledger, 2 * i, MOVE_DONE);
	for (uint64_t i = 300; i < 600; i++)
		note(&placer.ledger, 2 * i, MOVE_REFUSED_BUDGET);
	json_writer_init(&json, &out, true);
	assert_int_equal(daemon_explain_to_json(&json, &daemon, &page, seen, &err), 0);
	assert_int_equal(count(printbuf_str(&out), "\"refused\""), EXPLAIN_REFUSED_MAX);
	assert_int_equal(count(printbuf_str(&out), "\"moved\""),
			 EXPLAIN_EVENTS_MAX - EXPLAIN_REFUSED_MAX);
	assert_true(strstr(printbuf_str(&out), "\"refused\"") <
		    strstr(printbuf_str(&out), "\"moved\""));
	ledger_fini(&placer.ledger);
	machine_free(machine);
}
