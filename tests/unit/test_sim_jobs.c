/* SPDX-License-Identifier: MIT */
/*
 * Several jobs in one simulation: what jobs have adds up to what the machine has, under kernels and
 * agents, with large folios too; and floors and caps hold.
 */
#include "test.h"

#include "sim_fixture.h"
#include "sim_golden.h"

#define NR 3

static const struct sim_job_config nobody_limited[NR] = {
	{ "phases", 0, UINT64_MAX },
	{ "scan", 0, UINT64_MAX },
	{ "lives", 0, UINT64_MAX },
};

static struct sim_set *simulate_jobs(const struct machine *machine,
				     const struct sim_job_config jobs[NR], const char *const *specs,
				     size_t nr_specs)
{
	struct sim_config config = { .machine = machine,
				     .policies = specs,
				     .nr_policies = nr_specs,
				     .dilate = 1000,
				     .jobs = jobs,
				     .nr_jobs = NR };
	static const char *const names[NR] = { "phases", "scan", "lives" };
	struct trace_reader *readers[NR] = { NULL };
	const struct trace_info *infos[NR];
	struct sim_set *set = NULL;
	char path[512];
	PRINTBUF(err);
	for (uint32_t i = 0; i < NR; i++) {
		golden_path(path, names[i], "berth");
		assert_int_equal(trace_open(path, NULL, &readers[i], &err), 0);
		infos[i] = trace_info(readers[i]);
	}
	if (sim_check_jobs(infos, jobs, NR, &err) || sim_set_new(&config, infos[0], &set, &err) ||
	    sim_set_run_jobs(set, readers, &err))
		fail_msg("%s", printbuf_str(&err));
	for (uint32_t i = 0; i < NR; i++)
		trace_close(readers[i]);
	return set;
}

static void test_jobs_add_up(void **state)
{
	static const char *const specs[] = {
		"linux-none", "linux-tiering", "linux-tiering:thp=always,lru_gen=0",
		"nomad",      "recency",       "berth",
		"damon"
	};
	struct machine *machine = machine_two_tiers(200, 4096);
	struct sim_set *set = simulate_jobs(machine, nobody_limited, specs, ARRAY_SIZE(specs));
	for (size_t i = 0; i < sim_set_nr_results(set); i++) {
		const struct sim_result *result = sim_set_result(set, i);
		struct sim_job_figures sum = { 0 };
		for (uint32_t job = 0; job < NR; job++) {
			const struct sim_job_figures *figures = sim_set_job(set, i, job);
			sum.misses += figures->misses;
			sum.fast_misses += figures->fast_misses;
			sum.nr_promoted += figures->nr_promoted;
			sum.nr_demoted += figures->nr_demoted;
			sum.fast_pages += figures->fast_pages;
			assert_true(figures->misses > 0 && figures->has_pages);
			assert_true(figures->peak_fast_pages >= figures->fast_pages);
		}
		assert_int_equal(result->error, 0);
		assert_int_equal(sum.misses, result->misses);
		assert_int_equal(sum.fast_misses, result->fast_misses);
		assert_int_equal(sum.nr_promoted, result->nr_promoted);
		assert_int_equal(sum.nr_demoted, result->nr_demoted);
		assert_in_range(sum.fast_pages, 1, 200);
	}
	sim_set_free(set);
	machine_free(machine);
}

/* A cap that is less than the job had, and a floor that the others must make room for. */
static void test_jobs_have_floors_and_caps(void **state)
{
	static const struct sim_job_config limited[NR] = {
		{ "phases", 60 * 4096, UINT64_MAX },
		{ "scan", 0, 30 * 4096 },
		{ "lives", 0, UINT64_MAX },
	};
	static const char *const specs[] = { "berth" };
	struct machine *machine = machine_two_tiers(200, 4096);
	struct sim_set *freely = simulate_jobs(machine, nobody_limited, specs, 1);
	struct sim_set *set = simulate_jobs(machine, limited, specs, 1);
	assert_true(sim_set_job(freely, 0, 1)->fast_pages > 30);
	assert_in_range(sim_set_job(set, 0, 1)->fast_pages, 0, 30);
	assert_true(sim_set_job(set, 0, 0)->fast_pages >= 60);
	assert_null(sim_set_job(set, 0, NR));
	sim_set_free(freely);
	sim_set_free(set);
	machine_free(machine);
}

/* Jobs that cannot be simulated together are told so, by name. */
static void test_jobs_that_do_not_fit_together(void **state)
{
	struct trace_info one = tape_info(), other = tape_info();
	const struct trace_info *infos[] = { &one, &other };
	PRINTBUF(err);
	assert_int_equal(sim_check_jobs(infos, nobody_limited, 2, &err), 0);
	other.page_bytes = 65536;
	assert_int_equal(sim_check_jobs(infos, nobody_limited, 2, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "phases and scan"));
	other = tape_info();
	other.streams = TRACE_STREAM_COUNTS;
	assert_int_equal(sim_check_jobs(infos, nobody_limited, 2, NULL), -EOPNOTSUPP);
}
