/* SPDX-License-Identifier: MIT */
/*
 * One CPU: what it runs, how fast, and when it changes that. All time a CPU spends is accounted by
 * cpu_advance(), which is called before anything changes that its speed or its task depends on; a
 * CPU whose speed changed is armed anew. Rules of pre-emption as in kernel/sched/fair.c (5.2):
 * check_preempt_tick, wakeup_preempt_entity, place_entity.
 */
#include "sim/cpu/internal.h"

static uint32_t slow_of(const struct cpusim *sim, uint32_t cpu)
{
	const struct task *task = &sim->tasks[sim->cpus[cpu].current];
	const struct cpusim_load *spec = sim->jobs[task->load].spec;
	uint32_t nr_nodes = sim->machine->nr_nodes;
	uint32_t memory = sim->slow_bp[sim->states[cpu].node * nr_nodes + task->memory_node];
	uint64_t slow = ALL_BP - spec->memory_bp + (uint64_t)spec->memory_bp * memory / ALL_BP;
	if (sim->nr_core_busy[sim->states[cpu].core] > 1)
		slow = slow * sim->params->smt_slow_bp / ALL_BP;
	return (uint32_t)slow;
}

static void account(struct cpusim *sim, uint32_t at, uint64_t elapsed_ns)
{
	struct cpu *cpu = &sim->cpus[at];
	struct task *task = &sim->tasks[cpu->current];
	struct job *job = &sim->jobs[task->load];
	uint64_t overhead_ns = elapsed_ns < cpu->overhead_ns ? elapsed_ns : cpu->overhead_ns;
	cpu->overhead_ns -= overhead_ns;
	uint64_t done_ns = (elapsed_ns - overhead_ns) * ALL_BP / cpu->slow_bp;
	task->work_ns -= done_ns < task->work_ns ? done_ns : task->work_ns;
	task->run_ns += elapsed_ns;
	task->ran_ns = sim->now_ns;
	task->vruntime += (int64_t)elapsed_ns;
	cpu->busy_ns += elapsed_ns;
	job->result.run_ns += elapsed_ns;
	if (set_has(&job->spec->preferred, at))
		job->result.home_run_ns += elapsed_ns;
	int64_t least = task->vruntime;
	if (cpu->first != NOBODY && sim->tasks[cpu->first].vruntime < least)
		least = sim->tasks[cpu->first].vruntime;
	if (least > cpu->min_vruntime)
		cpu->min_vruntime = least;
}

void cpu_advance(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	uint64_t from_ns = cpu->since_ns, elapsed_ns = sim->now_ns - from_ns;
	if (elapsed_ns == 0)
		return;
	uint32_t load = cpu->current == NOBODY ? NOBODY : sim->tasks[cpu->current].load;
	average_add(&sim->averages[at], from_ns, sim->now_ns, load != NOBODY);
	for (uint32_t job = 0; job < sim->nr_jobs; job++)
		average_add(&sim->averages[(job + 1) * sim->nr_cpus + at], from_ns, sim->now_ns,
			    load == job);
	cpu->since_ns = sim->now_ns;
	if (load == NOBODY)
		cpu->idle_ns += elapsed_ns;
	else
		account(sim, at, elapsed_ns);
}

void cpu_arm(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	if (cpu->current == NOBODY) {
		event_set(sim, at, NEVER);
		return;
	}
	cpu->slow_bp = slow_of(sim, at);
	uint64_t work_ns = sim->tasks[cpu->current].work_ns;
	uint64_t end_ns = cpu->since_ns + cpu->overhead_ns +
			  (work_ns * cpu->slow_bp + ALL_BP - 1) / ALL_BP;
	event_set(sim, at, end_ns < cpu->next_tick_ns ? end_ns : cpu->next_tick_ns);
}

/* The other thread of the core gets faster or slower now. */
static void set_core_busy(struct cpusim *sim, uint32_t at, bool is_busy)
{
	uint32_t sibling = sim->cpus[at].sibling, core = sim->states[at].core;
	if (sibling != NOBODY)
		cpu_advance(sim, sibling);
	if (is_busy)
		sim->nr_core_busy[core]++;
	else
		sim->nr_core_busy[core]--;
	sim->states[at].is_core_idle = sim->nr_core_busy[core] == 0;
	if (sibling != NOBODY) {
		sim->states[sibling].is_core_idle = sim->nr_core_busy[core] == 0;
		cpu_arm(sim, sibling);
	}
}

static void put_current(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	struct job *job = &sim->jobs[sim->tasks[cpu->current].load];
	job->nr_running[sim->states[at].cache]--;
	job->nr_running_all--;
	sim->states[at].nr_running--;
	cpu->current = NOBODY;
}

static void count_move(struct cpusim *sim, struct task *task, uint32_t at)
{
	const struct cpu_state *from = &sim->states[task->ran_on], *to = &sim->states[at];
	struct job *job = &sim->jobs[task->load];
	if (from->cache == to->cache)
		job->result.nr_moves_core++;
	else if (from->node == to->node)
		job->result.nr_moves_cache++;
	else
		job->result.nr_moves_node++;
	if (from->core != to->core)
		task->work_ns += from->cache == to->cache ? job->spec->refill_near_ns
							  : job->spec->refill_far_ns;
}

static uint32_t latency_bucket(uint64_t latency_ns)
{
	uint32_t high = 63 - (uint32_t)__builtin_clzll(latency_ns | 8);
	return (high - 3) * 8 + (uint32_t)((latency_ns | 8) >> (high - 3) & 7);
}

static void take(struct cpusim *sim, uint32_t at, uint32_t next)
{
	struct cpu *cpu = &sim->cpus[at];
	struct task *task = &sim->tasks[next];
	struct job *job = &sim->jobs[task->load];
	queue_del(sim, at, next);
	cpu->current = next;
	cpu->picked_ns = sim->now_ns;
	task->state = TASK_RUNNING;
	sim->states[at].nr_running++;
	job->nr_running[sim->states[at].cache]++;
	job->nr_running_all++;
	if (task->woken_ns) {
		job->latency[latency_bucket(sim->now_ns + 1 - task->woken_ns)]++;
		job->nr_latencies++;
		task->woken_ns = 0;
	}
	if (task->ran_on == NOBODY)
		task->memory_node = task->memory_node == NOBODY ? sim->states[at].node
								: task->memory_node;
	else if (task->ran_on != at)
		count_move(sim, task, at);
	task->ran_on = at;
}

static void end_idle(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	uint64_t idle_ns = sim->now_ns - cpu->idle_since_ns;
	uint64_t most_ns = 2 * sim->params->migration_cost_ns;
	uint64_t average_ns = cpu->average_idle_ns - cpu->average_idle_ns / 8 + idle_ns / 8;
	cpu->average_idle_ns = average_ns < most_ns ? average_ns : most_ns;
	cpu->next_tick_ns = (sim->now_ns / sim->params->tick_ns + 1) * sim->params->tick_ns;
	sim->states[at].idle_ns = 0;
}

void cpu_switch(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	uint32_t old = cpu->current;
	cpu_advance(sim, at);
	cpu->must_switch = false;
	if (old != NOBODY) {
		put_current(sim, at);
		if (sim->tasks[old].state == TASK_RUNNING)
			queue_add(sim, at, old);
	}
	if (cpu->first == NOBODY)
		balance_idle(sim, at);
	if (cpu->first != NOBODY)
		take(sim, at, cpu->first);
	if (cpu->current != old) {
		cpu->overhead_ns = sim->params->switch_ns;
		if (old == NOBODY)
			cpu->overhead_ns += sim->params->idle_exit_ns;
	}
	if (old == NOBODY && cpu->current != NOBODY) {
		end_idle(sim, at);
		set_core_busy(sim, at, true);
	} else if (old != NOBODY && cpu->current == NOBODY) {
		cpu->idle_since_ns = sim->now_ns;
		sim->states[at].idle_ns = 1;
		set_core_busy(sim, at, false);
	}
	cpu_arm(sim, at);
}

/* Where its virtual time was relative to the old queue, there it is relative to the new one. */
static void enqueue(struct cpusim *sim, uint32_t number, uint32_t to, bool is_wakeup)
{
	struct task *task = &sim->tasks[number];
	int64_t min = sim->cpus[to].min_vruntime;
	int64_t back = (int64_t)(sim->params->latency_ns / 2);
	if (task->cpu == NOBODY) {
		task->vruntime = min + (int64_t)sim->params->min_granularity_ns;
		task->work_ns = 2 * sim->params->fork_ns + 1; /* its first page faults */
		average_join(&sim->averages[sim->jobs[task->load].parent_cpu], 0);
		average_join(&sim->averages[to], sim->nr_settled[to]);
		average_join(&sim->averages[(task->load + 1) * sim->nr_cpus + to],
			     sim->nr_settled[to]);
	}
	if (task->cpu != NOBODY && task->cpu != to)
		task->vruntime += min - sim->cpus[task->cpu].min_vruntime;
	if (is_wakeup && task->vruntime < min - back)
		task->vruntime = min - back;
	queue_add(sim, to, number);
}

/* A task was queued on `at`: does it run at once? */
static void check_preempt(struct cpusim *sim, uint32_t at, uint32_t number)
{
	struct cpu *cpu = &sim->cpus[at];
	if (cpu->current == NOBODY) {
		cpu_switch(sim, at);
		return;
	}
	int64_t ahead = sim->tasks[cpu->current].vruntime - sim->tasks[number].vruntime;
	if (ahead <= (int64_t)sim->params->wakeup_granularity_ns)
		return;
	if (at == sim->acting_cpu)
		cpu->must_switch = true;
	else
		cpu_switch(sim, at);
}

void cpu_wake(struct cpusim *sim, uint32_t number, uint32_t waker_cpu, bool is_sync)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	uint32_t to = place(sim, number, waker_cpu, is_sync);
	job->result.nr_wakeups++;
	job->result.nr_spilled += !set_has(&job->spec->preferred, to);
	task->work_ns = task->work_ns ? task->work_ns : 1;
	task->woken_ns = sim->now_ns + 1;
	cpu_advance(sim, to);
	enqueue(sim, number, to, true);
	check_preempt(sim, to, number);
}

void cpu_move(struct cpusim *sim, uint32_t number, uint32_t to)
{
	cpu_advance(sim, sim->tasks[number].cpu);
	queue_del(sim, sim->tasks[number].cpu, number);
	enqueue(sim, number, to, false);
}

/* The policy takes the running task off this CPU: to another one, or behind those that wait. */
static void replace(struct cpusim *sim, uint32_t at)
{
	uint32_t number = sim->cpus[at].current;
	uint32_t to = place(sim, number, NOBODY, false);
	if (to == at) {
		uint32_t last = sim->cpus[at].last;
		if (last != NOBODY && sim->tasks[number].vruntime < sim->tasks[last].vruntime)
			sim->tasks[number].vruntime = sim->tasks[last].vruntime;
		cpu_switch(sim, at);
		return;
	}
	sim->tasks[number].state = TASK_ASLEEP;
	cpu_switch(sim, at);
	cpu_advance(sim, to);
	enqueue(sim, number, to, false);
	check_preempt(sim, to, number);
}

static void ask_policy(struct cpusim *sim, uint32_t at)
{
	if (!sim->policy->tick || sim->cpus[at].current == NOBODY)
		return;
	uint32_t number = sim->cpus[at].current;
	struct cpu_request request = request_of(sim, number, NOBODY);
	struct cpu_view view = view_of(sim);
	enum cpu_tick answer = sim->policy->tick(&request, &view, sim->values);
	struct cpusim_result *result = &sim->jobs[sim->tasks[number].load].result;
	result->nr_yielded += answer == CPU_YIELDS;
	result->nr_called_home += answer == CPU_GOES_HOME;
	if (answer != CPU_STAYS)
		replace(sim, at);
}

static void tick(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	cpu->next_tick_ns += sim->params->tick_ns;
	if (cpu->nr_waiting > 0) {
		uint64_t slice_ns = sim->params->latency_ns / (cpu->nr_waiting + 1);
		uint64_t least_ns = sim->params->min_granularity_ns;
		slice_ns = slice_ns > least_ns ? slice_ns : least_ns;
		if (sim->now_ns - cpu->picked_ns >= slice_ns)
			cpu_switch(sim, at);
	}
	ask_policy(sim, at);
	balance_tick(sim, at);
}

void cpu_event(struct cpusim *sim, uint32_t at)
{
	struct cpu *cpu = &sim->cpus[at];
	bool is_gone = false;
	cpu_advance(sim, at);
	if (cpu->overhead_ns == 0 && sim->tasks[cpu->current].work_ns == 0) {
		sim->acting_cpu = at;
		is_gone = !program_next(sim, cpu->current);
		sim->acting_cpu = NOBODY;
	}
	if (is_gone || cpu->must_switch)
		cpu_switch(sim, at);
	if (cpu->current != NOBODY && sim->now_ns >= cpu->next_tick_ns)
		tick(sim, at);
	cpu_arm(sim, at);
}
