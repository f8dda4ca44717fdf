/* SPDX-License-Identifier: MIT */
/*
 * berth's soft affinity as a CPU policy: what soft.c asks for is gathered from the state of CPUs,
 * and its verdict becomes a mask or a CPU. The rule itself is soft.c alone, which bpf/ compiles as
 * well; this file is what needs loops and sets.
 *
 *   PREFERRED, HELD -> the kernel searches the preferred CPUs
 *   SPILL           -> the best idle CPU that may be borrowed: nearest to home, least stolen, on an
 *                      idle core, then the previous CPU and those that follow it
 *
 * Balancing brings a task home whenever, and abroad where a wake-up would have spilled to.
 * Cost: O(CPUs), and O(preferred CPUs) more for each change of node in the search.
 */
#include "policy/cpu/soft.h"
#include "policy/cpu_policy.h"

#define DISTANCE_LOCAL	10
#define DISTANCE_REMOTE 20

enum { SPILL_AT, MAX_DISTANCE, PATIENCE };

static const struct tunable tunables[] = {
	{ "spill_at", TUNABLE_BP, SOFT_SPILL_AT_BP, 0, SOFT_ALL_BP,
	  "utilisation of the preferred CPUs at which tasks spill; 0: as soon as all are busy",
	  NULL },
	{ "max_distance", TUNABLE_COUNT, SOFT_NO_DISTANCE, DISTANCE_LOCAL, SOFT_NO_DISTANCE,
	  "largest distance of a CPU's node from home that is borrowed", NULL },
	{ "patience", TUNABLE_NS, SOFT_PATIENCE_NS, 0, 10000000000,
	  "how long a task waits below spill_at while others are idle", NULL },
};

static struct soft_job job_of(const uint64_t *values)
{
	return (struct soft_job){ (uint32_t)values[SPILL_AT], (uint32_t)values[MAX_DISTANCE],
				  values[PATIENCE] };
}

static uint32_t distance(const struct cpu_view *view, uint32_t from, uint32_t to)
{
	uint32_t known = view->distances ? view->distances[from * view->nr_nodes + to] : 0;
	if (known)
		return known;
	return from == to ? DISTANCE_LOCAL : DISTANCE_REMOTE;
}

static uint32_t distance_from_home(const struct cpu_request *request, const struct cpu_view *view,
				   uint32_t node)
{
	uint32_t least = SOFT_NO_DISTANCE;
	for (uint32_t cpu = 0; cpu < view->nr_cpus; cpu++) {
		if (!cpu_is_home(request, view, cpu))
			continue;
		uint32_t here = distance(view, view->cpus[cpu].node, node);
		least = here < least ? here : least;
	}
	/* Without a home, near and far mean nothing: no limit keeps the job from running. */
	return least == SOFT_NO_DISTANCE ? 0 : least;
}

static struct soft_preferred survey(const struct cpu_request *request, const struct cpu_view *view)
{
	struct soft_preferred seen = { 0 };
	uint64_t load_bp = 0;
	for (uint32_t cpu = 0; cpu < view->nr_cpus; cpu++) {
		if (!cpu_is_home(request, view, cpu))
			continue;
		const struct cpu_state *state = &view->cpus[cpu];
		seen.nr_cpus++;
		seen.nr_idle += state->nr_running == 0 && state->stolen_bp < SOFT_HALF_STOLEN_BP;
		load_bp += state->load_bp;
	}
	if (seen.nr_cpus)
		seen.utilisation_bp = (uint32_t)(load_bp / seen.nr_cpus);
	return seen;
}

static struct soft_cpu borrowed(const struct cpu_view *view, uint32_t cpu, uint32_t far)
{
	const struct cpu_state *state = &view->cpus[cpu];
	return (struct soft_cpu){ far, state->stolen_bp, state->nr_owner_waiting,
				  state->nr_running == 0 };
}

static bool is_better(const struct cpu_view *view, const struct soft_cpu *a, uint32_t a_cpu,
		      const struct soft_cpu *b, uint32_t b_cpu)
{
	if (b_cpu == CPU_POLICY_NONE || soft_is_better(a, b))
		return true;
	if (soft_is_better(b, a))
		return false;
	return view->cpus[a_cpu].is_core_idle && !view->cpus[b_cpu].is_core_idle;
}

/* The best CPU to borrow, or CPU_POLICY_NONE. */
static uint32_t find_borrowable(const struct cpu_request *request, const struct cpu_view *view,
				const struct soft_job *job)
{
	uint32_t start = request->previous_cpu < view->nr_cpus ? request->previous_cpu : 0;
	uint32_t best = CPU_POLICY_NONE, node = CPU_POLICY_NONE, far = 0;
	struct soft_cpu best_cpu = { 0 };
	for (uint32_t i = 0; i < view->nr_cpus; i++) {
		uint32_t cpu = (start + i) % view->nr_cpus;
		if (view->cpus[cpu].nr_running > 0 || !cpu_is_usable(request, view, cpu) ||
		    set_has(request->preferred, cpu))
			continue;
		if (view->cpus[cpu].node != node) {
			node = view->cpus[cpu].node;
			far = distance_from_home(request, view, node);
		}
		struct soft_cpu candidate = borrowed(view, cpu, far);
		if (!soft_may_borrow(job, &candidate) ||
		    !is_better(view, &candidate, cpu, &best_cpu, best))
			continue;
		best = cpu;
		best_cpu = candidate;
	}
	return best;
}

static struct cpu_choice choose(const struct cpu_request *request, const struct cpu_view *view,
				const uint64_t *values)
{
	struct soft_job job = job_of(values);
	struct soft_preferred seen = survey(request, view);
	struct soft_memory memory = { request->memory->held_since_ns,
				      request->memory->is_spilling };
	/* The search costs more than the survey and is needed only when no preferred CPU is idle.
	 */
	uint32_t best = seen.nr_idle ? CPU_POLICY_NONE : find_borrowable(request, view, &job);
	enum soft_verdict verdict = soft_decide(&job, &memory, &seen, best != CPU_POLICY_NONE,
						view->now_ns);
	*request->memory = (struct cpu_memory){ memory.held_since_ns, memory.is_spilling };
	if (verdict == SOFT_SPILL && best != CPU_POLICY_NONE)
		return (struct cpu_choice){ CPU_EXACTLY, best, false, false, "spilled" };
	if (verdict == SOFT_SPILL)
		return (struct cpu_choice){ CPU_ANYWHERE, CPU_POLICY_NONE, false, false,
					    "no preferred CPU is left" };
	return (struct cpu_choice){ CPU_PREFERRED, CPU_POLICY_NONE, false, verdict == SOFT_HELD,
				    verdict == SOFT_HELD ? "held at home" : "at home" };
}

static bool may_take(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu,
		     const uint64_t *values)
{
	if (set_has(request->preferred, cpu))
		return true;
	struct soft_job job = job_of(values);
	struct soft_preferred seen = survey(request, view);
	struct soft_cpu candidate = borrowed(
		view, cpu, distance_from_home(request, view, view->cpus[cpu].node));
	struct soft_memory memory = { request->memory->held_since_ns,
				      request->memory->is_spilling };
	uint32_t nr_borrowable = soft_may_borrow(&job, &candidate);
	return soft_decide(&job, &memory, &seen, nr_borrowable, view->now_ns) == SOFT_SPILL;
}

static enum cpu_tick tick(const struct cpu_request *request, const struct cpu_view *view,
			  const uint64_t *values)
{
	uint32_t cpu = request->previous_cpu;
	if (cpu >= view->nr_cpus || set_has(request->preferred, cpu))
		return CPU_STAYS;
	struct soft_job job = job_of(values);
	struct soft_preferred seen = survey(request, view);
	struct soft_cpu here = borrowed(view, cpu,
					distance_from_home(request, view, view->cpus[cpu].node));
	if (soft_must_yield(&here))
		return CPU_YIELDS;
	return soft_comes_home(&job, &seen) ? CPU_GOES_HOME : CPU_STAYS;
}

const struct cpu_policy_ops cpu_policy_soft = {
	.name = "soft",
	.summary = "preferred CPUs first, idle others when these are busy, and home again",
	.tunables = tunables,
	.nr_tunables = sizeof(tunables) / sizeof(tunables[0]),
	.choose = choose,
	.may_take = may_take,
	.tick = tick,
};
