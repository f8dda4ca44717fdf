/* SPDX-License-Identifier: MIT */
/*
 * Placing by hand (place.h), by raw system calls: the same on every kernel, without libnuma. Where
 * the kernel makes huge pages, pages that lie in one are placed together, by their mean rank:
 * moving one of them moves all.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lab/workloads/common/place.h"
#include "lab/workloads/common/work.h"

#define BATCH	  1024
#define PART	  32
#define MAX_NODES 64
/* Fast memory that is left free: the kernel's watermarks lie here, below them it would reclaim. */
#define MARGIN_BP 400
/* A migration may find no room though there is some; where hot pages stayed out, it is tried anew.
 */
#define MAX_ROUNDS 4
#define HUGE_SHIFT 21

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

static size_t free_pages(uint64_t nodes)
{
	uint64_t sum = 0;

	for (int node = 0; node < MAX_NODES; node++) {
		uint64_t margin, unused;

		if (!(nodes >> node & 1))
			continue;
		margin = meminfo(node, "MemTotal:") / 10000 * MARGIN_BP;
		unused = meminfo(node, "MemFree:");
		sum += unused > margin ? unused - margin : 0;
	}
	return sum / (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool lies_on(int node, uint64_t nodes)
{
	return node >= 0 && node < MAX_NODES && (nodes >> node & 1);
}

/* Moves pages to a node; returns how many it did not take, which come first then. The kernel stops
 * at the first page that cannot be moved and leaves the status of it and all after it as it was. */
static size_t move_to(void **pages, size_t nr, int node)
{
	int target[BATCH], status[BATCH];
	size_t nr_refused = 0;

	for (size_t i = 0; i < nr; i++) {
		target[i] = node;
		status[i] = -ENOMEM;
	}
	if (syscall(SYS_move_pages, 0, nr, pages, target, status, MPOL_MF_MOVE) < 0 &&
	    errno != ENOMEM)
		work_fail(1, "pages cannot be moved: %s", strerror(errno));
	for (size_t i = 0; i < nr; i++)
		if (status[i] == -ENOMEM || (status[i] >= 0 && status[i] != node))
			pages[nr_refused++] = pages[i];
	return nr_refused;
}

/* Moves a batch to the side's nodes, filling one after the other; what a node does not take at once
 * it is offered again in small parts, so that one page that stays does not keep others back. */
static void move_batch(struct batch *batch, struct side *side)
{
	for (; side->at < MAX_NODES && batch->nr; side->at++) {
		size_t nr_left, nr_refused = 0;

		if (!(side->nodes >> side->at & 1))
			continue;
		nr_left = move_to(batch->pages, batch->nr, side->at);
		for (size_t i = 0; i < nr_left; i += PART) {
			size_t nr = nr_left - i < PART ? nr_left - i : PART;

			nr = move_to(batch->pages + i, nr, side->at);
			memmove(batch->pages + nr_refused, batch->pages + i,
				nr * sizeof(*batch->pages));
			nr_refused += nr;
		}
		batch->nr = nr_refused;
		if (nr_refused < nr_left || !nr_refused)
			break;
	}
	batch->nr = 0;
}

/* The coldest first to the slow side, then the hottest to the room that is there now. */
static void move_all(const struct place_list *list, const int *nodes, size_t nr_fast, uint64_t fast,
		     uint64_t slow)
{
	struct side up_side = { fast, 0 }, down_side = { slow, 0 };
	struct batch batch = { .nr = 0 };

	for (size_t i = list->nr_pages; i > nr_fast; i--) {
		if (lies_on(nodes[i - 1], fast))
			batch.pages[batch.nr++] = list->pages[i - 1];
		if (batch.nr == BATCH || i == nr_fast + 1)
			move_batch(&batch, &down_side);
	}
	batch.nr = 0;
	for (size_t i = 0; i < nr_fast; i++) {
		if (nodes[i] >= 0 && !lies_on(nodes[i], fast))
			batch.pages[batch.nr++] = list->pages[i];
		if (batch.nr == BATCH || i + 1 == nr_fast)
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

/* What placing took: of moving alone, looking up is not counted. */
struct moving {
	size_t nr_pages; /* that are on another node than before */
	double seconds;
};

static void say_where(const struct place_list *list, size_t nr_hot, uint64_t fast,
		      const struct moving *moving)
{
	int *nodes = look_up(list);
	char text[256];

	place_nodes_to_text(text, sizeof(text), fast);
	work_say("placed: %zu of %zu hot pages on node %s, %zu of %zu others; "
		 "%zu moved in %.4f s",
		 count_on(nodes, nr_hot, fast), nr_hot, text,
		 count_on(nodes + nr_hot, list->nr_pages - nr_hot, fast), list->nr_pages - nr_hot,
		 moving->nr_pages, moving->seconds);
	free(nodes);
}

/* Whether the kernel makes huge pages of any memory: a page then moves with its neighbours. */
static bool has_huge_pages(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char text[64] = "";
	bool has;

	if (!file)
		return false;
	has = fgets(text, sizeof(text), file) && strstr(text, "[always]");
	fclose(file);
	return has;
}

struct ranked {
	uintptr_t page;
	size_t rank; /* its own, then the mean of its huge page's */
};

static int by_page(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->page > y->page) - (x->page < y->page);
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank > y->rank ? 1 : -1;
	return by_page(a, b);
}

/* The same pages, those of a huge page together, huge pages in the order of their mean rank. */
static struct place_list group_by_huge_page(const struct place_list *list)
{
	struct ranked *ranked = malloc(list->nr_pages * sizeof(*ranked) + 1);
	struct place_list ret = { .nr_pages = list->nr_pages };
	size_t end;

	ret.pages = malloc(list->nr_pages * sizeof(*ret.pages) + 1);
	if (!ranked || !ret.pages)
		work_fail(1, "no room to sort %zu pages", list->nr_pages);
	for (size_t i = 0; i < list->nr_pages; i++)
		ranked[i] = (struct ranked){ (uintptr_t)list->pages[i], i };
	qsort(ranked, list->nr_pages, sizeof(*ranked), by_page);
	for (size_t i = 0; i < list->nr_pages; i = end) {
		size_t sum = 0;

		for (end = i; end < list->nr_pages &&
			      ranked[end].page >> HUGE_SHIFT == ranked[i].page >> HUGE_SHIFT;
		     end++)
			sum += ranked[end].rank;
		for (size_t k = i; k < end; k++)
			ranked[k].rank = sum / (end - i);
	}
	qsort(ranked, list->nr_pages, sizeof(*ranked), by_rank);
	for (size_t i = 0; i < list->nr_pages; i++)
		ret.pages[i] = (void *)ranked[i].page;
	free(ranked);
	return ret;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One round; how many of the first nr_hot of the list lie fast afterwards. */
static size_t place_once(const struct place_list *list, size_t nr_hot, uint64_t fast, uint64_t slow,
			 struct moving *moving)
{
	int *before = look_up(list), *after;
	size_t room = count_on(before, list->nr_pages, fast) + free_pages(fast), nr_placed;
	double start_s = now_s();

	move_all(list, before, room < list->nr_pages ? room : list->nr_pages, fast, slow);
	moving->seconds += now_s() - start_s;
	after = look_up(list);
	for (size_t i = 0; i < list->nr_pages; i++)
		moving->nr_pages += before[i] != after[i];
	nr_placed = count_on(after, nr_hot, fast);
	free(before);
	free(after);
	return nr_placed;
}

void place_pages(const struct place_list *list, size_t nr_hot)
{
	uint64_t allowed = allowed_nodes(), fast = wanted_nodes() & allowed;
	struct place_list grouped = { 0 };
	struct moving moving = { 0 };
	struct timespec pause = { .tv_nsec = 10000000 };

	if (!place_is_wanted())
		return;
	if (nr_hot > list->nr_pages)
		nr_hot = list->nr_pages;
	if (has_huge_pages())
		grouped = group_by_huge_page(list);
	for (int round = 0; round < MAX_ROUNDS; round++) {
		if (place_once(grouped.pages ? &grouped : list, nr_hot, fast, allowed & ~fast,
			       &moving) == nr_hot)
			break;
		nanosleep(&pause, NULL);
	}
	place_fini(&grouped);
	say_where(list, nr_hot, fast, &moving);
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
