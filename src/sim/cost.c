/* SPDX-License-Identifier: MIT */
/*
 * The cost model. docs/cost-model.md explains every term and where its default comes from.
 *
 *     epoch:  |--- compute ---|-- latency --|-- migration --|-- faults --|-- bandwidth --|
 *             what the          misses        moves           hint         only if some node's
 *             recording says                                  faults       bytes take longer
 *                                                                          than all before
 *
 * Sums are 64-bit picoseconds: 213 days. They saturate rather than wrap.
 */
#include "sim/cost.h"

#include <stdlib.h>

#include "base/error.h"

#define BP		  10000u
#define PS_PER_S	  1000000000000u
#define LINE_BYTES	  64u
#define UNKNOWN_BANDWIDTH (UINT64_MAX / 2) /* a node without a figure is never the bottleneck */

static const char *const clock_names[] = { "recording", "shared" };

const struct tunable cost_tunables[COST_NR_TUNABLES] = {
	[COST_PARALLELISM] = { "mlp", TUNABLE_BP, 15000, BP, 1000000,
			       "misses under way at once while the program waits, x 100 %" },
	[COST_STORE_SHARE] = { "store", TUNABLE_BP, 5000, 0, BP,
			       "stall of a store miss, as a share of a load's" },
	[COST_MOVE_FIXED] = { "move", TUNABLE_NS, 1000, 0, NS_PER_S,
			      "moving one page, beside copying it" },
	[COST_FAULT] = { "fault", TUNABLE_NS, 1000, 0, NS_PER_S,
			 "one hint fault, beside what it moves" },
	[COST_CHECK] = { "check", TUNABLE_NS, 100, 0, NS_PER_S,
			 "a sampler's look at one accessed bit, on another CPU" },
	[COST_WALK] = { "walk", TUNABLE_NS, 40, 0, NS_PER_S,
			"the kernel's walk over one page-table entry, to arm or to age it" },
	[COST_COPY] = { "copy", TUNABLE_NS, 0, 0, NS_PER_S,
			"copying one page, beside its bytes at the nodes' bandwidth" },
	[COST_AGE] = { "age", TUNABLE_NS, 0, 0, NS_PER_S,
		       "one entry that an ageing walk finds young, beside the walk" },
	[COST_SCAN] = { "scan", TUNABLE_NS, 0, 0, NS_PER_S,
			"one entry that the scan which arms looks at, beside the walk" },
	[COST_SORT] = { "sort", TUNABLE_NS, 40, 0, NS_PER_S,
			"reclaim's putting of one page on the list of a younger generation" },
	[COST_ARM] = { "arm", TUNABLE_NS, 70, 0, NS_PER_S,
		       "arming one entry for a hint fault, beside the walk" },
	[COST_RECLAIM] = { "reclaim", TUNABLE_NS, 400, 0, NS_PER_S,
			   "reclaim's look at one page, beside moving it" },
	[COST_KSWAPD] = { "kswapd", TUNABLE_BP, BP, 1, BP,
			  "share of a CPU that kswapd has while it works" },
	[COST_CLOCK] = { "clock", TUNABLE_CHOICE, COST_CLOCK_RECORDING, 0, COST_CLOCK_SHARED,
			 "what the kernel's clock is: the recording's, or that and the time of "
			 "the kernel's own work, on one CPU that both share",
			 clock_names },
	[COST_TICK] = { "tick", TUNABLE_NS, NS_PER_MS, 1000, 3600 * NS_PER_S,
			"recording time between two decisions; also the epoch of bandwidth" },
};

static const struct machine_link *link_to(const struct cost_model *model, uint32_t node)
{
	return &model->machine->links[(size_t)model->home * model->nr_nodes + node];
}

uint64_t cost_add(uint64_t a, uint64_t b)
{
	uint64_t sum = 0;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t cost_multiply(uint64_t a, uint64_t b)
{
	uint64_t product = 0;
	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t cost_scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 result = (unsigned __int128)a * b / c;
	return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

/* The node whose CPUs run the program: the first with CPUs, by preference one with memory. */
static int64_t find_home(const struct machine *machine)
{
	int64_t home = -1;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		const struct machine_node *node = &machine->nodes[i];
		if (set_is_empty(&node->cpus))
			continue;
		if (node->size_bytes > 0)
			return i;
		if (home < 0)
			home = i;
	}
	return home;
}

/* Latency, then bandwidth, then index: a total order, so that results do not depend on sort(3). */
static bool is_faster(const struct cost_model *model, uint32_t a, uint32_t b)
{
	const struct machine_link *to_a = link_to(model, a);
	const struct machine_link *to_b = link_to(model, b);
	if (to_a->latency_ns != to_b->latency_ns)
		return to_a->latency_ns < to_b->latency_ns;
	if (model->bytes_per_s[a] != model->bytes_per_s[b])
		return model->bytes_per_s[a] > model->bytes_per_s[b];
	return a < b;
}

/* Insertion sort: machines have few nodes, and the order must be stable. */
static void sort_nodes(struct cost_model *model)
{
	const struct machine *machine = model->machine;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (machine->nodes[i].size_bytes < model->page_bytes)
			continue;
		uint32_t at = model->nr_order++;
		for (; at > 0 && is_faster(model, i, model->order[at - 1]); at--)
			model->order[at] = model->order[at - 1];
		model->order[at] = i;
	}
}

/* Fast is the tier of the fastest node; where all memory is one tier, only what is as near as the
 * nearest, else a two-socket machine would be all fast. */
static void mark_fast(struct cost_model *model)
{
	const struct machine *machine = model->machine;
	uint32_t first = model->order[0];
	uint64_t nearest = link_to(model, first)->latency_ns;
	bool one_tier = true;
	for (uint32_t i = 0; i < model->nr_order; i++)
		one_tier &= machine->nodes[model->order[i]].tier == machine->nodes[first].tier;
	for (uint32_t i = 0; i < model->nr_order; i++) {
		uint32_t node = model->order[i];
		if (one_tier)
			model->is_fast[node] = link_to(model, node)->latency_ns == nearest;
		else
			model->is_fast[node] = machine->nodes[node].tier ==
					       machine->nodes[first].tier;
	}
}

static void set_costs(struct cost_model *model)
{
	uint32_t nr = model->nr_nodes;
	for (uint32_t node = 0; node < nr; node++) {
		const struct machine_link *link = link_to(model, node);
		uint64_t latency_ps = cost_multiply(link->latency_ns, COST_PS_PER_NS);
		model->idle_ps[node] = latency_ps;
		model->load_ps[node] = cost_scale(latency_ps, BP, model->values[COST_PARALLELISM]);
		model->store_ps[node] = cost_scale(model->load_ps[node],
						   model->values[COST_STORE_SHARE], BP);
		model->bytes_per_s[node] = link->bandwidth_bytes_per_s ? link->bandwidth_bytes_per_s
								       : UNKNOWN_BANDWIDTH;
	}
	for (uint32_t from = 0; from < nr; from++) {
		for (uint32_t to = 0; to < nr; to++) {
			uint64_t slower = MIN(model->bytes_per_s[from], model->bytes_per_s[to]);
			uint64_t copy_ps = cost_scale(model->page_bytes, PS_PER_S, slower);
			copy_ps = cost_add(copy_ps,
					   cost_multiply(model->values[COST_COPY], COST_PS_PER_NS));
			uint64_t fixed_ps = model->values[COST_MOVE_FIXED] * COST_PS_PER_NS;
			model->move_ps[from * nr + to] = from == to ? 0 : copy_ps + fixed_ps;
		}
	}
}

static int allocate_model(struct cost_model *model)
{
	size_t nr = model->nr_nodes;
	model->order = calloc(nr, sizeof(*model->order));
	model->is_fast = calloc(nr, sizeof(*model->is_fast));
	model->load_ps = calloc(nr, sizeof(*model->load_ps));
	model->store_ps = calloc(nr, sizeof(*model->store_ps));
	model->move_ps = calloc(nr * nr, sizeof(*model->move_ps));
	model->bytes_per_s = calloc(nr, sizeof(*model->bytes_per_s));
	model->idle_ps = calloc(nr, sizeof(*model->idle_ps));
	bool ok = model->order && model->is_fast && model->load_ps && model->store_ps &&
		  model->move_ps && model->bytes_per_s && model->idle_ps;
	return ok ? 0 : -ENOMEM;
}

int cost_model_new(const struct machine *machine, uint32_t page_bytes, uint32_t line_bytes,
		   const uint64_t *values, struct cost_model **ret, struct printbuf *err)
{
	int64_t home = find_home(machine);
	if (home < 0)
		return error_set(err, -EINVAL,
				 "%s: no node has CPUs, so nothing can run there; add :cpus=LIST",
				 machine->name ? machine->name : "machine");
	if (machine->nr_nodes >= UINT16_MAX)
		return error_set(err, -EINVAL, "%s: more than %u nodes cannot be simulated",
				 machine->name ? machine->name : "machine", UINT16_MAX - 1);
	struct cost_model *model = calloc(1, sizeof(*model));
	if (!model)
		return -ENOMEM;
	*model = (struct cost_model){ .machine = machine,
				      .nr_nodes = machine->nr_nodes,
				      .home = (uint32_t)home,
				      .page_bytes = page_bytes,
				      .line_bytes = line_bytes ? line_bytes : LINE_BYTES };
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, model->values);
	for (size_t i = 0; values && i < COST_NR_TUNABLES; i++)
		model->values[i] = values[i];
	model->tick_ns = model->values[COST_TICK];
	if (allocate_model(model)) {
		cost_model_free(model);
		return error_set(err, -ENOMEM, "out of memory for the costs of %u nodes",
				 machine->nr_nodes);
	}
	set_costs(model);
	sort_nodes(model);
	if (model->nr_order == 0) {
		cost_model_free(model);
		return error_set(err, -EINVAL, "%s: no node has a page of memory; give one a size",
				 machine->name ? machine->name : "machine");
	}
	mark_fast(model);
	*ret = model;
	return 0;
}

struct cost_model *cost_model_free(struct cost_model *model)
{
	if (!model)
		return NULL;
	free(model->order);
	free(model->is_fast);
	free(model->load_ps);
	free(model->store_ps);
	free(model->move_ps);
	free(model->bytes_per_s);
	free(model->idle_ps);
	free(model);
	return NULL;
}

uint64_t cost_capacity_pages(const struct cost_model *model, uint32_t node)
{
	return model->machine->nodes[node].size_bytes / model->page_bytes;
}

int cost_account_init(struct cost_account *account, const struct cost_model *model)
{
	*account = (struct cost_account){ .model = model };
	account->epoch = calloc(model->nr_nodes, sizeof(*account->epoch));
	account->total = calloc(model->nr_nodes, sizeof(*account->total));
	account->load = calloc(model->nr_nodes, sizeof(*account->load));
	if (account->epoch && account->total && account->load)
		return 0;
	cost_account_fini(account);
	return -ENOMEM;
}

void cost_account_fini(struct cost_account *account)
{
	free(account->epoch);
	free(account->total);
	free(account->load);
	account->epoch = account->total = NULL;
	account->load = NULL;
}

uint64_t cost_folio_ps(const struct cost_model *model, uint32_t from, uint32_t to,
		       uint64_t nr_pages)
{
	uint64_t fixed_ps = from == to ? 0 : model->values[COST_MOVE_FIXED] * COST_PS_PER_NS;
	uint64_t copy_ps = model->move_ps[from * model->nr_nodes + to] - fixed_ps;
	return cost_add(fixed_ps, cost_multiply(copy_ps, nr_pages));
}

static void add_move(struct cost_account *account, uint32_t from, uint32_t to, uint64_t nr_pages,
		     uint64_t ps)
{
	account->epoch_move_ps = cost_add(account->epoch_move_ps, ps);
	account->epoch[from].moved_out_pages += nr_pages;
	account->epoch[to].moved_in_pages += nr_pages;
}

void cost_account_move(struct cost_account *account, uint32_t from, uint32_t to, uint64_t nr_pages)
{
	const struct cost_model *model = account->model;
	uint64_t page_ps = model->move_ps[from * model->nr_nodes + to];
	add_move(account, from, to, nr_pages, cost_multiply(page_ps, nr_pages));
}

void cost_account_move_folio(struct cost_account *account, uint32_t from, uint32_t to,
			     uint64_t nr_pages)
{
	add_move(account, from, to, nr_pages, cost_folio_ps(account->model, from, to, nr_pages));
}

/* Bytes a node carried: a load fills one line, a store fills it and writes it back later. */
static uint64_t node_bytes(const struct cost_model *model, const struct cost_node *node)
{
	uint64_t lines = cost_add(node->loads, cost_multiply(node->stores, 2));
	uint64_t pages = cost_add(node->moved_in_pages, node->moved_out_pages);
	return cost_add(cost_multiply(lines, model->line_bytes),
			cost_multiply(pages, model->page_bytes));
}

/*
 * The epoch lasts until this node's bytes are through. What that takes beyond `busy_ps` its misses
 * spent in the queue, `mlp` of them at a time: an average one waited mlp x that / misses longer.
 * With this latency instead of the idle one, misses x latency / mlp comes to what the node took.
 */
static struct cost_load node_load(const struct cost_model *model, uint32_t node, uint64_t misses,
				  uint64_t node_ps, uint64_t busy_ps)
{
	if (misses == 0)
		return (struct cost_load){ 0, UINT64_MAX };
	uint64_t queued_ps = node_ps > busy_ps ? node_ps - busy_ps : 0;
	uint64_t each_ps = cost_scale(queued_ps, model->values[COST_PARALLELISM], BP) / misses;
	return (struct cost_load){ misses, cost_add(model->idle_ps[node], each_ps) };
}

static void add_node(struct cost_node *total, const struct cost_node *epoch)
{
	total->loads += epoch->loads;
	total->stores += epoch->stores;
	total->moved_in_pages += epoch->moved_in_pages;
	total->moved_out_pages += epoch->moved_out_pages;
}

static void close_nodes(struct cost_account *account, uint64_t busy_ps)
{
	const struct cost_model *model = account->model;
	for (uint32_t node = 0; node < model->nr_nodes; node++) {
		struct cost_node *counts = &account->epoch[node];
		uint64_t node_ps = cost_scale(node_bytes(model, counts), PS_PER_S,
					      model->bytes_per_s[node]);
		account->load[node] = node_load(model, node, counts->loads + counts->stores,
						node_ps, busy_ps);
		add_node(&account->total[node], counts);
		*counts = (struct cost_node){ 0 };
	}
}

/* Faults come by the kernel's clock: it scans so many pages a second whatever the program does. So
 * their cost stretches with the program's time: per second of the kernel, not of the recording. */
static uint64_t fault_ps(const struct cost_account *account)
{
	uint64_t each_ps = account->model->values[COST_FAULT] * COST_PS_PER_NS;
	return cost_multiply(account->epoch_faults, each_ps) / MAX(account->dilate, 1);
}

void cost_account_close(struct cost_account *account, uint64_t compute_ns, struct cost_epoch *ret)
{
	const struct cost_model *model = account->model;
	struct cost_epoch epoch = { .compute_ns = compute_ns,
				    .migration_ps = account->epoch_move_ps,
				    .faults_ps = fault_ps(account) };
	uint64_t longest_ps = 0;
	for (uint32_t node = 0; node < model->nr_nodes; node++) {
		const struct cost_node *counts = &account->epoch[node];
		uint64_t stall = cost_add(cost_multiply(counts->loads, model->load_ps[node]),
					  cost_multiply(counts->stores, model->store_ps[node]));
		uint64_t misses = counts->loads + counts->stores;
		uint64_t bytes = node_bytes(model, counts);
		epoch.latency_ps = cost_add(epoch.latency_ps, stall);
		epoch.misses += misses;
		epoch.fast_misses += model->is_fast[node] ? misses : 0;
		longest_ps = MAX(longest_ps, cost_scale(bytes, PS_PER_S, model->bytes_per_s[node]));
	}
	uint64_t busy_ps = cost_add(
		cost_multiply(compute_ns, COST_PS_PER_NS),
		cost_add(cost_add(epoch.latency_ps, epoch.migration_ps), epoch.faults_ps));
	close_nodes(account, busy_ps);
	epoch.bandwidth_ps = longest_ps > busy_ps ? longest_ps - busy_ps : 0;
	account->epoch_move_ps = 0;
	account->compute_ns = cost_add(account->compute_ns, compute_ns);
	account->latency_ps = cost_add(account->latency_ps, epoch.latency_ps);
	account->bandwidth_ps = cost_add(account->bandwidth_ps, epoch.bandwidth_ps);
	account->migration_ps = cost_add(account->migration_ps, epoch.migration_ps);
	account->faults_ps = cost_add(account->faults_ps, epoch.faults_ps);
	account->nr_faults += account->epoch_faults;
	account->epoch_faults = 0;
	account->nr_epochs++;
	account->nr_bound_epochs += epoch.bandwidth_ps > 0;
	if (ret)
		*ret = epoch;
}

uint64_t cost_account_linear_ps(const struct cost_account *account)
{
	return cost_add(account->latency_ps, account->migration_ps);
}

uint64_t cost_account_time_ns(const struct cost_account *account)
{
	uint64_t stall_ps = cost_add(cost_add(cost_account_linear_ps(account), account->faults_ps),
				     account->bandwidth_ps);
	return cost_add(cost_add(account->compute_ns, account->blocked_ns),
			stall_ps / COST_PS_PER_NS);
}
