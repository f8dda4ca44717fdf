/* SPDX-License-Identifier: MIT */
/*
 * A key-value store under skewed load: get and set by Zipf-distributed popularity, the popular keys
 * scattered over all pages, as a cache server's memory is.
 *
 *     index (uint32 per slot, half as many again as items)     items in the order of their
 * insertion hash(key) -> | . | 17 | . | 3 | ...                      | key | version | value ... |
 * key ...
 *
 * Popularity rank r belongs to item r * factor mod nr, so neighbours in popularity lie far apart
 * and nearly every page holds something warm. A set writes a new version over all of the value; a
 * get checks the key and that all words of the value belong to its version. At the end the versions
 * sum up to the number of sets. Threads own every nth key each: no locks, nothing lost.
 *
 * Best static placement (LAB_PLACE): the index, then pages by the sum of their keys' popularity.
 */
#include <math.h>
#include <stdlib.h>

#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"
#include "lab/workloads/common/zipf.h"

#define PAGE_BYTES 4096

struct item {
	uint64_t key, version, value[];
};

struct store {
	struct pace pace;
	uint64_t memory_bytes, item_bytes, seed;
	double theta, share_set;

	uint64_t nr_items, nr_slots;
	uint32_t *index; /* item + 1; 0: empty */
	char *items;
	struct scatter scatter;
	struct zipf zipf; /* of one thread's keys */
	uint64_t random[WORK_MAX_THREADS];
	struct {
		_Alignas(64) uint64_t nr_sets, nr_wrong;
	} counts[WORK_MAX_THREADS];
};

static struct store store = {
	.memory_bytes = 700ULL << 20, .item_bytes = 256, .seed = 1, .theta = 0.99, .share_set = 0.1
};

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &store.memory_bytes, 65536, 0x1p39, "index and items in all" },
	{ "item", WORK_SIZE, &store.item_bytes, 32, 65536, "bytes of an item" },
	{ "theta", WORK_NUMBER, &store.theta, 0, 10, "skew: 0 even, 0.99 customary" },
	{ "share-set", WORK_SHARE, &store.share_set, 0, 1, "share of sets; the rest gets" },
	PACE_OPTIONS(&store.pace),
	PACE_THREADS(&store.pace),
	{ "seed", WORK_COUNT, &store.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

static struct item *item_at(const struct store *s, uint64_t number)
{
	return (struct item *)(s->items + number * s->item_bytes);
}

static uint64_t key_of(uint64_t number)
{
	return random_hash(number);
}

static void write_value(const struct store *s, struct item *item)
{
	uint64_t nr = s->item_bytes / sizeof(uint64_t) - 2;

	for (uint64_t i = 0; i < nr; i++)
		item->value[i] = item->key + item->version + i;
}

static bool value_is_whole(const struct store *s, const struct item *item)
{
	uint64_t nr = s->item_bytes / sizeof(uint64_t) - 2, wrong = 0;

	for (uint64_t i = 0; i < nr; i++)
		wrong |= item->value[i] ^ (item->key + item->version + i);
	return !wrong;
}

static void insert(struct store *s, uint64_t number)
{
	struct item *item = item_at(s, number);
	uint64_t key = key_of(number), slot = random_below(key, s->nr_slots);

	item->key = key;
	write_value(s, item);
	while (s->index[slot])
		slot = slot + 1 == s->nr_slots ? 0 : slot + 1;
	s->index[slot] = (uint32_t)number + 1;
}

/* NULL: not there. Ends: a third of the slots is empty. */
static struct item *find(const struct store *s, uint64_t key)
{
	uint64_t slot = random_below(key, s->nr_slots);

	for (; s->index[slot]; slot = slot + 1 == s->nr_slots ? 0 : slot + 1) {
		struct item *item = item_at(s, s->index[slot] - 1);

		if (item->key == key)
			return item;
	}
	return NULL;
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct store *s = argument;
	uint32_t share = (uint32_t)(s->share_set * 65536);
	uint64_t state = s->random[thread], nr, nr_sets = 0, nr_wrong = 0;

	while ((nr = pace_next(pace, thread))) {
		for (; nr; nr--) {
			uint64_t bits = random_next(&state);
			uint64_t rank = zipf_draw(&s->zipf, bits) * pace->nr_threads + thread;
			struct item *item = find(s, key_of(scatter_at(&s->scatter, rank)));

			if (!item || !value_is_whole(s, item)) {
				nr_wrong++;
			} else if ((uint32_t)(random_hash(bits) & 0xffff) < share) {
				item->version++;
				write_value(s, item);
				nr_sets++;
			}
		}
	}
	s->counts[thread].nr_sets = nr_sets;
	s->counts[thread].nr_wrong = nr_wrong;
}

static void build(struct store *s)
{
	s->item_bytes &= ~7ULL;
	s->nr_items = s->memory_bytes / (s->item_bytes + 6);
	if (s->nr_items > 1ULL << 30)
		work_fail(2, "--memory holds more than %llu items: take a larger --item",
			  1ULL << 30);
	s->nr_slots = s->nr_items + s->nr_items / 2;
	s->index = work_memory_touched(s->nr_slots * sizeof(*s->index));
	s->items = work_memory(s->nr_items * s->item_bytes);
	for (uint64_t i = 0; i < s->nr_items; i++)
		insert(s, i);
	scatter_init(&s->scatter, s->nr_items);
	zipf_init(&s->zipf, s->nr_items / s->pace.nr_threads, s->theta);
	for (unsigned i = 0; i < WORK_MAX_THREADS; i++)
		s->random[i] = random_seed(s->seed, i);
}

struct heat {
	float heat;
	uint32_t page;
};

static int hotter_first(const void *a, const void *b)
{
	const struct heat *x = a, *y = b;

	return (x->heat < y->heat) - (x->heat > y->heat);
}

/* The popularity of each page of the items; weights of neighbouring ranks are nearly equal, so one
 * power serves a thousandth of the ranks. */
static struct heat *heats(const struct store *s, uint64_t nr_pages)
{
	struct heat *heats = calloc(nr_pages, sizeof(*heats));
	uint64_t next = 0;
	float weight = 0;

	if (!heats)
		work_fail(1, "no room for the heat of %llu pages", (unsigned long long)nr_pages);
	for (uint64_t i = 0; i < nr_pages; i++)
		heats[i].page = (uint32_t)i;
	for (uint64_t rank = 0; rank < s->nr_items; rank++) {
		if (rank == next) {
			weight = (float)pow((double)(rank / s->pace.nr_threads) + 1, -s->theta);
			next += 1 + rank / 1024;
		}
		heats[scatter_at(&s->scatter, rank) * s->item_bytes / PAGE_BYTES].heat += weight;
	}
	qsort(heats, nr_pages, sizeof(*heats), hotter_first);
	return heats;
}

/* Called hot: the index, and the pages that draw half of the accesses to items. */
static void place(const struct store *s)
{
	uint64_t nr_pages = (s->nr_items * s->item_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	struct place_list list = { 0 };
	struct heat *pages;
	size_t nr_hot = 0;
	double total = 0, sum = 0;

	work_phase(WORK_PHASE_PLACE);
	pages = heats(s, nr_pages);
	for (uint64_t i = 0; i < nr_pages; i++)
		total += pages[i].heat;
	place_add(&list, s->index, s->nr_slots * sizeof(*s->index));
	for (uint64_t i = 0; i < nr_pages; i++) {
		place_add(&list, s->items + (uint64_t)pages[i].page * PAGE_BYTES, 1);
		sum += pages[i].heat;
		if (!nr_hot && sum >= total / 2)
			nr_hot = list.nr_pages;
	}
	place_pages(&list, nr_hot);
	place_fini(&list);
	free(pages);
}

static void check(const struct store *s)
{
	uint64_t nr_sets = 0, nr_versions = 0, nr_wrong = 0;

	for (unsigned i = 0; i < s->pace.nr_threads; i++) {
		nr_sets += s->counts[i].nr_sets;
		nr_wrong += s->counts[i].nr_wrong;
	}
	work_check(!nr_wrong, "%llu of %llu keys were missing or had another's value",
		   (unsigned long long)nr_wrong, (unsigned long long)s->pace.nr_done);
	for (uint64_t i = 0; i < s->nr_items; i++)
		nr_versions += item_at(s, i)->version;
	work_check(nr_versions == nr_sets, "%llu sets left %llu new versions",
		   (unsigned long long)nr_sets, (unsigned long long)nr_versions);
}

int main(int argc, char **argv)
{
	struct store *s = &store;

	s->pace.nr_threads = 1;
	work_begin("zipf", "A key-value store: Zipf-distributed get and set over scattered pages.",
		   options, argc, argv);
	pace_default(&s->pace, 15000000);
	work_phase(WORK_PHASE_BUILD);
	build(s);
	if (place_is_wanted())
		place(s);
	pace_run(&s->pace, work, s);
	check(s);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("run", (double)s->pace.passed_ns / 1e9, "s", false);
	work_result("throughput", pace_mops(&s->pace), "Mop/s", true);
	return 0;
}
