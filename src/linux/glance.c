/* SPDX-License-Identifier: MIT */
/* Which huge folios to glance at, and what it tells (glance.h): arithmetic only. */
#include "linux/glance.h"

#include <stdlib.h>

#define ONE	    65536
#define LN2	    45426 /* in 65536ths */
#define FIRST_ROOM  256
#define SHORTEST_NS (250 * NS_PER_US)
#define FIRST_LEVEL 1
#define LOOKS_NEW   8 /* until a folio counts as known */
#define LOOKS_KNOWN 3 /* per session, from then on */
#define LOOKS_MAX   16
#define DOWN_FIRST  2 /* hits in a row, there having been no other looks */
#define DOWN_LATER  4
#define UP_FIRST    4 /* misses in a row, likewise */
#define UP_LATER    6
#define ROW_MAX	    16
#define CHECKS_MAX  12 /* then what is long past is halved */
#define EACH_NS	    (4 * NS_PER_US)
#define PASSES_MAX  64 /* of a session over its folios */
#define DEVIATIONS  2
#define ONE_PAGE    (GLANCE_CHECKS / (uint32_t)GLANCE_PAGES) /* a folio of which it was used */
#define SHARE_BITS  3 /* of a share that are told: neighbours with equal ones are one sample */

/* Fewer where clearing them would take longer than the look. */
static const uint32_t batch_of_level[GLANCE_LEVELS] = { 16, 64, 256, GLANCE_BATCH };

/* log2 by squaring: a bit of the result each time. */
uint64_t glance_minus_ln(uint32_t nr, uint32_t of)
{
	uint64_t x = ((uint64_t)of << 31) / nr, log2 = 0; /* 1 is 2^31 */
	while (x >= (uint64_t)1 << 32) {
		x >>= 1;
		log2 += ONE;
	}
	for (uint64_t bit = ONE / 2; bit > 0; bit /= 2) {
		x = x * x >> 31;
		if (x >= (uint64_t)1 << 32) {
			x >>= 1;
			log2 += bit;
		}
	}
	return log2 * LN2 / ONE;
}

/* 2^-y: a factor of 2^-(1/2), 2^-(1/4), ... for each bit of the fraction. */
uint64_t glance_exp_minus(uint64_t x)
{
	static const uint32_t factors[] = { 46341, 55109, 60097, 62757, 64132, 64830,
					    65182, 65359, 65447, 65492, 65514, 65525 };
	uint64_t y = x * ONE / LN2, result = ONE;
	if (y >= (uint64_t)16 * ONE)
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(factors); i++)
		if (y & ONE / 2 >> i)
			result = result * factors[i] / ONE;
	return result >> (y / ONE);
}

void glance_fini(struct glance *glance)
{
	free(glance->folios.items);
	free(glance->before.items);
	*glance = (struct glance){ 0 };
}

void glance_begin(struct glance *glance)
{
	struct glance_list before = glance->before;
	glance->before = glance->folios;
	glance->folios = before;
	glance->folios.nr = 0;
	glance->at_before = glance->at = 0;
	glance->is_listing = true;
}

void glance_end(struct glance *glance)
{
	glance->is_listing = false;
	glance->at = 0;
}

static int compare(const struct glance_folio *folio, uint32_t space, uint64_t number)
{
	if (folio->space != space)
		return folio->space < space ? -1 : 1;
	return folio->number < number ? -1 : folio->number > number;
}

static bool make_room(struct glance_list *list)
{
	if (list->nr < list->max)
		return true;
	uint32_t max = MAX(list->max * 2, FIRST_ROOM);
	struct glance_folio *items = max <= GLANCE_MAX ? realloc(list->items, max * sizeof(*items))
						       : NULL;
	if (!items)
		return false;
	list->items = items;
	list->max = max;
	return true;
}

void glance_see(struct glance *glance, uint32_t space, uint64_t page, bool is_used)
{
	const struct glance_list *before = &glance->before;
	uint64_t number = page >> GLANCE_ORDER;
	if (!make_room(&glance->folios))
		return; /* it counts as if it had never been glanced at */
	while (glance->at_before < before->nr &&
	       compare(&before->items[glance->at_before], space, number) < 0)
		glance->at_before++;
	struct glance_folio *folio = &glance->folios.items[glance->folios.nr++];
	if (glance->at_before < before->nr &&
	    compare(&before->items[glance->at_before], space, number) == 0)
		*folio = before->items[glance->at_before];
	else
		*folio = (struct glance_folio){ .number = number,
						.space = space,
						.level = FIRST_LEVEL };
	folio->is_due = is_used && !folio->is_refused;
	folio->nr_looks = 0;
}

/* Whose turn it is: the next that are due, once around. */
static void take_turn(struct glance *glance)
{
	uint32_t nr = glance->folios.nr;
	glance->nr_turn = 0;
	for (uint32_t i = 0; i < nr && glance->nr_turn < GLANCE_TURN; i++) {
		glance->hand = glance->hand + 1 < nr ? glance->hand + 1 : 0;
		if (!glance->folios.items[glance->hand].is_due)
			continue;
		glance->folios.items[glance->hand].nr_looks = 0;
		glance->turn[glance->nr_turn++] = glance->hand;
	}
}

/* A deviation of the number of looks that saw no use, in quarters of a look. */
static uint32_t deviation_of(const struct glance_folio *folio)
{
	uint32_t square = 16u * folio->hits * (folio->checks - folio->hits) / folio->checks;
	uint32_t root = 0;
	while ((root + 1) * (root + 1) <= square)
		root++;
	return root;
}

/* Uses in a look, in 65536ths, `by` deviations above what was seen, or below. A quarter of a look
 * more of each kind: few looks are no certainty. */
static uint64_t uses_of(const struct glance_folio *folio, int by)
{
	int all = 4 * folio->checks, unused = all - 4 * folio->hits;
	unused -= by * (int)deviation_of(folio);
	return glance_minus_ln((uint32_t)MIN(MAX(unused, 0), all) + 1, (uint32_t)all + 2);
}

/* Looks of another length begin; until there is one, what those up to now told counts. */
static void change_level(struct glance_folio *folio, int by)
{
	folio->uses = (uint32_t)uses_of(folio, 0);
	folio->look_ns = folio->watched_ns / folio->checks;
	folio->level = (uint8_t)(folio->level + by);
	folio->hits = folio->checks = folio->nr_row = 0;
	folio->watched_ns = 0;
}

/* In all looks so far, or in several in a row: it is not what it was. */
static bool is_too_long(const struct glance_folio *folio)
{
	return folio->level > 0 && folio->is_row_used &&
	       folio->nr_row >= (folio->hits == folio->checks ? DOWN_FIRST : DOWN_LATER);
}

static bool is_too_short(const struct glance_folio *folio)
{
	return folio->level < GLANCE_LEVELS - 1 && !folio->is_row_used &&
	       folio->nr_row >= (folio->hits == 0 ? UP_FIRST : UP_LATER);
}

void glance_note(struct glance_folio *folio, bool is_used, uint64_t watched_ns)
{
	folio->nr_looks++;
	folio->checks++;
	folio->hits += is_used;
	folio->watched_ns += watched_ns;
	folio->nr_row = folio->is_row_used == is_used ? (uint8_t)MIN(folio->nr_row + 1, ROW_MAX)
						      : 1;
	folio->is_row_used = is_used;
	if (is_too_long(folio)) {
		change_level(folio, -1);
	} else if (is_too_short(folio)) {
		change_level(folio, 1);
	} else if (folio->checks >= CHECKS_MAX) {
		folio->checks /= 2;
		folio->hits /= 2;
		folio->watched_ns /= 2;
	}
}

static bool wants_look(const struct glance_folio *folio)
{
	if (!folio->is_due || folio->nr_looks >= LOOKS_MAX)
		return false;
	return folio->checks < LOOKS_NEW || folio->nr_looks < LOOKS_KNOWN;
}

struct batch {
	struct glance_folio *folios[GLANCE_BATCH];
	uint64_t numbers[GLANCE_BATCH];
	uint32_t nr;
};

/* Folios of one space that want a look of that length; `at` goes on through the turn. */
static void fill(struct glance *glance, struct batch *batch, unsigned level, uint32_t *at)
{
	uint64_t fits = (SHORTEST_NS << 2 * level) / MAX(glance->each_ns, 1);
	uint32_t max = (uint32_t)MIN(batch_of_level[level], MAX(fits, 1));
	batch->nr = 0;
	for (; *at < glance->nr_turn && batch->nr < max; ++*at) {
		struct glance_folio *folio = &glance->folios.items[glance->turn[*at]];
		if (folio->level != level || !wants_look(folio))
			continue;
		if (batch->nr > 0 && batch->folios[0]->space != folio->space)
			return;
		batch->folios[batch->nr] = folio;
		batch->numbers[batch->nr++] = folio->number;
	}
}

static void end_space(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++)
		batch->folios[i]->is_due = false;
}

/* Those cleared first were watched for longer than those cleared last. */
static void look(struct glance *glance, struct batch *batch, unsigned level,
		 const struct glance_eyes *eyes)
{
	uint32_t space = batch->folios[0]->space;
	uint64_t begin_ns = eyes->now_ns(eyes->context);
	int nr = eyes->clear(eyes->context, space, batch->numbers, batch->nr);
	uint64_t cleared_ns = eyes->now_ns(eyes->context);
	glance->each_ns = (glance->each_ns + (cleared_ns - begin_ns) / batch->nr) / 2;
	if (nr < 0) {
		end_space(batch);
		return;
	}
	if ((uint32_t)nr < batch->nr) {
		batch->folios[nr]->is_refused = true;
		batch->folios[nr]->is_due = false;
		batch->nr = (uint32_t)nr;
	}
	if (batch->nr == 0)
		return;
	eyes->wait(eyes->context, SHORTEST_NS << 2 * level);
	uint64_t read_ns = eyes->now_ns(eyes->context);
	if (!eyes->begin_reading(eyes->context, space)) {
		end_space(batch);
		return;
	}
	for (uint32_t i = 0; i < batch->nr; i++) {
		int is_used = eyes->is_used(eyes->context, batch->numbers[i]);
		uint64_t at_ns = begin_ns + (cleared_ns - begin_ns) * (i + 1) / batch->nr;
		if (is_used < 0)
			batch->folios[i]->is_due = false;
		else
			glance_note(batch->folios[i], is_used, MAX(read_ns - at_ns, 1));
	}
}

void glance_session(struct glance *glance, const struct glance_eyes *eyes)
{
	struct batch batch;
	bool is_done = false;
	glance->each_ns = MAX(glance->each_ns, EACH_NS);
	take_turn(glance);
	for (unsigned pass = 0; pass < PASSES_MAX && !is_done; pass++) {
		is_done = true;
		for (unsigned level = 0; level < GLANCE_LEVELS; level++)
			for (uint32_t at = 0; at < glance->nr_turn;) {
				fill(glance, &batch, level, &at);
				if (batch.nr == 0)
					continue;
				if (!eyes->has_time(eyes->context, batch.nr * glance->each_ns))
					return;
				look(glance, &batch, level, eyes);
				is_done = false;
			}
	}
}

static const struct glance_folio *find(struct glance *glance, uint32_t space, uint64_t number)
{
	const struct glance_list *list = glance->is_listing ? &glance->before : &glance->folios;
	uint32_t first = 0, end = list->nr;
	if (glance->at + 1 < list->nr && /* mostly asked for in ascending order */
	    compare(&list->items[glance->at + 1], space, number) == 0)
		return &list->items[++glance->at];
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;
		if (compare(&list->items[middle], space, number) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == list->nr || compare(&list->items[first], space, number) != 0)
		return NULL;
	glance->at = first;
	return &list->items[first];
}

/* Its highest bits, or all of it. */
static uint32_t rounded(uint32_t share)
{
	unsigned bits = share ? 32 - (unsigned)__builtin_clz(share) : 0;
	if (bits <= SHARE_BITS || share >= GLANCE_CHECKS)
		return share;
	return share >> (bits - SHARE_BITS) << (bits - SHARE_BITS);
}

uint32_t glance_share(struct glance *glance, uint32_t space, uint64_t page, uint64_t window_ns,
		      enum glance_bound bound)
{
	const struct glance_folio *folio = find(glance, space, page >> GLANCE_ORDER);
	if (!folio)
		return 0;
	bool has_looks = folio->checks > 0;
	if (!has_looks && folio->look_ns == 0)
		return bound == GLANCE_AT_LEAST && !folio->is_refused ? ONE_PAGE : GLANCE_CHECKS;
	if (has_looks && folio->level == 0 && folio->hits == folio->checks)
		return GLANCE_CHECKS;
	uint64_t uses = has_looks ? uses_of(folio, (int)bound * DEVIATIONS) : folio->uses;
	uint64_t look_ns = has_looks ? folio->watched_ns / folio->checks : folio->look_ns;
	uint64_t each = uses * MIN(window_ns, 16 * NS_PER_S) / MAX(look_ns * GLANCE_PAGES, 1);
	uint32_t share = (uint32_t)((ONE - glance_exp_minus(each)) * GLANCE_CHECKS / ONE);
	return rounded(MAX(share, ONE_PAGE));
}
