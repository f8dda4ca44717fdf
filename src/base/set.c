/* SPDX-License-Identifier: MIT */
/* Sets of small numbers as a growing bitmap (set.h). Words beyond nr_words count as zero, so sets
 * of different length compare and combine. */
#include "base/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/printbuf.h"

static uint64_t word_of(const struct set *set, uint32_t index)
{
	return index < set->nr_words ? set->words[index] : 0;
}

static int set_grow(struct set *set, uint32_t nr_words)
{
	if (nr_words <= set->nr_words)
		return 0;
	uint64_t *words = realloc(set->words, nr_words * sizeof(*words));
	if (!words)
		return -ENOMEM;
	memset(words + set->nr_words, 0, (nr_words - set->nr_words) * sizeof(*words));
	set->words = words;
	set->nr_words = nr_words;
	return 0;
}

void set_fini(struct set *set)
{
	free(set->words);
	*set = SET_EMPTY;
}

int set_add(struct set *set, uint32_t member)
{
	return set_add_range(set, member, member);
}

/* The bits of word `index` that lie in first..last. */
static uint64_t range_mask(uint32_t index, uint32_t first, uint32_t last)
{
	uint64_t mask = ~(uint64_t)0;
	if (index == first / 64)
		mask &= ~(uint64_t)0 << first % 64;
	if (index == last / 64)
		mask &= ~(uint64_t)0 >> (63 - last % 64);
	return mask;
}

int set_add_range(struct set *set, uint32_t first, uint32_t last)
{
	if (first > last)
		return -EINVAL;
	if (last > SET_MAX)
		return -ERANGE;
	int error = set_grow(set, last / 64 + 1);
	if (error)
		return error;
	for (uint32_t i = first / 64; i <= last / 64; i++)
		set->words[i] |= range_mask(i, first, last);
	return 0;
}

void set_del(struct set *set, uint32_t member)
{
	if (member / 64 < set->nr_words)
		set->words[member / 64] &= ~((uint64_t)1 << member % 64);
}

bool set_has(const struct set *set, uint32_t member)
{
	return word_of(set, member / 64) >> member % 64 & 1;
}

bool set_is_empty(const struct set *set)
{
	return set_next(set, 0) < 0;
}

bool set_is_equal(const struct set *a, const struct set *b)
{
	return set_is_subset(a, b) && set_is_subset(b, a);
}

bool set_is_subset(const struct set *part, const struct set *whole)
{
	for (uint32_t i = 0; i < part->nr_words; i++)
		if (part->words[i] & ~word_of(whole, i))
			return false;
	return true;
}

bool set_intersects(const struct set *a, const struct set *b)
{
	for (uint32_t i = 0; i < a->nr_words; i++)
		if (a->words[i] & word_of(b, i))
			return true;
	return false;
}

uint32_t set_count(const struct set *set)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < set->nr_words; i++)
		count += (uint32_t)__builtin_popcountll(set->words[i]);
	return count;
}

int set_copy(struct set *to, const struct set *from)
{
	if (to == from)
		return 0;
	int error = set_grow(to, from->nr_words);
	if (error)
		return error;
	for (uint32_t i = 0; i < to->nr_words; i++)
		to->words[i] = word_of(from, i);
	return 0;
}

int set_or(struct set *to, const struct set *from)
{
	int error = set_grow(to, from->nr_words);
	if (error)
		return error;
	for (uint32_t i = 0; i < from->nr_words; i++)
		to->words[i] |= from->words[i];
	return 0;
}

void set_and(struct set *to, const struct set *from)
{
	for (uint32_t i = 0; i < to->nr_words; i++)
		to->words[i] &= word_of(from, i);
}

void set_andnot(struct set *to, const struct set *from)
{
	for (uint32_t i = 0; i < to->nr_words; i++)
		to->words[i] &= ~word_of(from, i);
}

int64_t set_next(const struct set *set, uint32_t from)
{
	for (uint32_t i = from / 64; i < set->nr_words; i++) {
		uint64_t word = set->words[i];
		if (i == from / 64)
			word &= ~(uint64_t)0 << from % 64;
		if (word)
			return (int64_t)i * 64 + __builtin_ctzll(word);
	}
	return -1;
}

int64_t set_last(const struct set *set)
{
	for (uint32_t i = set->nr_words; i-- > 0;)
		if (set->words[i])
			return (int64_t)i * 64 + 63 - __builtin_clzll(set->words[i]);
	return -1;
}

/* A decimal number up to SET_MAX; *text moves behind it. */
static int take_member(const char **text, uint32_t *ret)
{
	const char *at = *text;
	uint32_t value = 0;
	if (*at < '0' || *at > '9')
		return -EINVAL;
	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (uint32_t)(*at - '0');
		if (value > SET_MAX)
			return -ERANGE;
	}
	*text = at;
	*ret = value;
	return 0;
}

static int take_range(const char **text, struct set *set)
{
	uint32_t first = 0, last = 0;
	int error = take_member(text, &first);
	last = first;
	if (!error && **text == '-') {
		(*text)++;
		error = take_member(text, &last);
	}
	return error ? error : set_add_range(set, first, last);
}

int set_parse(const char *list, struct set *ret)
{
	struct set set = SET_EMPTY;
	int error = 0;
	const char *at = list;
	while (*at && *at != '\n' && !error) {
		error = take_range(&at, &set);
		if (!error && *at == ',' && at[1] && at[1] != '\n')
			at++;
		else if (!error && *at && *at != '\n')
			error = -EINVAL;
	}
	if (!error && *at == '\n' && at[1])
		error = -EINVAL;
	if (error)
		set_fini(&set);
	else
		*ret = set;
	return error;
}

void set_to_text(struct printbuf *out, const struct set *set)
{
	const char *comma = "";
	for (int64_t first = set_next(set, 0); first >= 0;) {
		int64_t last = first;
		while (set_has(set, (uint32_t)last + 1))
			last++;
		prt_str(out, comma);
		prt_u64(out, (uint64_t)first);
		if (last > first) {
			prt_char(out, '-');
			prt_u64(out, (uint64_t)last);
		}
		comma = ",";
		first = set_next(set, (uint32_t)last + 1);
	}
}

bool set_is_valid(const struct set *set)
{
	return (set->words || !set->nr_words) && set->nr_words <= SET_MAX / 64 + 1 &&
	       set_last(set) <= (int64_t)SET_MAX;
}
