/* SPDX-License-Identifier: MIT */
#include "changes.h"

#include <sys/mman.h>
#include <sys/syscall.h>

/* Where changes go; never more than fit. */
struct list {
	struct mapping_change *items;
	unsigned nr;
};

static uint64_t page_up(uint64_t address)
{
	return (address + 4095) & ~(uint64_t)4095;
}

static void add(struct list *list, struct mapping_change change)
{
	list->items[list->nr++] = change;
}

static void add_unmap(struct list *list, uint64_t address, uint64_t nr_bytes)
{
	add(list,
	    (struct mapping_change){ .op = TRACE_UNMAP, .address = address, .nr_bytes = nr_bytes });
}

static void add_map(struct list *list, uint64_t address, uint64_t nr_bytes, uint32_t protection,
		    const char *name)
{
	add(list, (struct mapping_change){ .op = TRACE_MAP,
					   .address = address,
					   .nr_bytes = nr_bytes,
					   .protection = protection,
					   .name = name });
}

static void did_mmap(struct list *list, const uint64_t *arguments, uint64_t at)
{
	if (arguments[3] & MAP_FIXED)
		add_unmap(list, at, arguments[1]);
	add_map(list, at, arguments[1], (uint32_t)arguments[2],
		arguments[3] & MAP_ANONYMOUS ? "[anon]" : NULL);
}

static void did_mremap(struct list *list, const uint64_t *arguments, uint64_t to)
{
	uint64_t from = arguments[0];
	uint64_t old_bytes = page_up(arguments[1]), new_bytes = page_up(arguments[2]);
	if (new_bytes < old_bytes)
		add_unmap(list, from + new_bytes, old_bytes - new_bytes);
	if (to != from && arguments[3] & MREMAP_FIXED)
		add_unmap(list, to, new_bytes);
	if (to != from)
		add(list, (struct mapping_change){ .op = TRACE_REMAP,
						   .address = to,
						   .nr_bytes = MIN(old_bytes, new_bytes),
						   .from = from });
	if (new_bytes > old_bytes)
		add_map(list, to + old_bytes, new_bytes - old_bytes, PROT_READ | PROT_WRITE,
			"[anon]");
}

static void did_brk(struct list *list, uint64_t now, uint64_t *heap_end)
{
	uint64_t last = *heap_end, end = page_up(now);
	if (last && end > last)
		add_map(list, last, end - last, PROT_READ | PROT_WRITE, "[heap]");
	else if (last && end < last)
		add_unmap(list, end, last - end);
	*heap_end = end;
}

static void did_madvise(struct list *list, const uint64_t *arguments)
{
	bool discards = arguments[2] == MADV_DONTNEED || arguments[2] == MADV_FREE ||
			arguments[2] == MADV_REMOVE;
	add(list, (struct mapping_change){ .op = discards ? TRACE_DISCARD : TRACE_ADVICE,
					   .address = arguments[0],
					   .nr_bytes = arguments[1],
					   .detail = arguments[2] });
}

unsigned mapping_changes(int64_t call, const uint64_t arguments[6], uint64_t result,
			 uint64_t *heap_end, struct mapping_change ret[MAPPING_CHANGES_MAX])
{
	struct list list = { .items = ret };
	switch (call) {
	case SYS_mmap:
		did_mmap(&list, arguments, result);
		break;
	case SYS_munmap:
		add_unmap(&list, arguments[0], arguments[1]);
		break;
	case SYS_mremap:
		did_mremap(&list, arguments, result);
		break;
	case SYS_brk:
		did_brk(&list, result, heap_end);
		break;
	case SYS_madvise:
		did_madvise(&list, arguments);
		break;
	case SYS_mprotect:
		add(&list, (struct mapping_change){ .op = TRACE_PROTECT,
						    .address = arguments[0],
						    .nr_bytes = arguments[1],
						    .detail = arguments[2],
						    .protection = (uint32_t)arguments[2] });
		break;
	default:
		break;
	}
	return list.nr;
}
