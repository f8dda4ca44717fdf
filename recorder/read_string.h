/* SPDX-License-Identifier: MIT */
/* A string of the guest, through whatever reads its memory. Used by both recorders. */
#ifndef BERTH_RECORDER_READ_STRING_H
#define BERTH_RECORDER_READ_STRING_H

#include <string.h>

#include "base/types.h"

/* Returns how many bytes were read; fewer than asked at the end of what is mapped. */
typedef size_t read_guest_fn(uint64_t address, void *to, size_t nr_bytes);

/* Always ends with NUL; returns the length. Page by page: what follows the string's page may not be
 * there. size > 0. */
static inline size_t read_guest_string(read_guest_fn *read, uint64_t address, char *to, size_t size)
{
	size_t len = 0;
	while (len + 1 < size) {
		size_t in_page = 4096 - ((address + len) & 4095);
		size_t nr = read(address + len, to + len, MIN(in_page, size - 1 - len));
		size_t found = strnlen(to + len, nr);
		len += found;
		if (found < nr || nr == 0)
			break;
	}
	to[len] = '\0';
	return len;
}

#endif
