/* SPDX-License-Identifier: MIT */
/* What came of a run: its names, its end, its counters. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/lab.h"

const char *const lab_end_names[] = { "exited", "not-run", "out-of-memory", "time-limit", "panic",
				      "hang",	"no-boot", "emulator",	    "setting",	  "signal",
				      NULL };

_Static_assert(ARRAY_SIZE(lab_end_names) == LAB_NR_ENDS + 1, "an end without a name");

void lab_result_fini(struct lab_result *result)
{
	char *const texts[] = { result->kernel_release, result->qemu_version, result->command,
				result->console_path,	result->tiers,	      result->demotion,
				result->zoneinfo,	result->cmdline,      result->policy };
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < result->nr_vmstat; i++)
		free(result->vmstat[i].name);
	for (uint32_t i = 0; i < result->nr_nodes && result->nodes; i++) {
		free(result->nodes[i].free_bytes);
		free(result->nodes[i].anon_bytes);
		free(result->nodes[i].file_bytes);
		free(result->nodes[i].used_bytes);
	}
	for (size_t i = 0; result->argv && result->argv[i]; i++)
		free(result->argv[i]);
	free(result->argv);
	free(result->guest_node);
	free(result->vmstat);
	free(result->sample_ns);
	free(result->vmstat_series);
	free(result->nodes);
	free(result->counters);
	free(result->sample_snapshot);
	printbuf_fini(&result->words);
	printbuf_fini(&result->again);
	printbuf_fini(&result->notes);
	memset(result, 0, sizeof(*result));
}

uint64_t lab_result_delta(const struct lab_result *result, const char *name)
{
	for (size_t i = 0; i < result->nr_vmstat; i++) {
		const struct lab_number *number = &result->vmstat[i];
		if (strcmp(number->name, name) == 0)
			return number->after > number->before ? number->after - number->before : 0;
	}
	return 0;
}
