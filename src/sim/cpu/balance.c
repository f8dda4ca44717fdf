/* SPDX-License-Identifier: MIT */
/*
 * Load balancing by pulling, as in kernel/sched/fair.c, on two levels: CPUs that share a cache, and
 * the machine. A CPU that goes idle pulls one task unless its idle times have been too short to pay
 * (newidle_balance); a tick pulls for its own CPU when the level's interval is over, and for idle
 * CPUs when tasks wait here (nohz). One CPU pulls for its group (should_we_balance), and an
 * interval after which nothing was pulled is followed by one of twice the length. A task that ran
 * within migration_cost stays, until balancing failed a few times. Only waiting tasks are pulled.
 * O(CPUs + waiting) per attempt.
 */
#include "sim/cpu/internal.h"

enum { CACHE, MACHINE, NR_LEVELS };

#define IMBALANCE_PCT	      117
#define IMBALANCE_FAR_PCT     125
#define BUSY_FACTOR	      32
#define INTERVAL_NS_PER_CPU   1000000
#define FAILURES_BEFORE_FORCE 2

static bool may_pull(struct cpusim *sim, uint32_t number, uint32_t to, bool is_forced)
{
	const struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	if (!set_has(&job->spec->allowed, to))
		return false;
	if (!is_forced && task->ran_on != NOBODY &&
	    sim->now_ns - task->ran_ns < sim->params->migration_cost_ns)
		return false;
	if (!sim->policy->may_take)
		return true;
	struct cpu_request request = request_of(sim, number, NOBODY);
	struct cpu_view view = view_of(sim);
	return sim->policy->may_take(&request, &view, to, sim->values);
}

/* Up to `nr`, those first that would run last. */
static uint32_t pull(struct cpusim *sim, uint32_t from, uint32_t to, uint32_t nr, bool is_forced)
{
	uint32_t nr_pulled = 0;
	uint32_t number = sim->cpus[from].last;
	while (number != NOBODY && nr_pulled < nr) {
		uint32_t before = sim->tasks[number].previous;
		if (may_pull(sim, number, to, is_forced)) {
			cpu_move(sim, number, to);
			nr_pulled++;
		}
		number = before;
	}
	return nr_pulled;
}

/* The CPU of that cache on which most tasks wait; NOBODY: none waits. */
static uint32_t busiest_cpu(const struct cpusim *sim, uint32_t cache, uint32_t except)
{
	uint32_t busiest = NOBODY, most = 0;
	for (uint32_t i = 1; i < sim->nr_cpus; i++) {
		uint32_t cpu = (except + i) % sim->nr_cpus;
		if (sim->states[cpu].cache != cache || sim->cpus[cpu].nr_waiting <= most)
			continue;
		busiest = cpu;
		most = sim->cpus[cpu].nr_waiting;
	}
	return busiest;
}

struct group {
	uint64_t nr_running, nr_cpus;
};

static struct group group_of(const struct cpusim *sim, uint32_t cache)
{
	struct group group = { 0 };
	for (uint32_t cpu = 0; cpu < sim->nr_cpus; cpu++) {
		if (sim->states[cpu].cache != cache)
			continue;
		group.nr_running += sim->states[cpu].nr_running;
		group.nr_cpus++;
	}
	return group;
}

static uint32_t pull_within(struct cpusim *sim, uint32_t to, bool is_one, bool is_forced)
{
	uint32_t from = busiest_cpu(sim, sim->states[to].cache, to);
	if (from == NOBODY)
		return 0;
	uint32_t there = sim->states[from].nr_running, here = sim->states[to].nr_running;
	if (there * 100 <= here * IMBALANCE_PCT || there < here + 2)
		return 0;
	return pull(sim, from, to, is_one ? 1 : (there - here) / 2, is_forced);
}

static uint32_t pull_from_cache(struct cpusim *sim, uint32_t to, uint32_t cache, bool is_one,
				bool is_forced)
{
	struct group here = group_of(sim, sim->states[to].cache), there = group_of(sim, cache);
	bool is_idle = sim->states[to].nr_running == 0;
	bool is_full = there.nr_running > there.nr_cpus;
	bool is_uneven = there.nr_running * here.nr_cpus * 100 >
			 here.nr_running * there.nr_cpus * IMBALANCE_FAR_PCT;
	if (!is_uneven && !(is_idle && is_full && here.nr_running < here.nr_cpus))
		return 0;
	uint32_t from = busiest_cpu(sim, cache, to);
	if (from == NOBODY)
		return 0;
	uint64_t even = (there.nr_running + here.nr_running) * there.nr_cpus /
			(there.nr_cpus + here.nr_cpus);
	uint64_t surplus = there.nr_running > even ? there.nr_running - even : 1;
	return pull(sim, from, to, is_one ? 1 : surplus, is_forced);
}

static uint32_t pull_across(struct cpusim *sim, uint32_t to, bool is_one, bool is_forced)
{
	uint32_t busiest = NOBODY;
	uint64_t most = 0;
	for (uint32_t cache = 0; cache < sim->nr_caches; cache++) {
		struct group group = group_of(sim, cache);
		uint64_t share = group.nr_cpus ? group.nr_running * 1000 / group.nr_cpus : 0;
		if (cache == sim->states[to].cache || share <= most)
			continue;
		busiest = cache;
		most = share;
	}
	return busiest == NOBODY ? 0 : pull_from_cache(sim, to, busiest, is_one, is_forced);
}

static uint32_t pull_level(struct cpusim *sim, uint32_t to, uint32_t level, bool is_one)
{
	uint32_t *nr_failed = &sim->cpus[to].nr_failed[level];
	bool is_forced = !is_one && *nr_failed > FAILURES_BEFORE_FORCE;
	uint32_t nr = level == CACHE ? pull_within(sim, to, is_one, is_forced)
				     : pull_across(sim, to, is_one, is_forced);
	if (nr > 0)
		*nr_failed = 0;
	else if (!is_one)
		*nr_failed += 1;
	return nr;
}

/* On each level one CPU acts for its group (the core within the cache, the cache within the
 * machine): the first that is idle, or the first of all. */
static bool is_first(const struct cpusim *sim, uint32_t at, uint32_t level)
{
	bool is_idle = sim->states[at].nr_running == 0;
	for (uint32_t cpu = 0; cpu < sim->nr_cpus; cpu++) {
		bool is_near = level == CACHE ? sim->states[cpu].core == sim->states[at].core
					      : sim->states[cpu].cache == sim->states[at].cache;
		if (!is_near || cpu == at)
			continue;
		if (sim->states[cpu].nr_running == 0 && (!is_idle || cpu < at))
			return false;
		if (!is_idle && cpu < at)
			return false;
	}
	return true;
}

void balance_idle(struct cpusim *sim, uint32_t cpu)
{
	if (sim->cpus[cpu].average_idle_ns < sim->params->migration_cost_ns)
		return;
	for (uint32_t level = CACHE; level < NR_LEVELS; level++)
		if (pull_level(sim, cpu, level, true) > 0)
			return;
}

static void balance_periodically(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	bool is_idle = cpu->current == NOBODY;
	for (uint32_t level = CACHE; level < NR_LEVELS; level++) {
		if (sim->now_ns < cpu->next_balance_ns[level])
			continue;
		uint32_t weight = level == CACHE ? sim->nr_cpus / sim->nr_caches : sim->nr_cpus;
		uint64_t interval_ns = (uint64_t)weight * INTERVAL_NS_PER_CPU;
		bool is_ours = is_first(sim, at, level);
		uint32_t nr = is_ours ? pull_level(sim, at, level, false) : 0;
		cpu->next_balance_ns[level] = sim->now_ns + interval_ns * (nr ? 1 : 2) *
								    (is_idle ? 1 : BUSY_FACTOR);
		if (!is_ours)
			break;
	}
	if (is_idle && cpu->first != NOBODY)
		cpu_switch(sim, at);
}

void balance_tick(struct cpusim *sim, uint32_t at)
{
	balance_periodically(sim, at);
	if (sim->cpus[at].nr_waiting == 0 || sim->now_ns < sim->next_nohz_ns)
		return;
	sim->next_nohz_ns = sim->now_ns + sim->params->tick_ns;
	for (uint32_t cpu = 0; cpu < sim->nr_cpus; cpu++)
		if (sim->states[cpu].is_online && sim->cpus[cpu].current == NOBODY)
			balance_periodically(sim, cpu);
}
