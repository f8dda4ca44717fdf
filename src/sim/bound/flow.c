/* SPDX-License-Identifier: MIT */
/*
 * Min-cost flow by successive shortest paths, started from guessed potentials.
 *
 * Why this and not network simplex or cost scaling: the prices of prices.c are nearly optimal
 * potentials already. Arcs that they call profitable are filled, unprofitable ones are emptied, and
 * what is left to do is only the imbalance of some nodes: each unit of it takes one search in the
 * neighbourhood, at reduced costs near 0. Costs are not scaled, so whole picoseconds over whole
 * hours fit 64 bits, and the result is exact for any guess.
 *
 *     arcs[] --> halves, grouped by the node they leave:   | node 0 ... | node 1 ... |
 *     half: to, twin (the other direction), residual capacity, cost
 *
 *     search: Dijkstra over reduced costs from one node with excess until one with a deficit is
 *     settled; settled nodes' potentials shift by their distance; the path is filled.
 *
 * Each search costs O(arcs looked at * log); their number is the imbalance of the guess at most.
 * 24 bytes per half arc, 40 per node. Ties are broken by number: the same input, the same flow.
 *
 * Ahuja, Magnanti, Orlin, "Network Flows", 1993, chapter 9 (successive shortest paths with
 * reduced costs).
 */
#include <stdlib.h>

#include "sim/bound/flow.h"

struct half {
	uint32_t to, twin;
	uint32_t residual;
	int64_t cost;
};

struct reach { /* an entry of the heap */
	int64_t distance;
	uint32_t node;
};

#define UNREACHED INT64_MAX
#define NO_HALF	  UINT32_MAX

struct flow {
	uint32_t nr_nodes;
	uint32_t *first; /* [nr_nodes + 1] */
	struct half *halves;
	uint32_t *half_of_arc;
	int64_t *excess, *potential, *distance;
	uint32_t *parent;  /* the half that reached the node */
	uint32_t *settled; /* nodes settled by this search, then also those only reached */
	bool *is_settled;
	uint32_t nr_settled, nr_reached;
	uint32_t *reached;
	struct reach *heap;
	uint32_t nr_heap, room_heap;
	uint64_t work, work_limit;
};

static bool reach_before(const struct reach *a, const struct reach *b)
{
	return a->distance < b->distance || (a->distance == b->distance && a->node < b->node);
}

static int heap_push(struct flow *flow, int64_t distance, uint32_t node)
{
	struct reach entry = { distance, node };
	uint32_t at = flow->nr_heap;

	if (flow->nr_heap == flow->room_heap) {
		uint32_t room = flow->room_heap ? flow->room_heap * 2 : 1024;
		struct reach *heap = realloc(flow->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		flow->heap = heap;
		flow->room_heap = room;
	}
	flow->nr_heap++;
	while (at && reach_before(&entry, &flow->heap[(at - 1) / 2])) {
		flow->heap[at] = flow->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	flow->heap[at] = entry;
	return 0;
}

static struct reach heap_pop(struct flow *flow)
{
	struct reach top = flow->heap[0], last = flow->heap[--flow->nr_heap];
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < flow->nr_heap) {
		if (child + 1 < flow->nr_heap &&
		    reach_before(&flow->heap[child + 1], &flow->heap[child]))
			child++;
		if (!reach_before(&flow->heap[child], &last))
			break;
		flow->heap[at] = flow->heap[child];
		at = child;
	}
	flow->heap[at] = last;
	return top;
}

static void flow_fini(struct flow *flow)
{
	free(flow->first);
	free(flow->halves);
	free(flow->half_of_arc);
	free(flow->excess);
	free(flow->distance);
	free(flow->parent);
	free(flow->settled);
	free(flow->is_settled);
	free(flow->reached);
	free(flow->heap);
}

static int flow_allocate(struct flow *flow, uint32_t nr_nodes, uint32_t nr_arcs)
{
	size_t nodes = (size_t)nr_nodes + 1;

	flow->nr_nodes = nr_nodes;
	flow->first = calloc(nodes + 1, sizeof(uint32_t));
	flow->halves = malloc((2 * (size_t)nr_arcs + 1) * sizeof(*flow->halves));
	flow->half_of_arc = malloc(((size_t)nr_arcs + 1) * sizeof(uint32_t));
	flow->excess = malloc(nodes * sizeof(int64_t));
	flow->distance = malloc(nodes * sizeof(int64_t));
	flow->parent = malloc(nodes * sizeof(uint32_t));
	flow->settled = malloc(nodes * sizeof(uint32_t));
	flow->reached = malloc(nodes * sizeof(uint32_t));
	flow->is_settled = calloc(nodes, sizeof(bool));
	if (!flow->first || !flow->halves || !flow->half_of_arc || !flow->excess ||
	    !flow->distance || !flow->parent || !flow->settled || !flow->reached ||
	    !flow->is_settled)
		return -ENOMEM;
	for (uint32_t node = 0; node < nr_nodes; node++)
		flow->distance[node] = UNREACHED;
	return 0;
}

/* The flow that the potentials demand; where they leave the choice, the guess. */
static uint32_t start_flow(const struct flow *flow, const struct flow_arc *arc)
{
	int64_t reduced = arc->cost + flow->potential[arc->from] - flow->potential[arc->to];

	if (reduced != 0)
		return reduced < 0 ? arc->capacity : 0;
	return MIN(arc->flow, arc->capacity);
}

static void flow_build(struct flow *flow, const struct flow_arc *arcs, uint32_t nr_arcs)
{
	uint32_t *next = flow->first + 1; /* shifted by one, ends as the start of the next node */

	for (uint32_t i = 0; i < nr_arcs; i++) {
		flow->first[arcs[i].from + 2]++;
		flow->first[arcs[i].to + 2]++;
	}
	for (uint32_t node = 0; node < flow->nr_nodes; node++)
		flow->first[node + 1] += flow->first[node];
	for (uint32_t i = 0; i < nr_arcs; i++) {
		const struct flow_arc *arc = &arcs[i];
		uint32_t amount = start_flow(flow, arc);
		uint32_t out = next[arc->from]++, back = next[arc->to]++;

		flow->halves[out] = (struct half){ arc->to, back, arc->capacity - amount,
						   arc->cost };
		flow->halves[back] = (struct half){ arc->from, out, amount, -arc->cost };
		flow->half_of_arc[i] = out;
		flow->excess[arc->from] -= amount;
		flow->excess[arc->to] += amount;
	}
}

static int relax(struct flow *flow, uint32_t node, int64_t distance)
{
	uint32_t end = flow->first[node + 1];

	flow->work += end - flow->first[node];
	for (uint32_t i = flow->first[node]; i < end; i++) {
		const struct half *half = &flow->halves[i];
		int64_t reached;

		if (!half->residual || flow->is_settled[half->to])
			continue;
		reached = distance + half->cost + flow->potential[node] - flow->potential[half->to];
		if (reached >= flow->distance[half->to])
			continue;
		if (flow->distance[half->to] == UNREACHED)
			flow->reached[flow->nr_reached++] = half->to;
		flow->distance[half->to] = reached;
		flow->parent[half->to] = i;
		if (heap_push(flow, reached, half->to))
			return -ENOMEM;
	}
	return 0;
}

/* Settles nodes by distance from `source` until one lacks flow. 0 with it, or an error. */
static int search(struct flow *flow, uint32_t source, uint32_t *ret_target)
{
	int error;

	flow->nr_heap = flow->nr_settled = flow->nr_reached = 0;
	flow->distance[source] = 0;
	flow->parent[source] = NO_HALF;
	flow->reached[flow->nr_reached++] = source;
	error = heap_push(flow, 0, source);
	while (!error && flow->nr_heap) {
		struct reach top = heap_pop(flow);

		if (flow->is_settled[top.node])
			continue; /* an entry that a shorter one overtook */
		if (flow->excess[top.node] < 0) {
			*ret_target = top.node;
			return 0;
		}
		if (flow->work > flow->work_limit)
			return -ETIME;
		flow->is_settled[top.node] = true;
		flow->settled[flow->nr_settled++] = top.node;
		error = relax(flow, top.node, top.distance);
	}
	return error ? error : -ENODATA;
}

static void forget_search(struct flow *flow)
{
	for (uint32_t i = 0; i < flow->nr_reached; i++) {
		flow->distance[flow->reached[i]] = UNREACHED;
		flow->is_settled[flow->reached[i]] = false;
	}
}

/* Settled nodes come nearer by what they were closer than the target. */
static void shift_potentials(struct flow *flow, uint32_t target)
{
	int64_t most = flow->distance[target];

	for (uint32_t i = 0; i < flow->nr_settled; i++) {
		uint32_t node = flow->settled[i];

		flow->potential[node] += flow->distance[node] - most;
	}
}

static void fill_path(struct flow *flow, uint32_t source, uint32_t target)
{
	int64_t amount = MIN(flow->excess[source], -flow->excess[target]);
	uint32_t i;

	for (i = flow->parent[target]; i != NO_HALF;) {
		amount = MIN(amount, (int64_t)flow->halves[i].residual);
		i = flow->parent[flow->halves[flow->halves[i].twin].to];
	}
	for (i = flow->parent[target]; i != NO_HALF;) {
		struct half *half = &flow->halves[i], *twin = &flow->halves[half->twin];

		half->residual -= (uint32_t)amount;
		twin->residual += (uint32_t)amount;
		i = flow->parent[twin->to];
	}
	flow->excess[source] -= amount;
	flow->excess[target] += amount;
}

static int balance(struct flow *flow)
{
	for (uint32_t source = 0; source < flow->nr_nodes; source++) {
		while (flow->excess[source] > 0) {
			uint32_t target = 0;
			int error = search(flow, source, &target);

			if (!error) {
				shift_potentials(flow, target);
				fill_path(flow, source, target);
			}
			forget_search(flow);
			if (error)
				return error;
		}
	}
	return 0;
}

int flow_solve(uint32_t nr_nodes, struct flow_arc *arcs, uint32_t nr_arcs, const int64_t *supply,
	       int64_t *potential, uint64_t work_limit, uint64_t *ret_work)
{
	struct flow flow = { .potential = potential, .work_limit = work_limit };
	int error = nr_arcs > UINT32_MAX / 2 ? -E2BIG : flow_allocate(&flow, nr_nodes, nr_arcs);

	if (!error) {
		for (uint32_t node = 0; node < nr_nodes; node++)
			flow.excess[node] = supply[node];
		flow_build(&flow, arcs, nr_arcs);
		error = balance(&flow);
		for (uint32_t i = 0; i < nr_arcs; i++)
			arcs[i].flow = arcs[i].capacity - flow.halves[flow.half_of_arc[i]].residual;
		*ret_work = flow.work;
	}
	flow_fini(&flow);
	return error;
}
