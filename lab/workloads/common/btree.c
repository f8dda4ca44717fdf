/* SPDX-License-Identifier: MIT */
/*
 * The B+ tree of the btree workload (btree.h).
 */
#include <errno.h>
#include <string.h>

#include "lab/workloads/common/btree.h"

#define LOADED_KEYS (BTREE_KEYS * 7 / 8)
#define MAX_HEIGHT  16

_Static_assert(sizeof(struct btree_node) <= BTREE_NODE_BYTES, "a node fits its bytes");

static struct btree_node *node_at(const struct btree *tree, uint32_t number)
{
	return (struct btree_node *)((char *)tree->nodes + (size_t)number * BTREE_NODE_BYTES);
}

static uint32_t new_node(struct btree *tree, bool is_leaf)
{
	struct btree_node *node;

	if (tree->nr_nodes == tree->max_nodes)
		return BTREE_NONE;
	node = node_at(tree, tree->nr_nodes);
	node->is_leaf = is_leaf;
	node->nr = 0;
	node->next = BTREE_NONE;
	return tree->nr_nodes++;
}

void btree_init(struct btree *tree, void *arena, uint32_t max_nodes)
{
	*tree = (struct btree){ .nodes = arena, .max_nodes = max_nodes, .height = 1 };
	tree->root = new_node(tree, true);
}

/* The first of the node's keys that is not below key (`above`: that is above it). */
static uint32_t position(const struct btree_node *node, uint64_t key, bool above)
{
	uint32_t low = 0, high = node->nr;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (node->keys[middle] < key || (above && node->keys[middle] == key))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t btree_leaf_of(const struct btree *tree, uint64_t key)
{
	uint32_t at = tree->root;

	for (uint32_t level = 1; level < tree->height; level++) {
		const struct btree_node *node = node_at(tree, at);

		at = node->children[position(node, key, true)];
	}
	return at;
}

bool btree_find(const struct btree *tree, uint64_t key, uint64_t *ret_value)
{
	const struct btree_node *leaf = node_at(tree, btree_leaf_of(tree, key));
	uint32_t at = position(leaf, key, false);

	if (at == leaf->nr || leaf->keys[at] != key)
		return false;
	*ret_value = leaf->values[at];
	return true;
}

uint64_t btree_scan(const struct btree *tree, uint64_t from, uint64_t nr,
		    bool (*visit)(uint64_t key, uint64_t value, void *data), void *data)
{
	const struct btree_node *leaf = node_at(tree, btree_leaf_of(tree, from));
	uint32_t at = position(leaf, from, false);
	uint64_t visited = 0;

	while (visited < nr) {
		if (at == leaf->nr) {
			if (leaf->next == BTREE_NONE)
				break;
			leaf = node_at(tree, leaf->next);
			at = 0;
			continue;
		}
		visited++;
		if (!visit(leaf->keys[at], leaf->values[at], data))
			break;
		at++;
	}
	return visited;
}

/* Parts the full child at `slot` of an inner node that has room. */
static int split_child(struct btree *tree, uint32_t parent_number, uint32_t slot)
{
	uint32_t left_number = node_at(tree, parent_number)->children[slot];
	bool is_leaf = node_at(tree, left_number)->is_leaf;
	uint32_t right_number = new_node(tree, is_leaf);
	struct btree_node *parent, *left, *right;
	uint32_t kept = BTREE_KEYS / 2;
	uint64_t border;

	if (right_number == BTREE_NONE)
		return -ENOSPC;
	parent = node_at(tree, parent_number);
	left = node_at(tree, left_number);
	right = node_at(tree, right_number);
	border = left->keys[kept];
	if (is_leaf) {
		right->nr = left->nr - kept;
		memcpy(right->keys, left->keys + kept, right->nr * sizeof(uint64_t));
		memcpy(right->values, left->values + kept, right->nr * sizeof(uint64_t));
		right->next = left->next;
		left->next = right_number;
	} else {
		right->nr = left->nr - kept - 1;
		memcpy(right->keys, left->keys + kept + 1, right->nr * sizeof(uint64_t));
		memcpy(right->children, left->children + kept + 1,
		       (right->nr + 1) * sizeof(uint32_t));
	}
	left->nr = kept;
	memmove(parent->keys + slot + 1, parent->keys + slot,
		(parent->nr - slot) * sizeof(uint64_t));
	memmove(parent->children + slot + 2, parent->children + slot + 1,
		(parent->nr - slot) * sizeof(uint32_t));
	parent->keys[slot] = border;
	parent->children[slot + 1] = right_number;
	parent->nr++;
	return 0;
}

/* A full root gets a parent, so that every split finds room above. */
static int grow_root(struct btree *tree)
{
	uint32_t number;

	if (node_at(tree, tree->root)->nr < BTREE_KEYS)
		return 0;
	if (tree->max_nodes - tree->nr_nodes < 2)
		return -ENOSPC;
	number = new_node(tree, false);
	node_at(tree, number)->children[0] = tree->root;
	tree->root = number;
	tree->height++;
	return split_child(tree, number, 0);
}

static int insert_into_leaf(struct btree *tree, struct btree_node *leaf, uint64_t key,
			    uint64_t value)
{
	uint32_t at = position(leaf, key, false);

	if (at < leaf->nr && leaf->keys[at] == key) {
		leaf->values[at] = value;
		return 0;
	}
	memmove(leaf->keys + at + 1, leaf->keys + at, (leaf->nr - at) * sizeof(uint64_t));
	memmove(leaf->values + at + 1, leaf->values + at, (leaf->nr - at) * sizeof(uint64_t));
	leaf->keys[at] = key;
	leaf->values[at] = value;
	leaf->nr++;
	tree->nr_keys++;
	return 1;
}

int btree_insert(struct btree *tree, uint64_t key, uint64_t value)
{
	uint32_t at;
	int error = grow_root(tree);

	if (error)
		return error;
	at = tree->root;
	for (uint32_t level = 1; level < tree->height; level++) {
		uint32_t slot = position(node_at(tree, at), key, true);

		if (node_at(tree, node_at(tree, at)->children[slot])->nr == BTREE_KEYS) {
			error = split_child(tree, at, slot);
			if (error)
				return error;
			slot = position(node_at(tree, at), key, true);
		}
		at = node_at(tree, at)->children[slot];
	}
	return insert_into_leaf(tree, node_at(tree, at), key, value);
}

static int load_leaves(struct btree *tree, uint64_t nr, uint64_t (*key_of)(uint64_t number),
		       uint64_t (*value_of)(uint64_t key))
{
	struct btree_node *leaf = node_at(tree, tree->root);

	for (uint64_t i = 0; i < nr; i++) {
		if (leaf->nr == LOADED_KEYS) {
			uint32_t next = new_node(tree, true);

			if (next == BTREE_NONE)
				return -ENOSPC;
			leaf->next = next;
			leaf = node_at(tree, next);
		}
		leaf->keys[leaf->nr] = key_of(i);
		leaf->values[leaf->nr] = value_of(leaf->keys[leaf->nr]);
		leaf->nr++;
		tree->nr_keys++;
	}
	tree->nr_loaded_leaves = tree->nr_nodes;
	return 0;
}

static uint64_t lowest_key(const struct btree *tree, uint32_t number)
{
	while (!node_at(tree, number)->is_leaf)
		number = node_at(tree, number)->children[0];
	return node_at(tree, number)->keys[0];
}

/* One level of inner nodes over nodes [first, end). The last of them never gets a single child. */
static int load_level(struct btree *tree, uint32_t first, uint32_t end)
{
	struct btree_node *node = NULL;

	for (uint32_t child = first; child < end; child++) {
		uint32_t number;

		if (node && (node->nr < LOADED_KEYS || child + 1 == end)) {
			node->keys[node->nr++] = lowest_key(tree, child);
			node->children[node->nr] = child;
			continue;
		}
		number = new_node(tree, false);
		if (number == BTREE_NONE)
			return -ENOSPC;
		node = node_at(tree, number);
		node->children[0] = child;
	}
	return 0;
}

int btree_load(struct btree *tree, uint64_t nr, uint64_t (*key_of)(uint64_t number),
	       uint64_t (*value_of)(uint64_t key))
{
	uint32_t first = tree->root, end;
	int error = load_leaves(tree, nr, key_of, value_of);

	if (error)
		return error;
	for (end = tree->nr_nodes; end - first > 1; end = tree->nr_nodes) {
		error = load_level(tree, first, end);
		if (error)
			return error;
		first = end;
		tree->height++;
	}
	tree->root = first;
	return 0;
}

bool btree_is_valid(const struct btree *tree, uint64_t (*value_of)(uint64_t key))
{
	const struct btree_node *leaf = node_at(tree, btree_leaf_of(tree, 0));
	uint64_t nr = 0, before = 0, nr_leaves = 0;

	if (tree->height > MAX_HEIGHT)
		return false;
	while (nr_leaves++ < tree->nr_nodes) {
		for (uint32_t i = 0; i < leaf->nr; i++, nr++) {
			if ((nr && leaf->keys[i] <= before) ||
			    leaf->values[i] != value_of(leaf->keys[i]))
				return false;
			before = leaf->keys[i];
		}
		if (leaf->next == BTREE_NONE)
			return nr == tree->nr_keys;
		leaf = node_at(tree, leaf->next);
	}
	return false;
}
