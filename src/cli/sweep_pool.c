/* SPDX-License-Identifier: MIT */
/*
 * The workers of a sweep.
 *
 *     jobs (longest first) --> fork --> pipe --> messages --> rows of a whole job --> ops->rows
 *                                 \--> died: halve the job, or lose its only row
 *
 * A worker's messages are kept until it has said that it ends well: what a dying one wrote is never
 * stored. If the parent dies, the kernel ends its workers (PR_SET_PDEATHSIG).
 *
 * Time left. A job's cost has two parts, until its recording is fed and after that; what a unit of
 * each takes is learned from the jobs at hand, for solving may be a hundred times what its weight
 * says. While nothing was solved yet, a unit of solving is taken to be one of feeding.
 */
#include "cli/sweep_pool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define POLL_MS	   200
#define READ_BYTES 65536

struct sweep_worker {
	pid_t pid; /* 0: idle */
	int fd;
	size_t job; /* index: the list may move */
	char *buffer;
	size_t nr_buffered, room;
	void **payloads; /* of its rows, each as malloc gave it */
	struct sweep_result *results;
	size_t nr_payloads, nr_results;
	uint64_t nr_fed;
	uint64_t started_ns, solving_ns; /* when; 0: not yet */
	bool has_ended, has_failed;
	char why[512];
};

struct pace { /* what a unit of cost takes */
	double ns, cost;
};

struct sweep_pool {
	struct sweep_plan *plan;
	const struct sweep_pool_ops *ops;
	void *context;
	struct sweep_worker *workers;
	unsigned nr_workers, nr_running;
	size_t next_job;
	struct pace feeding, solving; /* of jobs that are done with it */
	double done_ns;		      /* time of workers in jobs that are done */
	struct sweep_pool_usage *usage;
};

/* The child's life. Ctrl-C in a terminal reaches it too, but the parent decides. */
static void live_as_worker(const struct sweep_pool *pool, size_t job, int fd, pid_t parent)
{
	static const int signals[] = { SIGTERM, SIGHUP };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	signal(SIGINT, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
	_exit(sweep_work(pool->plan, &pool->plan->jobs[job], fd));
}

static int start_worker(struct sweep_pool *pool, struct sweep_worker *worker, struct printbuf *err)
{
	int ends[2];
	pid_t parent = getpid();
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, -errno, "a pipe to a worker: %s", error_text(-errno));
	pid_t pid = fork();
	if (pid < 0) {
		int error = -errno;
		close(ends[0]);
		close(ends[1]);
		return error_set(err, error, "a worker cannot be started: %s", error_text(error));
	}
	if (pid == 0) {
		close(ends[0]);
		live_as_worker(pool, pool->next_job, ends[1], parent);
	}
	close(ends[1]);
	*worker = (struct sweep_worker){
		.pid = pid, .fd = ends[0], .job = pool->next_job++, .started_ns = clock_now_ns()
	};
	pool->nr_running++;
	return 0;
}

static void forget_worker(struct sweep_worker *worker)
{
	if (worker->pid)
		close(worker->fd);
	for (size_t i = 0; i < worker->nr_payloads; i++)
		free(worker->payloads[i]);
	free(worker->payloads);
	free(worker->results);
	free(worker->buffer);
	*worker = (struct sweep_worker){ 0 };
}

/* Kept in memory of its own, so that what it holds is aligned and outlives the buffer. */
static int keep_row(struct sweep_pool *pool, struct sweep_worker *worker, const char *payload,
		    size_t nr_bytes)
{
	void *copy = malloc(MAX(nr_bytes, 1));
	void *payloads = copy ? sweep_append(worker->payloads, &worker->nr_payloads,
					     sizeof(*worker->payloads))
			      : NULL;
	if (!payloads) {
		free(copy);
		return -ENOMEM;
	}
	worker->payloads = payloads;
	worker->payloads[worker->nr_payloads - 1] = copy;
	memcpy(copy, payload, nr_bytes);
	void *results = sweep_append(worker->results, &worker->nr_results,
				     sizeof(*worker->results));
	if (!results)
		return -ENOMEM;
	worker->results = results;
	struct sweep_result *result = &worker->results[worker->nr_results - 1];
	if (sweep_result_read(copy, nr_bytes, result) ||
	    result->outcome.row >= pool->plan->nr_rows) {
		worker->nr_results--;
		return -EBADMSG;
	}
	return 0;
}

static void read_text(struct sweep_worker *worker, const char *payload, size_t nr_bytes)
{
	size_t len = MIN(strnlen(payload, nr_bytes), sizeof(worker->why) - 1);
	memcpy(worker->why, payload, len);
	worker->why[len] = '\0';
}

static void begin_solving(struct sweep_pool *pool, struct sweep_worker *worker)
{
	worker->solving_ns = clock_now_ns();
	pool->feeding.ns += (double)(worker->solving_ns - worker->started_ns);
	pool->feeding.cost += (double)pool->plan->jobs[worker->job].feed_cost;
}

static int take_message(struct sweep_pool *pool, struct sweep_worker *worker,
			const struct sweep_message *head, const char *payload, struct printbuf *err)
{
	uint64_t number = 0;
	struct sim_extent extent = { 0 };
	memcpy(&number, payload, MIN(head->nr_bytes, sizeof(number)));
	switch ((enum sweep_message_kind)head->kind) {
	case SWEEP_MESSAGE_PROGRESS:
		worker->nr_fed = number;
		if (number == UINT64_MAX)
			begin_solving(pool, worker);
		return 0;
	case SWEEP_MESSAGE_EXTENT:
		memcpy(&extent, payload, MIN(head->nr_bytes, sizeof(extent)));
		return pool->ops->extent(pool->context, pool->plan->jobs[worker->job].recording,
					 &extent, err);
	case SWEEP_MESSAGE_ROW:
		return keep_row(pool, worker, payload, head->nr_bytes);
	case SWEEP_MESSAGE_REMARK:
		read_text(worker, payload, head->nr_bytes);
		pool->ops->remark(pool->context, worker->why);
		return 0;
	case SWEEP_MESSAGE_FAILED:
		read_text(worker, payload, head->nr_bytes);
		worker->has_failed = true;
		return 0;
	case SWEEP_MESSAGE_END:
		pool->usage->cpu_ns += number;
		worker->has_ended = true;
		return 0;
	}
	return -EBADMSG;
}

static int take_messages(struct sweep_pool *pool, struct sweep_worker *worker, struct printbuf *err)
{
	struct sweep_message head;
	size_t at = 0;
	int error = 0;
	while (!error && worker->nr_buffered - at >= sizeof(head)) {
		memcpy(&head, worker->buffer + at, sizeof(head));
		if (head.nr_bytes > SWEEP_MESSAGE_MAX)
			return -EBADMSG;
		if (worker->nr_buffered - at - sizeof(head) < head.nr_bytes)
			break;
		error = take_message(pool, worker, &head, worker->buffer + at + sizeof(head), err);
		at += sizeof(head) + head.nr_bytes;
	}
	worker->nr_buffered -= at;
	memmove(worker->buffer, worker->buffer + at, worker->nr_buffered);
	return error;
}

/* 1: there may be more; 0: the worker has closed its end; negative: what it wrote is no message, or
 * could not be kept. */
static int read_worker(struct sweep_pool *pool, struct sweep_worker *worker, struct printbuf *err)
{
	if (worker->room - worker->nr_buffered < READ_BYTES) {
		size_t room = MAX(2 * worker->room, 2 * (size_t)READ_BYTES);
		char *buffer = realloc(worker->buffer, room);
		if (!buffer)
			return error_set(err, -ENOMEM, "out of memory");
		worker->buffer = buffer;
		worker->room = room;
	}
	ssize_t nr = read(worker->fd, worker->buffer + worker->nr_buffered, READ_BYTES);
	if (nr < 0)
		return errno == EINTR ? 1 : 0;
	worker->nr_buffered += (size_t)nr;
	int error = take_messages(pool, worker, err);
	return error ? error : nr > 0;
}

static int job_is_over(struct sweep_pool *pool, struct sweep_worker *worker, struct printbuf *err)
{
	const struct sweep_job *job = &pool->plan->jobs[worker->job];
	if (worker->solving_ns && job->solve_cost) {
		pool->solving.ns += (double)(clock_now_ns() - worker->solving_ns);
		pool->solving.cost += (double)job->solve_cost;
	}
	pool->done_ns += (double)(clock_now_ns() - worker->started_ns);
	if (worker->has_failed) {
		pool->ops->lost(pool->context, job, worker->why);
		return 0;
	}
	return job->is_measure
		       ? 0
		       : pool->ops->rows(pool->context, worker->results, worker->nr_results, err);
}

static int job_has_died(struct sweep_pool *pool, const struct sweep_worker *worker, int status,
			struct printbuf *err)
{
	const struct sweep_job *job = &pool->plan->jobs[worker->job];
	PRINTBUF(why);
	if (!job->is_measure && job->nr_rows > 1)
		return sweep_plan_halve(pool->plan, job) ? error_set(err, -ENOMEM, "out of memory")
							 : 0;
	if (WIFSIGNALED(status))
		prt_printf(&why, "the worker was ended by signal %d (%s)%s", WTERMSIG(status),
			   strsignal(WTERMSIG(status)),
			   WTERMSIG(status) == SIGKILL ? "; was memory short? --memory or a "
							 "smaller -j may help"
						       : "");
	else
		prt_printf(&why, "the worker left with status %d", WEXITSTATUS(status));
	pool->ops->lost(pool->context, job, printbuf_str(&why));
	return 0;
}

static int end_worker(struct sweep_pool *pool, struct sweep_worker *worker, struct printbuf *err)
{
	int status = 0;
	pid_t pid = 0;
	while ((pid = waitpid(worker->pid, &status, 0)) < 0 && errno == EINTR)
		;
	pool->nr_running--;
	int error = worker->has_ended ? job_is_over(pool, worker, err)
				      : job_has_died(pool, worker, pid < 0 ? 0 : status, err);
	forget_worker(worker);
	return error;
}

/* What a job takes in all, by the paces known; 0: none is. */
static double guess_ns(const struct pace *feeding, const struct pace *solving,
		       const struct sweep_job *job)
{
	double feed = feeding->cost > 0 ? feeding->ns / feeding->cost : 0;
	double solve = solving->cost > 0 ? solving->ns / solving->cost : feed;
	return feed * (double)job->feed_cost + solve * (double)job->solve_cost;
}

/* Paces with what the running jobs have shown so far. */
static struct pace feeding_pace(const struct sweep_pool *pool, uint64_t now)
{
	struct pace pace = pool->feeding;
	for (unsigned i = 0; i < pool->nr_workers; i++) {
		const struct sweep_worker *worker = &pool->workers[i];
		if (!worker->pid || worker->solving_ns || !worker->nr_fed)
			continue;
		const struct sweep_job *job = &pool->plan->jobs[worker->job];
		uint64_t nr_events = pool->plan->recordings[job->recording].nr_events + 1;
		pace.ns += (double)(now - worker->started_ns);
		pace.cost += (double)job->feed_cost * (double)MIN(worker->nr_fed, nr_events) /
			     (double)nr_events;
	}
	return pace;
}

/* Of a job that takes longer than was guessed nobody knows: say as much again as a third. */
static void tell_progress(struct sweep_pool *pool)
{
	uint64_t now = clock_now_ns();
	struct pace feeding = feeding_pace(pool, now);
	struct sweep_progress progress = { .left_ns = UINT64_MAX };
	double done = pool->done_ns, left = 0;
	for (size_t i = pool->next_job; i < pool->plan->nr_jobs; i++)
		left += guess_ns(&feeding, &pool->solving, &pool->plan->jobs[i]);
	for (unsigned i = 0; i < pool->nr_workers; i++) {
		const struct sweep_worker *worker = &pool->workers[i];
		if (!worker->pid)
			continue;
		double guess = guess_ns(&feeding, &pool->solving, &pool->plan->jobs[worker->job]);
		double spent = (double)(now - worker->started_ns);
		done += spent;
		left += MAX(guess - spent, spent / 3);
		progress.nr_solving += worker->solving_ns &&
				       pool->plan->jobs[worker->job].solve_cost;
	}
	progress.share = done + left > 0 ? done / (done + left) : 0;
	if (feeding.cost > 0)
		progress.left_ns = (uint64_t)(left / pool->nr_workers);
	pool->ops->progress(pool->context, &progress);
}

/* Waits for news of the workers, and takes it. */
static int listen(struct sweep_pool *pool, struct printbuf *err)
{
	struct pollfd polls[SWEEP_WORKERS_MAX];
	int error = 0;
	for (unsigned i = 0; i < pool->nr_workers; i++)
		polls[i] = (struct pollfd){ pool->workers[i].pid ? pool->workers[i].fd : -1, POLLIN,
					    0 };
	if (poll(polls, pool->nr_workers, POLL_MS) < 0)
		return 0; /* a signal: the caller looks at it */
	for (unsigned i = 0; !error && i < pool->nr_workers; i++) {
		struct sweep_worker *worker = &pool->workers[i];
		if (polls[i].fd < 0 || !polls[i].revents)
			continue;
		int more = read_worker(pool, worker, err);
		if (more == -EBADMSG) { /* as if it had died here */
			kill(worker->pid, SIGKILL);
			worker->has_ended = false;
		} else if (more < 0) {
			error = more;
		}
		if (!error && more != 1)
			error = end_worker(pool, worker, err);
	}
	tell_progress(pool);
	return error;
}

static int fill(struct sweep_pool *pool, struct printbuf *err)
{
	int error = 0;
	for (unsigned i = 0; !error && i < pool->nr_workers; i++)
		if (!pool->workers[i].pid && pool->next_job < pool->plan->nr_jobs)
			error = start_worker(pool, &pool->workers[i], err);
	/* With one worker running a refusal to start another is no reason to stop. */
	return error && pool->nr_running ? 0 : error;
}

static void end_all(struct sweep_pool *pool)
{
	for (unsigned i = 0; i < pool->nr_workers; i++) {
		struct sweep_worker *worker = &pool->workers[i];
		if (!worker->pid)
			continue;
		kill(worker->pid, SIGKILL);
		while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
			;
		forget_worker(worker);
	}
}

int sweep_pool_run(struct sweep_plan *plan, unsigned nr_workers, const volatile sig_atomic_t *stop,
		   const struct sweep_pool_ops *ops, void *context, struct sweep_pool_usage *usage,
		   struct printbuf *err)
{
	struct sweep_pool pool = { .plan = plan,
				   .ops = ops,
				   .context = context,
				   .nr_workers = nr_workers,
				   .usage = usage };
	int error = 0;
	pool.workers = calloc(nr_workers, sizeof(*pool.workers));
	if (!pool.workers)
		return error_set(err, -ENOMEM, "out of memory");
	while (!error && (pool.nr_running || pool.next_job < plan->nr_jobs)) {
		PRINTBUF(why);
		error = *stop ? -EINTR : fill(&pool, &why);
		if (error && error != -EINTR)
			prt_str(err, printbuf_str(&why));
		if (!error)
			error = listen(&pool, err);
	}
	end_all(&pool);
	free(pool.workers);
	return error;
}
