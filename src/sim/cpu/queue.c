/* SPDX-License-Identifier: MIT */
/*
 * The events and the run queues. Events: a binary heap of slots, one per CPU and one per task, with
 * each slot's place beside it, so that a slot is moved rather than left stale: the heap never
 * grows. Equal times go by slot number. Run queues: lists sorted by virtual time, equal ones in
 * order of arrival; O(1) to take the first, O(waiting) to add.
 */
#include "sim/cpu/internal.h"

static bool is_before(const struct cpusim *sim, uint32_t a, uint32_t b)
{
	if (sim->event_ns[a] != sim->event_ns[b])
		return sim->event_ns[a] < sim->event_ns[b];
	return a < b;
}

static void put(struct cpusim *sim, uint32_t at, uint32_t slot)
{
	sim->heap[at] = slot;
	sim->heap_at[slot] = at;
}

void event_set(struct cpusim *sim, uint32_t slot, uint64_t time_ns)
{
	uint32_t at = sim->heap_at[slot];
	sim->event_ns[slot] = time_ns;
	while (at > 0 && is_before(sim, slot, sim->heap[(at - 1) / 2])) {
		put(sim, at, sim->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (uint32_t child = 2 * at + 1; child < sim->nr_slots; child = 2 * at + 1) {
		if (child + 1 < sim->nr_slots &&
		    is_before(sim, sim->heap[child + 1], sim->heap[child]))
			child++;
		if (!is_before(sim, sim->heap[child], slot))
			break;
		put(sim, at, sim->heap[child]);
		at = child;
	}
	put(sim, at, slot);
}

void events_init(struct cpusim *sim)
{
	for (uint32_t slot = 0; slot < sim->nr_slots; slot++) {
		sim->event_ns[slot] = NEVER;
		put(sim, slot, slot);
	}
}

void queue_add(struct cpusim *sim, uint32_t cpu, uint32_t task)
{
	struct cpu *queue = &sim->cpus[cpu];
	uint32_t before = queue->last;
	while (before != NOBODY && sim->tasks[before].vruntime > sim->tasks[task].vruntime)
		before = sim->tasks[before].previous;
	uint32_t after = before == NOBODY ? queue->first : sim->tasks[before].next;
	sim->tasks[task].previous = before;
	sim->tasks[task].next = after;
	*(before == NOBODY ? &queue->first : &sim->tasks[before].next) = task;
	*(after == NOBODY ? &queue->last : &sim->tasks[after].previous) = task;
	queue->nr_waiting++;
	sim->states[cpu].nr_running++;
	if (sim->states[cpu].owner == sim->tasks[task].load)
		sim->states[cpu].nr_owner_waiting++;
	if (sim->tasks[task].cpu != NOBODY)
		sim->nr_settled[sim->tasks[task].cpu]--;
	sim->nr_settled[cpu]++;
	sim->tasks[task].cpu = cpu;
	sim->tasks[task].state = TASK_WAITING;
	sim->tasks[task].since_ns = sim->now_ns;
}

void queue_del(struct cpusim *sim, uint32_t cpu, uint32_t task)
{
	struct cpu *queue = &sim->cpus[cpu];
	uint32_t before = sim->tasks[task].previous, after = sim->tasks[task].next;
	*(before == NOBODY ? &queue->first : &sim->tasks[before].next) = after;
	*(after == NOBODY ? &queue->last : &sim->tasks[after].previous) = before;
	queue->nr_waiting--;
	sim->states[cpu].nr_running--;
	if (sim->states[cpu].owner == sim->tasks[task].load)
		sim->states[cpu].nr_owner_waiting--;
	sim->jobs[sim->tasks[task].load].result.wait_ns += sim->now_ns - sim->tasks[task].since_ns;
}
