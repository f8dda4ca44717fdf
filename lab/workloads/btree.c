/* SPDX-License-Identifier: MIT */
/*
 * A database's index in memory: bulk loaded, then skewed lookups, range scans and inserts.
 *
 *     | leaves, ascending ............................ | inner nodes | leaves of later splits |
 *         hot blocks of 256 keys, scattered              hottest
 *
 * Popularity is Zipf-distributed over blocks of 256 neighbouring keys (about a page of leaves):
 * recent or related rows are asked for together. Each answer is checked (a value is its key's hash,
 * a scan ascends and finds all it should); at the end the whole tree is walked.
 *
 * Best static placement (LAB_PLACE): the inner nodes, then the leaves by their blocks' popularity.
 */
#include "lab/workloads/common/btree.h"
#include "lab/workloads/common/pace.h"
#include "lab/workloads/common/place.h"
#include "lab/workloads/common/random.h"
#include "lab/workloads/common/work.h"
#include "lab/workloads/common/zipf.h"

#define BLOCK_KEYS 256
#define KEY_STEP   8  /* loaded keys are multiples; inserts fall between */
#define LOADED	   54 /* keys per leaf that was loaded */

struct database {
	struct pace pace;
	uint64_t memory_bytes, seed, scan_keys;
	double theta, share_scan, share_insert;

	struct btree tree;
	uint64_t nr_blocks;
	struct scatter scatter;
	struct zipf zipf;
	uint64_t nr_wrong, nr_inserted;
};

static struct database database = { .memory_bytes = 700ULL << 20,
				    .seed = 1,
				    .scan_keys = 100,
				    .theta = 0.99,
				    .share_scan = 0.1,
				    .share_insert = 0.02 };

static const struct work_option options[] = {
	{ "memory", WORK_SIZE, &database.memory_bytes, 1 << 20, 0x1p38, "of the tree" },
	{ "theta", WORK_NUMBER, &database.theta, 0, 10, "skew: 0 even, 0.99 customary" },
	{ "share-scan", WORK_SHARE, &database.share_scan, 0, 1, "share of range scans" },
	{ "scan-keys", WORK_COUNT, &database.scan_keys, 1, 1000000, "keys per range scan" },
	{ "share-insert", WORK_SHARE, &database.share_insert, 0, 1, "share of inserts" },
	PACE_OPTIONS(&database.pace),
	{ "seed", WORK_COUNT, &database.seed, 0, 0, "of the random numbers" },
	{ 0 },
};

static uint64_t loaded_key(uint64_t number)
{
	return (number + 1) * KEY_STEP;
}

static uint64_t value_of(uint64_t key)
{
	return random_hash(key);
}

/* A loaded key, by popularity. */
static uint64_t draw_key(const struct database *d, uint64_t bits)
{
	uint64_t block = scatter_at(&d->scatter, zipf_draw(&d->zipf, bits));

	return loaded_key(block * BLOCK_KEYS + (bits & (BLOCK_KEYS - 1)));
}

struct scan {
	uint64_t before, nr_wrong;
};

static bool visit(uint64_t key, uint64_t value, void *data)
{
	struct scan *scan = data;

	scan->nr_wrong += key <= scan->before || value != value_of(key);
	scan->before = key;
	return true;
}

static void do_scan(struct database *d, uint64_t key)
{
	struct scan scan = { .before = key - 1 };
	uint64_t last = loaded_key(d->nr_blocks * BLOCK_KEYS - 1);
	uint64_t least = (last - key) / KEY_STEP + 1;
	uint64_t nr = btree_scan(&d->tree, key, d->scan_keys, visit, &scan);

	d->nr_wrong += scan.nr_wrong || nr < (least < d->scan_keys ? least : d->scan_keys);
}

static void do_one(struct database *d, uint64_t bits, uint32_t choice)
{
	uint32_t scans = (uint32_t)(d->share_scan * 65536);
	uint32_t inserts = scans + (uint32_t)(d->share_insert * 65536);
	uint64_t key = draw_key(d, bits), value;
	int is_new;

	if (choice < scans) {
		do_scan(d, key);
	} else if (choice < inserts) {
		key += 1 + choice % (KEY_STEP - 1);
		/* In a long run the arena fills up; then the tree stays as it is. */
		is_new = btree_insert(&d->tree, key, value_of(key));
		d->nr_inserted += is_new > 0;
	} else if (!btree_find(&d->tree, key, &value) || value != value_of(key)) {
		d->nr_wrong++;
	}
}

static void work(struct pace *pace, unsigned thread, void *argument)
{
	struct database *d = argument;
	uint64_t state = random_seed(d->seed, thread), nr;

	while ((nr = pace_next(pace, thread))) {
		for (; nr; nr--) {
			uint64_t bits = random_next(&state);

			do_one(d, bits, (uint32_t)(random_hash(bits) & 0xffff));
		}
	}
}

/* A tenth of the arena is left for what is inserted; it is touched only when used. */
static void build(struct database *d)
{
	uint64_t max_nodes = d->memory_bytes / BTREE_NODE_BYTES;
	int error;

	d->nr_blocks = max_nodes / 10 * 9 * LOADED / BLOCK_KEYS / 64 * 63;
	btree_init(&d->tree, work_memory(max_nodes * BTREE_NODE_BYTES), (uint32_t)max_nodes);
	error = btree_load(&d->tree, d->nr_blocks * BLOCK_KEYS, loaded_key, value_of);
	work_check(!error, "the tree does not fit into its arena");
	scatter_init(&d->scatter, d->nr_blocks);
	zipf_init(&d->zipf, d->nr_blocks, d->theta);
}

static void add_node(struct place_list *list, const struct btree *tree, uint32_t node)
{
	/* Four nodes to a page: list the page by the first. */
	place_add(list, (char *)tree->nodes + (size_t)(node & ~3U) * BTREE_NODE_BYTES,
		  4 * BTREE_NODE_BYTES);
}

/* Pages of leaves in the order of their hottest block; each once. */
static void place(const struct database *d)
{
	uint32_t nr_leaves = d->tree.nr_loaded_leaves, nr_pages = nr_leaves / 4 + 1;
	unsigned char *is_listed = work_memory(nr_pages);
	struct place_list list = { 0 };
	size_t nr_hot = 0;

	work_phase(WORK_PHASE_PLACE);
	for (uint32_t node = (nr_leaves + 3) & ~3U; node < d->tree.nr_nodes; node += 4)
		add_node(&list, &d->tree, node);
	for (uint64_t rank = 0; rank < d->nr_blocks; rank++) {
		uint64_t first = scatter_at(&d->scatter, rank) * BLOCK_KEYS;
		uint32_t leaf = (uint32_t)(first / LOADED) & ~3U;
		uint32_t last = (uint32_t)((first + BLOCK_KEYS - 1) / LOADED);

		for (; leaf <= last && leaf < nr_leaves; leaf += 4) {
			if (!is_listed[leaf / 4])
				add_node(&list, &d->tree, leaf);
			is_listed[leaf / 4] = 1;
		}
		if (rank == d->nr_blocks / 10)
			nr_hot = list.nr_pages;
	}
	place_pages(&list, nr_hot);
	place_fini(&list);
}

static void check(const struct database *d)
{
	work_check(!d->nr_wrong, "%llu of %llu operations had a wrong answer",
		   (unsigned long long)d->nr_wrong, (unsigned long long)d->pace.nr_done);
	work_check(d->tree.nr_keys == d->nr_blocks * BLOCK_KEYS + d->nr_inserted,
		   "the tree counts %llu keys, not %llu", (unsigned long long)d->tree.nr_keys,
		   (unsigned long long)(d->nr_blocks * BLOCK_KEYS + d->nr_inserted));
	work_check(btree_is_valid(&d->tree, value_of), "the tree's leaves are not in order");
}

int main(int argc, char **argv)
{
	struct database *d = &database;

	work_begin("btree", "A B+ tree: bulk load, then skewed lookups, range scans and inserts.",
		   options, argc, argv);
	pace_default(&d->pace, 4000000);
	work_phase(WORK_PHASE_BUILD);
	build(d);
	if (place_is_wanted())
		place(d);
	pace_run(&d->pace, work, d);
	check(d);
	work_phase(WORK_PHASE_OUTSIDE);
	work_also("run", (double)d->pace.passed_ns / 1e9, "s", false);
	work_result("throughput", pace_mops(&d->pace), "Mop/s", true);
	return 0;
}
