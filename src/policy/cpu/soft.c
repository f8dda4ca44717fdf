/* SPDX-License-Identifier: MIT */
/* The rule of soft affinity; soft.h has the picture. Compiled into bpf/ as well. */
#include "policy/cpu/soft.h"

static enum soft_verdict forget(struct soft_memory *memory, enum soft_verdict verdict)
{
	memory->held_since_ns = 0;
	memory->is_spilling = verdict == SOFT_SPILL;
	return verdict;
}

/* On preferred, until it has waited there for as long as it has patience. */
static enum soft_verdict hold(const struct soft_job *job, struct soft_memory *memory,
			      uint64_t now_ns)
{
	if (memory->held_since_ns == 0)
		memory->held_since_ns = now_ns ? now_ns : 1;
	if (now_ns >= memory->held_since_ns && now_ns - memory->held_since_ns >= job->patience_ns)
		return forget(memory, SOFT_SPILL);
	return SOFT_HELD;
}

static bool is_clearly_less(uint32_t rest_bp, uint32_t home_bp)
{
	return rest_bp * 4 <= home_bp * 3; /* true of two that are not used at all */
}

static bool is_borrowing_better(const struct soft_preferred *preferred)
{
	return is_clearly_less(preferred->rest_bp, preferred->utilisation_bp) &&
	       (preferred->nr_idle == 0 || preferred->nr_whole > 0);
}

static enum soft_verdict decide_alone(const struct soft_job *job, struct soft_memory *memory,
				      const struct soft_preferred *preferred,
				      uint32_t nr_borrowable, uint64_t now_ns)
{
	bool is_left = is_clearly_less(preferred->others_bp, preferred->utilisation_bp);
	if (preferred->is_away && is_left && preferred->rest_bp <= preferred->utilisation_bp)
		return forget(memory, SOFT_ANYWHERE);
	if (preferred->is_away || preferred->nr_idle > preferred->nr_shared)
		return forget(memory, SOFT_PREFERRED);
	if (!is_left && (preferred->nr_idle > 0 || nr_borrowable == 0))
		return forget(memory, SOFT_PREFERRED);
	if (!is_left)
		return hold(job, memory, now_ns);
	if (!preferred->is_waker_away && nr_borrowable > 0 && is_borrowing_better(preferred))
		return forget(memory, SOFT_SPILL);
	return forget(memory, SOFT_ANYWHERE);
}

enum soft_verdict soft_decide(const struct soft_job *job, struct soft_memory *memory,
			      const struct soft_preferred *preferred, uint32_t nr_borrowable,
			      uint64_t now_ns)
{
	/* Without a preferred CPU even a hard job has to run somewhere. */
	if (preferred->nr_cpus == 0)
		return forget(memory, SOFT_SPILL);
	if (job->spill_at_bp == SOFT_AUTO)
		return decide_alone(job, memory, preferred, nr_borrowable, now_ns);
	if (preferred->nr_idle > 0)
		return forget(memory, SOFT_PREFERRED);
	if (job->spill_at_bp == SOFT_HARD || nr_borrowable == 0)
		return forget(memory, SOFT_PREFERRED);
	if (preferred->utilisation_bp >= job->spill_at_bp || memory->is_spilling)
		return forget(memory, SOFT_SPILL);
	return hold(job, memory, now_ns);
}

bool soft_may_borrow(const struct soft_job *job, const struct soft_cpu *cpu)
{
	return cpu->is_idle && cpu->nr_owner_waiting == 0 && cpu->others_bp <= SOFT_LENT_BP &&
	       cpu->stolen_bp < SOFT_HALF_STOLEN_BP && cpu->distance <= job->max_distance;
}

bool soft_is_better(const struct soft_cpu *a, const struct soft_cpu *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance;
	return a->stolen_bp < b->stolen_bp;
}

bool soft_must_yield(const struct soft_cpu *cpu)
{
	return cpu->nr_owner_waiting > 0;
}

/* With n preferred CPUs, one more task adds up to 1/n of the set: below spill_at by that much it
 * will still be below it when the task is home. Where spill_at leaves no room for that (one
 * preferred CPU, or spill_at 0), an idle CPU is reason enough. */
bool soft_comes_home(const struct soft_job *job, const struct soft_preferred *preferred)
{
	if (preferred->nr_cpus == 0 || preferred->nr_idle == 0)
		return false;
	if (job->spill_at_bp == SOFT_AUTO)
		return preferred->nr_idle > preferred->nr_shared;
	uint32_t own_bp = SOFT_ALL_BP / preferred->nr_cpus;
	if (job->spill_at_bp <= own_bp || job->spill_at_bp == SOFT_HARD)
		return true;
	return preferred->utilisation_bp < job->spill_at_bp - own_bp;
}

uint32_t soft_utilisation_bp(uint64_t busy_ns, uint64_t stolen_ns, uint64_t elapsed_ns)
{
	if (elapsed_ns == 0 || stolen_ns >= elapsed_ns)
		return elapsed_ns ? SOFT_ALL_BP : 0;
	uint64_t own_ns = elapsed_ns - stolen_ns;
	if (busy_ns >= own_ns)
		return SOFT_ALL_BP;
	/* Both halved until the product fits; verifiers want no loop, so by one step: windows are
	 * far below 2^50 ns. */
	if (busy_ns >> 50)
		return (uint32_t)((busy_ns >> 14) * SOFT_ALL_BP / (own_ns >> 14));
	return (uint32_t)(busy_ns * SOFT_ALL_BP / own_ns);
}
