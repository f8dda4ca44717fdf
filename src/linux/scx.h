/* SPDX-License-Identifier: MIT */
/*
 * The scheduler in the kernel (bpf/soft_affinity.bpf.c), from user space: loading it or joining the
 * one that another berth has loaded, jobs, counters, and its end.
 *
 * Linux takes one scheduler at a time. The first berth loads it; others that come find its maps and
 * its link by their numbers and hold them as well. The kernel counts who holds the link: when the
 * last berth has ended, however it ended, the scheduler goes and the kernel's own is back. Nothing
 * is pinned and no file is left.
 *
 *     /sys/kernel/sched_ext/root/ops = berth_soft_INSTANCE -> the map berth_share with INSTANCE
 *                                                              -> numbers of link, maps, program
 *
 * A slot holds one job. Its holder is known by pid and start time, so that the slots of a berth
 * that was killed are found and freed by the next that needs one. Changes are made under a lock
 * (flock of /sys/kernel/sched_ext/state, which leaves no file either).
 *
 * Built with libbpf (meson -Dscx); without, every function says -EOPNOTSUPP and how to get it.
 */
#ifndef BERTH_LINUX_SCX_H
#define BERTH_LINUX_SCX_H

#include <sys/types.h>

#include "engine/journal.h"
#include "linux/scx_abi.h"
#include "machine/root.h"

struct scx; /* a hold on the scheduler */

/* Can it work here? Changes nothing. -EOPNOTSUPP, -EPERM, -EBUSY: with one sentence. */
int scx_probe(const struct root *root, struct printbuf *err);
int scx_open(const struct root *root, const struct journal_owner *self, struct scx **ret,
	     struct printbuf *err);
void scx_close(struct scx *scx); /* its jobs first, see scx_job_del(); NULL: nothing */

/* Gives the request a slot and a generation. -ENOSPC: all slots are taken. */
int scx_job_add(struct scx *scx, struct scx_request *request, struct printbuf *err);
int scx_job_change(struct scx *scx, const struct scx_request *request, struct printbuf *err);
void scx_job_del(struct scx *scx, uint32_t slot);
/* This thread is of the job; what it forks will be, too. -ESRCH: it has ended. */
int scx_task_add(struct scx *scx, pid_t tid, const struct scx_request *request);
void scx_task_del(struct scx *scx, pid_t tid); /* of no job any more */
int scx_counts_read(struct scx *scx, uint32_t slot, struct scx_counts *ret);

/* 0: it runs. -EAGAIN: it has ended because CPUs came or went, and wants to be loaded again.
 * -ENOTCONN: it has ended otherwise, and `err` says why. */
int scx_check(struct scx *scx, struct printbuf *err);

#endif
