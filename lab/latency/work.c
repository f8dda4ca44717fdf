/* SPDX-License-Identifier: MIT */
/* See work.h. */
#include "lab/latency/work.h"

static struct work_task *find_task(struct work *work, uint64_t address)
{
	for (uint32_t i = 0; i < work->nr_tasks; i++)
		if (work->tasks[i].address == address)
			return &work->tasks[i];
	if (work->nr_tasks == WORK_MAX_TASKS)
		return NULL;
	struct work_task *task = &work->tasks[work->nr_tasks++];
	*task = (struct work_task){ .address = address };
	return task;
}

void work_init(struct work *work)
{
	*work = (struct work){ 0 };
	work->current = find_task(work, 0); /* its address is not known yet */
	work->current->is_user = true;
}

uint64_t work_clock(struct work *work, uint64_t now)
{
	uint64_t left_out = work->done + (work->is_open ? now - work->start : 0);
	uint64_t clock = now > left_out ? now - left_out : 0;
	work->shown = MAX(work->shown, clock);
	return work->shown;
}

static void open_window(struct work *work, uint64_t start, enum work_kind kind)
{
	work->is_open = true;
	work->kind = kind;
	work->start = start;
}

/* is_over: it is not only interrupted. */
static void close_window(struct work *work, uint64_t now, bool is_over)
{
	if (!work->is_open)
		return;
	work->is_open = false;
	work->done += now - work->start;
	work->counts[work->kind].ticks += now - work->start;
	work->counts[work->kind].nr += is_over;
}

void work_switch(struct work *work, uint64_t now, uint64_t task)
{
	if (work->is_open && work->kind != WORK_THREAD && work->current) {
		work->waiting_task = work->current->address;
		work->waiting_kind = work->kind;
	}
	close_window(work, now, work->kind == WORK_THREAD);
	work->fault_start = 0;
	work->current = find_task(work, task);
	if (!work->current)
		return;
	if (work->waiting_task && work->waiting_task == task) {
		open_window(work, now, work->waiting_kind);
		work->waiting_task = 0;
	} else if (work->current->is_placing) {
		open_window(work, now, WORK_THREAD);
	}
}

void work_fault(struct work *work, uint64_t now, bool is_from_kernel)
{
	if (work->is_open)
		return;
	work->fault_start = now;
	work->is_kernel_fault = is_from_kernel;
}

static void begin_in_thread(struct work *work, uint64_t now)
{
	work->current->is_placing = true;
	if (!work->is_open)
		open_window(work, now, WORK_THREAD);
}

static bool is_fault(enum work_kind kind)
{
	return kind <= WORK_PROMOTION;
}

void work_begin(struct work *work, uint64_t now, enum work_kind kind)
{
	struct work_task *task = work->current;
	if (kind == WORK_RECLAIM && task && !task->is_user) {
		begin_in_thread(work, now);
		return;
	}
	if (work->is_open && is_fault(work->kind) && is_fault(kind)) {
		work->kind = MAX(work->kind, kind);
		return;
	}
	if (work->is_open && !(kind == WORK_SCAN && is_fault(work->kind)))
		return;
	if (is_fault(kind) && !work->fault_start)
		return;
	close_window(work, now, true);
	open_window(work, is_fault(kind) ? work->fault_start : now, kind);
	work->ends_in_kernel = is_fault(kind) && work->is_kernel_fault;
}

void work_return(struct work *work, uint64_t now, bool to_user)
{
	if (to_user && work->current) {
		work->current->is_user = true;
		work->current->is_placing = false;
	}
	if (work->is_open && work->kind != WORK_THREAD && (to_user || work->ends_in_kernel))
		close_window(work, now, true);
	if (to_user)
		work->fault_start = 0;
}
