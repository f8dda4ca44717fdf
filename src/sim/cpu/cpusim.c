/* SPDX-License-Identifier: MIT */
/* The simulated scheduler: set-up, the loop over events, results. cpusim.h has the picture. */
#include "sim/cpu/cpusim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/internal.h"

#define EVENTS_MAX 2000000000 /* of one run */

void cpusim_params_default(struct cpusim_params *params)
{
	*params = (struct cpusim_params){
		.threads_per_core = 1,
		.caches_per_node = 1,
		.smt_slow_bp = 14000,
		.latency_ns = 24000000, /* Linux 5.2 with 8 CPUs or more: 6 ms times 4 */
		.min_granularity_ns = 3000000,
		.wakeup_granularity_ns = 4000000,
		.tick_ns = 4000000,
		.migration_cost_ns = 500000,
		.switch_ns = 1500,
		.idle_exit_ns = 15000,
		.scan_ns = 1000,
		.fork_ns = 50000,
		.seed = 1,
		.end_ns = 1000000000,
	};
}

/* ---- topology -------------------------------------------------------------------------------- */

static void add_node(struct cpusim *sim, uint32_t node)
{
	const struct cpusim_params *params = sim->params;
	const struct set *cpus = &sim->machine->nodes[node].cpus;
	uint32_t nr = set_count(cpus), nr_cores = nr / params->threads_per_core, at = 0;
	for (int64_t cpu = set_next(cpus, 0); cpu >= 0; cpu = set_next(cpus, (uint32_t)cpu + 1)) {
		uint32_t core = at % nr_cores;
		sim->states[cpu].is_online = true;
		sim->states[cpu].node = node;
		sim->states[cpu].core = sim->nr_cores + core;
		sim->states[cpu].cache = sim->nr_caches + core * params->caches_per_node / nr_cores;
		at++;
	}
	sim->nr_cores += nr_cores;
	sim->nr_caches += params->caches_per_node;
}

static void pair_siblings(struct cpusim *sim)
{
	for (uint32_t a = 0; a < sim->nr_cpus; a++)
		for (uint32_t b = 0; b < sim->nr_cpus; b++)
			if (a != b && sim->states[a].core == sim->states[b].core &&
			    sim->states[a].core != NOBODY)
				sim->cpus[a].sibling = b;
}

static uint32_t owner_of(const struct cpusim *sim, uint32_t cpu)
{
	for (uint32_t job = 0; job < sim->nr_jobs; job++)
		if (set_has(&sim->jobs[job].spec->preferred, cpu))
			return job;
	return CPU_POLICY_NONE;
}

static void init_cpus(struct cpusim *sim)
{
	for (uint32_t cpu = 0; cpu < sim->nr_cpus; cpu++) {
		sim->cpus[cpu].current = sim->cpus[cpu].first = sim->cpus[cpu].last = NOBODY;
		sim->cpus[cpu].sibling = NOBODY;
		sim->states[cpu].core = sim->states[cpu].cache = NOBODY; /* a gap in the numbers */
		sim->cpus[cpu].slow_bp = ALL_BP;
		sim->cpus[cpu].average_idle_ns = 2 * sim->params->migration_cost_ns;
		sim->states[cpu].is_core_idle = true;
		sim->states[cpu].idle_ns = 1;
		sim->states[cpu].owner = owner_of(sim, cpu);
	}
	for (uint32_t node = 0; node < sim->machine->nr_nodes; node++)
		if (!set_is_empty(&sim->machine->nodes[node].cpus))
			add_node(sim, node);
	if (sim->params->threads_per_core == 2)
		pair_siblings(sim);
}

static void init_links(struct cpusim *sim)
{
	uint32_t nr = sim->machine->nr_nodes;
	for (uint32_t from = 0; from < nr; from++) {
		uint64_t own_ns = machine_link(sim->machine, from, from)->latency_ns;
		for (uint32_t to = 0; to < nr; to++) {
			const struct machine_link *link = machine_link(sim->machine, from, to);
			bool is_known = own_ns > 0 && link->latency_ns > 0;
			uint64_t slow = is_known ? link->latency_ns * ALL_BP / own_ns : ALL_BP;
			sim->slow_bp[from * nr + to] = slow < 100 * ALL_BP ? (uint32_t)slow
									   : 100 * ALL_BP;
			sim->distances[from * nr + to] = link->distance;
		}
	}
}

/* ---- checks of what was given -----------------------------------------------------------------
 */

static int refuse(struct printbuf *err, uint32_t load, const char *why)
{
	prt_printf(err, "job %u: %s", load, why);
	return -EINVAL;
}

static int check_load(const struct cpusim_load *load, uint32_t number, const struct set *online,
		      uint32_t nr_nodes, struct printbuf *err)
{
	if (load->nr == 0 || load->work_ns == 0)
		return refuse(err, number, "it has nothing to do; give it tasks and work");
	if (load->kind == CPUSIM_HACKBENCH && (load->nr_loops == 0 || load->nr_deep == 0))
		return refuse(err, number, "hackbench without messages; give it loops and depth");
	if (load->kind == CPUSIM_PERIODIC && load->sleep_ns == 0)
		return refuse(err, number, "a period of 0; give it one");
	if (load->work_ns > 1000000000000 || load->sleep_ns > 1000000000000 ||
	    load->nr_loops > 100000000)
		return refuse(err, number, "more than 1000 s of work, sleep, or 100 million loops");
	if (load->memory_bp > ALL_BP || load->shared_bp > 100 * ALL_BP ||
	    load->refill_near_ns > 1000000000 || load->refill_far_ns > 1000000000)
		return refuse(err, number, "a share above 100 %, or a refill above 1 s");
	if (set_is_empty(&load->preferred) || !set_is_subset(&load->preferred, &load->allowed))
		return refuse(err, number, "preferred CPUs must be some of the allowed ones");
	if (!set_is_subset(&load->allowed, online))
		return refuse(err, number, "a CPU is allowed that the machine does not have");
	if (load->memory_node != NOBODY && load->memory_node >= nr_nodes)
		return refuse(err, number, "its memory is on a node that the machine has not");
	return 0;
}

static uint64_t tasks_of(const struct cpusim_load *load)
{
	return load->kind == CPUSIM_HACKBENCH ? (uint64_t)load->nr * 2 * SENDERS : load->nr;
}

static int check_params(const struct cpusim_params *params, struct printbuf *err)
{
	bool is_sane = params->threads_per_core >= 1 && params->threads_per_core <= 2 &&
		       params->caches_per_node >= 1 && params->smt_slow_bp >= ALL_BP &&
		       params->smt_slow_bp <= 10 * ALL_BP && params->tick_ns > 0 &&
		       params->tick_ns <= 1000000000 && params->end_ns > 0 &&
		       params->end_ns <= 1000000000000 && params->latency_ns <= 1000000000 &&
		       params->switch_ns <= 1000000000 && params->idle_exit_ns <= 1000000000 &&
		       params->fork_ns <= 1000000000;
	if (is_sane)
		return 0;
	prt_text(err, "a figure of the scheduler is out of its range; see cpusim.h");
	return -EINVAL;
}

static int check_node(const struct cpusim_params *params, const struct machine_node *node,
		      struct printbuf *err)
{
	uint32_t nr = set_count(&node->cpus), nr_cores = nr / params->threads_per_core;
	if (nr % params->threads_per_core == 0 && nr_cores >= (nr ? params->caches_per_node : 0))
		return 0;
	prt_printf(err, "node %u: %u CPUs are not whole cores for each cache", node->id, nr);
	return -EINVAL;
}

static int check_machine(const struct machine *machine, const struct cpusim_params *params,
			 struct set *online, struct printbuf *err)
{
	for (uint32_t node = 0; node < machine->nr_nodes; node++) {
		int r = check_node(params, &machine->nodes[node], err);
		r = r ? r : set_or(online, &machine->nodes[node].cpus);
		if (r)
			return r;
	}
	int64_t last = set_last(online);
	if (last >= 0 && last < CPUSIM_CPUS_MAX)
		return 0;
	prt_printf(err, "a machine to schedule on has CPUs, numbered below %u", CPUSIM_CPUS_MAX);
	return -ERANGE;
}

static int check_all(const struct machine *machine, const struct cpusim_params *params,
		     const struct cpusim_load *loads, uint32_t nr_loads, struct printbuf *err)
{
	struct set online = SET_EMPTY;
	uint64_t nr_tasks = 0;
	int r = check_params(params, err);
	r = r ? r : check_machine(machine, params, &online, err);
	for (uint32_t i = 0; i < nr_loads && r == 0; i++) {
		r = check_load(&loads[i], i, &online, machine->nr_nodes, err);
		nr_tasks += tasks_of(&loads[i]);
	}
	set_fini(&online);
	if (r)
		return r;
	if (nr_loads > 0 && nr_loads <= CPUSIM_LOADS_MAX && nr_tasks <= CPUSIM_TASKS_MAX)
		return 0;
	prt_printf(err, "between 1 and %u jobs of together at most %u tasks", CPUSIM_LOADS_MAX,
		   CPUSIM_TASKS_MAX);
	return -ERANGE;
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static void sim_fini(struct cpusim *sim)
{
	for (uint32_t job = 0; sim->jobs && job < sim->nr_jobs; job++) {
		free(sim->jobs[job].nr_running);
		free(sim->jobs[job].pipes);
		free(sim->jobs[job].load_bp);
	}
	free(sim->jobs);
	free(sim->cpus);
	free(sim->states);
	free(sim->nr_core_busy);
	free(sim->nr_settled);
	free(sim->slow_bp);
	free(sim->distances);
	free(sim->averages);
	free(sim->tasks);
	free(sim->event_ns);
	free(sim->heap);
	free(sim->heap_at);
}

static uint32_t count_cpus(const struct machine *machine)
{
	int64_t most = -1;
	for (uint32_t node = 0; node < machine->nr_nodes; node++) {
		int64_t last = set_last(&machine->nodes[node].cpus);
		most = last > most ? last : most;
	}
	return (uint32_t)(most + 1);
}

static int alloc_job(struct cpusim *sim, struct job *job, const struct cpusim_load *spec)
{
	uint32_t nr_caches = sim->machine->nr_nodes * sim->params->caches_per_node;
	job->spec = spec;
	job->first_task = sim->nr_tasks;
	job->nr_tasks = job->nr_left = (uint32_t)tasks_of(spec);
	sim->nr_tasks += job->nr_tasks;
	job->nr_running = calloc(nr_caches, sizeof(*job->nr_running));
	job->load_bp = calloc(sim->nr_cpus, sizeof(*job->load_bp));
	if (spec->kind == CPUSIM_HACKBENCH)
		job->pipes = calloc((size_t)spec->nr * SENDERS, sizeof(*job->pipes));
	bool is_whole = job->nr_running && job->load_bp &&
			(job->pipes || spec->kind != CPUSIM_HACKBENCH);
	return is_whole ? 0 : -ENOMEM;
}

static int alloc_jobs(struct cpusim *sim, const struct cpusim_load *loads, uint32_t nr_loads)
{
	sim->jobs = calloc(nr_loads, sizeof(*sim->jobs));
	if (!sim->jobs)
		return -ENOMEM;
	sim->nr_jobs = nr_loads;
	for (uint32_t i = 0; i < nr_loads; i++) {
		int r = alloc_job(sim, &sim->jobs[i], &loads[i]);
		if (r)
			return r;
	}
	return 0;
}

static int alloc_all(struct cpusim *sim, const struct cpusim_load *loads, uint32_t nr_loads)
{
	size_t nr_links = (size_t)sim->machine->nr_nodes * sim->machine->nr_nodes;
	sim->nr_cpus = count_cpus(sim->machine);
	int r = alloc_jobs(sim, loads, nr_loads);
	if (r)
		return r;
	sim->nr_slots = sim->nr_cpus + sim->nr_tasks;
	sim->cpus = calloc(sim->nr_cpus, sizeof(*sim->cpus));
	sim->states = calloc(sim->nr_cpus, sizeof(*sim->states));
	sim->nr_core_busy = calloc(sim->nr_cpus, sizeof(*sim->nr_core_busy));
	sim->nr_settled = calloc(sim->nr_cpus, sizeof(*sim->nr_settled));
	sim->slow_bp = calloc(nr_links, sizeof(*sim->slow_bp));
	sim->distances = calloc(nr_links, sizeof(*sim->distances));
	sim->averages = calloc((size_t)(nr_loads + 1) * sim->nr_cpus, sizeof(*sim->averages));
	sim->tasks = calloc(sim->nr_tasks, sizeof(*sim->tasks));
	sim->event_ns = calloc(sim->nr_slots, sizeof(*sim->event_ns));
	sim->heap = calloc(sim->nr_slots, sizeof(*sim->heap));
	sim->heap_at = calloc(sim->nr_slots, sizeof(*sim->heap_at));
	bool is_whole = sim->cpus && sim->states && sim->nr_core_busy && sim->nr_settled &&
			sim->slow_bp && sim->distances && sim->averages && sim->tasks &&
			sim->event_ns && sim->heap && sim->heap_at;
	return is_whole ? 0 : -ENOMEM;
}

/* ---- a run ------------------------------------------------------------------------------------
 */

static void init_pipes(struct job *job)
{
	uint32_t nr = job->pipes ? job->spec->nr * SENDERS : 0;
	for (uint32_t i = 0; i < nr; i++)
		job->pipes[i].first_blocked = job->pipes[i].last_blocked = NOBODY;
}

static void init_tasks(struct cpusim *sim)
{
	events_init(sim);
	for (uint32_t load = 0; load < sim->nr_jobs; load++) {
		struct job *job = &sim->jobs[load];
		init_pipes(job);
		job->parent_cpu = (uint32_t)set_next(&job->spec->preferred, 0);
		job->result.started_ns = (job->nr_tasks + 1) * sim->params->fork_ns;
		for (uint32_t i = 0; i < job->nr_tasks; i++) {
			struct task *task = &sim->tasks[job->first_task + i];
			*task = (struct task){ .load = load,
					       .index = i,
					       .cpu = NOBODY,
					       .ran_on = NOBODY,
					       .recent_cpu = NOBODY,
					       .last_wakee = NOBODY,
					       .memory_node = job->spec->memory_node };
			event_set(sim, sim->nr_cpus + job->first_task + i,
				  (i + 1) * sim->params->fork_ns);
		}
	}
}

/* The CPU on which the end of a sleep is noticed; NOBODY: the task's own. */
static uint32_t interrupted_cpu(struct cpusim *sim, uint32_t number)
{
	const struct task *task = &sim->tasks[number];
	if (task->cpu == NOBODY || !sim->jobs[task->load].spec->is_interrupted)
		return NOBODY;
	uint32_t cpu = (uint32_t)random_below(&sim->random, sim->nr_cpus);
	return sim->states[cpu].is_online ? cpu : NOBODY;
}

static bool step(struct cpusim *sim)
{
	uint32_t slot = sim->heap[0];
	uint64_t time_ns = sim->event_ns[slot];
	if (time_ns > sim->params->end_ns || sim->nr_events >= EVENTS_MAX)
		return false;
	sim->now_ns = time_ns;
	sim->nr_events++;
	if (slot < sim->nr_cpus) {
		cpu_event(sim, slot);
	} else {
		event_set(sim, slot, NEVER);
		cpu_wake(sim, slot - sim->nr_cpus, interrupted_cpu(sim, slot - sim->nr_cpus),
			 false);
	}
	if (sim->params->is_checked)
		sim->broken = cpusim_check(sim);
	return !sim->broken;
}

static uint64_t bucket_top(uint32_t bucket)
{
	uint32_t high = bucket / 8 + 3;
	if (bucket == 0) /* at once */
		return 0;
	return ((uint64_t)(8 + bucket % 8 + 1) << (high - 3)) - 1;
}

static uint64_t percentile(const struct job *job, uint32_t percent)
{
	uint64_t seen = 0;
	for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS && job->nr_latencies; bucket++) {
		seen += job->latency[bucket];
		if (seen * 100 >= job->nr_latencies * percent)
			return bucket_top(bucket);
	}
	return 0;
}

static void finish(struct cpusim *sim, struct cpusim_result *results, struct cpusim_total *total)
{
	bool is_over = sim->event_ns[sim->heap[0]] == NEVER;
	sim->now_ns = is_over ? sim->now_ns : sim->params->end_ns;
	*total = (struct cpusim_total){ .now_ns = sim->now_ns, .nr_events = sim->nr_events };
	for (uint32_t cpu = 0; cpu < sim->nr_cpus; cpu++) {
		cpu_advance(sim, cpu);
		total->busy_ns += sim->cpus[cpu].busy_ns;
		total->idle_ns += sim->cpus[cpu].idle_ns;
	}
	for (uint32_t i = 0; i < sim->nr_tasks; i++)
		if (sim->tasks[i].state == TASK_WAITING)
			sim->jobs[sim->tasks[i].load].result.wait_ns += sim->now_ns -
									sim->tasks[i].since_ns;
	for (uint32_t i = 0; i < sim->nr_jobs; i++) {
		struct job *job = &sim->jobs[i];
		job->result.latency_p50_ns = percentile(job, 50);
		job->result.latency_p99_ns = percentile(job, 99);
		if (job->nr_left > 0)
			job->result.finished_ns = 0;
		results[i] = job->result;
	}
}

int cpusim_run(const struct machine *machine, const struct cpusim_params *params,
	       const struct cpu_policy_ops *policy, const uint64_t *values,
	       const struct cpusim_load *loads, uint32_t nr_loads,
	       struct cpusim_result *ret_results, struct cpusim_total *ret_total,
	       struct printbuf *err)
{
	struct cpusim sim = { .machine = machine,
			      .params = params,
			      .policy = policy,
			      .values = values,
			      .acting_cpu = NOBODY };
	int r = check_all(machine, params, loads, nr_loads, err);
	if (r)
		return r;
	r = alloc_all(&sim, loads, nr_loads);
	if (r) {
		prt_text(err, "no memory for the run queues; take a smaller machine or load");
		sim_fini(&sim);
		return r;
	}
	random_init(&sim.random, params->seed);
	init_cpus(&sim);
	init_links(&sim);
	init_tasks(&sim);
	while (step(&sim))
		;
	finish(&sim, ret_results, ret_total);
	if (sim.broken) {
		prt_printf(err, "at %llu ns: %s; please report this",
			   (unsigned long long)sim.now_ns, sim.broken);
		r = -EIO;
	}
	sim_fini(&sim);
	return r;
}
