/* SPDX-License-Identifier: MIT */
/*
 * Asking hwloc, in a child process with limits: Debian 12's hwloc 2.9 has known overflows in its
 * parsers, and both XML and captured roots come from elsewhere. What it found comes back through a
 * pipe as plain text, which is checked like any other input:
 *
 *     node ID BYTES CPULIST|- SUBTYPE|-
 *     latency FROM TO NS            (ids; FROM's CPUs see TO's memory)
 *     bandwidth FROM TO BYTES_PER_S
 *     distance FROM TO SLIT
 *     end
 */
#ifndef BERTH_MACHINE_PROBE_H
#define BERTH_MACHINE_PROBE_H

#include "base/printbuf.h"
#include "base/set.h"
#include "base/types.h"

#define PROBE_MAX_TEXT ((size_t)64 << 20)
#define PROBE_MAX_XML  ((size_t)64 << 20)
#define PROBE_SUBTYPE  32

enum probe_figure_kind { PROBE_LATENCY, PROBE_BANDWIDTH, PROBE_DISTANCE };

struct probe_node {
	uint32_t id;
	uint64_t size_bytes;
	/* CPUs that hwloc calls local: a node without CPUs of its own has its neighbour's. */
	struct set cpus;
	char subtype[PROBE_SUBTYPE]; /* "HBM", "MCDRAM", "NVM", ... or "" */
};

struct probe_figure {
	enum probe_figure_kind kind;
	uint32_t from, to; /* ids */
	uint64_t value;
};

struct probe {
	struct probe_node *nodes; /* ascending ids */
	size_t nr_nodes;
	struct probe_figure *figures;
	size_t nr_figures;
};

/* `path` names the machine in messages. -EBADMSG when hwloc can make nothing of it. */
int probe_root(const char *root, bool is_host, const char *path, struct probe *ret,
	       struct printbuf *err);
int probe_xml(const char *xml, size_t nr_bytes, const char *path, struct probe *ret,
	      struct printbuf *err);
void probe_fini(struct probe *probe);

/* The plain text above; used by both, and by the fuzz target. */
int probe_parse(const char *text, size_t nr_bytes, struct probe *ret);

/* Leaves each CPU with one node: the one with the fewest, then the one that is no special memory,
 * then the lowest id. For sources that do not say whose CPUs they are. */
int probe_share_cpus(struct probe *probe);

#endif
