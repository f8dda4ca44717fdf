/* SPDX-License-Identifier: MIT */
/*
 * The policies of the lab: what each writes into the guest, and every way to write one wrong.
 *
 * The lists of settings are golden (tests/golden/lab/policies.txt); tests/golden/update prints
 * them anew. tests/lab/policies.sh reads the same settings back in real guests.
 */
#include "test.h"

#include "lab/launcher/layout.h"
#include "lab/launcher/policy.h"

#define TWO   "node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/20GBps"
#define THREE TWO " node:pmem:512MiB@400ns/5GBps"
#define ONE   "node:dram:512MiB@80ns/100GBps:cpus=0"
#define SAME  "node:dram:512MiB:cpus=0 node:dram:512MiB:cpus=1"
/* The guest numbers nodes with CPUs first, and the last node stands astride the hole. */
#define ASTRIDE                                                                                    \
	"node:cxl:1GiB@250ns/20GBps node:dram:512MiB@80ns/100GBps:cpus=0 "                         \
	"node:dram:2GiB@80ns/100GBps:cpus=1"

static struct machine *machine_of(const char *line)
{
	PRINTBUF(err);
	struct machine *machine = NULL;
	if (machine_parse(line, &machine, &err))
		fail_msg("%s: %s", line, printbuf_str(&err));
	return machine;
}

static void prt_policy(struct printbuf *out, const char *line, const char *text, const char *series)
{
	PRINTBUF(err);
	struct lab_policy policy = { 0 };
	struct machine *machine = machine_of(line);
	if (lab_policy_parse(text, machine, series, &policy, &err))
		fail_msg("%s: %s", text, printbuf_str(&err));
	assert_int_equal(err.pos, 0);
	assert_string_equal(policy.text, text);
	prt_printf(out, "# %s on Linux %s, %s\n", text, series ? series : "of the user's own",
		   line);
	if (policy.place)
		prt_printf(out, "LAB_PLACE=%s\n", policy.place);
	lab_policy_settings_to_text(out, &policy);
	lab_policy_fini(&policy);
	machine_free(machine);
}

static void prt_all(struct printbuf *out)
{
	static const struct {
		const char *line, *text, *series;
	} cases[] = {
		{ TWO, "none", "6.12" },
		{ TWO,
		  "none:swappiness=10,watermark_scale_factor=200,zone_reclaim_mode=1,lru_gen=0,"
		  "min_ttl_ms=1000,thp=never",
		  "6.12" },
		{ TWO, "kernel", "6.12" },
		{ TWO, "kernel", "7.3" },
		{ TWO,
		  "kernel:scan_period_min_ms=100,scan_period_max_ms=1000,scan_delay_ms=100,"
		  "scan_size_mb=512,hot_threshold_ms=30000,promote_rate_limit_MBps=1024,"
		  "mode=3,demotion=0,thp=madvise",
		  "7.3" },
		{ SAME, "kernel:mode=1", "6.12" },
		{ TWO, "damon", "6.12" },
		{ TWO, "damon:goals=1,free_bp=100", "7.3" },
		{ THREE, "damon:young=0,min_age_ms=250,quota_MBps=50,sample_us=1000,aggr_us=20000",
		  NULL },
		{ ASTRIDE, "damon", "7.3" },
		{ TWO, "berth", "6.12" },
		{ ASTRIDE, "berth:policy=recency,sampler=accessed-bits,rate_MBps=200,thp=never",
		  "7.3" },
		{ ASTRIDE, "static-best", "7.3" },
		{ TWO, "static-best:thp=never", "6.12" },
		{ TWO, "all-fast", "6.12" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		prt_str(out, i ? "\n" : "");
		prt_policy(out, cases[i].line, cases[i].text, cases[i].series);
	}
}

static char *golden_path(void)
{
	PRINTBUF(path);
	const char *top = getenv("TOP");
	prt_printf(&path, "%s/tests/golden/lab/policies.txt", top ? top : ".");
	return printbuf_steal(&path, NULL);
}

static void test_settings_are_golden(void **state)
{
	PRINTBUF(out);
	static char golden[65536];
	char *path = golden_path();
	const char *wish = getenv("BERTH_GOLDEN");
	prt_all(&out);
	FILE *file = fopen(path, wish ? "w" : "r");
	assert_non_null(file);
	if (wish)
		assert_int_equal(fwrite(printbuf_str(&out), 1, out.pos, file), out.pos);
	else
		assert_true(fread(golden, 1, sizeof(golden) - 1, file) > 0);
	fclose(file);
	free(path);
	if (!wish)
		assert_string_equal(printbuf_str(&out), golden);
}

static void test_names_are_those_of_the_table(void **state)
{
	PRINTBUF(help);
	struct machine *machine = machine_of(TWO);
	lab_policy_help(&help);
	for (size_t i = 0; lab_policy_names[i]; i++) {
		struct lab_policy policy = { 0 };
		assert_int_equal(
			lab_policy_parse(lab_policy_names[i], machine, "7.3", &policy, NULL), 0);
		assert_string_equal(policy.name, lab_policy_names[i]);
		assert_true(policy.nr_settings >= 2);
		assert_non_null(strstr(printbuf_str(&help), lab_policy_names[i]));
		assert_int_equal(policy.nr_launcher > 0, i == 3);
		assert_int_equal(policy.needs_placement, i == 4);
		assert_int_equal(policy.is_all_fast, i == 5);
		lab_policy_fini(&policy);
	}
	machine_free(machine);
}

/* Refused, with both words in the sentence, and nothing returned. */
static void assert_refused(const char *line, const char *text, const char *series, const char *word,
			   const char *remedy)
{
	PRINTBUF(err);
	struct lab_policy policy = { .nr_settings = 77 };
	struct machine *machine = machine_of(line);
	int error = lab_policy_parse(text, machine, series, &policy, &err);
	if (error != -EINVAL || policy.nr_settings != 77)
		fail_msg("'%s' gave %d", text, error);
	if (!strstr(printbuf_str(&err), word) || !strstr(printbuf_str(&err), remedy))
		fail_msg("'%s' said: %s", text, printbuf_str(&err));
	assert_int_equal(lab_policy_parse(text, machine, series, &policy, NULL), -EINVAL);
	machine_free(machine);
}

static void test_bad_words_are_refused(void **state)
{
	static const char *const cases[][3] = {
		{ "", "there is no policy ''", "none, kernel, damon" },
		{ "kernal", "'kernal'", "did you mean kernel?" },
		{ "\x1b[31m", "\\x1b", "There are none" },
		{ "kernel:", "nothing follows the colon", "kernel:key=value" },
		{ "kernel:mode=1,", "nothing follows", "last comma" },
		{ "kernel:mode", "'mode'", "not key=value" },
		{ "kernel:=1", "'=1'", "not key=value" },
		{ "kernel:mode=", "'mode='", "not key=value" },
		{ "kernel:scan_size=1", "'scan_size'", "did you mean scan_size_mb?" },
		{ "none:mode=1", "'mode'", "There are swappiness" },
		{ "kernel:mode=4", "mode=4 is out of range", "0 to 3" },
		{ "kernel:mode=two", "mode=two is not understood", "0 to 3" },
		{ "kernel:mode=99999999999999999999", "out of range", "0 to 3" },
		{ "kernel:scan_size_mb=0", "out of range", "1 to 65536 (MiB, without the unit)" },
		{ "kernel:scan_delay_ms=1s", "not understood", "(ms, without the unit)" },
		{ "kernel:thp=sometimes", "thp=sometimes is not understood",
		  "always|madvise|never" },
		{ "kernel:thp=alway", "thp=alway", "always|madvise|never" },
		{ "kernel:mode=1,mode=2", "given twice", "once" },
		{ "kernel:scan_period_max_ms=10", "scan_period_min_ms=1000 is above", "give both" },
		{ "berth:rate_MBps=0", "out of range", "1 to 65536 (MiB/s, without the unit)" },
		{ "berth:policy=a,policy=b", "given twice", "once" },
		{ "damon:sample_us=1000000", "above aggr_us", "give both" },
		{ "damon:min_nr_regions=2000", "above max_nr_regions", "give both" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(TWO, cases[i][0], "6.12", cases[i][1], cases[i][2]);
}

static void test_what_cannot_work_is_refused(void **state)
{
	assert_refused(ONE, "kernel", "6.12", "one node with memory", "take none");
	assert_refused(SAME, "kernel", "6.12", "one tier", "kernel:mode=1");
	assert_refused(SAME, "damon", "6.12", "one tier", "take none");
	assert_refused(SAME, "berth", "6.12", "one tier", "take none");
	assert_refused(TWO, "damon", "6.1", "Linux 6.11", "--kernel 6.12");
	assert_refused(TWO, "damon:goals=1", "6.12", "Linux 6.16", "--kernel 7.3");
}

static void test_long_text_is_refused(void **state)
{
	PRINTBUF(text);
	prt_str(&text, "kernel:");
	prt_chars(&text, 'x', 70);
	prt_str(&text, "=1");
	assert_refused(TWO, printbuf_str(&text), "6.12", "xxx", "not key=value");
	prt_chars(&text, '1', 5000);
	assert_refused(TWO, printbuf_str(&text), "6.12", "4096", "makes no sense");
}

/* Under icount only one node keeps CPUs, so the guest may number nodes otherwise. */
static void test_placement_follows_the_guests_numbers(void **state)
{
	struct machine *machine = machine_of("node:dram:512MiB@80ns/100GBps:cpus=0 "
					     "node:cxl:512MiB@250ns/20GBps "
					     "node:dram:512MiB@80ns/100GBps:cpus=1");
	for (int time = LAB_TIME_DELAY; time <= LAB_TIME_ICOUNT; time++) {
		PRINTBUF(expected);
		struct lab_policy policy = { 0 };
		struct lab_layout layout;
		assert_int_equal(lab_layout_init(machine, (enum lab_time)time, &layout, NULL), 0);
		assert_int_equal(lab_policy_parse_for("static-best", machine, "6.12",
						      (enum lab_time)time, &policy, NULL),
				 0);
		struct set nodes = SET_EMPTY;
		assert_int_equal(set_add(&nodes, layout.guest_node[0]), 0);
		assert_int_equal(set_add(&nodes, layout.guest_node[2]), 0);
		set_to_text(&expected, &nodes);
		assert_string_equal(policy.place, printbuf_str(&expected));
		set_fini(&nodes);
		lab_policy_fini(&policy);
	}
	machine_free(machine);
}

/* The word after -M of what the program is started by. */
static const char *line_told(const struct lab_policy *policy)
{
	for (size_t i = 0; i + 1 < policy->nr_launcher; i++)
		if (strcmp(policy->launcher[i], "-M") == 0)
			return policy->launcher[i + 1];
	return "";
}

/* Berth in the guest is told the guest's nodes; a node that is left without CPUs is seen from the
 * only one there is. */
static void test_berth_is_told_the_guests_machine(void **state)
{
	static const char *const expected[] = {
		"node:dram=0:512MiB@80ns/100GBps:cpus=0 node:cxl=2:512MiB@250ns/20GBps "
		"node:dram=1:512MiB@80ns/100GBps:cpus=1",
		"node:dram=0:512MiB@80ns/100GBps:cpus=0 node:cxl=1:512MiB@250ns/20GBps "
		"node:dram=2:512MiB@136ns/60GBps",
	};
	struct machine *machine = machine_of("node:dram:512MiB@80ns/100GBps:cpus=0 "
					     "node:cxl:512MiB@250ns/20GBps "
					     "node:dram:512MiB@80ns/100GBps:cpus=1");
	for (int time = LAB_TIME_DELAY; time <= LAB_TIME_ICOUNT; time++) {
		struct lab_policy policy = { 0 };
		assert_int_equal(lab_policy_parse_for("berth", machine, "6.12", (enum lab_time)time,
						      &policy, NULL),
				 0);
		struct machine *told = machine_of(line_told(&policy)),
			       *wanted = machine_of(expected[time == LAB_TIME_ICOUNT]);
		if (!machine_is_equal(told, wanted))
			fail_msg("told: %s", line_told(&policy));
		machine_free(told);
		machine_free(wanted);
		lab_policy_fini(&policy);
	}
	machine_free(machine);
}

static void assert_all_fast(const char *line, const char *expected)
{
	PRINTBUF(err);
	PRINTBUF(out);
	struct machine *machine = machine_of(line), *fast = NULL;
	if (lab_all_fast(machine, &fast, &err))
		fail_msg("%s: %s", line, printbuf_str(&err));
	assert_true(machine_is_valid(fast));
	machine_to_line(&out, fast);
	assert_string_equal(printbuf_str(&out), expected);
	machine_free(machine);
	machine_free(fast);
}

static void test_all_fast_machine(void **state)
{
	assert_all_fast(ONE, ONE);
	assert_all_fast(TWO, "node:dram:1536MiB@80ns/100GBps:cpus=0-1");
	assert_all_fast(THREE, "node:dram:2GiB@80ns/100GBps:cpus=0-1");
	/* Ids count up; what a slow node had is shared out by size, its CPUs stay. */
	assert_all_fast(
		"node:dram:1GiB@80ns/100GBps:cpus=0 node:cxl:3MiB@250ns/20GBps "
		"node:dram:3GiB@80ns/100GBps:cpus=1",
		"node:dram:1025MiB@80ns/100GBps:cpus=0 node:dram:3074MiB@80ns/100GBps:cpus=1");
	assert_all_fast("node:hbm:1GiB@60ns/400GBps node:dram:1GiB@80ns/100GBps:cpus=0-1",
			"node:hbm:2GiB@60ns/400GBps node:none:0:cpus=0-1");
}
