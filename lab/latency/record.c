/* SPDX-License-Identifier: MIT */
/* From what a guest does to what is recorded of it (record.h). */
#include "lab/latency/record.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "recorder/changes.h"

/* Of struct clone_args: flags, stack and its size (linux/sched.h). */
enum { CLONE3_FLAGS, CLONE3_STACK = 5, CLONE3_STACK_SIZE, CLONE3_NR_WORDS };

#define TABLE_MASK (((uint64_t)1 << 52) - 4096) /* of CR3: without PCID and flags */

int record_init(struct record *record, struct recording *recording)
{
	if (recording && (recording->version != RING_VERSION || recording->interval_ticks == 0))
		return -EINVAL;
	*record = (struct record){ .recording = recording, .epoch = 1 };
	if (!recording)
		return 0;
	record->interval_end = recording->interval_ticks;
	record->wanted = (recording->streams & TRACE_STREAM_MISSES ? TRACE_MISS : 0) |
			 (recording->streams & TRACE_STREAM_TOUCHES ? TRACE_TOUCH : 0);
	return 0;
}

void record_fini(struct record *record)
{
	record_stop(record);
}

void record_stop(struct record *record)
{
	if (record->recording)
		__atomic_store_n(&record->recording->clock, record->now, __ATOMIC_RELAXED);
	while (record->spaces)
		record_space_end(record, record->spaces);
	while (record->nr_births > 0)
		record_drop_birth(record, record->nr_births - 1);
}

static struct record_space *find_space(const struct record *record, uint64_t table)
{
	struct record_space *space = record->spaces;
	while (space && space->table != table)
		space = space->next;
	return space;
}

void record_switch(struct record *record, uint64_t cr3)
{
	uint64_t table = cr3 & TABLE_MASK;
	if (table == record->table)
		return;
	record->table = table;
	record->current = find_space(record, table);
}

void record_adopt(struct record *record)
{
	if (record->current)
		return;
	record->current = record_space_new(record, record->table, TRACE_NONE, NULL, 0);
	if (record->current)
		record_thread_of(record, record->current, 0);
}

/* ---- births ---- */

static struct record_birth *add_birth(struct record *record, struct record_space *parent,
				      const char *name)
{
	if (record->nr_births == RECORD_MAX_BIRTHS) {
		record->nr_lost_births++;
		record_drop_birth(record, 0);
	}
	struct record_birth *birth = &record->births[record->nr_births++];
	*birth = (struct record_birth){ .parent = parent,
					.parent_table = parent->table,
					.parent_number = parent->number };
	size_t length = strnlen(name, sizeof(birth->name) - 1);
	memcpy(birth->name, name, length); /* the rest is zero */
	return birth;
}

/* The latest of that parent and sort; UINT32_MAX when there is none. */
static uint32_t find_birth(const struct record *record, const struct record_space *parent,
			   bool is_exec)
{
	for (uint32_t i = record->nr_births; i-- > 0;)
		if (record->births[i].parent == parent && record->births[i].is_exec == is_exec)
			return i;
	return UINT32_MAX;
}

/* Several may be under way; who goes to user mode now is told by its registers. */
static uint32_t find_newborn(const struct record *record, const struct record_frame *frame)
{
	const struct record_space *here = record->current;
	for (uint32_t i = 0; i < record->nr_births; i++) {
		const struct record_birth *birth = &record->births[i];
		if (birth->is_seen || birth->parent_table == record->table)
			continue;
		if (birth->is_exec ? frame->is_blank
				   : frame->result == 0 && frame->stack == birth->stack &&
					     (!here || here->nr_calls > 0))
			return i;
	}
	return UINT32_MAX;
}

/* The image that execve left, unless a child only borrowed it. */
static void end_old_image(struct record *record, struct record_birth *birth)
{
	struct record_space *parent = birth->parent;
	bool ends = parent && !birth->is_borrower;
	if (birth->is_borrower && parent && !birth->pid)
		birth->is_seen = true; /* until vfork returns and tells the number */
	else
		record_drop_birth(record, (uint32_t)(birth - record->births));
	if (ends)
		record_space_end(record, parent);
}

static void bear_image(struct record *record, struct record_birth *birth,
		       const struct record_frame *frame)
{
	struct record_space *old = birth->parent;
	int32_t pid = !birth->is_borrower && old->lane ? old->lane->pid : birth->pid;
	struct record_space *space = record_space_new(record, record->table, birth->parent_number,
						      birth->name, pid);
	record->current = space;
	if (space) {
		birth->child = space->lane;
		record_thread_of(record, space, frame->base);
		space->image.stack = frame->stack;
		record_map_image(record, space);
	}
	end_old_image(record, birth);
}

static void bear_child(struct record *record, struct record_birth *birth,
		       const struct record_frame *frame)
{
	bool is_recorded = birth->parent_number != TRACE_NONE;
	struct record_space *space = record_space_new(record, record->table, birth->parent_number,
						      is_recorded ? birth->name : NULL, birth->pid);
	record->current = space;
	birth->is_seen = true;
	if (space) {
		birth->child = space->lane;
		record_thread_of(record, space, frame->base);
		record_inherit(record, space, birth);
	}
	if (birth->pid || !birth->parent)
		record_drop_birth(record, (uint32_t)(birth - record->births));
}

void record_enter(struct record *record, const struct record_frame *frame)
{
	uint32_t i = record->nr_births ? find_newborn(record, frame) : UINT32_MAX;
	if (i != UINT32_MAX && record->current) { /* a signal ended whose CR3 this was */
		record_space_end(record, record->current);
		i = find_newborn(record, frame);
	}
	if (i == UINT32_MAX) {
		if (record->current)
			record_thread_of(record, record->current, frame->base);
		return;
	}
	struct record_birth *birth = &record->births[i];
	if (birth->is_exec)
		bear_image(record, birth, frame);
	else
		bear_child(record, birth, frame);
}

/* ---- calls ---- */

/* Is it a vfork's child that runs in its parent's space, as that parent's thread? */
static bool is_borrower(const struct record_space *space)
{
	return space->nr_vforks > 0 && space->threads[space->current].base == space->vfork_base;
}

static void will_exec(struct record *record, struct record_space *space, uint64_t path)
{
	char name[RECORD_NAME_BYTES] = "";
	if (record->read)
		read_guest_string(record->read, path, name, sizeof(name));
	struct record_birth *birth = add_birth(record, space, name);
	birth->is_exec = true;
	birth->is_borrower = is_borrower(space);
}

static void will_clone(struct record *record, struct record_space *space, uint64_t flags,
		       uint64_t stack)
{
	if (flags & CLONE_VM && flags & CLONE_VFORK && !(flags & CLONE_THREAD)) {
		space->nr_vforks++;
		space->vfork_base = space->threads[space->current].base;
	} else if (flags & CLONE_VM) {
		space->nr_unborn_threads++;
	} else {
		const char *name = space->lane ? space->lane->exec_path : "";
		struct record_birth *birth = add_birth(record, space, name);
		birth->stack = stack;
		record_bequeath(space, birth);
	}
}

static void will_clone3(struct record *record, struct record_space *space, uint64_t at,
			uint64_t stack)
{
	uint64_t words[CLONE3_NR_WORDS] = { 0 };
	if (record->read)
		record->read(at, words, sizeof(words));
	if (words[CLONE3_STACK])
		stack = words[CLONE3_STACK] + words[CLONE3_STACK_SIZE];
	will_clone(record, space, words[CLONE3_FLAGS], stack);
	/* What it was is needed again when it returns. */
	space->threads[space->current].arguments[0] = words[CLONE3_FLAGS];
}

static void will_exit(struct record *record, struct record_space *space, bool is_group)
{
	if (is_borrower(space)) /* its end is not the owner's */
		return;
	if (is_group || space->nr_threads <= 1)
		record_space_end(record, space);
	else
		record_thread_end(record, space);
}

void record_call(struct record *record, int64_t number, const uint64_t arguments[6], uint64_t stack)
{
	struct record_space *space = record->current;
	if (!space)
		return;
	struct record_thread *thread = &space->threads[space->current];
	thread->call = number;
	memcpy(thread->arguments, arguments, sizeof(thread->arguments));
	space->nr_calls++;
	if (space->image.stack)
		record_map_image(record, space);
	if (number == SYS_execve)
		will_exec(record, space, arguments[0]);
	else if (number == SYS_execveat)
		will_exec(record, space, arguments[1]);
	else if (number == SYS_clone)
		will_clone(record, space, arguments[0], arguments[1] ? arguments[1] : stack);
	else if (number == SYS_clone3)
		will_clone3(record, space, arguments[0], stack);
	else if (number == SYS_fork)
		will_clone(record, space, 0, stack);
	else if (number == SYS_vfork)
		will_clone(record, space, CLONE_VM | CLONE_VFORK, stack);
	else if (number == SYS_exit_group || number == SYS_exit)
		will_exit(record, space, number == SYS_exit_group);
}

/* The owner of the space goes on after its vfork: the borrower is gone, or on its own, but its new
 * image may not have run yet. */
static void did_vfork(struct record *record, struct record_space *space, uint64_t pid)
{
	uint32_t i = find_birth(record, space, true);
	if (space->nr_vforks > 0)
		space->nr_vforks--;
	if (i == UINT32_MAX || !record->births[i].is_borrower)
		return;
	struct record_birth *birth = &record->births[i];
	birth->pid = (int32_t)pid;
	if (birth->child)
		birth->child->pid = birth->pid;
	if (birth->is_seen)
		record_drop_birth(record, i);
}

static void did_fork(struct record *record, struct record_space *space, uint64_t pid, bool failed)
{
	uint32_t i = find_birth(record, space, false);
	if (i == UINT32_MAX)
		return;
	struct record_birth *birth = &record->births[i];
	birth->pid = (int32_t)pid;
	if (birth->child)
		birth->child->pid = birth->pid;
	if (failed || birth->is_seen)
		record_drop_birth(record, i);
}

static void did_clone(struct record *record, struct record_space *space, uint64_t flags,
		      uint64_t result, bool failed)
{
	if (!(flags & CLONE_VM))
		did_fork(record, space, result, failed);
	else if (flags & CLONE_VFORK && !(flags & CLONE_THREAD))
		did_vfork(record, space, result);
	else if (failed && space->nr_unborn_threads > 0)
		space->nr_unborn_threads--;
}

static bool is_in_user_space(uint64_t address, uint64_t nr_bytes)
{
	const uint64_t end = (uint64_t)1 << (PAGES_BITS + PAGE_SHIFT);
	return address < end && nr_bytes <= end - address;
}

static void did_change(struct record *record, struct record_space *space,
		       const struct mapping_change *change)
{
	uint64_t first = change->address >> PAGE_SHIFT;
	uint64_t nr = ((change->address + change->nr_bytes + 4095) >> PAGE_SHIFT) - first;
	const char *name = change->op == TRACE_MAP && !change->name ? "[file]" : change->name;
	bool forgets = change->op == TRACE_UNMAP || change->op == TRACE_DISCARD ||
		       change->op == TRACE_REMAP;
	if (!is_in_user_space(change->address, change->nr_bytes) ||
	    !is_in_user_space(change->from, change->nr_bytes))
		return;
	if (forgets)
		pages_forget(&space->pages, first, nr);
	if (change->op == TRACE_REMAP)
		pages_move(&space->pages, change->from >> PAGE_SHIFT, first, nr);
	record_put_mapping(record, space, change->op, change->address, change->nr_bytes, name,
			   change->op == TRACE_REMAP ? change->from : change->detail,
			   change->protection);
}

static void did_map(struct record *record, struct record_space *space, int64_t call,
		    const uint64_t *arguments, uint64_t result)
{
	struct mapping_change changes[MAPPING_CHANGES_MAX];
	unsigned nr = mapping_changes(call, arguments, result, &space->heap_end, changes);
	for (unsigned i = 0; i < nr; i++)
		did_change(record, space, &changes[i]);
	/* What was taken away and comes back is new, even to the filter of the model. */
	if (nr > 0 && record->forget)
		record->forget();
}

void record_return(struct record *record, uint64_t base, uint64_t result)
{
	struct record_space *space = record->current;
	if (!space)
		return;
	struct record_thread *thread = record_thread_of(record, space, base);
	int64_t call = thread->call;
	bool failed = (int64_t)result < 0 && (int64_t)result >= -4095;
	thread->call = RECORD_NO_CALL;
	if (failed && (call == SYS_execve || call == SYS_execveat)) {
		uint32_t i = find_birth(record, space, true);
		if (i != UINT32_MAX)
			record_drop_birth(record, i);
	} else if (call == SYS_execve || call == SYS_execveat || call == SYS_exit ||
		   call == SYS_exit_group || call == SYS_vfork) {
		did_vfork(record, space, result); /* these return to the owner only */
	} else if (call == SYS_clone || call == SYS_clone3) {
		did_clone(record, space, thread->arguments[0], result, failed);
	} else if (call == SYS_fork) {
		did_fork(record, space, result, failed);
	} else if (!failed && call != RECORD_NO_CALL) {
		did_map(record, space, call, thread->arguments, result);
	}
}

/* ---- accesses ---- */

static void begin_interval(struct record *record)
{
	uint64_t length = record->recording->interval_ticks;
	record->interval_end = record->now / length * length + length;
	record->epoch++;
	__atomic_store_n(&record->recording->clock, record->now, __ATOMIC_RELAXED);
	if (record->forget)
		record->forget();
}

/* TOUCH when this is the page's first access, or its first store, in the interval. */
static uint8_t touch(const struct record *record, struct page *page, uint8_t flags)
{
	uint32_t *last = flags & TRACE_WRITE ? &page->store_epoch : &page->load_epoch;
	uint8_t touched = *last != record->epoch ? TRACE_TOUCH : 0;
	*last = record->epoch;
	page->load_epoch = record->epoch;
	return touched;
}

/* The kernel lets a stack grow by a mere touch. */
static void grow_stack(struct record *record, struct record_space *space, uint64_t address)
{
	struct record_image *image = &space->image;
	address &= ~(uint64_t)4095;
	if (image->stack_end == 0 || address >= image->stack_first ||
	    image->stack_end - address > RECORD_STACK_LIMIT)
		return;
	record_put_mapping(record, space, TRACE_MAP, address, image->stack_first - address,
			   "[stack]", 0, 3);
	image->stack_first = address;
}

void record_access(struct record *record, uint64_t address, uint32_t node, uint8_t flags)
{
	struct record_space *space = record->current;
	if (!space || !space->lane || address >> (PAGES_BITS + PAGE_SHIFT))
		return;
	if (unlikely(record->now >= record->interval_end))
		begin_interval(record);
	uint64_t number = address >> PAGE_SHIFT;
	struct page *page = pages_get(&space->pages, number);
	if (!page)
		return;
	if (unlikely(page->load_epoch == 0))
		grow_stack(record, space, address);
	flags |= touch(record, page, flags);
	if (node != TRACE_NONE && page->frame != node + 1) {
		page->frame = node + 1;
		ring_put_node(&space->ring, record->now, number, node);
	}
	if (flags & record->wanted) {
		uint8_t shown = record->wanted | TRACE_WRITE | TRACE_SYSCALL;
		ring_put_access(&space->ring, record->now, number, flags & shown,
				space->threads[space->current].number);
	}
}
