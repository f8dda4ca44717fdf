/* SPDX-License-Identifier: MIT */
/* The part of probe.h that runs in the child. */
#ifndef BERTH_MACHINE_PROBE_HWLOC_H
#define BERTH_MACHINE_PROBE_HWLOC_H

#include "base/printbuf.h"

struct probe_source {
	const char *root; /* a directory, or NULL for XML */
	bool is_host;
	const char *xml;
	size_t xml_bytes;
};

/* Limits this process, loads the topology and prints it; exit status for the child. Never returns
 * to code that could do anything else: the caller exits. */
int probe_hwloc_run(const struct probe_source *source, struct printbuf *out);

#endif
