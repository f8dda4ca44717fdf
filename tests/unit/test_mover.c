/* SPDX-License-Identifier: MIT */
/*
 * The mover's thread and queues, over a kernel that is an array: every page is told of once,
 * whatever the kernel answers, however much is asked for, and when the process ends meanwhile.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/mover_move_pages.h"
#include "linux/movers.h"

#define PAGES	   ((uint64_t)1 << 18)
#define MANY	   70000
#define WAIT_MS	   100000 /* for what comes at once on an idle machine */
#define CALLS_MAX  64
#define PAGE_BYTES 4096

static struct {
	pthread_mutex_t lock;
	uint8_t node[PAGES]; /* where each page is, as an id */
	int status[PAGES];   /* of a page that is refused: its error; 0: it moves */
	int64_t call_error;  /* of the whole call */
	int where_error;
	pid_t dead;		   /* a call for it is a mistake */
	pid_t kill_at_move;	   /* ends in the middle of its first move */
	useconds_t sleep_us;	   /* of each call */
	bool is_gated;		   /* calls wait */
	uint64_t first[CALLS_MAX]; /* page of each call */
	int to[CALLS_MAX];
	uint32_t nr_calls, nr_mistakes;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t page_of(const void *address)
{
	return (uintptr_t)address / PAGE_BYTES % PAGES;
}

static int fake_where(pid_t pid, size_t nr, void *const *pages, int *ret_nodes)
{
	pthread_mutex_lock(&fake.lock);
	fake.nr_mistakes += pid == fake.dead;
	int error = fake.where_error;
	for (size_t i = 0; i < nr && !error; i++)
		ret_nodes[i] = fake.node[page_of(pages[i])];
	pthread_mutex_unlock(&fake.lock);
	return error;
}

static void gate(bool is_gated)
{
	pthread_mutex_lock(&fake.lock);
	fake.is_gated = is_gated;
	pthread_mutex_unlock(&fake.lock);
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fake.dead = pid;
}

static int64_t move_pages(const int *nodes, void *const *pages, size_t nr, int *ret_nodes)
{
	int64_t nr_failed = 0;
	if (fake.call_error)
		return fake.call_error;
	for (size_t i = 0; i < nr; i++) {
		uint64_t page = page_of(pages[i]);
		if (fake.status[page]) {
			ret_nodes[i] = fake.status[page];
			nr_failed++;
			continue;
		}
		fake.node[page] = (uint8_t)nodes[i];
		ret_nodes[i] = nodes[i];
	}
	return nr_failed;
}

static int64_t fake_move(pid_t pid, size_t nr, void *const *pages, const int *nodes, int *ret_nodes)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.is_gated) {
		pthread_mutex_unlock(&fake.lock);
		usleep(100);
		pthread_mutex_lock(&fake.lock);
	}
	if (fake.nr_calls < CALLS_MAX) {
		fake.first[fake.nr_calls] = page_of(pages[0]);
		fake.to[fake.nr_calls] = nodes[0];
	}
	fake.nr_calls++;
	int64_t result = move_pages(nodes, pages, nr, ret_nodes);
	if (pid == fake.kill_at_move)
		end_process(pid);
	useconds_t sleep_us = fake.sleep_us;
	pthread_mutex_unlock(&fake.lock);
	usleep(sleep_us);
	return result;
}

struct fixture {
	struct root root;
	struct machine *machine;
	struct live live;
	const struct live_mover *ops;
	void *mover;
	char directory[32];
};

static void add_space(struct live *live, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pidfd >= 0);
	live->spaces = realloc(live->spaces, (live->nr_spaces + 1) * sizeof(*live->spaces));
	live->job_of = realloc(live->job_of, (live->nr_spaces + 1) * sizeof(*live->job_of));
	live->job_of[live->nr_spaces] = 0;
	live->spaces[live->nr_spaces++] = (struct live_space){ .pid = pid, .pidfd = pidfd };
	live->nr_alive++;
}

static void begin(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	memset(fake.node, 1, sizeof(fake.node));
	memset(fake.status, 0, sizeof(fake.status));
	fake.call_error = fake.where_error = 0;
	fake.dead = fake.kill_at_move = -1;
	fake.sleep_us = 0;
	fake.is_gated = false;
	fake.nr_calls = fake.nr_mistakes = 0;
	move_calls = (struct move_calls){ fake_where, fake_move };
	strcpy(fixture->directory, "/tmp/berth-mover-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	/* Without /proc/kpageflags: folios are not told apart, nor kinds of pages. */
	fixture->root.fd = open(fixture->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->root.fd >= 0);
	assert_int_equal(machine_parse("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns",
				       &fixture->machine, NULL),
			 0);
	fixture->live.root = &fixture->root;
	fixture->live.machine = fixture->machine;
	add_space(&fixture->live, getpid());
	fixture->ops = &live_mover_move_pages;
	assert_int_equal(fixture->ops->new (&fixture->live, &fixture->mover, NULL), 0);
}

static void end(struct fixture *fixture)
{
	fixture->ops->free(fixture->mover);
	for (uint32_t i = 0; i < fixture->live.nr_spaces; i++)
		if (fixture->live.spaces[i].pidfd >= 0)
			close(fixture->live.spaces[i].pidfd);
	free(fixture->live.spaces);
	free(fixture->live.job_of);
	machine_free(fixture->machine);
	close(fixture->root.fd);
	rmdir(fixture->directory);
	assert_int_equal(fake.nr_mistakes, 0);
}

static uint32_t submit(struct fixture *fixture, const struct plan_move *moves, uint32_t nr)
{
	int taken = fixture->ops->ops->submit(fixture->mover, moves, nr, clock_now_ns());
	assert_true(taken >= 0);
	return (uint32_t)taken;
}

/* Takes results until that many pages were told of, and lets none be told of twice. */
static void collect(struct fixture *fixture, uint64_t nr_pages, uint8_t *outcomes)
{
	struct move_result results[100];
	struct pollfd ask = { fixture->ops->fd(fixture->mover), POLLIN, 0 };
	uint64_t nr_told = 0;
	uint64_t limit_ns = clock_now_ns() + (uint64_t)WAIT_MS * NS_PER_MS;
	while (nr_told < nr_pages) {
		assert_true(clock_now_ns() < limit_ns);
		poll(&ask, 1, 5); /* what is known to stay does not wake */
		int nr = 1;
		while (nr > 0) {
			nr = fixture->ops->ops->complete(fixture->mover, results,
							 ARRAY_SIZE(results), 0);
			assert_true(nr >= 0);
			for (int i = 0; i < nr; i++) {
				for (uint64_t j = 0; j < results[i].nr_pages; j++) {
					uint8_t *outcome = &outcomes[results[i].page + j];
					assert_int_equal(*outcome, MOVE_NR_OUTCOMES);
					*outcome = results[i].outcome;
				}
				nr_told += results[i].nr_pages;
			}
		}
	}
	assert_int_equal(nr_told, nr_pages);
	assert_int_equal(poll(&ask, 1, 0), 0); /* what was taken does not wake again */
}

static bool wakes(struct fixture *fixture, int wait_ms)
{
	struct pollfd ask = { fixture->ops->fd(fixture->mover), POLLIN, 0 };
	return poll(&ask, 1, wait_ms) == 1;
}

static uint8_t *new_outcomes(void)
{
	uint8_t *outcomes = malloc(PAGES);
	assert_non_null(outcomes);
	memset(outcomes, MOVE_NR_OUTCOMES, PAGES);
	return outcomes;
}

static struct plan_move move_of(uint32_t space, uint64_t page, uint64_t nr_pages, uint32_t to)
{
	return (struct plan_move){
		.page = page, .nr_pages = nr_pages, .space = space, .from = !to, .to = to
	};
}

static uint32_t nr_calls(void)
{
	pthread_mutex_lock(&fake.lock);
	uint32_t nr = fake.nr_calls;
	pthread_mutex_unlock(&fake.lock);
	return nr;
}

static void test_pages_move_and_are_told_of_once(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move moves[] = { move_of(0, 0, 5000, 0), move_of(0, 10000, 1, 0),
				     move_of(0, 10001, 1, 0), move_of(0, 20000, 3, 1) };
	(void)state;
	begin(&fixture);
	assert_int_equal(submit(&fixture, moves, 4), 4);
	assert_true(wakes(&fixture, WAIT_MS));
	collect(&fixture, 5005, outcomes);
	for (uint64_t page = 0; page < PAGES; page++) {
		bool is_moved = page < 5000 || page == 10000 || page == 10001;
		bool is_there = page >= 20000 && page < 20003;
		assert_int_equal(outcomes[page], is_moved   ? MOVE_DONE
						 : is_there ? MOVE_REFUSED_THERE
							    : MOVE_NR_OUTCOMES);
		assert_int_equal(fake.node[page], is_moved ? 0 : 1);
	}
	assert_true(fixture.live.moving_ns > 0);
	end(&fixture);
	free(outcomes);
}

/* What the queue has no room for is not taken, and nothing of what was is lost. */
static void test_more_than_the_queue_holds(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move *moves = calloc(MANY, sizeof(*moves));
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		moves[i] = move_of(0, i * 2, 1, 0);
	begin(&fixture);
	gate(true);
	uint32_t taken = submit(&fixture, moves, MANY);
	assert_in_range(taken, MOVER_RUNS_MAX, MOVER_RUNS_MAX + 2048);
	gate(false);
	for (uint32_t done = taken; done < MANY; done += taken) {
		collect(&fixture, taken, outcomes);
		taken = submit(&fixture, moves + done, MANY - done);
		assert_true(taken > 0);
	}
	collect(&fixture, taken, outcomes);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(outcomes[page],
				 page % 2 == 0 && page / 2 < MANY ? MOVE_DONE : MOVE_NR_OUTCOMES);
	end(&fixture);
	free(moves);
	free(outcomes);
}

/* One move may be larger than all that may wait, when nothing else does. */
static void test_a_move_of_any_size(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move all = move_of(0, 0, PAGES - 1, 0), one = move_of(0, PAGES - 1, 1, 0);
	(void)state;
	begin(&fixture);
	gate(true);
	assert_int_equal(submit(&fixture, &all, 1), 1);
	assert_int_equal(submit(&fixture, &one, 1), 0);
	gate(false);
	collect(&fixture, PAGES - 1, outcomes);
	assert_int_equal(submit(&fixture, &one, 1), 1);
	collect(&fixture, 1, outcomes);
	end(&fixture);
	free(outcomes);
}

/* A huge folio goes with the first of its pages: its other ones are in the same batch. */
static void test_batches_cut_no_folio(void **state)
{
	struct fixture fixture;
	struct move_result results[100];
	struct plan_move moves[] = { move_of(0, 700, 100, 0), move_of(0, 1024, 9 * 512, 0) };
	uint64_t nr_told = 0, limit_ns = clock_now_ns() + (uint64_t)WAIT_MS * NS_PER_MS;
	(void)state;
	begin(&fixture);
	gate(true);
	assert_int_equal(submit(&fixture, moves, 2), 2);
	gate(false);
	while (nr_told < 100 + 9 * 512) {
		assert_true(clock_now_ns() < limit_ns);
		int nr = fixture.ops->ops->complete(fixture.mover, results, 100, 0);
		for (int i = 0; i < nr; i++) {
			nr_told += results[i].nr_pages;
			if (results[i].page >= 1024) { /* a result is of one batch */
				assert_int_equal(results[i].page % 512, 0);
				assert_int_equal(results[i].nr_pages % 512, 0);
			}
		}
	}
	end(&fixture);
}

static void test_slower_nodes_first(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move moves[] = { move_of(0, 100, 1, 0), move_of(0, 200, 1, 1),
				     move_of(0, 300, 1, 0) };
	(void)state;
	begin(&fixture);
	fake.node[200] = 0;
	assert_int_equal(submit(&fixture, moves, 3), 3);
	collect(&fixture, 3, outcomes);
	assert_int_equal(fake.nr_calls, 2);
	assert_int_equal(fake.to[0], 1);
	assert_int_equal(fake.first[0], 200);
	assert_int_equal(fake.to[1], 0);
	assert_int_equal(fake.first[1], 100);
	end(&fixture);
	free(outcomes);
}

/* What a cap claims comes in front of what waits, however much that is, and is not paced. */
static void test_claims_come_first(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move all = move_of(0, 0, MANY, 0), claim = move_of(0, 100000, 300, 1);
	uint64_t limit_ns = clock_now_ns() + (uint64_t)WAIT_MS * NS_PER_MS;
	(void)state;
	claim.is_claimed = true;
	begin(&fixture);
	memset(fake.node + 100000, 0, 300);
	fake.sleep_us = 1000;
	assert_int_equal(submit(&fixture, &all, 1), 1);
	for (uint32_t nr_calls = 0; nr_calls == 0;) { /* the first batch is under way */
		assert_true(clock_now_ns() < limit_ns);
		pthread_mutex_lock(&fake.lock);
		nr_calls = fake.nr_calls;
		fake.is_gated = nr_calls > 0;
		pthread_mutex_unlock(&fake.lock);
	}
	assert_int_equal(submit(&fixture, &claim, 1), 1);
	claim.page = 100300; /* goes on where that ends */
	claim.nr_pages = 100;
	memset(fake.node + 100300, 0, 100);
	assert_int_equal(submit(&fixture, &claim, 1), 1);
	uint32_t nr_before = fake.nr_calls;
	gate(false);
	collect(&fixture, MANY + 400, outcomes);
	bool is_early = false;
	for (uint32_t i = nr_before; i < MIN(nr_before + 3, CALLS_MAX); i++)
		is_early |= fake.first[i] == 100000 && fake.to[i] == 1;
	assert_true(is_early);
	end(&fixture);
	free(outcomes);
}

static void test_closing_leaves_what_waits(void **state)
{
	struct fixture fixture;
	struct plan_move all = move_of(0, 0, PAGES, 0);
	(void)state;
	begin(&fixture);
	fake.sleep_us = 2000;
	assert_int_equal(submit(&fixture, &all, 1), 1);
	end(&fixture);
	assert_in_range(fake.nr_calls, 0, PAGES / 2048 - 1);
	begin(&fixture);
	end(&fixture); /* with nothing ever asked for */
}

static void test_finishing_tells_of_all_that_moved(void **state)
{
	struct fixture fixture;
	struct plan_move all = move_of(0, 0, PAGES, 0);
	struct move_result results[100];
	uint64_t nr_told = 0, nr_moved = 0;
	int nr = 0;
	(void)state;
	begin(&fixture);
	fake.sleep_us = 2000;
	assert_int_equal(submit(&fixture, &all, 1), 1);
	uint64_t limit_ns = clock_now_ns() + (uint64_t)WAIT_MS * NS_PER_MS;
	while (nr_calls() < 2 && clock_now_ns() < limit_ns)
		usleep(500);
	fixture.ops->finish(fixture.mover);
	while ((nr = fixture.ops->ops->complete(fixture.mover, results, 100, 0)) > 0)
		for (int i = 0; i < nr; i++)
			nr_told += results[i].outcome == MOVE_DONE ? results[i].nr_pages : 0;
	for (uint64_t page = 0; page < PAGES; page++)
		nr_moved += fake.node[page] == 0;
	assert_true(nr_moved > 0 && nr_moved < PAGES);
	assert_int_equal(nr_told, nr_moved);
	assert_int_equal(submit(&fixture, &all, 1), 0);
	end(&fixture);
}

/* Its pid may be somebody else's after that: no call may be made for it. */
static void test_process_ends_while_its_pages_move(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move moves[] = { move_of(1, 0, 5000, 0), move_of(0, 8192, 10, 0) };
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
		pause();
		_exit(0);
	}
	begin(&fixture);
	add_space(&fixture.live, child);
	fake.kill_at_move = child;
	assert_int_equal(submit(&fixture, moves, 2), 2);
	collect(&fixture, 5010, outcomes);
	assert_int_equal(fake.nr_calls, 2);
	for (uint64_t page = 2048; page < 5000; page++)
		assert_int_equal(outcomes[page], MOVE_REFUSED_GONE);
	for (uint64_t page = 8192; page < 8202; page++)
		assert_int_equal(outcomes[page], MOVE_DONE);
	/* Asked for later: its space is not there any more. */
	struct plan_move late = move_of(1, 100000, 1, 0);
	assert_int_equal(submit(&fixture, &late, 1), 1);
	collect(&fixture, 1, outcomes);
	assert_int_equal(outcomes[100000], MOVE_REFUSED_GONE);
	end(&fixture);
	free(outcomes);
}

/* All errors of move_pages(2), of a page and of the call: told, and none is tried at once again
 * where that would only be refused again. */
static void test_each_error_of_the_kernel(void **state)
{
	static const struct {
		int error;
		enum move_outcome of_page, of_call;
		bool is_left_alone;
	} cases[] = {
		{ -ENOENT, MOVE_REFUSED_BUSY, MOVE_REFUSED_GONE, true },
		{ -EBUSY, MOVE_REFUSED_BUSY, MOVE_REFUSED_BUSY, true },
		{ -EPERM, MOVE_REFUSED_DENIED, MOVE_REFUSED_DENIED, true },
		{ -EACCES, MOVE_REFUSED_BUSY, MOVE_REFUSED_DENIED, true },
		{ -ESRCH, MOVE_REFUSED_GONE, MOVE_REFUSED_GONE, false },
		{ -ENOMEM, MOVE_REFUSED_FULL, MOVE_REFUSED_FULL, false },
		{ -ENODEV, MOVE_REFUSED_DENIED, MOVE_REFUSED_DENIED, true },
		{ -EINVAL, MOVE_REFUSED_BUSY, MOVE_REFUSED_BUSY, true },
		{ -EFAULT, MOVE_REFUSED_GONE, MOVE_REFUSED_GONE, false },
		{ -E2BIG, MOVE_REFUSED_BUSY, MOVE_REFUSED_BUSY, true },
	};
	struct fixture fixture;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *outcomes = new_outcomes();
		struct plan_move page = move_of(0, 50, 1, 0), call = move_of(0, 5000, 2, 0);
		begin(&fixture);
		fake.status[50] = cases[i].error;
		assert_int_equal(submit(&fixture, &page, 1), 1);
		collect(&fixture, 1, outcomes);
		assert_int_equal(outcomes[50], cases[i].of_page);
		outcomes[50] = MOVE_NR_OUTCOMES;
		fake.status[50] = 0;
		assert_int_equal(submit(&fixture, &page, 1), 1);
		collect(&fixture, 1, outcomes);
		assert_int_equal(outcomes[50],
				 cases[i].is_left_alone ? MOVE_REFUSED_BUSY : MOVE_DONE);
		fake.call_error = cases[i].error;
		assert_int_equal(submit(&fixture, &call, 1), 1);
		collect(&fixture, 2, outcomes);
		assert_int_equal(outcomes[5000], cases[i].of_call);
		assert_int_equal(outcomes[5001], cases[i].of_call);
		end(&fixture);
		free(outcomes);
	}
}

/* Where pages are cannot be asked: they are told of all the same. */
static void test_places_that_cannot_be_asked(void **state)
{
	static const struct {
		int error;
		enum move_outcome outcome;
	} cases[] = { { -ESRCH, MOVE_REFUSED_GONE },
		      { -EINVAL, MOVE_REFUSED_GONE },
		      { -EPERM, MOVE_UNKNOWN },
		      { -ENOMEM, MOVE_UNKNOWN } };
	struct fixture fixture;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *outcomes = new_outcomes();
		struct plan_move move = move_of(0, 7, 3, 0);
		begin(&fixture);
		fake.where_error = cases[i].error;
		assert_int_equal(submit(&fixture, &move, 1), 1);
		collect(&fixture, 3, outcomes);
		assert_int_equal(outcomes[7], cases[i].outcome);
		assert_int_equal(fake.nr_calls, 0);
		end(&fixture);
		free(outcomes);
	}
}

/* Plans at random, in pieces, results taken now and then: as much is told of as was taken. */
static void test_random_plans(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	uint64_t at = 0, seed = 88172645463325252u, nr_asked = 0;
	(void)state;
	begin(&fixture);
	for (uint64_t page = 0; page < PAGES; page += 7)
		fake.status[page] = -EBUSY;
	while (at + 4096 < PAGES) {
		struct plan_move moves[40];
		uint32_t nr = 0;
		for (; nr < 40 && at + 4096 < PAGES; nr++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			uint64_t nr_pages = seed % 5 ? seed % 3 + 1 : seed % 3000 + 1;
			moves[nr] = move_of(0, at, nr_pages, seed >> 20 & 1);
			at += nr_pages + (seed >> 30) % 3;
		}
		for (uint32_t done = 0; done < nr;) {
			uint32_t taken = submit(&fixture, moves + done, nr - done);
			nr_asked = 0;
			for (uint32_t i = done; i < done + taken; i++)
				nr_asked += moves[i].nr_pages;
			collect(&fixture, nr_asked, outcomes);
			done += taken;
		}
	}
	for (uint64_t page = 0; page < PAGES; page++)
		assert_true(outcomes[page] == MOVE_DONE || outcomes[page] == MOVE_REFUSED_BUSY ||
			    outcomes[page] == MOVE_REFUSED_THERE ||
			    outcomes[page] == MOVE_NR_OUTCOMES);
	struct mover_figures figures;
	fixture.ops->figures(fixture.mover, &figures);
	assert_in_range(figures.unmovable_pages[UNMOVABLE_OTHER], 1, PAGES / 7 + 1);
	end(&fixture);
	free(outcomes);
}

/* Asked for at every tick: it costs no call, and does not wake who would ask again. */
static void test_what_is_known_to_stay(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move move = move_of(0, 40, 4, 0);
	(void)state;
	begin(&fixture);
	for (uint64_t page = 40; page < 44; page++)
		fake.status[page] = -EBUSY;
	assert_int_equal(submit(&fixture, &move, 1), 1);
	assert_true(wakes(&fixture, WAIT_MS));
	collect(&fixture, 4, outcomes);
	for (unsigned i = 0; i < 5; i++) {
		memset(outcomes, MOVE_NR_OUTCOMES, PAGES);
		assert_int_equal(submit(&fixture, &move, 1), 1);
		collect(&fixture, 4, outcomes);
		assert_int_equal(outcomes[43], MOVE_REFUSED_BUSY);
	}
	assert_false(wakes(&fixture, 120));
	assert_int_equal(fake.nr_calls, 1);
	struct mover_figures figures;
	fixture.ops->figures(fixture.mover, &figures);
	assert_int_equal(figures.nr_left_pages, 20);
	end(&fixture);
	free(outcomes);
}

/* The kernel ends a call with the first chunk that does not migrate whole. */
static int64_t chunked_move(pid_t pid, size_t nr, void *const *pages, const int *nodes,
			    int *ret_nodes)
{
	bool has_failed = false;
	size_t start = 0, at = 0;
	(void)pid;
	pthread_mutex_lock(&fake.lock);
	fake.nr_calls++;
	for (; at <= nr && !has_failed; at++) {
		uint64_t page = at < nr ? page_of(pages[at]) : 0;
		if (at < nr && fake.status[page] != -EACCES)
			continue;
		if (at < nr)
			ret_nodes[at] = -EACCES;
		for (size_t i = start; i < at; i++) {
			bool moves = fake.status[page_of(pages[i])] == 0;
			has_failed |= !moves;
			if (moves)
				fake.node[page_of(pages[i])] = (uint8_t)nodes[i];
		}
		for (size_t i = start; i < at && !has_failed; i++)
			ret_nodes[i] = nodes[i];
		start = at + 1;
	}
	pthread_mutex_unlock(&fake.lock);
	return has_failed ? (int64_t)(1 + nr - MIN(at, nr)) : 0;
}

static void test_calls_go_on_behind_what_failed(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move move = move_of(0, 0, 100, 0);
	(void)state;
	begin(&fixture);
	move_calls.move = chunked_move;
	fake.status[5] = -EBUSY;
	fake.status[10] = fake.status[20] = fake.status[21] = -EACCES;
	fake.status[60] = fake.status[70] = -EBUSY;
	assert_int_equal(submit(&fixture, &move, 1), 1);
	collect(&fixture, 100, outcomes);
	for (uint64_t page = 0; page < 100; page++)
		assert_int_equal(outcomes[page], fake.status[page] ? MOVE_REFUSED_BUSY : MOVE_DONE);
	assert_int_equal(fake.nr_calls, 2); /* [0, 10] and the rest: none is tried twice */
	end(&fixture);
	free(outcomes);
}

/* Two batches of results wait to be taken, a third in the worker's hand: it goes no further. */
static void test_results_that_nobody_takes(void **state)
{
	struct fixture fixture;
	uint8_t *outcomes = new_outcomes();
	struct plan_move *moves = calloc(20000, sizeof(*moves));
	(void)state;
	for (uint32_t i = 0; i < 20000; i++)
		moves[i] = move_of(0, i * 2, 1, 0);
	begin(&fixture);
	assert_int_equal(submit(&fixture, moves, 20000), 20000);
	uint64_t limit_ns = clock_now_ns() + (uint64_t)WAIT_MS * NS_PER_MS;
	while (nr_calls() < 3 && clock_now_ns() < limit_ns)
		usleep(1000);
	usleep(20000); /* in which it could do the rest */
	assert_int_equal(nr_calls(), 3);
	collect(&fixture, 20000, outcomes);
	for (uint64_t page = 0; page < 40000; page++)
		assert_int_equal(outcomes[page], page % 2 ? MOVE_NR_OUTCOMES : MOVE_DONE);
	/* And one that is closed while it waits so. */
	assert_int_equal(submit(&fixture, moves, 20000), 20000);
	end(&fixture);
	free(moves);
	free(outcomes);
}
