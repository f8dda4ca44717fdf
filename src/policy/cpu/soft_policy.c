/* SPDX-License-Identifier: MIT */
/*
 * berth's soft affinity as CPU policies: what soft.c asks for is gathered from the state of CPUs,
 * and its verdict becomes a mask or a CPU. The rule itself is soft.c alone, which bpf/ compiles as
 * well; this file is what needs loops and sets. `soft` lets the rule find out when to spill,
 * `soft-at` has a threshold (berth run --spill-at).
 *
 *   PREFERRED, HELD -> a whole idle core among the preferred CPUs, from the previous CPU on, as the
 *                      search of sched_ext begins (soft only); else the kernel searches them
 *   SPILL           -> the best idle CPU that may be borrowed: nearest to home, least stolen, on an
 *                      idle core, then the previous CPU and those that follow it
 *   ANYWHERE        -> the kernel searches all allowed CPUs; where some are too far, as SPILL
 *
 * Balancing brings a task home whenever, and abroad where a wake-up would have spilled to.
 * Cost: O(CPUs), and O(preferred CPUs) more for each change of node in the search.
 */
#include "policy/cpu/soft.h"
#include "policy/cpu_policy.h"

#define DISTANCE_LOCAL	10
#define DISTANCE_REMOTE 20

enum { MAX_DISTANCE, PATIENCE, SPILL_AT };

#define COMMON_TUNABLES                                                                            \
	{ "max_distance",                                                                          \
	  TUNABLE_COUNT,                                                                           \
	  SOFT_NO_DISTANCE,                                                                        \
	  DISTANCE_LOCAL,                                                                          \
	  SOFT_NO_DISTANCE,                                                                        \
	  "largest distance of a CPU's node from home that is borrowed",                           \
	  NULL },                                                                                  \
	{                                                                                          \
		"patience", TUNABLE_NS, SOFT_PATIENCE_NS, 0, 10000000000,                          \
			"how long a task waits at home at most while others are idle", NULL        \
	}

static const struct tunable tunables[] = { COMMON_TUNABLES };

static const struct tunable tunables_at[] = {
	COMMON_TUNABLES,
	{ "spill_at", TUNABLE_BP, SOFT_SPILL_AT_BP, 0, SOFT_ALL_BP,
	  "utilisation of the preferred CPUs at which tasks spill; 0: as soon as all are busy",
	  NULL },
};

static struct soft_job job_of(const uint64_t *values, bool has_threshold)
{
	return (struct soft_job){ has_threshold ? (uint32_t)values[SPILL_AT] : SOFT_AUTO,
				  (uint32_t)values[MAX_DISTANCE], values[PATIENCE] };
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

struct sums {
	uint64_t home_bp, rest_bp, others_bp, nr_rest;
};

static uint32_t others_bp(const struct cpu_request *request, const struct cpu_view *view,
			  uint32_t cpu)
{
	uint32_t all_bp = view->cpus[cpu].load_bp;
	uint32_t own_bp = request->job_load_bp ? request->job_load_bp[cpu] : 0;
	return own_bp < all_bp ? all_bp - own_bp : 0;
}

/* Idle, or used by this job for the most part: a task more there takes nothing from the owner. */
static bool is_left_to_job(const struct cpu_request *request, const struct cpu_view *view,
			   uint32_t cpu)
{
	const struct cpu_state *state = &view->cpus[cpu];
	return state->nr_owner_waiting == 0 &&
	       (state->nr_running == 0 || others_bp(request, view, cpu) * 4 <= state->load_bp);
}

static void see(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu,
		struct soft_preferred *seen, struct sums *sums)
{
	const struct cpu_state *state = &view->cpus[cpu];
	bool is_idle = state->nr_running == 0 && state->stolen_bp < SOFT_HALF_STOLEN_BP;
	if (set_has(request->preferred, cpu)) {
		seen->nr_cpus++;
		seen->nr_idle += is_idle;
		seen->nr_shared += is_idle && !state->is_core_idle;
		sums->home_bp += state->load_bp;
		return;
	}
	seen->nr_whole += is_idle && state->is_core_idle;
	sums->rest_bp += state->load_bp;
	sums->others_bp += others_bp(request, view, cpu);
	sums->nr_rest++;
}

static bool is_outside(const struct cpu_request *request, const struct cpu_view *view, uint32_t cpu)
{
	return cpu < view->nr_cpus && !set_has(request->preferred, cpu);
}

static struct soft_preferred survey(const struct cpu_request *request, const struct cpu_view *view)
{
	struct soft_preferred seen = { .is_away = is_outside(request, view, request->previous_cpu),
				       .is_waker_away = is_outside(request, view,
								   request->waker_cpu) };
	struct sums sums = { 0 };
	for (uint32_t cpu = 0; cpu < view->nr_cpus; cpu++)
		if (cpu_is_usable(request, view, cpu))
			see(request, view, cpu, &seen, &sums);
	seen.utilisation_bp = seen.nr_cpus ? (uint32_t)(sums.home_bp / seen.nr_cpus) : 0;
	seen.rest_bp = sums.nr_rest ? (uint32_t)(sums.rest_bp / sums.nr_rest) : 0;
	seen.others_bp = sums.nr_rest ? (uint32_t)(sums.others_bp / sums.nr_rest) : 0;
	return seen;
}

static struct soft_cpu borrowed(const struct cpu_view *view, uint32_t cpu, uint32_t far)
{
	const struct cpu_state *state = &view->cpus[cpu];
	return (struct soft_cpu){ .distance = far,
				  .stolen_bp = state->stolen_bp,
				  .nr_owner_waiting = state->nr_owner_waiting,
				  .is_idle = state->nr_running == 0 };
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

/* CPU_POLICY_NONE: the kernel's search will do. */
static uint32_t find_whole_core(const struct cpu_request *request, const struct cpu_view *view)
{
	for (uint32_t i = 0; request->previous_cpu < view->nr_cpus && i < view->nr_cpus; i++) {
		uint32_t cpu = (request->previous_cpu + i) % view->nr_cpus;
		if (view->cpus[cpu].nr_running == 0 && view->cpus[cpu].is_core_idle &&
		    view->cpus[cpu].stolen_bp < SOFT_HALF_STOLEN_BP &&
		    cpu_is_home(request, view, cpu))
			return cpu;
	}
	return CPU_POLICY_NONE;
}

static bool is_all_near(const struct cpu_request *request, const struct cpu_view *view,
			const struct soft_job *job)
{
	for (uint32_t cpu = 0; job->max_distance != SOFT_NO_DISTANCE && cpu < view->nr_cpus; cpu++)
		if (cpu_is_usable(request, view, cpu) &&
		    distance_from_home(request, view, view->cpus[cpu].node) > job->max_distance)
			return false;
	return true;
}

static struct cpu_choice choice(enum cpu_where where, uint32_t cpu, const char *why)
{
	return (struct cpu_choice){ where, cpu, false, false, why };
}

static struct cpu_choice choose_as(const struct cpu_request *request, const struct cpu_view *view,
				   const struct soft_job *job)
{
	struct soft_preferred seen = survey(request, view);
	struct soft_memory memory = { request->memory->held_since_ns,
				      request->memory->is_spilling };
	bool is_auto = job->spill_at_bp == SOFT_AUTO;
	bool has_room = is_auto ? seen.nr_idle > seen.nr_shared : seen.nr_idle > 0;
	/* The search costs more than the survey and is needed only when there is no room at home.
	 */
	uint32_t best = has_room ? CPU_POLICY_NONE : find_borrowable(request, view, job);
	enum soft_verdict verdict = soft_decide(job, &memory, &seen, best != CPU_POLICY_NONE,
						view->now_ns);
	*request->memory = (struct cpu_memory){ memory.held_since_ns, memory.is_spilling };
	if (verdict == SOFT_ANYWHERE && is_all_near(request, view, job))
		return choice(CPU_ANYWHERE, CPU_POLICY_NONE, "others leave the rest");
	if (verdict >= SOFT_SPILL && best != CPU_POLICY_NONE)
		return choice(CPU_EXACTLY, best, "spilled");
	if (seen.nr_cpus == 0)
		return choice(CPU_ANYWHERE, CPU_POLICY_NONE, "no preferred CPU is left");
	uint32_t whole = is_auto && has_room ? find_whole_core(request, view) : CPU_POLICY_NONE;
	if (whole != CPU_POLICY_NONE)
		return choice(CPU_EXACTLY, whole, "a whole core at home");
	struct cpu_choice home = choice(CPU_PREFERRED, CPU_POLICY_NONE, "at home");
	home.is_held = verdict == SOFT_HELD;
	home.why = home.is_held ? "held at home" : home.why;
	return home;
}

static bool may_take_as(const struct cpu_request *request, const struct cpu_view *view,
			uint32_t cpu, const struct soft_job *job)
{
	if (set_has(request->preferred, cpu))
		return true;
	struct soft_preferred seen = survey(request, view);
	struct soft_cpu candidate = borrowed(
		view, cpu, distance_from_home(request, view, view->cpus[cpu].node));
	struct soft_memory memory = { request->memory->held_since_ns,
				      request->memory->is_spilling };
	bool may_borrow = soft_may_borrow(job, &candidate);
	enum soft_verdict verdict = soft_decide(job, &memory, &seen, may_borrow, view->now_ns);
	if (verdict == SOFT_ANYWHERE)
		return candidate.distance <= job->max_distance &&
		       is_left_to_job(request, view, cpu);
	return verdict == SOFT_SPILL && may_borrow;
}

static enum cpu_tick tick_as(const struct cpu_request *request, const struct cpu_view *view,
			     const struct soft_job *job)
{
	uint32_t cpu = request->previous_cpu;
	if (cpu >= view->nr_cpus || set_has(request->preferred, cpu))
		return CPU_STAYS;
	struct soft_preferred seen = survey(request, view);
	struct soft_cpu here = borrowed(view, cpu,
					distance_from_home(request, view, view->cpus[cpu].node));
	if (soft_must_yield(&here))
		return CPU_YIELDS;
	return soft_comes_home(job, &seen) ? CPU_GOES_HOME : CPU_STAYS;
}

#define CALLBACKS(suffix, has_threshold)                                                           \
	static struct cpu_choice choose##suffix(const struct cpu_request *request,                 \
						const struct cpu_view *view,                       \
						const uint64_t *values)                            \
	{                                                                                          \
		struct soft_job job = job_of(values, has_threshold);                               \
		return choose_as(request, view, &job);                                             \
	}                                                                                          \
	static bool may_take##suffix(const struct cpu_request *request,                            \
				     const struct cpu_view *view, uint32_t cpu,                    \
				     const uint64_t *values)                                       \
	{                                                                                          \
		struct soft_job job = job_of(values, has_threshold);                               \
		return may_take_as(request, view, cpu, &job);                                      \
	}                                                                                          \
	static enum cpu_tick tick##suffix(const struct cpu_request *request,                       \
					  const struct cpu_view *view, const uint64_t *values)     \
	{                                                                                          \
		struct soft_job job = job_of(values, has_threshold);                               \
		return tick_as(request, view, &job);                                               \
	}

CALLBACKS(, false)
CALLBACKS(_at, true)

const struct cpu_policy_ops cpu_policy_soft = {
	.name = "soft",
	.summary = "preferred CPUs first, others when these are busy and others leave them",
	.tunables = tunables,
	.nr_tunables = sizeof(tunables) / sizeof(tunables[0]),
	.choose = choose,
	.may_take = may_take,
	.tick = tick,
};

const struct cpu_policy_ops cpu_policy_soft_at = {
	.name = "soft-at",
	.summary = "preferred CPUs first, idle others from a utilisation on, and home again",
	.tunables = tunables_at,
	.nr_tunables = sizeof(tunables_at) / sizeof(tunables_at[0]),
	.choose = choose_at,
	.may_take = may_take_at,
	.tick = tick_at,
};
