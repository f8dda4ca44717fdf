/* SPDX-License-Identifier: MIT */
/*
 * The series of a result: one row per sample of the guest.
 *
 *     sample_ns         [sample]
 *     vmstat_series     [sample * nr_vmstat + counter]     counters as the first sample has them
 *     nodes[i].*_bytes  [sample]                           i: the machine's node index
 *
 * Bounded: after LAB_MAX_SERIES samples only the last is kept up to date. Cost: 8 bytes per counter
 * and sample, some 200 counters: 1.6 KB a sample.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/run.h"

#define LAB_MAX_SERIES 16384

static int grow(uint64_t **array, size_t nr, size_t width)
{
	uint64_t *grown = realloc(*array, nr * MAX(width, 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

static int grow_rows(struct lab_result *result, size_t nr)
{
	int error = grow(&result->sample_ns, nr, 1);
	if (!error)
		error = grow(&result->vmstat_series, nr, result->nr_vmstat);
	if (!error && !result->sample_snapshot)
		result->sample_snapshot = calloc(LAB_MAX_SERIES, sizeof(uint32_t));
	for (uint32_t i = 0; i < result->nr_nodes && !error; i++) {
		struct lab_node_series *node = &result->nodes[i];
		uint64_t **columns[] = { &node->free_bytes, &node->anon_bytes, &node->file_bytes,
					 &node->used_bytes };
		for (size_t c = 0; c < ARRAY_SIZE(columns) && !error; c++)
			error = grow(columns[c], nr, 1);
	}
	return error ? error : result->sample_snapshot ? 0 : -ENOMEM;
}

static int name_counters(struct lab_result *result, const struct lab_vmstats *vmstat)
{
	result->vmstat = calloc(MAX(vmstat->nr, 1), sizeof(*result->vmstat));
	if (!result->vmstat)
		return -ENOMEM;
	for (size_t i = 0; i < vmstat->nr; i++) {
		result->vmstat[i].name = strdup(vmstat->items[i].name);
		if (!result->vmstat[i].name)
			return -ENOMEM;
		result->nr_vmstat++;
		result->vmstat[i].before = vmstat->items[i].value;
	}
	return 0;
}

/* The kernel prints its counters in the same order every time; should it not, they are looked for.
 */
static uint64_t counter(const struct lab_vmstats *vmstat, size_t at, const char *name)
{
	uint64_t value = 0;
	if (at < vmstat->nr && strcmp(vmstat->items[at].name, name) == 0)
		return vmstat->items[at].value;
	lab_vmstats_find(vmstat, name, &value);
	return value;
}

static void keep_text(char **to, const char *text)
{
	if (!*to && text)
		*to = strndup(text, strlen(text) - (*text && text[strlen(text) - 1] == '\n'));
}

static void fill_row(struct run *run, const struct lab_reading *reading, size_t row)
{
	struct lab_result *result = run->result;
	uint64_t now = reading->head.guest_ns;
	result->sample_ns[row] = now > run->guest_start_ns ? now - run->guest_start_ns : 0;
	result->sample_snapshot[row] = reading->head.snapshot;
	for (size_t i = 0; i < result->nr_vmstat; i++) {
		uint64_t value = counter(&reading->vmstat, i, result->vmstat[i].name);
		result->vmstat_series[row * result->nr_vmstat + i] = value;
		result->vmstat[i].after = value;
	}
	for (uint32_t i = 0; i < result->nr_nodes; i++) {
		const struct lab_node_memory *node = &reading->nodes[run->layout.guest_node[i]];
		result->nodes[i].free_bytes[row] = node->free_bytes;
		result->nodes[i].anon_bytes[row] = node->anon_bytes;
		result->nodes[i].file_bytes[row] = node->file_bytes;
		result->nodes[i].used_bytes[row] = node->used_bytes;
	}
}

int result_add_sample(struct run *run, struct lab_reading *reading)
{
	struct lab_result *result = run->result;
	int error = 0;
	if (!result->vmstat) {
		run->guest_start_ns = reading->head.guest_ns;
		error = name_counters(result, &reading->vmstat);
	}
	size_t row = MIN(result->nr_samples, (size_t)LAB_MAX_SERIES - 1);
	if (!error)
		error = grow_rows(result, row + 1);
	if (error)
		return error;
	keep_text(&result->tiers, reading->tiers);
	keep_text(&result->demotion, reading->demotion);
	keep_text(&result->zoneinfo, reading->zoneinfo);
	keep_text(&result->cmdline, reading->cmdline);
	fill_row(run, reading, row);
	result->nr_samples = row + 1;
	return 0;
}
