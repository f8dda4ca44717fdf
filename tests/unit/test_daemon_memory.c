/* SPDX-License-Identifier: MIT */
/*
 * The daemon without memory at any place: each allocation of its start, its looks for processes,
 * its answers, its reading anew and its end fails once, and from then on. It never crashes and
 * leaks nothing; after a single failure the next look serves the job; and whatever it held is as it
 * was when it has ended, or when the next start has undone what it could not.
 *
 * With BERTH_TEST_MACHINE, in a guest of two tiers, it places memory too: tests/lab-long/memory.sh.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/daemon.h"
#include "linux/process.h"
#include "linux/undo.h"
#include "no_memory.h"

#define STEP	      17 /* of every so many allocations one fails; of each with EACH */
#define EACH	      "BERTH_TEST_EACH"
#define PROGRAM_BYTES (4 << 20)
#define TICKS	      4

#ifndef HAS_ALLOCATOR
static char state[64], config[96], machine_line[256];
static cpu_set_t original;
static pid_t program;
static struct root root;
static struct daemon served;

static int first_cpu(void)
{
	int cpu = 0;
	while (!CPU_ISSET(cpu, &original))
		cpu++;
	return cpu;
}

static void write_config(void)
{
	FILE *file = fopen(config, "w");
	assert_non_null(file);
	fprintf(file,
		"[Daemon]\nDryRun=no\nEngine=user\n[Job mine]\nMatch=pid:%d\nPreferCPUs=%d\n"
		"FastMin=1MiB\nFastMax=64MiB\n[Job other]\nMatch=command:nonesuch\nGoal=balanced\n",
		program, first_cpu());
	fclose(file);
}

/* Uses its memory now and then, where there are tiers to place it in. */
static void be_program(void)
{
	char *memory = mmap(NULL, PROGRAM_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (size_t at = 0; memory != MAP_FAILED && at < PROGRAM_BYTES; at += 4096)
			memory[at]++;
		usleep(50000);
	}
}

static bool begin(void)
{
	const char *given = getenv("BERTH_TEST_MACHINE");
	strcpy(state, "/tmp/berth-nomem-XXXXXX");
	assert_non_null(mkdtemp(state));
	snprintf(config, sizeof(config), "%s.conf", state);
	snprintf(machine_line, sizeof(machine_line), "%s",
		 given ? given : "node:dram:1GiB@80ns/100GBps:cpus=0");
	assert_int_equal(sched_getaffinity(0, sizeof(original), &original), 0);
	if (CPU_COUNT(&original) < 2)
		return false;
	assert_int_equal(root_open("/", &root, NULL), 0);
	program = fork();
	if (program == 0)
		be_program();
	write_config();
	return true;
}

static void end(void)
{
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	unlink(config);
	root_fini(&root);
	assert_int_equal(rmdir(state), 0);
}

static bool has_mask(const cpu_set_t *mask)
{
	cpu_set_t now;
	assert_int_equal(sched_getaffinity(program, sizeof(now), &now), 0);
	return CPU_EQUAL(&now, mask);
}

static unsigned nr_journals(void)
{
	unsigned nr = 0;
	DIR *directory = opendir(state);
	for (struct dirent *entry; (entry = readdir(directory));)
		nr += strstr(entry->d_name, ".journal") != NULL;
	closedir(directory);
	return nr;
}

static void ask(const char *line)
{
	const struct server_peer peer = { .uid = geteuid(), .gid = getegid() };
	struct printbuf out = PRINTBUF_HEAP;
	char copy[512];
	snprintf(copy, sizeof(copy), "%s", line);
	daemon_answers.answer(&served, &peer, copy, &out);
	printbuf_fini(&out);
}

static void tick(void)
{
	int wait_ms = 0;
	PRINTBUF(err);
	if (!served.placer)
		return;
	daemon_set_shares(&served);
	if (placer_tick(served.placer, &wait_ms, &err))
		daemon_stop_memory(&served);
	usleep(2000);
}

/* What it does in its life, once. */
static void live(void)
{
	static const char *const questions[] = {
		"{\"ask\":\"status\"}",
		"{\"ask\":\"explain\",\"job\":\"mine\"}",
		"{\"ask\":\"explain\",\"address\":\"7f0000000000\"}",
		"{\"ask\":\"set\",\"job\":\"mine\",\"settings\":{\"Goal\":\"background\","
		"\"FastMax\":"
		"\"50%\"}}",
		"{\"ask\":\"set\",\"job\":\"mine\",\"key\":\"PreferCPUs\",\"value\":\"x\"}",
		"{\"ask\":\"trial\",\"job\":\"mine\",\"value\":\"off\",\"seconds\":\"9\"}",
		"{\"ask\":\"trial\",\"job\":\"mine\",\"value\":\"on\",\"seconds\":\"9\"}",
		"{\"ask\":\"stop\",\"job\":\"mine\"}",
		"{\"ask\":",
	};
	PRINTBUF(err);
	daemon_scan(&served, &err);
	for (unsigned i = 0; i < TICKS; i++)
		tick();
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		ask(questions[i]);
	printbuf_reset(&err);
	daemon_reload(&served, &err);
	printbuf_reset(&err);
	daemon_scan(&served, &err);
}

#define DEMAND(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
			_exit(FAILED);                                                             \
		}                                                                                  \
	} while (0)
enum { REACHED = 10, NOT_REACHED, FAILED };

/* After one failure there is memory again: the next look serves the job. */
static void demand_service(void)
{
	cpu_set_t wanted;
	PRINTBUF(err);
	CPU_ZERO(&wanted);
	CPU_SET(first_cpu(), &wanted);
	ask("{\"ask\":\"trial\",\"job\":\"mine\",\"value\":\"on\",\"seconds\":\"9\"}");
	DEMAND(daemon_reload(&served, &err) == 0); /* "stop" is over */
	DEMAND(daemon_scan(&served, &err) == 0);
	DEMAND(has_mask(&wanted));
}

/* A daemon from its start to its end. Returns whether the allocation that was to fail was ever
 * asked for. */
static bool run_failing(long at, bool once)
{
	static const struct daemon_wish wish = { .config = config,
						 .state = state,
						 .machine = machine_line };
	static char buffer[4096];
	struct printbuf err;
	printbuf_init_fixed(&err, buffer, sizeof(buffer), 0);
	long before = nr_allocated;
	has_failed = false;
	fails_once = once;
	allocations_left = at;
	is_armed = true;
	int error = daemon_init(&served, &root, &wish, &err);
	if (error && !has_failed)
		fprintf(stderr, "%s\n", printbuf_str(&err));
	DEMAND(error == 0 || (error < 0 && has_failed));
	if (!error)
		live();
	if (!error && once && has_failed) {
		is_armed = false;
		demand_service();
	}
	daemon_fini(&served);
	is_armed = false;
	DEMAND(nr_allocated == before || !has_failed); /* the first run makes what is kept */
	return has_failed;
}

/* In a child: what a daemon leaves is undone when it is gone. */
static bool run_in_child(long at, bool once)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(run_failing(at, once) ? REACHED : NOT_REACHED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == FAILED)
		fail_msg("allocation %ld%s: status %x", at, once ? "" : " and all after it",
			 status);
	return WEXITSTATUS(status) == REACHED;
}

/* What it could not undo without memory the next start does. */
static void recover(void)
{
	struct journal_counts counts = { 0 };
	struct undo undo = { .root = &root };
	struct journal_owner self;
	assert_int_equal(process_self(&root, &self, NULL), 0);
	int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(journal_recover(fd, self.boot, &undo_ops, &undo, &counts, NULL), 0);
	unlinkat(fd, DAEMON_LOCK, 0);
	close(fd);
	assert_int_equal(nr_journals(), 0);
}

static void fail_at_each(bool once, long step)
{
	long at = once;
	for (; run_in_child(at, once); at += step) {
		bool has_left = nr_journals() > 0;
		if (has_left)
			recover();
		if (!has_mask(&original))
			fail_msg("allocation %ld%s: a mask stays%s", at,
				 once ? "" : " and all after",
				 has_left ? " after the next start" : ", and no journal");
	}
	print_message("%ld allocations\n", at);
	assert_in_range(at, 100, 1000000);
}
#endif

static void test_no_memory_at_any_place(void **unused)
{
	(void)unused;
#ifdef HAS_ALLOCATOR
	skip(); /* the sanitizer's allocator is not to be replaced */
#else
	if (!begin())
		skip();
	(void)run_failing(1000000, true); /* what is made once and kept */
	fail_at_each(true, getenv(EACH) ? 1 : STEP);
	fail_at_each(false, getenv(EACH) ? 1 : STEP);
	end();
#endif
}
