/* SPDX-License-Identifier: MIT */
/*
 * The invariants, counted anew from nothing: every task is in one place, and one that its masks
 * allow; queues are whole and in order; what the policy sees is what is; no time is lost; nobody
 * waits on a CPU that does nothing. O(CPUs x tasks) in the worst case.
 */
#include "sim/cpu/internal.h"

static const char *check_queue(const struct cpusim *sim, uint32_t at, uint32_t *ret_nr)
{
	const struct cpu *cpu = &sim->cpus[at];
	uint32_t nr = 0, nr_owner = 0, before = NOBODY;
	for (uint32_t task = cpu->first; task != NOBODY; task = sim->tasks[task].next) {
		if (nr++ > sim->nr_tasks)
			return "a run queue goes in a circle";
		if (sim->tasks[task].state != TASK_WAITING || sim->tasks[task].cpu != at)
			return "a task waits where it is not";
		if (sim->tasks[task].previous != before)
			return "a run queue is torn";
		if (before != NOBODY && sim->tasks[before].vruntime > sim->tasks[task].vruntime)
			return "a run queue is out of order";
		nr_owner += sim->tasks[task].load == sim->states[at].owner;
		before = task;
	}
	if (nr != cpu->nr_waiting || before != cpu->last)
		return "a run queue is miscounted";
	if (nr_owner != sim->states[at].nr_owner_waiting)
		return "the owner's tasks are miscounted";
	*ret_nr += nr;
	return NULL;
}

static const char *check_cpu(const struct cpusim *sim, uint32_t at)
{
	const struct cpu *cpu = &sim->cpus[at];
	uint32_t nr_running = cpu->nr_waiting + (cpu->current != NOBODY);
	if (sim->states[at].nr_running != nr_running)
		return "what the policy sees of a CPU is wrong";
	if (cpu->current == NOBODY && cpu->nr_waiting > 0)
		return "a task waits on an idle CPU";
	if (cpu->current != NOBODY &&
	    (sim->tasks[cpu->current].state != TASK_RUNNING || sim->tasks[cpu->current].cpu != at))
		return "a CPU runs a task that is elsewhere";
	if (cpu->busy_ns + cpu->idle_ns != cpu->since_ns || cpu->since_ns > sim->now_ns)
		return "time of a CPU is lost";
	if (cpu->current != NOBODY && sim->event_ns[at] < sim->now_ns)
		return "an event is in the past";
	return NULL;
}

static const char *check_task(const struct cpusim *sim, const struct task *task)
{
	const struct cpusim_load *spec = sim->jobs[task->load].spec;
	if (task->state != TASK_RUNNING && task->state != TASK_WAITING)
		return NULL;
	if (!set_has(&spec->allowed, task->cpu))
		return "a task is outside of its allowed CPUs";
	if (sim->policy == cpu_policy_find("hard") && !set_has(&spec->preferred, task->cpu))
		return "a hard task is outside of its preferred CPUs";
	return NULL;
}

const char *cpusim_check(const struct cpusim *sim)
{
	uint32_t nr_there = 0, nr_expected = 0;
	uint64_t busy_ns = 0, run_ns = 0;
	const char *broken = NULL;
	for (uint32_t cpu = 0; cpu < sim->nr_cpus && !broken; cpu++) {
		broken = check_queue(sim, cpu, &nr_there);
		broken = broken ? broken : check_cpu(sim, cpu);
		nr_there += sim->cpus[cpu].current != NOBODY;
		busy_ns += sim->cpus[cpu].busy_ns;
	}
	for (uint32_t i = 0; i < sim->nr_tasks && !broken; i++) {
		const struct task *task = &sim->tasks[i];
		broken = check_task(sim, task);
		nr_expected += task->state == TASK_RUNNING || task->state == TASK_WAITING;
		run_ns += task->run_ns;
	}
	if (broken)
		return broken;
	if (nr_there != nr_expected)
		return "a task is lost";
	return busy_ns == run_ns ? NULL : "tasks ran for another time than CPUs were busy";
}
