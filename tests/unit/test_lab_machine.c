/* SPDX-License-Identifier: MIT */
/*
 * Machines as QEMU is told of them: golden words and notes for many lines, and what cannot be
 * built. tests/golden/lab/update prints the golden text anew.
 */
#include "test.h"

#include "lab/launcher/qemu_options.h"

#define TWO_TIERS "node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/30GBps"

static const struct {
	const char *line;
	enum lab_time time;
} machines[] = {
	{ TWO_TIERS, LAB_TIME_DELAY },
	{ TWO_TIERS, LAB_TIME_ICOUNT },
	{ "node:dram:1GiB:cpus=0", LAB_TIME_DELAY },
	/* what has no CPUs comes later in the guest */
	{ "node:cxl:1GiB node:dram:512MiB:cpus=0-1", LAB_TIME_DELAY },
	/* sparse ids and CPUs; two sockets of one size */
	{ "node:dram=2:512MiB:cpus=4-5 node:dram=7:512MiB:cpus=8-9 node:pmem=9:2GiB",
	  LAB_TIME_DELAY },
	{ "node:dram=2:512MiB:cpus=4-5 node:dram=7:512MiB:cpus=8-9 node:pmem=9:2GiB",
	  LAB_TIME_ICOUNT },
	/* interleaved CPUs keep their numbers, and are sockets of their own */
	{ "node:dram:256MiB:cpus=0,2 node:dram:256MiB:cpus=1,3", LAB_TIME_DELAY },
	/* not introduced in order: numbered anew */
	{ "node:dram:256MiB:cpus=1 node:dram:256MiB:cpus=0", LAB_TIME_DELAY },
	/* CPUs without memory; across the hole below 4 GiB */
	{ "node:none:0:cpus=0-1 node:dram:3GiB@90ns:from=0@95ns node:cxl:4GiB@300ns",
	  LAB_TIME_DELAY },
	/* under icount the second of these has neither CPUs nor memory left */
	{ "node:dram:512MiB:cpus=0 node:none:0:cpus=1", LAB_TIME_ICOUNT },
	/* the last size below the hole, and the first that goes around it */
	{ "node:dram:2814MiB:cpus=0", LAB_TIME_DELAY },
	{ "node:dram:2816MiB:cpus=0", LAB_TIME_DELAY },
	/* three tiers; figures too far apart for firmware tables of 16 bits */
	{ "node:hbm:256MiB@60ns/800GBps:cpus=0-1 node:dram:512MiB@85ns/120GBps "
	  "node:pmem:1GiB@1ms/1MBps",
	  LAB_TIME_DELAY },
};

static const char *const impossible[] = {
	"node:dram:1MiB:cpus=0 node:cxl:512MiB",
	"node:dram:128MiB:cpus=0",
	"node:dram:512MiB:cpus=0 node:cxl:2MiB",
	"node:dram:513MiB:cpus=0",
	"node:dram:64MiB:cpus=0 node:cxl:512MiB",
	"node:dram:512MiB:cpus=0-64",
	"node:dram:1TiB:cpus=0",
	"node:dram:512MiB:cpus=0 node:cxl:8589934591GiB",
};

static struct machine *parsed(const char *line)
{
	PRINTBUF(err);
	struct machine *machine = NULL;
	if (machine_parse(line, &machine, &err))
		fail_msg("%s: %s", line, printbuf_str(&err));
	return machine;
}

static void prt_ranges(struct printbuf *out, const struct lab_layout *layout)
{
	for (uint32_t i = 0; i < layout->nr_ranges; i++)
		prt_printf(out, "range %09llx-%09llx index %u, guest's node %u\n",
			   (unsigned long long)layout->ranges[i].start,
			   (unsigned long long)layout->ranges[i].end, layout->ranges[i].node,
			   layout->guest_node[layout->ranges[i].node]);
}

static void prt_machine(struct printbuf *out, const char *line, enum lab_time time)
{
	struct lab_layout layout;
	struct lab_words words = { 0 };
	PRINTBUF(err);
	struct machine *machine = parsed(line);
	prt_printf(out, "== %s%s\n", line, time == LAB_TIME_ICOUNT ? " (icount)" : "");
	if (lab_layout_init(machine, time, &layout, &err)) {
		prt_printf(out, "error %s\n", printbuf_str(&err));
	} else {
		lab_qemu_machine(&words, machine, &layout);
		assert_false(words.has_error);
		for (size_t i = 0; i + 1 < words.nr; i += 2)
			prt_printf(out, "%s %s\n", words.items[i], words.items[i + 1]);
		prt_ranges(out, &layout);
		lab_layout_notes(out, &layout, machine);
		lab_qemu_notes(out, machine, &layout);
	}
	lab_words_fini(&words);
	machine_free(machine);
}

static void read_golden(const char *path, struct printbuf *out)
{
	char bytes[4096];
	size_t nr;
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s: cannot be read", path);
	while ((nr = fread(bytes, 1, sizeof(bytes), file)) > 0)
		prt_mem(out, bytes, nr);
	fclose(file);
}

static void test_machines_in_qemus_words(void **state)
{
	PRINTBUF(text);
	PRINTBUF(path);
	PRINTBUF(golden);
	const char *top = getenv("TOP");
	prt_printf(&path, "%s/tests/golden/lab/machines.txt", top ? top : ".");
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		prt_machine(&text, machines[i].line, machines[i].time);
	for (size_t i = 0; i < ARRAY_SIZE(impossible); i++)
		prt_machine(&text, impossible[i], LAB_TIME_DELAY);
	if (getenv("BERTH_GOLDEN")) {
		FILE *file = fopen(printbuf_str(&path), "w");
		assert_non_null(file);
		assert_int_equal(fwrite(text.buf, 1, text.pos, file), text.pos);
		fclose(file);
	}
	read_golden(printbuf_str(&path), &golden);
	assert_string_equal(printbuf_str(&text), printbuf_str(&golden));
}

/* By another way: each byte of memory lies in exactly one range, below the hole or above 4 GiB. */
static void test_ranges_cover_all_memory_once(void **state)
{
	for (uint64_t mib = 256; mib < 9000; mib += 334) {
		struct lab_layout layout;
		PRINTBUF(line);
		PRINTBUF(err);
		prt_printf(&line, "node:dram:%lluMiB:cpus=0 node:cxl:1200MiB node:pmem:700MiB",
			   (unsigned long long)mib);
		struct machine *machine = parsed(printbuf_str(&line));
		assert_int_equal(lab_layout_init(machine, LAB_TIME_DELAY, &layout, &err), 0);
		uint64_t sums[3] = { 0 }, last = 0;
		for (uint32_t i = 0; i < layout.nr_ranges; i++) {
			const struct lab_range *range = &layout.ranges[i];
			assert_true(range->start >= last && range->end > range->start);
			assert_true(range->end <= 2816 * MIB || range->start >= 4 * GIB);
			sums[range->node] += range->end - range->start;
			last = range->end;
		}
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(sums[i], machine->nodes[i].size_bytes);
		machine_free(machine);
	}
}

static void test_too_many_nodes(void **state)
{
	struct lab_layout layout;
	PRINTBUF(line);
	PRINTBUF(err);
	for (int i = 0; i < LAB_MAX_NODES + 1; i++)
		prt_printf(&line, "node:dram:128MiB:cpus=%d ", i);
	struct machine *machine = parsed(printbuf_str(&line));
	assert_int_equal(lab_layout_init(machine, LAB_TIME_DELAY, &layout, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "builds up to 32"));
	machine_free(machine);
}

static void test_words_are_quoted_for_a_shell(void **state)
{
	struct lab_words words = { 0 };
	PRINTBUF(text);
	lab_words_add(&words, "plain-word,x=1");
	lab_words_add(&words, "");
	lab_words_add(&words, "it's two");
	lab_words_addf(&words, "%d$", 7);
	lab_words_to_text(&text, &words);
	assert_string_equal(printbuf_str(&text), "plain-word,x=1 '' 'it'\\''s two' '7$'");
	assert_null(words.items[4]);
	lab_words_fini(&words);
}
