/* SPDX-License-Identifier: MIT */
/*
 * What the pieces of the simulated scheduler share. Who calls whom:
 *
 *   cpusim.c (set-up, loop) -> cpu.c (switch, tick) -> program.c (what tasks do)
 *                                   |                       |
 *                              balance.c <- place.c (wake-up) <-
 *   all of them -> queue.c (run queues, events), average.c, check.c
 */
#ifndef BERTH_SIM_CPU_INTERNAL_H
#define BERTH_SIM_CPU_INTERNAL_H

#include "base/random.h"
#include "sim/cpu/cpusim.h"

#define NOBODY UINT32_MAX
#define NEVER  UINT64_MAX
#define ALL_BP 10000

#define SENDERS		20 /* per hackbench group, and as many receivers */
#define LATENCY_BUCKETS 512

enum task_state { TASK_NEW, TASK_ASLEEP, TASK_WAITING, TASK_RUNNING, TASK_DONE };

struct average { /* of busy time, as the kernel's: half as much after 32 periods */
	uint64_t period;
	uint64_t busy_ns; /* in that period */
	uint32_t value;	  /* per ten thousand, 8 bits after the point */
};

struct task {
	struct cpu_memory memory; /* what the policy remembers of it */
	uint32_t load;
	enum task_state state;
	uint32_t cpu;		 /* where it runs, waits or ran; NOBODY before its start */
	uint32_t next, previous; /* in the run queue */
	int64_t vruntime;
	uint64_t work_ns;  /* left */
	uint64_t since_ns; /* of WAITING */
	uint64_t ran_ns;   /* when it last ran */
	uint64_t run_ns;
	uint32_t ran_on;     /* CPU whose caches it filled */
	uint32_t recent_cpu; /* the kernel's recent_used_cpu */
	uint32_t memory_node;
	uint32_t last_wakee, nr_flips;
	uint64_t flips_ns;
	/* What its program remembers; program.c. */
	uint32_t index, step, nr_messages;
	uint32_t blocked_next; /* in the list of senders that wait for room */
	bool is_finishing;     /* the work that runs is that of a step, not of waking up */
	uint64_t woken_ns;     /* 0: it did not wait for a CPU since it woke */
	uint64_t period_ns;
};

struct pipe { /* into one receiver */
	uint32_t nr_messages;
	uint32_t writer_cpu;
	uint32_t first_blocked, last_blocked;
	bool is_reader_asleep;
};

struct cpu {
	uint32_t current; /* NOBODY: idle */
	uint32_t sibling; /* the other thread of its core; NOBODY: none */
	uint32_t first, last, nr_waiting;
	int64_t min_vruntime;
	uint64_t since_ns; /* up to here all is accounted */
	uint64_t picked_ns, overhead_ns, busy_ns, idle_ns, idle_since_ns, average_idle_ns;
	uint64_t next_tick_ns, next_balance_ns[2];
	uint32_t nr_failed[2];
	uint32_t slow_bp;
	bool must_switch;
};

struct job {
	const struct cpusim_load *spec;
	uint32_t first_task, nr_tasks, nr_left;
	uint32_t parent_cpu;  /* who forks its tasks */
	uint32_t *nr_running; /* per cache */
	uint32_t nr_running_all;
	struct pipe *pipes; /* hackbench: one per receiver */
	uint32_t *load_bp;  /* per CPU, as the policy sees it */
	uint64_t latency[LATENCY_BUCKETS], nr_latencies;
	struct cpusim_result result;
};

struct cpusim {
	const struct machine *machine;
	const struct cpusim_params *params;
	const struct cpu_policy_ops *policy;
	const uint64_t *values;
	uint64_t now_ns, nr_events, viewed_ns;
	struct random random;
	struct cpu *cpus;
	struct cpu_state *states;
	uint32_t nr_cpus, nr_caches, nr_cores;
	uint32_t *nr_core_busy;
	uint32_t *nr_settled; /* per CPU: tasks, asleep or not, that are or were last there */
	uint32_t *slow_bp; /* [node * nr_nodes + memory]: time of memory work there, of local's */
	uint32_t *distances;
	struct average *averages; /* [(job + 1) * nr_cpus + cpu]; 0: all jobs */
	struct job *jobs;
	uint32_t nr_jobs;
	struct task *tasks;
	uint32_t nr_tasks;
	uint64_t *event_ns; /* per slot: CPUs, then tasks */
	uint32_t *heap, *heap_at, nr_slots;
	uint32_t acting_cpu; /* whose program runs; NOBODY: none */
	uint64_t next_nohz_ns;
	const char *broken; /* which invariant; NULL: none */
};

/* queue.c */
void event_set(struct cpusim *sim, uint32_t slot, uint64_t time_ns);
void events_init(struct cpusim *sim);
void queue_add(struct cpusim *sim, uint32_t cpu, uint32_t task);
void queue_del(struct cpusim *sim, uint32_t cpu, uint32_t task);
/* average.c */
void average_add(struct average *average, uint64_t from_ns, uint64_t to_ns, bool is_busy);
void average_join(struct average *average, uint32_t nr_there);
uint32_t average_bp(const struct average *average);
/* place.c */
uint32_t place(struct cpusim *sim, uint32_t task, uint32_t waker_cpu, bool is_sync);
struct cpu_request request_of(struct cpusim *sim, uint32_t task, uint32_t waker_cpu);
struct cpu_view view_of(struct cpusim *sim);
/* balance.c */
void balance_idle(struct cpusim *sim, uint32_t cpu);
void balance_tick(struct cpusim *sim, uint32_t cpu);
/* program.c */
/* The work is done. False: the task sleeps, blocks or has ended, and its state says so. */
bool program_next(struct cpusim *sim, uint32_t task);
/* cpu.c */
void cpu_advance(struct cpusim *sim, uint32_t cpu);
void cpu_arm(struct cpusim *sim, uint32_t cpu);
void cpu_event(struct cpusim *sim, uint32_t cpu);
void cpu_wake(struct cpusim *sim, uint32_t task, uint32_t waker_cpu, bool is_sync);
void cpu_move(struct cpusim *sim, uint32_t task, uint32_t to); /* a waiting task */
void cpu_switch(struct cpusim *sim, uint32_t cpu); /* to the first that waits, or to nobody */
/* check.c */
const char *cpusim_check(const struct cpusim *sim); /* NULL: all invariants hold */

#endif
