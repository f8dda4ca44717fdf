/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a watched process are there, and on which nodes: /proc/PID/pagemap, whose entries
 * tell the frame, and the kernel's zones, which tell the frame's node (frames.h).
 *
 *     entry   bit 63: present   bits 0 to 54: its frame (0 without CAP_SYS_ADMIN)
 *
 * A census goes through all pages of all processes, some at a time and round again, and tells each
 * page once, when it is first met: that it was used since it came into being. Samplers that tell
 * only what is used leave the rest unknown, and a policy must know what fast memory holds to know
 * what may leave it. A process that has as much memory as when it was last gone through is passed
 * over, for CENSUS_AGAIN_NS after that round at most, and one that has just come is first.
 *
 * Cost: one read(2) per 512 pages; a census also 144 bytes per 2 MiB (seen.h), and a read per
 * process and round, which begin CENSUS_ROUND_NS apart.
 * Follows Documentation/admin-guide/mm/pagemap.rst (6.12).
 */
#ifndef BERTH_LINUX_PAGEMAP_H
#define BERTH_LINUX_PAGEMAP_H

#include "linux/live.h"
#include "linux/seen.h"
#include "policy/sample.h"

#define PAGEMAP_CHUNK 512 /* pages read at once */

/* The frame of an entry; 0: the page is not there, or its frame is not told. */
static inline uint64_t pagemap_frame(uint64_t entry)
{
	return entry >> 63 ? entry & (((uint64_t)1 << 55) - 1) : 0;
}

struct pagemap {
	int fd; /* -1: none */
	uint32_t space;
	uint64_t entries[PAGEMAP_CHUNK];
};

#define PAGEMAP_NONE ((struct pagemap){ .fd = -1 })

/* Opens the space's, unless it is open already. False: it has ended. */
bool pagemap_open(struct pagemap *pagemap, struct live *live, uint32_t space);
void pagemap_close(struct pagemap *pagemap);
/* Reads at most PAGEMAP_CHUNK entries; how many. */
uint64_t pagemap_read(struct pagemap *pagemap, uint64_t first, uint64_t nr);
/* Index of the node of entry `i`; FRAMES_NO_NODE: not there. */
uint32_t pagemap_node(const struct pagemap *pagemap, struct frames *frames, uint64_t i);

/* Through all pages of all watched processes, a chunk at a time. */
struct pagemap_walk {
	struct live *live;	/* borrowed */
	struct pagemap pagemap; /* entries of the last chunk, and whose they are */
	struct live_areas areas;
	size_t area;
	uint32_t space;
	uint64_t page;
	bool has_areas;
	/* Asked before a process is begun: true leaves it out of this round. NULL: none is. */
	bool (*may_pass)(void *context, uint32_t space);
	void *context;
};

void pagemap_walk_init(struct pagemap_walk *walk, struct live *live);
void pagemap_walk_fini(struct pagemap_walk *walk);
/* From the first page of the first process again. */
void pagemap_walk_restart(struct pagemap_walk *walk);
/* 1: the next chunk was read, `nr` pages from `first` on. 0: that was all, and the next is the
 * first one again. -ENOMEM: for one process, which is left out. */
int pagemap_walk_next(struct pagemap_walk *walk, uint64_t *ret_first, uint64_t *ret_nr);

#define CENSUS_ROUND_NS (500 * NS_PER_MS)
#define CENSUS_AGAIN_NS (30 * NS_PER_S)

struct census_visit {
	uint64_t noted_ns; /* when it began, then when its round was over; 0: never */
	uint64_t nr_resident;
};

struct census {
	struct seen seen;
	struct pagemap_walk walk;
	struct census_visit *visits;	/* [space] */
	uint32_t max_visits, nr_spaces; /* of these, as many as there were at the last call */
	uint64_t round_ns;		/* when the last round was over; 0: none is */
	uint64_t now_ns;		/* of this call */
};

void census_init(struct census *census, struct live *live);
void census_fini(struct census *census);
/* Goes on for about `nr_pages`, or until the batch has no room. True: a round is over, and the next
 * one not due. */
bool census_go_on(struct census *census, uint64_t now_ns, uint64_t nr_pages,
		  struct sample_batch *batch);

#endif
