/* SPDX-License-Identifier: MIT */
/*
 * Threads and pages of a job together: which memory is near its threads, and which CPUs are near
 * its pages. Pure functions of the machine's latencies.
 *
 *     the job prefers CPUs        pages go to them: a move to a tier goes to that node of the tier
 *                                 which these CPUs reach soonest and which has room
 *     it prefers none, and its    threads stay by them: the node whose CPUs reach the job's pages
 *     pages cannot be moved       soonest, where that is a tenth less than from everywhere
 *
 *     node 0: CPUs 0-7, DRAM --- node 1: CPUs 8-15, DRAM      a job that prefers 8-15: promotions
 *             |                          |                    to node 1, demotions to node 3
 *     node 2: CXL                node 3: CXL                  (`from=` of the machine line)
 *
 * Which tier a page belongs in is the policy's; this chooses among its nodes only, so policies need
 * not know of it. Pages are not moved between nodes of one tier.
 *
 * Cost: per move O(nodes), and O(nodes x CPUs) where its job is another than that of the one
 * before; a scratch of 16 bytes per node.
 */
#ifndef BERTH_POLICY_HOME_H
#define BERTH_POLICY_HOME_H

#include "policy/policy.h"

#define HOME_MIN_BYTES (16 * MIB) /* fewer are no reason to say where threads run */
#define HOME_GAIN_BP   1000	  /* by so much sooner, at least */
#define HOME_NONE      UINT32_MAX

/* What one access from these CPUs to the node takes on average; UINT64_MAX: none of them is of this
 * machine, or the node has no memory. */
uint64_t home_latency_ps(const struct machine *machine, const struct set *cpus, uint32_t node);
/* Sends each move of a job that has home CPUs to the nearest node of the same tier as its own goal
 * that has room for it, counting what the moves before it take and leave. `scratch`: two for each
 * node. */
void home_steer(const struct machine *machine, const struct policy_view *view, struct plan *plan,
		uint64_t *scratch);
/* The node by whose CPUs threads are nearest to the pages, `pages[node]` of them; HOME_NONE: it
 * makes no difference that counts. */
uint32_t home_by_pages(const struct machine *machine, const uint64_t *pages);

#endif
