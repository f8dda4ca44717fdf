/* SPDX-License-Identifier: MIT */
/*
 * A B+ tree of 64-bit keys and values in one arena: the index of a database in memory.
 *
 *     inner   | key 0 | key 1 | ... |          child i holds keys below key i,
 *             child 0   child 1 ... child nr   the last child the rest
 *     leaf    | key 0 | key 1 | ... | value 0 | value 1 | ... |  next leaf ->
 *
 * Nodes have 1 KiB, four to a page, and are named by their number in the arena. A tree may be
 * loaded from ascending keys (leaves filled to 7/8, inner levels above them afterwards, so that the
 * inner nodes lie together at the end), and grows by splitting full nodes on the way down. Lookups
 * cost a binary search of 62 keys per level. Nothing is deleted.
 *
 * Comer, "The ubiquitous B-tree", 1979.
 */
#ifndef BERTH_WORK_BTREE_H
#define BERTH_WORK_BTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTREE_NODE_BYTES 1024
#define BTREE_KEYS	 62
#define BTREE_NONE	 UINT32_MAX

struct btree_node {
	uint32_t is_leaf, nr;
	uint32_t next; /* leaf to the right */
	uint32_t unused;
	uint64_t keys[BTREE_KEYS];
	union {
		uint64_t values[BTREE_KEYS];
		uint32_t children[BTREE_KEYS + 1];
	};
};

struct btree {
	struct btree_node *nodes;
	uint32_t nr_nodes, max_nodes, root, height; /* height 1: the root is a leaf */
	uint32_t nr_loaded_leaves; /* nodes [0, this) are leaves in the order of their keys */
	uint64_t nr_keys;
};

/* An empty tree in an arena of max_nodes (at least 2) zeroed nodes. */
void btree_init(struct btree *tree, void *arena, uint32_t max_nodes);
/* Loads nr ascending keys into an empty tree, asked for by number. -ENOSPC: the arena is full. */
int btree_load(struct btree *tree, uint64_t nr, uint64_t (*key_of)(uint64_t number),
	       uint64_t (*value_of)(uint64_t key));
/* 1: new, 0: was there and has the new value; -ENOSPC: the arena is full, nothing changed. */
int btree_insert(struct btree *tree, uint64_t key, uint64_t value);
bool btree_find(const struct btree *tree, uint64_t key, uint64_t *ret_value);
/* Up to nr keys from the first that is not below `from`: calls visit for each until it returns
 * false. Returns how many were visited. */
uint64_t btree_scan(const struct btree *tree, uint64_t from, uint64_t nr,
		    bool (*visit)(uint64_t key, uint64_t value, void *data), void *data);
/* The leaf that holds, or would hold, the key. */
uint32_t btree_leaf_of(const struct btree *tree, uint64_t key);
/* All keys ascend, each value is value_of(key), counts agree. */
bool btree_is_valid(const struct btree *tree, uint64_t (*value_of)(uint64_t key));

#endif
