/* SPDX-License-Identifier: MIT */
/*
 * Trying the system calls that placement needs, without changing anything.
 *
 * In a child: a seccomp filter may kill it, and then the next child goes on behind the call that
 * did. What came out is written into memory that both share. A child that hangs is ended by its
 * alarm.
 *
 *     parent                     child
 *     fork ------------------->  results[0] = TRIAL_KILLED; results[0] = try(0); ...
 *     wait: killed at n? fork again, from n + 1
 *
 * "Somebody else's process" is the first that another user owns; for root, when there is none, any
 * that is not ours; else process 1, which some containers guard. Nothing is done to it but to ask:
 * no address is given that anything could happen to.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/doctor.h"

#define CHILD_SECONDS	10
#define CPU_MASK_BYTES	(SET_MAX / 8)
#define ADVICE_COLD	20
#define MOVE_OWN_PAGES	2 /* MPOL_MF_MOVE */
#define FRAME_BITS	(((uint64_t)1 << 55) - 1)
#define SYSCALL_PIDFD	434
#define SYSCALL_MADVISE 440

/* Linux 6.7's; Debian 12's headers are older. */
struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct scan_argument)
#define PAGE_IS_PRESENT_BIT  ((uint64_t)1 << 3)

static char *page;	/* of the child's own, in use */
static pid_t other = 1; /* somebody else's process */

/* The owner of a process with memory of its own; -1: there is none, or it is the kernel's. */
static int64_t owner_of(pid_t pid)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[MAX(nr, 0)] = '\0';
	const char *uid = strstr(text, "\nUid:");
	return uid && strstr(text, "\nVmRSS:") ? strtoll(uid + 5, NULL, 10) : -1;
}

static pid_t find_other(void)
{
	DIR *directory = opendir("/proc");
	pid_t any = 1, found = 0;
	for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		int64_t owner = pid > 1 ? owner_of(pid) : -1;
		if (owner < 0 || pid == getpid())
			continue;
		if (owner != (int64_t)geteuid())
			found = pid;
		else if (geteuid() == 0 && pid != getppid())
			any = pid;
	}
	if (directory)
		closedir(directory);
	return found ? found : any;
}

static int result_of(long result)
{
	return result < 0 ? -errno : 0;
}

static int try_affinity(void)
{
	void *mask = calloc(1, CPU_MASK_BYTES);
	if (!mask)
		return -ENOMEM;
	long size = syscall(SYS_sched_getaffinity, 0, CPU_MASK_BYTES, mask);
	int error = result_of(size);
	if (!error)
		error = result_of(syscall(SYS_sched_setaffinity, 0, size, mask));
	free(mask);
	return error;
}

static int try_move(void)
{
	void *pages[] = { page };
	int status = -1;
	int error = result_of(syscall(SYS_move_pages, 0, 1L, pages, NULL, &status, 0));
	if (error || status < 0)
		return error ? error : status;
	int node = status;
	return result_of(syscall(SYS_move_pages, 0, 1L, pages, &node, &status, MOVE_OWN_PAGES));
}

static int try_move_other(void)
{
	void *pages[] = { NULL };
	int status = 0;
	return result_of(syscall(SYS_move_pages, other, 1L, pages, NULL, &status, 0));
}

static int madvise_of(pid_t pid, void *address, size_t size)
{
	struct iovec range = { address, size };
	long fd = syscall(SYSCALL_PIDFD, pid, 0);
	if (fd < 0)
		return -errno;
	int error = result_of(
		syscall(SYSCALL_MADVISE, fd, &range, address ? 1L : 0L, ADVICE_COLD, 0));
	close((int)fd);
	return error;
}

static int try_madvise(void)
{
	return madvise_of(getpid(), page, (size_t)sysconf(_SC_PAGESIZE));
}

static int try_madvise_other(void)
{
	return madvise_of(other, NULL, 0);
}

static int try_pagemap_other(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/pagemap", other);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int try_frames(void)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	off_t at = (off_t)((uintptr_t)page / (uintptr_t)sysconf(_SC_PAGESIZE) * sizeof(entry));
	ssize_t nr = pread(fd, &entry, sizeof(entry), at);
	int error = nr < 0 ? -errno : nr != sizeof(entry) ? -EIO : 0;
	close(fd);
	return error ? error : entry & FRAME_BITS ? 0 : -EPERM;
}

static int try_pagemap_scan(void)
{
	struct scan_argument scan = {
		.size = sizeof(scan),
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + (uintptr_t)sysconf(_SC_PAGESIZE),
		.category_mask = PAGE_IS_PRESENT_BIT,
		.return_mask = PAGE_IS_PRESENT_BIT,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = result_of(ioctl(fd, PAGEMAP_SCAN_REQUEST, &scan));
	close(fd);
	return error;
}

static int try_perf(void)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	long fd = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0UL);
	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

static int (*const tries[TRY_NR_TRIALS])(void) = {
	[TRY_AFFINITY] = try_affinity,
	[TRY_MOVE] = try_move,
	[TRY_MOVE_OTHER] = try_move_other,
	[TRY_MADVISE] = try_madvise,
	[TRY_MADVISE_OTHER] = try_madvise_other,
	[TRY_PAGEMAP_OTHER] = try_pagemap_other,
	[TRY_FRAMES] = try_frames,
	[TRY_PAGEMAP_SCAN] = try_pagemap_scan,
	[TRY_PERF] = try_perf,
};

static void child_main(volatile int *results, int from)
{
	long size = sysconf(_SC_PAGESIZE);
	signal(SIGSYS, SIG_DFL);
	alarm(CHILD_SECONDS);
	page = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		_exit(1);
	*page = 1;
	for (int i = from; i < TRY_NR_TRIALS; i++) {
		results[i] = TRIAL_KILLED;
		results[i] = tries[i]();
	}
	_exit(0);
}

/* The first that was not tried. */
static int try_from(volatile int *results, int from)
{
	pid_t pid = fork();
	if (pid == 0)
		child_main(results, from);
	if (pid < 0)
		return TRY_NR_TRIALS;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	int next = from;
	while (next < TRY_NR_TRIALS && results[next] != TRIAL_NOT_TRIED)
		next++;
	return next > from ? next : TRY_NR_TRIALS;
}

void doctor_try(struct doctor *doctor)
{
	int *trials = doctor->trials;
	size_t size = TRY_NR_TRIALS * sizeof(int);
	doctor->other = other = find_other();
	for (int i = 0; i < TRY_NR_TRIALS; i++)
		trials[i] = TRIAL_NOT_TRIED;
	int *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return;
	memcpy(shared, trials, size);
	for (int next = 0; next < TRY_NR_TRIALS;)
		next = try_from(shared, next);
	memcpy(trials, shared, size);
	munmap(shared, size);
}

const char *doctor_trial_text(int result)
{
	if (result == TRIAL_KILLED)
		return "a seccomp filter kills who calls it";
	return result == TRIAL_NOT_TRIED ? "not tried" : error_text(result);
}
