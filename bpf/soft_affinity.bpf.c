/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * berth's soft affinity as a scheduler in the kernel (sched_ext). The rule is the same source that
 * the simulator and the engine in user space compile: policy/cpu/soft.c, included below.
 *
 * Every ordinary task is switched to it: a scheduler of some tasks only would starve them, as its
 * class ranks below the kernel's own. Tasks of no job get what a plain fair scheduler gives.
 *
 *     wake-up    task of a job: an idle preferred CPU ----------------------> straight to that CPU
 *                               else what soft_decide() says: SPILL -> an idle allowed CPU, by
 *                               node, nearest first, that may be borrowed --> straight to that CPU
 *                               HELD, PREFERRED, nothing to borrow ---------> the job's queue
 *                any other:     the kernel's own idle pick ----------------> straight to that CPU
 *                               else --------------------------------------> queue of its cache
 *
 *     dispatch   of the queues that the CPU serves (its cache's, and of the jobs that prefer it)
 *                that with the least virtual time at its head; else another cache's; else a job
 *                whose head may spill to here; else who ran goes on for a slice
 *
 *     tick       a borrower gives way when its owner's tasks wait, or home has room; the job of a
 *                preferred CPU whose tasks wait longer than they should wakes a CPU to borrow
 *
 * Virtual time is one clock for all queues, so heads compare; a task's is held within a slice of
 * the clock (weighted), so neither long sleep nor a stay on an idle CPU makes debt or credit. What
 * runs on a borrowed CPU does not advance the clock. Who wakes up at home sends away a task that
 * has had WAKE_UP_NS more, as the kernel's own scheduler does: without that an owner waits for the
 * end of a slice whenever a daemon or a kernel thread was there first. Where the CPU ran out of
 * work since it slept, the owner's time there was nobody's loss and is forgotten.
 *
 * A job is known by task storage: berth marks the program before its exec, and fork inherits.
 *
 * Utilisation of a CPU is that of its last window of 16 ms, in which interrupts and the
 * hypervisor's share count as stolen. Of a preferred set it is summed at most every millisecond.
 *
 * Cost: a wake-up of a job's task that finds home idle, one storage lookup, one intersection of
 * masks and one idle pick; one that does not, the sum above (O(CPUs of the machine) per
 * millisecond and job), and a pick per distance. Bytes: 112 per CPU, 40 per task of a job,
 * SCX_MAX_CPUS / 8 per mask, five masks per job.
 *
 * Sources: Documentation/scheduler/sched-ext.rst; kernel/sched/ext (7.3); the faults of others'
 * schedulers, facts/affinity.md 2.8 in docs/scx.md. Constants: a slice of 4 ms (one tick at
 * HZ=250, near EEVDF's 2.8 ms), the watchdog's 30 s,
 * the kernel's own and longest.
 */
#include "kernel.h"

#include "queue.h"

#pragma GCC visibility push(hidden)
#include "policy/cpu/soft.c"
#pragma GCC visibility pop

#include "place.h"

#define SLICE_NS       4000000ULL
#define WAKE_UP_NS     1000000ULL /* who wakes up sends away who is further ahead than that */
#define QUEUE_OF_CACHE 0x1000ULL  /* + cache */
#define NO_QUEUE       0ULL

char gpl[] SEC("license") = "GPL";

static uint64_t clock_vtime;
static int64_t nr_borrowers; /* that run now, on all CPUs */
static uint32_t nr_slots;    /* that were ever used: the lowest free one is taken */

static struct scx_task *task_find(struct task_struct *task)
{
	return bpf_task_storage_get(&berth_tasks, task, NULL, 0);
}

/* What a slice is worth to this task in virtual time. */
static uint64_t weighted_ns(const struct task_struct *task, uint64_t ns)
{
	uint32_t weight = task->scx.weight;
	return weight ? ns * 100 / weight : ns;
}

static uint64_t held_to_clock(const struct task_struct *task, uint64_t own)
{
	uint64_t now = clock_vtime;
	uint64_t ahead = now + weighted_ns(task, SLICE_NS);
	if (is_before(own, now - SLICE_NS))
		return now - SLICE_NS;
	return is_before(ahead, own) ? ahead : own;
}

/* Time used on a CPU that then ran out of work is nobody's loss: who sleeps there owes nothing, and
 * being at home comes before tasks of no job that slept as well. */
static uint64_t vtime_of_waking(const struct task_struct *task, const struct scx_task *own,
				const struct scx_cpu *cpu)
{
	bool owes_nothing = own->slept_ns &&
			    (cpu->is_idle || !is_before(cpu->idle_since_ns, own->slept_ns));
	uint64_t vtime = held_to_clock(task, task->scx.dsq_vtime);
	return owes_nothing ? clock_vtime - SLICE_NS - 2 * WAKE_UP_NS : vtime;
}

SEC("struct_ops/select_cpu")
int32_t BPF_PROG(berth_select_cpu, struct task_struct *task, int32_t previous, uint64_t wake_flags)
{
	struct scx_task *own = task_find(task);
	struct job_state *job = own ? job_of(task, own) : NULL;
	if (!job) {
		bool is_idle = false;
		int32_t cpu = scx_bpf_select_cpu_dfl(task, previous, wake_flags, &is_idle);
		if (is_idle)
			queue_insert(task, kernel_value(scx_dsq_id_flags, SCX_DSQ_LOCAL), SLICE_NS,
				     0);
		return cpu;
	}
	int32_t cpu = place(task, own, job, previous, bpf_ktime_get_ns());
	if (cpu >= 0) {
		queue_insert(task, kernel_value(scx_dsq_id_flags, SCX_DSQ_LOCAL), SLICE_NS, 0);
		return cpu;
	}
	own->is_decided = true;
	return previous;
}

/* An idle CPU that may have become so since it was looked for: woken, it looks into the queues. */
static void wake_idle(const struct cpumask *among)
{
	int32_t cpu = scx_bpf_pick_idle_cpu(among, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, kernel_value(scx_kick_flags, SCX_KICK_IDLE));
}

static void insert_on(struct task_struct *task, int32_t cpu, uint64_t flags)
{
	queue_insert(task, kernel_value(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON) | (uint32_t)cpu,
		     SLICE_NS, flags);
	scx_bpf_kick_cpu(cpu, kernel_value(scx_kick_flags, SCX_KICK_IDLE));
}

static void insert_local(struct task_struct *task, uint64_t flags)
{
	queue_insert(task, kernel_value(scx_dsq_id_flags, SCX_DSQ_LOCAL), SLICE_NS, flags);
}

/* Its slice has ended and nobody else waits here: it stays, but for a borrower that is called. */
static bool stays(struct task_struct *task, struct scx_task *own, struct job_state *job,
		  uint32_t cpu, uint64_t flags)
{
	if (!(flags & kernel_value(scx_enq_flags, SCX_ENQ_LAST)))
		return false;
	if (job && !mask_has(&job->preferred, cpu)) {
		int32_t home = pick_home(task, own->slot, -1);
		if (home >= 0) {
			own->memory = (struct soft_memory){ 0 };
			insert_on(task, home, flags);
			return true;
		}
	}
	insert_local(task, flags);
	return true;
}

/* The owner comes before the borrower: one that runs on a preferred CPU leaves it now, not only at
 * its next tick. */
static bool evict_one(struct job_state *job, uint32_t slot)
{
	int i;
	if (nr_borrowers <= 0)
		return false;
	bpf_for(i, 0, settings.nr_cpus)
	{
		struct scx_cpu *cpu = mask_has(&job->preferred, (uint32_t)i) ? cpu_find((uint32_t)i)
									     : NULL;
		uint32_t borrower = cpu ? cpu->borrower : 0;
		if (borrower == 0 || borrower == slot + 1)
			continue;
		cpu->borrower = 0;
		__sync_fetch_and_add(&nr_borrowers, -1);
		count_add(borrower - 1, COUNT_EVICTED);
		scx_bpf_kick_cpu(i, kernel_value(scx_kick_flags, SCX_KICK_PREEMPT));
		return true;
	}
	return false;
}

/* Who wakes up on a CPU whose task has had clearly more does not wait for the end of its slice.
 * Among tasks of one job it does: they work together, and hackbench is a tenth slower otherwise. */
static void preempt(const struct scx_cpu *cpu, uint32_t number, uint32_t slot, uint64_t vtime,
		    uint64_t now_ns)
{
	uint32_t weight = cpu->weight;
	if (!weight || cpu->job == slot + 1 || !is_before(cpu->began_ns, now_ns))
		return;
	uint64_t had = cpu->began_vtime + (now_ns - cpu->began_ns) * 100 / weight;
	if (is_before(vtime + WAKE_UP_NS, had))
		scx_bpf_kick_cpu((int32_t)number, kernel_value(scx_kick_flags, SCX_KICK_PREEMPT));
}

static void enqueue_in_job(struct task_struct *task, struct scx_task *own, struct job_state *job,
			   uint32_t cpu, uint64_t flags)
{
	bool is_decided = own->is_decided;
	own->is_decided = false;
	if (!is_decided) {
		int32_t chosen = place(task, own, job, (int32_t)cpu, bpf_ktime_get_ns());
		if (chosen >= 0) {
			insert_on(task, chosen, flags);
			return;
		}
	}
	struct scx_cpu *here = cpu_find(cpu);
	uint64_t now_ns = bpf_ktime_get_ns();
	bool wakes = here && flags & kernel_value(scx_enq_flags, SCX_ENQ_WAKEUP);
	uint64_t vtime = wakes ? vtime_of_waking(task, own, here)
			       : held_to_clock(task, task->scx.dsq_vtime);
	queue_insert_vtime(task, QUEUE_OF_JOB + own->slot, SLICE_NS, vtime, flags);
	int32_t idle = pick_home(task, own->slot, -1);
	if (idle >= 0)
		scx_bpf_kick_cpu(idle, kernel_value(scx_kick_flags, SCX_KICK_IDLE));
	else if (!evict_one(job, own->slot) && wakes && mask_has(&job->preferred, cpu))
		preempt(here, cpu, own->slot, vtime, now_ns);
}

SEC("struct_ops/enqueue")
void BPF_PROG(berth_enqueue, struct task_struct *task, uint64_t flags)
{
	uint32_t number = (uint32_t)scx_bpf_task_cpu(task);
	/* The kernel's own per-CPU threads: others wait for what they do, and it is short. */
	if (task->nr_cpus_allowed == 1 && task->flags & PF_KTHREAD) {
		insert_local(task, flags);
		return;
	}
	struct scx_task *own = task_find(task);
	struct job_state *job = own ? job_of(task, own) : NULL;
	if (stays(task, own, job, number, flags))
		return;
	if (own && job) {
		enqueue_in_job(task, own, job, number, flags);
		return;
	}
	struct scx_cpu *cpu = cpu_find(number);
	uint64_t queue = QUEUE_OF_CACHE + (cpu ? cpu->cache : 0);
	queue_insert_vtime(task, queue, SLICE_NS, held_to_clock(task, task->scx.dsq_vtime), flags);
	wake_idle(task->cpus_ptr);
}

/* The virtual time of the first task in the queue; false: it is empty. */
static bool head_vtime(uint64_t queue, uint64_t *ret)
{
	struct task_struct *task;
	bool is_found = false;
	bpf_for_each(scx_dsq, task, queue, 0)
	{
		*ret = task->scx.dsq_vtime;
		is_found = true;
		break;
	}
	return is_found;
}

struct choice {
	uint64_t queue, vtime;
	bool has_vtime;
};

/* Heads are looked at only when two queues hold tasks: mostly one does. */
static void choose(struct choice *best, uint64_t queue)
{
	uint64_t vtime = 0;
	if (scx_bpf_dsq_nr_queued(queue) <= 0)
		return;
	if (best->queue == NO_QUEUE) {
		best->queue = queue;
		return;
	}
	if (!best->has_vtime)
		best->has_vtime = head_vtime(best->queue, &best->vtime);
	if (!head_vtime(queue, &vtime) || (best->has_vtime && !is_before(vtime, best->vtime)))
		return;
	*best = (struct choice){ queue, vtime, true };
}

/* The queue of those that this CPU serves whose first task is next; `after` is passed over. */
static uint64_t next_queue(const struct scx_cpu *cpu, uint64_t after)
{
	struct choice best = { NO_QUEUE, 0, false };
	int i, bit;
	if (QUEUE_OF_CACHE + cpu->cache != after)
		choose(&best, QUEUE_OF_CACHE + cpu->cache);
	bpf_for(i, 0, SCX_JOB_WORDS)
	{
		uint64_t owners = cpu->owners[i & (SCX_JOB_WORDS - 1)];
		bpf_for(bit, 0, 64)
		{
			uint64_t queue = QUEUE_OF_JOB + (uint64_t)i * 64 + (uint64_t)bit;
			if (!(owners >> bit))
				break;
			if (owners >> bit & 1 && queue != after)
				choose(&best, queue);
		}
	}
	return best.queue;
}

static bool take_own(const struct scx_cpu *cpu)
{
	int i;
	uint64_t tried = NO_QUEUE;
	bpf_for(i, 0, 2)
	{ /* the first may hold only tasks that must not run here */
		uint64_t queue = next_queue(cpu, tried);
		if (queue == NO_QUEUE)
			return false;
		if (queue_take(queue))
			return true;
		tried = queue;
	}
	bpf_for(i, 0, nr_slots)
	{
		if (cpu->owners[(i / 64) & (SCX_JOB_WORDS - 1)] >> (i & 63) & 1 &&
		    scx_bpf_dsq_nr_queued(QUEUE_OF_JOB + (uint64_t)i) > 0 &&
		    queue_take(QUEUE_OF_JOB + (uint64_t)i))
			return true;
	}
	return queue_take(QUEUE_OF_CACHE + cpu->cache);
}

static bool take_of_other_caches(const struct scx_cpu *cpu)
{
	int i;
	bpf_for(i, 1, settings.nr_caches)
	{
		uint32_t cache = (cpu->cache + (uint32_t)i) % settings.nr_caches;
		if (scx_bpf_dsq_nr_queued(QUEUE_OF_CACHE + cache) > 0 &&
		    queue_take(QUEUE_OF_CACHE + cache))
			return true;
	}
	return false;
}

/* The level of distance at which a job may borrow this CPU; SCX_MAX_LEVELS: it may not. */
static uint32_t level_of(uint32_t slot, uint32_t nr_levels, uint32_t cpu)
{
	int level;
	bpf_for(level, 0, SCX_MAX_LEVELS)
	{
		struct bpf_cpumask *mask = mask_find(slot, 1 + (uint32_t)level);
		if ((uint32_t)level < nr_levels && mask &&
		    bpf_cpumask_test_cpu(cpu, &mask->cpumask))
			return (uint32_t)level;
	}
	return SCX_MAX_LEVELS;
}

/* May the first task that waits in the job's queue spill to this CPU, which is about to be idle? */
static bool head_spills(struct job_state *job, uint32_t slot, uint32_t level,
			const struct scx_cpu *cpu, uint64_t now_ns)
{
	struct soft_cpu candidate = borrowed_cpu(job, slot, level, cpu, now_ns);
	struct soft_preferred home = preferred_now(job, 0, now_ns);
	struct task_struct *task;
	bool spills = false;
	if (!soft_may_borrow(&job->soft, &candidate))
		return false;
	bpf_for_each(scx_dsq, task, QUEUE_OF_JOB + slot, 0)
	{
		struct scx_task *own = task_find(task);
		spills = own &&
			 soft_decide(&job->soft, &own->memory, &home, 1, now_ns) == SOFT_SPILL;
		break;
	}
	return spills;
}

static bool take_spilled(const struct scx_cpu *cpu, uint32_t number)
{
	uint64_t now_ns = bpf_ktime_get_ns();
	int i;
	bpf_for(i, 0, nr_slots)
	{
		uint32_t slot = (uint32_t)i;
		if (scx_bpf_dsq_nr_queued(QUEUE_OF_JOB + slot) <= 0)
			continue;
		struct job_state *job = bpf_map_lookup_elem(&berth_jobs, &slot);
		if (!job || job->generation == 0)
			continue;
		uint32_t level = level_of(slot, job->nr_levels, number);
		if (level < SCX_MAX_LEVELS && head_spills(job, slot, level, cpu, now_ns) &&
		    queue_take(QUEUE_OF_JOB + slot)) {
			count_add(slot, COUNT_SPILLED);
			return true;
		}
	}
	return false;
}

/* A borrower with an idle CPU at home goes there, by way of stays(). */
static bool is_called(struct task_struct *task, uint32_t number)
{
	struct scx_task *own = task_find(task);
	struct job_state *job = own ? job_of(task, own) : NULL;
	struct bpf_cpumask *preferred = job && own ? mask_find(own->slot, 0) : NULL;
	if (!preferred || mask_has(&job->preferred, number))
		return false;
	const struct cpumask *idle = scx_bpf_get_idle_cpumask();
	bool is_idle = bpf_cpumask_intersects(&preferred->cpumask, idle);
	scx_bpf_put_idle_cpumask(idle);
	return is_idle;
}

/* Another slice for who is alone here, as if it had stopped and begun again. Without it the kernel
 * turns to its idle task and back at the end of each, and for that moment the CPU counts as idle: a
 * borrower elsewhere is called to where there is no room, and its CPU lies idle until a tick. */
static void go_on(struct task_struct *task, struct scx_cpu *cpu)
{
	uint64_t now_ns = bpf_ktime_get_ns(), ran_ns = now_ns - cpu->began_ns;
	uint64_t vtime = held_to_clock(task, task->scx.dsq_vtime + weighted_ns(task, ran_ns));
	task_set_vtime(task, vtime);
	cpu->began_ns = now_ns;
	cpu->began_vtime = vtime;
	if (!cpu->is_borrowed) {
		cpu->owned_ns += ran_ns;
		if (is_before(clock_vtime, vtime))
			clock_vtime = vtime;
	}
	task_set_slice(task, SLICE_NS);
}

SEC("struct_ops/dispatch")
void BPF_PROG(berth_dispatch, int32_t number, struct task_struct *previous)
{
	struct scx_cpu *cpu = cpu_find((uint32_t)number);
	if (!cpu || take_own(cpu) || take_of_other_caches(cpu) ||
	    take_spilled(cpu, (uint32_t)number))
		return;
	if (previous && previous->scx.flags & kernel_value(scx_ent_flags, SCX_TASK_QUEUED) &&
	    !is_called(previous, (uint32_t)number))
		go_on(previous, cpu);
}

/* Ends the slice of the task that runs: it is enqueued anew, and place() finds it another CPU. */
static void leave(struct task_struct *task, uint32_t slot, enum count why)
{
	count_add(slot, why);
	task_set_slice(task, 0);
}

static void tick_of_borrower(struct task_struct *task, struct scx_task *own, struct job_state *job,
			     const struct scx_cpu *cpu, uint64_t now_ns)
{
	struct soft_cpu here = { .nr_owner_waiting = owners_waiting(cpu, own->slot) };
	if (soft_must_yield(&here)) {
		leave(task, own->slot, COUNT_EVICTED);
		return;
	}
	struct bpf_cpumask *preferred = mask_find(own->slot, 0);
	const struct cpumask *idle = scx_bpf_get_idle_cpumask();
	bool is_idle = preferred && bpf_cpumask_intersects(&preferred->cpumask, idle);
	scx_bpf_put_idle_cpumask(idle);
	if (!is_idle)
		return;
	struct soft_preferred home = preferred_now(job, 1, now_ns);
	if (soft_comes_home(&job->soft, &home))
		leave(task, own->slot, COUNT_CALLED_HOME);
}

/* CPUs that have slept for so long that they may be borrowed now. */
static void note_sleepers(const struct job_state *job, uint64_t now_ns)
{
	const struct cpumask *idle = scx_bpf_get_idle_cpumask();
	int i;
	bpf_for(i, 0, settings.nr_cpus)
	{
		struct scx_cpu *cpu = NULL;
		if (bpf_cpumask_test_cpu((uint32_t)i, idle) && !mask_has(&job->preferred, i))
			cpu = cpu_find((uint32_t)i);
		if (cpu)
			lendable_note(cpu, (uint32_t)i, now_ns);
	}
	scx_bpf_put_idle_cpumask(idle);
}

/* Tasks of the job wait at home: a CPU that sleeps and may be borrowed is woken to look. */
static void offer(struct job_state *job, uint32_t slot, uint64_t now_ns)
{
	struct bpf_cpumask *scratch = scratch_find(), *lendable = lendable_find();
	int level;
	if (scx_bpf_dsq_nr_queued(QUEUE_OF_JOB + slot) <= 0 || job->soft.spill_at_bp == SOFT_HARD)
		return;
	note_sleepers(job, now_ns);
	bpf_for(level, 0, job->nr_levels)
	{
		struct bpf_cpumask *mask = mask_find(slot, 1 + (uint32_t)level);
		if (!mask || !scratch || !lendable ||
		    !bpf_cpumask_and(scratch, &mask->cpumask, &lendable->cpumask))
			continue;
		int32_t cpu = scx_bpf_pick_idle_cpu(&scratch->cpumask, 0);
		if (cpu >= 0) {
			scx_bpf_kick_cpu(cpu, kernel_value(scx_kick_flags, SCX_KICK_IDLE));
			return;
		}
	}
}

SEC("struct_ops/tick")
void BPF_PROG(berth_tick, struct task_struct *task)
{
	uint32_t number = (uint32_t)scx_bpf_task_cpu(task);
	uint64_t now_ns = bpf_ktime_get_ns();
	struct scx_cpu *cpu = cpu_find(number);
	if (!cpu)
		return;
	window_close(cpu, number, now_ns);
	struct scx_task *own = task_find(task);
	struct job_state *job = own ? job_of(task, own) : NULL;
	if (!own || !job)
		return;
	if (mask_has(&job->preferred, number))
		offer(job, own->slot, now_ns);
	else
		tick_of_borrower(task, own, job, cpu, now_ns);
}

/* The slot of the job that has borrowed this CPU for the task, plus one; 0: it is not borrowed.
 * Notes on the CPU of which job the task is. */
static uint32_t borrower_of(struct task_struct *task, struct scx_cpu *cpu, uint32_t number)
{
	struct scx_task *own = task_find(task);
	uint32_t slot = own ? own->slot : 0;
	struct job_state *job = own ? bpf_map_lookup_elem(&berth_jobs, &slot) : NULL;
	cpu->job = 0;
	if (!own || !job || job->generation != own->generation)
		return 0;
	cpu->job = slot + 1;
	return mask_has(&job->preferred, number) ? 0 : slot + 1;
}

/* A task of no job that was given this CPU just before one at home woke up: it ran first only
 * because it was first. Told once for whoever waits: some tasks are put back here by the kernel
 * itself (bound to this CPU), and would be told for ever. */
static void give_way(struct task_struct *task, struct scx_cpu *cpu, uint32_t number, uint64_t vtime)
{
	uint64_t head;
	if (cpu->job || task->nr_cpus_allowed == 1)
		return;
	uint64_t queue = next_queue(cpu, QUEUE_OF_CACHE + cpu->cache);
	if (queue == NO_QUEUE || !head_vtime(queue, &head) || head == cpu->gave_way_to)
		return;
	cpu->gave_way_to = head;
	if (is_before(head + WAKE_UP_NS, vtime))
		scx_bpf_kick_cpu((int32_t)number, kernel_value(scx_kick_flags, SCX_KICK_PREEMPT));
}

SEC("struct_ops/running")
void BPF_PROG(berth_running, struct task_struct *task)
{
	uint32_t number = (uint32_t)scx_bpf_task_cpu(task);
	struct scx_cpu *cpu = cpu_find(number);
	if (!cpu)
		return;
	uint64_t vtime = held_to_clock(task, task->scx.dsq_vtime);
	task_set_vtime(task, vtime);
	cpu->began_ns = bpf_ktime_get_ns();
	cpu->began_vtime = vtime;
	cpu->weight = task->scx.weight;
	uint32_t borrower = borrower_of(task, cpu, number);
	cpu->is_borrowed = borrower != 0;
	if (borrower) {
		/* The owner woke after this CPU was claimed, and saw nobody to send away. */
		if (owners_waiting(cpu, borrower - 1) > 0)
			scx_bpf_kick_cpu((int32_t)number,
					 kernel_value(scx_kick_flags, SCX_KICK_PREEMPT));
		cpu->borrower = borrower;
		__sync_fetch_and_add(&nr_borrowers, 1);
		return;
	}
	if (is_before(clock_vtime, vtime))
		clock_vtime = vtime;
	give_way(task, cpu, number, vtime);
}

SEC("struct_ops/stopping")
void BPF_PROG(berth_stopping, struct task_struct *task, bool is_runnable)
{
	struct scx_cpu *cpu = cpu_find((uint32_t)scx_bpf_task_cpu(task));
	if (!cpu)
		return;
	uint64_t now_ns = bpf_ktime_get_ns(), ran_ns = now_ns - cpu->began_ns;
	struct scx_task *own = is_runnable ? NULL : task_find(task);
	if (own)
		own->slept_ns = now_ns;
	cpu->weight = 0;
	if (cpu->borrower) {
		cpu->borrower = 0;
		__sync_fetch_and_add(&nr_borrowers, -1);
	}
	if (!cpu->is_borrowed)
		cpu->owned_ns += ran_ns;
	task_set_vtime(task, task->scx.dsq_vtime + weighted_ns(task, ran_ns));
}

/* May the next task in line run here? Since 6.14 a CPU counts as idle before it is told so: who
 * queued a task before that saw it busy, and the task is seen here; who queues one later sees it
 * idle. */
static bool waits_for(const struct scx_cpu *cpu, uint32_t number)
{
	uint64_t queue = next_queue(cpu, NO_QUEUE);
	struct task_struct *task;
	bool is = false;
	if (queue == NO_QUEUE)
		return false;
	bpf_for_each(scx_dsq, task, queue, 0)
	{
		is = bpf_cpumask_test_cpu(number, task->cpus_ptr);
		break;
	}
	return is;
}

SEC("struct_ops/update_idle")
void BPF_PROG(berth_update_idle, int32_t number, bool is_idle)
{
	struct scx_cpu *cpu = cpu_find((uint32_t)number);
	uint64_t now_ns = bpf_ktime_get_ns();
	if (!cpu)
		return;
	window_close(cpu, (uint32_t)number, now_ns);
	if (!is_idle)
		cpu->idle_ns += idle_until(cpu, now_ns);
	else if (!cpu->is_idle)
		cpu->idle_since_ns = now_ns;
	cpu->is_idle = is_idle;
	if (!is_idle)
		return;
	lendable_note(cpu, (uint32_t)number, now_ns);
	if (waits_for(cpu, (uint32_t)number))
		scx_bpf_kick_cpu(number, kernel_value(scx_kick_flags, SCX_KICK_IDLE));
}

/* The child of a job's task is of the job. WHEN: at fork the parent is the current task. */
SEC("struct_ops/init_task")
int32_t BPF_PROG(berth_init_task, struct task_struct *task, struct scx_init_task_args *args)
{
	if (!args->fork)
		return 0;
	struct scx_task *parent = bpf_task_storage_get(&berth_tasks, bpf_get_current_task_btf(),
						       NULL, 0);
	if (!parent)
		return 0;
	struct scx_task *own = bpf_task_storage_get(&berth_tasks, task, NULL,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!own)
		return -ENOMEM;
	own->slot = parent->slot;
	own->generation = parent->generation;
	return 0;
}

SEC("struct_ops/enable")
void BPF_PROG(berth_enable, struct task_struct *task)
{
	task_set_vtime(task, clock_vtime);
}

static int make_mask(struct mask_slot *slot)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	if (!mask)
		return -ENOMEM;
	if (slot)
		mask = bpf_kptr_xchg(&slot->mask, mask);
	if (mask)
		bpf_cpumask_release(mask);
	return 0;
}

SEC("struct_ops.s/init")
int32_t BPF_PROG(berth_init)
{
	uint32_t key = 0;
	int i, error = make_mask(bpf_map_lookup_elem(&berth_lendable, &key));
	bpf_for(i, 0, settings.nr_cpus)
	{
		struct mask_slot *scratch = bpf_map_lookup_percpu_elem(&berth_scratch, &key,
								       (uint32_t)i);
		error = error ? error : make_mask(scratch);
	}
	bpf_for(i, 0, settings.nr_caches)
	{
		error = error ? error : scx_bpf_create_dsq(QUEUE_OF_CACHE + (uint64_t)i, ANY_NODE);
	}
	bpf_for(i, 0, SCX_MAX_JOBS)
	{
		error = error ? error : scx_bpf_create_dsq(QUEUE_OF_JOB + (uint64_t)i, ANY_NODE);
	}
	return error;
}

SEC("struct_ops/exit")
void BPF_PROG(berth_exit_all, struct scx_exit_info *info)
{
	uint32_t key = 0;
	struct scx_exit *kept = bpf_map_lookup_elem(&berth_exit, &key);
	if (!kept)
		return;
	bpf_probe_read_kernel_str(kept->reason, sizeof(kept->reason), info->reason);
	bpf_probe_read_kernel_str(kept->message, sizeof(kept->message), info->msg);
	kept->code = info->exit_code;
	kept->kind = (int32_t)info->kind;
}

static int set_mask(uint32_t key, const struct scx_mask *words)
{
	struct mask_slot *slot = bpf_map_lookup_elem(&berth_masks, &key);
	struct bpf_cpumask *mask = bpf_cpumask_create();
	int i;
	if (!mask)
		return -ENOMEM;
	bpf_for(i, 0, settings.nr_cpus)
	{
		if (mask_has(words, (uint32_t)i))
			bpf_cpumask_set_cpu((uint32_t)i, mask);
	}
	if (slot)
		mask = bpf_kptr_xchg(&slot->mask, mask);
	if (mask)
		bpf_cpumask_release(mask);
	return 0;
}

static void set_owner(uint32_t number, uint32_t slot, bool is_owner)
{
	struct scx_cpu *cpu = cpu_find(number);
	uint64_t bit = 1ULL << (slot & 63);
	if (!cpu)
		return;
	uint64_t *word = &cpu->owners[(slot / 64) & (SCX_JOB_WORDS - 1)];
	if (is_owner)
		__sync_fetch_and_or(word, bit);
	else
		__sync_fetch_and_and(word, ~bit);
}

/* What berth_request says: a job is added, changed, or removed. A removed job's CPUs go on serving
 * its queue until the slot is used again, so that nobody is left in it. */
SEC("syscall")
int berth_set(void *context)
{
	uint32_t key = 0;
	struct scx_request *request = bpf_map_lookup_elem(&berth_request, &key);
	int i, error = 0;
	if (!request || request->slot >= SCX_MAX_JOBS)
		return -EINVAL;
	uint32_t slot = request->slot;
	struct job_state *job = bpf_map_lookup_elem(&berth_jobs, &slot);
	if (!job)
		return -EINVAL;
	if (nr_slots <= slot) /* berths take turns, so nobody else writes it */
		nr_slots = slot + 1;
	job->generation = 0;
	if (request->generation == 0)
		return 0;
	job->soft = request->soft;
	job->nr_cpus = request->nr_cpus;
	job->nr_levels = request->nr_levels;
	job->preferred = request->preferred;
	job->summed_ns = 0;
	error = set_mask(slot * MASKS_PER_JOB, &request->preferred);
	bpf_for(i, 0, SCX_MAX_LEVELS)
	{
		job->distance[i & (SCX_MAX_LEVELS - 1)] =
			request->distance[i & (SCX_MAX_LEVELS - 1)];
		error = error ? error
			      : set_mask(slot * MASKS_PER_JOB + 1 + (uint32_t)i,
					 &request->level[i & (SCX_MAX_LEVELS - 1)]);
	}
	if (error)
		return error;
	bpf_for(i, 0, settings.nr_cpus)
	{
		set_owner((uint32_t)i, slot, mask_has(&request->preferred, (uint32_t)i));
	}
	job->generation = request->generation;
	return 0;
}

SEC(".struct_ops.link")
struct sched_ext_ops berth_ops = {
	.select_cpu = (void *)berth_select_cpu,
	.enqueue = (void *)berth_enqueue,
	.dispatch = (void *)berth_dispatch,
	.tick = (void *)berth_tick,
	.running = (void *)berth_running,
	.stopping = (void *)berth_stopping,
	.update_idle = (void *)berth_update_idle,
	.init_task = (void *)berth_init_task,
	.enable = (void *)berth_enable,
	.init = (void *)berth_init,
	.exit = (void *)berth_exit_all,
	.flags = OPS_KEEP_BUILTIN_IDLE | OPS_ENQ_LAST,
	.timeout_ms = 30000,
	.name = SCX_NAME,
};
