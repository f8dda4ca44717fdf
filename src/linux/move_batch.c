/* SPDX-License-Identifier: MIT */
/* Moving one batch of one process (move_batch.h). */
#include "linux/move_batch.h"

#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/numa.h"
#include "linux/pagemap.h"
#include "linux/process.h"

#define TRIES_MAX	256 /* calls for one batch: each of its groups may fail, and again */
#define PAGEMAP_ENTRIES 512 /* read at once */
#define NO_ITEM		UINT32_MAX
#define NO_FRAME	0 /* as pagemap_frame() */

struct move_calls move_calls = { numa_where, numa_move };

int move_batch_init(struct move_batch *batch, const struct root *root,
		    const struct machine *machine)
{
	batch->root = root;
	batch->machine = machine;
	batch->nr_items = batch->nr_results = 0;
	batch->nr_apart = MOVE_APART_MIN;
	batch->pageflags_fd = rootfile_open(root, "proc/kpageflags", O_RDONLY);
	batch->pagecount_fd = rootfile_open(root, "proc/kpagecount", O_RDONLY);
	return unmovable_init(&batch->unmovable);
}

void move_batch_fini(struct move_batch *batch)
{
	if (batch->pageflags_fd >= 0)
		close(batch->pageflags_fd);
	if (batch->pagecount_fd >= 0)
		close(batch->pagecount_fd);
	batch->pageflags_fd = batch->pagecount_fd = -1;
	unmovable_fini(&batch->unmovable);
}

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

static void push_item(struct move_batch *batch, const struct move_item *item,
		      enum move_outcome outcome)
{
	struct move_result result = {
		.page = item->page,
		.nr_pages = 1,
		.space = batch->target->space,
		.from = move_node_index(batch->machine, item->before),
		.to = item->to,
		.node = move_node_index(batch->machine, item->after),
		.outcome = (uint8_t)outcome,
	};
	batch->nr_results = move_result_append(batch->results, batch->nr_results, &result);
	batch->nr_moved_pages += outcome == MOVE_DONE;
}

/* Where each page is, into before or after. What follows another in memory is where that is. */
static void ask_where(struct move_batch *batch, bool is_before)
{
	uint64_t page_bytes = batch->machine->page_bytes;
	uint32_t nr = 0;
	for (uint32_t i = 0; i < batch->nr_items; i++) {
		const struct move_item *item = &batch->items[i];
		if (item->is_held || item->follows || (!is_before && item->is_known))
			continue; /* nothing has changed: not worth a question */
		batch->addresses[nr] = (void *)(uintptr_t)(batch->items[i].page * page_bytes);
		batch->asked[nr++] = i;
	}
	move_target_where(batch->target, nr, batch->addresses, batch->statuses);
	for (uint32_t i = 0, answer = 0; i < batch->nr_items; i++) {
		struct move_item *item = &batch->items[i];
		if (item->is_held || (!is_before && item->is_known))
			continue;
		bool is_asked = answer < nr && batch->asked[answer] == i;
		if (is_before)
			item->before = is_asked ? batch->statuses[answer] : item[-1].before;
		else
			item->after = is_asked ? batch->statuses[answer] : item[-1].after;
		answer += is_asked;
	}
}

/* Items are in the order of pages: one read tells of all that are near each other. Returns the
 * first item that is further away. */
static uint32_t find_frames_near(struct move_batch *batch, int pagemap_fd, uint32_t at)
{
	uint64_t entries[PAGEMAP_ENTRIES], first = batch->items[at].page;
	uint32_t end = at + 1;
	while (end < batch->nr_items && batch->items[end].page - first < PAGEMAP_ENTRIES)
		end++;
	size_t size = (batch->items[end - 1].page - first + 1) * sizeof(*entries);
	ssize_t got = pread(pagemap_fd, entries, size, (off_t)(first * sizeof(*entries)));
	uint64_t nr = got > 0 ? (uint64_t)got / sizeof(*entries) : 0;
	for (uint32_t i = at; i < end; i++) {
		struct move_item *item = &batch->items[i];
		if (!item->is_held && item->page - first < nr)
			item->frame = pagemap_frame(entries[item->page - first]);
	}
	return end;
}

static bool is_neighbour(const struct move_item *last, const struct move_item *next)
{
	return last->frame != NO_FRAME && next->frame == last->frame + 1 &&
	       next->page == last->page + 1 && next->frame % MOVE_FOLIO_PAGES != 0 &&
	       last->to == next->to && !last->is_held && !next->is_held;
}

/* Into items, but for those of which all is known; and which of them lie behind one another. */
static void find_frames(struct move_batch *batch, pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%d/pagemap", pid);
	int fd = batch->pageflags_fd < 0 ? -1 : rootfile_open(batch->root, path, O_RDONLY);
	for (uint32_t i = 0; i < batch->nr_items; i++)
		batch->items[i].frame = NO_FRAME;
	for (uint32_t at = 0; at < batch->nr_items && fd >= 0;)
		at = batch->items[at].is_known ? at + 1 : find_frames_near(batch, fd, at);
	for (uint32_t i = 1; i < batch->nr_items; i++) {
		struct move_item *item = &batch->items[i];
		item->follows = is_neighbour(item - 1, item);
	}
	if (fd >= 0)
		close(fd);
}

/* So many behind the item's, as far as there is room. False: they cannot be read. */
static bool read_flags(struct move_batch *batch, const struct move_item *item, uint64_t nr)
{
	uint32_t wanted = (uint32_t)MIN(nr, MOVE_FOLIO_PAGES);
	ssize_t size = (ssize_t)(wanted * sizeof(*batch->flags));
	batch->nr_flags = 0;
	batch->flags_first = item->frame + 1;
	if (pread(batch->pageflags_fd, batch->flags, (size_t)size,
		  (off_t)(batch->flags_first * sizeof(*batch->flags))) != size)
		return false;
	batch->nr_flags = wanted;
	return true;
}

static bool has_flags(const struct move_batch *batch, uint64_t frame, uint64_t nr)
{
	return frame >= batch->flags_first && frame + nr <= batch->flags_first + batch->nr_flags;
}

/* The items behind this one that follow each other: their flags are read with its own. */
static uint32_t nr_following(const struct move_batch *batch, const struct move_item *item)
{
	uint32_t nr = 0, left = (uint32_t)(&batch->items[batch->nr_items] - item) - 1;
	while (nr < left && item[nr + 1].follows)
		nr++;
	return nr;
}

/* All frames after the first one's up to the second's are tails: of one folio. */
static bool are_one_folio(struct move_batch *batch, const struct move_item *first,
			  const struct move_item *second)
{
	uint64_t apart = second->page - first->page;
	if (first->frame == NO_FRAME || second->frame == NO_FRAME || apart >= MOVE_FOLIO_PAGES ||
	    second->frame - first->frame != apart)
		return false;
	if (!has_flags(batch, first->frame + 1, apart) &&
	    !read_flags(batch, first, apart + nr_following(batch, second)))
		return false;
	const uint64_t *flags = &batch->flags[first->frame + 1 - batch->flags_first];
	for (uint64_t i = 0; i < apart; i++)
		if (!(flags[i] >> KPF_COMPOUND_TAIL & 1))
			return false;
	return true;
}

static int compare_items(const void *a, const void *b)
{
	const struct move_item *left = a, *right = b;
	if (left->to != right->to)
		return left->to < right->to ? -1 : 1;
	return left->page < right->page ? -1 : left->page > right->page;
}

static uint32_t push_name(struct move_batch *batch, uint32_t nr, uint32_t item, uint64_t address,
			  int to)
{
	batch->asked[nr] = item;
	batch->addresses[nr] = (void *)(uintptr_t)address;
	batch->nodes[nr] = to;
	batch->statuses[nr] = MOVE_STATUS_UNTOUCHED;
	return nr + 1;
}

/* Names the pages that are to go to one node, each folio once. The kernel takes away what it can,
 * up to 512 folios, before it brings back the first one, and whoever uses one of them waits
 * meanwhile: among pages in use that is the program all the time. An address at which nothing is
 * makes it bring back what it has taken. `at` is in the items' order. */
static uint32_t name_pages(struct move_batch *batch, uint32_t at, uint32_t end)
{
	const struct machine *machine = batch->machine;
	const struct move_item *last = NULL;
	uint32_t nr = 0, nr_apart = 0;
	for (; at < end; at++) {
		struct move_item *item = &batch->items[at];
		int to = (int)machine->nodes[item->to].id;
		if (item->is_held || item->before < 0 || item->before == to)
			continue;
		bool is_named = last && are_one_folio(batch, last, item);
		last = item;
		nr_apart++;
		if (is_named)
			continue;
		item->is_asked = true;
		if (nr_apart > batch->nr_apart) {
			nr = push_name(batch, nr, NO_ITEM, 0, to);
			nr_apart = 1;
		}
		nr = push_name(batch, nr, at, item->page * machine->page_bytes, to);
	}
	return nr;
}

/*
 * After a call that said "some failed": how many pages from the first on were tried. The kernel
 * collects pages into a chunk until one that it cannot take; it writes the status of that one and
 * moves the chunk. When pages of a chunk do not migrate, the call ends there, and their statuses
 * are untouched:
 *
 *     status   0  0  EACCES  .  .  EACCES  .  .       ends at the second EACCES: 6 were tried
 *     status   0  0  EACCES  .  .  .  .  .            the last chunk: all were tried
 */
static uint32_t nr_tried(const int *statuses, uint32_t nr)
{
	uint32_t last = nr;
	for (uint32_t i = 0; i < nr; i++)
		if (statuses[i] != MOVE_STATUS_UNTOUCHED)
			last = i;
	bool ended_there = last < nr && last > 0 && statuses[last] < 0 &&
			   statuses[last - 1] == MOVE_STATUS_UNTOUCHED;
	return ended_there ? last + 1 : nr;
}

/* True: nothing that was taken away failed to move; what could not be, its status tells. */
static bool call_kernel(struct move_batch *batch, pid_t pid, uint32_t nr)
{
	uint32_t first = 0;
	bool is_whole = false;
	for (unsigned tries = 0; first < nr && tries < TRIES_MAX; tries++) {
		int64_t call = move_calls.move(pid, nr - first, batch->addresses + first,
					       batch->nodes + first, batch->statuses + first);
		for (uint32_t i = first; i < nr; i++)
			if (batch->asked[i] != NO_ITEM)
				batch->items[batch->asked[i]].call = (int)call;
		is_whole = call == 0 && first == 0;
		if (call <= 0)
			break;
		first += nr_tried(batch->statuses + first, nr - first);
	}
	for (uint32_t i = 0; i < nr; i++)
		if (batch->asked[i] != NO_ITEM)
			batch->items[batch->asked[i]].status = batch->statuses[i];
	return is_whole;
}

/* After a call of which nothing failed. Folios that the batch has several pages of, of which one
 * was named, are asked for all the same: they may have been split, and not every kernel counts what
 * that left. */
static void note_arrived(struct move_batch *batch, uint32_t at, uint32_t end)
{
	for (; at < end; at++) {
		struct move_item *item = &batch->items[at];
		int to = (int)batch->machine->nodes[item->to].id;
		bool has_more = at + 1 < end && !item[1].is_asked && !item[1].is_held;
		item->is_known = item->is_asked && item->status == to && !has_more;
		item->after = item->is_known ? to : item->after;
	}
}

static bool is_all_known(const struct move_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr_items; i++)
		if (!batch->items[i].is_known)
			return false;
	return true;
}

/* Targets from the slowest tier to the fastest. */
static void move_items(struct move_batch *batch, pid_t pid)
{
	const struct machine *machine = batch->machine;
	for (uint32_t tier = machine->nr_tiers; tier-- > 0;) {
		for (uint32_t at = 0, end; at < batch->nr_items; at = end) {
			uint32_t to = batch->items[at].to;
			for (end = at; end < batch->nr_items && batch->items[end].to == to;)
				end++;
			if (machine->nodes[to].tier != tier)
				continue;
			uint32_t nr = name_pages(batch, at, end);
			if (nr > 0 && call_kernel(batch, pid, nr))
				note_arrived(batch, at, end);
		}
	}
}

static uint64_t word_of(int fd, uint64_t frame)
{
	uint64_t word = 0;
	if (fd < 0 ||
	    pread(fd, &word, sizeof(word), (off_t)(frame * sizeof(word))) != (ssize_t)sizeof(word))
		return 0;
	return word;
}

static enum unmovable_kind kind_of(const struct move_batch *batch, const struct move_item *item,
				   enum move_outcome outcome)
{
	if (outcome == MOVE_REFUSED_DENIED)
		return UNMOVABLE_DENIED;
	if (item->before < 0)
		return UNMOVABLE_DEVICE;
	if (item->frame == NO_FRAME || batch->pageflags_fd < 0)
		return UNMOVABLE_OTHER;
	return unmovable_kind_of(word_of(batch->pageflags_fd, item->frame),
				 word_of(batch->pagecount_fd, item->frame));
}

/* The kernel does not know of it, neither before nor after, while the process lives: it may be
 * mapped all the same, by a device. It would be met again at every look. */
static bool is_of_device(struct move_batch *batch, const struct move_item *item)
{
	if (item->before >= 0 || item->after >= 0 || item->before == -ESRCH ||
	    item->after == -ESRCH)
		return false;
	if (!batch->has_devices)
		devices_find(batch->root, batch->target->pid, batch->machine->page_bytes,
			     &batch->devices);
	batch->has_devices = true;
	return devices_hold(&batch->devices, item->page);
}

/* A huge page of the pool: what is missing is one in the other node's pool. */
static bool is_of_pool(const struct move_batch *batch, const struct move_item *item)
{
	return item->frame != NO_FRAME && batch->pageflags_fd >= 0 &&
	       unmovable_kind_of(word_of(batch->pageflags_fd, item->frame), 0) == UNMOVABLE_HUGETLB;
}

struct fate { /* a page that was not named shares that of its folio's */
	int call, status;
};

static enum move_outcome outcome_of(struct move_batch *batch, const struct move_item *item,
				    const struct fate *fate)
{
	struct move_attempt attempt = {
		.before = item->before,
		.status = fate->status,
		.call = fate->call,
		.after = item->after,
		.to = (int)batch->machine->nodes[item->to].id,
	};
	enum move_outcome outcome = move_outcome_of(&attempt);
	bool never = (outcome == MOVE_REFUSED_GONE && is_of_device(batch, item)) ||
		     (outcome == MOVE_REFUSED_FULL && is_of_pool(batch, item));
	return never ? MOVE_REFUSED_BUSY : outcome;
}

/* What is known of a process stays known when it ends: it is told at the end. */
static void report_items(struct move_batch *batch, uint64_t now_ns)
{
	bool is_over = move_target_has_ended(batch->target);
	struct unmovable *unmovable = &batch->unmovable;
	uint32_t space = batch->target->space;
	struct fate fate = { 0 };
	for (uint32_t i = 0; i < batch->nr_items; i++) {
		struct move_item *item = &batch->items[i];
		if (item->is_held) {
			push_item(batch, item, MOVE_REFUSED_BUSY);
			continue;
		}
		if (item->is_asked)
			fate = (struct fate){ item->call, item->status };
		enum move_outcome outcome = outcome_of(batch, item, &fate);
		batch->nr_tried_pages++;
		if (move_outcome_is_lasting(outcome))
			unmovable_note(unmovable, space, item->page, kind_of(batch, item, outcome),
				       now_ns);
		else if (!is_over)
			unmovable_forget(unmovable, space, item->page);
		push_item(batch, item, outcome);
	}
}

void move_batch_begin(struct move_batch *batch, const struct move_target *target)
{
	batch->target = target;
	batch->nr_items = 0;
}

void move_batch_add(struct move_batch *batch, uint64_t page, uint64_t nr_pages, uint32_t to,
		    uint64_t now_ns)
{
	uint64_t nr = MIN(nr_pages, (uint64_t)move_batch_room(batch));
	for (uint64_t i = 0; i < nr; i++)
		batch->items[batch->nr_items++] = (struct move_item){
			.page = page + i,
			.to = to,
			.frame = NO_FRAME,
			.before = -EIO,
			.after = -EIO,
			.status = MOVE_STATUS_UNTOUCHED,
			.is_held = unmovable_is_held(&batch->unmovable, batch->target->space,
						     page + i, now_ns),
		};
}

void move_batch_run(struct move_batch *batch, uint64_t now_ns)
{
	const struct move_target *target = batch->target;
	batch->nr_results = 0;
	batch->nr_moved_pages = batch->nr_tried_pages = 0;
	batch->has_devices = false;
	batch->nr_flags = 0;
	qsort(batch->items, batch->nr_items, sizeof(*batch->items), compare_items);
	if (move_target_has_ended(target)) {
		for (uint32_t i = 0; i < batch->nr_items; i++)
			batch->items[i].before = batch->items[i].after = -ESRCH;
	} else {
		find_frames(batch, target->pid);
		ask_where(batch, true);
		move_items(batch, target->pid);
		if (!is_all_known(batch)) {
			find_frames(batch, target->pid); /* they may have been parted */
			ask_where(batch, false);
		}
	}
	report_items(batch, now_ns);
}
