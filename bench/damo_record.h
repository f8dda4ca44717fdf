/* SPDX-License-Identifier: MIT */
/* A made-up damo record of 1,000,000 regions, for benches. */
#ifndef BERTH_BENCH_DAMO_RECORD_H
#define BERTH_BENCH_DAMO_RECORD_H

#include "base/types.h"

#define DAMO_RECORD_SNAPSHOTS 2000
#define DAMO_RECORD_REGIONS   500 /* of each */

/*
 * Writes it as a zlib stream. is_indented: as `damo record` does by default (json_compressed), four
 * blanks a level; else on one line, as a tool that rewrites JSON may leave it. Exits on failure.
 * Returns the bytes of JSON text.
 */
uint64_t damo_record_write(const char *path, bool is_indented);

#endif
