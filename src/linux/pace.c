/* SPDX-License-Identifier: MIT */
/* How fast pages may be moved (pace.h). */
#include "linux/pace.h"

/* The best that any CPUs see of the node. */
static uint64_t bandwidth_of(const struct machine *machine, uint32_t to)
{
	uint64_t best = 0;
	for (uint32_t from = 0; from < machine->nr_nodes; from++)
		best = MAX(best, machine_link(machine, from, to)->bandwidth_bytes_per_s);
	return best;
}

uint64_t pace_most(const struct machine *machine)
{
	uint64_t slowest = UINT64_MAX;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		uint64_t bandwidth = bandwidth_of(machine, i);
		if (machine->nodes[i].tier != UINT32_MAX && bandwidth > 0)
			slowest = MIN(slowest, bandwidth);
	}
	return slowest == UINT64_MAX ? UINT64_MAX : MAX(slowest / PACE_PART, PACE_LEAST_BYTES);
}

void pace_init(struct pace *pace, uint64_t most, uint64_t now_ns)
{
	*pace = (struct pace){ .most = most, .now = most, .least_seen = most, .grown_ns = now_ns };
}

static uint64_t scaled(uint64_t value, uint64_t by, uint64_t of)
{
	unsigned __int128 result = (unsigned __int128)value * by / of;
	return (uint64_t)MIN(result, UINT64_MAX);
}

static void grow(struct pace *pace, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - pace->grown_ns;
	uint64_t most = pace->most == UINT64_MAX ? GIB : pace->most;
	uint64_t by = scaled(most / PACE_BACK_SECONDS, passed_ns, NS_PER_S);
	if (by == 0 && pace->now < pace->most)
		return;
	pace->now = by > pace->most - pace->now ? pace->most : pace->now + by;
	pace->grown_ns = now_ns;
}

/* From the speed that was reached, if that is less than what was allowed: half of what nobody used
 * is no relief. */
void pace_press(struct pace *pace, uint64_t now_ns)
{
	if (pace->pressed_ns && now_ns - pace->pressed_ns < PACE_PRESS_NS)
		return;
	uint64_t from = pace->speed ? MIN(pace->now, pace->speed) : pace->now;
	pace->now = MAX(from / 2, MIN(PACE_LEAST_BYTES, pace->most));
	pace->least_seen = MIN(pace->least_seen, pace->now);
	pace->pressed_ns = MAX(now_ns, 1);
	pace->grown_ns = now_ns;
	pace->nr_halved++;
}

uint64_t pace_spend(struct pace *pace, uint64_t bytes, uint64_t took_ns, uint64_t now_ns)
{
	grow(pace, now_ns);
	if (bytes > 0)
		pace->speed = MAX(scaled(bytes, NS_PER_S, MAX(took_ns, 1)), 1);
	if (pace->now == UINT64_MAX)
		return 0;
	uint64_t earliest_ns = now_ns > PACE_SAVED_NS ? now_ns - PACE_SAVED_NS : 0;
	uint64_t takes_ns = scaled(bytes, NS_PER_S, MAX(pace->now, 1));
	pace->due_ns = MAX(pace->due_ns, earliest_ns) + takes_ns;
	return pace->due_ns > now_ns ? pace->due_ns - now_ns : 0;
}
