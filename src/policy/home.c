/* SPDX-License-Identifier: MIT */
/* Which memory is near which CPUs (home.h). */
#include "policy/home.h"

#include "base/units.h"

#define ALL_BP 10000

static uint32_t nr_cpus_of(const struct machine *machine, uint32_t node, const struct set *cpus)
{
	uint32_t nr = 0;
	const struct set *own = &machine->nodes[node].cpus;
	for (int64_t cpu = set_next(own, 0); cpu >= 0; cpu = set_next(own, (uint32_t)cpu + 1))
		nr += set_has(cpus, (uint32_t)cpu);
	return nr;
}

uint64_t home_latency_ps(const struct machine *machine, const struct set *cpus, uint32_t node)
{
	uint64_t sum_ps = 0, nr = 0;
	if (machine->nodes[node].tier == UINT32_MAX)
		return UINT64_MAX;
	for (uint32_t from = 0; from < machine->nr_nodes; from++) {
		uint32_t nr_here = nr_cpus_of(machine, from, cpus);
		sum_ps += nr_here ? machine_link(machine, from, node)->latency_ns * 1000 * nr_here
				  : 0;
		nr += nr_here;
	}
	return nr ? sum_ps / nr : UINT64_MAX;
}

static uint64_t room_of(const struct policy_node *node)
{
	return node->free_pages > node->min_pages ? node->free_pages - node->min_pages : 0;
}

/* For the moves of a job, one after the other. */
struct steering {
	const struct machine *machine;
	const struct set *cpus; /* of whom latency_ps[] is */
	uint64_t *room_pages, *latency_ps;
};

static void turn_to(struct steering *steering, const struct set *cpus)
{
	if (steering->cpus == cpus)
		return;
	steering->cpus = cpus;
	for (uint32_t i = 0; i < steering->machine->nr_nodes; i++)
		steering->latency_ps[i] = home_latency_ps(steering->machine, cpus, i);
}

/* Of the tier of `to`; `to` itself where none has room, or the CPUs are none of this machine's. */
static uint32_t nearest(const struct steering *steering, uint32_t to, uint64_t nr_pages)
{
	const struct machine_node *nodes = steering->machine->nodes;
	uint32_t best = to;
	uint64_t best_ps = UINT64_MAX;
	for (uint32_t i = 0; i < steering->machine->nr_nodes; i++) {
		uint64_t ps = steering->latency_ps[i];
		if (nodes[i].tier != nodes[to].tier || steering->room_pages[i] < nr_pages)
			continue;
		if (ps < best_ps || (ps == best_ps && ps != UINT64_MAX && i == to)) {
			best = i;
			best_ps = ps;
		}
	}
	return best;
}

static const struct set *home_of(const struct policy_view *view, uint32_t space)
{
	uint32_t job = space < view->nr_spaces ? view->job_of[space] : 0;
	return job < view->nr_jobs ? view->jobs[job].home_cpus : NULL;
}

static bool has_homes(const struct policy_view *view)
{
	for (uint32_t i = 0; i < view->nr_jobs; i++)
		if (view->jobs[i].home_cpus)
			return true;
	return false;
}

void home_steer(const struct machine *machine, const struct policy_view *view, struct plan *plan,
		uint64_t *scratch)
{
	struct steering steering = { .machine = machine,
				     .room_pages = scratch,
				     .latency_ps = scratch + machine->nr_nodes };
	if (!has_homes(view))
		return;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		steering.room_pages[i] = room_of(&view->nodes[i]);
	for (uint32_t i = 0; i < plan->nr; i++) {
		struct plan_move *move = &plan->moves[i];
		const struct set *cpus = home_of(view, move->space);
		if (move->to >= machine->nr_nodes)
			continue;
		if (cpus) {
			turn_to(&steering, cpus);
			move->to = nearest(&steering, move->to, move->nr_pages);
		}
		uint64_t *room_pages = &steering.room_pages[move->to];
		*room_pages -= MIN(*room_pages, move->nr_pages);
		if (move->from < machine->nr_nodes)
			steering.room_pages[move->from] += move->nr_pages;
	}
}

/* From the CPUs of `from`, on average over the pages. */
static uint64_t to_pages_ps(const struct machine *machine, uint32_t from, const uint64_t *pages,
			    uint64_t nr)
{
	double sum_ps = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		if (pages[i])
			sum_ps += (double)pages[i] *
				  (double)machine_link(machine, from, i)->latency_ns * 1000;
	return (uint64_t)(sum_ps / (double)nr);
}

uint32_t home_by_pages(const struct machine *machine, const uint64_t *pages)
{
	uint64_t nr = 0, all_ps = 0, nr_cpus = 0, best_ps = UINT64_MAX;
	uint32_t best = HOME_NONE;
	for (uint32_t i = 0; i < machine->nr_nodes; i++)
		nr += pages[i];
	if (nr == 0 || nr * machine->page_bytes < HOME_MIN_BYTES)
		return HOME_NONE;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		uint32_t nr_here = set_count(&machine->nodes[i].cpus);
		if (nr_here == 0)
			continue;
		uint64_t ps = to_pages_ps(machine, i, pages, nr);
		all_ps += ps * nr_here;
		nr_cpus += nr_here;
		if (ps < best_ps) {
			best = i;
			best_ps = ps;
		}
	}
	bool is_worth = nr_cpus && best_ps <= all_ps / nr_cpus * (ALL_BP - HOME_GAIN_BP) / ALL_BP;
	return is_worth ? best : HOME_NONE;
}
