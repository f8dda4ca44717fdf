/* SPDX-License-Identifier: MIT */
/*
 * accessed-bits: the accessed bits of every page of the watched processes, read from their page
 * tables and cleared by the kernel.
 *
 *      read what is new   clear            read all            as long as the share of a CPU asks
 *     --------|------------|----- window -----|--------------------------- rest ----------------|--
 *                           bits are set by use ^ pages used in the window
 *
 * What is new is read only where more or fewer pages are resident than before the last check. What
 * is read is told when all has been (runs.h): bits are set meanwhile.
 *
 * A check is one window: pages with the bit had one hit of one check, all others none, which need
 * not be said (is_complete). What was touched outside of a window is told once, when the page is
 * first met: its bit tells that it was used since it came into being.
 *
 * Reading is /proc/kcore (kcore.h), clearing "1" into /proc/PID/clear_refs: the bits as page idle
 * tracking would show them, without CONFIG_IDLE_PAGE_TRACKING, which Debian leaves out. Clearing
 * costs several times the reading and holds the process's mmap_lock, so that is what the rests are
 * for: samplers get their share of a CPU (live.h), of which at most a second's worth is saved up.
 * What all of it takes `berth run --tier --report` tells and bench/samplers prints.
 *
 * The window is as long as it takes for an eighth of what is mapped to be used, 10 ms to 2 s: in
 * a longer one every page looks alike. It begins with half of the last one, and is doubled for as
 * long as counting finds too few. It is at least as long as clearing took, or pages cleared first
 * would be watched for much longer than those cleared last.
 *
 * When a check comes, and when scouts (scout.h), who watch a few pages all the time: check_pace.h.
 *
 * Huge folios have one bit for 512 pages, which nearly any window finds set. How often each is used
 * is learned by quick looks before a check (glance.h), and told as the share of their pages that
 * bits of their own would have shown used.
 *
 * Where nobody who is watched has run since, there is nothing to look at, and neither checks nor
 * scouts come: they ask again every two seconds, in one wake-up.
 *
 * Clearing leaves entries in the TLB of who runs the process, and a page that stays there is used
 * without its bit being set, as with every user of these bits in the kernel (mm/page_idle.c,
 * mm/damon). Where a short visit to each CPU flushes them, it is made (translations.h).
 *
 * Follows clear_refs_write() in fs/proc/task_mmu.c (6.12).
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/check_pace.h"
#include "linux/glance.h"
#include "linux/kcore.h"
#include "linux/pagetable.h"
#include "linux/process.h"
#include "linux/runs.h"
#include "linux/samplers.h"
#include "linux/scout.h"
#include "linux/seen.h"
#include "linux/translations.h"

#define AREAS_KNOWN    64 /* processes whose areas are read once per check */
#define ASKED_MAX      64 /* processes that are asked whether they have run */
#define SLEEP_MAX_NS   (50 * NS_PER_MS)
#define GLANCE_CPU_NS  (10 * NS_PER_MS)
#define GLANCE_WAIT_NS (100 * NS_PER_MS)
#define CHUNK_PAGES    ((uint64_t)512)
#define COUNTED_EVERY  4 /* chunks */
#define USED_PARTS     8 /* of what is mapped are to be used in a window */

enum phase { RESTING, READING_NEW, WINDOW, COUNTING, READING, TELLING, TOLD };

/* CPU time of who is watched. */
struct run_time {
	uint64_t ticks;
	uint64_t ns; /* as of when ticks had not changed */
};

struct accessed {
	struct live *live;
	struct kcore kcore;
	struct pagetable table;
	struct seen seen;
	enum phase phase;
	struct check_pace pace;
	uint64_t cleared_ns;
	uint64_t clearing_ns, watched_ns; /* what the last clearing took; the window as it was */
	uint64_t cost_ns;		  /* CPU time of this check */
	struct run_time checked, scouted; /* at the last check, and when scouts went out */
	struct glance glance;
	uint64_t last_cost_ns, glanced_ns;	 /* of the check before without glances; of those */
	uint64_t glance_cpu_ns, glance_until_ns; /* of our CPU time, and of the clock */
	struct scout scout;
	uint64_t scouting_ns; /* CPU time, since these scouts went out */
	int flags_fd;	      /* kpageflags; -1: no scouting */
	struct translations translations;
	/* where the reading goes on */
	uint32_t space;
	uint64_t page;
	size_t area;
	bool is_in_space;	  /* its table is at hand, and its areas are */
	struct live_areas *areas; /* of it, as the check first found them */
	struct live_areas known[AREAS_KNOWN], other;
	struct sample run; /* nr_pages 0: none */
	struct runs runs;  /* behind those, to be told */
	bool is_read;	   /* all of it */
	uint64_t now_ns;
	uint64_t *pages_of_node;
	uint64_t nr_mapped, nr_used, nr_slow_used;
	uint64_t nr_fast_single; /* of those used, single pages of fast memory */
};

static int probe(void *world, struct printbuf *err)
{
	struct live *live = world;
	return kcore_probe(live->root, err);
}

static void forget_areas(struct accessed *accessed)
{
	for (uint32_t i = 0; i < AREAS_KNOWN; i++)
		live_areas_fini(&accessed->known[i]);
	live_areas_fini(&accessed->other);
}

static void close_accessed(void *sampler)
{
	struct accessed *accessed = sampler;
	if (!accessed)
		return;
	if (accessed->flags_fd >= 0)
		close(accessed->flags_fd);
	kcore_fini(&accessed->kcore);
	seen_fini(&accessed->seen);
	runs_fini(&accessed->runs);
	glance_fini(&accessed->glance);
	translations_fini(&accessed->translations);
	forget_areas(accessed);
	free(accessed->pages_of_node);
	free(accessed);
}

static int open_accessed(void *world, void **ret_sampler, struct printbuf *err)
{
	struct live *live = world;
	struct accessed *accessed = calloc(1, sizeof(*accessed));
	if (!accessed)
		return error_set(err, -ENOMEM, "accessed-bits: out of memory");
	accessed->live = live;
	accessed->kcore.fd = -1;
	check_pace_init(&accessed->pace, clock_now_ns());
	accessed->flags_fd = rootfile_open(live->root, "proc/kpageflags", O_RDONLY);
	accessed->checked.ticks = accessed->scouted.ticks = UINT64_MAX;
	accessed->pages_of_node = calloc(MAX(live->machine->nr_nodes, 1),
					 sizeof(*accessed->pages_of_node));
	int error = accessed->pages_of_node ? kcore_open(live->root, &accessed->kcore, err)
					    : error_set(err, -ENOMEM, "out of memory");
	if (!error && translations_init(&accessed->translations, live->root))
		accessed->translations.are_kept = true; /* CPUs that are not known */
	if (error) {
		close_accessed(accessed);
		return error;
	}
	*ret_sampler = accessed;
	return 0;
}

static int read_physical(void *context, uint64_t physical, void *ret, size_t nr_bytes)
{
	return kcore_read_physical(context, physical, ret, nr_bytes);
}

/* False: it has ended, or has no memory of its own any more. */
static bool find_table(struct accessed *accessed, struct live_space *space)
{
	struct pagetable_reader reader = { read_physical, &accessed->kcore };
	uint64_t physical;
	int error = -ESRCH;
	if (space->task)
		error = kcore_page_table(&accessed->kcore, space->task, space->pid, &physical);
	if (error && kcore_find_task(&accessed->kcore, space->pid, &space->task) == 0)
		error = kcore_page_table(&accessed->kcore, space->task, space->pid, &physical);
	if (error)
		return false;
	pagetable_begin(&accessed->table, &reader, physical, accessed->kcore.levels);
	return true;
}

/* False: no more can be kept. */
static bool put_run(struct accessed *accessed)
{
	if (accessed->run.nr_pages > 0 && runs_add(&accessed->runs, &accessed->run) == -ENOSPC &&
	    accessed->runs.nr > 0)
		return false; /* else there is no memory for any */
	accessed->run.nr_pages = 0;
	return true;
}

static bool add_to_run(struct accessed *accessed, const struct sample *next)
{
	struct sample *run = &accessed->run;
	if (run->nr_pages > 0 && run->space == next->space && run->node == next->node &&
	    run->order == next->order && run->window_ns == next->window_ns &&
	    run->hits == next->hits && run->checks == next->checks &&
	    run->page + run->nr_pages == next->page &&
	    run->nr_pages + next->nr_pages <= RUNS_PAGES) {
		run->nr_pages += next->nr_pages;
		return true;
	}
	if (!put_run(accessed))
		return false;
	*run = *next;
	return true;
}

/* False: no more can be kept. A page that was used before the window is told of once. */
static bool tell(struct accessed *accessed, const struct sample *sample, bool is_accessed,
		 bool is_used)
{
	if (accessed->run.nr_pages > 0 && accessed->runs.nr == RUNS_MAX)
		return false; /* before anything is taken note of */
	if (is_accessed && !seen_is_known(&accessed->seen, sample->space, sample->page))
		seen_mark(&accessed->seen, sample->space, sample->page);
	bool is_new = seen_take_new(&accessed->seen, sample->space, sample->page);
	return (!is_used && !is_new) || add_to_run(accessed, sample);
}

/* Most pages in use are one more of a run, and were met before: nothing is to be looked up. */
static bool is_more_of_run(const struct accessed *accessed, const struct pagetable_page *mapped,
			   uint32_t node)
{
	const struct sample *run = &accessed->run;
	return mapped->is_accessed && run->nr_pages > 0 && run->nr_pages < RUNS_PAGES &&
	       run->page + run->nr_pages == mapped->page && run->space == accessed->space &&
	       run->node == node && run->order == 0 && run->hits == run->checks &&
	       run->window_ns == accessed->watched_ns && accessed->seen.nr_new == 0 &&
	       seen_is_known(&accessed->seen, accessed->space, mapped->page);
}

/* Clearing takes some time, and reading about as much: what is cleared first is read first, so all
 * are watched for as long as what is cleared at once and read in the end. */
static uint64_t watched_since_ns(const struct accessed *accessed)
{
	return clock_now_ns() - accessed->cleared_ns + accessed->clearing_ns;
}

/* In how many of GLANCE_CHECKS windows like this one each of the folio's pages is used. */
static uint32_t share_used(struct accessed *accessed, const struct pagetable_page *mapped,
			   uint32_t node)
{
	if (!mapped->is_accessed || mapped->order != GLANCE_ORDER)
		return mapped->is_accessed ? GLANCE_CHECKS : 0;
	uint64_t window_ns = accessed->phase == READING ? accessed->watched_ns
							: watched_since_ns(accessed);
	return glance_share(&accessed->glance, accessed->space, mapped->page, window_ns,
			    accessed->live->machine->nodes[node].tier > 0 ? GLANCE_AT_LEAST
									  : GLANCE_AT_MOST);
}

/* Of an entry, what lies in the area. */
struct part {
	uint64_t begin, end;
	uint32_t node, share; /* used, of GLANCE_CHECKS */
};

/* False: no more can be kept. */
static bool tell_of(struct accessed *accessed, const struct pagetable_page *mapped,
		    const struct part *part)
{
	uint32_t share = part->share;
	struct sample sample = sample_of_page(SAMPLE_HITS, accessed->now_ns, accessed->space,
					      part->begin);
	sample.nr_pages = part->end - part->begin;
	sample.hits = share && share < GLANCE_CHECKS ? share : 1;
	sample.checks = share && share < GLANCE_CHECKS ? GLANCE_CHECKS : 1;
	sample.window_ns = share ? accessed->watched_ns : SAMPLE_UNKNOWN;
	sample.order = (uint8_t)mapped->order;
	sample.node = part->node;
	return tell(accessed, &sample, mapped->is_accessed, share > 0);
}

static void count_part(struct accessed *accessed, const struct part *part)
{
	uint64_t nr = part->end - part->begin, nr_used = nr * part->share / GLANCE_CHECKS;
	accessed->pages_of_node[part->node] += nr;
	accessed->nr_mapped += nr;
	accessed->nr_used += nr_used;
	if (accessed->live->machine->nodes[part->node].tier > 0)
		accessed->nr_slow_used += nr_used;
}

/* Nearly all entries are these, and most of them say nothing new. */
static bool read_single(struct accessed *accessed, const struct pagetable_page *mapped,
			uint32_t node)
{
	bool is_used = mapped->is_accessed;
	bool is_slow = accessed->live->machine->nodes[node].tier > 0;
	struct part part = { .begin = mapped->page,
			     .end = mapped->page + 1,
			     .node = node,
			     .share = is_used ? GLANCE_CHECKS : 0 };
	if (is_more_of_run(accessed, mapped, node))
		accessed->run.nr_pages++;
	else if ((is_used || accessed->seen.nr_new > 0) && !tell_of(accessed, mapped, &part))
		return false;
	scout_see(&accessed->scout, accessed->space, mapped->page, is_used, is_slow);
	accessed->pages_of_node[node]++;
	accessed->nr_mapped++;
	accessed->nr_used += is_used;
	accessed->nr_slow_used += is_used && is_slow;
	accessed->nr_fast_single += is_used && !is_slow;
	return true;
}

/* All pages of the entry that lie in the area. */
static struct part part_of(struct accessed *accessed, const struct pagetable_page *mapped,
			   uint32_t node)
{
	const struct live_area *area = &accessed->areas->items[accessed->area];
	return (struct part){
		.begin = MAX(mapped->page, accessed->page),
		.end = MIN(mapped->page + ((uint64_t)1 << mapped->order), area->end),
		.node = node,
		.share = share_used(accessed, mapped, node),
	};
}

static bool visit_read(void *context, const struct pagetable_page *mapped)
{
	struct accessed *accessed = context;
	uint32_t node = frames_node(&accessed->live->frames, mapped->frame);
	if (node == FRAMES_NO_NODE)
		return true;
	if (mapped->order == 0)
		return read_single(accessed, mapped, node);
	struct part part = part_of(accessed, mapped, node);
	if ((part.share > 0 || accessed->seen.nr_new > 0) && !tell_of(accessed, mapped, &part))
		return false;
	if (mapped->order == GLANCE_ORDER && part.begin == mapped->page)
		glance_see(&accessed->glance, accessed->space, part.begin, mapped->is_accessed);
	count_part(accessed, &part);
	return true;
}

static bool visit_counted(void *context, const struct pagetable_page *mapped)
{
	struct accessed *accessed = context;
	if (mapped->order == 0) {
		accessed->nr_mapped++;
		accessed->nr_used += mapped->is_accessed;
		return true;
	}
	uint32_t node = frames_node(&accessed->live->frames, mapped->frame);
	if (node == FRAMES_NO_NODE)
		return true;
	struct part part = part_of(accessed, mapped, node);
	count_part(accessed, &part);
	return true;
}

static bool visit_new(void *context, const struct pagetable_page *mapped)
{
	struct accessed *accessed = context;
	uint64_t begin = MAX(mapped->page, accessed->page);
	if (mapped->is_accessed && !seen_is_known(&accessed->seen, accessed->space, begin) &&
	    frames_node(&accessed->live->frames, mapped->frame) != FRAMES_NO_NODE)
		seen_mark(&accessed->seen, accessed->space, begin);
	return true;
}

/* Asking for them is dear where there are many, and a check goes through its processes again and
 * again. What is mapped meanwhile is for the next one. NULL: it has ended. */
static struct live_areas *areas_of(struct accessed *accessed, const struct live_space *space)
{
	bool is_known = accessed->space < AREAS_KNOWN;
	struct live_areas *areas = is_known ? &accessed->known[accessed->space] : &accessed->other;
	if (is_known && areas->nr > 0)
		return areas;
	live_areas_fini(areas);
	return live_areas(accessed->live, space, areas) ? NULL : areas;
}

static bool begin_space(struct accessed *accessed)
{
	struct live_space *space = live_space(accessed->live, accessed->space);
	bool is_there = space && find_table(accessed, space);
	accessed->areas = is_there ? areas_of(accessed, space) : NULL;
	accessed->is_in_space = accessed->areas != NULL;
	accessed->area = 0;
	accessed->page = 0;
	return accessed->is_in_space;
}

/* A quarter of the chunks tells how many are used: counting must not make the window longer. */
static void count_area(struct accessed *accessed, const struct live_area *area)
{
	for (uint64_t chunk = area->first & ~(CHUNK_PAGES - 1); chunk < area->end;
	     chunk += COUNTED_EVERY * CHUNK_PAGES)
		pagetable_walk(&accessed->table, MAX(chunk, area->first),
			       MIN(chunk + CHUNK_PAGES, area->end), visit_counted, accessed);
}

/* The rest of one process. False: no more can be kept. */
static bool read_space(struct accessed *accessed)
{
	for (; accessed->area < accessed->areas->nr; accessed->area++, accessed->page = 0) {
		const struct live_area *area = &accessed->areas->items[accessed->area];
		if (accessed->phase == COUNTING) {
			count_area(accessed, area);
			continue;
		}
		accessed->page = MAX(accessed->page, area->first);
		accessed->page = pagetable_walk(&accessed->table, accessed->page, area->end,
						accessed->phase == READING ? visit_read : visit_new,
						accessed);
		if (accessed->page < area->end)
			return false;
	}
	return true;
}

/* Goes through all processes; once they are told of, the rest. False: no more can be kept. */
static bool read_all(struct accessed *accessed)
{
	for (; accessed->space < accessed->live->nr_spaces; accessed->space++) {
		if (!accessed->is_in_space && !begin_space(accessed))
			continue;
		if (!read_space(accessed))
			return false;
		accessed->is_in_space = false;
	}
	return put_run(accessed);
}

static void begin_reading(struct accessed *accessed, enum phase phase)
{
	accessed->phase = phase;
	accessed->space = 0;
	accessed->is_in_space = false;
	accessed->nr_mapped = accessed->nr_used = accessed->nr_slow_used = 0;
	accessed->nr_fast_single = 0;
	memset(accessed->pages_of_node, 0,
	       accessed->live->machine->nr_nodes * sizeof(*accessed->pages_of_node));
}

/* ---- glances ---- */

/* Neighbours are one range: the kernel flushes translations once for each. Returns how many of the
 * first were cleared. */
static int clear_ranges(struct accessed *accessed, const struct live_space *space,
			const uint64_t *numbers, uint32_t nr, bool is_one_by_one)
{
	size_t bytes = GLANCE_PAGES * accessed->live->machine->page_bytes;
	struct iovec ranges[GLANCE_BATCH];
	size_t nr_ranges = 0;
	for (uint32_t i = 0; i < nr; i++) {
		if (i > 0 && numbers[i] == numbers[i - 1] + 1 && !is_one_by_one)
			ranges[nr_ranges - 1].iov_len += bytes;
		else
			ranges[nr_ranges++] =
				(struct iovec){ (void *)(uintptr_t)(numbers[i] * bytes), bytes };
	}
	long done = syscall(SYS_process_madvise, space->pidfd, ranges, nr_ranges, MADV_COLD, 0);
	if (done < 0)
		return errno == EINVAL || errno == ENOMEM ? 0 : -errno;
	return (int)((size_t)done / bytes);
}

/* A range that is refused may be so for one folio of it: which one, they tell one by one. */
static int clear_huge(void *context, uint32_t number, const uint64_t *numbers, uint32_t nr)
{
	struct accessed *accessed = context;
	const struct live_space *space = live_space(accessed->live, number);
	if (!space)
		return -ESRCH;
	int done = clear_ranges(accessed, space, numbers, nr, false);
	if (done < 0 || (uint32_t)done >= nr)
		return done;
	int more = clear_ranges(accessed, space, numbers + done, nr - (uint32_t)done, true);
	return more < 0 ? more : done + more;
}

static bool begin_glance(void *context, uint32_t number)
{
	struct accessed *accessed = context;
	struct live_space *space = live_space(accessed->live, number);
	return space && find_table(accessed, space);
}

static bool take_page(void *context, const struct pagetable_page *mapped)
{
	*(struct pagetable_page *)context = *mapped;
	return false;
}

static int is_huge_used(void *context, uint64_t number)
{
	struct accessed *accessed = context;
	struct pagetable_page mapped = { .order = UINT_MAX };
	uint64_t page = number * GLANCE_PAGES;
	pagetable_walk(&accessed->table, page, page + GLANCE_PAGES, take_page, &mapped);
	return mapped.order == GLANCE_ORDER ? mapped.is_accessed : -ENOENT;
}

static void wait_for(void *context, uint64_t ns)
{
	(void)context;
	clock_sleep_ns(ns);
}

static uint64_t glance_now(void *context)
{
	(void)context;
	return clock_now_ns();
}

static bool has_glance_time(void *context, uint64_t expected_ns)
{
	const struct accessed *accessed = context;
	return clock_thread_cpu_ns() + expected_ns < accessed->glance_cpu_ns &&
	       clock_now_ns() < accessed->glance_until_ns;
}

/* A quarter of what the check before took, but long enough for some hundreds of folios. */
static void glance_at_huge(struct accessed *accessed)
{
	const struct glance_eyes eyes = { accessed, clear_huge, begin_glance,	is_huge_used,
					  wait_for, glance_now, has_glance_time };
	accessed->glance_cpu_ns = clock_thread_cpu_ns() +
				  MAX(accessed->last_cost_ns / 4, GLANCE_CPU_NS);
	accessed->glance_until_ns = clock_now_ns() + GLANCE_WAIT_NS;
	uint64_t begin_ns = clock_thread_cpu_ns();
	glance_session(&accessed->glance, &eyes);
	accessed->glanced_ns = clock_thread_cpu_ns() - begin_ns;
}

static void clear_bits(struct accessed *accessed)
{
	struct live *live = accessed->live;
	char path[64];
	for (uint32_t i = 0; i < live->nr_spaces; i++) {
		struct live_space *space = live_space(live, i);
		if (!space)
			continue;
		snprintf(path, sizeof(path), "proc/%d/clear_refs", space->pid);
		rootfile_write(live->root, path, "1"); /* refused: it has just ended */
	}
	translations_flush(&accessed->translations);
}

/* Too few were used to tell pages apart: the window goes on, twice as long. */
static bool is_window_short(const struct accessed *accessed)
{
	return accessed->nr_used * USED_PARTS < accessed->nr_mapped &&
	       accessed->pace.window_ns * 2 <= CHECK_WINDOW_MAX_NS;
}

/* When the next check may begin, by what this one took. */
static void settle(struct accessed *accessed, uint64_t now_ns)
{
	const struct check_seen seen = {
		.cost_ns = accessed->cost_ns,
		.watched_ns = accessed->watched_ns,
		.nr_mapped = accessed->nr_mapped,
		.nr_slow_used = accessed->nr_slow_used,
		.nr_fast_single = accessed->nr_fast_single,
	};
	check_pace_settle(&accessed->pace, accessed->live, &seen, now_ns);
	accessed->last_cost_ns = accessed->cost_ns - MIN(accessed->glanced_ns, accessed->cost_ns);
	accessed->cost_ns = 0;
	accessed->phase = RESTING;
	forget_areas(accessed);
}

/* A short window is not left to the loop, which has other things to do and would make it longer. */
static void sleep_through(uint64_t left_ns)
{
	if (left_ns <= SLEEP_MAX_NS)
		clock_sleep_ns(left_ns);
}

/* Who has not run has used nothing. Of many processes one always has. */
static bool has_run(const struct accessed *accessed, struct run_time *before)
{
	const struct live *live = accessed->live;
	struct run_time now = { .ticks = live->nr_alive }; /* one that ends or comes is a change */
	if (live->nr_alive > ASKED_MAX)
		return true;
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		now.ticks += live_run_ticks(live, i);
	bool is_sure = now.ticks != before->ticks;
	for (uint32_t i = 0; i < live->nr_spaces && !is_sure; i++)
		now.ns += live_run_ns(live, i);
	now.ns = is_sure ? before->ns : now.ns;
	bool is_other = is_sure || now.ns != before->ns;
	*before = now;
	return is_other;
}

static void doze(struct accessed *accessed, uint64_t now_ns)
{
	accessed->live->is_asleep = true;
	check_pace_doze(&accessed->pace, now_ns);
}

static uint64_t resident_pages(const struct live *live)
{
	uint64_t nr = 0;
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		nr += live_resident_pages(live, i);
	return nr;
}

/* Is it mapped, by a folio of its own? `known` is a frame of which that was asked before. */
static bool is_single(const struct accessed *accessed, const struct pagetable_page *mapped,
		      uint64_t known)
{
	uint64_t flags;
	if (mapped->order == 0 && known && mapped->frame == known)
		return true;
	return mapped->order == 0 &&
	       pread(accessed->flags_fd, &flags, sizeof(flags),
		     (off_t)(mapped->frame * sizeof(flags))) == (ssize_t)sizeof(flags) &&
	       !(flags >> KPF_COMPOUND_HEAD & 1) && !(flags >> KPF_COMPOUND_TAIL & 1);
}

/* A page of a chunk, its space's page table being at hand. */
static struct pagetable_page scouted_page(struct accessed *accessed,
					  const struct scout_chunk *chunk, uint32_t i)
{
	uint64_t page = chunk->number * CHUNK_PAGES + chunk->pages[i];
	struct pagetable_page mapped = { .order = UINT_MAX };
	pagetable_walk(&accessed->table, page, page + 1, take_page, &mapped);
	return mapped;
}

/* Clears the pages of one chunk that are mapped by folios of their own. */
static void clear_chunk(struct accessed *accessed, struct scout_chunk *chunk)
{
	struct iovec pages[SCOUT_PAGES];
	size_t nr = 0, page_bytes = accessed->live->machine->page_bytes;
	const struct live_space *space = live_space(accessed->live, chunk->space);
	for (uint32_t i = 0; i < chunk->nr; i++) {
		struct pagetable_page mapped = scouted_page(accessed, chunk, i);
		bool single = is_single(accessed, &mapped, chunk->singles[i]);
		chunk->singles[i] = single ? mapped.frame : 0;
		if (!single)
			continue;
		uint64_t page = chunk->number * CHUNK_PAGES + chunk->pages[i];
		void *address = (void *)(uintptr_t)(page * page_bytes);
		if (nr > 0 && (char *)pages[nr - 1].iov_base + pages[nr - 1].iov_len == address)
			pages[nr - 1].iov_len += page_bytes;
		else
			pages[nr++] = (struct iovec){ address, page_bytes };
	}
	if (nr > 0)
		syscall(SYS_process_madvise, space->pidfd, pages, nr, MADV_COLD, 0);
}

/* Counts those that were cleared and still are where they were. */
static void count_chunk(struct accessed *accessed, unsigned kind, const struct scout_chunk *chunk)
{
	for (uint32_t i = 0; i < chunk->nr; i++) {
		struct pagetable_page mapped = scouted_page(accessed, chunk, i);
		if (mapped.order == 0 && mapped.frame == chunk->singles[i] && mapped.frame)
			scout_count(&accessed->scout, kind, mapped.is_accessed);
	}
}

enum errand { CLEAR, COUNT };

static void scout_kind(struct accessed *accessed, unsigned kind, enum errand errand)
{
	uint32_t table_of = UINT32_MAX;
	for (unsigned i = 0; i < SCOUT_CHUNKS; i++) {
		struct scout_chunk *chunk = &accessed->scout.kinds[kind].chunks[i];
		struct live_space *space = chunk->nr > 0 ? live_space(accessed->live, chunk->space)
							 : NULL;
		if (!space || (table_of != chunk->space && !find_table(accessed, space)))
			continue;
		table_of = chunk->space;
		if (errand == CLEAR)
			clear_chunk(accessed, chunk);
		else
			count_chunk(accessed, kind, chunk);
	}
}

/* The scouts go out: what they see is of the window that begins now. */
static void send_scouts(struct accessed *accessed)
{
	struct scout *scout = &accessed->scout;
	for (unsigned kind = 0; kind < SCOUT_KINDS; kind++)
		scout_kind(accessed, kind, CLEAR);
	scout->cleared_ns = clock_now_ns();
	accessed->pace.scout_ns = scout->cleared_ns + scout->window_ns;
}

/* And come back. Who comes late has seen more used than usual, and for no other reason; and who
 * watched while none of the processes ran has seen nothing. */
static enum scout_tells ask_scouts(struct accessed *accessed, bool has_run)
{
	struct scout *scout = &accessed->scout;
	bool is_late = clock_now_ns() - scout->cleared_ns > 2 * scout->window_ns;
	scout_begin_count(scout);
	if (has_run)
		scout_kind(accessed, SCOUT_HOT, COUNT);
	if (has_run && !is_late)
		scout_kind(accessed, SCOUT_COLD, COUNT);
	return scout_end_count(scout);
}

static enum scout_tells scout(struct accessed *accessed, bool has_run)
{
	struct scout *scout = &accessed->scout;
	uint64_t begin_ns = clock_thread_cpu_ns(), out_ns = scout->cleared_ns;
	enum scout_tells told = out_ns ? ask_scouts(accessed, has_run) : SCOUT_NOTHING;
	/* Before the first check they know nowhere to go. */
	bool is_out = scout->window_ns && (!out_ns || told == SCOUT_SUSPICION);
	if (is_out)
		send_scouts(accessed);
	else
		scout->cleared_ns = 0;
	accessed->scouting_ns += clock_thread_cpu_ns() - begin_ns;
	if (is_out)
		return told;
	check_pace_scouted(&accessed->pace, accessed->scouting_ns,
			   out_ns ? out_ns : accessed->now_ns);
	accessed->scouting_ns = 0;
	return told;
}

/* Between checks. -EAGAIN: look at everything now. */
static int rest(struct accessed *accessed, uint64_t now_ns)
{
	struct check_pace *pace = &accessed->pace;
	struct live *live = accessed->live;
	if (accessed->flags_fd < 0 || now_ns < pace->scout_ns)
		return 0;
	bool is_running = has_run(accessed, &accessed->scouted);
	if (!is_running && !accessed->scout.cleared_ns) {
		doze(accessed, now_ns); /* for a second, not only for the scouts' window */
		return 0;
	}
	live->is_asleep = false;
	bool is_alarm = scout(accessed, is_running) == SCOUT_ALARM;
	bool has_grown = check_pace_has_grown(pace, live, live->counted_resident);
	if (is_alarm)
		check_pace_alarm(pace, now_ns);
	else if (has_grown)
		pace->due_ns = now_ns;
	return is_alarm || has_grown ? -EAGAIN : 0;
}

/* What is new has been met; from here on bits are those of the window. */
static void open_window(struct accessed *accessed)
{
	struct check_pace *pace = &accessed->pace;
	if (check_pace_begin(pace, accessed->live))
		read_all(accessed); /* puts nothing: it comes to its end */
	glance_at_huge(accessed);
	uint64_t begin_ns = clock_now_ns();
	clear_bits(accessed);
	accessed->cleared_ns = clock_now_ns();
	accessed->clearing_ns = accessed->cleared_ns - begin_ns;
	pace->window_ns = MIN(MAX(pace->window_ns, accessed->clearing_ns), CHECK_WINDOW_MAX_NS);
	pace->due_ns = accessed->cleared_ns + pace->window_ns;
	accessed->phase = WINDOW;
}

/* As step(). */
static int begin_check(struct accessed *accessed, uint64_t now_ns)
{
	struct check_pace *pace = &accessed->pace;
	struct live *live = accessed->live;
	if (now_ns < pace->due_ns)
		return rest(accessed, now_ns);
	if (!has_run(accessed, &accessed->checked)) {
		doze(accessed, now_ns);
		return 0;
	}
	live->is_asleep = false;
	if (check_pace_puts_off(pace, live, now_ns) ||
	    check_pace_is_growing(pace, resident_pages(live), now_ns))
		return 0;
	begin_reading(accessed, READING_NEW);
	return -EAGAIN;
}

/* One step of the check; 1: the batch is full, 0: nothing more to do now, -EAGAIN: go on. */
static int step(struct accessed *accessed, struct sample_batch *batch)
{
	struct check_pace *pace = &accessed->pace;
	uint64_t now_ns = clock_now_ns();
	switch (accessed->phase) {
	case RESTING:
		return begin_check(accessed, now_ns);
	case WINDOW:
		if (now_ns < pace->due_ns)
			sleep_through(pace->due_ns - now_ns);
		if (clock_now_ns() < pace->due_ns)
			return 0;
		begin_reading(accessed, COUNTING);
		return -EAGAIN;
	case READING_NEW:
		open_window(accessed);
		return -EAGAIN;
	case COUNTING:
		read_all(accessed);
		if (!is_window_short(accessed)) {
			accessed->watched_ns = watched_since_ns(accessed);
			begin_reading(accessed, READING);
			scout_begin(&accessed->scout, accessed->watched_ns);
			glance_begin(&accessed->glance);
			return -EAGAIN;
		}
		pace->window_ns *= 2;
		pace->due_ns = accessed->cleared_ns + pace->window_ns;
		accessed->phase = WINDOW;
		return -EAGAIN;
	case READING:
		accessed->is_read = read_all(accessed);
		accessed->phase = TELLING;
		return -EAGAIN;
	case TELLING:
		if (!runs_tell(&accessed->runs, batch, accessed->now_ns, accessed->watched_ns))
			return 1;
		if (!accessed->is_read) {
			accessed->phase = READING;
			return -EAGAIN;
		}
		scout_end(&accessed->scout);
		glance_end(&accessed->glance);
		live_note_pages(accessed->live, accessed->pages_of_node, now_ns);
		accessed->phase = TOLD;
		return 0;
	case TOLD: /* by now it has been decided about */
		settle(accessed, now_ns);
		return -EAGAIN;
	}
	return 0;
}

static int poll_accessed(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct accessed *accessed = sampler;
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more;
	accessed->now_ns = now_ns;
	do
		more = step(accessed, batch);
	while (more == -EAGAIN);
	uint64_t cost_ns = clock_thread_cpu_ns() - begin_ns;
	accessed->cost_ns += cost_ns;
	live_charge(accessed->live, live_sampler_accessed.name,
		    &(struct live_cost){ .own_ns = cost_ns });
	struct live *live = accessed->live;
	uint64_t due_ns = accessed->phase == TOLD ? now_ns : accessed->pace.due_ns;
	live->wake_ns = MIN(live->wake_ns, due_ns);
	if (accessed->phase == RESTING && accessed->flags_fd >= 0)
		live->wake_ns = MIN(live->wake_ns, accessed->pace.scout_ns);
	return more;
}

const struct sampler_ops live_sampler_accessed = {
	.name = "accessed-bits",
	.summary = "the accessed bit of every page, read from page tables, cleared in between",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, true },
	.probe = probe,
	.open = open_accessed,
	.poll = poll_accessed,
	.close = close_accessed,
};
