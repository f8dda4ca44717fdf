/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong around the live world: no memory for berth at any place of a tick, a pid that is
 * another process's by now, a cgroup that is removed, a node that goes offline. In each case there
 * is an error or less to do, nothing is moved that should not be, and nothing leaks.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "linux/live.h"
#include "linux/mover_move_pages.h"
#include "linux/movers.h"
#include "linux/process.h"
#include "no_memory.h"

#define PAGES	64
#define TICKS	6
#define WAIT_MS 60000 /* for what comes at once on an idle machine */
#define TICK_NS (200 * NS_PER_MS)
#define LINE	"node:dram:1GiB@80ns/100GBps:cpus=0 node:cxl:1GiB@250ns/20GBps"

/* ---- a kernel of two nodes ---- */

static atomic_int node_of[PAGES];
static atomic_int nr_moves, dead_pid, nr_mistakes;

static int fake_where(pid_t pid, size_t nr, void *const *pages, int *ret_nodes)
{
	nr_mistakes += pid == dead_pid;
	for (size_t i = 0; i < nr; i++)
		ret_nodes[i] = node_of[(uintptr_t)pages[i] / 4096 % PAGES];
	return 0;
}

static int64_t fake_move(pid_t pid, size_t nr, void *const *pages, const int *nodes, int *ret_nodes)
{
	nr_mistakes += pid == dead_pid;
	nr_moves++;
	for (size_t i = 0; i < nr; i++)
		node_of[(uintptr_t)pages[i] / 4096 % PAGES] = ret_nodes[i] = nodes[i];
	return 0;
}

static int paper_probe(void *world, struct printbuf *err)
{
	(void)world;
	(void)err;
	return 0;
}

static int paper_open(void *world, void **ret_sampler, struct printbuf *err)
{
	(void)err;
	*ret_sampler = world;
	return 0;
}

static int paper_poll(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	(void)sampler;
	for (uint64_t page = 0; page < PAGES; page++) {
		struct sample sample = sample_of_page(SAMPLE_HITS, now_ns, 0, page);
		sample.hits = sample.checks = 1;
		sample.node = (uint32_t)node_of[page];
		batch->samples[batch->nr++] = sample;
	}
	return 0;
}

static void paper_close(void *sampler)
{
	(void)sampler;
}

static const struct sampler_ops paper_sampler = {
	.name = "paper",
	.summary = "every page is used",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, true },
	.probe = paper_probe,
	.open = paper_open,
	.poll = paper_poll,
	.close = paper_close,
};

struct world {
	struct root root;
	struct machine *machine;
	struct live live;
	void *mover;
	struct engine *engine;
	bool has_live;
	const char *policy;
	char directory[32];
	struct engine_stats stats;
};

static void reset_kernel(void)
{
	move_calls = (struct move_calls){ fake_where, fake_move };
	for (unsigned i = 0; i < PAGES; i++)
		node_of[i] = 1;
	nr_moves = nr_mistakes = 0;
	dead_pid = -1;
}

static int make_engine(struct world *world, struct printbuf *err)
{
	struct engine_config config = {
		.machine = world->machine,
		.page_bytes = 4096,
		.policy = policy_find(world->policy),
		.samplers = { { &paper_sampler, world } },
		.nr_samplers = 1,
		.mover = live_mover_move_pages.ops,
		.mover_state = world->mover,
		.look = live_look,
		.look_world = &world->live,
		.budget = ENGINE_BUDGET_NONE,
	};
	return engine_new(&config, &world->engine, err);
}

/* Pages were asked for of which nothing was told yet. */
static bool is_moving(const struct engine *engine)
{
	const struct engine_stats *stats = engine_stats(engine);
	uint64_t nr_told = 0;
	for (unsigned i = 0; i < MOVE_NR_OUTCOMES; i++)
		nr_told += stats->nr_outcome_pages[i];
	return stats->nr_submitted_pages > nr_told;
}

/* Everything from the first to the last, as `berth run --tier` does it. */
static int live_through(struct world *world, pid_t pid, struct printbuf *err)
{
	int error = live_init(&world->live, &world->root, world->machine, err);
	if (error)
		return error;
	world->has_live = true;
	error = live_mover_move_pages.new(&world->live, &world->mover, err);
	if (!error)
		error = make_engine(world, err);
	if (!error)
		error = live_watch(&world->live, pid, err);
	uint64_t now_ns = NS_PER_S;
	int failed = 0;
	for (unsigned i = 0; i < TICKS && !error; i++, now_ns += TICK_NS) {
		struct pollfd done = { live_mover_move_pages.fd(world->mover), POLLIN, 0 };
		int result = live_refresh(&world->live);
		if (!result)
			result = engine_tick(world->engine, now_ns, err);
		failed = result ? result : failed; /* the next tick goes on */
		poll(&done, 1, is_moving(world->engine) ? WAIT_MS : 0);
	}
	return error ? error : failed;
}

static void end(struct world *world)
{
	if (world->engine)
		world->stats = *engine_stats(world->engine);
	engine_free(world->engine);
	live_mover_move_pages.free(world->mover);
	if (world->has_live)
		live_fini(&world->live);
	world->engine = NULL;
	world->mover = NULL;
	world->has_live = false;
}

static pid_t start_child(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void put_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (char *at = path + strlen(directory) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

#define ZONES                                                                                      \
	"Node 0, zone   Normal\n        min      5\n        low      7\n        spanned  100\n"    \
	"  start_pfn:           0\nNode 1, zone   Normal\n        min      1\n        low      "   \
	"2\n"                                                                                      \
	"        spanned  50\n  start_pfn:           100\n"

/* Two nodes, one process and its cgroup, as files. */
static void put_machine(const char *directory, pid_t pid)
{
	char name[64], text[256];
	put_file(directory, "proc/zoneinfo", ZONES);
	snprintf(text, sizeof(text), "%d\n", pid);
	put_file(directory, "sys/fs/cgroup/job/cgroup.procs", text);
	snprintf(name, sizeof(name), "proc/%d/stat", pid);
	snprintf(text, sizeof(text), "%d (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n",
		 pid);
	put_file(directory, name, text);
	snprintf(name, sizeof(name), "proc/%d/numa_maps", pid);
	put_file(directory, name, "7f0000000000 default anon=64 N1=64 kernelpagesize_kB=4\n");
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "sys/devices/system/node/node%u/meminfo", i);
		put_file(directory, name,
			 "Node 0 MemTotal: 1048576 kB\nNode 0 MemFree: 900000 kB\n");
	}
}

static void begin(struct world *world, pid_t child)
{
	*world = (struct world){ .policy = "recency", .directory = "/tmp/berth-faults-XXXXXX" };
	assert_non_null(mkdtemp(world->directory));
	put_machine(world->directory, child);
	world->root.fd = open(world->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(machine_parse(LINE, &world->machine, NULL), 0);
	reset_kernel();
}

static void finish(struct world *world)
{
	char command[64];
	close(world->root.fd);
	machine_free(world->machine);
	snprintf(command, sizeof(command), "rm -rf %s", world->directory);
	assert_int_equal(system(command), 0);
}

/* One tick after another moves the pages: the test below would prove nothing otherwise. */
static void test_all_is_well(void **state)
{
	struct world world;
	PRINTBUF(err);
	(void)state;
	pid_t child = start_child();
	begin(&world, child);
	assert_int_equal(live_through(&world, child, &err), 0);
	end(&world);
	assert_in_range(nr_moves, 1, 100);
	assert_int_equal(world.stats.nr_ticks, TICKS);
	finish(&world);
	end_child(child);
}

#ifndef HAS_ALLOCATOR
/* Returns whether the allocation that was to fail was ever asked for. */
static bool run_failing(struct world *world, pid_t child, long at, bool once)
{
	static char buffer[4096];
	struct printbuf err;
	printbuf_init_fixed(&err, buffer, sizeof(buffer), 0);
	reset_kernel();
	long before = nr_allocated;
	has_failed = false;
	fails_once = once;
	allocations_left = at;
	is_armed = true;
	int error = live_through(world, child, &err);
	end(world);
	is_armed = false;
	assert_true(error <= 0);
	assert_int_equal(nr_allocated, before);
	for (unsigned i = 0; i < PAGES; i++)
		assert_in_range(node_of[i], 0, 1);
	return has_failed;
}

#endif

/* At each allocation once, and at each and all after it. */
static void test_no_memory_at_any_place(void **state)
{
#ifdef HAS_ALLOCATOR
	(void)state;
	skip(); /* the sanitizer's allocator is not to be replaced */
#else
	struct world world;
	(void)state;
	pid_t child = start_child();
	begin(&world, child);
	run_failing(&world, child, 1000000, true); /* what is made once and kept */
	for (unsigned i = 0; i < 4; i++) {
		long at = 0;
		world.policy = i / 2 ? "berth" : "recency";
		while (run_failing(&world, child, at, i % 2))
			at++;
		assert_in_range(at, 20, 100000);
	}
	finish(&world);
	end_child(child);
#endif
}

/* ---- a pid that is used again ---- */

static pid_t start_with_pid(pid_t pid)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD,
					.set_tid = (uint64_t)(uintptr_t)&pid,
					.set_tid_size = 1 };
	long made = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (made == 0) {
		pause();
		_exit(0);
	}
	return (pid_t)made;
}

#define DEMAND(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ % 200 + 20);                                                \
	} while (0)
#define NOT_HERE 10

/* In a namespace of its own, where pids are chosen: no cmocka there, the status tells the line. */
static void reuse_a_pid(const char *directory)
{
	char proc[64];
	struct world world = { 0 };
	struct plan_move move = { .page = 3, .nr_pages = 4, .space = 0, .from = 1, .to = 0 };
	struct move_result result = { 0 };
	const struct live_mover *ops = &live_mover_move_pages;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(proc, sizeof(proc), "%s/proc", directory);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mkdir(proc, 0700) ||
	    mount("proc", proc, "proc", 0, NULL))
		_exit(NOT_HERE);
	world.root.fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	DEMAND(machine_parse(LINE, &world.machine, NULL) == 0);
	reset_kernel();
	pid_t first = start_with_pid(77);
	if (first < 0)
		_exit(NOT_HERE);
	DEMAND(live_init(&world.live, &world.root, world.machine, NULL) == 0);
	DEMAND(live_watch(&world.live, first, NULL) == 0 && world.live.nr_alive == 1);
	DEMAND(ops->new (&world.live, &world.mover, NULL) == 0);
	end_child(first);
	dead_pid = first;
	DEMAND(start_with_pid(77) == first);
	/* Asked for the first one's pages: nothing is asked of, or done to, the second. */
	DEMAND(ops->ops->submit(world.mover, &move, 1, 0) == 1);
	for (unsigned i = 0; i < 10000 && result.nr_pages == 0; i++) {
		usleep(1000);
		ops->ops->complete(world.mover, &result, 1, 0);
	}
	DEMAND(result.nr_pages == 4 && result.outcome == MOVE_REFUSED_GONE);
	DEMAND(nr_moves == 0 && nr_mistakes == 0);
	DEMAND(live_space(&world.live, 0) == NULL && world.live.nr_alive == 0);
	/* The second is another space. */
	DEMAND(live_refresh(&world.live) == 0 && world.live.nr_alive == 0);
	DEMAND(live_watch(&world.live, first, NULL) == 0 && world.live.nr_spaces == 2);
	DEMAND(live_space(&world.live, 0) == NULL && live_space(&world.live, 1) != NULL);
	/* And so is a third, listed with its start before anybody saw the second end. */
	end_child(first);
	usleep(30000); /* starts are told in hundredths of a second */
	DEMAND(start_with_pid(77) == first);
	struct live_wanted wanted = { .pid = first };
	DEMAND(process_start_ticks(&world.root, first, &wanted.start_ticks) == 0);
	DEMAND(live_watch_these(&world.live, &wanted, 1) == 0 && world.live.nr_spaces == 3);
	DEMAND(live_space(&world.live, 1) == NULL && live_space(&world.live, 2) != NULL);
	DEMAND(live_watch_these(&world.live, &wanted, 1) == 0 && world.live.nr_spaces == 3);
	ops->free(world.mover);
	live_fini(&world.live);
	_exit(0);
}

static void test_a_pid_that_is_used_again(void **state)
{
	char directory[] = "/tmp/berth-pids-XXXXXX", proc[64];
	int status = 0;
	(void)state;
	assert_non_null(mkdtemp(directory));
	pid_t outside = fork();
	if (outside == 0) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(NOT_HERE);
		pid_t inside = fork();
		if (inside == 0)
			reuse_a_pid(directory);
		waitpid(inside, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
	}
	waitpid(outside, &status, 0);
	snprintf(proc, sizeof(proc), "%s/proc", directory);
	rmdir(proc);
	rmdir(directory);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE)
		skip(); /* needs root, and a kernel that lets pids be chosen (5.5) */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what goes away below us ---- */

static void take_away(const char *directory, const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(remove(path), 0);
}

static void test_a_cgroup_and_a_node_go_away(void **state)
{
	char directory[] = "/tmp/berth-gone-XXXXXX", command[64];
	struct world world = { 0 };
	struct policy_node nodes[2];
	(void)state;
	pid_t child = start_child();
	assert_non_null(mkdtemp(directory));
	world.root.fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(machine_parse(LINE, &world.machine, NULL), 0);
	put_machine(directory, child);
	assert_int_equal(live_init(&world.live, &world.root, world.machine, NULL), 0);
	assert_int_equal(live_watch_cgroup(&world.live, "job", NULL), 0);
	assert_int_equal(world.live.nr_alive, 1);
	assert_int_equal(live_look(&world.live, nodes, 2), 0);
	assert_int_equal(nodes[1].capacity_pages, 262144);
	/* The node first, then the cgroup: its process lives on, and is nobody's. */
	take_away(directory, "sys/devices/system/node/node1/meminfo");
	assert_int_equal(live_look(&world.live, nodes, 2), 0);
	assert_int_equal(nodes[0].capacity_pages, 262144);
	assert_int_equal(nodes[1].capacity_pages, 0);
	assert_int_equal(nodes[1].free_pages, 0);
	take_away(directory, "sys/fs/cgroup/job/cgroup.procs");
	take_away(directory, "sys/fs/cgroup/job");
	assert_int_equal(live_refresh(&world.live), 0);
	assert_int_equal(world.live.nr_alive, 0);
	assert_null(live_space(&world.live, 0));
	assert_int_equal(live_refresh(&world.live), 0);
	live_fini(&world.live);
	close(world.root.fd);
	machine_free(world.machine);
	end_child(child);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}
