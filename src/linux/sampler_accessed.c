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
 * Four checks come in a row at the beginning, each as long after the other as it took, and when the
 * scouts (scout.h), who watch a few pages all the time, see that what is in use has changed: the
 * share of a CPU need not be saved up for these. The fourth comes only if those before brought
 * moves, and while checks do, eight more follow. A program that is filling its memory for the first
 * time is looked at when it has. Where a dozen checks one after the other brought hardly any moves,
 * each further one has half the share of the one before, down to a 16th; scouts come every two
 * seconds, then every four. Moves or an alarm bring all of it back. A program that pauses while it
 * fills its memory is taken to be done: what has grown since by a 32nd is looked at as from the
 * beginning.
 *
 * While more waits to be moved than the mover does in a second, what a check would find had to wait
 * behind it: there is none, but for the first four of a burst, up to the one after that which has
 * found so much, or after ten seconds.
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
#include "linux/glance.h"
#include "linux/kcore.h"
#include "linux/pagetable.h"
#include "linux/process.h"
#include "linux/runs.h"
#include "linux/samplers.h"
#include "linux/scout.h"
#include "linux/seen.h"
#include "linux/translations.h"

#define WINDOW_MIN_NS  (10 * NS_PER_MS)
#define WINDOW_MAX_NS  (2 * NS_PER_S)
#define REST_MIN_NS    (100 * NS_PER_MS)
#define SAVED_MAX_NS   ((int64_t)NS_PER_S)
#define BURST	       4  /* checks in a row, at the beginning and at an alarm */
#define BURST_LEAST    3  /* seen, seen again; what that brought is known a check later */
#define EXTRA_MAX      8  /* more, while they bring moves */
#define FRUITFUL_PARTS 64 /* of what is mapped: moves more than that are many */
#define SCOUT_NS       NS_PER_S
#define CLEAR_NS       (100 * NS_PER_MS) /* after a check: scouts clear their pages */
#define ASLEEP_NS      (2 * NS_PER_S)
#define ASKED_MAX      64	      /* processes that are asked whether they have run */
#define BEYOND_MAX_NS  (2 * NS_PER_S) /* of CPU time, beyond the lasting share: paid back */
#define PLANNED_PARTS  1024	      /* of what is mapped: moves fewer than that are none */
#define VAIN_FIRST     12	      /* in a row: from then on each has half of the share before */
#define VAIN_MAX       15
#define SLEEP_MAX_NS   (50 * NS_PER_MS)
#define GLANCE_CPU_NS  (10 * NS_PER_MS)
#define GLANCE_WAIT_NS (100 * NS_PER_MS)
#define SHARE_MAX_BP   10000
#define CHUNK_PAGES    ((uint64_t)512)
#define COUNTED_EVERY  4   /* chunks */
#define USED_PARTS     8   /* of what is mapped are to be used in a window */
#define GROWN_PARTS    128 /* more by one of these: the program is still filling its memory */
#define GREW_PARTS     32  /* and more by one of these since a check: that looked too soon */
#define GROWING_NS     (200 * NS_PER_MS)
#define GROWING_MAX    100 /* times that it is waited for */
#define BACKLOG_NS     NS_PER_S
#define BACKLOG_MAX_NS (10 * NS_PER_S) /* then it is looked, whatever waits */

enum phase { RESTING, READING_NEW, WINDOW, COUNTING, READING, TELLING };

struct accessed {
	struct live *live;
	struct kcore kcore;
	struct pagetable table;
	struct seen seen;
	enum phase phase;
	uint64_t due_ns, window_ns, cleared_ns;
	uint64_t clearing_ns, watched_ns; /* what the last clearing took; the window as it was */
	uint64_t paid_ns, cost_ns;	  /* credit was settled until; CPU time of this check */
	uint64_t decided_ns;		  /* live->deciding_ns that was paid for */
	uint64_t beyond_ns;		  /* more than the lasting share; at most BEYOND_MAX_NS */
	uint64_t nr_resident;		  /* pages, when last asked */
	uint64_t nr_met;		  /* resident when what is new was read last */
	uint64_t checked_ticks;		  /* CPU time of who is watched, at the last check */
	uint64_t scouted_ticks;		  /* and when scouts went out last */
	unsigned nr_waits, burst; /* for it to be filled; checks that need not be saved up for */
	unsigned nr_in_burst;	  /* checks since it began */
	unsigned extra;		  /* checks by which moves may still lengthen the burst */
	bool is_fruitful;	  /* the check before brought many */
	unsigned nr_vain;	  /* checks in a row that brought hardly any moves */
	uint64_t nr_planned;	  /* live->nr_planned_pages when the last check ended */
	struct glance glance;
	uint64_t last_cost_ns, glanced_ns;	 /* of the check before without glances; of those */
	uint64_t glance_cpu_ns, glance_until_ns; /* of our CPU time, and of the clock */
	struct scout scout;
	uint64_t scout_ns; /* when to scout next */
	int flags_fd;	   /* kpageflags; -1: no scouting */
	int64_t saved_ns;
	struct translations translations;
	/* where the reading goes on */
	uint32_t space;
	uint64_t page;
	struct live_areas areas;
	size_t area;
	bool has_areas;
	struct sample run; /* nr_pages 0: none */
	struct runs runs;  /* behind those, to be told */
	bool is_read;	   /* all of it */
	uint64_t now_ns;
	uint64_t *pages_of_node;
	uint64_t nr_mapped, nr_used, nr_slow_used;
	uint64_t nr_fast_single; /* of those used, single pages of fast memory */
	uint64_t nr_slow_before, nr_fast_before, watched_before_ns; /* in the check before */
};

static int probe(void *world, struct printbuf *err)
{
	struct live *live = world;
	return kcore_probe(live->root, err);
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
	live_areas_fini(&accessed->areas);
	free(accessed->pages_of_node);
	free(accessed);
}

static void begin_burst(struct accessed *accessed)
{
	accessed->burst = BURST;
	accessed->extra = EXTRA_MAX;
	accessed->nr_in_burst = 0;
}

static int open_accessed(void *world, void **ret_sampler, struct printbuf *err)
{
	struct live *live = world;
	struct accessed *accessed = calloc(1, sizeof(*accessed));
	if (!accessed)
		return error_set(err, -ENOMEM, "accessed-bits: out of memory");
	accessed->live = live;
	accessed->kcore.fd = -1;
	begin_burst(accessed);
	accessed->flags_fd = rootfile_open(live->root, "proc/kpageflags", O_RDONLY);
	accessed->window_ns = WINDOW_MIN_NS;
	accessed->checked_ticks = accessed->scouted_ticks = UINT64_MAX;
	accessed->paid_ns = clock_now_ns();
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
	if (is_accessed)
		seen_mark(&accessed->seen, sample->space, sample->page);
	bool is_new = seen_take_new(&accessed->seen, sample->space, sample->page);
	return (!is_used && !is_new) || add_to_run(accessed, sample);
}

/* Most pages in use are one more of a run, and were met before: nothing is to be looked up. */
static bool is_more_of_run(const struct accessed *accessed, const struct pagetable_page *mapped,
			   uint32_t node)
{
	const struct sample *run = &accessed->run;
	return mapped->is_accessed && mapped->order == 0 && run->nr_pages > 0 &&
	       run->nr_pages < RUNS_PAGES && run->page + run->nr_pages == mapped->page &&
	       run->space == accessed->space && run->node == node && run->order == 0 &&
	       run->hits == run->checks && run->window_ns == accessed->watched_ns &&
	       accessed->seen.nr_new == 0 &&
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

/* For those who look between checks. */
static void note_entry(struct accessed *accessed, const struct pagetable_page *mapped,
		       uint64_t page, uint32_t node)
{
	if (mapped->order == 0)
		scout_see(&accessed->scout, accessed->space, page, mapped->is_accessed,
			  accessed->live->machine->nodes[node].tier > 0);
	else if (mapped->order == GLANCE_ORDER && page == mapped->page)
		glance_see(&accessed->glance, accessed->space, page, mapped->is_accessed);
}

/* All pages of the entry that lie in the area. */
static bool visit(void *context, const struct pagetable_page *mapped)
{
	struct accessed *accessed = context;
	const struct live_area *area = &accessed->areas.items[accessed->area];
	uint64_t begin = MAX(mapped->page, accessed->page);
	uint64_t end = MIN(mapped->page + ((uint64_t)1 << mapped->order), area->end);
	uint32_t node = frames_node(&accessed->live->frames, mapped->frame);
	if (node == FRAMES_NO_NODE)
		return true;
	if (accessed->phase == READING_NEW) {
		if (mapped->is_accessed && !seen_is_known(&accessed->seen, accessed->space, begin))
			seen_mark(&accessed->seen, accessed->space, begin);
		return true;
	}
	uint32_t share = share_used(accessed, mapped, node);
	if (accessed->phase == READING && is_more_of_run(accessed, mapped, node)) {
		accessed->run.nr_pages++;
	} else if (accessed->phase == READING && (share > 0 || accessed->seen.nr_new > 0)) {
		struct sample sample = sample_of_page(SAMPLE_HITS, accessed->now_ns,
						      accessed->space, begin);
		sample.nr_pages = end - begin;
		sample.hits = share && share < GLANCE_CHECKS ? share : 1;
		sample.checks = share && share < GLANCE_CHECKS ? GLANCE_CHECKS : 1;
		sample.window_ns = share ? accessed->watched_ns : SAMPLE_UNKNOWN;
		sample.order = (uint8_t)mapped->order;
		sample.node = node;
		if (!tell(accessed, &sample, mapped->is_accessed, share > 0))
			return false;
	}
	if (accessed->phase == READING)
		note_entry(accessed, mapped, begin, node);
	accessed->pages_of_node[node] += end - begin;
	accessed->nr_mapped += end - begin;
	accessed->nr_used += (end - begin) * share / GLANCE_CHECKS;
	if (accessed->live->machine->nodes[node].tier > 0)
		accessed->nr_slow_used += (end - begin) * share / GLANCE_CHECKS;
	else if (mapped->order == 0)
		accessed->nr_fast_single += share > 0;
	return true;
}

static bool begin_space(struct accessed *accessed)
{
	struct live_space *space = live_space(accessed->live, accessed->space);
	accessed->has_areas = space && find_table(accessed, space) &&
			      live_areas(accessed->live, space, &accessed->areas) == 0;
	accessed->area = 0;
	accessed->page = 0;
	return accessed->has_areas;
}

/* A quarter of the chunks tells how many are used: counting must not make the window longer. */
static void count_area(struct accessed *accessed, const struct live_area *area)
{
	for (uint64_t chunk = area->first & ~(CHUNK_PAGES - 1); chunk < area->end;
	     chunk += COUNTED_EVERY * CHUNK_PAGES)
		pagetable_walk(&accessed->table, MAX(chunk, area->first),
			       MIN(chunk + CHUNK_PAGES, area->end), visit, accessed);
}

/* The rest of one process. False: no more can be kept. */
static bool read_space(struct accessed *accessed)
{
	for (; accessed->area < accessed->areas.nr; accessed->area++, accessed->page = 0) {
		const struct live_area *area = &accessed->areas.items[accessed->area];
		if (accessed->phase == COUNTING) {
			count_area(accessed, area);
			continue;
		}
		accessed->page = MAX(accessed->page, area->first);
		accessed->page = pagetable_walk(&accessed->table, accessed->page, area->end, visit,
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
		if (!accessed->has_areas && !begin_space(accessed))
			continue;
		if (!read_space(accessed))
			return false;
		live_areas_fini(&accessed->areas);
		accessed->has_areas = false;
	}
	return put_run(accessed);
}

static void begin_reading(struct accessed *accessed, enum phase phase)
{
	accessed->phase = phase;
	accessed->space = 0;
	accessed->has_areas = false;
	live_areas_fini(&accessed->areas);
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
	       accessed->window_ns * 2 <= WINDOW_MAX_NS;
}

/* What became of the check before: where nothing is to be gained looking is in vain, too. */
static void note_vain(struct accessed *accessed)
{
	uint64_t nr_planned = accessed->live->nr_planned_pages - accessed->nr_planned;
	accessed->nr_planned += nr_planned;
	accessed->is_fruitful = nr_planned > accessed->nr_mapped / FRUITFUL_PARTS;
	if (!accessed->live->has_planner || nr_planned > accessed->nr_mapped / PLANNED_PARTS)
		accessed->nr_vain = 0;
	else
		accessed->nr_vain = MIN(accessed->nr_vain + 1, VAIN_MAX);
}

/* While nothing moves half of the share pays for what was taken beyond it before. */
static uint64_t share_of(const struct accessed *accessed)
{
	const struct live *live = accessed->live;
	unsigned by = accessed->nr_vain < VAIN_FIRST ? 0 : accessed->nr_vain - VAIN_FIRST + 1;
	by += accessed->beyond_ns > 0 && live->sampling_share_bp <= live->lasting_share_bp;
	return MIN(MAX(live->sampling_share_bp >> by, 1), SHARE_MAX_BP);
}

static void note_beyond(struct accessed *accessed, uint64_t passed_ns, uint64_t cost_ns)
{
	uint64_t lasting_ns = passed_ns / 10000 * accessed->live->lasting_share_bp;
	uint64_t all_ns = accessed->beyond_ns + cost_ns;
	accessed->beyond_ns = MIN(all_ns > lasting_ns ? all_ns - lasting_ns : 0, BEYOND_MAX_NS);
}

/* Up to four seconds, if looking has been in vain: it costs, too. */
static uint64_t scout_rest_ns(const struct accessed *accessed)
{
	return SCOUT_NS << (accessed->nr_vain < VAIN_FIRST
				    ? 0
				    : (accessed->nr_vain - VAIN_FIRST) / 2 + 1);
}

/* One of a burst is over; it goes on as long as checks bring moves. */
static void shorten_burst(struct accessed *accessed)
{
	accessed->nr_in_burst++;
	if (accessed->nr_in_burst >= BURST_LEAST && !accessed->is_fruitful)
		accessed->burst = 0;
	else if (accessed->burst > 0 && accessed->is_fruitful && accessed->extra > 0)
		accessed->extra--;
	else
		accessed->burst -= accessed->burst > 0;
}

/* Much more of slow memory is used than in the check before, or much less of fast memory, and not
 * for having been watched for longer or shorter: what is in use has changed, and the scouts have
 * not seen it yet. Of fast memory single pages count: of huge ones it is a guess. */
static void note_change(struct accessed *accessed)
{
	uint64_t slow = accessed->nr_slow_before, fast = accessed->nr_fast_before;
	uint64_t watched_ns = MAX(accessed->watched_ns, 1);
	uint64_t before_ns = MAX(accessed->watched_before_ns, 1);
	uint64_t many = accessed->nr_mapped / FRUITFUL_PARTS;
	if (before_ns < watched_ns)
		slow = slow * watched_ns / before_ns;
	else
		fast = fast * watched_ns / before_ns;
	if (accessed->watched_before_ns > 0 && accessed->burst == 0 &&
	    (accessed->nr_slow_used > 2 * slow + many ||
	     fast > 2 * accessed->nr_fast_single + many))
		begin_burst(accessed);
	accessed->nr_slow_before = accessed->nr_slow_used;
	accessed->nr_fast_before = accessed->nr_fast_single;
	accessed->watched_before_ns = accessed->watched_ns;
}

/* When the next check may begin, by what this one took. */
static void settle(struct accessed *accessed, uint64_t now_ns)
{
	uint64_t cost_ns = accessed->cost_ns + accessed->live->deciding_ns - accessed->decided_ns;
	note_vain(accessed);
	note_beyond(accessed, now_ns - accessed->paid_ns, cost_ns);
	uint64_t share_bp = share_of(accessed);
	uint64_t earned_ns = (now_ns - accessed->paid_ns) / 10000 * share_bp;
	accessed->saved_ns = MIN(accessed->saved_ns + (int64_t)earned_ns, SAVED_MAX_NS);
	accessed->saved_ns -= (int64_t)cost_ns;
	accessed->decided_ns = accessed->live->deciding_ns;
	uint64_t rest_ns = MAX(accessed->cost_ns, REST_MIN_NS);
	accessed->paid_ns = now_ns;
	note_change(accessed);
	accessed->saved_ns = accessed->burst ? MAX(accessed->saved_ns, 0) : accessed->saved_ns;
	shorten_burst(accessed);
	accessed->last_cost_ns = accessed->cost_ns - MIN(accessed->glanced_ns, accessed->cost_ns);
	accessed->cost_ns = 0;
	accessed->window_ns = MAX(accessed->window_ns / 2, WINDOW_MIN_NS);
	int64_t owed_ns = -accessed->saved_ns;
	if (owed_ns > 0)
		rest_ns = MAX(rest_ns, (uint64_t)owed_ns * 10000 / share_bp);
	accessed->due_ns = now_ns + rest_ns;
	accessed->scout_ns = now_ns + CLEAR_NS;
	accessed->phase = RESTING;
}

/* A short window is not left to the loop, which has other things to do and would make it longer. */
static void sleep_through(uint64_t left_ns)
{
	if (left_ns <= SLEEP_MAX_NS)
		clock_sleep_ns(left_ns);
}

/* Who has not run has used nothing. Of many processes one always has. */
static bool has_run(const struct accessed *accessed, uint64_t *ticks)
{
	const struct live *live = accessed->live;
	uint64_t before = *ticks;
	if (live->nr_alive > ASKED_MAX)
		return true;
	*ticks = live->nr_alive; /* one that ends or comes is a change */
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		*ticks += live_run_time(live, i);
	return *ticks != before;
}

/* Checks and scouts ask again together. */
static void doze(struct accessed *accessed, uint64_t now_ns)
{
	accessed->live->is_asleep = true;
	accessed->scout_ns = now_ns + ASLEEP_NS;
	if (accessed->due_ns < accessed->scout_ns)
		accessed->due_ns = accessed->scout_ns;
}

/* A program that fills its memory for the first time is looked at when it has: all that was to be
 * seen before is that. */
static bool is_growing(struct accessed *accessed)
{
	uint64_t nr_resident = 0, before = accessed->nr_resident;
	for (uint32_t i = 0; i < accessed->live->nr_spaces; i++)
		nr_resident += live_resident_pages(accessed->live, i);
	accessed->nr_resident = nr_resident;
	if (nr_resident <= before + before / GROWN_PARTS || ++accessed->nr_waits > GROWING_MAX)
		return false;
	return true;
}

/* The first of a burst go on, until one came after what was found: it finds most of the rest. */
static bool has_backlog(const struct accessed *accessed, uint64_t now_ns)
{
	return accessed->live->backlog_ns > BACKLOG_NS &&
	       (accessed->is_fruitful || accessed->nr_in_burst >= BURST) &&
	       now_ns - accessed->paid_ns < BACKLOG_MAX_NS;
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

/* Counts the pages of one chunk, and clears them for the next time. *table_of is the space whose
 * page table is at hand. */
static void scout_chunk(struct accessed *accessed, unsigned kind, struct scout_chunk *chunk,
			uint32_t *table_of)
{
	struct iovec pages[SCOUT_PAGES];
	size_t nr = 0, page_bytes = accessed->live->machine->page_bytes;
	struct live_space *space = live_space(accessed->live, chunk->space);
	if (!space || (*table_of != chunk->space && !find_table(accessed, space)))
		return;
	*table_of = chunk->space;
	for (uint32_t i = 0; i < chunk->nr; i++) {
		uint64_t page = chunk->number * CHUNK_PAGES + chunk->pages[i];
		struct pagetable_page mapped = { .order = UINT_MAX };
		pagetable_walk(&accessed->table, page, page + 1, take_page, &mapped);
		if (!is_single(accessed, &mapped, chunk->singles[i]))
			continue;
		chunk->singles[i] = mapped.frame;
		if (accessed->scout.is_cleared)
			scout_count(&accessed->scout, kind, mapped.is_accessed);
		void *address = (void *)(uintptr_t)(page * page_bytes);
		if (nr > 0 && (char *)pages[nr - 1].iov_base + pages[nr - 1].iov_len == address)
			pages[nr - 1].iov_len += page_bytes;
		else
			pages[nr++] = (struct iovec){ address, page_bytes };
	}
	if (nr > 0)
		syscall(SYS_process_madvise, space->pidfd, pages, nr, MADV_COLD, 0);
}

/* True: what is in use has changed. */
static bool scout(struct accessed *accessed)
{
	struct scout *scout = &accessed->scout;
	uint32_t table_of = UINT32_MAX;
	scout_begin_count(scout);
	for (unsigned kind = 0; kind < SCOUT_KINDS; kind++)
		for (unsigned i = 0; i < SCOUT_CHUNKS; i++)
			if (scout->kinds[kind].chunks[i].nr > 0)
				scout_chunk(accessed, kind, &scout->kinds[kind].chunks[i],
					    &table_of);
	scout->is_cleared = true;
	return scout_end_count(scout);
}

/* Between checks. -EAGAIN: look at everything now. */
static int rest(struct accessed *accessed, uint64_t now_ns)
{
	if (accessed->flags_fd < 0 || now_ns < accessed->scout_ns)
		return 0;
	if (!has_run(accessed, &accessed->scouted_ticks)) {
		doze(accessed, now_ns);
		return 0;
	}
	accessed->live->is_asleep = false;
	accessed->scout_ns = now_ns + scout_rest_ns(accessed);
	if (!scout(accessed))
		return 0;
	begin_burst(accessed);
	accessed->nr_vain = 0;
	accessed->due_ns = now_ns;
	return -EAGAIN;
}

/* What is new has been met; from here on bits are those of the window. */
static void open_window(struct accessed *accessed)
{
	if (accessed->nr_resident != accessed->nr_met)
		read_all(accessed); /* puts nothing: it comes to its end */
	if (accessed->nr_resident > accessed->nr_met + accessed->nr_met / GREW_PARTS) {
		begin_burst(accessed); /* checks before saw it being filled */
		accessed->window_ns = WINDOW_MIN_NS;
	}
	accessed->nr_met = accessed->nr_resident;
	glance_at_huge(accessed);
	uint64_t begin_ns = clock_now_ns();
	clear_bits(accessed);
	accessed->cleared_ns = clock_now_ns();
	accessed->clearing_ns = accessed->cleared_ns - begin_ns;
	accessed->window_ns = MIN(MAX(accessed->window_ns, accessed->clearing_ns), WINDOW_MAX_NS);
	accessed->due_ns = accessed->cleared_ns + accessed->window_ns;
	accessed->phase = WINDOW;
}

/* One step of the check; 1: the batch is full, 0: nothing more to do now, -EAGAIN: go on. */
static int step(struct accessed *accessed, struct sample_batch *batch)
{
	uint64_t now_ns = clock_now_ns();
	switch (accessed->phase) {
	case RESTING:
	case WINDOW:
		if (accessed->phase == WINDOW && now_ns < accessed->due_ns)
			sleep_through(accessed->due_ns - now_ns);
		if (clock_now_ns() < accessed->due_ns)
			return accessed->phase == RESTING ? rest(accessed, now_ns) : 0;
		if (accessed->phase == RESTING && !has_run(accessed, &accessed->checked_ticks)) {
			doze(accessed, now_ns);
			return 0;
		}
		accessed->live->is_asleep = false;
		if (accessed->phase == RESTING && has_backlog(accessed, now_ns)) {
			accessed->due_ns = now_ns + MIN(accessed->live->backlog_ns / 2, NS_PER_S);
			return 0;
		}
		if (accessed->phase == RESTING && is_growing(accessed)) {
			accessed->due_ns = now_ns + GROWING_NS;
			return 0;
		}
		begin_reading(accessed, accessed->phase == WINDOW ? COUNTING : READING_NEW);
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
		accessed->window_ns *= 2;
		accessed->due_ns = accessed->cleared_ns + accessed->window_ns;
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
		accessed->phase = RESTING;
		accessed->due_ns = LIVE_NEVER;
		return 0;
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
	if (accessed->due_ns == LIVE_NEVER)
		settle(accessed, clock_now_ns());
	accessed->live->wake_ns = MIN(accessed->live->wake_ns, accessed->due_ns);
	if (accessed->phase == RESTING && accessed->flags_fd >= 0)
		accessed->live->wake_ns = MIN(accessed->live->wake_ns, accessed->scout_ns);
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
