/* SPDX-License-Identifier: MIT */
/*
 * What the tasks of each kind of job do. A program is a step function: the work of one step is
 * done, what it brings about happens now (a message is sent, a reader woken), and the next step's
 * work is set, or the task sleeps or ends.
 *
 *   hackbench:  sender:   work, put into the next receiver's pipe (full: sleep until half of it is
 *                         read); until all are sent
 *               receiver: pipe empty: sleep; take a message, work; until all are read
 *   users:      think (twice the average at most), work on a transaction (half to one and a half)
 *   batch:      work without end
 *   periodic:   sleep until the next period, work; a period that is over already starts at once
 *
 * The tasks of a job start one after the other and wait until all are there.
 * Data that another cache wrote costs more: a message by where its writer was, a transaction by the
 * share of the job's running tasks that are in other caches now.
 */
#include "sim/cpu/internal.h"

static void sleep_until(struct cpusim *sim, uint32_t number, uint64_t time_ns)
{
	sim->tasks[number].state = TASK_ASLEEP;
	event_set(sim, sim->nr_cpus + number, time_ns);
}

static bool begin(struct task *task, uint64_t work_ns)
{
	task->work_ns = work_ns ? work_ns : 1;
	task->is_finishing = true;
	return true;
}

static bool end(struct cpusim *sim, uint32_t number)
{
	sim->tasks[number].state = TASK_DONE;
	sim->jobs[sim->tasks[number].load].nr_left--;
	sim->nr_settled[sim->tasks[number].cpu]--;
	return false;
}

static uint64_t shared_ns(const struct cpusim *sim, const struct task *task, uint64_t work_ns)
{
	const struct job *job = &sim->jobs[task->load];
	uint64_t all = job->nr_running_all, here = job->nr_running[sim->states[task->cpu].cache];
	return all ? work_ns * job->spec->shared_bp / ALL_BP * (all - here) / all : 0;
}

static void wake_blocked(struct cpusim *sim, struct pipe *pipe, uint32_t waker_cpu)
{
	uint32_t number = pipe->first_blocked;
	pipe->first_blocked = pipe->last_blocked = NOBODY;
	while (number != NOBODY) {
		uint32_t next = sim->tasks[number].blocked_next;
		cpu_wake(sim, number, waker_cpu, true);
		number = next;
	}
}

static bool block(struct cpusim *sim, uint32_t number, struct pipe *pipe)
{
	struct task *task = &sim->tasks[number];
	task->state = TASK_ASLEEP;
	task->blocked_next = NOBODY;
	if (pipe->first_blocked == NOBODY)
		pipe->first_blocked = number;
	else
		sim->tasks[pipe->last_blocked].blocked_next = number;
	pipe->last_blocked = number;
	return false;
}

/* An eighth more or less, evenly: no two messages are alike. */
static uint64_t message_ns(struct cpusim *sim, const struct job *job)
{
	uint64_t work_ns = job->spec->work_ns;
	return work_ns - work_ns / 8 + random_below(&sim->random, work_ns / 4 + 1);
}

static bool send(struct cpusim *sim, uint32_t number)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	uint32_t group = task->index / (2 * SENDERS), receiver = task->step % SENDERS;
	struct pipe *pipe = &job->pipes[group * SENDERS + receiver];
	if (!task->is_finishing)
		return begin(task, message_ns(sim, job));
	if (pipe->nr_messages >= job->spec->nr_deep)
		return block(sim, number, pipe);
	pipe->nr_messages++;
	pipe->writer_cpu = task->cpu;
	task->step++;
	if (pipe->is_reader_asleep) {
		pipe->is_reader_asleep = false;
		cpu_wake(sim, job->first_task + group * 2 * SENDERS + SENDERS + receiver, task->cpu,
			 true);
	}
	if (task->step == job->spec->nr_loops * SENDERS)
		return end(sim, number);
	return begin(task, message_ns(sim, job));
}

static bool receive(struct cpusim *sim, uint32_t number)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	uint32_t group = task->index / (2 * SENDERS);
	struct pipe *pipe = &job->pipes[group * SENDERS + task->index % (2 * SENDERS) - SENDERS];
	if (task->is_finishing) {
		job->result.nr_done++;
		job->result.finished_ns = sim->now_ns;
		task->step++;
		task->is_finishing = false;
		if (task->step == job->spec->nr_loops * SENDERS)
			return end(sim, number);
	}
	if (pipe->nr_messages == 0) {
		pipe->is_reader_asleep = true;
		task->state = TASK_ASLEEP;
		return false;
	}
	pipe->nr_messages--;
	if (pipe->nr_messages <= job->spec->nr_deep / 2) /* half is empty */
		wake_blocked(sim, pipe, task->cpu);
	uint64_t work_ns = message_ns(sim, job);
	if (sim->states[pipe->writer_cpu].cache != sim->states[task->cpu].cache)
		work_ns += work_ns * job->spec->shared_bp / ALL_BP;
	return begin(task, work_ns);
}

static bool use(struct cpusim *sim, uint32_t number)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	if (!task->is_finishing) {
		uint64_t work_ns = job->spec->work_ns / 2 +
				   random_below(&sim->random, job->spec->work_ns + 1);
		return begin(task, work_ns + shared_ns(sim, task, work_ns));
	}
	job->result.nr_done++;
	task->is_finishing = false;
	sleep_until(sim, number,
		    sim->now_ns + 1 + random_below(&sim->random, 2 * job->spec->sleep_ns + 1));
	return false;
}

static bool compute(struct cpusim *sim, uint32_t number)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	job->result.nr_done += task->is_finishing;
	return begin(task, job->spec->work_ns + shared_ns(sim, task, job->spec->work_ns));
}

static bool repeat(struct cpusim *sim, uint32_t number)
{
	struct task *task = &sim->tasks[number];
	struct job *job = &sim->jobs[task->load];
	if (!task->is_finishing) {
		task->period_ns = task->period_ns ? task->period_ns : sim->now_ns;
		return begin(task, job->spec->work_ns);
	}
	job->result.nr_done++;
	task->period_ns += job->spec->sleep_ns;
	task->is_finishing = false;
	if (task->period_ns <= sim->now_ns)
		return begin(task, job->spec->work_ns);
	sleep_until(sim, number, task->period_ns);
	return false;
}

bool program_next(struct cpusim *sim, uint32_t number)
{
	const struct task *task = &sim->tasks[number];
	uint64_t start_ns = sim->jobs[task->load].result.started_ns;
	if (sim->now_ns < start_ns) {
		sleep_until(sim, number, start_ns);
		return false;
	}
	switch (sim->jobs[task->load].spec->kind) {
	case CPUSIM_HACKBENCH:
		if (task->index % (2 * SENDERS) < SENDERS)
			return send(sim, number);
		return receive(sim, number);
	case CPUSIM_USERS:
		return use(sim, number);
	case CPUSIM_BATCH:
		return compute(sim, number);
	case CPUSIM_PERIODIC:
		return repeat(sim, number);
	}
	return end(sim, number);
}
