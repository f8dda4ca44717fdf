/* SPDX-License-Identifier: MIT */
/* Golden tables of the simulator over the recordings in tests/golden/sim: simulate, then compare
 * with the table that is shipped, or print it anew (tests/golden/update sets BERTH_GOLDEN). */
#ifndef BERTH_TEST_SIM_GOLDEN_H
#define BERTH_TEST_SIM_GOLDEN_H

#include "sim_fixture.h"

#define GOLDEN_TABLE_MAX 65536

static const char *const golden_programs[] = { "phases", "scan", "lives" };

/* "", "tables" or "recordings". */
static inline const char *golden_wish(void)
{
	const char *wish = getenv("BERTH_GOLDEN");
	return wish ? wish : "";
}

static inline void golden_path(char path[512], const char *name, const char *suffix)
{
	const char *top = getenv("TOP");
	snprintf(path, 512, "%s/tests/golden/sim/%s.%s", top ? top : ".", name, suffix);
}

typedef void (*golden_table_fn)(struct printbuf *out, const struct sim_set *set);

static inline void golden_simulate(const char *name, const char *const *specs, size_t nr,
				   uint64_t dilate, golden_table_fn table_of, struct printbuf *out)
{
	const uint64_t fast[] = { 16 * 4096, 40 * 4096 };
	struct machine *machine = machine_two_tiers(32, 4096);
	struct sim_config config = { .machine = machine,
				     .policies = specs,
				     .nr_policies = nr,
				     .fast_bytes = fast,
				     .nr_fast = ARRAY_SIZE(fast),
				     .dilate = dilate,
				     .seed = 1 };
	struct trace_reader *reader = NULL;
	struct sim_set *set = NULL;
	char path[512];
	PRINTBUF(err);
	golden_path(path, name, "berth");
	if (trace_open(path, NULL, &reader, &err) ||
	    sim_set_new(&config, trace_info(reader), &set, &err) || sim_set_run(set, reader, &err))
		fail_msg("%s", printbuf_str(&err));
	table_of(out, set);
	sim_set_free(set);
	trace_close(reader);
	machine_free(machine);
}

static inline void golden_check(const char *name, const char *suffix, const struct printbuf *table)
{
	char path[512], *text = calloc(1, GOLDEN_TABLE_MAX);
	bool prints_anew = *golden_wish();
	golden_path(path, name, suffix);
	FILE *file = fopen(path, prints_anew ? "w" : "r");
	assert_non_null(file);
	assert_non_null(text);
	if (prints_anew)
		fputs(printbuf_str(table), file);
	else
		assert_true(fread(text, 1, GOLDEN_TABLE_MAX - 1, file) > 0);
	fclose(file);
	if (!prints_anew)
		assert_string_equal(printbuf_str(table), text);
	free(text);
}

/* Twice, since the same input and seed must give the same bytes. */
static inline void golden_tables(const char *suffix, const char *const *specs, size_t nr,
				 uint64_t dilate, golden_table_fn table_of)
{
	for (size_t i = 0; i < ARRAY_SIZE(golden_programs); i++) {
		PRINTBUF(first);
		PRINTBUF(second);
		golden_simulate(golden_programs[i], specs, nr, dilate, table_of, &first);
		golden_simulate(golden_programs[i], specs, nr, dilate, table_of, &second);
		assert_string_equal(printbuf_str(&first), printbuf_str(&second));
		golden_check(golden_programs[i], suffix, &first);
	}
}

#endif
