/* SPDX-License-Identifier: MIT */
/*
 * The modelled PMU; sampler_hardware.h has the picture.
 *
 * What it follows: MEMTIS (SOSP'23) and HeMem (SOSP'21), which sample loads and stores with PEBS at
 * fixed periods into a ring and drop what does not fit. Cost: one decrement per miss, 72 bytes per
 * sample kept, 4.5 MiB of buffer while open.
 */
#include "sim/sampler_hardware.h"

#include <stdlib.h>

#include "base/error.h"

void hardware_init(struct hardware_sampler *sampler, const struct hardware_config *config,
		   uint64_t seed)
{
	*sampler = (struct hardware_sampler){ .until = { UINT64_MAX, UINT64_MAX } };
	sampler->period[0] = config->load_period ? config->load_period : HARDWARE_PERIOD;
	sampler->period[1] = config->store_period ? config->store_period : HARDWARE_PERIOD;
	for (unsigned i = 0; i < 2; i++)
		sampler->first[i] = 1 + seed % sampler->period[i];
}

void hardware_take(struct hardware_sampler *sampler, const struct sample *sample)
{
	unsigned is_store = sample->access == SAMPLE_WRITE;
	sampler->until[is_store] = sampler->period[is_store];
	sampler->nr_taken++;
	if (sampler->nr == HARDWARE_MAX)
		sampler->nr_lost++; /* as the hardware's buffer: what nobody fetches is lost */
	else
		sampler->samples[sampler->nr++] = *sample;
}

uint64_t hardware_bytes(const struct hardware_sampler *sampler)
{
	return sampler->samples ? HARDWARE_MAX * sizeof(*sampler->samples) : 0;
}

static int probe_hardware(void *world, struct printbuf *err)
{
	(void)world;
	(void)err;
	return 0;
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
	(void)now_ns;
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
