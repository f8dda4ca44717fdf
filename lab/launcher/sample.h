/* SPDX-License-Identifier: MIT */
/*
 * A LAB_SAMPLE frame taken apart: numbers of /proc/vmstat, memory per node, and the sections of the
 * first sample as text.
 */
#ifndef BERTH_LAB_SAMPLE_H
#define BERTH_LAB_SAMPLE_H

#include "base/printbuf.h"
#include "lab/counters.h"
#include "lab/protocol.h"

#define LAB_MAX_VMSTAT 1024 /* counters of a kernel; 6.12 has about 200 */

struct lab_vmstat {	  /* one line; a node's nodestat too */
	const char *name; /* NUL-terminated, inside the reading */
	uint64_t value;
};

struct lab_vmstats {
	struct lab_vmstat *items; /* in the kernel's order */
	size_t nr;
};

struct lab_node_memory { /* bytes; all 0 for a node the guest does not show */
	bool is_present;
	uint64_t total_bytes, free_bytes, anon_bytes, file_bytes, used_bytes;
	struct lab_vmstats nodestat; /* /sys/devices/system/node/nodeN/vmstat: what `zoneinfo` has
					per node, and migration counters */
};

struct lab_reading {
	struct lab_sample head;
	struct lab_vmstats vmstat;
	struct lab_node_memory nodes[LAB_MAX_NODES]; /* by the guest's node number */
	/* Of the first sample; NULL when the kernel lacks it. Inside the reading. */
	const char *tiers, *demotion, *zoneinfo, *cmdline, *numa_balancing, *hugepages;
	char *text; /* holds all of the above */
};

/* `payload`, `length`: of a LAB_SAMPLE frame. Unknown sections and lines are skipped; -EBADMSG when
 * it is too short, holds a NUL or a counter that is no number; -ENOMEM. */
int lab_reading_parse(const void *payload, size_t length, struct lab_reading *ret,
		      struct printbuf *err);
void lab_reading_fini(struct lab_reading *reading);
/* Value of a counter by name. */
bool lab_vmstats_find(const struct lab_vmstats *stats, const char *name, uint64_t *ret);

#endif
