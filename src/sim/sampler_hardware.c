/* SPDX-License-Identifier: MIT */
/*
 * The modelled PMU; sampler_hardware.h has the picture.
 *
 * What it follows: MEMTIS (SOSP'23) and HeMem (SOSP'21), which sample loads and stores with PEBS
 * into a ring and drop what does not fit. MEMTIS keeps its sampling thread to 3 % of a CPU by
 * walking through periods from 199 to 19997, some 30 steps of a sixth each: so do we, at every
 * poll, from the agent's periods to HARDWARE_SLOWEST times these, and let be what is within a sixth
 * of the share. The CPU time of one sample (1 us unless told) is an assumption. It is physical, so
 * the share is of the program's time, not of the dilated clock.
 *
 * With a frequency given, a period becomes at each poll what would have given so many samples since
 * the last, by an eighth of the way: kernel/events/core.c perf_calculate_period and
 * perf_adjust_period (6.12).
 *
 * Cost: one decrement per miss, 80 bytes per sample kept, 4.5 MiB of buffer while open.
 */
#include "sim/sampler_hardware.h"

#include <stdlib.h>

#include "base/error.h"

#define STEP 6 /* one over the share of a period that one step adds */

void hardware_init(struct hardware_sampler *sampler, const struct hardware_config *config,
		   uint64_t seed)
{
	*sampler = (struct hardware_sampler){ .until = { UINT64_MAX, UINT64_MAX },
					      .cost_ns = config->cost_ns,
					      .share_bp = config->share_bp,
					      .dilate = MAX(config->dilate, 1),
					      .hz = config->hz,
					      .has_pmu = config->has_pmu };
	sampler->base[0] = config->load_period ? config->load_period : HARDWARE_PERIOD;
	sampler->base[1] = config->store_period ? config->store_period : HARDWARE_PERIOD;
	for (unsigned i = 0; i < 2; i++) {
		sampler->period[i] = sampler->base[i];
		sampler->first[i] = 1 + seed % sampler->base[i];
	}
}

static uint64_t longest_period(uint64_t base)
{
	return base > UINT64_MAX / HARDWARE_SLOWEST ? UINT64_MAX : base * HARDWARE_SLOWEST;
}

/* One step of a sixth at most per look: one burst must not blind us for long. */
static void step_periods(struct hardware_sampler *sampler, bool longer)
{
	for (unsigned i = 0; i < 2; i++) {
		uint64_t step = MAX(sampler->period[i] / STEP, 1), base = sampler->base[i];
		if (longer)
			sampler->period[i] += MIN(step, longest_period(base) - sampler->period[i]);
		else
			sampler->period[i] -= MIN(step, sampler->period[i] - base);
	}
}

static void watch_share(struct hardware_sampler *sampler, uint64_t now_ns)
{
	uint64_t program_ns = now_ns / sampler->dilate;
	uint64_t passed_ns = program_ns - sampler->checked_ns;
	uint64_t nr = sampler->nr_taken - sampler->checked_taken;
	if (sampler->share_bp == 0 || program_ns <= sampler->checked_ns)
		return;
	unsigned __int128 used = (unsigned __int128)nr * sampler->cost_ns * 10000 * STEP;
	unsigned __int128 allowed = (unsigned __int128)passed_ns * sampler->share_bp;
	sampler->checked_ns = program_ns;
	sampler->checked_taken = sampler->nr_taken;
	if (used > allowed * (STEP + 1))
		step_periods(sampler, true);
	else if (used < allowed * (STEP - 1))
		step_periods(sampler, false);
}

/* Events since the last poll, by periods gone through and how far into the next. */
static uint64_t count_events(const struct hardware_sampler *sampler, unsigned kind)
{
	uint64_t period = sampler->period[kind], until = sampler->until[kind];
	return sampler->counted[kind] + (until < period ? period - until : 0);
}

static void keep_frequency(struct hardware_sampler *sampler, uint64_t now_ns)
{
	if (sampler->hz == 0 || now_ns <= sampler->polled_ns)
		return;
	uint64_t passed_ns = now_ns - sampler->polled_ns;
	for (unsigned i = 0; i < 2; i++) {
		unsigned __int128 events = count_events(sampler, i);
		uint64_t ideal = (uint64_t)(events * NS_PER_S / sampler->hz / passed_ns);
		uint64_t period = sampler->period[i];
		/* The whole way down: a period that is too long gives nothing to go by. */
		period = ideal > period ? period + (ideal - period + 7) / 8 : ideal;
		sampler->period[i] = MAX(period, 1);
		sampler->until[i] = MIN(sampler->until[i], sampler->period[i]);
		sampler->counted[i] = 0;
	}
	sampler->polled_ns = now_ns;
}

void hardware_take(struct hardware_sampler *sampler, const struct sample *sample)
{
	unsigned is_store = sample->access == SAMPLE_WRITE;
	uint64_t period = sampler->period[is_store];
	sampler->until[is_store] = period;
	sampler->counted[is_store] += period;
	sampler->nr_taken++;
	if (sampler->nr == HARDWARE_MAX) {
		sampler->nr_lost++; /* as the hardware's buffer: what nobody fetches is lost */
		return;
	}
	sampler->samples[sampler->nr] = *sample;
	sampler->samples[sampler->nr++].period = (uint32_t)MIN(period, SAMPLE_NONE - 1);
}

uint64_t hardware_bytes(const struct hardware_sampler *sampler)
{
	return sampler->samples ? HARDWARE_MAX * sizeof(*sampler->samples) : 0;
}

static int probe_hardware(void *world, struct printbuf *err)
{
	const struct hardware_sampler *sampler = world;
	if (sampler->has_pmu)
		return 0;
	return error_set(err, -EOPNOTSUPP,
			 "hardware samples: this machine has no PMU (pmu=off), as most guests; "
			 "choose a policy that takes another sampler, or pmu=on");
}

static int open_hardware(void *world, void **ret_sampler, struct printbuf *err)
{
	struct hardware_sampler *sampler = world;
	sampler->samples = calloc(HARDWARE_MAX, sizeof(*sampler->samples));
	if (!sampler->samples)
		return error_set(err, -ENOMEM, "hardware sampler: out of memory");
	sampler->until[0] = sampler->first[0];
	sampler->until[1] = sampler->first[1];
	*ret_sampler = sampler;
	return 0;
}

static int poll_hardware(void *raw, uint64_t now_ns, struct sample_batch *batch)
{
	struct hardware_sampler *sampler = raw;
	watch_share(sampler, now_ns);
	keep_frequency(sampler, now_ns);
	while (sampler->at < sampler->nr) {
		if (batch->nr == batch->max)
			return 1;
		batch->samples[batch->nr++] = sampler->samples[sampler->at++];
	}
	sampler->nr = sampler->at = 0;
	return 0;
}

static void close_hardware(void *raw)
{
	struct hardware_sampler *sampler = raw;
	if (!sampler)
		return;
	sampler->until[0] = sampler->until[1] = UINT64_MAX;
	free(sampler->samples);
	sampler->samples = NULL;
}

const struct sampler_ops hardware_sampler_ops = {
	.name = "hardware",
	.summary = "every Nth load miss and every Mth store miss, with page and node",
	.provides = { SAMPLE_BIT(SAMPLE_HARDWARE) | SAMPLE_HAS_WRITES | SAMPLE_HAS_NODE, 1, false },
	.probe = probe_hardware,
	.open = open_hardware,
	.poll = poll_hardware,
	.close = close_hardware,
};
