/* SPDX-License-Identifier: MIT */
/*
 * damos: moving by a scheme of a kdamond of our own, in a thread of its own.
 *
 *     engine's thread                                   the worker
 *     submit --> one batch: a plan's first moves of  --> damos_batch_run (damos_batch.h)
 *                one process, 2,048 pages at most              |
 *     complete <- its results <--------------------------------+
 *     the loop's poll <- eventfd: the batch is done
 *
 * One batch at a time: what is offered meanwhile is not taken, and the policy asks again. It is for
 * pages that move_pages(2) refuses since other processes map them too (MPOL_MF_MOVE of it leaves
 * them, DAMON does not ask who maps a page), and where a filter of system calls forbids it; it does
 * without a plan's finer points: what cannot be moved is tried again, no pressure is heeded, and it
 * is not told why a page stayed.
 *
 * The kdamond is made with the first moves, since the journal is there by then: the slot of a list
 * that it shares with samplers (kdamond.h). Only the worker starts and stops it.
 *
 * Cost: that of damos_batch.h; the CPU time of the kernel's thread counts as the mover's.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/damos_batch.h"
#include "linux/movers.h"
#include "linux/process.h"

#define SINCE_MIGRATE 6011 /* 6.11, written as a number */
#define SINCE_VIRTUAL 6017

enum stage { IDLE, MOVING, DONE };

struct damos {
	struct live *live;
	struct kdamond kdamond;
	pthread_t worker;
	bool has_worker;
	int done_fd; /* eventfd */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum stage stage; /* MOVING: the batch is the worker's */
	bool is_closing;
	int error; /* of the last batch */
	uint32_t next_result;
	struct plan_move rest; /* of a move that is larger than a batch */
	uint64_t worked_ns;
	struct mover_figures figures;
	struct damos_batch batch;
};

static int probe(void *world, struct printbuf *err)
{
	struct live *live = world;
	uint32_t version = kernel_version(live->root);
	if (version && version < SINCE_MIGRATE)
		return error_set(
			err, -EOPNOTSUPP,
			"damos: DAMON moves pages since Linux 6.11, and this is %u.%u; use "
			"move_pages",
			version / 1000, version % 1000);
	int error = kdamond_probe(live->root, &live->kdamonds, err);
	return error ? error : live_mover_move_pages.ops->probe(world, err);
}

/* ---- the worker ---- */

static void count_work(struct damos *damos, uint64_t cpu_ns, uint64_t kernel_ns)
{
	const struct damos_stats *stats = &damos->batch.stats;
	damos->worked_ns += cpu_ns + stats->kernel_ns - kernel_ns;
	damos->figures.scheme_tried_bytes = stats->tried_bytes;
	damos->figures.scheme_applied_bytes = stats->applied_bytes;
}

static void *work(void *context)
{
	struct damos *damos = context;
	uint64_t one = 1;
	pthread_mutex_lock(&damos->lock);
	while (!damos->is_closing) {
		if (damos->stage != MOVING) {
			pthread_cond_wait(&damos->changed, &damos->lock);
			continue;
		}
		pthread_mutex_unlock(&damos->lock);
		uint64_t begin_ns = clock_thread_cpu_ns();
		uint64_t kernel_ns = damos->batch.stats.kernel_ns;
		int error = damos_batch_run(&damos->batch, &damos->kdamond);
		pthread_mutex_lock(&damos->lock);
		count_work(damos, clock_thread_cpu_ns() - begin_ns, kernel_ns);
		damos->error = error;
		damos->stage = DONE;
		if (write(damos->done_fd, &one, sizeof(one)) < 0)
			continue; /* it is readable already */
	}
	pthread_mutex_unlock(&damos->lock);
	return NULL;
}

/* ---- the engine's thread ---- */

static int take_target(struct damos *damos, uint32_t space)
{
	struct move_target target;
	int error = move_target_open(damos->live, space, &target);
	if (error)
		return error;
	move_target_close(&damos->batch.target);
	damos->batch.target = target;
	return 0;
}

/* Pages of a move, as many as there is room for. */
static void add_pages(struct damos_batch *batch, struct plan_move *move)
{
	uint64_t nr = MIN(move->nr_pages, (uint64_t)(DAMOS_PAGES_MAX - batch->nr));
	for (uint64_t i = 0; i < nr; i++)
		batch->items[batch->nr++] = (struct damos_item){
			.page = move->page + i,
			.to = move->to,
		};
	move->page += nr;
	move->nr_pages -= nr;
}

/* The first moves, as long as they are of one process and there is room. What is left of the last
 * one makes the next batch. */
static uint32_t take_moves(struct damos *damos, const struct plan_move *moves, uint32_t nr)
{
	struct damos_batch *batch = &damos->batch;
	uint32_t taken = 0;
	batch->nr = 0;
	while (taken < nr && moves[taken].space == moves[0].space && damos->rest.nr_pages == 0 &&
	       batch->nr < DAMOS_PAGES_MAX) {
		damos->rest = moves[taken++];
		add_pages(batch, &damos->rest);
	}
	return taken;
}

/* WHEN: the lock is held. */
static void begin_batch(struct damos *damos)
{
	damos->stage = MOVING;
	damos->next_result = 0;
	pthread_cond_signal(&damos->changed);
}

static int submit(void *state, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct damos *damos = state;
	struct live *live = damos->live;
	(void)now_ns;
	pthread_mutex_lock(&damos->lock);
	bool is_idle = damos->stage == IDLE && !damos->is_closing;
	pthread_mutex_unlock(&damos->lock);
	if (!is_idle || nr == 0)
		return 0;
	int error = damos->kdamond.list ? damos->error
					: kdamond_make(&live->kdamonds, live->root, live->journal,
						       &damos->kdamond, NULL);
	if (!error)
		error = take_target(damos, moves[0].space);
	if (error)
		return error;
	uint32_t taken = take_moves(damos, moves, nr);
	pthread_mutex_lock(&damos->lock);
	begin_batch(damos);
	pthread_mutex_unlock(&damos->lock);
	return (int)taken;
}

/* WHEN: the lock is held, and all results were taken. */
static void end_batch(struct damos *damos)
{
	damos->stage = IDLE;
	damos->batch.nr = 0;
	if (damos->rest.nr_pages == 0 || damos->is_closing)
		return;
	add_pages(&damos->batch, &damos->rest);
	begin_batch(damos);
}

static int complete(void *state, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct damos *damos = state;
	const struct damos_batch *batch = &damos->batch;
	uint64_t nr_told;
	uint32_t nr = 0;
	(void)now_ns;
	if (read(damos->done_fd, &nr_told, sizeof(nr_told)) < 0)
		nr_told = 0; /* nothing was told */
	pthread_mutex_lock(&damos->lock);
	if (damos->stage == DONE) {
		while (nr < max && damos->next_result < batch->nr_results)
			results[nr++] = batch->results[damos->next_result++];
		if (damos->next_result == batch->nr_results)
			end_batch(damos);
	}
	damos->live->moving_ns += damos->worked_ns;
	damos->worked_ns = 0;
	pthread_mutex_unlock(&damos->lock);
	return (int)nr;
}

static int damos_fd(const void *state)
{
	return ((const struct damos *)state)->done_fd;
}

static void tell_figures(void *state, struct mover_figures *ret)
{
	struct damos *damos = state;
	pthread_mutex_lock(&damos->lock);
	*ret = damos->figures;
	damos->live->moving_ns += damos->worked_ns;
	damos->worked_ns = 0;
	pthread_mutex_unlock(&damos->lock);
}

static void finish(void *state)
{
	struct damos *damos = state;
	if (!damos->has_worker)
		return;
	pthread_mutex_lock(&damos->lock);
	damos->is_closing = true;
	pthread_cond_signal(&damos->changed);
	pthread_mutex_unlock(&damos->lock);
	pthread_join(damos->worker, NULL);
	damos->has_worker = false;
}

static void damos_free(void *state)
{
	struct damos *damos = state;
	if (!damos)
		return;
	finish(damos);
	kdamond_remove(&damos->kdamond);
	move_target_close(&damos->batch.target);
	if (damos->done_fd >= 0)
		close(damos->done_fd);
	pthread_cond_destroy(&damos->changed);
	pthread_mutex_destroy(&damos->lock);
	free(damos);
}

/* Signals are the engine's thread's. */
static int start_worker(struct damos *damos)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int error = -pthread_create(&damos->worker, NULL, work, damos);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	damos->has_worker = !error;
	return error;
}

static int damos_new(struct live *live, void **ret_mover, struct printbuf *err)
{
	struct damos *damos = calloc(1, sizeof(*damos));
	if (!damos)
		return error_set(err, -ENOMEM, "damos: out of memory");
	damos->live = live;
	damos->batch.root = live->root;
	damos->batch.machine = live->machine;
	damos->batch.is_virtual = kernel_version(live->root) >= SINCE_VIRTUAL;
	damos->batch.target.pidfd = -1;
	damos->figures.rate_most = damos->figures.rate_least = UINT64_MAX;
	pthread_mutex_init(&damos->lock, NULL);
	pthread_cond_init(&damos->changed, NULL);
	damos->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = damos->done_fd < 0 ? -errno : start_worker(damos);
	if (error) {
		damos_free(damos);
		return error_set(err, error, "damos: its thread cannot be started: %s",
				 error_text(error));
	}
	*ret_mover = damos;
	return 0;
}

static const struct mover_ops damos_ops = {
	.name = "damos",
	.summary = "schemes of the kernel's monitor, shared pages too, with the result read back",
	.probe = probe,
	.submit = submit,
	.complete = complete,
};

const struct live_mover live_mover_damos = { &damos_ops,   damos_new, damos_fd,
					     tell_figures, finish,    damos_free };
