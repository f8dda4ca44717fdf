/* SPDX-License-Identifier: MIT */
/* When to look at all pages (check_pace.h). */
#include "linux/check_pace.h"

#define SAVED_MAX_NS   ((int64_t)NS_PER_S)
#define BEYOND_MAX_NS  (2 * NS_PER_S) /* of CPU time, beyond the lasting share: paid back */
#define FRUITFUL_PARTS 64	      /* of what is mapped: moves more than that are many */
#define PLANNED_PARTS  1024	      /* of what is mapped: moves fewer than that are none */
#define VAIN_MAX       15
#define SHARE_MAX_BP   10000
#define CLEAR_NS       (100 * NS_PER_MS) /* after a check: scouts clear their pages */
#define ASLEEP_NS      (2 * NS_PER_S)
#define GROWN_PARTS    128 /* more by one of these: the program is still filling its memory */
#define FILLING_PARTS  512 /* as long as most of it has not been looked at */
#define GREW_PARTS     4   /* and more by one of these since a burst: that looked too soon */
#define SHRUNK_PART    8   /* what is given back is forgotten by so much per check */
#define GROWING_MAX    100 /* times that it is waited for */
#define BACKLOG_NS     NS_PER_S
#define UNKNOWN_NS     (200 * NS_PER_MS) /* until it is asked for again */
#define BACKLOG_MAX_NS (10 * NS_PER_S)	 /* then it is looked, whatever waits */

static void begin_burst(struct check_pace *pace)
{
	pace->burst = CHECK_BURST;
	pace->extra = CHECK_BURST_EXTRA;
	pace->nr_in_burst = pace->nr_behind = 0;
	pace->has_found = false;
}

void check_pace_init(struct check_pace *pace, uint64_t now_ns)
{
	*pace = (struct check_pace){ .window_ns = CHECK_WINDOW_MIN_NS, .paid_ns = now_ns };
	begin_burst(pace);
}

void check_pace_alarm(struct check_pace *pace, uint64_t now_ns)
{
	begin_burst(pace);
	pace->nr_vain = 0;
	pace->due_ns = now_ns;
}

/* The first of a burst go on, up to the one behind that which has found much: what that had seen
 * too seldom. The next one is to be over when the mover has nothing left to do: before, it takes
 * CPUs from mover and program. */
bool check_pace_puts_off(struct check_pace *pace, const struct live *live, uint64_t now_ns)
{
	uint64_t ahead_ns = MIN(MAX(BACKLOG_NS, pace->took_ns), BACKLOG_MAX_NS / 2);
	bool goes_on = pace->has_found ? pace->nr_behind == 0 : pace->nr_in_burst < CHECK_BURST;
	if (live->backlog_ns <= ahead_ns || now_ns - pace->paid_ns >= BACKLOG_MAX_NS || goes_on) {
		pace->begun_ns = now_ns;
		return false;
	}
	bool is_known = live->backlog_ns != LIVE_NEVER;
	pace->due_ns = now_ns + (is_known ? MIN(live->backlog_ns / 2, NS_PER_S) : UNKNOWN_NS);
	return true;
}

/* All that was to be seen before it has filled its memory is that; beside others there is more. */
bool check_pace_is_growing(struct check_pace *pace, uint64_t nr_resident, uint64_t now_ns)
{
	uint64_t before = pace->nr_resident;
	uint64_t parts = pace->nr_met < nr_resident / 2 ? FILLING_PARTS : GROWN_PARTS;
	if (now_ns < pace->growing_ns) { /* too soon to tell */
		pace->due_ns = pace->growing_ns;
		return true;
	}
	pace->nr_resident = nr_resident;
	if (nr_resident <= before + before / parts || ++pace->nr_waits > GROWING_MAX)
		return false;
	pace->growing_ns = pace->due_ns = now_ns + CHECK_GROWING_NS;
	return true;
}

/* As long as all is fast there is nothing to be gained. */
static bool has_slow_memory(const struct live *live)
{
	for (uint32_t i = 0; i < live->machine->nr_nodes; i++)
		if (live->machine->nodes[i].tier > 0 && live->job_pages[i] > 0)
			return true;
	return false;
}

bool check_pace_has_grown(const struct check_pace *pace, const struct live *live,
			  uint64_t nr_resident)
{
	return nr_resident > pace->nr_looked + pace->nr_looked / GREW_PARTS &&
	       has_slow_memory(live);
}

bool check_pace_begin(struct check_pace *pace, const struct live *live)
{
	bool is_new = pace->nr_resident != pace->nr_met;
	if (check_pace_has_grown(pace, live, pace->nr_resident)) {
		begin_burst(pace); /* checks before saw it being filled */
		pace->nr_vain = 0;
		pace->window_ns = CHECK_WINDOW_MIN_NS;
		pace->nr_looked = pace->nr_resident;
	} else if (pace->nr_resident < pace->nr_looked) {
		pace->nr_looked -= (pace->nr_looked - pace->nr_resident) / SHRUNK_PART;
	}
	pace->nr_met = pace->nr_resident;
	return is_new;
}

/* What became of it: where nothing is to be gained looking is in vain, too. */
static void note_vain(struct check_pace *pace, const struct live *live, uint64_t nr_mapped)
{
	uint64_t nr_planned = live->nr_planned_pages - pace->nr_planned;
	pace->nr_planned += nr_planned;
	pace->is_fruitful = nr_planned > nr_mapped / FRUITFUL_PARTS;
	if (!live->has_planner || nr_planned > nr_mapped / PLANNED_PARTS)
		pace->nr_vain = 0;
	else
		pace->nr_vain = MIN(pace->nr_vain + 1, VAIN_MAX);
}

/* While nothing moves half of the share pays for what was taken beyond it before. */
static uint64_t share_of(const struct check_pace *pace, const struct live *live)
{
	unsigned by = pace->nr_vain < CHECK_VAIN_FIRST ? 0 : pace->nr_vain - CHECK_VAIN_FIRST + 1;
	by += pace->beyond_ns > 0 && live->sampling_share_bp <= live->lasting_share_bp;
	return MIN(MAX(live->sampling_share_bp >> by, 1), SHARE_MAX_BP);
}

static void note_beyond(struct check_pace *pace, const struct live *live, uint64_t passed_ns,
			uint64_t cost_ns)
{
	uint64_t lasting_ns = passed_ns / 10000 * live->lasting_share_bp;
	uint64_t all_ns = pace->beyond_ns + cost_ns;
	pace->beyond_ns = MIN(all_ns > lasting_ns ? all_ns - lasting_ns : 0, BEYOND_MAX_NS);
}

/* One of a burst is over; it goes on as long as checks bring moves, also where those before did not
 * and it had ended. */
static void shorten_burst(struct check_pace *pace)
{
	bool is_first = pace->is_fruitful && !pace->has_found;
	pace->nr_in_burst++;
	pace->nr_behind += pace->has_found;
	pace->has_found |= pace->is_fruitful;
	if (pace->nr_in_burst >= CHECK_BURST_LEAST && !pace->has_found) {
		pace->burst = 0;
	} else if (pace->is_fruitful && pace->extra > 0) {
		pace->extra--;
		pace->burst = is_first ? CHECK_BURST_REST : 1;
	} else {
		pace->burst -= pace->burst > 0;
	}
}

/* Much more of slow memory is used than in the check before, or much less of fast memory, and not
 * for having been watched for longer or shorter: what is in use has changed, and the scouts have
 * not seen it yet. Of fast memory single pages count: of huge ones it is a guess. */
static void note_change(struct check_pace *pace, const struct check_seen *seen)
{
	uint64_t slow = pace->nr_slow_before, fast = pace->nr_fast_before;
	uint64_t watched_ns = MAX(seen->watched_ns, 1);
	uint64_t before_ns = MAX(pace->watched_before_ns, 1);
	uint64_t many = seen->nr_mapped / FRUITFUL_PARTS;
	if (before_ns < watched_ns)
		slow = slow * watched_ns / before_ns;
	else
		fast = fast * watched_ns / before_ns;
	if (pace->watched_before_ns > 0 && pace->burst == 0 &&
	    (seen->nr_slow_used > 2 * slow + many || fast > 2 * seen->nr_fast_single + many))
		begin_burst(pace);
	pace->nr_slow_before = seen->nr_slow_used;
	pace->nr_fast_before = seen->nr_fast_single;
	pace->watched_before_ns = seen->watched_ns;
}

void check_pace_settle(struct check_pace *pace, const struct live *live,
		       const struct check_seen *seen, uint64_t now_ns)
{
	uint64_t cost_ns = seen->cost_ns + live->deciding_ns - pace->decided_ns;
	note_vain(pace, live, seen->nr_mapped);
	note_beyond(pace, live, now_ns - pace->paid_ns, cost_ns);
	uint64_t share_bp = share_of(pace, live);
	uint64_t earned_ns = (now_ns - pace->paid_ns) / 10000 * share_bp;
	pace->saved_ns = MIN(pace->saved_ns + (int64_t)earned_ns, SAVED_MAX_NS);
	pace->saved_ns -= (int64_t)cost_ns;
	pace->decided_ns = live->deciding_ns;
	pace->paid_ns = now_ns;
	note_change(pace, seen);
	shorten_burst(pace);
	pace->saved_ns = pace->burst ? MAX(pace->saved_ns, 0) : pace->saved_ns;
	pace->window_ns = MAX(pace->window_ns / 2, CHECK_WINDOW_MIN_NS);
	uint64_t rest_ns = MAX(seen->cost_ns / CHECK_REST_PARTS, CHECK_REST_MIN_NS);
	pace->took_ns = pace->begun_ns ? now_ns - pace->begun_ns : 0;
	int64_t owed_ns = -pace->saved_ns;
	if (owed_ns > 0)
		rest_ns = MAX(rest_ns, (uint64_t)owed_ns * 10000 / share_bp);
	pace->due_ns = now_ns + rest_ns;
	pace->scout_ns = now_ns + CLEAR_NS;
}

void check_pace_scouted(struct check_pace *pace, uint64_t cost_ns, uint64_t out_ns)
{
	unsigned by = pace->nr_vain < CHECK_VAIN_FIRST ? 0
						       : (pace->nr_vain - CHECK_VAIN_FIRST) / 2 + 1;
	uint64_t rest_ns = MIN(cost_ns * CHECK_SCOUT_REST, CHECK_SCOUT_MAX_NS);
	pace->scout_ns = out_ns + MAX(CHECK_SCOUT_NS << by, rest_ns);
}

void check_pace_doze(struct check_pace *pace, uint64_t now_ns)
{
	pace->scout_ns = now_ns + ASLEEP_NS;
	pace->due_ns = MAX(pace->due_ns, pace->scout_ns);
}
