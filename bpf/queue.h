/* SPDX-License-Identifier: GPL-2.0-only */
/* Putting tasks into queues and taking them out, under whichever name the running kernel has it
 * (kernel.h has the table). Absent branches are dead code to the verifier. */
#ifndef BERTH_BPF_QUEUE_H
#define BERTH_BPF_QUEUE_H

#include "kernel.h"

static inline void queue_insert(struct task_struct *task, uint64_t queue, uint64_t slice,
				uint64_t flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(task, queue, slice, flags);
	else if (bpf_ksym_exists(scx_bpf_dispatch))
		scx_bpf_dispatch(task, queue, slice, flags);
}

static inline void queue_insert_vtime(struct task_struct *task, uint64_t queue, uint64_t slice,
				      uint64_t vtime, uint64_t flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime))
		scx_bpf_dsq_insert_vtime(task, queue, slice, vtime, flags);
	else if (bpf_ksym_exists(scx_bpf_dispatch_vtime))
		scx_bpf_dispatch_vtime(task, queue, slice, vtime, flags);
}

/* The first task of the queue that may run on this CPU comes to it. */
static inline bool queue_take(uint64_t queue)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(queue);
	if (bpf_ksym_exists(scx_bpf_consume))
		return scx_bpf_consume(queue);
	return false;
}

static inline void task_set_slice(struct task_struct *task, uint64_t slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(task, slice);
	else
		task->scx.slice = slice;
}

static inline void task_set_vtime(struct task_struct *task, uint64_t vtime)
{
	if (bpf_ksym_exists(scx_bpf_task_set_dsq_vtime))
		scx_bpf_task_set_dsq_vtime(task, vtime);
	else
		task->scx.dsq_vtime = vtime;
}

static inline bool is_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

#endif
