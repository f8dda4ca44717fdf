/* SPDX-License-Identifier: MIT */
/*
 * Opening what tells of page faults and armings: perf events and their rings, one ring per CPU.
 *
 *     faults:    software event page-faults, every one
 *                  of a cgroup     one event per CPU
 *                  of processes    one event per thread and CPU, inherited by all they start
 *                  of all          one event per CPU, where the others would be too many; who reads
 *                                  passes over other processes' records
 *     armings:   a probe at change_prot_numa(), on all CPUs, which tells the range by registers
 *
 * Events write into the ring of the first of their CPU. Both say the state of the entry in the page
 * table before the fault: its size, and the frame if the page could be read.
 *
 * Everything is gone when the descriptors are closed, however that comes about.
 *
 * Needs CAP_PERFMON (or root); the probe also CONFIG_KPROBE_EVENTS and x86-64.
 * Cost: rings of 8 MiB in all, 64 KiB to 1 MiB each; a fault is 56 bytes, written in the program's
 * time: bench/samplers prints how much slower it becomes. Follows kernel/events/core.c (6.12) and
 * perf_event_open(2).
 */
#ifndef BERTH_LINUX_PERF_OPEN_H
#define BERTH_LINUX_PERF_OPEN_H

#include <sys/types.h>

#include "linux/perf_record.h"
#include "linux/ring.h"
#include "machine/root.h"

#define PERF_EVENTS_MAX 4096 /* per set; beyond, all processes are watched */
#define PERF_CPUS_MAX	4096

struct perf_cpu {
	uint32_t cpu;
	struct ring ring; /* of its first event */
};

struct perf_set {
	struct perf_cpu *cpus;
	uint32_t nr_cpus;
	unsigned order; /* of a ring, pages */
	int *fds;	/* of events without a ring of their own */
	uint32_t nr_fds, max_fds;
};

/* Can faults be told here? As sampler_ops.probe. */
int perf_probe(struct printbuf *err);
int perf_set_init(struct perf_set *set, const struct root *root, enum perf_kind kind,
		  struct printbuf *err);
/* -ESRCH: the thread has ended; -E2BIG: more events than PERF_EVENTS_MAX. */
int perf_set_add_thread(struct perf_set *set, pid_t tid);
int perf_set_add_cgroup(struct perf_set *set, int cgroup_fd);
int perf_set_add_all(struct perf_set *set);
/* The probe; -EOPNOTSUPP where there is none. */
int perf_set_add_armings(struct perf_set *set, const struct root *root);
/* Closes the events, keeps the set. */
void perf_set_clear(struct perf_set *set);
void perf_set_fini(struct perf_set *set);

#endif
