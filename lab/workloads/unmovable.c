/* SPDX-License-Identifier: MIT */
/*
 * Memory that cannot be moved, of each kind, and some that can, all of it on one node and used
 * again and again: whoever places memory wants to move it, and must live with what stays.
 *
 *     plain     anonymous memory                          moves
 *     locked    mlock(2)                                  moves
 *     pipe      given to a pipe by vmsplice(2)            pinned for as long as nobody reads it
 *     io_uring  registered as a buffer                    pinned for as long as it is registered
 *     shared    anonymous, mapped by a child too          moves only for who may move others' pages
 *     hugetlb   of the pool of huge pages                 moves when the other node's pool has some
 *     dma-buf   a memfd made a DMA-BUF and mapped         not the process's own memory
 *
 * What this kernel does not offer is left out and named. It prints
 *
 *     made: KIND PAGES
 *     cannot: KIND: why
 *     at the end: KIND PAGES here PAGES elsewhere WHY      here: on its node
 *
 * Each kind is touched a page at a time, all of it 50 times a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lab/workloads/common/work.h"

#define PAGE_BYTES     4096
#define HUGE_BYTES     ((uint64_t)2 << 20)
#define POLICY_DEFAULT 0
#define POLICY_BIND    2
#define ROUNDS_PER_S   50
#define NS_IN_A_SECOND 1000000000

struct unmovable {
	uint64_t bytes, node, run_ns;
};

static struct unmovable unmovable = { .bytes = 1 << 20,
				      .node = 1,
				      .run_ns = 5ULL * NS_IN_A_SECOND };

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &unmovable.bytes, PAGE_BYTES, 64 << 20, "of each kind" },
	{ "node", WORK_COUNT, &unmovable.node, 0, 63, "where it lies" },
	{ "seconds", WORK_TIME, &unmovable.run_ns, 0, 0, "to stay" },
	{ 0 },
};

static char *map(uint64_t bytes, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static char *touched(char *memory, uint64_t bytes)
{
	for (uint64_t at = 0; memory && at < bytes; at += PAGE_BYTES)
		memory[at] = 1;
	return memory;
}

static char *make_plain(uint64_t bytes)
{
	char *memory = map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (memory)
		madvise(memory, bytes, MADV_NOHUGEPAGE);
	return touched(memory, bytes);
}

static char *make_locked(uint64_t bytes)
{
	char *memory = make_plain(bytes);

	return memory && mlock(memory, bytes) == 0 ? memory : NULL;
}

/* Pipes hold a page for each 4 KiB of their size. Both ends stay open. */
static char *make_pipe(uint64_t bytes)
{
	char *memory = make_plain(bytes);
	int ends[2];

	if (!memory || pipe(ends) < 0 || fcntl(ends[1], F_SETPIPE_SZ, bytes) < 0)
		return NULL;
	for (uint64_t at = 0; at < bytes;) {
		struct iovec part = { memory + at, bytes - at };
		ssize_t nr = vmsplice(ends[1], &part, 1, SPLICE_F_NONBLOCK);
		if (nr <= 0)
			return NULL;
		at += (uint64_t)nr;
	}
	return memory;
}

static char *make_io_uring(uint64_t bytes)
{
	char *memory = make_plain(bytes);
	struct io_uring_params params = { 0 };
	struct iovec buffer = { memory, bytes };
	long ring = memory ? syscall(SYS_io_uring_setup, 1, &params) : -1;

	if (ring < 0)
		return NULL;
	return syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) < 0
		       ? NULL
		       : memory;
}

static char *make_shared(uint64_t bytes)
{
	char *memory = touched(map(bytes, MAP_SHARED | MAP_ANONYMOUS, -1), bytes);
	int ready[2];
	char byte;

	if (!memory || pipe(ready) < 0)
		return NULL;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		touched(memory, bytes);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	return read(ready[0], &byte, 1) == 1 ? memory : NULL;
}

static char *make_hugetlb(uint64_t bytes)
{
	bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	return touched(map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1), bytes);
}

static char *make_dma_buf(uint64_t bytes)
{
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int file = device < 0 ? -1 : memfd_create("pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (file < 0 || ftruncate(file, (off_t)bytes) < 0 ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return NULL;
	struct udmabuf_create create = { .memfd = (uint32_t)file, .size = bytes };
	int buffer = ioctl(device, UDMABUF_CREATE, &create);

	return buffer < 0 ? NULL : touched(map(bytes, MAP_SHARED, buffer), bytes);
}

static struct kind {
	const char *name;
	char *(*make)(uint64_t bytes);
	char *memory;
} kinds[] = {
	{ "shared", make_shared, NULL }, /* first: its child has nothing of the others */
	{ "plain", make_plain, NULL },	   { "locked", make_locked, NULL },
	{ "pipe", make_pipe, NULL },	   { "io_uring", make_io_uring, NULL },
	{ "hugetlb", make_hugetlb, NULL }, { "dma-buf", make_dma_buf, NULL },
};
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void make_all(uint64_t bytes, uint64_t node)
{
	unsigned long nodes = 1UL << node;

	if (syscall(SYS_set_mempolicy, POLICY_BIND, &nodes, 65UL) < 0)
		work_fail(3, "memory cannot be had from node %u: %s", (unsigned)node,
			  strerror(errno));
	for (size_t i = 0; i < NR_KINDS; i++) {
		errno = 0;
		kinds[i].memory = kinds[i].make(bytes);
		if (kinds[i].memory)
			work_say("made: %s %llu", kinds[i].name,
				 (unsigned long long)(bytes / PAGE_BYTES));
		else
			work_say("cannot: %s: %s", kinds[i].name, strerror(errno));
	}
	syscall(SYS_set_mempolicy, POLICY_DEFAULT, NULL, 0UL);
}

static void use_all(uint64_t bytes)
{
	struct timespec pause = { .tv_nsec = NS_IN_A_SECOND / ROUNDS_PER_S };
	uint64_t end_ns = work_now_ns() + unmovable.run_ns;

	while (work_now_ns() < end_ns) {
		for (size_t i = 0; i < NR_KINDS; i++)
			touched(kinds[i].memory, bytes);
		nanosleep(&pause, NULL);
	}
}

/* Elsewhere: on another node. Unknown: the kernel does not say, for the reason of the last one. */
static void say_where(const struct kind *kind, uint64_t bytes, uint64_t node)
{
	uint64_t nr_here = 0, nr_elsewhere = 0;
	int reason = 0;

	for (uint64_t at = 0; at < bytes; at += PAGE_BYTES) {
		void *page = kind->memory + at;
		int where = -EIO;
		if (syscall(SYS_move_pages, 0L, 1UL, &page, NULL, &where, 0L) < 0)
			where = -errno;
		nr_here += where == (int)node;
		nr_elsewhere += where >= 0 && where != (int)node;
		reason = where < 0 ? -where : reason;
	}
	work_say("at the end: %s %llu here %llu elsewhere %s", kind->name,
		 (unsigned long long)nr_here, (unsigned long long)nr_elsewhere,
		 reason ? strerror(reason) : "");
}

int main(int argc, char **argv)
{
	work_begin("unmovable", "Memory of each kind that cannot be moved, used again and again.",
		   options, argc, argv);
	uint64_t bytes = unmovable.bytes / PAGE_BYTES * PAGE_BYTES;

	make_all(bytes, unmovable.node);
	use_all(bytes);
	for (size_t i = 0; i < NR_KINDS; i++)
		if (kinds[i].memory)
			say_where(&kinds[i], bytes, unmovable.node);
	return 0;
}
