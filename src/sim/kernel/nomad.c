/* SPDX-License-Identifier: MIT */
/* Shadows and transactional promotion; nomad.h has the picture and the source. */
#include "sim/kernel/nomad.h"

#include <stdlib.h>

#include "base/error.h"

#define LISTED 1 /* the place of a page whose shadow is on a list */

static void drop(struct nomad *nomad, uint32_t page)
{
	lru_list_del(&nomad->shadows[nomad->shadow[page]], &nomad->links, page);
	nomad->shadow[page] = KERNEL_NOWHERE;
}

static void leave_shadow(struct kernel *kernel, uint32_t page, uint32_t node)
{
	struct nomad *nomad = linux_of(kernel)->nomad;
	kernel->pages[page].bits |= KERNEL_TELL_WRITE;
	nomad->shadow[page] = (uint16_t)node;
	lru_list_add_newest(&nomad->shadows[node], &nomad->links, page, LISTED);
}

static uint64_t room_for_shadows(const struct linux_kernel *state, uint32_t node)
{
	uint64_t free = state->kernel->nodes[node].free_pages, low = state->nodes[node].marks.low;
	return free > low ? free - low : 0;
}

/* Memory was taken on the node. */
static void trim(struct linux_kernel *state, uint32_t node)
{
	struct nomad *nomad = state->nomad;
	const struct lru_list *list = &nomad->shadows[node];
	uint64_t room = room_for_shadows(state, node);
	for (; list->nr_pages > room; nomad->nr_reclaimed++)
		drop(nomad, list->oldest);
}

int nomad_start(struct kernel *kernel, struct printbuf *err)
{
	int error = linux_start(kernel, err);
	if (error)
		return error;
	struct nomad *nomad = calloc(1, sizeof(*nomad));
	if (!nomad)
		return error_set(err, -ENOMEM, "%s: out of memory", kernel->ops->name);
	linux_of(kernel)->nomad = nomad;
	nomad->queue = calloc(NOMAD_QUEUE_MAX, sizeof(*nomad->queue));
	nomad->shadows = calloc(kernel->cost->nr_nodes, sizeof(*nomad->shadows));
	if (!nomad->queue || !nomad->shadows)
		return error_set(err, -ENOMEM, "%s: out of memory", kernel->ops->name);
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++)
		lru_list_init(&nomad->shadows[i]);
	return 0;
}

void nomad_stop(struct kernel *kernel)
{
	struct linux_kernel *state = linux_of(kernel);
	struct nomad *nomad = state ? state->nomad : NULL;
	if (nomad) {
		lru_pages_fini(&nomad->links);
		free(nomad->shadows);
		free(nomad->shadow);
		free(nomad->writes);
		free(nomad->queue);
		free(nomad);
	}
	linux_stop(kernel);
}

static int grow_array(uint16_t **array, uint32_t from, uint32_t to, uint16_t value)
{
	uint16_t *grown = realloc(*array, to * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (uint32_t i = from; i < to; i++)
		grown[i] = value;
	*array = grown;
	return 0;
}

int nomad_grow(struct kernel *kernel, uint32_t nr_pages)
{
	struct nomad *nomad = linux_of(kernel)->nomad;
	uint32_t before = nomad->links.small.nr;
	if (linux_grow(kernel, nr_pages) ||
	    grow_array(&nomad->shadow, before, nr_pages, KERNEL_NOWHERE) ||
	    grow_array(&nomad->writes, before, nr_pages, NOMAD_NOT_QUEUED))
		return -ENOMEM;
	return lru_pages_grow(&nomad->links, nr_pages);
}

int nomad_allocate(struct kernel *kernel, uint32_t page, uint32_t wish)
{
	int error = linux_allocate(kernel, page, wish);
	if (!error)
		trim(linux_of(kernel), kernel->pages[page].node);
	return error;
}

void nomad_release(struct kernel *kernel, uint32_t page)
{
	struct nomad *nomad = linux_of(kernel)->nomad;
	nomad->writes[page] = NOMAD_NOT_QUEUED;
	if (nomad->shadow[page] != KERNEL_NOWHERE)
		drop(nomad, page);
	linux_release(kernel, page);
}

int nomad_migrate(struct kernel *kernel, uint32_t page, uint32_t to)
{
	struct linux_kernel *state = linux_of(kernel);
	struct nomad *nomad = state->nomad;
	uint32_t from = kernel->pages[page].node;
	bool is_hit = nomad->shadow[page] == to && to != from;
	bool is_large = kernel->pages[page].order > 0;
	int error = linux_migrate(kernel, page, to);
	if (error)
		return error;
	if (nomad->shadow[page] != KERNEL_NOWHERE)
		drop(nomad, page);
	if (!is_large && state->nodes[to].is_top && !state->nodes[from].is_top)
		leave_shadow(kernel, page, from);
	trim(state, to);
	trim(state, from);
	nomad->nr_hits += is_hit;
	return is_hit ? KERNEL_NOT_COPIED : 0;
}

/* The bit may outlast its reason until the next write. */
void nomad_written(struct kernel *kernel, uint32_t page)
{
	struct nomad *nomad = linux_of(kernel)->nomad;
	if (nomad->shadow[page] != KERNEL_NOWHERE) {
		drop(nomad, page);
		nomad->nr_written++;
	}
	if (nomad->writes[page] < NOMAD_WRITES_MAX)
		nomad->writes[page]++;
	if (nomad->writes[page] == NOMAD_NOT_QUEUED)
		kernel->pages[page].bits &= (uint8_t)~KERNEL_TELL_WRITE;
}

bool nomad_queue(struct linux_kernel *state, uint32_t page)
{
	struct nomad *nomad = state->nomad;
	if (nomad->nr_queue == NOMAD_QUEUE_MAX)
		return false;
	if (nomad->writes[page] == NOMAD_NOT_QUEUED)
		nomad->queue[nomad->nr_queue++] = (struct nomad_wish){ .page = page };
	nomad->writes[page] = 0;
	state->kernel->pages[page].bits |= KERNEL_TELL_WRITE;
	return true;
}

/* Did one of the writes of this tick fall into the copy? */
static bool is_hit_by_write(struct linux_kernel *state, uint32_t page)
{
	struct kernel *kernel = state->kernel;
	const struct cost_model *cost = kernel->cost;
	uint64_t tick_ps = cost_multiply(cost->tick_ns, COST_PS_PER_NS);
	uint64_t copy_ps = cost->move_ps[kernel->pages[page].node * cost->nr_nodes + cost->home];
	uint64_t writes = state->nomad->writes[page];
	if (writes == 0)
		return false;
	return random_below(&kernel->random, MAX(tick_ps, 1)) < cost_multiply(writes, copy_ps);
}

/* True: it waits for another try. */
static bool try_promotion(struct linux_kernel *state, struct nomad_wish *wish)
{
	struct kernel *kernel = state->kernel;
	uint32_t home = kernel->cost->home, page = wish->page;
	if (is_hit_by_write(state, page)) {
		cost_account_move(kernel->account, kernel->pages[page].node, home, 1);
		state->nomad->nr_aborts++;
		state->nomad->writes[page] = 0;
		return ++wish->nr_tries < NOMAD_TRIES;
	}
	linux_promote(state, page, home);
	return false;
}

static void run_queue(struct linux_kernel *state)
{
	struct nomad *nomad = state->nomad;
	uint32_t nr = nomad->nr_queue, kept = 0;
	for (uint32_t i = 0; i < nr; i++) {
		struct nomad_wish wish = nomad->queue[i];
		if (nomad->writes[wish.page] == NOMAD_NOT_QUEUED)
			continue; /* freed since, and maybe born again */
		if (try_promotion(state, &wish))
			nomad->queue[kept++] = wish;
		else
			nomad->writes[wish.page] = NOMAD_NOT_QUEUED;
	}
	nomad->nr_queue = kept;
}

void nomad_tick(struct kernel *kernel)
{
	run_queue(linux_of(kernel));
	linux_tick(kernel);
}

void nomad_counters(const struct kernel *kernel,
		    void (*emit)(void *context, const char *name, uint64_t value), void *context)
{
	const struct nomad *nomad = linux_of(kernel)->nomad;
	uint64_t shadows = 0;
	for (uint32_t i = 0; i < kernel->cost->nr_nodes; i++)
		shadows += nomad->shadows[i].nr_pages;
	linux_counters(kernel, emit, context);
	emit(context, "shadow_pages", shadows);
	emit(context, "shadow_hits", nomad->nr_hits);
	emit(context, "shadow_written", nomad->nr_written);
	emit(context, "shadow_reclaimed", nomad->nr_reclaimed);
	emit(context, "aborts", nomad->nr_aborts);
}

bool nomad_is_valid(const struct linux_kernel *state)
{
	const struct nomad *nomad = state->nomad;
	for (uint32_t i = 0; i < state->kernel->cost->nr_nodes; i++)
		if (!lru_list_is_valid(&nomad->shadows[i], &nomad->links, LISTED, UINT8_MAX) ||
		    nomad->shadows[i].nr_pages > room_for_shadows(state, i))
			return false;
	for (uint32_t page = 0; page < state->kernel->nr_pages; page++) {
		uint16_t node = state->kernel->pages[page].node;
		bool hears = state->kernel->pages[page].bits & KERNEL_TELL_WRITE;
		if (!hears && (nomad->shadow[page] != KERNEL_NOWHERE ||
			       nomad->writes[page] != NOMAD_NOT_QUEUED))
			return false;
		if (nomad->shadow[page] != KERNEL_NOWHERE &&
		    (node == KERNEL_NOWHERE || node == nomad->shadow[page]))
			return false;
	}
	return true;
}
