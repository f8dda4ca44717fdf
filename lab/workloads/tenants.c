/* SPDX-License-Identifier: MIT */
/*
 * Two tenants of one machine: a greedy one that scans ever more memory, and a modest one with a
 * small hot set. What does the greedy one cost the modest one?
 *
 *     greedy (a process of its own)    modest (the one that is measured)
 *     touches --greedy-start           waits
 *                                      touches --modest: slow, where fast memory is full
 *     scans, and grows by a step       random updates of all of it
 *     after each pass, up to --greedy
 *
 * Scanning once over much memory makes every page look recently used, though none is used again
 * soon; the modest tenant's pages are used all the time. The modest tenant is paced by operations;
 * the greedy one goes on until it is done. Both check their sums: each word counts how often it
 * was updated or gone over. The two speak through one shared page.
 *
 * Best static placement (LAB_PLACE): first greedy's pages go to the slow nodes, then modest's to
 * the fast ones, then greedy's fill what fast memory is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"

#define LINE_WORDS 8  /* a cache line */
#define STEPS	   16 /* passes until greedy has grown to its whole */

enum turn {
	TURN_GREEDY_TOUCHES,
	TURN_MODEST_TOUCHES,
	TURN_GREEDY_YIELDS,
	TURN_MODEST_PLACES,
	TURN_GREEDY_FILLS,
	TURN_RUN,
	TURN_END
};

struct shared {
	_Atomic int turn;
	_Atomic uint64_t nr_lines, nr_passes; /* of greedy */
};

struct tenants {
	struct pace pace;
	uint64_t greedy_bytes, start_bytes, modest_bytes, seed;
	struct shared *shared;
	uint64_t *words; /* of the process's own tenant */
	uint64_t nr_words;
};

static struct tenants tenants = { .greedy_bytes = 720ULL << 20,
				  .start_bytes = 480ULL << 20,
				  .modest_bytes = 80ULL << 20,
				  .seed = 1 };

static const struct work_option options[] = {
	{ "greedy", WORK_SIZE, &tenants.greedy_bytes, 65536, 0,
	  "memory of the greedy at its most" },
	{ "greedy-start", WORK_SIZE, &tenants.start_bytes, 4096, 0, "of it before the run" },
	{ "modest", WORK_SIZE, &tenants.modest_bytes, 4096, 0, "memory of the modest" },
	PACE_OPTIONS(&tenants.pace),
	{ "seed", WORK_COUNT, &tenants.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

/* Waits for the turn; the other tenant's death ends it. Turns change a few times in a run. */
static void wait_for_turn(const struct shared *shared, int turn)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	while (atomic_load(&shared->turn) < turn) {
		int status;

		nanosleep(&pause, NULL);
		if (waitpid(-1, &status, WNOHANG) > 0)
			work_fail(1, "the greedy tenant has ended too early");
	}
}

static void pass_turn(struct shared *shared, int turn)
{
	atomic_store(&shared->turn, turn);
}

/* One read and write a line; false: the run is over. */
static bool scan(struct tenants *t, uint64_t nr_words)
{
	struct shared *shared = t->shared;

	for (uint64_t at = 0; at < nr_words; at += LINE_WORDS) {
		t->words[at]++;
		if (at % 4096 == 0) {
			atomic_fetch_add(&shared->nr_lines, 4096 / LINE_WORDS);
			if (atomic_load(&shared->turn) == TURN_END)
				return false;
		}
	}
	atomic_fetch_add(&shared->nr_passes, 1);
	return true;
}

/* Words of an earlier step were gone over at least as often as those of a later one; the cut pass
 * leaves one place where it falls by one more. So counts never rise. */
static void check_greedy(const struct tenants *t)
{
	for (uint64_t at = LINE_WORDS; at < t->nr_words; at += LINE_WORDS)
		work_check(t->words[at] <= t->words[at - LINE_WORDS],
			   "greedy: word %llu was gone over %llu times, the one before %llu",
			   (unsigned long long)at, (unsigned long long)t->words[at],
			   (unsigned long long)t->words[at - LINE_WORDS]);
}

static void place(const struct tenants *t, size_t nr_hot, bool is_away)
{
	struct place_list list = { 0 };

	if (!place_is_wanted())
		return;
	work_phase(WORK_PHASE_PLACE);
	place_add(&list, t->words, t->nr_words * sizeof(uint64_t));
	if (is_away)
		place_away(&list);
	else
		place_pages(&list, nr_hot < list.nr_pages ? nr_hot : list.nr_pages);
	place_fini(&list);
	work_phase(WORK_PHASE_RUN);
}

static int run_greedy(struct tenants *t, pid_t parent)
{
	uint64_t nr_words = t->start_bytes / sizeof(uint64_t);
	uint64_t step = (t->nr_words - nr_words) / STEPS & ~(uint64_t)511;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1;
	t->words = work_memory(t->greedy_bytes);
	for (uint64_t at = 0; at < nr_words; at += 512)
		((volatile uint64_t *)t->words)[at] = 0;
	pass_turn(t->shared, TURN_MODEST_TOUCHES);
	wait_for_turn(t->shared, TURN_GREEDY_YIELDS);
	place(t, 0, true);
	pass_turn(t->shared, TURN_MODEST_PLACES);
	wait_for_turn(t->shared, TURN_GREEDY_FILLS);
	place(t, 0, false);
	pass_turn(t->shared, TURN_RUN);
	while (scan(t, nr_words))
		nr_words = nr_words + step < t->nr_words ? nr_words + step : t->nr_words;
	check_greedy(t);
	return 0;
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct tenants *t = argument;
	uint64_t state = random_seed(t->seed, thread), nr;

	while ((nr = pace_next(pace, thread)))
		for (; nr; nr--)
			t->words[random_below(random_next(&state), t->nr_words)]++;
}

static void run_modest(struct tenants *t)
{
	t->nr_words = t->modest_bytes / sizeof(uint64_t);
	wait_for_turn(t->shared, TURN_MODEST_TOUCHES);
	t->words = work_memory_touched(t->modest_bytes);
	pass_turn(t->shared, TURN_GREEDY_YIELDS);
	wait_for_turn(t->shared, TURN_MODEST_PLACES);
	place(t, SIZE_MAX, false);
	pass_turn(t->shared, TURN_GREEDY_FILLS);
	wait_for_turn(t->shared, TURN_RUN);
	pace_run(&t->pace, work, t);
	pass_turn(t->shared, TURN_END);
}

static void check_modest(const struct tenants *t)
{
	uint64_t sum = 0;

	for (uint64_t at = 0; at < t->nr_words; at++)
		sum += t->words[at];
	work_check(sum == t->pace.nr_done, "modest: the words sum up to %llu after %llu updates",
		   (unsigned long long)sum, (unsigned long long)t->pace.nr_done);
}

static void begin(struct tenants *t)
{
	if (t->start_bytes > t->greedy_bytes)
		work_fail(2, "--greedy-start is more than --greedy: it grows up to that");
	t->nr_words = t->greedy_bytes / sizeof(uint64_t);
	t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->shared == MAP_FAILED)
		work_fail(1, "no room for a shared page: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct tenants *t = &tenants;
	uint64_t nr_lines, nr_passes;
	int status;
	pid_t parent = getpid(), greedy;

	work_begin("tenants", "A greedy tenant scans ever more memory; a modest one has a hot set.",
		   options, argc, argv);
	pace_default(&t->pace, 40000000);
	begin(t);
	place_is_wanted(); /* asked before there are two who would say what is wrong with it */
	work_phase(WORK_PHASE_BUILD);
	greedy = fork();
	if (greedy < 0)
		work_fail(1, "the greedy tenant cannot be started: %s", strerror(errno));
	if (greedy == 0)
		exit(run_greedy(t, parent));
	run_modest(t);
	nr_lines = atomic_load(&t->shared->nr_lines);
	nr_passes = atomic_load(&t->shared->nr_passes);
	if (waitpid(greedy, &status, 0) != greedy || status != 0)
		work_fail(1, "the greedy tenant ended with status %d", status);
	check_modest(t);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("run", (double)t->pace.passed_ns / 1e9, "s", false);
	work_also("greedy", (double)nr_lines * 64 / (double)t->pace.passed_ns, "GB/s", true);
	work_also("greedy-passes", (double)nr_passes, "passes", true);
	work_result("modest", pace_mops(&t->pace), "Mop/s", true);
	return 0;
}
