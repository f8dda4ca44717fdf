/* SPDX-License-Identifier: MIT */
/*
 * Random updates, most of them in a small hot set that lies in slow memory at first and may move.
 *
 *     | window 0 | window 1 | ...                | window W-1 |      windows of --hot bytes
 *       touched first: falls into fast memory      touched last: slow, where fast is full
 *                                                  hot at first; each move goes one window down
 *
 * Each operation adds one to a random 8-byte word: with --share-hot of the operations anywhere in
 * the hot window, else anywhere outside. Words are the only data, so the sum of all at the end is
 * the number of operations: an update that got lost with a page that moved would be seen. Threads
 * share windows in slices of their own, so no update is atomic and none is lost.
 *
 * Follows GUPS with a hot set as in HeMem (Raybuck and others, SOSP 2021). Best static placement
 * (LAB_PLACE) puts the hot window on the fast nodes, anew and free of charge at each move.
 */
#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"

struct slice { /* words [first, first + nr) counted in the hot window, or in all the rest */
	uint64_t first, nr;
};

struct hotset {
	struct pace pace;
	uint64_t memory_bytes, hot_bytes, seed;
	double share_hot;
	struct work_period move_every;

	uint64_t *words;
	uint64_t nr_words, nr_hot_words;
	uint64_t window;   /* the hot one */
	uint64_t nr_moves; /* done */
	uint64_t random[WORK_MAX_THREADS];
	struct place_list list;
};

static struct hotset hotset = {
	.memory_bytes = 700ULL << 20, .hot_bytes = 100ULL << 20, .seed = 1, .share_hot = 0.9
};

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &hotset.memory_bytes, 65536, 0, "touched in all" },
	{ "hot", WORK_SIZE, &hotset.hot_bytes, 4096, 0, "of them hot, touched last" },
	{ "share-hot", WORK_SHARE, &hotset.share_hot, 0, 1, "share of the updates in the hot set" },
	{ "move-every", WORK_TIME_OR_COUNT, &hotset.move_every, 0, 0,
	  "move the hot set after each such time or number of operations" },
	PACE_OPTIONS(&hotset.pace),
	PACE_THREADS(&hotset.pace),
	{ "seed", WORK_COUNT, &hotset.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

static struct slice slice_of(uint64_t nr_words, unsigned thread)
{
	uint64_t nr = nr_words / hotset.pace.nr_threads;

	return (struct slice){ thread * nr, nr };
}

/* Windows are counted from the end; what does not make a whole one lies before the first. */
static uint64_t hot_start(const struct hotset *h)
{
	return h->nr_words % h->nr_hot_words + h->window * h->nr_hot_words;
}

static void update(struct hotset *h, unsigned thread, uint64_t nr)
{
	struct slice hot = slice_of(h->nr_hot_words, thread);
	struct slice rest = slice_of(h->nr_words - h->nr_hot_words, thread);
	uint64_t start = hot_start(h);
	uint32_t share = (uint32_t)(h->share_hot * 65536);
	uint64_t state = h->random[thread];

	for (; nr; nr--) {
		uint64_t bits = random_next(&state);
		uint64_t at;

		if ((uint32_t)(bits & 0xffff) < share) {
			at = start + hot.first + random_below(bits, hot.nr);
		} else {
			at = rest.first + random_below(bits, rest.nr);
			if (at >= start)
				at += h->nr_hot_words;
		}
		h->words[at]++;
	}
	h->random[thread] = state;
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	uint64_t nr;

	while ((nr = pace_next(pace, thread)))
		update(argument, thread, nr);
}

/* Lists the hot window, then all the rest, and has them placed. */
static void place(void *argument)
{
	struct hotset *h = argument;
	uint64_t hot_bytes = h->nr_hot_words * sizeof(uint64_t);
	char *start = (char *)h->words, *hot = (char *)(h->words + hot_start(h));
	char *end = start + h->nr_words * sizeof(uint64_t);

	h->list.nr_pages = 0;
	place_add(&h->list, hot, hot_bytes);
	size_t nr_hot = h->list.nr_pages;
	place_add(&h->list, hot + hot_bytes, (uint64_t)(end - hot) - hot_bytes);
	place_add(&h->list, start, (uint64_t)(hot - start));
	place_pages(&h->list, nr_hot);
}

static void move(void *argument)
{
	struct hotset *h = argument;
	uint64_t nr_windows = h->nr_words / h->nr_hot_words;

	h->window = (h->window + nr_windows - 1) % nr_windows;
	h->nr_moves++;
	work_say("moved: hot set to MiB %llu",
		 (unsigned long long)(hot_start(h) * sizeof(uint64_t) >> 20));
}

static void after_lot(struct pace *pace, void *argument, uint64_t nr_done, uint64_t passed_ns)
{
	struct hotset *h = argument;
	uint64_t period = h->move_every.count ? h->move_every.count : h->move_every.time_ns;
	uint64_t now = h->move_every.count ? nr_done : passed_ns;

	if (!period || now / period <= h->nr_moves)
		return;
	pace_hold(pace, move, h, false);
	if (place_is_wanted())
		pace_hold(pace, place, h, true);
}

/* Whole pages, and at least two windows: a hot set of everything could not move nor be cold. */
static void build(struct hotset *h)
{
	uint64_t hot_bytes = h->hot_bytes & ~4095ULL;
	uint64_t nr_windows;

	if (h->hot_bytes > h->memory_bytes)
		work_fail(2, "--hot is more than --memory: the hot set is a part of the whole");
	nr_windows = h->memory_bytes / hot_bytes;
	if (nr_windows == 1)
		h->share_hot = 1; /* nowhere else to go */
	h->nr_hot_words = hot_bytes / sizeof(uint64_t);
	h->nr_words = (nr_windows == 1 ? hot_bytes : h->memory_bytes & ~4095ULL) / sizeof(uint64_t);
	h->words = work_memory_touched(h->nr_words * sizeof(uint64_t));
	h->window = nr_windows - 1;
	for (unsigned i = 0; i < WORK_MAX_THREADS; i++)
		h->random[i] = random_seed(h->seed, i);
}

static uint64_t sum_words(const struct hotset *h)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < h->nr_words; i++)
		sum += h->words[i];
	return sum;
}

int main(int argc, char **argv)
{
	struct hotset *h = &hotset;

	h->pace.nr_threads = 1;
	h->pace.after_lot = after_lot;
	work_begin("hotset", "Random updates, most of them in a hot set that lies in slow memory.",
		   options, argc, argv);
	pace_default(&h->pace, 40000000);
	work_phase(WORK_PHASE_BUILD);
	build(h);
	if (place_is_wanted()) {
		work_phase(WORK_PHASE_PLACE);
		place(h);
	}
	pace_run(&h->pace, work, h);
	uint64_t ended_ns = work_now_ns();
	uint64_t sum = sum_words(h);
	work_check(sum == h->pace.nr_done,
		   "the words sum up to %llu after %llu updates: memory is not what was written",
		   (unsigned long long)sum, (unsigned long long)h->pace.nr_done);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("check", (double)(work_now_ns() - ended_ns) / 1e9, "s", false);
	work_also("run", (double)h->pace.passed_ns / 1e9, "s", false);
	work_result("throughput", pace_mops(&h->pace), "Mop/s", true);
	return 0;
}
