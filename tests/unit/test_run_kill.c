/* SPDX-License-Identifier: MIT */
/*
 * `berth run` killed at every system call from its first change on, then `berth restore`: the
 * program that goes on has the mask and the cpuset it would have had without berth, its group is
 * gone, no journal is left. Real kernel objects, all of them made by the test's own berth.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/types.h"

static char state[64];
static cpu_set_t original;
static char own_cgroups[4096];

static void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? 0 : read(fd, text, size - 1);
	text[nr < 0 ? 0 : nr] = '\0';
	if (fd >= 0)
		close(fd);
}

static char first_cpu[16];

static void begin(void)
{
	strcpy(state, "/tmp/berth-run-XXXXXX");
	assert_non_null(mkdtemp(state));
	assert_int_equal(sched_getaffinity(0, sizeof(original), &original), 0);
	read_text("/proc/self/cgroup", own_cgroups, sizeof(own_cgroups));
	int cpu = 0;
	while (!CPU_ISSET(cpu, &original))
		cpu++;
	snprintf(first_cpu, sizeof(first_cpu), "%d", cpu);
}

static void silence(void)
{
	int fd = open("/dev/null", O_RDWR);
	dup2(fd, 1);
	dup2(fd, 2);
}

static pid_t start(char *const arguments[], bool is_traced)
{
	pid_t pid = fork();
	if (pid == 0) {
		silence();
		if (is_traced)
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(getenv("BERTH"), arguments);
		_exit(99);
	}
	return pid;
}

static void restore(void)
{
	char *const arguments[] = { (char *)"berth", (char *)"restore", (char *)"--state", state,
				    NULL };
	int status;
	pid_t pid = start(arguments, false);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static pid_t child_of(pid_t pid)
{
	char path[64], text[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	read_text(path, text, sizeof(text));
	return atoi(text);
}

static void assert_state_is_empty(void)
{
	DIR *directory = opendir(state);
	for (struct dirent *entry; (entry = readdir(directory));)
		assert_true(entry->d_name[0] == '.');
	closedir(directory);
}

static bool has_ended(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_text(path, text, sizeof(text));
	const char *end = strrchr(text, ')');
	return !end || end[2] == 'Z' || end[2] == 'X';
}

static bool is_as_before(pid_t program)
{
	char path[64], text[4096];
	cpu_set_t now;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", program);
	read_text(path, text, sizeof(text));
	bool has_mask = sched_getaffinity(program, sizeof(now), &now) == 0;
	return strcmp(text, own_cgroups) == 0 && has_mask && CPU_EQUAL(&now, &original);
}

/* One that was held when berth died ends by itself: then there is nothing to compare. While it
 * ends it is in the root group already and no zombie yet: looked at again, for up to a second. */
static void assert_as_before(pid_t program)
{
	const struct timespec wait = { .tv_nsec = 5000000 };
	for (int nr = 0; nr < 200; nr++) {
		if (is_as_before(program) || has_ended(program))
			return;
		nanosleep(&wait, NULL);
	}
	fail_msg("program %d: neither ended nor as before", program);
}

struct step {
	bool is_over;	 /* it ended before */
	bool is_first;	 /* the system call is mkdir: the first change */
	bool is_waiting; /* the system call is poll: all is applied */
};

/* Runs to the entry of the `nr`-th system call after exec. */
static struct step run_to(pid_t pid, int nr)
{
	struct step step = { false };
	struct __ptrace_syscall_info info = { 0 };
	int status;
	waitpid(pid, &status, 0); /* at exec */
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
	for (int seen = 0; seen < nr;) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status))
			return (struct step){ .is_over = true };
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue; /* a signal; it blocks those that matter */
		ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
		seen += info.op == PTRACE_SYSCALL_INFO_ENTRY;
	}
	step.is_first = info.entry.nr == SYS_mkdir;
	step.is_waiting = info.entry.nr == SYS_poll;
	return step;
}

static struct step kill_at(char *const arguments[], int nr)
{
	int status;
	pid_t pid = start(arguments, true);
	struct step step = run_to(pid, nr);
	if (step.is_over)
		return step;
	pid_t program = child_of(pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (step.is_first || nr > 1)
		restore();
	assert_state_is_empty();
	if (program > 0) {
		assert_as_before(program);
		kill(program, SIGKILL);
	}
	return step;
}

static int find_first_change(char *const arguments[])
{
	pid_t pid = start(arguments, true);
	struct __ptrace_syscall_info info = { 0 };
	int status, nr = 0;
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
	while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_mkdir) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		assert_true(WIFSTOPPED(status));
		ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
		nr += info.op == PTRACE_SYSCALL_INFO_ENTRY;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return nr;
}

/* A program that goes on: until all is applied; one that ends: through the undoing too. */
static void kill_everywhere(const char *held, const char *program, const char *argument,
			    bool ends_at_wait)
{
	char *const arguments[] = { (char *)"berth",	(char *)"run",
				    (char *)"--state",	state,
				    (char *)"--prefer", first_cpu,
				    (char *)held,	(char *)program,
				    (char *)argument,	NULL };
	struct step step = { false };
	int nr = find_first_change(arguments);
	int first = nr;
	for (; !step.is_over && !(ends_at_wait && step.is_waiting); nr++)
		step = kill_at(arguments, nr);
	assert_true(nr - first > 20);
}

static void test_kill_while_applying_affinity(void **data)
{
	begin();
	kill_everywhere("--no-cgroup", "sleep", "1000", true);
	assert_int_equal(rmdir(state), 0);
}

static void test_kill_while_applying_cgroup(void **data)
{
	begin();
	kill_everywhere("--spill-at=hard", "sleep", "1000", true);
	assert_int_equal(rmdir(state), 0);
}

static void test_kill_while_undoing_affinity(void **data)
{
	begin();
	kill_everywhere("--no-cgroup", "true", "0", false);
	assert_int_equal(rmdir(state), 0);
}

static void test_kill_while_undoing_cgroup(void **data)
{
	begin();
	kill_everywhere("--spill-at=hard", "true", "0", false);
	assert_int_equal(rmdir(state), 0);
}
