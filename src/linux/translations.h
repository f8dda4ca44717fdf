/* SPDX-License-Identifier: MIT */
/*
 * Translations that CPUs keep, and accessed bits that they hide.
 *
 * A CPU sets a page's accessed bit when it looks the page up in the page table, not while it has
 * the translation. Whoever clears bits without flushing (DAMON, page idle tracking, clear_refs)
 * counts on translations being pushed out before long: a real CPU has room for some 2,000. QEMU's
 * emulated ones have room for all, and there a bit that was cleared stays so however busy the page
 * is, until the CPU changes its address space. Where it keeps translations over that (PCID)
 * nothing can be done from outside, and nothing need be done; where it does not, running there for
 * an instant is enough.
 *
 *     translations_flush: on each of our CPUs (64 at most) in turn, then back
 *     translations_begin: a thread that does so again and again, for samplers of the kernel's
 *
 * Cost: a change of CPU each; nothing at all with PCID.
 */
#ifndef BERTH_LINUX_TRANSLATIONS_H
#define BERTH_LINUX_TRANSLATIONS_H

#include <pthread.h>

#include "base/set.h"
#include "machine/root.h"

struct translations {
	bool are_kept; /* flushing has no effect */
	struct set cpus;
	pthread_t thread;
	bool has_thread;
	uint64_t period_ns; /* of the thread; atomic */
	uint64_t share_bp;  /* of a CPU that it may take; atomic */
	uint64_t cpu_ns;    /* that the thread took; atomic */
	int stop_fd;
};

int translations_init(struct translations *translations, const struct root *root);
void translations_fini(struct translations *translations);
void translations_flush(const struct translations *translations);
/* Flushes every `period_ns` from now on, or as rarely as this share of a CPU demands; changes both
 * where it does so already. A period of 0: no more. */
int translations_begin(struct translations *translations, uint64_t period_ns, uint64_t share_bp);
/* CPU time of the thread so far. */
uint64_t translations_cpu_ns(const struct translations *translations);

#endif
