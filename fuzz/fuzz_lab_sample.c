/* SPDX-License-Identifier: MIT */
/* A guest's sample, which may be anything: numbers that can be read, or a sentence. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t look(const struct lab_vmstats *stats)
{
	size_t length = 0;
	for (size_t i = 0; i < stats->nr; i++)
		length += strlen(stats->items[i].name);
	return length;
}

static size_t look_at_text(const char *text)
{
	return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_reading reading;
	PRINTBUF(err);
	int error = lab_reading_parse(data, size, &reading, &err);
	if (error) {
		if (!err.pos)
			abort();
		return 0;
	}
	size_t length = look(&reading.vmstat) + look_at_text(reading.tiers) +
			look_at_text(reading.demotion) + look_at_text(reading.zoneinfo) +
			look_at_text(reading.cmdline);
	for (int i = 0; i < LAB_MAX_NODES; i++)
		length += look(&reading.nodes[i].nodestat);
	lab_reading_fini(&reading);
	/* The texts are parts of the input (each read from its start to its own end), so a section
	 * said again is counted again, but never a byte that is not there. */
	if (length > 5 * size)
		abort();
	return 0;
}
