/* SPDX-License-Identifier: MIT */
/*
 * Breadth-first searches over a generated Kronecker graph, as Graph500 does.
 *
 *     edges    | u v | u v | ...                  as generated: made first, used again to validate
 *     offsets  | 0 | deg 0 | deg 0 + deg 1 | ...  \  compressed rows: the targets of vertex v are
 *     targets  | ... | ... | ...                  /  targets[offsets[v] .. offsets[v + 1])
 *     parents  | one per vertex |                 hottest: looked at for each edge, in no order
 *     queue    | vertices in the order of their finding |
 *
 * Build: 2^scale vertices, --edges per vertex; counts degrees, sums them up, sorts targets into
 * rows. Run: searches from roots drawn among the vertices that have edges; the pace counts targets
 * looked at, and a search may be cut by the end. An edge of the graph stands in two rows, so
 * traversed edges per second (TEPS) are half of that. The last search is finished untimed and its
 * tree validated as Graph500 asks: parents lead to the root, tree edges exist, the ends of every
 * edge are both reached, at levels at most one apart, or neither is.
 *
 * Memory: 2^scale * (--edges * 32 + 24) bytes; 536 MiB by default. Best static placement: parents,
 * offsets and queue, then targets; the edges last.
 */
#include "lab/workloads/common/kronecker.h"
#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"

#define NO_VERTEX UINT64_MAX
#define MAX_LEVEL UINT32_MAX

struct bfs {
	struct pace pace;
	uint64_t scale, edges_per_vertex, seed;

	uint64_t nr_vertices, nr_edges;
	struct kronecker_edge *edges;
	uint64_t *offsets, *targets, *parents, *queue;
	uint64_t state; /* draws the roots */
	uint64_t root, head, tail;
	uint64_t credit; /* targets that may be looked at before the pace is asked */
	uint64_t nr_searches;
};

static struct bfs bfs = { .scale = 20, .edges_per_vertex = 16, .seed = 1 };

static const struct work_option options[] = {
	{ "scale", WORK_COUNT, &bfs.scale, 4, 28, "2^scale vertices" },
	{ "edges", WORK_COUNT, &bfs.edges_per_vertex, 1, 64, "edges generated per vertex" },
	PACE_OPTIONS(&bfs.pace),
	{ "seed", WORK_COUNT, &bfs.seed, 0, 0, "of the graph and the roots" },
	{ 0 },
};

static struct kronecker kronecker;

static void make_edges(struct bfs *b)
{
	kronecker_init(&kronecker, (unsigned)b->scale, b->seed);
	b->edges = work_memory(b->nr_edges * sizeof(*b->edges));
	for (uint64_t i = 0; i < b->nr_edges; i++)
		b->edges[i] = kronecker_next(&kronecker);
}

/* offsets[v + 1] counts, then sums up to the row's start, then moves to its end while rows fill:
 * so it needs no copy. */
static void make_rows(struct bfs *b)
{
	uint64_t sum = 0;

	b->offsets = work_memory((b->nr_vertices + 2) * sizeof(uint64_t));
	b->targets = work_memory(2 * b->nr_edges * sizeof(uint64_t));
	for (uint64_t i = 0; i < b->nr_edges; i++) {
		b->offsets[b->edges[i].source + 1]++;
		b->offsets[b->edges[i].target + 1]++;
	}
	for (uint64_t v = 1; v <= b->nr_vertices; v++) {
		uint64_t degree = b->offsets[v];

		b->offsets[v] = sum;
		sum += degree;
	}
	for (uint64_t i = 0; i < b->nr_edges; i++) {
		struct kronecker_edge edge = b->edges[i];

		b->targets[b->offsets[edge.source + 1]++] = edge.target;
		b->targets[b->offsets[edge.target + 1]++] = edge.source;
	}
}

static void build(struct bfs *b)
{
	b->nr_vertices = 1ULL << b->scale;
	b->nr_edges = b->nr_vertices * b->edges_per_vertex;
	make_edges(b);
	make_rows(b);
	b->parents = work_memory_touched(b->nr_vertices * sizeof(uint64_t));
	b->queue = work_memory_touched(b->nr_vertices * sizeof(uint64_t));
	b->state = random_seed(b->seed, 1);
}

static void start_search(struct bfs *b)
{
	do
		b->root = random_below(random_next(&b->state), b->nr_vertices);
	while (b->offsets[b->root] == b->offsets[b->root + 1]);
	for (uint64_t v = 0; v < b->nr_vertices; v++)
		b->parents[v] = NO_VERTEX;
	b->parents[b->root] = b->root;
	b->queue[0] = b->root;
	b->head = 0;
	b->tail = 1;
}

static void visit(struct bfs *b, uint64_t vertex)
{
	uint64_t end = b->offsets[vertex + 1];

	for (uint64_t i = b->offsets[vertex]; i < end; i++) {
		uint64_t target = b->targets[i];

		if (b->parents[target] == NO_VERTEX) {
			b->parents[target] = vertex;
			b->queue[b->tail++] = target;
		}
	}
}

/* Pays a vertex's degree out of lots; false: the run is over. */
static bool pay(struct bfs *b, struct pace *pace, unsigned thread, uint64_t degree)
{
	while (b->credit < degree) {
		uint64_t lot = pace_next(pace, thread);

		if (!lot)
			return false;
		b->credit += lot;
	}
	b->credit -= degree;
	return true;
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct bfs *b = argument;

	for (;;) {
		start_search(b);
		while (b->head < b->tail) {
			uint64_t vertex = b->queue[b->head];

			if (!pay(b, pace, thread, b->offsets[vertex + 1] - b->offsets[vertex]))
				return;
			b->head++;
			visit(b, vertex);
		}
		b->nr_searches++;
	}
}

/* The vertex's distance from the root by its parents, noting it for all on the way. */
static uint32_t level_of(const struct bfs *b, uint32_t *levels, uint64_t vertex)
{
	uint64_t at = vertex, steps = 0;
	uint32_t level;

	for (; levels[at] == MAX_LEVEL && steps <= b->nr_vertices; steps++)
		at = b->parents[at];
	work_check(steps <= b->nr_vertices, "the parents of vertex %llu never lead to the root",
		   (unsigned long long)vertex);
	level = levels[at] + (uint32_t)steps;
	for (at = vertex; levels[at] == MAX_LEVEL; at = b->parents[at])
		levels[at] = level--;
	return levels[vertex];
}

static void validate(const struct bfs *b)
{
	uint32_t *levels = work_memory(b->nr_vertices * sizeof(*levels));
	uint64_t nr_reached = 0, nr_tree_edges = 0;
	unsigned char *has_edge = work_memory(b->nr_vertices);

	for (uint64_t v = 0; v < b->nr_vertices; v++)
		levels[v] = MAX_LEVEL;
	levels[b->root] = 0;
	for (uint64_t v = 0; v < b->nr_vertices; v++) {
		if (b->parents[v] == NO_VERTEX)
			continue;
		nr_reached++;
		level_of(b, levels, v);
	}
	for (uint64_t i = 0; i < b->nr_edges; i++) {
		uint64_t u = b->edges[i].source, v = b->edges[i].target;
		bool is_near = levels[u] == levels[v] || levels[u] + 1 == levels[v] ||
			       levels[v] + 1 == levels[u];
		bool is_reached = levels[u] != MAX_LEVEL;

		work_check(is_reached == (levels[v] != MAX_LEVEL) && is_near,
			   "edge %llu joins levels %u and %u", (unsigned long long)i, levels[u],
			   levels[v]);
		if (is_reached && b->parents[u] == v && u != b->root)
			has_edge[u] = 1;
		if (is_reached && b->parents[v] == u && v != b->root)
			has_edge[v] = 1;
	}
	for (uint64_t v = 0; v < b->nr_vertices; v++)
		nr_tree_edges += has_edge[v];
	work_check(nr_tree_edges + 1 == nr_reached, "%llu vertices are reached by %llu edges",
		   (unsigned long long)nr_reached, (unsigned long long)nr_tree_edges);
	work_check(nr_reached == b->tail, "%llu vertices have a parent, %llu were in the queue",
		   (unsigned long long)nr_reached, (unsigned long long)b->tail);
}

static void place(const struct bfs *b)
{
	struct place_list list = { 0 };
	size_t nr_hot;

	work_phase(WORK_PHASE_PLACE);
	place_add(&list, b->parents, b->nr_vertices * sizeof(uint64_t));
	place_add(&list, b->offsets, (b->nr_vertices + 2) * sizeof(uint64_t));
	place_add(&list, b->queue, b->nr_vertices * sizeof(uint64_t));
	nr_hot = list.nr_pages;
	place_add(&list, b->targets, 2 * b->nr_edges * sizeof(uint64_t));
	place_add(&list, b->edges, b->nr_edges * sizeof(*b->edges));
	place_pages(&list, nr_hot);
	place_fini(&list);
}

int main(int argc, char **argv)
{
	struct bfs *b = &bfs;
	uint64_t start_ns, build_ns;

	work_begin("bfs", "Breadth-first searches over a generated Kronecker graph.", options, argc,
		   argv);
	pace_default(&b->pace, 130000000);
	work_phase(WORK_PHASE_BUILD);
	start_ns = work_now_ns();
	build(b);
	build_ns = work_now_ns() - start_ns;
	if (place_is_wanted())
		place(b);
	pace_run(&b->pace, work, b);
	for (; b->head < b->tail; b->head++)
		visit(b, b->queue[b->head]);
	validate(b);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("build", (double)build_ns / 1e9, "s", false);
	work_also("run", (double)b->pace.passed_ns / 1e9, "s", false);
	work_also("searches", (double)b->nr_searches, "whole", true);
	work_result("traversal", pace_mops(&b->pace) / 2, "MTEPS", true);
	return 0;
}
