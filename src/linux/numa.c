/* SPDX-License-Identifier: MIT */
/*
 * Sets of ids to the kernel's masks and back.
 *
 * A mask is an array of longs and a count of bits. The kernel takes one bit less than the count
 * says (get_nodes() in mm/mempolicy.c), refuses masks that are longer than a page, and bits beyond
 * its own highest node; and it answers only into a mask of at least as many bits as it knows nodes.
 *
 *     struct set {0, 3}  ->  words[0] = 0x9, maxnode = 64 + 1
 */
#include "linux/numa.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD_BITS      64
#define ANSWER_WORDS   256  /* 16,384 nodes: more than Linux can have, less than a page */
#define FLAG_NODE      1    /* MPOL_F_NODE: the node itself rather than the policy */
#define FLAG_ADDRESS   2    /* MPOL_F_ADDR: of this address */
#define FLAG_ALLOWED   4    /* MPOL_F_MEMS_ALLOWED */
#define POLICY_BITS    0xff /* above are mode flags */
#define MOVE_EXCLUSIVE 2    /* MPOL_MF_MOVE: pages that nobody else maps */

static int result_of(long status)
{
	return status < 0 ? -errno : 0;
}

/* A set's words are already laid out as the kernel wants them; blanks at its end are not sent, so
 * that a set that once held a higher member is not refused. */
static unsigned long maxnode_of(const struct set *nodes)
{
	int64_t last = nodes ? set_last(nodes) : -1;
	return last < 0 ? 0 : ((unsigned long)last / WORD_BITS + 1) * WORD_BITS + 1;
}

static const void *mask_of(const struct set *nodes)
{
	return maxnode_of(nodes) > 0 ? nodes->words : NULL;
}

int numa_bind(void *start, size_t nr_bytes, enum numa_policy policy, const struct set *nodes)
{
	return result_of(syscall(SYS_mbind, start, nr_bytes, (long)policy, mask_of(nodes),
				 maxnode_of(nodes), 0L));
}

int numa_set_policy(enum numa_policy policy, const struct set *nodes)
{
	return result_of(
		syscall(SYS_set_mempolicy, (long)policy, mask_of(nodes), maxnode_of(nodes)));
}

static int set_of_mask(const unsigned long *words, struct set *ret)
{
	struct set nodes = SET_EMPTY;
	for (uint32_t i = 0; i < ANSWER_WORDS * WORD_BITS; i++) {
		if (!(words[i / WORD_BITS] >> (i % WORD_BITS) & 1))
			continue;
		if (set_add(&nodes, i)) {
			set_fini(&nodes);
			return -ENOMEM;
		}
	}
	*ret = nodes;
	return 0;
}

static int ask(int *policy, struct set *ret_nodes, unsigned long flags)
{
	unsigned long words[ANSWER_WORDS] = { 0 };
	long status = syscall(SYS_get_mempolicy, policy, words,
			      (unsigned long)ANSWER_WORDS * WORD_BITS, NULL, flags);
	return status < 0 ? -errno : set_of_mask(words, ret_nodes);
}

int numa_get_policy(enum numa_policy *ret_policy, struct set *ret_nodes)
{
	int policy = 0;
	int error = ask(&policy, ret_nodes, 0);
	if (!error)
		*ret_policy = (enum numa_policy)(policy & POLICY_BITS);
	return error;
}

int numa_allowed(struct set *ret_nodes)
{
	return ask(NULL, ret_nodes, FLAG_ALLOWED);
}

int numa_node_of(const void *address, uint32_t *ret_node)
{
	int node = 0;
	long status = syscall(SYS_get_mempolicy, &node, NULL, 0UL, address,
			      (unsigned long)(FLAG_NODE | FLAG_ADDRESS));
	if (status == 0)
		*ret_node = (uint32_t)node;
	return result_of(status);
}

int numa_where(pid_t pid, size_t nr, void *const *pages, int *ret_nodes)
{
	return result_of(syscall(SYS_move_pages, (long)pid, nr, pages, NULL, ret_nodes, 0L));
}

int64_t numa_move(pid_t pid, size_t nr, void *const *pages, const int *nodes, int *ret_nodes)
{
	long status = syscall(SYS_move_pages, (long)pid, nr, pages, nodes, ret_nodes,
			      (long)MOVE_EXCLUSIVE);
	return status < 0 ? -errno : status;
}
