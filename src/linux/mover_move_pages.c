/* SPDX-License-Identifier: MIT */
/*
 * move_pages: moving in a thread of its own, so that the engine goes on looking meanwhile.
 *
 *     engine's thread                                     the worker
 *     submit --> moves: ring of 32,768 runs of pages ---> batch (move_batch.h), at its pace
 *                what a cap claims goes to its front, and is not paced
 *                targets: who they are of, by a pidfd           |
 *     complete <- results: ring of 4,096 runs  <----------------+
 *     the loop's poll <- eventfd: all is done, or the ring is half full; 20 times a second at most,
 *                        and not for pages that are known to stay
 *
 * Everything is bounded. What the rings have no room for is not taken: the engine tells the policy
 * so, which asks again when it still wants it. A worker whose results nobody takes waits. One
 * worker and not one per node: a plan's moves into the fast node need the room that its moves out
 * of it make, in this order.
 *
 * The live world belongs to the engine's thread. The worker has copies: of a process its pid and a
 * pidfd of its own, asked before each batch. A process that ends, or becomes another program,
 * meanwhile has no such pages any more, which the kernel says.
 *
 * Cost: 1.1 MiB, of which only what is used is ever touched; a lock taken twice per batch. Its CPU
 * time is told in live.moving_ns.
 */
#include "linux/mover_move_pages.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/move_batch.h"
#include "linux/movers.h"
#include "linux/numa.h"
#include "linux/pace.h"
#include "linux/pressure.h"

#define RUNS_MAX      MOVER_RUNS_MAX
#define RESULTS_MAX   4096 /* at least one batch */
#define TARGETS_MAX   256
#define APART_NS      NS_PER_MS
#define TELL_EVERY_NS (50 * NS_PER_MS)
#define STACK_BYTES   ((size_t)256 << 10)
#define NO_TARGET     UINT32_MAX
#define BLOCK_PAGES   512 /* of a huge folio */

struct run { /* pages of one process that are to go to one node */
	uint64_t page;
	uint32_t nr_pages;
	uint16_t target;
	uint16_t to : 15, is_claimed : 1;
};

struct target {
	struct move_target is;
	uint32_t nr_runs; /* that are not done with; 0: the slot is free */
};

struct mover {
	struct live *live;
	pthread_t worker;
	bool has_worker, has_pressure;
	int done_fd;		/* eventfd */
	pthread_mutex_t lock;	/* all below, but for the worker's own */
	pthread_cond_t changed; /* moves came, results went, or it is to end */
	bool is_closing;
	struct run *runs; /* ring */
	uint32_t runs_first, nr_runs;
	uint64_t nr_pages; /* in the ring and in the batch */
	struct target targets[TARGETS_MAX];
	uint32_t last_target;
	struct move_result *results; /* ring */
	uint32_t results_first, nr_results;
	bool has_news;	    /* among them are some that are worth a tick */
	uint64_t worked_ns; /* CPU time, not yet told */
	struct mover_figures figures;
	int pressure_fd;
	struct pace pace;
	/* the worker's own */
	struct move_batch batch;
	uint64_t told_ns, used_ns, took_ns;
	uint32_t used_runs[TARGETS_MAX]; /* ended in this batch, of each target */
	uint32_t batch_target;
};

/* ---- the worker ---- */

static void wait_until(struct mover *mover, uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S),
				  .tv_nsec = (long)(until_ns % NS_PER_S) };
	pthread_cond_timedwait(&mover->changed, &mover->lock, &until);
}

static void tell(struct mover *mover)
{
	uint64_t one = 1;
	mover->has_news = false;
	mover->told_ns = clock_now_ns();
	if (write(mover->done_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

/* Waits for moves, and tells of results when they have come to rest. False: it is to end. */
static bool wait_for_runs(struct mover *mover)
{
	while (!mover->is_closing && mover->nr_runs == 0) {
		uint64_t due_ns = mover->told_ns + TELL_EVERY_NS;
		if (!mover->has_news) {
			pthread_cond_wait(&mover->changed, &mover->lock);
		} else if (clock_now_ns() < due_ns) {
			wait_until(mover, due_ns);
		} else {
			tell(mover);
		}
	}
	return !mover->is_closing;
}

/* How many of its pages go into the batch. A block that may be one folio is not cut: it would move
 * with its first pages, and the others be told to be there already. */
static uint32_t fitting(const struct run *run, uint32_t room, bool is_first)
{
	uint32_t nr = MIN(run->nr_pages, room);
	uint64_t block = (run->page + nr) & ~(uint64_t)(BLOCK_PAGES - 1);
	bool is_whole = block >= run->page && block + BLOCK_PAGES <= run->page + run->nr_pages;
	if (nr == run->nr_pages || !is_whole || (is_first && block == run->page))
		return nr;
	return (uint32_t)(block - run->page);
}

/* Fills the batch with the next pages of one process. */
static void take_runs(struct mover *mover)
{
	uint32_t target = mover->runs[mover->runs_first].target;
	uint64_t now_ns = clock_now_ns();
	mover->batch_target = target;
	mover->used_runs[target] = 0;
	move_batch_begin(&mover->batch, &mover->targets[target].is);
	while (mover->nr_runs > 0 && move_batch_room(&mover->batch) > 0) {
		struct run *run = &mover->runs[mover->runs_first];
		if (run->target != target)
			return;
		uint32_t nr = fitting(run, move_batch_room(&mover->batch),
				      mover->batch.nr_items == 0);
		move_batch_add(&mover->batch, run->page, nr, run->to, now_ns);
		run->page += nr;
		run->nr_pages -= nr;
		if (run->nr_pages > 0)
			return;
		mover->runs_first = (mover->runs_first + 1) % RUNS_MAX;
		mover->nr_runs--;
		mover->used_runs[target]++;
	}
}

static void release_target(struct mover *mover, uint32_t index)
{
	struct target *target = &mover->targets[index];
	target->nr_runs -= mover->used_runs[index];
	if (target->nr_runs == 0)
		move_target_close(&target->is);
}

/* False: it is to end, and nobody took the results that there are. */
static bool hand_over(struct mover *mover)
{
	const struct move_batch *batch = &mover->batch;
	while (!mover->is_closing && mover->nr_results + batch->nr_results > RESULTS_MAX) {
		tell(mover);
		pthread_cond_wait(&mover->changed, &mover->lock);
	}
	if (mover->nr_results + batch->nr_results > RESULTS_MAX)
		return false;
	for (uint32_t i = 0; i < batch->nr_results; i++) {
		uint32_t at = (mover->results_first + mover->nr_results++) % RESULTS_MAX;
		mover->results[at] = batch->results[i];
	}
	mover->has_news |= batch->nr_tried_pages > 0;
	mover->nr_pages -= batch->nr_items;
	mover->figures.nr_left_pages += batch->nr_items - batch->nr_tried_pages;
	release_target(mover, mover->batch_target);
	memcpy(mover->figures.unmovable_pages, batch->unmovable.nr_pages,
	       sizeof(mover->figures.unmovable_pages));
	if (mover->nr_results > RESULTS_MAX / 2)
		tell(mover);
	return true;
}

static void count_work(struct mover *mover)
{
	uint64_t used_ns = clock_thread_cpu_ns();
	mover->worked_ns += used_ns - mover->used_ns;
	mover->used_ns = used_ns;
	mover->figures.rate_most = mover->pace.most;
	mover->figures.rate_least = mover->pace.least_seen;
	mover->figures.nr_halved = mover->pace.nr_halved;
}

static bool is_pressed(int fd)
{
	struct pollfd ask = { .fd = fd, .events = POLLPRI };
	return fd >= 0 && poll(&ask, 1, 0) > 0 && ask.revents & POLLPRI;
}

static bool has_claim(const struct mover *mover)
{
	return mover->nr_runs > 0 && mover->runs[mover->runs_first].is_claimed;
}

/* As long as the pace asks, unless it is to end, or a cap is to be kept. */
static void rest(struct mover *mover)
{
	uint64_t bytes = mover->batch.nr_moved_pages * mover->live->machine->page_bytes;
	uint64_t now_ns = clock_now_ns();
	if (is_pressed(mover->pressure_fd))
		pace_press(&mover->pace, now_ns);
	uint64_t until_ns = now_ns + pace_spend(&mover->pace, bytes, mover->took_ns, now_ns);
	while (!mover->is_closing && !has_claim(mover) && clock_now_ns() < until_ns)
		wait_until(mover, until_ns);
}

/* As many pages at a time as take a millisecond: for so long whoever uses one of them waits. Not
 * few: all CPUs that run the program flush their translations for each time. */
static uint32_t nr_apart(const struct mover *mover)
{
	uint64_t nr = mover->pace.speed / (NS_PER_S / APART_NS) / mover->live->machine->page_bytes;
	return (uint32_t)MIN(MAX(nr, MOVE_APART_MIN), MOVE_APART_MAX);
}

static void *work(void *context)
{
	struct mover *mover = context;
	pthread_mutex_lock(&mover->lock);
	while (wait_for_runs(mover)) {
		take_runs(mover);
		mover->batch.nr_apart = nr_apart(mover);
		pthread_mutex_unlock(&mover->lock);
		uint64_t begin_ns = clock_now_ns();
		move_batch_run(&mover->batch, begin_ns);
		mover->took_ns = clock_now_ns() - begin_ns;
		pthread_mutex_lock(&mover->lock);
		count_work(mover);
		if (!hand_over(mover))
			break;
		rest(mover);
	}
	count_work(mover);
	pthread_mutex_unlock(&mover->lock);
	return NULL;
}

/* ---- the engine's thread ---- */

/* -ENOSPC: moves of too many processes are not done with. */
static int find_target(struct mover *mover, uint32_t space, uint32_t *ret)
{
	uint32_t unused = NO_TARGET;
	struct target *last = &mover->targets[mover->last_target];
	if (last->nr_runs > 0 && last->is.space == space) {
		*ret = mover->last_target;
		return 0;
	}
	for (uint32_t i = 0; i < TARGETS_MAX; i++) {
		if (mover->targets[i].nr_runs == 0) {
			unused = i;
		} else if (mover->targets[i].is.space == space) {
			*ret = mover->last_target = i;
			return 0;
		}
	}
	if (unused == NO_TARGET)
		return -ENOSPC;
	int error = move_target_open(mover->live, space, &mover->targets[unused].is);
	if (error)
		return error;
	*ret = mover->last_target = unused;
	return 0;
}

/* Pages that follow those of the run that came last, in front or at the end, lengthen it. */
static bool lengthen(struct mover *mover, const struct run *next)
{
	if (mover->nr_runs == 0)
		return false;
	uint32_t at = next->is_claimed ? 0 : mover->nr_runs - 1;
	struct run *last = &mover->runs[(mover->runs_first + at) % RUNS_MAX];
	if (last->is_claimed != next->is_claimed || last->target != next->target ||
	    last->to != next->to || last->page + last->nr_pages != next->page ||
	    next->nr_pages > UINT32_MAX - last->nr_pages)
		return false;
	last->nr_pages += next->nr_pages;
	return true;
}

/* What waits longer than a second is not what is wanted by then. */
static uint64_t pages_allowed(const struct mover *mover)
{
	uint64_t in_a_second = mover->pace.now / mover->live->machine->page_bytes;
	return MIN(MAX(in_a_second, MOVE_BATCH_PAGES), MOVER_PAGES_MAX);
}

/* A claim does not wait for room: it is in front of what waits. */
static bool has_room(const struct mover *mover, const struct plan_move *move)
{
	uint64_t allowed = move->is_claimed ? 2 * MOVER_PAGES_MAX : pages_allowed(mover);
	return mover->nr_pages == 0 || mover->nr_pages + move->nr_pages <= allowed;
}

static struct run *place_for(struct mover *mover, bool is_claimed)
{
	uint32_t at = is_claimed ? RUNS_MAX - 1 : mover->nr_runs;
	uint32_t place = (mover->runs_first + at) % RUNS_MAX;
	mover->runs_first = is_claimed ? place : mover->runs_first;
	mover->nr_runs++;
	return &mover->runs[place];
}

/* False: no room for it now. An empty mover takes any move. */
static bool take_move(struct mover *mover, const struct plan_move *move)
{
	uint32_t target = 0;
	if (mover->nr_runs == RUNS_MAX || move->nr_pages > UINT32_MAX || !has_room(mover, move) ||
	    find_target(mover, move->space, &target))
		return false;
	struct run run = { .page = move->page,
			   .nr_pages = (uint32_t)move->nr_pages,
			   .target = (uint16_t)target,
			   .to = move->to & 0x7fff,
			   .is_claimed = move->is_claimed };
	mover->nr_pages += move->nr_pages;
	if (lengthen(mover, &run))
		return true;
	*place_for(mover, run.is_claimed) = run;
	mover->targets[target].nr_runs++;
	return true;
}

/* Whose pressure: that of the watched cgroup, or all of the machine's. Once it is known whom we
 * watch. */
static void watch_pressure(struct mover *mover)
{
	if (!mover->has_pressure)
		mover->pressure_fd = pressure_open_memory(mover->live->root, mover->live->cgroup);
	mover->has_pressure = true;
}

static int submit(void *state, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct mover *mover = state;
	uint32_t taken = 0;
	(void)now_ns;
	pthread_mutex_lock(&mover->lock);
	watch_pressure(mover);
	while (!mover->is_closing && taken < nr && take_move(mover, &moves[taken]))
		taken++;
	pthread_cond_signal(&mover->changed);
	pthread_mutex_unlock(&mover->lock);
	return (int)taken;
}

static int complete(void *state, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct mover *mover = state;
	uint64_t nr_told;
	uint32_t nr = 0;
	(void)now_ns;
	if (read(mover->done_fd, &nr_told, sizeof(nr_told)) < 0)
		nr_told = 0; /* nothing was told: there may be results all the same */
	pthread_mutex_lock(&mover->lock);
	for (; nr < max && mover->nr_results > 0; nr++, mover->nr_results--) {
		results[nr] = mover->results[mover->results_first];
		mover->results_first = (mover->results_first + 1) % RESULTS_MAX;
	}
	mover->live->moving_ns += mover->worked_ns;
	mover->worked_ns = 0;
	if (nr > 0)
		pthread_cond_signal(&mover->changed);
	pthread_mutex_unlock(&mover->lock);
	return (int)nr;
}

static int mover_fd(const void *state)
{
	return ((const struct mover *)state)->done_fd;
}

static void tell_figures(void *state, struct mover_figures *ret)
{
	struct mover *mover = state;
	pthread_mutex_lock(&mover->lock);
	*ret = mover->figures;
	mover->live->moving_ns += mover->worked_ns;
	mover->worked_ns = 0;
	pthread_mutex_unlock(&mover->lock);
}

/* Asks where a page of our own is: a filter of system calls would refuse that too. */
static int probe(void *world, struct printbuf *err)
{
	struct live *live = world;
	uint32_t nr_memory = 0;
	char here = 1;
	void *pages[] = { &here };
	int node;
	for (uint32_t i = 0; i < live->machine->nr_nodes; i++)
		nr_memory += live->machine->nodes[i].tier != UINT32_MAX;
	int error = numa_where(0, 1, pages, &node);
	if (error)
		return error_set(err, error == -ENOSYS ? -EOPNOTSUPP : error,
				 "move_pages: %s; the kernel needs CONFIG_NUMA, and a container a "
				 "filter of system calls that allows it",
				 error_text(error));
	if (nr_memory < 2)
		return error_set(err, -EOPNOTSUPP,
				 "move_pages: this machine has one node with memory: nowhere to "
				 "move to");
	return 0;
}

/* What is being moved comes to its end; what waits stays where it is. */
static void finish(void *state)
{
	struct mover *mover = state;
	if (!mover->has_worker)
		return;
	pthread_mutex_lock(&mover->lock);
	mover->is_closing = true;
	pthread_cond_signal(&mover->changed);
	pthread_mutex_unlock(&mover->lock);
	pthread_join(mover->worker, NULL);
	mover->has_worker = false;
}

static void mover_free(void *state)
{
	struct mover *mover = state;
	if (!mover)
		return;
	finish(mover);
	for (uint32_t i = 0; i < TARGETS_MAX; i++)
		move_target_close(&mover->targets[i].is);
	if (mover->done_fd >= 0)
		close(mover->done_fd);
	if (mover->pressure_fd >= 0)
		close(mover->pressure_fd);
	pthread_cond_destroy(&mover->changed);
	pthread_mutex_destroy(&mover->lock);
	move_batch_fini(&mover->batch);
	free(mover->runs);
	free(mover->results);
	free(mover);
}

/* Signals are the engine's thread's. */
static int start_worker(struct mover *mover)
{
	sigset_t all, old;
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	sigfillset(&all);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&mover->worker, &attributes, work, mover);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	mover->has_worker = error == 0;
	return -error;
}

static void init_lock(struct mover *mover)
{
	pthread_condattr_t attributes;
	pthread_mutex_init(&mover->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&mover->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static int mover_init(struct mover *mover)
{
	mover->runs = calloc(RUNS_MAX, sizeof(*mover->runs));
	mover->results = calloc(RESULTS_MAX, sizeof(*mover->results));
	if (!mover->runs || !mover->results)
		return -ENOMEM;
	mover->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mover->done_fd < 0)
		return -errno;
	int error = move_batch_init(&mover->batch, mover->live->root, mover->live->machine);
	return error ? error : start_worker(mover);
}

static int mover_new(struct live *live, void **ret_mover, struct printbuf *err)
{
	struct mover *mover = calloc(1, sizeof(*mover));
	if (!mover)
		return error_set(err, -ENOMEM, "move_pages: out of memory");
	mover->live = live;
	mover->done_fd = mover->pressure_fd = -1;
	mover->batch.pageflags_fd = mover->batch.pagecount_fd = -1;
	for (uint32_t i = 0; i < TARGETS_MAX; i++)
		mover->targets[i].is.pidfd = -1;
	mover->figures.rate_most = mover->figures.rate_least = pace_most(live->machine);
	pace_init(&mover->pace, mover->figures.rate_most, clock_now_ns());
	init_lock(mover);
	int error = mover_init(mover);
	if (error) {
		mover_free(mover);
		return error_set(err, error, "move_pages: its thread cannot be started: %s",
				 error_text(error));
	}
	*ret_mover = mover;
	return 0;
}

static const struct mover_ops move_pages_ops = {
	.name = "move_pages",
	.summary = "move_pages(2), a folio at a time, with the result read back",
	.probe = probe,
	.submit = submit,
	.complete = complete,
};

const struct live_mover live_mover_move_pages = { &move_pages_ops, mover_new, mover_fd,
						  tell_figures,	   finish,    mover_free };
