/* SPDX-License-Identifier: MIT */
/* Min-cost flow against GLPK's simplex on random networks, from every kind of start. */
#include "test.h"

#include <glpk.h>

#include "base/random.h"
#include "sim/bound/flow.h"

#define NR_NETWORKS 200
#define MAX_NODES   30
#define MAX_ARCS    200
#define PLENTY	    1000000000000ull

struct network {
	uint32_t nr_nodes, nr_arcs;
	struct flow_arc arcs[MAX_ARCS];
	int64_t supply[MAX_NODES], potential[MAX_NODES];
};

static void random_network(struct network *network, struct random *random, bool solvable)
{
	memset(network, 0, sizeof(*network));
	network->nr_nodes = 2 + (uint32_t)random_below(random, MAX_NODES - 1);
	network->nr_arcs = network->nr_nodes + (uint32_t)random_below(random, MAX_ARCS - 40);
	for (uint32_t i = 0; i < network->nr_arcs; i++) {
		struct flow_arc *arc = &network->arcs[i];
		bool ring = solvable && i < network->nr_nodes; /* lets any supply through */

		arc->from = ring ? i : (uint32_t)random_below(random, network->nr_nodes);
		arc->to = ring ? (i + 1) % network->nr_nodes
			       : (uint32_t)random_below(random, network->nr_nodes);
		arc->capacity = ring ? 10000 : (uint32_t)random_below(random, 12);
		arc->flow = (uint32_t)random_below(random, 12);
		arc->cost = ring ? 5000 : (int64_t)random_below(random, 1000) - 100;
	}
	for (uint32_t i = 0; i < 6; i++) {
		int64_t amount = (int64_t)random_below(random, 20);

		network->supply[random_below(random, network->nr_nodes)] += amount;
		network->supply[random_below(random, network->nr_nodes)] -= amount;
	}
	for (uint32_t i = 0; i < network->nr_nodes; i++)
		network->potential[i] = (int64_t)random_below(random, 2000) - 1000;
}

/* The cheapest flow's cost; false when none fits. */
static bool solve_with_glpk(const struct network *network, double *ret_cost)
{
	glp_prob *lp = glp_create_prob();
	glp_smcp how;
	bool solved;

	glp_add_rows(lp, (int)network->nr_nodes);
	glp_add_cols(lp, (int)network->nr_arcs);
	for (uint32_t i = 0; i < network->nr_nodes; i++)
		glp_set_row_bnds(lp, (int)i + 1, GLP_FX, (double)network->supply[i], 0);
	for (uint32_t i = 0; i < network->nr_arcs; i++) {
		const struct flow_arc *arc = &network->arcs[i];
		int rows[3] = { 0, (int)arc->from + 1, (int)arc->to + 1 };
		double values[3] = { 0, 1, -1 };

		glp_set_col_bnds(lp, (int)i + 1, arc->capacity ? GLP_DB : GLP_FX, 0, arc->capacity);
		glp_set_obj_coef(lp, (int)i + 1, (double)arc->cost);
		if (arc->from != arc->to)
			glp_set_mat_col(lp, (int)i + 1, 2, rows, values);
	}
	glp_init_smcp(&how);
	how.msg_lev = GLP_MSG_OFF;
	solved = glp_simplex(lp, &how) == 0 && glp_get_status(lp) == GLP_OPT;
	*ret_cost = glp_get_obj_val(lp);
	glp_delete_prob(lp);
	return solved;
}

/* Balanced, within capacities, and proven by its potentials; returns the cost. */
static int64_t check_flow(const struct network *network)
{
	int64_t balance[MAX_NODES] = { 0 }, cost = 0;

	for (uint32_t i = 0; i < network->nr_arcs; i++) {
		const struct flow_arc *arc = &network->arcs[i];
		int64_t reduced = arc->cost + network->potential[arc->from] -
				  network->potential[arc->to];

		assert_true(arc->flow <= arc->capacity);
		assert_true(arc->flow == arc->capacity || reduced >= 0);
		assert_true(arc->flow == 0 || reduced <= 0);
		balance[arc->from] += arc->flow;
		balance[arc->to] -= arc->flow;
		cost += arc->cost * arc->flow;
	}
	for (uint32_t i = 0; i < network->nr_nodes; i++)
		assert_int_equal(balance[i], network->supply[i]);
	return cost;
}

static void test_flow_equals_simplex(void **state)
{
	struct random random;
	struct network network;

	random_init(&random, 11);
	for (unsigned i = 0; i < NR_NETWORKS; i++) {
		uint64_t work = 0;
		double cost = 0;

		random_network(&network, &random, true);
		assert_true(solve_with_glpk(&network, &cost));
		assert_int_equal(flow_solve(network.nr_nodes, network.arcs, network.nr_arcs,
					    network.supply, network.potential, PLENTY, &work),
				 0);
		assert_int_equal(check_flow(&network), (int64_t)(cost + (cost < 0 ? -0.5 : 0.5)));
		assert_true(work < PLENTY);
	}
}

static void test_what_cannot_flow_is_refused(void **state)
{
	struct random random;
	struct network network;
	unsigned nr_refused = 0;

	random_init(&random, 12);
	for (unsigned i = 0; i < NR_NETWORKS; i++) {
		uint64_t work = 0;
		double cost = 0;
		bool solved;
		int error;

		random_network(&network, &random, false);
		solved = solve_with_glpk(&network, &cost);
		error = flow_solve(network.nr_nodes, network.arcs, network.nr_arcs, network.supply,
				   network.potential, PLENTY, &work);
		assert_int_equal(error, solved ? 0 : -ENODATA);
		nr_refused += !solved;
		if (solved)
			check_flow(&network);
	}
	assert_true(nr_refused > 0 && nr_refused < NR_NETWORKS);
}

static void test_work_is_limited(void **state)
{
	struct random random;
	struct network network;
	uint64_t work = 0;

	random_init(&random, 13);
	do {
		random_network(&network, &random, true);
	} while (network.nr_nodes < MAX_NODES);
	assert_int_equal(flow_solve(network.nr_nodes, network.arcs, network.nr_arcs, network.supply,
				    network.potential, 10, &work),
			 -ETIME);
	assert_true(work < 10 + 2 * network.nr_arcs);
}
