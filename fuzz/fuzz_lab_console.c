/* SPDX-License-Identifier: MIT */
/* Any bytes may come from a guest's console; how they are cut must make no difference. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_watch whole, pieces;
	memset(&whole, 0, sizeof(whole));
	memset(&pieces, 0, sizeof(pieces));
	lab_watch_feed(&whole, data, size);
	lab_watch_end(&whole);
	for (size_t at = 0; at < size;) {
		size_t piece = MIN((size_t)data[at] % 9 + 1, size - at);
		lab_watch_feed(&pieces, data + at, piece);
		at += piece;
	}
	lab_watch_end(&pieces);
	for (int sign = 0; sign < LAB_NR_SIGNS; sign++)
		if (strcmp(whole.signs[sign], pieces.signs[sign]) != 0)
			abort();
	if (strcmp(whole.last, pieces.last) != 0 || whole.nr_stalls != pieces.nr_stalls)
		abort();
	for (const char *at = whole.last; *at; at++)
		if (*at < ' ' || *at > '~')
			abort();
	return 0;
}
