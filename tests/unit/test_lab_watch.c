/* SPDX-License-Identifier: MIT */
/* Captured consoles: what a kernel says when it dies, is stuck or has no memory left. */
#include "test.h"

#include "base/types.h"
#include "lab/launcher/watch.h"

/* Fed whole and byte by byte: where a read ends must not matter. */
static void watch_text(struct lab_watch *watch, const char *text, size_t piece)
{
	memset(watch, 0, sizeof(*watch));
	size_t length = strlen(text);
	for (size_t at = 0; at < length; at += piece)
		lab_watch_feed(watch, text + at, at + piece > length ? length - at : piece);
	lab_watch_end(watch);
}

static void assert_sign(const char *console, enum lab_sign sign, const char *line)
{
	static const size_t pieces[] = { 1, 7, 4096 };
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct lab_watch watch;
		watch_text(&watch, console, pieces[i]);
		for (int other = 0; other < LAB_NR_SIGNS; other++)
			if (other != (int)sign && lab_watch_sign(&watch, other))
				fail_msg("also %d: %s", other, lab_watch_sign(&watch, other));
		assert_non_null(lab_watch_sign(&watch, sign));
		assert_string_equal(lab_watch_sign(&watch, sign), line);
	}
}

static void test_panic(void **state)
{
	assert_sign(
		"[    5.120000] sysrq: Trigger a crash\r\n"
		"[    5.121000] Kernel panic - not syncing: sysrq triggered crash\r\n"
		"[    5.122000] CPU: 0 UID: 0 PID: 71 Comm: sh Not tainted 6.12.95\r\n"
		"[    5.140000] Kernel Offset: 0x2a000000 from 0xffffffff81000000\r\n"
		"[    5.150000] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---\n",
		LAB_SIGN_PANIC, "Kernel panic - not syncing: sysrq triggered crash");
	/* printk.caller, a level, no newline at the end */
	assert_sign("<0>[   12.000001][    T1] Kernel panic - not syncing: VFS: Unable to mount "
		    "root fs",
		    LAB_SIGN_PANIC, "Kernel panic - not syncing: VFS: Unable to mount root fs");
}

static void test_oops_is_the_cause(void **state)
{
	struct lab_watch watch;
	watch_text(&watch,
		   "[   31.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\r\n"
		   "[   31.1] #PF: supervisor read access in kernel mode\r\n"
		   "[   31.2] Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI\r\n"
		   "[   31.9] Kernel panic - not syncing: Fatal exception\r\n",
		   5);
	assert_string_equal(lab_watch_death(&watch),
			    "BUG: kernel NULL pointer dereference, address: 0000000000000008");
	assert_string_equal(lab_watch_sign(&watch, LAB_SIGN_PANIC),
			    "Kernel panic - not syncing: Fatal exception");
	assert_sign("[    9.0] kernel BUG at mm/migrate.c:662!\n", LAB_SIGN_OOPS,
		    "kernel BUG at mm/migrate.c:662!");
	assert_sign("[    9.0] Oops: general protection fault, probably for non-canonical address "
		    "0xdead000000000100: 0000 [#1] PREEMPT SMP NOPTI\n",
		    LAB_SIGN_OOPS,
		    "Oops: general protection fault, probably for non-canonical address "
		    "0xdead000000000100: 0000 [#1] PREEMPT SMP NOPTI");
}

static void test_breakpoint_that_nobody_set(void **state)
{
	static const struct {
		const char *text;
		bool is_breakpoint;
	} consoles[] = {
		{ "[    2.1] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n"
		  "[    2.2] Kernel panic - not syncing: Fatal exception\r\n",
		  true },
		{ "[    2.1] BUG: unable to handle page fault for address: 0000000000000010\r\n"
		  "[    2.2] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n",
		  false }, /* not the cause */
		{ "[    2.1] Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI\r\n", false },
		{ "[    2.1] Kernel panic - not syncing: int3\r\n", false },
		{ "[    2.1] all is well\r\n", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(consoles); i++) {
		struct lab_watch watch;
		watch_text(&watch, consoles[i].text, 6);
		assert_int_equal(lab_watch_is_breakpoint(&watch), consoles[i].is_breakpoint);
	}
}

static void test_stalls(void **state)
{
	assert_sign("[   81.000000] rcu: INFO: rcu_preempt self-detected stall on CPU\r\n"
		    "[   81.000100] rcu: \t0-....: (5249 ticks this GP) idle=6b4c/1/0x40\r\n",
		    LAB_SIGN_STALL, "rcu: INFO: rcu_preempt self-detected stall on CPU");
	assert_sign("[  102.3] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n",
		    LAB_SIGN_STALL, "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:");
	assert_sign("[   48.1] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [hotset:71]\n",
		    LAB_SIGN_STALL,
		    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [hotset:71]");
	assert_sign("[  245.5] INFO: task sh:70 blocked for more than 120 seconds.\n",
		    LAB_SIGN_STALL, "INFO: task sh:70 blocked for more than 120 seconds.");
}

static void test_stall_that_passed(void **state)
{
	struct lab_watch watch;
	const char stall[] = "[1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [x:1]\n";
	watch_text(&watch, stall, 100);
	assert_int_equal(watch.nr_stalls, 1);
	assert_null(lab_watch_death(&watch));
	lab_watch_clear_stall(&watch);
	assert_null(lab_watch_sign(&watch, LAB_SIGN_STALL));
	lab_watch_feed(&watch, stall, strlen(stall));
	assert_int_equal(watch.nr_stalls, 2);
	assert_non_null(lab_watch_sign(&watch, LAB_SIGN_STALL));
}

static void test_out_of_memory(void **state)
{
	assert_sign("[   14.1] hotset invoked oom-killer: gfp_mask=0x140dca, order=0\n"
		    "[   14.2] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=hotset\n"
		    "[   14.3] Out of memory: Killed process 71 (hotset) total-vm:4196424kB\n"
		    "[   14.4] Out of memory: Killed process 72 (other) total-vm:4196424kB\n",
		    LAB_SIGN_OOM, "Out of memory: Killed process 71 (hotset) total-vm:4196424kB");
	assert_sign("[   14.3] Memory cgroup out of memory: Killed process 71 (hotset)\n",
		    LAB_SIGN_OOM, "Memory cgroup out of memory: Killed process 71 (hotset)");
}

static void test_what_is_no_sign(void **state)
{
	struct lab_watch watch;
	watch_text(&watch,
		   "[    0.0] Linux version 6.12.95\r\n\r\n"
		   "[    1.0] python3[71] general protection fault ip:55d sp:7ff error:0\n"
		   "[    2.0] the word BUG: in a sentence\n"
		   "[not a stamp] x\n"
		   "\x1b[2J\xff\x80 last words\r\n   \n\n",
		   3);
	for (int sign = 0; sign < LAB_NR_SIGNS; sign++)
		assert_null(lab_watch_sign(&watch, sign));
	assert_string_equal(watch.last, "   ");
	assert_int_equal(watch.nr_lines, 6);
}

static void test_endless_line(void **state)
{
	struct lab_watch watch = { 0 };
	char block[1000];
	memset(block, 'x', sizeof(block));
	lab_watch_feed(&watch, "[ 1.0] Kernel panic - not syncing: ", 35);
	for (int i = 0; i < 100; i++)
		lab_watch_feed(&watch, block, sizeof(block));
	lab_watch_end(&watch);
	assert_int_equal(strlen(lab_watch_death(&watch)), LAB_WATCH_LINE - 1 - 7);
	assert_int_equal(watch.nr_bytes, 100035);
}
