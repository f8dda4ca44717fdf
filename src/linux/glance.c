/* SPDX-License-Identifier: MIT */
/* Which huge folios to glance at, and what it tells (glance.h): arithmetic only. */
#include "linux/glance.h"

#include <stdlib.h>

#define ONE	     65536
#define LN2	     45426 /* in 65536ths */
#define FIRST_ROOM   256
#define SHORTEST_NS  (250 * NS_PER_US)
#define FIRST_LEVEL  1
#define LOOKS_NEW    8 /* until a folio counts as known */
#define LOOKS_KNOWN  2 /* per session, from then on: a shorter one, and one as ever */
#define LOOKS_MAX    16
#define DOWN_FIRST   2 /* hits in a row, there having been no other looks */
#define DOWN_LATER   4
#define UP_FIRST     4 /* misses in a row, likewise */
#define UP_LATER     6
#define ROW_MAX	     16
#define CHECKS_MAX   12 /* then what is long past is halved */
#define RANGE_NS     (4 * NS_PER_US)
#define MORE_NS	     NS_PER_US
#define CLEARING_NS  (4 * NS_PER_MS) /* may be longer than the look: better than none */
#define ALONG_MAX    3		     /* neighbours in between: dearer is another range */
#define SWEEPS_MAX   256	     /* of a session over its folios */
#define SQUARE	     4		     /* of two deviations */
#define UNBOUNDED    UINT32_MAX
#define BATCH_TELLS  12 /* looks: fewer may be all alike by chance */
#define BATCHES_TELL 64 /* looks in all of them */
#define ONCE	     16
#define BURSTS_MAX   (1024 * ONCE)
#define ONE_PAGE     (GLANCE_CHECKS / (uint32_t)GLANCE_PAGES) /* a folio of which it was used */
#define SHARE_BITS   3 /* of a share that are told: neighbours with equal ones are one sample */

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
	folio->is_odd = false;
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

static uint32_t root_of(uint32_t square)
{
	uint32_t root = 0;
	while ((root + 1) * (root + 1) <= square)
		root++;
	return root;
}

/* Uses in a look, in 65536ths: as guessed from few looks, a quarter of one more of each kind since
 * they are no certainty; or what looks do not rule out: of n looks of which u saw no use the share
 * without use lies within (u + z^2 / 2 -+ z sqrt(u (n - u) / n + z^2 / 4)) / (n + z^2), z
 * deviations wide. */
static uint32_t uses_of(const struct glance_folio *folio, enum glance_bound bound)
{
	uint32_t nr = folio->checks, unused = nr - folio->hits;
	if (bound == GLANCE_GUESSED)
		return (uint32_t)glance_minus_ln(4 * unused + 1, 4 * nr + 2);
	uint32_t of = 4 * nr + 4 * SQUARE, middle = 4 * unused + 2 * SQUARE;
	uint32_t wide = root_of(16 * SQUARE * unused * folio->hits / nr + 4 * SQUARE * SQUARE);
	if (bound == GLANCE_AT_LEAST)
		return (uint32_t)glance_minus_ln(MIN(middle + wide, of), of);
	return unused == 0 ? UNBOUNDED : (uint32_t)glance_minus_ln(MAX(middle - wide, 1), of);
}

/* Looks of another length begin; until they say more, what those up to now told counts: shorter
 * ones where use was seen too often to rule out any more of it, longer ones where it was not. */
static void change_level(struct glance_folio *folio, int by)
{
	for (int bound = GLANCE_AT_LEAST; bound <= GLANCE_AT_MOST && folio->checks > 0; bound++)
		folio->uses[bound + 1] = uses_of(folio, (enum glance_bound)bound);
	if (by < 0)
		folio->uses[GLANCE_AT_MOST + 1] = UNBOUNDED;
	if (folio->checks > 0)
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

/* A look of its own length. */
static void note_look(struct glance_folio *folio, bool is_used, uint64_t watched_ns)
{
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

static bool is_known(const struct glance_folio *folio)
{
	return folio->checks >= LOOKS_NEW;
}

/* The first look of a session is of the shortest kind: hardly any see a folio used then, but those
 * of one that has become hot. So it is for one that is not known yet, but was seen to need long
 * looks: these come last, when there may be no time left. */
static bool is_probed(const struct glance_folio *folio)
{
	return folio->nr_looks == 0 && folio->level > 0 &&
	       (is_known(folio) || folio->level > FIRST_LEVEL);
}

/* A probe that saw use makes a new one of it, to be looked at for as long; that it did so is no
 * look by itself, since one that did not would be none. A known folio that is mostly seen used and
 * was not, or the other way round, is looked at again. */
void glance_note(struct glance_folio *folio, bool is_used, uint64_t watched_ns)
{
	bool is_probe = is_probed(folio);
	bool is_odd = is_known(folio) && (is_used ? 4 * folio->hits <= folio->checks
						  : 4 * folio->hits >= 3 * folio->checks);
	folio->nr_looks++;
	folio->is_odd = is_odd && !is_probe;
	if (!is_probe)
		note_look(folio, is_used, watched_ns);
	else if (is_used)
		change_level(folio, -(int)folio->level);
}

static bool wants_look(const struct glance_folio *folio)
{
	if (!folio->is_due || folio->nr_looks >= LOOKS_MAX)
		return false;
	return !is_known(folio) || folio->is_odd || folio->nr_looks < LOOKS_KNOWN;
}

static unsigned level_of(const struct glance_folio *folio)
{
	return is_probed(folio) ? 0 : folio->level;
}

struct batch {
	struct glance_folio *folios[GLANCE_BATCH];
	uint64_t numbers[GLANCE_BATCH];
	bool is_along[GLANCE_BATCH]; /* it is cleared for lying in between */
	uint32_t nr, nr_ranges;
	uint32_t last; /* of glance->folios */
	uint64_t cost_ns;
};

static void add_to_batch(struct glance *glance, struct batch *batch, uint32_t item, bool is_along)
{
	struct glance_folio *folio = &glance->folios.items[item];
	batch->folios[batch->nr] = folio;
	batch->is_along[batch->nr] = is_along;
	batch->numbers[batch->nr++] = folio->number;
	batch->last = item;
}

/* Does it lie behind the last one, or are those in between due, too, and clearing them is cheaper
 * than another range? */
static bool is_near(const struct glance *glance, const struct batch *batch, uint32_t item)
{
	const struct glance_folio *items = glance->folios.items;
	if (batch->nr == 0 || item <= batch->last || item - batch->last > ALONG_MAX + 1 ||
	    (item - batch->last) * glance->more_ns > glance->range_ns ||
	    items[item].number - items[batch->last].number != item - batch->last)
		return false;
	for (uint32_t i = batch->last + 1; i < item; i++)
		if (!items[i].is_due)
			return false;
	return true;
}

/* Folios of one space that want a look of that length; `at` goes on through the turn. Clearing them
 * takes no longer than the look, or than 4 ms. */
static void fill(struct glance *glance, struct batch *batch, unsigned level, uint32_t *at)
{
	batch->nr = batch->nr_ranges = 0;
	batch->cost_ns = 0;
	for (; *at < glance->nr_turn; ++*at) {
		uint32_t item = glance->turn[*at];
		const struct glance_folio *folio = &glance->folios.items[item];
		if (level_of(folio) != level || !wants_look(folio))
			continue;
		if (batch->nr > 0 && batch->folios[0]->space != folio->space)
			return;
		bool near = is_near(glance, batch, item);
		uint32_t nr = near ? item - batch->last : 1;
		uint64_t cost_ns = near ? nr * glance->more_ns : glance->range_ns;
		if (batch->nr > 0 &&
		    (batch->nr + nr > batch_of_level[level] ||
		     batch->cost_ns + cost_ns > MAX(SHORTEST_NS << 2 * level, CLEARING_NS)))
			return;
		while (near && batch->last + 1 < item)
			add_to_batch(glance, batch, batch->last + 1, true);
		add_to_batch(glance, batch, item, false);
		batch->nr_ranges += !near;
		batch->cost_ns += cost_ns;
	}
}

/* What a range takes with its first folio, and each further one: least mean squares, a step each
 * time. One that took far longer was interrupted, or it will take longer again. */
static void note_cost(struct glance *glance, const struct batch *batch, uint64_t took_ns)
{
	int64_t ranges = batch->nr_ranges, more = batch->nr - batch->nr_ranges;
	int64_t off = (int64_t)MIN(took_ns, 2 * batch->cost_ns) - (int64_t)batch->cost_ns;
	int64_t norm = 2 * (ranges * ranges + more * more);
	int64_t range_ns = (int64_t)glance->range_ns + off * ranges / norm;
	int64_t more_ns = (int64_t)glance->more_ns + off * more / norm;
	glance->range_ns = (uint64_t)MAX(range_ns, 1);
	glance->more_ns = MIN((uint64_t)MAX(more_ns, 1), glance->range_ns);
}

static void end_space(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++)
		batch->folios[i]->is_due = false;
}

static void note_batch(struct glance_batches *batches, uint32_t checks, uint32_t hits)
{
	if (checks < BATCH_TELLS)
		return;
	batches->checks += checks;
	batches->hits += hits;
	batches->whole += hits == checks ? hits : 0;
	batches->uses += checks * glance_minus_ln(4 * (checks - hits) + 1, 4 * checks + 2);
}

static void fade_batches(struct glance *glance)
{
	for (unsigned level = 0; level < GLANCE_LEVELS; level++) {
		struct glance_batches *batches = &glance->batches[level];
		batches->checks -= batches->checks / 8;
		batches->hits -= batches->hits / 8;
		batches->whole -= batches->whole / 8;
		batches->uses -= batches->uses / 8;
	}
}

/* Those cleared first were watched for longer than those cleared last. */
static void look(struct glance *glance, struct batch *batch, unsigned level,
		 const struct glance_eyes *eyes)
{
	uint32_t space = batch->folios[0]->space;
	uint64_t begin_ns = eyes->now_ns(eyes->context);
	int nr = eyes->clear(eyes->context, space, batch->numbers, batch->nr);
	uint64_t cleared_ns = eyes->now_ns(eyes->context);
	note_cost(glance, batch, cleared_ns - begin_ns);
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
	uint32_t nr_read = 0, nr_used = 0, nr_cleared = batch->nr;
	for (uint32_t i = 0; i < batch->nr; i++) {
		int is_used = eyes->is_used(eyes->context, batch->numbers[i]);
		uint64_t at_ns = begin_ns + (cleared_ns - begin_ns) * (i + 1) / nr_cleared;
		if (batch->is_along[i])
			continue;
		if (is_used < 0) {
			batch->folios[i]->is_due = false;
			continue;
		}
		nr_read++;
		nr_used += is_used > 0;
		glance_note(batch->folios[i], is_used, MAX(read_ns - at_ns, 1));
	}
	note_batch(&glance->batches[level], nr_read, nr_used);
}

/* By how much, in 16ths, uses in a look are more than the share of looks says, since they come in
 * bursts: the most of all lengths. UNBOUNDED: nobody knows. */
static uint32_t bursts_of(const struct glance *glance)
{
	uint64_t most = ONCE;
	for (unsigned level = 0; level < GLANCE_LEVELS; level++) {
		const struct glance_batches *batches = &glance->batches[level];
		uint32_t checks = batches->checks, hits = MIN(batches->hits, checks);
		if (checks < BATCHES_TELL || hits == 0)
			continue;
		if (2 * batches->whole > hits && 4 * hits < 3 * checks)
			return UNBOUNDED;
		uint32_t scale = 1 + checks / 8192; /* glance_minus_ln() has room for so many */
		uint64_t together = glance_minus_ln(4 * (checks - hits) / scale + 1,
						    4 * checks / scale + 2);
		most = MAX(most, ONCE * (batches->uses / checks) / MAX(together, 1));
	}
	return (uint32_t)MIN(most, BURSTS_MAX);
}

/* Looks once at each that wants a look of that length. False: no more time. */
static bool look_at_level(struct glance *glance, unsigned level, const struct glance_eyes *eyes,
			  uint32_t *ret_looks)
{
	struct batch batch;
	*ret_looks = 0;
	for (uint32_t at = 0; at < glance->nr_turn;) {
		fill(glance, &batch, level, &at);
		if (batch.nr == 0)
			continue;
		if (!eyes->has_time(eyes->context, batch.cost_ns))
			return false;
		look(glance, &batch, level, eyes);
		*ret_looks += batch.nr;
	}
	return true;
}

/* Short looks first: they find what is hot, and there is time for many of them. */
static void look_around(struct glance *glance, const struct glance_eyes *eyes)
{
	unsigned level = 0;
	for (unsigned sweep = 0; sweep < SWEEPS_MAX && level < GLANCE_LEVELS; sweep++) {
		uint32_t nr_looks;
		if (!look_at_level(glance, level, eyes, &nr_looks))
			return;
		if (nr_looks == 0)
			level++;
		else if (level > 0)
			level--;
	}
}

void glance_session(struct glance *glance, const struct glance_eyes *eyes)
{
	glance->range_ns = MAX(glance->range_ns, RANGE_NS);
	glance->more_ns = MAX(glance->more_ns, MORE_NS);
	take_turn(glance);
	fade_batches(glance);
	look_around(glance, eyes);
	glance->bursts = bursts_of(glance);
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

/* No look has seen it unused. */
static bool is_unbounded(const struct glance_folio *folio)
{
	return folio->hits == folio->checks &&
	       (folio->look_ns == 0 || folio->uses[GLANCE_AT_MOST + 1] == UNBOUNDED);
}

/* Of uses in a look those of each page in the window. */
static uint64_t in_window(uint32_t uses, uint64_t look_ns, uint64_t window_ns)
{
	return uses * MIN(window_ns, 16 * NS_PER_S) / MAX(look_ns * GLANCE_PAGES, 1);
}

/* Uses of each page in the window, in 65536ths: what looks of this length say, or those of the
 * length before, where that rules out more. */
static uint64_t uses_in(const struct glance_folio *folio, uint64_t window_ns,
			enum glance_bound bound)
{
	uint64_t before = 0, now = 0;
	if (folio->look_ns)
		before = in_window(folio->uses[bound + 1], folio->look_ns, window_ns);
	if (folio->checks)
		now = in_window(uses_of(folio, bound), folio->watched_ns / folio->checks,
				window_ns);
	if (!folio->look_ns || !folio->checks || bound == GLANCE_AT_LEAST)
		return MAX(before, now);
	if (bound == GLANCE_AT_MOST)
		return MIN(before, now);
	uint64_t least = uses_in(folio, window_ns, GLANCE_AT_LEAST);
	return MAX(MIN(now, uses_in(folio, window_ns, GLANCE_AT_MOST)), least);
}

uint32_t glance_share(struct glance *glance, uint32_t space, uint64_t page, uint64_t window_ns,
		      enum glance_bound bound)
{
	const struct glance_folio *folio = find(glance, space, page >> GLANCE_ORDER);
	if (!folio)
		return 0;
	if (folio->checks == 0 && folio->look_ns == 0)
		return bound == GLANCE_AT_LEAST && !folio->is_refused ? ONE_PAGE : GLANCE_CHECKS;
	if (bound == GLANCE_AT_MOST && is_unbounded(folio))
		return GLANCE_CHECKS;
	if (bound != GLANCE_AT_LEAST && folio->checks > 0 && folio->level == 0 &&
	    folio->hits == folio->checks)
		return GLANCE_CHECKS;
	uint64_t each = uses_in(folio, window_ns, bound);
	if (bound == GLANCE_AT_MOST && glance->bursts == UNBOUNDED)
		return GLANCE_CHECKS;
	if (bound == GLANCE_AT_MOST)
		each = each * MAX(glance->bursts, ONCE) / ONCE;
	uint32_t share = (uint32_t)((ONE - glance_exp_minus(each)) * GLANCE_CHECKS / ONE);
	return rounded(MAX(share, ONE_PAGE));
}
