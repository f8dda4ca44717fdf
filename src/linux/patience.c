/* SPDX-License-Identifier: MIT */
/* Who is left alone, and for how long (patience.h). */
#include "linux/patience.h"

#define ALL_BP 10000

void patience_note_uses(struct patience *patience, uint64_t nr_fast, uint64_t nr_slow)
{
	patience->nr_fast += nr_fast;
	patience->nr_slow += nr_slow;
}

void patience_note_moves(struct patience *patience, uint64_t nr_moved, uint64_t nr_trips)
{
	patience->nr_moved += nr_moved;
	patience->nr_trips += nr_trips;
}

static void begin_window(struct patience *patience, uint64_t now_ns)
{
	patience->begun_ns = now_ns;
	patience->nr_fast = patience->nr_slow = patience->nr_moved = patience->nr_trips = 0;
}

static void leave_alone(struct patience *patience, uint64_t now_ns)
{
	uint64_t twice_ns = MIN(patience->pause_ns * 2, PATIENCE_MAX_NS);
	patience->pause_ns = MAX(twice_ns, PATIENCE_MIN_NS);
	patience->until_ns = now_ns + patience->pause_ns;
	patience->nr_vain = 0;
	patience->share_bp = UINT32_MAX;
}

/* What the window that ends says. */
static void judge(struct patience *patience, uint64_t nr_job_pages, uint64_t now_ns)
{
	uint64_t nr_uses = patience->nr_fast + patience->nr_slow;
	uint32_t before_bp = patience->share_bp;
	uint64_t least = MAX(PATIENCE_LEAST, nr_job_pages / 512);
	if (nr_uses == 0)
		return; /* nobody looked */
	uint32_t share_bp = (uint32_t)(patience->nr_fast * ALL_BP / nr_uses);
	bool has_moved = patience->nr_moved >= least;
	bool goes_round = patience->nr_trips * 2 >= patience->nr_moved;
	bool has_gained = before_bp != UINT32_MAX && share_bp >= before_bp + PATIENCE_GAIN_BP;
	if (before_bp != UINT32_MAX && share_bp >= before_bp + PATIENCE_RESET_BP)
		patience->pause_ns = 0;
	patience->share_bp = share_bp;
	if (!has_moved || (before_bp == UINT32_MAX && !goes_round) || (has_gained && !goes_round)) {
		patience->nr_vain = 0;
		return;
	}
	patience->why = goes_round ? "half of what moved went back again"
				   : "moving did not raise the share of fast memory in its uses";
	if (++patience->nr_vain >= PATIENCE_NR_VAIN)
		leave_alone(patience, now_ns);
}

bool patience_turn(struct patience *patience, uint64_t nr_job_pages, uint64_t now_ns)
{
	if (patience->until_ns && now_ns >= patience->until_ns) {
		patience->until_ns = 0;
		begin_window(patience, now_ns);
	}
	if (patience->until_ns)
		return true;
	if (!patience->begun_ns)
		begin_window(patience, now_ns);
	if (now_ns - patience->begun_ns < PATIENCE_WINDOW_NS)
		return false;
	judge(patience, nr_job_pages, now_ns);
	begin_window(patience, now_ns);
	return patience->until_ns != 0;
}
