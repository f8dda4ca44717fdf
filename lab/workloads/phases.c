/* SPDX-License-Identifier: MIT */
/*
 * Builds an index over records, then serves from a part of them: what was needed to build is cold
 * when the work that counts begins.
 *
 *     records   | key | count | payload ... | ...                       in the order of their
 * making
 *                                              |<------ the part ----->|  made last: slow, where
 *     index     | key, number | key, number | ...  sorted by key           fast memory is full
 *     scratch   the same again, for sorting; never used later
 *
 * Build (phase 1, timed beside the result): writes all records, collects their keys, sorts them by
 * four passes of 16 bits. Serve (phase 2): looks up a random key of the part by binary
 * search, checks the record's payload and counts the visit in it. At the end the counts of all
 * records sum up to the number of operations.
 *
 * Best static placement (LAB_PLACE): the index and the part.
 */
#include <string.h>

#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"

#define RECORD_WORDS 32

struct record {
	uint64_t key, count, payload[RECORD_WORDS - 2];
};

struct entry {
	uint64_t key, number;
};

struct phases {
	struct pace pace;
	uint64_t memory_bytes, seed;
	double part;

	struct record *records;
	struct entry *index, *scratch;
	uint64_t nr_records, first; /* of the part */
	uint64_t nr_wrong;
};

static struct phases phases = { .memory_bytes = 700ULL << 20, .seed = 1, .part = 0.15 };

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &phases.memory_bytes, 65536, 0x1p40, "records, index and scratch" },
	{ "part", WORK_SHARE, &phases.part, 0.0001, 1, "share of the records that is served" },
	PACE_OPTIONS(&phases.pace),
	{ "seed", WORK_COUNT, &phases.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

/* A bijection: no two records have the same key. */
static uint64_t key_of(uint64_t number)
{
	return random_hash(number);
}

static void write_records(struct phases *p)
{
	for (uint64_t i = 0; i < p->nr_records; i++) {
		struct record *record = &p->records[i];

		record->key = key_of(i);
		for (unsigned k = 0; k < RECORD_WORDS - 2; k++)
			record->payload[k] = record->key ^ k;
	}
}

/* Least significant digits first: four passes of 16 bits end where they began. */
static void sort_index(struct phases *p)
{
	static uint64_t places[1 << 16];
	struct entry *from = p->index, *to = p->scratch;

	for (unsigned shift = 0; shift < 64; shift += 16) {
		uint64_t sum = 0;
		struct entry *old = from;

		memset(places, 0, sizeof(places));
		for (uint64_t i = 0; i < p->nr_records; i++)
			places[from[i].key >> shift & 0xffff]++;
		for (unsigned digit = 0; digit < 1 << 16; digit++) {
			uint64_t nr = places[digit];

			places[digit] = sum;
			sum += nr;
		}
		for (uint64_t i = 0; i < p->nr_records; i++)
			to[places[from[i].key >> shift & 0xffff]++] = from[i];
		from = to;
		to = old;
	}
}

static void build(struct phases *p)
{
	p->nr_records = p->memory_bytes / (sizeof(struct record) + 2 * sizeof(struct entry));
	p->first = p->nr_records - (uint64_t)((double)p->nr_records * p->part);
	if (p->first == p->nr_records)
		p->first--;
	p->records = work_memory(p->nr_records * sizeof(struct record));
	p->index = work_memory(p->nr_records * sizeof(struct entry));
	p->scratch = work_memory(p->nr_records * sizeof(struct entry));
	write_records(p);
	for (uint64_t i = 0; i < p->nr_records; i++)
		p->index[i] = (struct entry){ p->records[i].key, i };
	sort_index(p);
}

static struct record *find(const struct phases *p, uint64_t key)
{
	uint64_t low = 0, high = p->nr_records;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (p->index[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == p->nr_records || p->index[low].key != key)
		return NULL;
	return &p->records[p->index[low].number];
}

static bool payload_is_right(const struct record *record)
{
	uint64_t wrong = 0;

	for (unsigned k = 0; k < RECORD_WORDS - 2; k++)
		wrong |= record->payload[k] ^ record->key ^ k;
	return !wrong;
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct phases *p = argument;
	uint64_t state = random_seed(p->seed, thread), nr_part = p->nr_records - p->first, nr;

	while ((nr = pace_next(pace, thread))) {
		for (; nr; nr--) {
			uint64_t number = p->first + random_below(random_next(&state), nr_part);
			struct record *record = find(p, key_of(number));

			if (record && payload_is_right(record))
				record->count++;
			else
				p->nr_wrong++;
		}
	}
}

static void place(const struct phases *p)
{
	struct place_list list = { 0 };
	size_t nr_hot;

	work_phase(WORK_PHASE_PLACE);
	/* From whole pages on, so that none is listed twice. */
	uint64_t border = ((uintptr_t)(p->records + p->first) & ~4095ULL) - (uintptr_t)p->records;

	place_add(&list, p->index, p->nr_records * sizeof(struct entry));
	place_add(&list, (char *)p->records + border,
		  p->nr_records * sizeof(struct record) - border);
	nr_hot = list.nr_pages;
	place_add(&list, p->records, border);
	place_add(&list, p->scratch, p->nr_records * sizeof(struct entry));
	place_pages(&list, nr_hot);
	place_fini(&list);
}

static void check(const struct phases *p)
{
	uint64_t sum = 0;

	work_check(!p->nr_wrong, "%llu of %llu lookups found no or a wrong record",
		   (unsigned long long)p->nr_wrong, (unsigned long long)p->pace.nr_done);
	for (uint64_t i = 0; i < p->nr_records; i++)
		sum += p->records[i].count;
	work_check(sum == p->pace.nr_done, "the records count %llu visits, not %llu",
		   (unsigned long long)sum, (unsigned long long)p->pace.nr_done);
}

int main(int argc, char **argv)
{
	struct phases *p = &phases;
	uint64_t start_ns, build_ns;

	work_begin("phases", "Builds an index over records, then serves from a part of them.",
		   options, argc, argv);
	pace_default(&p->pace, 5000000);
	work_phase(WORK_PHASE_BUILD);
	start_ns = work_now_ns();
	build(p);
	build_ns = work_now_ns() - start_ns;
	if (place_is_wanted())
		place(p);
	pace_run(&p->pace, work, p);
	check(p);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("build", (double)build_ns / 1e9, "s", false);
	work_also("run", (double)p->pace.passed_ns / 1e9, "s", false);
	work_result("throughput", pace_mops(&p->pace), "Mop/s", true);
	return 0;
}
