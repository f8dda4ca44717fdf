/* SPDX-License-Identifier: MIT */
/*
 * Placing by hand (place.h), by raw system calls: the same on every kernel, without libnuma.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab/workloads/common/place.h"
#include "lab/workloads/common/work.h"

#define BATCH	  1024
#define MAX_NODES 64
/* Fast memory that is left free beside the kernel's watermarks: what lists per CPU hold. */
#define MARGIN_BP 200
#define PASSES	  4 /* a node that was full for a moment refuses the rest of a batch */

struct side {
	uint64_t nodes; /* bit per node */
	int at;		/* the node that is being filled */
};

struct batch {
	void *pages[BATCH];
	size_t nr;
};

int place_parse_nodes(const char *text, uint64_t *ret_nodes)
{
	uint64_t nodes = 0;

	do {
		char *end;
		unsigned long first, last;

		if (*text < '0' || *text > '9')
			return -EINVAL;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return -EINVAL;
			last = strtoul(end + 1, &end, 10);
		}
		if (last < first || last >= MAX_NODES)
			return -EINVAL;
		for (unsigned long node = first; node <= last; node++)
			nodes |= 1ULL << node;
		text = end + 1;
		if (*end != ',' && *end != '\0')
			return -EINVAL;
		if (*end == '\0')
			break;
	} while (true);
	*ret_nodes = nodes;
	return 0;
}

void place_nodes_to_text(char *text, size_t size, uint64_t nodes)
{
	size_t length = 0;

	text[0] = '\0';
	for (int node = 0; node < MAX_NODES && length < size; node++) {
		if (nodes >> node & 1)
			length += (size_t)snprintf(text + length, size - length, "%s%d",
						   length ? "," : "", node);
	}
}

/* Nodes with memory that this process may use; a kernel without NUMA has node 0. */
static uint64_t allowed_nodes(void)
{
	unsigned long mask[1024 / (8 * sizeof(unsigned long))] = { 0 };

	if (syscall(SYS_get_mempolicy, NULL, mask, 1024UL, NULL, MPOL_F_MEMS_ALLOWED) != 0)
		return 1;
	return mask[0] ? mask[0] : 1;
}

static uint64_t wanted_nodes(void)
{
	const char *text = getenv("LAB_PLACE");
	uint64_t nodes;

	if (!text || !*text)
		return 0;
	if (place_parse_nodes(text, &nodes) != 0)
		work_fail(2, "LAB_PLACE=%s: not a list of nodes such as 0 or 0-1", text);
	return nodes;
}

bool place_is_wanted(void)
{
	static bool is_said;
	uint64_t wanted = wanted_nodes(), allowed = allowed_nodes();
	char text[256];

	if (!wanted)
		return false;
	if ((allowed & wanted) && (allowed & ~wanted))
		return true;
	place_nodes_to_text(text, sizeof(text), allowed);
	if (!is_said)
		work_say("placed: nothing, because LAB_PLACE=%s parts no nodes here: memory is on "
			 "node %s",
			 getenv("LAB_PLACE"), text);
	is_said = true;
	return false;
}

void place_add(struct place_list *list, const void *start, uint64_t bytes)
{
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t page = (uintptr_t)start & ~(page_size - 1), end = (uintptr_t)start + bytes;

	for (; page < end; page += page_size) {
		if (list->nr_pages == list->capacity) {
			size_t capacity = list->capacity ? 2 * list->capacity : 4096;
			void **pages = realloc(list->pages, capacity * sizeof(*pages));

			if (!pages)
				work_fail(1, "no room to list %zu pages", capacity);
			list->pages = pages;
			list->capacity = capacity;
		}
		list->pages[list->nr_pages++] = (void *)page;
	}
}

void place_fini(struct place_list *list)
{
	free(list->pages);
	*list = (struct place_list){ 0 };
}

/* The node of each page; negative where there is none. */
static int *look_up(const struct place_list *list)
{
	int *nodes = malloc(list->nr_pages * sizeof(*nodes) + 1);

	if (!nodes)
		work_fail(1, "no room to look up %zu pages", list->nr_pages);
	for (size_t i = 0; i < list->nr_pages; i += BATCH) {
		size_t nr = list->nr_pages - i < BATCH ? list->nr_pages - i : BATCH;

		if (syscall(SYS_move_pages, 0, nr, list->pages + i, NULL, nodes + i, 0) != 0)
			work_fail(1, "where pages lie cannot be asked: %s", strerror(errno));
	}
	return nodes;
}

/* The number after `word` in a node's meminfo, in bytes; 0: not known. */
static uint64_t meminfo(int node, const char *word)
{
	char path[64], text[4096];
	const char *at;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	file = fopen(path, "r");
	if (!file)
		return 0;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	at = strstr(text, word);
	return at ? strtoull(at + strlen(word), NULL, 10) << 10 : 0;
}

/* Pages that the kernel keeps free of a node: at its high watermarks it stops reclaiming. */
static uint64_t watermark_pages(int node)
{
	char line[256];
	unsigned long long pages;
	uint64_t sum = 0;
	int at = -1;
	FILE *file = fopen("/proc/zoneinfo", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %d, zone", &at) != 1 && at == node &&
		    sscanf(line, " high %llu", &pages) == 1)
			sum += pages;
	}
	if (file)
		fclose(file);
	return sum;
}

/* How many more pages the nodes may take; negative: so many should leave. */
static int64_t free_pages(uint64_t nodes)
{
	int64_t page_size = sysconf(_SC_PAGESIZE), sum = 0;

	for (int node = 0; node < MAX_NODES; node++) {
		if (!(nodes >> node & 1))
			continue;
		sum += (int64_t)meminfo(node, "MemFree:") / page_size;
		sum -= (int64_t)(meminfo(node, "MemTotal:") / 10000 * MARGIN_BP) / page_size;
		sum -= (int64_t)watermark_pages(node);
	}
	return sum;
}

static bool lies_on(int node, uint64_t nodes)
{
	return node >= 0 && node < MAX_NODES && (nodes >> node & 1);
}

/* Moves a batch to the side's nodes, filling one after the other; keeps what no node took. */
static void move_batch(struct batch *batch, struct side *side)
{
	int target[BATCH], status[BATCH];

	for (; side->at < MAX_NODES && batch->nr; side->at++) {
		size_t nr_refused = 0;

		if (!(side->nodes >> side->at & 1))
			continue;
		for (size_t i = 0; i < batch->nr; i++)
			target[i] = side->at;
		memset(status, 0xff, sizeof(status));
		if (syscall(SYS_move_pages, 0, batch->nr, batch->pages, target, status,
			    MPOL_MF_MOVE) < 0 &&
		    errno != ENOMEM)
			work_fail(1, "pages cannot be moved: %s", strerror(errno));
		/* A full node refuses for want of memory; a busy page is just left. */
		for (size_t i = 0; i < batch->nr; i++)
			if (status[i] == -ENOMEM || (status[i] >= 0 && status[i] != side->at))
				batch->pages[nr_refused++] = batch->pages[i];
		batch->nr = nr_refused;
		if (!nr_refused)
			return;
	}
	batch->nr = 0;
}

static void move_all(const struct place_list *list, const int *nodes, size_t nr_fast, uint64_t fast,
		     uint64_t slow)
{
	struct side up_side = { fast, 0 }, down_side = { slow, 0 };
	size_t up = 0, down = list->nr_pages;

	while (up < nr_fast || down > nr_fast) {
		struct batch batch = { .nr = 0 };

		while (down > nr_fast && batch.nr < BATCH)
			if (lies_on(nodes[--down], fast))
				batch.pages[batch.nr++] = list->pages[down];
		if (batch.nr)
			move_batch(&batch, &down_side);
		batch.nr = 0;
		/* With several fast nodes, room may have come on an earlier one. */
		up_side.at = 0;
		for (; up < nr_fast && batch.nr < BATCH; up++)
			if (!lies_on(nodes[up], fast) && nodes[up] >= 0)
				batch.pages[batch.nr++] = list->pages[up];
		if (batch.nr)
			move_batch(&batch, &up_side);
	}
}

static size_t count_on(const int *nodes, size_t nr, uint64_t fast)
{
	size_t sum = 0;

	for (size_t i = 0; i < nr; i++)
		sum += lies_on(nodes[i], fast);
	return sum;
}

static void say_where(const struct place_list *list, size_t nr_hot, uint64_t fast)
{
	int *nodes = look_up(list);
	char text[256];

	place_nodes_to_text(text, sizeof(text), fast);
	work_say("placed: %zu of %zu hot pages on node %s, %zu of %zu others",
		 count_on(nodes, nr_hot, fast), nr_hot, text,
		 count_on(nodes + nr_hot, list->nr_pages - nr_hot, fast), list->nr_pages - nr_hot);
	free(nodes);
}

/* How many pages of the list belong on the fast nodes. */
static size_t fast_share(const struct place_list *list, const int *nodes, uint64_t fast)
{
	int64_t room = (int64_t)count_on(nodes, list->nr_pages, fast) + free_pages(fast);

	if (room < 0)
		return 0;
	return (size_t)room < list->nr_pages ? (size_t)room : list->nr_pages;
}

void place_pages(const struct place_list *list, size_t nr_hot)
{
	uint64_t allowed = allowed_nodes(), fast = wanted_nodes() & allowed;

	if (!place_is_wanted())
		return;
	if (nr_hot > list->nr_pages)
		nr_hot = list->nr_pages;
	for (int pass = 0; pass < PASSES; pass++) {
		int *nodes = look_up(list);
		size_t nr_fast = fast_share(list, nodes, fast);
		size_t nr_wanted = nr_hot < nr_fast ? nr_hot : nr_fast;
		bool is_done = pass > 0 && count_on(nodes, nr_wanted, fast) == nr_wanted;

		if (!is_done)
			move_all(list, nodes, nr_fast, fast, allowed & ~fast);
		free(nodes);
		if (is_done)
			break;
	}
	say_where(list, nr_hot, fast);
}

void place_away(const struct place_list *list)
{
	uint64_t allowed = allowed_nodes(), fast = wanted_nodes() & allowed;
	int *nodes;

	if (!place_is_wanted())
		return;
	nodes = look_up(list);
	move_all(list, nodes, 0, fast, allowed & ~fast);
	free(nodes);
}
