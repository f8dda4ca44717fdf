/* SPDX-License-Identifier: MIT */
/* What each of several jobs has and had; job_account.h has the picture. */
#include "sim/job_account.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct served { /* misses by who served them */
	uint64_t all, fast;
};

static struct served served(const struct simulation *simulation)
{
	const size_t nr = simulation->nr_counts * SIMULATION_LANES;
	struct served sum = { 0 };
	for (size_t i = 0; i < nr; i += SIMULATION_FLAGS) {
		const uint64_t *counts = &simulation->counts[i];
		size_t node = i % simulation->nr_counts / SIMULATION_FLAGS;
		uint64_t misses = counts[TRACE_MISS] + counts[TRACE_MISS | TRACE_WRITE];
		sum.all += misses;
		sum.fast += simulation->cost->is_fast[node] ? misses : 0;
	}
	return sum;
}

static uint32_t job_of_page(const struct job_account *account, uint32_t page)
{
	return stage_page(account->stage, page).space % account->nr_jobs;
}

static int run_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct job_account *account = context;
	uint32_t space = stage_page(account->stage, events->page[0]).space;
	struct sim_job_figures *job = &account->figures[space % account->nr_jobs];
	account->nr_spaces = MAX(account->nr_spaces, space + 1);
	struct served before = served(account->simulation);
	int error = account->inner.events(account->inner.context, events, err);
	struct served after = served(account->simulation);
	job->misses += after.all - before.all;
	job->fast_misses += after.fast - before.fast;
	return error;
}

static int run_grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct job_account *account = context;
	return account->inner.grow(account->inner.context, nr_pages, err);
}

static int run_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct job_account *account = context;
	return account->inner.freed(account->inner.context, pages, nr, err);
}

static int run_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct job_account *account = context;
	return account->inner.tick(account->inner.context, tick, err);
}

static int run_mapping(void *context, const struct trace_mapping *mapping, struct printbuf *err)
{
	struct job_account *account = context;
	return account->inner.mapping(account->inner.context, mapping, err);
}

static struct stage_consumer wrap(void *context, struct simulation *simulation,
				  const struct stage_consumer *inner)
{
	struct job_account *account = context;
	account->simulation = simulation;
	account->inner = *inner;
	return (struct stage_consumer){
		.context = account,
		.grow = run_grow,
		.events = run_events,
		.freed = run_freed,
		.tick = run_tick,
		.mapping = run_mapping,
	};
}

/* A large folio moves under the number of one of its pages. */
static uint64_t nr_moved(const struct kernel *kernel, uint32_t page)
{
	struct kernel_folio folio;
	uint64_t nr = 0;
	if (kernel->pages[page].order == 0 || !kernel_folio_of(kernel, page, &folio))
		return 1;
	for (uint64_t i = 0; i < folio.nr_pages; i++)
		nr += folio.numbers[i] != UINT32_MAX;
	return nr;
}

static void see(void *context, const struct kernel_event *event)
{
	struct job_account *account = context;
	const struct simulation *simulation = account->simulation;
	uint32_t index = job_of_page(account, event->page);
	struct policy_job *job = &account->jobs[index];
	struct sim_job_figures *figures = &account->figures[index];
	bool was_fast = simulation->cost->is_fast[event->from];
	bool is_fast = simulation->cost->is_fast[event->to];
	uint64_t nr = 1;
	switch (event->kind) {
	case KERNEL_BORN:
		*(is_fast ? &job->fast_pages : &job->slow_pages) += 1;
		break;
	case KERNEL_FREED:
		*(was_fast ? &job->fast_pages : &job->slow_pages) -= 1;
		break;
	case KERNEL_MOVED:
		nr = nr_moved(simulation->kernel, event->page);
		*(was_fast ? &job->fast_pages : &job->slow_pages) -= nr;
		*(is_fast ? &job->fast_pages : &job->slow_pages) += nr;
		figures->nr_promoted += is_fast && !was_fast ? nr : 0;
		figures->nr_demoted += was_fast && !is_fast ? nr : 0;
		break;
	default:
		return;
	}
	figures->peak_fast_pages = MAX(figures->peak_fast_pages, job->fast_pages);
}

int job_account_look(struct job_account *account, struct engine_jobs *ret)
{
	*ret = (struct engine_jobs){
		.jobs = account->jobs,
		.nr_jobs = account->nr_jobs,
		.job_of = account->job_of,
		.nr_spaces = account->nr_spaces,
	};
	return 0;
}

int job_account_new(const struct sim_config *config, const struct stage *stage, uint32_t page_bytes,
		    struct job_account **ret)
{
	struct job_account *account = calloc(1, sizeof(*account));
	if (!account)
		return -ENOMEM;
	account->stage = stage;
	account->nr_jobs = config->nr_jobs;
	account->watch.context = account;
	account->watch.wrap = wrap;
	account->watch.kernel.context = account;
	account->watch.kernel.page = KERNEL_WATCH_ALL;
	account->watch.kernel.see = see;
	account->jobs = calloc(config->nr_jobs, sizeof(*account->jobs));
	account->figures = calloc(config->nr_jobs, sizeof(*account->figures));
	uint32_t max_spaces = SIM_JOB_SPACES_MAX * config->nr_jobs;
	account->job_of = calloc(max_spaces, sizeof(*account->job_of));
	if (!account->jobs || !account->figures || !account->job_of) {
		job_account_free(account);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < max_spaces; i++)
		account->job_of[i] = i % config->nr_jobs;
	for (uint32_t i = 0; i < config->nr_jobs; i++) {
		uint64_t cap = config->jobs[i].cap_bytes;
		account->jobs[i].floor_pages = config->jobs[i].floor_bytes / page_bytes;
		account->jobs[i].cap_pages = cap == UINT64_MAX ? UINT64_MAX : cap / page_bytes;
	}
	*ret = account;
	return 0;
}

struct job_account *job_account_free(struct job_account *account)
{
	if (!account)
		return NULL;
	free(account->jobs);
	free(account->figures);
	free(account->job_of);
	free(account);
	return NULL;
}

void job_account_finish(struct job_account *account)
{
	for (uint32_t i = 0; i < account->nr_jobs; i++) {
		account->figures[i].fast_pages = account->jobs[i].fast_pages;
		account->figures[i].slow_pages = account->jobs[i].slow_pages;
		account->figures[i].has_pages = account->simulation->pinned == KERNEL_NOWHERE;
	}
}
