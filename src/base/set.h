/* SPDX-License-Identifier: MIT */
/*
 * Sets of small numbers (CPUs, nodes) without a fixed limit: a bitmap that grows.
 * The text form is the kernel's list format, "0-3,8,10-11" ("" is the empty set).
 * Cost: one bit per number up to the highest. Numbers above SET_MAX are refused with -ERANGE, so
 * that a hostile list cannot take all memory.
 */
#ifndef BERTH_BASE_SET_H
#define BERTH_BASE_SET_H

#include "base/types.h"

#define SET_MAX ((uint32_t)1 << 20)

struct printbuf;

struct set {
	uint64_t *words;
	uint32_t nr_words;
};

#define SET_EMPTY ((struct set){ 0 })

void set_fini(struct set *set);
int set_add(struct set *set, uint32_t member);
int set_add_range(struct set *set, uint32_t first, uint32_t last);
void set_del(struct set *set, uint32_t member);
bool set_has(const struct set *set, uint32_t member);
bool set_is_empty(const struct set *set);
bool set_is_equal(const struct set *a, const struct set *b);
bool set_is_subset(const struct set *part, const struct set *whole);
bool set_intersects(const struct set *a, const struct set *b);
uint32_t set_count(const struct set *set);
int set_copy(struct set *to, const struct set *from); /* to is overwritten */
int set_or(struct set *to, const struct set *from);
void set_and(struct set *to, const struct set *from);
void set_andnot(struct set *to, const struct set *from);
/* The first member >= from, or -1. for (int64_t i = set_next(s, 0); i >= 0; i = set_next(s, i+1))
 */
int64_t set_next(const struct set *set, uint32_t from);
int64_t set_last(const struct set *set);	  /* -1 when empty */
int set_parse(const char *list, struct set *ret); /* ret is initialised here, set_fini() after */
void set_to_text(struct printbuf *out, const struct set *set);
bool set_is_valid(const struct set *set);

#endif
