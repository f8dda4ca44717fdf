/* SPDX-License-Identifier: MIT */
/*
 * Measuring the running machine: what a load costs, and how much comes per second, from each node
 * with CPUs to each node with memory.
 *
 *     measure_machine()          pairs, buffers on each target, what could not be measured
 *       measure_buffer_*()       memory bound to one node, and a check that it is there
 *       measure_run()            threads pinned to CPUs: some chase pointers, some stream
 *
 * Nothing of the system is changed: only threads and memory of our own are bound.
 */
#ifndef BERTH_LINUX_MEASURE_H
#define BERTH_LINUX_MEASURE_H

#include "base/printbuf.h"
#include "machine/machine.h"

#define MEASURE_TIME_DEFAULT_NS NS_PER_S
#define MEASURE_TIME_MIN_NS	(20 * NS_PER_MS)
#define MEASURE_TIME_MAX_NS	(600 * NS_PER_S)

/* What CPUs of one node saw of the memory of another. 0: not measured. */
struct measure_pair {
	uint32_t from, to; /* node indexes */
	bool is_measured;
	double idle_ns;	  /* one CPU chases, nothing else runs: the quietest tenth */
	double median_ns; /* of the same chase */
	double loaded_ns; /* one chases while the node's other CPUs stream; 0: it has one CPU */
	double one_cpu_bytes_per_s, all_cpus_bytes_per_s;
	uint32_t nr_cpus;	     /* that streamed */
	struct machine_link claimed; /* what firmware or rule said before */
	int error;		     /* why it was not measured */
	char *reason;		     /* the same as a sentence; NULL when it was */
};

struct measure_node {	       /* memory that was measured */
	uint64_t buffer_bytes; /* of the chase; the streams have as much; 0: none */
	uint64_t huge_bytes;   /* of it in huge pages */
};

struct measurement {
	struct measure_pair *pairs;
	size_t nr_pairs, nr_measured;
	struct measure_node *nodes; /* per node index */
	uint64_t cache_bytes;	    /* the largest cache that the CPUs tell of; 0: they do not */
	struct printbuf notes;	    /* sentences, one per line */
};

struct measure_options {
	uint64_t pair_ns; /* time for each pair; 0: MEASURE_TIME_DEFAULT_NS */
	/* Before each pair; `left_ns` is a guess. May be NULL. */
	void (*progress)(void *data, uint32_t from_id, uint32_t to_id, size_t done, size_t nr,
			 uint64_t left_ns);
	void *data;
};

/* Measures every pair of the host's machine and puts the figures into it (FIGURE_MEASURED). Pairs
 * that could not be measured keep what they had and say why. Fails only when it could measure
 * nothing at all: -EPERM, -ENOMEM, -ENOSYS, ... */
int measure_machine(struct machine *machine, const struct measure_options *options,
		    struct measurement *ret, struct printbuf *err);
void measurement_fini(struct measurement *measurement);
/* The figures beside what was claimed, and the notes. */
void measurement_to_text(struct printbuf *out, const struct measurement *measurement,
			 const struct machine *machine);
void measurement_to_json(struct json_writer *json, const char *key,
			 const struct measurement *measurement, const struct machine *machine);

#endif
