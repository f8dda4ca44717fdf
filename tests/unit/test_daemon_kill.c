/* SPDX-License-Identifier: MIT */
/*
 * `berth daemon` killed at every system call that can change something, then `berth restore`, and
 * every third time the next start instead: the program that it held has the mask it had before, and
 * no journal is left. Calls that only look (it looks at every process of the machine) change
 * nothing, so that being killed at one is being killed at the next that does. A real kernel, real
 * processes, all of them the test's own.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/types.h"

#define LOOKS_MAX 1000000

static char state[64], config[96];
static cpu_set_t original;
static pid_t program;

static void write_config(int cpu, const char *dry_run)
{
	FILE *file = fopen(config, "w");
	assert_non_null(file);
	fprintf(file, "[Daemon]\nDryRun=%s\nEngine=user\n[Job mine]\nMatch=pid:%d\nPreferCPUs=%d\n",
		dry_run, program, cpu);
	fclose(file);
}

static bool begin(void)
{
	int cpu = 0;
	strcpy(state, "/tmp/berth-kill-XXXXXX");
	assert_non_null(mkdtemp(state));
	snprintf(config, sizeof(config), "%s.conf", state);
	assert_int_equal(sched_getaffinity(0, sizeof(original), &original), 0);
	if (CPU_COUNT(&original) < 2)
		return false;
	while (!CPU_ISSET(cpu, &original))
		cpu++;
	program = fork();
	if (program == 0)
		for (;;)
			pause();
	write_config(cpu, "no");
	return true;
}

static void end(void)
{
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	unlink(config);
	assert_int_equal(rmdir(state), 0);
}

static pid_t start(char *const arguments[], bool is_traced)
{
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);
		dup2(fd, 1);
		dup2(fd, 2);
		if (is_traced)
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(getenv("BERTH"), arguments);
		_exit(99);
	}
	return pid;
}

static char *const serve[] = { (char *)"berth",
			       (char *)"daemon",
			       (char *)"--config",
			       config,
			       (char *)"--state",
			       state,
			       NULL };

static void restore(void)
{
	char *const arguments[] = { (char *)"berth", (char *)"restore", (char *)"--state", state,
				    NULL };
	int status;
	pid_t pid = start(arguments, false);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool is_as_before(void)
{
	cpu_set_t now;
	assert_int_equal(sched_getaffinity(program, sizeof(now), &now), 0);
	return CPU_EQUAL(&now, &original);
}

/* What a killed one leaves beside its journal does no harm, and the next start takes it over. */
static void assert_no_journal(void)
{
	DIR *directory = opendir(state);
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] == '.')
			continue;
		assert_null(strstr(entry->d_name, ".journal"));
		unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
}

static bool has_socket(void)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/daemon.sock", state);
	return access(path, F_OK) == 0;
}

/* The next start, which has nothing to hold: it undoes what the last left before it serves. */
static void start_and_end(int cpu)
{
	const struct timespec wait = { .tv_nsec = 5000000 };
	char path[96];
	int status;
	snprintf(path, sizeof(path), "%s/daemon.sock", state);
	unlink(path);
	write_config(cpu, "yes");
	pid_t pid = start(serve, false);
	for (int i = 0; i < 2000 && !has_socket(); i++)
		nanosleep(&wait, NULL);
	assert_true(is_as_before());
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	write_config(cpu, "no");
}

enum call { CALL_OVER, CALL_LOOKS, CALL_WAITS, CALL_CHANGES };

/* Not knowing a call makes the test slower, not wrong. */
static enum call kind_of(const struct __ptrace_syscall_info *info)
{
	static const uint64_t lookers[] = {
		SYS_read,
		SYS_pread64,
		SYS_close,
		SYS_fstat,
		SYS_newfstatat,
		SYS_getdents64,
		SYS_lseek,
		SYS_sched_getaffinity,
		SYS_mmap,
		SYS_munmap,
		SYS_brk,
		SYS_mprotect,
		SYS_readlink,
		SYS_clock_gettime,
		SYS_faccessat2,
		SYS_access,
		SYS_openat2,
		SYS_statx,
		SYS_stat,
		SYS_readlinkat,
		SYS_mremap,
		SYS_getpid,
		SYS_geteuid,
		SYS_getrandom,
		SYS_rt_sigaction,
		SYS_fcntl,
		SYS_clock_nanosleep,
	};
	if (info->entry.nr == SYS_poll)
		return CALL_WAITS;
	if (info->entry.nr == SYS_openat)
		return info->entry.args[2] & O_CREAT ? CALL_CHANGES : CALL_LOOKS;
	for (size_t i = 0; i < ARRAY_SIZE(lookers); i++)
		if (info->entry.nr == lookers[i])
			return CALL_LOOKS;
	return CALL_CHANGES;
}

/* Lets it run to the entry of its next system call. */
static enum call next_call(pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };
	int status;
	do {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status))
			return CALL_OVER;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
	} while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
	return kind_of(&info);
}

/* To the `nr`-th that changes something; or until all is applied and it waits. */
static enum call run_to(pid_t pid, int nr)
{
	for (int i = 0, looks = 0; looks < LOOKS_MAX; looks++) {
		enum call call = next_call(pid);
		bool is_applied = call == CALL_WAITS && !is_as_before();
		i += call == CALL_CHANGES;
		if (call == CALL_OVER || is_applied || (call == CALL_CHANGES && i == nr))
			return call;
	}
	return CALL_OVER;
}

static pid_t start_traced(void)
{
	int status;
	pid_t pid = start(serve, true);
	waitpid(pid, &status, 0); /* at exec */
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Undone by whoever comes next: berth restore, or another start. */
static void assert_undone(bool by_start, int cpu)
{
	if (by_start)
		start_and_end(cpu);
	else
		restore();
	assert_no_journal();
	assert_true(is_as_before());
}

static void test_daemon_killed_at_every_call(void **unused)
{
	enum call call = CALL_CHANGES;
	uint32_t nr_held = 0;
	int cpu = 0, nr = 0;
	(void)unused;
	if (!begin())
		skip();
	while (!CPU_ISSET(cpu, &original))
		cpu++;
	for (nr = 1; call == CALL_CHANGES; nr++) {
		pid_t pid = start_traced();
		call = run_to(pid, nr);
		assert_int_not_equal(call, CALL_OVER);
		nr_held += !is_as_before();
		kill_and_reap(pid);
		assert_undone(nr % 3 == 0, cpu);
	}
	assert_in_range(nr, 10, 500);
	assert_true(nr_held > 0);
	end();
}

/* The undoing at its end, too. */
static void test_daemon_killed_while_it_ends(void **unused)
{
	enum call call = CALL_CHANGES;
	(void)unused;
	if (!begin())
		skip();
	for (int nr = 1; call != CALL_OVER; nr++) {
		pid_t pid = start_traced();
		assert_int_equal(run_to(pid, LOOKS_MAX), CALL_WAITS);
		kill(pid, SIGTERM);
		for (int i = 0; i < nr && call != CALL_OVER;) {
			call = next_call(pid);
			i += call == CALL_CHANGES;
		}
		if (call != CALL_OVER)
			kill_and_reap(pid);
		assert_true(nr < 500);
		assert_undone(false, 0);
	}
	end();
}
