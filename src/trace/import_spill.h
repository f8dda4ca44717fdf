/* SPDX-License-Identifier: MIT */
/* Bytes that are appended once and read back at any offset: in memory while they are few, in an
 * unlinked temporary file beyond, so that memory does not grow with the input. */
#ifndef BERTH_TRACE_IMPORT_SPILL_H
#define BERTH_TRACE_IMPORT_SPILL_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "base/types.h"

struct import_spill {
	uint8_t *buffer;
	size_t size, nr;     /* of buffer; in file mode, what is not written yet */
	uint64_t file_bytes; /* written to the file */
	size_t memory_bytes; /* the most that is kept in memory */
	int fd;		     /* -1: all is in memory */
};

void import_spill_init(struct import_spill *spill, size_t memory_bytes);
void import_spill_fini(struct import_spill *spill);
/* 0 or negative errno of the temporary file. */
int import_spill_append(struct import_spill *spill, const void *bytes, size_t nr);
/* No more appends: writes what is pending. */
int import_spill_finish(struct import_spill *spill);
uint64_t import_spill_bytes(const struct import_spill *spill);
/* Copies up to nr bytes from `offset` on; returns how many (fewer only at the end), or an errno. */
ssize_t import_spill_read(const struct import_spill *spill, uint64_t offset, void *out, size_t nr);

#endif
