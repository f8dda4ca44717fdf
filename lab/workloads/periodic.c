/* SPDX-License-Identifier: MIT */
/*
 * A periodic job: at each release it wakes up, computes a fixed amount, and sleeps until the next.
 * How late it woke up and how long it took to finish is what a job feels of its neighbours.
 *
 *     release k            woken        done             release k + 1 = (k + 1) * period + shift
 *        |--- lateness ------|---- work ---|                  |
 *        |------------- response ----------|
 *
 * A release that comes while the last one's work is not done starts late and is counted so: nothing
 * is left out, however far the job falls behind. Each release is shifted by a random part of the
 * period (seeded: equal seeds have equal releases), or a period that is a multiple of the kernel's
 * tick would meet the tick at one phase for a whole run. Work is rounds of a loop without memory;
 * --work is turned into rounds once, by the fastest of some tries, and --rounds takes what another
 * run was told, so that runs to be compared do equal work.
 *
 * SIGTERM and SIGINT end the run after the release in hand; what was done is reported. SIGUSR1 says
 * that what matters begins now: releases before it are not counted. 16 bytes per
 * release; percentiles are by nearest rank over all releases but those of --warm-up.
 * Follows cyclictest (rt-tests) in measuring against an absolute release.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"

#define MAX_RELEASES	 10000000 /* of all threads together: 160 MB */
#define CALIBRATE_ROUNDS 1000000
#define CALIBRATE_TRIES	 9

struct release {
	uint64_t late_ns, response_ns;
};

struct waker {
	pthread_t thread;
	unsigned number;
	struct release *releases;
	uint64_t nr_done;
	uint64_t cpu_ns;
};

struct periodic {
	uint64_t period_ns, work_ns, rounds, run_ns, warm_up_ns, nr_threads, seed;
	double jitter;
	const char *format;
	uint64_t nr_releases, nr_warm_up; /* of each thread */
	uint64_t start_ns;
	struct waker wakers[WORK_MAX_THREADS];
};

static volatile sig_atomic_t is_over;
static _Atomic uint64_t began_ns; /* what matters, by SIGUSR1; 0: from the start */

static struct periodic periodic = {
	.period_ns = 20000000,
	.work_ns = 2000000,
	.run_ns = 5000000000,
	.nr_threads = 1,
	.seed = 1,
	.jitter = 0.25,
	.format = "text",
};

static const struct work_option options[] = {
	{ "period", WORK_TIME, &periodic.period_ns, 1000, 60e9, "from release to release" },
	{ "work", WORK_TIME, &periodic.work_ns, 0, 60e9, "of each release, on a CPU of its own" },
	{ "rounds", WORK_COUNT, &periodic.rounds, 0, 0,
	  "of the loop that is the work, instead of --work" },
	{ "seconds", WORK_TIME, &periodic.run_ns, 1000, 86400e9, "how long" },
	{ "warm-up", WORK_TIME, &periodic.warm_up_ns, 0, 86400e9, "not counted, at the start" },
	{ "threads", WORK_COUNT, &periodic.nr_threads, 1, WORK_MAX_THREADS,
	  "each with releases of its own" },
	{ "jitter", WORK_SHARE, &periodic.jitter, 0, 1,
	  "releases are shifted by up to this part of the period" },
	{ "seed", WORK_COUNT, &periodic.seed, 0, 0, "of the shifts" },
	{ "format", WORK_TEXT, &periodic.format, 0, 0, "text, or json: one line" },
	{ 0 },
};

/* Registers only, so that the work is the same whoever else uses the caches; one copy of the loop,
 * so that what was calibrated is what runs. */
static __attribute__((noinline)) void compute(uint64_t rounds)
{
	for (; rounds; rounds--)
		__asm__ volatile("");
}

static uint64_t rounds_of(uint64_t work_ns)
{
	uint64_t best_ns = UINT64_MAX;

	for (int i = 0; i < CALIBRATE_TRIES; i++) {
		uint64_t start_ns = work_now_ns(), passed_ns;

		compute(CALIBRATE_ROUNDS);
		passed_ns = work_now_ns() - start_ns;
		best_ns = passed_ns < best_ns ? passed_ns : best_ns;
	}
	return (uint64_t)((double)work_ns * CALIBRATE_ROUNDS / (double)(best_ns ? best_ns : 1));
}

static void sleep_until(uint64_t time_ns)
{
	struct timespec until = { .tv_sec = (time_t)(time_ns / 1000000000),
				  .tv_nsec = (long)(time_ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR && !is_over)
		;
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static void *run_waker(void *data)
{
	struct waker *waker = data;
	const struct periodic *p = &periodic;
	uint64_t state = random_seed(p->seed, waker->number), before_ns = thread_cpu_ns();
	/* Threads are spread over the period. */
	uint64_t first_ns = p->start_ns + p->period_ns * (waker->number + 1) / p->nr_threads;

	for (uint64_t i = 0; i < p->nr_releases; i++) {
		uint64_t shift_ns = (uint64_t)(random_unit(random_next(&state)) * p->jitter *
					       (double)p->period_ns);
		uint64_t release_ns = first_ns + i * p->period_ns + shift_ns;
		struct release *release = &waker->releases[i];

		sleep_until(release_ns);
		if (is_over)
			break;
		release->late_ns = work_now_ns() - release_ns;
		compute(p->rounds);
		release->response_ns = work_now_ns() - release_ns;
		waker->nr_done++;
	}
	waker->cpu_ns = thread_cpu_ns() - before_ns;
	return NULL;
}

static int compare_u64(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

struct spread {
	uint64_t p50, p99, max;
};

/* Nearest rank: the least value that so many in a hundred do not exceed. */
static uint64_t percentile(const uint64_t *sorted, uint64_t nr, unsigned percent)
{
	uint64_t rank = (nr * percent + 99) / 100;

	return nr ? sorted[rank ? rank - 1 : 0] : 0;
}

static struct spread spread_of(uint64_t *values, uint64_t nr)
{
	qsort(values, nr, sizeof(*values), compare_u64);
	return (struct spread){ percentile(values, nr, 50), percentile(values, nr, 99),
				nr ? values[nr - 1] : 0 };
}

struct outcome {
	struct spread late, response;
	uint64_t nr, nr_overruns, run_ns, counted_ns, cpu_ns;
};

/* Releases that are not counted. */
static uint64_t count_before(const struct periodic *p)
{
	uint64_t nr = began_ns ? (began_ns - p->start_ns) / p->period_ns + 1 : 0;

	nr = nr > p->nr_warm_up ? nr : p->nr_warm_up;
	return nr < p->nr_releases ? nr : p->nr_releases;
}

/* An overrun is work that was not done when the next release could have come. */
static struct outcome add_up(const struct periodic *p, uint64_t end_ns)
{
	uint64_t nr_before = count_before(p);
	uint64_t all = (p->nr_releases - nr_before) * p->nr_threads;
	bool is_whole = !is_over;
	uint64_t *late = work_memory(all * sizeof(*late));
	uint64_t *response = work_memory(all * sizeof(*response));
	struct outcome outcome = { .run_ns = end_ns - p->start_ns };
	uint64_t before_ns = nr_before * p->period_ns;

	outcome.counted_ns = before_ns < outcome.run_ns ? outcome.run_ns - before_ns : 0;

	for (unsigned i = 0; i < p->nr_threads; i++) {
		outcome.cpu_ns += p->wakers[i].cpu_ns;
		for (uint64_t k = nr_before; k < p->wakers[i].nr_done; k++) {
			const struct release *release = &p->wakers[i].releases[k];

			late[outcome.nr] = release->late_ns;
			response[outcome.nr++] = release->response_ns;
			outcome.nr_overruns += release->response_ns > p->period_ns;
		}
	}
	work_check(outcome.nr == all || !is_whole, "%llu releases of %llu were done",
		   (unsigned long long)outcome.nr, (unsigned long long)all);
	outcome.late = spread_of(late, outcome.nr);
	outcome.response = spread_of(response, outcome.nr);
	return outcome;
}

static void print_json_spread(const char *name, const struct spread *spread)
{
	printf(", \"%s\": {\"p50\": %llu, \"p99\": %llu, \"max\": %llu}", name,
	       (unsigned long long)spread->p50, (unsigned long long)spread->p99,
	       (unsigned long long)spread->max);
}

static void report_json(const struct periodic *p, const struct outcome *outcome)
{
	printf("{\"program\": \"periodic\", \"threads\": %llu, \"period_ns\": %llu, "
	       "\"rounds\": %llu, \"releases\": %llu, \"overruns\": %llu, \"run_ns\": %llu, "
	       "\"counted_ns\": %llu, \"cpu_ns\": %llu",
	       (unsigned long long)p->nr_threads, (unsigned long long)p->period_ns,
	       (unsigned long long)p->rounds, (unsigned long long)outcome->nr,
	       (unsigned long long)outcome->nr_overruns, (unsigned long long)outcome->run_ns,
	       (unsigned long long)outcome->counted_ns, (unsigned long long)outcome->cpu_ns);
	print_json_spread("wakeup_ns", &outcome->late);
	print_json_spread("response_ns", &outcome->response);
	printf("}\n");
}

static void report_spread(const char *name, const struct spread *spread)
{
	char metric[32];

	snprintf(metric, sizeof(metric), "%s-p50", name);
	work_also(metric, (double)spread->p50 / 1e3, "us", false);
	snprintf(metric, sizeof(metric), "%s-p99", name);
	work_also(metric, (double)spread->p99 / 1e3, "us", false);
	snprintf(metric, sizeof(metric), "%s-max", name);
	work_also(metric, (double)spread->max / 1e3, "us", false);
}

static void report_text(const struct periodic *p, const struct outcome *outcome)
{
	work_also("rounds", (double)p->rounds, "rounds", false);
	work_also("releases", (double)outcome->nr, "releases", true);
	work_also("overruns", (double)outcome->nr_overruns, "releases", false);
	work_also("run", (double)outcome->run_ns / 1e9, "s", false);
	work_also("cpu", (double)outcome->cpu_ns / 1e9, "s", false);
	report_spread("wakeup", &outcome->late);
	report_spread("response", &outcome->response);
	work_result("wakeup-p99", (double)outcome->late.p99 / 1e3, "us", false);
}

static void end_run(int signal)
{
	is_over = true;
}

static void begin_count(int signal)
{
	began_ns = work_now_ns();
}

static void prepare(struct periodic *p)
{
	/* Threads that sleep beyond the end are woken by nobody: no restart, and one thread a
	 * release behind the others at most. */
	const struct sigaction action = { .sa_handler = end_run };
	const struct sigaction begin = { .sa_handler = begin_count, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &begin, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (strcmp(p->format, "text") != 0 && strcmp(p->format, "json") != 0)
		work_fail(2, "--format %s: not a format; text or json", p->format);
	p->nr_releases = p->run_ns / p->period_ns;
	p->nr_warm_up = p->warm_up_ns / p->period_ns;
	if (p->nr_releases <= p->nr_warm_up)
		work_fail(2, "no release is left to count: --seconds must be longer than "
			     "--warm-up by at least one --period");
	if (p->nr_releases > MAX_RELEASES / p->nr_threads)
		work_fail(2, "more than %d releases; take fewer --seconds or a longer --period",
			  MAX_RELEASES);
	if (!p->rounds && p->work_ns)
		p->rounds = rounds_of(p->work_ns);
	for (unsigned i = 0; i < p->nr_threads; i++) {
		p->wakers[i].number = i;
		p->wakers[i].releases = work_memory_touched(p->nr_releases *
							    sizeof(struct release));
	}
}

int main(int argc, char **argv)
{
	struct periodic *p = &periodic;
	struct outcome outcome;

	work_begin("periodic", "Wakes up at each release, computes, sleeps; says how late it was.",
		   options, argc, argv);
	work_phase(WORK_PHASE_BUILD);
	prepare(p);
	work_phase(WORK_PHASE_RUN);
	p->start_ns = work_now_ns();
	for (unsigned i = 1; i < p->nr_threads; i++) {
		int error = pthread_create(&p->wakers[i].thread, NULL, run_waker, &p->wakers[i]);

		if (error)
			work_fail(1, "thread %u cannot be started: %s", i, strerror(error));
	}
	run_waker(&p->wakers[0]);
	for (unsigned i = 1; i < p->nr_threads; i++)
		pthread_join(p->wakers[i].thread, NULL);
	work_phase(WORK_PHASE_CHECK);
	outcome = add_up(p, work_now_ns());
	work_phase(WORK_PHASE_OUTSIDE);
	if (strcmp(p->format, "json") == 0)
		report_json(p, &outcome);
	else
		report_text(p, &outcome);
	return 0;
}
