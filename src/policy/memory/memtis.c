/* SPDX-License-Identifier: MIT */
/*
 * memtis: MEMTIS' placement (Lee et al., SOSP'23), on hardware samples.
 *
 *     hotness:  0   1   2-3  4-7   ...   16384-   32768-        16 bins, per tier a list and pages
 *     bin:      0   0    1    2    ...     14       15
 *               |-- cold --|warm|------- hot ------|
 *                               ^ threshold: the lowest bin from which all above fits fast memory
 *
 * - A sample of a 2 MiB folio adds 1 to its hotness, one of a 4 KiB page 512: what counts is
 *   accesses per byte. Counts stop at 65535, so that halving all of them is a shift of the lists
 *   by one bin, whatever the number of folios; a folio's own count follows when it is looked at.
 * - Hot in slow memory: promoted. Cold in fast memory: demoted when room is wanted. Warm (the bin
 *   below the threshold, when the hot set fills less than 75 % of fast memory) stays where it is,
 *   and goes only for a hot one when nothing cold is left.
 * - A second histogram counts 4 KiB pages as if every large folio were split (base_pages). From it
 *   comes the hit ratio that splitting would give (eHR); when 0.95 of that is above the real one
 *   (rHR), the folios whose samples are most skewed are split, and their parts go where they
 *   belong. When splitting gained less than 3 points of hit ratio, it ends for good.
 *
 * Constants, of the artifact (cosmoss-jigu/memtis): 16 bins; one sample per 199 loads that miss and
 * per 100007 stores, with sampling held to 3 % of a CPU; threshold adapted each 100,000 samples;
 * halving each 2,000,000 samples or 10 GiB allocated; migration each 500 ms, 2048 MB/s at most; 75
 * %, 0.95 and 3 points as above.
 *
 * My reading:
 * - Pages nobody has sampled are in bin 0, those that came first at its head, and bin 0 is never
 *   hot. A page whose place nobody told is taken to be fast while fast memory had room at its
 * birth.
 * - The threshold is also found anew when at a turn the hot set does not fit fast memory.
 * - `headroom` (2 %) of fast memory is kept free for new pages.
 * - Skew is the sum of squares over the parts' samples by the number of parts sampled; as many
 *   folios are split as would bring in the missing hits at the average of large folios.
 *
 * Short recordings hold few samples: at 199 misses each, 100,000 are 20 million misses. adapt= and
 * cool= scale them.
 *
 * Cost: O(1) per sample (a large folio is 512 counters to halve once per cooling), O(16) per
 * adaptation beside a bounded search for skewed folios, O(moves) per turn. Bytes: 60 per folio and
 * 1 KiB per large folio that was sampled.
 */
#include "policy/memory/memtis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "mem/folio.h"
#include "mem/idlist.h"
#include "policy/memory/room.h"

#define BINS		16
#define COUNT_MAX	65535
#define LARGE_ORDER	9    /* 2 MiB: whose samples weigh 1 */
#define WARM_BELOW_BP	7500 /* of fast memory filled by the hot set */
#define SPLIT_MARGIN_BP 9500
#define SPLIT_GAIN_BP	300
#define SPLIT_MAX	64    /* folios split per adaptation */
#define SPLIT_SCAN	16384 /* folios looked at for skew per adaptation */
#define TRIES_MAX	65536 /* folios looked at per turn */
#define LOAD_PERIOD	199
#define STORE_PERIOD	100007
#define SHARE_BP	300 /* of a CPU, for sampling */

enum { ADAPT, COOL, COOL_BYTES, WAKE, MIGRATE, HEADROOM, SPLIT, NR_TUNABLES };

static const struct tunable memtis_tunables[NR_TUNABLES] = {
	[ADAPT] = { "adapt", TUNABLE_COUNT, 100000, 1, TUNABLE_NO_MAX,
		    "samples between two adaptations of the hot threshold" },
	[COOL] = { "cool", TUNABLE_COUNT, 2000000, 1, TUNABLE_NO_MAX,
		   "samples after which all counts are halved" },
	[COOL_BYTES] = { "cool_bytes", TUNABLE_BYTES, 10 * GIB, 4096, TUNABLE_NO_MAX,
			 "memory allocated after which all counts are halved" },
	[WAKE] = { "wake", TUNABLE_NS, 500 * NS_PER_MS, 0, 3600 * NS_PER_S,
		   "time between two turns of migration" },
	[MIGRATE] = { "migrate", TUNABLE_RATE, 2048000000, 0, TUNABLE_NO_MAX,
		      "moved at most, per second" },
	[HEADROOM] = { "headroom", TUNABLE_BP, 200, 0, 10000, "share of fast memory kept free" },
	[SPLIT] = { "split", TUNABLE_FLAG, 1, 0, 1, "split large folios that are skewed" },
};

enum tier { FAST, SLOW, NR_TIERS };

struct record {		/* beside struct folio, by its id */
	uint16_t *subs; /* [page of the folio], as hotness of a 4 KiB page; NULL: none sampled */
	uint32_t clock; /* counts are as of this turn of cooling */
	uint16_t count;
	uint8_t tier; /* enum tier */
	bool is_listed;
};

struct memtis {
	const struct machine *machine;
	uint64_t values[NR_TUNABLES];
	uint32_t page_bytes;
	struct folio_table *table;
	struct record *records;
	struct idlist_link *links;
	uint32_t max;
	struct idlist lists[NR_TIERS][BINS];
	uint64_t pages[NR_TIERS][BINS];
	uint64_t
		base_pages[BINS]; /* sampled 4 KiB pages, as if all were split; not kept in bin 0 */
	uint64_t orders;	  /* bits: orders of large folios that are known */
	uint32_t clock;
	unsigned hot, warm, base_hot; /* bins */
	uint64_t nr_to_cool, bytes_to_cool;
	uint64_t fast_pages; /* capacity; 0 until the first decide */
	uint64_t births;     /* new pages that fast memory will still take */
	uint64_t next_ns, last_ns;
	/* Since the last adaptation. */
	uint64_t nr_samples, nr_hits, nr_would_hit, nr_large_samples;
	/* Splitting. */
	bool is_split_over, has_split;
	uint64_t before_bp; /* rHR when folios were split last */
	uint32_t hand;
	struct {
		uint64_t skew;
		uint32_t id;
	} chosen[SPLIT_MAX];
	uint32_t nr_chosen;
	uint64_t sub_bytes;
};

static unsigned bin_of(uint32_t count)
{
	return count < 2 ? 0 : 31u - (unsigned)__builtin_clz(count);
}

static uint64_t nr_pages_of(const struct folio *folio)
{
	return UINT64_C(1) << folio->order;
}

/* What one sample adds: by the byte, 2 MiB weigh 1. */
static uint32_t weight_of(unsigned order)
{
	return order >= LARGE_ORDER ? 1 : 1u << (LARGE_ORDER - order);
}

/* Where the record is listed and counted: cooling has shifted it since its count was halved. */
static unsigned current_bin(const struct memtis *memtis, const struct record *record)
{
	unsigned bin = bin_of(record->count);
	uint32_t turns = memtis->clock - record->clock;
	return turns < bin ? bin - turns : 0;
}

static void unlist(struct memtis *memtis, uint32_t id)
{
	struct record *record = &memtis->records[id];
	if (record->is_listed)
		idlist_del(&memtis->lists[record->tier][current_bin(memtis, record)], memtis->links,
			   id);
	record->is_listed = false;
}

static void enlist(struct memtis *memtis, uint32_t id)
{
	struct record *record = &memtis->records[id];
	if (record->is_listed || folio_get(memtis->table, id)->bits & FOLIO_MOVING)
		return;
	idlist_add_tail(&memtis->lists[record->tier][current_bin(memtis, record)], memtis->links,
			id);
	record->is_listed = true;
}

/* Takes the record out of lists and histogram, or puts it back. */
static void detach(struct memtis *memtis, uint32_t id)
{
	const struct record *record = &memtis->records[id];
	unlist(memtis, id);
	memtis->pages[record->tier][current_bin(memtis, record)] -= nr_pages_of(
		folio_get(memtis->table, id));
}

static void attach(struct memtis *memtis, uint32_t id)
{
	const struct record *record = &memtis->records[id];
	memtis->pages[record->tier][current_bin(memtis, record)] += nr_pages_of(
		folio_get(memtis->table, id));
	enlist(memtis, id);
}

/* Brings the counts up to date; the bin stays what it was. */
static void settle(struct memtis *memtis, uint32_t id)
{
	struct record *record = &memtis->records[id];
	uint64_t nr = record->subs ? nr_pages_of(folio_get(memtis->table, id)) : 0;
	uint32_t turns = MIN(memtis->clock - record->clock, BINS);
	record->clock = memtis->clock;
	if (turns == 0)
		return;
	record->count = (uint16_t)(record->count >> turns);
	for (uint64_t i = 0; i < nr; i++)
		record->subs[i] = (uint16_t)(record->subs[i] >> turns);
}

static int grow(struct memtis *memtis, uint32_t nr)
{
	uint32_t max = MAX(memtis->max, 1024);
	while (max < nr && max <= UINT32_MAX / 2)
		max *= 2;
	if (nr <= memtis->max)
		return 0;
	if (max < nr)
		return -ENOMEM;
	struct record *records = realloc(memtis->records, max * sizeof(*records));
	memtis->records = records ? records : memtis->records;
	struct idlist_link *links = realloc(memtis->links, max * sizeof(*links));
	memtis->links = links ? links : memtis->links;
	if (!records || !links)
		return -ENOMEM;
	memtis->max = max;
	return 0;
}

static uint32_t add_folio(struct memtis *memtis, uint32_t space, uint64_t page, unsigned order,
			  uint8_t tier)
{
	uint32_t id = FOLIO_NONE;
	if (folio_add(memtis->table, space, page, order, &id))
		return FOLIO_NONE;
	if (grow(memtis, id + 1)) {
		folio_del(memtis->table, id);
		return FOLIO_NONE;
	}
	folio_get(memtis->table, id)->node = FOLIO_NODE_NONE;
	memtis->records[id] = (struct record){ .clock = memtis->clock, .tier = tier };
	memtis->orders |= UINT64_C(1) << order;
	attach(memtis, id);
	return id;
}

static void count_base(struct memtis *memtis, uint32_t count, bool comes)
{
	if (count > 0)
		memtis->base_pages[bin_of(count)] += comes ? 1 : UINT64_MAX;
}

/* Of the 4 KiB pages of a folio: out of their histogram, or back. */
static void count_parts(struct memtis *memtis, uint32_t id, bool come)
{
	const struct record *record = &memtis->records[id];
	const struct folio *folio = folio_get(memtis->table, id);
	uint64_t nr = record->subs ? nr_pages_of(folio) : 0;
	if (folio->order == 0)
		count_base(memtis, record->count, come);
	for (uint64_t i = 0; i < nr; i++)
		count_base(memtis, record->subs[i], come);
}

static void forget(struct memtis *memtis, uint32_t id)
{
	struct record *record = &memtis->records[id];
	settle(memtis, id);
	count_parts(memtis, id, false);
	detach(memtis, id);
	if (record->subs)
		memtis->sub_bytes -= nr_pages_of(folio_get(memtis->table, id)) * sizeof(uint16_t);
	free(record->subs);
	record->subs = NULL;
	folio_del(memtis->table, id);
}

/* A large folio was split: its pages go on with what is known of each. */
static void break_up(struct memtis *memtis, uint32_t id)
{
	settle(memtis, id);
	struct folio folio = *folio_get(memtis->table, id);
	struct record record = memtis->records[id];
	uint64_t nr = nr_pages_of(&folio);
	memtis->records[id].subs = NULL;
	memtis->sub_bytes -= record.subs ? nr * sizeof(uint16_t) : 0;
	forget(memtis, id);
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t part = add_folio(memtis, folio.space, folio.page + i, 0, record.tier);
		if (part == FOLIO_NONE) {
			count_base(memtis, record.subs ? record.subs[i] : 0, false);
			continue;
		}
		detach(memtis, part);
		memtis->records[part].count = record.subs ? record.subs[i] : 0;
		folio_get(memtis->table, part)->node = folio.node;
		attach(memtis, part);
	}
	free(record.subs);
}

static uint32_t find_covering(const struct memtis *memtis, uint32_t space, uint64_t page)
{
	for (uint64_t left = memtis->orders; left; left &= left - 1) {
		unsigned order = (unsigned)__builtin_ctzll(left);
		uint32_t id = folio_find(memtis->table, space, page >> order << order, order);
		if (id != FOLIO_NONE)
			return id;
	}
	return FOLIO_NONE;
}

/* Smaller folios within what is one large folio now. */
static void forget_parts(struct memtis *memtis, uint32_t space, uint64_t page, unsigned order)
{
	for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
		uint32_t id = find_covering(memtis, space, page + i);
		if (id != FOLIO_NONE)
			forget(memtis, id);
	}
}

/* The folio of this order around the page, as the world has it now; what we knew otherwise is
 * corrected. */
static uint32_t folio_of(struct memtis *memtis, uint32_t space, uint64_t page, unsigned order)
{
	uint64_t first = page >> order << order;
	uint32_t id = folio_find(memtis->table, space, first, order);
	if (id != FOLIO_NONE)
		return id;
	id = find_covering(memtis, space, page);
	if (id != FOLIO_NONE && folio_get(memtis->table, id)->order > order) {
		break_up(memtis, id);
		id = order == 0 ? folio_find(memtis->table, space, page, 0) : FOLIO_NONE;
	}
	if (id != FOLIO_NONE && order == 0)
		return id;
	if (order > 0)
		forget_parts(memtis, space, first, order);
	return add_folio(memtis, space, first, order, FAST);
}

static unsigned order_of(const struct sample *sample)
{
	return sample->order > LARGE_ORDER ? 0 : sample->order;
}

/* Counters of the parts, at the first sample of a large folio. */
static uint16_t *subs_of(struct memtis *memtis, uint32_t id)
{
	struct record *record = &memtis->records[id];
	uint64_t nr = nr_pages_of(folio_get(memtis->table, id));
	if (!record->subs && nr > 1) {
		record->subs = calloc(nr, sizeof(*record->subs));
		memtis->sub_bytes += record->subs ? nr * sizeof(*record->subs) : 0;
	}
	return record->subs;
}

static uint16_t add_count(uint16_t count, uint32_t weight)
{
	return (uint16_t)MIN(count + weight, COUNT_MAX);
}

/* The sampled page itself, as if it were alone: does it belong to fast memory? */
static void count_sampled_part(struct memtis *memtis, uint32_t id, uint64_t page)
{
	const struct folio *folio = folio_get(memtis->table, id);
	uint16_t *subs = subs_of(memtis, id);
	uint32_t weight = weight_of(0), before = memtis->records[id].count;
	if (folio->order > 0 && !subs)
		return;
	if (subs) {
		before = subs[page - folio->page];
		subs[page - folio->page] = add_count((uint16_t)before, weight);
		memtis->nr_large_samples++;
	}
	uint32_t after = add_count((uint16_t)before, weight);
	count_base(memtis, before, false);
	count_base(memtis, after, true);
	memtis->nr_would_hit += bin_of(after) >= memtis->base_hot;
}

static void set_tier(struct memtis *memtis, uint32_t id, uint32_t node)
{
	folio_get(memtis->table, id)->node = (uint16_t)node;
	memtis->records[id].tier = room_is_fast(memtis->machine, node) ? FAST : SLOW;
}

static void count_sample(struct memtis *memtis, const struct sample *sample)
{
	unsigned order = order_of(sample);
	uint32_t id = folio_of(memtis, sample->space, sample->page, order);
	if (id == FOLIO_NONE)
		return;
	settle(memtis, id);
	count_sampled_part(memtis, id, sample->page);
	detach(memtis, id);
	struct record *record = &memtis->records[id];
	record->count = add_count(record->count, weight_of(order));
	if (sample->node != SAMPLE_NONE)
		set_tier(memtis, id, sample->node);
	attach(memtis, id);
	memtis->nr_samples++;
	memtis->nr_hits += record->tier == FAST;
}

/* Every bin moves down by one: all counts are halved. */
static void cool(struct memtis *memtis)
{
	for (unsigned tier = 0; tier < NR_TIERS; tier++) {
		struct idlist *lists = memtis->lists[tier];
		idlist_join(&lists[0], &lists[1], memtis->links);
		memtis->pages[tier][0] += memtis->pages[tier][1];
		for (unsigned bin = 1; bin + 1 < BINS; bin++) {
			lists[bin] = lists[bin + 1];
			memtis->pages[tier][bin] = memtis->pages[tier][bin + 1];
		}
		lists[BINS - 1] = IDLIST_EMPTY;
		memtis->pages[tier][BINS - 1] = 0;
	}
	for (unsigned bin = 1; bin + 1 < BINS; bin++)
		memtis->base_pages[bin] = memtis->base_pages[bin + 1];
	memtis->base_pages[BINS - 1] = 0;
	memtis->clock++;
	memtis->nr_to_cool = memtis->values[COOL];
	memtis->bytes_to_cool = memtis->values[COOL_BYTES];
}

static uint64_t room_for_hot(const struct memtis *memtis)
{
	uint64_t pages = memtis->fast_pages;
	return pages - (pages / 10000 * memtis->values[HEADROOM] +
			pages % 10000 * memtis->values[HEADROOM] / 10000);
}

static uint64_t pages_in_bin(const struct memtis *memtis, unsigned bin)
{
	return memtis->pages[FAST][bin] + memtis->pages[SLOW][bin];
}

static uint64_t hot_pages(const struct memtis *memtis)
{
	uint64_t pages = 0;
	for (unsigned bin = memtis->hot; bin < BINS; bin++)
		pages += pages_in_bin(memtis, bin);
	return pages;
}

/* The lowest bin, but not 0, from which all above fits; the highest when nothing does. */
static void find_thresholds(struct memtis *memtis)
{
	uint64_t room = room_for_hot(memtis), hot = 0, base = 0;
	memtis->hot = memtis->base_hot = BINS;
	while (memtis->hot > 1 && hot + pages_in_bin(memtis, memtis->hot - 1) <= room)
		hot += pages_in_bin(memtis, --memtis->hot);
	while (memtis->base_hot > 1 && base + memtis->base_pages[memtis->base_hot - 1] <= room)
		base += memtis->base_pages[--memtis->base_hot];
	memtis->hot = MIN(memtis->hot, BINS - 1);
	memtis->base_hot = MIN(memtis->base_hot, BINS - 1);
	memtis->warm = hot < room / 10000 * WARM_BELOW_BP + room % 10000 * WARM_BELOW_BP / 10000
			       ? memtis->hot - 1
			       : memtis->hot;
}

static uint64_t skew_of(struct memtis *memtis, uint32_t id)
{
	uint64_t squares = 0, nr_sampled = 0;
	settle(memtis, id);
	const struct record *record = &memtis->records[id];
	uint64_t nr = record->subs ? nr_pages_of(folio_get(memtis->table, id)) : 0;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t sub = record->subs[i];
		squares += sub * sub;
		nr_sampled += sub > 0;
	}
	return nr_sampled ? squares / nr_sampled : 0;
}

/* Keeps the `wanted` most skewed, the most skewed first. */
static void choose(struct memtis *memtis, uint32_t id, uint64_t skew, uint32_t wanted)
{
	uint32_t at = memtis->nr_chosen;
	for (; at > 0 && memtis->chosen[at - 1].skew < skew; at--)
		if (at < wanted)
			memtis->chosen[at] = memtis->chosen[at - 1];
	if (at >= wanted)
		return;
	memtis->chosen[at].skew = skew;
	memtis->chosen[at].id = id;
	memtis->nr_chosen = MIN(memtis->nr_chosen + 1, wanted);
}

static void choose_folios_to_split(struct memtis *memtis, uint32_t wanted)
{
	uint32_t end = folio_id_end(memtis->table), nr = MIN(SPLIT_SCAN, end);
	memtis->nr_chosen = 0;
	for (; nr > 0; nr--, memtis->hand++) {
		if (memtis->hand >= end)
			memtis->hand = 0;
		uint32_t id = memtis->hand;
		if (!folio_is_used(memtis->table, id) || !memtis->records[id].subs ||
		    folio_get(memtis->table, id)->bits & FOLIO_MOVING)
			continue;
		uint64_t skew = skew_of(memtis, id);
		if (skew > 0)
			choose(memtis, id, skew, wanted);
	}
}

/* Compares the hit ratio that is with the one that splitting would give. */
static void consider_split(struct memtis *memtis)
{
	uint64_t real_bp = memtis->nr_hits * 10000 / memtis->nr_samples;
	uint64_t split_bp = memtis->nr_would_hit * 10000 / memtis->nr_samples;
	uint64_t nr_large = memtis->sub_bytes / (sizeof(uint16_t) << LARGE_ORDER);
	if (memtis->has_split && real_bp < memtis->before_bp + SPLIT_GAIN_BP)
		memtis->is_split_over = true;
	memtis->has_split = false;
	if (!memtis->values[SPLIT] || memtis->is_split_over || memtis->sub_bytes == 0 ||
	    split_bp * SPLIT_MARGIN_BP / 10000 <= real_bp)
		return;
	uint64_t missing = memtis->nr_would_hit - MIN(memtis->nr_hits, memtis->nr_would_hit);
	uint64_t each = MAX(memtis->nr_large_samples / MAX(nr_large, 1), 1);
	memtis->before_bp = real_bp;
	choose_folios_to_split(memtis, (uint32_t)MIN(1 + missing / each, SPLIT_MAX));
}

static void adapt(struct memtis *memtis)
{
	find_thresholds(memtis);
	consider_split(memtis);
	memtis->nr_samples = memtis->nr_hits = 0;
	memtis->nr_would_hit = memtis->nr_large_samples = 0;
}

static void memtis_observe(void *policy, const struct sample_batch *batch)
{
	struct memtis *memtis = policy;
	for (uint32_t i = 0; i < batch->nr; i++) {
		if (batch->samples[i].kind != SAMPLE_HARDWARE)
			continue;
		count_sample(memtis, &batch->samples[i]);
		if (--memtis->nr_to_cool == 0)
			cool(memtis);
		if (memtis->fast_pages > 0 && memtis->nr_samples >= memtis->values[ADAPT])
			adapt(memtis);
	}
}

/* A page that was not known, or lives anew at the same address. One within a large folio is a part
 * of that, until a sample says otherwise. */
static void note_birth(struct memtis *memtis, uint32_t space, uint64_t page, unsigned order,
		       bool is_fast)
{
	uint32_t id = find_covering(memtis, space, page);
	if (id != FOLIO_NONE && folio_get(memtis->table, id)->order > order)
		return;
	id = folio_find(memtis->table, space, page, order);
	if (id != FOLIO_NONE)
		forget(memtis, id);
	id = folio_of(memtis, space, page, order);
	if (id == FOLIO_NONE)
		return;
	detach(memtis, id);
	memtis->records[id].tier = is_fast ? FAST : SLOW;
	attach(memtis, id);
}

/* In the kernel it sees every page come. Where it goes is as the kernel would. */
static int memtis_place(void *policy, const struct place_request *request, uint32_t *ret_node)
{
	struct memtis *memtis = policy;
	uint64_t nr = request->nr_pages;
	bool is_folio = nr > 0 && (nr & (nr - 1)) == 0 && request->page % nr == 0 &&
			nr <= UINT64_C(1) << LARGE_ORDER;
	unsigned order = is_folio ? (unsigned)__builtin_ctzll(nr) : 0;
	(void)ret_node;
	note_birth(memtis, request->space, request->page, order,
		   memtis->fast_pages == 0 || memtis->births >= nr);
	memtis->births -= MIN(memtis->births, nr);
	uint64_t bytes = nr * memtis->page_bytes;
	if (bytes >= memtis->bytes_to_cool)
		cool(memtis);
	else
		memtis->bytes_to_cool -= bytes;
	return -ENOENT;
}

static void learn(struct memtis *memtis, const struct move_result *result, uint32_t id,
		  uint64_t nr_pages)
{
	struct folio *folio = folio_get(memtis->table, id);
	if (result->outcome == MOVE_REFUSED_GONE && nr_pages >= nr_pages_of(folio)) {
		forget(memtis, id);
		return;
	}
	detach(memtis, id);
	folio->bits &= ~(unsigned)FOLIO_MOVING & 63u;
	if (result->outcome != MOVE_REFUSED_GONE && result->node != PLAN_NODE_ANY)
		set_tier(memtis, id, result->node);
	attach(memtis, id);
}

static void memtis_completed(void *policy, const struct move_result *results, uint32_t nr)
{
	struct memtis *memtis = policy;
	for (uint32_t i = 0; i < nr; i++) {
		const struct move_result *result = &results[i];
		for (uint64_t done = 0, step = 1; done < result->nr_pages; done += step) {
			uint64_t page = result->page + done, left = result->nr_pages - done;
			uint32_t id = find_covering(memtis, result->space, page);
			step = 1;
			if (id == FOLIO_NONE)
				continue;
			const struct folio *folio = folio_get(memtis->table, id);
			uint64_t inside = folio->page + nr_pages_of(folio) - page;
			step = MIN(left, inside);
			learn(memtis, result, id, step);
		}
	}
}

struct turn {
	struct plan *plan;
	struct room room;
	uint64_t left;	     /* pages that may still be moved */
	uint64_t free_pages; /* of room.fast, as planned so far */
	uint32_t tries;
};

static bool plan_folio(struct memtis *memtis, struct turn *turn, uint32_t id, uint32_t to,
		       const char *why, bool is_split)
{
	struct folio *folio = folio_get(memtis->table, id);
	uint64_t nr = nr_pages_of(folio);
	struct plan_move move = {
		.page = folio->page,
		.nr_pages = nr,
		.space = folio->space,
		.from = folio->node == FOLIO_NODE_NONE ? PLAN_NODE_ANY : folio->node,
		.to = to,
		.why = why,
		.is_split = is_split,
		.order = (uint8_t)folio->order,
	};
	if (nr > turn->left || plan_add(turn->plan, &move))
		return false;
	unlist(memtis, id);
	folio->bits |= FOLIO_MOVING;
	turn->left -= nr;
	if (to == turn->room.fast)
		turn->free_pages -= MIN(nr, turn->free_pages);
	else if (folio->node == turn->room.fast || folio->node == FOLIO_NODE_NONE)
		turn->free_pages += nr;
	return true;
}

/* Goes once through the list, from the one that came first on. False: no more can be planned. */
static bool demote_list(struct memtis *memtis, struct turn *turn, struct idlist *list,
			uint64_t wanted, const char *why)
{
	uint32_t last = list->last, id = list->first;
	for (bool is_last = false; !is_last && turn->free_pages < wanted; id = list->first) {
		if (id == IDLIST_END)
			return true;
		uint32_t node = folio_get(memtis->table, id)->node;
		is_last = id == last;
		if (turn->tries == 0)
			return false;
		turn->tries--;
		if (node != FOLIO_NODE_NONE && node != turn->room.fast) {
			idlist_del(list, memtis->links, id);
			idlist_add_tail(list, memtis->links, id);
		} else if (!plan_folio(memtis, turn, id, turn->room.slow, why, false)) {
			return false;
		}
	}
	return true;
}

/* Demotes from the coldest bin up, below bin `end`, until `wanted` pages are free. */
static bool make_room(struct memtis *memtis, struct turn *turn, uint64_t wanted, unsigned end,
		      const char *why)
{
	for (unsigned bin = 0; bin < end && turn->free_pages < wanted; bin++)
		if (!demote_list(memtis, turn, &memtis->lists[FAST][bin], wanted, why))
			return false;
	return turn->free_pages >= wanted;
}

static void promote_hot(struct memtis *memtis, struct turn *turn)
{
	for (unsigned bin = BINS - 1; bin >= memtis->hot; bin--) {
		const struct idlist *list = &memtis->lists[SLOW][bin];
		for (; list->first != IDLIST_END && turn->tries > 0; turn->tries--) {
			uint64_t nr = nr_pages_of(folio_get(memtis->table, list->first));
			if (nr > turn->left ||
			    !make_room(memtis, turn, nr, memtis->hot, "cold: makes room") ||
			    !plan_folio(memtis, turn, list->first, turn->room.fast,
					"hot in slow memory", false))
				return;
		}
	}
}

/* Splits: hot parts of a slow folio go to fast memory, cold parts of a fast one to slow. */
static void split_folio(struct memtis *memtis, struct turn *turn, uint32_t id)
{
	struct folio folio = *folio_get(memtis->table, id);
	bool is_fast = memtis->records[id].tier == FAST;
	uint64_t nr = nr_pages_of(&folio);
	if (nr > turn->left)
		return;
	break_up(memtis, id);
	memtis->has_split = true;
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t part = folio_find(memtis->table, folio.space, folio.page + i, 0);
		if (part == FOLIO_NONE)
			continue;
		bool is_hot = current_bin(memtis, &memtis->records[part]) >= memtis->base_hot;
		if (is_fast && !is_hot)
			plan_folio(memtis, turn, part, turn->room.slow,
				   "split: cold part of a hot folio", true);
		else if (!is_fast && is_hot &&
			 make_room(memtis, turn, 1, memtis->hot, "cold: makes room"))
			plan_folio(memtis, turn, part, turn->room.fast,
				   "split: hot part of a cold folio", true);
	}
}

static void split_chosen(struct memtis *memtis, struct turn *turn)
{
	for (uint32_t i = 0; i < memtis->nr_chosen; i++) {
		uint32_t id = memtis->chosen[i].id;
		if (folio_is_used(memtis->table, id) && memtis->records[id].subs &&
		    !(folio_get(memtis->table, id)->bits & FOLIO_MOVING))
			split_folio(memtis, turn, id);
	}
	memtis->nr_chosen = 0;
}

static uint64_t pages_allowed(const struct memtis *memtis, const struct policy_view *view)
{
	uint64_t passed_ns = MIN(view->now_ns - memtis->last_ns, NS_PER_S);
	unsigned __int128 bytes = (unsigned __int128)memtis->values[MIGRATE] * passed_ns / NS_PER_S;
	return (uint64_t)MIN(bytes / memtis->page_bytes, view->budget_pages);
}

static int memtis_decide(void *policy, const struct policy_view *view, struct plan *plan)
{
	struct memtis *memtis = policy;
	struct turn turn = { .plan = plan, .tries = TRIES_MAX };
	if (!room_look(memtis->machine, view, &turn.room))
		return 0;
	memtis->fast_pages = turn.room.fast_pages;
	memtis->births = turn.room.births;
	turn.free_pages = turn.room.fast_free;
	if (view->now_ns < memtis->next_ns)
		return 0;
	turn.left = pages_allowed(memtis, view);
	memtis->next_ns = view->now_ns + memtis->values[WAKE];
	memtis->last_ns = view->now_ns;
	if (hot_pages(memtis) > room_for_hot(memtis))
		find_thresholds(memtis);
	split_chosen(memtis, &turn);
	make_room(memtis, &turn, turn.room.fast_pages - room_for_hot(memtis), memtis->warm,
		  "cold: room for new pages");
	promote_hot(memtis, &turn);
	return 0;
}

unsigned memtis_hot_bin(const struct memtis *memtis)
{
	return memtis->hot;
}

unsigned memtis_warm_bin(const struct memtis *memtis)
{
	return memtis->warm;
}

static bool list_is_valid(const struct memtis *memtis, unsigned tier, unsigned bin, uint64_t *nr)
{
	const struct idlist *list = &memtis->lists[tier][bin];
	uint32_t last = IDLIST_END, id = list->first;
	for (; id != IDLIST_END && *nr <= memtis->max; id = memtis->links[id].next, ++*nr) {
		const struct record *record = &memtis->records[id];
		if (!folio_is_used(memtis->table, id) || memtis->links[id].prev != last ||
		    !record->is_listed || record->tier != tier ||
		    current_bin(memtis, record) != bin)
			return false;
		last = id;
	}
	return list->last == last;
}

/* One 4 KiB page as sampled so far, its cooling not yet done. */
static void recount_base(uint64_t bins[BINS], uint32_t count, uint32_t turns)
{
	unsigned bin = bin_of(count);
	if (bin > turns)
		bins[bin - turns]++;
}

bool memtis_is_valid(const struct memtis *memtis)
{
	uint64_t pages[NR_TIERS][BINS] = { 0 }, base[BINS] = { 0 }, listed = 0, moving = 0;
	for (unsigned i = 0; i < NR_TIERS * BINS; i++)
		if (!list_is_valid(memtis, i / BINS, i % BINS, &listed))
			return false;
	for (uint32_t id = 0; id < folio_id_end(memtis->table); id++) {
		if (!folio_is_used(memtis->table, id))
			continue;
		const struct record *record = &memtis->records[id];
		const struct folio *folio = folio_get(memtis->table, id);
		uint64_t nr = nr_pages_of(folio);
		uint32_t turns = memtis->clock - record->clock;
		pages[record->tier][current_bin(memtis, record)] += nr;
		moving += !record->is_listed;
		if (folio->order == 0)
			recount_base(base, record->count, turns);
		for (uint64_t i = 0; record->subs && i < nr; i++)
			recount_base(base, record->subs[i], turns);
	}
	base[0] = memtis->base_pages[0];
	return listed + moving == folio_nr(memtis->table) &&
	       memcmp(pages, memtis->pages, sizeof(pages)) == 0 &&
	       memcmp(base, memtis->base_pages, sizeof(base)) == 0;
}

static void memtis_free(void *policy)
{
	struct memtis *memtis = policy;
	if (!memtis)
		return;
	for (uint32_t id = 0; id < folio_id_end(memtis->table); id++)
		if (folio_is_used(memtis->table, id))
			free(memtis->records[id].subs);
	folio_table_free(memtis->table);
	free(memtis->records);
	free(memtis->links);
	free(memtis);
}

static int memtis_new(const struct policy_config *config, void **ret_policy, struct printbuf *err)
{
	struct memtis *memtis = calloc(1, sizeof(*memtis));
	if (!memtis || folio_table_new(&memtis->table)) {
		free(memtis);
		return error_set(err, -ENOMEM, "memtis: out of memory");
	}
	for (size_t i = 0; i < NR_TUNABLES; i++)
		memtis->values[i] = config->values[i];
	for (unsigned i = 0; i < NR_TIERS * BINS; i++)
		memtis->lists[i / BINS][i % BINS] = IDLIST_EMPTY;
	memtis->machine = config->machine;
	memtis->page_bytes = config->page_bytes;
	memtis->orders = 1;
	memtis->hot = memtis->base_hot = memtis->warm = 1;
	memtis->nr_to_cool = memtis->values[COOL];
	memtis->bytes_to_cool = memtis->values[COOL_BYTES];
	*ret_policy = memtis;
	return 0;
}

static uint64_t memtis_bytes(const void *policy)
{
	const struct memtis *memtis = policy;
	return sizeof(*memtis) + folio_table_bytes(memtis->table) + memtis->sub_bytes +
	       memtis->max * (sizeof(*memtis->records) + sizeof(*memtis->links));
}

extern const struct policy_ops policy_memtis;
const struct policy_ops policy_memtis = {
	.name = "memtis",
	.summary = "MEMTIS: a histogram of sampled hotness, cut where fast memory is full",
	.needs = SAMPLE_BIT(SAMPLE_HARDWARE) | SAMPLE_HAS_NODE,
	.needs_order = true,
	.hardware = { LOAD_PERIOD, STORE_PERIOD, SHARE_BP },
	.tunables = memtis_tunables,
	.nr_tunables = NR_TUNABLES,
	.new = memtis_new,
	.place = memtis_place,
	.observe = memtis_observe,
	.completed = memtis_completed,
	.decide = memtis_decide,
	.memory_bytes = memtis_bytes,
	.free = memtis_free,
};
