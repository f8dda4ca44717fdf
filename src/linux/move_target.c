/* SPDX-License-Identifier: MIT */
/* The process of a batch, its pages and results (move_target.h). */
#include "linux/move_target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "linux/mover_move_pages.h"

int move_target_open(struct live *live, uint32_t space, struct move_target *ret)
{
	const struct live_space *alive = live_space(live, space);
	int pidfd = alive ? fcntl(alive->pidfd, F_DUPFD_CLOEXEC, 3) : -1;
	if (alive && pidfd < 0)
		return -errno;
	*ret = (struct move_target){ space, alive ? alive->pid : 0, pidfd };
	return 0;
}

void move_target_close(struct move_target *target)
{
	if (target->pidfd >= 0)
		close(target->pidfd);
	target->pidfd = -1;
}

/* A pidfd that has something to read is of a process that ended. */
bool move_target_has_ended(const struct move_target *target)
{
	struct pollfd ask = { .fd = target->pidfd, .events = POLLIN };
	return target->pidfd < 0 || poll(&ask, 1, 0) != 0;
}

/* -EINVAL is what the kernel says of a process that is ending. */
void move_target_where(const struct move_target *target, uint32_t nr, void *const *pages,
		       int *ret_nodes)
{
	int error = nr > 0 ? move_calls.where(target->pid, nr, pages, ret_nodes) : 0;
	for (uint32_t i = 0; i < nr && error; i++)
		ret_nodes[i] = error == -ESRCH || error == -EINVAL ? -ESRCH : -EIO;
}

uint32_t move_node_index(const struct machine *machine, int node)
{
	int64_t index = node < 0 ? -1 : machine_node_index(machine, (uint32_t)node);
	return index < 0 ? PLAN_NODE_ANY : (uint32_t)index;
}

static bool continues(const struct move_result *last, const struct move_result *next)
{
	return last->space == next->space && last->page + last->nr_pages == next->page &&
	       last->from == next->from && last->to == next->to && last->node == next->node &&
	       last->outcome == next->outcome;
}

uint32_t move_result_append(struct move_result *results, uint32_t nr,
			    const struct move_result *next)
{
	if (nr > 0 && continues(&results[nr - 1], next)) {
		results[nr - 1].nr_pages += next->nr_pages;
		return nr;
	}
	results[nr] = *next;
	return nr + 1;
}
