/* SPDX-License-Identifier: MIT */
/*
 * A machine in QEMU's words: nodes, CPUs, distances and what firmware says of latency and
 * bandwidth (HMAT), from which the guest's kernel makes its tiers.
 *
 *     -machine q35,hmat=on -smp 2,sockets=2,cores=1 -m 1536M
 *     -object memory-backend-ram,id=ram0,size=512M      one for each node with memory
 *     -numa node,nodeid=0,memdev=ram0,cpus=0,cpus=1     nodes by the guest's numbers
 *     -numa node,nodeid=1,memdev=ram1,initiator=0       without CPUs: nearest one that has some
 *     -numa dist,src=0,dst=1,val=31
 *     -numa hmat-lb,initiator=0,target=1,...            two for each initiator and target
 *
 * Limits of QEMU 10 (hw/core/numa.c) that shape the figures: all latencies share a base (a power
 * of ten of nanoseconds), all bandwidths a base (a power of two of MiB/s), and no figure may be
 * 65535 bases or more; small figures beside huge ones are rounded. HMAT counts in MB/s and QEMU
 * asks for MiB/s, unscaled: megabytes are given as if they were MiB, and the guest reads the
 * machine's own figures.
 *
 * Distances: the machine's where it has them; else in proportion to latency as seen by the
 * nearest CPUs, 10 for the fastest: 10 local, 11 to 254 remote, what Linux and QEMU accept.
 */
#ifndef BERTH_LAB_QEMU_OPTIONS_H
#define BERTH_LAB_QEMU_OPTIONS_H

#include "lab/launcher/layout.h"
#include "lab/launcher/words.h"

void lab_qemu_machine(struct lab_words *words, const struct machine *machine,
		      const struct lab_layout *layout);
/* The figures as the guest reads them; false: there are none from there (no CPUs) or to there. */
bool lab_qemu_figures(const struct machine *machine, const struct lab_layout *layout,
		      uint32_t from_index, uint32_t to_index, uint64_t *ret_latency_ns,
		      uint64_t *ret_megabytes_per_s);
/* Which figures had to be rounded, one sentence a line. */
void lab_qemu_notes(struct printbuf *notes, const struct machine *machine,
		    const struct lab_layout *layout);

#endif
