/* SPDX-License-Identifier: MIT */
/*
 * Min-cost flow by successive shortest paths, started from guessed potentials.
 *
 * Why this and not network simplex or cost scaling: the prices of prices.c are nearly optimal
 * potentials already. Arcs that they call profitable are filled, unprofitable ones are emptied, and
 * what is left to do is only the imbalance of some nodes: some hundred units in a graph of a
 * million arcs. Costs are not scaled, so whole picoseconds over whole hours fit 64 bits, and the
 * result is exact for any guess.
 *
 *     arcs[] --> halves, grouped by the node they leave:   | node 0 ... | node 1 ... |
 *     half: to, twin (the other direction), residual capacity, cost
 *
 *     phase: Dijkstra over reduced costs from all nodes with excess at once, until half of the
 *     deficit is settled; settled nodes' potentials shift by their distance, so that every arc of
 *     the tree costs 0; then each settled deficit takes what its path in the tree still carries.
 *
 * A phase does not look beyond a few times the distance of the last one; when nothing is so near,
 * it looks further.
 *
 * The nearest deficit always gets something, so there are at most as many phases as units out of
 * balance; in practice a few for each halving. A phase costs O(arcs looked at * log). 24 bytes per
 * half arc, 32 per node: what a search asks of a node is in one cache line. Ties are broken by
 * number: the same input, the same flow.
 *
 * Ahuja, Magnanti, Orlin, "Network Flows", 1993, chapter 9 (successive shortest paths with
 * reduced costs, primal-dual).
 */
#include <stdlib.h>

#include "sim/bound/flow.h"

struct half {
	uint32_t to, twin;
	uint32_t residual;
	int64_t cost;
};

struct node {
	int64_t potential, distance;
	int64_t excess;
	uint32_t parent; /* the half that reached it */
	bool is_settled;
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
	struct node *nodes;
	uint32_t *settled; /* in order of distance */
	uint32_t *reached;
	uint32_t nr_settled, nr_reached;
	uint32_t *sources; /* nodes that had excess at the start: no others ever have */
	uint32_t nr_sources;
	int64_t left; /* excess of all nodes together */
	struct reach *heap;
	uint32_t nr_heap, room_heap;
	int64_t limit; /* no node beyond this distance is looked at in this phase */
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
	free(flow->nodes);
	free(flow->settled);
	free(flow->reached);
	free(flow->sources);
	free(flow->heap);
}

static int flow_allocate(struct flow *flow, uint32_t nr_nodes, uint32_t nr_arcs,
			 const int64_t *supply, const int64_t *potential)
{
	size_t nodes = (size_t)nr_nodes + 1;

	flow->nr_nodes = nr_nodes;
	flow->first = calloc(nodes + 1, sizeof(uint32_t));
	flow->halves = malloc((2 * (size_t)nr_arcs + 1) * sizeof(*flow->halves));
	flow->half_of_arc = malloc(((size_t)nr_arcs + 1) * sizeof(uint32_t));
	flow->nodes = malloc(nodes * sizeof(*flow->nodes));
	flow->settled = malloc(nodes * sizeof(uint32_t));
	flow->reached = malloc(nodes * sizeof(uint32_t));
	flow->sources = malloc(nodes * sizeof(uint32_t));
	if (!flow->first || !flow->halves || !flow->half_of_arc || !flow->nodes || !flow->settled ||
	    !flow->reached || !flow->sources)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr_nodes; i++)
		flow->nodes[i] = (struct node){ .potential = potential[i],
						.distance = UNREACHED,
						.excess = supply[i],
						.parent = NO_HALF };
	return 0;
}

static int64_t reduced_cost(const struct flow *flow, uint32_t from, uint32_t to, int64_t cost)
{
	return cost + flow->nodes[from].potential - flow->nodes[to].potential;
}

/* The flow that the potentials demand; where they leave the choice, the guess. */
static uint32_t start_flow(const struct flow *flow, const struct flow_arc *arc)
{
	int64_t reduced = reduced_cost(flow, arc->from, arc->to, arc->cost);

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
		flow->nodes[arc->from].excess -= amount;
		flow->nodes[arc->to].excess += amount;
	}
	for (uint32_t i = 0; i < flow->nr_nodes; i++) {
		if (flow->nodes[i].excess <= 0)
			continue;
		flow->sources[flow->nr_sources++] = i;
		flow->left += flow->nodes[i].excess;
	}
}

static int reach(struct flow *flow, uint32_t index, int64_t distance, uint32_t parent)
{
	struct node *node = &flow->nodes[index];

	if (node->distance == UNREACHED)
		flow->reached[flow->nr_reached++] = index;
	node->distance = distance;
	node->parent = parent;
	return heap_push(flow, distance, index);
}

static int relax(struct flow *flow, uint32_t index)
{
	const struct node *node = &flow->nodes[index];
	int64_t near = node->distance + node->potential;
	uint32_t end = flow->first[index + 1];

	flow->work += end - flow->first[index];
	for (uint32_t i = flow->first[index]; i < end; i++) {
		const struct half *half = &flow->halves[i];
		const struct node *to = &flow->nodes[half->to];
		int64_t distance = near + half->cost - to->potential;

		if (half->residual && distance < to->distance && distance <= flow->limit &&
		    !to->is_settled && reach(flow, half->to, distance, i))
			return -ENOMEM;
	}
	return 0;
}

/* Settles nodes by distance until half of the deficit is among them. */
static int search(struct flow *flow)
{
	int64_t found = 0;
	int error = 0;

	flow->nr_heap = flow->nr_settled = flow->nr_reached = 0;
	for (uint32_t i = 0; i < flow->nr_sources && !error; i++)
		if (flow->nodes[flow->sources[i]].excess > 0)
			error = reach(flow, flow->sources[i], 0, NO_HALF);
	while (!error && flow->nr_heap && 2 * found < flow->left) {
		struct reach top = heap_pop(flow);
		struct node *node = &flow->nodes[top.node];

		if (node->is_settled)
			continue; /* an entry that a shorter one overtook */
		if (flow->work > flow->work_limit)
			return -ETIME;
		node->is_settled = true;
		flow->settled[flow->nr_settled++] = top.node;
		found -= MIN(node->excess, 0);
		error = relax(flow, top.node);
	}
	if (!error && !found && flow->limit == UNREACHED)
		return -ENODATA;
	return error || found ? error : -EAGAIN;
}

static void forget_search(struct flow *flow)
{
	for (uint32_t i = 0; i < flow->nr_reached; i++) {
		flow->nodes[flow->reached[i]].distance = UNREACHED;
		flow->nodes[flow->reached[i]].is_settled = false;
	}
}

/* Settled nodes come nearer by what they were closer than the last one. Returns how far the next
 * phase should look: most heap entries would be far nodes that are never settled. */
static int64_t shift_potentials(struct flow *flow)
{
	int64_t most = flow->nodes[flow->settled[flow->nr_settled - 1]].distance;

	for (uint32_t i = 0; i < flow->nr_settled; i++) {
		struct node *node = &flow->nodes[flow->settled[i]];

		node->potential += node->distance - most;
	}
	return most > UNREACHED / 4 ? UNREACHED : 4 * most + 1;
}

/* What the tree's path to `target` still carries goes there. */
static void fill_path(struct flow *flow, uint32_t target)
{
	int64_t amount = -flow->nodes[target].excess;
	uint32_t at = target;

	while (flow->nodes[at].parent != NO_HALF) {
		const struct half *half = &flow->halves[flow->nodes[at].parent];

		amount = MIN(amount, (int64_t)half->residual);
		at = flow->halves[half->twin].to;
	}
	amount = MIN(amount, flow->nodes[at].excess);
	if (amount <= 0)
		return;
	flow->nodes[at].excess -= amount;
	flow->nodes[target].excess += amount;
	flow->left -= amount;
	for (at = target; flow->nodes[at].parent != NO_HALF;) {
		struct half *half = &flow->halves[flow->nodes[at].parent];

		half->residual -= (uint32_t)amount;
		flow->halves[half->twin].residual += (uint32_t)amount;
		at = flow->halves[half->twin].to;
	}
}

static int balance(struct flow *flow)
{
	while (flow->left > 0) {
		int error = search(flow);

		if (error == -EAGAIN) { /* nothing so near */
			flow->limit = flow->limit > UNREACHED / 16 ? UNREACHED : flow->limit * 16;
			error = 0;
		} else if (!error) {
			flow->limit = shift_potentials(flow);
			for (uint32_t i = 0; i < flow->nr_settled; i++)
				if (flow->nodes[flow->settled[i]].excess < 0)
					fill_path(flow, flow->settled[i]);
		}
		forget_search(flow);
		if (error)
			return error;
	}
	return 0;
}

int flow_solve(uint32_t nr_nodes, struct flow_arc *arcs, uint32_t nr_arcs, const int64_t *supply,
	       int64_t *potential, uint64_t work_limit, uint64_t *ret_work)
{
	struct flow flow = { .work_limit = work_limit, .limit = 1 };
	int error = nr_arcs > UINT32_MAX / 2
			    ? -E2BIG
			    : flow_allocate(&flow, nr_nodes, nr_arcs, supply, potential);

	if (!error) {
		flow_build(&flow, arcs, nr_arcs);
		error = balance(&flow);
		for (uint32_t i = 0; i < nr_arcs; i++)
			arcs[i].flow = arcs[i].capacity - flow.halves[flow.half_of_arc[i]].residual;
		for (uint32_t i = 0; i < nr_nodes; i++)
			potential[i] = flow.nodes[i].potential;
		*ret_work = flow.work;
	}
	flow_fini(&flow);
	return error;
}
