/* SPDX-License-Identifier: MIT */
/* What soft.c is told about a job on a timer (job_rule.h). */
#include "linux/job_rule.h"

static uint32_t utilisation(const struct job_look *look, uint32_t cpu)
{
	const struct cpustat_cpu *did = cpu < look->nr_cpus ? &look->cpus[cpu] : NULL;
	if (!did || !did->is_online)
		return SOFT_ALL_BP;
	return soft_utilisation_bp(did->busy_ns, did->stolen_ns, did->elapsed_ns);
}

/* An owner that works now and then shows nothing of it in a short window: of who has been watched
 * for less than that nothing is known. */
static uint32_t recently_bp(const struct job_look *look, uint32_t cpu)
{
	const struct cpustat_cpu *did = &look->cpus[cpu];
	return did->recent_ns < CPUSTAT_RECENT_NS
		       ? SOFT_ALL_BP
		       : soft_utilisation_bp(did->recent_busy_ns, did->recent_stolen_ns,
					     did->recent_ns);
}

static uint32_t stolen(const struct job_look *look, uint32_t cpu)
{
	const struct cpustat_cpu *did = &look->cpus[cpu];
	return did->elapsed_ns ? (uint32_t)(did->stolen_ns * SOFT_ALL_BP / did->elapsed_ns) : 0;
}

bool job_look_is_waiting(const struct job_look *look)
{
	return look->waited_ns >= look->window_ns * JOB_WAITING_BP / SOFT_ALL_BP;
}

static struct soft_preferred see_preferred(const struct job_rule *rule, const struct job_look *look)
{
	struct soft_preferred seen = { 0 };
	uint64_t sum_bp = 0;
	for (int64_t cpu = set_next(&rule->preferred, 0); cpu >= 0;
	     cpu = set_next(&rule->preferred, (uint32_t)cpu + 1)) {
		uint32_t busy_bp = utilisation(look, (uint32_t)cpu);
		seen.nr_cpus++;
		seen.nr_idle += busy_bp < JOB_HALF_BP;
		sum_bp += busy_bp;
	}
	seen.utilisation_bp = seen.nr_cpus ? (uint32_t)(sum_bp / seen.nr_cpus) : 0;
	if (seen.nr_cpus && !job_look_is_waiting(look) && seen.nr_idle == 0)
		seen.nr_idle = 1; /* nobody waits: nothing to gain elsewhere */
	return seen;
}

static struct soft_cpu see_cpu(const struct job_rule *rule, const struct job_look *look,
			       uint32_t cpu)
{
	return (struct soft_cpu){
		.distance = rule->distances ? rule->distances[cpu] : 0,
		.stolen_bp = stolen(look, cpu),
		.others_bp = recently_bp(look, cpu),
		.is_idle = utilisation(look, cpu) <= JOB_HALF_BP,
	};
}

/* The best CPU that may be borrowed and is not in `mask` yet; -1: none. */
static int64_t find_borrowable(const struct job_rule *rule, const struct job_look *look,
			       const struct set *mask)
{
	struct soft_cpu best_seen = { 0 };
	int64_t best = -1;
	for (int64_t cpu = set_next(&rule->allowed, 0); cpu >= 0 && cpu < look->nr_cpus;
	     cpu = set_next(&rule->allowed, (uint32_t)cpu + 1)) {
		if (set_has(mask, (uint32_t)cpu) || set_has(&rule->preferred, (uint32_t)cpu))
			continue;
		struct soft_cpu seen = see_cpu(rule, look, (uint32_t)cpu);
		if (!soft_may_borrow(&rule->soft, &seen))
			continue;
		if (best < 0 || soft_is_better(&seen, &best_seen)) {
			best = cpu;
			best_seen = seen;
		}
	}
	return best;
}

/* As many as tasks waited on average, at least one. */
static int borrow(struct job_rule *rule, const struct job_look *look, struct set *mask)
{
	uint64_t nr = look->window_ns ? (look->waited_ns + look->window_ns / 2) / look->window_ns
				      : 0;
	for (nr = MAX(nr, 1); nr > 0; nr--) {
		int64_t cpu = find_borrowable(rule, look, mask);
		if (cpu < 0)
			break;
		int error = set_add(mask, (uint32_t)cpu);
		if (error)
			return error;
		rule->counts.nr_spilled++;
	}
	return 0;
}

static int decide_at_home(struct job_rule *rule, const struct job_look *look, struct set *mask)
{
	struct soft_preferred preferred = see_preferred(rule, look);
	bool may = look->now_ns >= rule->owner_until_ns;
	uint32_t nr_borrowable = may && find_borrowable(rule, look, mask) >= 0;
	if (preferred.nr_cpus == 0)
		return set_copy(mask, &rule->allowed); /* all went offline: anywhere */
	int error = set_copy(mask, &rule->preferred);
	switch (soft_decide(&rule->soft, &rule->memory, &preferred, nr_borrowable, look->now_ns)) {
	case SOFT_SPILL:
	case SOFT_ANYWHERE:
		return error ? error : borrow(rule, look, mask);
	case SOFT_HELD:
		rule->counts.nr_held++;
		return error;
	case SOFT_PREFERRED:
		return error;
	}
	return error;
}

/* What neither was idle or stolen nor ran for the job. */
static uint64_t unexplained_ns(const struct job_look *look, const struct set *mask)
{
	uint64_t idle_ns = 0, stolen_ns = 0;
	for (int64_t cpu = set_next(mask, 0); cpu >= 0 && cpu < look->nr_cpus;
	     cpu = set_next(mask, (uint32_t)cpu + 1)) {
		const struct cpustat_cpu *did = &look->cpus[cpu];
		uint64_t used_ns = did->busy_ns + did->stolen_ns;
		idle_ns += did->elapsed_ns > used_ns ? did->elapsed_ns - used_ns : 0;
		stolen_ns += did->stolen_ns;
	}
	uint64_t given_ns = set_count(mask) * look->window_ns;
	uint64_t known_ns = idle_ns + stolen_ns + look->ran_ns + look->own_ns;
	return given_ns > known_ns ? given_ns - known_ns : 0;
}

/* Nobody is in the way of a job that did not wait. */
static uint64_t others_ns(const struct job_look *look, const struct set *mask)
{
	return MIN(unexplained_ns(look, mask), look->waited_ns);
}

static uint64_t enough_ns(const struct job_look *look)
{
	return look->window_ns * JOB_OTHERS_BP / SOFT_ALL_BP;
}

/* A preferred CPU did so little that nobody needs another, whoever waited. */
static bool has_room(const struct job_rule *rule, const struct job_look *look)
{
	for (int64_t cpu = set_next(&rule->preferred, 0); cpu >= 0;
	     cpu = set_next(&rule->preferred, (uint32_t)cpu + 1))
		if (utilisation(look, (uint32_t)cpu) < JOB_HALF_BP)
			return true;
	return false;
}

bool job_rule_asks_waiting(const struct job_rule *rule, const struct job_look *look,
			   const struct set *mask)
{
	if (!set_is_subset(mask, &rule->preferred))
		return unexplained_ns(look, mask) >= enough_ns(look);
	return look->now_ns >= rule->owner_until_ns && !has_room(rule, look) &&
	       find_borrowable(rule, look, mask) >= 0;
}

/* Would what the job ran fit into its preferred CPUs? Not if it waited, too. */
static bool ran_fits_at_home(const struct job_rule *rule, const struct job_look *look)
{
	uint32_t nr_cpus = set_count(&rule->preferred);
	uint64_t room_ns = nr_cpus * look->window_ns;
	if (room_ns == 0)
		return false;
	uint64_t needs_bp = MIN(look->ran_ns * SOFT_ALL_BP / room_ns, SOFT_ALL_BP);
	struct soft_preferred at_home = { .nr_cpus = nr_cpus,
					  .nr_idle = needs_bp < SOFT_ALL_BP,
					  .utilisation_bp = (uint32_t)needs_bp };
	return soft_comes_home(&rule->soft, &at_home);
}

bool job_rule_may_move(const struct job_rule *rule, const struct job_look *look,
		       const struct set *mask)
{
	return ran_fits_at_home(rule, look) || find_borrowable(rule, look, mask) >= 0;
}

static int go_home(struct job_rule *rule, struct set *mask)
{
	rule->memory = (struct soft_memory){ 0 };
	rule->nr_others = rule->nr_fits = 0;
	return set_copy(mask, &rule->preferred);
}

static int decide_away(struct job_rule *rule, const struct job_look *look, struct set *mask)
{
	if (set_is_empty(&rule->preferred))
		return set_copy(mask, &rule->allowed);
	bool has_others = others_ns(look, mask) >= enough_ns(look);
	rule->nr_others = has_others ? rule->nr_others + 1 : 0;
	bool fits = !job_look_is_waiting(look) && ran_fits_at_home(rule, look);
	rule->nr_fits = fits ? rule->nr_fits + 1 : 0;
	if (rule->nr_others >= JOB_NR_LOOKS) {
		rule->counts.nr_evicted++;
		rule->owner_until_ns = look->now_ns + JOB_OWNER_NS;
		return go_home(rule, mask);
	}
	if (rule->nr_fits >= JOB_NR_FITS) {
		rule->counts.nr_called_home++;
		return go_home(rule, mask);
	}
	if (has_others || look->is_waited_old)
		return 0;
	return job_look_is_waiting(look) ? borrow(rule, look, mask) : 0;
}

int job_rule_decide(struct job_rule *rule, const struct job_look *look, struct set *mask)
{
	rule->counts.nr_looks++;
	if (set_is_subset(mask, &rule->preferred))
		return decide_at_home(rule, look, mask);
	return decide_away(rule, look, mask);
}
