/* SPDX-License-Identifier: MIT */
/*
 * Moving by move_pages(2), and reading back what came of it.
 *
 *     plan -> batches of one process, at most 2,048 pages
 *               1 where are they?            gone, or there already: no more to do
 *               2 one page for each folio    naming two of one folio gets -EBUSY for the second
 *               3 to slower nodes first      they make the room for what goes to faster ones
 *               4 move_pages, again for what the kernel did not get to
 *               5 where are they now?        this is the result; the status only says why not
 *
 * The kernel stops at the first chunk of which a page does not migrate, and leaves the status of it
 * and of all behind it untouched. So a call that says "n failed" is made again for the pages behind
 * the last one that moved.
 *
 * Pages that are pinned, shared, locked or of a device are remembered (unmovable.h).
 *
 * Cost: three system calls per batch, one look into pagemap per page, 200 KiB of buffers.
 * Follows do_pages_move() and add_folio_for_migration() in mm/migrate.c (6.12).
 */
#include "linux/mover_move_pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/movers.h"
#include "linux/numa.h"
#include "linux/process.h"
#include "linux/unmovable.h"

#define BATCH_PAGES	2048
#define TRIES_MAX	32 /* calls for one batch */
#define FOLIO_PAGES_MAX 512
#define FRAME_BITS	55 /* of a pagemap entry */
#define PRESENT_BIT	63
#define FLAG_TAIL	16 /* of kpageflags */
#define NO_FRAME	UINT64_MAX

struct move_calls move_calls = { numa_where, numa_move };

struct item { /* a page of the batch */
	uint64_t page, frame;
	uint32_t to; /* node index */
	int before, status, call, after;
	bool is_asked; /* named to the kernel */
};

struct mover {
	struct live *live;
	struct unmovable unmovable;
	int pageflags_fd; /* -1: folios are not told apart */
	struct item items[BATCH_PAGES];
	uint32_t nr_items, space;
	void *addresses[BATCH_PAGES];
	int nodes[BATCH_PAGES], statuses[BATCH_PAGES];
	uint32_t asked[BATCH_PAGES]; /* items of the call */
	struct move_result *results;
	size_t nr_results, results_at, max_results;
};

bool move_outcome_is_lasting(enum move_outcome outcome)
{
	return outcome == MOVE_REFUSED_BUSY || outcome == MOVE_REFUSED_DENIED;
}

static enum move_outcome refusal_of(int error)
{
	switch (error) {
	case -ENOMEM:
	case -ENOSPC:
		return MOVE_REFUSED_FULL;
	case -ENOENT:
	case -EFAULT:
	case -ESRCH:
		return MOVE_REFUSED_GONE;
	case -EPERM:
	case -ENODEV:
	case -ENOSYS:
		return MOVE_REFUSED_DENIED;
	default:
		return MOVE_REFUSED_BUSY;
	}
}

enum move_outcome move_outcome_of(const struct move_attempt *attempt)
{
	if (attempt->before < 0)
		return refusal_of(attempt->before) == MOVE_REFUSED_GONE ? MOVE_REFUSED_GONE
									: MOVE_UNKNOWN;
	if (attempt->before == attempt->to)
		return MOVE_REFUSED_THERE;
	if (attempt->after == attempt->to)
		return MOVE_DONE;
	if (attempt->after < 0)
		return refusal_of(attempt->after) == MOVE_REFUSED_GONE ? MOVE_REFUSED_GONE
								       : MOVE_UNKNOWN;
	/* The page is where it was, so that an unmapped one among the reasons is another page. */
	if (attempt->status < 0 && attempt->status != MOVE_STATUS_UNTOUCHED)
		return attempt->status == -ENOENT ? MOVE_REFUSED_BUSY : refusal_of(attempt->status);
	/* Of the whole call -EACCES says that the target's cpuset does not allow the node; of a
	 * page, that others map it too. */
	if (attempt->call < 0)
		return attempt->call == -EACCES ? MOVE_REFUSED_DENIED : refusal_of(attempt->call);
	return MOVE_REFUSED_BUSY;
}

static bool continues(const struct move_result *last, const struct move_result *next)
{
	return last->space == next->space && last->page + last->nr_pages == next->page &&
	       last->from == next->from && last->to == next->to && last->node == next->node &&
	       last->outcome == next->outcome;
}

static int push_result(struct mover *mover, const struct move_result *result)
{
	if (mover->nr_results > mover->results_at) {
		struct move_result *last = &mover->results[mover->nr_results - 1];
		if (continues(last, result)) {
			last->nr_pages += result->nr_pages;
			return 0;
		}
	}
	if (mover->nr_results == mover->max_results) {
		size_t max = mover->max_results ? mover->max_results * 2 : 1024;
		struct move_result *results = realloc(mover->results, max * sizeof(*results));
		if (!results)
			return -ENOMEM;
		mover->results = results;
		mover->max_results = max;
	}
	mover->results[mover->nr_results++] = *result;
	return 0;
}

static uint32_t index_of(const struct mover *mover, int node)
{
	int64_t index = node < 0 ? -1 : machine_node_index(mover->live->machine, (uint32_t)node);
	return index < 0 ? PLAN_NODE_ANY : (uint32_t)index;
}

static int push_item(struct mover *mover, const struct item *item, enum move_outcome outcome)
{
	struct move_result result = {
		.page = item->page,
		.nr_pages = 1,
		.space = mover->space,
		.from = index_of(mover, item->before),
		.to = item->to,
		.node = index_of(mover, item->after),
		.outcome = (uint8_t)outcome,
	};
	return push_result(mover, &result);
}

/* Where each page is, into before or after. A process that ended has no pages any more; -EINVAL is
 * what the kernel says of one that is ending. */
static void ask_where(struct mover *mover, pid_t pid, bool is_before)
{
	uint64_t page_bytes = mover->live->machine->page_bytes;
	for (uint32_t i = 0; i < mover->nr_items; i++) {
		mover->addresses[i] = (void *)(uintptr_t)(mover->items[i].page * page_bytes);
		mover->statuses[i] = -EIO;
	}
	int error = move_calls.where(pid, mover->nr_items, mover->addresses, mover->statuses);
	for (uint32_t i = 0; i < mover->nr_items; i++) {
		bool has_ended = error == -ESRCH || error == -EINVAL;
		int node = has_ended ? -ESRCH : error ? -EIO : mover->statuses[i];
		*(is_before ? &mover->items[i].before : &mover->items[i].after) = node;
	}
}

static uint64_t frame_at(int pagemap_fd, uint64_t page)
{
	uint64_t entry;
	if (pread(pagemap_fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry))) !=
	    (ssize_t)sizeof(entry))
		return NO_FRAME;
	uint64_t frame = entry & (((uint64_t)1 << FRAME_BITS) - 1);
	return entry >> PRESENT_BIT && frame ? frame : NO_FRAME;
}

static void find_frames(struct mover *mover, pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%d/pagemap", pid);
	int fd = mover->pageflags_fd < 0 ? -1 : rootfile_open(mover->live->root, path, O_RDONLY);
	for (uint32_t i = 0; i < mover->nr_items; i++)
		mover->items[i].frame = fd < 0 ? NO_FRAME : frame_at(fd, mover->items[i].page);
	if (fd >= 0)
		close(fd);
}

/* All frames after the first one's up to the second's are tails: of one folio. */
static bool are_one_folio(const struct mover *mover, const struct item *first,
			  const struct item *second)
{
	uint64_t flags[FOLIO_PAGES_MAX], apart = second->page - first->page;
	if (first->frame == NO_FRAME || second->frame == NO_FRAME || apart >= FOLIO_PAGES_MAX ||
	    second->frame - first->frame != apart)
		return false;
	ssize_t size = (ssize_t)(apart * sizeof(*flags));
	if (pread(mover->pageflags_fd, flags, (size_t)size,
		  (off_t)((first->frame + 1) * sizeof(*flags))) != size)
		return false;
	for (uint64_t i = 0; i < apart; i++)
		if (!(flags[i] >> FLAG_TAIL & 1))
			return false;
	return true;
}

static int compare_items(const void *a, const void *b)
{
	const struct item *left = a, *right = b;
	if (left->to != right->to)
		return left->to < right->to ? -1 : 1;
	return left->page < right->page ? -1 : left->page > right->page;
}

/* Names the pages that are to go to one node, each folio once. `at` is in the items' order. */
static uint32_t name_pages(struct mover *mover, uint32_t at, uint32_t end)
{
	const struct machine *machine = mover->live->machine;
	const struct item *last = NULL;
	uint32_t nr = 0;
	for (; at < end; at++) {
		struct item *item = &mover->items[at];
		int to = (int)machine->nodes[item->to].id;
		if (item->before < 0 || item->before == to)
			continue;
		bool is_named = last && are_one_folio(mover, last, item);
		last = item;
		if (is_named)
			continue;
		item->is_asked = true;
		mover->asked[nr] = at;
		mover->addresses[nr] = (void *)(uintptr_t)(item->page * machine->page_bytes);
		mover->nodes[nr] = to;
		mover->statuses[nr++] = MOVE_STATUS_UNTOUCHED;
	}
	return nr;
}

/* After a call that said "some failed": how many pages from the first on are done with. */
static uint32_t nr_settled(struct mover *mover, pid_t pid, uint32_t first, uint32_t nr)
{
	int now[BATCH_PAGES];
	uint32_t settled = 1;
	if (move_calls.where(pid, nr - first, mover->addresses + first, now))
		return nr - first;
	for (uint32_t i = 0; i < nr - first; i++)
		if (now[i] == mover->nodes[first + i] ||
		    mover->statuses[first + i] != MOVE_STATUS_UNTOUCHED)
			settled = i + 1;
	return settled;
}

static void call_kernel(struct mover *mover, pid_t pid, uint32_t nr)
{
	uint32_t first = 0;
	for (unsigned tries = 0; first < nr && tries < TRIES_MAX; tries++) {
		int64_t call = move_calls.move(pid, nr - first, mover->addresses + first,
					       mover->nodes + first, mover->statuses + first);
		for (uint32_t i = first; i < nr; i++)
			mover->items[mover->asked[i]].call = (int)call;
		if (call <= 0)
			break;
		first += nr_settled(mover, pid, first, nr);
	}
	for (uint32_t i = 0; i < nr; i++)
		mover->items[mover->asked[i]].status = mover->statuses[i];
}

/* Targets from the slowest tier to the fastest. */
static void move_items(struct mover *mover, pid_t pid)
{
	const struct machine *machine = mover->live->machine;
	for (uint32_t tier = machine->nr_tiers; tier-- > 0;) {
		for (uint32_t at = 0, end; at < mover->nr_items; at = end) {
			uint32_t to = mover->items[at].to;
			for (end = at; end < mover->nr_items && mover->items[end].to == to;)
				end++;
			if (machine->nodes[to].tier != tier)
				continue;
			uint32_t nr = name_pages(mover, at, end);
			if (nr > 0)
				call_kernel(mover, pid, nr);
		}
	}
}

static int report_items(struct mover *mover, uint64_t now_ns)
{
	int last_call = 0, last_status = 0, error = 0;
	for (uint32_t i = 0; i < mover->nr_items && !error; i++) {
		struct item *item = &mover->items[i];
		if (item->is_asked) {
			last_call = item->call;
			last_status = item->status;
		}
		/* A page that was not named shares the fate of its folio's. */
		struct move_attempt attempt = {
			.before = item->before,
			.status = item->is_asked ? item->status : last_status,
			.call = item->is_asked ? item->call : last_call,
			.after = item->after,
			.to = (int)mover->live->machine->nodes[item->to].id,
		};
		enum move_outcome outcome = move_outcome_of(&attempt);
		if (move_outcome_is_lasting(outcome))
			unmovable_note(&mover->unmovable, mover->space, item->page, now_ns);
		else
			unmovable_forget(&mover->unmovable, mover->space, item->page);
		error = push_item(mover, item, outcome);
	}
	return error;
}

static int flush_batch(struct mover *mover, uint64_t now_ns)
{
	if (mover->nr_items == 0)
		return 0;
	struct live_space *space = live_space(mover->live, mover->space);
	pid_t pid = space ? space->pid : 0;
	qsort(mover->items, mover->nr_items, sizeof(*mover->items), compare_items);
	for (uint32_t i = 0; i < mover->nr_items; i++)
		mover->items[i].before = mover->items[i].after = -ESRCH;
	if (space) {
		ask_where(mover, pid, true);
		find_frames(mover, pid);
		move_items(mover, pid);
		ask_where(mover, pid, false);
	}
	int error = report_items(mover, now_ns);
	mover->nr_items = 0;
	return error;
}

static int add_page(struct mover *mover, const struct plan_move *move, uint64_t page,
		    uint64_t now_ns)
{
	struct item item = { .page = page, .to = move->to, .frame = NO_FRAME };
	int error = 0;
	if (mover->nr_items == BATCH_PAGES || mover->space != move->space)
		error = flush_batch(mover, now_ns);
	mover->space = move->space;
	item.before = item.after = -EIO;
	if (!error && unmovable_is_held(&mover->unmovable, move->space, page, now_ns))
		return push_item(mover, &item, MOVE_REFUSED_BUSY);
	item.status = MOVE_STATUS_UNTOUCHED;
	mover->items[mover->nr_items++] = item;
	return error;
}

static int submit(void *state, const struct plan_move *moves, uint32_t nr, uint64_t now_ns)
{
	struct mover *mover = state;
	uint64_t begin_ns = live_cpu_ns();
	int error = 0;
	for (uint32_t i = 0; i < nr && !error; i++)
		for (uint64_t j = 0; j < moves[i].nr_pages && !error; j++)
			error = add_page(mover, &moves[i], moves[i].page + j, now_ns);
	if (!error)
		error = flush_batch(mover, now_ns);
	mover->live->moving_ns += live_cpu_ns() - begin_ns;
	return error ? error : (int)nr;
}

static int complete(void *state, struct move_result *results, uint32_t max, uint64_t now_ns)
{
	struct mover *mover = state;
	size_t nr = MIN(mover->nr_results - mover->results_at, (size_t)max);
	(void)now_ns;
	if (nr > 0)
		memcpy(results, mover->results + mover->results_at, nr * sizeof(*results));
	mover->results_at += nr;
	if (mover->results_at == mover->nr_results)
		mover->results_at = mover->nr_results = 0;
	return (int)nr;
}

/* Asks where a page of our own is: a filter of system calls would refuse that too. */
static int probe(void *world, struct printbuf *err)
{
	struct live *live = world;
	uint32_t nr_memory = 0;
	char here = 1;
	void *pages[] = { &here };
	int node;
	for (uint32_t i = 0; i < live->machine->nr_nodes; i++)
		nr_memory += live->machine->nodes[i].tier != UINT32_MAX;
	int error = numa_where(0, 1, pages, &node);
	if (error)
		return error_set(err, error == -ENOSYS ? -EOPNOTSUPP : error,
				 "move_pages: %s; the kernel needs CONFIG_NUMA, and a container a "
				 "filter of system calls that allows it",
				 error_text(error));
	if (nr_memory < 2)
		return error_set(err, -EOPNOTSUPP,
				 "move_pages: this machine has one node with memory: nowhere to "
				 "move to");
	return 0;
}

static void mover_free(void *state)
{
	struct mover *mover = state;
	if (!mover)
		return;
	if (mover->pageflags_fd >= 0)
		close(mover->pageflags_fd);
	unmovable_fini(&mover->unmovable);
	free(mover->results);
	free(mover);
}

static int mover_new(struct live *live, void **ret_mover, struct printbuf *err)
{
	struct mover *mover = calloc(1, sizeof(*mover));
	if (!mover)
		return error_set(err, -ENOMEM, "move_pages: out of memory");
	mover->live = live;
	mover->pageflags_fd = rootfile_open(live->root, "proc/kpageflags", O_RDONLY);
	if (unmovable_init(&mover->unmovable)) {
		mover_free(mover);
		return error_set(err, -ENOMEM, "move_pages: out of memory");
	}
	*ret_mover = mover;
	return 0;
}

static const struct mover_ops move_pages_ops = {
	.name = "move_pages",
	.summary = "move_pages(2), a folio at a time, with the result read back",
	.probe = probe,
	.submit = submit,
	.complete = complete,
};

const struct live_mover live_mover_move_pages = { &move_pages_ops, mover_new, mover_free };
