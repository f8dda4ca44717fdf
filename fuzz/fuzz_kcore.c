/* SPDX-License-Identifier: MIT */
/*
 * A file like /proc/kcore: its headers, its notes, the list of tasks, and a walk of the page tables
 * that are found. Whatever it holds, the search ends and reads nothing but the file.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/kcore.h"
#include "linux/pagetable.h"

#define PAGES_MAX 4096
#define PID	  101

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

struct walk {
	uint64_t last_end;
	uint32_t nr;
};

static int read_physical(void *context, uint64_t physical, void *ret, size_t nr_bytes)
{
	return kcore_read_physical(context, physical, ret, nr_bytes);
}

static bool visit(void *context, const struct pagetable_page *page)
{
	struct walk *walk = context;
	uint64_t end = page->page + ((uint64_t)1 << page->order);
	demand(page->order == 0 || page->order == 9 || page->order == 18);
	demand(end > walk->last_end);
	walk->last_end = end;
	return ++walk->nr < PAGES_MAX;
}

static void walk_tables(struct kcore *kcore, uint64_t physical)
{
	static struct pagetable table;
	struct pagetable_reader reader = { read_physical, kcore };
	struct walk walk = { 0 };
	uint64_t end = (uint64_t)1 << 20;
	pagetable_begin(&table, &reader, physical, kcore->levels);
	demand(pagetable_walk(&table, 0, end, visit, &walk) <= end);
}

static void look_around(struct kcore *kcore)
{
	uint64_t task, physical;
	demand(kcore->levels == 4 || kcore->levels == 5);
	if (kcore_parse_notes(kcore, NULL) || kcore_find_task(kcore, PID, &task))
		return;
	if (kcore_page_table(kcore, task, PID, &physical) == 0)
		walk_tables(kcore, physical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PRINTBUF(err);
	struct kcore kcore = { .tasks = 8, .pid = 24, .mm = 32, .pgd = 24 };
	kcore.fd = memfd_create("kcore", MFD_CLOEXEC);
	demand(kcore.fd >= 0 && write(kcore.fd, data, size) == (ssize_t)size);
	int error = kcore_parse_segments(&kcore, &err);
	demand(!error == !err.pos);
	if (!error)
		look_around(&kcore);
	kcore_fini(&kcore);
	return 0;
}
