/* SPDX-License-Identifier: MIT */
/*
 * What a machine is: nodes with memory and CPUs, tiers, and latency and bandwidth from each node
 * with CPUs to each node with memory.
 *
 * The one-line description (design.md "Machines") parses into this and prints back to the same
 * line. Discovery (host, captured root, hwloc XML) fills the same struct. Limits: none but memory
 * and SET_MAX for ids.
 */
#ifndef BERTH_MACHINE_MACHINE_H
#define BERTH_MACHINE_MACHINE_H

#include "base/json.h"
#include "base/printbuf.h"
#include "base/set.h"
#include "base/types.h"

enum node_kind { NODE_DRAM, NODE_HBM, NODE_CXL, NODE_PMEM, NODE_NONE, NODE_NR_KINDS };
extern const char *const node_kind_names[]; /* "dram", ...; NULL-terminated */

/* Where a figure comes from; worst first. */
enum figure_source {
	FIGURE_UNKNOWN, /* no figure: the value is 0 */
	FIGURE_DEFAULT, /* the kind's usual value, or design.md's 1.7 and 0.6 rule */
	FIGURE_HMAT,	/* firmware, through sysfs or hwloc */
	FIGURE_GIVEN,	/* written in the line */
	FIGURE_MEASURED,
};

struct machine_link {			/* from the CPUs of one node to the memory of another */
	uint64_t latency_ns;		/* load latency, idle */
	uint64_t bandwidth_bytes_per_s; /* read bandwidth of that path */
	enum figure_source latency_source, bandwidth_source;
	uint32_t distance; /* SLIT; 0 when not known */
};

struct machine_node {
	uint32_t id; /* the kernel's node number; sparse ids are fine */
	enum node_kind kind;
	uint64_t size_bytes;
	uint64_t free_bytes; /* TRACE-like UINT64_MAX: not known */
	struct set cpus;     /* online CPUs */
	struct set offline_cpus;
	uint32_t tier; /* index into machine.tiers; UINT32_MAX for a node without memory */
};

struct machine_tier {	  /* 0 is the fastest */
	uint32_t id;	  /* the kernel's memory_tierN, or computed by its rule */
	bool is_kernels;  /* read from the kernel rather than computed */
	struct set nodes; /* node ids */
};

struct machine {
	struct machine_node *nodes; /* ascending ids */
	uint32_t nr_nodes;
	/* [from * nr_nodes + to], indexes, not ids. All figures are known where `from` has CPUs and
	 * `to` memory; a node without CPUs has its own figure, what the CPUs nearest to it see, on
	 * the diagonal; all other figures are 0. */
	struct machine_link *links;
	struct machine_tier *tiers; /* fastest first */
	uint32_t nr_tiers;
	uint32_t page_bytes;	      /* 4096 */
	int demotion_enabled;	      /* 0, 1, or -1 not known */
	struct set *demotion_targets; /* per node index, node ids; may be NULL */
	char *name;		      /* "host", the path of a root, or the line */
	char *partly; /* what of a root made no sense and was left out; NULL: nothing */
};

/* Parses one line, e.g. "node:dram:64GiB@80ns/100GBps:cpus=0-15 node:cxl:256GiB@250ns/30GBps". */
int machine_parse(const char *line, struct machine **ret, struct printbuf *err);
/* Whatever -M takes: host, a captured root (directory or tar), hwloc XML, or a line. */
int machine_open(const char *argument, struct machine **ret, struct printbuf *err);
/* A captured root only: what --root takes. */
int machine_open_root(const char *path, struct machine **ret, struct printbuf *err);
struct machine *machine_free(struct machine *machine);
/* The line that parses back to the same machine. */
void machine_to_line(struct printbuf *out, const struct machine *machine);
void machine_to_text(struct printbuf *out, const struct machine *machine);
void machine_to_json(struct json_writer *json, const char *key, const struct machine *machine);
/* The same without the object around it, for who has more to say in it. */
void machine_members_to_json(struct json_writer *json, const struct machine *machine);
/* Reads what discovery would read of a host or captured root ("host", a directory, a tar) and puts
 * it as a tar into `out`: nothing else, no names, no serial numbers. */
int machine_capture(const char *argument, struct printbuf *out, struct printbuf *err);
bool machine_is_valid(const struct machine *machine);
bool machine_is_equal(const struct machine *a, const struct machine *b); /* what a line can say */

const struct machine_link *machine_link(const struct machine *machine, uint32_t from_index,
					uint32_t to_index);
int64_t machine_node_index(const struct machine *machine, uint32_t id); /* -1: no such node */
/* Node indexes in the order an allocation on `from_index` falls through them: by tier of the
 * kernel's fallback list (distance, then latency, then id). Only nodes with memory. */
int machine_fallback_order(const struct machine *machine, uint32_t from_index,
			   uint32_t **ret_indexes, uint32_t *ret_nr);

#endif
