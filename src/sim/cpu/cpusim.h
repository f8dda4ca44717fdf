/* SPDX-License-Identifier: MIT */
/*
 * A simulated scheduler: CPUs with run queues, a fair scheduler, wake-up placement and load
 * balancing as Linux does them, and a CPU placement policy above, on any machine.
 *
 *   events (heap: one slot per CPU, one per task)
 *      |
 *   CPU: the task's work ends, or a tick --> program: what the task does next, whom it wakes
 *   task: its sleep ends                 --> wake-up: policy -> mask or CPU -> Linux's search in it
 *                                        --> run queue (by virtual time), pre-emption
 *   CPU goes idle, tick                  --> balancing: same cache, then machine
 *
 * Time is whole nanoseconds, everything random comes from one seed: same input, same result to the
 * byte. A task's work is the time it takes on an otherwise idle core beside its memory; what makes
 * it slower are a busy thread of the same core, memory on another node, data last written in
 * another cache, and a cache to refill after moving.
 *
 * Scheduler: virtual time, a slice of latency / tasks but at least a granularity, sleepers placed
 * half a latency back, pre-emption at wake-up beyond a granularity: Linux 5.2's rules and figures
 * (the RFC of 2019 was measured on that), which differ from EEVDF of 6.6 and later in who goes
 * first, not in where. Placement and balancing are the same in 5.2 and 6.12's kernel/sched/fair.c
 * but for the limit of the idle search (5.2's SIS_PROP; 6.12 has SIS_UTIL) and for what this page
 * leaves out:
 *   no active balancing (a running task is never pulled), no NUMA balancing, no priorities, no
 *   cgroup weights, load is the number of tasks and not their average, no balancing between the
 *   threads of a core.
 *
 * Cost: O(log(CPUs + tasks)) per event, O(CPUs) per wake-up; 100 to 200 bytes per task and CPU.
 */
#ifndef BERTH_SIM_CPU_CPUSIM_H
#define BERTH_SIM_CPU_CPUSIM_H

#include "machine/machine.h"
#include "policy/cpu_policy.h"

#define CPUSIM_CPUS_MAX	 4096
#define CPUSIM_TASKS_MAX 65536
#define CPUSIM_LOADS_MAX 64

enum cpusim_kind {
	CPUSIM_HACKBENCH, /* groups of 20 senders and 20 receivers; ends when all is read */
	CPUSIM_USERS,	  /* think, then a transaction on buffers that all users share */
	CPUSIM_BATCH,	  /* works and never sleeps */
	CPUSIM_PERIODIC,  /* wakes up every period and works */
};

struct cpusim_load { /* one job */
	enum cpusim_kind kind;
	uint32_t nr;		 /* groups, users or tasks */
	uint64_t work_ns;	 /* per message and side, transaction, batch unit or period */
	uint64_t sleep_ns;	 /* think time on average, or the period */
	uint32_t nr_loops;	 /* hackbench: messages from each sender to each receiver */
	uint32_t nr_deep;	 /* hackbench: messages that wait for one receiver at most */
	uint32_t memory_bp;	 /* share of the work that waits for the job's own memory */
	uint32_t shared_bp;	 /* share added when all data was last written in another cache */
	uint64_t refill_near_ns; /* work added after a move within the cache */
	uint64_t refill_far_ns;	 /* and to another one */
	bool is_interrupted; /* sleeps end by an interrupt on any CPU, not by the CPU's own timer */
	uint32_t memory_node; /* index; UINT32_MAX: each task's where it began */
	struct set preferred, allowed;
};

struct cpusim_params {
	uint32_t threads_per_core; /* the k-th CPU of a node and the k + n/2-th share a core if 2 */
	uint32_t caches_per_node;
	uint32_t smt_slow_bp; /* time a task takes beside a busy thread; 10000: no matter */
	uint64_t latency_ns, min_granularity_ns, wakeup_granularity_ns;
	uint64_t tick_ns, migration_cost_ns;
	uint64_t scan_ns; /* of a search for an idle CPU, as the kernel measures it; 0: no limit */
	uint64_t switch_ns; /* to put another task on a CPU */
	uint64_t idle_exit_ns;
	uint64_t fork_ns; /* between the starts of two tasks of a job */
	uint64_t seed;
	uint64_t end_ns; /* stop here */
	bool is_checked; /* every invariant after every event; slow */
};

struct cpusim_result {	      /* of one job */
	uint64_t nr_done;     /* messages read, transactions, units or periods */
	uint64_t started_ns;  /* when all tasks of the job were there */
	uint64_t finished_ns; /* hackbench: when the last was read; 0: not at the end */
	uint64_t run_ns, home_run_ns;
	uint64_t nr_wakeups, nr_spilled, nr_held, nr_yielded, nr_called_home;
	uint64_t nr_moves_core, nr_moves_cache, nr_moves_node; /* within a cache, node, beyond */
	uint64_t wait_ns;				       /* in run queues */
	uint64_t latency_p50_ns, latency_p99_ns;	       /* from wake-up to running */
};

struct cpusim_total {
	uint64_t now_ns, nr_events, busy_ns, idle_ns;
};

void cpusim_params_default(struct cpusim_params *params);
/* -EINVAL, -ERANGE, -ENOMEM with a sentence. Results, one per load, are written at the end. */
int cpusim_run(const struct machine *machine, const struct cpusim_params *params,
	       const struct cpu_policy_ops *policy, const uint64_t *values,
	       const struct cpusim_load *loads, uint32_t nr_loads,
	       struct cpusim_result *ret_results, struct cpusim_total *ret_total,
	       struct printbuf *err);

#endif
