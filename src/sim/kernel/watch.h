/* SPDX-License-Identifier: MIT */
/*
 * Watching a page, or all of them: the kernel tells what it does and why, to who explains it
 * (sim/story.h, sim/survey.h). Whoever moves a page says why in kernel.why; a decision that moves
 * nothing is told by kernel_tell().
 *
 * Nobody watches in a usual simulation: then it costs one test of a pointer per birth, migration,
 * decision and death, and none per access.
 */
#ifndef BERTH_SIM_KERNEL_WATCH_H
#define BERTH_SIM_KERNEL_WATCH_H

#include "base/types.h"

#define KERNEL_WATCH_ALL  UINT32_MAX
#define KERNEL_WATCH_NONE (UINT32_MAX - 1)

struct kernel;

enum kernel_event_kind { KERNEL_BORN, KERNEL_MOVED, KERNEL_REFUSED, KERNEL_DECIDED, KERNEL_FREED };

struct kernel_event {
	enum kernel_event_kind kind;
	uint32_t page; /* its number */
	uint32_t from; /* the node where it was; where it is when nothing moves */
	uint32_t to;   /* where it went or was to go; BORN: where it is */
	int error;     /* REFUSED: of kernel_migrate() */
	/* DECIDED at a hint fault: from arming to the fault, and the threshold then; else
	 * KERNEL_UNKNOWN. */
	uint64_t latency_ms, threshold_ms;
	const char *why; /* static text; never NULL */
};

struct kernel_watch {
	void *context;
	uint32_t page; /* number of the page to tell of, or KERNEL_WATCH_ALL, _NONE */
	uint32_t node; /* where that page is, as far as was told; the kernel keeps it */
	void (*see)(void *context, const struct kernel_event *event);
};

/* For kernel.c's own: the page was born or freed, or a migration was tried. */
void kernel_watch_birth(struct kernel *kernel, uint32_t page, uint32_t wish, bool has_fallen);
void kernel_watch_death(struct kernel *kernel, uint32_t page);
void kernel_watch_migration(struct kernel *kernel, uint32_t page, uint32_t from, uint32_t to,
			    int error);
/* A decision; event->page says of which page. */
void kernel_tell_watch(struct kernel *kernel, const struct kernel_event *event);

/* The same, when somebody watches; its arguments are not looked at otherwise. */
#define kernel_tell(kernel, ...)                                                                   \
	do {                                                                                       \
		if (unlikely((kernel)->watch != NULL))                                             \
			kernel_tell_watch((kernel), &(struct kernel_event){ __VA_ARGS__ });        \
	} while (0)

#endif
