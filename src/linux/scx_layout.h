/* SPDX-License-Identifier: MIT */
/*
 * A machine and a job as the scheduler in the kernel wants them: plain masks and numbers
 * (scx_abi.h). Pure but for reading below a root, so that any machine is a test.
 *
 *     allowed, not preferred, by distance:    level 0 | level 1 | level 2 | level 3 and further
 *
 * What is further away than the user's --max-distance is in no level. Cost: O(CPUs) per distance.
 */
#ifndef BERTH_LINUX_SCX_LAYOUT_H
#define BERTH_LINUX_SCX_LAYOUT_H

#include "base/printbuf.h"
#include "base/set.h"
#include "linux/scx_abi.h"
#include "machine/root.h"

struct scx_job_wish {
	const struct set *preferred, *allowed; /* of what is online */
	const uint32_t *distances; /* per CPU: from the nearest preferred one; NULL: alike */
	uint32_t nr_distances;
	struct soft_job soft;
};

/* -E2BIG: a CPU from SCX_MAX_CPUS on. Slot and generation are left alone. */
int scx_request_fill(const struct scx_job_wish *wish, struct scx_request *ret,
		     struct printbuf *err);

struct scx_machine {
	struct scx_settings settings;
	uint32_t cache_of[SCX_MAX_CPUS]; /* last-level caches, numbered by their first CPU */
};

/* -E2BIG: too many CPUs. A CPU without cache in sysfs is with CPU 0. */
int scx_machine_read(const struct root *root, struct scx_machine *ret, struct printbuf *err);

#endif
