/* SPDX-License-Identifier: MIT */
/*
 * Frames: how many each node has left and which page has one. A frame has no number of its own:
 * what a policy can see of it is its node.
 *
 * Cost: O(1) per allocation, migration and free; 4 bytes per page number.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/kernel.h"

const struct kernel_start kernel_start_unknown = {
	KERNEL_UNKNOWN, KERNEL_UNKNOWN, KERNEL_UNKNOWN, KERNEL_UNKNOWN,
	KERNEL_UNKNOWN, KERNEL_UNKNOWN, KERNEL_UNKNOWN, 0,
};

static const struct kernel_page nowhere = { .node = KERNEL_NOWHERE };

int kernel_grow(struct kernel *kernel, uint32_t nr_pages)
{
	if (nr_pages <= kernel->nr_pages)
		return 0;
	struct kernel_page *pages = realloc(kernel->pages, (size_t)nr_pages * sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = kernel->nr_pages; i < nr_pages; i++)
		pages[i] = nowhere;
	kernel->pages = pages;
	kernel->nr_pages = nr_pages;
	return kernel->ops->grow ? kernel->ops->grow(kernel, nr_pages) : 0;
}

bool kernel_take(struct kernel *kernel, uint32_t page, uint32_t node)
{
	struct kernel_node *from = &kernel->nodes[node];
	if (from->capacity_pages != KERNEL_UNLIMITED) {
		if (from->free_pages == 0)
			return false;
		from->free_pages--;
	}
	kernel->pages[page].node = (uint16_t)node;
	return true;
}

void kernel_give(struct kernel *kernel, uint32_t page)
{
	struct kernel_node *node = &kernel->nodes[kernel->pages[page].node];
	if (node->capacity_pages != KERNEL_UNLIMITED)
		node->free_pages++;
	kernel->pages[page] = nowhere;
}

bool kernel_hold(struct kernel *kernel, uint32_t node, uint64_t nr_pages)
{
	struct kernel_node *from = &kernel->nodes[node];
	if (from->capacity_pages != KERNEL_UNLIMITED) {
		if (from->free_pages < nr_pages)
			return false;
		from->free_pages -= nr_pages;
	}
	from->held_pages += nr_pages;
	return true;
}

void kernel_unhold(struct kernel *kernel, uint32_t node, uint64_t nr_pages)
{
	struct kernel_node *to = &kernel->nodes[node];
	if (to->capacity_pages != KERNEL_UNLIMITED)
		to->free_pages += nr_pages;
	to->held_pages -= nr_pages;
}

void kernel_take_held(struct kernel *kernel, uint32_t page, uint32_t node, uint32_t order)
{
	kernel->nodes[node].held_pages--;
	kernel->pages[page].node = (uint16_t)node;
	kernel->pages[page].order = (uint8_t)order;
}

void kernel_give_held(struct kernel *kernel, uint32_t page)
{
	kernel->nodes[kernel->pages[page].node].held_pages++;
	kernel->pages[page] = nowhere;
}

bool kernel_migrate_held(struct kernel *kernel, const struct kernel_folio *folio, uint32_t to)
{
	uint64_t nr_touched = 0;
	if (!kernel_hold(kernel, to, folio->nr_pages))
		return false;
	for (uint64_t i = 0; i < folio->nr_pages; i++) {
		if (folio->numbers[i] == UINT32_MAX)
			continue;
		kernel->pages[folio->numbers[i]].node = (uint16_t)to;
		nr_touched++;
	}
	kernel->nodes[to].held_pages -= nr_touched;
	kernel->nodes[folio->node].held_pages += nr_touched;
	kernel_unhold(kernel, folio->node, folio->nr_pages);
	return true;
}

int kernel_migrate_plain(struct kernel *kernel, uint32_t page, uint32_t to)
{
	struct kernel_page *entry = &kernel->pages[page];
	uint32_t from = entry->node;
	if (from == to)
		return -EALREADY;
	if (!kernel_take(kernel, page, to))
		return -ENOSPC;
	if (kernel->nodes[from].capacity_pages != KERNEL_UNLIMITED)
		kernel->nodes[from].free_pages++;
	return 0;
}

static void count_move(struct kernel *kernel, uint32_t from, uint32_t to, uint64_t nr_pages)
{
	const struct machine *machine = kernel->cost->machine;
	if (machine->nodes[to].tier < machine->nodes[from].tier)
		kernel->stats.nr_promoted += nr_pages;
	else if (machine->nodes[to].tier > machine->nodes[from].tier)
		kernel->stats.nr_demoted += nr_pages;
	else
		kernel->stats.nr_sideways += nr_pages;
}

/* A large folio goes as one: when one of its pages makes a round trip, all of it does. */
static uint64_t note_trips(struct kernel *kernel, uint32_t page, uint32_t from, uint32_t to)
{
	struct kernel_folio folio;
	bool is_trip = false;
	if (!kernel_folio_of(kernel, page, &folio))
		return trips_note(kernel, page, from, to);
	for (uint64_t i = 0; i < folio.nr_pages; i++)
		if (folio.numbers[i] != UINT32_MAX)
			is_trip |= trips_note(kernel, folio.numbers[i], from, to);
	return is_trip ? folio.nr_pages : 0;
}

int kernel_migrate(struct kernel *kernel, uint32_t page, uint32_t to)
{
	if (page >= kernel->nr_pages || kernel->pages[page].node == KERNEL_NOWHERE)
		return -ENOENT;
	if (to >= kernel->cost->nr_nodes)
		return -ENOSPC;
	uint32_t from = kernel->pages[page].node;
	int error = kernel->ops->migrate ? kernel->ops->migrate(kernel, page, to)
					 : kernel_migrate_plain(kernel, page, to);
	if (unlikely(kernel->watch != NULL))
		kernel_watch_migration(kernel, page, from, to, error);
	if (error < 0) {
		kernel->stats.nr_refused++;
		return error;
	}
	/* Looked at afterwards: a large folio may have been split, and its other pages counted
	 * themselves. */
	uint64_t nr_pages = (uint64_t)1 << kernel->pages[page].order;
	if (error != KERNEL_NOT_COPIED)
		cost_account_move_folio(kernel->account, from, to, nr_pages);
	count_move(kernel, from, to, nr_pages);
	kernel->stats.nr_round_trips += note_trips(kernel, page, from, to);
	return 0;
}

int kernel_split(struct kernel *kernel, uint32_t page)
{
	if (page >= kernel->nr_pages || kernel->pages[page].node == KERNEL_NOWHERE)
		return -ENOENT;
	if (kernel->pages[page].order == 0 || !kernel->ops->split)
		return -EALREADY;
	return kernel->ops->split(kernel, page);
}

bool kernel_folio_at(const struct kernel *kernel, uint32_t space, uint64_t page,
		     struct kernel_folio *ret)
{
	return kernel->ops->folio && kernel->ops->folio(kernel, space, page, ret);
}

bool kernel_folio_of(const struct kernel *kernel, uint32_t page, struct kernel_folio *ret)
{
	if (page >= kernel->nr_pages || kernel->pages[page].order == 0 || !kernel->stage)
		return false;
	struct stage_page address = stage_page(kernel->stage, page);
	return kernel_folio_at(kernel, address.space, address.page, ret);
}

int kernel_fault(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	uint64_t nr_fallen = kernel->stats.nr_fallen;
	int error = kernel->ops->allocate(kernel, page, wish);
	kernel->stats.nr_allocated += error == 0;
	if (unlikely(kernel->watch != NULL) && !error)
		kernel_watch_birth(kernel, page, wish, kernel->stats.nr_fallen > nr_fallen);
	return error;
}

void kernel_release(struct kernel *kernel, uint32_t page)
{
	if (page >= kernel->nr_pages || kernel->pages[page].node == KERNEL_NOWHERE)
		return;
	if (unlikely(kernel->watch != NULL))
		kernel_watch_death(kernel, page);
	kernel->stats.nr_freed++;
	trips_forget(&kernel->trips, page);
	if (kernel->ops->free)
		kernel->ops->free(kernel, page);
	else
		kernel_give(kernel, page);
}

static void set_up_node(struct kernel_node *node, uint64_t capacity_pages,
			const struct kernel_start *start)
{
	*node = (struct kernel_node){ .capacity_pages = capacity_pages,
				      .free_pages = capacity_pages };
	if (capacity_pages == KERNEL_UNLIMITED)
		return;
	if (start->managed_pages != KERNEL_UNKNOWN)
		node->capacity_pages = node->free_pages = start->managed_pages;
	if (start->free_pages != KERNEL_UNKNOWN)
		node->free_pages = MIN(start->free_pages, node->capacity_pages);
	node->ballast_pages = node->capacity_pages - node->free_pages;
}

static int set_up_nodes(struct kernel *kernel, const uint64_t *capacity_pages,
			const struct kernel_start *starts)
{
	const struct cost_model *cost = kernel->cost;
	kernel->nodes = calloc(cost->nr_nodes, sizeof(*kernel->nodes));
	kernel->starts = calloc(cost->nr_nodes, sizeof(*kernel->starts));
	if (!kernel->nodes || !kernel->starts)
		return -ENOMEM;
	for (uint32_t i = 0; i < cost->nr_nodes; i++) {
		kernel->starts[i] = starts ? starts[i] : kernel_start_unknown;
		set_up_node(&kernel->nodes[i], capacity_pages[i], &kernel->starts[i]);
	}
	return machine_fallback_order(cost->machine, cost->home, &kernel->fallback,
				      &kernel->nr_fallback);
}

int kernel_new(const struct kernel_ops *ops, const struct cost_model *cost,
	       struct cost_account *account, const uint64_t *capacity_pages, const uint64_t *values,
	       uint64_t seed, struct kernel **ret, struct printbuf *err)
{
	return kernel_new_at(ops, cost, account, capacity_pages, NULL, values, seed, ret, err);
}

int kernel_new_at(const struct kernel_ops *ops, const struct cost_model *cost,
		  struct cost_account *account, const uint64_t *capacity_pages,
		  const struct kernel_start *starts, const uint64_t *values, uint64_t seed,
		  struct kernel **ret, struct printbuf *err)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		return error_set(err, -ENOMEM, "%s: out of memory", ops->name);
	kernel->ops = ops;
	kernel->cost = cost;
	kernel->account = account;
	random_init(&kernel->random, seed);
	tunables_defaults(ops->tunables, ops->nr_tunables, kernel->values);
	if (values && ops->nr_tunables)
		memcpy(kernel->values, values, ops->nr_tunables * sizeof(*values));
	int error = set_up_nodes(kernel, capacity_pages, starts);
	if (error)
		error_set(err, error, "%s: %s", ops->name, error_text(error));
	else if (ops->start)
		error = ops->start(kernel, err);
	if (error) {
		kernel_free(kernel);
		return error;
	}
	*ret = kernel;
	return 0;
}

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	if (kernel->ops->stop)
		kernel->ops->stop(kernel);
	free(kernel->pages);
	free(kernel->nodes);
	free(kernel->starts);
	free(kernel->fallback);
	trips_fini(&kernel->trips);
	free(kernel);
	return NULL;
}

bool kernel_is_valid(const struct kernel *kernel)
{
	for (uint32_t node = 0; node < kernel->cost->nr_nodes; node++) {
		const struct kernel_node *frames = &kernel->nodes[node];
		uint64_t used = 0;
		for (uint32_t i = 0; i < kernel->nr_pages; i++)
			used += kernel->pages[i].node == node;
		if (frames->capacity_pages != KERNEL_UNLIMITED &&
		    frames->free_pages + used + frames->ballast_pages + frames->held_pages !=
			    frames->capacity_pages)
			return false;
	}
	uint64_t resident = 0;
	for (uint32_t i = 0; i < kernel->nr_pages; i++)
		resident += kernel->pages[i].node != KERNEL_NOWHERE;
	return resident == kernel->stats.nr_allocated - kernel->stats.nr_freed;
}
