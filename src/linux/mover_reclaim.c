/* SPDX-License-Identifier: MIT */
/*
 * node-reclaim: room made on a node by the kernel's own reclaim, file pages only.
 *
 *     PLAN_RECLAIM, from node N     "4M swappiness=0" -> /sys/devices/system/node/nodeN/reclaim
 *                                   where there is none, and a cgroup is watched:
 *                                                     -> its memory.reclaim, of whichever node
 *
 * For a node that refuses pages as full: what the kernel gives up first is the page cache that was
 * used least. A node's file concerns everybody's page cache; nothing of anonymous memory is
 * touched, that is what pageout is for (mover_madvise.c).
 *
 * The kernel says whether it got all that it was asked for; how much became free is read back from
 * the node's meminfo.
 *
 * Cost: reclaiming 4 MiB of page cache takes the kernel about a millisecond of our time; whoever
 * asks bounds how often (advice.h).
 * Follows reclaim_store() and user_proactive_reclaim() in mm/vmscan.c (7.3), memory_reclaim() in
 * mm/memcontrol.c (6.12).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "linux/mover_at_once.h"
#include "linux/movers.h"
#include "linux/process.h"

#define NODE_FILE "sys/devices/system/node/node%u/reclaim"

static bool path_for(const struct live *live, uint32_t node, char *ret, size_t size)
{
	snprintf(ret, size, NODE_FILE, live->machine->nodes[node].id);
	if (root_has(live->root, ret))
		return true;
	if (!live->cgroup)
		return false;
	snprintf(ret, size, "%s/memory.reclaim", live->cgroup);
	return root_has(live->root, ret);
}

static uint64_t free_pages(const struct live *live, uint32_t node)
{
	uint64_t capacity_pages, nr = 0;
	return live_node_pages(live, node, &capacity_pages, &nr) ? 0 : nr;
}

/* How many of the pages became free: as the kernel says, and at most as many as there are more. */
static void make_room(struct live *live, const struct plan_move *move, struct move_result *ret)
{
	char path[256], wish[64];
	if (move->kind != PLAN_RECLAIM || move->from >= live->machine->nr_nodes ||
	    !path_for(live, move->from, path, sizeof(path)))
		return;
	uint64_t before = free_pages(live, move->from);
	snprintf(wish, sizeof(wish), "%llu swappiness=0",
		 (unsigned long long)(move->nr_pages * live->machine->page_bytes));
	int error = rootfile_write(live->root, path, wish);
	uint64_t after = free_pages(live, move->from);
	ret->outcome = !error || (error == -EAGAIN && after > before) ? MOVE_DONE
		       : error == -EACCES || error == -EPERM	      ? MOVE_REFUSED_DENIED
								      : MOVE_REFUSED_BUSY;
	if (error == -EAGAIN && after > before)
		ret->nr_pages = MIN(move->nr_pages, after - before);
}

/* A cgroup may still come to be watched: without one the kernel's file for nodes is needed. */
static int probe(void *world, struct printbuf *err)
{
	const struct live *live = world;
	char path[256];
	for (uint32_t i = 0; i < live->machine->nr_nodes; i++)
		if (live->machine->nodes[i].tier != UINT32_MAX &&
		    path_for(live, i, path, sizeof(path)))
			return 0;
	return error_set(err, -EOPNOTSUPP,
			 "node-reclaim: there is no /sys/devices/system/node/nodeN/reclaim and no "
			 "watched cgroup with memory.reclaim; use Linux 7");
}

static int reclaim_new(struct live *live, void **ret_mover, struct printbuf *err)
{
	return mover_at_once_new(live, make_room, "node-reclaim", ret_mover, err);
}

static const struct mover_ops reclaim_ops = {
	.name = "node-reclaim",
	.summary = "room on a full node, by the kernel's reclaim of file pages",
	.probe = probe,
	.submit = mover_at_once_submit,
	.complete = mover_at_once_complete,
};

const struct live_mover live_mover_reclaim = { &reclaim_ops, reclaim_new, NULL, NULL, NULL, free };
