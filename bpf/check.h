/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule of soft affinity on random inputs, as one number: compiled for the kernel and for this
 * machine, both must give the same (tests/lab/scx-rule.sh). The inputs of number i depend on seed
 * and i alone, so that the first that differs is found by halving.
 *
 * Half of the inputs are near what the rule compares with (thresholds, 0, the largest value), as
 * numbers drawn from 64 bits alone would hardly ever meet one.
 *
 * In parts without arguments that the kernel's verifier looks at one by one: as one function their
 * ways through would multiply to more than it is ready to follow.
 */
#ifndef BERTH_BPF_CHECK_H
#define BERTH_BPF_CHECK_H

#ifdef __bpf__
#define CHECK_PART __attribute__((noinline))
#define CHECK_STATE
#else
#define CHECK_PART  static
#define CHECK_STATE static
#endif

struct check_request {
	uint64_t seed, first, nr;
	uint64_t ret_checksum;
};

CHECK_STATE struct check_state {
	uint64_t drawn_from, sum;
	struct soft_job job;
} check;

static inline uint64_t check_mix(uint64_t value) /* splitmix64's finalizer */
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
	return value ^ value >> 31;
}

CHECK_PART uint64_t check_next(void)
{
	check.drawn_from += 0x9e3779b97f4a7c15ULL;
	return check_mix(check.drawn_from);
}

/* A number, often one of those next to `near`, often small. */
CHECK_PART uint64_t check_number(uint64_t near)
{
	uint64_t drawn = check_next(), kind = drawn & 7;
	drawn >>= 3;
	if (kind < 3)
		return near - 1 + drawn % 3;
	if (kind < 5)
		return drawn % 16384;
	if (kind == 5)
		return drawn & 1 ? ~0ULL - drawn % 3 : 0;
	return kind == 6 ? drawn : drawn >> (drawn & 63);
}

CHECK_PART int check_fold(uint64_t value)
{
	check.sum = check_mix(check.sum * 31 + value);
	return 0;
}

CHECK_PART int check_decide(void)
{
	struct soft_job job = check.job;
	uint64_t now_ns = check_number(1000000000);
	struct soft_memory memory = {
		.held_since_ns = check_number(now_ns - job.patience_ns),
		.is_spilling = (check_next() & 3) == 0,
	};
	struct soft_preferred preferred = {
		.nr_cpus = (uint32_t)check_number(1),
		.nr_idle = (uint32_t)check_number(0) & 3,
		.utilisation_bp = (uint32_t)check_number(job.spill_at_bp),
	};
	uint32_t nr_borrowable = (uint32_t)check_next() & 3;
	check_fold((uint64_t)soft_decide(&job, &memory, &preferred, nr_borrowable, now_ns));
	check_fold(memory.held_since_ns);
	check_fold(memory.is_spilling);
	check_fold(soft_comes_home(&job, &preferred));
	return 0;
}

static inline void check_cpu(struct soft_cpu *ret)
{
	ret->distance = (uint32_t)check_number(check.job.max_distance);
	ret->stolen_bp = (uint32_t)check_number(SOFT_HALF_STOLEN_BP);
	ret->others_bp = (uint32_t)check_number(SOFT_LENT_BP);
	ret->nr_owner_waiting = (uint32_t)check_number(1) & 3;
	ret->is_idle = check_next() & 1;
}

CHECK_PART int check_borrow(void)
{
	struct soft_job job = check.job;
	struct soft_cpu a, b;
	check_cpu(&a);
	check_cpu(&b);
	check_fold(soft_may_borrow(&job, &a));
	check_fold(soft_is_better(&a, &b));
	check_fold(soft_must_yield(&a));
	return 0;
}

CHECK_PART int check_utilisation(void)
{
	uint64_t elapsed_ns = check_number(16000000);
	uint64_t stolen_ns = check_number(elapsed_ns);
	uint64_t busy_ns = check_number(elapsed_ns - stolen_ns);
	check_fold(soft_utilisation_bp(busy_ns, stolen_ns, elapsed_ns));
	return 0;
}

CHECK_PART int check_one(uint64_t seed, uint64_t number)
{
	check.drawn_from = check_mix(seed) ^ check_mix(number);
	check.job.spill_at_bp = (uint32_t)check_number(SOFT_SPILL_AT_BP);
	check.job.max_distance = (uint32_t)check_number(20);
	check.job.patience_ns = check_number(SOFT_PATIENCE_NS);
	check_decide();
	check_borrow();
	check_utilisation();
	return 0;
}

#endif
