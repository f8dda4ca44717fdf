/* SPDX-License-Identifier: MIT */
/*
 * Lots of operations, intervals, and holding still (pace.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lab/workloads/common/pace.h"

#define PACE_LOT	 1024
#define PACE_INTERVAL_NS 1000000000ULL

void pace_default(struct pace *pace, uint64_t operations)
{
	if (!pace->operations && !pace->time_ns)
		pace->operations = operations;
	if (pace->before_bytes)
		pace->before = work_memory_touched(pace->before_bytes);
}

static uint64_t passed_ns(const struct pace *pace)
{
	return work_now_ns() - pace->start_ns - pace->stood_ns;
}

static uint64_t count_done(const struct pace *pace)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < pace->nr_threads; i++)
		sum += atomic_load_explicit(&pace->threads[i].nr_done, memory_order_relaxed);
	return sum;
}

static void say_interval(struct pace *pace, uint64_t nr_done, uint64_t now_ns)
{
	uint64_t ops = nr_done - pace->said_done, ns = now_ns - pace->said_ns;

	printf("interval %llu ops %llu mops %.4f ns %llu\n", (unsigned long long)++pace->nr_said,
	       (unsigned long long)ops, ns ? (double)ops * 1e3 / (double)ns : 0,
	       (unsigned long long)ns);
	pace->said_done = nr_done;
	pace->said_ns = now_ns;
}

/* One thread at a time, after each lot: the interval's line, the end of the time, and what the
 * program wants. */
static void look(struct pace *pace)
{
	uint64_t now_ns = passed_ns(pace), nr_done = count_done(pace);

	if (now_ns - pace->said_ns >= PACE_INTERVAL_NS)
		say_interval(pace, nr_done, now_ns);
	if (pace->time_ns && now_ns >= pace->time_ns)
		atomic_store(&pace->is_over, true);
	if (pace->after_lot)
		pace->after_lot(pace, pace->argument, nr_done, now_ns);
}

static void wait_while_held(struct pace *pace)
{
	pthread_mutex_lock(&pace->lock);
	pace->nr_still++;
	pthread_cond_broadcast(&pace->changed);
	while (atomic_load(&pace->is_held))
		pthread_cond_wait(&pace->changed, &pace->lock);
	pace->nr_still--;
	pthread_mutex_unlock(&pace->lock);
}

static uint64_t take_lot(struct pace *pace)
{
	uint64_t before;

	if (atomic_load_explicit(&pace->is_over, memory_order_relaxed))
		return 0;
	if (!pace->operations)
		return pace->lot;
	before = atomic_fetch_add(&pace->nr_handed, pace->lot);
	if (before >= pace->operations)
		return 0;
	return pace->operations - before < pace->lot ? pace->operations - before : pace->lot;
}

/* Registers only: memory is not touched however long it takes. */
static void think(uint64_t rounds)
{
	for (; rounds; rounds--)
		__asm__ volatile("");
}

uint64_t pace_next(struct pace *pace, unsigned thread)
{
	struct pace_thread *own = &pace->threads[thread];

	think(own->lot * pace->think);
	if (own->lot)
		atomic_store_explicit(&own->nr_done, own->nr_done + own->lot, memory_order_relaxed);
	if (own->lot && !atomic_flag_test_and_set(&pace->is_looking)) {
		look(pace);
		atomic_flag_clear(&pace->is_looking);
	}
	if (atomic_load_explicit(&pace->is_held, memory_order_relaxed))
		wait_while_held(pace);
	own->lot = take_lot(pace);
	return own->lot;
}

void pace_hold(struct pace *pace, void (*what)(void *argument), void *argument, bool is_free)
{
	uint64_t start_ns = work_now_ns();

	pthread_mutex_lock(&pace->lock);
	atomic_store(&pace->is_held, true);
	while (pace->nr_still + 1 < pace->nr_threads)
		pthread_cond_wait(&pace->changed, &pace->lock);
	if (is_free)
		work_phase(WORK_PHASE_PLACE);
	what(argument);
	if (is_free) {
		pace->stood_ns += work_now_ns() - start_ns;
		work_phase(WORK_PHASE_RUN);
	}
	atomic_store(&pace->is_held, false);
	pthread_cond_broadcast(&pace->changed);
	pthread_mutex_unlock(&pace->lock);
}

struct pace_start {
	struct pace *pace;
	unsigned thread;
};

static void *run_thread(void *data)
{
	struct pace_start *start = data;
	struct pace *pace = start->pace;

	pace->work(pace, start->thread, pace->argument);
	pthread_mutex_lock(&pace->lock);
	pace->nr_still++;
	pthread_cond_broadcast(&pace->changed);
	pthread_mutex_unlock(&pace->lock);
	return NULL;
}

void pace_run(struct pace *pace, void (*work)(struct pace *pace, unsigned thread, void *argument),
	      void *argument)
{
	pthread_t threads[WORK_MAX_THREADS];
	struct pace_start starts[WORK_MAX_THREADS] = { { pace, 0 } };

	if (!pace->nr_threads)
		pace->nr_threads = 1;
	if (!pace->lot)
		pace->lot = PACE_LOT;
	pace->work = work;
	pace->argument = argument;
	pthread_mutex_init(&pace->lock, NULL);
	pthread_cond_init(&pace->changed, NULL);
	if (pace->before)
		munmap(pace->before, pace->before_bytes);
	work_phase(WORK_PHASE_RUN);
	pace->start_ns = work_now_ns();
	for (unsigned i = 1; i < pace->nr_threads; i++)
		starts[i] = (struct pace_start){ pace, i };
	for (unsigned i = 1; i < pace->nr_threads; i++) {
		int error = pthread_create(&threads[i], NULL, run_thread, &starts[i]);

		if (error)
			work_fail(1, "thread %u cannot be started: %s", i, strerror(error));
	}
	run_thread(&starts[0]);
	for (unsigned i = 1; i < pace->nr_threads; i++)
		pthread_join(threads[i], NULL);
	pace->passed_ns = passed_ns(pace);
	pace->nr_done = count_done(pace);
	if (pace->nr_done != pace->said_done)
		say_interval(pace, pace->nr_done, pace->passed_ns);
	work_phase(WORK_PHASE_CHECK);
}

double pace_mops(const struct pace *pace)
{
	return pace->passed_ns ? (double)pace->nr_done * 1e3 / (double)pace->passed_ns : 0;
}
