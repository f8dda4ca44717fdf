/* SPDX-License-Identifier: MIT */
/* The open loop: what was traced is fed to the model's decision; and the misses of a recording by
 * the node that its kernel had the pages on. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sim/decisions.h"
#include "sim/found.h"

static const char *const head[] = {
	"berth-decisions 1",
	"setting hz=250 hot_threshold_ms=1000 scan_period_max_ms=60000 rate_limit_MBps=65536",
	"setting version=612 stamp_shift=30 stamp_bits=21",
	"zone managed=3840 present=3998 high=20 promo=25 reserve=300",
	"zone managed=80000 present=81000 high=480 promo=575 reserve=0",
};

static void feed(struct decisions *decisions, const char *line)
{
	PRINTBUF(err);
	if (decisions_line(decisions, line, &err))
		fprintf(stderr, "%s\n", printbuf_str(&err));
	assert_int_equal(printbuf_str(&err)[0], '\0');
}

static void begin(struct decisions *decisions)
{
	decisions_init(decisions);
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		feed(decisions, head[i]);
}

/* A fault at `now_ms` on a page armed `age_ms` before, with so much free in the two zones. */
static void fault(struct decisions *decisions, uint64_t now_ms, uint64_t age_ms, unsigned free0,
		  unsigned free1, bool kernel_says)
{
	char line[256];
	uint64_t stamp = (now_ms - age_ms) & ((1 << 21) - 1);
	snprintf(line, sizeof(line),
		 "  prog-7  [000] ...1. 16.4: decide: (should+0x4/0x480) flags=0x%llx src=1 "
		 "now=%llu free0=%u free1=%u th=0",
		 (unsigned long long)(stamp << 30 | 0x20020828), (unsigned long long)now_ms / 4,
		 free0, free1);
	feed(decisions, line);
	snprintf(line, sizeof(line), "  prog-7  [000] ...1. 16.4: decided: (mpol <- should) ret=%d",
		 kernel_says);
	feed(decisions, line);
}

static void test_decisions_agree_with_a_kernel_that_follows_the_rules(void **state)
{
	struct decisions decisions;
	(void)state;
	begin(&decisions);
	fault(&decisions, 17179585640, 996, 331, 310, true);
	fault(&decisions, 17179585644, 1000, 331, 310, false);	   /* at the threshold */
	fault(&decisions, 17179585644, 4096 + 8, 331, 310, false); /* 21 bits, not 12 */
	/* 1 GiB above PROMO of the larger zone; and one page less. */
	fault(&decisions, 17179585648, 5000, 331, 262144 + 575 + 1, true);
	fault(&decisions, 17179585648, 5000, 331, 262144 + 575, false);
	assert_int_equal(decisions.nr_decisions, 5);
	assert_int_equal(decisions.nr_equal, 5);
	assert_int_equal(decisions.nr_verdicts[HOT_PROMOTE][true], 1);
	assert_int_equal(decisions.nr_verdicts[HOT_FREE_SPACE][true], 1);
	assert_int_equal(decisions.nr_verdicts[HOT_COLD][false], 3);
	assert_int_equal(decisions_finish(&decisions, NULL), 0);
}

static void test_decisions_that_differ_are_counted(void **state)
{
	struct decisions decisions;
	(void)state;
	begin(&decisions);
	fault(&decisions, 17179585640, 10, 331, 310, false);
	fault(&decisions, 17179585640, 2000, 331, 310, true);
	feed(&decisions, "  prog-7 [000] 1.0: decided: (x) ret=1"); /* its beginning was lost */
	assert_int_equal(decisions.nr_decisions, 2);
	assert_int_equal(decisions.nr_equal, 0);
	assert_int_equal(decisions.nr_halves, 1);
}

static void test_decisions_know_room(void **state)
{
	struct decisions decisions;
	(void)state;
	begin(&decisions);
	feed(&decisions, "  prog-7 [000] 1.0: room: (x) flags=0x0 free0=320 free1=481");
	feed(&decisions, "  prog-7 [000] 1.0: roomed: (x) ret=-11"); /* HIGH, and one */
	feed(&decisions, "  prog-7 [000] 1.0: room: (x) flags=0x0 free0=320 free1=482");
	feed(&decisions, "  prog-7 [000] 1.0: roomed: (x) ret=0");
	feed(&decisions,
	     "  prog-7 [000] 1.0: room: (x) flags=0x0 free0=320 free1=990 boost0=0 boost1=512");
	feed(&decisions, "  prog-7 [000] 1.0: roomed: (x) ret=-11");
	assert_int_equal(decisions.nr_rooms, 3);
	assert_int_equal(decisions.nr_rooms_equal, 3);
	assert_int_equal(decisions.nr_room_yes, 1);
}

static void test_decisions_refuse_what_is_no_trace(void **state)
{
	static const char *const bad[] = {
		"zone present=5 high=20 promo=25 reserve=300",
		"zone managed=1 present=many high=20 promo=25 reserve=300",
		" x: decide: (y) src=1 now=3 free0=1 free1=1",
		" x: decide: (y) flags=0x1 now=99999999999999999999999 free0=1 free1=1",
		" x: decide: (y) flags=0x1 now=1 free0=1 free1=",
		" x: decided: (y) ret=",
		" x: room: (y) free0=1 free1=-2",
	};
	struct decisions decisions;
	(void)state;
	decisions_init(&decisions);
	PRINTBUF(err);
	assert_int_equal(decisions_line(&decisions, "# tracer: nop", &err), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		PRINTBUF(why);
		begin(&decisions);
		assert_int_equal(decisions_line(&decisions, bad[i], &why), -EBADMSG);
		assert_true(why.pos > 0);
	}
	begin(&decisions);
	feed(&decisions, "  prog-7 [000] 1.0: sched_switch: prev=1");
	feed(&decisions, "");
	assert_int_equal(decisions_finish(&decisions, NULL), -EBADMSG);
}

static void test_found_follows_pages_from_node_to_node(void **state)
{
	static const uint64_t times[] = { 1, 2, 3, 4 }, pages[] = { 10, 11, 12, 10 };
	static const uint32_t nodes[] = { 0, 1, TRACE_NONE };
	static const uint32_t moved[] = { 1 };
	static const uint8_t flags[] = { TRACE_MISS, TRACE_MISS | TRACE_WRITE, TRACE_MISS,
					 TRACE_TOUCH };
	struct found found;
	(void)state;
	assert_int_equal(found_init(&found, 2), 0);
	struct trace_batch told = {
		.kind = TRACE_NODES, .nr = 3, .time_ns = times, .page = pages, .node = nodes
	};
	struct trace_batch misses = {
		.kind = TRACE_ACCESSES, .nr = 4, .time_ns = times, .page = pages, .flags = flags
	};
	assert_int_equal(found_feed(&found, &told), 0);
	assert_int_equal(found_feed(&found, &misses), 0);
	told.nr = 1;
	told.node = moved;
	assert_int_equal(found_feed(&found, &told), 0);
	assert_int_equal(found_feed(&found, &misses), 0);
	assert_int_equal(found.nr_misses[0], 1);
	assert_int_equal(found.nr_misses[1], 3);
	assert_int_equal(found.nr_unknown, 2);
	found_fini(&found);
}
