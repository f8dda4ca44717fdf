/* SPDX-License-Identifier: MIT */
/* From what hwloc says and what the root's files say to a machine. */
#ifndef BERTH_MACHINE_DISCOVER_H
#define BERTH_MACHINE_DISCOVER_H

#include "machine/machine.h"
#include "machine/probe.h"
#include "machine/root.h"

/* `shown` names the machine, in messages and in machine->name. What could not be read is said in
 * machine->partly; a negative errno only when nothing comes of it. */
int discover_root(const struct root *root, const char *shown, struct machine **ret,
		  struct printbuf *err);
/* The same from what hwloc would have said, which is used up: for tests and fuzzing. */
int discover_probe(const struct root *root, struct probe *probe, const char *shown,
		   struct machine **ret, struct printbuf *err);
int discover_xml(const char *path, struct machine **ret, struct printbuf *err);

/* overlay.c: what hwloc does not read, from files below the root. Each appends to machine->partly
 * what it could not make sense of. */
struct overlay {
	const struct root *root;
	struct machine *machine;
	struct printbuf partly; /* sentences, separated by "; " */
	unsigned nr_partly;
	struct set pmem_nodes, cxl_nodes; /* by the dax devices that brought them */
};
void overlay_partly(struct overlay *overlay, const char *path, const char *reason);
/* Before the machine exists: whose CPUs are whose. */
int overlay_cpus(struct overlay *overlay, struct probe *probe);
int overlay_read(struct overlay *overlay);
void overlay_fini(struct overlay *overlay);

/* kinds.c: what memory each node has; `subtype` as hwloc names it, "" when it does not. */
enum node_kind kind_guess(const struct machine *machine, uint32_t index, const char *subtype);

#endif
