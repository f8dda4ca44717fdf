/* SPDX-License-Identifier: MIT */
/* Memory on one node, touched, and known to be there. */
#ifndef BERTH_LINUX_MEASURE_MEMORY_H
#define BERTH_LINUX_MEASURE_MEMORY_H

#include "base/printbuf.h"
#include "base/types.h"

struct measure_memory {
	char *start;
	size_t nr_bytes; /* a power of two */
	uint64_t huge_bytes;
	uint32_t node_id;
	char *mapping;
	size_t mapping_bytes;
};

struct measure_memory_wish {
	uint32_t node_id;
	bool is_only_node; /* the only one with memory: nothing to bind, nothing to check */
	size_t wanted_bytes, least_bytes; /* powers of two */
	uint64_t time_ns;		  /* touching ends after it, once the least is there */
};

/* Errors have a sentence, without the node: the kernel does not allow it, pages go elsewhere. */
int measure_memory_new(const struct measure_memory_wish *wish, struct measure_memory *ret,
		       struct printbuf *err);
void measure_memory_fini(struct measure_memory *memory);
/* 0 when (nearly) all of a sample of its pages is on its node. */
int measure_memory_check(const struct measure_memory *memory, struct printbuf *err);

#endif
