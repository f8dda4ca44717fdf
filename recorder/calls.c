/* SPDX-License-Identifier: MIT */
/*
 * System calls of the guest: the buffers that the kernel reads and writes for it, what it maps and
 * unmaps, and the time it spends blocked. Looked at when the call returned, because the result
 * says how much was done; execve and exits before, because they do not return.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"
#include "guest.h"

#define BLOCKED_MIN_NS ((uint64_t)50 * NS_PER_US)
#define BUFFER_MAX     ((uint64_t)1 << 31) /* the kernel moves less in one call */
#define MAX_VECTORS    1024
#define MSGHDR_IOV_AT  16 /* in x86-64's struct msghdr: pointer, then count */

enum size_kind {
	SIZE_FIXED,    /* value bytes */
	SIZE_RESULT,   /* the result is the number of bytes (times value) */
	SIZE_ARGUMENT, /* argument `value` is the number of pollfds */
	SIZE_STRING,   /* up to its NUL */
	SIZE_VECTOR,   /* an iovec array of argument `value` entries, `result` bytes in all */
	SIZE_MESSAGE,  /* a msghdr, `result` bytes in all */
};

/* One buffer of one call; a call may have several. flags: TRACE_WRITE when the kernel writes. */
struct call_buffer {
	uint16_t call;
	uint8_t argument;
	uint8_t size_kind;
	uint16_t value;
	uint8_t flags;
};

#define LOAD  0
#define STORE TRACE_WRITE

static const struct call_buffer buffers[] = {
	{ SYS_read, 1, SIZE_RESULT, 1, STORE },
	{ SYS_write, 1, SIZE_RESULT, 1, LOAD },
	{ SYS_open, 0, SIZE_STRING, 0, LOAD },
	{ SYS_stat, 0, SIZE_STRING, 0, LOAD },
	{ SYS_stat, 1, SIZE_FIXED, 144, STORE },
	{ SYS_fstat, 1, SIZE_FIXED, 144, STORE },
	{ SYS_lstat, 0, SIZE_STRING, 0, LOAD },
	{ SYS_lstat, 1, SIZE_FIXED, 144, STORE },
	{ SYS_poll, 0, SIZE_ARGUMENT, 1, STORE },
	{ SYS_pread64, 1, SIZE_RESULT, 1, STORE },
	{ SYS_pwrite64, 1, SIZE_RESULT, 1, LOAD },
	{ SYS_readv, 1, SIZE_VECTOR, 2, STORE },
	{ SYS_writev, 1, SIZE_VECTOR, 2, LOAD },
	{ SYS_preadv, 1, SIZE_VECTOR, 2, STORE },
	{ SYS_pwritev, 1, SIZE_VECTOR, 2, LOAD },
	{ SYS_access, 0, SIZE_STRING, 0, LOAD },
	{ SYS_pipe, 0, SIZE_FIXED, 8, STORE },
	{ SYS_nanosleep, 0, SIZE_FIXED, 16, LOAD },
	{ SYS_sendto, 1, SIZE_RESULT, 1, LOAD },
	{ SYS_recvfrom, 1, SIZE_RESULT, 1, STORE },
	{ SYS_sendmsg, 1, SIZE_MESSAGE, 0, LOAD },
	{ SYS_recvmsg, 1, SIZE_MESSAGE, 0, STORE },
	{ SYS_uname, 0, SIZE_FIXED, 390, STORE },
	{ SYS_getdents, 1, SIZE_RESULT, 1, STORE },
	{ SYS_getcwd, 0, SIZE_RESULT, 1, STORE },
	{ SYS_readlink, 0, SIZE_STRING, 0, LOAD },
	{ SYS_readlink, 1, SIZE_RESULT, 1, STORE },
	{ SYS_gettimeofday, 0, SIZE_FIXED, 16, STORE },
	{ SYS_getrusage, 1, SIZE_FIXED, 144, STORE },
	{ SYS_sysinfo, 0, SIZE_FIXED, 112, STORE },
	{ SYS_times, 0, SIZE_FIXED, 32, STORE },
	{ SYS_futex, 0, SIZE_FIXED, 4, LOAD },
	{ SYS_getdents64, 1, SIZE_RESULT, 1, STORE },
	{ SYS_clock_gettime, 1, SIZE_FIXED, 16, STORE },
	{ SYS_epoll_wait, 1, SIZE_RESULT, 12, STORE },
	{ SYS_epoll_pwait, 1, SIZE_RESULT, 12, STORE },
	{ SYS_epoll_ctl, 3, SIZE_FIXED, 12, LOAD },
	{ SYS_openat, 1, SIZE_STRING, 0, LOAD },
	{ SYS_newfstatat, 1, SIZE_STRING, 0, LOAD },
	{ SYS_newfstatat, 2, SIZE_FIXED, 144, STORE },
	{ SYS_readlinkat, 2, SIZE_RESULT, 1, STORE },
	{ SYS_pipe2, 0, SIZE_FIXED, 8, STORE },
	{ SYS_getrandom, 0, SIZE_RESULT, 1, STORE },
	{ SYS_statx, 4, SIZE_FIXED, 256, STORE },
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void look_at(struct thread *thread, uint64_t address, uint64_t nr_bytes, uint8_t flags)
{
	if (address && nr_bytes < BUFFER_MAX)
		core_access(thread, address, nr_bytes, flags | TRACE_SYSCALL);
}

/* The parts of a vector that the call's result fills, in order. */
static void look_at_vector(struct thread *thread, uint64_t address, uint64_t nr, uint64_t total,
			   uint8_t flags)
{
	look_at(thread, address, MIN(nr, MAX_VECTORS) * sizeof(struct iovec), LOAD);
	for (uint64_t i = 0; i < MIN(nr, MAX_VECTORS) && total > 0; i++) {
		struct iovec part;
		if (guest_read(address + i * sizeof(part), &part, sizeof(part)) != sizeof(part))
			return;
		uint64_t nr_bytes = MIN((uint64_t)part.iov_len, total);
		look_at(thread, (uint64_t)(uintptr_t)part.iov_base, nr_bytes, flags);
		total -= nr_bytes;
	}
}

static void look_at_message(struct thread *thread, uint64_t address, uint64_t total, uint8_t flags)
{
	uint64_t vector[2];
	look_at(thread, address, sizeof(struct msghdr), LOAD);
	if (guest_read(address + MSGHDR_IOV_AT, vector, sizeof(vector)) == sizeof(vector))
		look_at_vector(thread, vector[0], vector[1], total, flags);
}

static void look_at_buffer(struct thread *thread, const struct call_buffer *buffer, uint64_t result)
{
	uint64_t address = thread->arguments[buffer->argument];
	char path[4096];
	switch ((enum size_kind)buffer->size_kind) {
	case SIZE_FIXED:
		look_at(thread, address, buffer->value, buffer->flags);
		break;
	case SIZE_RESULT:
		look_at(thread, address, result * buffer->value, buffer->flags);
		break;
	case SIZE_ARGUMENT:
		look_at(thread, address, MIN(thread->arguments[buffer->value], 65536) * 8,
			buffer->flags);
		break;
	case SIZE_STRING:
		look_at(thread, address, guest_read_string(address, path, sizeof(path)) + 1,
			buffer->flags);
		break;
	case SIZE_VECTOR:
		look_at_vector(thread, address, thread->arguments[buffer->value], result,
			       buffer->flags);
		break;
	case SIZE_MESSAGE:
		look_at_message(thread, address, result, buffer->flags);
		break;
	}
}

static void look_at_buffers(struct thread *thread, uint64_t result)
{
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
		if (buffers[i].call == thread->call)
			look_at_buffer(thread, &buffers[i], result);
}

/* What the guest's file descriptor is open on. */
static const char *file_name(int fd, char name[RING_PATH_BYTES])
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, name, RING_PATH_BYTES - 1);
	name[MAX(len, 0)] = '\0';
	return name;
}

static void did_change(struct thread *thread, const struct mapping_change *change)
{
	char path[RING_PATH_BYTES];
	const char *name = change->name;
	uint64_t detail = change->op == TRACE_REMAP ? change->from : change->detail;
	if (change->op == TRACE_MAP && !name)
		name = file_name((int)thread->arguments[4], path);
	core_lock();
	if (change->op == TRACE_UNMAP || change->op == TRACE_DISCARD || change->op == TRACE_REMAP)
		core_forget(change->address, change->nr_bytes);
	if (change->op == TRACE_REMAP)
		core_move(change->from, change->address, change->nr_bytes);
	core_mapping(thread, change->op, change->address, change->nr_bytes, name, detail,
		     change->protection);
	core_unlock();
}

static void did_shmat(struct thread *thread, uint64_t at)
{
	struct shmid_ds status;
	if (shmctl((int)thread->arguments[0], IPC_STAT, &status) < 0)
		return;
	core_lock();
	core_mapping(thread, TRACE_MAP, at, status.shm_segsz, "[shm]", 0, PROT_READ | PROT_WRITE);
	core_unlock();
}

static void change_maps(struct thread *thread, uint64_t result)
{
	static uint64_t heap_end; /* under the guest's own order of brk calls */
	struct mapping_change changes[MAPPING_CHANGES_MAX];
	unsigned nr = mapping_changes(thread->call, thread->arguments, result, &heap_end, changes);
	for (unsigned i = 0; i < nr; i++)
		did_change(thread, &changes[i]);
	if (thread->call == SYS_shmat)
		did_shmat(thread, result);
}

/* If the process ends in this call, berth record knows that the exec succeeded. */
static void will_exec(struct thread *thread, uint64_t path)
{
	struct lane *lane = core.ring.lane;
	if (!lane)
		return;
	guest_read_string(path, lane->exec_path, sizeof(lane->exec_path));
	lane->exec_thread = thread->number;
	core_lock();
	core_pause(thread);
	core_unlock();
	__atomic_store_n(&lane->is_executing, 1, __ATOMIC_RELEASE);
}

void guest_call(struct thread *thread, int64_t number, const uint64_t arguments[6])
{
	thread->call = number;
	memcpy(thread->arguments, arguments, sizeof(thread->arguments));
	if (number == SYS_execve)
		will_exec(thread, arguments[0]);
	else if (number == SYS_execveat)
		will_exec(thread, arguments[1]);
	if (number == SYS_exit_group || (number == SYS_exit && core.nr_alive <= 1)) {
		core_lock();
		core_end(thread);
		core_unlock();
	}
	thread->entered_ns = clock_ns(CLOCK_MONOTONIC);
	thread->entered_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Did it give up the CPU by itself? Waiting for a turn on a busy machine is not the program's. */
static bool has_waited(struct thread *thread)
{
	struct rusage usage;
	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return true;
	bool waited = usage.ru_nvcsw != thread->nr_waits;
	thread->nr_waits = usage.ru_nvcsw;
	return waited;
}

/* Time off the CPU. Others went on meanwhile: the thread wakes at their time. */
static void note_blocked(struct thread *thread)
{
	uint64_t passed = clock_ns(CLOCK_MONOTONIC) - thread->entered_ns;
	if (passed < BLOCKED_MIN_NS)
		return;
	uint64_t busy = clock_ns(CLOCK_THREAD_CPUTIME_ID) - thread->entered_cpu_ns;
	if (busy + BLOCKED_MIN_NS > passed || !has_waited(thread))
		return;
	core_lock();
	uint64_t shared = __atomic_load_n(&core.recording->clock, __ATOMIC_RELAXED);
	core_raise(thread, MAX(core.clock, shared));
	core_blocked(thread, passed - busy);
	core_unlock();
}

void guest_return(struct thread *thread, int64_t result)
{
	int saved = errno;
	bool failed = result < 0 && result >= -4095;
	if (core.ring.lane && core.ring.lane->is_executing)
		__atomic_store_n(&core.ring.lane->is_executing, 0, __ATOMIC_RELEASE);
	note_blocked(thread);
	if (!failed) {
		look_at_buffers(thread, (uint64_t)result);
		change_maps(thread, (uint64_t)result);
		core_tick(thread); /* what was unmapped leaves its filter before it goes on */
	}
	thread->call = -1;
	errno = saved;
}
