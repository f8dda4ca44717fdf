/* SPDX-License-Identifier: MIT */
/*
 * How fast `berth run` spills and comes home, and what it costs: figures of issue 5 on this
 * machine.
 *
 *     bench_run            both CPUs must be idle; about 30 s
 *     bench_run ROUNDS     of spilling and coming home, instead of 15; 0: quiet jobs only
 *
 * The job is this program again, at home on the first CPU that may be used and allowed on the
 * second too: two threads that spin when they are told to, note when they first run away from home,
 * and when they last did. The owner is a thread of the bench that spins on the second CPU. All of
 * them read one clock and write into one page that they share.
 *
 *     from idle       nothing runs; both threads begin            -> one runs away from home
 *     while watching  one thread spins; the other begins          -> one runs away from home
 *     home            both spin; the owner begins to spin         -> none runs away from home
 *
 * Quiet jobs: 100 `berth run -- sleep`, and the CPU time that their berths take in 10 s.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"

#define NR_ROUNDS   15
#define MAX_ROUNDS  200
#define NR_QUIET    100
#define QUIET_S	    10
#define PATIENCE_NS (2 * NS_PER_S) /* then a round has failed */
#define SETTLE_MS   400

struct page {
	_Atomic int spinning; /* threads with a number below spin */
	_Atomic int home;
	_Atomic uint64_t first_away_ns, last_away_ns;
	_Atomic int is_over;
};

static struct page *page;

static void sleep_ms(long ms)
{
	const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	nanosleep(&wait, NULL);
}

static void *spin(void *argument)
{
	int number = (int)(intptr_t)argument;
	while (!page->is_over) {
		if (number >= page->spinning) {
			sleep_ms(1);
			continue;
		}
		if (sched_getcpu() == page->home)
			continue;
		uint64_t now = clock_now_ns(), none = 0;
		atomic_compare_exchange_strong(&page->first_away_ns, &none, now);
		page->last_away_ns = now;
	}
	return NULL;
}

/* What `berth run` runs. A thread that does not spin wakes a thousand times in a second: the job is
 * idle, not dead. */
static int be_the_job(const char *path)
{
	pthread_t threads[2];
	int fd = open(path, O_RDWR);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return 1;
	for (intptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, spin, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static _Atomic bool owner_spins, owner_ends;

static void *own(void *argument)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((int)(intptr_t)argument, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!owner_ends)
		if (!owner_spins)
			sleep_ms(1);
	return NULL;
}

static void silence(void)
{
	int fd = open("/dev/null", O_RDWR);
	dup2(fd, 1);
	dup2(fd, 2);
}

static pid_t start_berth(const char *state, const char *prefer, const char *allow,
			 char *const program[])
{
	char *arguments[16] = { (char *)"berth",   (char *)"run",      (char *)"--state",
				(char *)state,	   (char *)"--prefer", (char *)prefer,
				(char *)"--allow", (char *)allow,      (char *)"--" };
	for (int i = 0; program[i]; i++)
		arguments[9 + i] = program[i];
	pid_t pid = fork();
	if (pid == 0) {
		silence();
		execv(getenv("BERTH"), arguments);
		_exit(127);
	}
	return pid;
}

/* Until a thread ran away from home; -1: it never did. */
static double wait_away_ms(uint64_t since_ns)
{
	while (!page->first_away_ns && clock_now_ns() - since_ns < PATIENCE_NS)
		sleep_ms(1);
	uint64_t first_ns = page->first_away_ns;
	if (!first_ns)
		return -1;
	return first_ns > since_ns ? (double)(first_ns - since_ns) / 1e6 : 0;
}

static void rest(void)
{
	page->spinning = 0;
	owner_spins = false;
	sleep_ms(SETTLE_MS);
	page->first_away_ns = page->last_away_ns = 0;
}

static double spill_ms(int nr_before)
{
	rest();
	page->spinning = nr_before;
	sleep_ms(nr_before ? 300 : 2000);
	page->first_away_ns = 0;
	uint64_t began_ns = clock_now_ns();
	page->spinning = 2;
	return wait_away_ms(began_ns);
}

/* The job is away already. The last moment away within half a second, less than OWNER_NS of
 * the rule, after which it tries again. */
static double home_ms(void)
{
	uint64_t began_ns = clock_now_ns();
	owner_spins = true;
	sleep_ms(150);
	uint64_t last_ns = page->last_away_ns;
	return last_ns > began_ns ? (double)(last_ns - began_ns) / 1e6 : 0;
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The limit is for the slowest but one in ten: what else runs here is not berth's. */
static bool judge(const char *name, double *values, int nr, double limit)
{
	char text[128];
	qsort(values, (size_t)nr, sizeof(*values), compare_doubles);
	snprintf(text, sizeof(text), "run, %s: 9 of 10", name);
	bool is_met = values[0] >= 0 &&
		      bench_judge(text, values[nr * 9 / 10], "ms", BENCH_AT_MOST, limit);
	bench_remark("median %.1f ms, fastest %.1f, slowest %.1f, of %d; %s", values[nr / 2],
		     values[0], values[nr - 1], nr, values[0] < 0 ? "some never did" : "all did");
	return is_met;
}

static bool measure_moves(const char *state, const char *first, const char *both, int owner,
			  const char *path, int nr_rounds)
{
	double idle[MAX_ROUNDS] = { 0 }, watching[MAX_ROUNDS] = { 0 }, home[MAX_ROUNDS] = { 0 };
	char *const program[] = { (char *)"/proc/self/exe", (char *)"--job", (char *)path, NULL };
	char self[4096];
	ssize_t nr = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[nr > 0 ? nr : 0] = '\0';
	char *const job[] = { self, program[1], program[2], NULL };
	pthread_t thread;
	pid_t pid = start_berth(state, first, both, job);
	pthread_create(&thread, NULL, own, (void *)(intptr_t)owner);
	for (int i = 0; i < nr_rounds; i++) {
		idle[i] = spill_ms(0);
		home[i] = home_ms();
		watching[i] = spill_ms(1);
	}
	page->is_over = 1;
	owner_ends = true;
	pthread_join(thread, NULL);
	waitpid(pid, NULL, 0);
	bool is_met = judge("spill from idle", idle, nr_rounds, 100);
	is_met &= judge("spill while watching a busy job", watching, nr_rounds, 20);
	return judge("home after the owner wakes", home, nr_rounds, 50) && is_met;
}

static double cpu_s_of(pid_t pid)
{
	struct timespec ran;
	clockid_t clock;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ran) < 0)
		return 0;
	return (double)ran.tv_sec + (double)ran.tv_nsec / 1e9;
}

static bool measure_quiet(const char *state, const char *first, const char *both)
{
	char *const program[] = { (char *)"sleep", (char *)"1000", NULL };
	pid_t pids[NR_QUIET];
	double before_s = 0, after_s = 0;
	for (int i = 0; i < NR_QUIET; i++)
		pids[i] = start_berth(state, first, both, program);
	sleep_ms(12000); /* by then each has counted the others */
	for (int i = 0; i < NR_QUIET; i++)
		before_s += cpu_s_of(pids[i]);
	sleep_ms(QUIET_S * 1000);
	for (int i = 0; i < NR_QUIET; i++)
		after_s += cpu_s_of(pids[i]);
	for (int i = 0; i < NR_QUIET; i++)
		kill(pids[i], SIGTERM);
	for (int i = 0; i < NR_QUIET; i++)
		waitpid(pids[i], NULL, 0);
	return bench_judge("run, 100 quiet jobs: share of one CPU",
			   (after_s - before_s) / QUIET_S * 100, "%", BENCH_AT_MOST, 0.5);
}

static bool find_cpus(int *ret_first, int *ret_second)
{
	cpu_set_t set;
	int cpus[2], nr = 0;
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE && nr < 2; i++)
		if (CPU_ISSET(i, &set))
			cpus[nr++] = i;
	if (nr < 2)
		return false;
	*ret_first = cpus[0];
	*ret_second = cpus[1];
	return true;
}

int main(int nr_arguments, char **arguments)
{
	if (nr_arguments == 3 && strcmp(arguments[1], "--job") == 0)
		return be_the_job(arguments[2]);
	int nr_rounds = nr_arguments > 1 ? atoi(arguments[1]) : NR_ROUNDS, first, second;
	char state[] = "/tmp/berth-bench-XXXXXX", path[64], home[16], both[32];
	if (!getenv("BERTH") || nr_rounds < 0 || nr_rounds > MAX_ROUNDS) {
		fprintf(stderr, "bench_run [ROUNDS]: 0 to 200 rounds; BERTH is the berth to use\n");
		return 2;
	}
	if (!find_cpus(&first, &second) || !mkdtemp(state)) {
		fprintf(stderr, "bench_run: needs two CPUs\n");
		return 3;
	}
	snprintf(path, sizeof(path), "%s/page", state);
	snprintf(home, sizeof(home), "%d", first);
	snprintf(both, sizeof(both), "%d,%d", first, second);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*page)) < 0)
		return 1;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	page->home = first;
	bool is_met = nr_rounds == 0 || measure_moves(state, home, both, second, path, nr_rounds);
	is_met &= measure_quiet(state, home, both);
	bench_remark_if_busy();
	unlink(path);
	rmdir(state);
	return is_met ? 0 : 1;
}
