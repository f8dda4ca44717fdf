/* SPDX-License-Identifier: MIT */
/*
 * Where a task goes that wakes up or starts: the policy narrows the search or names a CPU, then
 * Linux's search as in kernel/sched/fair.c: wake_wide, wake_affine (idle, then weight),
 * select_idle_sibling within the cache (target, previous, recently used, idle core, idle thread up
 * to a limit, sibling), and the slow path at a start (idlest cache, then the CPU with fewest tasks
 * that went idle last). O(CPUs).
 */
#include "sim/cpu/internal.h"

#define VIEW_NS		  1000000 /* how fresh the utilisation is that policies see */
#define IMBALANCE_PCT	  117
#define IMBALANCE_FAR_PCT 125
#define IDLE_SHARE	  512 /* of the idle time that a search may take */
#define LEAST_SEARCHED	  4
#define FLIPS_NS	  1000000000 /* after that, a waker's changes of partner count half */

struct search {
	const struct set *mask;		/* which cache */
	const struct set *first, *rest; /* which CPU in it; rest: second choice, or NULL */
	bool is_strict;			/* never outside of mask */
};

struct cpu_request request_of(struct cpusim *sim, uint32_t number, uint32_t waker_cpu)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	return (struct cpu_request){ task->load,	  task->cpu,
				     waker_cpu,		  &job->spec->preferred,
				     &job->spec->allowed, job->load_bp,
				     &task->memory };
}

struct cpu_view view_of(struct cpusim *sim)
{
	bool is_stale = sim->now_ns - sim->viewed_ns >= VIEW_NS;
	for (uint32_t cpu = 0; is_stale && cpu < sim->nr_cpus; cpu++) {
		cpu_advance(sim, cpu);
		cpu_arm(sim, cpu);
		sim->states[cpu].load_bp = average_bp(&sim->averages[cpu]);
		if (sim->cpus[cpu].current == NOBODY)
			sim->states[cpu].idle_ns = sim->now_ns - sim->cpus[cpu].idle_since_ns + 1;
		for (uint32_t job = 0; job < sim->nr_jobs; job++)
			sim->jobs[job].load_bp[cpu] = average_bp(
				&sim->averages[(job + 1) * sim->nr_cpus + cpu]);
	}
	sim->viewed_ns = is_stale ? sim->now_ns : sim->viewed_ns;
	return (struct cpu_view){ sim->states, sim->nr_cpus, sim->distances, sim->machine->nr_nodes,
				  sim->now_ns };
}

static bool is_idle(const struct cpusim *sim, uint32_t cpu)
{
	return sim->states[cpu].nr_running == 0;
}

static bool shares_cache(const struct cpusim *sim, uint32_t a, uint32_t b)
{
	return sim->states[a].cache == sim->states[b].cache;
}

/* select_idle_core: all of the cache is looked at. */
static uint32_t idle_core(const struct cpusim *sim, const struct set *mask, uint32_t target)
{
	for (uint32_t i = 0; mask && i < sim->nr_cpus; i++) {
		uint32_t cpu = (target + i) % sim->nr_cpus;
		if (sim->states[cpu].is_core_idle && is_idle(sim, cpu) &&
		    shares_cache(sim, cpu, target) && set_has(mask, cpu))
			return cpu;
	}
	return NOBODY;
}

/* select_idle_cpu: CPUs of the cache in order from the target on, until the budget is used up, to
 * which those outside of the mask count too. */
static uint32_t idle_thread(const struct cpusim *sim, const struct set *mask, uint32_t target,
			    uint64_t *budget)
{
	for (uint32_t i = 0; mask && i < sim->nr_cpus; i++) {
		uint32_t cpu = (target + i) % sim->nr_cpus;
		if (!shares_cache(sim, cpu, target))
			continue;
		if (*budget == 0 || --*budget == 0)
			return NOBODY;
		if (is_idle(sim, cpu) && set_has(mask, cpu))
			return cpu;
	}
	return NOBODY;
}

/* How many CPUs a search may look at: fewer the shorter the CPU that searches is used to be idle
 * (the kernel's SIS_PROP), but a few always. */
static uint64_t search_budget(const struct cpusim *sim, uint32_t searcher)
{
	uint64_t scan_ns = sim->params->scan_ns;
	uint64_t idle_ns = sim->cpus[searcher].average_idle_ns / IDLE_SHARE;
	uint64_t span_ns = idle_ns * (sim->nr_cpus / sim->nr_caches);
	if (scan_ns == 0)
		return sim->nr_cpus + 1;
	return span_ns > LEAST_SEARCHED * scan_ns ? span_ns / scan_ns : LEAST_SEARCHED;
}

static uint32_t idle_sibling(const struct cpusim *sim, const struct task *task,
			     const struct search *search, uint32_t target, uint32_t searcher)
{
	const struct set *any = search->rest ? search->rest : search->first;
	const uint32_t quick[] = { target, task->cpu, task->recent_cpu };
	for (uint32_t i = 0; i < 3; i++)
		if (quick[i] != NOBODY && is_idle(sim, quick[i]) &&
		    shares_cache(sim, quick[i], target) && set_has(any, quick[i]))
			return quick[i];
	uint64_t budget = search_budget(sim, searcher);
	uint32_t found = idle_core(sim, search->first, target);
	found = found == NOBODY ? idle_core(sim, search->rest, target) : found;
	found = found == NOBODY ? idle_thread(sim, search->first, target, &budget) : found;
	found = found == NOBODY ? idle_thread(sim, search->rest, target, &budget) : found;
	uint32_t sibling = sim->cpus[target].sibling;
	if (found == NOBODY && sibling != NOBODY && is_idle(sim, sibling) && set_has(any, sibling))
		return sibling;
	return found;
}

/* Of tasks per CPU. The load of one that went to sleep a moment ago still counts, so that a job
 * whose tasks wait for each other at their start is spread all the same. */
static uint64_t busy_share(const struct cpusim *sim, const struct set *mask, uint32_t cache)
{
	uint64_t nr_cpus = 0, nr_settled = 0;
	for (uint32_t cpu = 0; cpu < sim->nr_cpus; cpu++) {
		if (sim->states[cpu].cache != cache || !set_has(mask, cpu))
			continue;
		nr_cpus++;
		nr_settled += sim->nr_settled[cpu];
	}
	return nr_cpus ? nr_settled * 1000000 / nr_cpus : NEVER;
}

/* Fewer tasks, then the one that went idle last, whose caches are the warmest. */
static bool is_idler(const struct cpusim *sim, uint32_t a, uint32_t b)
{
	if (sim->states[a].nr_running != sim->states[b].nr_running)
		return sim->states[a].nr_running < sim->states[b].nr_running;
	return is_idle(sim, a) && sim->cpus[a].idle_since_ns > sim->cpus[b].idle_since_ns;
}

/* The slow path. The cache of `near` wins unless another one is clearly less busy. */
static uint32_t idlest(struct cpusim *sim, const struct set *mask, uint32_t near)
{
	uint32_t cache = sim->states[near].cache, best = NOBODY;
	uint64_t least = busy_share(sim, mask, cache);
	if (least != NEVER)
		least = least * 100 / IMBALANCE_FAR_PCT;
	for (uint32_t other = 0; other < sim->nr_caches; other++) {
		uint64_t share = busy_share(sim, mask, other);
		if (share >= least)
			continue;
		cache = other;
		least = share;
	}
	uint32_t start = (uint32_t)random_below(&sim->random, sim->nr_cpus);
	for (uint32_t i = 0; i < sim->nr_cpus; i++) {
		uint32_t cpu = (start + i) % sim->nr_cpus;
		if (sim->states[cpu].cache != cache || !set_has(mask, cpu))
			continue;
		if (best == NOBODY || is_idler(sim, cpu, best))
			best = cpu;
	}
	return best;
}

/* A waker with many partners is a master that had better not have all of them around itself. */
static bool is_wide(struct cpusim *sim, uint32_t waker, uint32_t number)
{
	if (waker == NOBODY) /* an interrupt that found the CPU idle */
		return false;
	struct task *master = &sim->tasks[waker], *slave = &sim->tasks[number];
	if (sim->now_ns > master->flips_ns + FLIPS_NS) {
		master->nr_flips /= 2;
		master->flips_ns = sim->now_ns;
	}
	if (master->last_wakee != number) {
		master->last_wakee = number;
		master->nr_flips++;
	}
	uint32_t more = master->nr_flips, fewer = slave->nr_flips;
	if (more < fewer) {
		more = slave->nr_flips;
		fewer = master->nr_flips;
	}
	uint32_t factor = sim->nr_cpus / sim->nr_caches;
	return fewer >= factor && more >= fewer * factor;
}

static uint32_t affine(const struct cpusim *sim, uint32_t here, uint32_t previous, bool is_sync)
{
	if (is_idle(sim, here) && shares_cache(sim, here, previous))
		return is_idle(sim, previous) ? previous : here;
	if (is_sync && sim->states[here].nr_running == 1)
		return here;
	if (is_idle(sim, previous))
		return previous;
	uint64_t here_load = sim->states[here].nr_running;
	if (is_sync && here_load > 0)
		here_load--;
	uint64_t previous_load = sim->states[previous].nr_running;
	return (here_load + 1) * 100 < previous_load * (100 + (IMBALANCE_PCT - 100) / 2) ? here
											 : previous;
}

static uint32_t linux_place(struct cpusim *sim, uint32_t number, const struct search *search,
			    uint32_t waker_cpu, bool is_sync)
{
	struct task *task = &sim->tasks[number];
	uint32_t target = task->cpu;
	if (target == NOBODY)
		return idlest(sim, search->mask, sim->jobs[task->load].parent_cpu);
	if (waker_cpu != NOBODY && !is_wide(sim, sim->cpus[waker_cpu].current, number) &&
	    waker_cpu != target && set_has(search->mask, waker_cpu))
		target = affine(sim, waker_cpu, target, is_sync);
	if (!set_has(search->mask, target) && search->is_strict)
		target = idlest(sim, search->mask, task->cpu);
	uint32_t searcher = waker_cpu == NOBODY ? task->cpu : waker_cpu;
	uint32_t found = idle_sibling(sim, task, search, target, searcher);
	return found == NOBODY ? target : found;
}

uint32_t place(struct cpusim *sim, uint32_t number, uint32_t waker_cpu, bool is_sync)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	struct cpu_request request = request_of(sim, number, waker_cpu);
	struct cpu_view view = view_of(sim);
	struct cpu_choice choice = sim->policy->choose(&request, &view, sim->values);
	job->result.nr_held += choice.is_held;
	uint32_t to = choice.cpu;
	if (choice.where != CPU_EXACTLY) {
		bool is_home = choice.where == CPU_PREFERRED;
		struct search search = {
			is_home ? &job->spec->preferred : &job->spec->allowed,
			choice.is_rest_searched || is_home ? &job->spec->preferred
							   : &job->spec->allowed,
			choice.is_rest_searched ? &job->spec->allowed : NULL,
			is_home && !choice.is_rest_searched,
		};
		to = linux_place(sim, number, &search, waker_cpu, is_sync);
	}
	task->recent_cpu = task->cpu;
	return to;
}
