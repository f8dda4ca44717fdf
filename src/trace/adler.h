/* SPDX-License-Identifier: MIT */
/* Adler-32 (RFC 1950), the sum at the end of a zlib stream. */
#ifndef BERTH_TRACE_ADLER_H
#define BERTH_TRACE_ADLER_H

#include "base/types.h"

#define ADLER_INIT 1

/* The sum of the bytes so far, then these. */
uint32_t adler_add(uint32_t adler, const uint8_t *bytes, size_t nr_bytes);

#endif
