/* SPDX-License-Identifier: MIT */
/*
 * process_madvise: what moving pages cannot do, asked of the kernel for a process by its pidfd.
 *
 *     PLAN_COLD       MADV_COLD       last in the kernel's lists: the first to go when it reclaims
 *     PLAN_PAGEOUT    MADV_PAGEOUT    to swap or to its file, now
 *     PLAN_COLLAPSE   MADV_COLLAPSE   2 MiB of single pages into a huge one, on the node that most
 *                                     of them are on
 *
 * One system call for each move that is asked for, made at once: whoever asks bounds how many
 * (advice.h). The answer is the call's: how many bytes were advised. Whether a page is cold nobody
 * can ask; whether a range is huge the next look at it tells.
 *
 * Cost: 20 to 100 us for 2 MiB of cold pages; a collapse copies 2 MiB and holds the process's
 * mmap_lock meanwhile, so that its page faults wait.
 * Follows mm/madvise.c and madvise_collapse() in mm/khugepaged.c (6.12).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/mover_at_once.h"
#include "linux/movers.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static int advice_of(uint8_t kind)
{
	switch (kind) {
	case PLAN_COLD:
		return MADV_COLD;
	case PLAN_PAGEOUT:
		return MADV_PAGEOUT;
	case PLAN_COLLAPSE:
		return MADV_COLLAPSE;
	default:
		return -1;
	}
}

static enum move_outcome outcome_of(int error)
{
	switch (error) {
	case ESRCH:
	case EFAULT:
	case EBADF:
		return MOVE_REFUSED_GONE;
	case ENOMEM: /* of a collapse: no huge page to be had; else: not mapped */
		return MOVE_REFUSED_FULL;
	case EPERM:
	case EACCES:
		return MOVE_REFUSED_DENIED;
	default:
		return MOVE_REFUSED_BUSY;
	}
}

static void advise(struct live *live, const struct plan_move *move, struct move_result *ret)
{
	const struct live_space *space = live_space(live, move->space);
	uint64_t page_bytes = live->machine->page_bytes;
	struct iovec range = { (void *)(uintptr_t)(move->page * page_bytes),
			       move->nr_pages * page_bytes };
	int advice = advice_of(move->kind);
	if (!space)
		ret->outcome = MOVE_REFUSED_GONE;
	if (!space || advice < 0)
		return; /* denied: not what it is for */
	long nr = syscall(SYS_process_madvise, space->pidfd, &range, 1, advice, 0);
	ret->outcome = nr < 0			       ? outcome_of(errno)
		       : (uint64_t)nr == range.iov_len ? MOVE_DONE
						       : MOVE_REFUSED_BUSY;
}

/* Asks about nothing of our own: a filter of system calls would refuse that too. */
static int probe(void *world, struct printbuf *err)
{
	struct iovec nothing = { 0 };
	(void)world;
	long pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	long nr = pidfd < 0 ? -1
			    : syscall(SYS_process_madvise, (int)pidfd, &nothing, 1, MADV_COLD, 0);
	int error = nr < 0 ? errno : 0;
	if (pidfd >= 0)
		close((int)pidfd);
	if (!error)
		return 0;
	return error_set(err, error == ENOSYS || error == EINVAL ? -EOPNOTSUPP : -error,
			 "process_madvise: %s; it needs Linux 5.10, CONFIG_ADVISE_SYSCALLS, and in "
			 "a container a filter of system calls that allows it",
			 error_text(-error));
}

static int madvise_new(struct live *live, void **ret_mover, struct printbuf *err)
{
	return mover_at_once_new(live, advise, "process_madvise", ret_mover, err);
}

static const struct mover_ops madvise_ops = {
	.name = "process_madvise",
	.summary = "pages made cold, paged out or collapsed, by pidfd",
	.probe = probe,
	.submit = mover_at_once_submit,
	.complete = mover_at_once_complete,
};

const struct live_mover live_mover_madvise = { &madvise_ops, madvise_new, NULL, NULL, NULL, free };
