/* SPDX-License-Identifier: MIT */
/*
 * The kinds of jobs by name. Their defaults are one set of figures for a server of two sockets with
 * 22 cores and two threads each, as in the tables of the RFC of 2019, on half of whose cells they
 * were fitted (scripts/affinity).
 */
#include "sim/cpu/workload.h"

#include <errno.h>
#include <string.h>

enum {
	NR,
	WORK,
	SLEEP,
	LOOPS,
	DEPTH,
	MEMORY,
	SHARED,
	REFILL_NEAR,
	REFILL_FAR,
	INTERRUPTED,
	HOME,
	MEMORY_NODE,
	NR_KEYS
};

#define NOWHERE	   UINT32_MAX
#define SECOND_NS  1000000000
#define ALL_BP	   10000
#define LONGEST_NS (1000 * (uint64_t)SECOND_NS)
#define MANY_LOOPS 100000000
#define WORST_BP   (100 * ALL_BP)
#define COUNT_(name, initial, min, max, help)                                                      \
	{                                                                                          \
		name, TUNABLE_COUNT, initial, min, max, help, NULL                                 \
	}
#define NS_(name, initial, min, max, help)                                                         \
	{                                                                                          \
		name, TUNABLE_NS, initial, min, max, help, NULL                                    \
	}
#define BP_(name, initial, max, help)                                                              \
	{                                                                                          \
		name, TUNABLE_BP, initial, 0, max, help, NULL                                      \
	}

#define KEYS(nr, work, sleep, loops, memory, shared, near, far, interrupted)                       \
	{                                                                                          \
		COUNT_("nr", nr, 1, CPUSIM_TASKS_MAX,                                              \
		       "groups (of 20 senders and 20 receivers), "                                 \
		       "users or tasks"),                                                          \
			NS_("work", work, 1, LONGEST_NS,                                           \
			    "of a message on each side, a transaction, a unit or a period"),       \
			NS_("sleep", sleep, 0, LONGEST_NS,                                         \
			    "think time on average, or the period"),                               \
			COUNT_("loops", loops, 1, MANY_LOOPS,                                      \
			       "messages from each sender to each receiver"),                      \
			COUNT_("depth", 36, 1, MANY_LOOPS,                                         \
			       "messages that wait for one receiver at most"),                     \
			BP_("memory", memory, ALL_BP,                                              \
			    "share of the work that waits for its own memory"),                    \
			BP_("shared", shared, WORST_BP,                                            \
			    "work added when all data was last written in another cache"),         \
			NS_("refill_near", near, 0, SECOND_NS,                                     \
			    "work added by a move within the cache"),                              \
			NS_("refill_far", far, 0, SECOND_NS,                                       \
			    "work added by a move to another cache"),                              \
			{ "interrupted",                                                           \
			  TUNABLE_FLAG,                                                            \
			  interrupted,                                                             \
			  0,                                                                       \
			  1,                                                                       \
			  "sleeps end on any CPU, not on the task's own",                          \
			  NULL },                                                                  \
			COUNT_("home", NOWHERE, 0, NOWHERE,                                        \
			       "node whose CPUs it prefers; by default that of its number"),       \
			COUNT_("memory_node", NOWHERE, 0, NOWHERE,                                 \
			       "node of its memory; by default where each task begins"),           \
	}

static const struct kind {
	const char *name, *summary;
	enum cpusim_kind kind;
	struct tunable keys[NR_KEYS];
} kinds[] = {
	{ "hackbench", "groups of senders and receivers over pipes, until all is read",
	  CPUSIM_HACKBENCH, KEYS(4, 8000, 0, 100, 0, 5333, 1500, 7500, 0) },
	{ "users", "think, then a transaction on buffers that all share", CPUSIM_USERS,
	  KEYS(32, 500000, 300000, 1, 500, 1000, 5000, 50000, 1) },
	{ "batch", "works and never sleeps", CPUSIM_BATCH,
	  KEYS(4, 1000000, 0, 1, 0, 0, 5000, 50000, 0) },
	{ "periodic", "wakes up every period and works", CPUSIM_PERIODIC,
	  KEYS(4, 1000000, 10000000, 1, 0, 0, 5000, 50000, 0) },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

enum {
	THREADS,
	CACHES,
	SMT_SLOW,
	LATENCY,
	MIN_GRANULARITY,
	WAKEUP_GRANULARITY,
	TICK,
	MIGRATION_COST,
	SCAN,
	SWITCH,
	IDLE_EXIT,
	FORK,
	END,
	CHECK,
	NR_PARAMS
};

static const struct tunable params_keys[NR_PARAMS] = {
	COUNT_("threads", 1, 1, 2, "threads of a core"),
	COUNT_("caches", 1, 1, 64, "last-level caches of a node"),
	BP_("smt_slow", 4000, 9 * ALL_BP, "time added by a busy thread of the same core"),
	NS_("latency", 24000000, 0, SECOND_NS, "period in which each task that waits runs once"),
	NS_("min_granularity", 3000000, 0, SECOND_NS, "shortest slice"),
	NS_("wakeup_granularity", 4000000, 0, SECOND_NS, "lead that pre-empts at a wake-up"),
	NS_("tick", 4000000, 1000, SECOND_NS, "timer tick"),
	NS_("migration_cost", 500000, 0, SECOND_NS, "time for which a task's cache is hot"),
	NS_("scan", 1000, 0, SECOND_NS,
	    "time of a search for an idle CPU, which limits how many are looked at; 0: all"),
	NS_("switch", 1500, 0, SECOND_NS, "cost of a switch to another task"),
	NS_("idle_exit", 15000, 0, SECOND_NS, "cost of waking an idle CPU"),
	NS_("fork", 50000, 0, SECOND_NS, "between the starts of a job's tasks"),
	NS_("end", SECOND_NS, 1, LONGEST_NS, "when the simulation ends"),
	{ "check", TUNABLE_FLAG, 0, 0, 1, "every invariant after every event (slow)", NULL },
};

static const struct kind *find_kind(const char *name, struct printbuf *err)
{
	for (size_t i = 0; i < NR_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	prt_printf(err, "%s: no such workload; there are", name);
	for (size_t i = 0; i < NR_KINDS; i++)
		prt_printf(err, "%s %s", i ? "," : "", kinds[i].name);
	return NULL;
}

/* Node indexes with CPUs, going round. */
static uint32_t nth_home(const struct machine *machine, uint32_t number)
{
	uint32_t nr = 0;
	for (uint32_t node = 0; node < machine->nr_nodes; node++)
		nr += !set_is_empty(&machine->nodes[node].cpus);
	for (uint32_t node = 0; node < machine->nr_nodes && nr; node++) {
		if (set_is_empty(&machine->nodes[node].cpus))
			continue;
		if (number % nr == 0)
			return node;
		number--;
	}
	return 0;
}

static int find_node(const struct machine *machine, uint64_t id, const char *key,
		     struct printbuf *err)
{
	int64_t index = machine_node_index(machine, (uint32_t)id);
	if (index >= 0)
		return (int)index;
	prt_printf(err, "%s=%u: the machine has no such node", key, (uint32_t)id);
	return -EINVAL;
}

static int set_masks(struct cpusim_load *load, const struct machine *machine, uint32_t home,
		     struct printbuf *err)
{
	int error = set_copy(&load->preferred, &machine->nodes[home].cpus);
	for (uint32_t node = 0; node < machine->nr_nodes && !error; node++)
		error = set_or(&load->allowed, &machine->nodes[node].cpus);
	if (!error)
		return 0;
	prt_text(err, "no memory for the masks of CPUs");
	set_fini(&load->preferred);
	set_fini(&load->allowed);
	return error;
}

static struct cpusim_load load_of(const struct kind *kind, const uint64_t *values)
{
	return (struct cpusim_load){
		.kind = kind->kind,
		.nr = (uint32_t)values[NR],
		.work_ns = values[WORK],
		.sleep_ns = values[SLEEP],
		.nr_loops = (uint32_t)values[LOOPS],
		.nr_deep = (uint32_t)values[DEPTH],
		.memory_bp = (uint32_t)values[MEMORY],
		.shared_bp = (uint32_t)values[SHARED],
		.refill_near_ns = values[REFILL_NEAR],
		.refill_far_ns = values[REFILL_FAR],
		.is_interrupted = values[INTERRUPTED],
		.memory_node = NOWHERE,
	};
}

int cpusim_load_parse(const char *spec, const struct machine *machine, uint32_t number,
		      struct cpusim_load *ret, struct printbuf *err)
{
	char name[SPEC_NAME_MAX + 1];
	const char *rest;
	uint64_t values[NR_KEYS];
	if (spec_split(spec, name, &rest)) {
		prt_printf(err, "%s: not KIND[:KEY=VALUE,...]", spec);
		return -EINVAL;
	}
	const struct kind *kind = find_kind(name, err);
	if (!kind)
		return -EINVAL;
	tunables_defaults(kind->keys, NR_KEYS, values);
	int error = tunables_parse(rest, kind->keys, NR_KEYS, name, values, err);
	if (error)
		return error;
	struct cpusim_load load = load_of(kind, values);
	int home = values[HOME] == NOWHERE ? (int)nth_home(machine, number)
					   : find_node(machine, values[HOME], "home", err);
	int memory = values[MEMORY_NODE] == NOWHERE
			     ? 0
			     : find_node(machine, values[MEMORY_NODE], "memory_node", err);
	if (home < 0 || memory < 0)
		return -EINVAL;
	if (values[MEMORY_NODE] != NOWHERE)
		load.memory_node = (uint32_t)memory;
	error = set_masks(&load, machine, (uint32_t)home, err);
	if (!error)
		*ret = load;
	return error;
}

int cpusim_params_parse(const char *text, struct cpusim_params *ret, struct printbuf *err)
{
	uint64_t values[NR_PARAMS];
	tunables_defaults(params_keys, NR_PARAMS, values);
	int error = tunables_parse(text, params_keys, NR_PARAMS, "--scheduler", values, err);
	if (error)
		return error;
	*ret = (struct cpusim_params){
		.threads_per_core = (uint32_t)values[THREADS],
		.caches_per_node = (uint32_t)values[CACHES],
		.smt_slow_bp = ALL_BP + (uint32_t)values[SMT_SLOW],
		.latency_ns = values[LATENCY],
		.min_granularity_ns = values[MIN_GRANULARITY],
		.wakeup_granularity_ns = values[WAKEUP_GRANULARITY],
		.tick_ns = values[TICK],
		.migration_cost_ns = values[MIGRATION_COST],
		.scan_ns = values[SCAN],
		.switch_ns = values[SWITCH],
		.idle_exit_ns = values[IDLE_EXIT],
		.fork_ns = values[FORK],
		.seed = ret->seed,
		.end_ns = values[END],
		.is_checked = values[CHECK],
	};
	return 0;
}

void cpusim_list_to_text(struct printbuf *out)
{
	prt_text(out, "Workloads of --cpu:\n");
	for (size_t i = 0; i < NR_KINDS; i++) {
		prt_printf(out, "  %s: %s\n", kinds[i].name, kinds[i].summary);
		tunables_to_text(out, kinds[i].keys, NR_KEYS, 4);
	}
	prt_text(out, "Keys of --scheduler:\n");
	tunables_to_text(out, params_keys, NR_PARAMS, 4);
	prt_text(out, "CPU policies of -P with --cpu:\n");
	for (size_t i = 0; cpu_policies[i]; i++) {
		prt_printf(out, "  %s: %s\n", cpu_policies[i]->name, cpu_policies[i]->summary);
		tunables_to_text(out, cpu_policies[i]->tunables, cpu_policies[i]->nr_tunables, 4);
	}
}
