/* SPDX-License-Identifier: MIT */
/*
 * Placing by hand: the best a static placement can do, for workloads that know what is hot.
 *
 * The environment names the fast nodes, LAB_PLACE="0" or "0-1"; not set: nothing happens. The
 * program lists its pages, hottest first. As many of them as fast memory can hold (those that lie
 * there now, and what is free) belong there, the rest on the other nodes:
 *
 *     rank   0 ........ nr_fast | ........ nr_pages
 *            up: those that       down: those that
 *            lie slow             lie fast
 *
 * First the coldest go down, so that there is room, then the hottest go up. Then it is asked where
 * the pages really are, and said in one line:
 *
 *     placed: 25600 of 25600 hot pages on node 0, 98312 of 153600 others; 51200 moved in 0.81 s
 *
 * Pages are moved one by one by move_pages(2): no policy is left behind, so what the kernel does
 * later is not hindered. Costs a pointer and a number per page, and the moves.
 */
#ifndef BERTH_WORK_PLACE_H
#define BERTH_WORK_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place_list {
	void **pages;
	size_t nr_pages, capacity;
};

/* LAB_PLACE is set (and well-formed; else exits 2) and this machine has other nodes, too (else
 * says once that there is nothing to place). */
bool place_is_wanted(void);

/* Appends the pages that hold [start, start + bytes). A page is listed once: the caller's duty. */
void place_add(struct place_list *list, const void *start, uint64_t bytes);
void place_fini(struct place_list *list);
/* Moves as above; the first nr_hot of the list are called hot in the line. */
void place_pages(const struct place_list *list, size_t nr_hot);
/* Moves all of the list to the nodes that are not fast; says nothing. */
void place_away(const struct place_list *list);

/* Pure: reads "0", "0-1", "0,2-3" into a set of nodes below 64. 0 or -EINVAL. */
int place_parse_nodes(const char *text, uint64_t *ret_nodes);
void place_nodes_to_text(char *text, size_t size, uint64_t nodes);

#endif
